//! Water on the floor: a rope or two electrodes, with a resistor across them at the far end so that a cut is seen.
use super::debounce::{Settle, StateInput};
use super::line::{Adc, Line};
use crate::sensor::Fault;
use tuoan_protocol::Quantity;

/// 100 kΩ to the supply, 100 kΩ at the far end: dry it stands at half the supply. Tap water between the electrodes (below some 60 kΩ) draws it under
/// 2/5; a cut leaves it at the supply. A short cannot be told from a flood, so it counts as one.
const WET_BELOW: u16 = u16::MAX / 5 * 2;
const CUT_ABOVE: u16 = u16::MAX / 4 * 3;

pub struct Probe<A>(A);

impl<A: Adc> Line for Probe<A> {
    fn read(&mut self) -> Result<bool, Fault> {
        match self.0.read()? {
            at if at > CUT_ABOVE => Err(Fault::Cut),
            at => Ok(at < WET_BELOW),
        }
    }
}

/// Splashes of a mop are no leak: wet for two seconds, dry again for thirty.
const SETTLE: Settle = Settle { on: 2_000, off: 30_000, fault: 2_000 };

pub fn leak<A: Adc>(adc: A) -> StateInput<Probe<A>> {
    StateInput::new("leak", Quantity::WaterLeak, Probe(adc), SETTLE)
}

/// A leak alarm with a relay of its own.
pub fn relay<L: Line>(line: L) -> StateInput<L> {
    StateInput::new("leak", Quantity::WaterLeak, line, Settle::ALARM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::{Change, Input, state};
    use crate::sensors::testing::Counts;

    #[test]
    fn dry_wet_and_cut() {
        let at = |far_end: f64| (far_end / (far_end + 100e3) * 65535.0) as u16;
        let water = |ohms: f64| 1.0 / (1.0 / 100e3 + 1.0 / ohms);
        let probe = |counts| Probe(Counts::new([counts])).read();
        assert_eq!(probe(at(100e3)), Ok(false));
        assert_eq!(probe(at(water(60e3))), Ok(true));
        assert_eq!(probe(at(water(500.0))), Ok(true));
        assert_eq!(probe(0), Ok(true));
        assert_eq!(probe(u16::MAX), Err(Fault::Cut));
    }

    #[test]
    fn a_splash_is_no_leak() {
        let script = [vec![0x8000; 7000], vec![0x2000; 300], vec![0x8000; 300], vec![0x2000; 500]].concat();
        let mut leak = leak(Counts::new(script));
        let told: Vec<_> = (0..8100).filter_map(|i| leak.poll(5 * i).map(|c| (5 * i, c))).collect();
        assert_eq!(
            told,
            [(30_000, Change::State(state(Quantity::WaterLeak, false))), (40_000, Change::State(state(Quantity::WaterLeak, true)))]
        );
    }
}
