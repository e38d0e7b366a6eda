//! What a start leaves for the next one: the words of a panic, and whether the restart was meant.
use crate::serial::say;
use crate::store::{LAST, get, set};
use core::fmt::{self, Display};
use core::panic::PanicInfo;
use cortex_m::peripheral::SCB;
use tuoan_node::flash::words::{self, MEMORY, Reset};

const WORDS: u32 = LAST.0;
const MEANT: u32 = WORDS + MEMORY as u32;
const MARK: u8 = 0x5a;
const _: () = assert!(MEMORY < LAST.1 as usize);

/// A start that the node wants: new settings, an update, another identity.
pub fn restart() -> ! {
    set(MEANT, MARK);
    SCB::sys_reset()
}

/// Why this start, unless last words say more. The emulator gives no other reason.
pub fn reason() -> Reset {
    let meant = get(MEANT) == MARK;
    set(MEANT, 0);
    if meant { Reset::Software } else { Reset::PowerOn }
}

/// What the memory holds; it holds nothing after this.
pub fn take() -> [u8; MEMORY] {
    let mut memory = [0; MEMORY];
    for (byte, at) in memory.iter_mut().zip(WORDS..) {
        *byte = get(at);
        set(at, 0);
    }
    memory
}

/// A panic starts the node anew; the birth after it tells where it was.
#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    say!("{}", Words(info));
    let mut memory = [0; MEMORY];
    words::leave(&mut memory, Words(info));
    memory.iter().zip(WORDS..).for_each(|(byte, at)| set(at, *byte));
    SCB::sys_reset()
}

/// `panic session.rs:120: <what>`: the birth has room for the front of it.
struct Words<'a>(&'a PanicInfo<'a>);
impl Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = self.0.location().map_or(("", 0), |l| (l.file(), l.line()));
        write!(f, "panic {}:{line}: {}", file.rsplit('/').next().unwrap_or_default(), self.0.message())
    }
}
