//! ST VL53L4CD: distance by time of flight, 0 to 130 cm (data sheet DS13812, user manual UM2931): who stands at a door, what stands in a zone.
//!
//! Its registers are not documented; the set-up below is that of ST's "ultra lite driver" (BSD-3-Clause, © STMicroelectronics), in its continuous mode
//! with 50 ms a measurement. The published crate is not used: it asserts that the status is one of 24 values, and a disturbed line can say 31.
use super::{bus, sample};
use crate::sensor::{Fault, Sample, Sensor, reading};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};
use tuoan_protocol::Quantity;

/// The same at every power-on: of several on one bus all but one are held in reset while the others are given their own.
pub const ADDRESS: u8 = 0x29;

const MODEL: u16 = 0x010F;
const IDENTITY: u16 = 0xEBAA;
const BOOTED: u16 = 0x00E5;
const CONFIGURATION: u16 = 0x002D;
const VHV_TIMEOUT: u16 = 0x0008;
const VHV_START: u16 = 0x000B;
const CROSSTALK: u16 = 0x0024;
const OSCILLATOR: u16 = 0x0006;
const PERIOD: u16 = 0x006C;
const RANGE_A: u16 = 0x005E;
const RANGE_B: u16 = 0x0061;
const RUN: u16 = 0x0087;
const CLEAR: u16 = 0x0086;
const INTERRUPT: u16 = 0x0031;
const STATUS: u16 = 0x0089;
const DISTANCE: u16 = 0x0096;

/// Registers 0x2D to 0x87 (`VL53L4CD_DEFAULT_CONFIGURATION`).
static SET_UP: [u8; 91] = [
    0x12, 0x00, 0x00, 0x11, 0x02, 0x00, 0x02, 0x08, 0x00, 0x08, 0x10, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0xFF, 0x00, 0x0F, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x20, 0x0B, 0x00, 0x00, 0x02, 0x14, 0x21, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0xC8, 0x00, 0x00, 0x38, 0xFF,
    0x01, 0x00, 0x08, 0x00, 0x00, 0x01, 0xCC, 0x07, 0x01, 0xF1, 0x05, 0x00, 0xA0, 0x00, 0x80, 0x08, 0x38, 0x00, 0x00, 0x00, 0x00, 0x0F,
    0x89, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x07, 0x05, 0x06, 0x06, 0x00, 0x00, 0x02, 0xC7, 0xFF, 0x9B, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00,
];

const BUDGET_US: u32 = 50_000;
/// End of the specified range. "Nothing nearer than this" is said as this.
const MOST_MM: u16 = 1_300;
/// A measurement takes 50 ms.
const STALE_AFTER_MS: u64 = 3_000;

pub struct Vl53l4cd<I, D> {
    i2c: I,
    delay: D,
    fresh_ms: Option<u64>,
}

impl<I: I2c, D: DelayNs> Vl53l4cd<I, D> {
    pub fn new(i2c: I, delay: D) -> Self {
        Vl53l4cd { i2c, delay, fresh_ms: None }
    }

    async fn read<const N: usize>(&mut self, register: u16) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.i2c.write_read(ADDRESS, &register.to_be_bytes(), &mut bytes).await.map_err(bus::fault)?;
        Ok(bytes)
    }
    async fn word(&mut self, register: u16) -> Result<u16, Fault> {
        self.read(register).await.map(u16::from_be_bytes)
    }
    async fn write<const N: usize>(&mut self, register: u16, bytes: [u8; N]) -> Result<(), Fault> {
        let mut all: heapless::Vec<u8, 8> = heapless::Vec::new();
        all.extend(register.to_be_bytes().into_iter().chain(bytes));
        self.i2c.write(ADDRESS, &all).await.map_err(bus::fault)
    }
    /// Whether there is a new measurement; the interrupt is active low.
    async fn is_ready(&mut self) -> Result<bool, Fault> {
        self.read(INTERRUPT).await.map(|[b]| b & 1 == 0)
    }
    async fn wait(&mut self, register: u16, until: impl Fn(u8) -> bool) -> Result<(), Fault> {
        for _ in 0..200 {
            let [value] = self.read(register).await?;
            if until(value) {
                return Ok(());
            }
            self.delay.delay_ms(2).await;
        }
        Err(Fault::SelfTest)
    }
}

impl<I: I2c, D: DelayNs> Sensor for Vl53l4cd<I, D> {
    fn name(&self) -> &'static str {
        "vl53l4cd"
    }

    async fn start(&mut self) -> Result<(), Fault> {
        self.fresh_ms = None;
        if self.word(MODEL).await? != IDENTITY {
            return Err(Fault::Corrupt);
        }
        self.wait(BOOTED, |b| b == 3).await?;
        for (register, value) in (CONFIGURATION..).zip(SET_UP) {
            self.write(register, [value]).await?;
        }
        // Its reference voltage settles in a first measurement.
        self.write(RUN, [0x40]).await?;
        self.wait(INTERRUPT, |b| b & 1 == 0).await?;
        self.write(CLEAR, [1]).await?;
        self.write(RUN, [0]).await?;
        self.write(VHV_TIMEOUT, [0x09]).await?;
        self.write(VHV_START, [0]).await?;
        self.write(CROSSTALK, [0x05, 0x00]).await?;
        let (a, b) = timing(self.word(OSCILLATOR).await?).ok_or(Fault::SelfTest)?;
        self.write(PERIOD, [0; 4]).await?;
        self.write(RANGE_A, a.to_be_bytes()).await?;
        self.write(RANGE_B, b.to_be_bytes()).await?;
        self.write(RUN, [0x21]).await
    }

    async fn sample(&mut self, now_ms: u64) -> Result<Sample, Fault> {
        let fresh = *self.fresh_ms.get_or_insert(now_ms);
        if self.word(MODEL).await? != IDENTITY {
            return Err(Fault::Corrupt);
        }
        if !self.is_ready().await? {
            // A chip that was reset waits for ever.
            return if now_ms.saturating_sub(fresh) > STALE_AFTER_MS { Err(Fault::Stale) } else { Ok(Sample::new()) };
        }
        let ([status], distance) = (self.read(STATUS).await?, self.word(DISTANCE).await?);
        self.write(CLEAR, [1]).await?;
        self.fresh_ms = Some(now_ms);
        let mm = match seen(status & 0x1F)? {
            Seen::Target if distance > MOST_MM => MOST_MM,
            Seen::Target => distance,
            Seen::TooNear => 0,
            Seen::Nothing => MOST_MM,
        };
        Ok(sample([reading(Quantity::Distance, f64::from(mm) / 10.0)?]))
    }
}

enum Seen {
    Target,
    TooNear,
    /// What comes back is too weak, too uncertain or from beyond the range: a measurement too, of nothing nearer.
    Nothing,
}

/// The chip's status (`status_rtn` of ST's driver and UM2931, table 5).
fn seen(status: u8) -> Result<Seen, Fault> {
    match status {
        9 | 19 | 22 => Ok(Seen::Target),
        8 => Ok(Seen::TooNear),
        4 | 5 | 6 | 7 | 23 => Ok(Seen::Nothing),
        _ => Err(Fault::SelfTest),
    }
}

/// Registers for [`BUDGET_US`] at the chip's own frequency (`VL53L4CD_SetRangeTiming`, continuous); `None` when there is no such frequency.
fn timing(oscillator: u16) -> Option<(u16, u16)> {
    let macro_period_us = 2304u32.checked_mul(0x4000_0000u32.checked_div(u32::from(oscillator))?)? >> 6;
    let budget = (BUDGET_US - 2_500) << 12;
    let register = |clocks: u32| {
        let period = macro_period_us.checked_mul(clocks)?;
        let mut low = budget.checked_add(period >> 7)?.checked_div(period >> 6)?.checked_sub(1)?;
        let mut high = 0u16;
        while low > 0xFF {
            low >>= 1;
            high += 1;
        }
        Some(high << 8 | low as u16)
    };
    Some((register(16)?, register(12)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Bus, block_on, shown};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use proptest::prelude::*;

    fn chip(ready: bool, status: u8, mm: u16) -> Bus {
        Bus::answers(&[])
            .on(&MODEL.to_be_bytes(), &[0xEB, 0xAA])
            .on(&BOOTED.to_be_bytes(), &[3])
            .on(&OSCILLATOR.to_be_bytes(), &[0xBC, 0xCC])
            .on(&INTERRUPT.to_be_bytes(), &[2 | u8::from(!ready)])
            .on(&STATUS.to_be_bytes(), &[0xE0 | status])
            .on(&DISTANCE.to_be_bytes(), &mm.to_be_bytes())
    }
    fn look(bus: Bus) -> Result<Sample, Fault> {
        block_on(Vl53l4cd::new(bus, NoopDelay).sample(0))
    }

    #[test]
    fn starts_as_st_does() {
        let mut sensor = Vl53l4cd::new(chip(true, 9, 0), NoopDelay);
        block_on(sensor.start()).unwrap();
        let writes: Vec<_> = sensor.i2c.written.iter().filter(|w| w.len() > 2).cloned().collect();
        assert_eq!(writes[0], [0x00, 0x2D, 0x12]);
        assert_eq!(writes[90], [0x00, 0x87, 0x00]);
        assert_eq!(writes[91], [0x00, 0x87, 0x40]);
        assert_eq!(writes.last().unwrap(), &[0x00, 0x87, 0x21]);
        // 50 ms at 0xBCCC, as ST's driver computes it.
        assert_eq!(timing(0xBCCC), Some((0x02F3, 0x03A2)));
        assert_eq!(timing(0), None);
    }

    #[test]
    fn targets_near_far_and_none() {
        assert_eq!(shown(look(chip(true, 9, 423))), "distance 42.3");
        assert_eq!(shown(look(chip(true, 9, 4000))), "distance 130");
        assert_eq!(shown(look(chip(true, 4, 77))), "distance 130", "too weak to be a target");
        assert_eq!(shown(look(chip(true, 8, 77))), "distance 0");
    }

    #[test]
    fn every_fault_is_a_fault() {
        assert_eq!(look(Bus::absent()), Err(Fault::Missing));
        assert_eq!(look(Bus::filled(0x00)), Err(Fault::Corrupt));
        assert_eq!(look(Bus::filled(0xFF)), Err(Fault::Corrupt));
        for status in [0, 3, 12, 13, 18, 31] {
            assert_eq!(look(chip(true, status, 100)), Err(Fault::SelfTest), "{status}");
        }
        let mut silent = Vl53l4cd::new(chip(false, 9, 100), NoopDelay);
        assert_eq!(block_on(silent.sample(0)), Ok(Sample::new()));
        assert_eq!(block_on(silent.sample(3_001)), Err(Fault::Stale));
        assert_eq!(block_on(Vl53l4cd::new(chip(false, 9, 0).on(&BOOTED.to_be_bytes(), &[1]), NoopDelay).start()), Err(Fault::SelfTest));
        assert_eq!(
            block_on(Vl53l4cd::new(chip(true, 9, 0).on(&OSCILLATOR.to_be_bytes(), &[0, 0]), NoopDelay).start()),
            Err(Fault::SelfTest)
        );
    }

    proptest! {
        #[test]
        fn anything_is_in_range_or_a_fault(status: u8, mm: u16) {
            if let Ok(sample) = look(chip(true, status, mm)) {
                prop_assert!((0..=1300).contains(&sample[0].value.0));
            }
        }
        #[test]
        fn any_oscillator_gives_no_panic(oscillator: u16) {
            let _ = timing(oscillator);
        }
    }
}
