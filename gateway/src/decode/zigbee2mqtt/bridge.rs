//! What the bridge says of itself and of its devices.
use super::{Body, DeviceId, DeviceInfo, Item, MAX_NAMES, Message, Raw, Zigbee2Mqtt, of_address, of_name, presence};
use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The bridge itself, as a device: when it is gone, all its devices are silent.
pub(super) const ID: &str = "z2m.bridge";
/// Bytes of a name, make or model that are kept.
const MAX_TEXT: usize = 96;

#[derive(Deserialize)]
struct Device {
    ieee_address: String,
    friendly_name: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    definition: Option<Definition>,
    #[serde(default)]
    manufacturer: Option<String>,
    #[serde(default)]
    model_id: Option<String>,
    #[serde(default)]
    software_build_id: Option<String>,
}

#[derive(Deserialize)]
struct Definition {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    vendor: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    friendly_name: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: EventData,
}

#[derive(Deserialize, Default)]
struct EventData {
    #[serde(default)]
    ieee_address: Option<String>,
}

/// At most [`MAX_NAMES`] elements; more are an error, so that a hostile list costs no memory.
struct Bounded<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Bounded<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX_NAMES}")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bounded<T>, A::Error> {
                let mut list = Vec::new();
                while list.len() < MAX_NAMES {
                    match seq.next_element()? {
                        Some(item) => list.push(item),
                        None => return Ok(Bounded(list)),
                    }
                }
                match seq.next_element::<IgnoredAny>()? {
                    None => Ok(Bounded(list)),
                    Some(_) => Err(serde::de::Error::invalid_length(MAX_NAMES + 1, &self)),
                }
            }
        }
        d.deserialize_seq(V(std::marker::PhantomData))
    }
}

/// A text that may be kept in the log.
fn short(mut text: String) -> Option<String> {
    text.retain(|c| !c.is_control());
    let end = text.char_indices().map(|(i, c)| i + c.len_utf8()).take_while(|end| *end <= MAX_TEXT).last().unwrap_or(0);
    text.truncate(end);
    if text.is_empty() { None } else { Some(text) }
}

fn removed(device: DeviceId) -> DeviceInfo {
    DeviceInfo { device: Some(device), removed: true, ..DeviceInfo::default() }
}

impl Zigbee2Mqtt {
    pub(super) fn bridge(&mut self, topic: &str, raw: Raw<'_>) -> Result<Vec<Body>, String> {
        if raw.payload.is_empty() {
            return Ok(Vec::new());
        }
        match topic {
            "state" => {
                let text = std::str::from_utf8(raw.payload).map_err(|_| "the payload is not UTF-8".to_owned())?;
                let presence = presence(text.trim()).ok_or("the bridge's state must be online or offline, or {\"state\":\"online\"}")?;
                let device = DeviceId::new(ID).map_err(|e| e.to_string())?;
                let items = vec![Item::Presence(presence)];
                Ok(vec![Body::Message(Message { device, boot: None, seq: None, sampled_at: None, retained: raw.retained, items })])
            }
            "devices" => {
                let list: Bounded<Device> = serde_json::from_slice(raw.payload).map_err(|e| format!("bridge/devices: {e}"))?;
                Ok(self.replace(list.0))
            }
            "groups" => {
                let list: Bounded<Group> = serde_json::from_slice(raw.payload).map_err(|e| format!("bridge/groups: {e}"))?;
                self.groups = list.0.into_iter().map(|g| g.friendly_name).collect();
                Ok(Vec::new())
            }
            "event" => {
                let event: Event = serde_json::from_slice(raw.payload).map_err(|e| format!("bridge/event: {e}"))?;
                // A leave is the only event that bridge/devices does not tell better.
                if event.kind != "device_leave" && event.kind != "device_removed" {
                    return Ok(Vec::new());
                }
                let Some(id) = event.data.ieee_address.as_deref().and_then(of_address) else {
                    return Err(format!("bridge/event: {} must give data.ieee_address", event.kind));
                };
                self.devices.retain(|_, known| *known != id);
                Ok(vec![Body::Inventory(vec![removed(id)])])
            }
            // info, logging, health, definitions, extensions, request/..., response/...
            _ => Ok(Vec::new()),
        }
    }

    /// The full list of devices: what was known and is not in it has been removed.
    fn replace(&mut self, list: Vec<Device>) -> Vec<Body> {
        let mut devices = BTreeMap::new();
        let mut inventory = Vec::new();
        let mut again = Vec::new();
        for d in list {
            if d.kind.as_deref() == Some("Coordinator") {
                continue;
            }
            let Some(id) = of_address(&d.ieee_address) else { continue };
            if let Some(provisional) = of_name(&d.friendly_name)
                && let Some(states) = self.provisional.remove(&provisional)
            {
                inventory.push(removed(provisional));
                again.extend(states.map(|m| Body::Message(Message { device: id.clone(), ..m })));
            }
            let (make, model) = match d.definition {
                // The description is what an owner recognises; the model stands before it for the manual.
                Some(def) => {
                    let model = match (def.model, def.description) {
                        (Some(m), Some(text)) => Some(format!("{m} {text}")),
                        (m, text) => m.or(text),
                    };
                    (def.vendor, model)
                }
                None => (d.manufacturer, d.model_id),
            };
            inventory.push(DeviceInfo {
                device: Some(id.clone()),
                name: short(d.friendly_name.clone()),
                make: make.and_then(short),
                model: model.and_then(short),
                firmware: d.software_build_id.and_then(short),
                period_s: None,
                quantities: Vec::new(),
                via: DeviceId::new(ID).ok(),
                removed: false,
            });
            devices.insert(d.friendly_name, id);
        }
        let present: BTreeSet<&DeviceId> = devices.values().collect();
        inventory.extend(self.devices.values().filter(|id| !present.contains(id)).cloned().map(removed));
        self.devices = devices;
        let mut bodies = if inventory.is_empty() { Vec::new() } else { vec![Body::Inventory(inventory)] };
        bodies.append(&mut again);
        bodies
    }
}
