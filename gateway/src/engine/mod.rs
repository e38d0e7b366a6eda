//! The pure heart: `step(&mut State, &[Input], now) -> Outcome`. No clock, no I/O, no async, no hash map; no float but in
//! the learned detector (`docs/decisions/0007-learned-anomalies.md`).
//!
//! What must hold:
//! - any partition of the input log into batches gives the same incident log (`now` only says how far due timers may fire);
//! - timers that are due fire before the input that arrives after them, and are stamped with the time they were due;
//! - ids derive from the log: `EventId` from (log id, event sequence).
//!
//! | file | holds |
//! |---|---|
//! | [`input`] | what the engine is told: one total order |
//! | [`outcome`] | what it says |
//! | [`site`] | zones, devices, classes, hours, calendar: the site file |
//! | [`schedule`] | which phase of the day a zone is in |
//! | [`rules`] | rule packs: schema, checks, test cases |
//! | [`detect`] | one file per kind of rule |
//! | [`quality`] | how far a number can be trusted, learned from itself |
//! | [`incident`] | findings -> incidents, life cycle |
//! | [`climb`] | the escalation ladder: who is told, when |
//! | [`standing`] | shelved, under maintenance, out of service; drills |
//! | [`commissioning`] | devices are proved, and what they say is a test |
//! | [`coverage`] | the coverage ledger: which zones were watched, minute by minute |
//! | [`people`] | who is on duty |
//! | [`state`] | what is remembered, and its snapshot |
//! | [`view`] | what a page shows |
mod apply;
mod cadence;
mod checkup;
mod climb;
mod command;
pub mod commissioning;
mod compiled;
mod configure;
pub mod coverage;
mod dedupe;
mod derive;
mod detect;
mod device;
mod devices;
pub mod eyes;
mod held_back;
mod incident;
pub mod input;
mod judge;
mod occupancy;
mod order;
pub mod outcome;
pub mod people;
pub mod plan;
pub mod quality;
pub mod rules;
pub mod schedule;
mod signs;
pub mod site;
mod site_check;
pub mod standing;
pub mod state;
pub mod step;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod timer;
mod unknown;
pub mod view;
mod view_build;

pub use compiled::{CANARY, CHAIN, ESTIMATE_PREFIX, UNPLACED_ZONE, VISION_HEARTBEAT_MS, VISION_PREFIX, is_own};
pub use input::{Action, Body, Check, Command, Configuration, DeviceInfo, EngineMs, Input, Item, Message, Symptom};
pub use outcome::{DeviceCommand, LedgerDay, Notice, NoticeKind, Outcome, Verdict};
pub use schedule::Phase;
pub use site::Site;
pub use state::{SnapshotError, State};
pub use step::step;

/// Written into every incident event; raise it whenever the same inputs could give another incident log.
pub const ENGINE_VERSION: &str = "3.1";
