//! Server-sent events that carry ids and versions only; the page asks for what it may see.
use crate::app::App;
use crate::auth::Principal;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt};
use std::convert::Infallible;
use tokio_stream::wrappers::BroadcastStream;

/// The changes that this principal may see, until the platform stops. A listener that fell behind gets `resync`.
pub fn stream(app: &App, who: Principal) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let changes = BroadcastStream::new(app.changes.subscribe());
    let stop = app.stop.clone();
    let events = changes.filter_map(move |change| {
        let event = match change {
            Ok(c) if who.site().is_none_or(|own| own == c.site) => {
                Some(Event::default().event("incident").json_data(&c).unwrap_or_else(|_| Event::default().event("resync")))
            }
            Ok(_) => None,
            Err(_) => Some(Event::default().event("resync").data("{}")),
        };
        futures::future::ready(event.map(Ok))
    });
    Sse::new(events.take_until(stop.cancelled_owned())).keep_alive(KeepAlive::default())
}
