//! What the learned detector ([`crate::anomaly`]) did not expect. It sees means over five minutes of every watched number of placed devices.
//!
//! The rule says how often that may happen by chance on the whole site (`every`); the more series are watched, the rarer each must be. So the
//! threshold is the site's own, and twice the sensors are not twice the false alarms.
//!
//! What must hold: at most [`MOST`] detectors on one site; one finding for one episode, and then none for the rule's refractory time (`debounce`)
//! unless what comes is far rarer.
use crate::anomaly::Detector;
use crate::engine::input::EngineMs;
use crate::engine::quality::limits;
use crate::engine::quality::round::concerns;
use crate::engine::quality::series::{Bucket, Series};
use crate::engine::rules::{Kind, Rule};
use crate::engine::step::Run;
use serde::{Deserialize, Serialize};
use tuoan_protocol::{DeviceId, Quantity};

/// Series watched on one site at most; at under 16 KiB each.
pub const MOST: usize = 256;
/// Nothing is said before every day of the week was seen once.
const YOUTH_MS: i64 = 7 * DAY_MS;
/// An episode is over after so long without anything rare.
const CALM_MS: i64 = 60 * 60_000;
/// So many times rarer is news within the refractory time.
const STRONGER: u32 = 8;
const DAY_MS: i64 = 86_400_000;
/// However few are watched, none is told more often than once in so many days by chance.
const LEAST_DAYS: i64 = 30;

/// A detector and the episode it is in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watch {
    detector: Detector,
    first: Option<EngineMs>,
    /// Engine time at which the last episode began and of the last rare mean in it.
    began: Option<EngineMs>,
    last_rare: EngineMs,
    /// The rarest of it: expected once in so many days.
    pub peak_days: u32,
    /// How rare the newest mean is.
    pub rarity_days: u32,
    pub warming_up: bool,
}

impl Watch {
    pub fn is_unusual(&self, at: EngineMs) -> bool {
        self.began.is_some() && at.saturating_sub(self.last_rare) < CALM_MS
    }

    /// Takes a mean in, in the quantity's unit. `threshold`: days in which it may be seen once.
    fn observe(&mut self, at: EngineMs, utc: i64, mean: f64, threshold: i64, refractory: i64) {
        let first = *self.first.get_or_insert(at);
        let verdict = self.detector.observe(utc, mean);
        self.warming_up = verdict.warming_up;
        // `as` saturates, and takes what is no number for nought.
        self.rarity_days = verdict.rarity_days as u32;
        if i64::from(self.rarity_days) < threshold || at.saturating_sub(first) < YOUTH_MS {
            return;
        }
        let fresh = self.began.is_none_or(|b| at.saturating_sub(b) >= refractory);
        if self.is_unusual(at) {
            (self.last_rare, self.peak_days) = (at, self.peak_days.max(self.rarity_days));
        } else if fresh || self.rarity_days >= self.peak_days.saturating_mul(STRONGER) {
            (self.began, self.last_rare, self.peak_days) = (Some(at), at, self.rarity_days);
        }
    }
}

pub fn judge(s: &Series, at: EngineMs) -> (bool, bool) {
    let unusual = s.watch.as_ref().is_some_and(|w| w.is_unusual(at));
    (unusual, !unusual)
}

impl Run<'_> {
    /// A five-minute mean is complete.
    pub(in crate::engine) fn bucket(&mut self, id: &DeviceId, quantity: &Quantity, channel: u8, bucket: Bucket) {
        let compiled = self.compiled.clone();
        let (at, utc) = (self.at, self.state.utc(bucket.at));
        if limits::habits(quantity).is_some_and(|h| !h.watched) {
            return;
        }
        let Some(device) = self.state.devices.get_mut(id) else { return };
        let Some(slot) = compiled.slot(device.slot) else { return };
        let watches = |r: &&Rule| r.kind == Kind::Anomaly && concerns(&compiled, slot, r, quantity);
        let Some(rule) = slot.quality.iter().filter_map(|i| compiled.rule(*i)).find(watches) else { return };
        let Some(s) = device.values.get_mut(&(quantity.clone(), channel)).and_then(|v| v.series.as_deref_mut()) else { return };
        if s.watch.is_none() {
            if self.state.watched >= MOST {
                return;
            }
            self.state.watched += 1;
        }
        let watch = s.watch.get_or_insert_default();
        let before = watch.is_unusual(at);
        let threshold = (rule.every / DAY_MS).saturating_mul(i64::try_from(self.state.watched).unwrap_or(i64::MAX));
        watch.observe(at, utc, bucket.mean / quantity.scale() as f64, threshold.max(LEAST_DAYS), rule.debounce);
        if before || watch.is_unusual(at) {
            self.look(id, |kind| kind == Kind::Anomaly);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000;

    #[test]
    fn one_finding_for_one_episode_and_then_a_rest() {
        let mut w = Watch::default();
        let mut findings = Vec::new();
        let mut feed = |w: &mut Watch, n: i64, value: f64| {
            let at = n * 5 * MIN;
            let before = w.is_unusual(at);
            w.observe(at, at, value, 14, 12 * 60 * MIN);
            if !before && w.is_unusual(at) {
                findings.push(n);
            }
        };
        // Ten days of a room that breathes, then a leap of twenty degrees for half an hour, and again two hours later.
        let room = |n: i64| 20.0 + (n % 288 - 144).abs() as f64 / 48.0 + (n * 7919 % 11) as f64 / 40.0;
        for n in 0..2880 {
            feed(&mut w, n, room(n));
        }
        for n in 2880..3000 {
            let leap = matches!(n, 2880..2886 | 2910..2916);
            feed(&mut w, n, room(n) + if leap { 20.0 } else { 0.0 });
        }
        assert_eq!(findings, [2880]);
    }
}
