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
    /// New logs and keys that a supervisor must accept first.
    pub waiting: Vec<Waiting>,
    /// Those that were accepted, the newest first.
    pub accepted: Vec<Accepted>,
    /// Who is acting, if the session knows.
    pub name: String,
    /// What was missing when one was accepted.
    pub error: Option<String>,
}

/// A site's log or key that is new where it had another.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Id and name of the site.
    pub site: String,
    pub name: String,
    pub log: String,
    /// In hexadecimal digits, and to be compared by eye.
    pub key: String,
    pub fingerprint: String,
    /// The log is known, and only its key is new.
    pub known_log: bool,
    pub records: u64,
    /// UTC milliseconds.
    pub at: i64,
}

/// The word of a supervisor.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub name: String,
    pub fingerprint: String,
    pub known_log: bool,
    /// UTC milliseconds.
    pub at: i64,
    pub actor: String,
    pub reason: String,
}

/// The institution's page: how far its log is witnessed.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    pub log: String,
    /// Records of the log now, and its root, in hexadecimal digits.
    pub records: u64,
    pub root: String,
    /// The site's key.
    pub key: String,
    /// There is a platform that this gateway tells.
    pub district: bool,
    pub seen: Option<Seen>,
    /// Why the district does not countersign.
    pub refused: Option<String>,
}

/// The newest head that the district has countersigned.
#[derive(Debug, Clone)]
pub struct Seen {
    pub records: u64,
    /// UTC milliseconds by the district's clock.
    pub at: i64,
    /// The district's key.
    pub key: String,
}

impl Witness {
    /// Records that rest on the institution's word alone.
    pub fn behind(&self) -> u64 {
        self.records.saturating_sub(self.seen.as_ref().map_or(0, |s| s.records))
    }
    /// Every record is witnessed.
    pub fn is_whole(&self) -> bool {
        self.refused.is_none() && self.seen.is_some() && self.behind() == 0
    }
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
    /// Minutes watched, watched in part, and blind where it happened while it lasted; `None`: no enclosed day of the ledger tells.
    pub coverage: Option<(u64, u64, u64)>,
}

/// A site's log as the district has seen it.
#[derive(Debug, Clone)]
pub struct Witnessed {
    pub site: String,
    /// Of two logs of a site, which.
    pub log: String,
    pub records: u64,
    /// UTC milliseconds.
    pub at: i64,
    pub key: String,
    /// Why a later head was not countersigned, and when.
    pub trouble: Option<(String, i64)>,
}
