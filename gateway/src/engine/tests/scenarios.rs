//! Days in the nursery, as timelines.
use crate::engine::input::{Action, Body};
use crate::engine::outcome::DeviceAction;
use crate::engine::testing::{Gateway, reading, site, supervised, t};
use crate::engine::{DeviceCommand, Phase};
use tuoan_protocol::{EventKind, Quantity};

fn orders(list: &[DeviceCommand]) -> Vec<(String, DeviceAction)> {
    list.iter().map(|c| (c.device.to_string(), c.action)).collect()
}

#[test]
fn a_working_saturday_is_a_day_of_care_and_a_holiday_monday_is_not() {
    let mut s = site();
    s.calendar.working_days = vec!["2026-11-28".into()];
    s.calendar.holidays = vec!["2026-11-30".into()];
    let mut g = Gateway::new(s);
    // Saturday 28 November: 5 days after Monday.
    g.says("130:00", "door", Quantity::Open, 1.0).until("130:02");
    assert_eq!(g.of("door.held_open"), ["10:01:00 opened 2"], "care hours hold on the working Saturday");
    assert!(g.of("door.after_hours").is_empty());
    g.says("130:03", "door", Quantity::Open, 0.0);
    // Monday 30 November.
    g.says("178:00", "door", Quantity::Open, 1.0).until("178:10");
    assert_eq!(g.of("door.after_hours"), ["10:00:00 opened 2"]);
}

#[test]
fn an_untrusted_clock_at_night_counts_as_care_hours() {
    let mut g = Gateway::new(site());
    g.at("22:00", Body::Clock { offset_ms: 0, trusted: false });
    g.says("22:10", "door", Quantity::Open, 1.0).until("22:12");
    assert_eq!(g.of("door.held_open"), ["22:11:00 opened 2"]);
    assert!(g.of("door.after_hours").is_empty());
    assert!(!g.last.events.is_empty() && g.last.events.iter().all(|e| !e.clock_trusted));
    // The clock is right again: the door is open out of hours.
    g.at("22:20", Body::Clock { offset_ms: 0, trusted: true });
    assert_eq!(g.of("door.after_hours"), ["22:20:00 opened 2"]);
    assert_eq!(g.of("door.held_open").last().unwrap(), "22:20:00 returned 2");
}

#[test]
fn a_restart_in_the_middle_of_a_hold_does_not_begin_it_anew() {
    let mut g = Gateway::new(site());
    g.says("10:00", "door", Quantity::Open, 1.0).until("10:00:20");
    g.state = crate::engine::State::decode(&g.state.encode()).unwrap();
    g.at("10:00:40", Body::Started { down_from: t("10:00:20") }).until("10:02");
    assert_eq!(g.of("door.held_open"), ["10:01:00 opened 2"]);
}

#[test]
fn silence_across_our_own_downtime_proves_nothing() {
    let mut g = Gateway::new(supervised());
    for minute in 0..30 {
        g.says(&format!("09:{minute:02}"), "air", Quantity::Co2, 500.0);
    }
    let before = g.of("sensor.silent").len();
    g.until("09:30");
    // Down for two hours, one minute after the last message.
    g.at("11:30", Body::Started { down_from: t("09:30") });
    g.until("11:31:59");
    assert_eq!(g.of("sensor.silent").len(), before, "{:?}", g.log);
    g.until("11:32");
    assert_eq!(g.log.last().unwrap(), "11:32:00 sensor.silent opened 3", "three minutes of listening, not of time");
}

#[test]
fn a_flapping_contact_is_one_incident() {
    let mut g = Gateway::new(site());
    for n in 0..5 {
        g.says(&format!("21:{:02}", n * 2), "door", Quantity::Open, 1.0);
        g.says(&format!("21:{:02}", n * 2 + 1), "door", Quantity::Open, 0.0);
    }
    let of = g.of("door.after_hours");
    assert_eq!(of.iter().filter(|l| l.contains("opened")).count(), 1);
    assert_eq!(of.iter().filter(|l| l.contains("reactivated")).count(), 3);
    // The fifth time within half an hour it is chatter: from here on it is counted.
    assert_eq!(of.iter().filter(|l| l.contains("chattering")).count(), 1);
    assert_eq!(of.iter().filter(|l| l.contains("returned")).count(), 4);
    let v = g.state.view(g.state.now());
    assert_eq!(v.incidents.iter().find(|i| i.hazard.as_str() == "door.after_hours").unwrap().activations, 5);
    g.acknowledge("21:20", "door.after_hours");
    assert_eq!(g.of("door.after_hours").last().unwrap(), "21:20:00 closed 2", "ten minutes had passed since the return at 21:09");
}

#[test]
fn retained_smoke_raises_once_only() {
    let mut g = Gateway::new(site());
    let mut m = reading("smoke", Quantity::Smoke, 1.0);
    m.retained = true;
    g.message("09:00", m.clone());
    assert!(g.last.events[0].found_on_connect);
    g.message("09:05", m.clone());
    assert!(g.last.events.iter().all(|e| e.transition == tuoan_protocol::Transition::Escalated), "known already");
    g.says("09:06", "smoke", Quantity::Smoke, 0.0).until("09:08");
    g.acknowledge("09:20", "fire.smoke");
    assert!(g.open("fire.smoke").is_none());
    g.message("09:30", m);
    assert!(g.open("fire.smoke").is_some(), "other than what is known: it began while nobody listened");
}

#[test]
fn a_retained_momentary_event_is_nothing() {
    let mut g = Gateway::new(site());
    let mut m = reading("panic", Quantity::Battery, 0.0);
    m.items = vec![crate::engine::Item::Event { kind: EventKind::PanicPressed, command: None }];
    m.retained = true;
    g.message("09:00", m);
    assert!(g.log.is_empty());
}

#[test]
fn smoke_sounds_every_siren_until_someone_takes_note() {
    let mut g = Gateway::new(site());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    assert_eq!(orders(&g.last.commands), [("gas-siren".to_owned(), DeviceAction::SirenOn), ("siren".to_owned(), DeviceAction::SirenOn)]);
    g.says("10:00:10", "smoke", Quantity::Smoke, 1.0);
    assert!(g.last.commands.is_empty(), "once");
    g.acknowledge("10:01", "fire.smoke");
    assert_eq!(g.last.commands.len(), 2);
    assert!(g.last.commands.iter().all(|c| c.action == DeviceAction::SirenOff));
}

#[test]
fn in_a_zone_with_gas_nothing_is_switched_but_the_valve() {
    let mut g = Gateway::new(site());
    g.says("10:00", "gas", Quantity::GasLel, 8.0);
    assert_eq!(orders(&g.last.commands), [("siren".to_owned(), DeviceAction::SirenOn), ("valve".to_owned(), DeviceAction::ValveClose)]);
    g.says("10:01", "smoke", Quantity::Smoke, 1.0);
    assert!(g.last.commands.is_empty(), "the kitchen's siren stays as it is");
    g.says("10:02", "gas", Quantity::GasLel, 0.0).says("10:03", "gas", Quantity::GasLel, 0.0);
    assert_eq!(orders(&g.last.commands), [("gas-siren".to_owned(), DeviceAction::SirenOn)], "the gas is gone, the smoke is not");
}

#[test]
fn what_is_only_inferred_never_sounds_the_siren() {
    let mut g = Gateway::new(site());
    g.says("18:50", "pir", Quantity::Motion, 1.0);
    assert_eq!(g.of("left.behind"), ["18:50:00 opened 1"]);
    assert!(g.last.commands.is_empty());
}

#[test]
fn nor_does_a_report_of_concern() {
    let mut g = Gateway::new(site());
    g.act("10:00", Action::ReportConcern { zone: "room".parse().unwrap(), note: "手臂有淤青".into() });
    assert_eq!(g.of("concern.report"), ["10:00:00 opened 1"]);
    assert!(g.last.commands.is_empty());
    assert_eq!(g.last.events[0].note.as_deref(), Some("手臂有淤青"));
}

#[test]
fn a_pir_raises_left_behind_and_never_clears_it() {
    let mut g = Gateway::new(site());
    g.says("18:50", "pir", Quantity::Motion, 1.0).says("18:51", "pir", Quantity::Motion, 0.0).until("20:00");
    assert!(g.open("left.behind").is_some());
    assert!(!g.of("left.behind").iter().any(|l| l.contains("returned")));
    g.act("20:05", Action::RoomSwept { zone: "nap".parse().unwrap() });
    assert_eq!(g.of("left.behind")[1..], ["20:05:00 acknowledged 1", "20:05:00 returned 1"]);
    g.until("20:15");
    assert_eq!(g.of("left.behind").last().unwrap(), "20:15:00 closed 1");
}

#[test]
fn a_radar_that_sees_nobody_clears_what_it_raised() {
    let mut g = Gateway::new(site());
    g.says("18:55", "radar", Quantity::Presence, 1.0).says("19:00", "radar", Quantity::Presence, 0.0);
    assert_eq!(g.of("left.behind"), ["18:55:00 opened 1", "19:00:00 returned 1"]);
}

#[test]
fn a_window_upstairs_is_judged_by_who_is_in_the_room() {
    let mut g = Gateway::new(site());
    g.says("09:00", "radar", Quantity::Presence, 1.0).says("09:01", "window", Quantity::Open, 1.0).until("10:30");
    assert!(g.of("window.open_upper").is_empty(), "attended");
    g.says("10:30", "radar", Quantity::Presence, 0.0).until("10:45");
    assert_eq!(g.of("window.open_upper"), ["10:45:00 opened 2"], "a quarter of an hour after the last sign");
}

#[test]
fn an_alarm_of_a_device_that_stands_nowhere_is_not_lost() {
    let mut g = Gateway::new(site());
    g.says("10:00", "z2m.0x1", Quantity::Smoke, 1.0);
    let e = &g.last.events[0];
    assert_eq!((e.place.zone.as_str(), e.hazard.as_str()), (crate::engine::UNPLACED_ZONE, "fire.smoke"));
    g.says("10:01", "z2m.0x2", Quantity::Co2, 5000.0).until("11:00");
    assert!(g.of("air.co2").is_empty(), "telemetry of an unknown place is judged by nothing");
}

#[test]
fn phases_are_shown() {
    let mut g = Gateway::new(site());
    g.until("12:30");
    let v = g.state.view(t("12:30"));
    assert!(v.zones.iter().all(|z| z.phase == Phase::Nap));
    assert!(v.zones.iter().find(|z| z.id.as_str() == "exit").unwrap().not_watched);
}
