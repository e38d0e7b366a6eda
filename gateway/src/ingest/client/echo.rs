//! Our own commands come back when our subscriptions cover their topics (MQTT 3.1.1 has no "no local"): they are not news.
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use tuoan_protocol::topic::Topic;

/// Commands remembered. A device seldom has more than one under way.
const REMEMBERED: usize = 256;

#[derive(Default)]
pub(super) struct Echoes {
    hasher: RandomState,
    sent: Mutex<VecDeque<u64>>,
}

impl Echoes {
    fn mark(&self, topic: &str, payload: &[u8]) -> u64 {
        self.hasher.hash_one((topic, payload))
    }

    /// Must be called before the message is sent.
    pub(super) fn sending(&self, topic: &str, payload: &[u8]) {
        let mark = self.mark(topic, payload);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if !sent.contains(&mark) {
            if sent.len() >= REMEMBERED {
                sent.pop_front();
            }
            sent.push_back(mark);
        }
    }

    /// A command of this gateway (or of another one: devices never publish to command topics).
    pub(super) fn is_ours(&self, topic: &str, payload: &[u8]) -> bool {
        if topic.starts_with("tuoan/") && Topic::parse(topic).is_some_and(|t| t.kind.is_to_device()) {
            return true;
        }
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        !sent.is_empty() && sent.contains(&self.mark(topic, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_commands_and_forgets_the_oldest() {
        let echoes = Echoes::default();
        assert!(echoes.is_ours("tuoan/v1/xingyuan/siren-1/command", b"x"));
        assert!(!echoes.is_ours("zigbee2mqtt/siren/set", b"on"));
        echoes.sending("zigbee2mqtt/siren/set", b"on");
        assert!(echoes.is_ours("zigbee2mqtt/siren/set", b"on"));
        assert!(!echoes.is_ours("zigbee2mqtt/siren/set", b"off"));
        for i in 0..REMEMBERED {
            echoes.sending("t", i.to_string().as_bytes());
        }
        assert!(!echoes.is_ours("zigbee2mqtt/siren/set", b"on"));
    }
}
