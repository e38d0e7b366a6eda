//! The two UARTs (PL011): the first is the console, over the second an I²C bus is played by the host, since the emulator has none of our sensors.
use crate::regs::{UART0, UART1, read, write};
use core::fmt;
use core::future::poll_fn;
use core::task::Poll;
use embassy_futures::yield_now;
use embassy_sync::waitqueue::AtomicWaker;
use embassy_time::{Duration, Instant};
use embedded_hal_async::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

const DATA: u32 = 0x00;
const FLAGS: u32 = 0x18;
const INTERRUPT_MASK: u32 = 0x38;
const INTERRUPT_CLEAR: u32 = 0x44;
const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;
/// Bytes have come: as many as the chip waits for, or fewer and then none for a while.
const CAME: u32 = 1 << 4 | 1 << 6;

fn send(uart: u32, byte: u8) {
    while read(uart, FLAGS) & TRANSMIT_FULL != 0 {}
    write(uart, DATA, byte.into());
}

static TYPED: AtomicWaker = AtomicWaker::new();

/// The console's interrupt: wakes whoever waits for it. All that has come is read then.
pub fn typed() {
    write(UART0, INTERRUPT_CLEAR, CAME);
    TYPED.wake();
}

/// Lets the console's interrupt through; the bus has none (see `Bus::byte`).
pub fn listen() {
    write(UART0, INTERRUPT_MASK, CAME);
}

pub struct Console;
impl Console {
    pub async fn read() -> u8 {
        poll_fn(|context| {
            TYPED.register(context.waker());
            if read(UART0, FLAGS) & RECEIVE_EMPTY != 0 { Poll::Pending } else { Poll::Ready(read(UART0, DATA) as u8) }
        })
        .await
    }
}
impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|b| send(UART0, b));
        Ok(())
    }
}

/// Prints a line.
macro_rules! say {
    ($($arg:tt)*) => {{
        use core::fmt::Write as _;
        let _ = writeln!($crate::serial::Console, $($arg)*);
    }};
}
pub(crate) use say;

/// How long the host may take: longer than any pause of a busy machine, since a look that is given up is a measurement lost; shorter than the sampler waits for
/// a sensor that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The bus: `address, bytes to write, bytes to read` and what is written; the answer is 0 and what is read, or 1 for no acknowledgement. Each operation is
/// one exchange.
#[derive(Clone, Copy)]
pub struct Bus;

impl Bus {
    /// It stays awake until the byte is there, and lets the others run: where QEMU does not wait for real time (`-icount sleep=off`), a sleep is over at once, with
    /// all of its time gone by, and the host, which needs real time to answer, would be too late each time.
    async fn byte(until: Instant) -> Result<u8, ErrorKind> {
        while read(UART1, FLAGS) & RECEIVE_EMPTY != 0 {
            if Instant::now() >= until {
                return Err(ErrorKind::Bus);
            }
            yield_now().await;
        }
        Ok(read(UART1, DATA) as u8)
    }

    async fn exchange(address: u8, out: &[u8], into: &mut [u8]) -> Result<(), ErrorKind> {
        // What a late answer to an earlier exchange left behind.
        while read(UART1, FLAGS) & RECEIVE_EMPTY == 0 {
            read(UART1, DATA);
        }
        let (write, read) = (u8::try_from(out.len()), u8::try_from(into.len()));
        let (Ok(write), Ok(read)) = (write, read) else { return Err(ErrorKind::Overrun) };
        for byte in [address, write, read].iter().chain(out) {
            send(UART1, *byte);
        }
        let until = Instant::now() + PATIENCE;
        if Bus::byte(until).await? != 0 {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        for place in into {
            *place = Bus::byte(until).await?;
        }
        Ok(())
    }
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}
impl I2c for Bus {
    async fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        for operation in operations {
            match operation {
                Operation::Write(bytes) => Bus::exchange(address, bytes, &mut []).await?,
                Operation::Read(into) => Bus::exchange(address, &[], into).await?,
            }
        }
        Ok(())
    }
}
