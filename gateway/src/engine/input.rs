//! What the engine is told. The input log is these, in one total order; each has a position, 1 the first.
use super::rules::Override;
use super::site::Site;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tuoan_protocol::{CauseCode, DeviceId, EventKind, Fixed, HazardId, IncidentId, LogId, Presence, Quantity, Via, ZoneId};
use tuoan_vision::setup::Camera;

/// Engine time: milliseconds, starting as UTC when the log was created, never going back, advancing with the machine's monotonic clock and
/// persisted. UTC is engine time plus the offset that the last [`Body::Clock`] gave.
pub type EngineMs = i64;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// When it arrived. Never less than the input's before it.
    pub at: EngineMs,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// First input of every log, and again whenever the site file or a rule pack changes.
    Configure(Box<Configuration>),
    /// The daemon has started. It was not listening since `down_from`: silence in between proves nothing.
    Started {
        down_from: EngineMs,
    },
    /// UTC = engine time + offset. Logged at start and whenever it steps by more than a second or its trust changes.
    Clock {
        offset_ms: i64,
        trusted: bool,
    },
    /// Readings, events or presence of one device, from one MQTT message.
    Message(Message),
    /// Devices that a bridge or a birth message describes.
    Inventory(Vec<DeviceInfo>),
    Command(Command),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    pub log: LogId,
    pub site: Site,
    /// Rule packs as TOML text, in order of their names.
    pub rules: Vec<String>,
    /// SHA-256 over the canonical site and the rule packs.
    pub hash: [u8; 32],
    /// Those of the site's overrides that were set while the gateway ran, not by its file: a start with the file alone keeps them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Override>,
    /// Cameras that were set up on their pages while the gateway ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<SetCamera>,
}

/// A camera's set-up that was drawn on its page, and what the site file said of it then: when the file says something else later, the file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetCamera {
    pub camera: Camera,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<Camera>,
}

impl Configuration {
    /// Puts the packs in order of their names and computes the hash: SHA-256 over the length and bytes of the canonical site, then of each pack.
    pub fn new(log: LogId, site: Site, mut rules: Vec<String>) -> Configuration {
        rules.sort_by_cached_key(|text| (super::rules::parse::name_of(text), text.clone()));
        let canonical = minicbor_serde::to_vec(&site).unwrap_or_default();
        let mut hash = Sha256::new();
        for part in std::iter::once(canonical.as_slice()).chain(rules.iter().map(String::as_bytes)) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Configuration { log, site, rules, hash: hash.finalize().into(), set: Vec::new(), cameras: Vec::new() }
    }

    /// The same with those overrides set beside the file's; of one rule they take the place of the file's.
    pub fn with_set(self, set: Vec<Override>) -> Configuration {
        let Configuration { log, mut site, rules, cameras, .. } = self;
        site.overrides.retain(|o| set.iter().all(|s| s.rule != o.rule));
        site.overrides.extend(set.iter().cloned());
        Configuration { set, cameras, ..Configuration::new(log, site, rules) }
    }

    /// The same with those cameras set up so, in the place of what the file says of them.
    pub fn with_cameras(self, cameras: Vec<SetCamera>) -> Configuration {
        let Configuration { log, mut site, rules, set, .. } = self;
        for new in cameras.iter().map(|c| &c.camera) {
            match site.cameras.iter_mut().find(|c| c.device == new.device) {
                Some(old) => old.clone_from(new),
                None => site.cameras.push(new.clone()),
            }
        }
        Configuration { set, cameras, ..Configuration::new(log, site, rules) }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub device: DeviceId,
    /// Where (boot, seq) are given, a repeat of (device, boot, seq) is dropped.
    pub boot: Option<u64>,
    pub seq: Option<u64>,
    /// UTC milliseconds by the device's clock, where it has one.
    pub sampled_at: Option<i64>,
    pub retained: bool,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Item {
    Reading {
        quantity: Quantity,
        channel: u8,
        value: Fixed,
    },
    /// What the device said of a quantity holds no longer: it cannot tell now (its camera is covered). What it said last is not believed any more,
    /// and is not taken for its opposite.
    Unknown {
        quantity: Quantity,
        channel: u8,
    },
    Event {
        kind: EventKind,
        command: Option<u64>,
    },
    Presence(Presence),
}

impl Item {
    pub fn quantity_name(&self) -> Option<&str> {
        match self {
            Item::Reading { quantity, .. } | Item::Unknown { quantity, .. } => Some(quantity.name()),
            Item::Event { .. } | Item::Presence(_) => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DeviceInfo {
    pub device: Option<DeviceId>,
    /// Name given by its owner, e.g. Zigbee2MQTT's friendly name.
    pub name: Option<String>,
    pub make: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    /// Board and revision, and the number of its chip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
    /// The start that its birth tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// Promised period between messages, in seconds.
    pub period_s: Option<u32>,
    /// What it can report, where its convention announces that before it speaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantities: Vec<Quantity>,
    /// Through which other device it is heard (coordinator, bridge, hub, recorder): when that is gone, this one's silence is no news of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<DeviceId>,
    /// Announced as removed.
    pub removed: bool,
}

/// A device's start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Start {
    /// Its number: the same while it runs, whatever becomes of its connections.
    pub boot: u64,
    /// Why, in the device's words: `power_on`, `restart`, `watchdog`, `panic session.rs:120`.
    pub reason: Option<String>,
}

/// What a person (or an authorised program) asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Who, as shown on the timeline.
    pub actor: String,
    /// By what way it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Action {
    Acknowledge {
        incident: IncidentId,
        note: Option<String>,
    },
    /// 已清场: the carer has looked; clears left.behind, which no sensor may clear.
    RoomSwept {
        zone: ZoneId,
    },
    /// 报告疑虑: opens concern.report at once.
    ReportConcern {
        zone: ZoneId,
        note: String,
    },
    /// 晨检: one child's, or a whole class's that is well.
    MorningCheck(Check),
    /// Ends an alarm that waits for a person; the reason is required.
    CancelPanic {
        incident: IncidentId,
        reason: String,
    },
    Comment {
        incident: IncidentId,
        text: String,
    },
    /// Somebody has it in hand; the id of a person of the site, or a name.
    Assign {
        incident: IncidentId,
        to: String,
    },
    /// Told to nobody for so many minutes: see [`super::standing::shelve_limit`].
    Shelve {
        incident: IncidentId,
        minutes: u32,
        reason: String,
    },
    Unshelve {
        incident: IncidentId,
    },
    /// It is handled, and this is what it was. Of a closed incident: what it was.
    Resolve {
        incident: IncidentId,
        cause: CauseCode,
        note: Option<String>,
    },
    /// It is not handled after all.
    Reopen {
        incident: IncidentId,
        reason: String,
    },
    /// `part` goes on as part of `whole`.
    Merge {
        part: IncidentId,
        whole: IncidentId,
        reason: String,
    },
    /// The zone is under maintenance for so many minutes.
    Maintain {
        zone: ZoneId,
        minutes: u32,
        reason: String,
    },
    MaintainEnd {
        zone: ZoneId,
    },
    OutOfService {
        device: DeviceId,
        minutes: u32,
        reason: String,
    },
    InService {
        device: DeviceId,
    },
    /// The device [`super::standing::DRILL_PREFIX`] and the zone may stage that hazard for so many minutes.
    Drill {
        hazard: HazardId,
        zone: ZoneId,
        minutes: u32,
    },
    DrillEnd,
    /// 调试 for so many minutes: see [`super::commissioning`].
    Commission {
        minutes: u32,
    },
    CommissionEnd,
    /// What that device says is a test until its proof is over.
    Prove {
        device: DeviceId,
    },
    /// It has proved itself.
    Proven {
        device: DeviceId,
    },
    /// Something was done with cameras' pictures: it stands in the log, and nothing follows from it.
    Pictures(PictureDeed),
}

/// What was done with pictures, and why. Whoever did it is the command's actor; the gateway itself is `tuoan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureDeed {
    pub what: PictureAct,
    pub camera: Option<DeviceId>,
    pub incident: Option<IncidentId>,
    /// In the person's words; required.
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureAct {
    /// Leave to watch a camera's blurred picture for ten minutes.
    Watch,
    WatchEnded,
    /// Leave to see an incident's originals for ten minutes.
    Open,
    /// An incident's originals are kept until they are released.
    Hold,
    Release,
    /// An incident's originals are deleted: their time is over, or the room is needed.
    Delete,
    /// A camera's areas or calibration are set.
    SetUp,
    /// An incident's evidence is exported, with or without its blurred stills.
    Export,
}

impl PictureAct {
    /// As it stands in tables and message files.
    pub fn name(self) -> &'static str {
        match self {
            PictureAct::Watch => "watch",
            PictureAct::WatchEnded => "watch_ended",
            PictureAct::Open => "open",
            PictureAct::Hold => "hold",
            PictureAct::Release => "release",
            PictureAct::Delete => "delete",
            PictureAct::SetUp => "set_up",
            PictureAct::Export => "export",
        }
    }
}

/// A morning check entered by hand.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Check {
    /// Id of the class.
    pub class: String,
    /// Body temperature, where it was taken.
    pub temperature: Option<Fixed>,
    pub symptoms: Vec<Symptom>,
    /// A code that only the nursery can resolve, never a name. It does not leave the box.
    pub child: Option<String>,
    /// The second look at the same child.
    pub recheck: bool,
}

impl Check {
    /// Bytes of a child's code.
    pub const MAX_CHILD: usize = 12;
    /// Hundredths of a degree that a body may have.
    pub const BODY: std::ops::RangeInclusive<i64> = 3000..=4500;

    /// Whether that may stand for a child: letters and digits, so that a name does not fit in.
    pub fn is_code(text: &str) -> bool {
        !text.is_empty() && text.len() <= Self::MAX_CHILD && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    }
}

/// What the morning check looks for (一摸二看三问四查). Numbers are kept in snapshots: append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Symptom {
    Fever = 0,
    Cough = 1,
    Vomiting = 2,
    Diarrhoea = 3,
    Rash = 4,
    /// 手、口疱疹: hand, foot and mouth disease.
    Blisters = 5,
    RedEyes = 6,
    /// 腮腺肿大: mumps.
    SwollenCheeks = 7,
}

impl Symptom {
    pub const ALL: [Symptom; 8] = [
        Symptom::Fever,
        Symptom::Cough,
        Symptom::Vomiting,
        Symptom::Diarrhoea,
        Symptom::Rash,
        Symptom::Blisters,
        Symptom::RedEyes,
        Symptom::SwollenCheeks,
    ];
    /// Name in forms and logs.
    pub fn name(self) -> &'static str {
        match self {
            Symptom::Fever => "fever",
            Symptom::Cough => "cough",
            Symptom::Vomiting => "vomiting",
            Symptom::Diarrhoea => "diarrhoea",
            Symptom::Rash => "rash",
            Symptom::Blisters => "blisters",
            Symptom::RedEyes => "red_eyes",
            Symptom::SwollenCheeks => "swollen_cheeks",
        }
    }
}
