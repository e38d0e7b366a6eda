//! The sites of the district and how much of each can be seen.
use crate::config::{Secret, SiteSeed};
use crate::coverage::{self, CoverageView};
use crate::db::Db;
use crate::silence::is_silent;
use crate::text::sha256_hex;
use serde::Serialize;
use serde_json::Value;
use sqlx::Row;
use std::collections::BTreeMap;

/// Whether what a site says can be trusted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// Never heard: not installed yet.
    Never,
    Heard,
    /// Its heartbeat is missing: nobody knows how it is there.
    Silent,
}

#[derive(Debug, Clone, Serialize)]
pub struct SiteView {
    pub id: String,
    pub name: String,
    pub contact: Contact,
    /// UTC milliseconds.
    pub last_seen_at: Option<i64>,
    /// Data of the newest heartbeat.
    pub heartbeat: Value,
    pub open_incidents: i64,
    /// Events stored, tombstones included.
    pub events: i64,
    /// Copies that were refused because the event is here already.
    pub duplicates: i64,
    pub conflicts: i64,
    pub rejected: i64,
    pub last_rejection: Option<String>,
    /// How often the site has fallen silent.
    pub silences: i64,
    pub logs: Vec<LogView>,
    /// The last day of its coverage ledger that is closed.
    pub coverage: Option<CoverageView>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LogView {
    pub log: String,
    pub highest: i64,
    /// Missing sequences, `[first, last]`, at most 100.
    pub gaps: Vec<(i64, i64)>,
}

/// All sites, or one.
pub async fn list(db: &Db, only: Option<&str>, now: i64, silent_after_ms: i64) -> Result<Vec<SiteView>, sqlx::Error> {
    let sql = "SELECT s.id, s.name, s.last_seen_at, s.heartbeat, s.duplicates, s.conflicts, s.rejected, s.last_rejection, s.silences,
        (SELECT COUNT(*) FROM incidents i WHERE i.site = s.id AND i.closed = 0) AS open_incidents,
        (SELECT COUNT(*) FROM events e WHERE e.site = s.id) AS events
        FROM sites s WHERE $1 = '' OR s.id = $1 ORDER BY s.id";
    let rows = sqlx::query(sql).bind(only.unwrap_or_default().to_owned()).fetch_all(db.read()).await?;
    let mut logs = logs(db, only).await?;
    let mut coverage = coverage::latest(db, only).await?;
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        let id: String = row.try_get("id")?;
        let last_seen_at: Option<i64> = row.try_get("last_seen_at")?;
        out.push(SiteView {
            name: row.try_get("name")?,
            contact: match last_seen_at {
                None => Contact::Never,
                seen if is_silent(seen, now, silent_after_ms) => Contact::Silent,
                Some(_) => Contact::Heard,
            },
            last_seen_at,
            heartbeat: row.try_get::<Option<String>, _>("heartbeat")?.and_then(|t| serde_json::from_str(&t).ok()).unwrap_or(Value::Null),
            open_incidents: row.try_get("open_incidents")?,
            events: row.try_get("events")?,
            duplicates: row.try_get("duplicates")?,
            conflicts: row.try_get("conflicts")?,
            rejected: row.try_get("rejected")?,
            last_rejection: row.try_get("last_rejection")?,
            silences: row.try_get("silences")?,
            logs: logs.remove(&id).unwrap_or_default(),
            coverage: coverage.remove(&id),
            id,
        });
    }
    Ok(out)
}

/// Logs shown of one site, those with most events. A gateway begins a new one only with a new data directory; a site that names thousands must
/// not make every page of the district slow.
const LOGS: i64 = 8;

async fn logs(db: &Db, only: Option<&str>) -> Result<BTreeMap<String, Vec<LogView>>, sqlx::Error> {
    let mut out: BTreeMap<String, Vec<LogView>> = BTreeMap::new();
    let sql =
        "SELECT site, log, highest FROM (SELECT site, log, highest, ROW_NUMBER() OVER (PARTITION BY site ORDER BY highest DESC, log) AS n
        FROM logs WHERE $1 = '' OR site = $1) AS ranked WHERE n <= $2 ORDER BY site, log";
    let rows = sqlx::query(sql).bind(only.unwrap_or_default().to_owned()).bind(LOGS).fetch_all(db.read()).await?;
    for row in rows {
        let (site, log): (String, String) = (row.try_get("site")?, row.try_get("log")?);
        let gaps = sqlx::query("SELECT first, last FROM gaps WHERE site = $1 AND log = $2 ORDER BY first LIMIT 100")
            .bind(site.clone())
            .bind(log.clone())
            .fetch_all(db.read())
            .await?
            .iter()
            .map(|r| Ok((r.try_get("first")?, r.try_get("last")?)))
            .collect::<Result<_, sqlx::Error>>()?;
        out.entry(site).or_default().push(LogView { log, highest: row.try_get("highest")?, gaps });
    }
    Ok(out)
}

/// Adds a site or renames it, and adds its token. The caller has checked the id.
pub async fn seed(db: &Db, seed: &SiteSeed, now: i64) -> Result<(), sqlx::Error> {
    let mut tx = db.begin().await?;
    sqlx::query("INSERT INTO sites (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET name = excluded.name")
        .bind(seed.id.clone())
        .bind(seed.name.clone())
        .bind(now)
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO site_tokens (hash, site, created_at) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING")
        .bind(sha256_hex(seed.token.reveal().as_bytes()))
        .bind(seed.id.clone())
        .bind(now)
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// Adds a site, or gives an existing one a further token; the token is returned once and not stored.
pub async fn add(db: &Db, id: &str, name: &str, now: i64) -> Result<Secret, sqlx::Error> {
    let token = crate::auth::new_token();
    seed(db, &SiteSeed { id: id.to_owned(), name: name.to_owned(), token: token.clone() }, now).await?;
    Ok(token)
}
