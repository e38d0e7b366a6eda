//! Small values by key: a journal over a few erase pages, wear levelled. Not `sequential-storage`, whose map loses values when an erase is cut before the
//! front of its page is erased, and no chip promises an order (`docs/decisions/0020-node-flash-and-updates.md`).
//!
//! A page is a header `magic, generation, check sum` and entries `key, 0, length, check sum, value`. A value is replaced by an entry behind the
//! others. When the page is full, the newest entries go to the next page, which is erased before, and last of all its header: until that stands, the page
//! before it counts. So at every moment there is one whole page of which nothing is being changed but the blank space behind its entries.
use super::{Aligned, StoreError, crc32};
use embedded_storage_async::nor_flash::NorFlash;

/// What is kept. The numbers are the flash's format: never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Key {
    /// The number of the last boot.
    Boot = 1,
    /// Who the node is and where its gateway is: [`crate::identity::Identity`].
    Identity = 2,
    /// [`crate::settings::Settings`].
    Settings = 3,
    /// What the last panic said, until the gateway has it.
    Words = 4,
    /// Where an update stands: [`crate::update::boot`].
    Update = 5,
}

const KEYS: [Key; 5] = [Key::Boot, Key::Identity, Key::Settings, Key::Words, Key::Update];

/// Longest value, bytes. All values and their latest change together must fit an erase page.
pub const LONGEST: usize = 504;
const MAGIC: [u8; 4] = *b"TKP1";
const HEADER: usize = 12;
const ENTRY: usize = 8;
/// The longest entry in whole words of every flash.
const BUFFER: usize = 512;

/// The store, over all of a part of the flash: two erase pages or more.
pub struct Keep<F: NorFlash> {
    flash: F,
    pages: u32,
    /// Page and generation that count; `None`: there are no values.
    now: Option<(u32, u32)>,
    /// Where the next entry goes, from the page's start; the page's size: nowhere.
    end: u32,
    buffer: Aligned<BUFFER>,
}

impl<F: NorFlash> Keep<F> {
    const PAGE: u32 = F::ERASE_SIZE as u32;
    /// Everything begins at a multiple of this.
    const WORD: u32 = if F::WRITE_SIZE > 4 { F::WRITE_SIZE as u32 } else { 4 };
    const FIRST: u32 = (HEADER as u32).next_multiple_of(Self::WORD);

    /// Finds what is kept. A flash that holds nothing of this form is an empty store.
    ///
    /// # Errors
    /// [`StoreError::Layout`]; the flash failed.
    pub async fn open(flash: F) -> Result<Self, StoreError> {
        let pages = u32::try_from(flash.capacity() / F::ERASE_SIZE).map_err(|_| StoreError::Layout)?;
        let words = matches!(Self::WORD, 4 | 8 | 16) && F::READ_SIZE <= 4;
        if pages < 2 || Self::PAGE < 128 || !words {
            return Err(StoreError::Layout);
        }
        let mut keep = Self { flash, pages, now: None, end: Self::PAGE, buffer: Aligned([0; BUFFER]) };
        for page in 0..pages {
            let found = keep.generation(page).await?;
            if let Some(generation) = found.filter(|g| keep.now.is_none_or(|(_, newest)| *g > newest)) {
                keep.now = Some((page, generation));
            }
        }
        if let Some((page, _)) = keep.now {
            keep.end = keep.scan(page, None).await?.end;
        }
        Ok(keep)
    }
    /// The value, if there is one.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn get(&mut self, key: Key) -> Result<Option<&[u8]>, StoreError> {
        let Some((page, _)) = self.now else { return Ok(None) };
        let Some((at, len)) = self.scan(page, Some(key)).await?.found.filter(|(_, len)| *len > 0) else { return Ok(None) };
        self.read(page, at, ENTRY.saturating_add(len)).await?;
        Ok(self.buffer.0.get(ENTRY..ENTRY.saturating_add(len)))
    }
    /// Replaces the value. One that is there already is not written again: the flash wears by writing.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] over [`LONGEST`] or when all values together do not fit a page; the flash failed. After each of them, and after a power cut,
    /// the old value is there, or the new one.
    pub async fn put(&mut self, key: Key, value: &[u8]) -> Result<(), StoreError> {
        if value.len() > LONGEST {
            return Err(StoreError::TooLong);
        }
        if self.get(key).await?.unwrap_or_default() == value {
            return Ok(());
        }
        if let Some((page, _)) = self.now {
            let at = self.end;
            if self.append(page, at, key, value).await? {
                return Ok(());
            }
        }
        self.turn(key, value).await
    }
    /// Removes the value: an empty one stands for none.
    ///
    /// # Errors
    /// As [`Keep::put`].
    pub async fn remove(&mut self, key: Key) -> Result<(), StoreError> {
        self.put(key, &[]).await
    }
    /// Factory reset: what the owner has set goes. The boot number stays, or messages of the next owner would count as repeats.
    ///
    /// # Errors
    /// As [`Keep::put`]; it may be repeated.
    pub async fn reset(&mut self) -> Result<(), StoreError> {
        // The identity last: a reset that was cut is seen by the node still being somebody's, and is repeated.
        for key in [Key::Words, Key::Settings, Key::Identity] {
            self.remove(key).await?;
        }
        // Secrets do not stay behind in old entries.
        for _ in 0..self.pages {
            let boot = self.get(Key::Boot).await?.and_then(|b| <[u8; 8]>::try_from(b).ok()).unwrap_or_default();
            self.turn(Key::Boot, &boot).await?;
        }
        Ok(())
    }

    /// All values and the new one, to the next page that takes them.
    async fn turn(&mut self, key: Key, value: &[u8]) -> Result<(), StoreError> {
        let (from, generation) = self.now.map_or((self.pages.saturating_sub(1), 0), |(p, g)| (p, g));
        let mut failed = StoreError::Flash;
        for step in 1..self.pages.saturating_add(u32::from(self.now.is_none())) {
            let to = from.saturating_add(step) % self.pages;
            match self.fill(to, generation.saturating_add(1), key, value).await {
                Ok(true) => return Ok(()),
                // A page that is worn out: the one after it, perhaps.
                Ok(false) => failed = StoreError::Flash,
                Err(StoreError::TooLong) => failed = StoreError::TooLong,
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }

    /// False when the page does not take what is written.
    async fn fill(&mut self, to: u32, generation: u32, key: Key, value: &[u8]) -> Result<bool, StoreError> {
        let start = to.saturating_mul(Self::PAGE);
        self.flash.erase(start, start.saturating_add(Self::PAGE)).await.map_err(|_| StoreError::Flash)?;
        let mut at = Self::FIRST;
        for other in KEYS.into_iter().filter(|k| *k != key) {
            let Some((page, _)) = self.now else { break };
            let Some((from, len)) = self.scan(page, Some(other)).await?.found.filter(|(_, len)| *len > 0) else { continue };
            let size = Self::size(len);
            if at.saturating_add(size) > Self::PAGE {
                return Err(StoreError::TooLong);
            }
            self.read(page, from, ENTRY.saturating_add(len)).await?;
            if !self.write(to, at, size).await? {
                return Ok(false);
            }
            at = at.saturating_add(size);
        }
        if !value.is_empty() {
            if at.saturating_add(Self::size(value.len())) > Self::PAGE {
                return Err(StoreError::TooLong);
            }
            self.entry(key, value)?;
            if !self.write(to, at, Self::size(value.len())).await? {
                return Ok(false);
            }
            at = at.saturating_add(Self::size(value.len()));
        }
        let mut header = [0; HEADER];
        let (head, sum) = header.split_at_mut(8);
        head.iter_mut().zip(MAGIC.into_iter().chain(generation.to_le_bytes())).for_each(|(to, from)| *to = from);
        sum.copy_from_slice(&crc32(head).to_le_bytes());
        self.set(&header);
        if !self.write(to, 0, Self::FIRST).await? {
            return Ok(false);
        }
        (self.now, self.end) = (Some((to, generation)), at);
        Ok(true)
    }

    /// An entry at `at`, if the space is there and blank, and what was written can be read.
    async fn append(&mut self, page: u32, at: u32, key: Key, value: &[u8]) -> Result<bool, StoreError> {
        let size = Self::size(value.len());
        if at.saturating_add(size) > Self::PAGE {
            return Ok(false);
        }
        self.read(page, at, size as usize).await?;
        if self.buffer.0.iter().take(size as usize).any(|b| *b != 0xff) {
            return Ok(false);
        }
        self.entry(key, value)?;
        // Whether it is taken or not, what follows goes behind it.
        self.end = at.saturating_add(size);
        self.write(page, at, size).await
    }

    /// The entry into the buffer.
    fn entry(&mut self, key: Key, value: &[u8]) -> Result<(), StoreError> {
        let len = u16::try_from(value.len()).map_err(|_| StoreError::TooLong)?;
        let [low, high] = len.to_le_bytes();
        self.set(&[key as u8, 0, low, high]);
        let body = self.buffer.0.get_mut(ENTRY..ENTRY.saturating_add(value.len())).ok_or(StoreError::TooLong)?;
        body.copy_from_slice(value);
        let sum = self.sum(value.len()).to_le_bytes();
        for (to, from) in self.buffer.0.iter_mut().skip(4).zip(sum) {
            *to = from;
        }
        Ok(())
    }
    /// Check sum of the entry in the buffer: of its key, length and value.
    fn sum(&self, len: usize) -> u32 {
        let part = |from: usize, to: usize| self.buffer.0.get(from..to).unwrap_or_default();
        crc32(part(0, 4)) ^ crc32(part(ENTRY, ENTRY.saturating_add(len))).rotate_left(1)
    }
    /// The buffer: these bytes, and blank.
    fn set(&mut self, bytes: &[u8]) {
        self.buffer.0.fill(0xff);
        for (to, from) in self.buffer.0.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
    fn size(len: usize) -> u32 {
        (ENTRY.saturating_add(len) as u32).next_multiple_of(Self::WORD)
    }

    /// The generation of a page that has its header.
    async fn generation(&mut self, page: u32) -> Result<Option<u32>, StoreError> {
        self.read(page, 0, HEADER).await?;
        let [magic, generation, sum] = [0usize, 4, 8].map(|i| self.word(i));
        let head = self.buffer.0.get(..8).unwrap_or_default();
        Ok((magic == u32::from_le_bytes(MAGIC) && crc32(head) == sum).then_some(generation))
    }

    /// Walks through a page. Bytes that are no entry are stepped over: a torn one, or one with a byte that rotted.
    async fn scan(&mut self, page: u32, key: Option<Key>) -> Result<Scan, StoreError> {
        let mut scan = Scan { found: None, end: Self::FIRST };
        let mut at = Self::FIRST;
        while at.saturating_add(ENTRY as u32) <= Self::PAGE {
            self.read(page, at, ENTRY).await?;
            let (head, sum) = (self.word(0), self.word(4));
            let (kind, len) = ((head & 0xffff) as u8, (head >> 16) as usize);
            let next = at.saturating_add(Self::size(len));
            if head & 0xff00 == 0 && len <= LONGEST && next <= Self::PAGE {
                self.read(page, at, ENTRY.saturating_add(len)).await?;
                if self.sum(len) == sum {
                    if key.is_some_and(|k| k as u8 == kind) {
                        scan.found = Some((at, len));
                    }
                    (at, scan.end) = (next, next);
                    continue;
                }
            }
            let blank = head == u32::MAX && sum == u32::MAX;
            at = at.saturating_add(Self::WORD);
            if !blank {
                scan.end = at;
            }
        }
        Ok(scan)
    }

    fn word(&self, at: usize) -> u32 {
        self.buffer.0.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
    }
    /// Reads to the buffer's start.
    async fn read(&mut self, page: u32, at: u32, len: usize) -> Result<(), StoreError> {
        let len = len.next_multiple_of(4).min(BUFFER).min(Self::PAGE.saturating_sub(at) as usize);
        let bytes = self.buffer.0.get_mut(..len).ok_or(StoreError::TooLong)?;
        self.flash.read(page.saturating_mul(Self::PAGE).saturating_add(at), bytes).await.map_err(|_| StoreError::Flash)
    }
    /// Writes the buffer's start; whether it can be read again.
    async fn write(&mut self, page: u32, at: u32, size: u32) -> Result<bool, StoreError> {
        let address = page.saturating_mul(Self::PAGE).saturating_add(at);
        let bytes = self.buffer.0.get(..size as usize).ok_or(StoreError::TooLong)?;
        self.flash.write(address, bytes).await.map_err(|_| StoreError::Flash)?;
        let (mut same, mut done) = (true, 0);
        for chunk in bytes.chunks(16) {
            let mut read = Aligned([0; 16]);
            let read = read.0.get_mut(..chunk.len()).unwrap_or_default();
            self.flash.read(address.saturating_add(done), read).await.map_err(|_| StoreError::Flash)?;
            same &= *read == *chunk;
            done = done.saturating_add(16);
        }
        Ok(same)
    }
}

/// What a walk through a page has found.
struct Scan {
    /// Newest entry of the key: where it begins, length of its value.
    found: Option<(u32, usize)>,
    /// Behind the last thing that is not blank.
    end: u32,
}

#[cfg(test)]
mod tests {
    use super::super::sim::{Chip, PAGE, TEARS, run};
    use super::*;

    const SIZE: usize = 4 * PAGE;

    fn open(chip: &Chip) -> Keep<super::super::sim::Part> {
        run(Keep::open(chip.part(0, SIZE))).unwrap()
    }
    fn get(chip: &Chip, key: Key) -> Option<Vec<u8>> {
        run(open(chip).get(key)).unwrap().map(<[u8]>::to_vec)
    }

    #[test]
    fn values_stay_are_replaced_and_go() {
        let chip = Chip::new(SIZE);
        run(open(&chip).put(Key::Settings, b"one")).unwrap();
        run(open(&chip).put(Key::Settings, b"two")).unwrap();
        assert_eq!(get(&chip, Key::Settings).as_deref(), Some(&b"two"[..]));
        let spent = chip.spent();
        run(open(&chip).put(Key::Settings, b"two")).unwrap();
        assert_eq!(chip.spent(), spent, "the same value costs no write");
        run(open(&chip).remove(Key::Settings)).unwrap();
        assert_eq!(get(&chip, Key::Settings), None);
        assert_eq!(run(open(&chip).put(Key::Settings, &[0; LONGEST + 1])), Err(StoreError::TooLong));
        assert!(matches!(run(Keep::open(chip.part(0, PAGE))), Err(StoreError::Layout)));
    }

    #[test]
    fn after_a_cut_at_any_byte_the_old_value_or_the_new_one_is_there() {
        for tear in TEARS {
            // A flash that is nearly full, so that the writes turn pages.
            let chip = Chip::new(SIZE);
            for i in 0..40u8 {
                run(open(&chip).put(Key::Identity, &[i; 40])).unwrap();
            }
            for i in 0..12u8 {
                let (old, new) = (get(&chip, Key::Identity), vec![100 + i; 60]);
                let whole = chip.copy();
                run(open(&whole).put(Key::Identity, &new)).unwrap();
                for cut in 0..whole.spent() {
                    let torn = chip.copy();
                    torn.cut_after(cut, tear);
                    assert!(run(open(&torn).put(Key::Identity, &new)).is_err());
                    torn.restore();
                    let found = get(&torn, Key::Identity);
                    assert!(found == old || found.as_ref() == Some(&new), "{tear:?}, cut {cut} of write {i}: {found:?}");
                    // And the store goes on.
                    run(open(&torn).put(Key::Settings, b"after")).unwrap();
                    assert_eq!(get(&torn, Key::Settings).as_deref(), Some(&b"after"[..]), "{tear:?}, cut {cut}");
                    assert_eq!(get(&torn, Key::Identity), found);
                }
                run(open(&chip).put(Key::Identity, &new)).unwrap();
            }
        }
    }

    #[test]
    fn a_factory_reset_leaves_the_boot_number_alone() {
        let chip = Chip::new(SIZE);
        for key in [Key::Boot, Key::Identity, Key::Settings, Key::Words] {
            run(open(&chip).put(key, b"12345678")).unwrap();
        }
        run(open(&chip).reset()).unwrap();
        assert!(get(&chip, Key::Boot).is_some());
        assert!([Key::Identity, Key::Settings, Key::Words].iter().all(|key| get(&chip, *key).is_none()));
    }

    #[test]
    fn pages_wear_evenly() {
        let chip = Chip::new(SIZE);
        run(open(&chip).put(Key::Identity, &[7; 60])).unwrap();
        let mut keep = open(&chip);
        for i in 0..1000u32 {
            run(keep.put(Key::Boot, &u64::from(i).to_le_bytes())).unwrap();
        }
        // 1,000 entries of 16 bytes, ten in a page beside the other value: 100 pages over four.
        assert!(chip.worn() <= 26, "{}", chip.worn());
        assert_eq!(get(&chip, Key::Identity), Some(vec![7; 60]));
    }

    #[test]
    fn a_byte_that_rots_costs_one_entry_at_most() {
        let chip = Chip::new(SIZE);
        for i in 0..6u8 {
            run(open(&chip).put(Key::Boot, &[i; 8])).unwrap();
        }
        run(open(&chip).put(Key::Identity, b"node")).unwrap();
        // The header has its own copy of nothing: without it the page is gone, and the node draws a new number.
        for at in 12..PAGE {
            let bad = chip.copy();
            bad.flip(at, 0x10);
            let boot = get(&bad, Key::Boot).unwrap();
            assert!(boot == [5; 8] || boot == [4; 8], "{at}: {boot:?}");
            run(open(&bad).put(Key::Settings, b"goes on")).unwrap();
            assert_eq!(get(&bad, Key::Boot).unwrap(), boot, "{at}");
        }
    }
}
