//! Evidence, witness and coverage.
use super::*;
use tuoan_protocol::ledger::{Cause, Need, Sight};

/// A file that was checked at the district: whole, or not.
pub fn evidence_check(whole: bool) -> crate::view::evidence::Check {
    use crate::view::evidence::{Accepted, Check, Fault, KeyState, Proven, Verdict, Waiting, Witnessed};
    let print = "1f0a 93c2 77de 0b41 5a6e 2c19 d8f3 6b07 9e44 a15d 30c8 72fb e6a9 4d12 8c5f b370".to_owned();
    let verdict = if whole {
        Verdict::Whole(Proven {
            site: "杏园托育".into(),
            incident: "01JE0000000000000000000001".into(),
            events: 6,
            witnessed: 5,
            records: 214,
            made_at: NOW - 3_600_000,
            made_by: "赵主任".into(),
            purpose: "家长查询".into(),
            fingerprint: print.clone(),
            key: KeyState::Known,
            coverage: Some((21, 4, 3)),
        })
    } else {
        let detail = Some("record 9 (leaf: event 17 acknowledged)".to_owned());
        let says = "the time of record 9 (leaf: event 17 acknowledged) was changed".to_owned();
        Verdict::Changed(vec![Fault { code: "time", detail, says }])
    };
    let trouble = Some(("the site's log has 40 records, and had 52 before: records were taken away".to_owned(), NOW - 60_000));
    let logs = vec![
        Witnessed {
            site: "杏园托育".into(),
            log: "01JD0000000000000000000000".into(),
            records: 1_204,
            at: NOW - 40_000,
            key: print.clone(),
            trouble: None,
        },
        Witnessed {
            site: "星园托育中心".into(),
            log: "01JD0000000000000000000001".into(),
            records: 52,
            at: NOW - 7_200_000,
            key: print.clone(),
            trouble,
        },
    ];
    let waiting = vec![Waiting {
        site: "xinghe".into(),
        name: "星河托育".into(),
        log: "01JD0000000000000000000002".into(),
        key: print.replace(' ', ""),
        fingerprint: print.clone(),
        known_log: false,
        records: 31,
        at: NOW - 1_200_000,
    }];
    let accepted = vec![Accepted {
        name: "杏园托育".into(),
        fingerprint: print.clone(),
        known_log: true,
        at: NOW - 86_400_000,
        actor: "赵主任".into(),
        reason: "主机损坏更换，已电话核实".into(),
    }];
    Check { key: print, verdict: Some(verdict), logs, waiting, accepted, name: "赵主任".into(), error: None }
}

/// The institution's log: witnessed up to the last few records, or refused.
pub fn witness(refused: bool) -> crate::view::evidence::Witness {
    use crate::view::evidence::{Seen, Witness};
    let print = "1f0a 93c2 77de 0b41 5a6e 2c19 d8f3 6b07 9e44 a15d 30c8 72fb e6a9 4d12 8c5f b370".to_owned();
    Witness {
        log: "01JD0000000000000000000000".into(),
        records: 1_207,
        root: print.replace(' ', ""),
        key: print.clone(),
        district: true,
        seen: Some(Seen { records: 1_204, at: NOW - 40_000, key: print }),
        refused: refused
            .then(|| "the site begins a new log (01JX), and had another before: a supervisor of the district must accept it first".into()),
    }
}

/// The form that exports evidence, with what is missing in it.
pub fn evidence_export() -> crate::view::evidence::Export {
    crate::view::evidence::Export {
        incident: "01JE0000000000000000000001".into(),
        title: "烟雾报警 · 2026年11月22日 14:32".into(),
        name: "赵主任".into(),
        pictures: true,
        key: "1f0a 93c2 77de 0b41 5a6e 2c19 d8f3 6b07 9e44 a15d 30c8 72fb e6a9 4d12 8c5f b370".into(),
        ..crate::view::evidence::Export::default()
    }
}

/// A day with a covered camera, a gateway that was off and a sensor that was silent, and the weeks before it.
pub fn coverage_page() -> crate::view::coverage::CoveragePage {
    use crate::view::coverage::{CalendarDay, CoveragePage, Zone};
    use tuoan_protocol::ledger::{Figure, Run};
    let zone = |name: &str, parts: &[(u16, Sight)]| {
        let mut run = Run::default();
        parts.iter().for_each(|(minutes, sight)| run.push(*minutes, *sight));
        Zone { name: name.into(), run, now: Some(parts.last().map_or(Sight::Absent, |p| p.1)) }
    };
    let off = Sight::blind(Cause::GatewayDown, None);
    let covered = Sight::blind(Cause::CameraCovered, Some(Need::Camera));
    let silent = Sight::degraded(Cause::Silent, Some(Need::Co2));
    let day = |n: i64| {
        let date = time::Date::from_julian_day(2_461_272 + n as i32).map(|d| d.to_string()).unwrap_or_default();
        let blind = [0, 0, 3, 55, 900][(n % 5) as usize];
        let told = (n > 20).then_some((Figure { watched: 7200 - blind, degraded: 0, blind }, blind as u16));
        CalendarDay { date, told }
    };
    CoveragePage {
        date: "2026-11-22".into(),
        open: Some(872),
        zones: vec![
            zone("托小班1", &[(200, Sight::Watched), (6, off), (334, Sight::Watched), (19, covered), (313, Sight::Watched)]),
            zone("托小班2", &[(200, Sight::Watched), (6, off), (444, Sight::Watched), (222, silent)]),
            zone("大门", &[(200, Sight::Watched), (6, off), (660, Sight::Watched), (6, Sight::blind(Cause::Silent, Some(Need::Contact)))]),
            zone("厨房", &[(300, Sight::Absent), (572, Sight::Watched)]),
        ],
        calendar: (0..96).map(day).collect(),
        before: Some("2026-11-21".into()),
        after: None,
        hash: None,
    }
}
