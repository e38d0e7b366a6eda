//! What a person does about an incident, a zone under maintenance or a device out of service. Each form posts to a route of its own; what is refused comes back
//! with what was typed.
use super::actions::{Act, Stop, attempt, attempt_as, back};
use super::pages::{missing, sorry, ui};
use super::{QueryError, Shared, forms, refusals, story, views};
use crate::engine::input::{Action, PictureAct, PictureDeed};
use crate::engine::standing::Scope;
use crate::engine::view::View;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::sync::Arc;
use tuoan_dashboards::door::{ACTOR, Visitor, tidy};
use tuoan_dashboards::view::alarm;
use tuoan_dashboards::{Ui, page};
use tuoan_protocol::{CauseCode, DeviceId, IncidentId, ZoneId};

/// Longest note in bytes: what an incident event has room for.
const NOTE: usize = 256;

/// What the forms send.
#[derive(Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Typed {
    name: Option<String>,
    back: String,
    note: String,
    minutes: String,
    to: String,
    to_name: String,
    cause: String,
    whole: String,
    /// Whose secret that is, where one was asked for.
    account: String,
    secret: String,
    /// "I": whoever acts takes it.
    me: String,
}

impl Typed {
    fn act(&self) -> Act {
        let fields = [
            ("note", &self.note),
            ("minutes", &self.minutes),
            ("to", &self.to),
            ("to_name", &self.to_name),
            ("cause", &self.cause),
            ("whole", &self.whole),
            ("me", &self.me),
        ];
        let keep = fields.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.to_owned(), v.clone())).collect();
        Act::again(self.name.clone(), &self.back, keep).proved(&self.account, &self.secret)
    }
    fn note(&self) -> String {
        tidy(&self.note, NOTE)
    }
    /// Or what is wrong with it: the field and the message.
    fn reason(&self) -> Result<String, Wrong> {
        Some(self.note()).filter(|n| !n.is_empty()).ok_or(("note", "error-deed-note"))
    }
    fn minutes(&self) -> Result<u32, Wrong> {
        self.minutes.trim().parse().ok().filter(|m| *m > 0).ok_or(("minutes", "error-deed-minutes"))
    }
    fn cause(&self) -> Result<CauseCode, Wrong> {
        match self.cause.as_str() {
            "real" => Ok(CauseCode::Real),
            "false" => Ok(CauseCode::False),
            "test" => Ok(CauseCode::Test),
            "maintenance" => Ok(CauseCode::Maintenance),
            _ => Err(("cause", "error-deed-cause")),
        }
    }
    fn fill(&self, form: alarm::Form) -> alarm::Form {
        let Typed { note, minutes, to, to_name, cause, whole, .. } = self.clone();
        alarm::Form { note, minutes, to, to_name, cause, whole, ..form }
    }
}

type Wrong = (&'static str, &'static str);

/// What is asked; whoever acts may be part of it.
enum Wish {
    Is(Action),
    Take(IncidentId),
}

/// Nothing that belongs to the incident is removed until it is released: its events and readings by the store's own look at these deeds.
fn hold(what: PictureAct, incident: IncidentId, reason: String) -> PictureDeed {
    PictureDeed { what, camera: None, incident: Some(incident), reason }
}

fn wish(kind: &str, incident: IncidentId, typed: &Typed) -> Result<Wish, Wrong> {
    let note = Some(typed.note()).filter(|n| !n.is_empty());
    Ok(Wish::Is(match kind {
        "take" => return Ok(Wish::Take(incident)),
        "acknowledge" => Action::Acknowledge { incident, note },
        "assign" => {
            let to = [&typed.to_name, &typed.to].into_iter().map(|t| tidy(t, ACTOR)).find(|t| !t.is_empty());
            Action::Assign { incident, to: to.ok_or(("to", "error-deed-to"))? }
        }
        "comment" => Action::Comment { incident, text: note.ok_or(("note", "error-deed-comment"))? },
        "shelve" => Action::Shelve { incident, minutes: typed.minutes()?, reason: typed.reason()? },
        "unshelve" => Action::Unshelve { incident },
        "hold" => Action::Pictures(hold(PictureAct::Hold, incident, typed.reason()?)),
        "release" => Action::Pictures(hold(PictureAct::Release, incident, typed.reason()?)),
        "reopen" => Action::Reopen { incident, reason: typed.reason()? },
        "merge" => {
            let whole = IncidentId::new(&typed.whole).ok().filter(|_| !typed.whole.is_empty()).ok_or(("whole", "error-deed-whole"))?;
            Action::Merge { part: incident, whole, reason: typed.reason()? }
        }
        _ => Action::Resolve { incident, cause: typed.cause()?, note },
    }))
}

/// What the page that the action leads back to says; see [`super::pages::Done`].
fn done(kind: &str) -> &'static str {
    match kind {
        "take" => "taken",
        "acknowledge" => "acknowledged",
        "assign" => "assigned",
        "comment" => "commented",
        "shelve" => "shelved",
        "unshelve" => "unshelved",
        "hold" => "held",
        "release" => "released",
        "reopen" => "reopened",
        "merge" => "merged",
        "maintain" => "maintained",
        "maintain_end" | "in" => "stood-down",
        "out" => "out",
        "drill_end" => "drill-ended",
        _ => "resolved",
    }
}

/// The form once more, with what was typed and what is wrong with it.
async fn again(
    web: &Shared,
    ui: &Ui,
    kind: &'static str,
    id: &IncidentId,
    typed: &Typed,
    error: (&'static str, String),
) -> Result<alarm::Form, Response> {
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let wanted = id.to_string();
    let events = web.query(move |r| r.events_of(&wanted)).await.map_err(|e| sorry(ui, &e))?;
    let about = story::incident(&events, &view, &web.deps.catalogue).ok_or_else(|| missing(ui))?;
    let form = forms::of_incident(kind, &about, &view);
    let about = format!("{} {}", about.place, ui.title(&about));
    Ok(alarm::Form { about, error: Some(error), ..typed.fill(form) })
}

/// `POST /incidents/{id}/…`.
pub async fn incident(
    kind: &'static str,
    State(web): State<Shared>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    let ui = ui(&web, &visitor);
    let Ok(id) = IncidentId::new(&id) else { return missing(&ui) };
    // The button on a card and the big one of the page give it to whoever presses.
    let fits = |list: &[&str]| list.iter().all(|f| f.is_empty());
    let kind = if kind == "assign" && fits(&[&typed.to, &typed.to_name]) && !typed.me.is_empty() { "take" } else { kind };
    let asked = wish(kind, id.clone(), &typed);
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let action = match asked {
        Ok(wish) => wish,
        Err((field, key)) => {
            return match again(&web, &ui, kind, &id, &typed, (field, ui.t(key))).await {
                Ok(form) => (StatusCode::UNPROCESSABLE_ENTITY, Html(page::deed(&ui, &form))).into_response(),
                Err(page) => page,
            };
        }
    };
    let act = typed.act();
    let by = |actor: &str| match action {
        Wish::Is(action) => action,
        Wish::Take(incident) => Action::Assign { incident, to: forms::person_id(&view, actor) },
    };
    // To end or set aside an alarm is one person's word.
    let sure = match kind {
        "shelve" | "resolve" => match super::pin::sure(&web, &visitor, &act).await {
            Ok(sure) => sure,
            Err(page) => return page,
        },
        _ => None,
    };
    let came = match sure {
        Some(actor) => attempt_as(&web, actor, by).await,
        None => attempt(&web, &visitor, &act, by).await,
    };
    match came {
        Ok(()) if matches!(kind, "hold" | "release") => {
            super::pictures::follow_hold(&web, id).await;
            Redirect::to(&format!("{}?done={}", back(&act), done(kind))).into_response()
        }
        Ok(()) => Redirect::to(&format!("{}?done={}", back(&act), done(kind))).into_response(),
        Err(Stop::Page(page)) => page,
        Err(Stop::Unsaved) => sorry(&ui, &QueryError::Busy),
        Err(Stop::Engine(reason)) => {
            let text = ui.word("refused", refusals::name(reason));
            match again(&web, &ui, kind, &id, &typed, ("", text.clone())).await {
                Ok(form) => (StatusCode::CONFLICT, Html(page::deed(&ui, &form))).into_response(),
                Err(_) => (StatusCode::CONFLICT, Html(page::error(&ui, &ui.t("error-refused"), &text))).into_response(),
            }
        }
    }
}

/// `GET /zones/{id}/maintain`: a page of its own. In each tile of the home page these forms were two thirds of the work that a phone had with it.
pub async fn zone_form(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let ui = ui(&web, &visitor);
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let Some(zone) = view.zones.iter().find(|z| z.id.as_str() == id) else { return missing(&ui) };
    let form = forms::of_zone(&id, forms::standing(&view, &Scope::Zone(zone.id.clone())).is_some());
    Html(page::deed(&ui, &alarm::Form { about: zone.name.clone(), ..form })).into_response()
}

/// `GET /devices/{id}/out`.
pub async fn device_form(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let ui = ui(&web, &visitor);
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let Some(device) = DeviceId::new(&id).ok().filter(|d| view.zones.iter().flat_map(|z| &z.devices).any(|v| v.id == *d)) else {
        return missing(&ui);
    };
    let form = forms::of_device(&id, forms::standing(&view, &Scope::Device(device.clone())).is_some());
    Html(page::deed(&ui, &alarm::Form { about: views::device_name(&device, &view), ..form })).into_response()
}

/// `POST /zones/{id}/maintain`, `…/maintain/end`.
pub async fn zone(
    kind: &'static str,
    State(web): State<Shared>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    let ui = ui(&web, &visitor);
    let Ok(zone) = ZoneId::new(&id) else { return missing(&ui) };
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let name = views::zone_name(&zone, &view).to_owned();
    let form = forms::of_zone(zone.as_str(), kind == "maintain_end");
    let action = match kind {
        "maintain_end" => Ok(Action::MaintainEnd { zone }),
        _ => typed.minutes().and_then(|minutes| Ok(Action::Maintain { zone, minutes, reason: typed.reason()? })),
    };
    place(&web, &visitor, form, name, action, &typed).await
}

/// `POST /devices/{id}/out`, `…/in`.
pub async fn device(
    kind: &'static str,
    State(web): State<Shared>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    let ui = ui(&web, &visitor);
    let Ok(device) = DeviceId::new(&id) else { return missing(&ui) };
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let name = views::device_name(&device, &view);
    let form = forms::of_device(device.as_str(), kind == "in");
    let action = match kind {
        "in" => Ok(Action::InService { device }),
        _ => typed.minutes().and_then(|minutes| Ok(Action::OutOfService { device, minutes, reason: typed.reason()? })),
    };
    place(&web, &visitor, form, name, action, &typed).await
}

/// `POST /drill/end`.
pub async fn drill_end(State(web): State<Shared>, visitor: Visitor, Form(typed): Form<Typed>) -> Response {
    let form = alarm::Form { kind: "drill_end", action: "/drill/end".into(), back: "/".into(), ..alarm::Form::default() };
    place(&web, &visitor, form, String::new(), Ok(Action::DrillEnd), &typed).await
}

async fn place(
    web: &Shared,
    visitor: &Visitor,
    form: alarm::Form,
    about: String,
    action: Result<Action, Wrong>,
    typed: &Typed,
) -> Response {
    let ui = ui(web, visitor);
    let kind = form.kind;
    let again = |field, text| alarm::Form { about, error: Some((field, text)), ..typed.fill(form) };
    let action = match action {
        Ok(action) => action,
        Err((field, key)) => {
            return (StatusCode::UNPROCESSABLE_ENTITY, Html(page::deed(&ui, &again(field, ui.t(key))))).into_response();
        }
    };
    match attempt(web, visitor, &typed.act(), |_| action).await {
        Ok(()) => Redirect::to(&format!("/?done={}", done(kind))).into_response(),
        Err(Stop::Page(page)) => page,
        Err(Stop::Unsaved) => sorry(&ui, &QueryError::Busy),
        Err(Stop::Engine(reason)) => {
            (StatusCode::CONFLICT, Html(page::deed(&ui, &again("", ui.word("refused", refusals::name(reason)))))).into_response()
        }
    }
}
