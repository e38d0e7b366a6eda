//! A stretch of the past is played again: the trick by which an empty, tidy room is shown all day. People repeat their movements, a sensor never repeats its
//! noise: two pictures of an unchanged room differ from each other by as much as any two neighbours do. A picture that is closer to one of some time ago
//! than noise allows is that picture, played again, also when it was compressed once more.
use std::collections::VecDeque;

use super::hold::Look;
use super::luma::Rgb;

/// Samples of a picture.
const SAMPLES: usize = 512;
/// Neighbouring pixels are subtracted, so that a change of light does not count; this far apart.
const APART: u32 = 3;
/// How far back is remembered,
const BACK_MS: i64 = 650_000;
/// and in how many pictures at most: five a second.
const REMEMBERED: usize = 650;
const EVERY_MS: i64 = 190;
/// Pictures nearer in time than this are not a loop: a blinking lamp, a fan.
const SHORTEST_MS: i64 = 4_000;
/// A repeat differs from its original by less than this share of the noise.
const CLOSER: f32 = 0.55;
/// Mean difference a sample, in levels, below which there is no noise to tell by.
const SILENT: f32 = 0.2;
/// One sample counts at most so much: people are not noise.
const CLIP: u16 = 12;
/// So many repeats are a loop,
const REPEATS: usize = 3;
/// within this time.
const WITHIN_MS: i64 = 60_000;

#[derive(Debug, Clone)]
struct Seen {
    at_ms: i64,
    print: [i8; SAMPLES],
    /// Mean difference to the picture before it.
    noise: f32,
}

#[derive(Debug, Clone, Default)]
pub struct Looped {
    ring: VecDeque<Seen>,
    last: Option<(i64, Box<[i8; SAMPLES]>)>,
    repeats: VecDeque<i64>,
}

impl Looped {
    pub fn look(&mut self, at_ms: i64, picture: Rgb) -> Look {
        while self.ring.front().is_some_and(|s| at_ms.saturating_sub(s.at_ms) > BACK_MS) || self.ring.len() >= REMEMBERED {
            self.ring.pop_front();
        }
        while self.repeats.front().is_some_and(|t| at_ms.saturating_sub(*t) > WITHIN_MS) || self.repeats.len() > REMEMBERED {
            self.repeats.pop_front();
        }
        let print = fingerprint(picture);
        let noise = self.last.as_ref().map_or(0.0, |(_, before)| difference(&print, before));
        self.last = Some((at_ms, Box::new(print)));
        if self.repeated(at_ms, &print, noise) {
            self.repeats.push_back(at_ms);
        }
        if self.ring.back().is_none_or(|s| at_ms.saturating_sub(s.at_ms) >= EVERY_MS) {
            self.ring.push_back(Seen { at_ms, print, noise });
        }
        if self.repeats.len() >= REPEATS {
            Look::Blind
        } else if noise > SILENT {
            Look::Sees
        } else {
            Look::CannotTell
        }
    }

    fn repeated(&self, at_ms: i64, print: &[i8; SAMPLES], noise: f32) -> bool {
        let usual = self.usual_noise().min(noise);
        if usual < SILENT {
            return false;
        }
        let mut found = false;
        for seen in &self.ring {
            let limit = CLOSER * usual.min(seen.noise);
            if seen.noise < SILENT || difference(print, &seen.print) >= limit {
                continue;
            }
            if at_ms.saturating_sub(seen.at_ms) < SHORTEST_MS {
                return false;
            }
            found = true;
        }
        found
    }

    /// What neighbours differ by when nothing moves.
    fn usual_noise(&self) -> f32 {
        let mut noises: Vec<f32> = self.ring.iter().map(|s| s.noise).filter(|n| *n > 0.0).collect();
        let fifth = noises.len() / 5;
        if noises.len() < 4 { 0.0 } else { *noises.select_nth_unstable_by(fifth, f32::total_cmp).1 }
    }
}

/// Differences of neighbouring pixels at fixed places that are spread over the middle of the picture: the border has the clock, which repeats.
fn fingerprint(picture: Rgb) -> [i8; SAMPLES] {
    let mut print = [0; SAMPLES];
    let width = u64::from(picture.width.saturating_sub(APART));
    let (top, height) = (u64::from(picture.height) * 16 / 100, u64::from(picture.height) * 68 / 100);
    for (i, value) in print.iter_mut().enumerate() {
        // The golden ratio and the square root of two spread points evenly without a pattern that could fall in with that of the JPEG's blocks.
        let x = (((i as u64 * 40_503) & 0xffff) * width) >> 16;
        let y = top + ((((i as u64 * 27_146) & 0xffff) * height) >> 16);
        let (x, y) = (x as u32, y as u32);
        let d = i16::from(picture.luma(x, y)) - i16::from(picture.luma(x + APART, y));
        *value = d.clamp(-127, 127) as i8;
    }
    print
}

/// Mean of the samples' differences, each clipped.
fn difference(a: &[i8; SAMPLES], b: &[i8; SAMPLES]) -> f32 {
    let sum: u32 = a.iter().zip(b).map(|(x, y)| u32::from((i16::from(*x) - i16::from(*y)).unsigned_abs().min(CLIP))).sum();
    sum as f32 / SAMPLES as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(seed: u32, amplitude: u32) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let mut bytes = Vec::new();
        for y in 0..180u32 {
            for x in 0..320u32 {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let v = (60 + x / 3 + y / 4 + if amplitude > 0 { state % amplitude } else { 0 }) as u8;
                bytes.extend([v; 3]);
            }
        }
        bytes
    }

    fn run(frames: i64, step_ms: i64, seed: impl Fn(i64) -> u32, amplitude: u32) -> Vec<Look> {
        let mut looped = Looped::default();
        (0..frames).map(|n| looped.look(n * step_ms, Rgb { width: 320, height: 180, bytes: &noisy(seed(n), amplitude) })).collect()
    }

    #[test]
    fn a_static_room_with_noise_is_no_loop_and_its_recording_is() {
        assert!(run(300, 1000, |n| n as u32, 6).iter().all(|l| *l != Look::Blind));
        for length in [5, 12, 30, 60] {
            let looks = run(200, 1000, |n| if n < 60 { n as u32 } else { 60 + ((n - 60) % length) as u32 }, 6);
            let first = looks.iter().position(|l| *l == Look::Blind).unwrap() as i64;
            assert!((first - 60 - length) < 8, "a loop of {length} s was seen after {} s", first - 60 - length);
        }
        let slow = run(60, 5000, |n| if n < 20 { n as u32 } else { 20 + ((n - 20) % 6) as u32 }, 6);
        assert!(slow.contains(&Look::Blind), "a frame in five seconds");
    }

    #[test]
    fn what_blinks_and_what_has_no_noise_is_no_loop() {
        assert!(run(100, 1000, |n| (n % 2) as u32, 6).iter().all(|l| *l != Look::Blind));
        assert!(run(100, 1000, |n| n as u32, 0).iter().all(|l| *l == Look::CannotTell));
    }
}
