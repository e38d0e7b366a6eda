//! One simulated node: the library's node over simulated chips, started again after each power cut with the next boot number.
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
use tokio::time::{Instant, sleep_until};
use tuoan_node::alarm::{Output, Outputs, Watching, Wired};
use tuoan_node::clock::Clock;
use tuoan_node::link::message::{About, Address};
use tuoan_node::link::packet::Version;
use tuoan_node::link::pin::Pin;
use tuoan_node::link::tls::{Room, Secure};
use tuoan_node::link::{Account, Buffers, Link, MIN_RX, MIN_TX, Stats};
use tuoan_node::node::{NoMore, Node, run};
use tuoan_node::post::Post;
use tuoan_node::random::Random;
use tuoan_node::sampler::{Plan, Rule, watches};
use tuoan_node::sensor::Input;
use tuoan_node::watchdog::Watchdog;
use tuoan_protocol::{DeviceId, Quantity, SiteId};

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

/// Lives for ever. `poll_ms`: how often its inputs are looked at; a board does every 5 ms.
pub async fn live<D: Dial>(identity: &Identity, cable: Cable<D>, tally: Rc<RefCell<Tally>>, life: &Life, poll_ms: u32) {
    let (scene, time) = (cable.scene.clone(), cable.time);
    let mut boot = identity.boot;
    loop {
        while let Some(end) = scene.until(What::Power, time.now()) {
            sleep_until(time.instant(end)).await;
        }
        let cut = scene.next(What::Power, time.now()).map(|t| time.instant(t));
        let stats = Stats::default();
        let start = async {
            tokio::join!(once(identity, boot, (cable.clone(), tally.clone()), life, &stats, poll_ms), watch(life, &stats));
        };
        match cut {
            Some(cut) => tokio::select! {
                () = start => {}
                () = sleep_until(cut) => {}
            },
            None => start.await,
        }
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

async fn once<D: Dial>(
    identity: &Identity,
    boot: u64,
    (cable, tally): (Cable<D>, Rc<RefCell<Tally>>),
    life: &Life,
    stats: &Stats,
    poll_ms: u32,
) {
    life.starts.set(life.starts.get() + 1);
    let (scene, time) = (cable.scene.clone(), cable.time);
    let clock = Uptime(Instant::now());
    let post = Post::new(life.outbox.clone(), boot);
    let mut chips: Vec<Chip> = Chip::new(&scene, time).into_iter().collect();
    let mut watching = watches(&chips[..], &[plan(&scene)]);
    let mut inputs: Vec<Box<dyn Input>> = (0..scene.kind().contact.len()).filter_map(|i| wire::input(&scene, time, i)).collect();
    let poll_ms = if inputs.is_empty() { IDLE_POLL_MS } else { poll_ms };
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
        firmware: env!("CARGO_PKG_VERSION"),
        hardware: "simulated",
        reset: "power",
        period_s: scene.kind().period_s,
    };
    let mut link = Link::new(address, account, about, Version::V5, boot);
    let (mut rx, mut tx) = ([0; MIN_RX], [0; MIN_TX]);
    let mut room = identity.pin.as_ref().map(|_| Box::new(Room::new()));
    let tls = identity.pin.clone().zip(room.as_deref_mut());
    let mut network = Counted { network: Secure::new(cable, Drawn, tls), tally };
    let mut dog = Dog { clock, fed_ms: 0, starved: &life.starved };
    let node = Node {
        clock: &clock,
        post: &post,
        sensors: &mut chips[..],
        watches: &mut watching,
        inputs: &mut wired,
        watching: Watching { poll_ms, report_ms: scene.kind().period_s.saturating_mul(1000), first_fault },
        outputs: &outputs,
        network: &mut network,
        link: &mut link,
        buffers: Buffers { rx: &mut rx, tx: &mut tx },
        watchdog: &mut dog,
        more: &mut NoMore,
        stats,
    };
    // Told before the first sample is taken.
    tokio::join!(tell_time(&post, clock, &scene, time), async { run(node).await });
}

/// Tells the node UTC, wrong where the script says so.
async fn tell_time<O: tuoan_node::outbox::Outbox>(post: &Post<O>, clock: Uptime, scene: &Scene, time: Timeline) {
    loop {
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
    Cable { dial, scene: Rc::new(scene), time, stranded: Rc::new(RefCell::new(None)) }
}
