//! The node on QEMU's lm3s6965evb: temperature and CO₂ from chips that the host plays, a door contact on the board's "up" key, MQTT over its Ethernet. Who it is it
//! learns over its serial console, as every node.
#![no_std]
#![no_main]

mod console;
mod ethernet;
mod executor;
mod last;
mod network;
mod pins;
mod regs;
mod serial;
mod stack;
mod store;
mod ticks;

use crate::network::Network;
use crate::serial::{Bus, say};
use crate::store::Part;
use crate::ticks::Uptime;
use core::cell::RefCell;
use core::fmt::Write;
use core::net::Ipv4Addr;
use core::pin::{Pin, pin};
use cortex_m_rt::entry;
use embassy_net::{Config, Runner, Stack, StackResources};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::Timer;
use heapless::String;
use static_cell::{ConstStaticCell, StaticCell};
use tuoan_node::alarm::{Output, Outputs, Watching, Wired};
use tuoan_node::flash::keep::Keep;
use tuoan_node::flash::{StoreError, boot, words};
use tuoan_node::gateway_time;
use tuoan_node::identity::Identity;
use tuoan_node::link::message::{About, Address};
use tuoan_node::link::packet::Version;
use tuoan_node::link::{Account, Buffers, Link, MIN_RX, MIN_TX, Stats};
use tuoan_node::node::{Node, run};
use tuoan_node::outbox::RamOutbox;
use tuoan_node::post::Post;
use tuoan_node::sampler::{Plan, Watch};
use tuoan_node::sensors::contact;
use tuoan_node::sensors::line::{Active, Pin as Switch};
use tuoan_node::sensors::scd4x::{self, Scd4x};
use tuoan_node::sensors::sht4x::Sht4x;
use tuoan_node::service::{Restart, Service};
use tuoan_node::settings;
use tuoan_node::update::boot::{Outcome, Record, Stage};
use tuoan_node::update::{Board, Slot, Updater};
use tuoan_node::watchdog::Watchdog;
use tuoan_protocol::firmware;

/// What this program is called at birth and in images: no node takes one of another name.
const NAME: &str = "qemu-lm3s6965";
/// Hardware revision, for images.
const REVISION: u16 = 1;
/// Where the gateway has its pages, unless it is told otherwise; they tell the time.
const PAGES: u16 = 8080;
/// Bytes of a chunk of an image: it fits the shortest receive buffer with all that comes around it.
const CHUNK: u16 = 256;

/// What the node keeps, and where an update stands. The pages are as small as the stores allow.
type Kept = Mutex<NoopRawMutex, Keep<Part<1024>>>;
type State = Keep<Part<256>>;

/// Room for 1,000 readings, and 100 alarms.
type Waiting = RamOutbox<2048, 12288>;

static WAITING: ConstStaticCell<Waiting> = ConstStaticCell::new(RamOutbox::new());
static RESOURCES: StaticCell<StackResources<4>> = StaticCell::new();
static WATCHES: StaticCell<[Watch; 2]> = StaticCell::new();
static STATS: StaticCell<Stats> = StaticCell::new();
static SOCKET: ConstStaticCell<([u8; 1024], [u8; 1024])> = ConstStaticCell::new(([0; 1024], [0; 1024]));
static CLOCK_SOCKET: ConstStaticCell<([u8; 512], [u8; 128])> = ConstStaticCell::new(([0; 512], [0; 128]));
static BUFFERS: ConstStaticCell<([u8; MIN_RX], [u8; MIN_TX])> = ConstStaticCell::new(([0; MIN_RX], [0; MIN_TX]));

static KEPT: StaticCell<Kept> = StaticCell::new();
static IDENTITY: StaticCell<Identity> = StaticCell::new();
static MORE: StaticCell<More> = StaticCell::new();
static POST: StaticCell<Post<&'static mut Waiting>> = StaticCell::new();
static STARTED: StaticCell<Started> = StaticCell::new();

type More = Service<'static, Part<256>, Part<256>, Part<1024>, Anew>;

#[entry]
fn main() -> ! {
    stack::paint();
    regs::power_up();
    let Some(mut core) = cortex_m::Peripherals::take() else { last::restart() };
    ticks::start(&mut core.SYST);
    serial::listen();
    match begin() {
        Ok(started) => go(started),
        Err(error) => panic!("{error}"),
    }
}

/// What a start finds out.
struct Started {
    identity: &'static Identity,
    gateway: Ipv4Addr,
    mac: [u8; 6],
    hardware: String<32>,
    /// Why it started: the words of a panic, or of the chip.
    reset: String<{ words::LONGEST }>,
    boot: u64,
    keep: &'static Kept,
    place: scd4x::Settings,
    /// Whether the node's own buzzer is wanted.
    sounds: bool,
}

// The stack is short: what is built once is built in functions of their own, so that their frames are gone when the node runs.
#[inline(never)]
fn begin() -> Result<&'static Started, StoreError> {
    executor::block_on(pin!(start()))
}

/// Who is it? One that is nobody yet stays here, on its console, until it is somebody.
async fn start() -> Result<&'static Started, StoreError> {
    let reason = last::reason();
    let mac = regs::mac();
    let mut hardware = String::<32>::new();
    let _ = write!(hardware, "lm3s6965/{:012x}", mac.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)));
    let keep: &Kept = KEPT.init(Mutex::new(Keep::open(Part(store::KEEP)).await?));
    let identity = Identity::load(&mut *keep.lock().await).await?;
    let address = identity.as_ref().and_then(|who| who.host.parse::<Ipv4Addr>().ok());
    let (Some(identity), Some(gateway)) = (identity, address) else {
        say!("nobody yet");
        console::run(keep, &hardware).await
    };
    let told = words::collect(&mut *keep.lock().await, &mut last::take()).await?;
    let reset = told.unwrap_or_else(|| String::try_from(reason.as_str()).unwrap_or_default());
    let (boot, _) = boot::next(&mut *keep.lock().await, ticks::cycles()).await;
    // What is kept and unreadable is nobody's: the program's own settings hold.
    let told = settings::load(&mut *keep.lock().await).await.ok().flatten();
    let place = scd4x::Settings {
        altitude_m: told.as_ref().and_then(|s| s.altitude_m).unwrap_or(0),
        self_calibration: told.as_ref().and_then(|s| s.self_calibration).unwrap_or(true),
    };
    let sounds = told.as_ref().and_then(|s| s.local_alarm).unwrap_or(true);
    let identity: &Identity = IDENTITY.init(identity);
    say!("started boot {}", boot);
    Ok(STARTED.init(Started { identity, gateway, mac, hardware, reset, boot, keep, place, sounds }))
}

/// Where updates stand. What the boot loader does with an image when it cannot save the one that runs: it leaves that alone. This board has no place for
/// either.
async fn settled() -> Result<State, StoreError> {
    let mut state = Keep::open(Part(store::STATE)).await?;
    let record = Record::read(&mut state).await?;
    if record.stage != Stage::Settled {
        Record { stage: Stage::Settled, outcome: Outcome::RolledBack, ..record }.write(&mut state).await?;
    }
    Ok(state)
}

#[inline(never)]
fn more(started: &Started) -> Result<&'static mut More, StoreError> {
    // The version of a program whose own cannot be read is the first one: it may be updated to any.
    let version = env!("CARGO_PKG_VERSION").parse().unwrap_or(firmware::Version { major: 0, minor: 0, patch: 0 });
    // Nobody may sign for it: it has no place to run an image from.
    let board = Board { name: NAME, hardware: REVISION, version, keys: &[] };
    let state = executor::block_on(pin!(settled()))?;
    let (site, device) = (&started.identity.site, &started.identity.device);
    let updater = Updater::new(site.clone(), device.clone(), board, Slot::new(Part(store::NEW))?, state, CHUNK);
    Ok(MORE.init_with(|| Service::new(site.clone(), device.clone(), updater, started.keep, Anew)))
}

#[inline(never)]
fn link<'a>(started: &'a Started, place: &mut Option<Link<'a>>) {
    let Started { identity: who, hardware, reset, boot, .. } = started;
    let about = About { make: "Tuoan", model: NAME, firmware: env!("CARGO_PKG_VERSION"), hardware, reset, period_s: 1 };
    let address = Address { site: who.site.clone(), device: who.device.clone() };
    let account = Account { user: who.device.as_str(), password: who.password.as_bytes() };
    *place = Some(Link::new(address, account, about, Version::V5, *boot));
}

#[inline(never)]
fn watches() -> &'static mut [Watch; 2] {
    // Each look is told: the host counts with what it shows the chips, and sees whether anything is missing.
    let plan = |channel, period| Plan { look_ms: period, report_ms: period, channel, ..Plan::default() };
    // The SCD4x measures every 5 s, and its first value is not told.
    WATCHES.init_with(|| [Watch::new(plan(0, 1_000), 0), Watch::new(plan(1, 5_000), 1)])
}

fn go(started: &'static Started) -> ! {
    match more(started) {
        Ok(more) => node(started, more, watches()),
        Err(error) => panic!("{error}"),
    }
}

fn node(started: &'static Started, more: &mut More, watches: &mut [Watch; 2]) -> ! {
    let (stack, runner) = embassy_net::new(
        ethernet::Ethernet::new(started.mac),
        Config::dhcpv4(Default::default()),
        RESOURCES.init(StackResources::new()),
        started.boot,
    );
    let stats: &Stats = STATS.init(Stats::default());
    let mut sensors = (Sht4x::new(Bus, embassy_time::Delay, None), Scd4x::new(Bus, embassy_time::Delay, started.place));
    let post: &Post<_> = POST.init_with(|| Post::new(WAITING.take(), started.boot));
    let mut door = contact::door(Switch::new(pins::Key, Active::High));
    let mut inputs = [Wired { input: &mut door, channel: 0 }];
    let outputs = RefCell::new(Lamps { sounds: started.sounds });
    let gateway = |port| (started.gateway.into(), port);
    let (rx, tx) = SOCKET.take();
    let mut network = Network { stack, to: gateway(started.identity.port), rx, tx };
    let (rx, tx) = CLOCK_SOCKET.take();
    let mut pages = Network { stack, to: gateway(PAGES), rx, tx };
    let (rx, tx) = BUFFERS.take();
    let (mut place, mut dog) = (None, Dog);
    link(started, &mut place);
    let Some(link) = &mut place else { last::restart() };
    let mut place = pin!(None);
    let node = put(place.as_mut(), || {
        run(Node {
            clock: &Uptime,
            post,
            sensors: &mut sensors,
            watches,
            inputs: &mut inputs,
            watching: Watching { poll_ms: 5, report_ms: 10_000, first_fault: 2 },
            outputs: &outputs,
            network: &mut network,
            link,
            buffers: Buffers { rx, tx },
            watchdog: &mut dog,
            more,
            stats,
        })
    });
    let mut place = pin!(None);
    let time = put(place.as_mut(), || gateway_time::keep(&Uptime, &post.wall, &mut pages));
    let mut place = pin!(None);
    let console = put(place.as_mut(), || console::run(started.keep, &started.hardware));
    // The inputs, which are the node's, come first.
    executor::run(&mut [node, time, console, pin!(serve(runner)), pin!(report(stack, stats))])
}

/// Puts a future where it stays: built in the frame of whoever polls it, it would lie on the stack twice.
#[inline(never)]
fn put<F>(mut place: Pin<&mut Option<F>>, make: impl FnOnce() -> F) -> Pin<&mut F> {
    place.set(Some(make()));
    match place.as_pin_mut() {
        Some(future) => future,
        None => last::restart(),
    }
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

/// The board's lamp and sounder, on the console.
struct Lamps {
    /// False: the room wants no noise of its own (the settings' `local_alarm`).
    sounds: bool,
}
impl Outputs for Lamps {
    fn set(&mut self, output: Output, on: bool) -> bool {
        if !matches!(output, Output::Buzzer | Output::Led | Output::Siren | Output::Beacon) {
            return false;
        }
        let on = on && (output != Output::Buzzer || self.sounds);
        say!("output {:?} {}", output, if on { "on" } else { "off" });
        true
    }
}

/// The emulated chip's watchdog is left off, so that the host may hold the guest still.
struct Dog;
impl Watchdog for Dog {
    fn feed(&mut self) {}
}

struct Anew;
impl Restart for Anew {
    fn restart(&mut self) {
        last::restart()
    }
}
