//! What the sensors of a zone say to each other's rules: the memory of [`Condition`]s.
//!
//! What must hold: a condition turns false by a timer when its time is over; a device that is silent says nothing; whoever asks "unless" must have
//! been able to see.
use super::compiled::Slot;
use super::device::Device;
use super::incident::{Cause, Key};
use super::input::EngineMs;
use super::judge::carry;
use super::occupancy::ZoneState;
use super::rules::{Condition, Rule};
use super::step::{Place3, Run};
use super::timer::Timer;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::{DeviceId, Fixed, Quantity};

/// One condition in one zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sign {
    /// By whose present word it is so.
    by: BTreeSet<(DeviceId, Quantity, u8)>,
    /// Who could say it and is not silent, and until when that is believed: a state stands, a number is only as good as it is fresh.
    observers: BTreeMap<DeviceId, EngineMs>,
    /// Engine time at which it was last so.
    last: Option<EngineMs>,
    /// Of those that are counted: since when it is so, and how often it was, today.
    since: Option<EngineMs>,
    done: u8,
}

impl Sign {
    fn holds(&self, c: &Condition, at: EngineMs) -> bool {
        if c.times > 0 {
            let lasts = self.since.is_some_and(|t| at.saturating_sub(t) >= c.lasting);
            return self.done.saturating_add(u8::from(lasts)) >= c.times;
        }
        !self.by.is_empty() || self.last.is_some_and(|t| at.saturating_sub(t) < c.within)
    }
    fn is_observed(&self, at: EngineMs) -> bool {
        self.observers.values().any(|until| at < *until)
    }
    /// When [`Self::holds`] turns false by itself.
    fn runs_out(&self, c: &Condition) -> Option<EngineMs> {
        self.last.filter(|_| self.by.is_empty() && c.within > 0 && c.times == 0).map(|t| t.saturating_add(c.within))
    }
    /// Begins or ends a stretch of time that is counted.
    fn count(&mut self, c: &Condition, children: bool, at: EngineMs) {
        if c.times == 0 {
            return;
        }
        let now = !self.by.is_empty() && (children || !c.attended);
        match self.since {
            None if now => self.since = Some(at),
            Some(t) if !now => {
                self.done = self.done.saturating_add(u8::from(at.saturating_sub(t) >= c.lasting));
                self.since = None;
            }
            _ => {}
        }
    }
    fn forget(&mut self, device: &DeviceId, at: EngineMs) {
        let before = self.by.len();
        self.by.retain(|(d, _, _)| d != device);
        if self.by.len() != before {
            self.last = Some(at);
        }
        self.observers.remove(device);
    }
}

/// Whether what other sensors say lets the rule hold.
pub(super) fn allow(rule: &Rule, zone: &ZoneState, at: EngineMs) -> bool {
    rule.watched.is_none_or(|w| w != zone.watchers.is_empty())
        && (rule.when.is_empty() || any(&rule.when, zone, at))
        && (rule.unless.is_empty() || seen(&rule.unless, zone, at) && !any(&rule.unless, zone, at))
}

pub(super) fn any(list: &[Condition], zone: &ZoneState, at: EngineMs) -> bool {
    list.iter().any(|c| zone.signs.get(&c.id).is_some_and(|s| s.holds(c, at)))
}

/// Somebody could tell.
fn seen(list: &[Condition], zone: &ZoneState, at: EngineMs) -> bool {
    list.iter().any(|c| zone.signs.get(&c.id).is_some_and(|s| s.is_observed(at)))
}

fn believed(quantity: &Quantity, device: &Device, slot: &Slot, at: EngineMs) -> EngineMs {
    if quantity.is_state() { EngineMs::MAX } else { at.saturating_add(carry(device, slot)) }
}

impl Run<'_> {
    /// A device's newest word on a quantity that conditions in its zone ask for.
    pub(super) fn sense(&mut self, place: &Place3, quantity: &Quantity, channel: u8, value: Fixed) {
        let (at, compiled) = (self.at, self.compiled.clone());
        let slot = compiled.slot(compiled.slot_of(&place.device));
        let asked = slot.and_then(|s| s.watched.iter().find(|(q, _)| q == quantity));
        let (Some(index), Some(slot), Some((_, asked))) = (place.zone, slot, asked) else { return };
        let Some(device) = self.state.devices.get(&place.device) else { return };
        let until = believed(quantity, device, slot, at);
        let Some(z) = self.state.zones.get_mut(index as usize) else { return };
        let mut changed = false;
        for c in asked.iter().filter_map(|id| compiled.conditions.get(usize::from(*id))) {
            let children = z.phase.has_children();
            let s = z.signs.entry(c.id).or_default();
            let before = (s.holds(c, at), s.is_observed(at));
            s.observers.insert(place.device.clone(), until);
            let key = (place.device.clone(), quantity.clone(), channel);
            if c.met(value) {
                s.last = Some(at);
                s.by.insert(key);
            } else if s.by.remove(&key) {
                s.last = Some(at);
            }
            s.count(c, children, at);
            changed |= before != (s.holds(c, at), s.is_observed(at));
            if let Some(due) = s.runs_out(c) {
                self.state.timers.arm(due, Timer::Zone(index));
            }
        }
        if changed {
            self.reconsider_zone(index);
            self.confirm(index);
        }
    }

    /// Findings here that are only inferred become confirmed when another sensor says so; they stay it.
    fn confirm(&mut self, index: u32) {
        let (at, compiled) = (self.at, self.compiled.clone());
        let Some(z) = self.state.zones.get(index as usize) else { return };
        let Some(zone) = compiled.zone_id(index) else { return };
        let mut keys: Vec<Key> = Vec::new();
        for (key, incident) in self.state.incidents.iter_mut().filter(|((_, p), _)| p.zone == *zone) {
            let mut news = false;
            for (f, finding) in incident.findings.iter_mut().filter(|(_, f)| !f.confirmed) {
                if compiled.rule(f.0).is_some_and(|r| any(&r.confirmed_by, z, at)) {
                    (finding.confirmed, news) = (true, true);
                }
            }
            if news {
                keys.push(key.clone());
            }
        }
        keys.iter().for_each(|key| self.settle(key, Cause::default()));
    }

    /// Whether another sensor confirms a finding of that rule there.
    pub(super) fn is_confirmed(&self, rule: &Rule, zone: &tuoan_protocol::ZoneId) -> bool {
        !rule.confirmed_by.is_empty() && self.zone(self.compiled.zone_index(zone)).is_some_and(|z| any(&rule.confirmed_by, z, self.at))
    }

    /// A device is silent: it says nothing any more. True when that changes what holds.
    pub(super) fn sign_lost(&mut self, index: u32, device: &DeviceId) -> bool {
        let (at, compiled) = (self.at, self.compiled.clone());
        let Some(z) = self.state.zones.get_mut(index as usize) else { return false };
        let (children, mut changed) = (z.phase.has_children(), false);
        for (id, s) in z.signs.iter_mut().filter(|(_, s)| s.observers.contains_key(device)) {
            let Some(c) = compiled.conditions.get(usize::from(*id)) else { continue };
            s.forget(device, at);
            s.count(c, children, at);
            changed = true;
        }
        changed
    }

    /// A device cannot tell of a quantity any more. True when that changes what holds.
    pub(super) fn sign_unknown(&mut self, index: u32, id: &DeviceId, quantity: &Quantity, channel: u8) -> bool {
        let (at, compiled) = (self.at, self.compiled.clone());
        let asked = compiled.slot(compiled.slot_of(id)).and_then(|s| s.watched.iter().find(|(q, _)| q == quantity));
        let (Some((_, asked)), Some(device)) = (asked, self.state.devices.get(id)) else { return false };
        let Some(z) = self.state.zones.get_mut(index as usize) else { return false };
        let (children, mut changed) = (z.phase.has_children(), false);
        for c in asked.iter().filter_map(|c| compiled.conditions.get(usize::from(*c))) {
            let Some(s) = z.signs.get_mut(&c.id) else { continue };
            let before = (s.holds(c, at), s.is_observed(at));
            if s.by.remove(&(id.clone(), quantity.clone(), channel)) {
                s.last = Some(at);
            }
            // It may tell by another quantity.
            if !device.values.iter().any(|((q, _), v)| c.quantities.contains(q) && v.unknown_since.is_none()) {
                s.observers.remove(id);
            }
            s.count(c, children, at);
            changed |= before != (s.holds(c, at), s.is_observed(at));
        }
        changed
    }

    /// Children have come or gone.
    pub(super) fn signs_counted(&mut self, index: u32) {
        let (at, compiled) = (self.at, self.compiled.clone());
        let Some(z) = self.state.zones.get_mut(index as usize) else { return };
        let children = z.phase.has_children();
        for (id, s) in &mut z.signs {
            if let Some(c) = compiled.conditions.get(usize::from(*id)) {
                s.count(c, children, at);
            }
        }
    }

    /// Midnight: what is counted is counted by the day.
    pub(super) fn signs_new_day(&mut self) {
        let at = self.at;
        for s in self.state.zones.iter_mut().flat_map(|z| z.signs.values_mut()) {
            s.done = 0;
            s.since = s.since.map(|_| at);
        }
    }

    /// After a new configuration: the signs anew from what is known, with the times of those that were asked for before.
    pub(super) fn relearn(&mut self, old: &[Condition], old_zones: &BTreeMap<usize, BTreeMap<u16, Sign>>) {
        let (at, compiled) = (self.at, self.compiled.clone());
        for (i, z) in self.state.zones.iter_mut().enumerate() {
            let mut signs: BTreeMap<u16, Sign> = BTreeMap::new();
            for id in compiled.zones.get(i).into_iter().flat_map(|z| &z.devices) {
                let Some(device) = self.state.devices.get(id).filter(|d| !d.silent) else { continue };
                let Some(slot) = compiled.slot(device.slot) else { continue };
                for (quantity, asked) in &slot.watched {
                    for ((q, channel), v) in device.values.iter().filter(|((q, _), v)| q == quantity && v.unknown_since.is_none()) {
                        for c in asked.iter().filter_map(|c| compiled.conditions.get(usize::from(*c))) {
                            let s = signs.entry(c.id).or_default();
                            s.observers.insert(id.clone(), believed(q, device, slot, v.at));
                            if c.met(v.value) {
                                s.by.insert((id.clone(), q.clone(), *channel));
                            }
                        }
                    }
                }
            }
            for c in &compiled.conditions {
                let before = old.iter().find(|o| o.same(c)).and_then(|o| old_zones.get(&i)?.get(&o.id));
                if let Some(before) = before {
                    let s = signs.entry(c.id).or_default();
                    (s.last, s.since, s.done) = (before.last, before.since, before.done);
                }
            }
            let children = z.phase.has_children();
            for (id, s) in &mut signs {
                if let Some(c) = compiled.conditions.get(usize::from(*id)) {
                    s.count(c, children, at);
                }
            }
            z.signs = signs;
        }
    }
}

/// When signs in a zone turn false by themselves.
pub(super) fn expiries<'a>(zone: &'a ZoneState, conditions: &'a [Condition]) -> impl Iterator<Item = EngineMs> + 'a {
    zone.signs.iter().filter_map(|(id, s)| s.runs_out(conditions.get(usize::from(*id))?))
}
