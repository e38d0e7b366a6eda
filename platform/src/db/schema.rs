//! The schema, as a list of versions. A version that has been released is never edited; a change is a new version at the end.
use super::{Db, Dialect, OpenError};
use sqlx::Row;

/// Version after all migrations.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// `{autokey}` is a 64-bit key that the database counts up; `{clustered}` keeps a table's rows in the order of its primary key.
const MIGRATIONS: &[&[&str]] = &[
    &[
        "CREATE TABLE sites (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, created_at BIGINT NOT NULL,
        last_seen_at BIGINT, heartbeat TEXT,
        duplicates BIGINT NOT NULL DEFAULT 0, conflicts BIGINT NOT NULL DEFAULT 0, rejected BIGINT NOT NULL DEFAULT 0,
        last_rejection TEXT, silent_since BIGINT, silences BIGINT NOT NULL DEFAULT 0)",
        "CREATE TABLE site_tokens (hash TEXT PRIMARY KEY, site TEXT NOT NULL REFERENCES sites(id), created_at BIGINT NOT NULL)",
        "CREATE INDEX site_tokens_site ON site_tokens (site)",
        // `sequence` is NULL while only an unrecorded copy is here: the gateway may still give the number to another event.
        "CREATE TABLE events (
        position {autokey}, site TEXT NOT NULL REFERENCES sites(id), id TEXT NOT NULL, log TEXT NOT NULL,
        sequence BIGINT, rank BIGINT NOT NULL, type TEXT NOT NULL, incident TEXT,
        at BIGINT NOT NULL, received_at BIGINT NOT NULL, receipt TEXT NOT NULL, hash TEXT NOT NULL,
        unrecorded BIGINT NOT NULL, data TEXT NOT NULL)",
        "CREATE UNIQUE INDEX events_id ON events (site, id)",
        "CREATE UNIQUE INDEX events_sequence ON events (site, log, sequence)",
        "CREATE INDEX events_incident ON events (site, incident, rank)",
        "CREATE INDEX events_site ON events (site, position)",
        // Same id (or same sequence) with other content: evidence, kept apart, bounded per site by the intake.
        "CREATE TABLE conflicts (
        site TEXT NOT NULL REFERENCES sites(id), id TEXT NOT NULL, hash TEXT NOT NULL, reason TEXT NOT NULL,
        received_at BIGINT NOT NULL, receipt TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (site, id, hash))",
        "CREATE TABLE logs (site TEXT NOT NULL REFERENCES sites(id), log TEXT NOT NULL, highest BIGINT NOT NULL, PRIMARY KEY (site, log))",
        "CREATE TABLE gaps (
        site TEXT NOT NULL REFERENCES sites(id), log TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
        PRIMARY KEY (site, log, first))",
        "CREATE TABLE incidents (
        number {autokey}, site TEXT NOT NULL REFERENCES sites(id), id TEXT NOT NULL, origin TEXT NOT NULL, version BIGINT NOT NULL,
        hazard TEXT NOT NULL, zone TEXT, place TEXT NOT NULL, severity BIGINT NOT NULL, inferred BIGINT NOT NULL,
        active BIGINT NOT NULL, acknowledged BIGINT NOT NULL, closed BIGINT NOT NULL, unrecorded BIGINT NOT NULL,
        opened_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, received_at BIGINT NOT NULL, events BIGINT NOT NULL, latest TEXT NOT NULL)",
        "CREATE UNIQUE INDEX incidents_id ON incidents (site, id)",
        "CREATE INDEX incidents_order ON incidents (closed, severity, inferred, opened_at, number)",
        "CREATE TABLE actions (
        site TEXT NOT NULL, incident TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, at BIGINT NOT NULL,
        PRIMARY KEY (site, incident, kind))",
        "CREATE TABLE influx_series (
        id {autokey}, bucket TEXT NOT NULL, measurement TEXT NOT NULL, tags TEXT NOT NULL, field TEXT NOT NULL, type TEXT NOT NULL)",
        "CREATE UNIQUE INDEX influx_series_key ON influx_series (bucket, measurement, tags, field)",
        "CREATE TABLE influx_points (
        series BIGINT NOT NULL, time BIGINT NOT NULL, f DOUBLE PRECISION NOT NULL, n BIGINT NOT NULL, s TEXT NOT NULL,
        PRIMARY KEY (series, time)) {clustered}",
    ],
    &[
        // The newest head of each log that was countersigned, and why a later one was not.
        "CREATE TABLE heads (
        site TEXT NOT NULL REFERENCES sites(id), log TEXT NOT NULL, size BIGINT NOT NULL, head TEXT NOT NULL,
        countersignature TEXT NOT NULL, at BIGINT NOT NULL, trouble TEXT, trouble_at BIGINT, PRIMARY KEY (site, log))",
    ],
    &[
        // `canonical`: the day's canonical bytes in hex, as the site closed it.
        "CREATE TABLE coverage_days (
        site TEXT NOT NULL REFERENCES sites(id), date BIGINT NOT NULL, log TEXT NOT NULL, number BIGINT NOT NULL, closed_at BIGINT NOT NULL,
        watched BIGINT NOT NULL, degraded BIGINT NOT NULL, blind BIGINT NOT NULL, gap_zone TEXT, gap_minutes BIGINT, gap_cause TEXT,
        canonical TEXT NOT NULL, received_at BIGINT NOT NULL, PRIMARY KEY (site, date))",
    ],
    &[
        // New logs and keys of sites that had others, and who accepted them. `used_at`: it was countersigned since; another time it is asked for again.
        "CREATE TABLE log_questions (
        number {autokey}, site TEXT NOT NULL REFERENCES sites(id), log TEXT NOT NULL, key TEXT NOT NULL, known_log BIGINT NOT NULL,
        size BIGINT NOT NULL, asked_at BIGINT NOT NULL, accepted_at BIGINT, actor TEXT, reason TEXT, used_at BIGINT)",
        "CREATE INDEX log_questions_site ON log_questions (site, log, key)",
    ],
    &[
        // `hash`: SHA-256 of the inspector's code in hex; the code itself is kept nowhere.
        "CREATE TABLE passes (
        id TEXT PRIMARY KEY, site TEXT NOT NULL REFERENCES sites(id), hash TEXT NOT NULL, holder TEXT NOT NULL, purpose TEXT NOT NULL,
        issued_by TEXT NOT NULL, issued_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, taken_at BIGINT, revoked_at BIGINT, revoked_by TEXT)",
        "CREATE INDEX passes_site ON passes (site, expires_at)",
    ],
];

pub(super) async fn migrate(db: &Db) -> Result<(), OpenError> {
    let mut tx = db.begin().await.map_err(OpenError::Connect)?;
    let run = async {
        if db.dialect() == Dialect::Postgres {
            // Two nodes that start together must not both migrate; the lock ends with the transaction.
            sqlx::query("SELECT 1 FROM pg_advisory_xact_lock(7308332019)").fetch_all(&mut *tx).await?;
        }
        sqlx::query("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)").execute(&mut *tx).await?;
        let row = sqlx::query("SELECT COALESCE(MAX(version), 0) AS v FROM schema_version").fetch_one(&mut *tx).await?;
        let found: i64 = row.try_get("v")?;
        for (i, statements) in MIGRATIONS.iter().enumerate().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
            for statement in *statements {
                sqlx::query(sqlx::AssertSqlSafe(for_dialect(statement, db.dialect()))).execute(&mut *tx).await?;
            }
            sqlx::query("INSERT INTO schema_version (version) VALUES ($1)").bind(i as i64 + 1).execute(&mut *tx).await?;
        }
        Ok::<i64, sqlx::Error>(found)
    };
    let found = run.await.map_err(OpenError::Migrate)?;
    if found > VERSION {
        return Err(OpenError::Newer { found, known: VERSION });
    }
    tx.commit().await.map_err(OpenError::Migrate)
}

fn for_dialect(statement: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => statement.replace("{autokey}", "INTEGER PRIMARY KEY AUTOINCREMENT").replace("{clustered}", "WITHOUT ROWID"),
        Dialect::Postgres => statement.replace("{autokey}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY").replace("{clustered}", ""),
    }
}
