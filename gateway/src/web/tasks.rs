//! One-minute tasks: the closing sweep room by room, saying who acts; and the page that a browser keeps for when the gateway is gone.
use super::actions::{Act, act};
use super::pages::{Done, missing, ui};
use super::{Shared, report, views};
use crate::engine::input::Action;
use crate::engine::site::ZoneKind;
use crate::engine::view::{Freshness, View, ZoneView};
use axum::extract::{Form, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::sync::Arc;
use tuoan_dashboards::door::{ACTOR, Visitor, tidy};
use tuoan_dashboards::view::tasks::{Room, Sweep, Who};
use tuoan_dashboards::{assets, page};
use tuoan_protocol::{IncidentId, Quantity};

/// A sweep counts for today's closing as long as this, in milliseconds.
const SWEPT_MS: i64 = 3 * 3_600_000;
/// Longest word on where a video is kept, in bytes.
const WHERE: usize = 180;

/// Children can be left behind there.
fn is_swept(z: &ZoneView) -> bool {
    !matches!(z.kind, ZoneKind::Power)
}

fn swept(z: &ZoneView, now: i64) -> Option<i64> {
    z.swept.filter(|at| now.saturating_sub(*at) < SWEPT_MS)
}

/// Rooms swept, and rooms to be swept.
pub fn so_far(view: &View, now: i64) -> (u64, u64) {
    let rooms = || view.zones.iter().filter(|z| is_swept(z));
    (rooms().filter(|z| swept(z, now).is_some()).count() as u64, rooms().count() as u64)
}

/// Something that is alive tells whether anybody is there.
fn is_seen(z: &ZoneView) -> bool {
    let tells = |q: &Quantity| matches!(q, Quantity::People | Quantity::Children | Quantity::Presence | Quantity::Motion);
    z.sensors.iter().any(|s| tells(&s.quantity) && !matches!(s.freshness, Freshness::Lost { .. }))
}

fn is_occupied(z: &ZoneView) -> bool {
    let tells = |q: &Quantity| matches!(q, Quantity::People | Quantity::Children | Quantity::Presence);
    z.sensors.iter().any(|s| tells(&s.quantity) && s.value.0 > 0 && matches!(s.freshness, Freshness::Fresh))
}

/// `GET /sweep`.
pub async fn sweep(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let now = web.deps.clock.utc_ms();
    let room = |z: &ZoneView| Room {
        id: z.id.to_string(),
        name: z.name.clone(),
        kind: views::kind(z.kind),
        swept: swept(z, now),
        occupied: is_occupied(z),
        unseen: !is_seen(z),
    };
    let v = Sweep { rooms: view.zones.iter().filter(|z| is_swept(z)).map(room).collect(), notice: done.notice(&ui) };
    Html(page::sweep(&ui, &v)).into_response()
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Named {
    name: String,
    back: String,
}

/// The site's people by their names, each once.
pub fn people(view: &View) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (_, name, _) in &view.people {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// `GET /who`.
pub async fn who(State(web): State<Shared>, visitor: Visitor) -> Response {
    let v = Who { back: "/".into(), people: people(&web.deps.handle.view.borrow()) };
    Html(page::who(&ui(&web, &visitor), &v)).into_response()
}

/// `POST /who`.
pub async fn set_who(State(web): State<Shared>, visitor: Visitor, Form(named): Form<Named>) -> Response {
    let ui = ui(&web, &visitor);
    if tidy(&named.name, ACTOR).is_empty() {
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page::error(&ui, &ui.t("error-refused"), &ui.t("error-name")))).into_response();
    }
    match web.deps.door.remember_actor(&visitor, &named.name).await {
        Ok(_) => Redirect::to("/?done=who").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Html(page::error(&ui, &ui.t("error-server"), &ui.t("error-busy")))).into_response(),
    }
}

/// `POST /incidents/{id}/exported`: the recorder's video of a report of concern has been saved.
pub async fn exported(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(form): Form<Act>) -> Response {
    let ui = ui(&web, &visitor);
    let Ok(incident) = IncidentId::new(&id) else { return missing(&ui) };
    let place = tidy(form.note(), WHERE);
    if place.is_empty() {
        let page = page::error(&ui, &ui.t("error-refused"), &ui.t("error-deed-note"));
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response();
    }
    act(&web, &visitor, &form, Action::Comment { incident, text: format!("{}{place}", report::EXPORTED) }, "exported").await
}

/// `GET /offline`.
pub async fn offline(State(web): State<Shared>, visitor: Visitor) -> Response {
    let mut ui = ui(&web, &visitor);
    // It is kept: nothing of this session may be in it.
    (ui.signed_in, ui.actor, ui.csrf) = (false, None, String::new());
    ui.path = "/".into();
    Html(page::offline(&ui)).into_response()
}

/// `GET /sw.js`: at the root, for that is what it may look after.
pub async fn worker() -> Response {
    let script = assets::bytes("sw.js").unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], script).into_response()
}
