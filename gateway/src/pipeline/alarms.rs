//! What must not wait for the disk: severity 1 events and orders to devices that are not committed within a second go out unrecorded.
use crate::clock::Stopwatch;
use crate::engine::{Notice, NoticeKind, Outcome};
use crate::store::{Committed, Emergency};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc;
use tuoan_protocol::{Severity, Transition};

/// How long the disk may take before an alarm goes out without it.
pub const GRACE: Duration = Duration::from_secs(1);
/// Alarms remembered; an institution has a few dozen places, so this is never reached by real ones.
const CAPACITY: usize = 1024;

#[derive(Debug, Default)]
pub struct Alarms {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    since: Stopwatch,
    /// On disk once this much is.
    at: Committed,
    what: Emergency,
}

impl Alarms {
    /// Remembers what of an outcome must go out even if the disk does not take it. `at`: where the log stands after it.
    pub fn add(&mut self, outcome: &Outcome, at: Committed) {
        let since = Stopwatch::start();
        let begins = |t| matches!(t, Transition::Opened | Transition::Raised | Transition::Reactivated);
        let events = outcome.events.iter().filter(|e| e.severity == Severity::Emergency && begins(e.transition));
        let events = events.map(|e| Emergency::Event(Box::new(e.clone())));
        let commands = outcome.commands.iter().cloned().map(Emergency::Command);
        let of = |n: &Notice| outcome.events.iter().find(|e| e.sequence == n.sequence).cloned();
        let notices = outcome.notices.iter().filter(|n| n.severity == Severity::Emergency && n.kind == NoticeKind::Alert);
        let notices = notices.filter_map(|n| Some(Emergency::Notice(Box::new((n.clone(), of(n)?)))));
        for what in events.chain(commands).chain(notices) {
            if self.waiting.len() < CAPACITY {
                self.waiting.push_back(Waiting { since, at, what });
            }
        }
    }
    /// Sends what has waited longer than [`GRACE`], each once.
    pub fn sound(&mut self, committed: Committed, to: &mpsc::Sender<Emergency>) {
        self.waiting.retain(|w| w.at.position > committed.position || w.at.sequence > committed.sequence);
        while let Some(first) = self.waiting.front() {
            if first.since.elapsed() < GRACE {
                break;
            }
            match to.try_send(first.what.clone()) {
                Ok(()) => {
                    tracing::error!("the disk does not answer: an alarm goes out unrecorded: {:?}", first.what);
                    self.waiting.pop_front();
                }
                Err(mpsc::error::TrySendError::Full(_)) => break,
                // Nobody delivers here (a command line tool): nothing to keep it for.
                Err(mpsc::error::TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }
    /// When [`Alarms::sound`] has something to do, at the latest.
    pub fn due(&self) -> Option<Duration> {
        self.waiting.front().map(|w| GRACE.saturating_sub(w.since.elapsed()))
    }
}
