//! What is told to nobody for a while: alarms that a person has shelved, zones under maintenance, devices out of service; and drills.
//!
//! What must hold: each has an author, a reason and an end; an emergency is shelved for a quarter of an hour at most, and never silently; the alarm button and a
//! report of concern are never suppressed; what is suppressed is recorded all the same.
use super::incident::{Cause, Incident, Key};
use super::input::EngineMs;
use super::outcome::NoticeKind;
use super::step::Run;
use super::timer::Timer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tuoan_protocol::{CauseCode, DeviceId, HazardId, Inhibition, Rung, Severity, Transition, Via, ZoneId};

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The alarm of one hazard at one place.
    Alarm(Key),
    Zone(ZoneId),
    Device(DeviceId),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Engine time.
    pub since: EngineMs,
    pub until: EngineMs,
    pub by: String,
    pub why: String,
}

/// A drill under way: the one device that may stage it, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    pub hazard: HazardId,
    pub zone: ZoneId,
    pub since: EngineMs,
    pub until: EngineMs,
    pub by: String,
}

/// Device ids that stage drills: this and the zone's id. Heard only while a drill is under way there.
pub const DRILL_PREFIX: &str = "drill.";

pub fn is_drill(device: &DeviceId) -> bool {
    device.as_str().starts_with(DRILL_PREFIX)
}

/// What nobody may suppress.
const ALWAYS_TOLD: [&str; 2] = ["panic.button", "concern.report"];

const MINUTE: i64 = 60_000;
/// An emergency may be shelved for so long (ISA-18.2 asks that shelving be bounded; this bound is ours).
pub const SHELVE_EMERGENCY_MIN: u32 = 15;
pub const SHELVE_SERIOUS_MIN: u32 = 8 * 60;
pub const SHELVE_OTHER_MIN: u32 = 7 * 24 * 60;
pub const MAINTENANCE_MIN: u32 = 8 * 60;
pub const OUT_OF_SERVICE_MIN: u32 = 30 * 24 * 60;
pub const DRILL_MIN: u32 = 60;
/// Standings of all kinds at once.
pub const MAX_STANDINGS: usize = 256;

/// Minutes that an alarm of that severity may be shelved for.
pub fn shelve_limit(severity: Severity) -> u32 {
    match severity {
        Severity::Emergency => SHELVE_EMERGENCY_MIN,
        Severity::Serious => SHELVE_SERIOUS_MIN,
        Severity::General | Severity::Advisory => SHELVE_OTHER_MIN,
    }
}

impl Run<'_> {
    /// Why that incident is told to nobody now.
    fn inhibition(&self, key: &Key, incident: &Incident) -> Option<Inhibition> {
        let on = |scope: Scope| self.state.standings.contains_key(&scope);
        if on(Scope::Alarm(key.clone())) {
            return Some(Inhibition::Shelved);
        }
        if incident.exercise.is_some() || ALWAYS_TOLD.contains(&key.0.as_str()) {
            return None;
        }
        let drilled =
            self.state.drill.as_ref().is_some_and(|d| self.compiled.patterns.iter().any(|p| p.lead == d.hazard && p.takes(&key.0)));
        if on(Scope::Zone(key.1.zone.clone())) || drilled {
            return Some(Inhibition::Suppressed);
        }
        let out = |device: &DeviceId| on(Scope::Device(device.clone()));
        let parts = self.state.incidents.values().filter(|i| i.within.as_ref() == Some(key));
        let mut upheld = std::iter::once(incident).chain(parts).flat_map(|i| i.findings.keys()).map(|f| f.1.as_ref()).peekable();
        let all_out = if upheld.peek().is_some() {
            upheld.all(|d| d.is_some_and(out))
        } else {
            // Nothing upholds it any more: it stays what it was.
            incident.inhibited == Some(Inhibition::OutOfService) && incident.trigger.as_ref().is_some_and(|t| out(&t.device))
        };
        all_out.then_some(Inhibition::OutOfService)
    }

    /// Sets whether an incident is told, without a word: its next event says it.
    pub(super) fn weigh(&mut self, key: &Key) {
        let inhibited = self.state.incidents.get(key).and_then(|i| self.inhibition(key, i));
        if let Some(i) = self.state.incidents.get_mut(key) {
            i.inhibited = inhibited;
        }
    }

    /// The same for all, with an event where it has changed.
    fn weigh_all(&mut self, cause: &Cause) {
        let keys: Vec<Key> = self.state.incidents.iter().filter(|(_, i)| i.within.is_none()).map(|(k, _)| k.clone()).collect();
        keys.iter().for_each(|key| self.reweigh(key, cause));
    }

    /// The same for one: also when what upholds it has changed, for what one device out of service says another may say in earnest.
    pub(super) fn reweigh(&mut self, key: &Key, cause: &Cause) {
        let before = self.state.incidents.get(key).and_then(|i| i.inhibited);
        self.weigh(key);
        let Some(incident) = self.state.incidents.get(key).filter(|i| i.inhibited != before) else { return };
        let (active, severity) = (incident.active(), incident.severity);
        match incident.inhibited {
            Some(kind) => {
                let transition = match kind {
                    Inhibition::Shelved => Transition::Shelved,
                    Inhibition::Suppressed => Transition::Suppressed,
                    Inhibition::OutOfService => Transition::OutOfService,
                };
                self.say(key, transition, cause);
                if severity == Severity::Emergency {
                    self.tell(key, &[Rung::Director, Rung::Deputy, Rung::District], NoticeKind::Update, false);
                }
                self.climb(key);
            }
            None => {
                self.say(key, Transition::Released, cause);
                if active {
                    self.lead(key);
                    self.begin_climb(key);
                }
            }
        }
    }

    pub(super) fn stand(&mut self, scope: Scope, minutes: u32, cause: &Cause, why: &str) {
        let until = self.at.saturating_add(i64::from(minutes).saturating_mul(MINUTE));
        let by = cause.actor.clone().unwrap_or_default();
        self.state.standings.insert(scope, Standing { since: self.at, until, by, why: why.to_owned() });
        self.state.timers.arm(until, Timer::Standing);
        self.weigh_all(&Cause { until: Some(until), note: Some(why.to_owned()), ..cause.clone() });
    }

    /// True when there was such a standing.
    pub(super) fn stand_down(&mut self, scope: &Scope, cause: &Cause) -> bool {
        let was = self.state.standings.remove(scope).is_some();
        if was {
            self.weigh_all(cause);
        }
        was
    }

    /// It is worse than what was shelved.
    pub(super) fn unshelve(&mut self, key: &Key) {
        self.state.standings.remove(&Scope::Alarm(key.clone()));
    }

    /// A shelving goes on over an incident's end; for a graver one than it was meant for it does not hold.
    pub(super) fn unshelve_graver(&mut self, key: &Key) {
        let Some(severity) = self.state.incidents.get(key).map(|i| i.severity) else { return };
        let most = i64::from(shelve_limit(severity)).saturating_mul(MINUTE);
        let standing = self.state.standings.get(&Scope::Alarm(key.clone()));
        if standing.is_some_and(|s| s.until.saturating_sub(s.since) > most) {
            self.unshelve(key);
        }
    }

    /// What was to end by now ends.
    pub(super) fn standings_due(&mut self) {
        let at = self.at;
        let before = self.state.standings.len();
        self.state.standings.retain(|_, s| s.until > at);
        let cause = Cause { via: Some(Via::Gateway), ..Cause::default() };
        self.commissioning_due();
        if self.state.drill.as_ref().is_some_and(|d| d.until <= at) {
            self.end_drill(&cause);
        } else if self.state.standings.len() != before {
            self.weigh_all(&cause);
        }
        self.arm_standings();
    }

    pub(super) fn arm_standings(&mut self) {
        let ends = self.state.standings.values().map(|s| s.until).chain(self.state.drill.as_ref().map(|d| d.until));
        let ends = ends.chain(self.commissioning_ends());
        if let Some(due) = ends.min() {
            self.state.timers.arm(due, Timer::Standing);
        }
    }

    pub(super) fn begin_drill(&mut self, hazard: HazardId, zone: ZoneId, minutes: u32, cause: &Cause) {
        let until = self.at.saturating_add(i64::from(minutes).saturating_mul(MINUTE));
        let by = cause.actor.clone().unwrap_or_default();
        self.state.drill = Some(Drill { hazard, zone, since: self.at, until, by });
        self.state.timers.arm(until, Timer::Standing);
        self.weigh_all(&Cause { until: Some(until), ..cause.clone() });
    }

    /// What was staged is over: its incident is closed as a test.
    pub(super) fn end_drill(&mut self, cause: &Cause) {
        let Some(drill) = self.state.drill.take() else { return };
        let Ok(id) = DeviceId::new(&format!("{DRILL_PREFIX}{}", drill.zone)) else { return };
        if let Some(device) = self.state.devices.get_mut(&id) {
            for ((rule, channel), t) in std::mem::take(&mut device.tracks) {
                if let Some(due) = t.due {
                    self.state.timers.disarm(due, Timer::Track(id.clone(), rule, channel));
                }
            }
            device.values.clear();
            device.struck.clear();
        }
        let keys: Vec<Key> = self.state.incidents.keys().filter(|k| k.1.device.as_ref() == Some(&id)).cloned().collect();
        for key in keys {
            let findings: Vec<_> = self.state.incidents.get(&key).into_iter().flat_map(|i| i.findings.keys().cloned()).collect();
            for finding in findings {
                self.lift(&key, &finding, Cause::default());
            }
            self.resolve(&key, CauseCode::Test, cause);
            if let Some(i) = self.state.incidents.get_mut(&key) {
                (i.regather, i.chattering) = (0, false);
            }
            self.close_or_wait(&key);
        }
        self.weigh_all(cause);
    }

    /// A person says that it is handled, and what it was.
    pub(super) fn resolve(&mut self, key: &Key, code: CauseCode, cause: &Cause) {
        let at = self.at;
        let Some(incident) = self.state.incidents.get_mut(key) else { return };
        incident.resolved = Some((code, at));
        // Whoever handles it has taken note.
        incident.acknowledged = true;
        self.say(key, Transition::Resolved, &Cause { code: Some(code), ..cause.clone() });
        self.tell_end(key);
        self.close_or_wait(key);
    }
}

/// All that stands, by what it is about.
pub type Standings = BTreeMap<Scope, Standing>;
