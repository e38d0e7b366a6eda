//! What every program of this board does: the network, the identity, the console, and then the node.
use crate::clock::Uptime;
use crate::keys::KEYS;
use crate::network::{self, Network};
use crate::noise::Rosc;
use crate::outputs::Switches;
use crate::watchdog::{Dog, reset_reason};
use crate::{console, last, layout};
use core::cell::RefCell;
use core::fmt::Write;
use embassy_embedded_hal::flash::partition::Partition;
use embassy_executor::Spawner;
use embassy_futures::join::join3;
use embassy_net::{Config, Stack, StackResources};
use embassy_net_wiznet::State;
use embassy_rp::clocks::RoscRng;
use embassy_rp::flash::{Async, Flash};
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::peripherals::*;
use embassy_rp::uart::{self, BufferedUart};
use embassy_rp::{Peri, bind_interrupts, dma, spi, watchdog};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::{Delay, Timer};
use embedded_hal_bus::spi::ExclusiveDevice;
use heapless::String;
use static_cell::{ConstStaticCell, StaticCell};
use tuoan_node::alarm::{Watching, Wired};
use tuoan_node::flash::keep::Keep;
use tuoan_node::flash::{boot, words};
use tuoan_node::gateway_time;
use tuoan_node::identity::Identity;
use tuoan_node::link::message::{About, Address};
use tuoan_node::link::packet::Version;
use tuoan_node::link::tls::{Room, Secure};
use tuoan_node::link::{Account, Buffers, Link, MIN_RX, MIN_TX, Stats};
use tuoan_node::node::{self, Node};
use tuoan_node::outbox::RamOutbox;
use tuoan_node::post::Post;
use tuoan_node::random::Pool;
use tuoan_node::sampler::{Plan, Rule, Sensors, watches};
use tuoan_node::sensors::scd4x;
use tuoan_node::service::{Restart, Service};
use tuoan_node::settings;
use tuoan_node::update::{Board, Slot, Updater};
use tuoan_protocol::firmware::{self, MAX_CHUNK};
use tuoan_protocol::{DeviceSettings, Fixed, Quantity};

bind_interrupts!(pub struct Irqs {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
    DMA_IRQ_0 =>
        dma::InterruptHandler<DMA_CH0>, dma::InterruptHandler<DMA_CH1>, dma::InterruptHandler<DMA_CH2>, dma::InterruptHandler<DMA_CH3>;
});

/// Room for more than 2,500 records of two readings, and 400 alarms.
type Waiting = RamOutbox<8_192, 65_536>;

type Chip = Flash<'static, FLASH, Async, { layout::CHIP }>;
/// A part of the flash.
pub type Store = Partition<'static, NoopRawMutex, Chip>;
type Kept = Mutex<NoopRawMutex, Keep<Store>>;

/// A chunk of an image with all that comes around it.
const RX: usize = MIN_RX + MAX_CHUNK;

/// The chip's parts that are the same in every program.
pub struct Parts {
    pub spi: Peri<'static, SPI0>,
    pub miso: Peri<'static, PIN_16>,
    pub select: Peri<'static, PIN_17>,
    pub clock: Peri<'static, PIN_18>,
    pub mosi: Peri<'static, PIN_19>,
    pub reset: Peri<'static, PIN_20>,
    pub interrupt: Peri<'static, PIN_21>,
    pub send: Peri<'static, DMA_CH0>,
    pub receive: Peri<'static, DMA_CH1>,
    pub flash: Peri<'static, FLASH>,
    pub flash_dma: Peri<'static, DMA_CH2>,
    pub watchdog: Peri<'static, WATCHDOG>,
    pub console: Peri<'static, UART0>,
    pub console_tx: Peri<'static, PIN_0>,
    pub console_rx: Peri<'static, PIN_1>,
}

/// Takes them out of the chip's peripherals.
#[macro_export]
macro_rules! parts {
    ($p:ident) => {
        $crate::start::Parts {
            spi: $p.SPI0,
            miso: $p.PIN_16,
            select: $p.PIN_17,
            clock: $p.PIN_18,
            mosi: $p.PIN_19,
            reset: $p.PIN_20,
            interrupt: $p.PIN_21,
            send: $p.DMA_CH0,
            receive: $p.DMA_CH1,
            flash: $p.FLASH,
            flash_dma: $p.DMA_CH2,
            watchdog: $p.WATCHDOG,
            console: $p.UART0,
            console_tx: $p.PIN_0,
            console_rx: $p.PIN_1,
        }
    };
}

/// A node that knows who it is and has a network.
pub struct Started {
    identity: Identity,
    boot: u64,
    /// Why it started: the words of a panic, or of the chip.
    reset: String<{ words::LONGEST }>,
    settings: Option<DeviceSettings>,
    dog: Dog,
    hardware: String<32>,
    stack: Stack<'static>,
    flash: &'static Mutex<NoopRawMutex, Chip>,
    keep: &'static Kept,
    console: BufferedUart,
}

/// Starts everything that does not depend on what hangs on the board. A node that is nobody yet stays here, on its console, until it is somebody.
pub async fn start(spawner: &Spawner, parts: Parts, model: &str) -> Started {
    let watchdog = watchdog::Watchdog::new(parts.watchdog);
    let why = reset_reason(&watchdog, last::was_meant());
    let dog = Dog::start(watchdog);

    let mut flash: Chip = Flash::new(parts.flash, parts.flash_dma, Irqs);
    let mut id = [0; 8];
    // An unreadable number is zeros: two such boards on one network are told apart by nobody, so it shows at once.
    let _ = flash.blocking_unique_id(&mut id);
    let mut hardware = String::new();
    let _ = write!(hardware, "{model}/{:016x}", u64::from_be_bytes(id));
    static FLASH: StaticCell<Mutex<NoopRawMutex, Chip>> = StaticCell::new();
    let flash = FLASH.init(Mutex::new(flash));

    static BUFFERS: ConstStaticCell<([u8; 256], [u8; 512])> = ConstStaticCell::new(([0; 256], [0; 512]));
    let (tx, rx) = BUFFERS.take();
    let mut console = BufferedUart::new(parts.console, parts.console_tx, parts.console_rx, Irqs, tx, rx, uart::Config::default());

    // A flash that cannot be read at all: a lamp that stays dark. Tried again, and from the start by the watchdog: the supply may come up slowly.
    let mut keep = loop {
        match Keep::open(layout::part(flash, layout::KEEP)).await {
            Ok(keep) => break keep,
            Err(_) => Timer::after_secs(1).await,
        }
    };
    let identity = match Identity::load(&mut keep).await {
        Ok(Some(identity)) => identity,
        _ => {
            // It may take long until somebody comes.
            dog.stop();
            console::run(&mut console, &Mutex::new(keep), &hardware).await
        }
    };
    let told = words::collect(&mut keep, &mut last::take()).await.ok().flatten();
    let reset = told.unwrap_or_else(|| String::try_from(why.as_str()).unwrap_or_default());
    // Unreadable ones are those of nobody: the program's own hold.
    let settings = settings::load(&mut keep).await.ok().flatten();
    let (boot, _) = boot::next(&mut keep, RoscRng.next_u64()).await;

    let mut config = spi::Config::default();
    config.frequency = 30_000_000;
    let spi = spi::Spi::new(parts.spi, parts.clock, parts.mosi, parts.miso, parts.send, parts.receive, Irqs, config);
    let select = Output::new(parts.select, Level::High);
    let (interrupt, reset_pin) = (Input::new(parts.interrupt, Pull::Up), Output::new(parts.reset, Level::High));
    let Ok(device) = ExclusiveDevice::new(spi, select, Delay);
    static STATE: ConstStaticCell<State<4, 4>> = ConstStaticCell::new(State::new());
    // Locally administered, from the flash chip's number.
    let mac = [0x02, id[3], id[4], id[5], id[6], id[7]];
    let (device, runner) = match embassy_net_wiznet::new(mac, STATE.take(), device, interrupt, reset_pin).await {
        Ok(both) => both,
        // No answer from the W5500: a new start may find it.
        Err(_) => {
            Timer::after_secs(5).await;
            last::restart()
        }
    };
    static RESOURCES: StaticCell<StackResources<4>> = StaticCell::new();
    let (stack, net) =
        embassy_net::new(device, Config::dhcpv4(Default::default()), RESOURCES.init(StackResources::new()), RoscRng.next_u64());
    if let (Ok(chip), Ok(net)) = (network::chip(runner), network::stack(net)) {
        spawner.spawn(chip);
        spawner.spawn(net);
    }
    static KEEP: StaticCell<Kept> = StaticCell::new();
    Started { identity, boot, reset, settings, dog, hardware, stack, flash, keep: KEEP.init(Mutex::new(keep)), console }
}

impl Started {
    /// What the CO2 sensor must know of the place.
    #[allow(dead_code)] // Not every program has one.
    pub fn place(&self) -> scd4x::Settings {
        let told = self.settings.as_ref();
        scd4x::Settings {
            altitude_m: told.and_then(|s| s.altitude_m).unwrap_or(0),
            self_calibration: told.and_then(|s| s.self_calibration).unwrap_or(true),
        }
    }
    /// Whether the node's own buzzer is wanted.
    pub fn sounds(&self) -> bool {
        self.settings.as_ref().and_then(|s| s.local_alarm).unwrap_or(true)
    }

    /// Runs the node for ever. `plans` are those of `sensors`, in their order; what the settings say of them goes first.
    pub async fn run<S: Sensors, const INPUTS: usize>(
        mut self,
        model: &str,
        sensors: &mut S,
        plans: &mut [Plan],
        inputs: [Wired<'_>; INPUTS],
        outputs: Switches,
    ) -> ! {
        static POST: StaticCell<Post<Waiting>> = StaticCell::new();
        let post: &Post<Waiting> = POST.init_with(|| Post::new(RamOutbox::new(), self.boot));
        static STATS: StaticCell<Stats> = StaticCell::new();
        static LINES: ConstStaticCell<([u8; RX], [u8; MIN_TX])> = ConstStaticCell::new(([0; RX], [0; MIN_TX]));
        let (rx, tx) = LINES.take();

        if let Some(settings) = &self.settings {
            for plan in plans.iter_mut() {
                *plan = settings::plan(settings, plan);
            }
        }
        let period_s = plans.iter().map(|p| p.report_ms / 1000).max().unwrap_or(60);
        let about =
            About { make: "Tuoan", model, firmware: env!("CARGO_PKG_VERSION"), hardware: &self.hardware, reset: &self.reset, period_s };
        let address = Address { site: self.identity.site.clone(), device: self.identity.device.clone() };
        let account = Account { user: self.identity.device.as_str(), password: self.identity.password.as_bytes() };
        let mut link = Link::new(address, account, about, Version::V5, self.boot);
        let host = self.identity.host.clone();
        let network = Network { stack: self.stack, host: &host, port: self.identity.port, rx: [0; 2048], tx: [0; 4096] };
        static ROOM: ConstStaticCell<Room> = ConstStaticCell::new(Room::new());
        let tls = self.identity.pin.clone().map(|pin| (pin, ROOM.take()));
        // The chip's own number, and a boot number that never repeats.
        let random = Pool::new(Rosc, &[self.hardware.as_bytes(), &self.boot.to_be_bytes()]);
        let mut network = Secure::new(network, random, tls);
        let mut watches = watches(&*sensors, plans);
        let (outputs, mut dog) = (RefCell::new(outputs), self.dog);
        let first_fault = u8::try_from(plans.len()).unwrap_or(u8::MAX);
        let part = |part| layout::part(self.flash, part);
        let who = (self.identity.site.clone(), self.identity.device.clone());
        // The version of a program whose own cannot be read is the first one: it may be updated to any.
        let version = env!("CARGO_PKG_VERSION").parse().unwrap_or(FIRST);
        let board = Board { name: model, hardware: layout::HARDWARE, version, keys: KEYS };
        let (new, state) = loop {
            match (Slot::new(part(layout::NEW)), Keep::open(part(layout::STATE)).await) {
                (Ok(new), Ok(state)) => break (new, state),
                // A flash that cannot be read: the watchdog starts it anew.
                _ => Timer::after_secs(1).await,
            }
        };
        let updater = Updater::new(who.0.clone(), who.1.clone(), board, new, state, MAX_CHUNK as u16);
        // As long as what the node has beside them.
        let mut inputs = inputs.map(|Wired { input, channel }| Wired { input, channel });
        let mut more = Service::new(who.0, who.1, updater, self.keep, Anew);
        let node = node::run(Node {
            clock: &Uptime,
            post,
            sensors,
            watches: &mut watches,
            inputs: &mut inputs,
            watching: Watching { poll_ms: 5, report_ms: 60_000, first_fault },
            outputs: &outputs,
            network: &mut network,
            link: &mut link,
            buffers: Buffers { rx, tx },
            watchdog: &mut dog,
            more: &mut more,
            stats: STATS.init(Stats::default()),
        });
        let mut pages = Network { stack: self.stack, host: &host, port: PAGES, rx: [0; 2048], tx: [0; 4096] };
        let time = gateway_time::keep(&Uptime, &post.wall, &mut pages);
        let (never, ..) = join3(node, time, console::run(&mut self.console, self.keep, &self.hardware)).await;
        never
    }
}

/// What every version is newer than.
const FIRST: firmware::Version = firmware::Version { major: 0, minor: 0, patch: 0 };
/// Where the gateway has its pages, unless it is told otherwise; they tell the time.
const PAGES: u16 = 8080;

/// A plan of a sensor: told when `quantity` has changed by `step` of its smallest unit. What comes with it (`also`) is told at the same times; settings may
/// give each of them limits and steps.
pub fn plan(look_ms: u32, quantity: Quantity, step: i64, also: &[Quantity]) -> Plan {
    let mut plan = Plan { look_ms, ..Plan::default() };
    let rule = |quantity, step| Rule { quantity, step, low: None, high: None };
    for rule in core::iter::once(rule(quantity, Some(Fixed(step)))).chain(also.iter().map(|q| rule(q.clone(), None))) {
        // No sensor gives more than a plan has room for.
        let _ = plan.rules.push(rule);
    }
    plan
}

/// How the node starts itself anew, for settings and updates.
struct Anew;
impl Restart for Anew {
    fn restart(&mut self) {
        last::restart()
    }
}
