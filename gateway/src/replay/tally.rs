//! Incidents and figures by rule, folded from incident events.
use std::collections::BTreeMap;
use tuoan_protocol::{Basis, DeviceId, HazardId, IncidentEvent, IncidentId, Place, RuleId, Severity, Transition};

/// Incidents remembered one by one; beyond that they are only counted. A rule that is wrong by far must not take all memory.
pub const REMEMBERED: usize = 100_000;
/// Examples of each rule: the first and the last ones.
const EXAMPLES: usize = 5;

/// One incident as it went. Times are UTC milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Occurrence {
    pub id: IncidentId,
    pub hazard: HazardId,
    pub place: Place,
    /// The rule that opened it.
    pub rule: RuleId,
    pub opened_at: i64,
    /// When its condition was over for good; `None` while it lasts.
    pub returned_at: Option<i64>,
    pub closed: bool,
    /// The most urgent it was.
    pub severity: Severity,
    pub basis: Basis,
    pub activations: u32,
    pub acknowledged: bool,
    /// Milliseconds in which its condition held.
    pub active_ms: i64,
    active_since: Option<i64>,
    /// The rule that it rests on now, and since when.
    now: RuleId,
    /// All that it has rested on.
    rules: Vec<RuleId>,
}

/// What one rule would have meant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleTally {
    /// Incidents that rested on it at any time.
    pub incidents: u64,
    /// How often it brought one about, back or up.
    pub activations: u64,
    /// Milliseconds in which an incident rested on it and held.
    pub active_ms: i64,
    /// By place and device that decided: activations and active time.
    pub offenders: BTreeMap<(Place, Option<DeviceId>), (u64, i64)>,
    /// Activations: the first ones, and the last ones.
    pub first: Vec<Example>,
    pub last: Vec<Example>,
}

/// One activation.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    pub at: i64,
    pub place: Place,
    pub device: Option<DeviceId>,
    pub reading: Option<(tuoan_protocol::Quantity, tuoan_protocol::Fixed)>,
}

/// All of a run.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub rules: BTreeMap<RuleId, RuleTally>,
    /// Finished or not, in the order in which they opened.
    pub incidents: Vec<Occurrence>,
    /// Incidents in all, those not remembered included.
    pub opened: u64,
    pub events: u64,
    open: BTreeMap<IncidentId, Open>,
    by_place: BTreeMap<(HazardId, Place), IncidentId>,
}

#[derive(Debug, Clone)]
struct Open {
    occurrence: Occurrence,
    /// Where it stands among the remembered ones.
    slot: Option<usize>,
    offender: (Place, Option<DeviceId>),
}

impl Tally {
    /// The open incident of a hazard at a place.
    pub fn open_at(&self, hazard: &HazardId, place: &Place) -> Option<&IncidentId> {
        self.by_place.get(&(hazard.clone(), place.clone()))
    }
    /// Open incidents that nobody has taken note of.
    pub fn unacknowledged(&self) -> impl Iterator<Item = &IncidentId> {
        self.open.iter().filter(|(_, o)| !o.occurrence.acknowledged).map(|(id, _)| id)
    }

    pub fn event(&mut self, e: &IncidentEvent) {
        self.events += 1;
        let offender = (e.place.clone(), e.trigger.as_ref().map(|t| t.device.clone()));
        if !self.open.contains_key(&e.incident) {
            self.begin(e, &offender);
        }
        let Some(open) = self.open.get_mut(&e.incident) else { return };
        let o = &mut open.occurrence;
        let rises = matches!(e.transition, Transition::Opened | Transition::Reactivated | Transition::Raised);
        // What was active until now was so on account of the rule until now.
        if let Some(since) = o.active_since {
            let lasted = e.at.saturating_sub(since).max(0);
            o.active_ms = o.active_ms.saturating_add(lasted);
            let rule = self.rules.entry(o.now.clone()).or_default();
            rule.active_ms = rule.active_ms.saturating_add(lasted);
            let place = rule.offenders.entry(open.offender.clone()).or_default();
            place.1 = place.1.saturating_add(lasted);
        }
        o.active_since = e.state.active.then_some(e.at);
        o.returned_at = (!e.state.active).then(|| o.returned_at.unwrap_or(e.at));
        (o.acknowledged, o.closed) = (e.state.acknowledged, e.state.closed);
        o.severity = o.severity.min(e.severity);
        o.basis = o.basis.min(e.basis);
        o.activations = e.activations;
        if rises || e.transition == Transition::Lowered {
            o.now = e.rule.clone();
            open.offender = offender.clone();
        }
        let rule = self.rules.entry(e.rule.clone()).or_default();
        if !o.rules.contains(&e.rule) {
            o.rules.push(e.rule.clone());
            rule.incidents += 1;
        }
        if rises {
            rule.activations += 1;
            let example = Example {
                at: e.at,
                place: e.place.clone(),
                device: offender.1.clone(),
                reading: e.trigger.as_ref().and_then(|t| t.reading.clone()),
            };
            rule.offenders.entry(offender).or_default().0 += 1;
            if rule.first.len() < EXAMPLES {
                rule.first.push(example);
            } else {
                if rule.last.len() >= EXAMPLES {
                    rule.last.remove(0);
                }
                rule.last.push(example);
            }
        }
        if e.state.closed {
            self.by_place.remove(&(e.hazard.clone(), e.place.clone()));
            if let Some(Open { occurrence, slot: Some(slot), .. }) = self.open.remove(&e.incident)
                && let Some(kept) = self.incidents.get_mut(slot)
            {
                *kept = occurrence;
            }
        }
    }

    fn begin(&mut self, e: &IncidentEvent, offender: &(Place, Option<DeviceId>)) {
        self.opened += 1;
        let occurrence = Occurrence {
            id: e.incident.clone(),
            hazard: e.hazard.clone(),
            place: e.place.clone(),
            rule: e.rule.clone(),
            opened_at: e.at,
            returned_at: None,
            closed: false,
            severity: e.severity,
            basis: e.basis,
            activations: 0,
            acknowledged: false,
            active_ms: 0,
            active_since: None,
            now: e.rule.clone(),
            rules: Vec::new(),
        };
        let slot = (self.incidents.len() < REMEMBERED).then_some(self.incidents.len());
        if slot.is_some() {
            self.incidents.push(occurrence.clone());
        }
        self.by_place.insert((e.hazard.clone(), e.place.clone()), e.incident.clone());
        self.open.insert(e.incident.clone(), Open { occurrence, slot, offender: offender.clone() });
    }

    /// Counts anew from `at` (UTC milliseconds) on; what is open stays known, and is no incident of the time after.
    pub fn restart(&mut self, at: i64) {
        self.rules.clear();
        self.incidents.clear();
        (self.opened, self.events) = (0, 0);
        for open in self.open.values_mut() {
            let o = &mut open.occurrence;
            (open.slot, o.active_ms) = (None, 0);
            o.active_since = o.active_since.map(|_| at);
        }
    }

    /// The end of the history (UTC milliseconds): what still holds has held until then.
    pub fn finish(&mut self, at: i64) {
        for (_, mut open) in std::mem::take(&mut self.open) {
            let o = &mut open.occurrence;
            if let Some(since) = o.active_since {
                let lasted = at.saturating_sub(since).max(0);
                o.active_ms = o.active_ms.saturating_add(lasted);
                let rule = self.rules.entry(o.now.clone()).or_default();
                rule.active_ms = rule.active_ms.saturating_add(lasted);
                let place = rule.offenders.entry(open.offender.clone()).or_default();
                place.1 = place.1.saturating_add(lasted);
            }
            if let Some(kept) = open.slot.and_then(|s| self.incidents.get_mut(s)) {
                *kept = open.occurrence;
            }
        }
        self.by_place.clear();
    }
    /// How many incidents are not in [`Tally::incidents`].
    pub fn forgotten(&self) -> u64 {
        self.opened.saturating_sub(self.incidents.len() as u64)
    }
}
