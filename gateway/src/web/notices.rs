//! What parents are told: the page of their class, and what the director has released for it.
//!
//! What must hold: nothing reaches the page but figures of the class's rooms and texts of the templates; nothing is told that the director has not released.
use super::Shared;
use super::deeds::{Doing, record};
use super::pages::{sorry, ui};
use super::{QueryError, views};
use crate::engine::view::{Freshness, View, ZoneView};
use crate::store::{DeedRow, IncidentFilter, Reader};
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::collections::BTreeSet;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::view::people::{Notice, ParentPage, Releases, Room, TEMPLATES};
use tuoan_dashboards::{Ui, page};
use tuoan_protocol::ledger::Figure;
use tuoan_protocol::{IncidentId, Quantity};

/// Parents see what was released within so many days.
const SHOWN_MS: i64 = 30 * 86_400_000;
/// Incidents that may be told of.
const OFFERED: usize = 50;
const RELEASED: usize = 500;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    class: String,
    incident: String,
    template: String,
    done: String,
}

/// Class, incident, template and time stand in the deed's detail, a line each.
fn notices(reader: &Reader) -> crate::store::reader::Result<Vec<Notice>> {
    let withdrawn: BTreeSet<String> =
        reader.deeds(None, Some("notice_withdrawn"), None, RELEASED)?.into_iter().map(|d| d.deed.object).collect();
    let read = |row: DeedRow| {
        let mut lines = row.deed.detail.lines();
        let (template, at) = (lines.next()?.to_owned(), lines.next()?.parse().ok()?);
        let known = TEMPLATES.contains(&template.as_str());
        known.then(|| Notice {
            number: row.number,
            class: row.deed.object,
            template,
            happened_at: at,
            released_at: row.deed.at,
            by: row.deed.actor,
            withdrawn: withdrawn.contains(&row.number.to_string()),
        })
    };
    Ok(reader.deeds(None, Some("notice_released"), None, RELEASED)?.into_iter().filter_map(read).collect())
}

async fn releases(web: &Shared) -> Result<Releases, QueryError> {
    let view = web.deps.handle.view.borrow().clone();
    let offset = web.deps.handle.committed.borrow().utc_offset;
    let (rows, mut released) = web.query(|r| Ok((r.incidents(&IncidentFilter::default(), OFFERED)?, notices(r)?))).await?;
    for n in &mut released {
        n.class = class_name(&view, &n.class);
    }
    let incidents = rows
        .into_iter()
        .map(|i| {
            let place = views::zone_name(&i.place.zone, &view).to_owned();
            (i.id.to_string(), i.hazard.to_string(), place, i.opened_at.saturating_add(offset))
        })
        .collect();
    Ok(Releases { classes: view.classes.clone(), incidents, released, ..Releases::default() })
}

fn class_name(view: &View, id: &str) -> String {
    view.classes.iter().find(|c| c.0 == id).map_or_else(|| id.to_owned(), |c| c.1.clone())
}

pub async fn form(State(web): State<Shared>, visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    match releases(&web).await {
        Ok(mut v) => {
            v.done = match asked.done.as_str() {
                "released" => Some(ui.t("notices-done")),
                "withdrawn" => Some(ui.t("notices-withdrawn-done")),
                _ => None,
            };
            v.incident = asked.incident;
            Html(page::notices(&ui, &v)).into_response()
        }
        Err(e) => sorry(&ui, &e),
    }
}

pub async fn release(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    let v = match releases(&web).await {
        Ok(v) => v,
        Err(e) => return sorry(&ui, &e),
    };
    let known = v.classes.iter().any(|c| c.0 == asked.class) && TEMPLATES.contains(&asked.template.as_str());
    let incident = v.incidents.iter().find(|i| i.0 == asked.incident && IncidentId::new(&i.0).is_ok());
    let (true, Some(incident)) = (known, incident) else {
        let v = Releases { wrong: Some(ui.t("error-notice")), class: asked.class, incident: asked.incident, template: asked.template, ..v };
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page::notices(&ui, &v))).into_response();
    };
    let detail = format!("{}\n{}\n{}", asked.template, incident.3, incident.0);
    if !record(&web, &visitor, Doing { kind: "notice_released", object: asked.class, detail, ..Doing::default() }).await {
        return sorry(&ui, &QueryError::Busy);
    }
    Redirect::to("/notices?done=released").into_response()
}

pub async fn withdraw(State(web): State<Shared>, visitor: Visitor, Path(number): Path<u64>) -> Response {
    let ui = ui(&web, &visitor);
    if !record(&web, &visitor, Doing { kind: "notice_withdrawn", object: number.to_string(), ..Doing::default() }).await {
        return sorry(&ui, &QueryError::Busy);
    }
    Redirect::to("/notices?done=withdrawn").into_response()
}

/// `GET /notice/{token}`: whoever has the link of the class.
pub async fn parents(State(web): State<Shared>, visitor: Visitor, Path(token): Path<String>) -> Response {
    let mut ui = ui(&web, &visitor);
    (ui.signed_in, ui.actor, ui.role) = (false, None, None);
    ui.path = format!("/notice/{}", token.chars().filter(char::is_ascii_alphanumeric).take(64).collect::<String>());
    let Some(class) = web.deps.door.class_of_link(&token) else {
        if web.links.wrong(&visitor, web.deps.clock.utc_ms()) {
            return (StatusCode::NOT_FOUND, Html(page::error(&ui, &ui.t("parent-unknown"), &ui.t("parent-unknown-help")))).into_response();
        }
        return (StatusCode::TOO_MANY_REQUESTS, Html(page::error(&ui, &ui.t("parent-unknown"), &ui.t("error-busy")))).into_response();
    };
    let view = web.deps.handle.view.borrow().clone();
    let released = match web.query(notices).await {
        Ok(list) => list,
        Err(e) => return sorry(&ui, &e),
    };
    let now = web.deps.clock.utc_ms();
    let told = released.into_iter().filter(|n| n.class == class && !n.withdrawn && now.saturating_sub(n.released_at) < SHOWN_MS);
    let rooms = view.zones.iter().filter(|z| web.config.rooms_of(&class).any(|r| r == z.id.as_str()));
    let of_class = |zone: &tuoan_protocol::ZoneId| web.config.rooms_of(&class).any(|r| r == zone.as_str());
    let minutes = view.coverage.zones.iter().filter(|z| of_class(&z.zone)).fold(Figure::default(), |f, z| f.plus(z.run.figure()));
    let v = ParentPage {
        class: class_name(&view, &class),
        coverage: minutes.per_mille(),
        rooms: rooms.map(|z| room(&ui, z)).collect(),
        notices: told.collect(),
    };
    Html(page::parent(&ui, &v)).into_response()
}

/// What parents are told of the air. Nothing by which it could be known who is in the room.
const AIR: [(Quantity, Option<(f64, f64)>); 4] = [
    // GB/T 18883-2022 and JGJ 39: the widest of the bands; the incident's own rule is stricter and knows the season.
    (Quantity::Temperature, Some((16.0, 28.0))),
    (Quantity::Humidity, Some((30.0, 80.0))),
    (Quantity::Co2, Some((0.0, 1000.0))),
    (Quantity::Pm25, Some((0.0, 50.0))),
];

fn room(ui: &Ui, z: &ZoneView) -> Room {
    let mut air = Vec::new();
    for (quantity, band) in AIR {
        let Some(s) = z.sensors.iter().filter(|s| s.quantity == quantity).max_by_key(|s| s.at) else { continue };
        let doubtful = s.quality.implausible || s.quality.flat || !matches!(s.freshness, Freshness::Fresh | Freshness::Late);
        let value = quantity.float(s.value);
        let good = band.is_none_or(|(least, most)| value >= least && value <= most);
        let state = if doubtful {
            "old"
        } else if good {
            "good"
        } else {
            "over"
        };
        let shown = if doubtful { "—".to_owned() } else { ui.value(&quantity, s.value) };
        air.push((quantity.name().to_owned(), shown, state));
    }
    let watch = match z.eyes {
        None => "none",
        Some(e) if e.live == 0 => "unseen",
        Some(e) if e.live < e.cameras => "partly",
        Some(_) => "watched",
    };
    Room { name: z.name.clone(), air, watch }
}
