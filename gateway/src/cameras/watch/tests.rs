//! In virtual time, with doubles of the models; real pictures are drawn and encoded.
use super::super::gate::ANYWAY_S;
use super::super::worker::{Done, Job, Start, Word};
use super::*;
use crate::engine::Item;
use crate::engine::site::{Placement, Role};
use crate::engine::testing::site;
use bytes::Bytes;
use std::sync::atomic::AtomicU32;
use std::sync::{Mutex, mpsc};
use tuoan_protocol::Quantity;
use tuoan_vision::sight::{Person, Posture, Rect};

/// Seat, thread, and its jobs.
type Taken = (usize, u64, mpsc::Receiver<Job>);

/// A watch over cameras `cam-0`, `cam-1`, ... in the room, and the hands of its workers.
struct Rig {
    watch: Watch,
    /// Jobs of each thread, the newest thread last.
    jobs: Arc<Mutex<Vec<Taken>>>,
    now: i64,
    told: Vec<Message>,
    _dir: tempfile::TempDir,
}

const UTC: i64 = 1_790_000_000_000;

impl Rig {
    fn new(cameras: usize, workers: usize) -> Rig {
        let mut s = site();
        for n in 0..cameras {
            let id = format!("cam-{n}");
            s.devices.push(Placement {
                id: id.parse().unwrap(),
                zone: "room".parse().unwrap(),
                role: Role::Camera,
                ..s.devices[0].clone()
            });
            s.cameras.push(toml::from_str(&format!("device = \"{id}\"")).unwrap());
        }
        let dir = tempfile::tempdir().unwrap();
        let pictures = Pictures::open(&Default::default(), dir.path(), s.cameras.clone(), UTC);
        let jobs = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&jobs);
        let start: Start = Box::new(move |seat, thread| {
            let (tx, rx) = mpsc::channel();
            theirs.lock().unwrap().push((seat, thread, rx));
            Some(tx)
        });
        let watch = Watch::new(s, pictures, Arc::new(Metrics::new()), Crew::new(workers, start), ANYWAY_S, None);
        let mut rig = Rig { watch, jobs, now: 0, told: Vec::new(), _dir: dir };
        rig.ready();
        rig
    }
    fn at(&self) -> Now {
        Now { utc_ms: UTC + self.now, steady_ms: self.now }
    }
    fn frame(&self, camera: usize, jpeg: Bytes) -> Frame {
        Frame {
            device: format!("cam-{camera}").parse().unwrap(),
            topic: "t".into(),
            header: None,
            width: 320,
            height: 180,
            jpeg,
            received_at_ms: UTC + self.now,
            steady_ms: self.now,
        }
    }
    fn sends(&mut self, camera: usize, jpeg: &Bytes) -> Result<(), FrameRefused> {
        let frame = self.frame(camera, jpeg.clone());
        let outcome = self.watch.frame(self.at(), &frame);
        self.hear();
        outcome
    }
    fn hear(&mut self) {
        self.told.extend(self.watch.due(self.at()));
    }
    /// Every thread says that it has its models.
    fn ready(&mut self) {
        let threads: Vec<(usize, u64)> = self.jobs.lock().unwrap().iter().map(|(seat, thread, _)| (*seat, *thread)).collect();
        for (seat, thread) in threads {
            self.watch.heard(self.at(), worker::Message { seat, thread, word: Word::Ready });
        }
    }
    /// Every job that waits is done; how many.
    fn look(&mut self, sight: impl Fn() -> Result<Sight, String>) -> usize {
        let mut done = 0;
        loop {
            let found: Vec<(usize, u64, Job)> =
                self.jobs.lock().unwrap().iter().filter_map(|(seat, thread, jobs)| Some((*seat, *thread, jobs.try_recv().ok()?))).collect();
            if found.is_empty() {
                self.hear();
                return done;
            }
            for (seat, thread, job) in found {
                let over = Done { ticket: job.ticket, sight: sight(), took: Duration::from_millis(70) };
                self.watch.heard(self.at(), worker::Message { seat, thread, word: Word::Done(over) });
                done += 1;
            }
        }
    }
    /// Lets a second pass.
    fn second(&mut self) {
        self.now += 1000;
        self.watch.tick(self.at(), &View::default());
        self.hear();
    }
    fn blind(&self) -> Vec<Blindness> {
        self.watch.cameras.iter().flat_map(|c| c.integrity.blind().keys().copied()).collect()
    }
    /// What was said last of a quantity; `None` where nobody could tell.
    fn last(&self, device: &str, quantity: &Quantity) -> Option<Option<i64>> {
        let items = self.told.iter().filter(|m| m.device.as_str() == device).flat_map(|m| &m.items);
        let mut of = items.filter_map(|i| match i {
            Item::Reading { quantity: q, value, .. } if q == quantity => Some(Some(value.0)),
            Item::Unknown { quantity: q, .. } if q == quantity => Some(None),
            _ => None,
        });
        of.next_back()
    }
}

/// A quarter of what the frames say, in either direction: these tests are about the way, and no picture is too small to be drawn.
const WIDTH: u32 = 80;
const HEIGHT: u32 = 45;

/// Where somebody is in frame `n` who paces up and down: never twice the same way, which would be a recording.
fn pacing(n: u32) -> u32 {
    1 + (n.wrapping_mul(2_654_435_761) >> 16) % 55
}

/// A room with furniture and a camera's noise, and somebody at that place (0: nobody; 1 to 60).
fn picture(place: u32) -> Bytes {
    static SEED: AtomicU32 = AtomicU32::new(1);
    // No two pictures have the same noise, or they would be a recording (xorshift, Marsaglia 2003).
    let mut noise = SEED.fetch_add(1, Ordering::Relaxed).wrapping_mul(2_654_435_761) | 1;
    let mut rgb = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let there = place > 0 && (place..place + 12).contains(&x) && (10..40).contains(&y);
            let colour: [u8; 3] = match (there, (x / 5 + y / 4) % 3) {
                (true, _) => [230, 60, 40],
                (false, 0) => [90, 100, 160],
                (false, _) => [150, 140, 120],
            };
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            rgb.extend(colour.map(|c| c + (noise % 8) as u8));
        }
    }
    Picture::new(WIDTH, HEIGHT, rgb).unwrap().to_jpeg(90).unwrap().into()
}

fn people(n: usize) -> Sight {
    let person = |i: usize| {
        let x0 = 0.1 + 0.2 * i as f32;
        Person { bbox: Rect { x0, y0: 0.2, x1: x0 + 0.12, y1: 0.9 }, score: 0.9, pose: None, posture: Posture::Standing }
    };
    Sight { width: 320, height: 180, people: (0..n).map(person).collect(), ..Sight::default() }
}

#[test]
fn what_the_models_see_is_told_and_a_still_room_is_hardly_looked_at() {
    let mut rig = Rig::new(1, 1);
    let (mut looks, mut moving) = (0, 0);
    for s in 0..60 {
        let walking = (20..30).contains(&s);
        moving += usize::from(walking);
        rig.sends(0, &picture(if walking { 1 + 6 * (s as u32 - 20) } else { 0 })).unwrap();
        looks += rig.look(|| Ok(people(usize::from(walking))));
        if s == 28 {
            assert_eq!(rig.last("vision.room", &Quantity::People), Some(Some(1)), "somebody is there; blind: {:?}", rig.blind());
        }
        rig.second();
    }
    assert_eq!(rig.last("vision.room", &Quantity::People), Some(Some(0)), "and is gone");
    // Every frame in which something moved, some until he is surely gone, and one now and then.
    assert!((moving..=moving + 20).contains(&looks), "{looks} looks at {moving} moving frames of 60");
    let m = &rig.watch.metrics;
    assert_eq!((m.frames_looked.get() + m.frames_still.get(), m.frames_dropped.get()), (60, 0));
    let status = rig.watch.pictures.live.status(&"cam-0".parse().unwrap(), UTC + rig.now, rig.now);
    assert!(status.lag_ms.is_some() && status.rate > 0.9, "{status:?}");
    let minute = rig.watch.pictures.ring.between(&"cam-0".parse().unwrap(), 0, i64::MAX);
    assert_eq!(minute.len(), 60, "every frame is in the ring, looked at or not");
}

#[test]
fn blindness_is_found_while_the_models_hang() {
    let mut rig = Rig::new(1, 1);
    for s in 0..60 {
        rig.sends(0, &picture(pacing(s))).unwrap();
        rig.second();
    }
    let black = Bytes::from(Picture::plain(WIDTH, HEIGHT, [2, 2, 2]).to_jpeg(85).unwrap());
    let blind = |rig: &Rig| [Quantity::CameraCovered, Quantity::CameraDark].iter().any(|q| rig.last("cam-0", q) == Some(Some(1)));
    assert!(!blind(&rig));
    for s in 0..30 {
        rig.sends(0, &black).unwrap();
        rig.second();
        if blind(&rig) {
            assert!(s > 1, "at once is too hasty");
            return;
        }
    }
    panic!("half a minute of darkness is not noticed");
}

#[test]
fn a_camera_that_nobody_looks_at_stops_counting_as_seeing() {
    let mut rig = Rig::new(1, 1);
    for _ in 0..30 {
        rig.sends(0, &picture(30)).unwrap();
        rig.look(|| Ok(people(1)));
        rig.second();
    }
    assert_eq!(rig.last("vision.room", &Quantity::Presence), Some(Some(1)));
    // Frames come, and move, but no look ends any more: hung, and then nobody is left.
    for s in 0..40 {
        rig.sends(0, &picture(pacing(s))).unwrap();
        rig.second();
    }
    assert_eq!(rig.last("vision.room", &Quantity::Presence), Some(None), "nobody can tell");
    assert_eq!(rig.last("cam-0", &Quantity::CameraOffline), Some(Some(0)), "the camera itself is well");
    // Somebody else takes over.
    for s in 0..90 {
        rig.sends(0, &picture(pacing(s))).unwrap();
        rig.second();
        rig.ready();
        if s > 35 {
            rig.look(|| Ok(people(1)));
        }
    }
    assert_eq!(rig.last("vision.room", &Quantity::Presence), Some(Some(1)), "blind: {:?}", rig.blind());
    assert!(rig.watch.metrics.workers_replaced.get() >= 1);
}

#[test]
fn looks_that_fail_are_counted_and_show_nothing() {
    let mut rig = Rig::new(1, 1);
    for s in 0..40 {
        rig.sends(0, &picture(pacing(s))).unwrap();
        rig.look(|| Err("no".to_owned()));
        rig.second();
    }
    assert_eq!(rig.watch.metrics.looks_failed.get(), 40);
    assert_eq!(rig.last("vision.room", &Quantity::People), None);
}

#[test]
fn a_spoilt_picture_costs_itself_only() {
    let mut rig = Rig::new(1, 1);
    let good = picture(0);
    let mut broken = good.to_vec();
    // Whole by its markers, and nonsense between them.
    let half = broken.len() / 2;
    broken.splice(half..half + 400, [0xFF, 0xC4, 0, 3, 0]);
    for bad in [Bytes::new(), good.slice(..good.len() / 2), broken.into()] {
        assert!(matches!(rig.sends(0, &bad), Err(FrameRefused::Undecodable(_))));
    }
    rig.sends(0, &good).unwrap();
    assert_eq!(rig.look(|| Ok(people(0))), 1);
}

#[test]
fn too_many_frames_are_said_to_be_too_many_and_each_camera_has_its_share() {
    let mut rig = Rig::new(6, 1);
    let jpegs: Vec<Bytes> = (0..40).map(|n| picture(pacing(n))).collect();
    for jpeg in &jpegs {
        for camera in 0..6 {
            rig.sends(camera, jpeg).unwrap();
        }
        // Two looks a second can be had.
        for _ in 0..2 {
            let found = rig.jobs.lock().unwrap().iter().find_map(|(seat, thread, jobs)| Some((*seat, *thread, jobs.try_recv().ok()?)));
            let (seat, thread, job) = found.unwrap();
            let over = Done { ticket: job.ticket, sight: Ok(people(0)), took: Duration::from_millis(500) };
            rig.watch.heard(rig.at(), worker::Message { seat, thread, word: Word::Done(over) });
        }
        rig.second();
    }
    let overload = rig.watch.pictures.live.overload().expect("it is said");
    assert!(overload.wanted > 5.0 && overload.looked < 2.5, "{overload:?}");
    assert_eq!(rig.watch.metrics.overloaded.get(), 1);
    for camera in 0..6 {
        let status = rig.watch.pictures.live.status(&format!("cam-{camera}").parse().unwrap(), UTC + rig.now, rig.now);
        let lag = status.lag_ms.unwrap().1;
        assert!((0.2..0.5).contains(&status.looked) && lag <= 4000, "{camera}: {status:?}");
    }
}

#[test]
fn a_set_up_that_changes_keeps_what_it_can_and_old_answers_are_not_heard() {
    let mut rig = Rig::new(2, 1);
    rig.sends(0, &picture(50)).unwrap();
    let mut setups = rig.watch.site.cameras.clone();
    setups.remove(0);
    rig.watch.set_up(setups);
    assert_eq!(rig.watch.devices().len(), 1);
    // The look at the camera that is gone ends; the one that stays has not been looked at.
    assert_eq!(rig.look(|| Ok(people(3))), 1);
    assert_eq!(rig.last("vision.room", &Quantity::People), None);
    rig.sends(1, &picture(50)).unwrap();
    assert_eq!(rig.look(|| Ok(people(0))), 1, "the worker is free again");
    assert!(rig.watch.frame(rig.at(), &rig.frame(0, picture(1))).is_ok(), "of no camera: forgotten");
}

#[test]
fn a_watched_camera_is_looked_at_and_shown_blurred() {
    use super::super::access::{Lease, Logged};
    let mut rig = Rig::new(1, 1);
    let device: DeviceId = "cam-0".parse().unwrap();
    let live = rig.watch.pictures.live.clone();
    for _ in 0..5 {
        rig.sends(0, &picture(0)).unwrap();
        rig.look(|| Ok(people(0)));
        rig.second();
    }
    let lease =
        Lease {
            session: "s".into(), actor: "王园长".into(), reason: "标定".into(), ends_ms: rig.now + 60_000, logged: Logged::for_test()
        };
    live.allow(&device, rig.now, lease);
    rig.sends(0, &picture(0)).unwrap();
    let faces = rig.jobs.lock().unwrap()[0].2.try_recv().map(|job| (job.task.faces, job.ticket)).unwrap();
    assert!(faces.0, "faces are looked for, so that they can be covered");
    let over = Done { ticket: faces.1, sight: Ok(people(1)), took: Duration::ZERO };
    rig.watch.heard(rig.at(), worker::Message { seat: 0, thread: 1, word: Word::Done(over) });
    let shot = live.picture(&device, rig.now, "s").unwrap();
    assert_eq!((shot.width, shot.people.len()), (WIDTH, 1));
}

#[test]
fn times_of_a_camera_are_put_on_the_watch_s_scale() {
    let mut rig = Rig::new(1, 1);
    rig.now = 5000;
    let mut frame = rig.frame(0, picture(0));
    frame.header = Some(tuoan_protocol::FrameHeader {
        site: "s".parse().unwrap(),
        device: "cam-0".parse().unwrap(),
        boot: 1,
        seq: 7,
        time: tuoan_protocol::DeviceTime::Unix(UTC + rig.now - 300),
        width: 320,
        height: 180,
        size: 0,
    });
    let facts = facts_of(&frame, true);
    assert_eq!((facts.received_ms, facts.captured_ms, facts.sequence), (5000, Some(4700), Some(7)));
    assert_eq!(facts_of(&frame, false).captured_ms, None, "nobody knows whose clock is wrong");
}

#[test]
fn a_view_is_kept_once_whoever_stood_there_has_faded_from_it() {
    let mut rig = Rig::new(1, 1);
    rig.sends(0, &picture(30)).unwrap();
    let count = |bytes: &[u8]| recall(bytes).len();
    assert_eq!(count(&rig.watch.views(rig.at())), 0);
    rig.now = LEARNED_MS;
    let kept = rig.watch.views(rig.at());
    assert_eq!(count(&kept), 1);
    let crew = Crew::new(0, Box::new(|_, _| None));
    let again = Watch::new(rig.watch.site.clone(), rig.watch.pictures.clone(), Arc::new(Metrics::new()), crew, ANYWAY_S, Some(&kept));
    assert_eq!(count(&again.views(Now { utc_ms: 0, steady_ms: 0 })), 1, "an earlier run has learned it");
    assert_eq!(count(b"nonsense"), 0);
}

#[test]
fn a_large_picture_is_made_as_small_as_the_models_need() {
    let small = smaller(Picture::plain(1920, 1080, [1; 3]));
    assert_eq!((small.width(), small.height()), (960, 540));
    let portrait = smaller(Picture::plain(600, 1200, [1; 3]));
    assert_eq!((portrait.width(), portrait.height()), (480, 960));
    assert_eq!(smaller(Picture::plain(640, 480, [1; 3])).width(), 640);
}
