//! 1-Wire by a PIO state machine: one probe on each line, so that it is known which hangs where. With 4.7 kΩ to 3.3 V.
use embassy_rp::peripherals::PIO1;
use embassy_rp::pio_programs::onewire::PioOneWire;
use embassy_time::{Duration, with_timeout};
use tuoan_node::sensor::Fault;
use tuoan_node::sensors::ds18b20::OneWire;

pub struct Bus<const SM: usize>(pub PioOneWire<'static, PIO1, SM>);

/// A byte takes about 0.6 ms, a reset about 1 ms. Longer is a state machine that hangs.
const LONGEST: Duration = Duration::from_millis(50);

impl<const SM: usize> OneWire for Bus<SM> {
    async fn reset(&mut self) -> Result<bool, Fault> {
        with_timeout(LONGEST, self.0.reset()).await.map_err(|_| Fault::Missing)
    }
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        with_timeout(LONGEST, self.0.write_bytes(bytes)).await.map_err(|_| Fault::Missing)
    }
    async fn read(&mut self, buffer: &mut [u8]) -> Result<(), Fault> {
        with_timeout(LONGEST, self.0.read_bytes(buffer)).await.map_err(|_| Fault::Missing)
    }
}
