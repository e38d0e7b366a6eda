//! A configuration made ready: which rules look at which quantity of which device, so that a message touches nothing else.
use super::coverage::obligation::{Required, required};
use super::rules::{self, Condition, Kind, Ladder, Pattern, Rule};
use super::schedule::Schedule;
use super::site::{Role, Site, Zone, ZoneKind};
use super::standing::{DRILL_PREFIX, is_drill};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::{Basis, DeviceId, EventKind, Quantity, Severity, ZoneId};

/// Zone of the incidents of devices that stand nowhere yet: an alarm must not wait for the installer.
pub const UNPLACED_ZONE: &str = "unplaced";
/// Device ids of the gateway's own estimates: this and the zone's id. Nobody else may speak for them.
pub const ESTIMATE_PREFIX: &str = "estimate.";
/// The same of what the gateway's own eyes, the `[[cameras]]` of the site file, see of a zone.
pub const VISION_PREFIX: &str = "vision.";
/// Proves the chain alive: its test event becomes an event of the log that nobody is shown.
pub const CANARY: &str = "canary";
/// What delivery says of itself: alarms that are not confirmed, a canary that did not arrive.
pub const CHAIN: &str = "chain";
/// They say at least this often what they see, and of each camera whether it sees.
pub const VISION_HEARTBEAT_MS: i64 = 30_000;
/// After so many heartbeats missed nothing of it is believed any more.
const VISION_MISSED: i64 = 3;

/// The gateway's own voice: no device out there.
pub fn is_own(id: &DeviceId) -> bool {
    let own = [ESTIMATE_PREFIX, VISION_PREFIX].iter().any(|p| id.as_str().starts_with(p));
    own || is_drill(id) || [CANARY, CHAIN].contains(&id.as_str())
}

#[derive(Debug, Clone, Default)]
pub struct Compiled {
    pub rules: Vec<Rule>,
    pub schedule: Schedule,
    pub slots: Vec<Slot>,
    pub by_device: BTreeMap<DeviceId, u32>,
    pub zones: Vec<ZoneSlots>,
    pub by_zone: BTreeMap<ZoneId, u32>,
    pub sirens: Vec<(DeviceId, ZoneId)>,
    pub beacons: Vec<(DeviceId, ZoneId)>,
    pub gas_valves: Vec<DeviceId>,
    pub ladders: Vec<Ladder>,
    pub patterns: Vec<Pattern>,
    /// The rule that a person's report opens.
    pub report: Option<u16>,
    /// The rule that gathers the silence of those that are heard through one other device.
    pub hub: Option<u16>,
    /// Where the findings about a class stand: its own room.
    pub class_zones: BTreeMap<String, u32>,
    /// All that rules ask of other sensors, each once, by its number.
    pub conditions: Vec<Condition>,
    /// The zones of which something is required, for the coverage ledger; and the rules about their gaps.
    pub required: Vec<Required>,
    pub gap_rules: Vec<u16>,
}

/// What the rules see in one placed device; the last slot is that of all devices that stand nowhere.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Index in the site's zones.
    pub zone: Option<u32>,
    pub zone_id: ZoneId,
    pub role: Role,
    pub period_ms: Option<i64>,
    /// Through which other device it is heard, by the site file.
    pub via: Option<DeviceId>,
    /// The channel whose state says that an order is carried out.
    pub channel: u8,
    /// Rules by the quantity they judge.
    pub judged: Vec<(Quantity, Vec<u16>)>,
    /// Conditions by the quantity that they ask for.
    pub watched: Vec<(Quantity, Vec<u16>)>,
    pub events: Vec<(EventKind, u16)>,
    pub silence: Option<u16>,
    /// The gateway's own eyes: milliseconds without a word after which what they said is not believed any more.
    pub fades: Option<i64>,
    pub age: Option<u16>,
    /// Rules about the quality of its numbers.
    pub quality: Vec<u16>,
    /// A rule here depends on phase, season or occupancy.
    pub guarded: bool,
}

#[derive(Debug, Clone, Default)]
pub struct ZoneSlots {
    pub devices: Vec<DeviceId>,
    /// Milliseconds after a change of phase at which a guard of a rule here opens or ends.
    pub delays: Vec<i64>,
}

impl Compiled {
    /// With the site's overrides as they hold on that local day. `Err` names every problem of the rule packs and overrides, one a line.
    pub fn new<S: AsRef<str>>(site: &Site, packs: &[S], day: i64) -> Result<Compiled, String> {
        let rules::Packs { rules, ladders, patterns } = rules::compile_all(packs)?;
        let compiled = Self::with_rules(site, rules::overrides::in_force(rules, &site.overrides, day)?);
        Ok(Compiled { ladders, patterns, ..compiled })
    }

    pub fn with_rules(site: &Site, mut rules: Vec<Rule>) -> Compiled {
        let conditions = number_conditions(&mut rules);
        let mut c = Compiled { schedule: Schedule::new(site), conditions, ..Compiled::default() };
        c.zones = vec![ZoneSlots::default(); site.zones.len()];
        c.by_zone = site.zones.iter().zip(0u32..).map(|(z, i)| (z.id.clone(), i)).collect();
        for p in &site.devices {
            let Some((&zone, z)) = c.by_zone.get(&p.zone).and_then(|i| Some((i, site.zones.get(*i as usize)?))) else { continue };
            let groups = site.age_groups(z);
            let matching = numbered(&rules).filter(|(_, r)| r.applies(z.kind, z.floor, p.role) && r.is_for(&groups));
            let mut slot = slot(matching, Some(zone), p.zone.clone(), p.role);
            // What is said of a camera is said by us, at our pace, not at that of its frames.
            let watched = site.cameras.iter().any(|c| c.device == p.id.as_str());
            slot.period_ms = if watched { Some(VISION_HEARTBEAT_MS) } else { p.period_s.map(|s| i64::from(s) * 1000) };
            slot.via = p.via.clone();
            slot.channel = p.channel.unwrap_or(0);
            if let Some(zs) = c.zones.get_mut(zone as usize) {
                zs.devices.push(p.id.clone());
            }
            match p.role {
                Role::Siren => c.sirens.push((p.id.clone(), p.zone.clone())),
                Role::Beacon => c.beacons.push((p.id.clone(), p.zone.clone())),
                Role::GasValve => c.gas_valves.push(p.id.clone()),
                _ => {}
            }
            c.by_device.insert(p.id.clone(), u32::try_from(c.slots.len()).unwrap_or(u32::MAX));
            c.slots.push(slot);
        }
        for (i, z) in (0u32..).zip(&site.zones) {
            let Ok(id) = DeviceId::new(&format!("{ESTIMATE_PREFIX}{}", z.id)) else { continue };
            let groups = site.age_groups(z);
            // It is silent when the room's sensors are, which is said already, or when there is no model, which the gateway says once.
            let matching = numbered(&rules)
                .filter(|(_, r)| r.applies(z.kind, z.floor, Role::Estimate) && r.is_for(&groups))
                .filter(|(_, r)| r.kind != Kind::Silence || r.roles.contains(&Role::Estimate));
            let slot = slot(matching, Some(i), z.id.clone(), Role::Estimate);
            if let Some(zs) = c.zones.get_mut(i as usize) {
                zs.devices.push(id.clone());
            }
            c.by_device.insert(id, u32::try_from(c.slots.len()).unwrap_or(u32::MAX));
            c.slots.push(slot);
        }
        for (i, z) in (0u32..).zip(&site.zones) {
            let Ok(id) = DeviceId::new(&format!("{DRILL_PREFIX}{}", z.id)) else { continue };
            // What a detector of those kinds would find there.
            let staged = [Role::Smoke, Role::Co, Role::Gas, Role::Panic];
            let matching = numbered(&rules)
                .filter(|(_, r)| {
                    r.severity == Severity::Emergency
                        && r.basis == Basis::Confirmed
                        && staged.iter().any(|role| r.applies(z.kind, z.floor, *role))
                })
                .filter(|(_, r)| matches!(r.kind, Kind::State | Kind::Threshold | Kind::Event));
            c.by_device.insert(id, u32::try_from(c.slots.len()).unwrap_or(u32::MAX));
            c.slots.push(slot(matching, Some(i), z.id.clone(), Role::Other));
        }
        // The gateway hangs in the office, or else where the site file begins.
        let home = site.zones.iter().position(|z| z.kind == ZoneKind::Office).or((!site.zones.is_empty()).then_some(0));
        if let (Some((i, z)), Ok(id)) = (home.and_then(|i| Some((u32::try_from(i).ok()?, site.zones.get(i)?))), DeviceId::new(CHAIN)) {
            let matching = numbered(&rules).filter(|(_, r)| r.roles.contains(&Role::Gateway));
            c.by_device.insert(id, u32::try_from(c.slots.len()).unwrap_or(u32::MAX));
            c.slots.push(slot(matching, Some(i), z.id.clone(), Role::Gateway));
        }
        for (id, z) in site.eyes() {
            let Some(&zone) = c.by_zone.get(&z.id) else { continue };
            let groups = site.age_groups(z);
            // It is no instrument: it cannot drift or stand still, it counts people only while it can, and its silence is told of its cameras.
            let matching = numbered(&rules)
                .filter(|(_, r)| r.applies(z.kind, z.floor, Role::Camera) && r.is_for(&groups))
                .filter(|(_, r)| !r.kind.is_quality() && !matches!(r.kind, Kind::Silence | Kind::Age));
            let mut slot = slot(matching, Some(zone), z.id.clone(), Role::Camera);
            (slot.period_ms, slot.fades) = (Some(VISION_HEARTBEAT_MS), Some(VISION_HEARTBEAT_MS * VISION_MISSED));
            if let Some(zs) = c.zones.get_mut(zone as usize) {
                zs.devices.push(id.clone());
            }
            c.by_device.insert(id, u32::try_from(c.slots.len()).unwrap_or(u32::MAX));
            c.slots.push(slot);
        }
        if let Ok(nowhere) = ZoneId::new(UNPLACED_ZONE) {
            let matching = numbered(&rules).filter(|(_, r)| r.holds_anywhere());
            c.slots.push(slot(matching, None, nowhere, Role::Other));
        }
        for (zs, z) in c.zones.iter_mut().zip(&site.zones) {
            let here = rules.iter().filter(|r| r.zones.is_empty() || r.zones.contains(&z.kind));
            zs.delays = here.flat_map(|r| [Some(r.grace), r.within]).flatten().filter(|d| *d > 0).collect();
            zs.delays.sort_unstable();
            zs.delays.dedup();
        }
        c.class_zones = site.classes.iter().filter_map(|class| Some((class.id.clone(), room_of(site, &class.id)?))).collect();
        c.watch(&rules);
        c.report = numbered(&rules).find(|(_, r)| r.kind == Kind::Report).map(|(i, _)| i);
        c.hub = numbered(&rules).find(|(_, r)| r.kind == Kind::Hub).map(|(i, _)| i);
        c.required = required(site);
        c.gap_rules = numbered(&rules).filter(|(_, r)| r.kind == Kind::Gap).map(|(i, _)| i).collect();
        c.rules = rules;
        c
    }

    /// Tells each device which conditions its quantities answer: those of the rules that look at any device in its zone.
    fn watch(&mut self, rules: &[Rule]) {
        if self.conditions.is_empty() {
            return;
        }
        let mut asked: BTreeMap<u32, BTreeSet<u16>> = BTreeMap::new();
        for slot in &self.slots {
            let Some(zone) = slot.zone else { continue };
            let here = slot.rules().filter_map(|i| rules.get(usize::from(i))).flat_map(Rule::conditions);
            asked.entry(zone).or_default().extend(here.map(|c| c.id));
        }
        for slot in &mut self.slots {
            let Some(asked) = slot.zone.and_then(|z| asked.get(&z)) else { continue };
            for c in asked.iter().filter_map(|id| self.conditions.get(usize::from(*id))) {
                if !c.roles.is_empty() && !c.roles.contains(&slot.role) {
                    continue;
                }
                for q in &c.quantities {
                    match slot.watched.iter_mut().find(|(have, _)| have == q) {
                        Some((_, list)) => list.push(c.id),
                        None => slot.watched.push((q.clone(), vec![c.id])),
                    }
                }
            }
        }
    }

    pub fn zone_id(&self, index: u32) -> Option<&ZoneId> {
        self.by_zone.iter().find(|(_, i)| **i == index).map(|(z, _)| z)
    }

    /// Where a device stands; all that stand nowhere share the last slot.
    pub fn slot_of(&self, device: &DeviceId) -> Option<u32> {
        self.by_device.get(device).copied().or_else(|| u32::try_from(self.slots.len()).ok()?.checked_sub(1))
    }
    pub fn slot(&self, index: Option<u32>) -> Option<&Slot> {
        self.slots.get(index? as usize)
    }
    pub fn rule(&self, index: u16) -> Option<&Rule> {
        self.rules.get(usize::from(index))
    }
    /// The same rule in this configuration: a shadow is another than what it is the shadow of.
    pub fn same_rule(&self, rule: &Rule) -> Option<u16> {
        numbered(&self.rules).find(|(_, r)| r.id == rule.id && r.shadow == rule.shadow).map(|(i, _)| i)
    }
    pub fn zone_index(&self, zone: &ZoneId) -> Option<u32> {
        self.by_zone.get(zone).copied()
    }
}

fn numbered(rules: &[Rule]) -> impl Iterator<Item = (u16, &Rule)> {
    (0u16..).zip(rules)
}

/// The class's own room before one that it shares, a room to be in before a corridor.
fn room_of(site: &Site, class: &str) -> Option<u32> {
    let rank = |z: &Zone| {
        let own = if z.classes.iter().any(|c| c == class) { z.classes.len() } else { usize::MAX };
        (own, z.kind != ZoneKind::Activity, z.kind != ZoneKind::Nap)
    };
    let rooms = site.zones.iter().zip(0u32..).filter(|(z, _)| z.classes.is_empty() || z.classes.iter().any(|c| c == class));
    rooms.min_by_key(|(z, i)| (rank(z), *i)).map(|(_, i)| i)
}

/// Gives each different condition its number.
fn number_conditions(rules: &mut [Rule]) -> Vec<Condition> {
    let mut all: Vec<Condition> = Vec::new();
    for c in rules.iter_mut().flat_map(Rule::conditions_mut) {
        let known = all.iter().find(|a| a.same(c)).map(|a| a.id);
        c.id = known.unwrap_or_else(|| u16::try_from(all.len()).unwrap_or(u16::MAX));
        if known.is_none() {
            all.push(c.clone());
        }
    }
    all
}

impl Slot {
    /// Every rule that looks at the device.
    pub fn rules(&self) -> impl Iterator<Item = u16> {
        let judged = self.judged.iter().flat_map(|(_, list)| list.iter().copied());
        let events = self.events.iter().map(|(_, i)| *i);
        judged.chain(events).chain(self.silence).chain(self.age).chain(self.quality.iter().copied())
    }
}

fn slot<'a>(rules: impl Iterator<Item = (u16, &'a Rule)>, zone: Option<u32>, zone_id: ZoneId, role: Role) -> Slot {
    let mut slot = Slot {
        zone,
        zone_id,
        role,
        period_ms: None,
        via: None,
        channel: 0,
        judged: vec![],
        watched: vec![],
        events: vec![],
        silence: None,
        fades: None,
        age: None,
        quality: vec![],
        guarded: false,
    };
    let mut silence: Option<(&Rule, u16)> = None;
    for (i, r) in rules {
        match r.kind {
            Kind::Event => slot.events.extend(r.event.clone().map(|e| (e, i))),
            Kind::Silence if silence.is_none_or(|(best, _)| r.severity < best.severity) => silence = Some((r, i)),
            Kind::Silence => {}
            Kind::Age => slot.age = Some(i),
            Kind::Report | Kind::Hub | Kind::Entry | Kind::Cluster | Kind::Gap => {}
            k if k.is_quality() => slot.quality.push(i),
            _ => {
                let Some(q) = &r.quantity else { continue };
                slot.guarded |= r.is_guarded();
                match slot.judged.iter_mut().find(|(have, _)| have == q) {
                    Some((_, list)) => list.push(i),
                    None => slot.judged.push((q.clone(), vec![i])),
                }
            }
        }
    }
    slot.silence = silence.map(|(_, i)| i);
    slot
}
