//! The stage of a play: a camera, what was drawn on its picture, and who comes and goes.
use crate::scene::script::Dice;
use crate::scene::script::body::{Actor, Form, Vector};
use crate::scene::script::eye::Eye;
use crate::setup::{self, Area, AreaKind, Corner};
use std::f64::consts::TAU;

/// The stage: a camera and what was drawn on its picture.
pub struct Stage {
    pub dice: Dice,
    pub eye: Eye,
    pub areas: Vec<Area>,
    pub beds: Vec<Vector>,
}

/// Tries to find a place; a stage on which there is none is built anew.
pub const TRIES: usize = 300;

impl Stage {
    pub fn sees(&self, [x, y, z]: Vector, tall: f64) -> bool {
        self.eye.sees([x, y, z]) && self.eye.sees([x, y, z + tall])
    }

    /// A place where an adult is seen whole.
    pub fn place(&mut self) -> Option<Vector> {
        self.place_in(-2.8, 2.8, 1.2, 6.0)
    }

    pub fn place_in(&mut self, left: f64, right: f64, near: f64, far: f64) -> Option<Vector> {
        for _ in 0..TRIES {
            let p = [self.dice.between(left, right), self.dice.between(near, far), 0.0];
            if self.sees(p, 1.8) {
                return Some(p);
            }
        }
        None
    }

    /// A place at a distance from another.
    pub fn place_from(&mut self, from: Vector, least: f64, most: f64) -> Option<Vector> {
        for _ in 0..TRIES {
            let (r, a) = (self.dice.between(least, most), self.dice.between(0.0, TAU));
            let p = [from[0] + r * a.cos(), from[1] + r * a.sin(), 0.0];
            if self.sees(p, 1.8) {
                return Some(p);
            }
        }
        None
    }

    pub fn heading(&mut self) -> f64 {
        self.dice.between(0.0, TAU)
    }

    pub fn area(&mut self, kind: AreaKind, zone: Option<&str>, corners: &[Vector]) -> Option<()> {
        let corners: Option<Vec<Corner>> =
            corners.iter().map(|c| if self.eye.sees(*c) { self.eye.mark(*c, 0.003) } else { None }).collect();
        let area = Area { kind, zone: zone.map(str::to_owned), corners: corners? };
        crate::scene::area::check(&area).is_none().then(|| self.areas.push(area))
    }

    /// A rectangle on the floor, or as high as `middle` is.
    pub fn rectangle(&mut self, kind: AreaKind, zone: Option<&str>, middle: Vector, wide: f64, deep: f64, turned: f64) -> Option<()> {
        let (s, c) = turned.sin_cos();
        let corner = |a: f64, b: f64| [middle[0] + a * c - b * s, middle[1] + a * s + b * c, middle[2]];
        let (a, b) = (wide / 2.0, deep / 2.0);
        self.area(kind, zone, &[corner(-a, -b), corner(a, -b), corner(a, b), corner(-a, b)])
    }

    /// How the installer calibrated: most let somebody walk, some measured a mat.
    pub fn marks(&mut self) -> Option<setup::Floor> {
        if self.dice.chance(0.3) {
            for _ in 0..TRIES {
                let m = self.place()?;
                let (w, d) = (self.dice.between(1.2, 2.0), self.dice.between(1.2, 2.0));
                let corners = [[-w, -d], [w, -d], [w, d], [-w, d]].map(|[a, b]| [m[0] + a / 2.0, m[1] + b / 2.0, 0.0]);
                let marked = corners.map(|c| if self.eye.sees(c) { self.eye.mark(c, 0.004) } else { None });
                if let [Some(a), Some(b), Some(c), Some(e)] = marked {
                    let cm = |v: f64| (v * 100.0).round() as u16;
                    let camera_cm = cm(self.eye.mount.height() * (1.0 + 0.02 * self.dice.normal()));
                    return Some(setup::Floor::Rectangle { corners: [a, b, c, e], width_cm: cm(w), depth_cm: cm(d), camera_cm });
                }
            }
            return None;
        }
        let tall = self.dice.between(1.5, 1.8);
        let n = self.dice.one_of(&[4, 5, 6], 4);
        let mut places = Vec::new();
        for _ in 0..n {
            let p = self.place()?;
            places.push([self.eye.mark(p, 0.004)?, self.eye.mark([p[0], p[1], tall], 0.004)?]);
        }
        Some(setup::Floor::Walked { height_cm: (tall * 100.0).round() as u16, places })
    }

    pub fn child(&mut self) -> Option<Actor> {
        let (p, h) = (self.place()?, self.heading());
        Some(Actor::new(true, &mut self.dice).at(p, h, Form::Stand))
    }

    pub fn adult(&mut self) -> Option<Actor> {
        let (p, h) = (self.place()?, self.heading());
        Some(Actor::new(false, &mut self.dice).at(p, h, Form::Stand))
    }

    /// Walks, stands, sits and crouches about until `until_s`.
    pub fn plays(&mut self, mut actor: Actor, until_s: f64) -> Option<Actor> {
        while actor.end_s() < until_s {
            let wait = self.dice.between(3.0, 12.0);
            let to = self.place()?;
            let form = self.dice.one_of(&[Form::Stand, Form::Stand, Form::SitOnFloor, Form::Crouch], Form::Stand);
            let speed = self.dice.between(0.5, 1.2);
            actor = actor.walk(to, speed).then(form, 1.2).wait(wait).then(Form::Stand, 1.0);
        }
        Some(actor)
    }

    /// Goes out of the picture and stays away.
    pub fn walks_off(&mut self, actor: Actor) -> Actor {
        let side = if self.dice.chance(0.5) { 1.0 } else { -1.0 };
        let y = actor.keys.last().map_or(3.0, |k| k.place[1]);
        actor.walk([side * (y * 1.4 + 2.0), y, 0.0], 1.2).leave()
    }

    /// A bed: the middle of its mattress and which way its head is.
    pub fn bed(&mut self) -> Option<(Vector, f64)> {
        for _ in 0..TRIES {
            let p = self.place_in(-2.2, 2.2, 1.2, 4.5)?;
            let (high, turned) = (self.dice.between(0.1, 0.4), self.heading());
            let middle = [p[0], p[1], high];
            // Beds stand apart.
            if self.beds.iter().any(|b| (b[0] - p[0]).hypot(b[1] - p[1]) < 1.5) {
                continue;
            }
            if self.rectangle(AreaKind::Bed, None, middle, 1.3, 0.7, turned).is_some() {
                self.beds.push(middle);
                return Some((middle, turned));
            }
        }
        None
    }

    pub fn sleeper(&mut self, (bed, turned): (Vector, f64), form: Form, infant: bool) -> Actor {
        let mut actor = Actor::new(true, &mut self.dice).at(bed, turned, form);
        if infant {
            actor.stature = self.dice.between(0.64, 0.78);
        }
        // The hips are below the middle of the bed.
        let shift = 0.08 * actor.stature;
        for key in &mut actor.keys {
            key.place = [bed[0] - shift * turned.cos(), bed[1] - shift * turned.sin(), bed[2]];
        }
        actor.restless = 0.006;
        actor
    }

    /// A wall at the far side with a window: where the sill begins, and how high it is.
    pub fn window(&mut self) -> Option<(Vector, f64)> {
        for _ in 0..TRIES {
            let (x, y) = (self.dice.between(-1.5, 1.5), self.dice.between(3.0, 6.5));
            let (sill, top) = (self.dice.between(0.5, 0.9), self.dice.between(1.7, 2.0));
            let corners = [[x - 0.8, y - 0.25, sill], [x + 0.8, y - 0.25, sill], [x + 0.8, y, top], [x - 0.8, y, top]];
            let before = [x, y - 0.7, 0.0];
            if self.eye.sees(before) && self.area(AreaKind::Window, None, &corners).is_some() {
                return Some((before, sill));
            }
        }
        None
    }

    /// A part of the floor with a zone of its own.
    pub fn floor_area(&mut self, kind: AreaKind, zone: Option<&str>, wide: f64, deep: f64) -> Option<Vector> {
        for _ in 0..TRIES {
            let p = self.place_in(-2.2, 2.2, 1.8, 5.0)?;
            if self.rectangle(kind, zone, p, wide, deep, 0.0).is_some() {
                return Some(p);
            }
        }
        None
    }
}

/// Somebody in the street, behind a glass door that is drawn as ignored.
pub fn passer_by(s: &mut Stage) -> Option<Actor> {
    for _ in 0..TRIES {
        let (x, y) = (s.dice.between(-1.5, 1.5), s.dice.between(4.0, 6.5));
        let glass = [[x - 1.2, y, 0.0], [x + 1.2, y, 0.0], [x + 1.2, y, 2.1], [x - 1.2, y, 2.1]];
        if s.area(AreaKind::Ignore, None, &glass).is_some() {
            let a = Actor::new(false, &mut s.dice).at([x - 0.6, y + 0.6, 0.0], 0.0, Form::Stand);
            return Some(a.wait(20.0).walk([x + 0.6, y + 0.6, 0.0], 0.4).wait(400.0));
        }
    }
    None
}
