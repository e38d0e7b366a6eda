//! How each lane is: for the pages, `/metrics`, `doctor` and the heartbeat.
use crate::store::{Committed, Done, Lane, Room};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What a lane does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneState {
    /// Delivers, or has nothing to deliver.
    Flowing,
    /// The receiver cannot be reached or does not take it now; it will be tried again.
    Retrying,
    /// As `Retrying`, but a person has to mend it: token or address are wrong.
    Refused,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryStatus {
    pub sink: &'static str,
    #[serde(serialize_with = "lane_name")]
    pub lane: Lane,
    pub state: LaneState,
    /// Records committed and not yet delivered.
    pub queue_messages: u64,
    /// The same in bytes as sent, from the mean size so far.
    pub queue_bytes: u64,
    /// Of these, records that newer ones have overtaken: after an outage the newest go first.
    pub overtaken: u64,
    /// Hours until the first undelivered record has to make room if nothing more is delivered and records keep coming as they do; `None`
    /// while that is not known.
    pub hours_left: Option<f64>,
    /// Why it does not flow.
    pub last_error: Option<String>,
    /// UTC milliseconds since when it does not flow.
    pub since: Option<i64>,
    /// Records delivered since the start of the process.
    pub sent: u64,
    /// Records set aside, ever.
    pub set_aside: u64,
    /// Records that had to make room before they were delivered, since the start of the process.
    pub lost: u64,
}

impl DeliveryStatus {
    /// Somebody should act: within a day what waits begins to be lost.
    pub fn is_short(&self) -> bool {
        self.hours_left.is_some_and(|h| h < SHORT_HOURS)
    }
}

/// With fewer hours left it is said as a problem.
pub const SHORT_HOURS: f64 = 24.0;

fn lane_name<S: serde::Serializer>(lane: &Lane, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(name(*lane))
}

/// `alerts` or `metrics`, for labels.
pub fn name(lane: Lane) -> &'static str {
    match lane {
        Lane::Alerts => "alerts",
        Lane::Metrics => "metrics",
    }
}

/// The lane's end of the log in `committed`.
pub fn head(committed: &Committed, lane: Lane) -> u64 {
    match lane {
        Lane::Alerts => committed.sequence,
        Lane::Metrics => committed.position,
    }
}

/// One lane's figures; written by its task, read by anyone.
pub struct Gauge {
    pub sink: &'static str,
    pub lane: Lane,
    room: watch::Receiver<Arc<Room>>,
    committed: watch::Receiver<Committed>,
    figures: Mutex<Figures>,
}

#[derive(Default)]
struct Figures {
    done: Done,
    failure: Option<(LaneState, String, i64)>,
    sent: u64,
    set_aside: u64,
    encoded_records: u64,
    encoded_bytes: u64,
    lost: u64,
}

impl Gauge {
    pub fn new(sink: &'static str, lane: Lane, room: watch::Receiver<Arc<Room>>, committed: watch::Receiver<Committed>) -> Self {
        Self { sink, lane, room, committed, figures: Mutex::default() }
    }
    fn figures(&self) -> MutexGuard<'_, Figures> {
        // Figures are plain numbers: a reader's panic leaves nothing half done.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn started(&self, done: Done, set_aside: u64) {
        let mut f = self.figures();
        (f.done, f.set_aside) = (done, set_aside);
    }
    pub(super) fn lost(&self, records: u64) {
        let mut f = self.figures();
        f.lost = f.lost.saturating_add(records);
    }
    pub(super) fn encoded(&self, records: u64, bytes: u64) {
        let mut f = self.figures();
        f.encoded_records = f.encoded_records.saturating_add(records);
        f.encoded_bytes = f.encoded_bytes.saturating_add(bytes);
    }
    pub(super) fn delivered(&self, done: Done, sent: u64, set_aside: u64) {
        let mut f = self.figures();
        f.done = done;
        f.sent = f.sent.saturating_add(sent);
        f.set_aside = f.set_aside.saturating_add(set_aside);
    }
    pub(super) fn flowing(&self) {
        self.figures().failure = None;
    }
    /// True when it is the first failure after a success.
    pub(super) fn failing(&self, state: LaneState, error: &str, at: i64) -> bool {
        let mut f = self.figures();
        let first = f.failure.is_none();
        let since = f.failure.take().map_or(at, |(_, _, since)| since);
        f.failure = Some((state, error.to_owned(), since));
        first
    }
    pub fn status(&self) -> DeliveryStatus {
        let head = head(&self.committed.borrow(), self.lane);
        let f = self.figures();
        let overtaken = f.done.owed();
        let queue_messages = head.saturating_sub(f.done.front()).saturating_add(overtaken);
        let mean = if f.encoded_records == 0 { 0.0 } else { f.encoded_bytes as f64 / f.encoded_records as f64 };
        let queue_bytes = (queue_messages as f64 * mean) as u64;
        let hours_left = self.room.borrow().hours_left(self.sink, self.lane);
        let (state, last_error, since) = match &f.failure {
            None => (LaneState::Flowing, None, None),
            Some((state, error, since)) => (*state, Some(error.clone()), Some(*since)),
        };
        DeliveryStatus {
            sink: self.sink,
            lane: self.lane,
            state,
            queue_messages,
            queue_bytes,
            overtaken,
            hours_left,
            last_error,
            since,
            sent: f.sent,
            set_aside: f.set_aside,
            lost: f.lost,
        }
    }
}

/// All lanes of all sinks. Cheap to clone.
#[derive(Clone, Default)]
pub struct Deliveries(pub(super) Arc<[Arc<Gauge>]>);

impl Deliveries {
    /// How every lane is now, in the order of the configuration.
    pub fn status(&self) -> Vec<DeliveryStatus> {
        self.0.iter().map(|g| g.status()).collect()
    }
    /// Records of that lane that wait, over all sinks.
    pub fn queued(&self, lane: Lane) -> u64 {
        self.0.iter().filter(|g| g.lane == lane).map(|g| g.status().queue_messages).fold(0, u64::saturating_add)
    }
    /// The lane that has the fewest hours left.
    pub fn hours_left(&self) -> Option<f64> {
        self.0.iter().filter_map(|g| g.status().hours_left).reduce(f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::retention::LaneRoom;

    #[test]
    fn the_queue_is_what_is_not_done_and_its_hours_are_the_stores() {
        let (tx, rx) = watch::channel(Committed::default());
        let (room_tx, room) = watch::channel(Arc::new(Room::default()));
        let gauge = Gauge::new("influx", Lane::Metrics, room, rx);
        assert_eq!((gauge.status().hours_left, gauge.status().is_short()), (None, false));
        tx.send_replace(Committed { position: 100, ..Committed::default() });
        gauge.encoded(10, 1_000);
        let mut done = Done::all_to(20);
        done.add(60, 90);
        gauge.delivered(done, 50, 0);
        let lane = |hours| LaneRoom { sink: "influx".into(), lane: Lane::Metrics, hours_left: Some(hours) };
        room_tx.send_replace(Arc::new(Room { lanes: vec![lane(23.5)], ..Room::default() }));
        let s = gauge.status();
        assert_eq!((s.queue_messages, s.overtaken, s.queue_bytes, s.sent), (50, 40, 5_000, 50));
        assert_eq!((s.hours_left, s.is_short()), (Some(23.5), true));
    }

    #[test]
    fn since_is_the_first_failure_of_a_run() {
        let (_tx, rx) = watch::channel(Committed::default());
        let gauge = Gauge::new("platform", Lane::Alerts, watch::channel(Arc::default()).1, rx);
        assert!(gauge.failing(LaneState::Retrying, "down", 5));
        assert!(!gauge.failing(LaneState::Refused, "401", 9));
        let s = gauge.status();
        assert_eq!((s.state, s.since, s.last_error.as_deref()), (LaneState::Refused, Some(5), Some("401")));
        gauge.flowing();
        assert_eq!((gauge.status().state, gauge.status().since), (LaneState::Flowing, None));
        assert!(gauge.failing(LaneState::Retrying, "down", 20));
    }
}
