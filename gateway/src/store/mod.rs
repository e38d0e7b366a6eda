//! One durable truth: one SQLite file, WAL, `synchronous=FULL`, one writer thread, group commit without a timed linger.
//!
//! | file | holds |
//! |---|---|
//! | `schema.rs` | tables and migrations |
//! | `body.rs` | bodies of log entries as compact bytes |
//! | `block.rs` | many old entries in one row, bit for bit |
//! | `pack.rs` | which entries go into blocks, and when |
//! | `files.rs` | lock and reserve file |
//! | `mailbox.rs` | the way from the pipeline to the writer: bounded, coalescing |
//! | `transaction.rs` | what one commit writes |
//! | `rollup.rs` | PURE: readings by the minute |
//! | `rolled.rs` | readings by the minute in the store: made, and read |
//! | `removal.rs` | what was removed, and by which rule |
//! | `retention.rs` | how long the log is kept, how much room it has, what goes when |
//! | `done.rs` | which records a sink is done with |
//! | `writer.rs` | the thread: batch -> transaction -> acknowledgements; retry, full disk, wear mode |
//! | `ring.rs` | the newest entries in memory |
//! | `reader.rs` | queries, on read-only connections |
//! | `history.rs` | the log from one end to the other, for a replay |
//! | `leaves.rs` | the Merkle tree over what must stand: events, deeds, ledgers |
//! | `rows.rs` | what the queries answer |
//! | `search.rs` | incidents found by room, hazard, severity, time, person, lateness |
//! | `notices.rs` | whom to tell of which event, and what the channels made of it |
//! | `looks.rs` | what cameras' looks found around incidents |
//! | `deeds.rs` | what people did with the system itself: the audit page, set-up and its proofs |
//! | `retained.rs` | the embedded broker's retained messages |
//! | `ledger.rs` | the closed days of the coverage ledger |
//! | `ops.rs` | small changes that ride along: cursors, receipts, outbox attempts, retained messages |
//! | `error.rs` | what can be wrong, and what to do |
//!
//! What must hold: everything a [`Batch`] says lands in ONE transaction; its acks are answered only after the commit; a failed commit is
//! retried with the SAME batch; nothing is kept in memory instead.
use crate::engine::view::View;
use crate::engine::{Body, DeviceCommand, LedgerDay, Notice};
use crate::ingest::Ack;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::oneshot;
use tuoan_protocol::{DeviceId, IncidentEvent};

mod block;
mod body;
pub mod deeds;
pub mod done;
pub mod error;
mod files;
pub mod history;
pub mod leaves;
pub mod ledger;
mod looks;
mod mailbox;
pub mod notices;
pub mod ops;
mod pack;
pub mod reader;
pub mod removal;
pub mod retained;
pub mod retention;
mod ring;
pub mod rolled;
pub mod rollup;
pub mod rows;
mod schema;
pub mod search;
#[cfg(test)]
mod tests;
mod transaction;
pub mod writer;

pub use deeds::{Deed, DeedRow};
pub use done::Done;
pub use error::StoreError;
pub use files::{LOG_FILE, in_use};
pub use history::{Cut, History};
pub use looks::{Limits as LookLimits, LookRow};
pub use mailbox::NotTaken;
pub use notices::{NoticeRow, TellingRow, Told, ToldState};
pub use ops::{Ops, OpsError};
pub use reader::Reader;
pub use retention::{Lanes, Retention, Room};
pub use rolled::Rolled;
pub use rows::{
    Backlog, Counts, Disk, Entries, IncidentFilter, IncidentRow, OutboxRow, PictureRow, QuarantineRow, Receipt, Recount, Retained,
    SetAside, Space, StoredEvent,
};
pub use transaction::{MAX_RETAINED, QUARANTINE_BYTES, QUARANTINE_ROWS};
pub use writer::{Deps, Fault, Moment, Recovered, Store, Timing};

/// How the store behaves; from `[store]` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// For SD cards: what does not matter to safety may wait up to 2 s for company, so that there are fewer commits.
    pub wear_mode: bool,
    /// Mebibytes kept free for alarms on a full disk; 0 keeps none.
    pub reserve_mb: u32,
    pub retention: Retention,
}

impl Default for Options {
    fn default() -> Self {
        Options { wear_mode: false, reserve_mb: 16, retention: Retention::default() }
    }
}

/// Goes out although the disk does not take it: a full disk never silences a fire. Each is said once.
#[derive(Debug, Clone, PartialEq)]
pub enum Emergency {
    /// A severity 1 event, to be delivered marked as unrecorded.
    Event(Box<IncidentEvent>),
    /// An order that came with it.
    Command(DeviceCommand),
    /// Somebody who is to be told of it, and the event.
    Notice(Box<(Notice, IncidentEvent)>),
}

/// One accepted engine input at its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub position: u64,
    /// Engine time.
    pub at: i64,
    /// True for the first entry that an MQTT message caused, false for its others and for entries no message caused: so messages can be counted.
    pub message: bool,
    pub body: Body,
}

/// A message that nobody understood, or that is malformed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// UTC milliseconds.
    pub at: i64,
    pub topic: String,
    pub payload: Vec<u8>,
    pub retained: bool,
    pub decoder: Option<String>,
    pub reason: String,
}

/// All that one engine step wants written, and whom to tell when it is.
#[derive(Debug, Default)]
pub struct Batch {
    /// Engine time of the step: persisted as the log's `now`.
    pub now: i64,
    /// UTC minus engine time at that moment.
    pub utc_offset: i64,
    pub entries: Vec<Entry>,
    pub events: Vec<IncidentEvent>,
    pub commands: Vec<DeviceCommand>,
    pub notices: Vec<Notice>,
    /// Device and number of the order.
    pub confirmed: Vec<(DeviceId, u64)>,
    /// Closed days of the coverage ledger.
    pub ledger: Vec<LedgerDay>,
    pub quarantine: Vec<Quarantined>,
    /// Redeliveries recognised in this step: only counted.
    pub duplicates: u64,
    pub snapshot: Option<Snapshot>,
    /// Answered after the commit.
    pub acks: Vec<Ack>,
    pub replies: Vec<Reply>,
    /// Published after the commit.
    pub view: Option<Arc<View>>,
    /// Holds something that matters to safety: commit at once even in wear mode.
    pub urgent: bool,
}

impl Batch {
    /// Nothing in it needs the disk: what it answers was settled by the commits before it.
    fn is_silent(&self) -> bool {
        self.entries.is_empty()
            && self.events.is_empty()
            && self.commands.is_empty()
            && self.notices.is_empty()
            && self.confirmed.is_empty()
            && self.ledger.is_empty()
            && self.quarantine.is_empty()
            && self.snapshot.is_none()
    }
    /// There is nothing to store, and nobody to tell.
    pub fn says_nothing(&self) -> bool {
        self.is_silent() && self.acks.is_empty() && self.replies.is_empty() && self.view.is_none() && self.duplicates == 0
    }
    /// A measure of the memory it takes, in entries.
    fn weight(&self) -> usize {
        let payloads: usize = self.quarantine.iter().map(|q| q.payload.len() / 256 + 1).sum();
        (self.entries.len() + payloads).max(self.acks.len()) + self.events.len() + self.commands.len() + self.notices.len()
    }
    /// Adds the batch that follows: both land in one transaction.
    fn absorb(&mut self, later: Batch) {
        self.now = later.now;
        self.utc_offset = later.utc_offset;
        self.entries.extend(later.entries);
        self.events.extend(later.events);
        self.commands.extend(later.commands);
        self.notices.extend(later.notices);
        self.confirmed.extend(later.confirmed);
        self.ledger.extend(later.ledger);
        self.quarantine.extend(later.quarantine);
        self.duplicates += later.duplicates;
        self.snapshot = later.snapshot.or(self.snapshot.take());
        self.acks.extend(later.acks);
        self.replies.extend(later.replies);
        self.view = later.view.or(self.view.take());
        self.urgent |= later.urgent;
    }
}

/// The engine's encoded state at a place in the log: a short cut for the replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub position: u64,
    /// Of the last incident event by then.
    pub sequence: u64,
    pub bytes: Vec<u8>,
}

/// Somebody who waits for a batch to be on disk.
#[derive(Debug)]
pub enum Reply {
    Done(oneshot::Sender<()>),
    /// A command and the position it took.
    Position(oneshot::Sender<Result<u64, &'static str>>, u64),
}

impl Reply {
    fn send(self) {
        match self {
            Reply::Done(to) => drop(to.send(())),
            Reply::Position(to, position) => drop(to.send(Ok(position))),
        }
    }
}

/// What has been committed; sinks and pages wait on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// Highest position in the input log.
    pub position: u64,
    /// Highest incident event sequence.
    pub sequence: u64,
    /// UTC minus engine time at that commit, milliseconds.
    pub utc_offset: i64,
}

/// Lanes of a sink, each with its own cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Cursor over incident events, by sequence.
    Alerts,
    /// Cursor over the input log, by position.
    Metrics,
}

impl Lane {
    /// As it stands in the tables.
    fn number(self) -> i64 {
        match self {
            Lane::Alerts => 0,
            Lane::Metrics => 1,
        }
    }
    fn from_number(n: i64) -> Lane {
        if n == 0 { Lane::Alerts } else { Lane::Metrics }
    }
    /// For labels and pages.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Alerts => "alerts",
            Lane::Metrics => "metrics",
        }
    }
}

/// How the disk is. Anything but `Healthy` is shown on every page and raised as an advisory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Health {
    #[default]
    Healthy,
    /// Commits fail; intake stands still. The text says why and what to do. Since: UTC milliseconds.
    Degraded { since: i64, reason: String },
}
