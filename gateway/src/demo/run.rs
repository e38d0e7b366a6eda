//! The whole demo: start everything, play the day, compare both ends, keep serving.
use super::far_end::{Bucket, FarEnd};
use super::narrate::{Narrator, Titles};
use super::nursery::Nursery;
use super::play::{self, Connections, Spoken, Stage, blocking};
use super::report::{self, Evidence, Expected, Key, Report};
use super::setup::{BUCKET, Folder, ORG, Receipts, Secrets, gateway_config, platform_config};
use crate::app;
use crate::clock::{Clock, Stopwatch};
use crate::deliver::sinks;
use crate::engine::Body;
use crate::engine::rules::Catalogue;
use crate::pipeline::Handle;
use crate::say;
use crate::store::Lane;
use miette::{IntoDiagnostic, Result, miette};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::PoisonError;
use std::time::Duration;
use tuoan_protocol::Transition;

/// How long the day takes for a person who watches.
pub const SHOW: Duration = Duration::from_secs(180);
/// Longest wait for what was sent to arrive, after the day, in real time.
const SETTLE: Duration = Duration::from_secs(60);
/// Entries read from the log at a time.
const PAGE: usize = 5_000;

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
    /// The day with ten times the noise: doors that flap, a motion sensor that chatters, every message three times. The same incidents must come of it, and no more.
    #[arg(long)]
    pub noise: bool,
}

/// Plays the demo.
///
/// # Errors
/// When it cannot be set up. What goes wrong in the day itself is in the exit code and the report.
pub async fn run(options: Options) -> Result<ExitCode> {
    let built = if options.noise { Nursery::noisy(options.seed) } else { Nursery::built_in(options.seed) };
    let mut nursery = built.map_err(|e| miette!("the built-in nursery cannot be played:\n{e}"))?;
    let folder = Folder::new(options.data.as_deref())?;
    let show = Show::open(&nursery, folder.path(), options.headless).await?;
    let narrator = Narrator::new(&nursery, titles(), options.headless);
    if !options.headless {
        show.greet(&nursery);
    }
    let outcome = tokio::select! {
        outcome = show.play(&mut nursery, &narrator) => Some(outcome),
        interrupt = tokio::signal::ctrl_c() => { interrupt.into_diagnostic()?; None }
    };
    narrator.finish();
    let code = match outcome {
        Some(Ok(played)) => {
            if let Some(file) = &options.report {
                write(file, &played.report)?;
            }
            summarise(&played.report, &played.reasons, show.stage.watch.elapsed());
            if !options.headless {
                say!("\n页面继续开放，按 Ctrl-C 结束。/ The pages stay open; Ctrl-C ends the demo.");
                tokio::signal::ctrl_c().await.into_diagnostic()?;
            }
            played.connections.close().await;
            if played.reasons.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Some(Err(reason)) => {
            eprintln!("the day could not be played to its end: {reason}");
            ExitCode::FAILURE
        }
        None if options.headless => {
            eprintln!("interrupted before the end of the day: there is no report");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    };
    let stopped = show.close().await;
    folder.remove();
    stopped.map(|()| code)
}

/// Everything that runs while the day plays.
struct Show {
    platform: tuoan_platform::Running,
    gateway: app::Running,
    far_end: FarEnd,
    stage: Stage,
    receipts: Receipts,
    /// Opens the cameras' pictures.
    viewing: String,
}

/// What a played day leaves.
struct Played {
    report: Report,
    /// Why it did not go as promised; empty when it did.
    reasons: Vec<String>,
    connections: Connections,
}

impl Show {
    async fn open(nursery: &Nursery, folder: &Path, headless: bool) -> Result<Show> {
        let clock = Clock::manual(nursery.utc_ms(nursery.day.from.0.saturating_sub(play::PRELUDE_S)));
        let (watch, receipts, secrets) = (Stopwatch::start(), Receipts::default(), Secrets::draw(nursery));
        let config = platform_config(nursery, &secrets, folder, &clock, &receipts, watch, headless);
        let platform = tuoan_platform::start(config).await.map_err(|e| miette!("the platform does not start: {e}"))?;
        let config = gateway_config(nursery, &secrets, folder, &platform.url(), headless);
        let speed = if headless { 1.0 } else { nursery.speed(SHOW) };
        let gateway = app::start(config, clock.clone(), speed).await?;
        let broker = gateway.mqtt.ok_or_else(|| miette!("the gateway has no broker of its own"))?;
        let bucket = Bucket { org: ORG.to_owned(), bucket: BUCKET.to_owned(), token: secrets.influx };
        let far_end = FarEnd::new(&platform.url(), nursery.site.id.as_str(), &secrets.reader, bucket).map_err(|e| miette!("{e}"))?;
        let pace = (!headless).then_some(SHOW);
        let settle = gateway.settle.clone();
        let stage = Stage { broker, handle: gateway.handle.clone(), clock, passwords: secrets.devices, watch, settle, pace };
        Ok(Show { platform, gateway, far_end, stage, receipts, viewing: secrets.viewing })
    }

    async fn play(&self, nursery: &mut Nursery, narrator: &Narrator) -> Result<Played, String> {
        let (spoken, connections) = play::play(nursery, &self.stage, narrator).await?;
        let evidence = examine(&self.stage.handle, &self.far_end, spoken, &self.receipts, nursery.seed).await?;
        let (staged, natural) = expected(nursery);
        let (report, reasons) = report::judge(evidence, &staged, &natural);
        Ok(Played { report, reasons, connections })
    }

    async fn close(self) -> Result<()> {
        let stopped = self.gateway.stop().await;
        self.platform.shutdown().await;
        stopped
    }

    fn greet(&self, nursery: &Nursery) {
        let (site, devices) = (&nursery.site, nursery.devices.len());
        say!("托安演示：{}（{}{}），{devices} 个设备，一天约三分钟。", site.name, site.district, site.street);
        say!("Tuoan demo: one day of a nursery in about three minutes, {devices} simulated devices, recorded air.\n");
        say!("  机构页面 / institution   http://{}{}", self.gateway.web.address, self.gateway.web.door.one_time_link());
        say!("  区平台 / district        {}", self.platform.login_link());
        say!("  看画面的口令 / for pictures {}", self.viewing);
        say!("  MQTT                     mqtt://{}", self.stage.broker);
        say!("  每个链接只能打开一次。/ Each link signs in once.\n");
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
        frames: spoken.frames,
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
        let (alerts, metrics) =
            blocking(handle, |r| Ok((r.cursor(sinks::platform::NAME, Lane::Alerts)?, r.cursor(sinks::influx::NAME, Lane::Metrics)?)))
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

fn summarise(r: &Report, reasons: &[String], took: Duration) {
    say!(
        "{} messages published, {} acknowledged, {} stored, {} lost, {} duplicated, {} in quarantine; {} camera frames; {} s",
        r.published,
        r.acknowledged,
        r.stored,
        r.lost,
        r.duplicated,
        r.quarantined,
        r.frames,
        took.as_secs()
    );
    say!(
        "{} staged and {} natural hazards; {} unexpected incidents; {} alerts sent, {} at the platform; {} metric points",
        r.staged.len(),
        r.natural.len(),
        r.unexpected,
        r.alerts_sent,
        r.alerts_received,
        r.metrics_points
    );
    say!("alert latency p50 {} ms, p99 {} ms, max {} ms", r.alert_latency_ms.p50, r.alert_latency_ms.p99, r.alert_latency_ms.max);
    for reason in reasons {
        say!("NOT AS PROMISED: {reason}");
    }
}

fn write(file: &Path, report: &Report) -> Result<()> {
    let mut text = serde_json::to_string_pretty(report).into_diagnostic()?;
    text.push('\n');
    std::fs::write(file, text).map_err(|e| miette!("the report cannot be written to {}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::super::scenario::TimeOfDay;
    use super::*;

    /// Eight minutes of the day, too few for the air to break a rule, over real MQTT and real HTTP, with every part that the daemon has.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_fire_in_the_corridor_reaches_the_platform_exactly_once() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut nursery = Nursery::built_in(None).unwrap();
        let day = &mut nursery.day;
        (day.from, day.to) = (TimeOfDay(9 * 3600 + 38 * 60), TimeOfDay(9 * 3600 + 46 * 60));
        day.staged.retain(|s| s.hazard.as_str() == "fire.smoke");
        day.staged.iter_mut().for_each(|s| s.acknowledge = None);
        day.natural.clear();
        day.sweep.clear();
        let folder = tempfile::tempdir().unwrap();
        let show = Show::open(&nursery, folder.path(), true).await.unwrap();
        let narrator = Narrator::new(&nursery, titles(), true);
        let played = show.play(&mut nursery, &narrator).await.unwrap();
        assert_eq!(played.reasons, Vec::<String>::new());
        let r = &played.report;
        assert_eq!((r.staged[0].incidents, r.unexpected, r.lost, r.duplicated, r.quarantined), (1, 0, 0, 0, 0), "{r:?}");
        assert!(r.published > 100 && r.stored == r.published && r.metrics_points > r.published, "{r:?}");
        // Opened and returned; and, because nobody has handled it meanwhile, told again.
        assert!(r.alerts_sent >= 2 && r.alerts_sent == r.alerts_received, "{r:?}");
        assert!(r.alert_latency_ms.p50 > 0.0);
        played.connections.close().await;
        show.close().await.unwrap();
    }
}
