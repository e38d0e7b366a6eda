//! The escalation ladder: who is told of an incident, when, and for how long.
//!
//! What must hold: an emergency is climbed until its condition is over or a person says that it is handled; nothing that is shelved, suppressed or out of
//! service is told, but an emergency under maintenance is told to the director all the same; each telling refers to one event of the log.
use super::incident::{Incident, Key};
use super::input::EngineMs;
use super::outcome::{Notice, NoticeKind};
use super::people::on_rung;
use super::rules::Ladder;
use super::rules::ladder::{AGAIN_MAX_MS, Until};
use super::schedule::Phase;
use super::step::Run;
use super::timer::Timer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tuoan_protocol::{Exercise, Inhibition, Rung, Severity, Transition, Via};

/// How far an incident is up its ladder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Climb {
    /// Engine time at which it began.
    began: EngineMs,
    /// Steps taken.
    step: u16,
    /// Rounds after the last step.
    again: u16,
    last: EngineMs,
    /// Engine time of the next step.
    due: Option<EngineMs>,
}

#[cfg(test)]
impl Climb {
    pub(super) fn due(&self) -> Option<EngineMs> {
        self.due
    }
}

/// Whoever has taken an emergency in hand gets so long before the next rung is told.
const IN_HAND_MS: i64 = 3 * 60_000;
/// A condition that still holds so long after a person said it was handled is told anew.
const STILL_THERE_MS: [i64; 2] = [15 * 60_000, 4 * 3_600_000];

const RUNGS: [Rung; 4] = [Rung::Carer, Rung::Director, Rung::Deputy, Rung::District];

impl Run<'_> {
    fn ladder_of(&self, key: &Key, incident: &Incident) -> Option<&Ladder> {
        self.compiled.ladders.iter().find(|l| {
            l.severity == incident.severity && l.basis.is_none_or(|b| b == incident.basis) && l.hazard.as_ref().is_none_or(|h| *h == key.0)
        })
    }

    /// There is news of it: the ladder from its first rung.
    pub(super) fn begin_climb(&mut self, key: &Key) {
        let at = self.at;
        let Some(incident) = self.state.incidents.get_mut(key).filter(|i| i.within.is_none()) else { return };
        incident.climb = Climb { began: at, ..Climb::default() };
        let (inhibited, exercise) = (incident.inhibited, incident.exercise);
        if inhibited == Some(Inhibition::Suppressed) && exercise.is_none() && incident.severity == Severity::Emergency {
            self.tell(key, &[Rung::Director], NoticeKind::Alert, true);
        }
        self.climb(key);
    }

    /// Takes the steps that are due, and waits for the next.
    pub(super) fn climb(&mut self, key: &Key) {
        loop {
            let compiled = self.compiled.clone();
            let Some(incident) = self.state.incidents.get(key) else { return };
            let ladder = self.ladder_of(key, incident).cloned();
            let due = ladder.as_ref().and_then(|l| next(incident, l)).or_else(|| still_there(incident));
            let at = self.at;
            let Some(incident) = self.state.incidents.get_mut(key) else { return };
            if incident.climb.due != due {
                if let Some(old) = incident.climb.due {
                    self.state.timers.disarm(old, Timer::Climb(Box::new(key.clone())));
                }
                incident.climb.due = due;
            }
            let Some(due) = due else { return };
            if due > at {
                return self.state.timers.arm(due, Timer::Climb(Box::new(key.clone())));
            }
            if incident.resolved.is_some() {
                incident.resolved = None;
                (incident.acknowledged, incident.assignee) = (false, None);
                self.say(key, Transition::Reopened, &super::incident::Cause { via: Some(Via::Gateway), ..Default::default() });
                self.begin_climb(key);
                return;
            }
            let Some(ladder) = ladder else { return };
            let taken = usize::from(incident.climb.step);
            let step = ladder.steps.get(taken);
            incident.climb.last = at;
            match step {
                Some(_) => incident.climb.step += 1,
                None => incident.climb.again = incident.climb.again.saturating_add(1),
            }
            // Beyond its steps everybody on it is told again.
            let everybody: BTreeSet<Rung> = ladder.steps.iter().flat_map(|s| s.to.iter().copied()).collect();
            let to: Vec<Rung> = step.map_or_else(|| everybody.into_iter().collect(), |s| s.to.clone());
            let kind = if step.is_some() { NoticeKind::Alert } else { NoticeKind::Again };
            if taken > 0 {
                let rung = to.iter().max().copied();
                self.say(key, Transition::Escalated, &super::incident::Cause { rung, via: Some(Via::Gateway), ..Default::default() });
            }
            let zone = compiled.zone_index(&key.1.zone);
            let naps = zone.and_then(|z| self.zone(Some(z))).is_some_and(|z| z.phase == Phase::Nap);
            self.tell(key, &to, kind, naps && step.is_some_and(|s| s.silent_at_nap));
        }
    }

    /// It has become less grave: what its ladder says of the time that is over, the graver one has told.
    pub(super) fn ease_climb(&mut self, key: &Key) {
        let Some(incident) = self.state.incidents.get(key) else { return };
        let began = incident.climb.began;
        let over = |l: &Ladder| l.steps.iter().filter(|s| began.saturating_add(s.after) <= self.at).count();
        let over = self.ladder_of(key, incident).map_or(0, over);
        if let Some(incident) = self.state.incidents.get_mut(key).filter(|i| i.climb.step > 0) {
            incident.climb.step = incident.climb.step.max(u16::try_from(over).unwrap_or(u16::MAX));
        }
        self.climb(key);
    }

    /// A step is due; one that was overtaken changes nothing.
    pub(super) fn climb_due(&mut self, key: &Key) {
        if self.state.incidents.get(key).is_some_and(|i| i.climb.due == Some(self.at)) {
            self.climb(key);
        }
    }

    /// Tells those rungs of the incident's last event.
    pub(super) fn tell(&mut self, key: &Key, to: &[Rung], kind: NoticeKind, silent: bool) {
        let Some(c) = &self.state.configuration else { return };
        let Some(incident) = self.state.incidents.get(key) else { return };
        // Tests stay in the house.
        let inside = incident.exercise == Some(Exercise::Commissioning);
        let within = |r: &Rung| !inside || *r != Rung::District;
        let to: Vec<Rung> = to.iter().copied().filter(within).collect();
        if to.is_empty() {
            return;
        }
        let quiet_hours = self.ladder_of(key, incident).is_some_and(|l| l.quiet_hours) && self.state.trusted;
        let (now, trusted) = (self.state.utc(self.at), self.state.trusted);
        let mut people: Vec<(String, Rung, Option<i64>)> = Vec::new();
        for rung in &to {
            // A rung without anybody is the next one.
            let up = RUNGS.iter().copied().filter(|r| r >= rung && within(r));
            let found =
                up.map(|r| (r, on_rung(&c.site, &self.compiled.schedule, r, &key.1.zone, now, trusted))).find(|(_, p)| !p.is_empty());
            for (rung, person) in found.into_iter().flat_map(|(r, list)| list.into_iter().map(move |p| (r, p))) {
                if people.iter().all(|(id, ..)| *id != person.id) {
                    let later = quiet_hours.then(|| person.quiet_until(now, c.site.utc_offset_minutes)).flatten();
                    people.push((person.id.clone(), rung, later));
                }
            }
        }
        let highest = to.iter().max().copied().unwrap_or(Rung::Carer);
        self.notify(key, people, highest, kind, silent);
    }

    /// Its condition is over, or somebody has it in hand: who was told of it is told that, too.
    pub(super) fn tell_end(&mut self, key: &Key) {
        let Some(incident) = self.state.incidents.get(key) else { return };
        let told = incident.told.clone();
        let updates = self.ladder_of(key, incident).is_some_and(|l| l.updates) && incident.inhibited.is_none();
        // Nobody was told yet: there is nothing to take back.
        if !updates || incident.climb.step == 0 {
            return self.climb(key);
        }
        let people = told.into_iter().map(|id| (id, Rung::Carer, None)).collect();
        self.notify(key, people, Rung::Carer, NoticeKind::Update, true);
        self.climb(key);
    }

    fn notify(&mut self, key: &Key, people: Vec<(String, Rung, Option<i64>)>, highest: Rung, kind: NoticeKind, silent: bool) {
        let Some(incident) = self.state.incidents.get_mut(key) else { return };
        if incident.exercise == Some(Exercise::Canary) {
            return;
        }
        incident.told.extend(people.iter().map(|(id, ..)| id.clone()));
        let group = (None, highest, None);
        let all = std::iter::once(group).chain(people.into_iter().map(|(id, rung, later)| (Some(id), rung, later)));
        for (person, rung, not_before) in all {
            self.state.notices = self.state.notices.saturating_add(1);
            self.out.notices.push(Notice {
                id: self.state.notices,
                incident: incident.id.clone(),
                sequence: incident.sequence,
                kind,
                person,
                rung,
                silent,
                severity: incident.severity,
                not_before,
            });
        }
    }
}

/// Engine time of the next step; `None`: the climb is over, or rests.
fn next(incident: &Incident, ladder: &Ladder) -> Option<EngineMs> {
    let rests = incident.within.is_some() || incident.inhibited.is_some() || incident.resolved.is_some() || !incident.active();
    let noted = incident.acknowledged || incident.assignee.is_some();
    // A test is told once.
    let told = incident.exercise == Some(Exercise::Commissioning) && incident.climb.step > 0;
    if rests || told || noted && ladder.until == Until::Acknowledged {
        return None;
    }
    let climb = &incident.climb;
    let due = match ladder.steps.get(usize::from(climb.step)) {
        Some(step) => climb.began.saturating_add(step.after),
        None => {
            let wait = ladder.again?.saturating_mul(1 << climb.again.min(8)).min(AGAIN_MAX_MS);
            climb.last.saturating_add(wait)
        }
    };
    // The first telling waits for nobody.
    let in_hand = incident.assignee.as_ref().filter(|_| climb.step > 0).map(|(_, since)| since.saturating_add(IN_HAND_MS));
    Some(due.max(in_hand.unwrap_or(due)))
}

/// When a condition that holds on although it is said to be handled is told anew.
fn still_there(incident: &Incident) -> Option<EngineMs> {
    let (_, since) = incident.resolved.filter(|_| incident.active() && incident.within.is_none() && incident.inhibited.is_none())?;
    let [emergency, other] = STILL_THERE_MS;
    Some(since.saturating_add(if incident.severity == Severity::Emergency { emergency } else { other }))
}
