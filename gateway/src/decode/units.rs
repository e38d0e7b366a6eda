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
    /// From `unit` to the unit of `quantity`; `Err` lists the units that are known for it. An empty unit is the quantity's own.
    pub fn of(quantity: &Quantity, unit: &str) -> Result<Conversion, String> {
        let own = quantity.unit();
        let unit = unit.trim();
        if unit.is_empty() || unit == own || matches!(quantity, Quantity::Other(_)) {
            return Ok(SAME);
        }
        let table = table(quantity);
        match table.iter().find(|(name, _)| *name == unit) {
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

/// Foreign units of a quantity, and other spellings of its own.
fn table(quantity: &Quantity) -> &'static [(&'static str, Conversion)] {
    const FAHRENHEIT: Conversion = Conversion { add: Decimal { mantissa: -32, exponent: 0 }, num: 5, den: 9 };
    const KELVIN: Conversion = Conversion { add: Decimal { mantissa: -27315, exponent: -2 }, num: 1, den: 1 };
    match quantity {
        // Gases by mass: at 25 °C and 101.325 kPa a mole takes 24.45 L (HCHO 30.03 g/mol, CO 28.01 g/mol).
        Quantity::Formaldehyde => &[
            ("mg/m3", SAME),
            ("µg/m³", ratio!(1, 1000)),
            ("ug/m3", ratio!(1, 1000)),
            ("μg/m³", ratio!(1, 1000)),
            ("ppm", ratio!(3003, 2445)),
            ("ppb", ratio!(3003, 2_445_000)),
        ],
        Quantity::Co => &[("ppb", ratio!(1, 1000)), ("mg/m³", ratio!(2445, 2801)), ("mg/m3", ratio!(2445, 2801))],
        _ => match quantity.unit() {
            "°C" => {
                &[("C", SAME), ("℃", SAME), ("degC", SAME), ("°F", FAHRENHEIT), ("F", FAHRENHEIT), ("degF", FAHRENHEIT), ("K", KELVIN)]
            }
            "%" => &[("percent", SAME), ("%RH", SAME), ("fraction", ratio!(100, 1)), ("‰", ratio!(1, 10))],
            "hPa" => &[
                ("mbar", SAME),
                ("Pa", ratio!(1, 100)),
                ("kPa", ratio!(10, 1)),
                ("bar", ratio!(1000, 1)),
                ("mmHg", ratio!(133_322_387_415, 100_000_000_000)),
                ("inHg", ratio!(338_638_866_667, 10_000_000_000)),
            ],
            "ppm" => &[("ppb", ratio!(1, 1000)), ("%vol", ratio!(10_000, 1))],
            "µg/m³" => &[("ug/m3", SAME), ("μg/m³", SAME), ("µg/m3", SAME), ("mg/m³", ratio!(1000, 1)), ("mg/m3", ratio!(1000, 1))],
            "mg/m³" => &[("mg/m3", SAME), ("µg/m³", ratio!(1, 1000)), ("ug/m3", ratio!(1, 1000)), ("μg/m³", ratio!(1, 1000))],
            "dB(A)" => &[("dBA", SAME), ("dB", SAME)],
            "lx" => &[("lux", SAME), ("klx", ratio!(1000, 1))],
            "%LEL" => &[("%lel", SAME), ("LEL", SAME), ("fraction", ratio!(100, 1))],
            "m³/h" => &[("m3/h", SAME), ("L/h", ratio!(1, 1000)), ("L/min", ratio!(60, 1000))],
            "L/min" => {
                &[("l/min", SAME), ("L/s", ratio!(60, 1)), ("L/h", ratio!(1, 60)), ("m³/h", ratio!(1000, 60)), ("m3/h", ratio!(1000, 60))]
            }
            "cm" => &[("m", ratio!(100, 1)), ("mm", ratio!(1, 10))],
            "W" => &[("kW", ratio!(1000, 1)), ("mW", ratio!(1, 1000))],
            "kWh" => &[("Wh", ratio!(1, 1000)), ("MWh", ratio!(1000, 1))],
            "min" => &[("s", ratio!(1, 60)), ("h", ratio!(60, 1))],
            "°" => &[("deg", SAME)],
            "V" => &[("mV", ratio!(1, 1000))],
            "A" => &[("mA", ratio!(1, 1000))],
            "m³" => &[("m3", SAME), ("L", ratio!(1, 1000)), ("l", ratio!(1, 1000)), ("ft³", ratio!(28_316_846_592, 1_000_000_000_000))],
            "1" => &[("count", SAME)],
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
