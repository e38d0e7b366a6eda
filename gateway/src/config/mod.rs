//! Configuration: one TOML file and the environment (`TUOAN_WEB__LISTEN=...`), read whole, with all problems reported together.
//!
//! Paths in the file are relative to the file. A secret may stand in a file of its own (`token_file`); no secret is ever printed.
use crate::decode::mapping::{Mapping, MappingSpec};
use crate::engine::rules;
use crate::engine::site::Site;
use crate::estimate::model::Source;
use crate::ingest::hikvision;
use crate::runtime;
use crate::setup::files::Files;
use crate::store::Retention;
use crate::store::retention::{LEAST_DAYS, LEAST_EVENTS_DAYS};
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use figment::value::Dict;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tuoan_vision::modelfile;
use tuoan_vision::models::store::{self, Part};

pub mod bridge;
mod cameras;
mod fields;
mod ingest;
pub mod notify;
pub use cameras::{MAX_WORKERS, Vision};
use cameras::{read_hikvision, read_pictures, read_vision};
use fields::Fields;
pub use fields::{Problem, line_of};
pub use ingest::{Broker, BrokerUser, Client, DEFAULT_SESSIONS, TLS_PORT, Tls};
use ingest::{read_broker, read_client};

/// The data folder of commands that are given none.
pub const DATA: &str = "/var/lib/tuoan";

/// Everything the daemon needs to start.
#[derive(Debug, Clone)]
pub struct Config {
    pub data: PathBuf,
    pub site: Site,
    /// Rule packs in force, by name: the built-in ones and the site's own, which replace a built-in one of the same name.
    pub rules: Vec<(String, String)>,
    pub web: Web,
    pub ingest: Ingest,
    pub platform: Option<Platform>,
    pub influx: Option<Influx>,
    pub store: Store,
    pub clock_trust: ClockTrust,
    pub runtime: Runtime,
    /// What is kept of cameras' pictures.
    pub pictures: crate::cameras::Settings,
    /// Opens pictures instead of the login's password.
    pub viewing_password: Option<Secret>,
    pub mappings: Vec<MappingSpec>,
    pub vision: Vision,
    /// Cameras and recorders whose event streams are read.
    pub hikvision: Vec<hikvision::Source>,
    /// Network cameras whose frames the gateway itself fetches.
    pub cameras: Vec<crate::bridge::Camera>,
    /// Through what people are told.
    pub notify: notify::Notify,
    /// The files that installation may change; `None`: none.
    pub files: Option<Files>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    pub listen: SocketAddr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingest {
    Embedded(Broker),
    Outside(Client),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    pub url: String,
    pub token: Secret,
    /// False for a plain CloudEvents receiver, whose 2xx without a receipt counts as taken.
    pub receipts: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Influx {
    pub url: String,
    pub org: String,
    pub bucket: String,
    pub token: Secret,
    pub measurement: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// For SD cards: routine telemetry may wait up to 2 s for its commit.
    pub wear_mode: bool,
    /// MiB set aside on the disk for alarms.
    pub reserve_mb: u32,
    pub retention: Retention,
}

/// What runs the models, and which.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Runtime {
    pub onnx: runtime::Choice,
    pub room_climate: Source,
    /// The models that look at pictures.
    pub eyes: store::Sources,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockTrust {
    /// The kernel must say that it is synchronised.
    Kernel,
    /// Believe the clock at all times: for boxes whose time service leaves no mark.
    Always,
}

/// A password or token. Debug and Display print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);
impl Secret {
    pub fn new(s: impl Into<String>) -> Self {
        Self(s.into())
    }
    /// Call this only where the secret goes on the wire.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// All that is wrong with a configuration. Never empty.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("the configuration has {} problem(s):\n{}", .0.len(), .0.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
#[diagnostic(help("mend all of them and start again; `tuoan doctor --config FILE` checks without starting"))]
pub struct Problems(pub Vec<Problem>);

/// Variables with our prefix that are read elsewhere: what is logged, and the claim code on the box's label.
const NOT_CONFIGURATION: &[&str] = &["log", "claim_code"];

/// Reads `file`, the environment and every file that they name.
pub fn load(file: &Path, data: Option<&Path>) -> Result<Config, Problems> {
    let whole = |text: String| Problems(vec![Problem { key: String::new(), place: Some(file.display().to_string()), text }]);
    let text = std::fs::read_to_string(file).map_err(|e| whole(format!("cannot be read: {e}")))?;
    if let Err(e) = toml::from_str::<toml::Table>(&text) {
        return Err(whole(format!("is no TOML: {e}")));
    }
    let figment = Figment::new().merge(Toml::string(&text)).merge(Env::prefixed("TUOAN_").split("__").ignore(NOT_CONFIGURATION));
    let dict: Dict = figment.extract().map_err(|e| whole(e.to_string()))?;
    let base = file.parent().unwrap_or(Path::new("."));
    let mut problems = Vec::new();
    let site = dict.get("site").and_then(|v| v.as_str()).map(|site| base.join(site));
    let config = read(dict, base, data, &mut problems);
    match config {
        Some(config) if problems.is_empty() => Ok(Config { files: site.map(|site| Files { config: file.to_owned(), site }), ..config }),
        _ => {
            for p in &mut problems {
                if p.place.is_none() {
                    let variable = format!("TUOAN_{}", p.key.replace('.', "__").to_uppercase());
                    p.place = Some(match (std::env::var_os(&variable), line_of(&text, &p.key)) {
                        (Some(_), _) => variable,
                        (None, Some(line)) => format!("{}:{line}", file.display()),
                        (None, None) => file.display().to_string(),
                    });
                }
            }
            Err(Problems(problems))
        }
    }
}

fn read(dict: Dict, base: &Path, data: Option<&Path>, problems: &mut Vec<Problem>) -> Option<Config> {
    let mut f = Fields::new("", dict, problems);
    let data_in_file: Option<PathBuf> = f.take("data");
    let data = match data.map(Path::to_owned).or(data_in_file.map(|p| base.join(p))) {
        Some(d) => Some(d),
        None => {
            f.problem("data", "is missing; name the folder for the database, e.g. data = \"/var/lib/tuoan\", or give --data");
            None
        }
    };
    let site_file: Option<PathBuf> = f.need("site", "name the site file, e.g. site = \"site.toml\"");
    let site = site_file.and_then(|p| read_site(&base.join(p), f.problems()));
    let rule_files: Vec<PathBuf> = f.take("rules").unwrap_or_default();
    let rules = read_rules(rule_files.iter().map(|p| base.join(p)), f.problems());
    let web = f.table("web").map(|d| read_web(d, f.problems())).unwrap_or(Some(Web { listen: SocketAddr::from(([0, 0, 0, 0], 8080)) }));
    let (broker, client) = (f.table("broker"), f.table("client"));
    let ingest = match (broker, client) {
        (Some(_), Some(_)) => {
            f.problem(
                "client",
                "[broker] and [client] exclude each other: keep [broker] for the embedded broker or [client] for one outside",
            );
            None
        }
        (None, Some(c)) => read_client(c, base, f.problems()).map(Ingest::Outside),
        (Some(b), None) => read_broker(b, base, f.problems()).map(Ingest::Embedded),
        (None, None) => {
            f.problem("broker", "is missing; write [broker] with listen = \"0.0.0.0:1883\", or [client] with the url of an outside broker");
            None
        }
    };
    let platform = f.table("platform").map(|d| read_platform(d, base, f.problems()));
    let influx = f.table("influx").map(|d| read_influx(d, base, f.problems()));
    let store = read_store(f.table("store").unwrap_or_default(), f.problems());
    let clock_trust = read_clock(f.table("clock").unwrap_or_default(), f.problems());
    let runtime = read_runtime(f.table("runtime").unwrap_or_default(), base, f.problems());
    let vision = read_vision(f.table("vision").unwrap_or_default(), f.problems());
    let (pictures, viewing_password) = read_pictures(f.table("pictures").unwrap_or_default(), base, f.problems());
    let hikvision = read_hikvision(f.tables("hikvision"), base, f.problems());
    let cameras = f.table("bridge").map_or_else(Vec::new, |d| {
        let mut b = Fields::new("bridge", d, f.problems());
        let cameras = bridge::read_cameras(b.tables("camera"), base, b.problems());
        b.finish();
        cameras
    });
    let (notify, channels) = (f.table("notify").unwrap_or_default(), f.tables("channel"));
    let notify = notify::read(notify, channels, base, f.problems());
    if let Some(site) = &site {
        for camera in &cameras {
            if let Some(text) = site.problem_of_bridged(&camera.id) {
                f.problem("bridge.camera", text);
            }
        }
        // Packs that do not compile have said so already.
        let base = crate::engine::rules::compile(&rules.iter().map(|(_, t)| t).collect::<Vec<_>>()).unwrap_or_default();
        if !base.is_empty() {
            let found = crate::engine::rules::overrides::problems(&site.overrides, &base);
            f.problems().extend(found.into_iter().map(|text| Problem { key: "site".into(), place: None, text }));
        }
    }
    let mappings: Vec<MappingSpec> = f.take("mapping").unwrap_or_default();
    for spec in &mappings {
        if let Err(list) = Mapping::compile(spec.clone()) {
            for text in list {
                f.problem("mapping", format!("{}: {text}", spec.name));
            }
        }
    }
    f.finish();
    Some(Config {
        data: data?,
        site: site?,
        rules,
        web: web?,
        ingest: ingest?,
        platform: flip(platform)?,
        influx: flip(influx)?,
        store,
        clock_trust,
        runtime,
        pictures,
        viewing_password,
        mappings,
        vision,
        hikvision,
        cameras,
        notify,
        files: None,
    })
}

/// Absent is fine, wrong is not.
fn flip<T>(section: Option<Option<T>>) -> Option<Option<T>> {
    match section {
        None => Some(None),
        Some(None) => None,
        Some(Some(t)) => Some(Some(t)),
    }
}

fn read_site(path: &Path, problems: &mut Vec<Problem>) -> Option<Site> {
    let at = |line: Option<usize>| Some(line.map_or_else(|| path.display().to_string(), |l| format!("{}:{l}", path.display())));
    let text = match std::fs::read_to_string(path) {
        Ok(t) => t,
        Err(e) => {
            problems.push(Problem { key: "site".into(), place: at(None), text: format!("cannot be read: {e}") });
            return None;
        }
    };
    match toml::from_str::<Site>(&text) {
        Ok(site) => {
            let mut found = site.problems();
            found.extend(crate::deliver::sounders::problems(&site));
            let clean = found.is_empty();
            problems.extend(found.into_iter().map(|text| Problem { key: String::new(), place: at(None), text }));
            clean.then_some(site)
        }
        Err(e) => {
            let line = e.span().and_then(|s| text.get(..s.start)).map(|t| t.bytes().filter(|b| *b == b'\n').count() + 1);
            problems.push(Problem { key: String::new(), place: at(line), text: e.message().to_owned() });
            None
        }
    }
}

fn read_rules(files: impl Iterator<Item = PathBuf>, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    let mut packs: Vec<(String, String)> = rules::builtin().into_iter().map(|(n, t)| (n.to_owned(), t.to_owned())).collect();
    for path in files {
        let place = Some(path.display().to_string());
        let text = match std::fs::read_to_string(&path) {
            Ok(t) => t,
            Err(e) => {
                problems.push(Problem { key: "rules".into(), place, text: format!("cannot be read: {e}") });
                continue;
            }
        };
        let report = rules::check(&text);
        problems.extend(report.problems.iter().map(|p| Problem { key: String::new(), place: place.clone(), text: p.to_string() }));
        packs.retain(|(n, _)| *n != report.name);
        packs.push((report.name, text));
    }
    packs.sort();
    packs
}

fn read_web(dict: Dict, problems: &mut Vec<Problem>) -> Option<Web> {
    let mut f = Fields::new("web", dict, problems);
    let listen = address(&mut f, "listen", "0.0.0.0:8080");
    f.finish();
    Some(Web { listen: listen? })
}

fn read_platform(dict: Dict, base: &Path, problems: &mut Vec<Problem>) -> Option<Platform> {
    let mut f = Fields::new("platform", dict, problems);
    let url = url(&mut f, &["https://", "http://"], "https://platform.example");
    let token = secret(&mut f, "token", "token_file", base, true);
    let receipts = f.take("receipts").unwrap_or(true);
    f.finish();
    Some(Platform { url: url?, token: token?, receipts })
}

fn read_influx(dict: Dict, base: &Path, problems: &mut Vec<Problem>) -> Option<Influx> {
    let mut f = Fields::new("influx", dict, problems);
    let url = url(&mut f, &["http://", "https://"], "http://127.0.0.1:8086");
    let org: Option<String> = f.need("org", "the InfluxDB organisation");
    let bucket: Option<String> = f.need("bucket", "the InfluxDB bucket");
    let token = secret(&mut f, "token", "token_file", base, true);
    let measurement: String = f.take("measurement").unwrap_or_else(|| "reading".to_owned());
    f.finish();
    Some(Influx { url: url?, org: org?, bucket: bucket?, token: token?, measurement })
}

/// A library or a folder that is not there is no reason not to start: the gateway runs without it and says so (log, `tuoan doctor`).
fn read_runtime(dict: Dict, base: &Path, problems: &mut Vec<Problem>) -> Runtime {
    let mut f = Fields::new("runtime", dict, problems);
    let onnx = match f.take::<String>("onnxruntime").as_deref() {
        None => runtime::Choice::Find,
        Some("embedded") => runtime::Choice::Embedded,
        Some(path) => runtime::Choice::Library(base.join(path)),
    };
    let room_climate = match f.take::<String>("room_climate").as_deref() {
        None => Source::BuiltIn,
        Some("off") => Source::Off,
        Some(path) => Source::Folder(base.join(path)),
    };
    let mut eye = |part: Part| {
        f.take::<String>(part.kind().key).map_or(modelfile::Source::BuiltIn, |path| modelfile::Source::Folder(base.join(path)))
    };
    let eyes = store::Sources { person_pose: eye(Part::PersonPose), objects: eye(Part::Objects), faces: eye(Part::Faces) };
    f.finish();
    Runtime { onnx, room_climate, eyes }
}

/// A week of a small site's readings, and its incidents.
const LEAST_BUDGET_MB: u32 = 128;

fn read_store(dict: Dict, problems: &mut Vec<Problem>) -> Store {
    let mut f = Fields::new("store", dict, problems);
    let default = Retention::default();
    let keep_days: u32 = f.take("keep_days").unwrap_or(default.keep_days);
    let keep_events_days: u32 = f.take("keep_events_days").unwrap_or(default.keep_events_days);
    let retention = Retention {
        keep_days,
        keep_events_days: f.at_least("keep_events_days", keep_events_days, LEAST_EVENTS_DAYS),
        keep_rollups_days: f.take("keep_rollups_days").unwrap_or(default.keep_rollups_days.max(keep_days)),
        budget_mb: f.take("budget_mb"),
    };
    let store = Store { wear_mode: f.take("wear_mode").unwrap_or(false), reserve_mb: f.take("reserve_mb").unwrap_or(16), retention };
    if retention.keep_days < LEAST_DAYS {
        f.problem("keep_days", format!("is less than {LEAST_DAYS}; incidents show for a month what was measured around them"));
    }
    if retention.keep_events_days < retention.keep_days {
        f.problem("keep_events_days", "is less than keep_days; incidents are kept at least as long as the readings around them");
    }
    if retention.keep_rollups_days < retention.keep_days {
        f.problem("keep_rollups_days", "is less than keep_days; readings by the minute are what is left of readings");
    }
    if retention.budget_mb.is_some_and(|mb| mb < LEAST_BUDGET_MB) {
        f.problem("budget_mb", format!("is less than {LEAST_BUDGET_MB}; leave it out to use 60 % of the partition"));
    }
    if store.reserve_mb > 1024 {
        f.problem("reserve_mb", "is more than 1024; 16 holds thousands of alarms");
    }
    f.finish();
    store
}

fn read_clock(dict: Dict, problems: &mut Vec<Problem>) -> ClockTrust {
    let mut f = Fields::new("clock", dict, problems);
    let trust = match f.take::<String>("trust").as_deref() {
        None | Some("kernel") => ClockTrust::Kernel,
        Some("always") => ClockTrust::Always,
        Some(other) => {
            f.problem("trust", format!("{other:?} is not known; write \"kernel\" or \"always\""));
            ClockTrust::Kernel
        }
    };
    f.finish();
    trust
}

fn address(f: &mut Fields<'_>, name: &'static str, example: &str) -> Option<SocketAddr> {
    let text: String = f.need(name, &format!("e.g. {name} = \"{example}\""))?;
    match text.parse() {
        Ok(a) => Some(a),
        Err(_) => {
            f.problem(name, format!("{text:?} is no address and port; write e.g. \"{example}\""));
            None
        }
    }
}

fn url(f: &mut Fields<'_>, schemes: &[&str], example: &str) -> Option<String> {
    let text: String = f.need("url", &format!("e.g. url = \"{example}\""))?;
    if schemes.iter().any(|s| text.strip_prefix(s).is_some_and(|rest| !rest.is_empty())) {
        return Some(text.trim_end_matches('/').to_owned());
    }
    f.problem("url", format!("{text:?} must begin with {}, e.g. \"{example}\"", schemes.join(" or ")));
    None
}

fn existing(f: &mut Fields<'_>, name: &'static str, base: &Path) -> Option<PathBuf> {
    let path = base.join(f.need::<PathBuf>(name, "name a PEM file")?);
    if !path.is_file() {
        f.problem(name, format!("{} is no file", path.display()));
        return None;
    }
    Some(path)
}

/// A secret given in place or in a file of its own; never both.
fn secret(f: &mut Fields<'_>, name: &'static str, file: &'static str, base: &Path, required: bool) -> Option<Secret> {
    let (here, path): (Option<String>, Option<PathBuf>) = (f.take(name), f.take(file));
    match (here, path) {
        (Some(_), Some(_)) => {
            f.problem(file, format!("{name} and {file} exclude each other; keep {file}"));
            None
        }
        (Some(s), None) if !s.is_empty() => Some(Secret::new(s)),
        (None, Some(p)) => match std::fs::read_to_string(base.join(&p)) {
            Ok(s) if !s.trim().is_empty() => Some(Secret::new(s.trim())),
            Ok(_) => {
                f.problem(file, format!("{} is empty", p.display()));
                None
            }
            Err(e) => {
                f.problem(file, format!("{} cannot be read: {e}", p.display()));
                None
            }
        },
        _ => {
            if required {
                f.problem(name, format!("is missing; write {file} = \"PATH\" (mode 0600) or set it in the environment"));
            }
            None
        }
    }
}

#[cfg(test)]
mod tests;
