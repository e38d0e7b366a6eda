//! The pictures of an incident: blurred stills, and sealed originals. `leave.rs` says what must hold.
use super::leave::{Asked, blank_ask, deed, deeds, forbidden, grant, jpeg, lease, not_logged, refused, running, session};
use super::pages::{Done, missing, sorry, ui};
use super::{QueryError, Shared, views};
use crate::cameras::access::{Logged, record};
use crate::cameras::evidence::{Manifest, NotOpened};
use crate::engine::input::PictureAct;
use crate::engine::view::View;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::view::Notice;
use tuoan_dashboards::view::cameras::{self as page, Ask, Kept};
use tuoan_dashboards::{Ui, page as render};
use tuoan_protocol::{DeviceId, IncidentId};

/// A look at blurred stills, on record.
const STILL_SEEN: &str = "still_seen";

/// Blurred stills and sealed originals of an incident, for its page.
pub(super) fn counts(web: &Shared, incident: &IncidentId) -> (u64, u64) {
    let stills = web.deps.pictures.stills.as_ref().map_or(0, |s| s.of(incident).len());
    let originals = match web.deps.pictures.evidence.as_ref().and_then(|e| e.kept(incident)) {
        Some(Ok(m)) => m.files.iter().map(|f| f.times.len()).sum(),
        // Damaged: its page says how.
        Some(Err(_)) => 1,
        None => 0,
    };
    (stills as u64, originals as u64)
}

/// What blurred stills are looked at for: that of an inspector's code, else what was said within this session.
pub(super) fn may_see_stills(web: &Shared, visitor: &Visitor, incident: &str) -> bool {
    !super::audit::purpose(web, visitor).is_empty() || super::deeds::has_looked(web, visitor, STILL_SEEN, incident)
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct WhatFor {
    reason: String,
}

/// `POST /incidents/{id}/stills`: says what for, which is on record first.
pub async fn open_stills(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(asked): Form<WhatFor>) -> Response {
    let ui = ui(&web, &visitor);
    let Ok(incident) = IncidentId::new(&id) else { return missing(&ui) };
    let Some(reason) = page::REASONS.into_iter().find(|r| *r == asked.reason) else {
        let text = page_error(&ui, "error-leave-reason");
        return (StatusCode::UNPROCESSABLE_ENTITY, text).into_response();
    };
    if !super::deeds::look_for(&web, &visitor, STILL_SEEN, &id, ui.word("watch-reason", reason)).await {
        return sorry(&ui, &QueryError::Busy);
    }
    Redirect::to(&format!("/incidents/{}#stills", incident.as_str())).into_response()
}

fn page_error(ui: &Ui, key: &str) -> Html<String> {
    Html(render::error(ui, &ui.t("error-refused"), &ui.t(key)))
}

pub async fn still(State(web): State<Shared>, visitor: Visitor, Path((id, number)): Path<(String, usize)>) -> Response {
    let (Ok(incident), Some(stills)) = (IncidentId::new(&id), web.deps.pictures.stills.clone()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let picture = match tokio::task::spawn_blocking(move || stills.read(&incident, number)).await {
        Ok(Some(picture)) => picture,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // Blurred as it is, nobody sees it off the record, or without having said what for.
    if !may_see_stills(&web, &visitor, &id) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if !super::deeds::look(&web, &visitor, STILL_SEEN, &id).await {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    jpeg(&web, picture.into_bytes())
}

async fn pictures_page(
    web: &Shared,
    visitor: &Visitor,
    ui: &Ui,
    incident: &IncidentId,
    ask: Option<Ask>,
    notice: Option<Notice>,
) -> Result<Option<String>, QueryError> {
    let id = incident.as_str().to_owned();
    let wanted = id.clone();
    let row = web.query(move |reader| reader.incident(&wanted)).await?;
    let Some(row) = row else { return Ok(None) };
    let view = web.deps.handle.view.borrow().clone();
    let now = web.deps.clock.monotonic_ms();
    let evidence = web.deps.pictures.evidence.as_ref();
    let kept = match evidence.and_then(|e| e.kept(incident)) {
        None => Kept::Nothing,
        Some(Err(why)) => Kept::Damaged(why),
        Some(Ok(m)) => kept(&m, &view),
    };
    let lease = evidence.and_then(|e| e.lease(incident, now, &session(visitor)));
    let title = web.deps.catalogue.get(&row.rule).map(|e| tuoan_dashboards::lang::Text::new(e.title.zh.clone(), e.title.en.clone()));
    let place = view.zones.iter().find(|z| z.id == row.place.zone).map_or_else(|| row.place.zone.as_str().to_owned(), |z| z.name.clone());
    let v = page::Pictures {
        incident: id.clone(),
        title: title.map_or_else(|| ui.hazard(row.hazard.as_str()), |t| ui.text(&t).to_owned()),
        place,
        watch: running(web, lease, now, true),
        ask: ask.unwrap_or_else(|| Ask { name: visitor.actor.clone().unwrap_or_default(), reason: "check".into(), ..blank_ask(web) }),
        deeds: deeds(web, None, Some(id)).await?,
        kept,
        notice,
    };
    Ok(Some(render::pictures(ui, &v)))
}

fn kept(m: &Manifest, view: &View) -> Kept {
    let mut cameras: Vec<(String, page::Film)> = Vec::new();
    for name in &m.cameras {
        let of = m.files.iter().filter(|f| f.camera == *name);
        let mut film: page::Film = of.flat_map(|f| (0u32..).zip(&f.times).map(|(n, at)| (f.number, n, *at)).collect::<Vec<_>>()).collect();
        film.sort_by_key(|p| p.2);
        if !film.is_empty() {
            cameras.push((DeviceId::new(name).map_or_else(|_| name.clone(), |d| views::device_name(&d, view)), film));
        }
    }
    Kept::Here {
        pictures: cameras.iter().map(|c| c.1.len() as u64).sum(),
        cameras,
        opened_at: m.opened_at,
        complete: m.complete,
        cut_short: m.cut_short,
        held: m.held,
    }
}

async fn answer(web: &Shared, visitor: &Visitor, id: &str, status: StatusCode, ask: Option<Ask>, done: Option<&Done>) -> Response {
    let ui = ui(web, visitor);
    let Ok(incident) = IncidentId::new(id) else { return missing(&ui) };
    match pictures_page(web, visitor, &ui, &incident, ask, done.and_then(|d| d.notice(&ui))).await {
        Ok(Some(page)) => (status, Html(page)).into_response(),
        Ok(None) => missing(&ui),
        Err(e) => sorry(&ui, &e),
    }
}

pub async fn pictures(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Query(done): Query<Done>) -> Response {
    answer(&web, &visitor, &id, StatusCode::OK, None, Some(&done)).await
}

/// Opens an incident's originals, once that is on record.
pub async fn open(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(form): Form<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    let (Ok(incident), Some(evidence)) = (IncidentId::new(&id), web.deps.pictures.evidence.clone()) else { return missing(&ui) };
    if evidence.kept(&incident).is_none() {
        return missing(&ui);
    }
    let granted = match grant(&web, &visitor, &ui, &form).await {
        Ok(granted) => granted,
        Err((status, ask)) => return answer(&web, &visitor, &id, status, Some(ask), None).await,
    };
    match record(&web.deps.handle.control, &granted.actor, deed(PictureAct::Open, None, Some(&incident), &granted.reason)).await {
        Ok(logged) => {
            evidence.allow(&incident, web.deps.clock.monotonic_ms(), lease(&web, &visitor, granted, logged));
            Redirect::to(&format!("/incidents/{}/pictures", incident.as_str())).into_response()
        }
        Err(e) => not_logged(&ui, &e),
    }
}

pub async fn close(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let ui = ui(&web, &visitor);
    let (Ok(incident), Some(evidence)) = (IncidentId::new(&id), web.deps.pictures.evidence.as_ref()) else { return missing(&ui) };
    if let Some(ended) = evidence.end(&incident, web.deps.clock.monotonic_ms(), &session(&visitor)) {
        let _ = record(&web.deps.handle.control, &ended.actor, deed(PictureAct::WatchEnded, None, Some(&incident), &ended.reason)).await;
    }
    Redirect::to(&format!("/incidents/{}/pictures?done=watch-ended", incident.as_str())).into_response()
}

#[derive(serde::Deserialize)]
pub struct Hold {
    #[serde(default)]
    hold: String,
}

/// Keeps an incident's originals whatever their age, or no longer.
pub async fn hold(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(form): Form<Hold>) -> Response {
    let ui = ui(&web, &visitor);
    let (Ok(incident), Some(evidence)) = (IncidentId::new(&id), web.deps.pictures.evidence.clone()) else { return missing(&ui) };
    let Some(lease) = evidence.lease(&incident, web.deps.clock.monotonic_ms(), &session(&visitor)) else {
        return forbidden(&web, &visitor, &ui);
    };
    let held = form.hold == "yes";
    // What was held for a report of concern stays held until the district has closed it.
    let view = web.deps.handle.view.borrow().clone();
    if !held && view.incidents.iter().any(|i| i.id == incident && i.hazard.as_str() == super::report::HAZARD) {
        let page = render::error(&ui, &ui.t("error-refused"), &ui.t("error-held-concern"));
        return (StatusCode::CONFLICT, Html(page)).into_response();
    }
    let what = if held { PictureAct::Hold } else { PictureAct::Release };
    let logged = match record(&web.deps.handle.control, &lease.actor, deed(what, None, Some(&incident), &lease.reason)).await {
        Ok(logged) => logged,
        Err(e) => return not_logged(&ui, &e),
    };
    let changed = incident.clone();
    match tokio::task::spawn_blocking(move || evidence.hold(&changed, held, logged)).await {
        Ok(Ok(())) => {
            let done = if held { "held" } else { "released" };
            Redirect::to(&format!("/incidents/{}/pictures?done={done}", incident.as_str())).into_response()
        }
        Ok(Err(e)) => sorry(&ui, &QueryError::Store(e.to_string())),
        Err(e) => sorry(&ui, &QueryError::Store(e.to_string())),
    }
}

/// The pictures of an incident are held, or no longer, as the log has it.
pub(super) async fn follow_hold(web: &Shared, incident: IncidentId) {
    let Some(evidence) = web.deps.pictures.evidence.clone() else { return };
    let reader = web.deps.handle.reader.clone();
    let work = move || {
        let Some((held, logged)) = Logged::of_hold(&reader, &incident)? else { return Ok(()) };
        evidence.hold(&incident, held, logged).map_err(|e| e.to_string())
    };
    let failed = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => return,
        Ok(Err(e)) => e,
        Err(e) => e.to_string(),
    };
    tracing::error!("the pictures of an incident do not follow its hold: {failed}");
}

/// One original, for who has leave.
pub async fn original(State(web): State<Shared>, visitor: Visitor, Path((id, file, picture)): Path<(String, u32, u32)>) -> Response {
    let (Ok(incident), Some(evidence)) = (IncidentId::new(&id), web.deps.pictures.evidence.clone()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (now, session) = (web.deps.clock.monotonic_ms(), session(&visitor));
    match tokio::task::spawn_blocking(move || evidence.original(&incident, now, &session, file, picture)).await {
        Ok(Ok(opened)) => jpeg(&web, opened.into_bytes()),
        Ok(Err(NotOpened::NotAllowed)) => {
            refused(&web, &visitor, &visitor.path);
            StatusCode::FORBIDDEN.into_response()
        }
        Ok(Err(NotOpened::NotThere)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(NotOpened::Damaged(what))) => {
            tracing::error!("evidence has been damaged: {what}");
            let ui = ui(&web, &visitor);
            (StatusCode::UNPROCESSABLE_ENTITY, Html(render::error(&ui, &ui.t("error-picture-damaged"), &what))).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
