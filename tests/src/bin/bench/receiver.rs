//! A district platform that does nothing but take the time: answers every event with a receipt, notes when the event of message n came.
use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

#[derive(Clone)]
struct Notes {
    start: Instant,
    /// (message number, microseconds since `start`)
    seen: Arc<Mutex<Vec<(u64, u64)>>>,
    alerts: Arc<AtomicUsize>,
    lines: Arc<AtomicUsize>,
}

pub struct Receiver {
    pub url: String,
    seen: Arc<Mutex<Vec<(u64, u64)>>>,
    alerts: Arc<AtomicUsize>,
    lines: Arc<AtomicUsize>,
}

impl Receiver {
    pub async fn start(start: Instant) -> std::io::Result<Receiver> {
        let notes = Notes { start, seen: Arc::default(), alerts: Arc::default(), lines: Arc::default() };
        let (seen, alerts, lines) = (notes.seen.clone(), notes.alerts.clone(), notes.lines.clone());
        let router = Router::new()
            .route("/v1/events", post(events))
            .route("/api/v2/write", post(metrics))
            .layer(axum::extract::DefaultBodyLimit::max(16 << 20))
            .with_state(notes);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Receiver { url, seen, alerts, lines })
    }
    /// Incident events that have arrived.
    pub fn alerts(&self) -> usize {
        self.alerts.load(Ordering::Relaxed)
    }
    /// Lines of metrics that have arrived.
    pub fn lines(&self) -> usize {
        self.lines.load(Ordering::Relaxed)
    }
    /// Every arrival in turn: (message number, microseconds since `start`).
    pub fn every(&self) -> Vec<(u64, u64)> {
        self.seen.lock().map(|s| s.clone()).unwrap_or_default()
    }
    /// First arrival of each message's alert: (message number, microseconds since `start`).
    pub fn arrivals(&self) -> Vec<(u64, u64)> {
        let mut list = self.seen.lock().map(|s| s.clone()).unwrap_or_default();
        list.sort_unstable();
        list.dedup_by_key(|(n, _)| *n);
        list
    }
}

async fn metrics(State(notes): State<Notes>, body: axum::body::Bytes) -> axum::http::StatusCode {
    notes.lines.fetch_add(body.iter().filter(|b| **b == b'\n').count(), Ordering::Relaxed);
    axum::http::StatusCode::NO_CONTENT
}

async fn events(State(notes): State<Notes>, Json(batch): Json<Vec<Value>>) -> Json<Value> {
    let now = notes.start.elapsed().as_micros() as u64;
    let mut receipts = Vec::new();
    let mut arrived = Vec::new();
    for event in &batch {
        let heartbeat = event["type"].as_str().is_some_and(|t| t.contains("heartbeat"));
        notes.alerts.fetch_add(usize::from(!heartbeat), Ordering::Relaxed);
        let value = event.pointer("/data/event/trigger/value").and_then(Value::as_f64).unwrap_or(0.0);
        if value >= 10_000.0 {
            arrived.push((value as u64 - 10_000, now));
        }
        receipts.push(json!({"id": event["id"], "status": "accepted", "reason": null, "receipt": "bench", "received_at": 0}));
    }
    if let Ok(mut seen) = notes.seen.lock() {
        seen.extend(arrived);
    }
    Json(json!({"receipts": receipts, "gaps": []}))
}
