//! How long to wait before the next attempt to connect.
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles from [`FIRST`] to [`LONGEST`], with jitter so that many gateways do not come back at the same instant.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(crate) fn next(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(2u32.saturating_pow(self.attempts)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        longest.mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }

    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_with_jitter() {
        let mut backoff = Backoff::default();
        for attempt in 0..60u32 {
            let most = FIRST.saturating_mul(2u32.saturating_pow(attempt)).min(LONGEST);
            let wait = backoff.next();
            assert!(wait >= most / 2 && wait <= most, "attempt {attempt}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
