//! Too many people in one place, or just as many as may be.
use super::Plot;
use super::stage::Stage;
use std::f64::consts::PI;

pub fn crowd(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
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
