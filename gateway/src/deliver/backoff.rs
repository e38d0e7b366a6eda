//! Exponential backoff with full jitter: after n failures in a row the wait is drawn evenly from 0 to `base * 2^n`, at most `cap`. Full
//! jitter spreads the gateways of a district over time when their platform comes back.
use std::time::Duration;

/// No wait is shorter: a refused connection must not become a busy loop.
const FLOOR: Duration = Duration::from_millis(20);
/// A server cannot silence a gateway for longer by `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }
    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
    /// To be called after each success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
    /// The wait after one more failure. `random` is drawn evenly from 0..1; `asked` is the server's `Retry-After`, which is kept and to
    /// which the jitter is added.
    pub fn next(&mut self, random: f64, asked: Option<Duration>) -> Duration {
        let ceiling = self.base.saturating_mul(2u32.saturating_pow(self.failures)).min(self.cap);
        self.failures = self.failures.saturating_add(1);
        let jitter = ceiling.mul_f64(random.clamp(0.0, 1.0)).max(FLOOR);
        match asked {
            Some(asked) => asked.min(RETRY_AFTER_MAX).saturating_add(jitter.min(self.base)),
            None => jitter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: Duration = Duration::from_millis(500);
    const CAP: Duration = Duration::from_secs(60);

    #[test]
    fn doubles_up_to_the_cap_and_starts_again() {
        let mut b = Backoff::new(BASE, CAP);
        let waits: Vec<u64> = (0..9).map(|_| b.next(1.0, None).as_millis() as u64).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
        b.reset();
        assert_eq!(b.next(1.0, None), BASE);
    }

    #[test]
    fn keeps_retry_after_within_reason() {
        let mut b = Backoff::new(BASE, CAP);
        assert_eq!(b.next(0.5, Some(Duration::from_secs(7))), Duration::from_millis(7250));
        assert!(b.next(1.0, Some(Duration::from_secs(86_400))) <= RETRY_AFTER_MAX + BASE);
    }

    proptest! {
        #[test]
        fn never_outside_its_bounds(failures in 0u32..200, random in 0.0f64..1.0) {
            let mut b = Backoff::new(BASE, CAP);
            b.failures = failures;
            let wait = b.next(random, None);
            prop_assert!(wait >= FLOOR && wait <= CAP);
        }
    }
}
