//! The engine's thread: inbound queue -> decode -> step -> batch -> writer. See [`Handle`] for how others reach it.
use crate::engine::view::View;
use crate::engine::Command;
use crate::ingest::InboundSender;
use crate::store::{Committed, Health, Reader};
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// Cheap to clone; what web, delivery, demo and the brokers hold of the running gateway.
#[derive(Clone)]
pub struct Handle {
    pub inbound: InboundSender,
    pub control: tokio::sync::mpsc::Sender<Control>,
    pub view: watch::Receiver<Arc<View>>,
    pub committed: watch::Receiver<Committed>,
    pub health: watch::Receiver<Health>,
    pub reader: Reader,
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
