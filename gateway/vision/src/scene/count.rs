//! Numbers of people that do not flicker.
use super::Count;
use std::collections::VecDeque;

/// Frames within this time are counted together where somebody waits for the count: at a door.
pub const SHORT_MS: i64 = 3_000;
/// And where it must not flicker, because it is compared for minutes: carers and children of a room.
pub const LONG_MS: i64 = 60_000;
/// Of many frames a second only so many within the time are kept.
const FRAMES: i64 = 60;

/// What a frame shows: `low` are seen now, `likely` are followed, `high` may be there besides.
#[derive(Debug)]
pub struct Counter {
    over_ms: i64,
    frames: VecDeque<(i64, Count)>,
}

impl Counter {
    pub fn new(over_ms: i64) -> Counter {
        Counter { over_ms, frames: VecDeque::new() }
    }

    /// The medians of the last frames, and at least as many as the worst of them may be.
    pub fn see(&mut self, now_ms: i64, count: Count) -> Count {
        // The last place is for the newest frame, whatever its distance.
        let crowded =
            self.frames.len() >= 2 && self.frames[self.frames.len() - 1].0 - self.frames[self.frames.len() - 2].0 < self.over_ms / FRAMES;
        if crowded {
            self.frames.pop_back();
        }
        self.frames.push_back((now_ms, count));
        while self.frames.front().is_some_and(|(at, _)| now_ms - at > self.over_ms) {
            self.frames.pop_front();
        }
        let median = |of: fn(&Count) -> u16| {
            let mut all: Vec<u16> = self.frames.iter().map(|(_, c)| of(c)).collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let likely = median(|c| c.likely);
        Count { low: median(|c| c.low).min(likely), likely, high: median(|c| c.high).max(likely) }
    }
}

/// A number that cannot overflow what it is told in.
pub fn number(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(low: u16, likely: u16, high: u16) -> Count {
        Count { low, likely, high }
    }

    #[test]
    fn one_frame_that_misses_or_doubles_somebody_changes_nothing() {
        let mut counter = Counter::new(SHORT_MS);
        for (at, n) in [(0, 2), (1000, 2), (2000, 0), (3000, 2), (4000, 3), (5000, 2)] {
            assert_eq!(counter.see(at, seen(n, n, n)).likely, 2, "at {at}");
        }
    }

    #[test]
    fn a_lasting_change_is_told_within_two_seconds_and_at_once_by_a_slow_camera() {
        let mut counter = Counter::new(SHORT_MS);
        counter.see(0, seen(0, 0, 0));
        counter.see(1000, seen(0, 0, 0));
        counter.see(2000, seen(1, 1, 1));
        assert_eq!(counter.see(3000, seen(1, 1, 1)).likely, 1);
        assert_eq!(counter.see(8000, seen(4, 4, 5)), seen(4, 4, 5));
    }
}
