//! Sensirion SHT30/31/35: temperature and humidity (data sheet SHT3x-DIS, December 2022).
use super::{climate, climate::Climate, sensirion};
use crate::sensor::{Fault, Sample, Sensor};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};

/// ADDR pin low, as on most breakout boards.
pub const ADDRESS: u8 = 0x44;

const SOFT_RESET: u16 = 0x30A2;
const STATUS: u16 = 0xF32D;
/// Once, high repeatability, no clock stretching: 15.5 ms at most.
const MEASURE: u16 = 0x2400;
/// Bits of the status that a running chip never sets: the last command or its check sum was refused.
const REFUSED: u16 = 0b11;

pub struct Sht3x<'a, I, D> {
    i2c: I,
    delay: D,
    address: u8,
    climate: Option<&'a Climate>,
}

impl<'a, I: I2c, D: DelayNs> Sht3x<'a, I, D> {
    /// `climate` is told what it measures.
    pub fn new(i2c: I, delay: D, address: u8, climate: Option<&'a Climate>) -> Self {
        Sht3x { i2c, delay, address, climate }
    }

    async fn measure(&mut self) -> Result<Sample, Fault> {
        let [temperature, humidity] = sensirion::ask(&mut self.i2c, &mut self.delay, self.address, MEASURE, &[], 16).await?;
        let (t, rh) = sensirion::climate(temperature, humidity)?;
        let sample = climate::judged(t, rh)?;
        if let Some(room) = self.climate {
            room.set(temperature, humidity);
        }
        Ok(sample)
    }
}

impl<I: I2c, D: DelayNs> Sensor for Sht3x<'_, I, D> {
    fn name(&self) -> &'static str {
        "sht3x"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        sensirion::tell(&mut self.i2c, &mut self.delay, self.address, SOFT_RESET, &[], 2).await?;
        let [status] = sensirion::ask(&mut self.i2c, &mut self.delay, self.address, STATUS, &[], 1).await?;
        if status & REFUSED == 0 { Ok(()) } else { Err(Fault::SelfTest) }
    }
    async fn sample(&mut self, _now_ms: u64) -> Result<Sample, Fault> {
        let result = self.measure().await;
        if let (Err(_), Some(room)) = (&result, self.climate) {
            room.forget();
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Bus, block_on, shown, words};
    use embedded_hal_mock::eh1::{delay::NoopDelay, i2c::Mock, i2c::Transaction};
    use proptest::prelude::*;

    fn look(bus: Bus) -> Result<Sample, Fault> {
        block_on(Sht3x::new(bus, NoopDelay, ADDRESS, None).sample(0))
    }

    #[test]
    fn measures_as_the_data_sheet_says() {
        let mut i2c = Mock::new(&[
            Transaction::write(0x44, vec![0x30, 0xA2]),
            Transaction::write(0x44, vec![0xF3, 0x2D]),
            Transaction::read(0x44, words(&[0x8010])),
            Transaction::write(0x44, vec![0x24, 0x00]),
            Transaction::read(0x44, words(&[0x6666, 0x8000])),
        ]);
        let mut sensor = Sht3x::new(i2c.clone(), NoopDelay, ADDRESS, None);
        block_on(sensor.start()).unwrap();
        assert_eq!(shown(block_on(sensor.sample(0))), "temperature 25, humidity 50");
        i2c.done();
    }

    #[test]
    fn every_fault_is_a_fault() {
        assert_eq!(look(Bus::absent()), Err(Fault::Missing));
        assert_eq!(look(Bus::filled(0x00)), Err(Fault::Corrupt));
        assert_eq!(look(Bus::filled(0xFF)), Err(Fault::Corrupt));
        for raw in [[0x0000, 0x8000], [0xFFFF, 0x8000], [0x6666, 0x0000], [0x6666, 0xFFFF]] {
            assert_eq!(look(Bus::answers(&words(&raw))), Err(Fault::OutOfRange), "{raw:04x?}");
        }
        assert_eq!(block_on(Sht3x::new(Bus::answers(&words(&[1])), NoopDelay, ADDRESS, None).start()), Err(Fault::SelfTest));
    }

    proptest! {
        #[test]
        fn any_words_are_a_value_in_range_or_a_fault(t: u16, rh: u16) {
            if let Ok(sample) = look(Bus::answers(&words(&[t, rh]))) {
                prop_assert!((-4000..=12500).contains(&sample[0].value.0) && (0..=10000).contains(&sample[1].value.0));
            }
        }
    }
}
