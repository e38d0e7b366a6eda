//! How many days a battery lasts: the slope through its daily medians, by Theil and Sen (the median of the slopes of all pairs), which a few wild
//! days do not bend. The band is that of Kendall's statistic at 80 %.
//!
//! What must hold: at most [`DAYS`] medians are kept; a changed battery begins anew; without a slope that is surely downward nothing is said.
use serde::{Deserialize, Serialize};
use tuoan_protocol::Quantity;

/// Medians kept.
const DAYS: usize = 30;
/// Days before anything is said, and the time they must span.
const ENOUGH: usize = 7;
/// Samples of one day: the newest of each hour or two.
const A_DAY: usize = 16;
/// A forecast beyond is "years".
const HORIZON: i64 = 3_650;

/// The course of one battery, in the fixed point of its quantity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Battery {
    /// (day, median), oldest first.
    days: Vec<(i32, i32)>,
    today: i32,
    samples: Vec<i32>,
    /// Hour of the last one.
    hour: i64,
    pub forecast: Option<Forecast>,
}

/// Days until it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    pub days: u16,
    /// Four times out of five it lies between these; `None`: no upper end.
    pub at_least: u16,
    pub at_most: Option<u16>,
}

/// Level at which a device gives up, and the rise that only a changed battery makes.
fn ends(quantity: &Quantity, highest: i32) -> (i32, i32) {
    match quantity {
        // Most stop a little before zero.
        Quantity::Battery => (5, 15),
        // By cell: lithium-ion 4.2 to 3.3 V, coin and two alkaline cells 3.0 to 2.2 V, one alkaline cell 1.5 to 1.0 V; mV.
        _ if highest > 3_400 => (3_300, 250),
        _ if highest > 1_800 => (2_200, 250),
        _ => (1_000, 150),
    }
}

impl Battery {
    /// Takes a level in at engine time `at`; one an hour counts.
    pub fn sample(&mut self, quantity: &Quantity, level: i64, at: i64) {
        let level = i32::try_from(level).unwrap_or(i32::MAX);
        let (day, hour) = (i32::try_from(at.div_euclid(86_400_000)).unwrap_or(i32::MAX), at.div_euclid(3_600_000));
        if hour == self.hour && !self.samples.is_empty() {
            return;
        }
        let highest = self.days.iter().map(|d| d.1).max().unwrap_or(level).max(level);
        let (_, jump) = ends(quantity, highest);
        // Above all of the last days: a wild low reading in between is no change.
        let recent = self.days.iter().rev().take(3).map(|d| d.1).chain(self.samples.iter().copied()).max();
        if recent.is_some_and(|r| level.saturating_sub(r) >= jump) {
            *self = Battery { today: day, ..Battery::default() };
        }
        if day != self.today {
            if let Some(median) = median(&mut self.samples) {
                if self.days.len() >= DAYS {
                    self.days.remove(0);
                }
                self.days.push((self.today, median));
                self.forecast = self.look_ahead(quantity);
            }
            self.samples.clear();
            self.today = day;
        }
        self.hour = hour;
        if self.samples.len() < A_DAY {
            self.samples.push(level);
        }
    }

    fn look_ahead(&self, quantity: &Quantity) -> Option<Forecast> {
        let n = self.days.len();
        let span = self.days.last()?.0.saturating_sub(self.days.first()?.0);
        if n < ENOUGH || (span as usize) < ENOUGH - 1 {
            return None;
        }
        // Thousandths of a unit a day.
        let mut slopes: Vec<i64> = Vec::with_capacity(n * (n - 1) / 2);
        for (i, &(day, level)) in self.days.iter().enumerate() {
            for &(later, then) in self.days.iter().skip(i + 1) {
                slopes.push((i64::from(then) - i64::from(level)) * 1000 / i64::from(later.saturating_sub(day).max(1)));
            }
        }
        slopes.sort_unstable();
        let pairs = slopes.len();
        // 1.28 standard deviations of Kendall's S.
        let variance = n * (n - 1) * (2 * n + 5) / 18;
        let c = variance.isqrt() * 128 / 100;
        let slope_at = |i: usize| slopes.get(i.min(pairs - 1)).copied();
        let (steepest, slope, flattest) = (slope_at(pairs.saturating_sub(c) / 2)?, slope_at(pairs / 2)?, slope_at((pairs + c) / 2)?);
        let mut recent: Vec<i32> = self.days.iter().rev().take(3).map(|d| d.1).collect();
        let level = median(&mut recent)?;
        let (empty, _) = ends(quantity, self.days.iter().map(|d| d.1).max()?);
        let left = i64::from(level.saturating_sub(empty).max(0)) * 1000;
        let days = |slope: i64| (slope < 0).then(|| left / -slope).filter(|d| *d <= HORIZON).and_then(|d| u16::try_from(d).ok());
        Some(Forecast { days: days(slope)?, at_least: days(steepest)?, at_most: days(flattest) })
    }
}

fn median(of: &mut [i32]) -> Option<i32> {
    of.sort_unstable();
    of.get(of.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn course(quantity: Quantity, levels: impl IntoIterator<Item = i64>) -> Battery {
        let mut b = Battery::default();
        for (day, level) in (0..).zip(levels) {
            for hour in [6, 12, 18] {
                b.sample(&quantity, level, day * DAY + hour * 3_600_000);
            }
        }
        b
    }

    #[test]
    fn two_per_cent_a_day() {
        let f = course(Quantity::Battery, (0..20).map(|d| 80 - 2 * d)).forecast.unwrap();
        // The last finished day had 44 %, the median of three 46 %.
        assert_eq!((f.days, f.at_least, f.at_most), (20, 20, Some(20)));
    }
    #[test]
    fn wild_days_do_not_bend_it() {
        let levels = (0..25).map(|d| if d % 6 == 5 { 20 } else { 90 - d });
        let f = course(Quantity::Battery, levels).forecast.unwrap();
        assert!((45..=75).contains(&f.days), "{f:?}");
        assert!(f.at_least <= f.days);
    }
    #[test]
    fn a_level_that_stands_has_no_forecast_and_a_changed_battery_begins_anew() {
        assert_eq!(course(Quantity::Battery, [97; 30]).forecast, None);
        let levels = (0..20).map(|d| 40 - d).chain([100, 100, 99]);
        assert_eq!(course(Quantity::Battery, levels).forecast, None);
    }
    #[test]
    fn by_voltage_where_there_is_no_percentage() {
        let f = course(Quantity::BatteryVoltage, (0..20).map(|d| 2_900 - 10 * d)).forecast.unwrap();
        assert!((50..=55).contains(&f.days), "{f:?}");
    }
    #[test]
    fn memory_is_bounded_and_extremes_do_not_overflow() {
        let b = course(Quantity::BatteryVoltage, (0..400).map(|d| if d % 2 == 0 { i64::MIN } else { i64::MAX }));
        assert!(b.days.len() <= DAYS && b.samples.len() <= A_DAY);
    }
}
