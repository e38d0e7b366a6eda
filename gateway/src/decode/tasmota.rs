//! Tasmota: `tele/<topic>/SENSOR|STATE|LWT|INFO1..3`, `stat/<topic>/RESULT|STATUS8|STATUS10|POWER...`, the same with the prefix after the topic,
//! and `tasmota/discovery/<MAC>/config|sensors`.
//!
//! A device's id is `tasmota.<its topic>`; what discovery says of a MAC is announced under it, and a device that changes its topic leaves none
//! behind. Its clock is local time without a zone, or 1970: only a time with a zone and not before 2020 counts as one.
use super::ident::{device_id, removed, short};
use super::json::Json;
use super::readings::{Channels, Readings};
use super::scalar::{Scalar, iso8601};
use super::switches::Switch;
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::{Body, DeviceInfo};
use std::collections::BTreeMap;
use tuoan_protocol::{DeviceId, EventKind, Presence, Quantity};

mod sensor;

const PREFIX: &str = "tasmota.";
const DISCOVERY: &str = "tasmota/discovery/";
/// Tasmota's own buffer for one message has 1 to 4 KiB; discovery needs somewhat more.
const MAX_PAYLOAD: usize = 16 << 10;
/// Devices that discovery announced, at most.
const MAX_DEVICES: usize = 1000;
/// 2020-01-01: nothing that runs today had its clock right before.
const OLDEST_CLOCK: i64 = 1_577_836_800_000;

#[derive(Default)]
pub struct Tasmota {
    /// By MAC.
    announced: BTreeMap<String, Announced>,
    channels: Channels,
}

/// What discovery says of a device.
struct Announced {
    device: DeviceId,
    /// The topic's levels up to the last, with `%prefix%` in them.
    full_topic: Vec<String>,
    /// Of commands, states and telemetry.
    prefixes: Vec<String>,
    offline: String,
    online: String,
}

/// A topic taken apart.
struct Place<'a> {
    /// Without the prefix and the last level.
    name: String,
    device: DeviceId,
    kind: Kind,
    /// The last level: `SENSOR`.
    what: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Command,
    State,
    Telemetry,
}

const STANDARD: [(&str, Kind); 3] = [("cmnd", Kind::Command), ("stat", Kind::State), ("tele", Kind::Telemetry)];

impl Tasmota {
    /// By discovery where the site has changed the prefixes, else by the standard ones: first, or before the last level, or, with a last level
    /// that nobody else uses, anywhere between.
    fn place<'a>(&self, topic: &'a str) -> Option<Place<'a>> {
        let levels: Vec<&str> = topic.split('/').collect();
        let (what, before) = levels.split_last()?;
        let announced = self.announced.values().find_map(|a| {
            if a.full_topic.len() != before.len() {
                return None;
            }
            let mut kind = None;
            for (want, got) in a.full_topic.iter().zip(before) {
                if want == "%prefix%" {
                    let at = a.prefixes.iter().position(|p| p == got)?;
                    kind = STANDARD.get(at).map(|(_, k)| *k);
                } else if want != got {
                    return None;
                }
            }
            let name: Vec<&str> = a.full_topic.iter().map(String::as_str).filter(|l| *l != "%prefix%").collect();
            Some(Place { name: name.join("/"), device: a.device.clone(), kind: kind?, what })
        });
        if announced.is_some() {
            return announced;
        }
        if before.len() < 2 || what.is_empty() {
            return None;
        }
        let standard = |at: usize| before.get(at).and_then(|l| STANDARD.iter().find(|(name, _)| name == l)).map(|(_, k)| (at, *k));
        let capitals = what.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        let own = matches!(*what, "SENSOR" | "STATE" | "LWT" | "RESULT" | "INFO1" | "INFO2" | "INFO3" | "HASS_STATE")
            || what.strip_prefix("STATUS").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let (at, kind) = standard(0)
            .or_else(|| standard(before.len() - 1).filter(|(_, kind)| capitals || *kind == Kind::Command))
            .or_else(|| (1..before.len()).find_map(standard).filter(|_| own))?;
        let name: Vec<&str> = before.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, l)| *l).collect();
        let name = name.join("/");
        Some(Place { device: device_id(PREFIX, &name)?, name, kind, what })
    }

    fn discovery(&mut self, rest: &str, raw: Raw<'_>, directory: &mut Directory) -> Result<Vec<Body>, String> {
        let (mac, what) = rest.split_once('/').ok_or("the topic must be tasmota/discovery/<MAC>/config or /sensors")?;
        let mac = mac.to_ascii_uppercase();
        match what {
            "config" if raw.payload.is_empty() => {
                let Some(gone) = self.announced.remove(&mac) else { return Ok(Vec::new()) };
                self.channels.forget(&gone.device);
                Ok(vec![Body::Inventory(vec![removed(gone.device)])])
            }
            "config" => self.config(&mac, Json::object(raw.payload)?, directory),
            "sensors" if raw.payload.is_empty() => Ok(Vec::new()),
            "sensors" => {
                let sensors = Json::object(raw.payload)?.get("sn").filter(|s| s.is_object()).ok_or("`sn` must be an object of sensors")?;
                // What is in it is as old as the device's start: it says what there is, not how it stands.
                let Some(known) = self.announced.get(&mac) else { return Ok(Vec::new()) };
                let device = known.device.clone();
                let mut readings = Readings::default();
                sensor::all(sensors, &device, &mut self.channels, &mut readings);
                let quantities = readings.quantities();
                if quantities.is_empty() {
                    return Ok(Vec::new());
                }
                Ok(vec![Body::Inventory(vec![DeviceInfo { device: Some(device), quantities, ..DeviceInfo::default() }])])
            }
            _ => Ok(Vec::new()),
        }
    }

    fn config(&mut self, mac: &str, config: Json<'_>, directory: &mut Directory) -> Result<Vec<Body>, String> {
        let text = |key: &str| config.string(key).ok_or_else(|| format!("`{key}` is missing"));
        let list = |key: &str| -> Vec<String> {
            config.get(key).map(|l| l.elements().iter().filter_map(|e| e.text()).map(|t| t.into_owned()).collect()).unwrap_or_default()
        };
        let (topic, full) = (text("t")?, text("ft")?);
        let prefixes = list("tp");
        if prefixes.len() != STANDARD.len() {
            return Err("`tp` must hold three prefixes".to_owned());
        }
        let full = full.replace("%hostname%", &config.string("hn").unwrap_or_default()).replace("%id%", mac).replace("%topic%", &topic);
        let full_topic: Vec<String> = full.trim_end_matches('/').split('/').map(str::to_owned).collect();
        let name: Vec<&str> = full_topic.iter().map(String::as_str).filter(|l| *l != "%prefix%").collect();
        if name.len() == full_topic.len() {
            return Err(format!("`ft` is {full:?}, without %prefix%; its messages cannot be told from others' (set FullTopic)"));
        }
        let device = device_id(PREFIX, &name.join("/")).ok_or("`t` is empty")?;
        directory.claim(mac, &device);
        if let Some(prefix) = prefixes.first() {
            directory.switches.announce(&device, Switch::Tasmota { commands: full_topic.join("/").replace("%prefix%", prefix) });
        }
        let mut inventory = Vec::new();
        let (offline, online) = (config.string("ofln").unwrap_or_default(), config.string("onln").unwrap_or_default());
        if self.announced.len() < MAX_DEVICES || self.announced.contains_key(mac) {
            let new = Announced { device: device.clone(), full_topic, prefixes, offline, online };
            if let Some(old) = self.announced.insert(mac.to_owned(), new)
                && old.device != device
            {
                self.channels.forget(&old.device);
                inventory.push(removed(old.device));
                directory.claim(mac, &device);
            }
        }
        inventory.push(DeviceInfo {
            device: Some(device),
            name: config.string("dn").or_else(|| list("fn").into_iter().next()).and_then(short),
            make: Some("Tasmota".to_owned()),
            model: config.string("md").and_then(short),
            firmware: config.string("sw").and_then(short),
            ..DeviceInfo::default()
        });
        Ok(vec![Body::Inventory(inventory)])
    }

    fn message(&mut self, place: Place<'_>, raw: Raw<'_>, directory: &mut Directory) -> Result<Vec<Body>, String> {
        // An order heard again; an empty payload clears what was retained.
        if place.kind == Kind::Command || raw.payload.is_empty() {
            return Ok(Vec::new());
        }
        let device = place.device.clone();
        if place.what == "LWT" {
            let text = std::str::from_utf8(raw.payload).map_err(|_| "the payload is not UTF-8".to_owned())?.trim();
            let own = self.announced.values().find(|a| a.device == device);
            let is = |word: &str, own: Option<&String>| text.eq_ignore_ascii_case(word) || own.is_some_and(|o| o == text);
            let presence = if is("online", own.map(|a| &a.online)) {
                Presence::Online
            } else if is("offline", own.map(|a| &a.offline)) {
                Presence::Offline
            } else {
                return Err("LWT must be Online or Offline".to_owned());
            };
            let mut readings = Readings::default();
            readings.presence(presence);
            return Ok(vec![readings.message(device, None, raw.retained)?]);
        }
        if let Some(channel) = numbered(place.what, "POWER") {
            let mut readings = Readings::default();
            if let Some(on) = std::str::from_utf8(raw.payload).ok().and_then(|t| Scalar::of(t.trim()).state()) {
                readings.state(Quantity::SwitchedOn, channel, on);
            }
            return Ok(vec![readings.message(device, None, raw.retained)?]);
        }
        match Json::parse(raw.payload) {
            Ok(json) if json.is_object() => self.object(&place, json, raw, directory),
            Err(e) if matches!(place.what, "SENSOR" | "STATE" | "RESULT" | "HASS_STATE") => Err(e),
            // Answers to commands (`SetOption4 1`), log lines, the camera's and the infrared eye's own topics.
            _ => Ok(vec![Readings::default().message(device, None, raw.retained)?]),
        }
    }

    fn object(&mut self, place: &Place<'_>, json: Json<'_>, raw: Raw<'_>, directory: &mut Directory) -> Result<Vec<Body>, String> {
        let (what, mut device) = (place.what, place.device.clone());
        let mut bodies = Vec::new();
        if let Some(received) = json.get("ZbReceived") {
            // `SetOption89` puts the device's address behind the coordinator's topic.
            let mut via_name = place.name.as_str();
            if let Some((coordinator, address)) = via_name.rsplit_once('/')
                && received.members().iter().any(|(_, v)| v.string("Device").is_some_and(|d| d.strip_prefix("0x") == Some(address)))
                && let Some(id) = device_id(PREFIX, coordinator)
            {
                (via_name, device) = (coordinator, id);
            }
            bodies = sensor::zigbee(received, &device, via_name, raw.retained);
        }
        let mut readings = Readings::default();
        let mut info = DeviceInfo { device: Some(device.clone()), ..DeviceInfo::default() };
        let mut sampled_at = time(json);
        match what {
            "SENSOR" => {
                sensor::all(json, &device, &mut self.channels, &mut readings);
                bodies.extend(sensor::bluetooth(json, &device, raw.retained, directory));
            }
            "STATE" => sensor::state(json, &mut readings),
            "HASS_STATE" => {
                describe(json, &mut info);
                if let Some(signal) = json.get("Signal (dBm)") {
                    readings.add("Signal (dBm)", Quantity::SignalStrength, 0, &signal.scalar(), "dBm");
                }
            }
            "INFO1" | "INFO2" | "INFO3" => describe(json.get(&format!("Info{}", &what[4..])).unwrap_or(json), &mut info),
            _ if what.starts_with("STATUS") => {
                for (key, part) in json.members() {
                    match key.as_ref() {
                        "StatusSNS" => {
                            sampled_at = sampled_at.or_else(|| time(part));
                            sensor::all(part, &device, &mut self.channels, &mut readings);
                            bodies.extend(sensor::bluetooth(part, &device, raw.retained, directory));
                        }
                        "StatusSTS" => sensor::state(part, &mut readings),
                        "StatusFWR" => describe(part, &mut info),
                        "Status" => info.name = part.string("DeviceName").and_then(short),
                        "StatusLOG" => info.period_s = period(part),
                        "StatusNET" => {
                            if let Some(mac) = part.string("Mac") {
                                directory.claim(&mac, &device);
                            }
                        }
                        _ => {}
                    }
                }
            }
            // RESULT, and with SetOption4 the command's own name in its place; SWITCH1, BUTTON1.
            _ => {
                info.period_s = period(json);
                for (key, value) in json.members() {
                    if let Some(channel) = numbered(&key, "POWER")
                        && let Some(on) = value.scalar().state()
                    {
                        readings.state(Quantity::SwitchedOn, channel, on);
                    } else {
                        pressed(what, &key, value, &mut readings);
                    }
                }
                // The only sensor whose state is in an answer alone.
                if let Some(radar) = json.get("LD2410") {
                    sensor::all(radar, &device, &mut self.channels, &mut readings);
                }
            }
        }
        if info.model.is_some() || info.firmware.is_some() || info.name.is_some() || info.period_s.is_some() {
            info.make = info.model.is_some().then(|| "Tasmota".to_owned());
            bodies.insert(0, Body::Inventory(vec![info]));
        }
        bodies.push(readings.message(device, sampled_at, raw.retained)?);
        Ok(bodies)
    }
}

/// `POWER`, `POWER1`..: the relay's channel.
fn numbered(key: &str, name: &str) -> Option<u8> {
    match key.strip_prefix(name)? {
        "" => Some(0),
        n => n.parse::<u8>().ok().filter(|n| (1..=32).contains(n)).map(|n| n - 1),
    }
}

/// `{"Button1":{"Action":"SINGLE"}}`, `{"Switch1":{"Action":"ON"}}`, and, on a topic of their own, `SWITCH1 {"STATE":"ON"}`,
/// `BUTTON1 {"ACTION":"SINGLE"}`.
fn pressed(what: &str, key: &str, value: Json<'_>, readings: &mut Readings) {
    let (name, action) = match value.members().into_iter().find(|(k, _)| k.eq_ignore_ascii_case("action")) {
        Some((_, action)) => (key, action),
        None if matches!(key, "STATE" | "ACTION" | "TRIG") => (what, value),
        None => return,
    };
    let Some(action) = action.text() else { return };
    let name = name.to_ascii_uppercase();
    if let Some(channel) = numbered(name.trim_end_matches('T'), "SWITCH")
        && let Some(on) = Scalar::Text(action.clone()).state()
    {
        readings.named_state("switch", channel, on);
    } else if (name.starts_with("BUTTON") || name.starts_with("SWITCH")) && action != "CLEAR" {
        readings.event(EventKind::ButtonPressed);
    }
}

fn describe(json: Json<'_>, info: &mut DeviceInfo) {
    info.model = json.string("Module").or_else(|| json.string("Module or Template Name")).and_then(short);
    info.firmware = json.string("Version").and_then(short);
}

/// `TelePeriod`, in seconds: 10 to 3600, 0 is off.
fn period(json: Json<'_>) -> Option<u32> {
    json.get("TelePeriod")?.whole()?.try_into().ok().filter(|s| (10..=3600).contains(s))
}

/// UTC milliseconds of `Time`, where it says its zone and is no clock that was never set.
fn time(json: Json<'_>) -> Option<i64> {
    let text = json.string("Time")?;
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    if zone.is_empty() { None } else { iso8601(&text).filter(|ms| *ms >= OLDEST_CLOCK) }
}

impl Decoder for Tasmota {
    fn name(&self) -> &'static str {
        "tasmota"
    }
    fn prefix(&self) -> &'static str {
        PREFIX
    }
    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded {
        let decoded = if let Some(rest) = raw.topic.strip_prefix(DISCOVERY) {
            if raw.payload.len() > MAX_PAYLOAD { Err(too_long()) } else { self.discovery(rest, raw, directory) }
        } else if let Some(place) = self.place(raw.topic) {
            if raw.payload.len() > MAX_PAYLOAD { Err(too_long()) } else { self.message(place, raw, directory) }
        } else {
            return Decoded::NotMine;
        };
        decoded.map_or_else(Decoded::Malformed, Decoded::Inputs)
    }
    fn owner(&self, topic: &str) -> Owner {
        match self.place(topic) {
            Some(place) => Owner::Mine(Some(place.device)),
            None if topic.starts_with(DISCOVERY) => Owner::Mine(None),
            None => Owner::NotMine,
        }
    }
}

fn too_long() -> String {
    format!("the payload is longer than {MAX_PAYLOAD} bytes")
}

#[cfg(test)]
mod tests;
