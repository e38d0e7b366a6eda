//! BlazeFace, the variant for cameras that look into a room.
//!
//! In: the canvas of 256 x 256, rows of red, green, blue from -1 to 1. Out: for 16 x 16 cells with two anchors and 8 x 8 cells with six, the logit of the score
//! and 16 numbers, of which the first four are centre and size of the face in pixels of the canvas, the centre seen from the cell's.
use super::{around, best_of};
use crate::picture::{Map, Picture, View};
use crate::runtime::{Model, Port, Runtime, RuntimeError, Tensor};
use crate::sight::Face;

pub const INPUT: Port = Port { name: "input:0", shape: &[1, SIDE, SIDE, 3] };
/// Scores and places for 16 x 16 cells, then for 8 x 8.
pub const OUTPUTS: &[Port] = &[
    Port { name: "Identity:0", shape: &[1, 512, 1] },
    Port { name: "Identity_2:0", shape: &[1, 512, NUMBERS] },
    Port { name: "Identity_1:0", shape: &[1, 384, 1] },
    Port { name: "Identity_3:0", shape: &[1, 384, NUMBERS] },
];
const SIDE: usize = 256;
const NUMBERS: usize = 16;
/// Cells a side, and anchors a cell.
const GRIDS: [(usize, usize); 2] = [(16, 2), (8, 6)];
/// Two boxes that overlap more (IoU) are one face.
const SAME: f32 = 0.3;

pub struct FaceModel {
    model: Model,
}

impl FaceModel {
    /// # Errors
    /// As [`Model::load`].
    pub fn load(runtime: &Runtime, bytes: &[u8]) -> Result<FaceModel, RuntimeError> {
        Ok(FaceModel { model: Model::load(runtime, bytes, INPUT, OUTPUTS)? })
    }

    /// Faces in `view` with a score of `least` or more, best first.
    ///
    /// # Errors
    /// As [`Model::run`].
    pub fn look(&mut self, picture: &Picture, view: &View, least: f32) -> Result<Vec<Face>, RuntimeError> {
        let (numbers, map) = prepare(picture, view);
        let answers = self.model.run(Tensor::F32(&numbers))?;
        Ok(read(&answers, &map, least))
    }
}

/// The model's input for a view of a picture, and the way back.
pub fn prepare(picture: &Picture, view: &View) -> (Vec<f32>, Map) {
    let side = SIDE as u32;
    let canvas = picture.canvas(view, side, side);
    (canvas.rgb.iter().map(|c| f32::from(*c) / 127.5 - 1.0).collect(), canvas.map)
}

/// Faces of score `least` or more in the model's answers (in the order of [`OUTPUTS`]), in the picture's coordinates.
pub fn read(answers: &[Vec<f32>], map: &Map, least: f32) -> Vec<Face> {
    let (pairs, _) = answers.as_chunks::<2>();
    let mut found = Vec::new();
    for ((cells, anchors), [scores, places]) in GRIDS.iter().zip(pairs) {
        let (places, _) = places.as_chunks::<NUMBERS>();
        for (i, (logit, [x, y, w, h, ..])) in scores.iter().zip(places).enumerate() {
            let score = 1.0 / (1.0 + (-logit).exp());
            if score < least {
                continue;
            }
            let cell = i / anchors;
            let centre = |i: usize, by: f32| (i as f32 + 0.5) / *cells as f32 + by / SIDE as f32;
            let (x, y) = (centre(cell % cells, *x), centre(cell / cells, *y));
            let (w, h) = (w / SIDE as f32 / 2.0, h / SIDE as f32 / 2.0);
            found.push(Face { bbox: around(map.back(x - w, y - h), map.back(x + w, y + h)), score });
        }
    }
    best_of(found, SAME, |f| f.score, |f| f.bbox)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sight::Rect;

    fn nothing() -> Vec<Vec<f32>> {
        OUTPUTS.iter().map(|p| vec![if p.shape[2] == 1 { -100.0 } else { 0.0 }; p.elements()]).collect()
    }

    #[test]
    fn black_is_minus_one_and_white_one() {
        for (colour, want) in [([0; 3], -1.0), ([255; 3], 1.0)] {
            let (numbers, _) = prepare(&Picture::plain(300, 300, colour), &View::WHOLE);
            assert!(numbers.len() == INPUT.elements() && numbers.iter().all(|n| *n == want));
        }
    }

    #[test]
    fn a_face_is_where_its_anchor_and_its_shift_say() {
        let (_, map) = prepare(&Picture::plain(256, 256, [0; 3]), &View::WHOLE);
        let mut answers = nothing();
        // The second anchor of the cell in column 3 of row 2, of 16 a row.
        let at = (2 * 16 + 3) * 2 + 1;
        answers[0][at] = 3.0;
        answers[1][at * NUMBERS..][..4].copy_from_slice(&[8.0, -8.0, 32.0, 64.0]);
        // A cell of the coarse grid that says nearly the same, less surely.
        let at = (8 + 1) * 6;
        answers[2][at] = 1.0;
        answers[3][at * NUMBERS..][..4].copy_from_slice(&[16.0, -16.0, 32.0, 64.0]);
        let found = read(&answers, &map, 0.5);
        assert_eq!(found.len(), 1);
        let want = Rect { x0: 48.0 / 256.0, y0: 0.0, x1: 80.0 / 256.0, y1: 64.0 / 256.0 };
        assert!(found[0].bbox.iou(&want) > 0.999 && (found[0].score - 0.9526).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        let (_, map) = prepare(&Picture::plain(256, 256, [0; 3]), &View::WHOLE);
        assert!(read(&nothing(), &map, 0.5).is_empty());
        assert!(read(&[], &map, 0.5).is_empty());
    }
}
