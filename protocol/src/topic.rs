//! MQTT topics: `tuoan/v1/<site>/<device>/<kind>`.
use crate::{DeviceId, SiteId};

/// Last level of a native topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// [`crate::Telemetry`], from the device.
    Telemetry,
    /// [`crate::DeviceEvent`], from the device.
    Event,
    /// [`crate::Status`], retained, from the device or as its will.
    Status,
    /// [`crate::FrameHeader`] and JPEG, from a camera.
    Frame,
    /// To the device, from the gateway's outbox.
    Command,
}

impl TopicKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Event => "event",
            Self::Status => "status",
            Self::Frame => "frame",
            Self::Command => "command",
        }
    }
}

/// A native topic, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub site: SiteId,
    pub device: DeviceId,
    pub kind: TopicKind,
}

impl Topic {
    /// `None` when it is no native topic of this version.
    pub fn parse(topic: &str) -> Option<Topic> {
        let mut levels = topic.split('/');
        let (root, version) = (levels.next()?, levels.next()?);
        let (site, device, kind) = (levels.next()?, levels.next()?, levels.next()?);
        if root != "tuoan" || version != "v1" || levels.next().is_some() {
            return None;
        }
        let kind = match kind {
            "telemetry" => TopicKind::Telemetry,
            "event" => TopicKind::Event,
            "status" => TopicKind::Status,
            "frame" => TopicKind::Frame,
            "command" => TopicKind::Command,
            _ => return None,
        };
        Some(Topic { site: SiteId::new(site).ok()?, device: DeviceId::new(device).ok()?, kind })
    }
}

impl core::fmt::Display for Topic {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "tuoan/v1/{}/{}/{}", self.site, self.device, self.kind.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_displays() {
        for kind in [TopicKind::Telemetry, TopicKind::Event, TopicKind::Status, TopicKind::Frame, TopicKind::Command] {
            let topic = Topic { site: SiteId::new("星源").unwrap(), device: DeviceId::new("th-1").unwrap(), kind };
            assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
        }
    }

    #[test]
    fn other_topics_are_none() {
        for topic in [
            "",
            "tuoan/v1/s/d",
            "tuoan/v1/s/d/telemetry/more",
            "tuoan/v2/s/d/telemetry",
            "other/v1/s/d/telemetry",
            "tuoan/v1//d/telemetry",
            "tuoan/v1/$s/d/telemetry",
            "tuoan/v1/s/d/Telemetry",
            "/tuoan/v1/s/d/telemetry",
        ] {
            assert_eq!(Topic::parse(topic), None, "{topic}");
        }
    }
}
