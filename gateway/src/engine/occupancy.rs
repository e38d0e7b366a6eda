//! Whether anyone is in a zone.
use super::input::EngineMs;
use super::schedule::Phase;
use super::signs::Sign;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::{DeviceId, Fixed, Quantity};

/// A zone counts as occupied so long after the last sign of a person.
pub const OCCUPIED_MS: i64 = 15 * 60_000;
/// After a room sweep the carer's own presence is not taken for a child's.
pub const SWEEP_MS: i64 = 5 * 60_000;

/// What changes about a zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ZoneState {
    pub phase: Phase,
    /// Engine time at which the phase began.
    pub phase_since: EngineMs,
    /// (device, quantity, channel) that says at present that someone is here.
    pub seen_by: BTreeSet<(DeviceId, Quantity, u8)>,
    /// Devices that can say it and are not silent.
    pub watchers: BTreeSet<DeviceId>,
    /// Engine time of the last sign of a person.
    pub last_sign: Option<EngineMs>,
    pub occupied: bool,
    /// Engine time of the last room sweep (已清场).
    pub swept: Option<EngineMs>,
    /// What its sensors say to each other's rules, by the number of the condition.
    pub signs: BTreeMap<u16, Sign>,
}

impl ZoneState {
    /// Whether someone must be assumed to be here. Without a sensor that could tell: whenever children are in the house.
    pub fn is_occupied(&self, at: EngineMs) -> bool {
        if self.watchers.is_empty() && self.seen_by.is_empty() {
            return self.phase.has_children();
        }
        !self.seen_by.is_empty() || self.last_sign.is_some_and(|t| at.saturating_sub(t) < OCCUPIED_MS)
    }
    /// When [`Self::is_occupied`] turns false by itself.
    pub fn runs_out(&self) -> Option<EngineMs> {
        self.last_sign.filter(|_| self.seen_by.is_empty()).map(|t| t.saturating_add(OCCUPIED_MS))
    }
}

/// Whether a value of that quantity says that someone is here; `None` when it says nothing of the kind.
pub fn sign_of_person(quantity: &Quantity, value: Fixed) -> Option<bool> {
    matches!(quantity, Quantity::Presence | Quantity::Motion | Quantity::People | Quantity::Adults | Quantity::Children)
        .then_some(value.0 > 0)
}

/// Whether its absence is evidence: a PIR does not see a sleeping child.
pub fn proves_absence(quantity: &Quantity) -> bool {
    matches!(quantity, Quantity::Presence | Quantity::People)
}
