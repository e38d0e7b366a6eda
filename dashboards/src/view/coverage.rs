//! What the page of the coverage ledger shows. Minutes of the day count from local midnight.
use tuoan_protocol::ledger::{Figure, Gap, Run, Sight};

/// One day, and the ninety that lead to today.
#[derive(Debug, Clone, Default)]
pub struct CoveragePage {
    /// "2026-11-22".
    pub date: String,
    /// The day is not over: so many minutes of it are told of.
    pub open: Option<u16>,
    pub zones: Vec<Zone>,
    /// Monday of the first week to today.
    pub calendar: Vec<CalendarDay>,
    /// The recording days before and after, where there are any.
    pub before: Option<String>,
    pub after: Option<String>,
    /// Canonical bytes' SHA-256, hex, for paper; of an open day none.
    pub hash: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Zone {
    pub name: String,
    pub run: Run,
    /// At this moment, of the open day.
    pub now: Option<Sight>,
}

/// One cell of the calendar.
#[derive(Debug, Clone, Default)]
pub struct CalendarDay {
    /// "2026-11-22".
    pub date: String,
    /// `None`: there is no record of it.
    pub told: Option<(Figure, u16)>,
}

impl CalendarDay {
    /// How well it was watched, for its shade: `none`, `low`, `some`, `most` or `all`.
    pub fn shade(&self) -> &'static str {
        match self.told.and_then(|(f, _)| f.per_mille()) {
            None => "none",
            Some(1000) => "all",
            Some(990..) => "most",
            Some(900..) => "some",
            Some(_) => "low",
        }
    }
    /// Day of the month.
    pub fn day(&self) -> &str {
        self.date.rsplit('-').next().unwrap_or_default().trim_start_matches('0')
    }
    pub fn per_mille(&self) -> Option<u16> {
        self.told.and_then(|(f, _)| f.per_mille())
    }
}

impl CoveragePage {
    pub fn figure(&self) -> Figure {
        self.zones.iter().fold(Figure::default(), |f, z| f.plus(z.run.figure()))
    }
    /// All gaps of the day, longest first, with the names of their zones.
    pub fn gaps(&self) -> Vec<(&str, Gap)> {
        let mut all: Vec<(&str, Gap)> = self.zones.iter().flat_map(|z| z.run.gaps().into_iter().map(|g| (z.name.as_str(), g))).collect();
        all.sort_by_key(|(_, g)| (std::cmp::Reverse(g.minutes), g.from));
        all
    }
}
