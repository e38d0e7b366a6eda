//! Why the node started, and its last words when it panicked. A panic must not wait for a flash: it leaves its words in memory that a reset does not
//! clear (a `.uninit` section of the board), and the next start takes them from there into the flash, where they stay until the gateway has them.
use super::StoreError;
use super::crc32;
use super::keep::{Keep, Key};
use core::fmt::Write;
use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;

/// Longest last words, bytes: `src/link.rs:120: index out of bounds`.
pub const LONGEST: usize = 96;
/// Memory that the board sets aside, bytes.
pub const MEMORY: usize = 8 + LONGEST;

/// Why the chip says that it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    PowerOn,
    /// The supply dropped below what the chip needs.
    BrownOut,
    /// The reset pin, or a debugger.
    Pin,
    /// The node did not feed its watchdog: it hung.
    Watchdog,
    /// By itself: after a panic, an update, a factory reset.
    Software,
    Unknown,
}

impl Reset {
    /// As it stands in the birth's `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PowerOn => "power_on",
            Self::BrownOut => "brown_out",
            Self::Pin => "reset_pin",
            Self::Watchdog => "watchdog",
            Self::Software => "restart",
            Self::Unknown => "unknown",
        }
    }
}

/// Leaves words in memory; those that do not fit are cut. For the panic handler: it allocates nothing and cannot fail.
pub fn leave(memory: &mut [u8; MEMORY], words: impl core::fmt::Display) {
    let mut text = Cut(String::new());
    let _ = write!(text, "{words}");
    let text = text.0.as_bytes();
    memory.fill(0);
    let (sum, rest) = memory.split_at_mut(4);
    for (to, from) in rest.iter_mut().zip((text.len() as u32).to_le_bytes().iter().chain(text)) {
        *to = *from;
    }
    sum.copy_from_slice(&crc32(rest).to_le_bytes());
}

/// Takes the words out of the memory; `None` when it holds anything else, as it does after the power was off.
pub fn take(memory: &mut [u8; MEMORY]) -> Option<String<LONGEST>> {
    let words = read(memory);
    memory.fill(0);
    words
}

fn read(memory: &[u8; MEMORY]) -> Option<String<LONGEST>> {
    let (sum, rest) = memory.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*sum) != crc32(rest) {
        return None;
    }
    let (len, text) = rest.split_first_chunk::<4>()?;
    let text = core::str::from_utf8(text.get(..u32::from_le_bytes(*len) as usize)?).ok()?;
    String::try_from(text).ok().filter(|t| !t.is_empty())
}

/// At the start: what the memory holds goes into the flash. The words that wait to be told, of this start or an earlier one.
///
/// # Errors
/// The flash failed.
pub async fn collect<F: NorFlash>(keep: &mut Keep<F>, memory: &mut [u8; MEMORY]) -> Result<Option<String<LONGEST>>, StoreError> {
    if let Some(words) = take(memory) {
        keep.put(Key::Words, words.as_bytes()).await?;
        return Ok(Some(words));
    }
    let kept = keep.get(Key::Words).await?;
    Ok(kept.and_then(|b| core::str::from_utf8(b).ok()).and_then(|t| String::try_from(t).ok()))
}

/// The gateway has the words.
///
/// # Errors
/// The flash failed; they are told again after the next start.
pub async fn told<F: NorFlash>(keep: &mut Keep<F>) -> Result<(), StoreError> {
    keep.remove(Key::Words).await
}

/// A text that is cut at its limit, between characters.
struct Cut(String<LONGEST>);

impl Write for Cut {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        s.chars().try_for_each(|c| self.0.push(c)).map_err(|_| core::fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sim::{Chip, PAGE, run};
    use super::*;

    #[test]
    fn words_pass_through_memory_and_flash_to_the_gateway() {
        let chip = Chip::new(2 * PAGE);
        let open = || run(Keep::open(chip.part(0, 2 * PAGE))).unwrap();
        let mut memory = [0xa5; MEMORY];
        assert_eq!(run(collect(&mut open(), &mut memory)).unwrap(), None, "what lies there after power-on says nothing");
        leave(&mut memory, format_args!("src/node.rs:{}: 门 {}", 7, "x".repeat(200)));
        let words = run(collect(&mut open(), &mut memory)).unwrap().unwrap();
        assert!(words.starts_with("src/node.rs:7: 门 x") && words.len() == LONGEST);
        assert_eq!(take(&mut memory), None, "once only");
        // Another start before the gateway was reached.
        assert_eq!(run(collect(&mut open(), &mut memory)).unwrap(), Some(words));
        run(told(&mut open())).unwrap();
        assert_eq!(run(collect(&mut open(), &mut memory)).unwrap(), None);
    }

    #[test]
    fn any_memory_is_survived() {
        let mut memory = [0; MEMORY];
        leave(&mut memory, "all is well");
        for i in 0..MEMORY {
            let mut bad = memory;
            bad[i] ^= 0x40;
            assert_eq!(take(&mut bad), None, "{i}");
        }
    }
}
