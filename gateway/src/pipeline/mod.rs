//! The engine's thread: inbound queue -> decode -> step -> batch -> writer. See [`Handle`] for how others reach it.
//!
//! | file | holds |
//! |---|---|
//! | `time.rs` | engine time from the machine's clocks |
//! | `recover.rs` | the engine's state from snapshot and log |
//! | `round.rs` | one step and its batch |
//! | `rules.rs` | overrides of rules that are set while the gateway runs |
//! | `run.rs` | the loop |
//! | `alarms.rs` | what must not wait for the disk |
mod alarms;
mod recover;
mod round;
pub mod rules;
mod run;
#[cfg(test)]
mod tests;
mod time;

use crate::clock::Clock;
use crate::decode::Decoders;
use crate::decode::mapping::Mapping;
use crate::decode::switches::Switches;
use crate::engine::input::Configuration;
use crate::engine::site::Site;
use crate::engine::view::View;
use crate::engine::{Body, Command, DeviceInfo, Message, State};
use crate::estimate::Estimator;
use crate::estimate::model::ClimateModel;
use crate::ingest::frames::{Announced, Refusal};
use crate::ingest::{INBOUND_QUEUE, InboundSender};
use crate::metrics::Metrics;
use crate::store::{Committed, Deps, Emergency, Health, Ops, Options, Reader, Recovered, Room, Store, StoreError};
use miette::Diagnostic;
pub use rules::OverrideChange;
use std::path::PathBuf;
use std::sync::Arc;
use time::EngineClock;
use tokio::sync::{mpsc, oneshot, watch};
use tuoan_protocol::LogId;
use tuoan_vision::setup;

/// What the pipeline needs to start.
pub struct PipelineConfig {
    /// Data directory; created if it is not there.
    pub data: PathBuf,
    pub site: Site,
    /// Rule packs as TOML text, in order of their names.
    pub rules: Vec<String>,
    pub mappings: Vec<Mapping>,
    pub clock: Clock,
    pub trust: Trust,
    pub store: Options,
    /// Looks at each room once a minute; `None`: rooms are not estimated.
    pub model: Option<ClimateModel>,
}

/// When the clock is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// When the kernel says that it is synchronised.
    #[default]
    Kernel,
    /// Always: for a box whose clock is kept right by means that the kernel does not know of.
    Always,
}

/// Why the pipeline does not start, or stopped.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PipelineError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    #[error("replaying the log from position {position} gives other incidents than were stored: {detail}")]
    #[diagnostic(
        code(pipeline::diverged),
        help(
            "This version of the engine cannot go on with this log. Run the version that wrote it, or start with another data directory."
        )
    )]
    Diverged { position: u64, detail: String },
    #[error("no snapshot of the engine's state can be read, and the log begins at position {first}: what came before it has been removed")]
    #[diagnostic(
        code(pipeline::no_beginning),
        help(
            "Run the version that wrote the log, or start with another data directory. `tuoan incidents list` still shows what is in this one."
        )
    )]
    NoBeginning { first: u64 },
    #[error("the configuration cannot be used: {0}")]
    #[diagnostic(
        code(pipeline::configuration),
        help("`tuoan rules check` and `tuoan doctor` name every problem of the site file and the rule packs.")
    )]
    Configuration(String),
    #[error("the engine has broken its contract: {detail}")]
    #[diagnostic(
        code(pipeline::engine),
        help("This is an error of the program; nothing unstored was acknowledged. Restart it and report this.")
    )]
    Engine { detail: String },
    #[error("the writer thread has stopped")]
    #[diagnostic(code(pipeline::writer), help("The lines before this one in the log say why."))]
    WriterGone,
    #[error("the thread {0:?} could not be started: {1}")]
    Thread(&'static str, String),
}

/// A running pipeline.
pub struct Pipeline {
    pub handle: Handle,
    /// Ends after [`Control::Drain`], or with what made it impossible to go on.
    pub thread: std::thread::JoinHandle<Result<(), PipelineError>>,
    /// What must go out although the disk does not take it.
    pub emergency: mpsc::Receiver<Emergency>,
    /// How the cameras are set up at this start.
    pub cameras: Vec<setup::Camera>,
}

/// Orders to devices and alarms that may wait for delivery while the disk does not answer.
const EMERGENCY_QUEUE: usize = 256;
/// How long the pages wait for the first view at most.
const FIRST_VIEW: std::time::Duration = std::time::Duration::from_secs(2);
/// Requests that may wait.
const CONTROL_QUEUE: usize = 64;
/// What the gateway's own eyes say and the engine has not taken yet: some rounds of all zones and cameras of the largest site.
const OBSERVATIONS: usize = 256;

/// Opens the store, recovers the engine's state from it and starts the two threads. Blocks for as long as the recovery takes.
///
/// # Errors
/// The store cannot be opened, or the log cannot be gone on with.
pub fn spawn(config: PipelineConfig) -> Result<Pipeline, PipelineError> {
    let deps = Deps::new(config.clock.clone(), Arc::new(Metrics::new()));
    spawn_with(config, deps)
}

/// As [`spawn`], with the store's seams in the caller's hand.
pub fn spawn_with(config: PipelineConfig, deps: Deps) -> Result<Pipeline, PipelineError> {
    let metrics = Arc::clone(&deps.metrics);
    let (store, recovered) = Store::open(&config.data, config.store, deps)?;
    let state = recover::recover(&store.reader, &recovered)?;
    let mut time = if state.position() == 0 {
        EngineClock::start(config.clock.clone(), config.trust)
    } else {
        EngineClock::resume(config.clock.clone(), config.trust, recovered.now, recovered.utc_offset)
    };
    let estimator = match config.model {
        Some(model) => Some(Estimator::new(model, &config.site, store.reader.kept(run::LEARNED)?.as_deref())),
        None => None,
    };
    let configuration = rules::keep_set(&state, Configuration::new(recovered.log.clone(), config.site, config.rules), time.now());
    let cameras = configuration.site.cameras.clone();
    let first = first_inputs(&state, &recovered, configuration, time.now());

    let (inbound_tx, inbound) = mpsc::channel(INBOUND_QUEUE);
    let (control_tx, control) = mpsc::channel(CONTROL_QUEUE);
    let (observation_tx, observations) = mpsc::channel(OBSERVATIONS);
    let (emergency_tx, emergency) = mpsc::channel(EMERGENCY_QUEUE);
    let mut decoders = Decoders::standard(config.mappings);
    let handle = Handle {
        inbound: inbound_tx,
        control: control_tx,
        observations: observation_tx,
        view: store.view.clone(),
        committed: store.committed.clone(),
        health: store.health.clone(),
        room: store.room.clone(),
        reader: store.reader.clone(),
        ops: store.ops.clone(),
        metrics: Arc::clone(&metrics),
        log: recovered.log,
        pictures: decoders.pictures(),
        switches: decoders.switches(),
    };
    // Or a bridge's device would have another id until its bridge has named it again.
    decoders.learn(&state.inventory());
    let runner = run::Runner::new(run::Parts {
        state,
        decoders,
        time,
        clock: config.clock,
        store,
        inbound,
        control,
        observations,
        emergency: emergency_tx,
        metrics,
        estimator,
    });
    let thread = std::thread::Builder::new()
        .name("pipeline".to_owned())
        .spawn(move || {
            let ended = runner.run(first);
            if let Err(e) = &ended {
                tracing::error!("the pipeline has stopped: {e}");
            }
            ended
        })
        .map_err(|e| PipelineError::Thread("pipeline", e.to_string()))?;
    Ok(Pipeline { handle, thread, emergency, cameras })
}

/// What the engine is told at a start. On a restart `Started` comes first: whatever came before it would let the silence while the gateway
/// was down count as silence of the devices.
fn first_inputs(state: &State, recovered: &Recovered, configuration: Configuration, now: i64) -> Vec<Body> {
    let configure = match state.configuration() {
        Some(before) if before.hash == configuration.hash => None,
        _ => Some(Body::Configure(Box::new(configuration))),
    };
    if state.position() == 0 {
        return configure.into_iter().chain([Body::Started { down_from: now }]).collect();
    }
    std::iter::once(Body::Started { down_from: recovered.now }).chain(configure).collect()
}

/// Cheap to clone; what web, delivery, demo and the brokers hold of the running gateway.
#[derive(Clone)]
pub struct Handle {
    pub inbound: InboundSender,
    pub control: mpsc::Sender<Control>,
    observations: mpsc::Sender<Body>,
    pub view: watch::Receiver<Arc<View>>,
    pub committed: watch::Receiver<Committed>,
    pub health: watch::Receiver<Health>,
    /// How much room the store has; empty until delivery has said which lanes there are.
    pub room: watch::Receiver<Arc<Room>>,
    pub reader: Reader,
    /// Cursors, receipts, outbox attempts, retained messages.
    pub ops: Ops,
    pub metrics: Arc<Metrics>,
    /// This gateway's log.
    pub log: LogId,
    /// Topics that discovery says carry pictures, as they become known.
    pub pictures: Announced,
    /// How devices are switched, as their bridges announce it.
    pub switches: Switches,
}

/// Why an observation was not taken. The next one says all of it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untaken {
    #[error("the engine has not taken what was seen before")]
    Busy,
    #[error("the engine has stopped")]
    Stopped,
}

impl Handle {
    /// Waits for the first view, so that nobody is shown a site without rooms and people while the first commit is on its way; not for longer than [`FIRST_VIEW`]:
    /// a disk that does not take the commit has to be seen on the pages.
    pub async fn first_view(&self) {
        let mut view = self.view.clone();
        let _ = tokio::time::timeout(FIRST_VIEW, view.wait_for(|v| v.position > 0)).await;
    }
    /// What the gateway's own eyes see of a zone or say of a camera. It never waits, and nothing is acknowledged.
    ///
    /// # Errors
    /// [`Untaken`]: to be counted, and said again with the next.
    pub fn observe(&self, seen: Message) -> Result<(), Untaken> {
        self.tell(Body::Message(seen))
    }
    /// By which models and from which picture the zone's device speaks: it stands in the log with what it said.
    ///
    /// # Errors
    /// [`Untaken`]
    pub fn introduce(&self, eyes: DeviceInfo) -> Result<(), Untaken> {
        self.tell(Body::Inventory(vec![eyes]))
    }
    fn tell(&self, body: Body) -> Result<(), Untaken> {
        self.observations.try_send(body).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Untaken::Busy,
            mpsc::error::TrySendError::Closed(_) => Untaken::Stopped,
        })
    }
}

/// Requests to the engine's thread.
pub enum Control {
    /// Answered after the commit: the new position, or why not.
    Command { command: Command, reply: oneshot::Sender<Result<u64, &'static str>> },
    /// Put an override of a rule in force, or end it; answered after the commit: the new position, or why not.
    Override { change: OverrideChange, reply: oneshot::Sender<Result<u64, &'static str>> },
    /// Put camera frames that were refused into the quarantine: the reasons, no pictures.
    Refused(Vec<Refusal>),
    /// Set a camera up so; answered after the commit: the new position, or why not.
    Camera { camera: Box<setup::Camera>, reply: oneshot::Sender<Result<u64, &'static str>> },
    /// Let timers that are due by the clock's present time fire; answered after the commit.
    Tick { reply: oneshot::Sender<()> },
    /// Finish what is queued, write a snapshot, stop. Answered when all is on disk.
    Drain { reply: oneshot::Sender<()> },
}
