//! Hikvision's ISAPI events, `EventNotificationAlert` as XML, from cameras and recorders. Our own source (`ingest/hikvision.rs`) brings them as
//! `hikvision/<name>/alert`, what the device is as `hikvision/<name>/info`, whether it is connected as `hikvision/<name>/connection`, and what of a channel
//! was recorded as `hikvision/<name>/recording`; a bridge may publish the same XML anywhere.
//!
//! A recorder's channels are devices of their own, `hikvision.<name>.ch<N>`, through the recorder. An ongoing state is said again every second and
//! its end often not at all, but for the heartbeat that follows: what has not been said for ten seconds is over by then. A fire or smoke is over
//! only when the device says so. Faces, plates and pictures are passed over.
use super::ident::{device_id, short};
use super::readings::Readings;
use super::scalar::iso8601;
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::{Body, DeviceInfo};
use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::{DeviceId, Presence, Quantity};

const PREFIX: &str = "hikvision.";
/// Where our own source puts its messages.
pub const TOPIC: &str = "hikvision/";
/// An alert has 1 to 20 KiB, with regions and targets.
const MAX_PAYLOAD: usize = 64 << 10;
const MAX_DEVICES: usize = 1000;
/// An ongoing event is said again every second.
const OVER_AFTER_MS: i64 = 10_000;
/// 2020-01-01.
const OLDEST_CLOCK: i64 = 1_577_836_800_000;

#[derive(Default)]
pub struct Hikvision {
    described: BTreeSet<DeviceId>,
    /// Those with more than one channel.
    recorders: BTreeSet<DeviceId>,
    /// What is going on: by recorder, camera and state, when it was last said by the device's clock.
    ongoing: BTreeMap<(DeviceId, DeviceId, State), i64>,
}

/// A state that an event type stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Of(Quantity),
    /// An input's number.
    Input(u8),
    /// The recorder cannot record.
    NotRecording,
}

/// What our own source says of a channel's recordings: from when to when nothing was recorded.
#[derive(serde::Deserialize)]
struct Recorded {
    channel: u32,
    gaps: Vec<(i64, i64)>,
}

enum Meaning {
    State(State),
    /// Momentary, with the state that it lasts in.
    Event(&'static str, State),
    Nothing,
}

fn meaning(event: &str, input: u8) -> Meaning {
    let of = |quantity| Meaning::State(State::Of(quantity));
    match event {
        "vmd" | "motiondetection" | "pir" => of(Quantity::Motion),
        "linedetection" => Meaning::Event("line_crossed", State::Of(Quantity::Motion)),
        "fielddetection" | "regionentrance" => Meaning::Event("intrusion", State::Of(Quantity::Motion)),
        "loitering" => Meaning::Event("loitering", State::Of(Quantity::Motion)),
        "shelteralarm" | "tamperdetection" | "scenechangedetection" => of(Quantity::Tamper),
        "videoloss" | "videomismatch" | "diskfull" | "diskerror" | "hderror" | "hdfull" | "raidexception" | "nicbroken" | "ipconflict" => {
            of(Quantity::Fault)
        }
        "recordingfailure" | "recordexception" | "recordingexception" => Meaning::State(State::NotRecording),
        "io" => Meaning::State(State::Input(input)),
        "firedetection" | "smokeandfiredetection" => of(Quantity::Heat),
        "smokedetection" => of(Quantity::Smoke),
        "audiodetection" | "audioexception" => Meaning::Event("sound_detected", State::Of(Quantity::Vibration)),
        _ => Meaning::Nothing,
    }
}

impl State {
    /// Ends by itself when it is no longer said.
    fn fades(&self) -> bool {
        !matches!(self, State::Of(Quantity::Smoke | Quantity::Heat))
    }
    fn tell(&self, on: bool, readings: &mut Readings) {
        match self {
            // Only there to tell when a sound begins.
            State::Of(Quantity::Vibration) => {}
            State::Of(quantity) => readings.state(quantity.clone(), 0, on),
            State::Input(number) => readings.named_state("input", *number, on),
            State::NotRecording => readings.state(Quantity::Recording, 0, !on),
        }
    }
}

impl Hikvision {
    fn take(&mut self, name: &str, what: &str, raw: Raw<'_>, directory: &mut Directory) -> Result<Vec<Body>, String> {
        if raw.payload.is_empty() {
            return Ok(Vec::new());
        }
        let text = std::str::from_utf8(raw.payload).map_err(|_| "the payload is not UTF-8".to_owned())?;
        if what == "connection" {
            let mut readings = Readings::default();
            match text {
                "online" => readings.presence(Presence::Online),
                "offline" => readings.presence(Presence::Offline),
                _ => return Err("connection must be online or offline".to_owned()),
            }
            let device = device_id(PREFIX, name).ok_or("the source has no name")?;
            if text == "offline" {
                self.ongoing.retain(|(recorder, _, state), _| *recorder != device || !state.fades());
            }
            return Ok(vec![readings.message(device, None, raw.retained)?]);
        }
        if what == "recording" {
            return self.recorded(name, text, raw.retained);
        }
        // Without a document type definition, so nothing in it can be expanded.
        let document = Document::parse(text.trim_start()).map_err(|e| format!("the payload is no XML: {e}"))?;
        let root = document.root_element();
        match root.tag_name().name() {
            "EventNotificationAlert" => self.alert(name, root, raw.retained, directory),
            "DeviceInfo" => self.info(name, root, directory),
            other => Err(format!("the XML is a {other:?}; EventNotificationAlert and DeviceInfo are known")),
        }
    }

    /// What of a channel is on the recorder's own list.
    fn recorded(&mut self, name: &str, text: &str, retained: bool) -> Result<Vec<Body>, String> {
        let told: Recorded = serde_json::from_str(text).map_err(|e| format!("the payload does not say what was recorded: {e}"))?;
        let recorder = device_id(PREFIX, name).ok_or("the source has no name")?;
        let camera = device_id(PREFIX, &format!("{name}.ch{}", told.channel)).ok_or("the source has no name")?;
        if self.recorders.len() < MAX_DEVICES {
            self.recorders.insert(recorder.clone());
        }
        let mut bodies = Vec::new();
        if self.described.len() < MAX_DEVICES && self.described.insert(camera.clone()) {
            let (make, model, via) = (Some("Hikvision".to_owned()), Some("channel".to_owned()), Some(recorder.clone()));
            bodies.push(Body::Inventory(vec![DeviceInfo { device: Some(camera.clone()), make, model, via, ..DeviceInfo::default() }]));
        }
        // What is on the list is minutes old; that the recorder fails now is news.
        let fails = self.ongoing.contains_key(&(recorder, camera.clone(), State::NotRecording));
        let mut readings = Readings::default();
        readings.state(Quantity::Recording, 0, told.gaps.is_empty() && !fails);
        bodies.push(readings.message(camera, None, retained)?);
        Ok(bodies)
    }

    fn info(&mut self, name: &str, root: Node<'_, '_>, directory: &mut Directory) -> Result<Vec<Body>, String> {
        let device = device_id(PREFIX, name).ok_or("the source has no name")?;
        if let Some(mac) = field(root, "macAddress") {
            directory.claim(mac, &device);
        }
        let kind = field(root, "deviceType").unwrap_or_default();
        if matches!(kind, "NVR" | "DVR" | "hybirdNVR" | "HybridNVR") && self.recorders.len() < MAX_DEVICES {
            self.recorders.insert(device.clone());
        }
        self.described.insert(device.clone());
        let text = |key| field(root, key).map(str::to_owned).and_then(short);
        Ok(vec![Body::Inventory(vec![DeviceInfo {
            device: Some(device),
            name: text("deviceName"),
            make: Some("Hikvision".to_owned()),
            model: text("model"),
            firmware: text("firmwareVersion"),
            ..DeviceInfo::default()
        }])])
    }

    fn alert(&mut self, name: &str, root: Node<'_, '_>, retained: bool, directory: &mut Directory) -> Result<Vec<Body>, String> {
        let event = field(root, "eventType").ok_or("`eventType` is missing")?.to_ascii_lowercase();
        let active = match field(root, "eventState").unwrap_or("active") {
            "active" => true,
            "inactive" => false,
            other => return Err(format!("`eventState` is {other:?}; it must be active or inactive")),
        };
        let recorder = device_id(PREFIX, name).ok_or("the source has no name")?;
        let dynamic = field(root, "dynChannelID");
        let channel: u32 = dynamic.or(field(root, "channelID")).and_then(|c| c.parse().ok()).unwrap_or(0);
        if (channel > 1 || (dynamic.is_some() && field(root, "channelID").is_some())) && self.recorders.len() < MAX_DEVICES {
            self.recorders.insert(recorder.clone());
        }
        let camera = if channel > 0 && self.recorders.contains(&recorder) {
            device_id(PREFIX, &format!("{name}.ch{channel}")).ok_or("the source has no name")?
        } else {
            recorder.clone()
        };
        let time = field(root, "dateTime").unwrap_or_default();
        let now = iso8601(time);
        let mut bodies = Vec::new();
        let mut inventory = Vec::new();
        // The last four characters of a time with a zone are its minutes, or it ends with a Z.
        let zoned = time.get(19..).is_some_and(|z| z.contains(['+', '-', 'Z']));
        for (id, via) in [(&recorder, None), (&camera, Some(recorder.clone()))] {
            if self.described.len() < MAX_DEVICES && !self.described.contains(id) {
                self.described.insert(id.clone());
                let (make, via) = (Some("Hikvision".to_owned()), via.filter(|v| v != id));
                let model = Some(if via.is_some() { "channel" } else { "camera or recorder" }.to_owned());
                let name = field(root, "channelName").filter(|_| *id == camera).map(str::to_owned).and_then(short);
                inventory.push(DeviceInfo { device: Some(id.clone()), name, make, model, via, ..DeviceInfo::default() });
            }
        }
        // A recorder gives the camera's own address; that of a camera is its own.
        if let Some(mac) = field(root, "macAddress").filter(|_| camera == recorder) {
            directory.claim(mac, &recorder);
        }
        if !inventory.is_empty() {
            bodies.push(Body::Inventory(inventory));
        }
        let input = field(root, "inputIOPortID").and_then(|n| n.parse::<u8>().ok()).unwrap_or(1).saturating_sub(1);
        let heartbeat = event == "heartbeat" || (event == "videoloss" && !active);
        if let (true, Some(now)) = (heartbeat, now) {
            bodies.extend(self.fade(&recorder, now, retained));
        }
        let mut readings = Readings::default();
        let (state, news) = match meaning(&event, input) {
            Meaning::Nothing => return Ok(bodies),
            Meaning::State(state) => (state, None),
            Meaning::Event(name, state) => (state, Some(name)),
        };
        let key = (recorder.clone(), camera.clone(), state.clone());
        if active {
            let known = self.ongoing.contains_key(&key);
            if known || self.ongoing.len() < MAX_DEVICES {
                self.ongoing.insert(key, now.unwrap_or(0));
            }
            if !known {
                state.tell(true, &mut readings);
                if let Some(name) = news {
                    readings.named_event(name);
                }
            }
        } else if self.ongoing.remove(&key).is_some() || (!heartbeat && news.is_none()) {
            state.tell(false, &mut readings);
        }
        if !readings.is_empty() {
            bodies.push(readings.message(camera, now.filter(|ms| zoned && *ms >= OLDEST_CLOCK), retained)?);
        }
        Ok(bodies)
    }

    /// What was not said again is over.
    fn fade(&mut self, recorder: &DeviceId, now: i64, retained: bool) -> Vec<Body> {
        let mut over: BTreeMap<DeviceId, Readings> = BTreeMap::new();
        self.ongoing.retain(|(r, camera, state), last| {
            // A clock that was set back counts as well: the event would last until it has caught up.
            let ongoing = r != recorder || !state.fades() || (now - *last).abs() < OVER_AFTER_MS;
            if !ongoing {
                state.tell(false, over.entry(camera.clone()).or_default());
            }
            ongoing
        });
        over.into_iter().filter(|(_, r)| !r.is_empty()).filter_map(|(camera, r)| r.message(camera, None, retained).ok()).collect()
    }
}

/// The text of a direct child, in whatever namespace.
fn field<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.children().find(|c| c.tag_name().name() == name)?.text().map(str::trim).filter(|t| !t.is_empty())
}

impl Decoder for Hikvision {
    fn name(&self) -> &'static str {
        "hikvision"
    }
    fn prefix(&self) -> &'static str {
        PREFIX
    }
    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded {
        let own = raw
            .topic
            .strip_prefix(TOPIC)
            .and_then(|r| r.split_once('/'))
            .filter(|(_, w)| matches!(*w, "alert" | "info" | "connection" | "recording"));
        let (name, what) = match own {
            Some(place) => place,
            None => {
                let start = raw.payload.get(..raw.payload.len().min(300)).unwrap_or_default();
                if !start.windows(23).any(|w| w == b"<EventNotificationAlert") {
                    return Decoded::NotMine;
                }
                (raw.topic, "alert")
            }
        };
        if raw.payload.len() > MAX_PAYLOAD {
            return Decoded::Malformed(format!("the payload is longer than {MAX_PAYLOAD} bytes"));
        }
        self.take(name, what, raw, directory).map_or_else(Decoded::Malformed, Decoded::Inputs)
    }
    fn owner(&self, topic: &str) -> Owner {
        match topic.strip_prefix(TOPIC).and_then(|r| r.split_once('/')) {
            Some((name, "alert" | "info" | "connection" | "recording")) => Owner::Mine(device_id(PREFIX, name)),
            _ => Owner::NotMine,
        }
    }
}

#[cfg(test)]
mod tests;
