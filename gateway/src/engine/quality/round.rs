//! The hourly look at what every series has learned. Driven by messages, not by timers: where nothing is said, nothing is judged.
use super::limits;
use super::neighbour::{Company, median};
use crate::engine::compiled::{Compiled, Slot};
use crate::engine::detect::{anomaly, drift, flat, forecast, implausible, lost, silence};
use crate::engine::device::{Device, Value};
use crate::engine::incident::Cause;
use crate::engine::input::EngineMs;
use crate::engine::judge::{drive, guard};
use crate::engine::rules::{Kind, Rule};
use crate::engine::step::{Place3, Run};
use tuoan_protocol::{DeviceId, Quantity, Trigger};

const HOUR_MS: i64 = 3_600_000;
const DAY_HOURS: i64 = 24;
const WEEK_HOURS: i64 = 7 * DAY_HOURS;

/// Whether the rule looks at that quantity here: one that names it goes before one that names none.
pub fn concerns(compiled: &Compiled, slot: &Slot, rule: &Rule, q: &Quantity) -> bool {
    match &rule.quantity {
        Some(own) => own == q,
        None => !slot.quality.iter().filter_map(|i| compiled.rule(*i)).any(|r| r.kind == rule.kind && r.quantity.as_ref() == Some(q)),
    }
}

fn judge(rule: &Rule, q: &Quantity, v: &Value, device: &Device, period: Option<i64>, at: EngineMs) -> (bool, bool) {
    let Some(s) = v.series.as_deref() else { return (false, true) };
    match rule.kind {
        Kind::Implausible => implausible::judge(rule, s, period, at),
        Kind::Lost if lost::is_expected(q) => lost::judge(rule, v, s, device, period),
        Kind::Flat => flat::judge(q, s, at),
        Kind::Drift => drift::judge(s),
        Kind::Forecast => forecast::judge(rule, s),
        Kind::Anomaly => anomaly::judge(s, at),
        _ => (false, true),
    }
}

impl Run<'_> {
    /// Once for the first message of every hour.
    pub(in crate::engine) fn round(&mut self) {
        let hour = self.at.div_euclid(HOUR_MS);
        let before = std::mem::replace(&mut self.state.round, hour);
        if hour == before {
            return;
        }
        if hour.div_euclid(WEEK_HOURS) != before.div_euclid(WEEK_HOURS) {
            for d in self.state.devices.values_mut() {
                d.cadence.turn();
                for s in d.values.values_mut().filter_map(|v| v.series.as_deref_mut()) {
                    s.stillness.turn();
                    s.gap.turn();
                }
            }
        }
        self.compare_neighbours(hour.div_euclid(DAY_HOURS));
        let placed: Vec<DeviceId> = self.compiled.by_device.keys().cloned().collect();
        for id in placed {
            self.look(&id, |_| true);
        }
    }

    /// How far each number was from its neighbours' in the past hour.
    fn compare_neighbours(&mut self, day: i64) {
        let compiled = self.compiled.clone();
        let drifts = |slot: &Slot| slot.quality.iter().filter_map(|i| compiled.rule(*i)).any(|r| r.kind == Kind::Drift);
        for zone in &compiled.zones {
            let mut means: Vec<(Quantity, &DeviceId, u8, i64)> = Vec::new();
            for id in &zone.devices {
                let compares = compiled.slot(compiled.slot_of(id)).is_some_and(drifts);
                let Some(device) = self.state.devices.get_mut(id) else { continue };
                for ((q, channel), v) in &mut device.values {
                    let mean = v.series.as_deref_mut().and_then(|s| s.hour_mean());
                    if compares && let Some(mean) = mean.filter(|_| limits::habits(q).is_some_and(|h| h.apart > 0.0)) {
                        means.push((q.clone(), id, *channel, mean));
                    }
                }
            }
            means.sort_unstable();
            for group in means.chunk_by(|a, b| a.0 == b.0).filter(|g| g.len() >= 2) {
                let mut values: Vec<i64> = group.iter().map(|m| m.3).collect();
                let Some(middle) = median(&mut values) else { continue };
                for (n, (q, id, channel, mean)) in group.iter().enumerate() {
                    let (distance, company) = match (group, n) {
                        ([first, second], 0) => (first.3 - second.3, Company::First),
                        ([first, second], _) => (second.3 - first.3, Company::Second),
                        _ => (mean - middle, Company::Several),
                    };
                    let tolerance = limits::habits(q).map_or(i64::MAX, |h| limits::fixed(q, h.apart));
                    let value = self.state.devices.get_mut(id).and_then(|d| d.values.get_mut(&(q.clone(), *channel)));
                    if let Some(s) = value.and_then(|v| v.series.as_deref_mut()) {
                        s.neighbour.get_or_insert_default().hour(day, distance, tolerance, company);
                    }
                }
            }
        }
    }

    /// Judges a device by its rules of quality of the given kinds. A rule holds for the device while it holds for any of its numbers.
    pub(in crate::engine) fn look(&mut self, id: &DeviceId, kinds: impl Fn(Kind) -> bool) {
        let compiled = self.compiled.clone();
        let (at, offset) = (self.at, self.state.offset_ms);
        let state = &mut *self.state;
        let Some(device) = state.devices.get_mut(id) else { return };
        let Some(slot) = compiled.slot(device.slot) else { return };
        let zone = slot.zone.and_then(|z| state.zones.get(z as usize));
        let period = silence::period(device, Some(slot));
        let mut changes = Vec::new();
        for &index in &slot.quality {
            let Some(rule) = compiled.rule(index).filter(|r| kinds(r.kind)) else { continue };
            let (mut trips, mut clears, mut trigger) = (false, true, None);
            for ((q, channel), v) in &device.values {
                if v.series.is_none() || !concerns(&compiled, slot, rule, q) {
                    continue;
                }
                let verdict = judge(rule, q, v, device, period, at);
                if verdict.0 && !trips {
                    let pair = v.series.as_deref().and_then(|s| s.neighbour.as_deref()).is_some_and(|n| n.company != Company::Several);
                    trigger = Some((q.clone(), *channel, v.value, pair && rule.kind == Kind::Drift));
                }
                trips |= verdict.0;
                clears &= verdict.1;
            }
            let key = (index, 0);
            if !trips && !device.tracks.contains_key(&key) {
                continue;
            }
            let holds = guard(rule, zone, at, || compiled.schedule.month(at.saturating_add(offset)));
            let tracker = device.tracks.entry(key).or_default();
            let change = drive(tracker, &mut state.timers, id, key, rule, (trips, clears), holds, at);
            if tracker.is_idle() {
                device.tracks.remove(&key);
            }
            if let Some(change) = change {
                changes.push((index, change, trigger));
            }
        }
        let place = Place3 { device: id.clone(), zone: slot.zone, zone_id: slot.zone_id.clone() };
        for (index, change, trigger) in changes {
            let note = trigger.as_ref().filter(|t| t.3).map(|_| drift::PAIR.to_owned());
            let trigger = Trigger { device: id.clone(), reading: trigger.map(|(q, _, v, _)| (q, v)), seq: None };
            self.change(&place, index, 0, change, Cause { trigger: Some(trigger), note, ..Cause::default() });
        }
    }
}
