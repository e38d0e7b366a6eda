//! What the README's table of figures says, measured: `cargo run --release -p tuoan-tests --bin bench -- COMMAND`.
//!
//! Each command prints one row per run and the median. Rates, CPU and memory are the gateway's own process (Linux `/proc`); the load runs in this
//! one. Compare figures of one call only: machines are noisy.
use clap::{Parser, Subcommand};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};
use tuoan_tests::harness::process::Process;
use tuoan_tests::harness::servers::Mosquitto;
use tuoan_tests::harness::{free_port, wait_for};

mod cameras;
mod fleet;
mod floor;
mod forward;
mod load;
mod receiver;
mod replayed;
mod search;
mod storage;
mod year;
use load::{Load, Loaded};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// QoS 1 through the embedded broker, acknowledged after the commit; beside it the floor: the same broker library and SQLite, no gateway.
    Embedded {
        #[arg(long, default_value_t = 500)]
        devices: u64,
        #[arg(long, default_value_t = 300_000)]
        count: u64,
        #[arg(long, default_value_t = 50)]
        window: u64,
        #[arg(long, default_value_t = 3)]
        runs: u32,
    },
    /// QoS 1 through a Mosquitto outside.
    Mosquitto {
        #[arg(long, default_value_t = 8)]
        connections: u64,
        #[arg(long, default_value_t = 300_000)]
        count: u64,
        #[arg(long, default_value_t = 3)]
        runs: u32,
    },
    /// From publishing the deciding message to its alert's arrival at a platform, at a steady rate.
    Alerts {
        #[arg(long, default_value_t = 1000)]
        rate: u64,
        #[arg(long, default_value_t = 15_000)]
        count: u64,
        #[arg(long, default_value_t = 3)]
        runs: u32,
        /// Through a Mosquitto instead of the embedded broker.
        #[arg(long)]
        outside: bool,
    },
    /// A simulated year of a site with sixty sensors, each once a minute: 31.5 million samples through the engine, and from a stored log.
    Year {
        #[arg(long, default_value_t = 365)]
        days: i64,
        /// Every sensor is a device of its own: as many messages as samples.
        #[arg(long)]
        single: bool,
        /// Keep the log in this folder; what is there already is replayed.
        #[arg(long)]
        store: Option<std::path::PathBuf>,
    },
    /// Three days cut off: what they take on the disk, how fast what they have left arrives, and a new alert meanwhile.
    Forward(forward::Options),
    /// Finding incidents in a store of 90 days.
    Search(search::Options),
    /// What a day of readings takes on the disk, as they come, in blocks and by the minute.
    Storage(storage::Options),
    /// Cameras beside a load of sensors: what frames cost, and what they do to alarms.
    Cameras(cameras::Options),
    /// Simulated nodes, the firmware's own library over real sockets: what they cost, how long alarms take, and that nothing is lost.
    Fleet(fleet::Options),
    /// The floor itself, as a process (the other commands start it).
    #[command(hide = true)]
    Floor { port: u16, dir: std::path::PathBuf },
}

fn main() {
    match Cli::parse().command {
        Command::Embedded { devices, count, window, runs } => {
            let mut rows: [Vec<Row>; 2] = Default::default();
            println!("| subject | msg/s | CPU s per million | peak MiB |\n|---|---|---|---|");
            for _ in 0..runs {
                rows[0].push(embedded(Subject::Floor, devices, count, window).print("floor"));
                rows[1].push(embedded(Subject::Tuoan, devices, count, window).print("tuoan"));
            }
            let (floor, tuoan) = (Row::median(&rows[0]).print("**floor, median**"), Row::median(&rows[1]).print("**tuoan, median**"));
            println!("\ntuoan/floor: rate {:.2}, CPU {:.2}", tuoan.rate / floor.rate, tuoan.cpu / floor.cpu);
        }
        Command::Mosquitto { connections, count, runs } => {
            println!("| subject | msg/s | CPU s per million | peak MiB |\n|---|---|---|---|");
            let rows: Vec<Row> = (0..runs).map(|_| outside(connections, count).print("tuoan behind Mosquitto")).collect();
            Row::median(&rows).print("**median**");
        }
        Command::Alerts { rate, count, runs, outside } => alerts(rate, count, runs, outside),
        Command::Year { days, single, store } => replayed::year(days, single, store.as_deref()),
        Command::Forward(options) => forward::run(&options),
        Command::Search(options) => search::run(&options),
        Command::Storage(options) => storage::run(&options),
        Command::Cameras(options) => cameras::run(&options),
        Command::Fleet(options) => fleet::run(&options),
        Command::Floor { port, dir } => floor::run(port, &dir),
    }
}

#[derive(Clone, Copy)]
struct Row {
    rate: f64,
    /// CPU seconds per million messages.
    cpu: f64,
    /// MiB.
    peak: f64,
}

impl Row {
    fn new(loaded: Loaded, seconds: f64, process: &Process, cpu_before: f64) -> Row {
        let n = loaded.acknowledged as f64;
        Row { rate: n / seconds, cpu: (process.cpu_seconds() - cpu_before) / n * 1e6, peak: process.memory_kib().1 as f64 / 1024.0 }
    }
    fn print(self, name: &str) -> Row {
        println!("| {name} | {:.0} | {:.1} | {:.1} |", self.rate, self.cpu, self.peak);
        self
    }
    fn median(rows: &[Row]) -> Row {
        let of = |f: fn(&Row) -> f64| median(rows.iter().map(f).collect());
        Row { rate: of(|r| r.rate), cpu: of(|r| r.cpu), peak: of(|r| r.peak) }
    }
}

fn median(mut list: Vec<f64>) -> f64 {
    list.sort_by(f64::total_cmp);
    list.get(list.len() / 2).copied().unwrap_or(f64::NAN)
}

fn runtime_of(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("a runtime")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Site with `devices` devices, each in a zone of its own: every reading over the limit is an alert of its own.
fn site(devices: u64) -> String {
    let mut s = "id = \"site-1\"\nname = \"bench\"\ndistrict = \"bench\"\nstreet = \"bench\"\ninstitution = \"private\"\nsupervisor = \"health\"\nstaff_hours = \"00:00-24:00\"\n".to_owned();
    for i in 0..devices {
        s.push_str(&format!("[[zones]]\nid = \"z{i}\"\nname = \"z{i}\"\nkind = \"office\"\n"));
    }
    for i in 0..devices {
        s.push_str(&format!("[[devices]]\nid = \"dev{i}\"\nzone = \"z{i}\"\nrole = \"climate\"\nperiod_s = 3600\n"));
    }
    s
}

/// Every so-manieth message is over the limit. Prime to the number of devices: a device that stays over the limit is one incident and one alert,
/// so its next reading must be under it.
const ALERT_EVERY: u64 = 21;
const MAPPING: &str = include_str!("mapping.toml");
const RULES: &str = include_str!("../../../bench/subjects/tuoan/rules.toml");

fn setup(devices: u64, outside_broker: Option<u16>) -> Setup {
    Setup { site: site(devices), outside_broker, top: "rules = [\"rules.toml\"]".into(), more: MAPPING.into(), ..Setup::default() }
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("tuoan-bench-").tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("rules.toml"), RULES).expect("rules.toml");
    dir
}

fn plain(port: u16, connections: u64, devices: u64, window: u64, count: u64, first: u64) -> Load {
    Load {
        port,
        login: Some(("bench".into(), PASSWORD.into())),
        connections,
        devices,
        window,
        count,
        rate: 0,
        alert_every: 0,
        first,
        published_at: None,
        start: Instant::now(),
    }
}

enum Subject {
    Floor,
    Tuoan,
}

fn embedded(subject: Subject, devices: u64, count: u64, window: u64) -> Row {
    let dir = folder();
    let measure = |port: u16, process: &Process| {
        let rt = runtime();
        rt.block_on(plain(port, devices, devices, window, count / 10, 0).run()).expect("warm-up");
        let before = process.cpu_seconds();
        let loaded = rt.block_on(plain(port, devices, devices, window, count, count).run()).expect("load");
        Row::new(loaded, loaded.seconds, process, before)
    };
    match subject {
        Subject::Floor => {
            let port = free_port();
            let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
            command.arg("floor").arg(port.to_string()).arg(dir.path());
            let process = Process::start("floor", &mut command, &dir.path().join("floor.log"));
            wait_for("the floor", Duration::from_secs(10), || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
            measure(port, &process)
        }
        Subject::Tuoan => {
            let mut gateway = Gateway::start(dir.path(), &setup(devices, None));
            let port = gateway.mqtt;
            measure(port, gateway.process())
        }
    }
}

fn outside(connections: u64, count: u64) -> Row {
    let dir = folder();
    let mosquitto = Mosquitto::start(dir.path(), "max_queued_messages 0\nmax_inflight_messages 1000\npersistence false");
    let mut gateway = Gateway::start(dir.path(), &setup(200, Some(mosquitto.port)));
    let rt = runtime();
    let stored = |g: &Gateway| g.metric("tuoan_messages_stored_total") as u64;
    subscribed(&rt, &gateway, mosquitto.port);
    let probes = stored(&gateway);
    rt.block_on(plain(mosquitto.port, connections, 200, 200, count / 10, 1_000).run()).expect("warm-up");
    wait_for("the warm-up to be stored", Duration::from_secs(60), || (stored(&gateway) >= probes + count / 10).then_some(()));
    let before = gateway.process().cpu_seconds();
    let begin = Instant::now();
    let loaded = rt.block_on(plain(mosquitto.port, connections, 200, 200, count, count).run()).expect("load");
    wait_for("all to be stored", Duration::from_secs(120), || (stored(&gateway) >= probes + count / 10 + count).then_some(()));
    Row::new(loaded, begin.elapsed().as_secs_f64(), gateway.process(), before)
}

/// Probes until one is stored: what is published before the gateway has subscribed goes to nobody.
fn subscribed(rt: &tokio::runtime::Runtime, gateway: &Gateway, port: u16) {
    let mut seq = 0;
    wait_for("the gateway to subscribe", Duration::from_secs(30), || {
        seq += 1;
        rt.block_on(plain(port, 1, 1, 1, 1, seq).run()).ok()?;
        (gateway.metric("tuoan_messages_stored_total") > 0.0).then_some(())
    });
}

fn alerts(rate: u64, count: u64, runs: u32, outside: bool) {
    println!("| run | alerts | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|");
    let (mut p50s, mut p99s) = (Vec::new(), Vec::new());
    for run in 0..runs {
        let dir = folder();
        let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let start = Instant::now();
        let receiver = rt.block_on(receiver::Receiver::start(start)).expect("a receiver");
        let mosquitto =
            outside.then(|| Mosquitto::start(dir.path(), "max_queued_messages 0\nmax_inflight_messages 1000\npersistence false"));
        let mut setup = setup(200, mosquitto.as_ref().map(|m| m.port));
        setup.platform = Some((receiver.url.clone(), "t".into()));
        setup.influx = Some(receiver.url.clone());
        let gateway = Gateway::start(dir.path(), &setup);
        subscribed(&rt, &gateway, gateway.mqtt);
        rt.block_on(plain(gateway.mqtt, 8, 200, 50, 2_000, 1_000).run()).expect("warm-up");
        let published_at = Arc::new((0..count).map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
        let load = Load {
            rate,
            alert_every: ALERT_EVERY,
            published_at: Some(published_at.clone()),
            start,
            ..plain(gateway.mqtt, 8, 200, 50, count, 1_000_000)
        };
        rt.block_on(load.run()).expect("load");
        let expected = (count / ALERT_EVERY) as usize;
        wait_for("all alerts", Duration::from_secs(30), || (receiver.arrivals().len() >= expected).then_some(()));
        let mut ms: Vec<f64> = receiver
            .arrivals()
            .iter()
            .filter_map(|(n, at)| Some(at.saturating_sub(published_at.get(*n as usize)?.load(Ordering::Relaxed)) as f64 / 1000.0))
            .collect();
        ms.sort_by(f64::total_cmp);
        let q = |p: f64| ms[((ms.len() - 1) as f64 * p) as usize];
        println!("| {run} | {} of {expected} | {:.2} | {:.2} | {:.2} |", ms.len(), q(0.5), q(0.99), q(1.0));
        p50s.push(q(0.5));
        p99s.push(q(0.99));
    }
    println!("| **median** | | {:.2} | {:.2} | |", median(p50s), median(p99s));
}
