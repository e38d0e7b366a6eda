//! Server-sent events: versions only. A page that hears of a new one fetches its fragment again, so that language, session and escaping are
//! those of any page. Whoever reconnects is told the present version at once, so `Last-Event-ID` need not be looked at.
use super::Shared;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

/// A page that hears nothing for ten seconds says that it is blind.
const BEAT: Duration = Duration::from_secs(3);
/// At most so often: a page cannot draw faster.
const PACE: Duration = Duration::from_millis(250);
/// Then the browser connects anew, which checks its session.
const LIFE: Duration = Duration::from_secs(600);

struct Listener {
    web: Shared,
    view: watch::Receiver<Arc<crate::engine::view::View>>,
    first: bool,
    next: Instant,
    ends: Instant,
    _permit: OwnedSemaphorePermit,
}

pub async fn events(State(web): State<Shared>) -> Response {
    let Ok(permit) = web.streams.clone().try_acquire_owned() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let now = Instant::now();
    let view = web.deps.handle.view.clone();
    let listener = Listener { web, view, first: true, next: now, ends: now + LIFE, _permit: permit };
    let events = stream::unfold(listener, |mut l| async move {
        let event = l.next().await?;
        Some((Ok::<_, Infallible>(event), l))
    });
    Sse::new(events).into_response()
}

impl Listener {
    /// `None` ends the stream: the gateway stops, or its engine has; a page must not take silence for safety.
    async fn next(&mut self) -> Option<Event> {
        let shutdown = self.web.deps.shutdown.clone();
        if self.first {
            self.first = false;
            return (!self.web.stopped()).then(|| self.version());
        }
        let beat = Instant::now() + BEAT;
        tokio::select! {
            () = shutdown.cancelled() => None,
            () = tokio::time::sleep_until(self.ends) => None,
            changed = async {
                let changed = self.view.changed().await;
                tokio::time::sleep_until(self.next).await;
                changed
            } => {
                changed.ok()?;
                self.next = Instant::now() + PACE;
                Some(self.version())
            }
            () = tokio::time::sleep_until(beat) => {
                let now = self.web.deps.clock.utc_ms();
                (!self.web.stopped()).then(|| Event::default().event("beat").data(now.to_string()))
            }
        }
    }
    fn version(&mut self) -> Event {
        let version = self.view.borrow_and_update().version;
        Event::default().event("view").id(version.to_string()).data(format!("{version} {}", self.web.deps.clock.utc_ms()))
    }
}
