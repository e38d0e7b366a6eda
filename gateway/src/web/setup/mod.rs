//! The pages of set-up, one file for each step.
//!
//! | file | holds |
//! |---|---|
//! | `devices` | devices onto rooms, credentials |
//! | [`commission`] | while devices are proved |
//! | [`prove`] | what is asked for as a proof, and what has come |
//! | [`selftest`] | nodes look at their sensors |
//! | [`firmware`] | signed files onto nodes |
//! | `plan` | the floor plan: shown and drawn |
//! | `checklist` | what a person confirms with a date |
//! | `paper` | what is missing, the commissioning report, labels |
//! | `site` | the site as one file; changes into force |
//!
//! What must hold: only the files of this gateway are written, whole or not at all; every change is on record before it is made. What
//! a device under proof says is a test, and nothing else is.
pub mod checklist;
pub mod commission;
pub mod devices;
pub mod firmware;
pub mod paper;
pub mod plan;
pub mod prove;
pub mod selftest;
pub mod site;

use super::deeds::{Doing, record};
use super::pages::{sorry, ui};
use super::{QueryError, Shared};
use crate::engine::site::Site;
use crate::nodes::key::NodeTls;
use crate::setup::files::{Files, NotWritten};
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use std::sync::Arc;
use tokio::sync::Notify;
use tuoan_dashboards::Ui;
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::setup as page;
use tuoan_dashboards::view::setup::{ITEMS, Overview, ProofState};

/// What set-up needs of the running gateway.
#[derive(Debug, Clone)]
pub struct SetUp {
    /// `None`: the configuration is not set-up's to change (a demo).
    pub files: Option<Files>,
    /// The site that the gateway goes by.
    pub site: Arc<Site>,
    /// A district platform is configured.
    pub uplink: bool,
    /// How the project's own nodes reach the broker over TLS.
    pub node_tls: Option<NodeTls>,
    /// Asks for a restart of the parts with the files as they are.
    pub reload: Arc<Notify>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Done {
    pub(super) done: String,
}

/// Only known words: a link must not put text into the page.
const DONE: [&str; 10] = ["sent", "drawn", "placed", "removed", "replaced", "applied", "imported", "checked", "begun", "over"];

impl Done {
    pub(super) fn notice(&self, ui: &Ui) -> Option<String> {
        DONE.contains(&self.done.as_str()).then(|| ui.t(&format!("setup-done-{}", self.done)))
    }
}

/// The site as its file has it, and whether the gateway goes by something else.
pub(crate) async fn present(web: &Shared) -> Result<(Site, bool), Vec<String>> {
    let set = &web.deps.setup;
    let Some(files) = set.files.clone() else { return Ok(((*set.site).clone(), false)) };
    let read = tokio::task::spawn_blocking(move || {
        let site = files.read();
        let newer = |p: &std::path::Path| std::fs::metadata(p).and_then(|m| m.modified()).ok();
        (site, newer(&files.config))
    });
    let (site, _) = read.await.map_err(|e| vec![e.to_string()])?;
    let site = site?;
    let waiting = site.without_plans() != *set.site || web.enrolled.load(std::sync::atomic::Ordering::Relaxed);
    Ok((site, waiting))
}

/// Puts the deed on record, then writes the site. What is wrong, in words.
pub(crate) async fn write(web: &Shared, visitor: &Visitor, site: Site, doing: Doing) -> Result<(), Vec<String>> {
    let ui = ui(web, visitor);
    let Some(files) = web.deps.setup.files.clone() else { return Err(vec![ui.t("setup-fixed")]) };
    let found = crate::setup::files::problems(&site);
    if !found.is_empty() {
        return Err(found);
    }
    if !record(web, visitor, doing).await {
        return Err(vec![ui.t("error-setup-unsaved")]);
    }
    match tokio::task::spawn_blocking(move || files.write(&site)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(NotWritten::Problems(list))) => Err(list),
        Ok(Err(e)) => {
            tracing::error!("the site file was not written: {e}");
            Err(vec![ui.t("error-setup-unsaved")])
        }
        Err(_) => Err(vec![ui.t("error-setup-unsaved")]),
    }
}

pub(crate) async fn overview(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    let (site, waiting) = match present(&web).await {
        Ok(found) => found,
        Err(problems) => {
            let v = Overview { problems, ..Overview::default() };
            return Html(page::overview(&ui, &v)).into_response();
        }
    };
    let (proofs, items) = match web.query(|r| Ok((prove::proved(r)?, checklist::entered(r)?))).await {
        Ok(found) => found,
        Err(QueryError::Busy) => return sorry(&ui, &QueryError::Busy),
        Err(e) => return sorry(&ui, &e),
    };
    let duty = paper::duty_of(&web, &site);
    let v = Overview {
        rooms: site.zones.len(),
        devices: site.devices.len(),
        unplaced: devices::found(&web, &site).len(),
        proved: site.devices.iter().filter(|d| matches!(proofs.get(d.id.as_str()), Some(ProofState::Done(..)))).count(),
        gaps: duty.gaps.len(),
        checked: ITEMS.iter().filter(|i| items.contains_key(**i)).count(),
        items: ITEMS.len(),
        waiting,
        fixed: web.deps.setup.files.is_none(),
        notice: done.notice(&ui),
        problems: Vec::new(),
    };
    Html(page::overview(&ui, &v)).into_response()
}
