use super::*;
use crate::decode::switches::{Attribute, Switch, Zigbee};
use crate::decode::{Decoders, Raw};
use crate::engine::outcome::DeviceAction::{self, BeaconOff, BeaconOn, SirenOff, SirenOn, ValveClose};
use crate::engine::testing;
use serde_json::json;

fn placed(id: &str, role: Role, topic: Option<&str>, channel: Option<u8>) -> Placement {
    let id = id.parse().unwrap();
    Placement { id, role, topic: topic.map(str::to_owned), channel, ..testing::site().devices[0].clone() }
}

fn say_to(p: &Placement, action: DeviceAction, switches: &Switches) -> Result<(String, String), String> {
    let sounders = Sounders::new("xingyuan".parse().unwrap(), [p], switches.clone());
    let command = DeviceCommand { id: 7, device: p.id.clone(), action, expires: 1_000 };
    sounders.say(&command, 500).map(|s| (s.topic, s.payload)).map_err(|e| e.to_string())
}

#[test]
fn every_convention_in_its_own_words() {
    let table: &[(&str, DeviceAction, Option<u8>, &str, &str)] = &[
        (
            "siren-1",
            SirenOn,
            None,
            "tuoan/v1/xingyuan/siren-1/command",
            r#"{"v":1,"site":"xingyuan","device":"siren-1","id":7,"action":"siren_on","expires":1500}"#,
        ),
        (
            "beacon-1",
            BeaconOff,
            None,
            "tuoan/v1/xingyuan/beacon-1/command",
            r#"{"v":1,"site":"xingyuan","device":"beacon-1","id":7,"action":"beacon_off","expires":1500}"#,
        ),
        (
            "z2m.0x00158d0001234567",
            SirenOn,
            None,
            "zigbee2mqtt/0x00158d0001234567/set",
            r#"{"warning":{"duration":300,"level":"very_high","mode":"emergency","strobe":true}}"#,
        ),
        (
            "z2m.0x00158d0001234567",
            SirenOff,
            None,
            "zigbee2mqtt/0x00158d0001234567/set",
            r#"{"warning":{"duration":0,"level":"low","mode":"stop","strobe":false}}"#,
        ),
        (
            "z2m.0x00158d0001234567",
            BeaconOn,
            None,
            "zigbee2mqtt/0x00158d0001234567/set",
            r#"{"warning":{"duration":300,"level":"low","mode":"stop","strobe":true,"strobe_duty_cycle":5}}"#,
        ),
        ("z2m.0x00158d0001234567", SirenOn, Some(2), "zigbee2mqtt/0x00158d0001234567/set", r#"{"state_l2":"ON"}"#),
        ("z2m.0x00158d0001234567", ValveClose, None, "zigbee2mqtt/0x00158d0001234567/set", r#"{"state":"OFF"}"#),
        ("tasmota.hall", SirenOn, None, "cmnd/hall/POWER", "ON"),
        ("tasmota.hall", SirenOff, Some(0), "cmnd/hall/POWER1", "OFF"),
        ("tasmota.hall", BeaconOn, Some(1), "cmnd/hall/POWER2", "ON"),
        ("tasmota.hall", ValveClose, None, "cmnd/hall/POWER", "OFF"),
        ("esphome.hall", SirenOn, None, "hall/switch/siren/command", "ON"),
        ("esphome.hall", BeaconOff, None, "hall/switch/beacon/command", "OFF"),
        ("esphome.hall", ValveClose, None, "hall/valve/gas/command", "CLOSE"),
        (
            "shelly.shellyplus1-a8032ab1fe78",
            SirenOn,
            None,
            "shellyplus1-a8032ab1fe78/rpc",
            r#"{"id":7,"src":"tuoan","method":"Switch.Set","params":{"id":0,"on":true}}"#,
        ),
        (
            "shelly.shellyplus1-a8032ab1fe78",
            ValveClose,
            Some(1),
            "shellyplus1-a8032ab1fe78/rpc",
            r#"{"id":7,"src":"tuoan","method":"Switch.Set","params":{"id":1,"on":false}}"#,
        ),
    ];
    for (id, action, channel, topic, payload) in table {
        let said = say_to(&placed(id, Role::Siren, None, *channel), *action, &Switches::default());
        assert_eq!(said, Ok(((*topic).to_owned(), (*payload).to_owned())), "{id} {action:?}");
    }
}

#[test]
fn a_topic_of_the_site_file_takes_precedence() {
    let say = |id, topic, action| say_to(&placed(id, Role::Siren, Some(topic), None), action, &Switches::default()).unwrap();
    assert_eq!(say("z2m.0x00158d0001234567", "zigbee-2/警号 1/set", SirenOff).0, "zigbee-2/警号 1/set");
    assert_eq!(say("tasmota.a_b~0123abcd", "cmnd/a/b/POWER2", SirenOn), ("cmnd/a/b/POWER2".into(), "ON".into()));
    assert_eq!(say("esphome.hall", "hall/switch/horn/command", SirenOn), ("hall/switch/horn/command".into(), "ON".into()));
    assert_eq!(say("esphome.hall", "hall/switch/main/command", ValveClose).1, "OFF");
    assert_eq!(say("esphome.hall", "hall/valve/main/command", ValveClose).1, "CLOSE");
    assert_eq!(say("shelly.x", "hall/rpc", SirenOn).0, "hall/rpc");
}

#[test]
fn what_cannot_be_said_names_the_device_and_the_fix() {
    for id in ["tasmota.a_b~0123abcd", "esphome.a_b~0123abcd", "shelly.a_b~0123abcd", "z2m.a_b~0123abcd"] {
        let why = say_to(&placed(id, Role::Siren, None, None), SirenOn, &Switches::default()).unwrap_err();
        assert!(why.contains(id) && why.contains("`topic`"), "{why}");
    }
    let why = say_to(&placed("ha.horn", Role::Siren, None, None), SirenOn, &Switches::default()).unwrap_err();
    assert!(why.contains("takes no orders"), "{why}");
}

#[test]
fn a_site_file_is_told_what_is_wrong_with_its_sounders() {
    let mut site = testing::site();
    assert_eq!(problems(&site), Vec::<String>::new());
    site.devices.push(placed("frigate.front", Role::Siren, None, None));
    site.devices.push(placed("tasmota.hall", Role::Beacon, Some("cmnd/+/POWER"), None));
    site.devices.push(placed("tasmota.room", Role::Climate, None, Some(1)));
    let all = problems(&site);
    assert_eq!(all.len(), 3);
    for (found, part) in all.iter().zip(["frigate.front takes no orders", "without + and #", "leave it out"]) {
        assert!(found.contains(part), "{found}");
    }
}

#[test]
fn zigbee_devices_are_told_in_what_they_expose() {
    let switches = Switches::default();
    let device = |n: u8| format!("z2m.0x00000000000000{n:02}");
    let known = |n: u8, z: Zigbee| {
        let z = Zigbee { base: "zigbee2mqtt".into(), friendly_name: format!("警号 {n}"), ..z };
        switches.announce(&device(n).parse().unwrap(), Switch::Zigbee2Mqtt(z));
    };
    let attribute = |property: &str, on, off| Attribute { property: property.into(), on, off };
    let alarm = || Some(attribute("alarm", json!(true), json!(false)));
    known(1, Zigbee { alarm: alarm(), ..Zigbee::default() });
    known(2, Zigbee { warning: true, alarm: alarm(), ..Zigbee::default() });
    known(3, Zigbee { states: [(0, attribute("state", json!("OPEN"), json!("CLOSE")))].into(), ..Zigbee::default() });
    let say = |n: u8, action| say_to(&placed(&device(n), Role::Siren, None, None), action, &switches).unwrap();
    assert_eq!(say(1, SirenOn), ("zigbee2mqtt/警号 1/set".into(), r#"{"alarm":true}"#.into()));
    assert_eq!(say(1, BeaconOff).1, r#"{"alarm":false}"#, "it has nothing but that");
    assert_eq!(say(2, SirenOff).1, r#"{"alarm":false}"#, "for it is reported back");
    assert!(say(2, BeaconOn).1.contains(r#""mode":"stop""#), "a light makes no noise");
    assert_eq!(say(3, ValveClose).1, r#"{"state":"CLOSE"}"#);
}

#[test]
fn a_foreign_bridge_does_not_take_over_a_siren() {
    let mut decoders = Decoders::standard(Vec::new());
    let switches = decoders.switches();
    let list = |name: &str| {
        json!([{ "ieee_address": "0x00158d0001234567", "friendly_name": name, "type": "Router", "definition": { "exposes": [
            { "type": "binary", "name": "alarm", "property": "alarm", "access": 3, "value_on": "ON", "value_off": "OFF" } ] } }])
        .to_string()
    };
    let mut announce = |base: &str, payload: &str| {
        let topic = format!("{base}/bridge/devices");
        decoders.decode(Raw { topic: &topic, payload: payload.as_bytes(), retained: false }).unwrap();
        say_to(&placed("z2m.0x00158d0001234567", Role::Siren, None, None), SirenOn, &switches).unwrap()
    };
    assert_eq!(announce("zigbee2mqtt", &list("hall/siren")), ("zigbee2mqtt/hall/siren/set".into(), r#"{"alarm":"ON"}"#.into()));
    assert_eq!(announce("evil", &list("x")).0, "zigbee2mqtt/hall/siren/set");
    assert_eq!(announce("zigbee2mqtt", &list("a+b")).0, "zigbee2mqtt/0x00158d0001234567/set");
    // Its bridge has lost it: the other may have it now.
    announce("zigbee2mqtt", "[]");
    assert_eq!(announce("evil", &list("x")).0, "evil/x/set");
}

#[test]
fn a_tasmota_says_by_discovery_where_it_listens() {
    let mut decoders = Decoders::standard(Vec::new());
    let payload = br#"{"t":"siren","ft":"site/%topic%/%prefix%/","tp":["do","stat","tele"],"ofln":"Offline","onln":"Online"}"#;
    decoders.decode(Raw { topic: "tasmota/discovery/A1B2C3D4E5F6/config", payload, retained: true }).unwrap();
    let id = crate::decode::ident::device_id("tasmota.", "site/siren").unwrap();
    let said = say_to(&placed(id.as_str(), Role::Siren, None, None), SirenOn, &decoders.switches()).unwrap();
    assert_eq!(said, ("site/siren/do/POWER".into(), "ON".into()));
}
