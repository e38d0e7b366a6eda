use super::*;
use crate::decode::testing::{check, decode};

#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("wmbus", r#"+meter.wmbus.76348799 name="MyTapWater" make="wM-Bus" model="multical21" [water_volume]; meter.wmbus.76348799: water_volume=6.408"#),
    ("reader-connection", r#"+meter.wasserzaehler make="AI-on-the-edge-device" model="meter reader"; meter.wasserzaehler: online"#),
    ("reader-value", r#"+meter.wasserzaehler make="AI-on-the-edge-device" model="meter reader"; meter.wasserzaehler: water_volume=704.529"#),
    ("reader-error", r#"+meter.wasserzaehler make="AI-on-the-edge-device" model="meter reader"; meter.wasserzaehler: fault=0"#),
    ("reader-rate", "nothing"),
    ("reader-uptime", "nothing"),
    ("reader-json", r#"+meter.wasserzaehler make="AI-on-the-edge-device" model="meter reader"; meter.wasserzaehler: water_volume=704.529 fault=0"#),
    ("reader-json-broken", "malformed: the payload is not JSON: expected `,` or `}` at line 1 column 42"),
    ("glow-gas", r#"+meter.glow.xxxxxxyyyyyy.gasmeter make="glow" model="gasmeter" [energy]; meter.glow.xxxxxxyyyyyy.gasmeter@1654980832000: energy=17940.852"#),
];

#[test]
fn captured_messages() {
    check("pulse", || Box::new(Pulse::default()), false, TABLE);
}

/// Constructed.
#[test]
fn a_meter_reader_is_known_by_its_name() {
    let (mut d, mut directory) = (Pulse::default(), Directory::default());
    let mut say = |topic: &str, payload: &str| decode(&mut d, &mut directory, topic, payload);
    assert_eq!(say("anything/main/value", "1"), "not mine");
    assert!(say("gasmeter/main/value", "1234.567").ends_with("; meter.gasmeter: gas_volume=1234.567"));
    assert_eq!(say("gasmeter/main/value", ""), "nothing");
    assert_eq!(say("gasmeter/main/value", "NaN"), "nothing");
    assert_eq!(say("gasmeter/main/error", "Neg. Rate - Read: - Raw: 1 - Pre: 2"), "meter.gasmeter: fault=1");
    assert_eq!(say("gasmeter/connection", "connection lost"), "meter.gasmeter: offline");
    assert!(
        say("watermeter/garden/json", r#"{"value":"7.25","error":"no error","timestamp":"2026-01-02T03:04:05+0800"}"#)
            .ends_with("meter.watermeter_garden~26d12c35@1767294245000: water_volume=7.25 fault=0")
            || say("watermeter/garden/value", "7.25").contains("water_volume=7.25")
    );
    assert!(
        say("watermeter/main/json", r#"{"value": 31990.79, "error": "no error", "timestamp": "2022-12-11T10:38:42+0100"}"#)
            .ends_with("; meter.watermeter@1670751522000: water_volume=31990.79 fault=0")
    );
    assert_eq!(say("thermometer/hall/value", "21"), "not mine");
}

/// Constructed after the driver tests of wmbusmeters (lansensm, lansendw, munia).
#[test]
fn ok_means_what_the_device_watches() {
    let (mut d, mut directory) = (Pulse::default(), Directory::default());
    let mut say = |media: &str, meter: &str, status: &str| {
        let payload = format!(
            r#"{{"media":"{media}","meter":"{meter}","name":"hall","id":"00010204","status":"{status}","timestamp":"2024-01-02T03:04:05Z","_":"telegram"}}"#
        );
        decode(&mut d, &mut directory, "wmbusmeters/hall", &payload)
    };
    assert!(say("smoke detector", "lansensm", "SMOKE").ends_with("smoke=1"));
    assert!(say("smoke detector", "lansensm", "OK").ends_with("smoke=0"));
    assert!(say("reserved", "lansendw", "OPEN").ends_with("open=1"));
    assert!(!say("room sensor", "munia", "OK").contains("water_leak"));
    assert!(say("water", "multical21", "OK").ends_with("water_leak=0"));
}
