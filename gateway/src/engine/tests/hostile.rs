//! What a broken or hostile device must not be able to do: silence an alarm.
use crate::engine::input::{Item, Message};
use crate::engine::testing::{Gateway, reading, site, t};
use tuoan_protocol::{Fixed, Quantity};

fn sampled(device: &str, quantity: Quantity, value: f64, at: i64) -> Message {
    Message { sampled_at: Some(at), ..reading(device, quantity, value) }
}

#[test]
fn a_clock_that_was_never_set_silences_nothing() {
    // Counts from 2000 since its battery was changed.
    let behind = t("10:00") - 946_684_800_000;
    let mut g = Gateway::new(site());
    g.message("09:59", sampled("gas", Quantity::GasLel, 0.0, t("09:59")));
    for minute in 0..5 {
        let time = format!("10:0{minute}");
        g.message(&time, sampled("gas", Quantity::GasLel, 90.0, t(&time) - behind));
    }
    assert_eq!(g.of("gas.leak").len(), 1, "judged from the second sample on: {:?}", g.log);
}

#[test]
fn a_clock_in_another_time_zone_silences_nothing() {
    let mut g = Gateway::new(site());
    let zone = 8 * 3_600_000;
    g.message("10:00", sampled("smoke", Quantity::Smoke, 0.0, t("10:00") - zone));
    g.message("10:05", sampled("smoke", Quantity::Smoke, 0.0, t("10:05") - zone));
    g.message("10:06", sampled("smoke", Quantity::Smoke, 1.0, t("10:06") - zone));
    assert_eq!(g.of("fire.smoke"), ["10:06:00 opened 1"]);
    g.message("10:07", sampled("smoke", Quantity::Smoke, 1.0, t("10:07")));
    assert_eq!(g.of("fire.smoke").len(), 1, "mended meanwhile");
}

#[test]
fn a_clock_set_back_silences_nothing() {
    let mut g = Gateway::new(site());
    let set_back = 9 * 60_000;
    g.message("10:00", sampled("smoke", Quantity::Smoke, 0.0, t("10:00")));
    g.message("10:01", sampled("smoke", Quantity::Smoke, 0.0, t("10:01") - set_back));
    g.message("10:02", sampled("smoke", Quantity::Smoke, 1.0, t("10:02") - set_back));
    assert_eq!(g.of("fire.smoke"), ["10:02:00 opened 1"], "and stays");
}

#[test]
fn a_backlog_is_still_a_backlog() {
    let mut g = Gateway::new(site());
    // An hour of samples, taken each minute, delivered in one minute.
    for n in 0..60 {
        let time = format!("10:00:{n:02}");
        g.message(&time, sampled("gas", Quantity::GasLel, 90.0, t("08:45") + n * 60_000));
    }
    assert!(g.of("gas.leak").is_empty(), "{:?}", g.log);
}

#[test]
fn one_sample_from_the_far_future_makes_no_counter_a_repeat() {
    let mut g = Gateway::new(site());
    let numbered = |seq, at, value| Message { boot: Some(1), seq: Some(seq), ..sampled("smoke", Quantity::Smoke, value, at) };
    g.message("10:00", numbered(1, t("10:00"), 0.0));
    g.message("10:01", numbered(2, i64::MAX, 0.0));
    g.message("10:02", numbered(3, t("10:02"), 0.0));
    // Its power failed; it counts from 1 again.
    g.message("10:05", numbered(1, t("10:05"), 1.0));
    assert_eq!(g.of("fire.smoke"), ["10:05:00 opened 1"]);
}

#[test]
fn a_talkative_device_does_not_hide_its_alarm() {
    let mut g = Gateway::new(site());
    for n in 0..300u32 {
        let mut m = reading("smoke", Quantity::Co2, 0.0);
        m.items = vec![Item::Reading { quantity: Quantity::from_name(&format!("x{n}")).unwrap(), channel: 0, value: Fixed(1) }];
        g.message("10:00", m);
    }
    let mut m = reading("smoke", Quantity::Smoke, 1.0);
    m.items = vec![Item::Reading { quantity: Quantity::Smoke, channel: 63, value: Fixed(1) }];
    g.message("10:01", m);
    assert_eq!(g.of("fire.smoke"), ["10:01:00 opened 1"]);
}

#[test]
fn a_flood_of_new_names_ends_no_alarm() {
    let mut g = Gateway::new(site());
    g.says("10:00", "smoke-in-its-box", Quantity::Smoke, 1.0);
    assert_eq!(g.of("fire.smoke"), ["10:00:00 opened 1"]);
    for n in 0..3000 {
        g.says("10:01", &format!("flood-{n}"), Quantity::Temperature, 20.0);
    }
    assert_eq!(g.of("fire.smoke"), ["10:00:00 opened 1"], "neither returned nor forgotten");
}
