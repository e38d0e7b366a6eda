//! What a page shows of the engine's state at one moment. Built at most four times a second, after the commit.
use super::device::Resets;
use super::quality::Counts;
use super::quality::battery::Forecast;
use super::quality::clock::Offset;
use super::rules::Override;
use super::schedule::Phase;
use super::site::{Role, ZoneKind};
use super::standing::Scope;
use tuoan_protocol::ledger::{Run, Sight};
use tuoan_protocol::{
    Basis, CauseCode, DeviceId, Exercise, Fixed, HazardId, IncidentId, IncidentState, Place, Quantity, RuleId, Rung, Severity, Trigger,
    ZoneId,
};

#[derive(Debug, Clone, Default)]
pub struct View {
    /// Grows with every change.
    pub version: u64,
    /// Position of the last input and sequence of the last incident event that it takes into account.
    pub position: u64,
    pub sequence: u64,
    /// UTC milliseconds of this view.
    pub now: i64,
    pub clock_trusted: bool,
    pub zones: Vec<ZoneView>,
    /// Not yet closed, most severe first, confirmed before inferred, oldest first.
    pub incidents: Vec<IncidentView>,
    /// Devices that were heard but stand on no zone.
    pub unplaced: Vec<DeviceView>,
    /// Numbers that the learned detector watches, and those for which there is no room.
    pub watched: usize,
    pub unwatched: usize,
    /// The cameras that the gateway looks at itself, in the order of the site file.
    pub cameras: Vec<CameraView>,
    /// What is told to nobody for a while.
    pub standings: Vec<StandingView>,
    pub drill: Option<DrillView>,
    pub commissioning: Option<CommissioningView>,
    /// The people of the site: id, name, rung.
    pub people: Vec<(String, String, Rung)>,
    /// The open day of the coverage ledger.
    pub coverage: CoverageView,
    /// Classes by id and name, of which a morning check can be entered.
    pub classes: Vec<(String, String)>,
    /// What the site changes about the rules, in the order of its file.
    pub overrides: Vec<OverrideView>,
}

/// The coverage ledger's day so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoverageView {
    /// Days since 1970-01-01 by the site's clock; `None` while no day is open.
    pub date: Option<i64>,
    /// Minutes of it that are told of.
    pub minutes: u16,
    pub zones: Vec<ZoneCoverageView>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneCoverageView {
    pub zone: ZoneId,
    pub run: Run,
    /// At this moment.
    pub now: Sight,
}

/// Shelved, under maintenance or out of service. UTC milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingView {
    pub scope: Scope,
    pub since: i64,
    pub until: i64,
    pub by: String,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillView {
    pub hazard: HazardId,
    pub zone: ZoneId,
    pub since: i64,
    pub until: i64,
    pub by: String,
}

/// Commissioning under way. UTC milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommissioningView {
    pub since: i64,
    pub until: i64,
    pub by: String,
    /// Devices under proof, and until when.
    pub proofs: Vec<(DeviceId, i64)>,
}

/// One `[[override]]` of the site file, or one that was set on the page of rules.
#[derive(Debug, Clone, PartialEq)]
pub struct OverrideView {
    pub set: Override,
    pub state: OverrideState,
    /// What the rule as its pack has it would have raised, while this was in force: how often, when last, and where now.
    pub held_back: u32,
    pub held_back_at: Option<i64>,
    pub held_back_now: Vec<Place>,
    /// Set while the gateway ran, and so to be ended there; otherwise it stands in the site file.
    pub by_page: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverrideState {
    /// Begins later.
    Coming,
    InForce,
    /// Its last day is over: the rule holds as its pack has it.
    Expired,
}

#[derive(Debug, Clone)]
pub struct ZoneView {
    pub id: ZoneId,
    pub name: String,
    pub kind: ZoneKind,
    pub phase: Phase,
    /// UTC milliseconds.
    pub phase_since: i64,
    /// Someone is here, or must be assumed to be.
    pub occupied: bool,
    pub sensors: Vec<SensorView>,
    pub devices: Vec<DeviceView>,
    /// What the site's cameras can say of it; `None`: none of them shows it.
    pub eyes: Option<EyesView>,
    /// An exit without a live sensor that can see adults: opening it is only logged.
    pub not_watched: bool,
    /// When somebody last said that it is swept, UTC milliseconds.
    pub swept: Option<i64>,
}

/// How far a zone is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EyesView {
    /// Cameras that show it, and those of them that see at present.
    pub cameras: u16,
    pub live: u16,
    /// One of those that see is calibrated: the rules about children hold here. Otherwise the zone is not covered for them.
    pub child_rules: bool,
}

/// One of the `[[cameras]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraView {
    pub device: DeviceId,
    pub name: Option<String>,
    /// Where it hangs, and all that it shows.
    pub zone: ZoneId,
    pub zones: Vec<ZoneId>,
    /// UTC milliseconds at which it was last said whether it sees. `None`: never yet.
    pub last_heard: Option<i64>,
    /// In which ways it does not see, and since when, UTC milliseconds.
    pub blind: Vec<(Quantity, i64)>,
    /// What it shows can be gone by.
    pub live: bool,
    /// It has a floor: heights can be told, and so who is a child.
    pub calibrated: bool,
}

impl CameraView {
    /// The rules about children hold for what it shows.
    pub fn child_rules(&self) -> bool {
        self.live && self.calibrated
    }
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
    pub quality: Quality,
    /// The sample's true time lies within so many milliseconds of `at`; `None` where it is the time of arrival.
    pub uncertainty_ms: Option<i64>,
}

/// What speaks against a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quality {
    /// It cannot be.
    pub implausible: bool,
    /// It stands still for far longer than it is wont to.
    pub flat: bool,
    /// It goes away from its neighbours'.
    pub drifting: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Fresh,
    /// Later than its period.
    Late,
    /// Three periods missed: the value must not be shown as current. UTC milliseconds since when.
    Lost {
        since: i64,
    },
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
    /// What it is for, where it has a place.
    pub role: Option<Role>,
    /// Milliseconds between its messages, as told or learned.
    pub period_ms: Option<i64>,
    /// Its silence would be noticed. Otherwise it speaks too rarely, and only its monthly test proves that it works.
    pub supervised: bool,
    /// UTC milliseconds of its last test.
    pub tested_at: Option<i64>,
    /// Who says how often it speaks.
    pub period_by: Option<PeriodBy>,
    pub firmware: Option<String>,
    /// Board, revision and number of its chip.
    pub hardware: Option<String>,
    /// Why it last started, in the device's words, and UTC milliseconds when it told so first.
    pub started: Option<(String, i64)>,
    /// How often it started for a bad reason.
    pub resets: Resets,
    /// What it can report, as its convention announces; else what it has reported.
    pub quantities: Vec<Quantity>,
    /// Through which other device it is heard.
    pub via: Option<DeviceId>,
    /// Its silence is told under that device's incident.
    pub under: Option<DeviceId>,
    /// How far its clock is from ours, where it has one that is known.
    pub clock: Option<Offset>,
    pub counts: Counts,
    /// How long its battery lasts.
    pub forecast: Option<Forecast>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodBy {
    /// The site file.
    Site,
    Device,
    Learned,
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
    /// A person may end it, with a reason.
    pub cancellable: bool,
    /// Number of its last event: the version SSE carries.
    pub sequence: u64,
    /// Who has it in hand: a person's id or a name.
    pub assignee: Option<String>,
    pub resolved: Option<CauseCode>,
    pub chattering: bool,
    pub exercise: Option<Exercise>,
    /// UTC milliseconds at which its shelving ends.
    pub until: Option<i64>,
    /// Of a hub's: the devices that are silent because of it, and where they hang.
    pub affected: Vec<(DeviceId, ZoneId)>,
}
