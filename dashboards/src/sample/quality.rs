//! Quality of the alarms.
use super::*;
use crate::lang::Text;
use crate::view::quality;
use tuoan_protocol::{Fixed, Quantity, Severity};

fn quality_figures(alarms: u64, floods: u64, late: u64) -> quality::Figures {
    quality::Figures {
        alarms,
        per_day: alarms as f64 / 6.6,
        per_hour: alarms as f64 / 158.0,
        by_severity: [2, 9, alarms.saturating_sub(26), 15],
        peak: 12,
        floods,
        flood_share: 0.0021,
        chattering: 1,
        stale: 1,
        incidents: 61,
        judged: 9,
        wrong: 4,
        late,
        asked: 52,
    }
}

/// A week with all that can go wrong.
pub fn quality() -> quality::Quality {
    use quality::{Actor, Advice, Step, Trial};
    let day = |n: i64, alarms, urgent| quality::Day { date: format!("2026-11-{}", 18 + n), alarms, urgent };
    let actor = |rule: &str, hazard: &str, severity, place: &str, device: &str, alarms: u64, advice, trial| Actor {
        rule: rule.into(),
        known: true,
        hazard: hazard.into(),
        title: Text::default(),
        severity,
        place: place.into(),
        device: Some(device.into()),
        alarms,
        share: alarms as f64 / 86.0,
        chatter: 0,
        held_back: 0,
        stale: 0,
        judged: 0,
        wrong: 0,
        advice,
        trial,
    };
    let co2 = Step::Bound { name: "above", quantity: Quantity::Co2, from: Fixed(1000), to: Fixed(1050) };
    let actors = vec![
        Actor {
            chatter: 3,
            held_back: 21,
            ..actor(
                "door.held_open",
                "door.held_open",
                Severity::General,
                "大门",
                "大门门磁",
                32,
                Advice::Adjust(vec![Step::Hold { from: 60_000, to: 120_000 }]),
                Trial::Done { before: 32.0, after: 9.4, days: 26.5, short: false },
            )
        },
        Actor {
            judged: 4,
            wrong: 3,
            ..actor(
                "air.co2.mean",
                "air.co2",
                Severity::General,
                "托小班2",
                "climate-2",
                18,
                Advice::Adjust(vec![co2]),
                Trial::Done { before: 21.0, after: 13.2, days: 5.5, short: true },
            )
        },
        Actor {
            judged: 1,
            wrong: 1,
            ..actor("fire.smoke.alarm", "fire.smoke", Severity::Emergency, "厨房", "烟感-厨房", 4, Advice::Sensor("place"), Trial::None)
        },
        Actor {
            stale: 1,
            ..actor("sensor.silent", "sensor.silent", Severity::Advisory, "午睡室", "climate-nap", 3, Advice::Sensor("link"), Trial::None)
        },
        actor(
            "noise.high",
            "noise.high",
            Severity::Advisory,
            "托大班1",
            "noise-7",
            3,
            Advice::Adjust(vec![Step::Hold { from: 0, to: 30_000 }]),
            Trial::Pending,
        ),
    ];
    let span = |target, answered, median, p90, within, judged| quality::Span {
        target,
        answered,
        median: Some(median),
        p90: Some(p90),
        within,
        judged,
    };
    let times = vec![
        quality::Times {
            severity: Severity::Emergency,
            acknowledge: span(Some(60_000), 2, 38_000, 95_000, 1, 2),
            handle: span(Some(600_000), 2, 245_000, 412_000, 2, 2),
        },
        quality::Times {
            severity: Severity::Serious,
            acknowledge: span(Some(300_000), 8, 122_000, 540_000, 7, 9),
            handle: span(Some(3_600_000), 9, 1_320_000, 2_940_000, 9, 9),
        },
        quality::Times {
            severity: Severity::Advisory,
            acknowledge: quality::Span::default(),
            handle: quality::Span { answered: 12, median: Some(4_500_000), p90: Some(27_000_000), ..quality::Span::default() },
        },
    ];
    let late = |id: &str, severity, place: &str, hazard: &str, handling, done, took, target| quality::Late {
        incident: id.into(),
        hazard: hazard.into(),
        title: Text::default(),
        place: place.into(),
        severity,
        opened_at: NOW - 200_000_000,
        handling,
        took,
        target,
        done,
    };
    let share = |hazard: &str, incidents, judged, wrong| quality::RuleShare {
        hazard: hazard.into(),
        title: Text::default(),
        incidents,
        judged,
        wrong,
    };
    quality::Quality {
        from: NOW - 571_000_000,
        to: NOW,
        recorded_from: None,
        figures: quality_figures(86, 1, 3),
        previous: Some(quality_figures(112, 0, 3)),
        actors_share: actors.iter().map(|a| a.share).sum(),
        actors,
        days: vec![day(0, 9, 1), day(1, 12, 2), day(2, 27, 4), day(3, 3, 0), day(4, 2, 0), day(5, 21, 3), day(6, 12, 1)],
        hours: [0, 0, 0, 0, 0, 1, 2, 9, 14, 6, 5, 8, 4, 3, 5, 7, 11, 8, 2, 1, 0, 0, 0, 0],
        floods: vec![quality::Flood { from: NOW - 200_000_000, to: NOW - 198_900_000, alarms: 14, peak: 12 }],
        stale: vec![quality::Stale {
            incident: "01KAPT0000000000000000002".into(),
            hazard: "sensor.silent".into(),
            title: Text::default(),
            place: "午睡室".into(),
            since: NOW - 190_000_000,
            until: None,
        }],
        rules: vec![
            share("air.co2", 12, 4, 3),
            share("fire.smoke", 2, 1, 1),
            share("door.held_open", 30, 4, 0),
            share("sensor.silent", 3, 0, 0),
        ],
        times,
        late: vec![
            late("01KAPT0000000000000000003", Severity::Emergency, "厨房", "fire.smoke", false, true, 95_000, 60_000),
            late("01KAPT0000000000000000004", Severity::Serious, "大门", "exit.child_unattended", false, true, 540_000, 300_000),
            late("01KAPT0000000000000000005", Severity::Serious, "午睡室", "nap.prone", false, false, 2_400_000, 300_000),
        ],
        apart: quality::Apart {
            drills: 1,
            canaries: 7,
            shelved: 2,
            unannounced: 3,
            held_back: 21,
            gathered: 4,
            merged: 1,
            ..Default::default()
        },
        trying: false,
        incomplete: false,
        clock_doubt: 0,
    }
}

pub fn quality_page() -> quality::QualityPage {
    quality::QualityPage { quality: quality(), days: 7, choices: [7, 28], week: "2026-W47".into() }
}

pub fn quality_report() -> quality::ReportPage {
    quality::ReportPage {
        quality: quality(),
        site: "杏园托育".into(),
        week: "2026-W47".into(),
        first: "2026-11-16".into(),
        last: "2026-11-22".into(),
        before: "2026-W46".into(),
        after: None,
    }
}
