//! `tuoan drill fire --zone nap-1`: stages a hazard by the way of all messages, follows what comes of it, and writes the report for the file
//! (fire drills twice a year: 托育机构消防安全指南（试行）).
use crate::clock::Clock;
use crate::control::{self, Answer, Request, Staged};
use crate::store::{Reader, StoreError, ToldState};
use miette::{IntoDiagnostic, Result, miette};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tuoan_dashboards::{Lang, Ui};
use tuoan_protocol::{Exercise, IncidentEvent, Transition};

#[derive(clap::Args)]
pub struct Args {
    /// What happens.
    #[arg(value_enum)]
    what: Staged,
    /// Where: the id of a zone of the site file.
    #[arg(long)]
    zone: String,
    /// The running gateway's data folder.
    #[arg(long)]
    data: PathBuf,
    /// Who leads the drill; stands in the log.
    #[arg(long)]
    by: String,
    /// It ends by itself after so many minutes, 1 to 60; before that when somebody says on its page that it is handled, or with Ctrl-C.
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// File for the report (HTML, for printing); by default drill-TIME.html in the present folder.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Language of the report: zh-CN or en.
    #[arg(long, default_value = "zh-CN")]
    language: String,
    /// Minutes east of UTC, for the report's times.
    #[arg(long, default_value_t = 480)]
    utc_offset_minutes: i32,
}

/// One step of a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// UTC milliseconds.
    pub at: i64,
    pub what: String,
    /// Who or what.
    pub who: String,
}

const LOOK: Duration = Duration::from_millis(300);

/// Runs it.
///
/// # Errors
/// There is no gateway, it refuses, or its database cannot be read.
pub async fn run(args: Args) -> Result<ExitCode> {
    let lang = Lang::parse(&args.language).ok_or_else(|| miette!("{:?} is no language; write zh-CN or en", args.language))?;
    let request = Request::Drill { what: args.what, zone: args.zone.clone(), minutes: args.minutes, by: args.by.clone() };
    let (begun, before) = match control::ask(&args.data, &request).await.map_err(|e| miette!("{e}"))? {
        Answer::Done { at, sequence } => (at, sequence),
        Answer::Refused { reason } => return Err(miette!("the gateway refuses: {reason}")),
        Answer::Firmware { .. } => return Err(miette!("the gateway gave another answer than was asked for; are both of one version?")),
    };
    let ui = Ui { utc_offset_minutes: args.utc_offset_minutes, ..Ui::plain(lang, begun) };
    let say = |key: &str| lang.say(key, &[]);
    crate::say!("{}  {}", ui.clock_seconds(begun), say("drill-begun"));
    let reader = Reader::open(&args.data).into_diagnostic()?;
    let (mut shown, mut over) = (0, false);
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let end = begun.saturating_add(i64::from(args.minutes).saturating_mul(60_000));
    while !over {
        tokio::select! {
            _ = &mut interrupt => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        let steps = steps(&reader, before, begun, lang).into_diagnostic()?;
        for s in steps.iter().skip(shown) {
            crate::say!("{}  +{:>6.1} s  {}  {}", ui.clock_seconds(s.at), seconds(begun, s.at), s.what, s.who);
        }
        shown = shown.max(steps.len());
        over = closed(&reader, before).into_diagnostic()? || Clock::System.utc_ms() >= end;
    }
    // It may have ended by itself.
    let _ = control::ask(&args.data, &Request::DrillEnd { by: args.by.clone() }).await;
    tokio::time::sleep(LOOK).await;
    let steps = steps(&reader, before, begun, lang).into_diagnostic()?;
    let name = args.report.unwrap_or_else(|| PathBuf::from(format!("drill-{}.html", begun / 1000)));
    let html = report(&args.what, &args.zone, &args.by, begun, &steps, &ui);
    std::fs::write(&name, html).into_diagnostic()?;
    crate::say!("{}  {}", say("drill-report-written"), name.display());
    // A drill that reached nobody has failed, whatever else went well.
    Ok(if steps.iter().any(|s| s.what == say("drill-detected")) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn drilled(reader: &Reader, before: u64) -> std::result::Result<Vec<IncidentEvent>, StoreError> {
    let mut events = Vec::new();
    let mut after = before;
    loop {
        let page = reader.events_after(after, 500)?;
        let Some(last) = page.last() else { return Ok(events) };
        after = last.sequence;
        events.extend(page.into_iter().filter_map(|e| e.event.ok()).filter(|e| e.exercise == Some(Exercise::Drill)));
    }
}

fn closed(reader: &Reader, before: u64) -> std::result::Result<bool, StoreError> {
    let over = |e: &IncidentEvent| e.state.closed || e.transition == Transition::Resolved;
    Ok(drilled(reader, before)?.last().is_some_and(over))
}

/// All that came of it, in order of time.
///
/// # Errors
/// The database cannot be read.
pub fn steps(reader: &Reader, before: u64, begun: i64, lang: Lang) -> std::result::Result<Vec<Step>, StoreError> {
    let say = |key: &str| lang.say(key, &[]);
    let events = drilled(reader, before)?;
    let mut steps = Vec::new();
    for e in &events {
        let what = match e.transition {
            Transition::Opened => say("drill-detected"),
            t => say(&format!("transition-{}", t.name())),
        };
        steps.push(Step { at: e.at, what, who: e.actor.as_deref().unwrap_or_default().to_owned() });
    }
    let Some(first) = events.first() else { return Ok(steps) };
    for r in reader.receipts_of(first.incident.as_str())? {
        if r.sequence == first.sequence {
            steps.push(Step { at: r.at, what: say("drill-accepted"), who: r.sink });
        }
    }
    let (notices, told) = reader.notices_of(first.incident.as_str())?;
    for t in told.iter().filter(|t| matches!(t.state, ToldState::Sent | ToldState::Digest)) {
        let person = notices.iter().find(|n| n.notice.id == t.notice).and_then(|n| n.notice.person.clone());
        let who = person.map_or_else(|| t.channel.clone(), |p| format!("{p} ({})", t.channel));
        steps.push(Step { at: t.at, what: say("drill-told"), who });
    }
    for n in &notices {
        if let Some(seen) = n.seen {
            steps.push(Step { at: seen, what: say("drill-seen"), who: n.notice.person.clone().unwrap_or_default() });
        }
    }
    steps.sort_by_key(|s| s.at);
    steps.retain(|s| s.at >= begun.saturating_sub(60_000));
    Ok(steps)
}

fn seconds(from: i64, to: i64) -> f64 {
    // Differences of a drill's times are far below what a float keeps exactly.
    to.saturating_sub(from) as f64 / 1000.0
}

/// The report on one A4 page or two, for the file.
pub fn report(what: &Staged, zone: &str, by: &str, begun: i64, steps: &[Step], ui: &Ui) -> String {
    let say = |key: &str| ui.t(key);
    let mut rows = String::new();
    for s in steps {
        let cells = [ui.clock_seconds(s.at), format!("{:.1} s", seconds(begun, s.at)), s.what.clone(), s.who.clone()];
        // Writing to a String cannot fail.
        let _ = writeln!(rows, "<tr>{}</tr>", cells.iter().map(|c| format!("<td>{}</td>", escaped(c))).collect::<String>());
    }
    let hazard = say(&format!("hazard-{}", what.hazard().replace('.', "-")));
    let facts =
        [("drill-what", hazard), ("drill-where", zone.to_owned()), ("drill-by", by.to_owned()), ("drill-when", ui.full_date_time(begun))];
    let facts: String = facts.iter().map(|(k, v)| format!("<tr><th>{}</th><td>{}</td></tr>", escaped(&say(k)), escaped(v))).collect();
    let heads = ["drill-time", "drill-after", "drill-step", "drill-who"].map(|k| format!("<th>{}</th>", escaped(&say(k)))).concat();
    format!(
        "<!doctype html><html lang=\"{lang}\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>@page{{size:A4;margin:18mm}}body{{font:12pt/1.6 system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;max-width:45em;margin:2em auto;padding:0 1em}}\
         table{{border-collapse:collapse;width:100%;margin:1em 0}}th,td{{border-bottom:1px solid #999;padding:.3em .6em;text-align:left;vertical-align:top}}\
         td{{font-variant-numeric:tabular-nums}}.sign{{margin-top:3em;display:flex;gap:4em}}.sign span{{flex:1;border-top:1px solid #000}}</style>\
         <h1>{title}</h1><table>{facts}</table><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>\
         <p class=\"sign\"><span>{sign}</span><span>{date}</span></p></html>\n",
        lang = ui.lang.tag(),
        title = escaped(&say("drill-title")),
        sign = escaped(&say("drill-sign")),
        date = escaped(&say("drill-sign-date")),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_in_both_languages_and_escapes_what_people_write() {
        let steps = [Step { at: 1_772_417_175_900, what: "发现".into(), who: "<b>王</b>".into() }];
        for lang in Lang::ALL {
            let ui = Ui { utc_offset_minutes: 480, ..Ui::plain(lang, 1_772_417_175_000) };
            let html = report(&Staged::Fire, "nap-1", "园长", 1_772_417_175_000, &steps, &ui);
            assert!(html.contains("0.9 s") && html.contains("&lt;b&gt;王"), "{html}");
            assert!(!html.contains("drill-"), "a text is missing: {html}");
        }
    }
}
