//! The JSON API under `/v1`.
use super::error::ApiError;
use crate::app::App;
use crate::auth::{self, Principal};
use crate::incidents::{self, Done, Filter, Kind};
use crate::intake::{self, MAX_BATCH};
use crate::{acceptance, sites, witness};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tuoan_evidence::{NotWitnessed, Submission};

/// Largest body of `POST /v1/events`, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;
/// Rows of a list when the request does not say, and at most.
const LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1_000;

impl FromRequestParts<App> for Principal {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = auth::token(&parts.headers, "Bearer").ok_or_else(ApiError::unauthorized)?;
        auth::by_token(&app.db, &app.readers, token).await?.ok_or_else(ApiError::unauthorized)
    }
}

/// `POST /v1/events`: a batch (`application/cloudevents-batch+json`) or one event (`application/cloudevents+json`).
pub async fn post_events(
    State(app): State<App>,
    who: Principal,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<intake::Answer>, ApiError> {
    let Principal::Site(site) = who else {
        return Err(ApiError::forbidden("only the token of a site may send events"));
    };
    let body = body.map_err(|_| ApiError::too_large(format!("a batch may have at most {MAX_BODY} bytes: send fewer events at a time")))?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let value: Value = serde_json::from_slice(&body).map_err(|e| ApiError::bad_request(format!("the body is not JSON: {e}")))?;
    let members = match (kind.as_str(), value) {
        ("application/cloudevents-batch+json", Value::Array(members)) => members,
        ("application/cloudevents+json", value @ Value::Object(_)) => vec![value],
        ("application/cloudevents-batch+json", _) => return Err(ApiError::bad_request("a batch is a JSON array of events")),
        ("application/cloudevents+json", _) => return Err(ApiError::bad_request("an event is a JSON object")),
        _ => {
            return Err(ApiError::new(
                axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported",
                "Content-Type must be application/cloudevents-batch+json or application/cloudevents+json",
            ));
        }
    };
    if members.len() > MAX_BATCH {
        return Err(ApiError::too_large(format!("a batch may have at most {MAX_BATCH} events, this one has {}", members.len())));
    }
    let answer = intake::take(&app.db, &site, &members, app.clock.utc_ms()).await?;
    if let Some(hook) = &app.on_receipt {
        answer.receipts.iter().filter(|r| r.status == intake::Status::Accepted).for_each(|r| hook.stored(&r.id));
    }
    app.counters.batches(&answer.receipts);
    app.changed();
    Ok(Json(answer))
}

#[derive(Deserialize)]
pub struct EventsQuery {
    site: Option<String>,
    #[serde(default)]
    after: i64,
    limit: Option<i64>,
}

/// `GET /v1/events?site=&after=&limit=`: what has arrived, for comparing with what was sent.
pub async fn get_events(State(app): State<App>, who: Principal, Query(q): Query<EventsQuery>) -> Result<Json<Value>, ApiError> {
    let site = visible(&who, q.site)?;
    let events = incidents::events_after(&app.db, site.as_deref(), q.after, limit(q.limit)).await?;
    let views = sites::list(&app.db, site.as_deref(), app.clock.utc_ms(), app.silent_after_ms).await?;
    let sum = |f: fn(&sites::SiteView) -> i64| views.iter().map(f).fold(0i64, i64::saturating_add);
    Ok(Json(json!({
        "next": events.last().map(|e| e.position),
        "events": events,
        "total": sum(|s| s.events),
        "duplicates": sum(|s| s.duplicates),
        "conflicts": sum(|s| s.conflicts),
        "rejected": sum(|s| s.rejected),
    })))
}

#[derive(Deserialize)]
pub struct IncidentsQuery {
    state: Option<String>,
    site: Option<String>,
    limit: Option<i64>,
    after: Option<String>,
}

/// `GET /v1/incidents?state=open|all&site=&limit=&after=`
pub async fn get_incidents(State(app): State<App>, who: Principal, Query(q): Query<IncidentsQuery>) -> Result<Json<Value>, ApiError> {
    let all = match q.state.as_deref() {
        None | Some("open") => false,
        Some("all") => true,
        Some(_) => return Err(ApiError::bad_request("state must be open or all")),
    };
    let after = match q.after {
        None => None,
        Some(text) => Some(text.parse().map_err(|()| ApiError::bad_request("after must be the `next` of an earlier answer"))?),
    };
    let filter = Filter { site: visible(&who, q.site)?, id: None, all, after, limit: limit(q.limit) };
    let rows = incidents::list(&app.db, &filter).await?;
    let next = if i64::try_from(rows.len()).is_ok_and(|n| n == filter.limit) { rows.last().map(|r| r.cursor.clone()) } else { None };
    Ok(Json(json!({"incidents": rows, "next": next})))
}

#[derive(Deserialize)]
pub struct SiteQuery {
    site: Option<String>,
}

/// `GET /v1/incidents/{id}`: the incident, its events and their receipts. `?site=` when two sites use the same id.
pub async fn get_incident(
    State(app): State<App>,
    who: Principal,
    Path(id): Path<String>,
    Query(q): Query<SiteQuery>,
) -> Result<Json<Value>, ApiError> {
    let incident = one(&app, &who, id, q.site).await?;
    let events = incidents::events_of(&app.db, &incident.site, &incident.id).await?;
    Ok(Json(json!({"incident": incident, "events": events})))
}

pub async fn claim(
    State(app): State<App>,
    who: Principal,
    Path(id): Path<String>,
    Query(q): Query<SiteQuery>,
) -> Result<Json<Value>, ApiError> {
    act(app, who, id, q.site, Kind::Claim).await
}

pub async fn acknowledge(
    State(app): State<App>,
    who: Principal,
    Path(id): Path<String>,
    Query(q): Query<SiteQuery>,
) -> Result<Json<Value>, ApiError> {
    act(app, who, id, q.site, Kind::Acknowledge).await
}

async fn act(app: App, who: Principal, id: String, site: Option<String>, kind: Kind) -> Result<Json<Value>, ApiError> {
    let Principal::District(actor) = &who else {
        return Err(ApiError::forbidden("only the district may claim or acknowledge here; a site acknowledges at its gateway"));
    };
    let incident = one(&app, &who, id, site).await?;
    match incidents::act(&app.db, &incident.site, &incident.id, kind, actor, app.clock.utc_ms()).await? {
        Done::Recorded(action) => {
            app.changed();
            Ok(Json(json!({"by": action.by, "at": action.at})))
        }
        Done::TakenBy(action) => Err(ApiError::conflict(format!("{} has it since {} (UTC milliseconds)", action.by, action.at))),
        Done::Closed => Err(ApiError::conflict("the incident is closed")),
        Done::NoSuchIncident => Err(ApiError::not_found("there is no such incident")),
    }
}

/// `POST /v1/heads`: a gateway's newest head of its log; answered by the countersignature. 409 when it does not go on from what was seen before; with
/// `known`, another proof will do.
pub async fn post_head(State(app): State<App>, who: Principal, body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let Principal::Site(site) = who else {
        return Err(ApiError::forbidden("only the token of a site may send heads"));
    };
    let body = body.map_err(|_| ApiError::too_large(format!("a head may have at most {MAX_BODY} bytes")))?;
    let head: Submission = serde_json::from_slice(&body).map_err(|e| ApiError::bad_request(format!("this is no head of a log: {e}")))?;
    if head.head.site != site {
        return Err(ApiError::forbidden("the token is another site's than the head"));
    }
    match witness::take(&app.db, &app.key, &head, app.clock.utc_ms()).await? {
        Ok(countersignature) => Ok(Json(countersignature).into_response()),
        Err(NotWitnessed::Behind { known }) => {
            let message = NotWitnessed::Behind { known }.to_string();
            Ok((StatusCode::CONFLICT, Json(json!({"error": "behind", "message": message, "known": known}))).into_response())
        }
        Err(why) => Err(ApiError::conflict(why.to_string())),
    }
}

/// `GET /v1/heads`: the platform's public key, what it has countersigned, and which new logs and keys wait for a supervisor or were accepted.
pub async fn get_heads(State(app): State<App>, who: Principal) -> Result<Json<Value>, ApiError> {
    let heads = witness::list(&app.db, who.site()).await?;
    let (waiting, accepted) = acceptance::list(&app.db, who.site()).await?;
    Ok(Json(json!({"key": app.key.public(), "heads": heads, "waiting": waiting, "accepted": accepted})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    site: String,
    log: String,
    key: String,
    reason: String,
}

/// `POST /v1/heads/accept`: the district accepts a site's new log or key, under the name of the reader's token. 404 when nobody asks for it.
pub async fn accept_log(State(app): State<App>, who: Principal, Json(a): Json<Acceptance>) -> Result<Json<Value>, ApiError> {
    let Principal::District(actor) = who else {
        return Err(ApiError::forbidden("only the district accepts a new log or key"));
    };
    let reason = tuoan_dashboards::door::tidy(&a.reason, acceptance::REASON);
    if reason.is_empty() {
        return Err(ApiError::bad_request("reason: say why it is accepted"));
    }
    if !acceptance::accept(&app.db, (&a.site, &a.log, &a.key), (&actor, &reason), app.clock.utc_ms()).await? {
        return Err(ApiError::not_found("no site asks for that log with that key"));
    }
    app.changed();
    Ok(Json(json!({"accepted": true})))
}

/// `GET /v1/sites`
pub async fn get_sites(State(app): State<App>, who: Principal) -> Result<Json<Value>, ApiError> {
    let sites = sites::list(&app.db, who.site(), app.clock.utc_ms(), app.silent_after_ms).await?;
    Ok(Json(json!({"sites": sites})))
}

pub(super) async fn one(app: &App, who: &Principal, id: String, site: Option<String>) -> Result<incidents::Incident, ApiError> {
    tuoan_protocol::IncidentId::new(&id).map_err(|e| ApiError::bad_request(format!("incident id: {e}")))?;
    let filter = Filter { site: visible(who, site)?, id: Some(id), all: true, after: None, limit: 2 };
    let mut rows = incidents::list(&app.db, &filter).await?;
    match (rows.pop(), rows.pop()) {
        (Some(row), None) => Ok(row),
        (None, _) => Err(ApiError::not_found("there is no such incident")),
        _ => Err(ApiError::conflict("two sites have an incident with this id: add ?site=")),
    }
}

/// The site that may and shall be shown; `None` is all.
fn visible(who: &Principal, asked: Option<String>) -> Result<Option<String>, ApiError> {
    if let Some(asked) = &asked {
        tuoan_protocol::SiteId::new(asked).map_err(|e| ApiError::bad_request(format!("site: {e}")))?;
    }
    match (who.site(), asked) {
        (None, asked) => Ok(asked),
        (Some(own), None) => Ok(Some(own.to_owned())),
        (Some(own), Some(asked)) if own == asked => Ok(Some(asked)),
        _ => Err(ApiError::forbidden("this token sees its own site only")),
    }
}

fn limit(asked: Option<i64>) -> i64 {
    asked.unwrap_or(LIMIT).clamp(1, MAX_LIMIT)
}
