//! Vishay VEML7700: illuminance (data sheet 84286, application note 84323). It has an identity and can be read back, but no check sum.
use super::{bus, sample};
use crate::sensor::{Fault, Sample, Sensor, reading};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};
use tuoan_protocol::Quantity;

const ADDRESS: u8 = 0x10;
const CONFIG: u8 = 0x00;
const LIGHT: u8 = 0x04;
const IDENTITY: u8 = 0x07;
const DEVICE: u8 = 0x81;
/// Beyond full sun.
const MOST_LX: f64 = 140_000.0;

/// A gain and a time of integration.
struct Range {
    config: u16,
    /// Lux per count (application note, page 5).
    resolution: f64,
    /// Two integrations.
    wait_ms: u32,
}
/// From dim to bright: gain 2 at 100 ms, 1/8 at 100 ms, 1/8 at 25 ms.
static RANGES: [Range; 3] = [
    Range { config: 0b01 << 11, resolution: 0.0336, wait_ms: 220 },
    Range { config: 0b10 << 11, resolution: 0.5376, wait_ms: 220 },
    Range { config: 0b10 << 11 | 0b1100 << 6, resolution: 2.1504, wait_ms: 60 },
];
/// Counts below which a dimmer range measures better, and above which a brighter one is needed.
const FEW: u16 = 200;
const MANY: u16 = 50_000;

pub struct Veml7700<I, D> {
    i2c: I,
    delay: D,
    range: usize,
}

impl<I: I2c, D: DelayNs> Veml7700<I, D> {
    pub fn new(i2c: I, delay: D) -> Self {
        Veml7700 { i2c, delay, range: 1 }
    }

    /// Registers are sent low byte first.
    async fn read(&mut self, register: u8) -> Result<u16, Fault> {
        bus::read(&mut self.i2c, ADDRESS, register).await.map(u16::from_le_bytes)
    }
    async fn set(&mut self, range: &Range) -> Result<(), Fault> {
        let [low, high] = range.config.to_le_bytes();
        self.i2c.write(ADDRESS, &[CONFIG, low, high]).await.map_err(bus::fault)?;
        self.delay.delay_ms(range.wait_ms).await;
        Ok(())
    }
    async fn is_itself(&mut self) -> Result<(), Fault> {
        if self.read(IDENTITY).await?.to_le_bytes()[0] == DEVICE { Ok(()) } else { Err(Fault::Corrupt) }
    }
}

impl<I: I2c, D: DelayNs> Sensor for Veml7700<I, D> {
    fn name(&self) -> &'static str {
        "veml7700"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        self.is_itself().await?;
        self.range = 1;
        match RANGES.get(self.range) {
            Some(range) => self.set(range).await,
            None => Ok(()),
        }
    }

    async fn sample(&mut self, _now_ms: u64) -> Result<Sample, Fault> {
        self.is_itself().await?;
        // At most through all ranges once.
        for _ in 0..RANGES.len() {
            let range = RANGES.get(self.range).ok_or(Fault::Stale)?;
            // After a power dip the chip is off and would say "dark" for ever.
            if self.read(CONFIG).await? != range.config {
                return Err(Fault::Stale);
            }
            let counts = self.read(LIGHT).await?;
            let better = match counts {
                ..FEW => self.range.saturating_sub(1),
                MANY.. => (self.range + 1).min(RANGES.len() - 1),
                _ => self.range,
            };
            match RANGES.get(better) {
                Some(next) if better != self.range => {
                    self.set(next).await?;
                    self.range = better;
                }
                _ if counts == u16::MAX => return Err(Fault::OutOfRange),
                _ => return Ok(sample([reading(Quantity::Illuminance, lux(f64::from(counts) * range.resolution)?)?])),
            }
        }
        // The light changed faster than it was looked at.
        Ok(Sample::new())
    }
}

/// The chip reads low in bright light: above 1000 lx the application note's polynomial (page 10) puts it right.
fn lux(x: f64) -> Result<f64, Fault> {
    let lux = if x > 1000.0 { (((6.0135e-13 * x - 9.3924e-9) * x + 8.1488e-5) * x + 1.0023) * x } else { x };
    if (0.0..=MOST_LX).contains(&lux) { Ok(lux) } else { Err(Fault::OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Bus, block_on, shown};
    use embedded_hal_mock::eh1::{delay::NoopDelay, i2c::Mock, i2c::Transaction};
    use proptest::prelude::*;

    fn look(i2c: Bus) -> Result<Sample, Fault> {
        block_on(Veml7700::new(i2c, NoopDelay).sample(0))
    }
    fn chip(light: u16) -> Bus {
        Bus::answers(&[]).on(&[IDENTITY], &[0x81, 0xC4]).on(&[CONFIG], &[0x00, 0x10]).on(&[LIGHT], &light.to_le_bytes())
    }

    #[test]
    fn ranges_as_the_application_note_says() {
        let read = |register, value: u16| Transaction::write_read(0x10, vec![register], value.to_le_bytes().to_vec());
        let mut i2c = Mock::new(&[
            read(7, 0xC481),
            Transaction::write(0x10, vec![0, 0x00, 0x10]),
            read(7, 0xC481),
            read(0, 0x1000),
            read(4, 150),
            Transaction::write(0x10, vec![0, 0x00, 0x08]),
            read(0, 0x0800),
            read(4, 2400),
        ]);
        let mut sensor = Veml7700::new(i2c.clone(), NoopDelay);
        block_on(sensor.start()).unwrap();
        assert_eq!(shown(block_on(sensor.sample(0))), "illuminance 80.6");
        i2c.done();
    }

    #[test]
    fn bright_light_is_corrected() {
        assert_eq!(lux(1000.0), Ok(1000.0));
        assert!((lux(10_000.0).unwrap() - 14_793.0).abs() < 5.0);
        assert_eq!(lux(60_000.0), Err(Fault::OutOfRange));
    }

    #[test]
    fn every_fault_is_a_fault() {
        assert_eq!(look(Bus::absent()), Err(Fault::Missing));
        assert_eq!(look(Bus::filled(0x00)), Err(Fault::Corrupt));
        assert_eq!(look(Bus::filled(0xFF)), Err(Fault::Corrupt));
        assert_eq!(look(chip(1000).on(&[CONFIG], &[0x01, 0x00])), Err(Fault::Stale), "it is off after a power dip");
        assert_eq!(shown(look(chip(1000))), "illuminance 537.6");
    }

    proptest! {
        #[test]
        fn any_counts_are_a_value_in_range_or_a_fault(counts: u16) {
            if let Ok(sample) = look(chip(counts)) {
                prop_assert!(sample.iter().all(|r| (0..=1_400_000).contains(&r.value.0)));
            }
        }
        #[test]
        fn any_bytes_give_no_panic(bytes: Vec<u8>) {
            let _ = look(Bus::answers(&bytes));
        }
    }
}
