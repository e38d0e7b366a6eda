//! JSON and CBOR of every wire message.
//!
//! CBOR: a map with small integer keys in ascending order, key 0 the version; integers in shortest form; no indefinite lengths. JSON: the
//! same fields by name, `"v":1` first, values as numbers in the quantity's unit. Unknown fields are ignored in both; a higher `v` is refused.
//!
//! One table per message (below) gives both codecs; how a field's type is written stands once, in `value.rs` and `parts.rs`.
//! In JSON, readings are an object: `"readings":{"temperature":23.4,"temperature#1":22.9,"smoke":false}` (`#1` is the channel, left out when
//! 0); times are `"time"` (Unix ms) or `"uptime"` (ms); absent options are left out; enums are snake_case; a severity is its number; bytes
//! are hex. In CBOR a value goes with its decimals, `[name, mantissa, decimals, channel]`, so that a reader that does not know
//! the quantity keeps the right number.
use core::fmt;
use minicbor::{Decoder, Encoder, encode::write::Cursor};

mod cbor;
#[cfg(feature = "std")]
pub mod json;
mod parts;
mod value;

use value::Value;

/// Largest encoded message other than a frame, in bytes.
pub const MAX_MESSAGE: usize = 4096;

/// Why bytes are no message. `Display` names the field and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecError {
    /// More than [`MAX_MESSAGE`] bytes, or more than the buffer given takes.
    TooLong,
    /// Written by a newer version of the format.
    Version(u8),
    Missing(&'static str),
    /// The field does not hold what it should; the text says what it should hold.
    Field(&'static str, &'static str),
    /// The field's text has more bytes than this.
    TooLongText(&'static str, usize),
    /// Not JSON or CBOR at all, at that byte.
    Syntax(usize),
    TrailingBytes(usize),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the message is too long; {MAX_MESSAGE} bytes are the limit, split it"),
            Self::Version(v) => write!(f, "format version {v} is newer than {}; update the reader", crate::VERSION),
            Self::Missing(field) => write!(f, "field `{field}` is missing; add it"),
            Self::Field(field, must) => write!(f, "field `{field}` {must}"),
            Self::TooLongText(field, max) => write!(f, "field `{field}` is too long; shorten it to {max} bytes"),
            Self::Syntax(at) => write!(f, "not well-formed JSON or CBOR at byte {at}"),
            Self::TrailingBytes(n) => write!(f, "{n} bytes follow the message; send one message alone"),
        }
    }
}
impl core::error::Error for CodecError {}

/// A message with both codecs.
pub trait Wire: Sized {
    /// Canonical bytes into `buf`; how many. `TooLong` when `buf` is too small: [`MAX_MESSAGE`] always suffices.
    fn to_cbor(&self, buf: &mut [u8]) -> Result<usize, CodecError>;
    /// Exactly one message; bytes after it are refused.
    fn from_cbor(bytes: &[u8]) -> Result<Self, CodecError>;

    /// Canonical bytes.
    #[cfg(feature = "std")]
    fn to_cbor_vec(&self) -> Result<Vec<u8>, CodecError> {
        let mut buf = [0; MAX_MESSAGE];
        let n = self.to_cbor(&mut buf)?;
        Ok(buf.get(..n).unwrap_or_default().to_vec())
    }
    /// One line of JSON, fields in the order of the table.
    #[cfg(feature = "std")]
    fn to_json(&self) -> String;
    /// As [`Wire::to_json`], to be put into a larger value.
    #[cfg(feature = "std")]
    fn to_json_value(&self) -> serde_json::Value {
        // The text is well-formed by construction; `Null` is unreachable.
        serde_json::from_str(&self.to_json()).unwrap_or_default()
    }
    #[cfg(feature = "std")]
    fn from_json(bytes: &[u8]) -> Result<Self, CodecError>;
    /// JSON or CBOR, told apart by the first byte: a CBOR message is a map (0xa0..=0xbf), JSON starts with `{` or white space.
    #[cfg(feature = "std")]
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        match bytes.first() {
            Some(0xa0..=0xbf) => Self::from_cbor(bytes),
            _ => Self::from_json(bytes),
        }
    }
}

/// Both codecs of a message from its table: `CBOR key, field`. `time a b` stands for the field `time: DeviceTime` and its two keys
/// (Unix, uptime). Keys ascend, are never reused, and 0 is the version.
macro_rules! message {
    ($type:ty { $($key:literal $field:ident)* } $(time $unix:literal $uptime:literal)? { $($key2:literal $field2:ident)* }) => {
        impl Wire for $type {
            fn to_cbor(&self, buf: &mut [u8]) -> Result<usize, CodecError> {
                let mut out = Encoder::new(Cursor::new(buf));
                let mut fields = 1u64;
                $(fields += u64::from(self.$field.present());)*
                $(let _ = $unix; fields += 1;)?
                $(fields += u64::from(self.$field2.present());)*
                out.map(fields)?.u8(0)?.u8(crate::VERSION)?;
                $(if self.$field.present() { out.u8($key)?; self.$field.encode(&mut out)?; })*
                $(match self.time {
                    crate::DeviceTime::Unix(ms) => out.u8($unix)?.i64(ms)?,
                    crate::DeviceTime::Uptime(ms) => out.u8($uptime)?.u64(ms)?,
                };)?
                $(if self.$field2.present() { out.u8($key2)?; self.$field2.encode(&mut out)?; })*
                Ok(out.writer().position())
            }

            fn from_cbor(bytes: &[u8]) -> Result<Self, CodecError> {
                if bytes.len() > MAX_MESSAGE {
                    return Err(CodecError::TooLong);
                }
                let mut input = Decoder::new(bytes);
                let message = Self::read_cbor(&mut input)?;
                match bytes.len().saturating_sub(input.position()) {
                    0 => Ok(message),
                    n => Err(CodecError::TrailingBytes(n)),
                }
            }

            #[cfg(feature = "std")]
            fn to_json(&self) -> String {
                let mut out = String::with_capacity(256);
                out.push_str("{\"v\":");
                crate::VERSION.write(&mut out);
                $(json::field(&mut out, stringify!($field), &self.$field);)*
                $(let _ = $unix; match self.time {
                    crate::DeviceTime::Unix(ms) => json::field(&mut out, "time", &ms),
                    crate::DeviceTime::Uptime(ms) => json::field(&mut out, "uptime", &ms),
                })?
                $(json::field(&mut out, stringify!($field2), &self.$field2);)*
                out.push('}');
                out
            }

            #[cfg(feature = "std")]
            fn from_json(bytes: &[u8]) -> Result<Self, CodecError> {
                if bytes.len() > MAX_MESSAGE {
                    return Err(CodecError::TooLong);
                }
                let mut version = None;
                $(let mut $field = None;)*
                $(let _ = $unix; let mut time = parts::Time::default();)?
                $(let mut $field2 = None;)*
                json::object(bytes, |key, raw| match key {
                    "v" => json::set(&mut version, "v", raw),
                    $(stringify!($field) => json::set(&mut $field, stringify!($field), raw),)*
                    $("time" => { let _ = $unix; json::set(&mut time.unix, "time", raw) }
                    "uptime" => json::set(&mut time.uptime, "uptime", raw),)?
                    $(stringify!($field2) => json::set(&mut $field2, stringify!($field2), raw),)*
                    _ => Ok(()),
                })?;
                check_version(version)?;
                Ok(Self {
                    $($field: required($field, stringify!($field))?,)*
                    $(time: { let _ = $unix; time.get()? },)?
                    $($field2: required($field2, stringify!($field2))?,)*
                })
            }
        }

        impl $type {
            /// Reads one message and leaves `input` behind it.
            fn read_cbor(input: &mut Decoder<'_>) -> Result<Self, CodecError> {
                let mut version = None;
                $(let mut $field = None;)*
                $(let _ = $unix; let mut time = parts::Time::default();)?
                $(let mut $field2 = None;)*
                cbor::entries(input, "message", |key, input| {
                    match key {
                        0 => {
                            version = Some(u8::decode(input, "v")?);
                            check_version(version)?;
                        }
                        $($key => $field = Some(Value::decode(input, stringify!($field))?),)*
                        $($unix => time.unix = Some(Value::decode(input, "time")?),
                        $uptime => time.uptime = Some(Value::decode(input, "uptime")?),)?
                        $($key2 => $field2 = Some(Value::decode(input, stringify!($field2))?),)*
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                check_version(version)?;
                Ok(Self {
                    $($field: required($field, stringify!($field))?,)*
                    $(time: { let _ = $unix; time.get()? },)?
                    $($field2: required($field2, stringify!($field2))?,)*
                })
            }
        }
    };
}

message!(crate::Telemetry { 1 site 2 device 3 boot 4 seq } time 5 6 { 7 readings 8 age });
message!(crate::DeviceEvent { 1 site 2 device 3 boot 4 seq } time 5 6 { 7 kind 8 command 9 age });
message!(crate::Status { 1 site 2 device 3 boot 4 presence 5 make 6 model 7 firmware 8 period_s 9 reason 10 hardware 11 reset } {});
message!(crate::DeviceCommand { 1 site 2 device 3 id 4 action 5 expires } {});
message!(crate::FrameHeader { 1 site 2 device 3 boot 4 seq } time 5 6 { 7 width 8 height 9 size });
message!(crate::UpdateOffer { 1 site 2 device 3 header } {});
message!(crate::UpdateChunk { 1 image 2 offset 3 data } {});
message!(crate::UpdateProgress { 1 site 2 device 3 image 4 stage 5 offset 6 room 7 reason } {});
message!(crate::DeviceSettings { 1 site 2 device 3 id 4 altitude_m 5 self_calibration 6 local_alarm 7 rules } {});
message!(crate::SettingsAnswer { 1 site 2 device 3 id 4 refused } {});
message!(crate::IncidentEvent {
    1 site 2 institution 3 supervisor 4 log 5 sequence 6 position 7 id 8 incident 9 at 10 clock_trusted 11 transition 12 state 13 hazard
    14 place 15 severity 16 basis 17 rule 18 trigger 19 activations 20 found_on_connect 21 actor 22 note 23 engine 24 rules
    25 overridden_by 26 via 27 cause 28 until 29 assignee 30 other 31 rung 32 exercise
} {});

impl crate::FrameHeader {
    /// The header and the picture behind it, which must be exactly `size` bytes and at most [`crate::frame::MAX_FRAME`].
    pub fn split(bytes: &[u8]) -> Result<(Self, &[u8]), CodecError> {
        let mut input = Decoder::new(bytes.get(..MAX_MESSAGE).unwrap_or(bytes));
        let header = Self::read_cbor(&mut input)?;
        let picture = bytes.get(input.position()..).unwrap_or_default();
        if header.size > crate::frame::MAX_FRAME {
            return Err(CodecError::Field("size", "must be at most 4 MiB; lower the camera's resolution or quality"));
        }
        if u32::try_from(picture.len()) != Ok(header.size) {
            return Err(CodecError::Field("size", "must be the number of bytes behind the header"));
        }
        Ok((header, picture))
    }
}

fn required<T: Value>(value: Option<T>, field: &'static str) -> Result<T, CodecError> {
    value.or_else(T::absent).ok_or(CodecError::Missing(field))
}

fn check_version(version: Option<u8>) -> Result<(), CodecError> {
    match version {
        None => Err(CodecError::Missing("v")),
        Some(crate::VERSION) => Ok(()),
        Some(0) => Err(CodecError::Field("v", "must be 1")),
        Some(v) => Err(CodecError::Version(v)),
    }
}
