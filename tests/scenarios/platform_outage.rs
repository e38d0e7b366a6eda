//! The district's platform goes away and comes back, on SQLite and on PostgreSQL; its answers are cut off in the middle.
use std::path::Path;
use std::time::Duration;
use tuoan_tests::harness::audit::{delivered_exactly_once, stored_exactly_once};
use tuoan_tests::harness::gateway::{Gateway, MANY_INCIDENTS, Setup};
use tuoan_tests::harness::platform::Platform;
use tuoan_tests::harness::proxy::Proxy;
use tuoan_tests::harness::servers::Postgres;
use tuoan_tests::harness::traffic::Traffic;
use tuoan_tests::harness::wait_for;

fn away_and_back(dir: &Path, database: Option<&str>) {
    let mut platform = Platform::start(dir, database);
    let proxy = Proxy::start(([127, 0, 0, 1], platform.port).into());
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let setup = Setup { platform: Some((url, platform.token.clone())), top: MANY_INCIDENTS.into(), ..Setup::default() };
    let gateway = Gateway::start(dir, &setup);
    let traffic = Traffic::start(gateway.mqtt, 2, 1);
    let more = |n: u64| {
        let before = traffic.sent();
        wait_for("traffic", Duration::from_secs(60), || (traffic.sent() >= before + n).then_some(()));
    };
    more(500);
    // The answer is lost after the platform has accepted: the same events come again.
    for cut in [1, 40, 200] {
        proxy.cut_after(cut);
        wait_for("an answer to be lost", Duration::from_secs(30), || proxy.has_cut().then_some(()));
        more(100);
    }
    // Nobody listens.
    proxy.down();
    more(1000);
    proxy.up();
    more(300);
    // The process itself is killed.
    platform.kill();
    more(1000);
    platform.restart();
    let devices = traffic.finish();
    stored_exactly_once(&gateway, &devices);
    let events = delivered_exactly_once(&gateway, &platform, Duration::from_secs(150));
    assert!(events > 20, "only {events} incident events: too little to prove anything");
}

#[test]
fn with_sqlite_every_event_arrives_once() {
    let dir = tempfile::tempdir().unwrap();
    away_and_back(dir.path(), None);
}

#[test]
fn with_postgresql_every_event_arrives_once() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(dir.path());
    away_and_back(dir.path(), Some(&postgres.url));
}
