//! A wire with two states, as everything digital is seen: a pin, or a loop supervised by resistors.
use crate::sensor::Fault;
use embedded_hal::digital::InputPin;

/// Whether the line is in the state that its user asks about: open, pressed, sounding, wet. Never blocks for longer than microseconds.
pub trait Line {
    fn read(&mut self) -> Result<bool, Fault>;
}

/// A converter, measured against the supply that also feeds what it measures: 0 is ground, 65535 the supply, whatever that is just now. One conversion,
/// a few microseconds.
pub trait Adc {
    fn read(&mut self) -> Result<u16, Fault>;
}

/// Which level of a pin is the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Active {
    High,
    Low,
}

/// A pin. Its wire cannot be told cut from open: where that matters, a [`Loop`].
pub struct Pin<P> {
    pin: P,
    active: Active,
}

impl<P: InputPin> Pin<P> {
    pub fn new(pin: P, active: Active) -> Self {
        Pin { pin, active }
    }
}

impl<P: InputPin> Line for Pin<P> {
    fn read(&mut self) -> Result<bool, Fault> {
        let high = self.pin.is_high().map_err(|_| Fault::Missing)?;
        Ok(high == (self.active == Active::High))
    }
}

/// The resistors of a supervised loop, in ohms: the supply feeds the wire through `pull_up`; at its far end `series` lies in the way, then the contact
/// with `parallel` across it. So the wire shows `series` when the contact is closed and `series + parallel` when it is open; nothing when it is cut,
/// and a short when somebody bridges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resistors {
    pub pull_up: u32,
    pub series: u32,
    pub parallel: u32,
}

/// What `docs/hardware.md` builds: the four states lie at 0, 32, 72 and 100 % of the supply.
pub const STANDARD: Resistors = Resistors { pull_up: 4_700, series: 2_200, parallel: 10_000 };

/// Share of the supply between `ohms` and the pull-up.
const fn share(ohms: u32, pull_up: u32) -> u16 {
    let (ohms, all) = (ohms as u64, ohms as u64 + pull_up as u64);
    match (ohms * u16::MAX as u64).checked_div(all) {
        Some(share) => share as u16,
        None => 0,
    }
}

const fn middle(a: u16, b: u16) -> u16 {
    ((a as u32 + b as u32) / 2) as u16
}

/// A supervised end-of-line loop.
pub struct Loop<A> {
    adc: A,
    /// Ends of the bands, half way between what is expected: short, closed, open; above is cut.
    bands: [u16; 3],
    active_when_open: bool,
}

/// Which position of the contact is the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    Open,
    Closed,
}

impl<A: Adc> Loop<A> {
    pub fn new(adc: A, resistors: Resistors, active: Contact) -> Self {
        let Resistors { pull_up, series, parallel } = resistors;
        let (closed, open) = (share(series, pull_up), share(series.saturating_add(parallel), pull_up));
        let bands = [middle(0, closed), middle(closed, open), middle(open, u16::MAX)];
        Loop { adc, bands, active_when_open: active == Contact::Open }
    }
}

impl<A: Adc> Line for Loop<A> {
    fn read(&mut self) -> Result<bool, Fault> {
        let at = self.adc.read()?;
        match self.bands {
            [short, _, _] if at < short => Err(Fault::Short),
            [_, closed, _] if at < closed => Ok(!self.active_when_open),
            [_, _, open] if at < open => Ok(self.active_when_open),
            _ => Err(Fault::Cut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::Counts;
    use proptest::prelude::*;

    fn at(share: f64) -> Result<bool, Fault> {
        Loop::new(Counts::new([(share * 65535.0) as u16]), STANDARD, Contact::Open).read()
    }

    #[test]
    fn the_four_states_of_a_loop() {
        let ohms = |ohms: f64| at(ohms / (ohms + 4700.0));
        assert_eq!(ohms(0.0), Err(Fault::Short));
        assert_eq!(ohms(2_200.0), Ok(false));
        assert_eq!(ohms(12_200.0), Ok(true));
        assert_eq!(at(1.0), Err(Fault::Cut));
        // Resistors of 5 %, and 100 Ω of wire.
        for tolerance in [0.95, 1.05] {
            assert_eq!(ohms(2_200.0 * tolerance + 100.0), Ok(false));
            assert_eq!(ohms(12_200.0 * tolerance + 100.0), Ok(true));
        }
        // Bridged at the contact it looks closed, which no loop can tell; bridged before its end it does not.
        assert_eq!(ohms(50.0), Err(Fault::Short));
        assert_eq!(ohms(100_000.0), Err(Fault::Cut));
    }

    #[test]
    fn a_contact_that_is_active_when_closed() {
        let mut line = Loop::new(Counts::new([0x5000, 0xB800]), STANDARD, Contact::Closed);
        assert_eq!((line.read(), line.read()), (Ok(true), Ok(false)));
    }

    #[test]
    fn a_pin() {
        use embedded_hal_mock::eh1::{MockError, digital::*};
        let script = [
            Transaction::get(State::High),
            Transaction::get(State::Low),
            Transaction::get(State::High).with_error(MockError::Io(std::io::ErrorKind::Other)),
        ];
        let mut pin = Mock::new(&script);
        let mut line = Pin::new(pin.clone(), Active::Low);
        assert_eq!([line.read(), line.read(), line.read()], [Ok(false), Ok(true), Err(Fault::Missing)]);
        pin.done();
    }

    proptest! {
        #[test]
        fn bands_are_in_order_for_any_resistors(pull_up: u32, series: u32, parallel: u32) {
            let line = Loop::new(Counts::new([0]), Resistors { pull_up, series, parallel }, Contact::Open);
            prop_assert!(line.bands.is_sorted());
        }
    }
}
