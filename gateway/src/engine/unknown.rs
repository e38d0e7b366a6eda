//! What a device cannot tell any more: its camera is covered, or the watch over it has stopped.
//!
//! What must hold: not to see is neither "yes" nor "no". No hold time runs on, no recovery is proven, nobody is held to be absent; what was found
//! while it could be seen stays found until somebody looks again.
use super::detect::Change;
use super::incident::Cause;
use super::judge::{drive, guard};
use super::step::{Place3, Run};
use tuoan_protocol::{DeviceId, Quantity};

impl Run<'_> {
    /// The device's last word on a quantity holds no longer.
    pub(super) fn cannot_tell(&mut self, id: &DeviceId, quantity: &Quantity, channel: u8) {
        let (at, compiled) = (self.at, self.compiled.clone());
        let month = compiled.schedule.month(self.state.utc(at));
        let state = &mut *self.state;
        let Some(device) = state.devices.get_mut(id) else { return };
        // Of what it never spoke of nothing was believed.
        let Some(value) = device.values.get_mut(&(quantity.clone(), channel)) else { return };
        value.unknown_since.get_or_insert(at);
        let Some(slot) = compiled.slot(device.slot) else { return };
        let zone = slot.zone.and_then(|z| state.zones.get(z as usize));
        let mut changes: Vec<((u16, u8), Change)> = Vec::new();
        for &index in slot.judged.iter().filter(|(q, _)| q == quantity).flat_map(|(_, rules)| rules) {
            let key = (index, channel);
            let (Some(rule), Some(tracker)) = (compiled.rule(index), device.tracks.get_mut(&key)) else { continue };
            let holds = guard(rule, zone, at, || month);
            changes.extend(drive(tracker, &mut state.timers, id, key, rule, (false, false), holds, at).map(|c| (key, c)));
            if tracker.is_idle() {
                device.tracks.remove(&key);
            }
        }
        let tells_of_people = device.tells_of_people();
        let place = Place3 { device: id.clone(), zone: slot.zone, zone_id: slot.zone_id.clone() };
        for ((index, channel), change) in changes {
            self.change(&place, index, channel, change, Cause::default());
        }
        let Some((index, z)) = place.zone.and_then(|i| Some((i, self.state.zones.get_mut(i as usize)?))) else { return };
        if z.seen_by.remove(&(id.clone(), quantity.clone(), channel)) {
            z.last_sign = Some(at);
        }
        let watcher_lost = !tells_of_people && z.watchers.remove(id);
        let sign_lost = self.sign_unknown(index, id, quantity, channel);
        self.arm_zone(index);
        if self.occupancy(index) || watcher_lost || sign_lost {
            self.reconsider_zone(index);
        }
    }

    /// Nothing was heard of the gateway's own eyes for so long that nothing they said is believed any more. That is no incident of theirs: why they do
    /// not see is said of the cameras.
    pub(super) fn fade(&mut self, place: &Place3) {
        let Some(device) = self.state.devices.get_mut(&place.device) else { return };
        device.silent = true;
        let said: Vec<(Quantity, u8)> = device.values.keys().cloned().collect();
        for (quantity, channel) in &said {
            self.cannot_tell(&place.device, quantity, *channel);
        }
        self.blinded(place);
    }
}
