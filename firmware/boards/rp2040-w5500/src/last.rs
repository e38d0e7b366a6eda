//! What a start leaves for the next one in memory that a reset does not clear: the words of a panic, and whether the restart was meant.
use core::fmt::{self, Display};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use cortex_m::peripheral::SCB;
use tuoan_node::flash::words::{self, MEMORY};

/// Any bytes, after power-on; `tuoan_node::flash::words` finds that out by a check sum.
#[unsafe(link_section = ".last")]
static WORDS: [AtomicU8; MEMORY] = [const { AtomicU8::new(0) }; MEMORY];
#[unsafe(link_section = ".last")]
static MEANT: AtomicU32 = AtomicU32::new(0);
const MARK: u32 = 0x5441_4552;

/// A start that the node wants: new settings, an update, another identity.
pub fn restart() -> ! {
    MEANT.store(MARK, Ordering::Relaxed);
    SCB::sys_reset()
}

/// Whether this start was wanted; once only.
pub fn was_meant() -> bool {
    let meant = MEANT.load(Ordering::Relaxed) == MARK;
    MEANT.store(0, Ordering::Relaxed);
    meant
}

/// What the memory holds; it holds nothing after this.
pub fn take() -> [u8; MEMORY] {
    let mut memory = [0; MEMORY];
    for (to, from) in memory.iter_mut().zip(&WORDS) {
        *to = from.load(Ordering::Relaxed);
        from.store(0, Ordering::Relaxed);
    }
    memory
}

/// A panic starts the node anew; the birth after it tells where it was.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut memory = [0; MEMORY];
    words::leave(&mut memory, Words(info));
    for (from, to) in memory.iter().zip(&WORDS) {
        to.store(*from, Ordering::Relaxed);
    }
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
