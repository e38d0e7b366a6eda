//! What the pages of alarm quality show. Shares are 0 to 1, lengths of time milliseconds.
use crate::lang::Text;
use tuoan_protocol::{Fixed, Quantity, Severity};

/// A period's figures, what to do about them, and what the period before was like.
#[derive(Debug, Clone)]
pub struct Quality {
    /// UTC milliseconds.
    pub from: i64,
    pub to: i64,
    /// There is a record from then on, where that is later than `from`.
    pub recorded_from: Option<i64>,
    pub figures: Figures,
    /// The period of equal length before.
    pub previous: Option<Figures>,
    /// Worst first.
    pub actors: Vec<Actor>,
    pub actors_share: f64,
    pub days: Vec<Day>,
    pub hours: [u64; 24],
    pub floods: Vec<Flood>,
    pub stale: Vec<Stale>,
    /// Of rules with incidents, most false first.
    pub rules: Vec<RuleShare>,
    /// By severity, those without incidents left out.
    pub times: Vec<Times>,
    pub late: Vec<Late>,
    pub apart: Apart,
    /// Suggestions are being tried.
    pub trying: bool,
    /// More happened than is shown.
    pub incomplete: bool,
    pub clock_doubt: u64,
}

/// Figures that are compared from week to week.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    pub alarms: u64,
    pub per_day: f64,
    pub per_hour: f64,
    pub by_severity: [u64; 4],
    /// Most alarms in ten minutes.
    pub peak: u64,
    pub floods: u64,
    pub flood_share: f64,
    pub chattering: u64,
    pub stale: u64,
    pub incidents: u64,
    pub judged: u64,
    pub wrong: u64,
    /// Answers that came too late, or not at all, and all that were asked for: taking note, handling.
    pub late: u64,
    pub asked: u64,
}

impl Figures {
    pub fn unjudged(&self) -> u64 {
        self.incidents.saturating_sub(self.judged)
    }
    pub fn false_share(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.wrong as f64 / self.judged as f64)
    }
}

/// A rule at one place.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Id; empty link when this gateway has no such rule.
    pub rule: String,
    pub known: bool,
    pub hazard: String,
    pub title: Text,
    pub severity: Severity,
    pub place: String,
    pub device: Option<String>,
    pub alarms: u64,
    pub share: f64,
    pub chatter: u64,
    pub held_back: u64,
    pub stale: u64,
    pub judged: u64,
    pub wrong: u64,
    pub advice: Advice,
    pub trial: Trial,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Advice {
    Adjust(Vec<Step>),
    /// `place`, `link`, `battery`, `value` or `test`.
    Sensor(&'static str),
    Cause,
    Nothing,
    /// Not known.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Hold { from: i64, to: i64 },
    Bound { name: &'static str, quantity: Quantity, from: Fixed, to: Fixed },
}

/// Alarms a week, as the history has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Trial {
    None,
    Pending,
    Done { before: f64, after: f64, days: f64, short: bool },
    TooShort(f64),
    OutOfTime,
    Failed(String),
}

#[derive(Debug, Clone)]
pub struct Day {
    /// "2026-11-22".
    pub date: String,
    pub alarms: u64,
    /// Of severity 1 and 2.
    pub urgent: u64,
}

#[derive(Debug, Clone)]
pub struct Flood {
    pub from: i64,
    pub to: i64,
    pub alarms: u64,
    pub peak: u64,
}

#[derive(Debug, Clone)]
pub struct Stale {
    pub incident: String,
    pub hazard: String,
    pub title: Text,
    pub place: String,
    pub since: i64,
    /// `None`: still active at the end.
    pub until: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct RuleShare {
    pub hazard: String,
    pub title: Text,
    pub incidents: u64,
    pub judged: u64,
    pub wrong: u64,
}

impl RuleShare {
    pub fn false_share(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.wrong as f64 / self.judged as f64)
    }
}

/// Answers to incidents of one severity.
#[derive(Debug, Clone)]
pub struct Times {
    pub severity: Severity,
    pub acknowledge: Span,
    pub handle: Span,
}

impl Times {
    /// Each with the part of a message key that names it.
    pub fn rows(&self) -> [(&Span, &'static str); 2] {
        [(&self.acknowledge, "acknowledge"), (&self.handle, "handle")]
    }
}

#[derive(Debug, Clone, Default)]
pub struct Span {
    pub target: Option<i64>,
    pub answered: u64,
    pub median: Option<i64>,
    pub p90: Option<i64>,
    pub within: u64,
    /// Of which it is known whether the target was kept.
    pub judged: u64,
}

impl Span {
    pub fn share(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.within as f64 / self.judged as f64)
    }
}

#[derive(Debug, Clone)]
pub struct Late {
    pub incident: String,
    pub hazard: String,
    pub title: Text,
    pub place: String,
    pub severity: Severity,
    pub opened_at: i64,
    /// Handling; otherwise taking note.
    pub handling: bool,
    pub took: i64,
    pub target: i64,
    pub done: bool,
}

/// What is no alarm, or called nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Apart {
    pub drills: u64,
    pub canaries: u64,
    pub tests: u64,
    pub shelved: u64,
    pub suppressed: u64,
    pub out_of_service: u64,
    pub unannounced: u64,
    pub held_back: u64,
    pub gathered: u64,
    pub merged: u64,
}

/// The page: a period of the last days.
#[derive(Debug, Clone)]
pub struct QualityPage {
    pub quality: Quality,
    /// Days of the period, and those that can be chosen.
    pub days: u64,
    pub choices: [u64; 2],
    /// The last whole week, "2026-W47".
    pub week: String,
}

/// The weekly report on paper.
#[derive(Debug, Clone)]
pub struct ReportPage {
    pub quality: Quality,
    pub site: String,
    pub week: String,
    /// First and last day, "2026-11-16".
    pub first: String,
    pub last: String,
    pub before: String,
    /// `None`: the week after has not ended.
    pub after: Option<String>,
}
