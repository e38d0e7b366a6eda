//! Polls one future until it is ready, and sleeps (WFI) until an interrupt when it waits. QEMU takes WFE for a yield, so it is not used.
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

static WOKEN: AtomicBool = AtomicBool::new(false);
static TABLE: RawWakerVTable = RawWakerVTable::new(|_| RAW, |_| wake(), |_| wake(), |_| {});
const RAW: RawWaker = RawWaker::new(core::ptr::null(), &TABLE);

fn wake() {
    WOKEN.store(true, Ordering::Release);
}

/// Pinned by the caller: by value it would lie on the stack twice.
pub fn block_on<T>(mut future: Pin<&mut impl Future<Output = T>>) -> T {
    // SAFETY: the table's functions ignore the pointer and touch one atomic, so they may be called from everywhere.
    let waker = unsafe { Waker::from_raw(RAW) };
    let mut context = Context::from_waker(&waker);
    // A future is polled once before it can ask to be woken.
    wake();
    loop {
        while WOKEN.swap(false, Ordering::AcqRel) {
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
        }
        // With interrupts masked: one that comes between the look and the sleep ends the sleep at once.
        cortex_m::interrupt::free(|_| {
            if !WOKEN.load(Ordering::Acquire) {
                cortex_m::asm::wfi();
            }
        });
    }
}
