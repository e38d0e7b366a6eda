//! What stands before a camera's JPEG on `.../frame`: CBOR header, then the picture's bytes.
use crate::{DeviceId, DeviceTime, SiteId};

/// Longest picture accepted, in bytes.
pub const MAX_FRAME: u32 = 4 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameHeader {
    pub site: SiteId,
    pub device: DeviceId,
    pub boot: u64,
    pub seq: u64,
    pub time: DeviceTime,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Bytes of the JPEG that follows the header.
    pub size: u32,
}
