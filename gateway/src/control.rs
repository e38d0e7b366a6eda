//! Requests of the command line to the running gateway: a Unix socket in the data folder that only its owner may open, one JSON object a line each way.
//!
//! Whoever can open it can read the database as well, so it asks for no password; what it does stands in the log with the name that was given.
use crate::engine::Command;
use crate::engine::input::Action;
use crate::engine::standing::DRILL_PREFIX;
use crate::ingest::own::OwnVoice;
use crate::nodes::rollout::{Known, Progress, Rollout, To};
use crate::pipeline::{Control, Handle};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tuoan_protocol::codec::Wire;
use tuoan_protocol::topic::TopicKind;
use tuoan_protocol::{DeviceEvent, DeviceId, DeviceTime, EventKind, Fixed, HazardId, Quantity, Reading, Telemetry, Via, ZoneId};

pub const SOCKET: &str = "control.sock";
/// Longest request in bytes.
const REQUEST: u64 = 4096;
/// Longest answer: some thousand nodes.
const ANSWER: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// What is staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Staged {
    /// 烟雾: a smoke alarm.
    Fire,
    /// 燃气.
    Gas,
    /// 一氧化碳.
    Co,
    /// 一键报警.
    Panic,
}

impl Staged {
    pub fn hazard(self) -> &'static str {
        match self {
            Staged::Fire => "fire.smoke",
            Staged::Gas => "gas.leak",
            Staged::Co => "co.high",
            Staged::Panic => "panic.button",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Begins a drill and stages its hazard.
    Drill {
        what: Staged,
        zone: String,
        minutes: u32,
        by: String,
    },
    DrillEnd {
        by: String,
    },
    /// Sends an image of the data folder to nodes.
    Firmware {
        image: String,
        to: To,
        by: String,
    },
    FirmwareStatus,
    /// Settings onto one node.
    Settings {
        device: String,
        settings: serde_json::Value,
        by: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done, at that time (UTC milliseconds); the sequence of the last event before it.
    Done {
        at: i64,
        sequence: u64,
    },
    Refused {
        reason: String,
    },
    /// The nodes, and the last push.
    Firmware {
        nodes: Vec<Known>,
        push: Option<Progress>,
    },
}

/// What carries requests out.
#[derive(Clone)]
pub struct Desk {
    pub handle: Handle,
    pub voice: OwnVoice,
    pub clock: crate::clock::Clock,
    pub rollout: Rollout,
}

/// Listens until `shutdown`. A socket that an earlier run has left is replaced.
///
/// # Errors
/// The socket cannot be made; the gateway runs without it.
pub async fn serve(data: PathBuf, desk: Desk, shutdown: CancellationToken) -> io::Result<()> {
    let path = data.join(SOCKET);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    loop {
        let stream = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted?.0,
        };
        // One after the other: who asks sits at the box.
        if tokio::time::timeout(PATIENCE, desk.one(stream)).await.is_err() {
            tracing::warn!("a request at {} took too long", path.display());
        }
    }
    let _ = std::fs::remove_file(&path);
    Ok(())
}

impl Desk {
    async fn one(&self, mut stream: UnixStream) {
        let (read, mut write) = stream.split();
        let mut line = String::new();
        if BufReader::new(read.take(REQUEST)).read_line(&mut line).await.is_err() {
            return;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => self.answer(request).await,
            Err(e) => Answer::Refused { reason: format!("not understood: {e}") },
        };
        let mut text = serde_json::to_vec(&answer).unwrap_or_default();
        text.push(b'\n');
        let _ = write.write_all(&text).await;
    }

    async fn answer(&self, request: Request) -> Answer {
        let at = self.clock.utc_ms();
        let sequence = self.handle.committed.borrow().sequence;
        let done = match request {
            Request::Drill { what, zone, minutes, by } => self.drill(what, &zone, minutes, by).await,
            Request::DrillEnd { by } => self.command(by, Action::DrillEnd).await,
            Request::Firmware { image, to, by } => self.rollout.begin(&image, &to, &by).await,
            Request::Settings { device, settings, by } => self.rollout.configure(&device, settings, &by).await,
            Request::FirmwareStatus => return Answer::Firmware { nodes: self.rollout.known(), push: self.rollout.progress() },
        };
        match done {
            Ok(()) => Answer::Done { at, sequence },
            Err(reason) => Answer::Refused { reason },
        }
    }

    async fn drill(&self, what: Staged, zone: &str, minutes: u32, by: String) -> Result<(), String> {
        let hazard = HazardId::new(what.hazard()).map_err(|e| e.to_string())?;
        let zone = ZoneId::new(zone).map_err(|e| format!("{zone:?} is no zone: {e}"))?;
        let device = DeviceId::new(&format!("{DRILL_PREFIX}{zone}")).map_err(|e| e.to_string())?;
        self.command(by.clone(), Action::Drill { hazard, zone, minutes }).await?;
        let said = self.stage(what, &device).await;
        if let Err(reason) = said {
            // A drill that nobody was told of is none.
            let _ = self.command(by, Action::DrillEnd).await;
            return Err(format!("the drill could not be staged: {reason}"));
        }
        Ok(())
    }

    /// The device's message, by the way of all messages.
    async fn stage(&self, what: Staged, device: &DeviceId) -> Result<(), String> {
        let now = self.clock.utc_ms().max(0);
        let (site, boot, time) = (self.voice.site.clone(), now.unsigned_abs(), DeviceTime::Unix(now));
        let quantity = match what {
            Staged::Fire => Quantity::Smoke,
            Staged::Gas => Quantity::Gas,
            Staged::Co => Quantity::CoAlarm,
            Staged::Panic => {
                let event = DeviceEvent {
                    site,
                    device: device.clone(),
                    boot,
                    seq: 1,
                    time,
                    kind: EventKind::PanicPressed,
                    command: None,
                    age: None,
                };
                return self.voice.say(device, TopicKind::Event, &event.to_json()).await.map_err(|e| e.to_string());
            }
        };
        let readings = [Reading { quantity, channel: 0, value: Fixed(1) }].into_iter().collect();
        let telemetry = Telemetry { site, device: device.clone(), boot, seq: 1, time, readings, age: None };
        self.voice.say(device, TopicKind::Telemetry, &telemetry.to_json()).await.map_err(|e| e.to_string())
    }

    async fn command(&self, actor: String, action: Action) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        let command = Command { actor, via: Some(Via::CommandLine), action };
        self.handle.control.send(Control::Command { command, reply }).await.map_err(|_| "the engine has stopped".to_owned())?;
        match answer.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(reason)) => Err(reason.to_owned()),
            Err(_) => Err("the engine has stopped".to_owned()),
        }
    }
}

/// Asks the gateway that runs on `data`.
///
/// # Errors
/// There is none, or it did not answer; in words that say what to do.
pub async fn ask(data: &Path, request: &Request) -> Result<Answer, String> {
    let path = data.join(SOCKET);
    let mut stream = UnixStream::connect(&path).await.map_err(|e| {
        format!("no gateway answers at {} ({e}); is it running with this data folder, and are you its user?", path.display())
    })?;
    let mut text = serde_json::to_vec(request).map_err(|e| e.to_string())?;
    text.push(b'\n');
    stream.write_all(&text).await.map_err(|e| e.to_string())?;
    let mut line = String::new();
    let read = BufReader::new((&mut stream).take(ANSWER)).read_line(&mut line).await;
    read.map_err(|e| e.to_string())?;
    serde_json::from_str(&line).map_err(|_| "the gateway has not answered".to_owned())
}
