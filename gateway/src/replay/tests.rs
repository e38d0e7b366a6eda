//! The demonstration's day as a stored log: replayed, cut, exported, damaged, and judged by other rules.
use super::cli::compare;
use super::source::Source;
use super::*;
use crate::clock::Clock;
use crate::demo::rehearsal::rehearse;
use crate::engine::{Input, State, Verdict, step};
use crate::metrics::Metrics;
use crate::store::{Batch, Deps, Entry, LOG_FILE, Options, Snapshot, Store};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tuoan_protocol::IncidentEvent;
use tuoan_protocol::codec::Wire;

static DAY: LazyLock<(Vec<Input>, Vec<IncidentEvent>)> = LazyLock::new(|| {
    let (_, inputs, events) = rehearse(20_260_209);
    (inputs, events)
});

fn hash(events: &[IncidentEvent]) -> String {
    let mut hash = Sha256::new();
    for e in events {
        let bytes = e.to_cbor_vec().unwrap();
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(&bytes);
    }
    hex::encode(hash.finalize())
}

/// The day in a store, as the pipeline would have written it, with snapshots on the way.
pub(crate) fn store(dir: &Path) -> &Path {
    let clock = Clock::manual(DAY.0[0].at);
    let (store, _) = Store::open(dir, Options { reserve_mb: 0, ..Options::default() }, Deps::new(clock, Arc::new(Metrics::new()))).unwrap();
    let mut state = State::new();
    for (n, batch) in DAY.0.chunks(2500).enumerate() {
        let now = batch.last().unwrap().at;
        let first = state.position();
        let out = step(&mut state, batch, now);
        assert!((first + 1..).zip(&out.verdicts).all(|(p, v)| *v == Verdict::Accepted(p)));
        let entries = (first + 1..).zip(batch).map(|(position, i)| Entry { position, at: i.at, message: true, body: i.body.clone() });
        let snapshot = (n % 2 == 1).then(|| Snapshot { position: state.position(), sequence: state.sequence(), bytes: state.encode() });
        let batch = Batch { now, entries: entries.collect(), events: out.events, commands: out.commands, snapshot, ..Batch::default() };
        store.submit(Box::new(batch), Duration::from_secs(60)).map_err(|_| "not taken").unwrap();
    }
    store.close();
    dir
}

fn go(_: u64) -> bool {
    true
}

#[test]
fn the_day_comes_out_bit_for_bit_from_store_snapshot_and_export() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source::open(store(dir.path())).unwrap();
    let whole = exact(&source, Range::default(), &mut go).unwrap();
    assert!(whole.is_same(), "{whole:?}");
    assert_eq!((whole.stored.events as usize, whole.stored.sha256.clone()), (DAY.1.len(), hash(&DAY.1)));
    assert_eq!(whole.engines.len(), 1);
    assert!(whole.foreign().next().is_none());

    // From the newest snapshot before the end; with none that old it begins at the beginning and says which there are.
    let end = DAY.0.last().unwrap().at;
    let tail = exact(&source, Range { from: Some(end), to: None }, &mut go).unwrap();
    assert!(tail.is_same() && tail.after > 0 && tail.stored.events < whole.stored.events, "{tail:?}");
    let early = exact(&source, Range { from: Some(DAY.0[0].at), to: None }, &mut go).unwrap();
    assert!(early.is_same() && early.after == 0 && !early.snapshots.is_empty());
    let noon = DAY.0[DAY.0.len() / 2].at;
    let head = exact(&source, Range { from: None, to: Some(noon) }, &mut go).unwrap();
    assert!(head.is_same() && head.last < whole.last && head.stored.events > 0, "{head:?}");

    let file = dir.path().join("day.jsonl");
    export::export(&source, &file, |_| ()).unwrap();
    let exported = Source::open(&file).unwrap();
    assert_eq!(exported.cut, source.cut);
    assert_eq!(exact(&exported, Range::default(), &mut go).unwrap(), whole);
    assert_eq!(exported.configuration().unwrap(), source.configuration().unwrap());
    assert_eq!(exported.position_before(noon).unwrap(), source.position_before(noon).unwrap());
    assert!(matches!(export::export(&source, &file, |_| ()), Err(ReplayError::File { .. })), "a file that is there is not written over");
}

#[test]
fn a_log_whose_beginning_was_removed_is_replayed_from_the_oldest_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let configuration = Source::open(store(dir.path())).unwrap().configuration().unwrap();
    let db = rusqlite::Connection::open(dir.path().join(LOG_FILE)).unwrap();
    let oldest: i64 = db.query_row("SELECT min(position) FROM snapshot", [], |r| r.get(0)).unwrap();
    let removed = db.execute("DELETE FROM log WHERE position < ?1", [oldest]).unwrap();
    assert!(removed > 1_000);
    let source = Source::open(dir.path()).unwrap();
    assert_eq!(source.cut.first, oldest.unsigned_abs());
    let rest = exact(&source, Range::default(), &mut go).unwrap();
    assert!(rest.is_same() && rest.after == source.cut.first && rest.stored.events > 0, "{rest:?}");
    let early = exact(&source, Range { from: Some(DAY.0[0].at), to: None }, &mut go).unwrap();
    assert!(early.is_same() && early.after == rest.after && !early.snapshots.is_empty());
    assert!(report::exact_text(&early, 480, 0).contains("the oldest of them, where the log begins now"));
    assert_eq!(source.configuration().unwrap(), configuration, "given before what is left");

    let file = dir.path().join("rest.jsonl");
    export::export(&source, &file, |_| ()).unwrap();
    let exported = Source::open(&file).unwrap();
    assert_eq!(exported.cut, source.cut);
    assert_eq!(exact(&exported, Range::default(), &mut go).unwrap(), rest);
    assert_eq!(exported.configuration().unwrap(), configuration);
    // The store still has the entry that the oldest snapshot was made at; the export begins with the state there.
    let before = |source: &Source| source.position_before(DAY.0[0].at).unwrap();
    assert_eq!((before(&source), before(&exported)), (source.cut.first - 1, source.cut.first));
}

#[test]
fn what_was_tampered_with_is_found_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let db = rusqlite::Connection::open(dir.path().join(LOG_FILE)).unwrap();
    let source = |dir: &Path| Source::open(dir).unwrap();
    let second: Vec<u8> = db.query_row("SELECT bytes FROM event WHERE sequence = 2", [], |r| r.get(0)).unwrap();
    let mut event = IncidentEvent::from_cbor(&second).unwrap();
    event.activations += 1;
    event.engine = "0.9".try_into().unwrap();
    db.execute("UPDATE event SET bytes = ?1 WHERE sequence = 2", [event.to_cbor_vec().unwrap()]).unwrap();
    let found = exact(&source(dir.path()), Range::default(), &mut go).unwrap();
    let first = found.first.clone().unwrap();
    assert_eq!((found.is_same(), found.differing, first.sequence, first.position), (false, 1, 2, event.position));
    assert_ne!(first.stored, first.replayed);
    assert_eq!(found.foreign().map(|e| (e.version.as_str(), e.from_sequence)).collect::<Vec<_>>(), [("0.9", 2)]);
    assert!(report::exact_text(&found, 480, 0).contains("written by engine 0.9"));

    // An event too many, and one too few.
    db.execute("UPDATE event SET bytes = ?1 WHERE sequence = 2", [&second]).unwrap();
    db.execute("DELETE FROM event WHERE sequence = (SELECT max(sequence) FROM event)", []).unwrap();
    let found = exact(&source(dir.path()), Range::default(), &mut go).unwrap();
    assert!(found.first.unwrap().stored.is_none() && found.stored.events + 1 == found.replayed.events);
    // A missing input is no difference but a damaged log.
    db.execute("DELETE FROM log WHERE position = 4000", []).unwrap();
    assert!(matches!(exact(&source(dir.path()), Range::default(), &mut go), Err(ReplayError::Gap { .. })));
}

const STRICT: &str =
    "[[override]]\nrule = \"air.co2.mean\"\nreason = \"x\"\nauthor = \"y\"\nfrom = \"2026-02-01\"\nexpires = \"2026-03-01\"\nabove = 700\n";
const OFF: &str = "[[override]]\nrule = \"air.co2.mean\"\nreason = \"x\"\nauthor = \"y\"\nfrom = \"2026-02-01\"\nexpires = \"2026-03-01\"\nenabled = false\n";

#[test]
fn other_rules_show_what_would_have_been_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source::open(store(dir.path())).unwrap();
    let configuration = source.configuration().unwrap();
    // The pack that is in force, put in force again: nothing is otherwise.
    let (name, air) = crate::engine::rules::builtin()[0];
    let same = Change::read(name, air, &configuration).unwrap();
    let (d, forgotten) = compare(&source, &same, Range::default(), &mut go).unwrap();
    assert_eq!((d.new.len(), d.gone.len(), d.changed.len(), forgotten), (0, 0, 0, 0), "{}", report::differences_text(&d, 0, 480));
    let opened = DAY.1.iter().filter(|e| e.transition == tuoan_protocol::Transition::Opened).count();
    assert_eq!(d.same as usize, opened);

    let strict = Change::read("strict.toml", STRICT, &configuration).unwrap();
    let (d, _) = compare(&source, &strict, Range::default(), &mut go).unwrap();
    assert!(!d.new.is_empty() || !d.changed.is_empty(), "{d:?}");
    assert!(d.new.iter().all(|o| o.hazard.as_str() == "air.co2") && d.gone.is_empty(), "{d:?}");
    assert_eq!(d.same as usize + d.changed.len(), opened);

    // One rule of a pack in a file of its own takes the place of the one in force.
    let alone = air.replacen("name = \"air\"", "name = \"trial\"", 1).replacen("above = 1000", "above = 700", 1);
    let alone = alone.split("\n[[rule]]").take(2).collect::<Vec<_>>().join("\n[[rule]]");
    let trial = Change::read("trial.toml", &alone, &configuration).unwrap();
    assert_eq!(trial.rules.len(), 1);
    let (other, _) = compare(&source, &trial, Range::default(), &mut go).unwrap();
    let brief = |list: &[tally::Occurrence]| list.iter().map(|o| (o.opened_at, o.place.clone(), o.activations)).collect::<Vec<_>>();
    assert_eq!(brief(&other.new), brief(&d.new));

    for (bad, part) in [("name = 3", "version"), ("[[override]]\nrule = \"a.b\"", "reason"), ("[[override]]", "rule")] {
        let error = Change::read("bad.toml", bad, &configuration).unwrap_err().to_string();
        assert!(error.contains("bad.toml") && error.contains(part), "{error}");
    }
}

#[test]
fn a_backtest_says_how_often_and_who() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source::open(store(dir.path())).unwrap();
    let configuration = source.configuration().unwrap();
    let strict = Change::read("strict.toml", STRICT, &configuration).unwrap();
    let b = backtest(&source, &strict, Range::default(), backtest::Pace::Fast, &mut go).unwrap();
    assert_eq!(b, backtest(&source, &strict, Range::default(), backtest::Pace::Gentle, &mut go).unwrap());
    assert!((0.3..0.6).contains(&b.days) && b.coverage > 0.9, "{b:?}");
    assert!(b.doubts.iter().any(|d| matches!(d, backtest::Doubt::Short(_))));
    let [rule] = b.rules.as_slice() else { panic!("{b:?}") };
    let (before, after) = (rule.before.unwrap(), rule.after.unwrap());
    assert!(after.incidents > before.incidents && rule.devices > 0, "{rule:?}");
    assert!(after.low <= after.per_week && after.per_week <= after.high && after.active_hours > before.active_hours);
    assert_eq!(rule.offenders.iter().map(|o| o.activations).sum::<u64>(), after.activations);
    assert!(!rule.examples.is_empty() && rule.examples.iter().all(|e| e.at >= b.from && e.at <= b.to));
    assert!(report::backtest_text(&b).contains("days of history: the figures are uncertain"));

    let over = STRICT.replace("2026-02-01", "2025-02-01").replace("2026-03-01", "2025-03-01");
    let over = Change::read("over.toml", &over, &configuration).unwrap();
    let again = backtest(&source, &over, Range::default(), backtest::Pace::Fast, &mut go).unwrap();
    assert_eq!(again.rules, b.rules, "whatever days it names");

    let off = Change::read("off.toml", OFF, &configuration).unwrap();
    let b = backtest(&source, &off, Range::default(), backtest::Pace::Fast, &mut go).unwrap();
    assert!(b.rules[0].before.is_some() && b.rules[0].after.is_none());
    let stopped = backtest(&source, &off, Range::default(), backtest::Pace::Fast, &mut |_| false);
    assert!(matches!(stopped, Err(ReplayError::Cancelled)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// However the day is cut into steps, and wherever the gateway stops and starts from a snapshot.
    #[test]
    fn the_day_cut_anyhow_gives_the_same_incident_log(
        cuts in prop::collection::vec((1usize..700, prop::bool::weighted(0.15)), 40..80),
    ) {
        let (inputs, events) = &*DAY;
        let (mut state, mut said, mut i) = (State::new(), Vec::new(), 0);
        for (size, snapshot) in cuts.iter().cycle() {
            let batch = &inputs[i..(i + size).min(inputs.len())];
            i += batch.len();
            let Some(last) = batch.last() else { break };
            said.extend(step(&mut state, batch, last.at).events);
            if *snapshot {
                state = State::decode(&state.encode()).unwrap();
            }
        }
        prop_assert_eq!(hash(&said), hash(events));
    }
}
