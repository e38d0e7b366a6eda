//! What outlives a restart: the last 3.5 KiB of the RAM, which a reset does not clear, as a NOR flash with its rules. The chip's own flash cannot be written in
//! the emulator. With the power it is gone: then the node is nobody, and is enrolled anew.
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Where the linker's part of the RAM ends (memory.x), and how much lies behind it.
const START: u32 = 0x2000_f200;
const SIZE: u32 = 0xe00;

/// From where, and how long.
pub type Place = (u32, u32);
/// Identity, settings, boot number, last words.
pub const KEEP: Place = (0, 2048);
/// Where an update stands.
pub const STATE: Place = (2048, 512);
/// What an update brings: a page with its header, and a small image.
pub const NEW: Place = (2560, 768);
/// What a start leaves for the next one (src/last.rs).
pub const LAST: Place = (3328, 256);
const _: () = assert!(LAST.0 + LAST.1 == SIZE);

pub fn get(at: u32) -> u8 {
    assert!(at < SIZE);
    // SAFETY: RAM of this chip that the linker gives to nobody; any byte is a `u8`.
    unsafe { core::ptr::with_exposed_provenance::<u8>((START + at) as usize).read_volatile() }
}

pub fn set(at: u32, byte: u8) {
    assert!(at < SIZE);
    // SAFETY: as above, and it is written to from one thread, never in an interrupt.
    unsafe { core::ptr::with_exposed_provenance_mut::<u8>((START + at) as usize).write_volatile(byte) }
}

/// A part of it, erased by pages of so many bytes.
pub struct Part<const PAGE: usize>(pub Place);

impl<const PAGE: usize> Part<PAGE> {
    /// The addresses of `length` bytes from `offset` on, if they lie in it.
    fn places(&self, offset: u32, length: usize) -> Result<core::ops::Range<u32>, NorFlashErrorKind> {
        let (from, size) = self.0;
        let end = u32::try_from(length).ok().and_then(|n| n.checked_add(offset)).filter(|end| *end <= size);
        end.map(|end| from + offset..from + end).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}
impl<const PAGE: usize> ErrorType for Part<PAGE> {
    type Error = NorFlashErrorKind;
}
impl<const PAGE: usize> ReadNorFlash for Part<PAGE> {
    const READ_SIZE: usize = 1;
    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let places = self.places(offset, bytes.len())?;
        bytes.iter_mut().zip(places).for_each(|(byte, at)| *byte = get(at));
        Ok(())
    }
    fn capacity(&self) -> usize {
        self.0.1 as usize
    }
}
impl<const PAGE: usize> NorFlash for Part<PAGE> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        if !(from as usize).is_multiple_of(PAGE) || !(to as usize).is_multiple_of(PAGE) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        let places = self.places(from, to.checked_sub(from).ok_or(NorFlashErrorKind::OutOfBounds)? as usize)?;
        places.for_each(|at| set(at, 0xff));
        Ok(())
    }
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        // Bits go from 1 to 0 only, until they are erased.
        bytes.iter().zip(self.places(offset, bytes.len())?).for_each(|(byte, at)| set(at, get(at) & byte));
        Ok(())
    }
}
