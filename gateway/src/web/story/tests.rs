use super::*;
use crate::clock::Clock;
use crate::deliver::testing::event;
use crate::engine::{Message, State};
use crate::metrics::Metrics;
use crate::store::{Batch, Deps, Entry as Logged, Lane, Options, Reply, Retention, Snapshot, Store};
use std::sync::Arc;
use std::time::Duration;
use tuoan_protocol::{IncidentState, Transition};

const T: i64 = 1_790_000_000_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;

struct Rig {
    store: Store,
    position: u64,
    now: i64,
}

impl Rig {
    fn commit(&self, batch: Batch) {
        let (reply, done) = tokio::sync::oneshot::channel();
        let batch = Batch { now: self.now, replies: vec![Reply::Done(reply)], ..batch };
        self.store.submit(Box::new(batch), Duration::from_secs(20)).unwrap();
        done.blocking_recv().unwrap();
    }
    /// One reading every `step` milliseconds; one of 3000 at `peak`.
    fn hear(&mut self, n: u64, step: i64, peak: Option<u64>) {
        let entries = (1..=n).map(|i| {
            let value = if peak == Some(i) { 3000 } else { 700 + i as i64 % 9 };
            let items = vec![Item::Reading { quantity: Quantity::Co2, channel: 0, value: Fixed(value) }];
            let device = "climate-2".parse().unwrap();
            let message = Message { device, boot: None, seq: None, sampled_at: None, retained: false, items };
            Logged { position: self.position + i, at: self.now + i as i64 * step, message: true, body: Body::Message(message) }
        });
        let entries = entries.collect();
        (self.position, self.now) = (self.position + n, self.now + n as i64 * step);
        let snapshot = Some(Snapshot { position: self.position, sequence: 0, bytes: State::new().encode() });
        self.commit(Batch { entries, snapshot, ..Batch::default() });
    }
    fn story(&self, around: Around) -> Story {
        read(&self.store.reader, event(1).incident.as_str(), self.now, 0, |_| Vec::new(), &[], around).unwrap().unwrap()
    }
}

fn highest(story: &Story) -> (i64, i64) {
    let points = &story.series.values().next().unwrap().points;
    points.iter().map(|(at, v)| (v.0, *at)).max().unwrap()
}

#[test]
fn an_old_incident_keeps_its_curve_by_the_minute() {
    let dir = tempfile::tempdir().unwrap();
    let mut deps = Deps::new(Clock::manual(T), Arc::new(Metrics::new()));
    let zero = Duration::ZERO;
    (deps.timing.survey, deps.timing.ops, deps.timing.pack, deps.timing.roll) = (zero, zero, zero, zero);
    let retention = Retention { keep_days: 30, ..Retention::default() };
    let (store, _) = Store::open(dir.path(), Options { reserve_mb: 0, retention, ..Options::default() }, deps).unwrap();
    store.ops.claim([("influx".to_owned(), Lane::Alerts)]).unwrap();
    let mut rig = Rig { store, position: 0, now: T };
    // Two hours, silence for half an hour, and two hours more.
    rig.hear(720, 10_000, Some(600));
    let opened = event(1);
    let closed = IncidentState { active: false, acknowledged: true, closed: true, inhibited: None };
    let end = tuoan_protocol::IncidentEvent { at: T + 149 * MINUTE, transition: Transition::Closed, state: closed, ..event(2) };
    rig.commit(Batch { events: vec![tuoan_protocol::IncidentEvent { at: T + 100 * MINUTE, ..opened }, end], ..Batch::default() });
    rig.now += 30 * MINUTE;
    rig.hear(720, 10_000, None);

    let young = rig.story(Around::HalfHour);
    assert!(!young.by_minute);
    assert_eq!(highest(&young), (3000, T + 100 * MINUTE));
    let gap = |s: &Story| s.series.values().next().unwrap().gaps.clone();
    assert_eq!(gap(&young), [(T + 120 * MINUTE, T + 150 * MINUTE + 10_000)]);
    let long = rig.story(Around::SixHours);
    assert!(!long.by_minute && !long.cut && highest(&long) == highest(&young), "nothing is old enough to be rolled up");

    for _ in 0..45 {
        rig.hear(24, DAY / 24, None);
        for _ in 0..4 {
            rig.now += MINUTE;
            rig.commit(Batch::default());
        }
    }
    let long = rig.story(Around::SixHours);
    assert!(long.by_minute && !long.cut);
    assert!(rig.store.reader.first_position().unwrap() > 1440, "the readings have gone");
    let old = rig.story(Around::HalfHour);
    assert!(old.by_minute);
    let (value, at) = highest(&old);
    assert!(value == 3000 && at.abs_diff(T + 100 * MINUTE) <= MINUTE as u64, "the peak is in its minute: {at}");
    let gaps = gap(&old);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].0.abs_diff(T + 120 * MINUTE) <= MINUTE as u64 && gaps[0].1.abs_diff(T + 150 * MINUTE) <= MINUTE as u64, "{gaps:?}");
}
