//! Frames come too seldom for the camera's duty. Silence is another kind: `offline`.
use std::collections::VecDeque;

use super::hold::Look;

/// The stretch that is counted.
const WINDOW_MS: i64 = 20_000;
/// No more arrivals than this are remembered: above it no rate is too low.
const REMEMBERED: usize = 128;

#[derive(Debug, Clone, Default)]
pub struct Rate {
    since: Option<i64>,
    arrivals: VecDeque<i64>,
}

impl Rate {
    pub fn arrived(&mut self, at_ms: i64) {
        self.since.get_or_insert(at_ms);
        self.arrivals.push_back(at_ms);
        if self.arrivals.len() > REMEMBERED {
            self.arrivals.pop_front();
        }
    }

    /// Fewer than half of the wanted frames in the last 20 s.
    pub fn look(&mut self, now_ms: i64, frames_per_10s: u16) -> Look {
        while self.arrivals.front().is_some_and(|t| now_ms.saturating_sub(*t) >= WINDOW_MS) {
            self.arrivals.pop_front();
        }
        match self.since {
            Some(since) if now_ms.saturating_sub(since) >= WINDOW_MS => {
                let wanted = i64::from(frames_per_10s) * WINDOW_MS / 10_000;
                if (self.arrivals.len() as i64) * 2 < wanted && self.arrivals.len() < REMEMBERED { Look::Blind } else { Look::Sees }
            }
            _ => Look::CannotTell,
        }
    }

    /// After silence the count starts anew: the silence is reported as such.
    pub fn restart(&mut self) {
        *self = Rate::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(every_ms: i64, frames_per_10s: u16) -> Look {
        let mut rate = Rate::default();
        let mut look = Look::CannotTell;
        for t in (0..60_000).step_by(every_ms as usize) {
            rate.arrived(t);
            look = rate.look(t, frames_per_10s);
        }
        look
    }

    #[test]
    fn fewer_than_half_is_too_few() {
        assert_eq!(fed(1000, 10), Look::Sees);
        assert_eq!(fed(1900, 10), Look::Sees);
        assert_eq!(fed(2500, 10), Look::Blind);
        assert_eq!(fed(5000, 2), Look::Sees);
        assert_eq!(fed(100, 100), Look::Sees);
        assert_eq!(fed(250, 100), Look::Blind);
    }

    #[test]
    fn the_first_seconds_say_nothing() {
        let mut rate = Rate::default();
        rate.arrived(0);
        assert_eq!(rate.look(15_000, 10), Look::CannotTell);
    }
}
