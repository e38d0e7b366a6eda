//! What the district platform's pages show.
use super::gateway::{Entry, Rule};
use super::{Incident, Notice, Whole};
use tuoan_protocol::{Basis, Severity};

/// The live page of incidents across sites.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Grows with every change: the number SSE carries.
    pub version: u64,
    pub incidents: Vec<SiteIncident>,
    pub sites: Vec<Site>,
    pub notice: Option<Notice>,
}

impl Live {
    pub fn whole(&self) -> Whole {
        let blind = if self.sites.is_empty() { 1 } else { self.sites.iter().filter(|s| s.trust() != Trust::Heard).count() };
        Whole::of(self.incidents.iter().map(|i| &i.incident), blind)
    }
    /// By urgency, confirmed before inferred, oldest first; what nobody has taken comes before what somebody has.
    pub fn sort(&mut self) {
        self.incidents.sort_by_key(SiteIncident::rank);
        self.sites.sort_by(|a, b| {
            (a.trust() == Trust::Heard, a.worst.map_or(9, u8::from), &a.name).cmp(&(
                b.trust() == Trust::Heard,
                b.worst.map_or(9, u8::from),
                &b.name,
            ))
        });
    }
}

#[derive(Debug, Clone)]
pub struct SiteIncident {
    pub incident: Incident,
    pub site: String,
    pub site_name: String,
    pub district: String,
    pub street: String,
    /// `public`, `community` ...
    pub institution: &'static str,
    /// Duties that are told, by their words in the routing table: `fire`, `health` ...
    pub duty: Vec<String>,
    /// Who at the district has taken it.
    pub claimed_by: Option<String>,
    pub claimed_at: Option<i64>,
    /// Went out before the site could store it.
    pub unrecorded: bool,
}

impl SiteIncident {
    fn rank(&self) -> (bool, Severity, Basis, bool, i64, String) {
        let i = &self.incident;
        (i.state.closed, i.severity, i.basis, !i.is_pressing(), i.opened_at, i.id.clone())
    }
}

#[derive(Debug, Clone, Default)]
pub struct Site {
    pub id: String,
    pub name: String,
    pub district: String,
    pub street: String,
    pub last_heard: Option<i64>,
    /// Heartbeats missed.
    pub silent: bool,
    /// Ranges of sequence numbers that have not arrived.
    pub gaps: Vec<(u64, u64)>,
    /// Said by its heartbeat.
    pub healthy: bool,
    pub clock_trusted: bool,
    pub queue: u64,
    pub open: u64,
    pub worst: Option<Severity>,
    /// Of its last closed day.
    pub coverage: Option<SiteCoverage>,
}

/// How far a site's zones were watched on one day.
#[derive(Debug, Clone)]
pub struct SiteCoverage {
    /// Days since 1970-01-01.
    pub date: i64,
    /// Watched minutes of those required, in tenths of a per cent; `None`: nothing was required.
    pub per_mille: Option<u16>,
    /// The longest gap: its zone, its length in milliseconds, the name of its cause.
    pub gap: Option<(String, i64, String)>,
}

/// Whether what we show of a site can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    Heard,
    /// Something of it is missing or in doubt.
    Doubtful,
    Silent,
}

impl Site {
    pub fn trust(&self) -> Trust {
        if self.silent || self.last_heard.is_none() {
            Trust::Silent
        } else if !self.gaps.is_empty() || !self.healthy || !self.clock_trusted {
            Trust::Doubtful
        } else {
            Trust::Heard
        }
    }
    pub fn trust_name(&self) -> &'static str {
        match self.trust() {
            Trust::Heard => "heard",
            Trust::Doubtful => "doubtful",
            Trust::Silent => "silent",
        }
    }
    /// How many events are missing.
    pub fn missing(&self) -> u64 {
        self.gaps.iter().fold(0, |n, (from, to)| n.saturating_add(to.saturating_sub(*from).saturating_add(1)))
    }
}

/// One incident as the district sees it.
#[derive(Debug, Clone)]
pub struct IncidentPage {
    pub incident: SiteIncident,
    pub entries: Vec<PlatformEntry>,
    pub rule: Rule,
    pub notice: Option<Notice>,
}

/// An event as the site told it, or an action at the district.
#[derive(Debug, Clone)]
pub enum PlatformEntry {
    Site {
        entry: Entry,
        received_at: i64,
        receipt: String,
    },
    /// `claimed`, `acknowledged`, `released`.
    District {
        at: i64,
        action: &'static str,
        actor: String,
        note: Option<String>,
    },
}

impl PlatformEntry {
    pub fn at(&self) -> i64 {
        match self {
            PlatformEntry::Site { entry, .. } => entry.at,
            PlatformEntry::District { at, .. } => *at,
        }
    }
}

/// Codes of inspectors that the district has issued.
#[derive(Debug, Clone, Default)]
pub struct Passes {
    /// Id and name.
    pub sites: Vec<(String, String)>,
    pub passes: Vec<PassLine>,
    pub site: String,
    pub holder: String,
    pub purpose: String,
    pub hours: String,
    /// That was just drawn: shown once.
    pub code: Option<String>,
    pub wrong: Option<String>,
}

/// One of them. UTC milliseconds.
#[derive(Debug, Clone, Default)]
pub struct PassLine {
    pub id: String,
    pub site: String,
    pub holder: String,
    pub by: String,
    pub purpose: String,
    pub issued: i64,
    pub expires: i64,
    pub state: PassState,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PassState {
    /// The gateway has not fetched it yet: it opens nothing.
    #[default]
    Waiting,
    /// Since then it opens.
    Open(i64),
    Over,
    Revoked(i64, String),
}

impl PassLine {
    pub fn ends(&self) -> bool {
        matches!(self.state, PassState::Waiting | PassState::Open(_))
    }
}
