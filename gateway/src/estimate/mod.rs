//! What a room's climate tells about itself: how likely it is that someone is in, and how rare the climate is as a whole.
//!
//! A learned model (`models/room-climate/`) looks at each room once a minute of engine time. Its answers enter the engine as INPUTS, messages of a
//! device `estimate.<zone>` that every zone has: they stand in the log, so that a replay gives the same incidents without the model, with
//! another backend, or years later.
//!
//! | file | holds |
//! |---|---|
//! | [`features`] | readings of a room -> what the model sees |
//! | [`model`] | the model's file, hash and contract |
//! | [`rarity`] | the model's error -> "once in so many days", by the room's own past |
//! | [`check`] | golden.json |
//!
//! What must hold: the estimates never decide alone (their rules are inferred advisories), say nothing where they know nothing, and the gateway
//! runs without them. Nothing here is the engine's state: what a room has shown may be lost, and is learned again.
pub mod check;
pub mod features;
pub mod model;
pub mod rarity;

use crate::engine::input::{Body, DeviceInfo, Item, Message};
use crate::engine::schedule::Schedule;
use crate::engine::site::{Role, Site};
use crate::engine::{ESTIMATE_PREFIX, Input};
use features::{CARRY, CHANNELS, CO2, Moment, Room, channel, knows};
use model::ClimateModel;
use rarity::Rarity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tuoan_protocol::{DeviceId, Quantity, ZoneId};

const MINUTE_MS: i64 = 60_000;
/// A sample that is older than this when it arrives tells the past.
const LATE_MS: i64 = 10 * MINUTE_MS;
/// A channel alone has no joint normality.
const CHANNELS_NEEDED: usize = 2;
/// What is learned is kept this often, in engine time: losing an hour of it costs nothing.
const KEEP_MINUTES: i64 = 60;
/// Version of what is kept.
const KEPT: u16 = 1;

/// The zones' rooms and the model.
pub struct Estimator {
    model: ClimateModel,
    schedule: Schedule,
    utc_offset_ms: i64,
    zones: Vec<Zone>,
    /// Devices whose readings are of a room's air: index of their zone.
    devices: BTreeMap<DeviceId, usize>,
    /// Minute of engine time that is being gathered.
    minute: Option<i64>,
    kept_at: i64,
    /// The model has failed: said once, and nothing is estimated any more.
    failed: bool,
}

struct Zone {
    id: ZoneId,
    device: DeviceId,
    learned: Learned,
    /// Sum and number of this minute's readings.
    sums: [(f64, u32); CHANNELS.len()],
    introduced: bool,
}

/// What a zone's room has shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Learned {
    room: Room,
    rarity: Rarity,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u16,
    /// Another model's errors are no measure for this one's.
    model: String,
    zones: BTreeMap<ZoneId, Learned>,
}

impl Estimator {
    /// `kept`: what [`Estimator::keep`] gave in an earlier run.
    pub fn new(model: ClimateModel, site: &Site, kept: Option<&[u8]>) -> Estimator {
        let mut learned = kept.map(|bytes| recall(bytes, model.sha256())).unwrap_or_default();
        let zones: Vec<Zone> = site
            .zones
            .iter()
            .filter_map(|z| {
                let device = DeviceId::new(&format!("{ESTIMATE_PREFIX}{}", z.id)).ok()?;
                let learned = learned.remove(&z.id).unwrap_or_default();
                Some(Zone { id: z.id.clone(), device, learned, sums: Default::default(), introduced: false })
            })
            .collect();
        let index: BTreeMap<&ZoneId, usize> = zones.iter().enumerate().map(|(i, z)| (&z.id, i)).collect();
        // The temperature of a plug or a pipe is not the room's.
        let of_air = site.devices.iter().filter(|d| matches!(d.role, Role::Climate | Role::Occupancy));
        let devices = of_air.filter_map(|d| Some((d.id.clone(), *index.get(&d.zone)?))).collect();
        Estimator {
            model,
            schedule: Schedule::new(site),
            utc_offset_ms: i64::from(site.utc_offset_minutes) * MINUTE_MS,
            zones,
            devices,
            minute: None,
            kept_at: i64::MIN,
            failed: false,
        }
    }

    /// Takes in what the engine has accepted. `offset_ms`: UTC minus engine time.
    pub fn observe(&mut self, input: &Input, offset_ms: i64, clock_trusted: bool) {
        let Body::Message(m) = &input.body else { return };
        let Some(zone) = self.devices.get(&m.device).and_then(|i| self.zones.get_mut(*i)) else { return };
        let utc = input.at.saturating_add(offset_ms);
        if m.retained || (clock_trusted && m.sampled_at.is_some_and(|t| utc.saturating_sub(t) > LATE_MS)) {
            return;
        }
        for item in &m.items {
            if let Item::Reading { quantity, value, .. } = item {
                let value = quantity.float(*value);
                if let Some((sum, n)) = channel(quantity, value).and_then(|c| zone.sums.get_mut(c)) {
                    *sum += value;
                    *n += 1;
                }
            }
        }
    }

    /// The estimates that are due by engine time `now`, to be given to the engine before anything that has arrived since.
    pub fn due(&mut self, now: i64, offset_ms: i64) -> Vec<Body> {
        let minute = now.div_euclid(MINUTE_MS);
        let Some(last) = self.minute.replace(minute) else { return Vec::new() };
        if minute <= last || self.failed {
            self.minute = Some(last.max(minute));
            return Vec::new();
        }
        // After so many empty minutes nothing is known any more, however long the gap was.
        let first = last.max(minute.saturating_sub(i64::from(CARRY) + 2));
        let mut out = Vec::new();
        for m in first..minute {
            let end = m.saturating_add(1).saturating_mul(MINUTE_MS);
            for index in 0..self.zones.len() {
                match self.zone_minute(index, end.saturating_add(offset_ms), m == last) {
                    Ok(items) if m + 1 == minute && !items.is_empty() => self.say(index, items, &mut out),
                    Ok(_) => {}
                    Err(e) => {
                        self.failed = true;
                        tracing::error!("rooms are not estimated any more until a restart: {e}");
                        return out;
                    }
                }
            }
        }
        out
    }

    /// Ends a minute of one zone, at UTC `utc`; `heard`: what has been gathered belongs to it.
    fn zone_minute(&mut self, index: usize, utc: i64, heard: bool) -> Result<Vec<Item>, crate::runtime::RuntimeError> {
        let Some(zone) = self.zones.get_mut(index) else { return Ok(Vec::new()) };
        let sums = if heard { std::mem::take(&mut zone.sums) } else { Default::default() };
        let means = sums.map(|(sum, n)| (n > 0).then(|| sum / f64::from(n)));
        let local = utc.saturating_sub(1).saturating_add(self.utc_offset_ms);
        let minute_of_day = u16::try_from(local.rem_euclid(1440 * MINUTE_MS) / MINUTE_MS).unwrap_or(0);
        let moment = Moment {
            minute_of_day,
            working_day: self.schedule.is_working_day(local.div_euclid(1440 * MINUTE_MS)),
            children_expected: self.schedule.phase(index, utc.saturating_sub(1)).has_children(),
        };
        let features = zone.learned.room.minute(&means, moment);
        let known = (0..CHANNELS.len()).filter(|c| knows(&features, *c)).count();
        let mut items = Vec::new();
        if known > 0 {
            let answer = self.model.answer(&features)?;
            let mut tell = |quantity: Quantity, value: f64| {
                if let Ok(value) = quantity.fixed(value) {
                    items.push(Item::Reading { quantity, channel: 0, value });
                }
            };
            // Light and noise alone were measured to be too weak a ground; so without CO2 nothing is said.
            if knows(&features, CO2) {
                tell(Quantity::OccupancyLikelihood, f64::from(answer.occupancy) * 100.0);
            }
            if known >= CHANNELS_NEEDED
                && let Some(days) = zone.learned.rarity.minute(answer.error)
            {
                tell(Quantity::ClimateRarity, days);
            }
        }
        if minute_of_day % 60 == 59 {
            zone.learned.rarity.hour();
        }
        Ok(items)
    }

    fn say(&mut self, index: usize, items: Vec<Item>, out: &mut Vec<Body>) {
        let name = self.model.name();
        let Some(zone) = self.zones.get_mut(index) else { return };
        if !std::mem::replace(&mut zone.introduced, true) {
            // Which model it was stands in the log with what it said.
            out.push(Body::Inventory(vec![DeviceInfo {
                device: Some(zone.device.clone()),
                make: Some("Tuoan".to_owned()),
                model: Some(name),
                period_s: Some(60),
                quantities: vec![Quantity::OccupancyLikelihood, Quantity::ClimateRarity],
                ..DeviceInfo::default()
            }]));
        }
        let device = zone.device.clone();
        out.push(Body::Message(Message { device, boot: None, seq: None, sampled_at: None, retained: false, items }));
    }

    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// What must survive a restart, when it is time to keep it (`now`: engine time) or at the end.
    pub fn keep(&mut self, now: i64, at_the_end: bool) -> Option<Vec<u8>> {
        let minute = now.div_euclid(MINUTE_MS);
        if self.kept_at == i64::MIN {
            self.kept_at = minute;
        }
        if !at_the_end && minute.saturating_sub(self.kept_at) < KEEP_MINUTES {
            return None;
        }
        self.kept_at = minute;
        let zones = self.zones.iter().filter(|z| !z.learned.room.is_new()).map(|z| (z.id.clone(), z.learned.clone())).collect();
        minicbor_serde::to_vec(Kept { version: KEPT, model: self.model.sha256().to_owned(), zones }).ok()
    }
}

/// What an earlier run kept, as far as it can be gone on with.
fn recall(bytes: &[u8], model: &str) -> BTreeMap<ZoneId, Learned> {
    let kept: Kept = match minicbor_serde::from_slice(bytes) {
        Ok(kept) => kept,
        Err(e) => {
            tracing::warn!("what the rooms have shown so far cannot be read ({e}); it is learned anew");
            return BTreeMap::new();
        }
    };
    if kept.version != KEPT {
        return BTreeMap::new();
    }
    let mut zones = kept.zones;
    zones.retain(|_, z| z.room.is_sound() && z.rarity.is_sound());
    if kept.model != model {
        zones.values_mut().for_each(|z| z.rarity = Rarity::default());
    }
    zones
}

#[cfg(test)]
mod tests;
