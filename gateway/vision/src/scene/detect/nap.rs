//! nap.prone: sleepers in beds who lie face down, whose face is covered, or of whom neither can be told, which is itself reported.
//!
//! | seen at a bed | taken for |
//! |---|---|
//! | a face | lies with the face free |
//! | the head, no face, the back of the trunk | face down |
//! | the head, the chest or flank of the trunk | lies with the face free |
//! | a body without head | face covered |
//! | nobody, where somebody lay, who was not seen to leave, with nobody beside | face covered (wholly under the quilt) |
//! | nobody, where somebody lay, with somebody beside about when they vanished | cannot be told: taken out, gone, or covered |
//! | a head and no trunk, or too little of anything | cannot be told |
//!
//! That the model tells the back from the chest is in [`Body::chest`](crate::scene::body::Body::chest). Side and prone pass into each other; between
//! them nothing is decided.
use super::{Answer, Look, Seen};
use crate::scene::area::Polygon;
use crate::scene::body::{Body, NECK};
use crate::scene::floor::Floor;
use crate::scene::track::Age;
use crate::setup::AreaKind;
use crate::sight::joint;
use std::collections::VecDeque;

/// What is seen of a bed is judged over this time, and over as many frames: sleepers move little, and the model is unsure of them.
const OVER_MS: i64 = 20_000;
const FRAMES: i64 = 8;
/// What was told holds for so long while too little is seen of somebody to tell anew.
const KEEP_MS: i64 = 45_000;
const MOST: usize = 128;
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
    /// Somebody is in it: since when, and the track's number.
    Used(i64, u32),
    /// Somebody was in it, was not seen to leave, and is not seen; others were beside it or not.
    Vanished { helped: bool },
}

#[derive(Debug)]
struct State {
    bed: Bed,
    seen: VecDeque<(i64, Glance)>,
    /// When somebody was last seen beside it.
    beside_ms: Option<i64>,
    told: Option<(i64, Sleep)>,
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
                self.beds.push(State { bed: Bed::Unused, seen: VecDeque::new(), beside_ms: None, told: None });
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
        // A child may be the sleeper who got up.
        if look.everybody.iter().any(|s| s.track.now && beside(s, area) && !sleeps(look, s, area)) {
            self.beside_ms = Some(now_ms);
        }
        let what = match sleeper {
            Some(s) if s.track.now => judge(look, s),
            // Held by the tracker, not seen: nothing new.
            Some(_) => None,
            None => Some(Glance::Empty),
        };
        if let Some(what) = what {
            self.seen.push_back((now_ms, what));
        }
        let over = OVER_MS.max(look.interval_ms * FRAMES);
        while self.seen.len() > MOST || self.seen.front().is_some_and(|(at, _)| now_ms - at > over) {
            self.seen.pop_front();
        }
        self.bed = match (self.bed, sleeper) {
            (Bed::Unused | Bed::Vanished { .. }, Some(s)) => {
                self.told = None;
                Bed::Used(s.track.first_ms, s.track.number)
            }
            (Bed::Used(since, _), Some(s)) => Bed::Used(since, s.track.number),
            (Bed::Used(since, number), None) => {
                let helped = self.beside_ms.is_some_and(|at| now_ms - at <= over + 30_000);
                let settled = now_ms - since >= SETTLED_MS;
                // The very one who lay there is seen elsewhere.
                let left = look.everybody.iter().any(|s| s.track.number == number);
                if !settled || left { Bed::Unused } else { Bed::Vanished { helped } }
            }
            // Whoever steps to the bed now may take out who is in it.
            (Bed::Vanished { helped }, None) => Bed::Vanished { helped: helped || self.beside_ms == Some(now_ms) },
            (Bed::Unused, None) => Bed::Unused,
        };
        match self.bed {
            Bed::Unused => None,
            Bed::Vanished { helped: true } => Some(Sleep { prone: Answer::CannotTell, covered: Answer::CannotTell, unseen: Answer::Yes }),
            Bed::Vanished { helped: false } => Some(Sleep { prone: Answer::CannotTell, covered: Answer::Yes, unseen: Answer::No }),
            Bed::Used(..) => Some(self.told(now_ms)),
        }
    }

    fn told(&mut self, now_ms: i64) -> Sleep {
        let count = |what: Glance| self.seen.iter().filter(|(_, w)| *w == what).count();
        let told = count(Glance::Free) + count(Glance::FaceDown) + count(Glance::Covered);
        let all = told + count(Glance::Unclear);
        let unclear = Sleep { prone: Answer::CannotTell, covered: Answer::CannotTell, unseen: Answer::Yes };
        // Who was hardly looked at is as they were. Who was looked at and is unclear may have turned over.
        if all < 3 {
            return self.told.filter(|(at, _)| now_ms - at <= KEEP_MS).map_or(unclear, |(_, sleep)| sleep);
        }
        if told < 2 || told * 3 < all {
            return unclear;
        }
        let mostly = |what: Glance| if count(what) * 5 > told * 3 { Answer::Yes } else { Answer::No };
        let sleep = Sleep { prone: mostly(Glance::FaceDown), covered: mostly(Glance::Covered), unseen: Answer::No };
        self.told = Some((now_ms, sleep));
        sleep
    }
}

/// Lies in the bed and is not known to be adult.
fn sleeps(look: &Look, seen: &Seen, area: &Polygon) -> bool {
    seen.age != Age::Adult && look.body(seen.track).lies_in(area)
}

/// The feet are within a step of the bed.
fn beside(seen: &Seen, area: &Polygon) -> bool {
    let (a, b) = (area.around(), seen.track.bbox());
    let (w, h) = (a.width() * 0.7 + 0.03, a.height() * 0.7 + 0.03);
    let wide = crate::sight::Rect { x0: a.x0 - w, y0: a.y0 - h, x1: a.x1 + w, y1: a.y1 + h };
    wide.overlap(&b) > 0.0 && (wide.x0..=wide.x1).contains(&seen.foot.0) && (wide.y0..=wide.y1).contains(&seen.foot.1)
}

/// `None`: nothing of the body is recognised, which is as good as not having looked.
fn judge(look: &Look, seen: &Seen) -> Option<Glance> {
    let body = look.body(seen.track);
    let b = seen.track.bbox();
    let face = look.sight.faces.iter().filter(|f| f.score >= FACE_SCORE).any(|f| b.overlap(&f.bbox) > 0.5 * f.bbox.area());
    let trunk = body.trunk().is_some();
    match (face, body.head().is_some() && at_its_place(&body)) {
        (true, _) => Some(Glance::Free),
        (false, true) => Some(turned(look, &body)),
        (false, false) if trunk || body.mean(&LEGS).is_some() => Some(Glance::Covered),
        (false, false) => None,
    }
}

/// How the trunk is turned about its own length.
///
/// On a calibrated floor every turn is tried: where the shoulders would then be in the picture, against where they are. Somebody across the view who lies on the
/// side away from the camera looks much like somebody who lies face down, and which of them fit depends on how high the camera hangs; so it is face down
/// only if nothing else fits.
fn turned(look: &Look, body: &Body) -> Glance {
    let Some(chest) = body.chest() else { return Glance::Unclear };
    let Some((prone, other)) = look.floor.and_then(|floor| fits(floor, body)) else {
        return match chest {
            c if c < -0.6 => Glance::FaceDown,
            c if c > -0.2 => Glance::Free,
            _ => Glance::Unclear,
        };
    };
    match (prone, other) {
        (true, false) => Glance::FaceDown,
        (false, true) => Glance::Free,
        _ => Glance::Unclear,
    }
}

/// Whether a turn near to face down explains the shoulders, and whether any other does.
fn fits(floor: &Floor, body: &Body) -> Option<(bool, bool)> {
    let (shoulders, hips) = (body.shoulders()?, body.hips());
    let mount = &floor.mount;
    let middle = mount.ground(floor.point(shoulders), LIES)?;
    // From hips to shoulders, or from shoulders to head, along the mattress.
    let (from, to, length) = match (hips, body.head()) {
        (Some(hips), _) => (mount.ground(floor.point(hips), LIES)?, middle, 1.0),
        (None, Some(head)) => (middle, mount.ground(floor.point(head), LIES)?, f64::from(NECK)),
        (None, None) => return None,
    };
    let along = (to.0 - from.0, to.1 - from.1);
    let trunk = along.0.hypot(along.1);
    if trunk < 0.02 {
        return None;
    }
    let (left, right) = body.shoulder_points()?;
    let (left, right) = (floor.point(left), floor.point(right));
    let seen = (left.0 - right.0, left.1 - right.1);
    let half = trunk * length * SHOULDERS / 2.0;
    // Face up, the left hand is to the right of who looks along the body from the feet to the head... seen from above: along x up.
    let flat = (along.1 / trunk, -along.0 / trunk);
    let (mut prone, mut other) = (false, false);
    for step in 0..TURNS {
        let turn = f64::from(step) / f64::from(TURNS) * std::f64::consts::TAU;
        let (s, c) = turn.sin_cos();
        let end = |sign: f64| {
            let by = sign * half;
            mount.project([middle.0 + flat.0 * c * by, middle.1 + flat.1 * c * by, LIES + s * by])
        };
        let (Some(l), Some(r)) = (end(1.0), end(-1.0)) else { continue };
        let miss = (l.0 - r.0 - seen.0).hypot(l.1 - r.1 - seen.1) * mount.span(mount.distance(middle, LIES));
        if miss <= MISS * 2.0 * half {
            // `c` is 1 face up, -1 face down.
            if c < -0.7 {
                prone = true
            } else if c > -0.4 {
                other = true
            }
        }
    }
    Some((prone, other))
}

/// Height of a sleeper's trunk above the floor, metres: a mattress and half a child.
const LIES: f64 = 0.3;
/// Breadth of the shoulders in trunks, from joint to joint.
const SHOULDERS: f64 = 0.77;
/// By how much of the breadth of the shoulders they may be seen elsewhere.
const MISS: f64 = 0.3;
const TURNS: u8 = 48;

const LEGS: [usize; 4] = [joint::LEFT_KNEE, joint::RIGHT_KNEE, joint::LEFT_ANKLE, joint::RIGHT_ANKLE];

/// A head beyond the shoulders, not one that was guessed in the middle of a quilt.
fn at_its_place(body: &Body) -> bool {
    let (Some(head), Some(shoulders), Some(trunk)) = (body.head(), body.shoulders(), body.trunk()) else { return true };
    let neck = body.vector(shoulders, head);
    let square = trunk.0 * trunk.0 + trunk.1 * trunk.1;
    neck.0 * trunk.0 + neck.1 * trunk.1 > -0.3 * square && neck.0 * neck.0 + neck.1 * neck.1 < 2.5 * square
}
