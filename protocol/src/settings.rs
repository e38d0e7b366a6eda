//! How a node measures, set from afar. A message is the whole of it: what it does not name has its default. A device takes all of it or, when one field
//! is wrong, nothing, and says which.
use crate::{DeviceId, Fixed, Quantity, SiteId};
use heapless::{String, Vec};

/// Rules of one device at most.
pub const MAX_RULES: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSettings {
    pub site: SiteId,
    pub device: DeviceId,
    /// Number of this setting; a device that has it already confirms it again.
    pub id: u64,
    /// Height above the sea, metres, 0 to 5000: a CO2 sensor reads low without it.
    pub altitude_m: Option<u16>,
    /// Whether the CO2 sensor takes its lowest value of a week for fresh air. Off where a room is never empty.
    pub self_calibration: Option<bool>,
    /// Whether the device sounds its own buzzer at an alarm.
    pub local_alarm: Option<bool>,
    pub rules: Vec<QuantityRule, MAX_RULES>,
}

/// How one quantity is sampled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantityRule {
    pub quantity: Quantity,
    /// Seconds between two looks, 1 to 3600.
    pub look_s: Option<u32>,
    /// Seconds between two reports when nothing changes, 10 to 3600.
    pub report_s: Option<u32>,
    /// Looks that make one value, 1 to 64.
    pub oversample: Option<u8>,
    /// Told before its period when it differs by so much.
    pub step: Option<Fixed>,
    /// Told at once when it comes below, or back.
    pub low: Option<Fixed>,
    /// Told at once when it comes above, or back.
    pub high: Option<Fixed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsAnswer {
    pub site: SiteId,
    pub device: DeviceId,
    pub id: u64,
    /// The field that is wrong, as `rules.co2.report_s`; `None`: taken, and kept.
    pub refused: Option<String<48>>,
}
