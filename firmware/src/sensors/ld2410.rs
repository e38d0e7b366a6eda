//! Hi-Link HLK-LD2410/B/C: presence by 24 GHz radar, over a serial line of 256000 baud (serial communication protocol 1.02, section 2.3). It sees who
//! breathes, so also a sleeping child; its "nobody" counts as evidence. It reports about ten times a second by itself.
use super::sample;
use super::serial::{self, Scan};
use crate::sensor::{Fault, Sample, Sensor, reading, state};
use embedded_hal_async::delay::DelayNs;
use embedded_io_async::Read;
use tuoan_protocol::Quantity;

const TIMEOUT_MS: u32 = 1_000;
/// It learns its background just after power-on.
const WARM_UP_MS: u64 = 5_000;
/// Eight gates of 0.75 m, and the one below.
const MOST_CM: u16 = 675;
/// Data of one report at most: the engineering mode's.
const LONGEST: usize = 40;

pub struct Ld2410<R, D> {
    serial: R,
    delay: D,
    started_ms: Option<u64>,
}

impl<R: Read, D: DelayNs> Ld2410<R, D> {
    /// `serial` has to give up a read that is dropped without losing bytes, as buffered drivers do.
    pub fn new(serial: R, delay: D) -> Self {
        Ld2410 { serial, delay, started_ms: None }
    }
}

impl<R: Read, D: DelayNs> Sensor for Ld2410<R, D> {
    fn name(&self) -> &'static str {
        "ld2410"
    }
    async fn start(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    /// `presence`, and the distance in cm while somebody is there.
    async fn sample(&mut self, now_ms: u64) -> Result<Sample, Fault> {
        let started = *self.started_ms.get_or_insert(now_ms);
        let report = serial::next::<_, 128>(&mut self.serial, &mut self.delay, TIMEOUT_MS, scan).await?;
        if now_ms.saturating_sub(started) < WARM_UP_MS {
            return Ok(Sample::new());
        }
        match report {
            // 4 and above: it learns its background anew (firmware 2.44), or fails to.
            Report { state: 4.., .. } => Err(Fault::SelfTest),
            Report { state: 0, .. } => Ok(sample([state(Quantity::Presence, false)])),
            Report { distance_cm: cm @ ..=MOST_CM, .. } => {
                Ok(sample([state(Quantity::Presence, true), reading(Quantity::Distance, f64::from(cm))?]))
            }
            _ => Err(Fault::OutOfRange),
        }
    }
}

struct Report {
    /// 0 nobody, 1 moving, 2 still, 3 both.
    state: u8,
    distance_cm: u16,
}

/// Head, length, data, tail. There is no check sum: the marks around and inside the data have to be right.
fn scan(bytes: &[u8]) -> Scan<Report> {
    const HEAD: [u8; 4] = [0xF4, 0xF3, 0xF2, 0xF1];
    const TAIL: [u8; 4] = [0xF8, 0xF7, 0xF6, 0xF5];
    if !bytes.iter().zip(HEAD).all(|(b, head)| *b == head) {
        return Scan::No;
    }
    let Some([low, high]) = bytes.get(4..6) else { return Scan::More };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    if !(13..=LONGEST).contains(&length) {
        return Scan::No;
    }
    let (Some(data), Some(tail)) = (bytes.get(6..6 + length), bytes.get(6 + length..10 + length)) else { return Scan::More };
    match data {
        // Type (1 engineering, 2 basic), head, state, moving distance and energy, still distance and energy, distance, ..., tail, check.
        [1 | 2, 0xAA, state, _, _, 0..=100, _, _, 0..=100, low, high, rest @ ..] if tail == TAIL && rest.ends_with(&[0x55, 0]) => {
            Scan::Frame(Report { state: *state, distance_cm: u16::from_le_bytes([*low, *high]) })
        }
        _ => Scan::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Uart, block_on, shown};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use proptest::prelude::*;

    fn frame(data: &[u8]) -> Vec<u8> {
        [&[0xF4, 0xF3, 0xF2, 0xF1, data.len() as u8, 0], data, &[0xF8, 0xF7, 0xF6, 0xF5]].concat()
    }
    fn look(chunks: &[&[u8]]) -> Result<Sample, Fault> {
        let mut sensor = Ld2410::new(Uart::new(chunks), NoopDelay);
        sensor.started_ms = Some(0);
        block_on(sensor.sample(5_000))
    }
    /// The example of section 2.3.2: a still target.
    const STILL: [u8; 13] = [0x02, 0xAA, 0x02, 0x51, 0x00, 0x00, 0x00, 0x00, 0x3B, 0x00, 0x00, 0x55, 0x00];

    #[test]
    fn reports_of_the_protocol() {
        let mut far = STILL;
        far[9..11].copy_from_slice(&[0x2C, 0x01]);
        let mut nobody = STILL;
        nobody[2] = 0;
        assert_eq!(shown(look(&[b"", &frame(&STILL)])), "presence 1, distance 0");
        assert_eq!(shown(look(&[&frame(&nobody), b"", &frame(&far)])), "presence 1, distance 300", "the newest");
        assert_eq!(shown(look(&[b"", &frame(&nobody)])), "presence 0");
        let engineering = [&[1][..], &far[1..11], &[8, 8], &[0; 18], &[0, 1, 0x55, 0]].concat();
        assert_eq!(shown(look(&[b"", &frame(&engineering)])), "presence 1, distance 300");
        let mut sensor = Ld2410::new(Uart::new(&[b"", &frame(&far)]), NoopDelay);
        assert_eq!(shown(block_on(sensor.sample(0))), "", "while it learns its background");
    }

    #[test]
    fn every_fault_is_a_fault() {
        assert_eq!(look(&[]), Err(Fault::Missing));
        assert_eq!(look(&[b"", &[0; 200]]), Err(Fault::Corrupt));
        assert_eq!(look(&[b"", &[0xFF; 200]]), Err(Fault::Corrupt));
        for (at, value, fault) in [
            (1, 0xAB, Fault::Corrupt),
            (11, 0x54, Fault::Corrupt),
            (8, 101, Fault::Corrupt),
            (2, 5, Fault::SelfTest),
            (10, 0xFF, Fault::OutOfRange),
        ] {
            let mut data = STILL;
            data[at] = value;
            assert_eq!(look(&[b"", &frame(&data)]), Err(fault), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_report_is_in_range_or_a_fault(data in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut data = data;
            data.splice(0..data.len().min(2), [2, 0xAA]);
            data.extend([0x55, 0]);
            if let Ok(sample) = look(&[b"", &frame(&data)]) {
                prop_assert!(sample.iter().all(|r| (0..=6750).contains(&r.value.0)));
            }
        }
        #[test]
        fn any_bytes_give_no_panic(bytes: Vec<u8>) {
            let _ = look(&[b"", &bytes]);
        }
    }
}
