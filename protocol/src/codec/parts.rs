//! How compound fields are written: readings, place, trigger, state, digests, times.
use super::cbor::{self, Out, wrong};
#[cfg(feature = "std")]
use super::json;
#[cfg(feature = "std")]
use super::value::AsText;
use super::{CodecError, Value, required};
use crate::decimal::Decimal;
use crate::quantity::ValueError;
use crate::reading::MAX_READINGS;
use crate::settings::MAX_RULES;
use crate::{DeviceTime, Fixed, IncidentState, Place, Quantity, QuantityRule, Reading, Severity, Trigger};
use heapless::Vec;
use minicbor::Decoder;
#[cfg(feature = "std")]
use std::string::String;

/// 9999-12-31T23:59:59.999Z: sums with it cannot overflow.
pub const TIME_MAX: i64 = 253_402_300_799_999;

/// `time` or `uptime`, as they were met.
#[derive(Default)]
pub struct Time {
    pub unix: Option<i64>,
    pub uptime: Option<u64>,
}

impl Time {
    pub fn get(self) -> Result<DeviceTime, CodecError> {
        match (self.unix, self.uptime) {
            (Some(ms @ 0..=TIME_MAX), None) => Ok(DeviceTime::Unix(ms)),
            (Some(_), None) => Err(CodecError::Field("time", "must be milliseconds since 1970, before the year 10000")),
            (None, Some(ms)) if ms <= TIME_MAX.unsigned_abs() => Ok(DeviceTime::Uptime(ms)),
            (None, Some(_)) => Err(CodecError::Field("uptime", "must be milliseconds since the device started")),
            (Some(_), Some(_)) => Err(CodecError::Field("time", "must not be given together with `uptime`")),
            (None, None) => Err(CodecError::Missing("time")),
        }
    }
}

fn bad_value(field: &'static str, error: ValueError) -> CodecError {
    CodecError::Field(
        field,
        match error {
            ValueError::NotFinite => "must hold numbers (or true and false for states)",
            ValueError::OutOfRange => "holds a value that is too large to be kept exactly",
            ValueError::NotAState => "must hold 0, 1, true or false for a state",
        },
    )
}

/// A value with its decimals -> the decimals that this version keeps.
fn rescaled(quantity: &Quantity, mantissa: i64, decimals: u8, field: &'static str) -> Result<Fixed, CodecError> {
    let value = if decimals == quantity.decimals() {
        Ok(Fixed(mantissa))
    } else {
        Decimal { mantissa, exponent: -i32::from(decimals) }.to_fixed(quantity.decimals())
    };
    value.and_then(|v| quantity.checked(v)).map_err(|e| bad_value(field, e))
}

type Readings = Vec<Reading, MAX_READINGS>;

fn add(list: &mut Readings, reading: Reading, field: &'static str) -> Result<(), CodecError> {
    if list.iter().any(|r| r.channel == reading.channel && r.quantity == reading.quantity) {
        return Err(CodecError::Field(field, "must hold a quantity and channel only once"));
    }
    list.push(reading).map_err(|_| CodecError::Field(field, "must hold at most 24; send the rest in a further message"))
}

impl Value for Readings {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        out.array(self.len() as u64)?;
        for r in self {
            out.array(if r.channel == 0 { 3 } else { 4 })?;
            r.quantity.encode(out)?;
            out.i64(r.value.0)?.u8(r.quantity.decimals())?;
            if r.channel != 0 {
                out.u8(r.channel)?;
            }
        }
        Ok(())
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        let mut list = Vec::new();
        for _ in 0..cbor::array(input, field)? {
            let members = cbor::array(input, field)?;
            if members < 3 {
                return Err(CodecError::Field(field, "must hold arrays of quantity, mantissa, decimals and channel"));
            }
            let quantity = Quantity::decode(input, field)?;
            let (mantissa, decimals) = (i64::decode(input, field)?, u8::decode(input, field)?);
            let channel = if members > 3 { u8::decode(input, field)? } else { 0 };
            for _ in 4..members {
                cbor::skip(input)?;
            }
            let value = rescaled(&quantity, mantissa, decimals, field)?;
            add(&mut list, Reading { quantity, channel, value }, field)?;
        }
        Ok(list)
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        use std::fmt::Write;
        out.push('{');
        for (i, r) in self.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            // A quantity's name holds nothing that needs an escape; writing to a String cannot fail.
            let _ = match r.channel {
                0 => write!(out, "{comma}\"{}\":{}", r.quantity.name(), r.quantity.exact(r.value)),
                c => write!(out, "{comma}\"{}#{c}\":{}", r.quantity.name(), r.quantity.exact(r.value)),
            };
        }
        out.push('}');
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        let mut list = Vec::new();
        json::members(raw, field, |key, raw| {
            let (name, channel) = match key.split_once('#') {
                Some((name, c)) => (name, c.parse().map_err(|_| CodecError::Field(field, "must name a channel from 0 to 255 after #"))?),
                None => (key, 0),
            };
            let quantity = <Quantity as AsText>::of(name, field)?;
            let value = match raw {
                "true" => quantity.checked(Fixed(quantity.scale())),
                "false" => quantity.checked(Fixed(0)),
                number => quantity.parse(number),
            };
            let value = value.map_err(|e| bad_value(field, e))?;
            add(&mut list, Reading { quantity, channel, value }, field)
        })?;
        Ok(list)
    }
}

impl Value for Severity {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        u8::from(*self).encode(out)
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        Severity::try_from(u8::decode(input, field)?).map_err(|_| CodecError::Field(field, "must be 1, 2, 3 or 4"))
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        u8::from(*self).write(out);
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        Severity::try_from(u8::read(raw, field)?).map_err(|_| CodecError::Field(field, "must be 1, 2, 3 or 4"))
    }
}

impl Value for IncidentState {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        out.map(3 + u64::from(self.inhibited.is_some()))?
            .u8(1)?
            .bool(self.active)?
            .u8(2)?
            .bool(self.acknowledged)?
            .u8(3)?
            .bool(self.closed)?;
        if let Some(inhibited) = &self.inhibited {
            out.u8(4)?;
            inhibited.encode(out)?;
        }
        Ok(())
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        let (mut active, mut acknowledged, mut closed, mut inhibited) = (None, None, None, None);
        cbor::entries(input, field, |key, input| {
            match key {
                1 => active = Some(bool::decode(input, field)?),
                2 => acknowledged = Some(bool::decode(input, field)?),
                3 => closed = Some(bool::decode(input, field)?),
                4 => inhibited = Some(Value::decode(input, field)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            active: required(active, field)?,
            acknowledged: required(acknowledged, field)?,
            closed: required(closed, field)?,
            inhibited,
        })
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        out.push_str("{\"active\":");
        self.active.write(out);
        json::field(out, "acknowledged", &self.acknowledged);
        json::field(out, "closed", &self.closed);
        json::field(out, "inhibited", &self.inhibited);
        out.push('}');
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        let (mut active, mut acknowledged, mut closed, mut inhibited) = (None, None, None, None);
        json::members(raw, field, |key, raw| match key {
            "active" => json::set(&mut active, field, raw),
            "acknowledged" => json::set(&mut acknowledged, field, raw),
            "closed" => json::set(&mut closed, field, raw),
            "inhibited" => json::set(&mut inhibited, field, raw),
            _ => Ok(()),
        })?;
        Ok(Self {
            active: required(active, field)?,
            acknowledged: required(acknowledged, field)?,
            closed: required(closed, field)?,
            inhibited,
        })
    }
}

impl Value for Place {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        out.map(if self.device.is_some() { 2 } else { 1 })?.u8(1)?;
        self.zone.encode(out)?;
        if let Some(device) = &self.device {
            out.u8(2)?;
            device.encode(out)?;
        }
        Ok(())
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        let (mut zone, mut device) = (None, None);
        cbor::entries(input, field, |key, input| {
            match key {
                1 => zone = Some(Value::decode(input, field)?),
                2 => device = Some(Value::decode(input, field)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { zone: required(zone, field)?, device })
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        out.push_str("{\"zone\":");
        self.zone.write(out);
        json::field(out, "device", &self.device);
        out.push('}');
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        let (mut zone, mut device) = (None, None);
        json::members(raw, field, |key, raw| match key {
            "zone" => json::set(&mut zone, field, raw),
            "device" => json::set(&mut device, field, raw),
            _ => Ok(()),
        })?;
        Ok(Self { zone: required(zone, field)?, device })
    }
}

impl Value for Trigger {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        out.map(1 + if self.reading.is_some() { 3 } else { 0 } + u64::from(self.seq.is_some()))?.u8(1)?;
        self.device.encode(out)?;
        if let Some((quantity, value)) = &self.reading {
            out.u8(2)?;
            quantity.encode(out)?;
            out.u8(3)?.i64(value.0)?.u8(4)?.u8(quantity.decimals())?;
        }
        if let Some(seq) = self.seq {
            out.u8(5)?.u64(seq)?;
        }
        Ok(())
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        let (mut device, mut quantity, mut mantissa, mut decimals, mut seq) = (None, None, None, None, None);
        cbor::entries(input, field, |key, input| {
            match key {
                1 => device = Some(Value::decode(input, field)?),
                2 => quantity = Some(Quantity::decode(input, field)?),
                3 => mantissa = Some(i64::decode(input, field)?),
                4 => decimals = Some(u8::decode(input, field)?),
                5 => seq = Some(u64::decode(input, field)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let reading = match (quantity, mantissa, decimals) {
            (Some(q), Some(m), Some(d)) => rescaled(&q, m, d, field).map(|v| Some((q, v)))?,
            (None, None, None) => None,
            _ => return Err(CodecError::Field(field, "must hold quantity, mantissa and decimals together")),
        };
        Ok(Self { device: required(device, field)?, reading, seq })
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        out.push_str("{\"device\":");
        self.device.write(out);
        if let Some((quantity, value)) = &self.reading {
            json::field(out, "quantity", quantity);
            out.push_str(",\"value\":");
            out.push_str(&quantity.exact(*value).to_string());
        }
        json::field(out, "device_seq", &self.seq);
        out.push('}');
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        let (mut device, mut quantity, mut value, mut seq) = (None, None::<Quantity>, None, None);
        json::members(raw, field, |key, raw| {
            match key {
                "device" => json::set(&mut device, field, raw)?,
                "quantity" => json::set(&mut quantity, field, raw)?,
                "value" if raw != "null" => value = Some(Decimal::parse(raw).map_err(|e| bad_value(field, e))?),
                "device_seq" => json::set(&mut seq, field, raw)?,
                _ => {}
            }
            Ok(())
        })?;
        let reading = match (quantity, value) {
            (Some(q), Some(v)) => {
                let v = v.to_fixed(q.decimals()).and_then(|v| q.checked(v)).map_err(|e| bad_value(field, e))?;
                Some((q, v))
            }
            (None, None) => None,
            _ => return Err(CodecError::Field(field, "must hold `quantity` and `value` together")),
        };
        Ok(Self { device: required(device, field)?, reading, seq })
    }
}

/// Text of hexadecimal digits -> bytes.
#[cfg(feature = "std")]
fn unhex(raw: &str) -> Option<std::vec::Vec<u8>> {
    let text = json::text(raw)?;
    let digits: Option<std::vec::Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let digits = digits.filter(|d| d.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

#[cfg(feature = "std")]
fn hex(out: &mut String, bytes: &[u8]) {
    use std::fmt::Write;
    out.push('"');
    for b in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "{b:02x}");
    }
    out.push('"');
}

/// A SHA-256.
impl Value for [u8; 32] {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        out.bytes(self)?;
        Ok(())
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        const DIGEST: &str = "must be 32 bytes";
        let bytes = input.bytes().map_err(|e| wrong(input, e, field, DIGEST))?;
        bytes.try_into().map_err(|_| CodecError::Field(field, DIGEST))
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        hex(out, self);
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        let bytes = unhex(raw).and_then(|b| b.try_into().ok());
        bytes.ok_or(CodecError::Field(field, "must be 64 hexadecimal digits"))
    }
}

/// Bytes, at most `N`.
impl<const N: usize> Value for Vec<u8, N> {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        out.bytes(self)?;
        Ok(())
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        let bytes = input.bytes().map_err(|e| wrong(input, e, field, "must be bytes of definite length"))?;
        Vec::from_slice(bytes).map_err(|_| CodecError::TooLongText(field, N))
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        hex(out, self);
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        let bytes = unhex(raw).ok_or(CodecError::Field(field, "must be hexadecimal digits"))?;
        Vec::from_slice(&bytes).map_err(|_| CodecError::TooLongText(field, N))
    }
}

impl Value for QuantityRule {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        let numbers = [self.look_s.map(i64::from), self.report_s.map(i64::from), self.oversample.map(i64::from)];
        let values = [self.step, self.low, self.high].map(|v| v.map(|v| v.0));
        let given = numbers.iter().chain(&values).flatten().count() as u64;
        let decimals = values.iter().any(Option::is_some);
        out.map(1 + given + u64::from(decimals))?.u8(1)?;
        self.quantity.encode(out)?;
        for (key, value) in (2u8..).zip(numbers) {
            if let Some(value) = value {
                out.u8(key)?.i64(value)?;
            }
        }
        if decimals {
            out.u8(5)?.u8(self.quantity.decimals())?;
        }
        for (key, value) in (6u8..).zip(values) {
            if let Some(value) = value {
                out.u8(key)?.i64(value)?;
            }
        }
        Ok(())
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        let (mut quantity, mut look_s, mut report_s, mut oversample, mut decimals) = (None, None, None, None, None);
        let (mut step, mut low, mut high) = (None, None, None);
        cbor::entries(input, field, |key, input| {
            match key {
                1 => quantity = Some(Quantity::decode(input, field)?),
                2 => look_s = Some(u32::decode(input, field)?),
                3 => report_s = Some(u32::decode(input, field)?),
                4 => oversample = Some(u8::decode(input, field)?),
                5 => decimals = Some(u8::decode(input, field)?),
                6 => step = Some(i64::decode(input, field)?),
                7 => low = Some(i64::decode(input, field)?),
                8 => high = Some(i64::decode(input, field)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let quantity: Quantity = required(quantity, field)?;
        let decimals = decimals.unwrap_or_else(|| quantity.decimals());
        let value = |mantissa: Option<i64>| mantissa.map(|m| rescaled(&quantity, m, decimals, field)).transpose();
        let (step, low, high) = (value(step)?, value(low)?, value(high)?);
        Ok(Self { quantity, look_s, report_s, oversample, step, low, high })
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        out.push_str("{\"quantity\":");
        self.quantity.write(out);
        json::field(out, "look_s", &self.look_s);
        json::field(out, "report_s", &self.report_s);
        json::field(out, "oversample", &self.oversample);
        for (name, value) in [("step", self.step), ("low", self.low), ("high", self.high)] {
            if let Some(value) = value {
                out.push_str(&std::format!(",\"{name}\":{}", self.quantity.exact(value)));
            }
        }
        out.push('}');
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        let (mut quantity, mut look_s, mut report_s, mut oversample) = (None::<Quantity>, None, None, None);
        let mut values = [None, None, None];
        json::members(raw, field, |key, raw| {
            let place = match key {
                "quantity" => return json::set(&mut quantity, field, raw),
                "look_s" => return json::set(&mut look_s, field, raw),
                "report_s" => return json::set(&mut report_s, field, raw),
                "oversample" => return json::set(&mut oversample, field, raw),
                "step" => 0,
                "low" => 1,
                "high" => 2,
                _ => return Ok(()),
            };
            if raw != "null" {
                values[place] = Some(Decimal::parse(raw).map_err(|e| bad_value(field, e))?);
            }
            Ok(())
        })?;
        let quantity = required(quantity, field)?;
        let value = |v: Option<Decimal>| v.map(|v| v.to_fixed(quantity.decimals()).and_then(|v| quantity.checked(v))).transpose();
        let [step, low, high] = values.map(|v| value(v).map_err(|e| bad_value(field, e)));
        let (step, low, high) = (step?, low?, high?);
        Ok(Self { quantity, look_s, report_s, oversample, step, low, high })
    }
}

impl Value for Vec<QuantityRule, MAX_RULES> {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        out.array(self.len() as u64)?;
        self.iter().try_for_each(|rule| rule.encode(out))
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        let mut list = Vec::new();
        for _ in 0..cbor::array(input, field)? {
            list.push(QuantityRule::decode(input, field)?).map_err(|_| CodecError::Field(field, "must hold at most 8"))?;
        }
        Ok(list)
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        out.push('[');
        for (i, rule) in self.iter().enumerate() {
            out.push_str(if i > 0 { "," } else { "" });
            rule.write(out);
        }
        out.push(']');
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        let wrong = CodecError::Field(field, "must be a list");
        let items: std::vec::Vec<&serde_json::value::RawValue> = serde_json::from_str(raw).map_err(|_| wrong)?;
        let mut list = Vec::new();
        for item in items {
            list.push(QuantityRule::read(item.get(), field)?).map_err(|_| CodecError::Field(field, "must hold at most 8"))?;
        }
        Ok(list)
    }
}
