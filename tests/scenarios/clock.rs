//! The wall clock jumps while messages flow: nothing is lost, no hold time breaks, and the log's time never goes back.
use std::time::Duration;
use tuoan_tests::harness::audit::stored_exactly_once;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};
use tuoan_tests::harness::mqtt::Sender;
use tuoan_tests::harness::shim::Shim;
use tuoan_tests::harness::traffic::Traffic;
use tuoan_tests::harness::wait_for;

#[test]
fn jumps_forward_back_and_to_1970_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let shim = Shim::build(dir.path());
    let mut gateway = Gateway::start(dir.path(), &Setup { environment: shim.environment(), ..Setup::default() });
    let traffic = Traffic::start(gateway.mqtt, 2, 1);
    let more = |n: u64| {
        let before = traffic.sent();
        wait_for("traffic", Duration::from_secs(60), || (traffic.sent() >= before + n).then_some(()));
    };
    const YEARS: i64 = 50 * 365 * 86_400_000;
    for ahead in [3_600_000, -3_600_000, -YEARS, 0] {
        shim.clock_ahead(ahead);
        more(400);
    }
    // It comes up in 1970, as a board without a battery does.
    shim.clock_ahead(-YEARS);
    gateway.kill();
    gateway.restart();
    more(200);
    shim.clock_ahead(0);
    more(200);
    let devices = traffic.finish();
    stored_exactly_once(&gateway, &devices);
    let reader = tuoan::store::Reader::open(&gateway.dir.join("data")).unwrap();
    let (mut last, mut after, mut steps) = (i64::MIN, 0, 0);
    loop {
        let entries = reader.entries_after(after, 10_000).unwrap();
        let Some(position) = entries.last_position() else { break };
        after = position;
        for e in entries.iter() {
            assert!(e.at >= last, "engine time went back at {}", e.position);
            last = e.at;
            steps += usize::from(matches!(e.body, tuoan::engine::Body::Clock { .. }));
        }
    }
    assert!(steps >= 5, "only {steps} clock steps are in the log");
}

#[test]
fn a_door_held_open_across_a_jump_is_judged_by_elapsed_time() {
    let dir = tempfile::tempdir().unwrap();
    let shim = Shim::build(dir.path());
    let gateway = Gateway::start(dir.path(), &Setup { environment: shim.environment(), ..Setup::default() });
    let mut door =
        wait_for("the broker", Duration::from_secs(10), || Sender::connect(gateway.mqtt, "door-1", Some(("bench", PASSWORD))).ok());
    let payload = r#"{"v":1,"site":"site-1","device":"door-1","boot":1,"seq":1,"uptime":1,"readings":{"open":true}}"#;
    door.publish_and_wait("tuoan/v1/site-1/door-1/telemetry", payload.as_bytes()).unwrap();
    // An hour by the wall clock, a moment by the engine's.
    shim.clock_ahead(3_600_000);
    let reader = tuoan::store::Reader::open(&gateway.dir.join("data")).unwrap();
    let steps = || reader.entries_after(0, 1000).unwrap().iter().filter(|e| matches!(e.body, tuoan::engine::Body::Clock { .. })).count();
    wait_for("the step to be logged", Duration::from_secs(10), || (steps() >= 2).then_some(()));
    let held = reader.incidents(&tuoan::store::IncidentFilter { hazard: Some("door.held_open".into()), ..Default::default() }, 10).unwrap();
    assert!(held.is_empty(), "the door was open for less than a minute");
}
