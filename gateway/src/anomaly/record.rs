//! Quantities whose largest value so far is a bound that a healthy sensor keeps: the step from one sample to the next, and the roughness.
use super::exact;
use serde::{Deserialize, Serialize};

/// A bound is half forgotten after 100,000 samples (a year at 5 minutes), so that one wild hour does not blind it for ever.
const KEEP: f64 = 0.999_993_068_552_837_4;

/// The largest magnitude so far. One observation moves it by at most `stretch`, for a fault that goes on must not become the new normal at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(with = "exact")]
    bound: f64,
}

impl Record {
    /// How many times the bound `r` is (0 without a bound), and learns it. While `learning`, whatever comes is taken as it is.
    pub fn ratio(&mut self, r: f64, stretch: f64, learning: bool) -> f64 {
        let bounded = self.bound > 0.0 && !learning;
        let ratio = if bounded { r / self.bound } else { 0.0 };
        let limit = if bounded { self.bound * stretch } else { f64::INFINITY };
        self.bound = (self.bound * KEEP).max(r.min(limit));
        ratio
    }
}

/// Length of the longest flat run, to find a sensor that is stuck.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct FlatRun {
    run: u64,
    longest: u64,
    next: u64,
}

impl FlatRun {
    /// Whether the value has just been unchanged for `times` as long as ever before (and then for `times` as long again, and so on).
    /// Runs of fewer than `least` samples are nothing. A series that has never moved is constant, not stuck.
    pub fn stuck(&mut self, unchanged: bool, times: u64, least: u64) -> bool {
        if !unchanged {
            self.longest = self.longest.max(self.run);
            (self.run, self.next) = (0, 0);
            return false;
        }
        self.run += 1;
        if self.longest == 0 {
            return false;
        }
        if self.next == 0 {
            self.next = self.longest.max(least).saturating_mul(times);
        }
        let reached = self.run == self.next;
        if reached {
            self.next = self.next.saturating_mul(times);
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_learns_slowly_from_what_breaks_it() {
        let mut r = Record::default();
        assert_eq!(r.ratio(1.0, 1.5, true), 0.0);
        assert_eq!(r.ratio(10.0, 1.5, false), 10.0);
        assert!((r.ratio(10.0, 1.5, false) - 10.0 / 1.5).abs() < 1e-9);
    }

    #[test]
    fn stuck_once_per_multiple_of_the_longest_run() {
        let mut f = FlatRun::default();
        assert!(!(0..100).any(|_| f.stuck(true, 4, 10)), "constant from the start");
        let mut f = FlatRun::default();
        for i in 0..50 {
            assert!(!f.stuck(i % 2 == 0, 4, 10));
        }
        let at: Vec<u32> = (1..1000).filter(|_| f.stuck(true, 4, 10)).collect();
        assert_eq!(at, [40, 160, 640]);
    }
}
