//! What the engine remembers between steps, and its snapshot.
use super::checkup::Case;
use super::commissioning::Commissioning;
use super::compiled::Compiled;
use super::coverage::ledger::Ledger;
use super::device::Info;
use super::devices::Devices;
use super::held_back::HeldBack;
use super::incident::{Incident, Key};
use super::input::{Configuration, DeviceInfo, EngineMs};
use super::occupancy::ZoneState;
use super::order::Ordered;
use super::standing::{Drill, Standings};
use super::timer::Timers;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tuoan_protocol::{DeviceId, HazardId, Place, RuleId};

/// Version of the snapshot. Fields may be added without raising it (absent ones take their defaults); raise it when a field changes its meaning.
const SNAPSHOT: u16 = 1;

/// All of it. Serialised as CBOR; ordered maps only. What can be rebuilt from the rest (compiled rules, timers) is not serialised.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    pub(super) snapshot: u16,
    pub(super) position: u64,
    pub(super) sequence: u64,
    pub(super) now: EngineMs,
    pub(super) offset_ms: i64,
    pub(super) trusted: bool,
    pub(super) configuration: Option<Box<Configuration>>,
    /// Local day by which the overrides in force were last chosen.
    pub(super) day: i64,
    pub(super) devices: Devices,
    /// How many of them stand on no zone.
    pub(super) unplaced: usize,
    /// In the order of the site's zones.
    pub(super) zones: Vec<ZoneState>,
    pub(super) incidents: BTreeMap<(HazardId, Place), Incident>,
    /// Closed lately, oldest first, and parts of others: they can be reopened, commented and given a cause.
    pub(super) recent: VecDeque<(Key, Incident)>,
    /// Engine times at which an alarm became active lately.
    pub(super) habits: BTreeMap<Key, Vec<EngineMs>>,
    /// What is told to nobody for a while.
    pub(super) standings: Standings,
    pub(super) drill: Option<Drill>,
    pub(super) commissioning: Option<Commissioning>,
    /// Number of the last notice.
    pub(super) notices: u64,
    /// What overrides hold back, by rule.
    pub(super) held_back: BTreeMap<RuleId, HeldBack>,
    /// Cases of illness from the morning checks, oldest first.
    pub(super) cases: VecDeque<Case>,
    /// Number of the last order to a device.
    pub(super) orders: u64,
    /// The newest order to each device that it has not confirmed.
    pub(super) ordered: BTreeMap<DeviceId, Ordered>,
    /// Sirens that were told to sound, beacons that were told to light.
    pub(super) sounding: BTreeSet<DeviceId>,
    /// Gas valves that were told to close and for which incident the order still stands.
    pub(super) closing: BTreeSet<DeviceId>,
    /// Hubs that are held to be gone and under whose incident others are told.
    pub(super) hubs: BTreeSet<DeviceId>,
    /// Hour of engine time of the last look at what the series have learned.
    pub(super) round: i64,
    pub(super) ledger: Ledger,
    /// Series that have a learned detector.
    #[serde(skip)]
    pub(super) watched: usize,
    #[serde(skip)]
    pub(super) timers: Timers,
    #[serde(skip)]
    pub(super) compiled: Arc<Compiled>,
}

impl Default for State {
    fn default() -> Self {
        State {
            snapshot: SNAPSHOT,
            position: 0,
            sequence: 0,
            now: 0,
            offset_ms: 0,
            trusted: false,
            configuration: None,
            day: 0,
            devices: Devices::default(),
            unplaced: 0,
            zones: Vec::new(),
            incidents: BTreeMap::new(),
            recent: VecDeque::new(),
            habits: BTreeMap::new(),
            standings: Standings::new(),
            drill: None,
            commissioning: None,
            notices: 0,
            held_back: BTreeMap::new(),
            cases: VecDeque::new(),
            orders: 0,
            ordered: BTreeMap::new(),
            sounding: BTreeSet::new(),
            closing: BTreeSet::new(),
            hubs: BTreeSet::new(),
            round: 0,
            ledger: Ledger::default(),
            watched: 0,
            timers: Timers::default(),
            compiled: Arc::default(),
        }
    }
}

/// Why a snapshot cannot be taken up. Replaying the input log from its beginning always can.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("the snapshot is damaged ({0}); replay the input log instead")]
    Damaged(String),
    #[error("the snapshot has version {0}, this program reads up to {SNAPSHOT}; use the newer program or replay the input log")]
    Newer(u16),
    #[error("the configuration in the snapshot does not compile ({0}); replay the input log instead")]
    Configuration(String),
}

impl State {
    pub fn new() -> State {
        State::default()
    }
    /// Canonical bytes: equal states give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Writing to memory cannot fail, and every type here is serialisable.
        minicbor_serde::to_vec(self).unwrap_or_default()
    }
    pub fn decode(bytes: &[u8]) -> Result<State, SnapshotError> {
        #[derive(Deserialize)]
        struct Head {
            snapshot: u16,
        }
        let damaged = |e: minicbor_serde::error::DecodeError| SnapshotError::Damaged(e.to_string());
        let head: Head = minicbor_serde::from_slice(bytes).map_err(damaged)?;
        if head.snapshot > SNAPSHOT {
            return Err(SnapshotError::Newer(head.snapshot));
        }
        let mut state: State = minicbor_serde::from_slice(bytes).map_err(damaged)?;
        if let Some(c) = &state.configuration {
            state.compiled = Arc::new(Compiled::new(&c.site, &c.rules, state.day).map_err(SnapshotError::Configuration)?);
        }
        state.relink();
        state.rearm();
        Ok(state)
    }
    /// Inputs accepted so far: the position of the last one.
    pub fn position(&self) -> u64 {
        self.position
    }
    /// Incident events said so far: the sequence of the last one.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
    pub fn now(&self) -> EngineMs {
        self.now
    }
    /// UTC minus engine time.
    pub fn utc_offset(&self) -> i64 {
        self.offset_ms
    }
    pub fn clock_trusted(&self) -> bool {
        self.trusted
    }
    /// When `step` should be called again even if nothing arrives.
    pub fn next_due(&self) -> Option<EngineMs> {
        self.timers.next_due()
    }
    pub fn configuration(&self) -> Option<&Configuration> {
        self.configuration.as_deref()
    }
    /// What bridges and birth messages have said of the devices: a decoder keeps their ids by it after a restart.
    pub fn inventory(&self) -> Vec<DeviceInfo> {
        let known = self.devices.iter().filter(|(_, d)| d.info != Info::default());
        let info = known.map(|(id, d)| DeviceInfo {
            device: Some(id.clone()),
            name: d.info.name.clone(),
            make: d.info.make.clone(),
            model: d.info.model.clone(),
            firmware: d.info.firmware.clone(),
            hardware: d.info.hardware.clone(),
            start: d.info.start.clone(),
            period_s: d.info.period_s,
            quantities: d.info.quantities.clone(),
            via: d.info.via.clone(),
            removed: false,
        });
        info.collect()
    }
    pub(super) fn utc(&self, at: EngineMs) -> i64 {
        at.saturating_add(self.offset_ms)
    }
}
