//! The closed days of the coverage ledger, as the engine closed them: a row each, never changed, and a leaf of the log's tree.
use super::StoreError;
use super::leaves;
use super::reader::Reader;
use super::transaction::int;
use crate::engine::LedgerDay;
use rusqlite::{Row, Transaction, params};
use tuoan_evidence::{Kind, coverage};

pub(super) fn insert(tx: &Transaction<'_>, days: &[LedgerDay]) -> rusqlite::Result<()> {
    for d in days {
        tx.prepare_cached("INSERT INTO ledger_day VALUES(?1, ?2, ?3)")?.execute(params![int(d.number), d.date, d.bytes])?;
        // Part of the log's tree, whose heads are signed and witnessed.
        let record = coverage::record(d.number, d.date, &d.bytes);
        leaves::append(tx, Kind::CoverageDay, int(d.number), Some(&coverage::about(d.date)), record.as_bytes())?;
    }
    Ok(())
}

fn row(r: &Row<'_>) -> rusqlite::Result<LedgerDay> {
    Ok(LedgerDay { number: r.get::<_, i64>(0)?.unsigned_abs(), date: r.get(1)?, bytes: r.get(2)? })
}

impl Reader {
    /// The days from one date to another (days since 1970-01-01, both within), ascending; of each date the one that holds.
    pub fn ledger_days(&self, from: i64, to: i64) -> Result<Vec<LedgerDay>, StoreError> {
        let sql = "SELECT max(number), date, bytes FROM ledger_day WHERE date BETWEEN ?1 AND ?2 GROUP BY date ORDER BY date";
        self.list(sql, params![from, to], row)
    }
    /// Days with a higher number, ascending, at most `limit`.
    pub fn ledger_after(&self, number: u64, limit: usize) -> Result<Vec<LedgerDay>, StoreError> {
        let sql = "SELECT number, date, bytes FROM ledger_day WHERE number > ?1 ORDER BY number LIMIT ?2";
        self.list(sql, params![int(number), int(limit as u64)], row)
    }
}
