//! A carer has left the room, or only seems to have.
use super::Plot;
use super::stage::Stage;
use crate::scene::script::body::{Actor, Form};

pub fn unattended(s: &mut Stage, seed: u64) -> Option<Plot> {
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

pub fn attended(s: &mut Stage, seed: u64) -> Option<Plot> {
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
