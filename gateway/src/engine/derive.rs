//! What follows from a device's readings by what the device is for: the thermometer in the fridge measures the fridge, a meter's counter gives a
//! flow, a lamp's power says that it is on, a relay is the siren that hangs on it.
//!
//! A derived quantity is judged and shown like a reported one, and never stands in for one that the device reports itself.
use super::input::EngineMs;
use super::site::Role;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tuoan_protocol::{Fixed, Quantity};

/// A germicidal tube draws tens of watts; electronics in standby one or two.
const LAMP_ON_W: i64 = 5;
/// A counter is remembered for so many channels of one device.
const MAX_COUNTERS: usize = 16;
/// Pulses further apart than this are no flow.
const LONGEST_MS: i64 = 6 * 3_600_000;
const HOUR_MS: i128 = 3_600_000;

/// What a general quantity is at a device of that role.
pub fn by_role(role: Role, quantity: &Quantity) -> Option<Quantity> {
    match (role, quantity) {
        (Role::Fridge, Quantity::Temperature) => Some(Quantity::FridgeTemperature),
        (Role::HotWater, Quantity::Temperature) => Some(Quantity::WaterTemperature),
        (Role::Thermometer, Quantity::Temperature) => Some(Quantity::BodyTemperature),
        (Role::Siren, Quantity::SwitchedOn) => Some(Quantity::Siren),
        // A siren used for its light does not sound.
        (Role::Beacon, Quantity::Siren) => Some(Quantity::SwitchedOn),
        // One that is open without current would be shut by switching on: such a valve is not for this.
        (Role::GasValve, Quantity::SwitchedOn) => Some(Quantity::Valve),
        _ => None,
    }
}

/// What is derived for one device, by what it becomes and the channel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Derived(BTreeMap<(Quantity, u8), Source>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Source {
    Rate(Counter),
    Lamp,
    Runtime(Runtime),
    /// The device reports it itself.
    Own,
}

impl Derived {
    /// A reading that the device has made: what follows from it.
    pub fn from(&mut self, role: Role, quantity: &Quantity, channel: u8, value: Fixed, at: EngineMs) -> Vec<(Quantity, Fixed)> {
        let mut out = Vec::new();
        let rate = match quantity {
            Quantity::GasVolume => Some((Quantity::GasFlow, HOUR_MS, 1)),
            // Thousandths of a m³ in hundredths of a litre per minute.
            Quantity::WaterVolume => Some((Quantity::WaterFlow, 60_000, 100)),
            // Wh in tenths of a watt.
            Quantity::Energy => Some((Quantity::Power, HOUR_MS, 10)),
            _ => None,
        };
        if let Some((to, unit_ms, scale)) = rate {
            out.extend(self.rate(&to, channel, value, at, unit_ms, scale).map(|v| (to, v)));
            return out;
        }
        self.own(quantity, channel);
        let lamp = match quantity {
            Quantity::UvLamp => Some(value),
            Quantity::Power if matches!(role, Role::UvLamp | Role::UvCirculating) && self.is_free(&Quantity::UvLamp, channel) => {
                self.0.entry((Quantity::UvLamp, channel)).or_insert(Source::Lamp);
                let on = Fixed(i64::from(value.0 >= LAMP_ON_W * Quantity::Power.scale()));
                out.push((Quantity::UvLamp, on));
                Some(on)
            }
            _ => None,
        };
        if let Some(on) = lamp {
            out.extend(self.runtime(channel, on, at).map(|v| (Quantity::UvRuntime, v)));
        }
        out
    }

    /// Whether anything follows from readings of that quantity, or they must not be derived.
    pub fn concerns(role: Role, quantity: &Quantity) -> bool {
        match quantity {
            Quantity::GasVolume | Quantity::WaterVolume | Quantity::GasFlow | Quantity::WaterFlow => true,
            Quantity::UvLamp | Quantity::UvRuntime => matches!(role, Role::UvLamp | Role::UvCirculating),
            Quantity::Power | Quantity::Energy => matches!(role, Role::Meter | Role::Power | Role::UvLamp | Role::UvCirculating),
            _ => false,
        }
    }

    /// The device reports it itself: it is never derived again.
    fn own(&mut self, quantity: &Quantity, channel: u8) {
        if self.0.len() < MAX_COUNTERS && self.0.get(&(quantity.clone(), channel)) != Some(&Source::Own) {
            self.0.insert((quantity.clone(), channel), Source::Own);
        }
    }
    fn is_free(&self, quantity: &Quantity, channel: u8) -> bool {
        self.0.get(&(quantity.clone(), channel)).is_none_or(|s| *s != Source::Own) && self.0.len() < MAX_COUNTERS
    }

    fn rate(&mut self, to: &Quantity, channel: u8, value: Fixed, at: EngineMs, unit_ms: i128, scale: i128) -> Option<Fixed> {
        if !self.is_free(to, channel) {
            return None;
        }
        let source =
            self.0.entry((to.clone(), channel)).or_insert(Source::Rate(Counter { value: value.0, since: at, ..Counter::default() }));
        let Source::Rate(c) = source else { return None };
        let per_ms = c.sample(value.0, at)?;
        let rate = per_ms.0.checked_mul(unit_ms)?.checked_mul(scale)?.checked_div(per_ms.1)?;
        i64::try_from(rate).ok().filter(|r| *r <= tuoan_protocol::quantity::FIXED_MAX).map(Fixed)
    }

    fn runtime(&mut self, channel: u8, on: Fixed, at: EngineMs) -> Option<Fixed> {
        if !self.is_free(&Quantity::UvRuntime, channel) {
            return None;
        }
        let source = self.0.entry((Quantity::UvRuntime, channel)).or_insert(Source::Runtime(Runtime::default()));
        let Source::Runtime(r) = source else { return None };
        Some(r.sample(on.0 == 1, at))
    }
}

/// A meter's reading, which goes up in steps. The flow is the last step over the time since the one before; it is over when the next step is twice as
/// late.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Counter {
    value: i64,
    /// When it last stepped. Before the first step: when it was first heard, and nothing can be said of how long the step took.
    since: EngineMs,
    stepped: bool,
    step: i64,
    took: i64,
}

impl Counter {
    /// (amount, milliseconds); `None` while it cannot be told.
    fn sample(&mut self, value: i64, at: EngineMs) -> Option<(i128, i128)> {
        let waited = at.saturating_sub(self.since);
        if value < self.value {
            // Reset or exchanged: what it held before says nothing about what flows.
            *self = Counter { value, since: at, ..Counter::default() };
            return None;
        }
        if value > self.value {
            let known = self.stepped;
            (self.step, self.took) = (value.saturating_sub(self.value), waited);
            (self.value, self.since, self.stepped) = (value, at, true);
            if !known || self.took <= 0 || self.took > LONGEST_MS {
                self.step = 0;
                return None;
            }
        } else if !self.stepped || waited > self.took.saturating_mul(2) {
            self.step = 0;
        }
        Some((i128::from(self.step), i128::from(self.took.max(1))))
    }
}

/// Minutes that a lamp has burned since it was first heard, counted while it is known to be on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Runtime {
    total_ms: i64,
    on_since: Option<EngineMs>,
}

impl Runtime {
    fn sample(&mut self, on: bool, at: EngineMs) -> Fixed {
        if let Some(since) = self.on_since {
            self.total_ms = self.total_ms.saturating_add(at.saturating_sub(since).max(0));
        }
        self.on_since = on.then_some(at);
        Fixed(self.total_ms / 60_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000;

    fn flows(steps: &[(i64, f64)]) -> Vec<Option<f64>> {
        let mut d = Derived::default();
        let volume = |v: f64| Quantity::GasVolume.fixed(v).unwrap();
        let flow = |f: &[(Quantity, Fixed)]| f.first().map(|(q, v)| q.float(*v));
        steps.iter().map(|(at, v)| flow(&d.from(Role::Meter, &Quantity::GasVolume, 0, volume(*v), at * MIN))).collect()
    }

    #[test]
    fn a_flow_is_the_step_over_its_time_and_ends_when_the_next_is_overdue() {
        let seen = flows(&[(0, 100.0), (1, 100.0), (5, 100.01), (10, 100.02), (15, 100.02), (20, 100.03), (29, 100.03), (41, 100.03)]);
        assert_eq!(seen, [Some(0.0), Some(0.0), None, Some(0.12), Some(0.12), Some(0.06), Some(0.06), Some(0.0)]);
    }

    #[test]
    fn a_counter_that_starts_again_is_no_flow() {
        let seen = flows(&[(0, 100.0), (1, 100.01), (2, 100.02), (3, 0.0), (4, 0.01), (5, 0.02)]);
        assert_eq!(seen, [Some(0.0), None, Some(0.6), None, None, Some(0.6)]);
    }

    #[test]
    fn a_reported_flow_is_never_overruled() {
        let mut d = Derived::default();
        d.from(Role::Meter, &Quantity::GasVolume, 0, Fixed(0), 0);
        assert!(d.from(Role::Meter, &Quantity::GasFlow, 0, Fixed(3), MIN).is_empty());
        assert!(d.from(Role::Meter, &Quantity::GasVolume, 0, Fixed(10), 2 * MIN).is_empty());
    }

    #[test]
    fn energy_gives_power_in_watts_and_water_litres_per_minute() {
        let mut d = Derived::default();
        let kwh = |v: f64| Quantity::Energy.fixed(v).unwrap();
        for (n, v) in [(0, 1.0), (6, 1.01)] {
            d.from(Role::Meter, &Quantity::Energy, 0, kwh(v), n * MIN);
        }
        assert_eq!(
            d.from(Role::Meter, &Quantity::Energy, 0, kwh(1.02), 12 * MIN),
            [(Quantity::Power, Quantity::Power.fixed(100.0).unwrap())]
        );
        for (n, v) in [(0, 1000), (1, 1010)] {
            d.from(Role::Meter, &Quantity::WaterVolume, 0, Fixed(v), n * MIN);
        }
        assert_eq!(
            d.from(Role::Meter, &Quantity::WaterVolume, 0, Fixed(1020), 2 * MIN),
            [(Quantity::WaterFlow, Quantity::WaterFlow.fixed(10.0).unwrap())]
        );
    }

    #[test]
    fn a_lamps_power_says_that_it_burns_and_for_how_long() {
        let mut d = Derived::default();
        let mut at = |minute: i64, w: f64| d.from(Role::UvLamp, &Quantity::Power, 0, Quantity::Power.fixed(w).unwrap(), minute * MIN);
        assert_eq!(at(0, 0.8)[0], (Quantity::UvLamp, Fixed(0)));
        assert_eq!(at(1, 36.0)[0], (Quantity::UvLamp, Fixed(1)));
        at(31, 36.0);
        assert_eq!(at(61, 0.8)[..], [(Quantity::UvLamp, Fixed(0)), (Quantity::UvRuntime, Fixed(60))]);
        assert!(d.from(Role::Meter, &Quantity::Power, 1, Fixed(500), 0).is_empty(), "a meter is no lamp");
    }

    #[test]
    fn extremes_do_no_harm() {
        let mut d = Derived::default();
        for (at, v) in [(i64::MIN, i64::MIN), (0, i64::MAX), (1, i64::MAX), (i64::MAX, i64::MIN), (i64::MAX, i64::MAX)] {
            for q in [Quantity::GasVolume, Quantity::Energy, Quantity::WaterVolume, Quantity::UvLamp, Quantity::Power] {
                d.from(Role::UvLamp, &q, 0, Fixed(v), at);
            }
        }
        for channel in 0..=255 {
            d.from(Role::Meter, &Quantity::GasVolume, channel, Fixed(1), 0);
        }
        assert!(d.0.len() <= MAX_COUNTERS);
    }
}
