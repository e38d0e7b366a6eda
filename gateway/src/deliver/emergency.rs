//! A full disk never silences a fire: events of severity 1 that could not be committed for a second come here and go out at once, marked
//! unrecorded; so do their orders to sirens. When the store has them after all, the regular lane sends them again under the same id, which
//! the receiver knows as a duplicate.
use super::backoff::Backoff;
use super::batch::{Batch, Builder};
use super::log::Record;
use super::outbox::{CommandLink, order};
use super::scheduler::Delivery;
use super::sinks::Sink;
use super::sounders::Sounders;
use crate::engine::DeviceCommand;
use crate::notify::post::Unrecorded;
use crate::store::{Emergency, Lane};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tuoan_protocol::IncidentEvent;

/// Events and orders that are kept at most; the oldest give way. Severity 1 is rare: this is hours of it.
const KEPT: usize = 256;

impl Delivery {
    /// Starts the emergency path: a task for each sink that takes alerts, and one for the orders.
    pub fn start_emergency(
        &self,
        mut urgent: mpsc::Receiver<Emergency>,
        sinks: &[Arc<dyn Sink>],
        link: Arc<dyn CommandLink>,
        sounders: Arc<Sounders>,
        notices: mpsc::Sender<Unrecorded>,
        tasks: &mut JoinSet<()>,
    ) {
        let mut outlets = Vec::new();
        for sink in sinks.iter().filter(|s| s.lanes().contains(&Lane::Alerts)) {
            let (to, from) = mpsc::channel(KEPT);
            outlets.push(to);
            tasks.spawn(self.clone().deliver_unrecorded(sink.clone(), from));
        }
        let (orders, open) = mpsc::channel(KEPT);
        tasks.spawn(self.clone().order_unrecorded(link, sounders, open));
        let shutdown = self.shutdown.clone();
        tasks.spawn(async move {
            loop {
                let said = tokio::select! {
                    () = shutdown.cancelled() => return,
                    said = urgent.recv() => said,
                };
                match said {
                    Some(Emergency::Event(event)) => {
                        for outlet in &outlets {
                            // Full only when hundreds wait for a receiver that is down as well.
                            if outlet.try_send((*event).clone()).is_err() {
                                tracing::error!(event = %event.id, "too many unrecorded events wait; this one waits for the store");
                            }
                        }
                    }
                    Some(Emergency::Command(command)) => {
                        if orders.try_send(command).is_err() {
                            tracing::error!("too many unrecorded orders wait; this one waits for the store");
                        }
                    }
                    Some(Emergency::Notice(what)) => {
                        let (notice, event) = *what;
                        if notices.try_send(Unrecorded { notice, event }).is_err() {
                            tracing::error!("too many unrecorded notices wait; this one waits for the store");
                        }
                    }
                    None => return,
                }
            }
        });
    }

    async fn deliver_unrecorded(self, sink: Arc<dyn Sink>, mut from: mpsc::Receiver<IncidentEvent>) {
        let committed = self.log.committed();
        let mut backoff = Backoff::new(self.timing.backoff_base, self.timing.backoff_cap);
        let mut waiting: VecDeque<IncidentEvent> = VecDeque::new();
        let mut more = true;
        loop {
            if waiting.is_empty() {
                let event = tokio::select! {
                    () = self.shutdown.cancelled() => return,
                    event = from.recv() => event,
                };
                match event {
                    Some(event) => waiting.push_back(event),
                    None => return,
                }
            }
            while let Ok(event) = from.try_recv() {
                waiting.push_back(event);
            }
            while waiting.len() > KEPT {
                waiting.pop_front();
            }
            // Once committed, an event is the regular lane's.
            let recorded = committed.borrow().sequence;
            waiting.retain(|e| e.sequence > recorded);
            let batch = unrecorded(sink.as_ref(), &waiting);
            if batch.is_empty() {
                waiting.clear();
                continue;
            }
            let sent = tokio::select! {
                () = self.shutdown.cancelled() => return,
                sent = sink.send(Lane::Alerts, &batch) => sent,
            };
            match sent {
                Ok(sent) => {
                    tracing::warn!(sink = sink.name(), events = batch.len(), rejected = sent.rejected.len(), "sent unrecorded");
                    backoff.reset();
                    waiting.clear();
                }
                Err(e) => {
                    let wait = backoff.next(rand::random(), None);
                    tracing::error!(sink = sink.name(), events = batch.len(), error = %e, ?wait, "unrecorded events not delivered");
                    tokio::select! {
                        () = self.shutdown.cancelled() => return,
                        () = sleep(wait) => {}
                        // A further emergency does not wait for the last one's backoff.
                        event = from.recv(), if more => match event {
                            Some(event) => waiting.push_back(event),
                            None => more = false,
                        },
                    }
                }
            }
        }
    }

    /// Repeats each order until it expires. Whether it was confirmed cannot be known while the store stands still; a siren that is told
    /// twice to sound sounds.
    async fn order_unrecorded(self, link: Arc<dyn CommandLink>, sounders: Arc<Sounders>, mut from: mpsc::Receiver<DeviceCommand>) {
        let committed = self.log.committed();
        let mut open: VecDeque<DeviceCommand> = VecDeque::new();
        let mut more = true;
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                command = from.recv(), if more => match command {
                    Some(command) => {
                        let offset = committed.borrow().utc_offset;
                        order(link.as_ref(), &sounders, &command, offset).await;
                        // Repeated, an older order would undo it.
                        open.retain(|c| c.device != command.device);
                        open.push_back(command);
                        while open.len() > KEPT {
                            open.pop_front();
                        }
                    }
                    None if open.is_empty() => return,
                    None => more = false,
                },
                () = sleep(self.timing.repeat), if !open.is_empty() => {
                    let offset = committed.borrow().utc_offset;
                    let now = self.clock.utc_ms().saturating_sub(offset);
                    open.retain(|c| c.expires > now);
                    for command in &open {
                        order(link.as_ref(), &sounders, command, offset).await;
                    }
                    if open.is_empty() && !more { return }
                }
            }
        }
    }
}

fn unrecorded(sink: &dyn Sink, events: &VecDeque<IncidentEvent>) -> Batch {
    let mut builder = Builder::default();
    for event in events {
        let encoded = builder.push(event.sequence, Some(event.id.clone()), |to| sink.encode(Record::Event { event, unrecorded: true }, to));
        if let Err(e) = encoded {
            tracing::error!(event = %event.id, error = %e, "an unrecorded event cannot be said");
        }
    }
    builder.finish()
}
