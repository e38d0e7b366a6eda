//! A state that begins: a door that opens. Once begun, it is judged to the end of its hold time whatever the state does meanwhile: a door that
//! falls shut behind a child has opened all the same.
use crate::engine::rules::Rule;

/// `edge`: this sample is live and differs from the one before it.
pub fn judge(rule: &Rule, level: i64, edge: bool) -> (bool, bool) {
    (edge && level == rule.is, false)
}
