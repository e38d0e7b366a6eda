//! What the cameras of a zone show together, as messages to the engine.
//!
//! Every zone that a camera shows speaks by a device of its own, `vision.<zone>`; each camera's own device says whether it sees. They are inputs of the
//! log like any sensor's: a replay needs no picture. This file has no clock and no queue: the caller tells it what each camera sees and what blinds it,
//! and asks about once a second what is to be said.
//!
//! | what | how cameras of one zone agree |
//! |---|---|
//! | numbers | at least what one of them is sure of, likely what the one that sees most says, at most all of them together |
//! | signs | yes when any says so; an adult whom any of them sees looks after a child whom another sees; how a sleeper lies is seen when one sees it |
//! | a camera that is blind, or has not been looked at for [`SILENT_MS`] | takes no part; while any does not, nobody is held to be absent and no carer to be missing |
//! | none of them sees | [`Item::Unknown`] once, of all that was said; then nothing |
//!
//! Everything is said in each message, so that a lost one is made up for by the next. A message goes out when a state changes or a number begins or ends
//! to be zero, at once; when another number changes, after [`SETTLE_MS`] at the earliest; and every [`VISION_HEARTBEAT_MS`]. A quiet zone and a camera
//! say 2880 messages a day each; a zone in which the count never rests 8640.
use crate::engine::eyes::{BLINDNESS, takes_sight};
use crate::engine::schedule::Phase;
use crate::engine::site::{AgeGroup, Class, Site};
use crate::engine::view::{Freshness, View};
use crate::engine::{Item, Message, VISION_HEARTBEAT_MS};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::{DeviceId, Fixed, Quantity};
use tuoan_vision::integrity::{Blindness, Context};
use tuoan_vision::scene::{Answer, Count, Sign, ZoneFacts, ZoneSight};

/// A camera whose frames were not looked at for so long shows nothing any more: four frames of the slowest rate.
pub const SILENT_MS: i64 = 20_000;
/// A number that only wavers is said no more often than this.
pub const SETTLE_MS: i64 = 10_000;
/// Whether a camera sees must be said to us anew within this, or we do not say it on: its silence is then an incident.
const STALE_MS: i64 = 10_000;

/// The state by which the engine is told of a sign.
pub fn quantity_of(sign: Sign) -> Quantity {
    match sign {
        Sign::Unattended => Quantity::Unattended,
        Sign::Fallen => Quantity::Fallen,
        Sign::Climbing => Quantity::Climbing,
        Sign::Intrusion => Quantity::Intrusion,
        Sign::Prone => Quantity::Prone,
        Sign::FaceCovered => Quantity::FaceCovered,
        Sign::NapUnseen => Quantity::NapUnseen,
        Sign::EBike => Quantity::EBike,
        Sign::Crowded => Quantity::Crowded,
    }
}

/// The state by which the engine is told of a kind of blindness.
pub fn quantity_of_blindness(kind: Blindness) -> Quantity {
    match kind {
        Blindness::Offline => Quantity::CameraOffline,
        Blindness::Covered => Quantity::CameraCovered,
        Blindness::TooDark => Quantity::CameraDark,
        Blindness::OverExposed => Quantity::CameraOverexposed,
        Blindness::Defocused => Quantity::CameraDefocused,
        Blindness::Moved => Quantity::CameraMoved,
        Blindness::Frozen => Quantity::CameraFrozen,
        Blindness::Looped => Quantity::CameraLooped,
        Blindness::WrongClock => Quantity::CameraClock,
        Blindness::LowResolution => Quantity::CameraLowResolution,
        Blindness::LowRate => Quantity::CameraLowRate,
    }
}

const SIGNS: [Sign; 9] = [
    Sign::Unattended,
    Sign::Fallen,
    Sign::Climbing,
    Sign::Intrusion,
    Sign::Prone,
    Sign::FaceCovered,
    Sign::NapUnseen,
    Sign::EBike,
    Sign::Crowded,
];

/// What the site's hours say of each zone, for the scenes. By a clock that is not trusted it may be nap time wherever children nap.
pub fn facts(site: &Site, view: &View) -> Vec<ZoneFacts> {
    let zones = site.zones.iter().zip(&view.zones);
    zones
        .map(|(zone, v)| ZoneFacts {
            zone: zone.id.to_string(),
            nap: v.phase == Phase::Nap || !view.clock_trusted && site.classes_of(zone).any(|c| c.nap.is_some()),
            infants: site.age_groups(zone).contains(&AgeGroup::Infant),
            staff: v.phase != Phase::Closed,
        })
        .collect()
}

/// What the site's hours say of where a camera hangs, for the checks of its picture.
pub fn context(site: &Site, view: &View, camera: &DeviceId) -> Context {
    let zone = site.devices.iter().find(|d| d.id == *camera).map(|d| &d.zone);
    let care_hours = view.zones.iter().find(|z| Some(&z.id) == zone).is_none_or(|z| z.phase.has_children());
    let nap = facts(site, view).iter().any(|f| zone.is_some_and(|z| f.zone == z.as_str()) && f.nap);
    Context { care_hours, nap }
}

/// What was said of each quantity; `None`: that nobody can tell.
type Said = BTreeMap<Quantity, Option<i64>>;

/// The cameras and the zones that they show.
#[derive(Debug)]
pub struct Fusion {
    cameras: BTreeMap<DeviceId, Camera>,
    zones: Vec<Zone>,
    recalled: bool,
}

#[derive(Debug, Default)]
struct Camera {
    /// When it was last looked at, and what it showed then, by zone.
    seen_ms: Option<i64>,
    sights: BTreeMap<String, ZoneSight>,
    /// When it was last said whether it sees, and what blinds it.
    checked_ms: Option<i64>,
    blind: BTreeSet<Quantity>,
    voice: Voice,
}

impl Camera {
    fn sees(&self, at_ms: i64) -> bool {
        self.seen_ms.is_some_and(|t| at_ms.saturating_sub(t) < SILENT_MS) && !self.blind.iter().any(takes_sight)
    }
}

#[derive(Debug)]
struct Zone {
    id: String,
    device: DeviceId,
    cameras: Vec<DeviceId>,
    /// Children for each carer; of several classes the most, since nobody can tell whose children they are.
    per_carer: Option<u16>,
    voice: Voice,
}

/// What was said last, and when.
#[derive(Debug, Default)]
struct Voice {
    said: Said,
    at_ms: Option<i64>,
}

impl Voice {
    /// The message that is due when `now` is so.
    fn say(&mut self, device: &DeviceId, now: Said, at_ms: i64) -> Option<Message> {
        let since = self.at_ms.map(|t| at_ms.saturating_sub(t));
        let changed = now != self.said;
        let tells = now.values().any(Option::is_some);
        let due = match since {
            // At the start: what is seen, or what was believed and is not seen now.
            None => tells || changed,
            Some(since) => changed && (since >= SETTLE_MS || weighs(&self.said, &now)) || tells && since >= VISION_HEARTBEAT_MS,
        };
        if !due {
            return None;
        }
        let item = |(quantity, value): (&Quantity, &Option<i64>)| match value {
            Some(value) => Item::Reading { quantity: quantity.clone(), channel: 0, value: Fixed(*value) },
            None => Item::Unknown { quantity: quantity.clone(), channel: 0 },
        };
        let items = now.iter().map(item).collect();
        (self.said, self.at_ms) = (now, Some(at_ms));
        Some(Message { device: device.clone(), boot: None, seq: None, sampled_at: None, retained: false, items })
    }
}

/// A change that cannot wait: a state, whether anything can be told, whether there is anybody.
fn weighs(before: &Said, now: &Said) -> bool {
    let kind = |q: &Quantity, v: Option<&Option<i64>>| v.copied().flatten().map(|n| if q.is_state() { n } else { n.min(1) });
    before.keys().chain(now.keys()).any(|q| kind(q, before.get(q)) != kind(q, now.get(q)))
}

impl Fusion {
    pub fn new(site: &Site) -> Fusion {
        let devices = site.cameras.iter().filter_map(|c| DeviceId::new(&c.device).ok());
        let zones = site.eyes().map(|(device, zone)| {
            let shows = site.cameras.iter().filter(|c| site.zones_of(c).any(|z| z.id == zone.id));
            Zone {
                id: zone.id.to_string(),
                device,
                cameras: shows.filter_map(|c| DeviceId::new(&c.device).ok()).collect(),
                per_carer: site.classes_of(zone).map(Class::children_per_carer).max(),
                voice: Voice::default(),
            }
        });
        Fusion { zones: zones.collect(), cameras: devices.map(|d| (d, Camera::default())).collect(), recalled: false }
    }

    /// What the engine still believes of an earlier run or set-up, to be taken back where it cannot be told any more: a state once said stands as long as
    /// its device speaks. Only the first view that knows the site counts.
    pub fn recall(&mut self, view: &View) {
        if self.recalled || view.zones.is_empty() {
            return;
        }
        self.recalled = true;
        for zone in &mut self.zones {
            let sensors = view.zones.iter().flat_map(|z| &z.sensors).filter(|s| s.device == zone.device);
            for s in sensors {
                let believed = (!matches!(s.freshness, Freshness::Lost { .. })).then_some(s.value.0);
                zone.voice.said.entry(s.quantity.clone()).or_insert(believed);
            }
        }
    }

    /// A frame of the camera was looked at, at `at_ms` (any clock that does not go back). What it shows stands until it is looked at again.
    pub fn see(&mut self, camera: &DeviceId, at_ms: i64, sights: Vec<ZoneSight>) {
        let Some(c) = self.cameras.get_mut(camera) else { return };
        c.seen_ms = c.seen_ms.max(Some(at_ms));
        c.sights = sights.into_iter().map(|s| (s.zone.clone(), s)).collect();
    }

    /// A frame came that was not looked at because nothing has moved in it.
    pub fn stands(&mut self, camera: &DeviceId, at_ms: i64) {
        if let Some(c) = self.cameras.get_mut(camera).filter(|c| c.seen_ms.is_some()) {
            c.seen_ms = c.seen_ms.max(Some(at_ms));
        }
    }

    /// In which ways the camera does not see; to be said of each about once a second.
    pub fn blind(&mut self, camera: &DeviceId, at_ms: i64, kinds: impl IntoIterator<Item = Blindness>) {
        let Some(c) = self.cameras.get_mut(camera) else { return };
        c.checked_ms = Some(at_ms);
        c.blind = kinds.into_iter().map(quantity_of_blindness).collect();
    }

    /// What is to be said now, cameras first. To be asked after each frame, and about once a second.
    pub fn due(&mut self, at_ms: i64) -> Vec<Message> {
        let mut out = Vec::new();
        for (device, c) in &mut self.cameras {
            if c.checked_ms.is_some_and(|t| at_ms.saturating_sub(t) < STALE_MS) {
                let now = BLINDNESS.iter().map(|q| (q.clone(), Some(i64::from(c.blind.contains(q))))).collect();
                out.extend(c.voice.say(device, now, at_ms));
            }
        }
        for zone in &mut self.zones {
            let mut now = zone.told(&self.cameras, at_ms);
            // What was said once is taken back when it cannot be told any more.
            for q in zone.voice.said.keys() {
                now.entry(q.clone()).or_insert(None);
            }
            out.extend(zone.voice.say(&zone.device, now, at_ms));
        }
        out
    }
}

impl Zone {
    /// What can be told of it at that time.
    fn told(&self, cameras: &BTreeMap<DeviceId, Camera>, at_ms: i64) -> Said {
        let here: Vec<(bool, Option<&ZoneSight>)> =
            self.cameras.iter().filter_map(|id| cameras.get(id)).map(|c| (c.sees(at_ms), c.sights.get(&self.id))).collect();
        let seen: Vec<&ZoneSight> = here.iter().filter(|(sees, _)| *sees).filter_map(|(_, s)| *s).collect();
        let mut said = Said::new();
        if seen.is_empty() {
            return said;
        }
        let whole = seen.len() == here.len();
        let people = together(seen.iter().map(|s| s.people));
        if people.likely > 0 || whole && people.high == 0 {
            said.insert(Quantity::People, Some(people.likely.into()));
            said.insert(Quantity::Presence, Some(i64::from(people.likely > 0)));
        }
        let capped = seen.iter().any(|s| s.at_least);
        said.insert(Quantity::CountCapped, Some(i64::from(capped)));
        // People whom an uncalibrated camera sees may be of any age: of them "none" cannot be said, and "some" is right as far as it goes.
        let ageless = seen.iter().any(|s| s.people.high > 0 && (s.adults.is_none() || s.children.is_none()));
        let calibrated = seen.iter().any(|s| s.adults.is_some());
        let adults = together(seen.iter().filter_map(|s| s.adults));
        let children = together(seen.iter().filter_map(|s| s.children));
        for (quantity, count) in [(Quantity::Adults, adults), (Quantity::Children, children)] {
            if calibrated && (count.likely > 0 || !ageless) {
                said.insert(quantity, Some(count.likely.into()));
            }
        }
        if let Some(per_carer) = self.per_carer.filter(|_| calibrated && whole && !capped && !ageless) {
            // Missing only if it is so by the luckiest reading: the fewest children that are sure, all adults that may be.
            let needed = children.low.div_ceil(per_carer.max(1));
            said.insert(Quantity::CarersMissing, Some(needed.saturating_sub(adults.high).into()));
        }
        for sign in SIGNS {
            let quantity = quantity_of(sign);
            match answer(sign, &here) {
                Some(Answer::Yes) => said.insert(quantity, Some(1)),
                Some(Answer::No) => said.insert(quantity, Some(0)),
                Some(Answer::CannotTell) => None,
                // It does not apply here now; what it was is over.
                None if self.voice.said.contains_key(&quantity) => said.insert(quantity, Some(0)),
                None => None,
            };
        }
        said
    }
}

/// One count of several cameras that show the same place, from different sides or in parts.
fn together(counts: impl Iterator<Item = Count>) -> Count {
    counts.fold(Count::default(), |a, b| Count {
        low: a.low.max(b.low),
        likely: a.likely.max(b.likely),
        high: a.high.saturating_add(b.high),
    })
}

/// What the cameras say of a sign; `None` when it applies nowhere. Of those that do not see, what they showed last is given.
fn answer(sign: Sign, here: &[(bool, Option<&ZoneSight>)]) -> Option<Answer> {
    let by = |s: &ZoneSight| s.signs.get(&sign).copied();
    let seen = || here.iter().filter(|(sees, _)| *sees).filter_map(|(_, s)| *s);
    let any = |wanted: Answer| seen().any(|s| by(s) == Some(wanted));
    if seen().any(|s| by(s).is_some()) {
        match sign {
            Sign::Unattended if seen().any(|s| s.adults.is_some_and(|a| a.likely > 0)) => return Some(Answer::No),
            // Someone whose age another camera cannot tell may be the carer.
            Sign::Unattended if any(Answer::Yes) && seen().any(|s| by(s) != Some(Answer::Yes) && may_be_adult(s)) => {
                return Some(Answer::CannotTell);
            }
            // Seen by one is seen.
            Sign::NapUnseen if any(Answer::No) => return Some(Answer::No),
            _ => {}
        }
    }
    if any(Answer::Yes) {
        return Some(Answer::Yes);
    }
    // What a camera found before it went blind is not over because another does not see it.
    let mut lost = here.iter().filter(|(sees, _)| !sees).filter_map(|(_, s)| by((*s)?));
    let told = any(Answer::No);
    if any(Answer::CannotTell) || lost.any(|last| last == Answer::Yes || !told) {
        return Some(Answer::CannotTell);
    }
    told.then_some(Answer::No)
}

fn may_be_adult(s: &ZoneSight) -> bool {
    s.adults.unwrap_or(s.people).high > 0
}

#[cfg(test)]
mod tests;
