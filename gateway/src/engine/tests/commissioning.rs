//! Devices are proved: what is a test, what is in earnest, and when a test becomes earnest.
use super::life::staffed;
use crate::engine::input::Action;
use crate::engine::testing::{Gateway, reading, t};
use crate::engine::{Body, Verdict};
use tuoan_protocol::{CauseCode, EventKind, Exercise, IncidentEvent, Quantity, Transition};

const TEST: Option<Exercise> = Some(Exercise::Commissioning);

fn device(id: &str) -> tuoan_protocol::DeviceId {
    id.parse().unwrap()
}

fn commissioning() -> Gateway {
    let mut g = Gateway::new(staffed());
    g.act("10:00", Action::Commission { minutes: 60 });
    g
}

fn of(g: &Gateway, hazard: &str) -> Vec<(Transition, Option<Exercise>)> {
    let fits = |e: &&IncidentEvent| e.hazard.as_str() == hazard && e.transition != Transition::Escalated;
    g.events.iter().filter(fits).map(|e| (e.transition, e.exercise)).collect()
}

#[test]
fn what_a_device_under_proof_says_is_told_in_the_house_once_and_sounds_no_siren() {
    let mut g = commissioning();
    g.act("10:01", Action::Prove { device: device("smoke") });
    g.says("10:01:10", "smoke", Quantity::Smoke, 1.0);
    assert!(g.last.commands.is_empty(), "no siren: {:?}", g.last.commands);
    g.until("10:05");
    assert_eq!(g.told.len(), 3, "{:?}", g.told);
    assert!(g.told.iter().all(|l| !l.contains("district")), "{:?}", g.told);
    g.says("10:05:10", "smoke", Quantity::Smoke, 0.0).until("10:30");
    let all = of(&g, "fire.smoke");
    assert!(all.iter().all(|(_, e)| *e == TEST), "{all:?}");
    let last = g.events.iter().rfind(|e| e.hazard.as_str() == "fire.smoke").unwrap();
    assert!(last.state.closed && g.open("fire.smoke").is_none());
    assert!(g.events.iter().any(|e| e.transition == Transition::Resolved && e.cause == Some(CauseCode::Test)));
}

#[test]
fn everything_else_is_in_earnest_throughout() {
    let mut g = commissioning();
    g.says("10:01", "smoke", Quantity::Smoke, 1.0);
    assert_eq!(of(&g, "fire.smoke"), [(Transition::Opened, None)], "nobody has asked for its proof");
    assert!(g.told.iter().any(|l| l.contains("district")), "{:?}", g.told);
    // A proof that begins meanwhile does not take it back.
    g.act("10:02", Action::Prove { device: device("smoke") });
    g.says("10:03", "smoke", Quantity::Smoke, 1.0).says("10:04", "smoke", Quantity::Smoke, 0.0);
    assert!(of(&g, "fire.smoke").iter().all(|(_, e)| e.is_none()), "{:?}", of(&g, "fire.smoke"));
    g.until("10:30");
    assert!(of(&g, "fire.smoke").contains(&(Transition::Returned, None)));
}

#[test]
fn a_fire_at_the_very_detector_is_in_earnest_once_its_proof_is_over() {
    let mut g = commissioning();
    g.act("10:01", Action::Prove { device: device("smoke") });
    g.says("10:01:10", "smoke", Quantity::Smoke, 1.0);
    g.act("10:01:11", Action::Proven { device: device("smoke") });
    g.until("10:03:10");
    assert!(of(&g, "fire.smoke").iter().all(|(_, e)| *e == TEST));
    g.until("10:03:11");
    assert_eq!(of(&g, "fire.smoke").last(), Some(&(Transition::Opened, None)), "it smokes on");
    assert!(g.told.iter().any(|l| l.starts_with("10:03:11 alert district")), "{:?}", g.told);
    // And it returns as every other.
    g.says("10:05", "smoke", Quantity::Smoke, 0.0).until("10:30");
    assert!(of(&g, "fire.smoke").contains(&(Transition::Returned, None)));
}

#[test]
fn a_button_that_hangs_nowhere_is_a_test_only_while_commissioning_lasts() {
    let mut g = commissioning();
    g.event("10:01", "new-button", EventKind::PanicPressed);
    let first = of(&g, "panic.button");
    assert_eq!(first, [(Transition::Opened, TEST)]);
    g.until("10:59:59");
    assert!(g.open("panic.button").is_some(), "it waits for a person");
    g.until("11:00");
    assert!(g.open("panic.button").is_none(), "the press was the test");
    assert!(of(&g, "panic.button").iter().all(|(_, e)| *e == TEST));
    g.event("11:00:01", "new-button", EventKind::PanicPressed);
    assert_eq!(of(&g, "panic.button").last(), Some(&(Transition::Opened, None)), "the next is an alarm");
    assert!(g.told.iter().any(|l| l.starts_with("11:00:01 alert district")));
}

#[test]
fn a_test_does_not_take_up_what_was_handled_before() {
    let mut g = Gateway::new(staffed());
    g.event("09:59", "panic", EventKind::PanicPressed);
    let incident = g.open("panic.button").unwrap();
    g.act("09:59:30", Action::CancelPanic { incident, reason: "误触".into() });
    g.act("10:00", Action::Commission { minutes: 60 });
    g.act("10:00", Action::Prove { device: device("panic") });
    g.event("10:00:10", "panic", EventKind::PanicPressed);
    let all = of(&g, "panic.button");
    assert_eq!(all.last(), Some(&(Transition::Opened, TEST)), "{all:?}");
}

#[test]
fn it_is_bounded_and_has_an_end() {
    let refused = |g: &mut Gateway, time: &str, action| {
        g.act(time, action);
        matches!(g.last.verdicts[0], Verdict::Refused(_))
    };
    let mut g = Gateway::new(staffed());
    assert!(refused(&mut g, "09:00", Action::Prove { device: device("smoke") }), "not begun");
    assert!(refused(&mut g, "09:00", Action::Commission { minutes: 61 }));
    assert!(refused(&mut g, "09:00", Action::Commission { minutes: 0 }));
    assert!(refused(&mut g, "09:00", Action::CommissionEnd));
    g.act("10:00", Action::Commission { minutes: 60 });
    assert!(refused(&mut g, "10:00", Action::Commission { minutes: 60 }), "it is not drawn out");
    assert!(refused(&mut g, "10:00", Action::Prove { device: device("vision.room") }));
    for n in 0..64 {
        assert!(!refused(&mut g, "10:00", Action::Prove { device: device(&format!("d{n}")) }));
    }
    assert!(refused(&mut g, "10:00", Action::Prove { device: device("smoke") }), "bounded");
    assert!(!refused(&mut g, "10:11", Action::Prove { device: device("smoke") }), "those are over");
    g.says("10:12", "smoke", Quantity::Smoke, 1.0);
    g.act("10:13", Action::CommissionEnd);
    assert_eq!(of(&g, "fire.smoke").last(), Some(&(Transition::Opened, None)), "what holds is in earnest at once");
    assert!(g.state.view(g.state.now()).commissioning.is_none());
}

#[test]
fn a_restart_in_the_middle_changes_nothing() {
    let mut g = commissioning();
    g.act("10:01", Action::Prove { device: device("smoke") });
    g.says("10:01:10", "smoke", Quantity::Smoke, 1.0);
    let mut again = crate::engine::State::decode(&g.state.encode()).unwrap();
    assert_eq!(again.encode(), g.state.encode());
    let input = crate::engine::Input { at: t("10:20"), body: Body::Message(reading("door", Quantity::Open, 0.0)) };
    let through = crate::engine::step(&mut again, std::slice::from_ref(&input), t("10:20")).events;
    let straight = crate::engine::step(&mut g.state, &[input], t("10:20")).events;
    assert_eq!(through, straight);
    assert!(straight.iter().any(|e| e.transition == Transition::Opened && e.exercise.is_none()), "{straight:?}");
}
