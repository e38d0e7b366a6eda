//! A new configuration, and what is rebuilt after a snapshot.
use super::compiled::{Compiled, UNPLACED_ZONE, VISION_PREFIX, is_own};
use super::coverage::ledger::ZoneLedger;
use super::device::Device;
use super::incident::{Cause, FindingKey, Key};
use super::input::Configuration;
use super::judge::Why;
use super::occupancy::ZoneState;
use super::rules::{Kind, Rule};
use super::schedule::Phase;
use super::site::Role;
use super::state::State;
use super::step::Run;
use super::timer::Timer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tuoan_protocol::{DeviceId, Place, Via, ZoneId};

impl Run<'_> {
    /// Takes a configuration over. What is known of devices stays; findings of rules or places that are no more end.
    pub(super) fn configure(&mut self, c: Box<Configuration>, compiled: Compiled) {
        let old = std::mem::replace(&mut self.compiled, Arc::new(compiled));
        let compiled = self.compiled.clone();
        let old_zones: Vec<ZoneId> =
            self.state.configuration.as_ref().map(|c| c.site.zones.iter().map(|z| z.id.clone()).collect()).unwrap_or_default();
        self.state.compiled = compiled.clone();

        // Rules are remembered by number: give what is remembered its new numbers. A rule with another window starts its memory anew.
        let new_index: BTreeMap<u16, u16> = (0u16..)
            .zip(&old.rules)
            .filter_map(|(i, r)| {
                let j = compiled.same_rule(r)?;
                let now = compiled.rule(j)?;
                (now.kind == r.kind && now.window == r.window && now.quantity == r.quantity).then_some((i, j))
            })
            .collect();
        for (id, device) in self.state.devices.iter_mut() {
            let slot = compiled.slot_of(id);
            let moved = old.slot(device.slot).map(|s| &s.zone_id) != compiled.slot(slot).map(|s| &s.zone_id);
            device.slot = slot;
            let judged = |rule: &u16| {
                compiled.slot(slot).is_some_and(|s| s.judged.iter().any(|(_, list)| list.contains(rule)) || s.quality.contains(rule))
            };
            let tracks = std::mem::take(&mut device.tracks).into_iter().filter(|_| !moved);
            device.tracks = tracks.filter_map(|((i, c), t)| Some(((*new_index.get(&i).filter(|j| judged(j))?, c), t))).collect();
            for ((i, _), t) in &mut device.tracks {
                t.due = compiled.rule(*i).and_then(|r| t.hold.due(r));
            }
            device.struck = std::mem::take(&mut device.struck).into_iter().filter_map(|(i, t)| Some((*new_index.get(&i)?, t))).collect();
            if moved {
                device.silent = false;
                device.under = None;
                device.untested = false;
                // Another room is another normality.
                device.values.values_mut().for_each(|v| v.series = None);
                if id.as_str().starts_with(VISION_PREFIX) {
                    // No camera shows that zone any more, or one does again: nothing is known of it.
                    device.values.values_mut().for_each(|v| v.unknown_since = v.unknown_since.or(Some(self.at)));
                }
            }
        }
        self.state.count_watched();
        self.state.unplaced = self.state.devices.keys().filter(|id| !compiled.by_device.contains_key(*id)).count();

        // Placed devices that were never heard are expected from now on; an estimate or a sight is there when there is one.
        for id in compiled.by_device.keys().filter(|id| !is_own(id)) {
            let device = self.state.devices.get_or_default(id);
            device.slot = compiled.slot_of(id);
            device.quiet_since = device.quiet_since.or(Some(self.at));
        }

        let old_signs: BTreeMap<ZoneId, _> = old_zones.iter().cloned().zip(self.state.zones.iter().map(|z| z.signs.clone())).collect();
        let mut zones: BTreeMap<ZoneId, ZoneState> = old_zones.into_iter().zip(std::mem::take(&mut self.state.zones)).collect();
        let fresh = ZoneState { phase: Phase::Care, phase_since: self.at, ..ZoneState::default() };
        self.state.zones = c.site.zones.iter().map(|z| zones.remove(&z.id).unwrap_or_else(|| fresh.clone())).collect();
        for z in &mut self.state.zones {
            z.watchers.clear();
            z.seen_by.retain(|(d, _, _)| compiled.by_device.contains_key(d));
        }
        for (id, device) in self.state.devices.iter() {
            let Some(slot) = compiled.slot(device.slot) else { continue };
            for (i, z) in (0u32..).zip(&mut self.state.zones) {
                if slot.zone != Some(i) {
                    z.seen_by.retain(|(d, _, _)| d != id);
                } else if (device.tells_of_people() || slot.role == Role::Occupancy) && !device.silent {
                    z.watchers.insert(id.clone());
                }
            }
        }
        let by_index = c.site.zones.iter().enumerate().filter_map(|(i, z)| Some((i, old_signs.get(&z.id)?.clone()))).collect();
        self.relearn(&old.conditions, &by_index);
        self.carry_held_back(&new_index);
        let switched = || compiled.sirens.iter().chain(&compiled.beacons).map(|(d, _)| d);
        self.state.sounding.retain(|d| switched().any(|s| s == d));
        self.state.closing.retain(|d| compiled.gas_valves.contains(d));
        self.state.ordered.retain(|d, _| switched().chain(&compiled.gas_valves).any(|s| s == d));
        self.state.configuration = Some(c);

        let was = |hub: &DeviceId| {
            let slot = old.by_device.get(hub).and_then(|i| old.slot(Some(*i)));
            let zone = slot.map(|s| s.zone_id.clone()).or_else(|| ZoneId::new(UNPLACED_ZONE).ok())?;
            Some(Place { zone, device: Some(hub.clone()) })
        };
        self.dissolve(was);
        self.carry_findings(&new_index);
        // What hung nowhere hangs somewhere now.
        self.conclude_tests(&Cause { via: Some(Via::Gateway), ..Cause::default() });
        self.require(&compiled);
        self.rearm();
        self.new_phase();
        // A state that stands is judged by the rules that are new, too; a number is judged when it comes again.
        let same = |r: &Rule| old.rules.iter().any(|o| o == r);
        let fresh: BTreeSet<u16> = (0u16..).zip(&compiled.rules).filter(|(_, r)| !same(r)).map(|(i, _)| i).collect();
        let placed: Vec<DeviceId> = if fresh.is_empty() { vec![] } else { compiled.by_device.keys().cloned().collect() };
        for id in placed {
            self.reconsider(&id, Why::Rules(&fresh));
        }
        self.incidents_changed = true;
    }

    /// Overrides begin and end by themselves, at local midnight; true when one has.
    pub(super) fn new_day(&mut self) -> bool {
        let Some(c) = &self.state.configuration else { return false };
        let day = c.site.local_day(self.state.utc(self.at));
        let (trusted, before) = (self.state.trusted, std::mem::replace(&mut self.state.day, day));
        let unchanged = c.site.overrides.iter().all(|o| o.holds_on(before) == o.holds_on(day));
        let c = c.clone();
        if before != day {
            self.day_over(before, trusted && day == before.saturating_add(1));
        }
        if unchanged {
            return false;
        }
        // What was compiled on one day compiles on every other.
        let Ok(compiled) = Compiled::new(&c.site, &c.rules, day) else { return false };
        self.configure(c, compiled);
        true
    }

    fn carry_findings(&mut self, new_index: &BTreeMap<u16, u16>) {
        let compiled = self.compiled.clone();
        let keys: Vec<Key> = self.state.incidents.keys().cloned().collect();
        for key in keys {
            let hub = key.1.device.as_ref().filter(|d| self.state.hubs.contains(*d)).cloned();
            let told = |d: &Device| d.under.is_some() && d.under == key.1.device;
            let under: BTreeSet<DeviceId> = self.state.devices.iter().filter(|(_, d)| told(d)).map(|(id, _)| id.clone()).collect();
            let Some(incident) = self.state.incidents.get_mut(&key) else { continue };
            let stands = |f: &FindingKey| -> Option<FindingKey> {
                let index = *new_index.get(&f.0)?;
                let rule = compiled.rule(index)?;
                let here = match &f.1 {
                    Some(_) if rule.kind == Kind::Hub => hub.is_some(),
                    Some(d) if under.contains(d) => serves(&compiled, d, index),
                    Some(d) if key.1.device.as_ref().is_some_and(|p| p != d) => false,
                    Some(d) => compiled.slot(compiled.slot_of(d)).is_some_and(|s| s.zone_id == key.1.zone && serves(&compiled, d, index)),
                    None => compiled.zone_index(&key.1.zone).is_some(),
                };
                (here && rule.hazard == key.0).then(|| (index, f.1.clone(), f.2))
            };
            let findings = std::mem::take(&mut incident.findings);
            incident.findings = findings.into_iter().filter_map(|(f, v)| Some((stands(&f)?, v))).collect();
            self.settle(&key, Cause::default());
        }
    }

    /// Arms every timer anew from what is remembered.
    pub(super) fn rearm(&mut self) {
        self.state.timers.clear();
        let ids: Vec<DeviceId> = self.state.devices.keys().cloned().collect();
        for id in &ids {
            if let Some(device) = self.state.devices.get(id) {
                for ((rule, channel), t) in &device.tracks {
                    if let Some(due) = t.due {
                        self.state.timers.arm(due, Timer::Track(id.clone(), *rule, *channel));
                    }
                }
            }
            self.arm_silence(id);
            self.arm_age(id);
        }
        let keys: Vec<Key> = self.state.incidents.keys().cloned().collect();
        for key in keys {
            self.close_or_wait(&key);
            self.climb(&key);
        }
        self.arm_cases();
        self.arm_standings();
        for zone in (0u32..).zip(0..self.state.zones.len()).map(|(i, _)| i) {
            self.arm_zone(zone);
        }
        self.arm_schedule();
        self.arm_minute();
    }
}

/// Whether that rule looks at that device at all.
fn serves(compiled: &Compiled, device: &DeviceId, rule: u16) -> bool {
    compiled.slot(compiled.slot_of(device)).is_some_and(|s| {
        s.silence == Some(rule)
            || s.age == Some(rule)
            || s.quality.contains(&rule)
            || s.events.iter().any(|(_, r)| *r == rule)
            || s.judged.iter().any(|(_, list)| list.contains(&rule))
    })
}

impl State {
    /// After decoding: where each device stands.
    pub(super) fn relink(&mut self) {
        let compiled = self.compiled.clone();
        for (id, device) in self.devices.iter_mut() {
            device.slot = compiled.slot_of(id);
        }
        if self.ledger.zones.is_empty() {
            // A snapshot of before there was a ledger.
            self.ledger.zones =
                compiled.required.iter().filter_map(|r| Some(ZoneLedger::new(compiled.zone_id(r.zone)?.clone(), 0))).collect();
        }
        self.count_watched();
    }
    fn count_watched(&mut self) {
        let series = self.devices.iter().flat_map(|(_, d)| d.values.values()).filter_map(|v| v.series.as_ref());
        self.watched = series.filter(|s| s.watch.is_some()).count();
    }
    /// After decoding: every timer.
    pub(super) fn rearm(&mut self) {
        Run::new(self).rearm();
    }
}
