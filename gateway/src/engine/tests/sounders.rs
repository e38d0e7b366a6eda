//! Sirens, beacons and valves: when they are told, and how devices that know nothing of orders confirm them.
use crate::engine::input::{Action, Message};
use crate::engine::outcome::DeviceAction::{self, BeaconOff, BeaconOn, SirenOff, SirenOn, ValveClose};
use crate::engine::site::{Placement, Role, Site};
use crate::engine::testing::{Gateway, reading, site};
use crate::engine::{Item, State};
use tuoan_protocol::{EventKind, Quantity};

/// The usual site with foreign sounders and a beacon in the kitchen and in the corridor.
fn equipped() -> Site {
    let mut s = site();
    s.devices.retain(|d| !matches!(d.role, Role::Siren | Role::GasValve));
    let like = s.devices[0].clone();
    for (id, zone, role, channel) in [
        ("tasmota.horn", "exit", Role::Siren, Some(1)),
        ("beacon", "exit", Role::Beacon, None),
        ("kitchen-beacon", "kitchen", Role::Beacon, None),
        ("shelly.valve", "kitchen", Role::GasValve, None),
    ] {
        s.devices.push(Placement { id: id.parse().unwrap(), zone: zone.parse().unwrap(), role, channel, ..like.clone() });
    }
    s
}

fn orders(g: &Gateway) -> Vec<(&str, DeviceAction)> {
    g.last.commands.iter().map(|c| (c.device.as_str(), c.action)).collect()
}

fn switched(device: &str, channel: u8, on: bool) -> Message {
    let mut m = reading(device, Quantity::SwitchedOn, f64::from(u8::from(on)));
    let Item::Reading { channel: c, .. } = &mut m.items[0] else { unreachable!() };
    *c = channel;
    m
}

fn confirmed(g: &Gateway) -> Vec<(String, u64)> {
    g.last.confirmed.iter().map(|(d, id)| (d.to_string(), *id)).collect()
}

#[test]
fn a_beacon_lights_for_what_is_inferred_and_a_siren_does_not() {
    let mut g = Gateway::new(equipped());
    g.says("18:50", "pir", Quantity::Motion, 1.0);
    assert_eq!(g.of("left.behind"), ["18:50:00 opened 1"]);
    assert_eq!(orders(&g), [("beacon", BeaconOn), ("kitchen-beacon", BeaconOn)]);
    g.acknowledge("18:51", "left.behind");
    assert_eq!(orders(&g), [("beacon", BeaconOff), ("kitchen-beacon", BeaconOff)]);
}

#[test]
fn a_confirmed_emergency_sounds_and_lights() {
    let mut g = Gateway::new(equipped());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    assert_eq!(orders(&g), [("tasmota.horn", SirenOn), ("beacon", BeaconOn), ("kitchen-beacon", BeaconOn)]);
    g.says("10:00:10", "smoke", Quantity::Smoke, 1.0);
    assert!(g.last.commands.is_empty(), "once");
}

#[test]
fn a_report_of_concern_lights_nothing() {
    let mut g = Gateway::new(equipped());
    g.act("10:00", Action::ReportConcern { zone: "room".parse().unwrap(), note: "手臂有淤青".into() });
    assert_eq!(g.of("concern.report"), ["10:00:00 opened 1"]);
    assert!(g.last.commands.is_empty());
}

#[test]
fn where_gas_is_no_light_is_switched() {
    let mut g = Gateway::new(equipped());
    g.says("10:00", "gas", Quantity::GasLel, 8.0);
    assert_eq!(orders(&g), [("tasmota.horn", SirenOn), ("beacon", BeaconOn), ("shelly.valve", ValveClose)]);
    g.acknowledge("10:01", "gas.leak");
    assert_eq!(orders(&g), [("tasmota.horn", SirenOff), ("beacon", BeaconOff)], "nor off");
}

#[test]
fn a_drill_sounds_and_lights_as_in_earnest() {
    let mut g = Gateway::new(equipped());
    g.act("10:00", Action::Drill { hazard: "fire.smoke".parse().unwrap(), zone: "room".parse().unwrap(), minutes: 10 });
    g.says("10:00:01", "drill.room", Quantity::Smoke, 1.0);
    assert_eq!(orders(&g), [("tasmota.horn", SirenOn), ("beacon", BeaconOn), ("kitchen-beacon", BeaconOn)]);
    g.act("10:02", Action::DrillEnd);
    assert_eq!(orders(&g), [("tasmota.horn", SirenOff), ("beacon", BeaconOff), ("kitchen-beacon", BeaconOff)]);
}

#[test]
fn what_a_relay_reports_confirms_its_newest_order() {
    let mut g = Gateway::new(equipped());
    g.message("09:59", switched("tasmota.horn", 1, true));
    assert!(confirmed(&g).is_empty(), "nothing was ordered");
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    let on = g.last.commands[0].id;
    for (at, m) in [
        ("10:00:01", switched("tasmota.horn", 0, true)),
        ("10:00:02", switched("tasmota.horn", 1, false)),
        ("10:00:03", switched("beacon", 1, true)),
        ("10:00:04", Message { retained: true, ..switched("tasmota.horn", 1, true) }),
    ] {
        g.message(at, m);
        assert!(confirmed(&g).is_empty(), "{at}: another relay, another state, another device, what lay there");
    }
    // After a restart it is still open.
    g.state = State::decode(&g.state.encode()).unwrap();
    g.message("10:00:05", switched("tasmota.horn", 1, true));
    assert_eq!(confirmed(&g), [("tasmota.horn".to_owned(), on)]);
    g.message("10:00:06", switched("tasmota.horn", 1, true));
    assert!(confirmed(&g).is_empty(), "once");

    g.acknowledge("10:01", "fire.smoke");
    let off = g.last.commands[0].id;
    g.message("10:01:01", switched("tasmota.horn", 1, true));
    assert!(confirmed(&g).is_empty(), "what was asked before counts no more");
    g.message("10:01:02", switched("tasmota.horn", 1, false));
    assert_eq!(confirmed(&g), [("tasmota.horn".to_owned(), off)]);
    g.message("10:01:03", switched("beacon", 0, false));
    assert_eq!(confirmed(&g).len(), 1, "the beacon's own");
}

#[test]
fn a_valve_confirms_by_being_shut() {
    let mut g = Gateway::new(equipped());
    g.says("10:00", "gas", Quantity::GasLel, 8.0);
    let shut = g.last.commands.iter().find(|c| c.action == ValveClose).unwrap().id;
    g.message("10:00:01", switched("shelly.valve", 0, true));
    assert!(confirmed(&g).is_empty());
    g.message("10:00:02", switched("shelly.valve", 0, false));
    assert_eq!(confirmed(&g), [("shelly.valve".to_owned(), shut)]);
}

#[test]
fn an_order_that_has_expired_is_confirmed_by_nothing() {
    let mut g = Gateway::new(equipped());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    g.message("10:05", switched("tasmota.horn", 1, true));
    assert!(confirmed(&g).is_empty());
}

#[test]
fn a_word_for_an_older_order_leaves_the_newer_open() {
    let mut g = Gateway::new(equipped());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    let on = g.last.commands[0].id;
    g.acknowledge("10:01", "fire.smoke");
    let off = g.last.commands[0].id;
    let done = Item::Event { kind: EventKind::CommandDone, command: Some(on) };
    g.message("10:01:01", Message { items: vec![done], ..switched("tasmota.horn", 1, true) });
    g.message("10:01:02", switched("tasmota.horn", 1, false));
    assert_eq!(confirmed(&g), [("tasmota.horn".to_owned(), off)]);
}
