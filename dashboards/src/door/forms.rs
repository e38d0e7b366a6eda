//! Claim, login, logout, recovery and the one-time link.
use super::visitor::Visitor;
use super::{ACTOR, Door, PASSWORD, Refusal, Tile};
use crate::lang::Ui;
use crate::page;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};

pub(super) fn routes(door: Door) -> Router {
    Router::new()
        .route("/claim", get(claim_page).post(claim))
        .route("/login", get(login_page).post(login))
        .route("/login/code", post(login_by_code))
        .route("/recover", get(recover_page).post(recover))
        .route("/logout", post(logout))
        .route("/enter/{token}", get(enter))
        .with_state(door)
}

/// Only paths of this server; anything else leads home.
fn local(path: &str) -> &str {
    let odd = |c: char| c.is_control() || c == '\\';
    if path.starts_with('/') && !path.starts_with("//") && !path.contains(odd) && path.len() <= 512 { path } else { "/" }
}

/// Goes there with the session's cookie.
fn welcome(door: &Door, token: &str, to: &str) -> Response {
    let mut response = Redirect::to(local(to)).into_response();
    let cookie = format!("{}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict", door.0.cookie, super::SESSION_MS / 1000);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

pub(super) fn explain(ui: &Ui, refusal: &Refusal, wrong: &str) -> (StatusCode, String) {
    match refusal {
        Refusal::Wrong => (StatusCode::FORBIDDEN, ui.t(wrong)),
        Refusal::Locked(ms) => (StatusCode::TOO_MANY_REQUESTS, ui.t1("error-locked", "m", ms.saturating_add(59_999) / 60_000)),
        Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, ui.t("error-busy")),
        Refusal::AlreadyClaimed => (StatusCode::CONFLICT, ui.t("claim-done-elsewhere")),
        Refusal::NotSaved(_) => (StatusCode::INTERNAL_SERVER_ERROR, ui.t("error-save")),
    }
}

async fn claim_page(State(door): State<Door>, visitor: Visitor) -> Response {
    if door.claimed() {
        return Redirect::to("/login").into_response();
    }
    Html(page::claim(&visitor.plain_ui(door.now()), &page::Claim::default())).into_response()
}

#[derive(serde::Deserialize)]
struct ClaimForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    again: String,
}

async fn claim(State(door): State<Door>, visitor: Visitor, Form(form): Form<ClaimForm>) -> Response {
    if door.claimed() {
        return Redirect::to("/login").into_response();
    }
    let ui = visitor.plain_ui(door.now());
    let mut shown = page::Claim { code: super::tidy(&form.code, 32), name: super::tidy(&form.name, ACTOR), ..page::Claim::default() };
    let length = form.password.chars().count();
    if length < *PASSWORD.start() {
        shown.password_error = Some(ui.t("error-password-short"));
    } else if length > *PASSWORD.end() {
        shown.password_error = Some(ui.t("error-password-long"));
    } else if form.password != form.again {
        shown.again_error = Some(ui.t("error-password-differs"));
    }
    if shown.password_error.is_some() || shown.again_error.is_some() {
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page::claim(&ui, &shown))).into_response();
    }
    match door.claim(visitor.address, &form.code, &form.name, &form.password).await {
        Ok(token) => welcome(&door, &token, "/"),
        Err(Refusal::AlreadyClaimed) => Redirect::to("/login").into_response(),
        Err(refusal) => {
            let (status, text) = explain(&ui, &refusal, "error-code-wrong");
            match refusal {
                Refusal::Wrong => shown.code_error = Some(text),
                _ => shown.error = Some(text),
            }
            (status, Html(page::claim(&ui, &shown))).into_response()
        }
    }
}

#[derive(serde::Deserialize)]
struct Then {
    #[serde(default)]
    then: String,
}

async fn login_page(State(door): State<Door>, visitor: Visitor, query: Result<Query<Then>, QueryRejection>) -> Response {
    let then = query.map(|q| q.0.then).unwrap_or_default();
    if visitor.signed_in() {
        return Redirect::to(local(&then)).into_response();
    }
    if !door.claimed() {
        return Redirect::to("/claim").into_response();
    }
    Html(page::login(&visitor.plain_ui(door.now()), &shown(&door, local(&then)))).into_response()
}

fn shown(door: &Door, then: &str) -> page::Login {
    let tiles: Vec<Tile> = door.tiles();
    let chosen = tiles.first().map(|t| t.id.clone()).unwrap_or_default();
    page::Login { then: then.to_owned(), tiles, chosen, recovery: door.has_recovery(), ..page::Login::default() }
}

#[derive(serde::Deserialize)]
struct LoginForm {
    #[serde(default)]
    account: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    then: String,
}

async fn login(State(door): State<Door>, visitor: Visitor, Form(form): Form<LoginForm>) -> Response {
    if !door.claimed() {
        return Redirect::to("/claim").into_response();
    }
    let ui = visitor.plain_ui(door.now());
    // The hash takes any length; a megabyte of password is an attack, not a password.
    let result = if form.password.chars().count() > *PASSWORD.end() {
        Err(Refusal::Wrong)
    } else {
        door.login(visitor.address, &form.account, &form.password).await
    };
    match result {
        Ok(token) => welcome(&door, &token, &form.then),
        Err(refusal) => {
            let (status, text) = explain(&ui, &refusal, "error-password-wrong");
            let mut v = shown(&door, local(&form.then));
            v.error = Some(text);
            if v.tiles.iter().any(|t| t.id == form.account) {
                v.chosen = form.account;
            }
            (status, Html(page::login(&ui, &v))).into_response()
        }
    }
}

#[derive(serde::Deserialize)]
struct CodeForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    then: String,
}

async fn login_by_code(State(door): State<Door>, visitor: Visitor, Form(form): Form<CodeForm>) -> Response {
    let ui = visitor.plain_ui(door.now());
    match door.login_by_pass(visitor.address, &form.code).await {
        Ok(token) => welcome(&door, &token, &form.then),
        Err(refusal) => {
            let (status, text) = explain(&ui, &refusal, "error-pass-wrong");
            let v = page::Login { code_error: Some(text), ..shown(&door, local(&form.then)) };
            (status, Html(page::login(&ui, &v))).into_response()
        }
    }
}

async fn recover_page(State(door): State<Door>, visitor: Visitor) -> Response {
    if !door.claimed() {
        return Redirect::to("/claim").into_response();
    }
    Html(page::recover(&visitor.plain_ui(door.now()), &page::Claim::default())).into_response()
}

async fn recover(State(door): State<Door>, visitor: Visitor, Form(form): Form<ClaimForm>) -> Response {
    let ui = visitor.plain_ui(door.now());
    let mut shown = page::Claim { code: super::tidy(&form.code, 32), ..page::Claim::default() };
    if form.password != form.again {
        shown.again_error = Some(ui.t("error-password-differs"));
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page::recover(&ui, &shown))).into_response();
    }
    match door.recover(visitor.address, &form.code, &form.password).await {
        Ok(Ok(())) => Redirect::to("/login").into_response(),
        Ok(Err(problem)) => {
            shown.password_error = Some(ui.t(problem.key()));
            (StatusCode::UNPROCESSABLE_ENTITY, Html(page::recover(&ui, &shown))).into_response()
        }
        Err(refusal) => {
            let (status, text) = explain(&ui, &refusal, "error-recovery-wrong");
            match refusal {
                Refusal::Wrong => shown.code_error = Some(text),
                _ => shown.error = Some(text),
            }
            (status, Html(page::recover(&ui, &shown))).into_response()
        }
    }
}

async fn logout(State(door): State<Door>, visitor: Visitor) -> Response {
    if let Some(session) = &visitor.session {
        // Even if the vault cannot be written the browser forgets its cookie.
        let _ = door.logout(session, visitor.address).await;
    }
    let mut response = Redirect::to("/login").into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", door.0.cookie)) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

async fn enter(State(door): State<Door>, visitor: Visitor, Path(token): Path<String>) -> Response {
    if visitor.signed_in() {
        return Redirect::to("/").into_response();
    }
    match door.enter(visitor.address, &token).await {
        Ok(token) => welcome(&door, &token, "/"),
        Err(refusal) => {
            let mut ui = visitor.plain_ui(door.now());
            let (status, text) = explain(&ui, &refusal, "error-link-used");
            // The language switch must not try the link again.
            ui.path = "/login".into();
            (status, Html(page::error(&ui, &ui.t("login-title"), &text))).into_response()
        }
    }
}
