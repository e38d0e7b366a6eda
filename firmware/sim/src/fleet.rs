//! Many nodes, each with a connection of its own.
use crate::board::{Board, Firmware};
use crate::cable::Dial;
use crate::node::{Built, Identity, cable, live};
use crate::report::{Latency, NodeReport, Report, StartReport, process};
use crate::scene::Scene;
use crate::script::Script;
use crate::tally::{Latencies, Tally};
use crate::time::Timeline;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Duration, Instant, sleep, sleep_until, timeout_at};
use tuoan_node::link::pin::Pin;
use tuoan_protocol::{DeviceId, SiteId};

/// Open files beside the sockets.
const OTHER_FILES: u64 = 64;
/// After the last node's start, until the figures of the steady fleet begin.
const SETTLE: Duration = Duration::from_secs(5);

/// With which name and password the nodes connect.
#[derive(Clone)]
pub enum Accounts {
    /// One user for all of them.
    One { user: String, password: String },
    /// Each under its own id.
    Own(HashMap<String, String>),
}

impl Accounts {
    /// An enrolment list: `device password` on each line; empty lines and `#` are passed over.
    ///
    /// # Errors
    /// Names the line.
    pub fn read(text: &str) -> Result<Accounts, FleetError> {
        let lines = text.lines().enumerate().map(|(i, l)| (i + 1, l.trim())).filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
        let mut own = HashMap::new();
        for (number, line) in lines {
            let (device, password) = line.split_once(char::is_whitespace).ok_or(FleetError::Accounts { number })?;
            own.insert(device.to_owned(), password.trim().to_owned());
        }
        Ok(Accounts::Own(own))
    }
    fn of(&self, device: &str) -> Option<(String, String)> {
        match self {
            Accounts::One { user, password } => Some((user.clone(), password.clone())),
            Accounts::Own(own) => own.get(device).map(|password| (device.to_owned(), password.clone())),
        }
    }
}

/// What is to run.
#[derive(Clone)]
pub struct Options {
    pub site: SiteId,
    pub nodes: usize,
    pub accounts: Accounts,
    /// The gateway's public key: with it the nodes speak TLS, and to its holder alone.
    pub pin: Option<Pin>,
    pub script: Script,
    /// Seconds of the script in a second.
    pub speed: f64,
    pub seed: u64,
    /// How long they work; then what waits is sent, for at most `drain`.
    pub work: Duration,
    pub drain: Duration,
    /// Over which the nodes start, one after the other.
    pub ramp: Duration,
    /// Between two looks at an input.
    pub poll_ms: u32,
    /// Milliseconds since 1970, now: the nodes' UTC, and the number of their first start.
    pub utc_ms: i64,
    /// By which they are updated.
    pub firmware: Firmware,
}

#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error(
        "{nodes} nodes need {needed} open files and this process may have {limit}; raise the limit with `ulimit -n {needed}` (as root also `ulimit -Hn {needed}`), or run fewer nodes"
    )]
    Files { nodes: usize, needed: u64, limit: u64 },
    #[error("line {number} of the enrolment list: write the device's id, a space, and its password")]
    Accounts { number: usize },
    #[error("the enrolment list has no password for {0:?}, which this fleet would run")]
    NoAccount(String),
    #[error("{0:?} cannot be a device's id: {1}")]
    Id(String, String),
    #[error("speed must be above 0 and at most 10000")]
    Speed,
}

/// Raises this process's limit of open files to what so many nodes need.
///
/// # Errors
/// When more than the hard limit are needed.
pub fn allow_files(nodes: usize) -> Result<(), FleetError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = nodes as u64 + OTHER_FILES;
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_none_or(|now| now >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum: limits.maximum };
    let refused = |_| FleetError::Files { nodes, needed, limit: limits.maximum.or(limits.current).unwrap_or(needed) };
    setrlimit(Resource::Nofile, raised).map_err(refused)
}

/// Runs the fleet until its time is over or `stop` says so. On the calling thread's runtime, which must be single-threaded.
///
/// # Errors
/// When it cannot begin.
pub async fn run<D: Dial + 'static>(
    options: &Options,
    dial: D,
    mut stop: watch::Receiver<bool>,
) -> Result<(Report, Vec<NodeReport>), FleetError> {
    if !(options.speed > 0.0 && options.speed <= 10_000.0) {
        return Err(FleetError::Speed);
    }
    let began = Instant::now();
    let steady_from = began + options.ramp + SETTLE.min(options.work / 4);
    let latencies = Rc::new(RefCell::new(Latencies::new(steady_from)));
    let time = Timeline::new(began, options.script.start.0, options.speed, options.utc_ms);
    let nodes = nodes(options, dial, time, &latencies).await?;
    let cpu = process().0;

    let local = LocalSet::new();
    let tasks: Vec<JoinHandle<()>> = nodes
        .iter()
        .zip(0u32..)
        .map(|(one, i)| {
            let one = Rc::clone(one);
            let starts = began + options.ramp * i / u32::try_from(nodes.len()).unwrap_or(u32::MAX).max(1);
            local.spawn_local(async move {
                sleep_until(starts).await;
                live(&one).await;
            })
        })
        .collect();

    let done = local
        .run_until(async {
            // A sender that is gone stops nothing.
            let stopped = async {
                if stop.wait_for(|stop| *stop).await.is_err() {
                    std::future::pending().await
                }
            };
            let _ = timeout_at(began + options.work, stopped).await;
            let worked = Instant::now();
            let (readings, alarms) = latencies.borrow_mut().finish();
            let connected = nodes.iter().filter(|n| n.life.connected.get()).count();
            let cpu_seconds = process().0 - cpu;
            nodes.iter().for_each(|n| n.life.outbox.close());
            while nodes.iter().any(|n| n.life.outbox.waiting() > 0) && worked.elapsed() < options.drain {
                sleep(Duration::from_millis(50)).await;
            }
            tasks.iter().for_each(JoinHandle::abort);
            (worked, readings, alarms, connected, cpu_seconds)
        })
        .await;
    let (worked, readings, alarms, connected, cpu_seconds) = done;
    let steady_seconds = worked.saturating_duration_since(steady_from).as_secs_f64();
    let mut report = Report {
        nodes: nodes.len(),
        seconds: worked.duration_since(began).as_secs_f64(),
        connected,
        cpu_seconds,
        peak_mib: process().1,
        ..Report::default()
    };
    let measured = (readings.count + alarms.count) as f64;
    report.steady.seconds = steady_seconds;
    report.steady.messages_per_second = if steady_seconds > 0.0 { measured / steady_seconds } else { 0.0 };
    (report.steady.readings, report.steady.alarms) = (Latency::from(readings), Latency::from(alarms));
    report.connects = Latency::from(latencies.borrow_mut().connects());
    let each = nodes.iter().map(|one| add(&mut report, one)).collect();
    Ok((report, each))
}

async fn nodes<D: Dial>(
    options: &Options,
    dial: D,
    time: Timeline,
    latencies: &Rc<RefCell<Latencies>>,
) -> Result<Vec<Rc<Built<D>>>, FleetError> {
    let boot = u64::try_from(options.utc_ms).unwrap_or(1).max(1);
    let mut nodes = Vec::with_capacity(options.nodes);
    for (name, kind) in options.script.names(options.nodes) {
        let (user, password) = options.accounts.of(&name).ok_or_else(|| FleetError::NoAccount(name.clone()))?;
        let device = DeviceId::new(&name).map_err(|e| FleetError::Id(name.clone(), e.to_string()))?;
        let board = Board::new(&options.firmware, &kind.name).await;
        let scene = Scene::new(&options.script, &name, kind, options.seed);
        let tally = Rc::new(RefCell::new(Tally::new(latencies.clone())));
        let identity = Identity { site: options.site.clone(), device, user, password, pin: options.pin.clone(), boot };
        let cable = cable(dial.clone(), scene, time);
        nodes.push(Rc::new(Built { identity, cable, tally, life: Rc::default(), poll_ms: options.poll_ms, board }));
    }
    Ok(nodes)
}

/// Adds one node's figures to the fleet's.
fn add<D: Dial>(report: &mut Report, one: &Built<D>) -> NodeReport {
    let (tally, life) = (one.tally.borrow(), &one.life);
    let starts: Vec<StartReport> = tally.starts.iter().map(StartReport::from).collect();
    let node = NodeReport {
        device: one.identity.device.to_string(),
        kind: one.cable.scene.kind().name.clone(),
        records: life.outbox.records(),
        waiting: life.outbox.waiting(),
        lost: life.outbox.lost(),
        starts,
    };
    report.connections += tally.connections;
    report.starts += u64::from(life.starts.get());
    report.records += node.records;
    report.sent += node.starts.iter().map(|s| s.sent).sum::<u64>();
    report.acknowledged += node.starts.iter().map(|s| s.acknowledged).sum::<u64>();
    report.repeated += tally.repeated;
    report.waiting += node.waiting;
    report.lost += node.lost;
    report.given_up += life.given_up.get();
    report.malformed += tally.malformed;
    report.bytes += tally.bytes;
    report.starved += u64::from(life.starved.get());
    report.orders += u64::from(life.orders.get());
    if let Some(end) = life.last_end.borrow().clone() {
        *report.ends.entry(end).or_default() += 1;
    }
    node
}

/// Runs it over TCP on a thread's own runtime.
///
/// # Errors
/// As [`run`], and when files are short.
pub fn run_tcp(
    options: &Options,
    broker: std::net::SocketAddr,
    stop: watch::Receiver<bool>,
) -> Result<(Report, Vec<NodeReport>), FleetError> {
    allow_files(options.nodes)?;
    let files = |_| FleetError::Files { nodes: options.nodes, needed: options.nodes as u64 + OTHER_FILES, limit: 0 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(files)?;
    runtime.block_on(run(options, crate::cable::Tcp(broker), stop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrolment_list_is_read_and_what_is_missing_is_named() {
        let accounts = Accounts::read("# site s\nroom-1 secret one\n\n door-1\tx \n").unwrap();
        assert_eq!(accounts.of("room-1"), Some(("room-1".into(), "secret one".into())));
        assert_eq!((accounts.of("door-1").unwrap().1.as_str(), accounts.of("room-2")), ("x", None));
        assert!(Accounts::read("a b\nroom-1\n").is_err_and(|e| e.to_string().contains("line 2")));
    }

    #[test]
    fn too_few_files_are_a_clear_error() {
        let error = allow_files(2_000_000_000).unwrap_err().to_string();
        assert!(error.contains("ulimit -n 2000000064"), "{error}");
        allow_files(10).unwrap();
    }
}
