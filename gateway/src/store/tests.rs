//! The store as a whole: batches in, files on disk, answers out.
use super::*;
use crate::clock::Clock;
use crate::engine::input::{Item, Message};
use crate::engine::outcome::DeviceAction;
use crate::ingest::Stored;
use crate::metrics::Metrics;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tuoan_protocol::{
    Basis, Fixed, IncidentEvent, IncidentState, InstitutionType, Place, Quantity, Severity, SupervisingBody, Transition, codec::Wire,
};

const LONG: Duration = Duration::from_secs(20);
const T: i64 = 1_790_000_000_000;

fn message(position: u64, seq: u64) -> Entry {
    let items = vec![Item::Reading { quantity: Quantity::Co2, channel: 0, value: Fixed(812) }];
    let device = "env-1".parse().unwrap();
    let body = Body::Message(Message { device, boot: Some(1), seq: Some(seq), sampled_at: Some(T), retained: false, items });
    Entry { position, at: T + position as i64, message: true, body }
}

fn event(sequence: u64, position: u64, transition: Transition) -> IncidentEvent {
    IncidentEvent {
        site: "xingyuan".parse().unwrap(),
        institution: InstitutionType::Public,
        supervisor: SupervisingBody::Health,
        log: "01JD0000000000000000000000".parse().unwrap(),
        sequence,
        position,
        id: format!("01JE{sequence:022}").parse().unwrap(),
        incident: "01JE0000000000000000000001".parse().unwrap(),
        at: T + sequence as i64,
        clock_trusted: true,
        transition,
        state: IncidentState { active: transition != Transition::Returned, acknowledged: false, closed: false, inhibited: None },
        hazard: "fire.smoke".parse().unwrap(),
        place: Place { zone: "nap-1".parse().unwrap(), device: None },
        severity: Severity::Emergency,
        basis: Basis::Confirmed,
        rule: "fire.smoke".parse().unwrap(),
        trigger: None,
        activations: 1,
        found_on_connect: false,
        actor: None,
        note: None,
        engine: "1.0".try_into().unwrap(),
        rules: [7; 32],
        overridden_by: None,
        via: None,
        cause: None,
        until: None,
        assignee: None,
        other: None,
        rung: None,
        exercise: None,
    }
}

/// A batch of the messages at these positions, and who waits for them.
fn batch(positions: std::ops::RangeInclusive<u64>) -> (Box<Batch>, Vec<oneshot::Receiver<Stored>>) {
    let (acks, waiting) = positions.clone().map(|_| Ack::channel()).unzip();
    let entries: Vec<Entry> = positions.map(|p| message(p, p)).collect();
    let now = entries.last().unwrap().at;
    (Box::new(Batch { now, entries, acks, ..Batch::default() }), waiting)
}

fn deps() -> Deps {
    Deps::new(Clock::manual(T), Arc::new(Metrics::new()))
}
/// Without waiting for anything that a test would have to wait for.
fn quick(mut deps: Deps) -> Deps {
    deps.timing.retry = (Duration::from_millis(1), Duration::from_millis(5));
    deps
}
fn full() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}
fn open(dir: &Path, deps: Deps) -> (Store, Recovered) {
    Store::open(dir, Options { reserve_mb: 1, ..Options::default() }, deps).unwrap()
}
fn positions(entries: &Entries) -> Vec<u64> {
    entries.iter().map(|e| e.position).collect()
}
fn wait_for(mut health: tokio::sync::watch::Receiver<Health>, wanted: impl Fn(&Health) -> bool) -> Health {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, health.wait_for(|h| wanted(h))).await.unwrap().unwrap().clone() })
}

#[test]
fn one_batch_is_one_transaction_and_everything_in_it_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let deps = deps();
    let (store, recovered) = open(dir.path(), deps.clone());
    assert!(recovered.fresh && recovered.position == 0);
    let (mut b, waiting) = batch(1..=3);
    b.events = vec![event(1, 2, Transition::Opened), event(2, 3, Transition::Returned)];
    b.commands = vec![DeviceCommand { id: 1, device: "siren-1".parse().unwrap(), action: DeviceAction::SirenOn, expires: T + 60_000 }];
    b.quarantine =
        vec![Quarantined { at: T, topic: "x/y".into(), payload: vec![0, 255], retained: false, decoder: None, reason: "?".into() }];
    b.duplicates = 2;
    b.utc_offset = -7;
    let (reply, replied) = oneshot::channel();
    b.replies = vec![Reply::Position(reply, 3)];
    store.submit(b, LONG).unwrap();
    assert_eq!(replied.blocking_recv(), Ok(Ok(3)));
    for ack in waiting {
        assert_eq!(ack.blocking_recv(), Ok(Stored::Yes));
    }
    assert_eq!(deps.metrics.commits.get(), 1);
    assert_eq!(*store.committed.borrow(), Committed { position: 3, sequence: 2, utc_offset: -7 });

    // From memory, and as a second process would see it.
    for reader in [store.reader.clone(), Reader::open(dir.path()).unwrap()] {
        let all = reader.entries_after(0, 10).unwrap();
        assert_eq!(all.iter().cloned().collect::<Vec<_>>(), [message(1, 1), message(2, 2), message(3, 3)]);
        assert_eq!(positions(&reader.entries_after(1, 1).unwrap()), [2]);
        assert!(reader.entries_after(3, 10).unwrap().is_empty());
        assert_eq!(positions(&reader.entries_between(T + 2, T + 3, 10).unwrap()), [2]);
        assert_eq!(positions(&reader.entries_between(0, i64::MAX, 10).unwrap()), [1, 2, 3]);
        assert!(reader.entries_between(T + 4, i64::MAX, 10).unwrap().is_empty());
        let events = reader.events_after(0, 10).unwrap();
        assert_eq!(events[0].event, Ok(event(1, 2, Transition::Opened)));
        assert_eq!(events[1].bytes, event(2, 3, Transition::Returned).to_cbor_vec().unwrap());
        assert_eq!(reader.events_of("01JE0000000000000000000001").unwrap().len(), 2);
        let incident = reader.incident("01JE0000000000000000000001").unwrap().unwrap();
        assert_eq!((incident.opened_at, incident.changed_at, incident.sequence, incident.state.active), (T + 1, T + 2, 2, false));
        assert_eq!(reader.incidents(&IncidentFilter { open: true, ..Default::default() }, 10).unwrap(), [incident]);
        let elsewhere = IncidentFilter { zone: Some("yard".into()), ..Default::default() };
        assert!(reader.incidents(&elsewhere, 10).unwrap().is_empty());
        assert_eq!(reader.outbox_open(T).unwrap()[0].command.action, DeviceAction::SirenOn);
        assert!(reader.outbox_open(T + 60_000).unwrap().is_empty(), "expired");
        assert_eq!(reader.quarantine(10).unwrap()[0].message.payload, [0, 255]);
        let counts = reader.counts().unwrap();
        assert_eq!((counts.messages, counts.entries, counts.duplicates, counts.quarantined, counts.events), (3, 3, 2, 1, 2));
        assert_eq!(reader.recount().unwrap(), Recount { messages: 3, numbered: 3, distinct: 3 });
        assert!(reader.space().is_some_and(|s| s.free > 0 && s.used > 1 << 20));
        assert_eq!(reader.backlog("influx", Lane::Metrics).unwrap().records, 3);
    }
    store.close();
    let left = std::fs::metadata(dir.path().join("log.db-wal")).map_or(0, |m| m.len());
    assert_eq!(left, 0, "the write-ahead log is folded into the file");
    let (_, again) = open(dir.path(), deps);
    assert_eq!((again.log, again.fresh), (recovered.log, false));
    assert_eq!((again.now, again.utc_offset, again.position, again.sequence), (T + 3, -7, 3, 2));
}

#[test]
fn a_failed_commit_is_tried_again_and_nothing_is_acknowledged_before() {
    let dir = tempfile::tempdir().unwrap();
    let failing = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&failing);
    let mut deps = quick(deps());
    deps.fault = Some(Arc::new(move |_, _| if flag.load(Ordering::SeqCst) { Err(full()) } else { Ok(()) }));
    let (store, _) = open(dir.path(), deps.clone());
    let (b, mut waiting) = batch(1..=2);
    store.submit(b, LONG).unwrap();
    let Health::Degraded { reason, since } = wait_for(store.health.clone(), |h| *h != Health::Healthy) else { unreachable!() };
    assert!(reason.contains("is full") && reason.contains("df -h"), "{reason}");
    assert_eq!(since, T);
    // What comes meanwhile waits with it, also behind a full slot.
    let (b, later) = batch(3..=3);
    store.submit(b, LONG).unwrap();
    let (b, latest) = batch(4..=4);
    store.submit(b, LONG).unwrap();
    assert!(waiting[0].try_recv().is_err());
    assert!(store.reader.entries_after(0, 9).unwrap().is_empty());
    assert_eq!(*store.committed.borrow(), Committed::default());
    failing.store(false, Ordering::SeqCst);
    for ack in waiting.into_iter().chain(later).chain(latest) {
        assert_eq!(ack.blocking_recv(), Ok(Stored::Yes));
    }
    wait_for(store.health.clone(), |h| *h == Health::Healthy);
    store.close();
    assert_eq!(Reader::open(dir.path()).unwrap().recount().unwrap(), Recount { messages: 4, numbered: 4, distinct: 4 });
    assert!(deps.metrics.commit_failures.get() >= 1);
    assert_eq!(deps.metrics.disk_healthy.get(), 1);
}

#[test]
fn what_waits_for_a_broken_disk_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut deps = quick(deps());
    deps.fault = Some(Arc::new(|_, _| Err(full())));
    let (store, _) = open(dir.path(), deps);
    store.submit(batch(1..=1).0, LONG).unwrap();
    wait_for(store.health.clone(), |h| *h != Health::Healthy);
    let mut next = 2;
    let refused = loop {
        let (b, waiting) = batch(next..=next + 999);
        next += 1000;
        match store.submit(b, Duration::from_millis(50)) {
            Ok(()) => assert!(next < 100_000, "grows without bound"),
            Err(NotTaken::Full(b)) => break (b, waiting),
            Err(NotTaken::Stopped) => unreachable!(),
        }
    };
    assert!(next > 10_000, "an alarm behind a little backlog must still be seen");
    drop(store);
    let (b, waiting) = refused;
    drop(b);
    for ack in waiting {
        assert!(ack.blocking_recv().is_err(), "never acknowledged");
    }
}

#[test]
fn an_alarm_gets_the_reserve_and_routine_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let reserve = dir.path().join("reserve");
    let held = reserve.clone();
    let mut deps = quick(deps());
    // Full for as long as the reserve holds its blocks.
    deps.fault = Some(Arc::new(move |moment, _| if moment == Moment::BeforeCommit && held.exists() { Err(full()) } else { Ok(()) }));
    let (store, _) = open(dir.path(), deps);
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 1 << 20);
    let (b, mut routine) = batch(1..=1);
    store.submit(b, LONG).unwrap();
    wait_for(store.health.clone(), |h| *h != Health::Healthy);
    assert!(routine[0].try_recv().is_err());
    let (mut b, alarm) = batch(2..=2);
    b.urgent = true;
    b.events = vec![event(1, 2, Transition::Opened)];
    store.submit(b, LONG).unwrap();
    for ack in alarm.into_iter().chain(routine) {
        assert_eq!(ack.blocking_recv(), Ok(Stored::Yes), "the routine message before it lands in the same transaction");
    }
    assert!(reserve.exists(), "kept for the next alarm");
    assert_eq!(store.reader.events_after(0, 9).unwrap().len(), 1);
}

#[test]
fn wear_mode_saves_commits_but_never_delays_what_matters() {
    let dir = tempfile::tempdir().unwrap();
    let mut deps = deps();
    deps.timing.wear = LONG * 10;
    let (store, _) = Store::open(dir.path(), Options { wear_mode: true, reserve_mb: 0, ..Options::default() }, deps.clone()).unwrap();
    let mut all = Vec::new();
    for position in 1..=50 {
        let (b, waiting) = batch(position..=position);
        store.submit(b, LONG).unwrap();
        all.extend(waiting);
    }
    assert!(all.iter_mut().all(|ack| ack.try_recv().is_err()), "the acknowledgements wait too");
    assert_eq!(deps.metrics.commits.get(), 0);
    let (mut b, waiting) = batch(51..=51);
    b.urgent = true;
    store.submit(b, LONG).unwrap();
    for ack in all.into_iter().chain(waiting) {
        assert_eq!(ack.blocking_recv(), Ok(Stored::Yes));
    }
    assert_eq!(deps.metrics.commits.get(), 1);
    assert_eq!(store.reader.recount().unwrap().distinct, 51);
}

#[test]
fn wear_mode_waits_no_longer_than_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut deps = deps();
    deps.timing.wear = Duration::from_millis(20);
    let (store, _) = Store::open(dir.path(), Options { wear_mode: true, reserve_mb: 0, ..Options::default() }, deps).unwrap();
    let (b, waiting) = batch(1..=1);
    store.submit(b, LONG).unwrap();
    for ack in waiting {
        assert_eq!(ack.blocking_recv(), Ok(Stored::Yes));
    }
}

#[tokio::test]
async fn small_operations_share_a_commit_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut deps = deps();
    deps.timing.ops = LONG * 10;
    let (store, _) = open(dir.path(), deps.clone());
    let (mut b, _) = batch(1..=3);
    b.events = vec![event(1, 2, Transition::Opened)];
    b.commands = vec![DeviceCommand { id: 1, device: "siren-1".parse().unwrap(), action: DeviceAction::SirenOn, expires: T + 60_000 }];
    store.submit(b, LONG).unwrap();
    store.ops.settled().await.unwrap();
    let before = deps.metrics.commits.get();

    let ops = &store.ops;
    for to in 1..=100 {
        ops.advance("influx", Lane::Metrics, Done::all_to(to), vec![]).unwrap();
    }
    let receipt = Receipt { sink: "platform".into(), sequence: 1, receipt: "r-1".into(), at: T };
    ops.advance("platform", Lane::Alerts, Done::all_to(1), vec![receipt.clone()]).unwrap();
    let aside = SetAside { sink: "influx".into(), lane: Lane::Metrics, at: 2, reason: "line too long".into(), when: T };
    ops.set_aside(aside.clone()).unwrap();
    ops.attempted(1, T + 1).unwrap();
    ops.attempted(1, T + 2).unwrap();
    let kept = Retained { topic: "a/b".into(), payload: vec![1], qos: 1, sender: Some("c".into()), at: T, expires: None };
    ops.retain(Retained { payload: vec![0], ..kept.clone() }).unwrap();
    ops.retain(kept.clone()).unwrap();
    ops.retain(Retained { topic: "gone".into(), ..kept.clone() }).unwrap();
    ops.forget_retained("gone").unwrap();
    ops.settled().await.unwrap();
    assert_eq!(deps.metrics.commits.get() - before, 1);

    let reader = &store.reader;
    assert_eq!(reader.cursor("influx", Lane::Metrics).unwrap(), 100);
    assert_eq!(reader.cursor("platform", Lane::Alerts).unwrap(), 1);
    assert_eq!(reader.cursor("nobody", Lane::Alerts).unwrap(), 0);
    assert_eq!(reader.receipts_of("01JE0000000000000000000001").unwrap(), [receipt]);
    assert_eq!(reader.set_aside(9).unwrap(), [aside]);
    assert_eq!(reader.set_aside_count().unwrap(), 1);
    let order = &reader.outbox_open(T).unwrap()[0];
    assert_eq!((order.attempts, order.attempted), (2, Some(T + 2)));
    assert_eq!(reader.retained_all().unwrap(), [kept]);

    // A cursor never goes back; a confirmed order is no longer open.
    ops.advance("influx", Lane::Metrics, Done::all_to(7), vec![]).unwrap();
    let confirmed = |device: &str| Box::new(Batch { now: T + 9, confirmed: vec![(device.parse().unwrap(), 1)], ..Batch::default() });
    store.submit(confirmed("another"), LONG).unwrap();
    ops.settled().await.unwrap();
    assert_eq!(reader.outbox_open(T).unwrap().len(), 1, "another device cannot confirm what it was not told");
    store.submit(confirmed(order.command.device.as_str()), LONG).unwrap();
    ops.settled().await.unwrap();
    assert_eq!(reader.cursor("influx", Lane::Metrics).unwrap(), 100);
    assert!(reader.outbox_open(T).unwrap().is_empty());

    // What is ordered later takes the place of what was ordered before, and does not give it back.
    let told = |id, action| DeviceCommand { id, device: "siren-1".parse().unwrap(), action, expires: T + 60_000 };
    let commands = vec![told(2, DeviceAction::SirenOn), told(3, DeviceAction::SirenOff)];
    store.submit(Box::new(Batch { now: T + 10, commands, ..Batch::default() }), LONG).unwrap();
    ops.settled().await.unwrap();
    let open = reader.outbox_open(T).unwrap();
    assert_eq!(open.iter().map(|o| o.command.id).collect::<Vec<_>>(), [3]);
    let done = vec![("siren-1".parse().unwrap(), 3)];
    store.submit(Box::new(Batch { now: T + 11, confirmed: done, ..Batch::default() }), LONG).unwrap();
    ops.settled().await.unwrap();
    assert!(reader.outbox_open(T).unwrap().is_empty(), "the siren would sound again");
    let ops = store.ops.clone();
    store.close();
    assert_eq!(ops.advance("influx", Lane::Metrics, Done::all_to(101), vec![]), Err(OpsError::Stopped));
    assert_eq!(ops.settled().await, Err(OpsError::Stopped));
}

#[test]
fn changes_that_wait_for_a_broken_disk_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut deps = quick(deps());
    deps.fault = Some(Arc::new(|_, _| Err(full())));
    let (store, _) = open(dir.path(), deps);
    let mut n = 0;
    while store.ops.attempted(n, T).is_ok() {
        n += 1;
        assert!(n < 100_000, "grows without bound");
    }
    assert_eq!(store.ops.attempted(n, T), Err(OpsError::Busy));
}

#[tokio::test]
async fn the_quarantine_is_bounded_in_rows_and_bytes_and_gives_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), deps());
    let unreadable = |n: usize, bytes: usize| Quarantined {
        at: T,
        topic: format!("托/{n}"),
        payload: vec![b'x'; bytes],
        retained: false,
        decoder: Some("native".into()),
        reason: "不".into(),
    };
    let rows = usize::try_from(QUARANTINE_ROWS).unwrap();
    let quarantine = (0..rows + 5).map(|n| unreadable(n, 1)).collect();
    store.submit(Box::new(Batch { quarantine, ..Batch::default() }), LONG).unwrap();
    store.ops.settled().await.unwrap();
    assert_eq!(store.reader.counts().unwrap().quarantine_dropped, 5);
    let kept = store.reader.quarantine(usize::MAX).unwrap();
    assert_eq!((kept.len(), kept[0].id, kept.last().unwrap().id), (rows, rows as u64 + 5, 6));
    store.ops.release(6).unwrap();
    store.ops.release(6).unwrap();
    store.ops.settled().await.unwrap();
    assert_eq!(store.reader.quarantined(6).unwrap(), None);

    let quarantine = (0..1030).map(|n| unreadable(n, 64 << 10)).collect();
    store.submit(Box::new(Batch { quarantine, ..Batch::default() }), LONG).unwrap();
    store.ops.settled().await.unwrap();
    let kept = store.reader.quarantine(usize::MAX).unwrap();
    let bytes: usize = kept.iter().map(|q| q.message.payload.len() + q.message.topic.len() + q.message.reason.len()).sum();
    assert!(bytes <= usize::try_from(QUARANTINE_BYTES).unwrap() && kept.len() > 1000, "{} rows, {bytes} bytes", kept.len());
}

#[test]
fn two_snapshots_are_kept_and_the_first_of_each_day() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), deps());
    for position in 1..=5 {
        let (mut b, waiting) = batch(position..=position);
        b.snapshot = Some(Snapshot { position, sequence: 0, bytes: vec![position as u8] });
        store.submit(b, LONG).unwrap();
        for ack in waiting {
            assert_eq!(ack.blocking_recv(), Ok(Stored::Yes));
        }
    }
    drop(store);
    let reader = Reader::open(dir.path()).unwrap();
    let mut positions = vec![u64::MAX];
    while let Some(s) = reader.snapshot_before(positions[positions.len() - 1]).unwrap() {
        assert_eq!(s.bytes, [s.position as u8]);
        positions.push(s.position);
    }
    assert_eq!(positions[1..], [5, 4, 1]);
}

#[test]
fn the_offset_at_any_entry_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), deps());
    let step = |position, offset_ms| Entry { position, at: T, message: false, body: Body::Clock { offset_ms, trusted: true } };
    let entries = vec![message(1, 1), step(2, 500), message(3, 3), step(4, -9), message(5, 5)];
    store.submit(Box::new(Batch { now: T, utc_offset: -9, entries, ..Batch::default() }), LONG).unwrap();
    store.close();
    let reader = Reader::open(dir.path()).unwrap();
    let offsets: Vec<_> = (0..=5).map(|p| reader.utc_offset_at(p).unwrap()).collect();
    assert_eq!(offsets, [None, Some(-9), Some(500), Some(500), Some(-9), Some(-9)]);
}

#[test]
fn a_step_without_news_costs_no_commit() {
    let dir = tempfile::tempdir().unwrap();
    let deps = deps();
    let (store, _) = open(dir.path(), deps.clone());
    let answer = |now| {
        let (reply, replied) = oneshot::channel();
        let (ack, acked) = Ack::channel();
        store
            .submit(Box::new(Batch { now, duplicates: 1, acks: vec![ack], replies: vec![Reply::Done(reply)], ..Batch::default() }), LONG)
            .unwrap();
        assert_eq!((replied.blocking_recv(), acked.blocking_recv()), (Ok(()), Ok(Stored::Yes)));
    };
    answer(1);
    answer(2);
    assert_eq!(deps.metrics.commits.get(), 0);
    answer(deps.timing.now_ms);
    assert_eq!(deps.metrics.commits.get(), 1);
    assert_eq!(store.reader.counts().unwrap().duplicates, 3);
}

#[test]
fn names_of_a_rolled_back_commit_are_written_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let left = Arc::new(AtomicU32::new(3));
    let mut deps = quick(deps());
    let count = Arc::clone(&left);
    deps.fault = Some(Arc::new(move |moment, _| match moment {
        Moment::BeforeCommit if count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() => Err(full()),
        _ => Ok(()),
    }));
    let (store, _) = open(dir.path(), deps);
    let (b, waiting) = batch(1..=1);
    store.submit(b, LONG).unwrap();
    for ack in waiting {
        assert_eq!(ack.blocking_recv(), Ok(Stored::Yes));
    }
    drop(store);
    let entries = Reader::open(dir.path()).unwrap().entries_after(0, 9).unwrap();
    assert_eq!(entries.iter().next(), Some(&message(1, 1)));
}

#[test]
fn what_is_wrong_is_named() {
    let attempt = |dir: &Path| Store::open(dir, Options::default(), deps()).map(drop).unwrap_err();
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::Missing { .. })));
    let path = dir.path().join(LOG_FILE);
    std::fs::write(&path, b"this is a letter to grandmother, long enough to be taken for a page").unwrap();
    assert!(matches!(attempt(dir.path()), StoreError::Foreign { .. }));
    std::fs::remove_file(&path).unwrap();

    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE recipes(name)").unwrap();
    drop(other);
    assert!(matches!(attempt(dir.path()), StoreError::Foreign { .. }));
    std::fs::remove_file(&path).unwrap();

    let (store, _) = open(dir.path(), deps());
    assert!(matches!(attempt(dir.path()), StoreError::Locked { .. }));
    for n in 0..20 {
        let (b, _) = batch(n * 1000 + 1..=n * 1000 + 1000);
        store.submit(b, LONG).unwrap();
    }
    store.close();

    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    assert!(matches!(attempt(dir.path()), StoreError::Newer { found: 99, .. }));
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", schema::known()).unwrap();
    drop(raw);

    // Torn pages in the middle are found after a run that did not end in good order.
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    std::fs::write(dir.path().join("lock"), "running\n").unwrap();
    let error = attempt(dir.path());
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(miette::Diagnostic::help(&error).is_some());
}

/// Every statement with a plan that does not walk a whole table where there is an index for it.
#[test]
fn hot_queries_use_their_index() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), deps()));
    let db = rusqlite::Connection::open(dir.path().join(LOG_FILE)).unwrap();
    for sql in [
        "SELECT sequence, at, bytes FROM event WHERE sequence > 1 ORDER BY sequence LIMIT 10",
        "SELECT position FROM log WHERE position BETWEEN 5 AND 9 ORDER BY position LIMIT 10",
        "SELECT sequence FROM event WHERE incident = 'x' ORDER BY sequence",
        "SELECT id FROM outbox o WHERE confirmed IS NULL AND expires > 1 \
         AND NOT EXISTS (SELECT 1 FROM outbox WHERE id > o.id AND device = o.device) ORDER BY id",
        "SELECT coalesce(max(position), 0) FROM log",
    ] {
        let plan: String = db.query_row(&format!("EXPLAIN QUERY PLAN {sql}"), [], |r| r.get(3)).unwrap();
        assert!(plan.starts_with("SEARCH") || plan.contains("USING INDEX") || plan.contains("INTEGER PRIMARY KEY"), "{sql}: {plan}");
    }
}

/// The tree over the events that are on disk, computed anew.
fn root_of(reader: &Reader) -> (u64, tuoan_evidence::tree::Hash) {
    use tuoan_evidence::{Kind, tree};
    let events = reader.events_after(0, 10_000).unwrap();
    let leaves: Vec<_> = events.iter().map(|e| tree::leaf(Kind::Event.number(), &e.bytes)).collect();
    (leaves.len() as u64, tree::root(leaves.as_slice(), leaves.len() as u64).unwrap())
}

/// Wherever the process ends, before the commit, during its repeats or after it: the tree is that of the events.
#[test]
fn the_tree_and_the_log_are_in_step_wherever_it_ends() {
    for stop in 0..6u32 {
        let dir = tempfile::tempdir().unwrap();
        let asked = Arc::new(AtomicU32::new(0));
        let mut deps = quick(deps());
        let (ask, copy) = (asked.clone(), dir.path().join("copy"));
        deps.fault = Some(Arc::new(move |moment, path| {
            if ask.fetch_add(1, Ordering::Relaxed) != stop {
                return Ok(());
            }
            // What a power cut at this moment would leave: the file and its write-ahead log as they are.
            std::fs::create_dir_all(&copy).unwrap();
            for suffix in ["", "-wal"] {
                let name = format!("{LOG_FILE}{suffix}");
                if let Ok(bytes) = std::fs::read(path.with_file_name(&name)) {
                    std::fs::write(copy.join(&name), bytes).unwrap();
                }
            }
            if moment == Moment::BeforeCommit { Err(full()) } else { Ok(()) }
        }));
        let (store, _) = open(dir.path(), deps);
        for n in 1..=4u64 {
            let (mut b, waiting) = batch(n..=n);
            b.events = vec![event(2 * n - 1, n, Transition::Opened), event(2 * n, n, Transition::Returned)];
            store.submit(b, LONG).unwrap();
            waiting.into_iter().for_each(|w| drop(w.blocking_recv()));
        }
        let (size, root) = root_of(&store.reader);
        assert_eq!((store.reader.tree_size().unwrap(), size), (8, 8));
        assert_eq!(tuoan_evidence::tree::root(&store.reader, 8).unwrap(), root);
        store.close();
        let (store, _) = open(&dir.path().join("copy"), self::deps());
        let (size, root) = root_of(&store.reader);
        assert_eq!(store.reader.tree_size().unwrap(), size, "stopped at {stop}");
        assert_eq!(tuoan_evidence::tree::root(&store.reader, size).unwrap(), root, "stopped at {stop}");
        store.close();
    }
}
