//! How well blindness is seen and how often it is seen wrongly: `cargo run --release -p tuoan-vision --example integrity-benchmark -- SEED ROOMS DAYS`.
//! Prints the table that stands in `docs/vision-integrity.md`. Thresholds were chosen on seeds below 1000; a figure that is to be believed takes another.
//! `PART=0` to `4` takes one kind of the quiet hours only, so that they can run side by side; `MISSES=1` says what was missed and why.
//! `ONLY=smeared,focus` does to the cameras only what has one of these words in its name in the table; `PART=none` beside it leaves out the quiet hours.
mod rooms;
mod runs;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use runs::{Attack, Day, Outcome, Warm};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<u64> = std::env::args().skip(1).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let [seed, rooms, days] = args.as_slice() else { return Err("usage: integrity-benchmark SEED ROOMS DAYS".into()) };
    let stock = rooms::Stock::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo-data/cameras"))?;
    for period_ms in [1000, 5000] {
        attacks(&stock, *seed, *rooms, period_ms);
    }
    quiet(&stock, *seed, *days);
    Ok(())
}

fn attacks(stock: &rooms::Stock, seed: u64, rooms: u64, period_ms: i64) {
    /// Seconds until the right kind was named, and until any was.
    type Delay = (Option<f32>, Option<f32>);
    let only = std::env::var("ONLY").ok();
    let mut results: BTreeMap<(String, &'static str), Vec<Delay>> = BTreeMap::new();
    for n in 0..rooms {
        let warm = Warm::new(stock, seed * 1_000_003 + n, period_ms);
        if !warm.blind().is_empty() {
            eprintln!("room {n} is believed blind before anything is done to it: {:?}", warm.blind());
        }
        let wanted = |a: &Attack| only.as_ref().is_none_or(|words| words.split(',').any(|word| a.name().contains(word)));
        for attack in Attack::draw(&mut rooms::Dice(seed * 7_000_003 + n), period_ms).into_iter().filter(wanted) {
            let Outcome { named, any, after, measures } = warm.attacked(stock, attack);
            if let (Attack::Play(frames), Some(_)) = (attack, named) {
                eprintln!("video of {} s at {period_ms} ms a frame: named {after:.0} s after it began", frames as f32 / 10.0);
            }
            if std::env::var_os("MISSES").is_some() && named.is_none_or(|d| d > 30.0) {
                eprintln!("missed at {period_ms} ms a frame: room {n} {attack:?}, any kind after {any:?} s; {measures:?}");
            }
            results.entry((format!("{:?}", attack.expects()), attack.name())).or_default().push((named, any));
        }
    }
    println!("\n| kind | done to the camera | runs | named within 30 s | noticed within 30 s | median delay, s | worst, s |");
    println!("|---|---|---|---|---|---|---|");
    for ((kind, name), delays) in results {
        let share =
            |f: fn(&Delay) -> Option<f32>| delays.iter().filter(|d| f(d).is_some_and(|s| s <= 30.0)).count() as f32 / delays.len() as f32;
        let mut times: Vec<f32> = delays.iter().filter_map(|d| d.0).collect();
        times.sort_by(f32::total_cmp);
        let show = |t: Option<&f32>| t.map_or_else(|| "-".to_owned(), |t| format!("{t:.0}"));
        println!(
            "| {kind} | {name} | {} | {:.2} | {:.2} | {} | {} |",
            delays.len(),
            share(|d| d.0),
            share(|d| d.1),
            show(times.get(times.len() / 2)),
            show(times.last())
        );
    }
}

/// Whole days at a frame in five seconds, and at one a second the hours in which the light changes and people come and go.
const QUIET: [(i64, bool, f32, f32, u64); 5] = [
    (5000, false, 0.0, 24.0, 1),
    (5000, true, 0.0, 24.0, 2),
    (1000, false, 6.5, 9.5, 2),
    (1000, false, 11.5, 15.0, 1),
    (1000, true, 16.0, 19.5, 2),
];

fn quiet(stock: &rooms::Stock, seed: u64, days: u64) {
    println!("\n| frames | coding | hours | camera-days | false alarms | which |");
    println!("|---|---|---|---|---|---|");
    let (mut hours, mut alarms) = (0.0, 0);
    for (part, (period_ms, video, from_h, to_h, share)) in QUIET.into_iter().enumerate() {
        if std::env::var("PART").is_ok_and(|p| p != part.to_string()) {
            continue;
        }
        let mut raised = Vec::new();
        let n = days.div_ceil(share);
        for day in 0..n {
            let seed = seed * 9_000_011 + day * 31 + part as u64;
            let before = raised.len();
            for (kind, at, measured) in (Day { seed, period_ms, video, from_h, to_h }).run(stock) {
                if std::env::var_os("MISSES").is_some() {
                    eprintln!("false: {kind:?} at {at} s, seed {seed}: {measured:?}");
                }
                raised.push(format!("{kind:?} at {:02}:{:02} (seed {seed})", at as u32 / 3600, at as u32 / 60 % 60));
            }
            eprintln!("part {part}: {} of {n}, {} false alarms", day + 1, raised.len() - before);
        }
        let (rate, coding) = (1000.0 / period_ms as f32, if video { "H.264" } else { "JPEG" });
        let length = (to_h - from_h) * n as f32;
        println!("| {rate} fps | {coding} | {from_h} to {to_h} | {:.2} | {} | {} |", length / 24.0, raised.len(), raised.join(", "));
        hours += length;
        alarms += raised.len();
    }
    println!("\n{alarms} false alarms in {:.1} camera-days.", hours / 24.0);
}
