//! A day with ten times the noise that a nursery has: what is told is what was staged, and no more.
use super::life::staffed;
use crate::engine::input::{Input, Message};
use crate::engine::testing::{Gateway, reading, t};
use crate::engine::{Body, Verdict};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use tuoan_protocol::Quantity;

/// A day as its devices tell it: time, and what a device says then.
#[derive(Default)]
struct Day {
    said: Vec<(i64, Message)>,
    numbers: BTreeMap<String, u64>,
}

impl Day {
    fn says(&mut self, at: i64, device: &str, quantity: Quantity, value: f64) {
        let number = self.numbers.entry(device.to_owned()).or_default();
        *number += 1;
        self.said.push((at, Message { boot: Some(7), seq: Some(*number), sampled_at: Some(at), ..reading(device, quantity, value) }));
    }
    /// On and off by turns, each for as long as `gap` says, and off at last.
    fn flaps(&mut self, device: &str, quantity: &Quantity, (from, to): (i64, i64), mut gap: impl FnMut() -> i64) {
        let (mut at, mut on) = (from, 0.0);
        while at < to {
            on = 1.0 - on;
            self.says(at, device, quantity.clone(), on);
            at += gap();
        }
        if on > 0.0 {
            self.says(to, device, quantity.clone(), 0.0);
        }
    }
    /// As the network brings it: twice, late, out of order, and what a broker kept once more to whoever connects.
    fn arrives(mut self, rng: &mut StdRng) -> Vec<Input> {
        self.said.sort_by_key(|(at, _)| *at);
        let mut log = Vec::new();
        for (at, m) in self.said {
            let late = if rng.random_bool(0.05) { rng.random_range(0..2_000) } else { 0 };
            log.push((at + late, m.clone()));
            for _ in 0..[0, 0, 1, 2][rng.random_range(0..4)] {
                log.push((at + late + rng.random_range(1..60_000), m.clone()));
            }
            if rng.random_bool(0.02) {
                log.push((at + late + rng.random_range(1..2_000), Message { retained: true, ..m }));
            }
        }
        log.sort_by_key(|(at, _)| *at);
        log.into_iter().map(|(at, m)| Input { at, body: Body::Message(m) }).collect()
    }
}

fn noisy_day(seed: u64) -> (Gateway, usize) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut day = Day::default();
    let mut other = StdRng::seed_from_u64(!seed);
    for minute in 0..24 * 60 {
        let at = t("00:00") + minute * 60_000 + rng.random_range(0..1000);
        day.says(at, "air", Quantity::Temperature, 22.0 + rng.random_range(-2.0..2.0));
        day.says(at, "air", Quantity::Humidity, 50.0 + rng.random_range(-5.0..5.0));
        day.says(at, "air", Quantity::Co2, 600.0 + rng.random_range(-100.0..100.0));
        day.says(at, "gas", Quantity::GasLel, rng.random_range(0.0..1.0));
        if minute % 10 == 0 {
            day.says(at, "smoke", Quantity::Smoke, 0.0);
        }
    }
    // A PIR that cannot make up its mind all through the nap.
    day.flaps("pir", &Quantity::Motion, (t("12:05"), t("14:20")), || other.random_range(500..4_000));
    // Parents come and go.
    for n in 0..40 {
        let at = t("16:31") + n * 130_000;
        day.says(at, "door", Quantity::Open, 1.0);
        day.says(at + rng.random_range(5_000..100_000), "door", Quantity::Open, 0.0);
    }
    // A contact that flaps at night, hundreds of times.
    day.flaps("door", &Quantity::Open, (t("20:00"), t("20:50")), || other.random_range(1_000..8_000));
    // What really happens: smoke, and a door that is held open.
    for (from, to, device, quantity) in [("10:00", "10:03", "smoke", Quantity::Smoke), ("11:00:30", "11:03", "door", Quantity::Open)] {
        day.said.retain(|(at, m)| m.device.as_str() != device || !(t(from)..t(to)).contains(at));
        day.says(t(from), device, quantity.clone(), 1.0);
        day.says(t(to), device, quantity, 0.0);
    }
    let log = day.arrives(&mut rng);
    let mut g = Gateway::new(staffed());
    let mut repeats = 0;
    for batch in log.chunks(7) {
        g.run(batch, batch[batch.len() - 1].at);
        repeats += g.last.verdicts.iter().filter(|v| **v == Verdict::Duplicate).count();
    }
    g.until("24:00");
    (g, repeats)
}

#[test]
fn ten_times_the_noise_tells_no_more_than_what_was_staged() {
    for seed in 0..4 {
        let (g, repeats) = noisy_day(seed);
        assert!(repeats > 1_000, "{repeats}");
        let opened: Vec<&str> = g.log.iter().filter(|l| l.contains(" opened ")).map(|l| l.split(' ').nth(1).unwrap()).collect();
        assert_eq!(opened, ["fire.smoke", "door.held_open", "door.after_hours"], "seed {seed}: {:#?}", g.log);
        let of = |hazard: &str, word: &str| g.of(hazard).iter().filter(|l| l.contains(word)).count();
        assert_eq!((of("fire.smoke", "reactivated"), of("door.held_open", "reactivated")), (0, 0));
        // Told as news a few times, and from then on counted.
        assert_eq!((of("door.after_hours", "reactivated"), of("door.after_hours", "chattering")), (3, 1), "seed {seed}");
        let view = g.state.view(g.state.now());
        let flapping = view.incidents.iter().find(|i| i.hazard.as_str() == "door.after_hours").unwrap();
        assert!(flapping.activations > 100, "{}", flapping.activations);
        let told = g.told.iter().filter(|l| l[..2] >= *"20" && l.contains("alert carer")).count();
        assert!(told <= 5, "seed {seed}: {told} times");
    }
}

#[test]
fn a_repeat_that_comes_late_brings_nothing_back() {
    let mut g = Gateway::new(staffed());
    let smoke =
        |seq, value, at| Message { boot: Some(1), seq: Some(seq), sampled_at: Some(t(at)), ..reading("smoke", Quantity::Smoke, value) };
    g.message("10:00", smoke(1, 1.0, "10:00")).message("10:02", smoke(2, 0.0, "10:02")).until("10:05");
    g.message("10:06", smoke(1, 1.0, "10:00"));
    assert_eq!(g.last.verdicts, [Verdict::Duplicate]);
    g.until("10:30");
    assert_eq!(g.of("fire.smoke"), ["10:00:00 opened 1", "10:03:00 returned 1"]);
}
