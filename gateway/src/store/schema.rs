//! Tables and migrations of the one SQLite file.
//!
//! `log` and `event` grow at one end and are shortened only at the other (`retention.rs`): an incident's evidence and the replay rest on them.
//! Everything else follows from them or can be lost without losing an alarm: `incident` is a projection of `event`, `snapshot` a short cut
//! for the replay of `log`, and where a replay of a shortened `log` begins.
use super::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;

/// Marks the file as ours (`file` and SQLite's own tools show it): "TuOa".
const APPLICATION_ID: i64 = 0x5475_4f61;

/// One step for each schema version, oldest first; never edited once released.
const MIGRATIONS: &[&str] = &["
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
-- One row: how far the log is, and totals. `now` is engine time.
CREATE TABLE progress(
    one INTEGER PRIMARY KEY CHECK(one = 1), now INTEGER NOT NULL, utc_offset INTEGER NOT NULL,
    messages INTEGER NOT NULL, entries INTEGER NOT NULL, duplicates INTEGER NOT NULL, quarantined INTEGER NOT NULL,
    quarantine_dropped INTEGER NOT NULL, quarantine_rows INTEGER NOT NULL, quarantine_bytes INTEGER NOT NULL,
    events INTEGER NOT NULL, body_bytes INTEGER NOT NULL);
INSERT INTO progress VALUES(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
CREATE TABLE name(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
-- Append only, no index: `at` grows with `position`, so a time is found by bisection.
CREATE TABLE log(position INTEGER PRIMARY KEY, at INTEGER NOT NULL, message INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE event(
    sequence INTEGER PRIMARY KEY, position INTEGER NOT NULL, at INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, incident TEXT NOT NULL,
    bytes BLOB NOT NULL);
CREATE INDEX event_incident ON event(incident, sequence);
CREATE TABLE incident(
    id TEXT PRIMARY KEY, hazard TEXT NOT NULL, zone TEXT NOT NULL, device TEXT, severity INTEGER NOT NULL, basis INTEGER NOT NULL,
    active INTEGER NOT NULL, acknowledged INTEGER NOT NULL, closed INTEGER NOT NULL, rule TEXT NOT NULL, activations INTEGER NOT NULL,
    opened_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX incident_open ON incident(sequence) WHERE closed = 0;
CREATE INDEX incident_changed ON incident(changed_at);
CREATE TABLE cursor(sink TEXT NOT NULL, lane INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(sink, lane)) WITHOUT ROWID;
CREATE TABLE set_aside(
    sink TEXT NOT NULL, lane INTEGER NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL, utc INTEGER NOT NULL,
    PRIMARY KEY(sink, lane, at)) WITHOUT ROWID;
CREATE TABLE receipt(
    sequence INTEGER NOT NULL, sink TEXT NOT NULL, receipt TEXT NOT NULL, utc INTEGER NOT NULL, PRIMARY KEY(sequence, sink)) WITHOUT ROWID;
CREATE TABLE outbox(
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, action TEXT NOT NULL, expires INTEGER NOT NULL, created INTEGER NOT NULL,
    confirmed INTEGER, attempts INTEGER NOT NULL DEFAULT 0, attempted INTEGER);
CREATE INDEX outbox_open ON outbox(id) WHERE confirmed IS NULL;
CREATE TABLE quarantine(
    id INTEGER PRIMARY KEY AUTOINCREMENT, utc INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, retained INTEGER NOT NULL,
    decoder TEXT, reason TEXT NOT NULL);
CREATE TABLE retained(
    topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL, sender TEXT, utc INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;
CREATE TABLE snapshot(position INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, bytes BLOB NOT NULL);
", "
-- What was done with cameras' pictures: a projection of `log`, so that it need not be searched for them.
CREATE TABLE picture_deed(
    position INTEGER PRIMARY KEY, utc INTEGER NOT NULL, actor TEXT NOT NULL, what TEXT NOT NULL, camera TEXT, incident TEXT, reason TEXT NOT NULL);
", "
-- Stretches that a sink has taken beyond `at`: see `done.rs`.
ALTER TABLE cursor ADD COLUMN ahead TEXT NOT NULL DEFAULT '';
-- Since when how much has been delivered, so that events stay for a while after that: see `retention.rs`. Times are engine time.
CREATE TABLE settled(
    sink TEXT NOT NULL, lane INTEGER NOT NULL, at INTEGER NOT NULL, marked INTEGER NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY(sink, lane)) WITHOUT ROWID;
-- UTC minus engine time from that entry on: a projection of `log`, for who reads it from the middle.
CREATE TABLE clock_step(position INTEGER PRIMARY KEY, utc_offset INTEGER NOT NULL);
", super::notices::TABLES, super::leaves::TABLES, "
-- The closed days of the coverage ledger, canonical, as they are signed and sent. Of two of one date the one with the higher number holds.
CREATE TABLE ledger_day(number INTEGER PRIMARY KEY, date INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE INDEX ledger_day_date ON ledger_day(date);
-- What was removed, by which rule: see `removal.rs`. `first` and `last`: positions of entries, sequences of an incident's events.
CREATE TABLE removal(
    id INTEGER PRIMARY KEY, utc INTEGER NOT NULL, rule TEXT NOT NULL, what INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    records INTEGER NOT NULL, incident TEXT);
", super::search::TABLES, super::deeds::TABLES, super::rolled::TABLES, super::looks::TABLES];

/// The newest schema that this version knows.
pub fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// A file up to this size is checked whole after a run that did not end in good order (about a second on a small box).
const CHECKED_WHOLE: u64 = 256 << 20;

/// The writer's connection: created, checked (`unclean`: the last run did not end in good order) and migrated as need be.
pub fn open_writer(path: &Path, unclean: bool) -> Result<Connection, StoreError> {
    let check = unclean && std::fs::metadata(path).is_ok_and(|m| m.len() <= CHECKED_WHOLE);
    let mut db = Connection::open(path).map_err(|e| classify(path, "opening", &e))?;
    prepare(&mut db, path, check).map_err(|e| match e {
        Problem::Sql(e) => classify(path, "opening", &e),
        Problem::Store(e) => e,
    })?;
    Ok(db)
}

/// A connection that only reads.
pub fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|e| classify(path, "opening", &e))?;
    let checked = (|| {
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        db.pragma_update(None, "query_only", true)?;
        // A reader that keeps little: many of them are cheap, and the operating system caches the file.
        db.pragma_update(None, "cache_size", -1024)?;
        Ok((db.pragma_query_value(None, "application_id", |r| r.get(0))?, db.pragma_query_value(None, "user_version", |r| r.get(0))?))
    })();
    let (application, version): (i64, i64) = checked.map_err(|e| classify(path, "opening", &e))?;
    match (application == APPLICATION_ID, version > known()) {
        (false, _) => Err(StoreError::Foreign { path: path.to_owned() }),
        (true, true) => Err(StoreError::Newer { path: path.to_owned(), found: version, known: known() }),
        (true, false) => Ok(db),
    }
}

enum Problem {
    Sql(rusqlite::Error),
    Store(StoreError),
}
impl From<rusqlite::Error> for Problem {
    fn from(e: rusqlite::Error) -> Self {
        Problem::Sql(e)
    }
}

fn prepare(db: &mut Connection, path: &Path, check: bool) -> Result<(), Problem> {
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    let application: i64 = db.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    if application != APPLICATION_ID && (tables > 0 || application != 0) {
        return Err(Problem::Store(StoreError::Foreign { path: path.to_owned() }));
    }
    let version: i64 = db.pragma_query_value(None, "user_version", |r| r.get(0))?;
    if version > known() {
        return Err(Problem::Store(StoreError::Newer { path: path.to_owned(), found: version, known: known() }));
    }
    db.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit returns only when the write-ahead log is on disk. NORMAL would acknowledge what a power cut takes back.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -8192)?;
    db.pragma_update(None, "journal_size_limit", 16 << 20)?;
    db.set_prepared_statement_cache_capacity(64);
    if check {
        let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
        if verdict != "ok" {
            return Err(Problem::Store(StoreError::Corrupt { path: path.to_owned(), detail: verdict }));
        }
    }
    let from = usize::try_from(version).unwrap_or(0);
    for (migration, to) in MIGRATIONS.iter().skip(from).zip(version + 1..) {
        let tx = db.transaction()?;
        tx.execute_batch(migration)?;
        if *migration == super::search::TABLES {
            super::search::fill(&tx)?;
        }
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", to)?;
        tx.commit()?;
    }
    super::leaves::catch_up(db)?;
    Ok(())
}

/// What SQLite's word means for a person.
pub fn classify(path: &Path, operation: &'static str, error: &rusqlite::Error) -> StoreError {
    let (path, detail) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt { path, detail },
        Some(ErrorCode::NotADatabase) => StoreError::Foreign { path },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => StoreError::ReadOnly { path, detail },
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        _ => StoreError::Io { path, operation, detail },
    }
}
