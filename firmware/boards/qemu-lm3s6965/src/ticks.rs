//! Milliseconds behind `embassy-time`. SysTick counts cycles and is only read; timer 0 wakes every millisecond. Counting the wakes instead would let the
//! clock go slow wherever the host holds the emulator up: an interrupt that is pending already does not come twice.
use crate::regs::{TIMER0, write};
use core::cell::{Cell, RefCell};
use core::task::Waker;
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::{NVIC, SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use critical_section::{CriticalSection, Mutex};
use embassy_time_queue_utils::Queue;
use tuoan_node::clock::Clock;

/// The emulated chip runs from its divided clock: 12.5 MHz.
const CYCLES_PER_MS: u32 = 12_500;
/// SysTick counts down through all of its 24 bits, in 1.3 s: it must be read more often.
const COUNT: u32 = 0x00ff_ffff;

struct Driver {
    /// SysTick when it was last read, and the cycles until then.
    last: Mutex<Cell<u32>>,
    cycles: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: Driver = Driver {
    last: Mutex::new(Cell::new(0)),
    cycles: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl embassy_time_driver::Driver for Driver {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.now_ms(cs))
    }
    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            self.queue.borrow(cs).borrow_mut().schedule_wake(at, waker);
            self.expire(cs);
        });
    }
}

impl Driver {
    fn now_ms(&self, cs: CriticalSection<'_>) -> u64 {
        self.now_cycles(cs) / u64::from(CYCLES_PER_MS)
    }
    fn now_cycles(&self, cs: CriticalSection<'_>) -> u64 {
        let count = SYST::get_current();
        let passed = self.last.borrow(cs).replace(count).wrapping_sub(count) & COUNT;
        let cycles = self.cycles.borrow(cs);
        cycles.set(cycles.get() + u64::from(passed));
        cycles.get()
    }
    fn expire(&self, cs: CriticalSection<'_>) {
        let now = self.now_ms(cs);
        self.queue.borrow(cs).borrow_mut().next_expiration(now);
    }
}

/// Timer 0's interrupt in the vector table of this chip.
#[derive(Clone, Copy)]
struct Timer0;
const TIMER0_NUMBER: u16 = 19;
// SAFETY: the number is the chip's for its timer 0A (data sheet, interrupts).
unsafe impl InterruptNumber for Timer0 {
    fn number(self) -> u16 {
        TIMER0_NUMBER
    }
}
const CONFIGURATION: u32 = 0x00;
const MODE: u32 = 0x04;
const CONTROL: u32 = 0x0c;
const INTERRUPT_MASK: u32 = 0x18;
const INTERRUPT_CLEAR: u32 = 0x24;
const INTERVAL: u32 = 0x28;

/// All of the chip's interrupts come here; only timer 0's is let through.
// SAFETY: the handler touches only what is behind critical sections.
#[exception]
unsafe fn DefaultHandler(_: i16) {
    write(TIMER0, INTERRUPT_CLEAR, 1);
    critical_section::with(|cs| DRIVER.expire(cs));
    crate::ethernet::tick();
    crate::serial::tick();
}

pub fn start(systick: &mut SYST) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(COUNT);
    systick.clear_current();
    systick.enable_counter();
    // One timer of 32 bits, again and again.
    write(TIMER0, CONFIGURATION, 0);
    write(TIMER0, MODE, 2);
    write(TIMER0, INTERVAL, CYCLES_PER_MS - 1);
    write(TIMER0, INTERRUPT_MASK, 1);
    write(TIMER0, CONTROL, 1);
    // SAFETY: no critical section is made by masking single interrupts.
    unsafe { NVIC::unmask(Timer0) };
}

/// Cycles since the start.
pub fn cycles() -> u64 {
    critical_section::with(|cs| DRIVER.now_cycles(cs))
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
