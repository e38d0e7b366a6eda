//! The loop of the engine's thread.
use super::alarms::Alarms;
use super::round::Round;
use super::time::EngineClock;
use super::{Control, PipelineError, rules};
use crate::clock::{Clock, Stopwatch};
use crate::decode::Decoders;
use crate::engine::{Body, Input, Outcome, State, Verdict, step};
use crate::estimate::Estimator;
use crate::ingest::Inbound;
use crate::metrics::{Metrics, SeverityLabel};
use crate::store::{Batch, Committed, Emergency, NotTaken, Reply, Snapshot, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Messages in one step at most.
const ROUND: usize = 1024;
/// The loop turns at least this often.
const IDLE: Duration = Duration::from_millis(250);
/// A view is built at most this often while things change ...
const VIEW_BUSY: Duration = Duration::from_millis(250);
/// ... and at least this often, because freshness changes by itself.
const VIEW_IDLE: Duration = Duration::from_secs(1);
/// A snapshot is written after this many entries, or after this much engine time (milliseconds) with any.
const SNAPSHOT_ENTRIES: usize = 20_000;
const SNAPSHOT_MS: i64 = 300_000;
/// How long one attempt to hand a batch over lasts: in between, alarms that wait for the disk are looked after.
const HAND_OVER: Duration = Duration::from_millis(100);

/// How long a round may wait for the writer to take the one before it: about a commit, and short beside what people notice.
const BREATH: Duration = Duration::from_millis(5);

/// Under this name the store keeps what the rooms have shown.
pub(super) const LEARNED: &str = "estimate";

/// What the loop is put together from.
pub(super) struct Parts {
    pub state: State,
    pub decoders: Decoders,
    pub time: EngineClock,
    pub clock: Clock,
    pub store: Store,
    pub inbound: mpsc::Receiver<Inbound>,
    pub control: mpsc::Receiver<Control>,
    pub observations: mpsc::Receiver<Body>,
    pub emergency: mpsc::Sender<Emergency>,
    pub metrics: Arc<Metrics>,
    pub estimator: Option<Estimator>,
}

pub(super) struct Runner {
    parts: Parts,
    alarms: Alarms,
    /// What the gateway's own eyes have said since the last round.
    seen: Vec<Body>,
    /// Entries since the last snapshot, and its engine time.
    unsaved: usize,
    saved_at: i64,
    /// When the last view was built, and whether anything has changed since.
    viewed: Option<Stopwatch>,
    dirty: bool,
}

/// What wakes the loop.
enum Woken {
    Messages,
    Control(Control),
    Nothing,
    /// All who could send are gone.
    Abandoned,
}

impl Runner {
    pub fn new(mut parts: Parts) -> Runner {
        let saved_at = parts.time.now();
        Runner { parts, alarms: Alarms::default(), seen: Vec::new(), unsaved: 0, saved_at, viewed: None, dirty: true }
    }

    pub fn run(mut self, first: Vec<Body>) -> Result<(), PipelineError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|e| PipelineError::Thread("pipeline", e.to_string()))?;
        let mut round = Round::new(self.parts.time.now(), self.parts.clock.utc_ms());
        for body in first.into_iter().chain(self.parts.time.correction()) {
            round.own(body);
        }
        self.step(round, Vec::new())?;
        let mut messages = Vec::with_capacity(ROUND);
        loop {
            self.parts.store.breathe(BREATH);
            let pause = self.pause();
            let woken = runtime.block_on(wake(&mut self.parts, &mut messages, &mut self.seen, pause));
            let mut round = self.round();
            let drain = match woken {
                Woken::Control(control) => {
                    // What was queued before the request is taken with it.
                    while messages.len() < ROUND
                        && let Ok(message) = self.parts.inbound.try_recv()
                    {
                        messages.push(message);
                    }
                    self.control(&mut round, control)
                }
                Woken::Messages | Woken::Nothing => None,
                Woken::Abandoned => Some(oneshot::channel().0),
            };
            self.take(round, &mut messages)?;
            if let Some(reply) = drain {
                return self.drain(reply, messages);
            }
        }
    }

    /// A request; one to stop is given back.
    fn control(&mut self, round: &mut Round, control: Control) -> Option<oneshot::Sender<()>> {
        match control {
            Control::Override { change, reply } => match rules::changed(&self.parts.state, change) {
                Ok(c) => round.configure(c, reply),
                Err(problems) => {
                    tracing::info!("an override was refused: {problems}");
                    let _ = reply.send(Err("it does not go with the rules in force"));
                }
            },
            Control::Camera { camera, reply } => match rules::with_camera(&self.parts.state, *camera) {
                Ok(c) => round.configure(c, reply),
                Err(problems) => {
                    tracing::info!("a camera's set-up was refused: {problems}");
                    let _ = reply.send(Err("it does not go with the site"));
                }
            },
            other => return round.control(other),
        }
        None
    }

    /// How long the loop may sleep.
    fn pause(&mut self) -> Duration {
        let now = self.parts.time.now();
        // By a manual clock nothing becomes due until it is set, and who sets it asks for a tick.
        let runs = matches!(self.parts.clock, Clock::System);
        let timer = self
            .parts
            .state
            .next_due()
            .filter(|_| runs)
            .map(|due| Duration::from_millis(u64::try_from(due.saturating_sub(now)).unwrap_or(0)));
        // A timer that is due by now has fired in the step before, so a pause of nothing does not repeat.
        [timer, self.alarms.due()].into_iter().flatten().fold(IDLE, Duration::min)
    }

    /// A new round, which begins with what the engine must be told of the clock.
    fn round(&mut self) -> Round {
        let now = self.parts.time.now();
        let mut round = Round::new(now, self.parts.clock.utc_ms());
        if let Some(body) = self.parts.time.correction() {
            round.own(body);
        }
        if let Some(estimator) = &mut self.parts.estimator {
            self.parts.metrics.estimating.set(i64::from(!estimator.has_failed()));
            for body in estimator.due(now, self.parts.time.utc_offset()) {
                round.estimate(body);
            }
        }
        while self.seen.len() < ROUND
            && let Ok(body) = self.parts.observations.try_recv()
        {
            self.seen.push(body);
        }
        self.seen.drain(..).for_each(|body| round.observation(body));
        round
    }

    fn take(&mut self, mut round: Round, messages: &mut Vec<Inbound>) -> Result<(), PipelineError> {
        self.parts.metrics.received.inc_by(messages.len() as u64);
        self.parts.metrics.inbound_queue.set(i64::try_from(self.parts.inbound.len()).unwrap_or(i64::MAX));
        for (number, message) in messages.iter().enumerate() {
            round.message(&mut self.parts.decoders, message, number);
        }
        self.step(round, std::mem::replace(messages, Vec::with_capacity(ROUND)))
    }

    fn step(&mut self, round: Round, messages: Vec<Inbound>) -> Result<(), PipelineError> {
        let now = round.now();
        let outcome = step(&mut self.parts.state, round.inputs(), now);
        let at = Committed {
            position: self.parts.state.position(),
            sequence: self.parts.state.sequence(),
            utc_offset: self.parts.time.utc_offset(),
        };
        self.alarms.add(&outcome, at);
        self.observe(round.inputs(), &outcome, now);
        let mut batch = round.finish(messages, outcome, self.parts.time.utc_offset())?;
        self.dirty |= !batch.entries.is_empty() || !batch.events.is_empty();
        self.unsaved += batch.entries.len();
        let stale = now.saturating_sub(self.saved_at) >= SNAPSHOT_MS;
        if self.unsaved >= SNAPSHOT_ENTRIES || (stale && self.unsaved > 0) {
            batch.snapshot = Some(self.snapshot(now));
        }
        self.look(&mut batch);
        self.hand_over(batch)
    }

    /// Shows the estimator what the engine has accepted.
    fn observe(&mut self, inputs: &[Input], outcome: &Outcome, now: i64) {
        let Some(estimator) = &mut self.parts.estimator else { return };
        let accepted = inputs.iter().zip(&outcome.verdicts).filter(|(_, v)| matches!(v, Verdict::Accepted(_)));
        for (input, _) in accepted {
            estimator.observe(input, self.parts.state.utc_offset(), self.parts.state.clock_trusted());
        }
        self.keep(now, false);
    }

    /// What is learned may be lost, so nobody waits for it.
    fn keep(&mut self, now: i64, at_the_end: bool) {
        if let Some(bytes) = self.parts.estimator.as_mut().and_then(|e| e.keep(now, at_the_end))
            && let Err(e) = self.parts.store.ops.keep(LEARNED, bytes)
        {
            tracing::warn!("what the rooms have shown is not kept now: {e}");
        }
    }

    fn snapshot(&mut self, now: i64) -> Snapshot {
        (self.unsaved, self.saved_at) = (0, now);
        Snapshot { position: self.parts.state.position(), sequence: self.parts.state.sequence(), bytes: self.parts.state.encode() }
    }

    /// Puts a view into the batch when it is time for one.
    fn look(&mut self, batch: &mut Batch) {
        // Nobody has seen anything yet: the first view comes with the first commit.
        let age = self.viewed.map_or(VIEW_IDLE, |v| v.elapsed());
        let due = (self.dirty && age >= VIEW_BUSY) || age >= VIEW_IDLE;
        // Whoever is answered sees what came of it on the page that the answer leads to.
        let answers = batch.replies.iter().any(|r| matches!(r, Reply::Position(..)));
        if !due && !answers && batch.events.is_empty() {
            return;
        }
        let view = self.parts.state.view(batch.now);
        for severity in 1..=4u8 {
            let open = view.incidents.iter().filter(|i| u8::from(i.severity) == severity).count();
            let label = SeverityLabel { severity: severity.into() };
            self.parts.metrics.incidents.get_or_create(&label).set(i64::try_from(open).unwrap_or(i64::MAX));
        }
        batch.view = Some(Arc::new(view));
        (self.viewed, self.dirty) = (Some(Stopwatch::start()), false);
    }

    /// Gives the batch to the writer; waits for as long as the disk needs. Here intake stands still.
    fn hand_over(&mut self, batch: Batch) -> Result<(), PipelineError> {
        let mut batch = Box::new(batch);
        loop {
            let committed = *self.parts.store.committed.borrow();
            self.alarms.sound(committed, &self.parts.emergency);
            if batch.says_nothing() {
                return Ok(());
            }
            batch = match self.parts.store.submit(batch, HAND_OVER) {
                Ok(()) => return Ok(()),
                Err(NotTaken::Full(batch)) => batch,
                Err(NotTaken::Stopped) => return Err(PipelineError::WriterGone),
            };
        }
    }

    /// Takes what is queued, stores it with a snapshot, and stops.
    fn drain(mut self, reply: oneshot::Sender<()>, mut messages: Vec<Inbound>) -> Result<(), PipelineError> {
        self.parts.inbound.close();
        self.parts.observations.close();
        while let Ok(message) = self.parts.inbound.try_recv() {
            messages.push(message);
            if messages.len() == ROUND {
                let round = self.round();
                self.take(round, &mut messages)?;
            }
        }
        let round = self.round();
        self.take(round, &mut messages)?;
        self.parts.control.close();
        let mut round = self.round();
        while let Ok(control) = self.parts.control.try_recv() {
            // A second request to drain is answered with the first.
            if let Some(reply) = round.control(control) {
                round.tick(reply);
            }
        }
        self.step(round, Vec::new())?;
        let now = self.parts.state.now();
        self.keep(now, true);
        let snapshot = Some(self.snapshot(now));
        let view = Some(Arc::new(self.parts.state.view(now)));
        self.hand_over(Batch { now, utc_offset: self.parts.time.utc_offset(), snapshot, view, urgent: true, ..Batch::default() })?;
        self.parts.store.close();
        let _ = reply.send(());
        Ok(())
    }
}

async fn wake(parts: &mut Parts, messages: &mut Vec<Inbound>, seen: &mut Vec<Body>, pause: Duration) -> Woken {
    let Parts { inbound, control, observations, .. } = parts;
    tokio::select! {
        biased;
        request = control.recv() => request.map_or(Woken::Abandoned, Woken::Control),
        n = inbound.recv_many(messages, ROUND), if !inbound.is_closed() || !inbound.is_empty() => if n > 0 { Woken::Messages } else { Woken::Nothing },
        _ = observations.recv_many(seen, ROUND), if !observations.is_closed() || !observations.is_empty() => Woken::Nothing,
        () = tokio::time::sleep(pause) => Woken::Nothing,
    }
}
