//! ROHM BH1750FVI: illuminance (technical note 2011.11). It has neither a check sum nor an identity.
use super::{bus, sample};
use crate::sensor::{Fault, Sample, Sensor, reading};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};
use tuoan_protocol::Quantity;

/// ADDR pin low.
pub const ADDRESS: u8 = 0x23;

const POWER_ON: u8 = 0x01;
const RESET: u8 = 0x07;
/// Once, at 1 lx, then off: so a chip that was reset meanwhile measures all the same, and a value is never older than the look. 180 ms at most.
const ONCE: u8 = 0x20;
/// Counts per lux (page 7).
const COUNTS_PER_LUX: f64 = 1.2;

pub struct Bh1750<I, D> {
    i2c: I,
    delay: D,
    address: u8,
}

impl<I: I2c, D: DelayNs> Bh1750<I, D> {
    pub fn new(i2c: I, delay: D, address: u8) -> Self {
        Bh1750 { i2c, delay, address }
    }
}

impl<I: I2c, D: DelayNs> Sensor for Bh1750<I, D> {
    fn name(&self) -> &'static str {
        "bh1750"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        self.i2c.write(self.address, &[POWER_ON]).await.map_err(bus::fault)?;
        self.i2c.write(self.address, &[RESET]).await.map_err(bus::fault)
    }
    async fn sample(&mut self, _now_ms: u64) -> Result<Sample, Fault> {
        self.i2c.write(self.address, &[ONCE]).await.map_err(bus::fault)?;
        self.delay.delay_ms(180).await;
        let mut bytes = [0; 2];
        self.i2c.read(self.address, &mut bytes).await.map_err(bus::fault)?;
        match u16::from_be_bytes(bytes) {
            // Saturated, or a line that stands high.
            u16::MAX => return Err(Fault::OutOfRange),
            // Darkness, or a line that stands low.
            0 => bus::not_stuck(&mut self.i2c).await?,
            _ => {}
        }
        Ok(sample([reading(Quantity::Illuminance, f64::from(u16::from_be_bytes(bytes)) / COUNTS_PER_LUX)?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Bus, block_on, shown};
    use embedded_hal_mock::eh1::{delay::NoopDelay, i2c::Mock, i2c::Transaction};
    use proptest::prelude::*;

    fn look(bus: Bus) -> Result<Sample, Fault> {
        block_on(Bh1750::new(bus, NoopDelay, ADDRESS).sample(0))
    }

    #[test]
    fn measures_as_the_data_sheet_says() {
        // Page 7: 0x8390 is 28067 lx.
        let mut i2c = Mock::new(&[
            Transaction::write(0x23, vec![0x01]),
            Transaction::write(0x23, vec![0x07]),
            Transaction::write(0x23, vec![0x20]),
            Transaction::read(0x23, vec![0x83, 0x90]),
        ]);
        let mut sensor = Bh1750::new(i2c.clone(), NoopDelay, ADDRESS);
        block_on(sensor.start()).unwrap();
        assert_eq!(shown(block_on(sensor.sample(0))), "illuminance 28066.7");
        i2c.done();
    }

    #[test]
    fn darkness_is_told_from_a_stuck_line() {
        assert_eq!(shown(look(Bus::answers(&[0, 0]))), "illuminance 0");
        assert_eq!(look(Bus::filled(0x00)), Err(Fault::Corrupt));
        assert_eq!(look(Bus::filled(0xFF)), Err(Fault::OutOfRange));
        assert_eq!(look(Bus::absent()), Err(Fault::Missing));
        assert_eq!(block_on(Bh1750::new(Bus::absent(), NoopDelay, ADDRESS).start()), Err(Fault::Missing));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_in_range_or_a_fault(bytes: [u8; 2]) {
            if let Ok(sample) = look(Bus::answers(&bytes)) {
                prop_assert!((0..=546_117).contains(&sample[0].value.0));
            }
        }
    }
}
