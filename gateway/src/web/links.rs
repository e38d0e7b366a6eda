//! The links in messages: one incident as one person was told of it, and two buttons. Nobody logs in: the token is the authorisation, good for its own notice and
//! for a week, and nothing else of the site is reachable by it.
//!
//! What must hold: looking changes nothing (chat programs open links by themselves); a link acts on its own incident alone; how often is bounded.
use super::actions::{Refused, command};
use super::pages::ui;
use super::{Shared, forms, story};
use crate::engine::Command;
use crate::engine::input::Action;
use crate::engine::view::View;
use crate::notify::link::GOOD_MS;
use crate::store::{NoticeRow, StoredEvent};
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tuoan_dashboards::door::attempts::Attempts;
use tuoan_dashboards::door::{ACTOR, Visitor, tidy};
use tuoan_dashboards::page;
use tuoan_dashboards::view::alarm::{LinkOver, LinkPage};
use tuoan_protocol::Via;

/// So often may one link act within [`WINDOW_MS`]: what it does goes into the log for ever.
const ACTS: u32 = 12;
const WINDOW_MS: i64 = 600_000;
/// Links whose acts are counted; the one that began longest ago is forgotten first.
const COUNTED: usize = 1024;
/// How long a person waits for the note that they have seen it.
const NOTED: Duration = Duration::from_secs(5);

/// How often links are tried and used. Bounded.
#[derive(Debug, Default)]
pub struct Uses(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    wrong: Attempts,
    /// By notice: since when, and how often.
    acts: BTreeMap<u64, (i64, u32)>,
}

impl Uses {
    /// One more act by that link; `false`: it is enough for now.
    fn act(&self, notice: u64, now: i64) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let acts = &mut counts.acts;
        if !acts.contains_key(&notice)
            && acts.len() >= COUNTED
            && let Some(oldest) = acts.iter().min_by_key(|(_, (since, _))| *since).map(|(n, _)| *n)
        {
            acts.remove(&oldest);
        }
        let entry = acts.entry(notice).or_insert((now, 0));
        if now.abs_diff(entry.0) > WINDOW_MS.unsigned_abs() {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
        entry.1 <= ACTS
    }
    /// A token that this box has not given out; `false`: that address tries too often. Good links are never held up by it.
    pub(super) fn wrong(&self, visitor: &Visitor, now: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wrong.begin(visitor.address, now).is_ok()
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    done: String,
    name: String,
}

/// What a good link leads to.
struct Target {
    notice: u64,
    row: NoticeRow,
    events: Vec<StoredEvent>,
}

fn over(web: &Shared, visitor: &Visitor, status: StatusCode, why: LinkOver) -> Response {
    (status, Html(page::link_over(&as_stranger(web, visitor, ""), why))).into_response()
}

/// The page of a link knows no session, whoever opens it.
fn as_stranger(web: &Shared, visitor: &Visitor, token: &str) -> tuoan_dashboards::Ui {
    let mut ui = ui(web, visitor);
    (ui.signed_in, ui.actor) = (false, None);
    if !token.is_empty() {
        ui.path = format!("/n/{token}");
    }
    ui
}

async fn open(web: &Shared, visitor: &Visitor, token: &str) -> Result<Target, Response> {
    let now = web.deps.clock.utc_ms();
    let Some(notice) = web.deps.link_key.notice(token) else {
        let (status, why) = match web.links.wrong(visitor, now) {
            true => (StatusCode::NOT_FOUND, LinkOver::Unknown),
            false => (StatusCode::TOO_MANY_REQUESTS, LinkOver::Locked),
        };
        return Err(over(web, visitor, status, why));
    };
    let read = web.query(move |r| {
        let Some(row) = r.notice(notice)? else { return Ok(None) };
        let events = r.events_of(row.notice.incident.as_str())?;
        Ok(Some((row, events)))
    });
    match read.await {
        Ok(Some((row, _))) if now.saturating_sub(row.at) > GOOD_MS => Err(over(web, visitor, StatusCode::GONE, LinkOver::Expired)),
        Ok(Some((row, events))) => Ok(Target { notice, row, events }),
        Ok(None) => Err(over(web, visitor, StatusCode::NOT_FOUND, LinkOver::Unknown)),
        Err(e) => Err(super::pages::sorry(&as_stranger(web, visitor, token), &e)),
    }
}

fn show(web: &Shared, visitor: &Visitor, token: &str, target: &Target, take: bool, asked: &Asked, error: Option<String>) -> Response {
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let Some(incident) = story::incident(&target.events, &view, &web.deps.catalogue) else {
        return over(web, visitor, StatusCode::NOT_FOUND, LinkOver::Unknown);
    };
    if incident.state.closed {
        return over(web, visitor, StatusCode::OK, LinkOver::Closed);
    }
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let v = LinkPage {
        token: token.to_owned(),
        incident,
        person: target.row.notice.person.as_deref().map(|p| forms::person_name(&view, p)),
        seen: target.row.seen,
        done: match asked.done.as_str() {
            "seen" => Some("seen"),
            "taken" => Some("taken"),
            _ => None,
        },
        take,
        name: asked.name.clone(),
        error,
    };
    (status, Html(page::link(&as_stranger(web, visitor, token), &v))).into_response()
}

/// `GET /n/{token}`: changes nothing.
pub async fn look(State(web): State<Shared>, visitor: Visitor, Path(token): Path<String>, Query(asked): Query<Asked>) -> Response {
    match open(&web, &visitor, &token).await {
        Ok(target) => show(&web, &visitor, &token, &target, false, &Asked { name: String::new(), ..asked }, None),
        Err(page) => page,
    }
}

/// `GET /n/{token}/take`: the same, with the other button first.
pub async fn look_take(State(web): State<Shared>, visitor: Visitor, Path(token): Path<String>, Query(asked): Query<Asked>) -> Response {
    match open(&web, &visitor, &token).await {
        Ok(target) => show(&web, &visitor, &token, &target, true, &Asked { name: String::new(), ..asked }, None),
        Err(page) => page,
    }
}

/// Notes that it was seen, and waits for the disk.
async fn note_seen(web: &Shared, target: &Target) -> bool {
    if target.row.seen.is_some() {
        return true;
    }
    let ops = &web.deps.handle.ops;
    let said = ops.seen(target.notice, web.deps.clock.utc_ms()).is_ok();
    said && matches!(tokio::time::timeout(NOTED, ops.settled()).await, Ok(Ok(())))
}

/// `POST /n/{token}/seen`.
pub async fn seen(State(web): State<Shared>, visitor: Visitor, Path(token): Path<String>) -> Response {
    let target = match open(&web, &visitor, &token).await {
        Ok(target) => target,
        Err(page) => return page,
    };
    if !web.links.act(target.notice, web.deps.clock.utc_ms()) {
        return over(&web, &visitor, StatusCode::TOO_MANY_REQUESTS, LinkOver::Locked);
    }
    if note_seen(&web, &target).await {
        return Redirect::to(&format!("/n/{token}?done=seen")).into_response();
    }
    unsaved(&web, &visitor, &token, &target, false, &Asked::default())
}

fn unsaved(web: &Shared, visitor: &Visitor, token: &str, target: &Target, take: bool, asked: &Asked) -> Response {
    let text = as_stranger(web, visitor, token).t("link-busy");
    let mut page = show(web, visitor, token, target, take, asked, Some(text));
    *page.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    page
}

/// `POST /n/{token}/take`: the person of the notice, or in a group whoever gives a name, has it in hand.
pub async fn take(State(web): State<Shared>, visitor: Visitor, Path(token): Path<String>, Form(asked): Form<Asked>) -> Response {
    let target = match open(&web, &visitor, &token).await {
        Ok(target) => target,
        Err(page) => return page,
    };
    if !web.links.act(target.notice, web.deps.clock.utc_ms()) {
        return over(&web, &visitor, StatusCode::TOO_MANY_REQUESTS, LinkOver::Locked);
    }
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let (to, actor) = match &target.row.notice.person {
        Some(id) => (id.clone(), forms::person_name(&view, id)),
        None => {
            let name = tidy(&asked.name, ACTOR);
            if name.is_empty() {
                let text = as_stranger(&web, &visitor, &token).t("error-name");
                return show(&web, &visitor, &token, &target, true, &asked, Some(text));
            }
            (forms::person_id(&view, &name), name)
        }
    };
    let taken = Redirect::to(&format!("/n/{token}?done=taken"));
    let holder =
        target.events.iter().rev().find_map(|e| e.event.as_ref().ok()).and_then(|e| e.assignee.as_ref().map(|a| a.as_str().to_owned()));
    // Pressed twice is taken once.
    if holder.as_deref() != Some(to.as_str()) {
        let action = Action::Assign { incident: target.row.notice.incident.clone(), to };
        match command(&web, Command { actor, via: Some(Via::Link), action }).await {
            Ok(()) => {}
            Err(Refused::Engine(reason)) => {
                tracing::info!(reason, "a link was refused");
                return over(&web, &visitor, StatusCode::CONFLICT, LinkOver::Closed);
            }
            Err(Refused::Unsaved) => return unsaved(&web, &visitor, &token, &target, true, &asked),
        }
    }
    // That it is taken is on disk; that it was seen follows from it.
    note_seen(&web, &target).await;
    taken.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_link_acts_so_often_and_no_link_holds_up_another() {
        let uses = Uses::default();
        assert_eq!((0..30).filter(|n| uses.act(1, *n)).count(), ACTS as usize);
        assert!(uses.act(2, 30), "another link");
        assert!(uses.act(1, WINDOW_MS + 1), "a while later");
        for n in 0..5000 {
            uses.act(n, 0);
        }
        assert!(uses.0.lock().unwrap().acts.len() <= COUNTED);
    }
}
