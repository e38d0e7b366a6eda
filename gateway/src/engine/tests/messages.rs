//! Redelivered, late, retained and strange messages.
use crate::engine::input::{Body, DeviceInfo, Input, Item, Message, Start};
use crate::engine::testing::{Gateway, reading, site, supervised, t};
use crate::engine::view::Freshness;
use crate::engine::{Verdict, step};
use tuoan_protocol::{EventKind, Presence, Quantity};

fn numbered(device: &str, quantity: Quantity, value: f64, seq: u64) -> Message {
    Message { boot: Some(1), seq: Some(seq), ..reading(device, quantity, value) }
}

#[test]
fn a_redelivery_changes_nothing() {
    let mut g = Gateway::new(site());
    g.message("10:00", numbered("smoke", Quantity::Smoke, 1.0, 7));
    assert_eq!(g.last.verdicts, [Verdict::Accepted(3)]);
    g.until("10:01");
    let before = g.state.encode();
    g.message("10:01", numbered("smoke", Quantity::Smoke, 1.0, 7));
    assert_eq!(g.last.verdicts, [Verdict::Duplicate]);
    assert_eq!(g.state.encode(), before);
}

#[test]
fn a_counter_that_starts_again_is_no_redelivery() {
    let mut g = Gateway::new(site());
    for (seq, time) in [(1, "10:00"), (2, "10:01")] {
        g.message(time, Message { sampled_at: Some(t(time)), ..numbered("air", Quantity::Co2, 500.0, seq) });
    }
    g.message("10:05", Message { sampled_at: Some(t("10:05")), ..numbered("air", Quantity::Co2, 600.0, 1) });
    assert!(matches!(g.last.verdicts[0], Verdict::Accepted(_)), "its sample is newer than any before");
}

#[test]
fn a_late_number_neither_replaces_a_newer_one_nor_raises() {
    let mut g = Gateway::new(site());
    g.message("10:00", Message { sampled_at: Some(t("10:00")), ..reading("gas", Quantity::GasLel, 0.0) });
    g.message("10:01", Message { sampled_at: Some(t("09:58")), ..reading("gas", Quantity::GasLel, 90.0) });
    assert!(g.of("gas.leak").is_empty());
    let v = g.state.view(t("10:01"));
    let shown = v.zones.iter().flat_map(|z| &z.sensors).find(|s| s.quantity == Quantity::GasLel).unwrap();
    assert_eq!((shown.value.0, shown.at), (0, t("10:00")));
    g.message("10:30", Message { sampled_at: Some(t("10:19")), ..reading("gas", Quantity::GasLel, 90.0) });
    assert!(g.of("gas.leak").is_empty(), "eleven minutes old");
    g.message("10:31", Message { sampled_at: Some(t("10:30")), ..reading("gas", Quantity::GasLel, 90.0) });
    assert_eq!(g.of("gas.leak").len(), 1);
}

#[test]
fn a_late_hazard_is_still_told() {
    let mut g = Gateway::new(site());
    g.message("10:00", Message { sampled_at: Some(t("10:00")), ..reading("smoke", Quantity::Smoke, 0.0) });
    g.message("10:01", Message { sampled_at: Some(t("09:30")), ..reading("smoke", Quantity::Smoke, 1.0) });
    assert_eq!(g.of("fire.smoke"), ["10:01:00 opened 1", "10:01:00 returned 1"]);
    // Judged by the hours in which it happened: a door opened at ten in the morning, told at ten at night.
    g.message("22:00", Message { sampled_at: Some(t("22:00")), ..reading("door", Quantity::Open, 0.0) });
    g.message("22:01", Message { sampled_at: Some(t("10:00")), ..reading("door", Quantity::Open, 1.0) });
    assert!(g.of("door.after_hours").is_empty());
    g.event("22:02", "panic", EventKind::PanicPressed);
    assert_eq!(g.of("panic.button").len(), 1);
}

#[test]
fn a_device_clock_in_the_future_does_not_block_what_follows() {
    let mut g = Gateway::new(site());
    g.message("10:00", Message { sampled_at: Some(t("99:00")), ..reading("gas", Quantity::GasLel, 0.0) });
    g.message("10:01", Message { sampled_at: Some(t("10:01")), ..reading("gas", Quantity::GasLel, 9.0) });
    assert_eq!(g.of("gas.leak").len(), 1);
}

#[test]
fn freshness_follows_the_period() {
    let mut g = Gateway::new(supervised());
    g.says("10:00", "air", Quantity::Co2, 700.0);
    let fresh = |g: &Gateway, at: &str| g.state.view(t(at)).zones[0].sensors[0].freshness;
    assert_eq!(fresh(&g, "10:01:30"), Freshness::Fresh);
    assert_eq!(fresh(&g, "10:01:31"), Freshness::Late);
    g.until("10:03");
    assert_eq!(fresh(&g, "10:03"), Freshness::Lost { since: t("10:00") });
}

#[test]
fn a_will_makes_a_device_of_unknown_habit_silent() {
    let mut g = Gateway::new(site());
    g.says("09:00", "panic", Quantity::Battery, 90.0);
    let mut will = reading("panic", Quantity::Battery, 0.0);
    will.items = vec![Item::Presence(Presence::Offline)];
    g.message("10:00", will).until("10:04:59");
    assert!(!g.log.iter().any(|l| l.starts_with("10:")));
    g.until("10:05");
    assert_eq!(g.log.last().unwrap(), "10:05:00 sensor.silent opened 2");
    g.says("10:07", "panic", Quantity::Battery, 90.0);
    assert_eq!(g.log.last().unwrap(), "10:07:00 sensor.silent returned 2");
}

#[test]
fn unknown_devices_are_bounded_and_placed_ones_stay() {
    let mut g = Gateway::new(site());
    let inputs: Vec<Input> = (0..6000)
        .map(|n| Input {
            at: t("10:00") + n,
            body: Body::Message(reading(&format!("stranger-{n}"), Quantity::Smoke, f64::from(n as i32 % 2))),
        })
        .collect();
    g.run(&inputs, t("10:01"));
    let v = g.state.view(t("10:01"));
    assert!(v.unplaced.len() <= 2048 && v.unplaced.iter().any(|d| d.id.as_str() == "stranger-5999"));
    assert_eq!(v.zones.iter().map(|z| z.devices.len()).sum::<usize>(), site().devices.len());
    assert_eq!(v.incidents.iter().filter(|i| i.hazard.as_str() == "fire.smoke").count(), 1);
    assert!(g.state.encode().len() < 4 << 20);
}

#[test]
fn many_channels_are_bounded() {
    let mut g = Gateway::new(site());
    for quantity in [Quantity::Co2, Quantity::Temperature, Quantity::Humidity] {
        for channel in 0..=255 {
            let mut m = reading("air", Quantity::Co2, 400.0);
            m.items = vec![Item::Reading { quantity: quantity.clone(), channel, value: quantity.fixed(40.0).unwrap() }];
            g.message("10:00", m);
        }
    }
    assert!(g.state.view(t("10:00")).zones[0].sensors.len() <= 512);
}

#[test]
fn a_bridge_names_devices() {
    let mut g = Gateway::new(site());
    let info = DeviceInfo {
        device: Some("z2m.0x9".parse().unwrap()),
        name: Some("走廊\u{7}传感器".into()),
        model: Some("x".repeat(500)),
        ..DeviceInfo::default()
    };
    g.at("10:00", Body::Inventory(vec![info, DeviceInfo::default()]));
    let v = g.state.view(t("10:00"));
    assert_eq!(v.unplaced[0].name.as_deref(), Some("走廊传感器"));
    assert_eq!(v.unplaced[0].model.as_ref().unwrap().len(), 64);
}

#[test]
fn a_start_that_nobody_wanted_is_counted_once_however_often_the_node_connects() {
    let mut g = Gateway::new(site());
    let mut birth = |time: &str, boot, reason: &str| {
        let start = Some(Start { boot, reason: Some(reason.to_owned()) });
        let hardware = Some("rp2040-w5500/00aa".to_owned());
        g.at(time, Body::Inventory(vec![DeviceInfo { device: Some("smoke".parse().unwrap()), hardware, start, ..DeviceInfo::default() }]));
        let v = g.state.view(t(time));
        let d = v.zones.iter().flat_map(|z| &z.devices).find(|d| d.id.as_str() == "smoke").unwrap().clone();
        (d.started.unwrap(), d.resets.each().map(|(_, n)| n))
    };
    assert_eq!(birth("10:00", 7, "power_on"), (("power_on".to_owned(), t("10:00")), [0, 0, 0]));
    assert_eq!(birth("10:05", 8, "watchdog"), (("watchdog".to_owned(), t("10:05")), [1, 0, 0]));
    assert_eq!(birth("10:09", 8, "watchdog"), (("watchdog".to_owned(), t("10:05")), [1, 0, 0]), "it has only connected again");
    assert_eq!(birth("10:10", 9, "panic session.rs:120: \u{7}index").1, [1, 0, 1]);
    assert_eq!(birth("10:11", 10, "restart").1, [1, 0, 1]);
    // It outlives the state's way through the disk.
    let again = crate::engine::State::decode(&g.state.encode()).unwrap().view(t("10:12"));
    let d = again.zones.iter().flat_map(|z| &z.devices).find(|d| d.id.as_str() == "smoke").unwrap();
    assert_eq!((d.resets.watchdog, d.hardware.as_deref()), (1, Some("rp2040-w5500/00aa")));
}

#[test]
fn a_backlog_of_a_node_without_a_clock_is_the_past() {
    // As the decoder gives it: the receipt less the age that the node says.
    let mut g = Gateway::new(site());
    let told = |seq, at: &str, ppm| Message { sampled_at: Some(t(at)), ..numbered("air", Quantity::Co2, ppm, seq) };
    // What was measured last comes first, as it is sent first.
    g.message("10:40", told(3, "10:40", 700.0));
    g.message("10:40", told(1, "10:10", 2400.0));
    g.message("10:40", told(2, "10:20", 2500.0));
    let v = g.state.view(t("10:40"));
    let shown = v.zones.iter().flat_map(|z| &z.sensors).find(|s| s.quantity == Quantity::Co2).unwrap();
    assert_eq!((shown.value.0, shown.at), (700, t("10:40")));
    assert!(g.of("air.co2").is_empty(), "half an hour old");
}

#[test]
fn confirmed_orders_are_passed_on() {
    let mut g = Gateway::new(site());
    let mut m = reading("siren", Quantity::Battery, 0.0);
    m.items = vec![Item::Event { kind: EventKind::CommandDone, command: Some(12) }];
    g.message("10:00", m);
    assert_eq!(g.last.confirmed, [("siren".parse().unwrap(), 12)]);
}

#[test]
fn nothing_is_judged_before_there_is_a_configuration() {
    let mut s = crate::engine::State::new();
    let out = step(&mut s, &[Input { at: 5, body: Body::Message(reading("smoke", Quantity::Smoke, 1.0)) }], 10);
    assert_eq!(out.verdicts, [Verdict::Accepted(1)]);
    assert!(out.events.is_empty());
    assert_eq!(s.view(10).unplaced.len(), 1);
}

#[test]
fn extreme_numbers_do_no_harm() {
    let mut g = Gateway::new(site());
    for (i, value) in [i64::MAX, i64::MIN, 0, i64::MAX, i64::MIN].into_iter().enumerate() {
        for quantity in [Quantity::Co2, Quantity::Temperature, Quantity::People, Quantity::Smoke, Quantity::Presence] {
            let mut m = reading("air", Quantity::Co2, 400.0);
            m.sampled_at = Some(value);
            m.items = vec![Item::Reading { quantity, channel: 0, value: tuoan_protocol::Fixed(value) }];
            g.message(&format!("10:{:02}", i * 2), m);
        }
    }
    g.at("10:20", Body::Clock { offset_ms: i64::MAX, trusted: true });
    g.at("10:21", Body::Clock { offset_ms: i64::MIN, trusted: true });
    g.until("48:00");
    g.state.view(i64::MAX);
}
