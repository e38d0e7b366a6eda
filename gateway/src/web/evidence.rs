//! The form that exports an incident's evidence, and the file. Who asks and what for is in the log before anything is handed out.
use super::Shared;
use super::pages::{missing, sorry, ui};
use crate::cameras::access::record;
use crate::engine::input::{PictureAct, PictureDeed};
use crate::evidence::export::{Request, export as make};
use axum::extract::{Form, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::sync::Semaphore;
use tuoan_dashboards::door::{ACTOR, Visitor, tidy};
use tuoan_dashboards::view::evidence::Export;
use tuoan_dashboards::{Ui, page};
use tuoan_protocol::IncidentId;

/// Bytes of a purpose.
const PURPOSE: usize = 80;
/// Files that are made at once: each takes up to a hundred megabytes for a moment.
static AT_ONCE: Semaphore = Semaphore::const_new(1);

#[derive(serde::Deserialize)]
pub struct Asked {
    #[serde(default)]
    name: String,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    pictures: String,
}

/// The form as yet empty; `None`: there is no such incident.
async fn blank(web: &Shared, visitor: &Visitor, ui: &Ui, id: &str) -> Result<Option<Export>, super::QueryError> {
    let (wanted, catalogue) = (id.to_owned(), web.deps.catalogue.clone());
    let row = web.query(move |reader| reader.incident(&wanted)).await?;
    Ok(row.map(|row| {
        let title = catalogue.get(&row.rule).map(|e| tuoan_dashboards::lang::Text::new(e.title.zh.clone(), e.title.en.clone()));
        let title = title.map_or_else(|| row.hazard.as_str().to_owned(), |t| ui.text(&t).to_owned());
        Export {
            incident: row.id.as_str().to_owned(),
            title: format!("{title} · {}", ui.full_date_time(row.opened_at)),
            name: visitor.actor.clone().unwrap_or_default(),
            pictures: true,
            key: web.deps.evidence.key.public().fingerprint(),
            ..Export::default()
        }
    }))
}

pub async fn ask(State(web): State<Shared>, mut visitor: Visitor, Path(id): Path<String>) -> Response {
    visitor.path = format!("/incidents/{id}/evidence");
    let ui = ui(&web, &visitor);
    match blank(&web, &visitor, &ui, &id).await {
        Ok(Some(form)) => Html(page::evidence_export(&ui, &form)).into_response(),
        Ok(None) => missing(&ui),
        Err(e) => sorry(&ui, &e),
    }
}

pub async fn export(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(asked): Form<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    let mut form = match blank(&web, &visitor, &ui, &id).await {
        Ok(Some(form)) => form,
        Ok(None) => return missing(&ui),
        Err(e) => return sorry(&ui, &e),
    };
    (form.name, form.purpose, form.pictures) = (tidy(&asked.name, ACTOR), tidy(&asked.purpose, PURPOSE), !asked.pictures.is_empty());
    form.name_error = form.name.is_empty().then(|| ui.t("error-name"));
    form.purpose_error = (form.purpose.chars().count() < 2).then(|| ui.t("error-evidence-purpose"));
    if form.name_error.is_some() || form.purpose_error.is_some() {
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page::evidence_export(&ui, &form))).into_response();
    }
    let failed = |status: StatusCode, help: &str| (status, Html(page::error(&ui, &ui.t("error-evidence"), &ui.t(help)))).into_response();
    let Ok(_one) = AT_ONCE.try_acquire() else { return failed(StatusCode::SERVICE_UNAVAILABLE, "error-busy") };
    let Ok(incident) = IncidentId::new(&id) else { return missing(&ui) };
    let _ = web.deps.door.remember_actor(&visitor, &form.name).await;
    let deed = PictureDeed { what: PictureAct::Export, camera: None, incident: Some(incident), reason: form.purpose.clone() };
    if let Err(e) = record(&web.deps.handle.control, &form.name, deed).await {
        tracing::warn!("no evidence is exported: {e}");
        return failed(StatusCode::SERVICE_UNAVAILABLE, "error-leave-log");
    }
    let office = web.deps.evidence.clone();
    let request = Request { by: form.name, purpose: form.purpose, pictures: form.pictures, now: web.deps.clock.utc_ms() };
    let name = format!("tuoan-{}.html", id.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
    match tokio::task::spawn_blocking(move || make(&office.data, &office.key, &id, &request)).await {
        Ok(Ok(made)) => {
            made.remarks.iter().for_each(|r| tracing::warn!("evidence: {r}"));
            let mut answer = made.bytes.into_response();
            let headers = answer.headers_mut();
            // Saved, not shown: as a page of this gateway it could do what the gateway's own pages may.
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
                headers.insert(header::CONTENT_DISPOSITION, name);
            }
            answer
        }
        Ok(Err(e)) => {
            tracing::error!("evidence was not exported: {e}");
            failed(StatusCode::INTERNAL_SERVER_ERROR, "error-evidence-help")
        }
        Err(_) => failed(StatusCode::INTERNAL_SERVER_ERROR, "error-evidence-help"),
    }
}
