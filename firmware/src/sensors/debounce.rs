//! Contacts bounce, and a loop passes through other states on its way from one to the next: a state counts when it has stood for a while.
use super::line::Line;
use crate::sensor::{Change, Fault, Input, state};
use tuoan_protocol::{Quantity, Reading};

/// How long a state must stand, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settle {
    pub on: u32,
    pub off: u32,
    pub fault: u32,
}

impl Settle {
    /// A fault of the line is not urgent, and a plug being pulled makes many.
    const FAULT_MS: u32 = 500;
    /// Four polls of a bouncing contact.
    pub const CONTACT: Settle = Settle { on: 20, off: 20, fault: Settle::FAULT_MS };
    /// A detector's relay: heard at once, believed to be quiet again only when it stays so.
    pub const ALARM: Settle = Settle { on: 15, off: 1_000, fault: Settle::FAULT_MS };
}

pub struct Debounce {
    settle: Settle,
    settled: Option<Result<bool, Fault>>,
    candidate: Option<(Result<bool, Fault>, u64)>,
}

impl Debounce {
    pub fn new(settle: Settle) -> Debounce {
        Debounce { settle, settled: None, candidate: None }
    }
    pub fn settled(&self) -> Option<Result<bool, Fault>> {
        self.settled
    }
    /// The state that has now settled, if it is another than before. The first one is news too.
    pub fn update(&mut self, now_ms: u64, seen: Result<bool, Fault>) -> Option<Result<bool, Fault>> {
        if self.settled == Some(seen) {
            self.candidate = None;
            return None;
        }
        let since = match self.candidate {
            Some((candidate, since)) if candidate == seen => since,
            _ => {
                self.candidate = Some((seen, now_ms));
                now_ms
            }
        };
        let needed = match seen {
            Ok(true) => self.settle.on,
            Ok(false) => self.settle.off,
            Err(_) => self.settle.fault,
        };
        if now_ms.saturating_sub(since) < u64::from(needed) {
            return None;
        }
        (self.settled, self.candidate) = (Some(seen), None);
        Some(seen)
    }
}

/// A line whose state is a quantity: most inputs are one.
pub struct StateInput<L> {
    name: &'static str,
    quantity: Quantity,
    line: L,
    debounce: Debounce,
}

impl<L: Line> StateInput<L> {
    pub(super) fn new(name: &'static str, quantity: Quantity, line: L, settle: Settle) -> Self {
        StateInput { name, quantity, line, debounce: Debounce::new(settle) }
    }
    fn reading(&self, on: bool) -> Reading {
        state(self.quantity.clone(), on)
    }
}

impl<L: Line> Input for StateInput<L> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn poll(&mut self, now_ms: u64) -> Option<Change> {
        let seen = self.line.read();
        self.debounce.update(now_ms, seen).map(|news| match news {
            Ok(on) => Change::State(self.reading(on)),
            Err(fault) => Change::Fault(fault),
        })
    }
    fn state(&self) -> Option<Result<Reading, Fault>> {
        self.debounce.settled().map(|s| s.map(|on| self.reading(on)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bouncing_is_one_change_and_a_glitch_is_none() {
        let mut d = Debounce::new(Settle::CONTACT);
        let seen = |d: &mut Debounce, states: &str, from: u64| -> Vec<(u64, Result<bool, Fault>)> {
            let poll = |(i, c)| {
                let now = from + 5 * i as u64;
                d.update(
                    now,
                    match c {
                        '1' => Ok(true),
                        '0' => Ok(false),
                        _ => Err(Fault::Cut),
                    },
                )
                .map(|s| (now, s))
            };
            states.chars().enumerate().filter_map(poll).collect()
        };
        assert_eq!(seen(&mut d, "00000000", 0), [(20, Ok(false))]);
        assert_eq!(seen(&mut d, "1010110111111", 100), [(155, Ok(true))]);
        assert_eq!(seen(&mut d, "1101110111", 200), []);
        assert_eq!(seen(&mut d, "11x111xx11", 300), [], "a loop passes through other states");
        assert_eq!(seen(&mut d, &"x".repeat(200), 400), [(900, Err(Fault::Cut))]);
        assert_eq!(seen(&mut d, "00000", 2000), [(2020, Ok(false))]);
    }

    proptest! {
        #[test]
        fn what_settles_has_stood_long_enough_and_is_never_told_twice(states in proptest::collection::vec(0u8..3, 1..400)) {
            let mut d = Debounce::new(Settle::CONTACT);
            let (mut last, mut stood) = (None, 0u32);
            for (i, s) in states.iter().enumerate() {
                let seen = match s { 0 => Ok(false), 1 => Ok(true), _ => Err(Fault::Short) };
                stood = if i > 0 && states[i - 1] == *s { stood + 5 } else { 0 };
                if let Some(news) = d.update(5 * i as u64, seen) {
                    prop_assert!(Some(news) != last && news == seen && stood >= 20);
                    last = Some(news);
                }
            }
        }
    }
}
