//! Sweep, concern, search, quarantine and the morning's check.
use super::*;
use crate::lang::Text;
use crate::view::gateway::*;
use crate::view::search::{Asked, Found, SearchPage};
use crate::view::tasks::{Export, Report, Room, Sweep};
use tuoan_protocol::Severity;

pub fn sweep() -> Sweep {
    let room = |id: &str, name: &str, kind, swept: Option<i64>, occupied, unseen| Room {
        id: id.into(),
        name: name.into(),
        kind,
        swept: swept.map(|s| NOW - s * 60_000),
        occupied,
        unseen,
    };
    Sweep {
        rooms: vec![
            room("toddler-1", "托小班1", "activity", Some(4), false, false),
            room("toddler-2", "托小班2", "activity", None, true, false),
            room("nap", "睡眠室", "nap", None, false, false),
            room("yard", "户外场地", "yard", None, false, true),
        ],
        notice: None,
    }
}

pub fn report() -> Report {
    let rooms = [("toddler-1", "托小班1"), ("toddler-2", "托小班2"), ("nap", "睡眠室"), ("yard", "户外场地")];
    Report {
        site: "杏园托育".into(),
        rooms: rooms.map(|(id, name)| (id.to_owned(), name.to_owned())).into(),
        error: Some(("room", "请选一个地方。".into())),
        ..Report::default()
    }
}

/// A report of concern, with the recorder still to be seen to.
pub fn concern() -> IncidentPage {
    let mut page = life("fresh");
    page.incident.hazard = "concern.report".into();
    page.incident.severity = Severity::Emergency;
    (page.incident.title, page.incident.trigger, page.series) = (Text::default(), None, Vec::new());
    (page.quiet, page.forms) = (None, Vec::new());
    page.export = Some(Export {
        from: page.incident.opened_at - 1_800_000,
        to: page.incident.opened_at + 1_800_000,
        cameras: vec!["托小班2 东".into(), "走廊".into()],
        people: vec!["周副园长".into(), "王老师".into()],
        done: None,
    });
    page
}

pub(super) fn found(id: &str, place: &str, age_s: i64) -> Found {
    let mut incident = incident(id, "air.co2", place, Severity::General, age_s);
    (incident.state.active, incident.state.closed) = (false, true);
    Found { noted_at: Some(incident.opened_at + 190_000), handled_at: Some(incident.opened_at + 1_500_000), late: age_s > 86_400, incident }
}

pub fn search() -> SearchPage {
    SearchPage {
        asked: Asked { person: "王老师".into(), ..Asked::default() },
        zones: vec![("toddler-1".into(), "托小班1".into()), ("toddler-2".into(), "托小班2".into())],
        hazards: vec!["air.co2".into(), "fire.smoke".into()],
        people: people().into_iter().map(|p| (p.clone(), p)).collect(),
        found: vec![
            found("01KAPT0000000000000000011", "托小班2", 3_600),
            found("01KAPT0000000000000000012", "托小班1", 90_000),
            Found {
                noted_at: None,
                handled_at: None,
                late: true,
                incident: incident("01KAPT0000000000000000015", "fire.smoke", "厨房", Severity::Emergency, 172_000),
            },
        ],
        next: Some("1795501925000.01KAPT0000000000000000015".into()),
        error: None,
    }
}

pub fn quarantine() -> Quarantine {
    Quarantine {
        total: 3,
        reasons: vec![("no decoder takes this topic".into(), 2), ("temperature: not a number".into(), 1)],
        items: vec![
            Quarantined {
                id: 2,
                at: NOW - 60_000,
                topic: "kit/living/x1/env".into(),
                decoder: None,
                reason: "no decoder takes this topic".into(),
                preview: "{\"t\":23.1}".into(),
                bytes: 10,
            },
            Quarantined {
                id: 1,
                at: NOW - 90_000,
                topic: "zigbee2mqtt/厨房".into(),
                decoder: Some("zigbee2mqtt".into()),
                reason: "temperature: not a number".into(),
                preview: "{\"temperature\":\"warm\"}".into(),
                bytes: 22,
            },
        ],
    }
}

/// A morning check that is being filled in.
pub fn morning_check() -> MorningCheck {
    MorningCheck {
        classes: vec![("toddler-1".into(), "托小班1".into()), ("toddler-2".into(), "托小班2".into())],
        symptoms: vec!["fever", "cough", "vomiting", "diarrhoea", "rash", "blisters", "red_eyes", "swollen_cheeks"],
        class: "toddler-2".into(),
        temperature: "37.6".into(),
        chosen: vec!["cough".into()],
        ..MorningCheck::default()
    }
}
