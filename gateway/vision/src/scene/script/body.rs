//! Sticks: where a person's seventeen key points are in the room.
use super::Dice;

pub type Vector = [f64; 3];

pub fn add(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|i| a[i] + b[i])
}
pub fn times(a: Vector, by: f64) -> Vector {
    a.map(|v| v * by)
}
pub fn dot(a: Vector, b: Vector) -> f64 {
    (0..3).map(|i| a[i] * b[i]).sum()
}
fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
/// Of length one; upwards where there is no direction.
fn unit(a: Vector) -> Vector {
    let length = dot(a, a).sqrt();
    if length > 1e-9 { times(a, 1.0 / length) } else { [0.0, 0.0, 1.0] }
}
fn mix(a: Vector, b: Vector, s: f64) -> Vector {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * s)
}

/// How a body holds itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Stand,
    SitOnFloor,
    SitOnChair,
    Crouch,
    Bend,
    Supine,
    Prone,
    Side,
}

/// What lies over a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quilt {
    None,
    /// Up to the chest.
    Legs,
    /// Over the head; the legs show.
    Head,
    /// Over everything.
    All,
}

/// A body's shape: where the hips are and where trunk, chest, thighs and shanks point.
#[derive(Debug, Clone, Copy)]
struct Shape {
    hips: Vector,
    trunk: Vector,
    chest: Vector,
    thigh: Vector,
    shank: Vector,
}

/// A place and a posture that is reached at `at_s + takes_s`.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub at_s: f64,
    pub takes_s: f64,
    /// Right, forwards from below the camera, and how high the ground is there.
    pub place: Vector,
    /// Where the chest, or of who lies the head, points to; radians from "right".
    pub heading: f64,
    pub form: Form,
    pub quilt: Quilt,
}

/// Somebody and what they do.
#[derive(Debug, Clone)]
pub struct Actor {
    pub stature: f64,
    pub child: bool,
    /// In order of time; before the first and after `until_s` nobody is there.
    pub keys: Vec<Key>,
    pub until_s: f64,
    /// Sways and fidgets, metres.
    pub restless: f64,
    /// Feet and knees are hidden behind furniture.
    pub legs_hidden: bool,
}

impl Actor {
    pub fn new(child: bool, dice: &mut Dice) -> Actor {
        let stature = if child { dice.between(0.72, 1.02) } else { dice.between(1.5, 1.8) };
        Actor { stature, child, keys: Vec::new(), until_s: f64::INFINITY, restless: 0.02, legs_hidden: false }
    }

    fn last(&self) -> Option<Key> {
        self.keys.last().copied()
    }

    /// The end of what was said so far.
    pub fn end_s(&self) -> f64 {
        self.last().map_or(0.0, |k| k.at_s + k.takes_s)
    }

    pub fn at(mut self, place: Vector, heading: f64, form: Form) -> Actor {
        self.keys.push(Key { at_s: 0.0, takes_s: 0.0, place, heading, form, quilt: Quilt::None });
        self
    }

    /// Another posture at the same place.
    pub fn then(mut self, form: Form, takes_s: f64) -> Actor {
        if let Some(last) = self.last() {
            self.keys.push(Key { at_s: self.end_s(), takes_s, form, ..last });
        }
        self
    }

    pub fn wait(mut self, seconds: f64) -> Actor {
        if let Some(last) = self.last() {
            self.keys.push(Key { at_s: self.end_s(), takes_s: seconds, ..last });
        }
        self
    }

    pub fn turn(mut self, heading: f64) -> Actor {
        if let Some(last) = self.last() {
            self.keys.push(Key { at_s: self.end_s(), takes_s: 0.8, heading, ..last });
        }
        self
    }

    pub fn quilt(mut self, quilt: Quilt) -> Actor {
        if let Some(last) = self.last() {
            self.keys.push(Key { at_s: self.end_s(), takes_s: 0.1, quilt, ..last });
        }
        self
    }

    /// Walks, at `speed` metres a second.
    pub fn walk(mut self, place: Vector, speed: f64) -> Actor {
        if let Some(last) = self.last() {
            let way = [place[0] - last.place[0], place[1] - last.place[1]];
            let length = way[0].hypot(way[1]);
            let heading = if length > 0.05 { way[1].atan2(way[0]) } else { last.heading };
            self.keys.push(Key { at_s: self.end_s(), takes_s: (length / speed).max(0.1), place, heading, form: Form::Stand, ..last });
        }
        self
    }

    /// Moves over to another height in a posture: up a sill.
    pub fn climb(mut self, place: Vector, form: Form, takes_s: f64) -> Actor {
        if let Some(last) = self.last() {
            self.keys.push(Key { at_s: self.end_s(), takes_s, place, form, ..last });
        }
        self
    }

    pub fn leave(mut self) -> Actor {
        self.until_s = self.end_s();
        self
    }

    /// The key points at a time; `None` when they are not there.
    pub fn joints(&self, at_s: f64) -> Option<([Vector; 17], Quilt, Form)> {
        let current = self.keys.iter().rposition(|k| k.at_s <= at_s)?;
        if at_s > self.until_s {
            return None;
        }
        let to = self.keys[current];
        let from = self.keys[current.saturating_sub(1)];
        let s = if to.takes_s > 0.0 { ((at_s - to.at_s) / to.takes_s).clamp(0.0, 1.0) } else { 1.0 };
        let (a, b) = (self.shape(&from), self.shape(&to));
        let mut shape = Shape {
            hips: mix(a.hips, b.hips, s),
            trunk: unit(mix(a.trunk, b.trunk, s)),
            chest: unit(mix(a.chest, b.chest, s)),
            thigh: unit(mix(a.thigh, b.thigh, s)),
            shank: unit(mix(a.shank, b.shank, s)),
        };
        // Two slow waves of no common period: nobody stands like a statue, but who sleeps or has fallen nearly does.
        let wave = |period: f64, phase: f64| (at_s / period * std::f64::consts::TAU + phase + self.stature * 40.0).sin() * self.restless;
        shape.hips = add(shape.hips, [wave(7.3, 0.0), wave(5.1, 1.0), 0.0]);
        shape.trunk = unit(add(shape.trunk, [wave(3.7, 2.0) * 2.0, wave(4.3, 3.0) * 2.0, 0.0]));
        let moving = [to.place[0] - from.place[0], to.place[1] - from.place[1]];
        let walking = s < 1.0 && to.form == Form::Stand && moving[0].hypot(moving[1]) > 0.3;
        let stride = if walking { 0.45 * (s * to.takes_s * 2.2 * std::f64::consts::PI).sin() } else { 0.08 };
        Some((self.sticks(&shape, stride), if s < 1.0 { from.quilt } else { to.quilt }, if s < 0.5 { from.form } else { to.form }))
    }

    /// Shares of the stature: Drillis and Contini (1966) for adults; toddlers have shorter legs and a larger head.
    fn leg(&self) -> f64 {
        self.stature * if self.child { 0.47 } else { 0.52 }
    }

    fn shape(&self, key: &Key) -> Shape {
        let (h, leg) = (self.stature, self.leg());
        let (sin, cos) = key.heading.sin_cos();
        let (front, up, down) = ([cos, sin, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]);
        let side = [-sin, cos, 0.0];
        let toward = |a: f64, b: f64| unit(add(times(front, a), times(up, b)));
        let raised = |z: f64, back: f64| add(key.place, add(times(front, -back), [0.0, 0.0, z]));
        match key.form {
            Form::Stand => Shape { hips: raised(leg, 0.0), trunk: toward(0.05, 1.0), chest: front, thigh: down, shank: down },
            Form::SitOnFloor => Shape {
                hips: raised(0.09 * h, 0.25 * h),
                trunk: toward(0.1, 1.0),
                chest: front,
                thigh: toward(1.0, 0.35),
                shank: toward(1.0, -0.45),
            },
            Form::SitOnChair => {
                Shape { hips: raised(0.27 * h, 0.2 * h), trunk: toward(0.05, 1.0), chest: front, thigh: toward(1.0, 0.0), shank: down }
            }
            Form::Crouch => Shape {
                hips: raised(0.16 * h, 0.12 * h),
                trunk: toward(0.5, 1.0),
                chest: toward(1.0, -0.5),
                thigh: toward(1.0, 0.45),
                shank: toward(-0.45, -1.0),
            },
            Form::Bend => {
                Shape { hips: raised(leg * 0.97, 0.1 * h), trunk: toward(1.0, -0.1), chest: toward(-0.1, -1.0), thigh: down, shank: down }
            }
            Form::Supine => self.lying(key, front, up),
            Form::Prone => self.lying(key, front, down),
            Form::Side => self.lying(key, front, side),
        }
    }

    fn lying(&self, key: &Key, head: Vector, chest: Vector) -> Shape {
        let away = times(head, -1.0);
        let bent = if chest[2].abs() < 0.5 { 0.5 } else { 0.12 };
        let thigh = unit(add(away, times(chest, bent)));
        let shank = unit(add(away, times(chest, -bent)));
        Shape { hips: add(key.place, [0.0, 0.0, 0.09]), trunk: head, chest, thigh, shank }
    }

    fn sticks(&self, s: &Shape, stride: f64) -> [Vector; 17] {
        let h = self.stature;
        let left = unit(cross(s.trunk, s.chest));
        let chest = unit(cross(left, s.trunk));
        let (leg, ankle, crown) = (self.leg(), if self.child { 0.045 } else { 0.065 }, if self.child { 0.10 } else { 0.13 });
        let part = |from: Vector, along: f64, sideways: f64, forward: f64| {
            add(from, add(times(s.trunk, along), add(times(left, sideways), times(chest, forward))))
        };
        let trunk = h * if self.child { 0.30 } else { 0.288 };
        let neck = h - crown - leg - trunk;
        let (bone, face) = ((leg - ankle) / 2.0, if self.child { 0.07 } else { 0.09 });
        let head = part(s.hips, trunk + neck, 0.0, 0.0);
        let mut out = [[0.0; 3]; 17];
        out[0] = part(head, -0.02, 0.0, face + 0.02);
        for (i, sign) in [1.0, -1.0].into_iter().enumerate() {
            out[1 + i] = part(head, 0.01, sign * 0.03, face);
            out[3 + i] = part(head, 0.0, sign * 0.07, 0.0);
            out[5 + i] = part(s.hips, trunk, sign * h * 0.115, 0.0);
            out[7 + i] = part(out[5 + i], -0.17 * h, sign * 0.03 * h, 0.02 * h);
            out[9 + i] = part(out[7 + i], -0.10 * h, 0.0, 0.10 * h);
            let hip = part(s.hips, 0.0, sign * h * 0.055, 0.0);
            let swing = |d: Vector, by: f64| unit(add(d, times(chest, sign * by)));
            out[11 + i] = hip;
            out[13 + i] = add(hip, times(swing(s.thigh, stride), bone));
            out[15 + i] = add(out[13 + i], times(swing(s.shank, stride * 0.6), bone));
        }
        out
    }
}
