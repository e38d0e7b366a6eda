//! What a quantity can be at all, and how it behaves: one row each.
//!
//! The limits are physical, or those of any sensor sold for the purpose, never those of comfort: a value outside is the sensor's fault (a broken
//! wire, an invalid marker such as -127 or 655.35, a byte misread) and says nothing of the room. For what may mean danger they are as wide as
//! nature allows, because there a false "impossible" would cost more than a false alarm.
use tuoan_protocol::{Fixed, Quantity};

const HOUR: i64 = 3_600_000;
const NEVER: i64 = i64::MAX;

/// One quantity. Values in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Habits {
    pub least: f64,
    pub most: f64,
    /// Longest time without any change, in milliseconds, that a sensor of unknown habit is granted; `NEVER` where standing still is normal.
    pub still: i64,
    /// Up to this value standing still is normal: the floor of the sensor or of nature (no dust, darkness, outside air).
    pub rest: f64,
    /// How far its daily mean may go from its neighbours' in the same room before it is called drift; 0 where neighbours need not agree.
    pub apart: f64,
    /// Whether the learned detector watches it: not what only ever counts up, nor the upkeep of the device.
    pub watched: bool,
}

const fn row(least: f64, most: f64, still: i64, rest: f64, apart: f64, watched: bool) -> Habits {
    Habits { least, most, still, rest, apart, watched }
}

/// The row of a number; `None` for states and for what this version does not know.
pub const fn habits(q: &Quantity) -> Option<Habits> {
    Some(match q {
        // Coldest air on earth -89 °C, but no room: an outdoor probe in the far north reads -55. A burning room passes any sensor's 125 °C end;
        // -127 and 327.67 are the marks of a lost probe.
        Quantity::Temperature => row(-60.0, 150.0, 12 * HOUR, -60.0, 3.0, true),
        // By definition; capacitive sensors overshoot a little when wet.
        Quantity::Humidity => row(0.0, 105.0, 12 * HOUR, 0.0, 15.0, true),
        // Records at sea level are 870 and 1085 hPa; a site at 5000 m has 540.
        Quantity::Pressure => row(300.0, 1100.0, 24 * HOUR, 300.0, 4.0, true),
        // Outside air holds over 400 ppm, less an uncalibrated sensor's error; 50 000 is the end of NDIR scales. 0 and 65535 are "no value yet".
        Quantity::Co2 => row(250.0, 50_000.0, 6 * HOUR, 430.0, 300.0, true),
        // Electrochemical cells waver about zero; 1 % kills in minutes and is beyond any cell's scale.
        Quantity::Co => row(-10.0, 10_000.0, NEVER, 0.0, 0.0, true),
        // Optical counters end at 1000, some at 6000; smoke reaches that.
        Quantity::Pm1 | Quantity::Pm25 | Quantity::Pm10 => row(0.0, 10_000.0, 12 * HOUR, 8.0, 30.0, true),
        Quantity::Formaldehyde => row(-0.05, 50.0, 24 * HOUR, 0.05, 0.0, true),
        Quantity::Tvoc => row(-0.05, 200.0, 24 * HOUR, 0.2, 0.0, true),
        // 1 to 500 by its definition; 0 while it warms up.
        Quantity::VocIndex => row(0.0, 500.0, 24 * HOUR, 1.0, 0.0, true),
        // Microphones have a floor near 30 dB(A); 194 dB is the loudest possible sound in air.
        Quantity::SoundLevel => row(0.0, 194.0, 6 * HOUR, 45.0, 0.0, true),
        // Full sun is 130 000 lx. At night and under artificial light alone it stands still.
        Quantity::Illuminance => row(0.0, 200_000.0, NEVER, 0.0, 0.0, true),
        // Pure methane is 2000 % of its lower explosive limit.
        Quantity::GasLel => row(-10.0, 2_000.0, NEVER, 0.0, 0.0, true),
        // Far beyond any meter of a kitchen.
        Quantity::GasFlow => row(0.0, 1_000.0, NEVER, 0.0, 0.0, true),
        Quantity::GasVolume | Quantity::WaterVolume => row(0.0, 1e9, NEVER, 0.0, 0.0, false),
        Quantity::WaterFlow => row(0.0, 10_000.0, NEVER, 0.0, 0.0, true),
        // Ice to steam, with the error of a probe.
        Quantity::WaterTemperature => row(-10.0, 125.0, 48 * HOUR, -10.0, 0.0, true),
        Quantity::WaterLevel => row(-10.0, 1_000.0, NEVER, 0.0, 0.0, true),
        // Deep freezers reach -40 °C; a fridge compartment in a fire is a fire.
        Quantity::FridgeTemperature => row(-60.0, 150.0, 24 * HOUR, -60.0, 0.0, true),
        // Life ends outside; room air before the thermometer is applied is no body.
        Quantity::BodyTemperature => row(25.0, 46.0, NEVER, 0.0, 0.0, false),
        // A three-phase supply of a nursery; feeding in from the roof is negative.
        Quantity::Power => row(-500_000.0, 500_000.0, NEVER, 0.0, 0.0, true),
        Quantity::Energy => row(-1e9, 1e9, NEVER, 0.0, 0.0, false),
        // Low-voltage mains and direct current of solar roofs.
        Quantity::Voltage => row(-1_500.0, 1_500.0, 24 * HOUR, 0.0, 0.0, true),
        Quantity::Current => row(-2_000.0, 2_000.0, NEVER, 0.0, 0.0, true),
        Quantity::UvRuntime => row(0.0, 1e8, NEVER, 0.0, 0.0, false),
        // Whole and rarely moving: a room may hold the same nine children all day, and two cameras need not count alike.
        Quantity::People | Quantity::Adults | Quantity::Children | Quantity::CarersMissing => row(0.0, 500.0, NEVER, 0.0, 0.0, false),
        Quantity::OccupancyLikelihood => row(0.0, 100.0, NEVER, 0.0, 0.0, false),
        Quantity::ClimateRarity => row(0.0, 1e9, NEVER, 0.0, 0.0, false),
        Quantity::Tilt => row(-360.0, 360.0, NEVER, 0.0, 0.0, false),
        Quantity::Distance => row(0.0, 100_000.0, NEVER, 0.0, 0.0, false),
        // 255 is Zigbee's "unknown".
        Quantity::Battery => row(0.0, 100.0, NEVER, 0.0, 0.0, false),
        Quantity::BatteryVoltage => row(0.0, 60.0, NEVER, 0.0, 0.0, false),
        // One byte in Zigbee; 0 is the worst link.
        Quantity::LinkQuality => row(0.0, 255.0, NEVER, 0.0, 0.0, false),
        // Thermal noise ends at -174 dBm; a sender at the aerial gives +20.
        Quantity::SignalStrength => row(-174.0, 30.0, NEVER, 0.0, 0.0, false),
        _ => return None,
    })
}

impl Habits {
    pub fn stands_still_normally(&self) -> bool {
        self.still == NEVER
    }
}

/// Whether the value can be at all. States and unknown quantities always can.
pub fn is_plausible(q: &Quantity, value: Fixed) -> bool {
    // In fixed point on both sides of the limit: the rows are whole multiples of the last decimal, so nothing is rounded.
    habits(q).is_none_or(|h| {
        let v = value.0 as f64;
        let scale = q.scale() as f64;
        v >= h.least * scale && v <= h.most * scale
    })
}

/// A figure of the table in fixed point.
pub fn fixed(q: &Quantity, figure: f64) -> i64 {
    q.fixed(figure).map_or(0, |f| f.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_row_and_no_state_has_one() {
        for q in Quantity::ALL {
            assert_eq!(habits(q).is_some(), !q.is_state(), "{}", q.name());
            let Some(h) = habits(q) else { continue };
            assert!(h.least < h.most && h.still > 0, "{}", q.name());
            assert!(h.stands_still_normally() || (h.least..=h.most).contains(&h.rest), "{}", q.name());
            assert!(q.fixed(h.least).is_ok() && q.fixed(h.most).is_ok(), "{}", q.name());
        }
    }

    #[test]
    fn marks_of_lost_probes_are_impossible_and_danger_is_not() {
        for (q, value, can_be) in [
            (Quantity::Temperature, -127.0, false),
            (Quantity::Temperature, 327.67, false),
            (Quantity::Temperature, 150.0, true),
            (Quantity::Temperature, 150.01, false),
            (Quantity::Humidity, 655.35, false),
            (Quantity::Co2, 0.0, false),
            (Quantity::Co2, 65535.0, false),
            (Quantity::Co2, 250.0, true),
            (Quantity::Co, 5000.0, true),
            (Quantity::GasLel, 400.0, true),
            (Quantity::Battery, 255.0, false),
            (Quantity::Smoke, 1.0, true),
        ] {
            assert_eq!(is_plausible(&q, q.fixed(value).unwrap()), can_be, "{} {value}", q.name());
        }
        let unknown = Quantity::from_name("radon").unwrap();
        assert!(is_plausible(&unknown, unknown.fixed(1e9).unwrap()));
    }
}
