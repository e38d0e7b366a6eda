//! zone.intrusion: a child is where it must not be, in a kitchen or on stairs.
use super::{Answer, Look, Steady};
use crate::scene::track::Age;
use crate::setup::AreaKind;

const OVER_MS: i64 = 1_500;

#[derive(Debug)]
pub struct Intrusion(Steady);

impl Default for Intrusion {
    fn default() -> Self {
        Intrusion(Steady::new(OVER_MS))
    }
}

impl Intrusion {
    /// `None`: no such place is before the camera.
    pub fn look(&mut self, look: &Look) -> Option<Answer> {
        look.areas(&[AreaKind::Kitchen, AreaKind::Stairs]).next()?;
        if look.floor.is_none() {
            return Some(Answer::CannotTell);
        }
        let inside =
            look.everybody.iter().filter(|s| look.areas(&[AreaKind::Kitchen, AreaKind::Stairs]).any(|a| a.polygon.contains(s.foot)));
        let now = super::most(inside.map(|s| match s.age {
            Age::Child => Answer::Yes,
            Age::Unknown => Answer::CannotTell,
            Age::Adult => Answer::No,
        }));
        Some(self.0.see(look.now_ms, now))
    }
}
