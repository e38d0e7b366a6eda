//! ebike.in_escape: a bicycle or motorcycle stands in an escape route. The model does not tell an electric one from another; either blocks the way.
use super::{Answer, Look};
use crate::scene::area::Polygon;
use crate::setup::AreaKind;
use crate::sight::{Rect, Thing};

/// Things that are followed at once.
const THINGS: usize = 16;
const SCORE: f32 = 0.3;
/// Without being seen for so long, and in three frames, it is gone.
const HOLD_MS: i64 = 10_000;
/// Standing there for so long; who pushes one through is faster.
const STANDS_MS: i64 = 4_000;
/// On a calibrated floor: height and width of the box together, metres. A bicycle has 1.8 and more from any side, a child's tricycle 1.2 and less.
const LARGE: f64 = 1.5;

#[derive(Debug, Clone, Copy)]
struct Parked {
    bbox: Rect,
    since_ms: i64,
    seen_ms: i64,
    times: u32,
}

#[derive(Debug, Default)]
pub struct EBike(Vec<Parked>);

impl EBike {
    /// `None`: no escape route is before the camera.
    pub fn look(&mut self, look: &Look) -> Option<Answer> {
        look.areas(&[AreaKind::Escape]).next()?;
        let hold = HOLD_MS.max(look.interval_ms * 3 + look.interval_ms / 2);
        self.0.retain(|p| look.now_ms - p.seen_ms <= hold);
        let things = look.sight.things.iter().filter(|t| t.score >= SCORE && crate::scene::body::sound(&t.bbox));
        for thing in things.filter(|t| look.areas(&[AreaKind::Escape]).any(|a| within(&a.polygon, &t.bbox)) && large(look, t)) {
            let (now_ms, size) = (look.now_ms, thing.bbox.width().max(thing.bbox.height()));
            let near = |p: &Parked| {
                let (a, b) = (p.bbox.centre(), thing.bbox.centre());
                (a.0 - b.0).hypot(a.1 - b.1) < 0.3 * size
            };
            match self.0.iter().position(near) {
                // The place where it was first seen stays: what creeps away is not parked.
                Some(i) => (self.0[i].seen_ms, self.0[i].times) = (now_ms, self.0[i].times.saturating_add(1)),
                None if self.0.len() < THINGS => self.0.push(Parked { bbox: thing.bbox, since_ms: now_ms, seen_ms: now_ms, times: 1 }),
                None => {}
            }
        }
        let stands = self.0.iter().any(|p| p.times >= 2 && p.seen_ms - p.since_ms >= STANDS_MS.min(look.interval_ms * 3));
        Some(if stands { Answer::Yes } else { Answer::No })
    }
}

/// Its wheels, or most of it.
fn within(area: &Polygon, bbox: &Rect) -> bool {
    area.contains(((bbox.x0 + bbox.x1) / 2.0, bbox.y1 - 0.05 * bbox.height())) || area.share_of(bbox) >= 0.6
}

fn large(look: &Look, thing: &Thing) -> bool {
    let size = || {
        let floor = look.floor?;
        let b = &thing.bbox;
        let place = floor.mount.ground(floor.point(((b.x0 + b.x1) / 2.0, b.y1)), 0.0)?;
        let high = floor.mount.above(place, floor.point(((b.x0 + b.x1) / 2.0, b.y0)))?;
        let wide = f64::from(b.width()) * floor.aspect * floor.mount.span(floor.mount.distance(place, 0.0));
        Some(high + wide)
    };
    // What cannot be measured is taken for large.
    size().is_none_or(|s| s >= LARGE)
}
