//! Players of spoken messages, tablets on walls: JSON on a topic of the broker, QoS 1, not retained. The same fields as the webhook's `data`.
use super::webhook::Data;
use super::{Address, Base, Channel, Limits, Receipt, SendError};
use crate::deliver::CommandLink;
use crate::notify::message::Message;
use async_trait::async_trait;
use std::sync::Arc;

pub const KIND: &str = "mqtt";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Without wildcards.
    pub topic: String,
}

pub struct Mqtt {
    base: Base,
    topic: String,
    link: Arc<dyn CommandLink>,
}

impl Mqtt {
    pub(super) fn new(base: Base, settings: &Settings, link: Arc<dyn CommandLink>) -> Mqtt {
        Mqtt { base, topic: settings.topic.clone(), link }
    }
}

#[async_trait]
impl Channel for Mqtt {
    fn name(&self) -> &str {
        &self.base.name
    }
    fn kind(&self) -> &'static str {
        KIND
    }
    fn limits(&self) -> Limits {
        self.base.limits(Limits::default())
    }
    async fn send(&self, message: &Message, to: &[Address]) -> Result<Receipt, SendError> {
        let data = Data::new(message, to, self.base.language);
        let payload = serde_json::to_vec(&data).map_err(|e| SendError::Poison { reason: e.to_string() })?;
        match self.link.publish(&self.topic, &payload).await {
            Ok(()) => Ok(Receipt::default()),
            Err(e) => Err(SendError::Retry { reason: e.to_string(), after: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::double::{Link, base, retry};
    use super::*;
    use crate::notify::message::tests::{AT, alert};
    use std::sync::atomic::Ordering;

    #[tokio::test]
    async fn is_published_with_what_is_to_be_spoken() {
        let link = Arc::new(Link::default());
        let channel = Mqtt::new(base(AT), &Settings { topic: "tuoan/say".into() }, link.clone());
        channel.send(&alert(), &[]).await.unwrap();
        let (topic, payload) = link.said.lock().unwrap()[0].clone();
        assert_eq!(topic, "tuoan/say");
        let value: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(value["id"], "01KJNZ6V3R8M4T2X9QABCDEFGH-carer");
        assert!(value["speech"].as_str().unwrap().starts_with("严重警情。"), "{value}");
        link.down.store(true, Ordering::Relaxed);
        assert_eq!(retry(channel.send(&alert(), &[]).await).0, "the broker is away");
    }
}
