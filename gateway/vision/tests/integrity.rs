//! A small share of the integrity benchmark, so that a change that blinds the checks or makes them cry wolf fails here. The figures that are quoted come from
//! the benchmark itself: `docs/vision-integrity.md`.
#[path = "../examples/integrity-benchmark/rooms.rs"]
mod rooms;
#[path = "../examples/integrity-benchmark/runs.rs"]
mod runs;

use std::path::Path;

use runs::{Attack, Day, Outcome, Warm};

fn stock() -> rooms::Stock {
    rooms::Stock::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo-data/cameras")).expect("the frames of the demo")
}

#[test]
#[cfg_attr(debug_assertions, ignore = "minutes without optimisation")]
fn tampering_is_noticed_within_half_a_minute() {
    let stock = stock();
    let (mut all, mut named) = (0, 0);
    for seed in [901, 902] {
        let warm = Warm::new(&stock, seed, 1000);
        assert!(warm.blind().is_empty(), "{:?}", warm.blind());
        for attack in Attack::draw(&mut rooms::Dice(seed), 1000) {
            // What cannot be seen for certain at a frame a second is a figure of the benchmark.
            if matches!(attack, Attack::Play(_)) {
                continue;
            }
            let Outcome { named: expected, any, after, measures } = warm.attacked(&stock, attack);
            assert!(any.is_some_and(|s| s <= 30.0), "{} ({attack:?}) was not noticed in {after:.0} s: {measures:?}", attack.name());
            all += 1;
            named += usize::from(expected.is_some_and(|s| s <= 30.0));
        }
    }
    assert!(named * 10 >= all * 9, "{named} of {all} were called what they were");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "minutes without optimisation")]
fn the_change_from_lunch_to_nap_raises_nothing() {
    let stock = stock();
    for (seed, video) in [(911, false), (912, true)] {
        let raised = Day { seed, period_ms: 1000, video, from_h: 11.9, to_h: 12.2 }.run(&stock);
        assert!(raised.is_empty(), "{raised:?}");
    }
}
