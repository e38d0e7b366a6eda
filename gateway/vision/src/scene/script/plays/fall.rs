//! Somebody falls, or lies down, kneels or plays on the floor.
use super::Plot;
use super::stage::Stage;
use crate::scene::script::body::Form;

const DOWN: [Form; 3] = [Form::Supine, Form::Prone, Form::Side];

pub fn fall(s: &mut Stage, seed: u64) -> Option<Plot> {
    let faller = if seed % 4 == 3 { s.adult()? } else { s.child()? };
    let to = s.place()?;
    let form = s.dice.one_of(&DOWN, Form::Prone);
    let takes = s.dice.between(0.5, 0.9);
    let wait = s.dice.between(3.0, 8.0);
    let mut actor = faller.walk(to, 1.0).wait(wait);
    let turned = s.heading();
    let from_s = actor.end_s();
    actor = actor.then(form, takes);
    // Whichever way.
    if let Some(key) = actor.keys.last_mut() {
        key.heading = turned;
    }
    let mut actor = actor.wait(60.0);
    actor.restless = 0.004;
    let mut actors = vec![actor];
    let name = match seed % 4 {
        0 => "a child falls and lies still",
        1 => {
            let (a, b) = (s.adult()?, s.child()?);
            actors.extend([s.plays(a, 60.0)?, s.plays(b, 60.0)?]);
            "a child falls while others are there"
        }
        2 => {
            let a = s.adult()?;
            actors.push(a.wait(90.0));
            "a child falls, an adult stands by"
        }
        _ => "an adult collapses",
    };
    Some(Plot { name, actors, lasts_s: from_s + 30.0, from_s, ..Plot::default() })
}

pub fn no_fall(s: &mut Stage, seed: u64) -> Option<Plot> {
    let lasts_s = 70.0;
    let (c, to) = (s.child()?, s.place()?);
    let c = c.walk(to, 0.9).wait(4.0);
    let form = s.dice.one_of(&DOWN, Form::Side);
    let slow = s.dice.between(1.0, 1.6);
    let (name, actor) = match seed % 7 {
        0 => ("a child sits down and plays", c.then(Form::SitOnFloor, 0.8).wait(90.0)),
        1 => {
            let c = c.then(Form::Crouch, slow).then(Form::SitOnFloor, slow).then(form, slow);
            ("a child lies down slowly and stays", c.wait(90.0))
        }
        2 => (
            "a child falls and gets up after three seconds",
            c.then(form, 0.7).wait(3.0).then(Form::Crouch, 0.8).then(Form::Stand, 0.8).wait(90.0),
        ),
        3 => ("a child crouches for long", c.then(Form::Crouch, 0.6).wait(90.0)),
        4 => {
            let a = s.adult()?;
            ("an adult bends and crouches", a.wait(5.0).then(Form::Bend, 0.8).wait(20.0).then(Form::Crouch, 0.8).wait(90.0))
        }
        5 => {
            let bed = s.bed()?.0;
            let c = s.child()?;
            ("a child lies down on a bed", c.walk([bed[0], bed[1], 0.0], 0.8).climb(bed, form, 1.5).wait(90.0))
        }
        _ => {
            let mut c = c.then(form, 0.8);
            while c.end_s() < lasts_s {
                let p = c.keys.last()?.place;
                let next = s.place_from(p, 0.25, 0.5)?;
                let roll = s.dice.one_of(&DOWN, Form::Side);
                c = c.climb(next, roll, 1.5).wait(2.5);
            }
            ("a child romps on the floor", c)
        }
    };
    Some(Plot { name, actors: vec![actor], lasts_s, ..Plot::default() })
}
