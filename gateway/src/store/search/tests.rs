use super::*;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{Batch, Deps, Options, Reply, Store};
use std::sync::Arc;
use std::time::Duration;
use tuoan_protocol::{Basis, IncidentState, InstitutionType, Place, SupervisingBody};

const T: i64 = 1_790_000_000_000;
const MINUTE: i64 = 60_000;

struct Case {
    n: u64,
    zone: &'static str,
    hazard: &'static str,
    severity: Severity,
    /// Minutes from [`T`] on: what happened, and by whom.
    steps: &'static [(i64, Transition, &'static str)],
}

use Transition::{Acknowledged, Assigned, Closed, Opened, Reactivated, Resolved, Returned};
const CASES: [Case; 5] = [
    Case {
        n: 1,
        zone: "nap",
        hazard: "fire.smoke",
        severity: Severity::Emergency,
        steps: &[(0, Opened, ""), (1, Acknowledged, "王老师"), (5, Resolved, "王老师"), (6, Closed, "")],
    },
    // Noted too late.
    Case {
        n: 2,
        zone: "nap",
        hazard: "fire.smoke",
        severity: Severity::Emergency,
        steps: &[(60, Opened, ""), (63, Assigned, "李园长"), (64, Resolved, "李园长"), (65, Closed, "")],
    },
    // Ended by itself in time, and was closed long after.
    Case {
        n: 3,
        zone: "yard",
        hazard: "air.co2",
        severity: Severity::Serious,
        steps: &[(120, Opened, ""), (123, Returned, ""), (200, Closed, "")],
    },
    // Came again, and is still there.
    Case {
        n: 4,
        zone: "yard",
        hazard: "air.co2",
        severity: Severity::Serious,
        steps: &[(240, Opened, ""), (241, Returned, ""), (242, Reactivated, "")],
    },
    Case { n: 5, zone: "yard", hazard: "noise.high", severity: Severity::Advisory, steps: &[(300, Opened, "")] },
];

fn id(n: u64) -> String {
    format!("01JE{n:022}")
}

fn events() -> Vec<IncidentEvent> {
    let mut all: Vec<(i64, &Case, Transition, &str)> =
        CASES.iter().flat_map(|c| c.steps.iter().map(move |(at, t, who)| (*at, c, *t, *who))).collect();
    all.sort_by_key(|e| e.0);
    let event = |(n, (at, c, transition, who)): (usize, (i64, &Case, Transition, &str))| IncidentEvent {
        site: "xingyuan".parse().unwrap(),
        institution: InstitutionType::Public,
        supervisor: SupervisingBody::Health,
        log: "01JD0000000000000000000000".parse().unwrap(),
        sequence: n as u64 + 1,
        position: 0,
        id: format!("01JF{n:022}").parse().unwrap(),
        incident: id(c.n).parse().unwrap(),
        at: T + at * MINUTE,
        clock_trusted: true,
        transition,
        state: IncidentState {
            active: !matches!(transition, Returned | Closed),
            acknowledged: false,
            closed: transition == Closed,
            inhibited: None,
        },
        hazard: c.hazard.parse().unwrap(),
        place: Place { zone: c.zone.parse().unwrap(), device: None },
        severity: c.severity,
        basis: Basis::Confirmed,
        rule: "r".parse().unwrap(),
        trigger: None,
        activations: 1,
        found_on_connect: false,
        actor: Some(who).filter(|w| !w.is_empty()).map(|w| w.try_into().unwrap()),
        note: None,
        engine: "1.0".try_into().unwrap(),
        rules: [7; 32],
        overridden_by: None,
        via: None,
        cause: None,
        until: None,
        assignee: (transition == Assigned).then(|| "li".try_into().unwrap()),
        other: None,
        rung: None,
        exercise: None,
    };
    all.into_iter().enumerate().map(event).collect()
}

fn store(dir: &std::path::Path) -> (Store, Reader) {
    let deps = Deps::new(Clock::manual(T), Arc::new(Metrics::new()));
    let (store, _) = Store::open(dir, Options { reserve_mb: 0, ..Options::default() }, deps).unwrap();
    let (done, committed) = tokio::sync::oneshot::channel();
    let batch = Batch { now: T, events: events(), replies: vec![Reply::Done(done)], urgent: true, ..Batch::default() };
    store.submit(Box::new(batch), Duration::from_secs(20)).map_err(|_| "not taken").unwrap();
    committed.blocking_recv().unwrap();
    (store, Reader::open(dir).unwrap())
}

fn late(minute: i64) -> LateAfter {
    let minutes = |m: i64| Some(m * MINUTE);
    LateAfter {
        noted: [minutes(1), minutes(5), minutes(240), None],
        handled: [minutes(10), minutes(60), minutes(1440), None],
        now: T + minute * MINUTE,
    }
}

#[test]
fn what_is_asked_for_is_found_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (store, reader) = store(dir.path());
    let find = |s: Search| reader.search(&s, 10).unwrap().iter().map(|f| f.row.id.to_string()).collect::<Vec<_>>();
    let all = |n: &[u64]| n.iter().map(|n| id(*n)).collect::<Vec<_>>();
    assert_eq!(find(Search::default()), all(&[5, 4, 3, 2, 1]), "newest first");
    assert_eq!(find(Search { zone: Some("nap".into()), ..Search::default() }), all(&[2, 1]));
    assert_eq!(find(Search { hazard: Some("air.co2".into()), ..Search::default() }), all(&[4, 3]));
    assert_eq!(find(Search { severity: Some(Severity::Advisory), ..Search::default() }), all(&[5]));
    assert_eq!(find(Search { from: Some(T + 60 * MINUTE), to: Some(T + 240 * MINUTE), ..Search::default() }), all(&[3, 2]));
    assert_eq!(find(Search { person: vec!["王老师".into()], ..Search::default() }), all(&[1]));
    assert_eq!(find(Search { person: vec!["li".into(), "nobody".into()], ..Search::default() }), all(&[2]), "given to, by id");
    assert_eq!(find(Search { zone: Some("nap' OR 1".into()), ..Search::default() }), all(&[]));
    assert_eq!(find(Search { after: Some((T + 240 * MINUTE, id(4))), ..Search::default() }), all(&[3, 2, 1]), "the next page");
    assert_eq!(find(Search { hazard: Some("air.co2".into()), except: Some(id(4)), ..Search::default() }), all(&[3]));
    assert_eq!(reader.hazards().unwrap(), ["air.co2", "fire.smoke", "noise.high"]);
    store.close();
}

#[test]
fn late_is_late_in_the_query_as_in_the_row() {
    let dir = tempfile::tempdir().unwrap();
    let (store, reader) = store(dir.path());
    for (minute, expected) in [(244, vec![2]), (246, vec![4, 2]), (100_000, vec![4, 2])] {
        let after = late(minute);
        let by_row: Vec<String> = reader
            .search(&Search { to: Some(after.now), ..Search::default() }, 10)
            .unwrap()
            .into_iter()
            .filter(|f| f.is_late(&after))
            .map(|f| f.row.id.to_string())
            .collect();
        let by_query = reader.search(&Search { late: Some(after.clone()), to: Some(after.now), ..Search::default() }, 10).unwrap();
        assert_eq!(by_query.iter().map(|f| f.row.id.to_string()).collect::<Vec<_>>(), by_row, "{minute}");
        assert_eq!(by_row, expected.iter().map(|n| id(*n)).collect::<Vec<_>>(), "{minute}");
    }
    store.close();
}

#[test]
fn a_store_without_the_tables_is_filled_from_its_events() {
    let dir = tempfile::tempdir().unwrap();
    let (store, reader) = store(dir.path());
    let before = reader.search(&Search::default(), 10).unwrap();
    store.close();
    let db = Connection::open(dir.path().join(crate::store::LOG_FILE)).unwrap();
    db.execute_batch("DELETE FROM incident_answer; DELETE FROM incident_person;").unwrap();
    fill(&db).unwrap();
    assert_eq!(reader.search(&Search::default(), 10).unwrap(), before);
    remove(&db, &id(1)).unwrap();
    assert_eq!(db.query_row("SELECT count(*) FROM incident_person WHERE incident = ?1", [id(1)], |r| r.get::<_, i64>(0)).unwrap(), 0);
}
