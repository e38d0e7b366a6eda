//! Morning checks (晨检) that people enter by hand: a fever, and whether several children of a class have the same.
//!
//! A child is a pseudonym or nobody. It stays in this state and in the input log, on the box: no incident event carries it.
use super::incident::{Cause, Key};
use super::input::{Check, EngineMs};
use super::rules::{Kind, Rule};
use super::step::Run;
use super::timer::Timer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tuoan_protocol::{Fixed, Place, Quantity, Transition};

/// Entries remembered at most; a nursery has a few dozen a day, and three days count.
const MAX_CASES: usize = 1024;
/// Symptoms of one entry have numbers below this.
const SYMPTOMS: usize = 16;

/// An entry that says that something is the matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    at: EngineMs,
    class: String,
    child: Option<String>,
    /// Bit set of [`super::input::Symptom`].
    symptoms: u16,
    /// Number of its fever among the findings, while that is not over.
    fever: Option<u8>,
}

impl Run<'_> {
    /// Why a morning check cannot be taken, in words for the one who asked.
    pub(super) fn may_check(&self, c: &Check) -> Result<(), &'static str> {
        if !self.compiled.class_zones.contains_key(&c.class) {
            return Err("there is no such class on this site, or no zone where it could be");
        }
        if c.temperature.is_some_and(|t| !Check::BODY.contains(&t.0)) {
            return Err("a body temperature lies between 30 and 45 °C");
        }
        if !c.child.as_deref().is_none_or(Check::is_code) {
            return Err("a child is a code of at most 12 letters and digits, never a name");
        }
        Ok(())
    }

    /// Takes in what [`Self::may_check`] has allowed.
    pub(super) fn check(&mut self, c: &Check, actor: &str) {
        let compiled = self.compiled.clone();
        let Some(place) = self.class_place(&c.class) else { return };
        let cause = |note: Option<String>| Cause { actor: Some(actor.to_owned()), note, ..Cause::default() };
        let entry = compiled.rules.iter().zip(0u16..).find(|(r, _)| r.kind == Kind::Entry);
        let hot = |t: Fixed| entry.is_some_and(|(r, _)| r.bounds.trips(t.0));
        if (c.recheck || c.child.is_some())
            && let (Some(t), Some((rule, index))) = (c.temperature.filter(|t| !hot(*t)), entry)
        {
            self.rechecked(c, (rule.hazard.clone(), place.clone()), index, cause(Some(celsius(t))));
        }
        let fever = c.temperature.filter(|t| hot(*t));
        let bits = c.symptoms.iter().fold(u16::from(fever.is_some()), |bits, s| bits | 1 << (*s as u16));
        if bits == 0 {
            return;
        }
        let mut case = Case { at: self.at, class: c.class.clone(), child: c.child.clone(), symptoms: bits, fever: None };
        let same = |old: &Case| old.same_child(&case) || c.recheck && c.child.is_none() && old.child.is_none() && old.class == c.class;
        let known = self.state.cases.iter().any(|old| same(old) && old.fever.is_some());
        let known_case = self.state.cases.iter().rposition(same);
        if let (Some(t), Some((rule, index)), false) = (fever, entry, known) {
            let key = (rule.hazard.clone(), place.clone());
            let used: BTreeSet<u8> = self.state.cases.iter().filter(|k| k.class == c.class).filter_map(|k| k.fever).collect();
            case.fever = (0..=u8::MAX).find(|n| !used.contains(n));
            let again = self.state.incidents.get(&key).is_some_and(super::incident::Incident::active);
            self.raise(key.clone(), (index, None, case.fever.unwrap_or(u8::MAX)), cause(Some(celsius(t))));
            if again {
                // Another child is news of its own.
                self.report_again(&key, &cause(Some(celsius(t))));
            }
        }
        // The second look at a child that is known to be ill is no second case.
        match known_case.and_then(|i| self.state.cases.get_mut(i)) {
            Some(old) => (old.symptoms, old.at, old.fever) = (old.symptoms | bits, case.at, old.fever.or(case.fever)),
            None => {
                if self.state.cases.len() >= MAX_CASES {
                    self.state.cases.pop_front();
                }
                self.state.cases.push_back(case);
            }
        }
        self.clusters(cause(None));
        self.arm_cases();
    }

    /// A normal second measurement ends the fever of that child; without a code, that of the last one.
    fn rechecked(&mut self, c: &Check, key: Key, index: u16, cause: Cause) {
        let at = self.at;
        let within = self.compiled.rule(index).map_or(0, |r| r.recheck.1);
        let theirs = |k: &&mut Case| {
            k.class == c.class
                && k.fever.is_some()
                && at.saturating_sub(k.at) <= within
                && (c.child.is_some() && k.child == c.child || c.recheck && c.child.is_none())
        };
        let Some(case) = self.state.cases.iter_mut().rev().find(theirs) else { return };
        let Some(number) = case.fever.take() else { return };
        case.symptoms &= !1;
        self.lift(&key, &(index, None, number), cause);
        self.clusters(Cause::default());
    }

    /// The children of a class have gone home: what was measured in the morning is over.
    pub(super) fn children_gone(&mut self, zone: u32) {
        if self.state.cases.iter().all(|c| c.fever.is_none()) {
            return;
        }
        let compiled = self.compiled.clone();
        for class in compiled.class_zones.iter().filter(|(_, z)| **z == zone).map(|(c, _)| c) {
            let Some(place) = self.class_place(class) else { continue };
            for (rule, index) in compiled.rules.iter().zip(0u16..).filter(|(r, _)| r.kind == Kind::Entry) {
                let open: Vec<u8> = self.state.cases.iter_mut().filter(|c| c.class == *class).filter_map(|c| c.fever.take()).collect();
                for number in open {
                    self.lift(&(rule.hazard.clone(), place.clone()), &(index, None, number), Cause::default());
                }
            }
        }
    }

    /// Counts similar cases anew: entries have come, or have grown old.
    fn clusters(&mut self, cause: Cause) {
        let (at, compiled) = (self.at, self.compiled.clone());
        for (rule, index) in compiled.rules.iter().zip(0u16..).filter(|(r, _)| r.kind == Kind::Cluster) {
            for ((class, &zone), number) in compiled.class_zones.iter().zip(0u8..) {
                let Some(zone) = compiled.zone_id(zone) else { continue };
                let key = (rule.hazard.clone(), Place { zone: zone.clone(), device: None });
                for symptom in 0..SYMPTOMS {
                    let finding = (index, None, number % 16 * 16 + symptom as u8);
                    let on = self.state.incidents.get(&key).is_some_and(|i| i.findings.contains_key(&finding));
                    let many = self.similar(rule, class, symptom, at) >= usize::from(rule.count);
                    match (on, many) {
                        (false, true) => self.raise(key.clone(), finding, cause.clone()),
                        (true, false) => self.lift(&key, &finding, Cause::default()),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Different children of the class with that symptom within the rule's window.
    fn similar(&self, rule: &Rule, class: &str, symptom: usize, at: EngineMs) -> usize {
        let recent = |c: &&Case| c.class == class && c.symptoms & (1 << symptom) != 0 && at.saturating_sub(c.at) < rule.window;
        let (coded, nameless): (Vec<&Case>, Vec<&Case>) = self.state.cases.iter().filter(recent).partition(|c| c.child.is_some());
        coded.iter().filter_map(|c| c.child.as_ref()).collect::<BTreeSet<_>>().len() + nameless.len()
    }

    pub(super) fn arm_cases(&mut self) {
        let at = self.at;
        let windows: BTreeSet<i64> = self.compiled.rules.iter().filter(|r| r.kind == Kind::Cluster).map(|r| r.window).collect();
        for due in self.state.cases.iter().flat_map(|c| windows.iter().map(|w| c.at.saturating_add(*w))).filter(|due| *due > at) {
            self.state.timers.arm(due, Timer::Cases);
        }
    }

    pub(super) fn cases_due(&mut self) {
        let at = self.at;
        let longest = self.compiled.rules.iter().filter(|r| r.kind == Kind::Cluster).map(|r| r.window).max().unwrap_or(0);
        self.clusters(Cause::default());
        self.state.cases.retain(|c| at.saturating_sub(c.at) < longest || c.fever.is_some());
    }

    fn class_place(&self, class: &str) -> Option<Place> {
        let zone = self.compiled.zone_id(*self.compiled.class_zones.get(class)?)?;
        Some(Place { zone: zone.clone(), device: None })
    }

    pub(super) fn report_again(&mut self, key: &Key, cause: &Cause) {
        let whole = self.state.incidents.get(key).and_then(|i| i.within.clone());
        let key = whole.as_ref().unwrap_or(key);
        if let Some(i) = self.state.incidents.get_mut(key) {
            i.acknowledged = false;
            (i.resolved, i.assignee) = (None, None);
            i.activations = i.activations.saturating_add(1);
        }
        self.weigh(key);
        self.say(key, Transition::Reactivated, cause);
        self.begin_climb(key);
    }
}

impl Case {
    fn same_child(&self, other: &Case) -> bool {
        self.class == other.class && self.child.is_some() && self.child == other.child
    }
}

fn celsius(t: Fixed) -> String {
    format!("{} °C", Quantity::BodyTemperature.exact(t))
}
impl super::State {
    /// Gives the children who are remembered other codes: for a state that leaves the box. `rename` must give different codes different names;
    /// then everything that follows is the same, because codes are only ever compared.
    pub fn rename_children(&mut self, rename: &dyn Fn(&str) -> String) {
        for case in &mut self.cases {
            case.child = case.child.as_deref().map(rename);
        }
    }
}
