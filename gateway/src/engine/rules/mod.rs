//! Rule packs: data that says what counts as a hazard, with its source, its words and its own test cases.
//!
//! | file | holds |
//! |---|---|
//! | [`text`] | the TOML schema |
//! | [`parse`] | text -> [`Rule`], all problems together with line and fix |
//! | [`case`] | the timelines inside a pack, run against the engine |
//! | [`catalogue`] | words, sources and duties by rule, for pages and alerts |
//! | [`condition`] | what a rule asks of the other sensors in its zone |
//! | [`ladder`] | who is told in what order, and what is one happening |
//! | [`overrides`] | what a site changes about them, until when and why |
use super::schedule::Phase;
use super::site::{AgeGroup, Role, ZoneKind};
use std::collections::BTreeSet;
use tuoan_protocol::{Basis, EventKind, HazardId, Quantity, RuleId, Severity};

pub mod case;
pub mod catalogue;
pub mod condition;
pub mod ladder;
pub mod overrides;
pub mod parse;
pub mod text;

pub use catalogue::{Catalogue, Entry, Words};
pub use condition::Condition;
pub use ladder::{Ladder, Pattern};
pub use overrides::Override;
pub use parse::{Pack, Packs, Problem, Report, check, compile, compile_all};

/// The packs that come with the gateway: (name, TOML text), in order of their names.
pub fn builtin() -> Vec<(&'static str, &'static str)> {
    vec![
        ("air", include_str!("../../../rules/air.toml")),
        ("anomaly", include_str!("../../../rules/anomaly.toml")),
        ("cameras", include_str!("../../../rules/cameras.toml")),
        ("chain", include_str!("../../../rules/chain.toml")),
        ("climate", include_str!("../../../rules/climate.toml")),
        ("coverage", include_str!("../../../rules/coverage.toml")),
        ("devices", include_str!("../../../rules/devices.toml")),
        ("doors", include_str!("../../../rules/doors.toml")),
        ("emergency", include_str!("../../../rules/emergency.toml")),
        ("escalation", include_str!("../../../rules/escalation.toml")),
        ("estimates", include_str!("../../../rules/estimates.toml")),
        ("fire", include_str!("../../../rules/fire.toml")),
        ("health", include_str!("../../../rules/health.toml")),
        ("kitchen", include_str!("../../../rules/kitchen.toml")),
        ("people", include_str!("../../../rules/people.toml")),
        ("supply", include_str!("../../../rules/supply.toml")),
    ]
}

/// How a rule decides. One file each under `detect/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A state quantity has a given value.
    State,
    /// A number is beyond a bound.
    Threshold,
    /// The mean over a window is beyond a bound.
    Mean,
    /// A number has risen by so much within a window.
    Rise,
    /// A momentary event.
    Event,
    /// Nothing was heard for so many periods.
    Silence,
    /// No test event for so long.
    Age,
    /// A person says so.
    Report,
    /// A state begins.
    Becomes,
    /// A number beyond a bound that must be measured again before it is over.
    Recheck,
    /// Not done for long enough on a working day, judged at midnight.
    Daily,
    /// What people give off does not go away as in an empty room.
    Decay,
    /// A morning check's temperature, by hand.
    Entry,
    /// So many similar cases of a class in the morning checks.
    Cluster,
    /// Nothing but impossible values for so many periods.
    Implausible,
    /// One quantity of a device that speaks otherwise has not come for so many of its own gaps.
    Lost,
    /// A number has stood still for far longer than it is wont to.
    Flat,
    /// A number goes away from its neighbours' in the same room.
    Drift,
    /// A battery lasts less than so long.
    Forecast,
    /// What the learned detector expects less often than once in so long.
    Anomaly,
    /// Through which others are heard is gone: their silence is gathered under it.
    Hub,
    /// A zone that must be watched is blind for so long; with `roles = ["gateway"]`, the gateway was away for so long.
    Gap,
}

impl Kind {
    /// Remembers more than the newest value, from the first sample on.
    pub fn has_memory(self) -> bool {
        matches!(self, Kind::Mean | Kind::Rise | Kind::Daily | Kind::Decay)
    }
    /// Judged with every reading of its quantity.
    pub fn is_judged(self) -> bool {
        self.has_memory() || matches!(self, Kind::State | Kind::Threshold | Kind::Becomes | Kind::Recheck)
    }
    /// Judged from what a series has learned of itself, not from its newest value.
    pub fn is_quality(self) -> bool {
        matches!(self, Kind::Implausible | Kind::Lost | Kind::Flat | Kind::Drift | Kind::Forecast | Kind::Anomaly)
    }
}

/// What ends a finding that does not end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latch {
    /// A person cancels it, with a reason.
    Cancel,
    /// A carer has swept the room (已清场).
    Sweep,
    /// A sensor whose silence proves something (mmWave, camera) sees nobody.
    Absence,
    /// Nothing here: it stays open until the district closes it.
    District,
}

/// When a number trips and when it clears, in fixed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    pub above: Option<i64>,
    pub at_least: Option<i64>,
    pub below: Option<i64>,
    pub at_most: Option<i64>,
    pub hysteresis: i64,
}

impl Bounds {
    pub fn trips(&self, v: i64) -> bool {
        self.beyond(v, 0)
    }
    /// Back by more than the hysteresis.
    pub fn clears(&self, v: i64) -> bool {
        !self.beyond(v, self.hysteresis)
    }
    fn beyond(&self, v: i64, slack: i64) -> bool {
        self.above.is_some_and(|b| v > b.saturating_sub(slack))
            || self.at_least.is_some_and(|b| v >= b.saturating_sub(slack))
            || self.below.is_some_and(|b| v < b.saturating_add(slack))
            || self.at_most.is_some_and(|b| v <= b.saturating_add(slack))
    }
}

/// A rule, ready to be applied. Times in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: RuleId,
    pub hazard: HazardId,
    pub kind: Kind,
    pub quantity: Option<Quantity>,
    pub event: Option<EventKind>,
    /// State: the value that is the hazard.
    pub is: i64,
    /// Numbers: when they trip and clear. Of a rise: `at_least` is by how much.
    pub bounds: Bounds,
    pub window: i64,
    /// Mean: per cent of the window that must be covered.
    pub coverage: u8,
    pub hold: i64,
    pub clear_hold: i64,
    /// Silence, loss, implausible values: periods missed; the limit at most; the longest period that is supervised at all.
    pub missed: u8,
    pub cap: i64,
    pub max_period: i64,
    /// Age: longest time without a test. Forecast: the shortest rest. Anomaly: expected once in so long.
    pub every: i64,
    /// Event: repeats within this are the same press. Anomaly: the refractory time after one.
    pub debounce: i64,
    /// Bit set of [`Phase`]; all when the pack names none.
    pub phases: u8,
    /// Only when the phase has lasted at least / at most so long.
    pub grace: i64,
    pub within: Option<i64>,
    /// Empty: everywhere / every role.
    pub zones: Vec<ZoneKind>,
    pub roles: Vec<Role>,
    pub not_zones: Vec<ZoneKind>,
    pub not_roles: Vec<Role>,
    pub floor_min: Option<i8>,
    /// Empty: whoever is cared for there.
    pub age_groups: Vec<AgeGroup>,
    pub occupied: Option<bool>,
    /// Whether a live sensor in the zone can tell that someone is there.
    pub watched: Option<bool>,
    /// Holds only while one of these does; only while none of these does and a live sensor could tell.
    pub when: Vec<Condition>,
    pub unless: Vec<Condition>,
    /// Makes what is inferred confirmed.
    pub confirmed_by: Vec<Condition>,
    /// Daily: one of these takes its place.
    pub excused_by: Vec<Condition>,
    /// Bit set of months, January 1.
    pub months: u16,
    pub severity: Severity,
    pub basis: Basis,
    pub per_device: bool,
    pub latch: Vec<Latch>,
    pub siren: bool,
    /// Recheck: the second measurement counts from so long to so long after the first.
    pub recheck: (i64, i64),
    pub decay: DecayOf,
    /// Cluster: so many similar cases.
    pub count: u16,
    /// It must be acknowledged before it closes, however harmless.
    pub acknowledge: bool,
    /// How long an incident stays open after its return, so that a condition that comes back is the same incident.
    pub regather: i64,
    /// A site's override has changed it.
    pub overridden: bool,
    /// As its pack has it, while an override holds: it only says what the override holds back.
    pub shadow: bool,
}

/// Of a rule of kind `decay`: level of the outdoor air, least level to begin with, both in the quantity's fixed point; and how many per cent of the
/// excess must be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecayOf {
    pub outdoors: i64,
    pub from: i64,
    pub left: i64,
}

pub const ALL_PHASES: u8 = 0b11_1111;
pub const ALL_MONTHS: u16 = 0b1_1111_1111_1110;

pub fn phase_bit(p: Phase) -> u8 {
    1 << p as u8
}

impl Rule {
    /// Whether it can ever hold for a device of that role in a zone of that kind and floor.
    pub fn applies(&self, kind: ZoneKind, floor: i8, role: Role) -> bool {
        (self.zones.is_empty() || self.zones.contains(&kind))
            && !self.not_zones.contains(&kind)
            && (self.roles.is_empty() || self.roles.contains(&role))
            && !self.not_roles.contains(&role)
            && self.floor_min.is_none_or(|f| floor >= f)
    }
    /// Whether it concerns a zone where classes of these ages are.
    pub fn is_for(&self, groups: &BTreeSet<AgeGroup>) -> bool {
        self.age_groups.is_empty() || self.age_groups.iter().any(|g| groups.contains(g))
    }
    /// Whether it is so dangerous, and so independent of place and time, that it holds even for a device that stands nowhere yet.
    pub fn holds_anywhere(&self) -> bool {
        self.severity == Severity::Emergency
            && matches!(self.kind, Kind::State | Kind::Event)
            && self.zones.is_empty()
            && self.roles.is_empty()
            && self.floor_min.is_none()
            && self.age_groups.is_empty()
            && !self.is_guarded()
    }
    /// Whether anything but the device's own readings decides.
    pub fn is_guarded(&self) -> bool {
        self.phases != ALL_PHASES
            || self.months != ALL_MONTHS
            || self.occupied.is_some()
            || self.watched.is_some()
            || self.grace > 0
            || self.within.is_some()
            || !self.when.is_empty()
            || !self.unless.is_empty()
    }
    /// All that it asks of other sensors.
    pub fn conditions_mut(&mut self) -> impl Iterator<Item = &mut Condition> {
        self.when.iter_mut().chain(&mut self.unless).chain(&mut self.confirmed_by).chain(&mut self.excused_by)
    }
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.when.iter().chain(&self.unless).chain(&self.confirmed_by).chain(&self.excused_by)
    }
    pub fn is_latched(&self) -> bool {
        !self.latch.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_pack_is_sound_and_all_its_cases_come_out_as_told() {
        let mut problems = Vec::new();
        for (name, text) in builtin() {
            let report = check(text);
            problems.extend(report.problems.iter().map(|p| format!("{name}.toml {p}")));
            assert_eq!(report.name, name);
            assert!(report.cases_run >= report.rules, "{name}: a rule without a case");
        }
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
        let names: Vec<_> = builtin().iter().map(|(n, _)| *n).collect();
        assert!(names.is_sorted(), "the order of the packs is part of the hash");
    }
}
