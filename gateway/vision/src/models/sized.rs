//! A model for another size of picture: two numbers of the file are changed before it is loaded.
//!
//! The pose model works on any picture whose sides are multiples of 32, but the built-in backend wants to know the size when it loads the model. Its file
//! says one size; everything that follows from that is computed by the backends. So one file serves all sizes.
//!
//! An ONNX file is a protobuf message: `ModelProto.graph` (7) `.input` (11) `.type` (2) `.tensor_type` (1) `.shape` (2) `.dim` (1) `.dim_value` (1). A number is
//! exchanged only for one of as many bytes (128 to 16383 take two), so nothing else in the file moves.
use crate::runtime::{Port, RuntimeError};
use std::borrow::Cow;
use std::ops::Range;

/// The file with the input `input.name` of the size `input.shape`.
///
/// # Errors
/// It has no such input, or one of another rank or of sizes that take other numbers of bytes.
pub fn sized<'a>(bytes: &'a [u8], input: &Port) -> Result<Cow<'a, [u8]>, RuntimeError> {
    let wrong = |detail: &str| RuntimeError::Contract(format!("has {detail}; its contract says ({:?}, {:?})", input.name, input.shape));
    let mut places = places(bytes, input.name).ok_or_else(|| wrong("no such input of fixed size"))?.into_iter();
    let mut changed = Cow::Borrowed(bytes);
    for size in input.shape {
        let place = places.next().ok_or_else(|| wrong("an input of fewer dimensions"))?;
        let wanted = varint(*size as u64);
        if bytes.get(place.clone()) == Some(wanted.as_slice()) {
            continue;
        }
        match changed.to_mut().get_mut(place) {
            Some(there) if there.len() == wanted.len() => there.copy_from_slice(&wanted),
            _ => return Err(wrong("an input of a size that cannot be changed so")),
        }
    }
    if places.next().is_some() {
        return Err(wrong("an input of more dimensions"));
    }
    Ok(changed)
}

/// Where the sizes of an input stand.
fn places(bytes: &[u8], name: &str) -> Option<Vec<Range<usize>>> {
    let graph = Fields::of(bytes, 0..bytes.len()).find(|f| f.0 == 7)?.1;
    let input = Fields::of(bytes, graph).filter(|f| f.0 == 11).map(|f| f.1).find(|input| {
        let named = Fields::of(bytes, input.clone()).find(|f| f.0 == 1);
        named.and_then(|(_, at)| bytes.get(at)) == Some(name.as_bytes())
    })?;
    let shape = [2, 1, 2].iter().try_fold(input, |within, number| Fields::of(bytes, within).find(|f| f.0 == *number).map(|f| f.1))?;
    let dims = Fields::of(bytes, shape).filter(|f| f.0 == 1);
    dims.map(|(_, dim)| Fields::of(bytes, dim).find(|f| f.0 == 1).map(|f| f.1)).collect()
}

/// The fields of a message: number, and where the value's bytes stand. Ends at the first that is malformed.
struct Fields<'a> {
    bytes: &'a [u8],
    rest: Range<usize>,
}

impl Fields<'_> {
    fn of(bytes: &[u8], within: Range<usize>) -> Fields<'_> {
        Fields { bytes, rest: within }
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.rest.clone())?.first()?;
            self.rest.start += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl Iterator for Fields<'_> {
    type Item = (u64, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.number()?;
        let start = self.rest.start;
        let (start, length) = match tag & 7 {
            0 => {
                self.number()?;
                (start, self.rest.start - start)
            }
            1 => (start, 8),
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                (self.rest.start, length)
            }
            5 => (start, 4),
            _ => return None,
        };
        let end = start.checked_add(length).filter(|end| *end <= self.rest.end)?;
        self.rest.start = end;
        Some((tag >> 3, start..end))
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{pose, store::Part};
    use proptest::prelude::*;

    fn says(bytes: &[u8], input: Port) -> String {
        sized(bytes, &input).unwrap_err().to_string()
    }

    #[test]
    fn one_file_serves_every_size() {
        let bytes = Part::PersonPose.kind().model;
        assert!(matches!(sized(bytes, &pose::SMALL).unwrap(), Cow::Borrowed(_)), "the size of the file itself changes nothing");
        let large = sized(bytes, &pose::LARGE).unwrap();
        let changed: Vec<_> = (0..bytes.len()).filter(|i| bytes[*i] != large[*i]).collect();
        assert!(large.len() == bytes.len() && (1..=4).contains(&changed.len()), "{changed:?}");
        assert_eq!(sized(&large, &pose::SMALL).unwrap().as_ref(), bytes, "and back");
    }

    #[test]
    fn a_size_that_does_not_fit_is_refused() {
        let bytes = Part::PersonPose.kind().model;
        assert!(says(bytes, Port { name: "input", shape: &[1, 96, 320, 3] }).contains("cannot be changed"));
        assert!(says(bytes, Port { name: "input", shape: &[1, 192, 320] }).contains("more dimensions"));
        assert!(says(bytes, Port { name: "input", shape: &[1, 192, 320, 3, 1] }).contains("fewer dimensions"));
        assert!(says(bytes, Port { name: "other", shape: &[1, 192, 320, 3] }).contains("no such input"));
        assert!(says(b"", pose::SMALL).contains("no such input"));
    }

    proptest! {
        #[test]
        fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = sized(&bytes, &pose::SMALL);
        }

        #[test]
        fn nor_damage_to_the_head_of_a_model(at in 0usize..400, byte: u8, keep in 0usize..400) {
            let mut bytes = Part::Faces.kind().model[..400].to_vec();
            bytes[at] = byte;
            bytes.truncate(keep);
            let _ = sized(&bytes, &pose::SMALL);
        }
    }
}
