//! Delivery against receivers on real sockets, each test a short story.
use super::sinks::influx::Influx;
use super::sinks::platform::Platform;
use super::testing::*;
use super::*;
use crate::store::{Emergency, Health, Lane, StoredEvent};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tuoan_protocol::{Exercise, IncidentEvent, Severity};

/// A running delivery; stops when dropped.
struct Rig {
    log: Arc<MemoryLog>,
    delivery: Delivery,
    deliveries: Deliveries,
    tasks: JoinSet<()>,
}

impl Rig {
    fn start(log: Arc<MemoryLog>, sinks: &[Arc<dyn Sink>]) -> Rig {
        let delivery = delivery(&log);
        let mut tasks = JoinSet::new();
        let deliveries = delivery.start(sinks, watch::channel(Health::Healthy).1, &mut tasks);
        Rig { log, delivery, deliveries, tasks }
    }
    fn status(&self, sink: &str) -> DeliveryStatus {
        self.deliveries.status().into_iter().find(|s| s.sink == sink).unwrap()
    }
    async fn stop(mut self) -> Arc<MemoryLog> {
        self.delivery.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.log
    }
}

fn platform_sink(url: &str, token: &str) -> Arc<dyn Sink> {
    Arc::new(Platform::new(&PlatformConfig { url: url.into(), token: Secret::new(token), receipts: true }, directory()).unwrap())
}

fn influx_config(url: &str) -> InfluxConfig {
    let (org, bucket) = ("district".into(), "nursery & 托育".into());
    InfluxConfig { url: url.into(), org, bucket, token: Secret::new(TOKEN), measurement: "reading".into() }
}

fn influx_sink(url: &str) -> Arc<dyn Sink> {
    Arc::new(Influx::new(&influx_config(url), directory()).unwrap())
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn platform_rig(log: Arc<MemoryLog>) -> (Rig, platform::Double) {
    let double = platform::Double::default();
    let (url, _) = platform::serve(double.clone(), any_port()).await;
    (Rig::start(log, &[platform_sink(&url, TOKEN)]), double)
}

async fn influx_rig(prefix: &str) -> (Rig, influx::Double) {
    let double = influx::Double::default();
    let url = influx::serve(double.clone(), prefix).await;
    (Rig::start(MemoryLog::new(), &[influx_sink(&url)]), double)
}

fn ids(sequences: impl IntoIterator<Item = u64>) -> Vec<String> {
    sequences.into_iter().map(|s| event(s).id.as_str().to_owned()).collect()
}

#[tokio::test]
async fn platform_down_then_back_keeps_order_and_loses_nothing() {
    // A port that nobody listens on, and that the platform takes later.
    let at = tokio::net::TcpListener::bind(any_port()).await.unwrap().local_addr().unwrap();
    let log = MemoryLog::new();
    let rig = Rig::start(log.clone(), &[platform_sink(&format!("http://{at}"), TOKEN)]);
    log.commit_events((1..=3).map(event));
    eventually("the failure is shown", || rig.status("platform").last_error.is_some()).await;
    let s = rig.status("platform");
    assert_eq!((s.state, s.since, s.queue_messages), (LaneState::Retrying, Some(T0), 3));
    log.commit_events((4..=700).map(event));
    let double = platform::Double::default();
    let _server = platform::serve(double.clone(), at).await;
    eventually("all arrive", || double.lock().unwrap().order.len() == 700).await;
    eventually("the cursor follows", || log.cursor_at("platform", Lane::Alerts) == 700).await;
    let s = rig.status("platform");
    assert_eq!((s.state, s.last_error, s.queue_messages, s.sent), (LaneState::Flowing, None, 0, 700));
    assert_eq!(double.lock().unwrap().order, ids(1..=700));
    assert_eq!(double.lock().unwrap().duplicates, 0);
    let receipts = log.receipts.lock().unwrap();
    assert_eq!(receipts.iter().map(|r| r.sequence).collect::<Vec<_>>(), (1..=700).collect::<Vec<_>>());
    assert_eq!(receipts[41].receipt, format!("r-{}", event(42).id));
}

#[tokio::test]
async fn a_lost_answer_is_repeated_under_the_same_ids() {
    let (rig, double) = platform_rig(MemoryLog::new()).await;
    // The first heartbeat must be through before the mood changes.
    eventually("a heartbeat", || !double.lock().unwrap().heartbeats.is_empty()).await;
    double.lock().unwrap().mood = platform::Mood::LosesAnswer;
    rig.log.commit_events((1..=5).map(event));
    eventually("the cursor moves", || rig.log.cursor_at("platform", Lane::Alerts) == 5).await;
    let log = rig.stop().await;
    let state = double.lock().unwrap();
    assert_eq!(state.order, ids(1..=5));
    assert_eq!(log.receipts.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn a_rejected_event_is_set_aside_and_its_tombstone_takes_its_place() {
    let log = MemoryLog::new();
    log.commit_events((1..=4).map(event));
    // Its bytes cannot be read any more.
    log.commit_stored(StoredEvent { sequence: 5, at: T0, bytes: vec![0xff], event: Err("not CBOR".into()) });
    log.commit_events([event(6)]);
    let double = platform::Double::default();
    double.lock().unwrap().rejects = vec!["2".into()];
    double.lock().unwrap().conflicts = vec!["4".into()];
    let (url, _server) = platform::serve(double.clone(), any_port()).await;
    let rig = Rig::start(log, &[platform_sink(&url, TOKEN)]);
    eventually("the cursor passes it", || rig.log.cursor_at("platform", Lane::Alerts) == 6).await;
    let mut aside: Vec<_> = rig.log.aside.lock().unwrap().iter().map(|s| (s.at, s.reason.clone())).collect();
    aside.sort();
    let reason = |n: usize| aside[n].1.as_str();
    assert_eq!(aside.iter().map(|a| a.0).collect::<Vec<_>>(), [2, 4, 5]);
    assert_eq!(reason(0), "rejected: unknown hazard");
    assert_eq!(reason(1), "conflict: the platform holds another event in its place");
    assert_eq!(reason(2), "not CBOR");
    let state = double.lock().unwrap();
    let kinds: std::collections::BTreeMap<_, _> =
        state.events.values().map(|e| (e["sequence"].as_str().unwrap(), e["type"].as_str().unwrap())).collect();
    // No gap but the one that the platform itself claims to hold.
    assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), ["1", "2", "3", "5", "6"]);
    assert_eq!((kinds["2"], kinds["5"], kinds["6"]), ("cn.tuoan.tombstone.v1", "cn.tuoan.tombstone.v1", "cn.tuoan.incident.opened.v1"));
    assert_eq!(state.events[event(2).id.as_str()]["data"]["reason"], "rejected: unknown hazard");
    assert_eq!(rig.status("platform").set_aside, 3);
}

#[tokio::test]
async fn of_a_test_of_commissioning_the_district_learns_its_number_alone() {
    let log = MemoryLog::new();
    let test = IncidentEvent { exercise: Some(Exercise::Commissioning), severity: Severity::Emergency, ..event(2) };
    log.commit_events([event(1), test, event(3)]);
    let double = platform::Double::default();
    let (url, _server) = platform::serve(double.clone(), any_port()).await;
    let rig = Rig::start(log, &[platform_sink(&url, TOKEN)]);
    eventually("all is delivered", || rig.log.cursor_at("platform", Lane::Alerts) == 3).await;
    assert!(rig.log.aside.lock().unwrap().is_empty(), "nothing is wrong with it");
    let state = double.lock().unwrap();
    let told = &state.events[event(2).id.as_str()];
    assert_eq!((&told["type"], &told["data"]), (&json!("cn.tuoan.tombstone.v1"), &json!({ "reason": "commissioning" })));
    assert_eq!(state.events[event(3).id.as_str()]["type"], "cn.tuoan.incident.opened.v1");
}

#[tokio::test]
async fn a_proxy_that_refuses_everything_costs_no_alert() {
    let log = MemoryLog::new();
    log.commit_events((1..=3).map(event));
    let double = platform::Double::default();
    double.lock().unwrap().mood = platform::Mood::Proxied;
    let (url, _server) = platform::serve(double.clone(), any_port()).await;
    let rig = Rig::start(log, &[platform_sink(&url, TOKEN)]);
    eventually("it is shown as refused", || rig.status("platform").state == LaneState::Refused).await;
    eventually("it is tried again and again", || double.lock().unwrap().requests > 12).await;
    assert_eq!(rig.log.cursor_at("platform", Lane::Alerts), 0);
    double.lock().unwrap().mood = platform::Mood::Well;
    eventually("all arrive", || rig.log.cursor_at("platform", Lane::Alerts) == 3).await;
    assert!(rig.log.aside.lock().unwrap().is_empty());
    assert_eq!(double.lock().unwrap().order, ids(1..=3));
    assert!(double.lock().unwrap().events.values().all(|e| e["type"] == "cn.tuoan.incident.opened.v1"));
}

#[tokio::test]
async fn a_receiver_that_recovers_between_an_alert_and_its_tombstone_gets_the_alert() {
    let log = MemoryLog::new();
    log.commit_events((1..=3).map(event));
    let double = platform::Double::default();
    double.lock().unwrap().mood = platform::Mood::ProxiedOnceMore;
    let (url, _server) = platform::serve(double.clone(), any_port()).await;
    let rig = Rig::start(log, &[platform_sink(&url, TOKEN)]);
    eventually("all arrive", || rig.log.cursor_at("platform", Lane::Alerts) == 3).await;
    assert!(rig.log.aside.lock().unwrap().is_empty());
    assert_eq!(double.lock().unwrap().order, ids(1..=3));
    assert!(double.lock().unwrap().events.values().all(|e| e["type"] == "cn.tuoan.incident.opened.v1"));
}

#[tokio::test]
async fn overload_is_waited_for_and_large_batches_shrink() {
    let log = MemoryLog::new();
    log.commit_events((1..=50).map(event));
    let double = platform::Double::default();
    double.lock().unwrap().mood = platform::Mood::Overloaded;
    let (url, _server) = platform::serve(double.clone(), any_port()).await;
    let rig = Rig::start(log, &[platform_sink(&url, TOKEN)]);
    eventually("overload is shown", || rig.status("platform").last_error.is_some_and(|e| e.starts_with("503: "))).await;
    double.lock().unwrap().mood = platform::Mood::TakesTwo;
    eventually("all arrive in small batches", || rig.log.cursor_at("platform", Lane::Alerts) == 50).await;
    assert_eq!(double.lock().unwrap().order, ids(1..=50));
    assert!(rig.log.aside.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_token_is_shown_and_never_printed() {
    let log = MemoryLog::new();
    log.commit_events([event(1)]);
    let double = platform::Double::default();
    let (url, _server) = platform::serve(double.clone(), any_port()).await;
    let rig = Rig::start(log, &[platform_sink(&url, "wrong-t0ken")]);
    eventually("refused", || rig.status("platform").state == LaneState::Refused).await;
    // The double echoes the header it got.
    let error = rig.status("platform").last_error.unwrap();
    assert!(error.starts_with("401: the token is not accepted") && error.contains("***") && !error.contains("t0ken"), "{error}");
    let config = influx_config("http://x");
    assert!(!format!("{config:?}").contains(TOKEN));
    assert!(!serde_json::to_string(&rig.status("platform")).unwrap().contains("t0ken"));
}

#[tokio::test]
async fn progress_survives_a_restart() {
    let (rig, double) = platform_rig(MemoryLog::new()).await;
    rig.log.commit_events((1..=5).map(event));
    eventually("first half", || rig.log.cursor_at("platform", Lane::Alerts) == 5).await;
    let log = rig.stop().await;
    log.commit_events((6..=9).map(event));
    let (url, _server) = platform::serve(double.clone(), any_port()).await;
    let rig = Rig::start(log, &[platform_sink(&url, TOKEN)]);
    eventually("second half", || rig.log.cursor_at("platform", Lane::Alerts) == 9).await;
    let state = double.lock().unwrap();
    assert_eq!((&state.order, state.duplicates), (&ids(1..=9), 0));
}

#[tokio::test]
async fn what_is_committed_at_shutdown_still_goes_out() {
    let (rig, double) = platform_rig(MemoryLog::new()).await;
    eventually("it runs", || !double.lock().unwrap().heartbeats.is_empty()).await;
    // More than one batch, committed in the moment of the shutdown.
    rig.log.commit_events((1..=700).map(event));
    let log = rig.stop().await;
    assert_eq!(double.lock().unwrap().order, ids(1..=700));
    assert_eq!(log.cursor_at("platform", Lane::Alerts), 700);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_receiver_that_is_down() {
    let at = tokio::net::TcpListener::bind(any_port()).await.unwrap().local_addr().unwrap();
    let log = MemoryLog::new();
    log.commit_events([event(1)]);
    let rig = Rig::start(log, &[platform_sink(&format!("http://{at}"), TOKEN)]);
    eventually("it fails", || rig.status("platform").last_error.is_some()).await;
    let log = tokio::time::timeout(std::time::Duration::from_secs(5), rig.stop()).await.unwrap();
    assert_eq!(log.cursor_at("platform", Lane::Alerts), 0);
}

#[tokio::test]
async fn a_failing_store_is_insisted_on() {
    let (rig, double) = platform_rig(MemoryLog::new()).await;
    rig.log.broken.store(true, Ordering::Relaxed);
    rig.log.commit_events((1..=2).map(event));
    eventually("it is shown", || rig.status("platform").last_error.is_some_and(|e| e.contains("disk full"))).await;
    rig.log.broken.store(false, Ordering::Relaxed);
    eventually("it goes on", || rig.log.cursor_at("platform", Lane::Alerts) == 2).await;
    eventually("it is well", || rig.status("platform").state == LaneState::Flowing).await;
    assert_eq!(double.lock().unwrap().order, ids(1..=2));
    assert_eq!(rig.log.receipts.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn heartbeats_tell_the_queue() {
    let (rig, double) = platform_rig(MemoryLog::new()).await;
    rig.log.commit_entries((1..=4).map(|p| entry(p, "climate-2", 800)));
    eventually("a heartbeat with the new position", || {
        double.lock().unwrap().heartbeats.iter().any(|h| h["data"]["position"] == 4 && h["data"]["healthy"] == true)
    })
    .await;
    let beat = double.lock().unwrap().heartbeats.last().unwrap().clone();
    assert_eq!((beat["type"].as_str(), beat.get("sequence")), (Some("cn.tuoan.heartbeat.v1"), None));
    assert_eq!(beat["data"]["queue"], serde_json::json!({"alerts": 0, "metrics": 0}));
}

#[tokio::test]
async fn alerts_overtake_a_backlog_of_metrics() {
    let log = MemoryLog::new();
    log.commit_entries((1..=20_000).map(|p| entry(p, "climate-2", 800)));
    let (points, alerts) = (influx::Double::default(), platform::Double::default());
    let metrics_url = influx::serve(points.clone(), "").await;
    let (alerts_url, _server) = platform::serve(alerts.clone(), any_port()).await;
    points.lock().unwrap().overloaded = true;
    let rig = Rig::start(log, &[platform_sink(&alerts_url, TOKEN), influx_sink(&metrics_url)]);
    eventually("the backlog stands", || rig.status("influx").last_error.is_some()).await;
    rig.log.commit_events([event(1)]);
    eventually("the alert is through", || alerts.lock().unwrap().order.len() == 1).await;
    assert_eq!((rig.status("influx").queue_messages, points.lock().unwrap().points.len()), (20_000, 0));
    assert!(rig.status("influx").queue_bytes > 1_000_000);
    points.lock().unwrap().overloaded = false;
    eventually("then the metrics", || rig.log.cursor_at("influx", Lane::Metrics) == 20_000).await;
    assert_eq!(points.lock().unwrap().points.len(), 20_000);
}

/// `count` messages of which those of `bad` cannot be taken; what of them was set aside, and the requests it took.
async fn with_bad_lines(rig: Rig, double: influx::Double, count: u64, bad: &[u64]) -> usize {
    rig.log.commit_entries((1..=count).map(|p| entry(p, if bad.contains(&p) { "broken-1" } else { "climate-2" }, 800)));
    eventually("the cursor passes them", || rig.log.cursor_at("influx", Lane::Metrics) == count).await;
    let aside: Vec<u64> = rig.log.aside.lock().unwrap().iter().map(|s| s.at).collect();
    assert_eq!(aside, bad);
    assert_eq!(rig.status("influx").set_aside, bad.len() as u64);
    let state = double.lock().unwrap();
    assert_eq!(state.points.len(), count as usize - bad.len());
    assert!(state.points.values().all(|p| p.tags.contains(&("device".into(), "climate-2".into()))));
    state.requests
}

#[tokio::test]
async fn a_line_that_influxdb_cannot_parse_is_found_by_halving() {
    let (rig, double) = influx_rig("").await;
    double.lock().unwrap().malformed = vec!["broken-1".into()];
    let requests = with_bad_lines(rig, double, 1_000, &[1, 500, 1_000]).await;
    assert!(requests < 80, "{requests} requests");
}

#[tokio::test]
async fn a_named_line_is_found_at_once() {
    let (rig, double) = influx_rig("").await;
    double.lock().unwrap().malformed = vec!["broken-1".into()];
    double.lock().unwrap().names_line = true;
    let requests = with_bad_lines(rig, double, 1_000, &[7, 800]).await;
    assert!(requests < 12, "{requests} requests");
}

#[tokio::test]
async fn a_partial_write_sets_only_the_conflicting_lines_aside() {
    // Behind a path: the other transport.
    let (rig, double) = influx_rig("/metrics").await;
    double.lock().unwrap().conflicting = vec!["broken-1".into()];
    with_bad_lines(rig, double, 64, &[3, 4]).await;
}

#[tokio::test]
async fn bodies_too_large_shrink() {
    let (rig, double) = influx_rig("").await;
    double.lock().unwrap().body_max = Some(1_000);
    with_bad_lines(rig, double, 200, &[]).await;
}

#[tokio::test]
async fn what_is_no_influxdb_gets_nothing_set_aside() {
    let (rig, double) = influx_rig("").await;
    double.lock().unwrap().foreign = true;
    rig.log.commit_entries((1..=3).map(|p| entry(p, "climate-2", 800)));
    eventually("refused", || rig.status("influx").state == LaneState::Refused).await;
    assert!(rig.status("influx").last_error.unwrap().contains("is there an InfluxDB v2 API"));
    double.lock().unwrap().foreign = false;
    eventually("it goes on", || rig.log.cursor_at("influx", Lane::Metrics) == 3).await;
    assert!(rig.log.aside.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_bucket_is_shown_and_nothing_is_given_up() {
    let double = influx::Double::default();
    let url = influx::serve(double.clone(), "").await;
    let config = InfluxConfig { bucket: "other".into(), ..influx_config(&url) };
    let log = MemoryLog::new();
    log.commit_entries([entry(1, "climate-2", 800)]);
    let rig = Rig::start(log, &[Arc::new(Influx::new(&config, directory()).unwrap())]);
    eventually("refused", || rig.status("influx").state == LaneState::Refused).await;
    assert!(rig.status("influx").last_error.unwrap().contains("bucket not found"));
    assert_eq!(rig.log.cursor_at("influx", Lane::Metrics), 0);
}

#[tokio::test]
async fn what_cannot_be_committed_goes_out_unrecorded_and_comes_again_as_a_duplicate() {
    #[derive(Default)]
    struct Link(std::sync::Mutex<Vec<String>>);
    #[async_trait::async_trait]
    impl CommandLink for Link {
        async fn publish(&self, topic: &str, payload: &[u8]) -> Result<(), LinkError> {
            self.0.lock().unwrap().push(format!("{topic} {}", String::from_utf8_lossy(payload)));
            Ok(())
        }
    }
    let double = platform::Double::default();
    double.lock().unwrap().mood = platform::Mood::Overloaded;
    let (url, _server) = platform::serve(double.clone(), any_port()).await;
    let sinks = [platform_sink(&url, TOKEN)];
    let mut rig = Rig::start(MemoryLog::new(), &sinks);
    rig.log.broken.store(true, Ordering::Relaxed);
    let (urgent, queue) = mpsc::channel(8);
    let link = Arc::new(Link::default());
    let sounders = outbox::tests::sounders();
    rig.delivery.start_emergency(queue, &sinks, link.clone(), sounders, tokio::sync::mpsc::channel(8).0, &mut rig.tasks);
    urgent.send(Emergency::Event(Box::new(event(1)))).await.unwrap();
    urgent.send(Emergency::Command(outbox::tests::siren(9, T0 + 60_000))).await.unwrap();
    let before = double.lock().unwrap().requests;
    eventually("it is tried", || double.lock().unwrap().requests > before + 2).await;
    double.lock().unwrap().mood = platform::Mood::Well;
    eventually("it is there", || double.lock().unwrap().order == ids([1])).await;
    assert_eq!(double.lock().unwrap().events[event(1).id.as_str()]["data"]["unrecorded"], true);
    eventually("the siren is told, more than once", || link.0.lock().unwrap().len() > 1).await;
    assert!(link.0.lock().unwrap()[0].starts_with("tuoan/v1/xingyuan/siren-1/command {\"v\":1,"));
    rig.log.broken.store(false, Ordering::Relaxed);
    rig.log.commit_events([event(1), event(2)]);
    eventually("the regular lane follows", || rig.log.cursor_at("platform", Lane::Alerts) == 2).await;
    let state = double.lock().unwrap();
    assert_eq!((state.order.clone(), state.duplicates), (ids([1, 2]), 1));
}
