//! `tuoan camera-bridge`: run, look for cameras, look at one.
use super::camera::{Camera, Decode, Login, Profile, Source, StreamUrl, siblings};
use super::cause::Cause;
use super::decoder::{Ffmpeg, Launcher};
use super::onvif::{self, discovery};
use super::outlet::{Outlet, Voice};
use super::supervise::{Seen, Session, resolve};
use crate::clock::{Clock, Stopwatch};
use crate::config::{self, Secret};
use crate::metrics::Metrics;
use crate::say;
use miette::{IntoDiagnostic, Result, miette};
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Frames that a look takes, and how long at most it waits for the first.
const LOOK_FRAMES: u64 = 5;
const LOOK: Duration = Duration::from_secs(25);
/// How often the running bridge says how it is.
const REPORT: Duration = Duration::from_secs(600);

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Sub>,
    /// bridge.toml: the broker and the cameras; docs/cameras.md describes it.
    #[arg(long, required = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    /// Looks for ONVIF cameras on the network.
    Probe {
        /// The box's own address on the cameras' network, where it has several.
        #[arg(long, default_value = "0.0.0.0")]
        from: IpAddr,
        /// Seconds to wait for answers.
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
        seconds: u64,
    },
    /// Says what a camera sends and how it would be decoded. No picture is stored or shown.
    Check {
        /// rtsp://HOST/PATH, or HOST of an ONVIF camera, or with --config a camera's id.
        target: String,
        #[arg(long)]
        user: Option<String>,
        /// File with the password; - for standard input. It is not taken from the command line, where every user of the box could read it.
        #[arg(long)]
        password_file: Option<PathBuf>,
        /// Pixels that a frame is wide at most.
        #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(160..=1920))]
        width: u16,
        /// Who decodes: auto, software, vaapi, qsv, cuda, rkmpp or v4l2m2m.
        #[arg(long, default_value = "auto")]
        decode: String,
        /// bridge.toml, or the gateway's configuration.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Confines and becomes a decoder; for the bridge's own use.
    #[command(hide = true)]
    Decoder(super::confine::Args),
}

/// # Errors
/// A wrong configuration, or a system that does not do what is asked.
pub fn main(args: Args) -> Result<ExitCode> {
    // No other thread may run when the process becomes a decoder.
    if let Some(Sub::Decoder(args)) = &args.command {
        return Ok(super::confine::exec(args));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().into_diagnostic()?;
    let code = runtime.block_on(async {
        match args.command {
            Some(Sub::Probe { from, seconds }) => probe(from, Duration::from_secs(seconds)).await,
            Some(Sub::Check { target, user, password_file, width, decode, config }) => {
                let camera = match config {
                    Some(file) => configured(&file, &target)?,
                    None => given(&target, user, password_file, width, &decode)?,
                };
                check(camera).await
            }
            Some(Sub::Decoder(_)) => Ok(ExitCode::FAILURE),
            None => run(&args.config.ok_or_else(|| miette!("name the configuration: --config bridge.toml"))?).await,
        }
    })?;
    Ok(code)
}

async fn run(file: &Path) -> Result<ExitCode> {
    let config = config::bridge::load(file)?;
    let (stop, metrics) = (CancellationToken::new(), Arc::new(Metrics::new()));
    let mut cameras = Vec::new();
    for camera in config.cameras {
        let voice = Voice::new(config.site.clone(), camera.id.clone());
        cameras.push((camera, Outlet::broker(voice, &config.broker, config.qos).into_diagnostic()?));
    }
    let names: Vec<String> = cameras.iter().map(|(c, _)| c.id.to_string()).collect();
    tracing::info!("{} camera(s): {}; broker {}", names.len(), names.join(", "), config.broker.url);
    let launcher = Launcher::confined();
    let mut tasks = super::start(cameras, &launcher, &metrics, &Clock::System, &stop);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).into_diagnostic()?;
    let mut report = tokio::time::interval(REPORT);
    report.tick().await;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
            _ = report.tick() => names.iter().for_each(|n| tracing::info!("{}", metrics.bridge_report(n))),
        }
    }
    tracing::info!("stopping");
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    names.iter().for_each(|n| tracing::info!("{}", metrics.bridge_report(n)));
    Ok(ExitCode::SUCCESS)
}

async fn probe(from: IpAddr, wait: Duration) -> Result<ExitCode> {
    let found = discovery::probe(discovery::GROUP, from, wait).await;
    let found = found.map_err(|e| miette!("cameras cannot be asked: {e}; name the box's own address on their network with --from"))?;
    for c in &found {
        say!("{}\t{}\t{}\t{}", c.address, c.name, c.hardware, c.service);
    }
    eprintln!("{} camera(s) answered; `tuoan camera-bridge check HOST --user U --password-file F` looks at one", found.len());
    if found.is_empty() {
        eprintln!(
            "ONVIF must be turned on in a camera's own network settings, often with a user of its own; it answers only on its own network"
        );
    }
    Ok(if found.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A camera of a configuration.
fn configured(file: &Path, id: &str) -> Result<Camera> {
    let cameras = config::bridge::cameras_of(file)?;
    let names: Vec<String> = cameras.iter().map(|c| c.id.to_string()).collect();
    let found = cameras.into_iter().find(|c| c.id.as_str() == id);
    found.ok_or_else(|| miette!("{} has no camera {id:?}; it has {}", file.display(), names.join(", ")))
}

fn given(target: &str, user: Option<String>, password_file: Option<PathBuf>, width: u16, decode: &str) -> Result<Camera> {
    let source = if target.contains("://") {
        Source::Url(StreamUrl::new(target).map_err(|e| miette!("the address {e}"))?)
    } else {
        Source::Onvif { host: target.to_owned() }
    };
    let login = match (user, password_file) {
        (None, None) => None,
        (Some(user), Some(file)) => {
            let mut text = String::new();
            let read = if file == Path::new("-") {
                std::io::stdin().lock().read_to_string(&mut text).map(drop)
            } else {
                std::fs::read_to_string(&file).map(|t| text = t)
            };
            read.map_err(|e| miette!("{}: {e}", file.display()))?;
            Some(Login { user, password: Secret::new(text.trim()) })
        }
        _ => return Err(miette!("give both --user and --password-file (- for standard input), or neither")),
    };
    let decode = serde::Deserialize::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(decode));
    let decode: Decode = decode.map_err(|e| miette!("--decode: {e}"))?;
    let id = tuoan_protocol::DeviceId::new("check").map_err(|e| miette!("{e}"))?;
    Ok(Camera { id, source, login, profile: Profile::Smallest, fps: 2.0, width, decode, stall: Duration::from_secs(10) })
}

/// Looks at a camera and prints what is there. The exit code is 0 when frames come.
async fn check(camera: Camera) -> Result<ExitCode> {
    let ffmpeg = match Ffmpeg::find(Path::new(super::FFMPEG)).await {
        Ok(f) => f,
        Err(e) => {
            say!("BAD   {e}");
            return Ok(ExitCode::FAILURE);
        }
    };
    say!("ffmpeg   {}", ffmpeg.version);
    if let Source::Onvif { host } = &camera.source {
        match profiles(host, &camera).await {
            Ok(()) => {}
            Err(e) => {
                say!("BAD      {e}");
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let url = match resolve(&camera).await {
        Ok((url, _)) => url,
        Err(e) => {
            say!("BAD      {e}");
            return Ok(ExitCode::FAILURE);
        }
    };
    say!("stream   {url}");
    let launcher = Launcher::confined();
    let mut tried = Vec::new();
    let mut codec: Option<String> = None;
    let mut result = Err(Cause::Ended);
    // At most each way once, and once more when the codec is known.
    for _ in 0..8 {
        let way = ffmpeg.ways(camera.decode, codec.as_deref()).into_iter().find(|w| !tried.contains(w)).unwrap_or(Decode::Software);
        let looked = look(&launcher, &ffmpeg, &camera, &url, way, codec.as_deref()).await;
        let learnt = looked.seen.stream.as_ref().map(|s| s.codec.clone());
        let better = codec.is_none() && learnt.is_some() && {
            codec = learnt;
            ffmpeg.ways(camera.decode, codec.as_deref()).into_iter().find(|w| !tried.contains(w)) != Some(way)
        };
        let works = looked.ended.is_none() && !looked.seen.no_hardware;
        if way != Decode::Software && !works {
            say!("hardware {} does not work here", way.as_str());
            tried.push(way);
        } else if !(better && works) {
            result = match looked.ended {
                None => Ok((looked, way)),
                Some(cause) => Err(cause),
            };
            break;
        }
    }
    let code = match result {
        Ok((looked, way)) => {
            let stream = looked.seen.stream.unwrap_or_default();
            let fps = stream.fps.map_or_else(|| "unknown".to_owned(), |f| format!("{f}"));
            say!(
                "codec    {}\nsize     {}x{}\nrate     {fps} frames/s, by the stream's own word",
                stream.codec,
                stream.width,
                stream.height
            );
            say!("decoded  by {}", way.as_str());
            say!(
                "frames   {} in {:.1} s, the first after {:.1} s; sent {}x{}",
                looked.seen.frames,
                looked.took,
                looked.first,
                looked.sent.0,
                looked.sent.1
            );
            if looked.seen.damaged + looked.seen.broken > 0 {
                say!("note     {} damaged: is the network good enough?", looked.seen.damaged + looked.seen.broken);
            }
            if stream.width > u32::from(camera.width) * 3 {
                say!("note     much wider than the {} pixels that are wanted: name the sub-stream", camera.width);
            }
            ExitCode::SUCCESS
        }
        Err(cause) => {
            say!("BAD      {cause}");
            // A refused login must not be repeated.
            if matches!(cause, Cause::Refused) {
                return Ok(ExitCode::FAILURE);
            }
            ExitCode::FAILURE
        }
    };
    for other in siblings(&url).into_iter().filter(|o| *o != url) {
        let looked = look(&launcher, &ffmpeg, &camera, &other, Decode::Software, None).await;
        match (looked.seen.stream, looked.ended) {
            (Some(s), _) => say!("beside   {other}: {} {}x{}", s.codec, s.width, s.height),
            (None, Some(cause)) => say!("beside   {other}: {}", cause.key()),
            (None, None) => {}
        }
    }
    Ok(code)
}

struct Looked {
    seen: Seen,
    /// `None`: frames came.
    ended: Option<Cause>,
    /// Seconds.
    first: f64,
    took: f64,
    sent: (u16, u16),
}

async fn look(launcher: &Launcher, ffmpeg: &Ffmpeg, camera: &Camera, url: &StreamUrl, way: Decode, codec: Option<&str>) -> Looked {
    let mut looked = Looked { seen: Seen::default(), ended: None, first: 0.0, took: 0.0, sent: (0, 0) };
    let watch = Stopwatch::start();
    let decoder = match launcher.start(ffmpeg, camera, url, way, codec).await {
        Ok(decoder) => decoder,
        Err(cause) => return Looked { ended: Some(cause), ..looked },
    };
    let mut session = Session::new(decoder, camera, LOOK);
    while looked.ended.is_none() && session.seen.frames < LOOK_FRAMES {
        match session.next(&Clock::System).await {
            Ok(jpeg) => looked.sent = (jpeg.width, jpeg.height),
            Err(cause) => looked.ended = Some(cause),
        }
        looked.took = watch.elapsed().as_secs_f64();
        if session.seen.frames == 1 {
            looked.first = looked.took;
        }
    }
    looked.seen = session.close().await;
    looked
}

async fn profiles(host: &str, camera: &Camera) -> Result<(), Cause> {
    let device = onvif::Device::connect(host, camera.login.as_ref()).await?;
    if let Ok(about) = device.about().await {
        let text = |t: Option<String>| t.unwrap_or_default();
        say!("camera   {} {} {}", text(about.make), text(about.model), text(about.firmware));
    }
    let list = device.profiles().await?;
    let chosen = onvif::choose(&list, &camera.profile, camera.width)?.token.clone();
    for p in &list {
        let fps = p.fps.map(|f| format!(", {f} frames/s")).unwrap_or_default();
        say!(
            "profile  {} {} {} {}x{}{fps}{}",
            p.token,
            p.name,
            p.encoding,
            p.width,
            p.height,
            if p.token == chosen { "  <- chosen" } else { "" }
        );
    }
    Ok(())
}
