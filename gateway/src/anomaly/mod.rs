//! Learned normality of one numeric series: a streaming detector that nobody tunes.
//!
//! It is causal (what comes later never changes a score), keeps under 9 KiB, does constant work per sample, uses only `+ - * /` and
//! `sqrt` on `f64` (bit-identical on every machine), reads no clock and has one frozen configuration, [`Tuning::FROZEN`].
//!
//! # Mechanism
//!
//! **Novelty** is the main test: how far is this value from the nearest value that the series has ever had (`known.rs`)? It is the
//! nearest-neighbour detector (KNN-CAD: Burnaev and Ishimtsev 2016, arXiv:1608.04585; "discords": Keogh, Lin and Fu, HOT SAX, ICDM 2005) with
//! subsequences of length one over a bounded memory; what is seen once is known. Longer subsequences were measured worse. Distances of up
//! to two steps of the sensor's resolution count as none. The distance is turned into a *rarity*, once in how many samples, by its
//! rank in its own history, with a Pareto tail beyond it (`tail.rs`).
//!
//! **Sensor health**: three tests against the bound that the series itself has kept (`record.rs`): the step from one sample to the next, the
//! roughness (median of the last seven steps), and the time without any change. They find offsets, spikes, noise, drop-outs and
//! stuck sensors inside the range that has been seen.
//!
//! The rarer of the two is the verdict, as a return period in days ("expected once in N days"): [`Verdict::rarity_days`]; `score` maps
//! it to \[0, 1), 0.5 being once a week, which is the alarm. After an alarm, only what is [`Tuning::stronger`] times rarer alarms within the
//! next [`Tuning::refractory`] samples: one anomaly, one alarm.
//!
//! `docs/anomaly.md` has the measurements.

mod exact;
mod known;
mod record;
mod tail;
#[cfg(test)]
mod tests;

use known::Known;
use record::{FlatRun, Record};
use serde::{Deserialize, Serialize};
use tail::Tail;

/// Steps whose median is the roughness: a lone step or spike does not move it, noise does within four samples.
const ROUGH: usize = 7;
const DAY_MS: f64 = 86_400_000.0;
/// Values are clamped to this magnitude: no sensor's quantity reaches it, and distances stay finite.
const HUGE: f64 = 1e14;

/// The detector's constants. There is one set, [`Tuning::FROZEN`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuning {
    /// No verdict before so many samples.
    pub first: u32,
    /// Days until a series is grown up: a day and half of the next, so that every hour of the day was seen once. Younger series need more:
    /// their rarity is multiplied by (age / adult)².
    pub adult_days: f64,
    /// Once in so many days is an alarm.
    pub alarm_days: f64,
    /// Samples over a level come in clusters: so many samples are one event (measured as false alarms per week on the development series).
    pub cluster: f64,
    /// Share of the history that counts as its tail.
    pub tail_share: f64,
    /// Samples that the tail has at least.
    pub tail_least: f64,
    /// Unremarkable samples assumed before the first one.
    pub prior: f64,
    /// Distances up to so many steps of the sensor's resolution are no novelty.
    pub resolution: f64,
    /// A step or roughness so many times the bound is an alarm.
    pub excess: f64,
    /// One observation moves a bound by at most this factor.
    pub stretch: f64,
    /// Flat for so many times longer than ever is stuck.
    pub flat_times: u64,
    /// Samples that a flat run must have to be counted.
    pub flat_least: u64,
    /// Return period given to a stuck sensor, days.
    pub stuck_days: f64,
    /// Samples after an alarm in which only something stronger alarms.
    pub refractory: u32,
    /// How many times rarer that must be.
    pub stronger: f64,
}

impl Tuning {
    pub const FROZEN: Self = Self {
        first: 100,
        adult_days: 1.5,
        alarm_days: 7.0,
        cluster: 8.0,
        tail_share: 0.003,
        tail_least: 3.0,
        prior: 100.0,
        resolution: 2.0,
        excess: std::f64::consts::SQRT_2,
        stretch: std::f64::consts::SQRT_2,
        flat_times: 4,
        flat_least: 10,
        stuck_days: 50.0,
        refractory: 150,
        stronger: 8.0,
    };
}

impl Default for Tuning {
    fn default() -> Self {
        Self::FROZEN
    }
}

/// What is to be said about one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// From 0 to 1, growing with `rarity_days`; 0.5 and more is an alarm. After an alarm it is kept low for the refractory time.
    pub score: f64,
    /// Expected once in so many days, 0 while nothing can be said. Not lowered by the refractory time.
    pub rarity_days: f64,
    /// Not a hundred samples or not a day and a half old: only gross anomalies are reported.
    pub warming_up: bool,
    /// A new anomaly begins.
    pub alarm: bool,
}

/// The state of one series. `Default` is a series that nothing is known about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    #[serde(skip)]
    tuning: Tuning,
    samples: u64,
    last_ms: i64,
    #[serde(with = "exact")]
    age_days: f64,
    #[serde(with = "exact")]
    interval_days: f64,
    #[serde(with = "exact")]
    last: f64,
    #[serde(with = "exact")]
    resolution: f64,
    known: Known,
    novelty: Tail,
    #[serde(with = "steps")]
    steps: [f64; ROUGH],
    step: Record,
    roughness: Record,
    flat: FlatRun,
    since_alarm: u32,
    #[serde(with = "exact")]
    alarm_rarity: f64,
}

/// The last steps in a snapshot, exactly.
mod steps {
    use super::ROUGH;
    use super::exact::list;
    use serde::{Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(steps: &[f64; ROUGH], s: S) -> Result<S::Ok, S::Error> {
        list::serialize(steps, s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[f64; ROUGH], D::Error> {
        list::deserialize(d)?.try_into().map_err(|_| D::Error::custom("not as many steps as there must be"))
    }
}

impl Detector {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next sample. `utc_ms`: milliseconds since 1970; times that repeat or go back count as no time passed, and a gap as one day
    /// at most. A `value` that is no finite number is ignored.
    pub fn observe(&mut self, utc_ms: i64, value: f64) -> Verdict {
        if !value.is_finite() {
            return Verdict { score: 0.0, rarity_days: 0.0, warming_up: self.warming_up(), alarm: false };
        }
        let value = value.clamp(-HUGE, HUGE);
        self.tell_time(utc_ms);
        let change = if self.samples == 1 { 0.0 } else { value - self.last };
        self.last = value;

        let novelty = self.novelty_days(value, change);
        let health = self.health_days(change);
        let youth = (self.age_days / self.tuning.adult_days).min(1.0);
        let mut rarity = novelty.max(health) * youth * youth;
        if self.samples <= u64::from(self.tuning.first) {
            rarity = 0.0;
        }
        self.verdict(rarity)
    }

    /// Memory of the whole state: what a series costs. Bounded, whatever comes.
    pub fn state_bytes(&self) -> usize {
        size_of::<Self>() + self.known.heap_bytes() + self.novelty.heap_bytes()
    }

    fn warming_up(&self) -> bool {
        self.samples <= u64::from(self.tuning.first) || self.age_days < self.tuning.adult_days
    }

    fn tell_time(&mut self, utc_ms: i64) {
        self.samples += 1;
        if self.samples > 1 {
            let passed = (utc_ms.saturating_sub(self.last_ms) as f64 / DAY_MS).clamp(0.0, 1.0);
            self.age_days += passed;
            if passed > 0.0 {
                // A running mean that one gap cannot move far.
                let usual = if self.interval_days > 0.0 { passed.min(4.0 * self.interval_days) } else { passed };
                let weight = (1.0 / self.samples as f64).max(0.01);
                self.interval_days += weight * (usual - self.interval_days);
            }
        }
        self.last_ms = utc_ms;
    }

    fn novelty_days(&mut self, value: f64, change: f64) -> f64 {
        let size = change.abs();
        // Below 1e-9 of the value it is rounding, not resolution.
        if size > 1e-9 * value.abs() && (self.resolution == 0.0 || size < self.resolution) {
            self.resolution = size;
        }
        let mut distance = self.known.distance(value);
        if distance <= self.tuning.resolution * self.resolution {
            distance = 0.0;
        }
        let t = &self.tuning;
        let samples = self.novelty.rarity(distance, t.prior, t.tail_share, t.tail_least);
        self.novelty.push(distance);
        // Faster sampling makes longer clusters: with the fourth root, as measured between 30 s and 1 h; 5 min is where `cluster` was measured.
        let five = (self.interval_days * 288.0).clamp(0.02, 288.0);
        samples * self.tuning.cluster / 288.0 * five.sqrt() * five.sqrt().sqrt()
    }

    fn health_days(&mut self, change: f64) -> f64 {
        let t = self.tuning;
        let learning = self.samples <= u64::from(t.first);
        let size = change.abs();
        self.steps.rotate_left(1);
        self.steps[ROUGH - 1] = size;
        let mut sorted = self.steps;
        sorted.sort_by(f64::total_cmp);
        let step = self.step.ratio(size, t.stretch, learning);
        let rough = self.roughness.ratio(sorted[ROUGH / 2], t.stretch, learning);
        let stuck = self.flat.stuck(size == 0.0 && self.samples > 1, t.flat_times, t.flat_least);
        let ratio = step.max(rough);
        let relative = ratio / t.excess;
        // As the cube: the bound is the largest of thousands of samples, and what doubles it is no longer the same process.
        let broken = if ratio > 1.0 { t.alarm_days * relative * relative * relative } else { 0.0 };
        if stuck { broken.max(t.stuck_days) } else { broken }
    }

    fn verdict(&mut self, rarity_days: f64) -> Verdict {
        let t = self.tuning;
        self.since_alarm = self.since_alarm.saturating_add(1);
        let over = rarity_days >= t.alarm_days;
        let old = self.alarm_rarity > 0.0 && self.since_alarm < t.refractory && rarity_days < t.stronger * self.alarm_rarity;
        let alarm = over && !old;
        if alarm {
            self.since_alarm = 0;
            self.alarm_rarity = rarity_days;
        }
        let shown = if over && old { t.alarm_days / t.stronger } else { rarity_days };
        Verdict { score: shown / (shown + t.alarm_days), rarity_days, warming_up: self.warming_up(), alarm }
    }
}
