//! Codes of inspectors: issued here, fetched by the gateway of the nursery.
use super::error::ApiError;
use super::pages::{failure, ui};
use crate::app::App;
use crate::auth::Principal;
use crate::passes::{self, Issued, Refused, Wish};
use crate::sites;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tuoan_dashboards::door::{ACTOR, Grants, GrantsAsked, Visitor, tidy};
use tuoan_dashboards::page;
use tuoan_dashboards::view::platform::{PassLine, PassState, Passes};

const PURPOSE: usize = 256;

pub fn routes() -> Router<App> {
    Router::new().route("/passes", get(show).post(issue)).route("/passes/{id}/revoke", post(revoke))
}

/// `POST /v1/passes`: a gateway says what it has taken over and is told what is good.
pub async fn exchange(State(app): State<App>, who: Principal, Json(asked): Json<GrantsAsked>) -> Result<Json<Grants>, ApiError> {
    let Principal::Site(site) = who else {
        return Err(ApiError::forbidden("only the token of a site may ask for its inspectors' codes"));
    };
    Ok(Json(passes::exchange(&app.db, &site, &asked.taken, app.clock.utc_ms()).await?))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    site: String,
    holder: String,
    purpose: String,
    hours: String,
    name: String,
}

fn line(p: Issued, now: i64) -> PassLine {
    let state = match (&p.revoked, p.taken) {
        (Some((at, by)), _) => PassState::Revoked(*at, by.clone()),
        (None, _) if p.expires <= now => PassState::Over,
        (None, Some(at)) => PassState::Open(at),
        (None, None) => PassState::Waiting,
    };
    PassLine { id: p.id, site: p.site_name, holder: p.holder, by: p.by, purpose: p.purpose, issued: p.issued, expires: p.expires, state }
}

async fn page_with(app: &App, visitor: &Visitor, status: StatusCode, asked: Asked, code: Option<String>, wrong: Option<&str>) -> Response {
    let mut ui = ui(app, visitor);
    ui.path = "/passes".into();
    let now = app.clock.utc_ms();
    let found = async {
        let all = sites::list(&app.db, None, now, app.silent_after_ms).await?;
        Ok::<_, sqlx::Error>((all, passes::list(&app.db).await?))
    };
    match found.await {
        Ok((sites, list)) => {
            let v = Passes {
                sites: sites.into_iter().map(|s| (s.id, s.name)).collect(),
                passes: list.into_iter().map(|p| line(p, now)).collect(),
                site: asked.site,
                holder: asked.holder,
                purpose: asked.purpose,
                hours: asked.hours,
                code,
                wrong: wrong.map(|key| ui.t(key)),
            };
            (status, Html(page::platform_passes(&ui, &v))).into_response()
        }
        Err(e) => failure(&ui, e.into()),
    }
}

async fn show(State(app): State<App>, visitor: Visitor) -> Response {
    page_with(&app, &visitor, StatusCode::OK, Asked::default(), None, None).await
}

async fn issue(State(app): State<App>, mut visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let name = tidy(&asked.name, ACTOR);
    if !name.is_empty() && app.door.remember_actor(&visitor, &name).await.is_ok() {
        visitor.actor = Some(name);
    }
    let wish = Wish {
        site: asked.site.clone(),
        holder: tidy(&asked.holder, ACTOR),
        purpose: tidy(&asked.purpose, PURPOSE),
        by: visitor.actor.clone().unwrap_or_default(),
        hours: asked.hours.trim().parse().unwrap_or(0),
    };
    match passes::issue(&app.db, &wish, app.clock.utc_ms()).await {
        Ok(Ok(code)) => page_with(&app, &visitor, StatusCode::OK, Asked::default(), Some(code), None).await,
        Ok(Err(refused)) => {
            let wrong = match refused {
                Refused::NoSite => "error-pass-site",
                Refused::Missing => "error-pass-missing",
                Refused::Hours => "error-pass-hours",
                Refused::TooMany => "error-pass-many",
            };
            page_with(&app, &visitor, StatusCode::UNPROCESSABLE_ENTITY, asked, None, Some(wrong)).await
        }
        Err(e) => failure(&ui(&app, &visitor), e.into()),
    }
}

async fn revoke(State(app): State<App>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let by = visitor.actor.clone().unwrap_or_else(|| visitor.from());
    match passes::revoke(&app.db, &id, &by, app.clock.utc_ms()).await {
        Ok(_) => Redirect::to("/passes").into_response(),
        Err(e) => failure(&ui(&app, &visitor), e.into()),
    }
}
