//! How often a device speaks, learned from the gaps between its regular messages.
//!
//! | habit | its period |
//! |---|---|
//! | three quarters of the gaps are near their median | the median; if it pauses at nights, the pause, once it has done so three times |
//! | otherwise (reports on change) | the longest gap of this week and the last, once it was watched for a day |
//!
//! What must hold: a device that speaks only when something happens (a contact without heartbeat) is never taken for a regular one after a
//! busy quarter of an hour, so a changed state is no beat; but it counts as a sign of life, from which a heartbeat is counted anew.
use super::input::EngineMs;
use super::quality::series::Longest;
use serde::{Deserialize, Serialize};

/// Gaps remembered.
const GAPS: usize = 16;
/// Gaps needed before anything is said.
const ENOUGH: usize = 6;
/// Messages closer than this belong together.
const BURST_MS: i64 = 800;
/// What speaks irregularly is watched so long before anything is said: until its night is known.
const WATCH_MS: i64 = 86_400_000;
/// Failures remembered; so many alike are no failures but a habit.
const FAILURES: usize = 4;
const ALIKE: usize = 3;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cadence {
    first: Option<EngineMs>,
    last_beat: Option<EngineMs>,
    gaps: Vec<u32>,
    /// Where the next gap goes.
    next: u8,
    period: Option<u32>,
    /// The longest gap while it spoke irregularly.
    irregular: Longest,
    /// The pause it is wont to make: silences that came again and again and ended by themselves.
    pause: Longest,
    failures: Vec<u32>,
}

/// What a gap says of the habit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    Habit,
    /// It was taken for silent in between.
    Failure,
    /// What it is heard through was gone: nothing.
    Foreign,
}

impl Cadence {
    /// Milliseconds between messages, once it is known.
    pub fn period(&self) -> Option<i64> {
        self.period.map(i64::from)
    }
    /// Something that is no regular message: a state has changed, a button was pressed.
    pub fn news(&mut self, at: EngineMs, gap: Gap) {
        if gap == Gap::Failure {
            self.failed(at);
        }
        self.last_beat = self.last_beat.map(|_| at);
    }
    /// A regular message has come. True when the period changed.
    pub fn beat(&mut self, at: EngineMs, gap: Gap) -> bool {
        let first = *self.first.get_or_insert(at);
        let Some(last) = self.last_beat else {
            self.last_beat = Some(at);
            return false;
        };
        let ms = at.saturating_sub(last);
        if ms < BURST_MS {
            return false;
        }
        match gap {
            Gap::Habit => {}
            Gap::Failure if self.failed(at) => {
                self.last_beat = Some(at);
                return self.settle(at.saturating_sub(first));
            }
            Gap::Failure | Gap::Foreign => {
                self.last_beat = Some(at);
                return false;
            }
        }
        self.last_beat = Some(at);
        let ms = u32::try_from(ms).unwrap_or(u32::MAX);
        if self.gaps.len() < GAPS {
            self.gaps.push(ms);
        } else if let Some(slot) = self.gaps.get_mut(usize::from(self.next)) {
            *slot = ms;
        }
        self.next = (self.next + 1) % GAPS as u8;
        // A settled period is looked at again once per ring; a new one as soon as it may be known.
        if self.gaps.len() < ENOUGH || (self.period.is_some() && self.next != 0) {
            return false;
        }
        self.settle(at.saturating_sub(first))
    }
    /// We were deaf: the gap across it is none of the device's.
    pub fn interrupted(&mut self) {
        self.last_beat = None;
    }
    /// A week is over.
    pub fn turn(&mut self) {
        self.irregular.turn();
        self.pause.turn();
    }

    /// A silence has ended; true when it turns out to be a habit.
    fn failed(&mut self, at: EngineMs) -> bool {
        let Some(last) = self.last_beat else { return false };
        let ms = u32::try_from(at.saturating_sub(last)).unwrap_or(u32::MAX);
        if self.failures.len() >= FAILURES {
            self.failures.remove(0);
        }
        self.failures.push(ms);
        let alike = |f: &&u32| **f <= ms.saturating_mul(2) && **f >= ms / 2;
        if self.failures.iter().filter(alike).count() < ALIKE {
            return false;
        }
        self.pause.note(i64::from(ms));
        true
    }

    fn settle(&mut self, watched: i64) -> bool {
        let period = self.estimate(watched);
        std::mem::replace(&mut self.period, period) != period
    }

    fn estimate(&mut self, watched: i64) -> Option<u32> {
        let mut ring = [0; GAPS];
        let sorted = ring.get_mut(..self.gaps.len())?;
        sorted.copy_from_slice(&self.gaps);
        sorted.sort_unstable();
        let (median, upper, longest) = (*sorted.get(sorted.len() / 2)?, *sorted.get(sorted.len() * 3 / 4)?, *sorted.last()?);
        let pause = u32::try_from(self.pause.ms()).unwrap_or(u32::MAX);
        if upper <= median.saturating_add(median / 2) {
            return Some(median.max(pause));
        }
        self.irregular.note(i64::from(longest));
        let habit = u32::try_from(self.irregular.ms()).unwrap_or(u32::MAX);
        (watched >= WATCH_MS).then_some(longest.max(habit).max(pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000;

    fn learn(times: impl IntoIterator<Item = i64>) -> Option<i64> {
        let mut c = Cadence::default();
        for t in times {
            c.beat(t, Gap::Habit);
        }
        c.period()
    }
    fn times(gaps: impl IntoIterator<Item = i64>) -> Vec<i64> {
        gaps.into_iter()
            .scan(0, |t, s| {
                *t += s * 1000;
                Some(*t)
            })
            .collect()
    }

    #[test]
    fn needs_several_gaps() {
        assert_eq!(learn((0..6).map(|n| n * MIN)), None);
        assert_eq!(learn((0..7).map(|n| n * MIN)), Some(MIN));
    }
    #[test]
    fn jitter_and_single_losses_do_not_matter() {
        let p = learn(times([60, 61, 59, 120, 60, 62, 58, 60])).unwrap();
        assert!((58_000..=62_000).contains(&p), "{p}");
    }
    #[test]
    fn irregular_speakers_count_by_their_longest_gap_once_their_night_is_known() {
        let day = [5, 300, 20, 900, 7, 60, 1200, 15];
        assert_eq!(learn(times(day)), None);
        let days = day.into_iter().cycle().take(120).chain([7, 21_600]).chain(day.into_iter().cycle().take(160));
        assert_eq!(learn(times(days)), Some(21_600_000), "and still in the next day's bustle");
    }
    #[test]
    fn messages_of_one_moment_are_one_beat_and_outages_teach_nothing() {
        let mut c = Cadence::default();
        for n in 0..8 {
            c.beat(n * MIN, Gap::Habit);
            c.beat(n * MIN + 10, Gap::Habit);
        }
        assert_eq!(c.period(), Some(MIN));
        c.beat(90_000_000, Gap::Failure);
        c.interrupted();
        assert_eq!(c.period(), Some(MIN));
    }
    #[test]
    fn a_heartbeat_is_counted_from_the_last_event() {
        let mut c = Cadence::default();
        let mut at = 0;
        for n in 0..20 {
            // Every third time the door opens half way to the next heartbeat, which puts that off.
            if n % 3 == 0 {
                at += 25 * MIN;
                c.news(at, Gap::Habit);
            }
            at += 50 * MIN;
            c.beat(at, Gap::Habit);
        }
        assert_eq!(c.period(), Some(50 * MIN));
    }
    #[test]
    fn a_pause_every_night_is_a_habit_after_three_and_forgotten_in_time() {
        let mut c = Cadence::default();
        let mut at = 0;
        for night in 0..4 {
            for _ in 0..600 {
                at += MIN;
                c.beat(at, Gap::Habit);
            }
            assert_eq!(c.period(), Some(if night < 3 { MIN } else { 60 * MIN }), "{night}");
            at += 60 * MIN;
            c.beat(at, Gap::Failure);
        }
        c.turn();
        c.turn();
        for _ in 0..40 {
            at += MIN;
            c.beat(at, Gap::Habit);
        }
        assert_eq!(c.period(), Some(MIN));
    }
    #[test]
    fn what_a_hub_lost_teaches_nothing() {
        let mut c = Cadence::default();
        for n in 0..8 {
            c.beat(n * MIN, Gap::Habit);
        }
        for n in 1..9 {
            c.beat(n * 600 * MIN, Gap::Foreign);
        }
        assert_eq!(c.period(), Some(MIN));
    }
}
