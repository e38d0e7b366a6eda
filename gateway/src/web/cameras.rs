//! The cameras' pages, and the pictures of an incident.
//!
//! What must hold: a picture is given only to a session that has leave; leave is given after a password has been asked again and the reason stands in
//! the log; what is refused is counted; no answer with a picture may be kept by a browser.
use super::pages::{Done, missing, sorry, ui};
use super::{QueryError, Shared, views};
use crate::cameras::access::{LEASE_MS, Lease, Logged, NotLogged, record};
use crate::cameras::evidence::{Manifest, NotOpened};
use crate::cameras::live::{NoPicture, Shot};
use crate::engine::input::{PictureAct, PictureDeed};
use crate::engine::view::{CameraView, View};
use crate::pipeline::Control;
use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::oneshot;
use tuoan_dashboards::door::{ACTOR, Refusal, Visitor, tidy};
use tuoan_dashboards::view::Notice;
use tuoan_dashboards::view::cameras::{self as page, Ask, Kept, Watch};
use tuoan_dashboards::{Ui, page as render};
use tuoan_protocol::{DeviceId, IncidentId};
use tuoan_vision::fault::Fault;
use tuoan_vision::scene::floor::Floor;
use tuoan_vision::setup::{self, Problem};

/// Longest note with a reason, in bytes.
const NOTE: usize = 180;
/// A look at blurred stills, on record.
const STILL_SEEN: &str = "still_seen";
/// Deeds shown.
const DEEDS: usize = 20;
/// As for the other actions: a commit takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

fn find<'a>(view: &'a View, id: &str) -> Option<&'a CameraView> {
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

/// The session that may be given leave.
fn session(visitor: &Visitor) -> String {
    visitor.session_key().unwrap_or_default().to_owned()
}

fn running(web: &Shared, lease: Option<Lease>, now: i64, allowed: bool) -> Watch {
    match lease {
        // The page counts down by the clock of whoever looks, as the lease was measured.
        Some(l) => Watch::Running { left: (l.ends_ms.saturating_sub(now) as f64 / web.config.speed) as i64, reason: l.reason },
        None if allowed => Watch::Ask,
        None => Watch::Off,
    }
}

async fn deeds(web: &Shared, camera: Option<String>, incident: Option<String>) -> Result<Vec<page::Deed>, QueryError> {
    let rows = web.query(move |reader| reader.picture_deeds(camera.as_deref(), incident.as_deref(), DEEDS)).await?;
    Ok(rows.into_iter().map(|r| page::Deed { at: r.at, actor: r.actor, what: r.what, reason: r.reason }).collect())
}

/// The form as yet empty.
fn blank_ask(web: &Shared) -> Ask {
    Ask { own_password: web.config.viewing_password.is_some(), ..Ask::default() }
}

/// What was typed, to be shown again with what is wrong.
#[derive(Default)]
struct Shown {
    ask: Option<Ask>,
    /// The set-up that was refused, and why.
    wrong: Option<(String, String, setup::Camera)>,
    notice: Option<Notice>,
}

async fn camera_page(web: &Shared, visitor: &Visitor, ui: &Ui, id: &str, shown: Shown) -> Option<String> {
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

fn blank(device: &DeviceId) -> setup::Camera {
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

pub async fn one(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    let shown = Shown { notice: done.notice(&ui), ..Shown::default() };
    match camera_page(&web, &visitor, &ui, &id, shown).await {
        Some(page) => Html(page).into_response(),
        None => missing(&ui),
    }
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
struct Granted {
    actor: String,
    reason: String,
}

/// Whether the form gives leave; else the form with what is wrong, and the answer's status.
async fn grant(web: &Shared, visitor: &Visitor, ui: &Ui, form: &Asked) -> Result<Granted, (StatusCode, Ask)> {
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
fn refused(web: &Shared, visitor: &Visitor, what: &str) {
    web.deps.handle.metrics.pictures_refused.inc();
    tracing::warn!(from = %visitor.address, "a picture was refused: {what}");
}

fn lease(web: &Shared, visitor: &Visitor, g: Granted, logged: Logged) -> Lease {
    // Minutes of whoever looks, also where a day passes in minutes.
    let lasts_ms = (LEASE_MS as f64 * web.config.speed) as i64;
    let ends_ms = web.deps.clock.monotonic_ms().saturating_add(lasts_ms);
    Lease { session: session(visitor), actor: g.actor, reason: g.reason, ends_ms, logged }
}

fn not_logged(ui: &Ui, e: &NotLogged) -> Response {
    tracing::warn!("pictures stay shut: {e}");
    (StatusCode::SERVICE_UNAVAILABLE, Html(render::error(ui, &ui.t("error-refused"), &ui.t("error-leave-log")))).into_response()
}

fn forbidden(web: &Shared, visitor: &Visitor, ui: &Ui) -> Response {
    refused(web, visitor, &visitor.path);
    (StatusCode::FORBIDDEN, Html(render::error(ui, &ui.t("error-refused"), &ui.t("error-leave-over")))).into_response()
}

fn deed(what: PictureAct, camera: Option<&DeviceId>, incident: Option<&IncidentId>, reason: &str) -> PictureDeed {
    PictureDeed { what, camera: camera.cloned(), incident: incident.cloned(), reason: reason.to_owned() }
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

/// No browser, proxy or history may keep it.
fn jpeg(web: &Shared, bytes: Vec<u8>) -> Response {
    web.deps.handle.metrics.pictures_shown.inc();
    let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store"), (header::CONTENT_DISPOSITION, "inline")];
    (headers, bytes).into_response()
}

#[derive(serde::Deserialize)]
pub struct Drawn {
    #[serde(default)]
    areas: Option<String>,
    #[serde(default)]
    floor: Option<String>,
}

/// Takes the areas that were drawn.
pub async fn areas(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(form): Form<Drawn>) -> Response {
    let change = |c: &mut setup::Camera| match serde_json::from_str(form.areas.as_deref().unwrap_or_default()) {
        Ok(areas) => {
            c.areas = areas;
            Ok(())
        }
        Err(e) => Err(e.to_string()),
    };
    set_up(&web, &visitor, &id, "error-areas", change).await
}

/// Takes the calibration.
pub async fn floor(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(form): Form<Drawn>) -> Response {
    let change = |c: &mut setup::Camera| match serde_json::from_str(form.floor.as_deref().unwrap_or_default()) {
        Ok(floor) => {
            c.floor = floor;
            Ok(())
        }
        Err(e) => Err(e.to_string()),
    };
    set_up(&web, &visitor, &id, "error-floor", change).await
}

async fn set_up(
    web: &Shared,
    visitor: &Visitor,
    id: &str,
    wrong: &str,
    change: impl FnOnce(&mut setup::Camera) -> Result<(), String>,
) -> Response {
    let ui = ui(web, visitor);
    let view = web.deps.handle.view.borrow().clone();
    let Some(c) = find(&view, id) else { return missing(&ui) };
    let live = &web.deps.pictures.live;
    // Who may see it may draw on it, and nobody else.
    let Some(lease) = live.lease(&c.device, web.deps.clock.monotonic_ms(), &session(visitor)) else {
        return forbidden(web, visitor, &ui);
    };
    let mut setup = live.setup(&c.device).unwrap_or_else(|| blank(&c.device));
    let before = setup.clone();
    let problem = match change(&mut setup) {
        Err(e) => Some(e),
        Ok(()) => problems(&ui, &setup, &view),
    };
    if let Some(what) = problem {
        let shown = Shown { wrong: Some((ui.t(wrong), what, setup)), ..Shown::default() };
        let page = camera_page(web, visitor, &ui, id, shown).await.unwrap_or_default();
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response();
    }
    if setup != before {
        let deed = deed(PictureAct::SetUp, Some(&c.device), None, &lease.reason);
        if let Err(e) = record(&web.deps.handle.control, &lease.actor, deed).await {
            return not_logged(&ui, &e);
        }
        let (reply, answer) = oneshot::channel();
        let ask = async {
            web.deps.handle.control.send(Control::Camera { camera: Box::new(setup.clone()), reply }).await.ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(PATIENCE, ask).await {
            Ok(Some(Ok(_))) => {
                let mut all = (*live.setups().borrow().clone()).clone();
                match all.iter_mut().find(|c| c.device == setup.device) {
                    Some(old) => *old = setup,
                    None => all.push(setup),
                }
                live.set_up(all);
            }
            Ok(Some(Err(_))) => {
                return (StatusCode::CONFLICT, Html(render::error(&ui, &ui.t("error-refused"), &ui.t("error-set-up-refused"))))
                    .into_response();
            }
            Ok(None) | Err(_) => return sorry(&ui, &QueryError::Busy),
        }
    }
    Redirect::to(&format!("/cameras/{}?done=set-up", path_part(id))).into_response()
}

/// What of a set-up cannot be used, by itself or at this site.
fn problems(ui: &Ui, setup: &setup::Camera, view: &View) -> Option<String> {
    if let Err(e) = setup.check() {
        return Some(e.problems.iter().map(|p| problem(ui, p)).collect::<Vec<_>>().join(&ui.t("fault-and")));
    }
    let zone = |id: &str| view.zones.iter().find(|v| v.id.as_str() == id);
    let mut named = setup.areas.iter().filter_map(|a| a.zone.as_deref());
    let refused = named.find(|&id| zone(id).is_none_or(|z| z.kind.is_private()))?;
    Some(ui.t1("area-zone-refused", "zone", zone(refused).map_or(refused, |z| z.name.as_str())))
}

fn problem(ui: &Ui, problem: &Problem) -> String {
    match problem {
        Problem::Area { number, kind, what } => {
            let kind = serde_json::to_value(kind).ok().and_then(|k| Some(ui.t(&format!("area-{}", k.as_str()?)))).unwrap_or_default();
            format!("{}{}", ui.t2("fault-area", ("n", (*number).into()), ("kind", kind.into())), fault(ui, *what))
        }
        Problem::Floor(what) | Problem::Camera(what) => fault(ui, *what),
    }
}

/// In the reader's language; in English for logs and files.
fn fault(ui: &Ui, what: Fault) -> String {
    match what.numbers().as_slice() {
        [] => ui.t(what.key()),
        [(name, n)] => ui.t1(what.key(), name, *n),
        [(a, n), (b, m), ..] => ui.t2(what.key(), (a, (*n).into()), (b, (*m).into())),
    }
}

#[derive(serde::Deserialize)]
pub struct Tried {
    floor: setup::Floor,
    /// Width by height of the picture.
    ratio: f64,
}

/// What a calibration would measure: the walker's height at each place, by how much it is off, and how sure heights will be.
pub async fn try_floor(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Json(tried): Json<Tried>) -> Response {
    let ui = ui(&web, &visitor);
    let Ok(device) = DeviceId::new(&id) else { return StatusCode::NOT_FOUND.into_response() };
    if web.deps.pictures.live.lease(&device, web.deps.clock.monotonic_ms(), &session(&visitor)).is_none() {
        refused(&web, &visitor, &visitor.path);
        return StatusCode::FORBIDDEN.into_response();
    }
    if !(0.2..=5.0).contains(&tried.ratio) {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let fitted = tokio::task::spawn_blocking(move || Floor::fit(&tried.floor, tried.ratio).map(|f| measured(&tried.floor, &f))).await;
    match fitted {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(what)) => Json(json!({"wrong": ui.t("error-floor"), "what": fault(&ui, what)})).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn measured(marks: &setup::Floor, floor: &Floor) -> Value {
    let cm = |m: f64| (m * 100.0).round().clamp(-9999.0, 9999.0) as i64;
    let share = |c: &setup::Corner| (f32::from(c[0]) / 1000.0, f32::from(c[1]) / 1000.0);
    let height = |mount: &tuoan_vision::scene::floor::Mount, [feet, head]: &[setup::Corner; 2]| {
        mount.above(mount.ground(floor.point(share(feet)), 0.0)?, floor.point(share(head)))
    };
    let mut spread = 0.0_f64;
    let places: Vec<Value> = match marks {
        setup::Floor::Walked { height_cm, places } => places
            .iter()
            .map(|p| {
                let [own, others @ ..] = floor.mounts();
                let h = height(&own, p);
                let doubt = others.iter().filter_map(|m| Some(height(m, p)? - h?)).map(|d| d * d).sum::<f64>().sqrt();
                spread = spread.max(doubt);
                let cm = cm(h.unwrap_or(0.0));
                json!({"cm": cm, "off": (cm - i64::from(*height_cm)).abs()})
            })
            .collect(),
        setup::Floor::Rectangle { camera_cm, .. } => {
            // Heights are measured by the camera's own: what is uncertain of one is uncertain of the other.
            let doubt = floor.mounts().iter().map(|m| m.height() - floor.mount.height()).map(|d| d * d).sum::<f64>().sqrt();
            spread = doubt * 1.2 / floor.mount.height().max(0.5);
            let cm = cm(floor.mount.height());
            vec![json!({"cm": cm, "off": (cm - i64::from(*camera_cm)).abs()})]
        }
    };
    json!({"places": places, "camera_cm": cm(floor.mount.height()), "spread_cm": cm(spread).max(1)})
}

/// As a part of a path.
fn path_part(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

// ---- the pictures of an incident ----

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

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_dashboards::Lang;

    #[test]
    fn every_fault_of_a_set_up_is_said_in_the_readers_language_with_its_numbers() {
        let faults = [
            Fault::Rate { rate: 7 },
            Fault::Areas { n: 77 },
            Fault::Corners { n: 7 },
            Fault::CornerOutside { corner: 7 },
            Fault::SamePoint { first: 7, second: 8 },
            Fault::Crosses { first: 7, second: 8 },
            Fault::Small,
            Fault::Tall { cm: 7 },
            Fault::Places { n: 7 },
            Fault::PlaceOutside { place: 7 },
            Fault::HeadBelowFeet { place: 7 },
            Fault::InLine,
            Fault::Sides { width_cm: 7, depth_cm: 8 },
            Fault::Hangs { cm: 7 },
            Fault::NoCamera,
            Fault::Misses { permille: 7, most_percent: 8 },
            Fault::Absurd { cm: 7, degrees: 8 },
        ];
        for lang in Lang::ALL {
            let ui = Ui::plain(lang, 0);
            for what in faults {
                let said = fault(&ui, what);
                assert_ne!(said, what.key(), "{} lacks it", lang.tag());
                for (_, n) in what.numbers() {
                    assert!(said.contains(&n.to_string()), "{said}");
                }
            }
        }
        let drawn = Problem::Area { number: 2, kind: setup::AreaKind::Bed, what: Fault::Small };
        assert_eq!(problem(&Ui::plain(Lang::Zh, 0), &drawn), "第 2 个区域（床位）：太小，不到画面的千分之一，请画大一些或删除。");
        assert_eq!(
            problem(&Ui::plain(Lang::En, 0), &drawn),
            "Area 2 (Bed): It is smaller than a thousandth of the picture: draw it larger or remove it."
        );
    }
}
