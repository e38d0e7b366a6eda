//! The whole demo: start platform and gateway, play the day, compare both ends, keep serving.
use super::far_end::{Bucket, FarEnd};
use super::narrate::{Narrator, Titles};
use super::nursery::Nursery;
use super::play::{self, Spoken, Stage, blocking};
use super::report::{self, Evidence, Expected, Key, Report};
use super::scenario::Wire;
use crate::app;
use crate::clock::{Clock, Stopwatch};
use crate::config::{Broker, BrokerUser, ClockTrust, Config, Influx, Ingest, Platform, Secret, Store, Web};
use crate::engine::Body;
use crate::engine::rules::{self, Catalogue};
use crate::pipeline::Handle;
use crate::store::Lane;
use miette::{IntoDiagnostic, Result, miette};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tuoan_platform::{ReceiptHook, SiteSeed};
use tuoan_protocol::Transition;

/// How long the day takes for a person who watches.
const SHOW: Duration = Duration::from_secs(180);
/// Longest wait for what was sent to arrive, after the day, in real time.
const SETTLE: Duration = Duration::from_secs(60);
/// Entries read from the log at a time.
const PAGE: usize = 5_000;
const ORG: &str = "tuoan";
const BUCKET: &str = "nursery";
/// Ports that are tried first, so that a bookmark survives; any free one if they are taken.
const GATEWAY_PORT: u16 = 8080;
const PLATFORM_PORT: u16 = 8090;

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Plays the day once, as fast as it goes, and ends; exits with 0 only if everything came out as promised.
    #[arg(long)]
    pub headless: bool,
    /// Writes what came of the day to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Folder for the databases: new or empty, and kept. Without it, a folder that is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Seed of all jitter.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// Plays the demo.
///
/// # Errors
/// When it cannot be set up. What goes wrong in the day itself is in the exit code and the report.
pub async fn run(options: Options) -> Result<ExitCode> {
    let mut nursery = Nursery::built_in(options.seed).map_err(|e| miette!("the built-in nursery cannot be played:\n{e}"))?;
    let folder = Folder::new(options.data.as_deref())?;
    let clock = Clock::manual(nursery.utc_ms(nursery.day.from.0.saturating_sub(play::PRELUDE_S)));
    let watch = Stopwatch::start();
    let receipts: Receipts = Arc::default();
    let secrets = Secrets::draw(&nursery);

    let platform = tuoan_platform::start(platform_config(&nursery, &secrets, &folder.0, &clock, &receipts, watch, options.headless))
        .await
        .map_err(|e| miette!("the platform does not start: {e}"))?;
    let config = gateway_config(&nursery, &secrets, &folder.0, &platform.url(), options.headless);
    let speed = if options.headless { 1.0 } else { nursery.speed(SHOW) };
    let gateway = app::start(config, clock.clone(), speed).await?;
    let broker = gateway.mqtt.ok_or_else(|| miette!("the gateway has no broker of its own"))?;
    let narrator = Narrator::new(&nursery, titles(), options.headless);
    if !options.headless {
        greet(&nursery, &gateway, &platform, broker);
    }

    let bucket = Bucket { org: ORG.to_owned(), bucket: BUCKET.to_owned(), token: secrets.influx.clone() };
    let far_end = FarEnd::new(&platform.url(), nursery.site.id.as_str(), &secrets.reader, bucket).map_err(|e| miette!("{e}"))?;
    let stage = Stage {
        broker,
        handle: gateway.handle.clone(),
        clock,
        passwords: secrets.devices.clone(),
        watch,
        pace: (!options.headless).then_some(SHOW),
    };
    let day = async {
        let (spoken, connections) = play::play(&mut nursery, &stage, &narrator).await?;
        let evidence = examine(&stage.handle, &far_end, spoken, &receipts, nursery.seed).await?;
        Ok::<_, String>((evidence, connections))
    };
    let outcome = tokio::select! {
        outcome = day => Some(outcome),
        interrupt = tokio::signal::ctrl_c() => { interrupt.into_diagnostic()?; None }
    };
    narrator.finish();
    let mut code = ExitCode::FAILURE;
    match outcome {
        Some(Ok((evidence, connections))) => {
            let (staged, natural) = expected(&nursery);
            let (report, reasons) = report::judge(evidence, &staged, &natural);
            if let Some(file) = &options.report {
                write(file, &report)?;
            }
            summarise(&report, &reasons, watch.elapsed());
            if reasons.is_empty() {
                code = ExitCode::SUCCESS;
            }
            if !options.headless {
                println!("\n页面继续开放，按 Ctrl-C 结束。/ The pages stay open; Ctrl-C ends the demo.");
                tokio::signal::ctrl_c().await.into_diagnostic()?;
            }
            connections.close().await;
        }
        Some(Err(reason)) => eprintln!("the day could not be played to its end: {reason}"),
        None if options.headless => eprintln!("interrupted"),
        None => code = ExitCode::SUCCESS,
    }
    gateway.stop().await?;
    platform.shutdown().await;
    folder.remove();
    Ok(code)
}

/// Real time of the platform's receipt, by event id.
type Receipts = Arc<Mutex<HashMap<String, Duration>>>;

fn platform_config(
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
        clock_speed: if headless { 1.0 } else { nursery.speed(SHOW) },
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

fn gateway_config(nursery: &Nursery, secrets: &Secrets, folder: &Path, platform: &str, headless: bool) -> Config {
    let users = secrets.devices.iter().map(|(name, password)| BrokerUser {
        name: name.clone(),
        password_sha256: Sha256::digest(password.as_bytes()).into(),
        devices: if name == play::BRIDGE { Vec::new() } else { vec![name.clone()] },
        publish: if name == play::BRIDGE { vec!["zigbee2mqtt/#".to_owned()] } else { Vec::new() },
        subscribe: Vec::new(),
    });
    Config {
        data: folder.to_owned(),
        site: nursery.site.clone(),
        rules: rules::builtin().into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
        web: Web { listen: loopback(if headless { 0 } else { GATEWAY_PORT }) },
        ingest: Ingest::Embedded(Broker { listen: loopback(0), tls: None, users: users.collect() }),
        platform: Some(Platform { url: platform.to_owned(), token: Secret::new(secrets.site.clone()), receipts: true }),
        influx: Some(Influx {
            url: platform.to_owned(),
            org: ORG.to_owned(),
            bucket: BUCKET.to_owned(),
            token: Secret::new(secrets.influx.clone()),
            measurement: "reading".to_owned(),
        }),
        store: Store { wear_mode: false, reserve_mb: 1 },
        clock_trust: ClockTrust::Always,
        mappings: Vec::new(),
    }
}

/// Reads back both ends, once everything sent has had time to arrive.
async fn examine(handle: &Handle, far_end: &FarEnd, spoken: Spoken, receipts: &Receipts, seed: u64) -> Result<Evidence, String> {
    let mut troubles = spoken.troubles;
    if !arrived(handle).await? {
        troubles.push(format!("not everything was delivered within {} s", SETTLE.as_secs()));
    }
    let stored = stored(handle).await?;
    let counts = blocking(handle, |r| r.counts()).await?;
    let holding = far_end.holding().await?;
    let receipts = receipts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let latencies = spoken.alerts.iter().filter_map(|a| {
        let rises = matches!(a.transition, Transition::Opened | Transition::Raised | Transition::Reactivated);
        // Decided by a message of this very moment; what a timer decided has an older trigger.
        let published = spoken.moments.get(&(a.device.clone()?, a.at)).filter(|_| rises)?;
        receipts.get(&a.id)?.checked_sub(*published)
    });
    Ok(Evidence {
        seed,
        published: spoken.published,
        latencies: latencies.collect(),
        sent: spoken.alerts.iter().map(|a| a.id.clone()).collect(),
        acknowledged: spoken.acknowledged,
        stored,
        quarantined: counts.quarantined,
        received: holding.events,
        incidents: holding.incidents,
        metrics_points: far_end.points().await?,
        troubles,
    })
}

/// Waits until both lanes have nothing before them; false when that takes too long.
async fn arrived(handle: &Handle) -> Result<bool, String> {
    let waiting = Stopwatch::start();
    loop {
        let at = *handle.committed.borrow();
        let (alerts, metrics) = blocking(handle, |r| {
            Ok((
                r.cursor(crate::deliver::sinks::platform::NAME, Lane::Alerts)?,
                r.cursor(crate::deliver::sinks::influx::NAME, Lane::Metrics)?,
            ))
        })
        .await?;
        if alerts >= at.sequence && metrics >= at.position {
            return Ok(true);
        }
        if waiting.elapsed() > SETTLE {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every message in the gateway's log.
async fn stored(handle: &Handle) -> Result<Vec<Key>, String> {
    let (mut keys, mut after) = (Vec::new(), 0u64);
    loop {
        let entries = blocking(handle, move |r| r.entries_after(after, PAGE)).await?;
        let Some(last) = entries.last_position() else { return Ok(keys) };
        keys.extend(entries.iter().filter(|e| e.message).map(|e| key(&e.body, e.at)));
        after = last;
    }
}

/// The key of a message from the first entry that it caused.
fn key(body: &Body, at: i64) -> Key {
    match body {
        Body::Message(m) => match (m.boot, m.seq) {
            (Some(boot), Some(seq)) => Key::Numbered { device: m.device.as_str().to_owned(), boot, seq },
            _ => Key::Timed { device: m.device.as_str().to_owned(), at },
        },
        Body::Inventory(list) => match list.as_slice() {
            [one] if one.device.as_ref().is_some_and(|d| !d.as_str().starts_with("z2m.")) => {
                let device = one.device.as_ref().map_or_else(String::new, |d| d.as_str().to_owned());
                Key::Timed { device, at }
            }
            _ => Key::Timed { device: play::BRIDGE.to_owned(), at },
        },
        _ => Key::Timed { device: String::new(), at },
    }
}

fn expected(nursery: &Nursery) -> (Vec<Expected>, Vec<Expected>) {
    let staged = nursery.day.staged.iter().map(|s| Expected {
        hazard: s.hazard.as_str().to_owned(),
        zone: s.zone.as_str().to_owned(),
        at: Some(s.at.to_string()),
        incidents: 1,
    });
    let natural = nursery.day.natural.iter().map(|n| Expected {
        hazard: n.hazard.as_str().to_owned(),
        zone: n.zone.as_str().to_owned(),
        at: None,
        incidents: n.incidents,
    });
    (staged.collect(), natural.collect())
}

fn titles() -> Titles {
    let catalogue = Catalogue::builtin();
    catalogue.iter().map(|e| (e.rule.clone(), (e.title.zh.clone(), e.title.en.clone()))).collect()
}

fn greet(nursery: &Nursery, gateway: &app::Running, platform: &tuoan_platform::Running, broker: SocketAddr) {
    let site = &nursery.site;
    println!("托安演示：{}（{}{}），{} 个设备，一天约三分钟。", site.name, site.district, site.street, nursery.devices.len());
    println!("Tuoan demo: one day of a nursery in about three minutes, {} simulated devices, recorded air.\n", nursery.devices.len());
    println!("  机构页面 / institution   http://{}{}", gateway.web.address, gateway.web.door.one_time_link());
    println!("  区平台 / district        {}", platform.login_link());
    println!("  MQTT                     mqtt://{broker}");
    println!("  每个链接只能打开一次。/ Each link signs in once.\n");
}

fn summarise(r: &Report, reasons: &[String], took: Duration) {
    println!(
        "{} messages published, {} acknowledged, {} stored, {} lost, {} duplicated, {} in quarantine; {} s",
        r.published,
        r.acknowledged,
        r.stored,
        r.lost,
        r.duplicated,
        r.quarantined,
        took.as_secs()
    );
    println!(
        "{} staged and {} natural hazards; {} unexpected incidents; {} alerts sent, {} at the platform; {} metric points",
        r.staged.len(),
        r.natural.len(),
        r.unexpected,
        r.alerts_sent,
        r.alerts_received,
        r.metrics_points
    );
    println!("alert latency p50 {} ms, p99 {} ms, max {} ms", r.alert_latency_ms.p50, r.alert_latency_ms.p99, r.alert_latency_ms.max);
    for reason in reasons {
        println!("NOT AS PROMISED: {reason}");
    }
}

fn write(file: &Path, report: &Report) -> Result<()> {
    let mut text = serde_json::to_string_pretty(report).into_diagnostic()?;
    text.push('\n');
    std::fs::write(file, text).map_err(|e| miette!("the report cannot be written to {}: {e}", file.display()))
}

/// Passwords and tokens, drawn for this run.
struct Secrets {
    site: String,
    reader: String,
    influx: String,
    /// By user name of the broker.
    devices: BTreeMap<String, String>,
}

impl Secrets {
    fn draw(nursery: &Nursery) -> Secrets {
        let one = || hex::encode(rand::random::<[u8; 16]>());
        let native = nursery.devices.iter().filter(|d| d.wire != Wire::Zigbee2mqtt).map(|d| d.id.as_str().to_owned());
        let devices = native.chain([play::BRIDGE.to_owned()]).map(|name| (name, one())).collect();
        Secrets { site: one(), reader: one(), influx: one(), devices }
    }
}

/// The preferred port if it is free, else any.
fn loopback(preferred: u16) -> SocketAddr {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, preferred));
    let free = TcpListener::bind(address).is_ok();
    if free { address } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) }
}

/// Where the databases are, and whether they are removed at the end.
struct Folder(PathBuf, bool);

impl Folder {
    fn new(given: Option<&Path>) -> Result<Folder> {
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
    fn remove(self) {
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
        let path = own.0.clone();
        own.remove();
        assert!(!path.exists());
        let dir = tempfile::tempdir().unwrap();
        Folder::new(Some(dir.path())).unwrap().remove();
        assert!(dir.path().exists());
    }
}
