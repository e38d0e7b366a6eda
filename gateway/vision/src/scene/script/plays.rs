//! What happens: for each hazard of the cameras several plots in which it does, and several that resemble it and are harmless.
use super::Dice;
use super::body::{Actor, Form, Quilt, Vector};
use super::eye::{Eye, Prop};
use crate::setup::{self, Area, AreaKind, Camera, Corner};
use crate::sight::ThingKind;
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// The zones of a play.
pub const ROOM: &str = "room";
pub const PLACE: &str = "place";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hazard {
    Unattended,
    UnattendedNap,
    Ratio,
    Exit,
    Fall,
    Climb,
    Intrusion,
    Prone,
    Covered,
    Stranger,
    LeftBehind,
    EBike,
    Crowding,
}

pub const HAZARDS: [Hazard; 13] = [
    Hazard::Unattended,
    Hazard::UnattendedNap,
    Hazard::Ratio,
    Hazard::Exit,
    Hazard::Fall,
    Hazard::Climb,
    Hazard::Intrusion,
    Hazard::Prone,
    Hazard::Covered,
    Hazard::Stranger,
    Hazard::LeftBehind,
    Hazard::EBike,
    Hazard::Crowding,
];

impl Hazard {
    /// As it is called in the hazard catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Hazard::Unattended => "room.unattended",
            Hazard::UnattendedNap => "room.unattended (nap)",
            Hazard::Ratio => "ratio.low (1:3)",
            Hazard::Exit => "exit.child_unattended",
            Hazard::Fall => "child.fall",
            Hazard::Climb => "child.climb",
            Hazard::Intrusion => "zone.intrusion",
            Hazard::Prone => "nap.prone (face down)",
            Hazard::Covered => "nap.prone (covered)",
            Hazard::Stranger => "stranger.after_hours",
            Hazard::LeftBehind => "left.behind",
            Hazard::EBike => "ebike.in_escape",
            Hazard::Crowding => "crowding",
        }
    }

    /// How long it must last, as the rule packs have it.
    pub fn hold_ms(self) -> i64 {
        1000 * match self {
            Hazard::Unattended | Hazard::EBike => 60,
            Hazard::UnattendedNap => 300,
            Hazard::Ratio => 600,
            Hazard::Fall => 10,
            Hazard::Climb => 2,
            Hazard::Prone | Hazard::Crowding => 30,
            Hazard::Covered => 120,
            Hazard::LeftBehind => 180,
            Hazard::Exit | Hazard::Intrusion | Hazard::Stranger => 0,
        }
    }
}

/// One scene.
#[derive(Debug, Clone)]
pub struct Play {
    pub hazard: Hazard,
    /// The hazard is there.
    pub positive: bool,
    pub plot: &'static str,
    pub eye: Eye,
    pub camera: Camera,
    pub actors: Vec<Actor>,
    pub props: Vec<Prop>,
    pub fps: f64,
    pub lasts_s: f64,
    /// When the hazard begins.
    pub from_s: f64,
    pub nap: bool,
    /// When the door opens.
    pub door_s: f64,
}

/// The stage: a camera and what was drawn on its picture.
struct Stage {
    dice: Dice,
    eye: Eye,
    areas: Vec<Area>,
    beds: Vec<Vector>,
}

/// Tries to find a place; a stage on which there is none is built anew.
const TRIES: usize = 300;

impl Stage {
    fn sees(&self, [x, y, z]: Vector, tall: f64) -> bool {
        self.eye.sees([x, y, z]) && self.eye.sees([x, y, z + tall])
    }

    /// A place where an adult is seen whole.
    fn place(&mut self) -> Option<Vector> {
        self.place_in(-2.8, 2.8, 1.2, 6.0)
    }

    fn place_in(&mut self, left: f64, right: f64, near: f64, far: f64) -> Option<Vector> {
        for _ in 0..TRIES {
            let p = [self.dice.between(left, right), self.dice.between(near, far), 0.0];
            if self.sees(p, 1.8) {
                return Some(p);
            }
        }
        None
    }

    /// A place at a distance from another.
    fn place_from(&mut self, from: Vector, least: f64, most: f64) -> Option<Vector> {
        for _ in 0..TRIES {
            let (r, a) = (self.dice.between(least, most), self.dice.between(0.0, TAU));
            let p = [from[0] + r * a.cos(), from[1] + r * a.sin(), 0.0];
            if self.sees(p, 1.8) {
                return Some(p);
            }
        }
        None
    }

    fn heading(&mut self) -> f64 {
        self.dice.between(0.0, TAU)
    }

    fn area(&mut self, kind: AreaKind, zone: Option<&str>, corners: &[Vector]) -> Option<()> {
        let corners: Option<Vec<Corner>> =
            corners.iter().map(|c| if self.eye.sees(*c) { self.eye.mark(*c, 0.003) } else { None }).collect();
        let area = Area { kind, zone: zone.map(str::to_owned), corners: corners? };
        crate::scene::area::check(&area).is_none().then(|| self.areas.push(area))
    }

    /// A rectangle on the floor, or as high as `middle` is.
    fn rectangle(&mut self, kind: AreaKind, zone: Option<&str>, middle: Vector, wide: f64, deep: f64, turned: f64) -> Option<()> {
        let (s, c) = turned.sin_cos();
        let corner = |a: f64, b: f64| [middle[0] + a * c - b * s, middle[1] + a * s + b * c, middle[2]];
        let (a, b) = (wide / 2.0, deep / 2.0);
        self.area(kind, zone, &[corner(-a, -b), corner(a, -b), corner(a, b), corner(-a, b)])
    }

    /// How the installer calibrated: most let somebody walk, some measured a mat.
    fn marks(&mut self) -> Option<setup::Floor> {
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

    fn child(&mut self) -> Option<Actor> {
        let (p, h) = (self.place()?, self.heading());
        Some(Actor::new(true, &mut self.dice).at(p, h, Form::Stand))
    }

    fn adult(&mut self) -> Option<Actor> {
        let (p, h) = (self.place()?, self.heading());
        Some(Actor::new(false, &mut self.dice).at(p, h, Form::Stand))
    }

    /// Walks, stands, sits and crouches about until `until_s`.
    fn plays(&mut self, mut actor: Actor, until_s: f64) -> Option<Actor> {
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
    fn walks_off(&mut self, actor: Actor) -> Actor {
        let side = if self.dice.chance(0.5) { 1.0 } else { -1.0 };
        let y = actor.keys.last().map_or(3.0, |k| k.place[1]);
        actor.walk([side * (y * 1.4 + 2.0), y, 0.0], 1.2).leave()
    }

    /// A bed: the middle of its mattress and which way its head is.
    fn bed(&mut self) -> Option<(Vector, f64)> {
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

    fn sleeper(&mut self, (bed, turned): (Vector, f64), form: Form, infant: bool) -> Actor {
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
    fn window(&mut self) -> Option<(Vector, f64)> {
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
    fn floor_area(&mut self, kind: AreaKind, zone: Option<&str>, wide: f64, deep: f64) -> Option<Vector> {
        for _ in 0..TRIES {
            let p = self.place_in(-2.2, 2.2, 1.8, 5.0)?;
            if self.rectangle(kind, zone, p, wide, deep, 0.0).is_some() {
                return Some(p);
            }
        }
        None
    }
}

/// What a plot fills in.
#[derive(Default)]
struct Plot {
    name: &'static str,
    actors: Vec<Actor>,
    props: Vec<Prop>,
    lasts_s: f64,
    from_s: f64,
    nap: bool,
    door_s: f64,
}

/// The play of a seed. Seeds that differ give other cameras, marks, people, times and errors of the model.
pub fn play(hazard: Hazard, positive: bool, seed: u64) -> Option<Play> {
    for attempt in 0..50_u64 {
        let mut dice =
            Dice::new(seed.wrapping_mul(1009).wrapping_add(attempt * 7_919).wrapping_add(hazard as u64 * 131 + u64::from(positive)));
        let eye = Eye::new(&mut dice);
        let mut stage = Stage { dice, eye, areas: Vec::new(), beds: Vec::new() };
        let Some(plot) = plot(&mut stage, hazard, positive, seed) else { continue };
        let Some(floor) = stage.marks() else { continue };
        let camera = Camera { device: "cam".to_owned(), areas: stage.areas.clone(), floor: Some(floor), rate: 10 };
        if camera.check().is_err() {
            continue;
        }
        let fps = match hazard {
            Hazard::Fall | Hazard::Climb => stage.dice.one_of(&[1.0, 2.0, 2.0, 4.0], 1.0),
            Hazard::Ratio | Hazard::UnattendedNap | Hazard::Covered | Hazard::LeftBehind => stage.dice.one_of(&[0.5, 1.0], 1.0),
            _ => stage.dice.one_of(&[0.5, 1.0, 1.0, 2.0, 4.0], 1.0),
        };
        let Plot { name, actors, props, lasts_s, from_s, nap, door_s } = plot;
        let eye = stage.eye;
        return Some(Play { hazard, positive, plot: name, eye, camera, actors, props, fps, lasts_s, from_s, nap, door_s });
    }
    None
}

fn plot(stage: &mut Stage, hazard: Hazard, positive: bool, seed: u64) -> Option<Plot> {
    let s = stage;
    match (hazard, positive) {
        (Hazard::Unattended, true) => unattended(s, seed),
        (Hazard::Unattended, false) => attended(s, seed),
        (Hazard::UnattendedNap, _) => nap_watch(s, positive, seed),
        (Hazard::Ratio, _) => ratio(s, positive, seed),
        (Hazard::Exit, _) => exit(s, positive, seed),
        (Hazard::Fall, true) => fall(s, seed),
        (Hazard::Fall, false) => no_fall(s, seed),
        (Hazard::Climb, _) => climb(s, positive, seed),
        (Hazard::Intrusion, _) => intrusion(s, positive, seed),
        (Hazard::Prone, _) => prone(s, positive, seed),
        (Hazard::Covered, _) => covered(s, positive, seed),
        (Hazard::Stranger, _) => stranger(s, positive, seed),
        (Hazard::LeftBehind, _) => left(s, positive, seed),
        (Hazard::EBike, _) => ebike(s, positive, seed),
        (Hazard::Crowding, _) => crowd(s, positive, seed),
    }
}

fn unattended(s: &mut Stage, seed: u64) -> Option<Plot> {
    let lasts_s = 130.0;
    let (name, actors, from_s) = match seed % 5 {
        0 => {
            let c = s.child()?;
            ("one child alone", vec![s.plays(c, lasts_s)?], 0.0)
        }
        1 => {
            let (a, b, c) = (s.adult()?.wait(15.0), s.child()?, s.child()?);
            let adult = s.walks_off(a);
            let from = adult.until_s;
            ("the adult leaves two children", vec![adult, s.plays(b, lasts_s)?, s.plays(c, lasts_s)?], from)
        }
        2 => {
            let (a, b) = (s.child()?, s.child()?);
            let sit = |c: Actor| c.then(Form::SitOnFloor, 0.1).wait(200.0);
            ("two children who sit on the floor from the first frame on", vec![sit(a), sit(b)], 0.0)
        }
        3 => {
            let (a, mut b) = (s.child()?, s.child()?);
            b.legs_hidden = true;
            ("two children, of one the legs are never seen", vec![s.plays(a, lasts_s)?, b.wait(200.0)], 0.0)
        }
        _ => {
            let mut a = s.child()?;
            while a.end_s() < lasts_s {
                a = a.walk(s.place()?, 1.8);
            }
            ("a child runs about", vec![a], 0.0)
        }
    };
    Some(Plot { name, actors, lasts_s, from_s, ..Plot::default() })
}

fn attended(s: &mut Stage, seed: u64) -> Option<Plot> {
    let lasts_s = 130.0;
    let (b, c) = (s.child()?, s.child()?);
    let mut actors = vec![s.plays(b, lasts_s)?, s.plays(c, lasts_s)?];
    let a = s.adult()?;
    let name = match seed % 7 {
        0 => {
            actors.push(s.plays(a, lasts_s)?);
            "an adult plays with two children"
        }
        1 => {
            let to = s.place()?;
            actors.push(a.walk(to, 1.0).then(Form::SitOnFloor, 1.5).wait(200.0));
            "an adult comes and sits down on the floor"
        }
        2 => {
            let (back, off) = (s.place()?, s.walks_off(a.wait(20.0)));
            let gone = off.end_s() + 35.0 - off.keys.last().map_or(0.0, |k| k.at_s + k.takes_s);
            let _ = gone;
            let mut again = off.clone();
            again.until_s = f64::INFINITY;
            actors.push(again.wait(35.0).walk(back, 1.2).wait(200.0));
            "the adult is away for 40 s"
        }
        3 => {
            actors.push(a.then(Form::SitOnFloor, 0.1).wait(200.0));
            "an adult who sits on the floor from the first frame on"
        }
        4 => {
            let mut a = a;
            while a.end_s() < lasts_s {
                let form = s.dice.one_of(&[Form::Crouch, Form::Bend], Form::Bend);
                a = a.wait(2.0).then(form, 1.2).wait(14.0).then(Form::Stand, 1.0);
            }
            actors.push(a);
            "an adult crouches and bends most of the time"
        }
        5 => {
            let mut a = a.wait(200.0);
            a.legs_hidden = true;
            actors.push(a);
            "an adult whose legs are never seen"
        }
        _ => {
            let other = s.adult()?;
            actors = vec![s.plays(a, lasts_s)?, s.plays(other, lasts_s)?];
            "two adults without children"
        }
    };
    Some(Plot { name, actors, lasts_s, ..Plot::default() })
}

fn nap_watch(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let mut actors = Vec::new();
    for _ in 0..2 + seed % 2 {
        let bed = s.bed()?;
        let form = s.dice.one_of(&[Form::Supine, Form::Side], Form::Supine);
        let quilt = s.dice.one_of(&[Quilt::None, Quilt::Legs], Quilt::None);
        actors.push(s.sleeper(bed, form, false).quilt(quilt).wait(900.0));
    }
    let a = s.adult()?;
    let (name, from_s) = match (positive, seed % 3) {
        (true, 0 | 1) => {
            let off = s.walks_off(a.wait(20.0));
            let from = off.until_s;
            actors.push(off);
            ("the adult leaves the sleepers", from)
        }
        (true, _) => ("nobody is with the sleepers", 0.0),
        (false, 0) => {
            let to = s.place()?;
            actors.push(a.walk(to, 1.0).then(Form::SitOnChair, 1.5).wait(900.0));
            ("an adult sits with the sleepers", 0.0)
        }
        (false, 1) => {
            actors.push(s.plays(a, 420.0)?);
            ("an adult goes about among the sleepers", 0.0)
        }
        (false, _) => {
            let to = s.place()?;
            let mut off = s.walks_off(a.wait(30.0));
            off.until_s = f64::INFINITY;
            actors.push(off.wait(200.0).walk(to, 1.2).wait(900.0));
            ("the adult is away for three and a half minutes", 0.0)
        }
    };
    Some(Plot { name, actors, lasts_s: 420.0, from_s, nap: true, ..Plot::default() })
}

fn ratio(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let lasts_s = 760.0;
    let (name, adults, children) = match (positive, seed % 3) {
        (true, 0) => ("one adult, four children", 1, 4),
        (true, 1) => ("one adult, four children who sit from the first frame on", 1, 4),
        (true, _) => ("the second adult leaves four children", 2, 4),
        (false, 0) => ("one adult, three children", 1, 3),
        (false, 1) => ("two adults, three children", 2, 3),
        (false, _) => ("the second adult is away for eight minutes", 2, 4),
    };
    let mut actors = Vec::new();
    for _ in 0..children {
        let c = s.child()?;
        let sits = positive && seed % 3 == 1;
        actors.push(if sits { c.then(Form::SitOnFloor, 0.1).wait(900.0) } else { s.plays(c, lasts_s)? });
    }
    for _ in 0..adults {
        let a = s.adult()?;
        actors.push(s.plays(a, lasts_s)?);
    }
    let mut from_s = 0.0;
    if seed % 3 == 2 {
        actors.pop();
        let (a, back) = (s.adult()?.wait(30.0), s.place()?);
        let mut off = s.walks_off(a);
        from_s = off.end_s();
        if !positive {
            off.until_s = f64::INFINITY;
            off = off.wait(480.0).walk(back, 1.2).wait(900.0);
        }
        actors.push(off);
    }
    Some(Plot { name, actors, lasts_s, from_s, ..Plot::default() })
}

fn exit(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let door = s.floor_area(AreaKind::Exit, Some(PLACE), 1.6, 1.4)?;
    let by = |s: &mut Stage, spread: f64| [door[0] + s.dice.between(-spread, spread), door[1] + s.dice.between(-spread, spread), 0.0];
    let start = s.place_from(door, 1.8, 3.5)?;
    let (child, adult) = (Actor::new(true, &mut s.dice).at(start, 0.0, Form::Stand), Actor::new(false, &mut s.dice));
    let far = s.place_from(door, 2.2, 4.0)?;
    let child = child.wait(10.0).walk(by(s, 0.3), 0.8);
    let opens = child.end_s() + 0.5;
    let walked = |to: Vector, from: Vector| ((to[0] - from[0]).hypot(to[1] - from[1])) / 1.0;
    let (name, actors) = match (positive, seed % 4) {
        (true, 0) => ("a child alone opens the door", vec![child.wait(2.0).leave()]),
        (true, 1) => (
            "a child opens the door, the adult is across the room",
            vec![child.wait(2.0).leave(), adult.at(far, 1.0, Form::Stand).wait(60.0)],
        ),
        (true, 2) => ("a child opens the door, the adult sits across the room", {
            vec![child.wait(2.0).leave(), adult.at(far, 1.0, Form::Stand).wait(4.0).then(Form::SitOnFloor, 1.5).wait(60.0)]
        }),
        (true, _) => {
            let to = by(s, 0.2);
            let adult = adult.at(far, 0.0, Form::Stand);
            ("the adult comes ten seconds late", vec![child.wait(9.0), adult.wait(opens + 10.5 - walked(to, far)).walk(to, 1.0).wait(20.0)])
        }
        (false, 0) => {
            let to = by(s, 0.4);
            ("an adult stands at the door", vec![child.wait(2.0).leave(), adult.at(far, 0.0, Form::Stand).walk(to, 1.2).wait(60.0)])
        }
        (false, 1) => {
            let to = by(s, 0.4);
            let late = adult.at(far, 0.0, Form::Stand).wait((opens + 2.0 - walked(to, far)).max(0.0)).walk(to, 1.0).wait(20.0);
            ("an adult follows two seconds later", vec![child.wait(2.0).leave(), late])
        }
        (false, 2) => {
            let to = by(s, 0.4);
            let adult = adult.at(far, 0.0, Form::Stand).walk(to, 1.2).then(Form::Crouch, 1.2).wait(60.0);
            ("an adult crouches at the door to help with shoes", vec![child.wait(20.0), adult])
        }
        (false, _) => {
            let to = by(s, 0.4);
            let out = adult.at(far, 0.0, Form::Stand).wait((opens - 1.0 - walked(to, far)).max(0.0)).walk(to, 1.0).wait(2.5).leave();
            ("an adult goes out with the child", vec![child.wait(2.0).leave(), out])
        }
    };
    Some(Plot { name, actors, lasts_s: opens + 12.0, from_s: opens, door_s: opens, ..Plot::default() })
}

const DOWN: [Form; 3] = [Form::Supine, Form::Prone, Form::Side];

fn fall(s: &mut Stage, seed: u64) -> Option<Plot> {
    let faller = if seed % 4 == 3 { s.adult()? } else { s.child()? };
    let to = s.place()?;
    let form = s.dice.one_of(&DOWN, Form::Prone);
    let takes = s.dice.between(0.5, 0.9);
    let wait = s.dice.between(3.0, 8.0);
    let mut actor = faller.walk(to, 1.0).wait(wait);
    let turned = s.heading();
    let from_s = actor.end_s();
    actor = actor.then(form, takes);
    // Whichever way.
    if let Some(key) = actor.keys.last_mut() {
        key.heading = turned;
    }
    let mut actor = actor.wait(60.0);
    actor.restless = 0.004;
    let mut actors = vec![actor];
    let name = match seed % 4 {
        0 => "a child falls and lies still",
        1 => {
            let (a, b) = (s.adult()?, s.child()?);
            actors.extend([s.plays(a, 60.0)?, s.plays(b, 60.0)?]);
            "a child falls while others are there"
        }
        2 => {
            let a = s.adult()?;
            actors.push(a.wait(90.0));
            "a child falls, an adult stands by"
        }
        _ => "an adult collapses",
    };
    Some(Plot { name, actors, lasts_s: from_s + 30.0, from_s, ..Plot::default() })
}

fn no_fall(s: &mut Stage, seed: u64) -> Option<Plot> {
    let lasts_s = 70.0;
    let (c, to) = (s.child()?, s.place()?);
    let c = c.walk(to, 0.9).wait(4.0);
    let form = s.dice.one_of(&DOWN, Form::Side);
    let slow = s.dice.between(1.0, 1.6);
    let (name, actor) = match seed % 7 {
        0 => ("a child sits down and plays", c.then(Form::SitOnFloor, 0.8).wait(90.0)),
        1 => {
            let c = c.then(Form::Crouch, slow).then(Form::SitOnFloor, slow).then(form, slow);
            ("a child lies down slowly and stays", c.wait(90.0))
        }
        2 => (
            "a child falls and gets up after three seconds",
            c.then(form, 0.7).wait(3.0).then(Form::Crouch, 0.8).then(Form::Stand, 0.8).wait(90.0),
        ),
        3 => ("a child crouches for long", c.then(Form::Crouch, 0.6).wait(90.0)),
        4 => {
            let a = s.adult()?;
            ("an adult bends and crouches", a.wait(5.0).then(Form::Bend, 0.8).wait(20.0).then(Form::Crouch, 0.8).wait(90.0))
        }
        5 => {
            let bed = s.bed()?.0;
            let c = s.child()?;
            ("a child lies down on a bed", c.walk([bed[0], bed[1], 0.0], 0.8).climb(bed, form, 1.5).wait(90.0))
        }
        _ => {
            let mut c = c.then(form, 0.8);
            while c.end_s() < lasts_s {
                let p = c.keys.last()?.place;
                let next = s.place_from(p, 0.25, 0.5)?;
                let roll = s.dice.one_of(&DOWN, Form::Side);
                c = c.climb(next, roll, 1.5).wait(2.5);
            }
            ("a child romps on the floor", c)
        }
    };
    Some(Plot { name, actors: vec![actor], lasts_s, ..Plot::default() })
}

fn climb(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let (before, sill) = s.window()?;
    let up = [before[0] + s.dice.between(-0.4, 0.4), before[1] + 0.55, sill];
    let start = s.place()?;
    let child = Actor::new(true, &mut s.dice).at(start, 0.0, Form::Stand).wait(3.0).walk(before, 0.9);
    let adult = Actor::new(false, &mut s.dice).at(start, 0.0, Form::Stand).wait(3.0).walk(before, 0.9);
    let from_s = child.end_s() + 2.5;
    let (name, actors) = match (positive, seed % 4) {
        (true, 0) => ("a child stands on the sill", vec![child.climb(up, Form::Stand, 2.5).turn(FRAC_PI_2).wait(30.0)]),
        (true, 1) => ("a child crouches on the sill", vec![child.climb(up, Form::Crouch, 2.5).wait(30.0)]),
        (true, 2) => (
            "a child stands on the sill from the first frame on",
            vec![Actor::new(true, &mut s.dice).at(up, FRAC_PI_2, Form::Stand).wait(60.0)],
        ),
        (true, _) => {
            let (a, b) = (s.adult()?, s.child()?);
            let others = [s.plays(a, 40.0)?, s.plays(b, 40.0)?];
            let mut actors = vec![child.climb(up, Form::Stand, 2.5).turn(0.0).wait(30.0)];
            actors.extend(others);
            ("a child stands on the sill, others are in the room", actors)
        }
        (false, 0) => ("a child stands before the window", vec![child.turn(FRAC_PI_2).wait(40.0)]),
        (false, 1) => ("an adult stands before the window", vec![adult.turn(FRAC_PI_2).wait(40.0)]),
        (false, 2) => ("an adult stands on the sill to clean", vec![adult.wait(2.0).climb(up, Form::Stand, 2.5).wait(40.0)]),
        (false, _) => {
            let near = [before[0], before[1] + 0.3, 0.0];
            (
                "an adult bends at the window, a child stands by",
                vec![adult.walk(near, 0.8).then(Form::Bend, 1.0).wait(40.0), child.wait(40.0)],
            )
        }
    };
    Some(Plot { name, actors, lasts_s: from_s + 20.0, from_s: if positive { from_s } else { 0.0 }, ..Plot::default() })
}

fn intrusion(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let kind = if seed.is_multiple_of(2) { AreaKind::Kitchen } else { AreaKind::Stairs };
    let middle = s.floor_area(kind, None, 1.8, 1.4)?;
    let start = s.place_from(middle, 1.8, 4.0)?;
    // On this side of it, so that the way does not lead through.
    let side = if start[0] > middle[0] { 1.0 } else { -1.0 };
    let beside = [middle[0] + side * 1.4, middle[1], 0.0];
    if !positive && (start[0] - middle[0]).abs() < 1.2 {
        return None;
    }
    let (child, adult) =
        (Actor::new(true, &mut s.dice).at(start, 0.0, Form::Stand), Actor::new(false, &mut s.dice).at(start, 0.0, Form::Stand));
    let child = child.wait(4.0);
    let (name, actors, from_s) = match (positive, seed / 2 % 3) {
        (true, 0) => {
            let c = child.walk(middle, 0.8);
            let from = c.end_s();
            ("a child goes in and stays", vec![c.wait(20.0)], from)
        }
        (true, 1) => {
            let c = child.walk(middle, 0.8);
            let from = c.end_s();
            let a = adult.walk([middle[0] + 0.5, middle[1], 0.0], 1.2).wait(60.0);
            ("a child follows an adult in", vec![a, c.then(Form::Crouch, 1.0).wait(20.0)], from)
        }
        (true, _) => {
            let c = child.walk(middle, 0.8);
            let from = c.end_s();
            let back = s.place()?;
            ("a child runs in and out", vec![c.wait(4.0).walk(back, 1.2).wait(20.0)], from)
        }
        (false, 0) => (
            "an adult works there",
            vec![adult.walk(middle, 1.0).wait(6.0).then(Form::Bend, 1.0).wait(10.0).then(Form::Stand, 1.0).wait(20.0)],
            0.0,
        ),
        (false, 1) => ("a child plays just beside it", vec![child.walk(beside, 0.8).then(Form::Crouch, 1.0).wait(30.0)], 0.0),
        (false, _) => {
            let a = adult.walk(middle, 1.0).then(Form::Crouch, 1.0).wait(30.0);
            ("an adult crouches there, a child stands beside it", vec![a, child.walk(beside, 0.8).wait(30.0)], 0.0)
        }
    };
    Some(Plot { name, actors, lasts_s: 40.0, from_s, ..Plot::default() })
}

fn prone(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let bed = s.bed()?;
    let (name, actors, from_s) = match (positive, seed % 4) {
        (true, 0) => ("an infant lies face down", vec![s.sleeper(bed, Form::Prone, true).wait(300.0)], 0.0),
        (true, 1) => (
            "an infant lies face down under a quilt to the waist",
            vec![s.sleeper(bed, Form::Prone, true).quilt(Quilt::Legs).wait(300.0)],
            0.0,
        ),
        (true, 2) => {
            let a = s.sleeper(bed, Form::Supine, true).wait(60.0).then(Form::Prone, 2.0);
            let from = a.end_s();
            ("an infant turns over", vec![a.wait(300.0)], from)
        }
        (true, _) => {
            let other = s.bed()?;
            let two = vec![s.sleeper(bed, Form::Prone, true).wait(300.0), s.sleeper(other, Form::Supine, true).wait(300.0)];
            ("one of two infants lies face down", two, 0.0)
        }
        (false, 0) => ("an infant lies on its back", vec![s.sleeper(bed, Form::Supine, true).wait(300.0)], 0.0),
        (false, 1) => ("an infant lies on its side", vec![s.sleeper(bed, Form::Side, true).wait(300.0)], 0.0),
        (false, 2) => {
            let a = s.sleeper(bed, Form::Supine, true).quilt(Quilt::Legs).wait(60.0).then(Form::Side, 2.0).wait(40.0);
            ("an infant turns from back to side and back", vec![a.then(Form::Supine, 2.0).wait(300.0)], 0.0)
        }
        (false, _) => {
            let by = [bed.0[0], bed.0[1] + 0.9, 0.0];
            let start = s.place()?;
            let carer = Actor::new(false, &mut s.dice).at(start, 0.0, Form::Stand).walk(by, 1.0).turn(-FRAC_PI_2).then(Form::Bend, 1.0);
            (
                "a carer bends over a bed",
                vec![s.sleeper(bed, Form::Supine, true).wait(300.0), carer.wait(40.0).then(Form::Stand, 1.0).wait(300.0)],
                0.0,
            )
        }
    };
    Some(Plot { name, actors, lasts_s: 150.0, from_s, nap: true, ..Plot::default() })
}

fn covered(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let bed = s.bed()?;
    let form = s.dice.one_of(&[Form::Supine, Form::Side], Form::Supine);
    let a = s.sleeper(bed, form, false);
    let by = [bed.0[0], bed.0[1] + 0.85, 0.0];
    let start = s.place()?;
    let carer = Actor::new(false, &mut s.dice).at(start, 0.0, Form::Stand);
    let (name, actors, from_s) = match (positive, seed % 4) {
        (true, 0) => ("the quilt is drawn over the head", vec![a.wait(50.0).quilt(Quilt::Head).wait(400.0)], 50.0),
        (true, 1) => ("a child vanishes under its quilt", vec![a.wait(70.0).quilt(Quilt::All).wait(400.0)], 70.0),
        (true, 2) => ("the head is covered from the first frame on", vec![a.quilt(Quilt::Head).wait(400.0)], 0.0),
        (true, _) => {
            let away = s.walks_off(carer.wait(10.0));
            (
                "a carer goes, then a child vanishes under its quilt",
                vec![a.quilt(Quilt::Legs).wait(80.0).quilt(Quilt::All).wait(400.0), away],
                80.0,
            )
        }
        (false, 0) => ("a quilt to the chest", vec![a.quilt(Quilt::Legs).wait(400.0)], 0.0),
        (false, 1) => {
            ("the head is covered for 70 s", vec![a.wait(50.0).quilt(Quilt::Head).wait(70.0).quilt(Quilt::None).wait(400.0)], 0.0)
        }
        (false, 2) => {
            let carer = carer.wait(55.0).walk(by, 1.0).turn(-FRAC_PI_2).then(Form::Bend, 1.0).wait(6.0);
            let from = carer.end_s();
            let mut a = a.wait(from);
            a.until_s = from - 1.0;
            ("a carer takes a child out", vec![a, s.walks_off(carer.then(Form::Stand, 1.0))], 0.0)
        }
        (false, _) => {
            let to = s.place_from(bed.0, 1.2, 3.0)?;
            let a = a
                .wait(60.0)
                .then(Form::SitOnFloor, 1.5)
                .wait(6.0)
                .climb([bed.0[0], bed.0[1] - 0.6, 0.0], Form::Stand, 1.5)
                .walk(to, 0.8)
                .wait(10.0);
            ("a child gets up and goes", vec![s.walks_off(a)], 0.0)
        }
    };
    Some(Plot { name, actors, lasts_s: 260.0, from_s, nap: true, ..Plot::default() })
}

/// Somebody in the street, behind a glass door that is drawn as ignored.
fn passer_by(s: &mut Stage) -> Option<Actor> {
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

fn stranger(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let a = s.adult()?;
    let mut late = a.clone();
    for key in &mut late.keys {
        key.at_s = 20.0;
    }
    let (name, actors, from_s) = match (positive, seed % 3) {
        (true, 0) => ("somebody walks about", vec![s.plays(late, 60.0)?], 20.0),
        (true, 1) => {
            let to = s.place()?;
            let through = late.walk(to, 1.2);
            ("somebody passes through", vec![s.walks_off(through)], 20.0)
        }
        (true, _) => ("somebody crouches", vec![late.then(Form::Crouch, 0.5).wait(90.0)], 20.0),
        (false, 0 | 1) => ("nobody, but what the model imagines", vec![], 0.0),
        (false, _) => ("a passer-by behind the glass", vec![passer_by(s)?], 0.0),
    };
    Some(Plot { name, actors, lasts_s: if positive { 60.0 } else { 300.0 }, from_s, ..Plot::default() })
}

fn left(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let (name, actors) = match (positive, seed % 4) {
        (true, 0) => {
            let (p, h) = (s.place()?, s.heading());
            let mut a = Actor::new(true, &mut s.dice).at(p, h, Form::Side).wait(900.0);
            a.restless = 0.005;
            ("a child sleeps on the floor", vec![a])
        }
        (true, 1) => {
            let bed = s.bed()?;
            (
                "a child sleeps in a bed, under a quilt to the chest",
                vec![s.sleeper(bed, Form::Supine, false).quilt(Quilt::Legs).wait(900.0)],
            )
        }
        (true, 2) => {
            let c = s.child()?;
            ("a child goes about", vec![s.plays(c, 300.0)?])
        }
        (true, _) => {
            let mut c = s.child()?.then(Form::SitOnFloor, 0.2).wait(900.0);
            c.legs_hidden = true;
            ("a child sits half hidden", vec![c])
        }
        (false, 0) => ("nobody, but what the model imagines", vec![]),
        (false, 1) => {
            let a = s.adult()?;
            let a = s.plays(a, 60.0)?;
            ("a carer sweeps the room and leaves", vec![s.walks_off(a)])
        }
        (false, 2) => ("a passer-by behind the glass", vec![passer_by(s)?]),
        (false, _) => {
            let mut actors = Vec::new();
            for k in 0..2 {
                let a = s.adult()?;
                let mut a = s.walks_off(a.wait(30.0));
                for key in &mut a.keys {
                    key.at_s += f64::from(k) * 100.0;
                }
                a.until_s += f64::from(k) * 100.0;
                actors.push(a);
            }
            ("two people pass, one after the other", actors)
        }
    };
    Some(Plot { name, actors, lasts_s: 300.0, ..Plot::default() })
}

fn ebike(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let middle = s.floor_area(AreaKind::Escape, None, 1.6, 2.2)?;
    let kind = s.dice.one_of(&[ThingKind::Bicycle, ThingKind::Motorcycle], ThingKind::Bicycle);
    let heading = s.heading();
    let high = s.dice.between(0.95, 1.15);
    let prop = |keys: Vec<(f64, Vector)>| Prop { kind, keys, long: 1.5, high, heading };
    let far = [middle[0] + 3.5, middle[1], 0.0];
    let (name, props, from_s) = match (positive, seed % 4) {
        (true, 0 | 1) => ("it stands there from the first frame on", vec![prop(vec![(0.0, middle), (900.0, middle)])], 0.0),
        (true, 2) => ("it is pushed in and left", vec![prop(vec![(0.0, far), (20.0, far), (26.0, middle), (900.0, middle)])], 26.0),
        (true, _) => {
            let mut low = prop(vec![(0.0, middle), (900.0, middle)]);
            low.high = 0.85;
            ("a low one stands there", vec![low], 0.0)
        }
        (false, 0) => {
            let other = [middle[0] - 3.5, middle[1], 0.0];
            ("it is pushed through", vec![prop(vec![(0.0, far), (20.0, far), (32.0, other), (33.0, other)])], 0.0)
        }
        (false, 1) => ("it stands there for 45 s", vec![prop(vec![(0.0, middle), (45.0, middle), (50.0, far), (51.0, far)])], 0.0),
        (false, 2) => {
            let beside = [middle[0] + 1.9, middle[1], 0.0];
            ("it stands beside the route", vec![prop(vec![(0.0, beside), (900.0, beside)])], 0.0)
        }
        (false, _) => {
            let mut toy = prop(vec![(0.0, middle), (900.0, middle)]);
            (toy.long, toy.high) = (0.6, 0.5);
            ("a child's tricycle", vec![toy], 0.0)
        }
    };
    Some(Plot { name, props, lasts_s: 120.0, from_s, ..Plot::default() })
}

fn crowd(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let (name, many) = match (positive, seed % 3) {
        (true, _) => ("eight to ten people", 8 + seed % 3),
        (false, 0 | 1) => ("three to five people", 3 + seed % 3),
        (false, _) => ("five, and for ten seconds nine", 5),
    };
    let mut actors = Vec::new();
    for k in 0..many {
        let a = if k % 3 == 0 { s.adult()? } else { s.child()? };
        actors.push(s.plays(a, 90.0)?);
    }
    if !positive && seed % 3 == 2 {
        for _ in 0..4 {
            let mut c = s.child()?.wait(10.0);
            for key in &mut c.keys {
                key.at_s += 30.0;
            }
            c.until_s = 40.0;
            actors.push(c);
        }
    }
    let _ = PI;
    Some(Plot { name, actors, lasts_s: 90.0, ..Plot::default() })
}
