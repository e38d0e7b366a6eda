//! One number of a device that speaks otherwise: a probe unplugged, a sensor chip dead.
//!
//! Its habit is the longest gap of this week and the last, so that what is reported on change is not missed on a quiet Sunday.
use crate::engine::device::{Device, Value};
use crate::engine::input::EngineMs;
use crate::engine::quality::series::Series;
use crate::engine::rules::Rule;
use tuoan_protocol::Quantity;

/// Its habit is known after so long.
const LEARN_MS: i64 = 86_400_000;
/// Nothing is missed sooner.
const LEAST_MS: i64 = 30 * 60_000;

/// Whether its absence can be told at all: what says how the device does is sent when the device likes.
pub fn is_expected(q: &Quantity) -> bool {
    !matches!(
        q,
        Quantity::Battery | Quantity::BatteryVoltage | Quantity::LinkQuality | Quantity::SignalStrength | Quantity::BodyTemperature
    )
}

/// `period`: that of the device.
pub fn judge(rule: &Rule, v: &Value, s: &Series, device: &Device, period: Option<i64>) -> (bool, bool) {
    // Against the device's own last word: when it is silent altogether, that is another finding.
    let heard: EngineMs = device.last_heard.unwrap_or(v.at);
    let away = heard.saturating_sub(v.at);
    let known = s.first.is_some_and(|f| v.at.saturating_sub(f) >= LEARN_MS);
    let habit = s.gap.ms().max(period.unwrap_or(0));
    let limit = habit.saturating_mul(i64::from(rule.missed.max(1))).max(LEAST_MS);
    (known && habit > 0 && away >= limit, away < LEAST_MS.min(limit))
}
