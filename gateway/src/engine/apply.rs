//! A device's message.
use super::cadence::Gap;
use super::compiled::{CANARY, Slot};
use super::derive::{self, Derived};
use super::detect::{Change, Hold, Tracker, judge};
use super::device::{Device, EVICT, Info, MAX_ANNOUNCED, MAX_JUDGED, MAX_TEXT, MAX_UNPLACED, MAX_VALUES, Value};
use super::incident::Cause;
use super::input::{DeviceInfo, Item, Message, Start};
use super::judge::{carry, drive, guard};
use super::occupancy::{proves_absence, sign_of_person};
use super::quality::{count, limits};
use super::rules::{Kind, Latch, phase_bit};
use super::standing::{DRILL_PREFIX, is_drill};
use super::step::{Learned, Place3, Run};
use super::timer::Timer;
use std::collections::BTreeSet;
use tuoan_protocol::{DeviceId, EventKind, Fixed, Presence, Quantity, Trigger};

/// A sample that is older than this when it arrives tells the past, not the present.
pub const LATE_MS: i64 = 10 * 60_000;

/// When a reading was taken, as far as it can be known.
#[derive(Clone, Copy)]
struct Sampled {
    utc: i64,
    /// By the device's clock, checked against ours.
    by_device: bool,
    late: bool,
    /// What the offset of its clock adds to `utc`.
    shift: i64,
}

/// No clock that is right says so.
fn is_ahead(sample: i64, now: i64) -> bool {
    sample.saturating_sub(now) > LATE_MS
}

impl Run<'_> {
    /// Whether it is a redelivery. A counter that starts again under the same boot id is none: its samples are newer than all before.
    pub(super) fn is_repeat(&mut self, m: &Message) -> bool {
        let (Some(boot), Some(seq)) = (m.boot, m.seq) else { return false };
        let Some(device) = self.state.devices.get_mut(&m.device) else { return false };
        if !device.boots.knows(boot, seq) {
            return false;
        }
        let restarted = matches!((m.sampled_at, device.newest_sample), (Some(new), Some(newest)) if new > newest) && !m.retained;
        if restarted {
            device.boots.forget(boot);
        } else {
            count(&mut device.counts.duplicate);
        }
        !restarted
    }

    fn sampled(&mut self, m: &Message) -> Sampled {
        let (at, now) = (self.at, self.state.utc(self.at));
        let arrival = Sampled { utc: now, by_device: false, late: false, shift: 0 };
        // Unless both clocks are known to be right the order of arrival counts.
        let Some(t) = m.sampled_at.filter(|_| self.state.trusted) else { return arrival };
        let Some(device) = self.state.devices.get_mut(&m.device) else { return arrival };
        let newest = device.newest_sample.filter(|n| !is_ahead(*n, now));
        let age = now.saturating_sub(t);
        let late = age > LATE_MS;
        if !m.retained {
            if !late && newest.is_none_or(|n| n <= t) {
                device.lag.in_time();
                device.clock.note(at, age);
            } else if device.lag.old(at, age) {
                // The clock was set back, or was never set: what was known of it is void.
                device.clock.note_another(at, age);
                let taken = device.clock.offset(at).map_or(now, |o| t.saturating_add(o.ms).min(now));
                return Sampled { shift: taken.saturating_sub(now), ..arrival };
            }
        }
        // A clock that is off by minutes makes nothing late.
        let correction = device.clock.correction(at);
        let late = late && age.saturating_sub(correction.max(0)) > LATE_MS;
        let utc = t.min(now);
        Sampled { utc, by_device: true, late, shift: t.saturating_add(correction).min(now).saturating_sub(utc) }
    }

    pub(super) fn message(&mut self, m: &Message) {
        if m.device.as_str() == CANARY {
            return self.canary(m);
        }
        // A drill is staged by its own device alone, and only while it is under way.
        let staged = |d: &super::standing::Drill| m.device.as_str().strip_prefix(DRILL_PREFIX) == Some(d.zone.as_str());
        if is_drill(&m.device) && (m.retained || !self.state.drill.as_ref().is_some_and(staged)) {
            return;
        }
        let compiled = self.compiled.clone();
        self.remember(&m.device);
        let sampled = self.sampled(m);
        let now = self.state.utc(self.at);
        let Some(device) = self.state.devices.get_mut(&m.device) else { return };
        if let (Some(boot), Some(seq)) = (m.boot, m.seq) {
            device.boots.note(boot, seq);
        }
        // One sample from the far future must not make every later one old.
        let newest = device.newest_sample.filter(|n| !is_ahead(*n, now) || m.sampled_at.is_none_or(|t| is_ahead(t, now)));
        device.newest_sample = newest.max(m.sampled_at);
        let slot = compiled.slot(device.slot);
        let (zone, zone_id) = slot.map_or((None, None), |s| (s.zone, Some(s.zone_id.clone())));
        let place = zone_id.map(|zone_id| Place3 { device: m.device.clone(), zone, zone_id });
        if !m.retained {
            self.heard(m, place.as_ref());
        }
        for item in &m.items {
            match item {
                Item::Reading { quantity, channel, value } => {
                    let renamed = slot.and_then(|s| derive::by_role(s.role, quantity));
                    let quantity = renamed.as_ref().unwrap_or(quantity);
                    let current = self.take(m, place.as_ref(), slot, quantity, *channel, *value, sampled);
                    if current
                        && !m.retained
                        && !sampled.late
                        && let Some(slot) = slot.filter(|s| Derived::concerns(s.role, quantity))
                    {
                        self.derive(m, place.as_ref(), slot, quantity, *channel, *value, sampled);
                    }
                    // What lay there, or is old, is no answer to an order.
                    if current && !m.retained && !sampled.late {
                        self.reported(&m.device, slot, quantity, *channel, *value);
                    }
                    if current
                        && !m.retained
                        && let (Some(seen), Some(place)) = (sign_of_person(quantity, *value), &place)
                    {
                        self.person(place, quantity.clone(), *channel, seen, *value);
                    }
                }
                Item::Unknown { quantity, channel } => {
                    if !m.retained {
                        self.cannot_tell(&m.device, quantity, *channel);
                    }
                }
                Item::Event { kind, command } => self.event(m, place.as_ref(), kind, *command),
                Item::Presence(p) => self.presence(m, *p),
            }
        }
    }

    /// A live message: the device speaks.
    fn heard(&mut self, m: &Message, place: Option<&Place3>) {
        let at = self.at;
        let Some(device) = self.state.devices.get_mut(&m.device) else { return };
        let first = device.last_heard.is_none();
        let unset = device.quiet_since.is_none();
        // Its own farewell is no sign of life.
        if m.items.iter().all(|i| matches!(i, Item::Presence(Presence::Offline | Presence::Leaving))) && !m.items.is_empty() {
            return;
        }
        device.first_heard = device.first_heard.or(Some(at));
        device.last_heard = Some(at);
        device.quiet_since = Some(at);
        device.offline_since = None;
        let was_silent = std::mem::replace(&mut device.silent, false);
        // A changed state is news, not habit; and what is between two that are alike may be lost or late.
        let in_turn = m.boot.zip(m.seq).is_none_or(|(boot, seq)| device.boots.in_turn(boot, seq));
        let news = m.items.iter().any(|i| match i {
            Item::Reading { quantity, channel, value } if quantity.is_state() => {
                !in_turn || device.value(quantity, *channel).is_some_and(|v| v.value != *value)
            }
            Item::Reading { .. } | Item::Unknown { .. } => false,
            Item::Event { .. } | Item::Presence(_) => true,
        });
        let gap = match (was_silent, &device.under) {
            (false, _) => Gap::Habit,
            (true, None) => Gap::Failure,
            (true, Some(_)) => Gap::Foreign,
        };
        let period_changed = if news {
            device.cadence.news(at, gap);
            false
        } else {
            device.cadence.beat(at, gap)
        };
        let sees_people = device.tells_of_people();
        if first || unset {
            self.arm_age(&m.device);
        }
        if first || unset || was_silent || period_changed {
            self.arm_silence(&m.device);
        }
        if !self.state.hubs.is_empty() {
            let trigger = Trigger { device: m.device.clone(), reading: None, seq: m.seq };
            self.hubs_heard(&m.device, &Cause { trigger: Some(trigger), ..Cause::default() });
        }
        if let Some(place) = place.filter(|_| was_silent) {
            let trigger = Trigger { device: m.device.clone(), reading: None, seq: m.seq };
            self.silence_over(place, Cause { trigger: Some(trigger), ..Cause::default() });
            if let Some((i, z)) = place.zone.filter(|_| sees_people).and_then(|i| Some((i, self.state.zones.get_mut(i as usize)?))) {
                let watched = !z.watchers.is_empty();
                z.watchers.insert(m.device.clone());
                if !watched {
                    self.reconsider_zone(i);
                }
            }
        }
    }

    /// Takes one reading in, with what it means for itself and for the other sensors in its zone; true when it is now the newest of its quantity.
    #[allow(clippy::too_many_arguments)]
    fn take(
        &mut self,
        m: &Message,
        place: Option<&Place3>,
        slot: Option<&Slot>,
        quantity: &Quantity,
        channel: u8,
        value: Fixed,
        sampled: Sampled,
    ) -> bool {
        let current = self.reading(m, place, quantity, channel, value, sampled);
        let learned = std::mem::take(&mut self.learned);
        if let Some(bucket) = learned.bucket {
            self.bucket(&m.device, quantity, channel, bucket);
        }
        if learned.recovered {
            self.look(&m.device, |kind| kind == Kind::Implausible);
        }
        if current
            && (quantity.is_state() || !m.retained && !sampled.late)
            && slot.is_some_and(|s| s.watched.iter().any(|(q, _)| q == quantity))
            && let Some(place) = place
        {
            self.sense(place, quantity, channel, value);
        }
        current
    }

    fn reading(&mut self, m: &Message, place: Option<&Place3>, quantity: &Quantity, channel: u8, value: Fixed, sampled: Sampled) -> bool {
        let compiled = self.compiled.clone();
        let at = self.at;
        let state = &mut *self.state;
        let Some(device) = state.devices.get_mut(&m.device) else { return false };
        let judged = compiled.slot(device.slot).is_some_and(|s| s.judged.iter().any(|(q, _)| q == quantity));
        let full = device.values.len() >= if judged { MAX_JUDGED } else { MAX_VALUES };
        let key = (quantity.clone(), channel);
        let known = device.values.get_mut(&key);
        let edge = !m.retained && known.as_ref().is_some_and(|v| v.value != value);
        let older = sampled.by_device && known.as_ref().is_some_and(|v| v.sampled > sampled.utc);
        if m.retained {
            // Already known, or overtaken; and a number that was lying about is no measurement of now.
            let seen = known.as_ref().is_some_and(|v| v.value == value || older || !quantity.is_state());
            if seen {
                return false;
            }
        }
        let number = !quantity.is_state();
        let implausible = number && !limits::is_plausible(quantity, value);
        let shift = i32::try_from(sampled.shift).unwrap_or(i32::MIN);
        let known = match known {
            Some(v) if older => v,
            Some(v) => {
                if !number && (v.value != value || v.unknown_since.is_some()) {
                    v.since = at;
                }
                (v.value, v.at, v.sampled, v.shift, v.implausible, v.unknown_since) = (value, at, sampled.utc, shift, implausible, None);
                v
            }
            None if full => return false,
            None => {
                let since = if number { 0 } else { at };
                let fresh = Value { value, at, sampled: sampled.utc, shift, implausible, unknown_since: None, since, series: None };
                device.values.entry(key).or_insert(fresh)
            }
        };
        if number && (m.retained || older || sampled.late) {
            if !m.retained {
                count(&mut device.counts.late);
            }
            return !older;
        }
        // Numbers of devices that hang somewhere learn their normality.
        let learns = number && compiled.slot(device.slot).is_some_and(|s| s.zone.is_some());
        let series = if learns { Some(known.series.get_or_insert_default()) } else { None };
        if implausible {
            count(&mut device.counts.implausible);
            if let Some(s) = series {
                s.refuse(at);
                self.look(&m.device, |kind| kind == Kind::Implausible);
            }
            return false;
        }
        if let Some(s) = series {
            self.learned = Learned { recovered: s.bad > 0, bucket: s.take(at, value.0) };
            if matches!(quantity, Quantity::Battery | Quantity::BatteryVoltage) {
                s.battery.get_or_insert_default().sample(quantity, value.0, at);
            }
        }
        let Some(slot) = compiled.slot(device.slot) else { return !older };
        let Some((_, rules)) = slot.judged.iter().find(|(q, _)| q == quantity) else { return !older };
        if older {
            self.late_state(m, place, quantity, channel, value, sampled, rules);
            return false;
        }
        let zone = slot.zone.and_then(|z| state.zones.get(z as usize));
        let offset = state.offset_ms;
        let month = || compiled.schedule.month(at.saturating_add(offset));
        let mut changes: Vec<((u16, u8), Change, bool)> = Vec::new();
        for &index in rules {
            let Some(rule) = compiled.rule(index) else { continue };
            let key = (index, channel);
            if rule.kind == Kind::Decay && !guard(rule, zone, at, month) && device.tracks.get(&key).is_none_or(|t| t.hold == Hold::Idle) {
                device.tracks.remove(&key); // What was before closing says nothing.
                continue;
            }
            let carried = if rule.kind == Kind::Mean { carry(device, slot) } else { 0 };
            let tracks = &mut device.tracks;
            let tracker = if rule.window > 0 {
                tracks.entry(key).or_default()
            } else {
                match tracks.get_mut(&key) {
                    Some(t) => t,
                    // The usual case: nothing is the matter and nothing was.
                    None if !judge(rule, value.0, edge).0 => continue,
                    None => tracks.entry(key).or_default(),
                }
            };
            let Some(level) = Tracker::level(tracker, rule, value, at, carried) else { continue };
            let verdict = judge(rule, level, edge);
            if m.retained && verdict.0 {
                tracker.found_on_connect = true;
            }
            let found = tracker.found_on_connect;
            let holds = guard(rule, zone, at, month);
            let change = drive(tracker, &mut state.timers, &m.device, key, rule, verdict, holds, at);
            if tracker.is_idle() {
                tracks.remove(&key);
            }
            if let Some(change) = change {
                changes.push((key, change, found));
            }
        }
        if let Some(place) = place {
            for ((index, channel), change, found_on_connect) in changes {
                let trigger = Some(Trigger { device: m.device.clone(), reading: Some((quantity.clone(), value)), seq: m.seq });
                self.change(place, index, channel, change, Cause { trigger, found_on_connect, ..Cause::default() });
            }
        }
        true
    }

    /// What follows from a live reading is taken in as readings of its own.
    #[allow(clippy::too_many_arguments)]
    fn derive(
        &mut self,
        m: &Message,
        place: Option<&Place3>,
        slot: &Slot,
        quantity: &Quantity,
        channel: u8,
        value: Fixed,
        sampled: Sampled,
    ) {
        let Some(device) = self.state.devices.get_mut(&m.device) else { return };
        for (quantity, value) in device.derived.from(slot.role, quantity, channel, value, self.at) {
            self.take(m, place, Some(slot), &quantity, channel, value, sampled);
        }
    }

    /// A state that is older than what is known already. A hazard in it did happen: it is told, and is over.
    #[allow(clippy::too_many_arguments)]
    fn late_state(
        &mut self,
        m: &Message,
        place: Option<&Place3>,
        quantity: &Quantity,
        channel: u8,
        value: Fixed,
        sampled: Sampled,
        rules: &[u16],
    ) {
        let compiled = self.compiled.clone();
        let Some(place) = place else { return };
        for &index in rules {
            let Some(rule) = compiled.rule(index).filter(|r| r.kind == Kind::State && r.hold == 0 && r.is == value.0) else { continue };
            let phase = place.zone.map(|z| compiled.schedule.phase(z as usize, sampled.utc.saturating_add(sampled.shift)));
            if rule.is_guarded() && phase.is_none_or(|p| rule.phases & phase_bit(p) == 0) || rule.is_latched() || rule.occupied.is_some() {
                continue;
            }
            if self.state.devices.get(&m.device).is_some_and(|d| d.tracks.contains_key(&(index, channel))) {
                continue; // It holds now: the incident is there.
            }
            let trigger = Some(Trigger { device: m.device.clone(), reading: Some((quantity.clone(), value)), seq: m.seq });
            let cause = Cause { trigger, ..Cause::default() };
            self.change(place, index, channel, Change::Raise, cause.clone());
            self.change(place, index, channel, Change::Lift, cause);
        }
    }

    /// A sensor says that someone is here, or that nobody is.
    fn person(&mut self, place: &Place3, quantity: Quantity, channel: u8, seen: bool, value: Fixed) {
        let at = self.at;
        if let Some(d) = self.state.devices.get_mut(&place.device) {
            d.sees_people = true;
        }
        let Some((index, z)) = place.zone.and_then(|i| Some((i, self.state.zones.get_mut(i as usize)?))) else { return };
        let watched = !z.watchers.is_empty();
        if !z.watchers.contains(&place.device) {
            z.watchers.insert(place.device.clone());
        }
        let key = (place.device.clone(), quantity.clone(), channel);
        if seen {
            z.last_sign = Some(at);
            if !z.seen_by.contains(&key) {
                z.seen_by.insert(key);
            }
        } else if z.seen_by.remove(&key) {
            z.last_sign = Some(at);
        }
        let nobody = !z.seen_by.iter().any(|(_, q, _)| proves_absence(q));
        if let Some(due) = z.runs_out().filter(|_| !seen) {
            self.state.timers.arm(due.max(at), Timer::Zone(index));
        }
        if self.occupancy(index) || !watched {
            self.reconsider_zone(index);
        }
        if !seen && nobody && proves_absence(&quantity) && !self.state.incidents.is_empty() {
            let trigger = Some(Trigger { device: place.device.clone(), reading: Some((quantity, value)), seq: None });
            self.unlatch(&place.zone_id, Latch::Absence, &Cause { trigger, ..Cause::default() });
        }
    }

    fn event(&mut self, m: &Message, place: Option<&Place3>, kind: &EventKind, command: Option<u64>) {
        if m.retained {
            return; // It happened at some time before; it is in the log, and means nothing now.
        }
        let cause = Cause { trigger: Some(Trigger { device: m.device.clone(), reading: None, seq: m.seq }), ..Cause::default() };
        match (kind, command, place) {
            (EventKind::CommandDone, Some(number), _) => self.carried_out(&m.device, number),
            (EventKind::Test, _, Some(place)) => self.tested(place, cause),
            (kind, _, Some(place)) => {
                let compiled = self.compiled.clone();
                let slot = self.state.devices.get(&m.device).and_then(|d| compiled.slot(d.slot));
                let struck = slot.into_iter().flat_map(|s| &s.events).filter(|(k, _)| k == kind);
                for (_, rule) in struck {
                    self.struck(place, *rule, cause.clone());
                }
            }
            _ => {}
        }
    }

    fn presence(&mut self, m: &Message, presence: Presence) {
        if matches!(presence, Presence::Online) {
            return;
        }
        let at = self.at;
        if let Some(d) = self.state.devices.get_mut(&m.device) {
            d.offline_since = d.offline_since.or(Some(at));
            d.quiet_since = d.quiet_since.or(Some(at));
        }
        self.arm_silence(&m.device);
    }

    /// Makes room for a device that was never heard before.
    fn remember(&mut self, id: &DeviceId) {
        if self.state.devices.contains_key(id) {
            return;
        }
        let slot = self.compiled.slot_of(id);
        let placed = self.compiled.by_device.contains_key(id);
        if !placed {
            if self.state.unplaced >= MAX_UNPLACED {
                self.evict();
            }
            self.state.unplaced += 1;
        }
        self.state.devices.insert(id.clone(), Device { slot, ..Device::default() });
    }

    /// Forgets the devices that stand nowhere and were not heard for longest; those that uphold an incident go last, or a flood of new names
    /// would end an alarm.
    fn evict(&mut self) {
        let compiled = self.compiled.clone();
        let upholding: BTreeSet<DeviceId> =
            self.state.incidents.values().flat_map(|i| i.findings.keys()).filter_map(|f| f.1.clone()).collect();
        let unplaced = self.state.devices.iter().filter(|(id, _)| !compiled.by_device.contains_key(*id));
        let mut by_age: Vec<_> = unplaced.map(|(id, d)| (upholding.contains(id), d.last_heard, id.clone())).collect();
        by_age.sort_unstable();
        for (_, _, id) in by_age.into_iter().take(EVICT) {
            let theirs = |(key, inc): (&super::incident::Key, &super::incident::Incident)| {
                inc.findings.keys().find(|f| f.1.as_ref() == Some(&id)).map(|f| (key.clone(), f.clone()))
            };
            while let Some((key, finding)) = self.state.incidents.iter().find_map(theirs) {
                self.lift(&key, &finding, Cause::default());
            }
            if let Some(gone) = self.state.devices.remove(&id) {
                for ((rule, channel), t) in &gone.tracks {
                    if let Some(due) = t.due {
                        self.state.timers.disarm(due, Timer::Track(id.clone(), *rule, *channel));
                    }
                }
                self.state.unplaced = self.state.unplaced.saturating_sub(1);
            }
        }
    }

    /// What a bridge or a birth message says of a device.
    pub(super) fn inventory(&mut self, info: &DeviceInfo) {
        let Some(id) = &info.device else { return };
        if info.removed {
            if !self.compiled.by_device.contains_key(id)
                && let Some(d) = self.state.devices.get_mut(id)
            {
                d.info = Info::default();
            }
            return;
        }
        self.remember(id);
        let Some(d) = self.state.devices.get_mut(id) else { return };
        let text = |t: &Option<String>, old: &mut Option<String>| {
            if let Some(t) = t {
                *old = Some(t.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect());
            }
        };
        text(&info.name, &mut d.info.name);
        text(&info.make, &mut d.info.make);
        text(&info.model, &mut d.info.model);
        text(&info.firmware, &mut d.info.firmware);
        text(&info.hardware, &mut d.info.hardware);
        // A birth comes with every connection; it is a new start when its number is another.
        if let Some(start) = info.start.as_ref().filter(|s| d.info.start.as_ref().is_none_or(|old| old.boot != s.boot)) {
            let mut reason = None;
            text(&start.reason, &mut reason);
            d.resets.note(reason.as_deref().unwrap_or_default());
            d.started = Some(self.at);
            d.info.start = Some(Start { boot: start.boot, reason });
        }
        d.info.period_s = info.period_s.or(d.info.period_s);
        if !info.quantities.is_empty() {
            d.info.quantities = info.quantities.iter().take(MAX_ANNOUNCED).cloned().collect();
        }
        d.info.via = info.via.clone().filter(|via| via != id).or_else(|| d.info.via.take());
        self.arm_silence(id);
    }
}
