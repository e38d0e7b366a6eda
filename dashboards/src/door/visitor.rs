//! Who asks, and in which language.
use super::role::Table;
use super::{Door, Role, Session, draw_token, hash};
use crate::lang::{Lang, Theme, Ui};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The request's sender, as the guard found out. Handlers of the inside take it as an argument.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub lang: Lang,
    pub theme: Theme,
    pub address: IpAddr,
    /// Path of the request, without its query.
    pub path: String,
    /// For every form.
    pub csrf: String,
    /// Who acts, once that is known.
    pub actor: Option<String>,
    /// They stand at a gateway's door.
    pub institution: bool,
    /// The session belongs to one person, and `actor` is theirs: nobody acts under another name in it.
    pub personal: bool,
    pub(super) session: Option<Session>,
    /// Who may do what here, so that pages offer nothing else.
    pub(super) table: Option<Table>,
    /// Cookies to be set with the answer, whole header values.
    pub(super) cookies: Vec<String>,
}

impl Visitor {
    pub fn signed_in(&self) -> bool {
        self.session.is_some()
    }
    /// As whom the session was opened.
    pub fn role(&self) -> Option<Role> {
        self.session.as_ref().map(|s| s.role)
    }
    /// Id of the account or pass that opened the session.
    pub fn account(&self) -> Option<&str> {
        self.session.as_ref().map(|s| s.account.as_str())
    }
    /// The address as it stands in the log.
    pub fn from(&self) -> String {
        self.address.to_canonical().to_string()
    }
    /// What tells this session from others, without being its secret: for what is given to one session alone.
    pub fn session_key(&self) -> Option<&str> {
        self.session.as_ref().map(|s| s.hash.as_str())
    }
    /// What the pages need; the server fills in its clock and name.
    pub fn ui(&self, now: i64, utc_offset_minutes: i32, speed: f64, whose: &str) -> Ui {
        Ui {
            lang: self.lang,
            theme: self.theme,
            now,
            utc_offset_minutes,
            speed,
            csrf: self.csrf.clone(),
            path: self.path.clone(),
            actor: self.actor.clone(),
            signed_in: self.signed_in(),
            role: self.role(),
            table: self.table,
            whose: whose.to_owned(),
            institution: self.institution,
        }
    }
    /// For pages that show no time of the server: claim, login, errors.
    pub(super) fn plain_ui(&self, now: i64) -> Ui {
        self.ui(now, 480, 1.0, "")
    }

    /// Reads cookies, query and headers.
    pub(super) fn of(door: &Door, parts: &Parts) -> Visitor {
        let mut cookies = Vec::new();
        let query = |name: &str| {
            parts
                .uri
                .query()
                .unwrap_or_default()
                .split('&')
                .filter_map(|p| p.split_once('='))
                .find(|(k, _)| *k == name)
                .map(|(_, v)| v.to_owned())
        };
        let kept = "Path=/; Max-Age=31536000; SameSite=Lax";
        let lang = match query("lang").as_deref().and_then(Lang::parse) {
            Some(chosen) => {
                cookies.push(format!("tuoan_lang={}; {kept}", chosen.tag()));
                chosen
            }
            None => cookie(&parts.headers, "tuoan_lang")
                .and_then(Lang::parse)
                .or_else(|| parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).and_then(Lang::accept))
                .unwrap_or_default(),
        };
        let theme = match query("theme").as_deref().and_then(Theme::parse) {
            Some(chosen) => {
                cookies.push(format!("tuoan_theme={}; {kept}", chosen.name()));
                chosen
            }
            None => cookie(&parts.headers, "tuoan_theme").and_then(Theme::parse).unwrap_or_default(),
        };
        let name = &door.0.cookie;
        let token = cookie(&parts.headers, name);
        let session = token.and_then(|t| door.session(t));
        let csrf = match (&session, token) {
            (Some(_), Some(token)) => csrf_of(token),
            // Before there is a session, the forms of the door are tied to a cookie of their own.
            _ => {
                let visit = format!("{name}_visit");
                match cookie(&parts.headers, &visit).filter(|v| v.len() == 64) {
                    Some(v) => csrf_of(v),
                    None => {
                        let drawn = draw_token();
                        cookies.push(format!("{visit}={drawn}; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict"));
                        csrf_of(&drawn)
                    }
                }
            }
        };
        let address =
            parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.0.ip());
        let own = session.as_ref().and_then(|s| door.own_name(s));
        let personal = own.is_some();
        let actor = own.or_else(|| session.as_ref().and_then(|s| s.actor.clone()));
        Visitor {
            lang,
            theme,
            address,
            path: parts.uri.path().to_owned(),
            csrf,
            actor,
            personal,
            institution: door.is_gateway(),
            session,
            table: parts.extensions.get::<Table>().copied(),
            cookies,
        }
    }
}

/// The token of the forms that belong to that cookie: who can read neither the cookie nor the page cannot make it.
fn csrf_of(cookie: &str) -> String {
    let mut token = hash(&format!("csrf of {cookie}"));
    token.truncate(43);
    token
}

pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|p| p.trim().split_once('='))
        .find(|(k, _)| *k == name)
        .map(|(_, v)| v)
        .filter(|v| v.len() <= 128)
}

/// Works only behind the guard.
impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = StatusCode;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visitor, StatusCode> {
        parts.extensions.get::<Visitor>().cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}
