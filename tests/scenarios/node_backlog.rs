//! What a node has measured while its cable was out and nobody had told it the time: it knows its uptime alone. Once it is back the gateway puts each
//! reading where it belongs in time; none looks new.
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tuoan::engine::Body;
use tuoan::engine::input::{Item, Message};
use tuoan::store::Reader;
use tuoan_node_sim::board::Firmware;
use tuoan_node_sim::fleet::{Accounts, Options, run_tcp};
use tuoan_node_sim::script::Script;
use tuoan_protocol::{Quantity, SiteId};
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};

const DAY: &str = r#"
start = "12:00:00"
[[kind]]
name = "d0"
share = 1
look_s = 1
period_s = 1
[kind.measure.temperature]
points = [["00:00", 22.0]]
noise = 0.5
[[fault]]
what = "untold"
at = "00:00"
[[fault]]
what = "cable"
at = "12:00:04"
for_s = 12
"#;

#[test]
fn readings_that_waited_on_a_node_without_time_keep_their_place_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let site = tuoan_tests::harness::gateway::site().replace("id = \"d0\"", "id = \"d0-1\"");
    let gateway = Gateway::start(dir.path(), &Setup { site, ..Setup::default() });
    let utc = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let began = utc();
    let options = Options {
        pin: None,
        site: SiteId::new("site-1").unwrap(),
        nodes: 1,
        accounts: Accounts::One { user: "bench".into(), password: PASSWORD.into() },
        script: Script::parse(DAY).unwrap(),
        speed: 1.0,
        seed: 7,
        work: Duration::from_secs(24),
        drain: Duration::from_secs(20),
        ramp: Duration::ZERO,
        poll_ms: 100,
        utc_ms: began,
        firmware: Firmware::default(),
    };
    let (_stop, stopped) = watch::channel(false);
    let broker = ([127, 0, 0, 1], gateway.mqtt).into();
    let (report, nodes) = std::thread::spawn(move || run_tcp(&options, broker, stopped).unwrap()).join().unwrap();
    assert_eq!((report.lost, report.waiting, report.given_up, report.malformed), (0, 0, 0, 0), "{report:?}");

    let reader = Reader::open(&gateway.dir.join("data")).unwrap();
    let entries = reader.entries_after(0, 10_000).unwrap();
    let measured = |m: &&Message| m.items.iter().any(|i| matches!(i, Item::Reading { quantity: Quantity::Temperature, .. }));
    // Engine time is UTC here: the clock is trusted from the start and does not step.
    let told: Vec<(i64, i64)> = entries
        .iter()
        .filter_map(|e| match &e.body {
            Body::Message(m) if m.device.as_str() == nodes[0].device => Some((e.at, m)).filter(|(_, m)| measured(m)),
            _ => None,
        })
        .map(|(at, m)| (at, m.sampled_at.expect("every reading has its time")))
        .collect();
    let (first, last) = (told.first().unwrap().1, told.last().unwrap().1);
    assert!(last - first > 18_000, "the whole run is covered: {told:?}");
    // One a second, as it was measured, cable or not: the backlog lies in the outage and not at its end.
    let gaps: Vec<i64> = told.windows(2).map(|w| w[1].1 - w[0].1).collect();
    assert!(gaps.iter().all(|gap| (500..3_000).contains(gap)), "{gaps:?}");
    let waited = told.iter().filter(|(at, sampled)| at - sampled > 3_000).count();
    assert!(waited >= 6, "what waited says so: {told:?}");
    assert!(told.iter().all(|(at, sampled)| *sampled >= began - 1_000 && *sampled <= at + 100), "{told:?}");
}
