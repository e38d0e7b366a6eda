//! Air temperature and relative humidity: how they are judged, and how one sensor's are known to another that needs them.
use super::sample;
use crate::sensor::{Fault, Sample, reading};
use core::sync::atomic::{AtomicU32, Ordering};
use tuoan_protocol::Quantity;

/// What the sensors of this kind are specified for, in °C.
const TEMPERATURE: core::ops::RangeInclusive<f64> = -40.0..=125.0;
/// Capacitive sensors overshoot a little at both ends: that is cut off. Farther out they are broken.
const HUMIDITY: core::ops::RangeInclusive<f64> = -3.0..=106.0;

/// Both in one sample, `temperature` in °C and `humidity` in per cent.
pub(super) fn judged(temperature: f64, humidity: f64) -> Result<Sample, Fault> {
    if !TEMPERATURE.contains(&temperature) || !HUMIDITY.contains(&humidity) {
        return Err(Fault::OutOfRange);
    }
    Ok(sample([reading(Quantity::Temperature, temperature)?, reading(Quantity::Humidity, humidity.clamp(0.0, 100.0))?]))
}

/// The room's climate, written by the sensor that measures it and read by those that compensate for it (SGP4x). One word, so that it may be a `static`
/// on chips without atomic exchanges.
pub struct Climate(AtomicU32);

/// 25 °C and 50 %: what SGP4x assume when they are told nothing (data sheet SGP41 1.0, section 3.2), in their ticks.
const UNKNOWN: u32 = 0x6666_8000;

impl Climate {
    pub const fn new() -> Climate {
        Climate(AtomicU32::new(UNKNOWN))
    }
    /// In the ticks of Sensirion's commands: temperature (T + 45) · 65535 / 175, humidity RH · 65535 / 100.
    pub(super) fn set(&self, temperature: u16, humidity: u16) {
        self.0.store(u32::from(temperature) << 16 | u32::from(humidity), Ordering::Relaxed);
    }
    /// Nothing is known any more.
    pub(super) fn forget(&self) {
        self.0.store(UNKNOWN, Ordering::Relaxed);
    }
    /// Temperature and humidity in ticks.
    pub(super) fn ticks(&self) -> (u16, u16) {
        let both = self.0.load(Ordering::Relaxed);
        ((both >> 16) as u16, both as u16)
    }
}

impl Default for Climate {
    fn default() -> Climate {
        Climate::new()
    }
}
