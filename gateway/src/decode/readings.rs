//! What decoders make messages of: items, the first wrong field, and the channels of like sensors.
use super::MAX_ITEMS;
use super::scalar::Scalar;
use super::units::Conversion;
use crate::engine::input::{Body, Item, Message};
use std::collections::BTreeMap;
use tuoan_protocol::id::OtherName;
use tuoan_protocol::{DeviceId, EventKind, Fixed, Presence, Quantity};

/// The items of one message. A field that is wrong does not cost the others: one of them may be the alarm.
#[derive(Debug, Default)]
pub struct Readings {
    items: Vec<Item>,
    wrong: Option<String>,
}

impl Readings {
    /// A number in a foreign unit, or a state. `null` means not known yet and is passed over. `field` names it in the reason.
    pub fn add(&mut self, field: &str, quantity: Quantity, channel: u8, value: &Scalar<'_>, unit: &str) {
        if matches!(value, Scalar::Null) {
            return;
        }
        let read = if quantity.is_state() {
            value.value(&quantity).map_err(|e| e.to_string())
        } else {
            Conversion::of(&quantity, unit).and_then(|c| match value.number() {
                Some(number) => c.apply(&quantity, number).map_err(|e| e.to_string()),
                None => Err("the value is not a finite number".to_owned()),
            })
        };
        match read {
            Ok(value) => self.value(quantity, channel, value),
            Err(e) => self.wrong(format!("`{field}`: {e}")),
        }
    }
    /// A state already known.
    pub fn state(&mut self, quantity: Quantity, channel: u8, on: bool) {
        self.value(quantity, channel, Fixed(i64::from(on)));
    }
    /// A state under a name of the convention's own: kept and shown, never judged by a built-in rule.
    pub fn named_state(&mut self, name: &str, channel: u8, on: bool) {
        if let Ok(name) = OtherName::new(name) {
            let quantity = Quantity::Other(name);
            let one = quantity.scale();
            self.value(quantity, channel, Fixed(if on { one } else { 0 }));
        }
    }
    pub fn value(&mut self, quantity: Quantity, channel: u8, value: Fixed) {
        self.push(Item::Reading { quantity, channel, value });
    }
    pub fn event(&mut self, kind: EventKind) {
        self.push(Item::Event { kind, command: None });
    }
    /// An event kept by name.
    pub fn named_event(&mut self, name: &str) {
        if let Ok(name) = OtherName::new(name) {
            self.event(EventKind::Other(name));
        }
    }
    pub fn presence(&mut self, presence: Presence) {
        self.push(Item::Presence(presence));
    }
    pub fn wrong(&mut self, reason: String) {
        self.wrong.get_or_insert(reason);
    }
    fn push(&mut self, item: Item) {
        if self.items.len() < MAX_ITEMS {
            self.items.push(item);
        }
    }
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
    pub fn has(&self, quantity: &Quantity, channel: u8) -> bool {
        self.items.iter().any(|i| matches!(i, Item::Reading { quantity: q, channel: c, .. } if q == quantity && *c == channel))
    }
    /// What is measured, each once.
    pub fn quantities(&self) -> Vec<Quantity> {
        let mut list = Vec::new();
        for item in &self.items {
            if let Item::Reading { quantity, .. } = item
                && !list.contains(quantity)
            {
                list.push(quantity.clone());
            }
        }
        list
    }
    /// The message of `device`, which is heard even when it says nothing that we know; `Err` when all that it says is wrong.
    pub fn message(self, device: DeviceId, sampled_at: Option<i64>, retained: bool) -> Result<Body, String> {
        match self.wrong {
            Some(reason) if self.items.is_empty() => Err(reason),
            _ => Ok(Body::Message(Message { device, boot: None, seq: None, sampled_at, retained, items: self.items })),
        }
    }
}

/// Which channel a like sensor of one device has: they are numbered in the order in which they were first heard, and keep their numbers when
/// one of them falls silent. Bounded.
#[derive(Debug, Default)]
pub struct Channels(BTreeMap<DeviceId, Vec<(Quantity, String)>>);

impl Channels {
    const MAX_DEVICES: usize = 1000;

    pub fn of(&mut self, device: &DeviceId, quantity: &Quantity, sensor: &str) -> u8 {
        if self.0.len() >= Self::MAX_DEVICES && !self.0.contains_key(device) {
            return 0;
        }
        let known = self.0.entry(device.clone()).or_default();
        let mut same = known.iter().filter(|(q, _)| q == quantity);
        let channel = match same.clone().position(|(_, s)| s == sensor) {
            Some(at) => at,
            None => {
                let next = same.by_ref().count();
                if known.len() < 2 * MAX_ITEMS {
                    known.push((quantity.clone(), sensor.to_owned()));
                }
                next
            }
        };
        u8::try_from(channel).unwrap_or(u8::MAX)
    }
    pub fn forget(&mut self, device: &DeviceId) {
        self.0.remove(device);
    }
}
