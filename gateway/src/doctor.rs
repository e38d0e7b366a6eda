//! `tuoan doctor`: what is wrong and how to mend it. Looks, changes nothing.
use crate::cameras::eyes;
use crate::clock::Clock;
use crate::config::{self, ClockTrust, Config, Ingest};
use crate::deliver::sinks::influx::NAME as INFLUX;
use crate::deliver::sinks::platform::NAME as PLATFORM;
use crate::deliver::status::SHORT_HOURS;
use crate::estimate::check::check;
use crate::estimate::model::{ClimateModel, Source};
use crate::ingest::filter::Filter;
use crate::models::EyeModels;
use crate::store::{Lane, Reader};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub about: &'static str,
    pub state: State,
    /// What was seen, and for anything but `Well` what to do.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Well,
    /// Works, and may not for long.
    Doubtful,
    Wrong,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = match self.state {
            State::Well => "ok  ",
            State::Doubtful => "note",
            State::Wrong => "BAD ",
        };
        write!(f, "{mark}  {:<10} {}", self.about, self.text)
    }
}

const WAIT: Duration = Duration::from_secs(5);
/// Below this the disk is nearly full: bytes.
const LITTLE_SPACE: u64 = 200 << 20;

/// Looks at everything that `file` names.
pub async fn examine(file: &Path, data: Option<&Path>) -> Vec<Finding> {
    let config = match config::load(file, data) {
        Ok(c) => c,
        Err(config::Problems(list)) => {
            return list.into_iter().map(|p| Finding { about: "config", state: State::Wrong, text: p.to_string() }).collect();
        }
    };
    let mut out = vec![well(
        "config",
        format!("{} is right: {} zones, {} devices", file.display(), config.site.zones.len(), config.site.devices.len()),
    )];
    let running = disk(&config, &mut out);
    clock(&config, &mut out);
    match &config.ingest {
        Ingest::Embedded(b) => port("broker", b.listen, running, &mut out),
        Ingest::Outside(c) => reachable("broker", host(&c.url), &mut out),
    }
    port("web", config.web.listen, running, &mut out);
    model(&config, &mut out).await;
    cameras(&config, &mut out).await;
    if !config.cameras.is_empty() {
        out.push(match crate::bridge::ffmpeg().await {
            Ok(version) => well(
                "cameras",
                format!("{} to be fetched with ffmpeg {version}; `tuoan camera-bridge check` looks at one", config.cameras.len()),
            ),
            Err(e) => Finding { about: "cameras", state: State::Wrong, text: e },
        });
    }
    if let Some(p) = &config.platform {
        http("platform", &format!("{}/healthz", p.url), &mut out).await;
        if p.url.starts_with("http://") && !loopback(&p.url) {
            out.push(Finding {
                about: "platform",
                state: State::Wrong,
                text: format!("{} is not encrypted, so its token can be read on the way; use https://", p.url),
            });
        }
    } else {
        out.push(Finding {
            about: "platform",
            state: State::Doubtful,
            text: "none is configured: alerts stay in the building; add [platform]".into(),
        });
    }
    if let Some(i) = &config.influx {
        http("influx", &format!("{}/health", i.url), &mut out).await;
    }
    out
}

fn well(about: &'static str, text: String) -> Finding {
    Finding { about, state: State::Well, text }
}

/// The data folder and its database; true when a gateway is running on it.
fn disk(config: &Config, out: &mut Vec<Finding>) -> bool {
    let dir = &config.data;
    let existing = dir.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(existing) {
        Ok(s) => {
            let free = s.f_bavail.saturating_mul(s.f_frsize);
            let text = format!("{} MiB free under {}", free >> 20, existing.display());
            out.push(match free {
                0..LITTLE_SPACE => Finding {
                    about: "disk",
                    state: State::Wrong,
                    text: format!("{text}: make room, or alarms will be the only thing stored"),
                },
                _ => well("disk", text),
            });
        }
        Err(e) => {
            out.push(Finding { about: "disk", state: State::Wrong, text: format!("{} cannot be looked at: {e}", existing.display()) })
        }
    }
    if !dir.exists() {
        out.push(well("database", format!("{} does not exist yet; the first start creates it", dir.display())));
        return false;
    }
    match Reader::open(dir).and_then(|r| r.counts()) {
        Ok(c) => {
            out.push(well("database", format!("{} messages, {} incident events, {} repeats dropped", c.messages, c.events, c.duplicates)));
            if c.quarantined > 0 {
                out.push(Finding {
                    about: "quarantine",
                    state: State::Doubtful,
                    text: format!("{} messages were not understood; `tuoan quarantine list` says why", c.quarantined),
                });
            }
            room(config, out);
        }
        Err(e) => out.push(Finding { about: "database", state: State::Wrong, text: e.to_string() }),
    }
    crate::store::in_use(dir)
}

/// How long each receiver may be cut off before something is lost.
fn room(config: &Config, out: &mut Vec<Finding>) {
    let lanes = [(config.platform.is_some(), PLATFORM, Lane::Alerts), (config.influx.is_some(), INFLUX, Lane::Metrics)];
    let lanes = lanes.into_iter().filter(|(set, ..)| *set).map(|(_, sink, lane)| (sink.to_owned(), lane)).collect();
    let room = match Reader::open(&config.data).and_then(|r| r.room(&config.store.retention, &lanes)) {
        Ok(room) => room,
        Err(e) => return out.push(Finding { about: "room", state: State::Wrong, text: e.to_string() }),
    };
    let takes = format!("the store takes {} of {} MiB", room.used >> 20, room.allowed >> 20);
    if room.short {
        let text = format!("{takes}, and nothing more of it may go: give [store] budget_mb more, or the disk more room");
        out.push(Finding { about: "room", state: State::Wrong, text });
    }
    for lane in &room.lanes {
        let Some(hours) = lane.hours_left else { continue };
        let text = format!("{takes}; {} of {} may wait {hours:.0} h more before any is lost", lane.lane.name(), lane.sink);
        out.push(if hours < SHORT_HOURS {
            let text = format!("{text}: restore the connection, or give [store] budget_mb more");
            Finding { about: "room", state: State::Wrong, text }
        } else {
            well("room", text)
        });
    }
}

fn clock(config: &Config, out: &mut Vec<Finding>) {
    let trusted = config.clock_trust == ClockTrust::Always || Clock::System.trusted();
    out.push(if trusted {
        well("clock", "synchronised".into())
    } else {
        Finding {
            about: "clock",
            state: State::Doubtful,
            text: "not known to be synchronised, so every hour counts as care hours; start a time service (chrony, systemd-timesyncd), or \
                   set [clock] trust = \"always\" if the clock is kept right otherwise"
                .into(),
        }
    });
}

/// Loads the model as the daemon would, and holds the built-in one to what its training said.
async fn model(config: &Config, out: &mut Vec<Finding>) {
    let wrong = |text: String| Finding { about: "model", state: State::Wrong, text };
    let model = match ClimateModel::open_safely(&config.runtime.room_climate, &config.runtime.onnx).await {
        Ok(Some(model)) => model,
        Ok(None) => return out.push(well("model", "rooms are not estimated: [runtime] room_climate = \"off\"".into())),
        Err(e) => return out.push(wrong(format!("rooms are not estimated: {e}"))),
    };
    for why in &model.passed_over {
        out.push(Finding { about: "model", state: State::Doubtful, text: format!("{why}; {} is used instead", model.runtime) });
    }
    let text = format!("rooms are estimated by {} on {}", model.name(), model.runtime);
    out.push(match (&config.runtime.room_climate, model) {
        (Source::BuiltIn, mut model) => match model.golden().map_err(|e| e.to_string()).and_then(|golden| check(&mut model, &golden)) {
            Ok(_) => well("model", text),
            Err(e) => wrong(format!("{text}, which answers otherwise than it should: {e}; set [runtime] onnxruntime = \"embedded\"")),
        },
        _ => well("model", text),
    });
}

/// The cameras that the gateway looks at, and with what: loads the models as the daemon would.
async fn cameras(config: &Config, out: &mut Vec<Finding>) {
    let n = config.site.cameras.len();
    if n == 0 {
        return;
    }
    let doubtful = |text: String| Finding { about: "cameras", state: State::Doubtful, text };
    if !config.vision.enabled {
        return out.push(doubtful(format!("{n} cameras are not looked at: [vision] enabled = false")));
    }
    let opened = match EyeModels::open_safely(&config.runtime.eyes, &config.runtime.onnx).await {
        Ok(models) => tokio::task::spawn_blocking(move || models.eye().map(|_| models.name())).await.map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    };
    let opened = opened.and_then(|loaded| loaded.map_err(|e| e.to_string()));
    let workers = config.vision.workers.map_or_else(eyes::default_workers, usize::from);
    out.push(match opened {
        Ok(models) => well("cameras", format!("{n} are looked at by {workers} thread(s) with {models}")),
        Err(e) => Finding { about: "cameras", state: State::Wrong, text: format!("what {n} cameras show is not looked at: {e}") },
    });
    let uncalibrated: Vec<&str> = config.site.cameras.iter().filter(|c| c.floor.is_none()).map(|c| c.device.as_str()).collect();
    if !uncalibrated.is_empty() {
        out.push(doubtful(format!(
            "without a floor nobody is an adult or a child to {}: the rules about children are off there; calibrate on the camera's page",
            uncalibrated.join(", ")
        )));
    }
    if let Ingest::Outside(c) = &config.ingest {
        let native = config.site.cameras.iter().map(|c| format!("tuoan/v1/{}/{}/frame", config.site.id, c.device));
        let filters: Vec<Filter> = c.topics.iter().filter_map(|t| Filter::new(t).ok()).collect();
        let unheard: Vec<String> = native.filter(|t| !filters.iter().any(|f| f.matches(t))).collect();
        if !unheard.is_empty() && config.vision.topics.is_empty() {
            out.push(doubtful(format!("[client] topics holds none of {}: add where the cameras publish", unheard.join(", "))));
        }
    }
}

fn port(about: &'static str, address: SocketAddr, running: bool, out: &mut Vec<Finding>) {
    out.push(match (TcpListener::bind(address), running) {
        (Ok(_), _) => well(about, format!("{address} is free")),
        (Err(_), true) => well(about, format!("{address} is in use; a gateway is running on this data folder")),
        (Err(e), false) => Finding {
            about,
            state: State::Wrong,
            text: format!("{address} cannot be used: {e}; stop the program that has it, or choose another port"),
        },
    });
}

fn reachable(about: &'static str, host: Option<String>, out: &mut Vec<Finding>) {
    let address = host.as_deref().and_then(|h| h.to_socket_addrs().ok()).and_then(|mut a| a.next());
    let name = host.unwrap_or_default();
    out.push(match address.map(|a| std::net::TcpStream::connect_timeout(&a, WAIT)) {
        Some(Ok(_)) => Finding {
            about,
            state: State::Doubtful,
            text: format!(
                "{name} answers. A stock Mosquitto keeps only 1,000 messages for a gateway that is away and acknowledges before it saves: set \
                 max_queued_messages 0 and autosave_interval, or use the embedded broker"
            ),
        },
        Some(Err(e)) => Finding { about, state: State::Wrong, text: format!("{name} does not answer: {e}; start it, or mend client.url") },
        None => Finding { about, state: State::Wrong, text: format!("{name:?} is no known host and port; mend client.url") },
    });
}

async fn http(about: &'static str, url: &str, out: &mut Vec<Finding>) {
    let answer = async { reqwest::Client::builder().timeout(WAIT).build()?.get(url).send().await };
    out.push(match answer.await {
        Ok(r) if r.status().is_success() => well(about, format!("{url} answers")),
        Ok(r) => Finding { about, state: State::Wrong, text: format!("{url} answers {}; is it the right address?", r.status()) },
        Err(e) => {
            Finding { about, state: State::Wrong, text: format!("{url} does not answer: {}; what is due to it is kept", e.without_url()) }
        }
    });
}

/// `host:port` of an MQTT URL.
fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split('/').next()?;
    Some(if rest.contains(':') { rest.to_owned() } else { format!("{rest}:{}", if scheme == "mqtts" { 8883 } else { 1883 }) })
}

fn loopback(url: &str) -> bool {
    ["http://127.", "http://localhost", "http://[::1]"].iter().any(|p| url.starts_with(p))
}
