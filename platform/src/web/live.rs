//! Server-sent events. They carry a version and the time, nothing else: the page asks for what it may see, in its language.
use crate::app::App;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures::StreamExt;
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::wrappers::WatchStream;

/// A page that hears nothing for ten seconds says that it is blind.
const BEAT: Duration = Duration::from_secs(3);

/// Then the browser connects anew, which checks its session.
const LIFE: Duration = Duration::from_secs(600);

/// `view <version> <now>` at once and after every change, `beat <now>` in between, until the platform stops.
pub async fn events(State(app): State<App>) -> impl IntoResponse {
    let clock = app.clock.clone();
    let views = WatchStream::new(app.version.subscribe())
        .map(move |version| Event::default().event("view").data(format!("{version} {}", clock.utc_ms())));
    let clock = app.clock.clone();
    let beats = futures::stream::unfold(tokio::time::interval(BEAT), |mut interval| async move {
        interval.tick().await;
        Some(((), interval))
    })
    .map(move |()| Event::default().event("beat").data(clock.utc_ms().to_string()));
    let events = futures::stream::select(views, beats).map(Ok::<_, Infallible>);
    let stop = app.stop.clone();
    let end = async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LIFE) => {}
        }
    };
    Sse::new(events.take_until(end))
}
