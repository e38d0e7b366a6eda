//! The life of an incident after ISA-18.2: who may do what with it when, and what follows.
use crate::engine::input::Action;
use crate::engine::people::{Duty, Person, Span};
use crate::engine::site::Site;
use crate::engine::testing::{Gateway, site, t};
use crate::engine::{Body, Command};
use tuoan_protocol::{CauseCode, EventKind, Exercise, IncidentId, Inhibition, Quantity, Rung, Severity, Transition, Via};

pub fn person(id: &str, role: Rung) -> Person {
    Person { id: id.into(), name: id.into(), role, zones: vec![], duty: vec![], quiet: None }
}

/// With a carer, a director, a deputy and somebody at the district.
pub fn staffed() -> Site {
    let people = vec![
        person("carer", Rung::Carer),
        person("director", Rung::Director),
        person("deputy", Rung::Deputy),
        person("district", Rung::District),
    ];
    Site { people, ..site() }
}

fn refused(g: &mut Gateway, time: &str, action: Action) -> bool {
    g.act(time, action);
    matches!(g.last.verdicts[0], crate::engine::Verdict::Refused(_))
}

fn open(g: &Gateway, hazard: &str) -> IncidentId {
    g.open(hazard).unwrap()
}

#[test]
fn a_confirmed_emergency_goes_to_everybody_at_once_and_again_until_it_is_handled() {
    let mut g = Gateway::new(staffed());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    assert_eq!(g.told, ["10:00:00 alert carer", "10:00:00 alert director", "10:00:00 alert deputy", "10:00:00 alert district"]);
    // To have taken note is not enough.
    g.acknowledge("10:00:30", "fire.smoke").until("10:02");
    assert_eq!(g.told.iter().filter(|l| l.starts_with("10:02:00 again")).count(), 4, "{:?}", g.told);
    g.until("10:06");
    assert_eq!(g.told.iter().filter(|l| l.starts_with("10:06:00 again")).count(), 4, "twice as long");
    let incident = open(&g, "fire.smoke");
    g.act("10:07", Action::Resolve { incident, cause: CauseCode::Real, note: None });
    assert_eq!(g.told.iter().filter(|l| l.starts_with("10:07:00 update")).count(), 4);
    let told = g.told.len();
    g.until("10:21:59");
    assert_eq!(g.told.len(), told, "it is handled");
    // But the smoke is there still.
    g.until("10:22");
    assert_eq!(g.all_of("fire.smoke").last().unwrap(), "10:22:00 reopened 1");
    assert_eq!(g.told.len(), told + 4);
}

#[test]
fn what_is_only_inferred_climbs_rung_by_rung() {
    let mut g = Gateway::new(Site { people: staffed().people, ..crate::engine::testing::seen(None) });
    g.says("10:00", "vision.room", Quantity::Unattended, 1.0).until("10:10");
    let times: Vec<&str> = g.told.iter().map(String::as_str).collect();
    // At midnight it was said that the camera sends nothing.
    let times = &times[4..];
    assert_eq!(
        times,
        [
            "10:01:00 alert carer",
            "10:02:00 alert director",
            "10:03:00 alert deputy",
            "10:04:00 alert district",
            "10:09:00 again carer",
            "10:09:00 again director",
            "10:09:00 again deputy",
            "10:09:00 again district"
        ]
    );
    assert!(g.last.commands.is_empty(), "no siren");
}

#[test]
fn at_nap_the_carer_is_told_without_a_sound() {
    let mut g = Gateway::new(staffed());
    g.says("11:00", "door", Quantity::Open, 1.0).until("11:02").says("11:02", "door", Quantity::Open, 0.0);
    g.acknowledge("11:03", "door.held_open");
    g.says("13:00", "door", Quantity::Open, 1.0).until("13:10");
    g.told.retain(|l| !l.contains("update"));
    assert_eq!(g.told, ["11:01:00 alert carer", "13:01:00 alert carer silently", "13:06:00 alert director"]);
}

#[test]
fn whoever_takes_an_emergency_gets_three_minutes() {
    let mut g = Gateway::new(staffed());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    let incident = open(&g, "fire.smoke");
    g.act("10:01", Action::Assign { incident, to: "carer".into() });
    assert_eq!(g.all_of("fire.smoke").last().unwrap(), "10:01:00 assigned 1");
    g.until("10:03:59");
    assert!(g.told.iter().all(|l| !l.contains("again")));
    g.until("10:04");
    assert_eq!(g.told.iter().filter(|l| l.contains("again")).count(), 4);
}

#[test]
fn severity_2_stops_climbing_when_somebody_has_taken_note() {
    let mut g = Gateway::new(staffed());
    g.says("10:00", "door", Quantity::Open, 1.0).until("10:03");
    assert_eq!(g.told, ["10:01:00 alert carer"]);
    g.acknowledge("10:04", "door.held_open").until("12:00");
    assert_eq!(g.told.len(), 1);
}

#[test]
fn the_roster_and_quiet_hours_are_kept() {
    let mut people = staffed().people;
    people[0].duty = vec![Duty::try_from("mon-fri 07:00-12:00".to_owned()).unwrap()];
    people.push(Person { duty: vec![Duty::try_from("mon-fri 12:00-19:00".to_owned()).unwrap()], ..person("late", Rung::Carer) });
    people.push(Person { zones: vec!["kitchen".parse().unwrap()], ..person("cook", Rung::Carer) });
    people[0].quiet = Some(Span::try_from("20:00-06:00".to_owned()).unwrap());
    let mut g = Gateway::new(Site { people, ..site() });
    g.says("13:00", "door", Quantity::Open, 1.0).until("13:02");
    assert_eq!(g.told, ["13:01:00 alert late silently"], "the carer of the morning has gone, and the cook minds the kitchen");
}

#[test]
fn shelving_is_bounded_told_and_ends_by_itself() {
    let mut g = Gateway::new(staffed());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    let incident = open(&g, "fire.smoke");
    let shelve = |minutes, reason: &str| Action::Shelve { incident: incident.clone(), minutes, reason: reason.into() };
    assert!(refused(&mut g, "10:01", shelve(16, "toast")), "an emergency for a quarter of an hour at most");
    assert!(refused(&mut g, "10:01", shelve(15, " ")), "not without a reason");
    assert!(refused(&mut g, "10:01", shelve(0, "toast")));
    let told = g.told.len();
    g.act("10:01", shelve(15, "toast"));
    assert_eq!(g.last.events[0].state.inhibited, Some(Inhibition::Shelved));
    assert_eq!(g.last.events[0].until, Some(t("10:16")));
    assert_eq!(g.told[told..].len(), 3, "never silently: {:?}", &g.told[told..]);
    assert!(g.last.commands.iter().any(|c| c.action == crate::engine::outcome::DeviceAction::SirenOff));
    g.until("10:15:59");
    assert_eq!(g.told.len(), told + 3);
    g.until("10:16");
    assert!(g.all_of("fire.smoke").contains(&"10:16:00 released 1".to_owned()), "{:?}", g.all_of("fire.smoke"));
    assert_eq!(g.told.iter().filter(|l| l.starts_with("10:16:00 alert")).count(), 4, "from the first rung");
}

#[test]
fn maintenance_suppresses_but_not_the_alarm_button_and_the_director_hears_of_an_emergency() {
    let mut g = Gateway::new(staffed());
    let zone = || "room".parse().unwrap();
    assert!(refused(&mut g, "09:59", Action::Maintain { zone: zone(), minutes: 481, reason: "detectors".into() }));
    g.act("10:00", Action::Maintain { zone: zone(), minutes: 60, reason: "detectors".into() });
    g.says("10:05", "smoke", Quantity::Smoke, 1.0);
    assert_eq!(g.last.events[0].state.inhibited, Some(Inhibition::Suppressed));
    assert!(g.last.commands.is_empty(), "no siren");
    assert_eq!(g.told, ["10:05:00 alert director silently"]);
    g.act("10:06", Action::Maintain { zone: "exit".parse().unwrap(), minutes: 60, reason: "painting".into() });
    g.event("10:07", "panic", EventKind::PanicPressed);
    assert_eq!(g.last.events[0].state.inhibited, None);
    g.until("11:00");
    assert!(g.all_of("fire.smoke").contains(&"11:00:00 released 1".to_owned()));
    assert_eq!(g.told.iter().filter(|l| l.starts_with("11:00:00 alert")).count(), 4);
}

#[test]
fn a_device_out_of_service_is_recorded_and_told_to_nobody() {
    let mut g = Gateway::new(staffed());
    g.act("09:00", Action::OutOfService { device: "door".parse().unwrap(), minutes: 1440, reason: "broken".into() });
    g.says("10:00", "door", Quantity::Open, 1.0).until("10:30");
    assert_eq!(g.of("door.held_open"), ["10:01:00 opened 2"]);
    assert!(g.told.is_empty());
    g.act("10:40", Action::InService { device: "door".parse().unwrap() });
    assert_eq!(g.all_of("door.held_open").last().unwrap(), "10:40:00 released 2");
    assert_eq!(g.told, ["10:40:00 alert carer"]);
}

#[test]
fn smoke_heat_carbon_monoxide_and_the_rush_for_the_door_are_one_fire() {
    let mut site = staffed();
    for (id, role) in [("co", crate::engine::site::Role::Co), ("heat", crate::engine::site::Role::Heat)] {
        let smoke = site.devices.iter().find(|d| d.id.as_str() == "smoke").unwrap().clone();
        site.devices.push(crate::engine::site::Placement { id: id.parse().unwrap(), role, ..smoke });
    }
    let mut g = Gateway::new(site);
    g.says("10:00", "co", Quantity::Co, 150.0);
    assert_eq!(g.of("co.high"), ["10:00:00 opened 1"]);
    g.says("10:01", "smoke", Quantity::Smoke, 1.0);
    assert_eq!(g.of("co.high").last().unwrap(), "10:01:00 merged 1", "the first sign comes under the fire");
    g.says("10:01:10", "heat", Quantity::Heat, 1.0);
    g.says("10:01:20", "door", Quantity::Open, 1.0).until("10:03");
    assert_eq!(g.of("door.held_open"), Vec::<String>::new());
    assert_eq!(g.of("fire.smoke"), ["10:01:00 opened 1", "10:01:00 merged 1", "10:02:20 gathered 1"]);
    assert_eq!(g.state.view(g.state.now()).incidents.len(), 1);
    // It is over when all of it is.
    g.says("10:05", "smoke", Quantity::Smoke, 0.0);
    g.says("10:05", "heat", Quantity::Heat, 0.0);
    g.says("10:05", "co", Quantity::Co, 0.0).until("10:20");
    assert!(!g.of("fire.smoke").iter().any(|l| l.contains("returned")), "the door stands open");
    g.says("10:30", "door", Quantity::Open, 0.0).until("10:31");
    assert!(g.of("fire.smoke").iter().any(|l| l.contains("returned")), "{:?}", g.of("fire.smoke"));
}

#[test]
fn chatter_is_one_incident_with_a_count_and_its_ladder_is_not_begun_anew() {
    let mut g = Gateway::new(staffed());
    for n in 0..40 {
        g.says(&format!("21:{n:02}"), "door", Quantity::Open, 1.0);
        g.says(&format!("21:{n:02}:30"), "door", Quantity::Open, 0.0);
    }
    let of = g.of("door.after_hours");
    assert_eq!(of.iter().filter(|l| l.contains("reactivated")).count(), 3, "{of:?}");
    assert_eq!(of.iter().filter(|l| l.contains("chattering")).count(), 1);
    let view = g.state.view(g.state.now());
    let i = view.incidents.iter().find(|i| i.hazard.as_str() == "door.after_hours").unwrap();
    assert!(i.chattering && i.state.active, "active until it is quiet");
    assert_eq!(i.activations, 40);
    g.until("21:44:29");
    assert!(!g.of("door.after_hours").last().unwrap().contains("returned"));
    g.until("21:45");
    assert_eq!(g.of("door.after_hours").last().unwrap(), "21:44:30 returned 2");
}

#[test]
fn a_cause_may_be_given_later_and_a_closed_incident_reopened() {
    let mut g = Gateway::new(staffed());
    g.says("10:00", "door", Quantity::Open, 1.0).until("10:02").says("10:02", "door", Quantity::Open, 0.0);
    let incident = open(&g, "door.held_open");
    g.act("10:03", Action::Acknowledge { incident: incident.clone(), note: None }).until("11:00");
    assert!(g.open("door.held_open").is_none());
    g.act("11:00", Action::Resolve { incident: incident.clone(), cause: CauseCode::False, note: Some("风吹".into()) });
    let e = &g.last.events[0];
    assert_eq!((e.transition, e.cause, e.state.closed), (Transition::Resolved, Some(CauseCode::False), true));
    assert!(refused(&mut g, "11:01", Action::Resolve { incident: incident.clone(), cause: CauseCode::Real, note: None }), "once");
    g.act("11:02", Action::Comment { incident: incident.clone(), text: "看过录像".into() });
    assert_eq!(g.last.events[0].transition, Transition::Commented);
    g.act("11:03", Action::Reopen { incident: incident.clone(), reason: "孩子不见了".into() });
    assert_eq!(g.last.events[0].transition, Transition::Reopened);
    assert!(!g.last.events[0].state.closed);
    assert_eq!(g.open("door.held_open"), Some(incident.clone()));
    assert!(g.told.iter().any(|l| l == "11:03:00 alert director"));
    assert!(refused(&mut g, "11:04", Action::Reopen { incident, reason: "x".into() }));
}

#[test]
fn incidents_are_merged_by_hand_and_the_part_is_closed() {
    let mut g = Gateway::new(staffed());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    g.says("10:00", "gas", Quantity::GasLel, 20.0);
    let (fire, gas) = (open(&g, "fire.smoke"), open(&g, "gas.leak"));
    assert!(refused(&mut g, "10:01", Action::Merge { part: gas.clone(), whole: gas.clone(), reason: "x".into() }));
    g.act("10:01:30", Action::Merge { part: gas.clone(), whole: fire.clone(), reason: "同一处".into() });
    let [part, whole] = &g.last.events[..2] else { panic!() };
    assert_eq!((&part.incident, part.state.closed, part.other.as_ref()), (&gas, true, Some(&fire)));
    assert_eq!((&whole.incident, whole.state.closed, whole.other.as_ref()), (&fire, false, Some(&gas)));
    assert!(refused(&mut g, "10:03", Action::Acknowledge { incident: gas, note: None }), "it is part of another");
    // Smoke is gone, the gas is not.
    g.says("10:05", "smoke", Quantity::Smoke, 0.0).until("10:10");
    assert!(g.state.view(g.state.now()).incidents.iter().any(|i| i.id == fire && i.state.active));
    assert!(g.state.view(g.state.now()).incidents.iter().all(|i| i.hazard.as_str() != "gas.leak"));
}

#[test]
fn a_drill_goes_the_whole_way_marked_and_beside_what_really_happens() {
    let mut g = Gateway::new(staffed());
    g.says("09:59", "drill.room", Quantity::Smoke, 1.0);
    assert!(g.last.events.is_empty(), "no drill is under way");
    g.act("10:00", Action::Drill { hazard: "fire.smoke".parse().unwrap(), zone: "room".parse().unwrap(), minutes: 10 });
    g.says("10:00:01", "drill.room", Quantity::Smoke, 1.0);
    let e = &g.last.events[0];
    assert_eq!((e.exercise, e.severity, e.transition), (Some(Exercise::Drill), Severity::Emergency, Transition::Opened));
    assert_eq!(g.told.len(), 4);
    g.says("10:00:02", "drill.kitchen", Quantity::Smoke, 1.0);
    assert!(g.last.events.is_empty(), "only where the drill is");
    // Everybody leaves; that raises nothing.
    g.says("10:01", "door", Quantity::Open, 1.0).until("10:03");
    assert_eq!(g.last.events.iter().filter(|e| e.state.inhibited.is_none() && e.exercise.is_none()).count(), 0);
    // But a real fire is a real fire.
    g.says("10:04", "smoke", Quantity::Smoke, 1.0);
    assert_eq!(g.last.events[0].exercise, None);
    assert_eq!(g.last.events[0].state.inhibited, None);
    g.act("10:05", Action::DrillEnd);
    let drill: Vec<_> = g.last.events.iter().filter(|e| e.exercise == Some(Exercise::Drill)).collect();
    assert!(drill.iter().any(|e| e.transition == Transition::Resolved && e.cause == Some(CauseCode::Test)));
    assert!(drill.last().unwrap().state.closed);
    assert!(g.open("fire.smoke").is_some(), "the real one stays");
    assert!(refused(&mut g, "10:06", Action::Drill { hazard: "fire.smoke".parse().unwrap(), zone: "room".parse().unwrap(), minutes: 10 }));
}

#[test]
fn the_canary_is_an_event_of_the_log_and_no_incident() {
    let mut g = Gateway::new(staffed());
    g.event("10:00", "canary", EventKind::Test);
    let e = &g.last.events[0];
    assert_eq!((e.exercise, e.state.closed, e.sequence), (Some(Exercise::Canary), true, g.state.sequence()));
    assert!(g.state.view(g.state.now()).incidents.is_empty() && g.told.is_empty());
}

#[test]
fn a_report_of_concern_is_closed_by_the_district_alone() {
    let mut g = Gateway::new(staffed());
    g.act("10:00", Action::ReportConcern { zone: "room".parse().unwrap(), note: "疑似".into() });
    let incident = open(&g, "concern.report");
    let resolve = Action::Resolve { incident, cause: CauseCode::Real, note: None };
    assert!(refused(&mut g, "10:05", resolve.clone()));
    let by_district = Command { actor: "区里".into(), via: Some(Via::Platform), action: resolve };
    g.at("10:06", Body::Command(by_district));
    let resolved = g.last.events.iter().find(|e| e.transition == Transition::Resolved).unwrap();
    assert_eq!(resolved.via, Some(Via::Platform));
}
