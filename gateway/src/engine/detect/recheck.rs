//! A number that is measured again before it is believed to be well: a fever. What ends the finding is a normal value within a stretch of time after
//! the last bad one; a normal value right after it is another child's.
use crate::engine::input::EngineMs;
use crate::engine::rules::Rule;

/// Whether a value that clears, `at`, is the second measurement of what tripped at `tripped`.
pub fn counts(rule: &Rule, tripped: EngineMs, at: EngineMs) -> bool {
    let later = at.saturating_sub(tripped);
    later >= rule.recheck.0 && later <= rule.recheck.1
}
