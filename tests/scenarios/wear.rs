//! Wear mode for SD cards: routine telemetry waits for company, an alarm never does, and what is acknowledged is on disk.
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tuoan_tests::harness::audit::stored_exactly_once;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};
use tuoan_tests::harness::mqtt::{Incoming, Sender};
use tuoan_tests::harness::traffic::Device;

fn telemetry(device: &str, seq: u64, readings: &str) -> (String, String) {
    (
        format!("tuoan/v1/site-1/{device}/telemetry"),
        format!(
            "{{\"v\":1,\"site\":\"site-1\",\"device\":\"{device}\",\"boot\":1,\"seq\":{seq},\"uptime\":{seq},\"readings\":{{{readings}}}}}"
        ),
    )
}

#[test]
fn routine_waits_and_smoke_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(dir.path(), &Setup { more: "[store]\nwear_mode = true\n".into(), ..Setup::default() });
    let connect = |id: &str| Sender::connect(gateway.mqtt, id, Some(("bench", PASSWORD))).unwrap();
    let (mut climate, mut detector) = (connect("d1"), connect("smoke-1"));
    let (mut routine, mut smoke) = (Device::new("d1", 1), Device::new("smoke-1", 1));
    // Something else may have to be committed at any moment, and the routine message rides along; a busy machine may stand still. Neither
    // happens at every attempt.
    let mut seen = Vec::new();
    for seq in 1..=5 {
        let (topic, payload) = telemetry("d1", seq, "\"co2\":500");
        let id = climate.publish(&topic, payload.as_bytes()).unwrap();
        climate.read_timeout(Duration::from_millis(500)).unwrap();
        let early = match climate.incoming() {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
            other => {
                assert_eq!(other.unwrap(), Incoming::PubAck(id));
                true
            }
        };
        let begun = Instant::now();
        let (topic, payload) = telemetry("smoke-1", seq, "\"smoke\":true");
        detector.publish_and_wait(&topic, payload.as_bytes()).expect("smoke is acknowledged");
        smoke.acknowledged.insert(seq);
        let smoke_took = begun.elapsed();
        if !early {
            // The commit of the alarm has carried it to the disk.
            climate.read_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(climate.incoming().unwrap(), Incoming::PubAck(id));
        }
        routine.acknowledged.insert(seq);
        seen.push((early, smoke_took));
    }
    // Alone it would have waited for 2 s, and 500 ms of them were over.
    assert!(seen.iter().any(|(early, took)| !early && *took < Duration::from_secs(1)), "{seen:?}");
    // By itself it does not wait for ever.
    let (topic, payload) = telemetry("d1", 6, "\"co2\":501");
    climate.publish_and_wait(&topic, payload.as_bytes()).expect("acknowledged without an alarm");
    routine.acknowledged.insert(6);
    gateway.kill();
    gateway.restart();
    stored_exactly_once(&gateway, &[routine, smoke]);
}
