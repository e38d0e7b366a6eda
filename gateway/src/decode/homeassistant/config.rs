//! A discovery payload, read: abbreviations written out, the base topic put in, each component with what it means.
use super::template::Template;
use crate::decode::ident::short;
use crate::decode::meaning::{self, Meaning};
use crate::decode::units::Conversion;
use serde_json::{Map, Value};
use tuoan_protocol::{EventKind, Quantity};

/// Components of one device at most.
const MAX_COMPONENTS: usize = 256;
/// Identifiers of one device that are kept.
const MAX_IDENTIFIERS: usize = 8;
/// Longest topic that is kept.
pub const MAX_TOPIC: usize = 256;
/// Longest identifier that is kept.
const MAX_IDENTIFIER: usize = 128;
/// Characters of a problem that are told; it quotes what was published.
const MAX_PROBLEM: usize = 200;

/// Platforms that Home Assistant discovers.
pub const COMPONENTS: [&str; 37] = [
    "alarm_control_panel",
    "binary_sensor",
    "button",
    "camera",
    "climate",
    "cover",
    "date",
    "datetime",
    "device",
    "device_automation",
    "device_tracker",
    "event",
    "fan",
    "humidifier",
    "image",
    "infrared",
    "lawn_mower",
    "light",
    "lock",
    "notify",
    "number",
    "remote",
    "scene",
    "select",
    "sensor",
    "siren",
    "switch",
    "tag",
    "text",
    "time",
    "update",
    "vacuum",
    "valve",
    "water_heater",
    "weather",
    "air_quality",
    "script",
];

/// `homeassistant/components/mqtt/abbreviations.py` (2026), those that matter here; any other `..._t` is a topic too.
const ABBREVIATIONS: [(&str, &str); 49] = [
    ("act_t", "action_topic"),
    ("atype", "automation_type"),
    ("avty", "availability"),
    ("avty_mode", "availability_mode"),
    ("avty_t", "availability_topic"),
    ("avty_tpl", "availability_template"),
    ("cmd_t", "command_topic"),
    ("cmps", "components"),
    ("curr_hum_t", "current_humidity_topic"),
    ("curr_hum_tpl", "current_humidity_template"),
    ("curr_temp_t", "current_temperature_topic"),
    ("curr_temp_tpl", "current_temperature_template"),
    ("dev", "device"),
    ("dev_cla", "device_class"),
    ("ent_cat", "entity_category"),
    ("exp_aft", "expire_after"),
    ("json_attr_t", "json_attributes_topic"),
    ("o", "origin"),
    ("obj_id", "object_id"),
    ("off_dly", "off_delay"),
    ("def_ent_id", "default_entity_id"),
    ("p", "platform"),
    ("pl", "payload"),
    ("pl_avail", "payload_available"),
    ("pl_not_avail", "payload_not_available"),
    ("pl_off", "payload_off"),
    ("pl_on", "payload_on"),
    ("pos_t", "position_topic"),
    ("stat_cla", "state_class"),
    ("stat_clsd", "state_closed"),
    ("stat_locked", "state_locked"),
    ("stat_off", "state_off"),
    ("stat_on", "state_on"),
    ("stat_open", "state_open"),
    ("stat_t", "state_topic"),
    ("stat_tpl", "state_template"),
    ("stat_unlocked", "state_unlocked"),
    ("stat_val_tpl", "state_value_template"),
    ("stype", "subtype"),
    ("t", "topic"),
    ("temp_unit", "temperature_unit"),
    ("uniq_id", "unique_id"),
    ("unit_of_meas", "unit_of_measurement"),
    ("val_tpl", "value_template"),
    ("hum_stat_t", "target_humidity_state_topic"),
    ("img_t", "image_topic"),
    ("temp_stat_t", "temperature_state_topic"),
    ("mode_stat_t", "mode_state_topic"),
    ("lrst_t", "last_reset_topic"),
];
const DEVICE_ABBREVIATIONS: [(&str, &str); 11] = [
    ("cns", "connections"),
    ("cu", "configuration_url"),
    ("hw", "hw_version"),
    ("ids", "identifiers"),
    ("mf", "manufacturer"),
    ("mdl", "model"),
    ("mdl_id", "model_id"),
    ("sa", "suggested_area"),
    ("sn", "serial_number"),
    ("sw", "sw_version"),
    ("via", "via_device"),
];

/// A device as discovery describes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Described {
    pub identifiers: Vec<String>,
    pub macs: Vec<String>,
    pub name: Option<String>,
    pub make: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub via: Option<String>,
    /// Published by the ESPHome firmware.
    pub esphome: bool,
    /// A group of Zigbee2MQTT: it repeats what its members say.
    pub group: bool,
}

/// One entity.
#[derive(Debug, Clone, Default)]
pub struct Entity {
    /// Its key among the components of a device-based payload; empty otherwise.
    pub key: String,
    pub unique: String,
    pub name: String,
    /// Where its value comes from; first what names its device best.
    pub uses: Vec<Use>,
    /// Its other topics: orders, attributes.
    pub other_topics: Vec<String>,
    /// Where a camera's or an image's pictures come.
    pub picture: Option<String>,
    pub availability: Vec<Availability>,
    pub mode: Mode,
    /// Seconds after which its value is void.
    pub expire_after: Option<u32>,
    /// Bytes of its templates.
    pub template_bytes: usize,
}

/// What to make of the messages on one topic.
#[derive(Debug, Clone)]
pub struct Use {
    pub topic: String,
    pub template: Option<Template>,
    /// `None`: of no use to the engine.
    pub meaning: Option<Meaning>,
    pub match_on: Match,
    pub channel_hint: Option<u8>,
    /// It never says that it is off (`off_delay`): a sign of movement is over as soon as it was given.
    pub momentary: bool,
    /// Why its messages cannot be read.
    pub problem: Option<String>,
}

/// When a state is on, or an event has happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Match {
    /// These texts mean on and off.
    Words { on: Vec<String>, off: Vec<String> },
    /// Whatever comes, or only this text.
    Trigger(Option<String>),
    /// JSON with `event_type`.
    EventType,
    /// A position: 0 is closed.
    Position,
}

#[derive(Debug, Clone)]
pub struct Availability {
    pub topic: String,
    pub template: Option<Template>,
    pub available: String,
    pub not_available: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    All,
    Any,
    #[default]
    Latest,
}

/// All that one payload announces.
#[derive(Debug)]
pub struct Discovery {
    pub device: Option<Described>,
    pub entities: Vec<Entity>,
    /// What of it is not understood; the rest holds.
    pub problems: Vec<String>,
}

/// `component`: the topic's; `node`, `object`: its ids.
///
/// # Errors
/// When it is no discovery payload at all.
pub fn read(component: &str, object: &str, payload: &[u8]) -> Result<Discovery, String> {
    let value: Value = serde_json::from_slice(payload).map_err(|e| format!("discovery payload: {e}"))?;
    let Value::Object(map) = value else { return Err("a discovery payload is a JSON object".to_owned()) };
    let map = expand(map, &ABBREVIATIONS);
    let base = map.get("~").and_then(Value::as_str).unwrap_or_default().to_owned();
    let device = map.get("device").and_then(Value::as_object).map(|d| described(d.clone(), &map));
    let mut found = Discovery { device, entities: Vec::new(), problems: Vec::new() };
    if component == "device" {
        let Some(components) = map.get("components").and_then(Value::as_object) else {
            return Err("device discovery must give `components` (cmps), an object".to_owned());
        };
        for (key, value) in components.iter().filter(|(key, _)| key.len() <= MAX_IDENTIFIER).take(MAX_COMPONENTS) {
            let Some(own) = value.as_object() else {
                found.problems.push(format!("components.{key}: must be an object"));
                continue;
            };
            let mut own = expand(own.clone(), &ABBREVIATIONS);
            let Some(platform) = own.get("platform").and_then(Value::as_str).map(str::to_owned) else {
                found.problems.push(format!("components.{key}: `platform` (p) is missing"));
                continue;
            };
            // With nothing but its platform a component is taken out.
            if own.len() == 1 {
                continue;
            }
            for shared in [
                "availability",
                "availability_topic",
                "availability_mode",
                "availability_template",
                "payload_available",
                "payload_not_available",
                "state_topic",
                "command_topic",
                "encoding",
            ] {
                if let Some(value) = map.get(shared) {
                    own.entry(shared).or_insert_with(|| value.clone());
                }
            }
            entity(&platform, key, key, &own, &base, &mut found);
        }
    } else {
        entity(component, "", object, &map, &base, &mut found);
    }
    Ok(found)
}

fn expand(map: Map<String, Value>, table: &[(&str, &str)]) -> Map<String, Value> {
    map.into_iter().map(|(k, v)| (table.iter().find(|(short, _)| *short == k).map_or(k, |(_, long)| (*long).to_owned()), v)).collect()
}

/// As Python writes it: `payload_on: true` means the text `True`.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(s) => Some(s.clone()),
        Value::Bool(b) => Some(if *b { "True" } else { "False" }.to_owned()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => {
            list.iter().take(MAX_IDENTIFIERS).filter_map(|v| text(Some(v))).filter(|t| t.len() <= MAX_IDENTIFIER).collect()
        }
        other => text(other).filter(|t| t.len() <= MAX_IDENTIFIER).into_iter().collect(),
    }
}

fn cut(problem: String) -> String {
    problem.chars().take(MAX_PROBLEM).collect()
}

fn described(device: Map<String, Value>, whole: &Map<String, Value>) -> Described {
    let d = expand(device, &DEVICE_ABBREVIATIONS);
    let get = |key: &str| text(d.get(key)).and_then(short);
    let pairs = d.get("connections").and_then(Value::as_array);
    let macs = pairs.into_iter().flatten().take(MAX_IDENTIFIERS).filter_map(|pair| match pair.as_array()?.as_slice() {
        [kind, address] if matches!(kind.as_str(), Some("mac" | "bluetooth" | "zigbee")) => {
            address.as_str().filter(|a| a.len() <= MAX_IDENTIFIER).map(str::to_owned)
        }
        _ => None,
    });
    let firmware = get("sw_version");
    let origin = whole.get("origin").and_then(Value::as_object).and_then(|o| text(o.get("name"))).unwrap_or_default();
    let esphome = origin.eq_ignore_ascii_case("esphome")
        || firmware.as_deref().is_some_and(|f| f.to_ascii_lowercase().contains("esphome"))
        || get("model").is_some_and(|m| m.to_ascii_lowercase().contains("esphome"));
    let group = get("manufacturer").as_deref() == Some("Zigbee2MQTT") && get("model").as_deref() == Some("Group");
    let model = match (get("model_id"), get("model")) {
        (Some(id), Some(model)) if !model.contains(&id) => Some(format!("{id} {model}")),
        (id, model) => model.or(id),
    };
    Described {
        identifiers: texts(d.get("identifiers")),
        macs: macs.collect(),
        name: get("name"),
        make: get("manufacturer"),
        model,
        firmware,
        via: text(d.get("via_device")).filter(|v| v.len() <= MAX_IDENTIFIER),
        esphome,
        group,
    }
}

/// Reads one entity into `found`.
fn entity(component: &str, key: &str, object: &str, map: &Map<String, Value>, base: &str, found: &mut Discovery) {
    let place = if key.is_empty() { String::new() } else { format!("components.{key}: ") };
    let topic = |key: &str| map.get(key).and_then(Value::as_str).map(|t| based(t, base)).filter(|t| !t.is_empty() && t.len() <= MAX_TOPIC);
    let get = |key: &str| text(map.get(key));
    let or = |key: &str, default: &str| text(map.get(key)).unwrap_or_else(|| default.to_owned());
    let mut problems = Vec::new();
    let mut template_bytes = 0;
    let mut template = |key: &str| -> Result<Option<Template>, String> {
        let Some(source) = map.get(key).and_then(Value::as_str).filter(|s| !s.trim().is_empty()) else { return Ok(None) };
        template_bytes += source.len();
        Template::parse(source).map(Some).map_err(|e| format!("{place}{key}: {e}"))
    };

    let class = get("device_class").map(|c| c.to_lowercase());
    let class = class.as_deref().filter(|c| !c.is_empty() && *c != "none");
    let name = get("name").filter(|n| n != "null").and_then(short).unwrap_or_default();
    let own = get("object_id").or_else(|| get("default_entity_id")).unwrap_or_default();
    let names = [name.as_str(), own.as_str(), object];
    let unique = get("unique_id").filter(|u| u.len() <= MAX_IDENTIFIER).unwrap_or_else(|| format!("{component}.{object}"));
    let diagnostic = get("entity_category").as_deref() == Some("diagnostic");
    let channel_hint = meaning::channel(&name).or_else(|| meaning::channel(object)).or_else(|| meaning::channel(&own));
    let momentary = map.contains_key("off_delay");
    let mut uses = Vec::new();
    let mut add = |topic: Option<String>, template: Result<Option<Template>, String>, meaning: Option<Meaning>, match_on: Match| {
        if let Some(topic) = topic {
            let problem = template.as_ref().err().cloned().map(cut);
            problems.extend(problem.clone());
            uses.push(Use { topic, template: template.ok().flatten(), meaning, match_on, channel_hint, momentary, problem });
        }
    };
    let words = |on: &[String], off: &[String]| Match::Words { on: on.to_vec(), off: off.to_vec() };
    let none = || words(&[], &[]);
    let mut wrong = None;
    match component {
        "sensor" => {
            let meaning = meaning::sensor(class, get("unit_of_measurement").as_deref(), &names, diagnostic).unwrap_or_else(|e| {
                wrong = Some(e);
                None
            });
            let template = if meaning.is_some() { template("value_template") } else { Ok(None) };
            add(topic("state_topic"), template, meaning, none());
        }
        "binary_sensor" => {
            let meaning = meaning::binary(class, &names);
            let template = if meaning.is_some() { template("value_template") } else { Ok(None) };
            add(topic("state_topic"), template, meaning, words(&[or("payload_on", "ON")], &[or("payload_off", "OFF")]));
        }
        "switch" | "light" | "siren" | "fan" => {
            let meaning = meaning::switched(component, class, &names);
            let on = get("state_on").unwrap_or_else(|| or("payload_on", "ON"));
            let off = get("state_off").unwrap_or_else(|| or("payload_off", "OFF"));
            let key = if map.contains_key("state_value_template") { "state_value_template" } else { "value_template" };
            let template = if meaning.is_some() { template(key) } else { Ok(None) };
            add(topic("state_topic"), template, meaning, words(&[on], &[off]));
        }
        "lock" => {
            let meaning = Some(Meaning::State(Quantity::Locked, false));
            add(
                topic("state_topic"),
                template("value_template"),
                meaning,
                words(
                    &[or("state_locked", "LOCKED")],
                    &[
                        or("state_unlocked", "UNLOCKED"),
                        or("state_unlocking", "UNLOCKING"),
                        or("state_locking", "LOCKING"),
                        or("state_jammed", "JAMMED"),
                    ],
                ),
            );
        }
        "valve" | "cover" => {
            let meaning = match component {
                "valve" => Some(Meaning::State(Quantity::Valve, false)),
                _ if matches!(class, Some("door" | "garage" | "gate" | "window")) => Some(Meaning::State(Quantity::Open, false)),
                _ => None,
            };
            let on = [or("state_open", "open"), or("state_opening", "opening"), or("state_closing", "closing")];
            let words = if map.get("reports_position") == Some(&Value::Bool(true)) {
                Match::Position
            } else {
                words(&on, &[or("state_closed", "closed")])
            };
            let template = if meaning.is_some() { template("value_template") } else { Ok(None) };
            add(topic("state_topic"), template, meaning, words);
        }
        "climate" | "humidifier" | "water_heater" => {
            let quantity = if component == "water_heater" { Quantity::WaterTemperature } else { Quantity::Temperature };
            let unit = or("temperature_unit", "C");
            match Conversion::of(&quantity, &unit) {
                Ok(c) => add(
                    topic("current_temperature_topic"),
                    template("current_temperature_template"),
                    Some(Meaning::Number(quantity, c)),
                    none(),
                ),
                Err(e) => wrong = Some(e),
            }
            add(
                topic("current_humidity_topic"),
                template("current_humidity_template"),
                Some(Meaning::Number(Quantity::Humidity, Conversion::SAME)),
                none(),
            );
        }
        "device_automation" => {
            let sub = [or("type", ""), or("subtype", "")];
            let kind = meaning::press(&format!("{}_{}", sub[0], sub[1]));
            add(topic("topic"), template("value_template"), Some(Meaning::Event(kind)), Match::Trigger(get("payload")));
        }
        "event" => {
            add(topic("state_topic"), template("value_template"), Some(Meaning::Event(EventKind::ButtonPressed)), Match::EventType);
        }
        _ => add(topic("state_topic").or_else(|| topic("topic")), Ok(None), None, none()),
    }
    problems.extend(wrong.map(|e| format!("{place}{e}")));
    let mut availability = Vec::new();
    let list = match map.get("availability") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        Some(Value::Null) | None => &[],
        Some(_) => {
            problems.push(format!("{place}availability must be a list of objects with `topic`"));
            &[]
        }
    };
    let mut parse = |source: Option<&str>| match source.map(Template::parse).transpose() {
        Ok(t) => Some(t),
        Err(e) => {
            problems.push(format!("{place}availability: {e}"));
            None
        }
    };
    for item in list.iter().take(MAX_IDENTIFIERS).filter_map(Value::as_object) {
        let item = expand(item.clone(), &ABBREVIATIONS);
        let Some(topic) = item.get("topic").and_then(Value::as_str).map(|t| based(t, base)).filter(|t| t.len() <= MAX_TOPIC) else {
            continue;
        };
        let Some(template) = parse(item.get("value_template").and_then(Value::as_str)) else { continue };
        let word = |key: &str, default: &str| text(item.get(key)).unwrap_or_else(|| default.to_owned());
        let (available, not_available) = (word("payload_available", "online"), word("payload_not_available", "offline"));
        availability.push(Availability { topic, template, available, not_available });
    }
    if let Some(topic) = topic("availability_topic")
        && let Some(template) = parse(map.get("availability_template").and_then(Value::as_str))
    {
        let (available, not_available) = (or("payload_available", "online"), or("payload_not_available", "offline"));
        availability.push(Availability { topic, template, available, not_available });
    }
    let taken = |t: &String| uses.iter().any(|u| u.topic == *t) || availability.iter().any(|a| a.topic == *t);
    let other_topics = map
        .iter()
        .filter(|(k, _)| k.ends_with("_topic") || k.ends_with("_t") || *k == "topic")
        .filter_map(|(_, v)| v.as_str().map(|t| based(t, base)))
        .filter(|t| !t.is_empty() && t.len() <= MAX_TOPIC && !taken(t))
        .take(16)
        .collect();
    let picture = match component {
        "camera" => topic("topic"),
        "image" => topic("image_topic"),
        _ => None,
    };
    let mode = match get("availability_mode").as_deref() {
        Some("all") => Mode::All,
        Some("any") => Mode::Any,
        _ => Mode::Latest,
    };
    let expire_after = get("expire_after").and_then(|t| t.parse::<f64>().ok()).map(|x| x as u64);
    let expire_after = expire_after.and_then(|s| u32::try_from(s).ok()).filter(|s| *s > 0);
    found.problems.extend(problems.into_iter().map(cut));
    let key = key.to_owned();
    found.entities.push(Entity { key, unique, name, uses, other_topics, picture, availability, mode, expire_after, template_bytes });
}

/// `~` at either end is the base topic.
fn based(topic: &str, base: &str) -> String {
    match (topic.strip_prefix('~'), topic.strip_suffix('~')) {
        (Some(rest), _) if !base.is_empty() => format!("{base}{rest}"),
        (_, Some(rest)) if !base.is_empty() => format!("{rest}{base}"),
        _ => topic.to_owned(),
    }
}
