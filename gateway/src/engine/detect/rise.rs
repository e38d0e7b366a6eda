//! Rise within a window, as heat detectors judge it. The level is the rise scaled to the window where samples lie further apart.
use crate::engine::input::EngineMs;
use crate::engine::rules::Rule;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use tuoan_protocol::Fixed;

/// Points kept in one window.
const POINTS: i64 = 10;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rises {
    /// (time, value), oldest first, at least a tenth of the window apart; of samples closer than that the lowest stays.
    points: VecDeque<(EngineMs, i64)>,
    level: Option<i64>,
}

impl Rises {
    /// The largest rise to `value` from any point of the last two windows; a point older than one window counts by its rate.
    pub fn sample(&mut self, rule: &Rule, value: Fixed, at: EngineMs) -> i64 {
        let window = rule.window.max(1);
        let value = value.0;
        while self.points.front().is_some_and(|&(t, _)| at.saturating_sub(t) > window.saturating_mul(2)) {
            self.points.pop_front();
        }
        let scaled = |&(t, v): &(EngineMs, i64)| {
            let rise = i128::from(value) - i128::from(v);
            let age = i128::from(at.saturating_sub(t));
            let per_window = if age > i128::from(window) { rise * i128::from(window) / age } else { rise };
            i64::try_from(per_window).unwrap_or(if rise > 0 { i64::MAX } else { i64::MIN })
        };
        let level = self.points.iter().map(scaled).max().unwrap_or(0);
        match self.points.back_mut() {
            Some(last) if at.saturating_sub(last.0) < window / POINTS => {
                if value < last.1 {
                    last.1 = value;
                }
            }
            _ => self.points.push_back((at, value)),
        }
        while self.points.len() > 2 * POINTS as usize + 2 {
            self.points.pop_front();
        }
        self.level = Some(level);
        level
    }
    pub fn last(&self) -> Option<i64> {
        self.level
    }
}
