//! Telemetry: what one device measured, as one MQTT message.
use crate::{DeviceId, Fixed, Quantity, SiteId};
use heapless::Vec;

/// Readings in one message at most.
pub const MAX_READINGS: usize = 24;

/// When a device took a sample, as far as it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceTime {
    /// Milliseconds since 1970-01-01 UTC by the device's own clock.
    Unix(i64),
    /// Milliseconds since the device started: it has no clock.
    Uptime(u64),
}

/// One value. The unit follows from the quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub quantity: Quantity,
    /// Which of several like sensors on one device, 0 the first.
    pub channel: u8,
    pub value: Fixed,
}

/// (device, boot, seq) names a message for ever: a repeat of it is a redelivery and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    pub site: SiteId,
    pub device: DeviceId,
    /// Drawn or counted up at each start of the device; never repeats.
    pub boot: u64,
    /// Counts the device's messages (telemetry and events together) since that start.
    pub seq: u64,
    pub time: DeviceTime,
    pub readings: Vec<Reading, MAX_READINGS>,
    /// Beside an uptime: milliseconds from the sample to the sending of this message, so that what waited long does not look new. `None`: it says what it
    /// measures at once.
    pub age: Option<u64>,
}
