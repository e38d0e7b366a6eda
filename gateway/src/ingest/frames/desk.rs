//! The newest frame of each camera until it is looked at: bounded in cameras, rate and bytes, acknowledged on hand-over.
use super::topic::{Owner, Topics};
use super::{Announced, FIRST_BYTES, Frame, FrameRefused, Mapped, Refusal, jpeg, native, payload};
use crate::clock::Clock;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tuoan_protocol::codec::MAX_MESSAGE;
use tuoan_protocol::frame::MAX_FRAME;
use tuoan_protocol::topic::Topic;
use tuoan_protocol::{DeviceId, FrameHeader};

/// Most cameras; those of the site file have their places, frames of further ones are refused.
pub const MAX_CAMERAS: usize = 64;
/// Most frames a second of one camera: faster ones are thinned out evenly.
pub const MAX_FPS: u8 = 10;
/// Bytes of pictures that wait, of all cameras together: the one that has waited longest goes first.
const ROOM: usize = 32 << 20;
/// Topics with refused frames that are remembered.
const MAX_REFUSALS: usize = 128;
/// Of one topic, a refusal is told at most this often.
const TELL_MS: i64 = 60_000;

/// When a message came, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Milliseconds.
    pub utc_ms: i64,
    /// By the clock that never jumps.
    pub steady_ms: i64,
    /// It was lying in the broker when we subscribed: nobody knows since when, so it shows nothing of now.
    pub retained: bool,
}

impl Arrival {
    pub fn now(clock: &Clock, retained: bool) -> Arrival {
        Arrival { utc_ms: clock.utc_ms(), steady_ms: clock.monotonic_ms(), retained }
    }
}

/// What is shown of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraStatus {
    pub device: DeviceId,
    /// Where its newest frame came in.
    pub topic: Arc<str>,
    /// Of the newest frame; `None` for a camera that sends bare pictures.
    pub header: Option<FrameHeader>,
    /// Size of the newest picture in bytes and in pixels; 0 before the first.
    pub bytes: usize,
    pub width: u16,
    pub height: u16,
    /// UTC, milliseconds, of the newest frame that was taken or refused.
    pub received_at_ms: i64,
    pub accepted: u64,
    /// Overwritten by a newer one, or dropped for want of room, before anybody took it.
    pub replaced: u64,
    /// Left out because they came faster than they may.
    pub thinned: u64,
    pub refused: u64,
    /// Why the last one was.
    pub last_refused: Option<String>,
}

/// Frames since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounts {
    pub accepted: u64,
    pub replaced: u64,
    pub thinned: u64,
    pub refused: u64,
    /// Retained ones of an outside broker: old, and therefore not looked at.
    pub stale: u64,
    pub cameras: usize,
    /// Bytes of pictures held.
    pub bytes: usize,
}

/// Whose pictures are kept for looking at, and where they come from.
#[derive(Debug, Default)]
pub struct Watch {
    /// The cameras of the site file. Of others only counts are kept, and their pictures are forgotten at once.
    pub cameras: BTreeSet<DeviceId>,
    pub mapped: Vec<Mapped>,
    pub announced: Announced,
    /// Most frames a second of one camera, 1 to [`MAX_FPS`]; 0 for the most.
    pub fps: u8,
}

struct Camera {
    status: CameraStatus,
    waiting: Option<Frame>,
    /// Its place among those that wait; a newer frame takes over the place of the one it replaces.
    place: u64,
    /// When the next frame is due if they came evenly (the generic cell rate algorithm, ITU-T I.371).
    due_ms: i64,
}

struct Refused {
    refusal: Refusal,
    told_ms: Option<i64>,
}

#[derive(Default)]
struct Desk {
    cameras: BTreeMap<DeviceId, Camera>,
    refusals: BTreeMap<String, Refused>,
    /// Of no camera.
    refused: u64,
    stale: u64,
    bytes: usize,
    places: u64,
    watched: BTreeSet<DeviceId>,
    /// Who looks at the frames.
    viewer: Option<std::thread::Thread>,
}

/// Where cameras put their frames. Cheap to clone; all clones are the same desk.
#[derive(Clone, Default)]
pub struct FrameDesk {
    desk: Arc<Mutex<Desk>>,
    topics: Arc<Topics>,
    interval_ms: i64,
    room: usize,
}

impl FrameDesk {
    /// A desk that keeps no picture, only what is known about the newest one.
    pub fn new() -> FrameDesk {
        FrameDesk::watching(Watch::default())
    }

    /// A desk that keeps the newest picture of each watched camera until it is taken.
    pub fn watching(watch: Watch) -> FrameDesk {
        let fps = if watch.fps == 0 { MAX_FPS } else { watch.fps.min(MAX_FPS) };
        FrameDesk {
            desk: Arc::new(Mutex::new(Desk { watched: watch.cameras, ..Desk::default() })),
            topics: Arc::new(Topics { mapped: watch.mapped, announced: watch.announced }),
            interval_ms: 1000 / i64::from(fps),
            room: ROOM,
        }
    }

    /// Whether a message belongs here and not into the log: by its topic, or because it is a picture.
    pub fn takes(&self, topic: &str, payload: &[u8]) -> bool {
        self.topics.take(topic, payload)
    }

    /// Puts a frame on the desk, over an older one of the same camera.
    ///
    /// # Errors
    /// When it is no frame, too long, broken, or of one camera too many. The refusal is counted and remembered for [`FrameDesk::refusals`].
    pub fn put(&self, topic: &str, payload: Bytes, arrival: Arrival) -> Result<(), FrameRefused> {
        // Empty clears a retained message; it says nothing.
        if payload.is_empty() {
            return Ok(());
        }
        let owner = match self.topics.owner(topic) {
            Some(Owner::Nobody) => return Ok(()),
            Some(owner) => owner,
            None => {
                self.lock().refuse(topic, None, &FrameRefused::Topic, &payload, arrival);
                return Err(FrameRefused::Topic);
            }
        };
        let device = match &owner {
            Owner::Native(Topic { device, .. }) | Owner::Pictures { device, .. } => device.clone(),
            Owner::Nobody => return Ok(()),
        };
        if !self.lock().admit(&device, topic, arrival, self.interval_ms)? {
            return Ok(());
        }
        // The picture is looked through without the lock.
        let frame = inspect(owner, device.clone(), topic, payload.clone(), arrival);
        let viewer = {
            let mut desk = self.lock();
            match frame {
                Ok(frame) => desk.store(frame, self.room),
                Err(reason) => {
                    desk.refuse(topic, Some(&device), &reason, &payload, arrival);
                    return Err(reason);
                }
            }
            desk.viewer.clone()
        };
        if let Some(viewer) = viewer {
            viewer.unpark();
        }
        Ok(())
    }

    /// Other cameras are watched from now on.
    pub fn watch(&self, cameras: BTreeSet<DeviceId>) {
        self.lock().watched = cameras;
    }

    /// Who is woken (unparked) when a frame has come.
    pub fn wake(&self, viewer: std::thread::Thread) {
        self.lock().viewer = Some(viewer);
    }

    /// Takes every frame that waits, first that of the camera that has waited longest.
    pub fn take_all(&self) -> Vec<Frame> {
        let mut desk = self.lock();
        let mut taken: Vec<(u64, Frame)> = desk.cameras.values_mut().filter_map(|c| Some((c.place, c.waiting.take()?))).collect();
        desk.bytes = 0;
        drop(desk);
        taken.sort_by_key(|(place, _)| *place);
        taken.into_iter().map(|(_, frame)| frame).collect()
    }

    /// Nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.lock().cameras.values().all(|c| c.waiting.is_none())
    }

    /// A frame that was taken turned out to be spoilt.
    pub fn spoilt(&self, frame: &Frame, reason: &FrameRefused) {
        let arrival = Arrival { utc_ms: frame.received_at_ms, steady_ms: frame.steady_ms, retained: false };
        self.lock().refuse(&frame.topic, Some(&frame.device), reason, &frame.jpeg, arrival);
    }

    /// What was refused and is to be told now.
    pub fn refusals(&self, steady_ms: i64) -> Vec<Refusal> {
        let mut desk = self.lock();
        let due = |r: &&mut Refused| r.refusal.count > 0 && r.told_ms.is_none_or(|t| steady_ms.saturating_sub(t) >= TELL_MS);
        let due = desk.refusals.values_mut().filter(due).map(|r| {
            r.told_ms = Some(steady_ms);
            let told = r.refusal.clone();
            r.refusal.count = 0;
            told
        });
        due.collect()
    }

    /// Every camera that was heard, ordered by id.
    pub fn cameras(&self) -> Vec<CameraStatus> {
        self.lock().cameras.values().map(|camera| camera.status.clone()).collect()
    }

    pub fn counts(&self) -> FrameCounts {
        let desk = self.lock();
        let mut counts = FrameCounts {
            refused: desk.refused,
            stale: desk.stale,
            cameras: desk.cameras.len(),
            bytes: desk.bytes,
            ..FrameCounts::default()
        };
        for Camera { status, .. } in desk.cameras.values() {
            counts.accepted = counts.accepted.saturating_add(status.accepted);
            counts.replaced = counts.replaced.saturating_add(status.replaced);
            counts.thinned = counts.thinned.saturating_add(status.thinned);
            counts.refused = counts.refused.saturating_add(status.refused);
        }
        counts
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn inspect(owner: Owner<'_>, device: DeviceId, topic: &str, payload: Bytes, arrival: Arrival) -> Result<Frame, FrameRefused> {
    let most = usize::try_from(MAX_FRAME).unwrap_or(usize::MAX);
    let too_long = |bytes: usize| FrameRefused::TooLong { bytes };
    if payload.len() > most.saturating_add(MAX_MESSAGE) {
        return Err(too_long(payload.len()));
    }
    let (header, jpeg) = match owner {
        Owner::Native(topic) => native::split(&topic, payload)?,
        Owner::Pictures { pointer, .. } => (None, payload::jpeg(&payload, pointer).map_err(FrameRefused::NoPicture)?),
        Owner::Nobody => return Err(FrameRefused::Topic),
    };
    if jpeg.len() > most {
        return Err(too_long(jpeg.len()));
    }
    let (width, height) = jpeg::size(&jpeg).map_err(FrameRefused::Spoilt)?;
    Ok(Frame { device, topic: topic.into(), header, width, height, jpeg, received_at_ms: arrival.utc_ms, steady_ms: arrival.steady_ms })
}

impl Desk {
    /// Whether a frame of this camera is taken now; false when it is one too many of its camera.
    fn admit(&mut self, device: &DeviceId, topic: &str, arrival: Arrival, interval_ms: i64) -> Result<bool, FrameRefused> {
        if arrival.retained {
            self.stale = self.stale.saturating_add(1);
            return Ok(false);
        }
        if !self.cameras.contains_key(device) && self.cameras.len() >= MAX_CAMERAS && !self.watched.contains(device) {
            self.refuse(topic, None, &FrameRefused::TooManyCameras, &[], arrival);
            return Err(FrameRefused::TooManyCameras);
        }
        let camera = self.cameras.entry(device.clone()).or_insert_with(|| Camera::new(device, topic, arrival));
        let now = arrival.steady_ms;
        // One frame may come early by an interval, so that a camera which is just as fast as it may be loses none to jitter.
        if camera.due_ms.saturating_sub(now) > interval_ms {
            camera.status.thinned = camera.status.thinned.saturating_add(1);
            return Ok(false);
        }
        camera.due_ms = camera.due_ms.max(now).saturating_add(interval_ms);
        Ok(true)
    }

    fn store(&mut self, frame: Frame, room: usize) {
        let Some(camera) = self.cameras.get_mut(&frame.device) else { return };
        let status = &mut camera.status;
        status.topic = Arc::clone(&frame.topic);
        status.header.clone_from(&frame.header);
        (status.bytes, status.width, status.height) = (frame.jpeg.len(), frame.width, frame.height);
        status.received_at_ms = frame.received_at_ms;
        status.accepted = status.accepted.saturating_add(1);
        if let Some(old) = camera.waiting.take() {
            self.bytes = self.bytes.saturating_sub(old.jpeg.len());
            status.replaced = status.replaced.saturating_add(1);
        } else {
            self.places = self.places.saturating_add(1);
            camera.place = self.places;
        }
        if self.watched.contains(&frame.device) && frame.jpeg.len() <= room {
            self.bytes = self.bytes.saturating_add(frame.jpeg.len());
            camera.waiting = Some(frame);
            while self.bytes > room && self.drop_oldest() {}
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let oldest = self.cameras.values_mut().filter(|camera| camera.waiting.is_some()).min_by_key(|camera| camera.place);
        let Some(camera) = oldest else { return false };
        let Some(frame) = camera.waiting.take() else { return false };
        camera.status.replaced = camera.status.replaced.saturating_add(1);
        self.bytes = self.bytes.saturating_sub(frame.jpeg.len());
        true
    }

    fn refuse(&mut self, topic: &str, device: Option<&DeviceId>, reason: &FrameRefused, payload: &[u8], arrival: Arrival) {
        let reason = reason.to_string();
        match device.and_then(|d| self.cameras.get_mut(d)) {
            Some(Camera { status, .. }) => {
                status.refused = status.refused.saturating_add(1);
                status.received_at_ms = arrival.utc_ms;
                status.last_refused = Some(reason.clone());
            }
            None => self.refused = self.refused.saturating_add(1),
        }
        if self.refusals.len() >= MAX_REFUSALS && !self.refusals.contains_key(topic) {
            // Counted all the same. What has been told may be forgotten.
            let told = self.refusals.iter().filter(|(_, r)| r.refusal.count == 0).min_by_key(|(_, r)| r.told_ms);
            match told.map(|(topic, _)| topic.clone()) {
                Some(old) => self.refusals.remove(&old),
                None => return,
            };
        }
        let refusal = Refusal { topic: topic.to_owned(), reason: String::new(), first: Vec::new(), count: 0 };
        let entry = self.refusals.entry(topic.to_owned()).or_insert(Refused { refusal, told_ms: None });
        entry.refusal.reason = reason;
        entry.refusal.first = payload.get(..FIRST_BYTES).unwrap_or(payload).to_vec();
        entry.refusal.count = entry.refusal.count.saturating_add(1);
    }
}

impl Camera {
    fn new(device: &DeviceId, topic: &str, arrival: Arrival) -> Camera {
        Camera {
            status: CameraStatus {
                device: device.clone(),
                topic: topic.into(),
                header: None,
                bytes: 0,
                width: 0,
                height: 0,
                received_at_ms: arrival.utc_ms,
                accepted: 0,
                replaced: 0,
                thinned: 0,
                refused: 0,
                last_refused: None,
            },
            waiting: None,
            place: 0,
            due_ms: i64::MIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::TopicSpec;
    use super::super::jpeg::tests::markers;
    use super::*;
    use tuoan_protocol::codec::Wire;
    use tuoan_protocol::{DeviceTime, SiteId};

    const TOPIC: &str = "tuoan/v1/xingyuan/cam-1/frame";

    fn jpeg(bytes: usize) -> Vec<u8> {
        markers(640, 480, bytes)
    }

    fn at(ms: i64) -> Arrival {
        Arrival { utc_ms: 1_790_000_000_000 + ms, steady_ms: ms, retained: false }
    }

    fn id(text: &str) -> DeviceId {
        DeviceId::new(text).unwrap()
    }

    fn desk(cameras: &[&str]) -> FrameDesk {
        FrameDesk::watching(Watch { cameras: cameras.iter().map(|c| id(c)).collect(), ..Watch::default() })
    }

    fn framed(camera: u8, picture: &[u8]) -> Bytes {
        let header = FrameHeader {
            site: SiteId::new("xingyuan").unwrap(),
            device: id(&format!("cam-{camera}")),
            boot: 1,
            seq: 7,
            time: DeviceTime::Unix(5),
            width: 640,
            height: 480,
            size: u32::try_from(picture.len()).unwrap(),
        };
        let mut bytes = header.to_cbor_vec().unwrap();
        bytes.extend_from_slice(picture);
        bytes.into()
    }

    #[test]
    fn newest_frame_wins_and_is_taken_once() {
        let desk = desk(&["cam-1"]);
        desk.put(TOPIC, framed(1, &jpeg(100)), at(0)).unwrap();
        desk.put(TOPIC, framed(1, &jpeg(120)), at(1000)).unwrap();
        let [frame] = desk.take_all().try_into().unwrap();
        assert_eq!((frame.jpeg.len(), frame.steady_ms, frame.captured_ms()), (120, 1000, Some(5)));
        assert_eq!((frame.width, frame.height, frame.header.unwrap().seq), (640, 480, 7));
        assert!(desk.take_all().is_empty());
        assert_eq!(desk.counts(), FrameCounts { accepted: 2, replaced: 1, cameras: 1, ..FrameCounts::default() });
    }

    #[test]
    fn nothing_is_kept_of_cameras_that_nobody_watches() {
        for desk in [FrameDesk::new(), desk(&["cam-2"])] {
            desk.put(TOPIC, jpeg(100).into(), at(5)).unwrap();
            let [status] = desk.cameras().try_into().unwrap();
            assert_eq!((status.bytes, status.width, status.header), (100, 640, None));
            assert_eq!(desk.counts().bytes, 0);
            assert!(desk.take_all().is_empty());
        }
    }

    #[test]
    fn refuses_what_is_no_frame_and_keeps_the_reason_and_the_first_bytes() {
        let desk = desk(&["cam-1"]);
        let now = std::cell::Cell::new(0);
        let put = |topic: &str, payload: Bytes| {
            now.set(now.get() + 1000);
            desk.put(topic, payload, at(now.get()))
        };
        let truncated = || Bytes::from(jpeg(100)).slice(..60);
        assert_eq!(put(TOPIC, Bytes::new()), Ok(()), "a cleared retained message says nothing");
        assert!(matches!(put(TOPIC, Bytes::from_static(b"\x00")), Err(FrameRefused::Header(_))));
        assert!(matches!(put(TOPIC, framed(1, b"GIF89a")), Err(FrameRefused::NoPicture(_))));
        assert!(matches!(put(TOPIC, framed(2, &jpeg(90))), Err(FrameRefused::Foreign { .. })));
        assert!(matches!(put(TOPIC, jpeg(5 << 20).into()), Err(FrameRefused::TooLong { .. })));
        assert!(matches!(put("somewhere/else", jpeg(90).into()), Err(FrameRefused::Topic)));
        assert!(matches!(put(TOPIC, truncated()), Err(FrameRefused::Spoilt(jpeg::Spoilt::Truncated))));
        assert_eq!(desk.counts(), FrameCounts { refused: 6, cameras: 1, ..FrameCounts::default() });
        let [status] = desk.cameras().try_into().unwrap();
        assert!(status.refused == 5 && status.last_refused.as_ref().unwrap().contains("ends before"), "{status:?}");

        let told = desk.refusals(now.get());
        assert_eq!(told.iter().map(|r| (r.topic.as_str(), r.count)).collect::<Vec<_>>(), [("somewhere/else", 1), (TOPIC, 5)]);
        assert!(told.iter().all(|r| r.first.len() == FIRST_BYTES) && told[1].reason.contains("ends before"), "{told:?}");
        assert!(put(TOPIC, truncated()).is_err());
        assert!(desk.refusals(now.get()).is_empty(), "told a moment ago");
        assert_eq!(desk.refusals(now.get() + TELL_MS)[0].count, 1);
    }

    #[test]
    fn fast_frames_are_thinned_out_evenly_and_steady_ones_are_not() {
        for (period, want) in [(33, 100..=103), (100, 100..=100), (1000, 10..=10), (5000, 2..=2)] {
            let desk = desk(&["cam-1"]);
            let mut kept = Vec::new();
            for n in 0..10_000 / period {
                // A few milliseconds early or late.
                let now = n * period + (n * 37) % 17 - 8;
                desk.put(TOPIC, jpeg(100).into(), at(now)).unwrap();
                kept.extend(desk.take_all().into_iter().map(|f| f.steady_ms));
            }
            assert!(want.contains(&kept.len()), "{period}: {}", kept.len());
            let widest = kept.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
            assert!(widest <= period.max(100) + 40, "{period}: a gap of {widest}");
            let counts = desk.counts();
            assert_eq!(counts.accepted + counts.thinned, 10_000 / period as u64);
        }
    }

    #[test]
    fn the_camera_that_waits_longest_is_first_however_often_another_sends() {
        let desk = desk(&["slow", "fast"]);
        let put = |camera: &str, ms: i64| desk.put(&format!("tuoan/v1/s/{camera}/frame"), jpeg(100).into(), at(ms)).unwrap();
        put("fast", 0);
        put("slow", 100);
        put("fast", 1000);
        put("fast", 2000);
        let order: Vec<(String, i64)> = desk.take_all().iter().map(|f| (f.device.to_string(), f.steady_ms)).collect();
        assert_eq!(order, [("fast".to_owned(), 2000), ("slow".to_owned(), 100)]);
    }

    #[test]
    fn cameras_and_bytes_are_bounded() {
        let names: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
        let own = desk(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let put = |desk: &FrameDesk, camera: &str, bytes: usize| desk.put(&format!("tuoan/v1/s/{camera}/frame"), jpeg(bytes).into(), at(0));
        for name in &names {
            put(&own, name, 4 << 20).unwrap();
        }
        assert_eq!(own.counts(), FrameCounts { accepted: 20, replaced: 12, cameras: 20, bytes: ROOM, ..FrameCounts::default() });
        assert_eq!(own.take_all().first().unwrap().device.as_str(), "c12", "the newest pictures are the ones kept");
        let mine = desk(&["mine"]);
        for n in 0..MAX_CAMERAS {
            put(&mine, &format!("s{n}"), 90).unwrap();
        }
        assert!(matches!(put(&mine, "more", 90), Err(FrameRefused::TooManyCameras)));
        assert_eq!(put(&mine, "mine", 90), Ok(()), "those of the site file have their places");
        for n in 0..3 * MAX_REFUSALS {
            let _ = mine.put(&format!("nobody/{n}"), jpeg(90).into(), at(0));
        }
        assert_eq!(mine.refusals(0).len(), MAX_REFUSALS);
    }

    #[test]
    fn what_lay_in_the_broker_shows_nothing_of_now() {
        let desk = desk(&["cam-1"]);
        desk.put(TOPIC, jpeg(100).into(), Arrival { retained: true, ..at(0) }).unwrap();
        assert_eq!(desk.counts(), FrameCounts { stale: 1, ..FrameCounts::default() });
    }

    #[test]
    fn a_topic_has_one_owner_and_a_picture_never_goes_to_the_log() {
        let spec = TopicSpec { topic: "esp/{n}".into(), device: "cam.{n}".into(), pointer: None };
        let announced = Announced::default();
        announced.announce("ha/view", &id("ha.view"));
        announced.announce("esp/9", &id("ha.thief"));
        let devices = ["cam.9", "ha.view", "frigate.frigate.hall"];
        let desk = FrameDesk::watching(Watch {
            cameras: devices.iter().map(|d| id(d)).collect(),
            mapped: vec![Mapped::compile(&spec).unwrap()],
            announced,
            fps: 0,
        });
        let base64 = {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.encode(jpeg(100))
        };
        for (topic, device) in [("esp/9", "cam.9"), ("ha/view", "ha.view"), ("frigate/hall/person/snapshot", "frigate.frigate.hall")] {
            for (n, payload) in [Bytes::from(jpeg(100)), Bytes::from(base64.clone())].into_iter().enumerate() {
                assert!(desk.takes(topic, &payload));
                desk.put(topic, payload, at(1000 * n as i64)).unwrap();
                let [frame] = desk.take_all().try_into().unwrap();
                assert_eq!((frame.device.as_str(), &frame.jpeg[..]), (device, &jpeg(100)[..]), "{topic}");
            }
        }
        assert!(desk.takes("anything/at/all", &jpeg(100)) && desk.takes("anything", base64.as_bytes()));
        for (topic, payload) in
            [("zigbee2mqtt/smoke", "{\"smoke\":true}"), ("ha/view", "{\"smoke\":true}"), ("tuoan/v1/s/d/telemetry", "{}")]
        {
            assert!(!desk.takes(topic, payload.as_bytes()), "{topic}");
        }
    }
}
