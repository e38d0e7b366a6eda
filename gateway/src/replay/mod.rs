//! The stored inputs through the same engine again: to prove what was decided, and to ask what other rules would have decided.
//!
//! | file | holds |
//! |---|---|
//! | `source.rs` | where a log comes from, and the thread that reads it ahead |
//! | `export.rs` | a log as a text file |
//! | `segment.rs` | a stretch of a log with the state that it begins with, for evidence |
//! | `exact.rs` | the same rules: the incident log must come out bit for bit |
//! | `change.rs` | a rule pack put in force beside the others |
//! | `what_if.rs` | the history under other rules: acknowledgements find the incidents that they would have met |
//! | `tally.rs` | incidents and figures by rule, folded from incident events |
//! | `difference.rs` | incidents of two runs side by side |
//! | `backtest.rs` | expected incidents a week, before a rule is switched on |
//! | `poisson.rs` | how sure such a figure is |
//! | `cli.rs` | the two commands |
//! | `report.rs` | all of it in words |
//!
//! What must hold: nothing here writes to the store; a log of any length is read with the same memory; beside a running gateway it sees the
//! log as it stood when it began.
pub mod backtest;
pub mod change;
pub mod cli;
pub mod difference;
pub mod exact;
pub mod export;
pub mod poisson;
pub mod report;
pub mod segment;
pub mod source;
pub mod tally;
#[cfg(test)]
pub(crate) mod tests;
pub mod what_if;

pub use backtest::{Backtest, backtest};
pub use change::Change;
pub use exact::{Exact, exact};
pub use source::Source;

use crate::store::StoreError;
use miette::Diagnostic;
use std::path::{Path, PathBuf};

/// Why a log cannot be replayed.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ReplayError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    #[error("{path}: {detail}")]
    #[diagnostic(
        code(replay::file),
        help("Name a data folder (--data), a copy of its log.db, or a file that `tuoan replay --export` wrote.")
    )]
    File { path: PathBuf, detail: String },
    #[error("{path} is neither a store nor an exported log")]
    #[diagnostic(
        code(replay::foreign),
        help("Name a data folder (--data), a copy of its log.db, or a file that `tuoan replay --export` wrote.")
    )]
    Foreign { path: PathBuf },
    #[error("{path} was exported by a newer version (form {found})")]
    #[diagnostic(code(replay::newer), help("Replay it with the version that wrote it."))]
    Newer { path: PathBuf, found: u32 },
    #[error("{path}, line {number}: {detail}")]
    #[diagnostic(code(replay::line), help("The export was cut short or edited; export the log again."))]
    Line { path: PathBuf, number: u64, detail: String },
    #[error("the log has a gap after position {after}")]
    #[diagnostic(
        code(replay::gap),
        help("Entries are missing: this is a damaged copy. Take another one, with `sqlite3 log.db '.backup copy.db'`.")
    )]
    Gap { after: u64 },
    #[error("{path} holds no configuration yet: there is nothing to replay")]
    #[diagnostic(code(replay::empty), help("Start the gateway on it once."))]
    Empty { path: PathBuf },
    #[error("{path} is evidence without the inputs of its incident: there is nothing to replay")]
    #[diagnostic(code(replay::no_inputs), help("The log no longer had them when the evidence was exported."))]
    NoInputs { path: PathBuf },
    #[error("{path} is evidence that was changed:\n{why}")]
    #[diagnostic(code(replay::evidence), help("`tuoan evidence verify` says more. Ask for the file as it was exported."))]
    Evidence { path: PathBuf, why: String },
    #[error("the rules cannot be put in force:\n{0}")]
    #[diagnostic(code(replay::rules), help("`tuoan rules check FILE` names every problem of a rule pack with its line."))]
    Rules(String),
    #[error("the reading thread could not be started: {0}")]
    Thread(String),
    #[error("stopped before the end")]
    Cancelled,
}

impl ReplayError {
    fn file(path: &Path, e: &std::io::Error) -> ReplayError {
        ReplayError::File { path: path.to_owned(), detail: e.to_string() }
    }
}

/// Which part of a log, in engine time: from `from` on, earlier than `to`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    pub from: Option<i64>,
    pub to: Option<i64>,
}

/// Told how far a replay is, by position in the log; false stops it.
pub type Progress<'a> = &'a mut dyn FnMut(u64) -> bool;
