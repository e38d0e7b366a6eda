//! Numbers that cannot be trusted, told from numbers that can.
use crate::engine::Item;
use crate::engine::input::{Body, Message};
use crate::engine::site::{Placement, Role};
use crate::engine::testing::{Gateway, reading, site, supervised, t};
use crate::engine::view::{DeviceView, Freshness, SensorView};
use tuoan_protocol::Quantity;

fn sampled(device: &str, quantity: Quantity, value: f64, at: i64) -> Message {
    Message { sampled_at: Some(at), ..reading(device, quantity, value) }
}

/// What was told since the day began to be of interest: devices with a promised period are expected from midnight.
fn log(g: &Gateway) -> Vec<&String> {
    g.log.iter().filter(|l| l.as_str() > "09:00:01").collect()
}
fn told(g: &Gateway) -> Vec<String> {
    g.of("sensor.silent").into_iter().filter(|l| l.as_str() > "09:00:01").collect()
}

fn sensor(g: &Gateway, device: &str, quantity: Quantity) -> SensorView {
    let v = g.state.view(g.state.now());
    v.zones.iter().flat_map(|z| &z.sensors).find(|s| s.device.as_str() == device && s.quantity == quantity).unwrap().clone()
}

fn device(g: &Gateway, id: &str) -> DeviceView {
    g.state.view(g.state.now()).zones.iter().flat_map(|z| &z.devices).find(|d| d.id.as_str() == id).unwrap().clone()
}

#[test]
fn what_cannot_be_is_shown_counted_and_never_an_alarm() {
    let mut g = Gateway::new(supervised());
    g.says("09:00", "air", Quantity::Temperature, 21.0);
    g.says("09:01", "air", Quantity::Temperature, 327.67).says("09:02", "air", Quantity::Co2, 65535.0);
    assert!(log(&g).is_empty(), "neither fire nor bad air: {:?}", g.log);
    assert!(sensor(&g, "air", Quantity::Temperature).quality.implausible);
    assert_eq!(device(&g, "air").counts.implausible, 2);
    g.says("09:03", "air", Quantity::Temperature, 21.1);
    assert!(!sensor(&g, "air", Quantity::Temperature).quality.implausible);
}

#[test]
fn a_quantity_of_impossible_values_alone_is_blind() {
    let mut g = Gateway::new(supervised());
    for minute in 0..6 {
        let mut m = reading("air", Quantity::Temperature, -127.0);
        m.items.push(Item::Reading { quantity: Quantity::Co2, channel: 0, value: tuoan_protocol::Fixed(600) });
        g.message(&format!("09:0{minute}"), m);
    }
    assert_eq!(told(&g)[..1], ["09:02:00 reactivated 3"]);
    assert_eq!(sensor(&g, "air", Quantity::Temperature).freshness, Freshness::Lost { since: t("09:00") });
    assert_eq!(sensor(&g, "air", Quantity::Co2).freshness, Freshness::Fresh);
    g.says("09:06", "air", Quantity::Temperature, 20.0);
    assert_eq!(told(&g).last().unwrap(), "09:06:00 returned 3");
}

#[test]
fn a_hazard_state_is_believed_whatever_the_numbers_beside_it() {
    let mut g = Gateway::new(site());
    let mut m = reading("smoke", Quantity::Temperature, -300.0);
    m.items.push(Item::Reading { quantity: Quantity::Smoke, channel: 0, value: tuoan_protocol::Fixed(1) });
    g.message("09:00", m);
    assert_eq!(g.of("fire.smoke"), ["09:00:00 opened 1"]);
}

#[test]
fn an_impossible_value_neither_ends_nor_begins_a_hold() {
    let mut g = Gateway::new(supervised());
    for minute in 0..=20 {
        let ppm = if minute == 7 { 65535.0 } else { 2100.0 };
        g.says(&format!("10:{minute:02}"), "air", Quantity::Co2, ppm);
    }
    assert_eq!(g.of("air.co2"), ["10:15:00 opened 2"]);
    let mut g = Gateway::new(site());
    g.says("10:00", "air", Quantity::People, 100_000.0).until("10:01");
    assert!(g.state.view(t("10:01")).zones[0].occupied, "by the hour of the day, not by that count");
}

#[test]
fn duplicates_and_late_samples_are_counted() {
    let mut g = Gateway::new(site());
    let numbered = |seq, at: &str| Message { boot: Some(1), seq: Some(seq), ..sampled("air", Quantity::Co2, 500.0, t(at)) };
    g.message("10:00", numbered(1, "10:00")).message("10:00:01", numbered(1, "10:00"));
    g.message("10:01", numbered(2, "10:01")).message("10:02", numbered(3, "10:00:30"));
    let c = device(&g, "air").counts;
    assert_eq!((c.duplicate, c.late, c.implausible), (1, 1, 0));
}

#[test]
fn a_clock_that_is_off_is_corrected_with_a_band() {
    let mut g = Gateway::new(supervised());
    for minute in 0..10 {
        let now = format!("10:{minute:02}:0{}", minute % 3);
        g.message(&now, sampled("air", Quantity::Co2, 500.0 + f64::from(minute), t(&format!("10:{minute:02}")) - 240_000));
    }
    let c = device(&g, "air").clock.unwrap();
    assert_eq!(c.ms, 240_000);
    assert!((500..3_000).contains(&c.band_ms), "{c:?}");
    let s = sensor(&g, "air", Quantity::Co2);
    assert_eq!((s.at, s.uncertainty_ms), (t("10:09"), Some(c.band_ms)));
}

#[test]
fn a_clock_hours_behind_is_corrected_and_a_backlog_is_not_taken_for_one() {
    let mut g = Gateway::new(site());
    let zone = 8 * 3_600_000;
    for minute in 0..20 {
        let now = format!("10:{minute:02}:01");
        g.message(&now, sampled("air", Quantity::Co2, 500.0, t(&format!("10:{minute:02}")) - zone));
    }
    assert_eq!(sensor(&g, "air", Quantity::Co2).at, t("10:19:01"));
    assert_eq!(device(&g, "air").clock.unwrap().ms, zone + 1_000);

    let mut g = Gateway::new(site());
    for second in 0..50 {
        g.message(&format!("10:00:{second:02}"), sampled("air", Quantity::Co2, 500.0, t("08:00") + second * 60_000));
    }
    assert_eq!(device(&g, "air").clock, None);
    assert!(device(&g, "air").counts.late >= 45);
    assert_eq!(sensor(&g, "air", Quantity::Co2).at, t("08:49"));
}

#[test]
fn a_sensor_in_a_quiet_room_is_not_flat_for_its_own_habit() {
    let mut g = Gateway::new(site());
    // A coarse sensor: half a degree, ten minutes apart, a step every eight hours for eight days; then it hangs.
    let mut n = 0;
    for tick in 0..8 * 144 {
        n = tick;
        g.says(&format!("{}:{:02}", tick / 6, tick % 6 * 10), "air", Quantity::Temperature, 20.0 + f64::from(tick / 48 % 2) / 2.0);
    }
    assert!(g.of("sensor.silent").is_empty(), "{:?}", g.of("sensor.silent"));
    for tick in n + 1..n + 6 * 34 {
        g.says(&format!("{}:{:02}", tick / 6, tick % 6 * 10), "air", Quantity::Temperature, 20.7);
    }
    assert_eq!(g.of("sensor.silent").len(), 1, "beyond four times its habit: {:?}", g.log);
    assert!(sensor(&g, "air", Quantity::Temperature).quality.flat);
}

#[test]
fn of_two_that_disagree_one_finding_says_that_nobody_can_tell_which() {
    let mut s = site();
    s.devices.push(Placement {
        id: "air-2".parse().unwrap(),
        zone: "room".parse().unwrap(),
        name: None,
        role: Role::Climate,
        period_s: None,
        via: None,
        topic: None,
        channel: None,
        formerly: vec![],
    });
    let mut g = Gateway::new(s);
    let mut notes = Vec::new();
    for tick in 0..12 * 144 {
        let time = format!("{}:{:02}", tick / 6, tick % 6 * 10);
        let off = if tick > 9 * 144 { 6.0 } else { 0.4 };
        g.says(&time, "air", Quantity::Temperature, 21.0 + f64::from(tick % 7) / 10.0);
        notes.extend(g.last.events.iter().filter_map(|e| e.note.clone()));
        g.says(&time, "air-2", Quantity::Temperature, 21.0 + off + f64::from(tick % 5) / 10.0);
        notes.extend(g.last.events.iter().filter_map(|e| e.note.clone()));
    }
    assert_eq!(g.of("sensor.silent").len(), 1, "{:?}", g.of("sensor.silent"));
    assert!(notes[0].contains("cannot tell which"), "{notes:?}");
}

#[test]
fn the_forecast_is_in_the_view() {
    let mut g = Gateway::new(site());
    for day in 0..12 {
        g.says(&format!("{}:00", day * 24 + 9), "door", Quantity::Battery, 90.0 - 3.0 * f64::from(day));
    }
    let f = device(&g, "door").forecast.unwrap();
    assert!((17..=20).contains(&f.days), "{f:?}");
    assert!(g.open("sensor.silent").is_none());
}

#[test]
fn our_own_downtime_is_no_stillness_and_no_loss() {
    let mut g = Gateway::new(site());
    let mut both = reading("air", Quantity::Co2, 700.0);
    both.items.push(Item::Reading { quantity: Quantity::Temperature, channel: 0, value: tuoan_protocol::Fixed(2137) });
    // Six hours of the same, a day and a half of deafness, six more hours of the same.
    for tick in (0..36).chain(252..288) {
        if tick == 252 {
            g.at("42:00", Body::Started { down_from: t("05:51") });
        }
        g.message(&format!("{}:{:02}", tick / 6, tick % 6 * 10), both.clone());
    }
    assert!(g.of("sensor.silent").is_empty(), "{:?}", g.log);
    assert!(!sensor(&g, "air", Quantity::Temperature).quality.flat);
}
