//! The camera of a made-up scene, and how the pose model errs.
//!
//! **Measured**: MoveNet MultiPose at 320x192 on every third frame of `one-by-one-person-detection.mp4` (Intel Corporation, CC BY 4.0): six adults, one after
//! the other, seen whole from above and behind; 286 frames of the time that they are there, in 261 of which they stand still. Jitter is the standard deviation against a
//! straight line through the six neighbouring frames; bias that of a joint's place within the box over people and frames; scores are the 10 % and 90 % points.
//!
//! **Assumed**, on the bad side of what little is known: whoever is small, half hidden or lying is missed more often (286 of 286 frames found the
//! people of that video); who lies scores less (0.23 to 0.43 in three pictures, turned); now and then somebody is found where nobody is.
use super::Dice;
use super::body::{Actor, Form, Quilt, Vector, add, dot, times};
use crate::scene::floor::{Mount, Point};
use crate::setup::Corner;
use crate::sight::{Face, KeyPoint, Person, Pose, Posture, Rect, Sight, Thing, ThingKind, joint};

/// Measured: 0.0027 of the box's height, median over the joints but the wrists, where the boxes were 0.75 of the picture's height: 0.4 of the 192 rows.
const JITTER: f64 = 0.4 / 192.0;
/// Measured: 0.019 of the box's height, wrists.
const JITTER_WRIST: f64 = 7.0;
/// Measured, in box heights: ears 0.011, shoulders 0.010, knees 0.015, ankles 0.014, hips 0.024.
const BIAS: f64 = 0.015;
/// Measured: 10 % and 90 % points of the scores: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
const SCORES: [(f64, f64); 17] = [
    (0.41, 0.54),
    (0.40, 0.55),
    (0.42, 0.55),
    (0.53, 0.68),
    (0.54, 0.67),
    (0.62, 0.82),
    (0.71, 0.83),
    (0.55, 0.89),
    (0.63, 0.82),
    (0.27, 0.44),
    (0.19, 0.34),
    (0.69, 0.81),
    (0.66, 0.74),
    (0.59, 0.82),
    (0.53, 0.68),
    (0.40, 0.66),
    (0.39, 0.64),
];
/// Measured: of people.
const SCORE: (f64, f64) = (0.53, 0.60);

/// Assumed.
const MISSED: f64 = 0.04;
const MISSED_SMALL: f64 = 0.15;
const MISSED_LYING: f64 = 0.25;
const LYING_SCORES: f64 = 0.6;
const PHANTOM: f64 = 0.01;
const FACE_MISSED: f64 = 0.2;
const THING_MISSED: f64 = 0.25;
const DROPPED: f64 = 0.05;
/// The model finds no more people in one pass.
const MOST: usize = 6;

/// A thing that stands or moves: where, how long, how high.
#[derive(Debug, Clone)]
pub struct Prop {
    pub kind: ThingKind,
    /// From, to: seconds and places. It moves evenly between them.
    pub keys: Vec<(f64, Vector)>,
    pub long: f64,
    pub high: f64,
    pub heading: f64,
}

#[derive(Debug, Clone)]
pub struct Eye {
    pub mount: Mount,
    pub width: u32,
    pub height: u32,
    /// Errors of this view: one for each actor and joint.
    bias: Vec<[(f64, f64); 17]>,
    dice: Dice,
}

impl Eye {
    /// A camera high on a wall, that looks into a room.
    pub fn new(dice: &mut Dice) -> Eye {
        let (width, height) = dice.one_of(&[(1280, 720), (1920, 1080), (640, 480)], (1280, 720));
        let aspect = f64::from(width) / f64::from(height);
        let view = dice.between(70_f64, 100_f64).to_radians();
        let focal = aspect / 2.0 / (view / 2.0).tan();
        let up = dice.between(2.2, 3.2);
        let tilt = dice.between(22_f64, 42_f64).to_radians();
        let roll = dice.between(-2_f64, 2_f64).to_radians();
        Eye {
            mount: Mount([focal.ln(), tilt, roll, up.ln()]),
            width,
            height,
            bias: Vec::new(),
            dice: Dice::new((dice.unit() * 1e15) as u64),
        }
    }

    fn aspect(&self) -> f64 {
        f64::from(self.width) / f64::from(self.height)
    }

    /// In shares of the picture.
    pub fn share(&self, place: Vector) -> Option<(f64, f64)> {
        self.mount.project(place).map(|(u, v)| (u / self.aspect() + 0.5, v + 0.5))
    }

    /// Well inside of the picture.
    pub fn sees(&self, place: Vector) -> bool {
        self.share(place).is_some_and(|(x, y)| (0.04..=0.96).contains(&x) && (0.04..=0.96).contains(&y))
    }

    /// As an installer marks it: within a finger's breadth on a screen.
    pub fn mark(&mut self, place: Vector, error: f64) -> Option<Corner> {
        let (x, y) = self.share(place)?;
        let (x, y) = (x + self.dice.normal() * error / self.aspect(), y + self.dice.normal() * error);
        let whole = |v: f64| (v * 1000.0).round().clamp(0.0, 1000.0) as u16;
        Some([whole(x), whole(y)])
    }

    /// One frame, as the models would describe it; `None`: it did not arrive.
    pub fn look(&mut self, at_s: f64, actors: &[Actor], props: &[Prop]) -> Option<Sight> {
        while self.bias.len() < actors.len() {
            let one = std::array::from_fn(|_| (self.dice.normal() * BIAS, self.dice.normal() * BIAS));
            self.bias.push(one);
        }
        if self.dice.chance(DROPPED) {
            return None;
        }
        let mut sight = Sight { width: self.width, height: self.height, ..Sight::default() };
        // Nearest first: they hide the others.
        let mut there: Vec<(f64, usize)> = Vec::new();
        for (i, actor) in actors.iter().enumerate() {
            if let Some((joints, ..)) = actor.joints(at_s) {
                let middle = joints[joint::LEFT_HIP];
                there.push((self.mount.distance((middle[0], middle[1]), middle[2]), i));
            }
        }
        there.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut boxes: Vec<Rect> = Vec::new();
        for (_, i) in &there {
            self.person(at_s, *i, &actors[*i], &mut boxes, &mut sight);
        }
        if self.dice.chance(PHANTOM) {
            let (x, y) = (self.dice.between(0.1, 0.8) as f32, self.dice.between(0.1, 0.6) as f32);
            let score = self.dice.between(0.2, 0.32) as f32;
            let bbox = Rect { x0: x, y0: y, x1: x + 0.08, y1: y + 0.25 };
            sight.people.push(Person { bbox, score, pose: None, posture: Posture::Unknown });
        }
        // Whether there were more is not known then.
        sight.at_least = sight.people.len() >= MOST;
        sight.people.sort_by(|a, b| b.score.total_cmp(&a.score));
        sight.people.truncate(MOST);
        for prop in props {
            sight.things.extend(self.thing(at_s, prop));
        }
        Some(sight)
    }

    fn person(&mut self, at_s: f64, index: usize, actor: &Actor, boxes: &mut Vec<Rect>, sight: &mut Sight) {
        let Some((joints, quilt, form)) = actor.joints(at_s) else { return };
        let aspect = self.aspect();
        let points: Option<Vec<Point>> = joints.iter().map(|j| self.mount.project(*j)).collect();
        let Some(points) = points else { return };
        let shares: Vec<(f64, f64)> = points.iter().map(|(u, v)| (u / aspect + 0.5, v + 0.5)).collect();
        let lies = matches!(form, Form::Supine | Form::Prone | Form::Side);
        let hidden = |j: usize| match quilt {
            Quilt::None => actor.legs_hidden && j >= joint::LEFT_KNEE,
            Quilt::Legs => j >= joint::LEFT_HIP,
            Quilt::Head => j < joint::LEFT_KNEE,
            Quilt::All => true,
        };
        let outside = |(x, y): (f64, f64)| !(0.0..=1.0).contains(&x) || !(0.0..=1.0).contains(&y);
        // Whoever stands nearer hides what is behind them; half of a box is the person.
        let mut behind = [false; 17];
        for (j, b) in behind.iter_mut().enumerate() {
            let (x, y) = (shares[j].0 as f32, shares[j].1 as f32);
            *b = boxes.iter().any(|o| (o.x0 + o.width() * 0.2..o.x1 - o.width() * 0.2).contains(&x) && (o.y0..o.y1).contains(&y));
        }
        let seen: Vec<usize> = (0..17).filter(|j| !hidden(*j) && !outside(shares[*j]) && !behind[*j]).collect();
        // Of head and feet some centimetres are beyond the joints.
        let margin = 0.07 / self.mount.span(self.mount.distance((joints[11][0], joints[11][1]), joints[11][2])).max(0.1);
        let mut b = Rect { x0: 1.0, y0: 1.0, x1: 0.0, y1: 0.0 };
        for j in &seen {
            let (x, y) = (shares[*j].0 as f32, shares[*j].1 as f32);
            b = Rect { x0: b.x0.min(x), y0: b.y0.min(y), x1: b.x1.max(x), y1: b.y1.max(y) };
        }
        let m = margin as f32;
        let b = Rect {
            x0: (b.x0 - m / aspect as f32).max(0.0),
            y0: (b.y0 - m).max(0.0),
            x1: (b.x1 + m / aspect as f32).min(1.0),
            y1: (b.y1 + m).min(1.0),
        };
        let tall = f64::from(b.height().max(b.width() * aspect as f32));
        boxes.push(b);
        let small = if tall < 0.15 { MISSED_SMALL } else { 0.0 };
        let missed = small + if lies { MISSED_LYING } else { MISSED } + if seen.len() < 9 { 0.3 } else { 0.0 };
        if seen.len() < 4 || self.dice.chance(missed) {
            return;
        }
        let share = if lies { LYING_SCORES } else { 1.0 };
        let mut pose: Pose = [KeyPoint::default(); 17];
        for (j, k) in pose.iter_mut().enumerate() {
            let wrist = matches!(j, joint::LEFT_WRIST | joint::RIGHT_WRIST);
            let jitter = if wrist { JITTER * JITTER_WRIST } else { JITTER };
            let bias = self.bias[index][j];
            let (low, high) = SCORES[j];
            let score = (low + high) / 2.0 + self.dice.normal() * (high - low) / 2.56;
            let lost = hidden(j) || behind[j];
            // What is not seen is guessed, badly and with a low score.
            let (error, score) = if lost { (0.06 * tall, self.dice.between(0.02, 0.22)) } else { (jitter, score * share) };
            let x = points[j].0 + bias.0 * tall + self.dice.normal() * error;
            let y = points[j].1 + bias.1 * tall + self.dice.normal() * error;
            *k = KeyPoint { x: (x / aspect + 0.5) as f32, y: (y + 0.5) as f32, score: score.clamp(0.01, 0.99) as f32 };
            if outside(shares[j]) {
                k.score = k.score.min(0.1);
            }
        }
        let score =
            ((SCORE.0 + SCORE.1) / 2.0 + self.dice.normal() * (SCORE.1 - SCORE.0) / 2.56) * share * if seen.len() < 9 { 0.7 } else { 1.0 };
        let mut wobble = || (self.dice.normal() * JITTER) as f32;
        let bbox = Rect { x0: b.x0 + wobble(), y0: b.y0 + wobble(), x1: b.x1 + wobble(), y1: b.y1 + wobble() };
        // Who lies is known better with the picture turned.
        let posture = crate::posture::body(&pose, self.width, self.height).posture(lies);
        sight.people.push(Person { bbox, score: score.clamp(0.05, 0.99) as f32, pose: Some(pose), posture });
        self.face(&joints, quilt, &shares, sight);
    }

    /// A face is found that looks up to the camera within 65°.
    fn face(&mut self, joints: &[Vector; 17], quilt: Quilt, shares: &[(f64, f64)], sight: &mut Sight) {
        let middle = times(add(joints[joint::LEFT_EAR], joints[joint::RIGHT_EAR]), 0.5);
        let looks = add(joints[joint::NOSE], times(middle, -1.0));
        let to_camera = add([0.0, 0.0, self.mount.height()], times(middle, -1.0));
        let turn = dot(looks, to_camera) / (dot(looks, looks) * dot(to_camera, to_camera)).sqrt().max(1e-9);
        if matches!(quilt, Quilt::Head | Quilt::All) || turn < 0.42 || self.dice.chance(FACE_MISSED) {
            return;
        }
        let (x, y) = (shares[joint::NOSE].0 as f32, shares[joint::NOSE].1 as f32);
        let half = (0.09 / self.mount.span(self.mount.distance((middle[0], middle[1]), middle[2]))) as f32;
        let wide = half / self.aspect() as f32;
        sight.faces.push(Face { bbox: Rect { x0: x - wide, y0: y - half, x1: x + wide, y1: y + half }, score: 0.8 });
    }

    fn thing(&mut self, at_s: f64, prop: &Prop) -> Option<Thing> {
        let after = prop.keys.iter().position(|(t, _)| *t >= at_s)?;
        let (t1, p1) = prop.keys[after];
        let (t0, p0) = prop.keys[after.checked_sub(1)?];
        let s = ((at_s - t0) / (t1 - t0).max(1e-6)).clamp(0.0, 1.0);
        let place = add(times(p0, 1.0 - s), times(p1, s));
        let (sin, cos) = prop.heading.sin_cos();
        let end = [cos * prop.long / 2.0, sin * prop.long / 2.0, 0.0];
        let corners = [add(place, end), add(place, times(end, -1.0))];
        let mut b: Option<Rect> = None;
        for corner in corners {
            for z in [0.0, prop.high] {
                let (x, y) = self.share(add(corner, [0.0, 0.0, z]))?;
                let (x, y) = (x as f32, y as f32);
                b = Some(b.map_or(Rect { x0: x, y0: y, x1: x, y1: y }, |b| Rect {
                    x0: b.x0.min(x),
                    y0: b.y0.min(y),
                    x1: b.x1.max(x),
                    y1: b.y1.max(y),
                }));
            }
        }
        let mut wobble = || (self.dice.normal() * JITTER * 2.0) as f32;
        let bbox = b.map(|b| Rect { x0: b.x0 + wobble(), y0: b.y0 + wobble(), x1: b.x1 + wobble(), y1: b.y1 + wobble() })?;
        (!self.dice.chance(THING_MISSED)).then(|| Thing { kind: prop.kind, bbox, score: self.dice.between(0.3, 0.7) as f32 })
    }

    /// Milliseconds to the next frame, with what a network adds.
    pub fn pause_ms(&mut self, fps: f64) -> i64 {
        (1000.0 / fps * (1.0 + 0.05 * self.dice.normal())).max(20.0) as i64
    }
}
