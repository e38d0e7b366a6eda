//! The command line of the gateway.
use clap::{Parser, Subcommand};
use miette::{IntoDiagnostic, Result, miette};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tuoan::clock::Clock;
use tuoan::decode::mapping::{Mapping, MappingSpec};
use tuoan::decode::{Decoders, report};
use tuoan::engine::rules;
use tuoan::runtime::Choice;
use tuoan::setup::files;
use tuoan::setup::serve::FirstRun;
use tuoan::store::{IncidentFilter, Reader};
use tuoan::{alarms, app, bridge, config, demo, detect_files, doctor, drill, evidence, models, nodes, notify, replay, say, vision_files};

#[derive(Parser)]
#[command(name = "tuoan", version, about = "Safety gateway for nurseries (托安)")]
struct Cli {
    /// Without one: as `run` without a configuration.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Plays a nursery's day on recorded data: broker, gateway, district platform and devices in one process.
    Demo(demo::Options),
    /// Runs the gateway until SIGTERM or Ctrl-C.
    ///
    /// Without a configuration the data folder's `tuoan.toml` is used; while there is none, a first page asks for what it needs and writes it.
    Run {
        #[arg(long)]
        config: Option<PathBuf>,
        /// Folder of the database, instead of the configuration's. Without a configuration: /var/lib/tuoan for root, else $XDG_DATA_HOME/tuoan.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Where a box that is not set up yet serves its first page, and later the gateway's.
        #[arg(long, default_value = "0.0.0.0:8080")]
        listen: SocketAddr,
        /// Where its broker will listen.
        #[arg(long, default_value = "0.0.0.0:1883")]
        mqtt: SocketAddr,
    },
    /// Says what is wrong and how to mend it.
    Doctor {
        #[arg(long)]
        config: PathBuf,
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Scores recorded series for anomalies: every CSV `timestamp,value` below a folder, as a stream.
    Detect {
        #[arg(long)]
        input: PathBuf,
        /// Folder for the results: the same relative paths, with `anomaly_score` from 0 to 1; 0.5 is an alarm, expected once a week.
        #[arg(long)]
        output: PathBuf,
    },
    /// What is seen on pictures and videos: people, how they hold themselves, faces, and whether the picture can be trusted.
    ///
    /// Read are jpg, png, gif, and H.264 in mp4, m4v or mov; of a folder all of these in it, by name. The exit code is 1 when a file could not be read;
    /// the others are looked at all the same.
    Vision {
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// One JSON object a frame instead of text; places are in pixels.
        #[arg(long)]
        json: bool,
        /// Frames a second taken from GIFs and videos, instead of all.
        #[arg(long, value_parser = fps)]
        fps: Option<f64>,
        /// Folder for the pictures with what was seen drawn on them, all faces covered.
        #[arg(long, value_name = "DIR")]
        overlay: Option<PathBuf>,
        /// ONNX Runtime's shared library, or "embedded". Without it, as the daemon would choose.
        #[arg(long, value_name = "FILE")]
        onnxruntime: Option<PathBuf>,
    },
    /// Replays a log: the same rules must give the same incidents, bit for bit; other rules (--rules) show what would have been otherwise.
    Replay(replay::cli::ReplayArgs),
    /// How good the alarms are: rates, floods, chattering and stale alarms, false shares, answers against targets, and what to change.
    Stats(alarms::cli::Args),
    /// Rule packs.
    #[command(subcommand)]
    Rules(Rules),
    /// What becomes of recorded MQTT messages: for each line the decoder that took it and what it read, or why none did.
    ///
    /// A line is {"topic":"..","payload":".."}; any JSON value may stand as the payload, for its own text, or payload_base64 for bytes; "retained"
    /// may be true. The lines are one session, in order. The exit code is 0 when every message was understood, 1 when one was not, and 2 when a
    /// line was no message or the file could not be read.
    Decode {
        /// One message a line; - for standard input.
        file: PathBuf,
        /// One JSON object for each line instead of text.
        #[arg(long)]
        json: bool,
        /// Mappings: a TOML file with [[mapping]] tables (the gateway's configuration is one), or a folder of such files.
        #[arg(long)]
        mappings: Option<PathBuf>,
    },
    /// Network cameras (RTSP, ONVIF) to frames on MQTT.
    CameraBridge(bridge::cli::Args),
    /// Messages that nobody understood.
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Stages a hazard in earnest but for the mark that it is a drill, times every step and writes the report.
    Drill(drill::Args),
    /// Incidents in the database.
    #[command(subcommand)]
    Incidents(Incidents),
    /// Evidence about an incident that proves itself.
    #[command(subcommand)]
    Evidence(evidence::cli::Command),
    /// Devices of the embedded broker.
    #[command(subcommand)]
    Device(Device),
    /// Firmware of the sensor nodes: keys, signed files, and getting them onto the nodes.
    #[command(subcommand)]
    Firmware(nodes::cli::Firmware),
    /// Messages to people.
    #[command(subcommand)]
    Notify(notify::command::Command),
    /// The learned models.
    #[command(subcommand)]
    Model(Model),
    /// What runs the models, how long each takes for a frame, for how many cameras that is enough, and how to get the faster backend.
    Runtime(models::report::ReportArgs),
}

#[derive(Subcommand)]
enum Model {
    /// Runs a model and holds its answers to golden.json beside it; without a folder, all that are built in.
    Check(models::check::CheckArgs),
}

#[derive(Subcommand)]
enum Rules {
    /// Checks rule packs and runs the test cases inside them; without files, the built-in packs.
    Check { files: Vec<PathBuf> },
    /// Expected incidents a week on the site's own history, with the worst offenders, before a pack or an override is switched on.
    Backtest(replay::cli::BacktestArgs),
}

#[derive(Subcommand)]
enum Quarantine {
    /// One line each, newest first.
    List {
        #[arg(long)]
        data: PathBuf,
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// One message whole.
    Show {
        id: u64,
        #[arg(long)]
        data: PathBuf,
    },
    /// Puts messages through the decoders again; those that are understood now are stored and leave the quarantine. The gateway must not be running.
    Replay {
        /// Numbers; without any, all of them.
        ids: Vec<u64>,
        #[arg(long)]
        config: PathBuf,
        #[arg(long)]
        data: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
enum Incidents {
    /// Newest first.
    List {
        #[arg(long, default_value = config::DATA)]
        data: PathBuf,
        /// Only those not yet closed.
        #[arg(long)]
        open: bool,
        #[arg(long)]
        json: bool,
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
}

#[derive(Subcommand)]
enum Device {
    /// Draws a password and prints it once, with the entry for the configuration.
    Add {
        name: String,
        /// The gateway's configuration: then also what a node of the project is told, with the gateway's key.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// Files that may be open at once.
const MAX_FILES: u64 = 16_384;

fn main() -> ExitCode {
    // Two TLS providers are linked (rmqtt brings a second one); rustls asks which before its first use.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    restrict();
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Run {
        config: None,
        data: None,
        listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
        mqtt: SocketAddr::from(([0, 0, 0, 0], 1883)),
    });
    let quiet = matches!(command, Command::Demo(_));
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("TUOAN_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(if quiet { "error" } else { "info,rmqtt=warn" })),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    match execute(command) {
        Ok(_) if say::lost() => ExitCode::FAILURE,
        Ok(code) => code,
        Err(report) => {
            eprintln!("{report:?}");
            ExitCode::FAILURE
        }
    }
}

/// What the process asks of the system before it opens anything: files that are nobody else's to read, and as many of them as it may have,
/// for the usual limit of 1,024 is less than the connections that the broker takes.
fn restrict() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = limit.maximum.map_or(MAX_FILES, |m| m.min(MAX_FILES));
    if limit.current.is_some_and(|now| now < most) {
        let raised = rustix::process::Rlimit { current: Some(most), maximum: limit.maximum };
        if let Err(e) = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised) {
            eprintln!("the limit of open files stays at {:?}: {e}", limit.current);
        }
    }
}

fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(options) => runtime()?.block_on(demo::run(options)),
        Command::Run { config: Some(config), data, .. } => {
            runtime()?.block_on(app::run(&config, data.as_deref(), Clock::System, Vec::new()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run { config: None, data, listen, mqtt } => {
            let data = data.unwrap_or_else(files::default_data);
            let first = FirstRun { data, web: listen, broker: mqtt, clock: Clock::System };
            runtime()?.block_on(app::run_folder(first))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor { config, data } => {
            let findings = runtime()?.block_on(doctor::examine(&config, data.as_deref()));
            findings.iter().for_each(|f| say!("{f}"));
            Ok(code(!findings.iter().any(|f| f.state == doctor::State::Wrong)))
        }
        Command::Detect { input, output } => {
            let done = detect_files::run(&input, &output).map_err(|e| miette!("{e}"))?;
            say!("{} series, {} samples, {} alarms", done.series, done.samples, done.alarms);
            Ok(ExitCode::SUCCESS)
        }
        Command::Vision { paths, json, fps, overlay, onnxruntime } => {
            let options = vision_files::Options { paths, json, fps, overlay, runtime: models::choice(onnxruntime, Choice::Find) };
            vision(&options)
        }
        Command::Replay(args) => replay::cli::replay(&args),
        Command::Stats(args) => {
            alarms::cli::stats(&args)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::CameraBridge(args) => bridge::cli::main(args),
        Command::Rules(Rules::Check { files }) => check_rules(&files),
        Command::Rules(Rules::Backtest(args)) => replay::cli::rules_backtest(&args),
        Command::Decode { file, json, mappings } => Ok(decode(&file, json, mappings.as_deref()).unwrap_or_else(|e| {
            eprintln!("{e:?}");
            ExitCode::from(2)
        })),
        Command::Quarantine(Quarantine::List { data, limit }) => {
            for row in reader(&data)?.quarantine(limit).into_diagnostic()? {
                let m = &row.message;
                say!("{}\t{}\t{}\t{} bytes\t{}", row.id, time(m.at), printable(&m.topic), m.payload.len(), m.reason);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Quarantine(Quarantine::Show { id, data }) => {
            let row =
                reader(&data)?.quarantined(id).into_diagnostic()?.ok_or_else(|| miette!("there is no message {id} in the quarantine"))?;
            let m = &row.message;
            say!(
                "topic    {}\ntime     {}\nretained {}\ndecoder  {}\nreason   {}",
                printable(&m.topic),
                time(m.at),
                m.retained,
                m.decoder.as_deref().unwrap_or("none"),
                m.reason
            );
            match std::str::from_utf8(&m.payload) {
                Ok(text) => say!("payload  {}", printable(text)),
                Err(_) => say!("payload  {} (hex)", hex::encode(&m.payload)),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Quarantine(Quarantine::Replay { ids, config, data }) => {
            let config = config::load(&config, data.as_deref())?;
            let replayed = runtime()?.block_on(app::replay_quarantine(config, ids))?;
            say!(
                "{} of {} understood and stored; {} are still in the quarantine",
                replayed.understood,
                replayed.tried,
                replayed.tried - replayed.understood
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Incidents(Incidents::List { data, open, json, limit }) => {
            let filter = IncidentFilter { open, ..IncidentFilter::default() };
            let list = reader(&data)?.incidents(&filter, limit).into_diagnostic()?;
            if json {
                let list: Vec<_> = list.iter().map(app::incident_json).collect();
                say!("{}", serde_json::to_string_pretty(&list).into_diagnostic()?);
            } else {
                for i in list {
                    let s = u8::from(i.severity);
                    let state = if i.state.closed {
                        "closed"
                    } else if i.state.active {
                        "active"
                    } else {
                        "returned"
                    };
                    say!("{}\t{}\t{s}\t{}\t{}\t{state}", i.id, time(i.opened_at), i.hazard, i.place.zone);
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Device(Device::Add { name, config }) => {
            let id = tuoan_protocol::DeviceId::new(&name).map_err(|e| miette!("{name:?} is no device name: {e}"))?;
            let password = hex::encode(rand::random::<[u8; 16]>());
            let hash = <sha2::Sha256 as sha2::Digest>::digest(password.as_bytes());
            say!(
                "# Password of {id}, shown only now: {password}\n[[broker.user]]\nname = \"{id}\"\npassword_sha256 = \"{}\"\ndevices = [\"{id}\"]",
                hex::encode(hash)
            );
            if let Some(config) = config {
                let line = app::enrol_line(&config::load(&config, None)?, id.as_str(), &password)?;
                say!("# What a node is told over its serial line, with the gateway's address for GATEWAY:\n# {line}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Evidence(command) => evidence::cli::run(command),
        Command::Drill(args) => runtime()?.block_on(drill::run(args)),
        Command::Firmware(command) => runtime()?.block_on(nodes::cli::run(command)),
        Command::Notify(command) => runtime()?.block_on(notify::command::run(command)),
        Command::Model(Model::Check(args)) => models::check::run(args),
        Command::Runtime(args) => models::report::run(&args),
    }
}

fn fps(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(fps) if fps > 0.0 && f64::is_finite(fps) => Ok(fps),
        _ => Err("a number above 0 is needed".to_owned()),
    }
}

fn vision(options: &vision_files::Options) -> Result<ExitCode> {
    let mut out = std::io::LineWriter::new(std::io::stdout().lock());
    let done = match vision_files::run(options, &mut out, &mut std::io::stderr().lock()) {
        // `tuoan vision DIR | head` has seen enough.
        Err(vision_files::Error::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        done => done.map_err(|e| miette!("{e}"))?,
    };
    eprintln!("{} frames, {} people, {} files broken", done.frames, done.people, done.broken);
    Ok(code(done.broken == 0))
}

fn decode(file: &Path, json: bool, mappings: Option<&Path>) -> Result<ExitCode> {
    let mappings = mappings.map(read_mappings).transpose()?.unwrap_or_default();
    let mut decoders = Decoders::standard(mappings);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let count = if file == Path::new("-") {
        report::run(std::io::stdin().lock(), &mut decoders, json, &mut out)
    } else {
        let input = std::fs::File::open(file).map_err(|e| miette!("{}: {e}", file.display()))?;
        report::run(std::io::BufReader::new(input), &mut decoders, json, &mut out)
    };
    let count = match count.and_then(|c| out.flush().map(|()| c)) {
        // `tuoan decode FILE | head` has seen enough.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        count => count.map_err(|e| miette!("{}: {e}", file.display()))?,
    };
    eprintln!("{} understood, {} not understood, {} no messages", count.understood, count.rejected, count.bad);
    Ok(ExitCode::from(match count {
        report::Count { bad: 1.., .. } => 2,
        report::Count { rejected: 1.., .. } => 1,
        _ => 0,
    }))
}

/// `[[mapping]]` of one TOML file, or of all in a folder, in order of their names.
fn read_mappings(path: &Path) -> Result<Vec<Mapping>> {
    #[derive(serde::Deserialize)]
    struct Mappings {
        #[serde(default)]
        mapping: Vec<MappingSpec>,
    }
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|e| miette!("{}: {e}", path.display()))?;
        files = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
        files.sort();
    }
    let mut mappings = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|e| miette!("{}: {e}", file.display()))?;
        let list: Mappings = toml::from_str(&text).map_err(|e| miette!("{}: {e}", file.display()))?;
        for spec in list.mapping {
            mappings.push(Mapping::compile(spec).map_err(|list| miette!("{}: {}", file.display(), list.join("; ")))?);
        }
    }
    Ok(mappings)
}

fn check_rules(files: &[PathBuf]) -> Result<ExitCode> {
    let mut packs: Vec<(String, String)> = Vec::new();
    for f in files {
        packs.push((f.display().to_string(), std::fs::read_to_string(f).map_err(|e| miette!("{}: {e}", f.display()))?));
    }
    if files.is_empty() {
        packs.extend(rules::builtin().into_iter().map(|(n, t)| (n.to_owned(), t.to_owned())));
    }
    let (mut ok, mut cases, mut count) = (true, 0, 0);
    for (name, text) in &packs {
        let report = rules::check(text);
        for p in &report.problems {
            say!("{name}: {p}");
        }
        ok &= report.problems.is_empty();
        cases += report.cases_run;
        count += report.rules;
    }
    say!("{} packs, {count} rules, {cases} test cases: {}", packs.len(), if ok { "all right" } else { "with problems" });
    Ok(code(ok))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().into_diagnostic()
}

fn reader(data: &Path) -> Result<Reader> {
    if !data.exists() {
        return Err(miette!("{} does not exist; name the gateway's data folder with --data", data.display()));
    }
    Reader::open(data).map_err(|e| miette!("{e}"))
}

fn code(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// UTC, to the second.
fn time(ms: i64) -> String {
    let t = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    t.ok()
        .and_then(|t| t.replace_nanosecond(0).ok())
        .and_then(|t| t.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| ms.to_string())
}

/// Control characters of a stranger's text must not reach the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
