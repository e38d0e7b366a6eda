//! What a person types about a rule -> an override. Only what differs from the pack's own rule becomes part of it.
use super::is_emergency;
use crate::engine::rules::{Kind, Override, Rule};
use crate::engine::schedule::{date_of, parse_date};
use tuoan_dashboards::Ui;
use tuoan_dashboards::door::tidy;
use tuoan_dashboards::rules::exact;
use tuoan_dashboards::view::rules::{Bound, Form, Span};
use tuoan_protocol::{Fixed, Severity};

/// Bytes: what an incident event has room for.
const REASON: usize = 256;
const AUTHOR: usize = 48;
/// Days an adjustment lasts unless another date is chosen; at most; and of an emergency's rule that becomes looser.
const USUAL: i64 = 30;
const LONGEST: i64 = 365;
const LOOSE: i64 = 30;
/// How much longer an emergency's rule may take, in milliseconds.
const LOOSE_HOLD: i64 = 30_000;

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Typed {
    enabled: String,
    above: Option<String>,
    at_least: Option<String>,
    below: Option<String>,
    at_most: Option<String>,
    rise: Option<String>,
    hold: Option<String>,
    hold_unit: String,
    severity: String,
    reason: String,
    author: String,
    expires: String,
}

impl Typed {
    fn bound(&self, name: &str) -> Option<&String> {
        match name {
            "above" => self.above.as_ref(),
            "at_least" => self.at_least.as_ref(),
            "below" => self.below.as_ref(),
            "at_most" => self.at_most.as_ref(),
            _ => self.rise.as_ref(),
        }
    }
}

/// (form's name, the rule's own value, +1 where more is looser).
fn bounds(rule: &Rule) -> Vec<(&'static str, i64, i64)> {
    let b = &rule.bounds;
    let least = if rule.kind == Kind::Rise { "rise" } else { "at_least" };
    let all = [("above", b.above, 1), (least, b.at_least, 1), ("below", b.below, -1), ("at_most", b.at_most, -1)];
    all.into_iter().filter_map(|(name, v, sign)| Some((name, v?, sign))).collect()
}

fn has_hold(rule: &Rule) -> bool {
    matches!(rule.kind, Kind::State | Kind::Threshold | Kind::Mean | Kind::Rise)
}

/// A length of time in its largest unit that fits.
fn span(ms: i64) -> (String, &'static str) {
    let s = ms / 1000;
    match s {
        s if s > 0 && s % 3600 == 0 => ((s / 3600).to_string(), "h"),
        s if s > 0 && s % 60 == 0 => ((s / 60).to_string(), "m"),
        s => (s.to_string(), "s"),
    }
}

/// The form as it is first shown: what holds now, or what was tried last.
pub fn filled(rule: &Rule, set: Option<&Override>, actor: &str, today: i64) -> Form {
    let now = set.map_or_else(|| rule.clone(), |o| super::with(rule, o));
    let text = |v: i64| rule.quantity.as_ref().map_or_else(String::new, |q| exact(Fixed(v), q));
    let own = bounds(rule);
    let shown = bounds(&now).into_iter().zip(&own).map(|((name, value, _), (_, own, _))| Bound {
        name,
        quantity: rule.quantity.clone(),
        value: text(value),
        own: text(*own),
        error: None,
    });
    let usual = if is_emergency(rule) { LOOSE } else { USUAL };
    Form {
        emergency: is_emergency(rule),
        enabled: set.is_none_or(|o| o.enabled != Some(false)),
        bounds: shown.collect(),
        hold: has_hold(rule).then(|| {
            let (value, unit) = span(now.hold);
            Span { value, unit: unit.to_owned(), own: rule.hold, error: None }
        }),
        severity: now.severity.into(),
        reason: set.map(|o| o.reason.clone()).unwrap_or_default(),
        author: set.map_or_else(|| actor.to_owned(), |o| o.author.clone()),
        expires: set.map(|o| o.expires.clone()).filter(|e| parse_date(e) >= Some(today)).unwrap_or_else(|| date_of(today + usual)),
        ..Form::default()
    }
}

/// Puts figures that a link suggests into the form; they are judged when it is sent.
pub fn suggest(form: &mut Form, typed: &Typed) {
    /// Longer is no figure.
    const DIGITS: usize = 16;
    for b in &mut form.bounds {
        if let Some(value) = typed.bound(b.name).filter(|v| v.len() <= DIGITS) {
            b.value.clone_from(value);
        }
    }
    let unit = ["s", "m", "h"].into_iter().find(|u| *u == typed.hold_unit);
    if let (Some(field), Some(value), Some(unit)) = (&mut form.hold, typed.hold.as_ref().filter(|v| v.len() <= DIGITS), unit) {
        (field.value, field.unit) = (value.clone(), unit.to_owned());
    }
}

/// Digits as a Chinese keyboard may give them.
fn plain(text: &str) -> String {
    let ascii = |c: char| match c {
        '０'..='９' => char::from_u32(c as u32 - '０' as u32 + '0' as u32).unwrap_or(c),
        '．' | '。' => '.',
        '－' | '−' => '-',
        c => c,
    };
    text.trim().chars().map(ascii).collect()
}

/// The override that the form asks for.
///
/// # Errors
/// The form with what is wrong beside each field; nothing typed is lost.
pub fn read(ui: &Ui, rule: &Rule, typed: &Typed, today: i64) -> Result<Override, Box<Form>> {
    let emergency = is_emergency(rule);
    let mut form = Form {
        emergency,
        enabled: typed.enabled != "off" || emergency,
        severity: typed.severity.parse().ok().filter(|s| (1..=4).contains(s)).unwrap_or(rule.severity.into()),
        reason: tidy(&typed.reason, REASON),
        author: tidy(&typed.author, AUTHOR),
        expires: typed.expires.trim().to_owned(),
        ..Form::default()
    };
    let mut set =
        Override { from: date_of(today), expires: form.expires.clone(), ..Override::new(rule.id.clone(), &form.reason, &form.author) };
    let mut looser = false;
    for (name, own, sign) in bounds(rule) {
        let Some(q) = &rule.quantity else { continue };
        let given = typed.bound(name).cloned().unwrap_or_else(|| exact(Fixed(own), q));
        let mut field = Bound { name, quantity: Some(q.clone()), value: given.clone(), own: exact(Fixed(own), q), error: None };
        let number = plain(&given).parse::<f64>().ok().filter(|n| n.is_finite());
        match number.and_then(|n| Some((n, q.fixed(n).ok()?.0))) {
            None => field.error = Some(ui.t1("error-number", "example", field.own.as_str())),
            Some((_, new)) if new == own => {}
            Some((n, new)) => {
                let by = new.saturating_sub(own).saturating_mul(sign);
                let most = own.saturating_abs() / 5;
                looser |= by > 0;
                if emergency && by > most {
                    let limit = exact(Fixed(own.saturating_add(most * sign)), q);
                    field.error = Some(ui.t1("error-too-loose", "value", limit));
                }
                let place = match name {
                    "above" => &mut set.above,
                    "at_least" => &mut set.at_least,
                    "below" => &mut set.below,
                    "at_most" => &mut set.at_most,
                    _ => &mut set.rise,
                };
                *place = Some(n);
            }
        }
        form.bounds.push(field);
    }
    if has_hold(rule) {
        let (own_value, own_unit) = span(rule.hold);
        let value = typed.hold.clone().unwrap_or(own_value);
        let unit = if typed.hold.is_some() { typed.hold_unit.as_str() } else { own_unit };
        let unit = ["s", "m", "h"].into_iter().find(|u| *u == unit).unwrap_or("m");
        let factor = match unit {
            "s" => 1000,
            "m" => 60_000,
            _ => 3_600_000,
        };
        let mut field = Span { value: value.clone(), unit: unit.to_owned(), own: rule.hold, error: None };
        match plain(&value).parse::<i64>().ok().filter(|n| (0..=999_999).contains(n)) {
            None => field.error = Some(ui.t("error-hold")),
            Some(n) if n * factor == rule.hold => {}
            Some(n) => {
                looser |= n * factor > rule.hold;
                if emergency && n * factor > rule.hold.saturating_add(LOOSE_HOLD) {
                    field.error = Some(ui.t("error-hold-loose"));
                }
                set.hold = Some(format!("{n}{unit}"));
            }
        }
        form.hold = Some(field);
    }
    if !emergency {
        set.enabled = (!form.enabled).then_some(false);
        set.severity = Severity::try_from(form.severity).ok().filter(|s| *s != rule.severity);
    }
    form.reason_error = form.reason.is_empty().then(|| ui.t("error-rule-reason"));
    form.author_error = form.author.is_empty().then(|| ui.t("error-rule-author"));
    form.expires_error = match parse_date(&form.expires) {
        Some(last) if last < today => Some(ui.t("error-rule-expires")),
        Some(last) if last - today > LONGEST => Some(ui.t("error-rule-expires-year")),
        Some(last) if emergency && looser && last - today > LOOSE => Some(ui.t("error-rule-expires-month")),
        Some(_) => None,
        None => Some(ui.t("error-rule-expires")),
    };
    let wrong = form.reason_error.is_some()
        || form.author_error.is_some()
        || form.expires_error.is_some()
        || form.bounds.iter().any(|b| b.error.is_some())
        || form.hold.as_ref().is_some_and(|h| h.error.is_some());
    if wrong {
        form.error = Some(ui.t("error-form"));
    } else if set.fields().is_empty() {
        form.error = Some(ui.t("error-nothing"));
    } else if let Err(problems) = set.apply(rule) {
        form.error = Some(ui.t1("error-rule-refused", "why", problems.join("; ")));
    }
    if form.error.is_some() { Err(Box::new(form)) } else { Ok(set) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::builtin;
    use tuoan_dashboards::Lang;

    fn rule(id: &str) -> Rule {
        let packs: Vec<_> = builtin().into_iter().map(|(_, t)| t).collect();
        super::super::rulebook(&packs).into_iter().find(|(r, _)| r.id.as_str() == id).unwrap().0
    }
    fn typed() -> Typed {
        Typed { reason: "加湿器旁".into(), author: "王园长".into(), expires: "2026-12-20".into(), ..Typed::default() }
    }
    fn today() -> i64 {
        parse_date("2026-11-22").unwrap()
    }
    fn told(id: &str, t: &Typed) -> Result<Override, Box<Form>> {
        read(&Ui::plain(Lang::Zh, 0), &rule(id), t, today())
    }

    #[test]
    fn only_what_differs_is_changed() {
        let t =
            Typed { above: Some("１２００".into()), hold: Some("0".into()), hold_unit: "s".into(), severity: "4".into(), ..typed() };
        let set = told("air.co2.mean", &t).unwrap();
        assert_eq!((set.above, set.severity, set.hold.clone()), (Some(1200.0), Some(Severity::Advisory), None));
        assert_eq!(set.fields(), ["above", "severity"]);
        assert_eq!((set.from.as_str(), set.expires.as_str()), ("2026-11-22", "2026-12-20"));
        let off = told("noise.high", &Typed { enabled: "off".into(), ..typed() }).unwrap();
        assert_eq!(off.fields(), ["enabled"]);
        let form = told("air.co2.mean", &typed()).unwrap_err();
        assert_eq!(form.error.as_deref(), Some("还没有改动任何一项。"));
    }

    #[test]
    fn the_error_stands_beside_its_field_and_nothing_is_lost() {
        let t = Typed { above: Some("许多".into()), reason: " ".into(), expires: "2026-11-21".into(), ..typed() };
        let form = told("air.co2.mean", &t).unwrap_err();
        assert!(form.bounds[0].error.as_deref().unwrap().contains("1000"));
        assert_eq!(form.bounds[0].value, "许多");
        assert!(form.reason_error.is_some() && form.expires_error.is_some() && form.author_error.is_none());
        assert_eq!(form.author, "王园长");
        for expires in ["2028-01-01", "", "soon"] {
            assert!(
                told("noise.high", &Typed { enabled: "off".into(), expires: expires.into(), ..typed() })
                    .unwrap_err()
                    .expires_error
                    .is_some()
            );
        }
    }

    #[test]
    fn an_emergency_is_loosened_by_a_little_only() {
        let t = |above: &str| Typed { above: Some(above.into()), ..typed() };
        let rule = rule("co.high");
        let own = rule.bounds.above.unwrap();
        let q = rule.quantity.clone().unwrap();
        let fifth = exact(Fixed(own + own / 5), &q);
        assert!(told("co.high", &t(&fifth)).is_ok());
        let more = exact(Fixed(own + own / 5 + 10), &q);
        let form = told("co.high", &t(&more)).unwrap_err();
        assert!(form.bounds[0].error.as_deref().unwrap().contains(&fifth), "{form:?}");
        let long = Typed { expires: "2027-01-20".into(), ..t(&fifth) };
        assert!(told("co.high", &long).unwrap_err().expires_error.unwrap().contains("31"));
        // What the form does not offer is not taken from a request either.
        let off = Typed { enabled: "off".into(), severity: "4".into(), ..typed() };
        assert_eq!(told("co.high", &off).unwrap_err().error.as_deref(), Some("还没有改动任何一项。"));
    }

    #[test]
    fn a_form_that_is_sent_back_as_it_was_shown_changes_nothing() {
        let packs: Vec<_> = builtin().into_iter().map(|(_, t)| t).collect();
        for (rule, _) in super::super::rulebook(&packs) {
            let form = filled(&rule, None, "王园长", today());
            let value = |name: &str| form.bounds.iter().find(|b| b.name == name).map(|b| b.value.clone());
            let t = Typed {
                enabled: "on".into(),
                above: value("above"),
                at_least: value("at_least"),
                below: value("below"),
                at_most: value("at_most"),
                rise: value("rise"),
                hold: form.hold.as_ref().map(|h| h.value.clone()),
                hold_unit: form.hold.as_ref().map(|h| h.unit.clone()).unwrap_or_default(),
                severity: form.severity.to_string(),
                ..typed()
            };
            let error = read(&Ui::plain(Lang::Zh, 0), &rule, &t, today()).unwrap_err().error;
            assert_eq!(error.as_deref(), Some("还没有改动任何一项。"), "{}", rule.id);
        }
    }
}
