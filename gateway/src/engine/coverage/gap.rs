//! Blindness that lasts too long is an incident: of a zone, and of the whole house when the gateway was away.
//!
//! What must hold: one happening is one incident. Where a camera or a sensor of the zone is told of already, the gap is part of that
//! incident and raises it; a gateway that was away is one incident, not one for each zone.
use super::super::compiled::CHAIN;
use super::super::incident::{Cause, FindingKey, Key};
use super::super::input::EngineMs;
use super::super::rules::{Kind, Rule, phase_bit};
use super::super::schedule::date_of;
use super::super::site::Role;
use super::super::step::{Place3, Run};
use tuoan_protocol::{DeviceId, Place};

/// What a camera or a sensor that does not see raises by itself.
const TOLD_BY_DEVICES: [&str; 3] = ["camera.blind", "sensor.silent", "recorder.gap"];

/// The gateway does not listen: since when, and in which phases of the day that was.
#[derive(Debug, Clone, Copy)]
pub struct Away {
    since: EngineMs,
    phases: u8,
}

fn is_of_gateway(rule: &Rule) -> bool {
    rule.roles.contains(&Role::Gateway)
}

impl Run<'_> {
    fn gap_rules(&self, of_gateway: bool) -> Vec<u16> {
        let all = self.compiled.gap_rules.iter().copied();
        all.filter(|i| self.compiled.rule(*i).is_some_and(|r| is_of_gateway(r) == of_gateway && !r.shadow)).collect()
    }
    fn gap_key(&self, index: usize, rule: &Rule) -> Option<Key> {
        let zone = self.state.ledger.zones.get(index)?.zone.clone();
        Some((rule.hazard.clone(), Place { zone, device: None }))
    }

    /// The minute is over: which zones have been blind for too long.
    pub(super) fn gaps(&mut self) {
        let compiled = self.compiled.clone();
        let rules = self.gap_rules(false);
        for (i, required) in compiled.required.iter().enumerate() {
            let Some(since) = self.state.ledger.zones.get(i).map(|z| z.blind_since) else { continue };
            let site = self.state.configuration.as_ref().map(|c| &c.site);
            let Some((kind, floor)) = site.and_then(|s| s.zones.get(required.zone as usize)).map(|z| (z.kind, z.floor)) else { continue };
            let lasted = since.map(|t| self.at.saturating_sub(t));
            let (mut begun, mut over) = (Vec::new(), Vec::new());
            for &index in &rules {
                let Some(rule) = compiled.rule(index).filter(|r| r.applies(kind, floor, Role::Other)) else { continue };
                let Some(key) = self.gap_key(i, rule) else { continue };
                let finding: FindingKey = (index, None, 0);
                let told = self.state.incidents.get(&key).is_some_and(|inc| inc.findings.contains_key(&finding));
                let long = lasted.is_some_and(|ms| ms >= rule.hold) && self.guard_holds(rule, Some(required.zone), self.at);
                match (told, long) {
                    (false, true) => begun.push((key, finding)),
                    (true, false) => over.push((key, finding)),
                    _ => {}
                }
            }
            // What takes another's place comes first: the incident goes on, and changes only its severity.
            begun.into_iter().for_each(|(key, finding)| self.raise(key, finding, Cause::default()));
            over.into_iter().for_each(|(key, finding)| self.lift(&key, &finding, Cause::default()));
        }
    }

    /// The zone is seen again.
    pub(super) fn gap_over(&mut self, index: usize) {
        let compiled = self.compiled.clone();
        for rule in self.gap_rules(false) {
            if let Some(key) = compiled.rule(rule).and_then(|r| self.gap_key(index, r)) {
                self.lift(&key, &(rule, None, 0), Cause::default());
            }
        }
    }

    /// The incident that tells already of a device which should watch the place of a gap: the gap is part of it.
    pub(in crate::engine) fn told_by_device(&self, key: &Key) -> Option<Key> {
        let is_gap = |r: &Rule| r.kind == Kind::Gap && r.hazard == key.0;
        if key.1.device.is_some() || !self.compiled.gap_rules.iter().filter_map(|i| self.compiled.rule(*i)).any(is_gap) {
            return None;
        }
        let zone = self.compiled.zone_index(&key.1.zone)?;
        let serving: Vec<&DeviceId> = self.compiled.required.iter().filter(|r| r.zone == zone).flat_map(|r| r.devices()).collect();
        let tells = |(k, i): &(&Key, &super::super::incident::Incident)| {
            TOLD_BY_DEVICES.contains(&k.0.as_str())
                && i.leads()
                && i.active()
                && i.findings.keys().any(|f| f.1.as_ref().is_some_and(|d| serving.contains(&d)))
        };
        self.state.incidents.iter().find(tells).map(|(k, _)| k.clone())
    }

    fn phases_now(&self) -> u8 {
        let zones = self.compiled.required.iter().filter_map(|r| self.state.zones.get(r.zone as usize));
        zones.fold(0, |bits, z| bits | phase_bit(z.phase))
    }

    /// From here on the gateway did not listen.
    pub(in crate::engine) fn go_away(&mut self) {
        self.away = Some(Away { since: self.at, phases: self.phases_now() });
        self.look_around();
    }

    /// A while of its absence has gone by, with whatever phase of the day has come meanwhile.
    pub(in crate::engine) fn note_phases(&mut self) {
        if let Some(away) = self.away {
            self.away = Some(Away { phases: away.phases | self.phases_now(), ..away });
        }
    }

    /// It listens again. The minute under way is lost; an absence that was too long is told, and is over.
    pub(in crate::engine) fn come_back(&mut self) {
        if self.away.is_none() {
            return;
        }
        self.look_around();
        self.note_phases();
        let Some(away) = self.away.take() else { return };
        self.state.ledger.restarted = !self.state.ledger.zones.is_empty();
        let (compiled, lasted) = (self.compiled.clone(), self.at.saturating_sub(away.since));
        let Some(chain) = DeviceId::new(CHAIN).ok() else { return };
        let Some(slot) = compiled.by_device.get(&chain).and_then(|i| compiled.slot(Some(*i))) else { return };
        let place = Place3 { device: chain, zone: slot.zone, zone_id: slot.zone_id.clone() };
        let long = |r: &Rule| away.phases & r.phases != 0 && lasted >= r.hold;
        let rules: Vec<u16> = self.gap_rules(true).into_iter().filter(|i| compiled.rule(*i).is_some_and(long)).collect();
        let Some(rule) = rules.iter().filter_map(|i| compiled.rule(*i)).min_by_key(|r| r.severity) else { return };
        let key = (rule.hazard.clone(), Place { zone: place.zone_id, device: Some(place.device.clone()) });
        let note = format!("{} – {}", self.local_time(away.since), self.local_time(self.at));
        let findings: Vec<FindingKey> = rules.iter().map(|i| (*i, Some(place.device.clone()), 0)).collect();
        self.raise_all(key.clone(), findings.clone(), Cause { note: Some(note), ..Cause::default() });
        for f in &findings {
            self.lift(&key, f, Cause::default());
        }
    }

    /// "2026-11-23 10:05" by the site's clock.
    fn local_time(&self, at: EngineMs) -> String {
        let offset = self.state.configuration.as_ref().map_or(0, |c| c.site.utc_offset_minutes);
        let minute = self.state.utc(at).div_euclid(60_000).saturating_add(i64::from(offset));
        let of_day = minute.rem_euclid(1440);
        format!("{} {:02}:{:02}", date_of(minute.div_euclid(1440)), of_day / 60, of_day % 60)
    }
}
