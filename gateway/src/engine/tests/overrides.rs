//! Overrides of rules by the site: in force from their first day to their last, and said so.
use crate::engine::input::{Body, Configuration};
use crate::engine::rules::Override;
use crate::engine::site::Site;
use crate::engine::testing::{Gateway, configuration, site};
use crate::engine::view::OverrideState;
use crate::engine::{State, Verdict};
use tuoan_protocol::Quantity;

/// From Monday 23 to Wednesday 25 November.
fn with(rule: &str, change: &str) -> Site {
    let text =
        format!("rule = {rule:?}\nreason = \"装修\"\nauthor = \"王园长\"\nfrom = \"2026-11-23\"\nexpires = \"2026-11-25\"\n{change}");
    let mut s = site();
    s.overrides = vec![toml::from_str::<Override>(&text).unwrap()];
    s
}
fn state(g: &Gateway) -> OverrideState {
    g.state.view(g.state.now()).overrides[0].state
}

#[test]
fn it_ends_at_midnight_by_itself_and_the_standing_state_is_judged_again() {
    let mut g = Gateway::new(with("window.open_upper.nap", "enabled = false"));
    g.says("10:59", "radar", Quantity::Presence, 1.0).says("11:00", "window", Quantity::Open, 1.0).until("36:30");
    assert!(g.of("window.open_upper").is_empty(), "switched off: {:?}", g.log);
    assert_eq!(state(&g), OverrideState::InForce);
    g.until("71:59").until("72:00");
    assert_eq!(state(&g), OverrideState::Expired);
    g.until("84:00");
    assert_eq!(g.of("window.open_upper"), ["12:00:00 opened 2"], "Thursday's nap");
    assert_eq!(g.last.events[0].overridden_by, None);
}

#[test]
fn an_unguarded_state_that_outlasts_its_override_raises_when_that_ends() {
    let mut g = Gateway::new(with("water.leak", "enabled = false"));
    g.says("10:00", "air", Quantity::WaterLeak, 1.0).until("71:59");
    assert!(g.of("water.leak").is_empty());
    g.until("72:00");
    assert_eq!(g.of("water.leak"), ["00:00:00 opened 2"]);
}

#[test]
fn what_is_raised_under_an_override_names_its_author() {
    let mut g = Gateway::new(with("door.held_open.care", "hold = \"3m\"\nseverity = 3"));
    g.says("10:00", "door", Quantity::Open, 1.0).until("10:02:59");
    assert!(g.of("door.held_open").is_empty());
    g.until("10:03");
    assert_eq!(g.of("door.held_open"), ["10:03:00 opened 3"]);
    assert_eq!(g.last.events[0].overridden_by.as_deref(), Some("王园长"));
    g.says("10:04", "door", Quantity::Open, 0.0);
    assert_eq!(g.last.events[0].overridden_by.as_deref(), Some("王园长"));
    g.says("10:05", "air", Quantity::WaterLeak, 1.0);
    assert_eq!(g.last.events[0].overridden_by, None, "another rule");
}

#[test]
fn it_begins_by_itself_and_may_end_what_was_open() {
    let mut s = with("water.leak", "enabled = false");
    (s.overrides[0].from, s.overrides[0].expires) = ("2026-11-24".into(), "2026-11-24".into());
    let mut g = Gateway::new(s);
    g.says("10:00", "air", Quantity::WaterLeak, 1.0).until("23:59");
    assert_eq!(state(&g), OverrideState::Coming);
    g.until("24:00");
    assert_eq!(g.of("water.leak"), ["10:00:00 opened 2", "00:00:00 returned 2"]);
    g.until("48:00");
    assert_eq!(g.of("water.leak").last().unwrap(), "00:00:00 reactivated 2");
}

#[test]
fn a_snapshot_keeps_the_day() {
    let mut g = Gateway::new(with("door.held_open.care", "hold = \"3m\""));
    g.says("10:00", "door", Quantity::Open, 1.0).until("10:00:30");
    g.state = State::decode(&g.state.encode()).unwrap();
    g.until("10:02:59");
    assert!(g.of("door.held_open").is_empty());
    g.until("10:03");
    assert_eq!(g.of("door.held_open"), ["10:03:00 opened 2"]);
}

#[test]
fn a_time_that_becomes_shorter_counts_from_when_the_condition_began() {
    let mut g = Gateway::new(site());
    g.says("10:00", "door", Quantity::Open, 1.0).until("10:00:30");
    g.at("10:00:30", Body::Configure(Box::new(configuration(with("door.held_open.care", "hold = \"40s\""))))).until("10:01");
    assert_eq!(g.of("door.held_open"), ["10:00:40 opened 2"]);
}

#[test]
fn it_is_part_of_the_hash_and_a_bad_one_is_refused() {
    let plain = configuration(site()).hash;
    let a = configuration(with("water.leak", "enabled = false"));
    let b = configuration(with("water.leak", "severity = 3"));
    assert!(plain != a.hash && a.hash != b.hash);
    let without: Configuration = configuration(Site { overrides: vec![], ..a.site.clone() });
    assert_eq!(without.hash, plain, "a site without overrides has the hash it always had");
    let mut g = Gateway::new(site());
    let before = g.state.encode();
    g.at("00:00", Body::Configure(Box::new(configuration(with("fire.smoke.alarm", "enabled = false")))));
    assert!(matches!(g.last.verdicts[0], Verdict::Refused(r) if r.contains("override")));
    assert_eq!(g.state.encode(), before);
}

#[test]
fn what_it_holds_back_is_told() {
    let mut g = Gateway::new(with("water.leak", "enabled = false"));
    let told = |g: &Gateway| {
        let v = g.state.view(g.state.now()).overrides.remove(0);
        (v.held_back, v.held_back_now.iter().map(|p| p.zone.to_string()).collect::<Vec<_>>())
    };
    g.says("09:00", "air", Quantity::WaterLeak, 0.0);
    assert_eq!(told(&g), (0, vec![]));
    g.says("10:00", "air", Quantity::WaterLeak, 1.0).says("10:10", "air", Quantity::WaterLeak, 1.0);
    assert_eq!(told(&g), (1, vec!["room".to_owned()]));
    g.state = State::decode(&g.state.encode()).unwrap();
    g.says("11:00", "air", Quantity::WaterLeak, 0.0).until("11:02");
    assert_eq!(told(&g), (1, vec![]));
    g.says("12:00", "air", Quantity::WaterLeak, 1.0).until("25:00");
    assert_eq!(told(&g), (2, vec!["room".to_owned()]));
    assert!(g.of("water.leak").is_empty());
    g.until("72:00");
    assert_eq!((told(&g), g.of("water.leak").len()), ((0, vec![]), 1), "the rule itself speaks again");
}

#[test]
fn a_longer_hold_holds_back_only_until_it_is_over() {
    let mut g = Gateway::new(with("door.held_open.care", "hold = \"3m\""));
    g.says("10:00", "door", Quantity::Open, 1.0).until("10:01");
    let v = g.state.view(g.state.now()).overrides.remove(0);
    assert_eq!((v.held_back, v.held_back_now.len()), (1, 1));
    g.until("10:03");
    let v = g.state.view(g.state.now()).overrides.remove(0);
    assert_eq!((v.held_back, v.held_back_now.len()), (1, 0), "now it is an incident");
    assert_eq!(g.of("door.held_open"), ["10:03:00 opened 2"]);
}
