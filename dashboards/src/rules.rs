//! Rules in sentences.
use crate::lang::{Lang, Ui};
use crate::view::rules::{Bound, Doubt, Figures, Says};
use std::borrow::Borrow;
use tuoan_protocol::{Fixed, Quantity};

impl Ui {
    /// What the rule says, in one sentence: "二氧化碳 1 小时平均高于 1000 ppm，有人时".
    pub fn rule_sentence(&self, s: &Says) -> String {
        let mut parts = vec![self.rule_core(s)];
        if s.hold > 0 {
            parts.push(self.t1("rule-hold", "span", self.exact_span(s.hold)));
        }
        match s.occupied {
            Some(true) => parts.push(self.t("rule-occupied")),
            Some(false) => parts.push(self.t("rule-empty")),
            None => {}
        }
        let list = |prefix: &str, members: &[&'static str]| -> String {
            members.iter().map(|m| self.word(prefix, m)).collect::<Vec<_>>().join(&self.t("list-comma"))
        };
        if !s.phases.is_empty() {
            parts.push(self.t1("rule-phases", "list", list("phase", &s.phases)));
        }
        if !s.months.is_empty() {
            let months: Vec<String> = s.months.iter().map(u8::to_string).collect();
            parts.push(self.t1("rule-months", "list", months.join(&self.t("list-comma"))));
        }
        if !s.zones.is_empty() {
            parts.push(self.t1("rule-zones", "list", list("zone-kind", &s.zones)));
        }
        if let Some(floor) = s.floor_min {
            parts.push(self.t1("rule-floor", "n", i64::from(floor)));
        }
        parts.join(&self.t("rule-and"))
    }

    /// A hazard's name in the catalogue.
    pub fn hazard(&self, id: &str) -> String {
        let key = format!("hazard-{}", id.replace('.', "-"));
        self.lang.message(&key, None).unwrap_or_else(|| id.to_owned())
    }
    pub fn severity_number(&self, n: impl Borrow<u8>) -> String {
        self.word("severity", &n.borrow().to_string())
    }
    pub fn trial_busy(&self, by: &str, rule: &str) -> String {
        self.t2("trial-busy", ("name", by.into()), ("rule", rule.into()))
    }
    pub fn trial_span(&self, from: impl Borrow<i64>, to: impl Borrow<i64>) -> String {
        self.t2("trial-span", ("from", self.date_time(from).into()), ("to", self.date_time(to).into()))
    }
    pub fn trial_counts(&self, f: &Figures) -> String {
        self.t2("trial-counts", ("incidents", f.incidents.into()), ("activations", f.activations.into()))
    }

    fn rule_core(&self, s: &Says) -> String {
        let Some(q) = &s.quantity else {
            return match s.kind.as_str() {
                "silence" => self.t1("rule-silence", "n", u64::from(s.missed)),
                "age" => self.t1("rule-age", "span", self.exact_span(s.every)),
                kind => self.word("rule-kind", kind),
            };
        };
        let name = self.quantity(q);
        if let Some(is) = &s.is {
            return format!("{name}{}{}", self.t("rule-colon"), self.figure(q, is));
        }
        let bound = |key: &str, v: &Option<Fixed>| v.map(|v| self.t1(key, "value", self.bound_value(q, v)));
        let bounds: Vec<String> = [("above", &s.above), ("at-least", &s.at_least), ("below", &s.below), ("at-most", &s.at_most)]
            .into_iter()
            .filter_map(|(k, v)| bound(&format!("rule-{k}"), v))
            .collect();
        let bounds = bounds.join(&self.t("rule-or"));
        if let Some(rise) = s.rise {
            let (span, value) = (self.exact_span(s.window), self.bound_value(q, rise));
            return format!("{name}{}", self.t2("rule-rise", ("span", span.into()), ("value", value.into())));
        }
        if bounds.is_empty() {
            return format!("{name}{}{}", self.t("rule-colon"), self.word("rule-kind", &s.kind));
        }
        let over = match s.kind.as_str() {
            "mean" => self.t1("rule-mean", "span", self.exact_span(s.window)),
            "daily" => self.t("rule-daily"),
            _ => self.t("rule-space"),
        };
        format!("{name}{over}{bounds}")
    }

    /// A bound as exactly as it is kept: "0.08 mg/m³".
    fn bound_value(&self, q: &Quantity, v: Fixed) -> String {
        let unit = self.unit(q);
        let figure = exact(v, q);
        if unit.is_empty() { figure } else { format!("{figure} {unit}") }
    }

    /// A length of time in its largest unit that fits exactly: "15 分钟".
    pub fn exact_span(&self, ms: impl Borrow<i64>) -> String {
        let s = *ms.borrow() / 1000;
        let (key, n) = match s {
            s if s > 0 && s % 86_400 == 0 => ("duration-d", s / 86_400),
            s if s > 0 && s % 3600 == 0 => ("duration-h", s / 3600),
            s if s > 0 && s % 60 == 0 => ("duration-m", s / 60),
            s => ("duration-s", s),
        };
        self.t1(key, "n", n)
    }
    /// "11月22日" or "22 Nov 2026" of "2026-11-22".
    pub fn date(&self, date: &str) -> String {
        let mut parts = date.split('-').map(|p| p.trim_start_matches('0'));
        let (Some(y), Some(m), Some(d)) = (parts.next(), parts.next(), parts.next()) else { return date.to_owned() };
        match self.lang {
            Lang::Zh => format!("{y}年{m}月{d}日"),
            Lang::En => {
                let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
                let name = m.parse::<usize>().ok().and_then(|m| names.get(m.checked_sub(1)?));
                name.map_or_else(|| date.to_owned(), |name| format!("{d} {name} {y}"))
            }
        }
    }
    /// The form's word for a bound: "高于 (ppm)".
    pub fn bound_label(&self, b: &Bound) -> String {
        let unit = b.quantity.as_ref().map(|q| self.unit(q)).unwrap_or_default();
        let label = self.word("rule-form", b.name);
        if unit.is_empty() { label } else { self.t2("rule-form-unit", ("label", label.into()), ("unit", unit.into())) }
    }
    /// "每周约 3.5 件".
    pub fn weekly(&self, f: &Figures) -> String {
        self.t1("trial-weekly", "n", rate(f.per_week))
    }
    /// "95% 的把握在 1.2 到 7.6 之间".
    pub fn weekly_range(&self, f: &Figures) -> String {
        self.t2("trial-range", ("low", rate(f.low).into()), ("high", rate(f.high).into()))
    }
    pub fn doubt(&self, d: &Doubt) -> String {
        match d {
            Doubt::Short(days) => self.t1("trial-short", "days", format!("{days:.1}")),
            Doubt::Sparse(share) => self.n("trial-sparse", share),
            Doubt::NoDevice => self.t("trial-no-device"),
            Doubt::Unheard(share) => self.n("trial-unheard", share),
        }
    }
    pub fn days(&self, days: impl Borrow<f64>) -> String {
        format!("{:.1}", days.borrow())
    }
}

/// Two figures that matter.
fn rate(n: f64) -> String {
    if n >= 10.0 { format!("{n:.0}") } else { format!("{n:.1}") }
}

/// All decimals that are not zero.
pub fn exact(v: Fixed, q: &Quantity) -> String {
    let text = crate::words::decimal(v.0, q.decimals(), q.decimals());
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_sentences() {
        let (zh, en) = (Ui::plain(Lang::Zh, 0), Ui::plain(Lang::En, 0));
        let mean = Says {
            kind: "mean".into(),
            quantity: Some(Quantity::Co2),
            above: Some(Fixed(1000)),
            window: 3_600_000,
            occupied: Some(true),
            ..Says::default()
        };
        assert_eq!(zh.rule_sentence(&mean), "二氧化碳 1 小时平均高于 1000 ppm，有人时");
        assert_eq!(en.rule_sentence(&mean), "CO₂, mean of 1 h, above 1000 ppm; while someone is there");
        let band = Says {
            kind: "threshold".into(),
            quantity: Some(Quantity::Temperature),
            below: Some(Fixed(1800)),
            above: Some(Fixed(2850)),
            hold: 900_000,
            phases: vec!["care", "nap"],
            ..Says::default()
        };
        assert_eq!(zh.rule_sentence(&band), "温度高于 28.5 °C 或低于 18 °C，持续 15 分钟，只在托育中、午睡");
        let smoke = Says { kind: "state".into(), quantity: Some(Quantity::Smoke), is: Some(Fixed(1)), ..Says::default() };
        assert_eq!(zh.rule_sentence(&smoke), "烟雾：报警");
        let silent = Says { kind: "silence".into(), missed: 3, ..Says::default() };
        assert_eq!(zh.rule_sentence(&silent), "连续 3 次没有消息");
        let new = Says { kind: "some_new_kind".into(), quantity: Some(Quantity::Co2), ..Says::default() };
        assert!(zh.rule_sentence(&new).starts_with("二氧化碳"));
    }
    #[test]
    fn spans_and_dates_are_exact() {
        let zh = Ui::plain(Lang::Zh, 0);
        assert_eq!([90_000, 3_600_000, 0].map(|ms| zh.exact_span(ms)), ["90 秒", "1 小时", "0 秒"]);
        assert_eq!((zh.date("2026-11-02"), Ui::plain(Lang::En, 0).date("2026-11-02")), ("2026年11月2日".into(), "2 Nov 2026".into()));
        assert_eq!(zh.date("x"), "x");
    }
}
