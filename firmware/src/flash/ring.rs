//! Messages that wait for the gateway, oldest first. What does not fit any more pushes out the oldest, a page at a time, and is counted.
use super::{Aligned, StoreError};
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};

/// Longest message, bytes; it must also fit an erase page.
pub const LONGEST: usize = 1024;

/// The ring. It needs two erase pages; the more, the less falls out at a time.
pub struct Ring<F: MultiwriteNorFlash> {
    queue: QueueStorage<F, Cache<Uncached, Uncached, Uncached>>,
    buffer: Aligned<LONGEST>,
    len: u32,
}

impl<F: MultiwriteNorFlash> Ring<F> {
    /// Over all of `flash`, with what waits in it from before.
    ///
    /// # Errors
    /// [`StoreError::Layout`]; the flash failed.
    pub async fn open(flash: F) -> Result<Self, StoreError> {
        let end = u32::try_from(flash.capacity()).map_err(|_| StoreError::Layout)?;
        if flash.capacity() < 2 * F::ERASE_SIZE {
            return Err(StoreError::Layout);
        }
        let config = QueueConfig::try_new(0..end).map_err(|_| StoreError::Layout)?;
        let mut ring = Self { queue: QueueStorage::new(flash, config, Cache::new_uncached()), buffer: Aligned([0; LONGEST]), len: 0 };
        match ring.count().await {
            // Nothing of it can be read: empty, it is a ring again.
            Err(StoreError::Corrupt) => ring.queue.erase_all().await?,
            other => ring.len = other?,
        }
        Ok(ring)
    }
    /// Messages that wait.
    pub fn len(&self) -> u32 {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Puts a message behind the others: it is in the flash when this returns. How many old ones it has pushed out.
    ///
    /// # Errors
    /// [`StoreError::TooLong`]; the flash failed, and the message may or may not be there.
    pub async fn push(&mut self, message: &[u8]) -> Result<u32, StoreError> {
        if message.is_empty() || message.len() > LONGEST {
            return Err(StoreError::TooLong);
        }
        match self.queue.push(message, false).await {
            Ok(()) => {
                self.len = self.len.saturating_add(1);
                Ok(0)
            }
            Err(sequential_storage::Error::FullStorage) => {
                let before = self.len;
                self.queue.push(message, true).await?;
                self.len = self.count().await?;
                Ok(before.saturating_add(1).saturating_sub(self.len))
            }
            Err(error) => Err(error.into()),
        }
    }
    /// The oldest message.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn oldest(&mut self) -> Result<Option<&[u8]>, StoreError> {
        Ok(self.queue.peek(&mut self.buffer.0).await?.map(|message| &*message))
    }
    /// The message that `behind` others are older than, copied to the front of `buf`; its length.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] when `buf` is too short; the flash failed.
    pub async fn nth(&mut self, behind: u32, buf: &mut [u8]) -> Result<Option<usize>, StoreError> {
        let mut all = self.queue.iter().await?;
        for _ in 0..behind {
            if all.next(&mut self.buffer.0).await?.is_none() {
                return Ok(None);
            }
        }
        let Some(message) = all.next(&mut self.buffer.0).await? else { return Ok(None) };
        let (len, to) = (message.len(), buf.get_mut(..message.len()).ok_or(StoreError::TooLong)?);
        to.copy_from_slice(&message);
        Ok(Some(len))
    }
    /// Takes the oldest message out: the gateway has it. After a power cut in here it may still be there, and is sent again.
    ///
    /// # Errors
    /// The flash failed.
    pub async fn done(&mut self) -> Result<(), StoreError> {
        if self.queue.pop(&mut self.buffer.0).await?.is_some() {
            self.len = self.len.saturating_sub(1);
        }
        Ok(())
    }

    async fn count(&mut self) -> Result<u32, StoreError> {
        let (mut n, mut all) = (0u32, self.queue.iter().await?);
        while all.next(&mut self.buffer.0).await?.is_some() {
            n = n.saturating_add(1);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sim::{Chip, PAGE, Part, TEARS, Tear, run};
    use super::*;

    const SIZE: usize = 4 * PAGE;

    fn open(chip: &Chip, size: usize) -> Ring<Part> {
        run(Ring::open(chip.part(0, size))).unwrap()
    }
    fn message(n: u32) -> Vec<u8> {
        [&n.to_le_bytes()[..], &vec![n as u8; (n % 23) as usize]].concat()
    }
    fn number(message: &[u8]) -> u32 {
        assert!(message.len() >= 4 && message[4..].iter().all(|b| *b == message[0]), "{message:?}");
        u32::from_le_bytes(message[..4].try_into().unwrap())
    }
    fn drain(ring: &mut Ring<Part>) -> Vec<u32> {
        let mut all = Vec::new();
        while let Some(n) = run(ring.oldest()).unwrap().map(number) {
            all.push(n);
            run(ring.done()).unwrap();
        }
        all
    }

    #[test]
    fn first_in_first_out_over_restarts() {
        let chip = Chip::new(SIZE);
        for n in 0..10 {
            assert_eq!(run(open(&chip, SIZE).push(&message(n))), Ok(0));
        }
        let mut ring = open(&chip, SIZE);
        assert_eq!(ring.len(), 10);
        assert_eq!(drain(&mut ring), (0..10).collect::<Vec<_>>());
        assert!(ring.is_empty() && open(&chip, SIZE).is_empty());
        assert_eq!(run(ring.push(&[0; LONGEST + 1])), Err(StoreError::TooLong));
    }

    #[test]
    fn what_falls_out_is_the_oldest_and_is_counted() {
        let chip = Chip::new(SIZE);
        let mut ring = open(&chip, SIZE);
        let dropped: u32 = (0..500).map(|n| run(ring.push(&message(n))).unwrap()).sum();
        let left = drain(&mut ring);
        assert_eq!(left, (500 - left.len() as u32..500).collect::<Vec<_>>());
        assert_eq!(dropped + left.len() as u32, 500);
        assert!(left.len() > 15);
    }

    #[test]
    fn a_thousand_readings_fit_into_a_quarter_of_a_mebibyte() {
        let chip = Chip::new(256 << 10);
        let mut ring = open(&chip, 256 << 10);
        // Telemetry of four quantities is about 110 bytes of CBOR.
        for n in 0..1200 {
            assert_eq!(run(ring.push(&[n as u8; 110])), Ok(0), "{n}");
        }
    }

    #[test]
    fn after_a_cut_at_any_byte_nothing_stored_is_lost_and_the_order_holds() {
        for tear in TEARS {
            let chip = Chip::new(SIZE);
            let (mut from, mut to) = (0, 0);
            // Steps of pushing and taking out that go round the ring several times.
            for step in 0..60 {
                let push = step % 5 < 3 || from == to;
                let act = |chip: &Chip| -> Result<(), StoreError> {
                    run(async {
                        let mut ring = Ring::open(chip.part(0, SIZE)).await?;
                        if push { ring.push(&message(to)).await.map(|_| ()) } else { ring.done().await }
                    })
                };
                let whole = chip.copy();
                act(&whole).unwrap();
                // Every byte with the tear that promises least, every third with the others.
                for cut in (0..whole.spent()).step_by(if tear == Tear::Wild { 1 } else { 3 }) {
                    let torn = chip.copy();
                    torn.cut_after(cut, tear);
                    assert!(act(&torn).is_err());
                    torn.restore();
                    let mut ring = open(&torn, SIZE);
                    // The ring goes on behind the cut.
                    run(ring.push(&message(999))).unwrap();
                    let mut all = drain(&mut open(&torn, SIZE));
                    assert_eq!(all.pop(), Some(999), "{tear:?}, step {step}, cut {cut}");
                    let before: Vec<u32> = (from..to).collect();
                    let after: Vec<u32> = if push { (from..to + 1).collect() } else { (from + 1..to).collect() };
                    assert!(all == before || all == after, "{tear:?}, step {step}, cut {cut}: {all:?}, not {before:?} or {after:?}");
                }
                act(&chip).unwrap();
                if push { to += 1 } else { from += 1 }
            }
        }
    }
}
