//! A new configuration, and what is rebuilt after a snapshot.
use super::compiled::{Compiled, ESTIMATE_PREFIX};
use super::incident::{Cause, FindingKey, Key};
use super::input::Configuration;
use super::occupancy::ZoneState;
use super::schedule::Phase;
use super::site::Role;
use super::state::State;
use super::step::Run;
use super::timer::Timer;
use std::collections::BTreeMap;
use std::sync::Arc;
use tuoan_protocol::{DeviceId, ZoneId};

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
                let j = compiled.rule_named(&r.id)?;
                let now = compiled.rule(j)?;
                (now.kind == r.kind && now.window == r.window && now.quantity == r.quantity).then_some((i, j))
            })
            .collect();
        for (id, device) in &mut self.state.devices {
            let slot = compiled.slot_of(id);
            let moved = old.slot(device.slot).map(|s| &s.zone_id) != compiled.slot(slot).map(|s| &s.zone_id);
            device.slot = slot;
            let judged = |rule: &u16| compiled.slot(slot).is_some_and(|s| s.judged.iter().any(|(_, list)| list.contains(rule)));
            let tracks = std::mem::take(&mut device.tracks).into_iter().filter(|_| !moved);
            device.tracks = tracks.filter_map(|((i, c), t)| Some(((*new_index.get(&i).filter(|j| judged(j))?, c), t))).collect();
            device.struck = std::mem::take(&mut device.struck).into_iter().filter_map(|(i, t)| Some((*new_index.get(&i)?, t))).collect();
            if moved {
                device.silent = false;
                device.untested = false;
            }
        }
        self.state.unplaced = self.state.devices.keys().filter(|id| !compiled.by_device.contains_key(*id)).count();

        // Placed devices that were never heard are expected from now on; an estimate is there when there is one.
        for id in compiled.by_device.keys().filter(|id| !id.as_str().starts_with(ESTIMATE_PREFIX)) {
            let device = self.state.devices.entry(id.clone()).or_default();
            device.slot = compiled.slot_of(id);
            device.quiet_since = device.quiet_since.or(Some(self.at));
        }

        let mut zones: BTreeMap<ZoneId, ZoneState> = old_zones.into_iter().zip(std::mem::take(&mut self.state.zones)).collect();
        let fresh = ZoneState { phase: Phase::Care, phase_since: self.at, ..ZoneState::default() };
        self.state.zones = c.site.zones.iter().map(|z| zones.remove(&z.id).unwrap_or_else(|| fresh.clone())).collect();
        for z in &mut self.state.zones {
            z.watchers.clear();
            z.seen_by.retain(|(d, _, _)| compiled.by_device.contains_key(d));
        }
        for (id, device) in &self.state.devices {
            let Some(slot) = compiled.slot(device.slot) else { continue };
            for (i, z) in (0u32..).zip(&mut self.state.zones) {
                if slot.zone != Some(i) {
                    z.seen_by.retain(|(d, _, _)| d != id);
                } else if (device.sees_people || slot.role == Role::Occupancy) && !device.silent {
                    z.watchers.insert(id.clone());
                }
            }
        }
        self.state.sounding.retain(|d| compiled.sirens.iter().any(|(s, _)| s == d));
        self.state.closing.retain(|d| compiled.gas_valves.contains(d));
        self.state.configuration = Some(c);

        self.carry_findings(&new_index);
        self.rearm();
        self.new_phase();
        self.incidents_changed = true;
    }

    fn carry_findings(&mut self, new_index: &BTreeMap<u16, u16>) {
        let compiled = self.compiled.clone();
        let keys: Vec<Key> = self.state.incidents.keys().cloned().collect();
        for key in keys {
            let Some(incident) = self.state.incidents.get_mut(&key) else { continue };
            let stands = |f: &FindingKey| -> Option<FindingKey> {
                let index = *new_index.get(&f.0)?;
                let rule = compiled.rule(index)?;
                let here = match &f.1 {
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
        }
        for zone in (0u32..).zip(0..self.state.zones.len()).map(|(i, _)| i) {
            self.arm_zone(zone);
        }
        self.arm_schedule();
    }
}

/// Whether that rule looks at that device at all.
fn serves(compiled: &Compiled, device: &DeviceId, rule: u16) -> bool {
    compiled.slot(compiled.slot_of(device)).is_some_and(|s| {
        s.silence == Some(rule)
            || s.age == Some(rule)
            || s.events.iter().any(|(_, r)| *r == rule)
            || s.judged.iter().any(|(_, list)| list.contains(&rule))
    })
}

impl State {
    /// After decoding: where each device stands.
    pub(super) fn relink(&mut self) {
        let compiled = self.compiled.clone();
        for (id, device) in &mut self.devices {
            device.slot = compiled.slot_of(id);
        }
    }
    /// After decoding: every timer.
    pub(super) fn rearm(&mut self) {
        Run::new(self).rearm();
    }
}
