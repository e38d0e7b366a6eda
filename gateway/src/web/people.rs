//! Who may come in: accounts, inspectors' codes, parents' links, sessions. Every change is on record before it is done.
use super::Shared;
use super::deeds::{Doing, record};
use super::pages::{sorry, ui};
use super::{QueryError, qr};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use tuoan_dashboards::door::{ACTOR, NewAccount, Problem, Refusal, Role, Visitor, tidy};
use tuoan_dashboards::page;
use tuoan_dashboards::view::people::{Account, Drawn, People, SessionRow, Typed, Wrong};

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    name: String,
    role: String,
    secret: String,
    shared: String,
    purpose: String,
    hours: String,
    now: String,
    new: String,
}

#[derive(Debug, Default, serde::Deserialize)]
pub struct Done {
    #[serde(default)]
    done: String,
}

/// Only known words: a link must not put text into the page.
const DONE: [&str; 5] = ["added", "removed", "set", "ended", "revoked"];

fn session_rows(web: &Shared, visitor: &Visitor) -> Vec<SessionRow> {
    let (tiles, passes) = (web.deps.door.tiles(), web.deps.door.passes());
    let name = |account: &str, actor: &Option<String>| {
        let tile = tiles.iter().find(|t| t.id == account).map(|t| t.name.clone());
        tile.filter(|n| !n.is_empty())
            .or_else(|| passes.iter().find(|p| p.id == account).map(|p| p.holder.clone()))
            .or_else(|| actor.clone())
            .unwrap_or_else(|| account.to_owned())
    };
    let mut rows: Vec<SessionRow> = web
        .deps
        .door
        .sessions(visitor)
        .iter()
        .map(|s| SessionRow {
            handle: tuoan_dashboards::door::session_handle(s).to_owned(),
            who: name(&s.account, &s.actor),
            role: s.role,
            since: s.since,
            address: s.address.clone(),
            this: visitor.session_key() == Some(s.hash.as_str()),
        })
        .collect();
    rows.sort_by_key(|r| (!r.this, std::cmp::Reverse(r.since)));
    rows
}

fn people_view(web: &Shared, visitor: &Visitor) -> People {
    let links = web.deps.door.class_links();
    let classes = web.deps.handle.view.borrow().classes.clone();
    People {
        accounts: web.deps.door.tiles(),
        passes: web.deps.door.passes(),
        sessions: session_rows(web, visitor),
        classes: classes
            .into_iter()
            .map(|(id, name)| {
                let since = links.iter().find(|l| l.0 == id).map(|l| l.1);
                (id, name, since)
            })
            .collect(),
        recovery: web.deps.door.has_recovery(),
        own: visitor.account().unwrap_or_default().to_owned(),
        ..People::default()
    }
}

fn show(web: &Shared, visitor: &Visitor, v: &People, status: StatusCode) -> Response {
    let mut ui = ui(web, visitor);
    ui.path = "/people".into();
    (status, Html(page::people(&ui, v))).into_response()
}

pub async fn people(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    let mut v = people_view(&web, &visitor);
    v.done = DONE.contains(&done.done.as_str()).then(|| ui.t(&format!("people-done-{}", done.done)));
    show(&web, &visitor, &v, StatusCode::OK)
}

/// The page again, with what was typed and what is wrong with it.
fn again(web: &Shared, visitor: &Visitor, form: &'static str, key: &str, typed: Typed) -> Response {
    let text = ui(web, visitor).t(key);
    let v = People { wrong: Some(Wrong { form, text }), typed, ..people_view(web, visitor) };
    show(web, visitor, &v, StatusCode::UNPROCESSABLE_ENTITY)
}

fn refused(web: &Shared, visitor: &Visitor, refusal: &Refusal) -> Response {
    let ui = ui(web, visitor);
    match refusal {
        Refusal::NotSaved(e) => {
            tracing::warn!("the keys could not be saved: {e}");
            let page = page::error(&ui, &ui.t("error-server"), &ui.t("error-save"));
            (StatusCode::INTERNAL_SERVER_ERROR, Html(page)).into_response()
        }
        _ => sorry(&ui, &QueryError::Busy),
    }
}

fn unrecorded(web: &Shared, visitor: &Visitor) -> Response {
    sorry(&ui(web, visitor), &QueryError::Busy)
}

async fn on_record(web: &Shared, visitor: &Visitor, kind: &'static str, object: &str, detail: &str) -> bool {
    record(web, visitor, Doing { kind, object: object.to_owned(), detail: detail.to_owned(), ..Doing::default() }).await
}

fn name_of(web: &Shared, id: &str) -> String {
    web.deps.door.tiles().into_iter().find(|t| t.id == id).map(|t| t.name).filter(|n| !n.is_empty()).unwrap_or_else(|| id.to_owned())
}

pub async fn add(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let typed = Typed { name: tidy(&asked.name, ACTOR), role: tidy(&asked.role, 16), ..Typed::default() };
    let Some(role) = Role::parse(&asked.role) else { return again(&web, &visitor, "add", Problem::NoSuchRole.key(), typed) };
    if !on_record(&web, &visitor, "account_added", &typed.name, role.name()).await {
        return unrecorded(&web, &visitor);
    }
    let new = NewAccount { name: asked.name, role, secret: asked.secret, shared: asked.shared == "on" };
    match web.deps.door.add_account(new).await {
        Ok(Ok(_)) => Redirect::to("/people?done=added").into_response(),
        Ok(Err(problem)) => again(&web, &visitor, "add", problem.key(), typed),
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}

pub async fn secret(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(asked): Form<Asked>) -> Response {
    if !on_record(&web, &visitor, "secret_set", &name_of(&web, &id), "").await {
        return unrecorded(&web, &visitor);
    }
    match web.deps.door.set_secret(&id, &asked.secret, Some(&visitor)).await {
        Ok(Ok(())) => Redirect::to("/people?done=set").into_response(),
        Ok(Err(problem)) => again(&web, &visitor, "page", problem.key(), Typed::default()),
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}

pub async fn remove(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    if !on_record(&web, &visitor, "account_removed", &name_of(&web, &id), "").await {
        return unrecorded(&web, &visitor);
    }
    match web.deps.door.remove_account(&id).await {
        Ok(Ok(())) => Redirect::to("/people?done=removed").into_response(),
        Ok(Err(problem)) => again(&web, &visitor, "page", problem.key(), Typed::default()),
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}

pub async fn issue(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let (name, purpose) = (tidy(&asked.name, ACTOR), tidy(&asked.purpose, 256));
    let typed = Typed { name: name.clone(), purpose: purpose.clone(), hours: tidy(&asked.hours, 4), ..Typed::default() };
    let hours = asked.hours.trim().parse().unwrap_or(0);
    let doing = Doing { kind: "pass_issued", object: name.clone(), purpose: purpose.clone(), detail: format!("{hours} h") };
    if !record(&web, &visitor, doing).await {
        return unrecorded(&web, &visitor);
    }
    let by = visitor.actor.clone().unwrap_or_default();
    match web.deps.door.issue_pass(&name, &purpose, &by, hours).await {
        Ok(Ok(code)) => {
            let v = People { drawn: Some(Drawn::Pass { holder: name, code }), ..people_view(&web, &visitor) };
            show(&web, &visitor, &v, StatusCode::OK)
        }
        Ok(Err(problem)) => again(&web, &visitor, "pass", problem.key(), typed),
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}

pub async fn revoke(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let holder = web.deps.door.passes().into_iter().find(|p| p.id == id).map(|p| p.holder).unwrap_or_default();
    if !on_record(&web, &visitor, "pass_revoked", &holder, "").await {
        return unrecorded(&web, &visitor);
    }
    match web.deps.door.revoke_pass(&id).await {
        Ok(_) => Redirect::to("/people?done=revoked").into_response(),
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}

/// The address as the browser knows it, for links that others shall open.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let fits = !host.is_empty() && host.len() <= 128 && host.chars().all(|c| c.is_ascii_alphanumeric() || ".:-[]".contains(c));
    if fits { format!("http://{host}") } else { String::new() }
}

pub async fn class_link(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, name)) = web.deps.handle.view.borrow().classes.iter().find(|c| c.0 == id).cloned() else {
        return super::pages::missing(&ui(&web, &visitor));
    };
    if !on_record(&web, &visitor, "class_link", &id, "").await {
        return unrecorded(&web, &visitor);
    }
    match web.deps.door.draw_class_link(&id).await {
        Ok(path) => {
            let link = format!("{}{path}", origin(&headers));
            let drawn = Drawn::Class { name, qr: qr::svg(&link), link };
            let v = People { drawn: Some(drawn), ..people_view(&web, &visitor) };
            show(&web, &visitor, &v, StatusCode::OK)
        }
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}

pub async fn class_link_end(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    if !on_record(&web, &visitor, "class_link_ended", &id, "").await {
        return unrecorded(&web, &visitor);
    }
    match web.deps.door.end_class_link(&id).await {
        Ok(()) => Redirect::to("/people?done=revoked").into_response(),
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}

pub async fn recovery(State(web): State<Shared>, visitor: Visitor) -> Response {
    if !on_record(&web, &visitor, "recovery_drawn", "", "").await {
        return unrecorded(&web, &visitor);
    }
    match web.deps.door.draw_recovery().await {
        Ok(code) => {
            let v = People { drawn: Some(Drawn::Recovery(code)), ..people_view(&web, &visitor) };
            show(&web, &visitor, &v, StatusCode::OK)
        }
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}

fn own(web: &Shared, visitor: &Visitor) -> Account {
    let tile = web.deps.door.tiles().into_iter().find(|t| Some(t.id.as_str()) == visitor.account());
    Account {
        name: visitor.actor.clone().unwrap_or_default(),
        pin: visitor.role().is_some_and(Role::by_pin),
        fixed: tile.is_none(),
        sessions: session_rows(web, visitor),
        ..Account::default()
    }
}

pub async fn account(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    let mut v = own(&web, &visitor);
    v.done = match done.done.as_str() {
        "set" => Some(ui.t("account-done")),
        "ended" => Some(ui.t("people-done-ended")),
        _ => None,
    };
    Html(page::account(&ui, &v)).into_response()
}

/// One's own password or PIN, by the present one.
pub async fn change(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    let again = |status, text| {
        let v = Account { wrong: Some(text), ..own(&web, &visitor) };
        (status, Html(page::account(&ui, &v))).into_response()
    };
    if let Err(refusal) = web.deps.door.confirm(&visitor, &asked.now, None).await {
        return match refusal {
            Refusal::Locked(ms) => {
                let minutes = ms.saturating_add(59_999) / 60_000;
                again(StatusCode::TOO_MANY_REQUESTS, ui.t1("error-locked", "m", minutes))
            }
            Refusal::Busy => again(StatusCode::SERVICE_UNAVAILABLE, ui.t("error-busy")),
            _ => again(StatusCode::FORBIDDEN, ui.t("error-secret-now")),
        };
    }
    let id = visitor.account().unwrap_or_default().to_owned();
    if !on_record(&web, &visitor, "secret_set", &name_of(&web, &id), "").await {
        return unrecorded(&web, &visitor);
    }
    match web.deps.door.set_secret(&id, &asked.new, Some(&visitor)).await {
        Ok(Ok(())) => Redirect::to("/account?done=set").into_response(),
        Ok(Err(problem)) => again(StatusCode::UNPROCESSABLE_ENTITY, ui.t(problem.key())),
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}

pub async fn end_session(State(web): State<Shared>, visitor: Visitor, Path(handle): Path<String>) -> Response {
    if !on_record(&web, &visitor, "session_ended", "", "").await {
        return unrecorded(&web, &visitor);
    }
    let to = if visitor.role() == Some(Role::Director) { "/people?done=ended" } else { "/account?done=ended" };
    match web.deps.door.end_session(&visitor, &handle).await {
        Ok(_) => Redirect::to(to).into_response(),
        Err(refusal) => refused(&web, &visitor, &refusal),
    }
}
