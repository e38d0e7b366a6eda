//! What devices publish.
use super::bridge::Bridge;
use super::exposes::{Attributes, guessed};
use super::{Provisional, Raw};
use crate::decode::MAX_ITEMS;
use crate::decode::meaning;
use crate::decode::scalar::{Scalar, iso8601};
use crate::engine::input::{Body, Item, Message};
use tuoan_protocol::codec::json;
use tuoan_protocol::decimal::Decimal;
use tuoan_protocol::{EventKind, Presence};

impl Bridge {
    /// Everything but `bridge/...`: devices and groups. A friendly name may hold slashes.
    pub fn entity(&mut self, name: &str, raw: Raw<'_>, provisional: &mut Provisional) -> Result<Vec<Body>, String> {
        // An empty payload clears a retained message (the device was renamed or removed).
        // A device is heard even if a group has its name.
        if raw.payload.is_empty() || (self.groups.contains(name) && !self.devices.contains_key(name)) {
            return Ok(Vec::new());
        }
        let (parent, last) = name.rsplit_once('/').unwrap_or(("", name));
        if self.groups.contains(parent) && !self.devices.contains_key(parent) {
            return Ok(Vec::new());
        }
        if self.devices.contains_key(name) || parent.is_empty() {
            return self.state(name, raw, provisional);
        }
        // Orders to a device, heard again: `<name>/set`, `<name>/get`, `<name>/set/<attribute>`.
        if matches!(last, "set" | "get") || parent.ends_with("/set") || parent.ends_with("/get") {
            return Ok(Vec::new());
        }
        let payload = std::str::from_utf8(raw.payload).map_err(|_| "the payload is not UTF-8".to_owned())?.trim();
        if last == "availability" {
            let presence = presence(payload).ok_or("availability must be online or offline, or {\"state\":\"online\"}")?;
            return Ok(self.message(parent, raw, None, vec![Item::Presence(presence)], provisional));
        }
        if payload.starts_with('{') {
            return self.state(name, raw, provisional);
        }
        // `advanced.output: attribute` publishes each attribute alone. Otherwise an action comes in the object as well, and taken here it would
        // count twice; but a call for help rather twice than never.
        let mut items = Vec::new();
        let twice = last == "action" && !self.attributes_only;
        if !twice || meaning::press(payload) == EventKind::PanicPressed {
            let attributes = self.devices.get(parent).map(|d| &d.attributes);
            field(last, &Scalar::of(payload), attributes, &mut items)?;
        }
        Ok(if items.is_empty() { Vec::new() } else { self.message(parent, raw, None, items, provisional) })
    }

    /// The object that a device publishes. A field that is wrong does not cost the others: one of them may be the alarm.
    fn state(&mut self, name: &str, raw: Raw<'_>, provisional: &mut Provisional) -> Result<Vec<Body>, String> {
        let (mut items, mut sampled_at, mut wrong) = (Vec::new(), None, None);
        let attributes = self.devices.get(name).map(|d| &d.attributes);
        json::object(raw.payload, |key, value| {
            let value = Scalar::of(value);
            match key {
                "last_seen" => sampled_at = last_seen(&value),
                _ if items.len() >= MAX_ITEMS => {}
                _ => wrong = field(key, &value, attributes, &mut items).err().or(wrong.take()),
            }
            Ok(())
        })
        .map_err(|e| format!("a device publishes a JSON object ({e})"))?;
        match wrong {
            Some(reason) if items.is_empty() => Err(reason),
            _ => Ok(self.message(name, raw, sampled_at, items, provisional)),
        }
    }

    fn message(&self, name: &str, raw: Raw<'_>, sampled_at: Option<i64>, items: Vec<Item>, provisional: &mut Provisional) -> Vec<Body> {
        let Some((device, is_provisional)) = self.device(name) else { return Vec::new() };
        let message = Message { device, boot: None, seq: None, sampled_at, retained: raw.retained, items };
        if is_provisional {
            provisional.note(&message);
        }
        vec![Body::Message(message)]
    }
}

/// One attribute. Unknown ones (settings, colours, update state) are passed over; `null` means not known yet.
fn field(key: &str, value: &Scalar<'_>, attributes: Option<&Attributes>, items: &mut Vec<Item>) -> Result<(), String> {
    if matches!(value, Scalar::Null | Scalar::Compound) || matches!(value, Scalar::Text(t) if t.is_empty() && key != "action") {
        return Ok(());
    }
    let event = |items: &mut Vec<Item>, kind| {
        items.push(Item::Event { kind, command: None });
        Ok(())
    };
    match key {
        "action" => {
            return match value {
                // `""` follows each action, to reset displays.
                Scalar::Text(name) if !name.is_empty() => event(items, meaning::press(name)),
                _ => Ok(()),
            };
        }
        "sos" | "panic" | "emergency" if value.state() == Some(true) => return event(items, EventKind::PanicPressed),
        "test" | "self_test" if value.state() == Some(true) => return event(items, EventKind::Test),
        _ => {}
    }
    let guess;
    let attribute = match attributes.and_then(|a| a.get(key)) {
        Some(Some(attribute)) => attribute,
        Some(None) => return Ok(()),
        None => match guessed(key) {
            Some(found) => {
                guess = found;
                &guess
            }
            None => return Ok(()),
        },
    };
    let Some(value) = attribute.value(value).map_err(|e| format!("attribute `{key}`: {e}"))? else { return Ok(()) };
    // Two attributes may carry the same (`illuminance`, `illuminance_lux`): the first counts, but a hazard that either tells is one.
    for item in items.iter_mut() {
        if let Item::Reading { quantity, channel, value: first } = item
            && *quantity == attribute.quantity
            && *channel == attribute.channel
        {
            if quantity.is_state() {
                *first = (*first).max(value);
            }
            return Ok(());
        }
    }
    items.push(Item::Reading { quantity: attribute.quantity.clone(), channel: attribute.channel, value });
    Ok(())
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
pub fn presence(payload: &str) -> Option<Presence> {
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
