//! Three days cut off from the outside: what they take on the disk, and how fast what they have left arrives afterwards.
use super::receiver::Receiver;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tuoan_tests::harness::gateway::{Gateway, MANY_INCIDENTS, PASSWORD, Setup};
use tuoan_tests::harness::mqtt::Sender;
use tuoan_tests::harness::proxy::Proxy;
use tuoan_tests::harness::stored::{self, Past};
use tuoan_tests::harness::wait_for;

#[derive(clap::Args)]
pub struct Options {
    #[arg(long, default_value_t = 72)]
    hours: i64,
    #[arg(long, default_value_t = 60)]
    devices: u64,
    /// Seconds between two messages of a device.
    #[arg(long, default_value_t = 10)]
    every_s: i64,
    /// Seconds between two alerts.
    #[arg(long, default_value_t = 120)]
    alert_every_s: i64,
    /// Only what it takes on the disk.
    #[arg(long)]
    store_only: bool,
    /// Keep the store in this new folder.
    #[arg(long)]
    keep: Option<PathBuf>,
}

pub fn run(o: &Options) {
    let own = super::folder();
    let dir = o.keep.as_deref().unwrap_or(own.path());
    let begun = Instant::now();
    let past = Past { hours: o.hours, devices: o.devices, every_s: o.every_s, alert_every_s: o.alert_every_s };
    let left = stored::write(&dir.join("data"), stored::now(), &past);
    let days = o.hours as f64 / 24.0;
    println!("| of {} h | a day | each |\n|---|---|---|", o.hours);
    let megabytes = |b: u64| b as f64 / 1e6;
    println!("| messages | {:.0} | |", left.messages as f64 / days);
    println!("| log.db | {:.1} MB | {:.1} bytes a message |", megabytes(left.bytes) / days, left.bytes as f64 / left.messages as f64);
    println!("| incident events | {:.0} | |", left.events as f64 / days);
    println!("| longest write-ahead log | {:.1} MB | |", megabytes(left.wal));
    println!("| a snapshot | {:.1} MB | |", megabytes(left.state));
    println!("\nwritten in {:.0} s", begun.elapsed().as_secs_f64());
    tables(&dir.join("data").join("log.db"));
    if !o.store_only {
        back(dir, o, left);
    }
}

/// Bytes of each table by its rows: there is no `dbstat` in every SQLite.
fn tables(file: &std::path::Path) {
    let db = rusqlite::Connection::open(file).expect("the store");
    let number = |sql: &str| db.query_row(sql, [], |r| r.get::<_, Option<i64>>(0)).unwrap_or(None).unwrap_or(0);
    println!("\n| table | rows | bytes of the columns a row |\n|---|---|---|");
    for (table, columns) in [
        ("log", "length(body)"),
        ("event", "length(id) + length(incident) + length(bytes)"),
        ("incident", "length(id) + length(hazard) + length(zone) + length(rule)"),
        ("snapshot", "length(bytes)"),
    ] {
        let (n, bytes) = (number(&format!("SELECT count(*) FROM {table}")), number(&format!("SELECT sum({columns}) FROM {table}")));
        println!("| {table} | {n} | {:.1} |", bytes as f64 / n.max(1) as f64);
    }
}

fn back(dir: &std::path::Path, o: &Options, left: stored::Left) {
    let rt = super::runtime_of(2);
    let start = Instant::now();
    let receiver = rt.block_on(Receiver::start(start)).expect("a receiver");
    let port = receiver.url.rsplit(':').next().and_then(|p| p.parse().ok()).expect("a port");
    let proxy = Proxy::start(([127, 0, 0, 1], port).into());
    proxy.down();
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let setup = Setup {
        site: stored::site(o.devices),
        platform: Some((url.clone(), "t".into())),
        influx: Some(url),
        top: MANY_INCIDENTS.into(),
        ..Setup::default()
    };
    let begun = Instant::now();
    let gateway = Gateway::start(dir, &setup);
    println!("\n| after {} h | s |\n|---|---|\n| the gateway's start on that store | {:.2} |", o.hours, begun.elapsed().as_secs_f64());
    // Long enough for the waits to have grown as far as they do for alerts.
    std::thread::sleep(Duration::from_secs(20));
    let mut device = Device { port: gateway.mqtt, seq: 0 };
    proxy.up();
    let up = Instant::now();
    wait_for("the first alert", Duration::from_secs(60), || (receiver.alerts() > 0).then_some(()));
    println!("| first alert, after the return | {:.2} |", up.elapsed().as_secs_f64());
    wait_for("all alerts", Duration::from_secs(120), || (receiver.alerts() as u64 >= left.events).then_some(()));
    println!("| all {} alerts | {:.2} |", left.events, up.elapsed().as_secs_f64());
    wait_for("the first metrics", Duration::from_secs(120), || (receiver.lines() > 0).then_some(()));
    println!("| first metrics | {:.2} |", up.elapsed().as_secs_f64());
    let busy = device.alerts(&receiver, 20);
    let over = if (receiver.lines() as u64) < left.messages { "" } else { " (it was over before)" };
    let new = |when: &str, (median, longest): (f64, f64)| {
        println!("| a new alert {when}: median, longest | {:.3}, {:.3} |", median / 1e3, longest / 1e3)
    };
    new(&format!("while catching up{over}"), busy);
    wait_for("all metrics", Duration::from_secs(1_800), || (receiver.lines() as u64 >= left.messages).then_some(()));
    println!("| all {} messages of metrics | {:.2} |", left.messages, up.elapsed().as_secs_f64());
    std::thread::sleep(Duration::from_secs(3));
    new("without load", device.alerts(&receiver, 20));
}

struct Device {
    port: u16,
    seq: u64,
}

impl Device {
    /// Median and longest of `n` alerts, in milliseconds.
    fn alerts(&mut self, receiver: &Receiver, n: usize) -> (f64, f64) {
        // A connection of its own: a silent one would have been closed meanwhile.
        let mut sender = Sender::connect(self.port, "d1", Some(("bench", PASSWORD))).expect("the broker");
        let mut times = Vec::with_capacity(n);
        for _ in 0..n {
            for co2 in ["2500", "500"] {
                let before = receiver.alerts();
                self.seq += 1;
                let payload = format!(
                    "{{\"v\":1,\"site\":\"site-1\",\"device\":\"d1\",\"boot\":99,\"seq\":{},\"uptime\":{},\"readings\":{{\"co2\":{co2}}}}}",
                    self.seq,
                    self.seq * 100
                );
                let said = Instant::now();
                sender.publish("tuoan/v1/site-1/d1/telemetry", payload.as_bytes()).expect("published");
                let limit = Duration::from_secs(60);
                while receiver.alerts() == before {
                    assert!(said.elapsed() < limit, "an alert did not arrive");
                    std::thread::sleep(Duration::from_micros(200));
                }
                times.push(said.elapsed().as_secs_f64() * 1e3);
            }
        }
        let longest = times.iter().copied().fold(0.0, f64::max);
        (super::median(times), longest)
    }
}
