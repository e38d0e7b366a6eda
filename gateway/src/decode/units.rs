//! Units of foreign devices -> the quantity's own, exactly, in integers. Everything behind the decoders knows one unit per quantity.
use tuoan_protocol::decimal::{Decimal, divide};
use tuoan_protocol::quantity::ValueError;
use tuoan_protocol::{Fixed, Quantity};

/// `(x + add) * num / den`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    add: Decimal,
    num: i64,
    den: i64,
}

const ZERO: Decimal = Decimal { mantissa: 0, exponent: 0 };
/// `x * num / den`. A macro, so that the tables below are constants.
macro_rules! ratio {
    ($num:expr, $den:expr) => {
        Conversion { add: ZERO, num: $num, den: $den }
    };
}
const SAME: Conversion = ratio!(1, 1);

/// Decimals while converting.
const WORK: u8 = 12;

impl Conversion {
    /// The quantity's own unit.
    pub const SAME: Conversion = SAME;

    /// A unit that is so many of the quantity's own.
    pub const fn times(n: i64) -> Conversion {
        ratio!(n, 1)
    }

    /// From `unit` to the unit of `quantity`; `Err` lists the units that are known for it. An empty unit is the quantity's own.
    pub fn of(quantity: &Quantity, unit: &str) -> Result<Conversion, String> {
        let own = quantity.unit();
        let unit = unit.trim();
        if unit.is_empty() || unit == own || matches!(quantity, Quantity::Other(_)) {
            return Ok(SAME);
        }
        let table = table(quantity);
        let tidy = tidy(unit);
        if tidy == own {
            return Ok(SAME);
        }
        match table.iter().find(|(name, _)| *name == unit || *name == tidy) {
            Some((_, conversion)) => Ok(*conversion),
            None => {
                let known: Vec<&str> = std::iter::once(own).chain(table.iter().map(|(name, _)| *name)).collect();
                Err(format!("unit `{unit}` is not known for {}; use one of: {}", quantity.name(), known.join(", ")))
            }
        }
    }

    /// A number in the foreign unit as a value of `quantity`.
    pub fn apply(&self, quantity: &Quantity, number: &str) -> Result<Fixed, ValueError> {
        if *self == SAME {
            return quantity.parse(number);
        }
        let scaled = |d: Decimal| d.scaled(WORK).ok_or(ValueError::OutOfRange);
        let x = scaled(Decimal::parse(number)?)?.checked_add(scaled(self.add)?).ok_or(ValueError::OutOfRange)?;
        let up = x.checked_mul(i128::from(self.num)).ok_or(ValueError::OutOfRange)?;
        let down = i128::from(self.den).saturating_mul(10i128.pow(u32::from(WORK.saturating_sub(quantity.decimals()))));
        let value = i64::try_from(divide(up, down)).map_err(|_| ValueError::OutOfRange)?;
        quantity.checked(Fixed(value))
    }
}

/// One spelling for the many of a unit: the Greek mu, `m3`, `m^3`, `ug`, `℃`.
fn tidy(unit: &str) -> String {
    let unit = unit
        .replace('μ', "µ")
        .replace('℃', "°C")
        .replace('℉', "°F")
        .replace("^3", "³")
        .replace("**3", "³")
        .replace("m3", "m³")
        .replace("ft3", "ft³");
    match unit.strip_prefix("ug") {
        Some(rest) => format!("µg{rest}"),
        None => unit,
    }
}

/// Foreign units of a quantity, and other spellings of its own.
///
/// Gases: at 25 °C and 101.325 kPa a mole takes 24.45 L, so 1 ppm is `M / 24.45` mg/m³ (NIOSH Pocket Guide to Chemical Hazards, appendix on
/// conversion; M in g/mol: HCHO 30.03, CO 28.01, CO₂ 44.01). Volatile compounds as a sum have no molar mass, so ppb of them are not converted.
fn table(quantity: &Quantity) -> &'static [(&'static str, Conversion)] {
    const FAHRENHEIT: Conversion = Conversion { add: Decimal { mantissa: -32, exponent: 0 }, num: 5, den: 9 };
    const KELVIN: Conversion = Conversion { add: Decimal { mantissa: -27315, exponent: -2 }, num: 1, den: 1 };
    match quantity {
        Quantity::Formaldehyde => &[("µg/m³", ratio!(1, 1000)), ("ppm", ratio!(3003, 2445)), ("ppb", ratio!(3003, 2_445_000))],
        Quantity::Co => &[("ppb", ratio!(1, 1000)), ("mg/m³", ratio!(2445, 2801)), ("µg/m³", ratio!(2445, 2_801_000))],
        Quantity::Co2 => &[("ppb", ratio!(1, 1000)), ("mg/m³", ratio!(2445, 4401)), ("%", ratio!(10_000, 1)), ("%vol", ratio!(10_000, 1))],
        Quantity::LinkQuality => &[("lqi", SAME), ("LQI", SAME)],
        Quantity::SignalStrength => &[("dBm", SAME), ("dB", SAME), ("dbm", SAME)],
        _ => match quantity.unit() {
            "°C" => {
                &[("C", SAME), ("degC", SAME), ("°c", SAME), ("°F", FAHRENHEIT), ("F", FAHRENHEIT), ("degF", FAHRENHEIT), ("K", KELVIN)]
            }
            "%" => &[("percent", SAME), ("%RH", SAME), ("% RH", SAME), ("%rH", SAME), ("fraction", ratio!(100, 1)), ("‰", ratio!(1, 10))],
            "hPa" => &[
                ("mbar", SAME),
                ("Pa", ratio!(1, 100)),
                ("kPa", ratio!(10, 1)),
                ("MPa", ratio!(10_000, 1)),
                ("cbar", ratio!(10, 1)),
                ("bar", ratio!(1000, 1)),
                // Conventional mercury of 13.5951 g/cm³ (ISO 80000-4).
                ("inHg", ratio!(338_638_866_667, 10_000_000_000)),
                ("mmHg", ratio!(133_322_387_415, 100_000_000_000)),
                ("psi", ratio!(6_894_757, 100_000)),
                ("atm", ratio!(101_325, 100)),
            ],
            "ppm" => &[("ppb", ratio!(1, 1000)), ("%vol", ratio!(10_000, 1))],
            "µg/m³" => &[("mg/m³", ratio!(1000, 1)), ("ng/m³", ratio!(1, 1000))],
            "mg/m³" => &[("µg/m³", ratio!(1, 1000)), ("g/m³", ratio!(1000, 1))],
            "dB(A)" => &[("dBA", SAME), ("dbA", SAME), ("dB", SAME), ("db", SAME)],
            "lx" => &[("lux", SAME), ("Lux", SAME), ("lm", SAME), ("klx", ratio!(1000, 1))],
            "%LEL" => &[("%lel", SAME), ("% LEL", SAME), ("LEL", SAME), ("%", SAME), ("fraction", ratio!(100, 1))],
            "m³/h" => &[
                ("L/h", ratio!(1, 1000)),
                ("L/min", ratio!(60, 1000)),
                ("L/s", ratio!(3600, 1000)),
                ("m³/s", ratio!(3600, 1)),
                ("ft³/min", ratio!(1_699_010_796, 1_000_000_000)),
            ],
            "L/min" => &[
                ("l/min", SAME),
                ("LPM", SAME),
                ("L/s", ratio!(60, 1)),
                ("L/h", ratio!(1, 60)),
                ("l/h", ratio!(1, 60)),
                ("mL/min", ratio!(1, 1000)),
                ("mL/s", ratio!(60, 1000)),
                ("m³/h", ratio!(1000, 60)),
                ("gal/min", ratio!(3_785_411_784, 1_000_000_000)),
            ],
            // US gallon of 3.785411784 L, foot of 0.3048 m: both exact by definition.
            "m³" => &[
                ("L", ratio!(1, 1000)),
                ("l", ratio!(1, 1000)),
                ("mL", ratio!(1, 1_000_000)),
                ("gal", ratio!(3_785_411_784, 1_000_000_000_000)),
                ("ft³", ratio!(28_316_846_592, 1_000_000_000_000)),
                ("CCF", ratio!(28_316_846_592, 10_000_000_000)),
            ],
            "cm" => &[("m", ratio!(100, 1)), ("mm", ratio!(1, 10)), ("in", ratio!(254, 100)), ("ft", ratio!(3048, 100))],
            "W" => &[
                ("kW", ratio!(1000, 1)),
                ("mW", ratio!(1, 1000)),
                ("MW", ratio!(1_000_000, 1)),
                ("BTU/h", ratio!(29_307_107, 100_000_000)),
            ],
            "kWh" => &[
                ("Wh", ratio!(1, 1000)),
                ("MWh", ratio!(1000, 1)),
                ("kwh", SAME),
                ("KWh", SAME),
                ("MJ", ratio!(10, 36)),
                ("kJ", ratio!(1, 3600)),
                ("GJ", ratio!(10_000, 36)),
            ],
            "min" => &[("s", ratio!(1, 60)), ("h", ratio!(60, 1)), ("d", ratio!(1440, 1)), ("ms", ratio!(1, 60_000))],
            "°" => &[("deg", SAME)],
            "V" => &[("mV", ratio!(1, 1000)), ("kV", ratio!(1000, 1)), ("µV", ratio!(1, 1_000_000))],
            "A" => &[("mA", ratio!(1, 1000)), ("µA", ratio!(1, 1_000_000)), ("kA", ratio!(1000, 1))],
            "1" => &[("count", SAME), ("people", SAME), ("persons", SAME)],
            _ => &[],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn convert(quantity: Quantity, unit: &str, number: &str) -> i64 {
        Conversion::of(&quantity, unit).unwrap().apply(&quantity, number).unwrap().0
    }

    #[test]
    fn converts_exactly() {
        for (quantity, unit, number, want) in [
            (Quantity::Temperature, "°C", "23.456", 2346),
            (Quantity::Temperature, "", "23.45", 2345),
            (Quantity::Temperature, "°F", "74.3", 2350),
            (Quantity::Temperature, "°F", "-40", -4000),
            (Quantity::Temperature, "K", "296.65", 2350),
            (Quantity::Co2, "ppb", "812400", 812),
            (Quantity::Pm25, "mg/m³", "0.0355", 355),
            (Quantity::Pm25, "ug/m3", "35.5", 355),
            (Quantity::Formaldehyde, "µg/m³", "81", 81),
            (Quantity::Formaldehyde, "ppm", "0.0651", 80),
            (Quantity::BatteryVoltage, "mV", "2985", 2985),
            (Quantity::Humidity, "fraction", "0.4472", 4472),
            (Quantity::Pressure, "Pa", "101325", 10133),
            (Quantity::UvRuntime, "s", "90", 2),
            (Quantity::Pressure, "mmHg", "753.3", 10043),
            (Quantity::Current, "mA", "39", 39),
            (Quantity::GasVolume, "ft³", "1000", 28317),
            (Quantity::Pm25, "μg/m³", "35.5", 355),
            (Quantity::Co, "mg/m³", "10", 87),
            (Quantity::Co, "µg/m3", "10000", 87),
            (Quantity::Co2, "mg/m³", "1800", 1000),
            (Quantity::Formaldehyde, "ppb", "65.1", 80),
            (Quantity::Pressure, "inHg", "29.92", 10132),
            (Quantity::Pressure, "psi", "14.696", 10133),
            (Quantity::GasVolume, "ft³", "100", 2832),
            (Quantity::GasVolume, "CCF", "1", 2832),
            (Quantity::WaterVolume, "gal", "1000", 3785),
            (Quantity::WaterVolume, "L", "1234", 1234),
            (Quantity::WaterFlow, "L/h", "90", 150),
            (Quantity::GasFlow, "L/min", "10", 600),
            (Quantity::Energy, "Wh", "1234", 1234),
            (Quantity::Energy, "MJ", "3.6", 1000),
            (Quantity::Power, "kW", "2.2", 22000),
            (Quantity::Current, "mA", "1500", 1500),
            (Quantity::Distance, "in", "10", 254),
            (Quantity::SoundLevel, "dB", "55.5", 555),
            (Quantity::LinkQuality, "lqi", "120", 120),
            (Quantity::GasVolume, "m3", "1.5", 1500),
        ] {
            assert_eq!(convert(quantity.clone(), unit, number), want, "{} {unit}", quantity.name());
        }
    }

    #[test]
    fn an_unknown_unit_is_named_with_the_known_ones() {
        let reason = Conversion::of(&Quantity::Tvoc, "ppb").unwrap_err();
        assert!(reason.contains("`ppb`") && reason.contains("µg/m³"), "{reason}");
    }

    proptest! {
        #[test]
        fn never_panics(number in "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][-+]?[0-9]{1,12})?") {
            for quantity in Quantity::ALL {
                for (unit, conversion) in table(quantity) {
                    let _ = (unit, conversion.apply(quantity, &number));
                }
            }
        }
    }
}
