//! How devices are switched, as their bridges announce it: what an order needs that the device's id does not hold.
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tuoan_protocol::DeviceId;

/// Devices kept at most; more are ordered by their convention's defaults.
const MAX_SWITCHES: usize = 4096;

/// What was announced of one device.
#[derive(Debug, Clone, PartialEq)]
pub enum Switch {
    /// The topic below which a Tasmota takes commands: `cmnd/hall`.
    Tasmota {
        commands: String,
    },
    Zigbee2Mqtt(Zigbee),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Zigbee {
    /// Topic of its bridge.
    pub base: String,
    pub friendly_name: String,
    /// It takes a `warning` (a siren of the standard's class "warning device").
    pub warning: bool,
    /// It takes an `alarm` that is on or off.
    pub alarm: Option<Attribute>,
    /// What is switched on it, by the channel that readings of it have.
    pub states: BTreeMap<u8, Attribute>,
}

/// A key of a device's messages and its two values.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    pub property: String,
    pub on: serde_json::Value,
    pub off: serde_json::Value,
}

/// Written by the decoders, read where orders go out. Cheap to clone; all clones are the same table.
///
/// What must hold: it only says in which words a device is told, and on a topic that its own bridge has named; whether it is told, and what, stands
/// in the order.
#[derive(Debug, Clone, Default)]
pub struct Switches(Arc<RwLock<BTreeMap<DeviceId, Switch>>>);

impl Switches {
    /// A Zigbee device stays with the bridge that named it first, until that bridge has lost it: no other takes its orders.
    pub(crate) fn announce(&self, device: &DeviceId, switch: Switch) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let free = match (table.get(device), &switch) {
            (Some(Switch::Zigbee2Mqtt(old)), Switch::Zigbee2Mqtt(new)) => old.base == new.base,
            (Some(_), _) => true,
            (None, _) => table.len() < MAX_SWITCHES,
        };
        if free {
            table.insert(device.clone(), switch);
        }
    }
    /// The bridge of that base topic has lost it.
    pub(crate) fn withdraw(&self, device: &DeviceId, base: &str) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(table.get(device), Some(Switch::Zigbee2Mqtt(z)) if z.base == base) {
            table.remove(device);
        }
    }
    pub fn of(&self, device: &DeviceId) -> Option<Switch> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(device).cloned()
    }
}
