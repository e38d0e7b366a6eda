//! A state that is hazardous by itself: smoke sounding, a door open, the mains gone.
use crate::engine::rules::Rule;

pub fn judge(rule: &Rule, level: i64) -> (bool, bool) {
    (level == rule.is, level != rule.is)
}
