//! Milliseconds from SysTick, behind `embassy-time`.
use core::cell::{Cell, RefCell};
use core::task::Waker;
use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use critical_section::{CriticalSection, Mutex};
use embassy_time_queue_utils::Queue;
use tuoan_node::clock::Clock;

/// The emulated chip runs from its divided clock: 12.5 MHz.
const CYCLES_PER_MS: u32 = 12_500;

struct Driver {
    now_ms: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: Driver = Driver {
    now_ms: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl embassy_time_driver::Driver for Driver {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.now_ms.borrow(cs).get())
    }
    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            self.queue.borrow(cs).borrow_mut().schedule_wake(at, waker);
            self.expire(cs);
        });
    }
}

impl Driver {
    fn expire(&self, cs: CriticalSection<'_>) {
        let now = self.now_ms.borrow(cs).get();
        self.queue.borrow(cs).borrow_mut().next_expiration(now);
    }
}

#[exception]
fn SysTick() {
    critical_section::with(|cs| {
        let now = DRIVER.now_ms.borrow(cs);
        now.set(now.get() + 1);
        DRIVER.expire(cs);
    });
    crate::ethernet::tick();
}

pub fn start(systick: &mut SYST) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(CYCLES_PER_MS - 1);
    systick.clear_current();
    systick.enable_counter();
    systick.enable_interrupt();
}

/// The node's clock.
#[derive(Clone, Copy)]
pub struct Uptime;
impl Clock for Uptime {
    type Delay = embassy_time::Delay;
    fn now_ms(&self) -> u64 {
        embassy_time::Instant::now().as_millis()
    }
    fn delay(&self) -> Self::Delay {
        embassy_time::Delay
    }
}
