//! Camera frames: whose a picture is, whether it is whole, and the desk where the newest of each camera waits to be looked at.
//!
//! | file | holds |
//! |---|---|
//! | `desk.rs` | the newest frame of each camera, bounded in cameras, rate and bytes; what was refused |
//! | `topic.rs` | whose a topic is |
//! | `native.rs` | `tuoan/v1/<site>/<device>/frame`: CBOR header and JPEG, or a bare JPEG |
//! | `mapped.rs` | `[[vision.topic]]`: any camera that publishes pictures on a topic of its own (ESP32-CAM) |
//! | `frigate.rs` | `<base>/<camera>/<object>/snapshot` |
//! | `announced.rs` | cameras and images of Home Assistant's discovery |
//! | `payload.rs` | bare bytes, base64, `data:` URL, JSON |
//! | `jpeg.rs` | whether a JPEG is whole and of a size that may be decoded |
//!
//! What must hold: a topic has one owner, and no convention feeds another's camera. Frames bypass the log, and no byte of a picture is ever
//! written to disk on this way: not to the quarantine (the reason and the first [`FIRST_BYTES`] bytes, a JPEG's header, are), not as a retained
//! message. That holds for pictures on topics that are no camera's, too.
mod announced;
mod desk;
mod frigate;
pub mod jpeg;
mod mapped;
mod native;
mod payload;
mod topic;

pub use announced::Announced;
pub use desk::{Arrival, CameraStatus, FrameCounts, FrameDesk, MAX_CAMERAS, MAX_FPS, Watch};
pub use mapped::{Mapped, TopicSpec};
pub use native::is_frame_topic;
pub use payload::{NoPicture, is_picture};

use bytes::Bytes;
use jpeg::Spoilt;
use std::sync::Arc;
use tuoan_protocol::codec::CodecError;
use tuoan_protocol::frame::MAX_FRAME;
use tuoan_protocol::{DeviceId, DeviceTime, FrameHeader};

/// Bytes of a refused payload that are kept: its header, by which its kind is recognised. No picture content is among them.
pub const FIRST_BYTES: usize = 32;

/// One picture with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub device: DeviceId,
    pub topic: Arc<str>,
    /// `None` for a camera that sends bare pictures.
    pub header: Option<FrameHeader>,
    /// Pixels, by the picture itself.
    pub width: u16,
    pub height: u16,
    pub jpeg: Bytes,
    /// UTC, milliseconds.
    pub received_at_ms: i64,
    /// The same moment by the clock that never jumps, milliseconds from an arbitrary start.
    pub steady_ms: i64,
}

impl Frame {
    /// UTC milliseconds by the camera's own clock, where it has one.
    pub fn captured_ms(&self) -> Option<i64> {
        match self.header.as_ref()?.time {
            DeviceTime::Unix(ms) => Some(ms),
            DeviceTime::Uptime(_) => None,
        }
    }
}

/// Why a frame was not taken. It is acknowledged all the same: sending it again would not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameRefused {
    #[error("a picture on a topic that is no camera's; cameras publish to tuoan/v1/<site>/<device>/frame, others need a [[vision.topic]]")]
    Topic,
    #[error("the picture has {bytes} bytes; the longest that is taken has {MAX_FRAME}: lower the camera's resolution or quality")]
    TooLong { bytes: usize },
    #[error("it starts with neither a JPEG nor a frame header: {0}")]
    Header(CodecError),
    #[error("the payload {0}")]
    NoPicture(NoPicture),
    #[error("the picture {0}")]
    Spoilt(Spoilt),
    #[error("the picture cannot be decoded: {0}")]
    Undecodable(String),
    #[error("it says that it comes from {claimed}; a camera publishes on its own topic only")]
    Foreign { claimed: String },
    #[error("there are {MAX_CAMERAS} cameras already; place this one in the site file, or switch others off")]
    TooManyCameras,
}

/// A refused frame as it is told: to the quarantine, at most once a minute for each topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub topic: String,
    pub reason: String,
    /// At most [`FIRST_BYTES`].
    pub first: Vec<u8>,
    /// Of this topic since it was told last, this one included.
    pub count: u64,
}
