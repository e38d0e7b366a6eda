//! Starting and stopping.
use crate::app::{App, Counters, Look};
use crate::auth::Readers;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, Dialect, OpenError, default_url};
use crate::influx::Store;
use crate::{incidents, silence, sites, web, witness};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tuoan_dashboards::door::{Door, DoorConfig, FileVault};
use tuoan_dashboards::listen::{Limits, limited};
use tuoan_evidence::SigningKey;

/// A gateway keeps one or two connections open from one heartbeat to the next; those of a whole street may share an address.
const CONNECTIONS: Limits = Limits { all: 4096, of_one: 512, idle: Duration::from_secs(180) };

/// Why the platform did not start. The text names the thing and the fix.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the configuration cannot be used:\n  {}", .0.join("\n  "))]
    Config(Vec<String>),
    #[error("cannot listen on {0}: {1}; choose another `listen` address or stop the program that holds the port")]
    Listen(SocketAddr, std::io::Error),
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error("the database refused the sites of the configuration: {0}")]
    Seed(sqlx::Error),
    #[error("cannot use the data directory {0}: {1}; create it and give this user the right to write there")]
    Data(String, std::io::Error),
}

/// A platform that serves. Dropping it stops it at once; [`Running::shutdown`] lets requests finish.
pub struct Running {
    addr: SocketAddr,
    app: App,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Running {
    /// The address it listens on, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
    /// `http://address:port`, without a slash at the end.
    pub fn url(&self) -> String {
        // A person cannot open the unspecified address.
        let shown = match self.addr {
            a if a.ip().is_unspecified() => SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, a.port())),
            a => a,
        };
        format!("http://{shown}")
    }
    /// The one-time code that claims the pages from a browser; `None` once a password is set. To be printed on the console.
    pub fn claim_code(&self) -> Option<String> {
        self.app.door.claim_code().map(str::to_owned)
    }
    /// A link that signs in whoever opens it first, within the hour. To be printed on the console of a demo.
    pub fn login_link(&self) -> String {
        format!("{}{}", self.url(), self.app.door.one_time_link())
    }
    /// Points that the InfluxDB-compatible intake holds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn points_count(&self) -> Result<u64, sqlx::Error> {
        crate::influx::store::points_count(&self.app.db).await
    }
    /// Stops taking requests, finishes those under way, and closes the database.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(e) = task.await
        {
            tracing::error!(error = %e, "the server ended abnormally");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Opens the database, brings its schema up to date, and serves until [`Running::shutdown`].
///
/// # Errors
/// [`StartError`] when the configuration, the database or the address cannot be used.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(StartError::Config(problems));
    }
    let listener = TcpListener::bind(config.listen).await.map_err(|e| StartError::Listen(config.listen, e))?;
    let addr = listener.local_addr().map_err(|e| StartError::Listen(config.listen, e))?;
    let db = open_database(&config).await?;
    let data = |e| StartError::Data(config.data.display().to_string(), e);
    std::fs::create_dir_all(&config.data).map_err(data)?;
    let real_time = Clock::system();
    let door = DoorConfig {
        name: "platform",
        code: config.claim_code.as_ref().map(|c| c.reveal().to_owned()),
        now: Box::new(move || real_time.utc_ms()),
    };
    let door = Door::open(door, FileVault::in_dir(&config.data)).map_err(data)?;
    let key = SigningKey::open(&witness::key_file(&config.data)).map_err(data)?;
    let now = config.clock.utc_ms();
    for site in &config.sites {
        sites::seed(&db, site, now).await.map_err(StartError::Seed)?;
    }
    let influx = Store::new(&config.influx);
    influx.load(&db).await.map_err(StartError::Seed)?;
    let stop = CancellationToken::new();
    let app = App {
        db,
        readers: Arc::new(Readers::new(&config.readers)),
        influx: Arc::new(influx),
        clock: config.clock.clone(),
        silent_after_ms: config.silent_after_ms,
        // Numbers of an earlier run are not met again: a page that was open meanwhile sees that something changed.
        version: watch::channel(u64::try_from(Clock::system().utc_ms()).unwrap_or(0)).0,
        door,
        look: Arc::new(Look {
            district: config.district.clone(),
            utc_offset_minutes: config.utc_offset_minutes,
            clock_speed: config.clock_speed,
        }),
        key,
        counters: Arc::new(Counters::default()),
        on_receipt: config.on_receipt.clone(),
        stop: stop.clone(),
    };
    let router = web::router(app.clone());
    let task = tokio::spawn(serve(listener, router, app.clone()));
    tracing::info!(%addr, sites = config.sites.len(), "the platform serves");
    Ok(Running { addr, app, stop, task: Some(task) })
}

/// Opens the database of a configuration, as [`start`] does: for commands that only need the data.
///
/// # Errors
/// [`StartError`] when the directory or the database cannot be used.
pub async fn open_database(config: &Config) -> Result<Db, StartError> {
    let url = match &config.database {
        Some(url) => url.reveal().to_owned(),
        None => {
            std::fs::create_dir_all(&config.data).map_err(|e| StartError::Data(config.data.display().to_string(), e))?;
            default_url(&config.data)
        }
    };
    Ok(Db::open(&url).await?)
}

async fn serve(listener: TcpListener, router: axum::Router, app: App) {
    let upkeep = tokio::spawn(upkeep(app.clone()));
    let listener = limited(CONNECTIONS, listener);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(e) = axum::serve(listener, service).with_graceful_shutdown(app.stop.clone().cancelled_owned()).await {
        tracing::error!(error = %e, "the server stopped");
    }
    app.stop.cancel();
    if let Err(e) = upkeep.await {
        tracing::error!(error = %e, "the upkeep task ended abnormally");
    }
    app.db.close().await;
}

/// Looks for sites that have fallen silent each second, and removes old points each hour.
async fn upkeep(app: App) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ticks = 0u32;
    let mut seen = None;
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            _ = second.tick() => {}
        }
        match silence::raise(&app.db, app.clock.utc_ms(), app.silent_after_ms).await {
            Ok(0) => {}
            Ok(_) => app.changed(),
            Err(e) => tracing::error!(error = %e, "cannot look for silent sites"),
        }
        // Another node may have stored something: its changes are seen in the database only.
        if app.db.dialect() == Dialect::Postgres
            && let Ok(mark) = incidents::mark(&app.db).await
            && seen.replace(mark).is_some_and(|before| before != mark)
        {
            app.changed();
        }
        if ticks.is_multiple_of(3600) {
            match app.influx.prune(&app.db, app.clock.utc_ms()).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "points beyond the retention were removed"),
                Err(e) => tracing::error!(error = %e, "cannot remove old points"),
            }
        }
        ticks = ticks.wrapping_add(1);
    }
}
