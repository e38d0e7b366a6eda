//! The serial console, by which a node learns who it is: GP0 out, GP1 in, 115200 baud, 3.3 V. Its words are those of `tuoan_node::identity`.
use crate::last;
use crate::start::Store;
use embassy_rp::uart::BufferedUart;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::Timer;
use embedded_io_async::{Read, Write};
use tuoan_node::flash::keep::Keep;
use tuoan_node::identity::{Lines, serve};

/// Serves for ever, or until the node has another identity: then it starts anew.
pub async fn run(uart: &mut BufferedUart, keep: &Mutex<NoopRawMutex, Keep<Store>>, hardware: &str) -> ! {
    let mut lines = Lines::default();
    loop {
        let mut byte = [0];
        // A disturbed line says what it says: the line that comes of it is answered with an error.
        if !matches!(uart.read(&mut byte).await, Ok(1)) {
            continue;
        }
        let Some(asked) = lines.feed(byte[0]) else { continue };
        let (answer, anew) = serve(&mut *keep.lock().await, asked, hardware, env!("CARGO_PKG_VERSION")).await;
        let _ = uart.write_all(answer.as_bytes()).await;
        let _ = uart.write_all(b"\r\n").await;
        if anew {
            Timer::after_millis(100).await;
            last::restart();
        }
    }
}
