//! How each kind of rule decides. A detector turns readings into a *level*; [`hold`] turns levels into findings with hold time and hysteresis.
//!
//! | file | kind |
//! |---|---|
//! | [`state`], [`threshold`] | the newest value |
//! | [`mean`] | mean over a window |
//! | [`rise`] | rise within a window |
//! | [`becomes`] | a state that begins |
//! | [`recheck`] | a number that is measured twice |
//! | [`daily`] | a sum over the day |
//! | [`decay`] | what does not go away |
//! | [`event`] | momentary events |
//! | [`silence`] | missed periods |
//! | [`age`] | time since the last test |
//! | [`implausible`], [`lost`], [`flat`], [`drift`], [`forecast`] | what a series has learned of itself: [`super::quality`] |
//! | [`anomaly`] | what the learned detector did not expect |
//! | [`hub`] | the silence of many that is the loss of one |
use super::input::EngineMs;
use super::rules::{Kind, Rule};
use serde::{Deserialize, Serialize};
use tuoan_protocol::Fixed;

pub mod age;
pub mod anomaly;
pub mod becomes;
pub mod daily;
pub mod decay;
pub mod drift;
pub mod event;
pub mod flat;
pub mod forecast;
pub mod hold;
pub mod hub;
pub mod implausible;
pub mod lost;
pub mod mean;
pub mod recheck;
pub mod rise;
pub mod silence;
pub mod state;
pub mod threshold;

pub use hold::{Change, Hold};

/// What one rule remembers of one channel of one device. Kept only while there is something to remember.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tracker {
    pub hold: Hold,
    /// When its hold or clear time is over.
    pub due: Option<EngineMs>,
    pub found_on_connect: bool,
    pub memory: Memory,
}

/// What a detector remembers between samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Memory {
    #[default]
    None,
    Mean(mean::Means),
    Rise(rise::Rises),
    Daily(daily::Sum),
    Decay(decay::Decay),
    /// Engine time at which it last tripped.
    Tripped(EngineMs),
}

impl Tracker {
    /// Nothing to remember: as good as none.
    pub fn is_idle(&self) -> bool {
        self.hold == Hold::Idle && self.memory == Memory::None
    }
    /// Takes a sample in and gives the level that is judged; `None` when it cannot be told yet.
    pub fn level(&mut self, rule: &Rule, value: Fixed, at: EngineMs, carry: i64) -> Option<i64> {
        match rule.kind {
            Kind::Recheck => {
                if rule.bounds.trips(value.0) {
                    self.memory = Memory::Tripped(at);
                }
                Some(value.0)
            }
            Kind::Mean => {
                if !matches!(self.memory, Memory::Mean(_)) {
                    self.memory = Memory::Mean(mean::Means::default());
                }
                let Memory::Mean(m) = &mut self.memory else { return None };
                m.sample(rule, value, at, carry)
            }
            Kind::Rise => {
                if !matches!(self.memory, Memory::Rise(_)) {
                    self.memory = Memory::Rise(rise::Rises::default());
                }
                let Memory::Rise(r) = &mut self.memory else { return None };
                Some(r.sample(rule, value, at))
            }
            Kind::Daily => {
                if !matches!(self.memory, Memory::Daily(_)) {
                    self.memory = Memory::Daily(daily::Sum::default());
                }
                let Memory::Daily(s) = &mut self.memory else { return None };
                Some(s.sample(value))
            }
            Kind::Decay => {
                if !matches!(self.memory, Memory::Decay(_)) {
                    self.memory = Memory::Decay(decay::Decay::default());
                }
                let Memory::Decay(d) = &mut self.memory else { return None };
                d.sample(rule, value, at)
            }
            _ => Some(value.0),
        }
    }
    /// The level as it stood after the last sample.
    pub fn last_level(&self, rule: &Rule, value: Option<Fixed>) -> Option<i64> {
        match &self.memory {
            Memory::Mean(m) => m.last(),
            Memory::Rise(r) => r.last(),
            Memory::Daily(s) => Some(s.today()),
            Memory::Decay(d) => d.last(),
            Memory::None if rule.kind.has_memory() => None,
            Memory::None | Memory::Tripped(_) => value.map(|v| v.0),
        }
    }
}

/// Does the level trip the rule, and does it clear it? Between the two lies the hysteresis.
/// `edge`: a live sample that differs from the one before it.
pub fn judge(rule: &Rule, level: i64, edge: bool) -> (bool, bool) {
    match rule.kind {
        Kind::State => state::judge(rule, level),
        Kind::Becomes => becomes::judge(rule, level, edge),
        // At midnight only; but what is done is done.
        Kind::Daily => (false, !rule.bounds.trips(level)),
        Kind::Decay => (level >= rule.decay.left, level < rule.decay.left),
        _ => threshold::judge(rule, level),
    }
}
