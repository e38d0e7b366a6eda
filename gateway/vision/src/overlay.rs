//! What was seen, drawn on the picture: a box and the limbs of each person, in the colour of the posture; things in white. Faces are covered first,
//! so that what is drawn on can be shown and kept.
use crate::blur;
use crate::picture::{Picture, PictureError};
use crate::sight::{KeyPoint, Posture, Rect, Sight, joint};

/// Joints below this score are not drawn.
const LEAST: f32 = 0.15;
const LIMBS: [(usize, usize); 12] = [
    (joint::LEFT_SHOULDER, joint::RIGHT_SHOULDER),
    (joint::LEFT_HIP, joint::RIGHT_HIP),
    (joint::LEFT_SHOULDER, joint::LEFT_HIP),
    (joint::RIGHT_SHOULDER, joint::RIGHT_HIP),
    (joint::LEFT_SHOULDER, joint::LEFT_ELBOW),
    (joint::LEFT_ELBOW, joint::LEFT_WRIST),
    (joint::RIGHT_SHOULDER, joint::RIGHT_ELBOW),
    (joint::RIGHT_ELBOW, joint::RIGHT_WRIST),
    (joint::LEFT_HIP, joint::LEFT_KNEE),
    (joint::LEFT_KNEE, joint::LEFT_ANKLE),
    (joint::RIGHT_HIP, joint::RIGHT_KNEE),
    (joint::RIGHT_KNEE, joint::RIGHT_ANKLE),
];

fn colour(posture: Posture) -> [u8; 3] {
    match posture {
        Posture::Standing => [60, 200, 90],
        Posture::Sitting => [70, 150, 255],
        Posture::Crouching => [240, 200, 40],
        Posture::Bending => [250, 140, 30],
        Posture::Lying => [235, 50, 50],
        Posture::Unknown => [190, 190, 190],
    }
}

/// `sight`, with its faces, is what was seen on just this picture.
///
/// # Errors
/// The picture cannot be made again, which its own size excludes.
pub fn draw(picture: &Picture, sight: &Sight) -> Result<Picture, PictureError> {
    let blurred = blur::cover(picture, sight);
    let mut canvas = Picture::new(picture.width(), picture.height(), blurred.rgb().to_vec())?;
    let thick = (picture.width().max(picture.height()) / 400).max(1);
    for thing in &sight.things {
        frame(&mut canvas, &thing.bbox, thick, [255; 3]);
    }
    for person in &sight.people {
        let colour = colour(person.posture);
        frame(&mut canvas, &person.bbox, thick, colour);
        let Some(pose) = &person.pose else { continue };
        for (a, b) in LIMBS {
            if pose[a].score >= LEAST && pose[b].score >= LEAST {
                line(&mut canvas, pose[a], pose[b], thick, colour);
            }
        }
    }
    Ok(canvas)
}

fn frame(canvas: &mut Picture, b: &Rect, thick: u32, colour: [u8; 3]) {
    let corner = |x: f32, y: f32| KeyPoint { x, y, score: 1.0 };
    let corners = [corner(b.x0, b.y0), corner(b.x1, b.y0), corner(b.x1, b.y1), corner(b.x0, b.y1)];
    for i in 0..4 {
        line(canvas, corners[i], corners[(i + 1) % 4], thick, colour);
    }
}

fn line(canvas: &mut Picture, a: KeyPoint, b: KeyPoint, thick: u32, colour: [u8; 3]) {
    let (w, h) = (canvas.width() as f32, canvas.height() as f32);
    // Within the picture, and just inside of its edge, where a box's side would be lost.
    let place = |p: KeyPoint| (p.x.clamp(0.0, 1.0) * (w - 1.0), p.y.clamp(0.0, 1.0) * (h - 1.0));
    let ((ax, ay), (bx, by)) = (place(a), place(b));
    let steps = (bx - ax).abs().max((by - ay).abs()).ceil().max(1.0);
    for i in 0..=steps as u32 {
        let t = i as f32 / steps;
        let (x, y) = ((ax + t * (bx - ax)) as u32, (ay + t * (by - ay)) as u32);
        for dx in 0..thick {
            for dy in 0..thick {
                canvas.paint(x + dx, y + dy, colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sight::{Face, Person, Pose};

    #[test]
    fn boxes_and_limbs_are_drawn_in_the_colour_of_the_posture() {
        let mut pose = Pose::default();
        pose[joint::LEFT_HIP] = KeyPoint { x: 0.4, y: 0.5, score: 0.9 };
        pose[joint::LEFT_KNEE] = KeyPoint { x: 0.6, y: 0.5, score: 0.9 };
        let bbox = Rect { x0: 0.2, y0: 0.25, x1: 0.8, y1: 0.75 };
        let person = Person { bbox, score: 1.0, pose: Some(pose), posture: Posture::Lying };
        let sight = Sight { width: 100, height: 80, people: vec![person], ..Sight::default() };
        let drawn = draw(&Picture::plain(100, 80, [0; 3]), &sight).unwrap();
        for (x, y) in [(19, 40), (50, 19), (50, 39), (79, 40)] {
            assert_eq!(drawn.pixel(x, y), Some(colour(Posture::Lying)), "{x} {y}");
        }
        assert_eq!(drawn.pixel(10, 10), Some([0; 3]));
    }

    #[test]
    fn a_face_is_covered_before_anything_is_drawn() {
        let rgb = (0..200 * 200u32).flat_map(|i| [(i * 37 % 251) as u8; 3]).collect();
        let picture = Picture::new(200, 200, rgb).unwrap();
        let face = Face { bbox: Rect { x0: 0.4, y0: 0.4, x1: 0.6, y1: 0.6 }, score: 0.9 };
        let sight = Sight { width: 200, height: 200, faces: vec![face], ..Sight::default() };
        let drawn = draw(&picture, &sight).unwrap();
        let same = (85..115).filter(|x| drawn.pixel(*x, 100) == picture.pixel(*x, 100)).count();
        assert!(same < 5, "{same} of 30 pixels of the face are as they were");
        assert_eq!(drawn.pixel(5, 5), picture.pixel(5, 5));
    }
}
