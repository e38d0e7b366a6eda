//! The year of [`super::year`] through the engine, and from a stored log as `tuoan replay` reads it.
use super::year::{MINUTES, Year, opening};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use tuoan::clock::Clock;
use tuoan::engine::{Input, State, step};
use tuoan::metrics::Metrics;
use tuoan::replay::{Range, Source, exact};
use tuoan::store::{Batch, Deps, Entry, LOG_FILE, Options, Store};

/// Minutes in one piece.
const PIECE: i64 = 240;

pub fn year(days: i64, single: bool, store: Option<&Path>) {
    println!(
        "| subject | messages | samples | events | wall s | CPU s | ns a sample (CPU) | state KiB |\n|---|---|---|---|---|---|---|---|"
    );
    let own = tempfile::tempdir().unwrap();
    let dir = store.unwrap_or(own.path());
    let minutes = (days * 1440).min(MINUTES);
    let samples = minutes * 60;
    if !dir.join(LOG_FILE).exists() {
        row("engine alone, its inputs made beside it", samples, || through(single, minutes, None));
        row("the same, and written to a log", samples, || through(single, minutes, Some(dir)));
    }
    row("replayed from the log, compared event by event", samples, || {
        let source = Source::open(dir).unwrap();
        let result = exact(&source, Range::default(), &mut |_| true).unwrap();
        assert!(result.is_same(), "{:?}", result.first);
        (result.last, result.replayed.events, 0)
    });
    let bytes = std::fs::metadata(dir.join(LOG_FILE)).unwrap().len();
    println!("\nlog.db: {:.1} MiB", bytes as f64 / 1_048_576.0);
}

/// (messages, events, bytes of the state's snapshot)
fn row(name: &str, samples: i64, work: impl FnOnce() -> (u64, u64, usize)) {
    let (wall, cpu) = (Instant::now(), cpu());
    let (messages, events, state) = work();
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), (self::cpu() - cpu).as_secs_f64());
    let each = cpu * 1e9 / samples as f64;
    println!("| {name} | {messages} | {samples} | {events} | {wall:.1} | {cpu:.1} | {each:.0} | {} |", state / 1024);
}

/// Of all threads of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = after_name[11].parse::<u64>().unwrap() + after_name[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn through(single: bool, minutes: i64, dir: Option<&Path>) -> (u64, u64, usize) {
    let (send, pieces) = sync_channel::<Vec<Input>>(4);
    let maker = std::thread::spawn(move || {
        let (mut year, mut inputs) = (Year::new(single), opening(single));
        for minute in 1..=minutes {
            year.minute(&mut inputs);
            if minute % PIECE == 0 || minute == minutes {
                send.send(std::mem::take(&mut inputs)).unwrap();
            }
        }
    });
    let store = dir.map(|dir| {
        let deps = Deps::new(Clock::System, Arc::new(Metrics::new()));
        Store::open(dir, Options { reserve_mb: 0, ..Options::default() }, deps).unwrap().0
    });
    let (mut state, mut events) = (State::new(), 0);
    for inputs in pieces {
        let (first, now) = (state.position() + 1, inputs.last().unwrap().at);
        let out = step(&mut state, &inputs, now);
        events += out.events.len() as u64;
        if let Some(store) = &store {
            let entries = (first..).zip(inputs).map(|(position, i)| Entry { position, at: i.at, message: true, body: i.body }).collect();
            let batch = Batch { now, entries, events: out.events, commands: out.commands, ..Batch::default() };
            store.submit(Box::new(batch), Duration::from_secs(600)).map_err(|_| "not taken").unwrap();
        }
    }
    maker.join().unwrap();
    if let Some(store) = store {
        store.close();
    }
    (state.position(), events, state.encode().len())
}
