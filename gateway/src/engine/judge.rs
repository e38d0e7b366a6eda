//! Rules at work: guards, trackers, and what happens when the day or a zone changes around them.
use super::compiled::Slot;
use super::detect::{Change, Hold, Tracker, judge, silence};
use super::device::Device;
use super::incident::Cause;
use super::input::EngineMs;
use super::occupancy::{SWEEP_MS, ZoneState};
use super::rules::{ALL_MONTHS, Latch, Rule, phase_bit};
use super::schedule::Phase;
use super::signs::{allow, expiries};
use super::step::{Place3, Run};
use super::timer::{Timer, Timers};
use std::collections::BTreeSet;
use tuoan_protocol::{DeviceId, Quantity, Trigger};

/// A value of a device of unknown habit stands so long.
const CARRY_MS: i64 = 15 * 60_000;
/// A PIR's last word counts as present motion so long when a rule begins to hold only now.
const MOTION_MS: i64 = 3 * 60_000;

/// How long a sample stands for the time after it.
pub(super) fn carry(device: &Device, slot: &Slot) -> i64 {
    silence::period(device, Some(slot)).map_or(CARRY_MS, |p| p.saturating_mul(3))
}

/// Whether phase, season and occupancy let the rule hold.
pub(super) fn guard(rule: &Rule, zone: Option<&ZoneState>, at: EngineMs, month: impl Fn() -> u8) -> bool {
    let Some(z) = zone else { return !rule.is_guarded() };
    let lasted = at.saturating_sub(z.phase_since);
    rule.phases & phase_bit(z.phase) != 0
        && lasted >= rule.grace
        && rule.within.is_none_or(|w| lasted < w)
        && rule.occupied.is_none_or(|o| o == z.occupied)
        && (rule.months == ALL_MONTHS || rule.months & (1 << month()) != 0)
        && allow(rule, z, at)
        && !(rule.latch.contains(&Latch::Sweep) && z.swept.is_some_and(|t| at.saturating_sub(t) < SWEEP_MS))
}

/// Moves a tracker on and keeps its timer in step with it.
#[allow(clippy::too_many_arguments)]
pub(super) fn drive(
    tracker: &mut Tracker,
    timers: &mut Timers,
    id: &DeviceId,
    (index, channel): (u16, u8),
    rule: &Rule,
    verdict: (bool, bool),
    guard: bool,
    at: EngineMs,
) -> Option<Change> {
    let before = tracker.due;
    let change = tracker.drive(rule, verdict, guard, at);
    if before != tracker.due {
        let timer = Timer::Track(id.clone(), index, channel);
        if let Some(due) = before {
            timers.disarm(due, timer.clone());
        }
        if let Some(due) = tracker.due {
            timers.arm(due.max(at), timer);
        }
    }
    change
}

/// Why values are judged again without a new sample.
#[derive(Clone, Copy)]
pub(super) enum Why<'a> {
    /// The hold or clear time of one tracker (rule, channel) is over.
    Time(u16, u8),
    /// The day or the zone around it has changed.
    Guard,
    /// These rules are new or changed.
    Rules(&'a BTreeSet<u16>),
}

impl Why<'_> {
    fn concerns(self, index: u16, channel: u8, rule: &Rule) -> bool {
        match self {
            Why::Time(i, c) => (i, c) == (index, channel),
            Why::Guard => rule.is_guarded(),
            Why::Rules(fresh) => fresh.contains(&index),
        }
    }
}

impl Run<'_> {
    pub(super) fn zone(&self, index: Option<u32>) -> Option<&ZoneState> {
        self.state.zones.get(index? as usize)
    }
    pub(super) fn guard_holds(&self, rule: &Rule, zone: Option<u32>, at: EngineMs) -> bool {
        guard(rule, self.zone(zone), at, || self.compiled.schedule.month(self.state.utc(at)))
    }

    /// Carries out what a tracker said.
    pub(super) fn change(&mut self, place: &Place3, index: u16, channel: u8, change: Change, cause: Cause) {
        let compiled = self.compiled.clone();
        let Some(rule) = compiled.rule(index) else { return };
        let key = (rule.hazard.clone(), place.place(rule));
        let finding = (index, Some(place.device.clone()), channel);
        if rule.shadow {
            return self.hold_back(rule, key, finding, change);
        }
        match change {
            Change::Raise => self.raise(key, finding, cause),
            Change::Lift => self.lift(&key, &finding, cause),
        }
    }

    /// A hold or clear time is over.
    pub(super) fn track_due(&mut self, id: &DeviceId, index: u16, channel: u8) {
        self.reconsider(id, Why::Time(index, channel));
    }

    /// Judges a device's present values again.
    pub(super) fn reconsider(&mut self, id: &DeviceId, why: Why<'_>) {
        let compiled = self.compiled.clone();
        let month = compiled.schedule.month(self.state.utc(self.at));
        let state = &mut *self.state;
        let Some(device) = state.devices.get_mut(id) else { return };
        let Some(slot) = compiled.slot(device.slot) else { return };
        let zone = slot.zone.and_then(|z| state.zones.get(z as usize));
        let carry = carry(device, slot);
        let mut changes = Vec::new();
        for ((quantity, channel), value) in &device.values {
            let Some((_, rules)) = slot.judged.iter().find(|(q, _)| q == quantity) else { continue };
            for &index in rules {
                let Some(rule) = compiled.rule(index).filter(|r| why.concerns(index, *channel, r)) else { continue };
                let key = (index, *channel);
                let tracker = device.tracks.get(&key);
                let Some(level) = tracker.map_or(Some(value.value.0), |t| t.last_level(rule, Some(value.value))) else { continue };
                if tracker.is_none() && rule.window > 0 {
                    continue;
                }
                let old = self.at.saturating_sub(value.at);
                let (mut trips, mut clears) = judge(rule, level, false);
                let idle = tracker.is_none_or(|t| t.hold == Hold::Idle);
                if value.implausible
                    || value.unknown_since.is_some()
                    || (matches!(why, Why::Time(..)) || idle) && !quantity.is_state() && old >= carry
                {
                    // A number that nobody has confirmed lately begins nothing, fulfils no hold time and proves no recovery.
                    (trips, clears) = (false, false);
                }
                if idle && *quantity == Quantity::Motion && old > MOTION_MS {
                    trips = false;
                }
                let holds = guard(rule, zone, self.at, || month);
                if tracker.is_none() && !(trips && holds) {
                    continue;
                }
                let tracker = device.tracks.entry(key).or_default();
                let change = drive(tracker, &mut state.timers, id, key, rule, (trips, clears), holds, self.at);
                let found = tracker.found_on_connect;
                if tracker.is_idle() {
                    device.tracks.remove(&key);
                }
                if let Some(change) = change {
                    let trigger = Trigger { device: id.clone(), reading: Some((quantity.clone(), value.value)), seq: None };
                    changes.push((key, change, Cause { trigger: Some(trigger), found_on_connect: found, ..Cause::default() }));
                }
            }
        }
        if changes.is_empty() {
            return;
        }
        let place = Place3 { device: id.clone(), zone: slot.zone, zone_id: slot.zone_id.clone() };
        for ((index, channel), change, cause) in changes {
            self.change(&place, index, channel, change, cause);
        }
    }

    /// The guards of a zone's rules may have changed.
    pub(super) fn reconsider_zone(&mut self, zone: u32) {
        let compiled = self.compiled.clone();
        let Some(slots) = compiled.zones.get(zone as usize) else { return };
        for id in &slots.devices {
            if compiled.slot(compiled.slot_of(id)).is_some_and(|s| s.guarded) {
                self.reconsider(id, Why::Guard);
            }
        }
    }

    /// The day has moved on, or the clock or the calendar is another: every zone's phase anew.
    pub(super) fn new_phase(&mut self) {
        if self.new_day() {
            return; // To be configured anew is to be in a new phase.
        }
        let compiled = self.compiled.clone();
        let utc = self.state.utc(self.at);
        for (i, zone) in (0u32..).zip(0..self.state.zones.len()) {
            let phase = if self.state.trusted { compiled.schedule.phase(zone, utc) } else { Phase::Care };
            if let Some(z) = self.state.zones.get_mut(zone)
                && z.phase != phase
            {
                (z.phase, z.phase_since) = (phase, self.at);
                self.signs_counted(i);
                if !phase.has_children() {
                    self.children_gone(i);
                }
                self.arm_zone(i);
            }
            self.occupancy(i);
            self.reconsider_zone(i);
        }
        self.arm_schedule();
    }

    pub(super) fn arm_schedule(&mut self) {
        if self.state.zones.is_empty() {
            return;
        }
        let utc = self.state.utc(self.at);
        let wait = self.compiled.schedule.next_boundary(utc).saturating_sub(utc).max(1);
        self.state.timers.arm(self.at.saturating_add(wait), Timer::Schedule);
    }

    /// Arms what will change in a zone by the mere passing of time.
    pub(super) fn arm_zone(&mut self, index: u32) {
        let (at, compiled) = (self.at, self.compiled.clone());
        let (Some(z), Some(slots)) = (self.state.zones.get(index as usize), compiled.zones.get(index as usize)) else { return };
        let delays = slots.delays.iter().map(|d| z.phase_since.saturating_add(*d));
        let sweep = z.swept.map(|t| t.saturating_add(SWEEP_MS));
        let signs = expiries(z, &compiled.conditions);
        for due in delays.chain(z.runs_out()).chain(sweep).chain(signs).filter(|due| *due > at) {
            self.state.timers.arm(due, Timer::Zone(index));
        }
    }

    /// A zone's timer. Those that were overtaken (the phase, the last sign or the sweep is another by now) must change nothing: a snapshot
    /// does not keep them.
    pub(super) fn zone_due(&mut self, index: u32) {
        let (at, compiled) = (self.at, self.compiled.clone());
        let (Some(z), Some(slots)) = (self.state.zones.get(index as usize), compiled.zones.get(index as usize)) else { return };
        let guard_turns = slots.delays.iter().any(|d| z.phase_since.saturating_add(*d) == at)
            || z.swept.is_some_and(|t| t.saturating_add(SWEEP_MS) == at)
            || expiries(z, &compiled.conditions).any(|due| due == at);
        let occupancy_turns = self.occupancy(index);
        self.arm_zone(index);
        if guard_turns || occupancy_turns {
            self.reconsider_zone(index);
        }
    }

    /// The schedule's timer. One that was overtaken by a change of the clock must change nothing.
    pub(super) fn schedule_due(&mut self) {
        let utc = self.state.utc(self.at);
        if self.compiled.schedule.next_boundary(utc.saturating_sub(1)) == utc {
            self.new_phase();
            self.note_phases();
        }
    }

    /// Sets whether a zone is occupied; true when that is news.
    pub(super) fn occupancy(&mut self, index: u32) -> bool {
        let at = self.at;
        let Some(z) = self.state.zones.get_mut(index as usize) else { return false };
        let occupied = z.is_occupied(at);
        std::mem::replace(&mut z.occupied, occupied) != occupied
    }

    /// A device cannot be relied on to see people any more.
    pub(super) fn blinded(&mut self, place: &Place3) {
        self.look_where(&place.device);
        let at = self.at;
        let Some((index, z)) = place.zone.and_then(|i| Some((i, self.state.zones.get_mut(i as usize)?))) else { return };
        let before = z.seen_by.len();
        z.seen_by.retain(|(d, _, _)| *d != place.device);
        if z.seen_by.len() != before {
            z.last_sign = Some(at);
        }
        let was_watcher = z.watchers.remove(&place.device);
        let sign_lost = self.sign_lost(index, &place.device);
        self.arm_zone(index);
        let turned = (was_watcher || before > 0) && self.occupancy(index);
        if turned || was_watcher || sign_lost {
            self.reconsider_zone(index);
        }
    }

    /// Ends the findings in a zone that wait for this: a sweep, a sensor that proves absence.
    pub(super) fn unlatch(&mut self, zone: &tuoan_protocol::ZoneId, by: Latch, cause: &Cause) {
        let compiled = self.compiled.clone();
        let waits = |i: u16| compiled.rule(i).is_some_and(|r| r.latch.contains(&by));
        self.release(zone, by);
        let here = self.state.incidents.iter().filter(|((_, p), _)| p.zone == *zone);
        let ended: Vec<_> =
            here.flat_map(|(key, inc)| inc.findings.keys().filter(|f| waits(f.0)).map(|f| (key.clone(), f.clone()))).collect();
        for (key, finding) in ended {
            if let Some(device) = finding.1.as_ref().and_then(|d| self.state.devices.get_mut(d)) {
                device.tracks.remove(&(finding.0, finding.2));
            }
            self.lift(&key, &finding, cause.clone());
        }
    }
}
