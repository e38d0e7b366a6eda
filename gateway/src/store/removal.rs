//! What was removed, from where to where, when, and by which rule: in the transaction that removes it. An incident event leaves its leaf hash
//! behind, so that the chain of all events can be computed without it.
use super::StoreError;
use super::reader::Reader;
use super::retention::HELD;
use super::transaction::int;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

/// Entries that one rule removes one after the other within this time are one record, milliseconds.
const TOGETHER_MS: i64 = 86_400_000;

/// Why something had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Readings older than `keep_days`.
    Age,
    /// The oldest readings, for want of room.
    Budget,
    /// Incidents that were closed longer than `keep_events_days` ago.
    EventAge,
}

impl Rule {
    /// As it stands in the table, and in `[store]` of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Age => "keep_days",
            Rule::Budget => "budget_mb",
            Rule::EventAge => "keep_events_days",
        }
    }
}

/// A record of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// UTC milliseconds at which it ended.
    pub at: i64,
    /// [`Rule::name`].
    pub rule: String,
    /// Positions of log entries; of an incident the sequences of its first and last event.
    pub first: u64,
    pub last: u64,
    /// How many entries or events went.
    pub records: u64,
    pub incident: Option<String>,
}

const ENTRIES: i64 = 0;
const INCIDENT: i64 = 1;

/// Notes that the entries from `first` to `last` go.
pub(super) fn entries(tx: &Transaction<'_>, utc: i64, rule: Rule, first: u64, last: u64) -> rusqlite::Result<()> {
    let n = int(last.saturating_sub(first) + 1);
    let row = params![utc, rule.name(), int(first), int(last), n, ENTRIES, utc.saturating_sub(TOGETHER_MS)];
    let on = "UPDATE removal SET utc = ?1, last = ?4, records = records + ?5 \
              WHERE id = (SELECT max(id) FROM removal WHERE what = ?6) AND rule = ?2 AND last = ?3 - 1 AND utc > ?7";
    if tx.prepare_cached(on)?.execute(row)? == 0 {
        let new = "INSERT INTO removal(utc, rule, what, first, last, records) SELECT ?1, ?2, ?6, ?3, ?4, ?5 WHERE ?7 IS NOT NULL";
        tx.prepare_cached(new)?.execute(row)?;
    }
    Ok(())
}

/// Notes that an incident's events go, and keeps their hashes. To be called before they are removed.
pub(super) fn incident(tx: &Transaction<'_>, utc: i64, rule: Rule, id: &str) -> rusqlite::Result<()> {
    let mut events = tx.prepare_cached("SELECT sequence, bytes FROM event WHERE incident = ?1")?;
    let mut keep = tx.prepare_cached("INSERT OR IGNORE INTO removed_leaf VALUES(?1, ?2)")?;
    let mut rows = events.query([id])?;
    while let Some(row) = rows.next()? {
        let (sequence, bytes): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        keep.execute(params![sequence, leaf(&bytes)])?;
    }
    let sql = "INSERT INTO removal(utc, rule, what, first, last, records, incident) \
               SELECT ?1, ?2, ?3, min(sequence), max(sequence), count(*), ?4 FROM event WHERE incident = ?4 HAVING count(*) > 0";
    tx.prepare_cached(sql)?.execute(params![utc, rule.name(), INCIDENT, id])?;
    Ok(())
}

/// RFC 6962, 2.1: SHA-256 over a zero byte and the record.
fn leaf(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(bytes);
    hash.finalize().into()
}

fn row(r: &Row<'_>) -> rusqlite::Result<Removal> {
    let unsigned = |n| r.get::<_, i64>(n).map(i64::unsigned_abs);
    Ok(Removal { at: r.get(0)?, rule: r.get(1)?, first: unsigned(2)?, last: unsigned(3)?, records: unsigned(4)?, incident: r.get(5)? })
}

impl Reader {
    /// What was removed, newest first.
    pub fn removals(&self, limit: usize) -> Result<Vec<Removal>, StoreError> {
        self.list("SELECT utc, rule, first, last, records, incident FROM removal ORDER BY id DESC LIMIT ?1", [int(limit as u64)], row)
    }
    /// A person holds that incident: nothing of it is removed.
    pub fn is_held(&self, incident: &str) -> Result<bool, StoreError> {
        let sql = format!("SELECT ?1 IN ({HELD})");
        self.with(|db| db.prepare_cached(&sql)?.query_row([incident], |r| r.get(0)))
    }
    /// Leaf hash of an incident event that was removed; `None`: it is there, or never was.
    pub fn removed_leaf(&self, sequence: u64) -> Result<Option<[u8; 32]>, StoreError> {
        let sql = "SELECT hash FROM removed_leaf WHERE sequence = ?1";
        let found: Option<Vec<u8>> = self.with(|db| db.prepare_cached(sql)?.query_row([int(sequence)], |r| r.get(0)).optional())?;
        Ok(found.and_then(|bytes| bytes.try_into().ok()))
    }
}
