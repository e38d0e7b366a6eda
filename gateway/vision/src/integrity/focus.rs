//! Out of focus, or the lens is smeared: the coarse shapes are where they were, the fine ones are gone.
use super::Blindness;
use super::covered::FEW;
use super::view::Measures;

/// Fine over coarse edges, against the learned view.
const BLURRED: f32 = 0.68;
/// The coarse shapes are where they were,
const SHAPES: f32 = 0.3;
/// and so are most edges or the distribution of the light: a smooth cover has shapes by chance only.
const IN_PLACE: f32 = 0.25;
const SAME_LIGHT: f32 = 0.93;
/// Heavy blur leaves no edges to compare.
const LOST: f32 = 0.6;
/// In a picture of so little contrast nothing is sharp.
const CONTRAST: f32 = 24.0;

pub fn look(m: &Measures) -> Option<Blindness> {
    let same_light = m.light > SAME_LIGHT;
    let blurred = m.sharpness < BLURRED && (m.in_place > IN_PLACE || same_light);
    let heavily = m.lost >= LOST && m.replaced < FEW && same_light;
    (m.known && m.range > CONTRAST && m.coarse_agreement > SHAPES && (blurred || heavily)).then_some(Blindness::Defocused)
}
