//! Pack text -> rules, with every problem of the file together.
use super::catalogue::{Entry, Words};
use super::condition::{Condition, ConditionText, MAX_CONDITIONS};
use super::ladder::{Ladder, LadderText, Pattern, PatternText};
use super::text::{CaseText, PlaceText, RuleText};
use super::{ALL_MONTHS, ALL_PHASES, Bounds, DecayOf, Kind, Rule, phase_bit};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use tuoan_protocol::{Quantity, Severity};

/// One thing that is wrong with a pack, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    pub message: String,
}
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// A pack that is sound.
#[derive(Debug, Clone)]
pub struct Pack {
    pub name: String,
    pub version: u32,
    pub rules: Vec<(Rule, Entry)>,
    pub ladders: Vec<Ladder>,
    pub patterns: Vec<Pattern>,
    pub(super) cases: Vec<(usize, Spanned<CaseText>)>,
    /// Line of each rule's id.
    pub(super) lines: Vec<usize>,
}

impl Pack {
    /// Number of the cases of its nth rule, and all their steps.
    pub fn cases_of(&self, rule: usize) -> usize {
        self.cases.iter().filter(|(of, _)| *of == rule).count()
    }
    pub fn steps_of(&self, rule: usize) -> Vec<&str> {
        let cases = self.cases.iter().filter(|(of, _)| *of == rule);
        cases.flat_map(|(_, c)| c.get_ref().steps.iter().map(|s| s.get_ref().as_str())).collect()
    }
}

/// What `tuoan rules check` says of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub name: String,
    pub rules: usize,
    /// Wrong in the text; and cases that do not come out as told.
    pub problems: Vec<Problem>,
    pub cases_run: usize,
    pub cases_failed: usize,
}
impl Report {
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks a pack's text and runs the cases in it.
pub fn check(text: &str) -> Report {
    let mut report = Report { name: name_of(text), ..Report::default() };
    match parse(text) {
        Err(problems) => report.problems = problems,
        Ok(pack) => {
            report.rules = pack.rules.len();
            for (index, (rule, _)) in pack.rules.iter().enumerate().filter(|(i, _)| pack.cases.iter().all(|(of, _)| of != i)) {
                let line = pack.lines.get(index).copied().unwrap_or(1);
                report.problems.push(Problem { line, message: format!("{} has no test case; add a [[rule.case]]", rule.id) });
            }
            for (index, case) in &pack.cases {
                let Some((rule, _)) = pack.rules.get(*index) else { continue };
                report.cases_run += 1;
                // A hub gathers what other rules find.
                let company = pack.rules.iter().map(|(r, _)| r).filter(|r| rule.kind == Kind::Hub && r.kind == Kind::Silence);
                let failures = super::case::run(rule, &company.cloned().collect::<Vec<_>>(), case.get_ref());
                report.cases_failed += usize::from(!failures.is_empty());
                for (at, message) in failures {
                    let line = line_of(text, at.unwrap_or_else(|| case.span()).start);
                    let message = format!("case {:?} of {}: {message}", case.get_ref().name, rule.id);
                    report.problems.push(Problem { line, message });
                }
            }
            report.problems.sort_by_key(|p| p.line);
        }
    }
    report
}

/// What all packs say, in their order.
#[derive(Debug, Clone, Default)]
pub struct Packs {
    pub rules: Vec<Rule>,
    pub ladders: Vec<Ladder>,
    pub patterns: Vec<Pattern>,
}

/// The rules of all packs, in order; `Err` with every problem of every pack, one a line.
pub fn compile<S: AsRef<str>>(packs: &[S]) -> Result<Vec<Rule>, String> {
    compile_all(packs).map(|p| p.rules)
}

/// The same with ladders and patterns.
pub fn compile_all<S: AsRef<str>>(packs: &[S]) -> Result<Packs, String> {
    let (mut rules, mut problems, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
    let (mut ladders, mut patterns) = (Vec::new(), Vec::new());
    for text in packs {
        match parse(text.as_ref()) {
            Ok(pack) => {
                ladders.extend(pack.ladders);
                patterns.extend(pack.patterns);
                for (rule, _) in pack.rules {
                    if !ids.insert(rule.id.clone()) {
                        problems.push(format!("{}: the rule {} is in another pack too; rename one", pack.name, rule.id));
                    }
                    rules.push(rule);
                }
            }
            Err(list) => problems.extend(list.iter().map(|p| format!("{}: {p}", name_of(text.as_ref())))),
        }
    }
    if rules.len() > MAX_RULES {
        problems.push(format!("{} rules are too many; {MAX_RULES} is the most", rules.len()));
    }
    if problems.is_empty() { Ok(Packs { rules, ladders, patterns }) } else { Err(problems.join("\n")) }
}

/// Rules in force at most.
pub const MAX_RULES: usize = 4096;

/// The pack's `name`, empty when there is none.
pub fn name_of(text: &str) -> String {
    #[derive(Deserialize)]
    struct Head {
        name: String,
    }
    toml::from_str::<Head>(text).map(|h| h.name).unwrap_or_default()
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

/// Reads a pack; `Err` with all its problems, in order of their lines.
pub fn parse(text: &str) -> Result<Pack, Vec<Problem>> {
    let mut check = Check { text, problems: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    for e in &errors {
        check.at(e.span().unwrap_or(0..0), e.message().to_owned());
    }
    let mut pack = Pack {
        name: String::new(),
        version: 0,
        rules: Vec::new(),
        ladders: Vec::new(),
        patterns: Vec::new(),
        cases: Vec::new(),
        lines: Vec::new(),
    };
    let mut ids = BTreeSet::new();
    let (mut has_name, mut has_version) = (false, false);
    for (key, value) in document.into_inner() {
        let span = value.span();
        match (key.get_ref().as_ref(), value.into_inner()) {
            ("name", DeValue::String(s)) => (pack.name, has_name) = (s.to_string(), !s.trim().is_empty()),
            ("version", DeValue::Integer(n)) => match u32::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => (pack.version, has_version) = (n, true),
                Err(_) => check.at(span, "version must be a whole number from 0".to_owned()),
            },
            ("rule", DeValue::Array(list)) => {
                for item in list {
                    let span = item.span();
                    match RuleText::deserialize(ValueDeserializer::from(item)) {
                        Err(e) => check.at(e.span().unwrap_or(span), e.message().to_owned()),
                        Ok(t) => {
                            if !ids.insert(t.id.get_ref().clone()) {
                                check.at(t.id.span(), format!("the rule {:?} is there twice; rename one", t.id.get_ref()));
                            }
                            check.rule(&mut pack, t);
                        }
                    }
                }
            }
            ("ladder", DeValue::Array(list)) => {
                for item in list {
                    let read = check.table::<LadderText>(item).map(|(t, span)| (t.read(), span));
                    match read {
                        Some((Ok(ladder), _)) => pack.ladders.push(ladder),
                        Some((Err(problem), span)) => check.at(span, problem),
                        None => {}
                    }
                }
            }
            ("pattern", DeValue::Array(list)) => {
                for item in list {
                    let read = check.table::<PatternText>(item).map(|(t, span)| (t.read(), span));
                    match read {
                        Some((Ok(pattern), _)) => pack.patterns.push(pattern),
                        Some((Err(problem), span)) => check.at(span, problem),
                        None => {}
                    }
                }
            }
            (other, _) => {
                let known = "a pack holds `name` (text), `version` (whole number), [[rule]], [[ladder]] and [[pattern]] tables";
                check.at(key.span(), format!("`{other}` is not expected here, or not of this type; {known}"));
            }
        }
    }
    if errors.is_empty() {
        if !has_name {
            check.at(0..0, "the pack has no name; begin the file with name = \"...\"".to_owned());
        }
        if !has_version {
            check.at(0..0, "the pack has no version; write version = 1 below its name".to_owned());
        }
    }
    check.problems.sort_by_key(|p| p.line);
    if check.problems.is_empty() { Ok(pack) } else { Err(check.problems) }
}

struct Check<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn at(&mut self, span: Range<usize>, message: String) {
        let line = line_of(self.text, span.start);
        self.problems.push(Problem { line, message });
    }
    /// One table and where it stands; what is wrong with its shape is told.
    fn table<'d, T: Deserialize<'d>>(&mut self, item: Spanned<DeValue<'d>>) -> Option<(T, Range<usize>)> {
        let span = item.span();
        match T::deserialize(ValueDeserializer::from(item)) {
            Ok(table) => Some((table, span)),
            Err(e) => {
                self.at(e.span().unwrap_or(span), e.message().to_owned());
                None
            }
        }
    }
    fn duration(&mut self, text: &Option<Spanned<String>>) -> Option<i64> {
        let t = text.as_ref()?;
        let ms = duration(t.get_ref());
        if ms.is_none() {
            self.at(t.span(), format!("{:?} is no duration; write \"30s\", \"10m\", \"8h\" or \"35d\"", t.get_ref()));
        }
        ms
    }
    fn number(&mut self, quantity: Option<&Quantity>, number: &Option<Spanned<f64>>) -> Option<i64> {
        let n = number.as_ref()?;
        let Some(q) = quantity else {
            self.at(n.span(), "a bound needs a quantity; name it with quantity = \"...\"".to_owned());
            return None;
        };
        // A hysteresis or bound of a state makes no sense, so the range check of numbers is the right one.
        match q.fixed(*n.get_ref()) {
            Ok(v) => Some(v.0),
            Err(e) => {
                self.at(n.span(), format!("{} is no value of {}: {e}", n.get_ref(), q.name()));
                None
            }
        }
    }

    fn conditions(&mut self, list: &[Spanned<ConditionText>]) -> Vec<Condition> {
        if let Some(c) = list.get(MAX_CONDITIONS) {
            self.at(c.span(), format!("{MAX_CONDITIONS} conditions in one list are the most"));
        }
        let mut out = Vec::new();
        for c in list {
            match c.get_ref().read() {
                Ok(condition) => out.push(condition),
                Err(message) => self.at(c.span(), message),
            }
        }
        out
    }

    fn rule(&mut self, pack: &mut Pack, t: RuleText) {
        let kind = *t.kind.get_ref();
        let here = t.kind.span();
        let id = t.id.get_ref().parse().map_err(|e| self.at(t.id.span(), format!("id: {e}"))).ok();
        let hazard = t.hazard.get_ref().parse().map_err(|e| self.at(t.hazard.span(), format!("hazard: {e}"))).ok();
        let quantity = t.quantity.as_ref().and_then(|q| match Quantity::from_name(q.get_ref()) {
            Ok(Quantity::Other(_)) => {
                let names: Vec<_> = Quantity::ALL.iter().map(Quantity::name).collect();
                self.at(q.span(), format!("{:?} is no known quantity; the known ones are {}", q.get_ref(), names.join(", ")));
                None
            }
            Ok(q) => Some(q),
            Err(e) => {
                self.at(q.span(), format!("quantity: {e}"));
                None
            }
        });
        let bounds = Bounds {
            above: self.number(quantity.as_ref(), &t.above),
            at_least: self.number(quantity.as_ref(), if kind == Kind::Rise { &t.rise } else { &t.at_least }),
            below: self.number(quantity.as_ref(), &t.below),
            at_most: self.number(quantity.as_ref(), &t.at_most),
            hysteresis: self.number(quantity.as_ref(), &t.hysteresis).unwrap_or(0),
        };
        let numeric = matches!(kind, Kind::Threshold | Kind::Mean | Kind::Rise | Kind::Recheck | Kind::Daily | Kind::Decay | Kind::Entry);
        let bounded = bounds.above.is_some() || bounds.at_least.is_some() || bounds.below.is_some() || bounds.at_most.is_some();
        match (&quantity, kind) {
            (Some(q), Kind::State | Kind::Becomes) if !q.is_state() => {
                self.at(here.clone(), format!("{} is a number, not a state; use kind = \"threshold\"", q.name()));
            }
            (Some(q), _) if numeric && q.is_state() => {
                self.at(here.clone(), format!("{} is a state, not a number; use kind = \"state\"", q.name()));
            }
            (Some(q), _) if numeric => match &t.unit {
                None => self.at(here.clone(), format!("say unit = {:?}, so that a bound in another unit is found out", q.unit())),
                Some(u) if u.get_ref() != q.unit() => {
                    self.at(u.span(), format!("{} is kept in {:?}, not in {:?}; convert the bounds", q.name(), q.unit(), u.get_ref()));
                }
                Some(_) => {}
            },
            (None, k) if (k.is_judged() || numeric) && t.quantity.is_none() => {
                self.at(here.clone(), "this kind needs a quantity".to_owned());
            }
            _ => {}
        }
        if numeric && kind != Kind::Decay && !bounded && quantity.is_some() {
            let need = if kind == Kind::Rise { "rise" } else { "above, at_least, below or at_most" };
            self.at(here.clone(), format!("this kind needs {need}"));
        }
        if bounds.hysteresis < 0 {
            self.at(t.hysteresis.as_ref().map_or(here.clone(), Spanned::span), "hysteresis must not be negative".to_owned());
        }
        let window = if kind == Kind::Daily { Some(86_400_000) } else { self.duration(&t.window) };
        if matches!(kind, Kind::Mean | Kind::Rise | Kind::Decay | Kind::Cluster) && t.window.is_none() {
            self.at(here.clone(), "this kind needs a window, e.g. window = \"1h\"".to_owned());
        }
        if kind == Kind::Event && t.event.is_none() {
            self.at(here.clone(), "this kind needs an event, e.g. event = \"panic_pressed\"".to_owned());
        }
        let decay = DecayOf {
            outdoors: self.number(quantity.as_ref(), &t.outdoors).unwrap_or(0),
            from: self.number(quantity.as_ref(), &t.from).unwrap_or(0),
            left: t.left.as_ref().map_or(100, |l| i64::from(*l.get_ref())),
        };
        if kind == Kind::Decay && (t.outdoors.is_none() || t.from.is_none() || t.left.is_none()) {
            self.at(here.clone(), "this kind needs outdoors, from and left, e.g. outdoors = 420, from = 700, left = 95".to_owned());
        }
        if kind == Kind::Gap && t.hold.is_none() {
            self.at(here.clone(), "this kind needs hold, e.g. hold = \"10m\"".to_owned());
        }
        if kind == Kind::Cluster && t.count.as_ref().is_none_or(|c| *c.get_ref() < 2) {
            self.at(here.clone(), "this kind needs count, at least 2".to_owned());
        }
        let recheck = (self.duration(&t.recheck_after).unwrap_or(0), self.duration(&t.recheck_within).unwrap_or(i64::MAX));
        if kind == Kind::Recheck && (t.recheck_after.is_none() || t.recheck_within.is_none()) {
            self.at(here.clone(), "this kind needs recheck_after and recheck_within, e.g. \"5m\" and \"30m\"".to_owned());
        }
        if matches!(kind, Kind::Event | Kind::Report | Kind::Becomes) && t.latch.is_empty() {
            self.at(here.clone(), "what is momentary has no end of its own; name what ends it with latch = [...]".to_owned());
        }
        let every = self.duration(&t.every);
        if matches!(kind, Kind::Age | Kind::Forecast | Kind::Anomaly) && t.every.is_none() {
            self.at(here.clone(), "this kind needs every, e.g. every = \"35d\"".to_owned());
        }
        if kind.is_quality() {
            if let Some(q) = quantity.as_ref().filter(|q| q.is_state()) {
                self.at(here.clone(), format!("{} is a state; this kind looks at numbers", q.name()));
            }
            if let Some(h) = t.hold.as_ref().or(t.clear_hold.as_ref()) {
                self.at(h.span(), "this kind keeps its own time; leave hold and clear_hold out".to_owned());
            }
        }
        if let Some(c) = t.coverage.as_ref().filter(|c| *c.get_ref() > 100) {
            self.at(c.span(), "coverage is per cent of the window, 0 to 100".to_owned());
        }
        let mut months = 0u16;
        for m in &t.months {
            match m.get_ref() {
                1..=12 => months |= 1 << m.get_ref(),
                n => self.at(m.span(), format!("{n} is no month; 1 to 12")),
            }
        }
        for (name, words) in [("title", &t.title), ("advice", &t.advice)] {
            if words.zh.trim().is_empty() || words.en.trim().is_empty() {
                self.at(here.clone(), format!("{name} needs both zh and en"));
            }
        }
        if t.source.get_ref().trim().is_empty() {
            self.at(t.source.span(), "source is empty; name the document this rule rests on".to_owned());
        }
        if t.duty.get_ref().is_empty() {
            self.at(t.duty.span(), "duty is empty; name at least one department".to_owned());
        }
        let regather = self.duration(&t.regather).unwrap_or(10 * 60_000);
        let (hold, clear_hold) = (self.duration(&t.hold).unwrap_or(0), self.duration(&t.clear_hold).unwrap_or(0));
        let (grace, within) = (self.duration(&t.grace).unwrap_or(0), self.duration(&t.within));
        let (cap, max_period) = (self.duration(&t.cap).unwrap_or(i64::MAX), self.duration(&t.max_period).unwrap_or(i64::MAX));
        let debounce = self.duration(&t.debounce).unwrap_or(0);
        let (Some(id), Some(hazard)) = (id, hazard) else { return };
        let rule = Rule {
            id,
            hazard,
            kind,
            quantity,
            event: t.event,
            is: t.is.map_or(1, Spanned::into_inner),
            bounds,
            window: window.unwrap_or(0),
            coverage: t.coverage.map_or(75, Spanned::into_inner),
            hold,
            clear_hold,
            missed: t.missed.map_or(3, Spanned::into_inner),
            cap,
            max_period,
            every: every.unwrap_or(i64::MAX),
            debounce,
            phases: if t.phases.is_empty() { ALL_PHASES } else { t.phases.iter().fold(0, |bits, p| bits | phase_bit(*p)) },
            grace,
            within,
            zones: t.zones,
            roles: t.roles,
            not_zones: t.not_zones,
            not_roles: t.not_roles,
            floor_min: t.floor_min,
            age_groups: t.age_groups,
            occupied: t.occupied,
            watched: t.watched,
            when: self.conditions(&t.when),
            unless: self.conditions(&t.unless),
            confirmed_by: self.conditions(&t.confirmed_by),
            excused_by: self.conditions(&t.excused_by),
            months: if t.months.is_empty() { ALL_MONTHS } else { months },
            severity: t.severity,
            basis: t.basis,
            per_device: t.place == Some(PlaceText::Device),
            latch: t.latch,
            siren: t.siren.unwrap_or(t.severity == Severity::Emergency),
            recheck,
            decay,
            count: t.count.map_or(0, Spanned::into_inner),
            acknowledge: t.acknowledge,
            regather,
            overridden: false,
            shadow: false,
        };
        let words = |w: super::text::WordsText| Words { zh: w.zh, en: w.en };
        let entry = Entry {
            pack: pack.name.clone(),
            rule: rule.id.clone(),
            hazard: rule.hazard.clone(),
            severity: rule.severity,
            title: words(t.title),
            advice: words(t.advice),
            source: t.source.into_inner(),
            clause: t.clause.into_inner(),
            verified: t.verified,
            duty: t.duty.into_inner(),
        };
        let index = pack.rules.len();
        pack.lines.push(line_of(self.text, t.id.span().start));
        pack.rules.push((rule, entry));
        pack.cases.extend(t.cases.into_iter().map(|c| (index, c)));
    }
}

/// "500ms", "30s", "10m", "8h", "35d" in milliseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits.parse::<i64>().ok().filter(|n| *n >= 0)?.checked_mul(unit)
}
