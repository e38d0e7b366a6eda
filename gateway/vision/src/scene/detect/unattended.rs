//! room.unattended: a child is there and no adult.
//!
//! Somebody whose size is not known may be the adult, so a child beside them gives "cannot tell": an alarm would often be false, and "no" would be a
//! lie. That lasts as long as it takes to see them once upright, or with head and feet in whatever posture.
use super::{Answer, Look, Steady};
use crate::scene::track::Age;

const OVER_MS: i64 = 4_000;

#[derive(Debug)]
pub struct Unattended(Steady);

impl Default for Unattended {
    fn default() -> Self {
        Unattended(Steady::new(OVER_MS))
    }
}

impl Unattended {
    pub fn look(&mut self, look: &Look) -> Answer {
        if look.floor.is_none() {
            return Answer::CannotTell;
        }
        let any = |age: Age| look.people().any(|s| s.age == age);
        let now = match (any(Age::Adult), any(Age::Child), any(Age::Unknown)) {
            (true, _, _) | (false, false, false) => Answer::No,
            (false, true, false) if !look.at_least => Answer::Yes,
            _ => Answer::CannotTell,
        };
        self.0.see(look.now_ms, now)
    }
}
