//! Out of focus, or the lens is smeared: the coarse shapes are where they were, the fine ones are gone.
use super::Blindness;
use super::view::Measures;

/// Fine over coarse edges, against the learned view.
const BLURRED: f32 = 0.55;
/// The coarse shapes must agree so well.
const SAME_VIEW: f32 = 0.3;
/// Heavy blur leaves no edges to compare, but the light is distributed as it was.
const SAME_LIGHT: f32 = 0.85;
const LOST: f32 = 0.6;
const SMOOTH: f32 = 0.3;

pub fn look(m: &Measures) -> Option<Blindness> {
    if !m.known {
        return None;
    }
    let blurred = m.sharpness < BLURRED && m.coarse_agreement > SAME_VIEW;
    let heavily = m.lost >= LOST && m.texture_share < SMOOTH && m.light > SAME_LIGHT && m.coarse_agreement > SAME_VIEW / 2.0;
    (blurred || heavily).then_some(Blindness::Defocused)
}
