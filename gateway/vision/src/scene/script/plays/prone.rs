//! A child sleeps face down, or otherwise.
use super::Plot;
use super::stage::Stage;
use crate::scene::script::body::{Actor, Form, Quilt};
use std::f64::consts::FRAC_PI_2;

pub fn prone(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
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
