//! What a site changes about the rules in force: `[[override]]` in the site file, each with its reason, its author and its end.
//!
//! A rule of severity 1 cannot be switched off, lowered, or confined to fewer hours. It may be made looser by a little and for a month: a bound by
//! at most a fifth, a hold time by at most half a minute. Making a rule stricter is free.
use super::{ALL_MONTHS, ALL_PHASES, Bounds, Kind, Rule, phase_bit};
use crate::engine::rules::parse::duration;
use crate::engine::schedule::{Phase, parse_date};
use serde::{Deserialize, Serialize};
use tuoan_protocol::{Quantity, RuleId, Severity};

/// Days that an override lasts at most, and one that makes an emergency's rule looser.
const LONGEST: i64 = 366;
const LONGEST_LOOSE: i64 = 31;
/// By how much a hold time of an emergency's rule may grow, in milliseconds; and by one part in how many its bound.
const LOOSER_HOLD: i64 = 30_000;
const LOOSER_BOUND: u64 = 5;
/// Bytes of a reason or an author: what an incident event has room for.
const MAX_REASON: usize = 256;
const MAX_AUTHOR: usize = 48;
/// Overrides in one site file.
pub const MAX_OVERRIDES: usize = 256;

macro_rules! overrides {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// One `[[override]]`. Of the fields after `expires`, those that are given replace the rule's own: bounds in the quantity's unit, times as in a
        /// pack ("90s", "10m").
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Override {
            pub rule: RuleId,
            /// Why, and who decided: shown wherever it is in force.
            pub reason: String,
            pub author: String,
            /// First and last local day on which it is in force, "2026-11-22"; at most a year apart.
            pub from: String,
            pub expires: String,
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)*
        }
        impl Override {
            /// One that changes nothing yet, and holds on no day.
            pub fn new(rule: RuleId, reason: &str, author: &str) -> Override {
                let (reason, author) = (reason.to_owned(), author.to_owned());
                Override { rule, reason, author, from: String::new(), expires: String::new(), $($name: None,)* }
            }
            /// Names of the fields that it changes.
            pub fn fields(&self) -> Vec<&'static str> {
                [$(self.$name.is_some().then_some(stringify!($name)),)*].into_iter().flatten().collect()
            }
        }
    };
}

overrides! {
    /// `false` switches the rule off.
    enabled: bool,
    above: f64,
    at_least: f64,
    below: f64,
    at_most: f64,
    rise: f64,
    hysteresis: f64,
    /// The quantity's unit, so that a bound in another one is found out.
    unit: String,
    window: String,
    /// Per cent of the window.
    coverage: u8,
    hold: String,
    clear_hold: String,
    missed: u8,
    cap: String,
    max_period: String,
    every: String,
    debounce: String,
    grace: String,
    within: String,
    regather: String,
    phases: Vec<Phase>,
    months: Vec<u8>,
    occupied: bool,
    severity: Severity,
    siren: bool,
}

impl Override {
    /// First and last day since 1970-01-01.
    pub fn days(&self) -> Option<(i64, i64)> {
        Some((parse_date(&self.from)?, parse_date(&self.expires)?))
    }
    /// Whether it is in force on that local day.
    pub fn holds_on(&self, day: i64) -> bool {
        self.days().is_some_and(|(from, last)| (from..=last).contains(&day))
    }
    pub fn is_over(&self, day: i64) -> bool {
        self.days().is_none_or(|(_, last)| day > last)
    }

    /// The rule as this override has it; `None` when it is switched off.
    ///
    /// # Errors
    /// Every problem of it, each in words that say how to mend it.
    pub fn apply(&self, rule: &Rule) -> Result<Option<Rule>, Vec<String>> {
        let mut check = Check { rule, problems: Vec::new() };
        let new = check.patched(self);
        check.formalities(self);
        if rule.severity == Severity::Emergency {
            check.emergency(self, &new);
        }
        if check.problems.is_empty() { Ok((self.enabled != Some(false)).then_some(new)) } else { Err(check.problems) }
    }
}

/// All problems of a site's overrides against the rules of its packs, one a line, each beginning with the override it means.
pub fn problems(overrides: &[Override], rules: &[Rule]) -> Vec<String> {
    let mut out = Vec::new();
    if overrides.len() > MAX_OVERRIDES {
        out.push(format!("there are {} [[override]]; {MAX_OVERRIDES} is the most", overrides.len()));
    }
    for (n, o) in overrides.iter().enumerate() {
        let Some(rule) = rules.iter().find(|r| r.id == o.rule) else {
            out.push(format!("[[override]] of {}: no rule pack has this rule; {}", o.rule, nearest(&o.rule, rules)));
            continue;
        };
        if let Err(list) = o.apply(rule) {
            out.extend(list.into_iter().map(|p| format!("[[override]] of {}: {p}", o.rule)));
        }
        let overlaps = |other: &&Override| {
            other.rule == o.rule && matches!((other.days(), o.days()), (Some((f, l)), Some((g, m))) if f <= m && g <= l)
        };
        if overrides.iter().take(n).any(|other| overlaps(&other)) {
            out.push(format!("[[override]] of {}: two of them hold on the same day; end one before the other begins", o.rule));
        }
    }
    out
}

/// The rules as they hold on that local day. Those that are changed stand behind them once more as their packs have them, as shadows.
///
/// # Errors
/// Every problem, one a line.
pub fn in_force(rules: Vec<Rule>, overrides: &[Override], day: i64) -> Result<Vec<Rule>, String> {
    let list = problems(overrides, &rules);
    if !list.is_empty() {
        return Err(list.join("\n"));
    }
    let (mut out, mut shadows) = (Vec::with_capacity(rules.len()), Vec::new());
    for rule in rules {
        let Some(o) = overrides.iter().find(|o| o.rule == rule.id && o.holds_on(day)) else {
            out.push(rule);
            continue;
        };
        out.extend(o.apply(&rule).ok().flatten().map(|new| Rule { overridden: true, ..new }));
        if rule.kind.is_judged() {
            shadows.push(Rule { shadow: true, ..rule });
        }
    }
    out.append(&mut shadows);
    Ok(out)
}

/// "did you mean": rules that share the beginning.
fn nearest(id: &RuleId, rules: &[Rule]) -> String {
    let first = id.as_str().split('.').next().unwrap_or_default();
    let alike: Vec<&str> = rules.iter().map(|r| r.id.as_str()).filter(|r| r.split('.').next() == Some(first)).take(8).collect();
    if alike.is_empty() {
        "no rule has a name like it; the page of rules lists them all".to_owned()
    } else {
        format!("perhaps {}", alike.join(" or "))
    }
}

struct Check<'r> {
    rule: &'r Rule,
    problems: Vec<String>,
}

impl Check<'_> {
    fn say(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    fn formalities(&mut self, o: &Override) {
        for (name, text, most) in [("reason", &o.reason, MAX_REASON), ("author", &o.author, MAX_AUTHOR)] {
            if text.trim().is_empty() {
                self.say(format!("{name} is empty; it is shown wherever the override is in force"));
            } else if text.len() > most {
                self.say(format!("{name} is longer than {most} bytes; shorten it"));
            }
        }
        for (name, text) in [("from", &o.from), ("expires", &o.expires)] {
            if parse_date(text).is_none() {
                self.say(format!("{name} = {text:?} is no date; write \"2026-11-22\""));
            }
        }
        if let Some((from, last)) = o.days() {
            if last < from {
                self.say(format!("it expires on {} before it begins on {}; change one of them", o.expires, o.from));
            } else if last - from >= LONGEST {
                self.say("it lasts longer than a year; let it end earlier and decide again then");
            }
        }
        if o.fields().iter().all(|f| *f == "unit") {
            self.say("it changes nothing; name the fields to change, e.g. hold = \"20m\"");
        }
    }

    fn time(&mut self, name: &str, text: Option<&String>, used: bool, old: i64) -> i64 {
        let Some(text) = text else { return old };
        self.used(name, used);
        duration(text).unwrap_or_else(|| {
            self.say(format!("{name} = {text:?} is no duration; write \"30s\", \"10m\", \"8h\" or \"35d\""));
            old
        })
    }
    fn used(&mut self, name: &str, used: bool) {
        if !used {
            let kind = format!("{:?}", self.rule.kind).to_lowercase();
            self.say(format!("{name} means nothing to this rule (kind {kind:?}); leave it out"));
        }
    }
    fn bound(&mut self, name: &str, value: Option<f64>, old: Option<i64>) -> Option<i64> {
        let Some(value) = value else { return old };
        let (Some(q), Some(_)) = (&self.rule.quantity, old) else {
            let b = self.rule.bounds;
            let has = [("above", b.above), ("at_least", b.at_least), ("below", b.below), ("at_most", b.at_most)];
            let has: Vec<_> = has.iter().filter(|(_, v)| v.is_some()).map(|(n, _)| *n).collect();
            self.say(match &has[..] {
                [] => format!("{name} means nothing to this rule, which has no bound"),
                has => format!("the rule has no {name}; it has {}", has.join(", ")),
            });
            return old;
        };
        q.fixed(value).map(|v| Some(v.0)).unwrap_or_else(|e| {
            self.problems.push(format!("{name} = {value} is no value of {}: {e}", q.name()));
            old
        })
    }

    /// The rule with the given fields in place of its own.
    fn patched(&mut self, o: &Override) -> Rule {
        let old = self.rule;
        let kind = old.kind;
        let guarded = kind.is_judged() && kind != Kind::Daily || kind == Kind::Event;
        let held = guarded && kind != Kind::Event;
        let counts_periods = matches!(kind, Kind::Silence | Kind::Implausible | Kind::Lost);
        let bounds = Bounds {
            above: self.bound("above", o.above, old.bounds.above),
            // Of a rise `at_least` is by how much.
            at_least: if kind == Kind::Rise {
                self.bound("rise", o.rise, old.bounds.at_least)
            } else {
                self.used("rise", o.rise.is_none());
                self.bound("at_least", o.at_least, old.bounds.at_least)
            },
            below: self.bound("below", o.below, old.bounds.below),
            at_most: self.bound("at_most", o.at_most, old.bounds.at_most),
            hysteresis: self.bound("hysteresis", o.hysteresis, Some(old.bounds.hysteresis)).unwrap_or(0),
        };
        if bounds.hysteresis < 0 {
            self.say("hysteresis must not be negative");
        }
        if let Some(unit) = &o.unit
            && old.quantity.as_ref().map(Quantity::unit) != Some(unit.as_str())
        {
            let kept = old.quantity.as_ref().map_or("", Quantity::unit);
            self.say(format!("the rule's bounds are in {kept:?}, not in {unit:?}; convert them"));
        }
        if let Some(m) = o.months.iter().flatten().find(|m| !(1..=12).contains(*m)) {
            self.say(format!("{m} is no month; 1 to 12"));
        }
        for (name, given, used) in [
            ("coverage", o.coverage.is_some(), kind == Kind::Mean),
            ("missed", o.missed.is_some(), counts_periods),
            ("phases", o.phases.is_some(), guarded),
            ("months", o.months.is_some(), guarded),
            ("occupied", o.occupied.is_some(), guarded),
        ] {
            self.used(name, used || !given);
        }
        if o.coverage.is_some_and(|c| c > 100) {
            self.say("coverage is per cent of the window, 0 to 100");
        }
        let none_means_all = |bits: u16, all: u16| if bits == 0 { all } else { bits };
        let phases = o.phases.iter().flatten().fold(0, |bits, p| bits | u16::from(phase_bit(*p)));
        let months = o.months.iter().flatten().filter(|m| **m <= 12).fold(0, |bits, m| bits | 1 << m);
        Rule {
            bounds,
            window: self.time("window", o.window.as_ref(), old.window > 0 && kind != Kind::Daily, old.window),
            coverage: o.coverage.unwrap_or(old.coverage),
            hold: self.time("hold", o.hold.as_ref(), held, old.hold),
            clear_hold: self.time("clear_hold", o.clear_hold.as_ref(), held, old.clear_hold),
            missed: o.missed.unwrap_or(old.missed).max(1),
            cap: self.time("cap", o.cap.as_ref(), counts_periods, old.cap),
            max_period: self.time("max_period", o.max_period.as_ref(), counts_periods, old.max_period),
            every: self.time("every", o.every.as_ref(), matches!(kind, Kind::Age | Kind::Forecast | Kind::Anomaly), old.every),
            debounce: self.time("debounce", o.debounce.as_ref(), matches!(kind, Kind::Event | Kind::Anomaly), old.debounce),
            grace: self.time("grace", o.grace.as_ref(), guarded, old.grace),
            within: o.within.as_ref().map_or(old.within, |w| Some(self.time("within", Some(w), guarded, i64::MAX))),
            regather: self.time("regather", o.regather.as_ref(), true, old.regather),
            phases: o.phases.as_ref().map_or(old.phases, |_| none_means_all(phases, ALL_PHASES.into()) as u8),
            months: o.months.as_ref().map_or(old.months, |_| none_means_all(months, ALL_MONTHS)),
            occupied: o.occupied.or(old.occupied),
            severity: o.severity.unwrap_or(old.severity),
            siren: o.siren.unwrap_or(old.siren),
            ..old.clone()
        }
    }

    /// What may not be done to the rule of an emergency.
    fn emergency(&mut self, o: &Override, new: &Rule) {
        let old = self.rule;
        if o.enabled == Some(false) {
            return self.say("a rule of severity 1 cannot be switched off; mend or move the sensor that misleads it");
        }
        if new.severity > old.severity {
            self.say("a rule of severity 1 cannot be lowered");
        }
        let narrower = old.phases & !new.phases != 0 || old.months & !new.months != 0;
        let confined =
            new.occupied != old.occupied || new.grace > old.grace || new.within.unwrap_or(i64::MAX) < old.within.unwrap_or(i64::MAX);
        if narrower || confined {
            self.say("a rule of severity 1 cannot be confined to fewer hours; take phases, months, occupied, grace or within out");
        }
        let pairs = [
            ("above", old.bounds.above, new.bounds.above, 1),
            ("at_least", old.bounds.at_least, new.bounds.at_least, 1),
            ("below", old.bounds.below, new.bounds.below, -1),
            ("at_most", old.bounds.at_most, new.bounds.at_most, -1),
        ];
        let mut looser = false;
        for (name, old, new, sign) in pairs {
            let (Some(old), Some(new)) = (old, new) else { continue };
            let by = new.saturating_sub(old).saturating_mul(sign);
            looser |= by > 0;
            if by > 0 && by.unsigned_abs() > old.unsigned_abs() / LOOSER_BOUND {
                self.say(format!("{name} of a rule of severity 1 may be made looser by a fifth at most"));
            }
        }
        let times = [
            ("hold", old.hold, new.hold),
            ("debounce", old.debounce, new.debounce),
            ("window", old.window, new.window),
            ("every", old.every, new.every),
            ("cap", old.cap, new.cap),
        ];
        for (name, old, new) in times {
            looser |= new > old;
            if new.saturating_sub(old) > LOOSER_HOLD {
                self.say(format!("{name} of a rule of severity 1 may be made longer by 30 s at most"));
            }
        }
        looser |= new.missed > old.missed || old.siren && !new.siren;
        if looser && o.days().is_some_and(|(from, last)| last - from >= LONGEST_LOOSE) {
            self.say("it makes a rule of severity 1 looser for more than a month (31 days); let it end earlier and decide again then");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::{builtin, compile};

    fn rules() -> Vec<Rule> {
        compile(&builtin().into_iter().map(|(_, t)| t).collect::<Vec<_>>()).unwrap()
    }
    fn read(text: &str) -> Result<Override, String> {
        let head = "reason = \"加湿器旁\"\nauthor = \"王园长\"\nfrom = \"2026-11-22\"\n";
        let end = if text.contains("expires") { "" } else { "\nexpires = \"2026-12-20\"" };
        toml::from_str(&format!("{head}{text}{end}")).map_err(|e| e.to_string())
    }
    fn told(text: &str) -> String {
        problems(&[read(text).unwrap()], &rules()).join("\n")
    }
    fn after(text: &str) -> Option<Rule> {
        let o = read(text).unwrap();
        let day = parse_date("2026-12-01").unwrap();
        in_force(rules(), std::slice::from_ref(&o), day).unwrap().into_iter().find(|r| r.id == o.rule && !r.shadow)
    }

    #[test]
    fn fields_that_are_given_replace_the_rules_own() {
        let r = after("rule = \"air.co2.mean\"\nabove = 1200\nunit = \"ppm\"\nhold = \"5m\"\nseverity = 4\nphases = [\"care\"]").unwrap();
        assert_eq!((r.bounds.above, r.hold, r.severity, r.overridden), (Some(1200), 300_000, Severity::Advisory, true));
        assert_eq!((r.bounds.hysteresis, r.phases), (50, phase_bit(Phase::Care)));
        assert!(after("rule = \"noise.high\"\nenabled = false").is_none());
        let r = after("rule = \"fire.heat.rising\"\nrise = 10").unwrap();
        assert_eq!(r.bounds.at_least, Some(1000));
    }

    #[test]
    fn it_holds_from_its_first_day_to_its_last() {
        let o = read("rule = \"noise.high\"\nabove = 80").unwrap();
        let on = |d: &str| o.holds_on(parse_date(d).unwrap());
        assert_eq!([on("2026-11-21"), on("2026-11-22"), on("2026-12-20"), on("2026-12-21")], [false, true, true, false]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_remedy() {
        for (text, part) in [
            ("rule = \"air.co2.men\"\nabove = 1", "perhaps air.co2.mean"),
            ("rule = \"radon.high\"\nabove = 1", "the page of rules"),
            ("rule = \"air.co2.mean\"\nbelow = 300", "it has above"),
            ("rule = \"fire.smoke.alarm\"\nabove = 3", "has no bound"),
            ("rule = \"air.co2.mean\"\nabove = 0.12\nunit = \"%\"", "in \"ppm\", not in \"%\""),
            ("rule = \"air.co2.mean\"\nhold = \"soon\"", "no duration"),
            ("rule = \"air.co2.mean\"\nmissed = 5", "kind \"mean\""),
            ("rule = \"air.co2.mean\"\nmonths = [13]", "no month"),
            ("rule = \"air.co2.mean\"", "changes nothing"),
            ("rule = \"air.co2.mean\"\nabove = 1200\nexpires = \"2028-01-01\"", "longer than a year"),
            ("rule = \"air.co2.mean\"\nabove = 1200\nexpires = \"2026-01-01\"", "before it begins"),
            ("rule = \"air.co2.mean\"\nabove = 1200\nexpires = \"never\"", "no date"),
        ] {
            let told = told(text);
            assert!(told.contains(part), "{part:?} in {told:?}");
            assert!(told.starts_with("[[override]] of "), "{told}");
        }
        assert!(read("rule = \"air.co2.mean\"\ncolour = 1").unwrap_err().contains("unknown field `colour`"));
        assert!(toml::from_str::<Override>("rule = \"air.co2.mean\"\nabove = 1200").unwrap_err().message().contains("reason"));
        let o = read("rule = \"noise.high\"\nabove = 80").unwrap();
        assert!(problems(&[o.clone(), o], &rules()).join("").contains("same day"));
    }

    #[test]
    fn an_emergency_is_never_silenced() {
        for (text, part) in [
            ("rule = \"fire.smoke.alarm\"\nenabled = false", "cannot be switched off"),
            ("rule = \"fire.smoke.alarm\"\nseverity = 2", "cannot be lowered"),
            ("rule = \"fire.smoke.alarm\"\nphases = [\"care\"]", "fewer hours"),
            ("rule = \"fire.smoke.alarm\"\noccupied = true", "fewer hours"),
            ("rule = \"left.behind.motion\"\ngrace = \"10m\"", "fewer hours"),
            ("rule = \"fire.smoke.alarm\"\nhold = \"5m\"", "by 30 s at most"),
            ("rule = \"co.high\"\nabove = 30", "by a fifth"),
            ("rule = \"co.high\"\nabove = 26\nexpires = \"2027-03-01\"", "more than a month"),
        ] {
            let told = told(text);
            assert!(told.contains(part), "{part:?} in {told:?}");
        }
        assert_eq!(told("rule = \"fire.smoke.alarm\"\nhold = \"30s\""), "");
        assert_eq!(told("rule = \"co.high\"\nabove = 28"), "");
        assert_eq!(told("rule = \"co.high\"\nabove = 12\nexpires = \"2027-11-01\""), "", "stricter is free");
        assert_eq!(told("rule = \"sensor.silent.alarm\"\nenabled = false"), "", "serious rules may rest");
    }
}
