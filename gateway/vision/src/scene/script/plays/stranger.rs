//! Somebody is in the house after hours, or passes outside.
use super::Plot;
use super::stage::{Stage, passer_by};
use crate::scene::script::body::Form;

pub fn stranger(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
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
