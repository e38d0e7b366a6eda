//! The board's "up" key (PE0) as a door's reed contact: pressed is low is the magnet near, so that the door opens when the key is let go.
use crate::regs::{PORT_E, read};
use core::convert::Infallible;
use embedded_hal::digital::{ErrorType, InputPin};

pub struct Key;
impl ErrorType for Key {
    type Error = Infallible;
}
impl InputPin for Key {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        // The address is the mask: pin 0 alone.
        Ok(read(PORT_E, 1 << 2) & 1 != 0)
    }
    fn is_low(&mut self) -> Result<bool, Infallible> {
        self.is_high().map(|high| !high)
    }
}
