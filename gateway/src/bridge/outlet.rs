//! Where frames go: onto the gateway's frame desk when the bridge is part of it, else to a broker.
//!
//! What must hold: frames are never queued. One may be under way and one may wait; a newer one takes the place of the one that waits.
use super::splitter::Jpeg;
use crate::clock::Clock;
use crate::config;
use crate::ingest::client::backoff::Backoff;
use crate::ingest::client::{ClientConfig, ClientError, options};
use crate::ingest::frames::Arrival;
use crate::ingest::{Ack, FrameDesk, Inbound, InboundSender};
use bytes::Bytes;
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, LastWill, NetworkOptions, Packet, PublishOptions, QoS};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tuoan_protocol::frame::MAX_FRAME;
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{DeviceId, DeviceTime, FrameHeader, Presence, SiteId, Status, Wire};

const KEEP_ALIVE_S: u16 = 20;
const CONNECT_TIMEOUT_S: u64 = 10;
/// How long a broker may take for the last word, at most.
const GOODBYE: Duration = Duration::from_secs(2);

/// Who speaks.
#[derive(Debug, Clone)]
pub struct Voice {
    pub site: SiteId,
    pub device: DeviceId,
    /// Drawn at each start.
    pub boot: u64,
}

impl Voice {
    pub fn new(site: SiteId, device: DeviceId) -> Voice {
        // 53 bits: a number of JSON is read as such by others too.
        Voice { site, device, boot: rand::random::<u64>() >> 11 }
    }

    fn topic(&self, kind: TopicKind) -> String {
        Topic { site: self.site.clone(), device: self.device.clone(), kind }.to_string()
    }

    fn frame(&self, seq: u64, jpeg: &Jpeg) -> Option<Bytes> {
        let header = FrameHeader {
            site: self.site.clone(),
            device: self.device.clone(),
            boot: self.boot,
            seq,
            time: DeviceTime::Unix(jpeg.began_ms),
            width: jpeg.width,
            height: jpeg.height,
            size: u32::try_from(jpeg.bytes.len()).ok()?,
        };
        let mut payload = header.to_cbor_vec().ok()?;
        payload.extend_from_slice(&jpeg.bytes);
        Some(payload.into())
    }

    /// `boot` is left out of a will: it may be a later one's by the time that it is heard.
    fn status(&self, state: &State, boot: Option<u64>) -> Bytes {
        // As many whole characters as the field takes.
        let short = |t: &Option<String>| {
            let mut text = heapless::String::<32>::new();
            t.as_deref()?.chars().filter(|c| !c.is_control()).try_for_each(|c| text.push(c)).ok();
            (!text.is_empty()).then_some(text)
        };
        let status = Status {
            site: self.site.clone(),
            device: self.device.clone(),
            boot,
            presence: state.presence,
            make: short(&state.about.make),
            model: short(&state.about.model),
            firmware: short(&state.about.firmware),
            period_s: None,
            reason: state.reason.and_then(|r| r.try_into().ok()),
            hardware: None,
            reset: None,
        };
        status.to_json().into()
    }
}

/// What is known of the camera itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    pub make: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
}

/// Whether frames come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub presence: Presence,
    /// Why not: [`super::cause::Cause::key`].
    pub reason: Option<&'static str>,
    pub about: About,
}

/// One camera's way out.
pub struct Outlet {
    voice: Voice,
    seq: u64,
    said: Option<State>,
    to: To,
}

enum To {
    Gateway { desk: FrameDesk, inbound: InboundSender, clock: Clock },
    Broker { shared: Arc<Shared>, tasks: [JoinHandle<()>; 2], closing: CancellationToken },
}

/// Between the camera's task and the broker's.
struct Shared {
    frame: Mutex<Option<Bytes>>,
    waiting: Notify,
    status: watch::Sender<Option<Bytes>>,
    /// Counts connections; 0 while there is none.
    connection: watch::Sender<u64>,
    replaced: AtomicU64,
}

impl Outlet {
    /// Onto the desk of the gateway that this is part of. Presence goes the way of all messages.
    pub fn gateway(voice: Voice, desk: FrameDesk, inbound: InboundSender, clock: Clock) -> Outlet {
        Outlet { voice, seq: 0, said: None, to: To::Gateway { desk, inbound, clock } }
    }

    /// To a broker, over a connection of this camera's own, whose will says that it is offline.
    ///
    /// # Errors
    /// The address or the certificate is wrong; never because the broker cannot be reached.
    pub fn broker(voice: Voice, broker: &config::Client, qos: QoS) -> Result<Outlet, ClientError> {
        let settings = ClientConfig {
            url: broker.url.clone(),
            client_id: format!("{}-{}", broker.client_id, voice.device),
            username: broker.username.clone(),
            password: broker.password.as_ref().map(|p| p.reveal().to_owned()),
            topics: Vec::new(),
            max_packet_bytes: usize::try_from(MAX_FRAME).unwrap_or(usize::MAX).saturating_add(65_536),
            ca: broker.ca.clone(),
        };
        let mut options = options(&settings)?;
        let gone = State { presence: Presence::Offline, reason: Some("bridge"), about: About::default() };
        options.set_clean_session(true).set_keep_alive(KEEP_ALIVE_S).set_inflight(4);
        options.set_last_will(LastWill {
            topic: voice.topic(TopicKind::Status),
            message: voice.status(&gone, None),
            qos: QoS::AtLeastOnce,
            retain: true,
        });
        let built = AsyncClient::builder(options).capacity(8).try_build();
        let (client, mut events) = built.map_err(|e| ClientError::Options(e.to_string()))?;
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT_TIMEOUT_S);
        events.set_network_options(network);
        let shared = Arc::new(Shared {
            frame: Mutex::default(),
            waiting: Notify::new(),
            status: watch::Sender::new(None),
            connection: watch::Sender::new(0),
            replaced: AtomicU64::new(0),
        });
        let closing = CancellationToken::new();
        let name = voice.device.clone();
        let poll = tokio::spawn(poll(events, Arc::clone(&shared), closing.clone(), name));
        let topics = (voice.topic(TopicKind::Frame), voice.topic(TopicKind::Status));
        let publish = tokio::spawn(publish(client, Arc::clone(&shared), closing.clone(), topics, qos));
        Ok(Outlet { voice, seq: 0, said: None, to: To::Broker { shared, tasks: [poll, publish], closing } })
    }

    /// Hands a frame over and does not wait.
    pub fn frame(&mut self, jpeg: &Jpeg) {
        self.seq = self.seq.saturating_add(1);
        let Some(payload) = self.voice.frame(self.seq, jpeg) else { return };
        match &self.to {
            To::Gateway { desk, clock, .. } => {
                if let Err(reason) = desk.put(&self.voice.topic(TopicKind::Frame), payload, Arrival::now(clock, false)) {
                    tracing::debug!(%reason, "frame refused");
                }
            }
            To::Broker { shared, .. } => {
                let old = shared.frame.lock().unwrap_or_else(PoisonError::into_inner).replace(payload);
                shared.replaced.fetch_add(u64::from(old.is_some()), Ordering::Relaxed);
                shared.waiting.notify_one();
            }
        }
    }

    /// Says whether frames come, once for each change.
    pub async fn say(&mut self, state: State) {
        if self.said.as_ref() == Some(&state) {
            return;
        }
        let payload = self.voice.status(&state, Some(self.voice.boot));
        match &self.to {
            To::Gateway { inbound, .. } => {
                let topic = self.voice.topic(TopicKind::Status).into();
                let sender = Some(format!("bridge:{}", self.voice.device).into());
                let message = Inbound { topic, payload, retained: false, qos: 1, sender, ack: Ack::none() };
                let _ = inbound.send(message).await;
            }
            To::Broker { shared, .. } => {
                shared.status.send_replace(Some(payload));
            }
        }
        self.said = Some(state);
    }

    /// Frames that a newer one has overtaken on the way to the broker.
    pub fn replaced(&self) -> u64 {
        match &self.to {
            To::Gateway { .. } => 0,
            To::Broker { shared, .. } => shared.replaced.load(Ordering::Relaxed),
        }
    }

    /// The last word: the camera is left alone, by intention.
    pub async fn close(mut self) {
        let about = self.said.as_ref().map(|s| s.about.clone()).unwrap_or_default();
        self.say(State { presence: Presence::Leaving, reason: None, about }).await;
        if let To::Broker { tasks, closing, .. } = self.to {
            closing.cancel();
            for mut task in tasks {
                if tokio::time::timeout(GOODBYE, &mut task).await.is_err() {
                    task.abort();
                }
            }
        }
    }
}

/// Drives the connection; connects again for ever.
async fn poll(mut events: EventLoop, shared: Arc<Shared>, closing: CancellationToken, device: DeviceId) {
    let (mut backoff, mut count, mut last) = (Backoff::default(), 0u64, String::new());
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                count = count.saturating_add(1);
                backoff.reset();
                last.clear();
                shared.connection.send_replace(count);
                tracing::info!(camera = %device, "connected to the broker");
            }
            Ok(_) => {}
            Err(ConnectionError::RequestsDone) => return,
            Err(error) => {
                shared.connection.send_replace(0);
                // What was under way is old by the time there is a connection again.
                events.clean();
                if closing.is_cancelled() {
                    return;
                }
                let text = error.to_string();
                if text != last {
                    tracing::warn!(camera = %device, "no connection to the broker: {text}");
                    last = text;
                }
                tokio::select! {
                    () = closing.cancelled() => return,
                    () = tokio::time::sleep(backoff.next()) => {}
                }
            }
        }
    }
}

/// Publishes the newest frame whenever the one before has gone through, and each change of state before any frame.
async fn publish(client: AsyncClient, shared: Arc<Shared>, closing: CancellationToken, topics: (String, String), qos: QoS) {
    let (frames, statuses) = topics;
    let mut connection = shared.connection.subscribe();
    let mut status = shared.status.subscribe();
    // The connection on which the present state was said.
    let mut said_on = 0;
    loop {
        let here = *connection.borrow_and_update();
        let changed = status.has_changed().unwrap_or(false);
        let send = if here > 0 && (changed || said_on != here) {
            said_on = here;
            let state = status.borrow_and_update().clone();
            state.map(|payload| (&statuses, payload, PublishOptions::new(QoS::AtLeastOnce).retain(true)))
        } else if here > 0 && !closing.is_cancelled() {
            let frame = shared.frame.lock().unwrap_or_else(PoisonError::into_inner).take();
            frame.map(|payload| (&frames, payload, PublishOptions::new(qos)))
        } else {
            None
        };
        let Some((topic, payload, options)) = send else {
            if closing.is_cancelled() && !(here > 0 && status.has_changed().unwrap_or(false)) {
                let _ = client.try_disconnect_with_timeout(Duration::from_secs(1));
                return;
            }
            tokio::select! {
                () = shared.waiting.notified(), if here > 0 => {}
                changed = connection.changed() => if changed.is_err() { return },
                changed = status.changed(), if here > 0 => {
                    if changed.is_err() { return }
                    status.mark_changed();
                }
                () = closing.cancelled() => {}
            }
            continue;
        };
        let Ok(notice) = client.publish_tracked(topic.clone(), payload, options).await else { return };
        tokio::select! {
            _ = notice.wait_completion_async() => {}
            // The connection is gone, and with it what was under way.
            _ = connection.wait_for(|now| *now != here) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::frames::Watch;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    fn voice() -> Voice {
        Voice::new("site-1".parse().unwrap(), "cam-1".parse().unwrap())
    }

    fn jpeg(n: u8) -> Jpeg {
        Jpeg { bytes: Bytes::from(vec![0xFF, 0xD8, 0xFF, n, 0xFF, 0xD9]), width: 4, height: 2, began_ms: 1_700_000_000_000 }
    }

    fn state(presence: Presence, reason: Option<&'static str>) -> State {
        let about = About { make: Some("海康威视数字技术股份有限公司 Hikvision".into()), ..About::default() };
        State { presence, reason, about }
    }

    #[tokio::test]
    async fn in_the_gateway_a_frame_lies_on_the_desk_and_presence_goes_into_the_log() {
        let cameras = [voice().device].into();
        let desk = FrameDesk::watching(Watch { cameras, ..Watch::default() });
        let (inbound, mut log) = tokio::sync::mpsc::channel(4);
        let mut outlet = Outlet::gateway(voice(), desk.clone(), inbound, Clock::manual(5));
        outlet.say(state(Presence::Online, None)).await;
        outlet.say(state(Presence::Online, None)).await;
        let bytes = Bytes::from_static(include_bytes!("../../tests/fixtures/bridge/picture.jpg"));
        let picture = Jpeg { bytes: bytes.clone(), width: 64, height: 48, began_ms: 1_700_000_000_000 };
        outlet.frame(&picture);
        outlet.frame(&picture);
        let [frame] = desk.take_all().try_into().unwrap();
        let header = frame.header.unwrap();
        assert_eq!((header.seq, header.width, header.height, header.time), (2, 64, 48, DeviceTime::Unix(1_700_000_000_000)));
        assert_eq!(frame.jpeg, bytes);
        outlet.say(state(Presence::Offline, Some("stalled"))).await;
        outlet.close().await;
        let mut said = Vec::new();
        while let Some(m) = log.recv().await {
            assert_eq!(m.topic.as_ref(), "tuoan/v1/site-1/cam-1/status");
            let status = Status::from_bytes(&m.payload).unwrap();
            assert_eq!(status.make.as_deref(), Some("海康威视数字技术股份"), "whole characters of 32 bytes");
            said.push((status.presence, status.reason.as_deref().map(str::to_owned)));
        }
        assert_eq!(said, [(Presence::Online, None), (Presence::Offline, Some("stalled".into())), (Presence::Leaving, None)]);
    }

    /// One MQTT 3.1.1 packet: type and flags, content.
    async fn packet(socket: &mut TcpStream) -> (u8, Vec<u8>) {
        let kind = socket.read_u8().await.unwrap();
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = socket.read_u8().await.unwrap();
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut content = vec![0; length];
        socket.read_exact(&mut content).await.unwrap();
        (kind, content)
    }

    /// Topic, packet id and payload of a PUBLISH with QoS 1.
    fn published(kind: u8, content: &[u8]) -> (String, [u8; 2], Vec<u8>) {
        assert_eq!(kind & 0xF6, 0x32, "a PUBLISH with QoS 1");
        let n = usize::from(u16::from_be_bytes([content[0], content[1]]));
        (String::from_utf8(content[2..2 + n].to_vec()).unwrap(), [content[2 + n], content[3 + n]], content[4 + n..].to_vec())
    }

    /// A broker that takes its time: of what comes meanwhile only the newest is sent.
    #[tokio::test]
    async fn a_slow_broker_gets_the_newest_frame_and_never_a_queue() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let broker = config::Client {
            url: format!("mqtt://{}", listener.local_addr().unwrap()),
            client_id: "bridge".into(),
            username: None,
            password: None,
            topics: Vec::new(),
            max_packet_bytes: 0,
            ca: None,
        };
        let mut outlet = Outlet::broker(voice(), &broker, QoS::AtLeastOnce).unwrap();
        outlet.say(state(Presence::Online, None)).await;
        let (mut socket, _) = listener.accept().await.unwrap();
        let (_, connect) = packet(&mut socket).await;
        let will = String::from_utf8_lossy(&connect);
        assert!(
            will.contains("cam-1/status") && will.contains("\"presence\":\"offline\"") && will.contains("\"reason\":\"bridge\""),
            "{will}"
        );
        socket.write_all(&[0x20, 2, 0, 0]).await.unwrap();
        // Who is there comes before any frame, retained.
        let (kind, content) = packet(&mut socket).await;
        let (topic, id, _) = published(kind, &content);
        assert_eq!((topic.as_str(), kind & 1), ("tuoan/v1/site-1/cam-1/status", 1));
        socket.write_all(&[0x40, 2, id[0], id[1]]).await.unwrap();

        outlet.frame(&jpeg(0));
        let (kind, content) = packet(&mut socket).await;
        let (topic, id, payload) = published(kind, &content);
        assert_eq!((topic.as_str(), FrameHeader::split(&payload).unwrap().0.seq), ("tuoan/v1/site-1/cam-1/frame", 1));
        for n in 1..=200 {
            outlet.frame(&jpeg(n));
        }
        assert_eq!(outlet.replaced(), 199);
        // It was not acknowledged until now.
        socket.write_all(&[0x40, 2, id[0], id[1]]).await.unwrap();
        let (kind, content) = packet(&mut socket).await;
        let (_, id, payload) = published(kind, &content);
        assert_eq!(FrameHeader::split(&payload).unwrap().0.seq, 201);

        // The connection is lost: the frame under way is gone with it, and who is there is said again.
        outlet.frame(&jpeg(1));
        drop((socket, id));
        let (mut socket, _) = listener.accept().await.unwrap();
        packet(&mut socket).await;
        socket.write_all(&[0x20, 2, 0, 0]).await.unwrap();
        let (kind, content) = packet(&mut socket).await;
        let (topic, id, _) = published(kind, &content);
        assert_eq!((topic.as_str(), kind & 8), ("tuoan/v1/site-1/cam-1/status", 0), "a new message, none that is sent again");
        socket.write_all(&[0x40, 2, id[0], id[1]]).await.unwrap();
        let (kind, content) = packet(&mut socket).await;
        let (_, id, payload) = published(kind, &content);
        assert_eq!(FrameHeader::split(&payload).unwrap().0.seq, 202);
        socket.write_all(&[0x40, 2, id[0], id[1]]).await.unwrap();

        // The last word, and the goodbye that keeps the will unsaid.
        let closing = tokio::spawn(outlet.close());
        let (kind, content) = packet(&mut socket).await;
        let (_, id, payload) = published(kind, &content);
        assert_eq!(Status::from_bytes(&payload).unwrap().presence, Presence::Leaving);
        socket.write_all(&[0x40, 2, id[0], id[1]]).await.unwrap();
        assert_eq!(packet(&mut socket).await.0, 0xE0);
        closing.await.unwrap();
    }
}
