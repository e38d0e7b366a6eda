//! Builds the [`View`].
use super::compiled::{Slot, is_own};
use super::coverage::ledger::ZoneLedger;
use super::detect::{Hold, anomaly, flat, silence};
use super::device::{Device, Value};
use super::eyes::{BLINDNESS, takes_sight};
use super::incident::Incident;
use super::input::EngineMs;
use super::quality::limits;
use super::rules::{Kind, Latch};
use super::schedule::Phase;
use super::site::{Site, ZoneKind};
use super::standing::Scope;
use super::state::State;
use super::view::{
    CameraView, CommissioningView, CoverageView, DeviceView, DrillView, EyesView, Freshness, IncidentView, OverrideState, OverrideView,
    Quality, SensorView, StandingView, View, ZoneCoverageView, ZoneView,
};
use tuoan_protocol::{DeviceId, Quantity, ZoneId};
use tuoan_vision::setup::Camera;

/// A number of a device of unknown habit counts as late after this.
const LATE_UNKNOWN_MS: i64 = 60 * 60_000;

impl State {
    /// What a page shows at engine time `now`.
    pub fn view(&self, now: EngineMs) -> View {
        let mut view = View {
            version: self.position.wrapping_add(self.sequence),
            position: self.position,
            sequence: self.sequence,
            now: self.utc(now),
            clock_trusted: self.trusted,
            ..View::default()
        };
        let Some(c) = &self.configuration else {
            view.unplaced = self.devices.iter().map(|(id, d)| self.device_view(id, d, None)).collect();
            return view;
        };
        view.cameras = c.site.cameras.iter().filter_map(|camera| self.camera_view(&c.site, camera)).collect();
        for (i, zone) in c.site.zones.iter().enumerate() {
            let mut z = ZoneView {
                id: zone.id.clone(),
                name: zone.name.clone(),
                kind: zone.kind,
                phase: self.zones.get(i).map_or(Phase::Care, |z| z.phase),
                phase_since: self.zones.get(i).map_or(0, |z| self.utc(z.phase_since)),
                occupied: self.zones.get(i).is_some_and(|z| z.occupied),
                sensors: Vec::new(),
                devices: Vec::new(),
                eyes: eyes(&view.cameras, &zone.id),
                not_watched: zone.kind == ZoneKind::Exit,
                swept: self.zones.get(i).and_then(|z| z.swept).map(|at| self.utc(at)),
            };
            for id in self.compiled.zones.get(i).into_iter().flat_map(|z| &z.devices) {
                let (Some(device), Some(slot)) = (self.devices.get(id), self.compiled.slot(self.compiled.slot_of(id))) else { continue };
                let mut dv = self.device_view(id, device, Some(slot));
                dv.name = c.site.devices.iter().find(|p| p.id == *id).and_then(|p| p.name.clone()).or(dv.name);
                z.devices.push(dv);
                for ((quantity, channel), v) in &device.values {
                    let freshness = self.freshness(device, slot, quantity, v, now);
                    let lost = matches!(freshness, Freshness::Lost { .. });
                    if *quantity == Quantity::Adults && !lost {
                        z.not_watched = false;
                    }
                    z.sensors.push(SensorView {
                        device: id.clone(),
                        quantity: quantity.clone(),
                        channel: *channel,
                        value: v.value,
                        at: v.sampled.saturating_add(i64::from(v.shift)),
                        freshness,
                        quality: self.quality(device, slot, quantity, v),
                        uncertainty_ms: device.clock.offset(v.at).map(|o| o.band_ms),
                    });
                }
            }
            view.zones.push(z);
        }
        view.unplaced = self
            .devices
            .iter()
            .filter(|(id, _)| !self.compiled.by_device.contains_key(*id) && !is_own(id))
            .map(|(id, d)| self.device_view(id, d, None))
            .collect();
        view.watched = self.watched;
        view.unwatched = self.unwatched();
        view.incidents = self
            .incidents
            .iter()
            .filter(|(_, i)| i.within.is_none())
            .map(|((hazard, place), i)| IncidentView {
                id: i.id.clone(),
                hazard: hazard.clone(),
                place: place.clone(),
                zone_name: c.site.zones.iter().find(|z| z.id == place.zone).map_or_else(|| place.zone.to_string(), |z| z.name.clone()),
                severity: i.severity,
                basis: i.basis,
                state: i.state(false),
                opened_at: i.opened_at,
                changed_at: i.changed_at,
                rule: i.rule.clone(),
                trigger: i.trigger.clone(),
                activations: i.activations,
                cancellable: i.findings.keys().any(|f| self.compiled.rule(f.0).is_some_and(|r| r.latch.contains(&Latch::Cancel))),
                sequence: i.sequence,
                assignee: i.assignee.as_ref().map(|(who, _)| who.clone()),
                resolved: i.resolved.map(|(cause, _)| cause),
                chattering: i.chattering,
                exercise: i.exercise,
                until: self.standings.get(&Scope::Alarm((hazard.clone(), place.clone()))).map(|s| self.utc(s.until)),
                affected: self.affected(i),
            })
            .collect();
        let coverage = |z: &ZoneLedger| ZoneCoverageView { zone: z.zone.clone(), run: z.run.clone(), now: z.now };
        let zones = self.ledger.zones.iter().map(coverage).collect();
        view.coverage = CoverageView { date: self.ledger.day, minutes: self.ledger.told, zones };
        view.standings = self
            .standings
            .iter()
            .map(|(scope, s)| StandingView {
                scope: scope.clone(),
                since: self.utc(s.since),
                until: self.utc(s.until),
                by: s.by.clone(),
                why: s.why.clone(),
            })
            .collect();
        view.drill = self.drill.as_ref().map(|d| DrillView {
            hazard: d.hazard.clone(),
            zone: d.zone.clone(),
            since: self.utc(d.since),
            until: self.utc(d.until),
            by: d.by.clone(),
        });
        view.commissioning = self.commissioning.as_ref().map(|c| CommissioningView {
            since: self.utc(c.since),
            until: self.utc(c.until),
            by: c.by.clone(),
            proofs: c.proofs.iter().map(|(d, until)| (d.clone(), self.utc(*until))).collect(),
        });
        view.people = c.site.people.iter().map(|p| (p.id.clone(), p.name.clone(), p.role)).collect();
        view.classes = c.site.classes.iter().map(|c| (c.id.clone(), c.name.clone())).collect();
        view.overrides = c
            .site
            .overrides
            .iter()
            .map(|o| {
                let state = if o.holds_on(self.day) {
                    OverrideState::InForce
                } else if o.is_over(self.day) {
                    OverrideState::Expired
                } else {
                    OverrideState::Coming
                };
                let held = self.held_back.get(&o.rule).filter(|_| state == OverrideState::InForce);
                OverrideView {
                    set: o.clone(),
                    state,
                    by_page: c.set.contains(o),
                    held_back: held.map_or(0, |h| h.times),
                    held_back_at: held.map(|h| h.last),
                    held_back_now: held.map(|h| self.held_back_now(h)).unwrap_or_default(),
                }
            })
            .collect();
        view.incidents.sort_by(|a, b| (a.severity, a.basis, a.opened_at, &a.id).cmp(&(b.severity, b.basis, b.opened_at, &b.id)));
        view
    }

    fn camera_view(&self, site: &Site, camera: &Camera) -> Option<CameraView> {
        let placed = site.devices.iter().find(|d| d.id.as_str() == camera.device)?;
        let device = self.devices.get(&placed.id);
        let says = |q: &Quantity| device?.value(q, 0).filter(|v| v.value.0 == 1 && v.unknown_since.is_none());
        let blind: Vec<(Quantity, i64)> = BLINDNESS.iter().filter_map(|q| Some((q.clone(), self.utc(says(q)?.since)))).collect();
        let heard = device.is_some_and(|d| d.last_heard.is_some() && !d.silent);
        Some(CameraView {
            device: placed.id.clone(),
            name: placed.name.clone(),
            zone: placed.zone.clone(),
            zones: site.zones_of(camera).map(|z| z.id.clone()).collect(),
            last_heard: device.and_then(|d| d.last_heard).map(|t| self.utc(t)),
            live: heard && !blind.iter().any(|(q, _)| takes_sight(q)),
            blind,
            calibrated: camera.floor.is_some(),
        })
    }

    /// Numbers that the learned detector would watch if there were room: the limit is reached only where no detector is to be had.
    fn unwatched(&self) -> usize {
        if self.watched < anomaly::MOST {
            return 0;
        }
        let numbers =
            self.devices.iter().filter(|(_, d)| self.compiled.slot(d.slot).is_some_and(|s| s.zone.is_some())).flat_map(|(_, d)| &d.values);
        let watchable = |q: &Quantity| limits::habits(q).is_none_or(|h| h.watched);
        numbers.filter(|((q, _), v)| watchable(q) && v.series.as_ref().is_some_and(|s| s.watch.is_none())).count()
    }

    /// Who is silent because of a hub.
    fn affected(&self, incident: &Incident) -> Vec<(DeviceId, ZoneId)> {
        let hub = incident.findings.keys().find(|f| {
            self.compiled.rule(f.0).is_some_and(|r| {
                r.kind == Kind::Hub || f.1.as_ref().is_some_and(|d| self.devices.get(d).is_some_and(|d| d.under.is_some()))
            })
        });
        let others =
            incident.findings.keys().filter(|_| hub.is_some()).filter(|f| self.compiled.rule(f.0).is_some_and(|r| r.kind != Kind::Hub));
        others.filter_map(|f| Some((f.1.clone()?, self.compiled.slot(self.devices.get(f.1.as_ref()?)?.slot)?.zone_id.clone()))).collect()
    }

    fn device_view(&self, id: &DeviceId, d: &Device, slot: Option<&Slot>) -> DeviceView {
        let reported = || {
            let mut all: Vec<Quantity> = d.values.keys().map(|(q, _)| q.clone()).collect();
            all.dedup();
            all
        };
        let rule = slot.and_then(|s| s.silence).and_then(|r| self.compiled.rule(r));
        DeviceView {
            id: id.clone(),
            name: d.info.name.clone(),
            make: d.info.make.clone(),
            model: d.info.model.clone(),
            battery: d.value(&Quantity::Battery, 0).map(|v| v.value),
            last_heard: d.last_heard.map(|t| self.utc(t)),
            lost: d.silent,
            role: slot.map(|s| s.role),
            period_ms: silence::period(d, slot),
            supervised: slot.zip(rule).is_some_and(|(s, r)| silence::period(d, Some(s)).is_some_and(|p| p <= r.max_period)),
            tested_at: d.tested.map(|t| self.utc(t)),
            period_by: silence::period_by(d, slot).map(|p| p.1),
            firmware: d.info.firmware.clone(),
            hardware: d.info.hardware.clone(),
            started: d.info.start.as_ref().and_then(|s| s.reason.clone()).zip(d.started.map(|t| self.utc(t))),
            resets: d.resets,
            quantities: if d.info.quantities.is_empty() { reported() } else { d.info.quantities.clone() },
            via: slot.and_then(|s| s.via.clone()).or_else(|| d.info.via.clone()),
            under: d.under.clone(),
            clock: d.clock.offset(self.now),
            counts: d.counts,
            forecast: [Quantity::Battery, Quantity::BatteryVoltage]
                .iter()
                .find_map(|q| d.value(q, 0)?.series.as_ref()?.battery.as_ref()?.forecast),
        }
    }

    /// Whether a rule of quality of that kind holds for the device.
    pub(super) fn holds(&self, d: &Device, slot: &Slot, kind: Kind) -> bool {
        let of_kind = |i: &&u16| self.compiled.rule(**i).is_some_and(|r| r.kind == kind);
        slot.quality.iter().filter(of_kind).any(|i| d.tracks.get(&(*i, 0)).is_some_and(|t| t.hold == Hold::On))
    }

    pub(super) fn quality(&self, d: &Device, slot: &Slot, quantity: &Quantity, v: &Value) -> Quality {
        let Some(s) = v.series.as_deref() else { return Quality { implausible: v.implausible, ..Quality::default() } };
        Quality {
            implausible: v.implausible,
            flat: self.holds(d, slot, Kind::Flat) && flat::judge(quantity, s, self.now).0,
            drifting: self.holds(d, slot, Kind::Drift) && s.neighbour.as_ref().is_some_and(|n| n.is_away()),
        }
    }

    pub(super) fn freshness(&self, d: &Device, slot: &Slot, quantity: &Quantity, v: &Value, now: EngineMs) -> Freshness {
        let heard = d.last_heard.unwrap_or(v.at);
        if let Some(since) = v.unknown_since {
            return Freshness::Lost { since: self.utc(since) };
        }
        if d.silent {
            return Freshness::Lost { since: self.utc(heard) };
        }
        // Nothing but impossible values: it is there, and sees nothing.
        if let Some(s) = v.series.as_deref().filter(|s| s.bad > 0)
            && self.holds(d, slot, Kind::Implausible)
        {
            return Freshness::Lost { since: self.utc(s.bad_since) };
        }
        // A state stands until the device says otherwise, as long as the device speaks at all; a number is as old as it is.
        let base = if quantity.is_state() { heard } else { v.at };
        let age = now.saturating_sub(base);
        match silence::period(d, Some(slot)) {
            Some(p) if age >= p.saturating_mul(3) => Freshness::Lost { since: self.utc(base) },
            Some(p) if age > p.saturating_add(p / 2) => Freshness::Late,
            None if !quantity.is_state() && age > LATE_UNKNOWN_MS => Freshness::Late,
            _ => Freshness::Fresh,
        }
    }
}

/// How far a zone is seen by the cameras that show it.
fn eyes(cameras: &[CameraView], zone: &ZoneId) -> Option<EyesView> {
    let here = || cameras.iter().filter(|c| c.zones.contains(zone));
    let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let cameras = count(here().count());
    (cameras > 0).then(|| EyesView {
        cameras,
        live: count(here().filter(|c| c.live).count()),
        child_rules: here().any(CameraView::child_rules),
    })
}
