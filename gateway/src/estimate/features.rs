//! A room's features as the model sees them. `models/room-climate/features.py` is the reference; golden.json holds both to each other.
//!
//! One-minute means of five channels, standardised by what the room itself has shown so far. Causal; bounded: a histogram of 64 bins and 35
//! values a channel.
use serde::{Deserialize, Serialize};
use tuoan_protocol::Quantity;

/// In the model's order.
pub const CHANNELS: [Quantity; 5] = [Quantity::Temperature, Quantity::Humidity, Quantity::Co2, Quantity::Illuminance, Quantity::SoundLevel];
pub const CO2: usize = 2;
const PER_CHANNEL: usize = 4;
/// Features of one minute: four a channel, whether each channel is known, and four of the time.
pub const FEATURES: usize = CHANNELS.len() * (PER_CHANNEL + 1) + 4;

const BINS: usize = 64;
/// The prior counts as much as so many minutes of the room's own.
const PRIOR_MINUTES: f64 = 240.0;
const HALF_LIFE_MINUTES: f64 = 7.0 * 1440.0;
/// A value stands for so many minutes when no new one comes: slow reporters speak every ten minutes.
pub const CARRY: u32 = 15;
const WINDOW: usize = 35;
/// No feature is larger.
pub const CLAMP: f64 = 4.0;

/// Where a channel's values lie.
struct Limits {
    /// Outside it is a defect of the sensor, which says nothing of the room. In the quantity's unit.
    plausible: (f64, f64),
    /// Of the histogram, after the transform.
    range: (f64, f64),
    prior: (f64, f64),
    /// Least spread that counts: below it differences are the sensor's own.
    floor: f64,
    /// The origin is this quantile of the room: its low end (outdoor air, darkness, background noise) or its middle.
    origin: f64,
}

const LIMITS: [Limits; 5] = [
    Limits { plausible: (-30.0, 60.0), range: (0.0, 45.0), prior: (18.0, 26.0), floor: 2.0, origin: 0.5 },
    Limits { plausible: (0.0, 100.0), range: (0.0, 100.0), prior: (25.0, 65.0), floor: 8.0, origin: 0.5 },
    Limits { plausible: (250.0, 40_000.0), range: (300.0, 3500.0), prior: (400.0, 1000.0), floor: 150.0, origin: 0.1 },
    Limits { plausible: (0.0, 150_000.0), range: (0.0, 11.0), prior: (0.0, 6.0), floor: 2.0, origin: 0.1 },
    Limits { plausible: (0.0, 140.0), range: (20.0, 100.0), prior: (34.0, 50.0), floor: 5.0, origin: 0.1 },
];

/// The channel of that quantity, if the value can be one of a room.
pub fn channel(quantity: &Quantity, value: f64) -> Option<usize> {
    let c = CHANNELS.iter().position(|q| q == quantity)?;
    let (low, high) = LIMITS.get(c)?.plausible;
    (low..=high).contains(&value).then_some(c)
}

/// What one room has shown, forgetting by half in a week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Histogram {
    bins: Vec<f32>,
}

impl Histogram {
    fn new(l: &Limits) -> Histogram {
        let width = (l.range.1 - l.range.0) / BINS as f64;
        let inside = (0..BINS).map(|i| {
            let from = l.range.0 + i as f64 * width;
            ((from + width).min(l.prior.1) - from.max(l.prior.0)).max(0.0)
        });
        Histogram { bins: inside.map(|x| (PRIOR_MINUTES * x / (l.prior.1 - l.prior.0)) as f32).collect() }
    }
    fn is_sound(&self) -> bool {
        self.bins.len() == BINS && self.bins.iter().all(|b| b.is_finite() && *b >= 0.0) && self.bins.iter().sum::<f32>() > 1.0
    }
    fn add(&mut self, l: &Limits, x: f64) {
        let decay = 0.5f64.powf(1.0 / HALF_LIFE_MINUTES) as f32;
        let width = (l.range.1 - l.range.0) / BINS as f64;
        // A float that does not fit is cut to the nearest end.
        let i = (((x - l.range.0) / width) as i64).clamp(0, BINS as i64 - 1) as usize;
        for (j, b) in self.bins.iter_mut().enumerate() {
            *b = *b * decay + if i == j { 1.0 } else { 0.0 };
        }
    }
    /// Linear within a bin.
    fn quantile(&self, l: &Limits, p: f64) -> f64 {
        let width = (l.range.1 - l.range.0) / BINS as f64;
        let mut want = p * self.bins.iter().map(|b| f64::from(*b)).sum::<f64>();
        for (i, b) in self.bins.iter().map(|b| f64::from(*b)).enumerate() {
            if want <= b && b > 0.0 {
                return l.range.0 + (i as f64 + want / b) * width;
            }
            want -= b;
        }
        l.range.1
    }
    /// Origin and spread.
    fn scale(&self, l: &Limits) -> (f64, f64) {
        (self.quantile(l, l.origin), (self.quantile(l, 0.9) - self.quantile(l, 0.1)).max(l.floor))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Channel {
    histogram: Histogram,
    /// One value a minute, the newest last; empty while nothing is known. Not kept over a restart.
    #[serde(skip)]
    ring: Vec<f64>,
    /// Minutes since the last value.
    #[serde(skip)]
    age: u32,
}

impl Channel {
    fn minute(&mut self, c: usize, l: &Limits, value: Option<f64>) -> ([f64; PER_CHANNEL], f64) {
        let fresh = value.map(|v| if CHANNELS.get(c) == Some(&Quantity::Illuminance) { v.max(0.0).ln_1p() } else { v });
        self.age = if fresh.is_some() { 0 } else { self.age.saturating_add(1) };
        if self.age > CARRY {
            self.ring.clear();
        } else if let Some(x) = fresh.or(self.ring.last().copied()) {
            if self.ring.len() == WINDOW {
                self.ring.remove(0);
            }
            self.ring.push(x);
        }
        let features = self.features(l);
        if let Some(x) = fresh {
            self.histogram.add(l, x);
        }
        features
    }

    fn features(&self, l: &Limits) -> ([f64; PER_CHANNEL], f64) {
        if self.ring.is_empty() {
            return ([0.0; PER_CHANNEL], 0.0);
        }
        let (origin, spread) = self.histogram.scale(l);
        let back = || self.ring.iter().rev().copied();
        let level = mean(back().take(5)).unwrap_or(origin);
        let past = |skip: usize| mean(back().skip(skip).take(5)).map_or(0.0, |then| (level - then) / spread);
        let steps = back().zip(back().skip(1)).take(15).map(|(a, b)| (a - b).abs());
        let raw = [(level - origin) / spread, past(10), past(30), mean(steps).unwrap_or(0.0) / spread];
        (raw.map(|x| x.clamp(-CLAMP, CLAMP)), 1.0)
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0u32), |(sum, n), x| (sum + x, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

/// When a minute is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Local, 0 to 1439.
    pub minute_of_day: u16,
    pub working_day: bool,
    /// The room's phase is one with children in.
    pub children_expected: bool,
}

/// One room's memory: about 3 KiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Room {
    channels: Vec<Channel>,
}

impl Default for Room {
    fn default() -> Self {
        Room { channels: LIMITS.iter().map(|l| Channel { histogram: Histogram::new(l), ring: Vec::new(), age: 0 }).collect() }
    }
}

impl Room {
    /// Whether what was read back can be gone on with.
    pub fn is_sound(&self) -> bool {
        self.channels.len() == CHANNELS.len() && self.channels.iter().all(|c| c.histogram.is_sound())
    }
    /// Nothing was ever heard of it.
    pub fn is_new(&self) -> bool {
        self.channels.iter().zip(&LIMITS).all(|(c, l)| c.histogram == Histogram::new(l))
    }
    /// Takes the means of one minute (in the quantities' units, `None` where nothing was heard) and gives its features.
    pub fn minute(&mut self, means: &[Option<f64>; CHANNELS.len()], moment: Moment) -> [f32; FEATURES] {
        let mut levels = Vec::with_capacity(FEATURES);
        let mut known = Vec::with_capacity(CHANNELS.len());
        for (c, ((channel, l), value)) in self.channels.iter_mut().zip(&LIMITS).zip(means).enumerate() {
            let (f, k) = channel.minute(c, l, *value);
            levels.extend(f);
            known.push(k);
        }
        let angle = std::f64::consts::TAU * f64::from(moment.minute_of_day) / 1440.0;
        let time = [angle.sin(), angle.cos(), f64::from(u8::from(moment.working_day)), f64::from(u8::from(moment.children_expected))];
        let mut out = [0.0; FEATURES];
        for (o, x) in out.iter_mut().zip(levels.into_iter().chain(known).chain(time)) {
            *o = x as f32;
        }
        out
    }
}

/// Whether that channel is known in these features.
pub fn knows(features: &[f32; FEATURES], channel: usize) -> bool {
    features.get(CHANNELS.len() * PER_CHANNEL + channel).is_some_and(|k| *k > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_light_switched_on_raises_level_and_change_whatever_the_lamp() {
        for lamp in [60.0, 600.0] {
            let mut room = Room::default();
            let at = |m: u16| Moment { minute_of_day: m, working_day: true, children_expected: false };
            let mut before = [0.0; FEATURES];
            for m in 0..60 {
                before = room.minute(&[None, None, None, Some(2.0), None], at(m));
            }
            let mut after = before;
            for m in 60..66 {
                after = room.minute(&[None, None, None, Some(lamp), None], at(m));
            }
            let level = 3 * PER_CHANNEL;
            assert!(before[level] < 0.3 && after[level] > 0.6, "{} {}", before[level], after[level]);
            assert!(after[level + 1] > 0.5, "{}", after[level + 1]);
            assert!(knows(&after, 3) && !knows(&after, CO2));
        }
    }

    #[test]
    fn an_old_value_is_forgotten() {
        let mut room = Room::default();
        let at = Moment { minute_of_day: 0, working_day: false, children_expected: false };
        assert!(knows(&room.minute(&[None, None, Some(700.0), None, None], at), CO2));
        for _ in 0..CARRY {
            assert!(knows(&room.minute(&[None; 5], at), CO2));
        }
        let empty = room.minute(&[None; 5], at);
        assert!(!knows(&empty, CO2));
        assert!(empty[CO2 * PER_CHANNEL..][..PER_CHANNEL].iter().all(|x| *x == 0.0));
    }

    #[test]
    fn what_no_room_shows_is_a_defect() {
        assert_eq!(channel(&Quantity::Co2, 600.0), Some(CO2));
        for (q, v) in [(Quantity::Co2, 0.0), (Quantity::Temperature, 85.0), (Quantity::Humidity, 101.0), (Quantity::Pm25, 5.0)] {
            assert_eq!(channel(&q, v), None, "{q:?} {v}");
        }
        assert_eq!(channel(&Quantity::Illuminance, f64::NAN), None);
    }

    proptest! {
        #[test]
        fn features_are_bounded_numbers(minutes in prop::collection::vec((prop::array::uniform5(prop::option::of(any::<f64>())), 0u16..1440, any::<bool>(), any::<bool>()), 1..80)) {
            let mut room = Room::default();
            for (values, minute_of_day, working_day, children_expected) in minutes {
                let mut means = values;
                for (m, q) in means.iter_mut().zip(&CHANNELS) {
                    *m = m.filter(|v| channel(q, *v).is_some());
                }
                let f = room.minute(&means, Moment { minute_of_day, working_day, children_expected });
                prop_assert!(f.iter().all(|x| x.is_finite() && x.abs() <= CLAMP as f32), "{f:?}");
                prop_assert!(room.is_sound());
            }
        }
    }
}
