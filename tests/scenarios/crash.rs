//! kill -9 of the gateway at random points of a stream: what was acknowledged is stored exactly once, every incident event reaches the platform
//! exactly once. 10 rounds, or 100 with LONG_TESTS=1.
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tuoan_tests::harness::audit::{delivered_exactly_once, stored_exactly_once};
use tuoan_tests::harness::gateway::{Gateway, MANY_INCIDENTS, Setup};
use tuoan_tests::harness::platform::Platform;
use tuoan_tests::harness::traffic::Traffic;
use tuoan_tests::harness::wait_for;

/// Random enough for when to pull the plug; printed, so that a failure can be told.
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn killed_at_random_points_nothing_acknowledged_is_lost_or_doubled() {
    let rounds = if std::env::var_os("LONG_TESTS").is_some() { 100 } else { 10 };
    let mut seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64) | 1;
    println!("seed {seed}");
    let dir = tempfile::tempdir().unwrap();
    let platform = Platform::start(dir.path(), None);
    let setup = Setup { platform: Some((platform.url(), platform.token.clone())), top: MANY_INCIDENTS.into(), ..Setup::default() };
    let mut gateway = Gateway::start(dir.path(), &setup);
    let traffic = Traffic::start(gateway.mqtt, 4, 1);
    for _ in 0..rounds {
        let (before, more) = (traffic.sent(), 20 + random(&mut seed) % 2000);
        wait_for("traffic", Duration::from_secs(60), || (traffic.sent() >= before + more).then_some(()));
        std::thread::sleep(Duration::from_micros(random(&mut seed) % 20_000));
        gateway.kill();
        gateway.restart();
    }
    let devices = traffic.finish();
    let acknowledged: usize = devices.iter().map(|d| d.acknowledged.len()).sum();
    assert!(acknowledged > rounds as usize * 20, "only {acknowledged} messages were acknowledged");
    stored_exactly_once(&gateway, &devices);
    let events = delivered_exactly_once(&gateway, &platform, Duration::from_secs(60));
    assert!(events > rounds as usize, "only {events} incident events: too little to prove anything");
    println!("{rounds} rounds, {acknowledged} acknowledged, {events} incident events");
}
