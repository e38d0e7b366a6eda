//! Cameras and their pictures, as the gateway's pages show them.
use super::Notice;
use tuoan_protocol::Quantity;

/// All cameras.
#[derive(Debug, Clone, Default)]
pub struct Cameras {
    pub version: u64,
    pub cameras: Vec<Camera>,
    pub notice: Option<Notice>,
}

#[derive(Debug, Clone, Default)]
pub struct Camera {
    pub id: String,
    pub name: String,
    /// Names of the zones that it shows, its own first.
    pub zones: Vec<String>,
    /// What it shows can be gone by.
    pub live: bool,
    /// UTC milliseconds of the newest frame; `None`: none since the start.
    pub newest: Option<i64>,
    /// In which ways it does not see, and since when.
    pub blind: Vec<(Quantity, i64)>,
    /// Frames a second: that come, that are looked at, that it is set up for.
    pub rate: f32,
    pub looked: f32,
    pub wanted: f32,
    /// Milliseconds within which half of the looks, and 95 in a hundred, were done.
    pub lag: Option<(u32, u32)>,
    /// Least, likeliest, most.
    pub people: (u16, u16, u16),
    pub at_least: bool,
    /// Heights can be told: the rules about children hold.
    pub calibrated: bool,
    pub areas: u64,
    pub watchers: u64,
}

/// One camera's page.
#[derive(Debug, Clone, Default)]
pub struct CameraPage {
    pub camera: Camera,
    pub watch: Watch,
    pub ask: Ask,
    /// Areas as JSON: `[{"kind","zone","corners":[[x,y],..]},..]`, in thousandths of the picture.
    pub areas: String,
    /// Calibration as JSON, as in the site file; `null` without one.
    pub floor: String,
    /// Zones that an area may belong to: id and name.
    pub zones: Vec<(String, String)>,
    /// The `[[cameras]]` table for the site file.
    pub toml: String,
    pub deeds: Vec<Deed>,
    /// What is wrong with the set-up that was sent: our sentence, and what exactly.
    pub wrong: Option<(String, String)>,
    pub notice: Option<Notice>,
}

impl CameraPage {
    /// Where the form that asks for leave goes.
    pub fn action(&self) -> String {
        format!("/cameras/{}/watch", path_part(&self.camera.id))
    }
}

impl Pictures {
    pub fn action(&self) -> String {
        format!("/incidents/{}/pictures", path_part(&self.incident))
    }
}

/// As a part of a path: what is neither letter, digit nor one of `-._~` is percent-encoded.
fn path_part(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Whether this session may see pictures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Watch {
    /// The configuration forbids it, or nothing is kept.
    Off,
    /// On asking.
    #[default]
    Ask,
    /// Milliseconds left, and why it was asked.
    Running { left: i64, reason: String },
}

/// The form that asks for leave to see pictures.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// One of [`REASONS`].
    pub reason: String,
    pub note: String,
    pub name: String,
    pub reason_error: Option<String>,
    pub name_error: Option<String>,
    pub password_error: Option<String>,
    /// Pictures have a password of their own: the login's does not open them.
    pub own_password: bool,
}

/// Why a picture may be looked at.
pub const REASONS: [&str; 4] = ["set_up", "check", "repair", "authority"];
/// Kinds of areas, as the site file has them.
pub const AREAS: [&str; 8] = ["room", "exit", "bed", "window", "stairs", "kitchen", "escape", "ignore"];

/// Something that was done with pictures, from the log.
#[derive(Debug, Clone, Default)]
pub struct Deed {
    pub at: i64,
    pub actor: String,
    /// `watch`, `open`, ...
    pub what: String,
    pub reason: String,
}

/// What is kept of an incident in pictures.
#[derive(Debug, Clone, Default)]
pub struct Pictures {
    pub incident: String,
    /// The incident in a sentence.
    pub title: String,
    pub place: String,
    pub kept: Kept,
    pub watch: Watch,
    pub ask: Ask,
    pub deeds: Vec<Deed>,
    pub notice: Option<Notice>,
}

/// Pictures in order of time: of each the file, its number in there, and when it came.
pub type Film = Vec<(u32, u32, i64)>;

#[derive(Debug, Clone, Default)]
pub enum Kept {
    #[default]
    Nothing,
    /// It does not open: what is wrong.
    Damaged(String),
    Here {
        /// By camera: its name, and its pictures.
        cameras: Vec<(String, Film)>,
        pictures: u64,
        opened_at: i64,
        complete: bool,
        cut_short: bool,
        held: bool,
    },
}
