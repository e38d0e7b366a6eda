//! A number that stands still: a stuck sensor, a frozen gateway in between, a probe that hangs in the air no more.
//!
//! Nature and noise move the last digit of most numbers; how often, each series learns of itself. Until then the table of
//! [`limits`](crate::engine::quality::limits) says how long any sensor may stand still.
use crate::engine::input::EngineMs;
use crate::engine::quality::limits::{self, Habits};
use crate::engine::quality::series::Series;
use tuoan_protocol::Quantity;

/// Longer stillness is not taken for a habit.
pub const LEARN_MS: i64 = 24 * 3_600_000;
/// Its own habit is known after so long.
const KNOWN_MS: i64 = 7 * 86_400_000;
/// So many times its habit is far longer.
const FAR: i64 = 4;
/// Whoever stands still for so long is stuck, whatever its habit.
const CAP_MS: i64 = 72 * 3_600_000;
/// Reports that say the same.
const REPORTS: u32 = 12;

/// How long it may stand still.
pub fn allowed(h: &Habits, s: &Series) -> i64 {
    let known = s.first.is_some_and(|f| s.last.saturating_sub(f) >= KNOWN_MS);
    let learned = s.stillness.ms().saturating_mul(FAR);
    let allowed = if known { learned.max(h.still / 4) } else { learned.max(h.still) };
    allowed.min(CAP_MS)
}

pub fn judge(q: &Quantity, s: &Series, at: EngineMs) -> (bool, bool) {
    let Some(h) = limits::habits(q).filter(|h| !h.stands_still_normally()) else { return (false, true) };
    // At the floor of the sensor or of nature nothing need move.
    if s.level() <= limits::fixed(q, h.rest) {
        return (false, true);
    }
    let still = s.still_ms();
    // What is not reported any more is silent, not still.
    let reported = at.saturating_sub(s.last) <= still;
    let trips = s.still >= REPORTS && reported && still >= allowed(&h, s);
    (trips, s.still == 1 || still < h.still / 4)
}
