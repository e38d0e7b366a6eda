//! A camera's set-up: its areas and the marks on its floor, drawn, tried and kept.
use super::cameras::{Shown, blank, camera_page, find, path_part};
use super::leave::{deed, forbidden, not_logged, refused, session};
use super::pages::{missing, sorry, ui};
use super::{QueryError, Shared};
use crate::cameras::access::record;
use crate::engine::input::PictureAct;
use crate::engine::view::View;
use crate::pipeline::Control;
use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::oneshot;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::{Ui, page as render};
use tuoan_protocol::DeviceId;
use tuoan_vision::fault::Fault;
use tuoan_vision::scene::floor::Floor;
use tuoan_vision::setup::{self, Problem};

/// As for the other actions: a commit takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

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
