//! What both directions of JSON share. Reading keeps each field as its text (`RawValue`): no tree is built, and a number is taken digit by digit.
use super::{CodecError, Value};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Calls `take` with each key of the object and the text of its value.
pub fn object(bytes: &[u8], take: impl FnMut(&str, &str) -> Result<(), CodecError>) -> Result<(), CodecError> {
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let mut failure = None;
    let read = input.deserialize_map(Object { take, failure: &mut failure }).and_then(|()| input.end());
    match (failure, read) {
        (Some(f), _) => Err(f),
        (None, Ok(())) => Ok(()),
        (None, Err(e)) => Err(CodecError::Syntax(offset(bytes, &e))),
    }
}

/// As [`object`], of a field that must hold one.
pub(super) fn members(raw: &str, field: &'static str, take: impl FnMut(&str, &str) -> Result<(), CodecError>) -> Result<(), CodecError> {
    if raw.starts_with('{') { object(raw.as_bytes(), take) } else { Err(CodecError::Field(field, "must be an object")) }
}

/// Byte of the input that serde_json's line and column mean.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let before: usize = bytes.split_inclusive(|b| *b == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    before.saturating_add(error.column().saturating_sub(1))
}

struct Object<'f, F> {
    take: F,
    failure: &'f mut Option<CodecError>,
}

impl<'de, F: FnMut(&str, &str) -> Result<(), CodecError>> Visitor<'de> for Object<'_, F> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            // After a failure the rest is only checked for well-formedness.
            if self.failure.is_some() {
                map.next_value::<IgnoredAny>()?;
            } else if let Err(e) = (self.take)(&key, map.next_value::<&RawValue>()?.get()) {
                *self.failure = Some(e);
            }
        }
        Ok(())
    }
}

/// A key, borrowed where it holds no escape.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, s: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(s)))
            }
            fn visit_str<E>(self, s: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(s.to_owned())))
            }
        }
        d.deserialize_str(V)
    }
}

/// Reads a field into its slot; `null` is as good as absent, twice is wrong.
pub(super) fn set<T: Value>(slot: &mut Option<T>, field: &'static str, raw: &str) -> Result<(), CodecError> {
    if raw == "null" {
        return Ok(());
    }
    if slot.is_some() {
        return Err(CodecError::Field(field, "must be given once"));
    }
    *slot = Some(T::read(raw, field)?);
    Ok(())
}

/// The text of a JSON string; `None` when it is no string.
pub fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// `,"name":value`, or nothing when the value is absent.
pub(super) fn field<T: Value>(out: &mut String, name: &str, value: &T) {
    if value.present() {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        value.write(out);
    }
}

/// A JSON string.
pub(super) fn quote(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
