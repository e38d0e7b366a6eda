//! Momentary events: they happen, they do not last. Never believed when retained.
use crate::{DeviceId, DeviceTime, SiteId, id::OtherName};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// One-key alarm (一键报警) pressed.
    PanicPressed,
    /// Cancelled on the device; the gateway still asks for a reason.
    PanicCancelled,
    /// The device's test button or self-test alarm: proves the detector, is not a hazard.
    Test,
    /// Any other button.
    ButtonPressed,
    /// The device did what an outbox command asked; `command` in the event names it.
    CommandDone,
    /// Kept by name, never judged.
    Other(OtherName),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceEvent {
    pub site: SiteId,
    pub device: DeviceId,
    pub boot: u64,
    pub seq: u64,
    pub time: DeviceTime,
    pub kind: EventKind,
    /// For [`EventKind::CommandDone`]: the command's number in the gateway's outbox.
    pub command: Option<u64>,
    /// Beside an uptime: milliseconds from the event to the sending of this message. `None`: it is told at once.
    pub age: Option<u64>,
}
