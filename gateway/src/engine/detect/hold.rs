//! Hold time before a finding, clear time after it, and the guards (phase, season, occupancy) around it.
use crate::engine::input::EngineMs;
use crate::engine::rules::{Kind, Rule};
use serde::{Deserialize, Serialize};

use super::{Memory, Tracker, recheck};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    #[default]
    Idle,
    /// The condition holds since then, not yet long enough.
    Pending(EngineMs),
    /// A finding.
    On,
    /// A finding whose condition is over since then, not yet long enough.
    Clearing(EngineMs),
}

impl Hold {
    /// When its hold or clear time is over.
    pub fn due(self, rule: &Rule) -> Option<EngineMs> {
        match self {
            Hold::Pending(since) => Some(since.saturating_add(rule.hold)),
            Hold::Clearing(since) => Some(since.saturating_add(rule.clear_hold)),
            Hold::Idle | Hold::On => None,
        }
    }
}

/// What a tracker has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Raise,
    Lift,
}

impl Tracker {
    /// Moves on at time `at`. `trips` and `clears` judge the level; `guard` says whether the rule holds here and now at all.
    pub fn drive(&mut self, rule: &Rule, (trips, mut clears): (bool, bool), guard: bool, at: EngineMs) -> Option<Change> {
        let twice = rule.kind == Kind::Recheck;
        if let Memory::Tripped(then) = self.memory {
            clears &= recheck::counts(rule, then, at);
        }
        let (hold, change) = match self.hold {
            Hold::Idle if trips && guard => self.pend(rule, at, at),
            Hold::Idle => (Hold::Idle, None),
            Hold::Pending(since) if (trips || rule.kind == Kind::Becomes) && guard => self.pend(rule, since, at),
            Hold::Pending(_) => (Hold::Idle, None),
            // Only what the rule names ends a latched finding.
            Hold::On | Hold::Clearing(_) if rule.is_latched() && !twice => (Hold::On, None),
            Hold::On | Hold::Clearing(_) if !guard => (Hold::Idle, Some(Change::Lift)),
            Hold::On if clears => Self::clearing(rule, at, at),
            Hold::Clearing(since) if clears => Self::clearing(rule, since, at),
            Hold::On | Hold::Clearing(_) => (Hold::On, None),
        };
        self.hold = hold;
        self.due = hold.due(rule);
        if hold == Hold::Idle {
            if twice {
                self.memory = Memory::None;
            }
            self.found_on_connect = false;
        }
        change
    }

    fn pend(&self, rule: &Rule, since: EngineMs, at: EngineMs) -> (Hold, Option<Change>) {
        if at >= since.saturating_add(rule.hold) { (Hold::On, Some(Change::Raise)) } else { (Hold::Pending(since), None) }
    }
    fn clearing(rule: &Rule, since: EngineMs, at: EngineMs) -> (Hold, Option<Change>) {
        if at >= since.saturating_add(rule.clear_hold) { (Hold::Idle, Some(Change::Lift)) } else { (Hold::Clearing(since), None) }
    }
}
