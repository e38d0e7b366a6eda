//! child.fall: somebody goes down fast, lies, and does not move.
//!
//! Anybody: an adult who collapses is alone with the children. What tells a fall from lying down is the time between standing and lying, so that a
//! camera of less than one frame in two and a half seconds cannot tell.
use super::{Answer, Look, Steady};
use crate::scene::track::{Level, Moment, Track};
use crate::setup::AreaKind;
use std::collections::BTreeMap;

/// Longest time from the last upright frame to the first lying one. A fall takes less than a second; lying down by way of sitting takes two to four.
const DESCENT_MS: i64 = 2_200;
/// Up to here it is not known which it was.
const UNSURE_MS: i64 = 7_000;
/// How long before that must have been mostly upright.
const BEFORE_MS: i64 = 6_000;
/// Not moved for so long is still; the rule's hold asks for more.
const STILL_MS: i64 = 1_500;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Down {
    Fell,
    Unsure,
}

#[derive(Debug)]
pub struct Fall {
    down: BTreeMap<u32, Down>,
    steady: Steady,
}

impl Default for Fall {
    fn default() -> Self {
        Fall { down: BTreeMap::new(), steady: Steady::new(2_000) }
    }
}

impl Fall {
    pub fn look(&mut self, look: &Look) -> Answer {
        self.down.retain(|number, _| look.everybody.iter().any(|s| s.track.number == *number));
        for seen in look.people().filter(|s| s.track.now) {
            let track = seen.track;
            let bedded = look.areas.iter().any(|a| a.kind == AreaKind::Bed && a.polygon.contains(look.body(track).core()));
            if bedded || is_up(track) {
                self.down.remove(&track.number);
            } else if let Some(down) = descent(track) {
                self.down.entry(track.number).or_insert(down);
            }
        }
        let answers = look.people().filter_map(|s| Some((s.track, self.down.get(&s.track.number)?)));
        let now = super::most(answers.map(|(track, down)| match down {
            _ if look.now_ms - track.still_ms < STILL_MS => Answer::No,
            Down::Fell => Answer::Yes,
            Down::Unsure => Answer::CannotTell,
        }));
        self.steady.see(look.now_ms, now)
    }
}

/// The last three frames, and those of the last second, show them up again.
fn is_up(track: &Track) -> bool {
    let last = track.trail.back().map_or(0, |m| m.at_ms);
    let recent = |(i, m): &(usize, &Moment)| *i < 3 || last - m.at_ms <= 1_000;
    track.trail.iter().rev().enumerate().take_while(recent).all(|(_, m)| matches!(m.level, Level::Upright | Level::Low))
}

/// How they came to lie, if they lie.
fn descent(track: &Track) -> Option<Down> {
    let trail: Vec<&Moment> = track.trail.iter().collect();
    let up = trail.iter().rposition(|m| m.level == Level::Upright)?;
    let down = up + trail[up..].iter().position(|m| m.level == Level::Lying)?;
    let after = &trail[down..];
    let lying = after.iter().filter(|m| m.level == Level::Lying).count();
    let before: Vec<_> = trail[..=up].iter().filter(|m| trail[up].at_ms - m.at_ms <= BEFORE_MS).collect();
    let upright = before.iter().filter(|m| m.level == Level::Upright).count();
    let low = trail[up..down].iter().filter(|m| m.level == Level::Low).count();
    // One frame is not enough: a posture is now and then taken for another.
    if lying * 3 < after.len() * 2 || lying < 2 || upright < 2 || upright * 5 < before.len() * 3 {
        return None;
    }
    let took = trail[down].at_ms - trail[up].at_ms;
    let way = took - if low == 0 { 0 } else { trail[up + 1].at_ms - trail[up].at_ms };
    match took {
        _ if way <= DESCENT_MS && took <= DESCENT_MS && low <= 1 => Some(Down::Fell),
        // Nothing was seen in between.
        _ if took <= UNSURE_MS && low == 0 => Some(Down::Unsure),
        _ => None,
    }
}
