//! What must be done for so long on every working day, judged at midnight: a lamp's run-time. The number is a counter; its increases are added
//! up, so that a counter that starts again loses nothing.
use super::{Change, Memory};
use crate::engine::incident::Cause;
use crate::engine::rules::Kind;
use crate::engine::signs::any;
use crate::engine::step::{Place3, Run};
use serde::{Deserialize, Serialize};
use tuoan_protocol::{DeviceId, Fixed, Trigger};

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sum {
    last: Option<i64>,
    today: i64,
}

impl Sum {
    /// Today's sum with this sample.
    pub fn sample(&mut self, value: Fixed) -> i64 {
        let increase = self.last.map_or(0, |last| if value.0 >= last { value.0.saturating_sub(last) } else { value.0.max(0) });
        self.last = Some(value.0);
        self.today = self.today.saturating_add(increase);
        self.today
    }
    pub fn today(&self) -> i64 {
        self.today
    }
}

impl Run<'_> {
    /// Midnight: judges the local day that is over, and begins the next. `known`: that day was whole, and seen by a clock that was right.
    pub(in crate::engine) fn day_over(&mut self, day: i64, known: bool) {
        let (at, compiled) = (self.at, self.compiled.clone());
        let worked = known && compiled.schedule.is_working_day(day);
        let mut changes = Vec::new();
        for (id, device) in self.state.devices.iter_mut().filter(|(_, d)| !d.tracks.is_empty()) {
            let Some(slot) = compiled.slot(device.slot) else { continue };
            for (&(index, channel), tracker) in &mut device.tracks {
                let Memory::Daily(sum) = &mut tracker.memory else { continue };
                let today = std::mem::take(&mut sum.today);
                let Some(rule) = compiled.rule(index).filter(|r| r.kind == Kind::Daily && worked) else { continue };
                let excused = slot.zone.and_then(|z| self.state.zones.get(z as usize)).is_some_and(|z| any(&rule.excused_by, z, at));
                let missed = rule.bounds.trips(today) && !excused;
                if let Some(change) = tracker.drive(rule, (missed, !missed), true, at) {
                    let reading = rule.quantity.clone().map(|q| (q, Fixed(today)));
                    changes.push((id.clone(), index, channel, change, reading));
                }
            }
        }
        for (id, index, channel, change, reading) in changes {
            self.tell_day(&id, index, channel, change, reading);
        }
        self.signs_new_day();
    }

    fn tell_day(&mut self, id: &DeviceId, index: u16, channel: u8, change: Change, reading: Option<(tuoan_protocol::Quantity, Fixed)>) {
        let compiled = self.compiled.clone();
        let Some(slot) = compiled.slot(compiled.slot_of(id)) else { return };
        let place = Place3 { device: id.clone(), zone: slot.zone, zone_id: slot.zone_id.clone() };
        let trigger = Trigger { device: id.clone(), reading, seq: None };
        self.change(&place, index, channel, change, Cause { trigger: Some(trigger), ..Cause::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn increases_are_added_up_over_a_reset() {
        let mut s = Sum::default();
        let sums: Vec<i64> = [100, 110, 110, 5, 20, i64::MIN, i64::MAX].into_iter().map(|v| s.sample(Fixed(v))).collect();
        assert_eq!(sums[..5], [0, 10, 10, 15, 30]);
        assert_eq!(s.today(), i64::MAX, "and nothing overflows");
    }
}
