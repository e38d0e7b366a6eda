//! How a zone is watched at this moment.
use super::super::detect::silence;
use super::super::device::Device;
use super::super::eyes::{BLINDNESS, takes_sight};
use super::super::rules::Kind;
use super::super::standing::Scope;
use super::super::state::State;
use super::super::step::Run;
use super::super::view::Freshness;
use tuoan_protocol::ledger::{Cause, Need, Sight};
use tuoan_protocol::{DeviceId, Quantity};

/// Periods without a word after which a device serves no more, whatever a rule says of it.
const MISSED: i64 = 3;

/// What a device makes of a need.
enum Serves {
    Yes,
    /// It does, and is not quite to be relied on.
    Somewhat(Cause),
    No(Cause),
}

impl Run<'_> {
    /// How the zone with that index among the required ones is watched now.
    pub(super) fn sight_of(&self, index: usize) -> Sight {
        let compiled = &self.compiled;
        let Some(required) = compiled.required.get(index) else { return Sight::Absent };
        let mut sight = Sight::Watched;
        let mut served = 0;
        for (obligation, devices) in &required.needs {
            let need = Some(obligation.need);
            match self.state.serves(obligation.need, devices) {
                Serves::Yes => served += 1,
                Serves::Somewhat(cause) => {
                    served += 1;
                    sight = sight.worse(Sight::degraded(cause, need));
                }
                Serves::No(cause) if obligation.vital => sight = sight.worse(Sight::blind(cause, need)),
                Serves::No(cause) => sight = sight.worse(Sight::degraded(cause, need)),
            }
        }
        if let (0, Some(reason)) = (served, sight.reason()) {
            return Sight::Blind(reason);
        }
        let maintained = compiled.zone_id(required.zone).is_some_and(|z| self.state.standings.contains_key(&Scope::Zone(z.clone())));
        if maintained {
            sight = sight.worse(Sight::degraded(Cause::Maintenance, None));
        }
        if !self.state.trusted {
            sight = sight.worse(Sight::degraded(Cause::Clock, None));
        }
        sight
    }
}

impl State {
    /// The best that any of the devices does; where none serves, why the first does not.
    fn serves(&self, need: Need, devices: &[DeviceId]) -> Serves {
        let mut best = Serves::No(Cause::Missing);
        for (n, id) in devices.iter().enumerate() {
            match self.device_serves(need, id) {
                Serves::Yes => return Serves::Yes,
                Serves::Somewhat(cause) => best = Serves::Somewhat(cause),
                Serves::No(cause) if n == 0 => best = Serves::No(cause),
                Serves::No(_) => {}
            }
        }
        best
    }

    fn device_serves(&self, need: Need, id: &DeviceId) -> Serves {
        if self.standings.contains_key(&Scope::Device(id.clone())) {
            return Serves::No(Cause::OutOfService);
        }
        let Some(device) = self.devices.get(id).filter(|d| d.last_heard.is_some()) else { return Serves::No(Cause::Unheard) };
        if self.is_gone(device) {
            return Serves::No(Cause::Silent);
        }
        let says = |q: &Quantity| device.value(q, 0).is_some_and(|v| v.value.0 == 1 && v.unknown_since.is_none());
        if says(&Quantity::Fault) {
            return Serves::No(Cause::Fault);
        }
        match need {
            Need::Camera => {
                let blind = |sight: bool| BLINDNESS.iter().find(|q| takes_sight(q) == sight && says(q)).and_then(cause);
                blind(true).map(Serves::No).or_else(|| blind(false).map(Serves::Somewhat)).unwrap_or(Serves::Yes)
            }
            Need::Climate => self.measures(device, &Quantity::Temperature),
            Need::Co2 => self.measures(device, &Quantity::Co2),
            // Only its word that it records is one.
            Need::Recording => match device.value(&Quantity::Recording, 0) {
                Some(v) if v.value.0 != 0 && v.unknown_since.is_none() => Serves::Yes,
                Some(_) => Serves::No(Cause::Recorder),
                None => Serves::No(Cause::Unheard),
            },
            Need::Contact | Need::Gas | Need::Smoke => Serves::Yes,
        }
    }

    fn is_gone(&self, device: &Device) -> bool {
        let missed = |since: i64| {
            let period = silence::period(device, self.compiled.slot(device.slot));
            period.is_some_and(|p| self.now.saturating_sub(since) >= p.saturating_mul(MISSED))
        };
        device.silent || device.under.is_some() || device.offline_since.is_some() || device.quiet_since.is_some_and(missed)
    }

    /// Whether a number comes, is fresh, and moves.
    fn measures(&self, device: &Device, quantity: &Quantity) -> Serves {
        let Some(slot) = self.compiled.slot(device.slot) else { return Serves::No(Cause::Missing) };
        let mut of_it = device.values.iter().filter(|((q, _), _)| q == quantity).map(|(_, v)| v).peekable();
        if of_it.peek().is_none() {
            // It speaks, but never of this.
            return Serves::No(Cause::Missing);
        }
        let fresh =
            |v: &&super::super::device::Value| !matches!(self.freshness(device, slot, quantity, v, self.now), Freshness::Lost { .. });
        let Some(value) = of_it.find(fresh) else { return Serves::No(Cause::Silent) };
        let quality = self.quality(device, slot, quantity, value);
        match (self.holds(device, slot, Kind::Implausible), quality.flat, quality.drifting) {
            (true, _, _) if quality.implausible => Serves::No(Cause::Fault),
            (_, true, _) => Serves::No(Cause::Frozen),
            (_, _, true) => Serves::Somewhat(Cause::Fault),
            _ => Serves::Yes,
        }
    }
}

fn cause(blindness: &Quantity) -> Option<Cause> {
    Some(match blindness {
        Quantity::CameraOffline => Cause::CameraOffline,
        Quantity::CameraCovered => Cause::CameraCovered,
        Quantity::CameraDark => Cause::CameraDark,
        Quantity::CameraOverexposed => Cause::CameraOverexposed,
        Quantity::CameraDefocused => Cause::CameraDefocused,
        Quantity::CameraMoved => Cause::CameraMoved,
        Quantity::CameraFrozen => Cause::Frozen,
        Quantity::CameraLooped => Cause::CameraLooped,
        Quantity::CameraClock => Cause::CameraClock,
        Quantity::CameraLowResolution => Cause::CameraLowResolution,
        Quantity::CameraLowRate => Cause::CameraLowRate,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_blindness_has_its_cause() {
        let mut causes: Vec<_> = BLINDNESS.iter().map(|q| cause(q).unwrap()).collect();
        causes.sort();
        causes.dedup();
        assert_eq!(causes.len(), BLINDNESS.len());
    }
}
