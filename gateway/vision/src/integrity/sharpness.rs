//! How sharp the picture is against the learned view: its fine edges against its coarse ones, wherever the coarse ones are where they were. Light changes both
//! alike, blur and smears take the fine ones.
use std::f32::consts::FRAC_1_SQRT_2;

use super::edges::Gradients;
use super::motion::median;
use super::view::{BLOCKS_X, BLOCKS_Y, FEWEST_BLOCKS};

/// Coarse correlation above which a block shows what it did.
const SAME_BLOCK: f32 = 0.5;
/// Below this sharpness the view is looked for near by, so many cells to each side.
const DOUBTFUL: f32 = 0.75;
const NEAR: i32 = 4;
/// Directions along which it may be smeared; a block tells of one in which this share of its learned edges' strength lies.
const DIRECTIONS: [(f32, f32); 4] = [(1.0, 0.0), (FRAC_1_SQRT_2, FRAC_1_SQRT_2), (0.0, 1.0), (FRAC_1_SQRT_2, -FRAC_1_SQRT_2)];
const ALONG: f32 = 0.2;
/// and this share of its coarse ones is still there: a veil takes most of the contrast.
const TRACES: f32 = 0.2;
/// Cameras write the time along the upper or lower border, as sharp as ever behind a blurred lens: a seventh of the rows there is no part of the crispness.
const WRITTEN: usize = 7;

/// The learned view's.
#[derive(Debug, Clone)]
pub struct Detail {
    /// At full and quarter size.
    fine: Gradients,
    quarter: Gradients,
    crispness: f32,
}

/// The picture's, against it.
#[derive(Debug, Clone, Copy)]
pub struct Sharpness {
    /// Share of the blocks with structure whose coarse edges are where they were; below is what those say.
    pub kept: f32,
    /// Fine over coarse edges: 1 sharp, 0 blurred.
    pub all: f32,
    /// Four of five of those blocks stay below this.
    pub best: f32,
    /// The same as `all` along the direction in which it is least.
    pub least: f32,
    /// Correlation of the fine edges with the learned ones, -1 to 1, the middle one of those blocks: a smooth cover has coarse shapes by chance, but no more.
    pub traces: f32,
    /// The small shift at which it is sharpest, cells of full size.
    pub nudged: (i32, i32),
}

impl Detail {
    pub fn of(fine: Gradients, quarter: Gradients) -> Detail {
        // A mean over time has hardly any noise.
        Detail { crispness: crispness(&fine, &quarter, 0.0), fine, quarter }
    }

    /// Fine against coarse edges of all that is there, also of people. `noise` in levels.
    pub fn crispness(&self, fine: &Gradients, quarter: &Gradients, noise: f32) -> f32 {
        crispness(fine, quarter, noise) / self.crispness.max(0.01)
    }

    /// The gradient's projection on the learned one, in which noise averages out, fine over coarse; the middle one of the blocks that show what they did. A
    /// small shift must not pass for blur: the best of the places near by counts. `blocks` are those with structure.
    pub fn sharpness(&self, fine: &Gradients, quarter: &Gradients, blocks: &[usize]) -> Sharpness {
        let mut kept = Vec::new();
        for &block in blocks {
            let coarse = project(quarter, &self.quarter, block, (0, 0));
            // A block that someone stands in says nothing.
            if coarse.correlation() > SAME_BLOCK && coarse.own.all() > 1.0 {
                kept.push((block, coarse));
            }
        }
        let share = kept.len() as f32 / blocks.len().max(1) as f32;
        if kept.len() < FEWEST_BLOCKS.max(blocks.len() / 7) {
            return Sharpness { kept: share, all: 1.0, best: 1.0, least: 1.0, traces: 0.0, nudged: (0, 0) };
        }
        let at = |shift: (i32, i32)| {
            let ratio = |(block, coarse): &(usize, Projection)| project(fine, &self.fine, *block, shift).share() / coarse.share();
            median(&mut kept.iter().map(ratio).collect::<Vec<f32>>()).clamp(0.0, 2.0)
        };
        let mut found = (at((0, 0)), (0, 0));
        if found.0 < DOUBTFUL {
            let mut around = |(x, y): (i32, i32), far: i32, step: usize| {
                for shift in (-far..=far).step_by(step).flat_map(|dy| (-far..=far).step_by(step).map(move |dx| (x + dx, y + dy))) {
                    let here = at(shift);
                    if here > found.0 {
                        found = (here, shift);
                    }
                }
                found.1
            };
            let rough = around((0, 0), NEAR, 2);
            around(rough, 1, 1);
        }
        let fine: Vec<Projection> = kept.iter().map(|(block, _)| project(fine, &self.fine, *block, found.1)).collect();
        let along = |direction: (f32, f32)| {
            let blocks = fine.iter().zip(&kept).filter_map(|(fine, (_, coarse))| {
                let (own, own_coarse, kept) = (fine.own.along(direction), coarse.own.along(direction), coarse.both.along(direction));
                let tells = own > ALONG * fine.own.all() && own_coarse > ALONG * coarse.own.all() && kept > TRACES * own_coarse;
                (tells && own > 1.0).then(|| fine.both.along(direction) / own / (kept / own_coarse))
            });
            let mut blocks: Vec<f32> = blocks.collect();
            if blocks.len() < FEWEST_BLOCKS { 1.0 } else { median(&mut blocks).clamp(0.0, 2.0) }
        };
        let least = DIRECTIONS.into_iter().map(along).fold(1.0, f32::min);
        let mut shares: Vec<f32> = fine.iter().zip(&kept).map(|(fine, (_, coarse))| fine.share() / coarse.share()).collect();
        shares.sort_unstable_by(f32::total_cmp);
        let best = shares.get(shares.len() * 4 / 5).copied().unwrap_or(1.0);
        let traces = median(&mut fine.iter().map(Projection::correlation).collect::<Vec<f32>>());
        Sharpness { kept: share, all: found.0, best, least, traces, nudged: found.1 }
    }
}

/// Sums of products of two gradients: across, down, and both mixed.
#[derive(Debug, Clone, Copy, Default)]
struct Products {
    xx: f32,
    yy: f32,
    xy: f32,
}

impl Products {
    fn add(&mut self, (ax, ay): (f32, f32), (bx, by): (f32, f32)) {
        self.xx += ax * bx;
        self.yy += ay * by;
        self.xy += ax * by + ay * bx;
    }
    fn all(self) -> f32 {
        self.xx + self.yy
    }
    /// Of the gradients' parts in this direction only.
    fn along(self, (x, y): (f32, f32)) -> f32 {
        x * x * self.xx + y * y * self.yy + x * y * self.xy
    }
}

/// One block's gradient held against the learned one.
#[derive(Debug, Clone, Copy, Default)]
struct Projection {
    both: Products,
    /// The learned one with itself.
    own: Products,
    /// The picture's with itself.
    its: f32,
}

impl Projection {
    /// Of the learned one, how much is there.
    fn share(&self) -> f32 {
        self.both.all() / self.own.all().max(1.0)
    }
    fn correlation(&self) -> f32 {
        self.both.all() / (self.own.all() * self.its).sqrt().max(f32::MIN_POSITIVE)
    }
}

/// How strong the fine edges are against the coarse ones, without what the noise adds: Sobel's operator lets through 0.43 of it each way.
fn crispness(fine: &Gradients, quarter: &Gradients, noise: f32) -> f32 {
    let energy = |g: &Gradients, noise: f32| {
        let written = g.height / WRITTEN * g.width;
        let inner = written..g.x.len().saturating_sub(written).max(written);
        let (Some(x), Some(y)) = (g.x.get(inner.clone()), g.y.get(inner)) else { return 0.0 };
        let sum: f32 = x.iter().zip(y).map(|(x, y)| x * x + y * y).sum();
        (sum / x.len().max(1) as f32 - 2.0 * (0.43 * noise).powi(2)).max(0.0)
    };
    (energy(fine, noise) / energy(quarter, noise / 4.0).max(0.01)).sqrt()
}

/// Over one block, the learned gradient `shift`ed.
fn project(now: &Gradients, then: &Gradients, block: usize, (dx, dy): (i32, i32)) -> Projection {
    let mut sums = Projection::default();
    let (bx, by) = (block % BLOCKS_X, block / BLOCKS_X);
    let (x0, x1) = (bx * then.width / BLOCKS_X, (bx + 1) * then.width / BLOCKS_X);
    // What would lie outside is left out.
    let (from, to) = (x0.max(usize::try_from(-dx).unwrap_or(0)), x1.min(now.width.saturating_sub(usize::try_from(dx).unwrap_or(0))));
    for y in by * then.height / BLOCKS_Y..(by + 1) * then.height / BLOCKS_Y {
        let Some(there) = usize::try_from(y as i32 + dy).ok().filter(|y| *y < now.height) else { continue };
        let Ok(start) = usize::try_from((there * now.width + from) as i32 + dx) else { continue };
        let (a, b) = (y * then.width + from..y * then.width + to, start..start + to.saturating_sub(from));
        let (Some(tx), Some(ty), Some(nx), Some(ny)) = (then.x.get(a.clone()), then.y.get(a), now.x.get(b.clone()), now.y.get(b)) else {
            continue;
        };
        for (((tx, ty), nx), ny) in tx.iter().zip(ty).zip(nx).zip(ny) {
            sums.both.add((*nx, *ny), (*tx, *ty));
            sums.own.add((*tx, *ty), (*tx, *ty));
            sums.its += nx * nx + ny * ny;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::reference::{HEIGHT, WIDTH};
    use super::super::view::halved;
    use super::*;

    fn room() -> Vec<f32> {
        (0..WIDTH * HEIGHT).map(|i| 60.0 + 70.0 * (((i % WIDTH) / 9 + (i / WIDTH) / 7) % 2) as f32 + (i % WIDTH) as f32 / 4.0).collect()
    }

    /// Means of `2 * across + 1` by `2 * down + 1` cells.
    fn blurred(cells: &[f32], across: usize, down: usize) -> Vec<f32> {
        let at = |x: usize, y: usize| cells[y.clamp(0, HEIGHT - 1) * WIDTH + x.clamp(0, WIDTH - 1)];
        let mean = |x: usize, y: usize| {
            let all = (0..=2 * down).flat_map(|v| (0..=2 * across).map(move |u| (u, v)));
            let sum: f32 = all.map(|(u, v)| at((x + u).saturating_sub(across), (y + v).saturating_sub(down))).sum();
            sum / ((2 * across + 1) * (2 * down + 1)) as f32
        };
        (0..WIDTH * HEIGHT).map(|i| mean(i % WIDTH, i / WIDTH)).collect()
    }

    /// Figures along the upper border.
    fn written(mut cells: Vec<f32>) -> Vec<f32> {
        for y in 2..8 {
            for x in (4..60).filter(|x| (x / 2 + y / 3) % 2 == 0) {
                cells[y * WIDTH + x] = 250.0;
            }
        }
        cells
    }

    fn gradients(cells: &[f32]) -> (Gradients, Gradients) {
        let quarter = halved(&halved(cells, WIDTH, HEIGHT), WIDTH / 2, HEIGHT / 2);
        (Gradients::of(cells, WIDTH, HEIGHT), Gradients::of(&quarter, WIDTH / 4, HEIGHT / 4))
    }

    fn held(picture: &[f32]) -> (Sharpness, f32) {
        let (fine, quarter) = gradients(&room());
        let learned = Detail::of(fine, quarter);
        let (fine, quarter) = gradients(picture);
        let blocks: Vec<usize> = (0..BLOCKS_X * BLOCKS_Y).collect();
        (learned.sharpness(&fine, &quarter, &blocks), learned.crispness(&fine, &quarter, 0.0))
    }

    #[test]
    fn the_same_room_in_less_light_is_as_sharp() {
        let dim: Vec<f32> = room().iter().map(|v| v * 0.4).collect();
        let (s, crispness) = held(&dim);
        assert!(s.kept > 0.99 && s.all > 0.98 && s.best > 0.98 && s.traces > 0.98 && crispness > 0.98, "{s:?}, {crispness}");
    }

    #[test]
    fn blur_leaves_nothing_sharp_and_what_the_camera_writes_does_not_hide_it() {
        let (s, crispness) = held(&written(blurred(&room(), 2, 2)));
        assert!(s.kept > 0.9 && s.all < 0.6 && s.best < 0.8 && s.traces > 0.3 && crispness < 0.7, "{s:?}, {crispness}");
        assert_eq!(held(&blurred(&room(), 2, 2)).1, crispness);
    }

    #[test]
    fn a_wipe_is_least_sharp_along_its_direction() {
        let (s, _) = held(&blurred(&room(), 3, 0));
        assert!(s.least < 0.6 && s.least < s.all, "{s:?}");
    }

    #[test]
    fn half_a_room_that_is_covered_is_sharp_where_it_is_seen() {
        let mut half = room();
        half.iter_mut().enumerate().filter(|(i, _)| i % WIDTH < WIDTH / 2).for_each(|(_, v)| *v = 40.0);
        let (s, _) = held(&half);
        assert!(s.kept < 0.6 && s.best > 0.9, "{s:?}");
    }

    #[test]
    fn sizes_that_do_not_fit_are_blind_to_nothing() {
        let none = Gradients::of(&[], 0, 0);
        let (fine, quarter) = gradients(&room());
        let s = Detail::of(fine, quarter).sharpness(&none, &none, &[0, 39, 99]);
        assert!(s.kept == 0.0 && s.all == 1.0);
    }
}
