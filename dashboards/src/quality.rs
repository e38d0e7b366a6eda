//! Alarm quality in words: the same on the page, in the command's table and in the weekly report.
use crate::lang::{Lang, Text, Ui};
use crate::view::quality::{Actor, Advice, Apart, Figures, Flood, Late, Quality, RuleShare, Span, Stale, Step, Trial};
use fluent_bundle::FluentValue;
use std::borrow::Borrow;
use std::cmp::Ordering;

/// A key figure, what it was before, and whether that is better.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub name: String,
    pub value: String,
    /// What belongs to it in small print.
    pub note: String,
    pub before: Option<String>,
    /// `Less`: better than before, `Greater`: worse.
    pub change: Option<Ordering>,
    /// Somebody should look at it.
    pub is_bad: bool,
}

/// A false share above this wants a look; ours.
const MANY_FALSE: f64 = 0.2;

impl Ui {
    /// What the rule is called, else its hazard.
    pub fn named(&self, title: &Text, hazard: &str) -> String {
        if title.is_empty() { self.hazard(hazard) } else { self.text(title).to_owned() }
    }
    /// "37%"; below one per cent with a decimal.
    pub fn percent(&self, share: impl Borrow<f64>) -> String {
        let p = share.borrow() * 100.0;
        if p > 0.0 && p < 0.95 { format!("{p:.1}%") } else { format!("{p:.0}%") }
    }
    /// "12" or "1.4".
    pub fn rate(&self, n: impl Borrow<f64>) -> String {
        let n = *n.borrow();
        if n >= 10.0 || n == 0.0 { format!("{n:.0}") } else { format!("{n:.1}") }
    }
    /// "11/22": the day of a date, short.
    pub fn short_date(&self, date: &str) -> String {
        let mut parts = date.split('-').skip(1).map(|p| p.trim_start_matches('0'));
        match (parts.next(), parts.next()) {
            (Some(m), Some(d)) => format!("{m}/{d}"),
            _ => date.to_owned(),
        }
    }
    pub(crate) fn args(&self, key: &str, pairs: Vec<(&str, FluentValue<'_>)>) -> String {
        let args: fluent_bundle::FluentArgs<'_> = pairs.into_iter().collect();
        self.lang.message(key, Some(&args)).unwrap_or_else(|| key.to_owned())
    }

    /// The period in a sentence.
    pub fn quality_lead(&self, q: &Quality) -> String {
        let urgent: u64 = q.figures.by_severity.iter().take(2).sum();
        self.args("quality-lead", vec![("n", q.figures.alarms.into()), ("urgent", urgent.into())])
    }
    pub fn flood_says(&self, f: &Flood) -> String {
        self.args("quality-flood", vec![("n", f.alarms.into()), ("peak", f.peak.into())])
    }
    pub fn stale_says(&self, s: &Stale) -> String {
        let since = self.date_time(s.since);
        match s.until {
            Some(until) => {
                let span = self.short_span(until.saturating_sub(s.since));
                self.args("quality-stale-since", vec![("time", since.into()), ("span", span.into())])
            }
            None => self.t1("quality-stale-still", "time", since),
        }
    }
    /// What is not counted, with its count; what did not occur is left out.
    pub fn apart(&self, a: &Apart) -> Vec<(String, u64)> {
        let all = [
            ("quality-apart-drills", a.drills),
            ("quality-apart-canaries", a.canaries),
            ("quality-apart-tests", a.tests),
            ("quality-apart-shelved", a.shelved),
            ("quality-apart-suppressed", a.suppressed),
            ("quality-apart-out-of-service", a.out_of_service),
            ("quality-apart-unannounced", a.unannounced),
            ("quality-apart-held-back", a.held_back),
            ("quality-apart-gathered", a.gathered),
            ("quality-apart-merged", a.merged),
        ];
        all.into_iter().filter(|(_, n)| *n > 0).map(|(key, n)| (self.t(key), n)).collect()
    }
    /// The key figures, in order of their weight.
    pub fn key_figures(&self, now: &Figures, before: Option<&Figures>) -> Vec<Key> {
        let count = |n: u64| n.to_string();
        let share = |f: &Figures| f.false_share().map_or_else(|| "–".to_owned(), |s| self.percent(s));
        let key = |name: &str, value: String, note: String, was: Option<String>, change: Option<Ordering>, is_bad| Key {
            name: self.t(name),
            value,
            note,
            before: was,
            change,
            is_bad,
        };
        let of = |f: fn(&Figures) -> u64| (before.map(|b| f(b).to_string()), before.map(|b| f(now).cmp(&f(b))));
        let (alarms, floods) = (of(|f| f.alarms), of(|f| f.floods));
        let (chattering, stale, late) = (of(|f| f.chattering), of(|f| f.stale), of(|f| f.late));
        let shares = before.and_then(|b| now.false_share().zip(b.false_share()));
        let rates = self.args("quality-rates", vec![("day", self.rate(now.per_day).into()), ("hour", self.rate(now.per_hour).into())]);
        let flooded = if now.floods == 0 {
            self.n("quality-peak", now.peak)
        } else {
            self.t1("quality-flood-share", "share", self.percent(now.flood_share))
        };
        let judged = if now.incidents == 0 {
            self.t("quality-no-incident")
        } else {
            self.args("quality-judged", vec![("n", now.judged.into()), ("all", now.incidents.into()), ("rest", now.unjudged().into())])
        };
        vec![
            key("quality-key-alarms", count(now.alarms), rates, alarms.0, alarms.1, false),
            key("quality-key-floods", count(now.floods), flooded, floods.0, floods.1, now.floods > 0),
            key(
                "quality-key-false",
                share(now),
                judged,
                before.map(share),
                shares.and_then(|(a, b)| a.partial_cmp(&b)),
                now.false_share() > Some(MANY_FALSE),
            ),
            key("quality-key-late", count(now.late), self.n("quality-asked", now.asked), late.0, late.1, now.late > 0),
            key(
                "quality-key-chattering",
                count(now.chattering),
                self.t("quality-chattering-note"),
                chattering.0,
                chattering.1,
                now.chattering > 0,
            ),
            key("quality-key-stale", count(now.stale), self.t("quality-stale-note"), stale.0, stale.1, now.stale > 0),
        ]
    }
    /// "比上周多 12" of one figure; empty without one to compare with.
    pub fn change(&self, key: &Key) -> String {
        match (&key.before, key.change) {
            (Some(before), Some(Ordering::Less)) => self.t1("quality-before-less", "before", before.as_str()),
            (Some(before), Some(Ordering::Greater)) => self.t1("quality-before-more", "before", before.as_str()),
            (Some(before), _) => self.t1("quality-before-same", "before", before.as_str()),
            (None, _) => String::new(),
        }
    }

    /// "32 次，占全部的 37%，抖动 3 阵，已判定 4 件中 3 件误报".
    pub fn actor_facts(&self, a: &Actor) -> String {
        let mut parts = vec![self.args("quality-actor-alarms", vec![("n", a.alarms.into()), ("share", self.percent(a.share).into())])];
        if a.chatter > 0 {
            parts.push(self.args("quality-actor-chatter", vec![("n", a.chatter.into()), ("held", a.held_back.into())]));
        }
        if a.stale > 0 {
            parts.push(self.n("quality-actor-stale", a.stale));
        }
        parts.push(if a.judged == 0 {
            self.t("quality-actor-unjudged")
        } else {
            self.args("quality-actor-false", vec![("n", a.judged.into()), ("false", a.wrong.into())])
        });
        parts.join(&self.t("rule-and"))
    }
    /// What to do about it.
    pub fn suggestion(&self, advice: &Advice) -> String {
        match advice {
            Advice::Adjust(steps) => {
                let steps: Vec<String> = steps.iter().map(|s| self.step(s)).collect();
                steps.join(&self.t("rule-and"))
            }
            Advice::Sensor(care) => self.word("quality-care", care),
            Advice::Cause => self.t("quality-cause"),
            Advice::Nothing => self.t("quality-nothing"),
            Advice::Unknown => self.t("quality-unknown"),
        }
    }
    fn step(&self, s: &Step) -> String {
        match s {
            Step::Hold { from: 0, to } => self.t1("quality-step-hold-new", "to", self.exact_span(*to)),
            Step::Hold { from, to } => {
                self.args("quality-step-hold", vec![("from", self.exact_span(*from).into()), ("to", self.exact_span(*to).into())])
            }
            Step::Bound { name, quantity, from, to } => {
                let value = |v| crate::rules::exact(v, quantity);
                let (name, unit) = (self.word("rule-form", name), self.unit(quantity));
                self.args(
                    "quality-step-bound",
                    vec![
                        ("quantity", self.quantity(quantity).into()),
                        ("name", name.into()),
                        ("from", value(*from).into()),
                        ("to", value(*to).into()),
                        ("unit", unit.into()),
                    ],
                )
            }
        }
    }
    /// What the trial on the site's own history says; empty when there was nothing to try.
    pub fn trial_says(&self, trial: &Trial) -> String {
        match trial {
            Trial::None => String::new(),
            Trial::Pending => self.t("quality-trial-pending"),
            Trial::Done { before, after, days, .. } => self.args(
                "quality-trial-done",
                vec![("before", self.rate(before).into()), ("after", self.rate(after).into()), ("days", self.days(days).into())],
            ),
            Trial::TooShort(days) => self.t1("quality-trial-short", "days", self.days(days)),
            Trial::OutOfTime => self.t("quality-trial-time"),
            Trial::Failed(why) => self.t1("quality-trial-failed", "why", why.as_str()),
        }
    }
    /// The same with its doubts.
    pub fn trial_whole(&self, trial: &Trial) -> String {
        self.sentences(&[self.trial_says(trial), self.trial_doubt(trial)])
    }
    /// A note on a trial with few days.
    fn trial_doubt(&self, trial: &Trial) -> String {
        if matches!(trial, Trial::Done { short: true, .. }) { self.t("quality-trial-doubt") } else { String::new() }
    }
    /// "3 (75%)": how many of the judged were false.
    pub fn false_says(&self, r: &RuleShare) -> String {
        r.false_share().map_or_else(|| "–".to_owned(), |share| format!("{} ({})", r.wrong, self.percent(share)))
    }
    /// "9/12 (75%)".
    pub fn kept(&self, s: &Span) -> String {
        s.share().map_or_else(|| "–".to_owned(), |share| format!("{}/{} ({})", s.within, s.judged, self.percent(share)))
    }
    /// A length of time, or a dash.
    pub fn took(&self, ms: &Option<i64>) -> String {
        ms.map_or_else(|| "–".to_owned(), |ms| self.short_span(ms))
    }
    /// In its largest unit: "4.5 分钟".
    pub fn short_span(&self, ms: impl Borrow<i64>) -> String {
        let s = (*ms.borrow()).max(0) as f64 / 1000.0;
        let (key, n) = match s {
            s if s < 60.0 => ("duration-s", s.round()),
            s if s < 3600.0 => ("duration-m", s / 60.0),
            s if s < 86_400.0 => ("duration-h", s / 3600.0),
            s => ("duration-d", s / 86_400.0),
        };
        let text = format!("{n:.1}");
        self.t1(key, "n", text.strip_suffix(".0").unwrap_or(&text).to_owned())
    }
    /// "等了 12 分钟才有人接手（应在 5 分钟内）".
    pub fn late_says(&self, l: &Late) -> String {
        let key = match (l.handling, l.done) {
            (false, true) => "quality-late-note",
            (false, false) => "quality-late-note-never",
            (true, true) => "quality-late-handle",
            (true, false) => "quality-late-handle-never",
        };
        self.args(key, vec![("took", self.short_span(l.took).into()), ("target", self.exact_span(l.target).into())])
    }
    /// "第 47 周（2026年11月16日至22日）".
    pub fn week(&self, week: &str, first: &str, last: &str) -> String {
        let number = week.split_once("-W").map_or(week, |(_, w)| w.trim_start_matches('0'));
        self.args("quality-week", vec![("n", number.to_owned().into()), ("from", self.date(first).into()), ("to", self.date(last).into())])
    }
    /// Suggestion and trial on one line.
    pub fn suggestion_whole(&self, a: &Actor) -> String {
        self.sentences(&[self.suggestion(&a.advice), self.stop(&a.advice), self.trial_whole(&a.trial)])
    }
    /// A key figure on a line of its own.
    pub fn key_line(&self, name: &str, value: &str, note: &str) -> String {
        self.args("quality-line-note", vec![("name", name.into()), ("value", value.into()), ("note", note.into())])
    }
    /// What ends a suggestion when a sentence follows: those that are sentences themselves have their own.
    fn stop(&self, advice: &Advice) -> String {
        if matches!(advice, Advice::Adjust(_)) { self.t("quality-stop") } else { String::new() }
    }
    /// Languages write a list of sentences with or without a space between.
    fn sentences(&self, list: &[String]) -> String {
        let space = if self.lang == Lang::Zh { "" } else { " " };
        let stop = self.t("quality-stop");
        list.iter().filter(|s| !s.is_empty()).fold(String::new(), |mut out, s| {
            if !out.is_empty() && *s != stop {
                out.push_str(space);
            }
            out.push_str(s);
            out
        })
    }
}

/// Path of the rule's page with the suggested figures as a query.
pub fn try_link(rule: &str, advice: &Advice) -> String {
    let mut path = format!("/rules/{rule}");
    let Advice::Adjust(steps) = advice else { return path };
    for (n, step) in steps.iter().enumerate() {
        path.push(if n == 0 { '?' } else { '&' });
        path.push_str(&match step {
            Step::Hold { to, .. } if to % 60_000 == 0 => format!("hold={}&hold_unit=m", to / 60_000),
            Step::Hold { to, .. } => format!("hold={}&hold_unit=s", to / 1000),
            Step::Bound { name, quantity, to, .. } => format!("{name}={}", crate::rules::exact(*to, quantity)),
        });
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_said_as_sharply_as_they_are_known() {
        let (zh, en) = (Ui::plain(Lang::Zh, 0), Ui::plain(Lang::En, 0));
        assert_eq!([0.0, 0.004, 0.375, 1.0].map(|s| zh.percent(s)), ["0%", "0.4%", "38%", "100%"]);
        assert_eq!([0.0, 0.44, 9.96, 12.4].map(|n| zh.rate(n)), ["0", "0.4", "10.0", "12"]);
        assert_eq!([45_000, 270_000, 7_200_000].map(|ms| zh.short_span(ms)), ["45 秒", "4.5 分钟", "2 小时"]);
        assert_eq!(zh.week("2026-W07", "2026-02-09", "2026-02-15"), "第 7 周（2026年2月9日至2026年2月15日）");
        let step = Step::Hold { from: 600_000, to: 1_200_000 };
        assert_eq!(zh.suggestion(&Advice::Adjust(vec![step.clone()])), "“持续多久才算”从 10 分钟改为 20 分钟");
        assert_eq!(en.suggestion(&Advice::Adjust(vec![step])), "Hold time from 10 min to 20 min");
        let figures = Figures { alarms: 4, incidents: 4, ..Figures::default() };
        let keys = zh.key_figures(&figures, Some(&Figures { alarms: 9, ..Figures::default() }));
        assert_eq!((zh.change(&keys[0]), keys[2].value.as_str()), ("↓ 上期 9".to_owned(), "–"), "nothing is judged: no share is made up");
        assert!(keys[2].note.contains("还有 4 件没有判定"), "{}", keys[2].note);
    }
}
