//! What the parts count and refuse, once a second: to the metrics, the log and the quarantine.
use super::intake::Intake;
use crate::clock::Clock;
use crate::deliver::Deliveries;
use crate::ingest::client::Advice;
use crate::ingest::frames::FrameDesk;
use crate::pipeline::{Control, Handle};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Puts the reasons for which frames were refused into the quarantine.
pub(super) async fn tell_refusals(handle: Handle, frames: FrameDesk, clock: Clock, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        let list = frames.refusals(clock.monotonic_ms());
        for r in &list {
            tracing::warn!(topic = %r.topic, count = r.count, "camera frame refused: {}", r.reason);
        }
        if !list.is_empty() && handle.control.send(Control::Refused(list)).await.is_err() {
            return;
        }
    }
}

/// Copies what the parts count into the metrics, once a second.
pub(super) async fn watch_metrics(
    handle: Handle,
    deliveries: Deliveries,
    intake: Arc<Intake>,
    frames: FrameDesk,
    shutdown: CancellationToken,
) {
    let mut seen = Seen::default();
    loop {
        let refused = match &*intake {
            Intake::Embedded(b) => b.stats().refused,
            Intake::Outside(c) => {
                let report = c.report();
                Seen::raise(&mut seen.dropped, report.dropped_since, &handle.metrics.broker_dropped);
                seen.advise(report.advice());
                c.stats().oversize
            }
        };
        let f = frames.counts();
        let m = &handle.metrics;
        Seen::raise(&mut seen.refused, refused, &m.refused);
        Seen::raise(&mut seen.frames, f.accepted, &m.frames);
        Seen::raise(&mut seen.frames_dropped, f.replaced, &m.frames_dropped);
        Seen::raise(&mut seen.frames_thinned, f.thinned, &m.frames_thinned);
        Seen::raise(&mut seen.frames_refused, f.refused.saturating_add(f.stale), &m.frames_refused);
        m.deliveries(&deliveries.status());
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// What has been copied into counters, which only ever grow.
#[derive(Default)]
struct Seen {
    refused: u64,
    frames: u64,
    frames_dropped: u64,
    frames_thinned: u64,
    frames_refused: u64,
    dropped: u64,
    advice: Vec<Advice>,
}

impl Seen {
    /// An outside broker that loses messages, or may, is an advisory: said once, and again when it has changed.
    fn advise(&mut self, advice: Vec<Advice>) {
        for new in advice.iter().filter(|a| !self.advice.contains(a)) {
            tracing::warn!("outside broker: {new}");
        }
        self.advice = advice;
    }

    fn raise(seen: &mut u64, now: u64, counter: &prometheus_client::metrics::counter::Counter) {
        counter.inc_by(now.saturating_sub(*seen));
        *seen = now.max(*seen);
    }
}
