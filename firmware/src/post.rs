//! Where everything that is to be told goes in: it gets its time, becomes bytes, waits in the outbox, and the link is woken.
use crate::clock::Wall;
use crate::outbox::{Lane, Outbox};
use crate::record::{Body, MAX_RECORD, Record, Stamp};
use crate::sensor::Sample;
use crate::signal::Signal;
use core::cell::Cell;
use core::fmt::Write;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use tuoan_protocol::{EventKind, OtherName};

type Bytes = heapless::Vec<u8, MAX_RECORD>;

/// Shared by the node's parts, which run in one task.
pub struct Post<O> {
    pub(crate) outbox: Mutex<NoopRawMutex, O>,
    /// Something new waits, in that lane.
    pub(crate) news: Signal<()>,
    /// Something waits that should not wait for a backoff to end.
    pub(crate) urgent: Signal<()>,
    pub wall: Wall,
    /// Number of this start of the node; never used before.
    pub boot: u64,
    /// Records too long to be kept.
    refused: Cell<u32>,
}

impl<O: Outbox> Post<O> {
    /// `boot` must never have been used by this device before.
    pub fn new(outbox: O, boot: u64) -> Post<O> {
        Post { outbox: Mutex::new(outbox), news: Signal::new(), urgent: Signal::new(), wall: Wall::new(), boot, refused: Cell::new(0) }
    }

    /// Bytes are made at once, by this and the next two, so that what waits for the outbox is small.
    pub fn readings(&self, lane: Lane, at_ms: u64, sample: Sample) -> impl Future<Output = ()> + use<'_, O> {
        let bytes = if sample.is_empty() { None } else { self.encode(at_ms, Body::Readings(sample)) };
        self.put(lane, bytes)
    }

    pub fn event(&self, at_ms: u64, kind: EventKind, command: Option<u64>) -> impl Future<Output = ()> + use<'_, O> {
        self.put(Lane::Alarm, self.encode(at_ms, Body::Event(kind, command)))
    }

    /// An event that is kept by name and judged by nobody: `what.name.detail`, cut to what a name takes.
    pub fn note(&self, at_ms: u64, what: &str, name: &str, detail: &str) -> impl Future<Output = ()> + use<'_, O> {
        let mut text = heapless::String::<{ OtherName::MAX }>::new();
        // What does not fit is left out: the front tells most.
        let _ = write!(text, "{what}.{name}.").and_then(|()| detail.chars().try_for_each(|c| text.write_char(c)));
        let name = OtherName::new(text.trim_end_matches('.')).ok();
        self.put(Lane::Alarm, name.and_then(|name| self.encode(at_ms, Body::Event(EventKind::Other(name), None))))
    }

    /// Whether nothing waits in the lane: a periodic report of states is worth sending only then.
    pub async fn is_empty(&self, lane: Lane) -> bool {
        self.outbox.lock().await.held(lane).is_empty()
    }

    /// Records that were never sent, since the node started.
    pub async fn lost(&self) -> u32 {
        self.outbox.lock().await.lost().saturating_add(self.refused.get())
    }

    /// The record with its time; `None` when it is too long, which is counted.
    fn encode(&self, at_ms: u64, body: Body) -> Option<Bytes> {
        let stamp = match self.wall.unix_ms(at_ms) {
            Some(ms) => Stamp::Unix(ms),
            None => Stamp::Uptime { boot: self.boot, ms: at_ms },
        };
        let mut bytes = Bytes::new();
        let _ = bytes.resize(MAX_RECORD, 0);
        match (Record { stamp, body }).encode(&mut bytes) {
            Ok(n) => {
                bytes.truncate(n);
                Some(bytes)
            }
            Err(_) => {
                self.count_refused();
                None
            }
        }
    }

    async fn put(&self, lane: Lane, bytes: Option<Bytes>) {
        let Some(bytes) = bytes else { return };
        self.outbox.lock().await.push(lane, &bytes).await;
        self.news.signal(());
        if lane == Lane::Alarm {
            self.urgent.signal(());
        }
    }

    pub(crate) fn count_refused(&self) {
        self.refused.set(self.refused.get().saturating_add(1));
    }
}
