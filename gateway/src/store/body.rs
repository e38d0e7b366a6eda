//! Bodies of log entries as bytes. The first byte names the form:
//!
//! - `1`: a message, as a CBOR sequence `device boot seq sampled head item*`. Names stand as numbers of the [`Names`] dictionary; `sampled`
//!   is relative to the entry's engine time; `head` is twice the number of items, plus one when retained. An item is a reading
//!   (`2 * quantity + has_channel`, channel, value), an event (`-1`, kind, command), a presence (`-2`, which) or a quantity of which the device
//!   cannot tell any more (`-3`, quantity by number or name, channel). About 40 bytes for three
//!   readings: at ten messages a second that is what decides how long a small card lasts.
//! - `0`: any other body, by serde.
//!
//! A number once given here never changes its meaning: logs are kept for years.
use crate::engine::Body;
use crate::engine::input::{Item, Message};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use std::collections::HashMap;
use tuoan_protocol::{DeviceId, EventKind, Fixed, Presence, Quantity, id::OtherName};

const GENERIC: u8 = 0;
pub(super) const MESSAGE: u8 = 1;
const EVENT: i64 = -1;
const PRESENCE: i64 = -2;
const UNKNOWN: i64 = -3;

/// Names that get a number at most; later ones stand in full. Bounds what a sender of invented names can make us keep.
pub const MAX_NAMES: usize = 65_536;

/// Numbers of device and quantity names, in order of first use. Those from `saved` on are not committed yet.
#[derive(Debug, Default)]
pub struct Names {
    numbers: HashMap<String, u32>,
    list: Vec<String>,
    saved: usize,
}

impl Names {
    /// As read from the table, in order of their numbers from 0.
    pub fn load(list: Vec<String>) -> Names {
        let numbers = list.iter().zip(0u32..).map(|(name, n)| (name.clone(), n)).collect();
        Names { numbers, saved: list.len(), list }
    }
    fn number(&mut self, name: &str) -> Option<u32> {
        if let Some(&n) = self.numbers.get(name) {
            return Some(n);
        }
        if self.list.len() >= MAX_NAMES {
            return None;
        }
        let n = u32::try_from(self.list.len()).ok()?;
        self.numbers.insert(name.to_owned(), n);
        self.list.push(name.to_owned());
        Some(n)
    }
    /// Names to be written with the next commit, with their numbers.
    pub fn unsaved(&self) -> impl Iterator<Item = (usize, &str)> {
        self.list.iter().enumerate().skip(self.saved).map(|(n, name)| (n, name.as_str()))
    }
    /// The commit that wrote [`Names::unsaved`] has succeeded.
    pub fn mark_saved(&mut self) {
        self.saved = self.list.len();
    }
}

/// The same dictionary for reading: each name as what it can stand for, so that it is checked once and not at every entry.
#[derive(Debug, Clone, Default)]
pub struct Dictionary(Vec<(Option<DeviceId>, Option<Quantity>)>);

impl Dictionary {
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// The names that follow those it has, in order of their numbers.
    pub fn extend<S: AsRef<str>>(&mut self, names: impl IntoIterator<Item = S>) {
        self.0.extend(names.into_iter().map(|n| (DeviceId::new(n.as_ref()).ok(), Quantity::from_name(n.as_ref()).ok())));
    }
    fn device(&self, number: u64) -> Result<DeviceId, String> {
        self.get(number)
            .and_then(|n| n.0.clone())
            .ok_or_else(|| format!("name {number} is missing from the dictionary, or names no device"))
    }
    fn quantity(&self, number: u64) -> Result<Quantity, String> {
        self.get(number)
            .and_then(|n| n.1.clone())
            .ok_or_else(|| format!("name {number} is missing from the dictionary, or names no quantity"))
    }
    fn get(&self, number: u64) -> Option<&(Option<DeviceId>, Option<Quantity>)> {
        self.0.get(usize::try_from(number).ok()?)
    }
}

type Encode = Encoder<Vec<u8>>;
type EncodeResult = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

/// `body` of the entry at engine time `at`.
pub fn encode(body: &Body, at: i64, names: &mut Names) -> Result<Vec<u8>, String> {
    if let Body::Message(m) = body {
        // A device clock that is off by more than 64 bits of milliseconds goes the long way.
        let sampled = m.sampled_at.map(|s| s.checked_sub(at));
        if sampled != Some(None) {
            let mut buffer = Vec::with_capacity(64);
            buffer.push(MESSAGE);
            let mut e = Encoder::new(buffer);
            message(&mut e, m, sampled.flatten(), names).map_err(|e| e.to_string())?;
            return Ok(e.into_writer());
        }
    }
    let mut bytes = vec![GENERIC];
    bytes.extend(minicbor_serde::to_vec(body).map_err(|e| e.to_string())?);
    Ok(bytes)
}

fn message(e: &mut Encode, m: &Message, sampled: Option<i64>, names: &mut Names) -> EncodeResult {
    match names.number(m.device.as_str()) {
        Some(n) => e.u32(n)?,
        None => e.str(m.device.as_str())?,
    };
    for optional in [m.boot, m.seq] {
        match optional {
            Some(n) => e.u64(n)?,
            None => e.null()?,
        };
    }
    match sampled {
        Some(delta) => e.i64(delta)?,
        None => e.null()?,
    };
    e.u64((m.items.len() as u64) << 1 | u64::from(m.retained))?;
    for item in &m.items {
        match item {
            Item::Reading { quantity, channel, value } => {
                match names.number(quantity.name()) {
                    Some(n) => {
                        e.u64(u64::from(n) << 1 | u64::from(*channel != 0))?;
                        if *channel != 0 {
                            e.u8(*channel)?;
                        }
                    }
                    None => {
                        e.str(quantity.name())?.u8(*channel)?;
                    }
                }
                e.i64(value.0)?;
            }
            Item::Unknown { quantity, channel } => {
                e.i64(UNKNOWN)?;
                match names.number(quantity.name()) {
                    Some(n) => e.u32(n)?,
                    None => e.str(quantity.name())?,
                };
                e.u8(*channel)?;
            }
            Item::Event { kind, command } => {
                e.i64(EVENT)?;
                match kind {
                    EventKind::PanicPressed => e.u8(0)?,
                    EventKind::PanicCancelled => e.u8(1)?,
                    EventKind::Test => e.u8(2)?,
                    EventKind::ButtonPressed => e.u8(3)?,
                    EventKind::CommandDone => e.u8(4)?,
                    EventKind::Other(name) => e.str(name.as_str())?,
                };
                match command {
                    Some(n) => e.u64(*n)?,
                    None => e.null()?,
                };
            }
            Item::Presence(presence) => {
                let which = match presence {
                    Presence::Online => 0,
                    Presence::Leaving => 1,
                    Presence::Offline => 2,
                };
                e.i64(PRESENCE)?.u8(which)?;
            }
        }
    }
    Ok(())
}

/// The body of the entry at engine time `at`.
pub fn decode(bytes: &[u8], at: i64, names: &Dictionary) -> Result<Body, String> {
    match bytes.split_first() {
        Some((&GENERIC, rest)) => minicbor_serde::from_slice(rest).map_err(|e| e.to_string()),
        Some((&MESSAGE, rest)) => parse(&mut Decoder::new(rest), at, names).map(Body::Message),
        Some((form, _)) => Err(format!("form {form} of a log entry is not known to this version")),
        None => Err("a log entry is empty".to_owned()),
    }
}

fn parse(d: &mut Decoder<'_>, at: i64, names: &Dictionary) -> Result<Message, String> {
    fn bad(e: impl std::fmt::Display) -> String {
        e.to_string()
    }
    let device = if is_text(d)? { DeviceId::new(d.str().map_err(bad)?).map_err(bad)? } else { names.device(d.u64().map_err(bad)?)? };
    let boot = optional(d, Decoder::u64)?;
    let seq = optional(d, Decoder::u64)?;
    let sampled_at = match optional(d, Decoder::i64)? {
        Some(delta) => Some(at.checked_add(delta).ok_or("the sample's time is out of range")?),
        None => None,
    };
    let head = d.u64().map_err(bad)?;
    let mut items = Vec::with_capacity((head >> 1).min(64) as usize);
    for _ in 0..head >> 1 {
        items.push(if is_text(d)? {
            let quantity = Quantity::from_name(d.str().map_err(bad)?).map_err(bad)?;
            Item::Reading { quantity, channel: d.u8().map_err(bad)?, value: Fixed(d.i64().map_err(bad)?) }
        } else {
            match d.i64().map_err(bad)? {
                EVENT => {
                    let kind = if is_text(d)? {
                        EventKind::Other(OtherName::new(d.str().map_err(bad)?).map_err(bad)?)
                    } else {
                        match d.u8().map_err(bad)? {
                            0 => EventKind::PanicPressed,
                            1 => EventKind::PanicCancelled,
                            2 => EventKind::Test,
                            3 => EventKind::ButtonPressed,
                            4 => EventKind::CommandDone,
                            n => return Err(format!("event kind {n} is not known to this version")),
                        }
                    };
                    Item::Event { kind, command: optional(d, Decoder::u64)? }
                }
                UNKNOWN => {
                    let quantity = if is_text(d)? {
                        Quantity::from_name(d.str().map_err(bad)?).map_err(bad)?
                    } else {
                        names.quantity(d.u64().map_err(bad)?)?
                    };
                    Item::Unknown { quantity, channel: d.u8().map_err(bad)? }
                }
                PRESENCE => Item::Presence(match d.u8().map_err(bad)? {
                    0 => Presence::Online,
                    1 => Presence::Leaving,
                    2 => Presence::Offline,
                    n => return Err(format!("presence {n} is not known to this version")),
                }),
                key => {
                    let key = u64::try_from(key).map_err(|_| format!("item {key} is not known to this version"))?;
                    let quantity = names.quantity(key >> 1)?;
                    let channel = if key & 1 == 1 { d.u8().map_err(bad)? } else { 0 };
                    Item::Reading { quantity, channel, value: Fixed(d.i64().map_err(bad)?) }
                }
            }
        });
    }
    Ok(Message { device, boot, seq, sampled_at, retained: head & 1 == 1, items })
}

fn is_text(d: &Decoder<'_>) -> Result<bool, String> {
    d.datatype().map(|t| t == Type::String).map_err(|e| e.to_string())
}

fn optional<'b, T>(
    d: &mut Decoder<'b>,
    read: impl Fn(&mut Decoder<'b>) -> Result<T, minicbor::decode::Error>,
) -> Result<Option<T>, String> {
    match d.datatype() {
        Ok(Type::Null) => d.null().map(|()| None),
        Ok(_) => read(d).map(Some),
        Err(e) => Err(e),
    }
    .map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(bytes: &[u8], at: i64, names: &Names) -> Result<Body, String> {
        let mut dictionary = Dictionary::default();
        dictionary.extend(&names.list);
        decode(bytes, at, &dictionary)
    }

    fn three_readings() -> Message {
        let r = |quantity, value| Item::Reading { quantity, channel: 0, value: Fixed(value) };
        Message {
            device: DeviceId::new("env-toddler-2").unwrap(),
            boot: Some(0x1234_5678_9abc_def0),
            seq: Some(123_456),
            sampled_at: Some(1_790_000_000_120),
            retained: false,
            items: vec![r(Quantity::Temperature, 2345), r(Quantity::Humidity, 4560), r(Quantity::Co2, 812)],
        }
    }

    #[test]
    fn all_that_is_seen_of_a_zone_fits_into_a_few_bytes() {
        use Quantity as Q;
        let seen = [Q::People, Q::Adults, Q::Children, Q::CarersMissing, Q::Presence, Q::Unattended, Q::Fallen, Q::Climbing, Q::Intrusion];
        let seen = seen.into_iter().chain([Q::Prone, Q::FaceCovered, Q::NapUnseen, Q::EBike, Q::Crowded, Q::CountCapped]);
        let items: Vec<Item> = seen.map(|quantity| Item::Reading { quantity, channel: 0, value: Fixed(1) }).collect();
        let message =
            Message { device: DeviceId::new("vision.room-2").unwrap(), boot: None, seq: None, sampled_at: None, items, ..three_readings() };
        let mut names = Names::default();
        // Other devices have used the short numbers.
        for n in 0..200 {
            names.number(&format!("name-{n}"));
        }
        let bytes = encode(&Body::Message(message), 0, &mut names).unwrap();
        assert!(bytes.len() <= 70, "{} bytes", bytes.len());
    }

    #[test]
    fn a_usual_message_is_small_and_its_form_is_fixed() {
        let mut names = Names::default();
        let body = Body::Message(three_readings());
        let bytes = encode(&body, 1_790_000_000_123, &mut names).unwrap();
        assert!(bytes.len() <= 48, "{} bytes", bytes.len());
        let golden = "01001b123456789abcdef01a0001e2402206021909290419 11d00619032c".replace(' ', "");
        assert_eq!(hex::encode(&bytes), golden);
        assert_eq!(back(&bytes, 1_790_000_000_123, &names).unwrap(), body);
        assert_eq!(names.unsaved().map(|(_, n)| n).collect::<Vec<_>>(), ["env-toddler-2", "temperature", "humidity", "co2"]);
    }

    #[test]
    fn names_beyond_the_dictionary_stand_in_full() {
        let mut names = Names::load((0..MAX_NAMES).map(|n| format!("n{n}")).collect());
        let body = Body::Message(three_readings());
        let bytes = encode(&body, 5, &mut names).unwrap();
        assert_eq!(names.unsaved().count(), 0);
        assert_eq!(back(&bytes, 5, &names).unwrap(), body);
    }

    #[test]
    fn damage_is_an_error_never_a_panic() {
        let mut names = Names::default();
        let bytes = encode(&Body::Message(three_readings()), 5, &mut names).unwrap();
        for cut in 0..bytes.len() {
            assert!(back(&bytes[..cut], 5, &names).is_err());
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x1b, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                let _ = back(&damaged, i64::MAX, &names);
            }
        }
    }

    fn name() -> impl Strategy<Value = String> {
        "[a-z][a-z0-9._-]{0,20}"
    }
    fn item() -> impl Strategy<Value = Item> {
        let quantity = prop_oneof![
            (0..Quantity::ALL.len()).prop_map(|i| Quantity::ALL[i].clone()),
            name().prop_map(|n| Quantity::from_name(&n).unwrap())
        ];
        let kind = prop_oneof![
            Just(EventKind::PanicPressed),
            Just(EventKind::PanicCancelled),
            Just(EventKind::Test),
            Just(EventKind::ButtonPressed),
            Just(EventKind::CommandDone),
            name().prop_map(|n| EventKind::Other(OtherName::new(&n).unwrap())),
        ];
        prop_oneof![
            (quantity, any::<u8>(), any::<i64>()).prop_map(|(quantity, channel, v)| Item::Reading { quantity, channel, value: Fixed(v) }),
            (name(), any::<u8>()).prop_map(|(n, channel)| Item::Unknown { quantity: Quantity::from_name(&n).unwrap(), channel }),
            (kind, any::<Option<u64>>()).prop_map(|(kind, command)| Item::Event { kind, command }),
            prop_oneof![Just(Presence::Online), Just(Presence::Leaving), Just(Presence::Offline)].prop_map(Item::Presence),
        ]
    }
    proptest! {
        #[test]
        fn every_message_comes_back(
            device in name(), boot: Option<u64>, seq: Option<u64>, sampled_at: Option<i64>, retained: bool, at: i64,
            items in proptest::collection::vec(item(), 0..30),
        ) {
            let mut names = Names::default();
            let body = Body::Message(Message { device: DeviceId::new(&device).unwrap(), boot, seq, sampled_at, retained, items });
            let bytes = encode(&body, at, &mut names).unwrap();
            prop_assert_eq!(back(&bytes, at, &names).unwrap(), body);
        }
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), at: i64) {
            let names = Names::load(vec!["env-1".into(), "co2".into()]);
            let _ = back(&bytes, at, &names);
        }
    }
}
