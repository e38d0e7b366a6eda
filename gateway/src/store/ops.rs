//! Small changes that ride along with the next commit: cursors, receipts, outbox attempts, retained messages, what was learned.
use super::mailbox::Mailbox;
use super::{Deed, Done, Lane, LookLimits, Receipt, Retained, SetAside, Told};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;
use tuoan_protocol::looks::Piece;

/// Changes and bytes that may wait for the disk.
const MAX_CHANGES: usize = 16_384;
const MAX_BYTES: usize = 16 << 20;

/// Cheap to clone. Nothing here waits for the disk except [`Ops::settled`]; what is said twice before a commit is written once.
#[derive(Clone)]
pub struct Ops(pub(super) Arc<Mailbox>);

/// The store has stopped, or too much waits for a disk that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpsError {
    #[error("the store has stopped")]
    Stopped,
    #[error("too many changes wait for the disk; try again later")]
    Busy,
}

impl Ops {
    /// These lanes are in use: what they owe is not removed. Until this has been said once, nothing is removed at all.
    pub fn claim(&self, lanes: impl IntoIterator<Item = (String, Lane)>) -> Result<(), OpsError> {
        let lanes: Vec<_> = lanes.into_iter().collect();
        self.0.add(|p| {
            p.room(lanes.len() + 1, 0)?;
            p.changes += lanes.len() + 1;
            p.claims.get_or_insert_default().extend(lanes);
            Ok(())
        })
    }
    /// What `sink` is done with; `receipts` are its word for the alerts among it.
    pub fn advance(&self, sink: &str, lane: Lane, done: Done, receipts: Vec<Receipt>) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(receipts.len() + 1, 0)?;
            p.cursors.insert((sink.to_owned(), lane), done);
            p.changes += receipts.len() + 1;
            p.receipts.extend(receipts);
            Ok(())
        })
    }
    pub fn set_aside(&self, record: SetAside) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(1, record.reason.len())?;
            p.changes += 1;
            p.set_aside.push(record);
            Ok(())
        })
    }
    /// An outbox order was sent once more, at engine time `at`.
    pub fn attempted(&self, id: u64, at: i64) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(1, 0)?;
            p.changes += 1;
            let entry = p.attempts.entry(id).or_default();
            *entry = (entry.0.saturating_add(1), at);
            Ok(())
        })
    }
    /// What a channel makes of a notice.
    pub fn told(&self, told: Told) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(1, told.text.len())?;
            p.changes += 1;
            p.bytes += told.text.len();
            p.told.push(told);
            Ok(())
        })
    }
    /// Somebody has seen what they were told, at that time (UTC milliseconds).
    pub fn seen(&self, notice: u64, utc: i64) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(1, 0)?;
            p.changes += 1;
            p.seen.push((notice, utc));
            Ok(())
        })
    }
    /// Somebody did something with the system itself. It is on record once [`Ops::settled`] says so.
    pub fn deed(&self, deed: Deed) -> Result<(), OpsError> {
        let deed = deed.bounded();
        self.0.add(|p| {
            p.room(1, deed.weight())?;
            p.changes += 1;
            p.bytes += deed.weight();
            p.deeds.push(deed);
            Ok(())
        })
    }
    /// What looks found around an incident goes on record.
    pub fn looks(&self, piece: Piece) -> Result<(), OpsError> {
        let weight = piece.looks.iter().map(|l| 64 + 200 * l.seen.len()).sum();
        self.0.add(|p| {
            p.room(1, weight)?;
            p.changes += 1;
            p.bytes += weight;
            p.looks.push(piece);
            Ok(())
        })
    }
    /// What of it is too old or too much goes.
    pub fn expire_looks(&self, limits: LookLimits) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(1, 0)?;
            p.changes += 1;
            p.look_limits = Some(limits);
            Ok(())
        })
    }
    /// Refused silently beyond [`super::MAX_RETAINED`] topics: the newest is not kept.
    pub fn retain(&self, message: Retained) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(1, message.payload.len())?;
            p.changes += 1;
            p.bytes += message.payload.len();
            p.retained.insert(message.topic.clone(), Some(message));
            Ok(())
        })
    }
    pub fn forget_retained(&self, topic: &str) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(1, topic.len())?;
            p.changes += 1;
            p.retained.insert(topic.to_owned(), None);
            Ok(())
        })
    }
    /// Keeps `bytes` under `name` in place of what was kept before: for what may be lost, and is dear to learn again.
    pub fn keep(&self, name: &'static str, bytes: Vec<u8>) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(1, bytes.len())?;
            p.changes += 1;
            p.bytes += bytes.len();
            p.kept.insert(name, bytes);
            Ok(())
        })
    }
    /// Takes a message out of the quarantine (it was replayed).
    pub fn release(&self, quarantine: u64) -> Result<(), OpsError> {
        self.0.add(|p| {
            p.room(1, 0)?;
            p.changes += 1;
            p.released.push(quarantine);
            Ok(())
        })
    }
    /// Waits until everything said before is on disk.
    pub async fn settled(&self) -> Result<(), OpsError> {
        let (tx, rx) = oneshot::channel();
        self.0.add(|p| {
            p.room(1, 0)?;
            p.waiters.push(tx);
            Ok(())
        })?;
        rx.await.map_err(|_| OpsError::Stopped)
    }
}

/// Operations that wait for the next transaction.
#[derive(Debug, Default)]
pub struct Pending {
    /// `None`: nothing was said of it.
    pub claims: Option<Vec<(String, Lane)>>,
    pub cursors: BTreeMap<(String, Lane), Done>,
    pub receipts: Vec<Receipt>,
    pub set_aside: Vec<SetAside>,
    /// By outbox number: how many, and the engine time of the last.
    pub attempts: BTreeMap<u64, (u32, i64)>,
    pub told: Vec<Told>,
    pub seen: Vec<(u64, i64)>,
    pub deeds: Vec<Deed>,
    pub looks: Vec<Piece>,
    pub look_limits: Option<LookLimits>,
    /// By topic; `None` forgets it.
    pub retained: BTreeMap<String, Option<Retained>>,
    pub released: Vec<u64>,
    pub kept: BTreeMap<&'static str, Vec<u8>>,
    pub waiters: Vec<oneshot::Sender<()>>,
    changes: usize,
    bytes: usize,
}

impl Pending {
    fn room(&self, changes: usize, bytes: usize) -> Result<(), OpsError> {
        let full = self.changes + self.waiters.len() + changes > MAX_CHANGES || self.bytes + bytes > MAX_BYTES;
        if full { Err(OpsError::Busy) } else { Ok(()) }
    }
    /// Whether both together stay within the bounds of one.
    pub fn takes(&self, more: &Pending) -> bool {
        self.room(more.changes + more.waiters.len(), more.bytes).is_ok()
    }
    pub fn is_awaited(&self) -> bool {
        !self.waiters.is_empty()
    }
    /// Nothing to write. There may still be someone to tell that it is on disk.
    pub fn has_changes(&self) -> bool {
        self.changes > 0
    }
    pub fn is_empty(&self) -> bool {
        self.changes == 0 && self.waiters.is_empty()
    }
    /// Adds what was said later.
    pub fn absorb(&mut self, later: Pending) {
        if let Some(claims) = later.claims {
            self.claims.get_or_insert_default().extend(claims);
        }
        self.cursors.extend(later.cursors);
        self.receipts.extend(later.receipts);
        self.set_aside.extend(later.set_aside);
        for (id, (times, at)) in later.attempts {
            let entry = self.attempts.entry(id).or_default();
            *entry = (entry.0.saturating_add(times), at);
        }
        self.told.extend(later.told);
        self.seen.extend(later.seen);
        self.deeds.extend(later.deeds);
        self.looks.extend(later.looks);
        self.look_limits = later.look_limits.or(self.look_limits);
        self.retained.extend(later.retained);
        self.released.extend(later.released);
        self.kept.extend(later.kept);
        self.waiters.extend(later.waiters);
        self.changes += later.changes;
        self.bytes += later.bytes;
    }
}
