//! What the gateway counts, for `/metrics` (Prometheus text format). Names end in their unit; counters count from the start of the process.
use crate::deliver::status::{self, DeliveryStatus};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SeverityLabel {
    pub severity: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LaneLabel {
    pub sink: String,
    pub lane: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabel {
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabel {
    pub stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CameraLabel {
    pub camera: String,
    pub quantile: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabel {
    pub source: String,
    pub cause: &'static str,
}

/// All of them; shared by an `Arc`. A part of the gateway that is not running leaves its own at 0.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// MQTT messages that reached the pipeline.
    pub received: Counter,
    /// Of those, committed to the log.
    pub stored: Counter,
    /// Redeliveries recognised.
    pub duplicate: Counter,
    pub quarantined: Counter,
    /// Refused before the pipeline: not authorised, too large.
    pub refused: Counter,
    /// Camera frames taken, and those overwritten by a newer one before anybody looked.
    pub frames: Counter,
    pub frames_dropped: Counter,
    /// Left out because their camera sends more than it may; and those that are no whole picture of a camera's, or old.
    pub frames_thinned: Counter,
    pub frames_refused: Counter,
    /// Looked at by the models; passed over because nothing had moved; and looks that failed.
    pub frames_looked: Counter,
    pub frames_still: Counter,
    pub looks_failed: Counter,
    /// From a frame's arrival to what it shows.
    pub look_lag: Histogram,
    /// The same of each camera: median and 95th percentile of its last looks.
    pub camera_lag: Family<CameraLabel, Gauge<f64, AtomicU64>>,
    /// Time spent on frames, by stage: decode, check (blindness and motion), look (the models), scene.
    pub vision_seconds: Family<StageLabel, Counter<f64, AtomicU64>>,
    /// 1 while the models look at too few frames.
    pub overloaded: Gauge,
    /// Threads that have their models loaded, and those that were given up for hanging.
    pub workers: Gauge,
    pub workers_replaced: Counter,
    /// Times that the watch over the cameras had to be begun anew.
    pub watch_restarts: Counter,
    /// What was seen and the engine had no room for.
    pub observations_untaken: Counter,
    /// Requests for a picture without leave: answered 403.
    pub pictures_refused: Counter,
    /// Pictures given out to who had leave.
    pub pictures_shown: Counter,
    /// Originals sealed as evidence, and attempts to write them that failed.
    pub evidence_sealed: Counter,
    pub evidence_failed: Counter,
    /// Incidents whose originals were deleted.
    pub evidence_deleted: Counter,
    /// Bytes of evidence on disk.
    pub evidence_bytes: Gauge,
    /// Of an outside broker, by its own word (`$SYS`): messages it has dropped.
    pub broker_dropped: Counter,
    pub commits: Counter,
    pub commit_failures: Counter,
    /// From the start of a transaction to its end on disk.
    pub commit_seconds: Histogram,
    /// Messages waiting between broker and pipeline.
    pub inbound_queue: Gauge,
    /// 1 while commits succeed, else 0.
    pub disk_healthy: Gauge,
    /// Removed from the log because they were old or had to make room, and incidents removed with their events.
    pub entries_removed: Counter,
    pub incidents_removed: Counter,
    /// What the store takes, and to what that may come.
    pub store_bytes: Gauge,
    pub store_allowed: Gauge,
    /// Records of the log that the district has witnessed, and whether it refuses it; written when they are asked for.
    pub witness_records: Gauge,
    pub witness_refused: Gauge,
    /// Hours until an undelivered record has to make room: `NaN` while that is not known.
    pub hours_left: Family<LaneLabel, Gauge<f64, AtomicU64>>,
    /// Records that had to make room before a sink had taken them.
    pub lost: Family<LaneLabel, Counter>,
    /// Starts of devices that nobody wanted, since the log began; written when they are asked for.
    pub node_resets: Family<ReasonLabel, Counter>,
    /// 1 while rooms are estimated, else 0.
    pub estimating: Gauge,
    /// Incidents not yet closed.
    pub incidents: Family<SeverityLabel, Gauge>,
    /// Records before each sink's cursor.
    pub backlog: Family<LaneLabel, Gauge>,
    pub delivered: Family<LaneLabel, Counter>,
    pub set_aside: Family<LaneLabel, Counter>,
    /// 1 while a device's event stream is open, or a network camera's frames come.
    pub sources: Family<SourceLabel, Gauge>,
    /// Of network cameras: frames taken, those that a newer one overtook on the way to the broker, and connections that ended, by cause.
    pub bridge_frames: Family<SourceLabel, Counter>,
    pub bridge_replaced: Family<SourceLabel, Counter>,
    pub bridge_failures: Family<FailureLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Metrics {
        let mut r = Registry::with_prefix("tuoan");
        let mut counter = |name: &str, help: &str| -> Counter {
            let c = Counter::default();
            r.register(name, help, c.clone());
            c
        };
        let received = counter("messages_received", "MQTT messages that reached the pipeline");
        let stored = counter("messages_stored", "MQTT messages committed to the log");
        let duplicate = counter("messages_duplicate", "Redelivered MQTT messages, recognised and dropped");
        let quarantined = counter("messages_quarantined", "MQTT messages that no decoder took or that were malformed");
        let refused = counter("messages_refused", "MQTT messages refused before the pipeline: not authorised or too large");
        let frames = counter("frames_received", "Camera frames taken");
        let frames_dropped = counter("frames_dropped", "Camera frames replaced by a newer one before they were used");
        let frames_thinned = counter("frames_thinned", "Camera frames left out because their camera sends more than it may");
        let frames_refused = counter("frames_refused", "Camera frames refused: broken, too large, old, or on a topic that is no camera's");
        let pictures_refused = counter("pictures_refused", "Requests for a camera's picture without leave, answered 403");
        let pictures_shown = counter("pictures_shown", "Pictures given out to who had leave to see them");
        let evidence_sealed = counter("evidence_sealed", "Original pictures sealed as evidence");
        let evidence_failed = counter("evidence_failed", "Attempts to write evidence that failed");
        let evidence_deleted = counter("evidence_deleted", "Incidents whose original pictures were deleted");
        let frames_looked = counter("frames_looked", "Camera frames that the models looked at");
        let frames_still = counter("frames_still", "Camera frames passed over because nothing had moved in them");
        let looks_failed = counter("looks_failed", "Looks at a camera frame that failed");
        let workers_replaced = counter("vision_workers_replaced", "Threads of the models that were given up because a look did not end");
        let watch_restarts = counter("vision_restarts", "Times that the watch over the cameras failed and was begun anew");
        let observations_untaken = counter("observations_untaken", "What was seen and the engine had no room for; it is said again");
        let broker_dropped = counter("broker_dropped_messages", "Messages that the outside broker says it has dropped");
        let commits = counter("commits", "Transactions committed");
        let commit_failures = counter("commit_failures", "Transactions that the disk did not take; each is retried");
        let entries_removed = counter("log_entries_removed", "Entries of the log removed because they were old or had to make room");
        let incidents_removed = counter("incidents_removed", "Closed incidents removed with their events because they were old");
        let commit_seconds = Histogram::new([0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0]);
        r.register_with_unit(
            "commit_duration",
            "From the start of a transaction to its end on disk",
            Unit::Seconds,
            commit_seconds.clone(),
        );
        let look_lag = Histogram::new([0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0]);
        r.register_with_unit("look_lag", "From a camera frame's arrival to what it shows", Unit::Seconds, look_lag.clone());
        let camera_lag = Family::default();
        r.register("camera_lag_seconds", "The same of each camera's last looks, by quantile", Family::clone(&camera_lag));
        let vision_seconds = Family::default();
        r.register("vision_seconds", "Time spent on camera frames, by stage", Family::clone(&vision_seconds));
        let overloaded = Gauge::default();
        r.register("vision_overloaded", "1 while the models look at fewer frames than they should", overloaded.clone());
        let workers = Gauge::default();
        r.register("vision_workers", "Threads of the models that work", workers.clone());
        let inbound_queue = Gauge::default();
        r.register("inbound_queue_messages", "Messages waiting between broker and pipeline", inbound_queue.clone());
        let disk_healthy = Gauge::default();
        disk_healthy.set(1);
        r.register("disk_healthy", "1 while commits succeed, 0 while they fail", disk_healthy.clone());
        let store_bytes = Gauge::default();
        r.register_with_unit("store_used", "What the store holds", Unit::Bytes, store_bytes.clone());
        let witness_records = Gauge::default();
        r.register("witness_records", "Records of the log that the district has witnessed", witness_records.clone());
        let witness_refused = Gauge::default();
        r.register("witness_refused", "1 while the district refuses to witness the log", witness_refused.clone());
        let store_allowed = Gauge::default();
        r.register_with_unit(
            "store_allowed",
            "To what that may come: the budget, or less on a full disk",
            Unit::Bytes,
            store_allowed.clone(),
        );
        let hours_left = Family::default();
        r.register(
            "delivery_hours_left",
            "Hours until the first undelivered record has to make room if nothing is delivered; NaN while not known",
            Family::clone(&hours_left),
        );
        let lost = Family::default();
        r.register("delivery_lost", "Records that had to make room before a sink had taken them", Family::clone(&lost));
        let estimating = Gauge::default();
        r.register("estimating", "1 while the model looks at the rooms, else 0", estimating.clone());
        let evidence_bytes = Gauge::default();
        r.register_with_unit("evidence", "Original pictures on disk, sealed", Unit::Bytes, evidence_bytes.clone());
        let node_resets = Family::default();
        r.register(
            "node_resets",
            "Starts of devices that nobody wanted, since the log began, by their own word",
            Family::clone(&node_resets),
        );
        let incidents = Family::default();
        r.register("incidents_open", "Incidents not yet closed, by severity (1 is the most urgent)", Family::clone(&incidents));
        let backlog = Family::default();
        r.register("delivery_backlog_records", "Records before each sink's cursor", Family::clone(&backlog));
        let delivered = Family::default();
        r.register("delivery_records", "Records that a sink has taken", Family::clone(&delivered));
        let set_aside = Family::default();
        r.register("delivery_set_aside", "Records that a sink cannot take", Family::clone(&set_aside));
        let sources = Family::default();
        r.register(
            "source_connected",
            "1 while a device's event stream is open or a network camera's frames come",
            Family::clone(&sources),
        );
        let bridge_frames = Family::default();
        r.register("bridge_frames", "Frames taken from a network camera", Family::clone(&bridge_frames));
        let bridge_replaced = Family::default();
        r.register("bridge_frames_replaced", "Frames that a newer one overtook on the way to the broker", Family::clone(&bridge_replaced));
        let bridge_failures = Family::default();
        r.register("bridge_failures", "Connections to a network camera that failed or ended, by cause", Family::clone(&bridge_failures));
        Metrics {
            registry: r,
            received,
            stored,
            duplicate,
            quarantined,
            refused,
            frames,
            frames_dropped,
            frames_thinned,
            frames_refused,
            frames_looked,
            frames_still,
            looks_failed,
            look_lag,
            camera_lag,
            vision_seconds,
            overloaded,
            workers,
            workers_replaced,
            watch_restarts,
            observations_untaken,
            pictures_refused,
            pictures_shown,
            evidence_sealed,
            evidence_failed,
            evidence_deleted,
            evidence_bytes,
            broker_dropped,
            commits,
            commit_failures,
            commit_seconds,
            inbound_queue,
            disk_healthy,
            entries_removed,
            incidents_removed,
            store_bytes,
            store_allowed,
            witness_records,
            witness_refused,
            hours_left,
            lost,
            estimating,
            node_resets,
            incidents,
            backlog,
            delivered,
            set_aside,
            sources,
            bridge_frames,
            bridge_replaced,
            bridge_failures,
        }
    }

    pub fn source_connected(&self, source: &str, connected: bool) {
        self.sources.get_or_create(&SourceLabel { source: source.to_owned() }).set(i64::from(connected));
    }

    /// A network camera has sent a frame; `replaced` is how many have been overtaken since the start.
    pub fn bridge_frame(&self, source: &str, replaced: u64) {
        let label = SourceLabel { source: source.to_owned() };
        self.bridge_frames.get_or_create(&label).inc();
        let counter = self.bridge_replaced.get_or_create(&label);
        counter.inc_by(replaced.saturating_sub(counter.get()));
    }

    /// A connection to a network camera has ended. How many have for this cause.
    pub fn bridge_failed(&self, source: &str, cause: &'static str) -> u64 {
        let counter = self.bridge_failures.get_or_create(&FailureLabel { source: source.to_owned(), cause });
        counter.inc().saturating_add(1)
    }

    /// One line about a network camera.
    pub fn bridge_report(&self, source: &str) -> String {
        let label = SourceLabel { source: source.to_owned() };
        let connected = self.sources.get_or_create(&label).get() == 1;
        let (frames, replaced) = (self.bridge_frames.get_or_create(&label).get(), self.bridge_replaced.get_or_create(&label).get());
        format!("{source}: {}, {frames} frames, {replaced} overtaken", if connected { "online" } else { "offline" })
    }

    /// Takes over how often devices of all kinds have started for that reason.
    pub fn resets(&self, reason: &'static str, all: u64) {
        let counter = self.node_resets.get_or_create(&ReasonLabel { reason });
        // A device that was forgotten takes its starts along: a counter never falls.
        counter.inc_by(all.saturating_sub(counter.get()));
    }

    /// Takes over what delivery counts; its figures since the start only ever grow.
    pub fn deliveries(&self, lanes: &[DeliveryStatus]) {
        for lane in lanes {
            let label = LaneLabel { sink: lane.sink.to_owned(), lane: status::name(lane.lane).to_owned() };
            self.backlog.get_or_create(&label).set(i64::try_from(lane.queue_messages).unwrap_or(i64::MAX));
            let raise = |counter: &Family<LaneLabel, Counter>, now: u64| {
                let counter = counter.get_or_create(&label);
                counter.inc_by(now.saturating_sub(counter.get()));
            };
            raise(&self.delivered, lane.sent);
            raise(&self.set_aside, lane.set_aside);
            raise(&self.lost, lane.lost);
            self.hours_left.get_or_create(&label).set(lane.hours_left.unwrap_or(f64::NAN));
        }
    }

    /// Prometheus text format (OpenMetrics), for `/metrics`.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// Content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_what_was_counted() {
        let m = Metrics::new();
        m.received.inc_by(3);
        m.commit_seconds.observe(0.0004);
        m.incidents.get_or_create(&SeverityLabel { severity: 1 }).set(2);
        let text = m.render();
        assert!(text.contains("tuoan_messages_received_total 3"), "{text}");
        assert!(text.contains("tuoan_commit_duration_seconds_bucket{le=\"0.0005\"} 1"), "{text}");
        assert!(text.contains("tuoan_incidents_open{severity=\"1\"} 2"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
