//! The alarm path, which needs no gateway: inputs are looked at every few milliseconds; a change is on its way to the wire at once and is heard and
//! seen in the room. What the gateway orders (siren, beacon) is kept apart, so that neither silences the other.
use crate::clock::{Clock, until};
use crate::outbox::{Lane, Outbox};
use crate::post::Post;
use crate::sensor::{Change, Fault, Input, Sample};
use crate::watchdog::Pulse;
use core::cell::RefCell;
use tuoan_protocol::{EventKind, Fixed, Quantity, Reading};

/// What a board can switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The node's own small sounder, for what its own inputs found.
    Buzzer,
    /// The node's own lamp.
    Led,
    /// Ordered by the gateway.
    Siren,
    /// Ordered by the gateway.
    Beacon,
    /// Ordered by the gateway; there is no order to open one.
    ValveClose,
    /// Ordered by the gateway; there is no order to switch one on.
    UvLampOff,
    /// Ordered by the gateway: releases the lock.
    Unlock,
}

/// The board's outputs.
pub trait Outputs {
    /// Sets it; harmless to repeat. False when the board has none: then nothing is confirmed to the gateway.
    fn set(&mut self, output: Output, on: bool) -> bool;
}

/// An input and its channel among the inputs that give the same quantity.
pub struct Wired<'a> {
    pub input: &'a mut dyn Input,
    pub channel: u8,
}

/// How the inputs are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watching {
    /// Milliseconds between two looks, 5 on a board. It bounds how late a change is seen.
    pub poll_ms: u32,
    /// Milliseconds between two reports of all states, changed or not.
    pub report_ms: u32,
    /// Channel of the `fault` of the first input: behind those of the sensors.
    pub first_fault: u8,
}

/// What is heard and seen locally, as a pure function of what the inputs said.
#[derive(Debug, Default)]
pub struct Local {
    /// Hazards that hold, by input.
    holding: u32,
    chirp_until: u64,
    lamp_until: u64,
}
/// A door opened, a button pressed: noted.
const CHIRP_MS: u64 = 200;
/// Somebody called for help: the lamp says that it went out.
const LAMP_MS: u64 = 10_000;

impl Local {
    fn change(&mut self, place: usize, change: &Change, now_ms: u64) {
        let bit = 1u32.checked_shl(u32::try_from(place).unwrap_or(u32::MAX)).unwrap_or(0);
        match change {
            Change::State(Reading { quantity, value, .. }) => {
                // A door that stands open is no reason for a noise that lasts.
                let lasting = quantity.kind() == tuoan_protocol::quantity::Kind::Hazard && *quantity != Quantity::Open;
                if value.0 == 1 && lasting {
                    self.holding |= bit;
                } else {
                    self.holding &= !bit;
                }
                if value.0 == 1 {
                    self.chirp_until = now_ms.saturating_add(CHIRP_MS);
                }
            }
            Change::Event(EventKind::PanicPressed) => {
                self.chirp_until = now_ms.saturating_add(CHIRP_MS);
                self.lamp_until = now_ms.saturating_add(LAMP_MS);
            }
            Change::Event(_) => self.chirp_until = now_ms.saturating_add(CHIRP_MS),
            // The room need not hear of a cut line; an alarm that held before the cut may still hold.
            Change::Fault(_) => {}
        }
    }
    fn buzzer(&self, now_ms: u64) -> bool {
        // Half a second on, half a second off: heard as an alarm, and a stuck output is told apart.
        now_ms < self.chirp_until || (self.holding != 0 && now_ms % 1000 < 500)
    }
    fn led(&self, now_ms: u64) -> bool {
        self.holding != 0 || now_ms < self.lamp_until || now_ms < self.chirp_until
    }
}

/// Watches the inputs for ever.
pub async fn run<C: Clock, O: Outbox, B: Outputs>(
    clock: &C,
    watching: Watching,
    inputs: &mut [Wired<'_>],
    outputs: &RefCell<B>,
    post: &Post<O>,
    pulse: &Pulse,
) -> ! {
    let mut local = Local::default();
    let mut shown = None;
    // Faults already told, by input.
    let mut faulty = 0u32;
    let mut next = clock.now_ms();
    let mut report_at = next.saturating_add(u64::from(watching.report_ms.min(FIRST_REPORT_MS)));
    loop {
        let now = clock.now_ms();
        pulse.alarm(now);
        for (place, wired) in inputs.iter_mut().enumerate() {
            let bit = 1u32.checked_shl(u32::try_from(place).unwrap_or(u32::MAX)).unwrap_or(0);
            while let Some(change) = wired.input.poll(now) {
                local.change(place, &change, now);
                let fault = watching.first_fault.saturating_add(u8::try_from(place).unwrap_or(u8::MAX));
                match change {
                    Change::State(mut reading) => {
                        reading.channel = reading.channel.saturating_add(wired.channel);
                        let mut sample = Sample::new();
                        // An input without a lasting state (a button) says by this that it is in order again.
                        if reading.quantity != Quantity::Fault {
                            let _ = sample.push(reading);
                        }
                        if faulty & bit != 0 {
                            let _ = sample.push(fault_reading(fault, false));
                            faulty &= !bit;
                        }
                        post.readings(Lane::Alarm, now, sample).await;
                    }
                    Change::Event(kind) => post.event(now, kind, None).await,
                    Change::Fault(why) => {
                        faulty |= bit;
                        post.readings(Lane::Alarm, now, Sample::from_iter([fault_reading(fault, true)])).await;
                        post.note(now, "fault", wired.input.name(), why.word()).await;
                    }
                }
            }
        }
        let show = (local.buzzer(now), local.led(now));
        if shown != Some(show) {
            let mut outputs = outputs.borrow_mut();
            outputs.set(Output::Buzzer, show.0);
            outputs.set(Output::Led, show.1);
            shown = Some(show);
        }
        if now >= report_at {
            report_at = now.saturating_add(u64::from(watching.report_ms));
            // States are told in their order or not at all: an old one that waited behind a change would undo it.
            if post.is_empty(Lane::Alarm).await {
                report(inputs, watching.first_fault, now, post).await;
            }
        }
        next = next.saturating_add(u64::from(watching.poll_ms.max(1))).max(clock.now_ms());
        until(clock, next).await;
    }
}
/// The first report comes soon after the start.
const FIRST_REPORT_MS: u32 = 1000;

async fn report<O: Outbox>(inputs: &[Wired<'_>], first_fault: u8, now: u64, post: &Post<O>) {
    let mut sample = Sample::new();
    for (place, wired) in inputs.iter().enumerate() {
        let reading = match wired.input.state() {
            None => continue,
            Some(Ok(mut reading)) => {
                reading.channel = reading.channel.saturating_add(wired.channel);
                reading
            }
            Some(Err(_)) => fault_reading(first_fault.saturating_add(u8::try_from(place).unwrap_or(u8::MAX)), true),
        };
        if let Err(reading) = sample.push(reading) {
            post.readings(Lane::Alarm, now, core::mem::take(&mut sample)).await;
            let _ = sample.push(reading);
        }
    }
    post.readings(Lane::Alarm, now, sample).await;
}

/// That a sensor or input is faulty, or no longer: `channel` is its place on the node.
pub(crate) fn fault_reading(channel: u8, on: bool) -> Reading {
    Reading { quantity: Quantity::Fault, channel, value: Fixed(i64::from(on)) }
}

impl Fault {
    /// One word of it, as it stands in the event that goes with `fault` = 1.
    pub fn word(self) -> &'static str {
        match self {
            Fault::Missing => "missing",
            Fault::Corrupt => "corrupt",
            Fault::OutOfRange => "range",
            Fault::Stale => "stale",
            Fault::Cut => "cut",
            Fault::Short => "short",
            Fault::SelfTest => "selftest",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::state;

    #[test]
    fn smoke_sounds_while_it_holds_and_a_door_only_chirps() {
        let mut local = Local::default();
        local.change(0, &Change::State(state(Quantity::Smoke, true)), 1000);
        local.change(1, &Change::State(state(Quantity::Open, true)), 1000);
        assert!(local.buzzer(1100) && local.led(1100));
        assert!(!local.buzzer(9_600) && local.buzzer(10_000) && local.led(9_600), "it goes on, in pulses");
        local.change(1, &Change::State(state(Quantity::Open, false)), 11_000);
        assert!(local.led(60_000), "the door's closing does not silence the smoke");
        local.change(0, &Change::Fault(Fault::Cut), 60_000);
        assert!(local.led(60_001), "a cut line does not silence it either");
        local.change(0, &Change::State(state(Quantity::Smoke, false)), 61_000);
        assert!(!local.led(61_000) && !local.buzzer(61_000));
    }

    #[test]
    fn a_call_for_help_lights_the_lamp_without_a_lasting_noise() {
        let mut local = Local::default();
        local.change(0, &Change::Event(EventKind::PanicPressed), 0);
        assert!(local.buzzer(100) && !local.buzzer(300));
        assert!(local.led(9_999) && !local.led(10_000));
    }
}
