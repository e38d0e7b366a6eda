use crate::decode::testing::sessions::{decoders, lines, say};
use crate::decode::{Decoders, Raw};
use std::collections::BTreeMap;

const CAPTURED: &str = include_str!("../../../tests/fixtures/decode/homeassistant/captured.jsonl");

fn captured() -> BTreeMap<String, (String, String)> {
    lines(CAPTURED).into_iter().map(|c| (c.name, (c.topic, c.payload))).collect()
}

/// Plays captured messages by name.
fn play(d: &mut Decoders, names: &[&str]) -> Vec<String> {
    let all = captured();
    names.iter().map(|n| say(d, &all[*n].0, &all[*n].1)).collect()
}

/// Constructed after `homeassistant/components/mqtt/{camera,image}.py`.
#[test]
fn announced_pictures_are_their_device_s_and_nobody_else_s() {
    use crate::ingest::frames::{Arrival, FrameDesk, Watch};
    let mut d = decoders();
    let devices = ["ha.door", "ha.yard", "ha.liar"];
    let cameras = devices.iter().map(|id| tuoan_protocol::DeviceId::new(id).unwrap()).collect();
    let desk = FrameDesk::watching(Watch { cameras, announced: d.pictures(), ..Watch::default() });
    let mut now = 0;
    let mut whose = |topic: &str| {
        now += 1000;
        let jpeg = crate::ingest::frames::jpeg::tests::markers(640, 480, 100);
        let _ = desk.put(topic, jpeg.into(), Arrival { utc_ms: now, steady_ms: now, retained: false });
        desk.take_all().first().map(|f| f.device.to_string())
    };
    let device = |id: &str| format!(r#""dev":{{"ids":["{id}"],"name":"{id}"}}"#);
    say(
        &mut d,
        "homeassistant/camera/door/config",
        &format!(r#"{{"t":"bell/view","uniq_id":"d1","image_encoding":"b64",{}}}"#, device("door")),
    );
    say(&mut d, "homeassistant/image/yard/config", &format!(r#"{{"~":"y","img_t":"~/pic","uniq_id":"y1",{}}}"#, device("yard")));
    assert_eq!((whose("bell/view").as_deref(), whose("y/pic").as_deref()), (Some("ha.door"), Some("ha.yard")));
    // A second view of the door, another's topic, and topics that other conventions read.
    for (n, topic) in
        ["bell/other", "bell/view", "zigbee2mqtt/smoke", "tuoan/v1/s/cam-1/frame", "frigate/hall/person/snapshot"].into_iter().enumerate()
    {
        let who = if n == 0 { "door" } else { "liar" };
        say(&mut d, &format!("homeassistant/camera/x{n}/config"), &format!(r#"{{"t":"{topic}","uniq_id":"x{n}",{}}}"#, device(who)));
    }
    assert_eq!((whose("bell/view").as_deref(), whose("bell/other"), whose("frigate/hall/person/snapshot")), (Some("ha.door"), None, None));
    // Moved, then removed.
    say(&mut d, "homeassistant/camera/door/config", &format!(r#"{{"t":"bell/new","uniq_id":"d1",{}}}"#, device("door")));
    assert_eq!((whose("bell/view"), whose("bell/new").as_deref()), (None, Some("ha.door")));
    say(&mut d, "homeassistant/camera/door/config", "");
    assert_eq!(whose("bell/new"), None);
}

#[test]
fn captured_messages() {
    let table = [
        ("motion-config", "homeassistant: +ha.garden \"garden\" (motion)"),
        ("motion", "homeassistant: ha.garden motion=1"),
        ("motion-removed", "homeassistant: -ha.garden"),
        ("bedroom-t-config", "homeassistant: +ha.sensorBedroom \"Temperature\" (temperature)"),
        ("bedroom-h-config", "homeassistant: +ha.sensorBedroom (temperature humidity)"),
        ("bedroom", "homeassistant: ha.sensorBedroom humidity=43.7 temperature=23.2"),
        ("irrigation-config", "homeassistant: -"),
        ("irrigation-set", "homeassistant: -"),
        ("light-config", "homeassistant: -"),
        ("light", "homeassistant: -"),
        ("single-trigger-config", "homeassistant: +ha.0AFFD2 \"test_device\""),
        ("single-sensor-config", "homeassistant: -"),
        ("single-tag-config", "homeassistant: -"),
        ("migrate", "homeassistant: -"),
        ("device-config", "homeassistant: -"),
        ("device-no-platform", "!homeassistant: components.acp1: `platform` (p) is missing"),
        ("device-components-text", "!homeassistant: device discovery must give `components` (cmps), an object"),
        ("timer", "!homeassistant: discovery of `timer`: Home Assistant has no such MQTT component"),
        ("not-json", "!homeassistant: discovery payload: expected ident at line 1 column 2"),
        ("expansion-config", "homeassistant: -"),
        ("expansion-available", "homeassistant: -"),
        ("expansion-on", "homeassistant: -"),
        ("expansion-gone", "homeassistant: -"),
        ("expansion-wrong", "!homeassistant: availability must be a list of objects with `topic`"),
        ("own-prefix-config", "homeassistant: -"),
        ("theengs-config", "homeassistant: +ha.48XXXXXXXA \"Formaldehyde detector\" Xiaomi JQJCY01YM (battery) via ha.OMG_GAT"),
        ("omg-no-id-config", "homeassistant: -"),
        ("watermeter-config", "homeassistant: +meter.watermeter \"Total water meter\" aquamess M100 (water_volume)"),
        (
            "z2m-temperature-config",
            "homeassistant: +z2m.weather_sensor \"weather_sensor\" Aqara WSDCGQ11LM Temperature and humidity sensor (temperature) via z2m.bridge",
        ),
        (
            "z2m-humidity-config",
            "homeassistant: +z2m.weather_sensor \"weather_sensor\" Aqara WSDCGQ11LM Temperature and humidity sensor (temperature humidity) via z2m.bridge",
        ),
        ("z2m-group-config", "homeassistant: -"),
        ("tasmota-config", "homeassistant: +tasmota.tasmota01 (energy)"),
        ("tasmota-lwt", "tasmota: tasmota.tasmota01 online"),
        ("shelly-config", "homeassistant: +shelly.shellyplus1-7c87cexxxxxx \"Shelly Plus 1\" Allterco Robotics Shelly Plus 1 (fault)"),
        (
            "z2m-legacy-config",
            "homeassistant: +z2m.Utility_Motion_Sensor~86ffc312 \"Utility Motion Sensor\" Xiaomi MiJia human body movement sensor (RTCGQ01LM) (motion)",
        ),
        ("z2m-own-base-config", "homeassistant: -"),
    ];
    let mut d = decoders();
    for (name, want) in table {
        assert_eq!(play(&mut d, &[name]), [want], "{name}");
    }
    assert_eq!(captured().len(), table.len(), "every capture is asked for");
    // What the announced topics then carry (constructed, but for the words that the announcements give).
    for (topic, payload, want) in [
        ("foobar/triggers/button1", "short_press", "homeassistant: ha.0AFFD2 event:button_pressed"),
        ("foobar/triggers/button1", "long_press", "homeassistant: -"),
        ("foobar/sensors/bla2/state", "12", "homeassistant: -"),
        ("foobar/tags/bla3/see", "{}", "homeassistant: -"),
        ("home/OMG_GAT/BTtoMQTT/48XXXXXXXA", r#"{"batt":87,"formal":0.05}"#, "homeassistant: ha.48XXXXXXXA battery=87"),
        ("home/OMG_GAT/BTtoMQTT/48XXXXXXXA", r#"{"rssi":-70}"#, "homeassistant: -"),
        (
            "home/OMG_GAT/BTtoMQTT/OTHER",
            r#"{"batt":87}"#,
            "!nobody: no decoder knows this topic; describe it in a mapping file ([[mapping]])",
        ),
        (
            "watermeter/main/json",
            r#"{"value":"123.456","raw":"00123.456"}"#,
            "pulse: +meter.watermeter AI-on-the-edge-device meter reader; meter.watermeter water_volume=123.456",
        ),
        ("watermeter/connection", "connected", "pulse: meter.watermeter online"),
        ("watermeter/connection", "connection lost", "pulse: meter.watermeter offline"),
        ("homeassistant/status", "online", "homeassistant: -"),
    ] {
        assert_eq!(say(&mut d, topic, payload), want, "{topic} {payload}");
    }
}

/// The messages that Home Assistant's documentation prescribes for the move from one message for each entity to one for the device.
#[test]
fn migration_keeps_the_device_and_doubles_nothing() {
    let mut d = decoders();
    play(&mut d, &["single-trigger-config", "single-sensor-config", "single-tag-config", "migrate", "device-config"]);
    assert_eq!(say(&mut d, "foobar/triggers/button1", "short_press"), "homeassistant: ha.0AFFD2 event:button_pressed");
    for name in ["single-trigger-config", "single-sensor-config", "single-tag-config"] {
        assert_eq!(say(&mut d, &captured()[name].0, ""), "homeassistant: -", "{name}");
    }
    assert_eq!(say(&mut d, "foobar/triggers/button1", "short_press"), "homeassistant: ha.0AFFD2 event:button_pressed");
    assert_eq!(say(&mut d, &captured()["device-config"].0, ""), "homeassistant: -ha.0AFFD2");
    assert!(say(&mut d, "foobar/triggers/button1", "short_press").starts_with("!nobody"));
}

const DEVICES: &str = r#"[{"ieee_address":"0x0017880104e45522","friendly_name":"weather_sensor","definition":{"vendor":"Aqara","model":"WSDCGQ11LM","description":"Temperature and humidity sensor"}}]"#;

/// Constructed: the same device by its bridge and by discovery, in whatever order they come.
#[test]
fn a_device_of_a_bridge_is_one_in_any_order() {
    let all = captured();
    let messages = [
        (all["z2m-temperature-config"].0.as_str(), all["z2m-temperature-config"].1.as_str()),
        ("zigbee2mqtt/bridge/devices", DEVICES),
        ("zigbee2mqtt/weather_sensor", r#"{"temperature":21.5,"humidity":40}"#),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut d = decoders();
        let mut log: Vec<String> = order.iter().map(|i| say(&mut d, messages[*i].0, messages[*i].1)).collect();
        log.push(say(&mut d, messages[2].0, messages[2].1));
        let text = log.join("\n");
        // Whatever was called by its name before is taken back, and its states come under its address.
        let named = text.matches("+z2m.weather_sensor").count() + text.matches(": z2m.weather_sensor ").count();
        assert_eq!(text.contains("-z2m.weather_sensor"), named > 0, "{order:?}\n{text}");
        assert!(log[3].ends_with(": z2m.0x0017880104e45522 temperature=21.5 humidity=40"), "{order:?}\n{text}");
        assert!(!text.contains("ha."), "{order:?}\n{text}");
        assert_eq!(text.matches("+z2m.0x0017880104e45522").count(), 1, "{order:?}\n{text}");
    }
}

/// Discovery of devices that their own conventions speak for, as captured; their states, which the pages do not show, constructed. In whatever
/// order they come, each is one device, and nothing is read twice.
#[test]
fn devices_of_other_conventions_are_described_and_not_doubled() {
    let all = captured();
    let own = |name: &str| (all[name].0.clone(), all[name].1.clone());
    let with = |topic: &str, payload: &str| (topic.to_owned(), payload.to_owned());
    let mut messages = vec![
        own("tasmota-config"),
        with("tasmota01/tele/SENSOR", r#"{"Time":"2026-11-22T08:00:00","ENERGY":{"Total":12.5,"Today":0.25,"Power":7}}"#),
        own("shelly-config"),
        with("shellyplus1-7c87cexxxxxx/status/switch:0", r#"{"id":0,"output":true,"errors":[]}"#),
        with("shellyplus1-7c87cexxxxxx/online", "true"),
        own("z2m-own-base-config"),
        with("myhome/Temp Sensor", r#"{"temperature":21.5}"#),
        with("myhome/bridge/state", "online"),
        with("myhome/bridge/devices", r#"[{"ieee_address":"0x00124b00253c5f14","friendly_name":"Temp Sensor"}]"#),
    ];
    for turn in 0..messages.len() * 2 {
        messages.rotate_left(1);
        if turn == messages.len() {
            messages.reverse();
        }
        let mut d = decoders();
        let text: Vec<String> = messages.iter().map(|(topic, payload)| say(&mut d, topic, payload)).collect();
        let text = text.join("\n");
        assert!(!text.contains("ha."), "{text}");
        assert_eq!(text.matches("temperature=21.5").count(), 1 + usize::from(text.contains("-z2m.")), "{text}");
        assert_eq!(text.matches("power=7").count(), 1, "{text}");
        let last = say(&mut d, "myhome/Temp Sensor", r#"{"temperature":22}"#);
        assert_eq!(last, "zigbee2mqtt: z2m.0x00124b00253c5f14 temperature=22");
    }
}

/// Constructed: whoever may publish discovery announces a topic of his own for a smoke detector of the bridge.
#[test]
fn discovery_does_not_take_a_device_over() {
    let evil = |identifiers: &str, topic: &str| {
        format!(
            r#"{{"device_class":"smoke","state_topic":"{topic}","unique_id":"e{topic}","device":{{"identifiers":["{identifiers}"],"connections":[["mac","20500de464ec"]],"name":"x"}}}}"#
        )
    };
    let mut d = decoders();
    say(&mut d, "zigbee2mqtt/bridge/devices", &DEVICES.replace("weather_sensor", "smoke1"));
    say(&mut d, "esphome/discover/kitchen", r#"{"name":"kitchen","mac":"20500de464ec"}"#);
    say(&mut d, "homeassistant/binary_sensor/a/config", &evil("zigbee2mqtt_0x0017880104e45522", "evil/a"));
    say(&mut d, "homeassistant/binary_sensor/b/config", &evil("other", "evil/b"));
    // Under the bridge's own topics nothing is read twice, and nothing by the template of another.
    say(&mut d, "homeassistant/binary_sensor/c/config", &evil("third", "zigbee2mqtt/smoke1"));
    for topic in ["evil/a", "evil/b"] {
        let said = say(&mut d, topic, "OFF");
        assert!(said.starts_with("!homeassistant: discovery announces this topic for "), "{said}");
    }
    assert_eq!(say(&mut d, "zigbee2mqtt/smoke1", r#"{"smoke":true}"#), "zigbee2mqtt: z2m.0x0017880104e45522 smoke=1");
    // A smoke detector of ESPHome stays one, whatever is announced of its topic.
    let lock = r#"{"device_class":"lock","state_topic":"kitchen/binary_sensor/smoke/state","unique_id":"ESPbinary_sensorsmoke","device":{"identifiers":["20500de464ec"],"manufacturer":"Espressif"}}"#;
    say(&mut d, "homeassistant/binary_sensor/kitchen/smoke/config", lock);
    assert_eq!(say(&mut d, "kitchen/binary_sensor/smoke/state", "ON"), "esphome: esphome.kitchen smoke=1");
    // Nor can another topic be announced as that node's.
    let elsewhere = evil("20500de464ec", "evil/c")
        .replace(r#""unique_id":"eevil/c""#, r#""unique_id":"ESPbinary_sensorx","availability_topic":"kitchen/status""#);
    say(&mut d, "homeassistant/binary_sensor/kitchen/x/config", &elsewhere);
    let said = say(&mut d, "evil/c", "OFF");
    assert!(!said.contains("esphome.kitchen smoke"), "{said}");
}

/// Constructed: its own decoder learns of a device after discovery has been read for it.
#[test]
fn a_ghost_goes_when_the_owner_of_its_address_speaks() {
    let mut d = decoders();
    let config = r#"{"device_class":"temperature","unit_of_measurement":"°C","state_topic":"shed/t","unique_id":"shed-t","device":{"connections":[["mac","20:50:0D:E4:64:EC"]],"name":"Shed"}}"#;
    assert_eq!(say(&mut d, "homeassistant/sensor/shed/config", config), "homeassistant: +ha.20:50:0D:E4:64:EC \"Shed\" (temperature)");
    assert_eq!(say(&mut d, "shed/t", "4.5"), "homeassistant: ha.20:50:0D:E4:64:EC temperature=4.5");
    say(&mut d, "esphome/discover/shed", r#"{"name":"shed","mac":"20500de464ec"}"#);
    assert_eq!(say(&mut d, "shed/t", "4.5"), "homeassistant: -ha.20:50:0D:E4:64:EC");
    assert!(say(&mut d, "shed/t", "4.5").contains("speaks for itself"));
}

/// Constructed: availability by lists and modes; a topic that several devices share is their bridge's.
#[test]
fn availability() {
    let config = |mode: &str, id: &str, topics: &[&str]| {
        let list: Vec<String> = topics.iter().map(|t| format!(r#"{{"topic":"{t}"}}"#)).collect();
        format!(
            r#"{{"dev_cla":"motion","stat_t":"x/{id}","uniq_id":"{id}-m","avty":[{}],"avty_mode":"{mode}","dev":{{"ids":["{id}"]}}}}"#,
            list.join(",")
        )
    };
    for (mode, want) in [
        ("all", ["online", "offline", "offline", "online"]),
        ("any", ["online", "online", "online", "online"]),
        ("latest", ["online", "offline", "online", "online"]),
    ] {
        let mut d = decoders();
        say(&mut d, "homeassistant/binary_sensor/one/config", &config(mode, "one", &["one/a", "one/b"]));
        let said: Vec<String> = [("one/a", "online"), ("one/b", "offline"), ("one/a", "online"), ("one/b", "online")]
            .iter()
            .map(|(t, p)| say(&mut d, t, p))
            .collect();
        assert_eq!(said, want.map(|w| format!("homeassistant: ha.one {w}")), "{mode}");
    }
    let mut d = decoders();
    let words = r#"{"dev_cla":"motion","stat_t":"x/w","uniq_id":"w-m","avty_t":"w/connection","pl_avail":"connected","pl_not_avail":"connection lost","dev":{"ids":["w"]}}"#;
    say(&mut d, "homeassistant/binary_sensor/w/config", words);
    assert_eq!(say(&mut d, "w/connection", "connected"), "homeassistant: ha.w online");
    assert_eq!(say(&mut d, "w/connection", "connection lost"), "homeassistant: ha.w offline");
    assert_eq!(say(&mut d, "w/connection", "?"), "homeassistant: -");
    let mut d = decoders();
    say(&mut d, "homeassistant/binary_sensor/one/config", &config("all", "one", &["gw/LWT"]));
    let second = say(&mut d, "homeassistant/binary_sensor/two/config", &config("all", "two", &["gw/LWT"]));
    assert!(second.ends_with("+ha.two (motion) via ha.gw"), "{second}");
    assert_eq!(say(&mut d, "gw/LWT", "offline"), "homeassistant: ha.gw offline", "no sign of life or death of each device behind it");
}

/// Constructed: shapes of states that announcements describe.
#[test]
fn states() {
    for (component, config, payload, want) in [
        ("binary_sensor", r#""dev_cla":"door","pl_on":"open","pl_off":"closed""#, "open", "open=1"),
        (
            "binary_sensor",
            r#""dev_cla":"smoke","payload_on":true,"payload_off":false,"val_tpl":"{{ value_json.smoke }}""#,
            r#"{"smoke":true}"#,
            "smoke=1",
        ),
        ("binary_sensor", r#""dev_cla":"smoke""#, "true", "smoke=1"),
        ("binary_sensor", r#""dev_cla":"smoke""#, "unavailable", "-"),
        ("binary_sensor", r#""dev_cla":"smoke""#, "perhaps", "!homeassistant: u: `perhaps` is neither on nor off"),
        ("binary_sensor", r#""dev_cla":"motion","off_dly":30"#, "ON", "motion=1 motion=0"),
        ("binary_sensor", r#""dev_cla":"smoke","off_dly":15"#, "ON", "smoke=1"),
        ("binary_sensor", r#""dev_cla":"lock""#, "ON", "locked=0"),
        ("binary_sensor", r#""name":"SOS""#, "ON", "event:panic_pressed"),
        ("lock", r#""cmd_t":"c""#, "LOCKED", "locked=1"),
        ("valve", r#""reports_position":true"#, r#"{"position":40}"#, "valve=1"),
        ("cover", r#""dev_cla":"door""#, "closed", "open=0"),
        ("switch", r#""name":"UV lamp""#, "ON", "uv_lamp=1"),
        ("siren", r#""cmd_t":"c""#, r#"{"state":"ON"}"#, "siren=1"),
        ("sensor", r#""dev_cla":"temperature","unit_of_meas":"°F""#, "74.3", "temperature=23.5"),
        ("sensor", r#""dev_cla":"pressure","unit_of_meas":"inHg""#, "29.92", "pressure=1013.2"),
        ("sensor", r#""dev_cla":"carbon_monoxide","unit_of_meas":"mg/m³""#, "10", "co=8.7"),
        ("sensor", r#""dev_cla":"temperature","unit_of_meas":"°C""#, "unknown", "-"),
        (
            "sensor",
            r#""dev_cla":"temperature","unit_of_meas":"°C""#,
            "warm",
            "!homeassistant: u: the value is not a finite number (`warm`)",
        ),
        ("sensor", r#""dev_cla":"energy","unit_of_meas":"Wh","stat_cla":"total_increasing""#, "1234", "energy=1.234"),
        (
            "sensor",
            r#""dev_cla":"temperature","unit_of_meas":"°C","val_tpl":"{{ now() }}""#,
            "1",
            "!homeassistant: value_template: the function `now` is not understood",
        ),
        ("event", r#""evt_typ":["single"]"#, r#"{"event_type":"single"}"#, "event:button_pressed"),
    ] {
        let mut d = decoders();
        let config = format!(r#"{{"stat_t":"x/y","uniq_id":"u",{config},"dev":{{"ids":"i"}}}}"#);
        say(&mut d, &format!("homeassistant/{component}/o/config"), &config);
        let said = say(&mut d, "x/y", payload);
        let said = said.strip_prefix("homeassistant: ").map_or(said.as_str(), |s| s.strip_prefix("ha.i ").unwrap_or(s));
        assert_eq!(said, want, "{component} {config}");
    }
    let mut d = decoders();
    let climate =
        r#"{"~":"ac","curr_temp_t":"~/t","curr_hum_t":"~/h","mode_stat_t":"~/mode","temp_unit":"F","expire_after":90,"dev":{"ids":"i"}}"#;
    assert_eq!(say(&mut d, "homeassistant/climate/o/config", climate), "homeassistant: +ha.i (temperature humidity) 30s");
    assert_eq!(say(&mut d, "ac/t", "77"), "homeassistant: ha.i temperature=25");
    assert_eq!(say(&mut d, "ac/mode", "heat"), "homeassistant: -");
}

/// Constructed: discovery is published again at each start of Home Assistant, and says nothing new.
#[test]
fn an_announcement_again_is_no_news() {
    let mut d = decoders();
    let config = r#"{"dev_cla":"motion","stat_t":"x/m","uniq_id":"mm","dev":{"ids":["i"],"cns":[["mac","aa:bb:cc:00:11:22"]]}}"#;
    assert_eq!(say(&mut d, "homeassistant/binary_sensor/m/config", config), "homeassistant: +ha.i (motion)");
    assert_eq!(say(&mut d, "homeassistant/binary_sensor/m/config", config), "homeassistant: -");
    // By its address alone it is still the same, and so under another topic.
    let by_mac = config.replace(r#""ids":["i"],"#, "");
    assert_eq!(say(&mut d, "homeassistant/binary_sensor/m/config", &by_mac), "homeassistant: -");
    assert_eq!(say(&mut d, "homeassistant/binary_sensor/n/config", config), "homeassistant: -");
    assert_eq!(say(&mut d, "homeassistant/binary_sensor/m/config", ""), "homeassistant: -");
    assert_eq!(say(&mut d, "x/m", "ON"), "homeassistant: ha.i motion=1");
    assert_eq!(say(&mut d, "homeassistant/binary_sensor/n/config", ""), "homeassistant: -ha.i");
}

/// Constructed: several like sensors of one device have channels of their own, the same in whatever order they are announced.
#[test]
fn channels() {
    let config = |object: &str| {
        format!(r#"{{"dev_cla":"temperature","unit_of_meas":"°C","stat_t":"d/{object}","uniq_id":"d-{object}","dev":{{"ids":"d"}}}}"#)
    };
    for order in [["probe_1", "probe_2", "probe_3"], ["probe_3", "probe_1", "probe_2"]] {
        let mut d = decoders();
        for object in order {
            say(&mut d, &format!("homeassistant/sensor/{object}/config"), &config(object));
        }
        assert_eq!(say(&mut d, "d/probe_2", "5"), "homeassistant: ha.d temperature#2=5");
        assert_eq!(say(&mut d, "d/probe_3", "6"), "homeassistant: ha.d temperature#3=6");
    }
}

#[test]
fn the_registry_is_bounded() {
    let mut d = decoders();
    let mut refused = 0;
    for i in 0..5000 {
        let config = format!(r#"{{"dev_cla":"motion","stat_t":"t/{i}","uniq_id":"u{i}","dev":{{"ids":["d{i}"]}}}}"#);
        let topic = format!("homeassistant/binary_sensor/o{i}/config");
        refused += usize::from(d.decode(Raw { topic: &topic, payload: config.as_bytes(), retained: true }).is_err());
    }
    assert_eq!(refused, 5000 - 4096);
    assert!(say(&mut d, "t/1", "ON").contains("motion=1"), "the first are kept");
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(20_000));
    assert!(say(&mut d, "homeassistant/sensor/long/config", &long).contains("longer than"));
}

/// Constructed after announcements of router scripts and boiler gateways.
#[test]
fn a_warm_processor_and_a_heater_at_work_are_no_fire() {
    let mut d = decoders();
    let announce = |d: &mut _, component: &str, object: &str, rest: &str| {
        let config = format!(r#"{{"name":"{object}","stat_t":"dev/{object}","uniq_id":"{object}",{rest},"dev":{{"ids":["dev"]}}}}"#);
        say(d, &format!("homeassistant/{component}/{object}/config"), &config)
    };
    announce(&mut d, "sensor", "CPU temperature", r#""dev_cla":"temperature","unit_of_meas":"°C","ent_cat":"diagnostic""#);
    announce(&mut d, "sensor", "Hall temperature", r#""dev_cla":"temperature","unit_of_meas":"°C""#);
    announce(&mut d, "binary_sensor", "Boiler flame", r#""dev_cla":"heat""#);
    announce(&mut d, "binary_sensor", "Heat alarm", r#""dev_cla":"heat""#);
    assert!(!say(&mut d, "dev/CPU temperature", "83").contains("temperature="));
    assert!(say(&mut d, "dev/Hall temperature", "21").contains("temperature=21"));
    assert!(!say(&mut d, "dev/Boiler flame", "ON").contains("heat="));
    assert!(say(&mut d, "dev/Heat alarm", "ON").contains("heat=1"));
}
