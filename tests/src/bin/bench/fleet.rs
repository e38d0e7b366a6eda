//! Thousands of simulated nodes against the gateway: `tuoan-node-sim`'s library in this process, each node a connection and a user of its own.
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tuoan::engine::Body;
use tuoan::store::Reader;
use tuoan_node_sim::board::Firmware;
use tuoan_node_sim::fleet::{Accounts, Options as Fleet, run_tcp};
use tuoan_node_sim::report::NodeReport;
use tuoan_node_sim::script::Script;
use tuoan_protocol::SiteId;
use tuoan_tests::harness::free_port;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, PASSWORD_SHA256, Setup};
use tuoan_tests::harness::stored::now;

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 5000)]
    nodes: usize,
    /// Seconds of work, the nodes' start among them.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Seconds over which the nodes start.
    #[arg(long, default_value_t = 40)]
    ramp: u64,
    /// Seconds of the script's weekday in a second.
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Milliseconds between two looks at an input.
    #[arg(long, default_value_t = 100)]
    poll_ms: u32,
    /// Over TLS, to the key that the gateway makes at its start.
    #[arg(long)]
    tls: bool,
    /// Sessions that the gateway's broker allows; without it as many as there are nodes, and some.
    #[arg(long)]
    sessions: Option<usize>,
}

/// One JSON object: the fleet's own figures, the gateway's, and what the store holds.
pub fn run(o: &Options) {
    let script = Script::weekday().expect("the weekday");
    let names: Vec<String> = script.names(o.nodes).into_iter().map(|(name, _)| name).collect();
    let dir = tempfile::tempdir().expect("a folder");
    let user = |n: &String| format!("[[broker.user]]\nname = \"{n}\"\npassword_sha256 = \"{PASSWORD_SHA256}\"\ndevices = [\"{n}\"]\n");
    let sessions = o.sessions.unwrap_or((o.nodes + 100).max(4096));
    let secure = free_port();
    let tls = if o.tls { format!("tls = {{ listen = \"127.0.0.1:{secure}\" }}") } else { String::new() };
    let setup = Setup {
        site: site(&names),
        broker: format!("sessions = {sessions}\n{tls}"),
        more: names.iter().map(user).collect(),
        ..Setup::default()
    };
    let mut gateway = Gateway::start(dir.path(), &setup);
    let before = gateway.process().cpu_seconds();
    let fleet = Fleet {
        site: SiteId::new("site-1").expect("an id"),
        nodes: o.nodes,
        accounts: Accounts::Own(names.iter().map(|n| (n.clone(), PASSWORD.to_owned())).collect()),
        pin: o.tls.then(|| gateway.pin()),
        script,
        speed: o.speed,
        seed: o.seed,
        work: Duration::from_secs(o.seconds),
        drain: Duration::from_secs(60),
        ramp: Duration::from_secs(o.ramp),
        poll_ms: o.poll_ms,
        utc_ms: now(),
        firmware: Firmware::default(),
    };
    let (_stop, stopped) = watch::channel(false);
    let (report, nodes) = match run_tcp(&fleet, ([127, 0, 0, 1], if o.tls { secure } else { gateway.mqtt }).into(), stopped) {
        Ok(done) => done,
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(1);
        }
    };
    let cpu = gateway.process().cpu_seconds() - before;
    let peak = gateway.process().memory_kib().1 as f64 / 1024.0;
    let (missing, stored) = missing(&gateway, &nodes);
    let out = json!({
        "fleet": report,
        "gateway": { "cpu_seconds": cpu, "peak_mib": peak, "stored": stored },
        "acknowledged_and_not_stored": missing,
    });
    println!("{}", serde_json::to_string_pretty(&out).expect("JSON"));
}

fn site(names: &[String]) -> String {
    let mut site = tuoan_tests::harness::gateway::site();
    for name in names {
        let (zone, role) = match name.split('-').next() {
            Some("door") => ("exit", "door"),
            Some("smoke") => ("hall", "smoke"),
            Some("panic") => ("hall", "panic"),
            Some("corridor") => ("exit", "occupancy"),
            _ => ("hall", "climate"),
        };
        // The harness's own devices have some of these names.
        if !site.contains(&format!("id = \"{name}\"\n")) {
            site.push_str(&format!("[[devices]]\nid = \"{name}\"\nzone = \"{zone}\"\nrole = \"{role}\"\n"));
        }
    }
    site
}

/// How many messages were acknowledged and are not in the store, and how many are.
fn missing(gateway: &Gateway, nodes: &[NodeReport]) -> (u64, u64) {
    let reader = Reader::open(&gateway.dir.join("data")).expect("the gateway's database");
    // Of each start of each device: the highest number, and how many there are.
    let mut held: BTreeMap<(String, u64), std::collections::BTreeSet<u64>> = BTreeMap::new();
    let mut after = 0;
    while let Some(last) = {
        let entries = reader.entries_after(after, 10_000).expect("entries");
        for entry in entries.iter() {
            if let Body::Message(m) = &entry.body
                && let (Some(boot), Some(seq)) = (m.boot, m.seq)
            {
                held.entry((m.device.to_string(), boot)).or_default().insert(seq);
            }
        }
        entries.last_position()
    } {
        after = last;
    }
    let stored = held.values().map(|s| s.len() as u64).sum();
    let lacks = |device: &str, boot: u64, through: u64| {
        let have = held.get(&(device.to_owned(), boot)).map_or(0, |s| s.range(..=through).count() as u64);
        through.saturating_sub(have)
    };
    let missing = nodes.iter().flat_map(|n| n.starts.iter().map(|s| lacks(&n.device, s.boot, s.acknowledged))).sum();
    (missing, stored)
}
