//! Cameras beside alarms: the same gateway, load and alerts without frames, with them, and without again.
//!
//! The frames are those of `gateway/demo-data/cameras/walk`, filmed at one a second; each camera begins elsewhere in the clip. At other rates the people
//! in it walk faster or slower, which moves the share of frames that the motion gate lets through.
use super::load::Load;
use super::receiver::Receiver;
use super::{MAPPING, folder, plain, site};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup, get};
use tuoan_tests::harness::mqtt::Sender;
use tuoan_tests::harness::wait_for;

/// As [`super::ALERT_EVERY`], for sixty sensors.
const ALERT_EVERY: u64 = 23;

/// What is measured.
#[derive(clap::Args)]
pub struct Options {
    #[arg(long, default_value_t = 8)]
    cameras: u64,
    /// Frames a second of each camera.
    #[arg(long, default_value_t = 1.0)]
    fps: f64,
    /// Sensors, each once a second.
    #[arg(long, default_value_t = 60)]
    sensors: u64,
    /// Of each of the three phases.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// "embedded" for tract, or ONNX Runtime's library.
    #[arg(long, default_value = "embedded")]
    runtime: String,
    /// Also with the models competing with everything else, for comparison.
    #[arg(long)]
    without_idle: bool,
    #[arg(long)]
    workers: Option<u8>,
}

pub fn run(options: &Options) {
    let clip = clip();
    println!("{} cameras at {} fps, {} sensors, {}", options.cameras, options.fps, options.sensors, options.runtime);
    println!(
        "| models under | phase | alerts | alert p50 ms | p99 ms | PUBACK p50 ms | p99 ms | CPU % | RSS MiB: first, half, last |\n|---|---|---|---|---|---|---|---|---|"
    );
    for idle in [true, false].into_iter().filter(|idle| *idle || options.without_idle) {
        measure(options, idle, &clip);
    }
}

fn clip() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/demo-data/cameras/walk");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).expect("the clip").flatten().map(|e| e.path()).collect();
    files.sort();
    files.iter().map(|f| std::fs::read(f).expect("a frame")).collect()
}

fn measure(options: &Options, idle: bool, clip: &[Vec<u8>]) {
    let dir = folder();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let start = Instant::now();
    let receiver = runtime.block_on(Receiver::start(start)).expect("a receiver");
    let mut text = site(options.sensors);
    for n in 0..options.cameras {
        text.push_str(&format!("[[zones]]\nid = \"c{n}\"\nname = \"c{n}\"\nkind = \"activity\"\n"));
    }
    for n in 0..options.cameras {
        text.push_str(&format!("[[devices]]\nid = \"cam-{n}\"\nzone = \"c{n}\"\nrole = \"camera\"\n"));
    }
    for n in 0..options.cameras {
        let rate = ((options.fps * 10.0).round() as u64).clamp(2, 100);
        text.push_str(&format!(
            "[[cameras]]\ndevice = \"cam-{n}\"\nframes_per_10s = {rate}\n\
             areas = [{{ kind = \"room\", corners = [[0, 0], [1000, 0], [1000, 1000], [0, 1000]] }}]\n"
        ));
    }
    let workers = options.workers.map_or(String::new(), |n| format!("workers = {n}\n"));
    let setup = Setup {
        site: text,
        platform: Some((receiver.url.clone(), "t".into())),
        top: "rules = [\"rules.toml\"]".into(),
        more: format!("{MAPPING}\n[runtime]\nonnxruntime = \"{}\"\n[vision]\nidle = {idle}\n{workers}", options.runtime),
        ..Setup::default()
    };
    let mut gateway = Gateway::start(dir.path(), &setup);
    if options.cameras > 0 {
        wait_for("the models to be loaded", Duration::from_secs(120), || (gateway.metric("tuoan_vision_workers") > 0.0).then_some(()));
    }
    runtime.block_on(plain(gateway.mqtt, 8, options.sensors, 50, 600, 1_000).run()).expect("warm-up");

    let class = if idle { "SCHED_IDLE" } else { "SCHED_OTHER" };
    let mut phases = Vec::new();
    for (number, name, cameras) in [(1, "before", false), (2, "with frames", true), (3, "after", false)] {
        let before = Totals::read(&gateway);
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = if cameras { senders(options, gateway.mqtt, clip, &stop) } else { Vec::new() };
        let probe = probe(gateway.mqtt, number, &stop);
        let count = options.sensors * options.seconds;
        let published_at = Arc::new((0..count).map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
        let since = start.elapsed().as_micros() as u64;
        let load = Load {
            rate: options.sensors,
            alert_every: ALERT_EVERY,
            published_at: Some(published_at.clone()),
            start,
            ..plain(gateway.mqtt, 8, options.sensors, 50, count, number * 10_000_000)
        };
        let (cpu, begin) = (gateway.process().cpu_seconds(), Instant::now());
        let (pid, ended) = (gateway.process().pid(), Arc::clone(&stop));
        let memory = std::thread::spawn(move || memory(pid, &ended));
        runtime.block_on(load.run()).expect("load");
        let cpu = (gateway.process().cpu_seconds() - cpu) / begin.elapsed().as_secs_f64() * 100.0;
        stop.store(true, Ordering::Release);
        senders.into_iter().for_each(|s| s.join().expect("a camera"));
        let (pubacks, memory) = (probe.join().expect("the probe"), memory.join().expect("the memory"));
        let expected = (count / ALERT_EVERY) as usize;
        // What has not come ten seconds later is missing in the table.
        let waited = Instant::now();
        let alerts = loop {
            let list = latencies(&receiver, since, &published_at);
            if list.len() >= expected || waited.elapsed() > Duration::from_secs(10) {
                break list;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        let of = |list: &[f64], share: f64| list.get(((list.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN);
        let at = |share: f64| of(&memory, share);
        println!(
            "| {class} | {name} | {} of {expected} | {:.2} | {:.2} | {:.2} | {:.2} | {cpu:.0} | {:.0}, {:.0}, {:.0} |",
            alerts.len(),
            of(&alerts, 0.5),
            of(&alerts, 0.99),
            of(&pubacks, 0.5),
            of(&pubacks, 0.99),
            at(0.0),
            at(0.5),
            at(1.0)
        );
        phases.push((of(&alerts, 0.5), of(&alerts, 0.99), of(&pubacks, 0.99)));
        if cameras {
            Totals::read(&gateway).since(&before).print(&gateway, options);
        }
    }
    if let [before, with, after] = phases.as_slice() {
        let ratio = |f: fn(&(f64, f64, f64)) -> f64| f(with) / ((f(before) + f(after)) / 2.0);
        println!("\nwith frames / without: alert p50 {:.2}, p99 {:.2}, PUBACK p99 {:.2}\n", ratio(|p| p.0), ratio(|p| p.1), ratio(|p| p.2));
    }
}

/// Each camera publishes at its rate, none at the same moment as another.
fn senders(options: &Options, port: u16, clip: &[Vec<u8>], stop: &Arc<AtomicBool>) -> Vec<std::thread::JoinHandle<()>> {
    let period = Duration::from_secs_f64(1.0 / options.fps);
    let camera = |n: u64| {
        let (clip, stop) = (clip.to_vec(), Arc::clone(stop));
        let offset = period.mul_f64(n as f64 / options.cameras as f64);
        std::thread::spawn(move || {
            let mut sender = Sender::connect(port, &format!("cam-{n}"), Some(("bench", PASSWORD))).expect("a camera connects");
            let begin = Instant::now() + offset;
            for frame in 0.. {
                let due = begin + period * frame;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let jpeg = &clip[(frame as usize + 17 * n as usize) % clip.len()];
                sender.publish_and_wait(&format!("tuoan/v1/site-1/cam-{n}/frame"), jpeg).expect("a frame is taken");
            }
        })
    };
    (0..options.cameras).map(camera).collect()
}

/// Milliseconds from publishing a reading to its PUBACK, twenty a second, sorted.
fn probe(port: u16, phase: u64, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<Vec<f64>> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut sender = Sender::connect(port, "probe", Some(("bench", PASSWORD))).expect("the probe connects");
        let (mut list, mut seq) = (Vec::new(), phase * 1_000_000);
        while !stop.load(Ordering::Acquire) {
            seq += 1;
            let payload = format!(
                "{{\"v\":1,\"site\":\"site-1\",\"device\":\"probe\",\"boot\":1,\"seq\":{seq},\"uptime\":{seq},\"readings\":{{\"humidity\":40}}}}"
            );
            let begin = Instant::now();
            sender.publish_and_wait("tuoan/v1/site-1/probe/telemetry", payload.as_bytes()).expect("a reading is stored");
            list.push(begin.elapsed().as_secs_f64() * 1000.0);
            std::thread::sleep(Duration::from_millis(50));
        }
        list.sort_by(f64::total_cmp);
        list
    })
}

/// Resident MiB, once a second.
fn memory(pid: u32, stop: &AtomicBool) -> Vec<f64> {
    let mut list = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let kib = text.lines().find_map(|l| l.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
        list.extend(kib.map(|k| k / 1024.0));
        std::thread::sleep(Duration::from_secs(1));
    }
    list
}

/// Milliseconds from publishing the deciding reading to its alert's arrival, sorted. The numbers of messages begin anew with each phase, so only what
/// has arrived since it began counts.
fn latencies(receiver: &Receiver, since: u64, published_at: &[AtomicU64]) -> Vec<f64> {
    let arrived = receiver.every().into_iter().filter(|(_, at)| *at >= since);
    let mut ms: Vec<f64> = arrived
        .filter_map(|(n, at)| {
            let published = published_at.get(n as usize)?.load(Ordering::Relaxed);
            (published > 0).then(|| at.saturating_sub(published) as f64 / 1000.0)
        })
        .collect();
    ms.sort_by(f64::total_cmp);
    ms
}

/// What the gateway has counted.
#[derive(Clone, Copy, Default)]
struct Totals {
    frames: f64,
    looked: f64,
    still: f64,
    dropped: f64,
    failed: f64,
    decode: f64,
    check: f64,
    look: f64,
    scene: f64,
}

impl Totals {
    fn read(gateway: &Gateway) -> Totals {
        let text = metrics(gateway);
        let stage = |name: &str| labelled(&text, "tuoan_vision_seconds_total", &format!("stage=\"{name}\""));
        let count = |name: &str| labelled(&text, name, "");
        Totals {
            frames: count("tuoan_frames_received_total"),
            looked: count("tuoan_frames_looked_total"),
            still: count("tuoan_frames_still_total"),
            dropped: count("tuoan_frames_dropped_total"),
            failed: count("tuoan_looks_failed_total"),
            decode: stage("decode"),
            check: stage("check"),
            look: stage("look"),
            scene: stage("scene"),
        }
    }
    fn since(self, b: &Totals) -> Totals {
        Totals {
            frames: self.frames - b.frames,
            looked: self.looked - b.looked,
            still: self.still - b.still,
            dropped: self.dropped - b.dropped,
            failed: self.failed - b.failed,
            decode: self.decode - b.decode,
            check: self.check - b.check,
            look: self.look - b.look,
            scene: self.scene - b.scene,
        }
    }
    fn print(self, gateway: &Gateway, options: &Options) {
        let text = metrics(gateway);
        let lag = |quantile: &str| {
            let of = (0..options.cameras)
                .map(|n| labelled(&text, "tuoan_camera_lag_seconds", &format!("camera=\"cam-{n}\",quantile=\"{quantile}\"")));
            of.fold(0.0, f64::max) * 1000.0
        };
        let each = |total: f64, n: f64| total / n.max(1.0) * 1000.0;
        let (decode, check) = (each(self.decode, self.frames), each(self.check, self.frames));
        let (look, scene) = (each(self.look, self.looked), each(self.scene, self.looked));
        let outside = (decode + check + scene) / (decode + check + scene + look) * 100.0;
        println!(
            "\nframes {:.0}: looked at {:.0} ({:.0} %), nothing moved in {:.0}, replaced {:.0}, failed {:.0}; overloaded now: {}",
            self.frames,
            self.looked,
            self.looked / self.frames.max(1.0) * 100.0,
            self.still,
            self.dropped,
            self.failed,
            labelled(&text, "tuoan_vision_overloaded", "") > 0.0
        );
        println!(
            "a frame: decode {decode:.1} ms, check {check:.1}; a look: models {look:.1} ms, scene {scene:.2}; outside the models {outside:.0} %"
        );
        println!("lag of the slowest camera: p50 {:.0} ms, p95 {:.0} ms\n", lag("0.5"), lag("0.95"));
    }
}

fn metrics(gateway: &Gateway) -> String {
    get(&format!("http://127.0.0.1:{}/metrics", gateway.web)).map(|(_, text)| text).unwrap_or_default()
}

/// The sum of the samples of that name whose labels hold `label`.
fn labelled(text: &str, name: &str, label: &str) -> f64 {
    let samples = text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.rsplit_once(' '));
    let of = samples.filter(|(n, _)| n.split('{').next() == Some(name) && n.contains(label));
    of.filter_map(|(_, v)| v.parse::<f64>().ok()).sum()
}
