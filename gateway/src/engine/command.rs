//! What people ask.
use super::incident::{Cause, Key};
use super::input::{Action, Command};
use super::rules::Latch;
use super::step::Run;
use super::timer::Timer;
use tuoan_protocol::{IncidentId, Place};

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
            Action::Acknowledge { incident, .. } => match self.open(incident).and_then(|k| self.state.incidents.get(&k)) {
                None => Err("there is no such open incident; it may have been closed"),
                Some(i) if i.acknowledged => Err("the incident is acknowledged already"),
                Some(_) => Ok(()),
            },
            Action::CancelPanic { incident, reason } => {
                let key = self.open(incident).ok_or("there is no such open incident; it may have been closed")?;
                let inc = self.state.incidents.get(&key).ok_or("there is no such open incident; it may have been closed")?;
                if !inc.findings.keys().any(|f| self.compiled.rule(f.0).is_some_and(|r| r.latch.contains(&Latch::Cancel))) {
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
        }
    }

    /// Carries out what [`Self::may`] has allowed.
    pub(super) fn command(&mut self, c: &Command) {
        let by = |note: Option<&String>| Cause { actor: Some(c.actor.clone()), note: note.cloned(), ..Cause::default() };
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
                let compiled = self.compiled.clone();
                let waits = |i: u16| compiled.rule(i).is_some_and(|r| r.latch.contains(&Latch::Cancel));
                let ended: Vec<_> =
                    self.state.incidents.get(&key).into_iter().flat_map(|i| i.findings.keys()).filter(|f| waits(f.0)).cloned().collect();
                for finding in ended {
                    if let Some(d) = finding.1.as_ref().and_then(|d| self.state.devices.get_mut(d)) {
                        // A press right after the cancel is a new alarm, not the old one's echo.
                        d.struck.remove(&finding.0);
                        d.tracks.remove(&(finding.0, finding.2));
                    }
                    self.lift(&key, &finding, cause.clone());
                }
            }
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
                if self.state.incidents.contains_key(&key) {
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
        let here = self.state.incidents.iter().filter(|((_, p), _)| p.zone == *zone);
        here.filter(|(_, i)| i.findings.keys().any(|f| by_sweep(f.0))).map(|(k, _)| k.clone()).collect()
    }

    fn open(&self, id: &IncidentId) -> Option<Key> {
        self.state.incidents.iter().find(|(_, i)| i.id == *id).map(|(k, _)| k.clone())
    }
}
