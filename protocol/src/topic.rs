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
    /// [`crate::firmware::UpdateOffer`], to the device.
    Update,
    /// [`crate::firmware::UpdateChunk`], to the device that asked for it.
    Chunk,
    /// [`crate::firmware::UpdateProgress`], from the device.
    Progress,
    /// [`crate::settings::DeviceSettings`], to the device.
    Settings,
    /// [`crate::settings::SettingsAnswer`], from the device.
    Applied,
}

impl TopicKind {
    pub const ALL: [TopicKind; 10] = [
        Self::Telemetry,
        Self::Event,
        Self::Status,
        Self::Frame,
        Self::Command,
        Self::Update,
        Self::Chunk,
        Self::Progress,
        Self::Settings,
        Self::Applied,
    ];

    /// Said by the gateway alone, and read by the device alone.
    pub fn is_to_device(self) -> bool {
        matches!(self, Self::Command | Self::Update | Self::Chunk | Self::Settings)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Event => "event",
            Self::Status => "status",
            Self::Frame => "frame",
            Self::Command => "command",
            Self::Update => "update",
            Self::Chunk => "chunk",
            Self::Progress => "progress",
            Self::Settings => "settings",
            Self::Applied => "applied",
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
        let kind = TopicKind::ALL.into_iter().find(|k| k.as_str() == kind)?;
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
        for kind in TopicKind::ALL {
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
