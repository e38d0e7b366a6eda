//! Leave to see a picture: asked for with a reason and a password, on record before it is given, over after some minutes.
//!
//! What must hold: a picture is given only to a session that has leave; leave is given after a password has been asked again and the reason stands in
//! the log; what is refused is counted; no answer with a picture may be kept by a browser.
use super::{QueryError, Shared};
use crate::cameras::access::{LEASE_MS, Lease, Logged, NotLogged};
use crate::engine::input::{PictureAct, PictureDeed};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tuoan_dashboards::door::{ACTOR, Refusal, Visitor, tidy};
use tuoan_dashboards::view::cameras::{self as page, Ask, Watch};
use tuoan_dashboards::{Ui, page as render};
use tuoan_protocol::{DeviceId, IncidentId};

/// Longest note with a reason, in bytes.
const NOTE: usize = 180;
/// Deeds shown.
const DEEDS: usize = 20;

/// The session that may be given leave.
pub(super) fn session(visitor: &Visitor) -> String {
    visitor.session_key().unwrap_or_default().to_owned()
}

pub(super) fn running(web: &Shared, lease: Option<Lease>, now: i64, allowed: bool) -> Watch {
    match lease {
        // The page counts down by the clock of whoever looks, as the lease was measured.
        Some(l) => Watch::Running { left: (l.ends_ms.saturating_sub(now) as f64 / web.config.speed) as i64, reason: l.reason },
        None if allowed => Watch::Ask,
        None => Watch::Off,
    }
}

pub(super) async fn deeds(web: &Shared, camera: Option<String>, incident: Option<String>) -> Result<Vec<page::Deed>, QueryError> {
    let rows = web.query(move |reader| reader.picture_deeds(camera.as_deref(), incident.as_deref(), DEEDS)).await?;
    Ok(rows.into_iter().map(|r| page::Deed { at: r.at, actor: r.actor, what: r.what, reason: r.reason }).collect())
}

/// The form as yet empty.
pub(super) fn blank_ask(web: &Shared) -> Ask {
    Ask { own_password: web.config.viewing_password.is_some(), ..Ask::default() }
}

/// The form that asks for leave.
#[derive(serde::Deserialize)]
pub struct Asked {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

/// Leave that may be given, once it is on record.
pub(super) struct Granted {
    pub(super) actor: String,
    pub(super) reason: String,
}

/// Whether the form gives leave; else the form with what is wrong, and the answer's status.
pub(super) async fn grant(web: &Shared, visitor: &Visitor, ui: &Ui, form: &Asked) -> Result<Granted, (StatusCode, Ask)> {
    let name = visitor.actor.clone().filter(|_| visitor.personal).unwrap_or_else(|| tidy(&form.name, ACTOR));
    let mut ask = Ask { reason: form.reason.clone(), note: tidy(&form.note, NOTE), name, ..blank_ask(web) };
    let known = page::REASONS.contains(&form.reason.as_str());
    ask.reason_error = (!known).then(|| ui.t("error-leave-reason"));
    ask.name_error = ask.name.is_empty().then(|| ui.t("error-name"));
    if ask.reason_error.is_some() || ask.name_error.is_some() {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, ask));
    }
    let other = web.config.viewing_password.as_ref().map(|p| p.reveal());
    if let Err(refusal) = web.deps.door.confirm(visitor, &form.password, other).await {
        let (status, text) = match refusal {
            Refusal::Locked(ms) => (StatusCode::TOO_MANY_REQUESTS, ui.t1("error-locked", "m", ms.saturating_add(59_999) / 60_000)),
            Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, ui.t("error-busy")),
            _ => (StatusCode::FORBIDDEN, ui.t("error-leave-password")),
        };
        refused(web, visitor, "asking for leave");
        ask.password_error = Some(text);
        return Err((status, ask));
    }
    let _ = web.deps.door.remember_actor(visitor, &ask.name).await;
    let reason = ui.word("watch-reason", &form.reason);
    let reason = if ask.note.is_empty() { reason } else { format!("{reason} · {}", ask.note) };
    Ok(Granted { actor: ask.name, reason })
}

/// Counted and said: who tries to see pictures without leave.
pub(super) fn refused(web: &Shared, visitor: &Visitor, what: &str) {
    web.deps.handle.metrics.pictures_refused.inc();
    tracing::warn!(from = %visitor.address, "a picture was refused: {what}");
}

pub(super) fn lease(web: &Shared, visitor: &Visitor, g: Granted, logged: Logged) -> Lease {
    // Minutes of whoever looks, also where a day passes in minutes.
    let lasts_ms = (LEASE_MS as f64 * web.config.speed) as i64;
    let ends_ms = web.deps.clock.monotonic_ms().saturating_add(lasts_ms);
    Lease { session: session(visitor), actor: g.actor, reason: g.reason, ends_ms, logged }
}

pub(super) fn not_logged(ui: &Ui, e: &NotLogged) -> Response {
    tracing::warn!("pictures stay shut: {e}");
    (StatusCode::SERVICE_UNAVAILABLE, Html(render::error(ui, &ui.t("error-refused"), &ui.t("error-leave-log")))).into_response()
}

pub(super) fn forbidden(web: &Shared, visitor: &Visitor, ui: &Ui) -> Response {
    refused(web, visitor, &visitor.path);
    (StatusCode::FORBIDDEN, Html(render::error(ui, &ui.t("error-refused"), &ui.t("error-leave-over")))).into_response()
}

pub(super) fn deed(what: PictureAct, camera: Option<&DeviceId>, incident: Option<&IncidentId>, reason: &str) -> PictureDeed {
    PictureDeed { what, camera: camera.cloned(), incident: incident.cloned(), reason: reason.to_owned() }
}

/// No browser, proxy or history may keep it.
pub(super) fn jpeg(web: &Shared, bytes: Vec<u8>) -> Response {
    web.deps.handle.metrics.pictures_shown.inc();
    let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store"), (header::CONTENT_DISPOSITION, "inline")];
    (headers, bytes).into_response()
}
