//! The back-test behind the page of a rule. One at a time, on a thread of its own with the least claim to the machine, with its own reader:
//! the engine's thread and the writer never wait for it.
use crate::clock::Stopwatch;
use crate::engine::rules::Override;
use crate::replay::backtest::{Backtest, Pace, backtest};
use crate::replay::{Change, Range, ReplayError, Source};
use crate::web::WebDeps;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tuoan_protocol::RuleId;

/// How much of the history is used: two months are enough for a figure by the week, and a small box is done in minutes.
const HISTORY_MS: i64 = 60 * 86_400_000;
/// A trial that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// As `nice`: it runs when nothing else does.
const NICE: i32 = 15;

#[derive(Debug, Clone)]
pub enum State {
    Running,
    Stopped,
    Failed(String),
    Done(Arc<Backtest>),
}

/// One trial.
#[derive(Debug)]
pub struct Trial {
    /// Drawn at random: what is switched on is what was tried.
    pub token: String,
    pub set: Override,
    stop: AtomicBool,
    percent: AtomicU8,
    state: Mutex<State>,
}

impl Trial {
    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    pub fn is_running(&self) -> bool {
        matches!(self.state(), State::Running)
    }
    pub fn percent(&self) -> u8 {
        self.percent.load(Ordering::Relaxed)
    }
    /// Asks it to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn run(&self, path: &Path, shutdown: &CancellationToken) {
        let _ = rustix::process::nice(NICE);
        let watch = Stopwatch::start();
        let result = self.judge(path, shutdown, watch);
        let state = match result {
            Ok(result) => State::Done(Arc::new(result)),
            Err(ReplayError::Cancelled) if watch.elapsed() >= LONGEST => State::Failed("> 15 min".to_owned()),
            Err(ReplayError::Cancelled) => State::Stopped,
            Err(e) => {
                tracing::warn!("a trial of {} has failed: {e}", self.set.rule);
                State::Failed(e.to_string())
            }
        };
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn judge(&self, path: &Path, shutdown: &CancellationToken, watch: Stopwatch) -> Result<Backtest, ReplayError> {
        let source = Source::open(path)?;
        let in_force = source.configuration()?;
        let change = Change::overrides(vec![self.set.clone()], &in_force)?;
        let range = Range { from: Some(source.cut.now.saturating_sub(HISTORY_MS)), to: None };
        let mut first = None;
        backtest(&source, &change, range, Pace::Gentle, &mut |position| {
            let first = *first.get_or_insert(position);
            let whole = source.cut.position.saturating_sub(first).max(1);
            let done = position.saturating_sub(first).saturating_mul(100) / whole;
            self.percent.store(u8::try_from(done.min(99)).unwrap_or(99), Ordering::Relaxed);
            !self.stop.load(Ordering::Relaxed) && !shutdown.is_cancelled() && watch.elapsed() < LONGEST
        })
    }
}

/// The last trial, running or done.
#[derive(Debug, Default)]
pub struct Trials(Mutex<Option<Arc<Trial>>>);

impl Trials {
    pub fn last(&self) -> Option<Arc<Trial>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// The last one, if it is of that rule.
    pub fn of(&self, rule: &RuleId) -> Option<Arc<Trial>> {
        self.last().filter(|t| t.set.rule == *rule)
    }
    pub fn forget(&self, token: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take_if(|t| t.token == token);
    }
    /// Begins a trial, unless one is running.
    pub fn start(&self, deps: &WebDeps, set: Override) -> bool {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_some_and(|t| t.is_running()) {
            return false;
        }
        let trial = Arc::new(Trial {
            token: hex::encode(rand::random::<[u8; 16]>()),
            set,
            stop: AtomicBool::new(false),
            percent: AtomicU8::new(0),
            state: Mutex::new(State::Running),
        });
        let (worker, path, shutdown) = (Arc::clone(&trial), deps.handle.reader.path().to_owned(), deps.shutdown.clone());
        let thread = std::thread::Builder::new().name("backtest".to_owned()).spawn(move || worker.run(&path, &shutdown));
        if let Err(e) = thread {
            *trial.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Failed(e.to_string());
        }
        *slot = Some(trial);
        true
    }
}
