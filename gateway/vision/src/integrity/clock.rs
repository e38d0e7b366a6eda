//! The camera's own clock against ours: what it shows is worthless as evidence when it is wrong.
use std::collections::VecDeque;

use super::hold::Look;

/// An offset beyond this is wrong: also any sensible delay of the network.
const OFFSET_MS: i64 = 60_000;
/// The camera's clock stands still when so much of our time passes under one of its times,
const STANDS_MS: i64 = 15_000;
/// in so many frames.
const STANDS_FRAMES: u32 = 4;
/// For the drift one offset a minute is kept, the smallest: that of the least delayed frame.
const MINUTE_MS: i64 = 60_000;
const MINUTES: usize = 15;
/// A clock that runs away by so much in those minutes, always to the same side, drifts.
const DRIFT_MS: i64 = 8_000;

#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// (minute, the offset of least size in it)
    offsets: VecDeque<(i64, i64)>,
    /// The camera's time, when it was first seen, in how many frames since.
    stands: Option<(i64, i64, u32)>,
}

impl Clock {
    /// `None`: this frame does not say when it was taken.
    pub fn look(&mut self, received_ms: i64, captured_ms: Option<i64>) -> Look {
        let Some(captured) = captured_ms else { return Look::CannotTell };
        let offset = captured.saturating_sub(received_ms);
        let minute = received_ms.div_euclid(MINUTE_MS);
        match self.offsets.back_mut() {
            Some((m, least)) if *m == minute => {
                if offset.unsigned_abs() < least.unsigned_abs() {
                    *least = offset;
                }
            }
            _ => {
                self.offsets.push_back((minute, offset));
                if self.offsets.len() > MINUTES {
                    self.offsets.pop_front();
                }
            }
        }
        self.stands = match self.stands {
            Some((time, since, n)) if time == captured => Some((time, since, n.saturating_add(1))),
            _ => Some((captured, received_ms, 1)),
        };
        let stands = self.stands.is_some_and(|(_, since, n)| n >= STANDS_FRAMES && received_ms.saturating_sub(since) >= STANDS_MS);
        if offset.unsigned_abs() > OFFSET_MS.unsigned_abs() || stands || self.drifts() { Look::Blind } else { Look::Sees }
    }

    /// The last minute is left out: its least delayed frame may be still to come.
    fn drifts(&self) -> bool {
        let n = self.offsets.len();
        if n < MINUTES {
            return false;
        }
        let steps =
            || self.offsets.iter().take(n - 1).zip(self.offsets.iter().take(n - 1).skip(1)).map(|((_, a), (_, b))| b.saturating_sub(*a));
        let whole: i64 = steps().fold(0, i64::saturating_add);
        let one_side = steps().all(|s| s >= 0) || steps().all(|s| s <= 0);
        one_side && whole.unsigned_abs() >= DRIFT_MS.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: i64, captured: impl Fn(i64) -> i64) -> Look {
        let mut clock = Clock::default();
        (0..seconds).map(|s| clock.look(s * 1000, Some(captured(s * 1000)))).last().unwrap()
    }

    #[test]
    fn delay_and_jitter_are_no_fault() {
        assert_eq!(run(3600, |t| t - 300 - (t / 1000 * 7919 % 4000)), Look::Sees);
        assert_eq!(Clock::default().look(5, None), Look::CannotTell);
    }

    #[test]
    fn an_offset_a_standing_and_a_running_away_clock_are_wrong() {
        assert_eq!(run(10, |t| t + 61_000), Look::Blind);
        assert_eq!(run(10, |t| t - 3_600_000), Look::Blind);
        assert_eq!(run(20, |_| 5_000), Look::Blind);
        assert_eq!(run(16 * 60, |t| t + t / 80), Look::Blind);
        assert_eq!(run(3600, |t| t + t / 10_000), Look::Sees, "a tenth of a per mille is quartz");
    }

    #[test]
    fn foreign_times_never_overflow() {
        let mut clock = Clock::default();
        for t in [i64::MIN, i64::MAX, 0, -1] {
            for c in [i64::MIN, i64::MAX, 0, 1] {
                clock.look(t, Some(c));
            }
        }
    }
}
