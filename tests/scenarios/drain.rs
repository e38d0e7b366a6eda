//! SIGTERM: what was taken in is stored, delivered or kept, and the next start goes on where this one ended.
use std::time::Duration;
use tuoan_tests::harness::audit::stored_exactly_once;
use tuoan_tests::harness::gateway::{Gateway, Setup};
use tuoan_tests::harness::traffic::Traffic;
use tuoan_tests::harness::wait_for;

#[test]
fn a_terminated_gateway_ends_cleanly_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(dir.path(), &Setup::default());
    let traffic = Traffic::start(gateway.mqtt, 4, 1);
    wait_for("traffic", Duration::from_secs(30), || (traffic.sent() > 2000).then_some(()));
    assert_eq!(gateway.process().terminate(Duration::from_secs(15)), Some(0), "{}", gateway.log());
    gateway.restart();
    let before = traffic.sent();
    wait_for("traffic", Duration::from_secs(30), || (traffic.sent() > before + 500).then_some(()));
    let devices = traffic.finish();
    stored_exactly_once(&gateway, &devices);
}
