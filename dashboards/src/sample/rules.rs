//! Rules and their trials.
use super::*;
use crate::lang::Text;
use crate::view::rules;
use tuoan_protocol::{Basis, Fixed, Quantity, Severity};

fn card(id: &str, title: (&str, &str), severity: Severity, says: rules::Says, clause: &str) -> rules::Card {
    rules::Card {
        id: id.into(),
        title: Text::new(title.0, title.1),
        severity,
        basis: Basis::Confirmed,
        says,
        clause: clause.into(),
        verified: false,
        change: None,
    }
}

fn co2() -> rules::Card {
    let says = rules::Says {
        kind: "mean".into(),
        quantity: Some(Quantity::Co2),
        above: Some(Fixed(1000)),
        window: 3_600_000,
        occupied: Some(true),
        ..rules::Says::default()
    };
    card(
        "air.co2.mean",
        ("二氧化碳小时均值超标", "CO₂ above the hourly limit"),
        Severity::General,
        says,
        "GB/T 18883-2022 表1: CO₂ ≤ 0.10 % (1 h)",
    )
}

fn adjusted() -> rules::Card {
    let mut card = co2();
    let before = card.says.clone();
    card.says.above = Some(Fixed(1200));
    card.change = Some(rules::Change {
        state: "in_force",
        off: false,
        before,
        severity_before: Severity::General,
        reason: "新风机检修到 12 月底".into(),
        author: "王园长".into(),
        from: "2026-11-20".into(),
        expires: "2026-12-31".into(),
        by_page: true,
    });
    card
}

/// Rules of several hazards, one adjusted.
pub fn rules_page() -> rules::Rules {
    let smoke = rules::Says { kind: "state".into(), quantity: Some(Quantity::Smoke), is: Some(Fixed(1)), ..rules::Says::default() };
    let high = rules::Says {
        kind: "threshold".into(),
        quantity: Some(Quantity::Co2),
        above: Some(Fixed(2000)),
        hold: 900_000,
        occupied: Some(true),
        ..rules::Says::default()
    };
    let silent = rules::Says { kind: "silence".into(), missed: 3, ..rules::Says::default() };
    let group = |hazard: &str, rules: Vec<rules::Card>| rules::Group { hazard: hazard.into(), rules };
    rules::Rules {
        groups: vec![
            group(
                "fire.smoke",
                vec![card("fire.smoke.alarm", ("烟雾报警", "Smoke alarm"), Severity::Emergency, smoke, "GB 50116-2013 6.2")],
            ),
            group(
                "air.co2",
                vec![
                    card(
                        "air.co2.high",
                        ("二氧化碳严重超标", "CO₂ far too high"),
                        Severity::Serious,
                        high,
                        "GB/T 18883-2022 表1: CO₂; 二倍限值",
                    ),
                    adjusted(),
                ],
            ),
            group(
                "sensor.silent",
                vec![card("sensor.silent.any", ("传感器失联", "Sensor silent"), Severity::Advisory, silent, "GB 51348-2019")],
            ),
        ],
        changed: 1,
        total: 4,
        notice: None,
    }
}

/// A rule that is adjusted, and the form with one field that is wrong.
pub fn rule_page() -> rules::RulePage {
    rules::RulePage {
        card: adjusted(),
        advice: Text::new(
            "请开窗或打开新风通风十分钟以上；午睡时可先开门。",
            "Open the windows or the ventilation for ten minutes or more.",
        ),
        pack: "air".into(),
        form: rules::Form {
            emergency: false,
            enabled: true,
            bounds: vec![rules::Bound {
                name: "above",
                quantity: Some(Quantity::Co2),
                value: "一千二".into(),
                own: "1000".into(),
                error: Some("请填一个数字，例如 1000。".into()),
            }],
            hold: Some(rules::Span { value: "0".into(), unit: "m".into(), own: 0, error: None }),
            severity: 3,
            reason: "新风机检修到 12 月底".into(),
            author: "王园长".into(),
            expires: "2026-12-31".into(),
            error: Some("没有试算：请改好标出的地方。".into()),
            ..rules::Form::default()
        },
        trial: true,
        notice: None,
    }
}

/// A trial that is done.
pub fn trial_page() -> rules::TrialPage {
    let card = co2();
    let after = rules::Says { above: Some(Fixed(1200)), ..card.says.clone() };
    let figures = |incidents, per_week, low, high, hours: i64| rules::Figures {
        incidents,
        activations: incidents + 3,
        per_week,
        low,
        high,
        active_ms: hours * 3_600_000,
    };
    let offender = |place: &str, device: &str, activations, hours: i64| rules::Offender {
        place: place.into(),
        device: Some(device.into()),
        activations,
        active_ms: hours * 3_600_000 + 1_260_000,
    };
    let example = |age: i64, place: &str, value| rules::Example {
        at: NOW - age * 3_600_000,
        place: place.into(),
        device: None,
        reading: Some((Quantity::Co2, Fixed(value))),
    };
    rules::TrialPage {
        card,
        after,
        off: false,
        severity_after: Severity::General,
        reason: "新风机检修到 12 月底".into(),
        author: "王园长".into(),
        expires: "2026-12-31".into(),
        token: "t".into(),
        state: rules::Trial::Done(Box::new(rules::Outcome {
            from: NOW - 1_036_800_000,
            to: NOW,
            days: 5.4,
            doubts: vec![rules::Doubt::Short(5.4), rules::Doubt::Unheard(81)],
            devices: 6,
            before: Some(figures(11, 14.3, 7.1, 25.5, 31)),
            after: Some(figures(3, 3.9, 0.8, 11.4, 6)),
            offenders: vec![
                offender("托小班2", "climate-2", 4, 4),
                offender("午睡室", "climate-nap", 1, 1),
                offender("托大班1", "climate-7", 1, 0),
            ],
            examples: vec![example(97, "托小班2", 1243), example(50, "午睡室", 1310), example(26, "托小班2", 1222)],
        })),
    }
}
