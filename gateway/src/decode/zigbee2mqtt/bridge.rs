//! What a bridge says of itself and of its devices.
use super::exposes::{Attributes, Expose, Of};
use super::{BASE, BRIDGE, BTreeMap, DeviceId, DeviceInfo, Directory, MAX_NAMES, Owner, Provisional, Raw, of_address, of_name, state};
use crate::decode::ident::{device_id, removed, short};
use crate::decode::switches::{Switch, Zigbee};
use crate::engine::input::{Body, Item, Message};
use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;
use tuoan_protocol::Quantity;

/// One Zigbee2MQTT.
pub struct Bridge {
    base: String,
    /// Its id as a device.
    pub id: Option<DeviceId>,
    /// Friendly name -> device, from the last `bridge/devices`.
    pub devices: BTreeMap<String, Known>,
    /// Names of groups: their messages repeat what their members say.
    pub groups: BTreeSet<String>,
    /// It publishes each attribute alone, and no object (`advanced.output: attribute`).
    pub attributes_only: bool,
}

/// A device that the bridge has named.
#[derive(Debug, Clone)]
pub struct Known {
    pub id: DeviceId,
    pub attributes: Attributes,
}

#[derive(Deserialize)]
struct Device {
    #[serde(alias = "ieeeAddr")]
    ieee_address: String,
    friendly_name: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    definition: Option<Definition>,
    #[serde(default, alias = "manufacturerName")]
    manufacturer: Option<String>,
    #[serde(default, alias = "modelID")]
    model_id: Option<String>,
    #[serde(default, alias = "softwareBuildID")]
    software_build_id: Option<String>,
    #[serde(default, alias = "powerSource")]
    power_source: Option<String>,
}

#[derive(Deserialize)]
struct Definition {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    vendor: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    exposes: Option<Bounded<Expose>>,
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

/// `bridge/info`, of which only how states are published matters.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    config: InfoConfig,
}

#[derive(Deserialize, Default)]
struct InfoConfig {
    #[serde(default)]
    advanced: InfoAdvanced,
}

#[derive(Deserialize, Default)]
struct InfoAdvanced {
    #[serde(default)]
    output: Option<String>,
}

/// `bridge/response/...`.
#[derive(Deserialize)]
struct Response<T> {
    status: String,
    data: Option<T>,
}

// With an error the data are empty.
#[derive(Deserialize)]
struct Rename {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
struct Remove {
    #[serde(default)]
    id: serde_json::Value,
}

/// At most [`MAX_NAMES`] elements; more are an error, so that a hostile list costs no memory.
pub(super) struct Bounded<T>(pub(super) Vec<T>);

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

impl Bridge {
    pub fn new(base: &str) -> Bridge {
        let id = if base == BASE { DeviceId::new(BRIDGE).ok() } else { device_id("z2m.bridge.", base) };
        Bridge { base: base.to_owned(), id, devices: BTreeMap::new(), groups: BTreeSet::new(), attributes_only: false }
    }

    /// The id of a device, and whether it is provisional.
    pub fn device(&self, name: &str) -> Option<(DeviceId, bool)> {
        match self.devices.get(name).map(|d| d.id.clone()).or_else(|| of_address(name)) {
            Some(id) => Some((id, false)),
            None => Some((of_name(&self.base, name)?, true)),
        }
    }

    /// Of an earlier run.
    pub fn remember(&mut self, name: &str, id: &DeviceId) {
        if self.devices.len() < MAX_NAMES {
            self.devices.insert(name.to_owned(), Known { id: id.clone(), attributes: Attributes::default() });
        }
    }

    /// Whose a topic below the base is.
    pub fn owner(&self, rest: &str) -> Owner {
        if rest == "bridge" || rest.starts_with("bridge/") {
            return Owner::Mine(self.id.clone());
        }
        // `<name>`, or below it: a name may hold slashes.
        let mut name = rest;
        loop {
            if let Some(known) = self.devices.get(name) {
                return Owner::Mine(Some(known.id.clone()));
            }
            if self.groups.contains(name) {
                return Owner::Mine(None);
            }
            match name.rsplit_once('/') {
                Some((parent, _)) => name = parent,
                None => break,
            }
        }
        let name = ["/availability", "/set", "/get", "/action"].iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
        let name = name.split_once("/set/").map_or(name, |(name, _)| name);
        Owner::Mine(self.device(name).map(|(id, _)| id))
    }

    /// A message on `bridge/<topic>`.
    pub fn says(
        &mut self,
        topic: &str,
        raw: Raw<'_>,
        provisional: &mut Provisional,
        directory: &mut Directory,
    ) -> Result<Vec<Body>, String> {
        if raw.payload.is_empty() {
            return Ok(Vec::new());
        }
        match topic {
            "state" => {
                let text = std::str::from_utf8(raw.payload).map_err(|_| "the payload is not UTF-8".to_owned())?;
                let presence =
                    state::presence(text.trim()).ok_or("the bridge's state must be online or offline, or {\"state\":\"online\"}")?;
                let items = vec![Item::Presence(presence)];
                let Some(device) = self.id.clone() else { return Ok(Vec::new()) };
                Ok(vec![Body::Message(Message { device, boot: None, seq: None, sampled_at: None, retained: raw.retained, items })])
            }
            // The second is what versions before 1.17 answered.
            "devices" | "config/devices" => {
                let list: Bounded<Device> = serde_json::from_slice(raw.payload).map_err(|e| format!("bridge/{topic}: {e}"))?;
                Ok(self.replace(list.0, provisional, directory))
            }
            "groups" => {
                let list: Bounded<Group> = serde_json::from_slice(raw.payload).map_err(|e| format!("bridge/groups: {e}"))?;
                self.groups = list.0.into_iter().map(|g| g.friendly_name).collect();
                // What a group said before it was known as one was taken for a device's.
                let ghosts = self.groups.iter().filter(|g| !self.devices.contains_key(*g)).filter_map(|g| of_name(&self.base, g));
                let ghosts: Vec<DeviceInfo> = ghosts.filter(|id| provisional.forget(id)).map(removed).collect();
                Ok(if ghosts.is_empty() { Vec::new() } else { vec![Body::Inventory(ghosts)] })
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
                Ok(self.gone(&id))
            }
            "response/device/rename" => match serde_json::from_slice::<Response<Rename>>(raw.payload) {
                Ok(Response { status, data: Some(name) }) if status == "ok" && !name.to.is_empty() => {
                    Ok(self.rename(&name.from, &name.to, provisional))
                }
                Ok(_) => Ok(Vec::new()),
                Err(e) => Err(format!("bridge/{topic}: {e}")),
            },
            "response/device/remove" => match serde_json::from_slice::<Response<Remove>>(raw.payload) {
                Ok(Response { status, data: Some(Remove { id: serde_json::Value::String(name) }) }) if status == "ok" => {
                    match self.device(&name) {
                        Some((id, false)) => Ok(self.gone(&id)),
                        Some((id, true)) if provisional.forget(&id) => Ok(vec![Body::Inventory(vec![removed(id)])]),
                        _ => Ok(Vec::new()),
                    }
                }
                Ok(_) => Ok(Vec::new()),
                Err(e) => Err(format!("bridge/{topic}: {e}")),
            },
            "info" => {
                let info: Info = serde_json::from_slice(raw.payload).map_err(|e| format!("bridge/info: {e}"))?;
                self.attributes_only = info.config.advanced.output.as_deref() == Some("attribute");
                Ok(Vec::new())
            }
            // logging, health, definitions, extensions, converters, request/..., other responses; log and config of versions before 1.17.
            _ => Ok(Vec::new()),
        }
    }

    fn gone(&mut self, id: &DeviceId) -> Vec<Body> {
        self.devices.retain(|_, known| known.id != *id);
        vec![Body::Inventory(vec![removed(id.clone())])]
    }

    fn rename(&mut self, from: &str, to: &str, provisional: &mut Provisional) -> Vec<Body> {
        // Either by its name or by its address.
        let address = of_address(from);
        let old =
            self.devices.iter().find(|(name, known)| *name == from || Some(&known.id) == address.as_ref()).map(|(name, _)| name.clone());
        let Some(known) = old.and_then(|name| self.devices.remove(&name)) else {
            // Not known yet by its address: the list, which follows, tells.
            return match (of_name(&self.base, from), of_name(&self.base, to)) {
                (Some(ghost), Some(new)) if ghost != new => provisional.rename(&ghost, &new),
                _ => Vec::new(),
            };
        };
        let mut bodies = match of_name(&self.base, to) {
            Some(ghost) => provisional.resolve(&ghost, &known.id),
            None => Vec::new(),
        };
        bodies.push(Body::Inventory(vec![DeviceInfo {
            device: Some(known.id.clone()),
            name: short(to.to_owned()),
            ..DeviceInfo::default()
        }]));
        if self.devices.len() < MAX_NAMES {
            self.devices.insert(to.to_owned(), known);
        }
        bodies
    }

    /// The full list of devices: what was known and is not in it has been removed.
    fn replace(&mut self, list: Vec<Device>, provisional: &mut Provisional, directory: &mut Directory) -> Vec<Body> {
        let mut devices = BTreeMap::new();
        let mut inventory = Vec::new();
        let mut again = Vec::new();
        for d in list {
            if d.kind.as_deref() == Some("Coordinator") {
                continue;
            }
            let Some(id) = of_address(&d.ieee_address) else { continue };
            directory.claim(&d.ieee_address, &id);
            if let Some(ghost) = of_name(&self.base, &d.friendly_name) {
                for body in provisional.resolve(&ghost, &id) {
                    match body {
                        Body::Inventory(mut gone) => inventory.append(&mut gone),
                        other => again.push(other),
                    }
                }
            }
            let battery = d.power_source.as_deref() == Some("Battery");
            let (make, model, attributes) = match d.definition {
                // The description is what an owner recognises; the model stands before it for the manual.
                Some(def) => {
                    let model = match (def.model, def.description) {
                        (Some(m), Some(text)) => Some(format!("{m} {text}")),
                        (m, text) => m.or(text),
                    };
                    let exposes = def.exposes.map(|e| e.0).unwrap_or_default();
                    let of = Of { battery, name: &d.friendly_name, description: model.as_deref().unwrap_or_default() };
                    let attributes = Attributes::of(&exposes, of);
                    if let Some(switch) = Attributes::switch(&exposes) {
                        let (base, friendly_name) = (self.base.clone(), d.friendly_name.clone());
                        directory.switches.announce(&id, Switch::Zigbee2Mqtt(Zigbee { base, friendly_name, ..switch }));
                    }
                    (def.vendor.or(d.manufacturer), model, attributes)
                }
                None => (d.manufacturer, d.model_id, Attributes::default()),
            };
            let mut quantities = attributes.quantities();
            if battery
                && !quantities.is_empty()
                && !quantities.contains(&Quantity::Battery)
                && !quantities.contains(&Quantity::BatteryVoltage)
            {
                quantities.push(Quantity::Battery);
            }
            inventory.push(DeviceInfo {
                device: Some(id.clone()),
                name: short(d.friendly_name.clone()),
                make: make.and_then(short),
                model: model.and_then(short),
                firmware: d.software_build_id.and_then(short),
                period_s: None,
                quantities,
                via: self.id.clone(),
                ..DeviceInfo::default()
            });
            devices.insert(d.friendly_name, Known { id, attributes });
        }
        let present: BTreeSet<&DeviceId> = devices.values().map(|d| &d.id).collect();
        for lost in self.devices.values().map(|d| &d.id).filter(|id| !present.contains(id)) {
            directory.switches.withdraw(lost, &self.base);
            inventory.push(removed(lost.clone()));
        }
        self.devices = devices;
        let mut bodies = if inventory.is_empty() { Vec::new() } else { vec![Body::Inventory(inventory)] };
        bodies.append(&mut again);
        bodies
    }
}
