//! What people ask.
use super::incident::{Cause, FindingKey, Incident, Key};
use super::input::{Action, Command};
use super::rules::Latch;
use super::standing::{DRILL_MIN, MAINTENANCE_MIN, MAX_STANDINGS, OUT_OF_SERVICE_MIN, Scope, shelve_limit};
use super::step::Run;
use super::timer::Timer;
use tuoan_protocol::{IncidentId, Place, Rung, Severity, Transition, Via};

const NOT_OPEN: &str = "there is no such open incident; it may have been closed";
const NO_REASON: &str = "a reason is required";
const NO_TIME: &str = "say for how many minutes, at least 1";

impl Run<'_> {
    /// Why a command cannot be carried out, in words for the one who asked.
    pub(super) fn may(&self, c: &Command) -> Result<(), &'static str> {
        if self.state.configuration.is_none() {
            return Err("the gateway has no site file yet");
        }
        if c.actor.trim().is_empty() {
            return Err("say who you are: every action is recorded with a name");
        }
        match &c.action {
            Action::Acknowledge { incident, .. } => match self.find(incident) {
                None => Err(NOT_OPEN),
                Some(i) if i.acknowledged => Err("the incident is acknowledged already"),
                Some(_) => Ok(()),
            },
            Action::CancelPanic { incident, reason } => {
                let key = self.open(incident).ok_or(NOT_OPEN)?;
                if self.waiting(&key, &[Latch::Cancel]).is_empty() {
                    return Err("only an active incident that waits for a person can be cancelled");
                }
                if reason.trim().is_empty() { Err("a reason is required to cancel an alarm") } else { Ok(()) }
            }
            Action::RoomSwept { zone } | Action::ReportConcern { zone, .. } if self.compiled.zone_index(zone).is_none() => {
                Err("there is no such zone on this site")
            }
            Action::ReportConcern { .. } if self.compiled.report.is_none() => Err("no rule pack in force takes reports of concern"),
            Action::MorningCheck(c) => self.may_check(c),
            Action::Pictures(deed) if deed.reason.trim().is_empty() => {
                Err("a reason is required for everything that is done with pictures")
            }
            Action::RoomSwept { .. } | Action::ReportConcern { .. } | Action::Pictures(_) => Ok(()),
            Action::Comment { text, .. } if text.trim().is_empty() => Err("there is nothing in the comment"),
            Action::Comment { incident, .. } => {
                if self.find(incident).is_some() || self.closed(incident).is_some() {
                    Ok(())
                } else {
                    Err("there is no such incident")
                }
            }
            Action::Assign { to, .. } if to.trim().is_empty() => Err("say who takes it"),
            Action::Assign { incident, .. } => self.find(incident).map(|_| ()).ok_or(NOT_OPEN),
            Action::Shelve { incident, minutes, reason } => {
                let inc = self.find(incident).ok_or(NOT_OPEN)?;
                if inc.exercise.is_some() {
                    return Err("a drill is ended, not shelved");
                }
                if self.waits_for_district(inc) {
                    return Err("a report of concern is not shelved");
                }
                if self.open(incident).is_some_and(|key| self.state.standings.contains_key(&Scope::Alarm(key))) {
                    return Err("it is shelved already, until the time that was said; end that first");
                }
                self.may_stand(*minutes, shelve_limit(inc.severity), reason)
            }
            Action::Unshelve { incident } => {
                let key = self.open(incident).ok_or(NOT_OPEN)?;
                if self.state.standings.contains_key(&Scope::Alarm(key)) { Ok(()) } else { Err("it is not shelved") }
            }
            Action::Resolve { incident, .. } => match self.find(incident) {
                Some(i) if i.resolved.is_some() => Err("somebody has said already that it is handled"),
                Some(i) if self.waits_for_district(i) && c.via != Some(Via::Platform) => {
                    Err("a report of concern is closed by the district, not on site")
                }
                Some(_) => Ok(()),
                None if self.closed(incident).is_some_and(|i| i.resolved.is_none() && i.within.is_none()) => Ok(()),
                None => Err("there is no such incident whose cause could still be given"),
            },
            Action::Reopen { reason, .. } if reason.trim().is_empty() => Err(NO_REASON),
            Action::Reopen { incident, .. } => match (self.find(incident), self.closed(incident)) {
                (Some(i), _) if i.resolved.is_some() => Ok(()),
                (Some(_), _) => Err("it is open already"),
                (None, Some(i)) if i.within.is_some() => Err("it goes on as part of another incident; that one can be reopened"),
                (None, Some(_)) if self.closed_key(incident).is_some_and(|k| self.state.incidents.contains_key(k)) => {
                    Err("the same alarm has a newer incident; use that one")
                }
                (None, Some(_)) => Ok(()),
                (None, None) => Err("it was closed too long ago to be reopened"),
            },
            Action::Merge { reason, .. } if reason.trim().is_empty() => Err(NO_REASON),
            Action::Merge { part, whole, .. } => match (self.find(part), self.find(whole)) {
                _ if part == whole => Err("an incident cannot be part of itself"),
                (Some(p), Some(w)) if p.severity < w.severity => {
                    Err("the more urgent incident takes the other in, not the other way round")
                }
                (Some(p), Some(w)) if p.exercise != w.exercise => Err("a drill and what really happened stay apart"),
                (Some(p), Some(_)) if self.waits_for_district(p) => Err("a report of concern stands by itself"),
                (Some(_), Some(_)) => Ok(()),
                _ => Err(NOT_OPEN),
            },
            Action::Maintain { zone, .. } | Action::MaintainEnd { zone } if self.compiled.zone_index(zone).is_none() => {
                Err("there is no such zone on this site")
            }
            Action::Maintain { minutes, reason, .. } => self.may_stand(*minutes, MAINTENANCE_MIN, reason),
            Action::MaintainEnd { zone } => {
                if self.state.standings.contains_key(&Scope::Zone(zone.clone())) {
                    Ok(())
                } else {
                    Err("the zone is not under maintenance")
                }
            }
            Action::OutOfService { device, .. } if !self.state.devices.contains_key(device) => Err("there is no such device"),
            Action::OutOfService { minutes, reason, .. } => self.may_stand(*minutes, OUT_OF_SERVICE_MIN, reason),
            Action::InService { device } => {
                if self.state.standings.contains_key(&Scope::Device(device.clone())) {
                    Ok(())
                } else {
                    Err("the device is in service")
                }
            }
            Action::Drill { zone, .. } if self.compiled.zone_index(zone).is_none() => Err("there is no such zone on this site"),
            Action::Drill { .. } if self.state.drill.is_some() => Err("a drill is under way already; end it first"),
            Action::Drill { minutes, .. } if *minutes == 0 => Err(NO_TIME),
            Action::Drill { minutes, .. } if *minutes > DRILL_MIN => Err("a drill lasts an hour at most"),
            Action::Drill { .. }
                if self.state.incidents.values().any(|i| i.exercise.is_none() && i.active() && i.severity == Severity::Emergency) =>
            {
                Err("there is a real emergency; no drill may begin now")
            }
            Action::Drill { .. } => Ok(()),
            Action::Commission { minutes } => self.may_commission(*minutes),
            Action::CommissionEnd => self.may_end_commissioning(),
            Action::Prove { device } | Action::Proven { device } => self.may_prove(device),
            Action::DrillEnd => self.state.drill.as_ref().map(|_| ()).ok_or("no drill is under way"),
        }
    }

    fn may_stand(&self, minutes: u32, most: u32, reason: &str) -> Result<(), &'static str> {
        match () {
            () if reason.trim().is_empty() => Err(NO_REASON),
            () if minutes == 0 => Err(NO_TIME),
            () if minutes > most => Err(
                "that is too long: an emergency may be set aside for 15 minutes, severity 2 and maintenance for 8 hours, others for 7 days, a device for 30 days",
            ),
            () if self.state.standings.len() >= MAX_STANDINGS => Err("too much is set aside already; end something first"),
            () => Ok(()),
        }
    }

    fn waits_for_district(&self, incident: &Incident) -> bool {
        incident.findings.keys().any(|f| self.compiled.rule(f.0).is_some_and(|r| r.latch.contains(&Latch::District)))
    }

    /// Carries out what [`Self::may`] has allowed.
    pub(super) fn command(&mut self, c: &Command) {
        let by = |note: Option<&String>| Cause { actor: Some(c.actor.clone()), via: c.via, note: note.cloned(), ..Cause::default() };
        match &c.action {
            Action::Acknowledge { incident, note } => {
                if let Some(key) = self.open(incident) {
                    self.acknowledge(&key, &by(note.as_ref()));
                }
            }
            Action::CancelPanic { incident, reason } => {
                let Some(key) = self.open(incident) else { return };
                let cause = by(Some(reason));
                // Whoever cancels has taken note.
                self.acknowledge(&key, &cause);
                self.cancel(&key, &[Latch::Cancel], &cause);
            }
            Action::Comment { incident, text } => match self.open(incident) {
                Some(key) => self.say(&key, Transition::Commented, &by(Some(text))),
                None => self.say_closed(incident, Transition::Commented, &by(Some(text))),
            },
            Action::Assign { incident, to } => {
                let Some(key) = self.open(incident) else { return };
                let at = self.at;
                if let Some(i) = self.state.incidents.get_mut(&key) {
                    // Whoever takes it has taken note.
                    (i.assignee, i.acknowledged) = (Some((to.clone(), at)), true);
                }
                self.say(&key, Transition::Assigned, &by(None));
                self.tell_end(&key);
                self.close_or_wait(&key);
            }
            Action::Shelve { incident, minutes, reason } => {
                let Some(key) = self.open(incident) else { return };
                self.stand(Scope::Alarm(key), *minutes, &by(Some(reason)), reason);
            }
            Action::Unshelve { incident } => {
                let Some(key) = self.open(incident) else { return };
                self.stand_down(&Scope::Alarm(key), &by(None));
            }
            Action::Resolve { incident, cause, note } => match self.open(incident) {
                Some(key) => {
                    self.cancel(&key, &[Latch::Cancel, Latch::District], &by(note.as_ref()));
                    self.resolve(&key, *cause, &by(note.as_ref()));
                }
                None => {
                    let at = self.at;
                    if let Some((_, i)) = self.state.recent.iter_mut().find(|(_, i)| i.id == *incident) {
                        i.resolved = Some((*cause, at));
                    }
                    self.say_closed(incident, Transition::Resolved, &Cause { code: Some(*cause), ..by(note.as_ref()) });
                }
            },
            Action::Reopen { incident, reason } => {
                let key = match self.open(incident) {
                    Some(key) => key,
                    None => {
                        let at = self.at;
                        let Some(found) = self.state.recent.iter().position(|(_, i)| i.id == *incident) else { return };
                        let Some((key, mut again)) = self.state.recent.remove(found) else { return };
                        again.returned = Some(at);
                        self.state.incidents.insert(key.clone(), again);
                        key
                    }
                };
                if let Some(i) = self.state.incidents.get_mut(&key) {
                    (i.resolved, i.assignee, i.acknowledged, i.owed) = (None, None, false, true);
                }
                self.weigh(&key);
                self.say(&key, Transition::Reopened, &by(Some(reason)));
                // Who reopens it wants it looked at, whether its condition holds or not.
                if self.state.incidents.get(&key).is_some_and(|i| !i.active() && i.inhibited.is_some()) {
                    return;
                }
                if self.state.incidents.get(&key).is_some_and(|i| !i.active()) {
                    self.tell(&key, &[Rung::Carer, Rung::Director], super::outcome::NoticeKind::Alert, false);
                } else {
                    self.begin_climb(&key);
                }
            }
            Action::Merge { part, whole, reason } => {
                let (Some(part), Some(whole)) = (self.open(part), self.open(whole)) else { return };
                self.merge(&part, &whole, &by(Some(reason)));
            }
            Action::Maintain { zone, minutes, reason } => self.stand(Scope::Zone(zone.clone()), *minutes, &by(Some(reason)), reason),
            Action::MaintainEnd { zone } => drop(self.stand_down(&Scope::Zone(zone.clone()), &by(None))),
            Action::OutOfService { device, minutes, reason } => {
                self.stand(Scope::Device(device.clone()), *minutes, &by(Some(reason)), reason);
            }
            Action::InService { device } => drop(self.stand_down(&Scope::Device(device.clone()), &by(None))),
            Action::Drill { hazard, zone, minutes } => self.begin_drill(hazard.clone(), zone.clone(), *minutes, &by(None)),
            Action::DrillEnd => self.end_drill(&by(None)),
            Action::Commission { minutes } => self.begin_commissioning(*minutes, &c.actor),
            Action::CommissionEnd => self.end_commissioning(&by(None)),
            Action::Prove { device } => self.prove(device),
            Action::Proven { device } => self.proven(device),
            Action::RoomSwept { zone } => {
                let at = self.at;
                if let Some((index, z)) = self.compiled.zone_index(zone).and_then(|i| Some((i, self.state.zones.get_mut(i as usize)?))) {
                    z.swept = Some(at);
                    self.state.timers.arm(at.saturating_add(super::occupancy::SWEEP_MS), Timer::Zone(index));
                }
                let cause = by(None);
                for key in self.swept_incidents(zone) {
                    self.acknowledge(&key, &cause);
                }
                self.unlatch(zone, Latch::Sweep, &cause);
            }
            Action::MorningCheck(check) => self.check(check, &c.actor),
            Action::Pictures(_) => {}
            Action::ReportConcern { zone, note } => {
                let compiled = self.compiled.clone();
                let Some((index, rule)) = compiled.report.and_then(|i| Some((i, compiled.rule(i)?))) else { return };
                let key = (rule.hazard.clone(), Place { zone: zone.clone(), device: None });
                let cause = by(Some(note));
                if self.state.incidents.get(&key).is_some_and(Incident::active) {
                    // Another report is news of its own.
                    self.report_again(&key, &cause);
                } else {
                    self.raise(key, (index, None, 0), cause);
                }
            }
        }
    }

    fn swept_incidents(&self, zone: &tuoan_protocol::ZoneId) -> Vec<Key> {
        let by_sweep = |i: u16| self.compiled.rule(i).is_some_and(|r| r.latch.contains(&Latch::Sweep));
        let here = self.state.incidents.iter().filter(|((_, p), i)| p.zone == *zone && i.within.is_none());
        here.filter(|(_, i)| i.findings.keys().any(|f| by_sweep(f.0))).map(|(k, _)| k.clone()).collect()
    }

    /// What upholds an incident and its parts until a person ends it in one of these ways.
    fn waiting(&self, key: &Key, ways: &[Latch]) -> Vec<(Key, FindingKey)> {
        let waits = |f: &FindingKey| self.compiled.rule(f.0).is_some_and(|r| ways.iter().any(|w| r.latch.contains(w)));
        let all = self.state.incidents.iter().filter(|(k, i)| *k == key || i.within.as_ref() == Some(key));
        all.flat_map(|(k, i)| i.findings.keys().filter(|f| waits(f)).map(|f| (k.clone(), f.clone()))).collect()
    }

    /// Ends what waits for a person to end it.
    fn cancel(&mut self, key: &Key, ways: &[Latch], cause: &Cause) {
        for (of, finding) in self.waiting(key, ways) {
            if let Some(d) = finding.1.as_ref().and_then(|d| self.state.devices.get_mut(d)) {
                // A press right after the cancel is a new alarm, not the old one's echo.
                d.struck.remove(&finding.0);
                d.tracks.remove(&(finding.0, finding.2));
            }
            self.lift(&of, &finding, cause.clone());
        }
    }

    /// An open incident that stands by itself.
    fn open(&self, id: &IncidentId) -> Option<Key> {
        self.state.incidents.iter().find(|(_, i)| i.id == *id && i.within.is_none()).map(|(k, _)| k.clone())
    }
    fn find(&self, id: &IncidentId) -> Option<&Incident> {
        self.state.incidents.values().find(|i| i.id == *id && i.within.is_none())
    }
    /// One that was closed lately.
    fn closed(&self, id: &IncidentId) -> Option<&Incident> {
        self.state.recent.iter().map(|(_, i)| i).find(|i| i.id == *id)
    }
    fn closed_key(&self, id: &IncidentId) -> Option<&Key> {
        self.state.recent.iter().find(|(_, i)| i.id == *id).map(|(k, _)| k)
    }
}
