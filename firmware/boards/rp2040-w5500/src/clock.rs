//! Time since power-on, by the chip's timer.
use embassy_time::{Delay, Instant};
use tuoan_node::clock::Clock;

pub struct Uptime;

impl Clock for Uptime {
    type Delay = Delay;
    fn now_ms(&self) -> u64 {
        Instant::now().as_millis()
    }
    fn delay(&self) -> Delay {
        Delay
    }
}
