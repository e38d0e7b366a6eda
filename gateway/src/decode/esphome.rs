//! ESPHome over MQTT: `<prefix>/<component>/<object id>/state` with one bare value, `<prefix>/status` as birth and will, `<prefix>/debug` with the
//! log, `esphome/discover/<name>` with what the node is.
//!
//! The topics carry no unit. Home Assistant discovery, which the node publishes too, gives class and unit; without it the object id has to do
//! (`living_room_temperature`), in the units that ESPHome's components have of themselves.
//!
//! A node's id is `esphome.<prefix>`. Nothing but the shape of a topic says that it is one, so this decoder is asked last, and a birth alone makes
//! no device.
use super::ident::{device_id, short};
use super::meaning::{self, Meaning};
use super::scalar::Scalar;
use super::units::Conversion;
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::{Body, DeviceInfo, Item, Message};
use std::collections::BTreeMap;
use tuoan_protocol::quantity::Kind;
use tuoan_protocol::{DeviceId, Fixed, Presence, Quantity};

pub(super) const PREFIX: &str = "esphome.";
/// Nodes kept at most.
const MAX_NODES: usize = 1000;
/// Values kept at most that wait for their announcement, and the longest.
const MAX_PENDING: usize = 1024;
const MAX_VALUE: usize = 64;
const MAX_TOPIC: usize = 256;
/// Longest payload of any of its topics but the log.
const MAX_PAYLOAD: usize = 4 << 10;

/// Levels that hold entities (`esphome/components/mqtt/mqtt_*.cpp`, `component_type`).
const COMPONENTS: [&str; 24] = [
    "sensor",
    "binary_sensor",
    "text_sensor",
    "switch",
    "light",
    "fan",
    "cover",
    "climate",
    "number",
    "select",
    "lock",
    "button",
    "valve",
    "event",
    "text",
    "date",
    "time",
    "datetime",
    "update",
    "alarm_control_panel",
    "siren",
    "water_heater",
    "media_player",
    "camera",
];

#[derive(Default)]
pub struct Esphome {
    nodes: BTreeMap<String, Node>,
    /// Topics whose values mean nothing yet, and the last one.
    pending: BTreeMap<String, String>,
}

#[derive(Default)]
struct Node {
    /// It has said more than a value: it is ESPHome.
    proven: bool,
    /// It has been told of.
    told: bool,
    /// What its birth or will said before any value came.
    presence: Option<Presence>,
}

/// A topic taken apart.
enum Topic<'t> {
    State { node: &'t str, component: &'t str, object: &'t str, part: &'t str },
    Command { node: &'t str },
    Status { node: &'t str },
    Debug { node: &'t str },
    Discover,
}

fn parse(topic: &str) -> Option<Topic<'_>> {
    if topic == "esphome/discover"
        || topic.starts_with("esphome/discover/")
        || topic.starts_with("esphome/ping/")
        || topic == "esphome/ping"
    {
        return Some(Topic::Discover);
    }
    // Home Assistant's own tree looks alike.
    if topic.len() > MAX_TOPIC || topic.starts_with(['$', '/']) || topic.split('/').next() == Some("homeassistant") {
        return None;
    }
    let (head, last) = topic.rsplit_once('/')?;
    match last {
        "status" => return Some(Topic::Status { node: head }),
        "debug" => return Some(Topic::Debug { node: head }),
        "state" | "command" => {}
        _ => return None,
    }
    let levels: Vec<&str> = head.split('/').collect();
    let at = levels.iter().rposition(|l| COMPONENTS.contains(l)).filter(|at| *at > 0)?;
    let (component, object) = (*levels.get(at)?, *levels.get(at + 1)?);
    let part = match levels.get(at + 2..) {
        Some([]) => "",
        Some([part]) => part,
        _ => return None,
    };
    let length = levels.get(..at)?.iter().map(|l| l.len() + 1).sum::<usize>();
    let node = head.get(..length.checked_sub(1)?)?;
    Some(if last == "command" { Topic::Command { node } } else { Topic::State { node, component, object, part } })
}

/// A topic that the node's owner has chosen and discovery has announced; it must lie below the node's, or whoever may write to the discovery
/// prefix could speak for any node.
fn own_choice<'t>(topic: &'t str, directory: &Directory) -> Option<Topic<'t>> {
    let announced = directory.announced(topic)?;
    let node = topic
        .match_indices('/')
        .map(|(at, _)| topic.get(..at).unwrap_or_default())
        .find(|n| device_id(PREFIX, n).as_ref() == Some(&announced.device))?;
    Some(Topic::State { node, component: "", object: topic.rsplit('/').next().unwrap_or(topic), part: "" })
}

impl Decoder for Esphome {
    fn name(&self) -> &'static str {
        "esphome"
    }
    fn prefix(&self) -> &'static str {
        PREFIX
    }
    fn owner(&self, topic: &str) -> Owner {
        match parse(topic) {
            Some(Topic::State { node, .. } | Topic::Command { node }) => Owner::Mine(device_id(PREFIX, node)),
            // Many a device has such a topic.
            Some(Topic::Status { node } | Topic::Debug { node }) if self.nodes.contains_key(node) => Owner::Mine(device_id(PREFIX, node)),
            Some(Topic::Discover) => Owner::Mine(None),
            _ => Owner::NotMine,
        }
    }
    fn learn(&mut self, inventory: &[DeviceInfo], _: &mut Directory) {
        let ids = inventory.iter().filter(|i| !i.removed).filter_map(|i| i.device.as_ref()?.as_str().strip_prefix(PREFIX));
        for name in ids.take(MAX_NODES) {
            self.nodes.insert(name.to_owned(), Node { proven: true, told: true, presence: None });
        }
    }
    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded {
        let Some(topic) = parse(raw.topic).or_else(|| own_choice(raw.topic, directory)) else { return Decoded::NotMine };
        let text = match std::str::from_utf8(raw.payload) {
            Ok(text) if text.len() <= MAX_PAYLOAD || matches!(topic, Topic::Debug { .. }) => text.trim(),
            Ok(_) => return Decoded::Malformed(format!("the payload is longer than {MAX_PAYLOAD} bytes")),
            Err(_) if matches!(topic, Topic::Debug { .. } | Topic::Status { .. }) => return Decoded::NotMine,
            Err(_) => return Decoded::Malformed("the payload is not UTF-8".to_owned()),
        };
        match topic {
            Topic::Discover => self.discover(text, directory),
            Topic::Debug { node } => {
                if !self.nodes.contains_key(node) && !is_log(text) {
                    return Decoded::NotMine;
                }
                if let Some(node) = self.node(node) {
                    node.proven = true;
                }
                Decoded::Inputs(Vec::new())
            }
            Topic::Status { node } => self.status(node, text, raw.retained),
            Topic::Command { node } if self.nodes.contains_key(node) => Decoded::Inputs(Vec::new()),
            Topic::Command { .. } => Decoded::NotMine,
            Topic::State { node, component, object, part } => {
                if raw.payload.is_empty() {
                    return Decoded::Inputs(Vec::new());
                }
                match item(raw.topic, component, object, part, text, directory) {
                    Ok(Some(item)) => {
                        self.pending.remove(raw.topic);
                        Decoded::Inputs(self.tell(node, vec![(item, raw.retained)], directory))
                    }
                    Ok(None) => {
                        let announced = directory.announced(raw.topic).is_some();
                        if !announced && component == "sensor" && text.len() <= MAX_VALUE && self.pending.len() < MAX_PENDING {
                            self.pending.insert(raw.topic.to_owned(), text.to_owned());
                        }
                        let _ = self.node(node);
                        Decoded::Inputs(self.overdue(node, directory))
                    }
                    Err(reason) => Decoded::Malformed(reason),
                }
            }
        }
    }
}

impl Esphome {
    fn node(&mut self, name: &str) -> Option<&mut Node> {
        if self.nodes.len() >= MAX_NODES && !self.nodes.contains_key(name) {
            return None;
        }
        Some(self.nodes.entry(name.to_owned()).or_default())
    }

    /// A topic of this shape is another maker's: the node that was made of it, if nothing else proves that it is one.
    pub(super) fn disown(&mut self, topic: &str) -> Option<DeviceId> {
        let Some(Topic::State { node, .. }) = parse(topic) else { return None };
        let known = self.nodes.get(node).is_some_and(|n| n.told && !n.proven);
        if !known {
            return None;
        }
        let id = device_id(PREFIX, node);
        self.nodes.remove(node);
        id
    }

    /// Messages of a node: what has waited first, as retained (state, never news), then `items` with their retained flags.
    fn tell(&mut self, node: &str, items: Vec<(Item, bool)>, directory: &Directory) -> Vec<Body> {
        let Some(device) = device_id(PREFIX, node) else { return Vec::new() };
        let mut all = Vec::new();
        if let Some(known) = self.node(node) {
            known.told = true;
            all.extend(known.presence.take().map(|p| (Item::Presence(p), true)));
        }
        all.extend(self.waiting(node, directory));
        all.extend(items);
        let mut bodies: Vec<Body> = Vec::new();
        for (item, retained) in all {
            match bodies.last_mut() {
                Some(Body::Message(m)) if m.retained == retained && m.items.len() < super::MAX_ITEMS => m.items.push(item),
                _ => bodies.push(Body::Message(Message {
                    device: device.clone(),
                    boot: None,
                    seq: None,
                    sampled_at: None,
                    retained,
                    items: vec![item],
                })),
            }
        }
        bodies
    }

    /// As [`Esphome::tell`], when there is no new value: only if something has waited.
    fn overdue(&mut self, node: &str, directory: &Directory) -> Vec<Body> {
        let items = self.waiting(node, directory);
        if items.is_empty() { Vec::new() } else { self.tell(node, items, directory) }
    }

    /// Values that have been announced since they came.
    fn waiting(&mut self, node: &str, directory: &Directory) -> Vec<(Item, bool)> {
        let from = format!("{node}/");
        let topics = self.pending.range(from.clone()..).map(|(t, _)| t).take_while(|t| t.starts_with(&from));
        let ready: Vec<String> = topics.filter(|t| directory.announced(t).is_some()).take(super::MAX_ITEMS).cloned().collect();
        ready
            .into_iter()
            .filter_map(|topic| {
                let text = self.pending.remove(&topic)?;
                let Some(Topic::State { component, object, part, .. }) = parse(&topic) else { return None };
                Some((item(&topic, component, object, part, &text, directory).ok()??, true))
            })
            .collect()
    }

    fn status(&mut self, name: &str, text: &str, retained: bool) -> Decoded {
        let presence = match text {
            "online" => Presence::Online,
            "offline" => Presence::Offline,
            // A birth or will of the owner's own words.
            "" if self.nodes.contains_key(name) => return Decoded::Inputs(Vec::new()),
            _ => return Decoded::NotMine,
        };
        let Some(node) = self.node(name) else { return Decoded::Inputs(Vec::new()) };
        node.proven = true;
        if !node.told {
            node.presence = Some(presence);
            return Decoded::Inputs(Vec::new());
        }
        let Some(device) = device_id(PREFIX, name) else { return Decoded::Inputs(Vec::new()) };
        let items = vec![Item::Presence(presence)];
        Decoded::Inputs(vec![Body::Message(Message { device, boot: None, seq: None, sampled_at: None, retained, items })])
    }

    /// `{"name":"kitchen","friendly_name":"Kitchen","version":"2024.6.0","mac":"a1b2c3d4e5f6","platform":"ESP32","board":"esp32dev",...}`.
    fn discover(&mut self, text: &str, directory: &mut Directory) -> Decoded {
        #[derive(serde::Deserialize)]
        struct Discover {
            name: String,
            #[serde(default)]
            friendly_name: Option<String>,
            #[serde(default)]
            version: Option<String>,
            #[serde(default)]
            mac: Option<String>,
            #[serde(default)]
            platform: Option<String>,
            #[serde(default)]
            board: Option<String>,
            #[serde(default)]
            project_name: Option<String>,
        }
        if text.is_empty() || text == "null" {
            return Decoded::Inputs(Vec::new());
        }
        let d: Discover = match serde_json::from_str(text) {
            Ok(d) => d,
            Err(e) => return Decoded::Malformed(format!("esphome/discover: {e}")),
        };
        let Some(id) = device_id(PREFIX, &d.name) else { return Decoded::Inputs(Vec::new()) };
        if let Some(mac) = &d.mac {
            directory.claim(mac, &id);
        }
        if let Some(node) = self.node(&d.name) {
            (node.proven, node.told) = (true, true);
        }
        // `maker.product`
        let project = d.project_name.as_deref().and_then(|p| p.split_once('.'));
        let board = match (d.platform, d.board) {
            (Some(platform), Some(board)) => Some(format!("{platform} {board}")),
            (platform, board) => platform.or(board),
        };
        Decoded::Inputs(vec![Body::Inventory(vec![DeviceInfo {
            device: Some(id),
            name: d.friendly_name.filter(|n| !n.is_empty()).or(Some(d.name)).and_then(short),
            make: Some(project.map_or("ESPHome", |(maker, _)| maker).to_owned()).and_then(short),
            model: project.map(|(_, product)| product.to_owned()).or(board).and_then(short),
            firmware: d.version.and_then(short),
            ..DeviceInfo::default()
        }])])
    }
}

/// `[D][sensor:094]: 'x': Sending state ...`, with or without the terminal's colours.
fn is_log(text: &str) -> bool {
    let text = text.split_once('m').filter(|(colour, _)| colour.starts_with("\u{1b}[")).map_or(text, |(_, rest)| rest);
    let mut bytes = text.bytes();
    matches!((bytes.next(), bytes.next(), bytes.next()), (Some(b'['), Some(b'E' | b'W' | b'I' | b'C' | b'D' | b'V' | b'0'..=b'9'), Some(_)))
}

fn item(topic: &str, component: &str, object: &str, part: &str, text: &str, directory: &Directory) -> Result<Option<Item>, String> {
    let reading = |quantity: Quantity, channel: u8, value: Fixed| Ok(Some(Item::Reading { quantity, channel, value }));
    // Discovery may add a unit, but not take a hazard away that the name gives.
    let hazard = match meaning::binary(None, &[object]) {
        Some(Meaning::State(q, _)) if component == "binary_sensor" && q.kind() == Kind::Hazard => Some(q),
        _ => None,
    };
    let announced = directory.announced(topic).filter(|a| hazard.is_none() || (a.quantity == hazard && !a.invert));
    let (quantity, conversion, channel, invert) = match announced {
        Some(a) => match &a.quantity {
            Some(q) => (q.clone(), a.conversion, a.channel, a.invert),
            None if component == "event" => return press(text),
            None => return Ok(None),
        },
        None => {
            let channel = meaning::channel(object).unwrap_or(0);
            match (component, part) {
                ("sensor", "") => match meaning::sensor(None, None, &[object], false) {
                    Ok(Some(Meaning::Number(q, c))) => (q, c, channel, false),
                    _ => return Ok(None),
                },
                ("binary_sensor", "") => match meaning::binary(None, &[object]) {
                    Some(Meaning::State(q, invert)) => (q, Conversion::SAME, channel, invert),
                    Some(Meaning::Event(kind)) => return Ok(on(text)?.then_some(Item::Event { kind, command: None })),
                    _ => return Ok(None),
                },
                ("switch" | "siren", "") => match meaning::switched(component, None, &[object]) {
                    Some(Meaning::State(q, invert)) => (q, Conversion::SAME, channel, invert),
                    _ => return Ok(None),
                },
                ("lock", "") => match text {
                    "LOCKED" => return reading(Quantity::Locked, channel, Fixed(1)),
                    // On its way, or jammed: not locked. `NONE` is not known.
                    "UNLOCKED" | "UNLOCKING" | "LOCKING" | "JAMMED" => return reading(Quantity::Locked, channel, Fixed(0)),
                    _ => return Ok(None),
                },
                ("valve", "") => (Quantity::Valve, Conversion::SAME, channel, false),
                ("climate", "current_temperature") => (Quantity::Temperature, Conversion::SAME, channel, false),
                ("climate", "current_humidity") => (Quantity::Humidity, Conversion::SAME, channel, false),
                ("event", "") => return press(text),
                _ => return Ok(None),
            }
        }
    };
    // What ESPHome writes for a sensor that has no value.
    if ["nan", "inf", "-inf", "unknown", "na"].iter().any(|w| text.eq_ignore_ascii_case(w)) {
        return Ok(None);
    }
    if quantity.is_state() {
        let is = on(text)?;
        return reading(quantity, channel, Fixed(i64::from(is != invert)));
    }
    match conversion.apply(&quantity, text) {
        Ok(value) => reading(quantity, channel, value),
        Err(e) => Err(format!("{object}: {e} (`{}`)", text.chars().take(40).collect::<String>())),
    }
}

fn on(text: &str) -> Result<bool, String> {
    Scalar::Text(text.into()).state().ok_or_else(|| format!("`{}` is neither ON nor OFF", text.chars().take(40).collect::<String>()))
}

fn press(text: &str) -> Result<Option<Item>, String> {
    let json: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let name = json.as_ref().and_then(|j| j.get("event_type")).and_then(serde_json::Value::as_str).unwrap_or(text);
    Ok(Some(Item::Event { kind: meaning::press(name), command: None }))
}

#[cfg(test)]
mod tests;
