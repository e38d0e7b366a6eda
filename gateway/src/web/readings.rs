//! Readings around an incident, thinned while they are read: memory is bounded however long the stretch, no peak is lost, a gap stays a gap.
use crate::store::rollup::{MINUTE_MS, Minute};
use std::collections::BTreeMap;
use tuoan_protocol::quantity::Kind;
use tuoan_protocol::{DeviceId, Fixed, Quantity};

/// Columns of a stretch; of each the lowest and the highest reading are kept.
const COLUMNS: i64 = 480;
/// Different series of a stretch; with more, the later ones are left out.
const SERIES: usize = 96;
/// Steps between readings from which the usual one is learned.
const STEPS: usize = 512;
/// Of the longest pauses, so many may turn out to be gaps.
const PAUSES: usize = 48;
/// A shorter pause is no gap.
const LEAST_GAP_MS: i64 = 5_000;

/// A device and what it measures.
pub type Key = (DeviceId, Quantity);

/// One series, thinned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thinned {
    pub points: Vec<(i64, Fixed)>,
    /// From when to when nothing came, though something should have.
    pub gaps: Vec<(i64, i64)>,
}

/// What a minute's roll-up draws: of a number its lowest and its highest; of a state what it was besides, and what it was last. Nothing where no reading is a value.
pub fn of_minute(quantity: &Quantity, minute: i64, m: &Minute) -> Vec<(i64, Fixed)> {
    let begin = minute.saturating_mul(MINUTE_MS);
    let last = begin.saturating_add(i64::from(m.last_second) * 1000);
    match (m.readings, quantity.kind() == Kind::Number) {
        (0, _) => Vec::new(),
        (_, true) => [m.min, m.max].map(|v| (begin.saturating_add(MINUTE_MS / 2), v)).to_vec(),
        (_, false) if m.min == m.max => vec![(last, m.last)],
        (_, false) => vec![(begin, if m.last == m.min { m.max } else { m.min }), (last, m.last)],
    }
}

/// Takes readings in, roughly in order of time.
#[derive(Debug)]
pub struct Collector {
    from: i64,
    to: i64,
    series: BTreeMap<Key, Series>,
}

#[derive(Debug, Default)]
struct Series {
    /// By column: lowest and highest.
    columns: BTreeMap<i64, [(i64, Fixed); 2]>,
    first: Option<i64>,
    last: Option<(i64, Fixed)>,
    steps: Vec<i64>,
    pauses: Vec<(i64, i64)>,
}

impl Collector {
    /// UTC milliseconds.
    pub fn new(from: i64, to: i64) -> Collector {
        Collector { from, to: to.max(from.saturating_add(1)), series: BTreeMap::new() }
    }

    pub fn add(&mut self, device: &DeviceId, quantity: &Quantity, at: i64, value: Fixed) {
        if !(self.from..=self.to).contains(&at) {
            return;
        }
        let key = (device.clone(), quantity.clone());
        if self.series.len() >= SERIES && !self.series.contains_key(&key) {
            return;
        }
        let column = (at - self.from).saturating_mul(COLUMNS) / (self.to - self.from);
        let series = self.series.entry(key).or_default();
        series.first.get_or_insert(at);
        if let Some((before, was)) = series.last {
            let step = at.saturating_sub(before);
            if step > 0 && series.steps.len() < STEPS {
                series.steps.push(step);
            }
            if step >= LEAST_GAP_MS {
                series.pause(before, at);
            }
            // A state that stays as it is says nothing new.
            if quantity.kind() != Kind::Number && was == value {
                series.last = Some((at, value));
                return;
            }
        }
        series.last = Some((at, value));
        let cell = series.columns.entry(column).or_insert([(at, value), (at, value)]);
        let [low, high] = cell;
        if value < low.1 {
            *low = (at, value);
        }
        if value > high.1 {
            *high = (at, value);
        }
    }

    /// What has come in, up to `to`: the end of the stretch, or where the reading of it had to end.
    pub fn finish(self, to: i64) -> BTreeMap<Key, Thinned> {
        let (from, end) = (self.from, to.min(self.to));
        self.series
            .into_iter()
            .map(|(key, s)| {
                let number = key.1.kind() == Kind::Number;
                (key, s.finish(number, from, end))
            })
            .collect()
    }
}

impl Series {
    /// Keeps the longest.
    fn pause(&mut self, from: i64, to: i64) {
        self.pauses.push((from, to));
        if self.pauses.len() > PAUSES
            && let Some(shortest) = self.pauses.iter().enumerate().min_by_key(|(_, p)| p.1 - p.0).map(|(n, _)| n)
        {
            self.pauses.remove(shortest);
        }
    }
    fn finish(mut self, number: bool, from: i64, to: i64) -> Thinned {
        let mut points: Vec<(i64, Fixed)> = Vec::with_capacity(self.columns.len() * 2);
        for [low, high] in self.columns.into_values() {
            let (a, b) = if low.0 <= high.0 { (low, high) } else { (high, low) };
            points.push(a);
            if a != b {
                points.push(b);
            }
        }
        let mut gaps = Vec::new();
        // A state lasts until it is reported otherwise.
        if number && let (Some(first), Some((last, _))) = (self.first, self.last) {
            self.steps.sort_unstable();
            let usual = self.steps.get(self.steps.len() / 2).copied().unwrap_or(60_000);
            let limit = usual.saturating_mul(3).max(LEAST_GAP_MS);
            let edges = [(from, first), (last, to)];
            gaps = self.pauses.into_iter().chain(edges).filter(|(a, b)| b.saturating_sub(*a) > limit).collect();
            gaps.sort_unstable();
        }
        Thinned { points, gaps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thin(quantity: Quantity, readings: impl Iterator<Item = (i64, i64)>, to: i64) -> Thinned {
        let device: DeviceId = "env".parse().unwrap();
        let mut c = Collector::new(0, to);
        readings.for_each(|(at, v)| c.add(&device, &quantity, at, Fixed(v)));
        c.finish(to).remove(&(device, quantity)).unwrap_or_default()
    }

    #[test]
    fn a_peak_of_one_reading_in_two_days_is_kept() {
        let minutes = 2 * 1440;
        let t = thin(Quantity::Co2, (0..minutes).map(|m| (m * 60_000, if m == 1777 { 4000 } else { 500 + m % 7 })), minutes * 60_000);
        assert!(t.points.len() <= 2 * (COLUMNS as usize + 1), "{}", t.points.len());
        assert!(t.points.contains(&(1777 * 60_000, Fixed(4000))));
        assert!(t.points.is_sorted_by_key(|p| p.0) && t.gaps.is_empty(), "thin is not torn: {:?}", t.gaps);
    }

    #[test]
    fn a_gap_is_found_however_thin_the_columns_and_edges_count() {
        let minutes = 1440;
        let there = (60..minutes).filter(|m| !(600..606).contains(m)).map(|m| (m * 60_000, 500));
        let t = thin(Quantity::Co2, there, (minutes + 30) * 60_000);
        assert_eq!(t.gaps, [(0, 60 * 60_000), (599 * 60_000, 606 * 60_000), (1439 * 60_000, 1470 * 60_000)]);
    }

    #[test]
    fn a_state_is_its_changes_and_lasts() {
        let t = thin(Quantity::Open, [(0, 0), (1000, 0), (90_000, 1), (200_000, 1), (4_000_000, 0)].into_iter(), 5_000_000);
        assert_eq!(t.points, [(0, Fixed(0)), (90_000, Fixed(1)), (4_000_000, Fixed(0))]);
        assert!(t.gaps.is_empty());
    }

    #[test]
    fn a_minute_draws_its_peaks_and_its_passing_states() {
        let minute = |min, max, last, readings| Minute {
            readings,
            faults: 1,
            min: Fixed(min),
            max: Fixed(max),
            sum: 0,
            last: Fixed(last),
            last_second: 40,
        };
        let at = |q, m| of_minute(q, 2, &m).into_iter().map(|(at, v)| (at, v.0)).collect::<Vec<_>>();
        assert_eq!(at(&Quantity::Co2, minute(700, 900, 800, 6)), [(150_000, 700), (150_000, 900)]);
        assert_eq!(at(&Quantity::Open, minute(0, 1, 0, 2)), [(120_000, 1), (160_000, 0)], "opened and shut within it");
        assert_eq!(at(&Quantity::Open, minute(0, 1, 1, 2)), [(120_000, 0), (160_000, 1)]);
        assert_eq!(at(&Quantity::Open, minute(1, 1, 1, 2)), [(160_000, 1)]);
        assert!(at(&Quantity::Co2, minute(0, 0, 0, 0)).is_empty(), "faults alone are a gap");
    }

    #[test]
    fn what_comes_is_bounded() {
        let mut c = Collector::new(0, 1000);
        for n in 0..500u32 {
            let device: DeviceId = format!("d{n}").parse().unwrap();
            for at in [-5, 0, 500, 1000, 1001, i64::MAX, i64::MIN] {
                c.add(&device, &Quantity::Co2, at, Fixed(i64::MAX));
            }
        }
        let all = c.finish(1000);
        assert!(all.len() == SERIES && all.values().all(|t| t.points.len() == 3));
        assert!(Collector::new(5, -5).finish(0).is_empty());
    }
}
