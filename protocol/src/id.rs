//! Names. Each is UTF-8, 1..=N bytes, with no control character, white space, `/`, `+`, `#`, `"` or `\`, and does not start with `$`:
//! so it is safe as one MQTT topic level, in a log line, in a URL path after percent-encoding, and as a tag value.
use core::fmt;
use heapless::String;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    Empty,
    /// Longer than the type's limit in bytes.
    TooLong,
    /// Holds a character that is not allowed.
    Forbidden(char),
}

macro_rules! name {
    ($(#[$doc:meta])* $t:ident, $n:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $t(String<$n>);
        impl $t {
            /// Longest name in bytes.
            pub const MAX: usize = $n;
            pub fn new(s: &str) -> Result<Self, NameError> {
                check(s)?;
                String::try_from(s).map(Self).map_err(|_| NameError::TooLong)
            }
            pub fn as_str(&self) -> &str { self.0.as_str() }
        }
        impl fmt::Display for $t { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) } }
        impl fmt::Debug for $t { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(self.as_str(), f) } }
        impl core::str::FromStr for $t { type Err = NameError; fn from_str(s: &str) -> Result<Self, NameError> { Self::new(s) } }
        impl serde::Serialize for $t { fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(self.as_str()) } }
        impl<'de> serde::Deserialize<'de> for $t {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct V;
                impl serde::de::Visitor<'_> for V {
                    type Value = $t;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(stringify!($t)) }
                    fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<$t, E> { $t::new(s).map_err(E::custom) }
                }
                d.deserialize_str(V)
            }
        }
        impl AsRef<str> for $t { fn as_ref(&self) -> &str { self.as_str() } }
    };
}

name!(/** An institution, e.g. `xingyuan`. */ SiteId, 48);
name!(/** A room, exit, yard or kitchen of one site, e.g. `toddler-2`. */ ZoneId, 48);
name!(/** A device of one site; foreign devices carry their hardware address, e.g. `z2m.0x00158d0001234567`. */ DeviceId, 64);
name!(/** A hazard of the catalogue, e.g. `fire.smoke`. */ HazardId, 32);
name!(/** A rule of a rule pack, e.g. `air.co2.high`. */ RuleId, 48);
name!(/** Name of a quantity that this version does not know. */ OtherName, 32);
name!(/** 26 characters of Crockford base 32 (ULID form), derived from the log, never drawn at random. */ EventId, 26);
name!(/** As [`EventId`]; the id of an incident is the id of the event that opened it. */ IncidentId, 26);
name!(/** 26 characters, drawn once when a gateway's log is created: two logs of one site never share event ids. */ LogId, 26);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name must not be empty"),
            Self::TooLong => f.write_str("the name is too long"),
            Self::Forbidden(c) => {
                write!(f, "the name holds {c:?}, which is not allowed (no control characters, spaces, / + # \" \\, no leading $)")
            }
        }
    }
}
impl core::error::Error for NameError {}

fn check(s: &str) -> Result<(), NameError> {
    if s.is_empty() {
        return Err(NameError::Empty);
    }
    if s.starts_with('$') {
        return Err(NameError::Forbidden('$'));
    }
    match s.chars().find(|c| c.is_control() || c.is_whitespace() || matches!(c, '/' | '+' | '#' | '"' | '\\')) {
        Some(c) => Err(NameError::Forbidden(c)),
        None => Ok(()),
    }
}

/// Where a finding holds: a zone, or one device in it (a silent sensor is a finding about the device).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Place {
    pub zone: ZoneId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_everywhere() {
        for good in ["xingyuan", "托小班2", "z2m.0x00158d0001234567", "a$", "a-b_c.d~e"] {
            assert_eq!(SiteId::new(good).unwrap().as_str(), good);
        }
        assert_eq!(SiteId::new(""), Err(NameError::Empty));
        assert_eq!(SiteId::new(&"x".repeat(49)), Err(NameError::TooLong));
        // The limit is in bytes: 17 Chinese characters are 51.
        assert_eq!(SiteId::new(&"托".repeat(17)), Err(NameError::TooLong));
        for bad in ["a b", "a\u{3000}b", "a/b", "+", "#", "a\"", "a\\b", "a\n", "a\u{7f}", "$SYS"] {
            assert!(matches!(SiteId::new(bad), Err(NameError::Forbidden(_))), "{bad:?}");
        }
    }
}
