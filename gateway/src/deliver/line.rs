//! A message as InfluxDB line protocol. `influxdb-line-protocol` escapes separators, but lets line breaks and NaN through and doubles
//! backslashes, which InfluxDB then reads as two: so what it cannot say safely is refused here, before it.
//!
//! One message gives one line per channel (most devices have only channel 0):
//! `reading,site=s,zone=z,device=d temperature=23.4,co2=812,open=1i,seq=5i 1700000000123000042`
use super::sinks::Unsayable;
use crate::engine::{Message, input::Item};
use influxdb_line_protocol::LineProtocolBuilder;
use influxdb_line_protocol::builder::FieldValue;
use std::borrow::Cow;
use std::fmt;
use tuoan_protocol::decimal::Exact;
use tuoan_protocol::{Fixed, Quantity};

/// Milliseconds at 2020-01-01 UTC: a device's clock that shows less was never set.
const SAMPLED_MIN: i64 = 1_577_836_800_000;

/// Where a message comes from and when.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub measurement: &'a str,
    pub site: &'a str,
    /// `None` for a device that is not placed.
    pub zone: Option<&'a str>,
    /// Position in the log.
    pub position: u64,
    /// UTC milliseconds of arrival.
    pub arrived: i64,
}

/// Appends the message's lines; nothing if it holds no reading. On an error nothing is appended.
pub fn encode(origin: &Origin<'_>, message: &Message, to: &mut Vec<u8>) -> Result<(), Unsayable> {
    let before = to.len();
    let mut channel = next_channel(message, None);
    while let Some(c) = channel {
        if let Err(e) = line(origin, message, c, to) {
            to.truncate(before);
            return Err(e);
        }
        channel = next_channel(message, Some(c));
    }
    Ok(())
}

/// The lowest channel above `after` that has a reading.
fn next_channel(message: &Message, after: Option<u8>) -> Option<u8> {
    readings(message).map(|(_, c, _)| c).filter(|c| after.is_none_or(|a| *c > a)).min()
}

fn readings(message: &Message) -> impl DoubleEndedIterator<Item = (&Quantity, u8, Fixed)> {
    message.items.iter().filter_map(|item| match item {
        Item::Reading { quantity, channel, value } => Some((quantity, *channel, *value)),
        Item::Event { .. } | Item::Presence(_) => None,
    })
}

fn line(origin: &Origin<'_>, message: &Message, channel: u8, to: &mut Vec<u8>) -> Result<(), Unsayable> {
    let mut tags = LineProtocolBuilder::new_with(to).measurement(name(origin.measurement)?).tag("site", name(origin.site)?);
    if let Some(zone) = origin.zone {
        tags = tags.tag("zone", name(zone)?);
    }
    tags = tags.tag("device", name(message.device.as_str())?);
    if channel > 0 {
        tags = tags.tag("channel", &channel.to_string());
    }
    // A quantity that stands twice in one message counts once, by its last value: InfluxDB leaves open which of two fields wins.
    let mut fields = message.items.iter().enumerate().filter_map(|(i, item)| match item {
        Item::Reading { quantity, channel: c, value } if *c == channel => {
            let later = message.items.get(i + 1..).unwrap_or_default();
            let repeated =
                later.iter().any(|o| matches!(o, Item::Reading { quantity: q, channel: c, .. } if q == quantity && *c == channel));
            (!repeated).then_some((quantity, *value))
        }
        _ => None,
    });
    let Some((quantity, value)) = fields.next() else { return Ok(()) };
    let mut line = tags.field(&field_name(quantity)?, Field::of(quantity, value)?);
    for (quantity, value) in fields {
        line = line.field(&field_name(quantity)?, Field::of(quantity, value)?);
    }
    if let Some(seq) = message.seq.and_then(|s| i64::try_from(s).ok()) {
        line = line.field("seq", seq);
    }
    line.timestamp(timestamp(origin, message)?).close_line();
    Ok(())
}

/// Nanoseconds since 1970. Devices know milliseconds at best; what is below carries the log position, so that two messages of one device
/// in the same millisecond stay two points, and a repeated delivery gives the same point again.
fn timestamp(origin: &Origin<'_>, message: &Message) -> Result<i64, Unsayable> {
    let below = i64::try_from(origin.position % 1_000_000).unwrap_or(0);
    let ns = |ms: i64| ms.checked_mul(1_000_000)?.checked_add(below);
    let sampled = message.sampled_at.filter(|ms| *ms >= SAMPLED_MIN).and_then(ns);
    sampled.or_else(|| ns(origin.arrived)).ok_or_else(|| Unsayable("its time is outside what InfluxDB can hold".into()))
}

/// A name that the builder can write and that InfluxDB reads back as the same.
fn name(s: &str) -> Result<&str, Unsayable> {
    let refuse = |why: &str| Err(Unsayable(format!("the name {s:?} {why}")));
    if s.is_empty() {
        return refuse("is empty");
    }
    match s.chars().find(|c| c.is_control() || *c == '\\') {
        Some('\\') => refuse("holds a backslash"),
        Some(_) => refuse("holds a control character"),
        None if s.starts_with('#') => refuse("starts with #, which begins a comment"),
        None => Ok(s),
    }
}

/// A measurement's name, checked once with the configuration.
pub fn check_measurement(s: &str) -> Result<(), Unsayable> {
    if s.starts_with('_') {
        return Err(Unsayable(format!("the name {s:?} starts with _, which InfluxDB keeps for itself")));
    }
    name(s).map(|_| ())
}

/// The quantity's name. A foreign one that is called like a tag or a field of ours gets a `_` behind it.
fn field_name(quantity: &Quantity) -> Result<Cow<'_, str>, Unsayable> {
    let s = name(quantity.name())?;
    Ok(match s {
        "time" | "seq" | "site" | "zone" | "device" | "channel" => Cow::Owned(format!("{s}_")),
        // InfluxDB keeps names with a leading _ for itself.
        _ if s.starts_with('_') => Cow::Owned(format!("x{s}")),
        _ => Cow::Borrowed(s),
    })
}

/// A value as InfluxDB reads it: states as integers, numbers as floats, written exactly from fixed point (so never NaN).
#[derive(Debug, Clone, Copy)]
enum Field {
    State(i64),
    Number(Exact),
}

impl Field {
    fn of(quantity: &Quantity, value: Fixed) -> Result<Field, Unsayable> {
        let value = quantity.checked(value).map_err(|e| Unsayable(format!("{}: {e}", quantity.name())))?;
        Ok(if quantity.is_state() { Field::State(value.0) } else { Field::Number(Exact { value, decimals: quantity.decimals() }) })
    }
}

impl FieldValue for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Field::State(value) => write!(f, "{value}i"),
            Field::Number(exact) => write!(f, "{exact}"),
        }
    }
}
