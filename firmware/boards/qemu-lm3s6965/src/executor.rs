//! Polls the parts of the program in turn, and sleeps (WFI) until an interrupt when all of them wait. Each part has a waker of its own: the network's sockets
//! wake the network whenever they are looked at, so that one waker for all would never let the chip sleep. QEMU takes WFE for a yield, so it is not used.
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// A bit for each part that is to be polled.
static WOKEN: AtomicU32 = AtomicU32::new(0);
static TABLE: RawWakerVTable = RawWakerVTable::new(|part| RawWaker::new(part, &TABLE), wake, wake, |_| {});

/// What a waker points to is no address but its part's bit.
fn wake(part: *const ()) {
    WOKEN.fetch_or(part.addr() as u32, Ordering::Release);
}

/// Until one of them is ready. There are 32 at most, pinned by the caller: by value they would lie on the stack twice.
pub fn run<T>(parts: &mut [Pin<&mut dyn Future<Output = T>>]) -> T {
    // A future is polled once before it can ask to be woken.
    WOKEN.store(u32::MAX, Ordering::Release);
    loop {
        let woken = WOKEN.swap(0, Ordering::AcqRel);
        for (place, part) in parts.iter_mut().enumerate().filter(|(place, _)| woken & 1 << place != 0) {
            // SAFETY: the table's functions take the pointer for a number and touch one atomic, so they may be called from everywhere.
            let waker = unsafe { Waker::new(core::ptr::without_provenance(1 << place), &TABLE) };
            if let Poll::Ready(value) = part.as_mut().poll(&mut Context::from_waker(&waker)) {
                return value;
            }
        }
        // With interrupts masked: one that comes between the look and the sleep ends the sleep at once.
        cortex_m::interrupt::free(|_| {
            if WOKEN.load(Ordering::Acquire) == 0 {
                cortex_m::asm::wfi();
            }
        });
    }
}

pub fn block_on<T>(future: Pin<&mut impl Future<Output = T>>) -> T {
    run(&mut [future])
}
