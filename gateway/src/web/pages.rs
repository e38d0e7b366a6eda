//! The pages and their live fragments.
use super::{QueryError, Shared, forms, receipts, story, views, watched};
use crate::engine::view::View;
use crate::store::{Lane, Reader, StoreError};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::Arc;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::view::Notice;
use tuoan_dashboards::view::gateway::{Around, CameraLooks, Home, IncidentPage, Quarantine, Quarantined};
use tuoan_dashboards::{Ui, page, timeline};
use tuoan_protocol::IncidentId;

/// Incidents whose acknowledger is looked up for the home page.
const TAKERS: usize = 32;
/// Quarantined messages shown, and how much of each.
const QUARANTINE: usize = 200;
const PREVIEW: usize = 160;

/// What has just been done, from the query of the page that an action leads back to.
#[derive(serde::Deserialize, Default)]
pub struct Done {
    #[serde(default)]
    done: String,
}

impl Done {
    /// Only known words: a link must not put text into the page.
    pub(super) fn notice(&self, ui: &Ui) -> Option<Notice> {
        match self.done.as_str() {
            "acknowledged" => Some(Notice::Done(ui.t("done-acknowledged"))),
            "cancelled" => Some(Notice::Done(ui.t("done-cancelled"))),
            "swept" => Some(Notice::Done(ui.t("done-swept"))),
            "checked" => Some(Notice::Done(ui.t("done-checked"))),
            "set" => Some(Notice::Done(ui.t("done-set"))),
            "ended" => Some(Notice::Done(ui.t("done-ended"))),
            "watch-ended" => Some(Notice::Done(ui.t("done-watch-ended"))),
            "set-up" => Some(Notice::Done(ui.t("done-set-up"))),
            "held" => Some(Notice::Done(ui.t("done-held"))),
            "released" => Some(Notice::Done(ui.t("done-released"))),
            "taken" => Some(Notice::Done(ui.t("done-taken"))),
            "resolved" => Some(Notice::Done(ui.t("done-resolved"))),
            "commented" => Some(Notice::Done(ui.t("done-commented"))),
            "assigned" => Some(Notice::Done(ui.t("done-assigned"))),
            "shelved" => Some(Notice::Done(ui.t("done-shelved"))),
            "unshelved" => Some(Notice::Done(ui.t("done-unshelved"))),
            "merged" => Some(Notice::Done(ui.t("done-merged"))),
            "reopened" => Some(Notice::Done(ui.t("done-reopened"))),
            "maintained" => Some(Notice::Done(ui.t("done-maintained"))),
            "stood-down" => Some(Notice::Done(ui.t("done-stood-down"))),
            "out" => Some(Notice::Done(ui.t("done-out"))),
            "drill-ended" => Some(Notice::Done(ui.t("done-drill-ended"))),
            "exported" => Some(Notice::Done(ui.t("done-exported"))),
            "who" => Some(Notice::Done(ui.t("done-who"))),
            _ => None,
        }
    }
}

pub(super) fn ui(web: &Shared, visitor: &Visitor) -> Ui {
    let ui = visitor.ui(web.deps.clock.utc_ms(), web.config.utc_offset_minutes, web.config.speed, &web.config.site_name);
    let commissioning = visitor.signed_in().then(|| views::commissioning(&web.deps.handle.view.borrow())).flatten();
    Ui { commissioning, ..ui }
}

pub(super) fn sorry(ui: &Ui, e: &QueryError) -> Response {
    let (status, help) = match e {
        QueryError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "error-busy"),
        QueryError::Store(text) => {
            tracing::warn!(error = %text, "a page's query failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "error-read")
        }
    };
    (status, Html(page::error(ui, &ui.t("error-server"), &ui.t(help)))).into_response()
}

pub(super) fn missing(ui: &Ui) -> Response {
    (StatusCode::NOT_FOUND, Html(page::error(ui, &ui.t("error-not-found"), &ui.t("error-not-found-help")))).into_response()
}

/// What the home page needs of the store.
fn lookup(reader: &Reader, taken: &[String]) -> Result<(BTreeMap<String, String>, u64), StoreError> {
    let mut takers = BTreeMap::new();
    for id in taken {
        if let Some(who) = story::taker(&reader.events_of(id)?) {
            takers.insert(id.clone(), who);
        }
    }
    let counts = reader.counts()?;
    Ok((takers, counts.quarantined.saturating_sub(counts.quarantine_dropped)))
}

async fn home_view(web: &Shared, ui: &Ui) -> Home {
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let health = web.deps.handle.health.borrow().clone();
    let taken: Vec<String> =
        view.incidents.iter().filter(|i| i.state.acknowledged).take(TAKERS).map(|i| i.id.as_str().to_owned()).collect();
    let answer = web.query(move |reader| lookup(reader, &taken)).await;
    let unread = answer.is_err();
    let (takers, quarantined) = answer.unwrap_or_default();
    let mut home = views::home(&view, &web.deps.catalogue, &health, &web.deps.deliveries.status(), &takers, quarantined);
    home.strip.days_left = web.deps.handle.room.borrow().days_left.map(|d| d as u64);
    forms::furnish(&mut home, &view);
    home.strip.channels = views::channels(&web.deps.channels.states());
    home.swept = super::tasks::so_far(&view, web.deps.clock.utc_ms());
    home.strip.estimating = web.deps.handle.metrics.estimating.get() == 1;
    // What is known is shown all the same; the page must not fall with the disk.
    if web.stopped() {
        home.strip.disk_fault = Some(ui.t("machine-stopped"));
    } else if unread && home.strip.disk_fault.is_none() {
        home.notice = Some(Notice::Failed(ui.t("error-read")));
    }
    home
}

pub async fn home(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    let mut home = home_view(&web, &ui).await;
    home.notice = home.notice.or_else(|| done.notice(&ui));
    Html(page::home(&ui, &home)).into_response()
}

pub async fn home_fragment(State(web): State<Shared>, visitor: Visitor) -> Response {
    let mut ui = ui(&web, &visitor);
    ui.path = "/".into();
    Html(page::home_fragment(&ui, &home_view(&web, &ui).await)).into_response()
}

/// What cameras' looks found around it, for the page's boxes and stick figures.
async fn looks(web: &Shared, id: &str) -> Result<Vec<CameraLooks>, QueryError> {
    let Ok(id) = IncidentId::new(id) else { return Ok(Vec::new()) };
    let rows = web.query(move |reader| reader.looks_of(id.as_str())).await?;
    Ok(story::looks(&rows, &web.deps.handle.view.borrow()))
}

async fn incident_view(web: &Shared, id: &str, around: Around) -> Result<Option<IncidentPage>, QueryError> {
    let Ok(id) = IncidentId::new(id) else { return Ok(None) };
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let about = id.clone();
    let offset = web.deps.handle.committed.borrow().utc_offset;
    let now = web.deps.clock.utc_ms();
    let mut sinks: Vec<&'static str> = web.deps.deliveries.status().iter().filter(|s| s.lane == Lane::Alerts).map(|s| s.sink).collect();
    sinks.dedup();
    let (zones, formerly) = (view.clone(), web.config.formerly.clone());
    let work = move |reader: &Reader| {
        let before = |id: &tuoan_protocol::DeviceId| formerly.iter().find(|f| f.0 == *id).map(|f| f.1.clone()).unwrap_or_default();
        let devices = |zone: &tuoan_protocol::ZoneId| {
            let now = zones.zones.iter().filter(|z| z.id == *zone).flat_map(|z| &z.devices);
            now.flat_map(|d| std::iter::once(d.id.clone()).chain(before(&d.id))).collect::<Vec<_>>()
        };
        story::read(reader, id.as_str(), now, offset, devices, &sinks, around)
    };
    let Some(mut story) = web.query(work).await? else { return Ok(None) };
    let (asked, offset_minutes) = (about.to_string(), web.config.utc_offset_minutes);
    let (first, last) = (watched::date(story.from, offset_minutes), watched::date(story.to, offset_minutes));
    let (held, days) = web.query(move |r| Ok((r.is_held(&asked)?, r.ledger_days(first, last)?))).await?;
    let place = story.events.first().and_then(|e| e.event.as_ref().ok()).map(|e| e.place.zone.clone());
    let seen = (story.from, story.to);
    let tellings = receipts::Tellings {
        notices: std::mem::take(&mut story.notices),
        told: std::mem::take(&mut story.told),
        stored: story.events.first().map(|e| e.at.saturating_add(offset)),
        channels: !web.deps.channels.states().is_empty(),
    };
    let events = story.events.clone();
    let rule = story.events.iter().rev().find_map(|e| e.event.as_ref().ok()).map(|e| e.rule.clone());
    let limit = rule.and_then(|r| web.deps.limits.get(&r).cloned());
    let mut page = story::page(story, &view, &web.deps.catalogue, limit, &web.config, around);
    if let Some(page) = &mut page {
        (page.stills, page.originals) = super::pictures::counts(web, &about);
        let events: Vec<_> = events.iter().filter_map(|e| e.event.as_ref().ok()).collect();
        page.receipts = receipts::receipts(&events, &tellings, &page.deliveries, &view, now);
        page.export = super::report::export(&events, &view);
        page.watch = place.map(|zone| watched::stretches(&zone, seen, &days, &view.coverage, offset_minutes)).unwrap_or_default();
        forms::arrange(page, &view, held);
    }
    Ok(page)
}

/// How much before and after an incident is looked at.
#[derive(serde::Deserialize, Default)]
pub struct Wide {
    #[serde(default)]
    around: String,
}

pub async fn incident(
    State(web): State<Shared>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(done): Query<Done>,
    Query(wide): Query<Wide>,
) -> Response {
    let ui = ui(&web, &visitor);
    // Who acted and who was told stands here: a look from outside is on record, under the purpose of the code.
    if visitor.role() == Some(tuoan_dashboards::door::Role::Inspector) && !super::deeds::look(&web, &visitor, "incident_seen", &id).await {
        return sorry(&ui, &QueryError::Busy);
    }
    match incident_view(&web, &id, Around::parse(&wide.around)).await {
        Ok(Some(mut v)) => {
            v.stills_open = super::pictures::may_see_stills(&web, &visitor, &id);
            v.notice = done.notice(&ui);
            v.looks = looks(&web, &id).await.unwrap_or_default();
            Html(page::incident(&ui, &v)).into_response()
        }
        Ok(None) => missing(&ui),
        Err(e) => sorry(&ui, &e),
    }
}

/// The timeline for the script that draws it: thinned, with gaps, in the person's language.
pub async fn timeline_json(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Query(wide): Query<Wide>) -> Response {
    let ui = ui(&web, &visitor);
    let busy = || (StatusCode::SERVICE_UNAVAILABLE, Json(serde_json::json!({"error": "busy; ask again"}))).into_response();
    match incident_view(&web, &id, Around::parse(&wide.around)).await {
        Ok(Some(mut v)) => match looks(&web, &id).await {
            Ok(found) => {
                v.looks = found;
                Json(timeline::json(&ui, &v)).into_response()
            }
            Err(_) => busy(),
        },
        Ok(None) => (StatusCode::NOT_FOUND, Json(serde_json::json!({"error": "there is no such incident"}))).into_response(),
        Err(_) => busy(),
    }
}

pub async fn incident_fragment(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Query(wide): Query<Wide>) -> Response {
    let mut ui = ui(&web, &visitor);
    ui.path = format!("/incidents/{id}");
    match incident_view(&web, &id, Around::parse(&wide.around)).await {
        Ok(Some(mut v)) => {
            v.stills_open = super::pictures::may_see_stills(&web, &visitor, &id);
            Html(page::incident_fragment(&ui, &v)).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The start of a payload with what cannot be printed as dots.
fn preview(payload: &[u8]) -> String {
    let start = payload.get(..PREVIEW).unwrap_or(payload);
    String::from_utf8_lossy(start).chars().map(|c| if c.is_control() || c == '\u{fffd}' { '·' } else { c }).collect()
}

pub async fn quarantine(State(web): State<Shared>, visitor: Visitor) -> Response {
    let ui = ui(&web, &visitor);
    let rows = match web.query(|reader| Ok((reader.quarantine(QUARANTINE)?, reader.counts()?))).await {
        Ok(rows) => rows,
        Err(e) => return sorry(&ui, &e),
    };
    let (rows, counts) = rows;
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &rows {
        *reasons.entry(row.message.reason.as_str()).or_default() += 1;
    }
    let mut reasons: Vec<(String, u64)> = reasons.into_iter().map(|(r, n)| (r.to_owned(), n)).collect();
    reasons.sort_by_key(|r| std::cmp::Reverse(r.1));
    let items = rows.iter().map(|row| Quarantined {
        id: i64::try_from(row.id).unwrap_or(i64::MAX),
        at: row.message.at,
        topic: row.message.topic.clone(),
        decoder: row.message.decoder.clone(),
        reason: row.message.reason.clone(),
        preview: preview(&row.message.payload),
        bytes: row.message.payload.len() as u64,
    });
    let v = Quarantine { total: counts.quarantined.saturating_sub(counts.quarantine_dropped), reasons, items: items.collect() };
    Html(page::quarantine(&ui, &v)).into_response()
}

/// The view for scripts.
pub async fn view_json(State(web): State<Shared>) -> Response {
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    if web.stopped() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(serde_json::json!({"error": "the engine has stopped"}))).into_response();
    }
    Json(views::json(&view)).into_response()
}
