//! The camera looks elsewhere than it did: the learned edges are found shifted or turned, all of them together. People move a part of the picture, never the
//! whole.
use super::Blindness;
use super::edges::{Directions, Edge, agreement, turned};
use super::view::{HEIGHT, Measures, WIDTH};

/// A view that agrees so well in place is not looked for elsewhere.
const IN_PLACE: f32 = 0.75;
/// How far it is looked for, in cells of half size: 30 % of the width and of the height.
const FAR_X: i32 = 24;
const FAR_Y: i32 = 13;
/// Only when little agrees in place it may be turned, by these degrees,
const TURNED: f32 = 0.55;
const ANGLES: [f32; 14] = [-25.0, -19.0, -14.0, -10.0, -7.0, -4.5, -2.5, 2.5, 4.5, 7.0, 10.0, 14.0, 19.0, 25.0];
/// and shifted besides by so much.
const TURNED_FAR: i32 = 6;
/// So much of the learned edges must lie within the picture.
const WITHIN: f32 = 0.4;
/// It has moved when it agrees so well elsewhere, and by so much better than in place,
const FOUND: f32 = 0.35;
const BETTER: f32 = 0.15;
/// and is at least so far off, in cells of half size (1.25 % of the width each), or turned.
const OFF: i32 = 2;
/// Or it is this sharp again when shifted by a cell more than that, of full size.
const SHARP: f32 = 0.75;

/// Where `edges` agree best. `None`: they are in place.
pub fn search(edges: &[Edge], picture: &Directions, in_place: f32) -> Option<(i32, i32, f32, f32)> {
    if in_place >= IN_PLACE {
        return None;
    }
    let mut best = (0, 0, 0.0, in_place);
    let mut seek = |edges: &[Edge], degrees: f32, far_x: i32, far_y: i32| {
        for dy in -far_y..=far_y {
            for dx in -far_x..=far_x {
                if let Some(found) = agreement(edges, picture, dx, dy, WITHIN)
                    && found > best.3
                {
                    best = (dx, dy, degrees, found);
                }
            }
        }
    };
    seek(edges, 0.0, FAR_X, FAR_Y);
    if in_place < TURNED {
        let few: Vec<Edge> = edges.iter().step_by(2).copied().collect();
        for degrees in ANGLES {
            seek(&turned(&few, degrees, WIDTH, HEIGHT), degrees, TURNED_FAR, TURNED_FAR);
        }
    }
    Some(best)
}

pub fn look(m: &Measures) -> Option<Blindness> {
    let far = m.elsewhere.is_some_and(|(dx, dy, degrees, found)| {
        let off = dx.abs() >= OFF || dy.abs() >= OFF || degrees != 0.0;
        off && found >= FOUND && found >= m.in_place + BETTER
    });
    // A small shift, seen at full size.
    let near = m.sharpness > SHARP && (m.nudged.0.abs() >= OFF + 1 || m.nudged.1.abs() >= OFF + 1);
    (m.known && (far || near)).then_some(Blindness::Moved)
}
