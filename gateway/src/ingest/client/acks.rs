//! Acknowledges in the order of arrival, each message after its commit.
use super::shared::{Epoch, Shared};
use crate::ingest::Stored;
use rumqttc::ManualAck;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};

/// An acknowledgement that waits for its commit.
pub(super) struct Waiting {
    pub(super) epoch: Epoch,
    pub(super) ack: ManualAck,
    pub(super) stored: oneshot::Receiver<Stored>,
}

/// Runs until the poll task is gone. One task for all messages: commits come in the order of arrival, so waiting for the first is no loss.
pub(super) async fn run(shared: Arc<Shared>, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    while let Some(Waiting { epoch, ack, stored }) = waiting.recv().await {
        match stored.await.unwrap_or(Stored::No) {
            Stored::Yes => shared.acknowledge(epoch, ack),
            Stored::No => shared.not_stored(epoch),
        }
        shared.unacknowledged.fetch_sub(1, Ordering::Relaxed);
    }
}
