//! Too dark, or burnt out: the view's information is gone for want or excess of light. A room whose lamps are off for the nap keeps its shapes and is neither.
use super::Blindness;
use super::view::Measures;

/// Mean brightness below which the dark is asked for traces of the view.
pub const DARK: f32 = 32.0;
/// Share of blocks that must be lost.
const LOST: f32 = 0.6;
/// The sum of the dark pictures agrees with the learned view by more than this: the lens is free, the light is missing. Chance gives 0.05 at most.
const TRACE: f32 = 0.12;
/// Or the little light there is lies where it did, by this correlation.
const SAME_LIGHT: f32 = 0.5;
/// Share of burnt-out cells.
const BURNT: f32 = 0.5;
const ALL_BURNT: f32 = 0.85;
/// Brightness range from which on a dark picture still shows something, if only to who knows what; and when no view is learned.
const SOMETHING: f32 = 24.0;
const NOTHING: f32 = 8.0;

pub fn look(m: &Measures) -> Option<Blindness> {
    if m.clipped >= ALL_BURNT || (m.clipped >= BURNT && m.known && m.lost >= LOST) {
        return Some(Blindness::OverExposed);
    }
    (black(m) && (m.trace > TRACE || m.known && m.light > SAME_LIGHT)).then_some(Blindness::TooDark)
}

/// Dark, and nothing in it.
pub fn black(m: &Measures) -> bool {
    m.mean < DARK && if m.known { m.lost >= LOST && m.range < SOMETHING } else { m.range < NOTHING }
}

/// Something is in it, but too little to be held against the learned view.
pub fn dim(m: &Measures) -> bool {
    m.mean < DARK && m.range >= SOMETHING
}
