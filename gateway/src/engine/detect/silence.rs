//! Missed periods: absence of data is never shown as normal.
use crate::engine::compiled::Slot;
use crate::engine::device::Device;
use crate::engine::incident::Cause;
use crate::engine::input::EngineMs;
use crate::engine::rules::Rule;
use crate::engine::step::{Place3, Run};
use crate::engine::timer::Timer;
use crate::engine::view::PeriodBy;
use tuoan_protocol::{DeviceId, Trigger};

/// A device of unknown habit that its will or its bridge declares gone is believed after this.
pub const OFFLINE_MS: i64 = 5 * 60_000;
/// A longer period, in seconds, is not announced in earnest (milliseconds, most likely), and must not end the supervision.
const LONGEST_S: u32 = 86_400;

/// Period in milliseconds: by the site file, by the device's own word, by experience.
pub fn period(device: &Device, slot: Option<&Slot>) -> Option<i64> {
    period_by(device, slot).map(|p| p.0)
}

/// And who says so.
pub fn period_by(device: &Device, slot: Option<&Slot>) -> Option<(i64, PeriodBy)> {
    let announced = || device.info.period_s.filter(|s| (1..=LONGEST_S).contains(s)).map(|s| (i64::from(s) * 1000, PeriodBy::Device));
    let placed = slot.and_then(|s| s.period_ms).map(|p| (p, PeriodBy::Site));
    placed.or_else(announced).or_else(|| device.cadence.period().map(|p| (p, PeriodBy::Learned)))
}

/// When its silence becomes a finding; `None` when it is not supervised: it stands nowhere, or its habit is unknown or it speaks too rarely, and nobody has
/// declared it gone.
pub fn due(rule: &Rule, device: &Device, slot: &Slot) -> Option<EngineMs> {
    let since = device.quiet_since?;
    match period(device, Some(slot)) {
        Some(p) if p <= rule.max_period => Some(since.saturating_add(p.saturating_mul(i64::from(rule.missed)).min(rule.cap))),
        // Too rarely to be missed; but who is declared gone is gone.
        _ => device.offline_since.map(|t| t.max(since).saturating_add(OFFLINE_MS)),
    }
}

/// When a device whose silence was told under a hub is told by itself, if it stays silent now that the hub is back.
fn due_under(rule: &Rule, device: &Device, slot: &Slot) -> Option<EngineMs> {
    let period = period(device, Some(slot)).unwrap_or(OFFLINE_MS);
    Some(device.quiet_since?.saturating_add(period.saturating_mul(i64::from(rule.missed)).min(rule.cap)))
}

impl Run<'_> {
    pub(in crate::engine) fn arm_silence(&mut self, id: &DeviceId) {
        let Some(device) = self.state.devices.get(id) else { return };
        let Some(slot) = self.compiled.slot(device.slot) else { return };
        if let Some(after) = slot.fades {
            if let Some(since) = device.quiet_since.filter(|_| !device.silent) {
                self.state.timers.arm(since.saturating_add(after).max(self.at), Timer::Silence(id.clone()));
            }
            return;
        }
        let Some(rule) = slot.silence.and_then(|r| self.compiled.rule(r)) else { return };
        let due = match &device.under {
            Some(hub) if !self.state.hubs.contains(hub) => due_under(rule, device, slot),
            _ if device.silent => None,
            _ => due(rule, device, slot),
        };
        if let Some(due) = due {
            self.state.timers.arm(due.max(self.at), Timer::Silence(id.clone()));
        }
    }

    pub(in crate::engine) fn silence_due(&mut self, id: &DeviceId) {
        let compiled = self.compiled.clone();
        let Some(device) = self.state.devices.get_mut(id) else { return };
        let Some(slot) = compiled.slot(device.slot) else { return };
        if let Some(after) = slot.fades {
            let Some(due) = device.quiet_since.filter(|_| !device.silent).map(|t| t.saturating_add(after)) else { return };
            if due > self.at {
                return self.state.timers.arm(due, Timer::Silence(id.clone()));
            }
            let place = Place3 { device: id.clone(), zone: slot.zone, zone_id: slot.zone_id.clone() };
            return self.fade(&place);
        }
        let Some((index, rule)) = slot.silence.and_then(|r| Some((r, compiled.rule(r)?))) else { return };
        if let Some(hub) = &device.under {
            let back = !self.state.hubs.contains(hub);
            return match due_under(rule, device, slot).filter(|_| back) {
                Some(due) if due > self.at => self.state.timers.arm(due, Timer::Silence(id.clone())),
                Some(_) => self.stand_alone(id),
                None => {}
            };
        }
        let Some(due) = due(rule, device, slot).filter(|_| !device.silent) else { return };
        if due > self.at {
            // It has spoken meanwhile.
            return self.state.timers.arm(due, Timer::Silence(id.clone()));
        }
        device.silent = true;
        let at = Place3 { device: id.clone(), zone: slot.zone, zone_id: slot.zone_id.clone() };
        let cause = Cause { trigger: Some(Trigger { device: id.clone(), reading: None, seq: None }), ..Cause::default() };
        if !self.gather(id) {
            self.raise((rule.hazard.clone(), at.place(rule)), (index, Some(id.clone()), 0), cause);
        }
        self.gather_behind(id);
        self.blinded(&at);
    }

    /// It speaks again.
    pub(in crate::engine) fn silence_over(&mut self, at: &Place3, cause: Cause) {
        let compiled = self.compiled.clone();
        if self.leave(&at.device, cause.clone()) {
            return;
        }
        let Some(slot) = self.state.devices.get(&at.device).and_then(|d| compiled.slot(d.slot)) else { return };
        let Some((index, rule)) = slot.silence.and_then(|r| Some((r, compiled.rule(r)?))) else { return };
        self.lift(&(rule.hazard.clone(), at.place(rule)), &(index, Some(at.device.clone()), 0), cause);
    }
}
