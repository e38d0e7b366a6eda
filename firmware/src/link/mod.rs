//! The node's side of MQTT: birth and will, what waits in the outbox, orders. A record leaves the outbox when the broker has acknowledged it, and at no
//! other time; whatever breaks, the link comes back by itself.
//!
//! | file | holds |
//! |---|---|
//! | `packet` | MQTT 5.0 and 3.1.1 to and from bytes |
//! | `session` | one connection, from CONNECT to its end |
//! | `window` | what is under way, with its sequence numbers |
//! | `message` | records as messages, topics, birth and will |
//! | `order` | orders of the gateway |
//! | `backoff` | how long to wait between attempts |
//! | `tls` | connections to the gateway alone, sealed |
//! | `pin` | by what the node knows it |
//! | `guard` | which TLS records may come |
pub mod backoff;
mod guard;
pub mod message;
pub mod order;
pub mod packet;
pub mod pin;
mod session;
pub mod tls;
mod window;

use crate::clock::{Clock, until};
use crate::outbox::Outbox;
use crate::post::Post;
use crate::sampler::SelfTest;
use crate::watchdog::Pulse;
use backoff::Backoff;
use core::cell::Cell;
use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use message::{About, Address};
use order::Orders;
use packet::Version;
use tuoan_protocol::DeviceAction;
use window::Window;

/// Bytes that the transmit buffer must have at least: the longest record as a message.
pub const MIN_TX: usize = 1024;
/// Bytes that the receive buffer must have at least: an order. Longer packets end the connection.
pub const MIN_RX: usize = 512;
/// Longest wait for a connection, in milliseconds.
const CONNECT_MS: u64 = 10_000;
/// Shortest time between two attempts, alarm or not.
const ATTEMPT_MS: u64 = 1_000;

/// Opens connections to the broker.
#[allow(async_fn_in_trait)] // One executor, one thread: nothing here has to be `Send`.
pub trait Connect {
    type Stream<'a>: Read + Write
    where
        Self: 'a;
    /// A new connection, the old one closed; `None` when there is none to be had. Dropping the stream closes it. `read` must be cancel-safe: what
    /// it has not returned is returned by the next one.
    async fn connect(&mut self) -> Option<Self::Stream<'_>>;
    /// Why the last attempt gave none.
    fn refusal(&self) -> End {
        End::Unreachable
    }
}

/// What the node does for the gateway.
#[allow(async_fn_in_trait)] // One executor, one thread: nothing here has to be `Send`.
pub trait Actions {
    /// Carries the order out; false when it cannot, and then nothing is confirmed.
    fn order(&mut self, action: &DeviceAction) -> bool;
    /// Last levels of further topics below the node's own that it listens to, beside `command`.
    fn topics(&self) -> &'static [&'static str] {
        &[]
    }
    /// A message on one of them. The link waits: what takes long belongs elsewhere.
    async fn message(&mut self, kind: &str, payload: &[u8]) {
        let _ = (kind, payload);
    }
    /// The broker has the node's birth.
    async fn connected(&mut self) {}
    /// A connection has ended, or none was to be had: asked before each new attempt, so once a minute at least.
    async fn alone(&mut self, now_ms: u64) {
        let _ = now_ms;
    }
    /// Something to say on a topic of its own: its last level, and how many bytes of `buf` it is. Asked whenever the link wakes, until there is nothing. It is
    /// sent once, and is lost with the connection: what must arrive is said again.
    async fn answer(&mut self, now_ms: u64, buf: &mut [u8]) -> Option<(&'static str, usize)> {
        let _ = (now_ms, buf);
        None
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// No connection to be had.
    Unreachable,
    /// Who answered cannot prove to be the gateway: it was told nothing.
    Stranger,
    /// The broker refuses the node, with this code.
    Refused(u8),
    /// Closed or broken.
    Closed,
    /// No answer in time.
    Silent,
    /// What came was not MQTT, or too long.
    Malformed,
    /// The broker said good bye, with this code.
    Bye(u8),
    /// The broker would not take a message, with this code: it is kept.
    NotTaken(u8),
}

/// How the link does, for lamps, consoles and fleets.
#[derive(Debug, Default)]
pub struct Stats {
    pub connected: Cell<bool>,
    pub connections: Cell<u32>,
    pub last_end: Cell<Option<End>>,
    pub sent: Cell<u32>,
    pub acknowledged: Cell<u32>,
    /// Records that nobody could have made sense of: unreadable, refused for their form, without a time.
    pub given_up: Cell<u32>,
}

pub(crate) fn count(cell: &Cell<u32>) {
    cell.set(cell.get().saturating_add(1));
}

/// Who the node is to the broker.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    pub user: &'a str,
    pub password: &'a [u8],
}
impl core::fmt::Debug for Account<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What the link shares with the rest of the node.
pub struct Shared<'a, C, O> {
    pub clock: &'a C,
    pub post: &'a Post<O>,
    pub tests: &'a SelfTest,
    pub stats: &'a Stats,
    pub pulse: &'a Pulse,
}

/// Received and transmitted bytes: [`MIN_RX`] and [`MIN_TX`] at least.
#[derive(Debug)]
pub struct Buffers<'a> {
    pub rx: &'a mut [u8],
    pub tx: &'a mut [u8],
}

/// The link, from one connection to the next.
#[derive(Debug)]
pub struct Link<'a> {
    address: Address,
    account: Account<'a>,
    about: About<'a>,
    version: Version,
    window: Window,
    orders: Orders,
    backoff: Backoff,
    /// No session yet since the node started: what the broker kept of an earlier start means nothing.
    fresh: bool,
    /// Lost records that the gateway was told of.
    lost_told: u32,
}

impl<'a> Link<'a> {
    pub fn new(address: Address, account: Account<'a>, about: About<'a>, version: Version, boot: u64) -> Link<'a> {
        let backoff = Backoff::new(backoff::seed(address.device.as_str(), boot));
        Link { address, account, about, version, window: Window::default(), orders: Orders::default(), backoff, fresh: true, lost_told: 0 }
    }

    /// Connects and serves for ever.
    pub async fn run<C: Clock, O: Outbox, N: Connect, A: Actions>(
        &mut self,
        shared: &Shared<'_, C, O>,
        network: &mut N,
        actions: &mut A,
        buffers: &mut Buffers<'_>,
    ) -> ! {
        loop {
            let began = shared.clock.now_ms();
            shared.pulse.link(began);
            let served = match select(network.connect(), until(shared.clock, began.saturating_add(CONNECT_MS))).await {
                Either::First(Some(mut stream)) => Some(session::serve(self, shared, &mut stream, actions, buffers).await),
                Either::First(None) => None,
                Either::Second(()) => Some(End::Unreachable),
            };
            let end = served.unwrap_or_else(|| network.refusal());
            shared.stats.connected.set(false);
            shared.stats.last_end.set(Some(end));
            self.window.disconnected();
            if matches!(end, End::Refused(1 | 0x84)) && self.version == Version::V5 {
                // "Unsupported protocol version": an old broker.
                self.version = Version::V311;
                continue;
            }
            let now = shared.clock.now_ms();
            shared.pulse.link(now);
            actions.alone(now).await;
            let wait = now.saturating_add(u64::from(self.backoff.next_ms()));
            if let Either::Second(()) = select(until(shared.clock, wait), shared.post.urgent.wait()).await {
                until(shared.clock, began.saturating_add(ATTEMPT_MS)).await;
            }
        }
    }
}
