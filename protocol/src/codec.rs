//! JSON and CBOR of every wire message.
//!
//! CBOR: a map with small integer keys in ascending order, key 0 the version; integers in shortest form; no indefinite lengths. JSON: the
//! same fields by name, `"v":1` first, values as numbers in the quantity's unit. Unknown fields are ignored in both; a higher `v` is refused.

/// Largest encoded message other than a frame, in bytes.
pub const MAX_MESSAGE: usize = 4096;

/// Why bytes are no message. `Display` names the field and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecError {
    TooLong,
    /// Written by a newer version of the format.
    Version(u8),
    Missing(&'static str),
    /// The field does not hold what it should; the text says what it should hold.
    Field(&'static str, &'static str),
    /// Not JSON or CBOR at all, at that byte.
    Syntax(usize),
    TrailingBytes(usize),
}
