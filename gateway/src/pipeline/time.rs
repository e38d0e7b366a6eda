//! Engine time from the machine's clocks: persisted, never going back, and told how far UTC is from it.
use super::Trust;
use crate::clock::Clock;
use crate::engine::Body;

/// UTC that differs from what the engine was told by more than this is told anew, in milliseconds.
const STEP_MS: i64 = 1000;
/// How often the kernel is asked whether the clock is synchronised, in milliseconds: it costs system calls.
const TRUST_PERIOD_MS: i64 = 1000;
/// A clock that nobody vouches for is believed that a gateway was down for this long at most, in milliseconds: a summer's holidays.
const DOWN_UNTRUSTED_MS: i64 = 62 * 86_400_000;

#[derive(Debug)]
pub struct EngineClock {
    clock: Clock,
    trust: Trust,
    /// Engine time at `monotonic`.
    base: i64,
    monotonic: i64,
    last: i64,
    /// What the engine was told last; nothing yet after a start.
    told: Option<(i64, bool)>,
    trusted: bool,
    trust_asked: i64,
}

impl EngineClock {
    /// A new log's engine time starts as UTC.
    pub fn start(clock: Clock, trust: Trust) -> EngineClock {
        let now = clock.utc_ms();
        EngineClock::at(clock, trust, now)
    }
    /// Goes on from the last commit: the time that UTC says has passed since then has passed, unless UTC went back or nobody vouches for a jump that long.
    pub fn resume(clock: Clock, trust: Trust, now: i64, utc_offset: i64) -> EngineClock {
        let down = down(clock.utc_ms().saturating_sub(utc_offset).saturating_sub(now), is_trusted(&clock, trust));
        EngineClock::at(clock, trust, now.saturating_add(down))
    }
    fn at(clock: Clock, trust: Trust, now: i64) -> EngineClock {
        let monotonic = clock.monotonic_ms();
        let trusted = is_trusted(&clock, trust);
        EngineClock { clock, trust, base: now, monotonic, last: now, told: None, trusted, trust_asked: monotonic }
    }
    /// Engine time, in milliseconds.
    pub fn now(&mut self) -> i64 {
        let passed = self.clock.monotonic_ms().saturating_sub(self.monotonic);
        self.last = self.last.max(self.base.saturating_add(passed));
        self.last
    }
    /// UTC minus engine time, as the engine was told last.
    pub fn utc_offset(&self) -> i64 {
        self.told.map_or(0, |(offset, _)| offset)
    }
    /// What the engine must be told of the clock before anything that arrives at the last [`EngineClock::now`].
    pub fn correction(&mut self) -> Option<Body> {
        let monotonic = self.clock.monotonic_ms();
        if monotonic.saturating_sub(self.trust_asked) >= TRUST_PERIOD_MS {
            self.trust_asked = monotonic;
            self.trusted = is_trusted(&self.clock, self.trust);
        }
        let offset_ms = self.clock.utc_ms().saturating_sub(self.last);
        let trusted = self.trusted;
        let same = self.told.is_some_and(|(told, t)| t == trusted && told.abs_diff(offset_ms) <= STEP_MS.unsigned_abs());
        if same {
            return None;
        }
        self.told = Some((offset_ms, trusted));
        Some(Body::Clock { offset_ms, trusted })
    }
}

fn is_trusted(clock: &Clock, trust: Trust) -> bool {
    trust == Trust::Always || clock.trusted()
}

/// For how long the gateway was down, when UTC says `passed` milliseconds. Engine time never goes back: a clock that woke up in another decade would make all that is
/// stored decades old, and it would go by its age as soon as UTC is right again.
fn down(passed: i64, trusted: bool) -> i64 {
    if trusted || passed <= DOWN_UNTRUSTED_MS { passed.max(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_790_000_000_000;

    #[test]
    fn a_manual_clock_is_engine_time() {
        let clock = Clock::manual(T);
        let mut time = EngineClock::start(clock.clone(), Trust::Kernel);
        assert_eq!(time.now(), T);
        assert_eq!(time.correction(), Some(Body::Clock { offset_ms: 0, trusted: true }));
        clock.set(T + 60_000);
        assert_eq!(time.now(), T + 60_000);
        assert_eq!(time.correction(), None);
    }

    #[test]
    fn never_goes_back_and_tells_of_a_step() {
        let clock = Clock::manual(T);
        let mut time = EngineClock::start(clock.clone(), Trust::Kernel);
        time.correction();
        clock.set(T - 5_000);
        assert_eq!(time.now(), T);
        assert_eq!(time.correction(), Some(Body::Clock { offset_ms: -5_000, trusted: true }));
        assert_eq!(time.utc_offset(), -5_000);
        clock.set(T + 1);
        assert_eq!(time.now(), T + 1);
        assert_eq!(time.correction(), Some(Body::Clock { offset_ms: 0, trusted: true }));
    }

    #[test]
    fn goes_on_after_a_stop() {
        // Down for an hour by UTC, with an offset of two minutes.
        let mut time = EngineClock::resume(Clock::manual(T + 3_600_000 + 120_000), Trust::Kernel, T, 120_000);
        assert_eq!(time.now(), T + 3_600_000);
        assert_eq!(time.correction(), Some(Body::Clock { offset_ms: 120_000, trusted: true }));
        // A box without a battery wakes up in the past.
        let mut time = EngineClock::resume(Clock::manual(1_000), Trust::Kernel, T, 0);
        assert_eq!(time.now(), T);
        assert_eq!(time.correction(), Some(Body::Clock { offset_ms: 1_000 - T, trusted: true }));
    }

    #[test]
    fn a_clock_that_wakes_up_in_another_decade_ages_nothing() {
        const YEAR: i64 = 365 * 86_400_000;
        assert_eq!(down(70 * YEAR, false), 0);
        assert_eq!(down(2 * YEAR, true), 2 * YEAR, "a box that was put away");
        // A box without a network has only its own clock, and weekends are real.
        assert_eq!(down(3 * 86_400_000, false), 3 * 86_400_000);
        assert_eq!((down(-YEAR, false), down(-1, true)), (0, 0));
    }
}
