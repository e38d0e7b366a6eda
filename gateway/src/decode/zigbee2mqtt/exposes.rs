//! What a device's attributes mean: from the `exposes` of its definition, and where those are not known, from their names alone.
use crate::decode::meaning;
use crate::decode::scalar::Scalar;
use crate::decode::switches::{self, Zigbee};
use crate::decode::units::Conversion;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use tuoan_protocol::decimal::Decimal;
use tuoan_protocol::id::OtherName;
use tuoan_protocol::quantity::ValueError;
use tuoan_protocol::{Fixed, Quantity};

/// Attributes of one device that are kept.
const MAX_ATTRIBUTES: usize = 96;
/// Deepest nesting of features that is looked into.
const MAX_DEPTH: usize = 3;
/// `access`, bit 0: the attribute is in what the device publishes.
const PUBLISHED: u64 = 1;
/// `access`, bit 1: the attribute can be set.
const SET: u64 = 2;
/// Relays of one device that orders can be for.
const MAX_STATES: usize = 16;

/// One element of `exposes`: generic (`numeric`, `binary`, `enum`, `text`, `list`, `composite`) or specific (`light`, `lock`, ...) with features.
#[derive(Debug, Deserialize)]
pub struct Expose {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    /// Key in the payload: the name, with the endpoint where the device has several (`state_l1`).
    #[serde(default)]
    property: Option<String>,
    #[serde(default)]
    endpoint: Option<String>,
    #[serde(default)]
    access: Option<u64>,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    value_on: Option<Json>,
    #[serde(default)]
    value_off: Option<Json>,
    #[serde(default)]
    features: Vec<Expose>,
}

/// One attribute that the engine wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    pub quantity: Quantity,
    pub channel: u8,
    how: How,
}

#[derive(Debug, Clone, PartialEq)]
enum How {
    Number(Conversion),
    /// The texts for on and off where the definition gives them; else the usual words. `inverted`: on is 0.
    State {
        on: Option<String>,
        off: Option<String>,
        inverted: bool,
    },
    /// A battery's voltage in millivolts, told by its size from a mains voltage.
    Millivolts,
}

#[derive(Debug, Clone, Default)]
pub struct Attributes(BTreeMap<String, Option<Attribute>>);

/// What else of a device says what its attributes mean.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    /// It runs on batteries.
    pub battery: bool,
    /// Its friendly name: a plug that switches a germicidal lamp does not know what it is.
    pub name: &'a str,
    /// Of its definition: `FireAngel CO alarm` calls its alarm `alarm`, a radar its presence `occupancy`.
    pub description: &'a str,
}

impl Attributes {
    pub fn of(exposes: &[Expose], device: Of<'_>) -> Attributes {
        let mut found = Attributes::default();
        found.add(exposes, "", device, 0);
        // What the bolt does, not what was asked of it.
        let is_lock = |p: &str| found.0.get(p).is_some_and(|a| a.as_ref().is_some_and(|a| a.quantity == Quantity::Locked));
        if is_lock("lock_state") && is_lock("state") {
            found.0.insert("state".to_owned(), None);
        }
        // Where the charge is known, a flag that it is low says nothing more.
        if found.0.contains_key("battery") {
            found.0.insert("battery_low".to_owned(), None);
        }
        found
    }

    fn add(&mut self, exposes: &[Expose], within: &str, device: Of<'_>, depth: usize) {
        for e in exposes {
            // A composite's features are members of an object, which is not read.
            if depth < MAX_DEPTH && !matches!(e.kind.as_str(), "composite" | "list") {
                self.add(&e.features, &e.kind, device, depth + 1);
            }
            let (Some(name), Some(property)) = (&e.name, &e.property) else { continue };
            if self.0.len() >= MAX_ATTRIBUTES
                || property.len() > 64
                || self.0.contains_key(property)
                || e.access.is_some_and(|a| a & PUBLISHED == 0)
            {
                continue;
            }
            let channel = e.endpoint.as_deref().map_or_else(|| channel_of(name, property), endpoint);
            let meaning = announced(e, within, name, device).map(|(quantity, how)| Attribute { quantity, channel, how });
            self.0.insert(property.clone(), meaning);
        }
    }

    /// `None`: the definition says nothing of it; `Some(None)`: it is of no use to the engine.
    pub fn get(&self, property: &str) -> Option<Option<&Attribute>> {
        self.0.get(property).map(Option::as_ref)
    }

    /// Which of what it exposes is switched by orders; `None`: nothing.
    pub fn switch(exposes: &[Expose]) -> Option<Zigbee> {
        let mut found = Zigbee::default();
        let features = exposes.iter().filter(|e| e.kind == "switch").flat_map(|e| &e.features);
        for e in exposes.iter().chain(features).filter(|e| e.access.is_some_and(|a| a & SET != 0) || e.kind == "composite") {
            let (Some(name), Some(property)) = (e.name.as_deref(), e.property.clone().filter(|p| p.len() <= 64)) else { continue };
            let both = e.value_on.clone().zip(e.value_off.clone()).filter(|_| e.kind == "binary");
            match (name, both) {
                ("warning", None) if e.kind == "composite" => found.warning = true,
                ("alarm", Some((on, off))) => found.alarm = Some(switches::Attribute { property, on, off }),
                ("state", Some((on, off))) if found.states.len() < MAX_STATES => {
                    let channel = e.endpoint.as_deref().map_or_else(|| channel_of(name, &property), endpoint);
                    found.states.insert(channel, switches::Attribute { property, on, off });
                }
                _ => {}
            }
        }
        (found != Zigbee::default()).then_some(found)
    }

    /// What the device can report, each once.
    pub fn quantities(&self) -> Vec<Quantity> {
        let mut list: Vec<Quantity> = self.0.values().flatten().map(|a| a.quantity.clone()).collect();
        list.sort();
        list.dedup();
        list
    }
}

fn channel_of(name: &str, property: &str) -> u8 {
    property.strip_prefix(name).and_then(|rest| rest.strip_prefix('_')).map_or(0, endpoint)
}

/// Of the name of an endpoint: its number, or the place of its word.
fn endpoint(name: &str) -> u8 {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    match (digits.parse(), name) {
        (Ok(n), _) if digits.len() < 3 => n,
        (_, "left" | "top" | "a" | "default") => 1,
        (_, "center" | "bottom" | "b" | "phase_b") => 2,
        (_, "right" | "c" | "phase_c") => 3,
        _ => 0,
    }
}

/// A state that is 1 when the attribute is on.
fn on_is_one() -> How {
    How::State { on: None, off: None, inverted: false }
}

/// What an attribute is, as announced with its type and unit.
fn announced(e: &Expose, within: &str, name: &str, device: Of<'_>) -> Option<(Quantity, How)> {
    let battery = device.battery;
    let unit = e.unit.as_deref().unwrap_or_default();
    let number = |quantity: Quantity| Some((Conversion::of(&quantity, unit).ok()?, quantity)).map(|(c, q)| (q, How::Number(c)));
    match (within, name) {
        ("lock", "state") => return Some((Quantity::Locked, words(e))),
        ("lock", "lock_state") => return Some((Quantity::Locked, on_is_one())),
        ("switch" | "light", "state") => {
            let switched = meaning::switched("switch", None, &[device.name]).and_then(|m| m.quantity().cloned());
            return switched.or((within == "switch").then_some(Quantity::SwitchedOn)).map(|q| (q, words(e)));
        }
        _ => {}
    }
    if e.kind == "binary" {
        let quantity = match name {
            // Of a device that runs on batteries and gives no per cent; see [`Attributes::of`].
            "battery_low" if battery => Quantity::Other(OtherName::new("battery_low").ok()?),
            "alarm" if e.access.is_some_and(|a| a & SET != 0) => Quantity::Siren,
            "alarm" | "alarm_1" => meaning::hazard(device.description)?,
            "occupancy" if meaning::is_radar(device.description) => Quantity::Presence,
            "state" if matches!(&e.value_on, Some(Json::String(on)) if on == "OPEN") => Quantity::Valve,
            _ => by_name(name)?.0,
        };
        return quantity_of_state(quantity).map(|q| (q, words(e)));
    }
    match name {
        "voltage" | "battery_voltage" => {
            let quantity = if battery || unit == "mV" || name == "battery_voltage" { Quantity::BatteryVoltage } else { Quantity::Voltage };
            number(quantity)
        }
        // Without a unit it may be anything from µg/m³ to ppm.
        "formaldehyd" | "formaldehyde" | "hcho" if !unit.is_empty() => number(Quantity::Formaldehyde),
        "voc" if unit.contains("/m") => number(Quantity::Tvoc),
        "voc" if matches!(unit, "ppb" | "ppm") => {
            let (Ok(name), scale) = (OtherName::new("tvoc_ppb"), if unit == "ppm" { 1000 } else { 1 }) else { return None };
            Some((Quantity::Other(name), How::Number(Conversion::times(scale))))
        }
        "voc_index" => number(Quantity::VocIndex),
        "voc" if unit.to_ascii_lowercase().contains("index") => Some((Quantity::VocIndex, How::Number(Conversion::SAME))),
        "gas_value" | "gas_density" | "gas" if unit.to_ascii_uppercase().contains("LEL") => number(Quantity::GasLel),
        "local_temperature" | "water_temperature" | "temperature_probe" | "pm1" | "power" | "current" | "energy" | "water_consumed"
        | "gas_consumed" | "flow" | "water_flow" | "target_distance" | "liquid_depth" => number(match name {
            "water_temperature" => Quantity::WaterTemperature,
            "pm1" => Quantity::Pm1,
            "power" => Quantity::Power,
            "current" => Quantity::Current,
            "energy" => Quantity::Energy,
            "water_consumed" => Quantity::WaterVolume,
            "gas_consumed" => Quantity::GasVolume,
            "flow" | "water_flow" => Quantity::WaterFlow,
            "target_distance" => Quantity::Distance,
            "liquid_depth" => Quantity::WaterLevel,
            _ => Quantity::Temperature,
        }),
        _ => {
            let (quantity, how) = by_name(name)?;
            if quantity.is_state() {
                return Some((quantity, how));
            }
            let conversion = Conversion::of(&quantity, unit).ok()?;
            Some((quantity, How::Number(conversion)))
        }
    }
}

fn quantity_of_state(quantity: Quantity) -> Option<Quantity> {
    (quantity.is_state() || matches!(quantity, Quantity::Other(_))).then_some(quantity)
}

/// The texts of a binary attribute. `contact` is on (closed) when it is `false`... its `value_on` says so, and means an open door.
fn words(e: &Expose) -> How {
    let text = |value: &Option<Json>| match value {
        Some(Json::String(s)) => Some(s.clone()),
        Some(Json::Bool(b)) => Some(b.to_string()),
        Some(Json::Number(n)) => Some(n.to_string()),
        _ => None,
    };
    let inverted = e.name.as_deref() == Some("contact") && e.value_on.is_none();
    How::State { on: text(&e.value_on), off: text(&e.value_off), inverted }
}

/// By the attribute's name alone, in the unit that Zigbee2MQTT usually gives (`src/lib/exposes.ts` of zigbee-herdsman-converters).
fn by_name(name: &str) -> Option<(Quantity, How)> {
    let number = How::Number(Conversion::SAME);
    Some(match name {
        // A reed contact that is closed (`true`) means a closed door.
        "contact" => (Quantity::Open, How::State { on: None, off: None, inverted: true }),
        "door_state" | "opening_state" => (Quantity::Open, on_is_one()),
        "temperature" => (Quantity::Temperature, number),
        "humidity" => (Quantity::Humidity, number),
        "pressure" => (Quantity::Pressure, number),
        "co2" => (Quantity::Co2, number),
        "pm25" => (Quantity::Pm25, number),
        "pm10" => (Quantity::Pm10, number),
        "co" => (Quantity::Co, number),
        "noise" => (Quantity::SoundLevel, number),
        "illuminance" | "illuminance_lux" => (Quantity::Illuminance, number),
        "smoke" | "smoke_state" => (Quantity::Smoke, on_is_one()),
        "gas" | "gas_state" => (Quantity::Gas, on_is_one()),
        "carbon_monoxide" => (Quantity::CoAlarm, on_is_one()),
        "water_leak" | "water" => (Quantity::WaterLeak, on_is_one()),
        "heat" | "heat_alarm" => (Quantity::Heat, on_is_one()),
        "occupancy" | "motion" => (Quantity::Motion, on_is_one()),
        "presence" => (Quantity::Presence, on_is_one()),
        "vibration" => (Quantity::Vibration, on_is_one()),
        "tamper" | "tamper_alarm" => (Quantity::Tamper, on_is_one()),
        "lock_state" => (Quantity::Locked, on_is_one()),
        "valve_state" | "gas_valve_state" => (Quantity::Valve, on_is_one()),
        "device_fault" | "fault" | "fault_alarm" | "trouble" => (Quantity::Fault, on_is_one()),
        "battery" => (Quantity::Battery, number),
        "voltage" => (Quantity::BatteryVoltage, How::Millivolts),
        "linkquality" => (Quantity::LinkQuality, number),
        _ => return None,
    })
}

/// Of a payload's key, where no definition is known: `temperature`, `temperature_l1`, `contact_2`.
pub fn guessed(key: &str) -> Option<Attribute> {
    let of = |name: &str, channel: u8| by_name(name).map(|(quantity, how)| Attribute { quantity, channel, how });
    if let Some(found) = of(key, 0) {
        return Some(found);
    }
    let (name, end) = key.rsplit_once('_')?;
    let endpoint = match end.strip_prefix(['l', 'L']).unwrap_or(end).parse() {
        Ok(n @ 1..=16) => n,
        _ if matches!(end, "left" | "center" | "right" | "top" | "bottom") => endpoint(end),
        _ => return None,
    };
    of(name, endpoint)
}

impl Attribute {
    /// `Ok(None)`: not this time.
    pub fn value(&self, value: &Scalar<'_>) -> Result<Option<Fixed>, ValueError> {
        match &self.how {
            How::Number(conversion) => conversion.apply(&self.quantity, value.number().ok_or(ValueError::NotFinite)?).map(Some),
            How::State { on, off, inverted } => {
                let text = match value {
                    Scalar::Bool(true) => "true",
                    Scalar::Bool(false) => "false",
                    other => other.number().unwrap_or_default(),
                };
                // Neither one nor the other: a lock that moves, a door whose state is lost.
                if ["undefined", "unknown", "error_unspecified", "not_fully_locked"].contains(&text) {
                    return Ok(None);
                }
                let state = if on.as_deref() == Some(text) {
                    true
                } else if off.as_deref() == Some(text) {
                    false
                } else if text.starts_with("error_forced") {
                    true
                } else {
                    match (value.state(), text.to_ascii_lowercase().as_str()) {
                        (Some(state), _) => state,
                        (None, "lock" | "tilted") => true,
                        (None, "unlock") => false,
                        _ => return Err(ValueError::NotAState),
                    }
                };
                let one = if self.quantity.is_state() { 1 } else { self.quantity.scale() };
                Ok(Some(Fixed(if state != *inverted { one } else { 0 })))
            }
            How::Millivolts => match value.number().and_then(|n| Decimal::parse(n).ok()) {
                // A plug's mains voltage is in volts and says nothing of a battery.
                Some(mv) => match mv.to_fixed(0) {
                    Ok(Fixed(mv)) if (500..=20_000).contains(&mv) => Ok(Some(Fixed(mv))),
                    _ => Ok(None),
                },
                None => Err(ValueError::NotFinite),
            },
        }
    }
}
