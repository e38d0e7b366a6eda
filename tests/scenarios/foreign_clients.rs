//! Clients that share no code with us: mosquitto_pub and mosquitto_sub (MQTT 3.1.1 and 5), Eclipse Paho for Python.
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};
use tuoan_tests::harness::wait_for;

fn publish(gateway: &Gateway, version: &str, qos: u8, seq: u64, extra: &[&str]) -> bool {
    let payload = format!(r#"{{"v":1,"site":"site-1","device":"d1","boot":3,"seq":{seq},"uptime":1,"readings":{{"co2":612}}}}"#);
    // Each run takes over the client id of the one before; while that one is still leaving, the broker may ask the new one to come again.
    (0..5).any(|_| publish_once(gateway, version, qos, &payload, extra))
}

fn publish_once(gateway: &Gateway, version: &str, qos: u8, payload: &str, extra: &[&str]) -> bool {
    let status = Command::new("mosquitto_pub")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &gateway.mqtt.to_string(),
            "-V",
            version,
            "-q",
            &qos.to_string(),
            "-i",
            "d1",
            "-u",
            "bench",
            "-P",
            PASSWORD,
        ])
        .args(["-t", "tuoan/v1/site-1/d1/telemetry", "-m", payload])
        .args(extra)
        .stderr(Stdio::null())
        .status()
        .expect("mosquitto_pub");
    status.success()
}

#[test]
fn every_version_and_quality_of_service_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), &Setup::default());
    let reader = tuoan::store::Reader::open(&gateway.dir.join("data")).unwrap();
    let mut seq = 0;
    for version in ["mqttv311", "mqttv5"] {
        for qos in 0..3 {
            seq += 1;
            let stored = || (reader.counts().ok()?.messages == seq).then_some(());
            // QoS 0 promises nothing: the client hangs up behind its message, and a broker may notice that first. So it is said again; what
            // came twice is a redelivery.
            wait_for(&format!("{version} QoS {qos}"), Duration::from_secs(20), || {
                assert!(publish(&gateway, version, qos, seq, &[]), "{version} QoS {qos}");
                if qos > 0 {
                    assert!(stored().is_some(), "{version} QoS {qos}: acknowledged and not stored");
                }
                (0..25).find_map(|_| {
                    stored().or_else(|| {
                        std::thread::sleep(Duration::from_millis(20));
                        None
                    })
                })
            });
        }
    }
    assert_eq!(reader.recount().unwrap().distinct, 6);
    // The same again is a redelivery: acknowledged, not stored.
    let repeats = gateway.metric("tuoan_messages_duplicate_total");
    assert!(publish(&gateway, "mqttv311", 1, 1, &[]));
    assert_eq!(reader.counts().unwrap().messages, 6);
    assert_eq!(gateway.metric("tuoan_messages_duplicate_total"), repeats + 1.0);
}

#[test]
fn retained_messages_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::start(dir.path(), &Setup::default());
    assert!(publish(&gateway, "mqttv5", 1, 1, &["-r"]));
    gateway.kill();
    gateway.restart();
    let output = Command::new("mosquitto_sub")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &gateway.mqtt.to_string(),
            "-V",
            "mqttv311",
            "-u",
            "bench",
            "-P",
            PASSWORD,
            "-t",
            "tuoan/v1/site-1/#",
        ])
        .args(["-C", "1", "-W", "10", "-F", "%r %t"])
        .output()
        .expect("mosquitto_sub");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1 tuoan/v1/site-1/d1/telemetry");
}

#[test]
fn strangers_and_foreign_topics_are_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), &Setup::default());
    let port = gateway.mqtt.to_string();
    let run = |args: &[&str]| {
        Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-m", "x"])
            .args(args)
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    assert!(!run(&["-t", "tuoan/v1/site-1/d1/event"]), "without a name");
    assert!(!run(&["-t", "tuoan/v1/site-1/d1/event", "-u", "bench", "-P", "wrong"]), "with a wrong password");
    run(&["-V", "mqttv5", "-t", "tuoan/v1/site-2/d1/event", "-u", "bench", "-P", PASSWORD]);
    let reader = tuoan::store::Reader::open(&gateway.dir.join("data")).unwrap();
    assert_eq!(reader.counts().unwrap().quarantined, 0, "another site's topic did not get in");
}

#[test]
fn paho_stays_connected_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path(), &Setup::default());
    let script = format!(
        r#"
import json, paho.mqtt.client as m
c = m.Client(m.CallbackAPIVersion.VERSION2, client_id="d2", clean_session=False)
c.username_pw_set("bench", "{PASSWORD}")
c.connect("127.0.0.1", {}, 10)
c.loop_start()
infos = [c.publish("tuoan/v1/site-1/d2/telemetry", json.dumps({{"v": 1, "site": "site-1", "device": "d2", "boot": 9, "seq": n, "uptime": n, "readings": {{"co2": 500 + n}}}}), qos=1 + n % 2) for n in range(1, 301)]
for i in infos: i.wait_for_publish(20)
assert all(i.is_published() for i in infos)
c.disconnect()
"#,
        gateway.mqtt
    );
    let python = tuoan_tests::harness::python();
    let mut child = Command::new(python).arg("-").stdin(Stdio::piped()).spawn().expect("Python with paho-mqtt");
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let reader = tuoan::store::Reader::open(&gateway.dir.join("data")).unwrap();
    assert_eq!(reader.recount().unwrap().distinct, 300);
}
