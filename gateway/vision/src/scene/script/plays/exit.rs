//! A child goes out by the door alone, or not alone, or not out.
use super::stage::Stage;
use super::{PLACE, Plot};
use crate::scene::script::body::{Actor, Form, Vector};
use crate::setup::AreaKind;

pub fn exit(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
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
