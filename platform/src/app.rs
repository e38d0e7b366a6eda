//! What every request handler shares.
use crate::auth::Readers;
use crate::clock::Clock;
use crate::config::ReceiptHook;
use crate::db::Db;
use crate::influx::Store;
use crate::intake::{Receipt, Status};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tuoan_dashboards::door::Door;
use tuoan_evidence::SigningKey;

#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub readers: Arc<Readers>,
    pub influx: Arc<Store>,
    pub clock: Clock,
    pub silent_after_ms: i64,
    /// Number of the district's present state: all that a live page is told.
    pub version: watch::Sender<u64>,
    pub door: Door,
    pub look: Arc<Look>,
    /// Countersigns the heads of sites' logs.
    pub key: SigningKey,
    pub counters: Arc<Counters>,
    pub on_receipt: Option<ReceiptHook>,
    /// Ends the streams of live pages, which would otherwise hold the server open.
    pub stop: CancellationToken,
}

impl App {
    /// Tells live pages that something changed.
    pub fn changed(&self) {
        self.version.send_modify(|v| *v = v.wrapping_add(1));
    }
}

/// How the pages present themselves.
#[derive(Debug)]
pub struct Look {
    pub district: String,
    pub utc_offset_minutes: i32,
    pub clock_speed: f64,
}

/// What `/metrics` shows, since the start.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    duplicate: AtomicU64,
    conflict: AtomicU64,
    rejected: AtomicU64,
    pub points: AtomicU64,
    pub points_refused: AtomicU64,
}

impl Counters {
    pub fn batches(&self, receipts: &[Receipt]) {
        for receipt in receipts {
            let counter = match receipt.status {
                Status::Accepted => &self.accepted,
                Status::Duplicate => &self.duplicate,
                Status::Conflict => &self.conflict,
                Status::Rejected => &self.rejected,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
    /// Prometheus text format.
    pub fn render(&self) -> String {
        let mut out = String::from(
            "# HELP tuoan_platform_events_total Events received, by what became of them.\n# TYPE tuoan_platform_events_total counter\n",
        );
        for (status, counter) in
            [("accepted", &self.accepted), ("duplicate", &self.duplicate), ("conflict", &self.conflict), ("rejected", &self.rejected)]
        {
            let _ = writeln!(out, "tuoan_platform_events_total{{status=\"{status}\"}} {}", counter.load(Ordering::Relaxed));
        }
        for (name, help, counter) in [
            ("tuoan_platform_points_total", "InfluxDB points stored.", &self.points),
            ("tuoan_platform_points_refused_total", "InfluxDB lines refused.", &self.points_refused),
        ] {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", counter.load(Ordering::Relaxed));
        }
        out
    }
}
