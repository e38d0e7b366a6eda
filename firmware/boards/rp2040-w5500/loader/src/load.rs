//! Does what is due of an update (`tuoan_node::update::boot`), then starts the program in the active slot.
#[path = "../../src/keys.rs"]
mod keys;
#[path = "../../src/layout.rs"]
mod layout;

use core::panic::PanicInfo;
use cortex_m::peripheral::SCB;
use embassy_embedded_hal::adapter::BlockingAsync;
use embassy_embedded_hal::flash::partition::Partition;
use embassy_futures::block_on;
use embassy_rp::flash::{Blocking, ERASE_SIZE, Flash};
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::FLASH;
use embassy_rp::watchdog::Watchdog;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::Duration;
use tuoan_node::flash::keep::Keep;
use tuoan_node::update::boot::Slots;
use tuoan_node::update::{Board, Slot, Start, prepare};
use tuoan_protocol::firmware::Version;

/// Where the flash is to be read by the processor.
const MAPPED: u32 = 0x1000_0000;
/// The longest that the chip takes is 8.3 s: a version on trial must reach its own feeding by then.
const TRIAL: Duration = Duration::from_secs(8);

type Chip = BlockingAsync<Flash<'static, FLASH, Blocking, { layout::CHIP }>>;

/// Starts the program of this name. Never any other, and none that is not whole and signed.
pub fn load(name: &str) -> ! {
    let p = embassy_rp::init(Default::default());
    // The program's own may still run down after a restart that it wanted; copies take longer.
    let mut dog = Watchdog::new(p.WATCHDOG);
    dog.stop();
    let flash = Mutex::new(BlockingAsync::new(Flash::new_blocking(p.FLASH)));
    // The version does not matter here: which one is to run was judged when it came.
    let board = Board { name, hardware: layout::HARDWARE, version: Version { major: 0, minor: 0, patch: 0 }, keys: keys::KEYS };
    match block_on(ready(&flash, &board)) {
        Some(Start::Settled) => start(),
        Some(Start::Trial) => {
            dog.start(TRIAL);
            start()
        }
        None => {
            // Nothing to start: the lamp flickers for about ten seconds, then it is tried again.
            let mut lamp = Output::new(p.PIN_25, Level::High);
            for _ in 0..100 {
                lamp.toggle();
                cortex_m::asm::delay(12_500_000);
            }
            SCB::sys_reset()
        }
    }
}

async fn ready(flash: &Mutex<NoopRawMutex, Chip>, board: &Board<'_>) -> Option<Start> {
    let slot = |part| -> Option<Slot<Partition<'_, NoopRawMutex, Chip>>> { Slot::new(layout::part(flash, part)).ok() };
    let mut slots = Slots { active: slot(layout::ACTIVE)?, new: slot(layout::NEW)?, old: slot(layout::OLD)? };
    let mut state = Keep::open(layout::part(flash, layout::STATE)).await.ok()?;
    prepare(&mut slots, &mut state, board).await.ok()
}

fn start() -> ! {
    let at = MAPPED + layout::ACTIVE.0 + ERASE_SIZE as u32;
    // SAFETY: `prepare` found there, a moment ago, every byte of an image that was signed for this board; images begin with their vector table (map.x).
    // No interrupt can come in between: nothing here has started a transfer or an alarm.
    unsafe {
        cortex_m::Peripherals::steal().SCB.vtor.write(at);
        cortex_m::asm::bootload(at as *const u32)
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
