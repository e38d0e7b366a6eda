//! Limits of one connection that rmqtt's listener settings cannot express.
use super::INFLIGHT;
use async_trait::async_trait;
use rmqtt::codec::types::Publish;
use rmqtt::fitter::{DefaultFitter, Fitter, FitterManager};
use rmqtt::types::{ConnectInfo, Disconnect, FitterType, Id, ListenerConfig};
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

/// rmqtt uses one setting, `max_inflight`, for both directions. Towards the client the window is [`INFLIGHT`]; the setting itself is
/// wider, because an MQTT 3.1.1 client cannot be told and would be cut off in the middle of its QoS 2 messages.
pub(super) struct Limits;

impl FitterManager for Limits {
    fn create(&self, connect: Arc<ConnectInfo>, id: Id, settings: ListenerConfig) -> FitterType {
        let receive_maximum = match &*connect {
            ConnectInfo::V5(_, connect) => connect.receive_max.unwrap_or(INFLIGHT),
            ConnectInfo::V3(..) => INFLIGHT,
        };
        Arc::new(Limit { inflight: receive_maximum.min(INFLIGHT), rest: DefaultFitter::new(connect, id, settings) })
    }
}

struct Limit {
    inflight: NonZeroU16,
    rest: DefaultFitter,
}

#[async_trait]
impl Fitter for Limit {
    fn keep_alive(&self, keep_alive: &mut u16) -> rmqtt::Result<u16> {
        self.rest.keep_alive(keep_alive)
    }
    fn max_mqueue_len(&self) -> usize {
        self.rest.max_mqueue_len()
    }
    fn mqueue_rate_limit(&self) -> (NonZeroU32, Duration) {
        self.rest.mqueue_rate_limit()
    }
    fn max_inflight(&self) -> NonZeroU16 {
        self.inflight
    }
    fn session_expiry_interval(&self, disconnect: Option<&Disconnect>) -> Duration {
        self.rest.session_expiry_interval(disconnect)
    }
    fn message_expiry_interval(&self, publish: &Publish) -> Duration {
        self.rest.message_expiry_interval(publish)
    }
    fn max_client_topic_aliases(&self) -> u16 {
        self.rest.max_client_topic_aliases()
    }
    fn max_server_topic_aliases(&self) -> u16 {
        self.rest.max_server_topic_aliases()
    }
}
