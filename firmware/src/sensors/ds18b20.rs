//! Maxim/Analog DS18B20 on a 1-Wire bus: water, fridges, freezers (data sheet 19-7487 rev 6).
use super::sample;
use crate::sensor::{Fault, Sample, Sensor, reading};
use embedded_hal_async::delay::DelayNs;
use tuoan_protocol::Quantity;

/// A 1-Wire bus, as a board has it: by PIO, UART or timed by hand.
#[allow(async_fn_in_trait)]
pub trait OneWire {
    /// A reset pulse: whether anybody answers it with a presence pulse.
    async fn reset(&mut self) -> Result<bool, Fault>;
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault>;
    async fn read(&mut self, buffer: &mut [u8]) -> Result<(), Fault>;
}

const SKIP_ROM: u8 = 0xCC;
const MATCH_ROM: u8 = 0x55;
const CONVERT: u8 = 0x44;
const READ: u8 = 0xBE;
const WRITE: u8 = 0x4E;
/// 12 bits, 750 ms at most.
const TWELVE_BITS: u8 = 0x7F;
/// The alarm thresholds, not used: unlike those of a chip that was reset (or a counterfeit), so that a power dip is found.
const ALARMS: [u8; 2] = [0x55, 0xAA];
/// 85 °C, which stands in the scratchpad after power-on.
const POWER_ON: i16 = 85 * 16;
/// -55 to 125 °C in 1/16.
const RANGE: core::ops::RangeInclusive<i16> = -55 * 16..=125 * 16;

pub struct Ds18b20<B, D> {
    bus: B,
    delay: D,
    /// Family, serial number, check sum; none when it is alone on its bus.
    rom: Option<[u8; 8]>,
    quantity: Quantity,
    last: Option<i16>,
}

impl<B: OneWire, D: DelayNs> Ds18b20<B, D> {
    /// `quantity` is what it hangs in: `water_temperature`, `fridge_temperature`, `temperature`. `rom` is needed where several share a bus.
    pub fn new(bus: B, delay: D, rom: Option<[u8; 8]>, quantity: Quantity) -> Self {
        Ds18b20 { bus, delay, rom, quantity, last: None }
    }

    async fn tell(&mut self, command: &[u8]) -> Result<(), Fault> {
        if !self.bus.reset().await? {
            return Err(Fault::Missing);
        }
        match self.rom {
            None => self.bus.write(&[SKIP_ROM]).await?,
            Some(rom) => {
                self.bus.write(&[MATCH_ROM]).await?;
                self.bus.write(&rom).await?;
            }
        }
        self.bus.write(command).await
    }

    /// The temperature's two bytes, from a scratchpad in which everything is as it must be.
    async fn scratchpad(&mut self) -> Result<i16, Fault> {
        self.tell(&[READ]).await?;
        let mut pad = [0; 9];
        self.bus.read(&mut pad).await?;
        let [low, high, th, tl, configuration, ..] = pad;
        // A line that stands low reads as zeros, whose check sum is right: no configuration of this chip is zero.
        if crc(&pad) != 0 || configuration & 0x9F != 0x1F {
            return Err(Fault::Corrupt);
        }
        if [th, tl] != ALARMS || configuration != TWELVE_BITS {
            return Err(Fault::Stale);
        }
        Ok(i16::from_le_bytes([low, high]))
    }
}

impl<B: OneWire, D: DelayNs> Sensor for Ds18b20<B, D> {
    fn name(&self) -> &'static str {
        "ds18b20"
    }

    async fn start(&mut self) -> Result<(), Fault> {
        self.last = None;
        self.tell(&[WRITE, ALARMS[0], ALARMS[1], TWELVE_BITS]).await?;
        match self.scratchpad().await {
            // It does not take what it is told.
            Err(Fault::Stale) => Err(Fault::SelfTest),
            other => other.map(|_| ()),
        }
    }

    async fn sample(&mut self, _now_ms: u64) -> Result<Sample, Fault> {
        self.tell(&[CONVERT]).await?;
        self.delay.delay_ms(750).await;
        let raw = self.scratchpad().await?;
        if !RANGE.contains(&raw) {
            return Err(Fault::OutOfRange);
        }
        // Exactly 85 °C is "has not converted" (its supply dips while it does), unless it was about as hot before.
        let near = self.last.is_some_and(|last| (last - POWER_ON).abs() < 16 * 10);
        if raw == POWER_ON && !near {
            return Err(Fault::Stale);
        }
        self.last = Some(raw);
        Ok(sample([reading(self.quantity.clone(), f64::from(raw) / 16.0)?]))
    }
}

/// Maxim's CRC-8 (x⁸ + x⁵ + x⁴ + 1, low bit first): 0 over bytes with their check sum behind them.
fn crc(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ byte, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x8C } else { crc >> 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{block_on, shown};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Wire {
        present: bool,
        pad: Vec<u8>,
        written: Vec<u8>,
    }
    impl OneWire for &mut Wire {
        async fn reset(&mut self) -> Result<bool, Fault> {
            Ok(self.present)
        }
        async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
            self.written.extend(bytes);
            Ok(())
        }
        async fn read(&mut self, buffer: &mut [u8]) -> Result<(), Fault> {
            buffer.copy_from_slice(&self.pad);
            Ok(())
        }
    }
    fn pad(raw: i16, rest: [u8; 6]) -> Vec<u8> {
        let mut pad = [&raw.to_le_bytes()[..], &rest].concat();
        pad.push(crc(&pad));
        pad
    }
    const OURS: [u8; 6] = [0x55, 0xAA, 0x7F, 0xFF, 0x0C, 0x10];

    fn look(pad: Vec<u8>) -> Result<Sample, Fault> {
        let mut wire = Wire { present: true, pad, ..Wire::default() };
        block_on(Ds18b20::new(&mut wire, NoopDelay, None, Quantity::FridgeTemperature).sample(0))
    }

    #[test]
    fn values_of_the_data_sheet() {
        // Table 1.
        for (raw, shown_as) in [(0x07D0, "125"), (0x0191, "25.06"), (0x0008, "0.5"), (0, "0"), (-8, "-0.5"), (-880, "-55")] {
            assert_eq!(shown(look(pad(raw, OURS))), format!("fridge_temperature {shown_as}"));
        }
        // Application note 27: the ROM 02 1C B8 01 00 00 00 has the check sum A2.
        assert_eq!(crc(&[0x02, 0x1C, 0xB8, 0x01, 0x00, 0x00, 0x00]), 0xA2);
    }

    #[test]
    fn talks_to_the_one_it_means() {
        let rom = [0x28, 1, 2, 3, 4, 5, 6, 7];
        let mut wire = Wire { present: true, pad: pad(400, OURS), ..Wire::default() };
        let mut sensor = Ds18b20::new(&mut wire, NoopDelay, Some(rom), Quantity::Temperature);
        block_on(sensor.start()).unwrap();
        block_on(sensor.sample(0)).unwrap();
        let addressed = |command: &[u8]| [&[0x55][..], &rom, command].concat();
        assert_eq!(
            wire.written,
            [addressed(&[0x4E, 0x55, 0xAA, 0x7F]), addressed(&[0xBE]), addressed(&[0x44]), addressed(&[0xBE])].concat()
        );
    }

    #[test]
    fn every_fault_is_a_fault() {
        let mut nobody = Wire::default();
        assert_eq!(block_on(Ds18b20::new(&mut nobody, NoopDelay, None, Quantity::Temperature).sample(0)), Err(Fault::Missing));
        assert_eq!(look(vec![0x00; 9]), Err(Fault::Corrupt), "its check sum is right");
        assert_eq!(look(vec![0xFF; 9]), Err(Fault::Corrupt));
        let mut broken = pad(400, OURS);
        broken[0] ^= 1;
        assert_eq!(look(broken), Err(Fault::Corrupt));
        assert_eq!(look(pad(400, [0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10])), Err(Fault::Stale), "it was reset");
        assert_eq!(look(pad(POWER_ON, OURS)), Err(Fault::Stale), "it has not converted");
        for raw in [i16::MIN, i16::MAX, 125 * 16 + 1, -55 * 16 - 1] {
            assert_eq!(look(pad(raw, OURS)), Err(Fault::OutOfRange), "{raw}");
        }
        let mut stubborn = Wire { present: true, pad: pad(400, [0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10]), ..Wire::default() };
        assert_eq!(block_on(Ds18b20::new(&mut stubborn, NoopDelay, None, Quantity::Temperature).start()), Err(Fault::SelfTest));
    }

    #[test]
    fn eighty_five_degrees_are_believed_of_what_is_hot() {
        let mut wire = Wire { present: true, pad: pad(84 * 16, OURS), ..Wire::default() };
        let mut sensor = Ds18b20::new(&mut wire, NoopDelay, None, Quantity::WaterTemperature);
        block_on(sensor.sample(0)).unwrap();
        sensor.bus.pad = pad(POWER_ON, OURS);
        assert_eq!(shown(block_on(sensor.sample(1))), "water_temperature 85");
    }

    proptest! {
        #[test]
        fn anything_is_in_range_or_a_fault(raw: i16, rest: [u8; 6], ours: bool) {
            if let Ok(sample) = look(pad(raw, if ours { OURS } else { rest })) {
                prop_assert!((-5500..=12500).contains(&sample[0].value.0));
            }
        }
    }
}
