//! Devices onto rooms, and the credentials of those that connect to the gateway itself.
use super::super::deeds::{Doing, record};
use super::super::pages::ui;
use super::super::{Shared, qr};
use super::{Done, present, prove, write};
use crate::engine::site::{Placement, Role, Site};
use crate::engine::view::DeviceView;
use crate::nodes::key;
use crate::setup::files::NotWritten;
use crate::setup::place::{self, Refusal};
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::collections::BTreeMap;
use tuoan_dashboards::door::{Visitor, tidy};
use tuoan_dashboards::setup as page;
use tuoan_dashboards::view::setup::{Credential, Devices, Found, Placed, ProofState, RoomPlan, Unit};
use tuoan_protocol::{DeviceId, Quantity, ZoneId};

/// Longest name of a device, in bytes.
const NAME: usize = 72;
/// Devices that are listed as waiting; a stranger may invent any number.
const WAITING: usize = 200;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    id: String,
    zone: String,
    role: String,
    name: String,
    new: String,
    kind: String,
}

/// A word as the site file has it.
pub fn role_name(role: Role) -> String {
    serde_json::to_value(role).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn role(name: &str) -> Option<Role> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

/// What a device is probably for, by what it measures.
fn guess(d: &DeviceView) -> &'static str {
    let has = |q: &Quantity| d.quantities.contains(q);
    let by: [(&[Quantity], &'static str); 10] = [
        (&[Quantity::Smoke], "smoke"),
        (&[Quantity::Gas, Quantity::GasLel], "gas"),
        (&[Quantity::CoAlarm], "co"),
        (&[Quantity::Heat], "heat"),
        (&[Quantity::WaterLeak], "water"),
        (&[Quantity::Open], "door"),
        (&[Quantity::Co2, Quantity::Humidity], "climate"),
        (&[Quantity::Presence, Quantity::Motion], "occupancy"),
        (&[Quantity::Siren], "siren"),
        (&[Quantity::Temperature], "climate"),
    ];
    by.into_iter().find(|(list, _)| list.iter().any(has)).map_or("panic", |(_, role)| role)
}

/// Devices that were heard and hang nowhere, by the file.
pub(crate) fn found(web: &Shared, site: &Site) -> Vec<Found> {
    let view = web.deps.handle.view.borrow().clone();
    let placed = |d: &&DeviceView| !site.devices.iter().any(|p| p.id == d.id || p.formerly.contains(&d.id));
    let list = view.unplaced.iter().filter(placed).take(WAITING).map(|d| Found {
        id: d.id.to_string(),
        name: d.name.clone().unwrap_or_default(),
        model: [d.make.as_deref(), d.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" "),
        quantities: d.quantities.iter().take(8).map(|q| q.name().to_owned()).collect(),
        heard: d.last_heard,
        role: guess(d),
    });
    list.collect()
}

/// What the device says of itself; `None` where that is nothing.
fn unit(d: &DeviceView) -> Option<Unit> {
    let is: Vec<String> = [&d.model, &d.firmware, &d.hardware].into_iter().flatten().cloned().collect();
    let resets = d.resets.each().into_iter().map(|(_, n)| u64::from(n)).sum();
    (!is.is_empty() || d.started.is_some()).then(|| Unit { is, started: d.started.clone(), resets })
}

pub(crate) fn placed(web: &Shared, d: &Placement, proofs: &BTreeMap<String, ProofState>) -> Placed {
    let view = web.deps.handle.view.borrow().clone();
    let all = || view.zones.iter().flat_map(|z| &z.devices).chain(&view.unplaced);
    let known = all().find(|v| v.id == d.id);
    let heard = known.and_then(|v| v.last_heard).or_else(|| view.cameras.iter().find(|c| c.device == d.id).and_then(|c| c.last_heard));
    let in_force = web.deps.setup.site.devices.iter().any(|p| p == d);
    Placed {
        id: d.id.to_string(),
        name: d.name.clone().unwrap_or_else(|| d.id.to_string()),
        role: role_name(d.role),
        heard,
        unit: known.and_then(unit),
        proof: proofs.get(d.id.as_str()).cloned().unwrap_or_default(),
        test: None,
        waiting: !in_force,
    }
}

async fn devices_view(web: &Shared) -> Result<Devices, Vec<String>> {
    let (site, waiting) = present(web).await?;
    let proofs = prove::states(web).await;
    let mut floors: BTreeMap<i8, Vec<RoomPlan>> = BTreeMap::new();
    for z in &site.zones {
        let kind = serde_json::to_value(z.kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let devices = site.devices.iter().filter(|d| d.zone == z.id).map(|d| placed(web, d, &proofs)).collect();
        let room = RoomPlan { id: z.id.to_string(), name: z.name.clone(), kind, private: z.kind.is_private(), devices };
        floors.entry(z.floor).or_default().push(room);
    }
    Ok(Devices {
        floors: floors.into_iter().collect(),
        unplaced: found(web, &site),
        rooms: site.zones.iter().map(|z| (z.id.to_string(), z.name.clone())).collect(),
        waiting,
        ..Devices::default()
    })
}

async fn show(web: &Shared, visitor: &Visitor, status: StatusCode, fill: impl FnOnce(&mut Devices)) -> Response {
    let mut ui = ui(web, visitor);
    ui.path = "/setup/devices".into();
    let mut v = devices_view(web).await.unwrap_or_else(|problems| Devices { problems, ..Devices::default() });
    fill(&mut v);
    (status, Html(page::devices(&ui, &v))).into_response()
}

pub(crate) async fn list(State(web): State<Shared>, visitor: Visitor, Query(done): Query<Done>) -> Response {
    let notice = done.notice(&ui(&web, &visitor));
    show(&web, &visitor, StatusCode::OK, |v| v.notice = notice).await
}

/// `GET /d/{id}`, the address on a device's label: to its proof where it hangs already, else to the form that hangs it, with its id filled in.
pub(crate) async fn labelled(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let Ok(id) = DeviceId::new(&tidy(&id, 64)) else { return super::super::pages::missing(&ui(&web, &visitor)) };
    let hangs = present(&web).await.is_ok_and(|(site, _)| site.devices.iter().any(|d| d.id == id));
    if hangs {
        return Redirect::to(&format!("/setup/proofs#proof-{id}")).into_response();
    }
    show(&web, &visitor, StatusCode::OK, |v| v.typed = id.to_string()).await
}

async fn wrong(web: &Shared, visitor: &Visitor, problems: Vec<String>, typed: String) -> Response {
    show(web, visitor, StatusCode::UNPROCESSABLE_ENTITY, |v| (v.problems, v.typed) = (problems, typed)).await
}

async fn refused(web: &Shared, visitor: &Visitor, refusal: Refusal, typed: String) -> Response {
    let text = ui(web, visitor).t(refusal.key());
    wrong(web, visitor, vec![text], typed).await
}

pub(crate) async fn place(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let typed = tidy(&asked.id, 64);
    let Ok(id) = DeviceId::new(&typed) else { return refused(&web, &visitor, Refusal::NoDevice, typed).await };
    let (Ok(zone), Some(role)) = (ZoneId::new(&asked.zone), role(&asked.role)) else {
        return refused(&web, &visitor, Refusal::NoZone, typed).await;
    };
    let name = Some(tidy(&asked.name, NAME)).filter(|n| !n.is_empty());
    let site = match present(&web).await {
        Ok((site, _)) => site,
        Err(problems) => return wrong(&web, &visitor, problems, typed).await,
    };
    let site = match place::place(site, &id, &zone, role, name) {
        Ok(site) => site,
        Err(refusal) => return refused(&web, &visitor, refusal, typed).await,
    };
    let doing = Doing { kind: "placed", object: id.to_string(), detail: format!("{zone} · {}", role_name(role)), ..Doing::default() };
    match write(&web, &visitor, site, doing).await {
        Ok(()) => Redirect::to("/setup/devices?done=placed").into_response(),
        Err(problems) => wrong(&web, &visitor, problems, typed).await,
    }
}

pub(crate) async fn remove(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    change(&web, &visitor, &asked, "removed", place::remove).await
}

pub(crate) async fn replace(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let Ok(new) = DeviceId::new(asked.new.trim()) else { return refused(&web, &visitor, Refusal::NoDevice, String::new()).await };
    change(&web, &visitor, &asked, "replaced", |site, id| place::replace(site, id, &new)).await
}

async fn change(
    web: &Shared,
    visitor: &Visitor,
    asked: &Asked,
    kind: &'static str,
    edit: impl FnOnce(Site, &DeviceId) -> Result<Site, Refusal>,
) -> Response {
    let Ok(id) = DeviceId::new(&asked.id) else { return refused(web, visitor, Refusal::NoDevice, String::new()).await };
    let site = match present(web).await {
        Ok((site, _)) => site,
        Err(problems) => return wrong(web, visitor, problems, String::new()).await,
    };
    let site = match edit(site, &id) {
        Ok(site) => site,
        Err(refusal) => return refused(web, visitor, refusal, String::new()).await,
    };
    let doing = Doing { kind, object: id.to_string(), detail: tidy(&asked.new, 64), ..Doing::default() };
    match write(web, visitor, site, doing).await {
        Ok(()) => Redirect::to(&format!("/setup/devices?done={kind}")).into_response(),
        Err(problems) => wrong(web, visitor, problems, String::new()).await,
    }
}

/// Topics of a kind of device; none: a native one, which speaks for itself alone.
fn topics(kind: &str) -> Option<Vec<String>> {
    let list = match kind {
        "device" => vec![],
        "zigbee2mqtt" => vec!["zigbee2mqtt/#"],
        "esphome" => vec!["esphome/#", "homeassistant/#"],
        "tasmota" => vec!["tele/#", "stat/#", "cmnd/#", "tasmota/#"],
        "kit" => vec!["#"],
        _ => return None,
    };
    Some(list.into_iter().map(str::to_owned).collect())
}

/// Gives a credential: the director's consent to what a device may publish.
pub(crate) async fn enrol(State(web): State<Shared>, visitor: Visitor, Form(asked): Form<Asked>) -> Response {
    let ui = ui(&web, &visitor);
    let name = tidy(&asked.id, 48);
    let (Ok(id), Some(topics)) = (DeviceId::new(&name), topics(&asked.kind)) else {
        return refused(&web, &visitor, Refusal::NoDevice, name).await;
    };
    let Some(files) = web.deps.setup.files.clone() else { return wrong(&web, &visitor, vec![ui.t("setup-fixed")], name).await };
    let native = topics.is_empty();
    let doing = Doing { kind: "enrolled", object: id.to_string(), detail: asked.kind, ..Doing::default() };
    if !record(&web, &visitor, doing).await {
        return wrong(&web, &visitor, vec![ui.t("error-setup-unsaved")], name).await;
    }
    let given = tokio::task::spawn_blocking({
        let name = name.clone();
        move || files.enrol(&name, &topics)
    });
    match given.await {
        Ok(Ok(password)) => {
            web.enrolled.store(true, std::sync::atomic::Ordering::Relaxed);
            // The key is for the project's own nodes; what other devices are configured by hand knows no such thing.
            let tls = web.deps.setup.node_tls.as_ref().filter(|_| native);
            let code = key::code(&name, &password, tls.map(|t| t.pin.as_str()));
            let enrol = tls.map(|t| format!("enrol {} GATEWAY:{} {code}", web.deps.setup.site.id, t.port));
            let credential = Credential { qr: qr::svg(&code), name, password, enrol };
            show(&web, &visitor, StatusCode::OK, |v| (v.credential, v.waiting) = (Some(credential), true)).await
        }
        Ok(Err(NotWritten::Problems(problems))) => wrong(&web, &visitor, problems, name).await,
        _ => wrong(&web, &visitor, vec![ui.t("error-setup-unsaved")], name).await,
    }
}
