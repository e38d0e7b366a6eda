//! Behind a Mosquitto: it restarts, the gateway is killed, and nothing that the gateway acknowledged to it is lost or doubled.
use std::time::Duration;
use tuoan_tests::harness::audit::stored_exactly_once;
use tuoan_tests::harness::gateway::{Gateway, Setup};
use tuoan_tests::harness::servers::Mosquitto;
use tuoan_tests::harness::traffic::Traffic;
use tuoan_tests::harness::wait_for;

#[test]
fn broker_restarts_and_gateway_kills_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // A stock Mosquitto keeps 1,000 messages for an absent session; the doctor says so, and here it is set as the doctor says.
    let mut mosquitto = Mosquitto::start(dir.path(), "max_queued_messages 0");
    let mut gateway = Gateway::start(dir.path(), &Setup { outside_broker: Some(mosquitto.port), ..Setup::default() });
    let traffic = Traffic::start(mosquitto.port, 4, 1);
    let more = |n: u64| {
        let before = traffic.sent();
        wait_for("traffic", Duration::from_secs(60), || (traffic.sent() >= before + n).then_some(()));
    };
    more(1000);
    gateway.kill();
    more(1500);
    gateway.restart();
    more(1000);
    mosquitto.stop();
    mosquitto.start_again();
    more(1000);
    gateway.kill();
    gateway.restart();
    more(500);
    let devices = traffic.finish();
    let acknowledged: u64 = devices.iter().map(|d| d.acknowledged.len() as u64).sum();
    let reader = tuoan::store::Reader::open(&gateway.dir.join("data")).unwrap();
    wait_for("all to be stored", Duration::from_secs(60), || (reader.counts().ok()?.messages >= acknowledged).then_some(()));
    stored_exactly_once(&gateway, &devices);
}
