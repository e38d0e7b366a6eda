//! `tuoan-node-sim`: runs the fleet and prints its figures as one JSON object.
use clap::Parser;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::sync::watch;
use tokio::time::Duration;
use tuoan_node::link::pin::Pin;
use tuoan_node_sim::board::Firmware;
use tuoan_node_sim::fleet::{Accounts, Options, run_tcp};
use tuoan_node_sim::script::Script;
use tuoan_protocol::SiteId;

/// Simulated sensor nodes: the firmware's own library over simulated chips and real MQTT connections.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Broker of the gateway.
    #[arg(long, default_value = "127.0.0.1:1883")]
    broker: SocketAddr,
    #[arg(long)]
    site: String,
    #[arg(long, default_value_t = 50)]
    nodes: usize,
    /// The broker's user under which all nodes connect; with --password-file.
    #[arg(long, requires = "password_file")]
    user: Option<String>,
    /// File that holds that user's password.
    #[arg(long, requires = "user", conflicts_with = "accounts")]
    password_file: Option<PathBuf>,
    /// Enrolment list instead: a line `device password` for each node.
    #[arg(long, required_unless_present = "password_file")]
    accounts: Option<PathBuf>,
    /// The gateway's public key, `p256.` and 66 digits, as it stands at the end of a credential: the nodes speak TLS, and to its holder alone.
    #[arg(long)]
    pin: Option<String>,
    /// The day to play (docs/fleet.md); a nursery's weekday without it.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Seconds of the day in a second. The nodes' own clocks and periods stay as they are.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds to work; then what waits is sent.
    #[arg(long, default_value_t = 60)]
    work_s: u64,
    /// Seconds that sending what waits may take at the end.
    #[arg(long, default_value_t = 30)]
    drain_s: u64,
    /// Seconds over which the nodes start; by default 200 nodes a second.
    #[arg(long)]
    ramp_s: Option<u64>,
    /// Milliseconds between two looks at an input. A board does every 5 ms; that is much for thousands on one processor.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    poll_ms: u32,
    /// Signed image that nodes leave the factory with: those of the kind that its header names as the board. For each kind that is to be updated.
    #[arg(long, requires = "firmware_key")]
    firmware: Vec<PathBuf>,
    /// Public key of `tuoan firmware key` that they are built with, 64 hexadecimal digits.
    #[arg(long, value_parser = public_key)]
    firmware_key: Vec<[u8; 32]>,
    /// Seconds that an image on trial has in each start to find the gateway.
    #[arg(long, default_value_t = 120)]
    trial_s: u64,
    /// Also write what each node sent, as JSON.
    #[arg(long)]
    nodes_file: Option<PathBuf>,
}

fn public_key(text: &str) -> Result<[u8; 32], String> {
    let digit = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(digit).collect();
    let key = bytes.filter(|_| text.len() == 64).and_then(|b| b.try_into().ok());
    key.ok_or_else(|| "a public key has 64 hexadecimal digits".to_owned())
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing was lost.
fn run(cli: &Cli) -> Result<bool, String> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
    let script = match &cli.script {
        Some(path) => Script::parse(&read(path)?).map_err(|e| format!("{}: {e}", path.display()))?,
        None => Script::weekday().map_err(|e| e.to_string())?,
    };
    let accounts = match (&cli.accounts, &cli.user, &cli.password_file) {
        (Some(path), ..) => Accounts::read(&read(path)?).map_err(|e| format!("{}: {e}", path.display()))?,
        (None, Some(user), Some(path)) => Accounts::One { user: user.clone(), password: read(path)?.trim_end().to_owned() },
        _ => return Err("say --accounts, or --user and --password-file".to_owned()),
    };
    let wrong = "--pin: the gateway's key is `p256.` and 66 hexadecimal digits, the last word of what the set-up page shows";
    let pin = cli.pin.as_deref().map(|text| Pin::parse(text).ok_or_else(|| wrong.to_owned()));
    let file = |path: &PathBuf| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let factory = cli.firmware.iter().map(file).collect::<Result<_, _>>()?;
    let options = Options {
        site: SiteId::new(&cli.site).map_err(|e| format!("--site: {e}"))?,
        nodes: cli.nodes,
        accounts,
        pin: pin.transpose()?,
        script,
        speed: cli.speed,
        seed: cli.seed,
        work: Duration::from_secs(cli.work_s),
        drain: Duration::from_secs(cli.drain_s),
        ramp: Duration::from_secs(cli.ramp_s.unwrap_or(cli.nodes as u64 / 200)),
        poll_ms: cli.poll_ms,
        utc_ms: now(),
        firmware: Firmware { factory, keys: cli.firmware_key.clone(), trial_ms: cli.trial_s.saturating_mul(1000) },
    };
    let (stop, stopped) = watch::channel(false);
    stop_on_signal(stop);
    let (report, nodes) = run_tcp(&options, cli.broker, stopped).map_err(|e| e.to_string())?;
    if let Some(path) = &cli.nodes_file {
        let text = serde_json::to_string(&nodes).map_err(|e| e.to_string())?;
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    println!("{}", serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?);
    Ok(report.waiting == 0 && report.lost == 0 && report.given_up == 0 && report.malformed == 0)
}

/// Ctrl-C ends the work; what waits is still sent.
fn stop_on_signal(stop: watch::Sender<bool>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime
            && runtime.block_on(tokio::signal::ctrl_c()).is_ok()
        {
            let _ = stop.send(true);
        }
        // The channel stays open: its end would mean nothing.
        loop {
            std::thread::park();
        }
    });
}

/// Milliseconds since 1970: the process's one look at the clock.
#[allow(clippy::disallowed_methods, reason = "the simulated world's clock is set once, here")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
