//! Camera frames bypass the log: the newest frame of each camera, bounded in number and bytes, acknowledged on hand-over.
//!
//! A desk holds pictures only if somebody takes them ([`FrameDesk::with_pictures`]); otherwise it keeps what the status page shows
//! (header, counts, time of arrival) and forgets the picture at once.
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tuoan_protocol::codec::{CodecError, MAX_MESSAGE};
use tuoan_protocol::frame::MAX_FRAME;
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{DeviceId, FrameHeader, SiteId};

/// Most cameras; frames of further ones are refused.
pub const MAX_CAMERAS: usize = 64;
/// Longest header before the picture, in bytes.
const MAX_HEADER: usize = MAX_MESSAGE;

/// Why a frame was not taken. It is acknowledged all the same: sending it again would not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameRefused {
    #[error("{topic:?} is no frame topic; cameras publish to tuoan/v1/<site>/<device>/frame")]
    Topic { topic: String },
    #[error("the frame of {device} has {bytes} bytes; the longest picture is {MAX_FRAME}")]
    TooLong { device: DeviceId, bytes: usize },
    #[error("the frame of {device} starts with neither a JPEG nor a frame header: {reason}")]
    Header { device: DeviceId, reason: CodecError },
    #[error("what follows the frame header of {device} is no JPEG")]
    NotAJpeg { device: DeviceId },
    #[error("the frame on the topic of {device} says that it comes from {claimed}")]
    Foreign { device: DeviceId, claimed: String },
    #[error("there are {MAX_CAMERAS} cameras already; {device} is one too many")]
    TooManyCameras { device: DeviceId },
}

/// One picture with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub site: SiteId,
    pub device: DeviceId,
    /// `None` for a camera that sends bare JPEGs.
    pub header: Option<FrameHeader>,
    pub jpeg: Bytes,
    /// UTC, milliseconds.
    pub received_at_ms: i64,
}

/// What the status page shows of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraStatus {
    pub site: SiteId,
    pub device: DeviceId,
    /// Of the newest frame; `None` for a camera that sends bare JPEGs.
    pub header: Option<FrameHeader>,
    /// Size of the newest picture.
    pub bytes: usize,
    /// UTC, milliseconds.
    pub received_at_ms: i64,
    pub accepted: u64,
    /// Overwritten by a newer one, or dropped for want of room, before anybody took it.
    pub replaced: u64,
}

/// Frames since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounts {
    pub accepted: u64,
    pub replaced: u64,
    pub refused: u64,
    pub cameras: usize,
    /// Bytes of pictures held.
    pub bytes: usize,
}

struct Camera {
    status: CameraStatus,
    waiting: Option<Frame>,
}

#[derive(Default)]
struct Desk {
    cameras: BTreeMap<DeviceId, Camera>,
    refused: u64,
    bytes: usize,
}

/// Where cameras put their frames. Cheap to clone; all clones are the same desk.
#[derive(Clone, Default)]
pub struct FrameDesk {
    desk: Arc<Mutex<Desk>>,
    /// Most bytes of pictures held; 0: none are.
    room: usize,
}

impl FrameDesk {
    /// A desk that keeps no picture, only what is known about the newest one.
    pub fn new() -> FrameDesk {
        FrameDesk::default()
    }

    /// A desk that keeps the newest picture of each camera until it is taken, `room` bytes at most in all: the picture that has waited
    /// longest goes first.
    pub fn with_pictures(room: usize) -> FrameDesk {
        FrameDesk { desk: Arc::default(), room }
    }

    /// Whether a message on `topic` belongs here and not into the log.
    pub fn is_frame_topic(topic: &str) -> bool {
        topic.ends_with("/frame") && Topic::parse(topic).is_some_and(|t| t.kind == TopicKind::Frame)
    }

    /// Puts a frame on the desk, over an older one of the same camera.
    ///
    /// # Errors
    /// When it is no frame, too long, or of one camera too many. The refusal is counted.
    pub fn put(&self, topic: &str, payload: Bytes, received_at_ms: i64) -> Result<(), FrameRefused> {
        // The payload is inspected before the lock is taken.
        let frame = self.inspect(topic, payload, received_at_ms);
        let mut desk = self.lock();
        let stored = frame.and_then(|frame| desk.store(frame, self.room));
        if stored.is_err() {
            desk.refused = desk.refused.saturating_add(1);
        }
        stored
    }

    fn inspect(&self, topic: &str, payload: Bytes, received_at_ms: i64) -> Result<Frame, FrameRefused> {
        let Some(Topic { site, device, kind: TopicKind::Frame }) = Topic::parse(topic) else {
            return Err(FrameRefused::Topic { topic: topic.chars().take(80).collect() });
        };
        let most = usize::try_from(MAX_FRAME).unwrap_or(usize::MAX).saturating_add(MAX_HEADER);
        if payload.len() > most {
            return Err(FrameRefused::TooLong { device, bytes: payload.len() });
        }
        if is_jpeg(&payload) {
            return Ok(Frame { site, device, header: None, jpeg: payload, received_at_ms });
        }
        let (header, picture) = match FrameHeader::split(&payload) {
            Ok(parts) => parts,
            Err(reason) => return Err(FrameRefused::Header { device, reason }),
        };
        if header.device != device || header.site != site {
            return Err(FrameRefused::Foreign { device, claimed: format!("{}/{}", header.site, header.device) });
        }
        if !is_jpeg(picture) {
            return Err(FrameRefused::NotAJpeg { device });
        }
        let jpeg = payload.slice_ref(picture);
        Ok(Frame { site, device, header: Some(header), jpeg, received_at_ms })
    }

    /// Takes the newest frame of a camera, if one has come since the last call.
    pub fn take(&self, device: &DeviceId) -> Option<Frame> {
        let mut desk = self.lock();
        let frame = desk.cameras.get_mut(device)?.waiting.take()?;
        desk.bytes = desk.bytes.saturating_sub(frame.jpeg.len());
        Some(frame)
    }

    /// Every camera that has sent a frame, ordered by id.
    pub fn cameras(&self) -> Vec<CameraStatus> {
        self.lock().cameras.values().map(|camera| camera.status.clone()).collect()
    }

    pub fn counts(&self) -> FrameCounts {
        let desk = self.lock();
        let mut counts = FrameCounts { accepted: 0, replaced: 0, refused: desk.refused, cameras: desk.cameras.len(), bytes: desk.bytes };
        for camera in desk.cameras.values() {
            counts.accepted = counts.accepted.saturating_add(camera.status.accepted);
            counts.replaced = counts.replaced.saturating_add(camera.status.replaced);
        }
        counts
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn store(&mut self, frame: Frame, room: usize) -> Result<(), FrameRefused> {
        if !self.cameras.contains_key(&frame.device) && self.cameras.len() >= MAX_CAMERAS {
            return Err(FrameRefused::TooManyCameras { device: frame.device });
        }
        let camera = self.cameras.entry(frame.device.clone()).or_insert_with(|| Camera {
            status: CameraStatus {
                site: frame.site.clone(),
                device: frame.device.clone(),
                header: None,
                bytes: 0,
                received_at_ms: frame.received_at_ms,
                accepted: 0,
                replaced: 0,
            },
            waiting: None,
        });
        camera.status.header.clone_from(&frame.header);
        camera.status.bytes = frame.jpeg.len();
        camera.status.received_at_ms = frame.received_at_ms;
        camera.status.accepted = camera.status.accepted.saturating_add(1);
        if let Some(old) = camera.waiting.take() {
            self.bytes = self.bytes.saturating_sub(old.jpeg.len());
            camera.status.replaced = camera.status.replaced.saturating_add(1);
        }
        if frame.jpeg.len() <= room {
            self.bytes = self.bytes.saturating_add(frame.jpeg.len());
            camera.waiting = Some(frame);
            while self.bytes > room && self.drop_oldest() {}
        }
        Ok(())
    }

    fn drop_oldest(&mut self) -> bool {
        let oldest = self
            .cameras
            .values_mut()
            .filter(|camera| camera.waiting.is_some())
            .min_by_key(|camera| camera.waiting.as_ref().map_or(i64::MAX, |frame| frame.received_at_ms));
        let Some(camera) = oldest else { return false };
        let Some(frame) = camera.waiting.take() else { return false };
        camera.status.replaced = camera.status.replaced.saturating_add(1);
        self.bytes = self.bytes.saturating_sub(frame.jpeg.len());
        true
    }
}

fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8, 0xFF])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_protocol::DeviceTime;
    use tuoan_protocol::codec::Wire;

    const TOPIC: &str = "tuoan/v1/xingyuan/cam-1/frame";

    fn jpeg(n: usize) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF];
        bytes.resize(n, 0);
        bytes
    }

    fn framed(camera: u8, picture: &[u8]) -> Bytes {
        let header = FrameHeader {
            site: SiteId::new("xingyuan").unwrap(),
            device: DeviceId::new(&format!("cam-{camera}")).unwrap(),
            boot: 1,
            seq: 7,
            time: DeviceTime::Uptime(5),
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
        let desk = FrameDesk::with_pictures(1000);
        desk.put(TOPIC, framed(1, &jpeg(10)), 1).unwrap();
        desk.put(TOPIC, framed(1, &jpeg(20)), 2).unwrap();
        let device = DeviceId::new("cam-1").unwrap();
        let frame = desk.take(&device).unwrap();
        assert_eq!((frame.jpeg.len(), frame.received_at_ms, frame.header.unwrap().seq), (20, 2, 7));
        assert!(desk.take(&device).is_none());
        assert_eq!(desk.counts(), FrameCounts { accepted: 2, replaced: 1, refused: 0, cameras: 1, bytes: 0 });
    }

    #[test]
    fn bare_jpeg_is_a_frame_and_nothing_is_kept_without_a_taker() {
        let desk = FrameDesk::new();
        desk.put(TOPIC, jpeg(30).into(), 5).unwrap();
        let [status] = desk.cameras().try_into().unwrap();
        assert_eq!((status.bytes, status.received_at_ms, status.header), (30, 5, None));
        assert_eq!(desk.counts().bytes, 0);
        assert!(desk.take(&status.device).is_none());
    }

    #[test]
    fn refuses_what_is_no_frame() {
        let desk = FrameDesk::new();
        assert!(matches!(desk.put(TOPIC, Bytes::new(), 0), Err(FrameRefused::Header { .. })));
        assert!(matches!(desk.put(TOPIC, framed(1, b"GIF89a"), 0), Err(FrameRefused::NotAJpeg { .. })));
        assert!(matches!(desk.put(TOPIC, framed(2, &jpeg(9)), 0), Err(FrameRefused::Foreign { .. })));
        assert!(matches!(desk.put("tuoan/v1/xingyuan/cam-1/event", framed(1, &jpeg(9)), 0), Err(FrameRefused::Topic { .. })));
        assert!(matches!(desk.put(TOPIC, jpeg(5 << 20).into(), 0), Err(FrameRefused::TooLong { .. })));
        assert_eq!(desk.counts(), FrameCounts { refused: 5, ..FrameCounts::default() });
    }

    #[test]
    fn cameras_and_bytes_are_bounded() {
        let desk = FrameDesk::with_pictures(100);
        for camera in 0..MAX_CAMERAS {
            desk.put(&format!("tuoan/v1/xingyuan/c{camera}/frame"), jpeg(40).into(), i64::try_from(camera).unwrap()).unwrap();
        }
        assert!(matches!(desk.put("tuoan/v1/xingyuan/more/frame", jpeg(40).into(), 0), Err(FrameRefused::TooManyCameras { .. })));
        assert_eq!(desk.counts(), FrameCounts { accepted: 64, replaced: 62, refused: 1, cameras: 64, bytes: 80 });
        assert!(desk.take(&DeviceId::new("c63").unwrap()).is_some(), "the newest pictures are the ones kept");
        assert!(desk.take(&DeviceId::new("c0").unwrap()).is_none());
    }
}
