//! What proves that a device works: the person does something to it, and it says so.
use crate::engine::input::Item;
use crate::engine::site::Role;
use tuoan_protocol::{EventKind, Fixed, Quantity};

/// By how much breath raises what a climate sensor measures, in the quantities' own steps: 100 ppm, 3 %, 0.5 °C. More than a room changes by itself
/// in the minute that a person stands there.
const BREATH: [(Quantity, i64); 3] = [(Quantity::Co2, 100), (Quantity::Humidity, 300), (Quantity::Temperature, 50)];

/// What a person is asked to do: a word of the messages (`prove-...`).
pub fn ask(role: Role) -> &'static str {
    match role {
        Role::Door | Role::Window | Role::Lock => "open",
        Role::Climate => "breathe",
        Role::Smoke | Role::Heat | Role::Gas | Role::Co => "test",
        Role::Panic => "press",
        Role::Camera => "cover",
        Role::Occupancy => "move",
        Role::Water => "wet",
        _ => "heard",
    }
}

/// Follows one device from the moment it is asked for its proof.
#[derive(Debug, Clone)]
pub struct Proof {
    role: Role,
    /// Lowest value seen of what breath raises.
    lowest: Vec<(Quantity, Fixed)>,
}

impl Proof {
    /// `now` are the values that the device has shown last, where they are known.
    pub fn begin(role: Role, now: impl IntoIterator<Item = (Quantity, Fixed)>) -> Proof {
        Proof { role, lowest: now.into_iter().collect() }
    }
    /// What it says. `Some`: that is the proof, in a word of the messages (`proof-...`).
    pub fn hear(&mut self, item: &Item) -> Option<&'static str> {
        let on = |wanted: &[Quantity]| matches!(item, Item::Reading { quantity, value, .. } if value.0 == 1 && wanted.contains(quantity));
        let event = |wanted: &[EventKind]| matches!(item, Item::Event { kind, .. } if wanted.contains(kind));
        match self.role {
            Role::Door | Role::Window => on(&[Quantity::Open]).then_some("opened"),
            Role::Lock => (on(&[Quantity::Locked, Quantity::Open]) || unlocked(item)).then_some("opened"),
            Role::Smoke => (on(&[Quantity::Smoke]) || event(&[EventKind::Test])).then_some("tested"),
            Role::Heat => (on(&[Quantity::Heat]) || event(&[EventKind::Test])).then_some("tested"),
            Role::Gas => (on(&[Quantity::Gas]) || event(&[EventKind::Test])).then_some("tested"),
            Role::Co => (on(&[Quantity::CoAlarm]) || event(&[EventKind::Test])).then_some("tested"),
            Role::Panic => event(&[EventKind::PanicPressed, EventKind::ButtonPressed, EventKind::Test]).then_some("pressed"),
            Role::Camera => on(&[Quantity::CameraCovered, Quantity::CameraDark]).then_some("covered"),
            Role::Occupancy => on(&[Quantity::Motion, Quantity::Presence]).then_some("moved"),
            Role::Water => (on(&[Quantity::WaterLeak]) || event(&[EventKind::Test])).then_some("wetted"),
            Role::Climate => self.breath(item),
            _ => matches!(item, Item::Reading { .. } | Item::Event { .. }).then_some("heard"),
        }
    }

    fn breath(&mut self, item: &Item) -> Option<&'static str> {
        let Item::Reading { quantity, value, .. } = item else { return None };
        let (_, rise) = BREATH.iter().find(|(q, _)| q == quantity)?;
        match self.lowest.iter_mut().find(|(q, _)| q == quantity) {
            Some((_, lowest)) if value.0.saturating_sub(lowest.0) >= *rise => Some("breathed"),
            Some((_, lowest)) => {
                lowest.0 = lowest.0.min(value.0);
                None
            }
            None => {
                self.lowest.push((quantity.clone(), *value));
                None
            }
        }
    }
}

fn unlocked(item: &Item) -> bool {
    matches!(item, Item::Reading { quantity: Quantity::Locked, value: Fixed(0), .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(quantity: Quantity, value: i64) -> Item {
        Item::Reading { quantity, channel: 0, value: Fixed(value) }
    }
    fn event(kind: EventKind) -> Item {
        Item::Event { kind, command: None }
    }

    #[test]
    fn a_door_is_proved_by_opening_not_by_speaking() {
        let mut p = Proof::begin(Role::Door, []);
        assert_eq!(p.hear(&reading(Quantity::Battery, 1)), None);
        assert_eq!(p.hear(&reading(Quantity::Open, 0)), None);
        assert_eq!(p.hear(&reading(Quantity::Open, 1)), Some("opened"));
    }

    #[test]
    fn breath_is_a_rise_and_not_a_high_figure() {
        let mut p = Proof::begin(Role::Climate, [(Quantity::Co2, Fixed(900))]);
        assert_eq!(p.hear(&reading(Quantity::Co2, 980)), None);
        assert_eq!(p.hear(&reading(Quantity::Co2, 850)), None);
        assert_eq!(p.hear(&reading(Quantity::Co2, 950)), Some("breathed"), "against the lowest since");
        let mut fresh = Proof::begin(Role::Climate, []);
        assert_eq!(fresh.hear(&reading(Quantity::Humidity, 9000)), None, "the first figure proves nothing");
        assert_eq!(fresh.hear(&reading(Quantity::Humidity, 9300)), Some("breathed"));
    }

    #[test]
    fn alarms_are_proved_by_their_test_or_their_alarm() {
        for (role, quantity) in
            [(Role::Smoke, Quantity::Smoke), (Role::Gas, Quantity::Gas), (Role::Co, Quantity::CoAlarm), (Role::Water, Quantity::WaterLeak)]
        {
            assert!(Proof::begin(role, []).hear(&reading(quantity.clone(), 1)).is_some());
            assert!(Proof::begin(role, []).hear(&reading(quantity, 0)).is_none());
            assert!(Proof::begin(role, []).hear(&event(EventKind::Test)).is_some());
            assert!(Proof::begin(role, []).hear(&event(EventKind::ButtonPressed)).is_none());
        }
        assert_eq!(Proof::begin(Role::Panic, []).hear(&event(EventKind::PanicPressed)), Some("pressed"));
        assert_eq!(Proof::begin(Role::Camera, []).hear(&reading(Quantity::CameraCovered, 1)), Some("covered"));
        assert_eq!(Proof::begin(Role::Camera, []).hear(&reading(Quantity::CameraMoved, 1)), None);
    }
}
