//! How the 2 MiB of flash are divided; shared with the boot loader, which is never updated: this does not change. `map.x` says the same to the linker.
use embassy_embedded_hal::flash::partition::Partition;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_storage_async::nor_flash::NorFlash;

pub const CHIP: usize = 2 << 20;
/// Hardware revision of this wiring, for images.
pub const HARDWARE: u16 = 1;

const LOADER: u32 = 128 << 10;
const SLOT: u32 = 608 << 10;
const STATE_SIZE: u32 = 32 << 10;
const KEEP_SIZE: u32 = 64 << 10;

/// From where, and how long.
pub type Part = (u32, u32);
/// The program that runs.
#[allow(dead_code)] // The program itself never touches it.
pub const ACTIVE: Part = (LOADER, SLOT);
/// What an update brings.
pub const NEW: Part = (ACTIVE.0 + SLOT, SLOT);
/// What ran before.
#[allow(dead_code)] // Only the boot loader does.
pub const OLD: Part = (NEW.0 + SLOT, SLOT);
/// Where an update stands.
pub const STATE: Part = (LOADER + 3 * SLOT, STATE_SIZE);
/// What the node keeps.
#[allow(dead_code)] // The boot loader never touches it.
pub const KEEP: Part = (STATE.0 + STATE_SIZE, KEEP_SIZE);
const _: () = assert!(KEEP.0 + KEEP_SIZE == CHIP as u32);

pub fn part<F: NorFlash>(flash: &Mutex<NoopRawMutex, F>, (from, size): Part) -> Partition<'_, NoopRawMutex, F> {
    Partition::new(flash, from, size)
}
