//! `tuoan stats`.
use super::figures::Figures;
use super::names::Names;
use super::period::{MAX_DAYS, Period};
use super::suggest::{self, Advice, Step, Suggestion, Trial, Why};
use super::times::Times;
use super::{present, read, report, trial};
use crate::clock::Stopwatch;
use crate::config;
use crate::engine::rules::{self, Catalogue};
use crate::engine::schedule::date_of;
use crate::replay::Source;
use crate::replay::backtest::Pace;
use miette::{IntoDiagnostic, Result, miette};
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;
use tuoan_dashboards::view::quality::Quality;
use tuoan_dashboards::{Lang, Ui};
use tuoan_protocol::RuleId;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The gateway's data folder (it may be running), a copy of its log.db, or an exported log.
    #[arg(long, required_unless_present = "config")]
    data: Option<PathBuf>,
    /// The gateway's configuration: names its data folder where --data does not, and zones and devices by the site file as it is now.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Calendar days up to the last record, that day included.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)))]
    days: u32,
    /// Stable names instead of a table; times in milliseconds, shares from 0 to 1.
    #[arg(long)]
    json: bool,
    /// zh or en; without it, by LC_ALL, LC_MESSAGES and LANG.
    #[arg(long, value_parser = language)]
    language: Option<Lang>,
    /// Seconds that suggestions may be tried for on the history; 0 tries none.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    budget: u32,
}

fn language(text: &str) -> std::result::Result<Lang, &'static str> {
    Lang::parse(text).ok_or("zh or en")
}

/// By the environment, as other programs choose.
fn spoken() -> Lang {
    let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
    let chosen = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
    match chosen.as_deref() {
        // No language is meant: ours.
        None | Some("C" | "POSIX" | "C.UTF-8" | "C.utf8") => Lang::default(),
        Some(tag) => Lang::parse(tag.split('.').next().unwrap_or(tag)).unwrap_or(Lang::En),
    }
}

/// # Errors
/// The log cannot be read, or the answer not be written. A reader that has seen enough (`| head`) is no error.
pub fn stats(args: &Args) -> Result<()> {
    let answer = answer(args)?;
    match tell(&answer, &mut std::io::stdout().lock()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.into_diagnostic(),
    }
}

fn tell(answer: &str, out: &mut impl Write) -> std::io::Result<()> {
    out.write_all(answer.as_bytes()).and_then(|()| out.flush())
}

/// What the command says.
///
/// # Errors
/// The log or the configuration cannot be read.
pub fn answer(args: &Args) -> Result<String> {
    let config = args.config.as_ref().map(|file| config::load(file, args.data.as_deref())).transpose()?;
    let data = args.data.clone().or_else(|| config.as_ref().map(|c| c.data.clone()));
    let source = Source::open(&data.ok_or_else(|| miette!("name the gateway's data folder with --data"))?)?;
    let in_force = source.configuration()?;
    let site = config.as_ref().map_or(&in_force.site, |c| &c.site);
    let names = Names::of_site(site, &Catalogue::new(&in_force.rules));
    let now = source.cut.now.saturating_add(source.cut.utc_offset);
    let period = Period::last_days(args.days, now, in_force.site.utc_offset_minutes);
    let earlier = Period { from: period.from.saturating_sub(period.ms()), to: period.from, ..period };
    let mut both = read::of_source(&source, &[period, earlier])?.into_iter();
    let (Some(figures), previous) = (both.next(), both.next()) else { return Err(miette!("nothing was read")) };

    let watch = Stopwatch::start();
    let mut go = || watch.elapsed() < Duration::from_secs(args.budget.into());
    let all = rules::compile(&in_force.rules).map_err(|e| miette!("{e}"))?;
    let suggestions = suggest::suggest(&figures, &all, &in_force.site.overrides, period.day(now), &mut |set| {
        trial::attempt(&source, &in_force, set, Pace::Fast, &mut go)
    });
    if args.json {
        let json = as_json(&figures, previous.as_ref(), &suggestions, &names);
        return Ok(format!("{}\n", serde_json::to_string_pretty(&json).into_diagnostic()?));
    }
    let mut ui = Ui::plain(args.language.unwrap_or_else(spoken), now);
    ui.utc_offset_minutes = in_force.site.utc_offset_minutes;
    Ok(text(&ui, &present::quality(&figures, previous.as_ref(), &suggestions, &names), &names.site))
}

/// Columns that a terminal gives a text: Chinese takes two each.
fn width(text: &str) -> usize {
    text.chars().map(|c| if matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}') { 2 } else { 1 }).sum()
}

/// Columns under each other, the first to the left and the others to the right; names of a stranger's making reach no terminal as control characters.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest: Vec<usize> = (0..columns).map(|c| rows.iter().filter_map(|r| r.get(c)).map(|t| width(t)).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (n, (cell, widest)) in row.iter().zip(&widest).enumerate() {
            let pad = " ".repeat(widest.saturating_sub(width(cell)));
            line.push(' ');
            line.push_str(&if n == 0 { format!("{cell}{pad}") } else { format!(" {pad}{cell}") });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The whole in words.
pub fn text(ui: &Ui, q: &Quality, site: &str) -> String {
    let mut out = format!("{site} · {} · {} – {}\n", ui.t("quality"), ui.full_date_time(q.from), ui.full_date_time(q.to));
    let mut say = |line: &str| {
        out.push_str(line);
        out.push('\n');
    };
    let heading = |key: &str| format!("\n{}", ui.t(key));
    say(&ui.quality_lead(q));
    if let Some(at) = q.recorded_from {
        say(&ui.t1("quality-recorded", "time", ui.date_time(at)));
    }
    if q.incomplete {
        say(&ui.t("quality-incomplete"));
    }
    if q.clock_doubt > 0 {
        say(&ui.n("quality-clock", q.clock_doubt));
    }
    say(&heading("quality-key"));
    let keys = ui.key_figures(&q.figures, q.previous.as_ref());
    for k in &keys {
        let name =
            format!("{}{}", k.name, " ".repeat(keys.iter().map(|k| width(&k.name)).max().unwrap_or(0).saturating_sub(width(&k.name))));
        say(format!("  {name}  {:>5}  {}  {}", k.value, k.note, ui.change(k)).trim_end());
    }
    say(&heading("quality-actors"));
    if q.actors.is_empty() {
        say(&format!("  {}", ui.t("quality-actors-none")));
    }
    for (n, a) in q.actors.iter().enumerate() {
        say(&format!("{:>3}. [{}] {}  {}", n + 1, ui.severity(a.severity), report::at_place(ui, a), a.rule));
        say(&format!("     {}", ui.actor_facts(a)));
        say(&format!("     → {}", ui.suggestion_whole(a)));
    }
    say(&heading("quality-by-day"));
    say(table(&q.days.iter().map(|d| vec![d.date.clone(), d.alarms.to_string()]).collect::<Vec<_>>()).trim_end_matches('\n'));
    if !q.times.is_empty() {
        say(&heading("quality-times"));
        let head = ["quality-severity", "quality-median", "quality-p90", "quality-kept", "quality-target"].map(|k| ui.t(k)).to_vec();
        let rows = q.times.iter().flat_map(|t| t.rows().map(|(span, name)| (t.severity, name, span)));
        let rows = rows.map(|(severity, name, s)| {
            let target = s.target.map_or_else(|| ui.t("quality-target-none"), |t| ui.exact_span(t));
            vec![format!("{} {}", ui.severity(severity), ui.word("quality", name)), ui.took(&s.median), ui.took(&s.p90), ui.kept(s), target]
        });
        say(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).trim_end_matches('\n'));
    }
    if !q.late.is_empty() {
        say(&heading("quality-late"));
        for l in &q.late {
            say(&format!("  {}  {} · {}  {}", ui.date_time(l.opened_at), l.place, ui.named(&l.title, &l.hazard), ui.late_says(l)));
        }
    }
    if !q.rules.is_empty() {
        say(&heading("quality-false"));
        let head = ["quality-rule", "quality-incidents", "quality-column-judged", "quality-column-false"].map(|k| ui.t(k)).to_vec();
        let rows =
            q.rules.iter().map(|r| vec![ui.named(&r.title, &r.hazard), r.incidents.to_string(), r.judged.to_string(), ui.false_says(r)]);
        say(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).trim_end_matches('\n'));
    }
    if !q.floods.is_empty() {
        say(&heading("quality-floods"));
        for f in &q.floods {
            say(&format!("  {} – {}  {}", ui.date_time(f.from), ui.clock_minutes(f.to), ui.flood_says(f)));
        }
    }
    if !q.stale.is_empty() {
        say(&heading("quality-stale"));
        for s in &q.stale {
            say(&format!("  {} · {}  {}", s.place, ui.named(&s.title, &s.hazard), ui.stale_says(s)));
        }
    }
    let apart = ui.apart(&q.apart);
    if !apart.is_empty() {
        say(&heading("quality-apart"));
        let rows: Vec<Vec<String>> = apart.into_iter().map(|(name, n)| vec![name, n.to_string()]).collect();
        say(table(&rows).trim_end_matches('\n'));
    }
    out.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Of the figures, with names that do not change.
pub fn as_json(f: &Figures, previous: Option<&Figures>, suggestions: &[Suggestion], names: &Names) -> Value {
    let of = |q: &super::figures::Source| {
        json!({"rule": q.rule, "zone": q.zone, "zone_name": names.zone(&q.zone), "device": q.device,
            "device_name": q.device.as_ref().map(|d| names.device(d))})
    };
    let with = |source: &super::figures::Source, mut more: Value| {
        if let (Some(more), Value::Object(source)) = (more.as_object_mut(), of(source)) {
            more.extend(source);
        }
        more
    };
    let verdicts = |v: &super::figures::Verdicts| {
        json!({"incidents": v.incidents, "judged": v.judged(), "real": v.real, "false": v.wrong, "test": v.test,
            "maintenance": v.maintenance, "unjudged": v.unjudged(), "false_share": v.false_share()})
    };
    let times = |all: &[Times; 4]| {
        let one = |(n, t): (usize, &Times)| {
            json!({"severity": n + 1, "target_ms": t.target, "answered": t.answered, "median_ms": t.median, "p90_ms": t.p90,
                "within": t.within, "judged": t.judged, "within_share": t.share()})
        };
        all.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    let actors = f.actors.iter().enumerate().map(|(n, a)| {
        with(
            &a.source,
            json!({"hazard": a.hazard, "severity": a.severity, "alarms": a.alarms, "share": a.share, "chatter_spells": a.chatter,
                "held_back": a.held_back, "stale": a.stale, "verdicts": verdicts(&a.verdicts),
                "suggestion": suggestions.get(n).map(suggestion)}),
        )
    });
    let brief = |f: &Figures| {
        json!({"from": f.period.from, "to": f.period.to, "recorded_from": f.recorded_from, "alarms": f.alarms, "floods": f.floods.len(),
            "chattering": f.chattering, "stale": f.stale.len(), "verdicts": verdicts(&f.verdicts)})
    };
    let rules: serde_json::Map<String, Value> = f.rules.iter().map(|(id, v): (&RuleId, _)| (id.as_str().to_owned(), verdicts(v))).collect();
    json!({
        "from": f.period.from, "to": f.period.to, "recorded_from": f.recorded_from, "utc_offset_minutes": f.period.utc_offset_minutes,
        "alarms": f.alarms, "by_severity": f.by_severity, "per_hour": f.per_hour, "per_day": f.per_day, "peak_10_min": f.peak,
        "days": f.days.iter().map(|d| json!({"date": date_of(d.day), "alarms": d.alarms(), "by_severity": d.by_severity})).collect::<Vec<_>>(),
        "hours": f.hours,
        "floods": f.floods.iter().map(|l| json!({"from": l.from, "to": l.to, "alarms": l.alarms, "peak_10_min": l.peak})).collect::<Vec<_>>(),
        "flood_share": f.flood_share, "chattering": f.chattering,
        "stale": f.stale.iter().map(|s| with(&s.source, json!({"incident": s.incident, "hazard": s.hazard, "severity": s.severity,
            "since": s.since, "until": s.until}))).collect::<Vec<_>>(),
        "bad_actors": actors.collect::<Vec<_>>(), "bad_actors_share": f.actors_share,
        "rules": rules, "verdicts": verdicts(&f.verdicts),
        "acknowledge": times(&f.acknowledge), "handle": times(&f.handle),
        "late": f.late.iter().map(|l| with(&l.source, json!({"incident": l.incident, "hazard": l.hazard, "severity": l.severity,
            "opened_at": l.opened_at, "duty": match l.duty { super::figures::Duty::Acknowledge => "acknowledge", super::figures::Duty::Handle => "handle" },
            "took_ms": l.took, "target_ms": l.target, "done": l.done}))).collect::<Vec<_>>(),
        "apart": {"drills": f.apart.drills, "canaries": f.apart.canaries, "tests": f.apart.tests, "shelved": f.apart.shelved, "suppressed": f.apart.suppressed,
            "out_of_service": f.apart.out_of_service, "unannounced": f.apart.unannounced, "held_back": f.apart.held_back,
            "gathered": f.apart.gathered, "merged": f.apart.merged},
        "clock_doubt": f.clock_doubt, "incomplete": f.incomplete,
        "previous": previous.map(brief),
    })
}

fn suggestion(s: &Suggestion) -> Value {
    let advice = match &s.advice {
        Advice::Adjust(a) => {
            let steps = a.steps.iter().map(|s| match s {
                Step::Hold { from, to } => json!({"field": "hold", "from_ms": from, "to_ms": to}),
                Step::Bound { name, quantity, from, to } => {
                    json!({"field": name, "quantity": quantity, "unit": quantity.unit(), "from": quantity.float(*from), "to": quantity.float(*to)})
                }
            });
            json!({"kind": "adjust", "changes": steps.collect::<Vec<_>>()})
        }
        Advice::Sensor(care) => json!({"kind": "sensor", "care": care.name()}),
        Advice::Cause => json!({"kind": "cause"}),
        Advice::Nothing => json!({"kind": "nothing"}),
    };
    let trial = match &s.trial {
        Trial::None => Value::Null,
        Trial::Pending => json!({"state": "pending"}),
        Trial::Done(e) => {
            json!({"state": "done", "per_week_before": e.before, "per_week_after": e.after, "days": e.days, "short": e.short})
        }
        Trial::Not(Why::TooShort(days)) => json!({"state": "too_short", "days": days}),
        Trial::Not(Why::OutOfTime) => json!({"state": "out_of_time"}),
        Trial::Not(Why::Failed(why)) => json!({"state": "failed", "why": why}),
    };
    json!({"advice": advice, "trial": trial})
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_dashboards::sample;

    #[test]
    fn the_table_stands_straight_in_both_languages() {
        let rows = [vec!["二氧化碳".to_owned(), "5".to_owned()], vec!["CO2".to_owned(), "12".to_owned()]];
        assert_eq!(table(&rows), "  二氧化碳   5\n  CO2       12\n");
        for lang in Lang::ALL {
            let text = text(&Ui::plain(lang, sample::NOW), &sample::quality(), "杏园\u{1b}[2J");
            assert!(!text.contains('\u{1b}') && !text.contains("quality-") && !text.contains('{'), "{text}");
            assert!(text.contains("door.held_open") && text.lines().all(|l| l == l.trim_end()), "{text}");
        }
    }
}
