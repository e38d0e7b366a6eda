//! Who knew of an incident, and when: from its detection over disk and platform to each person.
use super::forms::person_name;
use crate::engine::NoticeKind;
use crate::engine::view::View;
use crate::store::{NoticeRow, Told, ToldState};
use std::collections::BTreeMap;
use tuoan_dashboards::view::alarm::{Receipts, Recipient, Step, rung_name};
use tuoan_dashboards::view::gateway::{Delivery, DeliveryState};
use tuoan_protocol::{Exercise, IncidentEvent, Transition};

/// A step that takes longer than this is marked.
const LATE_MS: i64 = 60_000;

/// What the store knows of the tellings of one incident.
pub struct Tellings {
    pub notices: Vec<NoticeRow>,
    pub told: Vec<Told>,
    /// When the first event was on disk, by our clock.
    pub stored: Option<i64>,
    /// There are channels at all.
    pub channels: bool,
}

pub fn receipts(events: &[&IncidentEvent], known: &Tellings, deliveries: &[Delivery], view: &View, now: i64) -> Receipts {
    let Some(first) = events.first() else { return Receipts::default() };
    // A test goes to no receiver: what each has confirmed of it is its number.
    let deliveries = if first.exercise == Some(Exercise::Commissioning) { &[] } else { deliveries };
    let steps = steps(first.at, first.sequence, known.stored, deliveries, now);
    Receipts { found: first.at, steps, recipients: recipients(events, known, view, now), channels: known.channels }
}

/// The first event's way to the disk and to the receivers that confirm.
fn steps(found: i64, sequence: u64, stored: Option<i64>, deliveries: &[Delivery], now: i64) -> Vec<Step> {
    let mut steps = vec![Step { what: "stored".into(), at: stored, late: false }];
    for d in deliveries.iter().filter(|d| d.sequence == sequence) {
        let at = match &d.state {
            DeliveryState::Accepted { at, .. } => Some(*at),
            DeliveryState::Waiting | DeliveryState::SetAside { .. } => None,
        };
        steps.push(Step { what: d.sink.clone(), at, late: at.unwrap_or(now).saturating_sub(found) > LATE_MS });
    }
    steps
}

fn recipients(events: &[&IncidentEvent], known: &Tellings, view: &View, now: i64) -> Vec<Recipient> {
    // Of each person what they were told, in order; what only takes something back comes after it.
    let mut people: Vec<(Option<&str>, Vec<&NoticeRow>)> = Vec::new();
    for row in known.notices.iter().filter(|n| n.notice.kind != NoticeKind::Update) {
        let who = row.notice.person.as_deref();
        match people.iter_mut().find(|p| p.0 == who) {
            Some(p) => p.1.push(row),
            None => people.push((who, vec![row])),
        }
    }
    let mut out = Vec::new();
    for (who, rows) in people {
        let Some(first) = rows.first() else { continue };
        let name = who.map(|w| person_name(view, w));
        let did = |wanted: &[Transition]| {
            let by = |e: &&&IncidentEvent| {
                let is = |text: Option<&str>| text.is_some() && (text == name.as_deref() || text == who);
                let given = e.transition == Transition::Assigned && is(e.assignee.as_deref());
                wanted.contains(&e.transition) && (is(e.actor.as_deref()) || given)
            };
            who.and_then(|_| events.iter().find(by)).map(|e| e.at)
        };
        let base = Recipient {
            name: name.clone(),
            rung: rung_name(first.notice.rung),
            asked: first.at,
            state: "waiting",
            seen: rows.iter().filter_map(|r| r.seen).min(),
            taken: did(&[Transition::Acknowledged, Transition::Assigned]),
            handled: did(&[Transition::Resolved]),
            ..Recipient::default()
        };
        let mut by_channel: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
        for t in known.told.iter().filter(|t| rows.iter().any(|r| r.notice.id == t.notice)) {
            by_channel.entry(&t.channel).or_default().push(t);
        }
        if by_channel.is_empty() {
            let quiet = first.notice.not_before.filter(|t| *t > now);
            let state = if quiet.is_some() { "quiet" } else { "waiting" };
            let late = quiet.is_none() && known.channels && now.saturating_sub(first.notice.not_before.unwrap_or(first.at)) > LATE_MS;
            out.push(Recipient { state, at: quiet, late, ..base });
            continue;
        }
        for (channel, told) in by_channel {
            let reached = told.iter().filter(|t| matches!(t.state, ToldState::Sent | ToldState::Digest)).min_by_key(|t| t.at);
            let Some(word) = reached.or(told.last()) else { continue };
            let arrived = reached.map(|t| t.at);
            let asked = rows.iter().find(|r| r.notice.id == word.notice).map_or(first.at, |r| r.notice.not_before.unwrap_or(r.at));
            let failed = matches!(word.state, ToldState::Trying | ToldState::Refused);
            let again = told.iter().filter(|t| matches!(t.state, ToldState::Sent | ToldState::Digest)).count().saturating_sub(1);
            out.push(Recipient {
                channel: Some(channel.to_owned()),
                state: state(word.state),
                at: Some(word.at),
                why: Some(word.text.clone()).filter(|t| failed && !t.is_empty()),
                again: u64::try_from(again).unwrap_or(0),
                late: word.state != ToldState::Moot && arrived.unwrap_or(now).saturating_sub(asked) > LATE_MS,
                ..base.clone()
            });
        }
    }
    out
}

fn state(s: ToldState) -> &'static str {
    match s {
        ToldState::Trying => "trying",
        ToldState::Sent => "sent",
        ToldState::Digest => "digest",
        ToldState::Refused => "refused",
        ToldState::Moot => "moot",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Notice;
    use tuoan_protocol::{IncidentId, Rung, Severity};

    const T: i64 = 1_795_485_600_000;

    fn notice(id: u64, person: Option<&str>, rung: Rung, at: i64) -> NoticeRow {
        let incident = IncidentId::new("01KAPT0000000000000000001").or_else(|_| IncidentId::new("01KAPT00000000000000000001")).unwrap();
        let person = person.map(str::to_owned);
        let notice = Notice {
            id,
            incident,
            sequence: 1,
            kind: NoticeKind::Alert,
            person,
            rung,
            silent: false,
            severity: Severity::Serious,
            not_before: None,
        };
        NoticeRow { notice, at, seen: None }
    }
    fn told(notice: u64, channel: &str, state: ToldState, at: i64, text: &str) -> Told {
        Told { notice, channel: channel.into(), state, attempts: 1, at, text: text.into() }
    }
    fn view() -> View {
        View { people: vec![("wang".into(), "王老师".into(), Rung::Carer)], ..View::default() }
    }

    #[test]
    fn each_person_and_channel_has_a_line_and_what_is_late_is_marked() {
        let mut seen = notice(1, Some("wang"), Rung::Carer, T);
        seen.seen = Some(T + 9_000);
        let known = Tellings {
            notices: vec![
                notice(2, None, Rung::Carer, T),
                seen,
                notice(3, Some("li"), Rung::Director, T),
                notice(4, Some("wang"), Rung::Carer, T + 120_000),
            ],
            told: vec![
                told(1, "mail", ToldState::Refused, T + 3000, "550 no such box"),
                told(1, "sms", ToldState::Sent, T + 4000, "id 7"),
                told(4, "sms", ToldState::Sent, T + 121_000, "id 8"),
                told(2, "robot", ToldState::Sent, T + 70_000, ""),
            ],
            stored: Some(T),
            channels: true,
        };
        let list = recipients(&[], &known, &view(), T + 30_000);
        let lines: Vec<_> = list.iter().map(|r| (r.name.as_deref(), r.channel.as_deref(), r.state, r.late, r.again)).collect();
        assert_eq!(
            lines,
            [
                (None, Some("robot"), "sent", true, 0),
                (Some("王老师"), Some("mail"), "refused", false, 0),
                (Some("王老师"), Some("sms"), "sent", false, 1),
                (Some("li"), None, "waiting", false, 0),
            ]
        );
        assert_eq!((list[1].why.as_deref(), list[2].why.as_deref(), list[1].seen), (Some("550 no such box"), None, Some(T + 9_000)));
        let later = recipients(&[], &known, &view(), T + 61_000);
        assert!(later[1].late && later[3].late, "a minute without a way is late");
    }

    #[test]
    fn quiet_hours_are_not_late() {
        let mut row = notice(1, Some("wang"), Rung::Carer, T);
        row.notice.not_before = Some(T + 3_600_000);
        let known = Tellings { notices: vec![row], told: vec![], stored: None, channels: true };
        let list = recipients(&[], &known, &view(), T + 600_000);
        assert_eq!((list[0].state, list[0].at, list[0].late), ("quiet", Some(T + 3_600_000), false));
    }

    #[test]
    fn a_platform_that_has_not_answered_for_a_minute_is_late() {
        let at = |state| [Delivery { sink: "platform".into(), sequence: 3, state }];
        let late = |state, now| steps(T, 3, Some(T), &at(state), now).last().map(|s| s.late);
        assert_eq!(late(DeliveryState::Waiting, T + 60_000), Some(false));
        assert_eq!(late(DeliveryState::Waiting, T + 60_001), Some(true));
        let took = |ms| DeliveryState::Accepted { at: T + ms, receipt: "r".into() };
        assert_eq!((late(took(900), T + 600_000), late(took(61_000), T + 62_000)), (Some(false), Some(true)));
    }
}
