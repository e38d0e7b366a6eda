//! Which images this node takes.
use ed25519_dalek::{Signature, VerifyingKey};
use tuoan_protocol::firmware::{HeaderError, ImageHeader, SIGNED, Version};

/// What the node is, to an image.
#[derive(Debug, Clone, Copy)]
pub struct Board<'a> {
    /// As [`ImageHeader::board`].
    pub name: &'a str,
    /// Hardware revision.
    pub hardware: u16,
    /// Of the firmware that runs.
    pub version: Version,
    /// Ed25519 public keys of those who may sign; none: nothing is taken.
    pub keys: &'a [[u8; 32]],
}

/// Why an image is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The header is none.
    Malformed,
    /// It has no signature at all.
    Unsigned,
    /// Signed by somebody else, or the header was altered since.
    BadSignature,
    OtherBoard,
    OtherHardware,
    /// Older than what runs, or the same.
    NotNewer,
    /// Does not fit the slot.
    TooLong,
    /// It ended before its length.
    Cut,
    /// What came is not what was signed.
    Altered,
    /// The firmware that runs has not yet proved itself: what is there to go back to stays.
    OnTrial,
    /// The flash failed.
    Flash,
}

impl Refusal {
    /// The word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unsigned => "unsigned",
            Self::BadSignature => "bad_signature",
            Self::OtherBoard => "other_board",
            Self::OtherHardware => "other_hardware",
            Self::NotNewer => "not_newer",
            Self::TooLong => "too_long",
            Self::Cut => "cut",
            Self::Altered => "altered",
            Self::OnTrial => "on_trial",
            Self::Flash => "flash",
        }
    }
}

/// The header, when one of the keys has signed it and it is for this board, whatever its version.
///
/// # Errors
/// Why it is not taken.
// A signature takes much of a short stack: only while it is checked.
#[inline(never)]
pub fn genuine(bytes: &[u8], board: &Board<'_>) -> Result<ImageHeader, Refusal> {
    let (header, signature) = ImageHeader::parse(bytes).map_err(|e| match e {
        HeaderError::Length => Refusal::TooLong,
        _ => Refusal::Malformed,
    })?;
    if signature == [0; 64] || signature == [0xff; 64] {
        return Err(Refusal::Unsigned);
    }
    let (signature, signed) = (Signature::from_bytes(&signature), bytes.get(..SIGNED).unwrap_or_default());
    let by = |key: &[u8; 32]| VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(signed, &signature).is_ok());
    if !board.keys.iter().any(by) {
        return Err(Refusal::BadSignature);
    }
    if header.board() != board.name {
        return Err(Refusal::OtherBoard);
    }
    let (first, last) = header.hardware();
    if (first..=last).contains(&board.hardware) { Ok(header) } else { Err(Refusal::OtherHardware) }
}

/// The header of an image that is to take the place of the one that runs.
///
/// # Errors
/// Why it is not taken.
pub fn wanted(bytes: &[u8], board: &Board<'_>, room: u32) -> Result<ImageHeader, Refusal> {
    let header = genuine(bytes, board)?;
    if header.version <= board.version {
        return Err(Refusal::NotNewer);
    }
    if header.length() > room { Err(Refusal::TooLong) } else { Ok(header) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{board, header_of, image, key, signed};
    use super::*;
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    #[test]
    fn every_reason_has_its_name() {
        let good = header_of("1.1.0", &image("1.1.0", 1000));
        let check = |bytes: &[u8], board: &Board<'_>| wanted(bytes, board, 1000).map(|h| h.version.to_string());
        let bytes = signed(&good, &key());
        let me = board("1.0.9");
        assert_eq!(check(&bytes, &me), Ok("1.1.0".to_owned()));
        assert_eq!(check(&[&good.to_bytes()[..], &[0; 64]].concat(), &me), Err(Refusal::Unsigned));
        assert_eq!(check(&good.to_bytes(), &me), Err(Refusal::Malformed));
        assert_eq!(check(&signed(&good, &SigningKey::from_bytes(&[8; 32])), &me), Err(Refusal::BadSignature));
        assert_eq!(check(&bytes, &Board { keys: &[], ..me }), Err(Refusal::BadSignature));
        assert_eq!(check(&bytes, &Board { keys: &[[0xff; 32]], ..me }), Err(Refusal::BadSignature), "a key that is no point");
        assert_eq!(check(&bytes, &Board { name: "other", ..me }), Err(Refusal::OtherBoard));
        assert_eq!(check(&bytes, &Board { hardware: 4, ..me }), Err(Refusal::OtherHardware));
        assert_eq!(check(&bytes, &board("1.1.0")), Err(Refusal::NotNewer));
        assert_eq!(check(&bytes, &board("2.0.0")), Err(Refusal::NotNewer));
        assert_eq!(wanted(&bytes, &me, 999), Err(Refusal::TooLong));
        for at in 0..bytes.len() {
            let mut bad = bytes;
            bad[at] ^= 0x20;
            assert!(check(&bad, &me).is_err(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(wanted(&bytes, &board("1.0.0"), 1000).is_err());
        }
    }
}
