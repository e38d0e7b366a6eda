//! Made-up scenes with known truth: bodies of sticks that move through a room, seen by a pinhole camera, and what a pose model would make of them.
//!
//! There are no recordings of children in danger, and there should be none. So every hazard of the cameras is played here, many times and each time
//! differently, together with what looks like it and is harmless; [`judge`] counts what the scenes' detectors make of it. What that proves is that geometry,
//! tracking and timing are right for people who move as written here and for a model that errs as measured; not that the model finds a real child under a real quilt.
//!
//! | file | holds |
//! |---|---|
//! | [`body`] | sticks: postures and the ways between them |
//! | [`eye`] | the camera, and how the pose model errs |
//! | [`plays`] | what happens, for each hazard and for what resembles it |
//! | [`judge`] | the figures |
pub mod body;
pub mod eye;
pub mod judge;
pub mod plays;

/// Random numbers that are the same everywhere (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Of mean 0 and variance 1: the sum of twelve is near enough to a normal distribution, and the same on every machine.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    pub fn one_of<T: Copy>(&mut self, of: &[T], otherwise: T) -> T {
        of.get((self.next() % of.len().max(1) as u64) as usize).copied().unwrap_or(otherwise)
    }
}
