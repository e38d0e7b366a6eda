//! What the simulated nodes put on the wire: read by `protocol`, the same for the same seed, and whole whatever the script does. In virtual time, against
//! a broker that acknowledges everything.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::Duration;
use tuoan_node::link::packet::{self, Incoming, Version};
use tuoan_node_sim::board::Firmware;
use tuoan_node_sim::cable::Dial;
use tuoan_node_sim::fleet::{Accounts, Options, run};
use tuoan_node_sim::report::{NodeReport, Report};
use tuoan_node_sim::script::Script;
use tuoan_protocol::{DeviceEvent, DeviceTime, Presence, Quantity, SiteId, Status, Telemetry, Wire};

const UTC: i64 = 1_790_000_000_000;

/// Every PUBLISH as (topic, payload), in the order of arrival.
type Log = Rc<RefCell<Vec<(String, Vec<u8>)>>>;

#[derive(Clone, Default)]
struct Broker(Log);
impl Dial for Broker {
    type Line = DuplexStream;
    async fn dial(&self) -> io::Result<DuplexStream> {
        let (node, line) = duplex(4096);
        tokio::task::spawn_local(serve(line, self.0.clone()));
        Ok(node)
    }
}

async fn serve(mut line: DuplexStream, log: Log) -> Option<()> {
    let (mut bytes, mut buf) = (Vec::new(), [0; 1024]);
    loop {
        match line.read(&mut buf).await.ok()? {
            0 => return None,
            n => bytes.extend_from_slice(&buf[..n]),
        }
        while let Some((total, start)) = packet::size(&bytes).unwrap().filter(|(total, _)| *total <= bytes.len()) {
            let packet: Vec<u8> = bytes.drain(..total).collect();
            let answer = match packet[0] >> 4 {
                1 => vec![0x20, 3, 0, 0, 0],
                8 => vec![0x90, 4, packet[start], packet[start + 1], 0, 1],
                12 => vec![0xd0, 0],
                3 => {
                    let Ok(Incoming::Message { topic, payload, id: Some(id), .. }) = packet::read(Version::V5, packet[0], &packet[start..])
                    else {
                        panic!("{packet:?}")
                    };
                    log.borrow_mut().push((topic.to_owned(), payload.to_vec()));
                    packet::acknowledge(id).to_vec()
                }
                kind => panic!("packet {kind}"),
            };
            line.write_all(&answer).await.ok()?;
        }
    }
}

async fn play(script: &str, nodes: usize, speed: f64, work_s: u64, poll_ms: u32) -> (Report, Vec<NodeReport>, Vec<(String, Vec<u8>)>) {
    let options = Options {
        site: SiteId::new("xingyuan").unwrap(),
        nodes,
        accounts: Accounts::One { user: "u".into(), password: "p".into() },
        pin: None,
        script: Script::parse(script).unwrap(),
        speed,
        seed: 7,
        work: Duration::from_secs(work_s),
        drain: Duration::from_secs(120),
        ramp: Duration::from_secs(2),
        poll_ms,
        utc_ms: UTC,
        firmware: Firmware::default(),
    };
    let broker = Broker::default();
    let (_stop, stopped) = watch::channel(false);
    let (report, each) = run(&options, broker.clone(), stopped).await.unwrap();
    let log = broker.0.borrow().clone();
    (report, each, log)
}

/// A room, a door that opens at noon for ten seconds, and a smoke detector.
const DAY: &str = r#"
start = "11:59:30"
[[kind]]
name = "room"
share = 1
look_s = 5
period_s = 20
[kind.measure.temperature]
points = [["00:00", 21.5]]
[kind.measure.humidity]
points = [["00:00", 50.0]]
[kind.measure.co2]
points = [["00:00", 640.0]]
[[kind]]
name = "door"
share = 1
[[kind.contact]]
is = "door"
on = [["12:00:00", "12:00:10"]]
[[kind]]
name = "smoke"
share = 1
[[kind.contact]]
is = "smoke"
on = [["12:00:20", "12:00:40"]]
[[kind.contact]]
is = "panic"
on = [["12:00:30", "12:00:31"]]
"#;

fn telemetry(log: &[(String, Vec<u8>)], device: &str) -> Vec<Telemetry> {
    let topic = format!("tuoan/v1/xingyuan/{device}/telemetry");
    log.iter().filter(|(t, _)| *t == topic).map(|(_, p)| Telemetry::from_cbor(p).unwrap()).collect()
}
/// The changes of a state, as (seconds since the start, state).
fn changes(log: &[(String, Vec<u8>)], device: &str, quantity: &Quantity) -> Vec<(i64, i64)> {
    let mut out: Vec<(i64, i64)> = Vec::new();
    for t in telemetry(log, device) {
        let DeviceTime::Unix(ms) = t.time else { panic!("{t:?}") };
        for r in t.readings.iter().filter(|r| r.quantity == *quantity) {
            if out.last().is_none_or(|last| last.1 != r.value.0) {
                out.push(((ms - UTC) / 1000, r.value.0));
            }
        }
    }
    out
}

#[tokio::test(start_paused = true)]
async fn the_bytes_are_the_protocols_and_always_the_same() {
    let (report, each, log) = play(DAY, 3, 1.0, 90, 5).await;
    assert_eq!((report.malformed, report.waiting, report.lost, report.given_up, report.starved), (0, 0, 0, 0, 0), "{report:?}");
    assert_eq!((report.sent, report.acknowledged), (report.records, report.records));
    assert!(each.iter().all(|n| n.starts.len() == 1 && n.starts[0].sent == n.starts[0].acknowledged));

    // The whole line of one node, to the byte.
    let birth = log.iter().find(|(t, _)| t == "tuoan/v1/xingyuan/room-1/status").unwrap();
    let status = Status::from_cbor(&birth.1).unwrap();
    assert_eq!(
        (status.presence, status.boot, status.period_s, status.model.as_deref()),
        (Presence::Online, Some(UTC as u64), Some(20), Some("room"))
    );
    let first = log.iter().find(|(t, _)| t == "tuoan/v1/xingyuan/room-1/telemetry").unwrap();
    assert_eq!(hex(&first.1), GOLDEN, "the bytes of a room's first telemetry");

    assert_eq!(changes(&log, "door-1", &Quantity::Open), [(0, 0), (30, 1), (40, 0)]);
    let smoke: Vec<_> = changes(&log, "smoke-1", &Quantity::Smoke).iter().map(|c| c.1).collect();
    assert_eq!(smoke, [0, 1, 0]);
    let events: Vec<_> =
        log.iter().filter(|(t, _)| t.ends_with("smoke-1/event")).map(|(_, p)| DeviceEvent::from_cbor(p).unwrap()).collect();
    assert_eq!(events.iter().map(|e| e.kind.name()).collect::<Vec<_>>(), ["panic_pressed"]);

    let again = play(DAY, 3, 1.0, 90, 5).await.2;
    assert_eq!(by_device(&log), by_device(&again), "a seed gives the same bytes again");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
fn by_device(log: &[(String, Vec<u8>)]) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    log.iter().for_each(|(topic, payload)| out.entry(topic.clone()).or_default().push(hex(payload)));
    out
}
/// Site, device, boot, sequence, time, and 640 ppm, 21.50 °C, 50.00 %.
const GOLDEN: &str = concat!(
    "a70001016878696e677975616e0266726f6f6d2d31031b000001a0c4506c000401051b000001a0c450950f07",
    "838363636f3219028000836b74656d706572617475726519086602836868756d696469747919138802"
);

#[tokio::test(start_paused = true)]
async fn through_every_fault_nothing_is_lost_and_the_numbers_stay_whole() {
    let fault = |what: &str, at: &str, more: &str| format!("[[fault]]\nwhat = \"{what}\"\nat = \"{at}\"\nfor_s = 60\n{more}\n");
    let script = [
        DAY.to_owned(),
        fault("crc", "12:01", "node = \"room-1\""),
        fault("missing", "12:01", "node = \"room-2\""),
        fault("cut", "12:01", "node = \"door-1\""),
        fault("chatter", "12:01", "node = \"door-2\""),
        fault("cable", "12:03", ""),
        fault("power", "12:05", ""),
        fault("clock", "12:06:30", "by = 3600.0"),
    ]
    .concat();
    let (report, each, log) = play(&script, 6, 1.0, 600, 20).await;
    assert_eq!((report.malformed, report.waiting, report.lost, report.given_up), (0, 0, 0, 0), "{report:?}");
    assert_eq!(report.starts, 12, "each node was without power once");
    assert!(report.connections >= 18, "and without its cable: {}", report.connections);
    // A record whose acknowledgement the power cut took may come again under the next boot.
    assert!((report.records..=report.records + 24).contains(&report.acknowledged), "{report:?}");
    for node in &each {
        assert_eq!(node.starts.iter().map(|s| s.boot).collect::<Vec<_>>(), [UTC as u64, UTC as u64 + 1], "{}", node.device);
        assert!(node.starts.last().unwrap().acknowledged == node.starts.last().unwrap().sent);
    }
    // In the order of (boot, seq), alarms apart, which overtake.
    for node in ["room-1", "room-2"] {
        let numbers: Vec<_> = telemetry(&log, node).iter().map(|t| (t.boot, t.seq)).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        assert_eq!(numbers, sorted, "{node}");
    }
    for (device, name) in [("room-1", "fault.scd4x.corrupt"), ("room-2", "fault.scd4x.missing"), ("door-1", "fault.contact.cut")] {
        let told = |(t, p): &&(String, Vec<u8>)| {
            t.ends_with(&format!("/{device}/event")) && DeviceEvent::from_cbor(p).unwrap().kind.name() == name
        };
        assert_eq!(log.iter().filter(told).count(), 1, "{device}: {name}");
        let faults: Vec<_> = changes(&log, device, &Quantity::Fault).iter().map(|c| c.1).collect();
        assert_eq!(faults, [1, 0], "{device}");
    }
    let flips = changes(&log, "door-2", &Quantity::Open).len();
    assert!((200..=245).contains(&flips), "{flips} changes of a chattering door");
    // While the chip was broken no value was told.
    let values: Vec<i64> = telemetry(&log, "room-2")
        .iter()
        .filter(|t| t.readings.iter().any(|r| r.quantity == Quantity::Co2))
        .map(|t| match t.time {
            DeviceTime::Unix(ms) => (ms - UTC) / 1000,
            DeviceTime::Uptime(_) => panic!("{t:?}"),
        })
        .collect();
    assert!(!values.iter().any(|s| (90..150).contains(s)), "{values:?}");
    let ahead = telemetry(&log, "room-2").iter().filter(|t| matches!(t.time, DeviceTime::Unix(ms) if ms - UTC > 3_600_000)).count();
    assert!(ahead > 0, "the wrong clock is on the wire");
}

#[tokio::test(start_paused = true)]
async fn a_whole_weekday_of_a_hundred_nodes() {
    let script = include_str!("../scripts/weekday.toml");
    // Twelve hours in six minutes.
    let (report, each, _) = play(script, 100, 120.0, 360, 100).await;
    assert_eq!((report.malformed, report.waiting, report.lost, report.given_up, report.starved), (0, 0, 0, 0, 0), "{report:?}");
    assert!(report.starts > 100 && report.connections > 100, "{report:?}");
    let all: u64 = each.iter().map(|n| n.records).sum();
    assert!(
        all == report.records && each.iter().all(|n| n.records > 5 || n.kind == "panic"),
        "every node spoke but for buttons that nobody pressed"
    );
}
