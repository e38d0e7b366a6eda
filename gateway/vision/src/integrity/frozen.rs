//! The same picture though time passes. A live sensor has noise: even in a dark, still room some sample differs from second to second. A picture that stands
//! has none, but the clock that the camera writes along its upper or lower border may go on.
use super::Context;
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
/// Outside care hours, in the dark, so long: what little noise such a picture has is the first that video leaves out.
const AT_NIGHT_MS: i64 = 300_000;
/// Dark is a picture without colour (infrared), or one of less mean brightness than this: the exposure brings what is lit to about 100.
const DARK: f32 = 64.0;
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
    /// The anchor is dark.
    dark: bool,
    /// The longest stand that ended by itself and was short enough to be the coding's, reported or not: the first ones of a camera are reported. In the light,
    /// and in the dark: what is habit at night excuses nothing by day.
    natural_ms: [i64; 2],
}

impl Frozen {
    pub fn look(&mut self, at_ms: i64, picture: Rgb, context: Context) -> Look {
        let now = samples(picture);
        let stood = at_ms.saturating_sub(self.since_ms);
        if same(&self.anchor, &now) {
            self.pictures = self.pictures.saturating_add(1);
            return if self.pictures >= PICTURES && stood >= self.patience_ms(context) { Look::Blind } else { Look::CannotTell };
        }
        if self.pictures > 1 && stood < HABIT_MS {
            let natural = &mut self.natural_ms[usize::from(self.dark)];
            *natural = stood.max(*natural);
        }
        let dark = !picture.coloured() || mean(&now) < DARK;
        *self = Frozen { anchor: now, since_ms: at_ms, pictures: 1, dark, natural_ms: self.natural_ms };
        Look::Sees
    }

    fn patience_ms(&self, context: Context) -> i64 {
        if self.dark && !context.care_hours {
            return AT_NIGHT_MS;
        }
        (self.natural_ms[usize::from(self.dark)].saturating_mul(TIMES_PERCENT) / 100).clamp(STANDS_MS, LONGEST_MS)
    }
}

fn mean(samples: &[u8]) -> f32 {
    samples.iter().map(|v| f32::from(*v)).sum::<f32>() / samples.len().max(1) as f32
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

    const CARE: Context = Context { care_hours: true, nap: false };

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
            look = frozen.look(t * 1000, Rgb { width: 320, height: 180, bytes: &bytes }, CARE);
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
            .map(|t| (t, frozen.look(t * 1000, Rgb { width: 320, height: 180, bytes: &pictures[t as usize / 40] }, CARE)))
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
            assert_ne!(frozen.look(t as i64 * 1000, Rgb { width: 320, height: 180, bytes }, CARE), Look::Blind, "{t}");
        }
        let looks: Vec<Look> =
            (200..240).map(|t| frozen.look(t * 1000, Rgb { width: 320, height: 180, bytes: &pictures[19] }, CARE)).collect();
        assert_eq!(looks[19], Look::CannotTell);
        assert_eq!(looks[39], Look::Blind);
    }

    #[test]
    fn at_night_the_dark_may_stand_for_minutes_and_excuses_nothing_by_day() {
        let night = Context { care_hours: false, nap: false };
        let (lit, dim) = (picture(|x, y| 80 + room(x, y) / 4), picture(|x, y| room(x, y) / 8));
        let tinted = |grey: &[u8]| -> Vec<u8> { grey.chunks_exact(3).flat_map(|p| [p[0] + 4, p[1], p[2].saturating_sub(4)]).collect() };
        let first = |bytes: &[u8], context: Context, frozen: &mut Frozen, from: i64| {
            (0..400).find(|t| frozen.look((from + t) * 1000, Rgb { width: 320, height: 180, bytes }, context) == Look::Blind)
        };
        assert_eq!(first(&tinted(&lit), night, &mut Frozen::default(), 0), Some(24), "a lit room");
        for dark in [lit.clone(), tinted(&dim)] {
            assert_eq!(first(&dark, night, &mut Frozen::default(), 0), Some(300));
            assert_eq!(first(&dark, CARE, &mut Frozen::default(), 0), Some(24), "in care hours");
        }
        let mut frozen = Frozen::default();
        for t in 0..10 {
            // A stand of a minute in the dark is its habit.
            let dark = picture(|x, y| room(x, y) / 8 + (t % 2) as u8);
            for s in 0..60 {
                frozen.look((t * 60 + s) * 1000, Rgb { width: 320, height: 180, bytes: &dark }, night);
            }
        }
        assert_eq!(first(&tinted(&lit), CARE, &mut frozen, 600), Some(24));
    }
}
