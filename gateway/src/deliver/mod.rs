//! Committed records -> the outside. Each sink has a cursor per lane over the committed log; the alert lane overtakes the metric lane.
//!
//! | file | holds |
//! |---|---|
//! | `scheduler.rs` | cursors, backoff with jitter, poison records set aside |
//! | `cloudevent.rs` | an incident event as CloudEvents 1.0 JSON |
//! | `line.rs` | a reading as InfluxDB line protocol, refused when it cannot be said safely |
//! | `outbox.rs` | orders to devices, repeated until confirmed |
//! | `sinks/` | one file per sink |
pub mod cloudevent;
pub mod line;
pub mod outbox;
pub mod scheduler;
pub mod sinks;
