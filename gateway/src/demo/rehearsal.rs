//! The day on the engine alone, without a network or a disk: the same devices, the same rules, in a second.
use super::device::What;
use super::nursery::Nursery;
use super::play::{Deed, PRELUDE_S, agenda};
use super::scenario::Wire;
use crate::engine::input::{Action, Body, Command, Configuration, Input, Item, Message};
use crate::engine::rules;
use crate::engine::{State, VISION_PREFIX, step};
use std::collections::BTreeMap;
use tuoan_protocol::{DeviceId, EventKind, Fixed, IncidentEvent, IncidentId, Presence, Quantity, Transition};

/// All inputs and incident events of the built-in day.
pub(crate) fn rehearse(seed: u64) -> (Nursery, Vec<Input>, Vec<IncidentEvent>) {
    play(Nursery::built_in(Some(seed)).unwrap())
}

fn play(mut nursery: Nursery) -> (Nursery, Vec<Input>, Vec<IncidentEvent>) {
    let packs = rules::builtin().into_iter().map(|(_, text)| text.to_owned()).collect();
    let log = "01DEM00000000000000000000A".parse().unwrap();
    let begin = nursery.utc_ms(nursery.day.from.0 - PRELUDE_S);
    let mut events: Vec<IncidentEvent> = Vec::new();
    let mut state = State::new();
    let mut told: Vec<Input> = Vec::new();
    let mut tell = |state: &mut State, at: i64, bodies: Vec<Body>, events: &mut Vec<IncidentEvent>| {
        let inputs: Vec<Input> = bodies.into_iter().map(|body| Input { at, body }).collect();
        let outcome = step(state, &inputs, at);
        events.extend(outcome.events);
        told.extend(inputs);
        outcome.verdicts
    };
    let message = |device: &super::device::Device, seq: Option<u64>, items: Vec<Item>| {
        let boot = (device.wire != Wire::Zigbee2mqtt).then_some(device.boot);
        let seq = boot.and(seq);
        Body::Message(Message { device: device.id.clone(), boot, seq, sampled_at: None, retained: false, items })
    };
    let site = nursery.site.clone();
    let setup = vec![
        Body::Configure(Box::new(Configuration::new(log, site, packs))),
        Body::Started { down_from: begin },
        Body::Clock { offset_ms: 0, trusted: true },
    ];
    tell(&mut state, begin, setup, &mut events);
    let births = nursery.devices.iter().map(|d| message(d, None, vec![Item::Presence(Presence::Online)])).collect();
    tell(&mut state, begin, births, &mut events);
    let mut deeds = agenda(&nursery);
    let (from, to, stride) = (nursery.day.from.0, nursery.day.to.0, nursery.day.step_s);
    for second in (from..=to).step_by(stride as usize) {
        let at = nursery.utc_ms(second);
        let mut bodies = Vec::new();
        for d in &mut nursery.devices {
            if let Some(due) = d.due(second) {
                let items = match due.what {
                    What::Telemetry(readings) => {
                        readings.into_iter().map(|(quantity, value)| Item::Reading { quantity, channel: 0, value }).collect()
                    }
                    What::Pressed => vec![Item::Event { kind: EventKind::PanicPressed, command: None }],
                    What::Done(order) => vec![Item::Event { kind: EventKind::CommandDone, command: Some(order) }],
                };
                bodies.push(message(d, Some(due.seq), items));
            }
        }
        bodies.extend(seen(&nursery, second));
        tell(&mut state, at, bodies, &mut events);
        while deeds.front().is_some_and(|(due, _)| *due <= second) {
            let (_, deed) = deeds.pop_front().unwrap();
            let newest = |events: &[IncidentEvent], hazard: &str, zone: &str| -> IncidentId {
                let of = |e: &&IncidentEvent| e.hazard.as_str() == hazard && e.place.zone.as_str() == zone;
                let found = events.iter().rev().find(of).map(|e| e.incident.clone());
                found.unwrap_or_else(|| panic!("no {hazard} in {zone}; until now:\n{}", story(&nursery, events)))
            };
            let action = match deed {
                Deed::Sweep(zone) => Action::RoomSwept { zone },
                Deed::Report { zone, note } => Action::ReportConcern { zone, note },
                Deed::Settle { hazard, zone, reason } => Action::CancelPanic { incident: newest(&events, &hazard, &zone), reason },
                Deed::Acknowledge { hazard, zone } => Action::Acknowledge { incident: newest(&events, &hazard, &zone), note: None },
            };
            let command = Body::Command(Command { actor: "carer".to_owned(), via: Some(tuoan_protocol::Via::Page), action });
            let verdicts = tell(&mut state, at, vec![command.clone()], &mut events);
            let refused = verdicts.iter().any(|v| matches!(v, crate::engine::Verdict::Refused(_)));
            assert!(!refused, "{command:?}: {verdicts:?}");
        }
    }
    (nursery, told, events)
}

/// What the eyes would say: who is before a calibrated camera, each minute and at every change; and that one is covered.
fn seen(nursery: &Nursery, second: u32) -> Vec<Body> {
    let step = nursery.day.step_s;
    let mut bodies = Vec::new();
    for camera in &nursery.cameras {
        let place = nursery.site.devices.iter().find(|d| d.id == camera.id).unwrap();
        let calibrated = nursery.site.cameras.iter().any(|c| c.device == camera.id.as_str() && c.floor.is_some());
        let (somebody, covered) = camera.stands(second);
        if !second.is_multiple_of(60) && camera.stands(second.saturating_sub(step)) == (somebody, covered) {
            continue;
        }
        let mut say = |device: DeviceId, readings: &[(Quantity, bool)]| {
            let read =
                |(quantity, is): &(Quantity, bool)| Item::Reading { quantity: quantity.clone(), channel: 0, value: Fixed(i64::from(*is)) };
            let items = readings.iter().map(read).collect();
            bodies.push(Body::Message(Message { device, boot: None, seq: None, sampled_at: None, retained: false, items }));
        };
        say(camera.id.clone(), &[(Quantity::CameraCovered, covered)]);
        if !covered {
            let eyes = DeviceId::new(&format!("{VISION_PREFIX}{}", place.zone)).unwrap();
            let told = [(Quantity::People, somebody), (Quantity::Presence, somebody), (Quantity::Adults, somebody)];
            say(eyes, if calibrated { &told } else { &told[..2] });
        }
    }
    bodies
}

fn story(nursery: &Nursery, events: &[IncidentEvent]) -> String {
    events.iter().fold(String::new(), |mut out, e| {
        use std::fmt::Write;
        let second = ((e.at - nursery.midnight) / 1000) as u32;
        let place = (e.place.zone.as_str(), e.place.device.as_ref().map(|d| d.as_str()));
        let time = super::scenario::TimeOfDay(second);
        let _ = writeln!(out, "{time} {:?} {} {place:?} {:?} {:?}", e.transition, e.hazard, e.severity, e.trigger);
        out
    })
}

fn opened(events: &[IncidentEvent]) -> BTreeMap<(String, String), u64> {
    let mut opened: BTreeMap<(String, String), u64> = BTreeMap::new();
    for e in events.iter().filter(|e| e.transition == Transition::Opened) {
        *opened.entry((e.hazard.to_string(), e.place.zone.to_string())).or_default() += 1;
    }
    opened
}

fn promised(nursery: &Nursery) -> BTreeMap<(String, String), u64> {
    let staged = nursery.day.staged.iter().map(|s| ((s.hazard.to_string(), s.zone.to_string()), 1));
    let natural = nursery.day.natural.iter().map(|n| ((n.hazard.to_string(), n.zone.to_string()), n.incidents));
    staged.chain(natural).collect()
}

/// Whatever the seed, the day has the incidents that it promises, and no other.
#[test]
fn the_day_on_the_engine_alone_gives_the_promised_incidents() {
    for seed in [20_260_209, 1, 2, 3] {
        let (nursery, _, events) = rehearse(seed);
        assert_eq!(opened(&events), promised(&nursery), "seed {seed}\n{}", story(&nursery, &events));
    }
}

/// Ten times the noise makes no incident more; the door that flaps is one incident with a count.
#[test]
fn the_noisy_day_gives_the_same_incidents() {
    for seed in [20_260_209, 1, 2, 3] {
        let (quiet, quiet_inputs, _) = rehearse(seed);
        let (nursery, inputs, events) = play(Nursery::noisy(Some(seed)).unwrap());
        assert!(inputs.len() > quiet_inputs.len() + 1_500, "{} and {}", inputs.len(), quiet_inputs.len());
        assert_eq!(opened(&events), promised(&quiet), "seed {seed}\n{}", story(&nursery, &events));
        let of = |t: Transition| events.iter().filter(|e| e.hazard.as_str() == "door.after_hours" && e.transition == t).count();
        assert!(of(Transition::Chattering) == 1 && of(Transition::Reactivated) <= 4, "{}", story(&nursery, &events));
    }
}
