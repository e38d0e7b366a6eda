//! Topics that Home Assistant's discovery has announced as a camera's or an image's (`decode/homeassistant.rs`).
use super::MAX_CAMERAS;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tuoan_protocol::DeviceId;

/// Written by the decoders, read where frames come in. Cheap to clone; all clones are the same table.
///
/// What must hold: only what looks like a picture is taken on such a topic. Whoever may publish discovery could otherwise announce the topic of a
/// smoke detector, and its alarms would end here.
#[derive(Debug, Clone, Default)]
pub struct Announced(Arc<RwLock<BTreeMap<String, DeviceId>>>);

impl Announced {
    /// Pictures on `topic` are the device's. A device has one such topic, the first: two views in turn would be no camera. False when it has one
    /// already, or when there are too many.
    pub fn announce(&self, topic: &str, device: &DeviceId) -> bool {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let free = match table.get(topic) {
            Some(owner) => owner == device,
            None => table.len() < MAX_CAMERAS && !topic.contains(['+', '#']) && !table.values().any(|d| d == device),
        };
        if free {
            table.insert(topic.to_owned(), device.clone());
        }
        free
    }
    pub fn withdraw(&self, topic: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }
    pub(super) fn owner(&self, topic: &str) -> Option<DeviceId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_and_a_device_belong_to_each_other() {
        let id = |s: &str| DeviceId::new(s).unwrap();
        let table = Announced::default();
        assert!(table.announce("a", &id("ha.x")) && table.announce("a", &id("ha.x")));
        assert!(!table.announce("a", &id("ha.y")), "taken");
        assert!(!table.announce("b", &id("ha.x")), "a second view");
        assert!(!table.announce("c/#", &id("ha.z")));
        assert_eq!(table.owner("a"), Some(id("ha.x")));
        table.withdraw("a");
        assert!(table.owner("a").is_none() && table.announce("b", &id("ha.x")));
        for n in 0..2 * MAX_CAMERAS {
            table.announce(&format!("t{n}"), &id(&format!("ha.t{n}")));
        }
        assert!(table.owner(&format!("t{}", 2 * MAX_CAMERAS - 1)).is_none(), "bounded");
    }
}
