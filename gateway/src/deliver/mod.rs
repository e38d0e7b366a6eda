//! Committed records -> the outside. Each sink has a cursor per lane over the committed log; the alert lane overtakes the metric lane.
//!
//! | file | holds |
//! |---|---|
//! | `scheduler.rs` | one task per sink and lane: read, encode, send, split, set aside, move the cursor |
//! | `backoff.rs` | how long to wait after a failure |
//! | `batch.rs` | encoded records on their way, and how to take a part of them |
//! | `chain.rs` | whether an alarm would arrive: the canary, and what is not confirmed |
//! | `cloudevent.rs` | an incident event as CloudEvents 1.0 JSON |
//! | `directory.rs` | names and texts that are not in the log: zones, rules |
//! | `emergency.rs` | events that cannot be stored now and must go out all the same |
//! | `ledger.rs` | the closed days of the coverage ledger, to the district |
//! | `line.rs` | a message as InfluxDB line protocol, refused when it cannot be said safely |
//! | `log.rs` | what delivery needs of the store |
//! | `outage.rs` | tests: three days without the outside, in virtual time |
//! | `outbox.rs` | orders to devices, repeated until confirmed |
//! | `secret.rs` | a token that no log line shows |
//! | `sinks/` | one file per sink |
//! | `sounders/` | an order in the words of the device's convention, one file per convention |
//! | `status.rs` | how each lane is: queue, last error, set aside |
//!
//! What must hold: a record counts as done only after the receiver has said yes to it, or it was set aside; so a crash repeats and never
//! skips. Repeats are harmless: the platform knows an event by its id, InfluxDB a point by series and time.
pub mod backoff;
pub mod batch;
pub mod chain;
pub mod cloudevent;
pub mod directory;
pub mod emergency;
pub mod ledger;
pub mod line;
pub mod log;
#[cfg(test)]
mod outage;
pub mod outbox;
#[cfg(test)]
mod scenarios;
pub mod scheduler;
pub mod secret;
pub mod sinks;
pub mod sounders;
pub mod status;
#[cfg(test)]
pub(crate) mod testing;

pub use directory::{Bilingual, Directory, RuleText};
pub use log::{Log, LogError, Progress, StoreLog};
pub use outbox::{CommandLink, LinkError};
pub use scheduler::{Delivery, Timing};
pub use secret::Secret;
pub use sinks::{InfluxConfig, PlatformConfig, SendError, Sent, Sink, SinkError};
pub use sounders::Sounders;
pub use status::{Deliveries, DeliveryStatus, LaneState};
