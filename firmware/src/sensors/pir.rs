//! A passive infrared motion sensor with a digital output (HC-SR501, AM312, alarm sensors with a relay). Its silence proves nothing: a sleeping child does
//! not move.
use super::line::Line;
use crate::sensor::{Change, Fault, Input, state};
use tuoan_protocol::{Quantity, Reading};

/// It triggers at random while its element warms up (HC-SR501: about a minute).
const WARM_UP_MS: u64 = 60_000;
/// Motion lasts as long after the last pulse: people in a room move in fits.
const HOLD_MS: u64 = 30_000;

pub struct Pir<L> {
    line: L,
    started_ms: Option<u64>,
    moved_ms: Option<u64>,
    told: Option<Result<bool, Fault>>,
}

impl<L: Line> Pir<L> {
    pub fn new(line: L) -> Self {
        Pir { line, started_ms: None, moved_ms: None, told: None }
    }
}

impl<L: Line> Input for Pir<L> {
    fn name(&self) -> &'static str {
        "pir"
    }
    fn poll(&mut self, now_ms: u64) -> Option<Change> {
        let started = *self.started_ms.get_or_insert(now_ms);
        let seen = self.line.read();
        if now_ms.saturating_sub(started) < WARM_UP_MS {
            return None;
        }
        let seen = seen.map(|active| {
            if active {
                self.moved_ms = Some(now_ms);
            }
            self.moved_ms.is_some_and(|moved| now_ms.saturating_sub(moved) < HOLD_MS)
        });
        if self.told == Some(seen) {
            return None;
        }
        self.told = Some(seen);
        Some(match seen {
            Ok(moves) => Change::State(state(Quantity::Motion, moves)),
            Err(fault) => Change::Fault(fault),
        })
    }
    fn state(&self) -> Option<Result<Reading, Fault>> {
        self.told.map(|told| told.map(|moves| state(Quantity::Motion, moves)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::Script;

    #[test]
    fn warms_up_and_holds() {
        let mut pir = Pir::new(Script::new("1".repeat(60) + "0000010000010" + &"0".repeat(50) + "x"));
        let told: Vec<_> = (0..124).filter_map(|s| pir.poll(1000 * s).map(|c| (s, c))).collect();
        assert_eq!(
            told,
            [
                (60, Change::State(state(Quantity::Motion, false))),
                (65, Change::State(state(Quantity::Motion, true))),
                (101, Change::State(state(Quantity::Motion, false))),
                (123, Change::Fault(Fault::Cut)),
            ]
        );
    }
}
