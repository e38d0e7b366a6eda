//! Out of focus, or the lens is smeared: the coarse shapes are where they were, the fine ones are gone.
use super::Blindness;
use super::view::Measures;

/// Fine over coarse edges, against the learned view.
const BLURRED: f32 = 0.6;
/// Heavy blur leaves no edges to compare, but the light is distributed as it was,
const SAME_LIGHT: f32 = 0.85;
/// the coarse shapes are felt,
const SAME_SHAPES: f32 = 0.15;
/// and no edges take the place of those that are lost.
const LOST: f32 = 0.6;
const SMOOTH: f32 = 0.6;

/// After [`super::moved::look`] has not found the view elsewhere.
pub fn look(m: &Measures) -> Option<Blindness> {
    let blurred = m.sharpness < BLURRED;
    let heavily = m.lost >= LOST && m.smooth >= SMOOTH && m.light > SAME_LIGHT && m.coarse_agreement > SAME_SHAPES;
    (m.known && (blurred || heavily)).then_some(Blindness::Defocused)
}
