//! The ways in (`broker.rs`: the embedded broker; `client.rs`: an outside broker; `hikvision.rs`: event streams by HTTP), one [`Inbound`].
//!
//! What must hold: an MQTT acknowledgement goes out only after [`Ack::done`] was called with [`Stored::Yes`]; queues are bounded, so a slow
//! disk pushes back on the broker and memory does not grow.
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

pub mod broker;
pub mod client;
pub mod filter;
pub mod frames;
pub mod hikvision;
pub mod own;
pub mod retained;

pub use frames::FrameDesk;
pub use retained::{MemoryRetained, RetainedMessage, RetainedStore};

/// One MQTT message on its way in.
#[derive(Debug)]
pub struct Inbound {
    pub topic: Arc<str>,
    pub payload: Bytes,
    /// It was lying in the broker when we subscribed: state, never news.
    pub retained: bool,
    pub qos: u8,
    /// Client id of the sender where it is known (embedded broker), for the quarantine's and the audit's sake.
    pub sender: Option<Arc<str>>,
    pub ack: Ack,
}

/// What became of a message, as the broker needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// On disk with everything it caused, or recognised as a repeat of something on disk, or in the quarantine: acknowledge it.
    Yes,
    /// Not stored: do not acknowledge, the sender keeps it.
    No,
}

/// The promise to tell the sender. Dropping it unanswered counts as [`Stored::No`]. It lives as long as the message does, so it also holds the
/// message's share of the memory that may be on its way.
#[derive(Debug)]
pub struct Ack {
    tell: Option<oneshot::Sender<Stored>>,
    _share: Option<OwnedSemaphorePermit>,
}

impl Ack {
    /// For QoS 0 and for messages that nobody waits for.
    pub fn none() -> Ack {
        Ack { tell: None, _share: None }
    }
    pub fn channel() -> (Ack, oneshot::Receiver<Stored>) {
        let (tx, rx) = oneshot::channel();
        (Ack { tell: Some(tx), _share: None }, rx)
    }
    /// Gives the share back when the message is done with.
    pub fn holding(self, share: OwnedSemaphorePermit) -> Ack {
        Ack { _share: Some(share), ..self }
    }
    pub fn done(self, stored: Stored) {
        if let Some(tx) = self.tell {
            let _ = tx.send(stored);
        }
    }
}

/// The bounded queue between the brokers' tasks and the pipeline's thread.
pub type InboundSender = mpsc::Sender<Inbound>;
/// Room in that queue. Full: QoS 0 and QoS 1 senders alike wait.
pub const INBOUND_QUEUE: usize = 2048;
