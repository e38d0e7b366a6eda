//! Engine time from the machine's clocks: persisted, never going back, and told how far UTC is from it.
use super::Trust;
use crate::clock::Clock;
use crate::engine::Body;

/// UTC that differs from what the engine was told by more than this is told anew, in milliseconds.
const STEP_MS: i64 = 1000;
/// How often the kernel is asked whether the clock is synchronised, in milliseconds: it costs system calls.
const TRUST_PERIOD_MS: i64 = 1000;

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
    /// Goes on from the last commit: the time that UTC says has passed since then has passed, unless UTC went back.
    pub fn resume(clock: Clock, trust: Trust, now: i64, utc_offset: i64) -> EngineClock {
        let by_utc = clock.utc_ms().saturating_sub(utc_offset);
        EngineClock::at(clock, trust, now.max(by_utc))
    }
    fn at(clock: Clock, trust: Trust, now: i64) -> EngineClock {
        let monotonic = clock.monotonic_ms();
        let trusted = trust == Trust::Always || clock.trusted();
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
            self.trusted = self.trust == Trust::Always || self.clock.trusted();
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
}
