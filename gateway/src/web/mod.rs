//! The institution's web UI and its small interfaces.
//!
//! | file | holds |
//! |---|---|
//! | [`views`] | engine view -> the structs that pages are made of |
//! | [`story`] | one incident from the store: events, readings around it, deliveries |
//! | `pages` | the pages and their live fragments |
//! | `actions` | what a person does: acknowledge, swept, report a concern |
//! | `live` | server-sent events: ids and versions only |
//! | `outside` | health and metrics |
//!
//! What must hold: nothing is shown as well when the engine or the disk is not; queries never run on the async threads; whoever asks is
//! let in by [`Door`] alone.
mod actions;
mod live;
mod outside;
mod pages;
pub mod story;
#[cfg(test)]
mod tests;
pub mod views;

use crate::clock::Clock;
use crate::deliver::Deliveries;
use crate::engine::rules::Catalogue;
use crate::engine::site::Site;
use crate::pipeline::Handle;
use axum::Router;
use axum::routing::{get, post};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tuoan_dashboards::door::{Door, DoorConfig, FileVault};

/// Event streams open at once; a browser keeps one for each page it shows.
const STREAMS: usize = 64;
/// Queries of the store at once.
const QUERIES: usize = 4;
/// Open requests get this long to end when the gateway stops.
const DRAIN: Duration = Duration::from_secs(3);

/// A file of this name in the data directory holds a token; who shows it as a bearer may read `/metrics` from another machine.
const METRICS_TOKEN: &str = "metrics.token";

/// What the pages say of the site and where they are.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Port 0 takes any.
    pub listen: SocketAddr,
    /// Data directory: password and sessions are kept there.
    pub data: PathBuf,
    pub site: Site,
    /// How fast the clock runs: 1, or the demo's pace. Pages count on at that speed between two messages of the server.
    pub speed: f64,
}

/// What the pages are made from.
#[derive(Clone)]
pub struct Deps {
    pub handle: Handle,
    pub deliveries: Deliveries,
    /// Words, clauses and limits of the rules in force.
    pub catalogue: Arc<Catalogue>,
    /// Of the readings. The door goes by the real time, whatever this shows.
    pub clock: Clock,
}

/// What every handler holds.
pub(crate) struct Web {
    config: WebConfig,
    deps: Deps,
    door: Door,
    metrics_token: Option<String>,
    /// Ends event streams and the server.
    shutdown: CancellationToken,
    streams: Arc<Semaphore>,
    queries: Semaphore,
}

type Shared = Arc<Web>;

/// Opens the door on the keys in `data`. Unreadable keys are an error: they never mean "unclaimed".
fn open_door(data: &Path) -> io::Result<Door> {
    let config = DoorConfig { name: "gateway", code: None, now: Box::new(|| Clock::System.utc_ms()) };
    Door::open(config, FileVault::in_dir(data))
}

/// All routes, behind the door.
fn router(config: WebConfig, deps: Deps, door: Door, shutdown: CancellationToken) -> Router {
    let token = std::fs::read_to_string(config.data.join(METRICS_TOKEN)).ok().map(|t| t.trim().to_owned());
    let web: Shared = Arc::new(Web {
        config,
        deps,
        door: door.clone(),
        metrics_token: token.filter(|t| t.len() >= 16),
        shutdown,
        streams: Arc::new(Semaphore::new(STREAMS)),
        queries: Semaphore::new(QUERIES),
    });
    let inside = Router::new()
        .route("/", get(pages::home))
        .route("/fragment/home", get(pages::home_fragment))
        .route("/incidents/{id}", get(pages::incident))
        .route("/fragment/incidents/{id}", get(pages::incident_fragment))
        .route("/incidents/{id}/acknowledge", post(actions::acknowledge))
        .route("/zones/{id}/swept", post(actions::swept))
        .route("/zones/{id}/concern", post(actions::concern))
        .route("/quarantine", get(pages::quarantine))
        .route("/api/v1/view", get(pages::view_json))
        .route("/events", get(live::events))
        .with_state(web.clone());
    let outside = Router::new().route("/healthz", get(outside::health)).route("/metrics", get(outside::metrics)).with_state(web);
    door.guard(inside, outside)
}

/// Listens and serves until [`Running::shutdown`].
pub async fn serve(config: WebConfig, deps: Deps) -> io::Result<Running> {
    let listener = TcpListener::bind(config.listen).await.map_err(|e| {
        io::Error::new(e.kind(), format!("the pages cannot listen on {}: {e}; change [web] listen, or stop what is using it", config.listen))
    })?;
    let addr = listener.local_addr()?;
    let door = open_door(&config.data)?;
    let shutdown = CancellationToken::new();
    let app = router(config, deps, door.clone(), shutdown.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let stop = shutdown.clone();
    let task = tokio::spawn(async move {
        let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::select! {
            ended = server => if let Err(e) = ended { tracing::error!("the pages' server has ended: {e}") },
            () = async { stop.cancelled().await; tokio::time::sleep(DRAIN).await } => {}
        }
    });
    Ok(Running { addr, door, shutdown, task })
}

/// The running pages.
pub struct Running {
    addr: SocketAddr,
    door: Door,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
    /// To be shown on the console until the box is claimed.
    pub fn claim_code(&self) -> Option<&str> {
        self.door.claim_code()
    }
    /// A URL path that logs in whoever opens it first, within the hour.
    pub fn one_time_link(&self) -> String {
        self.door.one_time_link()
    }
    /// Ends event streams at once; other open requests get three seconds.
    pub async fn shutdown(self) {
        self.shutdown.cancel();
        let _ = self.task.await;
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
