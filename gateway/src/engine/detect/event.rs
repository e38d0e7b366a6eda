//! Momentary events: a panic button pressed. What began by an event ends by a person, so such rules are latched.
use crate::engine::incident::Cause;
use crate::engine::step::{Place3, Run};

impl Run<'_> {
    /// An event that a rule asks for has come.
    pub(in crate::engine) fn struck(&mut self, at: &Place3, rule_index: u16, cause: Cause) {
        let compiled = self.compiled.clone();
        let Some(rule) = compiled.rule(rule_index) else { return };
        if !self.guard_holds(rule, at.zone, self.at) {
            return;
        }
        let Some(device) = self.state.devices.get_mut(&at.device) else { return };
        let before = device.struck.insert(rule_index, self.at);
        if before.is_some_and(|t| self.at.saturating_sub(t) < rule.debounce) {
            return;
        }
        let key = (rule.hazard.clone(), at.place(rule));
        self.raise(key, (rule_index, Some(at.device.clone()), 0), cause);
    }
}
