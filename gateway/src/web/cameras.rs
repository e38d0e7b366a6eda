//! The cameras' pages, and the newest picture of one while it is watched. `leave.rs` says what must hold.
use super::Shared;
use super::leave::{Asked, blank_ask, deed, deeds, grant, jpeg, lease, not_logged, refused, running, session};
use super::pages::{Done, missing, ui};
use crate::cameras::access::record;
use crate::cameras::live::{NoPicture, Shot};
use crate::engine::input::PictureAct;
use crate::engine::view::{CameraView, View};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::view::Notice;
use tuoan_dashboards::view::cameras::{self as page, Ask};
use tuoan_dashboards::{Ui, page as render};
use tuoan_protocol::DeviceId;
use tuoan_vision::setup::{self};

pub(super) fn find<'a>(view: &'a View, id: &str) -> Option<&'a CameraView> {
    view.cameras.iter().find(|c| c.device.as_str() == id)
}

fn camera(web: &Shared, c: &CameraView, view: &View) -> page::Camera {
    let now = (web.deps.clock.utc_ms(), web.deps.clock.monotonic_ms());
    let s = web.deps.pictures.live.status(&c.device, now.0, now.1);
    let setup = web.deps.pictures.live.setup(&c.device);
    let zone =
        |id: &tuoan_protocol::ZoneId| view.zones.iter().find(|z| z.id == *id).map_or_else(|| id.as_str().to_owned(), |z| z.name.clone());
    let others = c.zones.iter().filter(|z| **z != c.zone);
    page::Camera {
        id: c.device.as_str().to_owned(),
        name: c.name.clone().unwrap_or_else(|| c.device.as_str().to_owned()),
        zones: std::iter::once(&c.zone).chain(others).map(zone).collect(),
        live: c.live,
        newest: s.newest_ms,
        blind: c.blind.clone(),
        rate: s.rate,
        looked: s.looked,
        wanted: setup.as_ref().map_or(1.0, |s| f32::from(s.rate) / 10.0),
        lag: s.lag_ms,
        people: s.people,
        at_least: s.at_least,
        calibrated: c.calibrated,
        areas: setup.map_or(0, |s| s.areas.len() as u64),
        watchers: s.watchers as u64,
    }
}

fn all(web: &Shared, notice: Option<Notice>) -> page::Cameras {
    let view = web.deps.handle.view.borrow().clone();
    page::Cameras { version: view.version, cameras: view.cameras.iter().map(|c| camera(web, c, &view)).collect(), notice }
}

pub async fn list(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    Html(render::cameras(&ui, &all(&web, done.notice(&ui)))).into_response()
}

pub async fn list_fragment(State(web): State<Shared>, visitor: Visitor) -> Response {
    let mut ui = ui(&web, &visitor);
    ui.path = "/cameras".into();
    Html(render::cameras_fragment(&ui, &all(&web, None))).into_response()
}

/// The set-up of a camera that has none.
pub(super) fn blank(device: &DeviceId) -> setup::Camera {
    setup::Camera { device: device.as_str().to_owned(), areas: Vec::new(), floor: None, rate: 10 }
}

/// The table as it stands in a site file.
fn toml_of(setup: &setup::Camera) -> String {
    #[derive(serde::Serialize)]
    struct File<'a> {
        cameras: [&'a setup::Camera; 1],
    }
    toml::to_string(&File { cameras: [setup] }).unwrap_or_default()
}

/// What was typed, to be shown again with what is wrong.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) ask: Option<Ask>,
    /// The set-up that was refused, and why.
    pub(super) wrong: Option<(String, String, setup::Camera)>,
    pub(super) notice: Option<Notice>,
}

pub(super) async fn camera_page(web: &Shared, visitor: &Visitor, ui: &Ui, id: &str, shown: Shown) -> Option<String> {
    let view = web.deps.handle.view.borrow().clone();
    let c = find(&view, id)?;
    let now = web.deps.clock.monotonic_ms();
    let lease = web.deps.pictures.live.lease(&c.device, now, &session(visitor));
    let setup = web.deps.pictures.live.setup(&c.device).unwrap_or_else(|| blank(&c.device));
    let drawn = shown.wrong.as_ref().map_or(&setup, |w| &w.2);
    let text = |v: &dyn Fn() -> serde_json::Result<String>| v().unwrap_or_default();
    let v = page::CameraPage {
        camera: camera(web, c, &view),
        watch: running(web, lease, now, web.config.live_pictures),
        ask: shown.ask.unwrap_or_else(|| Ask { name: visitor.actor.clone().unwrap_or_default(), ..blank_ask(web) }),
        areas: text(&|| serde_json::to_string(&drawn.areas)),
        floor: text(&|| serde_json::to_string(&drawn.floor)),
        zones: view.zones.iter().filter(|z| !z.kind.is_private()).map(|z| (z.id.as_str().to_owned(), z.name.clone())).collect(),
        toml: toml_of(&setup),
        deeds: deeds(web, Some(id.to_owned()), None).await.unwrap_or_default(),
        wrong: shown.wrong.map(|(says, what, _)| (says, what)),
        notice: shown.notice,
    };
    Some(render::camera(ui, &v))
}

pub async fn one(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    let shown = Shown { notice: done.notice(&ui), ..Shown::default() };
    match camera_page(&web, &visitor, &ui, &id, shown).await {
        Some(page) => Html(page).into_response(),
        None => missing(&ui),
    }
}

pub async fn watch(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(form): Form<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    let view = web.deps.handle.view.borrow().clone();
    let Some(c) = find(&view, &id).filter(|_| web.config.live_pictures) else { return missing(&ui) };
    let granted = match grant(&web, &visitor, &ui, &form).await {
        Ok(granted) => granted,
        Err((status, ask)) => {
            let page = camera_page(&web, &visitor, &ui, &id, Shown { ask: Some(ask), ..Shown::default() }).await;
            return (status, Html(page.unwrap_or_default())).into_response();
        }
    };
    let deed = deed(PictureAct::Watch, Some(&c.device), None, &granted.reason);
    match record(&web.deps.handle.control, &granted.actor, deed).await {
        Ok(logged) => {
            let lease = lease(&web, &visitor, granted, logged);
            web.deps.pictures.live.allow(&c.device, web.deps.clock.monotonic_ms(), lease);
            Redirect::to(&format!("/cameras/{}", path_part(&id))).into_response()
        }
        Err(e) => not_logged(&ui, &e),
    }
}

pub async fn watch_end(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let ui = ui(&web, &visitor);
    let Ok(device) = DeviceId::new(&id) else { return missing(&ui) };
    if let Some(ended) = web.deps.pictures.live.end(&device, web.deps.clock.monotonic_ms(), &session(&visitor)) {
        // It has ended, whether that can be recorded or not.
        let _ = record(&web.deps.handle.control, &ended.actor, deed(PictureAct::WatchEnded, Some(&device), None, &ended.reason)).await;
    }
    Redirect::to(&format!("/cameras/{}?done=watch-ended", path_part(&id))).into_response()
}

#[derive(serde::Deserialize)]
pub struct After {
    /// When the newest picture that the page has came.
    #[serde(default)]
    after: i64,
}

/// The newest blurred picture, with what is drawn over it in the header `x-seen`; 204 when there is none newer.
pub async fn picture(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Query(q): Query<After>) -> Response {
    let Ok(device) = DeviceId::new(&id) else { return StatusCode::NOT_FOUND.into_response() };
    let now = web.deps.clock.monotonic_ms();
    match web.deps.pictures.live.picture(&device, now, &session(&visitor)) {
        Ok(shot) if shot.received_at_ms == q.after => StatusCode::NO_CONTENT.into_response(),
        Ok(shot) => {
            let ui = ui(&web, &visitor);
            let view = web.deps.handle.view.borrow().clone();
            let says = find(&view, &id).map(|c| figures(&ui, &camera(&web, c, &view))).unwrap_or_default();
            let mut answer = jpeg(&web, shot.picture.bytes().to_vec());
            // A header takes ASCII only.
            if let Ok(value) = HeaderValue::from_str(&ascii(&seen(&shot, &says).to_string())) {
                answer.headers_mut().insert(HeaderName::from_static("x-seen"), value);
            }
            answer
        }
        Err(NoPicture::NotYet) => StatusCode::NO_CONTENT.into_response(),
        Err(NoPicture::NotAllowed) => {
            refused(&web, &visitor, &visitor.path);
            StatusCode::FORBIDDEN.into_response()
        }
    }
}

fn figures(ui: &Ui, c: &page::Camera) -> String {
    let parts = [Some(ui.head_count(c)), Some(ui.per_second(c.rate)), c.lag.map(|l| format!("{} {}", ui.t("camera-lag"), ui.lag(l)))];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Numbers in thousandths of the picture.
fn seen(shot: &Shot, says: &str) -> Value {
    let n = |v: f32| (f64::from(v) * 1000.0).round().clamp(0.0, 1000.0) as i64;
    let rect = |r: &tuoan_vision::sight::Rect| json!([n(r.x0), n(r.y0), n(r.x1), n(r.y1)]);
    let people: Vec<Value> = shot
        .people
        .iter()
        .map(|p| {
            let pose = p.pose.map(|pose| pose.iter().map(|k| (k.score >= 0.3).then(|| [n(k.x), n(k.y)])).collect::<Vec<_>>());
            let cm = p.height_m.map(|h| (f64::from(h) * 100.0).round() as i64);
            json!({"box": rect(&p.bbox), "pose": pose, "cm": cm, "adult": p.adult.map(n)})
        })
        .collect();
    let things: Vec<Value> = shot.things.iter().map(|t| rect(&t.bbox)).collect();
    json!({"at": shot.received_at_ms, "people": people, "things": things, "says": says})
}

/// JSON with what is not ASCII escaped.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|u| out.push_str(&format!("\\u{u:04x}")));
        }
    }
    out
}

/// As a part of a path.
pub(super) fn path_part(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
