//! More people than can be told apart: counts are lower bounds.
use super::{Answer, Look, Steady};

const OVER_MS: i64 = 6_000;

#[derive(Debug)]
pub struct Crowded(Steady);

impl Default for Crowded {
    fn default() -> Self {
        Crowded(Steady::new(OVER_MS))
    }
}

impl Crowded {
    pub fn look(&mut self, look: &Look) -> Answer {
        let here = look.people().next().is_some();
        self.0.see(look.now_ms, if look.sight.at_least && here { Answer::Yes } else { Answer::No })
    }
}
