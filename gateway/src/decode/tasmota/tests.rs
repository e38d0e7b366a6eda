use super::*;
use crate::decode::testing::{captured, check, decode};

#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("discovery-test", r#"+tasmota.tasmota_49A3BC name="Tasmota" make="Tasmota" model="Sonoff Basic" firmware="8.4.0.2""#),
    ("discovery", r#"+tasmota.cv-ruimte name="CV-Ruimte" make="Tasmota" model="Technische Ruimte" firmware="13.4.0""#),
    ("discovery-sensors", "nothing"),
    ("discovery-energy", "nothing"),
    ("scd30-1970", "tasmota.F1.18temphumco2: co2=614 eco2_estimate=636 temperature=25.7 humidity=48.3"),
    ("mhz19b", "tasmota.sonoff-71C254: co2=836 temperature=21"),
    ("three-sensors", "tasmota.Wetterstation2023: temperature=27.9 temperature.1=27.8 humidity=54.5 pressure=1018 illuminance=171"),
    ("state", "tasmota.Wetterstation2023: switched_on=1 rssi=-86"),
    ("two-fridges-fahrenheit", "tasmota.tasmota: temperature=6.83 temperature.1=-16.44"),
    ("mmhg", "tasmota.tasmota_794BE8: temperature=21.13 temperature.1=20.44 temperature.2=28.52 pressure=1004.3"),
    ("switches", "tasmota.HydroRoom: switch=0 switch.1=0"),
    ("state-no-relay", "tasmota.HydroRoom: rssi=-53"),
    ("energy", "tasmota.DVES_EA9716: energy=0.052 power=0 voltage=198 current=0"),
    ("dht11", "tasmota.tasmota_49A3BC: temperature=20.5"),
    ("dht11-polled", "tasmota.tasmota_49A3BC: temperature=20"),
    ("wind-as-text", "tasmota.tasmota_49A3BC:"),
    ("energy-list", "tasmota.tasmota_49A3BC: energy=1.2 energy.1=3.4"),
    ("energy-phases", "tasmota.tasmota_49A3BC: energy=5.6 energy.1=7.8"),
    ("analog", "tasmota.tasmota_49A3BC: temperature=1.2 temperature.1=3.4 illuminance=5.6"),
    ("analog-ct", "tasmota.tasmota_49A3BC: energy=0.5 power=2300 voltage=230 current=10"),
    ("lwt", "tasmota.tasmota_49A3BC (retained): online"),
    ("switch-topic", "tasmota.tasmota_49A3BC: switch=1"),
    ("switch-periodic", "tasmota.tasmota_49A3BC: switch=0"),
    ("info1", r#"+tasmota.tasmota01 make="Tasmota" model="Gosund SP1 v23" firmware="7.1.1(tasmota)"; tasmota.tasmota01:"#),
    ("info2", "tasmota.tasmota01:"),
    ("info3", "tasmota.tasmota01:"),
    ("order", "nothing"),
    ("result-power", "tasmota.tasmota01: switched_on=1"),
    ("power", "tasmota.tasmota01: switched_on=1"),
    ("button-trigger", "tasmota.kuechenheizung: event:button_pressed"),
    ("state-relay1", "tasmota.kuechenheizung: switched_on=1 rssi=-81"),
    ("result-setting", "tasmota.kuechenheizung:"),
    ("power1", "tasmota.kuechenheizung: switched_on=1"),
    ("counter-old", "tasmota.sonoff: pulses=4 temperature=24.2 humidity=58.2"),
    ("german", "tasmota.sonoff-nodemcu:"),
    ("power-as-number", "tasmota.Anet-E10-Power: switched_on=1"),
    ("status-under-a-path", "tasmota.tasmota_sonoff-01~4686f4b8:"),
    ("status2", r#"+tasmota.sonoff firmware="6.4.1.18(sonoff)"; tasmota.sonoff:"#),
    ("zigbee-raw", "tasmota.zigbee:"),
    ("zigbee-motion-battery", r#"+tasmota.zb.zbbridge.0x01F3 name="MotionSensor" [battery_voltage,battery,link_quality] via=tasmota.zbbridge; tasmota.zb.zbbridge.0x01F3: battery_voltage=2.7 battery=17 link_quality=79; tasmota.zbbridge:"#),
    ("zigbee-vibration", r#"+tasmota.zb.zigbee.0x128F name="0x128F" [link_quality] via=tasmota.zigbee; tasmota.zb.zigbee.0x128F: link_quality=158; tasmota.zigbee:"#),
    ("radar", "tasmota.tasmota_radar: distance=200 distance.1=181 distance.2=144"),
    ("radar-engineering", "tasmota.tasmota_radar: presence=1"),
];

#[test]
fn captured_messages() {
    check("tasmota", || Box::new(Tasmota::default()), false, TABLE);
}

#[test]
fn discovery_says_what_a_device_can_measure() {
    let (mut d, mut directory) = (Tasmota::default(), Directory::default());
    let all = captured("tasmota");
    let mut say = |name: &str| {
        let c = all.iter().find(|c| c.name == name).unwrap();
        decode(&mut d, &mut directory, &c.topic, &c.payload)
    };
    say("discovery");
    assert_eq!(say("discovery-sensors"), "+tasmota.cv-ruimte [switch,temperature]");
}

fn config(topic: &str, change: impl Fn(&str) -> String) -> String {
    let c = captured("tasmota").into_iter().find(|c| c.name == "discovery").unwrap();
    change(&c.payload.replace("\"t\":\"cv-ruimte\"", &format!("\"t\":\"{topic}\"")))
}

/// Constructed: what discovery says changes.
#[test]
fn a_device_that_changes_its_topic_or_is_deleted_leaves_no_ghost() {
    let (mut d, mut directory) = (Tasmota::default(), Directory::default());
    let mut say = |topic: &str, payload: &str| decode(&mut d, &mut directory, topic, payload);
    let place = "tasmota/discovery/DC4F220756C6/config";
    assert!(say(place, &config("cellar", str::to_owned)).starts_with("+tasmota.cellar "));
    assert!(say(place, &config("boiler", str::to_owned)).starts_with("-tasmota.cellar; +tasmota.boiler "));
    assert_eq!(say("tele/boiler/LWT", "Offline"), "tasmota.boiler: offline");
    assert_eq!(say(place, ""), "-tasmota.boiler");
    assert_eq!(say(place, ""), "nothing");
    assert!(directory.by_address("DC:4F:22:07:56:C6").is_some());
    let no_prefix = config("x", |c| c.replace("%prefix%/", ""));
    assert!(decode(&mut d, &mut directory, place, &no_prefix).contains("set FullTopic"));
}

/// Constructed: prefixes and words of the site's own, known from discovery.
#[test]
fn the_site_s_own_prefixes_are_learnt_from_discovery() {
    let own = config("hall", |c| {
        c.replace("[\"cmnd\",\"stat\",\"tele\"]", "[\"do\",\"is\",\"says\"]")
            .replace("%prefix%/%topic%/", "house/%prefix%/%topic%/")
            .replace("\"Online\"", "\"up\"")
            .replace("\"Offline\"", "\"down\"")
    });
    let (mut d, mut directory) = (Tasmota::default(), Directory::default());
    let mut say = |topic: &str, payload: &str| decode(&mut d, &mut directory, topic, payload);
    assert_eq!(say("house/says/hall/LWT", "up"), "not mine");
    assert!(say("tasmota/discovery/DC4F220756C6/config", &own).starts_with("+tasmota.house_hall~"));
    assert!(say("house/says/hall/LWT", "down").ends_with(": offline"));
    assert!(say("house/says/hall/SENSOR", r#"{"Switch1":"ON"}"#).ends_with("switch=1"));
    assert_eq!(say("house/do/hall/POWER", "ON"), "nothing");
    assert_eq!(say("house/says/hall/LWT", "maybe"), "malformed: LWT must be Online or Offline");
}

/// Constructed: only a time with a zone, by a clock that was set, is one.
#[test]
fn a_clock_counts_when_it_has_a_zone_and_was_set() {
    for (text, want) in [
        ("2024-02-25T11:27:00+08:00", Some(1_708_831_620_000)),
        ("2020-10-17T18:56:16.440+02:00", Some(1_602_953_776_440)),
        ("2024-02-25T11:27:00", None),
        ("1970-01-01T00:18:15", None),
        ("1970-01-01T00:18:15+00:00", None),
        ("2019-12-31T00:00:00Z", None),
        ("", None),
    ] {
        let json = format!("{{\"Time\":\"{text}\"}}");
        assert_eq!(time(Json::parse(json.as_bytes()).unwrap()), want, "{text}");
    }
}

/// Constructed: a probe that fails does not hand its number on.
#[test]
fn a_sensor_keeps_its_channel() {
    let (mut d, mut directory) = (Tasmota::default(), Directory::default());
    let mut say = |payload: &str| decode(&mut d, &mut directory, "tele/cold/SENSOR", payload);
    assert_eq!(say(r#"{"DS18B20-1":{"Temperature":4},"DS18B20-2":{"Temperature":-18}}"#), "tasmota.cold: temperature=4 temperature.1=-18");
    assert_eq!(say(r#"{"DS18B20-2":{"Temperature":-17}}"#), "tasmota.cold: temperature.1=-17");
    assert_eq!(say(r#"{"DS18B20-1":{"Temperature":null},"DS18B20-2":{"Temperature":-17}}"#), "tasmota.cold: temperature.1=-17");
    assert!(say(r#"{"DS18B20-1":{"Temperature":"hot"}}"#).starts_with("malformed: `DS18B20-1.Temperature`"));
    assert!(say("{").starts_with("malformed: the payload is not JSON"));
}

#[test]
fn whose_topics_are() {
    let d = Tasmota::default();
    for (topic, owner) in [
        ("tele/x/SENSOR", Owner::Mine(device_id(PREFIX, "x"))),
        ("x/tele/SENSOR", Owner::Mine(device_id(PREFIX, "x"))),
        ("home/tele/x/SENSOR", Owner::Mine(device_id(PREFIX, "home/x"))),
        ("cmnd/x/POWER", Owner::Mine(device_id(PREFIX, "x"))),
        ("x/cmnd/Power", Owner::Mine(device_id(PREFIX, "x"))),
        ("tasmota/discovery/00000049A3BC/sensors", Owner::Mine(None)),
        ("x/stat/lowercase", Owner::NotMine),
        ("home/stat/x/LAMP", Owner::NotMine),
        ("tele/SENSOR", Owner::NotMine),
        ("zigbee2mqtt/x", Owner::NotMine),
    ] {
        assert_eq!(d.owner(topic), owner, "{topic}");
    }
}

/// The second is of Tasmota's documentation of the ESP32 (docs/ESP32.md); hotter ones, up to 65.6, are seen.
#[test]
fn a_processor_s_heat_is_no_fire() {
    let (mut d, mut directory) = (Tasmota::default(), Directory::default());
    let mut say = |payload: &str| decode(&mut d, &mut directory, "tele/tasmota_17A5A0/SENSOR", payload);
    assert!(
        say(r#"{"Time":"2021-01-01T00:00:00","DS18B20":{"Temperature":21},"ESP32":{"Temperature":65.6},"TempUnit":"C"}"#)
            .ends_with("temperature=21")
    );
    assert!(!say(r#"{"Time":"2021-01-01T00:00:00","ESP32":{"Temperature":41.7},"TempUnit":"C"}"#).contains("temperature"));
}
