//! Panasonic Grid-EYE AMG8833: 8 x 8 temperatures of surfaces (specification AMG88, reference SPS17). Its pixels err by up to 2.5 °C and see clothes
//! and quilts, not the inside of a body.
//!
//! - **`thermal_max`**, °C, is the warmest spot, a trend to look at. It is no `body_temperature`, since that raises fever alarms, and no `temperature`,
//!   since a kettle in view would then be a fire: it is of a name that no built-in rule judges.
//! - **`motion`** is 1 while something of a body's warmth and size is there: it raises what people's presence raises, and its 0 proves nothing, as for a
//!   PIR: a child under a quilt, or a room as warm as skin. It does not need movement: who sleeps uncovered is seen.
use super::{bus, sample};
use crate::sensor::{Fault, Sample, Sensor, reading, state};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};
use tuoan_protocol::{OtherName, Quantity};

/// AD_SELECT low; high it is 0x69, where an SPS30 lives.
pub const ADDRESS: u8 = 0x68;

const POWER: u8 = 0x00;
const RESET: u8 = 0x01;
const RATE: u8 = 0x02;
const THERMISTOR: u8 = 0x0E;
const PIXELS: u8 = 0x80;
const COUNT: usize = 64;

const NORMAL: u8 = 0x00;
const INITIAL_RESET: u8 = 0x3F;
/// One frame a second. It is not the state after power-on, so that reading it back tells whether the chip was reset.
const ONE_A_SECOND: u8 = 0x01;

/// Ends of the measuring range of the version with high gain, in quarters of a degree (table 1: 0 to 80 °C), and of the chip itself.
const PIXEL: core::ops::RangeInclusive<i16> = -80..=400;
const CASE: core::ops::RangeInclusive<f32> = -20.0..=80.0;
/// A first frame is averaged over two; the chip is stable 15 s after power-on (specification, "settling time").
const WARM_UP_MS: u64 = 15_000;

/// A body's surface stands out by this much, in quarters of a degree, and is not warmer than skin can be with the chip's error.
const STANDS_OUT: f32 = 8.0;
const SKIN: f32 = 4.0 * 40.0;
/// Pixels side by side. A child at 3 m covers about two of 60°/8.
const SIZE: u32 = 2;
/// What stands still is taken for background within this many looks of a second: so a radiator is forgotten in a day, and a child asleep is not in a nap.
const SLOW: f32 = 1.0 / 50_000.0;

pub struct Amg8833<I, D> {
    i2c: I,
    delay: D,
    address: u8,
    started_ms: Option<u64>,
    /// What each pixel sees when nobody is there, in quarters of a degree.
    background: Option<[f32; COUNT]>,
    last: [i16; COUNT],
    same: u8,
}

/// Frames without any difference in 64 noisy pixels: it has stopped.
const FROZEN: u8 = 5;

impl<I: I2c, D: DelayNs> Amg8833<I, D> {
    /// It is to be sampled about once a second.
    pub fn new(i2c: I, delay: D, address: u8) -> Self {
        Amg8833 { i2c, delay, address, started_ms: None, background: None, last: [0; COUNT], same: 0 }
    }
}

impl<I: I2c, D: DelayNs> Sensor for Amg8833<I, D> {
    fn name(&self) -> &'static str {
        "amg8833"
    }

    async fn start(&mut self) -> Result<(), Fault> {
        (self.started_ms, self.same) = (None, 0);
        bus::write(&mut self.i2c, self.address, POWER, NORMAL).await?;
        self.delay.delay_ms(50).await;
        bus::write(&mut self.i2c, self.address, RESET, INITIAL_RESET).await?;
        self.delay.delay_ms(2).await;
        bus::write(&mut self.i2c, self.address, RATE, ONE_A_SECOND).await
    }

    async fn sample(&mut self, now_ms: u64) -> Result<Sample, Fault> {
        let started = *self.started_ms.get_or_insert(now_ms);
        match bus::read(&mut self.i2c, self.address, RATE).await? {
            [ONE_A_SECOND] => {}
            // As after power-on: it was reset.
            [0] => return Err(Fault::Stale),
            _ => return Err(Fault::Corrupt),
        }
        let case = thermistor(bus::read(&mut self.i2c, self.address, THERMISTOR).await?)?;
        let bytes: [u8; 2 * COUNT] = bus::read(&mut self.i2c, self.address, PIXELS).await?;
        if now_ms.saturating_sub(started) < WARM_UP_MS {
            return Ok(Sample::new());
        }
        if !CASE.contains(&case) {
            return Err(Fault::OutOfRange);
        }
        let pixels = pixels(&bytes)?;
        self.same = if pixels == self.last { self.same.saturating_add(1) } else { 0 };
        self.last = pixels;
        if self.same >= FROZEN {
            return Err(Fault::Stale);
        }
        let warmest = pixels.iter().copied().max().unwrap_or(0);
        let body = self.sees_body(&pixels);
        Ok(sample([reading(thermal_max()?, f64::from(warmest) / 4.0)?, state(Quantity::Motion, body)]))
    }
}

impl<I, D> Amg8833<I, D> {
    fn sees_body(&mut self, pixels: &[i16; COUNT]) -> bool {
        // At first the frame's median is what the room is like: so whoever is there at power-on is seen.
        let background = self.background.get_or_insert_with(|| {
            let mut sorted = *pixels;
            sorted.sort_unstable();
            [f32::from(sorted.get(COUNT / 2).copied().unwrap_or(0)); COUNT]
        });
        let mut warm = 0u64;
        for (i, (pixel, usual)) in pixels.iter().zip(background.iter_mut()).enumerate() {
            let above = f32::from(*pixel) - *usual;
            if above >= STANDS_OUT && f32::from(*pixel) <= SKIN {
                warm |= 1 << i;
            }
            // The room itself is followed within minutes.
            *usual += above * if above.abs() < STANDS_OUT { SLOW * 100.0 } else { SLOW };
        }
        largest(warm) >= SIZE
    }
}

/// Pixels of the largest connected region of an 8 x 8 picture.
fn largest(mut warm: u64) -> u32 {
    const LEFT: u64 = 0x0101_0101_0101_0101;
    let mut most = 0;
    while warm != 0 {
        let mut region = warm & warm.wrapping_neg();
        loop {
            let beside = (region & !(LEFT << 7)) << 1 | (region & !LEFT) >> 1 | region << 8 | region >> 8;
            let grown = (region | beside) & warm;
            if grown == region {
                break;
            }
            region = grown;
        }
        most = most.max(region.count_ones());
        warm &= !region;
    }
    most
}

fn thermal_max() -> Result<Quantity, Fault> {
    OtherName::new("thermal_max").map(Quantity::Other).map_err(|_| Fault::SelfTest)
}

/// Twelve bits, sign and magnitude, 1/16 °C each. Nothing at all is a line that stands low.
fn thermistor([low, high]: [u8; 2]) -> Result<f32, Fault> {
    let bits = u16::from_le_bytes([low, high]);
    if bits & 0xF000 != 0 {
        return Err(Fault::Corrupt);
    }
    let magnitude = f32::from(bits & 0x7FF) / 16.0;
    Ok(if bits & 0x800 == 0 { magnitude } else { -magnitude })
}

/// Twelve bits, two's complement, 1/4 °C each.
fn pixels(bytes: &[u8; 2 * COUNT]) -> Result<[i16; COUNT], Fault> {
    let mut all = [0; COUNT];
    for (pixel, pair) in all.iter_mut().zip(bytes.as_chunks::<2>().0) {
        let bits = u16::from_le_bytes(*pair);
        if bits & 0xF000 != 0 {
            return Err(Fault::Corrupt);
        }
        *pixel = ((bits << 4) as i16) >> 4;
        if !PIXEL.contains(pixel) {
            return Err(Fault::OutOfRange);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Bus, block_on, shown};
    use embedded_hal_mock::eh1::{delay::NoopDelay, i2c::Mock, i2c::Transaction};
    use proptest::prelude::*;

    /// A room of 22 °C, with warmer pixels in quarters of a degree.
    fn room(warm: &[(usize, i16)]) -> Vec<u8> {
        let mut pixels = [88i16; COUNT];
        warm.iter().for_each(|(i, t)| pixels[*i] = *t);
        pixels.iter().flat_map(|p| (*p as u16 & 0xFFF).to_le_bytes()).collect()
    }
    fn chip(pixels: &[u8]) -> Bus {
        Bus::answers(&[]).on(&[RATE], &[1]).on(&[THERMISTOR], &(24u16 * 16).to_le_bytes()).on(&[PIXELS], pixels)
    }
    fn sensor(bus: Bus) -> Amg8833<Bus, NoopDelay> {
        let mut sensor = Amg8833::new(bus, NoopDelay, ADDRESS);
        sensor.started_ms = Some(0);
        sensor
    }
    fn look(bus: Bus) -> Result<Sample, Fault> {
        block_on(sensor(bus).sample(WARM_UP_MS))
    }

    #[test]
    fn starts_and_converts_as_the_specification_says() {
        let mut i2c = Mock::new(&[
            Transaction::write(0x68, vec![0, 0]),
            Transaction::write(0x68, vec![1, 0x3F]),
            Transaction::write(0x68, vec![2, 1]),
        ]);
        block_on(Amg8833::new(i2c.clone(), NoopDelay, ADDRESS).start()).unwrap();
        i2c.done();
        // Specification, "temperature register": 0x7FF is 127.9375 °C, 0x190 is 25, 0x804 is -0.25.
        assert_eq!([0x7FF, 0x190, 0x804].map(|b: u16| thermistor(b.to_le_bytes()).unwrap()), [127.9375, 25.0, -0.25]);
        // 0x1F4 is 125 °C, 0x064 is 25, 0xF24 is -55.
        let pixel = |b: u16| ((b << 4) as i16 >> 4) as f32 / 4.0;
        assert_eq!([0x1F4, 0x064, 0xF24].map(pixel), [125.0, 25.0, -55.0]);
    }

    #[test]
    fn a_body_is_seen_and_a_kettle_or_a_single_pixel_is_not() {
        assert_eq!(shown(look(chip(&room(&[])))), "thermal_max 22, motion 0");
        assert_eq!(shown(look(chip(&room(&[(10, 120), (11, 116)])))), "thermal_max 30, motion 1");
        assert_eq!(shown(look(chip(&room(&[(10, 120)])))), "thermal_max 30, motion 0");
        assert_eq!(shown(look(chip(&room(&[(10, 360), (11, 360), (18, 360)])))), "thermal_max 90, motion 0");
        // The end of a row and the beginning of the next are not side by side.
        assert_eq!(shown(look(chip(&room(&[(7, 120), (8, 120)])))), "thermal_max 30, motion 0");
    }

    #[test]
    fn a_sleeping_child_is_not_taken_for_background_and_a_radiator_is() {
        let mut sensor = sensor(chip(&[]));
        let child: [i16; COUNT] = core::array::from_fn(|i| if i / 2 == 9 { 104 } else { 88 });
        assert!((0..3 * 3600).all(|_| sensor.sees_body(&child)), "three hours of nap");
        let radiator: [i16; COUNT] = core::array::from_fn(|i| if i / 4 == 9 { 140 } else { 88 });
        assert!(!(0..30 * 3600).fold(true, |_, _| sensor.sees_body(&radiator)), "a day later");
    }

    #[test]
    fn every_fault_is_a_fault() {
        assert_eq!(look(Bus::absent()), Err(Fault::Missing));
        assert_eq!(look(Bus::filled(0x00)), Err(Fault::Stale));
        assert_eq!(look(Bus::filled(0xFF)), Err(Fault::Corrupt));
        assert_eq!(look(chip(&room(&[(5, 401)]))), Err(Fault::OutOfRange));
        assert_eq!(look(chip(&room(&[(5, -81)]))), Err(Fault::OutOfRange));
        let mut frozen = sensor(chip(&room(&[])));
        let looks: Vec<_> = (0..7).map(|s| block_on(frozen.sample(WARM_UP_MS + s * 1000)).is_ok()).collect();
        assert_eq!(looks, [true, true, true, true, true, false, false]);
        assert_eq!(shown(block_on(Amg8833::new(chip(&room(&[])), NoopDelay, ADDRESS).sample(0))), "", "it warms up");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_in_range_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 1..128), clip: bool) {
            let bytes: Vec<u8> = bytes.iter().enumerate().map(|(i, b)| if clip && i % 2 == 1 { b & 1 } else { *b }).collect();
            if let Ok(sample) = look(chip(&bytes)) {
                prop_assert!((-20_000..=100_000).contains(&sample[0].value.0));
            }
        }
        #[test]
        fn a_region_is_not_larger_than_the_picture(warm: u64) {
            let largest = largest(warm);
            prop_assert!(largest <= warm.count_ones() && (largest > 0) == (warm != 0));
        }
    }
}
