//! The real writer with hours that pass in no time.
use super::*;
use crate::clock::Clock;
use crate::engine::State;
use crate::engine::input::{Item, Message};
use crate::metrics::Metrics;
use crate::store::rollup::Rollups;
use crate::store::{Batch, Deps, Entry, LOG_FILE, Lane, Moment, Options, Reply, Retention, Snapshot, Store};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tuoan_protocol::{Fixed, Quantity};

const T: i64 = 1_790_000_000_000;
const OFFSET: i64 = 5_000;
const LONG: Duration = Duration::from_secs(20);
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

struct Rig {
    store: Store,
    entries: Vec<Entry>,
    now: i64,
    offset: i64,
}

impl Rig {
    /// Every `failing`-th commit fails once; 0: none.
    fn open(dir: &Path, failing: u64) -> Rig {
        let mut deps = Deps::new(Clock::manual(T), Arc::new(Metrics::new()));
        let zero = Duration::ZERO;
        (deps.timing.survey, deps.timing.ops, deps.timing.pack, deps.timing.roll) = (zero, zero, zero, zero);
        deps.timing.retry = (zero, zero);
        let asked = AtomicU64::new(1);
        if failing > 0 {
            deps.fault = Some(Arc::new(move |moment, _: &Path| match moment {
                Moment::BeforeCommit if asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(failing) => {
                    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR), None))
                }
                _ => Ok(()),
            }));
        }
        let retention = Retention { keep_days: 30, ..Retention::default() };
        let (store, _) = Store::open(dir, Options { reserve_mb: 0, retention, ..Options::default() }, deps).unwrap();
        store.ops.claim([("platform".to_owned(), Lane::Alerts)]).unwrap();
        Rig { store, entries: vec![], now: T, offset: OFFSET }
    }
    fn commit(&self, batch: Batch) {
        let (reply, replied) = oneshot::channel();
        let view = Some(Arc::new(crate::engine::view::View { clock_trusted: true, ..Default::default() }));
        let batch = Batch { now: self.now, utc_offset: self.offset, view, replies: vec![Reply::Done(reply)], ..batch };
        self.store.submit(Box::new(batch), LONG).unwrap();
        replied.blocking_recv().unwrap();
    }
    /// One message every `step` milliseconds of six devices in turn; every hundredth sets the clock by a second.
    fn hear(&mut self, n: u64, step: i64) {
        let last = self.entries.len() as u64;
        let mut entries = Vec::new();
        for position in last + 1..=last + n {
            self.now += step;
            let reading = |quantity, value| Item::Reading { quantity, channel: 0, value: Fixed(value) };
            let items = vec![reading(Quantity::Co2, 800 + position as i64 * 7 % 31), reading(Quantity::Open, position as i64 / 9 % 2)];
            let device = format!("air-{}", position % 6).parse().unwrap();
            // Some wait at their node for some minutes, and come in any order.
            let sampled = self.now + self.offset - (position as i64 * 37 % 200) * 1000;
            let message = Message { device, boot: Some(1), seq: Some(position), sampled_at: Some(sampled), retained: false, items };
            let body = if position % 100 == 1 {
                self.offset += 1000;
                Body::Clock { offset_ms: self.offset, trusted: position % 200 == 1 }
            } else {
                Body::Message(message)
            };
            entries.push(Entry { position, at: self.now, message: true, body });
        }
        self.entries.extend(entries.iter().cloned());
        let snapshot = Some(Snapshot { position: last + n, sequence: 0, bytes: State::new().encode() });
        self.commit(Batch { entries, snapshot, ..Batch::default() });
    }
    fn idle(&mut self, ms: i64) {
        for _ in 0..60 {
            self.now += ms / 60;
            self.commit(Batch::default());
        }
    }
    fn devices(&self) -> Vec<DeviceId> {
        (0..6).map(|n| format!("air-{n}").parse().unwrap()).collect()
    }
    fn rolled(&self) -> Rolled {
        self.store.reader.rollups(&self.devices(), 0, i64::MAX).unwrap()
    }
    /// What is in rows is what the entries up to there say, each once.
    fn holds(&self) -> u64 {
        let rolled = self.rolled();
        let (mut plain, mut offset) = (Rollups::default(), OFFSET);
        for e in self.entries.iter().filter(|e| e.position <= rolled.upto) {
            match &e.body {
                Body::Clock { offset_ms, .. } => offset = *offset_ms,
                Body::Message(m) => plain.add(m, e.at + offset),
                _ => {}
            }
        }
        assert_eq!(rolled.rollups, plain);
        rolled.upto
    }
}

#[test]
fn each_entry_counts_once_through_failures_kills_and_blocks() {
    for failing in [0, 3] {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::open(dir.path(), failing);
        let mut rounds = Vec::new();
        for round in 0..12u64 {
            rig.hear(700 + round * 13, 4_000);
            if round % 3 == 0 {
                rig.idle(2 * HOUR);
            }
            rounds.push(rig.holds());
            // As if the process had been killed: what was gathered and not written is read again.
            let Rig { store, entries, now, offset } = rig;
            drop(store);
            rig = Rig { entries, now, offset, ..Rig::open(dir.path(), failing) };
            assert_eq!(rig.holds(), rounds[rounds.len() - 1]);
        }
        rig.idle(10 * HOUR);
        assert_eq!(rig.holds(), rig.entries.len() as u64, "in the end all of them");
        assert!(rounds.windows(2).any(|w| w[0] < w[1]), "little by little: {rounds:?}");
        // One device, one hour, as it was asked.
        let all = rig.rolled();
        let (from, to) = (T, T + HOUR - 1);
        let some = rig.store.reader.rollups(&rig.devices()[..1], from, to).unwrap().rollups;
        let within = |minute: &i64| (from / 60_000..=to / 60_000).contains(minute);
        let wanted: usize =
            all.rollups.iter().filter(|(k, _)| k.device == rig.devices()[0]).map(|(_, m)| m.keys().filter(|m| within(m)).count()).sum();
        assert!(some.len() == wanted && (20..120).contains(&wanted), "{} {wanted}", some.len());
        let steps = rig.store.reader.clock_steps(1, 350).unwrap();
        assert_eq!(steps.iter().map(|s| s.1).collect::<Vec<_>>(), [true, false, true, false]);
    }
}

#[test]
fn roll_ups_outlive_the_readings_and_none_goes_before_it_is_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), 0);
    rig.hear(3000, 4_000);
    rig.idle(DAY);
    let before = rig.rolled();
    assert_eq!(before.upto, 3000);
    for _ in 0..33 {
        rig.hear(20, HOUR);
        rig.idle(4 * HOUR);
    }
    let first = rig.store.reader.first_position().unwrap();
    assert!(first >= 3000, "{first}");
    let old = rig.store.reader.rollups(&rig.devices(), 0, T + DAY - 1).unwrap();
    assert_eq!(old.rollups, before.rollups);
    rig.holds();
    // Two years on they are still there; after three they are not, and that is on record.
    for _ in 0..26 {
        rig.idle(30 * DAY);
    }
    assert_eq!(rig.store.reader.rollups(&rig.devices(), 0, T + DAY - 1).unwrap().rollups, before.rollups);
    for _ in 0..14 {
        rig.idle(30 * DAY);
    }
    assert!(rig.rolled().rollups.is_empty());
    let gone = rig.store.reader.removals(999).unwrap();
    let told = gone.iter().find(|r| r.rule == "keep_rollups_days").unwrap();
    assert!(told.records > 0 && told.first <= 1000 || gone.iter().any(|r| r.rule == "keep_rollups_days" && r.first == 1), "{gone:?}");
    assert_eq!(rig.store.reader.tree_size().unwrap(), gone.len() as u64, "each removal is a leaf, and nothing else has happened");
}

#[test]
fn damage_is_passed_over_and_keeps_nothing_from_going() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::open(dir.path(), 0);
    rig.hear(500, 1_000);
    let Rig { store, entries, now, offset } = rig;
    store.close();
    let db = Connection::open(dir.path().join(LOG_FILE)).unwrap();
    db.execute("UPDATE log SET body = x'01ffff' WHERE position = 250", []).unwrap();
    db.execute("UPDATE log SET body = 5 WHERE position = 260", []).unwrap();
    drop(db);
    let mut rig = Rig { entries, now, offset, ..Rig::open(dir.path(), 0) };
    rig.idle(10 * HOUR);
    let rolled = rig.rolled();
    assert_eq!(rolled.upto, 500);
    let readings: u32 = rolled.rollups.iter().flat_map(|(_, m)| m.values()).map(|m| m.readings).sum();
    assert_eq!(readings, (500 - 5 - 2) * 2, "five set the clock, two cannot be read");
    // Nor does a row that is damaged itself hide the others.
    let writer = Connection::open(dir.path().join(LOG_FILE)).unwrap();
    for body in ["x'0163'", "7"] {
        let copy = format!(
            "INSERT OR REPLACE INTO rollup SELECT upto - 1, first, from_minute, to_minute, minutes, {body} FROM rollup WHERE upto = 500"
        );
        assert_eq!(writer.execute(&copy, []).unwrap(), 1);
        assert_eq!(rig.rolled(), Rolled { cut: true, ..rolled.clone() });
    }
}
