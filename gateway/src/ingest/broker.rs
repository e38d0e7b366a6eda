//! The embedded broker: rmqtt as a library. Every message of a device is on disk before it is acknowledged (see [`gate`]).
//!
//! Sessions and their queues live in memory only, so commands to devices are repeated by the outbox until the device confirms. Retained
//! messages are kept by a [`RetainedStore`].
use super::frames::FrameDesk;
use super::retained::{RetainedError, RetainedStore};
use super::{InboundSender, filter};
use crate::clock::Clock;
use bytes::Bytes;
use rmqtt::context::ServerContext;
use rmqtt::hook::Type;
use rmqtt::net::{Builder, Listener};
use rmqtt::server::MqttServer;
use rmqtt::session::SessionState;
use rmqtt::types::{CodecPublish, From, Id, Message, NodeId, Publish, QoS, Reason};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tuoan_protocol::SiteId;
use tuoan_protocol::frame::MAX_FRAME;

mod acl;
mod fitter;
mod gate;
mod retain;
mod tell;

pub use acl::{BadFilter, User};
pub use gate::{MAX_PAYLOAD, longest};

/// rmqtt numbers the nodes of a cluster; this one is alone.
const NODE: NodeId = 1;
/// Longest that taking in the retained messages may keep the listeners waiting.
const RECALL: Duration = Duration::from_secs(10);
/// Largest packet: beyond it the connection is closed. Larger than the largest picture with its header and topic, so that one that is too large is
/// counted and told; other topics are held to [`MAX_PAYLOAD`] by the gate.
const MAX_PACKET: u32 = MAX_FRAME + (256 << 10);
/// Messages to one client that it has not acknowledged yet, and the receive maximum told to MQTT 5 clients.
const INFLIGHT: NonZeroU16 = NonZeroU16::new(16).unwrap();
/// QoS 2 messages of one MQTT 3.1.1 client that it has not released yet. Such a client does not know our window, so this is wider.
const INBOUND_QOS2: NonZeroU16 = NonZeroU16::new(1024).unwrap();
/// Messages kept for one client that is slow or away.
const QUEUE: usize = 1000;
const MESSAGE_EXPIRY: Duration = Duration::from_secs(5 * 60);
const SESSION_EXPIRY: Duration = Duration::from_secs(2 * 60 * 60);
const HANDSHAKE: Duration = Duration::from_secs(10);
const SEND: Duration = Duration::from_secs(10);
const MAX_SUBSCRIPTIONS: usize = 256;
const MAX_LEVELS: usize = 16;
const MAX_CLIENT_ID: usize = 128;
/// How long `shutdown` waits for the connections to end.
const DRAIN: Duration = Duration::from_secs(3);

/// What the embedded broker needs to know.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    pub site: SiteId,
    /// Port 0 takes a free one; [`Broker::local_addr`] tells which.
    pub listen: SocketAddr,
    pub tls: Option<BrokerTls>,
    /// Sessions at one time, those of absent clients included; one user may have half of them.
    pub sessions: u32,
    pub users: Vec<User>,
}

/// A second listener that speaks TLS.
#[derive(Debug, Clone)]
pub struct BrokerTls {
    pub listen: SocketAddr,
    /// PEM: the certificate, then its chain.
    pub cert: PathBuf,
    /// PEM; it may be the same file.
    pub key: PathBuf,
    /// Without it the broker does not start. Otherwise it starts, and warns.
    pub needed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("the broker cannot listen on {address}: {reason}. Is another broker running there? Change `listen` or stop it")]
    Listen { address: SocketAddr, reason: String },
    #[error("TLS certificate {} and key {} cannot be used: {reason}. Both must be PEM files and belong together", .cert.display(), .key.display())]
    Tls { cert: PathBuf, key: PathBuf, reason: String },
    #[error(transparent)]
    Filter(#[from] BadFilter),
    #[error("retained messages cannot be read: {0}")]
    Retained(#[from] RetainedError),
    #[error("{0:?} is no topic to publish to")]
    Topic(String),
    #[error("QoS {0} does not exist; use 0, 1 or 2")]
    QoS(u8),
    #[error("publishing to {topic:?} failed: {reason}")]
    Publish { topic: String, reason: String },
    #[error("the broker has stopped")]
    Stopped,
}

/// Counts for metrics and the doctor, since the start unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BrokerStats {
    /// Open connections at present.
    pub connections: u64,
    /// Sessions at present, those of absent clients included.
    pub sessions: u64,
    /// Messages taken in (QoS 1 and 2: stored).
    pub accepted: u64,
    /// Not stored and therefore not acknowledged.
    pub unstored: u64,
    /// Turned away: topic not allowed, or too long.
    pub refused: u64,
    pub logins_refused: u64,
    pub wills: u64,
    /// Publishes that wait for queue space or their commit at present.
    pub waiting: u64,
    /// Retained messages at present.
    pub retained: u64,
    /// Messages not retained for want of room.
    pub retained_refused: u64,
}

/// A running broker. Dropping it stops the listeners; [`Broker::shutdown`] also ends the connections.
pub struct Broker {
    context: ServerContext,
    gate: Arc<gate::Gate>,
    retained: Arc<retain::Retained>,
    closing: Arc<AtomicBool>,
    inbound: Mutex<Option<InboundSender>>,
    local_addr: SocketAddr,
    tls_addr: Option<SocketAddr>,
    serving: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Broker {
    /// Starts the listeners. A rustls provider must be installed before.
    ///
    /// # Errors
    /// When an address cannot be bound, the certificate cannot be used, a filter is malformed, or the retained messages cannot be read.
    pub async fn start(
        config: BrokerConfig,
        inbound: InboundSender,
        frames: FrameDesk,
        retained: Arc<dyn RetainedStore>,
        clock: Clock,
    ) -> Result<Broker, BrokerError> {
        let accounts = acl::Accounts::new(&config.site, &config.users)?;
        let closing = Arc::new(AtomicBool::new(false));
        let retained = retain::Retained::load(retained, clock.clone(), Arc::clone(&closing)).await?;
        let plain = bind(settings("mqtt", config.listen, config.sessions))?;
        let needed = config.tls.as_ref().is_some_and(|tls| tls.needed);
        let secure = match config.tls.map(|tls| bind_tls(tls, config.sessions)).transpose() {
            Err(error) if !needed => {
                tracing::warn!("{error}. Nodes that were enrolled for TLS are NOT heard until this is mended; everything else is");
                None
            }
            secure => secure?,
        };
        let local_addr = plain.local_addr().map_err(|e| listen_error(config.listen, &e))?;
        let tls_addr = match &secure {
            Some(listener) => Some(listener.local_addr().map_err(|e| listen_error(local_addr, &e))?),
            None => None,
        };

        // The load check would refuse devices whenever the box is busy: never wanted.
        let sessions = isize::try_from(config.sessions).unwrap_or(isize::MAX);
        let context = ServerContext::new().node_id(NODE).busy_check_enable(false).mqtt_max_sessions(sessions).build().await;
        *context.extends.retain_mut().await = Box::new(retain::RetainedHandle(Arc::clone(&retained)));
        *context.extends.fitter_mgr_mut().await = Box::new(fitter::Limits);
        let gate = Arc::new(gate::Gate {
            accounts,
            sessions_of_user: sessions / 2,
            inbound: inbound.downgrade(),
            frames,
            clock,
            counters: gate::Counters::default(),
            tell: tell::Tell::default(),
            closing: Arc::clone(&closing),
            waiting: 0.into(),
            room: gate::Room::default(),
            context: Mutex::new(Some(context.clone())),
        });
        let register = context.extends.hook_mgr().register();
        for hook in [Type::ClientAuthenticate, Type::ClientSubscribeCheckAcl, Type::MessagePublishCheckAcl, Type::MessagePublish] {
            register.add(hook, Box::new(gate::GateHook(Arc::clone(&gate)))).await;
        }
        register.start().await;

        let mut server = MqttServer::new(context.clone()).listener_by_id(plain, 1);
        if let Some(secure) = secure {
            server = server.listener_by_id(secure, 2);
        }
        let server = server.build();
        let (recalled, remembering) = (retained.live(), Arc::clone(&gate));
        let serving = tokio::spawn(async move {
            // What a bridge has announced is known before its devices speak. A disk that does not answer must not keep the alarms out.
            if tokio::time::timeout(RECALL, remembering.recall(recalled)).await.is_err() {
                tracing::warn!(
                    "the retained messages were not all taken in before the broker opened: some devices may be unknown until they announce themselves"
                );
            }
            if let Err(error) = server.run().await {
                tracing::error!(%error, "the broker's listeners have ended");
            }
        });
        let (inbound, serving) = (Mutex::new(Some(inbound)), Mutex::new(Some(serving)));
        Ok(Broker { context, gate, retained, closing, inbound, local_addr, tls_addr, serving })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// Publishes to the clients that have subscribed to `topic`. It is not taken in again, and nobody vouches that it arrives: the
    /// caller repeats it until the device confirms.
    ///
    /// # Errors
    /// When topic or QoS is none, the broker has stopped, or a retained message cannot be stored.
    pub async fn publish(&self, topic: &str, payload: Bytes, qos: u8, retain: bool) -> Result<(), BrokerError> {
        if !filter::is_topic(topic) {
            return Err(BrokerError::Topic(topic.chars().take(80).collect()));
        }
        let qos = QoS::try_from(qos).map_err(|_| BrokerError::QoS(qos))?;
        if self.closing.load(Ordering::Acquire) {
            return Err(BrokerError::Stopped);
        }
        let message =
            CodecPublish { dup: false, retain, qos, topic: topic.into(), packet_id: None, payload, properties: Some(Default::default()) };
        let message = Publish::from(message).create_time(rmqtt::utils::timestamp_millis());
        let from = From::from_system(Id::new(NODE, 0, None, None, "tuoan".into(), None));
        SessionState::forwards(&self.context, from, message, false, None)
            .await
            .map_err(|e| BrokerError::Publish { topic: topic.to_owned(), reason: e.to_string() })
    }

    pub fn stats(&self) -> BrokerStats {
        let counters = &self.gate.counters;
        let count = |n: isize| u64::try_from(n).unwrap_or(0);
        BrokerStats {
            connections: count(self.context.connections.count()),
            sessions: count(self.context.sessions.count()),
            accepted: counters.accepted.load(Ordering::Relaxed),
            unstored: counters.unstored.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            logins_refused: counters.logins_refused.load(Ordering::Relaxed),
            wills: counters.wills.load(Ordering::Relaxed),
            waiting: self.gate.waiting.load(Ordering::Relaxed) as u64,
            retained: self.retained.len() as u64,
            retained_refused: self.retained.refused(),
        }
    }

    /// Takes in nothing more, lets go of the inbound queue, closes the listeners and ends every connection without publishing its will. Messages that wait for their
    /// commit are still acknowledged if it comes within [`DRAIN`].
    pub async fn shutdown(&self) {
        self.closing.store(true, Ordering::Release);
        self.stop_listening();
        for entry in self.context.extends.shared().await.iter() {
            if let Some(session) = entry.tx() {
                let _ = session.unbounded_send(Message::Closed(Reason::from_static("the gateway is stopping")));
            }
        }
        let drained = async {
            while self.context.connections.count() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!(connections = self.context.connections.count(), "connections were still open when the broker stopped");
        }
    }

    fn stop_listening(&self) {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(serving) = self.serving.lock().unwrap_or_else(PoisonError::into_inner).take() {
            serving.abort();
        }
        self.gate.context.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        self.stop_listening();
    }
}

/// Everything that rmqtt lets one set is set here: its defaults change between versions.
fn settings(name: &str, listen: SocketAddr, sessions: u32) -> Builder {
    Builder::new()
        .name(name)
        .laddr(listen)
        .reuseaddr(Some(true))
        .nodelay(true)
        .tcp_keepalive(true)
        .allow_anonymous(false)
        .max_connections(sessions as usize)
        .max_handshaking_limit(256)
        .max_packet_size(MAX_PACKET)
        .max_inflight(INBOUND_QOS2)
        .max_mqueue_len(QUEUE)
        .message_expiry_interval(MESSAGE_EXPIRY)
        .message_retry_interval(Duration::from_secs(20))
        .session_expiry_interval(SESSION_EXPIRY)
        .max_session_expiry_interval(SESSION_EXPIRY)
        .handshake_timeout(HANDSHAKE)
        .send_timeout(SEND)
        .max_clientid_len(MAX_CLIENT_ID)
        .max_qos_allowed(QoS::ExactlyOnce)
        .max_topic_levels(MAX_LEVELS)
        .max_subscriptions(MAX_SUBSCRIPTIONS)
        .max_topic_aliases(0)
}

fn bind(settings: Builder) -> Result<Listener, BrokerError> {
    let address = settings.laddr;
    settings.bind().and_then(Listener::tcp).map_err(|e| listen_error(address, &e))
}

fn bind_tls(tls: BrokerTls, sessions: u32) -> Result<Listener, BrokerError> {
    let BrokerTls { listen, cert, key, needed: _ } = tls;
    let settings = settings("mqtts", listen, sessions).tls_cert(Some(cert.display().to_string())).tls_key(Some(key.display().to_string()));
    let listener = settings.bind().map_err(|e| listen_error(listen, &e))?;
    listener.tls().map_err(|e| BrokerError::Tls { cert, key, reason: format!("{e:#}") })
}

fn listen_error(address: SocketAddr, error: &rmqtt::Error) -> BrokerError {
    BrokerError::Listen { address, reason: error.to_string() }
}
