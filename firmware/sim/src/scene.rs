//! What surrounds one node at a moment of the script's time. Pure: it follows from script, seed and name, so that a run can be repeated and a fleet needs
//! no memory for its world.
use crate::script::{Contact, DAY_MS, Fault, Input, Kind, Measured, Rhythm, Script, What};
use crate::time::of_day;
use tuoan_node::link::backoff;

/// Half of a chattering contact's period, in milliseconds.
const CHATTER_MS: u64 = 250;

#[derive(Debug, Clone)]
pub struct Scene {
    kind: Kind,
    faults: Vec<Fault>,
    /// Of this node.
    seed: u64,
}

impl Scene {
    pub fn new(script: &Script, name: &str, kind: &Kind, seed: u64) -> Scene {
        let seed = backoff::seed(name, seed);
        let strikes = |(i, f): &(usize, &Fault)| {
            let meant = f.node.as_ref().is_none_or(|n| n == name) && f.kind.as_ref().is_none_or(|k| *k == kind.name);
            meant && chance(seed, *i as u64, 0xFA) < f.share
        };
        let faults = script.fault.iter().enumerate().filter(strikes).map(|(_, f)| f.clone()).collect();
        Scene { kind: kind.clone(), faults, seed }
    }

    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// What the chip shows: `None` when the kind measures no such thing.
    pub fn value(&self, what: Measured, t: u64) -> Option<f64> {
        let curve = self.kind.measure.get(&what)?;
        let of_quantity = |f: &&Fault| f.quantity.is_none_or(|q| q == what);
        let mut t = t;
        if let Some(since) = self.active(What::Stuck, t).filter(of_quantity).map(|f| since(f, t)).max() {
            t = t.saturating_sub(since);
        }
        let drift: f64 = self.active(What::Drift, t).filter(of_quantity).map(|f| f.by * since(f, t) as f64 / 3_600_000.0).sum();
        let spread = curve.spread * (2.0 * chance(self.seed, what as u64, 1) - 1.0);
        let noise = curve.noise * (2.0 * chance(self.seed, what as u64 ^ (t / 1000) << 8, 2) - 1.0);
        Some(line(&curve.points, of_day(t)) + spread + noise + drift)
    }

    /// Whether input `place` of the kind is active: as its wire shows it.
    pub fn contact(&self, place: usize, t: u64) -> bool {
        let Some(Contact { is, on, rhythm }) = self.kind.contact.get(place) else { return false };
        // A relay that is bad and a button that bounces are no emergencies.
        if *is == Input::Door && self.is(What::Chatter, t) {
            return (t / CHATTER_MS).is_multiple_of(2);
        }
        let now = of_day(t);
        let spans = on.iter().any(|(from, to)| (from.0..to.0).contains(&now));
        spans || rhythm.iter().enumerate().any(|(i, r)| self.beats(r, (place * 16 + i) as u64, now, t / DAY_MS))
    }

    fn beats(&self, r: &Rhythm, salt: u64, now: u64, day: u64) -> bool {
        if !(r.from.0..r.to.0).contains(&now) {
            return false;
        }
        let (every, lasts) = (u64::from(r.every_s) * 1000, u64::from(r.for_s) * 1000);
        let (turn, at) = ((now - r.from.0) / every, (now - r.from.0) % every);
        let begins = (chance(self.seed, salt ^ turn << 8 ^ day << 40, 3) * (every - lasts) as f64) as u64;
        (begins..begins + lasts).contains(&at)
    }

    /// Whether it is so at `t`.
    pub fn is(&self, what: What, t: u64) -> bool {
        self.active(what, t).next().is_some()
    }

    /// When it ends, where it is so at `t`.
    pub fn until(&self, what: What, t: u64) -> Option<u64> {
        self.active(what, t).map(|f| t - since(f, t) + lasts(f)).max()
    }

    /// When it next begins after `t`.
    pub fn next(&self, what: What, t: u64) -> Option<u64> {
        self.faults.iter().filter(|f| f.what == what).map(|f| t + DAY_MS - since(f, t)).min()
    }

    /// How far ahead the node's UTC is, in milliseconds.
    pub fn clock_error_ms(&self, t: u64) -> i64 {
        self.active(What::Clock, t).map(|f| (f.by * 1000.0) as i64).sum()
    }

    fn active(&self, what: What, t: u64) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |f| f.what == what && since(f, t) < lasts(f))
    }
}

/// Milliseconds since the fault last began.
fn since(f: &Fault, t: u64) -> u64 {
    (of_day(t) + DAY_MS - f.at.0) % DAY_MS
}

fn lasts(f: &Fault) -> u64 {
    f.for_s.map_or(DAY_MS - f.at.0, |s| u64::from(s) * 1000).min(DAY_MS)
}

fn line(points: &[(crate::script::Time, f64)], now: u64) -> f64 {
    let after = points.iter().position(|p| p.0.0 > now).unwrap_or(points.len());
    match (after.checked_sub(1).and_then(|i| points.get(i)), points.get(after)) {
        (Some((t0, a)), Some((t1, b))) => a + (b - a) * (now - t0.0) as f64 / (t1.0 - t0.0) as f64,
        (Some((_, v)), None) | (None, Some((_, v))) => *v,
        (None, None) => f64::NAN,
    }
}

/// From 0 up to 1, always the same for the same three numbers.
fn chance(seed: u64, a: u64, b: u64) -> f64 {
    // SplitMix64.
    let mut z = seed ^ a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd1b5_4a32_d192_ed03);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: u64 = 3_600_000;

    fn scene(more: &str) -> Scene {
        let text = format!(
            "start = \"07:00\"\n[[kind]]\nname = \"a\"\nshare = 1\n[kind.measure.co2]\npoints = [[\"08:00\", 400.0], [\"10:00\", 800.0]]\n\
             [[kind.contact]]\nis = \"door\"\non = [[\"12:00\", \"12:01\"]]\n[[kind.contact.rhythm]]\nfrom = \"13:00\"\nto = \"14:00\"\nevery_s = 60\nfor_s = 10\n{more}"
        );
        let script = Script::parse(&text).unwrap();
        Scene::new(&script, "a-1", &script.kind[0], 7)
    }
    fn fault(what: &str, more: &str) -> Scene {
        scene(&format!("[[fault]]\nwhat = \"{what}\"\nat = \"09:00\"\n{more}"))
    }
    fn co2(s: &Scene, t: u64) -> f64 {
        s.value(Measured::Co2, t).unwrap()
    }

    #[test]
    fn a_curve_runs_between_its_points_every_day() {
        let s = scene("");
        for (t, v) in [(0, 400.0), (8 * HOUR, 400.0), (9 * HOUR, 600.0), (10 * HOUR, 800.0), (23 * HOUR, 800.0), (33 * HOUR, 600.0)] {
            assert_eq!(co2(&s, t), v, "{t}");
        }
        assert_eq!(s.value(Measured::Humidity, 0), None);
    }

    #[test]
    fn stuck_and_drifting_values() {
        let s = fault("stuck", "for_s = 3600");
        assert_eq!((co2(&s, 9 * HOUR + 1), co2(&s, 10 * HOUR - 1), co2(&s, 10 * HOUR)), (600.0, 600.0, 800.0));
        let s = fault("drift", "by = 60.0");
        assert_eq!((co2(&s, 9 * HOUR), co2(&s, 11 * HOUR), co2(&s, 25 * HOUR)), (600.0, 920.0, 400.0), "until midnight");
    }

    #[test]
    fn contacts_follow_spans_rhythms_and_faults() {
        let s = scene("");
        assert!(s.contact(0, 12 * HOUR) && !s.contact(0, 12 * HOUR + 60_000) && !s.contact(1, 12 * HOUR));
        let open = (13 * HOUR..14 * HOUR).step_by(1000).filter(|t| s.contact(0, *t)).count();
        assert_eq!(open, 600, "ten seconds in each of sixty minutes");
        let s = fault("chatter", "for_s = 2");
        let states: Vec<_> = (9 * HOUR..9 * HOUR + 3000).step_by(250).map(|t| s.contact(0, t)).collect();
        assert_eq!(states.iter().filter(|on| **on).count(), 4);
    }

    #[test]
    fn when_a_fault_begins_and_ends() {
        let s = fault("cable", "for_s = 60");
        assert_eq!((s.next(What::Cable, 8 * HOUR), s.until(What::Cable, 8 * HOUR)), (Some(9 * HOUR), None));
        assert_eq!(s.until(What::Cable, 9 * HOUR + 30_000), Some(9 * HOUR + 60_000));
        assert_eq!(s.next(What::Cable, 9 * HOUR + 30_000), Some(33 * HOUR), "the next day");
        assert_eq!(s.next(What::Power, 0), None);
        assert_eq!(fault("clock", "by = -90.0").clock_error_ms(9 * HOUR), -90_000);
    }

    proptest! {
        #[test]
        fn shares_choose_nodes_by_the_seed_and_always_the_same(seed: u64) {
            let script = Script::parse("start = \"07:00\"\n[[kind]]\nname = \"a\"\nshare = 1\n[[fault]]\nwhat = \"cable\"\nshare = 0.3\nat = \"07:00\"\n").unwrap();
            let struck = || (0..400).filter(|i| Scene::new(&script, &format!("a-{i}"), &script.kind[0], seed).is(What::Cable, 8 * HOUR)).collect::<Vec<_>>();
            prop_assert_eq!(struck(), struck());
            prop_assert!((70..=170).contains(&struck().len()), "{} of 400", struck().len());
        }
    }
}
