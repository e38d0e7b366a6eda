//! What is believed of the picture itself. It can be wrong in one way at a time: the kinds share one run, so that a hand that is dark now and blurred then is one
//! finding and not many short ones.
use std::collections::VecDeque;

use super::Blindness;
use super::view::Verdict;

/// Seconds and looks to believe it,
const RAISE_MS: i64 = 12_000;
const RAISE_LOOKS: usize = 3;
/// and to believe the contrary.
const CLEAR_MS: i64 = 5_000;
const CLEAR_LOOKS: u32 = 3;
/// The kind is the most frequent one of so long.
const NAMED_MS: i64 = 20_000;
const REMEMBERED: usize = 256;
/// So many good looks in a row end a run.
const PARDON: u32 = 2;

#[derive(Debug, Clone, Default)]
pub struct Sight {
    believed: Option<(Blindness, i64)>,
    /// Bad looks since the run began.
    bad: VecDeque<(i64, Blindness)>,
    began_ms: i64,
    /// Good looks in a row, and the first of them.
    good: u32,
    good_ms: i64,
}

impl Sight {
    pub fn look(&mut self, at_ms: i64, verdict: Verdict) {
        match verdict {
            Verdict::CannotTell => {}
            Verdict::Sees => {
                if self.good == 0 {
                    self.good_ms = at_ms;
                }
                self.good = self.good.saturating_add(1);
                if self.believed.is_none() && self.good >= PARDON
                    || self.good >= CLEAR_LOOKS && at_ms.saturating_sub(self.good_ms) >= CLEAR_MS
                {
                    self.believed = None;
                    self.bad.clear();
                }
            }
            Verdict::Blind(kind) => {
                self.good = 0;
                if self.bad.is_empty() {
                    self.began_ms = at_ms;
                }
                self.bad.push_back((at_ms, kind));
                while self.bad.len() > REMEMBERED || self.bad.front().is_some_and(|(t, _)| at_ms.saturating_sub(*t) > NAMED_MS) {
                    self.bad.pop_front();
                }
                let lasted = self.bad.len() >= RAISE_LOOKS && at_ms.saturating_sub(self.began_ms) >= RAISE_MS;
                if self.believed.is_some() || lasted {
                    let since = self.believed.map_or(self.began_ms, |(_, since)| since);
                    self.believed = self.named().map(|kind| (kind, since));
                }
            }
        }
    }

    pub fn believed(&self) -> Option<(Blindness, i64)> {
        self.believed
    }

    /// The most frequent kind; of two the one that stands already.
    fn named(&self) -> Option<Blindness> {
        let count = |kind: Blindness| self.bad.iter().filter(|(_, k)| *k == kind).count();
        let stands = self.believed.map(|(kind, _)| kind);
        self.bad.iter().map(|(_, k)| *k).max_by_key(|k| (count(*k), stands == Some(*k), *k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_share_one_run_and_the_most_frequent_names_it() {
        let mut sight = Sight::default();
        for t in 0..=12 {
            assert_eq!(sight.believed(), None, "{t}");
            sight.look(t * 1000, Verdict::Blind(if t % 4 == 0 { Blindness::Moved } else { Blindness::Covered }));
        }
        assert_eq!(sight.believed(), Some((Blindness::Covered, 0)));
        for t in 13..40 {
            sight.look(t * 1000, Verdict::Blind(Blindness::Moved));
        }
        assert_eq!(sight.believed(), Some((Blindness::Moved, 0)), "renamed, since the same time");
        for t in 40..45 {
            sight.look(t * 1000, Verdict::Sees);
            assert!(sight.believed().is_some());
        }
        sight.look(45_000, Verdict::Sees);
        assert_eq!(sight.believed(), None);
    }

    #[test]
    fn one_good_look_is_pardoned_and_two_end_the_run() {
        let mut sight = Sight::default();
        for t in 0..30 {
            sight.look(t * 1000, if t % 6 >= 4 { Verdict::Sees } else { Verdict::Blind(Blindness::Covered) });
        }
        assert_eq!(sight.believed(), None);
        for t in 30..50 {
            sight.look(t * 1000, if t % 6 == 4 { Verdict::Sees } else { Verdict::Blind(Blindness::Covered) });
        }
        assert!(sight.believed().is_some());
    }
}
