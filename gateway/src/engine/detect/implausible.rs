//! Nothing but impossible values: the sensor is blind, though it speaks.
use crate::engine::input::EngineMs;
use crate::engine::quality::series::Series;
use crate::engine::rules::Rule;

/// Period of a device of unknown habit.
const UNKNOWN_MS: i64 = 5 * 60_000;

/// `period`: that of the device.
pub fn judge(rule: &Rule, s: &Series, period: Option<i64>, at: EngineMs) -> (bool, bool) {
    let missed = u32::from(rule.missed.max(1));
    let lasted = period.unwrap_or(UNKNOWN_MS).saturating_mul(i64::from(missed - 1));
    // A burst of bad bytes is no blindness; jitter must not cost a period.
    let trips = s.bad >= missed && at.saturating_sub(s.bad_since) >= lasted - lasted / 8;
    (trips, s.bad == 0)
}
