//! The hardware watchdog is fed only while every part of the node gets on: a stuck bus must not hide behind a loop that still turns.
use core::cell::Cell;

/// A watchdog that resets the node unless it is fed in time. Its own period must be longer than [`FEED_MS`], at least four seconds.
pub trait Watchdog {
    fn feed(&mut self);
}

/// Milliseconds between two feedings.
pub const FEED_MS: u32 = 500;
/// Longest silence of each part in milliseconds.
const ALARM_MS: u64 = 2_000;
const SAMPLER_MS: u64 = 60_000;
const LINK_MS: u64 = 180_000;

/// When each part was last seen to get on, in milliseconds of uptime.
#[derive(Debug, Default)]
pub struct Pulse {
    alarm: Cell<u64>,
    sampler: Cell<u64>,
    link: Cell<u64>,
}

impl Pulse {
    pub fn alarm(&self, now_ms: u64) {
        self.alarm.set(now_ms);
    }
    pub fn sampler(&self, now_ms: u64) {
        self.sampler.set(now_ms);
    }
    pub fn link(&self, now_ms: u64) {
        self.link.set(now_ms);
    }
    /// Whether all of them got on.
    pub fn is_alive(&self, now_ms: u64) -> bool {
        [(&self.alarm, ALARM_MS), (&self.sampler, SAMPLER_MS), (&self.link, LINK_MS)]
            .iter()
            .all(|(at, limit)| now_ms.saturating_sub(at.get()) <= *limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_that_hangs_is_enough() {
        let pulse = Pulse::default();
        assert!(pulse.is_alive(0) && pulse.is_alive(ALARM_MS));
        assert!(!pulse.is_alive(ALARM_MS + 1));
        pulse.alarm(SAMPLER_MS);
        assert!(pulse.is_alive(SAMPLER_MS));
        pulse.alarm(SAMPLER_MS + 1);
        assert!(!pulse.is_alive(SAMPLER_MS + 1), "the sampler hangs");
        pulse.sampler(LINK_MS + 1);
        pulse.alarm(LINK_MS + 1);
        assert!(!pulse.is_alive(LINK_MS + 1), "the link hangs");
        pulse.link(LINK_MS + 1);
        assert!(pulse.is_alive(LINK_MS + 1));
    }
}
