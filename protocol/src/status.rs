//! Birth and will: one retained message per device on `.../status`.
use crate::{DeviceId, SiteId};
use heapless::String;

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Online,
    /// Said by the device before it leaves.
    Leaving,
    /// Said by the broker for it: the will.
    Offline,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub site: SiteId,
    pub device: DeviceId,
    /// The boot that this is the birth or will of; `None` in a will written before the boot id was known.
    pub boot: Option<u64>,
    pub presence: Presence,
    pub make: Option<String<32>>,
    pub model: Option<String<32>>,
    pub firmware: Option<String<32>>,
    /// Seconds between telemetry messages that the device promises.
    pub period_s: Option<u32>,
    /// Why it is offline, in a word, where the sender knows, e.g. `refused` or `stalled`.
    pub reason: Option<String<32>>,
    /// The board, and its number from the chip, e.g. `rp2040-w5500.e66138528361b32a`.
    pub hardware: Option<String<48>>,
    /// In a birth: why the device started, in a word or two, e.g. `power`, `watchdog`, `update`, `panic link/mod.rs:210`.
    pub reset: Option<String<48>>,
}
