//! The gateway put together: config -> build -> run -> drain.
//!
//! Stop order: intake, pipeline, delivery, pages. What was taken in is stored, what is stored is offered to the sinks once more.
mod counts;
mod intake;
mod replay;

pub use intake::enrol_line;
pub use replay::{Replayed, replay, replay_quarantine};

use self::counts::{tell_refusals, watch_metrics};
use self::intake::{Intake, own_voice, start_broker, start_client};
use crate::alarms::weekly::Weekly;
use crate::bridge;
use crate::cameras::keeper::Keeper;
use crate::cameras::worker::Open;
use crate::cameras::{Pictures, eyes};
use crate::clock::Clock;
use crate::config::{self, ClockTrust, Config};
use crate::control;
use crate::decode::mapping::Mapping;
use crate::deliver::chain::Chain;
use crate::deliver::{
    Bilingual, CommandLink, Deliveries, Delivery, Directory, InfluxConfig, PlatformConfig, RuleText, Secret, Sounders, StoreLog, Timing,
    sinks,
};
use crate::engine::rules::Catalogue;
use crate::engine::site::Site;
use crate::estimate::model::{ClimateModel, Source};
use crate::evidence;
use crate::ingest::frames::{FrameDesk, Mapped, Watch};
use crate::models::EyeModels;
use crate::nodes::rollout::Rollout;
use crate::notify::{self, link::LinkKey, post::Post};
use crate::pipeline::{self, Control, Handle, PipelineConfig, PipelineError, Trust};
use crate::runtime;
use crate::setup::files::Files;
use crate::setup::serve::{self, Ended, FirstRun};
use crate::store::{IncidentRow, Options};
use crate::web;
use miette::{Context, IntoDiagnostic, Result, miette};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tuoan_dashboards::door::{Door, DoorConfig, FileVault, Told};
use tuoan_protocol::LogId;

/// Notices of emergencies that the disk does not take, at once.
const UNRECORDED: usize = 256;
/// How long a stop may take before the process ends anyway; everything acknowledged is on disk by then.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Where the pages are, and who is let in.
pub struct Web {
    pub address: SocketAddr,
    pub door: Door,
    shutdown: CancellationToken,
}

/// A running gateway.
pub struct Running {
    pub handle: Handle,
    pub deliveries: Deliveries,
    /// Of the embedded broker.
    pub mqtt: Option<SocketAddr>,
    pub web: Web,
    pub settle: eyes::Settle,
    /// The pages ask for a restart of the parts with the files as they are now.
    pub reload: Arc<Notify>,
    intake: Arc<Intake>,
    /// The watch over the cameras, and how it is stopped.
    eyes: (JoinSet<()>, CancellationToken),
    /// Event streams that are read, and how they are stopped.
    sources: (JoinSet<()>, CancellationToken),
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
    pages: JoinSet<()>,
    /// The pipeline's end, whatever ends it.
    pipeline: oneshot::Receiver<std::result::Result<(), PipelineError>>,
}

/// Builds and starts every part. `speed` is how fast the clock runs: 1, or the demo's pace.
pub async fn start(config: Config, clock: Clock, speed: f64) -> Result<Running> {
    let pipeline = spawn_pipeline(&config, clock.clone()).await?;
    let handle = pipeline.handle;
    let (ended_tx, ended) = oneshot::channel();
    let thread = pipeline.thread;
    tokio::task::spawn_blocking(move || {
        let result = thread.join().unwrap_or_else(|_| Err(PipelineError::Engine { detail: "its thread panicked".into() }));
        let _ = ended_tx.send(result);
    });

    let pictures = {
        let (settings, data, now) = (config.pictures.clone(), config.data.clone(), clock.utc_ms());
        let cameras = pipeline.cameras;
        tokio::task::spawn_blocking(move || Pictures::open(&settings, &data, cameras, now)).await.into_diagnostic()?
    };
    let frames = desk(&config, &handle)?;
    let (mut eyes, eyes_stop, settle) = (JoinSet::new(), CancellationToken::new(), eyes::Settle::default());
    if config.vision.enabled {
        let parts = (handle.clone(), frames.clone(), pictures.clone(), clock.clone(), settle.clone());
        eyes.spawn(watch_cameras(config.clone(), parts, eyes_stop.clone()));
    }
    let own_password = hex::encode(rand::random::<[u8; 16]>());
    let mut node_tls = None;
    let intake = Arc::new(match &config.ingest {
        config::Ingest::Embedded(b) => {
            let (broker, tls) = start_broker(&config, b, &own_password, &handle, frames.clone(), clock.clone()).await?;
            node_tls = tls;
            Intake::Embedded(broker)
        }
        config::Ingest::Outside(c) => Intake::Outside(start_client(c, &handle, frames.clone(), clock.clone())?),
    });
    let mqtt = match &*intake {
        Intake::Embedded(b) => Some(b.local_addr()),
        Intake::Outside(_) => None,
    };

    let (mut sources, sources_stop) = (JoinSet::new(), CancellationToken::new());
    for source in &config.hikvision {
        sources.spawn(source.clone().run(handle.inbound.clone(), Arc::clone(&handle.metrics), sources_stop.clone()));
        sources.spawn(source.clone().watch_recordings(handle.inbound.clone(), sources_stop.clone()));
    }

    if !config.cameras.is_empty() {
        let desk = |c: &bridge::Camera| {
            let voice = bridge::Voice::new(config.site.id.clone(), c.id.clone());
            bridge::Outlet::gateway(voice, frames.clone(), handle.inbound.clone(), clock.clone())
        };
        let cameras = config.cameras.iter().map(|c| (c.clone(), desk(c))).collect();
        let mut bridge = bridge::start(cameras, &bridge::Launcher::confined(), &handle.metrics, &clock, &sources_stop);
        sources.spawn(async move { while bridge.join_next().await.is_some() {} });
    }

    let catalogue = Arc::new(Catalogue::new(&config.rules.iter().map(|(_, t)| t).collect::<Vec<_>>()));
    let (_directory, directory) = watch::channel(Arc::new(directory(&config.site, handle.log.clone(), &catalogue)));
    let told_directory = directory.clone();
    let list = sinks::build(platform(&config).as_ref(), influx(&config).as_ref(), &directory).map_err(|problems| {
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        miette!("the sinks cannot be built:\n  - {}", text.join("\n  - "))
    })?;
    let shutdown = CancellationToken::new();
    let delivery = Delivery {
        log: Arc::new(StoreLog { reader: handle.reader.clone(), ops: handle.ops.clone(), committed: handle.committed.clone() }),
        clock: clock.clone(),
        clock_trusted: {
            let view = handle.view.clone();
            Arc::new(move || view.borrow().clock_trusted)
        },
        timing: Timing::default(),
        room: handle.room.clone(),
        shutdown: shutdown.clone(),
    };
    let mut tasks = JoinSet::new();
    let deliveries = delivery.start(&list, handle.health.clone(), &mut tasks);
    let link: Arc<dyn CommandLink> = intake.clone();
    let (unrecorded, notices) = tokio::sync::mpsc::channel(UNRECORDED);
    let sounders = Arc::new(Sounders::new(config.site.id.clone(), &config.site.devices, handle.switches.clone()));
    delivery.start_emergency(pipeline.emergency, &list, link.clone(), sounders.clone(), unrecorded, &mut tasks);
    let channels = notify::channels::build_at(&config.notify.channels, link.clone(), &clock).map_err(|problems| {
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        miette!("the channels cannot be built:\n  - {}", text.join("\n  - "))
    })?;
    let site_key = evidence::site_key(&config.data).into_diagnostic().wrap_err("the site's key cannot be used")?;
    let mut witness_state = None;
    if let Some(p) = platform(&config).filter(|p| p.receipts) {
        let state = witness_state.insert(Arc::default());
        let district = evidence::witness::Http::new(&p).map_err(|e| miette!("{e}"))?;
        let witness = evidence::witness::Witness {
            reader: handle.reader.clone(),
            ops: handle.ops.clone(),
            committed: handle.committed.clone(),
            key: site_key.clone(),
            site: config.site.id.as_str().to_owned(),
            log: handle.log.as_str().to_owned(),
            clock: clock.clone(),
            state: Arc::clone(state),
            shutdown: shutdown.clone(),
        };
        tasks.spawn(witness.run(district));
    }
    let link_key = LinkKey::open(&config.data).into_diagnostic().wrap_err("the key of links in messages cannot be used")?;
    let post = Post {
        reader: handle.reader.clone(),
        ops: handle.ops.clone(),
        committed: handle.committed.clone(),
        clock: clock.clone(),
        directory: told_directory,
        site: config.site.name.clone(),
        utc_offset_minutes: config.site.utc_offset_minutes,
        link: config.notify.link.clone(),
        key: link_key.clone(),
        shutdown: shutdown.clone(),
    };
    let voice = own_voice(&config, mqtt, own_password);
    let rollout =
        Rollout::new(handle.clone(), clock.clone(), config.site.id.clone(), config.data.clone(), voice.link.0.clone(), shutdown.clone());
    let desk = control::Desk { handle: handle.clone(), voice: voice.clone(), clock: clock.clone(), rollout: rollout.clone() };
    let (data, closing) = (config.data.clone(), shutdown.clone());
    tasks.spawn(async move {
        if let Err(e) = control::serve(data, desk, closing).await {
            tracing::error!("requests of the command line are not heard: {e}");
        }
    });
    let chain = Chain {
        handle: handle.clone(),
        deliveries: deliveries.clone(),
        voice: voice.clone(),
        clock: clock.clone(),
        every: Duration::from_secs(u64::from(config.notify.canary_minutes) * 60),
        view: Arc::default(),
        shutdown: shutdown.clone(),
    };
    let chain_view = chain.view.clone();
    tasks.spawn(chain.run());
    let weekly = Weekly {
        handle: handle.clone(),
        site: config.site.clone(),
        catalogue: catalogue.clone(),
        rules: crate::engine::rules::compile(&config.rules.iter().map(|(_, t)| t).collect::<Vec<_>>()).unwrap_or_default(),
        channels: channels.iter().cloned().zip(config.notify.channels.iter().cloned()).collect(),
        link: config.notify.link.clone(),
        clock: clock.clone(),
    };
    tasks.spawn(weekly.run(shutdown.clone()));
    let channels = post.start(&channels, &config.notify.channels, notices, &mut tasks);
    tasks.spawn(delivery.clone().run_outbox(link, sounders));
    let keeper = Keeper { pictures: pictures.clone(), handle: handle.clone(), clock: clock.clone() };
    tasks.spawn(keeper.run(shutdown.clone()));
    tasks.spawn(watch_metrics(handle.clone(), deliveries.clone(), intake.clone(), frames.clone(), shutdown.clone()));
    tasks.spawn(tell_refusals(handle.clone(), frames.clone(), clock.clone(), shutdown.clone()));

    let wall = Clock::System;
    let door = DoorConfig { name: "gateway", code: std::env::var("TUOAN_CLAIM_CODE").ok(), now: Box::new(move || wall.utc_ms()) };
    let door = Door::open(door, FileVault::in_dir(&config.data)).into_diagnostic().wrap_err("the passwords' file cannot be used")?;
    if let Some(p) = platform(&config).filter(|p| p.receipts) {
        let district = crate::grants::Http::new(&p).map_err(|e| miette!("{e}"))?;
        let fetcher =
            crate::grants::Fetcher { door: door.clone(), ops: handle.ops.clone(), clock: clock.clone(), shutdown: shutdown.clone() };
        tasks.spawn(fetcher.run(district));
    }
    let ops = handle.ops.clone();
    door.listen(move |told| {
        let _ = ops.deed(web::deeds::of_door(told));
    });
    let pages = web::WebConfig {
        site_name: config.site.name.clone(),
        utc_offset_minutes: config.site.utc_offset_minutes,
        speed,
        metrics_token: None,
        institution: config.site.institution,
        supervisor: config.site.supervisor,
        live_pictures: config.pictures.live,
        viewing_password: config.viewing_password.clone(),
        rooms: web::rooms(&config.site),
        formerly: web::formerly(&config.site),
    };
    let reload = Arc::new(Notify::new());
    let setup = web::setup::SetUp {
        files: config.files.clone(),
        site: Arc::new(config.site.without_plans()),
        uplink: config.platform.is_some(),
        node_tls,
        reload: reload.clone(),
    };
    let packs: Vec<&str> = config.rules.iter().map(|(_, text)| text.as_str()).collect();
    let deps = web::WebDeps {
        handle: handle.clone(),
        limits: Arc::new(web::limits(&packs)),
        rulebook: Arc::new(web::rules::rulebook(&packs)),
        catalogue,
        deliveries: deliveries.clone(),
        channels,
        chain: chain_view,
        link_key,
        pictures,
        evidence: evidence::Office { data: config.data.clone(), key: site_key, witness: witness_state },
        clock,
        door: door.clone(),
        setup,
        nodes: Some(rollout),
        shutdown: CancellationToken::new(),
    };
    let listen = config.web.listen;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .into_diagnostic()
        .wrap_err_with(|| format!("the pages cannot be served on {listen}; change [web] listen, or stop the program that has the port"))?;
    let web = Web { address: listener.local_addr().into_diagnostic()?, door, shutdown: deps.shutdown.clone() };
    handle.first_view().await;
    let (mut pages_task, closing) = (JoinSet::new(), deps.shutdown.clone());
    pages_task.spawn(async move {
        if let Err(e) = web::serve(listener, pages, deps).await
            && !closing.is_cancelled()
        {
            tracing::error!("the pages have ended: {e}");
        }
    });
    Ok(Running {
        handle,
        deliveries,
        mqtt,
        web,
        settle,
        reload,
        intake,
        eyes: (eyes, eyes_stop),
        sources: (sources, sources_stop),
        shutdown,
        tasks,
        pages: pages_task,
        pipeline: ended,
    })
}

impl Running {
    /// Until the pipeline ends by itself, which it does only when it cannot go on.
    pub async fn failed(&mut self) -> miette::Report {
        match (&mut self.pipeline).await {
            Ok(Err(e)) => e.into(),
            Ok(Ok(())) | Err(_) => miette!("the pipeline has ended"),
        }
    }

    /// Intake first, then what was taken in, then the sinks' last word, then the pages.
    pub async fn stop(mut self) -> Result<()> {
        let ordered = async {
            self.sources.1.cancel();
            while self.sources.0.join_next().await.is_some() {}
            match &*self.intake {
                Intake::Embedded(b) => b.shutdown().await,
                Intake::Outside(c) => c.shutdown().await,
            }
            self.eyes.1.cancel();
            while self.eyes.0.join_next().await.is_some() {}
            let (reply, drained) = oneshot::channel();
            if self.handle.control.send(Control::Drain { reply }).await.is_ok() {
                let _ = drained.await;
            }
            self.shutdown.cancel();
            while self.tasks.join_next().await.is_some() {}
            self.web.shutdown.cancel();
            while self.pages.join_next().await.is_some() {}
            match (&mut self.pipeline).await {
                Ok(result) => result.map_err(miette::Report::from),
                Err(_) => Ok(()),
            }
        };
        match tokio::time::timeout(STOP_LIMIT, ordered).await {
            Ok(result) => result,
            Err(_) => {
                tracing::warn!("stopping took longer than {} s; what was acknowledged is on disk", STOP_LIMIT.as_secs());
                Ok(())
            }
        }
    }
}

/// The daemon: runs until SIGTERM or Ctrl-C, then drains. What installation has changed is taken over by a restart of the parts in order, in this same
/// process. `told` is what happened at the door before there was a log.
pub async fn run(file: &Path, data: Option<&Path>, clock: Clock, told: Vec<Told>) -> Result<()> {
    let mut config = config::load(file, data)?;
    let mut told = Some(told);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).into_diagnostic()?;
    loop {
        let site = config.site.name.clone();
        let mut running = start(config.clone(), clock.clone(), 1.0).await?;
        for t in told.take().unwrap_or_default() {
            let _ = running.handle.ops.deed(web::deeds::of_door(t));
        }
        if let Some(mqtt) = running.mqtt {
            tracing::info!("MQTT on {mqtt}");
        }
        tracing::info!("pages of {site} on http://{}", running.web.address);
        if let Some(code) = running.web.door.claim_code() {
            // The one secret that belongs on the console: whoever can read it stands before the box.
            eprintln!("\n  This box is not claimed yet. Open its page and enter the code  {code}\n");
        }
        let reload = running.reload.clone();
        let ended = tokio::select! {
            report = running.failed() => Some(Err(report)),
            _ = terminate.recv() => Some(Ok(())),
            _ = tokio::signal::ctrl_c() => Some(Ok(())),
            () = reload.notified() => None,
        };
        tracing::info!("{}", if ended.is_some() { "stopping" } else { "the parts are restarted with what has changed" });
        let stopped = running.stop().await;
        match ended {
            Some(Err(report)) => return Err(report),
            Some(Ok(())) => return stopped,
            None => stopped?,
        }
        // Files that do not load must not end a gateway that ran: it goes on by what it had, and the pages say what waits.
        match config::load(file, data) {
            Ok(changed) => config = changed,
            Err(e) => tracing::error!("what has changed cannot be used, and the gateway goes on as before: {e}"),
        }
    }
}

/// Without a configuration of its own: that of the data folder, which the first page writes if there is none yet.
pub async fn run_folder(first: FirstRun) -> Result<()> {
    let file = Files::in_folder(&first.data).config;
    let clock = first.clock.clone();
    let mut told = Vec::new();
    if !file.exists() {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).into_diagnostic()?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        match serve::serve(first, stop).await? {
            Ended::Stopped => return Ok(()),
            Ended::Ready(happened) => told = happened,
        }
    }
    run(&file, None, clock, told).await
}

async fn spawn_pipeline(config: &Config, clock: Clock) -> Result<pipeline::Pipeline> {
    let mut mappings = Vec::new();
    for spec in &config.mappings {
        mappings.push(Mapping::compile(spec.clone()).map_err(|list| miette!("mapping {}: {}", spec.name, list.join("; ")))?);
    }
    let model = open_model(&config.runtime.room_climate, &config.runtime.onnx).await;
    let settings = PipelineConfig {
        data: config.data.clone(),
        site: config.site.without_plans(),
        rules: config.rules.iter().map(|(_, text)| text.clone()).collect(),
        mappings,
        clock,
        trust: match config.clock_trust {
            ClockTrust::Kernel => Trust::Kernel,
            ClockTrust::Always => Trust::Always,
        },
        store: Options { wear_mode: config.store.wear_mode, reserve_mb: config.store.reserve_mb, retention: config.store.retention },
        model,
    };
    Ok(tokio::task::spawn_blocking(move || pipeline::spawn(settings)).await.into_diagnostic()??)
}

/// The gateway starts without the model, too, and says so.
async fn open_model(source: &Source, choice: &runtime::Choice) -> Option<ClimateModel> {
    match ClimateModel::open_safely(source, choice).await {
        Ok(Some(model)) => {
            model.passed_over.iter().for_each(|why| tracing::warn!("{why}; {} is used instead", model.runtime));
            tracing::info!("rooms are estimated by {} on {}", model.name(), model.runtime);
            Some(model)
        }
        Ok(None) => {
            tracing::info!("rooms are not estimated: [runtime] room_climate = \"off\"");
            None
        }
        Err(e) => {
            tracing::error!("rooms are not estimated: {e}");
            None
        }
    }
}

/// Looks at the cameras of the site file as soon as there are any, until `stop`.
async fn watch_cameras(config: Config, parts: (Handle, FrameDesk, Pictures, Clock, eyes::Settle), stop: CancellationToken) {
    let (handle, desk, pictures, clock, settle) = parts;
    let mut setups = pictures.live.setups();
    tokio::select! {
        () = stop.cancelled() => return,
        some = setups.wait_for(|cameras| !cameras.is_empty()) => if some.is_err() { return },
    }
    let (open, models): (Open, String) = match EyeModels::open_safely(&config.runtime.eyes, &config.runtime.onnx).await {
        Ok(models) => {
            let name = models.name();
            models.passed_over().iter().for_each(|why| tracing::warn!("{why}; {name} is used instead"));
            (eyes::open(models), name)
        }
        Err(e) => {
            // Whether the cameras are blind is judged all the same; that nobody looks at what they show is told by the engine.
            tracing::error!("what the cameras show is not looked at: {e}");
            let why = e.to_string();
            (Arc::new(move || Err(why.clone())), "no models".to_owned())
        }
    };
    let workers = config.vision.workers.map_or_else(eyes::default_workers, usize::from);
    tracing::info!("the cameras are looked at by {workers} thread(s) with {models}");
    let (idle, anyway_s) = (config.vision.idle, config.vision.look_anyway_s);
    let parts = eyes::Parts { site: config.site, handle, desk, pictures, clock, open, models, workers, idle, anyway_s, settle };
    match eyes::Eyes::start(parts) {
        Ok(eyes) => {
            stop.cancelled().await;
            if let Err(e) = tokio::task::spawn_blocking(move || eyes.stop()).await {
                tracing::error!("the watch over the cameras did not end well: {e}");
            }
        }
        Err(e) => tracing::error!("the cameras are not looked at: {e}"),
    }
}

/// Where the cameras' frames come in.
fn desk(config: &Config, handle: &Handle) -> Result<FrameDesk> {
    let mut mapped = Vec::new();
    for spec in &config.vision.topics {
        mapped.push(Mapped::compile(spec).map_err(|list| miette!("[[vision.topic]] {}: {}", spec.topic, list.join("; ")))?);
    }
    Ok(FrameDesk::watching(Watch { cameras: Default::default(), mapped, announced: handle.pictures.clone(), fps: config.vision.fps }))
}

fn directory(site: &Site, log: LogId, catalogue: &Catalogue) -> Directory {
    let words = |w: &crate::engine::rules::Words| Bilingual { zh: w.zh.clone(), en: w.en.clone() };
    let rules = catalogue.iter().map(|e| {
        let text = RuleText {
            title: words(&e.title),
            advice: words(&e.advice),
            clause: e.citation(),
            duty: e.duty.iter().map(|d| d.as_str().to_owned()).collect(),
        };
        (e.rule.clone(), text)
    });
    Directory::new(site, log, rules)
}

fn platform(config: &Config) -> Option<PlatformConfig> {
    let p = config.platform.as_ref()?;
    Some(PlatformConfig { url: p.url.clone(), token: Secret::new(p.token.reveal()), receipts: p.receipts })
}

fn influx(config: &Config) -> Option<InfluxConfig> {
    let i = config.influx.as_ref()?;
    Some(InfluxConfig {
        url: i.url.clone(),
        org: i.org.clone(),
        bucket: i.bucket.clone(),
        token: Secret::new(i.token.reveal()),
        measurement: i.measurement.clone(),
    })
}

/// One incident for `tuoan incidents list --json`.
pub fn incident_json(i: &IncidentRow) -> serde_json::Value {
    serde_json::json!({
        "id": i.id, "hazard": i.hazard, "zone": i.place.zone, "device": i.place.device, "severity": i.severity, "basis": i.basis,
        "active": i.state.active, "acknowledged": i.state.acknowledged, "closed": i.state.closed, "rule": i.rule,
        "activations": i.activations, "opened_at": i.opened_at, "changed_at": i.changed_at, "sequence": i.sequence,
    })
}
