//! Frigate, a recorder with object detection: `<base>/reviews` or, from versions before 0.14, `<base>/events`; `<base>/<camera>/<object>` counts,
//! `<camera>/motion`, `<camera>/.../state`; `<base>/available` and `<base>/stats`.
//!
//! What must hold: that somebody is there is told once, by reviews where there are any; who it is never. Of a message only the camera, whether a
//! person is meant, and times are read: no sub-label, no face, no plate, no picture goes any further.
//! Format: <https://docs.frigate.video/integrations/mqtt/> (version 0.16).
use super::ident::{device_id, short};
use super::json::Json;
use super::readings::Readings;
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::{Body, DeviceInfo};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::decimal::Decimal;
use tuoan_protocol::{DeviceId, Presence, Quantity};

const PREFIX: &str = "frigate.";
/// `stats` of a large server has some 30 KiB; an event with its snapshot's path a few.
const MAX_PAYLOAD: usize = 256 << 10;
const MAX_SERVERS: usize = 16;
const MAX_CAMERAS: usize = 256;
/// People whose end is awaited, of one server.
const MAX_ONGOING: usize = 512;
/// Sounds that Frigate's classifier names and that matter here, as kept.
const SOUNDS: [&str; 8] = ["crying", "scream", "yell", "glass", "shatter", "fire_alarm", "smoke_detector", "bark"];

#[derive(Default)]
pub struct Frigate {
    servers: BTreeMap<String, Server>,
}

#[derive(Default)]
struct Server {
    cameras: BTreeSet<String>,
    /// Counts of names that may turn out to be cameras: they are retained, so they come before anything else does.
    counts: BTreeMap<String, String>,
    /// Reviews are heard, so events say nothing new.
    reviews: bool,
    /// Reviews or events with a person in them that have not ended, with their camera.
    ongoing: BTreeMap<String, String>,
}

/// Not told by a camera's name.
const OF_THE_SERVER: [&str; 16] = [
    "available",
    "stats",
    "reviews",
    "events",
    "restart",
    "tracked_object_update",
    "triggers",
    "notifications",
    "camera_activity",
    "onConnect",
    "model_state",
    "embeddings_reindex_progress",
    "birdseye_layout",
    "audio_transcription_state",
    "job_state",
    "profile",
];

/// Whether the name alone says that it is a base topic.
pub(crate) fn is_base(level: &str) -> bool {
    level.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("frigate"))
}

/// The device that a camera of this base is.
pub(crate) fn camera_id(base: &str, camera: &str) -> Option<DeviceId> {
    Server::camera(&device_id(PREFIX, base)?, camera).ok()
}

impl Frigate {
    /// The base topic and what follows: by its name, or once a review or event was heard there.
    fn place<'a>(&self, topic: &'a str) -> Option<(&'a str, &'a str)> {
        if let Some((base, _)) = self.servers.iter().find(|(base, _)| topic.strip_prefix(base.as_str()).is_some_and(|r| r.starts_with('/')))
        {
            return Some((topic.get(..base.len())?, topic.get(base.len() + 1..)?));
        }
        let (base, rest) = topic.split_once('/')?;
        is_base(base).then_some((base, rest))
    }

    fn server(&mut self, base: &str) -> Option<&mut Server> {
        if self.servers.len() >= MAX_SERVERS && !self.servers.contains_key(base) {
            return None;
        }
        Some(self.servers.entry(base.to_owned()).or_default())
    }

    fn take(&mut self, base: &str, rest: &str, raw: Raw<'_>) -> Result<Vec<Body>, String> {
        let id = device_id(PREFIX, base).ok_or("the topic has no base")?;
        let Some(server) = self.server(base) else { return Err(format!("more than {MAX_SERVERS} Frigate servers")) };
        let levels: Vec<&str> = rest.split('/').collect();
        let text = || std::str::from_utf8(raw.payload).map(str::trim).map_err(|_| "the payload is not UTF-8".to_owned());
        match levels.as_slice() {
            // Pictures, and what is said of who was seen.
            [.., "snapshot" | "thumbnail"] | ["tracked_object_update"] => Ok(Vec::new()),
            _ if raw.payload.is_empty() => Ok(Vec::new()),
            _ if raw.payload.len() > MAX_PAYLOAD => Err(format!("the payload is longer than {MAX_PAYLOAD} bytes")),
            ["available"] => {
                let presence = presence(text()?).ok_or("available must be online or offline")?;
                if presence == Presence::Offline {
                    // It will not tell how these end.
                    server.ongoing.clear();
                }
                let mut readings = Readings::default();
                readings.presence(presence);
                Ok(vec![readings.message(id, None, raw.retained)?])
            }
            ["stats"] => server.stats(&id, Json::object(raw.payload)?, raw.retained),
            ["reviews"] => server.review(&id, Json::object(raw.payload)?, raw.retained),
            ["events"] => server.event(&id, Json::object(raw.payload)?, raw.retained),
            [first, ..] if OF_THE_SERVER.contains(first) => Ok(Vec::new()),
            [camera, "motion"] => {
                let on = state(text()?).ok_or("motion must be ON or OFF")?;
                server.of_camera(&id, camera, raw.retained, |r| r.state(Quantity::Motion, 0, on))
            }
            [camera, "status", "detect"] => match presence(text()?) {
                Some(p) => server.of_camera(&id, camera, raw.retained, |r| r.presence(p)),
                None => server.of_camera(&id, camera, raw.retained, |_| {}),
            },
            [camera, "recordings", "state"] => {
                let on = state(text()?).ok_or("recordings/state must be ON or OFF")?;
                server.of_camera(&id, camera, raw.retained, |r| r.state(Quantity::Recording, 0, on))
            }
            [camera, "audio", sound] if SOUNDS.contains(sound) => {
                let on = state(text()?) == Some(true);
                server.of_camera(&id, camera, raw.retained, |r| {
                    if on {
                        r.named_event(sound);
                    }
                })
            }
            [camera, _, "state" | "set"] => {
                server.note(camera);
                Ok(Vec::new())
            }
            [name, "person"] => {
                let count = text()?;
                if count.parse::<u32>().is_err() {
                    return Err("a count must be a whole number".to_owned());
                }
                if server.cameras.contains(*name) {
                    return server.of_camera(&id, name, raw.retained, |_| {}).map(|_| server.count(&id, name, count, raw.retained));
                }
                // A camera or one of its zones.
                if server.counts.len() < MAX_CAMERAS || server.counts.contains_key(*name) {
                    server.counts.insert((*name).to_owned(), count.to_owned());
                }
                Ok(Vec::new())
            }
            // Counts of other objects, settings, the review's severity.
            _ => Ok(Vec::new()),
        }
    }
}

impl Server {
    /// What is now known to be a camera, and what was heard of it before that was known.
    fn note(&mut self, camera: &str) -> bool {
        self.cameras.len() < MAX_CAMERAS && self.cameras.insert(camera.to_owned())
    }

    fn camera(id: &DeviceId, camera: &str) -> Result<DeviceId, String> {
        let base = id.as_str().strip_prefix(PREFIX).unwrap_or_default();
        device_id(PREFIX, &format!("{base}.{camera}")).ok_or_else(|| "the camera has no name".to_owned())
    }

    fn describe(id: &DeviceId, camera: &str) -> Result<DeviceInfo, String> {
        Ok(DeviceInfo {
            device: Some(Self::camera(id, camera)?),
            name: short(camera.to_owned()),
            make: Some("Frigate".to_owned()),
            model: Some("camera".to_owned()),
            quantities: vec![Quantity::Presence, Quantity::People, Quantity::Motion, Quantity::Recording],
            via: Some(id.clone()),
            ..DeviceInfo::default()
        })
    }

    /// A camera's message, and its description when it is new.
    fn of_camera(&mut self, id: &DeviceId, camera: &str, retained: bool, add: impl FnOnce(&mut Readings)) -> Result<Vec<Body>, String> {
        self.told(id, camera, None, retained, add)
    }

    fn told(
        &mut self,
        id: &DeviceId,
        camera: &str,
        sampled_at: Option<i64>,
        retained: bool,
        add: impl FnOnce(&mut Readings),
    ) -> Result<Vec<Body>, String> {
        let mut readings = Readings::default();
        add(&mut readings);
        let mut bodies = Vec::new();
        if self.note(camera) {
            bodies.push(Body::Inventory(vec![Self::describe(id, camera)?]));
            if let Some(count) = self.counts.remove(camera) {
                bodies.extend(self.count(id, camera, &count, true));
            }
        }
        bodies.push(readings.message(Self::camera(id, camera)?, sampled_at, retained)?);
        Ok(bodies)
    }

    fn count(&mut self, id: &DeviceId, camera: &str, count: &str, retained: bool) -> Vec<Body> {
        let mut readings = Readings::default();
        readings.add("person", Quantity::People, 0, &super::scalar::Scalar::of(count), "");
        Self::camera(id, camera).and_then(|device| readings.message(device, None, retained)).into_iter().collect()
    }

    fn stats(&mut self, id: &DeviceId, stats: Json<'_>, retained: bool) -> Result<Vec<Body>, String> {
        let mut inventory = vec![DeviceInfo {
            device: Some(id.clone()),
            make: Some("Frigate".to_owned()),
            model: Some("recorder".to_owned()),
            firmware: stats.at(&["service", "version"]).and_then(Json::text).and_then(|v| short(v.into_owned())),
            ..DeviceInfo::default()
        }];
        let mut messages = vec![Readings::default().message(id.clone(), None, retained)?];
        // Before version 0.12 the cameras stood among everything else.
        for (camera, figures) in stats.get("cameras").unwrap_or(stats).members().into_iter().take(MAX_CAMERAS) {
            let Some(fps) = figures.get("camera_fps").and_then(|f| Decimal::parse(f.scalar().number()?).ok()) else { continue };
            let mut readings = Readings::default();
            // No pictures come: the camera or its line is gone, whatever the recorder says of itself.
            readings.presence(if fps.mantissa > 0 { Presence::Online } else { Presence::Offline });
            if self.note(&camera) {
                inventory.push(Self::describe(id, &camera)?);
                if let Some(count) = self.counts.remove(camera.as_ref()) {
                    messages.extend(self.count(id, &camera, &count, true));
                }
            }
            messages.push(readings.message(Self::camera(id, &camera)?, None, retained)?);
        }
        messages.insert(0, Body::Inventory(inventory));
        Ok(messages)
    }

    fn review(&mut self, id: &DeviceId, review: Json<'_>, retained: bool) -> Result<Vec<Body>, String> {
        if !self.reviews {
            self.reviews = true;
            // What events began, reviews end.
            self.ongoing.clear();
        }
        let (kind, after, camera, item) = parts(review)?;
        let list = |key: &str| after.at(&["data", key]).map(Json::elements).unwrap_or_default();
        let person = list("objects").into_iter().filter_map(Json::text).any(|o| o == "person" || o.starts_with("person-"));
        let known = review.at(&["before", "data", "audio"]).map(Json::elements).unwrap_or_default();
        let known: Vec<_> = known.into_iter().filter_map(Json::text).collect();
        let sounds: Vec<&str> = list("audio")
            .into_iter()
            .filter_map(Json::text)
            .filter_map(|heard| SOUNDS.into_iter().find(|s| *s == heard))
            .filter(|s| kind == "new" || !known.iter().any(|k| k == s))
            .collect();
        let presence = self.follow(&kind, &item, &camera, person);
        let time = if kind == "new" { seconds(after.get("start_time")) } else { None };
        self.told(id, &camera, time, retained, |r| {
            if let Some(on) = presence {
                r.state(Quantity::Presence, 0, on);
            }
            sounds.into_iter().for_each(|s| r.named_event(s));
        })
    }

    fn event(&mut self, id: &DeviceId, event: Json<'_>, retained: bool) -> Result<Vec<Body>, String> {
        let (kind, after, camera, item) = parts(event)?;
        if self.reviews {
            return Ok(Vec::new());
        }
        let label = after.string("label").unwrap_or_default();
        let real = after.get("false_positive").and_then(|f| f.scalar().state()) != Some(true);
        let presence = self.follow(&kind, &item, &camera, label == "person" && real);
        let sound = SOUNDS.into_iter().find(|s| *s == label).filter(|_| kind == "new" && real);
        self.told(id, &camera, seconds(after.get("frame_time")), retained, |r| {
            if let Some(on) = presence {
                r.state(Quantity::Presence, 0, on);
            }
            if let Some(sound) = sound {
                r.named_event(sound);
            }
        })
    }

    /// Whether somebody is before the camera, where this review or event says so: the last one's end means nobody is.
    fn follow(&mut self, kind: &str, item: &str, camera: &str, person: bool) -> Option<bool> {
        if kind == "end" {
            // An end whose beginning was before our start counts too.
            let mattered = self.ongoing.remove(item).is_some() || person;
            return (mattered && !self.ongoing.values().any(|c| c == camera)).then_some(false);
        }
        if !person {
            // It was none after all.
            let mattered = self.ongoing.remove(item).is_some();
            return (mattered && !self.ongoing.values().any(|c| c == camera)).then_some(false);
        }
        if self.ongoing.len() < MAX_ONGOING || self.ongoing.contains_key(item) {
            self.ongoing.insert(item.to_owned(), camera.to_owned());
        }
        Some(true)
    }
}

/// Type, what it is now, camera and id of a review or event.
fn parts(json: Json<'_>) -> Result<(String, Json<'_>, String, String), String> {
    let kind = json.string("type").filter(|t| matches!(t.as_str(), "new" | "update" | "end"));
    let after = json.get("after").filter(|a| a.is_object()).ok_or("`after` must be an object")?;
    Ok((
        kind.ok_or("`type` must be new, update or end")?,
        after,
        after.string("camera").ok_or("`after.camera` is missing")?,
        after.string("id").ok_or("`after.id` is missing")?,
    ))
}

fn seconds(json: Option<Json<'_>>) -> Option<i64> {
    Decimal::parse(json?.scalar().number()?).ok()?.to_fixed(3).ok().map(|f| f.0).filter(|ms| *ms >= 0)
}

fn state(text: &str) -> Option<bool> {
    super::scalar::Scalar::of(text).state()
}

fn presence(text: &str) -> Option<Presence> {
    match text {
        "online" => Some(Presence::Online),
        "offline" => Some(Presence::Offline),
        _ => None,
    }
}

impl Decoder for Frigate {
    fn name(&self) -> &'static str {
        "frigate"
    }
    fn prefix(&self) -> &'static str {
        PREFIX
    }
    fn decode(&mut self, raw: Raw<'_>, _: &mut Directory) -> Decoded {
        let own = self.place(raw.topic).map(|(base, rest)| (base.to_owned(), rest));
        let (base, rest) = match own {
            Some(place) => place,
            // A base of the owner's own gives itself away by what it says.
            None => match raw.topic.rsplit_once('/') {
                Some((base, rest @ ("reviews" | "events")))
                    if raw.payload.len() <= MAX_PAYLOAD && Json::object(raw.payload).is_ok_and(|j| parts(j).is_ok()) =>
                {
                    (base.to_owned(), rest)
                }
                _ => return Decoded::NotMine,
            },
        };
        self.take(&base, rest, raw).map_or_else(Decoded::Malformed, Decoded::Inputs)
    }
    fn owner(&self, topic: &str) -> Owner {
        let Some((base, rest)) = self.place(topic) else { return Owner::NotMine };
        let camera = rest.split('/').next().filter(|first| self.servers.get(base).is_some_and(|s| s.cameras.contains(*first)));
        Owner::Mine(match camera {
            Some(camera) => device_id(PREFIX, &format!("{base}.{camera}")),
            None => device_id(PREFIX, base).filter(|_| OF_THE_SERVER.iter().any(|s| rest.starts_with(s))),
        })
    }
    fn learn(&mut self, inventory: &[DeviceInfo], _: &mut Directory) {
        for info in inventory.iter().filter(|i| !i.removed) {
            let (Some(device), Some(via), Some(name)) = (&info.device, &info.via, &info.name) else { continue };
            let Some(base) = via.as_str().strip_prefix(PREFIX).filter(|b| device.as_str().starts_with(PREFIX) && !b.contains('~')) else {
                continue;
            };
            if let Some(server) = self.server(base) {
                server.note(name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
