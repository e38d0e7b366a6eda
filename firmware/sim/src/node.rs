//! One simulated node: the library's node over simulated chips, started again after each power cut, and each time that it starts itself anew, with the
//! next boot number.
use crate::board::{Board, Fault, Kept as Store, Program};
use crate::bus::Chip;
use crate::cable::{Cable, Dial};
use crate::counted::Counted;
use crate::kept::Kept;
use crate::scene::Scene;
use crate::script::{Curve, Measured, What};
use crate::tally::Tally;
use crate::time::{Timeline, Uptime};
use crate::wire;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep, sleep_until};
use tuoan_node::alarm::{Output, Outputs, Watching, Wired};
use tuoan_node::clock::Clock;
use tuoan_node::flash::words::Reset;
use tuoan_node::link::message::{About, Address};
use tuoan_node::link::packet::Version;
use tuoan_node::link::pin::Pin;
use tuoan_node::link::tls::{Room, Secure};
use tuoan_node::link::{Account, Actions, Buffers, Link, MIN_RX, MIN_TX, Stats};
use tuoan_node::node::{NoMore, Node, run};
use tuoan_node::post::Post;
use tuoan_node::random::Random;
use tuoan_node::sampler::{Plan, Rule, watches};
use tuoan_node::sensor::Input;
use tuoan_node::service::Restart;
use tuoan_node::settings;
use tuoan_node::watchdog::Watchdog;
use tuoan_protocol::firmware::MAX_CHUNK;
use tuoan_protocol::{DeviceId, DeviceSettings, Quantity, SiteId};

/// Where nothing is wired nobody need look often; the watchdog wants to hear of it within two seconds.
const IDLE_POLL_MS: u32 = 1_000;
/// A board's watchdog resets it after as long without being fed.
const WATCHDOG_MS: u64 = 4_000;

/// Who a node is.
#[derive(Clone)]
pub struct Identity {
    pub site: SiteId,
    pub device: DeviceId,
    pub user: String,
    pub password: String,
    /// The gateway's public key, for TLS.
    pub pin: Option<Pin>,
    /// Of its first start; no start of this device may have had it or a higher one.
    pub boot: u64,
}

/// What a run keeps of the node, whatever happens to it.
#[derive(Debug, Default)]
pub struct Life {
    pub outbox: Kept,
    pub connected: Cell<bool>,
    pub given_up: Cell<u64>,
    /// Times that the watchdog went unfed for longer than a board bears.
    pub starved: Cell<u32>,
    /// Orders to outputs that were carried out.
    pub orders: Cell<u32>,
    pub starts: Cell<u32>,
    pub last_end: RefCell<Option<String>>,
}

/// What a node is built of, for all of its starts.
pub struct Built<D: Dial> {
    pub identity: Identity,
    pub cable: Cable<D>,
    pub tally: Rc<RefCell<Tally>>,
    pub life: Rc<Life>,
    /// How often its inputs are looked at; a board does every 5 ms.
    pub poll_ms: u32,
    /// `None`: it cannot be updated, and its settings are the script's.
    pub board: Option<Board>,
}

/// One start.
struct Start {
    boot: u64,
    reset: Reset,
    program: Program,
}

/// Lives for ever.
pub async fn live<D: Dial>(node: &Built<D>) {
    let Built { identity, cable, life, board, .. } = node;
    let (scene, time) = (cable.scene.clone(), cable.time);
    let (mut boot, mut reset) = (identity.boot, Reset::PowerOn);
    loop {
        while let Some(end) = scene.until(What::Power, time.now()) {
            sleep_until(time.instant(end)).await;
        }
        let program = match board {
            Some(board) => board.start().await,
            None => Some(Program::built_in()),
        };
        // A board with nothing to start waits for somebody with a debugger.
        let Some(program) = program else { return std::future::pending().await };
        let cut = scene.next(What::Power, time.now()).map(|t| time.instant(t));
        let (stats, anew) = (Stats::default(), Notify::new());
        let start = Start { boot, reset, program };
        let runs = async {
            tokio::join!(once(node, &start, &stats, &anew), watch(life, &stats));
        };
        let power = async {
            match cut {
                Some(cut) => sleep_until(cut).await,
                None => std::future::pending().await,
            }
        };
        let hangs = async {
            match start.program.fault {
                Fault::Hangs => sleep(Duration::from_millis(WATCHDOG_MS)).await,
                _ => std::future::pending().await,
            }
        };
        reset = tokio::select! {
            () = runs => Reset::Unknown,
            () = power => Reset::PowerOn,
            () = anew.notified() => Reset::Software,
            () = hangs => Reset::Watchdog,
        };
        life.given_up.set(life.given_up.get() + u64::from(stats.given_up.get()));
        life.connected.set(false);
        boot += 1;
    }
}

/// Takes over what the link says of itself.
async fn watch(life: &Life, stats: &Stats) {
    loop {
        tokio::time::sleep(tokio::time::Duration::from_secs(1)).await;
        life.connected.set(stats.connected.get());
        *life.last_end.borrow_mut() = stats.last_end.get().map(|end| format!("{end:?}"));
    }
}

/// The program of one start.
async fn once<D: Dial>(node: &Built<D>, start: &Start, stats: &Stats, anew: &Notify) {
    node.life.starts.set(node.life.starts.get() + 1);
    if start.program.fault == Fault::Hangs {
        return std::future::pending().await;
    }
    let Some(board) = &node.board else { return run_node(node, start, stats, None, &mut NoMore).await };
    let who = (node.identity.site.clone(), node.identity.device.clone());
    let Ok(mut keep) = board.keep().await else { return };
    let told = settings::load(&mut keep).await.ok().flatten();
    let keep = Store::new(keep);
    if let Ok(mut service) = board.service(who, &start.program, &keep, Anew(anew)).await {
        run_node(node, start, stats, told.as_ref(), &mut service).await;
    }
}

/// A board's way to start itself anew.
struct Anew<'a>(&'a Notify);
impl Restart for Anew<'_> {
    fn restart(&mut self) {
        self.0.notify_one();
    }
}

async fn run_node<D: Dial, E: Actions>(node: &Built<D>, start: &Start, stats: &Stats, told: Option<&DeviceSettings>, more: &mut E) {
    let Built { identity, cable, life, poll_ms, .. } = node;
    let cable = Cable { mute: start.program.fault == Fault::Mute, ..cable.clone() };
    let (scene, time) = (cable.scene.clone(), cable.time);
    let clock = Uptime(Instant::now());
    let post = Post::new(life.outbox.clone(), start.boot);
    let mut chips: Vec<Chip> = Chip::new(&scene, time).into_iter().collect();
    let plan = told.map_or_else(|| plan(&scene), |told| settings::plan(told, &plan(&scene)));
    // In seconds, as the birth promises it.
    let period_s = if chips.is_empty() { scene.kind().period_s } else { plan.report_ms / 1000 };
    let mut watching = watches(&chips[..], &[plan]);
    let mut inputs: Vec<Box<dyn Input>> = (0..scene.kind().contact.len()).filter_map(|i| wire::input(&scene, time, i)).collect();
    let poll_ms = if inputs.is_empty() { IDLE_POLL_MS } else { *poll_ms };
    let first_fault = u8::try_from(chips.len()).unwrap_or(u8::MAX);
    let channels = (0..inputs.len()).map(|place| wire::channel(scene.kind(), place));
    let mut wired: Vec<Wired<'_>> =
        inputs.iter_mut().zip(channels).map(|(input, channel)| Wired { input: &mut **input, channel }).collect();
    let outputs = RefCell::new(Lamps(&life.orders));
    let address = Address { site: identity.site.clone(), device: identity.device.clone() };
    let account = Account { user: &identity.user, password: identity.password.as_bytes() };
    let about = About {
        make: "Tuoan",
        model: &scene.kind().name,
        firmware: &start.program.version,
        hardware: "simulated",
        reset: start.reset.as_str(),
        period_s,
    };
    let mut link = Link::new(address, account, about, Version::V5, start.boot);
    let (mut rx, mut tx) = ([0; MIN_RX + MAX_CHUNK], [0; MIN_TX]);
    let mut room = identity.pin.as_ref().map(|_| Box::new(Room::new()));
    let tls = identity.pin.clone().zip(room.as_deref_mut());
    let mut network = Counted { network: Secure::new(cable, Drawn, tls), tally: node.tally.clone() };
    let mut dog = Dog { clock, fed_ms: 0, starved: &life.starved };
    let node = Node {
        clock: &clock,
        post: &post,
        sensors: &mut chips[..],
        watches: &mut watching,
        inputs: &mut wired,
        watching: Watching { poll_ms, report_ms: period_s.saturating_mul(1000), first_fault },
        outputs: &outputs,
        network: &mut network,
        link: &mut link,
        buffers: Buffers { rx: &mut rx, tx: &mut tx },
        watchdog: &mut dog,
        more,
        stats,
    };
    // Told before the first sample is taken.
    tokio::join!(tell_time(&post, clock, &scene, time), async { run(node).await });
}

/// Tells the node UTC, wrong where the script says so.
async fn tell_time<O: tuoan_node::outbox::Outbox>(post: &Post<O>, clock: Uptime, scene: &Scene, time: Timeline) {
    loop {
        while let Some(end) = scene.until(What::Untold, time.now()) {
            sleep_until(time.instant(end)).await;
        }
        let (now, t) = (Instant::now(), time.now());
        post.wall.set(time.utc_ms(now).saturating_add(scene.clock_error_ms(t)), clock.now_ms());
        match scene.until(What::Clock, t).or_else(|| scene.next(What::Clock, t)) {
            Some(change) => sleep_until(time.instant(change)).await,
            None => std::future::pending().await,
        }
    }
}

/// How the node's chip is sampled.
fn plan(scene: &Scene) -> Plan {
    let kind = scene.kind();
    let mut plan = Plan { look_ms: kind.look_s * 1000, report_ms: kind.period_s * 1000, ..Plan::default() };
    for (what, Curve { step, low, high, .. }) in &kind.measure {
        let quantity = match what {
            Measured::Temperature => Quantity::Temperature,
            Measured::Humidity => Quantity::Humidity,
            Measured::Co2 => Quantity::Co2,
        };
        let [step, low, high] = [step, low, high].map(|v| v.and_then(|v| quantity.fixed(v).ok()));
        // Three quantities at most, and there is room for six.
        let _ = plan.rules.push(Rule { quantity, step, low, high });
    }
    plan
}

/// Outputs that exist and are seen by nobody.
struct Lamps<'a>(&'a Cell<u32>);
impl Outputs for Lamps<'_> {
    fn set(&mut self, output: Output, _: bool) -> bool {
        if !matches!(output, Output::Buzzer | Output::Led) {
            self.0.set(self.0.get() + 1);
        }
        true
    }
}

struct Dog<'a> {
    clock: Uptime,
    fed_ms: u64,
    starved: &'a Cell<u32>,
}
impl Watchdog for Dog<'_> {
    fn feed(&mut self) {
        let now = self.clock.now_ms();
        if now - self.fed_ms > WATCHDOG_MS {
            self.starved.set(self.starved.get() + 1);
        }
        self.fed_ms = now;
    }
}

/// The host's random numbers.
struct Drawn;
impl Random for Drawn {
    fn fill(&mut self, bytes: &mut [u8]) {
        rand::fill(bytes);
    }
}

/// The cable of a node in a scene.
pub fn cable<D: Dial>(dial: D, scene: Scene, time: Timeline) -> Cable<D> {
    Cable { dial, scene: Rc::new(scene), time, stranded: Rc::new(RefCell::new(None)), mute: false }
}
