//! Orders to devices (siren, beacon, valve). They are in the store, and are published until the store says that the device has confirmed,
//! or they expire: broker sessions live in memory only, and a radio link loses messages. A device may see an order twice; the number tells.
use super::log::LogError;
use super::scheduler::Delivery;
use super::sounders::Sounders;
use crate::engine::DeviceCommand;
use async_trait::async_trait;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// The order did not reach the broker; it is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LinkError(pub String);

/// Publishes to devices: through the embedded broker or the outside one.
#[async_trait]
pub trait CommandLink: Send + Sync + 'static {
    /// With QoS 1, not retained.
    async fn publish(&self, topic: &str, payload: &[u8]) -> Result<(), LinkError>;
}

impl Delivery {
    /// Sends every open order at once when it appears and then again every [`super::Timing::repeat`].
    pub async fn run_outbox(self, link: Arc<dyn CommandLink>, sounders: Arc<Sounders>) {
        let mut committed = self.log.committed();
        let mut seen = HashSet::new();
        let mut repeat_at = Instant::now();
        loop {
            let at = *committed.borrow_and_update();
            let now = self.clock.utc_ms().saturating_sub(at.utc_offset);
            let repeat = Instant::now() >= repeat_at;
            match self.send_open(link.as_ref(), &sounders, now, at.utc_offset, repeat, &mut seen).await {
                Ok(()) => {}
                Err(e) => tracing::warn!(error = %e, "the outbox cannot be read"),
            }
            if repeat {
                repeat_at = Instant::now() + self.timing.repeat;
            }
            // An order is always committed together with the incident event that called for it, so only those are worth a look.
            loop {
                tokio::select! {
                    () = self.shutdown.cancelled() => return,
                    () = sleep_until(repeat_at) => break,
                    changed = committed.changed() => match changed {
                        Ok(()) if committed.borrow_and_update().sequence > at.sequence => break,
                        Ok(()) => {}
                        Err(_) => return,
                    },
                }
            }
        }
    }

    async fn send_open(
        &self,
        link: &dyn CommandLink,
        sounders: &Sounders,
        now: i64,
        utc_offset: i64,
        repeat: bool,
        seen: &mut HashSet<u64>,
    ) -> Result<(), LogError> {
        let open = self.log.outbox(now).await?;
        for row in &open {
            if (repeat || !seen.contains(&row.command.id)) && order(link, sounders, &row.command, utc_offset).await {
                self.log.attempted(row.command.id, now)?;
            }
        }
        // Only what is open is remembered, so that the memory is bounded by the outbox.
        *seen = open.iter().map(|row| row.command.id).collect();
        Ok(())
    }
}

/// Publishes one order in the device's own words; false when it did not reach the broker.
pub(super) async fn order(link: &dyn CommandLink, sounders: &Sounders, command: &DeviceCommand, utc_offset: i64) -> bool {
    let said = match sounders.say(command, utc_offset) {
        Ok(said) => said,
        Err(e) => {
            tracing::error!(device = %command.device, order = command.id, error = %e, "order not sent");
            return false;
        }
    };
    match link.publish(&said.topic, said.payload.as_bytes()).await {
        Ok(()) => true,
        Err(e) => {
            tracing::warn!(device = %command.device, order = command.id, error = %e, "order not sent; it will be repeated");
            false
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decode::switches::Switches;
    use crate::deliver::testing::{MemoryLog, T0, delivery, event, eventually};
    use crate::engine::outcome::DeviceAction;
    use crate::store::OutboxRow;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tuoan_protocol::{DeviceId, SiteId};

    /// Of a site that says nothing of its sounders.
    pub fn sounders() -> Arc<Sounders> {
        Arc::new(Sounders::new(SiteId::new("xingyuan").unwrap(), [], Switches::default()))
    }

    pub fn siren(id: u64, expires: i64) -> DeviceCommand {
        DeviceCommand { id, device: DeviceId::new("siren-1").unwrap(), action: DeviceAction::SirenOn, expires }
    }

    #[derive(Default)]
    struct Link {
        said: Mutex<Vec<(String, Vec<u8>)>>,
        down: AtomicBool,
    }
    #[async_trait]
    impl CommandLink for Link {
        async fn publish(&self, topic: &str, payload: &[u8]) -> Result<(), LinkError> {
            if self.down.load(Ordering::Relaxed) {
                return Err(LinkError("the broker is away".into()));
            }
            self.said.lock().unwrap().push((topic.to_owned(), payload.to_vec()));
            Ok(())
        }
    }
    impl Link {
        fn count(&self) -> usize {
            self.said.lock().unwrap().len()
        }
    }

    #[tokio::test]
    async fn repeated_until_confirmed_or_expired_and_after_a_restart() {
        let log = MemoryLog::new();
        let row = |command| OutboxRow { command, created: T0, attempts: 0, attempted: None };
        // Open from before the start; the other one has expired.
        log.orders.lock().unwrap().extend([row(siren(1, T0 + 1_000)), row(siren(2, T0 - 1))]);
        let link = Arc::new(Link::default());
        link.down.store(true, Ordering::Relaxed);
        let env = delivery(&log);
        let (clock, shutdown) = (env.clock.clone(), env.shutdown.clone());
        let task = tokio::spawn(env.run_outbox(link.clone(), sounders()));
        tokio::task::yield_now().await;
        assert!(log.attempts.lock().unwrap().is_empty());
        link.down.store(false, Ordering::Relaxed);
        eventually("sent again", || link.count() >= 2).await;
        assert_eq!(link.said.lock().unwrap()[0].0, "tuoan/v1/xingyuan/siren-1/command");
        assert!(log.attempts.lock().unwrap().iter().all(|a| *a == (1, T0)));
        // A new order with its event goes out at once and is not mixed up with the old one.
        log.orders.lock().unwrap().push(row(siren(3, T0 + 1_000)));
        log.commit_events([event(1)]);
        eventually("the new one", || log.attempts.lock().unwrap().iter().any(|a| a.0 == 3)).await;
        // Confirmed, and expired.
        log.orders.lock().unwrap().retain(|o| o.command.id != 1);
        clock.set(T0 + 2_000);
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        let settled = link.count();
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        assert_eq!(link.count(), settled);
        assert!(!log.attempts.lock().unwrap().iter().any(|a| a.0 == 2));
        shutdown.cancel();
        task.await.unwrap();
    }
}
