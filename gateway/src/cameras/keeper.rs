//! Follows the incident log, and sees to it that pictures of what happened are kept and those whose time is over are not.
//!
//! Severity 1 and 2 only: a child's picture is not kept because the air is stale, nor where it was. What must hold: it only reads what is committed and never makes
//! anybody wait; a deletion is in the log before it is done.
use super::Pictures;
use super::access::{Logged, record};
use super::looks::Chronicle;
use super::store::Stills;
use crate::clock::Clock;
use crate::engine::input::{PictureAct, PictureDeed};
use crate::engine::view::View;
use crate::pipeline::Handle;
use crate::store::{LookLimits, Reader};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tuoan_protocol::{DeviceId, IncidentEvent, IncidentId, Severity, Transition, ZoneId};
use tuoan_vision::setup;

/// The ring is asked this often while an incident is being collected: well within what it holds.
const PACE: Duration = Duration::from_secs(5);
/// Old evidence is looked for this often, in paces.
const CLEAN: u32 = 12;
/// Events read at once.
const EVENTS: usize = 256;
/// As this one the gateway stands in the log.
const SELF: &str = "tuoan";
/// Its pictures are kept until somebody releases them: it is a report about a person, who may not make them go.
const HELD: &str = "concern.report";

pub struct Keeper {
    pub pictures: Pictures,
    pub handle: Handle,
    pub clock: Clock,
}

impl Keeper {
    /// Until `shutdown`; then once more.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut committed = self.handle.committed.clone();
        // What was opened shortly before a start is still to be collected.
        let mut done = committed.borrow_and_update().sequence.saturating_sub(EVENTS as u64);
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut turn, mut trouble, mut chronicle) = (0u32, None, Chronicle::default());
        loop {
            let stopping = tokio::select! {
                () = shutdown.cancelled() => true,
                _ = pace.tick() => false,
                changed = committed.changed() => {
                    if changed.is_ok() && committed.borrow_and_update().sequence <= done { continue }
                    changed.is_err()
                }
            };
            done = self.follow(done, &mut chronicle).await;
            self.collect(&mut trouble).await;
            self.write_looks(&mut chronicle, stopping);
            if turn.is_multiple_of(CLEAN) && !stopping {
                self.clean().await;
            }
            turn = turn.wrapping_add(1);
            if stopping {
                return;
            }
        }
    }

    /// Takes note of what has been opened; up to which event.
    async fn follow(&self, done: u64, chronicle: &mut Chronicle) -> u64 {
        let reader = self.handle.reader.clone();
        let events = match tokio::task::spawn_blocking(move || reader.events_after(done, EVENTS)).await {
            Ok(Ok(events)) => events,
            Ok(Err(e)) => {
                tracing::warn!("pictures of new incidents are not asked for now: {e}");
                return done;
            }
            Err(_) => return done,
        };
        let now = self.clock.utc_ms();
        let mut last = done;
        for stored in &events {
            last = last.max(stored.sequence);
            let Ok(event) = &stored.event else { continue };
            if wanted(event) && event.at.abs_diff(now) <= super::evidence::AFTER_MS as u64 {
                self.begin(event, now);
            }
            self.chronicle(event, now, chronicle).await;
        }
        last
    }

    fn begin(&self, event: &IncidentEvent, now: i64) {
        let view = self.handle.view.borrow().clone();
        let setups = self.pictures.live.setups().borrow().clone();
        let cameras = concerned(&view, &setups, event);
        let held = event.hazard.as_str() == HELD;
        if let Some(stills) = &self.pictures.stills {
            stills.ask(&event.incident, &cameras, now);
        }
        if let Some(evidence) = &self.pictures.evidence {
            evidence.begin(&event.incident, event.place.zone.as_str(), cameras, event.at, held);
        }
    }

    /// What the looks find goes on record from here on, or until here.
    async fn chronicle(&self, event: &IncidentEvent, now: i64, chronicle: &mut Chronicle) {
        if self.pictures.looks_kept.0 > 0 && self.to_follow(event, now) {
            let view = self.handle.view.borrow().clone();
            let setups = self.pictures.live.setups().borrow().clone();
            let cameras = concerned(&view, &setups, event);
            let (reader, incident) = (self.handle.reader.clone(), event.incident.clone());
            let recorded = tokio::task::spawn_blocking(move || reader.looks_recorded(incident.as_str())).await;
            let recorded = recorded.ok().and_then(Result::ok).unwrap_or_default().into_iter();
            let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            let recorded = recorded.filter_map(|(c, to, looks, bytes)| Some((DeviceId::new(&c).ok()?, (to, size(looks), size(bytes)))));
            chronicle.begin(&event.incident, (&event.site, &event.log), cameras, event.at, recorded.collect());
        }
        chronicle.heard(&event.incident, event.state.active, event.at);
    }

    /// One that began a moment ago, or before a start and still lasts.
    fn to_follow(&self, event: &IncidentEvent, now: i64) -> bool {
        let lasts = |id: &IncidentId| self.handle.view.borrow().incidents.iter().any(|i| i.id == *id && i.state.active);
        wanted(event) && (event.at.abs_diff(now) <= super::looks::AFTER_MS as u64 || lasts(&event.incident))
    }

    /// What cannot be taken now is tried again with the next call.
    fn write_looks(&self, chronicle: &mut Chronicle, stopping: bool) {
        let now = self.clock.utc_ms();
        chronicle.collect(now, &self.pictures.looks, stopping, |piece| self.handle.ops.looks(piece.clone()).is_ok());
        self.pictures.looks.expire(now);
    }

    /// Seals; a trouble is said once, and again when it is another.
    async fn collect(&self, trouble: &mut Option<String>) {
        let (pictures, now) = (self.pictures.clone(), self.clock.utc_ms());
        let worked = tokio::task::spawn_blocking(move || {
            let collected = pictures.evidence.map_or(Ok(()), |e| e.collect(now, &pictures.ring));
            pictures.ring.expire(now);
            collected.err().map(|e| e.to_string())
        });
        let failed = worked.await.unwrap_or_else(|e| Some(e.to_string()));
        if failed != *trouble {
            match &failed {
                Some(why) => tracing::error!("pictures of an incident are not kept: {why}"),
                None => tracing::info!("pictures of incidents are kept again"),
            }
            *trouble = failed;
        }
        let Some(evidence) = &self.pictures.evidence else { return };
        let (counts, metrics) = (&evidence.counts, &self.handle.metrics);
        for (counted, metric) in [
            (&counts.sealed, &metrics.evidence_sealed),
            (&counts.failed, &metrics.evidence_failed),
            (&counts.deleted, &metrics.evidence_deleted),
        ] {
            metric.inc_by(counted.load(Ordering::Relaxed).saturating_sub(metric.get()));
        }
        metrics.evidence_bytes.set(i64::try_from(evidence.used().0).unwrap_or(i64::MAX));
    }

    /// Deletes what is due, each after it stands in the log.
    async fn clean(&self) {
        let (now, trusted) = (self.clock.utc_ms(), self.handle.view.borrow().clock_trusted);
        let (bytes, keep_ms) = self.pictures.looks_kept;
        let limits = LookLimits { before: trusted.then(|| now.saturating_sub(keep_ms)), bytes, utc: now };
        if self.handle.ops.expire_looks(limits).is_err() {
            tracing::debug!("what looks found is not looked through for what is too old: the store is busy");
        }
        // What the ring holds may be sealed next.
        let coming = self.pictures.ring.room() as u64;
        if let Some(stills) = self.pictures.stills.clone() {
            self.clean_stills(&stills, now, trusted).await;
        }
        let Some(evidence) = &self.pictures.evidence else { return };
        for (incident, why) in evidence.due(now, trusted, coming) {
            let deed =
                PictureDeed { what: PictureAct::Delete, camera: None, incident: Some(incident.clone()), reason: why.text().to_owned() };
            let deleted = match record(&self.handle.control, SELF, deed).await {
                Ok(logged) => {
                    let evidence = evidence.clone();
                    tokio::task::spawn_blocking(move || evidence.delete(&incident, logged)).await.unwrap_or(Ok(()))
                }
                Err(e) => Err(std::io::Error::other(e)),
            };
            if let Err(e) = deleted {
                tracing::warn!("old evidence is not deleted now: {e}");
                return;
            }
        }
    }
}

impl Keeper {
    async fn clean_stills(&self, stills: &Arc<Stills>, now: i64, trusted: bool) {
        let (all, reader) = (stills.clone(), self.handle.reader.clone());
        let held = move |incident: &IncidentId| is_held(&reader, incident);
        let due = tokio::task::spawn_blocking(move || all.due(now, trusted, held)).await.unwrap_or_default();
        for (incident, why) in due {
            let reason = format!("blurred stills: {}", why.text());
            let deed = PictureDeed { what: PictureAct::Delete, camera: None, incident: Some(incident.clone()), reason };
            let deleted = match record(&self.handle.control, SELF, deed).await {
                Ok(logged) => {
                    let (stills, reader) = (stills.clone(), self.handle.reader.clone());
                    // Somebody may hold it since it was asked for.
                    let delete = move || if is_held(&reader, &incident) { Ok(()) } else { stills.delete(&incident, logged) };
                    tokio::task::spawn_blocking(delete).await.unwrap_or(Ok(()))
                }
                Err(e) => Err(std::io::Error::other(e)),
            };
            if let Err(e) = deleted {
                tracing::warn!("old stills are not deleted now: {e}");
                return;
            }
        }
    }
}

/// Somebody holds it, or it is a report of concern that nobody has released. When the store does not say, nothing is deleted.
fn is_held(reader: &Reader, incident: &IncidentId) -> bool {
    match Logged::of_hold(reader, incident) {
        Ok(Some((held, _))) => held,
        Ok(None) => reader.incident(incident.as_str()).map_or(true, |row| row.is_some_and(|r| r.hazard.as_str() == HELD)),
        Err(_) => true,
    }
}

/// Whether pictures are kept of it.
fn wanted(event: &IncidentEvent) -> bool {
    matches!(event.transition, Transition::Opened | Transition::Raised) && event.severity <= Severity::Serious
}

/// The cameras that show the place: by an area, by where they hang, or because it is about them.
fn concerned(view: &View, setups: &[setup::Camera], event: &IncidentEvent) -> Vec<DeviceId> {
    let hangs_in =
        |device: &str, zone: &ZoneId| view.zones.iter().any(|z| z.id == *zone && z.devices.iter().any(|d| d.id.as_str() == device));
    let about = |device: &str| event.place.device.as_ref().is_some_and(|d| d.as_str() == device);
    let zone = &event.place.zone;
    let shows = |c: &&setup::Camera| {
        about(&c.device) || c.areas.iter().any(|a| a.zone.as_deref() == Some(zone.as_str())) || hangs_in(&c.device, zone)
    };
    setups.iter().filter(shows).filter_map(|c| DeviceId::new(&c.device).ok()).collect()
}
