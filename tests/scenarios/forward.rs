//! The outside is gone for 72 hours and comes back. The hours are in the store, as the real engine and writer left them; the gateway, the
//! platform and the way between them are real.
use std::time::{Duration, Instant};
use tuoan_tests::harness::audit::delivered_exactly_once;
use tuoan_tests::harness::gateway::{Gateway, MANY_INCIDENTS, Setup, get};
use tuoan_tests::harness::platform::Platform;
use tuoan_tests::harness::proxy::Proxy;
use tuoan_tests::harness::stored::{self, Past};
use tuoan_tests::harness::traffic::Traffic;
use tuoan_tests::harness::wait_for;

#[test]
fn what_three_days_have_left_arrives_once_and_alerts_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let left =
        stored::write(&dir.path().join("data"), stored::now() - 60_000, &Past { hours: 72, devices: 16, every_s: 120, alert_every_s: 240 });
    assert!(left.events > 1_500, "only {} events: too little to prove anything", left.events);
    let platform = Platform::start(dir.path(), None);
    let proxy = Proxy::start(([127, 0, 0, 1], platform.port).into());
    proxy.down();
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let setup =
        Setup { site: stored::site(16), platform: Some((url, platform.token.clone())), top: MANY_INCIDENTS.into(), ..Setup::default() };
    let mut gateway = Gateway::start(dir.path(), &setup);
    wait_for("the backlog to be shown", Duration::from_secs(20), || {
        (gateway.metric("tuoan_delivery_backlog_records") >= left.events as f64).then_some(())
    });
    // Long enough for the waits to have grown as far as they do.
    std::thread::sleep(Duration::from_secs(8));
    proxy.up();
    let back = Instant::now();
    let any = || platform.query("/v1/events?site=site-1&after=0&limit=1")["events"].as_array().is_some_and(|e| !e.is_empty());
    wait_for("the first alert", Duration::from_secs(10), || any().then_some(()));
    // Two seconds are promised; the machine that runs this may be busy.
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());

    // Killed while it catches up, and again while new incidents come.
    gateway.kill();
    gateway.restart();
    let traffic = Traffic::start(gateway.mqtt, 2, 1);
    let before = traffic.sent();
    wait_for("traffic", Duration::from_secs(60), || (traffic.sent() >= before + 300).then_some(()));
    gateway.kill();
    gateway.restart();
    traffic.finish();
    let events = delivered_exactly_once(&gateway, &platform, Duration::from_secs(90));
    assert!(events as u64 > left.events);
    let (code, health) = get(&format!("http://127.0.0.1:{}/healthz", gateway.web)).unwrap();
    assert!(code == 200 && health.contains("hours_left"), "{health}");
}
