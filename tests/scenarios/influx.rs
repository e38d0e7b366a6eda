//! Readings reach a real InfluxDB 2, also when it was away.
use std::time::Duration;
use tuoan_tests::harness::gateway::{Gateway, Setup};
use tuoan_tests::harness::servers::Influxd;
use tuoan_tests::harness::traffic::Traffic;
use tuoan_tests::harness::wait_for;

#[test]
fn every_reading_is_there_after_an_outage() {
    let dir = tempfile::tempdir().unwrap();
    let mut influxd = Influxd::start(dir.path());
    let gateway = Gateway::start(dir.path(), &Setup { influx: Some(influxd.url()), ..Setup::default() });
    let traffic = Traffic::start(gateway.mqtt, 2, 1);
    let more = |n: u64| {
        let before = traffic.sent();
        wait_for("traffic", Duration::from_secs(60), || (traffic.sent() >= before + n).then_some(()));
    };
    more(500);
    influxd.kill();
    more(1000);
    influxd.start_again();
    more(200);
    let devices = traffic.finish();
    let co2: u64 = devices.iter().filter(|d| d.id != "smoke-1").map(|d| d.acknowledged.len() as u64).sum();
    let smoke: u64 = devices.iter().filter(|d| d.id == "smoke-1").map(|d| d.acknowledged.len() as u64).sum();
    // Two readings of one device within a millisecond are two points: the log position is in the nanoseconds.
    for (field, sent) in [("co2", co2), ("smoke", smoke)] {
        wait_for("every reading to be in InfluxDB", Duration::from_secs(90), || (influxd.count("reading", field) >= sent).then_some(()));
        assert_eq!(influxd.count("reading", field), sent);
    }
    assert_eq!(gateway.metric("tuoan_delivery_set_aside_total"), 0.0);
}
