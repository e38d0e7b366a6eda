//! What was removed, from where to where, when, and by which rule: in the transaction that removes it. It is a leaf of the log's tree, where the hashes of
//! removed events stay. A record of entries may still grow, so it becomes a leaf when the next record begins.
use super::StoreError;
use super::leaves;
use super::reader::Reader;
use super::retention::HELD;
use super::transaction::int;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use tuoan_evidence::Kind;

/// Entries that one rule removes one after the other on one day (UTC) are one record; in milliseconds. Not so long after the last one: a gateway that removes
/// some every minute would never end its record.
const DAY_MS: i64 = 86_400_000;

/// Why something had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Readings older than `keep_days`.
    Age,
    /// The oldest readings, for want of room.
    Budget,
    /// Incidents that were closed longer than `keep_events_days` ago.
    EventAge,
    /// What cameras' looks found around an incident, longer than `stills_days` ago.
    LookAge,
    /// The oldest of these, for want of room.
    LookBudget,
}

impl Rule {
    /// As it stands in the table, and in `[store]` or `[pictures]` of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Age => "keep_days",
            Rule::Budget => "budget_mb",
            Rule::EventAge => "keep_events_days",
            Rule::LookAge => "stills_days",
            Rule::LookBudget => "looks_mb",
        }
    }
}

/// A record of a removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// UTC milliseconds at which it ended.
    pub at: i64,
    /// [`Rule::name`].
    pub rule: String,
    /// Positions of log entries; of an incident the sequences of its first and last event, of looks their first and last number.
    pub first: u64,
    pub last: u64,
    /// How many entries or events went.
    pub records: u64,
    pub incident: Option<String>,
}

const ENTRIES: i64 = 0;
const INCIDENT: i64 = 1;
const LOOKS: i64 = 2;

/// Notes that the entries from `first` to `last` go.
pub(super) fn entries(tx: &Transaction<'_>, utc: i64, rule: Rule, first: u64, last: u64) -> rusqlite::Result<()> {
    let n = int(last.saturating_sub(first) + 1);
    let row = params![utc, rule.name(), int(first), int(last), n, ENTRIES, utc.div_euclid(DAY_MS).saturating_mul(DAY_MS)];
    let on = "UPDATE removal SET utc = ?1, last = ?4, records = records + ?5 \
              WHERE id = (SELECT max(id) FROM removal) AND what = ?6 AND rule = ?2 AND last = ?3 - 1 AND utc >= ?7";
    if tx.prepare_cached(on)?.execute(row)? == 0 {
        seal(tx)?;
        let new = "INSERT INTO removal(utc, rule, what, first, last, records) SELECT ?1, ?2, ?6, ?3, ?4, ?5 WHERE ?7 IS NOT NULL";
        tx.prepare_cached(new)?.execute(row)?;
    }
    Ok(())
}

/// Notes that an incident's events go. To be called before they are removed.
pub(super) fn incident(tx: &Transaction<'_>, utc: i64, rule: Rule, id: &str) -> rusqlite::Result<()> {
    seal(tx)?;
    let sql = "INSERT INTO removal(utc, rule, what, first, last, records, incident) \
               SELECT ?1, ?2, ?3, min(sequence), max(sequence), count(*), ?4 FROM event WHERE incident = ?4 HAVING count(*) > 0";
    tx.prepare_cached(sql)?.execute(params![utc, rule.name(), INCIDENT, id])?;
    seal(tx)
}

/// Notes that what looks found around an incident goes. To be called before it is removed.
pub(super) fn looks(tx: &Transaction<'_>, utc: i64, rule: Rule, incident: &str) -> rusqlite::Result<()> {
    seal(tx)?;
    let sql = "INSERT INTO removal(utc, rule, what, first, last, records, incident) \
               SELECT ?1, ?2, ?3, min(number), max(number), count(*), ?4 FROM look WHERE incident = ?4 HAVING count(*) > 0";
    tx.prepare_cached(sql)?.execute(params![utc, rule.name(), LOOKS, incident])?;
    seal(tx)
}

/// The last record is whole: it becomes a leaf of the log's tree, as JSON, unless it is one.
fn seal(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let sql = "SELECT utc, rule, first, last, records, incident, id FROM removal ORDER BY id DESC LIMIT 1";
    let last = tx.prepare_cached(sql)?.query_row([], |r| Ok((row(r)?, r.get::<_, i64>(6)?))).optional()?;
    let Some((removal, id)) = last else { return Ok(()) };
    let known = "SELECT count(*) FROM leaf WHERE kind = ?1 AND ref = ?2";
    if tx.prepare_cached(known)?.query_row(params![Kind::Deletion.number(), id], |r| r.get::<_, i64>(0))? > 0 {
        return Ok(());
    }
    let record = serde_json::to_vec(&removal).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    leaves::append(tx, Kind::Deletion, id, removal.incident.as_deref(), &record)?;
    Ok(())
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
    /// The leaves of removals of entries from one position to another (both within), in their order. One that has gone on today is none yet.
    pub fn removals_between(&self, first: u64, last: u64) -> Result<Vec<leaves::Recorded>, StoreError> {
        let sql = "SELECT l.n, l.record FROM removal r JOIN leaf l ON l.kind = ?4 AND l.ref = r.id \
                   WHERE r.what = ?3 AND r.first <= ?2 AND r.last >= ?1 ORDER BY l.n LIMIT 1000";
        let record =
            |r: &Row<'_>| Ok(leaves::Recorded { leaf: r.get::<_, i64>(0)?.unsigned_abs(), kind: Kind::Deletion, record: r.get(1)? });
        self.list(sql, params![int(first), int(last), ENTRIES, Kind::Deletion.number()], record)
    }
    /// A person holds that incident: nothing of it is removed.
    pub fn is_held(&self, incident: &str) -> Result<bool, StoreError> {
        let sql = format!("SELECT ?1 IN ({HELD})");
        self.with(|db| db.prepare_cached(&sql)?.query_row([incident], |r| r.get(0)))
    }
}
