//! A message that nobody understands: it is kept with the reason, shown, and stored once the configuration explains it.
use std::path::Path;
use std::time::Duration;
use tuoan::engine::Body;
use tuoan::store::Reader;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};
use tuoan_tests::harness::mqtt::Sender;
use tuoan_tests::harness::tuoan;

const MAPPING: &str = r#"
[[mapping]]
name = "kit"
topic = "kit/{room}/{device}/env"
device = "{room}.{device}"
seq = "/n"
boot = 1
readings = [{ pointer = "/temp", quantity = "temperature", unit = "°C" }]
"#;

/// The lines of `tuoan quarantine list`, newest first, each cut into its fields.
fn list(data: &Path) -> Vec<Vec<String>> {
    let o = tuoan(&["quarantine", "list", "--data", data.to_str().unwrap()]);
    assert_eq!(o.code, Some(0), "{o:?}");
    o.out.lines().map(|l| l.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn an_unknown_topic_is_kept_shown_and_replayed_with_a_mapping() {
    let dir = tempfile::tempdir().unwrap();
    let (data, config) = (dir.path().join("data"), dir.path().join("tuoan.toml"));
    let mut gateway = Gateway::start(dir.path(), &Setup::default());
    let mut sender = Sender::connect(gateway.mqtt, "kit", Some(("bench", PASSWORD))).unwrap();
    sender.publish_and_wait("kit/room1/t-9/env", br#"{"temp":21.5,"n":1}"#).expect("acknowledged: it is safe in the quarantine");
    sender.publish_and_wait("kit/elsewhere", b"?\x1b[2J").expect("acknowledged");

    let rows = list(&data);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((rows[1][2].as_str(), rows[0][2].as_str()), ("kit/room1/t-9/env", "kit/elsewhere"));
    assert!(rows.iter().all(|r| r[4].contains("[[mapping]]")), "the reason says what to do: {rows:?}");
    let shown = tuoan(&["quarantine", "show", &rows[1][0], "--data", data.to_str().unwrap()]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.out.contains(r#"{"temp":21.5,"n":1}"#) && shown.out.contains("kit/room1/t-9/env"), "{}", shown.out);
    let hostile = tuoan(&["quarantine", "show", &rows[0][0], "--data", data.to_str().unwrap()]);
    assert!(!hostile.out.contains('\x1b'), "a stranger's control characters reach the terminal: {hostile:?}");
    let missing = tuoan(&["quarantine", "show", "999", "--data", data.to_str().unwrap()]);
    assert!(missing.code == Some(1) && missing.err.contains("999"), "{missing:?}");

    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + MAPPING).unwrap();
    let replay = || tuoan(&["quarantine", "replay", "--config", config.to_str().unwrap()]);
    // Two writers would break the order of the log.
    let running = replay();
    assert!(running.code == Some(1) && list(&data).len() == 2, "{running:?}");
    assert!(running.err.contains("gateway"), "the message does not say who has the database: {}", running.err);

    assert_eq!(gateway.process().terminate(Duration::from_secs(15)), Some(0), "{}", gateway.log());
    let replayed = replay();
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    assert!(replayed.out.contains("1 of 2 understood"), "{}", replayed.out);
    let left = list(&data);
    assert_eq!(left.iter().map(|r| r[2].as_str()).collect::<Vec<_>>(), ["kit/elsewhere"]);
    let stored = || {
        let reader = Reader::open(&data).unwrap();
        let entries = reader.entries_after(0, 1000).unwrap();
        entries.iter().filter(|e| matches!(&e.body, Body::Message(m) if m.device.as_str() == "room1.t-9" && m.seq == Some(1))).count()
    };
    assert_eq!(stored(), 1);

    // The running gateway knows the mapping too, and the message when it comes again.
    gateway.restart();
    let mut sender = Sender::connect(gateway.mqtt, "kit", Some(("bench", PASSWORD))).unwrap();
    sender.publish_and_wait("kit/room1/t-9/env", br#"{"temp":21.5,"n":1}"#).unwrap();
    sender.publish_and_wait("kit/room1/t-9/env", br#"{"temp":21.6,"n":2}"#).unwrap();
    assert_eq!(list(&data).len(), 1);
    assert_eq!((stored(), Reader::open(&data).unwrap().counts().unwrap().messages), (1, 2));
}
