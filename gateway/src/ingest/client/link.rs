//! The poll task: drives the connection, hands messages over, reconnects.
//!
//! What must hold: this task never waits for anything but the connection and room in the queue, and never sends requests that can block.
//! While the queue is full, messages go to a bounded overflow and the connection is still driven, so that pings go out: the broker's
//! window of unacknowledged messages ends the flow of QoS 1 and 2. Only when the overflow is full too (a flood of QoS 0, or a very
//! wide window) is the socket left unread; the broker may then cut the connection, and sends again what was not acknowledged.
use super::acks::Waiting;
use super::backoff::Backoff;
use super::echo::Echoes;
use super::shared::{Epoch, Shared};
use crate::clock::Clock;
use crate::ingest::broker::longest;
use crate::ingest::frames::Arrival;
use crate::ingest::{Ack, FrameDesk, Inbound, InboundSender};
use rumqttc::{ConnectionError, Event, EventLoop, Outgoing, Packet, Publish, QoS};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Messages and bytes of the overflow.
const OVERFLOW: usize = 4096;
const OVERFLOW_BYTES: usize = 8 << 20;

pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) events: EventLoop,
    pub(super) intake: Intake,
    pub(super) backoff: Backoff,
}

/// Everything but the connection itself, so that a message can be handed over while the connection is being polled.
pub(super) struct Intake {
    pub(super) shared: Arc<Shared>,
    /// `None` once the gateway stops: nothing more is taken in.
    pub(super) inbound: Option<InboundSender>,
    pub(super) frames: FrameDesk,
    pub(super) clock: Clock,
    pub(super) acks: mpsc::UnboundedSender<Waiting>,
    pub(super) echoes: Arc<Echoes>,
    pub(super) overflow: VecDeque<Inbound>,
    pub(super) overflow_bytes: usize,
    pub(super) epoch: Epoch,
    /// QoS 2 messages that we have confirmed (PUBREC) and the broker has not released: a repeat of one is answered by rumqttc.
    pub(super) confirmed: BTreeSet<u16>,
    /// The last connection was dropped because a message could not be stored, and none has been stored since.
    pub(super) rejecting: bool,
}

enum Step {
    Event(Result<Event, ConnectionError>),
    Drop,
}

impl Link {
    /// Runs until [`super::Client::shutdown`] has said goodbye to the broker.
    pub(super) async fn run(mut self) {
        loop {
            match self.step().await {
                Step::Event(Ok(event)) => self.event(event),
                Step::Event(Err(ConnectionError::RequestsDone)) => return,
                Step::Event(Err(error)) => {
                    if self.shared.closing.is_cancelled() {
                        return;
                    }
                    self.reconnect(&error.to_string()).await;
                }
                Step::Drop => {
                    self.intake.rejecting = true;
                    self.reconnect("a message could not be stored, therefore it is asked for again").await;
                }
            }
        }
    }

    async fn step(&mut self) -> Step {
        let Link { shared, events, intake, .. } = self;
        // Dropping a half-finished poll may lose an acknowledgement that it has taken up: it is kept until it is done.
        let poll = events.poll();
        tokio::pin!(poll);
        loop {
            let room = intake.has_room();
            tokio::select! {
                biased;
                () = intake.drain_one(), if !intake.overflow.is_empty() => {}
                event = &mut poll, if room => return Step::Event(event),
                () = shared.drop_connection.notified() => return Step::Drop,
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Incoming(Packet::Publish(publish)) => self.intake.message(publish),
            Event::Outgoing(Outgoing::PubAck(_)) => self.progress(),
            Event::Outgoing(Outgoing::PubRec(id)) => {
                self.progress();
                self.intake.confirmed.insert(id);
            }
            Event::Incoming(Packet::PubRel(release)) => {
                self.intake.confirmed.remove(&release.pkid);
            }
            Event::Incoming(Packet::ConnAck(answer)) => {
                if !answer.session_present {
                    self.intake.confirmed.clear();
                }
                self.intake.epoch = self.shared.up();
                tracing::info!(session_present = answer.session_present, "connected to the broker");
            }
            Event::Incoming(Packet::SubAck(_)) if !self.intake.rejecting => self.backoff.reset(),
            _ => {}
        }
    }

    fn progress(&mut self) {
        if self.intake.rejecting {
            self.intake.rejecting = false;
            self.backoff.reset();
        }
    }

    async fn reconnect(&mut self, reason: &str) {
        // In this order: from `lost` on no acknowledgement of the old connection can be queued, and `clean` throws away those that are.
        self.shared.lost(reason.to_owned());
        self.events.clean();
        let wait = self.backoff.next();
        tracing::warn!(reason, wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), "no connection to the broker");
        let pause = tokio::time::sleep(wait);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = self.intake.drain_one(), if !self.intake.overflow.is_empty() => {}
                () = &mut pause => return,
                () = self.shared.closing.cancelled() => return,
            }
        }
    }
}

impl Intake {
    fn has_room(&self) -> bool {
        self.overflow.len() < OVERFLOW && self.overflow_bytes < OVERFLOW_BYTES
    }

    /// Waits for room in the queue and moves the oldest message of the overflow there. Losing the race against another branch of a
    /// `select!` loses no message: it is taken out only when there is room.
    async fn drain_one(&mut self) {
        if self.shared.closing.is_cancelled() {
            self.inbound = None;
        }
        let Some(inbound) = &self.inbound else {
            self.overflow.clear();
            self.overflow_bytes = 0;
            return;
        };
        let Ok(permit) = inbound.reserve().await else {
            self.overflow.clear();
            self.overflow_bytes = 0;
            return;
        };
        if let Some(message) = self.overflow.pop_front() {
            self.overflow_bytes = self.overflow_bytes.saturating_sub(message.payload.len());
            permit.send(message);
        }
    }

    fn message(&mut self, publish: Publish) {
        self.shared.counters.received.fetch_add(1, Ordering::Relaxed);
        let topic = String::from_utf8_lossy(&publish.topic);
        let ack = self.shared.client().prepare_ack(&publish);
        if publish.qos == QoS::ExactlyOnce && self.confirmed.contains(&publish.pkid) {
            return;
        }
        let hand_over = |ack| {
            if let Some(ack) = ack {
                self.shared.acknowledge(self.epoch, ack);
            }
        };
        if topic.starts_with("$SYS/") {
            self.shared.report().learn(&topic, &publish.payload);
            return hand_over(ack);
        }
        if self.frames.takes(&topic, &publish.payload) {
            // A frame that is refused would be refused again: it is acknowledged too.
            if let Err(reason) = self.frames.put(&topic, publish.payload, Arrival::now(&self.clock, publish.retain)) {
                tracing::debug!(%reason, "frame refused");
            }
            return hand_over(ack);
        }
        if self.echoes.is_ours(&topic, &publish.payload) {
            return hand_over(ack);
        }
        let most = longest(&topic);
        if publish.payload.len() > most {
            let count = self.shared.counters.oversize.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if count.is_power_of_two() {
                tracing::warn!(%topic, bytes = publish.payload.len(), count, "message ignored: longer than {most} bytes");
            }
            return hand_over(ack);
        }
        if self.shared.closing.is_cancelled() {
            // Not acknowledged: the broker keeps it for the next start.
            self.inbound = None;
            return;
        }
        let promise = match ack {
            None => Ack::none(),
            Some(ack) => {
                let (promise, stored) = Ack::channel();
                self.shared.unacknowledged.fetch_add(1, Ordering::Relaxed);
                if self.acks.send(Waiting { epoch: self.epoch, ack, stored }).is_err() {
                    self.shared.unacknowledged.fetch_sub(1, Ordering::Relaxed);
                }
                promise
            }
        };
        let qos = publish.qos as u8;
        self.queue(Inbound {
            topic: Arc::from(topic),
            payload: publish.payload,
            retained: publish.retain,
            qos,
            sender: None,
            ack: promise,
        });
    }

    fn queue(&mut self, message: Inbound) {
        let Some(inbound) = &self.inbound else { return };
        let message = if self.overflow.is_empty() {
            match inbound.try_send(message) {
                Ok(()) => return,
                Err(TrySendError::Closed(_)) => {
                    self.inbound = None;
                    return;
                }
                Err(TrySendError::Full(message)) => message,
            }
        } else {
            message
        };
        self.shared.counters.overflow.fetch_add(1, Ordering::Relaxed);
        self.overflow_bytes = self.overflow_bytes.saturating_add(message.payload.len());
        self.overflow.push_back(message);
    }
}
