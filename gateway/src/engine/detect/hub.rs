//! Inhibition by topology: when a switch, coordinator or hub is gone, the silence of all that are heard through it is one incident, the hub's.
//!
//! What must hold:
//! - each of them still counts as silent (a blind sensor is shown blind), only the finding stands at the hub's place;
//! - the incident is as severe as its most severe part;
//! - a hub is held to be gone when it says so, or is overdue itself, or at least [`ENOUGH`] of those behind it are overdue; and never while
//!   anyone behind it is heard;
//! - when it is back, whoever stays silent gets its own incident after its own missed periods.
use super::silence;
use crate::engine::UNPLACED_ZONE;
use crate::engine::incident::{Cause, FindingKey, Key};
use crate::engine::step::{Place3, Run};
use tuoan_protocol::{DeviceId, Place, Trigger, ZoneId};

/// So many that fall silent together behind a hub nobody hears of are its doing.
const ENOUGH: usize = 3;
/// Hubs behind hubs that are followed.
const DEPTH: usize = 8;

impl Run<'_> {
    /// Through which device it is heard, by the site file or by its bridge's word.
    fn upstream(&self, id: &DeviceId) -> Option<DeviceId> {
        let device = self.state.devices.get(id)?;
        let placed = self.compiled.slot(device.slot).and_then(|s| s.via.clone());
        placed.or_else(|| device.info.via.clone()).filter(|hub| hub != id)
    }

    /// The hubs between it and us, nearest first.
    fn hubs(&self, id: &DeviceId) -> Vec<DeviceId> {
        let mut out: Vec<DeviceId> = Vec::new();
        // Where nobody says so, those of one convention (`z2m.` ...) come the same way.
        let convention = || id.as_str().split_once('.').and_then(|(convention, _)| DeviceId::new(convention).ok());
        let mut next = self.upstream(id).or_else(convention);
        while let Some(hub) = next.filter(|h| h != id && !out.contains(h) && out.len() < DEPTH) {
            next = self.upstream(&hub);
            out.push(hub);
        }
        out
    }

    fn behind(&self, hub: &DeviceId) -> Vec<DeviceId> {
        self.state.devices.keys().filter(|id| self.hubs(id).contains(hub)).cloned().collect()
    }

    /// The hub whose loss explains that this device is silent: the farthest of those that are gone.
    fn gone_hub(&self, id: &DeviceId) -> Option<DeviceId> {
        self.compiled.hub?;
        self.hubs(id).into_iter().rev().find(|hub| self.is_gone(hub, id))
    }

    fn is_gone(&self, hub: &DeviceId, id: &DeviceId) -> bool {
        let at = self.at;
        let overdue = |id: &DeviceId| {
            let Some(d) = self.state.devices.get(id) else { return false };
            let since = d.quiet_since.unwrap_or(at);
            d.silent || silence::period(d, self.compiled.slot(d.slot)).is_some_and(|p| at.saturating_sub(since) > p.saturating_add(p / 2))
        };
        let Some(child) = self.state.devices.get(id) else { return false };
        let period = silence::period(child, self.compiled.slot(child.slot)).unwrap_or(0);
        let until = child.quiet_since.unwrap_or(at).saturating_add(period);
        let behind = self.behind(hub);
        // While anyone is heard through it, it is there.
        if behind.iter().filter_map(|d| self.state.devices.get(d)?.quiet_since.filter(|_| d != id)).any(|t| t > until) {
            return false;
        }
        self.state.devices.get(hub).is_some_and(|h| h.silent || h.offline_since.is_some())
            || overdue(hub)
            || behind.iter().filter(|d| overdue(d)).count() >= ENOUGH
    }

    fn hub_place(&self, hub: &DeviceId) -> Option<Place> {
        let placed = self.compiled.by_device.get(hub).and_then(|i| self.compiled.slot(Some(*i))).map(|s| s.zone_id.clone());
        Some(Place { zone: placed.or_else(|| ZoneId::new(UNPLACED_ZONE).ok())?, device: Some(hub.clone()) })
    }

    fn hub_key(&self, hub: &DeviceId) -> Option<(Key, FindingKey)> {
        let (index, rule) = self.compiled.hub.and_then(|i| Some((i, self.compiled.rule(i)?)))?;
        Some(((rule.hazard.clone(), self.hub_place(hub)?), (index, Some(hub.clone()), 0)))
    }

    /// Tells a device's silence under the hub whose loss explains it; false when none does.
    pub(in crate::engine) fn gather(&mut self, id: &DeviceId) -> bool {
        let Some(hub) = self.gone_hub(id) else { return false };
        // Those whose incidents were opened before the hub was known to be gone come under it too.
        let others = self.behind(&hub).into_iter().filter(|d| self.state.devices.get(d).is_some_and(|d| d.silent && d.under.is_none()));
        let mut all: Vec<DeviceId> = others.filter(|d| d != id && self.gone_hub(d).as_ref() == Some(&hub)).collect();
        all.push(id.clone());
        self.put_under(&hub, &all);
        true
    }

    /// A hub is silent itself: whoever fell silent before it comes under it.
    pub(in crate::engine) fn gather_behind(&mut self, hub: &DeviceId) {
        if self.compiled.hub.is_none() {
            return;
        }
        let silent = self.behind(hub).into_iter().filter(|d| self.state.devices.get(d).is_some_and(|d| d.silent && d.under.is_none()));
        let all: Vec<DeviceId> = silent.filter(|d| self.gone_hub(d).as_ref() == Some(hub)).collect();
        if !all.is_empty() {
            self.put_under(hub, &all);
        }
    }

    fn put_under(&mut self, hub: &DeviceId, ids: &[DeviceId]) {
        let Some((key, own)) = self.hub_key(hub) else { return };
        let word = |device: &DeviceId| Some(Trigger { device: device.clone(), reading: None, seq: None });
        let note = self.note(hub);
        let cause = Cause { trigger: word(hub), note: Some(note.clone()), ..Cause::default() };
        let mut findings = vec![own];
        for id in ids {
            let Some((was, finding)) = self.own_silence(id) else { continue };
            self.lift(&was, &finding, Cause { trigger: word(id), note: Some(note.clone()), ..Cause::default() });
            findings.push(finding);
            if let Some(d) = self.state.devices.get_mut(id) {
                d.under = Some(hub.clone());
            }
        }
        self.state.hubs.insert(hub.clone());
        self.raise_all(key, findings, cause);
    }

    /// Who is heard through it, as the timeline tells it.
    fn note(&self, hub: &DeviceId) -> String {
        let behind: Vec<DeviceId> = self.behind(hub).into_iter().filter(|d| self.compiled.by_device.contains_key(d)).collect();
        let names: Vec<&str> = behind.iter().map(DeviceId::as_str).collect();
        format!("经由它的设备 · heard through it: {}: {}", names.len(), names.join(", "))
    }

    /// Where a device's own silence is told.
    fn own_silence(&self, id: &DeviceId) -> Option<(Key, FindingKey)> {
        let slot = self.compiled.slot(self.state.devices.get(id)?.slot)?;
        let (index, rule) = slot.silence.and_then(|i| Some((i, self.compiled.rule(i)?)))?;
        let at = Place3 { device: id.clone(), zone: slot.zone, zone_id: slot.zone_id.clone() };
        Some(((rule.hazard.clone(), at.place(rule)), (index, Some(id.clone()), 0)))
    }

    /// A device that was told under a hub stays silent though the hub is back: its own incident.
    pub(in crate::engine) fn stand_alone(&mut self, id: &DeviceId) {
        if let Some(hub) = self.gone_hub(id) {
            // It went again: still the hub's, which is known to be gone again, or its next return would wake nobody behind it.
            if self.state.devices.get(id).and_then(|d| d.under.as_ref()) != Some(&hub) {
                self.leave(id, Cause::default());
            }
            return self.put_under(&hub, std::slice::from_ref(id));
        }
        self.leave(id, Cause::default());
        if let Some((key, finding)) = self.own_silence(id) {
            let trigger = Some(Trigger { device: id.clone(), reading: None, seq: None });
            self.raise(key, finding, Cause { trigger, ..Cause::default() });
        }
    }

    /// Takes a device's silence away from the hub's incident; true when it was there.
    pub(in crate::engine) fn leave(&mut self, id: &DeviceId, cause: Cause) -> bool {
        let Some(hub) = self.state.devices.get_mut(id).and_then(|d| d.under.take()) else { return false };
        if let (Some((key, _)), Some((_, finding))) = (self.hub_key(&hub), self.own_silence(id)) {
            self.lift(&key, &finding, cause);
        }
        true
    }

    /// Something was heard, from this device: the hubs it is and the hubs it came through are there.
    pub(in crate::engine) fn hubs_heard(&mut self, id: &DeviceId, cause: &Cause) {
        let mut there = self.hubs(id);
        there.push(id.clone());
        for hub in there {
            if !self.state.hubs.remove(&hub) {
                continue;
            }
            if let Some((key, own)) = self.hub_key(&hub) {
                self.lift(&key, &own, cause.clone());
            }
            let at = self.at;
            let under = self.state.devices.iter_mut().filter(|(d, _)| *d != id).filter(|(_, d)| d.under.as_ref() == Some(&hub));
            let waiting: Vec<DeviceId> = under
                .map(|(id, d)| {
                    d.quiet_since = Some(at);
                    id.clone()
                })
                .collect();
            for id in &waiting {
                self.arm_silence(id);
            }
        }
    }

    /// After a change of the configuration: who was told under a hub that stands elsewhere now, or is none any more, is told anew.
    pub(in crate::engine) fn dissolve(&mut self, was: impl Fn(&DeviceId) -> Option<Place>) {
        let moved: Vec<DeviceId> =
            self.state.hubs.iter().filter(|h| self.compiled.hub.is_none() || was(h) != self.hub_place(h)).cloned().collect();
        for device in self.state.devices.values_mut() {
            if device.under.as_ref().is_some_and(|h| moved.contains(h)) {
                (device.under, device.silent) = (None, false);
            }
        }
        self.state.hubs.retain(|h| !moved.contains(h));
    }
}
