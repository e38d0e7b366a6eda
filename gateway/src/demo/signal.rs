//! The value of one quantity over the day: where it comes from, and what a staged hazard makes of it.
use super::recording::{Recording, Series, sample};
use super::scenario::{Source, Span};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use std::collections::BTreeMap;

/// Recordings by the name that the day gives them.
pub type Recordings = BTreeMap<String, Recording>;

#[derive(Debug, Clone)]
pub struct Signal {
    base: Base,
    staged: Vec<Override>,
}

#[derive(Debug, Clone)]
enum Base {
    Recorded { series: Series, scale: f64, offset: f64 },
    Walk { around: f64, wander: f64, at: f64 },
    Constant(f64),
    During(Vec<Span>),
}

/// A staged value.
#[derive(Debug, Clone, Copy)]
pub struct Override {
    pub span: Span,
    pub to: f64,
    /// Seconds of the way up at the beginning and of the way back at the end; 0: at once.
    pub ramp_s: u32,
}

impl Signal {
    /// # Errors
    /// Names the recording, day or column that is not there.
    pub fn new(source: &Source, recordings: &Recordings) -> Result<Signal, String> {
        let base = match source {
            Source::Recorded { recording, day, column, scale, offset } => {
                let all = recordings.get(recording).ok_or_else(|| format!("there is no recording {recording:?}"))?;
                let series = all.series(day, column).ok_or_else(|| format!("{recording} has no column {column:?} on {day}"))?;
                Base::Recorded { series: series.clone(), scale: *scale, offset: *offset }
            }
            Source::Around { around, wander } => Base::Walk { around: *around, wander: *wander, at: *around },
            Source::Is(value) => Base::Constant(*value),
            Source::During(spans) => Base::During(spans.clone()),
        };
        Ok(Signal { base, staged: Vec::new() })
    }
    pub fn constant(value: f64) -> Signal {
        Signal { base: Base::Constant(value), staged: Vec::new() }
    }
    /// The base is 1 within these spans too (a door's rhythm).
    pub fn also_during(&mut self, spans: impl IntoIterator<Item = Span>) {
        let mut all = match &self.base {
            Base::During(spans) => spans.clone(),
            _ => Vec::new(),
        };
        all.extend(spans);
        self.base = Base::During(all);
    }
    pub fn stage(&mut self, o: Override) {
        self.staged.push(o);
    }
    /// The value at that second of the day. A made-up walk takes one step for each call.
    pub fn at(&mut self, second: u32, rng: &mut Xoshiro256PlusPlus) -> f64 {
        let base = match &mut self.base {
            Base::Recorded { series, scale, offset } => sample(series, second).unwrap_or(0.0) * *scale + *offset,
            Base::Walk { around, wander, at } => {
                if *wander > 0.0 {
                    // Pulled back to the middle, so that it neither sticks to an edge nor leaves the band.
                    let pull = (*around - *at) * 0.05;
                    *at = (*at + pull + rng.random_range(-0.15..0.15) * *wander).clamp(*around - *wander, *around + *wander);
                }
                *at
            }
            Base::Constant(value) => *value,
            Base::During(spans) => f64::from(u8::from(spans.iter().any(|s| s.holds(second)))),
        };
        self.staged.iter().fold(base, |value, o| if o.span.holds(second) { o.mix(value, second) } else { value })
    }
    /// Whether a staged value that comes and goes at once begins or ends within `after < t <= until`: a detector says so when it happens.
    pub fn turns(&self, after: u32, until: u32) -> bool {
        let within = |t: u32| after < t && t <= until;
        self.staged.iter().any(|o| o.ramp_s == 0 && (within(o.span.from) || within(o.span.to)))
    }
}

impl Override {
    fn mix(&self, base: f64, second: u32) -> f64 {
        if self.ramp_s == 0 {
            return self.to;
        }
        let near_edge = second.saturating_sub(self.span.from).min(self.span.to.saturating_sub(second));
        let share = (f64::from(near_edge) / f64::from(self.ramp_s)).min(1.0);
        base + (self.to - base) * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn rng() -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(1)
    }
    fn signal(source: &Source) -> Signal {
        let csv = "timestamp,co2\n2015-02-05 00:00:10,400\n2015-02-05 00:00:20,500\n";
        Signal::new(source, &Recordings::from([("office".to_owned(), Recording::parse(csv).unwrap())])).unwrap()
    }

    #[test]
    fn a_ramp_rises_from_the_replayed_value_and_returns_to_it() {
        let (recording, day, column) = ("office".to_owned(), "2015-02-05".to_owned(), "co2".to_owned());
        let mut s = signal(&Source::Recorded { recording, day, column, scale: 2.0, offset: 10.0 });
        s.stage(Override { span: Span { from: 100, to: 200 }, to: 2010.0, ramp_s: 40 });
        let rng = &mut rng();
        let (base, at) = (1010.0, [(99, 0.0), (100, 0.0), (120, 0.5), (140, 1.0), (160, 1.0), (180, 0.5), (200, 0.0)]);
        for (second, share) in at {
            assert_eq!(s.at(second, rng), base + 1000.0 * share, "at {second} s");
        }
        assert!(!s.turns(99, 100), "a ramp is no sudden change");
    }

    #[test]
    fn a_staged_state_comes_and_goes_at_once() {
        let mut s = signal(&Source::Is(0.0));
        s.stage(Override { span: Span { from: 100, to: 200 }, to: 1.0, ramp_s: 0 });
        let rng = &mut rng();
        assert_eq!([99, 100, 199, 200].map(|t| s.at(t, rng)), [0.0, 1.0, 1.0, 0.0]);
        assert!(s.turns(95, 100) && s.turns(195, 200) && !s.turns(100, 195));
    }

    #[test]
    fn a_walk_stays_in_its_band_and_moves() {
        let mut s = signal(&Source::Around { around: 20.0, wander: 3.0 });
        let rng = &mut rng();
        let values: Vec<f64> = (0..5000).map(|t| s.at(t, rng)).collect();
        assert!(values.iter().all(|v| (17.0..=23.0).contains(v)));
        assert!(values.windows(20).all(|w| w.iter().any(|v| v != &w[0])), "stuck");
    }

    #[test]
    fn what_is_not_recorded_is_named() {
        let source = |recording: &str, column: &str| Source::Recorded {
            recording: recording.to_owned(),
            day: "2015-02-05".to_owned(),
            column: column.to_owned(),
            scale: 1.0,
            offset: 0.0,
        };
        let none = Recordings::new();
        assert!(Signal::new(&source("attic", "co2"), &none).unwrap_err().contains("attic"));
    }
}
