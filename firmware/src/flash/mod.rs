//! What a node keeps when the power goes: over any NOR flash of `embedded-storage-async`, each store in a part of its own.
//!
//! | file | holds |
//! |---|---|
//! | [`keep`] | small values by key, wear levelled: identity, settings, boot counter, last words |
//! | [`boot`] | the boot number, which never repeats |
//! | [`ring`] | messages that wait for the gateway, oldest first |
//! | [`outbox`] | the node's outbox over two such rings, alarms first |
//! | [`words`] | why the node started, and what it said when it panicked |
//! | `sim` | the simulated flash of the tests, which tears at every byte |
//!
//! What a write has returned `Ok` for is there after a power cut; a write that was cut left the old value or the new one, never a mixture.
use sequential_storage::Error;

pub mod boot;
pub mod keep;
pub mod outbox;
pub mod ring;
pub mod words;

#[cfg(test)]
pub(crate) mod sim;

/// Why a store did not do what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreError {
    /// The flash chip refused or failed.
    Flash,
    /// Larger than the store's limit, or no space is left.
    TooLong,
    /// What lies in the flash cannot be read and cannot be repaired.
    Corrupt,
    /// The part of the flash is too small for the store, or does not begin and end at an erase page.
    Layout,
}

impl core::fmt::Display for StoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Flash => "flash failed; replace the node",
            Self::TooLong => "flash store full; shorten the value",
            Self::Corrupt => "flash store corrupt; reset the node to factory state",
            Self::Layout => "flash layout wrong; correct the board's partition table",
        })
    }
}
impl core::error::Error for StoreError {}

impl<E> From<Error<E>> for StoreError {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::Storage { .. } => Self::Flash,
            Error::FullStorage | Error::ItemTooBig | Error::BufferTooBig | Error::BufferTooSmall(_) => Self::TooLong,
            _ => Self::Corrupt,
        }
    }
}

/// A buffer that a flash driver may read and write words from.
#[repr(align(4))]
pub(crate) struct Aligned<const N: usize>(pub(crate) [u8; N]);

/// CRC-32 (ISO-HDLC), by the bit: it is asked for a few bytes at a time.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ if c & 1 == 1 { 0xedb8_8320 } else { 0 }))
}

#[test]
fn the_check_sum_is_the_usual_one() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}
