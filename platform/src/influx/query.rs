//! Runs a query and writes annotated CSV, as InfluxDB answers it.
use super::flux::{Aggregate, Query};
use super::line::Value;
use super::store::value;
use crate::db::Db;
use crate::text::format_rfc3339;
use sqlx::Row;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Most rows of an answer.
pub const MAX_ROWS: usize = 100_000;

#[derive(Debug)]
pub enum QueryError {
    /// More rows than an answer may have.
    TooMany,
    /// An aggregate of text.
    Type(String),
    Database(sqlx::Error),
}
impl From<sqlx::Error> for QueryError {
    fn from(e: sqlx::Error) -> Self {
        Self::Database(e)
    }
}

struct Series {
    id: i64,
    measurement: String,
    tags: BTreeMap<String, String>,
    field: String,
    kind: String,
}

/// A row of the answer; the aggregates that are no row of the data have no time.
struct Cell {
    time: Option<i64>,
    value: Value,
}

/// Runs `query` and returns the CSV.
pub async fn run(db: &Db, query: &Query) -> Result<String, QueryError> {
    let mut csv = Csv::new(query);
    let series = matching(db, query).await?;
    if query.group {
        if let Some(aggregate) = query.aggregate
            && let Some(cell) = merged(db, query, &series, aggregate).await?
        {
            csv.table(None, vec![cell]);
        }
        return Ok(csv.finish());
    }
    let mut rows = 0usize;
    for one in &series {
        let cells = match query.aggregate {
            Some(aggregate) => aggregated(db, query, one, aggregate).await?.into_iter().collect(),
            None => points(db, query, one, MAX_ROWS - rows + 1).await?,
        };
        rows += cells.len();
        if rows > MAX_ROWS {
            return Err(QueryError::TooMany);
        }
        if !cells.is_empty() && query.limit != Some(0) {
            csv.table(Some(one), cells);
        }
    }
    Ok(csv.finish())
}

async fn matching(db: &Db, query: &Query) -> Result<Vec<Series>, QueryError> {
    let rows =
        sqlx::query("SELECT id, measurement, tags, field, type FROM influx_series WHERE bucket = $1 ORDER BY measurement, field, tags")
            .bind(query.bucket.clone())
            .fetch_all(db.read())
            .await?;
    let mut out = Vec::new();
    for row in rows {
        let tags: String = row.try_get("tags")?;
        let series = Series {
            id: row.try_get("id")?,
            measurement: row.try_get("measurement")?,
            tags: serde_json::from_str(&tags).map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
            field: row.try_get("field")?,
            kind: row.try_get("type")?,
        };
        let column = |name: &str| match name {
            "_measurement" => Some(series.measurement.as_str()),
            "_field" => Some(series.field.as_str()),
            tag => series.tags.get(tag).map(String::as_str),
        };
        if query.filters.iter().all(|f| f.holds(&column)) {
            out.push(series);
        }
    }
    Ok(out)
}

async fn points(db: &Db, query: &Query, series: &Series, most: usize) -> Result<Vec<Cell>, QueryError> {
    let limit = query.limit.map_or(most, |n| usize::try_from(n).unwrap_or(usize::MAX).min(most));
    rows(
        db,
        query,
        series,
        "SELECT time, f, n, s FROM influx_points WHERE series = $1 AND time >= $2 AND time < $3 ORDER BY time LIMIT $4",
        limit,
    )
    .await
}

async fn rows(db: &Db, query: &Query, series: &Series, sql: &'static str, limit: usize) -> Result<Vec<Cell>, QueryError> {
    let rows = sqlx::query(sql)
        .bind(series.id)
        .bind(query.start)
        .bind(query.stop)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(db.read())
        .await?;
    rows.iter()
        .map(|r| Ok(Cell { time: Some(r.try_get("time")?), value: value(&series.kind, r.try_get("f")?, r.try_get("n")?, r.try_get("s")?) }))
        .collect::<Result<_, sqlx::Error>>()
        .map_err(QueryError::from)
}

async fn aggregated(db: &Db, query: &Query, series: &Series, aggregate: Aggregate) -> Result<Option<Cell>, QueryError> {
    let numeric = matches!(series.kind.as_str(), "float" | "integer" | "unsigned");
    if !numeric && matches!(aggregate, Aggregate::Mean | Aggregate::Sum | Aggregate::Min | Aggregate::Max) {
        return Err(QueryError::Type(format!(
            "unsupported input type for this aggregate: field {:?} of measurement {:?} is a {}; filter it out",
            series.field, series.measurement, series.kind
        )));
    }
    // The extreme by its exact column: a double cannot hold every integer.
    let selector = match (aggregate, series.kind.as_str()) {
        (Aggregate::First, _) => {
            Some("SELECT time, f, n, s FROM influx_points WHERE series = $1 AND time >= $2 AND time < $3 ORDER BY time LIMIT $4")
        }
        (Aggregate::Last, _) => {
            Some("SELECT time, f, n, s FROM influx_points WHERE series = $1 AND time >= $2 AND time < $3 ORDER BY time DESC LIMIT $4")
        }
        (Aggregate::Min, _) => {
            Some("SELECT time, f, n, s FROM influx_points WHERE series = $1 AND time >= $2 AND time < $3 ORDER BY f, n, time LIMIT $4")
        }
        (Aggregate::Max, _) => Some(
            "SELECT time, f, n, s FROM influx_points WHERE series = $1 AND time >= $2 AND time < $3 ORDER BY f DESC, n DESC, time LIMIT $4",
        ),
        _ => None,
    };
    if let Some(sql) = selector {
        return Ok(rows(db, query, series, sql, 1).await?.pop());
    }
    let (count, sum) = totals(db, query, series).await?;
    if count == 0 {
        return Ok(None);
    }
    let value = match aggregate {
        Aggregate::Count => Value::Integer(count),
        Aggregate::Mean => Value::Float(sum / count as f64),
        _ if series.kind == "float" => Value::Float(sum),
        // Within 2^53, beyond which the sum of doubles is no longer exact.
        _ => Value::Integer(sum as i64),
    };
    Ok(Some(Cell { time: None, value }))
}

async fn totals(db: &Db, query: &Query, series: &Series) -> Result<(i64, f64), sqlx::Error> {
    let sql = "SELECT COUNT(*) AS n, COALESCE(SUM(f), 0.0) AS total FROM influx_points WHERE series = $1 AND time >= $2 AND time < $3";
    let row = sqlx::query(sql).bind(series.id).bind(query.start).bind(query.stop).fetch_one(db.read()).await?;
    Ok((row.try_get("n")?, row.try_get("total")?))
}

/// One result over all series; as numbers, because the series may differ in type.
async fn merged(db: &Db, query: &Query, series: &[Series], aggregate: Aggregate) -> Result<Option<Cell>, QueryError> {
    let mut best: Option<Cell> = None;
    let (mut count, mut sum) = (0i64, 0f64);
    for one in series {
        match aggregate {
            Aggregate::Count => count = count.saturating_add(totals(db, query, one).await?.0),
            Aggregate::Mean | Aggregate::Sum => {
                aggregated(db, query, one, Aggregate::Mean).await?;
                let (n, total) = totals(db, query, one).await?;
                count = count.saturating_add(n);
                sum += total;
            }
            _ => {
                let Some(cell) = aggregated(db, query, one, aggregate).await? else { continue };
                let better = match (&best, aggregate) {
                    (None, _) => true,
                    (Some(b), Aggregate::First) => cell.time < b.time,
                    (Some(b), Aggregate::Last) => cell.time > b.time,
                    (Some(b), Aggregate::Min) => number(&cell.value) < number(&b.value),
                    (Some(b), _) => number(&cell.value) > number(&b.value),
                };
                if better {
                    best = Some(cell);
                }
            }
        }
    }
    Ok(match aggregate {
        Aggregate::Count => Some(Cell { time: None, value: Value::Integer(count) }),
        Aggregate::Mean if count > 0 => Some(Cell { time: None, value: Value::Float(sum / count as f64) }),
        Aggregate::Sum if count > 0 => Some(Cell { time: None, value: Value::Float(sum) }),
        _ => best,
    })
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Float(f) => *f,
        Value::Integer(i) => *i as f64,
        Value::Unsigned(u) => *u as f64,
        Value::Boolean(b) => f64::from(u8::from(*b)),
        Value::Text(_) => 0.0,
    }
}

/// Annotated CSV: three lines of annotations and a header before the first table and wherever the columns change.
struct Csv {
    out: String,
    header: String,
    tables: usize,
    start: String,
    stop: String,
    limit: usize,
}

impl Csv {
    fn new(query: &Query) -> Csv {
        Csv {
            out: String::new(),
            header: String::new(),
            tables: 0,
            start: format_rfc3339(query.start),
            stop: format_rfc3339(query.stop),
            limit: query.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        }
    }

    /// A table of one series, or of all (`None`).
    fn table(&mut self, series: Option<&Series>, cells: Vec<Cell>) {
        let Some(first) = cells.first() else { return };
        let timed = first.time.is_some();
        let kind = match first.value {
            Value::Float(_) => "double",
            Value::Integer(_) => "long",
            Value::Unsigned(_) => "unsignedLong",
            Value::Boolean(_) => "boolean",
            Value::Text(_) => "string",
        };
        let mut columns = vec![("result", "string", false), ("table", "long", false)];
        columns.push(("_start", "dateTime:RFC3339", true));
        columns.push(("_stop", "dateTime:RFC3339", true));
        if timed {
            columns.push(("_time", "dateTime:RFC3339", false));
        }
        columns.push(("_value", kind, false));
        let mut tail = String::new();
        if let Some(series) = series {
            columns.push(("_field", "string", true));
            columns.push(("_measurement", "string", true));
            let _ = write!(tail, ",{},{}", field(&series.field), field(&series.measurement));
            for (key, value) in &series.tags {
                columns.push((key, "string", true));
                let _ = write!(tail, ",{}", field(value));
            }
        }
        let mut header = String::from("#datatype");
        columns.iter().for_each(|(_, kind, _)| header.extend([",", kind]));
        header.push_str("\r\n#group");
        columns.iter().for_each(|(_, _, group)| header.push_str(if *group { ",true" } else { ",false" }));
        header.push_str("\r\n#default,_result");
        columns.iter().skip(1).for_each(|_| header.push(','));
        header.push_str("\r\n");
        columns.iter().for_each(|(name, _, _)| {
            header.push(',');
            header.push_str(&field(name));
        });
        header.push_str("\r\n");
        if header != self.header {
            if !self.out.is_empty() {
                self.out.push_str("\r\n");
            }
            self.out.push_str(&header);
            self.header = header;
        }
        for cell in cells.into_iter().take(self.limit) {
            let _ = write!(self.out, ",,{},{},{}", self.tables, self.start, self.stop);
            if let Some(time) = cell.time {
                let _ = write!(self.out, ",{}", format_rfc3339(time));
            }
            let value = match cell.value {
                Value::Float(f) => f.to_string(),
                Value::Integer(i) => i.to_string(),
                Value::Unsigned(u) => u.to_string(),
                Value::Boolean(b) => b.to_string(),
                Value::Text(s) => field(&s),
            };
            let _ = write!(self.out, ",{value}{tail}\r\n");
        }
        self.tables += 1;
    }

    fn finish(mut self) -> String {
        self.out.push_str("\r\n");
        self.out
    }
}

fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
