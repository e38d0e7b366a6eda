//! Zigbee2MQTT: `<base>/<friendly name>` with a JSON object per device, and the `<base>/bridge/...` topics. The base topic is `zigbee2mqtt`, or
//! any other under which a bridge introduces itself.
//!
//! A device's id is `z2m.<ieee address>`, which `bridge/devices` gives for each friendly name. Before that list has come, a device is known as
//! `z2m.<its friendly name>`, provisionally (see [`super::ident::Provisional`]). The list also says what each attribute of a device means and in
//! which unit it is.
use super::ident::{Provisional, device_id};
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::DeviceInfo;
use bridge::Bridge;
use std::collections::BTreeMap;
use tuoan_protocol::DeviceId;

mod bridge;
mod exposes;
mod state;

/// All its ids begin so.
const PREFIX: &str = "z2m.";
/// The base topic that is known before anything was heard.
const BASE: &str = "zigbee2mqtt";
/// The bridge itself, as a device: when it is gone, all its devices are silent.
const BRIDGE: &str = "z2m.bridge";

/// A device's message has a few hundred bytes, with the notes of a pending update some thousands.
const MAX_DEVICE: usize = 16 << 10;
/// `bridge/devices` has about 5 KiB for each device (its `exposes`).
const MAX_BRIDGE: usize = 2 << 20;
/// Names kept of one bridge, of devices and of groups each.
const MAX_NAMES: usize = 1000;
/// Bridges (base topics) at most.
const MAX_BRIDGES: usize = 8;

pub struct Zigbee2Mqtt {
    /// By base topic with the slash.
    bridges: BTreeMap<String, Bridge>,
    provisional: Provisional,
}

impl Default for Zigbee2Mqtt {
    fn default() -> Self {
        let bridges = BTreeMap::from([(format!("{BASE}/"), Bridge::new(BASE))]);
        Self { bridges, provisional: Provisional::default() }
    }
}

impl Decoder for Zigbee2Mqtt {
    fn name(&self) -> &'static str {
        "zigbee2mqtt"
    }
    fn prefix(&self) -> &'static str {
        PREFIX
    }

    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded {
        let Some(base) = self.base(raw.topic).or_else(|| self.introduced(raw, directory)) else { return Decoded::NotMine };
        let (Some(bridge), Some(rest)) = (self.bridges.get_mut(&base), raw.topic.strip_prefix(base.as_str())) else {
            return Decoded::NotMine;
        };
        let decoded = match rest.strip_prefix("bridge/") {
            Some(_) if raw.payload.len() > MAX_BRIDGE => Err(format!("the payload is longer than {MAX_BRIDGE} bytes")),
            Some(topic) => bridge.says(topic, raw, &mut self.provisional, directory),
            None if raw.payload.len() > MAX_DEVICE => Err(format!("the payload is longer than {MAX_DEVICE} bytes")),
            None => bridge.entity(rest, raw, &mut self.provisional),
        };
        decoded.map_or_else(Decoded::Malformed, Decoded::Inputs)
    }

    fn owner(&self, topic: &str) -> Owner {
        let Some(base) = self.base(topic) else { return Owner::NotMine };
        match (self.bridges.get(&base), topic.strip_prefix(base.as_str())) {
            (Some(bridge), Some(rest)) => bridge.owner(rest),
            _ => Owner::NotMine,
        }
    }

    fn mentioned(&mut self, device: &DeviceId) {
        if is_provisional(device) {
            self.provisional.learn(device);
        }
    }

    fn learn(&mut self, inventory: &[DeviceInfo], directory: &mut Directory) {
        for info in inventory.iter().filter(|info| !info.removed) {
            let Some(id) = info.device.as_ref().filter(|id| id.as_str().starts_with(PREFIX)) else { continue };
            if let Some(address) = id.as_str().strip_prefix("z2m.0x") {
                directory.claim(address, id);
                // Through which of several bridges it was heard.
                let bridge = self.bridges.values_mut().find(|b| info.via.as_ref().is_none_or(|via| b.id.as_ref() == Some(via)));
                if let (Some(bridge), Some(name)) = (bridge, &info.name) {
                    bridge.remember(name, id);
                }
            } else if is_provisional(id) {
                self.provisional.learn(id);
            }
        }
    }
}

impl Zigbee2Mqtt {
    /// The base topic, with the slash, that this topic lies below; the longest where one lies below another.
    fn base(&self, topic: &str) -> Option<String> {
        self.bridges.keys().rev().find(|base| topic.starts_with(base.as_str())).cloned()
    }

    /// A bridge under a base topic of its own says who it is. `bridge/info` names its base topic and `bridge/devices` its coordinator; a bare
    /// `bridge/state` could be anybody's, but whoever may publish it may publish all below.
    fn introduced(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Option<String> {
        let (base, what) = raw.topic.rsplit_once("/bridge/")?;
        let text = std::str::from_utf8(raw.payload).ok()?.trim();
        let is = match what {
            "state" => {
                matches!(text, "online" | "offline")
                    || matches!(text.replace(' ', "").as_str(), r#"{"state":"online"}"# | r#"{"state":"offline"}"#)
            }
            "info" => text.starts_with('{') && text.contains("\"coordinator\"") && text.contains("\"permit_join\""),
            "devices" => text.starts_with('[') && text.contains("\"ieee_address\"") && text.contains("\"friendly_name\""),
            _ => false,
        };
        // The native convention and Home Assistant keep their own roots.
        let root = base.split('/').next().unwrap_or_default();
        if !is
            || matches!(root, "tuoan" | "homeassistant" | "")
            || root.starts_with('$')
            || base.len() > 128
            || self.bridges.len() >= MAX_BRIDGES
        {
            return None;
        }
        let prefix = format!("{base}/");
        self.bridges.insert(prefix.clone(), Bridge::new(base));
        directory.learned_root(&prefix);
        Some(prefix)
    }
}

/// `z2m.0x00158d0001234567` of an IEEE address.
fn of_address(address: &str) -> Option<DeviceId> {
    let digits = address.strip_prefix("0x")?;
    if digits.len() != 16 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    DeviceId::new(&format!("z2m.0x{}", digits.to_ascii_lowercase())).ok()
}

/// Made of a name, not of an address.
fn is_provisional(id: &DeviceId) -> bool {
    let id = id.as_str();
    !id.starts_with("z2m.0x") && id != BRIDGE && !id.starts_with("z2m.bridge.")
}

/// `z2m.<name>`; under another base topic than the usual one `z2m.<base>/<name>`, so that like names of two bridges stay apart.
fn of_name(base: &str, name: &str) -> Option<DeviceId> {
    if base == BASE { device_id(PREFIX, name) } else { device_id(PREFIX, &format!("{base}/{name}")) }
}

#[cfg(test)]
mod tests;
