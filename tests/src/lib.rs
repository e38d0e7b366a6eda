//! End-to-end scenarios and benchmarks: the real programs against real servers on free loopback ports.
//!
//! | folder | holds |
//! |---|---|
//! | `src/harness/` | starts and stops the gateway, the platform and the servers, by process id; a proxy that injects faults |
//! | `scenarios/` | one file per story, read as a timeline |
//! | `src/bin/bench.rs`, `bench/` | what is measured, and how |
pub mod harness;
