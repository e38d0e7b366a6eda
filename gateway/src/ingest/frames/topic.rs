//! Whose pictures on a topic are.
use super::frigate::{self, Snapshot};
use super::{Announced, Mapped, native, payload};
use tuoan_protocol::DeviceId;
use tuoan_protocol::topic::Topic;

/// The conventions, asked in this order.
#[derive(Debug, Default)]
pub(super) struct Topics {
    pub mapped: Vec<Mapped>,
    pub announced: Announced,
}

/// How the pictures of a topic come.
pub(super) enum Owner<'a> {
    Native(Topic),
    Pictures {
        device: DeviceId,
        pointer: &'a str,
    },
    /// A convention's own, and of no use here.
    Nobody,
}

impl Topics {
    pub fn owner(&self, topic: &str) -> Option<Owner<'_>> {
        if let Some(topic) = native::parse(topic) {
            return Some(Owner::Native(topic));
        }
        if let Some((device, mapped)) = self.mapped.iter().find_map(|m| Some((m.owner(topic)?, m))) {
            return Some(Owner::Pictures { device, pointer: &mapped.pointer });
        }
        let pointer = payload::USUAL_POINTER;
        match frigate::owner(topic) {
            Some(Snapshot::Of(device)) => return Some(Owner::Pictures { device, pointer }),
            Some(Snapshot::Other) => return Some(Owner::Nobody),
            None => {}
        }
        self.announced.owner(topic).map(|device| Owner::Pictures { device, pointer })
    }

    /// Whether a message is for the desk and never for the log: by its topic, or because it is a picture, whosever it may be.
    pub fn take(&self, topic: &str, payload: &[u8]) -> bool {
        native::is_frame_topic(topic)
            || payload::is_picture(payload)
            || frigate::owner(topic).is_some()
            || self.mapped.iter().any(|m| m.owner(topic).is_some())
    }
}
