//! The same picture though time passes. A live sensor has noise: even in a dark, still room some sample differs from second to second. A picture that stands
//! has none, but the clock that the camera writes along its upper or lower border may go on.
use super::hold::Look;
use super::luma::Rgb;

/// Single pixels, not means: noise must not be averaged away.
const COLUMNS: u32 = 96;
const ROWS: u32 = 54;
/// Written text stands in so many rows at the upper and lower border,
const TEXT_ROWS: usize = 8;
/// and its changing figures take at most so many samples.
const TEXT_SAMPLES: usize = 400;
/// So long must it stand,
const STANDS_MS: i64 = 24_000;
/// in so many pictures.
const PICTURES: u32 = 4;
/// Video of a still scene may repeat itself for a while (skipped blocks): who was seen to do that gets this many times as long, in percent,
const TIMES_PERCENT: i64 = 150;
/// up to this.
const LONGEST_MS: i64 = 120_000;

/// A stand of this length or more is no habit of the coding.
const HABIT_MS: i64 = 80_000;

#[derive(Debug, Clone, Default)]
pub struct Frozen {
    anchor: Vec<u8>,
    since_ms: i64,
    pictures: u32,
    /// The longest stand that ended by itself and was short enough to be the coding's, reported or not: the first ones of a camera are reported.
    natural_ms: i64,
}

impl Frozen {
    pub fn look(&mut self, at_ms: i64, picture: Rgb) -> Look {
        let now = samples(picture);
        if same(&self.anchor, &now) {
            self.pictures = self.pictures.saturating_add(1);
            return if self.pictures >= PICTURES && at_ms.saturating_sub(self.since_ms) >= self.patience_ms() {
                Look::Blind
            } else {
                Look::CannotTell
            };
        }
        let stood = at_ms.saturating_sub(self.since_ms);
        if self.pictures > 1 && stood < HABIT_MS {
            self.natural_ms = self.natural_ms.max(stood);
        }
        *self = Frozen { anchor: now, since_ms: at_ms, pictures: 1, natural_ms: self.natural_ms };
        Look::Sees
    }

    fn patience_ms(&self) -> i64 {
        (self.natural_ms.saturating_mul(TIMES_PERCENT) / 100).clamp(STANDS_MS, LONGEST_MS)
    }
}

fn samples(picture: Rgb) -> Vec<u8> {
    let place = |i: u32, n: u32, side: u32| ((2 * u64::from(i) + 1) * u64::from(side) / (2 * u64::from(n))) as u32;
    let mut out = Vec::with_capacity((COLUMNS * ROWS) as usize);
    for row in 0..ROWS {
        let y = place(row, ROWS, picture.height);
        out.extend((0..COLUMNS).map(|column| picture.luma(place(column, COLUMNS, picture.width), y)));
    }
    out
}

/// But for written text.
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let columns = COLUMNS as usize;
    let inner = TEXT_ROWS * columns..a.len().saturating_sub(TEXT_ROWS * columns);
    let changed = |range: std::ops::Range<usize>| {
        let pairs = a.get(range.clone()).unwrap_or_default().iter().zip(b.get(range).unwrap_or_default());
        pairs.filter(|(x, y)| x != y).count()
    };
    changed(inner.clone()) == 0 && changed(0..inner.start) + changed(inner.end..a.len()) <= TEXT_SAMPLES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(f: impl Fn(u32, u32) -> u8) -> Vec<u8> {
        (0..180).flat_map(|y| (0..320).map(move |x| (x, y))).flat_map(|(x, y)| [f(x, y); 3]).collect()
    }

    fn room(x: u32, y: u32) -> u8 {
        (x / 2 + y / 3) as u8
    }

    fn run(seconds: i64, step_s: i64, mut f: impl FnMut(i64, u32, u32) -> u8) -> Look {
        let mut frozen = Frozen::default();
        let mut look = Look::Sees;
        for t in (0..seconds).step_by(step_s as usize) {
            let mut bytes = Vec::new();
            for y in 0..180 {
                for x in 0..320 {
                    bytes.extend([f(t, x, y); 3]);
                }
            }
            look = frozen.look(t * 1000, Rgb { width: 320, height: 180, bytes: &bytes });
        }
        look
    }

    #[test]
    fn a_standing_picture_is_frozen_with_or_without_a_running_clock() {
        assert_eq!(run(26, 1, |_, x, y| room(x, y)), Look::Blind);
        assert_eq!(run(26, 5, |_, x, y| room(x, y)), Look::Blind, "a frame in five seconds");
        assert_eq!(
            run(30, 1, |t, x, y| if y < 14 && (8..80).contains(&x) { (t * 37 + i64::from(x * y)) as u8 } else { room(x, y) }),
            Look::Blind
        );
        assert_ne!(run(24, 1, |_, x, y| room(x, y)), Look::Blind);
    }

    #[test]
    fn one_flickering_sample_is_life() {
        assert_eq!(
            run(60, 1, |t, x, y| if (150..160).contains(&x) && (90..100).contains(&y) { (t % 7) as u8 } else { room(x, y) }),
            Look::Sees
        );
    }

    #[test]
    fn a_habit_that_was_reported_is_not_reported_for_ever() {
        let mut frozen = Frozen::default();
        let pictures: Vec<Vec<u8>> = (0..40).map(|n| picture(|x, y| room(x, y).wrapping_add(n * (u8::from(x > 100 && y > 60))))).collect();
        // Blocks of video are skipped for 40 s at a time; a frame comes every five seconds.
        let looks: Vec<(i64, Look)> = (0..1500)
            .step_by(5)
            .map(|t| (t, frozen.look(t * 1000, Rgb { width: 320, height: 180, bytes: &pictures[t as usize / 40] })))
            .collect();
        assert!(looks.iter().any(|(t, l)| *t < 40 && *l == Look::Blind));
        assert!(looks.iter().all(|(t, l)| *t < 40 || *l != Look::Blind));
    }

    #[test]
    fn who_repeats_itself_by_habit_gets_longer() {
        let mut frozen = Frozen::default();
        let pictures: Vec<Vec<u8>> = (0..20).map(|n| picture(|x, y| room(x, y).wrapping_add(n * (u8::from(x > 100 && y > 60))))).collect();
        // A new picture every 14 s only, as video of an empty room at night may do.
        for t in 0..200 {
            let bytes = &pictures[t / 14];
            assert_ne!(frozen.look(t as i64 * 1000, Rgb { width: 320, height: 180, bytes }), Look::Blind, "{t}");
        }
        let looks: Vec<Look> = (200..240).map(|t| frozen.look(t * 1000, Rgb { width: 320, height: 180, bytes: &pictures[19] })).collect();
        assert_eq!(looks[19], Look::CannotTell);
        assert_eq!(looks[39], Look::Blind);
    }
}
