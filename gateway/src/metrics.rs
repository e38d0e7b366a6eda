//! What the gateway counts, for `/metrics` (Prometheus text format). Names end in their unit; counters count from the start of the process.
use crate::deliver::status::{self, DeliveryStatus};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

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
        let broker_dropped = counter("broker_dropped_messages", "Messages that the outside broker says it has dropped");
        let commits = counter("commits", "Transactions committed");
        let commit_failures = counter("commit_failures", "Transactions that the disk did not take; each is retried");
        let commit_seconds = Histogram::new([0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0]);
        r.register_with_unit(
            "commit_duration",
            "From the start of a transaction to its end on disk",
            Unit::Seconds,
            commit_seconds.clone(),
        );
        let inbound_queue = Gauge::default();
        r.register("inbound_queue_messages", "Messages waiting between broker and pipeline", inbound_queue.clone());
        let disk_healthy = Gauge::default();
        disk_healthy.set(1);
        r.register("disk_healthy", "1 while commits succeed, 0 while they fail", disk_healthy.clone());
        let estimating = Gauge::default();
        r.register("estimating", "1 while the model looks at the rooms, else 0", estimating.clone());
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
            broker_dropped,
            commits,
            commit_failures,
            commit_seconds,
            inbound_queue,
            disk_healthy,
            estimating,
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
