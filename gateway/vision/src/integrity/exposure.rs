//! Too dark, or burnt out: the view's information is gone for want or excess of light. A room whose lamps are off for the nap keeps its shapes and is neither.
use super::view::Measures;
use super::{Blindness, Context};

/// Mean brightness below which the dark is asked for traces of the view.
pub const DARK: f32 = 32.0;
/// Share of blocks that must be lost.
const LOST: f32 = 0.6;
/// The sum of the dark pictures agrees with the learned view by more than this: the lens is free, the light is missing. Chance gives 0.05 at most.
pub const TRACE: f32 = 0.12;
/// Or the little light there is lies where it did, by this correlation.
const SAME_LIGHT: f32 = 0.5;
/// Share of burnt-out cells.
const BURNT: f32 = 0.5;
const ALL_BURNT: f32 = 0.85;
/// Brightness range below which a dark picture shows nothing, when no view is learned.
pub const NOTHING: f32 = 8.0;

pub fn look(m: &Measures, _context: Context) -> Option<Blindness> {
    if m.clipped >= ALL_BURNT || (m.clipped >= BURNT && m.known && m.lost >= LOST) {
        return Some(Blindness::OverExposed);
    }
    let nothing = if m.known { m.lost >= LOST } else { m.range < NOTHING };
    (m.mean < DARK && nothing && (m.trace > TRACE || m.known && m.light > SAME_LIGHT)).then_some(Blindness::TooDark)
}
