//! The site as one file, and changes into force.
use super::super::Shared;
use super::super::deeds::{Doing, record};
use super::super::pages::{sorry, ui};
use super::{QueryError, present, write};
use crate::setup::files;
use axum::extract::{Form, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::setup as page;
use tuoan_dashboards::view::setup::SiteText;

/// The answer leaves before the pages end.
const GRACE: Duration = Duration::from_millis(300);

#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    #[serde(default)]
    text: String,
}

async fn text(web: &Shared) -> Result<String, Vec<String>> {
    let (site, _) = present(web).await?;
    files::text(&site).map_err(|e| vec![e.to_string()])
}

pub(crate) async fn form(State(web): State<Shared>, visitor: Visitor) -> Response {
    let v = match text(&web).await {
        Ok(text) => SiteText { text, ..SiteText::default() },
        Err(problems) => SiteText { problems, ..SiteText::default() },
    };
    Html(page::site_text(&ui(&web, &visitor), &v)).into_response()
}

pub(crate) async fn export(State(web): State<Shared>, visitor: Visitor) -> Response {
    let ui = ui(&web, &visitor);
    // Names of people may stand in it.
    if !record(&web, &visitor, Doing { kind: "exported", ..Doing::default() }).await {
        return sorry(&ui, &QueryError::Busy);
    }
    match text(&web).await {
        Ok(text) => {
            let mut response = text.into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/toml; charset=utf-8"));
            headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"site.toml\""));
            response
        }
        Err(problems) => {
            let v = SiteText { problems, ..SiteText::default() };
            (StatusCode::INTERNAL_SERVER_ERROR, Html(page::site_text(&ui, &v))).into_response()
        }
    }
}

pub(crate) async fn import(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let mut ui = ui(&web, &visitor);
    ui.path = "/setup/site".into();
    // Browsers send line ends as CR LF.
    let text = asked.text.replace("\r\n", "\n");
    let again = |problems, text| {
        let v = SiteText { problems, text, ..SiteText::default() };
        (StatusCode::UNPROCESSABLE_ENTITY, Html(page::site_text(&ui, &v))).into_response()
    };
    let site = match files::parse(&text) {
        Ok(site) => site,
        Err(problems) => return again(problems, text),
    };
    // The log is one site's: another's file belongs into another box.
    if site.id != web.deps.setup.site.id {
        let own = &web.deps.setup.site.id;
        return again(
            vec![format!("id = \"{}\": this gateway is \"{own}\"; keep its id, or start a new box with an empty data folder", site.id)],
            text,
        );
    }
    match write(&web, &visitor, site, Doing { kind: "imported", ..Doing::default() }).await {
        Ok(()) => axum::response::Redirect::to("/setup?done=imported").into_response(),
        Err(problems) => again(problems, text),
    }
}

/// Restarts the parts with the files as they are.
pub(crate) async fn apply(State(web): State<Shared>, visitor: Visitor) -> Response {
    let ui = ui(&web, &visitor);
    if web.deps.setup.files.is_none() || present(&web).await.is_err() {
        return sorry(&ui, &QueryError::Busy);
    }
    if !record(&web, &visitor, Doing { kind: "site_written", ..Doing::default() }).await {
        return sorry(&ui, &QueryError::Busy);
    }
    web.enrolled.store(false, Ordering::Relaxed);
    let reload = web.deps.setup.reload.clone();
    tokio::spawn(async move {
        tokio::time::sleep(GRACE).await;
        reload.notify_one();
    });
    Html(page::restarting(&ui, "/setup/devices?done=applied")).into_response()
}
