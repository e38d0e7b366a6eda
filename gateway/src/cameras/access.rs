//! Leave to see pictures: given to one session, for a stated reason, for minutes, after it has been recorded in the log.
//!
//! What must hold: a [`Logged`] exists only for what is committed, and no [`Lease`] exists without one. So nobody sees a picture whose seeing is not
//! on record.
use crate::engine::Command;
use crate::engine::input::{Action, PictureAct, PictureDeed};
use crate::pipeline::Control;
use crate::store::Reader;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tuoan_protocol::IncidentId;

/// How long leave lasts.
pub const LEASE_MS: i64 = 10 * 60_000;
/// A commit takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who may hold leave for one thing at once.
const LEASES: usize = 8;

/// Something was done, or is about to be, with pictures, and stands in the log at this position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged(u64);

impl Logged {
    /// The last word on record on whether an incident is held, if there is one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn of_hold(reader: &Reader, incident: &IncidentId) -> Result<Option<(bool, Logged)>, String> {
        let deeds = reader.picture_deeds(None, Some(incident.as_str()), usize::MAX).map_err(|e| e.to_string())?;
        let (hold, release) = (PictureAct::Hold.name(), PictureAct::Release.name());
        let last = deeds.iter().find(|d| d.what == hold || d.what == release);
        Ok(last.map(|d| (d.what == hold, Logged(d.position))))
    }
    pub fn position(self) -> u64 {
        self.0
    }
    #[cfg(test)]
    pub fn for_test() -> Logged {
        Logged(0)
    }
}

/// Why it is not recorded, and therefore may not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLogged {
    #[error("it was refused: {0}")]
    Refused(&'static str),
    #[error("the log did not take it in time; nothing was shown or deleted")]
    Unsaved,
}

/// Records a deed with pictures, and returns when that is on disk.
///
/// # Errors
/// The engine refused it (no name, no reason), or the disk did not take it.
pub async fn record(control: &mpsc::Sender<Control>, actor: &str, deed: PictureDeed) -> Result<Logged, NotLogged> {
    let (reply, answer) = oneshot::channel();
    let command = Command { actor: actor.to_owned(), via: Some(tuoan_protocol::Via::Page), action: Action::Pictures(deed) };
    let ask = async {
        control.send(Control::Command { command, reply }).await.map_err(|_| NotLogged::Unsaved)?;
        match answer.await {
            Ok(Ok(position)) => Ok(Logged(position)),
            Ok(Err(why)) => Err(NotLogged::Refused(why)),
            Err(_) => Err(NotLogged::Unsaved),
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.unwrap_or(Err(NotLogged::Unsaved))
}

/// Leave until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Key of the session that it was given to.
    pub session: String,
    pub actor: String,
    pub reason: String,
    /// By the clock that never goes back: setting the clock must not lengthen it.
    pub ends_ms: i64,
    pub logged: Logged,
}

/// Who has leave for what.
#[derive(Debug, Clone)]
pub struct Leases<K>(BTreeMap<K, Vec<Lease>>);

impl<K> Default for Leases<K> {
    fn default() -> Self {
        Leases(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Leases<K> {
    /// Gives leave, in place of an earlier one of the same session; beyond a few, the one that ends first goes.
    pub fn allow(&mut self, what: &K, now_ms: i64, lease: Lease) {
        self.end_due(now_ms);
        let held = self.0.entry(what.clone()).or_default();
        held.retain(|l| l.session != lease.session);
        while held.len() >= LEASES {
            let Some(first) = held.iter().enumerate().min_by_key(|(_, l)| l.ends_ms).map(|(n, _)| n) else { break };
            held.remove(first);
        }
        held.push(lease);
    }
    /// Takes it back; what it was.
    pub fn end(&mut self, what: &K, now_ms: i64, session: &str) -> Option<Lease> {
        self.end_due(now_ms);
        let held = self.0.get_mut(what)?;
        let found = held.iter().position(|l| l.session == session)?;
        let ended = held.remove(found);
        self.end_due(now_ms);
        Some(ended)
    }
    /// The session's leave, while it lasts.
    pub fn of(&mut self, what: &K, now_ms: i64, session: &str) -> Option<&Lease> {
        self.end_due(now_ms);
        self.0.get(what)?.iter().find(|l| l.session == session)
    }
    /// How many hold leave for it.
    pub fn count(&mut self, what: &K, now_ms: i64) -> usize {
        self.end_due(now_ms);
        self.0.get(what).map_or(0, Vec::len)
    }
    fn end_due(&mut self, now_ms: i64) {
        self.0.retain(|_, held| {
            held.retain(|l| l.ends_ms > now_ms);
            !held.is_empty()
        });
    }
}
