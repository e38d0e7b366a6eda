//! Sensirion SHT40/41/45: temperature and humidity (data sheet SHT4x 6.5).
use super::{bus, climate, climate::Climate};
use crate::sensor::{Fault, Sample, Sensor};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};
use sht4x::{Error, Precision, SensorData, Sht4xAsync};

pub struct Sht4x<'a, I, D> {
    chip: Sht4xAsync<I, D>,
    delay: D,
    climate: Option<&'a Climate>,
}

impl<'a, I: I2c, D: DelayNs> Sht4x<'a, I, D> {
    /// `climate` is told what it measures.
    pub fn new(i2c: I, delay: D, climate: Option<&'a Climate>) -> Self {
        Sht4x { chip: Sht4xAsync::new(i2c), delay, climate }
    }

    async fn measure(&mut self) -> Result<Sample, Fault> {
        let raw = self.chip.measure_raw(Precision::High, &mut self.delay).await.map_err(fault)?;
        let (temperature, humidity) = values(&raw);
        let sample = climate::judged(temperature, humidity)?;
        if let Some(room) = self.climate {
            // This chip's scale of humidity runs from -6 to 119 %.
            let ticks = (humidity.clamp(0.0, 100.0) * 655.35 + 0.5) as u16;
            room.set(raw.temperature, ticks);
        }
        Ok(sample)
    }
}

impl<I: I2c, D: DelayNs> Sensor for Sht4x<'_, I, D> {
    fn name(&self) -> &'static str {
        "sht4x"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        self.chip.soft_reset(&mut self.delay).await.map_err(fault)?;
        self.chip.serial_number(&mut self.delay).await.map(|_| ()).map_err(fault)
    }
    async fn sample(&mut self, _now_ms: u64) -> Result<Sample, Fault> {
        let result = self.measure().await;
        if let (Err(_), Some(room)) = (&result, self.climate) {
            room.forget();
        }
        result
    }
}

/// Section 4.6: °C and per cent. The ends of the scale, -45 and 130 °C, -6 and 119 %, are outside what is taken.
fn values(raw: &SensorData) -> (f64, f64) {
    (-45.0 + 175.0 * f64::from(raw.temperature) / 65535.0, -6.0 + 125.0 * f64::from(raw.humidity) / 65535.0)
}

fn fault<E: embedded_hal_async::i2c::Error>(error: Error<E>) -> Fault {
    match error {
        Error::I2c(e) => bus::fault(e),
        _ => Fault::Corrupt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Bus, block_on, shown, words};
    use embedded_hal_mock::eh1::{delay::NoopDelay, i2c::Mock, i2c::Transaction};
    use proptest::prelude::*;

    #[test]
    fn measures_as_the_data_sheet_says() {
        let mut i2c = Mock::new(&[
            Transaction::write(0x44, vec![0x94]),
            Transaction::write(0x44, vec![0x89]),
            Transaction::read(0x44, words(&[0x1234, 0x5678])),
            Transaction::write(0x44, vec![0xFD]),
            Transaction::read(0x44, words(&[0x6666, 0x72B0])),
        ]);
        let room = Climate::new();
        let mut sensor = Sht4x::new(i2c.clone(), NoopDelay, Some(&room));
        block_on(sensor.start()).unwrap();
        assert_eq!(shown(block_on(sensor.sample(0))), "temperature 25, humidity 50");
        assert_eq!(room.ticks(), (0x6666, 0x8000));
        i2c.done();
    }

    #[test]
    fn every_fault_is_a_fault() {
        for (bus, fault) in [
            (Bus::absent(), Fault::Missing),
            (Bus::filled(0x00), Fault::Corrupt),
            (Bus::filled(0xFF), Fault::Corrupt),
            (Bus::answers(&words(&[0x0000, 0x72B0])), Fault::OutOfRange),
            (Bus::answers(&words(&[0xFFFF, 0x72B0])), Fault::OutOfRange),
            (Bus::answers(&words(&[0x6666, 0x0000])), Fault::OutOfRange),
            (Bus::answers(&words(&[0x6666, 0xFFFF])), Fault::OutOfRange),
        ] {
            let room = Climate::new();
            room.set(1, 1);
            let mut sensor = Sht4x::new(bus, NoopDelay, Some(&room));
            assert_eq!(block_on(sensor.sample(0)), Err(fault));
            assert_eq!(room.ticks(), (0x6666, 0x8000), "others go on with what is known of no room");
        }
        assert_eq!(block_on(Sht4x::new(Bus::absent(), NoopDelay, None).start()), Err(Fault::Missing));
    }

    proptest! {
        #[test]
        fn any_words_are_a_value_in_range_or_a_fault(t: u16, rh: u16) {
            if let Ok(sample) = block_on(Sht4x::new(Bus::answers(&words(&[t, rh])), NoopDelay, None).sample(0)) {
                prop_assert!((-4000..=12500).contains(&sample[0].value.0) && (0..=10000).contains(&sample[1].value.0));
            }
        }
    }
}
