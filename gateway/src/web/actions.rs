//! What a person does. Each is one engine command, answered after its commit; who acts is asked once and remembered for the session. What is done about
//! an incident is in [`super::lifecycle`].
use super::pages::{missing, ui};
use super::{QueryError, Shared};
use crate::engine::Command;
use crate::engine::input::Action;
use crate::pipeline::Control;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::time::Duration;
use tokio::sync::oneshot;
use tuoan_dashboards::door::{ACTOR, Visitor, tidy};
use tuoan_dashboards::{Ui, page};
use tuoan_protocol::{IncidentId, Via, ZoneId};

/// A commit takes milliseconds; with a disk that does not take it, the person is told.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest note in bytes: what an incident event has room for.
const NOTE: usize = 256;

#[derive(serde::Deserialize)]
pub struct Act {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    back: String,
    /// Whose secret that is, where one was asked for.
    #[serde(default)]
    account: String,
    #[serde(default)]
    secret: String,
    /// What must be sent again after the name was asked.
    #[serde(skip)]
    keep: Vec<(String, String)>,
}

impl Act {
    pub fn note(&self) -> &str {
        &self.note
    }
    /// Of a form of its own.
    pub fn again(name: Option<String>, back: &str, keep: Vec<(String, String)>) -> Act {
        Act { name, note: String::new(), back: back.to_owned(), account: String::new(), secret: String::new(), keep }
    }
    /// With what proves who acts.
    pub fn proved(self, account: &str, secret: &str) -> Act {
        Act { account: account.to_owned(), secret: secret.to_owned(), ..self }
    }
    pub(super) fn account(&self) -> &str {
        &self.account
    }
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
    /// What must be sent again.
    pub(super) fn kept(&self) -> Vec<(String, String)> {
        let note = Some(("note".to_owned(), self.note.clone())).filter(|n| !n.1.is_empty());
        note.into_iter().chain(self.keep.iter().cloned()).collect()
    }
}

pub async fn swept(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(form): Form<Act>) -> Response {
    let Ok(zone) = ZoneId::new(&id) else { return missing(&ui(&web, &visitor)) };
    act(&web, &visitor, &form, Action::RoomSwept { zone }, "swept").await
}

/// Ends a panic alarm; the reason is required.
pub async fn cancel(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(form): Form<Act>) -> Response {
    let ui = ui(&web, &visitor);
    let Ok(incident) = IncidentId::new(&id) else { return missing(&ui) };
    let reason = tidy(&form.note, NOTE);
    if reason.is_empty() {
        let page = page::error(&ui, &ui.t("error-refused"), &ui.t("error-reason"));
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response();
    }
    let sure = match super::pin::sure(&web, &visitor, &form).await {
        Ok(sure) => sure,
        Err(page) => return page,
    };
    let action = Action::CancelPanic { incident, reason };
    let came = match sure {
        Some(actor) => attempt_as(&web, actor, |_| action).await,
        None => attempt(&web, &visitor, &form, |_| action).await,
    };
    answer(&ui, &form, came, "cancelled")
}

/// Only the pages of this UI.
pub(super) fn back(form: &Act) -> &str {
    let id = form.back.strip_prefix("/incidents/").unwrap_or_default();
    if matches!(form.back.as_str(), "/check" | "/sweep") || !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
        &form.back
    } else {
        "/"
    }
}

pub(super) async fn act(web: &Shared, visitor: &Visitor, form: &Act, action: Action, done: &str) -> Response {
    answer(&ui(web, visitor), form, attempt(web, visitor, form, |_| action).await, done)
}

fn answer(ui: &Ui, form: &Act, came: Result<(), Stop>, done: &str) -> Response {
    match came {
        Ok(()) => Redirect::to(&format!("{}?done={done}", back(form))).into_response(),
        Err(Stop::Page(page)) => page,
        Err(Stop::Engine(_)) => {
            let help = match done {
                "cancelled" => ui.t("error-refused-over"),
                "checked" => ui.t("error-refused-check"),
                _ => ui.t("error-refused-here"),
            };
            (StatusCode::CONFLICT, Html(page::error(ui, &ui.t("error-refused"), &help))).into_response()
        }
        Err(Stop::Unsaved) => super::pages::sorry(ui, &QueryError::Busy),
    }
}

/// Why an action has not been done.
pub(super) enum Stop {
    /// The name has to be asked first.
    Page(Response),
    Engine(&'static str),
    /// The engine or the disk did not answer in time.
    Unsaved,
}

/// Asks who acts unless that is known, and has the engine do it.
pub(super) async fn attempt(web: &Shared, visitor: &Visitor, form: &Act, action: impl FnOnce(&str) -> Action) -> Result<(), Stop> {
    let ui = ui(web, visitor);
    let people = super::tasks::people(&web.deps.handle.view.borrow());
    let ask = |name: &str, error: Option<String>| {
        page::ask_name(
            &ui,
            &page::AskName {
                action: visitor.path.clone(),
                back: back(form).to_owned(),
                name: name.to_owned(),
                error,
                people: people.clone(),
                keep: form.kept(),
            },
        )
    };
    let actor = match (&form.name, &visitor.actor) {
        // Nobody acts under another's name in a session that is one person's.
        (_, Some(own)) if visitor.personal => own.clone(),
        (Some(name), _) if tidy(name, ACTOR).is_empty() => {
            let page = (StatusCode::UNPROCESSABLE_ENTITY, Html(ask("", Some(ui.t("error-name"))))).into_response();
            return Err(Stop::Page(page));
        }
        (Some(name), _) => {
            // Not to be able to remember the name is no reason not to act.
            let _ = web.deps.door.remember_actor(visitor, name).await;
            tidy(name, ACTOR)
        }
        (None, Some(known)) => known.clone(),
        (None, None) => return Err(Stop::Page(Html(ask("", None)).into_response())),
    };
    attempt_as(web, actor, action).await
}

/// The same by somebody who is known.
pub(super) async fn attempt_as(web: &Shared, actor: String, action: impl FnOnce(&str) -> Action) -> Result<(), Stop> {
    let action = action(&actor);
    match command(web, Command { actor, via: Some(Via::Page), action }).await {
        Ok(()) => Ok(()),
        Err(Refused::Engine(reason)) => {
            tracing::info!(reason, "a command was refused");
            Err(Stop::Engine(reason))
        }
        Err(Refused::Unsaved) => Err(Stop::Unsaved),
    }
}

pub(super) enum Refused {
    Engine(&'static str),
    /// The engine or the disk did not answer in time.
    Unsaved,
}

pub(super) async fn command(web: &Shared, command: Command) -> Result<(), Refused> {
    let (reply, answer) = oneshot::channel();
    let ask = async {
        web.deps.handle.control.send(Control::Command { command, reply }).await.map_err(|_| Refused::Unsaved)?;
        match answer.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(reason)) => Err(Refused::Engine(reason)),
            Err(_) => Err(Refused::Unsaved),
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.unwrap_or(Err(Refused::Unsaved))
}
