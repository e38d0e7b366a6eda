//! Connections, schema and time-outs; everything that differs between SQLite and PostgreSQL is in this directory.
//!
//! Rules for SQL elsewhere: `$1` placeholders; only BIGINT, DOUBLE PRECISION and TEXT columns; a nullable column is bound as `String` or
//! `i64` only (the portable driver gives a NULL double another type, and PostgreSQL keeps the types of a prepared statement); the first
//! statement of a transaction writes, so that SQLite never has to upgrade a read lock.
mod schema;

use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, Transaction};
use std::path::Path;
use std::time::Duration;

pub use schema::VERSION as SCHEMA_VERSION;

/// Which database runs underneath.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot open the database: {0}; check the path or address, the rights, and that the server runs")]
    Connect(sqlx::Error),
    #[error("cannot bring the database's schema up to date: {0}; nothing was changed")]
    Migrate(sqlx::Error),
    #[error("the database has schema version {found}, this program knows up to {known}: start a newer version")]
    Newer { found: i64, known: i64 },
}

/// The pools. SQLite has one connection that writes, so writers queue here instead of failing with "database is locked".
#[derive(Debug, Clone)]
pub struct Db {
    read: AnyPool,
    write: AnyPool,
    dialect: Dialect,
}

/// The URL of the default database file in `data`. The caller has made the directory.
pub fn default_url(data: &Path) -> String {
    let path = data.join("platform.sqlite");
    // Absolute, because the first part of a relative path would be taken for a host name.
    let path = std::path::absolute(&path).unwrap_or(path).display().to_string();
    format!("sqlite://{}", path.replace('%', "%25").replace('?', "%3F").replace('#', "%23"))
}

impl Db {
    /// Connects, creates what is missing and migrates.
    pub async fn open(url: &str) -> Result<Db, OpenError> {
        sqlx::any::install_default_drivers();
        let dialect = if url.starts_with("sqlite:") { Dialect::Sqlite } else { Dialect::Postgres };
        let db = match dialect {
            Dialect::Sqlite => {
                let join = if url.contains('?') { '&' } else { '?' };
                let url = if url.contains("mode=") { url.to_owned() } else { format!("{url}{join}mode=rwc") };
                let write = sqlite_options(1).connect(&url).await.map_err(OpenError::Connect)?;
                let read = sqlite_options(4).connect_lazy(&url).map_err(OpenError::Connect)?;
                Db { read, write, dialect }
            }
            Dialect::Postgres => {
                let pool = AnyPoolOptions::new()
                    .max_connections(16)
                    .acquire_timeout(Duration::from_secs(10))
                    .connect(url)
                    .await
                    .map_err(OpenError::Connect)?;
                Db { read: pool.clone(), write: pool, dialect }
            }
        };
        schema::migrate(&db).await?;
        Ok(db)
    }

    /// For statements that only read.
    pub fn read(&self) -> &AnyPool {
        &self.read
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A transaction that writes. Dropped without commit, it is rolled back.
    pub async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.dialect {
            Dialect::Sqlite => self.write.begin_with("BEGIN IMMEDIATE").await,
            Dialect::Postgres => self.write.begin().await,
        }
    }

    /// Waits for connections in use and closes all.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// A receipt is a promise, so commits are flushed to the disk (`synchronous=FULL`).
fn sqlite_options(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(30)).after_connect(|conn, _| {
        Box::pin(async move {
            for pragma in [
                "PRAGMA busy_timeout = 10000",
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
                "PRAGMA temp_store = MEMORY",
                "PRAGMA cache_size = -8000",
                "PRAGMA journal_size_limit = 33554432",
            ] {
                sqlx::query(pragma).execute(&mut *conn).await?;
            }
            Ok(())
        })
    })
}

/// `?`-free placeholders for a multi-row insert: `($1,$2),($3,$4)` for 2 rows of 2 columns.
pub fn placeholders(rows: usize, columns: usize) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        out.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            let _ = write!(out, "{}${}", if column == 0 { "" } else { "," }, row * columns + column + 1);
        }
        out.push(')');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_may_have_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("数据 50%20 ?#&");
        std::fs::create_dir(&data).unwrap();
        let db = Db::open(&default_url(&data)).await.unwrap();
        db.close().await;
        assert!(data.join("platform.sqlite").is_file());
        // Again, with the schema in place; and a schema from the future is left alone.
        let db = Db::open(&default_url(&data)).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        sqlx::query("INSERT INTO schema_version (version) VALUES (1000)").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        assert!(matches!(Db::open(&default_url(&data)).await, Err(OpenError::Newer { found: 1000, .. })));
    }

    #[test]
    fn placeholders_count_through_all_rows() {
        assert_eq!(placeholders(2, 3), "($1,$2,$3),($4,$5,$6)");
        assert_eq!(placeholders(1, 1), "($1)");
    }
}
