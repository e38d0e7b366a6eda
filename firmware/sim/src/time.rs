//! Three times: the script's (a time of day that may run fast), the node's uptime, and UTC. The nodes' own time is never fast: their sockets and
//! the gateway are real.
use crate::script::DAY_MS;
use embedded_hal_async::delay::DelayNs;
use tokio::time::{Duration, Instant, sleep};
use tuoan_node::clock::Clock;

/// The script's time, as a pure function of the process's.
#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    began: Instant,
    /// Script time at `began`, in milliseconds of its day.
    start_ms: u64,
    speed: f64,
    utc_ms: i64,
}

impl Timeline {
    /// At `began` it is `start_ms` of the script's day and `utc_ms` (since 1970) in the world. `speed`: script seconds in a second, above 0.
    pub fn new(began: Instant, start_ms: u64, speed: f64, utc_ms: i64) -> Timeline {
        Timeline { began, start_ms, speed, utc_ms }
    }
    /// Milliseconds of the script's time since its first midnight.
    pub fn at(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.began).as_secs_f64();
        self.start_ms.saturating_add((elapsed * 1000.0 * self.speed) as u64)
    }
    pub fn now(&self) -> u64 {
        self.at(Instant::now())
    }
    /// When it will be `script_ms`; never too early.
    pub fn instant(&self, script_ms: u64) -> Instant {
        let ahead = script_ms.saturating_sub(self.start_ms) as f64 / (1000.0 * self.speed);
        self.began + Duration::from_secs_f64(ahead.min(1e9)) + Duration::from_millis(1)
    }
    /// Milliseconds since 1970.
    pub fn utc_ms(&self, now: Instant) -> i64 {
        let elapsed = now.saturating_duration_since(self.began).as_millis();
        self.utc_ms.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }
}

/// Milliseconds within the day.
pub fn of_day(script_ms: u64) -> u64 {
    script_ms % DAY_MS
}

/// A node's uptime.
#[derive(Debug, Clone, Copy)]
pub struct Uptime(pub Instant);

impl Clock for Uptime {
    type Delay = Wait;
    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
    fn delay(&self) -> Wait {
        Wait
    }
}

/// Waits by the runtime's clock, to a millisecond.
#[derive(Debug, Clone, Copy)]
pub struct Wait;
impl DelayNs for Wait {
    async fn delay_ns(&mut self, ns: u32) {
        sleep(Duration::from_nanos(ns.into())).await;
    }
    async fn delay_us(&mut self, us: u32) {
        sleep(Duration::from_micros(us.into())).await;
    }
    async fn delay_ms(&mut self, ms: u32) {
        sleep(Duration::from_millis(ms.into())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let began = Instant::now();
        let line = Timeline::new(began, 1_000, 60.0, 5);
        assert_eq!(line.at(began + Duration::from_secs(2)), 121_000);
        assert_eq!(line.utc_ms(began + Duration::from_secs(2)), 2_005);
        for ms in [0, 1_000, 1_001, 90_000, DAY_MS * 3] {
            assert!(line.at(line.instant(ms)) >= ms);
        }
    }
}
