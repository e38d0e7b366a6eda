//! What one number of one placed device has learned of itself: how long it stands still, how often it comes, its means.
use super::battery::Battery;
use super::neighbour::Neighbour;
use crate::engine::detect::anomaly::Watch;
use crate::engine::input::EngineMs;
use serde::{Deserialize, Serialize};

/// The detector and the neighbours look at means over so long: a burst of messages weighs no more than one, and a year of a site stays cheap.
pub const BUCKET_MS: i64 = 5 * 60_000;
/// A mean of more than this could overflow its sum.
const VALUE_LIMIT: i64 = 1 << 40;

/// The longest of something in this week and the last: what it is wont to be at most, weekends included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Longest {
    now: u32,
    before: u32,
}

impl Longest {
    /// Takes a length in milliseconds in.
    pub fn note(&mut self, ms: i64) {
        let seconds = u32::try_from(ms / 1000).unwrap_or(u32::MAX);
        if seconds > self.now {
            self.now = seconds;
        }
    }
    pub fn ms(self) -> i64 {
        i64::from(self.now.max(self.before)) * 1000
    }
    /// A week is over.
    pub fn turn(&mut self) {
        (self.before, self.now) = (self.now, 0);
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// Engine time of its first and last plausible value.
    pub first: Option<EngineMs>,
    pub last: EngineMs,
    value: i64,
    /// Since when it stands still, and how many reports say so.
    pub still_since: EngineMs,
    pub still: u32,
    /// How long it stood still at most.
    pub stillness: Longest,
    /// How long it was away at most.
    pub gap: Longest,
    /// Impossible values since the last possible one, and since when.
    pub bad: u32,
    pub bad_since: EngineMs,
    /// The bucket being filled: its number, sum and count.
    bucket: i64,
    sum: i64,
    n: u32,
    /// Means of this hour's finished buckets, for the neighbours.
    hour: i64,
    hour_n: u8,
    pub neighbour: Option<Box<Neighbour>>,
    pub battery: Option<Box<Battery>>,
    pub watch: Option<Box<Watch>>,
}

/// A finished bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Engine time of its middle.
    pub at: EngineMs,
    /// In fixed point, not rounded.
    pub mean: f64,
}

impl Series {
    /// Takes a plausible value in; a bucket when that finished one.
    pub fn take(&mut self, at: EngineMs, value: i64) -> Option<Bucket> {
        let value = value.clamp(-VALUE_LIMIT, VALUE_LIMIT);
        if self.first.is_none() {
            self.first = Some(at);
            self.still_since = at;
        } else if self.last > 0 {
            self.gap.note(at.saturating_sub(self.last));
        }
        if value == self.value && self.still > 0 {
            self.still = self.still.saturating_add(1);
        } else {
            if self.still > 1 {
                self.stillness.note(self.last.saturating_sub(self.still_since).min(super::super::detect::flat::LEARN_MS));
            }
            (self.value, self.still_since, self.still) = (value, at, 1);
        }
        (self.last, self.bad) = (at, 0);
        let bucket = at.div_euclid(BUCKET_MS);
        let done = (self.n > 0 && bucket != self.bucket).then(|| self.finish());
        self.bucket = bucket;
        if self.n < u32::from(u16::MAX) {
            self.sum += value;
            self.n += 1;
        }
        done
    }

    fn finish(&mut self) -> Bucket {
        let mean = self.sum as f64 / f64::from(self.n);
        self.hour = self.hour.saturating_add(self.sum / i64::from(self.n));
        self.hour_n = self.hour_n.saturating_add(1);
        let at = self.bucket.saturating_mul(BUCKET_MS).saturating_add(BUCKET_MS / 2);
        (self.sum, self.n) = (0, 0);
        Bucket { at, mean }
    }

    /// An impossible value has come.
    pub fn refuse(&mut self, at: EngineMs) {
        if self.bad == 0 {
            self.bad_since = at;
        }
        self.bad = self.bad.saturating_add(1);
    }

    /// The mean since this was asked last, when half an hour of it is covered.
    pub fn hour_mean(&mut self) -> Option<i64> {
        let (sum, n) = (std::mem::take(&mut self.hour), std::mem::take(&mut self.hour_n));
        (n >= 6).then(|| sum / i64::from(n))
    }

    /// We were deaf: what spans that time is not the device's doing.
    pub fn interrupted(&mut self) {
        (self.last, self.still) = (0, 0);
    }

    /// How long it has stood still, by its reports.
    pub fn still_ms(&self) -> i64 {
        if self.still > 1 { self.last.saturating_sub(self.still_since) } else { 0 }
    }

    /// It stands at a value.
    pub fn level(&self) -> i64 {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000;

    #[test]
    fn learns_how_long_it_stands_still_and_stays_away() {
        let mut s = Series::default();
        for (minute, v) in [(1, 5), (2, 5), (3, 5), (4, 6), (14, 7), (15, 7)] {
            s.take(minute * MIN, v);
        }
        assert_eq!((s.stillness.ms(), s.gap.ms(), s.still_ms()), (2 * MIN, 10 * MIN, MIN));
        s.stillness.turn();
        assert_eq!(s.stillness.ms(), 2 * MIN, "last week counts");
        s.stillness.turn();
        assert_eq!(s.stillness.ms(), 0);
    }

    #[test]
    fn means_are_of_five_minutes_of_the_clock() {
        let mut s = Series::default();
        let done: Vec<Bucket> = (0..11).filter_map(|m| s.take(m * MIN, m)).collect();
        assert_eq!(done, [Bucket { at: 150_000, mean: 2.0 }, Bucket { at: 450_000, mean: 7.0 }]);
        assert_eq!(s.hour_mean(), None, "too little of the hour");
    }

    #[test]
    fn what_we_did_not_hear_is_not_the_devices_habit() {
        let mut s = Series::default();
        s.take(MIN, 5);
        s.take(2 * MIN, 5);
        s.interrupted();
        s.take(500 * MIN, 5);
        assert_eq!((s.gap.ms(), s.still_ms()), (MIN, 0));
    }
}
