//! The institution's web UI and its small interfaces.
//!
//! | file | holds |
//! |---|---|
//! | [`views`] | engine view -> the structs that pages are made of |
//! | [`story`] | one incident from the store: events, readings around it, deliveries |
//! | `pages` | the pages and their live fragments |
//! | `actions` | what a person does: swept, cancel |
//! | `lifecycle` | what a person does about an incident, a zone, a device: take, handle, shelve, merge ... |
//! | `forms` | which of that a page offers |
//! | `refusals` | why the engine refuses it, in the person's language |
//! | `readings` | readings around an incident, thinned while they are read |
//! | `receipts` | who knew of an incident, and when |
//! | `links` | the links in messages, without a login |
//! | [`access`] | who may do what: one row for each route |
//! | `people` | accounts, inspectors' codes, parents' links, sessions |
//! | `audit` | who came in, saw what and changed what |
//! | `notices` | what parents are told: their page, and what the director releases |
//! | [`deeds`] | puts what people do with the system itself on record |
//! | `qr` | QR codes |
//! | [`setup`] | installation: one file for each step |
//! | `check` | the morning check |
//! | `report` | reports of concern, also without a login |
//! | `search` | incidents searched for |
//! | `tasks` | the closing sweep, who acts, the page for when the gateway is gone |
//! | `cameras` | cameras, and the newest picture of one while it is watched |
//! | `camera_setup` | a camera's areas and the marks on its floor |
//! | `pictures` | the pictures of an incident: blurred stills, sealed originals |
//! | `leave` | leave to see a picture, on record before it is given |
//! | [`rules`] | the pages of rules: what holds, and how to change it after a trial |
//! | `coverage` | the coverage ledger |
//! | `watched` | where a place was not watched around an incident, by the ledger |
//! | `witness` | the log's head, and how far the district has witnessed it |
//! | `quality` | alarm quality: figures, suggestions, the weekly report |
//! | `live` | server-sent events: ids and versions only |
//! | `outside` | health and metrics |
//!
//! What must hold: nothing is shown as well when the engine or the disk is not; queries never run on the async threads; whoever asks is
//! let in by [`Door`] alone.
pub mod access;
mod actions;
mod audit;
mod camera_setup;
mod cameras;
mod check;
mod coverage;
pub mod deeds;
mod evidence;
mod forms;
mod leave;
mod lifecycle;
mod links;
mod live;
mod notices;
mod outside;
mod pages;
mod people;
mod pictures;
mod pin;
mod qr;
mod quality;
mod readings;
mod receipts;
mod refusals;
mod report;
pub mod rules;
mod search;
pub mod setup;
pub mod story;
mod tasks;
#[cfg(test)]
mod tests;
pub mod views;
mod watched;
mod witness;

use crate::cameras::Pictures;
use crate::clock::Clock;
use crate::deliver::Deliveries;
use crate::deliver::chain::ChainView;
use crate::engine::rules::Catalogue;
use crate::engine::rules::parse::parse;
use crate::nodes::rollout::Rollout;
use crate::notify::link::LinkKey;
use crate::notify::post::Channels;
use crate::pipeline::Handle;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tuoan_dashboards::door::{Door, FIRMWARE, PICTURE};
use tuoan_dashboards::listen::{Limits as Connections, limited};
use tuoan_protocol::{Fixed, Quantity, RuleId};

/// Event streams open at once; a browser keeps one for each page it shows.
const STREAMS: usize = 64;
/// The devices' connections and the log need files too. A live page says something every three seconds.
const CONNECTIONS: Connections = Connections { all: 256, of_one: 48, idle: Duration::from_secs(60) };
/// Queries of the store at once.
const QUERIES: usize = 4;
/// Open requests get this long to end when the gateway stops.
const DRAIN: Duration = Duration::from_secs(3);

/// What the pages say of the site and how they are reached.
#[derive(Debug, Clone)]
pub struct WebConfig {
    pub site_name: String,
    /// Minutes east of UTC.
    pub utc_offset_minutes: i32,
    /// How fast the clock runs: 1, or the demo's pace. Pages count on at that speed between two messages of the server.
    pub speed: f64,
    /// Who shows this as a bearer token may read `/metrics` from another machine; `None`: only this machine may.
    pub metrics_token: Option<String>,
    /// 机构类型 and 主管部门, as the site file has them.
    pub institution: tuoan_protocol::InstitutionType,
    pub supervisor: tuoan_protocol::SupervisingBody,
    /// False: nobody may watch a camera's picture.
    pub live_pictures: bool,
    /// Opens pictures instead of the login's password.
    pub viewing_password: Option<crate::config::Secret>,
    /// The rooms of each class by their ids: what its parents' page shows.
    pub rooms: Vec<(String, Vec<String>)>,
    /// What hung in a device's place before it, by the device: its readings belong to the place's history.
    pub formerly: Vec<(tuoan_protocol::DeviceId, Vec<tuoan_protocol::DeviceId>)>,
}

impl WebConfig {
    fn rooms_of(&self, class: &str) -> impl Iterator<Item = &str> {
        self.rooms.iter().filter(move |r| r.0 == class).flat_map(|r| r.1.iter().map(String::as_str))
    }
}

/// The rooms of each class, where the site says whose they are.
pub fn rooms(site: &crate::engine::site::Site) -> Vec<(String, Vec<String>)> {
    let of = |class: &str| site.zones.iter().filter(|z| z.classes.iter().any(|c| c == class)).map(|z| z.id.to_string()).collect();
    site.classes.iter().map(|c| (c.id.clone(), of(&c.id))).collect()
}

/// Of the devices that were exchanged.
pub fn formerly(site: &crate::engine::site::Site) -> Vec<(tuoan_protocol::DeviceId, Vec<tuoan_protocol::DeviceId>)> {
    site.devices.iter().filter(|d| !d.formerly.is_empty()).map(|d| (d.id.clone(), d.formerly.clone())).collect()
}

/// What the pages are made from.
#[derive(Clone)]
pub struct WebDeps {
    pub handle: Handle,
    /// Words and clauses of the rules in force.
    pub catalogue: Arc<Catalogue>,
    /// The one limit that a rule draws, for its chart: see [`limits`].
    pub limits: Arc<Limits>,
    /// The rules of the packs in force.
    pub rulebook: Arc<rules::Rulebook>,
    pub deliveries: Deliveries,
    /// How the channels to people do.
    pub channels: Channels,
    /// Whether an alarm would arrive.
    pub chain: Arc<Mutex<ChainView>>,
    /// Opens the links in messages.
    pub link_key: LinkKey,
    /// Figures of cameras, and their pictures for who may see them.
    pub pictures: Pictures,
    /// Exports evidence.
    pub evidence: crate::evidence::Office,
    pub clock: Clock,
    pub door: Door,
    /// What installation may change.
    pub setup: setup::SetUp,
    /// Firmware and orders to the project's own nodes; `None` where there are none (a demo).
    pub nodes: Option<Rollout>,
    /// Ends event streams and the server.
    pub shutdown: CancellationToken,
}

/// By rule: the quantity it judges and its limit.
pub type Limits = BTreeMap<RuleId, (Quantity, Fixed)>;

/// Of all rules of those packs that draw just one limit. A pack that does not parse gives none.
pub fn limits<S: AsRef<str>>(packs: &[S]) -> Limits {
    let rules = packs.iter().filter_map(|text| parse(text.as_ref()).ok()).flat_map(|pack| pack.rules);
    rules.filter_map(|(rule, _)| Some((rule.id.clone(), story::limit(&rule)?))).collect()
}

/// What every handler holds.
pub(crate) struct Web {
    config: WebConfig,
    deps: WebDeps,
    streams: Arc<Semaphore>,
    queries: Semaphore,
    trials: rules::Trials,
    studies: quality::Studies,
    links: links::Uses,
    strangers: report::Strangers,
    looks: deeds::Looks,
    proofs: setup::prove::Asked,
    tests: setup::selftest::Asked,
    /// Held while a floor plan's picture is drawn anew.
    drawing: tokio::sync::Mutex<()>,
    /// A credential was given that the broker does not know yet.
    enrolled: std::sync::atomic::AtomicBool,
}

type Shared = Arc<Web>;

/// All routes, behind the door.
pub fn router(config: WebConfig, deps: WebDeps) -> Router {
    let door = deps.door.clone();
    let web: Shared = Arc::new(Web {
        config,
        deps,
        streams: Arc::new(Semaphore::new(STREAMS)),
        queries: Semaphore::new(QUERIES),
        trials: rules::Trials::default(),
        studies: quality::Studies::default(),
        links: links::Uses::default(),
        strangers: report::Strangers::default(),
        looks: deeds::Looks::default(),
        proofs: setup::prove::Asked::default(),
        tests: setup::selftest::Asked::default(),
        drawing: tokio::sync::Mutex::default(),
        enrolled: std::sync::atomic::AtomicBool::new(false),
    });
    let inside = Router::new()
        .route("/", get(pages::home))
        .route("/fragment/home", get(pages::home_fragment))
        .route("/incidents", get(search::page))
        .route("/incidents/{id}", get(pages::incident))
        .route("/fragment/incidents/{id}", get(pages::incident_fragment))
        .route("/incidents/{id}/acknowledge", post(|s, v, p, f| lifecycle::incident("acknowledge", s, v, p, f)))
        .route("/incidents/{id}/assign", post(|s, v, p, f| lifecycle::incident("assign", s, v, p, f)))
        .route("/incidents/{id}/comment", post(|s, v, p, f| lifecycle::incident("comment", s, v, p, f)))
        .route("/incidents/{id}/shelve", post(|s, v, p, f| lifecycle::incident("shelve", s, v, p, f)))
        .route("/incidents/{id}/unshelve", post(|s, v, p, f| lifecycle::incident("unshelve", s, v, p, f)))
        .route("/incidents/{id}/resolve", post(|s, v, p, f| lifecycle::incident("resolve", s, v, p, f)))
        .route("/incidents/{id}/reopen", post(|s, v, p, f| lifecycle::incident("reopen", s, v, p, f)))
        .route("/incidents/{id}/merge", post(|s, v, p, f| lifecycle::incident("merge", s, v, p, f)))
        .route("/incidents/{id}/hold", post(|s, v, p, f| lifecycle::incident("hold", s, v, p, f)))
        .route("/incidents/{id}/release", post(|s, v, p, f| lifecycle::incident("release", s, v, p, f)))
        .route("/zones/{id}/maintain", get(lifecycle::zone_form).post(|s, v, p, f| lifecycle::zone("maintain", s, v, p, f)))
        .route("/zones/{id}/maintain/end", post(|s, v, p, f| lifecycle::zone("maintain_end", s, v, p, f)))
        .route("/devices/{id}/out", get(lifecycle::device_form).post(|s, v, p, f| lifecycle::device("out", s, v, p, f)))
        .route("/devices/{id}/in", post(|s, v, p, f| lifecycle::device("in", s, v, p, f)))
        .route("/drill/end", post(lifecycle::drill_end))
        .route("/incidents/{id}/cancel", post(actions::cancel))
        .route("/zones/{id}/swept", post(actions::swept))
        .route("/incidents/{id}/exported", post(tasks::exported))
        .route("/sweep", get(tasks::sweep))
        .route("/who", get(tasks::who).post(tasks::set_who))
        .route("/check", get(check::form).post(check::enter))
        .route("/cameras", get(cameras::list))
        .route("/fragment/cameras", get(cameras::list_fragment))
        .route("/cameras/{id}", get(cameras::one))
        .route("/cameras/{id}/watch", post(cameras::watch))
        .route("/cameras/{id}/watch/end", post(cameras::watch_end))
        .route("/cameras/{id}/picture", get(cameras::picture))
        .route("/cameras/{id}/areas", post(camera_setup::areas))
        .route("/cameras/{id}/floor", post(camera_setup::floor))
        .route("/cameras/{id}/floor/try", post(camera_setup::try_floor))
        .route("/incidents/{id}/evidence", get(evidence::ask).post(evidence::export))
        .route("/incidents/{id}/stills", post(pictures::open_stills))
        .route("/incidents/{id}/stills/{number}", get(pictures::still))
        .route("/incidents/{id}/pictures", get(pictures::pictures).post(pictures::open))
        .route("/incidents/{id}/pictures/end", post(pictures::close))
        .route("/incidents/{id}/pictures/hold", post(pictures::hold))
        .route("/incidents/{id}/pictures/{file}/{picture}", get(pictures::original))
        .route("/rules", get(rules::list))
        .route("/rules/{id}", get(rules::one))
        .route("/rules/{id}/try", post(rules::try_it))
        .route("/rules/{id}/trial", get(rules::trial_page))
        .route("/rules/{id}/trial/stop", post(rules::stop))
        .route("/rules/{id}/set", post(rules::set))
        .route("/rules/{id}/end", post(rules::end))
        .route("/quality", get(quality::page))
        .route("/quality/report", get(quality::report))
        .route("/coverage", get(coverage::page))
        .route("/witness", get(witness::page))
        .route("/quarantine", get(pages::quarantine))
        .route("/account", get(people::account).post(people::change))
        .route("/account/sessions/{handle}/end", post(people::end_session))
        .route("/people", get(people::people).post(people::add))
        .route("/people/{id}/secret", post(people::secret))
        .route("/people/{id}/remove", post(people::remove))
        .route("/people/passes", post(people::issue))
        .route("/people/passes/{id}/revoke", post(people::revoke))
        .route("/people/classes/{id}/link", post(people::class_link))
        .route("/people/classes/{id}/end", post(people::class_link_end))
        .route("/people/recovery", post(people::recovery))
        .route("/notices", get(notices::form).post(notices::release))
        .route("/notices/{number}/withdraw", post(notices::withdraw))
        .route("/audit", get(audit::page))
        .route("/setup", get(setup::overview))
        .route("/setup/devices", get(setup::devices::list))
        .route("/d/{id}", get(setup::devices::labelled))
        .route("/setup/devices/place", post(setup::devices::place))
        .route("/setup/devices/remove", post(setup::devices::remove))
        .route("/setup/devices/replace", post(setup::devices::replace))
        .route("/setup/devices/enrol", post(setup::devices::enrol))
        .route("/setup/proofs", get(setup::prove::list))
        .route("/setup/proofs/live", get(setup::prove::live))
        .route("/setup/proofs/ask", post(setup::prove::ask))
        .route("/setup/proofs/test", post(setup::selftest::ask))
        .route("/setup/firmware", get(setup::firmware::list))
        .route("/setup/firmware/live", get(setup::firmware::live))
        .route("/setup/firmware/file", post(setup::firmware::upload).layer(DefaultBodyLimit::max(FIRMWARE)))
        .route("/setup/firmware/send", post(setup::firmware::send))
        .route("/plan", get(setup::plan::show))
        .route("/fragment/plan", get(setup::plan::fragment))
        .route("/plan/{floor}/picture", get(setup::plan::picture))
        .route("/setup/plan", get(setup::plan::edit).post(setup::plan::put))
        .route("/setup/plan/picture", post(setup::plan::upload).layer(DefaultBodyLimit::max(PICTURE)))
        .route("/setup/plan/picture/remove", post(setup::plan::remove_picture))
        .route("/setup/commissioning", post(setup::commission::begin))
        .route("/setup/commissioning/end", post(setup::commission::end))
        .route("/setup/checklist", get(setup::checklist::list).post(setup::checklist::enter))
        .route("/setup/duty", get(setup::paper::missing))
        .route("/setup/report", get(setup::paper::report))
        .route("/setup/labels", get(setup::paper::labels))
        .route("/setup/site", get(setup::site::form).post(setup::site::import))
        .route("/setup/site.toml", get(setup::site::export))
        .route("/setup/apply", post(setup::site::apply))
        .route("/api/v1/view", get(pages::view_json))
        .route("/api/v1/incidents/{id}/timeline", get(pages::timeline_json))
        .route("/events", get(live::events))
        .with_state(web.clone());
    let open = Router::new()
        .route("/report", get(report::form).post(report::enter))
        .route("/offline", get(tasks::offline))
        .route("/n/{token}", get(links::look))
        .route("/n/{token}/seen", post(links::seen))
        .route("/n/{token}/take", get(links::look_take).post(links::take))
        .route("/notice/{token}", get(notices::parents))
        .with_state(web.clone());
    let outside = Router::new()
        .route("/healthz", get(outside::health))
        .route("/metrics", get(outside::metrics))
        .route("/sw.js", get(tasks::worker))
        .with_state(web);
    door.guard_by(inside, open, outside, access::TABLE)
}

/// Serves until the token of `deps` is cancelled; open requests then get three seconds.
pub async fn serve(listener: TcpListener, config: WebConfig, deps: WebDeps) -> io::Result<()> {
    let shutdown = deps.shutdown.clone();
    let app = router(config, deps).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(limited(CONNECTIONS, listener), app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        ended = server => ended,
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}

/// Why a query gave no answer.
#[derive(Debug)]
pub(crate) enum QueryError {
    Busy,
    Store(String),
}

impl Web {
    /// Runs a query where it may block; at most a few at once.
    async fn query<T: Send + 'static>(
        &self,
        work: impl FnOnce(&crate::store::Reader) -> Result<T, crate::store::StoreError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let _permit =
            tokio::time::timeout(Duration::from_secs(5), self.queries.acquire()).await.ok().and_then(Result::ok).ok_or(QueryError::Busy)?;
        let reader = self.deps.handle.reader.clone();
        match tokio::task::spawn_blocking(move || work(&reader)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(e)) => Err(QueryError::Store(e.to_string())),
            Err(e) => Err(QueryError::Store(e.to_string())),
        }
    }
    /// The engine's thread has ended: its view is the last it will ever give.
    fn stopped(&self) -> bool {
        self.deps.handle.view.has_changed().is_err() || self.deps.handle.control.is_closed()
    }
}
