//! Messages that came before anything said whose they are: retained ones come in no order, so a device's may come before its bridge's.
//! Decoded again, they count as retained: state, never news, since nobody knows how long they have waited.
use super::Raw;
use std::collections::VecDeque;

/// Messages kept; the oldest goes first.
const MAX_MESSAGES: usize = 256;
/// Longest payload that is kept.
const MAX_PAYLOAD: usize = 8 << 10;

#[derive(Debug)]
pub struct Held {
    pub topic: String,
    pub payload: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Early(VecDeque<Held>);

impl Early {
    /// Keeps the newest message of each topic.
    pub fn keep(&mut self, raw: Raw<'_>) {
        if raw.payload.len() > MAX_PAYLOAD || raw.payload.is_empty() || raw.topic.len() > 256 {
            return;
        }
        self.0.retain(|held| held.topic != raw.topic);
        if self.0.len() >= MAX_MESSAGES {
            self.0.pop_front();
        }
        self.0.push_back(Held { topic: raw.topic.to_owned(), payload: raw.payload.to_vec() });
    }

    /// Those below `root`, in the order in which they came.
    pub fn take(&mut self, root: &str) -> Vec<Held> {
        let (taken, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.0).into_iter().partition(|held| held.topic.starts_with(root));
        self.0 = kept;
        taken.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_topic_is_kept_and_no_more_than_so_many() {
        let mut early = Early::default();
        fn raw<'a>(topic: &'a str, payload: &'a [u8]) -> Raw<'a> {
            Raw { topic, payload, retained: true }
        }
        early.keep(raw("a/x", b"1"));
        early.keep(raw("b/x", b"1"));
        early.keep(raw("a/x", b"2"));
        early.keep(raw("a/y", &[b'x'; MAX_PAYLOAD + 1]));
        let taken = early.take("a/");
        assert_eq!(taken.iter().map(|h| (h.topic.as_str(), h.payload.as_slice())).collect::<Vec<_>>(), [("a/x", b"2".as_slice())]);
        for i in 0..MAX_MESSAGES + 5 {
            let topic = format!("c/{i}");
            early.keep(raw(&topic, b"1"));
        }
        assert_eq!(early.take("").len(), MAX_MESSAGES);
    }
}
