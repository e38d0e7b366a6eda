//! A battery that lasts less than so many days.
use crate::engine::quality::series::Series;
use crate::engine::rules::Rule;

const DAY_MS: i64 = 86_400_000;

pub fn judge(rule: &Rule, s: &Series) -> (bool, bool) {
    let Some(f) = s.battery.as_ref().and_then(|b| b.forecast) else { return (false, true) };
    let enough = rule.every / DAY_MS;
    let days = i64::from(f.days);
    // Only where even the slowest of the likely courses goes down.
    (days < enough && f.at_most.is_some(), days >= enough + enough / 4)
}
