//! The demonstration's day as evidence: exported, verified, replayed, changed, and shown to a witness.
use super::export::{ExportError, Request, export};
use super::witness::{Answer, District, KEPT, Witness, WitnessState};
use super::*;
use crate::clock::Clock;
use crate::engine::LedgerDay;
use crate::metrics::Metrics;
use crate::replay::{Range, ReplayError, Source, exact};
use crate::store::{Batch, Deps, IncidentFilter, Options, Reader, Store};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tuoan_evidence::{Countersignature, NotWitnessed, SignedHead, Submission, Trust, coverage, goes_on, verify};
use tuoan_protocol::ledger::{Cause, Day, Run, Sight, ZoneDay};

fn request() -> Request {
    Request { by: "赵主任".into(), purpose: "家长查询".into(), pictures: true, now: 1_790_000_000_000 }
}

fn go(_: u64) -> bool {
    true
}

#[test]
fn every_incident_of_a_day_becomes_a_file_that_holds_and_replays() {
    let dir = tempfile::tempdir().unwrap();
    let data = crate::replay::tests::store(dir.path());
    let key = site_key(data).unwrap();
    let trust = Trust { site: Some(key.public()), witness: None };
    let reader = Reader::open(data).unwrap();
    close_days(data);
    let all = reader.incidents(&IncidentFilter::default(), 1000).unwrap();
    assert!(all.len() > 3);
    // What is still open lasts until the log's end, however long after it the file is made.
    let now = reader.events_after(0, 10_000).unwrap().last().unwrap().at + 200 * 86_400_000;
    for row in all.iter().take(4) {
        let made = export(data, &key, row.id.as_str(), &Request { now, ..request() }).unwrap();
        assert_eq!(made.remarks, Vec::<String>::new());
        let report = verify(&made.bytes, &trust).unwrap_or_else(|e| panic!("{}: {e}", row.id));
        assert_eq!(report.events.len(), reader.events_of(row.id.as_str()).unwrap().len());
        assert!(!report.days.is_empty() && report.watched().is_some_and(|f| f.blind + f.watched > 0), "{:?}", report.days);
        assert!(report.key_known && report.inputs > 0 && report.head.size == reader.tree_size().unwrap());

        let file = dir.path().join(format!("{}.html", row.id));
        std::fs::write(&file, &made.bytes).unwrap();
        let again = exact(&Source::open(&file).unwrap(), Range::default(), &mut go).unwrap();
        assert!(again.is_same() && again.stored.events >= report.events.len() as u64, "{again:?}");

        // One digit of one input: the replay must not even begin.
        let mut other = made.bytes.clone();
        let at = other.windows(13).rposition(|w| w == b"{\"position\":1").unwrap() + 12;
        other[at] = if other[at] == b'1' { b'2' } else { b'1' };
        std::fs::write(&file, &other).unwrap();
        assert!(matches!(Source::open(&file), Err(ReplayError::Evidence { .. })));
        let refused = verify(&other, &trust).unwrap_err();
        assert!(refused.to_string().contains("(log: input 1"), "{refused}");
    }
    assert!(matches!(export(data, &key, "01JE9999999999999999999999", &request()), Err(ExportError::NoIncident(_))));
    let without = export(data, &key, all[0].id.as_str(), &Request { pictures: false, ..request() }).unwrap();
    assert_eq!(verify(&without.bytes, &trust).unwrap().frames, 0);
}

/// Says what the platform would say, and remembers.
#[derive(Default, Clone)]
struct Double {
    heads: Arc<Mutex<Vec<SignedHead>>>,
    says: Arc<Mutex<Vec<Answer>>>,
}

#[async_trait]
impl District for Double {
    async fn submit(&self, s: &Submission) -> Answer {
        let mut heads = self.heads.lock().unwrap();
        let answer = match goes_on(heads.last(), s) {
            Ok(()) => {
                let key = tuoan_evidence::SigningKey::from_seed(&[9; 32]).unwrap();
                heads.push(s.head.clone());
                Answer::Countersigned(Countersignature::sign(&key, &s.head, 7))
            }
            Err(NotWitnessed::Behind { known }) => Answer::Behind(known),
            Err(e) => Answer::Refused(e.to_string()),
        };
        self.says.lock().unwrap().push(answer.clone());
        answer
    }
}

#[tokio::test]
async fn the_district_witnesses_the_log_and_the_file_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let data = crate::replay::tests::store(dir.path()).to_owned();
    let key = site_key(&data).unwrap();
    let deps = Deps::new(Clock::manual(0), Arc::new(Metrics::new()));
    let (store, recovered) = Store::open(&data, Options { reserve_mb: 0, ..Options::default() }, deps).unwrap();
    let state = Arc::new(Mutex::new(WitnessState::default()));
    let size = store.reader.tree_size().unwrap();
    let log = store.reader.events_after(0, 1).unwrap().remove(0).event.unwrap().log;
    let witness = |shutdown: &CancellationToken, key: &SigningKey| Witness {
        reader: store.reader.clone(),
        ops: store.ops.clone(),
        committed: store.committed.clone(),
        key: key.clone(),
        site: "xingyuan".into(),
        log: log.as_str().to_owned(),
        clock: Clock::manual(5),
        state: state.clone(),
        shutdown: shutdown.clone(),
    };
    let district = Double::default();
    // It has seen a part of the log, which the gateway does not know of any more.
    let root = tuoan_evidence::tree::root(&store.reader, size - 3).unwrap();
    let site = super::tests::site_of(&data);
    district.heads.lock().unwrap().push(SignedHead::sign(&key, &site, log.as_str(), size - 3, root, 1));
    let shutdown = CancellationToken::new();
    let mut w = witness(&shutdown, &key);
    w.site = site.clone();
    let task = tokio::spawn(w.run(district.clone()));
    tokio::time::timeout(Duration::from_secs(20), async {
        while state.lock().unwrap().seen.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    shutdown.cancel();
    task.await.unwrap();
    assert!(matches!(district.says.lock().unwrap()[..], [Answer::Behind(_), Answer::Countersigned(_)]));
    assert_eq!(state.lock().unwrap().seen, Some((size, 7)));
    store.ops.settled().await.unwrap();
    assert!(store.reader.kept(KEPT).unwrap().is_some());
    let incident = store.reader.incidents(&IncidentFilter::default(), 1).unwrap().remove(0).id;
    let made = export(&data, &key, incident.as_str(), &request()).unwrap();
    let report = verify(&made.bytes, &Trust { site: Some(key.public()), witness: None }).unwrap();
    assert_eq!(report.witnessed, report.events.len());

    // Another key for the same log: refused, and said.
    let other = SigningKey::from_seed(&[8; 32]).unwrap();
    store.ops.keep(KEPT, Vec::new()).unwrap();
    store.ops.settled().await.unwrap();
    let shutdown = CancellationToken::new();
    let mut w = witness(&shutdown, &other);
    w.site = site;
    let task = tokio::spawn(w.run(district.clone()));
    tokio::time::timeout(Duration::from_secs(20), async {
        while state.lock().unwrap().refused.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    shutdown.cancel();
    task.await.unwrap();
    assert!(state.lock().unwrap().refused.as_ref().unwrap().contains("another key"));
    assert_eq!(recovered.sequence, size, "one leaf for each event");
    store.close();
}

/// The demonstration's day, the one before and two after it, as the ledger would close them: the first zone was watched, all others were blind.
fn close_days(data: &Path) {
    let source = Source::open(data).unwrap();
    let site = source.configuration().unwrap().site;
    let reader = Reader::open(data).unwrap();
    let events = reader.events_after(0, 10_000).unwrap();
    let (first, now) = (events[0].event.clone().unwrap(), events.last().unwrap().at);
    let (store, _) =
        Store::open(data, Options { reserve_mb: 0, ..Options::default() }, Deps::new(Clock::manual(0), Arc::new(Metrics::new()))).unwrap();
    let date = coverage::date(first.at, site.utc_offset_minutes) - 1;
    for number in 1..=4u64 {
        let zones = site.zones.iter().enumerate().map(|(n, z)| {
            let mut run = Run::default();
            run.push(1440, if n == 0 { Sight::Watched } else { Sight::blind(Cause::GatewayDown, None) });
            ZoneDay { zone: z.id.clone(), run }
        });
        let day = Day {
            site: site.id.clone(),
            log: first.log.clone(),
            number,
            date: date + number as i64 - 1,
            utc_offset_minutes: site.utc_offset_minutes,
            closed_at: (date + number as i64) * 86_400_000,
            clock_trusted: true,
            zones: zones.collect(),
        };
        let ledger = vec![LedgerDay { number, date: day.date, bytes: day.canonical_bytes() }];
        store.submit(Box::new(Batch { now, ledger, ..Batch::default() }), Duration::from_secs(60)).map_err(|_| "not taken").unwrap();
    }
    store.close();
}

fn site_of(data: &Path) -> String {
    Source::open(data).unwrap().configuration().unwrap().site.id.as_str().to_owned()
}
