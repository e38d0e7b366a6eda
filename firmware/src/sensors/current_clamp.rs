//! A current transformer around one mains wire (SCT-013 and the like, with its burden), biased to the middle of the converter's scale.
use super::sample;
use super::waveform::{BLOCK, Waveform, is_clipped};
use crate::sensor::{Fault, Sample, Sensor, reading};
use tuoan_protocol::Quantity;

/// Fifty cycles at 50 Hz, sixty at 60: that the last block is not whole cycles does not count then.
const WINDOW_MS: u32 = 1_000;
/// The bias lies within this share of the middle; otherwise a resistor or wire of the divider is broken.
const BIAS: f64 = 0.1;
/// Below this share of the scale there is only the converter's noise.
const NOISE: f64 = 0.002;

pub struct CurrentClamp<W> {
    adc: W,
    amps: f64,
    volts: Option<f64>,
}

impl<W: Waveform> CurrentClamp<W> {
    /// `amps`: the momentary current that drives the converter to the end of its scale, e.g. turns · half the reference voltage / burden in ohms. With
    /// `volts`, the mains' nominal voltage, `power` is reported too: volts times amperes, so the most it can be, since the phase is not measured.
    /// That the clamp has been pulled from its socket cannot be told from no current: use a switched socket on a supervised line where it matters.
    pub fn new(adc: W, amps: f32, volts: Option<f32>) -> Self {
        CurrentClamp { adc, amps: f64::from(amps), volts: volts.map(f64::from) }
    }
}

impl<W: Waveform> Sensor for CurrentClamp<W> {
    fn name(&self) -> &'static str {
        "current"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    async fn sample(&mut self, _now_ms: u64) -> Result<Sample, Fault> {
        let blocks = (self.adc.rate().saturating_mul(WINDOW_MS) / 1000).div_ceil(BLOCK as u32);
        let (mut sum, mut squares, mut clipped) = (0.0, 0.0, false);
        let each = |block: &[i32; BLOCK]| {
            for sample in block {
                clipped |= is_clipped(*sample);
                let share = f64::from(*sample) / f64::from(i32::MAX);
                sum += share;
                squares += share * share;
            }
        };
        self.adc.blocks(blocks, each).await?;
        if clipped {
            return Err(Fault::OutOfRange);
        }
        let count = f64::from(blocks.max(1)) * BLOCK as f64;
        let bias = sum / count;
        match bias {
            _ if bias > BIAS => return Err(Fault::Cut),
            _ if bias < -BIAS => return Err(Fault::Short),
            _ => {}
        }
        let rms = libm::sqrt((squares / count - bias * bias).max(0.0));
        let amperes = if rms < NOISE { 0.0 } else { rms * self.amps };
        let mut all = sample([reading(Quantity::Current, amperes)?]);
        if let Some(volts) = self.volts {
            all.extend([reading(Quantity::Power, volts * amperes)?]);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Wave, block_on, shown};
    use proptest::prelude::*;

    fn look(f: impl Fn(f64) -> f64 + 'static) -> Result<Sample, Fault> {
        block_on(CurrentClamp::new(Wave::new(3_200, f), 50.0, Some(220.0)).sample(0))
    }
    fn mains(t: f64) -> f64 {
        (2.0 * std::f64::consts::PI * 50.0 * t).sin()
    }

    #[test]
    fn the_current_of_a_sine() {
        // A peak of 10 A.
        assert_eq!(shown(look(|t| 0.2 * mains(t))), "current 7.071, power 1555.6");
        assert_eq!(shown(look(|t| 0.03 + 0.2 * mains(t))), "current 7.071, power 1555.6");
        assert_eq!(shown(look(|t| 0.001 * mains(t))), "current 0, power 0");
    }

    #[test]
    fn every_fault_is_a_fault() {
        assert_eq!(look(|_| 1.0), Err(Fault::OutOfRange));
        assert_eq!(look(|_| -1.0), Err(Fault::OutOfRange));
        assert_eq!(look(|t| 1.2 * mains(t)), Err(Fault::OutOfRange));
        assert_eq!(look(|_| 0.9), Err(Fault::Cut));
        assert_eq!(look(|_| -0.9), Err(Fault::Short));
        assert_eq!(block_on(CurrentClamp::new(Wave::broken(4_000, Fault::Missing), 50.0, None).sample(0)), Err(Fault::Missing));
    }

    proptest! {
        #[test]
        fn any_samples_are_in_range_or_a_fault(values in proptest::collection::vec(any::<i32>(), 1..100)) {
            if let Ok(sample) = block_on(CurrentClamp::new(Wave::of(1_000, values), 50.0, None).sample(0)) {
                prop_assert!((0..=50_000).contains(&sample[0].value.0));
            }
        }
    }
}
