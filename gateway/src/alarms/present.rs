//! Figures -> what the page, the command and the report show. Nothing is decided here but what to leave out.
use super::figures::{Duty, Figures, Source};
use super::names::Names;
use super::suggest::{Advice, Step, Suggestion, Trial, Why};
use super::times::{Times, slot};
use crate::engine::schedule::date_of;
use tuoan_dashboards::view::quality as page;
use tuoan_protocol::Severity;

/// Rules, late answers and other things in one list.
const LISTED: usize = 20;
const SEVERITIES: [Severity; 4] = [Severity::Emergency, Severity::Serious, Severity::General, Severity::Advisory];

/// `suggestions`: in the order of [`Figures::actors`].
pub fn quality(figures: &Figures, previous: Option<&Figures>, suggestions: &[Suggestion], names: &Names) -> page::Quality {
    let actors = figures.actors.iter().enumerate().map(|(n, a)| {
        let suggestion = suggestions.get(n);
        let (place, device) = place(&a.source, names);
        page::Actor {
            rule: a.source.rule.as_str().to_owned(),
            known: !names.rule(&a.source.rule).is_empty(),
            hazard: a.hazard.as_str().to_owned(),
            title: names.rule(&a.source.rule),
            severity: a.severity,
            place,
            device,
            alarms: a.alarms,
            share: a.share,
            chatter: a.chatter,
            held_back: a.held_back,
            stale: a.stale,
            judged: a.verdicts.judged(),
            wrong: a.verdicts.wrong,
            advice: suggestion.map_or(page::Advice::Unknown, |s| advice(&s.advice)),
            trial: suggestion.map_or(page::Trial::None, |s| trial(&s.trial)),
        }
    });
    let mut rules: Vec<page::RuleShare> = figures
        .rules
        .iter()
        .map(|(id, v)| page::RuleShare {
            hazard: figures.actors.iter().find(|a| a.source.rule == *id).map_or_else(|| id.as_str(), |a| a.hazard.as_str()).to_owned(),
            title: names.rule(id),
            incidents: v.incidents,
            judged: v.judged(),
            wrong: v.wrong,
        })
        .collect();
    rules.sort_by_key(|r| std::cmp::Reverse((r.wrong, r.judged, r.incidents)));
    rules.truncate(LISTED);
    let (from, to) = (figures.period.from, figures.period.to);
    page::Quality {
        from,
        to,
        recorded_from: (figures.recorded_from > from && figures.recorded_from < to).then_some(figures.recorded_from),
        figures: brief(figures),
        // A period of which hardly anything is recorded is nothing to compare with.
        previous: previous.filter(|p| p.recorded_from.saturating_sub(p.period.from) <= p.period.ms() / 10).map(brief),
        actors: actors.collect(),
        actors_share: figures.actors_share,
        days: figures
            .days
            .iter()
            .map(|d| page::Day { date: date_of(d.day), alarms: d.alarms(), urgent: d.by_severity.iter().take(2).sum() })
            .collect(),
        hours: figures.hours,
        floods: figures
            .floods
            .iter()
            .take(LISTED)
            .map(|f| page::Flood { from: f.from, to: f.to, alarms: f.alarms, peak: f.peak })
            .collect(),
        stale: figures.stale.iter().take(LISTED).map(|s| stale(s, names)).collect(),
        rules,
        times: times(figures),
        late: figures.late.iter().take(LISTED).map(|l| late(l, names)).collect(),
        apart: apart(figures),
        trying: suggestions.iter().any(|s| s.trial == Trial::Pending),
        incomplete: figures.incomplete,
        clock_doubt: figures.clock_doubt,
    }
}

/// What is compared from one period to the next.
pub fn brief(f: &Figures) -> page::Figures {
    let all = || f.acknowledge.iter().chain(&f.handle);
    page::Figures {
        alarms: f.alarms,
        per_day: f.per_day,
        per_hour: f.per_hour,
        by_severity: f.by_severity,
        peak: f.peak,
        floods: f.floods.len() as u64,
        flood_share: f.flood_share,
        chattering: f.chattering,
        stale: f.stale.len() as u64,
        incidents: f.verdicts.incidents,
        judged: f.verdicts.judged(),
        wrong: f.verdicts.wrong,
        late: all().map(Times::late).sum(),
        asked: all().map(|t| t.judged).sum(),
    }
}

fn place(source: &Source, names: &Names) -> (String, Option<String>) {
    (names.zone(&source.zone), source.device.as_ref().map(|d| names.device(d)))
}

fn advice(a: &Advice) -> page::Advice {
    match a {
        Advice::Adjust(a) => page::Advice::Adjust(a.steps.iter().map(step).collect()),
        Advice::Sensor(care) => page::Advice::Sensor(care.name()),
        Advice::Cause => page::Advice::Cause,
        Advice::Nothing => page::Advice::Nothing,
    }
}
fn step(s: &Step) -> page::Step {
    match s {
        Step::Hold { from, to } => page::Step::Hold { from: *from, to: *to },
        Step::Bound { name, quantity, from, to } => page::Step::Bound { name, quantity: quantity.clone(), from: *from, to: *to },
    }
}
fn trial(t: &Trial) -> page::Trial {
    match t {
        Trial::None => page::Trial::None,
        Trial::Pending => page::Trial::Pending,
        Trial::Done(e) => page::Trial::Done { before: e.before, after: e.after, days: e.days, short: e.short },
        Trial::Not(Why::TooShort(days)) => page::Trial::TooShort(*days),
        Trial::Not(Why::OutOfTime) => page::Trial::OutOfTime,
        Trial::Not(Why::Failed(why)) => page::Trial::Failed(why.clone()),
    }
}

fn stale(s: &super::figures::Stale, names: &Names) -> page::Stale {
    page::Stale {
        incident: s.incident.as_str().to_owned(),
        hazard: s.hazard.as_str().to_owned(),
        title: names.rule(&s.source.rule),
        place: names.zone(&s.source.zone),
        since: s.since,
        until: s.until,
    }
}

fn late(l: &super::figures::Late, names: &Names) -> page::Late {
    page::Late {
        incident: l.incident.as_str().to_owned(),
        hazard: l.hazard.as_str().to_owned(),
        title: names.rule(&l.source.rule),
        place: names.zone(&l.source.zone),
        severity: l.severity,
        opened_at: l.opened_at,
        handling: l.duty == Duty::Handle,
        took: l.took,
        target: l.target,
        done: l.done,
    }
}

fn times(f: &Figures) -> Vec<page::Times> {
    let span = |t: Option<&Times>| {
        let t = t.cloned().unwrap_or_default();
        page::Span { target: t.target, answered: t.answered, median: t.median, p90: t.p90, within: t.within, judged: t.judged }
    };
    let of = |severity| page::Times {
        severity,
        acknowledge: span(f.acknowledge.get(slot(severity))),
        handle: span(f.handle.get(slot(severity))),
    };
    let some = |s: &page::Span| s.answered > 0 || s.judged > 0;
    SEVERITIES.into_iter().map(of).filter(|t| some(&t.acknowledge) || some(&t.handle)).collect()
}

fn apart(f: &Figures) -> page::Apart {
    let a = f.apart;
    page::Apart {
        drills: a.drills,
        canaries: a.canaries,
        tests: a.tests,
        shelved: a.shelved,
        suppressed: a.suppressed,
        out_of_service: a.out_of_service,
        unannounced: a.unannounced,
        held_back: a.held_back,
        gathered: a.gathered,
        merged: a.merged,
    }
}
