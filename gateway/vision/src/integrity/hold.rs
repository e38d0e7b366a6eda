//! A finding is believed when it has lasted, and ends when its contrary has lasted.

/// What one look says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Blind,
    Sees,
    /// Nothing can be said: what was believed stands.
    CannotTell,
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// It must have lasted so long, in ms,
    pub raise_ms: i64,
    /// and been seen in so many looks.
    pub raise_looks: u32,
    /// The contrary must have lasted so long.
    pub clear_ms: i64,
    pub clear_looks: u32,
}

/// The state of one finding.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hold {
    /// Since when it is believed to be blind: the first look of the run that raised it.
    since: Option<i64>,
    /// The first look of the run against what is believed, and how many there were.
    run: Option<(i64, u32)>,
}

impl Hold {
    pub fn look(&mut self, at_ms: i64, look: Look, patience: Patience) {
        let against = match (look, self.since) {
            (Look::CannotTell, _) => return,
            (Look::Blind, None) | (Look::Sees, Some(_)) => true,
            (Look::Blind, Some(_)) | (Look::Sees, None) => false,
        };
        if !against {
            self.run = None;
            return;
        }
        let (from, looks) = self.run.map_or((at_ms, 1), |(from, n)| (from.min(at_ms), n.saturating_add(1)));
        self.run = Some((from, looks));
        let (ms, wanted) = match self.since {
            None => (patience.raise_ms, patience.raise_looks),
            Some(_) => (patience.clear_ms, patience.clear_looks),
        };
        if at_ms.saturating_sub(from) >= ms && looks >= wanted {
            self.since = if self.since.is_none() { Some(from) } else { None };
            self.run = None;
        }
    }

    /// `None`: it sees.
    pub fn since(&self) -> Option<i64> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Patience = Patience { raise_ms: 10_000, raise_looks: 3, clear_ms: 5_000, clear_looks: 2 };

    #[test]
    fn a_run_raises_and_its_contrary_clears() {
        let mut hold = Hold::default();
        for t in 0..10 {
            hold.look(t * 1000, Look::Blind, P);
            assert_eq!(hold.since(), None);
        }
        hold.look(10_000, Look::Blind, P);
        assert_eq!(hold.since(), Some(0));
        hold.look(11_000, Look::Sees, P);
        hold.look(12_000, Look::CannotTell, P);
        hold.look(15_000, Look::Sees, P);
        assert_eq!(hold.since(), Some(0));
        hold.look(16_000, Look::Sees, P);
        assert_eq!(hold.since(), None);
    }

    #[test]
    fn one_contrary_look_starts_the_run_again_and_few_looks_are_not_enough() {
        let mut hold = Hold::default();
        hold.look(0, Look::Blind, P);
        hold.look(9_000, Look::Sees, P);
        hold.look(10_000, Look::Blind, P);
        hold.look(20_000, Look::Blind, P);
        assert_eq!(hold.since(), None, "two looks, three are wanted");
        hold.look(21_000, Look::Blind, P);
        assert_eq!(hold.since(), Some(10_000));
    }
}
