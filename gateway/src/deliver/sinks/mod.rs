//! What a sink is. To add one: a file beside this one, and a line in [`build`].
use super::batch::Batch;
use super::directory::Directory;
use super::log::Record;
use super::secret::Secret;
use crate::engine::LedgerDay;
use crate::store::{Health, Lane};
use async_trait::async_trait;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tuoan_protocol::EventId;

pub(crate) mod http;
pub mod influx;
pub mod platform;

/// The district platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformConfig {
    /// Base address, e.g. `https://tuoan.example.gov.cn`; events go to `<url>/v1/events`.
    pub url: String,
    /// This site's token.
    pub token: Secret,
    /// False for a plain CloudEvents receiver: any 2xx then means that it has taken the whole batch.
    #[serde(default = "yes")]
    pub receipts: bool,
}

fn yes() -> bool {
    true
}

/// An InfluxDB v2 API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfluxConfig {
    /// Base address, e.g. `http://influx.lan:8086`; points go to `<url>/api/v2/write`.
    pub url: String,
    pub org: String,
    pub bucket: String,
    pub token: Secret,
    #[serde(default = "reading")]
    pub measurement: String,
}

fn reading() -> String {
    "reading".into()
}

/// What is wrong with a sink's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{sink}] {field}: {problem}")]
pub struct SinkError {
    pub sink: &'static str,
    pub field: &'static str,
    pub problem: String,
}

/// The receiver's word for one parcel of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Index in the batch.
    pub index: usize,
    /// As the receiver gave it.
    pub receipt: String,
    /// UTC milliseconds by the receiver's clock.
    pub received_at: i64,
}

/// A parcel that the receiver does not want, though it took the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Index in the batch.
    pub index: usize,
    pub reason: String,
    /// The receiver holds something else under this id, so its sequence has no hole and needs no tombstone.
    pub held: bool,
}

/// The receiver has answered for every parcel: those not rejected are delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    pub receipts: Vec<Receipt>,
    pub rejected: Vec<Rejection>,
}

/// Why a batch is not delivered. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not reached, overloaded or out of order: try the same again, not before `after` if the receiver named a time.
    #[error("{reason}")]
    Retry { reason: String, after: Option<Duration> },
    /// The receiver will never take one of these records; `index` is its guess which. Of the others nothing is known.
    #[error("{reason}")]
    Poison { index: Option<usize>, reason: String },
    /// More than the receiver takes at once.
    #[error("{reason}")]
    TooLarge { reason: String },
    /// Token or address are wrong: a person has to act; tried again all the same.
    #[error("{reason}")]
    Refused { reason: String },
}

/// The record cannot be said in the sink's language; the text says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsayable(pub String);

/// A place in the alert lane that stays empty.
#[derive(Debug, Clone, Copy)]
pub struct Absent<'a> {
    pub sequence: u64,
    /// `None` when not even that could be read.
    pub id: Option<&'a EventId>,
    /// UTC milliseconds.
    pub at: i64,
    pub reason: &'a str,
}

/// Sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// UTC milliseconds.
    pub at: i64,
    pub position: u64,
    pub queue_alerts: u64,
    pub queue_metrics: u64,
    pub healthy: bool,
    pub clock_trusted: bool,
}

impl Heartbeat {
    pub fn healthy(health: &Health) -> bool {
        *health == Health::Healthy
    }
}

#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Name of its cursors in the store; never changes.
    fn name(&self) -> &'static str;
    /// The lanes it wants.
    fn lanes(&self) -> &'static [Lane];
    /// Appends the record; appends nothing when there is nothing in it for this sink.
    fn encode(&self, record: Record<'_>, to: &mut Vec<u8>) -> Result<(), Unsayable>;
    /// Appends what stands in the place of a record set aside; by default nothing, for receivers that do not count.
    fn tombstone(&self, _absent: Absent<'_>, _to: &mut Vec<u8>) {}
    /// Delivers a batch that is not empty. Cancel-safe in that a repeat does no harm.
    async fn send(&self, lane: Lane, batch: &Batch) -> Result<Sent, SendError>;
    /// Says that this gateway lives, where the receiver wants to know.
    async fn heartbeat(&self, _beat: &Heartbeat) -> Result<(), SendError> {
        Ok(())
    }
    /// Hands over a closed day of the coverage ledger, where the receiver keeps them. A repeat does no harm.
    async fn coverage_day(&self, _day: &LedgerDay) -> Result<(), SendError> {
        Ok(())
    }
}

/// The configured sinks, or everything that is wrong with their configuration.
pub fn build(
    platform: Option<&PlatformConfig>,
    influx: Option<&InfluxConfig>,
    directory: &watch::Receiver<Arc<Directory>>,
) -> Result<Vec<Arc<dyn Sink>>, Vec<SinkError>> {
    let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
    let mut problems = Vec::new();
    if let Some(config) = platform {
        match platform::Platform::new(config, directory.clone()) {
            Ok(sink) => sinks.push(Arc::new(sink)),
            Err(problem) => problems.push(problem),
        }
    }
    if let Some(config) = influx {
        match influx::Influx::new(config, directory.clone()) {
            Ok(sink) => sinks.push(Arc::new(sink)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(sinks) } else { Err(problems) }
}
