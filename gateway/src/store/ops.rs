//! Small changes that ride along with the next commit: cursors, receipts, outbox attempts, retained messages.
use super::{Lane, Receipt, Retained, SetAside};

/// Cheap to clone. Nothing here waits for the disk except [`Ops::settled`]; what is said twice before a commit is written once.
#[derive(Clone)]
pub struct Ops {}

/// The store has stopped, or too much waits for a disk that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpsError {
    #[error("the store has stopped")]
    Stopped,
    #[error("too many changes wait for the disk; try again later")]
    Busy,
}

impl Ops {
    /// `sink` is done with everything up to `to`; `receipts` are its word for the alerts among them.
    pub fn advance(&self, _sink: &str, _lane: Lane, _to: u64, _receipts: Vec<Receipt>) -> Result<(), OpsError> {
        todo!()
    }
    pub fn set_aside(&self, _record: SetAside) -> Result<(), OpsError> {
        todo!()
    }
    /// An outbox order was sent once more, at engine time `at`.
    pub fn attempted(&self, _id: u64, _at: i64) -> Result<(), OpsError> {
        todo!()
    }
    pub fn retain(&self, _message: Retained) -> Result<(), OpsError> {
        todo!()
    }
    pub fn forget_retained(&self, _topic: &str) -> Result<(), OpsError> {
        todo!()
    }
    /// Takes a message out of the quarantine (it was replayed).
    pub fn release(&self, _quarantine: u64) -> Result<(), OpsError> {
        todo!()
    }
    /// Waits until everything said before is on disk.
    pub async fn settled(&self) -> Result<(), OpsError> {
        todo!()
    }
}
