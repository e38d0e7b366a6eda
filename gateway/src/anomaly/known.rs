//! Which values have been seen: a bounded, sorted set of examples.
use super::exact;
use serde::{Deserialize, Serialize};

/// Examples kept: 2 KiB. Half or twice as many change little.
const CAPACITY: usize = 256;

/// Values seen so far, no two nearer to each other than `grain`. When it is full, the grain grows until a quarter is free again,
/// so that the set covers any range with bounded memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    #[serde(with = "exact::list")]
    values: Vec<f64>,
    #[serde(with = "exact")]
    grain: f64,
}

impl Known {
    /// How far `x` lies from the nearest value seen before; `x` is known from now on. 0 for the very first value.
    pub fn distance(&mut self, x: f64) -> f64 {
        let at = self.values.partition_point(|v| *v < x);
        let right = self.values.get(at).map(|v| v - x);
        let left = at.checked_sub(1).and_then(|i| self.values.get(i)).map(|v| x - v);
        let distance = match (left, right) {
            (Some(l), Some(r)) => l.min(r),
            (Some(d), None) | (None, Some(d)) => d,
            (None, None) => {
                self.values.push(x);
                return 0.0;
            }
        };
        if distance > self.grain {
            if self.values.len() < CAPACITY {
                self.values.insert(at, x);
            } else {
                self.coarsen();
                // The kept neighbour may be another one now.
                let at = self.values.partition_point(|v| *v < x);
                let near = self.values.get(at).is_some_and(|v| v - x <= self.grain)
                    || at.checked_sub(1).and_then(|i| self.values.get(i)).is_some_and(|v| x - v <= self.grain);
                if !near {
                    self.values.insert(at, x);
                }
            }
        }
        distance
    }

    pub fn heap_bytes(&self) -> usize {
        self.values.capacity() * size_of::<f64>()
    }

    /// Amortised constant work: at least a quarter of the capacity must be filled before it runs again.
    fn coarsen(&mut self) {
        while self.values.len() > CAPACITY * 3 / 4 {
            let mut gaps: Vec<f64> = self.values.windows(2).map(|w| w[1] - w[0]).collect();
            gaps.sort_by(f64::total_cmp);
            // Growing by a quarter at least ends the loop; starting at the small gaps saves rounds.
            self.grain = (self.grain * 1.25).max(gaps[CAPACITY / 16]);
            let mut last = f64::NEG_INFINITY;
            let grain = self.grain;
            self.values.retain(|v| {
                let keep = *v - last > grain;
                if keep {
                    last = *v;
                }
                keep
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_to_the_nearest_known_value() {
        let mut k = Known::default();
        assert_eq!([5.0, 7.0, 5.0, 6.5, -1.0].map(|x| k.distance(x)), [0.0, 2.0, 0.0, 0.5, 6.0]);
    }

    #[test]
    fn memory_stays_bounded_whatever_comes() {
        let mut k = Known::default();
        let mut x = 1u64;
        for i in 0..50_000u32 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let v = (x >> 20) as f64 / (1 + i % 1000) as f64;
            assert!(k.distance(v) >= 0.0);
            assert!(k.values.len() <= CAPACITY && k.values.is_sorted());
        }
    }
}
