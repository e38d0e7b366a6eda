//! A message as InfluxDB line protocol. `influxdb-line-protocol` escapes separators, but lets line breaks and NaN through and doubles
//! backslashes, which InfluxDB then reads as two: so what it cannot say safely is refused here, before it.
//!
//! One message gives one line per channel (most devices have only channel 0):
//! `reading,site=s,zone=z,device=d temperature=23.4,co2=812,open=1i,seq=5i 1700000000123000042`
//! A value that cannot be is sent like any other, and the field `implausible` names its quantity: `implausible="temperature,co2"`.
use super::sinks::Unsayable;
use crate::engine::quality::limits;
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
        Item::Unknown { .. } | Item::Event { .. } | Item::Presence(_) => None,
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
    // An impossible value is kept and forwarded, and says of itself what it is.
    let impossible = |item: &&Item| match item {
        Item::Reading { quantity, channel: c, value } => *c == channel && !limits::is_plausible(quantity, *value),
        Item::Unknown { .. } | Item::Event { .. } | Item::Presence(_) => false,
    };
    let mut doubtful = String::new();
    for q in message.items.iter().filter(impossible).filter_map(Item::quantity_name) {
        doubtful.extend([if doubtful.is_empty() { "" } else { "," }, q]);
    }
    if !doubtful.is_empty() {
        line = line.field("implausible", doubtful.as_str());
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
        "time" | "seq" | "implausible" | "site" | "zone" | "device" | "channel" => Cow::Owned(format!("{s}_")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::testing::influx::{Point, Value, parse};
    use proptest::prelude::*;
    use tuoan_protocol::DeviceId;

    const ORIGIN: Origin<'_> =
        Origin { measurement: "reading", site: "xingyuan", zone: Some("toddler-2"), position: 42, arrived: 1_700_000_000_123 };

    fn message(items: Vec<Item>) -> Message {
        Message { device: DeviceId::new("climate-2").unwrap(), boot: None, seq: Some(5), sampled_at: None, retained: false, items }
    }
    fn reading(quantity: Quantity, channel: u8, value: i64) -> Item {
        Item::Reading { quantity, channel, value: Fixed(value) }
    }
    fn encoded(origin: &Origin<'_>, message: &Message) -> Result<String, Unsayable> {
        let mut to = Vec::new();
        encode(origin, message, &mut to)?;
        Ok(String::from_utf8(to).unwrap())
    }

    #[test]
    fn golden_lines() {
        let mut m = message(vec![
            reading(Quantity::Temperature, 0, 2340),
            reading(Quantity::Co2, 0, 812),
            reading(Quantity::Open, 0, 1),
            reading(Quantity::Temperature, 3, -5),
            Item::Presence(tuoan_protocol::Presence::Online),
        ]);
        assert_eq!(
            encoded(&ORIGIN, &m).unwrap(),
            "reading,site=xingyuan,zone=toddler-2,device=climate-2 temperature=23.4,co2=812,open=1i,seq=5i 1700000000123000042\n\
             reading,site=xingyuan,zone=toddler-2,device=climate-2,channel=3 temperature=-0.05,seq=5i 1700000000123000042\n"
        );
        m.items.truncate(1);
        (m.seq, m.sampled_at) = (None, Some(1_699_999_999_000));
        let unplaced = Origin { zone: None, ..ORIGIN };
        assert_eq!(encoded(&unplaced, &m).unwrap(), "reading,site=xingyuan,device=climate-2 temperature=23.4 1699999999000000042\n");
        // A clock that was never set.
        m.sampled_at = Some(3_000);
        assert!(encoded(&ORIGIN, &m).unwrap().ends_with(" 1700000000123000042\n"));
        m.items.clear();
        assert_eq!(encoded(&ORIGIN, &m).unwrap(), "");
    }

    #[test]
    fn a_quantity_twice_counts_once_by_its_last_value() {
        let m = message(vec![reading(Quantity::Co2, 0, 401), reading(Quantity::Co2, 1, 402), reading(Quantity::Co2, 0, 403)]);
        let lines = encoded(&ORIGIN, &m).unwrap();
        assert!(lines.contains(" co2=403,seq=5i ") && lines.contains(" co2=402,seq=5i ") && lines.lines().count() == 2, "{lines}");
    }

    #[test]
    fn an_impossible_value_is_forwarded_with_a_field_that_says_so() {
        let m = message(vec![
            reading(Quantity::Temperature, 0, -12700),
            reading(Quantity::Co2, 0, 65535),
            reading(Quantity::Humidity, 0, 4500),
        ]);
        let line = encoded(&ORIGIN, &m).unwrap();
        assert!(line.contains(" temperature=-127,co2=65535,humidity=45,implausible=\"temperature,co2\",seq=5i "), "{line}");
    }

    #[test]
    fn foreign_quantities_do_not_take_our_names() {
        let other = |name: &str| Quantity::Other(tuoan_protocol::OtherName::new(name).unwrap());
        let m = message(vec![reading(other("time"), 0, 1000), reading(other("seq"), 0, 2000), reading(other("_x"), 0, 3500)]);
        assert!(encoded(&ORIGIN, &m).unwrap().contains(" time_=1,seq_=2,x_x=3.5,seq=5i "));
    }

    #[test]
    fn what_cannot_be_said_safely_is_refused_whole() {
        let good = message(vec![reading(Quantity::Co2, 0, 1)]);
        for bad in ["", "a\nb", "a\r", "tail\\", "a\\ b", "\u{85}", "#note", "\0"] {
            let origins = [Origin { measurement: bad, ..ORIGIN }, Origin { site: bad, ..ORIGIN }, Origin { zone: Some(bad), ..ORIGIN }];
            assert!(origins.iter().all(|o| encoded(o, &good).is_err()), "{bad:?}");
        }
        assert!(check_measurement("_internal").is_err() && check_measurement("reading").is_ok());
        // A state that is none, on the second channel: the first channel's line is taken back.
        let mut to = b"before\n".to_vec();
        let bad = message(vec![reading(Quantity::Co2, 0, 1), reading(Quantity::Smoke, 1, 7)]);
        assert!(encode(&ORIGIN, &bad, &mut to).unwrap_err().to_string().starts_with("smoke: "));
        assert_eq!(to, b"before\n");
        assert!(encoded(&Origin { arrived: i64::MAX, ..ORIGIN }, &good).is_err());
    }

    proptest! {
        #[test]
        fn one_line_that_parses_back_or_a_refusal(
            measurement in any::<String>(), site in any::<String>(), zone in proptest::option::of(any::<String>()),
            name in "[^\\s/+#\"\\\\$\\p{C}]{1,8}", value in any::<i64>(), seq in any::<Option<u64>>(),
            arrived in any::<i64>(), position in any::<u64>(),
        ) {
            let origin = Origin { measurement: &measurement, site: &site, zone: zone.as_deref(), position, arrived };
            let quantity = Quantity::from_name(&name).unwrap();
            let mut m = message(vec![reading(quantity.clone(), 0, value)]);
            m.seq = seq;
            if let Ok(text) = encoded(&origin, &m) {
                let line = text.strip_suffix('\n').unwrap();
                prop_assert!(!line.contains('\n'));
                let Point { measurement: read, tags, fields, time } = parse(line).map_err(TestCaseError::fail)?;
                prop_assert_eq!(&read, &measurement);
                let mut want = vec![("site".to_owned(), site.clone())];
                want.extend(zone.clone().map(|z| ("zone".to_owned(), z)));
                want.push(("device".to_owned(), "climate-2".to_owned()));
                prop_assert_eq!(tags, want);
                prop_assert_eq!(fields.len(), 1 + usize::from(seq.is_some_and(|s| i64::try_from(s).is_ok())));
                match &fields[0].1 {
                    Value::Float(f) => prop_assert_eq!(quantity.fixed(*f).unwrap(), Fixed(value)),
                    Value::Integer(i) => prop_assert_eq!(*i, value),
                }
                prop_assert_eq!(time.div_euclid(1_000_000), arrived);
            }
        }
    }
}
