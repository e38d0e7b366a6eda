//! Orders to devices (siren, beacon, valve). They are in the store, and are published until the store says that the device has confirmed,
//! or they expire: broker sessions live in memory only, and a radio link loses messages. A device may see an order twice; the number tells.
use super::log::LogError;
use super::scheduler::Delivery;
use crate::engine::DeviceCommand;
use crate::engine::outcome::DeviceAction;
use async_trait::async_trait;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{SiteId, codec::Wire, command as wire};

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
    pub async fn run_outbox(self, link: Arc<dyn CommandLink>, site: SiteId) {
        let mut committed = self.log.committed();
        let mut seen = HashSet::new();
        let mut repeat_at = Instant::now();
        loop {
            let at = *committed.borrow_and_update();
            let now = self.clock.utc_ms().saturating_sub(at.utc_offset);
            let repeat = Instant::now() >= repeat_at;
            match self.send_open(link.as_ref(), &site, now, at.utc_offset, repeat, &mut seen).await {
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
        site: &SiteId,
        now: i64,
        utc_offset: i64,
        repeat: bool,
        seen: &mut HashSet<u64>,
    ) -> Result<(), LogError> {
        let open = self.log.outbox(now).await?;
        for row in &open {
            if (repeat || !seen.contains(&row.command.id)) && order(link, site, &row.command, utc_offset).await {
                self.log.attempted(row.command.id, now)?;
            }
        }
        // Only what is open is remembered, so that the memory is bounded by the outbox.
        *seen = open.iter().map(|row| row.command.id).collect();
        Ok(())
    }
}

/// Publishes one order; false when it did not reach the broker.
pub(super) async fn order(link: &dyn CommandLink, site: &SiteId, command: &DeviceCommand, utc_offset: i64) -> bool {
    let topic = Topic { site: site.clone(), device: command.device.clone(), kind: TopicKind::Command }.to_string();
    match link.publish(&topic, payload(site, command, utc_offset).as_bytes()).await {
        Ok(()) => true,
        Err(e) => {
            tracing::warn!(device = %command.device, order = command.id, error = %e, "order not sent; it will be repeated");
            false
        }
    }
}

/// As the protocol writes it: `{"v":1,"site":"s","device":"d","id":7,"action":"siren_on","expires":1772436600000}`, `expires` in UTC
/// milliseconds.
fn payload(site: &SiteId, command: &DeviceCommand, utc_offset: i64) -> String {
    let action = match command.action {
        DeviceAction::SirenOn => wire::DeviceAction::SirenOn,
        DeviceAction::SirenOff => wire::DeviceAction::SirenOff,
        DeviceAction::ValveClose => wire::DeviceAction::ValveClose,
    };
    let expires = Some(command.expires.saturating_add(utc_offset));
    wire::DeviceCommand { site: site.clone(), device: command.device.clone(), id: command.id, action, expires }.to_json()
}
