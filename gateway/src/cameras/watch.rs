//! The watch over all cameras: each accepted frame is decoded once and checked for blindness; what has moved is looked at by the models in turn; what is
//! seen goes to the engine. No thread, no clock, no model in here: tests run it in virtual time.
//!
//! What must hold: blindness is judged on every frame, however busy the models are; a camera whose frames are not looked at stops counting as seeing,
//! by [`Fusion`]'s patience; whatever a frame, a model or a disk does, the next frame is dealt with.
use super::Pictures;
use super::attention::{Attention, Circumstances};
use super::fuse::{self, Fusion};
use super::gate::Gate;
use super::live::{Drawn, Overload, Report, Shot};
use super::looks;
use super::ring::Original;
use super::schedule::{Load, Schedule};
use super::worker::{self, Crew, Over};
use crate::clock::Stopwatch;
use crate::engine::Message;
use crate::engine::site::Site;
use crate::engine::view::View;
use crate::ingest::frames::{Frame, FrameRefused};
use crate::metrics::{CameraLabel, Metrics, StageLabel};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tuoan_protocol::DeviceId;
use tuoan_protocol::frame::MAX_FRAME;
use tuoan_vision::blur::{Blurred, Veil};
use tuoan_vision::integrity::{Blindness, Context, FrameFacts, Integrity, Reference, Rgb, Wanted};
use tuoan_vision::picture::{Limits, Picture};
use tuoan_vision::scene::{Answer, Scene, ZoneFacts, ZoneSight};
use tuoan_vision::setup::{self, AreaKind};
use tuoan_vision::sight::Sight;

/// Longest side of a picture that the models look at. They see at most 512 pixels of a part of it; more would only cost memory while it waits.
const LONGEST: u32 = 960;
/// Quality of blurred pictures as JPEG.
const QUALITY: u8 = 80;
/// Says at most this often that the models do not keep up.
const SAY_MS: i64 = 600_000;
/// A view is learned long enough to be kept when it has been followed for so long: whoever stood before the camera has faded from it.
const LEARNED_MS: i64 = 3_600_000;

/// One moment, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds.
    pub utc_ms: i64,
    /// By the clock that never jumps. All durations are judged by it.
    pub steady_ms: i64,
}

/// A picture on its way to the models.
#[derive(Clone)]
struct Waiting {
    picture: Arc<Picture>,
    received_at_ms: i64,
    steady_ms: i64,
    /// Faces are looked for in it: without that it is not shown.
    faces: bool,
}

struct Camera {
    device: DeviceId,
    setup: setup::Camera,
    integrity: Integrity,
    /// `None`: its set-up cannot be used, which has been said.
    scene: Option<Scene>,
    /// The zones that it shows.
    zones: BTreeSet<String>,
    gate: Gate,
    attention: Attention,
    veil: Veil,
    context: Context,
    looking: Option<Waiting>,
    seen: Vec<ZoneSight>,
    replaced: u64,
    /// Since when its view has been followed without a break of this run; `None`: it was kept by an earlier one.
    learning_ms: Option<i64>,
    failures: u64,
}

/// All of it.
pub struct Watch {
    site: Site,
    cameras: Vec<Camera>,
    /// Distinguishes looks that were begun before the cameras were set up anew.
    epoch: usize,
    facts: Vec<ZoneFacts>,
    clock_trusted: bool,
    schedule: Schedule<Waiting>,
    crew: Crew,
    fusion: Fusion,
    load: Load,
    /// A still picture is looked at so often, in seconds.
    anyway_s: u16,
    said_ms: Option<i64>,
    pictures: Pictures,
    metrics: Arc<Metrics>,
    /// A still is being written; one at a time, away from here, since disks may hang.
    writing: Arc<AtomicBool>,
}

/// Looks of one epoch are numbered below this.
const EPOCH: usize = 1 << 16;

impl Watch {
    /// `views`: what [`Watch::views`] gave in an earlier run.
    pub fn new(site: Site, pictures: Pictures, metrics: Arc<Metrics>, crew: Crew, anyway_s: u16, views: Option<&[u8]>) -> Watch {
        let mut watch = Watch {
            cameras: Vec::new(),
            epoch: 0,
            facts: Vec::new(),
            clock_trusted: false,
            schedule: Schedule::new(0),
            crew,
            fusion: Fusion::new(&site),
            load: Load::default(),
            anyway_s,
            said_ms: None,
            pictures,
            metrics,
            writing: Arc::default(),
            site,
        };
        let mut views: BTreeMap<DeviceId, Reference> = views.map(recall).unwrap_or_default();
        watch.set_up(watch.site.cameras.clone());
        for camera in &mut watch.cameras {
            if let Some(view) = views.remove(&camera.device) {
                camera.integrity = Integrity::with_reference(wanted(&camera.setup), view);
                camera.learning_ms = None;
            }
        }
        watch
    }

    /// The cameras as they are set up from now on. What is known of those that stay is kept, as far as their set-up has not changed.
    pub fn set_up(&mut self, setups: Vec<setup::Camera>) {
        self.site.cameras = setups;
        let mut before: BTreeMap<DeviceId, Camera> = self.cameras.drain(..).map(|c| (c.device.clone(), c)).collect();
        for setup in &self.site.cameras {
            let Ok(device) = DeviceId::new(&setup.device) else { continue };
            let scene = || {
                let zone = self.site.devices.iter().find(|d| d.id == device).map(|d| d.zone.to_string()).unwrap_or_default();
                Scene::new(setup, &zone).map_err(|e| tracing::error!("what this camera shows is not judged: {e}")).ok()
            };
            let zones = || self.site.zones_of(setup).map(|z| z.id.to_string()).collect();
            let camera = match before.remove(&device) {
                Some(old) if old.setup == *setup => Camera { looking: None, ..old },
                Some(old) if old.setup.rate == setup.rate => {
                    let scene = scene();
                    Camera {
                        setup: setup.clone(),
                        scene,
                        zones: zones(),
                        gate: Gate::new(self.anyway_s),
                        looking: None,
                        seen: Vec::new(),
                        ..old
                    }
                }
                _ => Camera {
                    integrity: Integrity::new(wanted(setup)),
                    scene: scene(),
                    zones: zones(),
                    device,
                    setup: setup.clone(),
                    gate: Gate::new(self.anyway_s),
                    attention: Attention::default(),
                    veil: Veil::default(),
                    context: Context { care_hours: true, nap: false },
                    looking: None,
                    seen: Vec::new(),
                    replaced: 0,
                    learning_ms: Some(i64::MAX),
                    failures: 0,
                },
            };
            self.cameras.push(camera);
        }
        self.epoch += EPOCH;
        self.schedule = Schedule::new(self.cameras.len());
        self.fusion = Fusion::new(&self.site);
    }

    /// No frame waits for the models or is being looked at.
    pub fn is_idle(&self) -> bool {
        (0..self.cameras.len()).all(|camera| self.schedule.is_idle(camera))
    }

    /// The devices that are watched.
    pub fn devices(&self) -> BTreeSet<DeviceId> {
        self.cameras.iter().map(|c| c.device.clone()).collect()
    }

    /// The devices that speak for the zones.
    pub fn zones(&self) -> Vec<DeviceId> {
        self.site.eyes().map(|(device, _)| device).collect()
    }

    /// A frame has come.
    ///
    /// # Errors
    /// It cannot be decoded: to be told to its desk.
    pub fn frame(&mut self, now: Now, frame: &Frame) -> Result<(), FrameRefused> {
        let Some(index) = self.cameras.iter().position(|c| c.device == frame.device) else { return Ok(()) };
        let watch = Stopwatch::start();
        let picture = decode(&frame.jpeg);
        self.spent("decode", watch.elapsed());
        let picture = picture.map_err(FrameRefused::Undecodable)?;
        let device = &frame.device;
        self.pictures.ring.put(device, Original { received_at_ms: frame.received_at_ms, jpeg: frame.jpeg.clone() });
        let wanted = shown(&self.pictures, device, now);
        let Some(camera) = self.cameras.get_mut(index) else { return Ok(()) };

        let watch = Stopwatch::start();
        let facts = facts_of(frame, self.clock_trusted);
        let rgb = Rgb { width: picture.width(), height: picture.height(), bytes: picture.rgb() };
        camera.integrity.see(&facts, rgb, camera.context);
        camera.learning_ms = camera.learning_ms.map(|t| t.min(frame.steady_ms));
        let look = camera.gate.lets_through(frame.steady_ms, camera.integrity.motion()) || wanted;
        let lag_ms = lag(now, frame.steady_ms);
        if look {
            let small = smaller(picture);
            let (received_at_ms, steady_ms) = (frame.received_at_ms, frame.steady_ms);
            let waiting = Waiting { picture: Arc::new(small), received_at_ms, steady_ms, faces: false };
            if self.schedule.offer(index, waiting).is_some() {
                camera.replaced = camera.replaced.saturating_add(1);
                self.metrics.frames_dropped.inc();
            }
            self.load.add(now.steady_ms, 1, 0);
        } else {
            self.metrics.frames_still.inc();
            // Nothing moved since a look that has come to its end: what it showed stands. Otherwise the silence of the models must show.
            if self.schedule.is_idle(index) {
                if let Some(scene) = &mut camera.scene {
                    scene.skip(frame.steady_ms);
                }
                self.fusion.stands(&camera.device, now.steady_ms);
            }
            let report = camera.report(frame.received_at_ms, lag_ms, false, now);
            self.pictures.live.report(&camera.device, report);
        }
        self.spent("check", watch.elapsed());
        self.dispatch(now);
        Ok(())
    }

    /// A worker has spoken.
    pub fn heard(&mut self, now: Now, message: worker::Message) {
        if let Some(over) = self.crew.heard(now.steady_ms, message) {
            self.over(now, over);
        }
        self.dispatch(now);
    }

    fn over(&mut self, now: Now, over: Over) {
        let Some(index) = over.camera.checked_sub(self.epoch).filter(|i| *i < self.cameras.len()) else { return };
        self.schedule.done(index);
        self.load.add(now.steady_ms, 0, 1);
        self.spent("look", over.took);
        let Some(camera) = self.cameras.get_mut(index) else { return };
        let Some(looked) = camera.looking.take() else { return };
        let sight = match over.sight {
            Ok(sight) => sight,
            Err(why) => {
                camera.gate.failed();
                camera.failures = camera.failures.saturating_add(1);
                self.metrics.looks_failed.inc();
                if camera.failures.is_power_of_two() {
                    tracing::error!(camera = %camera.device, failures = camera.failures, "a picture could not be looked at: {why}");
                }
                return;
            }
        };
        let watch = Stopwatch::start();
        if let Some(scene) = &mut camera.scene {
            camera.seen = scene.see(looked.steady_ms, &sight, &self.facts);
        }
        let sign = camera.seen.iter().flat_map(|z| z.signs.values()).any(|a| *a == Answer::Yes);
        // Somebody who is followed and was not found just now may have left or lie behind something: only looking tells.
        let followed = camera.scene.as_ref().map_or(0, |s| s.people().len());
        camera.gate.looked(sign || followed > sight.people.len());
        camera.attention.looked(sight.people.len());
        self.fusion.see(&camera.device, looked.steady_ms, camera.seen.clone());
        let people = camera.scene.as_ref().map(Scene::people).unwrap_or_default();
        self.pictures.looks.put(&camera.device, looks::look(looked.received_at_ms, &sight, &people));
        let lag_ms = lag(now, looked.steady_ms);
        let report = camera.report(looked.received_at_ms, lag_ms, true, now);
        self.pictures.live.report(&camera.device, report);
        self.metrics.frames_looked.inc();
        self.metrics.look_lag.observe(f64::from(lag_ms) / 1000.0);
        self.spent("scene", watch.elapsed());
        self.show(now, index, &looked, &sight);
    }

    /// The blurred picture for whoever watches, or for an incident's still.
    fn show(&mut self, now: Now, index: usize, looked: &Waiting, sight: &Sight) {
        let Some(camera) = self.cameras.get_mut(index) else { return };
        let live = &self.pictures.live;
        let (watched, asked) = (live.watched(&camera.device, now.steady_ms), self.pictures.still_asked(&camera.device, now.utc_ms));
        // Leave may have been given after this look had begun.
        if !looked.faces || !watched && !asked {
            return;
        }
        let blurred: Blurred = camera.veil.cover(&looked.picture, sight);
        let picture = match blurred.to_jpeg(QUALITY) {
            Ok(picture) => picture,
            Err(e) => return tracing::warn!(camera = %camera.device, "{e}"),
        };
        if asked && !self.writing.swap(true, Ordering::AcqRel) {
            let (pictures, device, at, picture) = (self.pictures.clone(), camera.device.clone(), looked.received_at_ms, picture.clone());
            let writing = Arc::clone(&self.writing);
            let write = std::thread::Builder::new().name("still".to_owned()).spawn(move || {
                pictures.still(&device, at, &picture);
                writing.store(false, Ordering::Release);
            });
            if write.is_err() {
                self.writing.store(false, Ordering::Release);
            }
        }
        if watched {
            let people = camera.scene.as_ref().map(|scene| scene.people()).unwrap_or_default();
            // The scene follows more people than this frame shows; their poses are this frame's.
            let pose = |bbox| sight.people.iter().find(|p| p.bbox.iou(bbox) > 0.9).and_then(|p| p.pose);
            let people = people
                .iter()
                .map(|t| Drawn { bbox: t.bbox, pose: pose(&t.bbox), posture: t.posture, height_m: t.height_m, adult: t.adult })
                .collect();
            let shot = Shot {
                received_at_ms: looked.received_at_ms,
                width: looked.picture.width(),
                height: looked.picture.height(),
                picture,
                people,
                faces: sight.faces.clone(),
                things: sight.things.clone(),
            };
            live.show(&camera.device, now.steady_ms, shot);
        }
    }

    /// About once a second.
    pub fn tick(&mut self, now: Now, view: &View) {
        self.clock_trusted = view.clock_trusted;
        self.facts = fuse::facts(&self.site, view);
        self.fusion.recall(view);
        for over in self.crew.tick(now.steady_ms) {
            self.over(now, over);
        }
        for index in 0..self.cameras.len() {
            let Some(camera) = self.cameras.get_mut(index) else { continue };
            camera.context = fuse::context(&self.site, view, &camera.device);
            camera.integrity.due(now.steady_ms, camera.context);
            self.fusion.blind(&camera.device, now.steady_ms, camera.integrity.blind().keys().copied());
            self.pictures.live.blind(&camera.device, camera.blind(now));
            if let Some((half, most)) = self.pictures.live.status(&camera.device, now.utc_ms, now.steady_ms).lag_ms {
                for (quantile, ms) in [("0.5", half), ("0.95", most)] {
                    let label = CameraLabel { camera: camera.device.to_string(), quantile };
                    self.metrics.camera_lag.get_or_create(&label).set(f64::from(ms) / 1000.0);
                }
            }
        }
        self.load.add(now.steady_ms, 0, 0);
        let overload = self.load.overload().map(|(wanted, looked)| Overload { wanted, looked });
        self.metrics.overloaded.set(i64::from(overload.is_some()));
        self.metrics.workers.set(i64::try_from(self.crew.able()).unwrap_or(i64::MAX));
        self.metrics.workers_replaced.inc_by(self.crew.replaced.saturating_sub(self.metrics.workers_replaced.get()));
        if let Some(o) = &overload
            && self.said_ms.is_none_or(|t| now.steady_ms.saturating_sub(t) >= SAY_MS)
        {
            self.said_ms = Some(now.steady_ms);
            tracing::warn!(
                "the models look at {:.1} of {:.1} frames a second: every camera is looked at less often. Fewer cameras, or ONNX Runtime, would help",
                o.looked,
                o.wanted
            );
        }
        self.pictures.live.load(overload);
        self.dispatch(now);
    }

    /// What is to be told to the engine now.
    pub fn due(&mut self, now: Now) -> Vec<Message> {
        self.fusion.due(now.steady_ms)
    }

    /// Hands what waits to who is free.
    fn dispatch(&mut self, now: Now) {
        while self.crew.has_idle() {
            let Some((index, waiting)) = self.schedule.begin() else { return };
            let overloaded = self.load.overload().is_some();
            let Some(camera) = self.cameras.get_mut(index) else { return };
            let now_there = Circumstances {
                escape: camera.shows(AreaKind::Escape),
                napping: camera.shows(AreaKind::Bed) && self.facts.iter().any(|f| f.nap && camera.zones.contains(&f.zone)),
                overloaded,
                shown: shown(&self.pictures, &camera.device, now),
            };
            let task = camera.attention.task(waiting.steady_ms, now_there);
            if self.crew.hand(now.steady_ms, self.epoch + index, Arc::clone(&waiting.picture), task).is_err() {
                // The last free thread had ended. Its frame is given up; the next is not far.
                self.schedule.done(index);
                return;
            }
            camera.looking = Some(Waiting { faces: task.faces, ..waiting });
        }
    }

    fn spent(&self, stage: &'static str, time: Duration) {
        self.metrics.vision_seconds.get_or_create(&StageLabel { stage }).inc_by(time.as_secs_f64());
    }

    /// The views that the cameras have learned, as far as nobody stands in them.
    pub fn views(&self, now: Now) -> Vec<u8> {
        let learned = |c: &&Camera| c.learning_ms.is_none_or(|t| now.steady_ms.saturating_sub(t) >= LEARNED_MS);
        let views: BTreeMap<&DeviceId, &Reference> =
            self.cameras.iter().filter(learned).filter_map(|c| Some((&c.device, c.integrity.reference()?))).collect();
        minicbor_serde::to_vec(&views).unwrap_or_default()
    }
}

impl Camera {
    fn shows(&self, kind: AreaKind) -> bool {
        self.setup.areas.iter().any(|a| a.kind == kind)
    }

    fn report(&self, received_at_ms: i64, lag_ms: u32, looked: bool, now: Now) -> Report {
        let own = self.seen.iter().max_by_key(|z| z.people.likely);
        let people = own.map(|z| (z.people.low, z.people.likely, z.people.high)).unwrap_or_default();
        let at_least = self.seen.iter().any(|z| z.at_least);
        Report { received_at_ms, lag_ms, looked, people, at_least, blind: self.blind(now), replaced: self.replaced }
    }

    /// Since when, by the wall clock.
    fn blind(&self, now: Now) -> BTreeMap<&'static str, i64> {
        let utc = |steady: i64| now.utc_ms.saturating_sub(now.steady_ms.saturating_sub(steady));
        self.integrity.blind().iter().map(|(kind, since)| (name(*kind), utc(*since))).collect()
    }
}

/// As pages and metrics name it.
fn name(kind: Blindness) -> &'static str {
    match kind {
        Blindness::Offline => "offline",
        Blindness::Covered => "covered",
        Blindness::TooDark => "too_dark",
        Blindness::OverExposed => "over_exposed",
        Blindness::Defocused => "defocused",
        Blindness::Moved => "moved",
        Blindness::Frozen => "frozen",
        Blindness::Looped => "looped",
        Blindness::WrongClock => "wrong_clock",
        Blindness::LowResolution => "low_resolution",
        Blindness::LowRate => "low_rate",
    }
}

fn wanted(setup: &setup::Camera) -> Wanted {
    Wanted { frames_per_10s: setup.rate, ..Wanted::default() }
}

/// Whether somebody will see the next picture of that camera.
fn shown(pictures: &Pictures, device: &DeviceId, now: Now) -> bool {
    pictures.live.watched(device, now.steady_ms) || pictures.still_asked(device, now.utc_ms)
}

fn lag(now: Now, steady_ms: i64) -> u32 {
    u32::try_from(now.steady_ms.saturating_sub(steady_ms)).unwrap_or(0)
}

/// Decoders are others' code, and the bytes are anybody's.
fn decode(jpeg: &[u8]) -> Result<Picture, String> {
    let limits = Limits { bytes: MAX_FRAME as usize, pixels: u64::from(crate::ingest::frames::jpeg::MAX_PIXELS), ..Limits::default() };
    match catch_unwind(AssertUnwindSafe(|| Picture::decode(jpeg, &limits))) {
        Ok(decoded) => decoded.map_err(|e| e.to_string()),
        Err(_) => Err("the decoder panicked".to_owned()),
    }
}

fn smaller(picture: Picture) -> Picture {
    let longest = picture.width().max(picture.height());
    if longest <= LONGEST {
        return picture;
    }
    let scaled = |side: u32| u32::try_from(u64::from(side) * u64::from(LONGEST) / u64::from(longest)).unwrap_or(LONGEST).max(1);
    picture.resized(scaled(picture.width()), scaled(picture.height()))
}

fn facts_of(frame: &Frame, clock_trusted: bool) -> FrameFacts {
    let mut hash = DefaultHasher::new();
    frame.jpeg.hash(&mut hash);
    FrameFacts {
        received_ms: frame.steady_ms,
        // On the same scale as its arrival. Of a clock that is not known to be right nobody can say that the camera's is wrong.
        captured_ms: frame
            .captured_ms()
            .filter(|_| clock_trusted)
            .map(|at| frame.steady_ms.saturating_add(at.saturating_sub(frame.received_at_ms))),
        sequence: frame.header.as_ref().map(|h| h.seq),
        width: frame.width.into(),
        height: frame.height.into(),
        picture_hash: hash.finish(),
    }
}

fn recall(bytes: &[u8]) -> BTreeMap<DeviceId, Reference> {
    minicbor_serde::from_slice(bytes).unwrap_or_else(|e| {
        tracing::warn!("the cameras' learned views cannot be read ({e}); they are learned anew");
        BTreeMap::new()
    })
}

#[cfg(test)]
mod tests;
