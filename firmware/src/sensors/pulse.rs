//! Meters that give pulses: S0 outputs of electricity meters (IEC 62053-31: 30 ms at least), reed contacts of gas and water meters. A pulse is counted
//! by polling, as inputs are; the meter's reading and what flows are asked for, as sensors are.
use super::debounce::{Debounce, Settle};
use super::line::Line;
use super::sample;
use crate::sensor::{Change, Fault, Input, Sample, Sensor, reading, state};
use core::sync::atomic::{AtomicU32, Ordering};
use tuoan_protocol::{Quantity, Reading};

/// Pulses counted since the start, between the two. May be a `static`; written by one side only.
pub struct Counter {
    pulses: AtomicU32,
    /// Uptime of the last one, of which only the lower half is needed.
    last_ms: AtomicU32,
}

impl Counter {
    pub const fn new() -> Counter {
        Counter { pulses: AtomicU32::new(0), last_ms: AtomicU32::new(0) }
    }
    fn add(&self, now_ms: u64) {
        self.last_ms.store(now_ms as u32, Ordering::Relaxed);
        self.pulses.store(self.pulses.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

impl Default for Counter {
    fn default() -> Counter {
        Counter::new()
    }
}

/// Pulse and pause stand for 15 ms at least: S0 gives 30, a reed contact bounces for less.
const SETTLE: Settle = Settle { on: 15, off: 15, fault: 500 };

/// The pulse line. It is to be polled every 5 ms.
pub struct PulseInput<'a, L> {
    line: L,
    debounce: Debounce,
    counter: &'a Counter,
    resting: bool,
}

impl<'a, L: Line> PulseInput<'a, L> {
    pub fn new(line: L, counter: &'a Counter) -> Self {
        PulseInput { line, debounce: Debounce::new(SETTLE), counter, resting: false }
    }
}

impl<L: Line> Input for PulseInput<'_, L> {
    fn name(&self) -> &'static str {
        "pulse"
    }
    /// Pulses are no news; a supervised line that is cut is.
    fn poll(&mut self, now_ms: u64) -> Option<Change> {
        let failed = matches!(self.debounce.settled(), Some(Err(_)));
        let seen = self.line.read();
        match self.debounce.update(now_ms, seen)? {
            Err(fault) => {
                self.resting = false;
                return Some(Change::Fault(fault));
            }
            // A meter may stand still on a closed contact: only a pulse that was seen to begin is one.
            Ok(true) if self.resting => {
                self.counter.add(now_ms);
                self.resting = false;
            }
            Ok(on) => self.resting = !on,
        }
        failed.then(|| Change::State(state(Quantity::Fault, false)))
    }
    fn state(&self) -> Option<Result<Reading, Fault>> {
        self.debounce.settled().and_then(Result::err).map(Err)
    }
}

/// What is metered, and pulses per unit of the meter's reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metered {
    /// Pulses per m³, e.g. 100.
    Gas(u32),
    /// Pulses per m³, e.g. 1000.
    Water(u32),
    /// Pulses per kWh, e.g. 1000.
    Electricity(u32),
}

/// Without a pulse for so long nothing flows that could be told from nothing.
const NOTHING_AFTER_MS: u32 = 600_000;
/// Faster than any pulse output: it is interference, or a contact that chatters.
const MOST_A_SECOND: f64 = 20.0;

pub struct Meter<'a> {
    counter: &'a Counter,
    metered: Metered,
    total: u64,
    seen: u32,
    /// When the pulse came that the rate was last measured to.
    last_ms: Option<u32>,
    /// Pulses an hour.
    rate: f64,
}

impl<'a> Meter<'a> {
    /// `total`: pulses counted before this start, as they were kept.
    pub fn new(counter: &'a Counter, metered: Metered, total: u64) -> Self {
        Meter { counter, metered, total, seen: 0, last_ms: None, rate: 0.0 }
    }
    /// Pulses in all: to be kept for the next start.
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl Sensor for Meter<'_> {
    fn name(&self) -> &'static str {
        "meter"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    /// The meter's reading, and what flows: the mean between the last pulses, and while none comes at most one pulse in the time since.
    async fn sample(&mut self, now_ms: u64) -> Result<Sample, Fault> {
        let (pulses, at) = (self.counter.pulses.load(Ordering::Relaxed), self.counter.last_ms.load(Ordering::Relaxed));
        let new = pulses.wrapping_sub(self.seen);
        (self.seen, self.total) = (pulses, self.total.saturating_add(u64::from(new)));
        let hourly = |pulses: u32, ms: u32| f64::from(pulses) * 3_600_000.0 / f64::from(ms.max(1));
        if new > 0 {
            // After a pause the first pulse only tells that something flows.
            self.rate = self.last_ms.map_or(hourly(1, NOTHING_AFTER_MS), |before| hourly(new, at.wrapping_sub(before)));
            self.last_ms = Some(at);
        } else if let Some(before) = self.last_ms {
            let since = (now_ms as u32).wrapping_sub(before);
            self.rate = self.rate.min(hourly(1, since));
            if since >= NOTHING_AFTER_MS {
                (self.rate, self.last_ms) = (0.0, None);
            }
        }
        if self.rate > MOST_A_SECOND * 3600.0 {
            return Err(Fault::OutOfRange);
        }
        let (total, flow, per_unit, flow_per_hourly_unit) = match self.metered {
            Metered::Gas(per) => (Quantity::GasVolume, Quantity::GasFlow, per, 1.0),
            Metered::Water(per) => (Quantity::WaterVolume, Quantity::WaterFlow, per, 1000.0 / 60.0),
            Metered::Electricity(per) => (Quantity::Energy, Quantity::Power, per, 1000.0),
        };
        let per_unit = f64::from(per_unit.max(1));
        Ok(sample([reading(total, self.total as f64 / per_unit)?, reading(flow, self.rate / per_unit * flow_per_hourly_unit)?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Script, block_on, shown};
    use proptest::prelude::*;

    /// Polls every 5 ms for as long as the script lasts.
    fn count(script: &str) -> (u32, Vec<Change>) {
        let counter = Counter::new();
        let mut input = PulseInput::new(Script::new(script), &counter);
        let told = (0..script.len()).filter_map(|i| input.poll(5 * i as u64)).collect();
        (counter.pulses.load(Ordering::Relaxed), told)
    }

    #[test]
    fn pulses_of_30_ms_are_counted_and_bouncing_is_not() {
        assert_eq!(count(&"000000111111".repeat(50)).0, 50);
        assert_eq!(count(&"0000001011011111101000000".repeat(3)).0, 3);
        assert_eq!(count(&"110".repeat(50)).0, 0);
        assert_eq!(count("11111111111111").0, 0, "it stands on a closed contact");
        let cut = "00000".to_string() + &"x".repeat(150) + "1111100000011111";
        assert_eq!(count(&cut), (1, vec![Change::Fault(Fault::Cut), Change::State(state(Quantity::Fault, false))]));
    }

    #[test]
    fn a_meter_reads_on_from_what_was_kept_and_tells_what_flows() {
        let counter = Counter::new();
        let mut meter = Meter::new(&counter, Metered::Electricity(1000), 5_000);
        let at = |meter: &mut Meter, ms| shown(block_on(meter.sample(ms)));
        assert_eq!(at(&mut meter, 0), "energy 5, power 0");
        counter.add(10_000);
        assert_eq!(at(&mut meter, 10_000), "energy 5.001, power 6", "something flows");
        // 2 kW: a pulse every 1.8 s.
        (1..=5).for_each(|i| counter.add(10_000 + 1_800 * i));
        assert_eq!(at(&mut meter, 20_000), "energy 5.006, power 2000");
        // Nothing more: it can only be less and less.
        assert_eq!(at(&mut meter, 19_000 + 36_000), "energy 5.006, power 100");
        assert_eq!(at(&mut meter, 19_000 + 600_000), "energy 5.006, power 0");
        let mut water = Meter::new(&counter, Metered::Water(1000), 0);
        assert_eq!(at(&mut water, 20_000), "water_volume 0.006, water_flow 0.1");
    }

    #[test]
    fn interference_is_a_fault() {
        let counter = Counter::new();
        let mut meter = Meter::new(&counter, Metered::Gas(100), 0);
        counter.add(0);
        block_on(meter.sample(1)).unwrap();
        (0..1000).for_each(|i| counter.add(i));
        assert_eq!(block_on(meter.sample(1_000)), Err(Fault::OutOfRange));
    }

    proptest! {
        #[test]
        fn a_total_never_falls_and_no_flow_is_negative(times in proptest::collection::vec(0u32..100_000, 0..60), per: u32) {
            let counter = Counter::new();
            let mut meter = Meter::new(&counter, Metered::Gas(per), 0);
            let (mut now, mut last) = (0u64, 0);
            for (i, dt) in times.into_iter().enumerate() {
                now += u64::from(dt);
                if i % 2 == 0 { counter.add(now) }
                if let Ok(sample) = block_on(meter.sample(now)) {
                    prop_assert!(sample[0].value.0 >= last && sample[1].value.0 >= 0);
                    last = sample[0].value.0;
                }
            }
        }
    }
}
