//! Measures the picture against the learned view, and names what is wrong with it. What is measured is in [`Measures`]; each kind's rule over it is in its
//! own file.
use serde::Serialize;

use super::edges::{self, Edge, Gradients};
use super::luma::Luma;
use super::motion::median;
use super::reference::{self, Learnt, Reference};
use super::sharpness::{Detail, Sharpness};
use super::{Blindness, Context, covered, exposure, focus, moved};

/// Blocks across and down: a person at some distance fills a few of them.
pub const BLOCKS_X: usize = 8;
pub const BLOCKS_Y: usize = 5;
const BLOCKS: usize = BLOCKS_X * BLOCKS_Y;
/// Half and quarter of the reference's size.
pub const WIDTH: usize = reference::WIDTH / 2;
pub const HEIGHT: usize = reference::HEIGHT / 2;
/// A block needs so many edge cells to say anything.
const EDGES_A_BLOCK: usize = 10;
/// With fewer blocks the view has too little structure to be recognised by.
pub const FEWEST_BLOCKS: usize = 4;
/// A block whose edges agree by more than this shows what it did: by chance they agree by 0.
pub const AGREES: f32 = 0.35;
/// A block is lost when nobody walking through can be the cause: so long.
const LOST_MS: i64 = 6_000;
/// Edges below this, in levels a cell, are the compression's.
const FLOOR: f32 = 0.35;
/// Brightness at which a cell is burnt out.
const CLIPPED: u8 = 247;
/// In the dark fewer blocks than this share must be lost before a blind camera is believed to see again.
const FOUND_AGAIN: f32 = 0.5;
/// The edges that are looked for elsewhere.
const SEARCHED: usize = 450;
const SEARCHED_COARSE: usize = 150;

/// What one picture is like, beside the learned view.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measures {
    /// Mean brightness, 0 to 255, and its range without the extreme 2 % at either end.
    pub mean: f32,
    pub range: f32,
    /// Share of burnt-out cells.
    pub clipped: f32,
    /// What a cell differs by from picture to picture without cause, levels.
    pub noise: f32,
    /// Edges that stand out of the noise, levels a cell, mean.
    pub texture: f32,
    /// All below is 0 without a learned view.
    pub known: bool,
    /// `texture` against that of the learned view.
    pub texture_share: f32,
    /// Share of blocks that have shown nothing of the learned view for some seconds.
    pub lost: f32,
    /// Edges in those lost blocks, against the learned ones there: something close has few, another view has its own.
    pub replaced: f32,
    /// Agreement of all edges at a quarter of the resolution: what blur leaves.
    pub coarse_agreement: f32,
    /// Agreement of all edges in place, -1 to 1.
    pub in_place: f32,
    /// The coarse distribution of light against the learned one: correlation, -1 to 1.
    pub light: f32,
    /// Share of blocks whose coarse edges are where they were, now.
    pub kept: f32,
    /// Fine against coarse edges where the view agrees, over the same in the learned view: 1 sharp, 0 blurred.
    pub sharpness: f32,
    /// Four of five of the kept blocks stay below this sharpness.
    pub sharpest: f32,
    /// Correlation of the fine edges with the learned ones in the kept blocks, -1 to 1, the middle one.
    pub traces: f32,
    /// Fine against coarse edges of all that is there, also of people, over the same in the learned view; without the borders, where cameras write.
    pub crispness: f32,
    /// The same along the one direction in which it is least, of blocks that show edges in it: what wipes and smears take away.
    pub smeared: f32,
    /// The small shift at which it is sharpest, cells of full size.
    pub nudged: (i32, i32),
    /// Share of blocks that are found in place and not so well when nudged.
    pub nudged_stays: f32,
    /// Where the edges are found best. `None`: not looked for, all is in place.
    pub elsewhere: Option<Elsewhere>,
    /// Traces of the view in the dark, summed over time.
    pub trace: f32,
}

/// Where else the view's edges are found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Elsewhere {
    /// Cells to the right and down, at half size.
    pub dx: i32,
    pub dy: i32,
    /// Clockwise as seen.
    pub degrees: f32,
    /// Agreement of all edges there, -1 to 1.
    pub agreement: f32,
    /// Share of blocks that are found in place and not so well there.
    pub stays: f32,
}

/// Derived from the reference; made anew when it has changed.
#[derive(Debug, Clone)]
struct Learned {
    edges: Vec<Edge>,
    thin: Vec<Edge>,
    /// Edges by block, of blocks that have enough.
    blocks: Vec<Option<Vec<Edge>>>,
    coarse: Vec<Edge>,
    thin_coarse: Vec<Edge>,
    detail: Detail,
    texture: f32,
    textures: [f32; BLOCKS],
    light: Vec<f32>,
    /// Numbers of those blocks.
    informative: Vec<usize>,
}

#[derive(Debug, Clone)]
pub struct View {
    /// Of the view in colour and of that without, and when it was made.
    learned: [Option<(Learned, i64)>; 2],
    /// The camera sends colour; and in so many pictures now the contrary was seen.
    colour: bool,
    otherwise: u32,
    last: Option<Luma>,
    last_ms: i64,
    /// Levels that a cell differs by without cause.
    noise: f32,
    seen_ms: [i64; BLOCKS],
    /// Pictures summed while it is dark, how many, and their range: when that changes, something else has happened.
    dark: Option<(Vec<f32>, u32, f32)>,
    pub measures: Measures,
}

impl Default for View {
    fn default() -> Self {
        View {
            learned: [None, None],
            colour: true,
            otherwise: 0,
            last: None,
            last_ms: 0,
            noise: 1.0,
            seen_ms: [i64::MIN; BLOCKS],
            dark: None,
            measures: Measures::default(),
        }
    }
}

/// So many pictures with or without colour in a row are a change of it.
const OTHERWISE: u32 = 2;
/// Agreement in place from which on a view in other light is the same view.
const STILL_THERE: f32 = 0.25;
/// The learned view is taken up anew after so long.
const REMAKE_MS: i64 = 60_000;
/// The learned view follows the light with this time constant,
const FOLLOW_MS: f32 = 600_000.0;
/// but much faster while it is new: a camera that has just been switched on finds its exposure first.
const NEW_RATE: f32 = 0.1;
const SETTLED: u32 = 30;
/// Nothing is compared with it before it has been learned from so many.
const LEARNED: u32 = 10;

/// What is wrong with the picture itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Blind(Blindness),
    Sees,
    CannotTell,
}

impl View {
    /// `picture` is of the reference's size. `blind`: it is believed not to see; in the dark more must be seen then before that is taken back.
    pub fn look(
        &mut self,
        at_ms: i64,
        picture: &Luma,
        coloured: bool,
        reference: &mut Reference,
        context: Context,
        blind: bool,
    ) -> Verdict {
        let elapsed_ms = at_ms.saturating_sub(self.last_ms).clamp(0, 10_000);
        self.last_ms = at_ms;
        self.follow_noise(picture);
        self.last = Some(picture.clone());
        self.follow_colour(at_ms, picture, coloured, reference.is_empty());
        for (learned, learnt) in self.learned.iter_mut().zip([&reference.colour, &reference.grey]) {
            let learnt = learnt.as_ref().filter(|r| r.pictures() >= LEARNED);
            *learned = match (learned.take(), learnt) {
                (Some((l, made)), Some(r)) if at_ms.saturating_sub(made) < REMAKE_MS && r.pictures() >= SETTLED => Some((l, made)),
                (_, Some(r)) => Some((Learned::of(r), at_ms)),
                (_, None) => None,
            };
        }
        // A camera that changes to infrared for the first time is held against its view in colour until it is known how the room looks then.
        let (mine, other) = if self.colour { (0, 1) } else { (1, 0) };
        let borrowed = self.learned[mine].is_none();
        let against = if borrowed { other } else { mine };
        let learned = self.learned[against].take();
        self.measure(at_ms, picture, learned.as_ref().map(|(l, _)| l));
        self.learned[against] = learned;
        let m = &self.measures;
        let verdict = exposure::look(m)
            .or_else(|| covered::black(m, context))
            .or_else(|| moved::look(m))
            .or_else(|| focus::look(m))
            .or_else(|| covered::look(m));
        let unclear = if m.known { blind && m.mean < exposure::DARK && m.lost >= FOUND_AGAIN } else { m.texture <= covered::SOME_TEXTURE };
        let otherwise_lit = borrowed && (verdict != Some(Blindness::Covered) || m.in_place >= STILL_THERE);
        let verdict = match verdict {
            Some(Blindness::Moved | Blindness::Defocused | Blindness::Covered) if otherwise_lit => Verdict::Sees,
            Some(kind) => Verdict::Blind(kind),
            None if unclear => Verdict::CannotTell,
            None => Verdict::Sees,
        };
        if verdict == Verdict::Sees {
            let learnt = if self.colour { &mut reference.colour } else { &mut reference.grey };
            match learnt {
                Some(r) => {
                    let new = if r.pictures() < SETTLED { NEW_RATE.max(1.0 / (r.pictures() as f32 + 1.0)) } else { 0.0 };
                    r.follow(picture, new.max(elapsed_ms as f32 / FOLLOW_MS));
                }
                None => *learnt = Learnt::of(picture),
            }
        }
        verdict
    }

    /// Black and burnt-out pictures have no colour in any light.
    fn follow_colour(&mut self, at_ms: i64, picture: &Luma, coloured: bool, first: bool) {
        let mean = picture.mean();
        if !(exposure::DARK..=255.0 - exposure::DARK).contains(&mean) {
            return;
        }
        self.otherwise = if coloured == self.colour { 0 } else { self.otherwise.saturating_add(1) };
        if self.otherwise >= OTHERWISE || first && self.otherwise > 0 {
            self.colour = coloured;
            self.otherwise = 0;
            self.seen_ms = [at_ms; BLOCKS];
        }
    }

    pub fn forget(&mut self) {
        *self = View::default();
    }

    fn follow_noise(&mut self, picture: &Luma) {
        let Some(last) = &self.last else { return };
        // Halves of both: a walker fills less than half of the picture.
        let mut differences: Vec<f32> =
            last.data.iter().zip(&picture.data).step_by(3).map(|(a, b)| f32::from(*b) - f32::from(*a)).collect();
        let middle = median(&mut differences);
        differences.iter_mut().for_each(|d| *d = (*d - middle).abs());
        let limit = 3.0 * median(&mut differences) + 2.0;
        let (sum, n) = differences.iter().filter(|d| **d <= limit).fold((0.0, 0u32), |(s, n), d| (s + d, n + 1));
        // Mean of |a - b| is 1.13 standard deviations of a.
        let now = sum / n.max(1) as f32 / 1.13;
        self.noise += 0.2 * (now - self.noise);
    }

    fn measure(&mut self, at_ms: i64, picture: &Luma, learned: Option<&Learned>) {
        let cells: Vec<f32> = picture.data.iter().map(|v| f32::from(*v)).collect();
        let half = halved(&cells, reference::WIDTH, reference::HEIGHT);
        let gradients = Gradients::of(&half, WIDTH, HEIGHT);
        // Sobel's operator lets through 0.43 of the noise, the mean of four cells half of it.
        let gradient_noise = (2.5 * 0.43 * 0.5 * self.noise).max(FLOOR);
        let mut sorted = half.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let at = |share: f32| sorted.get((share * sorted.len() as f32) as usize).copied().unwrap_or(0.0);
        let mut m = Measures {
            mean: picture.mean(),
            noise: self.noise,
            range: at(0.98) - at(0.02),
            clipped: picture.data.iter().filter(|v| **v >= CLIPPED).count() as f32 / picture.data.len().max(1) as f32,
            texture: gradients.mean_size_above(gradient_noise),
            ..Measures::default()
        };
        if let Some(learned) = learned.filter(|l| l.informative.len() >= FEWEST_BLOCKS) {
            m.known = true;
            m.texture_share = m.texture / learned.texture.max(0.01);
            let directions = gradients.directions(gradient_noise);
            m.in_place = edges::agreement(&learned.edges, &directions, 0, 0, 0.0).unwrap_or(0.0);
            for (block, seen) in learned.blocks.iter().zip(&mut self.seen_ms) {
                let agrees = block.as_ref().and_then(|b| edges::agreement(b, &directions, 0, 0, 0.0)).is_some_and(|a| a > AGREES);
                if agrees || *seen == i64::MIN || *seen > at_ms {
                    *seen = at_ms;
                }
            }
            let informative = learned.blocks.iter().zip(&self.seen_ms).enumerate().filter(|(_, (b, _))| b.is_some());
            let lost: Vec<usize> = informative.filter(|(_, (_, seen))| at_ms.saturating_sub(**seen) >= LOST_MS).map(|(b, _)| b).collect();
            m.lost = lost.len() as f32 / learned.informative.len() as f32;
            let textures = block_textures(&gradients, gradient_noise);
            let sum = |of: &[f32; BLOCKS]| lost.iter().map(|b| of[*b]).sum::<f32>();
            m.replaced = sum(&textures) / sum(&learned.textures).max(1.0);
            let quarter_cells = halved(&half, WIDTH, HEIGHT);
            let quarter = Gradients::of(&quarter_cells, WIDTH / 2, HEIGHT / 2);
            let quarter_directions = quarter.directions(gradient_noise * 0.5);
            m.coarse_agreement = edges::agreement(&learned.coarse, &quarter_directions, 0, 0, 0.0).unwrap_or(0.0);
            m.light = correlation(&light(&quarter_cells), &learned.light);
            let fine = Gradients::of(&cells, reference::WIDTH, reference::HEIGHT);
            m.crispness = learned.detail.crispness(&fine, &quarter, self.noise);
            Sharpness { kept: m.kept, all: m.sharpness, best: m.sharpest, least: m.smeared, traces: m.traces, nudged: m.nudged } =
                learned.detail.sharpness(&fine, &quarter, &learned.informative);
            let half_of = |cells: i32| (cells as f32 / 2.0).round() as i32;
            m.nudged_stays = match m.nudged {
                (0, 0) => 0.0,
                (dx, dy) => moved::stays(&learned.blocks, &directions, half_of(dx), half_of(dy), 0.0),
            };
            let search = moved::Search {
                blocks: &learned.blocks,
                half: &learned.thin,
                quarter: &learned.thin_coarse,
                half_now: &directions,
                quarter_now: &quarter_directions,
            };
            m.elsewhere = search.find(m.in_place);
            self.dark = match self.dark.take() {
                _ if m.mean > exposure::DARK => None,
                Some((mut sum, n, range)) if m.range > range / 2.0 && m.range < range * 2.0 + 1.0 => {
                    sum.iter_mut().zip(&half).for_each(|(s, h)| *s += h);
                    Some((sum, n.saturating_add(1), range))
                }
                _ => Some((half, 1, m.range)),
            };
            if let Some((sum, n, _)) = &self.dark {
                let mean: Vec<f32> = sum.iter().map(|s| s / *n as f32).collect();
                let noise = (0.43 * 0.5 * self.noise / (*n as f32).sqrt()).max(0.05);
                let directions = Gradients::of(&mean, WIDTH, HEIGHT).directions(noise);
                m.trace = edges::agreement(&learned.edges, &directions, 0, 0, 0.0).unwrap_or(0.0);
            }
        }
        self.measures = m;
    }
}

impl Learned {
    fn of(reference: &Learnt) -> Learned {
        let half = halved(reference.cells(), reference::WIDTH, reference::HEIGHT);
        let quarter_cells = halved(&half, WIDTH, HEIGHT);
        let gradients = Gradients::of(&half, WIDTH, HEIGHT);
        let quarter = Gradients::of(&quarter_cells, WIDTH / 2, HEIGHT / 2);
        let edges = edges::edges(&gradients);
        let coarse = edges::edges(&quarter);
        let mut blocks: Vec<Vec<Edge>> = vec![Vec::new(); BLOCKS];
        for e in &edges {
            let (bx, by) = (e.x as usize * BLOCKS_X / WIDTH, e.y as usize * BLOCKS_Y / HEIGHT);
            if let Some(block) = blocks.get_mut(by * BLOCKS_X + bx) {
                block.push(*e);
            }
        }
        let blocks: Vec<Option<Vec<Edge>>> = blocks.into_iter().map(|b| (b.len() >= EDGES_A_BLOCK).then_some(b)).collect();
        let fine = Gradients::of(reference.cells(), reference::WIDTH, reference::HEIGHT);
        Learned {
            thin: edges::thinned(&edges, SEARCHED),
            thin_coarse: edges::thinned(&coarse, SEARCHED_COARSE),
            coarse,
            informative: (0..BLOCKS).filter(|b| blocks[*b].is_some()).collect(),
            blocks,
            texture: gradients.mean_size_above(FLOOR),
            textures: block_textures(&gradients, FLOOR),
            light: light(&quarter_cells),
            detail: Detail::of(fine, quarter),
            edges,
        }
    }
}

pub fn halved(cells: &[f32], width: usize, height: usize) -> Vec<f32> {
    let (w, h) = (width / 2, height / 2);
    let mut out = Vec::with_capacity(w * h);
    for y in 0..h {
        for x in 0..w {
            let at = 2 * y * width + 2 * x;
            out.push((cells[at] + cells[at + 1] + cells[at + width] + cells[at + width + 1]) / 4.0);
        }
    }
    out
}

/// Edges above `floor` in each block, sum.
fn block_textures(gradients: &Gradients, floor: f32) -> [f32; BLOCKS] {
    let mut out = [0.0; BLOCKS];
    for at in 0..gradients.x.len() {
        let block = at / WIDTH * BLOCKS_Y / HEIGHT * BLOCKS_X + at % WIDTH * BLOCKS_X / WIDTH;
        if let Some(sum) = out.get_mut(block) {
            *sum += (gradients.size(at) - floor).max(0.0);
        }
    }
    out
}

/// Brightness of a tenth of the cells along each side, from the quarter-size picture, without the rows at the border: cameras write there.
fn light(quarter: &[f32]) -> Vec<f32> {
    let (width, height) = (WIDTH / 2, HEIGHT / 2);
    let mut out = Vec::new();
    for y in 1..(height / 4).saturating_sub(1) {
        for x in 0..width / 4 {
            let sum: f32 = (0..16).map(|i| quarter[(4 * y + i / 4) * width + 4 * x + i % 4]).sum();
            out.push(sum / 16.0);
        }
    }
    out
}

/// 0 where one of them is even: differences of a fifth of a level are the coding's.
fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len()).max(1) as f32;
    let (ma, mb) = (a.iter().sum::<f32>() / n, b.iter().sum::<f32>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - ma) * (y - mb);
        aa += (x - ma) * (x - ma);
        bb += (y - mb) * (y - mb);
    }
    if aa.min(bb) > 0.04 * n { ab / (aa * bb).sqrt() } else { 0.0 }
}
