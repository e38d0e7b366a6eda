//! How far a number is from its neighbours': the same quantity in the same room, hour by hour.
//!
//! With three or more the median of all stands for the room, so that the one that goes astray is found; with two nobody can tell which of them it is.
//! Each has its own place in the room, so its usual distance is learned first and then followed far more slowly than anything counts as drift.
use serde::{Deserialize, Serialize};

/// Days from which the usual distance is learned.
const LEARN_DAYS: u16 = 7;
/// Hours of a day that must be comparable.
const ENOUGH_HOURS: u8 = 6;
/// Days in a row that it must be away.
pub const AWAY_DAYS: u8 = 2;
/// The usual distance follows by this part of the tolerance in a day: a drift through the whole tolerance within four months is found.
const FOLLOW: i64 = 128;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Neighbour {
    day: i64,
    sum: i64,
    hours: u8,
    /// Days learned from, at most [`LEARN_DAYS`].
    days: u16,
    usual: i64,
    /// How far it was from its usual distance on the last day.
    pub away: i64,
    /// Days in a row beyond the tolerance.
    pub away_days: u8,
    /// How many there are to compare with.
    pub company: Company,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Company {
    /// At least two others: the one that is off can be told.
    #[default]
    Several,
    /// One other, and this is the first of the two by name: it speaks for both.
    First,
    /// One other, which speaks for both.
    Second,
}

impl Neighbour {
    /// Takes the distance of an hour in, all in the quantity's fixed point.
    pub fn hour(&mut self, day: i64, distance: i64, tolerance: i64, company: Company) {
        if day != self.day {
            if self.hours >= ENOUGH_HOURS {
                self.turn(tolerance);
            }
            (self.day, self.sum, self.hours) = (day, 0, 0);
        }
        self.company = company;
        // One wild hour must not make a day.
        let near = tolerance.saturating_mul(4);
        let centre = if self.days > 0 { self.usual } else { distance };
        self.sum = self.sum.saturating_add(distance.clamp(centre.saturating_sub(near), centre.saturating_add(near)));
        self.hours = self.hours.saturating_add(1);
    }

    fn turn(&mut self, tolerance: i64) {
        let mean = self.sum / i64::from(self.hours.max(1));
        if self.days < LEARN_DAYS {
            self.days += 1;
            self.usual += (mean - self.usual) / i64::from(self.days);
            return;
        }
        self.away = mean.saturating_sub(self.usual);
        if self.away.abs() > tolerance {
            self.away_days = self.away_days.saturating_add(1);
        } else if self.away.abs() <= tolerance - tolerance / 4 {
            self.away_days = 0;
        }
        let step = (tolerance / FOLLOW).max(1);
        self.usual = self.usual.saturating_add(self.away.clamp(-step, step));
    }

    pub fn speaks(&self) -> bool {
        self.company != Company::Second
    }
    pub fn is_away(&self) -> bool {
        self.away_days >= AWAY_DAYS
    }
}

/// The median of all; the mean of the two in the middle where their number is even.
pub fn median(of: &mut [i64]) -> Option<i64> {
    of.sort_unstable();
    let (low, high) = (*of.get(of.len().saturating_sub(1) / 2)?, *of.get(of.len() / 2)?);
    Some(low + (high - low) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(n: &mut Neighbour, from: i64, distances: impl IntoIterator<Item = i64>) {
        for (day, d) in (from..).zip(distances) {
            for _ in 0..24 {
                n.hour(day, d, 300, Company::Several);
            }
        }
    }

    #[test]
    fn a_place_by_the_window_is_usual_and_a_drift_is_not() {
        let mut n = Neighbour::default();
        days(&mut n, 0, [250; 30]);
        assert!(!n.is_away() && n.away.abs() <= 2, "{n:?}");
        days(&mut n, 30, [250, 560, 560, 560]);
        assert!(n.is_away());
        days(&mut n, 34, [250, 250]);
        assert!(!n.is_away());
    }
    #[test]
    fn a_creeping_drift_is_found_within_the_tolerance_and_a_half() {
        let mut n = Neighbour::default();
        days(&mut n, 0, [0; 8]);
        let found = (0..200).find(|d| {
            days(&mut n, 8 + d, [d * 6]);
            n.is_away()
        });
        assert!((50..=90).contains(&found.unwrap()), "{found:?}: 300 at 6 a day, less what is followed");
    }
    #[test]
    fn one_wild_day_is_no_drift() {
        let mut n = Neighbour::default();
        days(&mut n, 0, [0; 10]);
        days(&mut n, 10, [5_000, 0, 0]);
        assert!(!n.is_away());
    }
    #[test]
    fn medians() {
        assert_eq!(median(&mut [5, 1, 9]), Some(5));
        assert_eq!(median(&mut [1, 9]), Some(5));
        assert_eq!(median(&mut []), None);
    }
}
