//! How rare a magnitude is in its own history.
use super::exact;
use serde::{Deserialize, Serialize};

/// Eighths of an octave between 2^-48 and 2^48.
const OCTAVES: i64 = 96;
pub(super) const BINS: usize = OCTAVES as usize * 8;
/// 0.5^(1/8000): after 8000 samples (a month at 5 minutes) an observation counts half.
const KEEP: f64 = 0.999_913_360_356_199_7;
/// Weights grow instead of all bins shrinking; before they overflow, everything is scaled back.
const RESCALE: f64 = 1e200;

/// A histogram of magnitudes on a logarithmic scale, with exponential forgetting. 6 KiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tail {
    #[serde(with = "exact::sparse")]
    bins: Vec<f64>,
    #[serde(with = "exact")]
    total: f64,
    #[serde(with = "exact")]
    unit: f64,
    /// Highest bin ever filled: where looking from the top begins.
    top: usize,
}

impl Default for Tail {
    fn default() -> Self {
        Self { bins: vec![0.0; BINS], total: 0.0, unit: 1.0, top: 0 }
    }
}

/// Bin of a magnitude, from the bits of the float: exponent and the first three binary digits. 0 is the bin of zero.
fn bin(r: f64) -> usize {
    let eighth = (r.to_bits() >> 49) as i64 - ((1023 - OCTAVES / 2) << 3);
    if r > 0.0 { eighth.clamp(1, BINS as i64 - 1) as usize } else { 0 }
}

/// Lower edge of a bin.
fn edge(bin: usize) -> f64 {
    f64::from_bits(((bin as i64 + ((1023 - OCTAVES / 2) << 3)) as u64) << 49)
}

impl Tail {
    /// Once in how many samples is a magnitude of `r` or more expected? `prior` unremarkable samples are assumed to have been seen
    /// before; `share` of the history (at least `least` samples) is its tail, beyond which a Pareto law with index 1.5 is assumed: twice the
    /// magnitude is 2.8 times as rare. (The index of the exceedances of a heavy-tailed series is not measurable from three of them.)
    pub fn rarity(&self, r: f64, prior: f64, share: f64, least: f64) -> f64 {
        let at = bin(r);
        if at == 0 {
            return 1.0;
        }
        let n = self.total / self.unit + prior;
        let tail = (share * n).max(least);
        let (mut above, mut lowest, mut i) = (0.0, 0, self.top);
        while i > 0 && above < tail {
            if self.bins[i] > 0.0 {
                above += self.bins[i] / self.unit;
                lowest = i;
            }
            i -= 1;
        }
        if above < tail && lowest == 0 {
            return n;
        }
        if at < lowest {
            above += self.bins[at..lowest].iter().sum::<f64>() / self.unit;
            return n / above.max(1.0);
        }
        let beyond = r / edge(lowest);
        n / above.max(1.0) * beyond * beyond.sqrt()
    }

    pub fn heap_bytes(&self) -> usize {
        self.bins.capacity() * size_of::<f64>()
    }

    pub fn push(&mut self, r: f64) {
        self.unit /= KEEP;
        let at = bin(r);
        self.bins[at] += self.unit;
        self.total += self.unit;
        self.top = self.top.max(at);
        if self.unit > RESCALE {
            let unit = self.unit;
            self.bins.iter_mut().for_each(|b| *b /= unit);
            self.total /= unit;
            self.unit = 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_eighths_of_octaves() {
        assert_eq!(bin(0.0), 0);
        assert_eq!(bin(f64::MIN_POSITIVE), 1);
        assert_eq!(bin(f64::MAX), BINS - 1);
        assert_eq!(bin(2.0) - bin(1.0), 8);
        for b in 1..BINS {
            assert_eq!(bin(edge(b)), b);
        }
    }

    #[test]
    fn rarity_is_the_rank_inside_and_grows_beyond() {
        let mut t = Tail::default();
        for i in 0..1000 {
            t.push(if i % 100 == 0 { 8.0 } else { 1.0 });
        }
        let rare = |r| t.rarity(r, 0.0, 0.003, 3.0);
        assert_eq!(rare(0.0), 1.0);
        assert!((0.9..1.1).contains(&rare(1.0)));
        assert!((80.0..120.0).contains(&rare(8.0)));
        assert!((220.0..340.0).contains(&rare(16.0)), "{}", rare(16.0));
    }

    #[test]
    fn weights_never_overflow() {
        let mut t = Tail { unit: 0.99e200, ..Tail::default() };
        for _ in 0..1000 {
            t.push(1.0);
        }
        assert!(t.unit < RESCALE && t.rarity(1.0, 0.0, 0.003, 3.0).is_finite());
    }
}
