//! How far a device's clock is from ours.
//!
//! A message takes some time and never less than none: so the least difference between arrival and sample over a while is the clock's offset plus
//! the shortest way (minimum-delay filter, as NTP's clock filter does, RFC 5905 section 10). What is older than that least was late, not wrong.
//!
//! What must hold: two windows of constant size; a backlog, whose ages differ, is not taken for a clock that is behind.
use crate::engine::input::EngineMs;
use serde::{Deserialize, Serialize};

/// A window; the estimate rests on the one under way and the one before.
const WINDOW_MS: i64 = 30 * 60_000;
/// Samples and time before the estimate is believed.
const ENOUGH: u16 = 8;
const SPAN_MS: i64 = 2 * 60_000;
/// A clock that is off by less counts as right: transmission alone takes that.
pub const RIGHT_MS: i64 = 2_000;
/// One that is suddenly right was set right.
const SET_RIGHT_MS: i64 = 10_000;
/// Three thousand years: beyond it is no time.
const LIMIT_MS: i64 = 100_000_000_000_000;
/// It is never known better than this.
const BAND_MIN_MS: i64 = 500;
/// More lateness than this is a queue, not jitter.
const JITTER_MAX_MS: i64 = 60_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceClock {
    /// Engine time at which the windows began.
    since: Option<EngineMs>,
    turned: EngineMs,
    /// Least difference in the window under way and in the one before.
    now: Option<i64>,
    before: Option<i64>,
    samples: u16,
    /// Mean excess over the least, in eighths of a millisecond.
    jitter8: i64,
}

/// What is known of a device's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Ours minus the device's, in milliseconds; positive when it is behind.
    pub ms: i64,
    /// The true one lies within so much of it.
    pub band_ms: i64,
}

impl DeviceClock {
    /// Takes in a live sample that came `difference` milliseconds after the time it says.
    pub fn note(&mut self, at: EngineMs, difference: i64) {
        let difference = difference.clamp(-LIMIT_MS, LIMIT_MS);
        if difference.abs() <= SET_RIGHT_MS && self.least().is_some_and(|l| l < -SET_RIGHT_MS) {
            // It was ahead; a window of old differences would now make every sample late.
            *self = DeviceClock::default();
        }
        if self.since.is_none() {
            (self.since, self.turned) = (Some(at), at);
        }
        if at.saturating_sub(self.turned) >= WINDOW_MS {
            (self.before, self.now, self.turned) = (self.now, None, at);
        }
        self.now = Some(self.now.map_or(difference, |l| l.min(difference)));
        let excess = difference.saturating_sub(self.least().unwrap_or(difference)).clamp(0, JITTER_MAX_MS);
        self.jitter8 += excess - self.jitter8 / 8;
        self.samples = self.samples.saturating_add(1);
    }

    /// As [`Self::note`], of a clock that is known to be wrong by about that: an estimate that says otherwise is of the clock before.
    pub fn note_another(&mut self, at: EngineMs, difference: i64) {
        if self.least().is_some_and(|l| l.abs_diff(difference) > JITTER_MAX_MS.unsigned_abs()) {
            *self = DeviceClock::default();
        }
        self.note(at, difference);
    }

    fn least(&self) -> Option<i64> {
        match (self.now, self.before) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The offset, once it is known.
    pub fn offset(&self, at: EngineMs) -> Option<Offset> {
        let ms = self.least()?;
        let known = self.samples >= ENOUGH && self.since.is_some_and(|s| at.saturating_sub(s) >= SPAN_MS);
        known.then(|| Offset { ms, band_ms: (self.jitter8 / 4).saturating_add(BAND_MIN_MS) })
    }

    /// What must be added to the device's time: nothing while it is right or unknown.
    pub fn correction(&self, at: EngineMs) -> i64 {
        self.offset(at).map_or(0, |o| if o.ms.abs() <= RIGHT_MS { 0 } else { o.ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(differences: impl IntoIterator<Item = i64>) -> (DeviceClock, i64) {
        let mut c = DeviceClock::default();
        let mut at = 0;
        for d in differences {
            c.note(at, d);
            at += 30_000;
        }
        (c, at)
    }

    #[test]
    fn the_least_delay_counts_and_lateness_widens_the_band() {
        let (c, at) = learn((0..40).map(|n| 180_000 + n % 7 * 100));
        let o = c.offset(at).unwrap();
        assert_eq!(o.ms, 180_000);
        assert!((500..2_000).contains(&o.band_ms), "{o:?}");
        assert_eq!(c.correction(at), 180_000);
        let (late, at) = learn((0..40).map(|n| 180_000 + n % 7 * 9_000));
        assert!(late.offset(at).unwrap().band_ms > 10_000);
    }
    #[test]
    fn a_right_clock_is_left_alone_and_a_new_one_is_unknown() {
        let (c, at) = learn((0..40).map(|n| 200 + n % 5 * 90));
        assert_eq!((c.correction(at), c.offset(at).unwrap().ms), (0, 200));
        let (c, at) = learn([60_000; 7]);
        assert_eq!((c.offset(at), c.correction(at)), (None, 0));
    }
    #[test]
    fn samples_that_were_queued_are_late_not_wrong() {
        // Ten samples of ten minutes sent together: the newest is in time.
        let (c, at) = learn((0..40).map(|n| (9 - n % 10) * 60_000 + 300));
        assert_eq!(c.correction(at), 0);
    }
    #[test]
    fn a_clock_that_is_set_right_is_believed_at_once_and_one_that_goes_wrong_within_the_hour() {
        let (mut c, mut at) = learn([-3_600_000; 20]);
        assert_eq!(c.correction(at), -3_600_000);
        c.note(at, 300);
        assert_eq!(c.correction(at), 0);
        for _ in 0..130 {
            at += 30_000;
            c.note(at, 240_000);
        }
        assert_eq!(c.correction(at), 240_000);
    }
    #[test]
    fn the_ends_of_the_number_line_do_not_overflow() {
        let (c, at) = learn([i64::MIN, i64::MAX, 0, i64::MIN + 1]);
        let _ = (c.offset(at), c.correction(at));
    }
}
