//! What a platform is started with, from a file or from a program that embeds it.
use crate::clock::Clock;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// A token or password. Never shown by `Debug`, so that no log line carries it.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }
    /// The secret itself: to hash it or to show it once to the person who asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
impl From<&str> for Secret {
    fn from(s: &str) -> Self {
        Secret(s.to_owned())
    }
}
impl From<String> for Secret {
    fn from(s: String) -> Self {
        Secret(s)
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A site known from the start. Seeding it again changes its name and adds the token; tokens given by `site add` stay valid.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteSeed {
    /// As [`tuoan_protocol::SiteId`].
    pub id: String,
    /// Name on the district's page, e.g. 星园托育中心.
    pub name: String,
    /// At least 16 characters; only its SHA-256 is stored.
    pub token: Secret,
}

/// A program that may read all sites (`Authorization: Bearer …`) and claim or acknowledge under its name.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    pub name: String,
    /// At least 16 characters.
    pub token: Secret,
}

/// The InfluxDB v2-compatible intake. Without a token it is closed.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Influx {
    /// `Authorization: Token …`; each may write and query every bucket.
    pub tokens: Vec<Secret>,
    pub org: String,
    /// Buckets that exist; writing to another answers 404, as InfluxDB does.
    pub buckets: Vec<String>,
    /// Points older than this are removed, in days; 0 keeps them for ever.
    pub retention_days: u32,
    /// Largest number of series (measurement, tags, field); points of further ones are refused.
    pub max_series: u32,
}

impl Default for Influx {
    fn default() -> Self {
        Influx { tokens: Vec::new(), org: "tuoan".into(), buckets: vec!["tuoan".into()], retention_days: 30, max_series: 200_000 }
    }
}

/// Is told the id of every event when it has been stored for the first time: for a program that embeds the platform and measures how long
/// an event took. It is called on the way to the answer, so it must return at once.
#[derive(Clone)]
pub struct ReceiptHook(Arc<dyn Fn(&str) + Send + Sync>);

impl ReceiptHook {
    pub fn new(stored: impl Fn(&str) + Send + Sync + 'static) -> ReceiptHook {
        ReceiptHook(Arc::new(stored))
    }
    pub(crate) fn stored(&self, event: &str) {
        (self.0)(event);
    }
}
impl fmt::Debug for ReceiptHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptHook")
    }
}

/// Everything [`crate::start`] needs. `Config::default()` listens on a free loopback port and keeps its file in `data`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port 0 takes a free one; [`crate::Running::addr`] says which.
    pub listen: SocketAddr,
    /// Directory of the SQLite file; created if it is absent.
    pub data: PathBuf,
    /// `sqlite:///absolute/path` or `postgres://user:password@host/database`; `None` is `platform.sqlite` in `data`.
    pub database: Option<Secret>,
    pub sites: Vec<SiteSeed>,
    pub readers: Vec<Reader>,
    pub influx: Influx,
    pub clock: Clock,
    /// A site that has not been heard for this long cannot be trusted now. Default 135 s: two heartbeats of 60 s and a grace of 15 s.
    pub silent_after_ms: i64,
    pub on_receipt: Option<ReceiptHook>,
    /// Whose platform it is, beside the brand, e.g. 朝阳区托育安全平台.
    pub district: String,
    /// Minutes east of UTC of the times on the pages.
    pub utc_offset_minutes: i32,
    /// How fast the clock runs: 1 in life, more in a played day; pages count ages on with it.
    pub clock_speed: f64,
    /// The code on the label with which the server is claimed; `None` draws one, which [`crate::Running::claim_code`] tells.
    pub claim_code: Option<Secret>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: PathBuf::from("data"),
            database: None,
            sites: Vec::new(),
            readers: Vec::new(),
            influx: Influx::default(),
            clock: Clock::system(),
            silent_after_ms: 135_000,
            on_receipt: None,
            district: String::new(),
            utc_offset_minutes: 480,
            clock_speed: 1.0,
            claim_code: None,
        }
    }
}

/// Shortest token that is accepted, in bytes.
pub const MIN_TOKEN: usize = 16;

impl Config {
    /// Every problem, each with its remedy; empty when the configuration can be used.
    pub fn problems(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut ids = std::collections::BTreeSet::new();
        for site in &self.sites {
            if let Err(e) = tuoan_protocol::SiteId::new(&site.id) {
                out.push(format!("site {:?}: {e}", site.id));
            }
            if !ids.insert(&site.id) {
                out.push(format!("site {:?} is listed twice: give each site its own id", site.id));
            }
            if site.name.trim().is_empty() {
                out.push(format!("site {:?} has no name: set `name` to what people call it", site.id));
            }
            short_token(&mut out, &format!("token of site {:?}", site.id), &site.token);
        }
        for reader in &self.readers {
            if reader.name.trim().is_empty() {
                out.push("a reader has no name: its name is recorded with every claim".into());
            }
            short_token(&mut out, &format!("token of reader {:?}", reader.name), &reader.token);
        }
        for token in &self.influx.tokens {
            short_token(&mut out, "an InfluxDB token", token);
        }
        if let Some(url) = &self.database
            && !["sqlite:", "postgres:", "postgresql:"].iter().any(|s| url.reveal().starts_with(s))
        {
            out.push("`database` must begin with sqlite:// or postgres://".into());
        }
        if self.silent_after_ms < 1_000 {
            out.push("`silent_after` must be at least one second".into());
        }
        out
    }
}

fn short_token(out: &mut Vec<String>, what: &str, token: &Secret) {
    if token.reveal().len() < MIN_TOKEN {
        out.push(format!("{what} is too short: use at least {MIN_TOKEN} characters, e.g. from `tuoan-platform site add`"));
    }
}
