//! Puts what people do with the system itself on record, before it is shown or done.
use super::Shared;
use crate::store::Deed;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tuoan_dashboards::door::{Told, Visitor};

/// A commit takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to go on record.
#[derive(Debug, Clone, Default)]
pub struct Doing {
    pub kind: &'static str,
    pub object: String,
    pub purpose: String,
    pub detail: String,
}

/// True once it is on disk. What must be on record is not done otherwise.
pub(crate) async fn record(web: &Shared, visitor: &Visitor, doing: Doing) -> bool {
    let deed = Deed {
        at: web.deps.clock.utc_ms(),
        actor: visitor.actor.clone().or_else(|| visitor.account().map(str::to_owned)).unwrap_or_default(),
        role: visitor.role().map(|r| r.name().to_owned()).unwrap_or_default(),
        kind: doing.kind.to_owned(),
        object: doing.object,
        purpose: doing.purpose,
        detail: doing.detail,
    };
    let ops = &web.deps.handle.ops;
    let on_disk = ops.deed(deed).is_ok() && matches!(tokio::time::timeout(PATIENCE, ops.settled()).await, Ok(Ok(())));
    if !on_disk {
        tracing::warn!(kind = doing.kind, "a deed could not be put on record and was not done");
    }
    on_disk
}

/// Looks that are on record already: a page fetches its pictures again and again, and one look is one deed.
#[derive(Debug, Default)]
pub struct Looks(Mutex<BTreeMap<(String, String), i64>>);

/// How long a look lasts.
const LOOK_MS: i64 = 600_000;
const LOOKS: usize = 1024;

impl Looks {
    /// Whether that session has looked there of late.
    fn is_on(&self, session: &str, object: &str, now: i64) -> bool {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(&(session.to_owned(), object.to_owned())).is_some_and(|at| now.abs_diff(*at) < LOOK_MS.unsigned_abs())
    }
    fn note(&self, session: &str, object: &str, now: i64) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= LOOKS {
            looks.retain(|_, at| now.abs_diff(*at) < LOOK_MS.unsigned_abs());
        }
        while looks.len() >= LOOKS {
            looks.pop_first();
        }
        looks.insert((session.to_owned(), object.to_owned()), now);
    }
}

/// A look at something that shows people: true once it is on record. Its purpose is the incident that it belongs to, or what an inspector's code was given
/// for.
pub(crate) async fn look(web: &Shared, visitor: &Visitor, kind: &'static str, incident: &str) -> bool {
    if has_looked(web, visitor, kind, incident) {
        return true;
    }
    let given = super::audit::purpose(web, visitor);
    let purpose = if given.is_empty() { format!("incident {incident}") } else { given };
    look_for(web, visitor, kind, incident, purpose).await
}

/// Whether such a look of that session is on record of late.
pub(crate) fn has_looked(web: &Shared, visitor: &Visitor, kind: &'static str, incident: &str) -> bool {
    web.looks.is_on(visitor.session_key().unwrap_or_default(), &format!("{kind} {incident}"), web.deps.clock.utc_ms())
}

/// The same for a purpose that was said.
pub(crate) async fn look_for(web: &Shared, visitor: &Visitor, kind: &'static str, incident: &str, purpose: String) -> bool {
    let (session, now) = (visitor.session_key().unwrap_or_default(), web.deps.clock.utc_ms());
    let object = format!("{kind} {incident}");
    let on_record = record(web, visitor, Doing { kind, object: incident.to_owned(), purpose, ..Doing::default() }).await;
    if on_record {
        web.looks.note(session, &object, now);
    }
    on_record
}

/// What happens at the door. It is no reason to let nobody in that the disk does not take it.
pub fn of_door(told: Told) -> Deed {
    Deed {
        at: told.at,
        actor: told.who,
        role: told.role.map(|r| r.name().to_owned()).unwrap_or_default(),
        kind: told.what.name().to_owned(),
        detail: told.address,
        ..Deed::default()
    }
}
