//! One order to one node from a page: that it looks at all its sensors. The orders of incidents go another way, through the log; this one is harmless, is
//! said once, and whoever asked for it asks again.
use super::rollout::Rollout;
use crate::deliver::CommandLink;
use crate::ingest::own::Once;
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{DeviceAction, DeviceCommand, DeviceId, Wire};

/// A node that gets the order later than this does not carry it out any more.
pub const EXPIRES_MS: i64 = 60_000;

/// Hands the order to the broker. The node answers by events: `test.<sensor>.<word>` for each sensor, then that it has done order `id`.
///
/// # Errors
/// The broker does not take it.
pub async fn self_test(rollout: &Rollout, device: &DeviceId, id: u64) -> Result<(), String> {
    let expires = Some(rollout.clock.utc_ms().saturating_add(EXPIRES_MS));
    let order = DeviceCommand { site: rollout.site.clone(), device: device.clone(), id, action: DeviceAction::Test, expires };
    let topic = Topic { site: rollout.site.clone(), device: device.clone(), kind: TopicKind::Command }.to_string();
    Once(rollout.link.clone()).publish(&topic, order.to_json().as_bytes()).await.map_err(|e| e.0)
}
