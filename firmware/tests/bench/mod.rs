//! A node in virtual time, and the broker's end of its line in the test's hand.
use embedded_hal_async::delay::DelayNs;
use embedded_io_async::{ErrorType, Read, Write};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep, timeout};
use tuoan_node::alarm::{Output, Outputs, Watching, Wired};
use tuoan_node::clock::Clock;
use tuoan_node::link::message::{About, Address};
use tuoan_node::link::packet::{self, Version};
use tuoan_node::link::{Account, Actions, Buffers, Connect, Link, MIN_RX, MIN_TX, Stats};
use tuoan_node::node::{NoMore, Node, run};
use tuoan_node::outbox::RamOutbox;
use tuoan_node::post::Post;
use tuoan_node::sampler::{Plan, watches};
use tuoan_node::sensor::{Change, Fault, Input, Sample, Sensor};
use tuoan_node::watchdog::Watchdog;
use tuoan_protocol::{DeviceEvent, DeviceId, EventKind, Fixed, Quantity, Reading, SiteId, Telemetry, Wire};

pub const BOOT: u64 = 7;

#[derive(Clone, Copy)]
pub struct Virtual(pub Instant);
impl Clock for Virtual {
    type Delay = Wait;
    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
    fn delay(&self) -> Wait {
        Wait
    }
}
pub struct Wait;
impl DelayNs for Wait {
    async fn delay_ns(&mut self, ns: u32) {
        sleep(Duration::from_nanos(ns.into())).await;
    }
    async fn delay_ms(&mut self, ms: u32) {
        sleep(Duration::from_millis(ms.into())).await;
    }
}

/// The node's end of a line.
pub struct Line(DuplexStream);
impl ErrorType for Line {
    type Error = embedded_io_async::ErrorKind;
}
impl Read for Line {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.0.read(buf).await.map_err(|_| embedded_io_async::ErrorKind::ConnectionReset)
    }
}
impl Write for Line {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.0.write(buf).await.map_err(|_| embedded_io_async::ErrorKind::ConnectionReset)
    }
    async fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Hands the broker's end of each new line to the test, while the cable is in.
pub struct Cable {
    pub in_place: Rc<Cell<bool>>,
    lines: mpsc::UnboundedSender<DuplexStream>,
}
impl Connect for Cable {
    type Stream<'a> = Line;
    async fn connect(&mut self) -> Option<Line> {
        if !self.in_place.get() {
            return None;
        }
        let (node, broker) = duplex(4096);
        self.lines.send(broker).ok()?;
        Some(Line(node))
    }
}

/// What the sensor shows: it counts its looks, or fails.
#[derive(Default)]
pub struct Counter {
    pub looks: i64,
    pub fault: Rc<Cell<Option<Fault>>>,
    pub hangs: Rc<Cell<bool>>,
}
impl Sensor for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    async fn sample(&mut self, _: u64) -> Result<Sample, Fault> {
        if self.hangs.get() {
            std::future::pending::<()>().await;
        }
        if let Some(fault) = self.fault.get() {
            return Err(fault);
        }
        self.looks += 1;
        Ok(Sample::from_iter([Reading { quantity: Quantity::Co2, channel: 0, value: Fixed(self.looks) }]))
    }
}

/// An input that the test changes.
#[derive(Clone, Default)]
pub struct Hand(pub Rc<RefCell<VecDeque<Change>>>);
impl Hand {
    pub fn press(&self) {
        self.0.borrow_mut().push_back(Change::Event(EventKind::PanicPressed));
    }
    pub fn door(&self, open: bool) {
        self.0.borrow_mut().push_back(Change::State(tuoan_node::sensor::state(Quantity::Open, open)));
    }
}
impl Input for Hand {
    fn name(&self) -> &'static str {
        "hand"
    }
    fn poll(&mut self, _: u64) -> Option<Change> {
        self.0.borrow_mut().pop_front()
    }
    fn state(&self) -> Option<Result<Reading, Fault>> {
        None
    }
}

#[derive(Clone, Default)]
pub struct Lamps(pub Rc<RefCell<Vec<(Output, bool)>>>);
impl Outputs for Lamps {
    fn set(&mut self, output: Output, on: bool) -> bool {
        self.0.borrow_mut().push((output, on));
        output != Output::ValveClose
    }
}

/// When it was last fed, and the longest it went without, in milliseconds.
#[derive(Clone)]
pub struct Dog(pub Virtual, pub Rc<Cell<(u64, u64)>>);
impl Watchdog for Dog {
    fn feed(&mut self) {
        let (now, (last, longest)) = (self.0.now_ms(), self.1.get());
        self.1.set((now, longest.max(now - last)));
    }
}

/// What the test holds of a running node.
pub struct Hands {
    pub cable: Rc<Cell<bool>>,
    pub lines: mpsc::UnboundedReceiver<DuplexStream>,
    pub hand: Hand,
    pub fault: Rc<Cell<Option<Fault>>>,
    pub hangs: Rc<Cell<bool>>,
    pub lamps: Lamps,
    pub dog: Rc<Cell<(u64, u64)>>,
    pub post: Rc<Post<RamOutbox<2048, 24576>>>,
    pub stats: Rc<Stats>,
}

impl Hands {
    /// The next line that the node opens, within two minutes.
    pub async fn line(&mut self) -> Peer {
        let line = timeout(Duration::from_secs(120), self.lines.recv()).await.expect("the node does not connect").unwrap();
        Peer { line, bytes: Vec::new(), v5: true }
    }
    /// A line, greeted by a broker that knows nothing of the node; lines that the node has given up in the meantime are passed over.
    pub async fn session(&mut self) -> Peer {
        loop {
            let mut peer = self.line().await;
            if peer.try_welcome(false).await.is_some() {
                return peer;
            }
        }
    }
}

/// Runs a node beside the script.
pub async fn with_node<T>(plan: Plan, poll_ms: u32, script: impl AsyncFnOnce(&mut Hands) -> T) -> T {
    with_more(plan, poll_ms, NoMore, script).await
}

/// The same with something of the board's own behind the link.
pub async fn with_more<T>(plan: Plan, poll_ms: u32, mut more: impl Actions, script: impl AsyncFnOnce(&mut Hands) -> T) -> T {
    let clock = Virtual(Instant::now());
    let (lines, incoming) = mpsc::unbounded_channel();
    let post = Rc::new(Post::new(RamOutbox::new(), BOOT));
    let stats = Rc::new(Stats::default());
    let mut hands = Hands {
        cable: Rc::new(Cell::new(true)),
        lines: incoming,
        hand: Hand::default(),
        fault: Rc::default(),
        hangs: Rc::default(),
        lamps: Lamps::default(),
        dog: Rc::default(),
        post: post.clone(),
        stats: stats.clone(),
    };
    let mut sensors = (Counter { looks: 0, fault: hands.fault.clone(), hangs: hands.hangs.clone() },);
    let mut watching = watches(&sensors, &[plan]);
    let mut hand = hands.hand.clone();
    let outputs = RefCell::new(hands.lamps.clone());
    let mut cable = Cable { in_place: hands.cable.clone(), lines };
    let address = Address { site: SiteId::new("xingyuan").unwrap(), device: DeviceId::new("th-1").unwrap() };
    let account = Account { user: "th-1", password: b"secret" };
    let about = About { make: "Tuoan", model: "test", firmware: "1.2.3", hardware: "host.1", reset: "power", period_s: 60 };
    let mut link = Link::new(address, account, about, Version::V5, BOOT);
    let (mut rx, mut tx) = ([0; MIN_RX], [0; MIN_TX]);
    let mut dog = Dog(clock, hands.dog.clone());
    let mut inputs = [Wired { input: &mut hand, channel: 0 }];
    let node = run(Node {
        clock: &clock,
        post: &*post,
        sensors: &mut sensors,
        watches: &mut watching,
        inputs: &mut inputs,
        watching: Watching { poll_ms, report_ms: 60_000, first_fault: 1 },
        outputs: &outputs,
        network: &mut cable,
        link: &mut link,
        buffers: Buffers { rx: &mut rx, tx: &mut tx },
        watchdog: &mut dog,
        more: &mut more,
        stats: &stats,
    });
    tokio::select! {
        _ = node => unreachable!("the node never ends"),
        result = script(&mut hands) => result,
    }
}

/// A message that the node published.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    pub topic: String,
    pub payload: Vec<u8>,
    pub id: u16,
    pub dup: bool,
    pub retain: bool,
}
impl Got {
    pub fn telemetry(&self) -> Telemetry {
        assert_eq!(self.topic, "tuoan/v1/xingyuan/th-1/telemetry", "{self:?}");
        Telemetry::from_cbor(&self.payload).unwrap()
    }
    pub fn event(&self) -> DeviceEvent {
        assert_eq!(self.topic, "tuoan/v1/xingyuan/th-1/event", "{self:?}");
        DeviceEvent::from_cbor(&self.payload).unwrap()
    }
    pub fn is_event(&self) -> bool {
        self.topic.ends_with("/event")
    }
    pub fn seq(&self) -> u64 {
        if self.is_event() { self.event().seq } else { self.telemetry().seq }
    }
}

/// The broker's end of a line.
pub struct Peer {
    pub line: DuplexStream,
    bytes: Vec<u8>,
    pub v5: bool,
}

impl Peer {
    /// The next packet; `None` when the node closed the line.
    pub async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((total, start)) = packet::size(&self.bytes).unwrap()
                && self.bytes.len() >= total
            {
                let packet = (self.bytes[0], self.bytes[start..total].to_vec());
                self.bytes.drain(..total);
                return Some(packet);
            }
            let mut buf = [0; 1024];
            match self.line.read(&mut buf).await {
                Ok(n) if n > 0 => self.bytes.extend_from_slice(&buf[..n]),
                _ => return None,
            }
        }
    }
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A line that the node has closed takes nothing.
        let _ = self.line.write_all(bytes.as_ref()).await;
    }
    /// Answers CONNECT, birth and subscription; the CONNECT's body and the birth. `kept`: the broker knew the session.
    pub async fn welcome(&mut self, kept: bool) -> (Vec<u8>, Got) {
        self.try_welcome(kept).await.expect("the node has closed the line")
    }
    async fn try_welcome(&mut self, kept: bool) -> Option<(Vec<u8>, Got)> {
        let (first, connect) = self.packet().await?;
        assert_eq!(first, 0x10);
        self.v5 = connect[6] == 5;
        let present = u8::from(kept);
        self.send(if self.v5 { vec![0x20, 3, present, 0, 0] } else { vec![0x20, 2, present, 0] }).await;
        let birth = self.published().await?;
        self.ack(birth.id).await;
        let (first, body) = self.packet().await?;
        assert_eq!(first, 0x82);
        let (high, low) = (body[0], body[1]);
        self.send(if self.v5 { vec![0x90, 4, high, low, 0, 1] } else { vec![0x90, 3, high, low, 1] }).await;
        Some((connect, birth))
    }
    /// The next message; pings are answered on the way.
    pub async fn published(&mut self) -> Option<Got> {
        loop {
            let (first, body) = self.packet().await?;
            match first >> 4 {
                12 => self.send([0xd0, 0]).await,
                4 => {}
                3 => {
                    let n = usize::from(u16::from_be_bytes([body[0], body[1]]));
                    let skip = if self.v5 { 5 } else { 4 };
                    return Some(Got {
                        topic: String::from_utf8(body[2..2 + n].to_vec()).unwrap(),
                        id: u16::from_be_bytes([body[2 + n], body[3 + n]]),
                        payload: body[skip + n..].to_vec(),
                        dup: first & 8 != 0,
                        retain: first & 1 != 0,
                    });
                }
                _ => panic!("{first:x}"),
            }
        }
    }
    pub async fn ack(&mut self, id: u16) {
        let [a, b] = id.to_be_bytes();
        self.send([0x40, 2, a, b]).await;
    }
    /// The next message, acknowledged.
    pub async fn taken(&mut self) -> Got {
        let got = timeout(Duration::from_secs(200), self.published()).await.expect("nothing is sent").expect("the line is closed");
        self.ack(got.id).await;
        got
    }
    /// Says something to the node on a topic of its own.
    pub async fn say(&mut self, kind: &str, payload: &[u8]) {
        let (mut buf, topic) = ([0; 512], format!("tuoan/v1/xingyuan/th-1/{kind}"));
        let p = packet::Publish { topic: &topic, payload, id: 11, dup: false, retain: false };
        let bytes = packet::publish(&mut buf, Version::V5, &p).unwrap().to_vec();
        self.send(&bytes).await;
    }
    /// Says an order to the node.
    pub async fn order(&mut self, id: u64, action: &str, extra: &str) {
        let payload = format!(r#"{{"v":1,"site":"xingyuan","device":"th-1","id":{id},"action":"{action}"{extra}}}"#);
        let mut buf = [0; 512];
        let p = packet::Publish { topic: "tuoan/v1/xingyuan/th-1/command", payload: payload.as_bytes(), id: 9, dup: false, retain: false };
        let bytes = packet::publish(&mut buf, Version::V5, &p).unwrap().to_vec();
        self.send(&bytes).await;
    }
}
