//! How long to wait before the next attempt: doubling from a second to a minute, and half of it at random, so that the nodes of a house do not all
//! come back in the same second after a power cut.

const FIRST_MS: u32 = 1_000;
const LONGEST_MS: u32 = 60_000;

#[derive(Debug)]
pub struct Backoff {
    wait_ms: u32,
    random: u64,
}

impl Backoff {
    /// `seed` should differ between nodes and between starts of one.
    pub fn new(seed: u64) -> Backoff {
        Backoff { wait_ms: FIRST_MS, random: seed ^ 0x9e37_79b9_7f4a_7c15 }
    }
    /// It went well.
    pub fn reset(&mut self) {
        self.wait_ms = FIRST_MS;
    }
    /// Milliseconds to wait now: between half of the wait and all of it.
    pub fn next_ms(&mut self) -> u32 {
        // SplitMix64: even seeds that differ in one bit give other waits.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let half = self.wait_ms / 2;
        let wait = half + (z % (u64::from(half) + 1)) as u32;
        self.wait_ms = self.wait_ms.saturating_mul(2).min(LONGEST_MS);
        wait
    }
}

/// A seed from a name and a number.
pub fn seed(name: &str, boot: u64) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325 ^ boot, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_to_a_minute_with_half_of_it_by_chance() {
        let mut backoff = Backoff::new(seed("th-1", 1));
        for longest in [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000] {
            let wait = backoff.next_ms();
            assert!((longest / 2..=longest).contains(&wait), "{wait} of {longest}");
        }
        backoff.reset();
        assert!(backoff.next_ms() <= 1000);
    }

    #[test]
    fn nodes_do_not_come_back_together() {
        let mut waits: Vec<u32> = (0..100)
            .map(|i| {
                let mut backoff = Backoff::new(seed(&format!("th-{i}"), 1));
                (0..7).map(|_| backoff.next_ms()).last().unwrap()
            })
            .collect();
        waits.sort_unstable();
        let crowd = waits.windows(11).map(|w| w[10] - w[0]).min().unwrap();
        assert!(crowd > 500, "ten of a hundred within {crowd} ms");
    }
}
