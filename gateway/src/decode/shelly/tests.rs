use super::*;
use crate::decode::testing::{check, decode};

#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("plug-full", r#"+shelly.shellyplusplugs-80646fd031f8 make="Shelly" model="shellyplusplugs"; shelly.shellyplusplugs-80646fd031f8@1698999954770: power=0 voltage=229.1 current=0 energy=30.473 switched_on=1 rssi=-73"#),
    ("pm-mini-status", "shelly.shelly1pmmini-Solarthermie: power=3.8 voltage=231 current=0.03 energy=26.064 switched_on=1"),
    ("pm-mini-input", "shelly.shelly1pmmini-Solarthermie: input=0"),
    ("pm-mini-mqtt", "not mine"),
    ("own-prefix-notify", r#"+shelly.ShellyLichtGarten make="Shelly" model="shelly1pmminig3"; shelly.ShellyLichtGarten@1788945300020:"#),
    ("own-prefix-status", "shelly.ShellyLichtGarten: power=0 voltage=238.3 current=0 energy=2.691 switched_on=0"),
    ("ht-temperature", r#"+shelly.shellyhtg3-3030f9ec8468 make="Shelly" model="shellyhtg3"; shelly.shellyhtg3-3030f9ec8468: temperature=29.9"#),
    ("ht-humidity", r#"+shelly.shellyhtg3-3030f9ec8468 make="Shelly" model="shellyhtg3"; shelly.shellyhtg3-3030f9ec8468: humidity=51.6"#),
    ("ht-power", r#"+shelly.shellyhtg3-3030f9ec8468 make="Shelly" model="shellyhtg3"; shelly.shellyhtg3-3030f9ec8468: battery=100 battery_voltage=6.34"#),
    ("ht-sys", r#"+shelly.shellyhtg3-3030f9ec8468 make="Shelly" model="shellyhtg3"; +shelly.shellyhtg3-3030f9ec8468 period=7200; shelly.shellyhtg3-3030f9ec8468:"#),
    ("plug-info", r#"+shelly.shellyplugus-c049ef8c30e4 make="Shelly" model="shellyplugus"; +shelly.shellyplugus-c049ef8c30e4 make="Shelly" model="SNPL-00116US PlugUS" firmware="1.1.0"; shelly.shellyplugus-c049ef8c30e4:"#),
    ("smoke", r#"+shelly.shellyplussmoke-a0a3b3b8ae48 make="Shelly" model="shellyplussmoke"; shelly.shellyplussmoke-a0a3b3b8ae48: smoke=0"#),
    ("smoke-test", r#"+shelly.shellyplussmoke-a0a3b3b8ae48 make="Shelly" model="shellyplussmoke"; +shelly.shellyplussmoke-a0a3b3b8ae48 period=86400; shelly.shellyplussmoke-a0a3b3b8ae48: event:test"#),
    ("presence-zone", r#"+shelly.shellypresence-aabbccddeeff make="Shelly" model="shellypresence"; shelly.shellypresence-aabbccddeeff: presence=1 people=1"#),
    ("presence-zone-empty", r#"+shelly.shellypresence-aabbccddeeff make="Shelly" model="shellypresence"; shelly.shellypresence-aabbccddeeff: presence.2=0 people.2=0"#),
    ("presence-light", r#"+shelly.shellypresence-aabbccddeeff make="Shelly" model="shellypresence"; shelly.shellypresence-aabbccddeeff:"#),
    ("presence-wifi", r#"+shelly.shellypresence-aabbccddeeff make="Shelly" model="shellypresence"; shelly.shellypresence-aabbccddeeff: rssi=-60"#),
    ("flood", "shelly.shellytest: water_leak=0"),
    ("analog-input", "shelly.shellytest:"),
    ("pulse-input", "shelly.shellytest: pulses.2=56174"),
    ("button-input", "shelly.shellytest:"),
    ("cover", "shelly.shellytest: power=85.3"),
    ("lux", "shelly.shellytest: illuminance=345"),
    ("em1", "shelly.shellytest: power=85.3"),
    ("em1data", "shelly.shellytest: energy=123.456"),
    ("voltmeter", "shelly.shellytest: voltage.100=4.3"),
    ("external-power", "shelly.shellytest: mains=1"),
    ("light", "shelly.shellytest: relay=1"),
    ("components", r#"+shelly.shelly1minig3-ecda3bc252b0 make="Shelly" model="shelly1minig3"; shelly.shelly1minig3-ecda3bc252b0:; +shelly.blu.38398f74b14f [battery,rssi] via=shelly.shelly1minig3-ecda3bc252b0; shelly.blu.38398f74b14f: battery=100 rssi=-72; +shelly.blu.38398f74b14f [battery] via=shelly.shelly1minig3-ecda3bc252b0; shelly.blu.38398f74b14f: battery=100"#),
    ("notify-on", r#"+shelly.shellyplus1pm-4417939a5610 make="Shelly" model="shellyplus1pm"; shelly.shellyplus1pm-4417939a5610@1708326851410: voltage=224.2 switched_on=1"#),
    ("notify-off", r#"+shelly.shellyplus1pm-4417939a5610 make="Shelly" model="shellyplus1pm"; shelly.shellyplus1pm-4417939a5610@1708326875040: power=0 voltage=0 switched_on=0"#),
    ("own-prefix-humidity", "shelly.shellyht-livingroom: humidity=57"),
    ("own-prefix-power", "shelly.shellyht-livingroom: battery=73 battery_voltage=5.46"),
    ("em-three-phases", r#"+shelly.shelly3em63g3-84fce6367400 make="Shelly" model="shelly3em63g3"; shelly.shelly3em63g3-84fce6367400: power=5.9 power.1=2.1 voltage.1=235.6 current.1=0.03 power.2=2.1 voltage.2=236.4 current.2=0.03 power.3=1.8 voltage.3=236.2 current.3=0.029"#),
    ("emdata-three-phases", r#"+shelly.shelly3em63g3-84fce6367400 make="Shelly" model="shelly3em63g3"; shelly.shelly3em63g3-84fce6367400: energy=20.527 energy.1=6.966 energy.2=7.108 energy.3=6.453"#),
    ("em1-of-two", r#"+shelly.shellyproem50-08f9e0e67204 make="Shelly" model="shellyproem50"; shelly.shellyproem50-08f9e0e67204: power.1=6769.3 voltage.1=221.4 current.1=30.665"#),
    ("em1data-of-two", r#"+shelly.shellyproem50-08f9e0e67204 make="Shelly" model="shellyproem50"; shelly.shellyproem50-08f9e0e67204: energy.1=9.672"#),
];

#[test]
fn captured_messages() {
    check("shelly", || Box::new(Shelly::default()), false, TABLE);
}

fn session(lines: &[(&str, &str, &str)]) {
    let (mut d, mut directory) = (Shelly::default(), Directory::default());
    for (topic, payload, want) in lines {
        let got = decode(&mut d, &mut directory, topic, payload);
        assert!(if want.is_empty() { got == "nothing" } else { got.contains(want) }, "{topic} {payload}\n{got}\nshould hold {want}");
    }
}

/// Constructed.
#[test]
fn a_device_with_the_owner_s_own_prefix_is_one_device() {
    session(&[
        ("hall/online", "true", "not mine"),
        (
            "hall/events/rpc",
            r#"{"src":"shellyhtg3-3030f9ec8468","method":"NotifyStatus","params":{"ts":1.3,"humidity:0":{"rh":40}}}"#,
            "+shelly.hall make=\"Shelly\" model=\"shellyhtg3\"; shelly.hall: humidity=40",
        ),
        ("hall/online", "true", "shelly.hall: online"),
        ("hall/status/sys", r#"{"mac":"3030F9EC8468","wakeup_period":7200}"#, "+shelly.hall period=7200; shelly.hall:"),
        ("hall/status", r#"{"temperature:0":{"id":0,"tC":21.5},"ble":{}}"#, "shelly.hall: temperature=21.5"),
        (
            "installer/rpc",
            r#"{"id":1,"src":"shellyhtg3-3030f9ec8468","dst":"installer","result":{"name":"Hall H&T","mac":"3030F9EC8468","model":"S3SN-0U12A","app":"HTG3","ver":"1.4.2"}}"#,
            "+shelly.hall name=\"Hall H&T\" make=\"Shelly\" model=\"S3SN-0U12A HTG3\" firmware=\"1.4.2\"; shelly.hall:",
        ),
        // The prefix is changed: the old id goes.
        (
            "corridor/events/rpc",
            r#"{"src":"shellyhtg3-3030f9ec8468","method":"NotifyStatus","params":{"ts":1.3}}"#,
            "-shelly.hall; +shelly.corridor",
        ),
        ("corridor/command/switch:0", "on", ""),
        ("corridor/rpc", r#"{"id":1,"src":"me","method":"Shelly.GetStatus"}"#, ""),
        ("elsewhere/rpc", r#"{"id":1,"src":"me","method":"other"}"#, "not mine"),
        ("elsewhere/rpc", "text", "not mine"),
        ("corridor/online", "maybe", "malformed: online must be true or false"),
        ("corridor/events/rpc", r#"{"method":"NotifyStatus"}"#, "malformed: `params` must be an object"),
        ("corridor/events/rpc", r#"{"method":"Notify","params":{}}"#, "malformed: the method \"Notify\" is not known"),
    ]);
}

/// Constructed: a component's errors, which a part of a status may leave out and a whole one does not.
#[test]
fn a_fault_lasts_until_the_device_says_otherwise() {
    let t = "shellyfloodg4-3030f9ec8468/events/rpc";
    session(&[
        (t, r#"{"method":"NotifyStatus","params":{"flood:0":{"errors":["cable_unplugged"]}}}"#, ": fault=1"),
        (t, r#"{"method":"NotifyStatus","params":{"flood:0":{"alarm":true}}}"#, ": water_leak=1 fault=1"),
        (t, r#"{"method":"NotifyFullStatus","params":{"flood:0":{"alarm":true}}}"#, ": water_leak=1 fault=0"),
        (t, r#"{"method":"NotifyStatus","params":{"flood:0":{"alarm":"wet?","mute":false}}}"#, "malformed: `flood:0.alarm`"),
        (
            t,
            r#"{"method":"NotifyEvent","params":{"events":[{"component":"input:0","event":"single_push"},{"component":"input:0","event":"btn_up"}]}}"#,
            ": event:button_pressed",
        ),
    ]);
}

/// Constructed: BLU components, before and after their configuration was heard.
#[test]
fn a_bluetooth_device_is_known_by_its_configuration() {
    let g = "shellyplus1-441793ab3fb4";
    let config = format!(
        r#"{{"src":"{g}","result":{{"bthomedevice:200":{{"id":200,"addr":"38:39:8F:74:B1:4F","name":"Back door"}},"bthomesensor:201":{{"addr":"38:39:8f:74:b1:4f","obj_id":45,"idx":0}},"bthomesensor:202":{{"addr":"38:39:8f:74:b1:4f","obj_id":31,"idx":0}}}}}}"#
    );
    session(&[
        (&format!("{g}/status/bthomesensor:201"), r#"{"id":201,"value":true}"#, "shelly.shellyplus1-441793ab3fb4:"),
        ("me/rpc", &config, "shelly.shellyplus1-441793ab3fb4:"),
        (&format!("{g}/status/bthomesensor:201"), r#"{"id":201,"value":true}"#, "; shelly.blu.38398f74b14f: open=1"),
        (&format!("{g}/status/bthomesensor:202"), r#"{"id":202,"value":true}"#, "; shelly.blu.38398f74b14f: locked=0"),
        (
            &format!("{g}/status/bthomedevice:200"),
            r#"{"id":200,"rssi":-60,"battery":9}"#,
            "+shelly.blu.38398f74b14f name=\"Back door\" [battery,rssi] via=shelly.shellyplus1-441793ab3fb4",
        ),
        (
            &format!("{g}/events/rpc"),
            r#"{"method":"NotifyEvent","params":{"events":[{"component":"bthomedevice:200","event":"single_push"}]}}"#,
            "shelly.blu.38398f74b14f: event:button_pressed",
        ),
    ]);
}

/// Constructed: what the maker's `ble-shelly-blu` script logged of a BLU Door/Window, in the frame of an event. The log masks the end of the address:
/// <https://github.com/iobroker-community-adapters/ioBroker.shelly/issues/1149>.
#[test]
fn a_script_passes_on_what_a_bluetooth_device_broadcasts() {
    let t = "shellyplus1-441793ab3fb4/events/rpc";
    let frame = |data: &str| {
        format!(
            r#"{{"src":"shellyplus1-441793ab3fb4","method":"NotifyEvent","params":{{"ts":1723456789.1,"events":[{{"component":"script:1","id":1,"event":"shelly-blu","data":{data},"ts":1723456789.1}}]}}}}"#
        )
    };
    let closed = r#"{"encryption":false,"BTHome_version":2,"pid":130,"battery":46,"illuminance":21,"window":0,"rotation":0,"rssi":-47,"address":"0c:ef:f6:01:02:03"}"#;
    let open = r#"{"encryption":false,"BTHome_version":2,"pid":131,"battery":46,"illuminance":18,"window":1,"rotation":0,"rssi":-48,"address":"0c:ef:f6:01:02:03"}"#;
    session(&[
        (
            t,
            &frame(closed),
            "+shelly.blu.0ceff6010203 [battery,illuminance,open,tilt,rssi] via=shelly.shellyplus1-441793ab3fb4; shelly.blu.0ceff6010203: battery=46 illuminance=21 open=0 tilt=0 rssi=-47",
        ),
        (t, &frame(open), "; shelly.blu.0ceff6010203: battery=46 illuminance=18 open=1 tilt=0 rssi=-48"),
    ]);
}

/// Constructed.
#[test]
fn a_device_that_never_had_mains_has_not_lost_it() {
    let power = |present: bool| format!(r#"{{"id":0,"battery":{{"V":6.1,"percent":98}},"external":{{"present":{present}}}}}"#);
    let topic = "shellyhtg3-3030f9ec8468/status/devicepower:0";
    let (mut d, mut directory) = (Shelly::default(), Directory::default());
    let mut say = |present| decode(&mut d, &mut directory, topic, &power(present));
    assert!(!say(false).contains("mains"));
    assert!(say(true).ends_with("mains=1"));
    assert!(say(false).ends_with("mains=0"));
}

/// Constructed: energy meters tell the temperature of their own inside, 46 to 50 °C in real status dumps.
#[test]
fn a_meter_s_own_warmth_is_no_room_s() {
    let (mut d, mut directory) = (Shelly::default(), Directory::default());
    let mut say = |topic: &str, payload: &str| decode(&mut d, &mut directory, topic, payload);
    assert!(say("shellypro3em-aabbccddeeff/status/em:0", r#"{"id":0,"total_act_power":10.5}"#).contains("power=10.5"));
    assert!(!say("shellypro3em-aabbccddeeff/status/temperature:0", r#"{"id":0,"tC":48.2}"#).contains("temperature"));
    assert!(say("shellyhtg3-3030f9ec8468/status/temperature:0", r#"{"id":0,"tC":22.1}"#).contains("temperature=22.1"));
}
