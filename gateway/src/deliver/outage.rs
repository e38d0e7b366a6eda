//! Three days without the outside, in virtual time and with the waits of the real thing: what goes first when it is back, and what a crash
//! in the middle of it costs.
use super::batch::Batch;
use super::log::Record;
use super::scheduler::{BACKLOG, BLOCK};
use super::sinks::{Receipt, Unsayable};
use super::testing::{MemoryLog, delivery, entry, event};
use super::*;
use crate::store::{Health, Lane};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const HOUR: Duration = Duration::from_secs(3600);

/// A receiver of one lane at the far end of a line that swallows packets while it is cut.
struct Far {
    lane: Lane,
    cut: AtomicBool,
    /// Instead of swallowing them: nobody listens.
    refuses: bool,
    requests: AtomicU64,
    /// How long a request and its answer are on the way.
    way: Duration,
    /// How long a request on a line that is cut hangs.
    dead: Duration,
    /// What was accepted, in order: key, and when.
    taken: Mutex<Vec<(u64, Instant)>>,
}

impl Far {
    fn new(lane: Lane, refuses: bool) -> Arc<Far> {
        let (requests, taken) = (AtomicU64::default(), Mutex::default());
        Arc::new(Far {
            lane,
            cut: AtomicBool::new(true),
            refuses,
            requests,
            way: Duration::from_millis(200),
            dead: Duration::from_secs(5),
            taken,
        })
    }
    fn back(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }
    fn count(&self) -> usize {
        self.taken.lock().unwrap().len()
    }
    fn keys(&self) -> Vec<u64> {
        self.taken.lock().unwrap().iter().map(|t| t.0).collect()
    }
    fn when(&self, key: u64) -> Option<Instant> {
        self.taken.lock().unwrap().iter().find(|t| t.0 == key).map(|t| t.1)
    }
    async fn until(&self, what: &str, done: impl Fn(&Far) -> bool) {
        let waited = timeout(HOUR, async {
            while !done(self) {
                sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(waited.await.is_ok(), "never: {what}");
    }
}

#[async_trait]
impl Sink for Far {
    fn name(&self) -> &'static str {
        if self.lane == Lane::Alerts { "platform" } else { "influx" }
    }
    fn lanes(&self) -> &'static [Lane] {
        if self.lane == Lane::Alerts { &[Lane::Alerts] } else { &[Lane::Metrics] }
    }
    fn encode(&self, record: Record<'_>, to: &mut Vec<u8>) -> Result<(), Unsayable> {
        let key = match record {
            Record::Event { event, .. } => event.sequence,
            Record::Entry { entry, .. } => entry.position,
        };
        to.extend_from_slice(&key.to_be_bytes());
        Ok(())
    }
    async fn send(&self, _lane: Lane, batch: &Batch) -> Result<Sent, SendError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let down = |reason: &str| Err(SendError::Retry { reason: reason.into(), after: None });
        if self.cut.load(Ordering::Relaxed) {
            if !self.refuses {
                // As a connection is given up.
                sleep(self.dead).await;
            }
            return down("not reached");
        }
        sleep(self.way).await;
        let mut taken = self.taken.lock().unwrap();
        taken.extend(batch.parcels().iter().map(|p| (p.key, Instant::now())));
        let receipts = (0..batch.len()).map(|index| Receipt { index, receipt: String::new(), received_at: 0 }).collect();
        Ok(Sent { receipts, rejected: Vec::new() })
    }
}

fn start(log: &Arc<MemoryLog>, sinks: &[&Arc<Far>]) -> (Deliveries, JoinSet<()>) {
    let delivery = Delivery { timing: Timing::default(), ..delivery(log) };
    let sinks: Vec<Arc<dyn Sink>> = sinks.iter().map(|s| Arc::clone(s) as Arc<dyn Sink>).collect();
    let mut tasks = JoinSet::new();
    (delivery.start(&sinks, watch::channel(Health::Healthy).1, &mut tasks), tasks)
}

fn status(deliveries: &Deliveries, lane: Lane) -> DeliveryStatus {
    deliveries.status().into_iter().find(|s| s.lane == lane).unwrap()
}

#[tokio::test(start_paused = true)]
async fn three_days_cut_off() {
    let log = MemoryLog::new();
    let (platform, influx) = (Far::new(Lane::Alerts, false), Far::new(Lane::Metrics, false));
    let (deliveries, _tasks) = start(&log, &[&platform, &influx]);
    let (mut position, mut sequence) = (0, 0);
    for minute in 1..=72 * 60 {
        log.commit_entries((position + 1..=position + 12).map(|p| entry(p, "climate-2", 800)));
        position += 12;
        if minute % 60 == 0 {
            sequence += 1;
            log.commit_events([event(sequence)]);
        }
        sleep(Duration::from_secs(60)).await;
    }
    assert_eq!((platform.count(), influx.count()), (0, 0));
    assert_eq!(status(&deliveries, Lane::Alerts).queue_messages, 72);
    let asked = platform.requests.load(Ordering::Relaxed) as f64 / (72.0 * 3600.0);
    assert!(asked < 1.0, "{asked} requests a second: the receiver is hammered");

    platform.back();
    influx.back();
    let back = Instant::now();
    platform.until("the first alert", |f| f.count() > 0).await;
    assert!(platform.when(1).unwrap() - back <= Duration::from_secs(2), "{:?}", platform.when(1).unwrap() - back);
    influx.until("the newest metrics", |f| f.count() as u64 > BLOCK + 1).await;
    let first = influx.keys()[0];
    assert!(first > position - BLOCK - 1, "begins with {first} of {position}");

    // In the middle of catching up: an alert and a measurement.
    let s = status(&deliveries, Lane::Metrics);
    assert!(s.overtaken > 40_000 && s.state == LaneState::Flowing, "{s:?}");
    sequence += 1;
    log.commit_events([event(sequence)]);
    log.commit_entries([entry(position + 1, "climate-2", 801)]);
    position += 1;
    let said = Instant::now();
    platform.until("the new alert", |f| f.when(sequence).is_some()).await;
    assert!(said.elapsed() < platform.way + Duration::from_secs(1), "{:?}", said.elapsed());
    influx.until("the new measurement", |f| f.when(position).is_some()).await;
    assert!(said.elapsed() < influx.way * 3, "after at most the block under way: {:?}", said.elapsed());
    assert!(status(&deliveries, Lane::Metrics).overtaken > 30_000);

    influx.until("all of it", |f| f.count() as u64 >= position).await;
    assert_eq!(platform.keys(), (1..=sequence).collect::<Vec<_>>(), "alerts in order, each once");
    let keys = influx.keys();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=position).collect::<Vec<_>>(), "nothing lost, nothing twice");
    // Where the order steps back, it steps to the block before.
    let starts: Vec<u64> = keys.windows(2).filter(|w| w[1] < w[0]).map(|w| w[1]).collect();
    assert!(starts.windows(2).all(|w| w[1] < w[0]) && starts.len() > 15, "{starts:?}");
    let s = status(&deliveries, Lane::Metrics);
    assert_eq!((s.queue_messages, s.overtaken, s.lost), (0, 0, 0));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(log.cursor_at("influx", Lane::Metrics), position);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_listens_it_asks_a_few_times_a_second_at_most_and_is_through_at_once() {
    let log = MemoryLog::new();
    let platform = Far::new(Lane::Alerts, true);
    let (_deliveries, _tasks) = start(&log, &[&platform]);
    log.commit_events((1..=1_200).map(event));
    sleep(HOUR).await;
    let asked = platform.requests.load(Ordering::Relaxed) as f64 / 3600.0;
    assert!((0.9..3.0).contains(&asked), "{asked} a second");
    platform.back();
    let back = Instant::now();
    platform.until("the first", |f| f.count() > 0).await;
    assert!(back.elapsed() < Duration::from_secs(2));
    assert!(platform.count() <= 20, "a small request asks the way");
    platform.until("the rest", |f| f.count() == 1_200).await;
    assert_eq!(platform.keys(), (1..=1_200).collect::<Vec<_>>());
}

/// A router forgets connections on which nothing was said for a while: the first request on such a one gets no answer, and no alert may wait for the
/// half minute after which a request is given up otherwise.
#[tokio::test(start_paused = true)]
async fn an_alert_on_a_connection_that_is_dead_is_through_within_six_seconds() {
    let log = MemoryLog::new();
    let platform = Arc::new(Far { dead: Duration::from_secs(30), ..Arc::into_inner(Far::new(Lane::Alerts, false)).unwrap() });
    platform.back();
    let (_deliveries, _tasks) = start(&log, &[&platform]);
    log.commit_events([event(1)]);
    platform.until("the first", |p| p.count() == 1).await;
    sleep(HOUR).await;
    platform.cut.store(true, Ordering::Relaxed);
    let said = Instant::now();
    log.commit_events([event(2)]);
    platform.until("it is sent", |p| p.requests.load(Ordering::Relaxed) == 2).await;
    // The next connection works.
    platform.back();
    platform.until("the second", |p| p.count() == 2).await;
    assert!(platform.when(2).unwrap() - said < Duration::from_secs(6), "{:?}", platform.when(2).unwrap() - said);
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_catching_up_repeats_a_little_and_loses_nothing() {
    let log = MemoryLog::new();
    let influx = Far::new(Lane::Metrics, true);
    let last = BACKLOG * 3;
    log.commit_entries((1..=last).map(|p| entry(p, "climate-2", 800)));
    influx.back();
    let (_, tasks) = start(&log, &[&influx]);
    influx.until("some blocks", |f| f.count() as u64 > BLOCK * 7).await;
    // Killed: what is in flight and what was not saved is forgotten.
    drop(tasks);
    assert!(log.cursor_at("influx", Lane::Metrics) < last);
    let before = influx.count() as u64;
    let (deliveries, _tasks) = start(&log, &[&influx]);
    influx.until("all of it", |_| log.cursor_at("influx", Lane::Metrics) == last).await;
    let mut times: BTreeMap<u64, u32> = BTreeMap::new();
    influx.keys().into_iter().for_each(|k| *times.entry(k).or_default() += 1);
    assert_eq!(times.len() as u64, last, "nothing lost");
    let repeated = influx.count() as u64 - last;
    // A second's worth of blocks, not all of what had gone.
    assert!(repeated <= BLOCK * 6 && repeated < before, "{repeated} repeated of {before}");
    assert_eq!(status(&deliveries, Lane::Metrics).overtaken, 0);
}

#[tokio::test(start_paused = true)]
async fn what_had_to_make_room_is_counted() {
    let log = MemoryLog::new();
    let influx = Far::new(Lane::Metrics, true);
    log.commit_entries((1..=BACKLOG * 2).map(|p| entry(p, "climate-2", 800)));
    log.remove_below(5_001);
    influx.back();
    let (deliveries, _tasks) = start(&log, &[&influx]);
    influx.until("what is left", |_| log.cursor_at("influx", Lane::Metrics) == BACKLOG * 2).await;
    assert_eq!((influx.count() as u64, status(&deliveries, Lane::Metrics).lost), (BACKLOG * 2 - 5_000, 5_000));
}
