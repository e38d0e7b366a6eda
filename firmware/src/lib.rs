//! A sensor node of Tuoan: what it measures, what it raises by itself, how it speaks to the gateway, and how it is kept in service. Everything here is
//! generic over the traits of `embedded-hal(-async)` 1.0, so that the same code runs on a board, on the emulated board, and in a process on the host.
//!
//! | file | holds |
//! |---|---|
//! | [`sensor`] | what every sensor gives: a sample, or a fault, never a value that is made up |
//! | [`sensors`] | one file per chip or kind of input |
#![cfg_attr(not(test), no_std)]

pub mod sensor;
pub mod sensors;
