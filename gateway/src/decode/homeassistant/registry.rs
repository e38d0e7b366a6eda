//! What was announced: entities by their topics, the devices that they make up. Bounded in entities and in bytes of templates.
use super::config::{Availability, Described, Entity, Mode};
use super::{BTreeMap, BTreeSet, Body, DeviceId, DeviceInfo, Directory, PREFIX, device_id, removed, short, zigbee};
use crate::decode::directory::hardware_address;
use crate::decode::ident::fnv1a;
use crate::decode::meaning::Meaning;
use tuoan_protocol::Quantity;

/// Entities kept at most.
const MAX_ENTITIES: usize = 4096;
/// Bytes of all templates together.
const MAX_TEMPLATES: usize = 1 << 20;
/// Names that devices are found by, at most.
const MAX_ALIASES: usize = 8192;
/// Topics with wildcards at most: each is compared with every message that nobody else takes.
const MAX_WILDCARDS: usize = 512;
/// Channels from here on are for entities whose names give no number.
const UNNUMBERED: u8 = 100;

/// For whom an entity's messages speak.
#[derive(Debug, Clone, PartialEq)]
pub enum Speaks {
    /// A device of this convention.
    For(DeviceId),
    /// A device of another, whose own decoder reads the topics.
    Describes(DeviceId),
    /// It claims to be this device of another convention, on a topic that is not that one's.
    Refused(DeviceId),
    /// Nobody (a group of lamps).
    Nothing,
}

#[derive(Debug)]
pub struct Registered {
    pub entity: Entity,
    pub speaks: Speaks,
    pub described: Described,
}

#[derive(Debug, Default)]
pub struct Device {
    entities: BTreeSet<String>,
    channels: BTreeMap<(Quantity, String), u8>,
    /// Last word of each availability topic.
    pub available: BTreeMap<String, bool>,
    pub told: Option<DeviceInfo>,
}

impl Device {
    pub fn channel(&self, quantity: &Quantity, unique: &str) -> u8 {
        self.channels.get(&(quantity.clone(), unique.to_owned())).copied().unwrap_or(0)
    }
    /// A channel for a reading of this entity: the number in its name; else the first, if nobody has it; else one made of its name, so that it
    /// is the same in whatever order the entities are announced.
    fn assign(&mut self, quantity: &Quantity, unique: &str, hint: Option<u8>) {
        let key = (quantity.clone(), unique.to_owned());
        if self.channels.contains_key(&key) {
            return;
        }
        let taken: BTreeSet<u8> = self.channels.iter().filter(|((q, _), _)| q == quantity).map(|(_, c)| *c).collect();
        let hashed = UNNUMBERED + (fnv1a(unique) % u64::from(u8::MAX - UNNUMBERED)) as u8;
        let free = |c: &u8| !taken.contains(c);
        let channel =
            hint.filter(free).or(Some(0).filter(free)).or(Some(hashed).filter(free)).or_else(|| (UNNUMBERED..=u8::MAX).find(free));
        if let Some(channel) = channel {
            self.channels.insert(key, channel);
        }
    }
}

#[derive(Debug, Default)]
pub struct Registry {
    pub entities: BTreeMap<String, Registered>,
    topics: BTreeMap<String, BTreeSet<String>>,
    wildcards: BTreeSet<String>,
    pub devices: BTreeMap<DeviceId, Device>,
    /// Identifiers and addresses -> device.
    aliases: BTreeMap<String, DeviceId>,
    /// Unique id -> key of the entity.
    unique: BTreeMap<String, String>,
    /// Discovery prefixes other than the standard one.
    pub prefixes: BTreeSet<String>,
    template_bytes: usize,
}

/// Of an entity: the discovery topic, and which component of it.
pub fn key(topic: &str, component: &str) -> String {
    // A topic holds no NUL.
    format!("{topic}\0{component}")
}

/// Without the discovery prefix and the component, where it lies below them.
fn within<'t>(topic: &'t str, prefix: &str) -> &'t str {
    let rest = topic.strip_prefix(prefix).and_then(|t| t.strip_prefix('/')).and_then(|t| t.split_once('/'));
    rest.map_or(topic, |(_, rest)| rest)
}

/// MQTT's `+` and `#`.
fn matches(pattern: &str, topic: &str) -> bool {
    let (mut levels, mut parts) = (pattern.split('/'), topic.split('/'));
    loop {
        match (levels.next(), parts.next()) {
            (Some("#"), _) => return true,
            (Some("+"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

impl Registry {
    /// Keys of the entities that read this topic.
    pub fn on(&self, topic: &str) -> impl Iterator<Item = &str> {
        let wild = self.wildcards.iter().filter(|p| matches(p, topic)).filter_map(|p| self.topics.get(p));
        self.topics.get(topic).into_iter().chain(wild).flatten().map(String::as_str).take(256)
    }

    pub fn announced_by(&self, topic: &str) -> Vec<String> {
        let from = key(topic, "");
        self.entities.range(from.clone()..).map(|(k, _)| k).take_while(|k| k.starts_with(&from)).cloned().collect()
    }

    /// A device's id: of what it is known by already, else of its first identifier.
    pub fn identify(&mut self, described: &Described, entity: &Entity, prefix: &str, node: Option<&str>, object: &str) -> Option<DeviceId> {
        let mac = |m: &String| hardware_address(m).map(|m| format!("mac {m}"));
        let names: Vec<String> =
            described.identifiers.iter().map(|i| format!("id {i}")).chain(described.macs.iter().filter_map(mac)).collect();
        let known = names.iter().find_map(|n| self.aliases.get(n)).cloned();
        let id = match known {
            Some(id) => id,
            None => {
                // Without a device, entities that share a topic or a node are one.
                let name = match (described.identifiers.first(), described.macs.first(), node) {
                    (Some(identifier), _, _) => identifier.as_str(),
                    (_, Some(mac), _) => mac.as_str(),
                    (_, _, Some(node)) => node,
                    _ => {
                        let topic = entity.uses.first().map(|u| u.topic.as_str());
                        let topic = topic.map(|t| within(t, prefix).trim_end_matches("/state"));
                        topic.filter(|t| !t.is_empty()).unwrap_or(object)
                    }
                };
                device_id(PREFIX, name)?
            }
        };
        for name in names {
            if self.aliases.len() < MAX_ALIASES {
                self.aliases.entry(name).or_insert_with(|| id.clone());
            }
        }
        Some(id)
    }

    /// The device that another one is heard through.
    pub fn by_name(&self, name: &str, directory: &Directory) -> Option<DeviceId> {
        if name.starts_with("zigbee2mqtt_bridge") {
            return DeviceId::new("z2m.bridge").ok();
        }
        let known = || self.aliases.get(&format!("id {name}")).cloned();
        zigbee(name).or_else(known).or_else(|| directory.by_address(name).cloned()).or_else(|| device_id(PREFIX, name))
    }

    /// False when there is no room.
    pub fn insert(&mut self, key: &str, registered: Registered, bodies: &mut Vec<Body>) -> bool {
        // The same entity under another discovery topic: it has moved (from one message for each to one for the device).
        let unique = registered.entity.unique.clone();
        let moved = self.unique.get(&unique).filter(|old| *old != key).cloned();
        if let Some(old) = moved.filter(|_| unique.len() > 3 && !unique.contains('.')) {
            let same = self.entities.get(&old).is_some_and(|e| e.speaks == registered.speaks);
            if same && let Some(device) = self.detach(&old).and_then(|e| self.device_of(&e.speaks)) {
                // Never empty in between, or the device would be gone.
                device.entities.insert(key.to_owned());
                device.entities.remove(&old);
            }
        }
        if self.entities.get(key).is_some_and(|e| e.speaks == registered.speaks) {
            self.detach(key);
        } else {
            self.take(key, bodies);
        }
        let bytes = self.template_bytes.saturating_add(registered.entity.template_bytes);
        if self.entities.len() >= MAX_ENTITIES || bytes > MAX_TEMPLATES {
            if let Speaks::For(id) | Speaks::Describes(id) = &registered.speaks {
                self.leave(key, id, bodies);
            }
            return false;
        }
        self.template_bytes = bytes;
        for topic in topics(&registered.entity) {
            let wild = topic.contains(['+', '#']);
            if wild
                && (self.wildcards.len() >= MAX_WILDCARDS
                    || topic.starts_with(['#', '$'])
                    || topic.split('/').all(|l| matches!(l, "+" | "#")))
            {
                continue;
            }
            if wild {
                self.wildcards.insert(topic.clone());
            }
            self.topics.entry(topic).or_default().insert(key.to_owned());
        }
        self.unique.insert(unique, key.to_owned());
        self.entities.insert(key.to_owned(), registered);
        true
    }

    /// The entity is one of that device's.
    pub fn join(&mut self, key: &str, id: &DeviceId) {
        let Some(registered) = self.entities.get(key) else { return };
        let device = self.devices.entry(id.clone()).or_default();
        device.entities.insert(key.to_owned());
        for u in &registered.entity.uses {
            if let Some(q) = u.meaning.as_ref().and_then(Meaning::quantity) {
                device.assign(q, &registered.entity.unique, u.channel_hint);
            }
        }
    }

    /// The entity is none of that device's any more; a device of ours that has none left is gone.
    pub fn leave(&mut self, key: &str, id: &DeviceId, bodies: &mut Vec<Body>) {
        let Some(device) = self.devices.get_mut(id) else { return };
        device.entities.remove(key);
        if device.entities.is_empty() {
            self.devices.remove(id);
            self.aliases.retain(|_, d| d != id);
            if id.as_str().starts_with(PREFIX) {
                bodies.push(Body::Inventory(vec![removed(id.clone())]));
            }
        }
    }

    /// Takes an entity out.
    pub fn take(&mut self, key: &str, bodies: &mut Vec<Body>) -> Option<Registered> {
        let gone = self.detach(key)?;
        if let Speaks::For(id) | Speaks::Describes(id) = &gone.speaks {
            self.leave(key, id, bodies);
        }
        Some(gone)
    }

    fn device_of(&mut self, speaks: &Speaks) -> Option<&mut Device> {
        match speaks {
            Speaks::For(id) | Speaks::Describes(id) => self.devices.get_mut(id),
            Speaks::Refused(_) | Speaks::Nothing => None,
        }
    }

    /// As [`Registry::take`], but its device keeps its place for it.
    fn detach(&mut self, key: &str) -> Option<Registered> {
        let gone = self.entities.remove(key)?;
        self.template_bytes = self.template_bytes.saturating_sub(gone.entity.template_bytes);
        if self.unique.get(&gone.entity.unique).is_some_and(|k| k == key) {
            self.unique.remove(&gone.entity.unique);
        }
        for topic in topics(&gone.entity) {
            if let Some(keys) = self.topics.get_mut(&topic) {
                keys.remove(key);
                if keys.is_empty() {
                    self.topics.remove(&topic);
                    self.wildcards.remove(&topic);
                }
            }
        }
        Some(gone)
    }

    /// What is known of a device.
    pub fn info(&self, id: &DeviceId, via: &dyn Fn(&str) -> Option<DeviceId>) -> Option<DeviceInfo> {
        let device = self.devices.get(id)?;
        let entities = || device.entities.iter().filter_map(|k| self.entities.get(k));
        let first = |of: &dyn Fn(&Described) -> Option<String>| entities().find_map(|e| of(&e.described)).and_then(short);
        // A lamp or a restart button is none of the engine's.
        if !entities().flat_map(|e| &e.entity.uses).any(|u| u.meaning.is_some()) {
            return None;
        }
        let quantities: BTreeSet<Quantity> =
            entities().flat_map(|e| &e.entity.uses).filter_map(|u| u.meaning.as_ref()?.quantity().cloned()).collect();
        // Without a device the entity is the device.
        let alone = entities().next().filter(|e| device.entities.len() == 1 && e.described == Described::default());
        Some(DeviceInfo {
            device: Some(id.clone()),
            name: first(&|d| d.name.clone()).or_else(|| alone.and_then(|e| short(e.entity.name.clone()))),
            make: first(&|d| d.make.clone()),
            model: first(&|d| d.model.clone()),
            firmware: first(&|d| d.firmware.clone()),
            // Silence is called after three missed periods: so when its value expires.
            period_s: entities().filter_map(|e| e.entity.expire_after).min().map(|s| s.div_ceil(3)),
            quantities: quantities.into_iter().collect(),
            via: entities().find_map(|e| e.described.via.as_deref().and_then(via)).filter(|v| v != id).or_else(|| self.bridge(id)),
            ..DeviceInfo::default()
        })
    }

    /// Whoever announces that a topic is available for several devices is what they are heard through.
    pub fn bridge(&self, id: &DeviceId) -> Option<DeviceId> {
        if !id.as_str().starts_with(PREFIX) {
            return None;
        }
        let device = self.devices.get(id)?;
        let mut availability = device.entities.iter().filter_map(|k| self.entities.get(k)).flat_map(|e| &e.entity.availability);
        availability.find(|a| self.is_shared(&a.topic, id)).and_then(|a| bridge_of(&a.topic))
    }

    /// Another device depends on this availability topic too.
    pub fn is_shared(&self, topic: &str, id: &DeviceId) -> bool {
        let keys = self.topics.get(topic).into_iter().flatten().filter_map(|k| self.entities.get(k));
        keys.filter(|e| e.entity.availability.iter().any(|a| a.topic == topic)).any(|e| match &e.speaks {
            Speaks::For(other) | Speaks::Describes(other) => other != id,
            _ => false,
        })
    }

    /// Whether a device is there by its availability topics, of which `said` has just spoken; `None` while that is not known.
    pub fn present(&self, id: &DeviceId, said: &str) -> Option<bool> {
        let device = self.devices.get(id)?;
        let lists = device.entities.iter().filter_map(|k| self.entities.get(k)).map(|e| (&e.entity.availability, e.entity.mode));
        let (list, mode) = lists.filter(|(list, _)| !list.is_empty()).max_by_key(|(list, _)| list.len())?;
        let own: Vec<&Availability> = list.iter().filter(|a| !self.is_shared(&a.topic, id)).collect();
        let mut known = own.iter().filter_map(|a| device.available.get(&a.topic).copied());
        match mode {
            Mode::All => known.next().map(|first| first && known.all(|k| k)),
            Mode::Any => known.next().map(|first| first || known.any(|k| k)),
            Mode::Latest => device.available.get(said).copied(),
        }
    }
}

pub fn bridge_of(availability: &str) -> Option<DeviceId> {
    device_id(PREFIX, availability.rsplit_once('/').map_or(availability, |(parent, _)| parent))
}

fn topics(entity: &Entity) -> BTreeSet<String> {
    let uses = entity.uses.iter().map(|u| u.topic.clone());
    uses.chain(entity.availability.iter().map(|a| a.topic.clone())).chain(entity.other_topics.iter().cloned()).collect()
}

/// Whether an entity's topic, which may hold wildcards, is the one of a message.
pub fn same_topic(pattern: &str, topic: &str) -> bool {
    pattern == topic || matches(pattern, topic)
}
