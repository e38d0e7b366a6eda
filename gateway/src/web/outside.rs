//! What answers without a session: health for whoever watches the service, metrics for this machine or a bearer of the token.
use super::Shared;
use crate::metrics::CONTENT_TYPE;
use crate::store::Health;
use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::PoisonError;
use subtle::ConstantTimeEq;

/// 200 while the gateway takes in and stores; 503 with the reason otherwise.
pub async fn health(State(web): State<Shared>) -> Response {
    let health = web.deps.handle.health.borrow().clone();
    match health {
        _ if web.stopped() => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"healthy": false, "reason": "the engine has stopped"}))).into_response()
        }
        // How long the receivers may be cut off before something is lost: null while that is not known.
        Health::Healthy => Json(json!({"healthy": true, "hours_left": web.deps.deliveries.hours_left()})).into_response(),
        Health::Degraded { since, .. } => {
            // The reason names paths; who has no session gets none.
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"healthy": false, "reason": "the disk does not take commits", "since": since})))
                .into_response()
        }
    }
}

pub async fn metrics(State(web): State<Shared>, request: Request) -> Response {
    let local = request.extensions().get::<ConnectInfo<SocketAddr>>().is_some_and(|c| c.0.ip().to_canonical().is_loopback());
    // A reverse proxy on this machine asks for somebody elsewhere.
    let local = local && !request.headers().contains_key("x-forwarded-for") && !request.headers().contains_key(header::FORWARDED);
    if !local && !bears(request.headers(), web.config.metrics_token.as_deref()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let metrics = &web.deps.handle.metrics;
    if let Some(state) = &web.deps.evidence.witness {
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.witness_records.set(state.seen.map_or(0, |s| i64::try_from(s.0).unwrap_or(i64::MAX)));
        metrics.witness_refused.set(i64::from(state.refused.is_some()));
    }
    let view = web.deps.handle.view.borrow().clone();
    let mut resets = std::collections::BTreeMap::<&'static str, u64>::new();
    for (reason, n) in view.zones.iter().flat_map(|z| &z.devices).chain(&view.unplaced).flat_map(|d| d.resets.each()) {
        *resets.entry(reason).or_default() += u64::from(n);
    }
    resets.into_iter().for_each(|(reason, n)| metrics.resets(reason, n));
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render()).into_response()
}

fn bears(headers: &HeaderMap, token: Option<&str>) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    match (given, token) {
        (Some(given), Some(token)) => given.as_bytes().ct_eq(token.as_bytes()).into(),
        _ => false,
    }
}
