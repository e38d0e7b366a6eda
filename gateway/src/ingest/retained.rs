//! Retained messages of the embedded broker: what must be kept, and the in-memory keeper that tests use.
use super::filter::Filter;
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Most topics with a retained message. Further topics are not retained (the message itself is still stored as a reading).
pub const MAX_RETAINED: usize = 4096;
/// Most bytes of topics and payloads together.
pub const MAX_RETAINED_BYTES: usize = 16 << 20;

/// The last message that was published on a topic with the retain flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainedMessage {
    /// Never empty: an empty payload means "forget the topic" and arrives as `None`.
    pub payload: Bytes,
    /// 0..=2.
    pub qos: u8,
    /// Client id of the publisher.
    pub sender: String,
    /// UTC, milliseconds: not delivered from then on. `None`: stays until it is replaced.
    pub expires_at_ms: Option<i64>,
}

impl RetainedMessage {
    /// Bytes that it counts for on `topic`, against [`MAX_RETAINED_BYTES`].
    pub fn size(&self, topic: &str) -> usize {
        topic.len().saturating_add(self.payload.len()).saturating_add(self.sender.len())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RetainedError {
    /// Not kept because the store cannot write; the publisher is not acknowledged and sends again.
    #[error("the retained message on {topic:?} could not be stored: {reason}")]
    Store { topic: String, reason: String },
}

/// Where retained messages survive a restart. The broker keeps its own copy in memory and bounds it ([`MAX_RETAINED`],
/// [`MAX_RETAINED_BYTES`]): it calls `all` once at start and `set` at each change.
#[async_trait]
pub trait RetainedStore: Send + Sync {
    /// Replaces (or with `None` removes) what is retained on `topic`. Returns only when that is on disk.
    ///
    /// # Errors
    /// When it is not on disk.
    async fn set(&self, topic: &str, message: Option<RetainedMessage>) -> Result<(), RetainedError>;

    /// Everything that is retained, ordered by topic.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn all(&self) -> Result<Vec<(String, RetainedMessage)>, RetainedError>;

    /// What is retained on the topics that `filter` matches, ordered by topic.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn get(&self, filter: &Filter) -> Result<Vec<(String, RetainedMessage)>, RetainedError> {
        let mut all = self.all().await?;
        all.retain(|(topic, _)| filter.matches(topic));
        Ok(all)
    }
}

/// Forgets everything when it is dropped: for tests, never a fall-back for a store that fails.
#[derive(Debug, Default)]
pub struct MemoryRetained(Mutex<BTreeMap<String, RetainedMessage>>);

#[async_trait]
impl RetainedStore for MemoryRetained {
    async fn set(&self, topic: &str, message: Option<RetainedMessage>) -> Result<(), RetainedError> {
        let mut messages = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match message {
            Some(message) => messages.insert(topic.to_owned(), message),
            None => messages.remove(topic),
        };
        Ok(())
    }
    async fn all(&self) -> Result<Vec<(String, RetainedMessage)>, RetainedError> {
        let messages = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(messages.iter().map(|(topic, message)| (topic.clone(), message.clone())).collect())
    }
}
