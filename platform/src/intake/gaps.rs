//! What has not arrived: the ranges of sequence numbers missing below the highest one of a log, which counts from 1.
//! A late arrival fills its place; a tombstone counts as arrived.
use sqlx::{Any, Row, Transaction};

/// Most ranges in an answer.
pub const SHOWN: usize = 100;

/// Notes that `sequence` (from 1, below `i64::MAX`) of a log is stored. To be called once for each.
pub async fn arrived(tx: &mut Transaction<'static, Any>, site: &str, log: &str, sequence: i64) -> Result<(), sqlx::Error> {
    let row = sqlx::query("SELECT highest FROM logs WHERE site = $1 AND log = $2")
        .bind(site.to_owned())
        .bind(log.to_owned())
        .fetch_optional(&mut **tx)
        .await?;
    let highest: i64 = match row {
        Some(row) => row.try_get("highest")?,
        None => 0,
    };
    if sequence > highest {
        sqlx::query(
            "INSERT INTO logs (site, log, highest) VALUES ($1, $2, $3) ON CONFLICT (site, log) DO UPDATE SET highest = excluded.highest",
        )
        .bind(site.to_owned())
        .bind(log.to_owned())
        .bind(sequence)
        .execute(&mut **tx)
        .await?;
        return insert(tx, site, log, highest + 1, sequence - 1).await;
    }
    let gap =
        sqlx::query("SELECT first, last FROM gaps WHERE site = $1 AND log = $2 AND first <= $3 AND last >= $3 ORDER BY first DESC LIMIT 1")
            .bind(site.to_owned())
            .bind(log.to_owned())
            .bind(sequence)
            .fetch_optional(&mut **tx)
            .await?;
    let Some(gap) = gap else { return Ok(()) };
    let (first, last): (i64, i64) = (gap.try_get("first")?, gap.try_get("last")?);
    sqlx::query("DELETE FROM gaps WHERE site = $1 AND log = $2 AND first = $3")
        .bind(site.to_owned())
        .bind(log.to_owned())
        .bind(first)
        .execute(&mut **tx)
        .await?;
    insert(tx, site, log, first, sequence - 1).await?;
    insert(tx, site, log, sequence + 1, last).await
}

/// Stores the range; an empty one (first > last) is nothing.
async fn insert(tx: &mut Transaction<'static, Any>, site: &str, log: &str, first: i64, last: i64) -> Result<(), sqlx::Error> {
    if first > last {
        return Ok(());
    }
    sqlx::query("INSERT INTO gaps (site, log, first, last) VALUES ($1, $2, $3, $4)")
        .bind(site.to_owned())
        .bind(log.to_owned())
        .bind(first)
        .bind(last)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The first missing ranges of a log.
pub async fn of_log(tx: &mut Transaction<'static, Any>, site: &str, log: &str) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    let rows = sqlx::query("SELECT first, last FROM gaps WHERE site = $1 AND log = $2 ORDER BY first LIMIT 100")
        .bind(site.to_owned())
        .bind(log.to_owned())
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(|r| Ok((r.try_get("first")?, r.try_get("last")?))).collect()
}
