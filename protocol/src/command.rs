//! To a device, from the gateway's outbox. A command is repeated until the device confirms it or it expires, so it must be harmless to carry
//! out twice: it sets a state, it never toggles one.
use crate::{DeviceId, SiteId, id::OtherName};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceAction {
    SirenOn,
    SirenOff,
    /// A warning light.
    BeaconOn,
    BeaconOff,
    /// Closes a gas or water valve. No command opens one: a person does, at the valve.
    ValveClose,
    /// Switches a germicidal lamp off. No command switches one on.
    UvLampOff,
    /// Releases a door lock.
    Unlock,
    /// Starts the device's self-test.
    Test,
    /// Not known to this version: a device confirms nothing that it did not do.
    Other(OtherName),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCommand {
    pub site: SiteId,
    pub device: DeviceId,
    /// Number in the gateway's outbox; the device answers with [`crate::EventKind::CommandDone`] and this number, and ignores a number it has done.
    pub id: u64,
    pub action: DeviceAction,
    /// UTC milliseconds after which the device must not act any more; a device without a clock acts on receipt.
    pub expires: Option<i64>,
}
