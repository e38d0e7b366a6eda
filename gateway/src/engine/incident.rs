//! Findings -> incidents: one incident for each hazard and place while it lasts, with a life cycle after ISA-18.2.
use super::ENGINE_VERSION;
use super::input::EngineMs;
use super::rules::{Kind, Rule};
use super::step::Run;
use super::timer::Timer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tuoan_protocol::{
    Basis, DeviceId, EventId, HazardId, IncidentEvent, IncidentId, IncidentState, LogId, Place, RuleId, Severity, Transition, Trigger,
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

/// An incident that is not closed yet.
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
}

impl Incident {
    pub fn active(&self) -> bool {
        self.returned.is_none()
    }
    pub fn state(&self, closed: bool) -> IncidentState {
        IncidentState { active: self.active(), acknowledged: self.acknowledged, closed }
    }
    /// Returned, and nobody owes it an acknowledgement: closes when the regather time is over.
    fn closes_at(&self) -> Option<EngineMs> {
        let settled = self.acknowledged || self.peak >= Severity::General && !self.owed;
        self.returned.filter(|_| settled).map(|t| t.saturating_add(self.regather))
    }
}

pub type Key = (HazardId, Place);

/// Who or what brought a change about.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    pub trigger: Option<Trigger>,
    pub found_on_connect: bool,
    pub actor: Option<String>,
    pub note: Option<String>,
}

impl Run<'_> {
    /// A condition holds.
    pub(super) fn raise(&mut self, key: Key, finding: FindingKey, cause: Cause) {
        self.raise_all(key, vec![finding], cause);
    }

    /// Several conditions at one place hold from now on, told as one.
    pub(super) fn raise_all(&mut self, key: Key, findings: Vec<FindingKey>, cause: Cause) {
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
            };
            self.state.incidents.insert(key.clone(), incident);
        }
        self.settle(&key, cause);
    }

    /// A condition holds no longer.
    pub(super) fn lift(&mut self, key: &Key, finding: &FindingKey, cause: Cause) {
        if let Some(incident) = self.state.incidents.get_mut(key)
            && incident.findings.remove(finding).is_some()
        {
            self.settle(key, cause);
        }
    }

    /// Brings an incident in line with its findings and says what changed.
    pub(super) fn settle(&mut self, key: &Key, cause: Cause) {
        let compiled = self.compiled.clone();
        let Some(incident) = self.state.incidents.get_mut(key) else { return };
        let basis_of = |r: &Rule, f: &Finding| if f.confirmed { Basis::Confirmed } else { r.basis };
        let found = |f: &FindingKey| compiled.rule(f.0);
        let top = incident.findings.iter().filter_map(|(k, f)| Some((found(k)?, f))).min_by_key(|(r, f)| (r.severity, basis_of(r, f)));
        let transition = match top {
            Some((rule, finding)) => {
                let before = (incident.severity, incident.basis);
                let was_active = incident.active();
                let all = || incident.findings.iter().filter_map(|(k, f)| Some((found(k)?, f)));
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
                    (false, false) => Some(Transition::Reactivated),
                    (false, true) if rule.severity < before.0 => Some(Transition::Raised),
                    // 推测 has become 已确认: that changes who is woken.
                    (false, true) if rule.severity == before.0 && basis < before.1 => Some(Transition::Raised),
                    (false, true) if rule.severity > before.0 => Some(Transition::Lowered),
                    (false, true) => None,
                };
                if transition.is_some() {
                    // A hub speaks for all that is gathered under it.
                    let hub = incident.findings.iter().filter_map(|(k, f)| Some((found(k)?, f))).find(|(r, _)| r.kind == Kind::Hub);
                    let (rule, finding) = hub.unwrap_or((rule, finding));
                    incident.rule = rule.id.clone();
                    incident.trigger = finding.trigger.clone();
                }
                if matches!(transition, Some(Transition::Reactivated | Transition::Raised)) {
                    // News: whoever acknowledged has not seen this.
                    incident.acknowledged = false;
                }
                transition
            }
            None if incident.active() => {
                incident.returned = Some(self.at);
                Some(Transition::Returned)
            }
            None => None,
        };
        if let Some(t) = transition {
            self.say(key, t, &cause);
        }
        self.close_or_wait(key);
    }

    /// Someone has taken note; `false` when it was noted before.
    pub(super) fn acknowledge(&mut self, key: &Key, cause: &Cause) -> bool {
        match self.state.incidents.get_mut(key) {
            Some(incident) if !incident.acknowledged => incident.acknowledged = true,
            _ => return false,
        }
        self.say(key, Transition::Acknowledged, cause);
        self.close_or_wait(key);
        true
    }

    /// Closes a settled incident whose regather time is over, or waits for that.
    pub(super) fn close_or_wait(&mut self, key: &Key) {
        let Some(due) = self.state.incidents.get(key).and_then(Incident::closes_at) else { return };
        if due > self.at {
            return self.state.timers.arm(due, Timer::Close(Box::new(key.clone())));
        }
        self.say(key, Transition::Closed, &Cause::default());
        self.state.incidents.remove(key);
    }

    /// Appends one event to the incident log.
    pub(super) fn say(&mut self, key: &Key, transition: Transition, cause: &Cause) {
        let Some(id) = self.next_id() else { return };
        let state = &mut *self.state;
        let (Some(c), Some(incident)) = (&state.configuration, state.incidents.get_mut(key)) else { return };
        state.sequence = state.sequence.saturating_add(1);
        incident.sequence = state.sequence;
        incident.changed_at = self.at.saturating_add(state.offset_ms);
        // What a person did has no trigger of its own; a return names the reading that ended it.
        let trigger = match transition {
            Transition::Returned | Transition::Closed | Transition::Acknowledged => cause.trigger.clone(),
            _ => incident.trigger.clone(),
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
            state: incident.state(transition == Transition::Closed),
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
        });
        self.incidents_changed = true;
    }

    /// Id of the next event: also that of the incident it opens.
    fn next_id<T: From26>(&self) -> Option<T> {
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
trait From26: Sized {
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
