//! Out of focus, or the lens is smeared: the coarse shapes are where they were, the fine ones are gone.
use super::Blindness;
use super::covered::{self, FEW};
use super::view::Measures;

/// Fine over coarse edges, against the learned view.
const BLURRED: f32 = 0.68;
/// And of all that is there: who walks before a sharp camera is sharp.
const CRISP: f32 = 0.85;
/// The coarse shapes are where they were, and so are edges or the distribution of the light: a smooth cover has shapes by chance only.
const SHAPES: f32 = 0.3;
const IN_PLACE: f32 = 0.25;
const SAME_LIGHT: f32 = 0.93;
/// A crowd before a blurred view leaves less of both, but shows that nothing covers the lens: by its own edges, or by the light.
const CROWDED: f32 = 0.15;
const FREE_LIGHT: f32 = 0.8;
/// Whoever fills the rest of the picture: in so many blocks the coarse edges are in place, with traces of the fine ones, and nearly none of those is sharp, nor
/// is anything else.
const KEPT: f32 = 0.45;
const TRACES: f32 = 0.3;
const SHARPEST: f32 = 0.8;
const NOTHING_CRISP: f32 = 0.75;
/// Blur takes edges away. With so many more than the learned view has, the picture is full of somebody.
const FULL: f32 = 1.5;
/// Heavy blur leaves no edges to compare.
const LOST: f32 = 0.6;
/// Wiped: what runs one way is blurred more than the rest, and with less contrast, while all is where it was.
const WIPED: f32 = 0.66;
const LESS: f32 = 0.7;
const WIPED_LIGHT: f32 = 0.95;
/// Grease veils: all is where it was, coarse and bright as before, with few of its edges. In a picture darker than this noise has eaten them.
const VEILED: f32 = 0.33;
const VEILED_SHAPES: f32 = 0.7;
const VEILED_LIGHT: f32 = 0.99;
const BRIGHT: f32 = 80.0;
/// In a picture of so little contrast nothing is sharp.
const CONTRAST: f32 = 24.0;

pub fn look(m: &Measures) -> Option<Blindness> {
    let same_light = m.light > SAME_LIGHT;
    let shapes = m.coarse_agreement > SHAPES;
    let free = m.replaced >= FEW || m.lost < covered::LOST || m.light > FREE_LIGHT;
    let in_place = shapes && (m.in_place > IN_PLACE || same_light) || free && m.coarse_agreement > CROWDED && m.in_place > CROWDED;
    let blurred = m.sharpness < BLURRED && m.crispness < CRISP && m.texture_share < FULL && in_place;
    let behind = m.kept >= KEPT && m.traces > TRACES && m.sharpest < SHARPEST && m.crispness < NOTHING_CRISP;
    let heavily = m.lost >= LOST && m.replaced < FEW && same_light && shapes;
    let alike = m.coarse_agreement > VEILED_SHAPES && m.light > VEILED_LIGHT;
    let veiled = m.texture_share < VEILED && m.mean > BRIGHT && alike;
    let still_there = m.coarse_agreement > VEILED_SHAPES && m.light > WIPED_LIGHT && m.mean > BRIGHT;
    let wiped = m.smeared < WIPED && m.crispness < CRISP && m.texture_share < LESS && still_there;
    (m.known && m.range > CONTRAST && (blurred || behind || heavily || veiled || wiped)).then_some(Blindness::Defocused)
}
