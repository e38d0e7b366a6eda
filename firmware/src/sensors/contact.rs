//! Contacts: reed contacts of doors and windows, and others that say a state. On a [`Loop`](super::line::Loop) they are supervised: a cut or bridged
//! wire is a fault, never "closed".
use super::debounce::{Settle, StateInput};
use super::line::Line;
use tuoan_protocol::Quantity;

/// A door or window; the line is active when it is open.
pub fn door<L: Line>(line: L) -> StateInput<L> {
    StateInput::new("contact", Quantity::Open, line, Settle::CONTACT)
}

/// A lock's bolt; the line is active when it is locked.
pub fn bolt<L: Line>(line: L) -> StateInput<L> {
    StateInput::new("bolt", Quantity::Locked, line, Settle::CONTACT)
}

/// The lid of this node's own case, or of a detector; the line is active when it is off.
pub fn lid<L: Line>(line: L) -> StateInput<L> {
    StateInput::new("lid", Quantity::Tamper, line, Settle::CONTACT)
}

/// An auxiliary contact of a breaker or a relay on the mains; the line is active while there is mains.
pub fn mains<L: Line>(line: L) -> StateInput<L> {
    StateInput::new("mains", Quantity::Mains, line, Settle::ALARM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::{Change, Fault, Input, state};
    use crate::sensors::line::{Contact, Loop, STANDARD};
    use crate::sensors::testing::Counts;

    const CLOSED: u16 = 20_893;
    const OPEN: u16 = 47_308;

    #[test]
    fn a_door_is_told_within_five_polls_and_a_cut_wire_is_no_closed_door() {
        let script = [vec![CLOSED; 10], vec![OPEN; 10], vec![CLOSED; 10], vec![u16::MAX; 200], vec![0; 200], vec![OPEN; 10]].concat();
        let mut door = door(Loop::new(Counts::new(script.clone()), STANDARD, Contact::Open));
        assert_eq!(door.state(), None);
        let told: Vec<_> = (0..script.len()).filter_map(|i| door.poll(5 * i as u64).map(|c| (5 * i, c))).collect();
        assert_eq!(
            told,
            [
                (20, Change::State(state(Quantity::Open, false))),
                (70, Change::State(state(Quantity::Open, true))),
                (120, Change::State(state(Quantity::Open, false))),
                (650, Change::Fault(Fault::Cut)),
                (1650, Change::Fault(Fault::Short)),
                (2170, Change::State(state(Quantity::Open, true))),
            ]
        );
        assert_eq!(door.state(), Some(Ok(state(Quantity::Open, true))));
    }
}
