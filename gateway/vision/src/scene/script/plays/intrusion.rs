//! A child is where children may not be, or near there.
use super::Plot;
use super::stage::Stage;
use crate::scene::script::body::{Actor, Form};
use crate::setup::AreaKind;

pub fn intrusion(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
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
