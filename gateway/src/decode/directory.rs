//! Who is who across conventions: hardware addresses, and what discovery says of topics that do not say it themselves.
//!
//! What must hold: it only ever *describes*. No entry lets one convention speak for a device of another; that is [`super::Decoders`]' to judge
//! by the prefixes of ids. It is bounded, and what is full is not overwritten: a flood of invented names displaces nobody.
use super::switches::Switches;
use super::units::Conversion;
use crate::ingest::frames::Announced as Pictures;
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::{DeviceId, Quantity};

/// Hardware addresses kept at most.
const MAX_ADDRESSES: usize = 4096;
/// Topics kept at most whose meaning was announced.
const MAX_ANNOUNCED: usize = 8192;
/// Devices kept at most that were described by their own convention.
const MAX_DESCRIBED: usize = 4096;

/// What discovery announced of a topic that carries one bare value.
#[derive(Debug, Clone, PartialEq)]
pub struct Announced {
    /// The device that it is said to be of; its own decoder decides whether that may be.
    pub device: DeviceId,
    /// `None`: of no use to the engine (a version, an uptime).
    pub quantity: Option<Quantity>,
    pub conversion: Conversion,
    pub channel: u8,
    /// Swap 0 and 1.
    pub invert: bool,
}

/// Shared by all decoders.
#[derive(Debug, Default)]
pub struct Directory {
    addresses: BTreeMap<String, DeviceId>,
    announced: BTreeMap<String, Announced>,
    described: BTreeSet<DeviceId>,
    /// Topics below which a decoder has just learned that all is its.
    roots: Vec<String>,
    /// UTC milliseconds at which what is being decoded was received; `None` where nobody says (a capture that is read from a file).
    pub(super) received: Option<i64>,
    /// Topics that carry pictures: where messages come in they are told from the others.
    pub(super) pictures: Pictures,
    /// How devices are switched, for those who give orders.
    pub(super) switches: Switches,
}

impl Directory {
    /// Notes that `device` has this hardware address (MAC or IEEE, in any notation; anything else is passed over). The first one stays:
    /// an address is not taken away from a device by another that claims it later.
    pub fn claim(&mut self, address: &str, device: &DeviceId) {
        if let Some(key) = hardware_address(address)
            && (self.addresses.len() < MAX_ADDRESSES || self.addresses.contains_key(&key))
        {
            self.addresses.entry(key).or_insert_with(|| device.clone());
        }
    }
    /// The device with this hardware address, as the convention knows it that it speaks natively.
    pub fn by_address(&self, address: &str) -> Option<&DeviceId> {
        self.addresses.get(&hardware_address(address)?)
    }
    /// The device is gone, or was another one's provisional id.
    pub fn forget(&mut self, device: &DeviceId) {
        self.addresses.retain(|_, d| d != device);
        self.described.remove(device);
    }
    /// Its own convention has said make or model: foreign descriptions add nothing.
    pub fn is_described(&self, device: &DeviceId) -> bool {
        self.described.contains(device)
    }
    pub(super) fn describe(&mut self, device: &DeviceId) {
        if self.described.len() < MAX_DESCRIBED && !self.described.contains(device) {
            self.described.insert(device.clone());
        }
    }
    /// All below `root` (with its slash) is the caller's from now on: what came too early is decoded again.
    pub fn learned_root(&mut self, root: &str) {
        if self.roots.len() < 8 {
            self.roots.push(root.to_owned());
        }
    }
    pub(super) fn take_roots(&mut self) -> Vec<String> {
        std::mem::take(&mut self.roots)
    }
    /// What discovery says of a topic.
    pub fn announced(&self, topic: &str) -> Option<&Announced> {
        self.announced.get(topic)
    }
    pub(super) fn announce(&mut self, topic: &str, what: Announced) {
        if self.announced.len() < MAX_ANNOUNCED || self.announced.contains_key(topic) {
            self.announced.insert(topic.to_owned(), what);
        }
    }
    pub(super) fn withdraw(&mut self, topic: &str) {
        self.announced.remove(topic);
    }
}

/// Twelve (MAC) or sixteen (IEEE 802.15.4) lower-case hexadecimal digits, of `AA:BB:CC:DD:EE:FF`, `aabbccddeeff`, `0x00158d0001234567`.
pub fn hardware_address(text: &str) -> Option<String> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let mut key = String::with_capacity(16);
    for c in text.chars() {
        match c {
            ':' | '-' | '.' => {}
            c if c.is_ascii_hexdigit() && key.len() < 16 => key.push(c.to_ascii_lowercase()),
            _ => return None,
        }
    }
    // All zeros or ones is what a chip says that has none.
    let blank = key.bytes().all(|b| b == b'0') || key.bytes().all(|b| b == b'f');
    (matches!(key.len(), 12 | 16) && !blank).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_many_notations_and_one_owner() {
        for (text, want) in [
            ("AA:BB:CC:00:11:22", Some("aabbcc001122")),
            ("aa-bb-cc-00-11-22", Some("aabbcc001122")),
            ("0x00158D0001234567", Some("00158d0001234567")),
            ("00:00:00:00:00:00", None),
            ("kitchen", None),
            ("aabbcc00112", None),
            ("aabbcc00112233445", None),
            ("", None),
        ] {
            assert_eq!(hardware_address(text).as_deref(), want, "{text}");
        }
        let id = |s| DeviceId::new(s).unwrap();
        let mut d = Directory::default();
        d.claim("AA:BB:CC:00:11:22", &id("shelly.a"));
        d.claim("aabbcc001122", &id("tasmota.b"));
        assert_eq!(d.by_address("aabbcc001122"), Some(&id("shelly.a")));
        d.forget(&id("shelly.a"));
        assert_eq!(d.by_address("aabbcc001122"), None);
    }

    #[test]
    fn it_is_bounded() {
        let mut d = Directory::default();
        for i in 0..MAX_ADDRESSES + 10 {
            d.claim(&format!("a1{i:010x}"), &DeviceId::new("x.y").unwrap());
        }
        assert_eq!(d.addresses.len(), MAX_ADDRESSES);
        assert!(d.by_address("a10000000000").is_some(), "the first is not displaced");
    }
}
