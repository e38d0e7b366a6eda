//! An I²C bus with one chip, as the chip's data sheet describes it: SHT4x (6.5) at 0x44 or SCD4x (1.4) at 0x62. What the script breaks is broken here, below
//! the drivers, so that they have to find it.
use crate::scene::Scene;
use crate::script::{Measured, What};
use crate::time::{Timeline, Wait};
use embedded_hal_async::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use sensirion_i2c::crc8;
use std::rc::Rc;
use tokio::time::{Duration, Instant};
use tuoan_node::sensor::{Fault, Sample, Sensor};
use tuoan_node::sensors::scd4x::{Scd4x, Settings};
use tuoan_node::sensors::sht4x::Sht4x;

const SHT4X: u8 = 0x44;
const SCD4X: u8 = 0x62;
/// SCD4x, section 3.6.1.
const INTERVAL: Duration = Duration::from_secs(5);
/// Where the nurseries are. (The chip corrects for it; the script says what it shows.)
const PLACE: Settings = Settings { altitude_m: 20, self_calibration: true };

/// The chip of a node, behind the boards' driver.
pub enum Chip {
    Sht4x(Sht4x<'static, Bus, Wait>),
    Scd4x(Scd4x<Bus, Wait>),
}

impl Chip {
    /// The chip that measures what the node's kind measures.
    pub fn new(scene: &Rc<Scene>, time: Timeline) -> Option<Chip> {
        let measure = &scene.kind().measure;
        let bus = |address| Bus { scene: scene.clone(), time, address, asked: Vec::new(), measuring: None, altitude: 0, calibrates: 1 };
        if measure.contains_key(&Measured::Co2) {
            Some(Chip::Scd4x(Scd4x::new(bus(SCD4X), Wait, PLACE)))
        } else {
            (!measure.is_empty()).then(|| Chip::Sht4x(Sht4x::new(bus(SHT4X), Wait, None)))
        }
    }
}

impl Sensor for Chip {
    fn name(&self) -> &'static str {
        match self {
            Chip::Sht4x(chip) => chip.name(),
            Chip::Scd4x(chip) => chip.name(),
        }
    }
    async fn start(&mut self) -> Result<(), Fault> {
        match self {
            Chip::Sht4x(chip) => chip.start().await,
            Chip::Scd4x(chip) => chip.start().await,
        }
    }
    async fn sample(&mut self, now_ms: u64) -> Result<Sample, Fault> {
        match self {
            Chip::Sht4x(chip) => chip.sample(now_ms).await,
            Chip::Scd4x(chip) => chip.sample(now_ms).await,
        }
    }
}

pub struct Bus {
    scene: Rc<Scene>,
    time: Timeline,
    address: u8,
    /// Bytes of the last write: they say what a read gives.
    asked: Vec<u8>,
    /// SCD4x: when the value was last read, or measuring began; `None` while idle.
    measuring: Option<Instant>,
    altitude: u16,
    calibrates: u16,
}

impl Bus {
    fn value(&self, what: Measured, otherwise: f64) -> f64 {
        self.scene.value(what, self.time.now()).unwrap_or(otherwise)
    }

    /// The words that a read gives now; `None`: not acknowledged.
    fn words(&mut self) -> Option<Vec<u16>> {
        let ticks = |share: f64| (share.clamp(0.0, 1.0) * 65_535.0 + 0.5) as u16;
        let (t, rh) = (self.value(Measured::Temperature, 21.0), self.value(Measured::Humidity, 45.0));
        let command = (self.address, self.asked.as_slice());
        Some(match command {
            (SHT4X, [0x89]) => vec![0x1234, 0x5678],
            (SHT4X, [0xFD | 0xF6 | 0xE0]) => vec![ticks((t + 45.0) / 175.0), ticks((rh + 6.0) / 125.0)],
            (SCD4X, [0x36, 0x82]) => vec![0xF896, 0x9F07, 0x3BBE],
            (SCD4X, [0x23, 0x22]) => vec![self.altitude],
            (SCD4X, [0x23, 0x13]) => vec![self.calibrates],
            (SCD4X, [0xE4, 0xB8]) => vec![if self.measuring.is_some_and(|since| since.elapsed() >= INTERVAL) { 0x8006 } else { 0x8000 }],
            (SCD4X, [0xEC, 0x05]) => {
                // Read before there is a new one it does not acknowledge (section 3.6.2).
                self.measuring = Some(self.measuring.filter(|since| since.elapsed() >= INTERVAL).map(|_| Instant::now())?);
                let co2 = self.value(Measured::Co2, 400.0).clamp(0.0, 65_535.0) as u16;
                vec![co2, ticks((t + 45.0) / 175.0), ticks(rh / 100.0)]
            }
            _ => return None,
        })
    }

    /// Whether it takes these bytes.
    fn write(&mut self, bytes: &[u8]) -> bool {
        self.asked = bytes.to_vec();
        let right = |data: [u8; 2], sum: u8| crc8::calculate(&data) == sum;
        match (self.address, bytes) {
            (SHT4X, [0x94 | 0x89 | 0xFD | 0xF6 | 0xE0]) => true,
            (SCD4X, [0x3F, 0x86]) => {
                self.measuring = None;
                true
            }
            (SCD4X, [0x21, 0xB1]) => {
                self.measuring = Some(Instant::now());
                true
            }
            (SCD4X, [0x24, 0x27, high, low, sum]) if right([*high, *low], *sum) && self.measuring.is_none() => {
                self.altitude = u16::from_be_bytes([*high, *low]);
                true
            }
            (SCD4X, [0x24, 0x16, high, low, sum]) if right([*high, *low], *sum) && self.measuring.is_none() => {
                self.calibrates = u16::from_be_bytes([*high, *low]);
                true
            }
            // Only these are taken while it measures (table 9).
            (SCD4X, [0xE4, 0xB8] | [0xEC, 0x05]) => true,
            (SCD4X, [0x36, 0x82] | [0x23, 0x22 | 0x13]) => self.measuring.is_none(),
            _ => false,
        }
    }
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    async fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let t = self.time.now();
        if address != self.address || self.scene.is(What::Missing, t) {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => {
                    if !self.write(bytes) {
                        return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data));
                    }
                }
                Operation::Read(buffer) => {
                    let words = self.words().ok_or(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address))?;
                    let broken = u8::from(self.scene.is(What::Crc, t));
                    let bytes = words.iter().map(|w| w.to_be_bytes()).flat_map(|w| [w[0], w[1], crc8::calculate(&w) ^ broken]);
                    // Beyond its words the data line stays high.
                    buffer.iter_mut().zip(bytes.chain(std::iter::repeat(0xFF))).for_each(|(place, byte)| *place = byte);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;
    use tokio::time::sleep;

    fn chip(measure: &str, fault: &str) -> (Chip, &'static str) {
        let fault = if fault.is_empty() { String::new() } else { format!("[[fault]]\nwhat = \"{fault}\"\nat = \"07:01\"\nfor_s = 60\n") };
        let text = format!("start = \"07:00\"\n[[kind]]\nname = \"a\"\nshare = 1\n{measure}{fault}");
        let script = Script::parse(&text).unwrap();
        let scene = Rc::new(Scene::new(&script, "a-1", &script.kind[0], 1));
        let chip = Chip::new(&scene, Timeline::new(Instant::now(), script.start.0, 1.0, 0)).unwrap();
        let name = chip.name();
        (chip, name)
    }
    fn shown(sample: Result<Sample, Fault>) -> String {
        match sample {
            Ok(s) => s.iter().map(|r| format!("{} {}", r.quantity.name(), r.quantity.exact(r.value))).collect::<Vec<_>>().join(", "),
            Err(fault) => format!("{fault:?}"),
        }
    }
    const CLIMATE: &str =
        "[kind.measure.temperature]\npoints = [[\"00:00\", 23.5]]\n[kind.measure.humidity]\npoints = [[\"00:00\", 41.0]]\n";
    const CO2: &str = "[kind.measure.co2]\npoints = [[\"00:00\", 912.0]]\n";

    #[tokio::test(start_paused = true)]
    async fn the_boards_own_drivers_read_what_the_script_says() {
        let (mut sht, name) = chip(CLIMATE, "");
        sht.start().await.unwrap();
        assert_eq!((name, shown(sht.sample(0).await).as_str()), ("sht4x", "temperature 23.5, humidity 41"));
        let (mut scd, name) = chip(&format!("{CLIMATE}{CO2}"), "");
        scd.start().await.unwrap();
        assert_eq!((name, shown(scd.sample(0).await).as_str()), ("scd4x", ""), "not measured yet");
        for (wait, says) in [(5, ""), (5, "co2 912, temperature 23.5, humidity 41"), (1, "")] {
            sleep(Duration::from_secs(wait)).await;
            assert_eq!(shown(scd.sample(6_000).await), says);
        }
        assert_eq!(shown(scd.sample(60_000).await), "Stale");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_script_breaks_the_drivers_find() {
        for (fault, says) in [("crc", "Corrupt"), ("missing", "Missing")] {
            for measure in [CLIMATE.to_owned(), format!("{CLIMATE}{CO2}")] {
                let (mut chip, name) = chip(&measure, fault);
                chip.start().await.unwrap();
                sleep(Duration::from_secs(70)).await;
                assert_eq!(shown(chip.sample(70_000).await), says, "{name}");
                assert!(chip.start().await.is_err(), "{name}");
                sleep(Duration::from_secs(60)).await;
                chip.start().await.unwrap();
            }
        }
    }
}
