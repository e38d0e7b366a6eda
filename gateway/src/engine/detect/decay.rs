//! A gas that people give off and that does not go away as it does in an empty room. The level is how many per cent of the excess over the
//! outdoor air are left after the window.
use crate::engine::input::EngineMs;
use crate::engine::rules::Rule;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use tuoan_protocol::Fixed;

/// Buckets in a window; each bucket's mean counts, so that one noisy sample decides nothing.
const BUCKETS: i64 = 6;
const COUNT_LIMIT: u32 = 1 << 20;
const VALUE_LIMIT: i64 = 1 << 40;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decay {
    /// Finished buckets: (number since the epoch of engine time, mean).
    done: VecDeque<(i64, i64)>,
    bucket: i64,
    sum: i64,
    count: u32,
    level: Option<i64>,
}

impl Decay {
    /// `None` while the window is not covered, or there was too little to begin with.
    pub fn sample(&mut self, rule: &Rule, value: Fixed, at: EngineMs) -> Option<i64> {
        let width = (rule.window / BUCKETS).max(1);
        let bucket = at.div_euclid(width);
        if self.count > 0 && bucket != self.bucket {
            self.done.push_back((self.bucket, self.sum / i64::from(self.count)));
            (self.sum, self.count) = (0, 0);
            while self.done.front().is_some_and(|&(b, _)| b < bucket.saturating_sub(BUCKETS + 1)) {
                self.done.pop_front();
            }
            self.level = self.left(rule);
        }
        self.bucket = bucket;
        if self.count < COUNT_LIMIT {
            self.sum += value.0.clamp(-VALUE_LIMIT, VALUE_LIMIT);
            self.count += 1;
        }
        self.level
    }
    pub fn last(&self) -> Option<i64> {
        self.level
    }

    fn left(&self, rule: &Rule) -> Option<i64> {
        let (&(first, before), &(last, now)) = (self.done.front()?, self.done.back()?);
        let excess = before.checked_sub(rule.decay.outdoors)?;
        if last.saturating_sub(first) < BUCKETS || self.done.len() < (BUCKETS + 1) as usize || before < rule.decay.from || excess <= 0 {
            return None;
        }
        i64::try_from(i128::from(now.saturating_sub(rule.decay.outdoors)) * 100 / i128::from(excess)).ok()
    }
}
