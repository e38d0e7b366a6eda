//! What is due when. Timers are never serialised: [`super::State::rearm`] rebuilds them from what they are about.
use super::input::EngineMs;
use std::collections::BTreeSet;
use tuoan_protocol::{DeviceId, HazardId, Place};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The next boundary of any zone's day, or midnight.
    Schedule,
    /// A guard of that zone's rules opens or ends (grace after a change of phase, occupancy runs out).
    Zone(u32),
    /// Hold or clear time of a tracker: device, rule, channel.
    Track(DeviceId, u16, u8),
    Silence(DeviceId),
    Age(DeviceId),
    /// A morning check's case has grown too old to count.
    Cases,
    /// Regather time of an incident, or the quiet after its chatter.
    Close(Box<(HazardId, Place)>),
    /// The next rung of an incident's ladder.
    Climb(Box<(HazardId, Place)>),
    /// The end of a shelving, a maintenance, a time out of service or a drill.
    Standing,
    /// The end of a minute, for the coverage ledger.
    Minute,
}

#[derive(Debug, Clone, Default)]
pub struct Timers(BTreeSet<(EngineMs, Timer)>);

impl Timers {
    pub fn arm(&mut self, due: EngineMs, timer: Timer) {
        self.0.insert((due, timer));
    }
    pub fn disarm(&mut self, due: EngineMs, timer: Timer) {
        self.0.remove(&(due, timer));
    }
    pub fn next_due(&self) -> Option<EngineMs> {
        self.0.first().map(|(due, _)| *due)
    }
    /// The first one due at or before `limit`.
    pub fn pop(&mut self, limit: EngineMs) -> Option<(EngineMs, Timer)> {
        if self.next_due()? > limit {
            return None;
        }
        self.0.pop_first()
    }
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
