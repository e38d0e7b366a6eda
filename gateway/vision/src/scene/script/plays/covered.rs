//! A quilt covers a sleeper's head, or does not.
use super::Plot;
use super::stage::Stage;
use crate::scene::script::body::{Actor, Form, Quilt};
use std::f64::consts::FRAC_PI_2;

pub fn covered(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
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
