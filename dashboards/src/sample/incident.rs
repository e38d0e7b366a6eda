//! One incident, through its whole life.
use super::tasks::found;
use super::*;
use crate::lang::Text;
use crate::view::alarm::*;
use crate::view::gateway::*;
use tuoan_protocol::ledger::{Cause, Need, Sight};
use tuoan_protocol::looks::{Class, Look, Point, Posture, Seen};
use tuoan_protocol::{Basis, CauseCode, Fixed, IncidentState, Inhibition, Quantity, Rung, Severity, Transition, Via};

pub(super) fn entry(at: i64, transition: Transition, severity: Severity, sequence: u64) -> Entry {
    Entry {
        at,
        transition,
        state: IncidentState { active: true, acknowledged: false, closed: false, inhibited: None },
        severity,
        basis: Basis::Confirmed,
        actor: None,
        note: None,
        trigger: None,
        clock_trusted: true,
        sequence,
        act: Deed::default(),
    }
}

pub(super) fn rule() -> Rule {
    Rule {
        id: "air.co2.high".into(),
        clause: "GB/T 18883-2022 二氧化碳 ≤ 0.10 %（1 h 均值）".into(),
        source: Text::new("室内空气质量标准", "Indoor air quality standard"),
        verified: false,
        pack: "air".into(),
        hash: "5f2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b".into(),
        engine: "1.0".into(),
    }
}

/// Two cameras from a minute before to a minute after: a grown-up walks, a child lies down.
fn looks(opened_at: i64) -> Vec<CameraLooks> {
    // Head, shoulders, elbows, wrists, hips, knees, ankles of who stands; thousandths of the box.
    const STANDS: [(u16, u16); 17] = [
        (500, 60),
        (520, 45),
        (480, 45),
        (550, 60),
        (450, 60),
        (640, 190),
        (360, 190),
        (720, 340),
        (280, 340),
        (740, 480),
        (260, 480),
        (590, 520),
        (410, 520),
        (600, 740),
        (400, 740),
        (610, 960),
        (390, 960),
    ];
    let figure = |class, track, posture, bbox: [u16; 4], lies: bool| {
        let at = |low: u16, high: u16, share: u16| low + u16::try_from(u32::from(high - low) * u32::from(share) / 1000).unwrap_or(0);
        let joint = |(across, along): (u16, u16)| {
            let (x, y) = if lies { (along, across) } else { (across, along) };
            Some(Point { x: at(bbox[0], bbox[2], x), y: at(bbox[1], bbox[3], y), score: 80 })
        };
        Seen { class, score: 91, track, posture, bbox, pose: (class == Class::Person).then(|| STANDS.map(joint)) }
    };
    let look = |second: i64, seen| Look { at: opened_at + second * 1000, width: 640, height: 360, at_least: false, seen };
    let room = (-60..=60).map(|s| {
        let x = u16::try_from(1500 + (s + 60) * 25).unwrap_or(0);
        let grown_up = figure(Class::Person, 3, Posture::Standing, [x, 1200, x + 1300, 8600], false);
        let child = match s {
            ..-4 => figure(Class::Person, 5, Posture::Sitting, [6200, 4800, 7100, 7600], false),
            _ => figure(Class::Person, 5, Posture::Lying, [5600, 6700, 7800, 7900], true),
        };
        look(s, vec![grown_up, child])
    });
    let door = (-6..=6).map(|n| {
        let bike = figure(Class::Bicycle, 0, Posture::Unknown, [5200, 3000, 8600, 8200], false);
        look(n * 10, if n > 3 { vec![bike] } else { Vec::new() })
    });
    let camera = |name: &str, looks: Vec<Look>| CameraLooks { camera: name.into(), model: "person-pose/1 0badcafe".into(), looks };
    vec![camera("托小班2 东", room.collect()), camera("门口", door.collect())]
}

pub fn incident_page() -> IncidentPage {
    let mut incident = incident("01KAPT0000000000000000003", "air.co2", "托小班2", Severity::General, 2400);
    incident.trigger = Some((Quantity::Co2, Fixed(1004)));
    let from = NOW - 7_200_000;
    let minutes = |f: &dyn Fn(i64) -> Option<i64>| (0..120).filter_map(|m| f(m).map(|v| (from + m * 60_000, Fixed(v)))).collect();
    let co2 = minutes(&|m| if (30..42).contains(&m) { None } else { Some(640 + m * 6 + (m * 37 % 23)) });
    let temperature = minutes(&|m| Some(2150 + m * 2 + (m * 13 % 9)));
    let mut opened = entry(incident.opened_at, Transition::Opened, Severity::General, 11);
    opened.trigger = incident.trigger.clone();
    let mut raised = entry(incident.opened_at + 900_000, Transition::Raised, Severity::Serious, 12);
    raised.basis = Basis::Inferred;
    raised.clock_trusted = false;
    let mut taken = entry(incident.opened_at + 960_000, Transition::Acknowledged, Severity::Serious, 13);
    taken.actor = Some("王老师".into());
    taken.note = Some("已开窗通风".into());
    IncidentPage {
        site: "杏园托育".into(),
        from,
        to: NOW,
        around: Around::HalfHour,
        cut: false,
        by_minute: false,
        blind: vec![Blind { camera: "托小班2 东".into(), kind: Quantity::CameraDark, from: from + 1_200_000, to: from + 2_400_000 }],
        watch: vec![
            Watch { from: from + 1_200_000, to: from + 2_400_000, sight: Sight::blind(Cause::CameraDark, Some(Need::Camera)) },
            Watch { from: from + 2_400_000, to: from + 3_000_000, sight: Sight::degraded(Cause::Silent, Some(Need::Co2)) },
        ],
        looks: looks(incident.opened_at),
        unsure: vec![(from + 5_400_000, from + 6_000_000)],
        similar: [
            vec![found("01KAPT0000000000000000013", "托小班2", 3 * 86_400)],
            vec![found("01KAPT0000000000000000014", "托小班1", 86_400)],
        ],
        series: vec![
            Series {
                device: "托小班2 环境".into(),
                quantity: Quantity::Co2,
                points: co2,
                gaps: vec![(from + 29 * 60_000, from + 42 * 60_000)],
                uncertainty_ms: Some(1500),
                threshold: Some(Fixed(1000)),
            },
            Series {
                device: "托小班2 窗".into(),
                quantity: Quantity::Open,
                points: vec![(from + 600_000, Fixed(0)), (from + 5_760_000, Fixed(1))],
                gaps: Vec::new(),
                uncertainty_ms: None,
                threshold: None,
            },
            Series {
                device: "托小班2 环境".into(),
                quantity: Quantity::Temperature,
                points: temperature,
                gaps: Vec::new(),
                uncertainty_ms: None,
                threshold: None,
            },
        ],
        entries: vec![opened, raised, taken],
        deliveries: vec![
            Delivery {
                sink: "platform".into(),
                sequence: 11,
                state: DeliveryState::Accepted { at: incident.opened_at + 1500, receipt: "r-7f3a91".into() },
            },
            Delivery {
                sink: "platform".into(),
                sequence: 12,
                state: DeliveryState::SetAside { reason: "rejected: unknown hazard".into() },
            },
            Delivery { sink: "platform".into(), sequence: 13, state: DeliveryState::Waiting },
        ],
        rule: rule(),
        found_on_connect: true,
        clock_trusted: true,
        institution: "community",
        supervisor: "health",
        stills: 2,
        stills_open: true,
        originals: 120,
        receipts: Receipts::default(),
        export: None,
        primary: None,
        quiet: None,
        forms: Vec::new(),
        notice: None,
        incident,
    }
}

pub(super) fn form(kind: &'static str) -> Form {
    let mut form = Form { kind, action: format!("/incidents/01KAPT0000000000000000003/{kind}"), back: "/".into(), ..Form::default() };
    match kind {
        "assign" => form.people = vec![("wang".into(), "王老师".into()), ("li".into(), "李园长".into())],
        "shelve" | "maintain" => form.choices = vec![15, 30, 60, 120, 240, 480],
        "out" => form.choices = vec![240, 480, 1440, 4320, 10_080, 43_200],
        "merge" => {
            form.others = vec![("01KAPT0000000000000000001".into(), Text::new("厨房 烟雾报警 · 000001", "厨房 Smoke alarm · 000001"))]
        }
        _ => {}
    }
    form
}

/// The whole life of an alarm, by the state that its page shows: `fresh`, `taken`, `shelved`, `closed`, `drill`.
pub fn life(state: &str) -> IncidentPage {
    let mut page = incident_page();
    let i = &mut page.incident;
    let began = i.opened_at;
    let deed = |at: i64, t: Transition, n: u64, actor: &str, note: &str, act: Deed| Entry {
        actor: Some(actor.to_owned()).filter(|a| !a.is_empty()),
        note: Some(note.to_owned()).filter(|a| !a.is_empty()),
        act,
        ..entry(began + at, t, Severity::General, n)
    };
    let via = |v| Deed { via: Some(v), ..Deed::default() };
    let recipient = |name: &str, rung, channel: &str, state, at: i64| Recipient {
        name: Some(name.to_owned()).filter(|n| !n.is_empty()),
        rung,
        channel: Some(channel.to_owned()).filter(|c| !c.is_empty()),
        asked: began,
        state,
        at: (at > 0).then_some(began + at),
        ..Recipient::default()
    };
    page.receipts = Receipts {
        found: began,
        steps: vec![
            Step { what: "stored".into(), at: Some(began + 40), late: false },
            Step { what: "platform".into(), at: Some(began + 92_000), late: true },
        ],
        recipients: vec![
            recipient("", "carer", "钉钉群", "sent", 1_400),
            Recipient { seen: Some(began + 21_000), ..recipient("王老师", "carer", "短信", "sent", 2_100) },
            Recipient {
                why: Some("550 mailbox unavailable".into()), late: true, ..recipient("王老师", "carer", "邮件", "refused", 3_800)
            },
            Recipient { again: 2, ..recipient("李园长", "director", "短信", "sent", 182_000) },
            recipient("赵副园长", "deputy", "", "quiet", 25_000_000),
            Recipient { late: true, ..recipient("孙老师", "carer", "", "waiting", 0) },
        ],
        channels: true,
    };
    let escalated = Deed { rung: Some(Rung::Director), ..Deed::default() };
    let taken = Deed { assignee: Some("王老师".into()), via: Some(Via::Link), ..Deed::default() };
    page.entries.truncate(1);
    page.forms = ["resolve", "comment", "assign", "shelve", "merge"].map(form).into();
    page.primary = Some(form("take"));
    page.quiet = Some(form("acknowledge"));
    if state == "fresh" {
        return page;
    }
    page.entries.push(deed(180_000, Transition::Escalated, 12, "", "", escalated));
    page.entries.push(deed(205_000, Transition::Assigned, 13, "王老师", "", taken));
    page.entries.push(deed(260_000, Transition::Commented, 14, "李园长", "已联系厂家，半小时到。", via(Via::Page)));
    (i.state.acknowledged, i.life.assignee) = (true, Some("王老师".into()));
    if let Some(r) = page.receipts.recipients.get_mut(1) {
        r.taken = Some(began + 205_000);
    }
    page.primary = Some(form("resolve"));
    page.quiet = None;
    page.forms = ["comment", "assign", "shelve", "merge"].map(form).into();
    match state {
        "shelved" => {
            let until = Until { until: NOW + 900_000, by: "李园长".into(), why: "传感器送修，已安排专人看护".into() };
            let act = Deed { until: Some(until.until), via: Some(Via::Page), ..Deed::default() };
            page.entries.push(deed(300_000, Transition::Chattering, 15, "", "", Deed { activations: 7, ..Deed::default() }));
            page.entries.push(deed(400_000, Transition::Shelved, 16, "李园长", &until.why, act));
            i.state.inhibited = Some(Inhibition::Shelved);
            (i.life.aside, i.life.chattering, i.activations) = (Some(until), true, 7);
            page.forms = ["comment", "assign", "unshelve"].map(form).into();
        }
        "closed" => {
            let cause = Deed { cause: Some(CauseCode::False), via: Some(Via::Page), ..Deed::default() };
            let other = Deed { other: Some("01KAPT0000000000000000007".into()), via: Some(Via::Page), ..Deed::default() };
            page.entries.push(deed(500_000, Transition::Merged, 15, "李园长", "同一次开窗", other));
            page.entries.push(deed(700_000, Transition::Resolved, 16, "王老师", "窗边热风，不是室内", cause));
            page.entries.push(deed(800_000, Transition::Closed, 17, "", "", Deed::default()));
            (i.state.active, i.state.closed, i.life.resolved) = (false, true, Some(CauseCode::False));
            i.changed_at = began + 800_000;
            if let Some(r) = page.receipts.recipients.get_mut(1) {
                r.handled = Some(began + 700_000);
            }
            page.primary = None;
            page.forms = ["reopen", "comment"].map(form).into();
        }
        "drill" => {
            i.life.drill = true;
            (i.severity, i.hazard) = (Severity::Emergency, "fire.smoke".into());
        }
        _ => {}
    }
    page
}
