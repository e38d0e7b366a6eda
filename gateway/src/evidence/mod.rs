//! Evidence: one file about one incident that proves itself (`docs/evidence.md`). The form, the tree and the verifier are the crate `tuoan-evidence`; here
//! is what only the gateway has: its key, its store, its pictures.
//!
//! | file | holds |
//! |---|---|
//! | `export.rs` | the file: what is in it, from a data folder, beside a running gateway or without one |
//! | `names.rs` | what ids mean: zones, devices, people, the rule's text |
//! | `pictures.rs` | blurred stills, and the hashes of sealed originals |
//! | `witness.rs` | signed heads of the log to the district, and its countersignature |
//! | `cli.rs` | `tuoan evidence export`, `key`, `verify` |
//!
//! What must hold: nothing here writes to the store but through its writer; the key is on no wire and in no log; a code of a child is in no file.
pub mod cli;
pub mod export;
mod names;
mod pictures;
#[cfg(test)]
mod tests;
pub mod witness;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tuoan_evidence::SigningKey;
use witness::WitnessState;

/// Where the site's key is.
pub fn key_file(data: &Path) -> PathBuf {
    data.join("site.key")
}

/// What exporting evidence needs.
#[derive(Debug, Clone)]
pub struct Office {
    /// The data folder.
    pub data: PathBuf,
    pub key: SigningKey,
    /// What the district last said to the log's head; `None`: there is no district.
    pub witness: Option<Arc<Mutex<WitnessState>>>,
}

/// The site's key, drawn at the first start.
///
/// # Errors
/// Its file cannot be read or written, holds no key, or others may read it.
pub fn site_key(data: &Path) -> io::Result<SigningKey> {
    SigningKey::open(&key_file(data))
}
