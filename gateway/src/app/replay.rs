//! The quarantine's messages once more, through today's decoders.
use super::spawn_pipeline;
use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::{Ack, Inbound, Stored};
use crate::pipeline::{Control, Handle};
use miette::{IntoDiagnostic, Result, miette};
use tokio::sync::oneshot;

/// What the quarantine's replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    pub tried: usize,
    pub understood: usize,
}

/// Puts quarantined messages (all, when `ids` is empty) through today's decoders, with the gateway stopped. What is understood now is stored
/// and leaves the quarantine; what is not stays.
pub async fn replay_quarantine(config: Config, ids: Vec<u64>) -> Result<Replayed> {
    let pipeline = spawn_pipeline(&config, Clock::System).await?;
    let handle = pipeline.handle;
    let replayed = replay(&handle, &ids).await;
    let (reply, drained) = oneshot::channel();
    if handle.control.send(Control::Drain { reply }).await.is_ok() {
        let _ = drained.await;
    }
    tokio::task::spawn_blocking(move || pipeline.thread.join())
        .await
        .into_diagnostic()?
        .map_err(|_| miette!("the pipeline's thread panicked"))??;
    replayed
}

/// As [`replay_quarantine`], through the running pipeline.
pub async fn replay(handle: &Handle, ids: &[u64]) -> Result<Replayed> {
    const ALL: usize = 100_000;
    let reader = handle.reader.clone();
    let rows = tokio::task::spawn_blocking(move || reader.quarantine(ALL)).await.into_diagnostic()?.into_diagnostic()?;
    let mut result = Replayed { tried: 0, understood: 0 };
    // Oldest first, as they came.
    for row in rows.into_iter().rev().filter(|r| ids.is_empty() || ids.contains(&r.id)) {
        result.tried += 1;
        let (quarantined, id) = (handle.metrics.quarantined.get(), row.id);
        let (ack, stored) = Ack::channel();
        let m = row.message;
        // As if retained: what it says is old.
        let inbound = Inbound { topic: m.topic.into(), payload: m.payload.into(), retained: true, qos: 1, sender: None, ack };
        handle.inbound.send(inbound).await.map_err(|_| miette!("the pipeline has stopped"))?;
        if stored.await != Ok(Stored::Yes) {
            return Err(miette!("message {id} could not be stored; it stays in the quarantine"));
        }
        result.understood += usize::from(handle.metrics.quarantined.get() == quarantined);
        // Either it was understood, or it is in the quarantine again under a new number.
        handle.ops.release(id).map_err(|e| miette!("{e}"))?;
    }
    handle.ops.settled().await.map_err(|e| miette!("{e}"))?;
    Ok(result)
}
