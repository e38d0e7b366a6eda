//! A place for one image in the flash: a page with the header, then the image. The header is written last and erased first.
use super::check::{Board, genuine};
use crate::flash::{Aligned, StoreError};
use embedded_storage_async::nor_flash::NorFlash;
use sha2::{Digest, Sha256};
use tuoan_protocol::firmware::{HEADER, ImageHeader};

/// Bytes that are copied at a time: a multiple of every flash's word.
pub(super) const PIECE: usize = 256;
/// The header in whole pieces of 16 bytes, the largest word of a flash.
const HEAD: usize = HEADER.next_multiple_of(16);

/// A slot, over all of a part of the flash.
pub struct Slot<F> {
    flash: F,
}

impl<F: NorFlash> Slot<F> {
    /// # Errors
    /// [`StoreError::Layout`]: smaller than two pages, or words that are too long.
    pub fn new(flash: F) -> Result<Self, StoreError> {
        let fits = flash.capacity() >= 2 * F::ERASE_SIZE && F::ERASE_SIZE >= PIECE && F::WRITE_SIZE <= 16 && F::READ_SIZE <= 16;
        let fits = fits && u32::try_from(flash.capacity()).is_ok() && F::ERASE_SIZE % PIECE == 0;
        if fits { Ok(Self { flash }) } else { Err(StoreError::Layout) }
    }
    /// Where the image begins in the slot; on a chip that runs from its flash, what it is linked to.
    pub const fn start() -> u32 {
        F::ERASE_SIZE as u32
    }
    /// Longest image.
    pub fn room(&self) -> u32 {
        self.flash.capacity().saturating_sub(F::ERASE_SIZE) as u32
    }
    /// The header as it lies there, judged by nobody.
    async fn head(&mut self) -> Result<[u8; HEADER], StoreError> {
        let mut bytes = Aligned([0; HEAD]);
        self.flash.read(0, &mut bytes.0).await.map_err(|_| StoreError::Flash)?;
        Ok(*bytes.0.first_chunk().ok_or(StoreError::Layout)?)
    }
    /// The header of what lies there, if that is whole: signed, for this board, and every byte as it was signed.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn whole(&mut self, board: &Board<'_>) -> Result<Option<ImageHeader>, StoreError> {
        let Ok(header) = genuine(&self.head().await?, board) else { return Ok(None) };
        Ok(self.holds(&header).await?.then_some(header))
    }
    /// Whether the image is the one of this header, every byte.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn holds(&mut self, header: &ImageHeader) -> Result<bool, StoreError> {
        if header.length() > self.room() {
            return Ok(false);
        }
        let (mut sum, mut done) = (Sha256::new(), 0);
        let mut piece = Aligned([0; PIECE]);
        while done < header.length() {
            self.flash.read(Self::start().saturating_add(done), &mut piece.0).await.map_err(|_| StoreError::Flash)?;
            let left = header.length().saturating_sub(done) as usize;
            sum.update(piece.0.get(..left.min(PIECE)).unwrap_or_default());
            done = done.saturating_add(PIECE as u32);
        }
        Ok(<[u8; 32]>::from(sum.finalize()) == header.sha256)
    }
    /// The slot holds nothing any more.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn clear(&mut self) -> Result<(), StoreError> {
        self.flash.erase(0, F::ERASE_SIZE as u32).await.map_err(|_| StoreError::Flash)
    }
    /// Writes a part of the image, in order and without gaps: a page is erased when its first byte comes. `bytes` ends at a multiple of 16, or the image ends.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] beyond the slot; the flash failed.
    pub async fn put(&mut self, offset: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let page = F::ERASE_SIZE as u32;
        let mut at = Self::start().checked_add(offset).ok_or(StoreError::TooLong)?;
        for bytes in bytes.chunks(16) {
            if at.checked_add(16).is_none_or(|end| end as usize > self.flash.capacity()) {
                return Err(StoreError::TooLong);
            }
            if at % page == 0 {
                self.flash.erase(at, at.saturating_add(page)).await.map_err(|_| StoreError::Flash)?;
            }
            let mut word = Aligned([0xff; 16]);
            word.0.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            self.flash.write(at, &word.0).await.map_err(|_| StoreError::Flash)?;
            at = at.saturating_add(16);
        }
        Ok(())
    }
    /// The image is complete: its header makes it one. The slot was cleared before.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn seal(&mut self, header: &[u8; HEADER]) -> Result<(), StoreError> {
        let mut bytes = Aligned([0xff; HEAD]);
        bytes.0.iter_mut().zip(header).for_each(|(to, from)| *to = *from);
        self.flash.write(0, &bytes.0).await.map_err(|_| StoreError::Flash)
    }
    /// Makes this slot hold what is whole in `from`; whether it does now. Done again from its start after a power cut.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn copy<G: NorFlash>(&mut self, from: &mut Slot<G>, board: &Board<'_>) -> Result<bool, StoreError> {
        let Some(header) = from.whole(board).await? else { return Ok(false) };
        let head = from.head().await?;
        if header.length() > self.room() {
            return Ok(false);
        }
        if self.head().await? == head && self.holds(&header).await? {
            return Ok(true);
        }
        self.clear().await?;
        let mut done = 0;
        let mut piece = Aligned([0; PIECE]);
        while done < header.length() {
            from.flash.read(Slot::<G>::start().saturating_add(done), &mut piece.0).await.map_err(|_| StoreError::Flash)?;
            let left = header.length().saturating_sub(done) as usize;
            self.put(done, piece.0.get(..left.min(PIECE)).unwrap_or_default()).await?;
            done = done.saturating_add(PIECE as u32);
        }
        self.seal(&head).await?;
        Ok(self.whole(board).await? == Some(header))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{board, header_of, image, key, signed};
    use super::*;
    use crate::flash::sim::{Chip, PAGE, run};

    #[test]
    fn whole_is_signed_and_every_byte() {
        let chip = Chip::new(8 * PAGE);
        let mut slot = Slot::new(chip.part(0, 8 * PAGE)).unwrap();
        let (me, code) = (board("1.0.0"), image("1.1.0", 3 * PAGE + 5));
        let header = header_of("1.1.0", &code);
        assert_eq!(run(slot.whole(&me)), Ok(None));
        for (i, part) in code.chunks(96).enumerate() {
            run(slot.put(96 * i as u32, part)).unwrap();
        }
        assert_eq!(run(slot.whole(&me)), Ok(None), "no header yet");
        run(slot.seal(&signed(&header, &key()))).unwrap();
        assert_eq!(run(slot.whole(&me)), Ok(Some(header)));
        for at in [0, 20, 80, 135, PAGE, PAGE + code.len() - 1] {
            let bad = chip.copy();
            bad.flip(at, 1);
            assert_eq!(run(Slot::new(bad.part(0, 8 * PAGE)).unwrap().whole(&me)), Ok(None), "{at}");
        }
        assert_eq!(run(slot.put(7 * PAGE as u32, &[0; 16])), Err(StoreError::TooLong));
        run(slot.clear()).unwrap();
        assert_eq!(run(slot.whole(&me)), Ok(None));
    }
}
