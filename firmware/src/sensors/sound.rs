//! Sound level by a digital microphone (INMP441, ICS-43434 over I²S): the A-weighted equivalent level of a second, and nothing else. No sample outlives the
//! block it came in, 64 of them; nothing that was said can be got out of this file.
use super::sample;
use super::waveform::{BLOCK, Waveform, is_clipped};
use crate::sensor::{Fault, Sample, Sensor, reading};
use core::f32::consts::PI;
use tuoan_protocol::Quantity;

/// Poles of the A-weighting in hertz (IEC 61672-1:2013, annex E): four high passes of first order, the first one twice; a low pass, twice.
const HIGH_PASS_HZ: [f32; 4] = [20.598997, 20.598997, 107.65265, 737.86223];
const LOW_PASS_HZ: f32 = 12_194.217;

/// A-weighting as six filters of first order. The low passes are impulse-invariant: near half the sampling rate they err less than by the bilinear
/// transform, and to the louder side. Against the standard's curve: within 0.1 dB to 1 kHz at any rate; at 48 kHz +0.7 dB at 8 kHz and +2.9 at 16 kHz, at
/// 16 kHz +1.8 dB at 6.3 kHz: inside the limits of class 2 (table 3). The microphone has its own errors: this makes no sound level meter of class 2.
struct AWeighting {
    high: [(f32, f32, f32); 4],
    low: [(f32, f32); 2],
    gain: f32,
}

impl AWeighting {
    fn new(rate: u32) -> AWeighting {
        let rate = rate.max(1) as f32;
        // Bilinear: the zero at 0 Hz is exact.
        let high = HIGH_PASS_HZ.map(|hz| {
            let k = libm::tanf(PI * hz / rate);
            ((1.0 - k) / (1.0 + k), 0.0, 0.0)
        });
        let low = [(libm::expf(-2.0 * PI * LOW_PASS_HZ / rate), 0.0); 2];
        // |1 - a z| at 1 kHz, where the weighting is 0 dB.
        let w = 2.0 * PI * 1000.0 / rate;
        let distance = |a: f32| libm::sqrtf(1.0 - 2.0 * a * libm::cosf(w) + a * a);
        let high_gain: f32 = high.iter().map(|(a, ..)| distance(1.0) / distance(*a)).product();
        let low_gain: f32 = low.iter().map(|(a, _)| 1.0 / distance(*a)).product();
        AWeighting { high, low, gain: 1.0 / (high_gain * low_gain) }
    }

    fn next(&mut self, x: f32) -> f32 {
        let mut v = x;
        for (a, before, y) in &mut self.high {
            *y = *a * *y + (v - *before);
            *before = v;
            v = *y;
        }
        for (a, y) in &mut self.low {
            *y = *a * *y + v;
            v = *y;
        }
        v * self.gain
    }
}

/// The filters' memory of what was before (20 Hz) is gone by then.
const SETTLE_MS: u32 = 125;
const LEVEL_MS: u32 = 1_000;
/// No room is as still, and no such microphone: it is dead.
const LEAST_DB: f64 = 15.0;
/// More than one clipped sample in so many: louder than can be told.
const CLIPPED: u32 = 100;

pub struct SoundLevel<W> {
    microphone: W,
    full_scale_db: f32,
}

impl<W: Waveform> SoundLevel<W> {
    /// `full_scale_db`: the level of a sine of 1 kHz that just fills the scale; 94 minus the data sheet's sensitivity in dBFS, so 120 for INMP441 and
    /// ICS-43434 (-26 dBFS).
    pub fn new(microphone: W, full_scale_db: f32) -> Self {
        SoundLevel { microphone, full_scale_db }
    }
}

impl<W: Waveform> Sensor for SoundLevel<W> {
    fn name(&self) -> &'static str {
        "sound"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    /// Listens for somewhat more than a second.
    async fn sample(&mut self, _now_ms: u64) -> Result<Sample, Fault> {
        let rate = self.microphone.rate();
        let blocks = |ms: u32| (rate / 1000 * ms).div_ceil(BLOCK as u32);
        let mut weighting = AWeighting::new(rate);
        let (mut energy, mut clipped, mut first, mut alive, mut n) = (0.0f64, 0u32, None, false, 0);
        let each = |block: &[i32; BLOCK]| {
            let mut of_block = 0.0f32;
            for sample in block {
                alive |= *first.get_or_insert(*sample) != *sample;
                clipped += u32::from(is_clipped(*sample));
                let weighted = weighting.next(*sample as f32 / i32::MAX as f32);
                of_block += weighted * weighted;
            }
            if n >= blocks(SETTLE_MS) {
                energy += f64::from(of_block);
            }
            n += 1;
        };
        self.microphone.blocks(blocks(SETTLE_MS) + blocks(LEVEL_MS), each).await?;
        if !alive {
            // The data line stands still: no microphone drives it.
            return Err(Fault::Missing);
        }
        let counted = blocks(LEVEL_MS).saturating_mul(BLOCK as u32).max(1);
        if clipped > counted / CLIPPED {
            return Err(Fault::OutOfRange);
        }
        // A full sine has half the energy of the full scale.
        let level = f64::from(self.full_scale_db) + 10.0 * libm::log10(2.0 * energy / f64::from(counted));
        if !(LEAST_DB..=f64::from(self.full_scale_db) + 3.0).contains(&level) {
            return Err(Fault::OutOfRange);
        }
        Ok(sample([reading(Quantity::SoundLevel, level)?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Wave, block_on, shown};
    use proptest::prelude::*;

    fn level(rate: u32, hz: f64, amplitude: f64) -> f64 {
        let wave = Wave::new(rate, move |t| amplitude * (2.0 * std::f64::consts::PI * hz * t).sin());
        let sample = block_on(SoundLevel::new(wave, 120.0).sample(0)).unwrap();
        sample[0].value.0 as f64 / 10.0
    }

    /// Nominal weighting and the limits of class 2 (IEC 61672-1:2013, table 3, from secondary sources: not compared with the text of the standard).
    const CLASS_2: [(f64, f64, f64, f64); 14] = [
        (31.5, -39.4, 3.0, 3.0),
        (63.0, -26.2, 2.0, 2.0),
        (125.0, -16.1, 1.5, 1.5),
        (250.0, -8.6, 1.5, 1.5),
        (500.0, -3.2, 1.5, 1.5),
        (1000.0, 0.0, 1.0, 1.0),
        (2000.0, 1.2, 2.0, 2.0),
        (3150.0, 1.2, 2.5, 2.5),
        (4000.0, 1.0, 3.0, 3.0),
        (5000.0, 0.5, 3.5, 3.5),
        (6300.0, -0.1, 4.5, 4.5),
        (8000.0, -1.1, 5.0, 5.0),
        (12500.0, -4.3, 5.0, f64::INFINITY),
        (16000.0, -6.6, 5.0, f64::INFINITY),
    ];

    #[test]
    fn a_full_sine_of_1_khz_has_the_calibrated_level() {
        for rate in [16_000, 32_000, 48_000] {
            assert!((level(rate, 1000.0, 0.99) - 119.9).abs() <= 0.1, "{rate}");
            // 94 dB, and a whisper.
            assert!((level(rate, 1000.0, 0.050119) - 94.0).abs() <= 0.1, "{rate}");
            assert!((level(rate, 1000.0, 3.1623e-5) - 30.0).abs() <= 0.2, "{rate}");
        }
    }

    #[test]
    fn weights_lie_within_class_2() {
        for rate in [16_000, 32_000, 48_000] {
            for (hz, weight, above, below) in CLASS_2.into_iter().filter(|c| c.0 < 0.42 * f64::from(rate)) {
                let error = level(rate, hz, 0.5) - (120.0 - 6.0206) - weight;
                assert!(error <= above && -error <= below, "{hz} Hz at {rate}: {error:+.1} dB");
            }
        }
    }

    #[test]
    fn a_steady_offset_is_no_sound() {
        let wave = Wave::new(32_000, |t| 0.3 + 0.0158114 * (2.0 * std::f64::consts::PI * 1000.0 * t).sin());
        assert_eq!(shown(block_on(SoundLevel::new(wave, 120.0).sample(0))), "sound_level 84");
    }

    #[test]
    fn every_fault_is_a_fault() {
        let look = |f: fn(f64) -> f64| block_on(SoundLevel::new(Wave::new(16_000, f), 120.0).sample(0));
        assert_eq!(look(|_| 0.0), Err(Fault::Missing));
        assert_eq!(look(|_| 1.0), Err(Fault::Missing));
        assert_eq!(look(|t| (t * 7000.0).sin().signum()), Err(Fault::OutOfRange));
        assert_eq!(look(|t| 1e-7 * (t * 6000.0).sin()), Err(Fault::OutOfRange));
        let broken = Wave::broken(16_000, Fault::Corrupt);
        assert_eq!(block_on(SoundLevel::new(broken, 120.0).sample(0)), Err(Fault::Corrupt));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_samples_are_in_range_or_a_fault(values in proptest::collection::vec(any::<i32>(), 1..200), shift in 0u32..32) {
            let wave = Wave::of(8_000, values.into_iter().map(|v| v >> shift).collect());
            if let Ok(sample) = block_on(SoundLevel::new(wave, 120.0).sample(0)) {
                prop_assert!((150..=1230).contains(&sample[0].value.0));
            }
        }
    }
}
