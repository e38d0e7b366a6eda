//! No frame comes any more.

/// A camera is silent after so many wanted periods,
const PERIODS: i64 = 5;
/// but a fast one is given this long (a camera's restart of its stream, a pause of the network),
const AT_LEAST_MS: i64 = 10_000;
/// and none longer than this.
const AT_MOST_MS: i64 = 30_000;

/// How long may nothing come, in ms.
pub fn patience_ms(frames_per_10s: u16) -> i64 {
    let period = 10_000 / i64::from(frames_per_10s.max(1));
    // One below: the limit is "within 30 s", also when it is asked for once a second.
    (PERIODS * period).clamp(AT_LEAST_MS, AT_MOST_MS - 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patience_follows_the_wanted_rate_within_its_limits() {
        assert_eq!(patience_ms(100), 10_000);
        assert_eq!(patience_ms(10), 10_000);
        assert_eq!(patience_ms(2), 25_000);
        assert_eq!(patience_ms(0), 29_000);
    }
}
