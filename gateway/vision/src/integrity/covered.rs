//! Something is before the lens: a cap, a hand, cloth, paper, tape. What is that close is out of focus and hides the view's edges without having its own; it
//! need not be static. Lamps that go out and curtains that are drawn leave the edges where they are.
use super::exposure::{DARK, NOTHING};
use super::view::Measures;
use super::{Blindness, Context};

/// Share of the blocks with structure that must be lost.
pub const LOST: f32 = 0.6;
/// Texture, in levels a cell, below which a picture has none.
pub const SOME_TEXTURE: f32 = 0.25;
/// Of the lost blocks so many are smooth: what is close is out of focus. Another view would have edges of its own.
const SMOOTH: f32 = 0.6;
/// A uniform picture.
const UNIFORM: f32 = 24.0;

/// Black without a trace of the view. In care hours, when nobody naps, somebody has put a cap on; otherwise the light may be out.
pub fn black(m: &Measures, context: Context) -> Option<Blindness> {
    let nothing = if m.known { m.lost >= LOST } else { m.range < NOTHING };
    (m.mean < DARK && nothing).then_some(if context.care_hours && !context.nap { Blindness::Covered } else { Blindness::TooDark })
}

/// After [`super::moved::look`] has not found the view elsewhere.
pub fn look(m: &Measures) -> Option<Blindness> {
    if !m.known {
        return (m.texture < SOME_TEXTURE && m.range < UNIFORM).then_some(Blindness::Covered);
    }
    if m.lost < LOST {
        return None;
    }
    if m.smooth >= SMOOTH { Some(Blindness::Covered) } else { Some(Blindness::Moved) }
}
