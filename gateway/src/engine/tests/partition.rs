//! Any partition of the input log says the same and ends in the same state; so do snapshots in between; repeats change nothing.
use crate::engine::input::{Action, Body, Check, Command, Configuration, DeviceInfo, Input, Item, Message, Symptom};
use crate::engine::rules::Override;
use crate::engine::site::{Placement, Role, Site};
use crate::engine::testing::{MONDAY, class, lean_packs, site, supervised};
use crate::engine::{State, Verdict, step};
use proptest::prelude::*;
use tuoan_protocol::{EventKind, Fixed, IncidentEvent, Presence, Quantity};

#[derive(Debug, Clone)]
enum Act {
    Say {
        device: usize,
        quantity: usize,
        value: i64,
        retained: bool,
        lag: Option<i64>,
    },
    Event {
        device: usize,
        kind: usize,
    },
    Gone {
        device: usize,
    },
    CannotTell {
        device: usize,
        quantity: usize,
    },
    Clock {
        offset: i64,
        trusted: bool,
    },
    Restart {
        down: i64,
    },
    Swept {
        zone: usize,
    },
    Check {
        tenths: Option<i64>,
        symptoms: u8,
        child: Option<u8>,
        recheck: bool,
    },
    /// Ends the nth event's incident.
    Cancel(usize),
    Report {
        zone: usize,
    },
    /// Acknowledges the nth event's incident.
    Acknowledge(usize),
    Configure(bool),
    Period {
        device: usize,
        seconds: u32,
    },
    /// A bridge says through which other it is heard.
    Via {
        device: usize,
        hub: usize,
    },
}

const DEVICES: [&str; 19] = [
    "air",
    "smoke",
    "door",
    "panic",
    "gas",
    "siren",
    "pir",
    "radar",
    "window",
    "stray-1",
    "stray-2",
    "valve",
    "uv",
    "camera",
    "estimate",
    "thermometer",
    "meter",
    "vision.exit",
    "vision.nap",
];
const QUANTITIES: [Quantity; 30] = [
    Quantity::Unattended,
    Quantity::FaceCovered,
    Quantity::Fallen,
    Quantity::CarersMissing,
    Quantity::CountCapped,
    Quantity::CameraCovered,
    Quantity::Adults,
    Quantity::Children,
    Quantity::UvLamp,
    Quantity::Power,
    Quantity::Energy,
    Quantity::GasVolume,
    Quantity::UvRuntime,
    Quantity::BodyTemperature,
    Quantity::OccupancyLikelihood,
    Quantity::Recording,
    Quantity::Temperature,
    Quantity::Co2,
    Quantity::Co,
    Quantity::GasLel,
    Quantity::Smoke,
    Quantity::Gas,
    Quantity::Open,
    Quantity::Motion,
    Quantity::Presence,
    Quantity::People,
    Quantity::Battery,
    Quantity::Mains,
    Quantity::WaterLeak,
    Quantity::SoundLevel,
];

fn act() -> impl Strategy<Value = Act> {
    let d = 0..DEVICES.len();
    prop_oneof![
        12 => (d.clone(), 0..QUANTITIES.len(), -100i64..6000, prop::bool::weighted(0.1), prop::option::weighted(0.3, 0i64..2_000_000))
            .prop_map(|(device, quantity, value, retained, lag)| Act::Say { device, quantity, value, retained, lag }),
        2 => (d.clone(), 0usize..4).prop_map(|(device, kind)| Act::Event { device, kind }),
        1 => d.clone().prop_map(|device| Act::Gone { device }),
        2 => (d.clone(), 0..QUANTITIES.len()).prop_map(|(device, quantity)| Act::CannotTell { device, quantity }),
        1 => (-7_200_000i64..7_200_000, any::<bool>()).prop_map(|(offset, trusted)| Act::Clock { offset, trusted }),
        1 => (0i64..3_600_000).prop_map(|down| Act::Restart { down }),
        1 => (0usize..5).prop_map(|zone| Act::Swept { zone }),
        1 => (0usize..5).prop_map(|zone| Act::Report { zone }),
        3 => (prop::option::of(360i64..390), any::<u8>(), prop::option::of(0u8..4), any::<bool>())
            .prop_map(|(tenths, symptoms, child, recheck)| Act::Check { tenths, symptoms, child, recheck }),
        1 => (0usize..40).prop_map(Act::Cancel),
        3 => (0usize..40).prop_map(Act::Acknowledge),
        1 => any::<bool>().prop_map(Act::Configure),
        1 => (d.clone(), 0u32..900).prop_map(|(device, seconds)| Act::Period { device, seconds }),
        2 => (d, 0usize..3).prop_map(|(device, hub)| Act::Via { device, hub }),
    ]
}

/// Gaps from a tenth of a second to hours, so that holds, windows and phases all come into it.
fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![0i64..100, 100i64..30_000, 30_000i64..900_000, 900_000i64..9_000_000]
}

/// With what the combined rules need.
fn furnished(mut s: Site) -> Site {
    for (id, zone, role) in [
        ("uv", "nap", Role::UvLamp),
        ("camera", "exit", Role::Camera),
        ("estimate", "nap", Role::Estimate),
        ("thermometer", "room", Role::Thermometer),
        ("meter", "kitchen", Role::Meter),
    ] {
        let (id, zone) = (id.parse().unwrap(), zone.parse().unwrap());
        s.devices.push(Placement { id, zone, name: None, role, period_s: None, via: None, topic: None, channel: None, formerly: vec![] });
    }
    let area = "{ kind = \"bed\", zone = \"nap\", corners = [[0, 0], [999, 0], [999, 999]] }";
    s.cameras = vec![toml::from_str(&format!("device = \"camera\"\nareas = [{area}]")).unwrap()];
    s
}

fn changed(rule: &str, change: &str) -> Override {
    let text = format!("rule = {rule:?}\nreason = \"x\"\nauthor = \"王园长\"\nfrom = \"2026-11-24\"\nexpires = \"2026-11-24\"\n{change}");
    toml::from_str(&text).unwrap()
}

fn configurations() -> [Configuration; 2] {
    let mut other = furnished(site());
    other.overrides = vec![
        changed("door.held_open.care", "hold = \"5m\""),
        changed("noise.high", "enabled = false"),
        changed("uv.missing", "below = 20"),
    ];
    other.cameras.clear();
    other.devices.retain(|d| d.id.as_str() != "window");
    other.zones.swap(0, 2);
    other.classes.push(crate::engine::site::Class { id: "second".into(), nap: None, ..class() });
    let log = || "01JD0000000000000000000000".parse().unwrap();
    let mut fewer = lean_packs();
    fewer.retain(|t| !t.contains("name = \"climate\""));
    [Configuration::new(log(), furnished(supervised()), lean_packs()), Configuration::new(log(), other, fewer)]
}

/// Inputs that belong together, as they would be logged: acknowledgements name incidents by their derived ids.
fn build(acts: &[(i64, Act)], start: i64) -> Vec<Input> {
    let configurations = configurations();
    let mut at = MONDAY + start;
    let mut inputs = vec![
        Input { at, body: Body::Configure(Box::new(configurations[0].clone())) },
        Input { at, body: Body::Clock { offset_ms: 0, trusted: true } },
    ];
    let mut state = State::new();
    let mut events: Vec<IncidentEvent> = step(&mut state, &inputs, at).events;
    for (n, (gap, act)) in acts.iter().enumerate() {
        at += gap;
        let device = |i: usize| DEVICES[i].parse().unwrap();
        let zone = |i: usize| site().zones[i].id.clone();
        let message =
            |i: usize, items| Message { device: device(i), boot: Some(3), seq: Some(n as u64), sampled_at: None, retained: false, items };
        let command = |action| Body::Command(Command { actor: "李老师".into(), via: None, action });
        let body = match act {
            Act::Say { device, quantity, value, retained, lag } => {
                let quantity = QUANTITIES[*quantity].clone();
                let value = Fixed(if quantity.is_state() { value & 1 } else { *value });
                let mut m = message(*device, vec![Item::Reading { quantity, channel: 0, value }]);
                m.retained = *retained;
                m.sampled_at = lag.map(|l| at - l);
                Body::Message(m)
            }
            Act::Event { device, kind } => {
                let kind = [EventKind::PanicPressed, EventKind::Test, EventKind::ButtonPressed, EventKind::PanicCancelled][*kind].clone();
                Body::Message(message(*device, vec![Item::Event { kind, command: None }]))
            }
            Act::Gone { device } => Body::Message(message(*device, vec![Item::Presence(Presence::Offline)])),
            Act::CannotTell { device, quantity } => {
                Body::Message(message(*device, vec![Item::Unknown { quantity: QUANTITIES[*quantity].clone(), channel: 0 }]))
            }
            Act::Clock { offset, trusted } => Body::Clock { offset_ms: *offset, trusted: *trusted },
            Act::Restart { down } => {
                let down_from = at;
                at += down;
                Body::Started { down_from }
            }
            Act::Swept { zone: z } => command(Action::RoomSwept { zone: zone(*z) }),
            Act::Report { zone: z } => command(Action::ReportConcern { zone: zone(*z), note: "x".into() }),
            Act::Check { tenths, symptoms, child, recheck } => command(Action::MorningCheck(Check {
                class: "toddlers".into(),
                temperature: tenths.map(|t| Fixed(t * 10)),
                symptoms: Symptom::ALL.into_iter().filter(|s| symptoms & 1 << *s as u8 != 0).collect(),
                child: child.map(|c| format!("c{c}")),
                recheck: *recheck,
            })),
            Act::Cancel(i) => match events.get(*i) {
                Some(e) => command(Action::CancelPanic { incident: e.incident.clone(), reason: "x".into() }),
                None => continue,
            },
            Act::Acknowledge(i) => match events.get(*i) {
                Some(e) => command(Action::Acknowledge { incident: e.incident.clone(), note: None }),
                None => continue,
            },
            Act::Configure(second) => Body::Configure(Box::new(configurations[usize::from(*second)].clone())),
            Act::Via { device: i, hub } => {
                Body::Inventory(vec![DeviceInfo { device: Some(device(*i)), via: Some(device(*hub)), ..DeviceInfo::default() }])
            }
            Act::Period { device: i, seconds } => {
                Body::Inventory(vec![DeviceInfo { device: Some(device(*i)), period_s: Some(*seconds), ..DeviceInfo::default() }])
            }
        };
        let input = Input { at, body };
        let out = step(&mut state, std::slice::from_ref(&input), at);
        events.extend(out.events);
        // A command that is refused is not logged.
        if !matches!(out.verdicts[0], Verdict::Refused(_)) {
            inputs.push(input);
        }
    }
    inputs
}

/// The latest `now` that may be told before the next input.
fn limit(next: Option<&Input>, end: i64) -> i64 {
    match next {
        Some(Input { body: Body::Started { down_from }, .. }) => *down_from,
        Some(i) => i.at,
        None => end,
    }
}

struct Said {
    events: Vec<IncidentEvent>,
    commands: Vec<crate::engine::DeviceCommand>,
    verdicts: Vec<Verdict>,
    state: Vec<u8>,
}

fn at_once(inputs: &[Input], end: i64) -> Said {
    let mut state = State::new();
    let out = step(&mut state, inputs, end);
    Said { events: out.events, commands: out.commands, verdicts: out.verdicts, state: state.encode() }
}

/// The lines in which two snapshots differ.
pub(super) fn difference(a: &[u8], b: &[u8]) -> String {
    let text = |bytes| format!("{:#?}", State::decode(bytes).map_err(|e| e.to_string()));
    let (a, b) = (text(a), text(b));
    a.lines().zip(b.lines()).enumerate().filter(|(_, (a, b))| a != b).take(20).map(|(n, (a, b))| format!("{n}: {a} | {b}\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_partition_says_the_same(
        acts in prop::collection::vec((gap(), act()), 1..48),
        start in 0i64..86_400_000,
        tail in 0i64..100_000_000,
        cuts in prop::collection::vec((1usize..6, 0u32..=100, any::<bool>()), 60),
    ) {
        let inputs = build(&acts, start);
        let end = inputs.last().map_or(MONDAY, |i| i.at) + tail;
        let whole = at_once(&inputs, end);

        let mut state = State::new();
        let mut said = Said { events: vec![], commands: vec![], verdicts: vec![], state: vec![] };
        let (mut i, mut cut) = (0, cuts.iter().cycle());
        while i < inputs.len() {
            let (size, share, snapshot) = cut.next().unwrap();
            let batch = &inputs[i..(i + size).min(inputs.len())];
            i += batch.len();
            let last = batch.last().unwrap().at;
            let now = last + (limit(inputs.get(i), end).max(last) - last) / 100 * i64::from(*share);
            let out = step(&mut state, batch, now);
            said.events.extend(out.events);
            said.commands.extend(out.commands);
            said.verdicts.extend(out.verdicts);
            if *snapshot {
                state = State::decode(&state.encode()).unwrap();
            }
        }
        let out = step(&mut state, &[], end);
        said.events.extend(out.events);
        said.commands.extend(out.commands);

        let first = said.events.iter().zip(&whole.events).position(|(a, b)| a != b);
        prop_assert!(first.is_none() && said.events.len() == whole.events.len(), "event {first:?} differs: {:?}", first.map(|n| (&said.events[n], &whole.events[n])));
        prop_assert_eq!(said.commands, whole.commands);
        prop_assert_eq!(said.verdicts, whole.verdicts);
        prop_assert!(state.encode() == whole.state, "the final states differ:\n{}", difference(&state.encode(), &whole.state));
        for (n, e) in (1u64..).zip(&whole.events) {
            prop_assert_eq!(e.sequence, n, "no gaps");
        }
        for pair in whole.events.windows(2) {
            prop_assert!(pair[0].position <= pair[1].position);
        }
    }

    #[test]
    fn repeats_change_nothing(
        acts in prop::collection::vec((gap(), act()), 1..40),
        repeats in prop::collection::vec((0usize..40, 0usize..40), 0..20),
    ) {
        let inputs = build(&acts, 36_000_000);
        let end = inputs.last().map_or(MONDAY, |i| i.at) + 1_000_000;
        let once = at_once(&inputs, end);
        let mut log: Vec<Input> = Vec::new();
        for (n, input) in inputs.iter().enumerate() {
            log.push(input.clone());
            for (which, after) in &repeats {
                // A redelivery comes after the original, at a later time, as a live message.
                if *after == n && *which < n && let Some(Input { body: Body::Message(m), .. }) = inputs.get(*which) {
                    log.push(Input { at: input.at, body: Body::Message(m.clone()) });
                }
            }
        }
        let again = at_once(&log, end);
        prop_assert_eq!(again.events, once.events);
        prop_assert!(again.state == once.state);
        let accepted = again.verdicts.iter().filter(|v| **v != Verdict::Duplicate).count();
        prop_assert_eq!(accepted, inputs.len());
    }
}
