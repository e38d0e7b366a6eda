//! From what waits in the outbox to what goes on the wire: topic and CBOR. Every topic is below the node's own, by construction.
use crate::clock::Wall;
use crate::record::{Body, Record, Stamp};
use core::fmt::Write;
use tuoan_protocol::topic::TopicKind;
use tuoan_protocol::{CodecError, DeviceEvent, DeviceId, DeviceTime, Presence, SiteId, Status, Telemetry, Wire};

/// Longest topic in bytes: `tuoan/v1/`, the two names, and the longest last level that anything here uses.
pub const MAX_TOPIC: usize = 9 + SiteId::MAX + 1 + DeviceId::MAX + 1 + 16;
pub type TopicText = heapless::String<MAX_TOPIC>;

/// Whose messages these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub site: SiteId,
    pub device: DeviceId,
}

impl Address {
    /// `tuoan/v1/<site>/<device>/<kind>`; a `kind` of more than sixteen bytes is cut.
    pub fn topic(&self, kind: &str) -> TopicText {
        let mut topic = TopicText::new();
        let _ = write!(topic, "tuoan/v1/{}/{}/", self.site, self.device).and_then(|()| kind.chars().try_for_each(|c| topic.write_char(c)));
        topic
    }
    /// The last level of `topic`, if it is one of ours.
    pub fn kind<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let rest = topic.strip_prefix("tuoan/v1/")?.strip_prefix(self.site.as_str())?;
        rest.strip_prefix('/')?.strip_prefix(self.device.as_str())?.strip_prefix('/')
    }
}

/// What the node says about itself at birth. Longer texts are cut.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub make: &'a str,
    pub model: &'a str,
    pub firmware: &'a str,
    /// Board and number of the chip.
    pub hardware: &'a str,
    /// Why the node started.
    pub reset: &'a str,
    /// Seconds between two telemetry messages that it promises.
    pub period_s: u32,
}

fn cut<const N: usize>(text: &str) -> Option<heapless::String<N>> {
    let mut short = heapless::String::new();
    let _ = text.chars().filter(|c| !c.is_control()).try_for_each(|c| short.push(c));
    (!short.is_empty()).then_some(short)
}

/// Birth or leave-taking.
pub fn status(address: &Address, about: &About<'_>, boot: u64, presence: Presence) -> Status {
    Status {
        site: address.site.clone(),
        device: address.device.clone(),
        boot: Some(boot),
        presence,
        make: cut(about.make),
        model: cut(about.model),
        firmware: cut(about.firmware),
        period_s: Some(about.period_s),
        reason: None,
        hardware: cut(about.hardware),
        reset: cut(about.reset),
    }
}

/// What the broker says for the node when it is gone.
pub fn will(address: &Address, boot: u64) -> Status {
    Status {
        site: address.site.clone(),
        device: address.device.clone(),
        boot: Some(boot),
        presence: Presence::Offline,
        make: None,
        model: None,
        firmware: None,
        period_s: None,
        reason: None,
        hardware: None,
        reset: None,
    }
}

/// Why a record cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsendable {
    /// It was sampled at some time of an earlier start that nobody knows: it must not look new.
    NoTime,
    Codec(CodecError),
}

/// Writes a record as its message into `buf`: the last level of its topic, and how many bytes. `now_ms` is the uptime at which it is sent: while nobody has
/// told the time, the message says how old it is.
///
/// # Errors
/// When it can never be sent.
pub fn encode(
    address: &Address,
    boot: u64,
    seq: u64,
    wall: &Wall,
    now_ms: u64,
    record: Record,
    buf: &mut [u8],
) -> Result<(&'static str, usize), Unsendable> {
    let (time, age) = match record.stamp {
        Stamp::Unix(ms) => (DeviceTime::Unix(ms), None),
        Stamp::Uptime { boot: then, ms } if then == boot => match wall.unix_ms(ms) {
            Some(unix) => (DeviceTime::Unix(unix), None),
            None => (DeviceTime::Uptime(ms), Some(now_ms.saturating_sub(ms))),
        },
        Stamp::Uptime { .. } => return Err(Unsendable::NoTime),
    };
    let (site, device) = (address.site.clone(), address.device.clone());
    match record.body {
        Body::Readings(sample) => {
            let readings = sample.into_iter().collect();
            let n = Telemetry { site, device, boot, seq, time, readings, age }.to_cbor(buf).map_err(Unsendable::Codec)?;
            Ok((TopicKind::Telemetry.as_str(), n))
        }
        Body::Event(kind, command) => {
            let n = DeviceEvent { site, device, boot, seq, time, kind, command, age }.to_cbor(buf).map_err(Unsendable::Codec)?;
            Ok((TopicKind::Event.as_str(), n))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::Sample;
    use tuoan_protocol::EventKind;

    fn address() -> Address {
        Address { site: SiteId::new("xingyuan").unwrap(), device: DeviceId::new("th-1").unwrap() }
    }

    #[test]
    fn a_topic_is_always_below_the_nodes_own() {
        assert_eq!(address().topic("telemetry"), "tuoan/v1/xingyuan/th-1/telemetry");
        let long = Address { site: SiteId::new(&"s".repeat(48)).unwrap(), device: DeviceId::new(&"d".repeat(64)).unwrap() };
        assert!(long.topic("telemetry").ends_with("/telemetry"));
        assert_eq!(address().kind("tuoan/v1/xingyuan/th-1/command"), Some("command"));
        for other in ["tuoan/v1/xingyuan/th-12/command", "tuoan/v1/other/th-1/command", "tuoan/v1/xingyuan/th-1", "x"] {
            assert_eq!(address().kind(other), None, "{other}");
        }
    }

    #[test]
    fn a_record_gets_the_time_that_was_learned_after_it() {
        let wall = Wall::new();
        let mut buf = [0; 256];
        let stamp = Stamp::Uptime { boot: 3, ms: 5000 };
        let record = Record { stamp, body: Body::Event(EventKind::PanicPressed, None) };
        let (kind, n) = encode(&address(), 3, 9, &wall, 9_000, record.clone(), &mut buf).unwrap();
        let told = DeviceEvent::from_cbor(&buf[..n]).unwrap();
        assert_eq!(
            (kind, told.time, told.age),
            ("event", DeviceTime::Uptime(5000), Some(4000)),
            "how old it is, as long as nobody knows when it was"
        );
        wall.set(1_790_000_010_000, 10_000);
        let (_, n) = encode(&address(), 3, 9, &wall, 11_000, record.clone(), &mut buf).unwrap();
        let told = DeviceEvent::from_cbor(&buf[..n]).unwrap();
        assert_eq!((told.time, told.age), (DeviceTime::Unix(1_790_000_005_000), None));
        assert_eq!(encode(&address(), 4, 9, &wall, 11_000, record, &mut buf), Err(Unsendable::NoTime), "of another start");
    }

    #[test]
    fn the_longest_record_fits_into_the_message_buffer() {
        use tuoan_protocol::{Fixed, Quantity, Reading};
        let long = Address { site: SiteId::new(&"s".repeat(48)).unwrap(), device: DeviceId::new(&"d".repeat(64)).unwrap() };
        let readings: Sample = (0..12)
            .map(|i| Reading {
                quantity: Quantity::OccupancyLikelihood,
                channel: 200 + i,
                value: Fixed(tuoan_protocol::quantity::FIXED_MAX),
            })
            .collect();
        let record = Record { stamp: Stamp::Unix(i64::MAX), body: Body::Readings(readings) };
        let mut buf = [0; super::super::MIN_TX - MAX_TOPIC - 16];
        assert!(encode(&long, u64::MAX, u64::MAX, &Wall::new(), u64::MAX, record, &mut buf).is_ok());
    }

    #[test]
    fn control_characters_and_overlong_texts_never_reach_the_wire() {
        let about = About { make: "Tu\noan", model: &"m".repeat(40), firmware: "", hardware: "qemu", reset: "power", period_s: 60 };
        let s = status(&address(), &about, 1, Presence::Online);
        assert_eq!((s.make.as_deref(), s.model.map(|m| m.len()), s.firmware), (Some("Tuoan"), Some(32), None));
    }
}
