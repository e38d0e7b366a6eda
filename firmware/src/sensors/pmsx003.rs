//! Plantower PMS5003, PMS7003, PMSA003: particles by laser, over a serial line of 9600 baud (data manuals, appendix I). They send a frame about every second
//! by themselves.
use super::sample;
use super::serial::{self, Scan};
use crate::sensor::{Fault, Sample, Sensor, reading};
use embedded_hal_async::delay::DelayNs;
use embedded_io_async::Read;
use tuoan_protocol::Quantity;

const LENGTH: usize = 32;
/// Frames come every 200 to 2300 ms.
const TIMEOUT_MS: u32 = 3_000;
/// The manual's "stable data" time after the fan starts.
const WARM_UP_MS: u64 = 30_000;
/// Effective range 0 to 500 µg/m³, not less than 1000 at the end; smoke goes beyond, and is a value too as far as the gateway takes it.
const MOST: u16 = 10_000;

pub struct Pmsx003<R, D> {
    serial: R,
    delay: D,
    started_ms: Option<u64>,
}

impl<R: Read, D: DelayNs> Pmsx003<R, D> {
    /// `serial` has to give up a read that is dropped without losing bytes, as buffered drivers do.
    pub fn new(serial: R, delay: D) -> Self {
        Pmsx003 { serial, delay, started_ms: None }
    }
}

impl<R: Read, D: DelayNs> Sensor for Pmsx003<R, D> {
    fn name(&self) -> &'static str {
        "pmsx003"
    }
    /// It measures from power-on; its RX line is not needed.
    async fn start(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    async fn sample(&mut self, now_ms: u64) -> Result<Sample, Fault> {
        // Its supply is ours: it started when we did. After its own restart it reports errors or counts nothing while its fan comes up.
        let started = *self.started_ms.get_or_insert(now_ms);
        let frame = serial::next::<_, { 2 * LENGTH }>(&mut self.serial, &mut self.delay, TIMEOUT_MS, scan).await?;
        if now_ms.saturating_sub(started) < WARM_UP_MS {
            return Ok(Sample::new());
        }
        // Air always holds particles of 0.3 µm: a count of none is a dead laser or a fan that stands still.
        if frame.error != 0 || frame.counted == 0 {
            return Err(Fault::SelfTest);
        }
        let value = |quantity, v: u16| if v <= MOST { reading(quantity, f64::from(v)) } else { Err(Fault::OutOfRange) };
        Ok(sample([value(Quantity::Pm1, frame.pm1)?, value(Quantity::Pm25, frame.pm25)?, value(Quantity::Pm10, frame.pm10)?]))
    }
}

struct Frame {
    /// Under atmospheric environment, µg/m³: data 4 to 6.
    pm1: u16,
    pm25: u16,
    pm10: u16,
    /// Particles over 0.3 µm in 0.1 L: data 7.
    counted: u16,
    error: u8,
}

fn scan(bytes: &[u8]) -> Scan<Frame> {
    if !bytes.iter().zip([0x42, 0x4D, 0, 28]).all(|(b, head)| *b == head) {
        return Scan::No;
    }
    let Some(frame) = bytes.first_chunk::<LENGTH>() else { return Scan::More };
    let word = |i: usize| match frame.get(2 * i..2 * i + 2) {
        Some([high, low]) => u16::from_be_bytes([*high, *low]),
        _ => 0,
    };
    let sum: u16 = frame.iter().take(LENGTH - 2).map(|b| u16::from(*b)).sum();
    if sum != word(15) {
        return Scan::No;
    }
    Scan::Frame(Frame { pm1: word(5), pm25: word(6), pm10: word(7), counted: word(8), error: word(14) as u8 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Uart, block_on, shown};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use proptest::prelude::*;

    fn frame(data: [u16; 13]) -> Vec<u8> {
        let mut bytes = vec![0x42, 0x4D, 0, 28];
        bytes.extend(data.iter().flat_map(|d| d.to_be_bytes()));
        let sum: u16 = bytes.iter().map(|b| u16::from(*b)).sum();
        bytes.extend(sum.to_be_bytes());
        bytes
    }
    /// As standard particles, in the air, six counts, version and error.
    const AIR: [u16; 13] = [9, 13, 14, 8, 12, 13, 1746, 497, 73, 6, 1, 0, 0x9700];

    fn look(chunks: &[&[u8]]) -> Result<Sample, Fault> {
        let mut sensor = Pmsx003::new(Uart::new(chunks), NoopDelay);
        sensor.started_ms = Some(0);
        block_on(sensor.sample(30_000))
    }

    #[test]
    fn a_frame_of_the_manual() {
        let bytes = frame(AIR);
        assert_eq!(bytes[30..], [0x03, 0xA1]);
        assert_eq!(shown(look(&[b"", &bytes])), "pm1 8, pm25 12, pm10 13");
        assert_eq!(shown(look(&[b"", &bytes[20..], &bytes[..7], &bytes[7..]])), "pm1 8, pm25 12, pm10 13", "cut into");
        let mut sensor = Pmsx003::new(Uart::new(&[b"", &bytes]), NoopDelay);
        assert_eq!(shown(block_on(sensor.sample(0))), "", "while it warms up");
    }

    #[test]
    fn every_fault_is_a_fault() {
        let mut broken = frame(AIR);
        broken[12] ^= 4;
        assert_eq!(look(&[]), Err(Fault::Missing));
        assert_eq!(look(&[b"", &broken]), Err(Fault::Corrupt));
        assert_eq!(look(&[b"", &[0; 100]]), Err(Fault::Corrupt));
        assert_eq!(look(&[b"", &[0xFF; 100]]), Err(Fault::Corrupt));
        assert_eq!(look(&[b"", &frame([0; 13])]), Err(Fault::SelfTest), "a dead laser");
        let with_error = {
            let mut d = AIR;
            d[12] |= 0x80;
            d
        };
        assert_eq!(look(&[b"", &frame(with_error)]), Err(Fault::SelfTest));
        assert_eq!(look(&[b"", &frame([0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 1, 1, 1, 0, 0, 0, 0, 0, 0])]), Err(Fault::OutOfRange));
    }

    proptest! {
        #[test]
        fn any_frame_is_a_value_in_range_or_a_fault(data: [u16; 13]) {
            if let Ok(sample) = look(&[b"", &frame(data)]) {
                prop_assert!(sample.iter().all(|r| (0..=100_000).contains(&r.value.0)));
            }
        }
        #[test]
        fn any_bytes_give_no_panic(bytes: Vec<u8>) {
            let _ = look(&[b"", &bytes]);
        }
    }
}
