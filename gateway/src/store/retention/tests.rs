//! The real writer with days that pass in no time. Every commit surveys the room, and every commit that is not urgent removes a little.
use super::*;
use crate::clock::Clock;
use crate::engine::input::{Action, Command, Item, Message, PictureAct, PictureDeed};
use crate::engine::view::View;
use crate::engine::{Body, LedgerDay, State};
use crate::metrics::Metrics;
use crate::store::{Batch, Deps, Done, Entry, Options, Reader, Receipt, Recovered, Reply, Snapshot, Store};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tuoan_evidence::Kind;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::{Basis, Fixed, IncidentEvent, IncidentState, InstitutionType, Place, Quantity, Severity, SupervisingBody, Transition};

const T: i64 = 1_790_000_000_000;
const LONG: Duration = Duration::from_secs(20);

struct Rig {
    store: Store,
    metrics: Arc<Metrics>,
    position: u64,
    now: i64,
    sequence: u64,
    /// UTC minus engine time, and whether that is known to be right.
    offset: i64,
    trusted: bool,
}

impl Rig {
    fn open(dir: &Path, retention: Retention) -> (Rig, Recovered) {
        let metrics = Arc::new(Metrics::new());
        let mut deps = Deps::new(Clock::manual(T), Arc::clone(&metrics));
        (deps.timing.survey, deps.timing.ops, deps.timing.roll) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        // Entries each in a row of its own; blocks have tests of their own.
        deps.timing.pack = Duration::from_secs(3600);
        let (store, recovered) = Store::open(dir, Options { reserve_mb: 0, retention, ..Options::default() }, deps).unwrap();
        let (position, now, sequence) = (recovered.position, recovered.now.max(T), recovered.sequence);
        (Rig { store, metrics, position, now, sequence, offset: 0, trusted: true }, recovered)
    }
    fn claim(&self, lanes: &[(&str, Lane)]) {
        self.store.ops.claim(lanes.iter().map(|(s, l)| ((*s).to_owned(), *l))).unwrap();
    }
    /// Commits it and waits until it is on disk.
    fn commit(&self, batch: Batch) {
        let (reply, replied) = oneshot::channel();
        let view = Some(Arc::new(View { clock_trusted: self.trusted, ..View::default() }));
        let batch = Batch { now: self.now, utc_offset: self.offset, view, replies: vec![Reply::Done(reply)], ..batch };
        self.store.submit(Box::new(batch), LONG).unwrap();
        replied.blocking_recv().unwrap();
    }
    /// `n` messages, evenly over the next `ms`, as one commit; with a snapshot at the end.
    fn hear(&mut self, n: u64, ms: i64) {
        let begin = self.now;
        let entries = (1..=n).map(|i| {
            let items = vec![Item::Reading { quantity: Quantity::Co2, channel: 0, value: Fixed(812) }];
            let position = self.position + i;
            let device = "env-1".parse().unwrap();
            let message = Message { device, boot: Some(1), seq: Some(position), sampled_at: None, retained: false, items };
            Entry { position, at: begin + ms * i as i64 / n as i64, message: true, body: Body::Message(message) }
        });
        let entries = entries.collect();
        (self.position, self.now) = (self.position + n, begin + ms);
        let snapshot = Some(Snapshot { position: self.position, sequence: self.sequence, bytes: State::new().encode() });
        self.commit(Batch { entries, snapshot, ..Batch::default() });
    }
    fn event(&mut self, incident: u64, transition: Transition) -> IncidentEvent {
        self.sequence += 1;
        let closed = transition == Transition::Closed;
        IncidentEvent {
            site: "xingyuan".parse().unwrap(),
            institution: InstitutionType::Public,
            supervisor: SupervisingBody::Health,
            log: "01JD0000000000000000000000".parse().unwrap(),
            sequence: self.sequence,
            position: self.position,
            id: format!("01JE{:022}", self.sequence).parse().unwrap(),
            incident: format!("01JF{incident:022}").parse().unwrap(),
            at: self.now,
            clock_trusted: true,
            transition,
            state: IncidentState { active: !closed, acknowledged: closed, closed, inhibited: None },
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
    /// Commits that say nothing new, until nothing is removed any more.
    fn idle(&mut self) {
        let removed = |m: &Metrics| (m.entries_removed.get(), m.incidents_removed.get());
        let mut quiet = 0;
        while quiet < 3 {
            let before = removed(&self.metrics);
            self.now += 60_000;
            self.commit(Batch::default());
            quiet = if removed(&self.metrics) == before { quiet + 1 } else { 0 };
        }
    }
    fn first(&self) -> u64 {
        self.store.reader.first_position().unwrap()
    }
}

/// From its first entry on without a gap, and a replay can begin somewhere in it.
fn whole(dir: &Path) {
    let reader = Reader::open(dir).unwrap();
    let db = rusqlite::Connection::open(dir.join(crate::store::LOG_FILE)).unwrap();
    let (n, first, last): (i64, i64, i64) =
        db.query_row("SELECT count(*), min(position), max(position) FROM log", [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
    assert_eq!(n, last - first + 1);
    assert!(
        first == 1 || reader.snapshot_before(u64::MAX).unwrap().is_some_and(|s| s.position >= first.unsigned_abs()),
        "begins at {first}"
    );
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
fn what_is_old_goes_in_small_steps_that_a_crash_may_cut_off_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { keep_days: 30, ..Retention::default() });
    for _ in 0..40 {
        rig.hear(1_000, DAY_MS);
    }
    assert_eq!(rig.first(), 1, "until the lanes are known nothing is removed");
    rig.claim(&[]);
    let mut cuts = 0;
    loop {
        // The first commit makes the lanes known, the second removes a little.
        for _ in 0..2 {
            rig.now += 60_000;
            rig.commit(Batch::default());
        }
        let first = rig.first();
        // As if the process had been killed here.
        drop(rig);
        whole(dir.path());
        let (again, recovered) = Rig::open(dir.path(), Retention { keep_days: 30, ..Retention::default() });
        assert_eq!((recovered.position, again.first()), (40_000, first));
        rig = again;
        rig.claim(&[]);
        cuts += 1;
        if first == 10_000 {
            break;
        }
        assert!(cuts < 200, "stands at {first}");
    }
    assert!(cuts > 5, "more than a step or two at once: {cuts}");
    rig.idle();
    assert_eq!(rig.first(), 10_000, "cut at the snapshot of the day that is just old enough");
    assert_eq!(rig.store.reader.entries_between(0, i64::MAX, 2).unwrap().iter().next().unwrap().position, 10_000);
    let history = crate::store::History::open(dir.path()).unwrap();
    assert_eq!(history.snapshots().unwrap().last().unwrap().0, 10_000);
    assert_eq!(history.position_before(T + 10 * DAY_MS).unwrap(), 9_999);
}

#[test]
fn an_alarm_removes_nothing_on_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { keep_days: 30, ..Retention::default() });
    for _ in 0..40 {
        rig.hear(1_000, DAY_MS);
    }
    rig.claim(&[]);
    rig.now += 1;
    rig.commit(Batch { urgent: true, ..Batch::default() });
    let before = rig.first();
    for _ in 0..5 {
        rig.now += 60_000;
        let events = vec![rig.event(1, Transition::Opened)];
        rig.commit(Batch { urgent: true, events, ..Batch::default() });
    }
    assert_eq!(rig.first(), before);
    rig.now += 60_000;
    rig.commit(Batch::default());
    assert_eq!(rig.first(), before + STEP_ROWS);
}

#[test]
fn a_short_budget_takes_the_oldest_entries_then_delivered_ones_and_never_alerts() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { budget_mb: Some(1), ..Retention::default() });
    rig.claim(&[("influx", Lane::Metrics), ("platform", Lane::Alerts)]);
    let opened = rig.event(1, Transition::Opened);
    rig.commit(Batch { events: vec![opened], ..Batch::default() });
    for _ in 0..20 {
        rig.hear(5_000, DAY_MS);
        rig.idle();
    }
    // 100,000 entries are some 5 MB; of what Influx still owes nothing of the last week has gone.
    assert_eq!(rig.first(), 65_000);
    let room = rig.store.room.borrow().clone();
    assert!(room.short && room.used > room.allowed, "{room:?}");
    assert_eq!(room.hours_left("influx", Lane::Metrics), Some(0.0));
    // With them delivered there is room again.
    let done = Done::all_to(92_000);
    rig.store.ops.advance("influx", Lane::Metrics, done, vec![]).unwrap();
    rig.idle();
    let room = rig.store.room.borrow().clone();
    assert!(rig.first() > 65_000 && rig.first() <= 92_001 && room.used <= room.allowed && !room.short, "{} {room:?}", rig.first());
    assert_eq!(rig.store.reader.events_after(0, 9).unwrap().len(), 1, "alerts stay");
    whole(dir.path());
}

#[test]
fn an_open_incident_keeps_what_was_measured_around_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { keep_days: 30, ..Retention::default() });
    rig.claim(&[]);
    for _ in 0..3 {
        rig.hear(100, DAY_MS);
    }
    let opened = rig.event(1, Transition::Opened);
    rig.commit(Batch { events: vec![opened], ..Batch::default() });
    for _ in 0..60 {
        rig.hear(100, DAY_MS);
    }
    rig.idle();
    assert_eq!(rig.first(), 200, "the day before it began");
    let closed = rig.event(1, Transition::Closed);
    rig.commit(Batch { events: vec![closed], ..Batch::default() });
    rig.idle();
    assert!(rig.first() > 3_000);
}

#[test]
fn events_go_when_they_are_old_and_were_delivered_long_ago() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { keep_days: 30, keep_events_days: 60, ..Retention::default() });
    rig.claim(&[("platform", Lane::Alerts)]);
    for incident in 1..=3 {
        rig.hear(10, DAY_MS);
        let events = vec![rig.event(incident, Transition::Opened), rig.event(incident, Transition::Closed)];
        rig.commit(Batch { events, ..Batch::default() });
    }
    for _ in 0..100 {
        rig.hear(10, DAY_MS);
    }
    rig.idle();
    assert_eq!(rig.store.reader.events_after(0, 99).unwrap().len(), 6, "not delivered: however old, they stay");
    let receipts = (1..=4).map(|sequence| Receipt { sink: "platform".into(), sequence, receipt: format!("r-{sequence}"), at: 5 }).collect();
    rig.store.ops.advance("platform", Lane::Alerts, Done::all_to(4), receipts).unwrap();
    for _ in 0..25 {
        rig.hear(10, DAY_MS);
        rig.idle();
    }
    assert_eq!(rig.store.reader.events_after(0, 99).unwrap().len(), 6, "delivered less than thirty days ago");
    for _ in 0..40 {
        rig.hear(10, DAY_MS);
        rig.idle();
    }
    let left: Vec<u64> = rig.store.reader.events_after(0, 99).unwrap().iter().map(|e| e.sequence).collect();
    assert_eq!(left, [5, 6]);
    assert!(rig.store.reader.receipts_of(&format!("01JF{:022}", 1)).unwrap().is_empty());
    assert!(rig.store.reader.incident(&format!("01JF{:022}", 1)).unwrap().is_none());
    // The newest stays even when it is delivered: the numbers go on from it.
    rig.store.ops.advance("platform", Lane::Alerts, Done::all_to(6), vec![]).unwrap();
    for _ in 0..70 {
        rig.hear(10, DAY_MS);
        rig.idle();
    }
    drop(rig);
    let (_, recovered) = Rig::open(dir.path(), Retention::default());
    assert_eq!(recovered.sequence, 6);
}

#[test]
fn hours_left_shrink_with_the_age_of_what_is_owed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { keep_days: 30, budget_mb: Some(512), ..Retention::default() });
    rig.claim(&[("influx", Lane::Metrics), ("platform", Lane::Alerts)]);
    for _ in 0..5 {
        rig.hear(1_000, DAY_MS);
    }
    rig.idle();
    let hours = |rig: &Rig| rig.store.room.borrow().hours_left("influx", Lane::Metrics).unwrap();
    // Nothing was ever delivered: 30 days less the five that have passed.
    assert!((hours(&rig) - 25.0 * 24.0).abs() < 0.5, "{}", hours(&rig));
    assert_eq!(rig.store.room.borrow().hours_left("platform", Lane::Alerts), None, "no event yet: no rate");
    rig.store.ops.advance("influx", Lane::Metrics, Done::all_to(5_000), vec![]).unwrap();
    rig.idle();
    assert!((hours(&rig) - 30.0 * 24.0).abs() < 0.5);
    let events = vec![rig.event(1, Transition::Opened)];
    rig.commit(Batch { events, ..Batch::default() });
    rig.idle();
    assert!(rig.store.room.borrow().hours_left("platform", Lane::Alerts).is_some_and(|h| h > 10_000.0));
    // The same by a reader beside it, as `doctor` asks.
    let lanes = [("influx".to_owned(), Lane::Metrics)].into();
    let room = rig.store.reader.room(&Retention { keep_days: 30, budget_mb: Some(512), ..Retention::default() }, &lanes).unwrap();
    assert!((room.hours_left("influx", Lane::Metrics).unwrap() - 30.0 * 24.0).abs() < 0.5);
}

impl Rig {
    /// A person's word on an incident, in the log.
    fn deed(&mut self, what: PictureAct, incident: &str) {
        self.position += 1;
        let deed = PictureDeed { what, camera: None, incident: Some(incident.parse().unwrap()), reason: "家长提出异议".into() };
        let body = Body::Command(Command { actor: "王园长".into(), via: None, action: Action::Pictures(deed) });
        let entries = vec![Entry { position: self.position, at: self.now, message: false, body }];
        self.commit(Batch { entries, ..Batch::default() });
    }
}

#[test]
fn what_a_person_holds_stays_and_what_goes_is_on_record() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { keep_days: 30, keep_events_days: 60, budget_mb: Some(1), ..Retention::default() });
    rig.claim(&[]);
    let mut bytes = Vec::new();
    for incident in 1..=2 {
        rig.hear(100, DAY_MS);
        if incident == 2 {
            rig.hear(100, DAY_MS);
        }
        let events = vec![rig.event(incident, Transition::Opened), rig.event(incident, Transition::Closed)];
        bytes.extend(events.iter().map(|e| e.to_cbor_vec().unwrap()));
        rig.commit(Batch { events, ..Batch::default() });
    }
    let held = format!("01JF{:022}", 2);
    rig.deed(PictureAct::Hold, &held);
    assert!(rig.store.reader.is_held(&held).unwrap() && !rig.store.reader.is_held("01JF0000000000000000000001").unwrap());
    for _ in 0..100 {
        rig.hear(400, DAY_MS);
    }
    rig.idle();
    let reader = rig.store.reader.clone();
    assert_eq!(reader.events_after(0, 99).unwrap().iter().map(|e| e.sequence).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(rig.first(), 200, "from the snapshot before it on, whatever the budget");
    assert!(rig.store.room.borrow().short);
    let gone = reader.removals(9).unwrap();
    let of_log = gone.iter().filter(|r| r.rule != "budget_mb.rollups");
    let told: Vec<_> = of_log.map(|r| (r.rule.as_str(), r.first, r.last, r.records, r.incident.as_deref())).collect();
    // A record for each cut.
    let first_day = ("keep_days", 1, 99, 99, None);
    assert_eq!(told, [("keep_events_days", 1, 2, 2, Some("01JF0000000000000000000001")), ("keep_days", 100, 199, 100, None), first_day]);
    // What is gone has left its hash: the tree is that of all events, and says what was removed.
    for (sequence, bytes) in (1..).zip(&bytes) {
        let leaf = reader.leaf_of_event(sequence).unwrap().unwrap();
        assert_eq!(tuoan_evidence::tree::Nodes::node(&reader, 0, leaf).unwrap(), tuoan_evidence::tree::leaf(Kind::Event.number(), bytes));
    }
    let sealed = reader.recorded_about("01JF0000000000000000000001").unwrap();
    assert!(
        sealed.iter().any(|r| r.kind == Kind::Deletion && String::from_utf8_lossy(&r.record).contains("keep_events_days")),
        "{sealed:?}"
    );
    let of = |first, last| reader.removals_between(first, last).unwrap().len();
    assert_eq!((of(1, 1), of(99, 99), of(50, 150), of(200, 200)), (1, 1, 2, 0));
    rig.deed(PictureAct::Release, &held);
    rig.idle();
    assert!(rig.first() > 300 && !reader.is_held(&held).unwrap());
    assert!(
        reader.removals(9).unwrap().iter().any(|r| r.first == 200) && of(200, 200) == 1,
        "a leaf in the commit that removes the first of it"
    );
    whole(dir.path());
}

#[test]
fn a_hold_stops_what_is_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { keep_days: 30, ..Retention::default() });
    rig.hear(3_000, DAY_MS);
    let events = vec![rig.event(1, Transition::Opened), rig.event(1, Transition::Closed)];
    rig.commit(Batch { events, ..Batch::default() });
    for _ in 0..40 {
        rig.hear(100, DAY_MS);
    }
    rig.claim(&[]);
    while rig.first() < 2_000 {
        rig.now += 60_000;
        rig.commit(Batch::default());
    }
    rig.deed(PictureAct::Hold, &format!("01JF{:022}", 1));
    rig.idle();
    assert!(rig.first() <= 3_000, "it went on to {}", rig.first());
    rig.deed(PictureAct::Release, &format!("01JF{:022}", 1));
    rig.idle();
    assert!(rig.first() > 3_500);
    let covered: u64 = rig.store.reader.removals(99).unwrap().iter().map(|r| r.records).sum();
    assert_eq!(covered, rig.first() - 1, "each entry is in one record");
}

/// What is promised in `docs/retention.md`, over three and a half years: two readings and a closed day of the ledger every other day, an incident every hundred.
#[test]
fn each_promise_holds_over_the_years() {
    use tuoan_evidence::tree::{self, Nodes};
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { keep_days: 30, ..Retention::default() });
    rig.claim(&[]);
    let reader = rig.store.reader.clone();
    let id = |n: u64| format!("01JF{n:022}");
    let (mut told, mut heads) = (Vec::new(), Vec::new());
    for round in 0..650u64 {
        let day = 2 * round;
        rig.hear(2, 2 * DAY_MS);
        let ledger = vec![LedgerDay { number: round + 1, date: round as i64, bytes: vec![7; 300] }];
        let mut events = Vec::new();
        if day % 100 == 50 {
            events = vec![rig.event(day / 100 + 1, Transition::Opened), rig.event(day / 100 + 1, Transition::Closed)];
            told.extend(events.iter().map(|e| (e.sequence, e.to_cbor_vec().unwrap())));
        }
        rig.commit(Batch { ledger, events, ..Batch::default() });
        if day == 160 {
            rig.deed(PictureAct::Hold, &id(2));
        }
        if day % 100 == 90 {
            let size = reader.tree_size().unwrap();
            heads.push((size, tree::root(&reader, size).unwrap()));
        }
        if day == 1_000 {
            // Whatever has become of the readings.
            assert_eq!(reader.events_after(0, 99).unwrap().len(), told.len(), "incidents stay three years");
            assert!(rig.first() > 50 && reader.begins_at().unwrap().unwrap() > T + 100 * DAY_MS);
        }
    }
    rig.idle();
    assert_eq!(reader.ledger_after(0, 9_999).unwrap().len(), 650, "the ledger stays");
    let left: Vec<String> = (1..=13).map(id).filter(|i| reader.incident(i).unwrap().is_some()).collect();
    assert_eq!(left, (2..=13).map(id).collect::<Vec<_>>(), "one is older than three years and held by nobody; the second is held");
    assert_eq!(reader.events_of(&id(2)).unwrap().len(), 2);
    let opened = reader.incident(&id(2)).unwrap().unwrap().opened_at;
    assert!(reader.begins_at().unwrap().unwrap() <= opened, "with what was measured around it");
    let device = ["env-1".parse().unwrap()];
    let minutes = |from, to| reader.rollups(&device, from, to).unwrap().rollups.len();
    assert_eq!(minutes(T, T + 100 * DAY_MS), 0);
    assert!(minutes(opened - DAY_MS, opened + DAY_MS) > 0, "and by the minute");

    // Each removal is on record, in the tree, and the tree is that of before.
    let gone = reader.removals(9_999).unwrap();
    for rule in ["keep_days", "keep_events_days", "keep_rollups_days"] {
        assert!(gone.iter().any(|r| r.rule == rule), "{rule}: {gone:?}");
    }
    let entries: u64 = gone.iter().filter(|r| r.rule == "keep_days").map(|r| r.records).sum();
    assert_eq!(entries, rig.first() - 1);
    let db = rusqlite::Connection::open(dir.path().join(crate::store::LOG_FILE)).unwrap();
    let of =
        |kind: Kind| db.query_row("SELECT count(*) FROM leaf WHERE kind = ?1", [kind.number()], |r| r.get::<_, i64>(0)).unwrap() as usize;
    assert_eq!((of(Kind::Deletion), of(Kind::Event), of(Kind::CoverageDay)), (gone.len(), told.len(), 650));
    for (size, root) in &heads {
        assert_eq!(tree::root(&reader, *size).unwrap(), *root, "an old head still holds");
    }
    let size = reader.tree_size().unwrap();
    let root = tree::root(&reader, size).unwrap();
    for (sequence, bytes) in &told {
        let leaf = reader.leaf_of_event(*sequence).unwrap().unwrap();
        let (hash, proof) = (tree::leaf(Kind::Event.number(), bytes), tree::inclusion(&reader, leaf, size).unwrap());
        assert!(tree::included(&hash, leaf, size, &proof, &root) && reader.node(0, leaf).unwrap() == hash);
    }
    whole(dir.path());
}

#[test]
fn a_clock_that_is_not_trusted_makes_nothing_old() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::open(dir.path(), Retention { keep_days: 30, ..Retention::default() });
    rig.claim(&[]);
    for incident in 1..=2 {
        rig.hear(10, DAY_MS);
        let events = vec![rig.event(incident, Transition::Opened), rig.event(incident, Transition::Closed)];
        rig.commit(Batch { events, ..Batch::default() });
    }
    for _ in 0..40 {
        rig.hear(10, DAY_MS);
    }
    rig.idle();
    let reader = rig.store.reader.clone();
    let there = || {
        let minutes = reader.rollups(&["env-1".parse().unwrap()], 0, T + 9 * DAY_MS).unwrap().rollups.len();
        (minutes > 0, reader.incident(&format!("01JF{:022}", 1)).unwrap().is_some())
    };
    (rig.offset, rig.trusted) = (10 * 366 * DAY_MS, false);
    rig.idle();
    assert_eq!(there(), (true, true), "ten years in a moment");
    rig.trusted = true;
    rig.idle();
    assert_eq!(there(), (false, false));
}

/// A start with a clock that was far off leaves rows whose minutes are in another order than their entries.
#[test]
fn rows_by_the_minute_go_on_record_in_whatever_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut db = crate::store::schema::open_writer(&dir.path().join("log.db"), false).unwrap();
    db.execute_batch("INSERT INTO rollup VALUES(50, 1, 400, 500, 7, x'01'), (100, 51, 5, 10, 8, x'01'), (150, 101, 10, 20, 9, x'01')")
        .unwrap();
    let tx = db.transaction().unwrap();
    for before in [100, 100, 1_000] {
        Plan { rollups_before: before, ..Plan::default() }.rollups(&tx).unwrap();
    }
    let mut told = tx.prepare("SELECT first, last, records FROM removal ORDER BY id").unwrap();
    let told = told.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap().collect::<rusqlite::Result<Vec<(i64, i64, i64)>>>();
    assert_eq!(told.unwrap(), [(51, 150, 17), (1, 50, 7)]);
}
