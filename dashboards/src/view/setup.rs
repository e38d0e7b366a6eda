//! What the pages of set-up show.
use std::collections::BTreeMap;

/// Rows for classes on the first page.
pub const CLASS_ROWS: usize = 6;
/// Kinds of rooms that the first page asks for beside those of the classes, and how many there commonly are.
pub const ROOMS: [(&str, u8); 10] = [
    ("exit", 1),
    ("corridor", 1),
    ("kitchen", 1),
    ("washroom", 1),
    ("changing", 0),
    ("nursing", 0),
    ("yard", 1),
    ("office", 1),
    ("storage", 0),
    ("power", 0),
];

/// The first page, as it was typed.
#[derive(Debug, Clone, Default)]
pub struct First {
    pub name: String,
    pub id: String,
    pub district: String,
    pub street: String,
    pub institution: String,
    pub supervisor: String,
    pub staff_hours: String,
    pub classes: Vec<ClassRow>,
    /// Kind and how many.
    pub rooms: Vec<(String, String)>,
    /// Key of the message by field.
    pub errors: BTreeMap<String, String>,
    /// Problems that belong to no field.
    pub general: Vec<String>,
}

impl First {
    /// The key of what is wrong with a field.
    pub fn error(&self, field: &str) -> Option<&str> {
        self.errors.get(field).map(String::as_str)
    }
    pub fn class_error(&self, row: &usize, field: &str) -> Option<&str> {
        self.error(&format!("c{row}_{field}"))
    }
    pub fn room_error(&self, kind: &str) -> Option<&str> {
        self.error(&format!("r_{kind}"))
    }
    /// Whether rows beyond the first two hold anything.
    pub fn many(&self) -> bool {
        self.classes.iter().skip(2).any(|c| !c.name.is_empty())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassRow {
    pub name: String,
    pub age: String,
    pub places: String,
    pub care: String,
    pub hours: String,
    pub nap: String,
    pub nap_room: bool,
}

/// What is shown once the site is written: the code, before the gateway starts.
#[derive(Debug, Clone, Default)]
pub struct Ready {
    pub site: String,
    pub code: String,
}

/// The way through set-up.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    pub rooms: usize,
    pub devices: usize,
    pub unplaced: usize,
    pub proved: usize,
    pub gaps: usize,
    pub checked: usize,
    pub items: usize,
    /// The site file holds what the gateway does not yet go by.
    pub waiting: bool,
    /// The files are not the gateway's to change.
    pub fixed: bool,
    pub notice: Option<String>,
    pub problems: Vec<String>,
}

/// Rooms and what hangs in them.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    /// By floor.
    pub floors: Vec<(i8, Vec<RoomPlan>)>,
    pub unplaced: Vec<Found>,
    pub rooms: Vec<(String, String)>,
    pub waiting: bool,
    pub notice: Option<String>,
    pub problems: Vec<String>,
    /// A credential that was just given: name, password and what the label's QR code holds.
    pub credential: Option<Credential>,
    /// What was typed into the form for a device that was not heard yet.
    pub typed: String,
}

#[derive(Debug, Clone, Default)]
pub struct Credential {
    pub name: String,
    pub password: String,
    pub qr: String,
    /// What a node of the project is told over its serial line, where the broker has TLS.
    pub enrol: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct RoomPlan {
    pub id: String,
    pub name: String,
    pub kind: String,
    /// No camera may be here.
    pub private: bool,
    pub devices: Vec<Placed>,
}

#[derive(Debug, Clone, Default)]
pub struct Placed {
    pub id: String,
    pub name: String,
    pub role: String,
    /// UTC milliseconds of its last word; `None`: never heard.
    pub heard: Option<i64>,
    /// What it is and how it does, where it has told.
    pub unit: Option<Unit>,
    pub proof: ProofState,
    /// Its own look at its sensors; `None`: it takes no such order.
    pub test: Option<SelfTest>,
    /// It does not yet hang there for the engine.
    pub waiting: bool,
}

/// A device as a thing: what it says of itself at its birth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// Model, version of its firmware, board: those that are known.
    pub is: Vec<String>,
    /// Why it last started, and UTC milliseconds since when.
    pub started: Option<(String, i64)>,
    /// Starts that nobody wanted, all kinds together.
    pub resets: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProofState {
    #[default]
    None,
    /// Asked for; the event has not come yet.
    Waiting,
    /// UTC milliseconds, and what proved it.
    Done(i64, String),
}

/// A node's own look at its sensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelfTest {
    Never,
    /// Asked for; it has not answered yet.
    Waiting,
    /// UTC milliseconds, and each sensor with its word: `ok`, or the fault.
    Done(i64, Vec<(String, String)>),
    /// It did not answer in time.
    Silent(i64),
}

impl SelfTest {
    /// Sensors that did not answer as they should.
    pub fn failed(&self) -> Vec<&(String, String)> {
        match self {
            SelfTest::Done(_, found) => found.iter().filter(|f| f.1 != "ok").collect(),
            _ => Vec::new(),
        }
    }
}

/// Firmware of nodes: what runs where, and what may be sent.
#[derive(Debug, Clone, Default)]
pub struct Firmware {
    pub nodes: Vec<FirmwareNode>,
    pub files: Vec<FirmwareFile>,
    pub rooms: Vec<(String, String)>,
    /// Who asked for the last push, and when.
    pub by: Option<(String, i64)>,
    /// A push is under way.
    pub busy: bool,
    pub notice: Option<String>,
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct FirmwareNode {
    pub device: String,
    pub room: String,
    pub board: String,
    pub version: String,
    pub heard: Option<i64>,
    /// How far the last push is with it: a word of the messages (`push-...`), and what the word is about: per cent, or the reason.
    pub stage: Option<(&'static str, String)>,
}

#[derive(Debug, Clone, Default)]
pub struct FirmwareFile {
    /// Its name in the data folder.
    pub image: String,
    pub board: String,
    /// Hardware revisions, as `1` or `1–2`.
    pub hardware: String,
    pub version: String,
    pub bytes: u64,
}

impl Placed {
    /// Whether something is awaited of it: the page fetches what has come.
    pub fn test_state(&self) -> &'static str {
        match self.test {
            Some(SelfTest::Waiting) => "testing",
            Some(SelfTest::Done(..) | SelfTest::Silent(_)) => "tested",
            _ => "",
        }
    }
    /// In a word: of the class, and of the button's message (`proofs-...`).
    pub fn state(&self) -> &'static str {
        match self.proof {
            ProofState::None => "open",
            ProofState::Waiting => "asked",
            ProofState::Done(..) => "done",
        }
    }
}

/// A device that was heard and hangs nowhere.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub id: String,
    pub name: String,
    pub model: String,
    pub quantities: Vec<String>,
    pub heard: Option<i64>,
    /// What it is probably for.
    pub role: &'static str,
}

/// Roles that may be chosen, in the order of the list.
pub const ROLES: [&str; 22] = [
    "climate",
    "door",
    "window",
    "smoke",
    "heat",
    "gas",
    "co",
    "panic",
    "camera",
    "occupancy",
    "water",
    "hot_water",
    "fridge",
    "thermometer",
    "uv_lamp",
    "uv_circulating",
    "siren",
    "beacon",
    "gas_valve",
    "power",
    "meter",
    "other",
];

/// What is proved and what is still to be.
#[derive(Debug, Clone, Default)]
pub struct Proofs {
    pub devices: Vec<(String, Placed)>,
    pub notice: Option<String>,
}

/// Things that a person confirms with a date.
#[derive(Debug, Clone, Default)]
pub struct Checklist {
    pub items: Vec<Item>,
    pub wrong: Option<String>,
    pub done: Option<String>,
}

pub const ITEMS: [&str; 6] = ["consent", "impact", "signs", "recorder", "viewing", "plan"];

#[derive(Debug, Clone, Default)]
pub struct Item {
    pub name: &'static str,
    /// As it was entered, e.g. 2026-11-22; empty: open.
    pub date: String,
    pub by: String,
    pub note: String,
}

/// What a site lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gap {
    pub place: String,
    /// `camera`, `climate`, `co2`, `contact`, `gas`, `smoke`, `panic`, `uplink`, `clock`: words of the messages.
    pub what: &'static str,
    pub clause: &'static str,
}

/// What the site lacks, and what it has.
#[derive(Debug, Clone, Default)]
pub struct Duty {
    pub gaps: Vec<Gap>,
    /// Obligations that are met, and all.
    pub met: usize,
    pub all: usize,
}

/// The commissioning report.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub site: String,
    pub district: String,
    pub street: String,
    pub classes: Vec<(String, String, Option<u16>, String)>,
    pub devices: Vec<(String, Placed)>,
    pub duty: Duty,
    pub items: Vec<Item>,
    pub hash: String,
    pub by: String,
    pub version: &'static str,
}

/// QR labels: what stands below, and the code as SVG of ours.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    pub labels: Vec<(String, String, String)>,
}

/// The site as one file.
#[derive(Debug, Clone, Default)]
pub struct SiteText {
    pub text: String,
    pub problems: Vec<String>,
    pub done: Option<String>,
}
