//! Decimal numbers as they stand in a text, without a detour through binary floating point: `1.005` with two decimals is `1.01`.
use crate::quantity::{FIXED_MAX, Fixed, ValueError};
use core::fmt;

/// `mantissa * 10^exponent`, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    pub mantissa: i64,
    pub exponent: i32,
}

/// Digits that surely fit an `i64`. The rest cannot change a value rounded half away from zero, so they only move the exponent.
const DIGITS: u32 = 18;

impl Decimal {
    /// Parses a JSON number (a leading `+` is taken too). No other text, no white space.
    pub fn parse(text: &str) -> Result<Decimal, ValueError> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mut mantissa, mut kept, mut exponent) = (0i64, 0u32, 0i32);
        let (mut seen, mut point) = (false, false);
        let mut bytes = text.bytes();
        while let Some(b) = bytes.next() {
            match b {
                b'0'..=b'9' => {
                    seen = true;
                    if kept < DIGITS {
                        mantissa = mantissa.saturating_mul(10).saturating_add(i64::from(b - b'0'));
                        kept += u32::from(mantissa != 0);
                        exponent = exponent.saturating_sub(i32::from(point));
                    } else {
                        exponent = exponent.saturating_add(i32::from(!point));
                    }
                }
                b'.' if seen && !point => point = true,
                b'e' | b'E' if seen => {
                    exponent = exponent.saturating_add(parse_exponent(&mut bytes)?);
                    break;
                }
                _ => return Err(ValueError::NotFinite),
            }
        }
        if !seen || text.ends_with('.') {
            return Err(ValueError::NotFinite);
        }
        Ok(Decimal { mantissa: if negative { -mantissa } else { mantissa }, exponent })
    }

    /// In units of `10^-decimals`, rounded half away from zero; `None` when it does not fit.
    pub fn scaled(self, decimals: u8) -> Option<i128> {
        let shift = self.exponent.saturating_add(i32::from(decimals));
        match u32::try_from(shift) {
            _ if self.mantissa == 0 => Some(0),
            Ok(up) => i128::from(self.mantissa).checked_mul(10i128.checked_pow(up)?),
            // Past 38 places nothing of an i64 is left.
            Err(_) => Some(10i128.checked_pow(shift.unsigned_abs()).map_or(0, |divisor| divide(i128::from(self.mantissa), divisor))),
        }
    }

    /// As [`Decimal::scaled`], within the range of a [`Fixed`].
    pub fn to_fixed(self, decimals: u8) -> Result<Fixed, ValueError> {
        match i64::try_from(self.scaled(decimals).ok_or(ValueError::OutOfRange)?) {
            Ok(n) if n.unsigned_abs() <= FIXED_MAX.unsigned_abs() => Ok(Fixed(n)),
            _ => Err(ValueError::OutOfRange),
        }
    }
}

/// `a / b` rounded half away from zero; 0 when `b` is.
pub fn divide(a: i128, b: i128) -> i128 {
    let (Some(quotient), Some(rest)) = (a.checked_div(b), a.checked_rem(b)) else { return 0 };
    if rest.unsigned_abs() >= b.unsigned_abs().div_ceil(2) {
        quotient.saturating_add(if (a < 0) == (b < 0) { 1 } else { -1 })
    } else {
        quotient
    }
}

fn parse_exponent(bytes: &mut core::str::Bytes<'_>) -> Result<i32, ValueError> {
    let (mut value, mut negative, mut seen) = (0i32, false, false);
    for (i, b) in bytes.enumerate() {
        match b {
            b'+' | b'-' if i == 0 => negative = b == b'-',
            b'0'..=b'9' => {
                seen = true;
                value = value.saturating_mul(10).saturating_add(i32::from(b - b'0'));
            }
            _ => return Err(ValueError::NotFinite),
        }
    }
    if seen { Ok(if negative { -value } else { value }) } else { Err(ValueError::NotFinite) }
}

/// A [`Fixed`] with its decimals; displays exactly, without trailing zeros: `23.4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    pub value: Fixed,
    pub decimals: u8,
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.value.0.unsigned_abs();
        let scale = 10u64.checked_pow(u32::from(self.decimals)).unwrap_or(u64::MAX);
        let (whole, mut fraction) = (magnitude / scale, magnitude % scale);
        if self.value.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if fraction == 0 {
            return Ok(());
        }
        let mut width = usize::from(self.decimals);
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        write!(f, ".{fraction:0width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixed(text: &str, decimals: u8) -> Result<i64, ValueError> {
        Decimal::parse(text)?.to_fixed(decimals).map(|f| f.0)
    }

    #[test]
    fn takes_the_text_exactly_and_rounds_half_away_from_zero() {
        for (text, decimals, want) in [
            ("23.4", 2, 2340),
            ("1.005", 2, 101),
            ("-1.005", 2, -101),
            ("1.00499999999999999999999999", 2, 100),
            ("0.5", 0, 1),
            ("-0.5", 0, -1),
            ("-0", 1, 0),
            ("812", 0, 812),
            ("8.12e2", 0, 812),
            ("81200E-2", 0, 812),
            ("1e-400", 3, 0),
            ("0e999999999999", 3, 0),
            ("9007199254740.991", 3, FIXED_MAX),
            ("100000000000000000000000e-20", 1, 10000),
            ("0.00000000000000000000000000000001e32", 0, 1),
        ] {
            assert_eq!(fixed(text, decimals), Ok(want), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_number_or_too_large() {
        for text in ["", "-", ".", "1.", ".5", "1e", "1e+", "1.2.3", "0x10", "NaN", "1 ", "--1", "1e5.0"] {
            assert_eq!(fixed(text, 0), Err(ValueError::NotFinite), "{text:?}");
        }
        for text in ["9007199254740992", "1e16", "1e400", "-1e999999999999"] {
            assert_eq!(fixed(text, 0), Err(ValueError::OutOfRange), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_displayed_is_read_back(n in -FIXED_MAX..=FIXED_MAX, decimals in 0u8..=3) {
            let exact = Exact { value: Fixed(n), decimals };
            prop_assert_eq!(fixed(&exact.to_string(), decimals), Ok(n));
        }

        #[test]
        fn never_panics(text in "[-+0-9.eE]{0,60}", decimals in 0u8..=9) {
            let _ = fixed(&text, decimals);
        }
    }
}
