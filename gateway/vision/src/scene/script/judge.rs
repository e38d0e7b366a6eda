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
    //! `WRITE_DOCS=1 cargo test --release -p tuoan-vision --lib scenes_are_documented` writes docs/vision-scenes.md anew.
    use super::*;
    use std::fmt::Write;
    use std::path::Path;

    /// The detectors were developed on seeds below 200. These were drawn when their thresholds stood.
    const TEST: std::ops::Range<u64> = 2000..2060;

    const HEAD: &str = "# What the cameras' detectors make of made-up scenes

There are no recordings of children in danger, and there should be none. So every hazard that a camera can see is played: bodies of sticks move through a
room with a pinhole camera at a random place, angle and height, whose floor an installer has marked with a trembling hand; what the pose model
would say of them is jittered, scored, missed and hidden as in `gateway/vision/src/scene/script/eye.rs`, part of which is measured on a video of adults
and part assumed. The rules' holds are applied. A scene counts as found when the alarm is raised within it, as false when one is raised where there is no hazard.
Plots that resemble the hazard and are harmless are as many as those that show it.

The detectors were developed on seeds below 200. A first look at seeds 1000 to 1039 found 30 of 40 infants who lie face down, and that of seven of the others it
was said that they do not, where it could not be told; that was mended on the seeds of development, and the table is of seeds 2000 to 2059, looked at when
all stood. It is written by a test that fails when the figures are others (`WRITE_DOCS=1 cargo test --release -p tuoan-vision --lib scenes_are_documented`).

What it proves: that geometry, tracking and timing are right for people who move like this and for a model that errs like this. What it does not prove: that the
pose model finds a real toddler, or a real child under a real quilt. Cameras in the plays give 0.5 to 4 frames a second (falls and climbing 1 to 4), are
calibrated, and show 1.2 to 6 m of floor.

| hazard | hold, s | found | not found, but said that it cannot tell | false alarms | median delay with hold, s | went wrong |
|---|---|---|---|---|---|---|
";

    fn table() -> String {
        let all: Vec<Figures> = std::thread::scope(|s| {
            let run: Vec<_> =
                HAZARDS.chunks(7).map(|c| s.spawn(move || c.iter().map(|h| figures_of(*h, TEST)).collect::<Vec<_>>())).collect();
            run.into_iter().flat_map(|r| r.join().unwrap()).collect()
        });
        let mut out = HEAD.to_owned();
        for f in all {
            assert!(f.positives >= 20 && f.negatives >= 20, "{:?}", f.hazard);
            let wrong = f.wrong.iter().map(|(plot, n)| format!("{plot} ({n})")).collect::<Vec<_>>().join("; ");
            let (name, hold) = (f.hazard.name(), f.hazard.hold_ms() / 1000);
            let Figures { positives, found, unsure, negatives, false_alarms, delay_s, .. } = f;
            writeln!(
                out,
                "| {name} | {hold} | {found} of {positives} | {unsure} | {false_alarms} of {negatives} | {delay_s:.0} | {wrong} |"
            )
            .unwrap();
        }
        out.push_str(FOOT);
        out
    }

    const FOOT: &str = "
Known limits, beyond those figures:

- Whoever lies along the line of sight looks like somebody upright. Where their height is known from before it is told apart, close to the camera it is not.
- In an unknown height there is no adult and no child: somebody who was never seen upright with head and feet, or whose feet are always hidden, makes
  `room.unattended` and `ratio.low` say that they cannot tell.
- Two people who pass each other at one frame in two seconds may change tracks, and with them their heights, for some seconds. `ratio.low` compares
  medians of a minute for that reason.
- A sleeper across the view of a low camera who lies on the side away from it shows the same shoulders as one who lies face down. Where both fit, it is said that it cannot
  be told.
- A child who vanishes under a quilt while somebody is beside the bed is reported as not seen, not as covered: they may have been taken out.
- The pose model finds six people in one pass. From six on the count is a lower bound.
";

    #[test]
    fn scenes_are_documented() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vision-scenes.md");
        let table = table();
        if std::env::var_os("WRITE_DOCS").is_some() {
            std::fs::write(&path, &table).unwrap();
        }
        let documented = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(documented == table, "docs/vision-scenes.md is not what the detectors do; WRITE_DOCS=1 writes it anew:\n{table}");
    }

    /// What is promised, below what was measured by what chance makes of 40 scenes.
    #[test]
    fn most_hazards_are_found_and_few_alarms_are_false() {
        for hazard in HAZARDS {
            let f = figures_of(hazard, 0..10);
            let least = match hazard {
                Hazard::Ratio | Hazard::Fall => 6,
                _ => 8,
            };
            assert!(f.found >= least && f.false_alarms <= 2, "{f:?}");
        }
    }

    #[test]
    fn a_play_is_the_same_each_time() {
        let (a, b) = (play(Hazard::Fall, true, 3).unwrap(), play(Hazard::Fall, true, 3).unwrap());
        assert_eq!(judge(&a), judge(&b));
        assert_eq!(a.camera, b.camera);
    }
}
