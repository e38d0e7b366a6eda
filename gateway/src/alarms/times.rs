//! How long people took, against the targets.
use tuoan_protocol::Severity;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Within how many milliseconds somebody is to have taken note and to have it handled, by severity 1 to 4; `None`: no target. The figures are
/// ours: standards ask that each priority have one, not which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    pub acknowledge: [Option<i64>; 4],
    pub handle: [Option<i64>; 4],
}

impl Default for Targets {
    fn default() -> Targets {
        Targets {
            acknowledge: [Some(60 * SECOND), Some(5 * MINUTE), Some(4 * HOUR), None],
            handle: [Some(10 * MINUTE), Some(60 * MINUTE), Some(24 * HOUR), None],
        }
    }
}

/// Index of a severity in arrays of four.
pub fn slot(s: Severity) -> usize {
    usize::from(u8::from(s)).saturating_sub(1)
}

/// Answers of one kind to incidents of one severity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// Milliseconds; `None`: there is no target.
    pub target: Option<i64>,
    /// Incidents that were answered.
    pub answered: u64,
    /// Milliseconds, by nearest rank; `None` while nothing was answered.
    pub median: Option<i64>,
    pub p90: Option<i64>,
    /// Answered within the target.
    pub within: u64,
    /// Those of which it is known whether the target was kept: answered, or waited in vain for longer. One that was over sooner says nothing.
    pub judged: u64,
}

impl Times {
    /// Of `answers` (milliseconds) and of the waits in vain.
    pub fn new(target: Option<i64>, mut answers: Vec<i64>, waits: &[i64]) -> Times {
        answers.sort_unstable();
        let (mut within, mut judged) = (0, 0);
        if let Some(target) = target {
            within = answers.iter().filter(|t| **t <= target).count() as u64;
            judged = (answers.len() + waits.iter().filter(|t| **t > target).count()) as u64;
        }
        Times { target, answered: answers.len() as u64, median: rank(&answers, 50), p90: rank(&answers, 90), within, judged }
    }
    /// Share within the target, 0 to 1.
    pub fn share(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.within as f64 / self.judged as f64)
    }
    pub fn late(&self) -> u64 {
        self.judged.saturating_sub(self.within)
    }
}

/// The smallest that so many per cent of them (ascending) do not exceed.
fn rank(sorted: &[i64], percent: usize) -> Option<i64> {
    let index = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let t = Times::new(Some(50), (1..=10).map(|n| n * 10).collect(), &[50, 51]);
        assert_eq!((t.median, t.p90, t.within, t.judged, t.late()), (Some(50), Some(90), 5, 11, 6));
        let one = Times::new(None, vec![7], &[99]);
        assert_eq!((one.median, one.p90, one.judged, one.share()), (Some(7), Some(7), 0, None));
        assert_eq!(Times::new(Some(1), Vec::new(), &[]).median, None);
    }
}
