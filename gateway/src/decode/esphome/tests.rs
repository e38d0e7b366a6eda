use crate::decode::testing::sessions::{decoders, lines, say, say_retained};

const CAPTURED: &str = include_str!("../../../tests/fixtures/decode/esphome/captured.jsonl");

/// What a node publishes when it connects, in its order.
#[test]
fn captured_messages() {
    let table = [
        ("discover", "esphome: +esphome.garagedoor1 \"GarageDoor1\" ESPHome ESP32 esp32"),
        ("birth", "esphome: esphome.garagedoor1 online"),
        ("temperature-config", "homeassistant: +esphome.garagedoor1 (temperature)"),
        ("temperature", "esphome: esphome.garagedoor1 temperature=23.8"),
        ("humidity-config", "homeassistant: +esphome.garagedoor1 (temperature humidity)"),
        ("humidity", "esphome: esphome.garagedoor1 humidity=39.1"),
        ("door-config", "homeassistant: +esphome.garagedoor1 (temperature humidity open)"),
        ("door", "esphome: esphome.garagedoor1 open=0"),
        ("light-config", "homeassistant: -"),
        ("light", "esphome: -"),
        ("will", "esphome: esphome.garagedoor1 offline"),
        ("button-config", "homeassistant: -"),
        ("log", "esphome: -"),
    ];
    let captured = lines(CAPTURED);
    let mut d = decoders();
    assert_eq!(captured.len(), table.len());
    for (c, (name, want)) in captured.iter().zip(table) {
        assert_eq!((c.name.as_str(), say(&mut d, &c.topic, &c.payload).as_str()), (name, want));
    }
    // The same, without discovery (`discovery: false`): the object ids have to do, and the door's says nothing of a door's state but its name.
    let mut d = decoders();
    let said: Vec<String> =
        captured.iter().filter(|c| !c.name.contains("config") && c.name != "discover").map(|c| say(&mut d, &c.topic, &c.payload)).collect();
    assert_eq!(
        said,
        [
            "esphome: -",
            "esphome: esphome.garagedoor1 (retained) online; esphome.garagedoor1 temperature=23.8",
            "esphome: esphome.garagedoor1 humidity=39.1",
            "esphome: esphome.garagedoor1 open=0",
            "esphome: -",
            "esphome: esphome.garagedoor1 offline",
            "esphome: -",
        ]
    );
}

/// Constructed: values that came before their announcement are told with the next message of the node.
#[test]
fn a_value_waits_for_its_announcement() {
    let mut d = decoders();
    assert_eq!(say_retained(&mut d, "kit/sensor/probe/state", "75.2", true), "esphome: -");
    let config = r#"{"dev_cla":"temperature","unit_of_meas":"°F","stat_t":"kit/sensor/probe/state","uniq_id":"ESPsensorprobe","dev":{"ids":"a1b2c3d4e5f6","name":"kit","mf":"Espressif"}}"#;
    assert_eq!(say(&mut d, "homeassistant/sensor/kit/probe/config", config), "homeassistant: +esphome.kit \"kit\" Espressif (temperature)");
    assert_eq!(say(&mut d, "kit/sensor/other/state", "1"), "esphome: esphome.kit (retained) temperature=24");
    assert_eq!(say(&mut d, "kit/sensor/probe/state", "nan"), "esphome: -");
    assert_eq!(say(&mut d, "kit/sensor/probe/state", "77"), "esphome: esphome.kit temperature=25");
    assert!(say(&mut d, "kit/sensor/probe/state", "hot").starts_with("!esphome: probe: "));
}

/// Constructed.
#[test]
fn topics() {
    for (topic, payload, want) in [
        ("home/room 2/sensor/mhz19_co2/state", "812", "esphome: esphome.home_room_2~29919fc1 co2=812"),
        ("kit/sensor/pm_2_5/state", "12.3", "esphome: esphome.kit pm25=12.3"),
        ("kit/sensor/temperature_2/state", "21", "esphome: esphome.kit temperature#2=21"),
        ("kit/sensor/uptime/state", "1234", "esphome: -"),
        ("kit/sensor/esp32_internal_temperature/state", "53", "esphome: -"),
        ("kit/binary_sensor/kitchen_smoke/state", "ON", "esphome: esphome.kit smoke=1"),
        ("kit/binary_sensor/kitchen_smoke/state", "maybe", "!esphome: `maybe` is neither ON nor OFF"),
        ("kit/binary_sensor/sos/state", "ON", "esphome: esphome.kit event:panic_pressed"),
        ("kit/binary_sensor/sos/state", "OFF", "esphome: -"),
        ("kit/switch/uv_lamp/state", "ON", "esphome: esphome.kit uv_lamp=1"),
        ("kit/lock/door/state", "LOCKED", "esphome: esphome.kit locked=1"),
        ("kit/climate/ac/current_temperature/state", "24.5", "esphome: esphome.kit temperature=24.5"),
        ("kit/climate/ac/mode/state", "cool", "esphome: -"),
        ("kit/event/bell/state", r#"{"event_type":"press"}"#, "esphome: esphome.kit event:button_pressed"),
        ("kit/text_sensor/version/state", "2024.6", "esphome: -"),
        ("esphome/discover", "", "esphome: -"),
        ("kit/debug", "\u{1b}[0;36m[D][sensor:094]: 'CO2': Sending state 812", "esphome: -"),
        ("kit/debug", "something else", "!nobody: no decoder knows this topic; describe it in a mapping file ([[mapping]])"),
        ("kit/status", "ready", "!nobody: no decoder knows this topic; describe it in a mapping file ([[mapping]])"),
        ("homeassistant/sensor/x/state", "1", "!nobody: no decoder knows this topic; describe it in a mapping file ([[mapping]])"),
    ] {
        assert_eq!(say(&mut decoders(), topic, payload), want, "{topic}");
    }
}

/// Constructed: topics of this shape that discovery then announces for another maker's devices.
#[test]
fn a_ghost_of_the_shape_is_taken_back() {
    let mut d = decoders();
    assert_eq!(say(&mut d, "house/sensor/temperature/state", "20"), "esphome: esphome.house temperature=20");
    let config = r#"{"dev_cla":"temperature","unit_of_meas":"°C","stat_t":"house/sensor/temperature/state","uniq_id":"a","dev":{"ids":"attic","mf":"Acme"}}"#;
    assert_eq!(say(&mut d, "homeassistant/sensor/attic/config", config), "homeassistant: +ha.attic Acme (temperature)");
    assert_eq!(say(&mut d, "house/sensor/temperature/state", "21"), "homeassistant: -esphome.house; ha.attic temperature=21");
}
