//! How fast incidents are found in a store of many days: the readings of a site with sixty sensors, and far more incidents than it should ever have.
use super::year::{BEGIN, MINUTE_MS, Year, opening};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tuoan::alarms::Period;
use tuoan::alarms::times::Targets;
use tuoan::clock::Clock;
use tuoan::metrics::Metrics;
use tuoan::store::search::{LateAfter, Search};
use tuoan::store::{Batch, Deps, Entry, Options as StoreOptions, Reader, Reply, Store};
use tuoan_protocol::{Basis, IncidentEvent, IncidentState, InstitutionType, Place, Severity, SupervisingBody, Transition};

const ZONES: [&str; 13] = [
    "infants",
    "toddlers-1",
    "toddlers-2",
    "older-1",
    "older-2",
    "nap-1",
    "nap-2",
    "hall",
    "office",
    "kitchen",
    "gate",
    "yard",
    "washroom",
];
const HAZARDS: [&str; 8] =
    ["air.co2", "climate.temp", "noise.high", "door.held_open", "sensor.lost", "fire.smoke", "left.behind", "water.leak"];
const PEOPLE: [&str; 6] = ["王老师", "陈老师", "李园长", "周副园长", "孙老师", "赵老师"];
/// Minutes in one commit.
const STRIDE: i64 = 20;

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 90)]
    days: i64,
    /// Incidents a day: alarm guidance calls 150 the most that one person can manage.
    #[arg(long, default_value_t = 200)]
    incidents: i64,
    /// Each question is asked so often.
    #[arg(long, default_value_t = 40)]
    runs: usize,
    /// Keep the store in this folder; what is there already is asked.
    #[arg(long)]
    store: Option<PathBuf>,
}

pub fn run(options: &Options) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = options.store.clone().unwrap_or_else(|| temporary.path().to_owned());
    if !dir.join(tuoan::store::LOG_FILE).exists() {
        let began = Instant::now();
        fill(&dir, options);
        println!("store of {} days made in {:.0} s", options.days, began.elapsed().as_secs_f64());
    }
    let reader = Reader::open(&dir).unwrap();
    let counts = reader.counts().unwrap();
    println!("{} log entries, {} incident events, {} MiB\n", counts.entries, counts.events, reader.space().map_or(0, |s| s.used >> 20));
    println!("| question | found | median ms | slowest ms |\n|---|---|---|---|");
    let end = BEGIN + options.days * 1440 * MINUTE_MS;
    let week = end - 7 * 1440 * MINUTE_MS;
    let targets = Targets::default();
    let late = || Some(LateAfter { noted: targets.acknowledge, handled: targets.handle, now: end });
    let text = |t: &str| Some(t.to_owned());
    let person = |p: &str| vec![p.to_owned()];
    let questions = [
        ("the newest", Search::default()),
        ("room", Search { zone: text("nap-1"), ..Search::default() }),
        ("hazard", Search { hazard: text("fire.smoke"), ..Search::default() }),
        ("severity", Search { severity: Some(Severity::Emergency), ..Search::default() }),
        ("a week", Search { from: Some(week), to: Some(end), ..Search::default() }),
        ("person", Search { person: person(PEOPLE[0]), ..Search::default() }),
        ("late", Search { late: late(), ..Search::default() }),
        (
            "all at once",
            Search {
                zone: text("nap-1"),
                hazard: text("fire.smoke"),
                severity: Some(Severity::Emergency),
                from: Some(BEGIN),
                to: Some(end),
                person: person(PEOPLE[0]),
                late: late(),
                ..Search::default()
            },
        ),
        ("the last page", Search { after: Some((BEGIN + 1440 * MINUTE_MS, String::new())), ..Search::default() }),
        ("nobody, late, of any room", Search { person: person("nobody"), late: late(), ..Search::default() }),
        ("late and rare", Search { late: late(), hazard: text("none.such"), ..Search::default() }),
    ];
    let mut worst = 0f64;
    for (name, question) in &questions {
        let mut times: Vec<f64> = Vec::new();
        let mut found = 0;
        for _ in 0..options.runs.max(1) {
            let began = Instant::now();
            found = reader.search(question, 51).unwrap().len();
            reader.hazards().unwrap();
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let slowest = times[times.len() - 1];
        worst = worst.max(slowest);
        println!("| {name} | {found} | {:.2} | {slowest:.2} |", times[times.len() / 2]);
    }
    println!("\nslowest of all: {worst:.1} ms");
    println!("\n| figures of | alarms | median ms |\n|---|---|---|");
    for days in [28, 365] {
        let period = Period::last_days(days, end, 480);
        let earlier = Period { from: period.from - (period.to - period.from), to: period.from, ..period };
        let mut times: Vec<f64> = Vec::new();
        let mut incidents = 0;
        for _ in 0..options.runs.clamp(1, 5) {
            let began = Instant::now();
            let both = tuoan::alarms::read::of_reader(&reader, &[period, earlier]).unwrap();
            incidents = both[0].alarms;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("| {days} days and those before them | {incidents} | {:.0} |", times[times.len() / 2]);
    }
}

fn fill(dir: &std::path::Path, options: &Options) {
    let mut deps = Deps::new(Clock::manual(BEGIN), Arc::new(Metrics::new()));
    // What is old goes into blocks and roll-ups as it does in months of work.
    (deps.timing.pack, deps.timing.roll, deps.timing.survey) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (store, _) = Store::open(dir, StoreOptions { reserve_mb: 0, ..StoreOptions::default() }, deps).unwrap();
    let mut year = Year::new(false);
    let (mut position, mut sequence, mut number) = (0u64, 0u64, 0u64);
    let mut inputs = opening(false);
    for stride in 0..options.days * 1440 / STRIDE {
        for _ in 0..STRIDE {
            year.minute(&mut inputs);
        }
        let begun = BEGIN + stride * STRIDE * MINUTE_MS;
        let entries = inputs.drain(..).map(|i| {
            position += 1;
            Entry { position, at: i.at, message: true, body: i.body }
        });
        let mut batch = Batch { now: begun + STRIDE * MINUTE_MS, entries: entries.collect(), ..Batch::default() };
        let due = (stride + 1) * STRIDE * options.incidents / 1440;
        while (number as i64) < due {
            number += 1;
            for (at, transition) in life(number) {
                sequence += 1;
                batch.events.push(event(number, sequence, position, begun + at, transition));
            }
        }
        let (done, committed) = tokio::sync::oneshot::channel();
        batch.replies.push(Reply::Done(done));
        store.submit(Box::new(batch), Duration::from_secs(60)).map_err(|_| "not taken").unwrap();
        committed.blocking_recv().unwrap();
    }
    store.close();
}

/// Most are answered in time, one in nine late, one in eleven by nobody.
fn life(number: u64) -> Vec<(i64, Transition)> {
    let answer = if number.is_multiple_of(9) { 900_000 } else { 40_000 };
    let mut life = vec![(0, Transition::Opened)];
    if !number.is_multiple_of(11) {
        life.extend([(answer, Transition::Acknowledged), (answer + 1000, Transition::Assigned), (answer + 120_000, Transition::Resolved)]);
    }
    life.extend([(answer + 130_000, Transition::Returned), (answer + 140_000, Transition::Closed)]);
    life
}

fn event(number: u64, sequence: u64, position: u64, at: i64, transition: Transition) -> IncidentEvent {
    let pick = |list: &[&'static str], by: u64| list[(number / by) as usize % list.len()];
    let acted = matches!(transition, Transition::Acknowledged | Transition::Assigned | Transition::Resolved);
    let who = || pick(&PEOPLE, 3).try_into().unwrap();
    IncidentEvent {
        site: "year".parse().unwrap(),
        institution: InstitutionType::Public,
        supervisor: SupervisingBody::Health,
        log: "01JD0000000000000000000000".parse().unwrap(),
        sequence,
        position,
        id: format!("01JF{sequence:022}").parse().unwrap(),
        incident: format!("01JE{number:022}").parse().unwrap(),
        at,
        clock_trusted: true,
        transition,
        state: IncidentState {
            active: !matches!(transition, Transition::Returned | Transition::Closed),
            acknowledged: acted,
            closed: transition == Transition::Closed,
            inhibited: None,
        },
        hazard: pick(&HAZARDS, 1).parse().unwrap(),
        place: Place { zone: pick(&ZONES, 2).parse().unwrap(), device: None },
        severity: [Severity::General, Severity::Serious, Severity::Advisory, Severity::Emergency][(number / 5) as usize % 4],
        basis: Basis::Confirmed,
        rule: "bench".parse().unwrap(),
        trigger: None,
        activations: 1,
        found_on_connect: false,
        actor: acted.then(who),
        note: None,
        engine: "1.0".try_into().unwrap(),
        rules: [7; 32],
        overridden_by: None,
        via: None,
        cause: None,
        until: None,
        assignee: (transition == Transition::Assigned).then(who),
        other: None,
        rung: None,
        exercise: None,
    }
}
