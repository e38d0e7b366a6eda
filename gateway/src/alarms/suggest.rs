//! What to do about each bad actor. Pure: a change of a rule is chosen by trying several, and the trial is handed in.
//!
//! A rule of severity 1 is never proposed to be changed, and neither is one that mostly tells the truth: there the sensor, or the cause, is to be
//! looked at. A bound, which may be a standard's, is moved only where people have said that the alarms are false; otherwise they may just be many. Whatever is proposed, an override of the site may say ([`Override::apply`]).
use super::figures::{Actor, Figures};
use crate::engine::rules::{Kind, Override, Rule};
use crate::engine::schedule::date_of;
use std::collections::BTreeMap;
use tuoan_protocol::{Fixed, Quantity, RuleId, Severity};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
/// The longest hold that is proposed, by severity 1 to 4, in milliseconds; ours. Of severity 1 none is.
const LONGEST_HOLD: [i64; 4] = [0, 5 * MINUTE, 30 * MINUTE, 2 * 60 * MINUTE];
/// No hold shorter than this is worth a trial.
const SHORTEST_HOLD: i64 = 30 * SECOND;
/// A bound is moved by its hysteresis, or by one part in so many, once or twice; of a serious rule by a fifth at most.
const PART: i64 = 20;
const MOST_PART: i64 = 5;
/// Changes tried for one rule.
pub const ATTEMPTS: usize = 3;
/// A change that spares this share of the alarms is enough; one that spares less than the other is no help.
const ENOUGH: f64 = 0.3;
const HELPS: f64 = 0.1;
/// Sources with fewer alarms than this are nobody's trouble, unless they chatter.
pub const FEW: u64 = 3;
/// Days that a trial's override names; the trial itself lets it hold all through the history.
const DAYS: i64 = 29;

/// What is proposed.
#[derive(Debug, Clone, PartialEq)]
pub enum Advice {
    Adjust(Box<Adjustment>),
    /// Look at the sensor.
    Sensor(Care),
    /// The alarms are true: mend what brings them about.
    Cause,
    /// It is too seldom to do anything about it.
    Nothing,
}

/// A change of the rule, for all places where it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjustment {
    pub set: Override,
    pub steps: Vec<Step>,
}

/// One figure of the rule, as it is and as it would be.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Milliseconds.
    Hold { from: i64, to: i64 },
    /// `name`: the pack's word for the bound, e.g. `above`.
    Bound { name: &'static str, quantity: Quantity, from: Fixed, to: Fixed },
}

/// What about a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Where it stands: steam, dust, sun, draught; and whether it is in order.
    Place,
    /// Whether its radio and its hub reach each other.
    Link,
    Battery,
    /// Clean it, compare it, replace it.
    Value,
    /// It wants its test.
    Test,
}

impl Care {
    /// Part of a message key.
    pub fn name(self) -> &'static str {
        match self {
            Care::Place => "place",
            Care::Link => "link",
            Care::Battery => "battery",
            Care::Value => "value",
            Care::Test => "test",
        }
    }
}

/// What the history says of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Trial {
    /// There is nothing to be tried.
    None,
    /// It is under way.
    Pending,
    Done(Effect),
    Not(Why),
}

/// Alarms of the rule a week, at all places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    pub before: f64,
    pub after: f64,
    /// Of history.
    pub days: f64,
    /// So few days that the figures are a guess.
    pub short: bool,
}

impl Effect {
    /// Share of the alarms that would be spared, 0 to 1.
    fn spared(&self) -> f64 {
        if self.before > 0.0 { 1.0 - self.after / self.before } else { 0.0 }
    }
}

/// Why there was no trial.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// Days of history.
    TooShort(f64),
    OutOfTime,
    Failed(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    pub advice: Advice,
    pub trial: Trial,
}

/// Tries overrides of different rules together: what each would have meant.
pub type Attempt<'a> = &'a mut dyn FnMut(Vec<Override>) -> Result<BTreeMap<RuleId, Effect>, Why>;

/// What is to be done about a rule, before anything has been tried.
struct Plan {
    candidates: Vec<Adjustment>,
    best: Option<(Adjustment, Effect)>,
}

/// A suggestion for each of [`Figures::actors`], in their order. `all`: the rules as their packs have them, `overrides` what the site changes about
/// them; `today`: local day since 1970-01-01.
pub fn suggest(figures: &Figures, all: &[Rule], overrides: &[Override], today: i64, attempt: Attempt<'_>) -> Vec<Suggestion> {
    let mut plans: BTreeMap<RuleId, Plan> = BTreeMap::new();
    let firsts: Vec<Advice> = figures
        .actors
        .iter()
        .map(|actor| {
            let Some(rule) = all.iter().find(|r| r.id == actor.source.rule) else { return Advice::Sensor(Care::Place) };
            let first = first(actor, rule, overrides, today);
            if let Ok(candidates) = &first
                && !plans.contains_key(&rule.id)
            {
                plans.insert(rule.id.clone(), Plan { candidates: candidates.clone(), best: None });
            }
            first.map_or_else(
                |other| other,
                |list| list.into_iter().next().map_or(Advice::Sensor(care(rule)), |a| Advice::Adjust(Box::new(a))),
            )
        })
        .collect();
    let failed = try_all(&mut plans, attempt);
    let done = figures.actors.iter().zip(firsts).map(|(actor, advice)| {
        let Advice::Adjust(_) = &advice else { return Suggestion { advice, trial: Trial::None } };
        match (plans.get(&actor.source.rule).and_then(|p| p.best.clone()), &failed) {
            (Some((best, effect)), _) => Suggestion { advice: Advice::Adjust(Box::new(best)), trial: Trial::Done(effect) },
            (None, Some(why)) => Suggestion { advice, trial: Trial::Not(why.clone()) },
            // Nothing that may be set would have helped.
            (None, None) => {
                let rule = all.iter().find(|r| r.id == actor.source.rule);
                Suggestion { advice: Advice::Sensor(rule.map_or(Care::Place, care)), trial: Trial::None }
            }
        }
    });
    done.collect()
}

/// The same while a trial is under way.
pub fn untried(figures: &Figures, all: &[Rule], overrides: &[Override], today: i64) -> Vec<Suggestion> {
    let mut list = suggest(figures, all, overrides, today, &mut |_| Err(Why::OutOfTime));
    for s in list.iter_mut().filter(|s| s.trial != Trial::None) {
        s.trial = Trial::Pending;
    }
    list
}

/// One change of each rule in each round, until it helps enough. What stopped it, if anything did.
fn try_all(plans: &mut BTreeMap<RuleId, Plan>, attempt: Attempt<'_>) -> Option<Why> {
    for round in 0..ATTEMPTS {
        let wanting = |p: &Plan| p.best.as_ref().is_none_or(|(_, e)| e.spared() < ENOUGH);
        let set: Vec<Override> = plans.values().filter(|p| wanting(p)).filter_map(|p| Some(p.candidates.get(round)?.set.clone())).collect();
        if set.is_empty() {
            return None;
        }
        let effects = match attempt(set) {
            Ok(effects) => effects,
            Err(why) => return Some(why),
        };
        for (rule, plan) in plans.iter_mut().filter(|(_, p)| wanting(p)) {
            let (Some(candidate), Some(effect)) = (plan.candidates.get(round), effects.get(rule)) else { continue };
            let better = plan.best.as_ref().is_none_or(|(_, best)| effect.after < best.after);
            if better && effect.spared() >= HELPS {
                plan.best = Some((candidate.clone(), *effect));
            }
        }
    }
    None
}

/// The changes worth trying, or what else is to be done.
fn first(actor: &Actor, rule: &Rule, overrides: &[Override], today: i64) -> Result<Vec<Adjustment>, Advice> {
    let troubles = actor.chatter > 0 || actor.held_back > 0 || actor.is_mostly_false();
    if actor.alarms < FEW && !troubles {
        return Err(Advice::Nothing);
    }
    if actor.is_mostly_real() && actor.chatter == 0 {
        return Err(Advice::Cause);
    }
    if matches!(rule.kind, Kind::Report | Kind::Entry | Kind::Cluster | Kind::Recheck | Kind::Daily) {
        return Err(Advice::Cause);
    }
    if rule.severity == Severity::Emergency || actor.severity == Severity::Emergency || rule.is_latched() {
        return Err(Advice::Sensor(care(rule)));
    }
    let candidates = candidates(rule, overrides, today, actor.is_mostly_false());
    if candidates.is_empty() { Err(Advice::Sensor(care(rule))) } else { Ok(candidates) }
}

/// What about the sensor, by what the rule looks at.
fn care(rule: &Rule) -> Care {
    match rule.kind {
        Kind::Silence | Kind::Lost | Kind::Hub => Care::Link,
        Kind::Forecast => Care::Battery,
        Kind::Implausible | Kind::Flat | Kind::Drift | Kind::Anomaly => Care::Value,
        Kind::Age => Care::Test,
        _ => Care::Place,
    }
}

/// Longer holds; for what is mostly false bounds further out, and those first.
fn candidates(rule: &Rule, overrides: &[Override], today: i64, mostly_false: bool) -> Vec<Adjustment> {
    let standing = overrides.iter().find(|o| o.rule == rule.id && o.holds_on(today));
    let base = Override {
        from: date_of(today),
        expires: date_of(today.saturating_add(DAYS)),
        ..standing.cloned().unwrap_or_else(|| Override::new(rule.id.clone(), "trial", "tuoan"))
    };
    // As it holds today; one that is switched off raises nothing.
    let Ok(Some(now)) = Override { severity: None, ..base.clone() }.apply(rule).or_else(|_| Ok::<_, ()>(Some(rule.clone()))) else {
        return Vec::new();
    };
    let further = if mostly_false { bounds(rule, &now, &base) } else { Vec::new() };
    let (mut bounds, mut holds) = (further.into_iter(), holds(&now, &base).into_iter());
    let mut list = Vec::new();
    loop {
        // In turn, so that both are tried.
        let pair = [bounds.next(), holds.next()];
        if pair.iter().all(Option::is_none) {
            break;
        }
        list.extend(pair.into_iter().flatten());
    }
    list.retain(|a| a.set.apply(rule).is_ok());
    list.truncate(ATTEMPTS);
    list
}

fn holds(now: &Rule, base: &Override) -> Vec<Adjustment> {
    if !matches!(now.kind, Kind::State | Kind::Threshold | Kind::Mean | Kind::Rise) {
        return Vec::new();
    }
    let most = LONGEST_HOLD.get(super::times::slot(now.severity)).copied().unwrap_or(0);
    let longer = |n: i64| now.hold.saturating_mul(n).max(SHORTEST_HOLD * n / 2).min(most);
    let mut lengths: Vec<i64> = [2, 4, 8].into_iter().map(longer).filter(|to| *to > now.hold).collect();
    lengths.dedup();
    let adjust = |to| Adjustment { set: Override { hold: Some(span(to)), ..base.clone() }, steps: vec![Step::Hold { from: now.hold, to }] };
    lengths.into_iter().map(adjust).collect()
}

fn bounds(rule: &Rule, now: &Rule, base: &Override) -> Vec<Adjustment> {
    let Some(q) = now.quantity.as_ref().filter(|_| matches!(now.kind, Kind::Threshold | Kind::Mean | Kind::Rise)) else {
        return Vec::new();
    };
    let further = |n: i64| -> Option<Adjustment> {
        let (mut set, mut steps) = (base.clone(), Vec::new());
        let least = if now.kind == Kind::Rise { "rise" } else { "at_least" };
        let places = [
            ("above", now.bounds.above, rule.bounds.above, 1),
            (least, now.bounds.at_least, rule.bounds.at_least, 1),
            ("below", now.bounds.below, rule.bounds.below, -1),
            ("at_most", now.bounds.at_most, rule.bounds.at_most, -1),
        ];
        for (name, value, own, sign) in places {
            let (Some(value), Some(own)) = (value, own) else { continue };
            let step = if now.bounds.hysteresis > 0 { now.bounds.hysteresis } else { (value.saturating_abs() / PART).max(1) };
            let to = value.saturating_add(step.saturating_mul(n).saturating_mul(sign));
            if rule.severity == Severity::Serious && to.saturating_sub(own).saturating_abs() > own.saturating_abs() / MOST_PART {
                return None;
            }
            let place = match name {
                "above" => &mut set.above,
                "at_least" => &mut set.at_least,
                "rise" => &mut set.rise,
                "below" => &mut set.below,
                _ => &mut set.at_most,
            };
            *place = Some(q.float(Fixed(to)));
            steps.push(Step::Bound { name, quantity: q.clone(), from: Fixed(value), to: Fixed(to) });
        }
        (!steps.is_empty()).then_some(Adjustment { set, steps })
    };
    [1, 2].into_iter().filter_map(further).collect()
}

/// As packs write it.
fn span(ms: i64) -> String {
    if ms % MINUTE == 0 { format!("{}m", ms / MINUTE) } else { format!("{}s", ms / SECOND) }
}
