//! Device ids made of foreign names, and ids that are only known for the time being.
use crate::engine::input::{Body, DeviceInfo, Item, Message};
use std::collections::BTreeMap;
use tuoan_protocol::DeviceId;

/// `<prefix><name>`, with what an id may not hold replaced; then, and when it is too long, a hash keeps `a b` and `a_b` apart.
pub fn device_id(prefix: &str, name: &str) -> Option<DeviceId> {
    if name.is_empty() {
        return None;
    }
    if let Ok(id) = DeviceId::new(&format!("{prefix}{name}")) {
        return Some(id);
    }
    let mut clean = prefix.to_owned();
    for c in name.chars() {
        let c = if c.is_control() || c.is_whitespace() || matches!(c, '/' | '+' | '#' | '"' | '\\') { '_' } else { c };
        if clean.len() + c.len_utf8() > DeviceId::MAX - 9 {
            break;
        }
        clean.push(c);
    }
    DeviceId::new(&format!("{clean}~{:08x}", fnv1a(name) >> 32)).ok()
}

/// FNV-1a, 64 bits.
pub(super) fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn removed(device: DeviceId) -> DeviceInfo {
    DeviceInfo { device: Some(device), removed: true, ..DeviceInfo::default() }
}

/// Bytes of a name, make or model that are kept.
const MAX_TEXT: usize = 96;

/// A text that may be kept in the log; `None` when nothing is left of it.
pub(super) fn short(mut text: String) -> Option<String> {
    text.retain(|c| !c.is_control());
    let end = text.char_indices().map(|(i, c)| i + c.len_utf8()).take_while(|end| *end <= MAX_TEXT).last().unwrap_or(0);
    text.truncate(end);
    if text.trim().is_empty() { None } else { Some(text) }
}

/// Ids that devices have until their real one is known, and the states that they last reported under them. When the real one comes, the
/// provisional id is announced as removed, so that no device stands twice in the inventory, and what it last said is said again: nobody places
/// a device by a provisional id, so an alarm would go unjudged.
#[derive(Debug, Default)]
pub struct Provisional {
    states: BTreeMap<DeviceId, Option<Message>>,
}

impl Provisional {
    /// Ids kept at most.
    pub const MAX: usize = 1000;

    /// An id from the inventory of an earlier run.
    pub fn learn(&mut self, id: &DeviceId) {
        if self.states.len() < Self::MAX {
            self.states.entry(id.clone()).or_insert(None);
        }
    }
    /// A message goes out under a provisional id.
    pub fn note(&mut self, message: &Message) {
        if self.states.len() >= Self::MAX && !self.states.contains_key(&message.device) {
            return;
        }
        // What was momentary is over when the real id comes. The newest of each state counts, whichever message it came in.
        let mut merged = message.clone();
        merged.items.retain(|item| !matches!(item, Item::Event { .. }));
        if let Some(Some(before)) = self.states.get(&message.device) {
            let fresh = merged.items.clone();
            let kept = before.items.iter().filter(|old| !fresh.iter().any(|new| same_slot(old, new)));
            merged.items.extend(kept.take(crate::decode::MAX_ITEMS).cloned());
        }
        self.states.insert(message.device.clone(), Some(merged));
    }
    pub fn contains(&self, id: &DeviceId) -> bool {
        self.states.contains_key(id)
    }
    /// `ghost` turned out to be `real`: what is to be told, the removal first. Nothing when `ghost` was never said.
    pub fn resolve(&mut self, ghost: &DeviceId, real: &DeviceId) -> Vec<Body> {
        let Some(states) = self.states.remove(ghost) else { return Vec::new() };
        let mut bodies = vec![Body::Inventory(vec![removed(ghost.clone())])];
        bodies.extend(states.map(|m| Body::Message(Message { device: real.clone(), ..m })));
        bodies
    }
    /// It was none of a device; true if it had been said.
    pub fn forget(&mut self, id: &DeviceId) -> bool {
        self.states.remove(id).is_some()
    }
    /// `old` is called `new` from now on, and what it really is, is still not known.
    pub fn rename(&mut self, old: &DeviceId, new: &DeviceId) -> Vec<Body> {
        let states = self.states.get(old).cloned().flatten();
        let bodies = self.resolve(old, new);
        if let Some(m) = states {
            self.note(&Message { device: new.clone(), ..m });
        }
        bodies
    }
    pub fn len(&self) -> usize {
        self.states.len()
    }
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

fn same_slot(a: &Item, b: &Item) -> bool {
    match (a, b) {
        (Item::Reading { quantity: q, channel: c, .. }, Item::Reading { quantity: p, channel: d, .. }) => q == p && c == d,
        (Item::Presence(_), Item::Presence(_)) => true,
        _ => false,
    }
}
