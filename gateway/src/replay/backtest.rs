//! Expected incidents a week on the site's own history, before a rule is switched on.
//!
//! The whole history is judged by the configuration that is in force today, once as it is and once with the change, from a cold start two
//! days earlier; in both runs somebody takes note of every incident within five minutes, so that one which nobody met in the history does
//! not swallow all that follow.
use super::change::{Change, lasting};
use super::source::{Piece, Source};
use super::tally::{Example, RuleTally, Tally};
use super::what_if::{Known, Run};
use super::{Progress, Range, ReplayError, poisson};
use crate::engine::input::Item;
use crate::engine::rules::{self, Catalogue, Entry, Kind, Override, Rule, overrides};
use crate::engine::site::Role;
use crate::engine::{Body, Configuration, Input, State};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use tuoan_protocol::{DeviceId, Place, Quantity, RuleId};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Learned periods, windows and states settle in this time.
const WARM_UP_MS: i64 = 2 * DAY_MS;
/// The longest history that is used: the seasons of one year.
pub const LONGEST_MS: i64 = 365 * DAY_MS;
/// Below this a rate by the week is a guess.
const ENOUGH_DAYS: f64 = 7.0;
/// Places and devices named.
const OFFENDERS: usize = 8;

/// What the history says.
#[derive(Debug, Clone, PartialEq)]
pub struct Backtest {
    /// UTC milliseconds.
    pub from: i64,
    pub to: i64,
    pub utc_offset_minutes: i32,
    /// Days in which the gateway was listening.
    pub days: f64,
    /// Share of the hours in which anything was heard.
    pub coverage: f64,
    /// What makes the figures uncertain.
    pub doubts: Vec<Doubt>,
    /// The changed rules, in order of their ids.
    pub rules: Vec<RuleResult>,
    /// Incidents of all rules.
    pub all: (Figures, Figures),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Doubt {
    /// So few days.
    Short(f64),
    /// Heard in so small a share of the hours.
    Sparse(f64),
    /// No device of this site can be judged by that rule.
    NoDevice(RuleId),
    /// Devices could, but that quantity was heard of them in so small a share of the hours.
    Unheard(RuleId, f64),
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleResult {
    pub rule: RuleId,
    /// Words and source, as the change has them.
    pub entry: Option<Entry>,
    /// Devices of this site that it looks at.
    pub devices: usize,
    /// As the rules in force have it; `None` when they do not know it, or it is off.
    pub before: Option<Figures>,
    /// With the change; `None` when that switches it off.
    pub after: Option<Figures>,
    /// With the change: who brings it about, most often first.
    pub offenders: Vec<Offender>,
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    pub incidents: u64,
    pub activations: u64,
    /// Incidents a week, with the 95 % interval that independent incidents would have.
    pub per_week: f64,
    pub low: f64,
    pub high: f64,
    /// Hours in which it held.
    pub active_hours: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Offender {
    pub place: Place,
    pub device: Option<DeviceId>,
    pub activations: u64,
    pub active_hours: f64,
}

/// How much of the machine it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Both runs at once.
    Fast,
    /// One after the other: beside a gateway that has work to do.
    Gentle,
}

/// Judges the history in `range` with and without `change`.
///
/// # Errors
/// The log cannot be read, the rules do not go together, or `progress` said stop.
pub fn backtest(source: &Source, change: &Change, range: Range, pace: Pace, progress: Progress<'_>) -> Result<Backtest, ReplayError> {
    let Some((first, last)) = source.cut.span else { return Err(ReplayError::Empty { path: source.path().to_owned() }) };
    let to = range.to.unwrap_or(source.cut.now.max(last)).min(source.cut.now.max(last));
    let from = range.from.unwrap_or(first).max(first).max(to.saturating_sub(LONGEST_MS));
    let in_force = source.configuration()?;
    // Whatever days an override names, it is tried as if it held today.
    let today = in_force.site.local_day(to.saturating_add(source.cut.utc_offset));
    let with = change.through(today, today, &in_force).apply(&in_force)?;
    let (before, after) = (always(&in_force, source, from, to)?, always(&with, source, from, to)?);

    let begin = from.saturating_sub(WARM_UP_MS).max(first);
    let position = source.position_before(begin)?;
    let known = source.known()?;
    let mut heard = Heard::new(change, &after, from);
    let mut runs = [cold(before.clone(), begin, source, from), cold(after.clone(), begin, source, from)];
    let mut pieces = source.inputs(position, Some(to))?.map(|piece| {
        let piece = piece?;
        heard.piece(&piece);
        if progress(piece.last) { Ok(piece) } else { Err(ReplayError::Cancelled) }
    });
    match pace {
        Pace::Gentle => {
            for piece in pieces {
                let piece = piece?;
                runs.iter_mut().try_for_each(|run| run.piece(&piece, &known))?;
            }
            runs.iter_mut().for_each(|run| run.finish(to));
        }
        Pace::Fast => abreast(&mut runs, &mut pieces, &known, to)?,
    }
    let [before_run, after_run] = runs;
    let utc = |at: i64| at.saturating_add(source.cut.utc_offset);
    let days = (to.saturating_sub(from).max(0) as f64 - heard.deaf_ms as f64).max(0.0) / DAY_MS as f64;
    let coverage = heard.coverage(from, to);
    let mut doubts = Vec::new();
    if days < ENOUGH_DAYS {
        doubts.push(Doubt::Short(days));
    }
    if coverage < 0.9 {
        doubts.push(Doubt::Sparse(coverage));
    }
    let rules = change.rules.iter().map(|(rule, entry)| {
        let devices = heard.scope.values().filter(|rules| rules.iter().any(|r| change.is_rule(*r, &rule.id))).count();
        if judges_devices(rule) && devices == 0 {
            doubts.push(Doubt::NoDevice(rule.id.clone()));
        } else if let Some(share) = heard.share_of(change, &rule.id, from, to).filter(|s| *s < 0.5) {
            doubts.push(Doubt::Unheard(rule.id.clone(), share));
        }
        result(rule, entry, devices, (&before, &before_run.tally), (&after, &after_run.tally), days)
    });
    let rules = rules.collect();
    Ok(Backtest {
        from: utc(from),
        to: utc(to),
        utc_offset_minutes: in_force.site.utc_offset_minutes,
        days,
        coverage,
        doubts,
        rules,
        all: (whole(&before_run.tally, days), whole(&after_run.tally, days)),
    })
}

/// Both runs at once, each on a thread of its own.
fn abreast(
    runs: &mut [Run<'_>; 2],
    pieces: &mut dyn Iterator<Item = Result<Arc<Piece>, ReplayError>>,
    known: &Known,
    to: i64,
) -> Result<(), ReplayError> {
    let [one, other] = runs;
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel::<Arc<Piece>>(2);
        let second = scope.spawn(move || {
            for piece in receive {
                other.piece(&piece, known)?;
            }
            other.finish(to);
            Ok(())
        });
        let first = (|| {
            for piece in pieces {
                let piece = piece?;
                // It ends early only with an error, which is told below.
                let _ = send.send(Arc::clone(&piece));
                one.piece(&piece, known)?;
            }
            one.finish(to);
            Ok(())
        })();
        drop(send);
        let second = second.join().unwrap_or_else(|_| Err(ReplayError::Thread("the second run has panicked".to_owned())));
        first.and(second)
    })
}

/// The configuration with what is in force at the end of the history in force all through it.
fn always(c: &Configuration, source: &Source, from: i64, to: i64) -> Result<Configuration, ReplayError> {
    let mut site = c.site.clone();
    let day = |at: i64| c.site.local_day(at.saturating_add(source.cut.utc_offset));
    let today = day(to);
    // One of each rule: that of today, or one that begins later, as what is to be tried may.
    let mut kept: Vec<Override> = Vec::new();
    let in_force = site.overrides.iter().filter(|o| o.holds_on(today));
    let coming = site.overrides.iter().filter(|o| o.days().is_some_and(|(first, _)| first > today));
    for o in in_force.chain(coming) {
        if kept.iter().all(|k| k.rule != o.rule) {
            kept.push(o.clone());
        }
    }
    // The cold start lies two days before.
    site.overrides = lasting(kept.iter(), day(from) - 3, today, c);
    let rules = rules::compile(&c.rules).map_err(ReplayError::Rules)?;
    // The engine would refuse the whole, and no rule would say anything.
    let problems = overrides::problems(&site.overrides, &rules);
    if problems.is_empty() {
        Ok(Configuration::new(c.log.clone(), site, c.rules.clone()))
    } else {
        Err(ReplayError::Rules(problems.join("\n")))
    }
}

fn cold(c: Configuration, begin: i64, source: &Source, from: i64) -> Run<'static> {
    let mut run = Run::new(State::new(), Box::new(|_| Ok(None)));
    run.attended = true;
    run.count_from = Some(from);
    let offset_ms = source.cut.utc_offset;
    run.begin(&[
        Input { at: begin, body: Body::Configure(Box::new(c)) },
        Input { at: begin, body: Body::Clock { offset_ms, trusted: true } },
    ]);
    run
}

fn judges_devices(rule: &Rule) -> bool {
    rule.kind != Kind::Report
}

fn result(
    rule: &Rule,
    entry: &Entry,
    devices: usize,
    before: (&Configuration, &Tally),
    after: (&Configuration, &Tally),
    days: f64,
) -> RuleResult {
    let side = |(c, tally): (&Configuration, &Tally)| {
        let on = Catalogue::new(&c.rules).get(&rule.id).is_some()
            && !c.site.overrides.iter().any(|o| o.rule == rule.id && o.enabled == Some(false));
        on.then(|| figures(tally.rules.get(&rule.id).unwrap_or(&RuleTally::default()), days))
    };
    let told = after.1.rules.get(&rule.id).cloned().unwrap_or_default();
    let mut offenders: Vec<Offender> = told
        .offenders
        .iter()
        .map(|((place, device), (activations, ms))| Offender {
            place: place.clone(),
            device: device.clone(),
            activations: *activations,
            active_hours: *ms as f64 / HOUR_MS as f64,
        })
        .collect();
    offenders.sort_by(|a, b| b.activations.cmp(&a.activations).then(b.active_hours.total_cmp(&a.active_hours)));
    offenders.truncate(OFFENDERS);
    let examples = told.first.into_iter().chain(told.last).collect();
    RuleResult { rule: rule.id.clone(), entry: Some(entry.clone()), devices, before: side(before), after: side(after), offenders, examples }
}

fn figures(t: &RuleTally, days: f64) -> Figures {
    rate(t.incidents, t.activations, t.active_ms, days)
}

fn whole(t: &Tally, days: f64) -> Figures {
    let sum = |f: fn(&RuleTally) -> i64| t.rules.values().map(f).sum::<i64>();
    rate(t.opened, sum(|r| r.activations as i64).unsigned_abs(), sum(|r| r.active_ms), days)
}

fn rate(incidents: u64, activations: u64, active_ms: i64, days: f64) -> Figures {
    let weeks = days / 7.0;
    let by_week = |n: f64| if weeks > 0.0 { n / weeks } else { 0.0 };
    let (low, high) = poisson::interval(incidents);
    Figures {
        incidents,
        activations,
        per_week: by_week(incidents as f64),
        low: by_week(low),
        high: by_week(high),
        active_hours: active_ms as f64 / HOUR_MS as f64,
    }
}

/// What of the history could be heard at all.
struct Heard {
    from: i64,
    deaf_ms: i64,
    /// Hours with a message: the last one, and how many.
    hour: i64,
    hours: u64,
    /// Which of the changed rules look at a device, by their number in the change.
    scope: BTreeMap<DeviceId, Vec<usize>>,
    quantities: Vec<Option<Quantity>>,
    /// By rule: the last hour with a reading of its quantity from a device that it looks at, and how many there were.
    by_rule: Vec<(i64, u64)>,
}

impl Heard {
    fn new(change: &Change, c: &Configuration, from: i64) -> Heard {
        let mut scope: BTreeMap<DeviceId, Vec<usize>> = BTreeMap::new();
        for d in &c.site.devices {
            let Some(zone) = c.site.zones.iter().find(|z| z.id == d.zone) else { continue };
            let looks = change.rules.iter().enumerate().filter(|(_, (r, _))| r.applies(zone.kind, zone.floor, d.role));
            scope.insert(d.id.clone(), looks.map(|(i, _)| i).collect());
        }
        for (id, zone) in c.site.eyes() {
            let looks = change.rules.iter().enumerate().filter(|(_, (r, _))| r.applies(zone.kind, zone.floor, Role::Camera));
            scope.insert(id, looks.map(|(i, _)| i).collect());
        }
        scope.retain(|_, rules| !rules.is_empty());
        let quantities: Vec<_> = change.rules.iter().map(|(r, _)| r.quantity.clone()).collect();
        Heard { from, deaf_ms: 0, hour: i64::MIN, hours: 0, scope, by_rule: vec![(i64::MIN, 0); quantities.len()], quantities }
    }

    fn piece(&mut self, piece: &Piece) {
        for input in piece.inputs.iter().filter(|i| i.at >= self.from) {
            let hour = input.at.div_euclid(HOUR_MS);
            match &input.body {
                Body::Started { down_from } => {
                    self.deaf_ms = self.deaf_ms.saturating_add(input.at.saturating_sub((*down_from).max(self.from)).max(0));
                }
                Body::Message(m) => {
                    if hour != self.hour {
                        (self.hour, self.hours) = (hour, self.hours + 1);
                    }
                    for rule in self.scope.get(&m.device).into_iter().flatten() {
                        let Some(known) = self.by_rule.get_mut(*rule).filter(|k| k.0 != hour) else { continue };
                        let asked = self.quantities.get(*rule).and_then(Option::as_ref);
                        let says = |i: &Item| matches!(i, Item::Reading { quantity, .. } if Some(quantity) == asked);
                        if m.items.iter().any(says) {
                            *known = (hour, known.1 + 1);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn coverage(&self, from: i64, to: i64) -> f64 {
        (self.hours as f64 / hours(from, to)).min(1.0)
    }
    /// `None` for a rule that looks at no quantity.
    fn share_of(&self, change: &Change, rule: &RuleId, from: i64, to: i64) -> Option<f64> {
        let index = change.rules.iter().position(|(r, _)| r.id == *rule)?;
        self.quantities.get(index)?.as_ref()?;
        Some((self.by_rule.get(index)?.1 as f64 / hours(from, to)).min(1.0))
    }
}

fn hours(from: i64, to: i64) -> f64 {
    (to.div_euclid(HOUR_MS) - from.div_euclid(HOUR_MS) + 1) as f64
}
