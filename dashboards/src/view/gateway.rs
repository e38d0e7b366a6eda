//! What the gateway's pages show.
use super::alarm::{Aside, ChannelLine, Drill, Form, Receipts, Until};
use super::search::Found;
use super::tasks::Export;
use super::{Incident, Notice, Whole};
use crate::lang::Text;
use tuoan_protocol::looks::Look;
use tuoan_protocol::{Basis, CauseCode, Fixed, IncidentState, Quantity, Rung, Severity, Transition, Via};

/// The home page.
#[derive(Debug, Clone, Default)]
pub struct Home {
    /// Version of the engine's view that this shows.
    pub version: u64,
    /// Not closed, most urgent first.
    pub incidents: Vec<Incident>,
    pub zones: Vec<Zone>,
    pub unplaced: Vec<Device>,
    pub strip: Strip,
    /// What is told to nobody for a while.
    pub asides: Vec<Aside>,
    pub drill: Option<Drill>,
    /// Rooms swept within the last hours, and rooms to be swept.
    pub swept: (u64, u64),
    pub notice: Option<Notice>,
}

impl Home {
    /// Zones that are not wholly seen.
    pub fn blind(&self) -> usize {
        self.zones.iter().filter(|z| z.sight() != Sight::Clear).count()
    }
    pub fn whole(&self) -> Whole {
        if self.strip.disk_fault.is_some() {
            return Whole::ActNow;
        }
        // Before the first view there is nothing to vouch for.
        let blind = if self.zones.is_empty() { 1 } else { self.blind() };
        Whole::of(&self.incidents, blind)
    }
}

/// A room, exit, yard or kitchen.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    pub id: String,
    pub name: String,
    /// `activity`, `nap`, `exit` ...: the site file's word.
    pub kind: &'static str,
    /// `care`, `nap`, `closed` ...
    pub phase: &'static str,
    pub sensors: Vec<Sensor>,
    pub devices: Vec<Device>,
    /// An exit without a sensor that can see adults.
    pub not_watched: bool,
    /// What is lacking for its cameras to watch over the children: `blind`, `uncalibrated`.
    pub eyes: Option<&'static str>,
    /// Of its cameras, those that see, and all.
    pub cameras: Option<(u16, u16)>,
    /// Most urgent open incident here.
    pub worst: Option<Severity>,
    /// Under maintenance.
    pub maintained: Option<Until>,
    /// Begins or ends its maintenance.
    pub form: Option<Form>,
}

/// Whether a zone is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    Clear,
    /// Some of it is lost or not watched.
    Partly,
    /// Nothing of it is seen.
    Blind,
}

impl Zone {
    pub fn sight(&self) -> Sight {
        let lost = self.sensors.iter().filter(|s| matches!(s.freshness, Freshness::Lost { .. })).count();
        let silent = self.devices.iter().filter(|d| d.lost || d.last_heard.is_none()).count();
        let live = self.sensors.len().saturating_sub(lost) + self.devices.len().saturating_sub(silent);
        match (live, lost + silent) {
            (0, _) => Sight::Blind,
            (_, 0) if !self.not_watched && self.eyes.is_none() => Sight::Clear,
            _ => Sight::Partly,
        }
    }
    /// All its devices answer, and none of them has a figure to show: buttons, sirens.
    pub fn is_quiet(&self) -> bool {
        self.sensors.is_empty() && self.cameras.is_none() && !self.devices.is_empty() && self.sight() != Sight::Blind
    }
    pub fn sight_name(&self) -> &'static str {
        match self.sight() {
            Sight::Clear => "clear",
            Sight::Partly => "partly",
            Sight::Blind => "blind",
        }
    }
}

/// What a tile shows large, in this order: who is here, the air, the noise, the doors.
const LARGE: [Quantity; 8] = [
    Quantity::People,
    Quantity::Children,
    Quantity::Adults,
    Quantity::Presence,
    Quantity::Temperature,
    Quantity::Co2,
    Quantity::SoundLevel,
    Quantity::Open,
];
/// Of one quantity, so many.
const DOORS: usize = 2;
/// Figures shown large.
const HEADS: usize = 8;
/// Where none of those is measured, the first of what is.
const OTHERS: usize = 3;

impl Zone {
    /// What stands large on its tile, and what is folded away. Whatever is in doubt, lost or alarming is never folded away.
    pub fn figures(&self) -> (Vec<&Sensor>, Vec<&Sensor>, Vec<&Sensor>) {
        let mut heads: Vec<&Sensor> = Vec::new();
        for quantity in &LARGE {
            // Whether somebody is there says nothing more where they are counted.
            if *quantity == Quantity::Presence && !heads.is_empty() {
                continue;
            }
            let mut here: Vec<&Sensor> = self.sensors.iter().filter(|s| s.quantity == *quantity).collect();
            here.sort_by_key(|s| (!s.alarming, s.freshness.rank()));
            let most = if *quantity == Quantity::Open { DOORS } else { 1 };
            heads.extend(here.into_iter().take(most));
        }
        heads.truncate(HEADS);
        if heads.is_empty() {
            heads = self.sensors.iter().take(OTHERS).collect();
        }
        let is_head = |s: &Sensor| heads.iter().any(|h| std::ptr::eq(*h, s));
        let (loud, quiet) = self.sensors.iter().filter(|s| !is_head(s)).partition(|s| s.is_telling());
        (heads, loud, quiet)
    }
}

#[derive(Debug, Clone)]
pub struct Sensor {
    pub device: String,
    pub quantity: Quantity,
    pub channel: u8,
    pub value: Fixed,
    pub at: i64,
    pub freshness: Freshness,
    /// The state itself calls for a person (smoke, gas ...) or an open incident rests on it.
    pub alarming: bool,
    /// What speaks against the value: `implausible`, `flat`, `drifting`; an implausible one must not be shown as current.
    pub doubt: Option<&'static str>,
    /// Its true time lies within so many milliseconds of `at`.
    pub uncertainty_ms: Option<i64>,
}

impl Sensor {
    /// Must be seen without being asked for.
    fn is_telling(&self) -> bool {
        self.alarming || self.doubt.is_some() || self.freshness != Freshness::Fresh
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Fresh,
    Late,
    /// The value must not be shown as current.
    Lost {
        since: i64,
    },
}

impl Freshness {
    fn rank(self) -> u8 {
        match self {
            Freshness::Fresh => 0,
            Freshness::Late => 1,
            Freshness::Lost { .. } => 2,
        }
    }
    pub fn name(self) -> &'static str {
        match self {
            Freshness::Fresh => "fresh",
            Freshness::Late => "late",
            Freshness::Lost { .. } => "lost",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Device {
    pub id: String,
    pub name: Option<String>,
    pub make: Option<String>,
    pub model: Option<String>,
    /// Per cent.
    pub battery: Option<i64>,
    pub last_heard: Option<i64>,
    pub lost: bool,
    pub upkeep: Upkeep,
    /// Out of service.
    pub out: Option<Until>,
    /// Takes it out of service or back.
    pub form: Option<Form>,
}

/// How well a device does, for whoever looks after it.
#[derive(Debug, Clone, Default)]
pub struct Upkeep {
    pub firmware: Option<String>,
    /// Board, revision and number of its chip.
    pub hardware: Option<String>,
    /// Why it last started, in its own word, and UTC milliseconds since when.
    pub started: Option<(String, i64)>,
    /// Starts that nobody wanted: `watchdog`, `brown_out`, `panic`, and how many.
    pub resets: Vec<(&'static str, u64)>,
    /// What it reports or has announced.
    pub quantities: Vec<Quantity>,
    /// Milliseconds between its messages, and who says so: `site`, `device` or `learned`.
    pub period: Option<(i64, &'static str)>,
    /// Ours minus its clock, and the band, in milliseconds.
    pub clock: Option<(i64, i64)>,
    /// Days its battery lasts, at least and at most.
    pub battery_days: Option<(u64, u64, Option<u64>)>,
    /// Messages that came again, samples that came late, values that cannot be.
    pub duplicate: u64,
    pub late: u64,
    pub implausible: u64,
    /// Through which other device it is heard.
    pub via: Option<String>,
}

impl Upkeep {
    /// A clock that is off by less is nobody's concern.
    pub fn clock_is_off(&self) -> bool {
        self.clock.is_some_and(|(ms, _)| ms.abs() > 2_000)
    }
}

impl Device {
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
    pub fn make_and_model(&self) -> Option<String> {
        match (&self.make, &self.model) {
            (Some(a), Some(b)) => Some(format!("{a} {b}")),
            (Some(a), None) | (None, Some(a)) => Some(a.clone()),
            (None, None) => None,
        }
    }
}

/// The machine's own state: one quiet line at the foot, loud when it is not well.
#[derive(Debug, Clone, Default)]
pub struct Strip {
    pub clock_trusted: bool,
    /// Why commits fail and what to do; `None`: the disk is well.
    pub disk_fault: Option<String>,
    pub disk_fault_since: Option<i64>,
    /// Until the store's room is full, at the rate of the last day.
    pub days_left: Option<u64>,
    pub sinks: Vec<Sink>,
    /// Ways to people.
    pub channels: Vec<ChannelLine>,
    pub quarantined: u64,
    /// Numbers that the learned detector watches, and those beyond its limit.
    pub watched: u64,
    pub unwatched: u64,
    /// The rooms are estimated by a model.
    pub estimating: bool,
}

impl Strip {
    /// Every channel delivers.
    pub fn channels_well(&self) -> bool {
        self.channels.iter().all(|c| c.failing.is_none())
    }
}

/// One destination's queue.
#[derive(Debug, Clone, Default)]
pub struct Sink {
    /// `platform` or `influx`; another name is shown as it is.
    pub name: String,
    /// Messages waiting.
    pub alerts: u64,
    pub metrics: u64,
    pub bytes: Option<u64>,
    /// How long until the oldest that waits has to make room.
    pub hours_left: Option<f64>,
    /// That is less than a day.
    pub short: bool,
    /// Of the metrics, those that newer ones have overtaken after an outage.
    pub overtaken: u64,
    /// Records that had to make room before they were delivered.
    pub lost: u64,
    pub last_success: Option<i64>,
    /// Text of the last failure while it lasts.
    pub failing: Option<String>,
    /// Poison records set aside.
    pub set_aside: u64,
}

/// One incident and its timeline.
#[derive(Debug, Clone)]
pub struct IncidentPage {
    pub incident: Incident,
    pub site: String,
    /// Between which times the charts run.
    pub from: i64,
    pub to: i64,
    pub around: Around,
    /// There is more than may be read at once: the readings end at `to`.
    pub cut: bool,
    /// Older readings are drawn by the minute: the lowest and the highest of each.
    pub by_minute: bool,
    pub series: Vec<Series>,
    /// When cameras that show the place did not see.
    pub blind: Vec<Blind>,
    /// When the place was not watched, or in part, by the coverage ledger.
    pub watch: Vec<Watch>,
    /// What cameras' looks found around it: boxes and key points, no picture.
    pub looks: Vec<CameraLooks>,
    /// When the clock was not known to be right.
    pub unsure: Vec<(i64, i64)>,
    /// The same hazard here, and elsewhere, newest first.
    pub similar: [Vec<Found>; 2],
    pub entries: Vec<Entry>,
    pub deliveries: Vec<Delivery>,
    pub rule: Rule,
    pub found_on_connect: bool,
    pub clock_trusted: bool,
    pub institution: &'static str,
    pub supervisor: &'static str,
    /// Blurred stills, and sealed originals.
    pub stills: u64,
    /// Whoever looks has said what for.
    pub stills_open: bool,
    pub originals: u64,
    pub receipts: Receipts,
    /// What is to be saved from the recorder, where somebody has reported a concern.
    pub export: Option<Export>,
    /// The one thing to do next, and beside it what may be said instead.
    pub primary: Option<Form>,
    pub quiet: Option<Form>,
    /// What else a person may do.
    pub forms: Vec<Form>,
    pub notice: Option<Notice>,
}

impl IncidentPage {
    /// Other incidents of its mergers, and whether this one goes on as part of that.
    pub fn mergers(&self) -> Vec<(&str, bool)> {
        self.entries.iter().filter_map(|e| Some((e.act.other.as_deref()?, e.state.closed))).collect()
    }
}

/// What the looks of one camera found.
#[derive(Debug, Clone)]
pub struct CameraLooks {
    pub camera: String,
    /// Name of the models that looked.
    pub model: String,
    /// Oldest first.
    pub looks: Vec<Look>,
}

/// How much of the time before and after an incident is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Around {
    TenMinutes,
    #[default]
    HalfHour,
    TwoHours,
    SixHours,
    Day,
}

impl Around {
    pub const ALL: [Around; 5] = [Around::TenMinutes, Around::HalfHour, Around::TwoHours, Around::SixHours, Around::Day];
    pub fn name(self) -> &'static str {
        match self {
            Around::TenMinutes => "10m",
            Around::HalfHour => "30m",
            Around::TwoHours => "2h",
            Around::SixHours => "6h",
            Around::Day => "24h",
        }
    }
    /// What is not known is the usual.
    pub fn parse(name: &str) -> Around {
        Around::ALL.into_iter().find(|a| a.name() == name).unwrap_or_default()
    }
    pub fn before_ms(self) -> i64 {
        match self {
            Around::TenMinutes => 600_000,
            Around::HalfHour => 1_800_000,
            Around::TwoHours => 7_200_000,
            Around::SixHours => 21_600_000,
            Around::Day => 86_400_000,
        }
    }
    pub fn after_ms(self) -> i64 {
        if self == Around::HalfHour { 600_000 } else { self.before_ms() }
    }
}

/// A stretch in which a camera did not see, and in which way.
#[derive(Debug, Clone)]
pub struct Blind {
    pub camera: String,
    pub kind: Quantity,
    pub from: i64,
    pub to: i64,
}

/// A stretch in which the place was not watched as it must be. UTC milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    pub from: i64,
    pub to: i64,
    pub sight: tuoan_protocol::ledger::Sight,
}

/// Readings of one quantity of one device, in order of time.
#[derive(Debug, Clone)]
pub struct Series {
    pub device: String,
    pub quantity: Quantity,
    pub points: Vec<(i64, Fixed)>,
    /// From when to when nothing came, though something should have.
    pub gaps: Vec<(i64, i64)>,
    /// The true times lie within so many milliseconds of the shown ones.
    pub uncertainty_ms: Option<i64>,
    /// The rule's limit, in the quantity's unit, where this series is what it judges.
    pub threshold: Option<Fixed>,
}

/// One line of the timeline.
#[derive(Debug, Clone)]
pub struct Entry {
    pub at: i64,
    pub transition: Transition,
    pub state: IncidentState,
    pub severity: Severity,
    pub basis: Basis,
    pub actor: Option<String>,
    pub note: Option<String>,
    pub trigger: Option<(Quantity, Fixed)>,
    pub clock_trusted: bool,
    pub sequence: u64,
    pub act: Deed,
}

impl Entry {
    /// It is about the condition itself, not about what people make of it.
    pub fn is_of_condition(&self) -> bool {
        use Transition as T;
        matches!(self.transition, T::Opened | T::Raised | T::Lowered | T::Reactivated | T::Returned | T::Closed | T::Gathered | T::Reopened)
    }
}

/// What a transition of the life cycle says besides who and when.
#[derive(Debug, Clone, Default)]
pub struct Deed {
    pub via: Option<Via>,
    pub cause: Option<CauseCode>,
    /// When it ends by itself.
    pub until: Option<i64>,
    /// Who has it in hand from here on, by name.
    pub assignee: Option<String>,
    /// The other incident of a merger.
    pub other: Option<String>,
    pub rung: Option<Rung>,
    /// How often it has become active so far.
    pub activations: u64,
}

/// One event's way to one receiver.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub sink: String,
    pub sequence: u64,
    pub state: DeliveryState,
}

#[derive(Debug, Clone)]
pub enum DeliveryState {
    Waiting,
    Accepted { at: i64, receipt: String },
    SetAside { reason: String },
}

#[derive(Debug, Clone, Default)]
pub struct Rule {
    pub id: String,
    /// Standard and clause, e.g. "GB/T 18883-2022 表1".
    pub clause: String,
    /// Where the figure comes from.
    pub source: Text,
    /// Someone has checked the clause against the standard.
    pub verified: bool,
    pub pack: String,
    /// Hex of the rule packs' hash in force.
    pub hash: String,
    pub engine: String,
}

/// Messages that nobody understood.
#[derive(Debug, Clone, Default)]
pub struct Quarantine {
    pub total: u64,
    pub reasons: Vec<(String, u64)>,
    /// Newest first.
    pub items: Vec<Quarantined>,
}

#[derive(Debug, Clone)]
pub struct Quarantined {
    pub id: i64,
    pub at: i64,
    pub topic: String,
    pub decoder: Option<String>,
    pub reason: String,
    /// Start of the payload, made printable.
    pub preview: String,
    pub bytes: u64,
}

/// The form of the morning check, as it was filled in.
#[derive(Debug, Clone, Default)]
pub struct MorningCheck {
    /// Id and name.
    pub classes: Vec<(String, String)>,
    /// Names of the symptoms to choose from: `cough` ...
    pub symptoms: Vec<&'static str>,
    pub class: String,
    pub temperature: String,
    pub chosen: Vec<String>,
    pub child: String,
    pub recheck: bool,
    /// What is wrong with it.
    pub error: Option<String>,
    pub notice: Option<Notice>,
}

impl MorningCheck {
    pub fn is_chosen(&self, symptom: &str) -> bool {
        self.chosen.iter().any(|c| c == symptom)
    }
}
