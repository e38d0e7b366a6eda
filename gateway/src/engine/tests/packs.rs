//! Rule packs as text: problems, hash, catalogue, change while running.
use crate::engine::input::{Body, Configuration};
use crate::engine::rules::{Catalogue, builtin, check, compile};
use crate::engine::testing::{Gateway, configuration, site};
use crate::engine::{State, Verdict, step};
use std::collections::BTreeSet;
use tuoan_protocol::Quantity;

const BAD: &str = r#"
name = "bad"
colour = "red"
[[rule]]
id = "a b"
hazard = "air.co2"
kind = "threshold"
quantity = "co3"
severity = 3
basis = "confirmed"
source = ""
clause = ""
verified = false
duty = []
title = { zh = "甲", en = "" }
advice = { zh = "乙", en = "b" }
hold = "soon"

[[rule]]
id = "x"
hazard = "air.co2"
kind = "guess"

[[rule]]
id = "y"
hazard = "air.co2"
kind = "mean"
quantity = "co2"
unit = "%"
above = 0.1
severity = 3
basis = "confirmed"
source = "s"
clause = "c"
verified = false
duty = ["health"]
title = { zh = "甲", en = "a" }
advice = { zh = "乙", en = "b" }
months = [13]
"#;

#[test]
fn all_problems_are_told_together_with_their_lines() {
    let report = check(BAD);
    let all: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    let text = all.join("\n");
    for part in [
        "line 1: the pack has no version",
        "line 3: `colour`",
        "line 5: id:",
        "line 8: \"co3\" is no known quantity",
        "line 11: source is empty",
        "line 14: duty is empty",
        "title needs both",
        "line 17: \"soon\" is no duration",
        "line 22: unknown variant `guess`",
        "line 27",
        "needs a window",
        "line 29: co2 is kept in \"ppm\", not in \"%\"",
        "line 39: 13 is no month",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(report.problems.is_sorted_by_key(|p| p.line));
    assert!(compile(&[BAD]).unwrap_err().starts_with("bad: line"));
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let report = check("name = \"x\"\nversion = 1\n[[rule]\nid = 3");
    assert_eq!(report.problems[0].line, 3, "{:?}", report.problems);
}

#[test]
fn a_case_that_fails_is_a_problem_at_its_step() {
    let (_, text) = builtin().into_iter().find(|(n, _)| *n == "supply").unwrap();
    let wrong =
        text.replace("\"10:00 water_temperature 45\", \"10:00 expect none\"", "\"10:00 water_temperature 45\",\n\"10:00 expect opened 2\"");
    let report = check(&wrong);
    assert_eq!((report.cases_failed, report.problems.len()), (1, 1));
    let line = wrong.lines().position(|l| l.starts_with("\"10:00 expect opened 2\"")).unwrap() + 1;
    assert_eq!(report.problems[0].line, line);
    assert!(report.problems[0].message.contains("it is \"none\""));
}

#[test]
fn a_rule_in_two_packs_is_refused() {
    let (_, text) = builtin()[0];
    let e = compile(&[text, text]).unwrap_err();
    assert!(e.contains("another pack"), "{e}");
}

#[test]
fn every_hazard_is_covered_in_both_languages() {
    let catalogue = Catalogue::builtin();
    let have: BTreeSet<&str> = catalogue.iter().map(|e| e.hazard.as_str()).collect();
    for hazard in [
        "fire.smoke",
        "gas.leak",
        "co.high",
        "panic.button",
        "door.held_open",
        "door.after_hours",
        "window.open_upper",
        "stranger.after_hours",
        "left.behind",
        "water.hot",
        "water.leak",
        "air.co2",
        "air.pm25",
        "air.pm10",
        "air.hcho",
        "air.tvoc",
        "climate.temp",
        "climate.rh",
        "noise.high",
        "power.after_close",
        "exit.blocked",
        "power.lost",
        "detector.untested",
        "concern.report",
        "sensor.silent",
        "env.anomaly",
        "room.unattended",
        "ratio.low",
        "nap.prone",
        "child.fall",
        "child.climb",
        "zone.intrusion",
        "ebike.in_escape",
        "crowding",
        "camera.blind",
        "exit.child_unattended",
    ] {
        assert!(have.contains(hazard), "{hazard}");
    }
    for e in catalogue.iter() {
        assert!(!e.verified, "{}: nobody has compared it with the printed standard yet", e.rule);
        assert!(e.title.zh.chars().any(|c| c > '\u{4e00}') && e.advice.zh.chars().any(|c| c > '\u{4e00}'), "{}", e.rule);
        assert!(!e.citation().is_empty() && !e.duty.is_empty());
    }
    assert_eq!(u8::from(catalogue.of_hazard(&"fire.smoke".parse().unwrap()).unwrap().severity), 1);
}

#[test]
fn the_hash_depends_on_site_and_packs_and_not_on_their_order() {
    let a = configuration(site());
    let reversed = Configuration::new(a.log.clone(), site(), a.rules.iter().rev().cloned().collect());
    assert_eq!((a.hash, &a.rules), (reversed.hash, &reversed.rules));
    let mut other = site();
    other.staff_hours.to += 1;
    assert_ne!(a.hash, configuration(other).hash);
    let mut packs = a.rules.clone();
    packs[0].push('\n');
    assert_ne!(a.hash, Configuration::new(a.log.clone(), site(), packs).hash);
}

#[test]
fn a_pack_that_does_not_compile_changes_nothing() {
    let mut g = Gateway::new(site());
    let before = g.state.encode();
    let mut c = configuration(site());
    c.rules.push(BAD.to_owned());
    g.at("00:00", Body::Configure(Box::new(c)));
    assert!(matches!(g.last.verdicts[0], Verdict::Refused(_)));
    assert_eq!(g.state.encode(), before);
}

#[test]
fn a_new_configuration_keeps_what_still_stands() {
    let mut g = Gateway::new(site());
    // The door is told first: after the smoke it would be part of the fire.
    g.says("09:00", "door", Quantity::Open, 1.0).until("09:30");
    g.says("10:00", "smoke", Quantity::Smoke, 1.0).until("10:01");
    assert!(g.open("fire.smoke").is_some() && g.open("door.held_open").is_some());
    let mut other = site();
    other.devices.retain(|d| d.id.as_str() != "door");
    other.zones.reverse();
    g.at("10:02", Body::Configure(Box::new(configuration(other))));
    assert_eq!(g.transitions(), [tuoan_protocol::Transition::Returned], "the door is no more, the smoke is: {:?}", g.log);
    assert!(g.state.view(g.state.now()).incidents.iter().any(|i| i.hazard.as_str() == "fire.smoke" && i.state.active));
    g.says("10:03", "smoke", Quantity::Smoke, 0.0).until("10:05");
    assert_eq!(g.of("fire.smoke").last().unwrap(), "10:04:00 returned 1");
}

#[test]
fn events_derive_from_the_log_alone() {
    let run = || {
        let mut s = State::new();
        let at = crate::engine::testing::t("10:00");
        let inputs = [
            crate::engine::Input { at, body: Body::Configure(Box::new(configuration(site()))) },
            crate::engine::Input { at, body: Body::Message(crate::engine::testing::reading("smoke", Quantity::Smoke, 1.0)) },
        ];
        step(&mut s, &inputs, at).events
    };
    assert_eq!(run(), run());
}
