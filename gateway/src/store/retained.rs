//! The embedded broker's retained messages, in the one database.
use super::{Ops, Reader, Retained};
use crate::clock::Clock;
use crate::ingest::retained::{RetainedError, RetainedMessage, RetainedStore};
use async_trait::async_trait;

/// [`RetainedStore`] over the writer's small operations and the reader.
pub struct SqliteRetained {
    pub ops: Ops,
    pub reader: Reader,
    pub clock: Clock,
}

#[async_trait]
impl RetainedStore for SqliteRetained {
    async fn set(&self, topic: &str, message: Option<RetainedMessage>) -> Result<(), RetainedError> {
        let failed = |e: super::OpsError| RetainedError::Store { topic: topic.to_owned(), reason: e.to_string() };
        match message {
            Some(m) => self.ops.retain(Retained {
                topic: topic.to_owned(),
                payload: m.payload.to_vec(),
                qos: m.qos,
                sender: Some(m.sender),
                at: self.clock.utc_ms(),
                expires: m.expires_at_ms,
            }),
            None => self.ops.forget_retained(topic),
        }
        .map_err(failed)?;
        self.ops.settled().await.map_err(failed)
    }

    async fn all(&self) -> Result<Vec<(String, RetainedMessage)>, RetainedError> {
        let reader = self.reader.clone();
        let failed = |reason: String| RetainedError::Store { topic: String::new(), reason };
        let rows = tokio::task::spawn_blocking(move || reader.retained_all()).await.map_err(|e| failed(e.to_string()))?;
        let message = |r: Retained| RetainedMessage {
            payload: r.payload.into(),
            qos: r.qos,
            sender: r.sender.unwrap_or_default(),
            expires_at_ms: r.expires,
        };
        let mut rows: Vec<_> = rows.map_err(|e| failed(e.to_string()))?.into_iter().map(|r| (r.topic.clone(), message(r))).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(rows)
    }
}
