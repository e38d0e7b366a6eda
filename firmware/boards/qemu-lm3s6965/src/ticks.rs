//! Milliseconds behind `embassy-time`. SysTick counts cycles and is only read; timer 0 wakes once, when the next wait is over. Between two waits the chip
//! sleeps: nothing wakes it but what it waits for, or what comes in from outside.
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
/// So the longest sleep is a second, in cycles.
const LONGEST: u64 = 12_500_000;

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
            // Nothing to do for a wait that is longer than one that is under way.
            if self.queue.borrow(cs).borrow_mut().schedule_wake(at, waker) {
                self.expire(cs);
            }
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
    /// Wakes whose wait is over, and sets the timer for the next one. It counts from now on: a moment that is near cannot be missed.
    fn expire(&self, cs: CriticalSection<'_>) {
        let now = self.now_cycles(cs);
        let next = self.queue.borrow(cs).borrow_mut().next_expiration(now / u64::from(CYCLES_PER_MS));
        let left = next.saturating_mul(CYCLES_PER_MS.into()).saturating_sub(now).clamp(1, LONGEST);
        write(TIMER0, CONTROL, 0);
        write(TIMER0, INTERVAL, left as u32);
        write(TIMER0, CONTROL, 1);
    }
}

/// An interrupt by its number in the vector table of this chip (data sheet, interrupts).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Line(u16);
const CONSOLE: Line = Line(5);
const TIMER: Line = Line(19);
const FRAMES: Line = Line(42);
// SAFETY: the numbers are the chip's, for its UART 0, its timer 0A and its Ethernet MAC.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self.0
    }
}
const CONFIGURATION: u32 = 0x00;
const MODE: u32 = 0x04;
const CONTROL: u32 = 0x0c;
const INTERRUPT_MASK: u32 = 0x18;
const INTERRUPT_CLEAR: u32 = 0x24;
const INTERVAL: u32 = 0x28;

/// All of the chip's interrupts come here; only those above are let through.
// SAFETY: the handler touches only what is behind critical sections, and registers that only it writes.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    match Line(number.unsigned_abs()) {
        TIMER => {
            write(TIMER0, INTERRUPT_CLEAR, 1);
            critical_section::with(|cs| DRIVER.expire(cs));
        }
        FRAMES => crate::ethernet::came(),
        _ => crate::serial::typed(),
    }
}

pub fn start(systick: &mut SYST) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(COUNT);
    systick.clear_current();
    systick.enable_counter();
    // One timer of 32 bits, once.
    write(TIMER0, CONFIGURATION, 0);
    write(TIMER0, MODE, 1);
    write(TIMER0, INTERRUPT_MASK, 1);
    critical_section::with(|cs| DRIVER.expire(cs));
    for line in [CONSOLE, TIMER, FRAMES] {
        // SAFETY: no critical section is made by masking single interrupts.
        unsafe { NVIC::unmask(line) };
    }
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
