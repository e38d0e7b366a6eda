//! NanoDet-g, 80 classes of COCO, of which people, bicycles and motorcycles are taken.
//!
//! In: the canvas of 416 x 416 as blue, green and red planes, normalised by the means and deviations of ImageNet. Out: for cells of 8, 16 and 32
//! pixels the score of each class and, for each side of the box, a distribution over 0 to 10 cells from the cell's centre, whose mean is the distance
//! (generalised focal loss).
use super::{around, best_of};
use crate::picture::{Map, Picture, View};
use crate::runtime::{Model, Port, Runtime, RuntimeError, Tensor};
use crate::sight::Rect;

pub const INPUT: Port = Port { name: "input_1:0", shape: &[1, 3, SIDE, SIDE] };
/// Scores and distances for cells of 8, 16 and 32 pixels.
pub const OUTPUTS: &[Port] = &[
    Port { name: "Identity:0", shape: &[1, 2704, CLASSES] },
    Port { name: "Identity_3:0", shape: &[1, 2704, 4 * BINS] },
    Port { name: "Identity_1:0", shape: &[1, 676, CLASSES] },
    Port { name: "Identity_4:0", shape: &[1, 676, 4 * BINS] },
    Port { name: "Identity_2:0", shape: &[1, 169, CLASSES] },
    Port { name: "Identity_5:0", shape: &[1, 169, 4 * BINS] },
];
const SIDE: usize = 416;
const CLASSES: usize = 80;
const BINS: usize = 11;
const CELLS: [usize; 3] = [8, 16, 32];
/// Blue, green, red, as the network was trained.
const MEAN: [f32; 3] = [103.53, 116.28, 123.675];
const DEVIATION: [f32; 3] = [57.375, 57.12, 58.395];
/// Two boxes of a class that overlap more (IoU) are one thing.
const SAME: f32 = 0.5;

/// The classes taken, with their numbers in COCO's list of 80.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Person = 0,
    Bicycle = 1,
    Motorcycle = 3,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub class: Class,
    pub bbox: Rect,
    /// 0 to 1.
    pub score: f32,
}

pub struct ObjectModel {
    model: Model,
}

impl ObjectModel {
    /// # Errors
    /// As [`Model::load`].
    pub fn load(runtime: &Runtime, bytes: &[u8]) -> Result<ObjectModel, RuntimeError> {
        Ok(ObjectModel { model: Model::load(runtime, bytes, INPUT, OUTPUTS)? })
    }

    /// Everything in `view` with a score of `least` or more, best first within each class.
    ///
    /// # Errors
    /// As [`Model::run`].
    pub fn look(&mut self, picture: &Picture, view: &View, least: f32) -> Result<Vec<Found>, RuntimeError> {
        let (numbers, map) = prepare(picture, view);
        let answers = self.model.run(Tensor::F32(&numbers))?;
        Ok(read(&answers, &map, least))
    }
}

/// The model's input for a view of a picture, and the way back.
pub fn prepare(picture: &Picture, view: &View) -> (Vec<f32>, Map) {
    let side = SIDE as u32;
    let canvas = picture.canvas(view, side, side);
    let (pixels, _) = canvas.rgb.as_chunks::<3>();
    // Plane after plane: blue is the third of a pixel's bytes.
    let planes = (0..3).flat_map(|p| pixels.iter().map(move |rgb| (f32::from(rgb[2 - p]) - MEAN[p]) / DEVIATION[p]));
    (planes.collect(), canvas.map)
}

/// What the model's answers (in the order of [`OUTPUTS`]) show with a score of `least` or more, in the picture's coordinates.
pub fn read(answers: &[Vec<f32>], map: &Map, least: f32) -> Vec<Found> {
    let (pairs, _) = answers.as_chunks::<2>();
    let mut all = Vec::new();
    for class in [Class::Person, Class::Bicycle, Class::Motorcycle] {
        let mut found = Vec::new();
        for (cell, [scores, distances]) in CELLS.iter().zip(pairs) {
            let (scores, _) = scores.as_chunks::<CLASSES>();
            let (distances, _) = distances.as_chunks::<{ 4 * BINS }>();
            let a_row = SIDE / cell;
            for (i, (scores, distances)) in scores.iter().zip(distances).enumerate() {
                let score = scores[class as usize];
                if score >= least {
                    let centre = ((i % a_row) as f32 + 0.5, (i / a_row) as f32 + 0.5);
                    found.push(Found { class, bbox: place(centre, distances, *cell, map), score: score.min(1.0) });
                }
            }
        }
        all.extend(best_of(found, SAME, |f| f.score, |f| f.bbox));
    }
    all
}

fn place((x, y): (f32, f32), distances: &[f32; 4 * BINS], cell: usize, map: &Map) -> Rect {
    let (sides, _) = distances.as_chunks::<BINS>();
    let [left, top, right, bottom] = [0, 1, 2, 3].map(|i| sides.get(i).map_or(0.0, mean));
    let share = |cells: f32| cells * cell as f32 / SIDE as f32;
    around(map.back(share(x - left), share(y - top)), map.back(share(x + right), share(y + bottom)))
}

/// Mean of the distribution whose logarithms, but for a constant, are `bins`.
fn mean(bins: &[f32; BINS]) -> f32 {
    let top = bins.iter().copied().fold(f32::MIN, f32::max);
    let (mut all, mut weighted) = (0.0, 0.0);
    for (i, bin) in bins.iter().enumerate() {
        let e = (bin - top).exp();
        all += e;
        weighted += e * i as f32;
    }
    weighted / all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Vec<Vec<f32>> {
        OUTPUTS.iter().map(|p| vec![0.0; p.elements()]).collect()
    }

    /// A class at a cell of 16 pixels, with each side two cells away.
    fn put(answers: &mut [Vec<f32>], cell: usize, class: Class, score: f32) {
        answers[2][cell * CLASSES + class as usize] = score;
        for side in 0..4 {
            answers[3][cell * 4 * BINS + side * BINS + 2] = 50.0;
        }
    }

    fn map() -> Map {
        prepare(&Picture::plain(416, 416, [0; 3]), &View::WHOLE).1
    }

    #[test]
    fn the_planes_are_blue_green_red_and_normalised() {
        let (numbers, _) = prepare(&Picture::plain(500, 500, [124, 116, 104]), &View::WHOLE);
        assert_eq!(numbers.len(), INPUT.elements());
        for plane in 0..3 {
            assert!(numbers[plane * SIDE * SIDE].abs() < 0.01, "a pixel of the mean colour is 0");
        }
        let (numbers, _) = prepare(&Picture::plain(500, 500, [255, 0, 0]), &View::WHOLE);
        assert!(numbers[0] < -1.7 && numbers[2 * SIDE * SIDE] > 2.2, "red is the last plane");
    }

    #[test]
    fn a_box_reaches_as_far_as_its_distributions_say() {
        let mut answers = nothing();
        put(&mut answers, 26 * 10 + 5, Class::Person, 0.7);
        let found = read(&answers, &map(), 0.3);
        assert_eq!(found.len(), 1);
        let want = Rect { x0: 3.5 / 26.0, y0: 8.5 / 26.0, x1: 7.5 / 26.0, y1: 12.5 / 26.0 };
        assert!((found[0].score - 0.7).abs() < 1e-6 && found[0].bbox.iou(&want) > 0.999, "{found:?}");
    }

    #[test]
    fn neighbours_of_one_thing_are_one_and_classes_are_apart() {
        let mut answers = nothing();
        put(&mut answers, 300, Class::Person, 0.5);
        put(&mut answers, 301, Class::Person, 0.6);
        put(&mut answers, 301, Class::Bicycle, 0.4);
        put(&mut answers, 310, Class::Person, 0.2);
        let found = read(&answers, &map(), 0.3);
        assert_eq!(found.iter().map(|f| (f.class, f.score)).collect::<Vec<_>>(), [(Class::Person, 0.6), (Class::Bicycle, 0.4)]);
    }

    #[test]
    fn the_mean_of_an_even_distribution_is_its_middle() {
        assert!((mean(&[3.0; BINS]) - 5.0).abs() < 1e-5);
        assert!(
            (mean(&[-1000.0, 0.0, -1000.0, -1000.0, -1000.0, -1000.0, -1000.0, -1000.0, -1000.0, -1000.0, -1000.0]) - 1.0).abs() < 1e-5
        );
    }
}
