//! The gateway's own voice on MQTT: what proves the chain (the canary) and what stages a drill comes in as every device's message does, through the broker, over a
//! connection of its own. So what is proven is the real way.
use super::client::{self, ClientConfig};
use crate::deliver::{CommandLink, LinkError};
use async_trait::async_trait;
use bytes::Bytes;
use rumqttc::{AsyncClient, Event, Incoming, PublishOptions, QoS};
use std::time::Duration;
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{DeviceId, SiteId};

/// Name of its account at the embedded broker; its password is drawn at each start and known to nobody.
pub const ACCOUNT: &str = "tuoan-self";
/// The broker acknowledges after the commit: longer than this the chain counts as broken.
const ACKNOWLEDGED: Duration = Duration::from_secs(20);

/// A connection for each message: publishes it with QoS 1 and waits for the acknowledgement.
#[derive(Clone)]
pub struct Once(pub ClientConfig);

#[async_trait]
impl CommandLink for Once {
    async fn publish(&self, topic: &str, payload: &[u8]) -> Result<(), LinkError> {
        let said = |e: &dyn std::fmt::Display| LinkError(e.to_string());
        let options = client::passing(&self.0).map_err(|e| said(&e))?;
        let (client, mut events) = AsyncClient::builder(options).capacity(4).try_build().map_err(|e| said(&e))?;
        let sent = async {
            client.publish(topic, Bytes::copy_from_slice(payload), PublishOptions::new(QoS::AtLeastOnce)).await.map_err(|e| said(&e))?;
            loop {
                if let Event::Incoming(Incoming::PubAck(_)) = events.poll().await.map_err(|e| said(&e))? {
                    break;
                }
            }
            // A word of goodbye, so that the broker does not wait for the connection's end.
            if client.disconnect().await.is_ok() {
                let _ = tokio::time::timeout(Duration::from_millis(200), events.poll()).await;
            }
            Ok(())
        };
        tokio::time::timeout(ACKNOWLEDGED, sent)
            .await
            .unwrap_or_else(|_| Err(LinkError(format!("the broker has not acknowledged within {} s", ACKNOWLEDGED.as_secs()))))
    }
}

/// Speaks as one of the gateway's own devices.
#[derive(Clone)]
pub struct OwnVoice {
    pub link: Once,
    pub site: SiteId,
}

impl OwnVoice {
    /// # Errors
    /// The broker was not reached or has not acknowledged: nothing was stored, as far as is known.
    pub async fn say(&self, device: &DeviceId, kind: TopicKind, payload: &str) -> Result<(), LinkError> {
        let topic = Topic { site: self.site.clone(), device: device.clone(), kind };
        self.link.publish(&topic.to_string(), payload.as_bytes()).await
    }
}
