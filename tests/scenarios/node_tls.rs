//! Nodes with the firmware's own library over TLS: to the gateway whose key they were told they deliver, and to nobody else do they say a word.
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tuoan_node_sim::Pin;
use tuoan_node_sim::board::Firmware;
use tuoan_node_sim::fleet::{Accounts, Options, run_tcp};
use tuoan_node_sim::report::Report;
use tuoan_node_sim::script::Script;
use tuoan_protocol::SiteId;
use tuoan_tests::harness::free_port;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};

const NODES: usize = 8;
const DAY: &str = r#"
start = "12:00:00"
[[kind]]
name = "d"
share = 3
look_s = 1
period_s = 1
[kind.measure.temperature]
points = [["00:00", 22.0]]
[kind.measure.humidity]
points = [["00:00", 50.0]]
[[kind]]
name = "panic"
share = 1
[[kind.contact]]
is = "panic"
on = [["12:00:02", "12:00:03"]]
"#;

fn fleet(to: SocketAddr, pin: Pin, work_s: u64) -> Report {
    let utc_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let options = Options {
        firmware: Firmware::default(),
        site: SiteId::new("site-1").unwrap(),
        nodes: NODES,
        accounts: Accounts::One { user: "bench".into(), password: PASSWORD.into() },
        pin: Some(pin),
        script: Script::parse(DAY).unwrap(),
        speed: 1.0,
        seed: 3,
        work: Duration::from_secs(work_s),
        drain: Duration::from_secs(if work_s > 4 { 20 } else { 0 }),
        ramp: Duration::from_millis(500),
        poll_ms: 20,
        utc_ms,
    };
    let (_stop, stopped) = watch::channel(false);
    let (report, _) = run_tcp(&options, to, stopped).unwrap();
    println!("{report:?}");
    report
}

fn gateway(dir: &std::path::Path) -> (Gateway, SocketAddr) {
    let secure = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let setup = Setup { broker: format!("tls = {{ listen = \"{secure}\" }}"), ..Setup::default() };
    (Gateway::start(dir, &setup), secure)
}

/// What nodes say to whoever answers at an address, until they hang up.
fn eavesdrop() -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Vec<u8>>>>::default());
    let log = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, log) = (stream.unwrap(), log.clone());
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
                let _ = stream.read_to_end(&mut bytes);
                log.lock().unwrap().push(bytes);
            });
        }
    });
    (address, heard)
}

#[test]
fn nodes_speak_to_their_own_gateway_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut own, secure) = gateway(dir.path());
    let pin = own.pin();

    let report = fleet(secure, pin.clone(), 5);
    assert_eq!((report.lost, report.waiting, report.given_up, report.malformed), (0, 0, 0, 0));
    assert!(report.acknowledged > NODES as u64 * 3 && report.acknowledged == report.sent, "{report:?}");
    assert_eq!(report.connections, NODES as u64);

    // Another gateway, even at the same address and with the same passwords: its key is another.
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, there) = gateway(elsewhere.path());
    let report = fleet(there, pin.clone(), 3);
    assert_eq!((report.connections, report.sent), (0, 0));
    assert_eq!(report.ends.keys().map(String::as_str).collect::<Vec<_>>(), ["Stranger"]);
    assert!(!other.log().contains("connection refused"), "nobody got as far as a name and a password");

    // The plain port: it is no way back.
    let report = fleet(([127, 0, 0, 1], own.mqtt).into(), pin.clone(), 3);
    assert_eq!((report.connections, report.sent), (0, 0));
    let (address, heard) = eavesdrop();
    fleet(address, pin.clone(), 3);
    let heard = heard.lock().unwrap().clone();
    assert!(heard.len() >= NODES, "{}", heard.len());
    for bytes in heard {
        assert!(bytes.starts_with(&[22, 3, 1]), "a ClientHello, or nothing");
        let length = 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        assert_eq!(bytes.len(), length, "and nothing after it");
        assert!(!bytes.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()));
    }

    // The gateway's key outlives its restart.
    own.kill();
    own.restart();
    assert_eq!(own.pin(), pin);
    assert_eq!(fleet(secure, pin, 5).connections, NODES as u64);
}
