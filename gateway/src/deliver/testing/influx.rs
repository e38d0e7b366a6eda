//! An InfluxDB v2 write endpoint with a strict parser: it refuses what `influxd` refuses, and says it the same way.
use super::TOKEN;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Float(f64),
    Integer(i64),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub measurement: String,
    pub tags: Vec<(String, String)>,
    pub fields: Vec<(String, Value)>,
    pub time: i64,
}

/// One line, without its line break. Escapes: a backslash before comma, space or equals sign; before anything else it is itself.
pub fn parse(line: &str) -> Result<Point, String> {
    let mut chars = line.chars().peekable();
    let mut token = |stops: &str| -> Result<(String, Option<char>), String> {
        let mut text = String::new();
        while let Some(c) = chars.next() {
            match c {
                c if c.is_control() => return Err(format!("control character in {line:?}")),
                '\\' if chars.peek().is_some_and(|n| ", =".contains(*n)) => text.extend(chars.next()),
                c if stops.contains(c) => return Ok((text, Some(c))),
                c => text.push(c),
            }
        }
        Ok((text, None))
    };
    let named = |s: String| if s.is_empty() { Err(format!("empty name in {line:?}")) } else { Ok(s) };
    let (measurement, mut stop) = token(", ")?;
    let measurement = named(measurement)?;
    if measurement.starts_with('#') {
        return Err("a comment".into());
    }
    let (mut tags, mut fields) = (Vec::new(), Vec::new());
    while stop == Some(',') {
        let (key, equals) = token("=, ")?;
        if equals != Some('=') {
            return Err(format!("missing tag value in {line:?}"));
        }
        let (value, next) = token("=, ")?;
        if next == Some('=') {
            return Err(format!("bare = in {line:?}"));
        }
        tags.push((named(key)?, named(value)?));
        stop = next;
    }
    if stop != Some(' ') {
        return Err(format!("missing fields in {line:?}"));
    }
    loop {
        let (key, equals) = token("=, ")?;
        if equals != Some('=') {
            return Err(format!("missing field value in {line:?}"));
        }
        let (value, next) = token("=, ")?;
        let value = match value.strip_suffix('i') {
            Some(int) => Value::Integer(int.parse().map_err(|_| format!("bad integer in {line:?}"))?),
            None if value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-')) => {
                Value::Float(value.parse().map_err(|_| format!("bad float in {line:?}"))?)
            }
            None => return Err(format!("bad value {value:?} in {line:?}")),
        };
        let key = named(key)?;
        if fields.iter().any(|(k, _)| *k == key) {
            return Err(format!("field {key} twice in {line:?}"));
        }
        fields.push((key, value));
        match next {
            Some(',') => {}
            Some(' ') => break,
            _ => return Err(format!("missing time in {line:?}")),
        }
    }
    let (time, rest) = token(" ")?;
    match (time.parse(), rest) {
        (Ok(time), None) => Ok(Point { measurement, tags, fields, time }),
        _ => Err(format!("bad time in {line:?}")),
    }
}

#[derive(Default)]
pub struct Inner {
    /// By series and time: writing a point again changes nothing.
    pub points: BTreeMap<(String, i64), Point>,
    pub requests: usize,
    /// Field values that break the parser, found in the text.
    pub malformed: Vec<String>,
    /// Devices whose fields have another type in the database: 422, though the rest of the batch is written.
    pub conflicting: Vec<String>,
    /// Longest body taken.
    pub body_max: Option<usize>,
    pub overloaded: bool,
    /// Whether 400 names the line.
    pub names_line: bool,
    /// Not an InfluxDB at all: 400 with another body.
    pub foreign: bool,
}

pub type Double = Arc<Mutex<Inner>>;

/// Serves under `prefix` on a free port; the base address.
pub async fn serve(double: Double, prefix: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{prefix}", listener.local_addr().unwrap());
    let app = Router::new().route(&format!("{prefix}/api/v2/write"), post(write)).with_state(double);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn write(State(double): State<Double>, Query(query): Query<HashMap<String, String>>, headers: HeaderMap, body: String) -> Response {
    let mut state = double.lock().unwrap();
    state.requests += 1;
    if headers.get("authorization").is_none_or(|a| a != &format!("Token {TOKEN}")) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"code": "unauthorized", "message": "unauthorized access"}))).into_response();
    }
    if query.get("bucket").is_none_or(|b| b != "nursery & 托育") || query.get("org").is_none_or(|o| o != "district") {
        return (StatusCode::NOT_FOUND, Json(json!({"code": "not found", "message": "bucket not found"}))).into_response();
    }
    assert_eq!(query["precision"], "ns");
    if state.overloaded {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], "slow down").into_response();
    }
    if state.foreign {
        return (StatusCode::BAD_REQUEST, "<h1>Bad Request</h1>").into_response();
    }
    if state.body_max.is_some_and(|max| body.len() > max) {
        return (StatusCode::PAYLOAD_TOO_LARGE, Json(json!({"code": "request too large", "message": "too large"}))).into_response();
    }
    let mut points = Vec::new();
    for (i, line) in body.lines().enumerate() {
        let parsed = if state.malformed.iter().any(|m| line.contains(m)) { Err("bad timestamp".to_owned()) } else { parse(line) };
        match parsed {
            Ok(point) => points.push(point),
            Err(e) => {
                // Nothing of a batch is written that cannot be parsed.
                let mut complaint = json!({"code": "invalid", "message": format!("unable to parse '{line}': {e}")});
                if state.names_line {
                    complaint["line"] = json!(i + 1);
                }
                return (StatusCode::BAD_REQUEST, Json(complaint)).into_response();
            }
        }
    }
    let mut dropped = 0;
    for point in points {
        if point.tags.iter().any(|(k, v)| k == "device" && state.conflicting.contains(v)) {
            dropped += 1;
        } else {
            state.points.insert((format!("{:?}", point.tags), point.time), point);
        }
    }
    if dropped > 0 {
        let message = format!("failure writing points to database: partial write: field type conflict dropped={dropped}");
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"code": "unprocessable entity", "message": message}))).into_response();
    }
    StatusCode::NO_CONTENT.into_response()
}
