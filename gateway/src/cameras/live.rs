//! What is known of each camera at this moment: figures always, a picture only while somebody is authorised to watch.
//!
//! The worker writes ([`Live::report`], [`Live::show`]), the pages read. Times are UTC milliseconds of the gateway's clock, but for leave to watch, which
//! runs by the clock that never goes back ([`crate::clock::Clock::monotonic_ms`]).
//!
//! What must hold: without leave no picture is kept; when the last leave ends the picture goes; no other picture than a blurred one comes in.
use super::access::{Lease, Leases};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tuoan_protocol::DeviceId;
use tuoan_vision::blur::BlurredJpeg;
use tuoan_vision::setup;
use tuoan_vision::sight::{Face, Pose, Posture, Rect, Thing};

/// Frames whose figures are remembered, for rate and lag.
const REMEMBERED: usize = 256;
/// The frame rate is counted over so long.
const RATE_MS: i64 = 30_000;

/// A person as drawn over the picture: numbers, nobody's likeness.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    pub bbox: Rect,
    pub pose: Option<Pose>,
    pub posture: Posture,
    /// Metres; `None` without calibration, or where the feet are not seen.
    pub height_m: Option<f32>,
    /// Probability of an adult, 0 to 1.
    pub adult: Option<f32>,
}

/// One picture and what is drawn over it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shot {
    /// When the gateway had the frame.
    pub received_at_ms: i64,
    pub width: u32,
    pub height: u32,
    pub picture: BlurredJpeg,
    pub people: Vec<Drawn>,
    pub faces: Vec<Face>,
    pub things: Vec<Thing>,
}

/// What the worker says of one frame, looked at or not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    pub received_at_ms: i64,
    /// From its arrival to the end of the look.
    pub lag_ms: u32,
    /// False: nothing moved, so the models did not run.
    pub looked: bool,
    /// People that the newest look showed: least, likeliest, most.
    pub people: (u16, u16, u16),
    /// More may be there than were counted.
    pub at_least: bool,
    /// Kinds of blindness (`offline`, `covered`, ...) and since when.
    pub blind: BTreeMap<&'static str, i64>,
    /// Frames of this camera since the start that a newer one replaced before anybody looked.
    pub replaced: u64,
}

/// One camera's figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// When the newest frame came; `None`: none since the start.
    pub newest_ms: Option<i64>,
    /// Frames a second over the last half minute.
    pub rate: f32,
    /// Frames of those that the models looked at.
    pub looked: f32,
    /// Half of the looks were faster than this, and 95 in a hundred; milliseconds. `None` without a look.
    pub lag_ms: Option<(u32, u32)>,
    pub people: (u16, u16, u16),
    pub at_least: bool,
    pub blind: BTreeMap<&'static str, i64>,
    pub replaced: u64,
    /// How many people watch now.
    pub watchers: usize,
}

/// The models do not keep up: frames a second of all cameras together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overload {
    /// In which something moved.
    pub wanted: f32,
    /// That are looked at.
    pub looked: f32,
}

/// Why no picture is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPicture {
    /// This session has no leave, or no longer.
    NotAllowed,
    /// None has come since the leave was given.
    NotYet,
}

#[derive(Default)]
struct Camera {
    newest: Report,
    /// Arrival, lag, looked.
    frames: VecDeque<(i64, u32, bool)>,
    shot: Option<Arc<Shot>>,
}

#[derive(Default)]
struct State {
    cameras: BTreeMap<DeviceId, Camera>,
    leases: Leases<DeviceId>,
    overload: Option<Overload>,
}

impl State {
    /// How many may watch; when nobody may, the picture goes.
    fn watchers(&mut self, device: &DeviceId, now_ms: i64) -> usize {
        let watchers = self.leases.count(device, now_ms);
        if watchers == 0
            && let Some(camera) = self.cameras.get_mut(device)
        {
            camera.shot = None;
        }
        watchers
    }
}

/// Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Live {
    state: Arc<Mutex<State>>,
    setups: Arc<watch::Sender<Arc<Vec<setup::Camera>>>>,
}

impl Live {
    /// Of the cameras that the configuration in force names.
    pub fn new(setups: Vec<setup::Camera>) -> Live {
        Live { state: Arc::default(), setups: Arc::new(watch::Sender::new(Arc::new(setups))) }
    }

    /// How the cameras are set up now; changes when somebody draws an area or calibrates.
    pub fn setups(&self) -> watch::Receiver<Arc<Vec<setup::Camera>>> {
        self.setups.subscribe()
    }
    /// After the change is in force.
    pub fn set_up(&self, setups: Vec<setup::Camera>) {
        self.setups.send_replace(Arc::new(setups));
    }
    /// That camera's set-up; `None`: it has none.
    pub fn setup(&self, device: &DeviceId) -> Option<setup::Camera> {
        self.setups.borrow().iter().find(|c| c.device == device.as_str()).cloned()
    }

    /// Worker: a frame was dealt with. Only for cameras that the desk admits, so their number is bounded there.
    pub fn report(&self, device: &DeviceId, report: Report) {
        let mut state = self.lock();
        let camera = state.cameras.entry(device.clone()).or_default();
        if camera.frames.len() >= REMEMBERED {
            camera.frames.pop_front();
        }
        camera.frames.push_back((report.received_at_ms, report.lag_ms, report.looked));
        camera.newest = report;
    }

    /// Worker: blindness without a frame (offline), for a camera that may never have sent one.
    pub fn blind(&self, device: &DeviceId, blind: BTreeMap<&'static str, i64>) {
        self.lock().cameras.entry(device.clone()).or_default().newest.blind = blind;
    }

    /// Worker: whether somebody may watch that camera, so that a picture is worth the work.
    pub fn watched(&self, device: &DeviceId, monotonic_ms: i64) -> bool {
        self.lock().watchers(device, monotonic_ms) > 0
    }

    /// Worker: the newest picture. Dropped when nobody may watch.
    pub fn show(&self, device: &DeviceId, monotonic_ms: i64, shot: Shot) {
        let mut state = self.lock();
        if state.watchers(device, monotonic_ms) > 0 {
            state.cameras.entry(device.clone()).or_default().shot = Some(Arc::new(shot));
        }
    }

    /// Worker: whether the models keep up.
    pub fn load(&self, overload: Option<Overload>) {
        self.lock().overload = overload;
    }
    /// Every camera is looked at less often than it should be; `None`: the models keep up.
    pub fn overload(&self) -> Option<Overload> {
        self.lock().overload
    }

    /// Gives leave to watch, which is on record.
    pub fn allow(&self, device: &DeviceId, monotonic_ms: i64, lease: Lease) {
        let mut state = self.lock();
        // A picture of an earlier leave goes first.
        state.watchers(device, monotonic_ms);
        state.leases.allow(device, monotonic_ms, lease);
    }

    /// Takes it back; what it was.
    pub fn end(&self, device: &DeviceId, monotonic_ms: i64, session: &str) -> Option<Lease> {
        let mut state = self.lock();
        let ended = state.leases.end(device, monotonic_ms, session);
        state.watchers(device, monotonic_ms);
        ended
    }

    /// The session's leave, while it lasts.
    pub fn lease(&self, device: &DeviceId, monotonic_ms: i64, session: &str) -> Option<Lease> {
        self.lock().leases.of(device, monotonic_ms, session).cloned()
    }

    /// The newest picture, for who may see it.
    ///
    /// # Errors
    /// The session has no leave, or no frame has come yet.
    pub fn picture(&self, device: &DeviceId, monotonic_ms: i64, session: &str) -> Result<Arc<Shot>, NoPicture> {
        let mut state = self.lock();
        state.watchers(device, monotonic_ms);
        state.leases.of(device, monotonic_ms, session).ok_or(NoPicture::NotAllowed)?;
        state.cameras.get(device).and_then(|c| c.shot.clone()).ok_or(NoPicture::NotYet)
    }

    /// The figures of one camera; those of a camera that was never heard are empty.
    pub fn status(&self, device: &DeviceId, utc_ms: i64, monotonic_ms: i64) -> Status {
        let mut state = self.lock();
        let watchers = state.watchers(device, monotonic_ms);
        let Some(camera) = state.cameras.get(device) else { return Status { watchers, ..Status::default() } };
        let recent = camera.frames.iter().filter(|f| f.0.abs_diff(utc_ms) <= RATE_MS as u64);
        let (frames, looked) = recent.fold((0u32, 0u32), |(n, l), f| (n + 1, l + u32::from(f.2)));
        let mut lags: Vec<u32> = camera.frames.iter().filter(|f| f.2).map(|f| f.1).collect();
        lags.sort_unstable();
        let at = |percent: usize| lags.get((lags.len() * percent / 100).min(lags.len().saturating_sub(1))).copied();
        let seconds = RATE_MS as f32 / 1000.0;
        Status {
            newest_ms: camera.frames.back().map(|f| f.0),
            rate: frames as f32 / seconds,
            looked: looked as f32 / seconds,
            lag_ms: at(50).zip(at(95)),
            people: camera.newest.people,
            at_least: camera.newest.at_least,
            blind: camera.newest.blind.clone(),
            replaced: camera.newest.replaced,
            watchers,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::access::Logged;
    use super::*;
    use tuoan_vision::blur;
    use tuoan_vision::picture::Picture;

    fn camera() -> DeviceId {
        DeviceId::new("cam-1").unwrap()
    }
    fn shot(at: i64) -> Shot {
        let picture = blur::whole(&Picture::new(8, 8, vec![7; 192]).unwrap()).to_jpeg(70).unwrap();
        Shot { received_at_ms: at, width: 8, height: 8, picture, people: Vec::new(), faces: Vec::new(), things: Vec::new() }
    }
    fn lease(session: &str, ends_ms: i64) -> Lease {
        Lease { session: session.into(), actor: "王园长".into(), reason: "calibration".into(), ends_ms, logged: Logged::for_test() }
    }

    #[test]
    fn without_leave_no_picture_is_kept_and_none_is_given() {
        let live = Live::new(Vec::new());
        live.report(&camera(), Report::default());
        live.show(&camera(), 0, shot(0));
        assert!(!live.watched(&camera(), 0));
        assert_eq!(live.picture(&camera(), 0, "a"), Err(NoPicture::NotAllowed));
        live.allow(&camera(), 0, lease("a", 600_000));
        assert_eq!(live.picture(&camera(), 0, "a"), Err(NoPicture::NotYet), "what was shown before the leave is not there");
        live.show(&camera(), 1, shot(1));
        assert_eq!(live.picture(&camera(), 1, "a").unwrap().received_at_ms, 1);
        assert_eq!(live.picture(&camera(), 1, "b"), Err(NoPicture::NotAllowed), "of another session");
        assert_eq!(live.picture(&DeviceId::new("cam-2").unwrap(), 1, "a"), Err(NoPicture::NotAllowed), "of another camera");
    }

    #[test]
    fn leave_ends_by_itself_and_the_picture_with_it() {
        let live = Live::new(Vec::new());
        live.allow(&camera(), 0, lease("a", 600_000));
        live.show(&camera(), 599_999, shot(1));
        assert!(live.picture(&camera(), 599_999, "a").is_ok());
        assert_eq!(live.picture(&camera(), 600_000, "a"), Err(NoPicture::NotAllowed));
        live.allow(&camera(), 600_001, lease("a", 700_000));
        assert_eq!(live.picture(&camera(), 600_001, "a"), Err(NoPicture::NotYet), "the old picture is gone");
        live.show(&camera(), 600_002, shot(2));
        assert_eq!(live.end(&camera(), 600_003, "a").unwrap().actor, "王园长");
        assert!(live.lock().cameras.get(&camera()).unwrap().shot.is_none());
        assert_eq!(live.end(&camera(), 600_003, "a"), None);
    }

    #[test]
    fn few_watch_at_once_and_the_oldest_leave_makes_room() {
        let live = Live::new(Vec::new());
        for n in 0..9 {
            live.allow(&camera(), 0, lease(&n.to_string(), 1000 + n));
        }
        assert_eq!(live.status(&camera(), 0, 0).watchers, 8);
        assert!(live.lease(&camera(), 0, "0").is_none() && live.lease(&camera(), 0, "1").is_some());
        live.allow(&camera(), 0, lease("1", 9000));
        assert_eq!(live.status(&camera(), 0, 0).watchers, 8, "renewed, not doubled");
    }

    #[test]
    fn figures_tell_rate_and_lag_of_looks_alone() {
        let live = Live::new(Vec::new());
        assert_eq!(live.status(&camera(), 0, 0), Status::default());
        for n in 0..60i64 {
            let report = Report { received_at_ms: n * 1000, lag_ms: n as u32, looked: n % 2 == 0, replaced: 3, ..Report::default() };
            live.report(&camera(), report);
        }
        let status = live.status(&camera(), 59_000, 0);
        assert_eq!((status.newest_ms, status.replaced), (Some(59_000), 3));
        assert!((status.rate - 31.0 / 30.0).abs() < 1e-6 && (status.looked - 15.0 / 30.0).abs() < 1e-6, "{status:?}");
        assert_eq!(status.lag_ms, Some((30, 56)));
        live.blind(&camera(), BTreeMap::from([("offline", 60_000)]));
        let status = live.status(&camera(), 200_000, 0);
        assert_eq!((status.rate, status.blind.get("offline")), (0.0, Some(&60_000)));
    }

    #[test]
    fn a_changed_set_up_is_heard_of() {
        let live = Live::new(Vec::new());
        let mut heard = live.setups();
        assert!(live.setup(&camera()).is_none() && !heard.has_changed().unwrap());
        let setup: setup::Camera = toml::from_str("device = \"cam-1\"").unwrap();
        live.set_up(vec![setup.clone()]);
        assert!(heard.has_changed().unwrap() && heard.borrow_and_update().len() == 1);
        assert_eq!(live.setup(&camera()), Some(setup));
    }
}
