//! Home Assistant's MQTT discovery: `<prefix>/<component>/[<node>/]<object>/config`, and the topics that it announces.
//!
//! Discovery may be published by whoever may write to its prefix, and it names topics and devices of others. So it never speaks for a device that
//! has a convention of its own: an entity on a topic that another decoder reads only describes that device (name, make, model, quantities), and
//! one on a topic of its own that claims to be such a device is refused. Everything else it announces is a device `ha.<identifier>`, whose messages
//! are read here, since no other decoder takes them.
use super::directory::{Announced, hardware_address};
use super::ident::{device_id, removed, short};
use super::meaning::Meaning;
use super::{Decoded, Directory, MAX_ITEMS, Owner, Raw};
use crate::engine::input::{Body, DeviceInfo, Message};
use config::{COMPONENTS, Described, Entity};
use registry::{Registered, Registry, Speaks};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::DeviceId;

mod config;
mod registry;
mod state;
mod template;

pub(super) const NAME: &str = "homeassistant";
pub(super) const PREFIX: &str = "ha.";

/// Bytes of one discovery payload at most; of a whole device's.
const MAX_CONFIG: usize = 16 << 10;
const MAX_DEVICE_CONFIG: usize = 128 << 10;
/// Problems of one payload that are told.
const MAX_PROBLEMS: usize = 3;

#[derive(Default)]
pub struct HomeAssistant {
    registry: Registry,
}

impl HomeAssistant {
    /// `owner`: whose a topic is among the other conventions.
    pub fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory, owner: &dyn Fn(&str) -> Owner) -> Decoded {
        if let Some(discovery) = DiscoveryTopic::parse(raw.topic).filter(|_| raw.topic.len() <= config::MAX_TOPIC) {
            return self.discovery(&discovery, raw, directory, owner);
        }
        match self.state(raw, directory) {
            // Its own birth and will, which devices listen to.
            Decoded::NotMine if raw.topic == "homeassistant/status" => Decoded::Inputs(Vec::new()),
            decoded => decoded,
        }
    }

    /// Another decoder has taken a message on this topic, for `device`: it is that device's from now on.
    pub fn yield_topic(&mut self, topic: &str, device: &DeviceId, directory: &mut Directory) -> Vec<Body> {
        let keys: Vec<String> = self.registry.on(topic).map(str::to_owned).collect();
        let mut bodies = Vec::new();
        for key in keys {
            let Some(entity) = self.registry.entities.get_mut(&key) else { continue };
            let Speaks::For(ghost) = std::mem::replace(&mut entity.speaks, Speaks::Describes(device.clone())) else { continue };
            entity.entity.picture.iter().for_each(|t| directory.pictures.withdraw(t));
            self.registry.leave(&key, &ghost, &mut bodies);
            self.registry.join(&key, device);
            bodies.extend(self.describe(device, directory));
        }
        bodies
    }
    /// Whether it reads messages on this topic.
    pub fn reads(&self, topic: &str) -> bool {
        self.registry.on(topic).next().is_some()
    }

    fn discovery(&mut self, at: &DiscoveryTopic<'_>, raw: Raw<'_>, directory: &mut Directory, owner: &dyn Fn(&str) -> Owner) -> Decoded {
        let standard = at.prefix == "homeassistant";
        if !COMPONENTS.contains(&at.component) {
            return if standard {
                Decoded::Malformed(format!("discovery of `{}`: Home Assistant has no such MQTT component", at.component))
            } else {
                Decoded::NotMine
            };
        }
        // Another program's topic may look alike; discovery is told by what it holds.
        if !standard && !self.registry.prefixes.contains(at.prefix) && !looks_like_discovery(raw.payload) {
            return Decoded::NotMine;
        }
        let limit = if at.component == "device" { MAX_DEVICE_CONFIG } else { MAX_CONFIG };
        if raw.payload.len() > limit {
            return Decoded::Malformed(format!("the payload is longer than {limit} bytes"));
        }
        if !standard && self.registry.prefixes.len() < 16 {
            self.registry.prefixes.insert(at.prefix.to_owned());
        }
        let mut bodies = Vec::new();
        if raw.payload.is_empty() {
            self.remove(raw.topic, &BTreeSet::new(), directory, &mut bodies);
            return Decoded::Inputs(bodies);
        }
        if migrates(raw.payload) {
            // The device comes again under another topic; its entities are replaced there by their unique ids.
            return Decoded::Inputs(Vec::new());
        }
        let mut found = match config::read(at.component, at.object, raw.payload) {
            Ok(found) => found,
            Err(reason) => return Decoded::Malformed(reason),
        };
        let kept: BTreeSet<String> = found.entities.iter().map(|e| registry::key(raw.topic, &e.key)).collect();
        let mut touched = BTreeSet::new();
        let mut full = false;
        for entity in found.entities {
            match self.announce(at, raw.topic, entity, found.device.as_ref(), directory, owner, &mut bodies) {
                Ok(device) => touched.extend(device),
                Err(()) => full = true,
            }
        }
        // What this topic announced before and does not any more; after the new, so that the device itself stays.
        self.remove(raw.topic, &kept, directory, &mut bodies);
        for device in touched {
            bodies.extend(self.describe(&device, directory));
        }
        if bodies.is_empty() || full {
            if full {
                return Decoded::Malformed(
                    "too many entities are announced; clear retained discovery messages that nobody needs".to_owned(),
                );
            }
            if !found.problems.is_empty() {
                let more = found.problems.len().saturating_sub(MAX_PROBLEMS);
                found.problems.truncate(MAX_PROBLEMS);
                let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                return Decoded::Malformed(found.problems.join("; ") + &more);
            }
        }
        Decoded::Inputs(bodies)
    }

    /// Registers one entity; the device that it belongs to.
    #[allow(clippy::too_many_arguments)]
    fn announce(
        &mut self,
        at: &DiscoveryTopic<'_>,
        topic: &str,
        entity: Entity,
        device: Option<&Described>,
        directory: &mut Directory,
        owner: &dyn Fn(&str) -> Owner,
        bodies: &mut Vec<Body>,
    ) -> Result<Option<DeviceId>, ()> {
        let key = registry::key(topic, &entity.key);
        let nobody = Described::default();
        let described = device.unwrap_or(&nobody);
        // A topic that carries its value tells most surely whose it is; then those of its orders, then of its availability.
        let esphome = is_esphome(described, &entity);
        let of = |topic: &str| match owner(topic) {
            // Known by the shape of its topics alone: others have such topics too.
            Owner::Mine(Some(id)) if id.as_str().starts_with(super::esphome::PREFIX) && device.is_some() && !esphome => Owner::NotMine,
            owner => owner,
        };
        let mut owners = entity.uses.iter().map(|u| &u.topic).chain(&entity.other_topics).map(|t| of(t)).filter(|o| *o != Owner::NotMine);
        let first = owners.next().or_else(|| esphome.then(|| node_of(&entity)).flatten().map(|node| Owner::Mine(Some(node))));
        let speaks = match first {
            _ if described.group => Speaks::Nothing,
            // An old announcement may carry a name that its bridge has given up; the address in it is that of the device.
            Some(Owner::Mine(Some(id))) => match described.identifiers.iter().find_map(|i| zigbee(i)) {
                Some(address) if directory.by_address(address.as_str().trim_start_matches("z2m.")) == Some(&address) => {
                    Speaks::Describes(address)
                }
                _ => Speaks::Describes(id),
            },
            Some(Owner::Mine(None)) => Speaks::Nothing,
            _ => match claimed(described, directory) {
                Some(id) => Speaks::Refused(id),
                None => match self.registry.identify(described, &entity, at.prefix, at.node, at.object) {
                    Some(id) => Speaks::For(id),
                    None => Speaks::Nothing,
                },
            },
        };
        let id = match &speaks {
            Speaks::For(id) | Speaks::Describes(id) => Some(id.clone()),
            Speaks::Refused(_) | Speaks::Nothing => None,
        };
        if let Some(before) = self.registry.entities.get(&key).and_then(|e| e.entity.picture.as_ref()) {
            directory.pictures.withdraw(before);
        }
        // On a topic that nobody else reads, as `speaks` says.
        if let (Speaks::For(id), Some(topic)) = (&speaks, &entity.picture)
            && !directory.pictures.announce(topic, id)
        {
            tracing::warn!(topic, device = %id, "a camera announced by discovery is not looked at: its device has another view already, or there are too many");
        }
        if !self.registry.insert(&key, Registered { entity, speaks: speaks.clone(), described: described.clone() }, bodies) {
            return Err(());
        }
        if let Some(id) = &id {
            self.registry.join(&key, id);
        }
        if let Speaks::Describes(id) = &speaks
            && id.as_str().starts_with(super::esphome::PREFIX)
            && let Some(registered) = self.registry.entities.get(&key)
        {
            let channel =
                |q: &tuoan_protocol::Quantity| self.registry.devices.get(id).map_or(0, |d| d.channel(q, &registered.entity.unique));
            for u in registered.entity.uses.iter().filter(|u| u.template.is_none()) {
                let (quantity, conversion, invert) = match &u.meaning {
                    Some(Meaning::Number(q, c)) => (Some(q.clone()), *c, false),
                    Some(Meaning::State(q, invert)) => (Some(q.clone()), super::units::Conversion::SAME, *invert),
                    _ => (None, super::units::Conversion::SAME, false),
                };
                let channel = quantity.as_ref().map_or(0, channel);
                directory.announce(&u.topic, Announced { device: id.clone(), quantity, conversion, channel, invert });
            }
        }
        Ok(id)
    }

    /// Takes out what `topic` announced, but for `kept`.
    fn remove(&mut self, topic: &str, kept: &BTreeSet<String>, directory: &mut Directory, bodies: &mut Vec<Body>) {
        for key in self.registry.announced_by(topic).into_iter().filter(|k| !kept.contains(k)) {
            match self.registry.take(&key, bodies) {
                Some(Registered { speaks: Speaks::Describes(_), entity, .. }) => {
                    entity.uses.iter().for_each(|u| directory.withdraw(&u.topic))
                }
                Some(Registered { speaks: Speaks::For(_), entity, .. }) => {
                    entity.picture.iter().for_each(|t| directory.pictures.withdraw(t))
                }
                _ => {}
            }
        }
    }

    /// What is to be told of a device, where it is news.
    fn describe(&mut self, id: &DeviceId, directory: &Directory) -> Option<Body> {
        let via = |name: &str| self.registry.by_name(name, directory);
        let mut info = self.registry.info(id, &via)?;
        if !id.as_str().starts_with(PREFIX) && directory.is_described(id) {
            // ESPHome says by discovery alone what it measures; the others know that of themselves.
            if !id.as_str().starts_with(super::esphome::PREFIX) {
                return None;
            }
            info = DeviceInfo { device: info.device, quantities: info.quantities, period_s: info.period_s, ..DeviceInfo::default() };
        }
        let device = self.registry.devices.get_mut(id)?;
        if device.told.as_ref() == Some(&info) {
            return None;
        }
        device.told = Some(info.clone());
        Some(Body::Inventory(vec![info]))
    }
}

/// ESPHome's discovery does not name itself; its unique ids do (`ESPsensortemperature`, `<mac>-sensor-<hash>`), and its maker unless a project
/// gives another.
fn is_esphome(described: &Described, entity: &Entity) -> bool {
    let mac = described.identifiers.first().map(String::as_str).unwrap_or_default();
    described.esphome
        || described.make.as_deref().is_some_and(|m| m.eq_ignore_ascii_case("espressif"))
        || entity.unique.strip_prefix("ESP").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
        || mac.len() == 12 && entity.unique.starts_with(mac)
}

/// An ESPHome entity with a topic of its own choice, below its node's: the node that its availability names.
fn node_of(entity: &Entity) -> Option<DeviceId> {
    let node = entity.availability.iter().find_map(|a| a.topic.strip_suffix("/status"))?;
    let below = |topic: &String| topic.strip_prefix(node).is_some_and(|rest| rest.starts_with('/'));
    let all = entity.uses.iter().map(|u| &u.topic).chain(&entity.other_topics).all(below);
    if all { device_id(super::esphome::PREFIX, node) } else { None }
}

/// The device of another convention that a description claims to be.
fn claimed(described: &Described, directory: &Directory) -> Option<DeviceId> {
    let zigbee = described.identifiers.iter().find_map(|i| zigbee(i));
    let mut addresses = described.macs.iter().chain(&described.identifiers);
    zigbee.or_else(|| addresses.find_map(|a| directory.by_address(a)).cloned()).filter(|id| !id.as_str().starts_with(PREFIX))
}

/// Of `zigbee2mqtt_0x00158d0001234567`.
fn zigbee(identifier: &str) -> Option<DeviceId> {
    let address = identifier.strip_prefix("zigbee2mqtt_0x")?;
    hardware_address(address).filter(|a| a.len() == 16).and_then(|a| DeviceId::new(&format!("z2m.0x{a}")).ok())
}

/// `<prefix>/<component>/[<node>/]<object>/config`.
struct DiscoveryTopic<'t> {
    prefix: &'t str,
    component: &'t str,
    node: Option<&'t str>,
    object: &'t str,
}

impl<'t> DiscoveryTopic<'t> {
    fn parse(topic: &'t str) -> Option<DiscoveryTopic<'t>> {
        let rest = topic.strip_suffix("/config")?;
        let (head, object) = rest.rsplit_once('/')?;
        let known = |c: &str| COMPONENTS.contains(&c);
        if let Some((head, last)) = head.rsplit_once('/') {
            // A node may have the name of a component; then the level before it decides.
            if let Some((prefix, component)) = head.rsplit_once('/')
                && known(component)
            {
                return Some(DiscoveryTopic { prefix, component, node: Some(last), object });
            }
            if known(last) || head == "homeassistant" {
                return Some(DiscoveryTopic { prefix: head, component: last, node: None, object });
            }
            let (prefix, component) = head.rsplit_once('/')?;
            return (prefix == "homeassistant").then_some(DiscoveryTopic { prefix, component, node: Some(last), object });
        }
        None
    }
}

fn looks_like_discovery(payload: &[u8]) -> bool {
    let text = std::str::from_utf8(payload).unwrap_or_default().trim_start();
    text.starts_with('{')
        && [
            "\"state_topic\"",
            "\"stat_t\"",
            "\"device\"",
            "\"dev\"",
            "\"unique_id\"",
            "\"uniq_id\"",
            "\"command_topic\"",
            "\"cmd_t\"",
            "\"components\"",
            "\"cmps\"",
            "\"migrate_discovery\"",
        ]
        .iter()
        .any(|key| text.contains(key))
}

fn migrates(payload: &[u8]) -> bool {
    payload.len() < 64 && serde_json::from_slice::<serde_json::Value>(payload).is_ok_and(|v| v.get("migrate_discovery").is_some())
}

#[cfg(test)]
mod tests;
