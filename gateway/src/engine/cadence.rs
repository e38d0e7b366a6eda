//! How often a device speaks, learned from the gaps between its regular messages.
//!
//! What must hold: a device that speaks only when something happens (a contact without heartbeat) is never taken for a regular one after a
//! busy quarter of an hour; so state changes are no beats, and irregular gaps count by their longest.
use super::input::EngineMs;
use serde::{Deserialize, Serialize};

/// Gaps remembered.
const GAPS: usize = 16;
/// Gaps needed before anything is said.
const ENOUGH: usize = 6;
/// Messages closer than this belong together.
const BURST_MS: i64 = 800;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cadence {
    last_beat: Option<EngineMs>,
    gaps: Vec<u32>,
    /// Where the next gap goes.
    next: u8,
    period: Option<u32>,
}

impl Cadence {
    /// Milliseconds between messages, once it is known.
    pub fn period(&self) -> Option<i64> {
        self.period.map(i64::from)
    }
    /// A regular message has come. `outage`: the gap before it was a failure and says nothing of the habit. True when the period changed.
    pub fn beat(&mut self, at: EngineMs, outage: bool) -> bool {
        let Some(last) = self.last_beat else {
            self.last_beat = Some(at);
            return false;
        };
        let gap = at.saturating_sub(last);
        if gap < BURST_MS {
            return false;
        }
        self.last_beat = Some(at);
        if outage {
            return false;
        }
        let gap = u32::try_from(gap).unwrap_or(u32::MAX);
        if self.gaps.len() < GAPS {
            self.gaps.push(gap);
        } else if let Some(slot) = self.gaps.get_mut(usize::from(self.next)) {
            *slot = gap;
        }
        self.next = (self.next + 1) % GAPS as u8;
        // A settled period is looked at again once per ring; a new one as soon as it may be known.
        if self.gaps.len() < ENOUGH || (self.period.is_some() && self.next != 0) {
            return false;
        }
        let period = self.estimate();
        std::mem::replace(&mut self.period, period) != period
    }
    /// We were deaf: the gap across it is none of the device's.
    pub fn interrupted(&mut self) {
        self.last_beat = None;
    }

    /// The median where three quarters of the gaps are near it, otherwise the longest gap.
    fn estimate(&self) -> Option<u32> {
        let mut sorted = self.gaps.clone();
        sorted.sort_unstable();
        let (median, upper, longest) = (*sorted.get(sorted.len() / 2)?, *sorted.get(sorted.len() * 3 / 4)?, *sorted.last()?);
        Some(if upper <= median.saturating_add(median / 2) { median } else { longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(times: impl IntoIterator<Item = i64>) -> Option<i64> {
        let mut c = Cadence::default();
        for t in times {
            c.beat(t, false);
        }
        c.period()
    }

    #[test]
    fn needs_several_gaps() {
        assert_eq!(learn((0..6).map(|n| n * 60_000)), None);
        assert_eq!(learn((0..7).map(|n| n * 60_000)), Some(60_000));
    }
    #[test]
    fn jitter_and_single_losses_do_not_matter() {
        let mut t = 0;
        let times: Vec<i64> = [60, 61, 59, 120, 60, 62, 58, 60]
            .iter()
            .map(|s| {
                t += s * 1000;
                t
            })
            .collect();
        let p = learn(times).unwrap();
        assert!((58_000..=62_000).contains(&p), "{p}");
    }
    #[test]
    fn irregular_speakers_count_by_their_longest_gap() {
        let mut t = 0;
        let times: Vec<i64> = [5, 300, 20, 900, 7, 60, 3600, 15]
            .iter()
            .map(|s| {
                t += s * 1000;
                t
            })
            .collect();
        assert_eq!(learn(times), Some(3_600_000));
    }
    #[test]
    fn messages_of_one_moment_are_one_beat_and_outages_teach_nothing() {
        let mut c = Cadence::default();
        for n in 0..8 {
            c.beat(n * 60_000, false);
            c.beat(n * 60_000 + 10, false);
        }
        assert_eq!(c.period(), Some(60_000));
        c.beat(90_000_000, true);
        c.interrupted();
        assert_eq!(c.period(), Some(60_000));
    }
}
