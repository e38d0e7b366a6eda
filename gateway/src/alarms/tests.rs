//! Figures of hand-made sequences, suggestions with a trial that is handed in, and a site's history of three days through the store.
use super::figures::*;
use super::period::{DAY_MS, HOUR_MS};
use super::suggest::{Advice, Care, Effect, Step, Suggestion, Trial, Why, suggest, untried};
use super::times::Targets;
use super::*;
use crate::clock::Clock;
use crate::engine::rules::{Override, builtin, compile};
use crate::engine::site::Site;
use crate::engine::{Body, Configuration, Input, Item, Message, State, step};
use crate::metrics::Metrics;
use crate::replay::Source as Log;
use crate::replay::backtest::Pace;
use crate::store::{Batch, Deps, Entry, Options, Reader, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tuoan_protocol::{
    Basis, CauseCode, DeviceId, Exercise, Fixed, IncidentEvent, IncidentState, Inhibition, InstitutionType, Place, Quantity, RuleId,
    Severity, SupervisingBody, Transition, Transition as T,
};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
/// 2026-11-16 00:00 in China, a Monday.
const MONDAY: i64 = 1_794_758_400_000;

fn week() -> Period {
    "2026-W47".parse::<Week>().unwrap().period(480)
}

/// One event of incident number `n` at that moment of the week.
fn event(n: u32, at: i64, transition: Transition) -> IncidentEvent {
    let active = !matches!(transition, T::Returned | T::Closed);
    IncidentEvent {
        site: "xingyuan".parse().unwrap(),
        institution: InstitutionType::Community,
        supervisor: SupervisingBody::Health,
        log: "01DEM00000000000000000000A".parse().unwrap(),
        sequence: 1,
        position: 1,
        id: "01JZ0000000000000000000000".parse().unwrap(),
        incident: format!("01JZ00000000000000{n:08}").parse().unwrap(),
        at: MONDAY + at,
        clock_trusted: true,
        transition,
        state: IncidentState { active, acknowledged: false, closed: transition == T::Closed, inhibited: None },
        hazard: "air.co2".parse().unwrap(),
        place: Place { zone: "toddler-2".parse().unwrap(), device: None },
        severity: Severity::Serious,
        basis: Basis::Confirmed,
        rule: "air.co2.mean".parse().unwrap(),
        trigger: None,
        activations: 1,
        found_on_connect: false,
        actor: None,
        note: None,
        engine: "test".try_into().unwrap(),
        rules: [0; 32],
        overridden_by: None,
        via: None,
        cause: None,
        until: None,
        assignee: None,
        other: None,
        rung: None,
        exercise: None,
    }
}
fn judged(n: u32, at: i64, cause: CauseCode) -> IncidentEvent {
    IncidentEvent { cause: Some(cause), ..event(n, at, T::Resolved) }
}
fn of(events: &[IncidentEvent]) -> Figures {
    figures(events, week(), 0, &Targets::default())
}

#[test]
fn what_calls_people_anew_is_an_alarm_and_the_rest_stands_apart() {
    let mut raised = event(1, 3 * MINUTE, T::Raised);
    raised.severity = Severity::Emergency;
    let inhibited = |n, at, t| {
        let mut e = event(n, at, t);
        e.state.inhibited = Some(Inhibition::Shelved);
        e
    };
    let exercise = |n, at, kind| IncidentEvent { exercise: Some(kind), ..event(n, at, T::Opened) };
    let mut part = event(4, HOUR_MS, T::Merged);
    part.state.closed = true;
    let f = of(&[
        event(1, 0, T::Opened),
        event(1, MINUTE, T::Acknowledged),
        event(1, 2 * MINUTE, T::Returned),
        raised,
        event(1, 4 * MINUTE, T::Gathered),
        inhibited(1, 5 * MINUTE, T::Shelved),
        inhibited(2, 6 * MINUTE, T::Opened),
        event(2, 7 * MINUTE, T::Released),
        exercise(3, 8 * MINUTE, Exercise::Drill),
        exercise(5, 9 * MINUTE, Exercise::Canary),
        event(4, 50 * MINUTE, T::Opened),
        part,
        event(1, HOUR_MS, T::Merged),
        event(6, week().ms(), T::Opened),
        event(7, -1, T::Opened),
    ]);
    assert_eq!((f.alarms, f.by_severity, f.hours[0]), (3, [1, 2, 0, 0], 3), "neither before nor after the week");
    let expected = Apart { drills: 1, canaries: 1, shelved: 1, unannounced: 1, gathered: 1, merged: 1, ..Apart::default() };
    assert_eq!(f.apart, expected);
    assert_eq!(f.verdicts.incidents, 3);
    assert_eq!(f.per_day, 3.0 / 7.0);
    assert_eq!(
        figures(&[event(1, 6 * DAY_MS, T::Opened)], week(), MONDAY + 6 * DAY_MS, &Targets::default()).per_day,
        1.0,
        "of the recorded day"
    );
}

#[test]
fn a_flood_is_more_than_ten_in_ten_minutes() {
    let of_many = |n: u32| of(&(0..n).map(|n| event(n, i64::from(n) * 50 * SECOND, T::Opened)).collect::<Vec<_>>());
    assert_eq!((of_many(10).floods.len(), of_many(10).peak), (0, 10));
    assert_eq!((of_many(11).floods.len(), of_many(11).peak), (1, 11));
}

#[test]
fn chatter_is_counted_in_spells_and_what_it_held_back_apart() {
    let again = |at, t, activations| IncidentEvent { activations, ..event(1, at, t) };
    let f = of(&[
        event(1, 0, T::Opened),
        again(6 * MINUTE, T::Reactivated, 2),
        again(12 * MINUTE, T::Reactivated, 3),
        again(18 * MINUTE, T::Reactivated, 4),
        again(24 * MINUTE, T::Chattering, 5),
        // Twenty more, told when it was quiet.
        again(60 * MINUTE, T::Returned, 25),
    ]);
    assert_eq!((f.alarms, f.chattering, f.apart.held_back), (5, 1, 20));
    assert_eq!((f.actors[0].chatter, f.actors[0].held_back, f.actors[0].alarms), (1, 20, 5));
    // Found at its opening: one alarm, not two.
    let f = of(&[event(1, 0, T::Opened), event(1, 0, T::Chattering)]);
    assert_eq!((f.alarms, f.chattering), (1, 1));
    // Three within a minute, by single incidents; two are none; and after a quiet it is another spell.
    let burst =
        |at: i64, n: u32| (0..n).map(move |i| event(10 * n + i + (at / MINUTE) as u32 * 100, at + i64::from(i) * 29 * SECOND, T::Opened));
    assert_eq!(of(&burst(0, 2).collect::<Vec<_>>()).chattering, 0);
    let f = of(&burst(0, 3).chain(burst(30 * MINUTE, 3)).collect::<Vec<_>>());
    assert_eq!((f.chattering, f.actors[0].chatter), (1, 2));
    let apart: Vec<_> = (0..3).map(|n| event(n, i64::from(n) * 30 * SECOND, T::Opened)).collect();
    assert_eq!(of(&apart).chattering, 0, "the third comes when the first is a minute old");
}

#[test]
fn stale_is_longer_than_a_day_without_a_break() {
    let lasting = |ms| of(&[event(1, 0, T::Opened), event(1, ms, T::Returned)]).stale;
    assert_eq!(lasting(DAY_MS), []);
    let [one] = &lasting(DAY_MS + 1)[..] else { panic!() };
    assert_eq!((one.since, one.until), (MONDAY, Some(MONDAY + DAY_MS + 1)));
    // Since the week before, and still active.
    let f = of(&[event(1, -3 * DAY_MS, T::Opened)]);
    assert_eq!((f.stale.len(), f.stale[0].until, f.alarms), (1, None, 0));
    // A break in between.
    let broken = [
        event(1, 0, T::Opened),
        event(1, 20 * HOUR_MS, T::Returned),
        event(1, 21 * HOUR_MS, T::Reactivated),
        event(1, 40 * HOUR_MS, T::Returned),
    ];
    assert_eq!(of(&broken).stale, []);
    // Over before the week began.
    assert_eq!(of(&[event(1, -3 * DAY_MS, T::Opened), event(1, -1, T::Returned)]).stale, []);
}

#[test]
fn answers_are_measured_from_the_opening_to_the_first_of_them() {
    let f = of(&[
        event(1, 0, T::Opened),
        event(1, 2 * MINUTE, T::Assigned),
        event(1, 3 * MINUTE, T::Acknowledged),
        event(1, 30 * MINUTE, T::Returned),
        // Nobody, for longer than the target of five minutes; and over sooner than that.
        event(2, 0, T::Opened),
        event(2, 6 * MINUTE, T::Returned),
        event(3, 0, T::Opened),
        event(3, 4 * MINUTE, T::Returned),
        // Said to be handled after 50 minutes, and it was not: for good after 70, where 60 is the target.
        event(4, 0, T::Opened),
        judged(4, 50 * MINUTE, CauseCode::False),
        event(4, 55 * MINUTE, T::Reopened),
        judged(4, 70 * MINUTE, CauseCode::Real),
    ]);
    let note = &f.acknowledge[1];
    assert_eq!((note.answered, note.median, note.p90, note.within, note.judged), (2, Some(2 * MINUTE), Some(50 * MINUTE), 1, 3));
    let handle = &f.handle[1];
    assert_eq!((handle.answered, handle.within, handle.judged, handle.p90), (4, 3, 4, Some(70 * MINUTE)));
    let late: Vec<_> = f.late.iter().map(|l| (l.duty, l.took, l.done)).collect();
    assert_eq!(late, [(Duty::Handle, 70 * MINUTE, true), (Duty::Acknowledge, 50 * MINUTE, true), (Duty::Acknowledge, 6 * MINUTE, false)]);
    assert_eq!((f.verdicts.judged(), f.verdicts.real, f.verdicts.wrong), (1, 1, 0), "taken back with the reopening");
    // A part of another is answered there; what was shelved unseen is asked of nobody.
    let mut part = event(1, MINUTE, T::Merged);
    part.state.closed = true;
    let mut unseen = event(2, 0, T::Opened);
    unseen.state.inhibited = Some(Inhibition::Suppressed);
    let f = of(&[event(1, 0, T::Opened), part, unseen]);
    assert!(f.late.is_empty() && f.acknowledge[1].judged == 0 && f.handle[1].judged == 0, "{f:?}");
}

#[test]
fn the_false_share_is_of_what_was_judged() {
    let mut events: Vec<_> = (0..5).map(|n| event(n, i64::from(n) * HOUR_MS, T::Opened)).collect();
    events.extend([
        judged(0, 6 * HOUR_MS, CauseCode::False),
        judged(1, 6 * HOUR_MS, CauseCode::Real),
        judged(2, 6 * HOUR_MS, CauseCode::Test),
    ]);
    let f = of(&events);
    assert_eq!((f.verdicts.judged(), f.verdicts.unjudged(), f.verdicts.false_share()), (3, 2, Some(1.0 / 3.0)));
    assert_eq!(f.rules[&"air.co2.mean".parse::<RuleId>().unwrap()], f.verdicts);
    assert_eq!(of(&events[..5]).verdicts.false_share(), None);
}

fn any_event() -> impl Strategy<Value = IncidentEvent> {
    let kinds = prop::sample::select(vec![
        T::Opened,
        T::Opened,
        T::Raised,
        T::Lowered,
        T::Reactivated,
        T::Returned,
        T::Acknowledged,
        T::Closed,
        T::Chattering,
        T::Resolved,
        T::Reopened,
        T::Merged,
        T::Shelved,
    ]);
    (0u32..12, -2 * DAY_MS..9 * DAY_MS, kinds, 1u8..=4, 0u32..9, any::<(bool, bool, bool)>()).prop_map(
        |(n, at, transition, severity, activations, (inhibited, closed, drill))| {
            let mut e = event(n, at, transition);
            e.severity = Severity::try_from(severity).unwrap();
            e.activations = activations;
            e.state.closed |= closed && transition == T::Merged;
            e.state.inhibited = (inhibited && n % 3 == 0).then_some(Inhibition::Shelved);
            e.exercise = (drill && n == 1).then_some(Exercise::Drill);
            e.cause = (transition == T::Resolved).then_some(if n % 2 == 0 { CauseCode::False } else { CauseCode::Real });
            e.rule = format!("rule.{}", n % 4).parse().unwrap();
            e
        },
    )
}

proptest! {
    /// Whatever comes, in whatever order: the parts of each figure add up to it.
    #[test]
    fn all_counts_are_consistent(events in prop::collection::vec(any_event(), 0..200)) {
        let f = of(&events);
        prop_assert_eq!(f.days.iter().map(Day::alarms).sum::<u64>(), f.alarms);
        prop_assert_eq!(f.days.len(), 7);
        prop_assert_eq!(f.hours.iter().sum::<u64>(), f.alarms);
        prop_assert_eq!(f.by_severity.iter().sum::<u64>(), f.alarms);
        prop_assert!(f.actors.iter().map(|a| a.alarms).sum::<u64>() <= f.alarms && f.actors_share <= 1.0 + 1e-9);
        prop_assert_eq!(f.rules.values().map(|v| v.incidents).sum::<u64>(), f.verdicts.incidents);
        prop_assert_eq!(f.rules.values().map(Verdicts::judged).sum::<u64>(), f.verdicts.judged());
        prop_assert!(f.verdicts.judged() <= f.verdicts.incidents && f.peak <= f.alarms && f.floods.iter().map(|l| l.alarms).sum::<u64>() <= f.alarms);
        prop_assert!((0.0..=1.0).contains(&f.flood_share));
        for t in f.acknowledge.iter().chain(&f.handle) {
            prop_assert!(t.within <= t.answered && t.within <= t.judged && t.median <= t.p90);
        }
        // Days on their own have the alarms of the week, where time goes forward and no event follows the closing of its incident.
        let mut events: Vec<_> = events.into_iter().filter(|e| !e.state.closed).collect();
        events.sort_by_key(|e| e.at);
        let f = of(&events);
        let day = |n: i64| Period { from: MONDAY + n * DAY_MS, to: MONDAY + (n + 1) * DAY_MS, utc_offset_minutes: 480 };
        let one_by_one: u64 = (0..7).map(|n| figures(&events, day(n), 0, &Targets::default()).alarms).sum();
        prop_assert_eq!(one_by_one, f.alarms);
    }
}

const SITE: &str = r#"
id = "xingyuan"
name = "杏园托育"
district = "上虞区"
street = "百官街道"
institution = "community"
supervisor = "health"
staff_hours = "00:00-24:00"
[[zones]]
id = "toddler-2"
name = "托小班2"
kind = "activity"
[[devices]]
id = "env-2"
zone = "toddler-2"
name = "空气盒子"
role = "climate"
period_s = 60
"#;
const PACK: &str = r#"
name = "test"
version = 1
[[rule]]
id = "air.co2.high"
hazard = "air.co2"
kind = "threshold"
quantity = "co2"
unit = "ppm"
above = 1000
hysteresis = 50
severity = 3
basis = "confirmed"
source = "测试标准"
clause = "第 1 条"
verified = false
duty = ["health"]
title = { zh = "二氧化碳偏高", en = "CO2 high" }
advice = { zh = "请通风。", en = "Air the room." }
[[rule.case]]
name = "high"
zone = "activity"
steps = ["10:00 co2 1100", "10:00 expect opened 3"]
"#;

fn in_force(packs: Vec<String>) -> Configuration {
    let site: Site = toml::from_str(SITE).unwrap();
    Configuration::new("01DEM00000000000000000000A".parse().unwrap(), site, packs)
}
fn built_in() -> Configuration {
    in_force(builtin().into_iter().map(|(_, t)| t.to_owned()).collect())
}
fn today() -> i64 {
    week().day(MONDAY)
}
fn suggested(events: &[IncidentEvent], attempt: suggest::Attempt<'_>) -> Suggestion {
    suggest(&of(events), &compile(&built_in().rules).unwrap(), &[], today(), attempt).remove(0)
}
fn alarms(rule: &str, severity: Severity, cause: Option<CauseCode>) -> Vec<IncidentEvent> {
    let one = |n: u32| {
        let opened = event(n, i64::from(n) * 2 * HOUR_MS, T::Opened);
        let told = cause.map(|c| judged(n, i64::from(n) * 2 * HOUR_MS + MINUTE, c));
        [Some(opened), told].into_iter().flatten()
    };
    (0..6).flat_map(one).map(|e| IncidentEvent { rule: rule.parse().unwrap(), severity, ..e }).collect()
}
fn effect(before: f64, after: f64) -> Effect {
    Effect { before, after, days: 20.0, short: false }
}

#[test]
fn an_emergencys_rule_is_never_proposed_to_be_changed() {
    let c = built_in();
    for (rule, _) in c.rules.iter().flat_map(|text| crate::engine::rules::parse::parse(text).unwrap().rules) {
        for cause in [None, Some(CauseCode::False), Some(CauseCode::Real)] {
            let mut tried: Vec<Override> = Vec::new();
            let events = alarms(rule.id.as_str(), rule.severity, cause);
            let s = suggested(&events, &mut |set| {
                tried.extend(set.clone());
                Ok(set.into_iter().map(|o| (o.rule, effect(10.0, 9.5))).collect())
            });
            assert!(tried.iter().all(|o| o.apply(&rule).is_ok()), "{}: what is tried may be set", rule.id);
            if rule.severity == Severity::Emergency {
                assert!(tried.is_empty() && !matches!(s.advice, Advice::Adjust(_)), "{}", rule.id);
            }
            if cause == Some(CauseCode::Real) {
                assert_eq!((s.advice, s.trial), (Advice::Cause, Trial::None), "{}", rule.id);
            }
        }
    }
}

#[test]
fn the_change_that_helps_most_is_proposed_with_what_it_would_have_done() {
    let events = alarms("air.co2.mean", Severity::General, None);
    let mut round = 0;
    let s = suggested(&events, &mut |set| {
        round += 1;
        let after = [8.0, 6.0, 7.0][round - 1];
        Ok(BTreeMap::from([(set[0].rule.clone(), effect(10.0, after))]))
    });
    assert_eq!((round, &s.trial), (2, &Trial::Done(effect(10.0, 6.0))), "the first spares too little, the second enough");
    assert!(matches!(s.advice, Advice::Adjust(_)));
    // False ones first get another bound: by the width of its hysteresis.
    let wrong = alarms("air.co2.mean", Severity::General, Some(CauseCode::False));
    let s = suggested(&wrong, &mut |set| Ok(BTreeMap::from([(set[0].rule.clone(), effect(10.0, 1.0))])));
    let Advice::Adjust(a) = &s.advice else { panic!("{s:?}") };
    let [Step::Bound { name: "above", quantity: Quantity::Co2, from, to }] = &a.steps[..] else { panic!("{a:?}") };
    assert_eq!((from.0, to.0, a.set.above), (1000, 1050, Some(1050.0)));
    // Nothing that may be set helps: look at the sensor.
    let s = suggested(&events, &mut |set| Ok(BTreeMap::from([(set[0].rule.clone(), effect(10.0, 9.5))])));
    assert_eq!(s, Suggestion { advice: Advice::Sensor(Care::Place), trial: Trial::None });
    // Without a trial the change is still named, and that it is untried is said.
    let s = suggested(&events, &mut |_| Err(Why::TooShort(0.4)));
    assert!(matches!(s.advice, Advice::Adjust(_)) && s.trial == Trial::Not(Why::TooShort(0.4)));
    let pending = untried(&of(&events), &compile(&built_in().rules).unwrap(), &[], today());
    assert_eq!(pending[0].trial, Trial::Pending);
    let few = suggested(&events[..2], &mut |_| Err(Why::OutOfTime));
    assert_eq!(few.advice, Advice::Nothing);
}

/// Four days of a room whose carbon dioxide goes just beyond the limit for a minute every hour, and once for long.
fn history(dir: &Path) -> i64 {
    let clock = Clock::manual(MONDAY);
    let (store, _) = Store::open(dir, Options { reserve_mb: 0, ..Options::default() }, Deps::new(clock, Arc::new(Metrics::new()))).unwrap();
    let device = DeviceId::new("env-2").unwrap();
    let mut inputs = vec![
        Input { at: MONDAY, body: Body::Configure(Box::new(in_force(vec![PACK.to_owned()]))) },
        Input { at: MONDAY, body: Body::Started { down_from: MONDAY } },
        Input { at: MONDAY, body: Body::Clock { offset_ms: 0, trusted: true } },
    ];
    for minute in 0..4 * 24 * 60i64 {
        let high = minute % 60 == 30 || (3000..3040).contains(&minute);
        let items = vec![Item::Reading { quantity: Quantity::Co2, channel: 0, value: Fixed(if high { 1030 } else { 700 }) }];
        let seq = Some(minute.unsigned_abs() + 1);
        let message = Message { device: device.clone(), boot: Some(1), seq, sampled_at: None, retained: false, items };
        inputs.push(Input { at: MONDAY + MINUTE + minute * MINUTE, body: Body::Message(message) });
    }
    let mut state = State::new();
    for batch in inputs.chunks(500) {
        let now = batch.last().unwrap().at;
        let first = state.position();
        let out = step(&mut state, batch, now);
        let entries = (first + 1..).zip(batch).map(|(position, i)| Entry { position, at: i.at, message: true, body: i.body.clone() });
        let batch = Batch { now, entries: entries.collect(), events: out.events, commands: out.commands, ..Batch::default() };
        store.submit(Box::new(batch), Duration::from_secs(60)).map_err(|_| "not taken").unwrap();
    }
    store.close();
    inputs.last().unwrap().at
}

#[test]
fn a_change_is_tried_on_the_sites_own_history() {
    let dir = tempfile::tempdir().unwrap();
    let now = history(dir.path());
    let log = Log::open(dir.path()).unwrap();
    let period = Period::last_days(7, now, 480);
    let of_log = read::of_source(&log, &[period]).unwrap().remove(0);
    let of_reader = read::of_reader(&Reader::open(dir.path()).unwrap(), &[period]).unwrap().remove(0);
    assert_eq!(of_log, of_reader, "only what touches the period, and all of it");
    // One each hour, but for those within the long one.
    assert!((90..=97).contains(&of_log.alarms), "{}", of_log.alarms);
    assert_eq!(of_log.recorded_from, MONDAY);
    assert_eq!(of_log.actors[0].source.device.as_ref().unwrap().as_str(), "env-2");
    let nothing = read::of_reader(&Reader::open(dir.path()).unwrap(), &["2025-W01".parse::<Week>().unwrap().period(480)]).unwrap();
    assert_eq!(nothing[0].alarms, 0);

    let c = log.configuration().unwrap();
    let all = compile(&c.rules).unwrap();
    let s = suggest(&of_log, &all, &[], period.day(now), &mut |set| trial::attempt(&log, &c, set, Pace::Gentle, &mut || true));
    let Trial::Done(e) = &s[0].trial else { panic!("{s:?}") };
    let Advice::Adjust(a) = &s[0].advice else { panic!("{s:?}") };
    // What lasts a minute goes; what lasts forty stays. Nobody has said that they are false: the limit is left alone.
    assert!(matches!(a.steps[..], [Step::Hold { from: 0, to }] if to == 2 * MINUTE), "{a:?}");
    assert!(e.before > 100.0 && e.after < 10.0 && e.short && (3.9..4.1).contains(&e.days), "{e:?} {a:?}");
    let stopped = suggest(&of_log, &all, &[], period.day(now), &mut |set| trial::attempt(&log, &c, set, Pace::Gentle, &mut || false));
    assert_eq!(stopped[0].trial, Trial::Not(Why::OutOfTime));
    // The command: by its own options, on the same store.
    let command = |more: &[&str]| {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: cli::Args,
        }
        let data = dir.path().to_str().unwrap();
        let line = <Line as clap::Parser>::try_parse_from(["stats", "--data", data].iter().chain(more)).map_err(|e| e.to_string())?;
        cli::answer(&line.args).map_err(|e| e.to_string())
    };
    let zh = command(&["--language", "zh", "--budget", "0"]).unwrap();
    assert!(zh.contains("杏园托育 · 报警质量") && zh.contains("先改这几处") && zh.contains("没有在限定时间内完成"), "{zh}");
    assert!(command(&["--language", "en", "--days", "1"]).unwrap().contains("Improve these first"));
    let json: serde_json::Value = serde_json::from_str(&command(&["--json", "--days", "28"]).unwrap()).unwrap();
    assert_eq!((json["alarms"].as_u64(), json["days"].as_array().unwrap().len()), (Some(of_log.alarms), 28));
    assert_eq!(json["bad_actors"][0]["suggestion"]["trial"]["state"], "done");
    for (wrong, says) in [(&["--days", "0"][..], "days"), (&["--language", "fr"], "zh or en"), (&["--config", "/nowhere.toml"], "nowhere")]
    {
        assert!(command(wrong).unwrap_err().contains(says), "{wrong:?}");
    }
    // A page and a command are made of it.
    let names = names::Names::of_site(&c.site, &crate::engine::rules::Catalogue::new(&c.rules));
    let q = present::quality(&of_log, None, &s, &names);
    let ui = tuoan_dashboards::Ui::plain(tuoan_dashboards::Lang::Zh, now);
    let text = cli::text(&ui, &q, &names.site);
    assert!(text.contains("托小班2 · 二氧化碳偏高 (空气盒子)") && text.contains("记录不满一周"), "{text}");
    let json = cli::as_json(&of_log, None, &s, &names);
    assert_eq!(json["alarms"], of_log.alarms);
    assert_eq!(json["bad_actors"][0]["suggestion"]["trial"]["state"], "done");
    assert_eq!(json["bad_actors"][0]["zone_name"], "托小班2");
}
