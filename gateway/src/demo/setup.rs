//! What the demo's platform and gateway are started with: addresses on the loopback, secrets drawn for this run, a folder for the databases.
use super::nursery::Nursery;
use super::play;
use super::scenario::Wire;
use crate::clock::{Clock, Stopwatch};
use crate::config::notify::Notify;
use crate::config::{Broker, BrokerUser, ClockTrust, Config, Influx, Ingest, Platform, Runtime, Secret, Store, Vision, Web};
use crate::engine::rules;
use crate::notify::channels::{ChannelConfig, Via, mqtt};
use crate::store::Retention;
use miette::{Result, miette};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tuoan_dashboards::Lang;
use tuoan_platform::{ReceiptHook, SiteSeed};

pub const ORG: &str = "tuoan";
pub const BUCKET: &str = "nursery";
/// Ports that are tried first when a person watches, so that a bookmark survives; any free one if they are taken.
const GATEWAY_PORT: u16 = 8080;
const PLATFORM_PORT: u16 = 8090;

/// Real time of the platform's receipt, by event id.
pub type Receipts = Arc<Mutex<HashMap<String, Duration>>>;

pub fn platform_config(
    nursery: &Nursery,
    secrets: &Secrets,
    folder: &Path,
    clock: &Clock,
    receipts: &Receipts,
    watch: Stopwatch,
    headless: bool,
) -> tuoan_platform::Config {
    let (shown, noted) = (clock.clone(), receipts.clone());
    tuoan_platform::Config {
        listen: loopback(if headless { 0 } else { PLATFORM_PORT }),
        data: folder.join("platform"),
        sites: vec![SiteSeed {
            id: nursery.site.id.as_str().to_owned(),
            name: nursery.site.name.clone(),
            token: secrets.site.as_str().into(),
        }],
        readers: vec![tuoan_platform::Reader { name: "区托育服务中心".to_owned(), token: secrets.reader.as_str().into() }],
        influx: tuoan_platform::Influx {
            tokens: vec![secrets.influx.as_str().into()],
            org: ORG.to_owned(),
            buckets: vec![BUCKET.to_owned()],
            ..tuoan_platform::Influx::default()
        },
        clock: tuoan_platform::Clock::from_fn(move || shown.utc_ms()),
        clock_speed: if headless { 1.0 } else { nursery.speed(super::run::SHOW) },
        district: format!("{}托育安全平台", nursery.site.district),
        // Heartbeats come by real time, the platform's clock shows the day's: hours lie between two of them.
        silent_after_ms: 24 * 3_600_000,
        on_receipt: Some(ReceiptHook::new(move |id| {
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.entry(id.to_owned()).or_insert_with(|| watch.elapsed());
        })),
        ..tuoan_platform::Config::default()
    }
}

/// One channel that needs nobody's account: what a speaker in the corridor would say, on a topic of the broker.
fn notify(headless: bool) -> Notify {
    let speaker = ChannelConfig {
        name: "走廊音箱".to_owned(),
        language: Lang::Zh,
        to: Vec::new(),
        everyone: true,
        per_minute: None,
        via: Via::Mqtt(mqtt::Settings { topic: "tuoan/voice/corridor".to_owned() }),
    };
    let link = (!headless).then(|| format!("http://127.0.0.1:{GATEWAY_PORT}"));
    Notify { channels: vec![speaker], link, ..Notify::default() }
}

pub fn gateway_config(nursery: &Nursery, secrets: &Secrets, folder: &Path, platform: &str, headless: bool) -> Config {
    let users = secrets.devices.iter().map(|(name, password)| BrokerUser {
        name: name.clone(),
        password_sha256: Sha256::digest(password.as_bytes()).into(),
        devices: if name == play::BRIDGE { Vec::new() } else { vec![name.clone()] },
        publish: if name == play::BRIDGE { vec!["zigbee2mqtt/#".to_owned()] } else { Vec::new() },
        subscribe: Vec::new(),
    });
    Config {
        files: None,
        data: folder.to_owned(),
        site: nursery.site.clone(),
        rules: rules::builtin().into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
        web: Web { listen: loopback(if headless { 0 } else { GATEWAY_PORT }) },
        ingest: Ingest::Embedded(Broker {
            listen: loopback(0),
            tls: crate::config::Tls::Off,
            sessions: crate::config::DEFAULT_SESSIONS,
            users: users.collect(),
        }),
        platform: Some(Platform { url: platform.to_owned(), token: Secret::new(secrets.site.clone()), receipts: true }),
        influx: Some(Influx {
            url: platform.to_owned(),
            org: ORG.to_owned(),
            bucket: BUCKET.to_owned(),
            token: Secret::new(secrets.influx.clone()),
            measurement: "reading".to_owned(),
        }),
        store: Store { wear_mode: false, reserve_mb: 1, retention: Retention::default() },
        clock_trust: ClockTrust::Always,
        runtime: Runtime::default(),
        mappings: Vec::new(),
        pictures: crate::cameras::Settings::default(),
        viewing_password: Some(Secret::new(secrets.viewing.clone())),
        // A still corridor need not be looked at more often in a day that passes in minutes.
        // And each step of the day waits for the models, so they must not yield to whatever else the machine does.
        vision: Vision { look_anyway_s: 600, idle: false, workers: Some(2), ..Vision::default() },
        hikvision: Vec::new(),
        cameras: Vec::new(),
        notify: notify(headless),
    }
}

/// Passwords and tokens, drawn for this run.
pub struct Secrets {
    pub site: String,
    pub reader: String,
    pub influx: String,
    /// Opens the cameras' pictures; short, because somebody types it.
    pub viewing: String,
    /// By user name of the broker.
    pub devices: BTreeMap<String, String>,
}

impl Secrets {
    pub fn draw(nursery: &Nursery) -> Secrets {
        let one = || hex::encode(rand::random::<[u8; 16]>());
        let native = nursery.devices.iter().filter(|d| d.wire != Wire::Zigbee2mqtt).map(|d| d.id.as_str().to_owned());
        let devices = native
            .chain(nursery.cameras.iter().map(|c| c.id.as_str().to_owned()))
            .chain([play::BRIDGE.to_owned()])
            .map(|name| (name, one()))
            .collect();
        Secrets { site: one(), reader: one(), influx: one(), viewing: hex::encode(rand::random::<[u8; 4]>()), devices }
    }
}

/// The preferred port if it is free, else any.
fn loopback(preferred: u16) -> SocketAddr {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, preferred));
    let free = TcpListener::bind(address).is_ok();
    if free { address } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) }
}

/// Where the databases are, and whether they are removed at the end.
pub struct Folder(PathBuf, bool);

impl Folder {
    pub fn new(given: Option<&Path>) -> Result<Folder> {
        let Some(dir) = given else {
            let dir = std::env::temp_dir().join(format!("tuoan-demo-{}", hex::encode(rand::random::<[u8; 6]>())));
            std::fs::create_dir_all(&dir).map_err(|e| miette!("the folder {} cannot be made: {e}", dir.display()))?;
            return Ok(Folder(dir, true));
        };
        std::fs::create_dir_all(dir).map_err(|e| miette!("the folder {} cannot be made: {e}", dir.display()))?;
        let mut there = std::fs::read_dir(dir).map_err(|e| miette!("the folder {} cannot be read: {e}", dir.display()))?;
        if there.next().is_some() {
            return Err(miette!(
                "{} is not empty: it may hold the log of a real site, or of an earlier demo. Name a new folder with --data, or leave --data out",
                dir.display()
            ));
        }
        Ok(Folder(dir.to_owned(), false))
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn remove(self) {
        if self.1
            && let Err(e) = std::fs::remove_dir_all(&self.0)
        {
            eprintln!("the folder {} could not be removed: {e}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_anything_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let fresh = dir.path().join("fresh");
        assert!(Folder::new(Some(&fresh)).is_ok(), "made where there is none");
        assert!(Folder::new(Some(&fresh)).is_ok(), "empty");
        std::fs::write(fresh.join("tuoan.sqlite"), b"x").unwrap();
        let error = Folder::new(Some(&fresh)).err().unwrap().to_string();
        assert!(error.contains("not empty") && error.contains("--data"), "{error}");
    }

    #[test]
    fn a_folder_of_its_own_is_removed_a_given_one_is_kept() {
        let own = Folder::new(None).unwrap();
        let path = own.path().to_owned();
        own.remove();
        assert!(!path.exists());
        let dir = tempfile::tempdir().unwrap();
        Folder::new(Some(dir.path())).unwrap().remove();
        assert!(dir.path().exists());
    }
}
