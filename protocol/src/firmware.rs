//! Firmware images of the nodes, and how one gets onto a node. The gateway offers, the node asks for one chunk after the other: so it goes on where it was
//! after a reconnect, and a message that comes twice changes nothing. What a node takes it decides alone, by the signature over the header.
//!
//! A file (`.tfw`) is the header and the image:
//!
//! | bytes | hold |
//! |---|---|
//! | 0..8 | `TUOANFW1` |
//! | 8..24 | the board, ASCII, filled up with zeros |
//! | 24..28 | first and last hardware revision that it is for, u16 each |
//! | 28..34 | version: major, minor, patch, u16 each |
//! | 34..36 | zero |
//! | 36..40 | length of the image, u32 |
//! | 40..72 | SHA-256 of the image |
//! | 72..136 | Ed25519 signature over bytes 0..72 |
//!
//! Numbers are little-endian.
use crate::{DeviceId, SiteId};
use core::fmt;
use heapless::{String, Vec};

/// Bytes before the signature: what is signed.
pub const SIGNED: usize = 72;
/// Bytes of the whole header.
pub const HEADER: usize = SIGNED + 64;
/// Longest chunk, bytes. A node asks for less where its buffers are short.
pub const MAX_CHUNK: usize = 512;
/// Longest image, bytes.
pub const MAX_IMAGE: u32 = 4 << 20;
const MAGIC: [u8; 8] = *b"TUOANFW1";

/// A firmware's version, `major.minor.patch`. Later ones compare as greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl core::str::FromStr for Version {
    type Err = HeaderError;
    fn from_str(s: &str) -> Result<Self, HeaderError> {
        let mut parts = s.split('.').map(|p| p.parse::<u16>().map_err(|_| HeaderError::Version));
        let mut next = || parts.next().unwrap_or(Err(HeaderError::Version));
        let version = Version { major: next()?, minor: next()?, patch: next()? };
        if parts.next().is_some() { Err(HeaderError::Version) } else { Ok(version) }
    }
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    Short,
    Magic,
    Board,
    Hardware,
    Version,
    Length,
    Reserved,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "shorter than the header of a firmware file; copy the whole file",
            Self::Magic => "no firmware file of this system; sign the image with `tuoan firmware sign`",
            Self::Board => "a board has a name of 1 to 16 lower-case letters, digits and hyphens",
            Self::Hardware => "the first hardware revision must not be greater than the last",
            Self::Version => "a version has the form 1.2.3",
            Self::Length => "an image has between 1 byte and 4 MiB",
            Self::Reserved => "the header says something that this version does not know; update this program",
        })
    }
}
impl core::error::Error for HeaderError {}

/// What is signed of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageHeader {
    board: String<16>,
    /// First and last hardware revision.
    hardware: (u16, u16),
    pub version: Version,
    length: u32,
    pub sha256: [u8; 32],
}

impl ImageHeader {
    /// # Errors
    /// What of it cannot be.
    pub fn new(board: &str, hardware: (u16, u16), version: Version, length: u32, sha256: [u8; 32]) -> Result<Self, HeaderError> {
        let good = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if board.is_empty() || !board.bytes().all(good) {
            return Err(HeaderError::Board);
        }
        let board = String::try_from(board).map_err(|_| HeaderError::Board)?;
        if hardware.0 > hardware.1 {
            return Err(HeaderError::Hardware);
        }
        if length == 0 || length > MAX_IMAGE {
            return Err(HeaderError::Length);
        }
        Ok(Self { board, hardware, version, length, sha256 })
    }
    pub fn board(&self) -> &str {
        self.board.as_str()
    }
    /// First and last hardware revision that the image is for.
    pub fn hardware(&self) -> (u16, u16) {
        self.hardware
    }
    /// Bytes of the image.
    pub fn length(&self) -> u32 {
        self.length
    }
    /// Names the image in messages: the first bytes of its SHA-256.
    pub fn id(&self) -> u64 {
        self.sha256.first_chunk().map_or(0, |b| u64::from_be_bytes(*b))
    }
    /// What is signed.
    pub fn to_bytes(&self) -> [u8; SIGNED] {
        let mut out = [0; SIGNED];
        let numbers = [self.hardware.0, self.hardware.1, self.version.major, self.version.minor, self.version.patch, 0];
        let board = self.board.bytes().chain(core::iter::repeat(0)).take(16);
        let bytes = MAGIC.into_iter().chain(board).chain(numbers.into_iter().flat_map(u16::to_le_bytes));
        let bytes = bytes.chain(self.length.to_le_bytes()).chain(self.sha256);
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = from;
        }
        out
    }
    /// Takes the front of a file apart: the header, and its signature, which is not judged here.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<(ImageHeader, [u8; 64]), HeaderError> {
        let (signed, rest) = bytes.split_first_chunk::<SIGNED>().ok_or(HeaderError::Short)?;
        let signature = *rest.first_chunk::<64>().ok_or(HeaderError::Short)?;
        let part = |from: usize, to: usize| signed.get(from..to).unwrap_or_default();
        let u16_at = |at: usize| part(at, at + 2).first_chunk().map_or(0, |b| u16::from_le_bytes(*b));
        if part(0, 8) != MAGIC {
            return Err(HeaderError::Magic);
        }
        let board = part(8, 24);
        let end = board.iter().position(|b| *b == 0).unwrap_or(board.len());
        let (board, zeros) = board.split_at(end);
        if zeros.iter().any(|b| *b != 0) || u16_at(34) != 0 {
            return Err(HeaderError::Reserved);
        }
        let board = core::str::from_utf8(board).map_err(|_| HeaderError::Board)?;
        let version = Version { major: u16_at(28), minor: u16_at(30), patch: u16_at(32) };
        let length = part(36, 40).first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        let sha256 = *part(40, 72).first_chunk().ok_or(HeaderError::Short)?;
        Ok((Self::new(board, (u16_at(24), u16_at(26)), version, length, sha256)?, signature))
    }
}

/// An image is there for the device. Harmless to repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateOffer {
    pub site: SiteId,
    pub device: DeviceId,
    /// Header and signature, as they stand in the file.
    pub header: Vec<u8, HEADER>,
}

/// A piece of an image: what the device asked for. It names neither site nor device, to fit short buffers: what it is worth says the image's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateChunk {
    /// [`ImageHeader::id`].
    pub image: u64,
    /// Where in the image it begins.
    pub offset: u32,
    pub data: Vec<u8, MAX_CHUNK>,
}

/// How far a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateStage {
    /// It wants the chunk at `offset`, of `room` bytes at most.
    Wants,
    /// It does not take the image; `reason` says why.
    Refused,
    /// It has the image whole and restarts into it.
    Restarts,
    /// It runs the image and has found its gateway again.
    Confirmed,
    /// The image did not prove itself; the one before it runs again.
    RolledBack,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateProgress {
    pub site: SiteId,
    pub device: DeviceId,
    /// [`ImageHeader::id`].
    pub image: u64,
    pub stage: UpdateStage,
    pub offset: Option<u32>,
    /// Bytes of a chunk that the device has room for, a multiple of 16.
    pub room: Option<u16>,
    /// A word: `unsigned`, `not_newer`, `other_board`, ...
    pub reason: Option<String<32>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> ImageHeader {
        let version = "1.2.3".parse().unwrap();
        ImageHeader::new("rp2040-w5500", (1, 3), version, 65_536, core::array::from_fn(|i| i as u8)).unwrap()
    }

    #[test]
    fn golden_bytes() {
        let mut file = header().to_bytes().to_vec();
        let golden = "54554f414e465731\
                      7270323034302d773535303000000000\
                      01000300\
                      010002000300\
                      0000\
                      00000100\
                      000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        assert_eq!(hex::encode(&file), golden);
        file.extend([7; 64]);
        assert_eq!(ImageHeader::parse(&file), Ok((header(), [7; 64])));
        assert_eq!(header().id(), 0x0001_0203_0405_0607);
        for end in 0..HEADER {
            assert_eq!(ImageHeader::parse(&file[..end]), Err(HeaderError::Short));
        }
        // Every byte that is signed means something: changed, the header is another or none.
        for at in 0..SIGNED {
            let mut bad = file.clone();
            bad[at] ^= 1;
            assert_ne!(ImageHeader::parse(&bad).map(|(h, _)| h), Ok(header()), "{at}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let with = |board: &str, hardware, length| ImageHeader::new(board, hardware, "1.0.0".parse().unwrap(), length, [0; 32]).map(|_| ());
        assert_eq!(with("", (0, 0), 1), Err(HeaderError::Board));
        assert_eq!(with("Board", (0, 0), 1), Err(HeaderError::Board));
        assert_eq!(with(&"b".repeat(17), (0, 0), 1), Err(HeaderError::Board));
        assert_eq!(with("b", (2, 1), 1), Err(HeaderError::Hardware));
        assert_eq!(with("b", (0, 0), 0), Err(HeaderError::Length));
        assert_eq!(with("b", (0, 0), MAX_IMAGE + 1), Err(HeaderError::Length));
        for bad in ["", "1", "1.2", "1.2.3.4", "1.2.x", "1.2.65536", "1..2"] {
            assert_eq!(bad.parse::<Version>(), Err(HeaderError::Version), "{bad}");
        }
        assert!("1.10.0".parse::<Version>().unwrap() > "1.9.9".parse().unwrap());
    }
}
