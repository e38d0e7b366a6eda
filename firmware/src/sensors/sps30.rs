//! Sensirion SPS30 over I²C (SEL pin low): particles by laser (data sheet SPS30, April 2020).
use super::{sample, sensirion};
use crate::sensor::{Fault, Sample, Sensor, reading};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};
use tuoan_protocol::Quantity;

const ADDRESS: u8 = 0x69;
const WAKE: u16 = 0x1103;
const START: u16 = 0x0010;
const STOP: u16 = 0x0104;
/// Output as floating point numbers (section 6.3.1).
const AS_FLOATS: u16 = 0x0300;
const READY: u16 = 0x0202;
const READ: u16 = 0x0300;
const STATUS: u16 = 0xD206;
/// Fan out of speed, laser out of current, fan stands still (section 4.4).
const BROKEN: u32 = 1 << 21 | 1 << 5 | 1 << 4;
/// Section 1.1: the fan and the counting settle within 30 s at the dust of a clean room.
const WARM_UP_MS: u64 = 30_000;
/// A new value every second; three may be missed.
const STALE_AFTER_MS: u64 = 4_000;
/// Mass concentration range in µg/m³ (section 1.1). Smoke goes beyond: that is a value too, as far as the gateway takes it.
const MOST: f32 = 10_000.0;

pub struct Sps30<I, D> {
    i2c: I,
    delay: D,
    started_ms: Option<u64>,
    fresh_ms: u64,
}

impl<I: I2c, D: DelayNs> Sps30<I, D> {
    pub fn new(i2c: I, delay: D) -> Self {
        Sps30 { i2c, delay, started_ms: None, fresh_ms: 0 }
    }

    async fn tell(&mut self, command: u16, arguments: &[u16], wait_ms: u32) -> Result<(), Fault> {
        sensirion::tell(&mut self.i2c, &mut self.delay, ADDRESS, command, arguments, wait_ms).await
    }
    async fn ask<const N: usize>(&mut self, command: u16) -> Result<[u16; N], Fault> {
        sensirion::ask(&mut self.i2c, &mut self.delay, ADDRESS, command, &[], 1).await
    }
}

impl<I: I2c, D: DelayNs> Sensor for Sps30<I, D> {
    fn name(&self) -> &'static str {
        "sps30"
    }

    async fn start(&mut self) -> Result<(), Fault> {
        self.started_ms = None;
        // Asleep it wakes by the first of two equal commands, without acknowledging it (section 6.3.5); awake it refuses both, which is as good.
        let _ = self.tell(WAKE, &[], 1).await;
        let _ = self.tell(WAKE, &[], 5).await;
        self.tell(STOP, &[], 20).await?;
        self.tell(START, &[AS_FLOATS], 20).await
    }

    async fn sample(&mut self, now_ms: u64) -> Result<Sample, Fault> {
        let started = match self.started_ms {
            Some(started) => started,
            None => {
                (self.started_ms, self.fresh_ms) = (Some(now_ms), now_ms);
                now_ms
            }
        };
        let [high, low] = self.ask(STATUS).await?;
        // While it starts, the fan has not come to its speed.
        let warm = now_ms.saturating_sub(started) >= WARM_UP_MS;
        if warm && (u32::from(high) << 16 | u32::from(low)) & BROKEN != 0 {
            return Err(Fault::SelfTest);
        }
        let [ready] = self.ask(READY).await?;
        if ready & 1 == 0 {
            // A chip that lost its power has forgotten that it should measure.
            return if now_ms.saturating_sub(self.fresh_ms) > STALE_AFTER_MS { Err(Fault::Stale) } else { Ok(Sample::new()) };
        }
        let words: [u16; 20] = self.ask(READ).await?;
        self.fresh_ms = now_ms;
        let number = |i: usize| match words.get(2 * i..2 * i + 2) {
            Some([high, low]) => judged(f32::from_bits(u32::from(*high) << 16 | u32::from(*low))),
            _ => Err(Fault::Corrupt),
        };
        // PM1, PM2.5, PM4, PM10, then five counts and the typical size. A working laser always counts something.
        let (pm1, pm25, pm10, counted) = (number(0)?, number(1)?, number(3)?, number(8)?);
        if !warm {
            return Ok(Sample::new());
        }
        if counted == 0.0 {
            return Err(Fault::SelfTest);
        }
        Ok(sample([reading(Quantity::Pm1, pm1)?, reading(Quantity::Pm25, pm25)?, reading(Quantity::Pm10, pm10)?]))
    }
}

fn judged(value: f32) -> Result<f64, Fault> {
    if (0.0..=MOST).contains(&value) { Ok(f64::from(value)) } else { Err(Fault::OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Bus, block_on, shown, words};
    use embedded_hal_mock::eh1::{delay::NoopDelay, i2c::Mock, i2c::Transaction};
    use proptest::prelude::*;

    fn floats(values: [f32; 10]) -> Vec<u8> {
        words(&values.iter().flat_map(|v| [(v.to_bits() >> 16) as u16, v.to_bits() as u16]).collect::<Vec<_>>())
    }
    const CLEAN: [f32; 10] = [4.5, 6.25, 7.0, 7.5, 20.0, 30.0, 31.0, 31.5, 32.0, 0.55];

    fn bus(status: u32, ready: u16, values: &[u8]) -> Bus {
        Bus::answers(&[])
            .on(&STATUS.to_be_bytes(), &words(&[(status >> 16) as u16, status as u16]))
            .on(&READY.to_be_bytes(), &words(&[ready]))
            .on(&READ.to_be_bytes(), values)
    }
    /// A look when it is warm.
    fn look(bus: Bus) -> Result<Sample, Fault> {
        let mut sensor = Sps30::new(bus, NoopDelay);
        (sensor.started_ms, sensor.fresh_ms) = (Some(0), 29_000);
        block_on(sensor.sample(30_000))
    }

    #[test]
    fn starts_as_the_data_sheet_says_and_warms_up() {
        let mut i2c = Mock::new(&[
            Transaction::write(0x69, vec![0x11, 0x03]),
            Transaction::write(0x69, vec![0x11, 0x03]),
            Transaction::write(0x69, vec![0x01, 0x04]),
            Transaction::write(0x69, vec![0x00, 0x10, 0x03, 0x00, 0xAC]),
        ]);
        block_on(Sps30::new(i2c.clone(), NoopDelay).start()).unwrap();
        i2c.done();

        let mut sensor = Sps30::new(bus(1 << 4, 1, &floats(CLEAN)), NoopDelay);
        assert_eq!(shown(block_on(sensor.sample(1_000))), "");
        sensor.i2c = bus(0, 1, &floats(CLEAN));
        assert_eq!(shown(block_on(sensor.sample(31_000))), "pm1 4.5, pm25 6.3, pm10 7.5");
    }

    #[test]
    fn every_fault_is_a_fault() {
        assert_eq!(look(Bus::absent()), Err(Fault::Missing));
        assert_eq!(look(Bus::filled(0x00)), Err(Fault::Corrupt));
        assert_eq!(look(Bus::filled(0xFF)), Err(Fault::Corrupt));
        for bit in [21, 5, 4] {
            assert_eq!(look(bus(1 << bit, 1, &floats(CLEAN))), Err(Fault::SelfTest));
        }
        assert_eq!(look(bus(0, 1, &floats([0.0; 10]))), Err(Fault::SelfTest), "a dead laser counts nothing");
        for bad in [f32::NAN, -1.0, f32::INFINITY, 10_001.0] {
            assert_eq!(look(bus(0, 1, &floats([bad; 10]))), Err(Fault::OutOfRange), "{bad}");
        }
        let mut sensor = Sps30::new(bus(0, 0, &[]), NoopDelay);
        assert_eq!(block_on(sensor.sample(0)), Ok(Sample::new()));
        assert_eq!(block_on(sensor.sample(4_001)), Err(Fault::Stale));
    }

    proptest! {
        #[test]
        fn any_numbers_are_a_value_in_range_or_a_fault(bits: [u32; 10]) {
            if let Ok(sample) = look(bus(0, 1, &floats(bits.map(f32::from_bits)))) {
                prop_assert!(sample.iter().all(|r| (0..=100_000).contains(&r.value.0)));
            }
        }
    }
}
