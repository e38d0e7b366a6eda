//! What the pages of rules show.
use super::Notice;
use crate::lang::Text;
use tuoan_protocol::{Basis, Fixed, Quantity, Severity};

/// All rules, by hazard.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub groups: Vec<Group>,
    /// Rules that this site has changed.
    pub changed: u64,
    pub total: u64,
    pub notice: Option<Notice>,
}

#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Id in the hazard catalogue.
    pub hazard: String,
    pub rules: Vec<Card>,
}

/// One rule as it holds.
#[derive(Debug, Clone)]
pub struct Card {
    pub id: String,
    pub title: Text,
    pub severity: Severity,
    pub basis: Basis,
    pub says: Says,
    /// Standard and clause.
    pub clause: String,
    /// Someone has checked the clause against the standard.
    pub verified: bool,
    pub change: Option<Change>,
}

/// What this site has changed about it.
#[derive(Debug, Clone)]
pub struct Change {
    /// `coming`, `in_force` or `expired`.
    pub state: &'static str,
    pub off: bool,
    /// As it would be without.
    pub before: Says,
    pub severity_before: Severity,
    pub reason: String,
    pub author: String,
    /// Local days, "2026-11-22".
    pub from: String,
    pub expires: String,
    /// Set on this page, and so to be ended here.
    pub by_page: bool,
}

/// The figures of a rule, to be said in a sentence. Times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Says {
    /// The packs' word for how it decides: `threshold`, `mean` ...
    pub kind: String,
    pub quantity: Option<Quantity>,
    /// State: the value that is the hazard.
    pub is: Option<Fixed>,
    pub above: Option<Fixed>,
    pub at_least: Option<Fixed>,
    pub below: Option<Fixed>,
    pub at_most: Option<Fixed>,
    pub rise: Option<Fixed>,
    pub window: i64,
    pub hold: i64,
    pub missed: u8,
    pub every: i64,
    pub occupied: Option<bool>,
    /// Empty: always, everywhere.
    pub phases: Vec<&'static str>,
    pub months: Vec<u8>,
    pub zones: Vec<&'static str>,
    pub floor_min: Option<i8>,
}

/// One rule and the form that changes it.
#[derive(Debug, Clone)]
pub struct RulePage {
    pub card: Card,
    pub advice: Text,
    pub pack: String,
    pub form: Form,
    /// A trial of this rule is under way or has a result.
    pub trial: bool,
    pub notice: Option<Notice>,
}

/// What was typed, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// Severity 1: cannot be switched off or lowered, and made looser only by a little.
    pub emergency: bool,
    pub enabled: bool,
    pub bounds: Vec<Bound>,
    /// `None`: the rule has no hold time.
    pub hold: Option<Span>,
    pub severity: u8,
    pub reason: String,
    pub author: String,
    /// "2026-12-22".
    pub expires: String,
    pub reason_error: Option<String>,
    pub author_error: Option<String>,
    pub expires_error: Option<String>,
    /// Wrong as a whole.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Bound {
    /// `above`, `at_least` ...
    pub name: &'static str,
    pub quantity: Option<Quantity>,
    pub value: String,
    /// The rule's own, as it would be typed.
    pub own: String,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Span {
    pub value: String,
    /// `s`, `m` or `h`.
    pub unit: String,
    /// The rule's own, in milliseconds.
    pub own: i64,
    pub error: Option<String>,
}

/// A change tried on the site's own history.
#[derive(Debug, Clone)]
pub struct TrialPage {
    pub card: Card,
    /// As it would be.
    pub after: Says,
    pub off: bool,
    pub severity_after: Severity,
    pub reason: String,
    pub author: String,
    pub expires: String,
    /// Names this trial, so that what is switched on is what was tried.
    pub token: String,
    pub state: Trial,
}

impl TrialPage {
    pub fn is_running(&self) -> bool {
        matches!(self.state, Trial::Running(_))
    }
}

#[derive(Debug, Clone)]
pub enum Trial {
    /// Per cent done.
    Running(u8),
    /// Of another rule; only one runs at a time.
    Busy {
        rule: String,
        by: String,
    },
    Stopped,
    Failed(String),
    Done(Box<Outcome>),
}

/// What the history says.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub from: i64,
    pub to: i64,
    pub days: f64,
    pub doubts: Vec<Doubt>,
    /// Devices that the rule looks at.
    pub devices: u64,
    pub before: Option<Figures>,
    pub after: Option<Figures>,
    pub offenders: Vec<Offender>,
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone)]
pub enum Doubt {
    /// So few days.
    Short(f64),
    /// Per cent of the hours in which anything was heard.
    Sparse(u64),
    NoDevice,
    /// Per cent of the hours in which its quantity was heard.
    Unheard(u64),
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    pub incidents: u64,
    pub activations: u64,
    pub per_week: f64,
    pub low: f64,
    pub high: f64,
    /// Milliseconds in which it held.
    pub active_ms: i64,
}

#[derive(Debug, Clone)]
pub struct Offender {
    pub place: String,
    pub device: Option<String>,
    pub activations: u64,
    pub active_ms: i64,
}

#[derive(Debug, Clone)]
pub struct Example {
    pub at: i64,
    pub place: String,
    pub device: Option<String>,
    pub reading: Option<(Quantity, Fixed)>,
}
