//! How rare an error of the model is in this room: "seen about once in so many days". Causal, bounded, without a distribution assumed
//! beyond the room's own tail.
//!
//! The largest error of each hour is kept for four weeks of hours. Hours, not minutes: the minutes of one episode are one event. Within what was
//! seen the rank decides; beyond the upper tenth the tail is continued exponentially in log(1 + error), and never further than
//! [`REACH`] times the time that was watched: a week of data cannot know what happens once a year.
use serde::{Deserialize, Serialize};

/// Hours remembered.
const HOURS: usize = 28 * 24;
/// Hours needed before anything is said.
const ENOUGH: usize = 24;
/// An hour counts with at least so many minutes.
const MINUTES: u32 = 30;
/// The tail may say so many times the time that was watched.
const REACH: f64 = 4.0;
/// Least mean excess of the tail: so that a room without any variation does not cry at the first.
const FLAT: f64 = 0.05;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rarity {
    /// log(1 + error), largest of each hour, oldest first.
    hours: Vec<f32>,
    /// What follows from them: put in order once an hour.
    #[serde(skip)]
    past: Option<Past>,
    #[serde(skip)]
    largest: f32,
    #[serde(skip)]
    minutes: u32,
}

#[derive(Debug, Clone, PartialEq)]
struct Past {
    /// The hours, largest first.
    sorted: Vec<f32>,
    /// The upper tenth has so many of them, and lies on average so far above the next.
    tail: usize,
    from: f64,
    excess: f64,
}

impl Rarity {
    pub fn is_sound(&self) -> bool {
        self.hours.len() <= HOURS && self.hours.iter().all(|x| x.is_finite() && *x >= 0.0)
    }
    /// Days after which an error like this comes again, judged by the hours before; `None` until a day was watched.
    pub fn minute(&mut self, error: f32) -> Option<f64> {
        let x = error.max(0.0).ln_1p();
        self.largest = self.largest.max(x);
        self.minutes += 1;
        self.days(x)
    }
    /// An hour of the clock has ended.
    pub fn hour(&mut self) {
        if self.minutes >= MINUTES {
            if self.hours.len() == HOURS {
                self.hours.remove(0);
            }
            self.hours.push(self.largest);
            self.past = None;
        }
        (self.largest, self.minutes) = (0.0, 0);
    }

    fn days(&mut self, x: f32) -> Option<f64> {
        if self.hours.len() < ENOUGH {
            return None;
        }
        let past = self.past.get_or_insert_with(|| Past::new(&self.hours));
        let n = past.sorted.len() as f64;
        let tenth = past.tail as f64 / n;
        let above = f64::from(x) - past.from;
        let hourly = if above > 0.0 {
            tenth * (-above / past.excess).exp()
        } else {
            (past.sorted.partition_point(|h| *h >= x) as f64 / n).max(tenth)
        };
        Some((1.0 / (24.0 * hourly.max(f64::MIN_POSITIVE))).min(REACH * n / 24.0))
    }
}

impl Past {
    fn new(hours: &[f32]) -> Past {
        let mut sorted = hours.to_vec();
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let (tail, rest) = sorted.split_at(sorted.len() / 10);
        let from = rest.first().copied().map_or(0.0, f64::from);
        let excess = tail.iter().map(|t| f64::from(*t) - from).sum::<f64>() / tail.len().max(1) as f64;
        Past { tail: tail.len(), from, excess: excess.max(FLAT), sorted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// A room whose errors wander and have heavy tails, minute by minute.
    fn watch(days: usize, seed: u64, mut see: impl FnMut(usize, Option<f64>)) -> Rarity {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut rarity, mut mood) = (Rarity::default(), 0.0f64);
        for minute in 0..days * 1440 {
            mood = 0.97 * mood + 0.24 * (rng.random::<f64>() + rng.random::<f64>() + rng.random::<f64>() - 1.5);
            see(minute, rarity.minute((mood * 1.2).exp() as f32));
            if minute % 60 == 59 {
                rarity.hour();
            }
        }
        rarity
    }

    #[test]
    fn once_in_a_week_comes_about_once_in_a_week() {
        // Episodes (an hour at least apart) said to come once in N days at most, over 12 rooms of 60 days after four weeks of learning.
        const ONCE_IN: [f64; 3] = [2.0, 7.0, 14.0];
        let mut episodes = [0.0; 3];
        for seed in 0..12 {
            let mut last = [0; 3];
            watch(88, seed, |minute, rarity| {
                for ((n, episodes), last) in ONCE_IN.iter().zip(&mut episodes).zip(&mut last) {
                    if minute >= 28 * 1440 && rarity.is_some_and(|r| r >= *n) {
                        *episodes += if minute - *last > 60 { 1.0 } else { 0.0 };
                        *last = minute;
                    }
                }
            });
        }
        for (n, episodes) in ONCE_IN.iter().zip(episodes) {
            let ratio = episodes / (12.0 * 60.0 / n);
            assert!((0.5..=2.0).contains(&ratio), "once in {n} days: {episodes} episodes, {ratio} times what was said");
        }
    }

    #[test]
    fn says_nothing_before_a_day_and_never_more_than_it_can_know() {
        let mut first = None;
        let mut rarity = watch(2, 1, |minute, r| {
            if r.is_some() && first.is_none() {
                first = Some(minute);
            }
        });
        assert_eq!(first, Some(1440));
        assert_eq!(rarity.minute(f32::MAX), Some(8.0), "two days watched");
        assert!(rarity.minute(0.0).unwrap() < 0.1, "an ordinary minute");
    }

    #[test]
    fn rarer_is_never_less() {
        let mut rarity = watch(20, 3, |_, _| {});
        let mut before = 0.0;
        for i in 0u16..400 {
            let now = rarity.days(f32::from(i) * 0.02).unwrap();
            assert!(now >= before - 1e-9, "{i}: {now} < {before}");
            before = now;
        }
    }

    #[test]
    fn memory_is_bounded() {
        assert_eq!(watch(60, 2, |_, _| {}).hours.len(), HOURS);
    }
}
