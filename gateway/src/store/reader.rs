//! Queries, on read-only connections. All of them block on the disk: async callers go through `spawn_blocking`.
use super::{
    Backlog, Counts, Entries, IncidentFilter, IncidentRow, Lane, OutboxRow, QuarantineRow, Receipt, Recount, Retained, SetAside,
    StoreError, StoredEvent,
};
use std::path::Path;

/// Cheap to clone.
#[derive(Clone)]
pub struct Reader {}

type Result<T> = std::result::Result<T, StoreError>;

impl Reader {
    /// Reads the store in `dir` beside or without a running gateway (command line).
    pub fn open(_dir: &Path) -> Result<Reader> {
        todo!()
    }
    /// Incident events with a higher sequence, ascending.
    pub fn events_after(&self, _sequence: u64, _limit: usize) -> Result<Vec<StoredEvent>> {
        todo!()
    }
    /// Entries with a higher position, ascending; recent ones come from memory.
    pub fn entries_after(&self, _position: u64, _limit: usize) -> Result<Entries> {
        todo!()
    }
    /// Entries whose engine time lies in `from..to`, ascending, at most `limit`.
    pub fn entries_between(&self, _from: i64, _to: i64, _limit: usize) -> Result<Entries> {
        todo!()
    }
    /// Where a sink stands: the last sequence or position it is done with; 0 at first.
    pub fn cursor(&self, _sink: &str, _lane: Lane) -> Result<u64> {
        todo!()
    }
    pub fn backlog(&self, _sink: &str, _lane: Lane) -> Result<Backlog> {
        todo!()
    }
    pub fn incident(&self, _id: &str) -> Result<Option<IncidentRow>> {
        todo!()
    }
    /// Newest first.
    pub fn incidents(&self, _filter: &IncidentFilter, _limit: usize) -> Result<Vec<IncidentRow>> {
        todo!()
    }
    /// All events of one incident, ascending.
    pub fn events_of(&self, _incident: &str) -> Result<Vec<StoredEvent>> {
        todo!()
    }
    pub fn receipts_of(&self, _incident: &str) -> Result<Vec<Receipt>> {
        todo!()
    }
    /// Newest first.
    pub fn set_aside(&self, _limit: usize) -> Result<Vec<SetAside>> {
        todo!()
    }
    pub fn set_aside_count(&self) -> Result<u64> {
        todo!()
    }
    /// Newest first.
    pub fn quarantine(&self, _limit: usize) -> Result<Vec<QuarantineRow>> {
        todo!()
    }
    pub fn quarantined(&self, _id: u64) -> Result<Option<QuarantineRow>> {
        todo!()
    }
    /// Orders neither confirmed nor expired at engine time `now`, oldest first.
    pub fn outbox_open(&self, _now: i64) -> Result<Vec<OutboxRow>> {
        todo!()
    }
    pub fn retained_all(&self) -> Result<Vec<Retained>> {
        todo!()
    }
    pub fn counts(&self) -> Result<Counts> {
        todo!()
    }
    /// Reads the whole log (seconds for millions of entries).
    pub fn recount(&self) -> Result<Recount> {
        todo!()
    }
}
