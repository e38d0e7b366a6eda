//! The node: its inputs, its sensors, its link and its watchdog, in one loop that never ends.
use crate::alarm::{self, Output, Outputs, Watching, Wired};
use crate::clock::{Clock, until};
use crate::link::{Actions, Buffers, Connect, Link, Shared, Stats};
use crate::outbox::Outbox;
use crate::post::Post;
use crate::sampler::{self, SelfTest, Sensors, Watch};
use crate::watchdog::{FEED_MS, Pulse, Watchdog};
use core::cell::RefCell;
use core::hint::black_box;
use core::pin::{Pin, pin};
use embassy_futures::join::join4;
use tuoan_protocol::DeviceAction;

/// Everything that a board gives to the node.
pub struct Node<'a, C, O, S: ?Sized, B, N, W, E> {
    pub clock: &'a C,
    pub post: &'a Post<O>,
    pub sensors: &'a mut S,
    /// One for each sensor, in their order.
    pub watches: &'a mut [Watch],
    pub inputs: &'a mut [Wired<'a>],
    pub watching: Watching,
    pub outputs: &'a RefCell<B>,
    pub network: &'a mut N,
    pub link: &'a mut Link<'a>,
    pub buffers: Buffers<'a>,
    pub watchdog: &'a mut W,
    /// What the gateway may ask beside orders to outputs, e.g. updates; [`NoMore`] for nothing.
    pub more: &'a mut E,
    pub stats: &'a Stats,
}

/// Runs the node for ever.
pub async fn run<C, O, S, B, N, W, E>(node: Node<'_, C, O, S, B, N, W, E>) -> !
where
    C: Clock,
    O: Outbox,
    S: Sensors + ?Sized,
    B: Outputs,
    N: Connect,
    W: Watchdog,
    E: Actions,
{
    let Node { clock, post, sensors, watches, inputs, watching, outputs, network, link, mut buffers, watchdog, more, stats } = node;
    let pulse = Pulse::default();
    for start in [Pulse::alarm, Pulse::sampler, Pulse::link] {
        start(&pulse, clock.now_ms());
    }
    let tests = SelfTest::new();
    let shared = Shared { clock, post, tests: &tests, stats, pulse: &pulse };
    let mut orders = Ordered { outputs, more };
    // Pinned where they are: what is joined by value is moved over the stack, which a small chip has not.
    let inputs = pin!(alarm::run(clock, watching, inputs, outputs, post, &pulse));
    let link = pin!(link.run(&shared, network, &mut orders, &mut buffers));
    let sensors = pin!(sampler::run(clock, sensors, watches, post, &tests, &pulse));
    let feeding = pin!(feed(clock, watchdog, &pulse));
    // The inputs come first: they are looked at before anything else that is due at the same time.
    let (never, ..) = join4(apart(inputs), link, apart(sensors), feeding).await;
    never
}

/// Through a pointer: what a future needs of the stack it needs only while it is polled itself, and not whenever something beside it is. Without this the
/// compiler makes one frame for all of them.
pub(crate) fn apart<'f, T>(future: Pin<&'f mut (dyn Future<Output = T> + 'f)>) -> Pin<&'f mut (dyn Future<Output = T> + 'f)> {
    black_box(future)
}

async fn feed<C: Clock, W: Watchdog>(clock: &C, watchdog: &mut W, pulse: &Pulse) -> ! {
    loop {
        let now = clock.now_ms();
        if pulse.is_alive(now) {
            watchdog.feed();
        }
        until(clock, now.saturating_add(u64::from(FEED_MS))).await;
    }
}

/// Nothing beside orders to outputs.
#[derive(Debug, Default)]
pub struct NoMore;
impl Actions for NoMore {
    fn order(&mut self, _: &DeviceAction) -> bool {
        false
    }
}

/// Orders to outputs, and whatever else the board takes.
struct Ordered<'a, B, E> {
    outputs: &'a RefCell<B>,
    more: &'a mut E,
}

impl<B: Outputs, E: Actions> Actions for Ordered<'_, B, E> {
    fn order(&mut self, action: &DeviceAction) -> bool {
        let (output, on) = match action {
            DeviceAction::SirenOn => (Output::Siren, true),
            DeviceAction::SirenOff => (Output::Siren, false),
            DeviceAction::BeaconOn => (Output::Beacon, true),
            DeviceAction::BeaconOff => (Output::Beacon, false),
            DeviceAction::ValveClose => (Output::ValveClose, true),
            DeviceAction::UvLampOff => (Output::UvLampOff, true),
            DeviceAction::Unlock => (Output::Unlock, true),
            DeviceAction::Test | DeviceAction::Other(_) => return self.more.order(action),
        };
        self.outputs.borrow_mut().set(output, on)
    }
    fn topics(&self) -> &'static [&'static str] {
        self.more.topics()
    }
    async fn message(&mut self, kind: &str, payload: &[u8]) {
        self.more.message(kind, payload).await;
    }
    async fn connected(&mut self) {
        self.more.connected().await;
    }
    async fn alone(&mut self, now_ms: u64) {
        self.more.alone(now_ms).await;
    }
    async fn answer(&mut self, now_ms: u64, buf: &mut [u8]) -> Option<(&'static str, usize)> {
        self.more.answer(now_ms, buf).await
    }
}
