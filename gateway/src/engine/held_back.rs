//! What the site's overrides hold back: an incident that is not raised because of one is not forgotten.
use super::detect::Change;
use super::incident::{FindingKey, Incident, Key};
use super::rules::{Latch, Rule};
use super::state::State;
use super::step::Run;
use super::timer::Timer;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::{HazardId, Place, ZoneId};

/// Of one rule, while an override of it is in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeldBack {
    /// How often it would have raised an incident where none was active.
    pub times: u32,
    /// UTC milliseconds of the last time.
    pub last: i64,
    now: BTreeMap<FindingKey, (HazardId, Place)>,
}

impl Run<'_> {
    /// A shadow has something to say.
    pub(super) fn hold_back(&mut self, rule: &Rule, key: Key, finding: FindingKey, change: Change) {
        let at = self.state.utc(self.at);
        let covered = self.state.incidents.get(&key).is_some_and(Incident::active);
        let held = self.state.held_back.entry(rule.id.clone()).or_default();
        match change {
            Change::Raise => {
                if !covered && !held.now.values().any(|k| *k == key) {
                    (held.times, held.last) = (held.times.saturating_add(1), at);
                }
                held.now.insert(finding, key);
            }
            Change::Lift => drop(held.now.remove(&finding)),
        }
    }

    /// What ends findings in a zone ends those of shadows, too.
    pub(super) fn release(&mut self, zone: &ZoneId, by: Latch) {
        let compiled = self.compiled.clone();
        let waits = |i: u16| compiled.rule(i).is_some_and(|r| r.latch.contains(&by));
        let mut over = Vec::new();
        for held in self.state.held_back.values_mut() {
            held.now.retain(|f, (_, place)| {
                let ends = place.zone == *zone && waits(f.0);
                if ends {
                    over.push(f.clone());
                }
                !ends
            });
        }
        for (rule, device, channel) in over {
            let Some((id, d)) = device.and_then(|id| Some((id.clone(), self.state.devices.get_mut(&id)?))) else { continue };
            if let Some(due) = d.tracks.remove(&(rule, channel)).and_then(|t| t.due) {
                self.state.timers.disarm(due, Timer::Track(id, rule, channel));
            }
        }
    }

    /// After a new configuration: what is still in force goes on counting.
    pub(super) fn carry_held_back(&mut self, new_index: &BTreeMap<u16, u16>) {
        let compiled = self.compiled.clone();
        let shadows: BTreeSet<_> = compiled.rules.iter().filter(|r| r.shadow).map(|r| &r.id).collect();
        self.state.held_back.retain(|rule, _| shadows.contains(rule));
        for held in self.state.held_back.values_mut() {
            let now = std::mem::take(&mut held.now).into_iter();
            let moved = now.filter_map(|((i, device, channel), key)| Some(((*new_index.get(&i)?, device, channel), key)));
            let tracked = |f: &FindingKey| {
                let device = f.1.as_ref().and_then(|d| self.state.devices.get(d));
                device.is_some_and(|d| d.tracks.contains_key(&(f.0, f.2)))
            };
            held.now = moved.filter(|(f, _)| tracked(f)).collect();
        }
    }
}

impl State {
    /// Where a rule would have an incident now, and has none.
    pub(super) fn held_back_now(&self, held: &HeldBack) -> Vec<Place> {
        let bare = held.now.values().filter(|k| !self.incidents.get(k).is_some_and(Incident::active));
        bare.map(|(_, place)| place.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }
}
