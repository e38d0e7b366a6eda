//! MoveNet MultiPose: up to six people, each with COCO's 17 key points.
//!
//! In: the canvas as integers 0 to 255, rows of red, green, blue. Out: 6 x 56 numbers: 17 times (y, x, score), then the box y0, x0, y1, x1, then the
//! score of the whole, all of them 0 to 1. Six rows always come; those without a person have a low score.
use super::around;
use super::sized::sized;
use crate::picture::{Map, Picture, View};
use crate::runtime::{Model, Port, Runtime, RuntimeError, Tensor};
use crate::sight::{KeyPoint, Pose, Rect};

/// The fast size: people from a fifth of the picture's height.
pub const SMALL: Port = Port { name: "input", shape: &[1, 192, 320, 3] };
/// The thorough size: people from an eighth of the picture's height.
pub const LARGE: Port = Port { name: "input", shape: &[1, 288, 512, 3] };
pub const OUTPUTS: &[Port] = &[Port { name: "output_0", shape: &[1, PEOPLE, NUMBERS] }];

/// People that one pass can report.
pub const PEOPLE: usize = 6;
const NUMBERS: usize = 56;
const JOINTS: usize = 17;

/// Width and height of a contract's canvas.
pub fn size(input: &Port) -> (u32, u32) {
    let side = |i: usize| input.shape.get(i).and_then(|n| u32::try_from(*n).ok()).unwrap_or_default();
    (side(2), side(1))
}

/// Somebody that the model reports, however weakly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    pub bbox: Rect,
    /// 0 to 1.
    pub score: f32,
    pub pose: Pose,
}

pub struct PoseModel {
    model: Model,
    input: Port,
}

impl PoseModel {
    /// `input` is [`SMALL`] or [`LARGE`]; the file may be of either size.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load(runtime: &Runtime, bytes: &[u8], input: Port) -> Result<PoseModel, RuntimeError> {
        Ok(PoseModel { model: Model::load(runtime, &sized(bytes, &input)?, input, OUTPUTS)?, input })
    }

    /// Everybody that one pass over `view` reports with a score of `least` or more, best first.
    ///
    /// # Errors
    /// As [`Model::run`].
    pub fn look(&mut self, picture: &Picture, view: &View, least: f32) -> Result<Vec<Candidate>, RuntimeError> {
        let (numbers, map) = prepare(picture, view, &self.input);
        let answer = self.model.run(Tensor::I32(&numbers))?;
        Ok(read(answer.first().map_or(&[], |a| a), &map, least))
    }
}

/// The model's input for a view of a picture, and the way back.
pub fn prepare(picture: &Picture, view: &View, input: &Port) -> (Vec<i32>, Map) {
    let (width, height) = size(input);
    let canvas = picture.canvas(view, width, height);
    (canvas.rgb.iter().map(|c| i32::from(*c)).collect(), canvas.map)
}

/// People of score `least` or more in the model's answer, best first, in the picture's coordinates.
pub fn read(answer: &[f32], map: &Map, least: f32) -> Vec<Candidate> {
    let (rows, _) = answer.as_chunks::<NUMBERS>();
    let mut found: Vec<Candidate> = rows.iter().map(|row| person(row, map)).filter(|c| c.score >= least).collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

fn person(row: &[f32; NUMBERS], map: &Map) -> Candidate {
    let mut pose = Pose::default();
    let (joints, _) = row[..3 * JOINTS].as_chunks::<3>();
    for (to, [v, u, score]) in pose.iter_mut().zip(joints) {
        let (x, y) = map.back(*u, *v);
        *to = KeyPoint { x, y, score: score.clamp(0.0, 1.0) };
    }
    let [v0, u0, v1, u1, score] = [51, 52, 53, 54, 55].map(|i| row[i]);
    Candidate { bbox: around(map.back(u0, v0), map.back(u1, v1)), score: score.clamp(0.0, 1.0), pose }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Turn;
    use crate::sight::joint;

    /// An answer with one person, whose nose is at (u, v), and five that are nobody.
    fn answer(u: f32, v: f32) -> Vec<f32> {
        let mut all = vec![0.0; PEOPLE * NUMBERS];
        let row = &mut all[2 * NUMBERS..3 * NUMBERS];
        row[..3].copy_from_slice(&[v, u, 0.9]);
        row[51..].copy_from_slice(&[v - 0.1, u - 0.2, v + 0.1, u + 0.2, 0.8]);
        all
    }

    #[test]
    fn the_canvas_is_as_large_as_the_contract_says() {
        let picture = Picture::plain(640, 480, [1, 2, 3]);
        for input in [SMALL, LARGE] {
            let (numbers, _) = prepare(&picture, &View::WHOLE, &input);
            assert_eq!(numbers.len(), input.elements());
            assert_eq!(numbers[..3], [1, 2, 3]);
        }
    }

    #[test]
    fn people_come_back_in_the_picture_s_coordinates() {
        // 640 x 480 fills 256 of 320 pixels of the width.
        let (_, map) = prepare(&Picture::plain(640, 480, [0; 3]), &View::WHOLE, &SMALL);
        let found = read(&answer(0.4, 0.5), &map, 0.1);
        assert_eq!(found.len(), 1, "rows of score 0 are nobody");
        let nose = found[0].pose[joint::NOSE];
        assert!((nose.x - 0.5).abs() < 1e-6 && (nose.y - 0.5).abs() < 1e-6 && nose.score == 0.9, "{nose:?}");
        assert!((found[0].bbox.x0 - 0.25).abs() < 1e-6 && (found[0].bbox.y1 - 0.6).abs() < 1e-6, "{:?}", found[0].bbox);
        assert!(read(&answer(0.4, 0.5), &map, 0.81).is_empty());
    }

    #[test]
    fn who_stands_in_a_turned_picture_lies_in_the_picture() {
        let picture = Picture::plain(320, 192, [0; 3]);
        let (_, map) = prepare(&picture, &View::WHOLE.turned(Turn::Left), &SMALL);
        let mut row = vec![0.0; PEOPLE * NUMBERS];
        row[..NUMBERS][51..].copy_from_slice(&[0.2, 0.1, 0.9, 0.2, 0.8]);
        let bbox = read(&row, &map, 0.5)[0].bbox;
        assert!(bbox.width() * 320.0 > 2.0 * bbox.height() * 192.0, "{bbox:?}");
    }

    #[test]
    fn a_short_answer_is_nobody() {
        let (_, map) = prepare(&Picture::plain(4, 4, [0; 3]), &View::WHOLE, &SMALL);
        assert!(read(&[0.9; 30], &map, 0.1).is_empty());
    }
}
