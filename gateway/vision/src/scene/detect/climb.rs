//! child.climb: somebody is up on a sill or a shelf.
//!
//! A window behind somebody who stands on the floor is covered by their body as well; what tells is that hips and legs are inside the area, whose lower edge is
//! the sill. How tall a climber is cannot be measured up there, so that only who was measured as an adult before is left out.
use super::{Answer, Look, Seen, Steady};
use crate::scene::area::Polygon;
use crate::scene::track::Age;
use crate::setup::AreaKind;

const OVER_MS: i64 = 1_500;

#[derive(Debug)]
pub struct Climb(Steady);

impl Default for Climb {
    fn default() -> Self {
        Climb(Steady::new(OVER_MS))
    }
}

impl Climb {
    /// `None`: there is nothing to climb.
    pub fn look(&mut self, look: &Look) -> Option<Answer> {
        look.areas(&[AreaKind::Window]).next()?;
        let mut found = Answer::No;
        for area in look.areas(&[AreaKind::Window]) {
            let up = look.everybody.iter().filter(|s| s.age != Age::Adult && is_up(look, s, &area.polygon));
            if up.filter(|s| !held(look, s)).count() > 0 {
                found = Answer::Yes;
            }
        }
        Some(self.0.see(look.now_ms, found))
    }
}

fn is_up(look: &Look, seen: &Seen, area: &Polygon) -> bool {
    let body = look.body(seen.track);
    let b = seen.track.bbox();
    let foot = ((b.x0 + b.x1) / 2.0, b.y1 - 0.03 * b.height());
    let legs = [body.knees(), body.ankles()];
    match body.hips() {
        Some(hips) if legs.iter().any(Option::is_some) => area.contains(hips) && legs.iter().flatten().any(|p| area.contains(*p)),
        Some(hips) => area.contains(hips) && area.contains(foot),
        None => area.contains(foot),
    }
}

/// In an adult's arms.
fn held(look: &Look, seen: &Seen) -> bool {
    let own = seen.track.bbox();
    let adults = look.everybody.iter().filter(|s| s.age == Age::Adult && s.track.number != seen.track.number);
    own.area() > 0.0 && adults.into_iter().any(|a| a.track.bbox().overlap(&own) > 0.6 * own.area())
}
