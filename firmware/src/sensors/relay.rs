//! The alarm relays of detectors that judge by themselves: smoke, heat, combustible gas, carbon monoxide. Their makers answer for the sensing; here it
//! counts that the wire to them is supervised. A relay that is normally closed also falls when the detector loses its power: that raises the alarm.
use super::debounce::{Settle, StateInput};
use super::line::Line;
use crate::sensor::Fault;
use tuoan_protocol::Quantity;

pub fn smoke<L: Line>(line: L) -> StateInput<L> {
    StateInput::new("smoke", Quantity::Smoke, line, Settle::ALARM)
}

pub fn heat<L: Line>(line: L) -> StateInput<L> {
    StateInput::new("heat", Quantity::Heat, line, Settle::ALARM)
}

pub fn gas<L: Line>(line: L) -> StateInput<L> {
    StateInput::new("gas", Quantity::Gas, line, Settle::ALARM)
}

pub fn carbon_monoxide<L: Line>(line: L) -> StateInput<L> {
    StateInput::new("co_alarm", Quantity::CoAlarm, line, Settle::ALARM)
}

/// A detector with a fault relay beside its alarm relay: while that one is active the detector cannot detect, and its input is faulty. An alarm that is
/// heard all the same counts.
pub struct WithTrouble<L, T> {
    pub alarm: L,
    pub trouble: T,
}

impl<L: Line, T: Line> Line for WithTrouble<L, T> {
    fn read(&mut self) -> Result<bool, Fault> {
        match (self.alarm.read(), self.trouble.read()) {
            (Ok(true), _) => Ok(true),
            (alarm, Ok(false)) => alarm,
            (_, Ok(true)) => Err(Fault::SelfTest),
            (_, Err(fault)) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::{Change, Input, state};
    use crate::sensors::testing::Script;

    #[test]
    fn an_alarm_is_told_within_three_polls_and_holds_over_a_flicker() {
        let mut smoke = smoke(Script::new("0000".repeat(60) + "1111" + "00" + &"1".repeat(20) + &"0".repeat(300)));
        let told: Vec<_> = (0..570).filter_map(|i| smoke.poll(5 * i).map(|c| (5 * i, c))).collect();
        assert_eq!(
            told,
            [
                (1000, Change::State(state(Quantity::Smoke, false))),
                (1215, Change::State(state(Quantity::Smoke, true))),
                (2330, Change::State(state(Quantity::Smoke, false))),
            ]
        );
    }

    #[test]
    fn a_detector_in_trouble_is_a_fault_and_not_quiet() {
        let read = |alarm: &str, trouble: &str| WithTrouble { alarm: Script::new(alarm), trouble: Script::new(trouble) }.read();
        assert_eq!(read("0", "0"), Ok(false));
        assert_eq!(read("0", "1"), Err(Fault::SelfTest));
        assert_eq!(read("1", "1"), Ok(true));
        assert_eq!(read("1", "x"), Ok(true));
        assert_eq!(read("0", "x"), Err(Fault::Cut));
        assert_eq!(read("x", "0"), Err(Fault::Cut));
    }
}
