//! What changes too fast for single readings: sound, mains current.
use crate::sensor::Fault;

/// Samples of a block: so few that whoever works on one holds up nothing else for longer than a millisecond.
pub const BLOCK: usize = 64;

/// A source of samples at an even pace: I²S or a converter with DMA.
#[allow(async_fn_in_trait)] // One executor, one thread: nothing here has to be `Send`.
pub trait Waveform {
    /// Samples a second.
    fn rate(&self) -> u32;
    /// Hands over `count` blocks that follow each other without a gap: the next one is being taken while `each` works on the one before. Signed,
    /// `i32::MAX` and `i32::MIN` at the ends of the scale.
    async fn blocks(&mut self, count: u32, each: impl FnMut(&[i32; BLOCK])) -> Result<(), Fault>;
}

/// From here on a sample is at the end of the scale.
pub fn is_clipped(sample: i32) -> bool {
    sample.unsigned_abs() >= 0x7F00_0000
}
