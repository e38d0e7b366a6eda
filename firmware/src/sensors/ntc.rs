//! A thermistor (NTC) to ground with a resistor to the supply: water pipes, fridges.
use super::line::Adc;
use super::sample;
use crate::sensor::{Fault, Sample, Sensor, reading};
use tuoan_protocol::Quantity;

/// Resistance at 25 °C in ohms and the B parameter in kelvin (25/85), as its data sheet gives them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    pub r25: f32,
    pub b: f32,
}

/// The common 10 kΩ probe.
pub const B3950: Curve = Curve { r25: 10_000.0, b: 3950.0 };

/// What a coated probe is specified for, in °C.
const RANGE: core::ops::RangeInclusive<f32> = -40.0..=125.0;
/// Shares of the supply (of 65535) that no thermistor makes: about 0.2 % from either end.
const SHORT_BELOW: u16 = 131;
const CUT_ABOVE: u16 = u16::MAX - 131;
/// Conversions of one look, against noise.
const LOOKS: u32 = 16;

pub struct Ntc<A> {
    adc: A,
    curve: Curve,
    to_supply: f32,
    quantity: Quantity,
}

impl<A: Adc> Ntc<A> {
    /// `to_supply`: the resistor in ohms. `quantity` is what it hangs in: `water_temperature`, `fridge_temperature`, `temperature`.
    pub fn new(adc: A, curve: Curve, to_supply: f32, quantity: Quantity) -> Self {
        Ntc { adc, curve, to_supply, quantity }
    }
}

impl<A: Adc> Sensor for Ntc<A> {
    fn name(&self) -> &'static str {
        "ntc"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    async fn sample(&mut self, _now_ms: u64) -> Result<Sample, Fault> {
        let mut sum = 0u32;
        for _ in 0..LOOKS {
            sum += match self.adc.read()? {
                ..SHORT_BELOW => return Err(Fault::Short),
                at if at > CUT_ABOVE => return Err(Fault::Cut),
                at => u32::from(at),
            };
        }
        let share = sum as f32 / (LOOKS * u32::from(u16::MAX)) as f32;
        let ohms = self.to_supply * share / (1.0 - share);
        let celsius = 1.0 / (1.0 / 298.15 + libm::logf(ohms / self.curve.r25) / self.curve.b) - 273.15;
        if !RANGE.contains(&celsius) {
            return Err(Fault::OutOfRange);
        }
        Ok(sample([reading(self.quantity.clone(), f64::from(celsius))?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Counts, block_on, shown};
    use proptest::prelude::*;

    fn look(counts: impl IntoIterator<Item = u16>) -> Result<Sample, Fault> {
        block_on(Ntc::new(Counts::new(counts), B3950, 10_000.0, Quantity::WaterTemperature).sample(0))
    }
    fn at(ohms: f64) -> Result<Sample, Fault> {
        look([(ohms / (ohms + 10_000.0) * 65535.0).round() as u16])
    }

    #[test]
    fn values_of_the_curve() {
        for (ohms, celsius) in [(10_000.0, 25.0), (33_620.0, 0.0), (4_347.0, 45.0), (697.0, 100.0)] {
            let got = at(ohms).unwrap()[0].value.0 as f64 / 100.0;
            assert!((got - celsius).abs() < 0.6, "{ohms} Ω: {got} °C");
        }
        assert_eq!(shown(look([32000, 33534])).split(' ').next(), Some("water_temperature"));
    }

    #[test]
    fn every_fault_is_a_fault() {
        assert_eq!(look([0]), Err(Fault::Short));
        assert_eq!(look([u16::MAX]), Err(Fault::Cut));
        assert_eq!(look([32768, 32768, u16::MAX]), Err(Fault::Cut), "a loose wire");
        assert_eq!(at(100.0), Err(Fault::OutOfRange));
        assert_eq!(at(900_000.0), Err(Fault::OutOfRange));
    }

    proptest! {
        #[test]
        fn any_count_is_in_range_or_a_fault(counts: u16, b in 0.0f32..10_000.0, r25 in 0.0f32..1e6) {
            let mut sensor = Ntc::new(Counts::new([counts]), Curve { r25, b }, 10_000.0, Quantity::Temperature);
            if let Ok(sample) = block_on(sensor.sample(0)) {
                prop_assert!((-4000..=12500).contains(&sample[0].value.0));
            }
        }
    }
}
