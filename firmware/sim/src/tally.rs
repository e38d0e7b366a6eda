//! What passed a node's cable: which sequence numbers were sent and which acknowledged, whether every message reads as the protocol says, and how
//! long acknowledgements took. It reads the bytes on the wire, and asks the node nothing.
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use tokio::time::{Duration, Instant};
use tuoan_node::link::packet::{self, Incoming, Version};
use tuoan_protocol::{DeviceEvent, SettingsAnswer, Status, Telemetry, UpdateProgress, Wire};

/// Latencies kept at most; then the oldest give way.
const MAX_KEPT: usize = 1 << 20;

/// How long acknowledgements took, in microseconds: of the whole fleet, from a moment on.
#[derive(Debug)]
pub struct Latencies {
    from: Instant,
    readings: Waits,
    alarms: Waits,
    connects: Waits,
}
/// How many there were, and how long they took; the last million or so.
#[derive(Debug, Default)]
pub struct Waits {
    pub count: u64,
    pub micros: Vec<u32>,
}

impl Waits {
    fn add(&mut self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let place = self.count as usize % MAX_KEPT;
        self.count += 1;
        match self.micros.get_mut(place) {
            Some(old) => *old = micros,
            None => self.micros.push(micros),
        }
    }
}

impl Latencies {
    pub fn new(from: Instant) -> Latencies {
        Latencies { from, readings: Waits::default(), alarms: Waits::default(), connects: Waits::default() }
    }
    fn add(&mut self, alarm: bool, sent: Instant, now: Instant) {
        if sent < self.from {
            return;
        }
        let kept = if alarm { &mut self.alarms } else { &mut self.readings };
        kept.add(now.duration_since(sent));
    }
    /// All connections of the run, TCP and TLS: they are made before the fleet is steady.
    pub fn connects(&mut self) -> Waits {
        std::mem::take(&mut self.connects)
    }
    /// Readings, and alarms: events and states.
    pub fn finish(&mut self) -> (Waits, Waits) {
        (std::mem::take(&mut self.readings), std::mem::take(&mut self.alarms))
    }
}

/// The sequence numbers of one start of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    pub boot: u64,
    /// Highest sent; all from 1 on were.
    pub sent: u64,
    /// Acknowledged without a gap from 1 up to this one.
    pub acknowledged: u64,
    /// Acknowledged beyond a gap.
    ahead: BTreeSet<u64>,
}

impl Start {
    fn acknowledge(&mut self, seq: u64) {
        if seq > self.acknowledged {
            self.ahead.insert(seq);
        }
        while self.ahead.remove(&(self.acknowledged + 1)) {
            self.acknowledged += 1;
        }
    }
}

/// Of one node.
#[derive(Debug)]
pub struct Tally {
    latencies: Rc<RefCell<Latencies>>,
    pub starts: Vec<Start>,
    /// On this connection, sent and not acknowledged: packet id, boot, seq, whether it is an alarm, when.
    open: Vec<(u16, u64, u64, bool, Instant)>,
    out: Vec<u8>,
    into: Vec<u8>,
    /// Messages, repeats among them.
    pub sent: u64,
    pub repeated: u64,
    pub bytes: u64,
    pub connections: u64,
    /// Messages that the protocol does not read, or whose number is not the next one.
    pub malformed: u64,
}

impl Tally {
    pub fn new(latencies: Rc<RefCell<Latencies>>) -> Tally {
        let (starts, open, out, into) = Default::default();
        Tally { latencies, starts, open, out, into, sent: 0, repeated: 0, bytes: 0, connections: 0, malformed: 0 }
    }

    /// A new connection, made from `began` to `now`: what was under way on the old one will come again.
    pub fn connected(&mut self, began: Instant, now: Instant) {
        self.latencies.borrow_mut().connects.add(now.duration_since(began));
        self.open.clear();
        self.out.clear();
        self.into.clear();
        self.connections += 1;
    }

    /// The node wrote these bytes.
    pub fn wrote(&mut self, bytes: &[u8], now: Instant) {
        self.bytes += bytes.len() as u64;
        let mut out = std::mem::take(&mut self.out);
        out.extend_from_slice(bytes);
        packets(&mut out, |first, body| {
            if first >> 4 != 3 {
                return;
            }
            match packet::read(Version::V5, first, body) {
                Ok(Incoming::Message { topic, payload, id: Some(id), .. }) => self.publish(topic, payload, id, now),
                _ => self.malformed += 1,
            }
        });
        self.out = out;
    }

    /// The node read these bytes.
    pub fn read(&mut self, bytes: &[u8], now: Instant) {
        let mut into = std::mem::take(&mut self.into);
        into.extend_from_slice(bytes);
        packets(&mut into, |first, body| {
            if first >> 4 == 4
                && let Ok(Incoming::Acknowledged { id, code: 0..0x80 }) = packet::read(Version::V5, first, body)
                && let Some(place) = self.open.iter().position(|o| o.0 == id)
            {
                let (_, boot, seq, alarm, sent) = self.open.swap_remove(place);
                self.latencies.borrow_mut().add(alarm, sent, now);
                if let Some(start) = self.starts.iter_mut().find(|s| s.boot == boot) {
                    start.acknowledge(seq);
                }
            }
        });
        self.into = into;
    }

    fn publish(&mut self, topic: &str, payload: &[u8], id: u16, now: Instant) {
        let numbered = match topic.rsplit('/').next() {
            Some("telemetry") => {
                Telemetry::from_cbor(payload).map(|t| (t.boot, t.seq, t.readings.iter().any(|r| r.quantity.is_state()))).ok()
            }
            Some("event") => DeviceEvent::from_cbor(payload).map(|e| (e.boot, e.seq, true)).ok(),
            // Not numbered: it is no measurement.
            Some("status") if Status::from_cbor(payload).is_ok() => return,
            Some("progress") if UpdateProgress::from_cbor(payload).is_ok() => return,
            Some("applied") if SettingsAnswer::from_cbor(payload).is_ok() => return,
            _ => None,
        };
        let Some((boot, seq, alarm)) = numbered else {
            self.malformed += 1;
            return;
        };
        self.sent += 1;
        if self.starts.last().is_none_or(|s| s.boot < boot) {
            self.starts.push(Start { boot, ..Start::default() });
        }
        match self.starts.last_mut() {
            Some(start) if start.boot == boot && seq == start.sent + 1 => start.sent = seq,
            Some(start) if start.boot == boot && seq <= start.sent => self.repeated += 1,
            _ => self.malformed += 1,
        }
        self.open.push((id, boot, seq, alarm, now));
    }
}

/// Hands out the whole packets at the front of `bytes`.
fn packets(bytes: &mut Vec<u8>, mut each: impl FnMut(u8, &[u8])) {
    while let Ok(Some((total, start))) = packet::size(bytes)
        && let (Some(first), Some(body)) = (bytes.first().copied(), bytes.get(start..total))
    {
        each(first, body);
        bytes.drain(..total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuoan_protocol::{DeviceId, DeviceTime, EventKind, SiteId};

    fn event(boot: u64, seq: u64) -> Vec<u8> {
        let (site, device) = (SiteId::new("s").unwrap(), DeviceId::new("d").unwrap());
        let mut payload = [0; 200];
        let e =
            DeviceEvent { site, device, boot, seq, time: DeviceTime::Uptime(1), kind: EventKind::PanicPressed, command: None, age: None };
        let n = e.to_cbor(&mut payload).unwrap();
        let mut buf = [0; 400];
        let p = packet::Publish { topic: "tuoan/v1/s/d/event", payload: &payload[..n], id: 100 + seq as u16, dup: false, retain: false };
        packet::publish(&mut buf, Version::V5, &p).unwrap().to_vec()
    }
    fn ack(seq: u8) -> [u8; 4] {
        [0x40, 2, 0, 100 + seq]
    }

    #[test]
    fn it_counts_what_was_sent_and_acknowledged_in_any_pieces() {
        let now = Instant::now();
        let latencies = Rc::new(RefCell::new(Latencies::new(now)));
        let mut tally = Tally::new(latencies.clone());
        for byte in [event(1, 1), event(1, 2), event(1, 3)].concat() {
            tally.wrote(&[byte], now);
        }
        for byte in [ack(2), ack(2), ack(3)].concat() {
            tally.read(&[byte], now);
        }
        assert_eq!((tally.starts[0].sent, tally.starts[0].acknowledged), (3, 0), "the first is not acknowledged");
        tally.connected(now, now);
        tally.read(&ack(1), now);
        assert_eq!(tally.starts[0].acknowledged, 0, "of an old connection");
        tally.wrote(&event(1, 1), now);
        tally.read(&ack(1), now);
        assert_eq!((tally.starts[0].acknowledged, tally.repeated, tally.malformed), (3, 1, 0));
        tally.wrote(&event(2, 2), now);
        assert_eq!(tally.malformed, 1, "the first of the next start is missing");
        assert_eq!(latencies.borrow_mut().finish().1.count, 3);
    }
}
