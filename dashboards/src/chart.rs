//! A quantity over time as SVG geometry. Gaps are gaps; nothing is smoothed; the highest and lowest point always keep their place.
use crate::lang::Ui;
use crate::view::gateway::Series;
use tuoan_protocol::Fixed;

pub const WIDTH: f64 = 420.0;
pub const HEIGHT: f64 = 180.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 26.0;
/// More points than this are thinned to the lowest and highest of each column.
const COLUMNS: usize = 400;

/// A line of text at a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub x: f64,
    pub y: f64,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub title: String,
    pub unit: String,
    pub device: String,
    /// `d` of one path per unbroken stretch.
    pub lines: Vec<String>,
    /// Lone points, which no line would show.
    pub dots: Vec<(f64, f64)>,
    /// Intervals without data: x and width.
    pub gaps: Vec<(f64, f64)>,
    /// The incident: x and width.
    pub band: Option<(f64, f64)>,
    /// The rule's limit.
    pub threshold: Option<Label>,
    pub ticks_y: Vec<Label>,
    pub ticks_x: Vec<Label>,
    /// What the chart says, for who cannot see it.
    pub description: String,
}

impl Chart {
    pub fn left(&self) -> f64 {
        LEFT
    }
    pub fn right(&self) -> f64 {
        WIDTH - RIGHT
    }
    pub fn top(&self) -> f64 {
        TOP
    }
    pub fn bottom(&self) -> f64 {
        HEIGHT - BOTTOM
    }
    pub fn plot_height(&self) -> f64 {
        self.bottom() - TOP
    }
}

/// `from..to` is the time axis, `band` the incident's span.
pub fn chart(ui: &Ui, s: &Series, from: i64, to: i64, band: (i64, i64)) -> Chart {
    let to = to.max(from.saturating_add(1000));
    let span = to.saturating_sub(from) as f64;
    let x = |t: i64| LEFT + (t.clamp(from, to).saturating_sub(from)) as f64 / span * (WIDTH - LEFT - RIGHT);
    let points: Vec<(i64, Fixed)> = s.points.iter().filter(|(t, _)| (from..=to).contains(t)).copied().collect();

    let values = points.iter().map(|(_, v)| v.0).chain(s.threshold.map(|t| t.0));
    let (mut low, mut high) = values.fold((i64::MAX, i64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        (low, high) = (0, 1);
    }
    let (low, high, step) = if s.quantity.is_state() { (0, 1, 1) } else { nice(low, high) };
    let height = HEIGHT - TOP - BOTTOM;
    let range = high.saturating_sub(low).max(1) as f64;
    let y = |v: i64| TOP + (1.0 - v.saturating_sub(low) as f64 / range) * height;

    let mut lines = Vec::new();
    let mut dots = Vec::new();
    let gaps = s.gaps.iter().filter(|g| g.1 > from && g.0 < to).map(|g| (x(g.0), x(g.1) - x(g.0))).collect();
    let mut edge = from;
    let mut stretch: Vec<(i64, Fixed)> = Vec::new();
    let mut flush = |stretch: &mut Vec<(i64, Fixed)>| {
        match stretch.as_slice() {
            [] => {}
            [(t, v)] => dots.push((x(*t), y(v.0))),
            many => lines.push(path(&thin(many, from, span), s.quantity.is_state(), &x, &y)),
        }
        stretch.clear();
    };
    for &(t, v) in &points {
        if s.gaps.iter().any(|g| g.0 >= edge && g.1 <= t) {
            flush(&mut stretch);
        }
        stretch.push((t, v));
        edge = t;
    }
    flush(&mut stretch);

    let ticks_y = if s.quantity.is_state() {
        [0, 1].map(|v| Label { x: LEFT - 6.0, y: y(v) + 4.0, text: ui.figure(&s.quantity, Fixed(v)) }).to_vec()
    } else {
        let mut ticks = Vec::new();
        let mut v = low;
        while v <= high && ticks.len() < 12 {
            ticks.push(Label { x: LEFT - 6.0, y: y(v) + 4.0, text: ui.figure(&s.quantity, Fixed(v)) });
            v = v.saturating_add(step);
        }
        ticks
    };
    let ticks_x = (0..=4)
        .map(|i| {
            let t = from.saturating_add((span * f64::from(i) / 4.0) as i64);
            let text = if span < 600_000.0 { ui.clock_seconds(t) } else { ui.clock(t) };
            Label { x: x(t), y: HEIGHT - 8.0, text }
        })
        .collect();
    let (first, last) = (x(band.0), x(band.1));
    let extremes = points.iter().map(|p| p.1).min().zip(points.iter().map(|p| p.1).max());
    let title = ui.quantity(&s.quantity);
    let description = match extremes {
        Some((l, h)) => {
            let (l, h) = (ui.value(&s.quantity, l), ui.value(&s.quantity, h));
            format!("{title}: {}", ui.t2("chart-range", ("low", l.into()), ("high", h.into())))
        }
        None => format!("{title}: {}", ui.t("chart-nothing")),
    };
    Chart {
        unit: ui.unit(&s.quantity),
        device: s.device.clone(),
        lines,
        dots,
        gaps,
        band: Some((first, (last - first).max(2.0))),
        threshold: s.threshold.map(|v| Label {
            x: WIDTH - RIGHT - 4.0,
            y: y(v.0),
            text: ui.t1("chart-limit", "value", ui.value(&s.quantity, v)),
        }),
        ticks_y,
        ticks_x,
        description,
        title,
    }
}

fn path(points: &[(i64, Fixed)], steps: bool, x: &dyn Fn(i64) -> f64, y: &dyn Fn(i64) -> f64) -> String {
    use std::fmt::Write;
    let mut d = String::with_capacity(points.len() * 14);
    for (n, &(t, v)) in points.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = match (n, steps) {
            (0, _) => write!(d, "M{:.1} {:.1}", x(t), y(v.0)),
            (_, true) => write!(d, "H{:.1}V{:.1}", x(t), y(v.0)),
            (_, false) => write!(d, "L{:.1} {:.1}", x(t), y(v.0)),
        };
    }
    d
}

/// Keeps the lowest and highest point of each column, in order of time: no peak is lost.
fn thin(points: &[(i64, Fixed)], from: i64, span: f64) -> Vec<(i64, Fixed)> {
    if points.len() <= COLUMNS * 2 {
        return points.to_vec();
    }
    let column = |t: i64| (t.saturating_sub(from) as f64 / span * COLUMNS as f64) as i64;
    points
        .chunk_by(|a, b| column(a.0) == column(b.0))
        .flat_map(|c| {
            let low = c.iter().min_by_key(|p| p.1).copied();
            let high = c.iter().max_by_key(|p| p.1).copied();
            match (low, high) {
                (Some(a), Some(b)) if a.0 < b.0 => vec![a, b],
                (Some(a), Some(b)) if a.0 > b.0 => vec![b, a],
                (Some(a), _) => vec![a],
                _ => Vec::new(),
            }
        })
        .collect()
}

/// A range with round ends that holds low..=high, and the step between its four or so ticks.
fn nice(low: i64, high: i64) -> (i64, i64, i64) {
    let range = high.saturating_sub(low).max(4);
    let rough = (range / 4).max(1);
    let power = 10i64.saturating_pow(rough.checked_ilog10().unwrap_or(0));
    let step = [1, 2, 5, 10].iter().map(|m| power.saturating_mul(*m)).find(|s| *s >= rough).unwrap_or(rough).max(1);
    let low = low.div_euclid(step).saturating_mul(step);
    let up = high.div_euclid(step).saturating_mul(step);
    let high = if up < high || up == low { up.saturating_add(step) } else { up };
    (low, high, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lang;
    use tuoan_protocol::Quantity;

    fn series(points: Vec<(i64, Fixed)>) -> Series {
        Series {
            device: "env".into(),
            quantity: Quantity::Co2,
            points,
            gaps: vec![(30_000, 300_000)],
            uncertainty_ms: None,
            threshold: Some(Fixed(1000)),
        }
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let ui = Ui::plain(Lang::Zh, 0);
        let c = chart(&ui, &series(vec![(0, Fixed(800)), (30_000, Fixed(900)), (300_000, Fixed(1200))]), 0, 300_000, (0, 300_000));
        assert_eq!(c.lines.len(), 1);
        assert_eq!(c.dots.len(), 1);
        assert_eq!(c.gaps.len(), 1);
    }

    #[test]
    fn a_peak_survives_thinning() {
        let ui = Ui::plain(Lang::Zh, 0);
        let points = (0..20_000).map(|i| (i * 1000, Fixed(if i == 7777 { 4000 } else { 500 }))).collect();
        let c = chart(&ui, &series(points), 0, 20_000_000, (0, 1));
        let top = format!("{:.1}", TOP);
        assert!(c.lines.iter().any(|l| l.contains(&format!(" {top}"))), "the peak is at the top of the plot");
        assert!(c.lines.iter().map(String::len).sum::<usize>() < 40_000);
    }

    #[test]
    fn odd_ranges_do_not_break_it() {
        let ui = Ui::plain(Lang::En, 0);
        for v in [i64::MIN, -1, 0, 1, i64::MAX] {
            let c = chart(&ui, &series(vec![(0, Fixed(v))]), 0, 0, (5, -5));
            assert!(!c.ticks_y.is_empty());
        }
        assert!(chart(&ui, &series(Vec::new()), 0, 600_000, (0, 1)).lines.is_empty());
        assert_eq!(nice(812, 1240), (800, 1400, 200));
    }
}
