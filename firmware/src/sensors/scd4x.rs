//! Sensirion SCD40/41: CO2, temperature and humidity (data sheet SCD4x 1.4).
use super::{bus, climate, sample, sensirion};
use crate::sensor::{Fault, Sample, Sensor, reading};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};
use scd4x::{Error, Scd4xAsync};
use tuoan_protocol::Quantity;

/// What depends on the place and not on the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Metres above sea level, 0 to 3000 (section 3.7.4); without it CO2 reads about 1 % low per 100 m.
    pub altitude_m: u16,
    /// Automatic self-calibration (section 3.8.3) takes the lowest value of a week for outside air. Right where a room is aired and empty at night; wrong
    /// in a room that never is.
    pub self_calibration: bool,
}

impl Settings {
    pub const MAX_ALTITUDE_M: u16 = 3000;
}

/// A new value every 5 s (section 3.6.1). Three may be missed.
const STALE_AFTER_MS: u64 = 15_000;
/// The output's range (section 1.1), in ppm. A new chip without self-calibration errs by less than 100 ppm.
const CO2: core::ops::RangeInclusive<u16> = 250..=40_000;

pub struct Scd4x<I, D> {
    chip: Scd4xAsync<I, D>,
    settings: Settings,
    /// The first value after a start is not settled (section 3.6.1).
    settled: bool,
    /// When there last was a new value, or the start.
    fresh_ms: Option<u64>,
}

impl<I: I2c, D: DelayNs> Scd4x<I, D> {
    /// An altitude above 3000 m is taken as 3000 m: the chip takes no more.
    pub fn new(i2c: I, delay: D, settings: Settings) -> Self {
        let altitude_m = settings.altitude_m.min(Settings::MAX_ALTITUDE_M);
        Scd4x { chip: Scd4xAsync::new(i2c, delay), settings: Settings { altitude_m, ..settings }, settled: false, fresh_ms: None }
    }
}

impl<I: I2c, D: DelayNs> Sensor for Scd4x<I, D> {
    fn name(&self) -> &'static str {
        "scd4x"
    }

    /// Its settings are written to its RAM at each start: its EEPROM bears 2000 writes (section 3.9.1).
    async fn start(&mut self) -> Result<(), Fault> {
        (self.settled, self.fresh_ms) = (false, None);
        // It may still measure from before our restart, and takes no settings then.
        self.chip.stop_periodic_measurement().await.map_err(fault)?;
        self.chip.serial_number().await.map_err(fault)?;
        self.chip.set_altitude(self.settings.altitude_m).await.map_err(fault)?;
        self.chip.set_automatic_self_calibration(self.settings.self_calibration).await.map_err(fault)?;
        let taken = (self.chip.altitude().await.map_err(fault)?, self.chip.automatic_self_calibration().await.map_err(fault)?);
        if taken != (self.settings.altitude_m, self.settings.self_calibration) {
            return Err(Fault::SelfTest);
        }
        self.chip.start_periodic_measurement().await.map_err(fault)
    }

    async fn sample(&mut self, now_ms: u64) -> Result<Sample, Fault> {
        let fresh = *self.fresh_ms.get_or_insert(now_ms);
        if !self.chip.data_ready_status().await.map_err(fault)? {
            // A chip that lost its power also says "not ready", for ever: it has forgotten that it should measure.
            return if now_ms.saturating_sub(fresh) > STALE_AFTER_MS { Err(Fault::Stale) } else { Ok(Sample::new()) };
        }
        let raw = self.chip.sensor_output().await.map_err(fault)?;
        self.fresh_ms = Some(now_ms);
        let (temperature, humidity) = sensirion::climate(raw.temperature, raw.humidity)?;
        if !CO2.contains(&raw.co2) {
            return Err(Fault::OutOfRange);
        }
        if !core::mem::replace(&mut self.settled, true) {
            return Ok(Sample::new());
        }
        let mut all = sample([reading(Quantity::Co2, f64::from(raw.co2))?]);
        all.extend(climate::judged(temperature, humidity)?);
        Ok(all)
    }
}

fn fault<E: embedded_hal_async::i2c::Error>(error: Error<E>) -> Fault {
    match error {
        Error::I2c(e) => bus::fault(e),
        Error::Crc => Fault::Corrupt,
        _ => Fault::SelfTest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Bus, block_on, shown, words};
    use embedded_hal_mock::eh1::{delay::NoopDelay, i2c::Mock, i2c::Transaction};
    use proptest::prelude::*;

    const HERE: Settings = Settings { altitude_m: 40, self_calibration: true };
    const READY: [u8; 2] = [0xE4, 0xB8];
    const READ: [u8; 2] = [0xEC, 0x05];

    fn settled(bus: Bus) -> Scd4x<Bus, NoopDelay> {
        let mut sensor = Scd4x::new(bus, NoopDelay, HERE);
        sensor.settled = true;
        sensor
    }

    #[test]
    fn settings_are_written_and_the_first_value_is_withheld() {
        let write = |bytes: &[u8]| Transaction::write(0x62, bytes.to_vec());
        let read = |raw: &[u16]| Transaction::read(0x62, words(raw));
        // Data sheet, table of section 3.6.2: 500 ppm, 25 °C, 37 %.
        let value = [write(&READY), read(&[0x8006]), write(&READ), read(&[0x01F4, 0x6667, 0x5EB9])];
        let start = [
            write(&[0x3F, 0x86]),
            write(&[0x36, 0x82]),
            read(&[0xF896, 0x9F07, 0x3BBE]),
            write(&[0x24, 0x27, 0, 40, 0xBE]),
            write(&[0x24, 0x16, 0, 1, 0xB0]),
            write(&[0x23, 0x22]),
            read(&[40]),
            write(&[0x23, 0x13]),
            read(&[1]),
            write(&[0x21, 0xB1]),
        ];
        let not_yet = [write(&READY), read(&[0x8000])];
        let mut i2c = Mock::new(&[&start[..], &not_yet, &value, &value].concat());
        let mut sensor = Scd4x::new(i2c.clone(), NoopDelay, HERE);
        block_on(sensor.start()).unwrap();
        assert_eq!(shown(block_on(sensor.sample(0))), "");
        assert_eq!(shown(block_on(sensor.sample(5_000))), "");
        assert_eq!(shown(block_on(sensor.sample(10_000))), "co2 500, temperature 25, humidity 37");
        i2c.done();
    }

    #[test]
    fn every_fault_is_a_fault() {
        let start = |bus| block_on(Scd4x::new(bus, NoopDelay, HERE).start());
        assert_eq!(start(Bus::absent()), Err(Fault::Missing));
        assert_eq!(start(Bus::filled(0)), Err(Fault::Corrupt));
        assert_eq!(start(Bus::filled(0xFF)), Err(Fault::Corrupt));
        assert_eq!(start(Bus::answers(&words(&[7, 7, 7]))), Err(Fault::SelfTest), "it did not take the altitude");
        let ready = |raw: &[u16]| Bus::answers(&[]).on(&READY, &words(&[1])).on(&READ, &words(raw));
        assert_eq!(block_on(settled(ready(&[0, 0x6667, 0x5EB9])).sample(0)), Err(Fault::OutOfRange), "0 ppm: no value yet");
        assert_eq!(block_on(settled(ready(&[0xFFFF, 0x6667, 0x5EB9])).sample(0)), Err(Fault::OutOfRange));
        assert_eq!(block_on(settled(ready(&[500, 0xFFFF, 0x5EB9])).sample(0)), Err(Fault::OutOfRange));
        assert_eq!(block_on(settled(ready(&[500, 0x6667, 0])).sample(0)), Err(Fault::OutOfRange));
        let mut broken = words(&[500, 0x6667, 0x5EB9]);
        broken[2] ^= 1;
        assert_eq!(block_on(settled(Bus::answers(&[]).on(&READY, &words(&[1])).on(&READ, &broken)).sample(0)), Err(Fault::Corrupt));
    }

    #[test]
    fn a_chip_that_forgot_to_measure_is_stale() {
        let mut sensor = settled(Bus::answers(&words(&[0x8000])));
        assert_eq!(block_on(sensor.sample(1_000)), Ok(Sample::new()));
        assert_eq!(block_on(sensor.sample(16_000)), Ok(Sample::new()));
        assert_eq!(block_on(sensor.sample(16_001)), Err(Fault::Stale));
    }

    proptest! {
        #[test]
        fn any_words_are_a_value_in_range_or_a_fault(co2: u16, t: u16, rh: u16) {
            let bus = Bus::answers(&[]).on(&READY, &words(&[1])).on(&READ, &words(&[co2, t, rh]));
            if let Ok(sample) = block_on(settled(bus).sample(0)) {
                prop_assert_eq!(sample[0].value.0, i64::from(co2));
                prop_assert!((-4000..=12500).contains(&sample[1].value.0) && (0..=10000).contains(&sample[2].value.0));
            }
        }
        #[test]
        fn any_bytes_give_no_panic(bytes: Vec<u8>, now: u64) {
            let mut sensor = Scd4x::new(Bus::answers(&bytes), NoopDelay, HERE);
            let _ = block_on(sensor.start());
            let _ = block_on(sensor.sample(now));
        }
    }
}
