//! `tuoan-platform`: runs the district platform and manages its sites.
use clap::{Parser, Subcommand};
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use miette::{IntoDiagnostic, Result, miette};
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tuoan_platform::{Clock, Config, Influx, Reader, Secret, SiteSeed, open_database, sites, start};

#[derive(Parser)]
#[command(name = "tuoan-platform", version, about = "The district platform of Tuoan")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C.
    Run(Source),
    /// Manage the sites whose gateways may send.
    #[command(subcommand)]
    Site(SiteCommand),
    /// Check the configuration and the database, and say how to mend what is wrong.
    Doctor(Source),
}

#[derive(Subcommand)]
enum SiteCommand {
    /// Add a site, or give it a further token. Prints the token once; only its hash is stored.
    Add {
        id: String,
        name: String,
        #[command(flatten)]
        source: Source,
    },
}

#[derive(clap::Args)]
struct Source {
    /// Configuration file (TOML). TUOAN_PLATFORM_… variables override it.
    #[arg(long, env = "TUOAN_PLATFORM_CONFIG")]
    config: Option<PathBuf>,
    /// Data directory; overrides the file.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: SocketAddr,
    data: PathBuf,
    database: Option<Secret>,
    #[serde(rename = "site")]
    sites: Vec<SiteSeed>,
    #[serde(rename = "reader")]
    readers: Vec<Reader>,
    influx: Influx,
    /// Seconds without a heartbeat after which a site counts as silent.
    silent_after: u32,
    /// Whose platform it is, shown beside the brand.
    district: String,
    /// Minutes east of UTC of the times on the pages.
    utc_offset_minutes: i32,
    /// One-time code on the machine's label; drawn and printed if absent.
    claim_code: Option<Secret>,
}

impl Default for File {
    fn default() -> Self {
        File {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8090)),
            data: PathBuf::from("data"),
            database: None,
            sites: Vec::new(),
            readers: Vec::new(),
            influx: Influx::default(),
            silent_after: 135,
            district: String::new(),
            utc_offset_minutes: 480,
            claim_code: None,
        }
    }
}

fn load(source: &Source) -> Result<Config> {
    let mut figment = Figment::new();
    if let Some(path) = &source.config {
        if !path.is_file() {
            return Err(miette!("there is no configuration file {}; name it with --config", path.display()));
        }
        figment = figment.merge(Toml::file_exact(path));
    }
    let file: File = figment.merge(Env::prefixed("TUOAN_PLATFORM_").ignore(&["config"]).split("__")).extract().map_err(|errors| {
        let all: Vec<String> = errors.into_iter().map(|e| e.to_string()).collect();
        miette!("the configuration cannot be read:\n  {}", all.join("\n  "))
    })?;
    // A relative data directory belongs to the file that names it, wherever the program is started.
    let base = source.config.as_deref().and_then(Path::parent).unwrap_or_else(|| Path::new(""));
    let config = Config {
        listen: file.listen,
        data: source.data.clone().unwrap_or_else(|| base.join(file.data)),
        database: file.database,
        sites: file.sites,
        readers: file.readers,
        influx: file.influx,
        clock: Clock::system(),
        silent_after_ms: i64::from(file.silent_after) * 1_000,
        on_receipt: None,
        district: file.district,
        utc_offset_minutes: file.utc_offset_minutes,
        clock_speed: 1.0,
        claim_code: file.claim_code,
    };
    let problems = config.problems();
    if problems.is_empty() { Ok(config) } else { Err(miette!("the configuration cannot be used:\n  {}", problems.join("\n  "))) }
}

#[tokio::main]
async fn main() -> Result<()> {
    restrict();
    // Two providers are linked; rustls panics at the first TLS connection unless one is chosen.
    rustls::crypto::aws_lc_rs::default_provider().install_default().map_err(|_| miette!("another rustls provider is installed already"))?;
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sqlx=warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    match Cli::parse().command {
        Command::Run(source) => run(load(&source)?).await,
        Command::Site(SiteCommand::Add { id, name, source }) => add_site(&load(&source)?, &id, &name).await,
        Command::Doctor(source) => doctor(&source).await,
    }
}

/// Files that may be open at once.
const MAX_FILES: u64 = 16_384;

/// What the process asks of the system before it opens anything: files that are nobody else's to read, and as many of them as it may have.
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

async fn run(config: Config) -> Result<()> {
    let running = start(config).await.into_diagnostic()?;
    println!("listening on {}", running.url());
    if let Some(code) = running.claim_code() {
        println!("open it in a browser and set the password with the one-time code {code}");
    }
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).into_diagnostic()?;
    tokio::select! {
        _ = term.recv() => tracing::info!("SIGTERM: finishing what is under way"),
        r = tokio::signal::ctrl_c() => r.into_diagnostic()?,
    }
    running.shutdown().await;
    Ok(())
}

async fn add_site(config: &Config, id: &str, name: &str) -> Result<()> {
    tuoan_protocol::SiteId::new(id).map_err(|e| miette!("site id {id:?}: {e}"))?;
    if name.trim().is_empty() {
        return Err(miette!("give the site the name that people call it by"));
    }
    let db = open_database(config).await.into_diagnostic()?;
    let token = sites::add(&db, id, name, config.clock.utc_ms()).await.into_diagnostic()?;
    db.close().await;
    eprintln!("The token of {id} is shown this once. Put it into the gateway's `token_file`:");
    println!("{}", token.reveal());
    Ok(())
}

async fn doctor(source: &Source) -> Result<()> {
    let config = load(source)?;
    println!("configuration: ok");
    let db = open_database(&config).await.into_diagnostic()?;
    println!("database: ok ({:?}, schema {})", db.dialect(), tuoan_platform::db::SCHEMA_VERSION);
    let now = config.clock.utc_ms();
    let views = sites::list(&db, None, now, config.silent_after_ms).await.into_diagnostic()?;
    db.close().await;
    if views.is_empty() && config.sites.is_empty() {
        println!("sites: none yet; add one with `tuoan-platform site add ID NAME`");
    }
    for site in views {
        let missing: usize = site.logs.iter().map(|l| l.gaps.len()).sum();
        println!(
            "site {}: {:?}, {} events, {} missing ranges, {} conflicts, {} refused",
            site.id, site.contact, site.events, missing, site.conflicts, site.rejected
        );
    }
    Ok(())
}
