//! A receiver of a PIO state machine, byte by byte: its own `read` waits until the whole buffer is full, and loses what it has when it is given up.
use core::convert::Infallible;
use embassy_rp::pio_programs::uart::PioUartRx;
use embedded_io_async::{ErrorType, Read};

pub struct Bytes<'d, const SM: usize>(pub PioUartRx<'d, embassy_rp::peripherals::PIO1, SM>);

impl<const SM: usize> ErrorType for Bytes<'_, SM> {
    type Error = Infallible;
}

impl<const SM: usize> Read for Bytes<'_, SM> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        match buffer.first_mut() {
            Some(place) => {
                *place = self.0.read_u8().await;
                Ok(1)
            }
            None => Ok(0),
        }
    }
}
