//! Orders to devices: sirens and gas valves.
//!
//! What must hold: only a confirmed emergency that nobody has acknowledged and that is not shelved or suppressed sounds a siren; in a zone with gas nothing is switched, neither on
//! nor off, except the gas valve.
use super::outcome::{DeviceAction, DeviceCommand};
use super::step::Run;
use std::collections::BTreeSet;
use tuoan_protocol::{Basis, DeviceId, Severity, ZoneId};

/// Hazard in whose zone nothing may be switched.
const GAS: &str = "gas.leak";
/// How long an order is worth repeating, in milliseconds.
const SIREN_ON_MS: i64 = 5 * 60_000;
const SIREN_OFF_MS: i64 = 60 * 60_000;
const VALVE_MS: i64 = 10 * 60_000;

impl Run<'_> {
    pub(super) fn orders(&mut self) {
        let compiled = self.compiled.clone();
        if compiled.sirens.is_empty() && compiled.gas_valves.is_empty() {
            return;
        }
        let active = || self.state.incidents.iter().filter(|(_, i)| i.active());
        let alarm = active().any(|(_, i)| i.siren && !i.acknowledged && i.inhibited.is_none() && i.within.is_none());
        let gas: BTreeSet<ZoneId> = active().filter(|((h, _), _)| h.as_str() == GAS).map(|((_, p), _)| p.zone.clone()).collect();
        let leak = active().any(|((h, _), i)| h.as_str() == GAS && i.severity == Severity::Emergency && i.basis == Basis::Confirmed);

        for (siren, _) in compiled.sirens.iter().filter(|(_, zone)| !gas.contains(zone)) {
            match (alarm, self.state.sounding.contains(siren)) {
                (true, false) => {
                    self.state.sounding.insert(siren.clone());
                    self.order(siren, DeviceAction::SirenOn, SIREN_ON_MS);
                }
                (false, true) => {
                    self.state.sounding.remove(siren);
                    self.order(siren, DeviceAction::SirenOff, SIREN_OFF_MS);
                }
                _ => {}
            }
        }
        for valve in &compiled.gas_valves {
            if leak && self.state.closing.insert(valve.clone()) {
                self.order(valve, DeviceAction::ValveClose, VALVE_MS);
            } else if !leak {
                // Opening it again is a person's work, at the valve.
                self.state.closing.remove(valve);
            }
        }
    }

    fn order(&mut self, device: &DeviceId, action: DeviceAction, worth: i64) {
        self.state.orders = self.state.orders.saturating_add(1);
        let expires = self.at.saturating_add(worth);
        self.out.commands.push(DeviceCommand { id: self.state.orders, device: device.clone(), action, expires });
    }
}
