//! What the client's tasks share: which connection is the present one, and what is known about the broker.
use super::report::BrokerReport;
use rumqttc::{AsyncClient, ManualAck};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Numbers the connections; an acknowledgement belongs to the connection on which its message came.
pub(super) type Epoch = u64;

pub(super) struct Shared {
    client: AsyncClient,
    /// The present connection, 0 while there is none. Its lock is held while an acknowledgement is queued: after [`Shared::lost`] none
    /// of an older connection can enter the event loop any more.
    epoch: Mutex<Connection>,
    /// Tells the subscriber of each new connection.
    pub(super) connected: watch::Sender<Epoch>,
    /// Asks the poll task to drop the connection, so that the broker sends again what was not stored.
    pub(super) drop_connection: Notify,
    pub(super) closing: CancellationToken,
    /// Messages whose acknowledgement is still to come.
    pub(super) unacknowledged: AtomicUsize,
    pub(super) counters: Counters,
    report: Mutex<BrokerReport>,
}

#[derive(Default)]
struct Connection {
    last: Epoch,
    present: Epoch,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) received: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) unstored: AtomicU64,
    pub(super) oversize: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) overflow: AtomicU64,
}

impl Shared {
    pub(super) fn new(client: AsyncClient) -> Shared {
        Shared {
            client,
            epoch: Mutex::default(),
            connected: watch::Sender::new(0),
            drop_connection: Notify::new(),
            closing: CancellationToken::new(),
            unacknowledged: AtomicUsize::new(0),
            counters: Counters::default(),
            report: Mutex::default(),
        }
    }

    pub(super) fn client(&self) -> &AsyncClient {
        &self.client
    }

    /// A connection is up: the acknowledgements of its messages carry the returned number.
    pub(super) fn up(&self) -> Epoch {
        let epoch = {
            let mut connection = self.connection();
            connection.last = connection.last.saturating_add(1);
            connection.present = connection.last;
            connection.present
        };
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let mut report = self.report();
        report.connected = true;
        report.last_error = None;
        report.denied.clear();
        drop(report);
        self.connected.send_replace(epoch);
        epoch
    }

    /// The connection is gone, or about to be dropped.
    pub(super) fn lost(&self, reason: String) {
        self.connection().present = 0;
        let mut report = self.report();
        report.connected = false;
        report.last_error = Some(reason);
    }

    pub(super) fn is_up(&self) -> bool {
        self.connection().present != 0
    }

    /// Queues an acknowledgement unless its connection is gone: then the broker sends the message again by itself, and the packet
    /// identifier may already stand for another one.
    pub(super) fn acknowledge(&self, epoch: Epoch, ack: ManualAck) {
        let connection = self.connection();
        let counter = if connection.present == epoch && self.client.try_manual_ack(ack).is_ok() {
            &self.counters.acknowledged
        } else {
            &self.counters.stale
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A message of connection `epoch` was not stored: drop that connection, for MQTT 3.1.1 sends again only on the next one.
    pub(super) fn not_stored(&self, epoch: Epoch) {
        self.counters.unstored.fetch_add(1, Ordering::Relaxed);
        let mut connection = self.connection();
        if connection.present == epoch && !self.closing.is_cancelled() {
            connection.present = 0;
            self.drop_connection.notify_one();
        }
    }

    pub(super) fn report(&self) -> MutexGuard<'_, BrokerReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
