//! What was removed, from where to where, when, and by which rule: in the transaction that removes the first of it, as a leaf of the log's tree, where the hashes of
//! removed events stay. Nothing goes that is not on record.
use super::StoreError;
use super::leaves;
use super::reader::Reader;
use super::retention::HELD;
use super::transaction::int;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use tuoan_evidence::Kind;

/// Why something had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Readings older than `keep_days`.
    Age,
    /// The oldest readings, for want of room.
    Budget,
    /// Incidents that were closed longer than `keep_events_days` ago.
    EventAge,
    /// Readings by the minute older than `keep_rollups_days`.
    RollupAge,
    /// The oldest readings by the minute, for want of room.
    RollupBudget,
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
            Rule::RollupAge => "keep_rollups_days",
            Rule::RollupBudget => "budget_mb.rollups",
            Rule::LookAge => "stills_days",
            Rule::LookBudget => "looks_mb",
        }
    }
}

/// A record of a removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// UTC milliseconds at which it began.
    pub at: i64,
    /// [`Rule::name`].
    pub rule: String,
    /// Positions of log entries, of roll-ups those that they were made of; of an incident the sequences of its first and last event, of looks
    /// their first and last number.
    pub first: u64,
    pub last: u64,
    /// How many entries, minutes (of all series) or events went.
    pub records: u64,
    pub incident: Option<String>,
}

const ENTRIES: i64 = 0;
const INCIDENT: i64 = 1;
const ROLLUPS: i64 = 2;
const LOOKS: i64 = 3;

/// Notes that the entries from the first that is kept up to the one before `below` go, unless that is on record already: what a crash or a hold has stopped half-way goes on
/// under the record that was there before it.
pub(super) fn entries(tx: &Transaction<'_>, utc: i64, rule: Rule, kept_from: u64, below: u64) -> rusqlite::Result<()> {
    // A block goes whole, or stays whole.
    let last = "SELECT max(position) FROM log WHERE position < ?1";
    let last: Option<i64> = tx.prepare_cached(last)?.query_row([int(below)], |r| r.get(0))?;
    let first = noted(tx, ENTRIES)?.saturating_add(1).max(int(kept_from));
    match last {
        Some(last) if last >= first => note(tx, utc, rule, ENTRIES, (first, last), last - first + 1),
        _ => Ok(()),
    }
}

/// Notes that these rows of roll-ups go: what each was made of (first and last position), and its minutes. By their minutes rows may go in another order than that in
/// which they were written, so nothing is taken from an earlier record. To be called with the rows that this very transaction removes.
pub(super) fn rollups(tx: &Transaction<'_>, utc: i64, rule: Rule, rows: &[(i64, i64, i64)]) -> rusqlite::Result<()> {
    let (first, last) = (rows.iter().map(|r| r.0).min(), rows.iter().map(|r| r.1).max());
    let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
    note(tx, utc, rule, ROLLUPS, (first, last), rows.iter().fold(0, |sum, r| sum.saturating_add(r.2)))
}

/// Up to which position the records of that kind go.
fn noted(tx: &Transaction<'_>, what: i64) -> rusqlite::Result<i64> {
    tx.prepare_cached("SELECT coalesce(max(last), 0) FROM removal WHERE what = ?1")?.query_row([what], |r| r.get(0))
}

fn note(tx: &Transaction<'_>, utc: i64, rule: Rule, what: i64, (first, last): (i64, i64), records: i64) -> rusqlite::Result<()> {
    // One of an earlier version may not be a leaf yet.
    seal(tx)?;
    let new = "INSERT INTO removal(utc, rule, what, first, last, records) VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
    tx.prepare_cached(new)?.execute(params![utc, rule.name(), what, first, last, records])?;
    seal(tx)
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

/// The last record becomes a leaf of the log's tree, as JSON, unless it is one.
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
    /// The leaves of removals of entries from one position to another (both within), in their order.
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
