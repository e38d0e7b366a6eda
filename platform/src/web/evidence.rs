//! Evidence that somebody brings: checked by the same verifier as everywhere, against the keys and heads that the district has seen itself.
use super::error::ApiError;
use super::pages::{failure, ui};
use crate::acceptance::{self, REASON};
use crate::app::App;
use crate::witness::{self, Seen};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tuoan_dashboards::door::{ACTOR, UPLOAD, UPLOAD_PATH, Visitor, tidy};
use tuoan_dashboards::page;
use tuoan_dashboards::view::evidence::{Accepted, Check, Fault, KeyState, Proven, Verdict, Waiting, Witnessed};
use tuoan_evidence::{PublicKey, Refused, Report, Trust, verify};

/// Files that are checked at once: each is held in memory whole.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

pub fn routes() -> Router<App> {
    let upload = Router::new().route(UPLOAD_PATH, post(check)).layer(DefaultBodyLimit::max(UPLOAD));
    Router::new().route("/evidence", get(show)).route("/evidence/accept", post(accept)).merge(upload)
}

async fn show(State(app): State<App>, visitor: Visitor) -> Response {
    page_with(&app, &visitor, StatusCode::OK, None).await
}

async fn check(State(app): State<App>, mut visitor: Visitor, file: Bytes) -> Response {
    visitor.path = "/evidence".into();
    let Ok(_one) = AT_ONCE.try_acquire() else {
        let ui = ui(&app, &visitor);
        return (StatusCode::SERVICE_UNAVAILABLE, Html(page::error(&ui, &ui.t("error-server"), &ui.t("error-busy")))).into_response();
    };
    let checked = tokio::task::spawn_blocking(move || verify(&file, &Trust::default())).await;
    let verdict = match checked {
        Ok(Ok(report)) => match witness::list(&app.db, Some(&report.header.site)).await {
            Ok(seen) => proven(&report, &seen, &app),
            Err(e) => return failure(&ui(&app, &visitor), ApiError::from(e)),
        },
        Ok(Err(refused)) => Verdict::Changed(faults(&refused)),
        Err(_) => return failure(&ui(&app, &visitor), ApiError::bad_request("the file could not be checked")),
    };
    page_with(&app, &visitor, StatusCode::OK, Some(verdict)).await
}

#[derive(Deserialize)]
struct Asked {
    site: String,
    log: String,
    key: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    reason: String,
}

/// A supervisor accepts a site's new log or key.
async fn accept(State(app): State<App>, mut visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    visitor.path = "/evidence".into();
    let (name, reason) = (tidy(&asked.name, ACTOR), tidy(&asked.reason, REASON));
    if name.is_empty() || reason.chars().count() < 2 {
        return said(&app, &visitor, StatusCode::UNPROCESSABLE_ENTITY, None, Some("error-evidence-accept")).await;
    }
    // Only for the next form to know it: what counts is the name in the record.
    let _ = app.door.remember_actor(&visitor, &name).await;
    match acceptance::accept(&app.db, (&asked.site, &asked.log, &asked.key), (&name, &reason), app.clock.utc_ms()).await {
        Ok(true) => {
            app.changed();
            Redirect::to("/evidence").into_response()
        }
        Ok(false) => said(&app, &visitor, StatusCode::CONFLICT, None, Some("error-evidence-accept-gone")).await,
        Err(e) => failure(&ui(&app, &visitor), ApiError::from(e)),
    }
}

async fn page_with(app: &App, visitor: &Visitor, status: StatusCode, verdict: Option<Verdict>) -> Response {
    said(app, visitor, status, verdict, None).await
}

async fn said(app: &App, visitor: &Visitor, status: StatusCode, verdict: Option<Verdict>, error: Option<&str>) -> Response {
    let ui = ui(app, visitor);
    let found = async { Ok::<_, sqlx::Error>((witness::list(&app.db, None).await?, acceptance::list(&app.db, None).await?)) };
    match found.await {
        Ok((seen, (waiting, accepted))) => {
            let logs = seen.into_iter().map(|s| Witnessed {
                site: s.name,
                log: s.log,
                records: s.head.size,
                at: s.countersignature.time,
                key: s.head.key.fingerprint(),
                trouble: s.trouble,
            });
            let v = Check {
                key: app.key.public().fingerprint(),
                verdict,
                logs: logs.collect(),
                waiting: waiting.into_iter().map(asks).collect(),
                accepted: accepted.into_iter().filter_map(answered).collect(),
                name: visitor.actor.clone().unwrap_or_default(),
                error: error.map(|e| ui.t(e)),
            };
            (status, Html(page::evidence_check(&ui, &v))).into_response()
        }
        Err(e) => failure(&ui, ApiError::from(e)),
    }
}

fn fingerprint(key: &str) -> String {
    PublicKey::parse(key).map_or_else(|_| key.to_owned(), |k| k.fingerprint())
}

fn asks(q: acceptance::Question) -> Waiting {
    let (fingerprint, records) = (fingerprint(&q.key), q.size.unsigned_abs());
    Waiting { site: q.site, name: q.name, log: q.log, key: q.key, fingerprint, known_log: q.known_log, records, at: q.asked_at }
}

fn answered(q: acceptance::Question) -> Option<Accepted> {
    let a = q.answer?;
    Some(Accepted { fingerprint: fingerprint(&q.key), name: q.name, known_log: q.known_log, at: a.at, actor: a.actor, reason: a.reason })
}

/// Whole, and signed by the key that it names; whether that is the site's, the district knows.
fn proven(r: &Report, seen: &[Seen], app: &App) -> Verdict {
    let known = seen.iter().find(|s| s.log == r.header.log);
    let key = match known {
        Some(s) if s.head.key == r.header.key => KeyState::Known,
        Some(_) => KeyState::Another,
        None => KeyState::Unknown,
    };
    Verdict::Whole(Proven {
        site: r.header.site_name.clone(),
        incident: r.header.incident.clone(),
        events: r.events.len() as u64,
        // Only this district's own countersignature counts here.
        witnessed: if r.witness.as_ref().is_some_and(|w| w.countersignature.key == app.key.public()) { r.witnessed as u64 } else { 0 },
        records: r.records as u64,
        made_at: r.header.made_at,
        made_by: r.header.made_by.clone(),
        purpose: r.header.purpose.clone(),
        fingerprint: r.header.key.fingerprint(),
        key,
        coverage: r.watched().map(|f| (f.watched.into(), f.degraded.into(), f.blind.into())),
    })
}

fn faults(refused: &Refused) -> Vec<Fault> {
    let plain = |f: &tuoan_evidence::Fault| Fault { code: f.code(), detail: f.record().map(ToString::to_string), says: f.to_string() };
    refused.faults.iter().map(plain).collect()
}
