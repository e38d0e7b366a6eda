//! The engine's thread: inbound queue -> decode -> step -> batch -> writer. See [`Handle`] for how others reach it.
use crate::clock::Clock;
use crate::decode::mapping::Mapping;
use crate::engine::Command;
use crate::engine::site::Site;
use crate::engine::view::View;
use crate::ingest::InboundSender;
use crate::metrics::Metrics;
use crate::store::{Committed, Emergency, Health, Ops, Options, Reader, StoreError};
use miette::Diagnostic;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tuoan_protocol::LogId;

/// What the pipeline needs to start.
pub struct PipelineConfig {
    /// Data directory; created if it is not there.
    pub data: PathBuf,
    pub site: Site,
    /// Rule packs as TOML text, in order of their names.
    pub rules: Vec<String>,
    pub mappings: Vec<Mapping>,
    pub clock: Clock,
    pub trust: Trust,
    pub store: Options,
}

/// When the clock is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// When the kernel says that it is synchronised.
    #[default]
    Kernel,
    /// Always: for a box whose clock is kept right by means that the kernel does not know of.
    Always,
}

/// Why the pipeline does not start, or stopped.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PipelineError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    #[error("replaying the log from position {position} gives other incidents than were stored: {detail}")]
    #[diagnostic(
        code(pipeline::diverged),
        help("This version of the engine cannot go on with this log. Run the version that wrote it, or start with another data directory.")
    )]
    Diverged { position: u64, detail: String },
    #[error("the thread {0:?} could not be started: {1}")]
    Thread(&'static str, String),
}

/// A running pipeline.
pub struct Pipeline {
    pub handle: Handle,
    /// Ends after [`Control::Drain`], or with what made it impossible to go on.
    pub thread: std::thread::JoinHandle<Result<(), PipelineError>>,
    /// What must go out although the disk does not take it.
    pub emergency: mpsc::Receiver<Emergency>,
}

/// Opens the store, recovers the engine's state from it and starts the two threads. Blocks for as long as the recovery takes.
pub fn spawn(_config: PipelineConfig) -> Result<Pipeline, PipelineError> {
    todo!()
}

/// Cheap to clone; what web, delivery, demo and the brokers hold of the running gateway.
#[derive(Clone)]
pub struct Handle {
    pub inbound: InboundSender,
    pub control: mpsc::Sender<Control>,
    pub view: watch::Receiver<Arc<View>>,
    pub committed: watch::Receiver<Committed>,
    pub health: watch::Receiver<Health>,
    pub reader: Reader,
    /// Cursors, receipts, outbox attempts, retained messages.
    pub ops: Ops,
    pub metrics: Arc<Metrics>,
    /// This gateway's log.
    pub log: LogId,
}

/// Requests to the engine's thread.
pub enum Control {
    /// Answered after the commit: the new position, or why not.
    Command { command: Command, reply: oneshot::Sender<Result<u64, &'static str>> },
    /// Let timers that are due by the clock's present time fire; answered after the commit.
    Tick { reply: oneshot::Sender<()> },
    /// Finish what is queued, write a snapshot, stop. Answered when all is on disk.
    Drain { reply: oneshot::Sender<()> },
}
