//! What the detectors make of the plays, with the rules' holds applied.
use super::plays::{HAZARDS, Hazard, PLACE, Play, ROOM, play};
use crate::scene::{Answer, Scene, Sign, ZoneFacts, ZoneSight};

/// Children for one carer in the plays of `ratio.low`.
const RATIO: u16 = 3;
/// An adult must be seen at a door within so long of its opening.
const DOOR_S: f64 = 5.0;

/// What came of one play.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// Raised, so many seconds after the hazard began (its hold included).
    Alarm(f64),
    Quiet,
    /// Not raised, and for most of the time it was said that it cannot be told.
    CannotTell,
}

/// What a rule would make of a zone's sight; `None` for zones that do not matter to it.
fn condition(hazard: Hazard, sight: &ZoneSight) -> Option<Answer> {
    let sign = |s: Sign| sight.signs.get(&s).copied();
    let room = sight.zone == ROOM;
    let is = |yes: bool| if yes { Answer::Yes } else { Answer::No };
    match hazard {
        Hazard::Unattended | Hazard::UnattendedNap if room => sign(Sign::Unattended),
        Hazard::Fall if room => sign(Sign::Fallen),
        Hazard::Climb if room => sign(Sign::Climbing),
        Hazard::Intrusion if room => sign(Sign::Intrusion),
        Hazard::Prone if room => sign(Sign::Prone),
        Hazard::Covered if room => sign(Sign::FaceCovered),
        Hazard::EBike if room => sign(Sign::EBike),
        Hazard::Crowding if room => sign(Sign::Crowded),
        Hazard::Stranger | Hazard::LeftBehind if room => Some(is(sight.people.likely > 0)),
        Hazard::Ratio if room => {
            let (Some(adults), Some(children)) = (sight.adults, sight.children) else { return Some(Answer::CannotTell) };
            Some(match () {
                () if sight.at_least => Answer::CannotTell,
                () if children.low > RATIO * adults.high => Answer::Yes,
                () if children.high > RATIO * adults.low => Answer::CannotTell,
                () => Answer::No,
            })
        }
        Hazard::Exit if sight.zone == PLACE => sight.adults.map(|a| is(a.likely == 0)),
        _ => None,
    }
}

/// Plays it to the end, or to the alarm.
pub fn judge(play: &Play) -> Option<Outcome> {
    let mut scene = Scene::new(&play.camera, ROOM).ok()?;
    let mut eye = play.eye.clone();
    let facts = |nap: bool| vec![ZoneFacts { zone: ROOM.to_owned(), nap, infants: true, staff: true }];
    let facts = facts(play.nap);
    let (mut at_ms, mut since) = (0_i64, None);
    let (mut frames, mut cannot) = (0_u32, 0_u32);
    // For the door: was an adult seen there in time?
    let (mut watched, mut seen) = (false, false);
    while (at_ms as f64) < play.lasts_s * 1000.0 {
        let at_s = at_ms as f64 / 1000.0;
        if let Some(sight) = eye.look(at_s, &play.actors, &play.props) {
            let sights = scene.see(at_ms, &sight, &facts);
            let answer = sights.iter().find_map(|z| condition(play.hazard, z));
            frames += 1;
            cannot += u32::from(answer == Some(Answer::CannotTell));
            if play.hazard == Hazard::Exit {
                if (at_s - play.door_s).abs() <= DOOR_S {
                    watched = true;
                    seen |= answer == Some(Answer::No);
                }
            } else if answer == Some(Answer::Yes) {
                let since = *since.get_or_insert(at_ms);
                if at_ms - since >= play.hazard.hold_ms() {
                    return Some(Outcome::Alarm(at_s - play.from_s));
                }
            } else {
                since = None;
            }
        }
        at_ms += eye.pause_ms(play.fps);
    }
    Some(match () {
        () if play.hazard == Hazard::Exit && watched && !seen => Outcome::Alarm(DOOR_S),
        () if cannot * 2 > frames => Outcome::CannotTell,
        () => Outcome::Quiet,
    })
}

/// A hazard's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    pub hazard: Hazard,
    pub positives: u32,
    pub found: u32,
    /// Not found, and said so.
    pub unsure: u32,
    pub negatives: u32,
    pub false_alarms: u32,
    /// Median seconds from the hazard's beginning to the alarm, hold included.
    pub delay_s: f64,
    /// Plots that went wrong, and how often.
    pub wrong: Vec<(&'static str, u32)>,
}

/// The figures of all hazards over the seeds.
pub fn figures(seeds: std::ops::Range<u64>) -> Vec<Figures> {
    HAZARDS.iter().map(|hazard| figures_of(*hazard, seeds.clone())).collect()
}

pub fn figures_of(hazard: Hazard, seeds: std::ops::Range<u64>) -> Figures {
    let mut f = Figures { hazard, positives: 0, found: 0, unsure: 0, negatives: 0, false_alarms: 0, delay_s: 0.0, wrong: Vec::new() };
    let mut delays = Vec::new();
    for seed in seeds {
        for positive in [true, false] {
            let Some(play) = play(hazard, positive, seed) else { continue };
            let Some(outcome) = judge(&play) else { continue };
            let wrong = match (positive, outcome) {
                (true, Outcome::Alarm(delay)) => {
                    delays.push(delay);
                    f.found += 1;
                    false
                }
                (true, Outcome::CannotTell) => {
                    f.unsure += 1;
                    true
                }
                (true, Outcome::Quiet) => true,
                (false, Outcome::Alarm(_)) => {
                    f.false_alarms += 1;
                    true
                }
                (false, _) => false,
            };
            *(if positive { &mut f.positives } else { &mut f.negatives }) += 1;
            if wrong {
                match f.wrong.iter_mut().find(|(plot, _)| *plot == play.plot) {
                    Some((_, n)) => *n += 1,
                    None => f.wrong.push((play.plot, 1)),
                }
            }
        }
    }
    delays.sort_by(f64::total_cmp);
    f.delay_s = delays.get(delays.len() / 2).copied().unwrap_or_default();
    f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev() {
        for f in figures(0..40) {
            println!(
                "{:24} found {}/{} unsure {} false {}/{} delay {:.0}  {:?}",
                f.hazard.name(),
                f.found,
                f.positives,
                f.unsure,
                f.false_alarms,
                f.negatives,
                f.delay_s,
                f.wrong
            );
        }
    }
}
#[cfg(test)]
mod debug {
    use super::*;
    #[test]
    fn show() {
        let hazard = std::env::var("HAZ").unwrap();
        let hazard = *HAZARDS.iter().find(|h| h.name().contains(&hazard)).unwrap();
        let positive = std::env::var("POS").is_ok();
        let only: u64 = std::env::var("SEED").unwrap().parse().unwrap();
        let play = play(hazard, positive, only).unwrap();
        println!("{} fps {} from {} -> {:?}", play.plot, play.fps, play.from_s, judge(&play));
        let mut scene = Scene::new(&play.camera, ROOM).unwrap();
        let mut eye = play.eye.clone();
        let facts = vec![ZoneFacts { zone: ROOM.to_owned(), nap: play.nap, infants: true, staff: true }];
        let mut at_ms = 0_i64;
        println!("true mount {:?} {}", play.eye.mount, play.eye.mount.height());
        while (at_ms as f64) < play.lasts_s * 1000.0 {
            if let Some(sight) = eye.look(at_ms as f64 / 1000.0, &play.actors, &play.props) {
                let z = scene.see(at_ms, &sight, &facts);
                if at_ms < 3000 {
                    println!("fit {:?}", scene.floor().map(|f| (f.mount, f.misfit)));
                }
                let p: Vec<_> = scene
                    .people()
                    .iter()
                    .map(|p| format!("#{} {:?} {:.2}m {:.2}", p.number, p.posture, p.height_m.unwrap_or(0.0), p.adult.unwrap_or(-1.0)))
                    .collect();
                let short: Vec<_> = scene.people().iter().map(|p| format!("{}{:?}", p.number, p.posture)).collect();
                if std::env::var("SHORT").is_ok() {
                    println!("{:5.1} {:?} {}", at_ms as f64 / 1000.0, z.iter().find_map(|z| condition(play.hazard, z)), short.join(" "));
                    at_ms += eye.pause_ms(play.fps);
                    continue;
                }
                let truth: Vec<_> = play
                    .actors
                    .iter()
                    .map(|a| a.joints(at_ms as f64 / 1000.0).map(|j| (a.child, j.2, (a.stature * 100.0) as i32)))
                    .collect();
                println!(
                    "{:5.1} c {:?} people {:?} ad {:?} ch {:?} al {} | {:?} | truth {:?}",
                    at_ms as f64 / 1000.0,
                    z.iter().find_map(|z| condition(play.hazard, z)),
                    z[0].people.likely,
                    z[0].adults.map(|c| (c.low, c.likely, c.high)),
                    z[0].children.map(|c| (c.low, c.likely, c.high)),
                    z[0].at_least,
                    p,
                    truth
                );
            } else {
                println!("{:5.1} dropped", at_ms as f64 / 1000.0);
            }
            at_ms += eye.pause_ms(play.fps);
        }
    }
}
