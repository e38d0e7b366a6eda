//! Series and points in the database.
use super::line::Value;
use crate::config::Influx;
use crate::db::{Db, placeholders};
use crate::text::sha256_hex;
use sqlx::{Any, AssertSqlSafe, Row, Transaction};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore};

/// Rows of one insert, largest first: few distinct statements, so that each is prepared once.
const CHUNKS: [usize; 4] = [512, 64, 8, 1];

/// What names a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    pub bucket: String,
    pub measurement: String,
    /// Canonical JSON object.
    pub tags: String,
    pub field: String,
}

/// One field of one line, its time in nanoseconds since 1970.
#[derive(Debug, Clone)]
pub struct Sample {
    pub key: SeriesKey,
    pub time: i64,
    pub value: Value,
}

/// What became of a write.
#[derive(Debug, Default)]
pub struct Written {
    pub points: u64,
    /// Dropped samples; the others are stored.
    pub dropped: u64,
    /// Why the first of them was dropped.
    pub reason: Option<String>,
}

/// The intake's settings and the series it has seen. One write at a time: two would only wait for each other's rows.
#[derive(Debug)]
pub struct Store {
    pub org: String,
    pub buckets: Vec<String>,
    retention_ns: Option<i64>,
    max_series: usize,
    tokens: Vec<String>,
    /// One for each request under way.
    pub places: Arc<Semaphore>,
    /// Id and type of known series; at most `max_series`.
    series: Mutex<HashMap<SeriesKey, (i64, String)>>,
}

impl Store {
    pub fn new(config: &Influx) -> Store {
        Store {
            org: config.org.clone(),
            buckets: config.buckets.clone(),
            retention_ns: (config.retention_days > 0).then(|| i64::from(config.retention_days).saturating_mul(86_400_000_000_000)),
            max_series: usize::try_from(config.max_series).unwrap_or(usize::MAX),
            tokens: config.tokens.iter().map(|t| sha256_hex(t.reveal().as_bytes())).collect(),
            places: Arc::new(Semaphore::new(super::http::AT_ONCE)),
            series: Mutex::new(HashMap::new()),
        }
    }

    pub fn allows(&self, token: &str) -> bool {
        let hash = sha256_hex(token.as_bytes());
        // No early end: the time must not tell which token fits.
        self.tokens.iter().filter(|known| crate::auth::same(known, &hash)).count() > 0
    }

    /// How far back points are kept, in seconds; `None` for ever.
    pub fn retention_s(&self) -> Option<i64> {
        self.retention_ns.map(|ns| ns / 1_000_000_000)
    }

    /// Stores the samples in one transaction; a later sample of the same series and time overwrites an earlier one. What is older than the
    /// retention is dropped and said, as InfluxDB does: it would be removed within the hour. `now`: nanoseconds since 1970.
    pub async fn write(&self, db: &Db, samples: Vec<Sample>, now: i64) -> Result<Written, sqlx::Error> {
        let oldest = self.retention_ns.map_or(i64::MIN, |kept| now.saturating_sub(kept));
        let mut known = self.series.lock().await;
        let mut tx = db.begin().await?;
        let mut fresh: HashMap<SeriesKey, (i64, String)> = HashMap::new();
        let mut written = Written::default();
        let mut rows: BTreeMap<(i64, i64), Value> = BTreeMap::new();
        let mut drop = |reason: String| {
            written.dropped += 1;
            written.reason.get_or_insert(reason);
        };
        for sample in samples {
            if sample.time < oldest {
                drop("points beyond retention policy".to_owned());
                continue;
            }
            let held = known.get(&sample.key).or_else(|| fresh.get(&sample.key)).cloned();
            let found = match held {
                Some(found) => Some(found),
                None => {
                    let room = known.len() + fresh.len() < self.max_series;
                    let found = series(&mut tx, &sample.key, sample.value.type_name(), room).await?;
                    if let Some(found) = &found {
                        fresh.insert(sample.key.clone(), found.clone());
                    }
                    found
                }
            };
            match found {
                None => drop(format!("max-series-per-database limit exceeded: ({})", self.max_series)),
                Some((_, held)) if held != sample.value.type_name() => drop(format!(
                    "field type conflict: input field {:?} on measurement {:?} is type {}, already exists as type {held}",
                    sample.key.field,
                    sample.key.measurement,
                    sample.value.type_name()
                )),
                Some((id, _)) => {
                    rows.insert((id, sample.time), sample.value);
                }
            }
        }
        written.points = rows.len() as u64;
        insert(&mut tx, rows.into_iter().collect()).await?;
        tx.commit().await?;
        known.extend(fresh);
        Ok(written)
    }

    /// Reads the number of series that exist, so that the bound holds across restarts.
    pub async fn load(&self, db: &Db) -> Result<(), sqlx::Error> {
        let limit = i64::try_from(self.max_series).unwrap_or(i64::MAX);
        let rows = sqlx::query("SELECT id, bucket, measurement, tags, field, type FROM influx_series ORDER BY id LIMIT $1")
            .bind(limit)
            .fetch_all(db.read())
            .await?;
        let mut known = self.series.lock().await;
        for row in rows {
            let key = SeriesKey {
                bucket: row.try_get("bucket")?,
                measurement: row.try_get("measurement")?,
                tags: row.try_get("tags")?,
                field: row.try_get("field")?,
            };
            known.insert(key, (row.try_get("id")?, row.try_get("type")?));
        }
        Ok(())
    }

    /// Removes points beyond the retention, series by series, so that no write waits long. Returns how many.
    pub async fn prune(&self, db: &Db, now_ms: i64) -> Result<u64, sqlx::Error> {
        let Some(retention) = self.retention_ns else { return Ok(0) };
        let before = now_ms.saturating_mul(1_000_000).saturating_sub(retention);
        let ids: Vec<i64> = self.series.lock().await.values().map(|(id, _)| *id).collect();
        let mut removed = 0;
        for id in ids {
            let mut tx = db.begin().await?;
            removed += sqlx::query("DELETE FROM influx_points WHERE series = $1 AND time < $2")
                .bind(id)
                .bind(before)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            tx.commit().await?;
        }
        Ok(removed)
    }
}

/// Points of all buckets.
pub async fn points_count(db: &Db) -> Result<u64, sqlx::Error> {
    let n: i64 = sqlx::query("SELECT COUNT(*) AS n FROM influx_points").fetch_one(db.read()).await?.try_get("n")?;
    Ok(u64::try_from(n).unwrap_or(0))
}

/// Id and type of a series; makes it if there is room.
async fn series(tx: &mut Transaction<'static, Any>, key: &SeriesKey, kind: &str, room: bool) -> Result<Option<(i64, String)>, sqlx::Error> {
    if room {
        sqlx::query(
            "INSERT INTO influx_series (bucket, measurement, tags, field, type) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(key.bucket.clone())
        .bind(key.measurement.clone())
        .bind(key.tags.clone())
        .bind(key.field.clone())
        .bind(kind.to_owned())
        .execute(&mut **tx)
        .await?;
    }
    let row = sqlx::query("SELECT id, type FROM influx_series WHERE bucket = $1 AND measurement = $2 AND tags = $3 AND field = $4")
        .bind(key.bucket.clone())
        .bind(key.measurement.clone())
        .bind(key.tags.clone())
        .bind(key.field.clone())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|r| Ok((r.try_get("id")?, r.try_get("type")?))).transpose()
}

/// `rows` hold each (series, time) once: PostgreSQL refuses to overwrite a row twice in one statement.
async fn insert(tx: &mut Transaction<'static, Any>, rows: Vec<((i64, i64), Value)>) -> Result<(), sqlx::Error> {
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let size = CHUNKS.into_iter().find(|n| *n <= rest.len()).unwrap_or(1);
        let (chunk, after) = rest.split_at(size);
        rest = after;
        let sql = format!(
            "INSERT INTO influx_points (series, time, f, n, s) VALUES {}
             ON CONFLICT (series, time) DO UPDATE SET f = excluded.f, n = excluded.n, s = excluded.s",
            placeholders(size, 5)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for ((series, time), value) in chunk {
            let (f, n, s) = columns(value);
            query = query.bind(*series).bind(*time).bind(f).bind(n).bind(s);
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

/// `f` is the number for SQL's aggregates, `n` the exact integer (a u64 by its bits), `s` the text.
fn columns(value: &Value) -> (f64, i64, String) {
    match value {
        Value::Float(f) => (*f, 0, String::new()),
        Value::Integer(i) => (*i as f64, *i, String::new()),
        Value::Unsigned(u) => (*u as f64, u.cast_signed(), String::new()),
        Value::Boolean(b) => (f64::from(u8::from(*b)), i64::from(*b), String::new()),
        Value::Text(s) => (0.0, 0, s.clone()),
    }
}

/// The value of a row of a series of that type.
pub fn value(kind: &str, f: f64, n: i64, s: String) -> Value {
    match kind {
        "integer" => Value::Integer(n),
        "unsigned" => Value::Unsigned(n.cast_unsigned()),
        "boolean" => Value::Boolean(n != 0),
        "string" => Value::Text(s),
        _ => Value::Float(f),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_their_columns() {
        for v in [Value::Float(-0.1), Value::Integer(i64::MIN), Value::Unsigned(u64::MAX), Value::Boolean(true), Value::Text("托".into())]
        {
            let (f, n, s) = columns(&v);
            assert_eq!(value(v.type_name(), f, n, s), v);
        }
    }
}
