//! Buttons. A press is told at the first poll that sees it: whoever presses the alarm does not wait for a contact to settle.
use super::line::Line;
use crate::sensor::{Change, Fault, Input, state};
use tuoan_protocol::{EventKind, Quantity, Reading};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one-key alarm (一键报警). However long it is held, it is the alarm: someone in need may well hold it.
    Panic,
    /// The node's service button: a press, and held for three seconds the test.
    Service,
}

/// Released for as long before the next press counts: contacts bounce, most of all on release.
const RELEASE_MS: u64 = 50;
const TEST_MS: u64 = 3_000;
/// Nobody holds a button for a minute: it is stuck, and the next press would not be seen.
const STUCK_MS: u64 = 60_000;
const FAULT_MS: u64 = 500;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Up,
    /// Pressed since then; whether its test has been told.
    Down(u64, bool),
    /// Let go at the first time, not yet for good; pressed since the second, with its test told or not.
    Rising(u64, u64, bool),
    Failing(u64, Fault),
    Failed(Fault),
}

pub struct Button<L> {
    line: L,
    role: Role,
    phase: Phase,
}

impl<L: Line> Button<L> {
    pub fn new(line: L, role: Role) -> Self {
        Button { line, role, phase: Phase::Up }
    }
    fn pressed(&mut self, now_ms: u64) -> Option<Change> {
        self.phase = Phase::Down(now_ms, false);
        Some(Change::Event(match self.role {
            Role::Panic => EventKind::PanicPressed,
            Role::Service => EventKind::ButtonPressed,
        }))
    }
}

impl<L: Line> Input for Button<L> {
    fn name(&self) -> &'static str {
        match self.role {
            Role::Panic => "panic",
            Role::Service => "button",
        }
    }

    fn poll(&mut self, now_ms: u64) -> Option<Change> {
        let for_ms = |since: u64| now_ms.saturating_sub(since);
        match (self.line.read(), self.phase) {
            (Ok(true), Phase::Down(since, _)) if for_ms(since) >= STUCK_MS => {
                self.phase = Phase::Failed(Fault::Short);
                return Some(Change::Fault(Fault::Short));
            }
            (Ok(true), Phase::Down(since, false)) if self.role == Role::Service && for_ms(since) >= TEST_MS => {
                self.phase = Phase::Down(since, true);
                return Some(Change::Event(EventKind::Test));
            }
            (Ok(true), Phase::Down(..)) | (Ok(false), Phase::Up) => {}
            // A stuck button that is still down; its release comes first.
            (Ok(true), Phase::Failed(Fault::Short)) => {}
            // It bounced.
            (Ok(true), Phase::Rising(since, down, told)) if for_ms(since) < RELEASE_MS => self.phase = Phase::Down(down, told),
            (Ok(true), _) => return self.pressed(now_ms),
            (Ok(false), Phase::Down(down, told)) => self.phase = Phase::Rising(now_ms, down, told),
            (Ok(false), Phase::Rising(since, ..)) if for_ms(since) < RELEASE_MS => {}
            (Ok(false), Phase::Failed(_)) => {
                self.phase = Phase::Up;
                return Some(Change::State(state(Quantity::Fault, false)));
            }
            (Ok(false), _) => self.phase = Phase::Up,
            (Err(fault), Phase::Failing(since, same)) if same == fault => {
                if for_ms(since) >= FAULT_MS {
                    self.phase = Phase::Failed(fault);
                    return Some(Change::Fault(fault));
                }
            }
            (Err(fault), Phase::Failed(same)) if same == fault => {}
            (Err(fault), _) => self.phase = Phase::Failing(now_ms, fault),
        }
        None
    }

    /// A button has no lasting state but its fault.
    fn state(&self) -> Option<Result<Reading, Fault>> {
        match self.phase {
            Phase::Failed(fault) => Some(Err(fault)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::Script;
    use proptest::prelude::*;

    fn told(role: Role, script: String, step_ms: u64) -> Vec<(u64, Change)> {
        let polls = script.len() as u64;
        let mut button = Button::new(Script::new(script), role);
        (0..polls).filter_map(|i| button.poll(step_ms * i).map(|c| (step_ms * i, c))).collect()
    }
    const PRESSED: Change = Change::Event(EventKind::PanicPressed);

    #[test]
    fn a_press_is_told_at_its_first_poll_and_bouncing_is_one_press() {
        let bounce = "0001011101".to_string() + &"1".repeat(20) + "0100101" + &"0".repeat(20) + "1";
        assert_eq!(told(Role::Panic, bounce, 5), [(15, PRESSED), (285, PRESSED)]);
    }

    #[test]
    fn held_it_is_a_test_for_the_service_button_only() {
        let hold = "0".to_string() + &"1".repeat(100) + "0";
        assert_eq!(told(Role::Panic, hold.clone(), 50), [(50, PRESSED)]);
        assert_eq!(told(Role::Service, hold, 50), [(50, Change::Event(EventKind::ButtonPressed)), (3050, Change::Event(EventKind::Test))]);
    }

    #[test]
    fn a_stuck_button_and_a_cut_wire_are_faults() {
        let stuck = "0".to_string() + &"1".repeat(70) + "000" + "1";
        let all_right = Change::State(state(Quantity::Fault, false));
        assert_eq!(
            told(Role::Panic, stuck, 1000),
            [(1000, PRESSED), (61_000, Change::Fault(Fault::Short)), (71_000, all_right.clone()), (74_000, PRESSED)]
        );
        let cut = "0".to_string() + &"x".repeat(20) + "01";
        assert_eq!(told(Role::Panic, cut, 100), [(600, Change::Fault(Fault::Cut)), (2100, all_right), (2200, PRESSED)]);
        // A wire that is put back while the button is down is a press.
        assert_eq!(told(Role::Panic, "xxxxxxxx1".into(), 100), [(500, Change::Fault(Fault::Cut)), (800, PRESSED)]);
    }

    proptest! {
        #[test]
        fn no_press_after_a_long_release_is_lost(noise in "[01x]{0,80}") {
            let script = noise.clone() + &"0".repeat(30) + "1";
            let last = 5 * (script.len() as u64 - 1);
            let told = told(Role::Panic, script, 5);
            prop_assert_eq!(told.last(), Some(&(last, PRESSED)));
        }
    }
}
