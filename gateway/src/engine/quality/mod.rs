//! How far a number can be trusted, learned from the series itself. Nothing here is configured.
//!
//! | file | holds |
//! |---|---|
//! | [`limits`] | what a quantity can be at all, and its habits: one table |
//! | [`clock`] | how far a device's clock is off, and how surely |
//! | [`series`] | what one number of one device has learned of itself, in constant memory |
//! | [`battery`] | how many days a battery lasts |
//! | [`neighbour`] | how far a number is from its neighbours' |
//! | [`round`] | the hourly look at all of it |
//!
//! What must hold: all of it moves with accepted messages only, so that a batch, a redelivery or a restart changes nothing; a reading costs a
//! few comparisons and no allocation.
pub mod battery;
pub mod clock;
pub mod limits;
pub mod neighbour;
pub mod round;
pub mod series;

use serde::{Deserialize, Serialize};

/// What went wrong with a device's messages, counted since it was first heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Redeliveries since the daemon started: they leave no trace in the log, so a replay cannot know them.
    #[serde(skip)]
    pub duplicate: u32,
    /// Samples that were overtaken by newer ones or too old to be judged when they came.
    pub late: u32,
    /// Values that cannot be.
    pub implausible: u32,
}

pub(super) fn count(n: &mut u32) {
    *n = n.saturating_add(1);
}
