//! Incidents searched for. Times are UTC milliseconds.
use super::Incident;

/// What was asked and what was found.
#[derive(Debug, Clone, Default)]
pub struct SearchPage {
    pub asked: Asked,
    /// Id and name.
    pub zones: Vec<(String, String)>,
    /// Ids in the catalogue.
    pub hazards: Vec<String>,
    /// Id and name.
    pub people: Vec<(String, String)>,
    pub found: Vec<Found>,
    /// The last line, where there is more: the next page begins after it.
    pub next: Option<String>,
    /// What is wrong with a date.
    pub error: Option<String>,
}

/// The form, as it was filled in: empty fields ask nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    pub zone: String,
    pub hazard: String,
    pub severity: String,
    pub person: String,
    /// Local dates, both included.
    pub from: String,
    pub to: String,
    pub late: bool,
}

impl Asked {
    pub fn is_empty(&self) -> bool {
        *self == Asked::default()
    }
}

/// One incident as a line.
#[derive(Debug, Clone)]
pub struct Found {
    pub incident: Incident,
    /// When somebody took note, and when it was said to be handled.
    pub noted_at: Option<i64>,
    pub handled_at: Option<i64>,
    pub late: bool,
}
