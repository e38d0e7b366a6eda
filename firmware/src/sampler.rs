//! When each sensor is looked at and what of it is told: the mean of several looks, at once where it crosses a limit, soon where it has changed, and
//! in any case after its period. A fault is told as a fault, and no value goes with it.
use crate::alarm::fault_reading;
use crate::clock::{Clock, until};
use crate::outbox::{Lane, Outbox};
use crate::post::Post;
use crate::sensor::{Fault, MAX_SAMPLE, Sample, Sensor};
use crate::signal::Signal;
use crate::watchdog::Pulse;
use embassy_futures::select::{Either, select};
use heapless::Vec;
use tuoan_protocol::{EventKind, Fixed, Quantity, Reading};

/// Rules of one sensor at most.
pub const MAX_RULES: usize = 6;
/// Sensors of one node at most.
pub const MAX_SENSORS: usize = 16;
/// A sensor that has not answered after so long does not answer, in milliseconds.
const ANSWER_MS: u32 = 15_000;
/// Looks that must fail in a row: one alone may be a disturbance on the bus.
const FAILURES: u8 = 2;
/// How soon a look that failed is repeated, in milliseconds, growing to the longest.
const RETRY_MS: u32 = 1_000;
const RETRY_MAX_MS: u32 = 30_000;

/// How one sensor is sampled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Milliseconds between two looks.
    pub look_ms: u32,
    /// How many looks make one value, at least 1: numbers are averaged, of states the last counts.
    pub oversample: u8,
    /// Milliseconds between two reports when nothing changes: the period that the birth promises.
    pub report_ms: u32,
    /// Added to the sensor's own channels, where another sensor gives the same quantity.
    pub channel: u8,
    pub rules: Vec<Rule, MAX_RULES>,
}

impl Default for Plan {
    /// Every ten seconds, told every minute.
    fn default() -> Self {
        Plan { look_ms: 10_000, oversample: 1, report_ms: 60_000, channel: 0, rules: Vec::new() }
    }
}

/// What of a quantity is told before its period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub quantity: Quantity,
    /// Told when it differs by so much from what was told last.
    pub step: Option<Fixed>,
    /// Told at once, before anything that waits, when it comes below or back.
    pub low: Option<Fixed>,
    /// Told at once, before anything that waits, when it comes above or back.
    pub high: Option<Fixed>,
}

/// All sensors of a board, by place. A tuple of sensors is one, and so is an array of like ones.
#[allow(async_fn_in_trait)] // One executor, one thread: nothing here has to be `Send`.
pub trait Sensors {
    fn count(&self) -> usize;
    fn name(&self, place: usize) -> &'static str;
    async fn start(&mut self, place: usize) -> Result<(), Fault>;
    async fn sample(&mut self, place: usize, now_ms: u64) -> Result<Sample, Fault>;
}

macro_rules! tuple {
    ($count:literal: $($t:ident $i:tt)*) => {
        impl<$($t: Sensor),*> Sensors for ($($t,)*) {
            fn count(&self) -> usize { $count }
            fn name(&self, place: usize) -> &'static str { match place { $($i => self.$i.name(),)* _ => "" } }
            async fn start(&mut self, place: usize) -> Result<(), Fault> { match place { $($i => self.$i.start().await,)* _ => Err(Fault::Missing) } }
            #[allow(unused_variables)]
            async fn sample(&mut self, place: usize, now_ms: u64) -> Result<Sample, Fault> {
                match place { $($i => self.$i.sample(now_ms).await,)* _ => Err(Fault::Missing) }
            }
        }
    };
}
tuple!(0:);
tuple!(1: A 0);
tuple!(2: A 0 B 1);
tuple!(3: A 0 B 1 C 2);
tuple!(4: A 0 B 1 C 2 D 3);
tuple!(5: A 0 B 1 C 2 D 3 E 4);
tuple!(6: A 0 B 1 C 2 D 3 E 4 F 5);
tuple!(7: A 0 B 1 C 2 D 3 E 4 F 5 G 6);
tuple!(8: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);

impl<S: Sensor> Sensors for [S] {
    fn count(&self) -> usize {
        self.len()
    }
    fn name(&self, place: usize) -> &'static str {
        self.get(place).map_or("", Sensor::name)
    }
    async fn start(&mut self, place: usize) -> Result<(), Fault> {
        match self.get_mut(place) {
            Some(sensor) => sensor.start().await,
            None => Err(Fault::Missing),
        }
    }
    async fn sample(&mut self, place: usize, now_ms: u64) -> Result<Sample, Fault> {
        match self.get_mut(place) {
            Some(sensor) => sensor.sample(now_ms).await,
            None => Err(Fault::Missing),
        }
    }
}

/// What is to be told after a look.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    pub readings: Option<(Lane, Sample)>,
    /// A fault that is new.
    pub fault: Option<Fault>,
}

/// One sensor between its looks. Pure: what it says follows from the looks and their times.
#[derive(Debug)]
pub struct Watch {
    plan: Plan,
    /// Place on the node, the channel of its `fault`.
    place: u8,
    sums: Vec<Sum, MAX_SAMPLE>,
    looks: u8,
    /// What was told last, and the band it lay in.
    told: Vec<(Reading, Band), MAX_SAMPLE>,
    told_at: Option<u64>,
    valued_at: Option<u64>,
    failures: u8,
    fault: Option<Fault>,
    started: bool,
    retry_ms: u32,
    due_ms: u64,
}
#[derive(Debug)]
struct Sum {
    quantity: Quantity,
    channel: u8,
    sum: i64,
    count: i64,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Band {
    Low,
    Within,
    High,
}

impl Watch {
    pub fn new(plan: Plan, place: u8) -> Watch {
        Watch {
            plan,
            place,
            sums: Vec::new(),
            looks: 0,
            told: Vec::new(),
            told_at: None,
            valued_at: None,
            failures: 0,
            fault: None,
            started: false,
            retry_ms: RETRY_MS,
            due_ms: 0,
        }
    }

    /// Takes what a look gave at `now_ms`.
    pub fn take(&mut self, now_ms: u64, look: Result<Sample, Fault>) -> Told {
        match look {
            Ok(sample) if sample.is_empty() => {
                self.due_ms = now_ms.saturating_add(u64::from(self.plan.look_ms.max(1)));
                let since = *self.valued_at.get_or_insert(now_ms);
                let patience = u64::from(self.plan.report_ms).max(u64::from(self.plan.look_ms).saturating_mul(5));
                if now_ms.saturating_sub(since) > patience { self.fail(now_ms, Fault::Stale) } else { Told::default() }
            }
            Ok(sample) => {
                self.due_ms = now_ms.saturating_add(u64::from(self.plan.look_ms.max(1)));
                self.valued_at = Some(now_ms);
                self.failures = 0;
                self.retry_ms = RETRY_MS;
                self.add(&sample);
                if self.looks >= self.plan.oversample.max(1) { self.value(now_ms) } else { Told::default() }
            }
            Err(fault) => self.fail(now_ms, fault),
        }
    }

    fn add(&mut self, sample: &[Reading]) {
        self.looks = self.looks.saturating_add(1);
        for r in sample {
            let channel = r.channel.saturating_add(self.plan.channel);
            match self.sums.iter_mut().find(|s| s.quantity == r.quantity && s.channel == channel) {
                Some(sum) if r.quantity.is_state() => sum.sum = r.value.0,
                Some(sum) => {
                    sum.sum = sum.sum.saturating_add(r.value.0);
                    sum.count += 1;
                }
                // A sample holds no more than there is room for, and a sensor always gives the same quantities.
                None => drop(self.sums.push(Sum { quantity: r.quantity.clone(), channel, sum: r.value.0, count: 1 })),
            }
        }
    }

    /// The mean of the looks, if there is reason to tell it.
    fn value(&mut self, now_ms: u64) -> Told {
        let mut readings = Sample::new();
        for s in &self.sums {
            // Half away from zero.
            let half = if s.sum < 0 { -(s.count / 2) } else { s.count / 2 };
            let value = Fixed(s.sum.saturating_add(half) / s.count.max(1));
            let _ = readings.push(Reading { quantity: s.quantity.clone(), channel: s.channel, value });
        }
        self.sums.clear();
        self.looks = 0;

        let recovered = self.fault.take().is_some();
        let period = self.told_at.is_none_or(|at| now_ms.saturating_sub(at) >= u64::from(self.plan.report_ms));
        let (mut crossed, mut changed) = (false, false);
        for r in &readings {
            let last = self.told.iter().find(|(t, _)| t.quantity == r.quantity && t.channel == r.channel);
            match last {
                None => {
                    changed = true;
                    crossed |= self.band(r) != Band::Within;
                }
                Some((t, band)) => {
                    crossed |= *band != self.band(r);
                    let step = self.rule(&r.quantity).and_then(|rule| rule.step);
                    changed |= step.is_some_and(|step| r.value.0.abs_diff(t.value.0) >= step.0.unsigned_abs().max(1));
                    // A state that changed is always news.
                    crossed |= r.quantity.is_state() && r.value != t.value;
                }
            }
        }
        if !(crossed || changed || period || recovered) {
            return Told::default();
        }
        self.told_at = Some(now_ms);
        self.told = readings.iter().map(|r| (r.clone(), self.band(r))).collect();
        if recovered && readings.push(fault_reading(self.place, false)).is_err() {
            // A full sample: the end of the fault takes the last place, the value comes again.
            readings.pop();
            let _ = readings.push(fault_reading(self.place, false));
        }
        let lane = if crossed || recovered { Lane::Alarm } else { Lane::Reading };
        Told { readings: Some((lane, readings)), fault: None }
    }

    fn fail(&mut self, now_ms: u64, fault: Fault) -> Told {
        self.started = false;
        // It is started anew, and may need as long for its first value as after power-on.
        self.valued_at = None;
        self.sums.clear();
        self.looks = 0;
        self.failures = self.failures.saturating_add(1);
        self.due_ms = now_ms.saturating_add(u64::from(self.retry_ms));
        self.retry_ms = self.retry_ms.saturating_mul(2).min(RETRY_MAX_MS);
        // Silence for so long is no disturbance.
        if self.failures < FAILURES && fault != Fault::Stale {
            return Told::default();
        }
        // A value before the fault says nothing about the one after it.
        self.told.clear();
        let new = self.fault.replace(fault) != Some(fault);
        let period = self.told_at.is_none_or(|at| now_ms.saturating_sub(at) >= u64::from(self.plan.report_ms));
        if !new && !period {
            return Told::default();
        }
        self.told_at = Some(now_ms);
        let lane = if new { Lane::Alarm } else { Lane::Reading };
        Told { readings: Some((lane, Sample::from_iter([fault_reading(self.place, true)]))), fault: new.then_some(fault) }
    }

    fn rule(&self, quantity: &Quantity) -> Option<&Rule> {
        self.plan.rules.iter().find(|r| r.quantity == *quantity)
    }
    fn band(&self, r: &Reading) -> Band {
        match self.rule(&r.quantity) {
            Some(rule) if rule.low.is_some_and(|low| r.value < low) => Band::Low,
            Some(rule) if rule.high.is_some_and(|high| r.value > high) => Band::High,
            _ => Band::Within,
        }
    }
}

/// A watch for each sensor of any node; a board that knows how many it has needs no more than that many.
pub type Watches = Vec<Watch, MAX_SENSORS>;

/// One watch for each plan; sensors beyond the plans get the default plan.
pub fn watches<S: Sensors + ?Sized>(sensors: &S, plans: &[Plan]) -> Watches {
    (0..sensors.count().min(MAX_SENSORS))
        .map(|place| Watch::new(plans.get(place).cloned().unwrap_or_default(), u8::try_from(place).unwrap_or(u8::MAX)))
        .collect()
}

/// Looks at each sensor when it is due, for ever. `tests` asks for a look at all of them at once.
pub async fn run<C: Clock, O: Outbox, S: Sensors + ?Sized>(
    clock: &C,
    sensors: &mut S,
    watches: &mut [Watch],
    post: &Post<O>,
    tests: &SelfTest,
    pulse: &Pulse,
) -> ! {
    loop {
        let now = clock.now_ms();
        pulse.sampler(now);
        let next = watches.iter().map(|w| w.due_ms).min().unwrap_or(u64::MAX);
        // Never for long: the watchdog wants to hear that this loop turns.
        let wait = until(clock, next.min(now.saturating_add(TURN_MS)));
        if next > now
            && let Either::Second(command) = select(wait, tests.wait()).await
        {
            test(clock, sensors, watches, post, pulse).await;
            post.event(clock.now_ms(), EventKind::CommandDone, Some(command)).await;
            continue;
        }
        let now = clock.now_ms();
        for (place, watch) in watches.iter_mut().enumerate().filter(|(_, w)| w.due_ms <= now) {
            pulse.sampler(clock.now_ms());
            let look = look(clock, sensors, place, watch).await;
            tell(watch, sensors.name(place), look, clock.now_ms(), post).await;
        }
    }
}
/// Longest wait in one piece, in milliseconds.
const TURN_MS: u64 = 10_000;

/// Asks the sampler for a self-test; the number is the command's, which is confirmed when the test is done.
pub type SelfTest = Signal<u64>;

/// One look, started first where needed; a sensor that hangs is one that does not answer.
async fn look<C: Clock, S: Sensors + ?Sized>(clock: &C, sensors: &mut S, place: usize, watch: &mut Watch) -> Result<Sample, Fault> {
    let now_ms = clock.now_ms();
    let looking = async {
        if !watch.started {
            sensors.start(place).await?;
            watch.started = true;
        }
        sensors.sample(place, now_ms).await
    };
    match select(looking, until(clock, now_ms.saturating_add(u64::from(ANSWER_MS)))).await {
        Either::First(look) => look,
        Either::Second(()) => Err(Fault::Missing),
    }
}

async fn tell<O: Outbox>(watch: &mut Watch, name: &str, look: Result<Sample, Fault>, now: u64, post: &Post<O>) {
    let Told { readings, fault } = watch.take(now, look);
    if let Some((lane, sample)) = readings {
        post.readings(lane, now, sample).await;
    }
    if let Some(fault) = fault {
        post.note(now, "fault", name, fault.word()).await;
    }
}

/// Starts and asks every sensor anew, and says of each how it answered: `test.<sensor>.ok` or the fault.
async fn test<C: Clock, O: Outbox, S: Sensors + ?Sized>(clock: &C, sensors: &mut S, watches: &mut [Watch], post: &Post<O>, pulse: &Pulse) {
    for (place, watch) in watches.iter_mut().enumerate() {
        pulse.sampler(clock.now_ms());
        watch.started = false;
        let look = look(clock, sensors, place, watch).await;
        let word = look.as_ref().map_or_else(|fault| fault.word(), |_| "ok");
        post.note(clock.now_ms(), "test", sensors.name(place), word).await;
        tell(watch, sensors.name(place), look, clock.now_ms(), post).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(temperature: i64) -> Result<Sample, Fault> {
        Ok(Sample::from_iter([Reading { quantity: Quantity::Temperature, channel: 0, value: Fixed(temperature) }]))
    }
    fn watch(oversample: u8) -> Watch {
        let rule = Rule { quantity: Quantity::Temperature, step: Some(Fixed(50)), low: None, high: Some(Fixed(2800)) };
        let rules = Vec::from_iter([rule]);
        Watch::new(Plan { look_ms: 10_000, oversample, report_ms: 60_000, channel: 2, rules }, 3)
    }
    fn told(t: &Told) -> Option<(Lane, std::vec::Vec<(u8, i64)>)> {
        t.readings.as_ref().map(|(lane, s)| (*lane, s.iter().map(|r| (r.channel, r.value.0)).collect()))
    }

    #[test]
    fn a_value_is_told_first_on_change_across_a_limit_and_after_its_period() {
        let mut w = watch(1);
        assert_eq!(told(&w.take(0, sample(2000))), Some((Lane::Reading, vec![(2, 2000)])));
        assert_eq!(told(&w.take(10_000, sample(2049))), None);
        assert_eq!(told(&w.take(20_000, sample(2050))), Some((Lane::Reading, vec![(2, 2050)])), "the step counts from what was told");
        assert_eq!(told(&w.take(30_000, sample(2050))), None);
        assert_eq!(told(&w.take(80_000, sample(2051))), Some((Lane::Reading, vec![(2, 2051)])));
        assert_eq!(told(&w.take(90_000, sample(2801))), Some((Lane::Alarm, vec![(2, 2801)])));
        assert_eq!(told(&w.take(100_000, sample(2801))), None, "a limit is told once");
        assert_eq!(told(&w.take(110_000, sample(2800))), Some((Lane::Alarm, vec![(2, 2800)])));
    }

    #[test]
    fn looks_are_averaged_half_away_from_zero() {
        let mut w = watch(2);
        assert_eq!(w.take(0, sample(-3)), Told::default());
        assert_eq!(told(&w.take(1, sample(-4))), Some((Lane::Reading, vec![(2, -4)])));
    }

    #[test]
    fn one_disturbance_is_no_fault_two_are_and_no_value_goes_with_it() {
        let mut w = watch(1);
        w.take(0, sample(2000));
        assert_eq!(w.take(10_000, Err(Fault::Corrupt)), Told::default());
        assert_eq!(w.due_ms, 11_000, "asked again soon");
        let t = w.take(11_000, Err(Fault::Corrupt));
        assert_eq!((t.fault, told(&t)), (Some(Fault::Corrupt), Some((Lane::Alarm, vec![(3, 1)]))));
        assert_eq!(w.take(13_000, Err(Fault::Corrupt)), Told::default(), "told once");
        assert_eq!(w.take(20_000, Err(Fault::Missing)).fault, Some(Fault::Missing), "another fault is news");
        assert_eq!(told(&w.take(80_000, Err(Fault::Missing))), Some((Lane::Reading, vec![(3, 1)])), "and again after the period");
        let back = w.take(90_000, sample(2000));
        assert_eq!(told(&back), Some((Lane::Alarm, vec![(2, 2000), (3, 0)])));
    }

    #[test]
    fn a_sensor_that_never_has_a_new_value_is_stale() {
        let mut w = watch(1);
        w.take(0, sample(2000));
        assert_eq!(w.take(60_000, Ok(Sample::new())), Told::default());
        assert_eq!(w.take(61_000, Ok(Sample::new())).fault, Some(Fault::Stale));
        assert_eq!(w.take(62_000, Ok(Sample::new())), Told::default(), "started anew, it has its time again");
        assert_eq!(w.take(123_000, Ok(Sample::new())).fault, None, "and is still stale after it: no news");
    }

    #[test]
    fn a_sensor_that_warms_up_comes_back_after_a_long_fault() {
        let mut w = watch(1);
        w.take(0, sample(2000));
        for s in 1..600 {
            w.take(s * 1000, Err(Fault::Missing));
        }
        // It answers again, and has no value yet.
        assert_eq!(w.take(600_000, Ok(Sample::new())), Told::default());
        assert_eq!(w.take(605_000, Ok(Sample::new())), Told::default());
        let back = w.take(610_000, sample(2000)).readings.expect("told");
        assert!(back.1.iter().any(|r| r.quantity == Quantity::Fault && r.value.0 == 0), "{back:?}");
    }

    #[test]
    fn a_state_that_changed_is_told_at_once() {
        let motion = |on| Ok(Sample::from_iter([crate::sensor::state(Quantity::Motion, on)]));
        let mut w = watch(1);
        w.take(0, motion(false));
        assert_eq!(told(&w.take(1, motion(true))), Some((Lane::Alarm, vec![(2, 1)])));
    }
}
