//! The pure heart: `step(&mut State, &[Input], now) -> Outcome`. No clock, no I/O, no async, no float, no hash map.
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
//! | [`incident`] | findings -> incidents, life cycle |
//! | [`state`] | what is remembered, and its snapshot |
//! | [`view`] | what a page shows |
pub mod detect;
pub mod incident;
pub mod input;
pub mod outcome;
pub mod rules;
pub mod schedule;
pub mod site;
pub mod state;
pub mod step;
pub mod view;

pub use input::{Body, Command, Input, Message};
pub use outcome::{DeviceCommand, Outcome, Verdict};
pub use state::State;
pub use step::step;

/// Written into every incident event; raise it whenever the same inputs could give another incident log.
pub const ENGINE_VERSION: &str = "1.0";
