//! Hazards that take several sensors, a person or a day to see.
use crate::engine::input::{Action, Check, Symptom};
use crate::engine::site::{Placement, Role, Site};
use crate::engine::testing::{Gateway, site, t};
use crate::engine::{State, Verdict};
use tuoan_protocol::{Basis, Fixed, Quantity};

fn with(devices: &[(&str, &str, Role)]) -> Site {
    let mut s = site();
    for (id, zone, role) in devices {
        let (id, zone) = (id.parse().unwrap(), zone.parse().unwrap());
        s.devices.push(Placement {
            id,
            zone,
            name: None,
            role: *role,
            period_s: None,
            via: None,
            topic: None,
            channel: None,
            formerly: vec![],
        });
    }
    s
}
fn not_watched(g: &Gateway) -> bool {
    g.state.view(g.state.now()).zones.iter().find(|z| z.id.as_str() == "exit").unwrap().not_watched
}

#[test]
fn an_exit_is_watched_only_by_a_live_sensor_that_can_see_adults() {
    let mut s = with(&[("camera", "exit", Role::Camera)]);
    s.devices.last_mut().unwrap().period_s = Some(60);
    let mut g = Gateway::new(s);
    g.says("09:00", "door", Quantity::Open, 0.0).says("09:01", "door", Quantity::Open, 1.0).says("09:02", "door", Quantity::Open, 0.0);
    assert!(g.of("exit.child_unattended").is_empty() && not_watched(&g), "only logged");
    g.says("09:10", "camera", Quantity::Adults, 0.0).says("09:10", "door", Quantity::Open, 1.0).until("09:10:05");
    assert_eq!(g.of("exit.child_unattended"), ["09:10:05 opened 1"]);
    assert!(!not_watched(&g));
    assert_eq!(g.last.events[0].basis, Basis::Inferred);
    assert!(g.last.commands.is_empty(), "what is inferred sounds no siren");
    let incident = g.open("exit.child_unattended").unwrap();
    g.act("09:11", Action::CancelPanic { incident, reason: "老师出门取快递".into() });
    g.says("09:11", "door", Quantity::Open, 0.0).until("09:20");
    assert!(not_watched(&g), "the camera is silent");
    g.says("09:21", "door", Quantity::Open, 1.0).until("09:22");
    assert_eq!(g.of("exit.child_unattended").iter().filter(|l| l.starts_with("09:21") && l.contains("opened")).count(), 0, "{:?}", g.log);
}

#[test]
fn a_restart_between_the_opening_and_the_five_seconds_loses_nothing() {
    let mut g = Gateway::new(with(&[("camera", "exit", Role::Camera)]));
    g.says("09:00", "camera", Quantity::Adults, 0.0).says("09:00", "door", Quantity::Open, 0.0);
    g.says("09:10", "door", Quantity::Open, 1.0).says("09:10:02", "door", Quantity::Open, 0.0);
    g.state = State::decode(&g.state.encode()).unwrap();
    g.until("09:10:05");
    assert_eq!(g.of("exit.child_unattended"), ["09:10:05 opened 1"]);
}

#[test]
fn the_flood_at_collection_raises_nothing() {
    let mut g = Gateway::new(with(&[("camera", "exit", Role::Camera)]));
    g.says("16:00", "door", Quantity::Open, 0.0);
    for n in 0..180 {
        let time = |s: i64| format!("16:{:02}:{:02}", 30 + n / 6 % 30, n % 6 * 10 + s);
        g.says(&time(0), "camera", Quantity::Adults, f64::from(1 + (n % 4) as i32));
        g.says(&time(1), "door", Quantity::Open, 1.0).says(&time(8), "door", Quantity::Open, 0.0);
    }
    assert!(g.log.is_empty(), "{:?}", g.log);
}

#[test]
fn another_sign_of_fire_confirms_and_is_never_waited_for() {
    let mut g = Gateway::new(with(&[("co", "room", Role::Co)]));
    for (i, celsius) in [22.0, 25.0, 28.0, 31.0].into_iter().enumerate() {
        g.says(&format!("10:0{i}"), "air", Quantity::Temperature, celsius);
    }
    assert_eq!((g.of("fire.smoke"), g.last.events[0].basis), (vec!["10:03:00 opened 2".to_owned()], Basis::Inferred));
    g.says("10:03:20", "co", Quantity::Co, 8.0);
    assert!(g.last.events.is_empty());
    g.says("10:03:30", "co", Quantity::Co, 15.0);
    assert_eq!(g.of("fire.smoke")[1..], ["10:03:30 raised 2"]);
    assert_eq!(g.last.events[0].basis, Basis::Confirmed);
    g.says("10:03:40", "co", Quantity::Co, 1.0);
    assert!(g.last.events.is_empty(), "what was confirmed stays so");
    let mut g = Gateway::new(with(&[]));
    g.says("10:00", "smoke", Quantity::Smoke, 1.0);
    assert_eq!((g.of("fire.smoke"), g.last.events[0].basis), (vec!["10:00:00 opened 1".to_owned()], Basis::Confirmed), "at once, alone");
}

#[test]
fn severity_rises_and_falls_within_one_incident() {
    let mut g = Gateway::new(site());
    let mut say = |from: &str, to: &str, ppm: f64| {
        let (mut at, end) = (t(from), t(to));
        while at < end {
            let m = crate::engine::testing::reading("air", Quantity::Co2, ppm);
            g.run(&[crate::engine::Input { at, body: crate::engine::Body::Message(m) }], at);
            at += 60_000;
        }
    };
    say("08:00", "09:30", 1500.0);
    say("09:30", "10:00", 2500.0);
    say("10:00", "10:30", 1500.0);
    say("10:30", "12:00", 500.0);
    let seen: Vec<String> = g.of("air.co2").iter().map(|l| l.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(seen, ["opened 3", "raised 2", "lowered 3", "returned 3"], "{:?}", g.of("air.co2"));
    assert_eq!(g.state.view(g.state.now()).incidents.iter().filter(|i| i.hazard.as_str() == "air.co2").count(), 1);
}

fn check(tenths: i64, child: Option<&str>, symptoms: &[Symptom]) -> Action {
    let temperature = (tenths > 0).then_some(Fixed(tenths * 10));
    Action::MorningCheck(Check {
        class: "toddlers".into(),
        temperature,
        symptoms: symptoms.to_vec(),
        child: child.map(str::to_owned),
        recheck: false,
    })
}

#[test]
fn a_fever_by_hand_carries_no_child_out_of_the_house() {
    let mut g = Gateway::new(site());
    g.act("07:40", check(381, Some("secret7"), &[Symptom::Cough]));
    assert_eq!(g.of("health.fever"), ["07:40:00 opened 3"]);
    let e = g.last.events[0].clone();
    assert_eq!((e.place.zone.as_str(), e.actor.as_deref(), e.note.as_deref()), ("room", Some("王园长"), Some("38.1 °C")));
    assert!(!format!("{e:?}").contains("secret7"));
    g.act("07:41", check(385, Some("other"), &[]));
    assert_eq!(g.of("health.fever")[1..], ["07:41:00 reactivated 3"], "a second child is news of its own");
    g.act("07:50", check(366, Some("secret7"), &[])).act("07:51", check(367, Some("other"), &[]));
    assert_eq!(g.of("health.fever").last().unwrap(), "07:51:00 returned 3");
    assert!(g.last.events.iter().all(|e| !format!("{e:?}").contains("secret7")));
}

#[test]
fn a_bad_entry_is_refused_with_its_reason() {
    let mut g = Gateway::new(site());
    let before = g.state.encode();
    for (action, part) in [
        (check(250, None, &[]), "between 30 and 45"),
        (check(366, Some("王小明"), &[]), "never a name"),
        (check(366, Some("a-code-that-is-long"), &[]), "12"),
        (Action::MorningCheck(Check { class: "ghosts".into(), ..Check::default() }), "no such class"),
    ] {
        g.act("07:40", action);
        assert!(matches!(g.last.verdicts[0], Verdict::Refused(r) if r.contains(part)), "{part}: {:?}", g.last.verdicts);
    }
    g.until("07:40");
    assert_eq!(g.state.position(), 2, "the configuration and the clock");
    drop(before);
}

#[test]
fn three_alike_are_a_cluster_across_a_restart() {
    let mut g = Gateway::new(site());
    g.act("07:40", check(0, Some("a1"), &[Symptom::Vomiting])).act("07:41", check(0, Some("a2"), &[Symptom::Vomiting]));
    g.state = State::decode(&g.state.encode()).unwrap();
    g.act("07:42", check(0, None, &[Symptom::Vomiting]));
    assert_eq!(g.of("health.cluster"), ["07:42:00 opened 2"]);
    g.until("31:39");
    assert!(!g.of("health.cluster").iter().any(|l| l.contains("returned")));
    g.until("31:40");
    assert_eq!(g.of("health.cluster").last().unwrap(), "07:40:00 returned 2", "a day after the first");
}

#[test]
fn the_estimate_may_raise_left_behind_and_never_clears_it() {
    let mut g = Gateway::new(with(&[("estimate", "nap", Role::Estimate)]));
    for minute in 0..70 {
        g.says(&format!("{}:{:02}", 19 + (40 + minute) / 60, (40 + minute) % 60), "estimate", Quantity::OccupancyLikelihood, 98.0);
    }
    assert_eq!(g.of("left.behind"), ["20:05:00 opened 1"]);
    assert!(g.last.commands.is_empty());
    g.says("21:00", "estimate", Quantity::OccupancyLikelihood, 1.0).until("23:00");
    assert!(g.open("left.behind").is_some_and(|_| !g.of("left.behind").iter().any(|l| l.contains("returned"))));
}

#[test]
fn a_gas_meter_that_only_counts_shows_its_flow() {
    let mut g = Gateway::new(with(&[("meter", "kitchen", Role::Meter)]));
    for (time, m3) in [("10:00", 5.0), ("10:01", 5.01), ("10:02", 5.02)] {
        g.says(time, "meter", Quantity::GasVolume, m3);
    }
    let v = g.state.view(t("10:02"));
    let sensors = &v.zones.iter().find(|z| z.id.as_str() == "kitchen").unwrap().sensors;
    assert_eq!(sensors.iter().find(|s| s.quantity == Quantity::GasFlow).unwrap().value, Quantity::GasFlow.fixed(0.6).unwrap());
}

/// For evidence: codes of children are only ever compared, so that others in their place change nothing, and the old ones are nowhere.
#[test]
fn codes_of_children_can_be_exchanged_without_a_trace() {
    let holds = |g: &Gateway, code: &str| g.state.encode().windows(code.len()).any(|w| w == code.as_bytes());
    let mut g = Gateway::new(site());
    g.act("07:40", check(385, Some("kid17"), &[Symptom::Fever]));
    assert!(holds(&g, "kid17"));
    let mut other = Gateway::new(site());
    other.state = g.state.clone();
    other.state.rename_children(&|code| format!("x{}", code.len()));
    assert!(!holds(&other, "kid17") && holds(&other, "x5"));
    for (time, tenths, fever) in [("07:50", 386, true), ("08:10", 366, false)] {
        let symptoms: &[Symptom] = if fever { &[Symptom::Fever] } else { &[] };
        g.act(time, check(tenths, Some("kid17"), symptoms));
        other.act(time, check(tenths, Some("x5"), symptoms));
        assert_eq!(g.last.events, other.last.events);
    }
}
