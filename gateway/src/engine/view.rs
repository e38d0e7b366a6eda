//! What a page shows of the engine's state at one moment. Built at most four times a second, after the commit.
use super::schedule::Phase;
use super::site::ZoneKind;
use tuoan_protocol::{Basis, DeviceId, Fixed, HazardId, IncidentId, IncidentState, Place, Quantity, RuleId, Severity, Trigger, ZoneId};

#[derive(Debug, Clone, Default)]
pub struct View {
    /// Grows with every change.
    pub version: u64,
    /// UTC milliseconds of this view.
    pub now: i64,
    pub clock_trusted: bool,
    pub zones: Vec<ZoneView>,
    /// Not yet closed, most severe first, confirmed before inferred, oldest first.
    pub incidents: Vec<IncidentView>,
    /// Devices that were heard but stand on no zone.
    pub unplaced: Vec<DeviceView>,
}

#[derive(Debug, Clone)]
pub struct ZoneView {
    pub id: ZoneId,
    pub name: String,
    pub kind: ZoneKind,
    pub phase: Phase,
    pub sensors: Vec<SensorView>,
    pub devices: Vec<DeviceView>,
    /// An exit without a live sensor that can see adults: opening it is only logged.
    pub not_watched: bool,
}

#[derive(Debug, Clone)]
pub struct SensorView {
    pub device: DeviceId,
    pub quantity: Quantity,
    pub channel: u8,
    pub value: Fixed,
    /// UTC milliseconds of the sample.
    pub at: i64,
    pub freshness: Freshness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Fresh,
    /// Later than its period.
    Late,
    /// Three periods missed: the value must not be shown as current. UTC milliseconds since when.
    Lost { since: i64 },
}

#[derive(Debug, Clone)]
pub struct DeviceView {
    pub id: DeviceId,
    pub name: Option<String>,
    pub make: Option<String>,
    pub model: Option<String>,
    pub battery: Option<Fixed>,
    /// UTC milliseconds it was last heard.
    pub last_heard: Option<i64>,
    pub lost: bool,
}

#[derive(Debug, Clone)]
pub struct IncidentView {
    pub id: IncidentId,
    pub hazard: HazardId,
    pub place: Place,
    pub zone_name: String,
    pub severity: Severity,
    pub basis: Basis,
    pub state: IncidentState,
    /// UTC milliseconds.
    pub opened_at: i64,
    pub changed_at: i64,
    pub rule: RuleId,
    pub trigger: Option<Trigger>,
    pub activations: u32,
    /// Number of its last event: the version SSE carries.
    pub sequence: u64,
}
