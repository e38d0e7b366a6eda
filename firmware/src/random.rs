//! Numbers that nobody can guess, for the keys of a connection.
use sha2::{Digest, Sha256};

/// Gives them.
pub trait Random {
    fn fill(&mut self, bytes: &mut [u8]);
}

/// The chip's source of noise, as it is: biased, its bits not independent.
pub trait Noise {
    fn sample(&mut self, bytes: &mut [u8]);
}

/// Raw noise that goes into each draw, bytes: where only one bit in sixteen cannot be foreseen, it is still 256 of them.
const DRAW: usize = 512;

/// Noise made even by hashing, and gathered: each draw mixes new noise into a state that is never given out, so that what is guessed of one draw tells
/// nothing of the ones before, and the next ones recover by what the new noise is worth. It is worth what its noise is worth, and no more.
#[derive(Debug)]
pub struct Pool<N> {
    noise: N,
    state: [u8; 32],
}

impl<N: Noise> Pool<N> {
    /// `own`: what differs between chips and between starts (serial number, boot number). It keeps two nodes apart; it makes nothing secret.
    pub fn new(noise: N, own: &[&[u8]]) -> Pool<N> {
        let mut hash = Sha256::new();
        for part in own {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut pool = Pool { noise, state: hash.finalize().into() };
        pool.stir();
        pool
    }
    fn stir(&mut self) {
        let (mut hash, mut raw) = (Sha256::new(), [0; 64]);
        hash.update(b"stir");
        hash.update(self.state);
        for _ in 0..DRAW / raw.len() {
            self.noise.sample(&mut raw);
            hash.update(raw);
        }
        self.state = hash.finalize().into();
    }
}

impl<N: Noise> Random for Pool<N> {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.stir();
        for (block, number) in bytes.chunks_mut(32).zip(0u32..) {
            let drawn = Sha256::new().chain_update(b"draw").chain_update(self.state).chain_update(number.to_be_bytes()).finalize();
            for (to, from) in block.iter_mut().zip(drawn) {
                *to = from;
            }
        }
        self.state = Sha256::new().chain_update(b"next").chain_update(self.state).finalize().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    struct Dead;
    impl Noise for Dead {
        fn sample(&mut self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }
    struct Counting(u8);
    impl Noise for Counting {
        fn sample(&mut self, bytes: &mut [u8]) {
            self.0 = self.0.wrapping_add(1);
            bytes.fill(self.0);
        }
    }

    #[test]
    fn draws_differ_between_starts_chips_and_noise_even_where_the_noise_is_dead() {
        let mut seen = BTreeSet::new();
        let mut draw = |random: &mut dyn Random| {
            let mut bytes = [0; 70];
            random.fill(&mut bytes);
            assert!(bytes.chunks(32).collect::<BTreeSet<_>>().len() == 3 && seen.insert(bytes), "drawn before");
        };
        for own in [[&b"chip"[..], b"1"], [b"chip", b"2"], [b"chi", b"p1"]] {
            let mut dead = Pool::new(Dead, &own);
            draw(&mut dead);
            draw(&mut dead);
            draw(&mut Pool::new(Counting(0), &own));
            draw(&mut Pool::new(Counting(1), &own));
        }
    }
}
