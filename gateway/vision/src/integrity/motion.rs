//! How much of the picture changed since the last one: the gate that spares looking for people where nothing moved.
use super::luma::Luma;

/// A cell changed when it differs by this many levels more than the picture's common change,
const LEVELS: f32 = 5.0;
/// or by so many times what cells differ without cause (noise, compression), whichever is more.
const NOISE_TIMES: f32 = 6.0;
/// How fast the noise is followed.
const NOISE_RATE: f32 = 0.1;

#[derive(Debug, Clone, Default)]
pub struct Motion {
    last: Option<Luma>,
    /// The usual size of a cell's difference where nothing moves, in levels.
    noise: f32,
    share: f32,
}

impl Motion {
    /// Of the size as before.
    pub fn see(&mut self, cells: &Luma) {
        self.share = match &self.last {
            Some(last) if last.data.len() == cells.data.len() => self.compare(&last.data.clone(), &cells.data),
            // Nothing to compare with: look at it.
            _ => 1.0,
        };
        self.last = Some(cells.clone());
    }

    /// 0 to 1.
    pub fn share(&self) -> f32 {
        self.share
    }

    fn compare(&mut self, before: &[u8], now: &[u8]) -> f32 {
        let mean = |d: &[u8]| d.iter().map(|v| f32::from(*v)).sum::<f32>() / d.len().max(1) as f32;
        // A lamp, a cloud or the exposure changes all by one factor: that is no motion.
        let gain = ((mean(now) + 1.0) / (mean(before) + 1.0)).clamp(0.25, 4.0);
        let mut differences: Vec<f32> = before.iter().zip(now).map(|(b, n)| f32::from(*n) - gain * f32::from(*b)).collect();
        let middle = median(&mut differences.clone());
        differences.iter_mut().for_each(|d| *d = (*d - middle).abs());
        let usual = median(&mut differences.clone());
        self.noise += NOISE_RATE * (usual - self.noise);
        let limit = LEVELS.max(NOISE_TIMES * self.noise.max(usual));
        differences.iter().filter(|d| **d > limit).count() as f32 / differences.len().max(1) as f32
    }
}

/// 0 of nothing.
pub fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 80;
    const HEIGHT: usize = 45;

    fn cells(f: impl Fn(usize, usize) -> u8) -> Luma {
        Luma { width: WIDTH, height: HEIGHT, data: (0..WIDTH * HEIGHT).map(|i| f(i % WIDTH, i / WIDTH)).collect() }
    }

    #[test]
    fn a_walker_moves_and_a_lamp_does_not() {
        let mut motion = Motion::default();
        let room = |x: usize, y: usize| (60 + x + y) as u8;
        motion.see(&cells(room));
        assert_eq!(motion.share(), 1.0, "the first picture is looked at");
        motion.see(&cells(room));
        assert_eq!(motion.share(), 0.0);
        motion.see(&cells(|x, y| if (10..16).contains(&x) && (10..30).contains(&y) { 20 } else { room(x, y) }));
        assert!((motion.share() - 120.0 / 3600.0).abs() < 0.005, "{}", motion.share());
        motion.see(&cells(room));
        motion.see(&cells(|x, y| (f32::from(room(x, y)) * 0.6) as u8));
        assert!(motion.share() < 0.02, "{}", motion.share());
    }

    #[test]
    fn noise_does_not_move() {
        let mut motion = Motion::default();
        let mut seed = 1u32;
        for _ in 0..20 {
            let noisy = cells(|_, _| 100);
            let data = noisy.data.iter().map(|v| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                v + (seed >> 28) as u8
            });
            motion.see(&Luma { data: data.collect(), ..noisy });
        }
        assert!(motion.share() < 0.01, "{}", motion.share());
    }
}
