//! What a hostile or broken network sends: the gateway answers clearly, counts it, and goes on.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup, get};
use tuoan_tests::harness::mqtt::Sender;
use tuoan_tests::harness::wait_for;

/// Deterministic noise.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut x = seed | 1;
    (0..length)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 32) as u8
        })
        .collect()
}

fn throw(port: u16, bytes: &[u8]) {
    if let Ok(mut s) = TcpStream::connect(("127.0.0.1", port)) {
        let _ = s.set_read_timeout(Some(Duration::from_millis(200)));
        let _ = s.write_all(bytes);
        let _ = s.read(&mut [0u8; 256]);
    }
}

#[test]
fn noise_on_every_port_hurts_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(dir.path(), &Setup::default());
    for seed in 1..40 {
        throw(gateway.mqtt, &noise(seed, 700));
        throw(gateway.web, &noise(seed, 700));
    }
    for bytes in [
        &b"\x10\xff\xff\xff\x7f"[..],
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00",
        b"\x10\x02\x00\x04",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        throw(gateway.mqtt, bytes);
        throw(gateway.web, bytes);
    }
    assert!(gateway.process().running());
    let mut sender = Sender::connect(gateway.mqtt, "d0", Some(("bench", PASSWORD))).expect("a good client still gets in");
    sender
        .publish_and_wait(
            "tuoan/v1/site-1/d0/telemetry",
            br#"{"v":1,"site":"site-1","device":"d0","boot":1,"seq":1,"uptime":1,"readings":{"co2":1}}"#,
        )
        .unwrap();
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}

#[test]
fn malformed_messages_go_to_the_quarantine_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(dir.path(), &Setup::default());
    let mut sender = Sender::connect(gateway.mqtt, "d0", Some(("bench", PASSWORD))).unwrap();
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let topic = "tuoan/v1/site-1/d0/telemetry";
    let bad: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"null".to_vec(),
        deep.into_bytes(),
        br#"{"v":9,"site":"site-1","device":"d0","boot":1,"seq":1,"uptime":1,"readings":{}}"#.to_vec(),
        br#"{"v":1,"site":"site-1","device":"other","boot":1,"seq":1,"uptime":1,"readings":{"co2":1}}"#.to_vec(),
        br#"{"v":1,"site":"site-1","device":"d0","boot":1,"seq":1,"uptime":1,"readings":{"co2":1e999}}"#.to_vec(),
        br#"{"v":1,"site":"site-1","device":"d0","boot":1,"seq":1,"uptime":1,"readings":{"smoke":3}}"#.to_vec(),
        b"\xff\xfe\xfd".to_vec(),
        noise(5, 2000),
    ];
    for payload in &bad {
        sender.publish_and_wait(topic, payload).expect("acknowledged: it is safe in the quarantine");
    }
    // Nothing at all is no mistake: it is how a retained message is cleared.
    sender.publish_and_wait(topic, b"").expect("acknowledged");
    sender.publish_and_wait("zigbee2mqtt/x\u{1b}[31my", b"{}").ok();
    let reader = tuoan::store::Reader::open(&gateway.dir.join("data")).unwrap();
    let rows = reader.quarantine(100).unwrap();
    let mine: Vec<_> = rows.iter().filter(|r| r.message.topic == topic).collect();
    assert_eq!(mine.len(), bad.len());
    assert!(mine.iter().all(|r| r.message.reason.len() > 10), "{:?}", mine.iter().map(|r| &r.message.reason).collect::<Vec<_>>());
    assert_eq!(reader.counts().unwrap().messages, 0);
    assert!(gateway.process().running());
    assert!(!gateway.log().contains("panicked"));
}

#[test]
fn an_unclaimed_box_shows_nothing_but_its_claim_page() {
    let dir = tempfile::tempdir().unwrap();
    // As a box that has its code on a label.
    let environment = vec![("TUOAN_CLAIM_CODE".to_owned(), "ABCD-EFGH".to_owned())];
    let gateway = Gateway::start(dir.path(), &Setup { environment, ..Setup::default() });
    assert!(gateway.log().contains("ABCD-EFGH"), "{}", gateway.log());
    for path in ["/", "/incidents/x", "/fragment/zones", "/events", "/api/v1/view", "/quarantine"] {
        let (code, body) = get(&format!("http://127.0.0.1:{}{path}", gateway.web)).unwrap();
        assert!(code != 200 || !body.contains("活动室"), "{path} shows the site to a stranger: {code}");
    }
}

#[test]
fn a_flood_of_messages_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(dir.path(), &Setup::default());
    let mut sender = Sender::connect(gateway.mqtt, "d0", Some(("bench", PASSWORD))).unwrap();
    // Devices nobody has heard of, each with a new name; the broker lets this user speak for the whole site.
    for n in 0..5_000u32 {
        let payload = format!(r#"{{"v":1,"site":"site-1","device":"x{n}","boot":1,"seq":1,"uptime":1,"readings":{{"q{n}":1}}}}"#);
        sender.publish_and_wait(&format!("tuoan/v1/site-1/x{n}/telemetry"), payload.as_bytes()).unwrap();
    }
    let (rss, _) = gateway.process().memory_kib();
    assert!(rss < 128 * 1024, "{rss} KiB");
    wait_for("the gateway to answer", Duration::from_secs(5), || {
        get(&format!("http://127.0.0.1:{}/healthz", gateway.web)).filter(|(c, _)| *c == 200)
    });
}
