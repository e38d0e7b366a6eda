//! The days of the sites' coverage ledgers: which zones were watched, as each site has closed them.
use serde::Serialize;
use sqlx::{Any, Row, Transaction};
use std::collections::BTreeMap;
use tuoan_protocol::ledger::Day;

/// Keeps a day; false when it is here already. Of two days of one date the one that was closed later holds: a clock that was far off has been set
/// right since.
pub async fn keep(tx: &mut Transaction<'static, Any>, site: &str, day: &Day, now: i64) -> Result<bool, sqlx::Error> {
    let (figure, longest) = (day.figure(), day.longest_gap());
    let done = sqlx::query(
        "INSERT INTO coverage_days (site, date, log, number, closed_at, watched, degraded, blind, gap_zone, gap_minutes, gap_cause, canonical, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (site, date) DO UPDATE SET log = excluded.log, number = excluded.number, closed_at = excluded.closed_at,
         watched = excluded.watched, degraded = excluded.degraded, blind = excluded.blind, gap_zone = excluded.gap_zone,
         gap_minutes = excluded.gap_minutes, gap_cause = excluded.gap_cause, canonical = excluded.canonical, received_at = excluded.received_at
         WHERE excluded.closed_at > coverage_days.closed_at",
    )
    .bind(site.to_owned())
    .bind(day.date)
    .bind(day.log.to_string())
    .bind(i64::try_from(day.number).unwrap_or(i64::MAX))
    .bind(day.closed_at)
    .bind(i64::from(figure.watched))
    .bind(i64::from(figure.degraded))
    .bind(i64::from(figure.blind))
    .bind(longest.map(|(zone, _)| zone.to_string()))
    .bind(longest.map(|(_, gap)| i64::from(gap.minutes)))
    .bind(longest.map(|(_, gap)| gap.reason.cause.name().to_owned()))
    .bind(hex::encode(day.canonical_bytes()))
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The last day that a site has closed.
#[derive(Debug, Clone, Serialize)]
pub struct CoverageView {
    /// Days since 1970-01-01 by the site's clock.
    pub date: i64,
    /// Minutes, all zones together.
    pub watched: i64,
    pub degraded: i64,
    pub blind: i64,
    /// The longest gap: its zone, minutes, and what began it.
    pub gap_zone: Option<String>,
    pub gap_minutes: Option<i64>,
    pub gap_cause: Option<String>,
}

/// By site.
pub async fn latest(db: &crate::db::Db, only: Option<&str>) -> Result<BTreeMap<String, CoverageView>, sqlx::Error> {
    let sql = "SELECT c.site, c.date, c.watched, c.degraded, c.blind, c.gap_zone, c.gap_minutes, c.gap_cause FROM coverage_days c
        JOIN (SELECT site, MAX(date) AS date FROM coverage_days GROUP BY site) n ON n.site = c.site AND n.date = c.date
        WHERE $1 = '' OR c.site = $1";
    let rows = sqlx::query(sql).bind(only.unwrap_or_default().to_owned()).fetch_all(db.read()).await?;
    rows.iter()
        .map(|r| {
            let view = CoverageView {
                date: r.try_get("date")?,
                watched: r.try_get("watched")?,
                degraded: r.try_get("degraded")?,
                blind: r.try_get("blind")?,
                gap_zone: r.try_get("gap_zone")?,
                gap_minutes: r.try_get("gap_minutes")?,
                gap_cause: r.try_get("gap_cause")?,
            };
            Ok((r.try_get("site")?, view))
        })
        .collect()
}
