//! Sirens off the shelf, with the uplink down: smoke, and a relay that speaks Tasmota and a siren behind Zigbee2MQTT get their orders in their own
//! words, again and again until they report that they sound; then no more. Acknowledged natively by nobody: they know nothing of us.
use std::time::{Duration, Instant};
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup, site};
use tuoan_tests::harness::mqtt::{Incoming, Sender};

/// The harness's password.
const USERS: &str = "[[broker.user]]\nname = \"devices\"\n\
    password_sha256 = \"62249369389075490555a758353aec61500c6218fa597252d52dc4bd0148f12d\"\n\
    publish = [\"stat/#\", \"tele/#\", \"zigbee2mqtt/#\"]\nsubscribe = [\"cmnd/#\", \"zigbee2mqtt/+/set\"]\n";

const PLACED: &str = r#"
[[devices]]
id = "tasmota.horn"
zone = "exit"
role = "siren"
channel = 1
[[devices]]
id = "z2m.0x00158d0001234567"
zone = "exit"
role = "siren"
[[devices]]
id = "tasmota.lamp"
zone = "exit"
role = "beacon"
"#;

const BRIDGE: &str = r#"[{"ieee_address":"0x00158d0001234567","friendly_name":"门口警号","type":"Router","definition":{"model":"S1","vendor":"V",
    "description":"Siren","exposes":[{"type":"binary","name":"alarm","property":"alarm","access":3,"value_on":"ON","value_off":"OFF"}]}}]"#;

/// An order is repeated every five seconds.
const REPEAT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);

/// Orders that arrive until `limit` has passed or `enough` says so.
fn orders(device: &mut Sender, limit: Duration, mut enough: impl FnMut(&[(String, String)]) -> bool) -> Vec<(String, String)> {
    let (end, mut list) = (Instant::now() + limit, Vec::new());
    while !enough(&list) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        device.read_timeout(left.max(Duration::from_millis(1))).unwrap();
        if let Ok(Incoming::Publish { topic, payload, .. }) = device.incoming() {
            list.push((topic, String::from_utf8(payload).unwrap()));
        }
    }
    device.read_timeout(LONG).unwrap();
    list
}

fn count(list: &[(String, String)], topic: &str, payload: &str) -> usize {
    list.iter().filter(|(t, p)| t == topic && p == payload).count()
}

#[test]
fn sirens_of_other_makes_sound_without_an_uplink_until_they_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let setup = Setup {
        site: site() + PLACED,
        // Nobody is there.
        platform: Some(("http://127.0.0.1:9".into(), "token".into())),
        more: USERS.into(),
        ..Setup::default()
    };
    let gateway = Gateway::start(dir.path(), &setup);
    let connect = |name: &str| Sender::connect(gateway.mqtt, name, Some(("devices", PASSWORD))).unwrap();
    let (mut tasmota, mut zigbee) = (connect("tasmota"), connect("zigbee"));
    zigbee.retain_and_wait("zigbee2mqtt/bridge/devices", BRIDGE.as_bytes()).unwrap();
    tasmota.subscribe("cmnd/#").unwrap();
    zigbee.subscribe("zigbee2mqtt/+/set").unwrap();

    let mut detector = Sender::connect(gateway.mqtt, "smoke-1", Some(("bench", PASSWORD))).unwrap();
    let smoke = br#"{"v":1,"site":"site-1","device":"smoke-1","boot":1,"seq":1,"uptime":1,"readings":{"smoke":true}}"#;
    detector.publish_and_wait("tuoan/v1/site-1/smoke-1/telemetry", smoke).unwrap();

    // Nothing is said: it is repeated.
    let (horn, lamp, siren) = (("cmnd/horn/POWER2", "ON"), ("cmnd/lamp/POWER", "ON"), ("zigbee2mqtt/门口警号/set", r#"{"alarm":"ON"}"#));
    let heard = orders(&mut tasmota, LONG, |list| count(list, horn.0, horn.1) >= 2 && count(list, lamp.0, lamp.1) >= 2);
    assert!(count(&heard, horn.0, horn.1) >= 2 && count(&heard, lamp.0, lamp.1) >= 2, "{heard:?}");
    let heard = orders(&mut zigbee, LONG, |list| count(list, siren.0, siren.1) >= 2);
    assert!(count(&heard, siren.0, siren.1) >= 2, "{heard:?}");

    // They say that they sound, and the lamp that it is lit; what was on its way meanwhile is not looked at.
    tasmota.publish_and_wait("stat/horn/RESULT", br#"{"POWER2":"ON"}"#).unwrap();
    tasmota.publish_and_wait("stat/horn/POWER2", b"ON").unwrap();
    tasmota.publish_and_wait("stat/lamp/POWER", b"ON").unwrap();
    zigbee.publish_and_wait("zigbee2mqtt/门口警号", br#"{"alarm":"ON","linkquality":120}"#).unwrap();
    orders(&mut tasmota, Duration::from_secs(1), |_| false);
    orders(&mut zigbee, Duration::from_millis(100), |_| false);
    let silent = orders(&mut tasmota, 2 * REPEAT, |_| false);
    assert!(silent.is_empty(), "confirmed, and told again: {silent:?}");
    let silent = orders(&mut zigbee, Duration::from_millis(100), |_| false);
    assert!(silent.is_empty(), "confirmed, and told again: {silent:?}");
}
