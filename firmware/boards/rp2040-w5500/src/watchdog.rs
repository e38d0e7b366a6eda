//! The chip's watchdog, and why the chip started.
use embassy_rp::watchdog::{ResetReason, Watchdog};
use embassy_time::Duration;
use tuoan_node::flash::words::Reset;

/// The longest that the chip takes is 8.3 s.
const PERIOD: Duration = Duration::from_secs(8);

pub struct Dog(Watchdog);

impl Dog {
    /// Starts it. It goes on while a debugger holds the chip: a held node is a dead one.
    pub fn start(mut dog: Watchdog) -> Dog {
        dog.pause_on_debug(false);
        dog.start(PERIOD);
        Dog(dog)
    }
    pub fn stop(mut self) {
        self.0.stop();
    }
}

impl tuoan_node::watchdog::Watchdog for Dog {
    fn feed(&mut self) {
        self.0.feed(PERIOD);
    }
}

/// Power-on, the reset pin and a brown-out look the same to this chip's watchdog. `meant`: the node itself wanted this start.
pub fn reset_reason(dog: &Watchdog, meant: bool) -> Reset {
    match dog.reset_reason() {
        _ if meant => Reset::Software,
        Some(ResetReason::TimedOut) => Reset::Watchdog,
        Some(ResetReason::Forced) => Reset::Software,
        None => Reset::PowerOn,
    }
}
