//! Time as the node sees it. The library has no clock of its own, so that a test or a fleet on the host runs in virtual time.
use core::cell::Cell;
use embedded_hal_async::delay::DelayNs;

/// Time since the node started, and waiting.
pub trait Clock {
    type Delay: DelayNs;
    /// Milliseconds since the node started; never steps back.
    fn now_ms(&self) -> u64;
    fn delay(&self) -> Self::Delay;
}

/// Waits until `at_ms` of the node's uptime; at once if that is past.
pub async fn until<C: Clock>(clock: &C, at_ms: u64) {
    loop {
        let left = at_ms.saturating_sub(clock.now_ms());
        if left == 0 {
            return;
        }
        // In pieces: a `DelayNs` may take no more than 2^32 microseconds.
        clock.delay().delay_ms(u32::try_from(left).unwrap_or(u32::MAX).min(MAX_WAIT_MS)).await;
    }
}
const MAX_WAIT_MS: u32 = 3_600_000;

/// UTC, once it is known: the offset of the node's uptime from 1970.
#[derive(Debug, Default)]
pub struct Wall(Cell<Option<i64>>);

impl Wall {
    pub const fn new() -> Wall {
        Wall(Cell::new(None))
    }
    /// It was `unix_ms` at `now_ms` of the node's uptime.
    pub fn set(&self, unix_ms: i64, now_ms: u64) {
        self.0.set(i64::try_from(now_ms).ok().and_then(|up| unix_ms.checked_sub(up)));
    }
    /// Milliseconds since 1970-01-01 UTC at `at_ms` of the node's uptime; `None` while nobody has told the time.
    pub fn unix_ms(&self, at_ms: u64) -> Option<i64> {
        self.0.get()?.checked_add(i64::try_from(at_ms).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_is_not_known_until_it_is_told() {
        let wall = Wall::new();
        assert_eq!(wall.unix_ms(5), None);
        wall.set(1_790_000_000_000, 10_000);
        assert_eq!(wall.unix_ms(5), Some(1_789_999_990_005), "what was sampled before the time was told gets its time too");
        wall.set(i64::MIN, 1);
        assert_eq!(wall.unix_ms(5), None);
    }
}
