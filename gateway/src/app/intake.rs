//! Where messages come from and orders go to: the embedded broker with its users and keys, or a client of one outside.
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::deliver::{CommandLink, LinkError};
use crate::engine::CANARY;
use crate::engine::standing::DRILL_PREFIX;
use crate::ingest::broker::{Broker, BrokerConfig, BrokerTls, User};
use crate::ingest::client::{Client, ClientConfig};
use crate::ingest::frames::FrameDesk;
use crate::ingest::own::{self, OwnVoice};
use crate::nodes::key::{self, NodeTls};
use crate::pipeline::Handle;
use crate::store::retained::SqliteRetained;
use async_trait::async_trait;
use miette::{Context, IntoDiagnostic, Result, miette};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tuoan_protocol::DeviceId;
use tuoan_protocol::topic::TopicKind;

/// Where messages come from and orders go to.
pub(super) enum Intake {
    Embedded(Broker),
    Outside(Client),
}

#[async_trait]
impl CommandLink for Intake {
    async fn publish(&self, topic: &str, payload: &[u8]) -> std::result::Result<(), LinkError> {
        let payload = bytes::Bytes::copy_from_slice(payload);
        match self {
            Intake::Embedded(b) => b.publish(topic, payload, 1, false).await.map_err(|e| LinkError(e.to_string())),
            Intake::Outside(c) => c.publish(topic, payload, 1, false).await.map_err(|e| LinkError(e.to_string())),
        }
    }
}

/// The gateway's own way into its broker, or into the one outside.
pub(super) fn own_voice(config: &Config, mqtt: Option<SocketAddr>, password: String) -> OwnVoice {
    let settings = match (&config.ingest, mqtt) {
        (config::Ingest::Outside(c), _) => ClientConfig {
            // Another id than the connection's that takes messages in: the broker would throw that out.
            client_id: format!("{}-self", c.client_id),
            topics: Vec::new(),
            ..client_config(c)
        },
        (config::Ingest::Embedded(b), local) => ClientConfig {
            url: format!("mqtt://{}", reachable(local.unwrap_or(b.listen))),
            client_id: own::ACCOUNT.to_owned(),
            username: Some(own::ACCOUNT.to_owned()),
            password: Some(password),
            topics: Vec::new(),
            max_packet_bytes: 64 << 10,
            ca: None,
        },
    };
    OwnVoice { link: own::Once(settings), site: config.site.id.clone() }
}

/// From this machine: a broker that listens everywhere listens on loopback.
fn reachable(at: SocketAddr) -> SocketAddr {
    match at {
        SocketAddr::V4(a) if a.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], a.port())),
        SocketAddr::V6(a) if a.ip().is_unspecified() => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, a.port())),
        other => other,
    }
}

pub(super) async fn start_broker(
    config: &Config,
    b: &config::Broker,
    own_password: &str,
    handle: &Handle,
    frames: FrameDesk,
    clock: Clock,
) -> Result<(Broker, Option<NodeTls>)> {
    let mut users = Vec::new();
    for u in &b.users {
        let devices = u.devices.iter().map(|d| DeviceId::new(d)).collect::<std::result::Result<Vec<_>, _>>();
        users.push(User {
            name: u.name.clone(),
            password_sha256: u.password_sha256,
            devices: devices.map_err(|e| miette!("broker user {}: devices: {e}", u.name))?,
            publish: u.publish.clone(),
            subscribe: u.subscribe.clone(),
        });
    }
    let staged = config.site.zones.iter().map(|z| format!("{DRILL_PREFIX}{}", z.id));
    let own = staged.chain([CANARY.to_owned()]).filter_map(|d| DeviceId::new(&d).ok());
    users.retain(|u| u.name != own::ACCOUNT);
    users.push(User {
        name: own::ACCOUNT.to_owned(),
        password_sha256: <sha2::Sha256 as sha2::Digest>::digest(own_password.as_bytes()).into(),
        devices: own.collect(),
        publish: TopicKind::ALL
            .iter()
            .filter(|k| k.is_to_device())
            .map(|k| format!("tuoan/v1/{}/+/{}", config.site.id, k.as_str()))
            .collect(),
        subscribe: [TopicKind::Progress, TopicKind::Applied]
            .iter()
            .map(|k| format!("tuoan/v1/{}/+/{}", config.site.id, k.as_str()))
            .collect(),
    });
    let tls = broker_tls(&config.data, &b.tls)?;
    let settings = BrokerConfig { site: config.site.id.clone(), listen: b.listen, tls: tls.clone(), sessions: b.sessions, users };
    let retained = Arc::new(SqliteRetained { ops: handle.ops.clone(), reader: handle.reader.clone(), clock: clock.clone() });
    let broker = Broker::start(settings, handle.inbound.clone(), frames, retained, clock)
        .await
        .into_diagnostic()
        .wrap_err("the embedded broker does not start")?;
    let node_tls = broker.tls_addr().zip(tls).and_then(|(address, tls)| match key::pin(&tls.cert, &tls.key) {
        Ok(pin) => Some(NodeTls { port: address.port(), pin }),
        Err(e) => {
            tracing::warn!("{e}. Nodes are enrolled without TLS");
            None
        }
    });
    Ok((broker, node_tls))
}

/// What a node of the project is told over its serial line, but for the gateway's address.
///
/// # Errors
/// The broker is an outside one, or has no key yet that nodes can verify.
pub fn enrol_line(config: &Config, device: &str, password: &str) -> Result<String> {
    let config::Ingest::Embedded(broker) = &config.ingest else {
        return Err(miette!("devices have their credentials at the broker outside, which [client] names"));
    };
    let own = key::path(&config.data);
    let (listen, files) = match &broker.tls {
        config::Tls::Off => (broker.listen, None),
        config::Tls::Own { listen, .. } => (*listen, Some((&own, &own))),
        config::Tls::Given { listen, cert, key } => (*listen, Some((cert, key))),
    };
    let pin = files.map(|(cert, key)| key::pin(cert, key)).transpose().into_diagnostic();
    let pin = pin.wrap_err("nodes have nothing to know the gateway by; its own key is made when it first starts")?;
    Ok(format!("enrol {} GATEWAY:{} {}", config.site.id, listen.port(), key::code(device, password, pin.as_deref())))
}

/// The broker's TLS as files; the gateway's own are made at the first start.
fn broker_tls(data: &Path, tls: &config::Tls) -> Result<Option<BrokerTls>> {
    Ok(match tls {
        config::Tls::Off => None,
        config::Tls::Given { listen, cert, key } => Some(BrokerTls { listen: *listen, cert: cert.clone(), key: key.clone(), needed: true }),
        config::Tls::Own { listen, needed } => match key::own(data) {
            Ok(file) => Some(BrokerTls { listen: *listen, cert: file.clone(), key: file, needed: *needed }),
            Err(e) if !needed => {
                tracing::warn!("{e}. The broker starts without TLS: nodes that were enrolled for it are NOT heard");
                None
            }
            Err(e) => return Err(e).into_diagnostic().wrap_err("the broker's own key cannot be made"),
        },
    })
}

fn client_config(c: &config::Client) -> ClientConfig {
    ClientConfig {
        url: c.url.clone(),
        client_id: c.client_id.clone(),
        username: c.username.clone(),
        password: c.password.as_ref().map(|p| p.reveal().to_owned()),
        topics: c.topics.clone(),
        max_packet_bytes: c.max_packet_bytes,
        ca: c.ca.clone(),
    }
}

pub(super) fn start_client(c: &config::Client, handle: &Handle, frames: FrameDesk, clock: Clock) -> Result<Client> {
    Client::start(&client_config(c), handle.inbound.clone(), frames, clock)
        .into_diagnostic()
        .wrap_err("the connection to the outside broker cannot be set up")
}
