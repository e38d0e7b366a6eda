//! A child climbs on a sill or shelf, or stands before it.
use super::Plot;
use super::stage::Stage;
use crate::scene::script::body::{Actor, Form};
use std::f64::consts::FRAC_PI_2;

pub fn climb(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
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
