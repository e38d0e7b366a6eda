//! Time since the last test of an alarm, counted from when it was first heard.
use crate::engine::device::Device;
use crate::engine::incident::Cause;
use crate::engine::input::EngineMs;
use crate::engine::rules::Rule;
use crate::engine::step::{Place3, Run};
use crate::engine::timer::Timer;
use tuoan_protocol::{DeviceId, Trigger};

fn due(rule: &Rule, device: &Device) -> Option<EngineMs> {
    device.tested.or(device.first_heard).map(|t| t.saturating_add(rule.every))
}

impl Run<'_> {
    pub(in crate::engine) fn arm_age(&mut self, id: &DeviceId) {
        let Some(device) = self.state.devices.get(id) else { return };
        let Some(rule) = self.compiled.slot(device.slot).and_then(|s| self.compiled.rule(s.age?)) else { return };
        if !device.untested
            && let Some(due) = due(rule, device)
        {
            self.state.timers.arm(due.max(self.at), Timer::Age(id.clone()));
        }
    }

    pub(in crate::engine) fn age_due(&mut self, id: &DeviceId) {
        let compiled = self.compiled.clone();
        let Some(device) = self.state.devices.get_mut(id) else { return };
        let Some(slot) = compiled.slot(device.slot) else { return };
        let Some((index, rule)) = slot.age.and_then(|r| Some((r, compiled.rule(r)?))) else { return };
        let Some(due) = due(rule, device).filter(|_| !device.untested) else { return };
        if due > self.at {
            return self.state.timers.arm(due, Timer::Age(id.clone()));
        }
        device.untested = true;
        let at = Place3 { device: id.clone(), zone: slot.zone, zone_id: slot.zone_id.clone() };
        let cause = Cause { trigger: Some(Trigger { device: id.clone(), reading: None, seq: None }), ..Cause::default() };
        self.raise((rule.hazard.clone(), at.place(rule)), (index, Some(id.clone()), 0), cause);
    }

    /// Its test button was pressed.
    pub(in crate::engine) fn tested(&mut self, at: &Place3, cause: Cause) {
        let compiled = self.compiled.clone();
        let Some(device) = self.state.devices.get_mut(&at.device) else { return };
        device.tested = Some(self.at);
        let was = std::mem::replace(&mut device.untested, false);
        let Some((index, rule)) = compiled.slot(device.slot).and_then(|s| Some((s.age?, compiled.rule(s.age?)?))) else { return };
        if was {
            self.lift(&(rule.hazard.clone(), at.place(rule)), &(index, Some(at.device.clone()), 0), cause);
        }
        self.arm_age(&at.device);
    }
}
