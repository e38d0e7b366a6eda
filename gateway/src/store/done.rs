//! Which records of a lane a sink is done with: all up to a place and, after an outage, stretches beyond it. Newest first means that such
//! stretches grow from the head backwards while the hole before them is still owed.
use std::fmt::Write as _;

/// Stretches kept at most. Beyond that the oldest is forgotten: its records are sent again, which does no harm.
const MAX_AHEAD: usize = 16;

/// See the module. Records are counted from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    upto: u64,
    /// Stretches `(after, to)` of records beyond `upto`: ascending, with a hole before each.
    ahead: Vec<(u64, u64)>,
}

impl Done {
    /// Done with everything up to `upto`.
    pub fn all_to(upto: u64) -> Done {
        Done { upto, ahead: Vec::new() }
    }
    /// Everything up to this record is done.
    pub fn upto(&self) -> u64 {
        self.upto
    }
    /// The newest record that is done.
    pub fn front(&self) -> u64 {
        self.ahead.last().map_or(self.upto, |a| a.1)
    }
    /// The newest hole: records after the first number, up to the second.
    pub fn newest_hole(&self) -> Option<(u64, u64)> {
        let (after, _) = *self.ahead.last()?;
        let before = self.ahead.iter().rev().nth(1).map_or(self.upto, |a| a.1);
        Some((before, after))
    }
    /// Records in holes.
    pub fn owed(&self) -> u64 {
        let ahead = self.ahead.iter().map(|(after, to)| to - after).fold(0, u64::saturating_add);
        self.front().saturating_sub(self.upto).saturating_sub(ahead)
    }
    /// The records after `after` up to `to` are done as well.
    pub fn add(&mut self, after: u64, to: u64) {
        if to <= after {
            return;
        }
        if after <= self.upto {
            self.upto = self.upto.max(to);
        } else {
            let at = self.ahead.partition_point(|a| a.0 < after);
            self.ahead.insert(at, (after, to));
        }
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(self.ahead.len());
        for (after, to) in std::mem::take(&mut self.ahead) {
            match joined.last_mut() {
                _ if after <= self.upto => self.upto = self.upto.max(to),
                Some(last) if after <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((after, to)),
            }
        }
        let too_many = joined.len().saturating_sub(MAX_AHEAD);
        joined.drain(..too_many);
        self.ahead = joined;
    }
    /// The stretches beyond [`Done::upto`] as they stand in the table: `after-to` with a space between, e.g. `120-900 1000-1040`.
    pub fn ahead_text(&self) -> String {
        let mut text = String::new();
        for (after, to) in &self.ahead {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{space}{after}-{to}");
        }
        text
    }
    /// As it stands in the table. What cannot be read there is as if it were not done: it is sent again.
    pub fn read(upto: u64, ahead: &str) -> Done {
        let mut done = Done::all_to(upto);
        for (after, to) in ahead.split(' ').filter_map(|s| s.split_once('-')) {
            if let (Ok(after), Ok(to)) = (after.parse(), to.parse()) {
                done.add(after, to);
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_hole_is_worked_backwards_until_it_is_gone() {
        let mut done = Done::all_to(100);
        assert_eq!((done.front(), done.newest_hole(), done.owed()), (100, None, 0));
        done.add(900, 1000);
        assert_eq!((done.upto(), done.front(), done.newest_hole(), done.owed()), (100, 1000, Some((100, 900)), 800));
        done.add(1000, 1100);
        done.add(500, 700);
        assert_eq!((done.ahead_text().as_str(), done.newest_hole()), ("500-700 900-1100", Some((700, 900))));
        assert_eq!(Done::read(100, "500-700 900-1100"), done);
        assert_eq!(Done::read(100, "500-700 x 5 900-"), Done::read(100, "500-700"), "what cannot be read is owed");
        done.add(700, 900);
        done.add(100, 500);
        assert_eq!(done, Done::all_to(1100));
    }

    proptest! {
        /// Never done with what was not said to be done; and with all of it, while there are not too many stretches.
        #[test]
        fn is_the_set_that_it_was_told(adds in prop::collection::vec((0u64..400, 1u64..40), 0..80)) {
            let (mut done, mut told, mut crowded) = (Done::default(), BTreeSet::new(), false);
            for (after, n) in adds {
                done.add(after, after + n);
                told.extend(after + 1..=after + n);
                let mut claimed: BTreeSet<u64> = (1..=done.upto()).collect();
                claimed.extend(done.ahead.iter().flat_map(|(after, to)| after + 1..=*to));
                prop_assert!(claimed.is_subset(&told));
                prop_assert!(done.ahead.len() <= MAX_AHEAD);
                crowded |= done.ahead.len() == MAX_AHEAD;
                prop_assert!(crowded || claimed == told);
                prop_assert_eq!(&Done::read(done.upto(), &done.ahead_text()), &done);
                let in_holes = (1..=done.front()).filter(|n| *n > done.upto() && !done.ahead.iter().any(|(a, t)| n > a && n <= t)).count();
                prop_assert_eq!(done.owed(), in_holes as u64);
            }
        }
    }
}
