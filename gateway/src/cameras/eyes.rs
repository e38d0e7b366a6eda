//! The thread of the watch, and the models that its workers use.
use super::Pictures;
use super::attention::Task;
use super::watch::{Now, Watch};
use super::worker::{Crew, Look, Open, threads};
use crate::clock::Clock;
use crate::config::MAX_WORKERS;
use crate::engine::site::Site;
use crate::engine::{DeviceInfo, VISION_HEARTBEAT_MS};
use crate::ingest::frames::FrameDesk;
use crate::models::EyeModels;
use crate::pipeline::Handle;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;
use tokio::sync::oneshot;
use tuoan_vision::eye::Eye;
use tuoan_vision::picture::Picture;
use tuoan_vision::sight::Sight;

/// The watch turns at least this often.
const TURN_MS: i64 = 1_000;
/// Under this name the store keeps the views that the cameras have learned; once an hour, and at the end.
pub const VIEWS: &str = "views";
const KEEP_MS: i64 = 3_600_000;
/// After a failure of the watch itself.
const REST: Duration = Duration::from_secs(1);
/// Below the rest of the gateway, above the models: frames come in while alarms go out.
const NICE: i32 = 5;

/// What the eyes need.
#[derive(Clone)]
pub struct Parts {
    pub site: Site,
    pub handle: Handle,
    pub desk: FrameDesk,
    pub pictures: Pictures,
    pub clock: Clock,
    pub open: Open,
    /// Name of the models and of what runs them: it stands in the log with what they say.
    pub models: String,
    pub workers: usize,
    /// Run the models under SCHED_IDLE. Only the benchmark says no.
    pub idle: bool,
    /// A still picture is looked at so often, in seconds.
    pub anyway_s: u16,
    pub settle: Settle,
}

/// One less than the machine has cores: the alarms' way is never without one.
pub fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().saturating_sub(1)).clamp(1, usize::from(MAX_WORKERS))
}

/// For who sets the clock himself: tells when everything that has come by now is seen and told to the engine.
#[derive(Clone, Default)]
pub struct Settle(Arc<Mutex<Asked>>);

#[derive(Default)]
struct Asked {
    by: Vec<oneshot::Sender<()>>,
    eyes: Option<Thread>,
}

impl Settle {
    /// Waits for it; for ever, if no camera is watched.
    pub async fn settled(&self) {
        let (tell, told) = oneshot::channel();
        {
            let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            asked.by.push(tell);
            asked.eyes.iter().for_each(Thread::unpark);
        }
        let _ = told.await;
    }
    fn tell(&self) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.eyes = Some(std::thread::current());
        for by in asked.by.drain(..) {
            let _ = by.send(());
        }
    }
}

/// The running eyes.
pub struct Eyes {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Eyes {
    /// # Errors
    /// The thread cannot be started.
    pub fn start(parts: Parts) -> std::io::Result<Eyes> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("cameras".to_owned()).spawn(move || {
            if let Err(e) = rustix::process::nice(NICE) {
                tracing::warn!("the cameras' thread runs at the priority of all others: {e}");
            }
            // Who fails begins anew, with what is kept: a picture that does harm is gone by then.
            while let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&parts, &stopped))) {
                let why = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                tracing::error!("the watch over the cameras has failed and begins anew: {}", why.unwrap_or("it panicked"));
                parts.handle.metrics.watch_restarts.inc();
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                std::thread::sleep(REST);
            }
        })?;
        Ok(Eyes { stop, thread })
    }

    /// Ends the watch; blocks until it has let go of the engine. Looks that are under way end by themselves.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            tracing::error!("the watch over the cameras ended by a panic");
        }
    }
}

fn run(parts: &Parts, stop: &AtomicBool) {
    let Parts { site, handle, desk, pictures, clock, .. } = parts;
    let now = || Now { utc_ms: clock.utc_ms(), steady_ms: clock.monotonic_ms() };
    let (words, heard) = mpsc::channel();
    let crew = Crew::new(parts.workers, threads(Arc::clone(&parts.open), parts.idle, words, std::thread::current()));
    let kept = handle.reader.kept(VIEWS).ok().flatten();
    let mut setups = pictures.live.setups();
    setups.mark_unchanged();
    let mut site = site.clone();
    site.cameras = setups.borrow().as_ref().clone();
    let mut watch = Watch::new(site, pictures.clone(), Arc::clone(&handle.metrics), crew, parts.anyway_s, kept.as_deref());
    pictures.looks.model(&parts.models);
    desk.watch(watch.devices());
    desk.wake(std::thread::current());
    introduce(parts, &watch);
    let (mut turned, mut kept_at) = (i64::MIN, now().steady_ms);
    while !stop.load(Ordering::Acquire) {
        for frame in desk.take_all() {
            if let Err(reason) = watch.frame(now(), &frame) {
                desk.spoilt(&frame, &reason);
            }
            // Whoever is done between two frames gets the next one.
            heard.try_iter().for_each(|message| watch.heard(now(), message));
        }
        heard.try_iter().for_each(|message| watch.heard(now(), message));
        if now().steady_ms.saturating_sub(turned) >= TURN_MS {
            turned = now().steady_ms;
            if setups.has_changed().unwrap_or(false) {
                watch.set_up(setups.borrow_and_update().as_ref().clone());
                desk.watch(watch.devices());
                introduce(parts, &watch);
            }
            watch.tick(now(), &handle.view.borrow().clone());
            if turned.saturating_sub(kept_at) >= KEEP_MS {
                kept_at = turned;
                keep(handle, &watch, now());
            }
        }
        for message in watch.due(now()) {
            if handle.observe(message).is_err() {
                handle.metrics.observations_untaken.inc();
            }
        }
        if watch.is_idle() && turned == now().steady_ms && desk.is_empty() {
            parts.settle.tell();
        }
        let rest = TURN_MS.saturating_sub(now().steady_ms.saturating_sub(turned)).clamp(1, TURN_MS);
        std::thread::park_timeout(Duration::from_millis(u64::try_from(rest).unwrap_or(1)));
    }
    keep(handle, &watch, now());
}

fn keep(handle: &Handle, watch: &Watch, now: Now) {
    if let Err(e) = handle.ops.keep(VIEWS, watch.views(now)) {
        tracing::warn!("the views that the cameras have learned are not kept now: {e}");
    }
}

/// Which models speak for each zone stands in the log with what they say.
fn introduce(parts: &Parts, watch: &Watch) {
    for device in watch.zones() {
        let info = DeviceInfo {
            device: Some(device),
            make: Some("Tuoan".to_owned()),
            model: Some(parts.models.clone()),
            period_s: u32::try_from(VISION_HEARTBEAT_MS / 1000).ok(),
            ..DeviceInfo::default()
        };
        if parts.handle.introduce(info).is_err() {
            parts.handle.metrics.observations_untaken.inc();
        }
    }
}

/// The real models.
impl Look for Eye {
    fn look(&mut self, picture: &Picture, task: Task) -> Result<Sight, String> {
        let mut sight = Eye::look(self, picture, task.effort).map_err(|e| e.to_string())?;
        if task.things {
            sight.things = self.things(picture).map_err(|e| e.to_string())?;
        }
        if task.faces {
            sight.faces = self.faces(picture).map_err(|e| e.to_string())?;
            sight.doubtful = self.supposed(picture).map_err(|e| e.to_string())?;
        }
        Ok(sight)
    }
}

/// Each worker loads the models for itself.
pub fn open(models: EyeModels) -> Open {
    Arc::new(move || match models.eye() {
        Ok(eye) => Ok(Box::new(eye)),
        Err(e) => Err(e.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::EyeModels;
    use std::path::Path;
    use tuoan_vision::blur;
    use tuoan_vision::eye::Effort;
    use tuoan_vision::runtime::Choice;

    /// The back of a head at the picture's edge, which the quick look misses and whoever looks at the page would see.
    #[tokio::test]
    async fn who_is_missed_by_the_quick_look_is_covered_all_the_same() {
        let models = EyeModels::open_safely(&tuoan_vision::models::store::Sources::default(), &Choice::Embedded).await.unwrap();
        let mut eye = models.eye().unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/cameras/room");
        for n in [1, 4, 5, 6, 7, 8] {
            let jpeg = std::fs::read(folder.join(format!("{n:04}.jpg"))).unwrap();
            let picture = Picture::decode(&jpeg, &tuoan_vision::picture::Limits::default()).unwrap();
            let quick = Look::look(&mut eye, &picture, Task { effort: Effort::Live, things: false, faces: false }).unwrap();
            let shown = Look::look(&mut eye, &picture, Task { effort: Effort::Live, things: false, faces: true }).unwrap();
            assert_eq!(quick.people, shown.people, "being watched changes nothing of what is counted");
            let blurred = blur::cover(&picture, &shown);
            let wide = picture.width() as usize;
            let head = (58..74).flat_map(|y| (2..24).map(move |x| (y * wide + x) * 3));
            let clear = head.filter(|at| picture.rgb()[*at..at + 3] == blurred.rgb()[*at..at + 3]).count();
            eprintln!("frame {n}: {} people, {} doubtful, {clear} clear", shown.people.len(), shown.doubtful.len());
            assert!(clear < 20, "frame {n}: the head is not covered: {:?}", shown.doubtful);
        }
    }
}
