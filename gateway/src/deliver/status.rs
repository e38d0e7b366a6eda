//! How each lane is: for the pages, `/metrics`, `doctor` and the heartbeat.
use crate::store::{Committed, Lane};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
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
    /// Hours until the queue fills its budget if nothing more is delivered and records keep coming at the present rate; `None` while
    /// nothing comes or nothing is known.
    pub hours_left: Option<f64>,
    /// Why it does not flow.
    pub last_error: Option<String>,
    /// UTC milliseconds since when it does not flow.
    pub since: Option<i64>,
    /// Records delivered since the start of the process.
    pub sent: u64,
    /// Records set aside, ever.
    pub set_aside: u64,
}

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

/// Over which the rate of new records is averaged.
const RATE_WINDOW: Duration = Duration::from_secs(600);

/// One lane's figures; written by its task, read by anyone.
pub struct Gauge {
    pub sink: &'static str,
    pub lane: Lane,
    /// Bytes that a queue may take on the disk.
    budget: u64,
    committed: watch::Receiver<Committed>,
    figures: Mutex<Figures>,
}

#[derive(Default)]
struct Figures {
    cursor: u64,
    failure: Option<(LaneState, String, i64)>,
    sent: u64,
    set_aside: u64,
    encoded_records: u64,
    encoded_bytes: u64,
    /// Records per second, once measured.
    rate: Option<f64>,
    sampled_head: Option<u64>,
}

impl Gauge {
    pub fn new(sink: &'static str, lane: Lane, budget: u64, committed: watch::Receiver<Committed>) -> Self {
        Self { sink, lane, budget, committed, figures: Mutex::default() }
    }
    fn figures(&self) -> MutexGuard<'_, Figures> {
        // Figures are plain numbers: a reader's panic leaves nothing half done.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn started(&self, cursor: u64, set_aside: u64) {
        let mut f = self.figures();
        (f.cursor, f.set_aside) = (cursor, set_aside);
    }
    pub(super) fn encoded(&self, records: u64, bytes: u64) {
        let mut f = self.figures();
        f.encoded_records = f.encoded_records.saturating_add(records);
        f.encoded_bytes = f.encoded_bytes.saturating_add(bytes);
    }
    pub(super) fn delivered(&self, cursor: u64, sent: u64, set_aside: u64) {
        let mut f = self.figures();
        f.cursor = cursor;
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
    /// Measures the rate of new records; called every `elapsed`.
    pub(super) fn sample(&self, elapsed: Duration) {
        let head = head(&self.committed.borrow(), self.lane);
        let mut f = self.figures();
        if let Some(before) = f.sampled_head.replace(head)
            && !elapsed.is_zero()
        {
            let now = head.saturating_sub(before) as f64 / elapsed.as_secs_f64();
            let weight = 1.0 - (-elapsed.as_secs_f64() / RATE_WINDOW.as_secs_f64()).exp();
            f.rate = Some(f.rate.map_or(now, |rate| rate + weight * (now - rate)));
        }
    }
    pub fn status(&self) -> DeliveryStatus {
        let head = head(&self.committed.borrow(), self.lane);
        let f = self.figures();
        let queue_messages = head.saturating_sub(f.cursor);
        let mean = if f.encoded_records == 0 { 0.0 } else { f.encoded_bytes as f64 / f.encoded_records as f64 };
        let queue_bytes = (queue_messages as f64 * mean) as u64;
        let bytes_per_hour = f.rate.unwrap_or(0.0) * mean * 3600.0;
        let hours_left = (bytes_per_hour > 0.0).then(|| self.budget.saturating_sub(queue_bytes) as f64 / bytes_per_hour);
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
            hours_left,
            last_error,
            since,
            sent: f.sent,
            set_aside: f.set_aside,
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
    pub(super) fn sample(&self, elapsed: Duration) {
        self.0.iter().for_each(|g| g.sample(elapsed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_and_hours_left() {
        let (tx, rx) = watch::channel(Committed::default());
        let gauge = Gauge::new("influx", Lane::Metrics, 1_000_000, rx);
        assert_eq!(gauge.status().hours_left, None);
        gauge.sample(Duration::from_secs(10));
        tx.send_replace(Committed { position: 100, ..Committed::default() });
        gauge.sample(Duration::from_secs(10));
        gauge.encoded(10, 1_000);
        gauge.delivered(60, 60, 0);
        let s = gauge.status();
        assert_eq!((s.queue_messages, s.queue_bytes, s.sent), (40, 4_000, 60));
        // 10 records of 100 bytes a second fill the remaining 996,000 bytes in 996 s.
        assert!((s.hours_left.unwrap() - 996.0 / 3600.0).abs() < 1e-9);
    }

    #[test]
    fn since_is_the_first_failure_of_a_run() {
        let (_tx, rx) = watch::channel(Committed::default());
        let gauge = Gauge::new("platform", Lane::Alerts, 1, rx);
        assert!(gauge.failing(LaneState::Retrying, "down", 5));
        assert!(!gauge.failing(LaneState::Refused, "401", 9));
        let s = gauge.status();
        assert_eq!((s.state, s.since, s.last_error.as_deref()), (LaneState::Refused, Some(5), Some("401")));
        gauge.flowing();
        assert_eq!((gauge.status().state, gauge.status().since), (LaneState::Flowing, None));
        assert!(gauge.failing(LaneState::Retrying, "down", 20));
    }
}
