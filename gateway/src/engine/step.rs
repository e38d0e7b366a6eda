//! One step: for each input the timers that are due before it, then the input; at last the timers that are due by `now`.
use super::compiled::Compiled;
use super::coverage::Away;
use super::input::{Body, EngineMs, Input};
use super::outcome::{Outcome, Verdict};
use super::quality::series::Bucket;
use super::rules::Rule;
use super::standing::is_drill;
use super::state::State;
use super::timer::Timer;
use std::sync::Arc;
use tuoan_protocol::{DeviceId, Place, ZoneId};

/// Moves `state` on by `inputs` and to `now`.
///
/// `now` must not be later than the next input's arrival, nor, before a [`Body::Started`], later than its `down_from`: then any partition of
/// the log into steps says the same and ends in the same state. Times that go backwards are taken for the latest time seen.
pub fn step(state: &mut State, inputs: &[Input], now: EngineMs) -> Outcome {
    let mut run = Run::new(state);
    run.out.verdicts.reserve(inputs.len());
    for input in inputs {
        if let Body::Started { down_from } = input.body {
            run.advance(down_from.min(input.at));
            let deaf = input.at.saturating_sub(run.state.now.max(down_from));
            run.was_deaf(deaf);
            if deaf > 0 {
                run.go_away();
            }
        }
        run.advance(input.at);
        run.come_back();
        let verdict = run.apply(&input.body);
        run.out.verdicts.push(verdict);
        run.after();
    }
    run.advance(now);
    run.out
}

const OFFSET_LIMIT_MS: i64 = 100_000_000_000_000;

/// A step under way.
pub(super) struct Run<'a> {
    pub state: &'a mut State,
    pub compiled: Arc<Compiled>,
    pub out: Outcome,
    /// Time of the input or timer at hand.
    pub at: EngineMs,
    pub incidents_changed: bool,
    /// What the reading at hand has brought about in its series.
    pub learned: Learned,
    /// The time at hand lies in one in which the gateway did not listen.
    pub away: Option<Away>,
}

/// A number that was bad is good again; a mean is complete.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Learned {
    pub recovered: bool,
    pub bucket: Option<Bucket>,
}

/// A device and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Place3 {
    pub device: DeviceId,
    /// Index of its zone; `None` when it stands nowhere.
    pub zone: Option<u32>,
    pub zone_id: ZoneId,
}

impl Place3 {
    /// The place of a finding of that rule.
    pub fn place(&self, rule: &Rule) -> Place {
        // What a drill stages never mixes with what happens.
        let own = rule.per_device || is_drill(&self.device);
        Place { zone: self.zone_id.clone(), device: own.then(|| self.device.clone()) }
    }
}

impl<'a> Run<'a> {
    pub fn new(state: &'a mut State) -> Run<'a> {
        let (compiled, at) = (state.compiled.clone(), state.now);
        Run { state, compiled, out: Outcome::default(), at, incidents_changed: false, learned: Learned::default(), away: None }
    }

    /// Fires the timers due by `limit`, each at the time it was due.
    pub fn advance(&mut self, limit: EngineMs) {
        while let Some((due, timer)) = self.state.timers.pop(limit) {
            self.at = due.max(self.state.now);
            self.state.now = self.at;
            self.fire(timer);
            self.after();
        }
        self.state.now = self.state.now.max(limit);
        self.at = self.state.now;
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Schedule => self.schedule_due(),
            Timer::Zone(zone) => self.zone_due(zone),
            Timer::Track(device, rule, channel) => self.track_due(&device, rule, channel),
            Timer::Silence(device) => self.silence_due(&device),
            Timer::Age(device) => self.age_due(&device),
            Timer::Cases => self.cases_due(),
            Timer::Close(key) => self.close_or_wait(&key),
            Timer::Climb(key) => self.climb_due(&key),
            Timer::Standing => self.standings_due(),
            Timer::Minute => self.minute_due(),
        }
    }

    /// What follows from changed incidents: sirens, beacons and valves.
    fn after(&mut self) {
        if std::mem::take(&mut self.incidents_changed) {
            self.orders();
        }
    }

    fn apply(&mut self, body: &Body) -> Verdict {
        if let Body::Message(m) = body {
            if self.is_repeat(m) {
                return Verdict::Duplicate;
            }
            let position = self.take_position();
            self.round();
            self.message(m);
            self.coverage_heard(m);
            return Verdict::Accepted(position);
        }
        if let Body::Command(c) = body {
            if let Err(reason) = self.may(c) {
                return Verdict::Refused(reason);
            }
            let position = self.take_position();
            self.command(c);
            return Verdict::Accepted(position);
        }
        if let Body::Configure(c) = body {
            let day = c.site.local_day(self.state.utc(self.at));
            let Ok(compiled) = Compiled::new(&c.site, &c.rules, day) else {
                return Verdict::Refused(
                    "a rule pack or an override does not compile; `tuoan rules check` and `tuoan doctor` name every problem",
                );
            };
            let position = self.take_position();
            self.state.day = day;
            self.configure(c.clone(), compiled);
            return Verdict::Accepted(position);
        }
        let position = self.take_position();
        match body {
            Body::Clock { offset_ms, trusted } => self.clock(*offset_ms, *trusted),
            Body::Inventory(list) => list.iter().for_each(|i| self.inventory(i)),
            // Time has been moved on already; what was being timed has been shifted.
            Body::Started { .. } | Body::Configure(_) | Body::Message(_) | Body::Command(_) => {}
        }
        Verdict::Accepted(position)
    }

    fn take_position(&mut self) -> u64 {
        self.state.position = self.state.position.saturating_add(1);
        self.state.position
    }

    fn clock(&mut self, offset_ms: i64, trusted: bool) {
        // Beyond three thousand years either way it is no time, and days could not be counted.
        (self.state.offset_ms, self.state.trusted) = (offset_ms.clamp(-OFFSET_LIMIT_MS, OFFSET_LIMIT_MS), trusted);
        self.new_phase();
        self.arm_minute();
    }

    /// Nothing could be heard for so long: what counts silence counts from later on.
    fn was_deaf(&mut self, for_ms: i64) {
        if for_ms <= 0 {
            return;
        }
        let shift = |t: &mut Option<EngineMs>| *t = t.map(|t| t.saturating_add(for_ms));
        for device in self.state.devices.values_mut() {
            shift(&mut device.quiet_since);
            shift(&mut device.offline_since);
            device.cadence.interrupted();
            device.values.values_mut().filter_map(|v| v.series.as_deref_mut()).for_each(|s| s.interrupted());
        }
        for zone in &mut self.state.zones {
            shift(&mut zone.last_sign);
        }
        // Timers of silence and occupancy find at their old time that they are not due, and wait on.
    }
}
