//! One simulated device: when it speaks, and what it says. Deterministic in (day, seed).
use super::scenario::{Day, Device as Spec, Noise, Rhythm, Source, Span, Wire};
use super::signal::{Override, Recordings, Signal};
use crate::engine::site::Placement;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use std::collections::VecDeque;
use tuoan_protocol::{DeviceId, Fixed, Quantity};

/// Seconds between telemetry of a device whose place names no period.
const PERIOD_S: u32 = 60;

pub struct Device {
    pub id: DeviceId,
    pub wire: Wire,
    /// Zigbee2MQTT's friendly name; otherwise as the id.
    pub name: String,
    pub make: String,
    pub model: String,
    pub period_s: u32,
    /// Names this start of the device for ever.
    pub boot: u64,
    seq: u64,
    channels: Vec<Channel>,
    silences: Vec<Span>,
    presses: VecDeque<u32>,
    /// Orders that it has carried out and not yet confirmed.
    done: VecDeque<u64>,
    /// Second of its next regular message.
    next: u32,
    last: u32,
    rng: Xoshiro256PlusPlus,
}

struct Channel {
    quantity: Quantity,
    signal: Signal,
    /// As last said.
    said: Option<Fixed>,
}

/// One message that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    pub seq: u64,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Telemetry(Vec<(Quantity, Fixed)>),
    /// The panic button was pressed.
    Pressed,
    /// The order with this number was carried out.
    Done(u64),
}

impl Device {
    /// # Errors
    /// Names what the day says of the device and cannot be done.
    pub fn new(spec: &Spec, day: &Day, place: Option<&Placement>, recordings: &Recordings, seed: u64) -> Result<Device, String> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ fnv(spec.id.as_str()));
        let mut channels = Vec::new();
        for m in &spec.measure {
            let mut signal = Signal::new(&m.source, recordings).map_err(|e| format!("device {}: {e}", spec.id))?;
            if m.quantity == Quantity::Open && matches!(m.source, Source::Is(_) | Source::During(_)) {
                let own = day.rhythm.iter().filter(|r| r.device == spec.id);
                signal.also_during(own.flat_map(|r| openings(r, &mut rng)).collect::<Vec<_>>());
            }
            for n in day.noise.iter().filter(|n| n.device == spec.id && n.quantity == m.quantity) {
                // Its own dice: the rest of the day stays as it is.
                let mut dice = Xoshiro256PlusPlus::seed_from_u64(!seed ^ fnv(spec.id.as_str()));
                turns(n, &mut dice).into_iter().for_each(|o| signal.stage(o));
            }
            for s in day.staged.iter().filter(|s| s.device.as_ref() == Some(&spec.id)) {
                if let (Some(set), Some(until)) = (&s.set, s.until)
                    && set.quantity == m.quantity
                {
                    let span = Span { from: s.at.0, to: until.0 };
                    signal.stage(Override { span, to: set.to, ramp_s: set.ramp_min.saturating_mul(60) });
                }
            }
            channels.push(Channel { quantity: m.quantity.clone(), signal, said: None });
        }
        let own = || day.staged.iter().filter(|s| s.device.as_ref() == Some(&spec.id));
        let period_s = place.and_then(|p| p.period_s).unwrap_or(PERIOD_S).max(1);
        Ok(Device {
            id: spec.id.clone(),
            wire: spec.wire,
            name: spec.name.clone().unwrap_or_else(|| spec.id.as_str().to_owned()),
            make: spec.make.clone(),
            model: spec.model.clone(),
            period_s,
            boot: rng.random_range(1..1 << 48),
            seq: 0,
            silences: own().filter(|s| s.silent).filter_map(|s| Some(Span { from: s.at.0, to: s.until?.0 })).collect(),
            presses: own().filter(|s| s.press).map(|s| s.at.0).collect(),
            done: VecDeque::new(),
            channels,
            // Devices do not all speak in the same second: the first words are spread over the first half minute.
            next: day.from.0.saturating_add(rng.random_range(0..period_s.min(30))),
            last: day.from.0.saturating_sub(1),
            rng,
        })
    }
    pub fn measures(&self, quantity: &Quantity) -> bool {
        self.channels.iter().any(|c| c.quantity == *quantity)
    }
    /// The device has carried out an order; it says so at the next step.
    pub fn carried_out(&mut self, order: u64, sounding: Option<bool>) {
        if let (Some(on), Some(siren)) = (sounding, self.channels.iter_mut().find(|c| c.quantity == Quantity::Siren)) {
            siren.signal = Signal::constant(f64::from(u8::from(on)));
        }
        if !self.done.contains(&order) && self.done.len() < 16 {
            self.done.push_back(order);
        }
    }
    /// What it says at that second of the day: at most one message. Call it with ascending seconds.
    pub fn due(&mut self, second: u32) -> Option<Due> {
        let after = std::mem::replace(&mut self.last, second);
        if self.silences.iter().any(|s| s.holds(second)) {
            return None;
        }
        if self.presses.front().is_some_and(|at| *at <= second) {
            self.presses.pop_front();
            return Some(self.number(What::Pressed));
        }
        if let Some(order) = self.done.pop_front() {
            return Some(self.number(What::Done(order)));
        }
        let regular = second >= self.next;
        let turned = self.channels.iter().any(|c| c.signal.turns(after, second));
        let mut now = Vec::with_capacity(self.channels.len());
        let mut changed = false;
        // A random walk steps once for each look, so numbers are looked at only when they are said.
        for c in self.channels.iter_mut().filter(|c| regular || turned || c.quantity.is_state()) {
            let value = c.quantity.fixed(c.signal.at(second, &mut self.rng)).ok();
            changed |= c.quantity.is_state() && value != c.said;
            now.push((c.quantity.clone(), value));
        }
        if !(regular || turned || changed) {
            return None;
        }
        if regular {
            let missed = second.saturating_sub(self.next) / self.period_s;
            self.next = self.next.saturating_add(missed.saturating_add(1).saturating_mul(self.period_s));
        }
        let mut readings = Vec::with_capacity(self.channels.len());
        for c in &mut self.channels {
            let value = match now.iter().find(|(q, _)| *q == c.quantity) {
                Some((_, value)) => *value,
                None => c.quantity.fixed(c.signal.at(second, &mut self.rng)).ok(),
            };
            c.said = value;
            readings.extend(value.map(|v| (c.quantity.clone(), v)));
        }
        Some(self.number(What::Telemetry(readings)))
    }
    fn number(&mut self, what: What) -> Due {
        self.seq = self.seq.saturating_add(1);
        Due { seq: self.seq, what }
    }
}

/// Spans in which the door is open. Never two without a pause between them.
fn openings(r: &Rhythm, rng: &mut Xoshiro256PlusPlus) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut jittered = || f64::from(r.every_s) * rng.random_range(0.6..1.4);
    let mut at = r.from.0.saturating_add((jittered() * 0.5) as u32);
    let mut gaps = Vec::new();
    while at < r.to.0 {
        gaps.push(at);
        at = at.saturating_add((jittered() as u32).max(r.open_s.1.saturating_add(15)));
    }
    for from in gaps {
        let to = from.saturating_add(rng.random_range(r.open_s.0..=r.open_s.1)).min(r.to.0);
        spans.push(Span { from, to });
    }
    spans
}

/// On and off by turns.
fn turns(n: &Noise, rng: &mut Xoshiro256PlusPlus) -> Vec<Override> {
    let (mut out, mut from, mut on) = (Vec::new(), n.during.from, true);
    while from < n.during.to {
        let to = from.saturating_add(rng.random_range(n.every_s.0..=n.every_s.1)).min(n.during.to);
        out.push(Override { span: Span { from, to }, to: f64::from(u8::from(on)), ramp_s: 0 });
        (from, on) = (to, !on);
    }
    out
}

fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::nursery::Nursery;

    /// Every message of the built-in day, as (second, device, message).
    fn play(seed: u64) -> Vec<(u32, String, Due)> {
        let mut nursery = Nursery::built_in(Some(seed)).unwrap();
        let (from, to, step) = (nursery.day.from.0, nursery.day.to.0, nursery.day.step_s);
        let mut out = Vec::new();
        for second in (from..=to).step_by(step as usize) {
            for d in &mut nursery.devices {
                out.extend(d.due(second).map(|due| (second, d.id.as_str().to_owned(), due)));
            }
        }
        out
    }

    #[test]
    fn a_seed_gives_the_same_day_again_and_another_gives_another() {
        let first = play(1);
        assert_eq!(first, play(1));
        assert_ne!(first, play(2));
        assert!(first.len() >= 5_000, "only {} messages", first.len());
    }

    #[test]
    fn sequence_numbers_have_no_gap_and_a_device_speaks_at_most_once_a_step() {
        let mut last: std::collections::BTreeMap<String, (u32, u64)> = Default::default();
        for (second, device, due) in play(7) {
            let (before, seq) = last.insert(device.clone(), (second, due.seq)).unwrap_or((0, 0));
            assert!(second > before, "{device} twice at {second}");
            assert_eq!(due.seq, seq + 1, "{device}");
        }
        assert_eq!(last.len(), Nursery::built_in(None).unwrap().devices.len(), "a device never spoke");
    }

    #[test]
    fn a_staged_hazard_is_said_in_its_own_step_and_a_silent_device_says_nothing() {
        let day = play(3);
        let says = |device: &str, second: u32, quantity: Quantity, value: i64| {
            day.iter().any(|(s, d, due)| {
                *s == second && d == device && matches!(&due.what, What::Telemetry(r) if r.contains(&(quantity.clone(), Fixed(value))))
            })
        };
        let smoke = "z2m.0x00158d0009000008";
        assert!(says(smoke, 9 * 3600 + 40 * 60, Quantity::Smoke, 1) && says(smoke, 9 * 3600 + 44 * 60, Quantity::Smoke, 0));
        assert!(says("gas-kitchen", 11 * 3600 + 5 * 60, Quantity::GasLel, 120), "sampled at once, not at the next period");
        let silent = 13 * 3600 + 10 * 60..13 * 3600 + 35 * 60;
        assert!(!day.iter().any(|(s, d, _)| d == "climate-infant-1" && silent.contains(s)));
        assert_eq!(day.iter().filter(|(_, _, due)| due.what == What::Pressed).count(), 1);
    }

    #[test]
    fn collection_is_dozens_of_openings() {
        let door = "z2m.0x00158d0009000001";
        let open = play(5).into_iter().filter(|(s, d, due)| {
            d == door
                && (16 * 3600 + 1800..18 * 3600).contains(s)
                && matches!(&due.what, What::Telemetry(r) if r.contains(&(Quantity::Open, Fixed(1))))
        });
        assert!(open.count() >= 36);
    }
}
