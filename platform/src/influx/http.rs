//! The InfluxDB v2 endpoints, with its status codes and error shape.
use super::flux;
use super::line::{self, Point};
use super::query::{self, QueryError};
use super::store::{Sample, SeriesKey};
use crate::app::App;
use crate::auth;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;

/// Largest body as sent, and after decompression, in bytes.
pub const MAX_BODY: usize = 8 * 1024 * 1024;
const MAX_PLAIN: usize = 32 * 1024 * 1024;

/// Bytes that the samples of one write may take in memory: each field carries all tags of its line, so that a short body may become gigabytes.
const MAX_HELD: usize = 64 * 1024 * 1024;

/// InfluxDB's answer to what it refuses.
pub struct InfluxError(StatusCode, &'static str, String);

impl InfluxError {
    fn invalid(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, "invalid", message.into())
    }
    fn too_large() -> Self {
        Self(StatusCode::PAYLOAD_TOO_LARGE, "request too large", format!("a write may have at most {MAX_BODY} bytes, {MAX_PLAIN} unpacked"))
    }
}
impl From<sqlx::Error> for InfluxError {
    fn from(e: sqlx::Error) -> Self {
        tracing::error!(error = %e, "the database refused a metrics request");
        Self(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the database cannot be reached now; try again later".into())
    }
}
impl IntoResponse for InfluxError {
    fn into_response(self) -> Response {
        let mut response = (self.0, Json(json!({"code": self.1, "message": self.2}))).into_response();
        if matches!(self.0, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Writes and queries under way at once: each may hold tens of MiB.
pub const AT_ONCE: usize = 8;

/// A request with a valid token, checked before its body is read, and its place among those under way.
pub struct Allowed {
    _place: OwnedSemaphorePermit,
}

impl FromRequestParts<App> for Allowed {
    type Rejection = InfluxError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, InfluxError> {
        let token = auth::token(&parts.headers, "Token").or_else(|| auth::token(&parts.headers, "Bearer"));
        if !token.is_some_and(|t| app.influx.allows(t)) {
            return Err(InfluxError(StatusCode::UNAUTHORIZED, "unauthorized", "unauthorized access".into()));
        }
        let place = app.influx.places.clone().try_acquire_owned();
        let place =
            place.map_err(|_| InfluxError(StatusCode::TOO_MANY_REQUESTS, "too many requests", "busy; try again in a second".into()))?;
        Ok(Allowed { _place: place })
    }
}

fn check_org(app: &App, org: Option<&str>) -> Result<(), InfluxError> {
    match org {
        Some(org) if org != app.influx.org => {
            Err(InfluxError(StatusCode::NOT_FOUND, "not found", format!("organization name {org:?} not found")))
        }
        _ => Ok(()),
    }
}

fn check_bucket(app: &App, bucket: &str) -> Result<(), InfluxError> {
    if app.influx.buckets.iter().any(|b| b == bucket) {
        Ok(())
    } else {
        Err(InfluxError(StatusCode::NOT_FOUND, "not found", format!("bucket {bucket:?} not found")))
    }
}

#[derive(Deserialize)]
pub struct WriteQuery {
    org: Option<String>,
    bucket: Option<String>,
    precision: Option<String>,
}

/// `POST /api/v2/write`: 204, or 400 with nothing stored, or 422 with what could be stored.
pub async fn write(
    State(app): State<App>,
    _allowed: Allowed,
    Query(q): Query<WriteQuery>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, InfluxError> {
    check_org(&app, q.org.as_deref())?;
    let bucket = q.bucket.ok_or_else(|| InfluxError::invalid("bucket is missing in the query string"))?;
    check_bucket(&app, &bucket)?;
    let unit: i64 = match q.precision.as_deref() {
        None | Some("ns" | "") => 1,
        Some("us") => 1_000,
        Some("ms") => 1_000_000,
        Some("s") => 1_000_000_000,
        Some(_) => return Err(InfluxError::invalid("invalid precision; valid precision units are ns, us, ms, and s")),
    };
    let gzip = match headers.get(header::CONTENT_ENCODING).map(|v| v.as_bytes()) {
        None | Some(b"identity" | b"") => false,
        Some(b"gzip") => true,
        Some(_) => return Err(InfluxError::invalid("Content-Encoding must be gzip or identity")),
    };
    let body = body.map_err(|_| InfluxError::too_large())?;
    let now = app.clock.utc_ms().saturating_mul(1_000_000);
    // Unpacking and parsing up to 32 MiB would hold up other requests.
    let parsed = tokio::task::spawn_blocking(move || samples(&body, gzip, &bucket, unit, now)).await;
    let samples =
        parsed.map_err(|_| InfluxError(StatusCode::INTERNAL_SERVER_ERROR, "internal error", "the write was interrupted".into()))?;
    let samples = samples.inspect_err(|_| {
        app.counters.points_refused.fetch_add(1, Ordering::Relaxed);
    })?;
    let written = app.influx.write(&app.db, samples, now).await?;
    app.counters.points.fetch_add(written.points, Ordering::Relaxed);
    app.counters.points_refused.fetch_add(written.dropped, Ordering::Relaxed);
    match written.reason {
        None => Ok(StatusCode::NO_CONTENT),
        Some(reason) => Err(InfluxError(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unprocessable entity",
            format!("failure writing points to database: partial write: {reason} dropped={}", written.dropped),
        )),
    }
}

fn samples(body: &[u8], gzip: bool, bucket: &str, unit: i64, now: i64) -> Result<Vec<Sample>, InfluxError> {
    let mut unpacked = Vec::new();
    let bytes = if gzip {
        let limit = u64::try_from(MAX_PLAIN).unwrap_or(u64::MAX);
        flate2::read::MultiGzDecoder::new(body)
            .take(limit.saturating_add(1))
            .read_to_end(&mut unpacked)
            .map_err(|e| InfluxError::invalid(format!("the body is not gzip: {e}")))?;
        if unpacked.len() > MAX_PLAIN {
            return Err(InfluxError::too_large());
        }
        &unpacked
    } else {
        body
    };
    let text =
        std::str::from_utf8(bytes).map_err(|e| InfluxError::invalid(format!("the body is not UTF-8 at byte {}", e.valid_up_to())))?;
    let mut out = Vec::new();
    let mut held = 0usize;
    let mut errors = Vec::new();
    for (number, line) in lines(text) {
        match line::parse(line) {
            Ok(None) => {}
            Ok(Some(point)) => match time_of(&point, unit, now) {
                Some(time) => {
                    held = held.saturating_add(add(&mut out, bucket, point, time));
                    if held > MAX_HELD {
                        return Err(InfluxError::too_large());
                    }
                }
                None => errors.push(format!("unable to parse line {number}: the time is outside of what nanoseconds can express")),
            },
            Err(e) => errors.push(format!("unable to parse line {number} '{}': {e}", line.chars().take(80).collect::<String>())),
        }
        if errors.len() == 10 {
            break;
        }
    }
    if errors.is_empty() { Ok(out) } else { Err(InfluxError::invalid(errors.join("\n"))) }
}

fn time_of(point: &Point, unit: i64, now: i64) -> Option<i64> {
    match point.time {
        None => Some(now),
        // The ends of the range are not times in InfluxDB either.
        Some(t) => t.checked_mul(unit).filter(|ns| (i64::MIN + 2..i64::MAX).contains(ns)),
    }
}

/// Adds the fields of a line; says about how many bytes they take.
fn add(out: &mut Vec<Sample>, bucket: &str, point: Point, time: i64) -> usize {
    // A map of strings always has a JSON form.
    let tags = serde_json::to_string(&point.tags).unwrap_or_else(|_| "{}".into());
    let each = size_of::<Sample>() + bucket.len() + point.measurement.len() + tags.len();
    let mut taken = 0usize;
    for (field, value) in point.fields {
        let text = match &value {
            line::Value::Text(text) => text.len(),
            _ => 0,
        };
        taken = taken.saturating_add(each + field.len() + text);
        let key = SeriesKey { bucket: bucket.to_owned(), measurement: point.measurement.clone(), tags: tags.clone(), field };
        out.push(Sample { key, time, value });
    }
    taken
}

/// Lines with their numbers from 1. A newline inside a quoted string does not end a line: the line parser then refuses it.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).enumerate().map(|(i, l)| (i + 1, l))
}

#[derive(Deserialize)]
pub struct OrgQuery {
    org: Option<String>,
}

#[derive(Deserialize)]
struct QueryBody {
    query: String,
    #[serde(default)]
    r#type: Option<String>,
}

/// `POST /api/v2/query`, Flux as `application/vnd.flux` or in JSON.
pub async fn query(
    State(app): State<App>,
    _allowed: Allowed,
    Query(q): Query<OrgQuery>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, InfluxError> {
    check_org(&app, q.org.as_deref())?;
    let body = body.map_err(|_| InfluxError::too_large())?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let text = match kind.split(';').next().unwrap_or_default().trim() {
        "application/vnd.flux" => String::from_utf8(body.to_vec()).map_err(|_| InfluxError::invalid("the query is not UTF-8"))?,
        "application/json" => {
            let body: QueryBody =
                serde_json::from_slice(&body).map_err(|e| InfluxError::invalid(format!("the body is not a query: {e}")))?;
            if body.r#type.as_deref().is_some_and(|t| t != "flux") {
                return Err(InfluxError::invalid("only queries of type \"flux\" are supported"));
            }
            body.query
        }
        _ => return Err(InfluxError::invalid("Content-Type must be application/vnd.flux or application/json")),
    };
    let query = flux::parse(&text, app.clock.utc_ms().saturating_mul(1_000_000)).map_err(InfluxError::invalid)?;
    check_bucket(&app, &query.bucket)?;
    let csv = query::run(&app.db, &query).await.map_err(|e| match e {
        QueryError::TooMany => InfluxError::invalid(format!("more than {} rows: narrow the range or add limit(n:)", query::MAX_ROWS)),
        QueryError::Type(e) => InfluxError::invalid(e),
        QueryError::Database(e) => e.into(),
    })?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response())
}

/// `GET /api/v2/buckets`
pub async fn buckets(State(app): State<App>, _allowed: Allowed) -> Result<Json<Value>, InfluxError> {
    let retention = app.influx.retention_s().map_or_else(Vec::new, |s| vec![json!({"type": "expire", "everySeconds": s})]);
    let buckets: Vec<Value> = app
        .influx
        .buckets
        .iter()
        .map(|name| json!({"id": &crate::text::sha256_hex(name.as_bytes()).chars().take(16).collect::<String>(), "name": name, "type": "user", "retentionRules": retention}))
        .collect();
    Ok(Json(json!({"buckets": buckets})))
}

/// `GET /health`
pub async fn health(State(app): State<App>) -> Response {
    let ok = sqlx::query("SELECT 1 AS one").fetch_one(app.db.read()).await.is_ok();
    let (status, word) = if ok { (StatusCode::OK, "pass") } else { (StatusCode::SERVICE_UNAVAILABLE, "fail") };
    let body = json!({"name": "tuoan-platform", "message": if ok { "ready for queries and writes" } else { "the database does not answer" },
        "status": word, "checks": [], "version": env!("CARGO_PKG_VERSION")});
    (status, Json(body)).into_response()
}

/// `GET /ping`
pub async fn ping() -> Response {
    (StatusCode::NO_CONTENT, [("x-influxdb-version", concat!("tuoan-platform-", env!("CARGO_PKG_VERSION")))]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_body_does_not_become_gigabytes() {
        let tags: String = (0..100).map(|n| format!(",t{n}={}", "x".repeat(250))).collect();
        let fields: Vec<String> = (0..250).map(|n| format!("f{n}=1")).collect();
        let line = format!("m{tags} {} 1\n", fields.join(","));
        assert!(samples(line.as_bytes(), false, "b", 1, 0).is_ok());
        let body = line.repeat(20);
        assert!(body.len() < 1 << 20);
        let Err(refused) = samples(body.as_bytes(), false, "b", 1, 0) else { panic!("125 MB were taken") };
        assert_eq!(refused.0, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        use std::io::Write;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![b' '; 1 << 20];
        for _ in 0..256 {
            packed.write_all(&zeros).unwrap();
        }
        let packed = packed.finish().unwrap();
        assert!(packed.len() < MAX_BODY);
        assert!(matches!(samples(&packed, true, "b", 1, 0), Err(InfluxError(StatusCode::PAYLOAD_TOO_LARGE, ..))));
    }
}
