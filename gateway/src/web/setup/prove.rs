//! What is asked for as a proof, and what has come. The log is read from where it stood when the proof was asked for: a proof is what a device says after.
use super::super::deeds::{Doing, record};
use super::super::pages::ui;
use super::super::{QueryError, Shared};
use super::{Done, commission, devices, present, selftest};
use crate::engine::Body;
use crate::engine::input::Action;
use crate::engine::site::{Placement, Role};
use crate::setup::proof::Proof;
use crate::store::Reader;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::setup as page;
use tuoan_dashboards::view::setup::{Placed, ProofState, Proofs};
use tuoan_protocol::DeviceId;

/// A proof that has not come after this long has to be asked for again.
const WAIT_MS: i64 = 600_000;
/// Entries of the log that are looked through at a time.
const ENTRIES: usize = 5_000;
/// Proofs that are read of the store: the newest of each device counts.
const KEPT: usize = 2_000;

/// Proofs that are waited for.
#[derive(Debug, Default)]
pub struct Asked(Mutex<BTreeMap<DeviceId, Waiting>>);

#[derive(Debug, Clone)]
struct Waiting {
    proof: Proof,
    /// The log has been looked through to here.
    position: u64,
    since: i64,
}

/// The newest proof of each device.
pub fn proved(reader: &Reader) -> crate::store::reader::Result<BTreeMap<String, ProofState>> {
    let mut proofs = BTreeMap::new();
    for row in reader.deeds(None, Some("proved"), None, KEPT)? {
        proofs.entry(row.deed.object).or_insert(ProofState::Done(row.deed.at, row.deed.detail));
    }
    Ok(proofs)
}

/// What is proved, and what is waited for.
pub(crate) async fn states(web: &Shared) -> BTreeMap<String, ProofState> {
    let mut proofs = web.query(proved).await.unwrap_or_default();
    let now = web.deps.clock.utc_ms();
    let asked = web.proofs.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (id, _) in asked.iter().filter(|(_, w)| now.saturating_sub(w.since) < WAIT_MS) {
        proofs.insert(id.to_string(), ProofState::Waiting);
    }
    proofs
}

/// Looks through what the log has taken in since: devices that have proved themselves, and how.
async fn look(web: &Shared) -> Result<Vec<(DeviceId, &'static str)>, QueryError> {
    let now = web.deps.clock.utc_ms();
    let mut waiting: BTreeMap<DeviceId, Waiting> = {
        let mut asked = web.proofs.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, w| now.saturating_sub(w.since) < WAIT_MS);
        asked.clone()
    };
    let Some(from) = waiting.values().map(|w| w.position).min() else { return Ok(Vec::new()) };
    let entries = web.query(move |r| r.entries_after(from, ENTRIES)).await?;
    let mut done = Vec::new();
    for entry in entries.iter() {
        let Body::Message(m) = &entry.body else {
            waiting.values_mut().for_each(|w| w.position = w.position.max(entry.position));
            continue;
        };
        if let Some(w) = waiting.get_mut(&m.device).filter(|w| entry.position > w.position)
            // What was retained was true before anybody was asked for anything.
            && !m.retained
            && let Some(how) = m.items.iter().find_map(|i| w.proof.hear(i))
        {
            done.push((m.device.clone(), how));
            waiting.remove(&m.device);
        }
        waiting.values_mut().for_each(|w| w.position = w.position.max(entry.position));
    }
    let mut asked = web.proofs.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (id, w) in waiting {
        // Asked for again meanwhile: that one counts.
        if let Some(held) = asked.get_mut(&id).filter(|held| held.since == w.since) {
            *held = w;
        }
    }
    Ok(done)
}

async fn view(web: &Shared, visitor: &Visitor) -> Result<Proofs, Response> {
    let ui = ui(web, visitor);
    for (id, how) in look(web).await.map_err(|e| super::sorry(&ui, &e))? {
        let doing = Doing { kind: "proved", object: id.to_string(), detail: how.to_owned(), ..Doing::default() };
        // Of two pages that look at once one has it on record already.
        let mine = web.proofs.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let Some(waiting) = mine else { continue };
        if !record(web, visitor, doing).await {
            web.proofs.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, waiting);
        } else if commission::ask(web, visitor, Action::Proven { device: id.clone() }).await.is_err() {
            tracing::info!(device = %id, "its proof ends later: by time");
        }
    }
    let (site, _) = present(web).await.unwrap_or_else(|_| ((*web.deps.setup.site).clone(), false));
    if let Err(e) = selftest::look(web, visitor).await {
        return Err(super::sorry(&ui, &e));
    }
    let (proofs, tests) = (states(web).await, selftest::states(web).await);
    let zone = |d: &Placement| site.zones.iter().find(|z| z.id == d.zone).map_or_else(|| d.zone.to_string(), |z| z.name.clone());
    let list = site.devices.iter().filter(|d| d.role != Role::Estimate && d.role != Role::Gateway);
    Ok(Proofs {
        devices: list.map(|d| (zone(d), Placed { test: tests.get(d.id.as_str()).cloned(), ..devices::placed(web, d, &proofs) })).collect(),
        notice: None,
    })
}

pub(crate) async fn list(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let ui = ui(&web, &visitor);
    match view(&web, &visitor).await {
        Ok(mut v) => {
            v.notice = done.notice(&ui);
            Html(page::proofs(&ui, &v)).into_response()
        }
        Err(page) => page,
    }
}

pub(crate) async fn live(State(web): State<Shared>, visitor: Visitor) -> Response {
    let ui = ui(&web, &visitor);
    match view(&web, &visitor).await {
        Ok(v) => Html(page::proofs_fragment(&ui, &v)).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

#[derive(Debug, Default, serde::Deserialize)]
pub struct Form_ {
    #[serde(default)]
    id: String,
}

pub(crate) async fn ask(State(web): State<Shared>, visitor: Visitor, Form(form): Form<Form_>) -> Response {
    let (site, _) = present(&web).await.unwrap_or_else(|_| ((*web.deps.setup.site).clone(), false));
    let Some(d) = site.devices.iter().find(|d| d.id.as_str() == form.id) else {
        return super::super::pages::missing(&ui(&web, &visitor));
    };
    // What is done to it from now on is no incident. Where that cannot be had, nothing is asked of anybody.
    if !commission::under_proof(&web, &visitor, &d.id).await {
        return commission::refused(&web, &visitor);
    }
    let view = web.deps.handle.view.borrow().clone();
    let shown = view.zones.iter().flat_map(|z| &z.sensors).filter(|s| s.device == d.id).map(|s| (s.quantity.clone(), s.value));
    let waiting = Waiting {
        proof: Proof::begin(d.role, shown),
        position: web.deps.handle.committed.borrow().position,
        since: web.deps.clock.utc_ms(),
    };
    web.proofs.0.lock().unwrap_or_else(PoisonError::into_inner).insert(d.id.clone(), waiting);
    Redirect::to(&format!("/setup/proofs#proof-{}", d.id)).into_response()
}
