//! The models that look at a picture: what each is given and gives back (its contract), what happens to a picture before it and to its numbers after it.
//!
//! | module | model | sees |
//! |---|---|---|
//! | [`pose`] | MoveNet MultiPose | up to 6 people with 17 key points each |
//! | [`objects`] | NanoDet-g | people, bicycles, motorcycles |
//! | [`faces`] | BlazeFace (back camera) | faces |
//!
//! [`store`] holds their files, [`sized`] makes one file serve two sizes of picture, [`check`] holds them to their golden answers. Any file of the same contract can take a model's place. Coordinates that come out are shares of the picture's width and height.
pub mod check;
pub mod faces;
pub mod objects;
pub mod pose;
pub mod sized;
pub mod store;

use crate::sight::Rect;

/// The models' files.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    /// Contract: [`pose::SMALL`] and [`pose::LARGE`]; one file serves both.
    pub pose: &'a [u8],
    /// Contract: [`objects::INPUT`].
    pub objects: &'a [u8],
    /// Contract: [`faces::INPUT`].
    pub faces: &'a [u8],
}

/// Keeps the best of those that are nearly the same: sorted by score, one is dropped when it overlaps a better one by more than `most` (IoU).
fn best_of<T>(mut found: Vec<T>, most: f32, score: impl Fn(&T) -> f32, place: impl Fn(&T) -> Rect) -> Vec<T> {
    found.sort_by(|a, b| score(b).total_cmp(&score(a)));
    let mut kept: Vec<T> = Vec::new();
    for one in found {
        if kept.iter().all(|k| place(k).iou(&place(&one)) <= most) {
            kept.push(one);
        }
    }
    kept
}

/// The box around two opposite corners, whichever they are.
fn around((ax, ay): (f32, f32), (bx, by): (f32, f32)) -> Rect {
    Rect { x0: ax.min(bx), y0: ay.min(by), x1: ax.max(bx), y1: ay.max(by) }
}
