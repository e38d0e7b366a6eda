//! Any other convention, described in the configuration: topic pattern, JSON pointers (RFC 6901), quantities, units.
//!
//! ```toml
//! [[mapping]]
//! name = "kit"
//! topic = "kit/{room}/{device}/env"      # {captures} are whole levels; + any level; # the rest
//! device = "{room}.{device}"             # id, from captures
//! time = { pointer = "/ts", unit = "ms" } # s, ms or iso8601
//! seq = "/seq"
//! boot = 1                               # constant, or a pointer
//! readings = [
//!   { pointer = "/temperature", quantity = "temperature", unit = "°F" },
//!   { pointer = "/door", quantity = "open", true_value = "OPEN" },
//! ]
//! ```
//! The pointer "" is the whole payload: for topics that carry one bare value.
use super::scalar::{Scalar, iso8601};
use super::units::Conversion;
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::{Body, Item, Message};
use pick::Pick;
use serde::{Deserialize, Serialize};
use tuoan_protocol::decimal::Decimal;
use tuoan_protocol::quantity::ValueError;
use tuoan_protocol::reading::MAX_READINGS;
use tuoan_protocol::{DeviceId, Fixed, Quantity};

pub(crate) mod pattern;
mod pick;

use pattern::{Pattern, Template};

pub(super) const NAME: &str = "mapping";

/// Longest payload that a mapping takes, in bytes.
pub const MAX_PAYLOAD: usize = 16 << 10;

/// One `[[mapping]]` as it stands in the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingSpec {
    pub name: String,
    pub topic: String,
    pub device: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootSpec>,
    pub readings: Vec<ReadingSpec>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSpec {
    pub pointer: String,
    pub unit: TimeUnit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Seconds since 1970, with or without decimals.
    S,
    /// Milliseconds since 1970.
    Ms,
    /// `2026-09-01T08:00:00+08:00`; without an offset it is UTC.
    Iso8601,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BootSpec {
    Constant(u64),
    Pointer(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingSpec {
    pub pointer: String,
    pub quantity: String,
    /// Unit of the payload; the quantity's own when left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    #[serde(default)]
    pub channel: u8,
    /// For a state: the value that means 1. Anything else means 0, unless `false_value` is given too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub true_value: Option<String>,
    /// For a state: the value that means 0; then any third value is malformed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_value: Option<String>,
    /// For a state: swaps 0 and 1 (a contact that is `true` when the door is closed).
    #[serde(default)]
    pub invert: bool,
}

/// A mapping ready for use.
pub struct Mapping {
    name: String,
    topic: Pattern,
    device: Template,
    picks: Pick,
    slots: usize,
    readings: Vec<Reading>,
    time: Option<(usize, TimeUnit)>,
    seq: Option<usize>,
    boot: Option<Boot>,
}

enum Boot {
    Constant(u64),
    Slot(usize),
}

struct Reading {
    slot: usize,
    quantity: Quantity,
    channel: u8,
    how: How,
}

enum How {
    Number(Conversion),
    State { true_value: Option<String>, false_value: Option<String>, invert: bool },
}

impl Mapping {
    /// Checks the whole description; `Err` has every problem, each with its place.
    pub fn compile(spec: MappingSpec) -> Result<Mapping, Vec<String>> {
        let mut problems = Vec::new();
        let mut picks = Pick::default();
        let mut slots = 0;
        let mut add = |pointer: &str, what: &str, problems: &mut Vec<String>| {
            if let Err(e) = picks.add(pointer, slots) {
                problems.push(format!("{what}: {e}"));
            }
            slots += 1;
            slots - 1
        };
        if spec.name.trim().is_empty() {
            problems.push("name must not be empty".to_owned());
        }
        let topic = Pattern::parse(&spec.topic).unwrap_or_else(|e| {
            problems.push(format!("topic: {e}"));
            Pattern::default()
        });
        let device = Template::parse(&spec.device, &topic).unwrap_or_else(|e| {
            problems.push(format!("device: {e}"));
            Template::default()
        });
        if spec.readings.is_empty() || spec.readings.len() > MAX_READINGS {
            problems.push(format!("readings must hold 1 to {MAX_READINGS}"));
        }
        let mut readings: Vec<Reading> = Vec::new();
        for (i, r) in spec.readings.into_iter().take(MAX_READINGS).enumerate() {
            let place = format!("readings[{i}]");
            let quantity = match Quantity::from_name(&r.quantity) {
                Ok(q) => q,
                Err(e) => {
                    problems.push(format!("{place}: quantity: {e}"));
                    continue;
                }
            };
            if readings.iter().any(|other| other.quantity == quantity && other.channel == r.channel) {
                problems.push(format!("{place}: {} stands twice; give the second another channel", r.quantity));
            }
            let slot = add(&r.pointer, &place, &mut problems);
            let how = if quantity.is_state() {
                if !matches!(r.unit.as_str(), "" | "bool") {
                    problems.push(format!("{place}: {} is a state and has no unit", r.quantity));
                }
                if r.false_value.is_some() && r.true_value.is_none() {
                    problems.push(format!("{place}: false_value needs true_value"));
                }
                How::State { true_value: r.true_value, false_value: r.false_value, invert: r.invert }
            } else {
                if r.true_value.is_some() || r.false_value.is_some() || r.invert {
                    problems.push(format!("{place}: true_value, false_value and invert are for states; {} is a number", r.quantity));
                }
                match Conversion::of(&quantity, &r.unit) {
                    Ok(conversion) => How::Number(conversion),
                    Err(e) => {
                        problems.push(format!("{place}: {e}"));
                        continue;
                    }
                }
            };
            readings.push(Reading { slot, quantity, channel: r.channel, how });
        }
        let time = spec.time.map(|t| (add(&t.pointer, "time", &mut problems), t.unit));
        let seq = spec.seq.map(|pointer| add(&pointer, "seq", &mut problems));
        let boot = spec.boot.map(|b| match b {
            BootSpec::Constant(n) => Boot::Constant(n),
            BootSpec::Pointer(pointer) => Boot::Slot(add(&pointer, "boot", &mut problems)),
        });
        if seq.is_some() != boot.is_some() {
            problems.push(
                "seq and boot go together: without both, a repeated message cannot be told (boot = 1 if it never restarts)".to_owned(),
            );
        }
        if problems.is_empty() {
            Ok(Mapping { name: spec.name, topic, device, picks, slots, readings, time, seq, boot })
        } else {
            Err(problems.into_iter().map(|p| format!("mapping `{}`: {p}", spec.name)).collect())
        }
    }

    fn read(&self, captures: &[&str], raw: Raw<'_>) -> Result<Option<Message>, String> {
        if raw.payload.is_empty() {
            return Ok(None);
        }
        if raw.payload.len() > MAX_PAYLOAD {
            return Err(format!("the payload is longer than {MAX_PAYLOAD} bytes"));
        }
        let device = DeviceId::new(&self.device.render(captures)).map_err(|e| format!("device: {e}"))?;
        let mut found = vec![None; self.slots];
        self.picks.find(raw.payload, &mut found)?;
        let scalar = |slot: usize| found.get(slot).copied().flatten().map(Scalar::of).filter(|s| *s != Scalar::Null);
        let (mut items, mut wrong) = (Vec::with_capacity(self.readings.len()), None);
        for r in &self.readings {
            let Some(value) = scalar(r.slot) else { continue };
            // A reading that is wrong does not cost the others: one of them may be the alarm.
            match r.value(&value) {
                Ok(value) => items.push(Item::Reading { quantity: r.quantity.clone(), channel: r.channel, value }),
                Err(e) => wrong = Some(format!("{}: {e}", r.quantity.name())),
            }
        }
        if items.is_empty() {
            return Err(wrong.unwrap_or_else(|| "the payload holds none of the readings' pointers".to_owned()));
        }
        let number = |slot: usize| scalar(slot)?.number()?.parse::<u64>().ok();
        let boot = match self.boot {
            Some(Boot::Constant(n)) => Some(n),
            Some(Boot::Slot(slot)) => number(slot),
            None => None,
        };
        // Only both together tell a repeat.
        let (boot, seq) = boot.zip(self.seq.and_then(number)).unzip();
        let sampled_at = self.time.and_then(|(slot, unit)| time(&scalar(slot)?, unit));
        Ok(Some(Message { device, boot, seq, sampled_at, retained: raw.retained, items }))
    }
}

impl Reading {
    fn value(&self, value: &Scalar<'_>) -> Result<Fixed, ValueError> {
        match &self.how {
            How::Number(conversion) => conversion.apply(&self.quantity, value.number().ok_or(ValueError::NotFinite)?),
            How::State { true_value: None, invert, .. } => {
                value.state().map(|on| Fixed(i64::from(on != *invert))).ok_or(ValueError::NotAState)
            }
            How::State { true_value: Some(yes), false_value, invert } => {
                let text = match value {
                    Scalar::Bool(true) => "true",
                    Scalar::Bool(false) => "false",
                    other => other.number().ok_or(ValueError::NotAState)?,
                };
                let on = match false_value {
                    _ if text == yes => true,
                    Some(no) if text != no => return Err(ValueError::NotAState),
                    _ => false,
                };
                Ok(Fixed(i64::from(on != *invert)))
            }
        }
    }
}

/// A wrong time is dropped rather than the reading.
fn time(value: &Scalar<'_>, unit: TimeUnit) -> Option<i64> {
    let decimals = match unit {
        TimeUnit::S => 3,
        TimeUnit::Ms => 0,
        TimeUnit::Iso8601 => {
            return match value {
                Scalar::Text(text) => iso8601(text),
                _ => None,
            };
        }
    };
    Decimal::parse(value.number()?).ok()?.to_fixed(decimals).ok().map(|f| f.0).filter(|ms| (0..=253_402_300_799_999).contains(ms))
}

impl Decoder for Mapping {
    fn name(&self) -> &'static str {
        NAME
    }
    fn owner(&self, topic: &str) -> Owner {
        match self.topic.matches(topic) {
            Some(captures) => Owner::Mine(DeviceId::new(&self.device.render(&captures)).ok()),
            None => Owner::NotMine,
        }
    }
    fn decode(&mut self, raw: Raw<'_>, _: &mut Directory) -> Decoded {
        let Some(captures) = self.topic.matches(raw.topic) else { return Decoded::NotMine };
        match self.read(&captures, raw) {
            Ok(message) => Decoded::Inputs(message.map(Body::Message).into_iter().collect()),
            Err(reason) => Decoded::Malformed(format!("mapping `{}`: {reason}", self.name)),
        }
    }
}

#[cfg(test)]
mod tests;
