//! The floor plan: shown with how rooms and devices do, and drawn.
use super::super::deeds::{Doing, record};
use super::super::pages::{missing, ui};
use super::super::{Shared, views};
use super::{Done, devices, present, write};
use crate::engine::plan::Plan;
use crate::engine::site::{Role, Site};
use crate::engine::view::View;
use crate::setup::place::Refusal;
use crate::setup::plan;
use axum::body::Bytes;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::collections::BTreeSet;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::plan as page;
use tuoan_dashboards::view::plan::{Floor, PlanPage, Room, Spot, WIDE};
use tuoan_protocol::{DeviceId, ZoneId};

/// What of a plan is changed.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    floor: i8,
    zone: String,
    device: String,
    /// Of a device that hung nowhere.
    role: String,
    x: u16,
    y: u16,
    w: u16,
    h: u16,
}

/// How a device does: an open incident names it, it is lost, it was never heard.
fn state_of(id: &DeviceId, view: &View) -> (&'static str, Option<i64>) {
    let named = |i: &crate::engine::view::IncidentView| {
        i.state.active && (i.place.device.as_ref() == Some(id) || i.trigger.as_ref().is_some_and(|t| t.device == *id))
    };
    let device = view.zones.iter().flat_map(|z| &z.devices).chain(&view.unplaced).find(|d| d.id == *id);
    let camera = view.cameras.iter().find(|c| c.device == *id);
    let heard = device.and_then(|d| d.last_heard).or(camera.and_then(|c| c.last_heard));
    let lost = device.is_some_and(|d| d.lost) || camera.is_some_and(|c| !c.live);
    let state = match () {
        () if view.incidents.iter().any(named) => "alarm",
        () if heard.is_none() => "waiting",
        () if lost => "lost",
        () => "well",
    };
    (state, heard)
}

fn room_state(zone: &ZoneId, view: &View) -> &'static str {
    let gravest = view.incidents.iter().filter(|i| i.place.zone == *zone && i.state.active).map(|i| u8::from(i.severity)).min();
    // Calm is only what something alive speaks for: absence of data is never shown as normal.
    let alive = view
        .zones
        .iter()
        .find(|z| z.id == *zone)
        .is_some_and(|z| z.devices.iter().any(|d| !d.lost && d.last_heard.is_some()) || z.eyes.is_some_and(|e| e.live > 0));
    match gravest {
        Some(1) => "s1",
        Some(2) => "s2",
        Some(3) => "s3",
        Some(_) => "s4",
        None if alive => "calm",
        None => "unseen",
    }
}

fn floor(web: &Shared, site: &Site, floor: i8, view: &View) -> Floor {
    let plan = plan::of(site, floor);
    let tall = u32::from(plan.tall);
    let down = |y: u16| u32::from(y) * tall / u32::from(WIDE);
    let room = |z: &crate::engine::site::Zone| {
        let drawn = plan.rooms.iter().find(|r| r.zone == z.id);
        let [x, y, w, h] = drawn.map_or([0, 0, 200, 200], |r| [r.x, r.y, r.w, r.h]);
        Room {
            id: z.id.to_string(),
            name: z.name.clone(),
            x: u32::from(x),
            y: down(y),
            w: u32::from(w),
            h: down(h),
            state: room_state(&z.id, view),
            drawn: drawn.is_some(),
        }
    };
    let here: Vec<_> = site.zones.iter().filter(|z| z.floor == floor).collect();
    let of_floor = |d: &&crate::engine::site::Placement| d.role != Role::Estimate && here.iter().any(|z| z.id == d.zone);
    let spots = site.devices.iter().filter(of_floor).filter_map(|d| {
        // With a picture and no rectangle it hangs in the upper left corner until somebody takes it.
        let (x, y) = plan::spot(&plan, site, &d.id).unwrap_or((40, 60));
        let (state, heard) = state_of(&d.id, view);
        let place = here.iter().find(|z| z.id == d.zone)?.name.clone();
        let name = d.name.clone().unwrap_or_else(|| d.id.to_string());
        Some(Spot { id: d.id.to_string(), name, role: devices::role_name(d.role), place, x: u32::from(x), y: down(y), state, heard })
    });
    let picture = plan.picture.as_ref().and(web.deps.setup.files.as_ref()).and_then(|f| changed(&plan::picture_path(&f.site, floor)));
    Floor { floor, tall, picture, rooms: here.iter().copied().map(room).collect(), spots: spots.collect() }
}

/// So that a browser fetches a new picture and no old one twice.
fn changed(path: &std::path::Path) -> Option<u64> {
    let since = std::fs::metadata(path).ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

async fn view_of(web: &Shared) -> PlanPage {
    let (site, waiting) = match present(web).await {
        Ok(found) => found,
        Err(problems) => return PlanPage { problems, ..PlanPage::default() },
    };
    let view = web.deps.handle.view.borrow().clone();
    let health = web.deps.handle.health.borrow().clone();
    let floors: BTreeSet<i8> = site.zones.iter().map(|z| z.floor).collect();
    PlanPage {
        version: views::stamp(&view, &health),
        floors: floors.into_iter().map(|f| floor(web, &site, f, &view)).collect(),
        tray: devices::found(web, &site),
        waiting,
        ..PlanPage::default()
    }
}

/// `GET /plan`.
pub(crate) async fn show(State(web): State<Shared>, visitor: Visitor) -> Response {
    Html(page::plan(&ui(&web, &visitor), &view_of(&web).await)).into_response()
}

pub(crate) async fn fragment(State(web): State<Shared>, visitor: Visitor) -> Response {
    let mut ui = ui(&web, &visitor);
    ui.path = "/plan".into();
    Html(page::plan_fragment(&ui, &view_of(&web).await)).into_response()
}

/// `GET /plan/{floor}/picture`.
pub(crate) async fn picture(State(web): State<Shared>, visitor: Visitor, Path(floor): Path<String>) -> Response {
    let ui = ui(&web, &visitor);
    let (Ok(floor), Some(files)) = (floor.parse::<i8>(), web.deps.setup.files.clone()) else { return missing(&ui) };
    let read = tokio::task::spawn_blocking(move || std::fs::read(plan::picture_path(&files.site, floor)));
    let Ok(Ok(bytes)) = read.await else { return missing(&ui) };
    let mut answer = bytes.into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    answer
}

async fn editor(web: &Shared, visitor: &Visitor, status: StatusCode, problems: Vec<String>, notice: Option<String>) -> Response {
    let mut ui = ui(web, visitor);
    ui.path = "/setup/plan".into();
    let mut v = view_of(web).await;
    v.problems.extend(problems);
    v.notice = notice;
    (status, Html(page::plan_edit(&ui, &v))).into_response()
}

/// `GET /setup/plan`.
pub(crate) async fn edit(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let notice = done.notice(&ui(&web, &visitor));
    editor(&web, &visitor, StatusCode::OK, Vec::new(), notice).await
}

/// `POST /setup/plan`: a room is drawn, or a device is hung. A script asks for plain text: `kept`, or `moved` where the device hangs in another room now.
pub(crate) async fn put(State(web): State<Shared>, visitor: Visitor, headers: HeaderMap, Form(asked): Form<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    let plain = headers.get(header::ACCEPT).is_some_and(|a| a == "text/plain");
    let done = match change(&web, &visitor, &asked).await {
        Ok(moved) => Ok(moved),
        Err(Wrong::Refused(refusal)) => Err(vec![ui.t(refusal.key())]),
        Err(Wrong::Problems(problems)) => Err(problems),
    };
    match done {
        Ok(moved) if plain => (if moved { "moved" } else { "kept" }).into_response(),
        Ok(_) => Redirect::to("/setup/plan?done=drawn").into_response(),
        Err(problems) if plain => (StatusCode::UNPROCESSABLE_ENTITY, problems.join("\n")).into_response(),
        Err(problems) => editor(&web, &visitor, StatusCode::UNPROCESSABLE_ENTITY, problems, None).await,
    }
}

enum Wrong {
    Refused(Refusal),
    Problems(Vec<String>),
}

async fn change(web: &Shared, visitor: &Visitor, asked: &Asked) -> Result<bool, Wrong> {
    let (before, _) = present(web).await.map_err(Wrong::Problems)?;
    let (site, object) = if asked.device.is_empty() {
        let zone = ZoneId::new(&asked.zone).map_err(|_| Wrong::Refused(Refusal::NoZone))?;
        let site = plan::draw(before.clone(), asked.floor, &zone, [asked.x, asked.y, asked.w, asked.h]);
        (site.map_err(Wrong::Refused)?, zone.to_string())
    } else {
        let id = DeviceId::new(&asked.device).map_err(|_| Wrong::Refused(Refusal::NoDevice))?;
        let role = devices::role(&asked.role);
        (plan::mark(before.clone(), asked.floor, &id, role, asked.x, asked.y).map_err(Wrong::Refused)?, id.to_string())
    };
    let moved = site.devices != before.devices;
    let kind = if moved { "placed" } else { "drawn" };
    let detail = format!("plan {} · {} {}", asked.floor, asked.x, asked.y);
    write(web, visitor, site, Doing { kind, object, detail, ..Doing::default() }).await.map_err(Wrong::Problems)?;
    Ok(moved)
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct OfFloor {
    floor: i8,
}

/// `POST /setup/plan/picture?floor=1`, the file as the body. It is written anew and stays on this box.
pub(crate) async fn upload(State(web): State<Shared>, visitor: Visitor, Query(of): Query<OfFloor>, body: Bytes) -> Response {
    let ui = ui(&web, &visitor);
    let wrong = |text: String| (StatusCode::UNPROCESSABLE_ENTITY, text).into_response();
    let Some(files) = web.deps.setup.files.clone() else { return wrong(ui.t("setup-fixed")) };
    let site = match present(&web).await {
        Ok((site, _)) if site.zones.iter().any(|z| z.floor == of.floor) => site,
        Ok(_) => return wrong(ui.t("error-place-zone")),
        Err(problems) => return wrong(problems.join("\n")),
    };
    // One at a time: a picture takes some tens of megabytes while it is decoded.
    let _one = web.drawing.lock().await;
    let Ok(redrawn) = tokio::task::spawn_blocking(move || plan::redrawn(&body)).await else { return wrong(ui.t("error-setup-unsaved")) };
    let (jpeg, tall) = match redrawn {
        Ok(redrawn) => redrawn,
        Err(e) => return wrong(ui.t1("error-plan-picture", "why", e)),
    };
    let floor = of.floor;
    let doing = Doing { kind: "drawn", object: Plan::picture_name(floor), detail: "picture".into(), ..Doing::default() };
    if !record(&web, &visitor, doing.clone()).await {
        return wrong(ui.t("error-setup-unsaved"));
    }
    let file = files.site.clone();
    match tokio::task::spawn_blocking(move || plan::write_picture(&file, floor, &jpeg)).await {
        Ok(Ok(())) => {}
        failed => {
            tracing::error!(?failed, "the floor plan's picture was not written");
            return wrong(ui.t("error-setup-unsaved"));
        }
    }
    match write(&web, &visitor, plan::with_picture(site, floor, Some(tall)), doing).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problems) => wrong(problems.join("\n")),
    }
}

/// `POST /setup/plan/picture/remove`.
pub(crate) async fn remove_picture(State(web): State<Shared>, visitor: Visitor, Form(of): Form<OfFloor>) -> Response {
    let site = match present(&web).await {
        Ok((site, _)) => site,
        Err(problems) => return editor(&web, &visitor, StatusCode::UNPROCESSABLE_ENTITY, problems, None).await,
    };
    let doing = Doing { kind: "drawn", object: Plan::picture_name(of.floor), detail: "removed".into(), ..Doing::default() };
    match write(&web, &visitor, plan::with_picture(site, of.floor, None), doing).await {
        Ok(()) => {
            if let Some(files) = web.deps.setup.files.clone() {
                // The plan does not name it any more; a file that stays is overwritten by the next.
                let _ = tokio::task::spawn_blocking(move || std::fs::remove_file(plan::picture_path(&files.site, of.floor))).await;
            }
            Redirect::to("/setup/plan?done=drawn").into_response()
        }
        Err(problems) => editor(&web, &visitor, StatusCode::UNPROCESSABLE_ENTITY, problems, None).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{Gateway, site, t};
    use tuoan_protocol::Quantity;

    #[test]
    fn a_room_is_calm_only_while_something_in_it_speaks() {
        let mut g = Gateway::new(site());
        g.says("10:00", "air", Quantity::Temperature, 22.0).until("10:01");
        let view = g.state.view(t("10:01"));
        let state = |room: &str| room_state(&room.parse().unwrap(), &view);
        assert_eq!((state("room"), state("kitchen"), state("attic")), ("calm", "unseen", "unseen"));
        assert_eq!(state_of(&"air".parse().unwrap(), &view).0, "well");
        assert_eq!(state_of(&"gas".parse().unwrap(), &view), ("waiting", None));
        g.says("10:02", "smoke", Quantity::Smoke, 1.0);
        let view = g.state.view(t("10:02"));
        assert_eq!((room_state(&"room".parse().unwrap(), &view), state_of(&"smoke".parse().unwrap(), &view).0), ("s1", "alarm"));
    }
}
