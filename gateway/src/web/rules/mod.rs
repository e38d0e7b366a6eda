//! The pages of rules: what holds here, and how to change it. A change is tried on the site's own history before it can be switched on.
//!
//! | file | holds |
//! |---|---|
//! | `form` | what a person types -> an override of the rule |
//! | `trial` | the back-test behind the page: one at a time, in the background |
mod form;
mod trial;

pub(super) use trial::Trials;

use super::pages::{Done, missing, sorry, ui};
use super::{QueryError, Shared, views};
use crate::engine::rules::{Entry, Kind, Override, Rule, parse::parse, phase_bit};
use crate::engine::schedule::Phase;
use crate::engine::site::ZoneKind;
use crate::engine::view::{OverrideState, OverrideView, View};
use crate::pipeline::{Control, OverrideChange};
use crate::replay::backtest::{self, Backtest};
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tuoan_dashboards::door::{ACTOR, Visitor, tidy};
use tuoan_dashboards::lang::Text;
use tuoan_dashboards::view::Notice;
use tuoan_dashboards::view::rules as page;
use tuoan_dashboards::words::HAZARDS;
use tuoan_dashboards::{Ui, page as render};
use tuoan_protocol::{Fixed, RuleId, Severity};

/// As for the other actions: a commit takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The rules of the packs in force, as the packs have them, with their words; by hazard, most urgent first.
pub type Rulebook = Vec<(Rule, Entry)>;

/// Of the packs' texts. A pack that does not parse gives none.
pub fn rulebook<S: AsRef<str>>(packs: &[S]) -> Rulebook {
    let mut book: Rulebook = packs.iter().filter_map(|text| parse(text.as_ref()).ok()).flat_map(|pack| pack.rules).collect();
    let order = |r: &Rule| HAZARDS.iter().position(|h| *h == r.hazard.as_str()).unwrap_or(HAZARDS.len());
    book.sort_by(|(a, _), (b, _)| (order(a), a.severity, &a.id).cmp(&(order(b), b.severity, &b.id)));
    book
}

fn find<'a>(web: &'a Shared, id: &str) -> Option<&'a (Rule, Entry)> {
    let id = RuleId::new(id).ok()?;
    web.deps.rulebook.iter().find(|(r, _)| r.id == id)
}

fn override_of<'a>(view: &'a View, rule: &RuleId) -> Option<&'a OverrideView> {
    let of = |state| view.overrides.iter().find(|o| o.set.rule == *rule && o.state == state);
    of(OverrideState::InForce).or_else(|| of(OverrideState::Coming)).or_else(|| of(OverrideState::Expired))
}

/// The rule with the override, whether that switches it off or not.
fn with(rule: &Rule, o: &Override) -> Rule {
    let on = Override { enabled: None, ..o.clone() };
    on.apply(rule).ok().flatten().unwrap_or_else(|| rule.clone())
}

fn words(w: &crate::engine::rules::Words) -> Text {
    Text::new(w.zh.clone(), w.en.clone())
}

/// The figures of a rule.
fn says(r: &Rule) -> page::Says {
    let number = |v: Option<i64>| v.map(Fixed);
    let rise = r.kind == Kind::Rise;
    const PHASES: [Phase; 6] = [Phase::Care, Phase::DropOff, Phase::Nap, Phase::Collection, Phase::Staff, Phase::Closed];
    let phases: Vec<_> = PHASES.into_iter().filter(|p| r.phases & phase_bit(*p) != 0).map(views::phase).collect();
    let months: Vec<u8> = (1..=12).filter(|m| r.months & (1 << m) != 0).collect();
    page::Says {
        kind: kind_name(r.kind),
        quantity: r.quantity.clone(),
        is: matches!(r.kind, Kind::State | Kind::Becomes).then_some(Fixed(r.is)),
        above: number(r.bounds.above),
        at_least: number(r.bounds.at_least).filter(|_| !rise),
        below: number(r.bounds.below),
        at_most: number(r.bounds.at_most),
        rise: number(r.bounds.at_least).filter(|_| rise),
        window: r.window,
        hold: r.hold,
        missed: r.missed,
        every: r.every,
        occupied: r.occupied,
        phases: if phases.len() == PHASES.len() { Vec::new() } else { phases },
        months: if months.len() == 12 { Vec::new() } else { months },
        zones: r.zones.iter().map(|z: &ZoneKind| views::kind(*z)).collect(),
        floor_min: r.floor_min,
    }
}

/// As packs spell it.
fn kind_name(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn card(rule: &Rule, entry: &Entry, view: &View) -> page::Card {
    let change = override_of(view, &rule.id);
    let in_force = change.filter(|o| o.state == OverrideState::InForce);
    let now = in_force.map_or_else(|| rule.clone(), |o| with(rule, &o.set));
    page::Card {
        id: rule.id.as_str().to_owned(),
        title: words(&entry.title),
        severity: now.severity,
        basis: rule.basis,
        says: says(&now),
        clause: entry.citation(),
        verified: entry.verified,
        change: change.map(|o| page::Change {
            state: match o.state {
                OverrideState::Coming => "coming",
                OverrideState::InForce => "in_force",
                OverrideState::Expired => "expired",
            },
            off: o.set.enabled == Some(false),
            before: says(rule),
            severity_before: rule.severity,
            reason: o.set.reason.clone(),
            author: o.set.author.clone(),
            from: o.set.from.clone(),
            expires: o.set.expires.clone(),
            by_page: o.by_page,
        }),
    }
}

pub(super) async fn list(State(web): State<Shared>, visitor: Visitor) -> Response {
    let (ui, view) = (ui(&web, &visitor), web.deps.handle.view.borrow().clone());
    let mut groups: Vec<page::Group> = Vec::new();
    for (rule, entry) in web.deps.rulebook.iter() {
        let card = card(rule, entry, &view);
        match groups.last_mut().filter(|g| g.hazard == rule.hazard.as_str()) {
            Some(group) => group.rules.push(card),
            None => groups.push(page::Group { hazard: rule.hazard.as_str().to_owned(), rules: vec![card] }),
        }
    }
    let changed = view.overrides.iter().filter(|o| o.state == OverrideState::InForce).count() as u64;
    Html(render::rules(&ui, &page::Rules { groups, changed, total: web.deps.rulebook.len() as u64, notice: None })).into_response()
}

fn rule_page(web: &Shared, ui: &Ui, (rule, entry): &(Rule, Entry), form: page::Form, notice: Option<Notice>) -> String {
    let view = web.deps.handle.view.borrow().clone();
    let trial = web.trials.of(&rule.id).is_some();
    let card = card(rule, entry, &view);
    render::rule(ui, &page::RulePage { card, advice: words(&entry.advice), pack: entry.pack.clone(), form, trial, notice })
}

/// Days since 1970-01-01 at the site.
fn today(web: &Shared) -> i64 {
    let local = web.deps.clock.utc_ms().saturating_add(i64::from(web.config.utc_offset_minutes) * 60_000);
    local.div_euclid(86_400_000)
}

pub(super) async fn one(
    State(web): State<Shared>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(done): Query<Done>,
    Query(suggested): Query<form::Typed>,
) -> Response {
    let ui = ui(&web, &visitor);
    let Some(found) = find(&web, &id) else { return missing(&ui) };
    let view = web.deps.handle.view.borrow().clone();
    let in_force = override_of(&view, &found.0.id).filter(|o| o.state == OverrideState::InForce);
    // A trial that was made here is what its maker comes back to change.
    let tried = web.trials.of(&found.0.id).map(|t| t.set.clone());
    let known = visitor.actor.clone().unwrap_or_default();
    let mut form = form::filled(&found.0, tried.as_ref().or(in_force.map(|o| &o.set)), &known, today(&web));
    form::suggest(&mut form, &suggested);
    Html(rule_page(&web, &ui, found, form, done.notice(&ui))).into_response()
}

pub(super) async fn try_it(
    State(web): State<Shared>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(typed): Form<form::Typed>,
) -> Response {
    let ui = ui(&web, &visitor);
    let Some(found) = find(&web, &id) else { return missing(&ui) };
    let set = match form::read(&ui, &found.0, &typed, today(&web)) {
        Ok(set) => set,
        Err(form) => {
            let page = rule_page(&web, &ui, found, *form, None);
            return (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response();
        }
    };
    if visitor.actor.is_none() {
        let _ = web.deps.door.remember_actor(&visitor, &tidy(&set.author, ACTOR)).await;
    }
    // That another one is running is told by the page of this rule's trial.
    let _ = web.trials.start(&web.deps, set);
    Redirect::to(&format!("/rules/{}/trial", found.0.id)).into_response()
}

pub(super) async fn trial_page(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let ui = ui(&web, &visitor);
    let Some((rule, entry)) = find(&web, &id) else { return missing(&ui) };
    let view: Arc<View> = web.deps.handle.view.borrow().clone();
    let Some(trial) = web.trials.last() else { return Redirect::to(&format!("/rules/{}", rule.id)).into_response() };
    let state = if trial.set.rule != rule.id {
        if !trial.is_running() {
            return Redirect::to(&format!("/rules/{}", rule.id)).into_response();
        }
        page::Trial::Busy { rule: trial.set.rule.as_str().to_owned(), by: trial.set.author.clone() }
    } else {
        match trial.state() {
            trial::State::Running => page::Trial::Running(trial.percent()),
            trial::State::Stopped => page::Trial::Stopped,
            trial::State::Failed(why) => page::Trial::Failed(why),
            trial::State::Done(result) => page::Trial::Done(Box::new(outcome(&result, &rule.id, &view))),
        }
    };
    let set = if trial.set.rule == rule.id { Some(&trial.set) } else { None };
    let after = set.map_or_else(|| rule.clone(), |o| with(rule, o));
    let v = page::TrialPage {
        card: card(rule, entry, &view),
        after: says(&after),
        off: set.is_some_and(|o| o.enabled == Some(false)),
        severity_after: after.severity,
        reason: set.map(|o| o.reason.clone()).unwrap_or_default(),
        author: set.map(|o| o.author.clone()).unwrap_or_default(),
        expires: set.map(|o| o.expires.clone()).unwrap_or_default(),
        token: trial.token.clone(),
        state,
    };
    Html(render::trial(&ui, &v)).into_response()
}

pub(super) async fn stop(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let Some((rule, _)) = find(&web, &id) else { return missing(&ui(&web, &visitor)) };
    if let Some(trial) = web.trials.of(&rule.id) {
        trial.stop();
    }
    Redirect::to(&format!("/rules/{}/trial", rule.id)).into_response()
}

#[derive(serde::Deserialize)]
pub struct Token {
    #[serde(default)]
    token: String,
}

/// Switches on what was tried.
pub(super) async fn set(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>, Form(form): Form<Token>) -> Response {
    let ui = ui(&web, &visitor);
    let Some((rule, _)) = find(&web, &id) else { return missing(&ui) };
    let tried = web.trials.of(&rule.id).filter(|t| t.token == form.token && matches!(t.state(), trial::State::Done(_)));
    // Another trial has taken its place: what would be switched on is not what this person saw.
    let Some(tried) = tried else { return Redirect::to(&format!("/rules/{}", rule.id)).into_response() };
    let change = OverrideChange::Set(Box::new(tried.set.clone()));
    let answer = change_rules(&web, &ui, &rule.id, change, "set").await;
    if answer.status().is_redirection() {
        web.trials.forget(&tried.token);
    }
    answer
}

/// Back to the rule as its pack has it.
pub(super) async fn end(State(web): State<Shared>, visitor: Visitor, Path(id): Path<String>) -> Response {
    let ui = ui(&web, &visitor);
    let Some((rule, _)) = find(&web, &id) else { return missing(&ui) };
    change_rules(&web, &ui, &rule.id, OverrideChange::End(rule.id.clone()), "ended").await
}

async fn change_rules(web: &Shared, ui: &Ui, rule: &RuleId, change: OverrideChange, done: &str) -> Response {
    let (reply, answer) = oneshot::channel();
    let ask = async {
        web.deps.handle.control.send(Control::Override { change, reply }).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(PATIENCE, ask).await {
        Ok(Some(Ok(_))) => Redirect::to(&format!("/rules/{rule}?done={done}")).into_response(),
        Ok(Some(Err(why))) => {
            let text = ui.t1("error-rule-refused", "why", why);
            (StatusCode::CONFLICT, Html(render::error(ui, &ui.t("error-refused"), &text))).into_response()
        }
        Ok(None) | Err(_) => sorry(ui, &QueryError::Busy),
    }
}

/// What a back-test says of one rule.
fn outcome(b: &Backtest, rule: &RuleId, view: &View) -> page::Outcome {
    let mut out = page::Outcome { from: b.from, to: b.to, days: b.days, ..page::Outcome::default() };
    let percent = |share: f64| (share * 100.0).round().clamp(0.0, 100.0) as u64;
    out.doubts = b
        .doubts
        .iter()
        .filter_map(|d| match d {
            backtest::Doubt::Short(days) => Some(page::Doubt::Short(*days)),
            backtest::Doubt::Sparse(share) => Some(page::Doubt::Sparse(percent(*share))),
            backtest::Doubt::NoDevice(r) => (r == rule).then_some(page::Doubt::NoDevice),
            backtest::Doubt::Unheard(r, share) => (r == rule).then_some(page::Doubt::Unheard(percent(*share))),
        })
        .collect();
    let Some(r) = b.rules.iter().find(|r| r.rule == *rule) else { return out };
    let ms = |hours: f64| (hours * 3_600_000.0) as i64;
    let figures = |f: &backtest::Figures| page::Figures {
        incidents: f.incidents,
        activations: f.activations,
        per_week: f.per_week,
        low: f.low,
        high: f.high,
        active_ms: ms(f.active_hours),
    };
    let zone =
        |z: &tuoan_protocol::ZoneId| view.zones.iter().find(|v| v.id == *z).map_or_else(|| z.as_str().to_owned(), |v| v.name.clone());
    (out.devices, out.before, out.after) = (r.devices as u64, r.before.as_ref().map(figures), r.after.as_ref().map(figures));
    let offender = |o: &backtest::Offender| page::Offender {
        place: zone(&o.place.zone),
        device: o.device.as_ref().map(|d| views::device_name(d, view)),
        activations: o.activations,
        active_ms: ms(o.active_hours),
    };
    out.offenders = r.offenders.iter().map(offender).collect();
    let example = |e: &crate::replay::tally::Example| page::Example {
        at: e.at,
        place: zone(&e.place.zone),
        device: e.device.as_ref().map(|d| views::device_name(d, view)),
        reading: e.reading.clone(),
    };
    out.examples = r.examples.iter().map(example).collect();
    out
}

/// Whether a person may make it quieter only by a little.
fn is_emergency(rule: &Rule) -> bool {
    rule.severity == Severity::Emergency
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::builtin;
    use tuoan_dashboards::Lang;

    #[test]
    fn every_rule_is_a_sentence_in_both_languages() {
        let packs: Vec<_> = builtin().into_iter().map(|(_, t)| t).collect();
        for (rule, _) in rulebook(&packs) {
            let says = says(&rule);
            for lang in Lang::ALL {
                assert!(lang.has(&format!("rule-kind-{}", says.kind)), "{} in {}", says.kind, lang.tag());
                let sentence = Ui::plain(lang, 0).rule_sentence(&says);
                assert!(!sentence.contains("rule-") && !sentence.contains('{'), "{}: {sentence}", rule.id);
            }
        }
    }
}
