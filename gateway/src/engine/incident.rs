//! Findings -> incidents: one incident for each hazard and place while it lasts, with a life cycle after ISA-18.2.
use super::ENGINE_VERSION;
use super::climb::Climb;
use super::compiled::CANARY;
use super::input::{EngineMs, Item, Message};
use super::rules::{Kind, Rule};
use super::standing::is_drill;
use super::step::Run;
use super::timer::Timer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::{
    Basis, CauseCode, DeviceId, EventId, EventKind, Exercise, HazardId, IncidentEvent, IncidentId, IncidentState, Inhibition, LogId, Place,
    RuleId, Rung, Severity, Transition, Trigger, Via,
};

/// What upholds an incident: a rule at a device and channel. A person's report has no device.
pub type FindingKey = (u16, Option<DeviceId>, u8);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub trigger: Option<Trigger>,
    pub found_on_connect: bool,
    /// Another sensor has confirmed what was only inferred.
    #[serde(default)]
    pub confirmed: bool,
}

/// An incident that is not closed yet, or was closed lately.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    /// UTC milliseconds.
    pub opened_at: i64,
    pub changed_at: i64,
    pub acknowledged: bool,
    pub severity: Severity,
    /// The most urgent it ever was: that decides whether a person must have acknowledged before it closes.
    pub peak: Severity,
    pub basis: Basis,
    pub rule: RuleId,
    pub trigger: Option<Trigger>,
    pub activations: u32,
    pub found_on_connect: bool,
    /// Number of its last event.
    pub sequence: u64,
    pub findings: BTreeMap<FindingKey, Finding>,
    /// Engine time of its return, while nothing upholds it.
    pub returned: Option<EngineMs>,
    pub regather: i64,
    pub siren: bool,
    /// Stays open until someone has taken note, however harmless.
    #[serde(default)]
    pub owed: bool,
    /// Who has it in hand, and since when (engine time).
    #[serde(default)]
    pub assignee: Option<(String, EngineMs)>,
    /// A person has said that it is handled, what it was, and when (engine time).
    #[serde(default)]
    pub resolved: Option<(CauseCode, EngineMs)>,
    #[serde(default)]
    pub inhibited: Option<Inhibition>,
    /// It flaps: counted, and active until it is quiet.
    #[serde(default)]
    pub chattering: bool,
    /// It goes on as part of that one, which tells of it.
    #[serde(default)]
    pub within: Option<Key>,
    #[serde(default)]
    pub climb: Climb,
    /// Ids of the people who were told.
    #[serde(default)]
    pub told: BTreeSet<String>,
    #[serde(default)]
    pub exercise: Option<Exercise>,
}

impl Incident {
    pub fn active(&self) -> bool {
        self.returned.is_none() || self.chattering
    }
    pub fn state(&self, closed: bool) -> IncidentState {
        IncidentState { active: self.active(), acknowledged: self.acknowledged, closed, inhibited: self.inhibited }
    }
    /// Whether others may come under it: it is told itself.
    pub(super) fn leads(&self) -> bool {
        self.within.is_none() && self.exercise.is_none() && self.inhibited.is_none() && self.resolved.is_none()
    }
    /// Returned, and nobody owes it an acknowledgement: closes when the regather time is over.
    fn closes_at(&self) -> Option<EngineMs> {
        let settled = self.acknowledged || self.resolved.is_some() || self.peak >= Severity::General && !self.owed;
        self.returned.filter(|_| settled).map(|t| t.saturating_add(self.regather))
    }
}

pub type Key = (HazardId, Place);

/// A chattering alarm has returned when it was quiet for so long.
pub(super) const QUIET_MS: i64 = 5 * 60_000;
/// So many activations within [`CHATTER_MS`] are chatter.
const CHATTER: usize = 5;
const CHATTER_MS: i64 = 30 * 60_000;
/// Alarms whose habits are remembered.
const HABITS: usize = 512;
/// Closed incidents that can still be reopened or given a cause.
const RECENT: usize = 64;

/// Who or what brought a change about, and what a person said with it.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    pub trigger: Option<Trigger>,
    pub found_on_connect: bool,
    pub actor: Option<String>,
    pub note: Option<String>,
    pub via: Option<Via>,
    pub code: Option<CauseCode>,
    /// Engine time.
    pub until: Option<EngineMs>,
    pub other: Option<IncidentId>,
    pub rung: Option<Rung>,
}

impl Run<'_> {
    /// A condition holds.
    pub(super) fn raise(&mut self, key: Key, finding: FindingKey, cause: Cause) {
        self.raise_all(key, vec![finding], cause);
    }

    /// Several conditions at one place hold from now on, told as one.
    pub(super) fn raise_all(&mut self, key: Key, findings: Vec<FindingKey>, cause: Cause) {
        let (key, tested) = self.test_or_earnest(key, &findings);
        let confirmed = |f: &FindingKey| self.compiled.rule(f.0).is_some_and(|r| self.is_confirmed(r, &key.1.zone));
        let entry =
            |f: &FindingKey| Finding { trigger: cause.trigger.clone(), found_on_connect: cause.found_on_connect, confirmed: confirmed(f) };
        let entries: BTreeMap<FindingKey, Finding> = findings.iter().map(|f| (f.clone(), entry(f))).collect();
        if let Some(incident) = self.state.incidents.get_mut(&key) {
            incident.findings.extend(entries);
        } else {
            let Some(rule) = findings.first().and_then(|f| self.compiled.rule(f.0)) else { return };
            let Some(id) = self.next_id() else { return };
            let now = self.state.utc(self.at);
            let exercise = match key.1.device.as_ref() {
                Some(d) if is_drill(d) => Some(Exercise::Drill),
                _ => tested.then_some(Exercise::Commissioning),
            };
            let incident = Incident {
                id,
                opened_at: now,
                changed_at: now,
                acknowledged: false,
                severity: rule.severity,
                peak: rule.severity,
                basis: rule.basis,
                rule: rule.id.clone(),
                trigger: cause.trigger.clone(),
                activations: 0,
                found_on_connect: cause.found_on_connect,
                sequence: 0,
                findings: entries,
                returned: Some(self.at),
                regather: rule.regather,
                siren: false,
                owed: false,
                assignee: None,
                resolved: None,
                inhibited: None,
                chattering: false,
                within: if exercise.is_none() { self.leader_of(&key.0).or_else(|| self.told_by_device(&key)) } else { None },
                climb: Climb::default(),
                told: BTreeSet::new(),
                exercise,
            };
            let joins = incident.within.clone();
            self.state.incidents.insert(key.clone(), incident);
            if let Some(leader) = joins {
                self.say(&leader, Transition::Gathered, &Cause { note: Some(key.0.to_string()), ..cause.clone() });
            }
        }
        self.settle(&key, cause);
    }

    /// A condition holds no longer.
    pub(super) fn lift(&mut self, key: &Key, finding: &FindingKey, cause: Cause) {
        let key = &self.upheld_by(key, finding);
        if let Some(incident) = self.state.incidents.get_mut(key)
            && incident.findings.remove(finding).is_some()
        {
            self.settle(key, cause);
        }
    }

    /// Brings an incident in line with its findings, and with those of its parts, and says what changed.
    pub(super) fn settle(&mut self, key: &Key, cause: Cause) {
        let compiled = self.compiled.clone();
        let Some(incident) = self.state.incidents.get(key) else { return };
        if let Some(whole) = incident.within.clone().filter(|w| self.state.incidents.contains_key(w)) {
            if incident.findings.is_empty() {
                self.state.incidents.remove(key);
            }
            return self.settle(&whole, cause);
        }
        let findings = self.all_findings(key);
        let kind_before = (incident.severity, incident.basis);
        let begins = !findings.is_empty() && incident.returned.is_some();
        // A rule that gathers nothing (regather = "0s") says that each time is an incident of its own.
        let gathers = findings.iter().any(|(k, _)| compiled.rule(*k).is_some_and(|r| r.regather > 0));
        let flaps = begins && gathers && self.flaps(key);
        let Some(incident) = self.state.incidents.get_mut(key) else { return };
        let basis_of = |r: &Rule, f: &Finding| if f.confirmed { Basis::Confirmed } else { r.basis };
        let all = || findings.iter().filter_map(|(k, f)| Some((compiled.rule(*k)?, f)));
        let top = all().min_by_key(|(r, f)| (r.severity, basis_of(r, f)));
        let transition = match top {
            Some((rule, finding)) => {
                let before = (incident.severity, incident.basis);
                let was_active = incident.returned.is_none();
                let basis = all().map(|(r, f)| basis_of(r, f)).min().unwrap_or(rule.basis);
                let siren = all().any(|(r, f)| r.siren && basis_of(r, f) == Basis::Confirmed && r.severity == Severity::Emergency);
                (incident.severity, incident.basis) = (rule.severity, basis);
                incident.peak = incident.peak.min(rule.severity);
                incident.regather = incident.regather.max(rule.regather);
                incident.siren = siren;
                incident.owed |= rule.acknowledge;
                let first = incident.activations == 0;
                if !was_active {
                    incident.returned = None;
                    incident.activations = incident.activations.saturating_add(1);
                }
                let transition = match (first, was_active) {
                    (true, _) => Some(Transition::Opened),
                    (false, _) if rule.severity < before.0 => Some(Transition::Raised),
                    // 推测 has become 已确认: that changes who is woken.
                    (false, _) if rule.severity == before.0 && basis < before.1 => Some(Transition::Raised),
                    // Counted, and told when it is quiet.
                    (false, false) if incident.chattering => None,
                    (false, false) if flaps => Some(Transition::Chattering),
                    (false, false) => Some(Transition::Reactivated),
                    (false, true) if rule.severity > before.0 => Some(Transition::Lowered),
                    (false, true) => None,
                };
                incident.chattering |= flaps;
                if transition.is_some() {
                    // A hub speaks for all that is gathered under it.
                    let (rule, finding) = all().find(|(r, _)| r.kind == Kind::Hub).unwrap_or((rule, finding));
                    incident.rule = rule.id.clone();
                    incident.trigger = finding.trigger.clone();
                }
                if matches!(transition, Some(Transition::Reactivated | Transition::Raised)) {
                    // News: whoever acknowledged or handled it has not seen this.
                    incident.acknowledged = false;
                    (incident.resolved, incident.assignee) = (None, None);
                }
                transition
            }
            None if incident.returned.is_none() => {
                incident.returned = Some(self.at);
                (!incident.chattering).then_some(Transition::Returned)
            }
            None => None,
        };
        match transition {
            Some(Transition::Opened) => {
                self.unshelve_graver(key);
                self.weigh(key);
                self.say(key, Transition::Opened, &cause);
                if flaps {
                    self.say(key, Transition::Chattering, &Cause::default());
                }
                self.lead(key);
                self.begin_climb(key);
            }
            // It comes back for the last time that is told: from here on the ladder goes on whether it holds at the moment or not.
            Some(t @ (Transition::Raised | Transition::Reactivated | Transition::Chattering)) => {
                if t == Transition::Raised {
                    self.unshelve(key);
                }
                self.weigh(key);
                self.say(key, t, &cause);
                self.lead(key);
                self.begin_climb(key);
            }
            Some(t) => {
                self.say(key, t, &cause);
                if t == Transition::Returned {
                    self.tell_end(key);
                } else {
                    self.reweigh(key, &Cause { via: Some(Via::Gateway), ..Cause::default() });
                }
            }
            None if !findings.is_empty() => self.reweigh(key, &Cause { via: Some(Via::Gateway), ..Cause::default() }),
            None => {}
        }
        let news = matches!(transition, Some(Transition::Opened | Transition::Raised | Transition::Reactivated | Transition::Chattering));
        if !news && self.state.incidents.get(key).is_some_and(|i| (i.severity, i.basis) != kind_before) {
            self.ease_climb(key);
        }
        self.close_or_wait(key);
    }

    /// Its own findings and those of its parts, with the number of their rules.
    fn all_findings(&self, key: &Key) -> Vec<(u16, Finding)> {
        let own = self.state.incidents.get(key).into_iter();
        let parts = self.state.incidents.values().filter(|i| i.within.as_ref() == Some(key));
        own.chain(parts).flat_map(|i| i.findings.iter().map(|(k, f)| (k.0, f.clone()))).collect()
    }

    /// Notes that it becomes active; true when it has done so too often lately.
    fn flaps(&mut self, key: &Key) -> bool {
        let since = self.at.saturating_sub(CHATTER_MS);
        if self.state.habits.len() >= HABITS && !self.state.habits.contains_key(key) {
            self.state.habits.retain(|_, times| times.last().is_some_and(|t| *t > since));
            if self.state.habits.len() >= HABITS {
                return false;
            }
        }
        let times = self.state.habits.entry(key.clone()).or_default();
        times.retain(|t| *t > since);
        times.push(self.at);
        if times.len() > CHATTER {
            times.remove(0);
        }
        times.len() >= CHATTER
    }

    /// The incident under which that hazard comes now, by the declared patterns. One that is told to nobody, or that somebody has declared
    /// handled, would hide it.
    fn leader_of(&self, hazard: &HazardId) -> Option<Key> {
        let leads = |key: &Key, i: &Incident| {
            i.leads() && i.active() && self.compiled.patterns.iter().any(|p| p.lead == key.0 && i.severity <= p.from && p.takes(hazard))
        };
        self.state.incidents.iter().find(|(key, i)| leads(key, i)).map(|(key, _)| key.clone())
    }

    /// Takes in what its patterns declare part of it and began shortly before.
    pub(super) fn lead(&mut self, key: &Key) {
        let Some(leader) = self.state.incidents.get(key).filter(|i| i.leads()) else { return };
        let (now, severity) = (self.state.utc(self.at), leader.severity);
        let patterns: Vec<_> = self.compiled.patterns.iter().filter(|p| p.lead == key.0 && severity <= p.from).cloned().collect();
        for pattern in patterns {
            let joins = |(k, i): (&Key, &Incident)| {
                let fresh = now.saturating_sub(i.opened_at) <= pattern.within;
                (k != key && i.within.is_none() && i.active() && i.exercise.is_none() && fresh && pattern.takes(&k.0)).then(|| k.clone())
            };
            let parts: Vec<Key> = self.state.incidents.iter().filter_map(joins).collect();
            for part in parts {
                self.merge(&part, key, &Cause { note: Some(pattern.id.clone()), via: Some(Via::Gateway), ..Cause::default() });
            }
        }
    }

    /// `part` goes on within `whole`: it is closed in the log, and what upholds it upholds the other.
    pub(super) fn merge(&mut self, part: &Key, whole: &Key, cause: &Cause) {
        let (Some(from), Some(into)) = (self.state.incidents.get(part), self.state.incidents.get(whole)) else { return };
        let (from_id, into_id) = (from.id.clone(), into.id.clone());
        self.say_as(part, Transition::Merged, true, &Cause { other: Some(into_id), ..cause.clone() });
        if let Some(i) = self.state.incidents.get_mut(part) {
            i.within = Some(whole.clone());
            i.climb = Climb::default();
            i.siren = false;
        }
        // What was part of it is part of the whole now.
        for i in self.state.incidents.values_mut().filter(|i| i.within.as_ref() == Some(part)) {
            i.within = Some(whole.clone());
        }
        if let Some(i) = self.state.incidents.get(part).cloned() {
            self.remember_closed(part, i);
        }
        self.say(whole, Transition::Merged, &Cause { other: Some(from_id), ..cause.clone() });
        self.settle(part, Cause::default());
    }

    /// Someone has taken note; `false` when it was noted before.
    pub(super) fn acknowledge(&mut self, key: &Key, cause: &Cause) -> bool {
        match self.state.incidents.get_mut(key) {
            Some(incident) if !incident.acknowledged => incident.acknowledged = true,
            _ => return false,
        }
        self.say(key, Transition::Acknowledged, cause);
        self.climb(key);
        self.close_or_wait(key);
        true
    }

    /// Closes a settled incident whose regather time is over, or waits for that. A chattering one has first to be quiet.
    pub(super) fn close_or_wait(&mut self, key: &Key) {
        let Some(incident) = self.state.incidents.get_mut(key).filter(|i| i.within.is_none()) else { return };
        if incident.chattering {
            let Some(quiet) = incident.returned.map(|t| t.saturating_add(QUIET_MS)) else { return };
            if quiet > self.at {
                return self.state.timers.arm(quiet, Timer::Close(Box::new(key.clone())));
            }
            incident.chattering = false;
            self.say(key, Transition::Returned, &Cause::default());
            self.tell_end(key);
        }
        let Some(due) = self.state.incidents.get(key).and_then(Incident::closes_at) else { return };
        if due > self.at {
            return self.state.timers.arm(due, Timer::Close(Box::new(key.clone())));
        }
        self.say(key, Transition::Closed, &Cause::default());
        if let Some(closed) = self.state.incidents.remove(key) {
            self.remember_closed(key, closed);
        }
    }

    fn remember_closed(&mut self, key: &Key, incident: Incident) {
        self.state.recent.retain(|(_, i)| i.id != incident.id);
        while self.state.recent.len() >= RECENT {
            self.state.recent.pop_front();
        }
        self.state.recent.push_back((key.clone(), incident));
    }

    /// The canary's call becomes an event of the log: it goes the way of every alarm, and nobody is shown it.
    pub(super) fn canary(&mut self, m: &Message) {
        let calls = !m.retained && m.items.iter().any(|i| matches!(i, Item::Event { kind: EventKind::Test, .. }));
        let zone = self.state.configuration.as_ref().and_then(|c| c.site.zones.first()).map(|z| z.id.clone());
        let (Some(zone), Some(id), Ok(hazard), Ok(rule)) = (zone, self.next_id(), HazardId::new(CANARY), RuleId::new(CANARY)) else {
            return;
        };
        if !calls {
            return;
        }
        let now = self.state.utc(self.at);
        let mut incident = Incident {
            id,
            opened_at: now,
            changed_at: now,
            acknowledged: true,
            severity: Severity::Advisory,
            peak: Severity::Advisory,
            basis: Basis::Confirmed,
            rule,
            trigger: Some(Trigger { device: m.device.clone(), reading: None, seq: m.seq }),
            activations: 1,
            found_on_connect: false,
            sequence: 0,
            findings: BTreeMap::new(),
            returned: Some(self.at),
            regather: 0,
            siren: false,
            owed: false,
            assignee: None,
            resolved: None,
            inhibited: None,
            chattering: false,
            within: None,
            climb: Climb::default(),
            told: BTreeSet::new(),
            exercise: Some(Exercise::Canary),
        };
        let key = (hazard, Place { zone, device: Some(m.device.clone()) });
        self.write(&key, &mut incident, Transition::Opened, true, &Cause::default());
    }

    /// Appends one event of an open incident to the incident log.
    pub(super) fn say(&mut self, key: &Key, transition: Transition, cause: &Cause) {
        self.say_as(key, transition, transition == Transition::Closed, cause);
    }

    fn say_as(&mut self, key: &Key, transition: Transition, closed: bool, cause: &Cause) {
        // Taken out while it is written about.
        let Some(mut incident) = self.state.incidents.remove(key) else { return };
        self.write(key, &mut incident, transition, closed, cause);
        self.state.incidents.insert(key.clone(), incident);
    }

    /// Appends one event of an incident that was closed before.
    pub(super) fn say_closed(&mut self, id: &IncidentId, transition: Transition, cause: &Cause) {
        let Some(at) = self.state.recent.iter().position(|(_, i)| i.id == *id) else { return };
        let Some((key, mut incident)) = self.state.recent.remove(at) else { return };
        self.write(&key, &mut incident, transition, true, cause);
        self.state.recent.push_back((key, incident));
    }

    pub(super) fn write(&mut self, key: &Key, incident: &mut Incident, transition: Transition, closed: bool, cause: &Cause) {
        let Some(id) = self.next_id() else { return };
        let state = &mut *self.state;
        let Some(c) = &state.configuration else { return };
        state.sequence = state.sequence.saturating_add(1);
        incident.sequence = state.sequence;
        incident.changed_at = self.at.saturating_add(state.offset_ms);
        // What a person did has no trigger of its own; a return names the reading that ended it.
        let trigger = match transition {
            Transition::Opened | Transition::Raised | Transition::Lowered | Transition::Reactivated | Transition::Chattering => {
                incident.trigger.clone()
            }
            _ => cause.trigger.clone(),
        };
        self.out.events.push(IncidentEvent {
            site: c.site.id.clone(),
            institution: c.site.institution,
            supervisor: c.site.supervisor,
            log: c.log.clone(),
            sequence: state.sequence,
            position: state.position,
            id,
            incident: incident.id.clone(),
            at: incident.changed_at,
            clock_trusted: state.trusted,
            transition,
            state: incident.state(closed),
            hazard: key.0.clone(),
            place: key.1.clone(),
            severity: incident.severity,
            basis: incident.basis,
            rule: incident.rule.clone(),
            trigger,
            activations: incident.activations,
            found_on_connect: incident.found_on_connect,
            actor: cause.actor.as_deref().map(bounded),
            note: cause.note.as_deref().map(bounded),
            engine: bounded(ENGINE_VERSION),
            rules: c.hash,
            overridden_by: c.site.overrides.iter().find(|o| o.rule == incident.rule && o.holds_on(state.day)).map(|o| bounded(&o.author)),
            via: cause.via,
            cause: cause.code,
            until: cause.until.map(|t| t.saturating_add(state.offset_ms)),
            assignee: incident.assignee.as_ref().map(|(who, _)| bounded(who)),
            other: cause.other.clone(),
            rung: cause.rung,
            exercise: incident.exercise,
        });
        self.incidents_changed = true;
    }

    /// Id of the next event: also that of the incident it opens.
    pub(super) fn next_id<T: From26>(&self) -> Option<T> {
        let log = &self.state.configuration.as_ref()?.log;
        T::from_26(&ulid(self.state.utc(self.at), log, self.state.sequence.saturating_add(1)))
    }
}

/// Cuts at a character boundary.
fn bounded<const N: usize>(text: &str) -> heapless::String<N> {
    let mut out = heapless::String::new();
    for c in text.chars() {
        if out.push(c).is_err() {
            break;
        }
    }
    out
}

/// The 26-character names of events and incidents.
pub(super) trait From26: Sized {
    fn from_26(text: &str) -> Option<Self>;
}
impl From26 for EventId {
    fn from_26(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}
impl From26 for IncidentId {
    fn from_26(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

/// ULID form: 48 bits of UTC milliseconds, 80 bits of SHA-256(log id, sequence), in Crockford's base 32. Derived, never drawn: a replay of the
/// log gives the same ids.
fn ulid(utc: i64, log: &LogId, sequence: u64) -> String {
    let hash: [u8; 32] = Sha256::new().chain_update(log.as_str()).chain_update([0]).chain_update(sequence.to_be_bytes()).finalize().into();
    let time = u128::try_from(utc.clamp(0, (1 << 48) - 1)).unwrap_or(0);
    let entropy = hash.iter().take(10).fold(0u128, |n, b| n << 8 | u128::from(*b));
    let n = time << 80 | entropy;
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..26).rev().filter_map(|i| DIGITS.get((n >> (5 * i)) as usize & 31)).map(|d| char::from(*d)).collect()
}
