//! A child is left behind at closing time, or nobody is.
use super::Plot;
use super::stage::{Stage, passer_by};
use crate::scene::script::body::{Actor, Form, Quilt};

pub fn left(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
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
