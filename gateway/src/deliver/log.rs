//! What delivery needs of the store, as a trait: [`StoreLog`] is the real one, tests use one in memory.
use crate::engine::LedgerDay;
use crate::store::{Committed, Done, Entries, Entry, Lane, Ops, OpsError, OutboxRow, Reader, Receipt, SetAside, StoreError, StoredEvent};
use async_trait::async_trait;
use tokio::sync::watch;
use tuoan_protocol::IncidentEvent;

/// Committed records of one lane, in order of their keys.
#[derive(Debug, Clone)]
pub enum Records {
    Alerts(Vec<StoredEvent>),
    Metrics(Entries),
}

/// One record in the form that a sink encodes.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// `unrecorded`: not committed yet, see `emergency.rs`.
    Event { event: &'a IncidentEvent, unrecorded: bool },
    /// `utc_ms` is when it arrived.
    Entry { entry: &'a Entry, utc_ms: i64 },
}

/// How far one lane of one sink has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub sink: &'static str,
    pub lane: Lane,
    /// Records (by sequence or position) that are delivered or set aside.
    pub done: Done,
    pub receipts: Vec<Receipt>,
    pub set_aside: Vec<SetAside>,
}

/// The store could not read or take over what it was asked to; worth another try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LogError(pub String);

impl From<StoreError> for LogError {
    fn from(e: StoreError) -> Self {
        Self(e.to_string())
    }
}
impl From<OpsError> for LogError {
    fn from(e: OpsError) -> Self {
        Self(e.to_string())
    }
}

#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// What is committed; changes with every commit.
    fn committed(&self) -> watch::Receiver<Committed>;
    /// Records of that lane with a key above `after`, ascending, at most `limit`.
    async fn after(&self, lane: Lane, after: u64, limit: usize) -> Result<Records, LogError>;
    /// These are all lanes that there are: what they owe is kept.
    fn claim(&self, lanes: &[(&'static str, Lane)]) -> Result<(), LogError>;
    /// What that lane of that sink is done with, and how many records it has set aside.
    async fn cursor(&self, sink: &'static str, lane: Lane) -> Result<(Done, u64), LogError>;
    /// UTC minus engine time after the entry at that position, milliseconds; `None` when the log does not say.
    async fn utc_offset_at(&self, position: u64) -> Result<Option<i64>, LogError>;
    /// Hands the progress over for the next commit, without waiting for it: what a crash loses of it is repeated work, nothing else.
    fn advance(&self, progress: Progress) -> Result<(), LogError>;
    /// Orders neither confirmed nor expired at engine time `now`, oldest first.
    async fn outbox(&self, now: i64) -> Result<Vec<OutboxRow>, LogError>;
    /// An order was sent once more, at engine time `at`.
    fn attempted(&self, id: u64, at: i64) -> Result<(), LogError>;
    /// Waits until everything handed over before is on disk.
    async fn settled(&self) -> Result<(), LogError>;
    /// Closed days of the coverage ledger with a higher number, ascending, at most `limit`.
    async fn ledger_after(&self, number: u64, limit: usize) -> Result<Vec<LedgerDay>, LogError>;
    /// Number of the last day that was delivered; 0 at first.
    async fn ledger_sent(&self) -> Result<u64, LogError>;
    /// That day is delivered, and all before it. What a crash loses of it is sent again.
    fn ledger_done(&self, number: u64) -> Result<(), LogError>;
}

/// The committed log in SQLite.
#[derive(Clone)]
pub struct StoreLog {
    pub reader: Reader,
    pub ops: Ops,
    pub committed: watch::Receiver<Committed>,
}

/// Under this name the store keeps how far the coverage ledger is delivered.
const LEDGER_SENT: &str = "coverage.sent";
/// Set-aside records that are counted at start; a lane that has more shows at least this many.
const COUNTED: usize = 10_000;

impl StoreLog {
    /// Queries block on the disk, so they run where blocking is allowed.
    async fn blocking<T: Send + 'static>(
        &self,
        query: impl FnOnce(Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LogError> {
        let reader = self.reader.clone();
        match tokio::task::spawn_blocking(move || query(reader)).await {
            Ok(answer) => Ok(answer?),
            Err(e) => Err(LogError(format!("a query of the store did not end: {e}"))),
        }
    }
}

#[async_trait]
impl Log for StoreLog {
    fn committed(&self) -> watch::Receiver<Committed> {
        self.committed.clone()
    }
    async fn after(&self, lane: Lane, after: u64, limit: usize) -> Result<Records, LogError> {
        // What is still in memory needs no thread that may block.
        if lane == Lane::Metrics
            && let Some(entries) = self.reader.recent_entries(after, limit)
        {
            return Ok(Records::Metrics(entries));
        }
        self.blocking(move |r| match lane {
            Lane::Alerts => r.events_after(after, limit).map(Records::Alerts),
            Lane::Metrics => r.entries_after(after, limit).map(Records::Metrics),
        })
        .await
    }
    fn claim(&self, lanes: &[(&'static str, Lane)]) -> Result<(), LogError> {
        Ok(self.ops.claim(lanes.iter().map(|(sink, lane)| ((*sink).to_owned(), *lane)))?)
    }
    async fn utc_offset_at(&self, position: u64) -> Result<Option<i64>, LogError> {
        self.blocking(move |r| r.utc_offset_at(position)).await
    }
    async fn cursor(&self, sink: &'static str, lane: Lane) -> Result<(Done, u64), LogError> {
        self.blocking(move |r| {
            let set_aside = r.set_aside(COUNTED)?.iter().filter(|s| s.sink == sink && s.lane == lane).count();
            Ok((r.done(sink, lane)?, set_aside as u64))
        })
        .await
    }
    fn advance(&self, progress: Progress) -> Result<(), LogError> {
        // First the records set aside, then the cursor that passes them: if only the first half is written, it is written again.
        for record in progress.set_aside {
            self.ops.set_aside(record)?;
        }
        Ok(self.ops.advance(progress.sink, progress.lane, progress.done, progress.receipts)?)
    }
    async fn outbox(&self, now: i64) -> Result<Vec<OutboxRow>, LogError> {
        self.blocking(move |r| r.outbox_open(now)).await
    }
    fn attempted(&self, id: u64, at: i64) -> Result<(), LogError> {
        Ok(self.ops.attempted(id, at)?)
    }
    async fn settled(&self) -> Result<(), LogError> {
        Ok(self.ops.settled().await?)
    }
    async fn ledger_after(&self, number: u64, limit: usize) -> Result<Vec<LedgerDay>, LogError> {
        self.blocking(move |r| r.ledger_after(number, limit)).await
    }
    async fn ledger_sent(&self) -> Result<u64, LogError> {
        let kept = self.blocking(|r| r.kept(LEDGER_SENT)).await?;
        Ok(kept.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
    }
    fn ledger_done(&self, number: u64) -> Result<(), LogError> {
        Ok(self.ops.keep(LEDGER_SENT, number.to_be_bytes().to_vec())?)
    }
}
