//! ST LIS3DH: is the node, or what it is fixed to, shaken or turned? (data sheet DocID17530 rev 2.)
use super::{bus, sample};
use crate::sensor::{Fault, Sample, Sensor, reading, state};
use embedded_hal_async::{delay::DelayNs, i2c::I2c};
use tuoan_protocol::Quantity;

/// SA0 low; 0x19 when high.
pub const ADDRESS: u8 = 0x18;

const WHO_AM_I: u8 = 0x0F;
const IDENTITY: u8 = 0x33;
/// Set: several registers are read in a row.
const MANY: u8 = 0x80;
const CONTROL_1: u8 = 0x20;
/// 50 Hz, three axes; high-pass for the interrupt only; no pins; complete pairs of bytes, ±2 g, 12 bits; the interrupt holds until it is read.
const CONTROL: [u8; 5] = [0x47, 0x01, 0x00, 0x88, 0x08];
const REFERENCE: u8 = 0x26;
const STATUS: u8 = 0x27;
const NEW: u8 = 1 << 3;
const OUT_X: u8 = 0x28;
const INTERRUPT: u8 = 0x30;
/// Any axis above the threshold.
const ANY_AXIS: u8 = 0x2A;
const SOURCE: u8 = 0x31;
const ACTIVE: u8 = 1 << 6;
const THRESHOLD: u8 = 0x32;
/// One step of the threshold at ±2 g.
const THRESHOLD_MG: u16 = 16;

/// At rest everything weighs 1 g; zero-g offset and sensitivity err by less (table 4).
const REST_MG: core::ops::RangeInclusive<f32> = 800.0..=1200.0;
/// Turned so far for so many looks, it has been taken off or twisted away.
const TURNED: f32 = 15.0;
const LOOKS: u8 = 3;

pub struct Lis3dh<I, D> {
    i2c: I,
    delay: D,
    address: u8,
    threshold: u8,
    /// The direction of gravity when it was installed, in mg.
    upright: Option<[f32; 3]>,
    turned: u8,
}

impl<I: I2c, D: DelayNs> Lis3dh<I, D> {
    /// `threshold_mg`: how hard is shaken, 16 to 2032. `upright`: gravity as it was when the node was installed (see [`Lis3dh::upright`]), so that a node
    /// that was turned while it was off is found out; else it is what the first calm look shows.
    pub fn new(i2c: I, delay: D, address: u8, threshold_mg: u16, upright: Option<[f32; 3]>) -> Self {
        let threshold = (threshold_mg / THRESHOLD_MG).clamp(1, 127) as u8;
        Lis3dh { i2c, delay, address, threshold, upright, turned: 0 }
    }
    /// To be kept for the next start, once known.
    pub fn upright(&self) -> Option<[f32; 3]> {
        self.upright
    }
}

impl<I: I2c, D: DelayNs> Sensor for Lis3dh<I, D> {
    fn name(&self) -> &'static str {
        "lis3dh"
    }

    async fn start(&mut self) -> Result<(), Fault> {
        self.turned = 0;
        if bus::read(&mut self.i2c, self.address, WHO_AM_I).await? != [IDENTITY] {
            return Err(Fault::Corrupt);
        }
        for (register, value) in (CONTROL_1..).zip(CONTROL) {
            bus::write(&mut self.i2c, self.address, register, value).await?;
        }
        bus::write(&mut self.i2c, self.address, THRESHOLD, self.threshold).await?;
        // The high-pass filter takes what is now for rest when this is read (section 8.10).
        self.delay.delay_ms(100).await;
        let [_] = bus::read(&mut self.i2c, self.address, REFERENCE).await?;
        bus::write(&mut self.i2c, self.address, INTERRUPT, ANY_AXIS).await?;
        self.delay.delay_ms(40).await;
        // Whatever setting it up has shaken.
        let [_] = bus::read(&mut self.i2c, self.address, SOURCE).await?;
        Ok(())
    }

    /// `vibration` since the last look, `tilt` in degrees against how it was installed, `tamper` when it stays turned.
    async fn sample(&mut self, _now_ms: u64) -> Result<Sample, Fault> {
        if bus::read(&mut self.i2c, self.address, WHO_AM_I).await? != [IDENTITY] {
            return Err(Fault::Corrupt);
        }
        let control: [u8; 5] = bus::read(&mut self.i2c, self.address, CONTROL_1 | MANY).await?;
        let [status] = bus::read(&mut self.i2c, self.address, STATUS).await?;
        if control != CONTROL || status & NEW == 0 {
            return Err(Fault::Stale);
        }
        let [xl, xh, yl, yh, zl, zh] = bus::read(&mut self.i2c, self.address, OUT_X | MANY).await?;
        let [source] = bus::read(&mut self.i2c, self.address, SOURCE).await?;
        let shaken = source & ACTIVE != 0;
        // Left-justified, 1 mg in the upper twelve bits.
        let g = [[xl, xh], [yl, yh], [zl, zh]].map(|axis| f32::from(i16::from_le_bytes(axis) >> 4));
        let weight = norm(g);
        // A dead axis, or one that sticks, does not weigh 1 g; what is being shaken need not.
        if !shaken && !REST_MG.contains(&weight) || weight == 0.0 {
            return Err(Fault::OutOfRange);
        }
        let mut all = sample([state(Quantity::Vibration, shaken)]);
        if shaken {
            return Ok(all);
        }
        let tilt = angle(*self.upright.get_or_insert(g), g);
        self.turned = if tilt > TURNED { self.turned.saturating_add(1) } else { 0 };
        all.extend([reading(Quantity::Tilt, f64::from(tilt))?, state(Quantity::Tamper, self.turned >= LOOKS)]);
        Ok(all)
    }
}

fn norm(v: [f32; 3]) -> f32 {
    libm::sqrtf(v.iter().map(|c| c * c).sum())
}

/// Between two directions, in degrees, 0 to 180.
fn angle(a: [f32; 3], b: [f32; 3]) -> f32 {
    let both = norm(a) * norm(b);
    if both == 0.0 {
        return 0.0;
    }
    let product: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    libm::acosf((product / both).clamp(-1.0, 1.0)).to_degrees()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::testing::{Bus, block_on, shown};
    use embedded_hal_mock::eh1::{delay::NoopDelay, i2c::Mock, i2c::Transaction};
    use proptest::prelude::*;

    fn chip(mg: [i16; 3], source: u8) -> Bus {
        let out: Vec<u8> = mg.iter().flat_map(|v| (v << 4).to_le_bytes()).collect();
        let answers =
            [(WHO_AM_I, &[IDENTITY][..]), (CONTROL_1 | MANY, &CONTROL), (STATUS, &[0x0F]), (OUT_X | MANY, &out), (SOURCE, &[source])];
        answers.iter().fold(Bus::answers(&[]), |bus, (register, bytes)| bus.on(&[*register], bytes))
    }
    fn sensor(bus: Bus) -> Lis3dh<Bus, NoopDelay> {
        Lis3dh::new(bus, NoopDelay, ADDRESS, 200, Some([0.0, 0.0, 1000.0]))
    }
    fn look(bus: Bus) -> Result<Sample, Fault> {
        block_on(sensor(bus).sample(0))
    }

    #[test]
    fn starts_as_the_data_sheet_says() {
        let write = |register, value| Transaction::write(0x18, vec![register, value]);
        let mut i2c = Mock::new(&[
            Transaction::write_read(0x18, vec![0x0F], vec![0x33]),
            write(0x20, 0x47),
            write(0x21, 0x01),
            write(0x22, 0x00),
            write(0x23, 0x88),
            write(0x24, 0x08),
            write(0x32, 12),
            Transaction::write_read(0x18, vec![0x26], vec![0]),
            write(0x30, 0x2A),
            Transaction::write_read(0x18, vec![0x31], vec![0x40]),
        ]);
        block_on(Lis3dh::new(i2c.clone(), NoopDelay, ADDRESS, 200, None).start()).unwrap();
        i2c.done();
    }

    #[test]
    fn rest_shaking_and_turning() {
        assert_eq!(shown(look(chip([0, 0, 1010], 0))), "vibration 0, tilt 0, tamper 0");
        assert_eq!(shown(look(chip([600, -900, 1900], 0x6A))), "vibration 1");
        let mut turned = sensor(chip([1000, 0, 0], 0));
        let told: Vec<_> = (0..3).map(|s| shown(block_on(turned.sample(s)))).collect();
        assert_eq!(told, ["vibration 0, tilt 90, tamper 0", "vibration 0, tilt 90, tamper 0", "vibration 0, tilt 90, tamper 1"]);
        let mut fresh = Lis3dh::new(chip([0, 1000, 0], 0), NoopDelay, ADDRESS, 200, None);
        assert_eq!(shown(block_on(fresh.sample(0))), "vibration 0, tilt 0, tamper 0");
        assert_eq!(fresh.upright(), Some([0.0, 1000.0, 0.0]));
    }

    #[test]
    fn every_fault_is_a_fault() {
        assert_eq!(look(Bus::absent()), Err(Fault::Missing));
        assert_eq!(look(Bus::filled(0x00)), Err(Fault::Corrupt));
        assert_eq!(look(Bus::filled(0xFF)), Err(Fault::Corrupt));
        assert_eq!(look(chip([0, 0, 1000], 0).on(&[STATUS], &[0])), Err(Fault::Stale));
        assert_eq!(look(chip([0, 0, 1000], 0).on(&[CONTROL_1 | MANY], &[7, 0, 0, 0, 0])), Err(Fault::Stale), "it was reset");
        assert_eq!(look(chip([0, 0, 0], 0x40)), Err(Fault::OutOfRange));
        assert_eq!(look(chip([0, 0, 300], 0)), Err(Fault::OutOfRange), "a dead axis");
        assert_eq!(look(chip([-2048, -2048, -2048], 0)), Err(Fault::OutOfRange));
    }

    proptest! {
        #[test]
        fn any_acceleration_is_in_range_or_a_fault(mg: [i16; 3], source: u8) {
            if let Ok(sample) = look(chip(mg.map(|v| v >> 4), source)) {
                prop_assert!(sample.iter().all(|r| r.quantity != Quantity::Tilt || (0..=1800).contains(&r.value.0)));
            }
        }
        #[test]
        fn any_bytes_give_no_panic(bytes: Vec<u8>) {
            let _ = look(Bus::answers(&bytes));
        }
    }
}
