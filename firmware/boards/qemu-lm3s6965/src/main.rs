//! The node on QEMU's lm3s6965evb: temperature and CO₂ from chips that the host plays, a door contact on the board's "up" key, MQTT over its Ethernet.
//!
//! Arguments, by semihosting: `site device user password broker-address:port pages-address:port boot`. This board has no flash that it may write, so that the host counts its
//! starts and keeps its secrets.
#![no_std]
#![no_main]

mod ethernet;
mod executor;
mod pins;
mod regs;
mod semihost;
mod serial;
mod stack;
mod ticks;

use crate::serial::{Bus, say};
use crate::ticks::Uptime;
use core::cell::RefCell;
use core::panic::PanicInfo;
use core::pin::pin;
use cortex_m_rt::entry;
use embassy_futures::join::join4;
use embassy_net::tcp::TcpSocket;
use embassy_net::{Config, IpAddress, Runner, Stack, StackResources};
use embassy_time::{Duration, Timer};
use static_cell::{ConstStaticCell, StaticCell};
use tuoan_node::alarm::{Output, Outputs, Watching, Wired};
use tuoan_node::gateway_time;
use tuoan_node::link::message::{About, Address};
use tuoan_node::link::packet::Version;
use tuoan_node::link::{Account, Buffers, Connect, Link, MIN_RX, MIN_TX, Stats};
use tuoan_node::node::{NoMore, Node, run};
use tuoan_node::outbox::RamOutbox;
use tuoan_node::post::Post;
use tuoan_node::sampler::{Plan, Watch};
use tuoan_node::sensors::contact;
use tuoan_node::sensors::line::{Active, Pin};
use tuoan_node::sensors::scd4x::{Scd4x, Settings};
use tuoan_node::sensors::sht4x::Sht4x;
use tuoan_node::watchdog::Watchdog;
use tuoan_protocol::{DeviceId, SiteId};

/// Room for more than 1,000 readings, and 100 alarms.
type Waiting = RamOutbox<2048, 16384>;

static WAITING: ConstStaticCell<Waiting> = ConstStaticCell::new(RamOutbox::new());
static RESOURCES: StaticCell<StackResources<4>> = StaticCell::new();
static WATCHES: StaticCell<[Watch; 2]> = StaticCell::new();
static STATS: StaticCell<Stats> = StaticCell::new();
static SOCKET: ConstStaticCell<([u8; 1024], [u8; 2048])> = ConstStaticCell::new(([0; 1024], [0; 2048]));
static CLOCK_SOCKET: ConstStaticCell<([u8; 512], [u8; 128])> = ConstStaticCell::new(([0; 512], [0; 128]));
static BUFFERS: ConstStaticCell<([u8; MIN_RX], [u8; MIN_TX])> = ConstStaticCell::new(([0; MIN_RX], [0; MIN_TX]));

#[entry]
fn main() -> ! {
    stack::paint();
    regs::power_up();
    let Some(mut core) = cortex_m::Peripherals::take() else { stop("started twice") };
    ticks::start(&mut core.SYST);
    let mut text = [0; 320];
    let Some(arguments) = semihost::arguments(&mut text).and_then(Arguments::read) else {
        stop("arguments: site device user password broker:port pages:port boot")
    };
    executor::block_on(pin!(node(&arguments)))
}

struct Arguments<'a> {
    address: Address,
    account: Account<'a>,
    broker: Endpoint,
    /// The gateway's pages, whose answers tell the time.
    pages: Endpoint,
    boot: u64,
}
type Endpoint = (IpAddress, u16);

impl<'a> Arguments<'a> {
    fn read(text: &'a str) -> Option<Arguments<'a>> {
        let mut words = text.split_ascii_whitespace();
        let address = Address { site: SiteId::new(words.next()?).ok()?, device: DeviceId::new(words.next()?).ok()? };
        let account = Account { user: words.next()?, password: words.next()?.as_bytes() };
        let mut endpoint = || {
            let at: core::net::SocketAddrV4 = words.next()?.parse().ok()?;
            Some((IpAddress::from(*at.ip()), at.port()))
        };
        let (broker, pages) = (endpoint()?, endpoint()?);
        Some(Arguments { address, account, broker, pages, boot: words.next()?.parse().ok()? })
    }
}

async fn node(arguments: &Arguments<'_>) -> ! {
    let [a, b, ..] = arguments.boot.to_le_bytes();
    let mac = [0x02, 0x74, 0x75, 0x6f, a, b];
    let (stack, runner) = embassy_net::new(
        ethernet::Ethernet::new(mac),
        Config::dhcpv4(Default::default()),
        RESOURCES.init(StackResources::new()),
        arguments.boot ^ 0x7475_6f61_6e00_0000,
    );
    let stats: &Stats = STATS.init(Stats::default());
    let about = About {
        make: "Tuoan",
        model: "node-qemu",
        firmware: env!("CARGO_PKG_VERSION"),
        hardware: "qemu-lm3s6965",
        reset: "power",
        period_s: 1,
    };
    // Each look is told: the host counts with what it shows the chips, and sees whether anything is missing.
    let mut sensors = (
        Sht4x::new(Bus, embassy_time::Delay, None),
        Scd4x::new(Bus, embassy_time::Delay, Settings { altitude_m: 0, self_calibration: true }),
    );
    let plan = |channel, period| Plan { look_ms: period, report_ms: period, channel, ..Plan::default() };
    // The SCD4x measures every 5 s, and its first value is not told.
    let watching = WATCHES.init([Watch::new(plan(0, 1_000), 0), Watch::new(plan(1, 5_000), 1)]);
    let post = Post::new(WAITING.take(), arguments.boot);
    let mut door = contact::door(Pin::new(pins::Key, Active::High));
    let mut inputs = [Wired { input: &mut door, channel: 0 }];
    let (rx, tx) = SOCKET.take();
    let mut network = Network { stack, to: arguments.broker, rx, tx };
    let (rx2, tx2) = CLOCK_SOCKET.take();
    let mut pages = Network { stack, to: arguments.pages, rx: rx2, tx: tx2 };
    let (rx, tx) = BUFFERS.take();
    let mut link = Link::new(arguments.address.clone(), arguments.account, about, Version::V5, arguments.boot);
    let (outputs, mut dog, mut nothing) = (RefCell::new(Lamps), Dog, NoMore);
    say!("started boot {}", arguments.boot);
    let node = run(Node {
        clock: &Uptime,
        post: &post,
        sensors: &mut sensors,
        watches: watching,
        inputs: &mut inputs,
        watching: Watching { poll_ms: 5, report_ms: 10_000, first_fault: 2 },
        outputs: &outputs,
        network: &mut network,
        link: &mut link,
        buffers: Buffers { rx, tx },
        watchdog: &mut dog,
        more: &mut nothing,
        stats,
    });
    let time = gateway_time::keep(&Uptime, &post.wall, &mut pages);
    // Pinned where they are: what is joined by value is moved over the stack.
    let (node, network, time, report) = (pin!(node), pin!(serve(runner)), pin!(time), pin!(report(stack, stats)));
    let (never, ..) = join4(node, network, time, report).await;
    never
}

async fn serve(mut runner: Runner<'_, ethernet::Ethernet>) -> ! {
    runner.run().await
}

/// Says on the console what has changed, for the test and for people.
async fn report(stack: Stack<'_>, stats: &Stats) -> ! {
    stack.wait_config_up().await;
    if let Some(config) = stack.config_v4() {
        say!("address {}", config.address);
    }
    let (mut connected, mut depth) = (false, 0);
    loop {
        if stats.connected.get() != connected {
            connected = !connected;
            match stats.last_end.get().filter(|_| !connected) {
                Some(end) => say!("disconnected {:?}", end),
                None => say!("connected {}", stats.connections.get()),
            }
        }
        if stack::used() > depth {
            depth = stack::used();
            say!("stack {} of {}", depth, stack::room());
        }
        Timer::after_millis(100).await;
    }
}

struct Network<'a> {
    stack: Stack<'a>,
    to: Endpoint,
    rx: &'a mut [u8],
    tx: &'a mut [u8],
}

impl Connect for Network<'_> {
    type Stream<'s>
        = TcpSocket<'s>
    where
        Self: 's;
    async fn connect(&mut self) -> Option<TcpSocket<'_>> {
        self.stack.wait_config_up().await;
        let mut socket = TcpSocket::new(self.stack, self.rx, self.tx);
        socket.set_timeout(Some(Duration::from_secs(20)));
        // A message goes out at once, not when the one before it is acknowledged.
        socket.set_nagle_enabled(false);
        socket.connect(self.to).await.ok()?;
        Some(socket)
    }
}

/// The board's lamp and sounder, on the console.
struct Lamps;
impl Outputs for Lamps {
    fn set(&mut self, output: Output, on: bool) -> bool {
        if !matches!(output, Output::Buzzer | Output::Led | Output::Siren | Output::Beacon) {
            return false;
        }
        say!("output {:?} {}", output, if on { "on" } else { "off" });
        true
    }
}

/// The emulated chip's watchdog is left off, so that the host may hold the guest still.
struct Dog;
impl Watchdog for Dog {
    fn feed(&mut self) {}
}

fn stop(why: &str) -> ! {
    say!("stopped: {}", why);
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    say!("panic: {}", info);
    loop {
        cortex_m::asm::bkpt();
    }
}
