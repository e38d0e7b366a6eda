//! Work per message must not grow with the number of devices.
use crate::engine::input::{Body, Input, Item};
use crate::engine::site::{Placement, Role};
use crate::engine::testing::{configuration, reading, site, t};
use crate::engine::{State, step};
use tuoan_protocol::Quantity;

/// Prints the time of one three-reading message with 500 devices; a bound that only a blunder breaks, as debug builds are slow.
#[test]
fn five_hundred_devices_cost_no_more_than_a_few() {
    let mut s = site();
    for n in 0..500 {
        let (id, zone) = (format!("node-{n}").parse().unwrap(), s.zones[n % 3].id.clone());
        s.devices.push(Placement {
            id,
            zone,
            name: None,
            role: Role::Climate,
            period_s: Some(60),
            via: None,
            topic: None,
            channel: None,
            formerly: vec![],
        });
    }
    let mut state = State::new();
    let at = t("10:00");
    step(
        &mut state,
        &[Input { at, body: Body::Configure(Box::new(configuration(s))) }, Input { at, body: Body::Clock { offset_ms: 0, trusted: true } }],
        at,
    );
    let inputs: Vec<Input> = (0..50_000i64)
        .map(|n| {
            let mut m = reading(&format!("node-{}", n % 500), Quantity::Co2, 600.0);
            m.boot = Some(1);
            m.seq = Some(n as u64 / 500);
            for (q, v) in [(Quantity::Temperature, 21.0), (Quantity::Humidity, 45.0)] {
                let value = q.fixed(v).unwrap();
                m.items.push(Item::Reading { quantity: q, channel: 0, value });
            }
            Input { at: at + n * 10, body: Body::Message(m) }
        })
        .collect();
    let watch = crate::clock::Stopwatch::start();
    let mut accepted = 0;
    for batch in inputs.chunks(100) {
        accepted += step(&mut state, batch, batch.last().unwrap().at).verdicts.len();
    }
    let each = watch.elapsed() / 50_000;
    println!("{each:?} a message; snapshot {} bytes", state.encode().len());
    assert_eq!(accepted, 50_000);
    assert!(each.as_micros() < 200, "{each:?}");
}
