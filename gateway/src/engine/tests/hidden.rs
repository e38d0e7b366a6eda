//! What is set aside, handled or part of something else must hide nothing.
use super::life::staffed;
use super::life_table::nursery;
use crate::engine::input::Action;
use crate::engine::site::Role;
use crate::engine::testing::{Gateway, t};
use crate::engine::{Body, Command, State, Verdict};
use tuoan_protocol::{CauseCode, EventKind, Inhibition, Quantity, Transition, Via};

fn with(devices: &[(&str, &str, Role)]) -> Gateway {
    let mut site = staffed();
    for (id, zone, role) in devices {
        let like = site.devices[0].clone();
        site.devices.push(crate::engine::site::Placement { id: id.parse().unwrap(), zone: zone.parse().unwrap(), role: *role, ..like });
    }
    Gateway::new(site)
}

fn told_at(g: &Gateway, time: &str, kind: &str) -> usize {
    g.told.iter().filter(|l| l.starts_with(&format!("{time} {kind}"))).count()
}

#[test]
fn a_detector_in_service_is_heard_beside_one_that_is_not() {
    let mut g = with(&[("smoke-2", "room", Role::Smoke)]);
    g.act("09:00", Action::OutOfService { device: "smoke".parse().unwrap(), minutes: 600, reason: "dusty".into() });
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    assert_eq!(g.last.events[0].state.inhibited, Some(Inhibition::OutOfService));
    g.says("10:05", "smoke-2", Quantity::Smoke, 1.0);
    assert_eq!(g.of("fire.smoke").last().unwrap(), "10:05:00 released 1");
    assert_eq!(told_at(&g, "10:05:00", "alert"), 4);
    // And when only the other is left, it is out of service again.
    g.says("10:10", "smoke-2", Quantity::Smoke, 0.0).until("10:12");
    assert_eq!(g.of("fire.smoke").last().unwrap(), "10:11:00 out_of_service 1");
}

#[test]
fn a_shelving_that_was_meant_for_less_does_not_hold_for_an_emergency() {
    let mut g = nursery();
    g.says("10:00", "co", Quantity::Co, 50.0);
    let incident = g.open("co.high").unwrap();
    g.act("10:01", Action::Shelve { incident: incident.clone(), minutes: 480, reason: "meter".into() });
    g.act("10:02", Action::Acknowledge { incident, note: None }).says("10:03", "co", Quantity::Co, 0.0).until("11:00");
    assert!(g.open("co.high").is_none());
    g.says("11:30", "co", Quantity::CoAlarm, 1.0);
    assert_eq!(g.last.events[0].state.inhibited, None);
    assert_eq!(told_at(&g, "11:30:00", "alert"), 4);
}

#[test]
fn a_fire_that_is_suppressed_or_handled_takes_no_other_emergency_in() {
    for handled in [false, true] {
        let mut g = with(&[("co", "kitchen", Role::Co)]);
        if !handled {
            g.act("09:59", Action::Maintain { zone: "room".parse().unwrap(), minutes: 60, reason: "detectors".into() });
        }
        g.says("10:00", "smoke", Quantity::Smoke, 1.0);
        if handled {
            let incident = g.open("fire.smoke").unwrap();
            g.act("10:01", Action::Resolve { incident, cause: CauseCode::False, note: None });
        }
        g.says("10:05", "co", Quantity::CoAlarm, 1.0);
        assert_eq!(g.of("co.high"), ["10:05:00 opened 1"]);
        assert_eq!(told_at(&g, "10:05:00", "alert"), 4, "handled: {handled}");
    }
}

#[test]
fn what_is_shelved_and_reopened_tells_nobody_before_its_time() {
    let mut g = nursery();
    g.says("10:00", "co", Quantity::Co, 50.0);
    let incident = g.open("co.high").unwrap();
    g.act("10:01", Action::Shelve { incident: incident.clone(), minutes: 60, reason: "meter".into() });
    g.act("10:02", Action::Resolve { incident: incident.clone(), cause: CauseCode::False, note: None });
    g.says("10:03", "co", Quantity::Co, 0.0);
    let told = g.told.len();
    g.act("10:04", Action::Reopen { incident, reason: "not yet".into() });
    assert_eq!((g.last.events[0].transition, g.told.len()), (Transition::Reopened, told));
}

#[test]
fn an_alarm_button_that_became_part_of_a_fire_ends_with_it() {
    let mut g = Gateway::new(staffed());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0).event("10:01", "panic", EventKind::PanicPressed);
    let (fire, panic) = (g.open("fire.smoke").unwrap(), g.open("panic.button").unwrap());
    g.act("10:02", Action::Merge { part: panic, whole: fire.clone(), reason: "same".into() });
    g.says("10:05", "smoke", Quantity::Smoke, 0.0).until("10:10");
    assert!(g.of("fire.smoke").iter().all(|l| !l.contains("returned")), "the button is not cancelled");
    g.act("10:11", Action::CancelPanic { incident: fire, reason: "all are out".into() });
    assert!(matches!(g.last.verdicts[0], Verdict::Accepted(_)), "{:?}", g.last.verdicts);
    g.until("10:30");
    assert_eq!(g.of("fire.smoke").last().unwrap(), "10:21:00 closed 1");
}

#[test]
fn a_report_of_concern_ends_with_the_district_s_word_and_another_is_told_at_once() {
    let mut g = Gateway::new(staffed());
    let report = || Action::ReportConcern { zone: "room".parse().unwrap(), note: "疑似".into() };
    g.act("10:00", report());
    let incident = g.open("concern.report").unwrap();
    g.act("10:01", Action::Acknowledge { incident: incident.clone(), note: None });
    g.act("10:05", report());
    assert_eq!(told_at(&g, "10:05:00", "alert"), 4);
    let by_district = |g: &mut Gateway, time: &str| {
        let action = Action::Resolve { incident: incident.clone(), cause: CauseCode::Real, note: None };
        g.at(time, Body::Command(Command { actor: "区里".into(), via: Some(Via::Platform), action }));
    };
    by_district(&mut g, "10:06");
    g.act("10:10", report());
    assert_eq!(g.of("concern.report").last().unwrap(), "10:10:00 reactivated 1");
    assert_eq!(told_at(&g, "10:10:00", "alert"), 4);
    by_district(&mut g, "10:11");
    g.until("20:00");
    assert!(g.of("concern.report").last().unwrap().ends_with("closed 1"), "{:?}", g.of("concern.report"));
}

#[test]
fn what_becomes_less_grave_goes_on_with_its_new_ladder_also_over_a_snapshot() {
    let mut g = nursery();
    g.says("10:00", "co", Quantity::Co, 50.0).says("10:00", "co", Quantity::CoAlarm, 1.0).until("10:07");
    g.says("10:07", "co", Quantity::CoAlarm, 0.0);
    assert_eq!(g.of("co.high").last().unwrap(), "10:07:00 lowered 2");
    let told = g.told.len();
    let mut restored = State::decode(&g.state.encode()).unwrap();
    assert!(restored.encode() == g.state.encode());
    g.until("10:14:59");
    assert_eq!(g.told.len(), told, "who was told of worse is not told of less");
    let out = crate::engine::step(&mut restored, &[], t("11:00"));
    g.until("10:15");
    assert_eq!(g.told.last().unwrap(), "10:15:00 alert deputy");
    assert_eq!(out.notices.iter().filter(|n| n.person.is_some()).count(), 2, "deputy and district");
}

#[test]
fn an_emergency_that_chatters_is_climbed_all_the_same() {
    let mut g = nursery();
    for second in 0..9 {
        g.says(&format!("10:00:{:02}", second * 5), "co", Quantity::CoAlarm, f64::from(u8::from(second % 2 == 0)));
    }
    assert_eq!(g.of("co.high").last().unwrap(), "10:00:40 chattering 1");
    assert_eq!(told_at(&g, "10:00:40", "alert"), 4);
    g.until("10:02:40");
    assert_eq!(told_at(&g, "10:02:40", "again"), 4);
}
