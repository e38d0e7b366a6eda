//! `tuoan demo`: a whole nursery day on real input, played against the real gateway.
//!
//! | file | holds |
//! |---|---|
//! | `scenario.rs` | the day as data |
//! | `recording.rs`, `signal.rs` | replayed rooms, and what a staged hazard makes of them |
//! | `device.rs`, `nursery.rs` | simulated devices: when they speak |
//! | `camera.rs` | simulated cameras: real video frames |
//! | `wire.rs`, `link.rs` | what they put on the wire, over real MQTT connections |
//! | `play.rs` | the lockstep: devices speak, PUBACKs, tick, next step |
//! | `far_end.rs` | what the platform answers when it is asked |
//! | `report.rs` | what was promised against what is there |
//! | `narrate.rs` | what a person reads meanwhile |
//! | `setup.rs` | what platform and gateway are started with |
//! | `run.rs` | the whole: start everything, play, compare both ends |
//!
//! What must hold: the clock advances only after every message of the step is acknowledged and due timers have fired, so the same seed
//! gives the same incidents at any speed; every figure about the far end comes from asking it.
pub mod camera;
pub mod device;
pub mod far_end;
pub mod link;
pub mod narrate;
pub mod nursery;
pub mod play;
pub mod recording;
#[cfg(test)]
pub(crate) mod rehearsal;
pub mod report;
mod run;
pub mod scenario;
mod setup;
pub mod signal;
pub mod wire;

pub use run::{Options, run};

/// The built-in nursery and its day: in the program, so that it plays anywhere.
pub const SITE: &str = include_str!("../../demo-data/site.toml");
pub const DAY: &str = include_str!("../../demo-data/day.toml");
const OFFICE: &str = include_str!("../../demo-data/office.csv");
const LAB: &str = include_str!("../../demo-data/lab.csv");

/// UTC milliseconds of the local midnight at which that date begins.
fn midnight_utc_ms(date: &str, utc_offset_minutes: i32) -> Option<i64> {
    let mut parts = date.split('-');
    let (y, m, d) = (parts.next()?.parse().ok()?, parts.next()?.parse::<u8>().ok()?, parts.next()?.parse().ok()?);
    let date = time::Date::from_calendar_date(y, time::Month::try_from(m).ok()?, d).ok()?;
    let utc = date.midnight().assume_utc().unix_timestamp().checked_sub(i64::from(utc_offset_minutes) * 60)?;
    parts.next().is_none().then(|| utc.checked_mul(1000)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_is_local() {
        assert_eq!(midnight_utc_ms("2026-02-09", 480), Some(1_770_566_400_000), "2026-02-08T16:00Z");
        assert_eq!(midnight_utc_ms("2026-02-30", 480), None);
        assert_eq!(midnight_utc_ms("2026-02", 480), None);
        assert_eq!(midnight_utc_ms("2026-02-09-1", 480), None);
    }
}
