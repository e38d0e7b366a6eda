//! Mean over a window, as air standards ask: 60 buckets whatever the window, each bucket's mean weighing the same, so that a burst of
//! messages does not outweigh a quiet hour.
use crate::engine::input::EngineMs;
use crate::engine::rules::Rule;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use tuoan_protocol::Fixed;

/// Buckets in every window.
pub const BUCKETS: i64 = 60;
/// Values and counts are limited so that a bucket's sum never overflows.
const VALUE_LIMIT: i64 = 1 << 40;
const COUNT_LIMIT: u32 = 1 << 20;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Means {
    /// Finished buckets: (number since the epoch of engine time, mean).
    done: VecDeque<(i64, i64)>,
    /// The bucket being filled.
    bucket: i64,
    sum: i64,
    count: u32,
    /// Last sample and its time: a sensor that reports rarely still holds its value until the next report.
    last_value: i64,
    last_at: EngineMs,
    mean: Option<i64>,
}

impl Means {
    /// The mean over the last full window, judged when a bucket is finished; otherwise as it was. `None` while too little of the window is
    /// covered. `carry`: how long a value may stand for the time after it.
    pub fn sample(&mut self, rule: &Rule, value: Fixed, at: EngineMs, carry: i64) -> Option<i64> {
        let width = (rule.window / BUCKETS).max(1);
        let bucket = at.div_euclid(width);
        let value = value.0.clamp(-VALUE_LIMIT, VALUE_LIMIT);
        if self.count > 0 && bucket > self.bucket {
            self.finish(bucket, at.saturating_sub(self.last_at) <= carry);
            self.mean = self.covered_mean(bucket, rule.coverage);
        }
        self.bucket = bucket;
        if self.count < COUNT_LIMIT {
            self.sum += value;
            self.count += 1;
        }
        (self.last_value, self.last_at) = (value, at);
        self.mean
    }
    pub fn last(&self) -> Option<i64> {
        self.mean
    }

    fn finish(&mut self, next: i64, carried: bool) {
        self.done.push_back((self.bucket, self.sum / i64::from(self.count)));
        if carried {
            let first = self.bucket.saturating_add(1).max(next.saturating_sub(BUCKETS));
            self.done.extend((first..next).map(|b| (b, self.last_value)));
        }
        (self.sum, self.count) = (0, 0);
        let oldest = next.saturating_sub(BUCKETS);
        while self.done.front().is_some_and(|&(b, _)| b < oldest) {
            self.done.pop_front();
        }
    }
    fn covered_mean(&self, _next: i64, coverage: u8) -> Option<i64> {
        let n = i64::try_from(self.done.len()).ok()?;
        if n == 0 || n * 100 < BUCKETS * i64::from(coverage) {
            return None;
        }
        let sum: i128 = self.done.iter().map(|&(_, m)| i128::from(m)).sum();
        // Rounded to the nearest, so that a steady value has that value as its mean.
        i64::try_from((sum + i128::from(n / 2)).div_euclid(i128::from(n))).ok()
    }
}
