//! What can be wrong with the store, said so that a person can mend it.
use miette::Diagnostic;
use std::path::PathBuf;

/// Each names the file and, as help, what to do.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum StoreError {
    #[error("{path} is damaged: {detail}")]
    #[diagnostic(
        code(store::corrupt),
        help(
            "Stop the gateway, move the whole data directory aside (do not delete it: `sqlite3 log.db .recover` may still read most of it), \
             put back a backup or start with an empty directory. Check the disk: `dmesg | grep -i error`, and replace a worn SD card."
        )
    )]
    Corrupt { path: PathBuf, detail: String },
    #[error("{path} is no log of this gateway")]
    #[diagnostic(
        code(store::foreign),
        help("Another program's file is in its place. Point `data` to another directory, or move that file away.")
    )]
    Foreign { path: PathBuf },
    #[error("{path} cannot be written: {detail}")]
    #[diagnostic(
        code(store::read_only),
        help(
            "Make the directory writable for the user the gateway runs as (`chown -R tuoan DIR`). If the file system itself is mounted \
             read-only, the disk has probably failed: look at `dmesg`."
        )
    )]
    ReadOnly { path: PathBuf, detail: String },
    #[error("the disk that holds {path} is full")]
    #[diagnostic(
        code(store::full),
        help("Free some space (`df -h`, `du -x --max-depth=1 /`); the gateway goes on by itself. Nothing that was acknowledged is lost.")
    )]
    Full { path: PathBuf },
    #[error("{path} is in use by another process")]
    #[diagnostic(
        code(store::locked),
        help("A gateway already runs on this data directory (`systemctl status tuoan`). Stop it, or give this one another `--data`.")
    )]
    Locked { path: PathBuf },
    #[error("{path} was written by a newer version (schema {found}; this version knows up to {known})")]
    #[diagnostic(code(store::newer), help("Install the newer gateway again, or start this one on another data directory."))]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("{path} holds a record that cannot be read: {detail}")]
    #[diagnostic(code(store::record), help("Keep the file and report this; `tuoan doctor` shows whether other records are affected."))]
    Record { path: PathBuf, detail: String },
    #[error("{path} does not exist")]
    #[diagnostic(code(store::missing), help("Name the right data directory with `--data`, or start the gateway once: it creates the log."))]
    Missing { path: PathBuf },
    #[error("{operation} failed on {path}: {detail}")]
    #[diagnostic(code(store::io), help("Look at the disk: `dmesg | grep -i error`, `df -h`. The gateway retries by itself."))]
    Io { path: PathBuf, operation: &'static str, detail: String },
}
