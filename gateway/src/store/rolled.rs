//! Roll-ups by the minute in the store (`rollup.rs` says what they are): made of what is half an hour old, a little with each commit that nobody waits for, and
//! there before the readings themselves may go.
//!
//! What must hold: each entry of the log is in one row of roll-ups or in none, and those in rows are those up to [`Roller::upto`]; a row and the new `upto`
//! are in one transaction. What is gathered in memory between two rows is lost in a crash and read again. Of one minute there may be parts in several
//! rows: a reader merges them in the order of the rows.
use super::body::{self, Dictionary};
use super::reader::{Reader, first_at, stored_row};
use super::rollup::{MINUTE_MS, Rollups};
use super::transaction::int;
use super::{StoreError, block};
use crate::engine::Body;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tuoan_protocol::DeviceId;

pub const TABLES: &str = "
-- Readings by the minute, of the entries from `first` to `upto`: see `rollup.rs`. Minutes are UTC minutes since 1970, both within; `minutes` how many of all series.
CREATE TABLE rollup(
    upto INTEGER PRIMARY KEY, first INTEGER NOT NULL, from_minute INTEGER NOT NULL, to_minute INTEGER NOT NULL, minutes INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX rollup_minutes ON rollup(to_minute, from_minute);
";

/// Entries younger than this are read as they are.
const OLD_MS: i64 = 1_800_000;
/// Minutes in one row: with more the row is written. A step may add those of its entries.
const MOST: usize = 4096;
/// A row is written when its first entry is older than this, however little there is.
const SPAN_MS: i64 = 6 * 3_600_000;
/// Entries that one step reads; of blocks whole ones.
const STEP: usize = 1024;
/// Minutes that are read at once.
const MOST_READ: usize = 400_000;
/// Corrections of the clock that are read at once.
const CLOCKS: i64 = 128;

/// A row that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    upto: u64,
    first: u64,
    span: (i64, i64),
    minutes: usize,
    body: Vec<u8>,
}

/// What the writer has in hand of it.
#[derive(Debug, Default)]
pub struct Roller {
    /// Entries up to here are in rows.
    upto: u64,
    /// Entries up to here are in `open`.
    read: u64,
    open: Rollups,
    /// Engine time of the first entry in `open`.
    since: Option<i64>,
    /// UTC minus engine time behind `read`, once it is known.
    utc_offset: Option<i64>,
    names: Dictionary,
    ready: Option<Row>,
}

impl Roller {
    pub fn load(db: &Connection) -> rusqlite::Result<Roller> {
        let kept: Option<i64> = db.query_row("SELECT value FROM meta WHERE key = 'rolled'", [], |r| r.get(0)).optional()?;
        let upto = kept.unwrap_or(0).unsigned_abs();
        Ok(Roller { upto, read: upto, ..Roller::default() })
    }
    /// Entries up to this position may go: what they said of readings is in roll-ups.
    pub fn upto(&self) -> u64 {
        self.upto
    }

    /// Reads a little of what is old at engine time `now`, outside any transaction; false: there was nothing to do.
    pub fn gather(&mut self, db: &Connection, now: i64) -> rusqlite::Result<bool> {
        if self.ready.is_some() {
            return Ok(true);
        }
        if self.utc_offset.is_none() {
            self.utc_offset = Some(offset_behind(db, self.read)?);
        }
        let newer = db
            .prepare_cached("SELECT text FROM name WHERE id >= ?1 ORDER BY id")?
            .query_map([int(self.names.len() as u64)], |r| r.get::<_, String>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        self.names.extend(newer);
        let mut statement = db.prepare_cached("SELECT position, at, message, body FROM log WHERE position > ?1 ORDER BY position")?;
        let mut rows = statement.query([int(self.read)])?;
        let mut count = 0;
        while count < STEP
            && let Some(row) = rows.next()?
        {
            let row = stored_row(row)?;
            if row.at > now.saturating_sub(OLD_MS) {
                break;
            }
            count += self.take(row);
        }
        drop(rows);
        let due = self.since.is_some_and(|since| since <= now.saturating_sub(SPAN_MS + OLD_MS));
        if self.open.len() >= MOST || due {
            self.ready = Some(self.row());
        }
        Ok(count > 0 || self.ready.is_some())
    }

    /// A row of the log, alone or a block; how many entries it had.
    fn take(&mut self, row: block::Row) -> usize {
        let (end, at) = (row.position.unsigned_abs(), row.at);
        self.since.get_or_insert(at);
        let mut count = 0;
        // What is damaged is passed over: it cannot be read later either, and must not keep all that follows from going.
        match block::unpack(row) {
            Err(e) => tracing::warn!("log entries up to {end} are in no roll-up: {e}"),
            Ok(entries) => {
                for entry in entries.into_iter().filter(|e| e.position.unsigned_abs() > self.read) {
                    count += 1;
                    match body::decode(&entry.body, entry.at, &self.names) {
                        Ok(Body::Message(m)) => self.open.add(&m, entry.at.saturating_add(self.utc_offset.unwrap_or(0))),
                        Ok(Body::Clock { offset_ms, .. }) => self.utc_offset = Some(offset_ms),
                        Ok(_) => {}
                        Err(e) => tracing::warn!("log entry {} is in no roll-up: {e}", entry.position),
                    }
                }
            }
        }
        self.read = end;
        count.max(1)
    }

    fn row(&self) -> Row {
        let body = self.open.pack().unwrap_or_default();
        Row { upto: self.read, first: self.upto + 1, span: self.open.span().unwrap_or((0, -1)), minutes: self.open.len(), body }
    }

    /// Writes the row that is ready, if there is one.
    pub fn write(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let Some(row) = &self.ready else { return Ok(()) };
        if row.minutes > 0 {
            tx.prepare_cached("INSERT INTO rollup VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
                int(row.upto),
                int(row.first),
                row.span.0,
                row.span.1,
                int(row.minutes as u64),
                row.body
            ])?;
        }
        tx.prepare_cached("INSERT OR REPLACE INTO meta VALUES('rolled', ?1)")?.execute([int(row.upto)])?;
        Ok(())
    }
    /// The commit with the row has succeeded.
    pub fn written(&mut self) {
        if let Some(row) = self.ready.take() {
            self.upto = row.upto;
            self.open = Rollups::default();
            self.since = None;
        }
    }
}

/// UTC minus engine time behind an entry; where the log no longer says, that of now.
fn offset_behind(db: &Connection, position: u64) -> rusqlite::Result<i64> {
    let sql = "SELECT utc_offset FROM clock_step WHERE position <= ?1 ORDER BY position DESC LIMIT 1";
    match db.prepare_cached(sql)?.query_row([int(position)], |r| r.get(0)).optional()? {
        Some(offset) => Ok(offset),
        None => db.query_row(
            "SELECT coalesce((SELECT utc_offset FROM clock_step ORDER BY position LIMIT 1), utc_offset) FROM progress",
            [],
            |r| r.get(0),
        ),
    }
}

/// Readings by the minute, as they were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rolled {
    pub rollups: Rollups,
    /// The entries up to here are in them; what follows is in the log alone.
    pub upto: u64,
    /// There is more than may be read at once, or some of it is damaged and left out.
    pub cut: bool,
}

impl Reader {
    /// The roll-ups of these devices from one time to another (UTC milliseconds, both within), as far as there are any.
    pub fn rollups(&self, devices: &[DeviceId], from: i64, to: i64) -> Result<Rolled, StoreError> {
        let minutes = (from.div_euclid(MINUTE_MS), to.div_euclid(MINUTE_MS));
        let (bodies, upto) = self.with(|db| {
            // Rows and how far they go, of one moment.
            let tx = db.unchecked_transaction()?;
            let upto = Roller::load(&tx)?.upto;
            let sql = "SELECT upto FROM rollup WHERE to_minute >= ?1 AND from_minute <= ?2 ORDER BY upto";
            let rows =
                tx.prepare_cached(sql)?.query_map([minutes.0, minutes.1], |r| r.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok((rows, upto))
        })?;
        let mut rolled = Rolled { upto, ..Rolled::default() };
        for row in bodies {
            let sql = "SELECT body FROM rollup WHERE upto = ?1";
            // One that has gone meanwhile was too old.
            let body = |r: &rusqlite::Row<'_>| Ok(r.get_ref(0)?.as_bytes().unwrap_or_default().to_vec());
            let Some(body) = self.with(|db| db.prepare_cached(sql)?.query_row([row], body).optional())? else {
                continue;
            };
            let (wanted, mut part) = (|d: &DeviceId| devices.contains(d), Rollups::default());
            // All of a row or nothing of it; the others are shown.
            match part.unpack(&body, &wanted, minutes) {
                Ok(()) => rolled.rollups.absorb(part),
                Err(e) => {
                    tracing::warn!("readings by the minute up to entry {row} are left out: {e}");
                    rolled.cut = true;
                }
            }
            if rolled.rollups.len() > MOST_READ {
                rolled.cut = true;
                break;
            }
        }
        Ok(rolled)
    }
    /// Position of the last entry before engine time `at`; 0 when there is none.
    pub fn position_before(&self, at: i64) -> Result<u64, StoreError> {
        Ok(self.with(|db| first_at(&*db.unchecked_transaction()?, at))?.saturating_sub(1).unsigned_abs())
    }
    /// Engine time of the first entry that is kept, by its row: minutes late at most. `None` while there is none.
    pub fn begins_at(&self) -> Result<Option<i64>, StoreError> {
        self.with(|db| db.prepare_cached("SELECT at FROM log ORDER BY position LIMIT 1")?.query_row([], |r| r.get(0)).optional())
    }
    /// When the clock was set or became trusted or not, of the entries from one position to another (both within): engine time, and whether it was trusted.
    pub fn clock_steps(&self, first: u64, last: u64) -> Result<Vec<(i64, bool)>, StoreError> {
        let sql = "SELECT position FROM clock_step WHERE position BETWEEN ?1 AND ?2 ORDER BY position LIMIT ?3";
        let found: Vec<i64> = self.list(sql, params![int(first), int(last), CLOCKS], |r| r.get(0))?;
        let mut out = Vec::with_capacity(found.len());
        for position in found {
            let entries = self.entries_after(position.unsigned_abs().saturating_sub(1), 1)?;
            out.extend(entries.iter().filter_map(|e| match &e.body {
                Body::Clock { trusted, .. } => Some((e.at, *trusted)),
                _ => None,
            }));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
