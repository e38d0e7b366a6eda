//! Zigbee2MQTT: `zigbee2mqtt/<friendly name>` with a JSON object per device, and the `bridge/...` topics.
//!
//! A device's id is `z2m.<ieee address>`, which `bridge/devices` gives for each friendly name. Before that list has come, a device is known as
//! `z2m.<its friendly name>`; once the address is known that id is announced as removed, so no device stands twice in the inventory, and what it
//! last said is said again under the right id: nobody places a device by a provisional id, so an alarm would go unjudged.
use super::scalar::{Scalar, iso8601};
use super::{Decoded, Decoder, Directory, Raw};
use crate::engine::input::{Body, DeviceInfo, Item, Message};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::codec::json;
use tuoan_protocol::decimal::Decimal;
use tuoan_protocol::id::OtherName;
use tuoan_protocol::{DeviceId, EventKind, Fixed, Presence, Quantity};

mod bridge;

/// All its ids begin so.
const PREFIX: &str = "z2m.";

/// A device's message has a few hundred bytes.
const MAX_DEVICE: usize = 4 << 10;
/// `bridge/devices` has about 5 KiB for each device (its `exposes`).
const MAX_BRIDGE: usize = 2 << 20;
/// Names kept, of devices and of groups each.
const MAX_NAMES: usize = 1000;
/// Items in one message at most; no device has so many that we know.
const MAX_ITEMS: usize = 24;

pub struct Zigbee2Mqtt {
    /// Base topic with the slash.
    prefix: String,
    /// Friendly name -> id, from the last `bridge/devices`.
    devices: BTreeMap<String, DeviceId>,
    /// Names of groups: their messages repeat what their members say.
    groups: BTreeSet<String>,
    /// Ids made of names because the address was not known, and the states that they last reported.
    provisional: BTreeMap<DeviceId, Option<Message>>,
}

impl Default for Zigbee2Mqtt {
    fn default() -> Self {
        Self::new("zigbee2mqtt")
    }
}

impl Zigbee2Mqtt {
    /// For the bridge whose `mqtt.base_topic` is `base`.
    pub fn new(base: &str) -> Self {
        Self { prefix: format!("{base}/"), devices: BTreeMap::new(), groups: BTreeSet::new(), provisional: BTreeMap::new() }
    }

    /// The id of a device, and whether it is provisional.
    fn device(&self, name: &str) -> Option<(DeviceId, bool)> {
        match self.devices.get(name).cloned().or_else(|| of_address(name)) {
            Some(id) => Some((id, false)),
            None => Some((of_name(name)?, true)),
        }
    }
}

impl Decoder for Zigbee2Mqtt {
    fn name(&self) -> &'static str {
        "zigbee2mqtt"
    }
    fn prefix(&self) -> &'static str {
        PREFIX
    }

    fn decode(&mut self, raw: Raw<'_>, _: &mut Directory) -> Decoded {
        let Some(rest) = raw.topic.strip_prefix(self.prefix.as_str()) else { return Decoded::NotMine };
        let decoded = match rest.strip_prefix("bridge/") {
            Some(_) if raw.payload.len() > MAX_BRIDGE => Err(format!("the payload is longer than {MAX_BRIDGE} bytes")),
            Some(topic) => self.bridge(topic, raw),
            None if raw.payload.len() > MAX_DEVICE => Err(format!("the payload is longer than {MAX_DEVICE} bytes")),
            None => self.entity(rest, raw),
        };
        decoded.map_or_else(Decoded::Malformed, Decoded::Inputs)
    }

    fn learn(&mut self, inventory: &[DeviceInfo], _: &mut Directory) {
        for info in inventory.iter().filter(|info| !info.removed) {
            let Some(id) = info.device.as_ref().filter(|id| id.as_str().starts_with("z2m.")) else { continue };
            if !id.as_str().starts_with("z2m.0x") {
                if id.as_str() != bridge::ID && self.provisional.len() < MAX_NAMES {
                    self.provisional.insert(id.clone(), None);
                }
            } else if let Some(name) = &info.name
                && self.devices.len() < MAX_NAMES
            {
                self.devices.insert(name.clone(), id.clone());
            }
        }
    }
}

impl Zigbee2Mqtt {
    /// Everything but `bridge/...`: devices and groups. A friendly name may hold slashes.
    fn entity(&mut self, name: &str, raw: Raw<'_>) -> Result<Vec<Body>, String> {
        // An empty payload clears a retained message (the device was renamed or removed).
        // A device is heard even if a group has its name.
        if raw.payload.is_empty() || (self.groups.contains(name) && !self.devices.contains_key(name)) {
            return Ok(Vec::new());
        }
        let (parent, last) = name.rsplit_once('/').unwrap_or(("", name));
        if last == "availability" && self.groups.contains(parent) {
            return Ok(Vec::new());
        }
        if self.devices.contains_key(name) || parent.is_empty() {
            return self.state(name, raw);
        }
        // Orders to a device, heard again: `<name>/set`, `<name>/get`, `<name>/set/<attribute>`.
        if matches!(last, "set" | "get") || parent.ends_with("/set") || parent.ends_with("/get") {
            return Ok(Vec::new());
        }
        let payload = std::str::from_utf8(raw.payload).map_err(|_| "the payload is not UTF-8".to_owned())?.trim();
        if last == "availability" {
            let presence = presence(payload).ok_or("availability must be online or offline, or {\"state\":\"online\"}")?;
            return Ok(self.message(parent, raw, None, vec![Item::Presence(presence)]));
        }
        if payload.starts_with('{') {
            return self.state(name, raw);
        }
        // `mqtt.output: attribute` publishes each attribute alone. An action comes in the object as well; taken here it would count twice.
        let mut items = Vec::new();
        if last != "action" {
            field(last, &Scalar::of(payload), &mut items)?;
        }
        Ok(if items.is_empty() { Vec::new() } else { self.message(parent, raw, None, items) })
    }

    /// The object that a device publishes. A field that is wrong does not cost the others: one of them may be the alarm.
    fn state(&mut self, name: &str, raw: Raw<'_>) -> Result<Vec<Body>, String> {
        let (mut items, mut sampled_at, mut wrong) = (Vec::new(), None, None);
        json::object(raw.payload, |key, value| {
            let value = Scalar::of(value);
            match key {
                "last_seen" => sampled_at = last_seen(&value),
                _ if items.len() >= MAX_ITEMS => {}
                _ => wrong = field(key, &value, &mut items).err().or(wrong.take()),
            }
            Ok(())
        })
        .map_err(|e| format!("a device publishes a JSON object ({e})"))?;
        match wrong {
            Some(reason) if items.is_empty() => Err(reason),
            _ => Ok(self.message(name, raw, sampled_at, items)),
        }
    }

    fn message(&mut self, name: &str, raw: Raw<'_>, sampled_at: Option<i64>, items: Vec<Item>) -> Vec<Body> {
        let Some((device, provisional)) = self.device(name) else { return Vec::new() };
        let message = Message { device, boot: None, seq: None, sampled_at, retained: raw.retained, items };
        if provisional && (self.provisional.len() < MAX_NAMES || self.provisional.contains_key(&message.device)) {
            let mut states = message.clone();
            // What was momentary is over when the address comes.
            states.items.retain(|item| !matches!(item, Item::Event { .. }));
            self.provisional.insert(message.device.clone(), Some(states));
        }
        vec![Body::Message(message)]
    }
}

/// One attribute. Unknown ones (settings, colours, update state) are passed over; `null` means not known yet.
fn field(key: &str, value: &Scalar<'_>, items: &mut Vec<Item>) -> Result<(), String> {
    if matches!(value, Scalar::Null | Scalar::Compound) {
        return Ok(());
    }
    let (quantity, how) = match key {
        // A reed contact that is closed (`true`) means a closed door.
        "contact" => (Quantity::Open, How::Inverted),
        "temperature" => (Quantity::Temperature, How::Plain),
        "humidity" => (Quantity::Humidity, How::Plain),
        "pressure" => (Quantity::Pressure, How::Plain),
        "co2" => (Quantity::Co2, How::Plain),
        "pm25" => (Quantity::Pm25, How::Plain),
        "pm10" => (Quantity::Pm10, How::Plain),
        "co" => (Quantity::Co, How::Plain),
        "noise" => (Quantity::SoundLevel, How::Plain),
        "illuminance" | "illuminance_lux" => (Quantity::Illuminance, How::Once),
        "smoke" => (Quantity::Smoke, How::Plain),
        "gas" => (Quantity::Gas, How::Plain),
        "carbon_monoxide" => (Quantity::CoAlarm, How::Plain),
        "water_leak" => (Quantity::WaterLeak, How::Plain),
        "occupancy" => (Quantity::Motion, How::Plain),
        "presence" => (Quantity::Presence, How::Plain),
        "vibration" => (Quantity::Vibration, How::Plain),
        "tamper" => (Quantity::Tamper, How::Plain),
        "battery" => (Quantity::Battery, How::Plain),
        "voltage" => (Quantity::BatteryVoltage, How::Millivolts),
        "linkquality" => (Quantity::LinkQuality, How::Plain),
        "action" => {
            if let Some(kind) = action(value) {
                items.push(Item::Event { kind, command: None });
            }
            return Ok(());
        }
        "sos" if value.state() == Some(true) => {
            items.push(Item::Event { kind: EventKind::PanicPressed, command: None });
            return Ok(());
        }
        "test" if value.state() == Some(true) => {
            items.push(Item::Event { kind: EventKind::Test, command: None });
            return Ok(());
        }
        _ => return Ok(()),
    };
    let wrong = |e: tuoan_protocol::quantity::ValueError| format!("attribute `{key}`: {e}");
    let value = match how {
        How::Plain | How::Once => value.value(&quantity).map_err(wrong)?,
        How::Inverted => Fixed(1 - value.value(&quantity).map_err(wrong)?.0),
        How::Millivolts => match value.number().and_then(|n| Decimal::parse(n).ok()) {
            // A plug's mains voltage is in volts and says nothing of a battery.
            Some(mv) => match mv.to_fixed(0) {
                Ok(Fixed(mv)) if (500..=20_000).contains(&mv) => Fixed(mv),
                _ => return Ok(()),
            },
            None => return Err(wrong(tuoan_protocol::quantity::ValueError::NotFinite)),
        },
    };
    if how == How::Once && items.iter().any(|i| matches!(i, Item::Reading { quantity: q, .. } if *q == quantity)) {
        return Ok(());
    }
    items.push(Item::Reading { quantity, channel: 0, value });
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Plain,
    /// Two attributes may carry it; the first counts.
    Once,
    Inverted,
    Millivolts,
}

/// What a button or sensor did. `""` follows each action, to reset displays.
fn action(value: &Scalar<'_>) -> Option<EventKind> {
    let Scalar::Text(name) = value else { return None };
    let has = |part: &str| name.contains(part);
    match name.as_ref() {
        "" => None,
        "emergency" | "panic" | "sos" => Some(EventKind::PanicPressed),
        // Movements and releases are no presses.
        n if has("release") || has("rotat") || ["vibration", "tilt", "drop", "shake", "slide", "fall", "flip"].iter().any(|p| has(p)) => {
            OtherName::new(n).ok().map(EventKind::Other)
        }
        _ => Some(EventKind::ButtonPressed),
    }
}

/// Zigbee2MQTT's `advanced.last_seen`: epoch milliseconds or ISO 8601. A wrong one is dropped rather than the reading.
fn last_seen(value: &Scalar<'_>) -> Option<i64> {
    match value {
        Scalar::Number(ms) => Decimal::parse(ms).ok()?.to_fixed(0).ok().map(|f| f.0).filter(|ms| *ms >= 0),
        Scalar::Text(text) => iso8601(text),
        _ => None,
    }
}

/// Both spellings: `online` and `{"state":"online"}`.
fn presence(payload: &str) -> Option<Presence> {
    let mut state = None;
    if payload.starts_with('{') {
        json::object(payload.as_bytes(), |key, raw| {
            if key == "state" {
                state = json::text(raw).map(|t| t.into_owned());
            }
            Ok(())
        })
        .ok()?;
    }
    match state.as_deref().unwrap_or(payload) {
        "online" => Some(Presence::Online),
        "offline" => Some(Presence::Offline),
        _ => None,
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

/// `z2m.<name>`, with what an id may not hold replaced; then a hash keeps `a b` and `a_b` apart.
fn of_name(name: &str) -> Option<DeviceId> {
    if let Ok(id) = DeviceId::new(&format!("z2m.{name}")) {
        return Some(id);
    }
    // FNV-1a.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mut clean = String::from("z2m.");
    for c in name.chars() {
        let c = if c.is_control() || c.is_whitespace() || matches!(c, '/' | '+' | '#' | '"' | '\\') { '_' } else { c };
        if clean.len() + c.len_utf8() > DeviceId::MAX - 9 {
            break;
        }
        clean.push(c);
    }
    DeviceId::new(&format!("{clean}~{:08x}", hash >> 32)).ok()
}

#[cfg(test)]
mod tests;
