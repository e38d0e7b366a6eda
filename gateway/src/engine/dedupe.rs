//! (device, boot, seq) names a message for ever: a repeat is a redelivery.
//!
//! Seen sequence numbers are kept as ranges: a stream without gaps is one range, however long, so that a redelivery is recognised however old
//! it is. Gaps cost a range each; beyond [`MAX_RANGES`] the oldest gap is closed if it is small, which can only drop a message that comes later
//! than [`MAX_RANGES`] other gaps. A wide gap is never closed: a few stray numbers far ahead of the counter would swallow everything in between,
//! and to take an old message twice is better than to lose an alarm. Then a range far from the counter is forgotten.
use serde::{Deserialize, Serialize};

/// Ranges kept for one boot.
pub const MAX_RANGES: usize = 16;
/// A gap of at most so many numbers may be closed.
const MAX_GAP: u64 = 1024;
/// Boots kept for one device, the one used longest ago goes first.
pub const MAX_BOOTS: usize = 4;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Boots(Vec<Seen>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Seen {
    boot: u64,
    /// Inclusive, ascending, never touching.
    ranges: Vec<(u64, u64)>,
}

impl Boots {
    /// Notes the message; false when it was noted before.
    pub fn note(&mut self, boot: u64, seq: u64) -> bool {
        // The boot in use is last.
        if let Some(seen) = self.0.last_mut().filter(|s| s.boot == boot) {
            return seen.note(seq);
        }
        if let Some(i) = self.0.iter().position(|s| s.boot == boot) {
            let mut seen = self.0.remove(i);
            let new = seen.note(seq);
            self.0.push(seen);
            return new;
        }
        if self.0.len() >= MAX_BOOTS {
            self.0.remove(0);
        }
        self.0.push(Seen { boot, ranges: vec![(seq, seq)] });
        true
    }
    /// True when it was noted before; changes nothing.
    pub fn knows(&self, boot: u64, seq: u64) -> bool {
        self.0.iter().rev().find(|s| s.boot == boot).is_some_and(|s| s.ranges.iter().any(|&(from, to)| (from..=to).contains(&seq)))
    }
    /// Whether that noted message is the newest, and the one before it was heard as well.
    pub fn in_turn(&self, boot: u64, seq: u64) -> bool {
        let Some(seen) = self.0.iter().rev().find(|s| s.boot == boot) else { return false };
        seen.ranges.last().is_some_and(|&(from, to)| to == seq && (from < seq || seen.ranges.len() == 1))
    }
    /// The counter of that boot has begun again.
    pub fn forget(&mut self, boot: u64) {
        self.0.retain(|s| s.boot != boot);
    }
}

impl Seen {
    fn note(&mut self, seq: u64) -> bool {
        // The usual case: the next number.
        if let Some(last) = self.ranges.last_mut()
            && last.1.checked_add(1) == Some(seq)
        {
            last.1 = seq;
            return true;
        }
        let i = self.ranges.partition_point(|&(_, to)| to < seq);
        if self.ranges.get(i).is_some_and(|&(from, _)| from <= seq) {
            return false;
        }
        let joins_left = i > 0 && self.ranges.get(i - 1).is_some_and(|&(_, to)| to.checked_add(1) == Some(seq));
        let joins_right = self.ranges.get(i).is_some_and(|&(from, _)| seq.checked_add(1) == Some(from));
        match (joins_left, joins_right) {
            (true, true) => {
                let (_, to) = self.ranges.remove(i);
                if let Some(left) = self.ranges.get_mut(i - 1) {
                    left.1 = to;
                }
            }
            (true, false) => {
                if let Some(left) = self.ranges.get_mut(i - 1) {
                    left.1 = seq;
                }
            }
            (false, true) => {
                if let Some(right) = self.ranges.get_mut(i) {
                    right.0 = seq;
                }
            }
            (false, false) => self.ranges.insert(i, (seq, seq)),
        }
        if self.ranges.len() > MAX_RANGES {
            self.forget_one(seq);
        }
        true
    }
}

impl Seen {
    /// Makes do with one range less; the one that `seq` is in stays.
    fn forget_one(&mut self, seq: u64) {
        let (Some(&(from, to)), Some(&(next, _))) = (self.ranges.first(), self.ranges.get(1)) else { return };
        if next.saturating_sub(to) <= MAX_GAP {
            self.ranges.remove(0);
            if let Some(first) = self.ranges.first_mut() {
                first.0 = from;
            }
        } else {
            self.ranges.remove(usize::from((from..=to).contains(&seq)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_long_stream_is_one_range_and_old_repeats_are_known() {
        let mut b = Boots::default();
        assert!((0..100_000).all(|s| b.note(1, s)));
        assert_eq!(b.0[0].ranges, [(0, 99_999)]);
        assert!(!b.note(1, 3) && !b.note(1, 99_999) && b.note(1, 100_000));
        assert!(b.knows(1, 77) && !b.knows(2, 77));
    }

    #[test]
    fn boots_are_bounded_and_the_longest_unused_goes() {
        let mut b = Boots::default();
        for boot in 0..4 {
            assert!(b.note(boot, 0));
        }
        assert!(!b.note(0, 0));
        assert!(b.note(9, 0));
        assert!(b.knows(0, 0) && !b.knows(1, 0), "boot 1 was used longest ago");
    }

    #[test]
    fn the_ends_of_the_number_line_do_not_overflow() {
        let mut b = Boots::default();
        assert!(b.note(0, u64::MAX) && b.note(0, 0) && b.note(0, u64::MAX - 1) && !b.note(0, u64::MAX));
    }

    #[test]
    fn stray_numbers_far_ahead_do_not_swallow_the_counter() {
        let mut b = Boots::default();
        assert!((0..100).all(|s| b.note(1, s)));
        for stray in 1..40 {
            b.note(1, u64::MAX / 64 * stray);
        }
        assert!((100..200).all(|s| b.note(1, s)), "news of the device itself");
        assert!((100..200).all(|s| !b.note(1, s)), "which are known from then on");
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_while_the_gaps_are_few(seqs in prop::collection::vec(0u64..24, 0..200)) {
            let (mut b, mut set) = (Boots::default(), BTreeSet::new());
            for s in seqs {
                prop_assert_eq!(b.note(7, s), set.insert(s));
            }
        }
        #[test]
        fn never_takes_a_message_twice_while_the_gaps_are_small(seqs in prop::collection::vec(0u64..1000, 0..300)) {
            let (mut b, mut set) = (Boots::default(), BTreeSet::new());
            for s in seqs {
                let new = b.note(7, s);
                prop_assert!(!new || set.insert(s));
                prop_assert!(b.0[0].ranges.len() <= MAX_RANGES);
            }
        }
    }
}
