//! Something is before the lens: a cap, a hand, cloth, paper, tape. What is that close is out of focus and hides the view's edges without having its own; it
//! need not be static. Lamps that go out and curtains that are drawn leave the edges where they are.
use super::view::Measures;
use super::{Blindness, Context, exposure};

/// Share of the blocks with structure that must be lost.
pub const LOST: f32 = 0.5;
/// Texture, in levels a cell, below which a picture has none.
pub const SOME_TEXTURE: f32 = 0.25;
/// What is there instead has less than this share of the view's edges: what is close is out of focus.
pub const FEW: f32 = 0.45;
/// A third of the view that is left agrees by less than this; a dim view, of which many edges are too faint, by more.
const REST: f32 = 0.3;
/// A uniform picture.
const UNIFORM: f32 = 24.0;

/// Black without a trace of the view. In care hours, when nobody naps, somebody has put a cap on; otherwise the light may be out.
pub fn black(m: &Measures, context: Context) -> Option<Blindness> {
    exposure::black(m).then_some(if context.care_hours && !context.nap { Blindness::Covered } else { Blindness::TooDark })
}

/// After [`super::focus::look`] has not found the view blurred.
pub fn look(m: &Measures) -> Option<Blindness> {
    let something = if m.known {
        m.lost >= LOST && m.replaced < FEW && m.in_place < REST && !exposure::dim(m)
    } else {
        m.texture < SOME_TEXTURE && m.range < UNIFORM
    };
    something.then_some(Blindness::Covered)
}
