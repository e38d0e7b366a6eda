//! Too few carers for the children, or just enough.
use super::Plot;
use super::stage::Stage;
use crate::scene::script::body::Form;

pub fn ratio(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
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
