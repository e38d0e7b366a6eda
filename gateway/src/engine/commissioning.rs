//! 调试: devices are proved, and what they say meanwhile is a test.
//!
//! What must hold: somebody begins it, everybody sees it, and it ends by itself after an hour at most. Only what is said by a device under proof, or by one
//! that hangs nowhere yet, is a test: everything else is in earnest throughout. A test is an incident of its own, beside what really happens; it is told to the
//! people of the house once, sounds no siren, and never goes to the district. A condition that holds on when its device's proof is over was no test: it is raised in earnest
//! from then on.
use super::compiled::is_own;
use super::incident::{Cause, FindingKey, Key};
use super::input::EngineMs;
use super::rules::Kind;
use super::step::Run;
use super::timer::Timer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tuoan_protocol::{CauseCode, DeviceId, Exercise, Place, Via};

/// Commissioning under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commissioning {
    /// Engine time.
    pub since: EngineMs,
    pub until: EngineMs,
    pub by: String,
    /// Devices under proof, and until when.
    pub proofs: BTreeMap<DeviceId, EngineMs>,
}

const NOT_NOW: &str = "no commissioning is under way";
const MINUTE: i64 = 60_000;
/// Longest commissioning at a time, in minutes.
pub const COMMISSIONING_MIN: u32 = 60;
/// A device is under proof for so long after it was asked for.
pub const PROOF_MIN: u32 = 10;
/// And for so long after it has come: an alarm needs a moment to fall silent.
const PROVEN_MS: i64 = 2 * MINUTE;
/// Devices under proof at once.
pub const PROOFS: usize = 64;

impl Run<'_> {
    /// Whether what that device says now is a test.
    fn under_proof(&self, device: &DeviceId) -> bool {
        let Some(c) = self.state.commissioning.as_ref().filter(|c| c.until > self.at) else { return false };
        let nowhere = !self.compiled.by_device.contains_key(device) && !is_own(device);
        nowhere || c.proofs.get(device).is_some_and(|until| *until > self.at)
    }

    fn all_under_proof(&self, findings: &[FindingKey]) -> Option<DeviceId> {
        let tested = |f: &FindingKey| f.1.as_ref().is_some_and(|d| self.under_proof(d));
        findings.iter().all(tested).then(|| findings.first()?.1.clone()).flatten()
    }

    /// Where findings belong, and whether as a test. What upholds a real incident goes on upholding it.
    pub(super) fn test_or_earnest(&mut self, key: Key, findings: &[FindingKey]) -> (Key, bool) {
        let holds = |key: &Key| self.state.incidents.get(key).is_some_and(|i| findings.iter().all(|f| i.findings.contains_key(f)));
        match self.all_under_proof(findings) {
            Some(device) if !holds(&key) => {
                let beside = (key.0, Place { device: Some(device), ..key.1 });
                self.make_room(&beside);
                (beside, true)
            }
            _ => {
                if self.is_test(&key) {
                    self.conclude(&key, &Cause::default());
                }
                (key, false)
            }
        }
    }

    /// A real incident there that is over, and only waits whether it comes again, is closed: what comes now is another thing.
    fn make_room(&mut self, key: &Key) {
        let Some(i) = self.state.incidents.get_mut(key).filter(|i| i.exercise.is_none() && !i.active()) else { return };
        i.regather = 0;
        self.close_or_wait(key);
    }

    /// The incident that such a finding upholds: the one at its place, or the test beside it.
    pub(super) fn upheld_by(&self, key: &Key, finding: &FindingKey) -> Key {
        let holds = |key: &Key| self.state.incidents.get(key).is_some_and(|i| i.findings.contains_key(finding));
        let beside = (key.0.clone(), Place { zone: key.1.zone.clone(), device: finding.1.clone() });
        if !holds(key) && holds(&beside) && self.is_test(&beside) { beside } else { key.clone() }
    }

    fn is_test(&self, key: &Key) -> bool {
        self.state.incidents.get(key).is_some_and(|i| i.exercise == Some(Exercise::Commissioning))
    }

    pub(super) fn may_commission(&self, minutes: u32) -> Result<(), &'static str> {
        match () {
            () if self.state.commissioning.is_some() => Err("commissioning is under way already; end it first"),
            () if minutes == 0 || minutes > COMMISSIONING_MIN => Err("commissioning lasts 1 to 60 minutes"),
            () => Ok(()),
        }
    }

    pub(super) fn may_end_commissioning(&self) -> Result<(), &'static str> {
        self.state.commissioning.as_ref().map(|_| ()).ok_or(NOT_NOW)
    }

    pub(super) fn may_prove(&self, device: &DeviceId) -> Result<(), &'static str> {
        let c = self.state.commissioning.as_ref().ok_or(NOT_NOW)?;
        if is_own(device) {
            return Err("that is the gateway's own voice; only devices are proved");
        }
        if c.proofs.len() >= PROOFS && !c.proofs.contains_key(device) {
            return Err("too many devices are under proof at once; wait for some of them");
        }
        Ok(())
    }

    pub(super) fn begin_commissioning(&mut self, minutes: u32, by: &str) {
        let until = self.at.saturating_add(i64::from(minutes).saturating_mul(MINUTE));
        self.state.commissioning = Some(Commissioning { since: self.at, until, by: by.to_owned(), proofs: BTreeMap::new() });
        self.state.timers.arm(until, Timer::Standing);
    }

    /// What that device says from now on is a test, for a while.
    pub(super) fn prove(&mut self, device: &DeviceId) {
        let at = self.at;
        let Some(c) = &mut self.state.commissioning else { return };
        let until = at.saturating_add(i64::from(PROOF_MIN).saturating_mul(MINUTE)).min(c.until);
        c.proofs.insert(device.clone(), until);
        self.state.timers.arm(until, Timer::Standing);
    }

    /// Its proof has come.
    pub(super) fn proven(&mut self, device: &DeviceId) {
        let soon = self.at.saturating_add(PROVEN_MS);
        let Some(until) = self.state.commissioning.as_mut().and_then(|c| c.proofs.get_mut(device)) else { return };
        *until = soon.min(*until);
        let until = *until;
        self.state.timers.arm(until, Timer::Standing);
    }

    pub(super) fn end_commissioning(&mut self, cause: &Cause) {
        self.state.commissioning = None;
        self.conclude_tests(cause);
    }

    /// What was to end by now ends.
    pub(super) fn commissioning_due(&mut self) {
        let at = self.at;
        if let Some(c) = &mut self.state.commissioning {
            c.proofs.retain(|_, until| *until > at);
            if c.until <= at {
                self.state.commissioning = None;
            }
        }
        self.conclude_tests(&Cause { via: Some(Via::Gateway), ..Cause::default() });
    }

    /// When the next proof, or all of it, is over.
    pub(super) fn commissioning_ends(&self) -> Option<EngineMs> {
        self.state.commissioning.as_ref().and_then(|c| c.proofs.values().copied().chain([c.until]).min())
    }

    /// Ends the tests of devices that are under proof no longer.
    pub(super) fn conclude_tests(&mut self, cause: &Cause) {
        let over = |key: &Key| key.1.device.as_ref().is_none_or(|d| !self.under_proof(d));
        let keys: Vec<Key> = self.state.incidents.keys().filter(|k| self.is_test(k) && over(k)).cloned().collect();
        keys.iter().for_each(|key| self.conclude(key, cause));
    }

    /// Closes a test as such. What still holds, and is not a press that waits for a person, is raised in earnest.
    fn conclude(&mut self, key: &Key, cause: &Cause) {
        let compiled = self.compiled.clone();
        let findings = self.state.incidents.get(key).map(|i| i.findings.clone()).unwrap_or_default();
        for (rule, device, channel) in findings.keys() {
            let pressed = compiled.rule(*rule).is_some_and(|r| !r.latch.is_empty());
            if let Some(d) = device.as_ref().and_then(|d| self.state.devices.get_mut(d)).filter(|_| pressed) {
                // The next press is an alarm, not the test's echo.
                d.struck.remove(rule);
                d.tracks.remove(&(*rule, *channel));
            }
            self.lift(key, &(*rule, device.clone(), *channel), Cause::default());
        }
        self.resolve(key, CauseCode::Test, cause);
        if let Some(i) = self.state.incidents.get_mut(key) {
            (i.regather, i.chattering) = (0, false);
        }
        self.close_or_wait(key);
        for (finding, was) in findings {
            let Some(rule) = compiled.rule(finding.0).filter(|r| r.latch.is_empty()) else { continue };
            if self.all_under_proof(std::slice::from_ref(&finding)).is_some() {
                continue;
            }
            let own = rule.per_device || rule.kind == Kind::Hub;
            let place = Place { zone: key.1.zone.clone(), device: key.1.device.clone().filter(|_| own) };
            self.raise((key.0.clone(), place), finding, Cause { trigger: was.trigger, ..Cause::default() });
        }
    }
}
