//! Which frames are worth a look: inference is nine tenths of a frame's cost, and most frames of a room show what the one before showed.
//!
//! What must hold: a frame that is passed over is one in which nothing moved; nothing is left unlooked-at for longer than the site allows
//! ([`ANYWAY_S`] seconds, unless its configuration says otherwise); and while a sign is seen every frame is looked at, because a rule is about to count its seconds.

/// Share of the picture that must have changed since the frame before. A person at the far wall of a room covers about a hundredth.
const MOTION: f32 = 0.002;
/// After the last movement it is looked on for so long: what has moved may come to rest where it matters.
const SETTLE_MS: i64 = 2_000;
/// It is looked at this often anyway: a detector that missed somebody who then sits still has another chance.
pub const ANYWAY_S: u16 = 10;

/// One camera's gate.
#[derive(Debug, Clone)]
pub struct Gate {
    anyway_ms: i64,
    moved_ms: Option<i64>,
    /// When the newest frame came that was let through.
    let_through_ms: Option<i64>,
    /// The last look showed a sign.
    pending: bool,
}

impl Gate {
    /// `anyway_s`: seconds after which a frame is let through though nothing moved.
    pub fn new(anyway_s: u16) -> Gate {
        Gate { anyway_ms: i64::from(anyway_s) * 1000, moved_ms: None, let_through_ms: None, pending: false }
    }
    /// Whether a frame is to be looked at. `motion`: share of the picture that changed, 0 to 1.
    pub fn lets_through(&mut self, at_ms: i64, motion: f32) -> bool {
        if motion >= MOTION {
            self.moved_ms = Some(at_ms);
        }
        let within = |since: Option<i64>, most: i64| since.is_some_and(|t| at_ms.saturating_sub(t) < most);
        let look = self.pending || within(self.moved_ms, SETTLE_MS) || !within(self.let_through_ms, self.anyway_ms);
        if look {
            self.let_through_ms = Some(at_ms);
        }
        look
    }

    /// What a look showed.
    pub fn looked(&mut self, sign: bool) {
        self.pending = sign;
    }

    /// A look that was let through came to nothing: the next frame takes its place.
    pub fn failed(&mut self) {
        self.let_through_ms = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of the frames, one a second, that are let through.
    fn through(motion: impl Fn(i64) -> f32, sign: impl Fn(i64) -> bool) -> Vec<i64> {
        let mut gate = Gate::new(ANYWAY_S);
        let looks = (0..60).filter(|s| {
            let look = gate.lets_through(s * 1000, motion(*s));
            if look {
                gate.looked(sign(*s));
            }
            look
        });
        looks.collect()
    }

    #[test]
    fn a_still_room_is_looked_at_now_and_then() {
        assert_eq!(through(|_| 0.0005, |_| false), [0, 10, 20, 30, 40, 50]);
    }

    #[test]
    fn movement_is_looked_at_at_once_and_until_it_has_settled() {
        let looks = through(|s| if (13..16).contains(&s) { 0.05 } else { 0.0 }, |_| false);
        assert_eq!(looks, [0, 10, 13, 14, 15, 16, 26, 36, 46, 56]);
    }

    #[test]
    fn a_sign_keeps_every_frame_until_it_is_gone() {
        let looks = through(|_| 0.0, |s| (20..25).contains(&s));
        assert_eq!(looks, [0, 10, 20, 21, 22, 23, 24, 25, 35, 45, 55]);
    }

    #[test]
    fn a_look_that_failed_is_made_up_for() {
        let mut gate = Gate::new(ANYWAY_S);
        assert!(gate.lets_through(0, 0.0) && !gate.lets_through(1000, 0.0));
        gate.failed();
        assert!(gate.lets_through(2000, 0.0));
    }
}
