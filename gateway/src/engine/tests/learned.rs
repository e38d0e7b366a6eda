//! A month in which everything that is learned goes wrong once: each kind of rule of quality speaks, and neither batches nor snapshots nor
//! redeliveries change a word of it.
use super::partition::difference;
use crate::engine::input::{Body, Configuration, Input, Item, Message};
use crate::engine::site::{Placement, Role};
use crate::engine::testing::{MONDAY, lean_packs, site};
use crate::engine::{State, step};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use tuoan_protocol::{IncidentEvent, Quantity};

const TICK: i64 = 10 * 60_000;
const DAYS: i64 = 16;

/// A number between 0 and 1 that depends on nothing but its name.
fn noise(of: i64, n: i64) -> f64 {
    let mut x = (of.wrapping_mul(1_000_003) ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64);
    x ^= x >> 29;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9_u64 as i64);
    (x ^ (x >> 32)).rem_euclid(10_000) as f64 / 10_000.0
}

fn history() -> &'static Vec<Input> {
    static HISTORY: OnceLock<Vec<Input>> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let mut s = site();
        for n in 1..=6 {
            s.devices.push(Placement {
                id: format!("n{n}").parse().unwrap(),
                zone: "room".parse().unwrap(),
                name: None,
                role: Role::Climate,
                period_s: None,
                via: Some("switch".parse().unwrap()),
                topic: None,
                channel: None,
                formerly: vec![],
            });
        }
        let c = Configuration::new("01JD0000000000000000000000".parse().unwrap(), s, lean_packs());
        let mut inputs = vec![
            Input { at: MONDAY, body: Body::Configure(Box::new(c)) },
            Input { at: MONDAY, body: Body::Clock { offset_ms: 0, trusted: true } },
        ];
        for tick in 0..DAYS * 144 {
            let (day, of_day) = (tick / 144, (tick % 144) as f64 / 144.0);
            for n in 1..=6i64 {
                // The switch dies for three hours on the fifteenth day.
                if day == 14 && (60..78).contains(&(tick % 144)) {
                    continue;
                }
                let at = MONDAY + tick * TICK + n * 7_000;
                let mut temperature = 20.0 + 3.0 * (1.0 - (2.0 * of_day - 1.0).abs()) + noise(n, tick) * 0.4;
                let mut co2 = 500.0 + 500.0 * (1.0 - (2.0 * of_day - 1.0).abs()) + noise(n + 10, tick) * 40.0;
                match n {
                    1 if day >= 12 => temperature = 21.37,
                    2 if day >= 9 => temperature += 7.0,
                    3 if day == 11 => temperature = -127.0,
                    4 if day == 13 && tick % 144 < 6 => co2 = 4_700.0,
                    _ => {}
                }
                let mut items = vec![(Quantity::Temperature, temperature)];
                if n != 5 || day < 10 {
                    items.push((Quantity::Co2, co2));
                }
                if n == 6 {
                    items.push((Quantity::Battery, 60.0 - 4.0 * day as f64));
                }
                let reading = |(quantity, v): (Quantity, f64)| {
                    let value = quantity.fixed(v).unwrap();
                    Item::Reading { quantity, channel: 0, value }
                };
                let device = format!("n{n}").parse().unwrap();
                // One clock is four minutes behind, one jumps.
                let sampled_at = match n {
                    2 => Some(at - 240_000 - (tick % 5) * 300),
                    4 if day == 8 => Some(at - 7_200_000),
                    4 => Some(at - 400),
                    _ => None,
                };
                let items = items.into_iter().map(reading).collect();
                let m = Message { device, boot: Some(1), seq: Some(tick as u64), sampled_at, retained: false, items };
                inputs.push(Input { at, body: Body::Message(m) });
            }
        }
        inputs
    })
}

fn at_once() -> &'static (Vec<IncidentEvent>, Vec<u8>) {
    static ONCE: OnceLock<(Vec<IncidentEvent>, Vec<u8>)> = OnceLock::new();
    ONCE.get_or_init(|| {
        let mut state = State::new();
        let events = step(&mut state, history(), MONDAY + DAYS * 86_400_000).events;
        (events, state.encode())
    })
}

#[test]
fn every_kind_of_quality_speaks_and_only_where_it_should() {
    let (events, snapshot) = at_once();
    let said: BTreeSet<(String, String)> = events
        .iter()
        .filter(|e| matches!(e.hazard.as_str(), "sensor.silent" | "env.anomaly"))
        .filter(|e| e.state.active)
        .map(|e| (e.rule.to_string(), e.place.device.as_ref().map_or_else(String::new, ToString::to_string)))
        .collect();
    let expected = [
        ("env.anomaly", ""),
        ("sensor.battery", "n6"),
        ("sensor.battery.forecast", "n6"),
        ("sensor.drift", "n2"),
        ("sensor.flat", "n1"),
        ("sensor.hub", "switch"),
        ("sensor.implausible", "n3"),
        ("sensor.lost", "n5"),
    ];
    let expected: BTreeSet<(String, String)> = expected.into_iter().map(|(r, d)| (r.to_owned(), d.to_owned())).collect();
    assert_eq!(said, expected);
    println!("{} events; snapshot {} bytes", events.len(), snapshot.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn any_partition_of_the_month_says_the_same(
        cuts in prop::collection::vec((1usize..2_000, any::<bool>(), 0usize..40), 40),
    ) {
        let (events, last) = at_once();
        let inputs = history();
        let (mut state, mut said, mut i, mut cut) = (State::new(), Vec::new(), 0, cuts.iter().cycle());
        while i < inputs.len() {
            let (size, snapshot, again) = cut.next().unwrap();
            let batch = &inputs[i..(i + size).min(inputs.len())];
            i += batch.len();
            let now = batch.last().unwrap().at;
            said.extend(step(&mut state, batch, now).events);
            if *snapshot {
                state = State::decode(&state.encode()).unwrap();
            }
            // Redeliveries of what came last.
            let late: Vec<Input> = batch.iter().rev().take(*again).filter(|i| matches!(i.body, Body::Message(_))).map(|i| Input { at: now, ..i.clone() }).collect();
            said.extend(step(&mut state, &late, now).events);
        }
        said.extend(step(&mut state, &[], MONDAY + DAYS * 86_400_000).events);
        prop_assert_eq!(&said, events);
        prop_assert!(state.encode() == *last, "the final states differ:\n{}", difference(&state.encode(), last));
    }
}
