//! The pages of the people on duty. The door has let them in before any of these runs.
use super::api::one;
use super::error::ApiError;
use super::present;
use crate::app::App;
use crate::auth::Principal;
use crate::incidents::{self, Done, Filter, Kind};
use crate::sites;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tuoan_dashboards::door::{ACTOR, Visitor, tidy};
use tuoan_dashboards::view::Notice;
use tuoan_dashboards::view::platform::Live;
use tuoan_dashboards::{Ui, page};

/// Open incidents on the live page; the most urgent come first.
const SHOWN: i64 = 200;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/", get(live))
        .route("/fragment/live", get(live_fragment))
        .route("/events", get(super::live::events))
        .route("/incidents/{id}", get(incident))
        .route("/incidents/{id}/claim", post(claim))
        .route("/incidents/{id}/acknowledge", post(acknowledge))
        .merge(super::evidence::routes())
        .merge(super::passes::routes())
        .with_state(app)
}

pub(super) fn ui(app: &App, visitor: &Visitor) -> Ui {
    visitor.ui(app.clock.utc_ms(), app.look.utc_offset_minutes, app.look.clock_speed, &app.look.district)
}

/// A failure as a page, in words.
pub(super) fn failure(ui: &Ui, e: ApiError) -> Response {
    let (title, help) = match e.status {
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => ("error-not-found", "error-not-found-help"),
        _ => ("error-server", "error-server-help"),
    };
    (e.status, Html(page::error(ui, &ui.t(title), &ui.t(help)))).into_response()
}

async fn view(app: &App) -> Result<Live, ApiError> {
    // Read before the rows: a change in between shows as a newer version, and the page asks again.
    let version = *app.version.borrow();
    let incidents = incidents::list(&app.db, &Filter { limit: SHOWN, ..Filter::default() }).await?;
    let sites = sites::list(&app.db, None, app.clock.utc_ms(), app.silent_after_ms).await?;
    Ok(present::live(version, &incidents, &sites))
}

async fn live(State(app): State<App>, visitor: Visitor) -> Response {
    let ui = ui(&app, &visitor);
    match view(&app).await {
        Ok(v) => Html(page::platform_live(&ui, &v)).into_response(),
        Err(e) => failure(&ui, e),
    }
}

async fn live_fragment(State(app): State<App>, mut visitor: Visitor) -> Response {
    visitor.path = "/".into();
    let ui = ui(&app, &visitor);
    match view(&app).await {
        Ok(v) => Html(page::platform_fragment(&ui, &v)).into_response(),
        Err(e) => e.into_response(),
    }
}

/// Signed in: sees everything. The name matters for actions only.
fn person(visitor: &Visitor) -> Principal {
    Principal::District(visitor.actor.clone().unwrap_or_default())
}

/// Whose incident, for two sites may use the same id: nobody can hide another's incident by taking its name.
#[derive(Deserialize)]
struct OfSite {
    site: Option<String>,
}

async fn incident(State(app): State<App>, visitor: Visitor, Path(id): Path<String>, Query(of): Query<OfSite>) -> Response {
    incident_page(&app, &visitor, id, of.site, None).await
}

async fn incident_page(app: &App, visitor: &Visitor, id: String, site: Option<String>, notice: Option<(StatusCode, Notice)>) -> Response {
    let ui = ui(app, visitor);
    let found = async {
        let incident = one(app, &person(visitor), id, site).await?;
        let events = incidents::events_of(&app.db, &incident.site, &incident.id).await?;
        Ok::<_, ApiError>(present::incident_page(&incident, &events))
    };
    match found.await {
        Ok(mut v) => {
            let (status, notice) = notice.map_or((StatusCode::OK, None), |(s, n)| (s, Some(n)));
            v.notice = notice;
            (status, Html(page::platform_incident(&ui, &v))).into_response()
        }
        Err(e) => failure(&ui, e),
    }
}

#[derive(Deserialize)]
struct ActForm {
    /// Given when the session does not know yet who acts.
    name: Option<String>,
}

/// As it stands in a query.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

type Asked = (State<App>, Visitor, Path<String>, Query<OfSite>);

async fn claim(state: State<App>, visitor: Visitor, path: Path<String>, of: Query<OfSite>, form: Form<ActForm>) -> Response {
    act((state, visitor, path, of), form, Kind::Claim).await
}

async fn acknowledge(state: State<App>, visitor: Visitor, path: Path<String>, of: Query<OfSite>, form: Form<ActForm>) -> Response {
    act((state, visitor, path, of), form, Kind::Acknowledge).await
}

async fn act((State(app), mut visitor, Path(id), Query(of)): Asked, Form(form): Form<ActForm>, kind: Kind) -> Response {
    let site = of.site;
    let query = site.as_deref().map(|s| format!("?site={}", encoded(s))).unwrap_or_default();
    let page = visitor.path.rsplit_once('/').map_or("/", |(page, _)| page).to_owned();
    let (action, back) = (format!("{}{query}", visitor.path), format!("{page}{query}"));
    visitor.path = page;
    let ui = ui(&app, &visitor);
    if let Some(name) = form.name.as_deref().map(|n| tidy(n, ACTOR)).filter(|n| !n.is_empty()) {
        match app.door.remember_actor(&visitor, &name).await {
            Ok(name) => visitor.actor = Some(name),
            Err(_) => {
                return (StatusCode::SERVICE_UNAVAILABLE, Html(page::error(&ui, &ui.t("error-refused"), &ui.t("error-server-help"))))
                    .into_response();
            }
        }
    }
    let Some(actor) = visitor.actor.clone() else {
        // Sent empty, not only absent: say so beside the field.
        let error = form.name.is_some().then(|| ui.t("error-name"));
        let ask = page::AskName { action, back, error, ..page::AskName::default() };
        return Html(page::ask_name(&ui, &ask)).into_response();
    };
    let incident = match one(&app, &person(&visitor), id.clone(), site.clone()).await {
        Ok(incident) => incident,
        Err(e) => return failure(&ui, e),
    };
    match incidents::act(&app.db, &incident.site, &incident.id, kind, &actor, app.clock.utc_ms()).await {
        Ok(Done::Recorded(_)) => {
            app.changed();
            Redirect::to(&back).into_response()
        }
        Ok(Done::TakenBy(other)) => {
            let key = if kind == Kind::Claim { "platform-claimed-by" } else { "acknowledged-by" };
            let notice = Notice::Failed(ui.t1(key, "name", other.by.as_str()));
            incident_page(&app, &visitor, id, site, Some((StatusCode::CONFLICT, notice))).await
        }
        // The page as it is now says that it is over.
        Ok(Done::Closed) => incident_page(&app, &visitor, id, site, None).await,
        Ok(Done::NoSuchIncident) => failure(&ui, ApiError::not_found("there is no such incident")),
        Err(e) => failure(&ui, e.into()),
    }
}
