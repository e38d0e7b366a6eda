//! ONVIF events over MQTT as JSON: `<prefix>/onvif-ej/<topic>/&<source>` of Profile M (Bosch, Hanwha), and Axis' `axis/<serial>/event/<topic>`.
//!
//! Of a message only states of a fixed list are read: what a camera says of faces, plates or people's looks goes no further.
//! Formats: ONVIF Event Handling Test Specification, MQTT (22.06); <https://help.axis.com/en-us/mqtt-overview-integration>.
use super::directory::hardware_address;
use super::ident::{device_id, short};
use super::json::Json;
use super::readings::{Channels, Readings};
use super::scalar::{Scalar, iso8601};
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::{Body, DeviceInfo};
use std::collections::BTreeSet;
use tuoan_protocol::{DeviceId, Presence, Quantity};

const PREFIX: &str = "onvif.";
const PROFILE_M: &str = "/onvif-ej/";
const AXIS: &str = "/event/";
const MAX_PAYLOAD: usize = 16 << 10;
const MAX_DEVICES: usize = 1000;
/// 2020-01-01.
const OLDEST_CLOCK: i64 = 1_577_836_800_000;

#[derive(Default)]
pub struct Onvif {
    described: BTreeSet<DeviceId>,
    channels: Channels,
}

/// What an event tells.
enum Meaning {
    State(Quantity),
    /// A state of the convention's own: an input, whose wiring is the owner's to know, and a relay.
    Named(&'static str),
    /// It has happened when the state is 1, or without any state.
    Event(&'static str),
    Count(Quantity),
}

/// By a part of the topic without namespaces; the first that fits.
const MEANINGS: &[(&str, Meaning)] = &[
    ("VideoSource/GlobalSceneChange", Meaning::State(Quantity::Tamper)),
    ("VideoSource/Tampering", Meaning::State(Quantity::Tamper)),
    ("TamperDetector", Meaning::State(Quantity::Tamper)),
    ("Casing/Open", Meaning::State(Quantity::Tamper)),
    ("Detector/Tampering", Meaning::State(Quantity::Tamper)),
    ("VideoSource/SignalLoss", Meaning::State(Quantity::Fault)),
    ("VideoSource/VideoLoss", Meaning::State(Quantity::Fault)),
    ("HardwareFailure", Meaning::State(Quantity::Fault)),
    ("Storage/Disruption", Meaning::State(Quantity::Fault)),
    ("Storage/Alert", Meaning::State(Quantity::Fault)),
    ("VideoSource/MotionAlarm", Meaning::State(Quantity::Motion)),
    ("MotionDetector/Motion", Meaning::State(Quantity::Motion)),
    ("RegionDetector/Motion", Meaning::State(Quantity::Motion)),
    ("VideoAnalytics/Motion", Meaning::State(Quantity::Motion)),
    ("CameraApplicationPlatform/VMD", Meaning::State(Quantity::Motion)),
    ("CameraApplicationPlatform/MotionGuard", Meaning::State(Quantity::Motion)),
    ("CameraApplicationPlatform/ObjectAnalytics", Meaning::State(Quantity::Motion)),
    ("CameraApplicationPlatform/FenceGuard", Meaning::Event("line_crossed")),
    ("CameraApplicationPlatform/LoiteringGuard", Meaning::Event("loitering")),
    ("Sensor/PIR", Meaning::State(Quantity::Motion)),
    ("FieldDetector/ObjectsInside", Meaning::State(Quantity::Presence)),
    ("LineDetector/Crossed", Meaning::Event("line_crossed")),
    ("LoiteringDetector", Meaning::Event("loitering")),
    ("AudioAnalytics", Meaning::Event("sound_detected")),
    ("AudioSource/TriggerLevel", Meaning::Event("sound_detected")),
    ("OccupancyCounter", Meaning::Count(Quantity::People)),
    ("Recording/Mode", Meaning::State(Quantity::Recording)),
    ("Trigger/DigitalInput", Meaning::Named("input")),
    ("IO/Port", Meaning::Named("input")),
    ("IO/VirtualInput", Meaning::Named("input")),
    ("Trigger/Relay", Meaning::Named("relay")),
];

/// Under which names the state stands, in any case.
const STATES: [&str; 13] = [
    "State",
    "IsMotion",
    "Motion",
    "IsTamper",
    "Tamper",
    "LogicalState",
    "IsInside",
    "active",
    "Value",
    "IsSoundDetected",
    "triggered",
    "Failed",
    "open",
];

impl Onvif {
    fn place<'a>(&self, topic: &'a str) -> Option<(&'a str, &'a str)> {
        if let Some((prefix, rest)) = topic.split_once(PROFILE_M) {
            return Some((prefix, rest)).filter(|(p, _)| !p.is_empty());
        }
        let (prefix, rest) = topic.split_once(AXIS)?;
        let serial = prefix.rsplit('/').next()?;
        (prefix.starts_with("axis/")
            || rest.starts_with("tns:")
            || rest.contains("axis:")
            || hardware_address(serial).is_some_and(|a| a.len() == 12))
        .then_some((prefix.strip_prefix("axis/").unwrap_or(prefix), rest))
    }

    fn take(&mut self, prefix: &str, rest: &str, raw: Raw<'_>, directory: &mut Directory) -> Result<Vec<Body>, String> {
        if raw.payload.is_empty() {
            return Ok(Vec::new());
        }
        let json = Json::object(raw.payload)?;
        let device = device_id(PREFIX, prefix).ok_or("the topic has no prefix")?;
        let serial = json.string("serial").or_else(|| prefix.rsplit('/').next().map(str::to_owned)).unwrap_or_default();
        directory.claim(&serial, &device);
        let mut bodies = Vec::new();
        let axis = json.get("message").is_some();
        if self.described.len() < MAX_DEVICES && self.described.insert(device.clone()) {
            let make = if axis { "Axis" } else { "ONVIF" };
            let info = DeviceInfo { make: Some(make.to_owned()), model: Some("camera".to_owned()), ..DeviceInfo::default() };
            bodies.push(Body::Inventory(vec![DeviceInfo { device: Some(device.clone()), name: short(prefix.to_owned()), ..info }]));
        }
        let mut readings = Readings::default();
        // The camera's own birth and will, where the owner has set them so.
        if rest == "connection" {
            match json.get("connected").and_then(|c| c.scalar().state()) {
                Some(true) => readings.presence(Presence::Online),
                Some(false) => readings.presence(Presence::Offline),
                None => return Err("`connected` must be true or false".to_owned()),
            }
            bodies.push(readings.message(device, None, raw.retained)?);
            return Ok(bodies);
        }
        let (topic, source, data, time) = if axis {
            let message = json.get("message").filter(|m| m.is_object()).ok_or("`message` must be an object")?;
            let time = json.get("timestamp").and_then(Json::whole).and_then(|ms| i64::try_from(ms).ok());
            (json.string("topic").unwrap_or_else(|| rest.to_owned()), message.get("source"), message.get("data"), time)
        } else {
            (rest.to_owned(), json.get("Source"), json.get("Data"), json.string("UtcTime").and_then(|t| iso8601(&t)))
        };
        let (path, mut slot) = bare(&topic);
        for (_, value) in items(source) {
            if let Some(text) = value.scalar().number() {
                slot.push_str(text);
            }
        }
        self.read(&device, &path, &slot, &items(data), &mut readings)?;
        bodies.push(readings.message(device, time.filter(|ms| *ms >= OLDEST_CLOCK), raw.retained)?);
        Ok(bodies)
    }

    fn read(
        &mut self,
        device: &DeviceId,
        path: &str,
        slot: &str,
        data: &[(String, Json<'_>)],
        readings: &mut Readings,
    ) -> Result<(), String> {
        let Some((_, meaning)) = MEANINGS.iter().find(|(part, _)| path.contains(part)) else { return Ok(()) };
        let found = |names: &[&str]| data.iter().find(|(k, _)| names.iter().any(|n| n.eq_ignore_ascii_case(k))).map(|(_, v)| v.scalar());
        let on = || found(&STATES).or_else(|| data.first().map(|(_, v)| v.scalar())).as_ref().and_then(Scalar::state);
        let need = || on().ok_or_else(|| format!("{path}: no state in the data; it must be 0, 1, true or false"));
        // A camera with several pictures, regions or rules has a channel for each.
        let slot = format!("{path}/{slot}");
        match meaning {
            Meaning::State(quantity) => {
                let state = need()?;
                let channel = self.channels.of(device, quantity, &slot);
                readings.state(quantity.clone(), channel, state);
            }
            Meaning::Named(name) => {
                let state = need()?;
                let channel = self.channels.of(device, &Quantity::Siren, &format!("{name}/{slot}"));
                readings.named_state(name, channel, state);
            }
            Meaning::Event(name) => {
                if on() != Some(false) {
                    readings.named_event(name);
                }
            }
            Meaning::Count(quantity) => {
                let count = found(&["Count", "Occupancy", "Value"]).ok_or_else(|| format!("{path}: no count in the data"))?;
                let channel = self.channels.of(device, quantity, &slot);
                readings.add("Count", quantity.clone(), channel, &count, "");
            }
        }
        Ok(())
    }
}

/// The topic's levels without namespaces (`tns1:`, `tnsaxis:`, `tns:onvif`, `axis:`) up to the source, and the source's.
fn bare(topic: &str) -> (String, String) {
    let (mut path, mut source) = (String::new(), String::new());
    let mut at_source = false;
    for level in topic.split('/') {
        at_source |= level.starts_with(['&', '$']);
        let name = level.rsplit_once(':').map_or(level, |(_, name)| name);
        if name.is_empty() || (level.starts_with("tns:") && matches!(name, "onvif" | "axis")) {
            continue;
        }
        let into = if at_source { &mut source } else { &mut path };
        if !into.is_empty() {
            into.push('/');
        }
        into.push_str(name);
    }
    (path, source)
}

/// `{"Name":value}`, or ONVIF's own `{"SimpleItem":[{"Name":"..","Value":".."}]}`.
fn items(json: Option<Json<'_>>) -> Vec<(String, Json<'_>)> {
    let Some(json) = json else { return Vec::new() };
    let Some(list) = json.get("SimpleItem") else { return json.members().into_iter().map(|(k, v)| (k.into_owned(), v)).collect() };
    let list = if list.is_array() { list.elements() } else { vec![list] };
    list.into_iter().filter_map(|item| Some((item.string("Name")?, item.get("Value")?))).collect()
}

impl Decoder for Onvif {
    fn name(&self) -> &'static str {
        "onvif"
    }
    fn prefix(&self) -> &'static str {
        PREFIX
    }
    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded {
        let Some((prefix, rest)) = self.place(raw.topic) else { return Decoded::NotMine };
        if raw.payload.len() > MAX_PAYLOAD {
            return Decoded::Malformed(format!("the payload is longer than {MAX_PAYLOAD} bytes"));
        }
        self.take(prefix, rest, raw, directory).map_or_else(Decoded::Malformed, Decoded::Inputs)
    }
    fn owner(&self, topic: &str) -> Owner {
        self.place(topic).map_or(Owner::NotMine, |(prefix, _)| Owner::Mine(device_id(PREFIX, prefix)))
    }
    fn learn(&mut self, inventory: &[DeviceInfo], _: &mut Directory) {
        let own = inventory.iter().filter(|i| !i.removed && i.make.is_some()).filter_map(|i| i.device.clone());
        self.described.extend(own.filter(|d| d.as_str().starts_with(PREFIX)).take(MAX_DEVICES));
    }
}

#[cfg(test)]
mod tests;
