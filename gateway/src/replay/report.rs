//! What replays and back-tests found, in words for a terminal and as JSON for a program.
use super::backtest::{Backtest, Doubt, Figures, Offender};
use super::difference::Differences;
use super::exact::Exact;
use super::tally::{Example, Occurrence};
use serde_json::{Value, json};
use std::fmt::Write;
use tuoan_protocol::{DeviceId, Place};

/// Incidents of one kind that are written out; the rest are counted.
const LISTED: usize = 50;

/// "2026-11-22 14:32:05" in the site's own time; `utc` in milliseconds.
pub fn local_time(utc: i64, offset_minutes: i32) -> String {
    let local = utc.saturating_add(i64::from(offset_minutes) * 60_000);
    let date = crate::engine::schedule::date_of(local.div_euclid(86_400_000));
    let s = local.rem_euclid(86_400_000) / 1000;
    format!("{date} {:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// "1 h 20 min".
pub fn span(ms: i64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {:02} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {:02} h", s / 86_400, s / 3600 % 24),
    }
}

fn place(place: &Place, device: Option<&DeviceId>) -> String {
    match device.or(place.device.as_ref()) {
        Some(d) => format!("{} ({d})", place.zone),
        None => place.zone.to_string(),
    }
}

/// Of a replay under the same rules.
pub fn exact_text(e: &Exact, utc_offset_minutes: i32, utc_offset: i64) -> String {
    let mut out = String::new();
    let inputs = e.last.saturating_sub(e.after);
    let _ = writeln!(out, "{inputs} inputs replayed, positions {} to {}, by engine {}", e.after + 1, e.last, e.engine);
    if e.after > 0 && e.snapshots.is_empty() {
        let _ = writeln!(out, "begun with the snapshot at position {}; what is before it is not checked here", e.after);
    } else if !e.snapshots.is_empty() {
        let times: Vec<String> = e.snapshots.iter().map(|at| local_time(at.saturating_add(utc_offset), utc_offset_minutes)).collect();
        let begun = if e.after > 0 { "the oldest of them, where the log begins now" } else { "the beginning" };
        let _ = writeln!(out, "no snapshot is older than that time (there are {}): begun at {begun}", times.join(", "));
    }
    for span in e.foreign() {
        let _ = writeln!(
            out,
            "events {} to {} were written by engine {}: another engine may rightly decide otherwise there",
            span.from_sequence, span.to_sequence, span.version
        );
    }
    let _ = writeln!(out, "stored    {:>9} events  sha256 {}", e.stored.events, e.stored.sha256);
    let _ = writeln!(out, "replayed  {:>9} events  sha256 {}", e.replayed.events, e.replayed.sha256);
    match &e.first {
        None => out.push_str("the same, bit for bit\n"),
        Some(d) => {
            let _ =
                writeln!(out, "NOT THE SAME: {} events differ; the first at position {}, event {}", e.differing, d.position, d.sequence);
            if let Some(verdict) = &d.refused {
                let _ = writeln!(out, "  the input at position {} is in the log, and now it gets {verdict}", d.position);
            }
            let one = |v: &Option<Value>| v.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
            let _ = writeln!(out, "  stored    {}", one(&d.stored));
            let _ = writeln!(out, "  replayed  {}", one(&d.replayed));
        }
    }
    out
}

fn occurrence(o: &Occurrence, offset: i32) -> String {
    let lasted = if o.active_ms > 0 { format!(", held {}", span(o.active_ms)) } else { String::new() };
    let again = if o.activations > 1 { format!(", {} times", o.activations) } else { String::new() };
    format!(
        "{}  {}  severity {}  {}  by {}{again}{lasted}",
        local_time(o.opened_at, offset),
        o.hazard,
        u8::from(o.severity),
        place(&o.place, None),
        o.rule
    )
}

fn changes(a: &Occurrence, b: &Occurrence, offset: i32) -> String {
    let mut list = Vec::new();
    let mut say = |name: &str, was: String, is: String| {
        if was != is {
            list.push(format!("{name} {was} -> {is}"));
        }
    };
    let time = |t: i64| local_time(t, offset);
    let end = |t: Option<i64>| t.map_or_else(|| "not yet".to_owned(), time);
    say("opened", time(a.opened_at), time(b.opened_at));
    say("over", end(a.returned_at), end(b.returned_at));
    say("severity", u8::from(a.severity).to_string(), u8::from(b.severity).to_string());
    say("basis", format!("{:?}", a.basis), format!("{:?}", b.basis));
    say("rule", a.rule.to_string(), b.rule.to_string());
    say("activations", a.activations.to_string(), b.activations.to_string());
    say("held", span(a.active_ms), span(b.active_ms));
    say("closed", a.closed.to_string(), b.closed.to_string());
    say("acknowledged", a.acknowledged.to_string(), b.acknowledged.to_string());
    list.join(", ")
}

/// Of a replay under other rules.
pub fn differences_text(d: &Differences, forgotten: u64, offset: i32) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} new, {} gone, {} changed, {} the same", d.new.len(), d.gone.len(), d.changed.len(), d.same);
    for (name, list) in [("NEW", &d.new), ("GONE", &d.gone)] {
        for o in list.iter().take(LISTED) {
            let _ = writeln!(out, "{name:<8} {}", occurrence(o, offset));
        }
        if list.len() > LISTED {
            let _ = writeln!(out, "{name:<8} and {} more (all of them with --json)", list.len() - LISTED);
        }
    }
    for (a, b) in d.changed.iter().take(LISTED) {
        let _ = writeln!(out, "CHANGED  {}\n         {}", occurrence(b, offset), changes(a, b, offset));
    }
    if d.changed.len() > LISTED {
        let _ = writeln!(out, "CHANGED  and {} more (all of them with --json)", d.changed.len() - LISTED);
    }
    if forgotten > 0 {
        let _ = writeln!(out, "{forgotten} further incidents were only counted: too many to compare one by one");
    }
    out
}

fn occurrence_json(o: &Occurrence) -> Value {
    json!({
        "hazard": o.hazard, "zone": o.place.zone, "device": o.place.device, "rule": o.rule, "opened_at": o.opened_at,
        "returned_at": o.returned_at, "closed": o.closed, "acknowledged": o.acknowledged, "severity": o.severity, "basis": o.basis,
        "activations": o.activations, "active_ms": o.active_ms,
    })
}

pub fn differences_json(d: &Differences, forgotten: u64) -> Value {
    let list = |l: &[Occurrence]| l.iter().map(occurrence_json).collect::<Vec<_>>();
    let changed = d.changed.iter().map(|(a, b)| json!({"before": occurrence_json(a), "after": occurrence_json(b)}));
    json!({
        "new": list(&d.new), "gone": list(&d.gone), "changed": changed.collect::<Vec<_>>(), "same": d.same, "forgotten": forgotten,
    })
}

/// A doubt in words.
pub fn doubt(d: &Doubt) -> String {
    match d {
        Doubt::Short(days) => format!("only {days:.1} days of history: the figures are uncertain"),
        Doubt::Sparse(share) => format!("anything was heard in only {:.0} % of the hours: the figures are too low", share * 100.0),
        Doubt::NoDevice(rule) => format!("{rule}: no placed device of this site is one that it looks at; it can never say anything"),
        Doubt::Unheard(rule, share) => {
            format!("{rule}: what it judges was heard in only {:.0} % of the hours: its figures are too low", share * 100.0)
        }
    }
}

fn figures(f: Option<&Figures>) -> String {
    f.map_or_else(
        || "off".to_owned(),
        |f| {
            format!(
                "{:.1} a week ({:.1} to {:.1}); {} incidents, {} activations, held {}",
                f.per_week,
                f.low,
                f.high,
                f.incidents,
                f.activations,
                span((f.active_hours * 3_600_000.0) as i64)
            )
        },
    )
}

fn offender(o: &Offender) -> String {
    format!("{:>6} times, held {:<12} {}", o.activations, span((o.active_hours * 3_600_000.0) as i64), place(&o.place, o.device.as_ref()))
}

fn example(e: &Example, offset: i32) -> String {
    let reading = e.reading.as_ref().map_or_else(String::new, |(q, v)| format!("  {} {} {}", q.name(), q.float(*v), q.unit()));
    format!("{}  {}{reading}", local_time(e.at, offset), place(&e.place, e.device.as_ref()))
}

/// Of a back-test.
pub fn backtest_text(b: &Backtest) -> String {
    let mut out = String::new();
    let time = |t| local_time(t, b.utc_offset_minutes);
    let _ = writeln!(
        out,
        "{:.1} days of history, {} to {}; something was heard in {:.0} % of the hours",
        b.days,
        time(b.from),
        time(b.to),
        b.coverage * 100.0
    );
    for d in &b.doubts {
        let _ = writeln!(out, "NOTE: {}", doubt(d));
    }
    for r in &b.rules {
        let title = r.entry.as_ref().map_or_else(String::new, |e| format!("  {} / {}", e.title.zh, e.title.en));
        let _ = writeln!(out, "\n{}{title}", r.rule);
        let _ = writeln!(out, "  in force  {}", figures(r.before.as_ref()));
        let _ = writeln!(out, "  changed   {}", figures(r.after.as_ref()));
        if !r.offenders.is_empty() {
            let _ = writeln!(out, "  worst offenders");
            for o in &r.offenders {
                let _ = writeln!(out, "    {}", offender(o));
            }
            let _ = writeln!(out, "  for example");
            for e in &r.examples {
                let _ = writeln!(out, "    {}", example(e, b.utc_offset_minutes));
            }
        }
    }
    let _ = writeln!(out, "\nall rules together\n  in force  {}\n  changed   {}", figures(Some(&b.all.0)), figures(Some(&b.all.1)));
    let _ = writeln!(
        out,
        "Intervals are 95 %, for incidents that come independently of each other; rates are by the time the gateway listened."
    );
    out
}

pub fn backtest_json(b: &Backtest) -> Value {
    let figures = |f: &Figures| {
        json!({"incidents": f.incidents, "activations": f.activations, "per_week": f.per_week, "per_week_95": [f.low, f.high],
            "active_hours": f.active_hours})
    };
    let rules = b.rules.iter().map(|r| {
        json!({
            "rule": r.rule, "devices": r.devices, "in_force": r.before.as_ref().map(figures), "changed": r.after.as_ref().map(figures),
            "offenders": r.offenders.iter().map(|o| json!({"zone": o.place.zone, "device": o.device, "activations": o.activations,
                "active_hours": o.active_hours})).collect::<Vec<_>>(),
            "examples": r.examples.iter().map(|e| json!({"at": e.at, "zone": e.place.zone, "device": e.device,
                "reading": e.reading.as_ref().map(|(q, v)| json!({"quantity": q, "value": q.float(*v), "unit": q.unit()}))})).collect::<Vec<_>>(),
        })
    });
    json!({
        "from": b.from, "to": b.to, "days": b.days, "coverage": b.coverage, "notes": b.doubts.iter().map(doubt).collect::<Vec<_>>(),
        "rules": rules.collect::<Vec<_>>(), "all": {"in_force": figures(&b.all.0), "changed": figures(&b.all.1)},
    })
}
