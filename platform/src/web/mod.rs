//! HTTP: the JSON API, the InfluxDB endpoints, live updates and the pages.
pub mod api;
pub mod error;
mod evidence;
pub mod live;
pub mod pages;
mod passes;
mod present;

use crate::app::App;
use crate::auth;
use crate::influx::http as influx;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::net::SocketAddr;

pub fn router(app: App) -> Router {
    let v1 = Router::new()
        .route("/v1/events", post(api::post_events).get(api::get_events))
        .route("/v1/incidents", get(api::get_incidents))
        .route("/v1/incidents/{id}", get(api::get_incident))
        .route("/v1/incidents/{id}/claim", post(api::claim))
        .route("/v1/incidents/{id}/acknowledge", post(api::acknowledge))
        .route("/v1/sites", get(api::get_sites))
        .route("/v1/passes", post(passes::exchange))
        .route("/v1/heads", post(api::post_head).get(api::get_heads))
        .route("/v1/heads/accept", post(api::accept_log))
        .layer(DefaultBodyLimit::max(api::MAX_BODY));
    let influx = Router::new()
        .route("/api/v2/write", post(influx::write))
        .route("/api/v2/query", post(influx::query))
        .route("/api/v2/buckets", get(influx::buckets))
        .route("/health", get(influx::health))
        .route("/ping", get(influx::ping).head(influx::ping))
        .layer(DefaultBodyLimit::max(influx::MAX_BODY));
    let machines =
        Router::new().merge(v1).merge(influx).route("/healthz", get(healthz)).route("/metrics", get(metrics)).with_state(app.clone());
    let door = app.door.clone();
    door.guard(pages::routes(app), machines)
}

/// 200 when the database answers.
async fn healthz(State(app): State<App>) -> impl IntoResponse {
    match sqlx::query("SELECT 1 AS one").fetch_one(app.db.read()).await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(e) => {
            tracing::error!(error = %e, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
    }
}

/// For this machine, and for the token of a reader.
async fn metrics(State(app): State<App>, request: Request) -> Response {
    let here = request.extensions().get::<ConnectInfo<SocketAddr>>().is_some_and(|c| c.0.ip().to_canonical().is_loopback());
    // A reverse proxy on this machine asks for somebody elsewhere.
    let here = here && !request.headers().contains_key("x-forwarded-for") && !request.headers().contains_key(header::FORWARDED);
    let reader = auth::token(request.headers(), "Bearer").is_some_and(|token| app.readers.knows(token));
    if !here && !reader {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.counters.render()).into_response()
}
