//! The boot number. With the device and a message's sequence it names the message for ever, so it must never repeat: not after a power cut in the
//! middle of counting it up, nor after the flash was erased.
use super::StoreError;
use super::keep::{Keep, Key};
use embedded_storage_async::nor_flash::NorFlash;

/// Boots that fit between two numbers drawn: 65,536, three a day for sixty years.
const RUN: u32 = 16;

/// A first number for a node that has none: `entropy` from the chip's random source, so that a node whose flash was erased does not count its old
/// numbers again. Below 2^48, which every JSON reader keeps exactly.
pub fn drawn(entropy: u64) -> u64 {
    (entropy & 0xffff_ffff) << RUN
}

/// The number of this boot, which is in the flash before it is used. With the error when the flash has not taken it: the number is then drawn, and a
/// node whose flash is broken still raises its alarms.
pub async fn next<F: NorFlash>(keep: &mut Keep<F>, entropy: u64) -> (u64, Option<StoreError>) {
    match count(keep, entropy).await {
        Ok(boot) => (boot, None),
        Err(error) => (drawn(entropy), Some(error)),
    }
}

async fn count<F: NorFlash>(keep: &mut Keep<F>, entropy: u64) -> Result<u64, StoreError> {
    let last = keep.get(Key::Boot).await?.and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
    let boot = last.and_then(|n| n.checked_add(1)).unwrap_or_else(|| drawn(entropy));
    keep.put(Key::Boot, &boot.to_le_bytes()).await?;
    Ok(boot)
}

#[cfg(test)]
mod tests {
    use super::super::sim::{Chip, PAGE, TEARS, run};
    use super::*;

    #[test]
    fn it_counts_up_and_starts_anew_elsewhere_when_the_flash_was_erased() {
        let chip = Chip::new(2 * PAGE);
        let boot = |chip: &Chip, entropy| run(async { next(&mut Keep::open(chip.part(0, 2 * PAGE)).await.unwrap(), entropy).await });
        let first = boot(&chip, 5).0;
        assert_eq!((1..100).map(|_| boot(&chip, 9).0).collect::<Vec<_>>(), (first + 1..first + 100).collect::<Vec<_>>());
        assert_ne!(boot(&Chip::new(2 * PAGE), 77).0, first);
        assert!(drawn(u64::MAX) < 1 << 48);
    }

    #[test]
    fn it_never_repeats_whenever_the_power_goes() {
        for tear in TEARS {
            // Each boot is cut one byte later than the one before, over many turns of the pages; what a boot was told counts as used.
            let chip = Chip::new(2 * PAGE);
            let mut used = Vec::new();
            for cut in 0..3000 {
                chip.cut_after(cut % 600, tear);
                let mut keep = run(Keep::open(chip.part(0, 2 * PAGE))).unwrap();
                if let (boot, None) = run(next(&mut keep, 1 + cut)) {
                    used.push(boot);
                }
                chip.restore();
            }
            assert!(used.len() > 1000, "{tear:?}: {} boots counted", used.len());
            assert!(used.windows(2).all(|w| w[0] < w[1]), "{tear:?}: {used:?}");
        }
    }

    #[test]
    fn a_dead_flash_gives_a_number_that_was_drawn_and_says_so() {
        let chip = Chip::new(2 * PAGE);
        let mut keep = run(Keep::open(chip.part(0, 2 * PAGE))).unwrap();
        chip.cut_after(0, super::super::sim::Tear::Clean);
        assert_eq!(run(next(&mut keep, 3)), (drawn(3), Some(StoreError::Flash)));
    }
}
