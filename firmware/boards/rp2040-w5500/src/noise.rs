//! The ring oscillator's random bit, as raw noise. The data sheet (2.17.5) grants it to everything but security, where somebody might influence the oscillator;
//! so much of it goes through a hash (`tuoan_node::random`) before a key is made of it. Nobody has measured yet what it is worth on this board.
use embassy_rp::pac::ROSC;
use tuoan_node::random::Noise;

pub struct Rosc;
impl Noise for Rosc {
    fn sample(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = (0..8).fold(0, |byte, _| {
                // The oscillator turns some ten times meanwhile: neighbouring bits depend on one another less.
                cortex_m::asm::delay(200);
                byte << 1 | u8::from(ROSC.randombit().read().randombit())
            });
        }
    }
}
