//! `[broker]` with its users and TLS, or `[client]` of a broker outside.
use super::fields::{Fields, Problem};
use super::{Secret, address, existing, secret, url};
use figment::value::Dict;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    pub listen: SocketAddr,
    pub tls: Tls,
    /// Sessions at one time, those of absent clients included; one user may have half of them.
    pub sessions: u32,
    pub users: Vec<BrokerUser>,
}

/// TLS of the embedded broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    Off,
    /// With the key that the gateway made itself. Not `needed`: nobody has asked for it, so that a port that is taken keeps nothing from starting.
    Own {
        listen: SocketAddr,
        needed: bool,
    },
    /// With the site's own certificate, PEM files.
    Given {
        listen: SocketAddr,
        cert: PathBuf,
        key: PathBuf,
    },
}

/// Where the broker listens for TLS unless it is told.
pub const TLS_PORT: u16 = 8883;

#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUser {
    pub name: String,
    /// SHA-256 of the password: passwords are drawn by `tuoan device add`, never chosen, so a slow hash adds nothing.
    pub password_sha256: [u8; 32],
    /// Native devices it speaks for.
    pub devices: Vec<String>,
    /// Further topic filters it may publish to and subscribe to.
    pub publish: Vec<String>,
    pub subscribe: Vec<String>,
}

impl std::fmt::Debug for BrokerUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrokerUser").field("name", &self.name).field("devices", &self.devices).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// `mqtt://host:port` or `mqtts://host:port`.
    pub url: String,
    pub client_id: String,
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub topics: Vec<String>,
    pub max_packet_bytes: usize,
    pub ca: Option<PathBuf>,
}

/// Sessions of the embedded broker where the configuration says nothing, and what it may say.
pub const DEFAULT_SESSIONS: u32 = 4096;

const SESSIONS: std::ops::RangeInclusive<u32> = 16..=32_768;

pub(super) fn read_broker(dict: Dict, base: &Path, problems: &mut Vec<Problem>) -> Option<Broker> {
    let mut f = Fields::new("broker", dict, problems);
    let listen = address(&mut f, "listen", "0.0.0.0:1883");
    let off = f.is_off("tls");
    let tls = match f.table("tls") {
        Some(d) => read_tls(d, base, f.problems()),
        // What nobody else in the network reaches needs none.
        None => Some(match listen {
            Some(plain) if !off && !plain.ip().is_loopback() => Tls::Own { listen: (plain.ip(), TLS_PORT).into(), needed: false },
            _ => Tls::Off,
        }),
    };
    let sessions = f.take("sessions").unwrap_or(DEFAULT_SESSIONS);
    if !SESSIONS.contains(&sessions) {
        f.problem("sessions", format!("must lie between {} and {}: each takes memory and an open file", SESSIONS.start(), SESSIONS.end()));
    }
    let mut users: Vec<BrokerUser> = Vec::new();
    for (i, d) in f.tables("user").into_iter().enumerate() {
        let mut u = Fields::new(&format!("broker.user[{i}]"), d, f.problems());
        let name: Option<String> = u.need("name", "the user name that the device gives");
        let hash: Option<String> = u.need("password_sha256", "`tuoan device add NAME` prints the whole entry");
        let hash = hash.and_then(|h| {
            let bytes = hex::decode(&h).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
            if bytes.is_none() {
                u.problem("password_sha256", "must be 64 hexadecimal digits, as `tuoan device add NAME` prints them");
            }
            bytes
        });
        let user =
            |devices, publish, subscribe| Some(BrokerUser { name: name.clone()?, password_sha256: hash?, devices, publish, subscribe });
        let user =
            user(u.take("devices").unwrap_or_default(), u.take("publish").unwrap_or_default(), u.take("subscribe").unwrap_or_default());
        if let Some(n) = &name
            && users.iter().any(|o| o.name == *n)
        {
            u.problem("name", format!("{n:?} stands twice; user names must differ"));
        }
        u.finish();
        users.extend(user);
    }
    f.finish();
    Some(Broker { listen: listen?, tls: tls?, sessions, users })
}

fn read_tls(dict: Dict, base: &Path, problems: &mut Vec<Problem>) -> Option<Tls> {
    let own = !dict.contains_key("cert") && !dict.contains_key("key");
    let mut t = Fields::new("broker.tls", dict, problems);
    let listen = address(&mut t, "listen", "0.0.0.0:8883");
    let given = (!own).then(|| (existing(&mut t, "cert", base), existing(&mut t, "key", base)));
    t.finish();
    Some(match given {
        None => Tls::Own { listen: listen?, needed: true },
        Some((cert, key)) => Tls::Given { listen: listen?, cert: cert?, key: key? },
    })
}

pub(super) fn read_client(dict: Dict, base: &Path, problems: &mut Vec<Problem>) -> Option<Client> {
    let mut f = Fields::new("client", dict, problems);
    let url = url(&mut f, &["mqtt://", "mqtts://"], "mqtt://127.0.0.1:1883");
    let client_id: String = f.take("client_id").unwrap_or_else(|| "tuoan".to_owned());
    let username = f.take("username");
    let password = secret(&mut f, "password", "password_file", base, false);
    let topics: Vec<String> = f.take("topics").unwrap_or_else(|| vec!["tuoan/#".to_owned(), "zigbee2mqtt/#".to_owned()]);
    if topics.is_empty() {
        f.problem("topics", "is empty; name at least one topic filter");
    }
    let max_packet_bytes: usize = f.take("max_packet_bytes").unwrap_or((4 << 20) + 65_536);
    let ca = f.take::<PathBuf>("ca").map(|p| base.join(p));
    f.finish();
    Some(Client { url: url?, client_id, username, password, topics, max_packet_bytes, ca })
}
