//! The newest committed entries in memory, so that sinks that keep up do not read them back from the disk.
use super::{Entries, Entry};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Entries kept; about 4 MiB of usual messages.
const CAPACITY: usize = 16_384;

#[derive(Debug, Default)]
pub struct Ring(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Each not empty; positions are consecutive over all of them.
    chunks: VecDeque<Arc<Vec<Entry>>>,
    len: usize,
}

impl Ring {
    /// Takes what was just committed.
    pub fn push(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.len += entries.len();
        inner.chunks.push_back(Arc::new(entries));
        while inner.len > CAPACITY && inner.chunks.len() > 1 {
            let gone = inner.chunks.pop_front().map_or(0, |c| c.len());
            inner.len -= gone;
        }
    }
    /// Up to `limit` entries after `position`; `None` when the first of them is no longer here (or nothing is).
    pub fn after(&self, position: u64, limit: usize) -> Option<Entries> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = inner.chunks.front()?.first()?.position;
        if position.saturating_add(1) < oldest {
            return None;
        }
        // The first chunk that holds something newer.
        let start = inner.chunks.partition_point(|c| c.last().is_some_and(|e| e.position <= position));
        let (mut chunks, mut left) = (Vec::new(), limit);
        for chunk in inner.chunks.range(start..) {
            if left == 0 {
                break;
            }
            let from = chunk.partition_point(|e| e.position <= position);
            let to = chunk.len().min(from.saturating_add(left));
            left -= to - from;
            chunks.push((Arc::clone(chunk), from..to));
        }
        Some(Entries { chunks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Body;

    fn entries(range: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
        range.map(|position| Entry { position, at: 0, message: true, body: Body::Started { down_from: 0 } }).collect()
    }
    fn positions(e: &Entries) -> Vec<u64> {
        e.iter().map(|e| e.position).collect()
    }

    #[test]
    fn gives_what_it_has_and_admits_what_it_has_not() {
        let ring = Ring::default();
        assert!(ring.after(0, 10).is_none(), "empty: the disk may know more");
        ring.push(entries(5..=7));
        ring.push(Vec::new());
        ring.push(entries(8..=9));
        assert!(ring.after(3, 10).is_none());
        assert_eq!(positions(&ring.after(4, 10).unwrap()), [5, 6, 7, 8, 9]);
        assert_eq!(positions(&ring.after(5, 3).unwrap()), [6, 7, 8]);
        assert_eq!(positions(&ring.after(7, 3).unwrap()), [8, 9]);
        let none = ring.after(9, 3).unwrap();
        assert!(none.is_empty() && none.last_position().is_none());
        assert!(ring.after(u64::MAX, 3).unwrap().is_empty());
    }

    #[test]
    fn is_bounded() {
        let ring = Ring::default();
        for n in 0..40u64 {
            ring.push(entries(n * 1000 + 1..=n * 1000 + 1000));
        }
        assert!(ring.0.lock().unwrap().len <= CAPACITY);
        assert!(ring.after(0, 1).is_none());
        assert_eq!(positions(&ring.after(39_999, 5).unwrap()), [40_000]);
    }
}
