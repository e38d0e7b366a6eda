use super::*;
use crate::engine::input::{Body, Item, Message};

#[derive(serde::Deserialize)]
struct Captured {
    name: String,
    topic: String,
    payload: String,
}

fn captured() -> BTreeMap<String, Captured> {
    include_str!("../../../tests/fixtures/decode/zigbee2mqtt/captured.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Captured>(line).unwrap())
        .map(|c| (c.name.clone(), c))
        .collect()
}

const DEVICES: &str = include_str!("../../../tests/fixtures/decode/zigbee2mqtt/bridge-devices.json");

fn decode(decoder: &mut Zigbee2Mqtt, topic: &str, payload: &str) -> Decoded {
    decoder.decode(Raw { topic, payload: payload.as_bytes(), retained: false }, &mut Directory::default())
}

fn message(decoded: Decoded) -> Message {
    match decoded {
        Decoded::Inputs(mut bodies) => match (bodies.pop(), bodies.pop()) {
            (Some(Body::Message(m)), None) => m,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn inventory(decoded: Decoded) -> Vec<DeviceInfo> {
    match decoded {
        Decoded::Inputs(mut bodies) => match (bodies.pop(), bodies.pop()) {
            (Some(Body::Inventory(list)), None) => list,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// `open=1 battery=60 event:test online`.
fn summary(m: &Message) -> String {
    let word = |item: &Item| match item {
        Item::Reading { quantity, value, .. } => format!("{}={}", quantity.name(), quantity.exact(*value)),
        Item::Event { kind, .. } => format!("event:{}", kind.name()),
        Item::Unknown { quantity, .. } => format!("{}=?", quantity.name()),
        Item::Presence(p) => p.name().to_owned(),
    };
    m.items.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn captured_messages() {
    let all = captured();
    let table: &[(&str, &str, Option<i64>, &str)] = &[
        ("contact-open", "z2m.backgate", None, "battery=60 open=1 link_quality=5 tamper=0 battery_voltage=2.9"),
        ("contact-closed", "z2m.backgate", None, "battery=60 open=0 link_quality=23 tamper=0 battery_voltage=2.9"),
        ("smoke", "z2m.sens_smoke1", Some(1_573_393_389_829), "battery=100 battery_voltage=3.195 link_quality=57 smoke=1"),
        ("no-smoke-with-device", "z2m.Smoke", None, "battery=100 battery_voltage=3.075 link_quality=81 smoke=0"),
        ("gas", "z2m.sensore_perdita_gas~85ce282d", None, "gas=1 link_quality=15 tamper=0"),
        ("no-gas", "z2m.Gas_Cucina~372ad1dc", None, "gas=0 link_quality=84 tamper=0"),
        (
            "water-leak-string-battery",
            "z2m.0x286d9700010511f8",
            None,
            "battery=80 battery_voltage=2.9 link_quality=0 temperature=27.35 water_leak=1",
        ),
        ("co2", "z2m.Air_Quality_Sensor~a80d2887", Some(1_765_292_604_979), "co2=363 humidity=50 link_quality=255 temperature=21"),
        (
            "climate-string-battery",
            "z2m.WeatherGuestRoom",
            None,
            "temperature=24.59 link_quality=39 humidity=36.56 pressure=990 battery=37 battery_voltage=2.975",
        ),
        ("presence", "z2m.0xa4c1382a6b329e9d", Some(1_725_724_481_147), "illuminance=369 link_quality=98 presence=1"),
        (
            "vibration-action",
            "z2m.VibrationSensor",
            Some(1_588_586_779_000),
            "battery=100 battery_voltage=3.015 link_quality=111 event:vibration",
        ),
        ("vibration-null-battery", "z2m.0xa4c1381d43b23081", Some(1_726_580_518_000), "link_quality=236 tamper=0 vibration=0"),
        ("panic", "z2m.0xa4c13899607febd1", Some(1_776_440_002_000), "event:panic_pressed battery=100 link_quality=18"),
        ("panic-before", "z2m.0xa4c13899607febd1", Some(1_776_439_997_000), "battery=100 link_quality=14"),
        ("climate", "z2m.FRIENDLY_NAME", None, "temperature=27.34 humidity=44.72"),
        ("button", "z2m.FRIENDLY_NAME", None, "event:button_pressed"),
        ("motion", "z2m.FRIENDLY_NAME", None, "motion=1"),
        ("availability-legacy", "z2m.MY_DEVICE", None, "offline"),
        ("availability", "z2m.MY_DEVICE", None, "online"),
        ("bridge-state", "z2m.bridge", None, "offline"),
        ("bridge-state-legacy", "z2m.bridge", None, "online"),
    ];
    let silent = ["vibration-action-topic", "removed", "logging", "announce", "groups"];
    for (name, device, sampled_at, items) in table {
        let c = &all[*name];
        let m = message(decode(&mut Zigbee2Mqtt::default(), &c.topic, &c.payload));
        assert_eq!((m.device.as_str(), m.sampled_at, summary(&m).as_str()), (*device, *sampled_at, *items), "{name}");
    }
    for name in silent {
        let c = &all[name];
        assert_eq!(decode(&mut Zigbee2Mqtt::default(), &c.topic, &c.payload), Decoded::Inputs(vec![]), "{name}");
    }
    // Every capture is asked for somewhere.
    assert_eq!(all.len(), table.len() + silent.len() + 1);
}

#[test]
fn the_bridge_describes_its_devices_and_a_leave_removes_one() {
    let mut decoder = Zigbee2Mqtt::default();
    let list = inventory(decode(&mut decoder, "zigbee2mqtt/bridge/devices", DEVICES));
    let ids: Vec<_> = list.iter().map(|d| d.device.as_ref().unwrap().as_str()).collect();
    assert_eq!(ids, ["z2m.0x00158d00018255df", "z2m.0x90fd9ffffe6494fc", "z2m.0x00169a00022256da"]);
    assert_eq!(list[1].name.as_deref(), Some("my_bulb"));
    assert_eq!(list[1].make.as_deref(), Some("IKEA"));
    assert!(list[1].model.as_deref().unwrap().starts_with("LED1624G9 TRADFRI LED bulb"));
    assert_eq!(list[1].firmware.as_deref(), Some("1.3.009"));
    assert_eq!(message(decode(&mut decoder, "zigbee2mqtt/my_bulb", "{\"linkquality\":5}")).device.as_str(), "z2m.0x90fd9ffffe6494fc");
    let leave = &captured()["leave"];
    let gone = inventory(decode(&mut decoder, &leave.topic, &leave.payload));
    assert_eq!((gone.len(), gone[0].device.as_ref().unwrap().as_str(), gone[0].removed), (1, "z2m.0x90fd9ffffe6494fc", true));
}

#[test]
fn a_device_that_left_the_list_is_removed() {
    let mut decoder = Zigbee2Mqtt::default();
    decode(&mut decoder, "zigbee2mqtt/bridge/devices", DEVICES);
    let list = inventory(decode(&mut decoder, "zigbee2mqtt/bridge/devices", "[]"));
    assert_eq!(list.iter().filter(|d| d.removed).count(), 3);
    assert_eq!(decode(&mut decoder, "zigbee2mqtt/bridge/devices", "[]"), Decoded::Inputs(vec![]));
}

/// Constructed: the same device by name, then by list, then by the other spelling of its availability.
#[test]
fn one_device_is_not_two() {
    let mut decoder = Zigbee2Mqtt::default();
    let early = message(decode(&mut decoder, "zigbee2mqtt/my_plug", r#"{"smoke":true,"action":"single"}"#)).device;
    assert_eq!(early.as_str(), "z2m.my_plug");
    let Decoded::Inputs(mut bodies) = decode(&mut decoder, "zigbee2mqtt/bridge/devices", DEVICES) else { panic!() };
    // What it said is said again under its address, but for the button: that was momentary.
    let Some(Body::Message(again)) = bodies.pop() else { panic!("{bodies:?}") };
    assert_eq!((again.device.as_str(), summary(&again).as_str()), ("z2m.0x00158d00018255df", "smoke=1"));
    let list = inventory(Decoded::Inputs(bodies));
    assert_eq!((list[0].device.as_ref(), list[0].removed), (Some(&early), true));
    let late = message(decode(&mut decoder, "zigbee2mqtt/my_plug/availability", "online"));
    assert_eq!(late.device.as_str(), "z2m.0x00158d00018255df");
    // After a restart the inventory says it, before the bridge does.
    let mut restarted = Zigbee2Mqtt::default();
    restarted.learn(&list, &mut Directory::default());
    assert_eq!(message(decode(&mut restarted, "zigbee2mqtt/my_plug", "{}")).device, late.device);
    // So is an id made of a name before that restart.
    let mut restarted_early = Zigbee2Mqtt::default();
    restarted_early.learn(&[DeviceInfo { device: Some(early.clone()), ..DeviceInfo::default() }], &mut Directory::default());
    assert!(inventory(decode(&mut restarted_early, "zigbee2mqtt/bridge/devices", DEVICES)).contains(&list[0]));
    // Address as the friendly name, in either case.
    let upper = message(decode(&mut restarted, "zigbee2mqtt/0x00158D00018255DF", "{}"));
    assert_eq!(upper.device, late.device);
}

/// Constructed.
#[test]
fn names_with_slashes_groups_and_orders() {
    let mut decoder = Zigbee2Mqtt::default();
    let nested = message(decode(&mut decoder, "zigbee2mqtt/kitchen/door", "{\"contact\":false}"));
    assert_eq!(summary(&nested), "open=1");
    assert!(nested.device.as_str().starts_with("z2m.kitchen_door~"));
    assert_ne!(nested.device, message(decode(&mut decoder, "zigbee2mqtt/kitchen_door", "{}")).device);
    let groups = &captured()["groups"];
    decode(&mut decoder, &groups.topic, &groups.payload);
    for (topic, payload) in [
        ("zigbee2mqtt/my_group", "{\"state\":\"ON\"}"),
        ("zigbee2mqtt/my_group/availability", "online"),
        ("zigbee2mqtt/lamp/set", "{\"state\":\"ON\"}"),
        ("zigbee2mqtt/lamp/get/state", ""),
        ("zigbee2mqtt/lamp/set/state", "ON"),
        ("zigbee2mqtt/lamp/brightness", "200"),
    ] {
        assert_eq!(decode(&mut decoder, topic, payload), Decoded::Inputs(vec![]), "{topic}");
    }
    assert_eq!(summary(&message(decode(&mut decoder, "zigbee2mqtt/door/contact", "false"))), "open=1");
    assert_eq!(summary(&message(decode(&mut decoder, "zigbee2mqtt/th/temperature", "21.5"))), "temperature=21.5");
}

#[test]
fn a_group_of_the_same_name_hides_no_device() {
    let mut decoder = Zigbee2Mqtt::default();
    decode(&mut decoder, "zigbee2mqtt/bridge/devices", r#"[{"ieee_address":"0x00158d0000000001","friendly_name":"smoke"}]"#);
    decode(&mut decoder, "zigbee2mqtt/bridge/groups", r#"[{"friendly_name":"smoke"}]"#);
    assert_eq!(summary(&message(decode(&mut decoder, "zigbee2mqtt/smoke", r#"{"smoke":true}"#))), "smoke=1");
}

/// Constructed.
#[test]
fn one_wrong_attribute_does_not_cost_the_alarm() {
    let mut decoder = Zigbee2Mqtt::default();
    let m = message(decode(&mut decoder, "zigbee2mqtt/s", r#"{"temperature":"unknown","smoke":true,"carbon_monoxide":"OFF","pm25":35.5}"#));
    assert_eq!(summary(&m), "smoke=1 co_alarm=0 pm25=35.5");
    for (topic, payload, says) in [
        ("zigbee2mqtt/s", r#"{"temperature":"unknown"}"#, "attribute `temperature`"),
        ("zigbee2mqtt/s", "{", "JSON object"),
        ("zigbee2mqtt/s", "23.4", "JSON object"),
        ("zigbee2mqtt/s/availability", "maybe", "online or offline"),
        ("zigbee2mqtt/bridge/devices", "{}", "bridge/devices"),
        ("zigbee2mqtt/bridge/event", r#"{"type":"device_leave"}"#, "ieee_address"),
    ] {
        let Decoded::Malformed(reason) = decode(&mut decoder, topic, payload) else { panic!("{payload}") };
        assert!(reason.contains(says), "{reason}");
    }
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(MAX_DEVICE));
    assert!(matches!(decode(&mut decoder, "zigbee2mqtt/s", &long), Decoded::Malformed(_)));
    assert_eq!(decode(&mut decoder, "zigbee2mqtt2/s", "{}"), Decoded::NotMine);
}

#[test]
fn the_registry_is_bounded() {
    let mut decoder = Zigbee2Mqtt::default();
    let one = r#"{"ieee_address":"0x00158d0000000001","friendly_name":"n"}"#;
    let list = format!("[{}]", vec![one; MAX_NAMES + 1].join(","));
    assert!(matches!(decode(&mut decoder, "zigbee2mqtt/bridge/devices", &list), Decoded::Malformed(_)));
    for i in 0..MAX_NAMES + 50 {
        decode(&mut decoder, &format!("zigbee2mqtt/name{i}"), "{}");
    }
    assert_eq!(decoder.provisional.len(), Provisional::MAX);
}

fn devices(of: &[(&str, &str, &str, &str)]) -> String {
    let one = |(address, name, power, exposes): &(&str, &str, &str, &str)| {
        format!(
            r#"{{"ieee_address":"{address}","friendly_name":"{name}","type":"EndDevice","power_source":"{power}","definition":{{"model":"M","vendor":"V","description":"D","exposes":[{exposes}]}}}}"#
        )
    };
    format!("[{}]", of.iter().map(one).collect::<Vec<_>>().join(","))
}

/// Exposes as `src/lib/exposes.ts` of zigbee-herdsman-converters (commit 03394f38) makes them; states constructed.
#[test]
fn exposes_say_what_attributes_mean() {
    const LQI: &str =
        r#"{"access":1,"name":"linkquality","property":"linkquality","type":"numeric","unit":"lqi","value_max":255,"value_min":0}"#;
    let numeric =
        |name: &str, unit: &str| format!(r#"{{"access":1,"name":"{name}","property":"{name}","type":"numeric","unit":"{unit}"}}"#);
    let binary =
        |name: &str| format!(r#"{{"access":1,"name":"{name}","property":"{name}","type":"binary","value_off":false,"value_on":true}}"#);
    let lock = r#"{"type":"lock","features":[{"type":"binary","name":"state","property":"state","value_on":"LOCK","value_off":"UNLOCK","access":7},{"type":"enum","name":"lock_state","property":"lock_state","values":["not_fully_locked","locked","unlocked"],"access":1}]}"#;
    let gang = r#"{"endpoint":"l1","features":[{"access":7,"endpoint":"l1","name":"state","property":"state_l1","type":"binary","value_off":"OFF","value_on":"ON","value_toggle":"TOGGLE"}],"type":"switch"}"#;
    let probes = r#"{"access":1,"endpoint":"l1","name":"temperature","property":"temperature_l1","type":"numeric","unit":"°C"},{"access":1,"endpoint":"l2","name":"temperature","property":"temperature_l2","type":"numeric","unit":"°C"}"#;
    for (what, name, power, exposes, state, quantities, items) in [
        ("hcho in mg/m³", "a", "Mains (single phase)", numeric("formaldehyd", "mg/m³"), r#"{"formaldehyd":0.05}"#, "hcho", "hcho=0.05"),
        ("hcho in µg/m³", "a", "Mains (single phase)", numeric("formaldehyd", "µg/m³"), r#"{"formaldehyd":50}"#, "hcho", "hcho=0.05"),
        ("hcho in ppb", "a", "Mains (single phase)", numeric("hcho", "ppb"), r#"{"hcho":65}"#, "hcho", "hcho=0.08"),
        ("hcho in no unit", "a", "Mains (single phase)", numeric("formaldehyd", ""), r#"{"formaldehyd":1}"#, "", ""),
        ("voc in µg/m³", "a", "Mains (single phase)", numeric("voc", "µg/m³"), r#"{"voc":250}"#, "tvoc", "tvoc=0.25"),
        ("voc in ppb", "a", "Mains (single phase)", numeric("voc", "ppb"), r#"{"voc":14}"#, "tvoc_ppb", "tvoc_ppb=14"),
        ("voc index", "a", "Mains (single phase)", numeric("voc_index", ""), r#"{"voc_index":104}"#, "voc_index", "voc_index=104"),
        ("mains voltage", "a", "Mains (single phase)", numeric("voltage", "V"), r#"{"voltage":231.4}"#, "voltage", "voltage=231.4"),
        ("battery voltage", "a", "Battery", numeric("voltage", "mV"), r#"{"voltage":2985}"#, "battery_voltage", "battery_voltage=2.985"),
        (
            "battery flag alone",
            "a",
            "Battery",
            format!("{},{}", binary("smoke"), binary("battery_low")),
            r#"{"smoke":false,"battery_low":true}"#,
            "smoke battery_low battery",
            "smoke=0 battery_low=1",
        ),
        (
            "battery flag beside per cent",
            "a",
            "Battery",
            format!("{},{}", numeric("battery", "%"), binary("battery_low")),
            r#"{"battery":40,"battery_low":true}"#,
            "battery",
            "battery=40",
        ),
        (
            "contact",
            "a",
            "Battery",
            r#"{"access":1,"name":"contact","property":"contact","type":"binary","value_off":true,"value_on":false}"#.to_owned(),
            r#"{"contact":false}"#,
            "open battery",
            "open=1",
        ),
        ("lock", "a", "Battery", lock.to_owned(), r#"{"state":"UNLOCK","lock_state":"locked"}"#, "locked battery", "locked=1"),
        ("lock that moves", "a", "Battery", lock.to_owned(), r#"{"state":"LOCK","lock_state":"not_fully_locked"}"#, "locked battery", ""),
        (
            "two probes",
            "a",
            "Mains (single phase)",
            probes.to_owned(),
            r#"{"temperature_l1":4.5,"temperature_l2":-18}"#,
            "temperature",
            "temperature#1=4.5 temperature#2=-18",
        ),
        ("a switch", "a", "Mains (single phase)", gang.to_owned(), r#"{"state_l1":"ON"}"#, "switched_on", "switched_on#1=1"),
        (
            "the switch of a germicidal lamp",
            "nap uv lamp",
            "Mains (single phase)",
            gang.to_owned(),
            r#"{"state_l1":"ON"}"#,
            "uv_lamp",
            "uv_lamp#1=1",
        ),
        (
            "what may only be set",
            "a",
            "Mains (single phase)",
            r#"{"access":2,"name":"temperature","property":"temperature","type":"numeric","unit":"°C"}"#.to_owned(),
            r#"{"linkquality":9}"#,
            "",
            "link_quality=9",
        ),
        ("in °F", "a", "Mains (single phase)", numeric("temperature", "°F"), r#"{"temperature":77}"#, "temperature", "temperature=25"),
        (
            "siren",
            "a",
            "Mains (single phase)",
            r#"{"access":3,"name":"alarm","property":"alarm","type":"binary","value_off":false,"value_on":true}"#.to_owned(),
            r#"{"alarm":true}"#,
            "siren",
            "siren=1",
        ),
        (
            "words for a state",
            "a",
            "Mains (single phase)",
            r#"{"access":1,"name":"gas","property":"gas","type":"binary","value_off":"normal","value_on":"leak"}"#.to_owned(),
            r#"{"gas":"leak"}"#,
            "gas",
            "gas=1",
        ),
        ("gas in LEL", "a", "Mains (single phase)", numeric("gas_value", "LEL"), r#"{"gas_value":3.5}"#, "gas_lel", "gas_lel=3.5"),
        (
            "meters",
            "a",
            "Mains (single phase)",
            format!("{},{},{}", numeric("power", "W"), numeric("energy", "kWh"), numeric("current", "A")),
            r#"{"power":12.5,"energy":3.25,"current":0.06}"#,
            "power energy current",
            "power=12.5 energy=3.25 current=0.06",
        ),
        (
            "presence and lux",
            "a",
            "Mains (single phase)",
            format!("{},{},{}", binary("presence"), numeric("illuminance_lux", "lx"), numeric("illuminance", "lx")),
            r#"{"presence":true,"illuminance":10,"illuminance_lux":11}"#,
            "illuminance presence",
            "presence=1 illuminance=10",
        ),
        (
            "smoke as a state",
            "a",
            "Mains (single phase)",
            r#"{"access":1,"name":"smoke_state","property":"smoke_state","type":"enum","values":["alarm","normal"]}"#.to_owned(),
            r#"{"smoke_state":"alarm"}"#,
            "smoke",
            "smoke=1",
        ),
        (
            "window that is tilted",
            "a",
            "Mains (single phase)",
            r#"{"access":1,"name":"opening_state","property":"opening_state","type":"enum","values":["open","closed","tilted"]}"#
                .to_owned(),
            r#"{"opening_state":"tilted"}"#,
            "open",
            "open=1",
        ),
        (
            "gas valve",
            "a",
            "Mains (single phase)",
            r#"{"access":7,"name":"gas_valve_state","property":"gas_valve_state","type":"binary","value_on":"OPEN","value_off":"CLOSE"}"#
                .to_owned(),
            r#"{"gas_valve_state":"CLOSE"}"#,
            "valve",
            "valve=0",
        ),
        ("gas as a number", "a", "Mains (single phase)", numeric("gas", "%LEL"), r#"{"gas":4}"#, "gas_lel", "gas_lel=4"),
        ("link quality", "a", "Mains (single phase)", LQI.to_owned(), r#"{"linkquality":120}"#, "link_quality", "link_quality=120"),
    ] {
        let mut decoder = Zigbee2Mqtt::default();
        let list =
            inventory(decode(&mut decoder, "zigbee2mqtt/bridge/devices", &devices(&[("0x00158d0000000001", name, power, &exposes)])));
        assert_eq!(list[0].via.as_ref().map(DeviceId::as_str), Some("z2m.bridge"));
        let mut announced: Vec<_> = list[0].quantities.iter().map(|q| q.name()).collect();
        let mut expected: Vec<_> = quantities.split(' ').filter(|q| !q.is_empty()).collect();
        announced.sort_unstable();
        expected.sort_unstable();
        assert_eq!(announced, expected, "{what}");
        let m = message(decode(&mut decoder, &format!("zigbee2mqtt/{name}"), state));
        assert_eq!(crate::decode::testing::sessions::items(&m.items), items, "{what}");
    }
}

/// Constructed after <https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html> (2.x).
#[test]
fn a_rename_keeps_the_device_and_a_removal_takes_it() {
    let mut d = Zigbee2Mqtt::default();
    decode(&mut d, "zigbee2mqtt/bridge/devices", DEVICES);
    let renamed = inventory(decode(
        &mut d,
        "zigbee2mqtt/bridge/response/device/rename",
        r#"{"data":{"from":"my_plug","homeassistant_rename":false,"to":"nap plug"},"status":"ok","transaction":"x-1"}"#,
    ));
    assert_eq!((renamed.len(), renamed[0].removed, renamed[0].name.as_deref()), (1, false, Some("nap plug")));
    assert_eq!(message(decode(&mut d, "zigbee2mqtt/nap plug", "{}")).device.as_str(), "z2m.0x00158d00018255df");
    // The list that follows says it again.
    let again = inventory(decode(&mut d, "zigbee2mqtt/bridge/devices", &DEVICES.replace("my_plug", "nap plug")));
    assert!(again.iter().all(|i| !i.removed), "{again:?}");
    assert_eq!(decode(&mut d, "zigbee2mqtt/my_plug", ""), Decoded::Inputs(vec![]));
    let gone = inventory(decode(
        &mut d,
        "zigbee2mqtt/bridge/response/device/remove",
        r#"{"data":{"block":false,"force":false,"id":"nap plug"},"status":"ok"}"#,
    ));
    assert_eq!((gone[0].removed, gone[0].device.as_ref().unwrap().as_str()), (true, "z2m.0x00158d00018255df"));
    let failed = r#"{"data":{},"error":"Device 'x' does not exist","status":"error"}"#;
    assert!(matches!(decode(&mut d, "zigbee2mqtt/bridge/response/device/remove", failed), Decoded::Inputs(b) if b.is_empty()));
    // Without the list: the provisional id moves with the name.
    let mut d = Zigbee2Mqtt::default();
    decode(&mut d, "zigbee2mqtt/a", r#"{"smoke":true}"#);
    let Decoded::Inputs(bodies) =
        decode(&mut d, "zigbee2mqtt/bridge/response/device/rename", r#"{"data":{"from":"a","to":"b"},"status":"ok"}"#)
    else {
        panic!()
    };
    assert_eq!(bodies.len(), 2);
    let list = inventory(Decoded::Inputs(
        match decode(&mut d, "zigbee2mqtt/bridge/devices", &devices(&[("0x00158d0000000001", "b", "Battery", "")])) {
            Decoded::Inputs(mut bodies) => {
                assert_eq!(summary(&message(Decoded::Inputs(vec![bodies.pop().unwrap()]))), "smoke=1");
                bodies
            }
            other => panic!("{other:?}"),
        },
    ));
    assert_eq!(list.iter().filter(|i| i.removed).map(|i| i.device.as_ref().unwrap().as_str()).collect::<Vec<_>>(), ["z2m.b"]);
}

/// Constructed.
#[test]
fn an_action_counts_once_however_it_is_published() {
    let mut d = Zigbee2Mqtt::default();
    assert_eq!(decode(&mut d, "zigbee2mqtt/b/action", "single"), Decoded::Inputs(vec![]));
    assert_eq!(summary(&message(decode(&mut d, "zigbee2mqtt/b/action", "emergency"))), "event:panic_pressed");
    decode(&mut d, "zigbee2mqtt/bridge/info", r#"{"config":{"advanced":{"output":"attribute"}},"permit_join":false}"#);
    assert_eq!(summary(&message(decode(&mut d, "zigbee2mqtt/b/action", "single"))), "event:button_pressed");
}

/// Constructed: a second bridge with a base topic of its own, whose device speaks before it does.
#[test]
fn a_base_topic_is_learned() {
    use crate::decode::testing::sessions::{decoders, say};
    let list = devices(&[("0x00158d0000000001", "smoke", "Battery", "")]);
    for introduction in [
        ("home/zigbee/bridge/state", "online"),
        ("home/zigbee/bridge/state", r#"{"state":"online"}"#),
        ("home/zigbee/bridge/devices", list.as_str()),
    ] {
        let mut d = decoders();
        assert!(say(&mut d, "home/zigbee/smoke", r#"{"smoke":true}"#).starts_with("!nobody"));
        let said = say(&mut d, introduction.0, introduction.1);
        assert!(said.ends_with(" (retained) smoke=1"), "{said}");
        say(&mut d, "home/zigbee/bridge/devices", &list);
        let said = say(&mut d, "home/zigbee/smoke", r#"{"smoke":false}"#);
        assert_eq!(said, "zigbee2mqtt: z2m.0x00158d0000000001 smoke=0");
        // The first bridge has a device of the same name.
        let said = say(&mut d, "zigbee2mqtt/smoke", r#"{"smoke":true}"#);
        assert_eq!(said, "zigbee2mqtt: z2m.smoke smoke=1");
    }
    let mut d = decoders();
    for topic in ["tuoan/bridge/state", "homeassistant/bridge/state", "$SYS/bridge/state"] {
        assert!(say(&mut d, topic, "online").starts_with('!'), "{topic}");
    }
    assert!(say(&mut d, "x/bridge/state", "running").starts_with("!nobody"));
}

/// What zigbee-herdsman-converters calls them: `FireAngel CO alarm` has `alarm`, many a radar has `occupancy`. Constructed.
#[test]
fn the_definition_s_description_tells_what_a_name_does_not() {
    let alarm = r#"{"access":1,"name":"alarm","property":"alarm","type":"binary","value_off":false,"value_on":true}"#;
    let occupancy = r#"{"access":1,"name":"occupancy","property":"occupancy","type":"binary","value_off":false,"value_on":true}"#;
    for (description, exposes, state, want) in [
        ("FireAngel CO alarm", alarm, r#"{"alarm":true}"#, "co_alarm=1"),
        ("Smoke and CO detector", alarm, r#"{"alarm":true}"#, "smoke=1"),
        ("EV charger", alarm, r#"{"alarm":true}"#, ""),
        ("24G MmWave radar human presence motion sensor", occupancy, r#"{"occupancy":true}"#, "presence=1"),
        ("Motion sensor", occupancy, r#"{"occupancy":true}"#, "motion=1"),
    ] {
        let mut d = Zigbee2Mqtt::default();
        let list = devices(&[("0x00158d0000000001", "a", "Mains (single phase)", exposes)]).replace("\"D\"", &format!("\"{description}\""));
        decode(&mut d, "zigbee2mqtt/bridge/devices", &list);
        assert_eq!(summary(&message(decode(&mut d, "zigbee2mqtt/a", state))), want, "{description}");
    }
}
