//! Between the pipeline and the writer: one slot in which batches gather, and small operations that coalesce. Bounded both ways.
use super::ops::Pending;
use super::{Batch, OpsError};
use crate::clock::Stopwatch;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Entries that may gather for the next transaction while one is under way: so all connections share it, and the engine need not wait.
const GATHERED_MAX: usize = 4096;
/// Entries (and quarantined messages) that may wait together while the disk does not answer: hours of a nursery, so that an alarm among
/// later messages is still seen; then intake stands still.
const HELD_MAX: usize = 32_768;
/// A transaction that takes longer than this counts as a disk that does not answer.
const SLOW_COMMIT: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batch: Option<Batch>,
    ops: Pending,
    /// The writer's present transaction began then.
    committing: Option<Stopwatch>,
    /// The writer's last transaction failed.
    failing: bool,
    /// Weight of what the writer holds already.
    held: usize,
    closing: Closing,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Closing {
    #[default]
    Open,
    /// Write what is here, then stop.
    Finish,
    /// Stop at once; or the writer has stopped.
    Stopped,
}

/// What the writer has in hand. After a failure it stays as it is (and may grow), so that the same outcome is tried again.
#[derive(Debug, Default)]
pub struct Work {
    pub batch: Option<Batch>,
    pub ops: Pending,
    /// Since when the first of it waits.
    since: Option<Stopwatch>,
    /// Something in it must not wait for company.
    hurry: bool,
}

impl Work {
    fn is_empty(&self) -> bool {
        self.batch.is_none() && self.ops.is_empty()
    }
    fn weight(&self) -> usize {
        self.batch.as_ref().map_or(0, Batch::weight)
    }
    /// After a failure: wait from now on, and be in no hurry until something urgent comes.
    pub fn postpone(&mut self) {
        self.since = Some(Stopwatch::start());
        self.hurry = false;
    }
}

/// How long what is in hand may wait for company.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub batch: Duration,
    pub ops: Duration,
}

/// Why [`Mailbox::submit`] did not take a batch.
#[derive(Debug)]
pub enum NotTaken {
    /// No room yet: try again, the batch is given back.
    Full(Box<Batch>),
    /// The writer has stopped.
    Stopped,
}

/// What [`Mailbox::gather`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathered {
    /// Write what is in hand.
    Ripe,
    /// Nothing is left to write, or nothing more shall be written.
    End,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pipeline: hands a batch over, waiting at most `wait` for room.
    pub fn submit(&self, batch: Box<Batch>, wait: Duration) -> Result<(), NotTaken> {
        let begun = Stopwatch::start();
        let mut state = self.lock();
        loop {
            if state.closing != Closing::Open {
                return Err(NotTaken::Stopped);
            }
            let stalled = state.failing || state.committing.is_some_and(|c| c.elapsed() > SLOW_COMMIT);
            let room = if stalled { HELD_MAX.saturating_sub(state.held) } else { GATHERED_MAX };
            match &mut state.batch {
                None => {
                    state.batch = Some(*batch);
                    self.changed.notify_all();
                    return Ok(());
                }
                Some(waiting) if waiting.weight() + batch.weight() <= room => {
                    waiting.absorb(*batch);
                    self.changed.notify_all();
                    return Ok(());
                }
                Some(_) => {}
            }
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(NotTaken::Full(batch));
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Pipeline: returns when no batch waits for the writer, or after `limit`. What arrives meanwhile goes into one round, so that under load
    /// the threads wake once for a commit and not once for a message; without load nothing waits here.
    pub fn breathe(&self, limit: Duration) {
        let state = self.lock();
        if state.batch.is_some() && !state.failing {
            let waiting = |s: &mut State| s.batch.is_some() && s.closing == Closing::Open;
            drop(self.changed.wait_timeout_while(state, limit, waiting));
        }
    }

    /// Anybody: adds small operations for the next transaction.
    pub fn add(&self, change: impl FnOnce(&mut Pending) -> Result<(), OpsError>) -> Result<(), OpsError> {
        let mut state = self.lock();
        if state.closing != Closing::Open {
            return Err(OpsError::Stopped);
        }
        let result = change(&mut state.ops);
        self.changed.notify_all();
        result
    }

    /// Writer: fills `work` until it is ripe.
    pub fn gather(&self, work: &mut Work, patience: Patience) -> Gathered {
        let mut state = self.lock();
        state.committing = None;
        loop {
            if state.closing == Closing::Stopped {
                return Gathered::End;
            }
            let room = work.batch.is_none() || state.batch.as_ref().is_some_and(|b| work.weight() + b.weight() <= HELD_MAX);
            if room && let Some(batch) = state.batch.take() {
                work.hurry |= batch.urgent;
                match &mut work.batch {
                    Some(held) => held.absorb(batch),
                    None => work.batch = Some(batch),
                }
                self.changed.notify_all();
            }
            state.held = work.weight();
            // While the disk does not answer, what is in hand does not grow: so both ends stay within the bounds of `Pending`.
            // Nor does it grow past those bounds while it waits for company.
            let crowded = !work.ops.takes(&state.ops);
            if (!state.failing && !crowded) || work.ops.is_empty() {
                let ops = std::mem::take(&mut state.ops);
                work.hurry |= ops.is_awaited();
                work.ops.absorb(ops);
            }
            if work.is_empty() {
                if state.closing == Closing::Finish {
                    return Gathered::End;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = work.since.get_or_insert_with(Stopwatch::start).elapsed();
            let patience = if work.batch.is_some() { patience.batch } else { patience.ops };
            let last_call = state.closing == Closing::Finish && !state.failing;
            // Full hands: waiting longer would only keep the pipeline standing.
            let full = !state.failing && (!room || crowded);
            if work.hurry || last_call || full || waited >= patience {
                state.committing = Some(Stopwatch::start());
                return Gathered::Ripe;
            }
            state = self.changed.wait_timeout(state, patience - waited).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writer: how the transaction ended.
    pub fn finished(&self, failing: bool) {
        let mut state = self.lock();
        state.committing = None;
        state.failing = failing;
        if !failing {
            state.held = 0;
        }
        self.changed.notify_all();
    }

    /// Write what is here, then stop.
    pub fn finish(&self) {
        let mut state = self.lock();
        if state.closing == Closing::Open {
            state.closing = Closing::Finish;
        }
        self.changed.notify_all();
    }

    /// Stop at once: what is not written stays unwritten and unacknowledged.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.closing = Closing::Stopped;
        // Dropping them tells those who wait.
        state.batch = None;
        state.ops = Pending::default();
        self.changed.notify_all();
    }
}
