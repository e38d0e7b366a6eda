//! Children sleep, and nobody is with them or somebody is.
use super::Plot;
use super::stage::Stage;
use crate::scene::script::body::{Form, Quilt};

pub fn nap_watch(s: &mut Stage, positive: bool, seed: u64) -> Option<Plot> {
    let mut actors = Vec::new();
    for _ in 0..2 + seed % 2 {
        let bed = s.bed()?;
        let form = s.dice.one_of(&[Form::Supine, Form::Side], Form::Supine);
        let quilt = s.dice.one_of(&[Quilt::None, Quilt::Legs], Quilt::None);
        actors.push(s.sleeper(bed, form, false).quilt(quilt).wait(900.0));
    }
    let a = s.adult()?;
    let (name, from_s) = match (positive, seed % 3) {
        (true, 0 | 1) => {
            let off = s.walks_off(a.wait(20.0));
            let from = off.until_s;
            actors.push(off);
            ("the adult leaves the sleepers", from)
        }
        (true, _) => ("nobody is with the sleepers", 0.0),
        (false, 0) => {
            let to = s.place()?;
            actors.push(a.walk(to, 1.0).then(Form::SitOnChair, 1.5).wait(900.0));
            ("an adult sits with the sleepers", 0.0)
        }
        (false, 1) => {
            actors.push(s.plays(a, 420.0)?);
            ("an adult goes about among the sleepers", 0.0)
        }
        (false, _) => {
            let to = s.place()?;
            let mut off = s.walks_off(a.wait(30.0));
            off.until_s = f64::INFINITY;
            actors.push(off.wait(200.0).walk(to, 1.2).wait(900.0));
            ("the adult is away for three and a half minutes", 0.0)
        }
    };
    Some(Plot { name, actors, lasts_s: 420.0, from_s, nap: true, ..Plot::default() })
}
