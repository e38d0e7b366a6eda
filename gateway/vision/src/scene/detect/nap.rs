//! nap.prone: sleepers in beds who lie face down, whose face is covered, or of whom neither can be told, which is itself reported.
//!
//! | seen at a bed | taken for |
//! |---|---|
//! | a face | lies with the face free |
//! | the head, no face, the back of the trunk | face down |
//! | the head, the chest or flank of the trunk | lies with the face free |
//! | a body without head | face covered |
//! | nobody, where somebody lay, who was not seen to leave, with no adult beside | face covered (wholly under the quilt) |
//! | nobody, where somebody lay, with an adult beside when they vanished | cannot be told: taken out, or covered |
//! | a head and no trunk, or too little of anything | cannot be told |
//!
//! That the model tells the back from the chest is in [`Body::chest`](crate::scene::body::Body::chest). Side and prone pass into each other; between
//! them nothing is decided.
use super::{Answer, Look, Seen};
use crate::scene::area::Polygon;
use crate::scene::body::Body;
use crate::scene::track::Age;
use crate::setup::AreaKind;
use crate::sight::{Posture, joint};
use std::collections::VecDeque;

/// What is seen of a bed is judged over this time, and over as many frames: sleepers move little, and the model is unsure of them.
const OVER_MS: i64 = 12_000;
const FRAMES: usize = 5;
const MOST: usize = 128;
/// [`Body::chest`] beyond which the back or the chest is seen.
const TURNED: f32 = 0.3;
/// Somebody must have lain there for so long before their vanishing means anything.
const SETTLED_MS: i64 = 20_000;
const FACE_SCORE: f32 = 0.5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glance {
    Free,
    FaceDown,
    Covered,
    Unclear,
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bed {
    /// Nobody has been seen in it in this nap.
    Unused,
    /// Somebody is in it, since.
    Used(i64),
    /// Somebody was in it, was not seen to leave, and is not seen; an adult was beside or not.
    Vanished { helped: bool },
}

#[derive(Debug)]
struct State {
    bed: Bed,
    seen: VecDeque<(i64, Glance)>,
    adult_ms: Option<i64>,
}

/// The three answers of the zone's beds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sleep {
    pub prone: Answer,
    pub covered: Answer,
    pub unseen: Answer,
}

#[derive(Debug, Default)]
pub struct Nap {
    beds: Vec<State>,
}

impl Nap {
    /// `None`: no beds, or no nap.
    pub fn look(&mut self, look: &Look) -> Option<Sleep> {
        if !look.facts.nap || look.areas(&[AreaKind::Bed]).next().is_none() {
            self.beds.clear();
            return None;
        }
        let mut all = Vec::new();
        for (i, area) in look.areas(&[AreaKind::Bed]).enumerate() {
            if self.beds.len() <= i {
                self.beds.push(State { bed: Bed::Unused, seen: VecDeque::new(), adult_ms: None });
            }
            all.extend(self.beds[i].look(look, &area.polygon));
        }
        // A room of which no bed was ever seen used may be empty, or too dark for the model.
        if all.is_empty() {
            return Some(Sleep { prone: Answer::CannotTell, covered: Answer::CannotTell, unseen: Answer::CannotTell });
        }
        Some(Sleep {
            prone: super::most(all.iter().map(|s| s.prone)),
            covered: super::most(all.iter().map(|s| s.covered)),
            unseen: super::most(all.iter().map(|s| s.unseen)),
        })
    }
}

impl State {
    /// `None`: never used.
    fn look(&mut self, look: &Look, area: &Polygon) -> Option<Sleep> {
        let now_ms = look.now_ms;
        let sleeper = look.everybody.iter().filter(|s| sleeps(look, s, area)).max_by_key(|s| (s.track.now, s.track.times));
        if look.everybody.iter().any(|s| s.age != Age::Child && s.track.now && beside(s, area) && !sleeps(look, s, area)) {
            self.adult_ms = Some(now_ms);
        }
        let what = match sleeper {
            Some(s) if s.track.now => Some(judge(look, s)),
            // Held by the tracker, not seen: nothing new.
            Some(_) => None,
            None => Some(Glance::Empty),
        };
        if let Some(what) = what {
            self.seen.push_back((now_ms, what));
        }
        let over = OVER_MS.max(look.interval_ms * FRAMES as i64);
        while self.seen.len() > MOST || self.seen.front().is_some_and(|(at, _)| now_ms - at > over) {
            self.seen.pop_front();
        }
        self.bed = match (self.bed, sleeper) {
            (Bed::Unused | Bed::Vanished { .. }, Some(s)) => Bed::Used(s.track.first_ms),
            (Bed::Used(since), Some(_)) => Bed::Used(since),
            (Bed::Used(since), None) => {
                let helped = self.adult_ms.is_some_and(|at| now_ms - at <= over + 30_000);
                let settled = now_ms - since >= SETTLED_MS;
                let left = look.everybody.iter().any(|s| s.age != Age::Adult && s.track.now && beside(s, area));
                if !settled || left { Bed::Unused } else { Bed::Vanished { helped } }
            }
            // Whoever steps to the bed now may take out who is in it.
            (Bed::Vanished { helped }, None) => Bed::Vanished { helped: helped || self.adult_ms == Some(now_ms) },
            (Bed::Unused, None) => Bed::Unused,
        };
        match self.bed {
            Bed::Unused => None,
            Bed::Vanished { helped: true } => Some(Sleep { prone: Answer::CannotTell, covered: Answer::CannotTell, unseen: Answer::Yes }),
            Bed::Vanished { helped: false } => Some(Sleep { prone: Answer::CannotTell, covered: Answer::Yes, unseen: Answer::No }),
            Bed::Used(_) => Some(self.told()),
        }
    }

    fn told(&self) -> Sleep {
        let count = |what: Glance| self.seen.iter().filter(|(_, w)| *w == what).count();
        let told = count(Glance::Free) + count(Glance::FaceDown) + count(Glance::Covered);
        let all = told + count(Glance::Unclear);
        if told < 2 || told * 3 < all {
            return Sleep { prone: Answer::CannotTell, covered: Answer::CannotTell, unseen: Answer::Yes };
        }
        let mostly = |what: Glance| if count(what) * 5 > told * 3 { Answer::Yes } else { Answer::No };
        Sleep { prone: mostly(Glance::FaceDown), covered: mostly(Glance::Covered), unseen: Answer::No }
    }
}

/// The trunk is in the bed, the feet do not stand beside it, and they are not known to be adult.
fn sleeps(look: &Look, seen: &Seen, area: &Polygon) -> bool {
    let body = look.body(seen.track);
    let inside = area.contains(body.core()) || area.share_of(&seen.track.bbox()) >= 0.6;
    let feet_in = body.ankles().is_none_or(|feet| area.contains(feet) || area.share_of(&seen.track.bbox()) >= 0.6);
    let upright = matches!(seen.track.person.posture, Posture::Standing | Posture::Sitting | Posture::Bending | Posture::Crouching);
    seen.age != Age::Adult && inside && feet_in && !upright
}

/// The feet are within a step of the bed.
fn beside(seen: &Seen, area: &Polygon) -> bool {
    let (a, b) = (area.around(), seen.track.bbox());
    let (w, h) = (a.width() * 0.7 + 0.03, a.height() * 0.7 + 0.03);
    let wide = crate::sight::Rect { x0: a.x0 - w, y0: a.y0 - h, x1: a.x1 + w, y1: a.y1 + h };
    wide.overlap(&b) > 0.0 && (wide.x0..=wide.x1).contains(&seen.foot.0) && (wide.y0..=wide.y1).contains(&seen.foot.1)
}

fn judge(look: &Look, seen: &Seen) -> Glance {
    let body = look.body(seen.track);
    let b = seen.track.bbox();
    let face = look.sight.faces.iter().filter(|f| f.score >= FACE_SCORE).any(|f| b.overlap(&f.bbox) > 0.5 * f.bbox.area());
    let trunk = body.trunk().is_some();
    match (face, body.head().is_some() && at_its_place(&body), body.chest()) {
        (true, _, _) => Glance::Free,
        (false, true, Some(chest)) if chest < -TURNED => Glance::FaceDown,
        (false, true, Some(_)) => Glance::Free,
        (false, true, None) => Glance::Unclear,
        (false, false, _) if trunk || body.mean(&LEGS).is_some() => Glance::Covered,
        (false, false, _) => Glance::Unclear,
    }
}

const LEGS: [usize; 4] = [joint::LEFT_KNEE, joint::RIGHT_KNEE, joint::LEFT_ANKLE, joint::RIGHT_ANKLE];

/// A head beyond the shoulders, not one that was guessed in the middle of a quilt.
fn at_its_place(body: &Body) -> bool {
    let (Some(head), Some(shoulders), Some(trunk)) = (body.head(), body.shoulders(), body.trunk()) else { return true };
    let neck = body.vector(shoulders, head);
    let square = trunk.0 * trunk.0 + trunk.1 * trunk.1;
    neck.0 * trunk.0 + neck.1 * trunk.1 > -0.3 * square && neck.0 * neck.0 + neck.1 * neck.1 < 2.5 * square
}
