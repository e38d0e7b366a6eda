//! The log from one end to the other, for a replay: a connection of its own, the names resolved once, rows decoded as they are read.
use super::block;
use super::body::{self, Dictionary};
use super::reader::{first_at, first_position, stored_event, stored_row};
use super::transaction::int;
use super::{LOG_FILE, Snapshot, StoreError, StoredEvent, schema};
use crate::engine::{Body, Input, State};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};
use tuoan_protocol::LogId;

type Result<T> = std::result::Result<T, StoreError>;

/// How far the log is at one moment. What lies within a cut stays as it is while a gateway goes on writing, but for its oldest entries, which
/// may go (`retention.rs`): who reads them then is told of a gap. No transaction is held meanwhile, so that the write-ahead log of the gateway
/// does not pile up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub log: Option<LogId>,
    /// Engine time and UTC minus engine time of the last commit.
    pub now: i64,
    pub utc_offset: i64,
    /// Position of the first entry that is kept; 0 while there is none.
    pub first: u64,
    pub position: u64,
    pub sequence: u64,
    /// Engine time of the first and the last entry; `None` while there is none.
    pub span: Option<(i64, i64)>,
}

/// A store that is read whole. Not shared: each thread that reads opens its own.
pub struct History {
    path: PathBuf,
    db: Connection,
    names: Dictionary,
}

impl History {
    /// Of a data directory, or of a store file itself; beside a running gateway or without one.
    ///
    /// # Errors
    /// It is not there, is none of ours, or of a newer version.
    pub fn open(path: &Path) -> Result<History> {
        let path = if path.is_dir() { path.join(LOG_FILE) } else { path.to_owned() };
        let db = schema::open_reader(&path)?;
        // Read from end to end: what is behind is not needed again, but wide pages ahead help.
        let _ = db.pragma_update(None, "mmap_size", 256i64 << 20);
        Ok(History { path, db, names: Dictionary::default() })
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
    pub fn cut(&mut self) -> Result<Cut> {
        let path = self.path.clone();
        let read = |e: rusqlite::Error| schema::classify(&path, "reading", &e);
        let tx = self.db.transaction().map_err(read)?;
        let cut = || -> rusqlite::Result<Cut> {
            let log: Option<String> = tx.query_row("SELECT value FROM meta WHERE key = 'log'", [], |r| r.get(0)).optional()?;
            let number = |sql: &str| tx.query_row(sql, [], |r| r.get::<_, i64>(0)).map(i64::unsigned_abs);
            let at = |sql: &str| tx.query_row(sql, [], |r| r.get::<_, i64>(0)).optional();
            let oldest =
                tx.query_row("SELECT position, at, message, body FROM log ORDER BY position LIMIT 1", [], stored_row).optional()?;
            let first = oldest.map(|row| {
                let end = row.at;
                block::unpack(row).ok().and_then(|rows| rows.first().map(|r| r.at)).unwrap_or(end)
            });
            let last = at("SELECT at FROM log ORDER BY position DESC LIMIT 1")?;
            let (now, utc_offset) = tx.query_row("SELECT now, utc_offset FROM progress", [], |r| Ok((r.get(0)?, r.get(1)?)))?;
            Ok(Cut {
                log: log.as_deref().and_then(|l| LogId::new(l).ok()),
                now,
                utc_offset,
                first: first_position(&tx)?.unsigned_abs(),
                position: number("SELECT coalesce(max(position), 0) FROM log")?,
                sequence: number("SELECT coalesce(max(sequence), 0) FROM event")?,
                span: first.zip(last),
            })
        };
        cut().map_err(read)
    }

    /// The snapshots that the log goes on from, newest first: position, and engine time of the entry there.
    pub fn snapshots(&self) -> Result<Vec<(u64, i64)>> {
        let sql = "SELECT s.position, l.at FROM snapshot s JOIN log l ON l.position = s.position ORDER BY s.position DESC";
        self.list(sql, [], |r| Ok((unsigned(r, 0)?, r.get(1)?)))
    }
    pub fn snapshot(&self, position: u64) -> Result<Option<Snapshot>> {
        let sql = "SELECT position, sequence, bytes FROM snapshot WHERE position = ?1";
        let row = |r: &Row<'_>| Ok(Snapshot { position: unsigned(r, 0)?, sequence: unsigned(r, 1)?, bytes: r.get(2)? });
        Ok(self.list(sql, [int(position)], row)?.pop())
    }

    /// Inputs after `position`, at most `limit` and up to position `last`, with the position of each.
    pub fn inputs(&mut self, position: u64, last: u64, limit: usize) -> Result<Vec<(u64, Input)>> {
        self.learn()?;
        let read = |e: rusqlite::Error| schema::classify(&self.path, "reading", &e);
        let sql = "SELECT position, at, message, body FROM log WHERE position > ?1 ORDER BY position";
        let mut statement = self.db.prepare_cached(sql).map_err(read)?;
        let mut rows = statement.query([int(position)]).map_err(read)?;
        let mut inputs = Vec::with_capacity(limit.min(usize::try_from(last.saturating_sub(position)).unwrap_or(limit)));
        while inputs.len() < limit
            && let Some(row) = rows.next().map_err(read)?
        {
            let row = stored_row(row).map_err(read)?;
            let end = row.position;
            for row in block::unpack(row).map_err(|e| self.record(format!("log entries up to {end}: {e}")))? {
                let at = row.position.unsigned_abs();
                if at <= position {
                    continue;
                }
                if at > last || inputs.len() == limit {
                    return Ok(inputs);
                }
                let body = body::decode(&row.body, row.at, &self.names).map_err(|e| self.record(format!("log entry {at}: {e}")))?;
                inputs.push((at, Input { at: row.at, body }));
            }
        }
        Ok(inputs)
    }

    /// Position of the last input before engine time `at`; 0 when there is none.
    pub fn position_before(&self, at: i64) -> Result<u64> {
        let first = || first_at(&*self.db.unchecked_transaction()?, at);
        let first = first().map_err(|e| schema::classify(&self.path, "reading", &e))?;
        Ok(first.saturating_sub(1).unsigned_abs())
    }

    /// Incident events with a higher sequence, ascending, at most `limit` and up to sequence `last`.
    pub fn events(&self, sequence: u64, last: u64, limit: usize) -> Result<Vec<StoredEvent>> {
        let sql = "SELECT sequence, at, bytes FROM event WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence LIMIT ?3";
        self.list(sql, params![int(sequence), int(last), int(limit as u64)], stored_event)
    }

    /// The last configuration that the log holds up to `last`: what is in force there.
    pub fn configuration(&mut self, last: u64) -> Result<Option<crate::engine::Configuration>> {
        self.learn()?;
        // Messages are the mass of a log; their bodies begin with 1, and so they need not be decoded.
        let sql = "SELECT position, at, body FROM log WHERE position <= ?1 AND substr(body, 1, 1) = x'00' ORDER BY position DESC";
        let read = |e: rusqlite::Error| schema::classify(&self.path, "reading", &e);
        let mut statement = self.db.prepare_cached(sql).map_err(read)?;
        let mut rows = statement.query([int(last)]).map_err(read)?;
        while let Some(row) = rows.next().map_err(read)? {
            let at: i64 = row.get(1).map_err(read)?;
            let bytes = row.get_ref(2).map_err(read)?.as_blob().map_err(|e| self.record(e.to_string()))?;
            if let Ok(Body::Configure(c)) = body::decode(bytes, at, &self.names) {
                return Ok(Some(*c));
            }
        }
        drop(rows);
        drop(statement);
        // It was given before the first entry that is kept: the state there has it.
        let newest = self.snapshots()?.into_iter().find(|(position, _)| *position <= last);
        let Some(snapshot) = newest.map(|(position, _)| self.snapshot(position)).transpose()?.flatten() else { return Ok(None) };
        Ok(State::decode(&snapshot.bytes).ok().and_then(|s| s.configuration().cloned()))
    }

    /// Names that were given a number since.
    fn learn(&mut self) -> Result<()> {
        let newer: Vec<String> =
            self.list("SELECT text FROM name WHERE id >= ?1 ORDER BY id", [int(self.names.len() as u64)], |r| r.get(0))?;
        self.names.extend(newer);
        Ok(())
    }
    fn list<T>(&self, sql: &str, params: impl rusqlite::Params, row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
        let rows = || self.db.prepare_cached(sql)?.query_map(params, row)?.collect::<rusqlite::Result<Vec<T>>>();
        rows().map_err(|e| schema::classify(&self.path, "reading", &e))
    }
    fn record(&self, detail: String) -> StoreError {
        StoreError::Record { path: self.path.clone(), detail }
    }
}

fn unsigned(r: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    r.get::<_, i64>(column).map(i64::unsigned_abs)
}
