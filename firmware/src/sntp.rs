//! UTC from the local network: a client's half of SNTP (RFC 4330), as bytes. A board sends [`request`] by UDP to port 123 and gives the answer to [`answer`].

/// Bytes of a message without extensions.
pub const SIZE: usize = 48;
/// Seconds from 1900 to 1970.
const EPOCH: u64 = 2_208_988_800;
/// Nothing before this firmware was written is the time: 2026-01-01, milliseconds since 1970.
const EARLIEST_MS: i64 = 1_767_225_600_000;
/// Longest way there and back, in milliseconds: half of it is the error.
const LONGEST_MS: u64 = 2_000;

/// Why an answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    TooShort,
    /// Not a server's answer in a version that is understood.
    Form,
    /// The server says itself that it does not know the time, or asks to be left alone.
    Unsynchronised,
    /// An answer to something else: old, or made up by somebody who does not see our requests.
    NotAsked,
    /// Earlier than this firmware.
    Implausible,
    /// It took so long that it tells little.
    Late,
}

/// A request. `nonce` must be hard to guess and new each time: the server repeats it.
pub fn request(nonce: u64) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    // No warning, version 4, client.
    let (first, rest) = bytes.split_at_mut(1);
    first.copy_from_slice(&[0x23]);
    if let Some(transmit) = rest.last_chunk_mut::<8>() {
        *transmit = nonce.to_be_bytes();
    }
    bytes
}

/// UTC in milliseconds since 1970 at the moment of arrival, from the answer to `request(nonce)` that went out `elapsed_ms` before.
///
/// # Errors
/// When the answer is not to be believed.
pub fn answer(bytes: &[u8], nonce: u64, elapsed_ms: u64) -> Result<i64, Refused> {
    let bytes: &[u8; SIZE] = bytes.first_chunk().ok_or(Refused::TooShort)?;
    let [first, stratum, ..] = *bytes;
    let (leap, version, mode) = (first >> 6, first >> 3 & 7, first & 7);
    if mode != 4 || !(3..=4).contains(&version) {
        return Err(Refused::Form);
    }
    if leap == 3 || stratum == 0 || stratum > 15 {
        return Err(Refused::Unsynchronised);
    }
    let stamp = |at: usize| bytes.get(at..).and_then(|b| b.first_chunk::<8>()).map_or(0, |b| u64::from_be_bytes(*b));
    if stamp(24) != nonce {
        return Err(Refused::NotAsked);
    }
    if elapsed_ms > LONGEST_MS {
        return Err(Refused::Late);
    }
    let transmitted = stamp(40);
    let (seconds, fraction) = (transmitted >> 32, transmitted & 0xffff_ffff);
    // The seconds overflow in 2036: what is below the half belongs to the next era.
    let seconds = if seconds < 1 << 31 { seconds + (1 << 32) } else { seconds };
    let ms = seconds.checked_sub(EPOCH).ok_or(Refused::Implausible)? * 1000 + fraction * 1000 / (1 << 32) + elapsed_ms / 2;
    i64::try_from(ms).ok().filter(|ms| *ms >= EARLIEST_MS).ok_or(Refused::Implausible)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: u64 = 0x0123_4567_89ab_cdef;

    /// A good answer that says 2026-11-23 00:00:00.500 UTC.
    fn good() -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..2].copy_from_slice(&[0x24, 2]);
        bytes[24..32].copy_from_slice(&NONCE.to_be_bytes());
        let seconds = 1_795_392_000 + EPOCH;
        bytes[40..].copy_from_slice(&(seconds << 32 | 1 << 31).to_be_bytes());
        bytes
    }

    #[test]
    fn the_time_is_that_of_the_answer_and_half_of_the_way() {
        assert_eq!(answer(&good(), NONCE, 20), Ok(1_795_392_000_510));
        assert_eq!(request(NONCE)[0], 0x23);
        assert_eq!(request(NONCE)[40..], NONCE.to_be_bytes());
        // After the overflow of 2036.
        let mut later = good();
        later[40..44].copy_from_slice(&100u32.to_be_bytes());
        assert_eq!(answer(&later, NONCE, 0), Ok((4_294_967_296 + 100 - 2_208_988_800) * 1000 + 500));
    }

    #[test]
    fn a_hostile_answer_is_refused() {
        let change = |at: usize, to: u8| {
            let mut bytes = good();
            bytes[at] = to;
            answer(&bytes, NONCE, 0)
        };
        assert_eq!(answer(&good()[..47], NONCE, 0), Err(Refused::TooShort));
        assert_eq!(change(0, 0x23), Err(Refused::Form), "a client");
        assert_eq!(change(0, 0x25), Err(Refused::Form), "a broadcast");
        assert_eq!(change(0, 0x14), Err(Refused::Form), "version 2");
        assert_eq!(change(0, 0xe4), Err(Refused::Unsynchronised));
        assert_eq!(change(1, 0), Err(Refused::Unsynchronised), "kiss of death");
        assert_eq!(change(1, 16), Err(Refused::Unsynchronised));
        assert_eq!(change(31, 0), Err(Refused::NotAsked));
        assert_eq!(answer(&good(), NONCE, 2001), Err(Refused::Late));
        let mut early = good();
        early[40..44].copy_from_slice(&3_000_000_000u32.to_be_bytes());
        assert_eq!(answer(&early, NONCE, 0), Err(Refused::Implausible));
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), nonce: u64, elapsed: u64, right: bool) {
            let _ = answer(&bytes, nonce, elapsed);
            let mut bytes = bytes;
            if right && bytes.len() >= SIZE {
                (bytes[0], bytes[1]) = (0x24, 1);
                bytes[24..32].copy_from_slice(&nonce.to_be_bytes());
                if let Ok(ms) = answer(&bytes, nonce, elapsed) {
                    prop_assert!(ms >= EARLIEST_MS);
                }
            }
        }
    }
}
