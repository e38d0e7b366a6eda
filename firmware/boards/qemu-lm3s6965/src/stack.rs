//! How deep the stack has gone: what lies below it is painted at the start and looked at later.
const PAINT: u32 = 0xa5a5_a5a5;
/// Bytes below the stack pointer that are left alone.
const MARGIN: usize = 512;

unsafe extern "C" {
    /// End of the static variables, from the linker.
    static mut __sheap: u32;
    static _stack_start: u32;
}

fn bottom() -> *mut u32 {
    &raw mut __sheap
}

/// Paints all that is free now.
pub fn paint() {
    let top = cortex_m::register::msp::read() as usize - MARGIN;
    let mut at = bottom();
    while (at as usize) < top {
        // SAFETY: between the statics and the stack nothing lives: there is no heap.
        unsafe {
            at.write_volatile(PAINT);
            at = at.add(1);
        }
    }
}

/// Bytes of stack used at most so far.
pub fn used() -> usize {
    let top = (&raw const _stack_start) as usize;
    let mut at = bottom();
    // SAFETY: as above; reading stops at the first word that was used, at the latest at the stack's own frames.
    while (at as usize) < top && unsafe { at.read_volatile() } == PAINT {
        at = unsafe { at.add(1) };
    }
    top - at as usize
}

/// Bytes between the statics and the end of the RAM.
pub fn room() -> usize {
    (&raw const _stack_start) as usize - bottom() as usize
}
