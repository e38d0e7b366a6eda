//! An outside broker (a stock Mosquitto, for instance): persistent session, acknowledgement after the commit.
//!
//! Four tasks: the poll task drives the connection ([`link`]), one acknowledges ([`acks`]), one subscribes anew after each connection, and
//! callers of [`Client::publish`] wait in their own.
use super::InboundSender;
use super::filter::{self, Filter, FilterError};
use super::frames::FrameDesk;
use crate::clock::Clock;
use bytes::Bytes;
use rumqttc::{AckMode, AsyncClient, MqttOptions, NetworkOptions, PublishOptions, QoS, SubscribeFilterInput, SubscribeReasonCode};
use rumqttc::{TlsConfiguration, Transport};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};

mod acks;
pub(crate) mod backoff;
mod echo;
mod link;
mod report;
mod shared;
mod socket;

pub use report::{Advice, BrokerReport};
use shared::Shared;

const KEEP_ALIVE_S: u16 = 30;
const CONNECT_TIMEOUT_S: u64 = 10;
/// Commands that the broker has not acknowledged yet; further ones are refused.
const MAX_COMMANDS: usize = 64;
/// Of these at most this many are on the wire.
const OUT_INFLIGHT: u16 = 16;
/// How long [`Client::publish`] waits for the broker's acknowledgement.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// Packets and requests handled in one go.
const BATCH: usize = 128;
/// How long `shutdown` waits for commits and for the goodbye, each.
const DRAIN: Duration = Duration::from_secs(3);

/// How to reach the outside broker.
#[derive(Clone)]
pub struct ClientConfig {
    /// `mqtt://host:port` or `mqtts://host:port`; the port may be left out (1883, 8883).
    pub url: String,
    /// Names the persistent session: fixed for the life of the installation, and nobody else's.
    pub client_id: String,
    pub username: Option<String>,
    pub password: Option<String>,
    /// Topic filters to subscribe to, at QoS 2 (the publisher's QoS counts).
    pub topics: Vec<String>,
    /// Largest packet either way; frames need 4 MiB and some more.
    pub max_packet_bytes: usize,
    /// PEM file of the authority that signed the broker's certificate; without it the system's authorities count.
    pub ca: Option<PathBuf>,
}

impl std::fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientConfig").field("url", &self.url).field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0:?} is no broker address; write mqtt://host:port or mqtts://host:port")]
    Url(String),
    #[error("`topics` of the broker connection: {0}")]
    Filter(#[from] FilterError),
    #[error("the certificate file {} cannot be used: {reason}", .path.display())]
    Ca { path: PathBuf, reason: String },
    #[error("the system's certificate authorities cannot be read: {0}; name a file with `ca`")]
    Roots(String),
    #[error("the broker connection cannot be set up: {0}")]
    Options(String),
    #[error("{0:?} is no topic to publish to")]
    Topic(String),
    #[error("QoS {0} does not exist; use 0, 1 or 2")]
    QoS(u8),
    #[error("not connected to the broker")]
    Offline,
    #[error("{MAX_COMMANDS} commands wait for the broker's acknowledgement already")]
    Busy,
    #[error("the broker has not acknowledged within {} s", COMMAND_TIMEOUT.as_secs())]
    Timeout,
    #[error("the command was not delivered to the broker: {0}")]
    Lost(String),
}

/// Counts since the start, for metrics and the doctor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientStats {
    pub received: u64,
    pub acknowledged: u64,
    /// Commits that came after their connection was gone: the broker sends those messages again.
    pub stale: u64,
    /// Not stored and therefore not acknowledged.
    pub unstored: u64,
    /// Ignored because longer than the limit.
    pub oversize: u64,
    pub connections: u64,
    /// Messages that came while the queue was full.
    pub overflow: u64,
    /// Messages that wait for their commit at present.
    pub unacknowledged: u64,
}

/// The running connection. Dropping it ends the tasks without a goodbye.
pub struct Client {
    shared: Arc<Shared>,
    echoes: Arc<echo::Echoes>,
    commands: Arc<Semaphore>,
    poll: Mutex<Option<tokio::task::JoinHandle<()>>>,
    subscribe: tokio::task::JoinHandle<()>,
}

impl Client {
    /// Starts to connect, and goes on trying for ever. A rustls provider must be installed before.
    ///
    /// # Errors
    /// When the configuration is wrong; never because the broker cannot be reached.
    pub fn start(config: &ClientConfig, inbound: InboundSender, frames: FrameDesk, clock: Clock) -> Result<Client, ClientError> {
        let filters = config.topics.iter().map(|topic| Filter::new(topic)).collect::<Result<Vec<_>, _>>()?;
        // Unbounded, but bounded by what is put in: acknowledgements by the broker's window, commands by `MAX_COMMANDS`. So queueing
        // never waits, which the lock around the epoch needs.
        let (client, mut events) =
            AsyncClient::builder(options(config)?).unbounded().try_build().map_err(|e| ClientError::Options(e.to_string()))?;
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT_TIMEOUT_S);
        events.set_network_options(network);

        let shared = Arc::new(Shared::new(client));
        let echoes = Arc::new(echo::Echoes::default());
        let (acks, waiting) = mpsc::unbounded_channel();
        tokio::spawn(acks::run(Arc::clone(&shared), waiting));
        // The receiver exists before the poll task does: no connection goes unseen.
        let subscribe = tokio::spawn(subscribe(Arc::clone(&shared), shared.connected.subscribe(), filters));
        let intake = link::Intake {
            shared: Arc::clone(&shared),
            inbound: Some(inbound),
            frames,
            clock,
            acks,
            echoes: Arc::clone(&echoes),
            overflow: Default::default(),
            overflow_bytes: 0,
            epoch: 0,
            confirmed: Default::default(),
            rejecting: false,
        };
        let link = link::Link { shared: Arc::clone(&shared), events, intake, backoff: backoff::Backoff::default() };
        let poll = Mutex::new(Some(tokio::spawn(link.run())));
        Ok(Client { shared, echoes, commands: Arc::new(Semaphore::new(MAX_COMMANDS)), poll, subscribe })
    }

    /// Publishes and waits until the broker has acknowledged (QoS 0: until the bytes are sent). That says nothing about the device: the
    /// caller repeats until the device confirms.
    ///
    /// # Errors
    /// At once while there is no connection or too many commands are under way; otherwise when no acknowledgement comes.
    pub async fn publish(&self, topic: &str, payload: Bytes, qos: u8, retain: bool) -> Result<(), ClientError> {
        if !filter::is_topic(topic) {
            return Err(ClientError::Topic(topic.chars().take(80).collect()));
        }
        let level = match qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            2 => QoS::ExactlyOnce,
            _ => return Err(ClientError::QoS(qos)),
        };
        if !self.shared.is_up() {
            return Err(ClientError::Offline);
        }
        let permit = Arc::clone(&self.commands).try_acquire_owned().map_err(|_| ClientError::Busy)?;
        self.echoes.sending(topic, &payload);
        let options = PublishOptions::new(level).retain(retain);
        let notice = self.shared.client().publish_tracked(topic.to_owned(), payload, options).await;
        let notice = notice.map_err(|e| ClientError::Lost(e.to_string()))?;
        // The permit is given back only when rumqttc has let go of the message, however long that takes.
        let outcome = tokio::spawn(async move {
            let outcome = notice.wait_completion_async().await;
            drop(permit);
            outcome
        });
        match tokio::time::timeout(COMMAND_TIMEOUT, outcome).await {
            Err(_) => Err(ClientError::Timeout),
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(e))) => Err(ClientError::Lost(e.to_string())),
            Ok(Err(e)) => Err(ClientError::Lost(e.to_string())),
        }
    }

    /// What is known about the broker.
    pub fn report(&self) -> BrokerReport {
        self.shared.report().clone()
    }

    pub fn stats(&self) -> ClientStats {
        let counters = &self.shared.counters;
        ClientStats {
            received: counters.received.load(Ordering::Relaxed),
            acknowledged: counters.acknowledged.load(Ordering::Relaxed),
            stale: counters.stale.load(Ordering::Relaxed),
            unstored: counters.unstored.load(Ordering::Relaxed),
            oversize: counters.oversize.load(Ordering::Relaxed),
            connections: counters.connections.load(Ordering::Relaxed),
            overflow: counters.overflow.load(Ordering::Relaxed),
            unacknowledged: self.shared.unacknowledged.load(Ordering::Relaxed) as u64,
        }
    }

    /// Takes in nothing more, acknowledges what is committed within [`DRAIN`], says goodbye to the broker and lets go of the queue. The
    /// session stays with the broker, which keeps what comes meanwhile.
    pub async fn shutdown(&self) {
        self.shared.closing.cancel();
        let drained = async {
            while self.shared.unacknowledged.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(DRAIN, drained).await;
        let _ = self.shared.client().try_disconnect_with_timeout(Duration::from_secs(1));
        let poll = self.poll.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut poll) = poll
            && tokio::time::timeout(DRAIN, &mut poll).await.is_err()
        {
            poll.abort();
        }
        self.subscribe.abort();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.subscribe.abort();
        if let Some(poll) = self.poll.lock().unwrap_or_else(PoisonError::into_inner).take() {
            poll.abort();
        }
    }
}

/// Subscribes after each connection, whether the broker knows the session or not: its access list or our topics may have changed.
async fn subscribe(shared: Arc<Shared>, mut connected: watch::Receiver<shared::Epoch>, filters: Vec<Filter>) {
    while connected.changed().await.is_ok() {
        // One packet for each filter, because some brokers close the connection over a refused `$SYS`: ours come first.
        let own = filters.iter().map(|filter| (filter.as_str(), QoS::ExactlyOnce));
        let about = report::SYS_TOPICS.iter().map(|topic| (*topic, QoS::AtMostOnce));
        for (filter, qos) in own.chain(about) {
            let input = SubscribeFilterInput::new(filter, qos);
            let Ok(notice) = shared.client().subscribe_many_tracked([input]).await else { return };
            let refused = match notice.wait_async().await {
                Ok(answer) => answer.return_codes.contains(&SubscribeReasonCode::Failure),
                // The connection is gone; the next one starts anew.
                Err(_) => break,
            };
            if refused && !filter.starts_with("$SYS/") {
                tracing::warn!(filter, "the broker refuses the subscription");
                shared.report().denied.push(filter.to_owned());
            }
        }
    }
}

/// Address, credentials and TLS of a connection; a persistent session with acknowledgements by hand.
pub(crate) fn options(config: &ClientConfig) -> Result<MqttOptions, ClientError> {
    let (tls, host, port) = parse_url(&config.url).ok_or_else(|| ClientError::Url(config.url.clone()))?;
    let mut options = MqttOptions::new(config.client_id.as_str(), (host, port));
    options
        .set_clean_session(false)
        .set_ack_mode(AckMode::Manual)
        .set_keep_alive(KEEP_ALIVE_S)
        .set_max_packet_size(config.max_packet_bytes, config.max_packet_bytes)
        .set_max_request_batch(BATCH)
        .set_read_batch_size(BATCH)
        .set_inflight(OUT_INFLIGHT);
    if let Some(username) = &config.username {
        match &config.password {
            Some(password) => options.set_credentials(username.as_str(), password.clone().into_bytes()),
            None => options.set_username(username.as_str()),
        };
    }
    if tls {
        options.set_transport(Transport::tls_with_config(tls_configuration(config.ca.as_ref())?));
    }
    options.set_socket_connector(|host, network| async move {
        rumqttc::default_socket_connect(host, network).await.map(socket::GatheringSocket::new)
    });
    Ok(options)
}

/// As [`options`], for a connection that says or asks one thing and is gone: a clean session, acknowledged by itself, under a client id that no other connection has.
/// A broker has one connection for an id: of two that come together it throws one out, and of one that comes while the other leaves it refuses the new one.
pub(crate) fn passing(config: &ClientConfig) -> Result<MqttOptions, ClientError> {
    let client_id = format!("{}-{:08x}", config.client_id, rand::random::<u32>());
    let mut options = options(&ClientConfig { client_id, ..config.clone() })?;
    options.set_clean_session(true).set_ack_mode(AckMode::Automatic);
    Ok(options)
}

fn tls_configuration(ca: Option<&PathBuf>) -> Result<TlsConfiguration, ClientError> {
    let Some(path) = ca else {
        return TlsConfiguration::try_default_rustls().map_err(|e| ClientError::Roots(e.to_string()));
    };
    let ca = std::fs::read(path).map_err(|e| ClientError::Ca { path: path.clone(), reason: e.to_string() })?;
    if !String::from_utf8_lossy(&ca).contains("-----BEGIN CERTIFICATE-----") {
        return Err(ClientError::Ca { path: path.clone(), reason: "it holds no certificate in PEM form".to_owned() });
    }
    Ok(TlsConfiguration::Simple { ca, alpn: None, client_auth: None })
}

/// Whether TLS is wanted, host, port.
fn parse_url(url: &str) -> Option<(bool, String, u16)> {
    let (tls, rest) = match url.split_once("://")? {
        ("mqtt", rest) => (false, rest),
        ("mqtts", rest) => (true, rest),
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':').or(rest.is_empty().then_some(""))?)
        }
        None => rest.split_once(':').unwrap_or((rest, "")),
    };
    let port = match port {
        "" => {
            if tls {
                8883
            } else {
                1883
            }
        }
        port => port.parse().ok()?,
    };
    let sound = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '?'));
    sound.then(|| (tls, host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_addresses() {
        for (url, want) in [
            ("mqtt://broker", Some((false, "broker", 1883))),
            ("mqtt://10.0.0.2:1884/", Some((false, "10.0.0.2", 1884))),
            ("mqtts://broker.example", Some((true, "broker.example", 8883))),
            ("mqtts://[fd00::1]:8884", Some((true, "fd00::1", 8884))),
            ("mqtt://[::1]", Some((false, "::1", 1883))),
            ("http://broker", None),
            ("mqtt://", None),
            ("mqtt://a:b", None),
            ("mqtt://user@host", None),
            ("broker:1883", None),
        ] {
            assert_eq!(parse_url(url), want.map(|(tls, host, port)| (tls, host.to_owned(), port)), "{url}");
        }
    }
}
