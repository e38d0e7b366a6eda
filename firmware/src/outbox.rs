//! What waits for the gateway. Alarms have a lane of their own and go first; within a lane the oldest goes first. Something leaves only when the
//! gateway has acknowledged it, or when newer things need its place: that is counted and told.
use core::cell::Cell;
use core::ops::Range;

/// Which of two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Events, changes of a state, faults.
    Alarm,
    /// What was sampled.
    Reading,
}

/// Keeps records (see [`crate::record`]) in order. In RAM: [`RamOutbox`]; one over flash keeps them through a loss of power.
#[allow(async_fn_in_trait)] // One executor, one thread: nothing here has to be `Send`.
pub trait Outbox {
    /// Numbers of the records held: the oldest, and the one that comes next. A number is never given twice while the node runs.
    fn held(&self, lane: Lane) -> Range<u64>;
    /// Takes a record of at most [`crate::record::MAX_RECORD`] bytes in; the oldest of the lane make room.
    async fn push(&mut self, lane: Lane, record: &[u8]);
    /// Copies record `number` to the front of `buf`; how many bytes. `None` when it is not held, or cannot be read.
    async fn read(&mut self, lane: Lane, number: u64, buf: &mut [u8]) -> Option<usize>;
    /// Drops everything up to and with `number`: the gateway has it.
    async fn release(&mut self, lane: Lane, number: u64);
    /// Records that fell out before they were acknowledged, since the node started.
    fn lost(&self) -> u32;
}

/// One that lies elsewhere, as in a `static`: it is too large to be moved over a small stack.
impl<O: Outbox> Outbox for &mut O {
    fn held(&self, lane: Lane) -> Range<u64> {
        (**self).held(lane)
    }
    async fn push(&mut self, lane: Lane, record: &[u8]) {
        (**self).push(lane, record).await;
    }
    async fn read(&mut self, lane: Lane, number: u64, buf: &mut [u8]) -> Option<usize> {
        (**self).read(lane, number, buf).await
    }
    async fn release(&mut self, lane: Lane, number: u64) {
        (**self).release(lane, number).await;
    }
    fn lost(&self) -> u32 {
        (**self).lost()
    }
}

/// Both lanes in RAM: `A` bytes of alarms, `R` bytes of readings. A record of two readings takes about 20 bytes: 24 KiB hold more than 1,000 such, 12 KiB 1,000 readings.
#[derive(Debug)]
pub struct RamOutbox<const A: usize, const R: usize> {
    alarms: Ring<A>,
    readings: Ring<R>,
    lost: Cell<u32>,
}

impl<const A: usize, const R: usize> Default for RamOutbox<A, R> {
    fn default() -> Self {
        Self::new()
    }
}
impl<const A: usize, const R: usize> RamOutbox<A, R> {
    pub const fn new() -> Self {
        Self { alarms: Ring::new(), readings: Ring::new(), lost: Cell::new(0) }
    }
}

impl<const A: usize, const R: usize> Outbox for RamOutbox<A, R> {
    fn held(&self, lane: Lane) -> Range<u64> {
        match lane {
            Lane::Alarm => self.alarms.held(),
            Lane::Reading => self.readings.held(),
        }
    }
    async fn push(&mut self, lane: Lane, record: &[u8]) {
        let lost = match lane {
            Lane::Alarm => self.alarms.push(record),
            Lane::Reading => self.readings.push(record),
        };
        self.lost.set(self.lost.get().saturating_add(lost));
    }
    async fn read(&mut self, lane: Lane, number: u64, buf: &mut [u8]) -> Option<usize> {
        match lane {
            Lane::Alarm => self.alarms.read(number, buf),
            Lane::Reading => self.readings.read(number, buf),
        }
    }
    async fn release(&mut self, lane: Lane, number: u64) {
        match lane {
            Lane::Alarm => self.alarms.release(number),
            Lane::Reading => self.readings.release(number),
        }
    }
    fn lost(&self) -> u32 {
        self.lost.get()
    }
}

/// A ring of bytes that holds records, each behind two bytes of length.
#[derive(Debug)]
struct Ring<const N: usize> {
    bytes: [u8; N],
    /// Where the oldest begins.
    start: usize,
    used: usize,
    first: u64,
    next: u64,
    /// Where a record begins that was read lately: reading on from there spares the way from the oldest.
    hint: Cell<(u64, usize)>,
}

impl<const N: usize> Ring<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], start: 0, used: 0, first: 0, next: 0, hint: Cell::new((0, 0)) }
    }
    fn held(&self) -> Range<u64> {
        self.first..self.next
    }
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at % N.max(1)).copied().unwrap_or(0)
    }
    fn length(&self, at: usize) -> usize {
        usize::from(u16::from_le_bytes([self.byte(at), self.byte(at + 1)]))
    }
    fn put(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.bytes.get_mut(at % N.max(1)) {
            *place = byte;
        }
    }
    /// How many fell out; the record itself where it can never fit.
    fn push(&mut self, record: &[u8]) -> u32 {
        let Some(length) = u16::try_from(record.len()).ok().filter(|l| usize::from(*l) + 2 <= N) else { return 1 };
        let needed = record.len() + 2;
        let mut lost = 0;
        while self.used + needed > N {
            self.drop_first();
            lost += 1;
        }
        for (at, byte) in (self.start + self.used..).zip(length.to_le_bytes().iter().chain(record)) {
            self.put(at, *byte);
        }
        self.used += needed;
        self.next += 1;
        lost
    }
    fn drop_first(&mut self) {
        let size = (self.length(self.start) + 2).min(self.used);
        self.start = (self.start + size) % N.max(1);
        self.used -= size;
        self.first += 1;
    }
    fn read(&self, number: u64, buf: &mut [u8]) -> Option<usize> {
        if !self.held().contains(&number) {
            return None;
        }
        let (mut n, mut at) = self.hint.get();
        if !(self.first..=number).contains(&n) {
            (n, at) = (self.first, self.start);
        }
        while n < number {
            at = (at + self.length(at) + 2) % N.max(1);
            n += 1;
        }
        self.hint.set((n, at));
        let length = self.length(at);
        let out = buf.get_mut(..length)?;
        for (i, place) in out.iter_mut().enumerate() {
            *place = self.byte(at + 2 + i);
        }
        Some(length)
    }
    fn release(&mut self, number: u64) {
        while self.first <= number && self.first < self.next {
            self.drop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn a_thousand_readings_fit_into_24_kib() {
        use crate::record::{Body, MAX_RECORD, Record, Stamp};
        use tuoan_protocol::{Fixed, Quantity, Reading};
        let pair = [(Quantity::Temperature, 2345), (Quantity::Humidity, 5012)];
        let readings = pair.into_iter().map(|(quantity, v)| Reading { quantity, channel: 0, value: Fixed(v) }).collect();
        let record = Record { stamp: Stamp::Unix(1_790_000_000_000), body: Body::Readings(readings) };
        let mut buf = [0; MAX_RECORD];
        let n = record.encode(&mut buf).unwrap();
        let mut ring = Ring::<{ 24 * 1024 }>::new();
        for _ in 0..1000 {
            assert_eq!(ring.push(&buf[..n]), 0, "a record of two readings takes {n} bytes");
        }
        assert_eq!(ring.held(), 0..1000);
    }

    #[test]
    fn what_never_fits_counts_as_lost_and_pushes_nothing_out() {
        let mut ring = Ring::<16>::new();
        assert_eq!(ring.push(b"12345"), 0);
        assert_eq!(ring.push(&[0; 15]), 1);
        assert_eq!(ring.held(), 0..1);
        let mut none = Ring::<0>::new();
        assert_eq!((none.push(b""), none.read(0, &mut [])), (1, None));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(Vec<u8>),
        Release(u64),
        Read(u64),
    }

    proptest! {
        /// As a queue without bytes behaves.
        #[test]
        fn behaves_as_a_bounded_queue(steps in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..30).prop_map(Step::Push),
            (0u64..60).prop_map(Step::Release),
            (0u64..60).prop_map(Step::Read),
        ], 0..120)) {
            let mut ring = Ring::<100>::new();
            let (mut model, mut first, mut lost, mut told) = (VecDeque::<Vec<u8>>::new(), 0u64, 0, 0);
            for step in steps {
                match step {
                    Step::Push(record) => {
                        told += ring.push(&record);
                        model.push_back(record);
                        while model.iter().map(|r| r.len() + 2).sum::<usize>() > 100 {
                            model.pop_front();
                            first += 1;
                            lost += 1;
                        }
                    }
                    Step::Release(n) => {
                        ring.release(n);
                        while first <= n && !model.is_empty() {
                            model.pop_front();
                            first += 1;
                        }
                    }
                    Step::Read(n) => {
                        let mut buf = [0; 40];
                        let got = ring.read(n, &mut buf).map(|len| buf[..len].to_vec());
                        let want = n.checked_sub(first).and_then(|i| model.get(i as usize).cloned());
                        prop_assert_eq!(got, want);
                    }
                }
                prop_assert_eq!(ring.held(), first..first + model.len() as u64);
                prop_assert_eq!(told, lost);
            }
        }
    }
}
