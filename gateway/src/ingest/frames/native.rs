//! The product's own topic, `tuoan/v1/<site>/<device>/frame`: a header in CBOR and the JPEG behind it, or a bare JPEG.
use super::FrameRefused;
use super::payload::NoPicture;
use bytes::Bytes;
use tuoan_protocol::FrameHeader;
use tuoan_protocol::topic::{Topic, TopicKind};

/// Whether it is such a topic.
pub fn is_frame_topic(topic: &str) -> bool {
    parse(topic).is_some()
}

pub(super) fn parse(topic: &str) -> Option<Topic> {
    // Most topics are dismissed by their end.
    if !topic.ends_with("/frame") {
        return None;
    }
    Topic::parse(topic).filter(|t| t.kind == TopicKind::Frame)
}

/// Header and picture.
pub(super) fn split(topic: &Topic, payload: Bytes) -> Result<(Option<FrameHeader>, Bytes), FrameRefused> {
    if payload.starts_with(&[0xFF, 0xD8]) {
        return Ok((None, payload));
    }
    let (header, picture) = FrameHeader::split(&payload).map_err(FrameRefused::Header)?;
    // The topic is what the broker's access rules judged.
    if header.device != topic.device || header.site != topic.site {
        return Err(FrameRefused::Foreign { claimed: format!("{}/{}", header.site, header.device) });
    }
    if !picture.starts_with(&[0xFF, 0xD8]) {
        return Err(FrameRefused::NoPicture(NoPicture::Unknown));
    }
    let jpeg = payload.slice_ref(picture);
    Ok((Some(header), jpeg))
}
