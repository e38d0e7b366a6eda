//! What is read and printed: what is missing, the commissioning report, labels.
use super::super::pages::{sorry, ui};
use super::super::people::origin;
use super::super::{Shared, qr};
use super::{checklist, devices, present, prove};
use crate::engine::site::{Placement, Site};
use crate::setup::duty::{self, Known};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Response};
use sha2::{Digest, Sha256};
use tuoan_dashboards::door::Visitor;
use tuoan_dashboards::setup as page;
use tuoan_dashboards::view::setup::{Duty, Labels, Report};
use tuoan_protocol::{DeviceId, Quantity};

/// By what the site's file says and what its devices report.
pub(crate) fn duty_of(web: &Shared, site: &Site) -> Duty {
    let view = web.deps.handle.view.borrow().clone();
    let measures_co2 = |id: &DeviceId| {
        let devices = view.zones.iter().flat_map(|z| &z.devices).chain(&view.unplaced);
        devices.filter(|d| d.id == *id).any(|d| d.quantities.contains(&Quantity::Co2))
    };
    duty::duty(site, &Known { measures_co2: &measures_co2, uplink: web.deps.setup.uplink, clock: view.clock_trusted })
}

async fn site(web: &Shared) -> Site {
    present(web).await.map_or_else(|_| (*web.deps.setup.site).clone(), |(site, _)| site)
}

pub(crate) async fn missing(State(web): State<Shared>, visitor: Visitor) -> Response {
    let site = site(&web).await;
    Html(page::duty(&ui(&web, &visitor), &duty_of(&web, &site))).into_response()
}

fn place(site: &Site, d: &Placement) -> String {
    site.zones.iter().find(|z| z.id == d.zone).map_or_else(|| d.zone.to_string(), |z| z.name.clone())
}

pub(crate) async fn report(State(web): State<Shared>, visitor: Visitor) -> Response {
    let ui = ui(&web, &visitor);
    let site = site(&web).await;
    let entered = match web.query(checklist::entered).await {
        Ok(found) => found,
        Err(e) => return sorry(&ui, &e),
    };
    let proofs = prove::states(&web).await;
    let classes = site.classes.iter().map(|c| {
        let age = serde_json::to_value(c.age_group).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let hours = c.care_hours.iter().map(|h| String::from(*h)).collect::<Vec<_>>().join(" ");
        (c.name.clone(), age, c.places, hours)
    });
    let v = Report {
        site: site.name.clone(),
        district: site.district.clone(),
        street: site.street.clone(),
        classes: classes.collect(),
        devices: site.devices.iter().map(|d| (place(&site, d), devices::placed(&web, d, &proofs))).collect(),
        duty: duty_of(&web, &site),
        items: checklist::items(&entered),
        // Of the site file that the report is about, so that a paper can be held against a file.
        hash: crate::setup::files::text(&site).map(|t| hex::encode(Sha256::digest(t.as_bytes()))).unwrap_or_default(),
        by: visitor.actor.clone().unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION"),
    };
    Html(page::report(&ui, &v)).into_response()
}

pub(crate) async fn labels(State(web): State<Shared>, visitor: Visitor, headers: HeaderMap) -> Response {
    let site = site(&web).await;
    // A phone's camera opens an address; one that is not known leaves the id, which the page of set-up reads.
    let origin = origin(&headers);
    let plain = |id: &DeviceId| id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    let code = |id: &DeviceId| {
        if origin.is_empty() || !plain(id) { format!("tuoan:device:{id}") } else { format!("{origin}/d/{id}") }
    };
    let label = |d: &Placement| {
        let name = d.name.clone().unwrap_or_else(|| place(&site, d));
        (name, d.id.to_string(), qr::svg(&code(&d.id)))
    };
    let v = Labels { labels: site.devices.iter().map(label).collect() };
    Html(page::labels(&ui(&web, &visitor), &v)).into_response()
}
