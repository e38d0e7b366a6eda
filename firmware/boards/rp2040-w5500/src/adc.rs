//! The converter, shared by the supervised loops. 12 bits, measured against the 3.3 V that also feeds the loops.
use core::cell::RefCell;
use embassy_rp::adc::{Adc, Blocking, Channel};
use tuoan_node::sensor::Fault;
use tuoan_node::sensors::line;

pub struct Input<'a> {
    adc: &'a RefCell<Adc<'static, Blocking>>,
    channel: Channel<'static>,
}

impl<'a> Input<'a> {
    pub fn new(adc: &'a RefCell<Adc<'static, Blocking>>, channel: Channel<'static>) -> Self {
        Input { adc, channel }
    }
}

impl line::Adc for Input<'_> {
    /// 2 µs.
    fn read(&mut self) -> Result<u16, Fault> {
        let mut adc = self.adc.try_borrow_mut().map_err(|_| Fault::Corrupt)?;
        let counts = adc.blocking_read(&mut self.channel).map_err(|_| Fault::Corrupt)?;
        Ok(counts << 4 | counts >> 8)
    }
}
