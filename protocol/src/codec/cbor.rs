//! What both directions of CBOR share.
use super::CodecError;
use minicbor::data::Type;
use minicbor::encode::write::{Cursor, EndOfSlice};
use minicbor::{Decoder, Encoder};

pub type Out<'a> = Encoder<Cursor<&'a mut [u8]>>;

impl From<minicbor::encode::Error<EndOfSlice>> for CodecError {
    fn from(_: minicbor::encode::Error<EndOfSlice>) -> Self {
        CodecError::TooLong
    }
}

/// A type mismatch is the field's fault; everything else (the input ends, a reserved byte, bad UTF-8) is the encoder's.
pub fn wrong(input: &Decoder<'_>, error: minicbor::decode::Error, field: &'static str, must: &'static str) -> CodecError {
    if error.is_type_mismatch() { CodecError::Field(field, must) } else { CodecError::Syntax(error.position().unwrap_or(input.position())) }
}

/// Each entry of a map with integer keys. `take` reads the value and says true, or leaves it and says false (unknown: skipped). Keys must
/// ascend, so none comes twice.
pub fn entries<'b>(
    input: &mut Decoder<'b>,
    field: &'static str,
    mut take: impl FnMut(u64, &mut Decoder<'b>) -> Result<bool, CodecError>,
) -> Result<(), CodecError> {
    const MAP: &str = "must be a map of definite length";
    let count = input.map().map_err(|e| wrong(input, e, field, MAP))?.ok_or(CodecError::Field(field, MAP))?;
    let mut last = None;
    for _ in 0..count {
        let key = input.u64().map_err(|e| wrong(input, e, field, "must have integer keys"))?;
        if last.is_some_and(|l| key <= l) {
            return Err(CodecError::Field(field, "must have its keys in ascending order, each once"));
        }
        last = Some(key);
        if !take(key, input)? {
            skip(input)?;
        }
    }
    Ok(())
}

/// Length of an array of definite length.
pub fn array(input: &mut Decoder<'_>, field: &'static str) -> Result<u64, CodecError> {
    const ARRAY: &str = "must be an array of definite length";
    input.array().map_err(|e| wrong(input, e, field, ARRAY))?.ok_or(CodecError::Field(field, ARRAY))
}

/// Passes over one value of any kind. Iterative, so nesting costs nothing; indefinite lengths are refused.
pub fn skip(input: &mut Decoder<'_>) -> Result<(), CodecError> {
    let mut left = 1u64;
    while left > 0 {
        left -= 1;
        let at = input.position();
        let bad = |_| CodecError::Syntax(at);
        match input.datatype().map_err(bad)? {
            Type::Array => left = left.saturating_add(input.array().map_err(bad)?.unwrap_or(0)),
            Type::Map => left = left.saturating_add(input.map().map_err(bad)?.unwrap_or(0).saturating_mul(2)),
            Type::Tag => {
                input.tag().map_err(bad)?;
                left = left.saturating_add(1);
            }
            Type::ArrayIndef | Type::MapIndef | Type::BytesIndef | Type::StringIndef | Type::Break | Type::Unknown(_) => {
                return Err(CodecError::Syntax(at));
            }
            _ => input.skip().map_err(bad)?,
        }
    }
    Ok(())
}
