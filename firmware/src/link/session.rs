//! One connection: CONNECT, birth, subscriptions, and then whatever waits, until something breaks.
use super::message::{self, Unsendable};
use super::packet::{self, Incoming, Publish};
use super::{Account, Actions, Buffers, End, Link, Shared, count};
use crate::clock::{Clock, until};
use crate::outbox::{Lane, Outbox};
use crate::record::{MAX_RECORD, Record};
use crate::sensor::Sample;
use core::convert::Infallible;
use embassy_futures::select::{Either, Either3, select, select3};
use embedded_io_async::{Read, Write};
use tuoan_protocol::codec::MAX_MESSAGE;
use tuoan_protocol::id::OtherName;
use tuoan_protocol::topic::TopicKind;
use tuoan_protocol::{DeviceAction, EventKind, Fixed, Presence, Quantity, Reading, Wire};

/// Seconds within which the broker wants to hear something.
const KEEP_ALIVE_S: u16 = 30;
/// Seconds that the broker keeps the session, and with it orders under way.
const SESSION_S: u32 = 3600;
/// Longest wait for room to write, in milliseconds.
const WRITE_MS: u64 = 10_000;
/// Longest wait for an answer: to CONNECT, to a message, to a ping.
const ANSWER_MS: u64 = 10_000;

const BIRTH_ID: u16 = 1;
const FIRST_SUBSCRIPTION_ID: u16 = 2;
/// Answers take turns with the last sixteen numbers, which nothing else uses.
const FIRST_ANSWER_ID: u16 = 0xfff0;
/// Longest answer, bytes.
const ANSWER: usize = 256;

/// Bytes of a birth or will.
const STATUS: usize = 480;
const _: () = assert!(super::MIN_TX <= MAX_MESSAGE);

/// Serves the connection until it ends; why it did.
pub(super) async fn serve<C: Clock, O: Outbox, S: Read + Write, A: Actions>(
    link: &mut Link<'_>,
    shared: &Shared<'_, C, O>,
    stream: &mut S,
    actions: &mut A,
    buffers: &mut Buffers<'_>,
) -> End {
    let now = shared.clock.now_ms();
    let mut inbox = Inbox { rx: buffers.rx, filled: 0 };
    let mut session =
        Session { link, shared, stream, tx: buffers.tx, last_tx: now, keep_alive_s: KEEP_ALIVE_S, limit: 1, kept: false, answer_id: 0 };
    let talk = async {
        session.hello(&mut inbox).await?;
        session.birth(actions).await?;
        session.tell_lost().await;
        session.talk(&mut inbox, actions).await
    };
    match talk.await {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

struct Session<'s, 'c, 'l, C, O, S> {
    link: &'s mut Link<'l>,
    shared: &'s Shared<'c, C, O>,
    stream: &'s mut S,
    tx: &'s mut [u8],
    /// When something was last written.
    last_tx: u64,
    keep_alive_s: u16,
    /// Messages that the broker takes at once.
    limit: usize,
    /// The broker knew the session.
    kept: bool,
    answer_id: u16,
}

impl<C: Clock, O: Outbox, S: Read + Write> Session<'_, '_, '_, C, O, S> {
    async fn hello(&mut self, inbox: &mut Inbox<'_>) -> Result<(), End> {
        let mut will = [0; STATUS];
        let n = message::will(&self.link.address, self.shared.post.boot).to_cbor(&mut will).map_err(|_| End::Malformed)?;
        let topic = self.link.address.topic(TopicKind::Status.as_str());
        let Account { user, password } = self.link.account;
        let connect = packet::Connect {
            client: self.link.address.device.as_str(),
            user,
            password,
            clean: self.link.fresh,
            keep_alive_s: KEEP_ALIVE_S,
            session_expiry_s: SESSION_S,
            max_packet: u32::try_from(inbox.rx.len()).unwrap_or(u32::MAX),
            will: (&topic, will.get(..n).unwrap_or_default()),
        };
        let bytes = packet::connect(self.tx, self.link.version, &connect).map_err(|_| End::Malformed)?;
        write(self.shared, self.stream, bytes).await?;
        let answered = until(self.shared.clock, self.shared.clock.now_ms().saturating_add(ANSWER_MS));
        let yes = async {
            loop {
                inbox.more(self.stream).await?;
                let Some((first, body, total)) = inbox.packet()? else { continue };
                let Ok(Incoming::Connected(yes)) = packet::read(self.link.version, first, body) else { return Err(End::Malformed) };
                inbox.consume(total);
                return Ok(yes);
            }
        };
        let yes = match select(yes, answered).await {
            Either::First(yes) => yes?,
            Either::Second(()) => return Err(End::Silent),
        };
        if yes.code != 0 {
            return Err(End::Refused(yes.code));
        }
        // Zero would mean: never send anything. A broker may not say it.
        self.limit = usize::from(yes.receive_maximum.max(1));
        self.keep_alive_s = yes.keep_alive_s.unwrap_or(KEEP_ALIVE_S).max(2);
        self.kept = yes.session_present;
        self.link.fresh = false;
        self.shared.stats.connected.set(true);
        count(&self.shared.stats.connections);
        // Whatever was urgent is about to be sent.
        self.shared.post.urgent.reset();
        Ok(())
    }

    async fn birth<A: Actions>(&mut self, actions: &A) -> Result<(), End> {
        let mut payload = [0; STATUS];
        let status = message::status(&self.link.address, &self.link.about, self.shared.post.boot, Presence::Online);
        let n = status.to_cbor(&mut payload).map_err(|_| End::Malformed)?;
        let topic = self.link.address.topic(TopicKind::Status.as_str());
        let payload = payload.get(..n).unwrap_or_default();
        self.publish(&Publish { topic: &topic, payload, id: BIRTH_ID, dup: false, retain: true }).await?;
        for (id, kind) in (FIRST_SUBSCRIPTION_ID..).zip([TopicKind::Command.as_str()].iter().chain(actions.topics())).take(8) {
            let topic = self.link.address.topic(kind);
            let bytes = packet::subscribe(self.tx, self.link.version, id, &topic).map_err(|_| End::Malformed)?;
            write(self.shared, self.stream, bytes).await?;
        }
        Ok(())
    }

    async fn talk<A: Actions>(&mut self, inbox: &mut Inbox<'_>, actions: &mut A) -> Result<Infallible, End> {
        // Half of the keep-alive, in milliseconds.
        let quiet_ms = u64::from(self.keep_alive_s) * 500;
        let (mut last_rx, mut pinged) = (self.shared.clock.now_ms(), None);
        loop {
            // What came with the answer to CONNECT, or in one piece with what was read.
            while let Some((first, body, total)) = inbox.packet()? {
                let incoming = packet::read(self.link.version, first, body).map_err(|_| End::Malformed)?;
                self.handle(incoming, actions).await?;
                inbox.consume(total);
            }
            self.answers(actions).await?;
            self.fill().await?;
            let answer_due = self.link.window.oldest_wait().map_or(u64::MAX, |at| at.saturating_add(ANSWER_MS));
            let ping_due = match pinged {
                Some(at) => u64::saturating_add(at, ANSWER_MS),
                None => self.last_tx.min(last_rx).saturating_add(quiet_ms),
            };
            let deadline = until(self.shared.clock, answer_due.min(ping_due));
            let woken = select3(self.shared.post.news.wait(), inbox.more(self.stream), deadline).await;
            let now = self.shared.clock.now_ms();
            self.shared.pulse.link(now);
            match woken {
                Either3::First(()) => {}
                Either3::Second(came) => {
                    came?;
                    (last_rx, pinged) = (now, None);
                }
                Either3::Third(()) if answer_due <= now || pinged.is_some() => return Err(End::Silent),
                Either3::Third(()) => {
                    write(self.shared, self.stream, &packet::PING).await?;
                    self.last_tx = now;
                    pinged = Some(now);
                    self.tell_lost().await;
                }
            }
        }
    }

    /// Sends what the node's other parts have to say.
    async fn answers<A: Actions>(&mut self, actions: &mut A) -> Result<(), End> {
        let mut payload = [0; ANSWER];
        while let Some((kind, n)) = actions.answer(self.shared.clock.now_ms(), &mut payload).await {
            let topic = self.link.address.topic(kind);
            let (payload, id) = (payload.get(..n).unwrap_or_default(), FIRST_ANSWER_ID | self.answer_id);
            self.answer_id = self.answer_id.wrapping_add(1) & 0xf;
            self.publish(&Publish { topic: &topic, payload, id, dup: false, retain: false }).await?;
        }
        Ok(())
    }

    /// Sends what may go.
    async fn fill(&mut self) -> Result<(), End> {
        loop {
            let (mut record, mut payload) = ([0; MAX_RECORD], [0; super::MIN_TX]);
            let mut outbox = self.shared.post.outbox.lock().await;
            let (alarms, readings) = (outbox.held(Lane::Alarm), outbox.held(Lane::Reading));
            let held = |lane| if lane == Lane::Alarm { alarms.clone() } else { readings.clone() };
            let Some(flight) = self.link.window.next(self.limit, held) else { return Ok(()) };
            let (id, seq, before) = (flight.id, flight.seq, flight.before);
            let read = outbox.read(flight.lane, flight.number, &mut record).await;
            drop(outbox);
            let now = self.shared.clock.now_ms();
            let record = read.and_then(|n| Record::decode(record.get(..n)?));
            let message = record.ok_or(Unsendable::NoTime).and_then(|record| {
                message::encode(&self.link.address, self.shared.post.boot, seq, &self.shared.post.wall, now, record, &mut payload)
            });
            let Ok((kind, n)) = message else {
                // Fallen out, unreadable, or of a time that nobody knows.
                count(&self.shared.stats.given_up);
                let released = self.link.window.give_up(id);
                self.release(released).await;
                continue;
            };
            let topic = self.link.address.topic(kind);
            let payload = payload.get(..n).unwrap_or_default();
            // Only a broker that kept the session can have had it before.
            self.publish(&Publish { topic: &topic, payload, id, dup: before && self.kept, retain: false }).await?;
            self.link.window.sent(id, self.last_tx);
            count(&self.shared.stats.sent);
        }
    }

    async fn handle<A: Actions>(&mut self, incoming: Incoming<'_>, actions: &mut A) -> Result<(), End> {
        match incoming {
            Incoming::Acknowledged { id: BIRTH_ID, code } => {
                if code >= 0x80 {
                    return Err(End::NotTaken(code));
                }
                // The broker takes what it is sent: the next break is a new one.
                self.link.backoff.reset();
                actions.connected().await;
            }
            Incoming::Acknowledged { id: FIRST_ANSWER_ID.., .. } => {}
            Incoming::Acknowledged { id, code } => {
                let released = match code {
                    0..0x80 => {
                        count(&self.shared.stats.acknowledged);
                        self.link.window.acknowledge(id)
                    }
                    // "Topic name invalid", "payload format invalid", "packet too large": it will not be taken another time either.
                    0x90 | 0x95 | 0x99 => {
                        count(&self.shared.stats.given_up);
                        self.link.window.give_up(id)
                    }
                    _ => return Err(End::NotTaken(code)),
                };
                self.release(released).await;
            }
            Incoming::Message { topic, payload, id, retained } => {
                // Acknowledged once it is carried out: what is cut off in between comes again, and orders are safe to repeat.
                match self.link.address.kind(topic) {
                    // An order is never believed when retained.
                    Some("command") if retained => {}
                    Some("command") => self.order(payload, actions).await,
                    Some(kind) => actions.message(kind, payload).await,
                    None => {}
                }
                if let Some(id) = id {
                    write(self.shared, self.stream, &packet::acknowledge(id)).await?;
                    self.last_tx = self.shared.clock.now_ms();
                }
            }
            Incoming::Subscribed { code, .. } if code >= 0x80 => return Err(End::NotTaken(code)),
            Incoming::Bye { code } => return Err(End::Bye(code)),
            Incoming::Subscribed { .. } | Incoming::Pong => {}
            Incoming::Connected(_) => return Err(End::Malformed),
        }
        Ok(())
    }

    async fn order<A: Actions>(&mut self, payload: &[u8], actions: &mut A) {
        let now = self.shared.clock.now_ms();
        let unix_ms = self.shared.post.wall.unix_ms(now);
        let Ok(order) = self.link.orders.take(&self.link.address, payload, unix_ms) else { return };
        if order.action == DeviceAction::Test {
            // The sampler confirms it when it has looked at everything.
            self.link.orders.done(order.id);
            self.shared.tests.signal(order.id);
        } else if actions.order(&order.action) {
            self.link.orders.done(order.id);
            self.shared.post.event(now, EventKind::CommandDone, Some(order.id)).await;
        }
    }

    async fn release(&mut self, released: Option<(Lane, u64)>) {
        if let Some((lane, number)) = released {
            self.shared.post.outbox.lock().await.release(lane, number).await;
        }
    }

    /// How many records were lost since the node started, when that has grown.
    async fn tell_lost(&mut self) {
        let lost = self.shared.post.lost().await;
        if lost == self.link.lost_told {
            return;
        }
        self.link.lost_told = lost;
        let Ok(name) = OtherName::new("lost_records") else { return };
        let quantity = Quantity::Other(name);
        let value = Fixed(i64::from(lost).saturating_mul(quantity.scale()));
        let sample = Sample::from_iter([Reading { quantity, channel: 0, value }]);
        self.shared.post.readings(Lane::Reading, self.shared.clock.now_ms(), sample).await;
    }

    async fn publish(&mut self, p: &Publish<'_>) -> Result<(), End> {
        let bytes = packet::publish(self.tx, self.link.version, p).map_err(|_| End::Malformed)?;
        write(self.shared, self.stream, bytes).await?;
        self.last_tx = self.shared.clock.now_ms();
        Ok(())
    }
}

/// Writes all of it, or the connection is done for.
async fn write<C: Clock, O, S: Write>(shared: &Shared<'_, C, O>, stream: &mut S, bytes: &[u8]) -> Result<(), End> {
    let writing = async {
        stream.write_all(bytes).await.map_err(|_| End::Closed)?;
        stream.flush().await.map_err(|_| End::Closed)
    };
    match select(writing, until(shared.clock, shared.clock.now_ms().saturating_add(WRITE_MS))).await {
        Either::First(written) => written,
        Either::Second(()) => Err(End::Silent),
    }
}

/// First byte, body, and size of the whole.
type Packet<'a> = (u8, &'a [u8], usize);

/// What has come and is not handled yet.
struct Inbox<'a> {
    rx: &'a mut [u8],
    filled: usize,
}

impl Inbox<'_> {
    /// Waits for more bytes. Cancelled, it has taken none.
    async fn more<S: Read>(&mut self, stream: &mut S) -> Result<(), End> {
        let room = self.rx.get_mut(self.filled..).unwrap_or_default();
        match stream.read(room).await {
            Ok(0) | Err(_) => Err(End::Closed),
            Ok(n) => {
                self.filled = self.filled.saturating_add(n).min(self.rx.len());
                Ok(())
            }
        }
    }
    /// The first whole packet. One that can never fit is an error, so there is always room for more.
    fn packet(&self) -> Result<Option<Packet<'_>>, End> {
        let bytes = self.rx.get(..self.filled).unwrap_or_default();
        let Some((total, start)) = packet::size(bytes).map_err(|_| End::Malformed)? else { return Ok(None) };
        if total > self.rx.len() {
            return Err(End::Malformed);
        }
        Ok(bytes.first().copied().zip(bytes.get(start..total)).map(|(first, body)| (first, body, total)))
    }
    fn consume(&mut self, total: usize) {
        self.rx.copy_within(total.min(self.filled)..self.filled, 0);
        self.filled = self.filled.saturating_sub(total);
    }
}
