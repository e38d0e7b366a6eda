//! Engine view -> the structs that pages are made of. Nothing is decided here but what to leave out.
use super::forms;
use crate::deliver::{DeliveryStatus, LaneState};
use crate::engine::UNPLACED_ZONE;
use crate::engine::eyes::BLINDNESS;
use crate::engine::rules::Catalogue;
use crate::engine::schedule::Phase;
use crate::engine::site::ZoneKind;
use crate::engine::standing::Scope;
use crate::engine::view::{
    DeviceView, EyesView, Freshness, IncidentView, OverrideState, PeriodBy, Quality, SensorView, StandingView, View, ZoneView,
};
use crate::notify::post::ChannelState;
use crate::store::{Health, Lane};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tuoan_dashboards::lang::Text;
use tuoan_dashboards::view::{Incident, alarm, gateway as page};
use tuoan_protocol::quantity::Kind;
use tuoan_protocol::{DeviceId, Exercise, Inhibition, InstitutionType, Quantity, SupervisingBody, Trigger, ZoneId};

/// The home page. `takers`: who acknowledged, by incident; `quarantined`: messages waiting in the quarantine.
pub fn home(
    view: &View,
    catalogue: &Catalogue,
    health: &Health,
    lanes: &[DeliveryStatus],
    takers: &BTreeMap<String, String>,
    quarantined: u64,
) -> page::Home {
    let incidents: Vec<Incident> = view
        .incidents
        .iter()
        .filter(|i| is_for_people(i))
        .map(|i| {
            let mut shown = incident(i, view, catalogue);
            shown.acknowledged_by = takers.get(i.id.as_str()).cloned();
            shown
        })
        .collect();
    let (disk_fault, disk_fault_since) = match health {
        Health::Healthy => (None, None),
        Health::Degraded { since, reason } => (Some(reason.clone()), Some(*since)),
    };
    page::Home {
        version: stamp(view, health),
        zones: view.zones.iter().map(|z| zone(z, view)).collect(),
        unplaced: view.unplaced.iter().map(device).collect(),
        strip: page::Strip {
            clock_trusted: view.clock_trusted,
            disk_fault,
            disk_fault_since,
            days_left: None,
            sinks: sinks(lanes),
            channels: Vec::new(),
            quarantined,
            watched: view.watched as u64,
            unwatched: view.unwatched as u64,
            estimating: true,
        },
        incidents,
        asides: view.standings.iter().map(|s| aside(s, view)).collect(),
        swept: (0, 0),
        drill: view.drill.as_ref().map(|d| alarm::Drill {
            hazard: d.hazard.as_str().to_owned(),
            place: zone_name(&d.zone, view).to_owned(),
            since: d.since,
            until: d.until,
            by: d.by.clone(),
        }),
        notice: None,
    }
}

/// For every page.
pub fn commissioning(view: &View) -> Option<alarm::Commissioning> {
    let c = view.commissioning.as_ref()?;
    Some(alarm::Commissioning { until: c.until, by: c.by.clone(), devices: c.proofs.iter().map(|(d, _)| device_name(d, view)).collect() })
}

/// What proves the chain alive is shown to nobody.
fn is_for_people(i: &IncidentView) -> bool {
    i.exercise != Some(Exercise::Canary)
}

fn until(s: &StandingView) -> alarm::Until {
    alarm::Until { until: s.until, by: s.by.clone(), why: s.why.clone() }
}

fn aside(s: &StandingView, view: &View) -> alarm::Aside {
    let (kind, hazard, what, end) = match &s.scope {
        Scope::Alarm((hazard, place)) => {
            // Without an open incident there is nothing to take it up from: it ends by itself.
            let open = view.incidents.iter().find(|i| i.hazard == *hazard && i.place == *place);
            let end = open.map(|i| format!("/incidents/{}/unshelve", i.id));
            ("alarm", Some(hazard.as_str().to_owned()), zone_name(&place.zone, view).to_owned(), end)
        }
        Scope::Zone(zone) => ("zone", None, zone_name(zone, view).to_owned(), Some(format!("/zones/{zone}/maintain/end"))),
        Scope::Device(device) => ("device", None, device_name(device, view), Some(format!("/devices/{device}/in"))),
    };
    alarm::Aside { kind, hazard, what, since: s.since, until: until(s), end }
}

/// Ways to people, as they do.
pub fn channels(states: &[ChannelState]) -> Vec<alarm::ChannelLine> {
    let line = |s: &ChannelState| alarm::ChannelLine { name: s.name.clone(), waiting: s.waiting as u64, failing: s.failing.clone() };
    states.iter().map(line).collect()
}

/// Where an open incident is in its life.
fn life(i: &IncidentView, view: &View) -> alarm::Life {
    let device = i.place.device.clone().or_else(|| i.trigger.as_ref().map(|t| t.device.clone()));
    let scope = match i.state.inhibited {
        None => None,
        Some(Inhibition::Shelved) => Some(Scope::Alarm((i.hazard.clone(), i.place.clone()))),
        Some(Inhibition::Suppressed) => Some(Scope::Zone(i.place.zone.clone())),
        Some(Inhibition::OutOfService) => device.map(Scope::Device),
    };
    alarm::Life {
        assignee: i.assignee.as_deref().map(|who| forms::person_name(view, who)),
        resolved: i.resolved,
        chattering: i.chattering,
        drill: i.exercise == Some(Exercise::Drill),
        test: i.exercise == Some(Exercise::Commissioning),
        aside: scope.and_then(|s| forms::standing(view, &s)).map(until),
    }
}

/// Changes whenever a page would look otherwise: also when a value grows old or the disk fails, which no input of the engine says.
pub fn stamp(view: &View, health: &Health) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut h = DefaultHasher::new();
    (view.version, view.clock_trusted, matches!(health, Health::Healthy)).hash(&mut h);
    view.commissioning.as_ref().map(|c| (c.until, c.proofs.len())).hash(&mut h);
    for z in &view.zones {
        (z.phase, z.not_watched, z.swept, z.eyes.map(|e| (e.live, e.child_rules))).hash(&mut h);
        for s in &z.sensors {
            match s.freshness {
                Freshness::Fresh => 0,
                Freshness::Late => 1,
                Freshness::Lost { since } => since,
            }
            .hash(&mut h);
            doubt(&s.quality).hash(&mut h);
        }
        z.devices.iter().for_each(|d| d.lost.hash(&mut h));
    }
    h.finish()
}

/// One open incident as a card.
pub fn incident(i: &IncidentView, view: &View, catalogue: &Catalogue) -> Incident {
    let entry = catalogue.get(&i.rule);
    let words = |w: &crate::engine::rules::Words| Text::new(w.zh.clone(), w.en.clone());
    let about = i.place.device.as_ref().or(i.trigger.as_ref().map(|t| &t.device));
    Incident {
        id: i.id.as_str().to_owned(),
        sequence: i.sequence,
        hazard: i.hazard.as_str().to_owned(),
        title: entry.map(|e| words(&e.title)).unwrap_or_default(),
        advice: entry.map(|e| words(&e.advice)).unwrap_or_default(),
        place: zone_name(&i.place.zone, view).to_owned(),
        device: about.map(|d| device_name(d, view)),
        severity: i.severity,
        basis: i.basis,
        state: i.state,
        opened_at: i.opened_at,
        changed_at: i.changed_at,
        trigger: reading(i.trigger.as_ref()),
        activations: u64::from(i.activations),
        cancellable: i.cancellable,
        acknowledged_by: None,
        affected: i.affected.iter().map(|(d, z)| format!("{} · {}", zone_name(z, view), device_name(d, view))).collect(),
        life: life(i, view),
    }
}

pub fn reading(trigger: Option<&Trigger>) -> Option<(Quantity, tuoan_protocol::Fixed)> {
    trigger.and_then(|t| t.reading.clone())
}

/// Its owner's name for it, else its id.
pub fn device_name(id: &DeviceId, view: &View) -> String {
    let all = view.zones.iter().flat_map(|z| &z.devices).chain(&view.unplaced);
    if let Some(name) = all.into_iter().find(|d| d.id == *id).and_then(|d| d.name.clone()) {
        return name;
    }
    // What the gateway itself says of a zone goes by the zone's name.
    let zone = id.as_str().split_once('.').filter(|(who, _)| matches!(*who, "vision" | "estimate")).map(|(_, zone)| zone);
    zone.and_then(|id| view.zones.iter().find(|z| z.id.as_str() == id)).map_or_else(|| id.as_str().to_owned(), |z| z.name.clone())
}

/// Its owner's name for it, else its id.
pub fn zone_name<'a>(id: &'a ZoneId, view: &'a View) -> &'a str {
    let nowhere = || if id.as_str() == UNPLACED_ZONE { tuoan_dashboards::lang::unplaced() } else { id.as_str() };
    view.zones.iter().find(|z| z.id == *id).map_or_else(nowhere, |z| &z.name)
}

fn zone(z: &ZoneView, view: &View) -> page::Zone {
    let told = |i: &&IncidentView| is_for_people(i) && i.state.inhibited.is_none();
    let here = || view.incidents.iter().filter(|i| i.place.zone == z.id && !i.state.closed);
    page::Zone {
        id: z.id.as_str().to_owned(),
        name: z.name.clone(),
        kind: kind(z.kind),
        phase: phase(z.phase),
        sensors: z.sensors.iter().filter(|s| is_shown(s)).map(|s| sensor(s, here())).collect(),
        devices: z.devices.iter().map(|d| page::Device { out: standing_of(Scope::Device(d.id.clone()), view), ..device(d) }).collect(),
        not_watched: z.not_watched,
        eyes: z.eyes.and_then(eyes),
        cameras: z.eyes.filter(|e| e.cameras > 0).map(|e| (e.live, e.cameras)),
        worst: here().filter(told).filter(|i| i.state.active || !i.state.acknowledged).map(|i| i.severity).min(),
        maintained: standing_of(Scope::Zone(z.id.clone()), view),
        form: None,
    }
}

fn standing_of(scope: Scope, view: &View) -> Option<alarm::Until> {
    forms::standing(view, &scope).map(until)
}

/// What is lacking for the zone to be seen.
fn eyes(e: EyesView) -> Option<&'static str> {
    match e {
        EyesView { live: 0, .. } => Some("blind"),
        EyesView { child_rules: false, .. } => Some("uncalibrated"),
        _ => None,
    }
}

/// The upkeep of a device is not the state of a room; and of the many things that a camera looks for, those that are there are enough.
fn is_shown(s: &SensorView) -> bool {
    use Quantity as Q;
    match s.quantity {
        Q::Battery | Q::BatteryVoltage | Q::LinkQuality | Q::SignalStrength | Q::Energy => false,
        Q::Unattended | Q::Fallen | Q::Climbing | Q::Intrusion | Q::Prone | Q::FaceCovered => s.value.0 != 0,
        Q::NapUnseen | Q::EBike | Q::Crowded | Q::CountCapped | Q::CarersMissing => s.value.0 != 0,
        ref q if BLINDNESS.contains(q) => s.value.0 != 0,
        _ => true,
    }
}

fn sensor<'a>(s: &SensorView, mut here: impl Iterator<Item = &'a IncidentView>) -> page::Sensor {
    // A door is a hazard only when a rule says so; a sounding detector always is.
    let sounding = s.quantity.kind() == Kind::Hazard && s.quantity != Quantity::Open && s.value.0 == 1;
    let rests_on_it = |i: &IncidentView| {
        i.state.active && i.trigger.as_ref().is_some_and(|t| t.device == s.device && t.reading.as_ref().is_some_and(|r| r.0 == s.quantity))
    };
    page::Sensor {
        device: s.device.as_str().to_owned(),
        quantity: s.quantity.clone(),
        channel: s.channel,
        value: s.value,
        at: s.at,
        freshness: match s.freshness {
            Freshness::Fresh => page::Freshness::Fresh,
            Freshness::Late => page::Freshness::Late,
            Freshness::Lost { since } => page::Freshness::Lost { since },
        },
        alarming: sounding || here.any(rests_on_it),
        doubt: doubt(&s.quality),
        uncertainty_ms: s.uncertainty_ms,
    }
}

/// What speaks most against a value.
fn doubt(q: &Quality) -> Option<&'static str> {
    match q {
        Quality { implausible: true, .. } => Some("implausible"),
        Quality { flat: true, .. } => Some("flat"),
        Quality { drifting: true, .. } => Some("drifting"),
        _ => None,
    }
}

fn period_by(by: PeriodBy) -> &'static str {
    match by {
        PeriodBy::Site => "site",
        PeriodBy::Device => "device",
        PeriodBy::Learned => "learned",
    }
}

fn device(d: &DeviceView) -> page::Device {
    page::Device {
        id: d.id.as_str().to_owned(),
        name: d.name.clone(),
        make: d.make.clone(),
        model: d.model.clone(),
        battery: d.battery.map(|b| b.0),
        last_heard: d.last_heard,
        lost: d.lost,
        upkeep: page::Upkeep {
            firmware: d.firmware.clone(),
            hardware: d.hardware.clone(),
            started: d.started.clone(),
            resets: d.resets.each().into_iter().filter(|(_, n)| *n > 0).map(|(reason, n)| (reason, n.into())).collect(),
            quantities: d.quantities.clone(),
            period: d.period_ms.zip(d.period_by.map(period_by)),
            clock: d.clock.map(|c| (c.ms, c.band_ms)),
            battery_days: d.forecast.map(|f| (f.days.into(), f.at_least.into(), f.at_most.map(u64::from))),
            duplicate: d.counts.duplicate.into(),
            late: d.counts.late.into(),
            implausible: d.counts.implausible.into(),
            via: d.via.as_ref().map(|v| v.as_str().to_owned()),
        },
        out: None,
        form: None,
    }
}

/// Lanes of one sink together.
pub fn sinks(lanes: &[DeliveryStatus]) -> Vec<page::Sink> {
    let mut out: Vec<page::Sink> = Vec::new();
    for lane in lanes {
        let at = match out.iter().position(|s| s.name == lane.sink) {
            Some(at) => at,
            None => {
                out.push(page::Sink { name: lane.sink.to_owned(), ..page::Sink::default() });
                out.len() - 1
            }
        };
        let Some(sink) = out.get_mut(at) else { continue };
        match lane.lane {
            Lane::Alerts => sink.alerts = sink.alerts.saturating_add(lane.queue_messages),
            Lane::Metrics => sink.metrics = sink.metrics.saturating_add(lane.queue_messages),
        }
        if lane.queue_bytes > 0 {
            sink.bytes = Some(sink.bytes.unwrap_or(0).saturating_add(lane.queue_bytes));
        }
        sink.hours_left = match (sink.hours_left, lane.hours_left) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        sink.overtaken = sink.overtaken.saturating_add(lane.overtaken);
        sink.lost = sink.lost.saturating_add(lane.lost);
        sink.short |= lane.is_short();
        if lane.state != LaneState::Flowing && sink.failing.is_none() {
            sink.failing = Some(lane.last_error.clone().unwrap_or_default());
        }
        sink.set_aside = sink.set_aside.saturating_add(lane.set_aside);
    }
    out
}

pub fn kind(kind: ZoneKind) -> &'static str {
    match kind {
        ZoneKind::Activity => "activity",
        ZoneKind::Nap => "nap",
        ZoneKind::Corridor => "corridor",
        ZoneKind::Washroom => "washroom",
        ZoneKind::Changing => "changing",
        ZoneKind::Nursing => "nursing",
        ZoneKind::Kitchen => "kitchen",
        ZoneKind::Exit => "exit",
        ZoneKind::StairsGate => "stairs_gate",
        ZoneKind::Yard => "yard",
        ZoneKind::Office => "office",
        ZoneKind::Power => "power",
        ZoneKind::Storage => "storage",
    }
}

pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Care => "care",
        Phase::DropOff => "drop_off",
        Phase::Nap => "nap",
        Phase::Collection => "collection",
        Phase::Staff => "staff",
        Phase::Closed => "closed",
    }
}

pub fn institution(i: InstitutionType) -> &'static str {
    match i {
        InstitutionType::Public => "public",
        InstitutionType::Employer => "employer",
        InstitutionType::Community => "community",
        InstitutionType::Private => "private",
        InstitutionType::Kindergarten => "kindergarten",
        InstitutionType::Station => "station",
    }
}

pub fn supervisor(s: SupervisingBody) -> &'static str {
    match s {
        SupervisingBody::Health => "health",
        SupervisingBody::Education => "education",
        SupervisingBody::Township => "township",
        SupervisingBody::Union => "union",
        SupervisingBody::CivilAffairs => "civil_affairs",
    }
}

fn override_state(state: OverrideState) -> &'static str {
    match state {
        OverrideState::Coming => "coming",
        OverrideState::InForce => "in_force",
        OverrideState::Expired => "expired",
    }
}

fn standing_json(s: &StandingView) -> Value {
    let (kind, hazard, place) = match &s.scope {
        Scope::Alarm((hazard, place)) => ("shelved", Some(hazard), json!(place)),
        Scope::Zone(zone) => ("suppressed", None, json!({"zone": zone})),
        Scope::Device(device) => ("out_of_service", None, json!({"device": device})),
    };
    json!({"kind": kind, "hazard": hazard, "place": place, "since": s.since, "until": s.until, "by": s.by, "why": s.why})
}

/// The view for scripts: names as on the wire, values as numbers in their units.
pub fn json(view: &View) -> Value {
    let device = |d: &DeviceView| {
        json!({"id": d.id, "name": d.name, "make": d.make, "model": d.model, "battery": d.battery.map(|b| b.0),
            "firmware": d.firmware, "hardware": d.hardware,
            "started": d.started.as_ref().map(|(reason, at)| json!({"reason": reason, "at": at})),
            "resets": d.resets.each().into_iter().map(|(reason, n)| (reason.to_owned(), json!(n))).collect::<serde_json::Map<_, _>>(),
            "last_heard": d.last_heard, "lost": d.lost, "quantities": d.quantities, "via": d.via,
            "period_ms": d.period_ms, "period_by": d.period_by.map(period_by),
            "clock": d.clock.map(|c| json!({"offset_ms": c.ms, "band_ms": c.band_ms})),
            "battery_days": d.forecast.map(|f| json!({"days": f.days, "at_least": f.at_least, "at_most": f.at_most})),
            "duplicate": d.counts.duplicate, "late": d.counts.late, "implausible": d.counts.implausible})
    };
    let sensor = |s: &SensorView| {
        let (freshness, since) = match s.freshness {
            Freshness::Fresh => ("fresh", None),
            Freshness::Late => ("late", None),
            Freshness::Lost { since } => ("lost", Some(since)),
        };
        json!({"device": s.device, "quantity": s.quantity, "channel": s.channel, "value": s.quantity.float(s.value),
            "unit": s.quantity.unit(), "at": s.at, "freshness": freshness, "since": since,
            "doubt": doubt(&s.quality), "uncertainty_ms": s.uncertainty_ms})
    };
    json!({
        "version": view.version,
        "now": view.now,
        "clock_trusted": view.clock_trusted,
        "detectors": {"watched": view.watched, "without": view.unwatched},
        "zones": view.zones.iter().map(|z| json!({
            "id": z.id, "name": z.name, "kind": kind(z.kind), "phase": phase(z.phase), "not_watched": z.not_watched,
            "swept": z.swept,
            "eyes": z.eyes.map(|e| json!({"cameras": e.cameras, "live": e.live, "child_rules": e.child_rules})),
            "sensors": z.sensors.iter().map(sensor).collect::<Vec<_>>(),
            "devices": z.devices.iter().map(device).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "cameras": view.cameras.iter().map(|c| json!({
            "device": c.device, "name": c.name, "zone": c.zone, "zones": c.zones, "last_heard": c.last_heard, "live": c.live,
            "blind": c.blind.iter().map(|(q, since)| json!({"kind": q, "since": since})).collect::<Vec<_>>(),
            "calibrated": c.calibrated, "child_rules": c.child_rules(),
        })).collect::<Vec<_>>(),
        "incidents": view.incidents.iter().map(|i| json!({
            "id": i.id, "hazard": i.hazard, "place": i.place, "zone_name": i.zone_name, "severity": i.severity, "basis": i.basis,
            "state": i.state, "opened_at": i.opened_at, "changed_at": i.changed_at, "rule": i.rule, "activations": i.activations,
            "sequence": i.sequence, "assignee": i.assignee, "resolved": i.resolved, "chattering": i.chattering, "exercise": i.exercise,
            "until": i.until, "affected": i.affected.iter().map(|(d, z)| json!({"device": d, "zone": z})).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "standings": view.standings.iter().map(standing_json).collect::<Vec<_>>(),
        "drill": view.drill.as_ref().map(|d| json!({
            "hazard": d.hazard, "zone": d.zone, "since": d.since, "until": d.until, "by": d.by,
        })),
        "people": view.people.iter().map(|(id, name, rung)| json!({"id": id, "name": name, "role": rung})).collect::<Vec<_>>(),
        "overrides": view.overrides.iter().map(|o| json!({
            "rule": o.set.rule, "reason": o.set.reason, "author": o.set.author, "from": o.set.from, "expires": o.set.expires,
            "fields": o.set.fields(), "state": override_state(o.state), "held_back": o.held_back, "held_back_at": o.held_back_at,
            "held_back_now": o.held_back_now,
        })).collect::<Vec<_>>(),
        "unplaced": view.unplaced.iter().map(device).collect::<Vec<_>>(),
    })
}
