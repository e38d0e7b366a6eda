//! Firmware of the project's own nodes: what runs where, which signed files are here, and sending one of them. Whether a signature is good says the node.
use super::super::deeds::{Doing, record};
use super::super::pages::ui;
use super::super::{Shared, pages};
use super::{Done, present};
use crate::nodes::push::Stage;
use crate::nodes::rollout::{Rollout, To, offered, put};
use axum::body::Bytes;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::setup as page;
use tuoan_dashboards::view::setup::{Firmware, FirmwareFile, FirmwareNode};

/// A node's stage in a word of the messages, and what it is about.
fn stage(stage: &Stage, length: u32) -> (&'static str, String) {
    match stage {
        Stage::Waiting => ("waiting", String::new()),
        Stage::Offered => ("offered", String::new()),
        Stage::Sending(done) => ("sending", (u64::from(*done) * 100 / u64::from(length.max(1))).to_string()),
        Stage::Restarting => ("restarting", String::new()),
        Stage::Confirmed => ("confirmed", String::new()),
        Stage::Refused(reason) => ("refused", reason.clone()),
        Stage::RolledBack => ("rolled_back", String::new()),
        Stage::Silent => ("silent", String::new()),
        Stage::Left => ("left", String::new()),
    }
}

async fn view(web: &Shared, nodes: &Rollout) -> Firmware {
    let (site, _) = present(web).await.unwrap_or_else(|_| ((*web.deps.setup.site).clone(), false));
    let rooms: Vec<(String, String)> = site.zones.iter().map(|z| (z.id.to_string(), z.name.clone())).collect();
    let push = nodes.progress();
    let stages: BTreeMap<&str, (&'static str, String)> =
        push.iter().flat_map(|p| p.nodes.iter().map(|n| (n.device.as_str(), stage(&n.stage, p.length)))).collect();
    let list = nodes.known().into_iter().filter(|k| k.is_node).map(|k| FirmwareNode {
        room: rooms.iter().find(|r| r.0 == k.zone).map_or_else(|| k.zone.clone(), |r| r.1.clone()),
        stage: stages.get(k.device.as_str()).cloned(),
        device: k.device.to_string(),
        board: k.board,
        version: k.firmware,
        heard: k.heard,
    });
    let data = nodes.data.clone();
    let files = tokio::task::spawn_blocking(move || offered(&data)).await.unwrap_or_default();
    let revisions = |(first, last): (u16, u16)| if first == last { first.to_string() } else { format!("{first}–{last}") };
    let file = |f: crate::nodes::rollout::Offered| FirmwareFile {
        hardware: revisions(f.hardware),
        image: f.image,
        board: f.board,
        version: f.version.to_string(),
        bytes: f.length.into(),
    };
    let last = web.query(|r| r.deeds(None, Some("firmware"), None, 1)).await.unwrap_or_default();
    Firmware {
        nodes: list.collect(),
        files: files.into_iter().map(file).collect(),
        rooms,
        by: last.into_iter().next().map(|row| (row.deed.actor, row.deed.at)),
        busy: push.is_some_and(|p| !p.over),
        notice: None,
        problems: Vec::new(),
    }
}

async fn show(web: &Shared, visitor: &Visitor, status: StatusCode, fill: impl FnOnce(&mut Firmware)) -> Response {
    let mut ui = ui(web, visitor);
    ui.path = "/setup/firmware".into();
    let Some(nodes) = &web.deps.nodes else { return pages::missing(&ui) };
    let mut v = view(web, nodes).await;
    fill(&mut v);
    (status, Html(page::firmware(&ui, &v))).into_response()
}

pub(crate) async fn list(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let notice = done.notice(&ui(&web, &visitor));
    show(&web, &visitor, StatusCode::OK, |v| v.notice = notice).await
}

pub(crate) async fn live(State(web): State<Shared>, visitor: Visitor) -> Response {
    let ui = ui(&web, &visitor);
    let Some(nodes) = &web.deps.nodes else { return pages::missing(&ui) };
    Html(page::firmware_fragment(&ui, &view(&web, nodes).await)).into_response()
}

/// `POST /setup/firmware/file`: the file itself is the body.
pub(crate) async fn upload(State(web): State<Shared>, visitor: Visitor, body: Bytes) -> Response {
    let ui = ui(&web, &visitor);
    let Some(nodes) = &web.deps.nodes else { return pages::missing(&ui) };
    let wrong = |text: String| (StatusCode::UNPROCESSABLE_ENTITY, text).into_response();
    let header = match crate::nodes::sign::opened(&body) {
        Ok((header, ..)) => header,
        Err(e) => return wrong(ui.t1("firmware-bad", "why", e.to_string())),
    };
    let detail = format!("{} {}", header.board(), header.version);
    let doing = Doing { kind: "firmware_taken", object: format!("{:016x}", header.id()), detail, ..Doing::default() };
    if !record(&web, &visitor, doing).await {
        return wrong(ui.t("error-setup-unsaved"));
    }
    let data = nodes.data.clone();
    match tokio::task::spawn_blocking(move || put(&data, &body)).await {
        Ok(Ok(_)) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(e)) => wrong(ui.t1("firmware-bad", "why", e.to_string())),
        Err(_) => wrong(ui.t("error-setup-unsaved")),
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Send {
    image: String,
    /// `device:ID`, `room:ID` or `all`.
    to: String,
}

pub(crate) async fn send(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Send>) -> Response {
    let ui = ui(&web, &visitor);
    let Some(nodes) = &web.deps.nodes else { return pages::missing(&ui) };
    let to = match asked.to.split_once(':') {
        Some(("device", id)) => To::Device(id.to_owned()),
        Some(("room", id)) => To::Room(id.to_owned()),
        _ if asked.to == "all" => To::All,
        _ => return pages::missing(&ui),
    };
    let by = visitor.actor.clone().or_else(|| visitor.account().map(str::to_owned)).unwrap_or_default();
    match nodes.begin(&asked.image, &to, &by).await {
        Ok(()) => Redirect::to("/setup/firmware?done=sent").into_response(),
        Err(why) => {
            let problem = ui.t1("firmware-not-begun", "why", why);
            show(&web, &visitor, StatusCode::UNPROCESSABLE_ENTITY, |v| v.problems = vec![problem]).await
        }
    }
}
