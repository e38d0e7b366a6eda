//! Evidence: the form that exports it, and the page that checks it.

/// Names of what can be wrong with a file.
pub const FAULTS: [&str; 19] = [
    "too-large",
    "foreign",
    "page",
    "newer",
    "list",
    "signature",
    "key",
    "altered",
    "time",
    "removed",
    "added",
    "moved",
    "cut",
    "trailing",
    "end",
    "content",
    "proof",
    "head",
    "witness",
];

/// What an incident's evidence is exported for.
#[derive(Debug, Clone, Default)]
pub struct Export {
    pub incident: String,
    pub title: String,
    pub name: String,
    pub purpose: String,
    /// With the blurred pictures.
    pub pictures: bool,
    /// The site's key, to be compared by eye.
    pub key: String,
    pub name_error: Option<String>,
    pub purpose_error: Option<String>,
}

/// The district's page.
#[derive(Debug, Clone, Default)]
pub struct Check {
    /// Fingerprint of the district's own key.
    pub key: String,
    pub verdict: Option<Verdict>,
    pub logs: Vec<Witnessed>,
}

/// What came of a file.
#[derive(Debug, Clone)]
pub enum Verdict {
    Whole(Proven),
    Changed(Vec<Fault>),
}

#[derive(Debug, Clone)]
pub struct Fault {
    /// One of [`FAULTS`].
    pub code: &'static str,
    /// The record that it is about.
    pub detail: Option<String>,
    /// The verifier's own words.
    pub says: String,
}

/// Whether the file's key is the site's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// The district has countersigned this log with this key.
    Known,
    /// It has countersigned this log with another key.
    Another,
    /// It has never seen this log.
    Unknown,
}

impl KeyState {
    pub const NAMES: [&str; 3] = ["known", "another", "unknown"];
    pub fn name(self) -> &'static str {
        match self {
            KeyState::Known => "known",
            KeyState::Another => "another",
            KeyState::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Proven {
    pub site: String,
    pub incident: String,
    pub events: u64,
    /// Of these, how many this district has witnessed.
    pub witnessed: u64,
    pub records: u64,
    pub made_at: i64,
    pub made_by: String,
    pub purpose: String,
    pub fingerprint: String,
    pub key: KeyState,
}

/// A site's log as the district has seen it.
#[derive(Debug, Clone)]
pub struct Witnessed {
    pub site: String,
    pub records: u64,
    /// UTC milliseconds.
    pub at: i64,
    pub key: String,
    /// Why a later head was not countersigned, and when.
    pub trouble: Option<(String, i64)>,
}
