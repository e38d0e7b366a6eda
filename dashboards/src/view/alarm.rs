//! The life cycle of an alarm on pages: who has it, why it is told to nobody, what a person may do, and who knew of it when. Times are UTC milliseconds.
use super::Incident;
use crate::lang::Text;
use tuoan_protocol::{CauseCode, Rung};

/// What an incident's state word leaves open.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// Who has it in hand, by name.
    pub assignee: Option<String>,
    /// What it turned out to be, once somebody has said that it is handled.
    pub resolved: Option<CauseCode>,
    /// Is only counted while it comes and goes.
    pub chattering: bool,
    /// Staged for practice: must be seen as such everywhere.
    pub drill: bool,
    /// It is told to nobody at present, by whose word and until when.
    pub aside: Option<Until>,
}

/// Who set something aside, why, and when that ends by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Until {
    pub until: i64,
    pub by: String,
    pub why: String,
}

/// Something that is told to nobody for a while.
#[derive(Debug, Clone, Default)]
pub struct Aside {
    /// `alarm`, `zone` or `device`.
    pub kind: &'static str,
    /// Of an alarm: its hazard in the catalogue.
    pub hazard: Option<String>,
    /// Name of the zone or device.
    pub what: String,
    pub since: i64,
    pub until: Until,
    /// Where the form that ends it goes; `None`: only time ends it.
    pub end: Option<String>,
}

/// A drill under way.
#[derive(Debug, Clone, Default)]
pub struct Drill {
    pub hazard: String,
    pub place: String,
    pub since: i64,
    pub until: i64,
    pub by: String,
}

/// A channel to people.
#[derive(Debug, Clone, Default)]
pub struct ChannelLine {
    pub name: String,
    pub waiting: u64,
    /// Why its last message did not go, and since when that is so.
    pub failing: Option<(String, i64)>,
}

/// One action of a person, as a form with what was typed. Which fields it has follows from its kind.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// `take`, `acknowledge`, `resolve`, `cause`, `comment`, `assign`, `shelve`, `unshelve`, `merge`, `reopen`, `maintain`, `maintain_end`, `out`, `in`.
    pub kind: &'static str,
    /// Where it goes, and where it leads back to.
    pub action: String,
    pub back: String,
    /// What it is about, where the form stands by itself.
    pub about: String,
    /// Minutes to choose from.
    pub choices: Vec<u32>,
    /// People to choose from: id and name.
    pub people: Vec<(String, String)>,
    /// Incidents to choose from: id and what it is.
    pub others: Vec<(String, Text)>,
    pub note: String,
    pub minutes: String,
    pub to: String,
    pub to_name: String,
    pub cause: String,
    pub whole: String,
    /// The field that is wrong (`note`, `minutes`, `to`, `cause`, `whole`; empty: all of it) and how to mend it.
    pub error: Option<(&'static str, String)>,
}

/// Names of the causes, as forms and message files have them.
pub const CAUSES: [&str; 4] = ["real", "false", "test", "maintenance"];
/// Kinds of forms.
pub const FORMS: [&str; 17] = [
    "take",
    "acknowledge",
    "resolve",
    "cause",
    "comment",
    "assign",
    "shelve",
    "unshelve",
    "merge",
    "reopen",
    "hold",
    "release",
    "maintain",
    "maintain_end",
    "out",
    "in",
    "drill_end",
];

pub fn cause_name(c: CauseCode) -> &'static str {
    match c {
        CauseCode::Real => "real",
        CauseCode::False => "false",
        CauseCode::Test => "test",
        CauseCode::Maintenance => "maintenance",
    }
}

pub fn rung_name(r: Rung) -> &'static str {
    match r {
        Rung::Carer => "carer",
        Rung::Director => "director",
        Rung::Deputy => "deputy",
        Rung::District => "district",
    }
}

impl Form {
    pub fn wrong(&self, field: &str) -> bool {
        self.error.as_ref().is_some_and(|e| e.0 == field)
    }
    /// Has fields to fill in, and a page of its own where there are many of its kind.
    pub fn is_long(&self) -> bool {
        !self.choices.is_empty()
    }
    pub fn asks_causes(&self) -> bool {
        matches!(self.kind, "resolve" | "cause")
    }
    /// Whether there is a line to write: `Some(true)`, it must be filled in.
    pub fn asks_note(&self) -> Option<bool> {
        match self.kind {
            "shelve" | "reopen" | "merge" | "hold" | "release" | "maintain" | "out" | "comment" => Some(true),
            "resolve" | "cause" | "acknowledge" => Some(false),
            _ => None,
        }
    }
    /// An id that no other form of a page has.
    pub fn id(&self) -> String {
        self.action.trim_start_matches('/').replace('/', "-")
    }
}

/// Who knew of an incident, and when.
#[derive(Debug, Clone, Default)]
pub struct Receipts {
    /// When it was found: delays count from here.
    pub found: i64,
    /// `stored`, or the name of a sink; `None`: not yet.
    pub steps: Vec<Step>,
    pub recipients: Vec<Recipient>,
    /// There are channels to people at all.
    pub channels: bool,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub what: String,
    pub at: Option<i64>,
    pub late: bool,
}

/// One person, or the groups that are told as a whole, by one channel.
#[derive(Debug, Clone, Default)]
pub struct Recipient {
    /// `None`: the groups.
    pub name: Option<String>,
    /// `carer`, `director`, `deputy`, `district`.
    pub rung: &'static str,
    /// Name of the channel, once one has dealt with it.
    pub channel: Option<String>,
    /// When they were to be told.
    pub asked: i64,
    /// `waiting`, `quiet`, `trying`, `sent`, `digest`, `refused`, `moot`.
    pub state: &'static str,
    /// When it came to that; of `quiet`, when the quiet hours end.
    pub at: Option<i64>,
    /// Why it was refused or failed last.
    pub why: Option<String>,
    /// Told so many times more.
    pub again: u64,
    pub seen: Option<i64>,
    pub taken: Option<i64>,
    pub handled: Option<i64>,
    pub late: bool,
}

impl Recipient {
    pub fn has_arrived(&self) -> bool {
        matches!(self.state, "sent" | "digest")
    }
}

/// The page behind a link in a message.
#[derive(Debug, Clone)]
pub struct LinkPage {
    pub token: String,
    pub incident: Incident,
    /// Who was told; `None`: a group, and whoever takes it says their name.
    pub person: Option<String>,
    pub seen: Option<i64>,
    /// `seen`, `taken`: what has just been done.
    pub done: Option<&'static str>,
    /// The link says "I take it".
    pub take: bool,
    pub name: String,
    pub error: Option<String>,
}

/// Why a link leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOver {
    Unknown,
    Expired,
    /// The incident is closed, or goes on as part of another.
    Closed,
    /// Too many tries.
    Locked,
}

impl LinkOver {
    pub fn name(self) -> &'static str {
        match self {
            LinkOver::Unknown => "unknown",
            LinkOver::Expired => "expired",
            LinkOver::Closed => "closed",
            LinkOver::Locked => "locked",
        }
    }
}
