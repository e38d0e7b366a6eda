//! Off-the-shelf devices of eight conventions and more at once, without a line of configuration about any of them: what was captured of each is
//! published to the real gateway. Each device is one device, with its make or model and what it measures; nothing is left that nobody understood.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use tuoan::engine::Body;
use tuoan::engine::input::Item;
use tuoan::store::Reader;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};
use tuoan_tests::harness::mqtt::Sender;

/// A user of the broker who may publish what all of them publish; the harness's password.
const EVERYTHING: &str = "[[broker.user]]\nname = \"everything\"\n\
    password_sha256 = \"62249369389075490555a758353aec61500c6218fa597252d52dc4bd0148f12d\"\npublish = [\"#\"]\n";

#[derive(serde::Deserialize)]
struct Captured {
    name: String,
    topic: String,
    payload: String,
}

fn captured(convention: &str) -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/fixtures/decode").join(convention);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    let text: String = files.iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Captures that are broken, or that only make sense before or after others: their decoders' own tests hold them.
const LEFT_OUT: [&str; 6] = ["reader-json-broken", "pm-mini-mqtt", "removed", "leave", "count-before-the-camera-is-known", "snapshot"];

#[test]
fn devices_of_many_conventions_are_understood_without_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), &Setup { more: EVERYTHING.to_owned(), ..Setup::default() });
    let mut sender = Sender::connect(gateway.mqtt, "everything", Some(("everything", PASSWORD))).unwrap();
    // Their ids begin so.
    let conventions = [
        ("zigbee2mqtt", "z2m."),
        ("tasmota", "tasmota."),
        ("shelly", "shelly."),
        ("frigate", "frigate."),
        ("onvif", "onvif."),
        ("hikvision", "hikvision."),
        ("pulse", "meter."),
        ("esphome", "esphome."),
    ];
    let native = br#"{"v":1,"site":"site-1","device":"th-1","boot":1,"seq":1,"uptime":1,"readings":{"temperature":21.5}}"#;
    sender.publish_and_wait("tuoan/v1/site-1/th-1/telemetry", native).unwrap();
    let list = include_str!("../../gateway/tests/fixtures/decode/zigbee2mqtt/bridge-devices.json");
    sender.publish_and_wait("zigbee2mqtt/bridge/devices", list.as_bytes()).unwrap();
    // A message from each in turn, as they come in a building.
    let mut sessions: Vec<_> = conventions.iter().map(|(c, _)| captured(c).into_iter()).collect();
    loop {
        let round: Vec<Captured> = sessions.iter_mut().filter_map(Iterator::next).collect();
        if round.is_empty() {
            break;
        }
        for c in round.iter().filter(|c| !LEFT_OUT.contains(&c.name.as_str())) {
            sender.publish_and_wait(&c.topic, c.payload.as_bytes()).unwrap_or_else(|e| panic!("{}: {e}", c.name));
        }
    }

    let reader = Reader::open(&dir.path().join("data")).unwrap();
    let left: Vec<String> = reader.quarantine(100).unwrap().iter().map(|r| format!("{}: {}", r.message.topic, r.message.reason)).collect();
    assert!(left.is_empty(), "not understood:\n{}", left.join("\n"));
    // Described at any time: at the end a bridge's list may have let its devices go.
    let (mut described, mut measured): (BTreeSet<String>, BTreeMap<String, BTreeSet<String>>) = Default::default();
    for entry in reader.entries_after(0, 10_000).unwrap().iter() {
        match &entry.body {
            Body::Inventory(list) => {
                for info in list {
                    let id = info.device.as_ref().unwrap().to_string();
                    if info.removed {
                        measured.remove(&id);
                        continue;
                    }
                    if info.make.is_some() || info.model.is_some() {
                        described.insert(id);
                    }
                }
            }
            Body::Message(m) => {
                let of = measured.entry(m.device.to_string()).or_default();
                of.extend(m.items.iter().filter_map(|i| match i {
                    Item::Reading { quantity, .. } => Some(quantity.name().to_owned()),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    for (convention, prefix) in conventions {
        let own: Vec<_> = measured.iter().filter(|(id, q)| id.starts_with(prefix) && !q.is_empty()).collect();
        assert!(!own.is_empty(), "{convention}: no readings");
        let described = described.iter().any(|id| id.starts_with(prefix));
        assert!(described || convention == "esphome", "{convention}: no device with make and model");
    }
    // One device under several spellings would stand here twice.
    let lower: BTreeSet<String> = measured.keys().map(|id| id.to_lowercase()).collect();
    assert_eq!(lower.len(), measured.len());
    for (id, quantity) in [
        ("tasmota.F1.18temphumco2", "co2"),
        ("shelly.shellyplussmoke-a0a3b3b8ae48", "smoke"),
        ("shelly.blu.38398f74b14f", "battery"),
        ("shelly.shelly3em63g3-84fce6367400", "energy"),
        ("frigate.frigate.front_cam", "presence"),
        ("onvif.00408C123456", "motion"),
        ("hikvision.nvr.ch34", "motion"),
        ("meter.wmbus.76348799", "water_volume"),
        ("th-1", "temperature"),
    ] {
        assert!(measured.get(id).is_some_and(|q| q.contains(quantity)), "{id}: {quantity} is missing: {:?}", measured.get(id));
    }
}

/// A detector is announced once, perhaps years ago, and the broker keeps that: after each restart of the gateway it must still be known by it.
#[test]
fn what_discovery_has_announced_is_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(dir.path(), &Setup { more: EVERYTHING.to_owned(), ..Setup::default() });
    let connect = |gateway: &Gateway| Sender::connect(gateway.mqtt, "everything", Some(("everything", PASSWORD))).unwrap();
    let config = br#"{"unique_id":"attic_smoke","name":"Smoke","device_class":"smoke","state_topic":"diy/attic/smoke","device":{"identifiers":["attic"]}}"#;
    connect(&gateway).retain_and_wait("homeassistant/binary_sensor/attic/smoke/config", config).unwrap();
    assert_eq!(gateway.process().terminate(Duration::from_secs(20)), Some(0));
    gateway.restart();
    connect(&gateway).publish_and_wait("diy/attic/smoke", b"ON").unwrap();
    let reader = Reader::open(&dir.path().join("data")).unwrap();
    let left: Vec<String> = reader.quarantine(100).unwrap().iter().map(|r| format!("{}: {}", r.message.topic, r.message.reason)).collect();
    assert!(left.is_empty(), "not understood:\n{}", left.join("\n"));
    let entries = reader.entries_after(0, 10_000).unwrap();
    let smoke = entries.iter().any(|e| match &e.body {
        Body::Message(m) => {
            m.items.iter().any(|i| matches!(i, Item::Reading { quantity, value, .. } if quantity.name() == "smoke" && value.0 == 1))
        }
        _ => false,
    });
    assert!(smoke, "the smoke is not in the log");
}
