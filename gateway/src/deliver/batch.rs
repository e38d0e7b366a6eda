//! Encoded records on their way to one sink, in one buffer: any part of it can be taken without copying or encoding again.
use bytes::Bytes;
use std::ops::Range;
use tuoan_protocol::EventId;

/// One encoded record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Sequence (alerts) or position (metrics) of the record.
    pub key: u64,
    /// By which the receiver knows it, where it does.
    pub id: Option<EventId>,
    /// Offset in the batch's buffer behind its last byte.
    end: usize,
}

/// Parcels in order of their keys.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    bytes: Bytes,
    /// Offset of the first parcel's first byte.
    start: usize,
    parcels: Vec<Parcel>,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.parcels.len()
    }
    pub fn is_empty(&self) -> bool {
        self.parcels.is_empty()
    }
    pub fn parcels(&self) -> &[Parcel] {
        &self.parcels
    }
    /// All parcels' bytes, one after the other.
    pub fn bytes(&self) -> Bytes {
        let end = self.parcels.last().map_or(self.start, |p| p.end);
        self.bytes.slice(self.start..end)
    }
    /// The parcels of that range of indices; an index beyond the end is the end.
    pub fn part(&self, range: Range<usize>) -> Batch {
        let start = match range.start.checked_sub(1) {
            None => self.start,
            Some(before) => self.parcels.get(before).or(self.parcels.last()).map_or(self.start, |p| p.end),
        };
        let end = range.end.min(self.len());
        let parcels = self.parcels.get(range.start..end).unwrap_or_default().to_vec();
        Batch { bytes: self.bytes.clone(), start, parcels }
    }
}

/// Collects parcels.
#[derive(Debug, Default)]
pub struct Builder {
    buffer: Vec<u8>,
    parcels: Vec<Parcel>,
}

impl Builder {
    /// Appends what `encode` writes as one parcel; nothing written gives no parcel, and an error leaves nothing behind.
    pub fn push<E>(&mut self, key: u64, id: Option<EventId>, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let before = self.buffer.len();
        if let Err(e) = encode(&mut self.buffer) {
            self.buffer.truncate(before);
            return Err(e);
        }
        if self.buffer.len() > before {
            self.parcels.push(Parcel { key, id, end: self.buffer.len() });
        }
        Ok(())
    }
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }
    pub fn finish(self) -> Batch {
        Batch { bytes: self.buffer.into(), start: 0, parcels: self.parcels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(texts: &[&str]) -> Batch {
        let mut b = Builder::default();
        for (key, text) in texts.iter().enumerate() {
            b.push(key as u64, None, |to| {
                to.extend_from_slice(text.as_bytes());
                Ok::<_, ()>(())
            })
            .unwrap();
        }
        b.finish()
    }

    #[test]
    fn parts_of_parts_hold_their_own_bytes() {
        let b = batch(&["a", "bb", "", "ccc", "d"]);
        assert_eq!((b.len(), &b.bytes()[..]), (4, &b"abbcccd"[..]));
        let right = b.part(1..4);
        assert_eq!(&right.bytes()[..], b"bbcccd");
        assert_eq!(&right.part(1..2).bytes()[..], b"ccc");
        assert_eq!(right.part(1..2).parcels()[0].key, 3);
        assert!(right.part(3..9).is_empty() && right.part(3..9).bytes().is_empty());
    }

    #[test]
    fn a_failed_encoding_leaves_nothing() {
        let mut b = Builder::default();
        let failed = b.push(1, None, |to| {
            to.push(b'x');
            Err("no")
        });
        assert_eq!(failed, Err("no"));
        assert!(b.finish().bytes().is_empty());
    }
}
