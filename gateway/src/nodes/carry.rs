//! The connection that a push speaks over: one of its own, for as long as the push lasts, the same with the embedded broker and one outside.
use super::push::{Out, Push};
use crate::clock::Clock;
use crate::ingest::client::{self, ClientConfig};
use bytes::Bytes;
use rumqttc::{AsyncClient, Event, Incoming, PublishOptions, QoS};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{DeviceId, SiteId, UpdateProgress, Wire};

const TICK: Duration = Duration::from_secs(1);
/// Before a connection that broke is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// Requests on their way: one offer or chunk at a time, and the subscription.
const REQUESTS: usize = 16;

/// Carries the push until it is over.
///
/// # Errors
/// The broker's settings cannot be used.
pub async fn carry(
    config: &ClientConfig,
    site: &SiteId,
    push: &Mutex<Push>,
    clock: &Clock,
    shutdown: &CancellationToken,
) -> Result<(), client::ClientError> {
    let options = client::passing(config)?;
    let (client, mut events) =
        AsyncClient::builder(options).capacity(REQUESTS).try_build().map_err(|e| client::ClientError::Options(e.to_string()))?;
    let progress = format!("tuoan/v1/{site}/+/{}", TopicKind::Progress.as_str());
    let mut tick = tokio::time::interval(TICK);
    let mut connected = false;
    loop {
        let out = tokio::select! {
            () = shutdown.cancelled() => break,
            _ = tick.tick() => None,
            event = events.poll() => match event {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                    connected = true;
                    let _ = client.try_subscribe(progress.as_str(), QoS::AtLeastOnce);
                    None
                }
                Ok(Event::Incoming(Incoming::Publish(p))) => {
                    heard(&p.topic, &p.payload, p.retain).and_then(|said| locked(push).heard(&said, clock.monotonic_ms()))
                }
                Ok(_) => None,
                Err(e) => {
                    connected = false;
                    tracing::debug!("the connection for firmware broke: {e}");
                    tokio::time::sleep(AGAIN).await;
                    None
                }
            },
        };
        // Before the connection stands an offer would be lost, and the node's silence counted.
        let out = match out {
            None if connected => locked(push).tick(clock.monotonic_ms()),
            out => out,
        };
        if let Some(out) = out {
            let (device, kind, payload) = match out {
                Out::Offer(offer) => (offer.device.clone(), TopicKind::Update, offer.to_cbor_vec()),
                Out::Chunk(device, chunk) => (device, TopicKind::Chunk, chunk.to_cbor_vec()),
            };
            if let Ok(payload) = payload {
                // What finds no room is asked for again.
                let _ = client.try_publish(topic(site, device, kind), Bytes::from(payload), PublishOptions::new(QoS::AtLeastOnce));
            }
        }
        if locked(push).is_over() {
            break;
        }
    }
    if client.disconnect().await.is_ok() {
        let _ = tokio::time::timeout(Duration::from_millis(200), events.poll()).await;
    }
    Ok(())
}

fn topic(site: &SiteId, device: DeviceId, kind: TopicKind) -> String {
    Topic { site: site.clone(), device, kind }.to_string()
}

/// What a node says of itself: the topic is what the broker's access rules judged.
fn heard(topic: &[u8], payload: &[u8], retained: bool) -> Option<UpdateProgress> {
    let topic = Topic::parse(std::str::from_utf8(topic).ok()?).filter(|t| t.kind == TopicKind::Progress && !retained)?;
    let said = UpdateProgress::from_bytes(payload).ok()?;
    (said.site == topic.site && said.device == topic.device).then_some(said)
}

fn locked(push: &Mutex<Push>) -> std::sync::MutexGuard<'_, Push> {
    push.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared with who asks how far it is.
pub type Shared = Arc<Mutex<Push>>;
