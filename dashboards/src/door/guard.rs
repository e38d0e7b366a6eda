//! The middleware around a server's routes.
use super::squeeze::squeeze;
use super::visitor::Visitor;
use super::{Door, Row, forms, role, same};
use crate::{assets, page};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Form, FromRequest, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};

/// Longest form, in bytes.
const FORM: usize = 64 * 1024;
/// A file of evidence that somebody who is signed in hands in to be checked; bytes at most.
pub const UPLOAD: usize = 64 << 20;
/// Where.
pub const UPLOAD_PATH: &str = "/evidence/verify";
/// The picture of a floor plan, and how long it may be.
pub const PICTURE: usize = 8 << 20;
pub const PICTURE_PATH: &str = "/setup/plan/picture";
/// A signed firmware file for nodes, and how long it may be: an image of 4 MiB and its header.
pub const FIRMWARE: usize = (4 << 20) + 4096;
pub const FIRMWARE_PATH: &str = "/setup/firmware/file";
/// The same where nobody has logged in.
const OPEN_FORM: usize = 4 * 1024;

impl Door {
    /// Puts `inside` behind the door. `outside` answers without a session, by rules of its own: health, machine interfaces with their own
    /// tokens. Security headers go on everything.
    pub fn guard(&self, inside: Router, outside: Router) -> Router {
        self.guard_with(inside, Router::new(), outside)
    }

    /// The same with pages that nobody logs in for: what authorises them stands in their address, so that no other website can make a browser send it. They
    /// know the visitor's language, refuse what another website sends all the same, and need no cookie.
    pub fn guard_with(&self, inside: Router, open: Router, outside: Router) -> Router {
        self.guard_routes(inside, open, outside, None)
    }

    /// The same where roles differ: `table` says for each route of `inside` who may read it and who may act. What stands in no row is shut.
    pub fn guard_by(&self, inside: Router, open: Router, outside: Router, table: &'static [Row]) -> Router {
        self.guard_routes(inside, open, outside, Some(table))
    }

    fn guard_routes(&self, inside: Router, open: Router, outside: Router, table: Option<&'static [Row]>) -> Router {
        let inside = match table {
            Some(table) => inside.layer(from_fn(move |v, request, next| require_role(table, v, request, next))),
            None => inside,
        };
        let inside = inside.fallback(not_found).layer(from_fn_with_state(self.clone(), require_session));
        let pages = inside
            .merge(forms::routes(self.clone()))
            .layer(from_fn_with_state(self.clone(), screen))
            .merge(open.layer(from_fn_with_state(self.clone(), screen_open)));
        let pages = match table {
            Some(table) => pages.layer(Extension(role::Table(table))),
            None => pages,
        };
        pages.merge(outside.route("/assets/{hash}/{name}", get(assets::serve))).layer(from_fn(squeeze)).layer(from_fn(security_headers))
    }
}

async fn not_found(visitor: Visitor) -> Response {
    let ui = visitor.plain_ui(0);
    (StatusCode::NOT_FOUND, Html(page::error(&ui, &ui.t("error-not-found"), &ui.t("error-not-found-help")))).into_response()
}

/// Finds out who asks, and refuses what another website or an old page sends.
async fn screen(State(door): State<Door>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let visitor = Visitor::of(&door, &parts);
    let cookies = visitor.cookies.clone();
    if let Some(session) = &visitor.session {
        door.refresh(session).await;
    }
    parts.extensions.insert(visitor.clone());
    let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let request = if safe {
        Ok(Request::from_parts(parts, body))
    } else if !same_origin(&parts.headers) {
        Err(("error-origin", StatusCode::FORBIDDEN))
    } else {
        // Only somebody who is signed in, and whose token is known before the body is read.
        let uploads = visitor.session.is_some() && parts.headers.contains_key("x-csrf-token");
        let most = match parts.uri.path() {
            UPLOAD_PATH if uploads => UPLOAD,
            PICTURE_PATH if uploads => PICTURE,
            FIRMWARE_PATH if uploads => FIRMWARE,
            _ => FORM,
        };
        match to_bytes(body, most).await {
            Ok(bytes) => check_token(&visitor, Request::from_parts(parts, Body::empty()), bytes).await,
            Err(_) => Err(("error-server", StatusCode::PAYLOAD_TOO_LARGE)),
        }
    };
    let mut response = match request {
        Ok(request) => next.run(request).await,
        Err((key, status)) => {
            let ui = visitor.plain_ui(door.now());
            (status, Html(page::error(&ui, &ui.t("error-server"), &ui.t(key)))).into_response()
        }
    };
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// For pages whose address is their key: see [`Door::guard_with`].
async fn screen_open(State(door): State<Door>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let visitor = Visitor::of(&door, &parts);
    parts.extensions.insert(visitor.clone());
    let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe && !same_origin(&parts.headers) {
        let ui = visitor.plain_ui(door.now());
        return (StatusCode::FORBIDDEN, Html(page::error(&ui, &ui.t("error-server"), &ui.t("error-origin")))).into_response();
    }
    match to_bytes(body, OPEN_FORM).await {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    }
}

/// Browsers say where a POST comes from; who says nothing (a script) still needs the token.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site"))
        && !matches!(site, "same-origin" | "none")
    {
        return false;
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, o)| o.eq_ignore_ascii_case(host)),
        (Some(_), None) => false,
    }
}

#[derive(serde::Deserialize)]
struct Token {
    #[serde(default)]
    csrf: String,
}

/// The token is in the form's field `csrf` or in the header `x-csrf-token`; the body is handed on untouched.
async fn check_token(visitor: &Visitor, request: Request, bytes: Bytes) -> Result<Request, (&'static str, StatusCode)> {
    let (parts, _) = request.into_parts();
    let given = match parts.headers.get("x-csrf-token").and_then(|v| v.to_str().ok()) {
        Some(token) => token.to_owned(),
        None => {
            let mut copy = Request::new(Body::from(bytes.clone()));
            *copy.method_mut() = Method::POST;
            if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
                copy.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
            }
            Form::<Token>::from_request(copy, &()).await.map(|f| f.0.csrf).unwrap_or_default()
        }
    };
    if same(&given, &visitor.csrf) {
        Ok(Request::from_parts(parts, Body::from(bytes)))
    } else {
        Err(("error-form-old", StatusCode::FORBIDDEN))
    }
}

/// A person looking for a page, as against a script, a fragment or an event stream.
fn wants_page(request: &Request) -> bool {
    let accepts =
        request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_none_or(|a| a.contains("text/html") || a.contains("*/*"));
    let path = request.uri().path();
    let machine = ["/fragment/", "/api/", "/events"].iter().any(|p| path.starts_with(p));
    request.method() == Method::GET && accepts && !machine
}

async fn require_session(State(door): State<Door>, visitor: Visitor, request: Request, next: Next) -> Response {
    if visitor.signed_in() {
        return next.run(request).await;
    }
    if !door.claimed() {
        let status = if request.uri().path() == "/" { StatusCode::OK } else { StatusCode::FORBIDDEN };
        if !wants_page(&request) {
            return StatusCode::FORBIDDEN.into_response();
        }
        let mut ui = visitor.plain_ui(door.now());
        ui.path = "/claim".into();
        return (status, Html(page::claim(&ui, &page::Claim::default()))).into_response();
    }
    if !wants_page(&request) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let path = request.uri().path();
    Redirect::to(&if path == "/" { "/login".to_owned() } else { format!("/login?then={path}") }).into_response()
}

async fn require_role(table: &'static [Row], visitor: Visitor, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let may = role::may(table, path, request.method());
    if visitor.role().is_some_and(|r| may.hold(r)) {
        return next.run(request).await;
    }
    if !wants_page(&request) && request.method() == Method::GET {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut ui = visitor.plain_ui(0);
    ui.path = "/".into();
    (StatusCode::FORBIDDEN, Html(page::error(&ui, &ui.t("error-role"), &ui.t("error-role-help")))).into_response()
}

async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with that, browsers send `Origin: null` along with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // The camera is for scanning labels, on our own pages.
        (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=(), payment=(), usb=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // No page can be painted without the style: it is asked for before the page has been read.
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/html"));
    if is_page && let Ok(style) = HeaderValue::from_str(&format!("<{}>; rel=preload; as=style", assets::url("app.css"))) {
        headers.insert(header::LINK, style);
    }
    response
}
