//! The outbox of a simulated node. It outlives the node's starts, as a ring on flash does, and counts what went in. (How flash bears a loss of power in
//! the middle of a write is the library's own tests' matter.)
use embassy_futures::poll_once;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::task::Poll;
use tuoan_node::outbox::{Lane, Outbox, RamOutbox};

/// As large as the boards have it: more than a thousand readings.
type Ram = RamOutbox<4096, 24_576>;

#[derive(Debug, Clone, Default)]
pub struct Kept(Rc<RefCell<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    ram: Ram,
    records: u64,
    closed: bool,
}

impl Kept {
    /// Takes nothing more in: the run is over, and what waits is still sent.
    pub fn close(&self) {
        self.0.borrow_mut().closed = true;
    }
    /// Records that were taken in.
    pub fn records(&self) -> u64 {
        self.0.borrow().records
    }
    /// Records that wait.
    pub fn waiting(&self) -> u64 {
        let inner = self.0.borrow();
        [Lane::Alarm, Lane::Reading].map(|lane| inner.ram.held(lane)).map(|held| held.end - held.start).iter().sum()
    }
    /// Records that fell out before they were acknowledged.
    pub fn lost(&self) -> u64 {
        self.0.borrow().ram.lost().into()
    }
}

/// The ring in RAM never waits.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match poll_once(future) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

impl Outbox for Kept {
    fn held(&self, lane: Lane) -> Range<u64> {
        self.0.borrow().ram.held(lane)
    }
    async fn push(&mut self, lane: Lane, record: &[u8]) {
        let mut inner = self.0.borrow_mut();
        if !inner.closed {
            inner.records += 1;
            at_once(inner.ram.push(lane, record));
        }
    }
    async fn read(&mut self, lane: Lane, number: u64, buf: &mut [u8]) -> Option<usize> {
        at_once(self.0.borrow_mut().ram.read(lane, number, buf)).flatten()
    }
    async fn release(&mut self, lane: Lane, number: u64) {
        at_once(self.0.borrow_mut().ram.release(lane, number));
    }
    fn lost(&self) -> u32 {
        self.0.borrow().ram.lost()
    }
}
