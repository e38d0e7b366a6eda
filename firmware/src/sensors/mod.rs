//! One file per chip or kind of input. A new one is a file and a line here.
//!
//! What holds for all of them:
//! - A value is a value only if the chip answered, its check sum is right, it lies within the data sheet's range, and it is new. Everything else is a
//!   [`Fault`](crate::sensor::Fault). What stands at a rail of a converter (all zeros, all ones) is no measurement.
//! - Where a chip has no check sum, something else is read beside the value that a dead or reset chip cannot answer rightly: its identity, the set-up
//!   that was written to it, an address at which nobody lives.
//! - What a chip says while it warms up is withheld: an empty sample.
//! - `start` may be called at any time: after a power dip, a fault, a change of settings.
//!
//! None of them has met its chip yet: they are tested against the frames of the data sheets (`docs/hardware.md`).

use crate::sensor::{MAX_SAMPLE, Sample};
use tuoan_protocol::Reading;

mod bus;
pub mod climate;
pub mod debounce;
pub mod line;
mod sensirion;
mod serial;
pub mod waveform;

pub mod amg8833;
pub mod bh1750;
pub mod button;
pub mod contact;
pub mod current_clamp;
pub mod ds18b20;
pub mod ld2410;
pub mod leak;
pub mod lis3dh;
pub mod ntc;
pub mod pir;
pub mod pmsx003;
pub mod pulse;
pub mod relay;
pub mod scd4x;
pub mod sgp4x;
pub mod sht3x;
pub mod sht4x;
pub mod sound;
pub mod sps30;
pub mod veml7700;
pub mod vl53l4cd;

#[cfg(test)]
mod testing;

/// A sample of these readings.
fn sample<const N: usize>(readings: [Reading; N]) -> Sample {
    const { assert!(N <= MAX_SAMPLE, "a sample holds MAX_SAMPLE readings at most") };
    readings.into_iter().collect()
}
