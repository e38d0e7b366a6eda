//! The life cycle of an incident.
use crate::engine::input::Action;
use crate::engine::testing::{Gateway, site};
use crate::engine::{ENGINE_VERSION, Verdict};
use tuoan_protocol::{Basis, EventKind, InstitutionType, Quantity, SupervisingBody};

#[test]
fn an_event_says_everything_a_receiver_needs() {
    let mut g = Gateway::new(site());
    g.says("10:00", "gas", Quantity::GasLel, 6.5);
    let e = g.last.events[0].clone();
    assert_eq!((e.sequence, e.site.as_str(), e.place.zone.as_str(), e.activations), (1, "xingyuan", "kitchen", 1));
    assert_eq!((e.institution, e.supervisor, e.basis), (InstitutionType::Public, SupervisingBody::Health, Basis::Confirmed));
    assert_eq!((e.rule.as_str(), e.engine.as_str(), e.clock_trusted), ("gas.concentration", ENGINE_VERSION, true));
    assert_eq!(e.rules, g.state.configuration().unwrap().hash);
    assert_eq!(e.trigger.unwrap().reading, Some((Quantity::GasLel, Quantity::GasLel.fixed(6.5).unwrap())));
    assert_eq!((e.id.as_str(), e.position), (e.incident.as_str(), g.state.position()), "an incident is named after its first event");
    let ms = e.id.as_str().chars().take(10).fold(0i64, |n, c| n * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(c).unwrap() as i64);
    assert_eq!(ms, e.at, "ULID: sorts by time");
}

#[test]
fn the_most_urgent_finding_counts_and_changes_are_told() {
    let mut g = Gateway::new(site());
    for (i, celsius) in [22.0, 25.0, 28.0, 31.0].into_iter().enumerate() {
        g.says(&format!("10:0{i}"), "air", Quantity::Temperature, celsius);
    }
    assert_eq!(g.of("fire.smoke"), ["10:03:00 opened 2"], "rising: please check");
    assert_eq!(g.last.events[0].basis, Basis::Inferred);
    g.says("10:03:30", "smoke", Quantity::Smoke, 1.0);
    assert_eq!(g.of("fire.smoke")[1..], ["10:03:30 raised 1"]);
    assert_eq!((g.last.events[0].basis, g.last.events[0].rule.as_str()), (Basis::Confirmed, "fire.smoke.alarm"));
    g.says("10:04", "smoke", Quantity::Smoke, 0.0).until("10:05");
    assert_eq!(g.of("fire.smoke")[2..], ["10:05:00 lowered 2"]);
    assert_eq!(g.state.view(g.state.now()).incidents.len(), 1, "one incident for each hazard and place");
}

#[test]
fn an_unacknowledged_emergency_stays_open_an_advisory_does_not() {
    let mut g = Gateway::new(site());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0).says("10:01", "smoke", Quantity::Smoke, 0.0).until("18:00");
    assert!(g.open("fire.smoke").is_some());
    g.acknowledge("18:00", "fire.smoke");
    assert_eq!(g.of("fire.smoke")[1..], ["10:02:00 returned 1", "18:00:00 acknowledged 1", "18:00:00 closed 1"]);
    g.says("19:00", "window", Quantity::Battery, 10.0).says("19:10", "window", Quantity::Battery, 90.0).until("19:20");
    let battery: Vec<_> = g.of("sensor.silent").into_iter().filter(|l| l.starts_with("19:")).collect();
    assert_eq!(battery, ["19:00:00 opened 3", "19:10:00 returned 3", "19:20:00 closed 3"]);
}

#[test]
fn what_comes_back_before_it_is_closed_asks_for_attention_again() {
    let mut g = Gateway::new(site());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0).acknowledge("10:01", "fire.smoke");
    g.says("10:02", "smoke", Quantity::Smoke, 0.0).until("10:04").says("10:05", "smoke", Quantity::Smoke, 1.0);
    let e = &g.last.events[0];
    assert_eq!((e.activations, e.state.acknowledged, e.state.active), (2, false, true));
    assert_eq!(g.last.commands.len(), 2, "and sounds again");
}

#[test]
fn the_alarm_button_is_debounced_and_cancelled_with_a_reason() {
    let mut g = Gateway::new(site());
    g.event("10:00", "panic", EventKind::PanicPressed).event("10:00:05", "panic", EventKind::PanicPressed);
    assert_eq!(g.of("panic.button"), ["10:00:00 opened 1"]);
    let incident = g.open("panic.button").unwrap();
    g.act("10:01", Action::CancelPanic { incident: incident.clone(), reason: "  ".into() });
    assert!(matches!(g.last.verdicts[0], Verdict::Refused(r) if r.contains("reason")));
    let position = g.state.position();
    g.act("10:01", Action::CancelPanic { incident: incident.clone(), reason: "孩子误按".into() });
    assert_eq!(g.last.verdicts, [Verdict::Accepted(position + 1)]);
    assert_eq!(g.of("panic.button")[1..], ["10:01:00 acknowledged 1", "10:01:00 returned 1"]);
    assert_eq!(g.last.events[1].note.as_deref(), Some("孩子误按"));
    assert_eq!(g.last.events[1].actor.as_deref(), Some("王园长"));
    g.event("10:01:10", "panic", EventKind::PanicPressed);
    assert_eq!(g.of("panic.button").last().unwrap(), "10:01:10 reactivated 1", "a press after a cancel is a new alarm");
}

#[test]
fn refusals_change_nothing_and_say_why() {
    let mut g = Gateway::new(site());
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    let incident = g.open("fire.smoke").unwrap();
    let before = g.state.encode();
    g.act("10:00", Action::CancelPanic { incident: incident.clone(), reason: "x".into() });
    assert!(matches!(g.last.verdicts[0], Verdict::Refused(_)));
    g.act("10:00", Action::RoomSwept { zone: "attic".parse().unwrap() });
    assert!(matches!(g.last.verdicts[0], Verdict::Refused(_)));
    g.act("10:00", Action::Acknowledge { incident: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(), note: None });
    assert!(matches!(g.last.verdicts[0], Verdict::Refused(_)));
    assert_eq!(g.state.encode(), before);
    g.acknowledge("10:01", "fire.smoke");
    g.act("10:02", Action::Acknowledge { incident, note: None });
    assert!(matches!(g.last.verdicts[0], Verdict::Refused(r) if r.contains("already")));
}

#[test]
fn long_notes_are_cut_at_a_character() {
    let mut g = Gateway::new(site());
    g.act("10:00", Action::ReportConcern { zone: "room".parse().unwrap(), note: "疑".repeat(300) });
    let note = g.last.events[0].note.clone().unwrap();
    assert!(note.len() <= 256 && note.chars().all(|c| c == '疑'));
    g.act("10:05", Action::ReportConcern { zone: "room".parse().unwrap(), note: "再次".into() });
    assert_eq!(g.of("concern.report"), ["10:00:00 opened 1", "10:05:00 reactivated 1"]);
}
