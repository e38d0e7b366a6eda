//! A simulated node's flash: bits go from 1 to 0, an erase sets a whole page, and it outlives the node's starts. What a cut in the middle of a write
//! leaves behind is tested with the library itself; here the power goes between two writes.
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes of an erase page, as on the boards.
pub const PAGE: usize = 4096;

/// The chip; its parts share it.
#[derive(Debug, Clone)]
pub struct Flash(Rc<RefCell<Vec<u8>>>);

impl Flash {
    pub fn new(pages: usize) -> Flash {
        Flash(Rc::new(RefCell::new(vec![0xff; pages * PAGE])))
    }
    /// So many pages as a store of its own.
    pub fn part(&self, first: usize, pages: usize) -> Part {
        Part { flash: self.clone(), start: first * PAGE, size: pages * PAGE }
    }
}

/// A part of the chip.
#[derive(Debug, Clone)]
pub struct Part {
    flash: Flash,
    start: usize,
    size: usize,
}

impl Part {
    fn with<T>(&self, offset: u32, len: usize, f: impl FnOnce(&mut [u8]) -> T) -> Result<T, NorFlashErrorKind> {
        let from = offset as usize;
        let to = from.checked_add(len).filter(|to| *to <= self.size).ok_or(NorFlashErrorKind::OutOfBounds)?;
        let mut bytes = self.flash.0.borrow_mut();
        bytes.get_mut(self.start + from..self.start + to).map(f).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for Part {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Part {
    const READ_SIZE: usize = 1;
    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        self.with(offset, bytes.len(), |from| bytes.copy_from_slice(from))
    }
    fn capacity(&self) -> usize {
        self.size
    }
}

impl NorFlash for Part {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        let len = to.checked_sub(from).ok_or(NorFlashErrorKind::OutOfBounds)? as usize;
        if !(from as usize).is_multiple_of(PAGE) || !len.is_multiple_of(PAGE) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        self.with(from, len, |page| page.fill(0xff))
    }
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        self.with(offset, bytes.len(), |to| to.iter_mut().zip(bytes).for_each(|(to, from)| *to &= from))
    }
}
