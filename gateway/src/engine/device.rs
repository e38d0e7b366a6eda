//! What is remembered of one device.
use super::cadence::Cadence;
use super::dedupe::Boots;
use super::derive::Derived;
use super::detect::Tracker;
use super::input::{EngineMs, Start};
use super::occupancy::sign_of_person;
use super::quality::clock::DeviceClock;
use super::quality::series::Series;
use super::quality::{Counts, count};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tuoan_protocol::{DeviceId, Fixed, Quantity};

/// Values kept of one device at most: (quantity, channel) pairs beyond that are not remembered.
pub const MAX_VALUES: usize = 48;
/// The same for quantities that a rule judges: a fire panel has a channel for each of its loops, and none may go unjudged because a device
/// is talkative otherwise.
pub const MAX_JUDGED: usize = 512;
/// Devices that stand on no zone and are remembered at most; beyond it the longest unheard go.
pub const MAX_UNPLACED: usize = 2048;
/// So many go at once, so that a flood of new names costs little each.
pub const EVICT: usize = 256;
/// Characters kept of a name, make or model that a bridge announces.
pub const MAX_TEXT: usize = 64;
/// Announced quantities kept of one device.
pub const MAX_ANNOUNCED: usize = 64;

/// The newest value of one quantity on one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    pub value: Fixed,
    /// Engine time of its arrival.
    pub at: EngineMs,
    /// UTC milliseconds of the sample; of its arrival where the device has no clock.
    pub sampled: i64,
    /// Milliseconds to be added to that because the device's clock is known to be off.
    #[serde(default)]
    pub shift: i32,
    /// It cannot be: shown as such and judged by no rule.
    #[serde(default)]
    pub implausible: bool,
    /// Engine time since which the device cannot tell: the value is the last it could, and nothing rests on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_since: Option<EngineMs>,
    /// Of a state: engine time at which it became so; 0 for numbers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub since: EngineMs,
    /// What the numbers of a placed device have learned of themselves.
    #[serde(default)]
    pub series: Option<Box<Series>>,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    pub boots: Boots,
    pub values: BTreeMap<(Quantity, u8), Value>,
    /// Trackers of rules that are not at rest, by rule and channel.
    pub tracks: BTreeMap<(u16, u8), Tracker>,
    pub cadence: Cadence,
    pub info: Info,
    /// Engine time at which it told of its last start, and how often it started for a bad reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<EngineMs>,
    #[serde(skip_serializing_if = "Resets::is_none")]
    pub resets: Resets,
    /// Engine time of its first and its last live message.
    pub first_heard: Option<EngineMs>,
    pub last_heard: Option<EngineMs>,
    /// From when silence counts: the last live message, moved on by every time that we ourselves were deaf.
    pub quiet_since: Option<EngineMs>,
    /// The silence rule has struck and nothing was heard since.
    pub silent: bool,
    /// Its will or its bridge says that it is gone; engine time since.
    pub offline_since: Option<EngineMs>,
    /// Engine time of its last test.
    pub tested: Option<EngineMs>,
    /// When the untested rule last struck; cleared by a test.
    pub untested: bool,
    /// It has reported presence, motion or people: it can say whether its zone is occupied.
    pub sees_people: bool,
    /// Engine time of the last event of each kind that is debounced, by rule.
    pub struck: BTreeMap<u16, EngineMs>,
    /// Newest time of a sample by the device's own clock, for telling a restarted counter from a redelivery.
    pub newest_sample: Option<i64>,
    /// Whether its old samples are a backlog or the word of a clock that is behind.
    pub lag: Lag,
    /// What follows from its readings.
    pub derived: Derived,
    /// How far its clock is off.
    pub clock: DeviceClock,
    pub counts: Counts,
    /// Its silence is told under this hub.
    pub under: Option<DeviceId>,
    /// Where it stands in the compiled configuration.
    #[serde(skip)]
    pub slot: Option<u32>,
}

/// How old samples are when they arrive. A backlog catches up, or its age varies; a clock that is behind (never set, or in another time zone)
/// makes every sample equally old for ever. Such a device speaks of the present, and must not go unjudged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lag {
    /// Engine time of an arrival, and how old its sample was; `None` after one in time.
    seen: Option<(EngineMs, i64)>,
    behind: bool,
}

impl Lag {
    /// Apart from each other at least so far, two samples tell a backlog from a wrong clock.
    const APART_MS: i64 = 10_000;
    /// Transmission differs by so much.
    const JITTER_MS: i64 = 5_000;

    /// A sample has come at its time.
    pub fn in_time(&mut self) {
        *self = Lag::default();
    }
    /// A sample has come that is `age` milliseconds old; true when that is the clock's doing.
    pub fn old(&mut self, at: EngineMs, age: i64) -> bool {
        match self.seen {
            Some((since, before)) if at.saturating_sub(since) >= Self::APART_MS => {
                self.behind = age.abs_diff(before) <= Self::JITTER_MS.unsigned_abs();
                self.seen = Some((at, age));
            }
            Some(_) => {}
            None => self.seen = Some((at, age)),
        }
        self.behind
    }
}

/// Starts that nobody wanted, since the log began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resets {
    /// It hung.
    pub watchdog: u32,
    /// Its supply dropped.
    pub brown_out: u32,
    /// Its program found itself in the wrong.
    pub panic: u32,
}

impl Resets {
    fn is_none(&self) -> bool {
        *self == Resets::default()
    }
    /// All kinds, with their names in figures and message files.
    pub fn each(&self) -> [(&'static str, u32); 3] {
        [("watchdog", self.watchdog), ("brown_out", self.brown_out), ("panic", self.panic)]
    }
    /// Counts a start for that reason, if it is a bad one.
    pub fn note(&mut self, reason: &str) {
        match reason.split(' ').next() {
            Some("watchdog") => count(&mut self.watchdog),
            Some("brown_out") => count(&mut self.brown_out),
            Some("panic") => count(&mut self.panic),
            _ => {}
        }
    }
}

/// What a bridge or a birth message says of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    pub name: Option<String>,
    pub make: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    pub period_s: Option<u32>,
    pub quantities: Vec<Quantity>,
    pub via: Option<DeviceId>,
}

impl Device {
    /// It reports people, and does not say of all it reported of them that it cannot tell.
    pub fn tells_of_people(&self) -> bool {
        let mut reported = self.values.iter().filter(|((q, _), v)| sign_of_person(q, v.value).is_some()).peekable();
        self.sees_people && (reported.peek().is_none() || reported.any(|(_, v)| v.unknown_since.is_none()))
    }
    pub fn value(&self, quantity: &Quantity, channel: u8) -> Option<&Value> {
        // A `Quantity` without text is cheap to clone; one with text is rare.
        self.values.get(&(quantity.clone(), channel))
    }
}
