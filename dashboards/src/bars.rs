//! Counts as bars: SVG geometry with a label on each bar, so that no axis is needed.
use crate::lang::Ui;
use crate::view::quality::Quality;

pub const WIDTH: f64 = 420.0;
pub const HEIGHT: f64 = 150.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 24.0;
/// Labels below and above are thinned until there are at most so many.
const LABELS: usize = 7;

#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// Height of the part that stands for urgent alarms, at the foot.
    pub urgent: f64,
    /// The count, where it is written.
    pub value: Option<String>,
    /// What it is of, where that is written.
    pub name: Option<String>,
    /// In full, for a pointer resting on it.
    pub says: String,
}

impl Bar {
    pub fn middle(&self) -> f64 {
        self.x + self.width / 2.0
    }
    pub fn urgent_y(&self) -> f64 {
        self.y + self.height - self.urgent
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    pub title: String,
    pub bars: Vec<Bar>,
    /// What it says, for who cannot see it.
    pub description: String,
}

impl Bars {
    /// Some bars have a foot of urgent alarms, which wants a legend.
    pub fn has_urgent(&self) -> bool {
        self.bars.iter().any(|b| b.urgent > 0.0)
    }
    pub fn foot(&self) -> f64 {
        HEIGHT - BOTTOM
    }
    pub fn width(&self) -> f64 {
        WIDTH
    }
    pub fn height(&self) -> f64 {
        HEIGHT
    }
}

struct Item {
    count: u64,
    urgent: u64,
    name: String,
    full: String,
}

fn bars(ui: &Ui, title: String, items: &[Item]) -> Bars {
    let most = items.iter().map(|i| i.count).max().unwrap_or(0).max(1) as f64;
    let slot = WIDTH / items.len().max(1) as f64;
    let width = (slot * 0.72).min(44.0);
    let every = items.len().div_ceil(LABELS).max(1);
    let highest = items.iter().enumerate().max_by_key(|(n, i)| (i.count, std::cmp::Reverse(*n))).map(|(n, _)| n);
    let scale = (HEIGHT - TOP - BOTTOM) / most;
    let drawn = items.iter().enumerate().map(|(n, i)| {
        let height = i.count as f64 * scale;
        // With few bars each says its count; with many only the highest.
        let written = i.count > 0 && (every == 1 || Some(n) == highest);
        Bar {
            x: slot * n as f64 + (slot - width) / 2.0,
            y: HEIGHT - BOTTOM - height,
            width,
            height,
            urgent: i.urgent.min(i.count) as f64 * scale,
            value: written.then(|| i.count.to_string()),
            name: (n % every == 0).then(|| i.name.clone()),
            says: format!("{}: {}", i.full, ui.n("quality-alarms", i.count)),
        }
    });
    let drawn: Vec<Bar> = drawn.collect();
    let most = highest.and_then(|n| items.get(n)).filter(|i| i.count > 0);
    let description = match most {
        Some(i) => format!("{title}: {}", ui.t2("quality-chart-most", ("name", i.full.as_str().into()), ("n", i.count.into()))),
        None => format!("{title}: {}", ui.t("quality-none")),
    };
    Bars { title, bars: drawn, description }
}

/// Alarms by day.
pub fn by_day(ui: &Ui, q: &Quality) -> Bars {
    let items: Vec<Item> =
        q.days.iter().map(|d| Item { count: d.alarms, urgent: d.urgent, name: ui.short_date(&d.date), full: ui.date(&d.date) }).collect();
    bars(ui, ui.t("quality-by-day"), &items)
}

/// Alarms by hour of the day.
pub fn by_hour(ui: &Ui, q: &Quality) -> Bars {
    let items: Vec<Item> = q
        .hours
        .iter()
        .enumerate()
        .map(|(hour, count)| Item { count: *count, urgent: 0, name: hour.to_string(), full: format!("{hour:02}:00–{:02}:00", hour + 1) })
        .collect();
    bars(ui, ui.t("quality-by-hour"), &items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lang, sample};

    #[test]
    fn bars_stay_within_their_picture_and_the_highest_is_labelled() {
        let ui = Ui::plain(Lang::Zh, sample::NOW);
        let mut q = sample::quality_page().quality;
        for chart in [by_day(&ui, &q), by_hour(&ui, &q)] {
            for b in &chart.bars {
                assert!(b.x >= 0.0 && b.x + b.width <= WIDTH && b.y >= TOP - 0.01 && b.height >= 0.0 && b.urgent <= b.height, "{b:?}");
            }
            let highest = chart.bars.iter().max_by(|a, b| a.height.total_cmp(&b.height)).unwrap();
            assert!(highest.value.is_some(), "{chart:?}");
            assert!(chart.bars.iter().filter(|b| b.name.is_some()).count() <= LABELS);
        }
        assert_eq!(by_hour(&ui, &q).bars.len(), 24);
        (q.days, q.hours) = (Vec::new(), [0; 24]);
        assert!(by_day(&ui, &q).bars.is_empty() && by_hour(&ui, &q).bars.iter().all(|b| b.height == 0.0));
    }
}
