//! Changes tried on the site's own history: one replay for many rules, within a budget of time.
use super::period::DAY_MS;
use super::suggest::{Effect, Why};
use crate::engine::Configuration;
use crate::engine::rules::Override;
use crate::replay::backtest::{Doubt, Pace, backtest};
use crate::replay::{Change, Range, ReplayError, Source};
use std::collections::BTreeMap;
use tuoan_protocol::RuleId;

/// How much of the history is used, in milliseconds: four weeks, so that each day of the week counts alike.
pub const HISTORY_MS: i64 = 28 * DAY_MS;
/// With fewer days than this nothing is tried.
pub const LEAST_DAYS: f64 = 1.0;

/// What those overrides, of different rules, would have meant. `go` is asked again and again; false ends the trial.
///
/// # Errors
/// The history is too short, time is up, or it cannot be replayed.
pub fn attempt(
    source: &Source,
    in_force: &Configuration,
    set: Vec<Override>,
    pace: Pace,
    go: &mut dyn FnMut() -> bool,
) -> Result<BTreeMap<RuleId, Effect>, Why> {
    let days = source.cut.span.map_or(0.0, |(first, last)| last.saturating_sub(first) as f64 / DAY_MS as f64);
    if days < LEAST_DAYS {
        return Err(Why::TooShort(days));
    }
    let range = Range { from: Some(source.cut.now.saturating_sub(HISTORY_MS)), to: None };
    let result = Change::overrides(set, in_force).and_then(|change| backtest(source, &change, range, pace, &mut |_| go()));
    let b = result.map_err(|e| match e {
        ReplayError::Cancelled => Why::OutOfTime,
        e => Why::Failed(e.to_string()),
    })?;
    if b.days < LEAST_DAYS {
        return Err(Why::TooShort(b.days));
    }
    let short = b.doubts.iter().any(|d| matches!(d, Doubt::Short(_)));
    let weekly = |f: &crate::replay::backtest::Figures| f.activations as f64 * 7.0 / b.days;
    let effects = b.rules.iter().filter_map(|r| {
        let (before, after) = (r.before.as_ref().map(weekly)?, r.after.as_ref().map(weekly)?);
        Some((r.rule.clone(), Effect { before, after, days: b.days, short }))
    });
    Ok(effects.collect())
}
