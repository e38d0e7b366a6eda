//! What no device can prove: consent, impact assessment, signs. A person confirms it with a date, and that is on record.
use super::super::Shared;
use super::super::deeds::{Doing, record};
use super::super::pages::{sorry, ui};
use super::Done;
use crate::engine::schedule::parse_date;
use crate::store::Reader;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use tuoan_dashboards::door::{Visitor, tidy};
use tuoan_dashboards::setup as page;
use tuoan_dashboards::view::setup::{Checklist, ITEMS, Item};

const NOTE: usize = 240;
const KEPT: usize = 500;

/// The newest entry of each item: date, who, note.
pub type Entered = BTreeMap<String, (String, String, String)>;

pub fn entered(reader: &Reader) -> crate::store::reader::Result<Entered> {
    let mut items = BTreeMap::new();
    for row in reader.deeds(None, Some("checklist"), None, KEPT)? {
        items.entry(row.deed.object).or_insert((row.deed.detail, row.deed.actor, row.deed.purpose));
    }
    Ok(items)
}

pub fn items(entered: &Entered) -> Vec<Item> {
    let item = |name: &'static str| {
        let (date, by, note) = entered.get(name).cloned().unwrap_or_default();
        Item { name, date, by, note }
    };
    ITEMS.into_iter().map(item).collect()
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    item: String,
    date: String,
    note: String,
}

async fn show(web: &Shared, visitor: &Visitor, status: StatusCode, wrong: Option<String>, done: Option<String>) -> Response {
    let mut ui = ui(web, visitor);
    ui.path = "/setup/checklist".into();
    match web.query(entered).await {
        Ok(found) => (status, Html(page::checklist(&ui, &Checklist { items: items(&found), wrong, done }))).into_response(),
        Err(e) => sorry(&ui, &e),
    }
}

pub(crate) async fn list(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let notice = done.notice(&ui(&web, &visitor));
    show(&web, &visitor, StatusCode::OK, None, notice).await
}

pub(crate) async fn enter(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    let today = web.deps.setup.site.local_day(web.deps.clock.utc_ms());
    let known = ITEMS.iter().find(|i| **i == asked.item);
    let (Some(item), true) = (known, parse_date(&asked.date).is_some_and(|d| d <= today)) else {
        return show(&web, &visitor, StatusCode::UNPROCESSABLE_ENTITY, Some(ui.t("error-checklist")), None).await;
    };
    let doing = Doing { kind: "checklist", object: (*item).to_owned(), purpose: tidy(&asked.note, NOTE), detail: asked.date };
    if !record(&web, &visitor, doing).await {
        return sorry(&ui, &super::QueryError::Busy);
    }
    Redirect::to("/setup/checklist?done=checked").into_response()
}
