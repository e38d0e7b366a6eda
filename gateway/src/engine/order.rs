//! Orders to devices: sirens, beacons and gas valves; and their confirmation.
//!
//! What must hold: only a confirmed emergency that nobody has acknowledged and that is neither shelved, suppressed nor a test of commissioning sounds a siren. A beacon lights for
//! an inferred one, too (a light wakes no child), but never for a report of concern: it would warn whoever is concerned. In a zone with gas
//! nothing is switched, neither on nor off, except the gas valve.
use super::compiled::Slot;
use super::incident::Incident;
use super::input::EngineMs;
use super::outcome::{DeviceAction, DeviceCommand};
use super::step::Run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tuoan_protocol::{Basis, DeviceId, Exercise, Fixed, Quantity, Severity, ZoneId};

/// Hazard in whose zone nothing may be switched.
const GAS: &str = "gas.leak";
/// How long an order is worth repeating, in milliseconds.
const ON_MS: i64 = 5 * 60_000;
const OFF_MS: i64 = 60 * 60_000;
const VALVE_MS: i64 = 10 * 60_000;

/// An order that the device has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    id: u64,
    action: DeviceAction,
    expires: EngineMs,
}

impl Run<'_> {
    pub(super) fn orders(&mut self) {
        let compiled = self.compiled.clone();
        if compiled.sirens.is_empty() && compiled.beacons.is_empty() && compiled.gas_valves.is_empty() {
            return;
        }
        let discreet = compiled.report.and_then(|r| compiled.rule(r)).map(|r| &r.hazard);
        let active = || self.state.incidents.iter().filter(|(_, i)| i.active());
        let untended = |i: &Incident| !i.acknowledged && i.inhibited.is_none() && i.within.is_none();
        let test = |i: &Incident| i.exercise == Some(Exercise::Commissioning);
        let sound = active().any(|(_, i)| i.siren && untended(i) && !test(i));
        let light = active().any(|((h, _), i)| i.severity == Severity::Emergency && Some(h) != discreet && untended(i));
        let gas: BTreeSet<ZoneId> = active().filter(|((h, _), _)| h.as_str() == GAS).map(|((_, p), _)| p.zone.clone()).collect();
        let leak = active().any(|((h, _), i)| h.as_str() == GAS && i.severity == Severity::Emergency && i.basis == Basis::Confirmed);

        self.switch(&compiled.sirens, sound, &gas, (DeviceAction::SirenOn, DeviceAction::SirenOff));
        self.switch(&compiled.beacons, light, &gas, (DeviceAction::BeaconOn, DeviceAction::BeaconOff));
        for valve in &compiled.gas_valves {
            if leak && self.state.closing.insert(valve.clone()) {
                self.order(valve, DeviceAction::ValveClose, VALVE_MS);
            } else if !leak {
                // Opening it again is a person's work, at the valve.
                self.state.closing.remove(valve);
            }
        }
    }

    fn switch(&mut self, devices: &[(DeviceId, ZoneId)], on: bool, gas: &BTreeSet<ZoneId>, (start, stop): (DeviceAction, DeviceAction)) {
        for (device, _) in devices.iter().filter(|(_, zone)| !gas.contains(zone)) {
            match (on, self.state.sounding.contains(device)) {
                (true, false) => {
                    self.state.sounding.insert(device.clone());
                    self.order(device, start, ON_MS);
                }
                (false, true) => {
                    self.state.sounding.remove(device);
                    self.order(device, stop, OFF_MS);
                }
                _ => {}
            }
        }
    }

    fn order(&mut self, device: &DeviceId, action: DeviceAction, worth: i64) {
        self.state.orders = self.state.orders.saturating_add(1);
        let (id, expires) = (self.state.orders, self.at.saturating_add(worth));
        self.state.ordered.insert(device.clone(), Ordered { id, action, expires });
        self.out.commands.push(DeviceCommand { id, device: device.clone(), action, expires });
    }

    /// The device says that it has carried out that order; what was ordered since is still open.
    pub(super) fn carried_out(&mut self, device: &DeviceId, id: u64) {
        if self.state.ordered.get(device).is_some_and(|o| o.id == id) {
            self.state.ordered.remove(device);
        }
        self.out.confirmed.push((device.clone(), id));
    }

    /// A device that knows nothing of orders reports how it stands: if that is what its newest order asks for, it is carried out.
    pub(super) fn reported(&mut self, device: &DeviceId, slot: Option<&Slot>, quantity: &Quantity, channel: u8, value: Fixed) {
        let Some(open) = self.state.ordered.get(device) else { return };
        if open.expires <= self.at {
            self.state.ordered.remove(device);
        } else if (quantity, value) == (&asked(open.action).0, asked(open.action).1) && slot.is_some_and(|s| s.channel == channel) {
            let id = open.id;
            self.carried_out(device, id);
        }
    }
}

/// The state that an order asks for, as the device's role names it ([`super::derive::by_role`]).
fn asked(action: DeviceAction) -> (Quantity, Fixed) {
    match action {
        DeviceAction::SirenOn => (Quantity::Siren, Fixed(1)),
        DeviceAction::SirenOff => (Quantity::Siren, Fixed(0)),
        DeviceAction::BeaconOn => (Quantity::SwitchedOn, Fixed(1)),
        DeviceAction::BeaconOff => (Quantity::SwitchedOn, Fixed(0)),
        DeviceAction::ValveClose => (Quantity::Valve, Fixed(0)),
    }
}
