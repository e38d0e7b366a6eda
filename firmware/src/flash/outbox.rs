//! The node's outbox over flash: what waits is there after the power was off. For a node whose gateway may be away for long; each record costs one write.
use super::StoreError;
use super::ring::Ring;
use crate::outbox::{Lane, Outbox};
use core::ops::Range;
use embedded_storage_async::nor_flash::MultiwriteNorFlash;

/// Two rings, each in a part of the flash of its own. A record that the flash does not take is lost, and counted.
pub struct FlashOutbox<A: MultiwriteNorFlash, R: MultiwriteNorFlash> {
    alarms: Numbered<A>,
    readings: Numbered<R>,
    lost: u32,
}

struct Numbered<F: MultiwriteNorFlash> {
    ring: Ring<F>,
    /// Number of the oldest record.
    first: u64,
}

impl<F: MultiwriteNorFlash> Numbered<F> {
    fn held(&self) -> Range<u64> {
        self.first..self.first.saturating_add(u64::from(self.ring.len()))
    }
    /// How many were lost.
    async fn push(&mut self, record: &[u8]) -> u32 {
        match self.ring.push(record).await {
            Ok(out) => {
                self.first = self.first.saturating_add(u64::from(out));
                out
            }
            Err(_) => 1,
        }
    }
    async fn read(&mut self, number: u64, buf: &mut [u8]) -> Option<usize> {
        let behind = u32::try_from(number.checked_sub(self.first)?).ok()?;
        self.ring.nth(behind, buf).await.ok().flatten()
    }
    async fn release(&mut self, number: u64) {
        while self.first <= number && !self.ring.is_empty() {
            // What the flash does not let go of is sent again after the next start; the gateway knows a repeat by its number.
            let _ = self.ring.done().await;
            self.first = self.first.saturating_add(1);
        }
    }
}

impl<A: MultiwriteNorFlash, R: MultiwriteNorFlash> FlashOutbox<A, R> {
    /// Over all of the two parts, with what waits there from before.
    ///
    /// # Errors
    /// As [`Ring::open`].
    pub async fn open(alarms: A, readings: R) -> Result<Self, StoreError> {
        let alarms = Numbered { ring: Ring::open(alarms).await?, first: 0 };
        let readings = Numbered { ring: Ring::open(readings).await?, first: 0 };
        Ok(Self { alarms, readings, lost: 0 })
    }
}

impl<A: MultiwriteNorFlash, R: MultiwriteNorFlash> Outbox for FlashOutbox<A, R> {
    fn held(&self, lane: Lane) -> Range<u64> {
        match lane {
            Lane::Alarm => self.alarms.held(),
            Lane::Reading => self.readings.held(),
        }
    }
    async fn push(&mut self, lane: Lane, record: &[u8]) {
        let lost = match lane {
            Lane::Alarm => self.alarms.push(record).await,
            Lane::Reading => self.readings.push(record).await,
        };
        self.lost = self.lost.saturating_add(lost);
    }
    async fn read(&mut self, lane: Lane, number: u64, buf: &mut [u8]) -> Option<usize> {
        match lane {
            Lane::Alarm => self.alarms.read(number, buf).await,
            Lane::Reading => self.readings.read(number, buf).await,
        }
    }
    async fn release(&mut self, lane: Lane, number: u64) {
        match lane {
            Lane::Alarm => self.alarms.release(number).await,
            Lane::Reading => self.readings.release(number).await,
        }
    }
    fn lost(&self) -> u32 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::super::sim::{Chip, PAGE, Part, run};
    use super::*;

    #[test]
    fn it_keeps_numbers_and_order_and_outlives_the_power() {
        let chip = Chip::new(8 * PAGE);
        let open = || -> FlashOutbox<Part, Part> { run(FlashOutbox::open(chip.part(0, 4 * PAGE), chip.part(4 * PAGE, 4 * PAGE))).unwrap() };
        let mut buf = [0; 64];
        {
            let mut outbox = open();
            for n in 0..8u8 {
                run(outbox.push(Lane::Reading, &[n; 20]));
            }
            run(outbox.push(Lane::Alarm, b"door"));
            assert_eq!((outbox.held(Lane::Reading), outbox.held(Lane::Alarm)), (0..8, 0..1));
            assert_eq!(run(outbox.read(Lane::Reading, 5, &mut buf)), Some(20));
            assert_eq!(buf[..20], [5; 20]);
            run(outbox.release(Lane::Reading, 2));
            assert_eq!(outbox.held(Lane::Reading), 3..8);
            assert_eq!(run(outbox.read(Lane::Reading, 2, &mut buf)), None);
        }
        let mut outbox = open();
        assert_eq!((outbox.held(Lane::Reading), outbox.held(Lane::Alarm)), (0..5, 0..1));
        assert_eq!(run(outbox.read(Lane::Reading, 0, &mut buf)), Some(20));
        assert_eq!(buf[0], 3);
        // Full: the oldest make room, their numbers are not given again, and they are counted.
        for n in 0..100u8 {
            run(outbox.push(Lane::Reading, &[n; 20]));
        }
        let held = outbox.held(Lane::Reading);
        assert_eq!(held.end, 105);
        assert_eq!(u64::from(outbox.lost()), held.start);
        assert_eq!(run(outbox.read(Lane::Reading, 104, &mut buf)), Some(20));
        assert_eq!(buf[0], 99);
    }
}
