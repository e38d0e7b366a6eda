//! A district platform: dedupes by id, refuses what it is told to refuse, and fails in the ways that networks fail.
use super::TOKEN;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    #[default]
    Well,
    /// 503 with `Retry-After: 0`.
    Overloaded,
    /// Stores the batch, then breaks the connection before the answer is through; then is well.
    LosesAnswer,
    /// A proxy in front of it answers 400 to everything.
    Proxied,
    /// The same, and it is gone as soon as it has refused an event that came alone.
    ProxiedOnceMore,
    TakesTwo,
}

#[derive(Default)]
pub struct Inner {
    pub mood: Mood,
    /// Ids in order of their first arrival.
    pub order: Vec<String>,
    pub events: BTreeMap<String, Value>,
    pub duplicates: usize,
    pub heartbeats: Vec<Value>,
    pub days: Vec<Value>,
    /// Sequences of events (not tombstones) that it rejects.
    pub rejects: Vec<String>,
    /// Sequences that it says to hold otherwise.
    pub conflicts: Vec<String>,
    pub requests: usize,
}

pub type Double = Arc<Mutex<Inner>>;

/// Serves on `at` (port 0 for any) until dropped.
pub async fn serve(double: Double, at: SocketAddr) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(at).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/v1/events", post(events)).with_state(double);
    let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, task)
}

async fn events(State(double): State<Double>, headers: HeaderMap, body: Bytes) -> Response {
    let mut state = double.lock().unwrap();
    state.requests += 1;
    if headers.get("authorization").is_none_or(|a| a != &format!("Bearer {TOKEN}")) {
        let echoed = format!("unknown: {:?}", headers.get("authorization"));
        return (StatusCode::UNAUTHORIZED, echoed).into_response();
    }
    assert_eq!(headers["content-type"], "application/cloudevents-batch+json");
    match state.mood {
        Mood::Overloaded => return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")], "busy").into_response(),
        Mood::Proxied => return (StatusCode::BAD_REQUEST, "<html>no</html>").into_response(),
        Mood::Well | Mood::LosesAnswer | Mood::TakesTwo | Mood::ProxiedOnceMore => {}
    }
    let batch: Vec<Value> = serde_json::from_slice(&body).expect("a JSON array");
    if state.mood == Mood::ProxiedOnceMore {
        if let [event] = batch.as_slice()
            && event.get("sequence").is_some()
        {
            state.mood = Mood::Well;
        }
        return (StatusCode::BAD_REQUEST, "<html>no</html>").into_response();
    }
    if state.mood == Mood::TakesTwo && batch.len() > 2 {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let receipts: Vec<Value> = batch.into_iter().map(|event| state.take(event)).collect();
    if state.mood == Mood::LosesAnswer {
        state.mood = Mood::Well;
        let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
        return Response::new(Body::from_stream(broken));
    }
    Json(json!({ "receipts": receipts, "gaps": [] })).into_response()
}

impl Inner {
    fn take(&mut self, event: Value) -> Value {
        assert_eq!(event["specversion"], "1.0");
        let (id, kind) = (event["id"].as_str().unwrap().to_owned(), event["type"].as_str().unwrap().to_owned());
        let answer = |status: &str, reason: Option<&str>| json!({"id": id, "status": status, "reason": reason, "receipt": format!("r-{id}"), "received_at": 5});
        if kind == "cn.tuoan.heartbeat.v1" {
            self.heartbeats.push(event);
            return answer("accepted", None);
        }
        if kind == "cn.tuoan.coverage.day.v1" {
            if self.rejects.contains(&id) {
                return answer("rejected", Some("type is not known"));
            }
            self.days.push(event);
            return answer("accepted", None);
        }
        let sequence = event["sequence"].as_str().unwrap().to_owned();
        assert_eq!(event["sequencetype"], "Integer");
        if self.rejects.contains(&sequence) && kind != "cn.tuoan.tombstone.v1" {
            return answer("rejected", Some("unknown hazard"));
        }
        if self.conflicts.contains(&sequence) {
            return answer("conflict", None);
        }
        if self.events.contains_key(&id) {
            self.duplicates += 1;
            return answer("duplicate", None);
        }
        let answer = answer("accepted", None);
        self.order.push(id.clone());
        self.events.insert(id, event);
        answer
    }
}
