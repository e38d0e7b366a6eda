//! The weekly report: a title and lines of text for a message, composed from the same figures as its page; and when it is due.
use super::period::{HOUR_MS, Week};
use tuoan_dashboards::Ui;
use tuoan_dashboards::view::quality::{Actor, Quality};

/// Monday at so many milliseconds after local midnight.
const DUE_MS: i64 = 8 * HOUR_MS;
/// Bad actors and late answers named in a message.
const NAMED: usize = 5;

/// What goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub title: String,
    /// One thing each, without markup; an empty one parts sections.
    pub lines: Vec<String>,
}

/// The report of that week at `site`, in the language of `ui`.
pub fn weekly(ui: &Ui, q: &Quality, week: Week, site: &str) -> Report {
    let (first, last) = week.dates();
    let title = ui.t2("quality-weekly-title", ("site", site.into()), ("week", ui.week(&week.to_string(), &first, &last).into()));
    let mut lines = vec![ui.quality_lead(q)];
    if let Some(at) = q.recorded_from {
        lines.push(ui.t1("quality-recorded", "time", ui.date_time(at)));
    }
    if q.incomplete {
        lines.push(ui.t("quality-incomplete"));
    }
    lines.push(String::new());
    for key in ui.key_figures(&q.figures, q.previous.as_ref()) {
        let change = ui.change(&key);
        let value = if change.is_empty() { key.value } else { format!("{} {change}", key.value) };
        lines.push(ui.key_line(&key.name, &value, &key.note));
    }
    let actors: Vec<&Actor> = q.actors.iter().take(NAMED).collect();
    if !actors.is_empty() {
        lines.extend([String::new(), ui.t("quality-actors")]);
        for (n, a) in actors.into_iter().enumerate() {
            lines.push(format!("{}. {} · {}", n + 1, at_place(ui, a), ui.actor_facts(a)));
            lines.push(format!("   {}", ui.suggestion_whole(a)));
        }
    }
    lines.extend([String::new(), ui.t("quality-late")]);
    if q.late.is_empty() {
        lines.push(ui.t("quality-late-none"));
    }
    for l in q.late.iter().take(NAMED) {
        let what = ui.t2("quality-at-place", ("place", l.place.as_str().into()), ("title", ui.named(&l.title, &l.hazard).into()));
        lines.push(format!("- {} {what} · {}", ui.date_time(l.opened_at), ui.late_says(l)));
    }
    Report { title, lines }
}

/// "大门 · 门开着没关", with the device.
pub fn at_place(ui: &Ui, a: &Actor) -> String {
    let what = ui.t2("quality-at-place", ("place", a.place.as_str().into()), ("title", ui.named(&a.title, &a.hazard).into()));
    match a.device.as_ref().filter(|d| **d != a.place) {
        Some(device) => format!("{what} ({device})"),
        None => what,
    }
}

/// The week whose report is to go out at `now` (UTC milliseconds): that which ended last, from Monday 08:00 local time on, unless it or a later one
/// has been sent. One that was missed while the gateway was down goes out when it is up again, alone.
pub fn due(last_sent: Option<Week>, now: i64, utc_offset_minutes: i32) -> Option<Week> {
    let week = Week::of(now.saturating_sub(DUE_MS), utc_offset_minutes).before();
    (last_sent.is_none_or(|sent| sent < week)).then_some(week)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_dashboards::{Lang, sample};

    #[test]
    fn it_is_due_once_a_week_from_monday_at_eight() {
        let week: Week = "2026-W47".parse().unwrap();
        let monday = week.period(480).to;
        let at = |hours: i64| monday + hours * HOUR_MS;
        assert_eq!(due(Some(week.before()), at(8) - 1, 480), None);
        assert_eq!(due(Some(week.before()), at(8), 480), Some(week));
        assert_eq!(due(Some(week), at(8), 480), None);
        assert_eq!(due(Some(week), at(24 * 7) + 7 * HOUR_MS, 480), None);
        assert_eq!(due(Some(week), at(24 * 7 + 8), 480), Some(week.after()));
        // Down for a month: only the last one. And a clock that was wrong does not bring an old one again.
        assert_eq!(due(Some(week), at(24 * 30), 480), Some(Week::of(at(24 * 30), 480).before()));
        assert_eq!(due(Some(week.after()), at(9), 480), None);
        assert_eq!(due(None, at(8), 480), Some(week));
    }

    #[test]
    fn it_says_what_matters_in_both_languages() {
        let week: Week = "2026-W47".parse().unwrap();
        let of = |lang| weekly(&Ui::plain(lang, sample::NOW), &sample::quality(), week, "杏园托育");
        let zh = of(Lang::Zh);
        assert_eq!(zh.title, "杏园托育 报警周报 · 第 47 周（2026年11月16日至2026年11月22日）");
        let text = zh.lines.join("\n");
        for says in [
            "报警 86 次",
            "报警次数：86 ↓ 上期 112（",
            "1. 大门 · 门长时间未关 (大门门磁) · 32 次，占 37%，抖动 3 阵",
            "“持续多久才算”从 1 分钟改为 2 分钟。按本园 26.5 天的记录",
            "40 分钟没有人接手（目标 5 分钟）",
        ] {
            assert!(text.contains(says), "{says}:\n{text}");
        }
        assert!(zh.lines.iter().all(|l| !l.contains("quality-") && !l.contains('{') && !l.contains('\n')), "{text}");
        let en = of(Lang::En).lines.join("\n");
        assert!(en.contains("Answered too late") && en.contains("↓ before: 112") && !en.contains("quality-"), "{en}");
    }
}
