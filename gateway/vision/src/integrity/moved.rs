//! The camera looks elsewhere than it did: the learned edges are found shifted or turned, all of them together. People move a part of the picture, never the
//! whole.
use super::Blindness;
use super::covered::{FEW, LOST};
use super::edges::{Directions, Edge, agreement, turned};
use super::view::{AGREES, Elsewhere, HEIGHT, Measures, WIDTH};

/// A view that agrees so well in place is not looked for elsewhere.
const IN_PLACE: f32 = 0.75;
/// How far it is looked for, in cells of quarter size: 30 % of the width and of the height.
const FAR_X: i32 = 12;
const FAR_Y: i32 = 7;
/// It may be turned, by these degrees,
const ANGLES: [f32; 14] = [-25.0, -19.0, -14.0, -10.0, -7.0, -4.5, -2.5, 2.5, 4.5, 7.0, 10.0, 14.0, 19.0, 25.0];
/// and shifted besides by so much.
const TURNED_FAR: i32 = 3;
/// So much of the learned edges must lie within the picture.
const WITHIN: f32 = 0.4;
/// It has moved when it agrees so well elsewhere, and by so much better than in place,
const FOUND: f32 = 0.35;
const BETTER: f32 = 0.11;
/// and is at least so far off, in cells of half size (1.25 % of the width each), or turned.
const OFF: i32 = 2;
/// while no more than this share of the blocks is still found where it was, by so much better than there: behind a crowd the rest of the view agrees elsewhere
/// by chance, but what is seen of it is in place.
const STAY: f32 = 0.15;
const CLEARLY: f32 = 0.1;
/// Or it is this sharp again when shifted by a cell more than that, of full size.
const SHARP: f32 = 0.75;
/// but not when the picture has so many times the edges of the learned view: it is full of people, and what is left of the view agrees by chance.
const CROWD: f32 = 2.0;
/// Another view: so many blocks are lost, so little agrees in place, and some other place agrees by chance as well as that. A crowd hides as much now and
/// then, but what it leaves agrees best in place.
const GONE: f32 = 0.6;
const LITTLE: f32 = 0.22;
const AS_WELL: f32 = 0.02;
/// Or nearly all is lost and nothing agrees anywhere.
const ALL: f32 = 0.75;
const NOTHING: f32 = 0.12;

/// Where the view is looked for: the learned edges and the picture's, at half and at quarter size.
pub struct Search<'a> {
    /// By block, at half size.
    pub blocks: &'a [Option<Vec<Edge>>],
    pub half: &'a [Edge],
    pub quarter: &'a [Edge],
    pub half_now: &'a Directions,
    pub quarter_now: &'a Directions,
}

impl Search<'_> {
    /// Where the edges agree best. First roughly, at quarter size. `None`: they are in place.
    pub fn find(&self, in_place: f32) -> Option<Elsewhere> {
        if in_place >= IN_PLACE {
            return None;
        }
        let mut rough = (0, 0, 0.0, -1.0);
        let mut seek = |edges: &[Edge], degrees: f32, far_x: i32, far_y: i32| {
            for (dx, dy) in (-far_y..=far_y).flat_map(|dy| (-far_x..=far_x).map(move |dx| (dx, dy))) {
                if let Some(found) = agreement(edges, self.quarter_now, dx, dy, WITHIN)
                    && found > rough.3
                {
                    rough = (dx, dy, degrees, found);
                }
            }
        };
        seek(self.quarter, 0.0, FAR_X, FAR_Y);
        for degrees in ANGLES {
            seek(&turned(self.quarter, degrees, WIDTH / 2, HEIGHT / 2), degrees, TURNED_FAR, TURNED_FAR);
        }
        let (x, y, degrees, _) = rough;
        let edges = if degrees == 0.0 { self.half.to_vec() } else { turned(self.half, degrees, WIDTH, HEIGHT) };
        let mut best = (0, 0, 0.0, in_place);
        for (dx, dy) in (2 * y - 2..=2 * y + 2).flat_map(|dy| (2 * x - 2..=2 * x + 2).map(move |dx| (dx, dy))) {
            if let Some(found) = agreement(&edges, self.half_now, dx, dy, WITHIN)
                && found > best.3
            {
                best = (dx, dy, degrees, found);
            }
        }
        let (dx, dy, degrees, agreement) = best;
        let stays = stays(self.blocks, self.half_now, dx, dy, degrees);
        Some(Elsewhere { dx, dy, degrees, agreement, stays })
    }
}

/// Share of the blocks with structure whose edges are found where they were, and less well when shifted and turned like this: what a camera that has moved
/// leaves by chance only.
pub fn stays(blocks: &[Option<Vec<Edge>>], now: &Directions, dx: i32, dy: i32, degrees: f32) -> f32 {
    let (mut all, mut stay) = (0u32, 0u32);
    for block in blocks.iter().flatten() {
        let here = agreement(block, now, 0, 0, 0.0).unwrap_or(0.0);
        let there = agreement(&turned(block, degrees, WIDTH, HEIGHT), now, dx, dy, WITHIN).unwrap_or(0.0);
        all += 1;
        stay += u32::from(here > AGREES && here > there + CLEARLY);
    }
    stay as f32 / all.max(1) as f32
}

pub fn look(m: &Measures) -> Option<Blindness> {
    let elsewhere = |better: f32, at_least: f32| {
        m.elsewhere.is_some_and(|e| {
            let off = e.dx.abs() >= OFF || e.dy.abs() >= OFF || e.degrees != 0.0;
            off && e.agreement >= at_least && e.agreement >= m.in_place + better
        })
    };
    let far = elsewhere(BETTER, FOUND) && m.elsewhere.is_some_and(|e| e.stays < STAY);
    // A small shift, seen at full size.
    let near =
        m.nudged_stays < STAY && m.texture_share < CROWD && m.sharpness > SHARP && (m.nudged.0.abs() > OFF || m.nudged.1.abs() > OFF);
    let gone = m.lost >= GONE && m.in_place < LITTLE && elsewhere(AS_WELL, 0.0) || m.lost >= ALL && m.in_place < NOTHING;
    // What has next to no edges of its own is no view.
    let view = m.lost < LOST || m.replaced >= FEW;
    (m.known && view && (far || near || gone)).then_some(Blindness::Moved)
}
