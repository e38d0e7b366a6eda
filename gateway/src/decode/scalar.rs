//! Single values as foreign devices write them: numbers also as strings, states also as words, times in three notations.
use std::borrow::Cow;
use tuoan_protocol::codec::json;
use tuoan_protocol::decimal::Decimal;
use tuoan_protocol::quantity::ValueError;
use tuoan_protocol::{Fixed, Quantity};

/// One JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    /// The digits.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// An object or array.
    Compound,
}

impl<'a> Scalar<'a> {
    /// Of the text of a well-formed JSON value, or of a bare word (`ON`).
    pub fn of(raw: &'a str) -> Scalar<'a> {
        match raw.as_bytes().first() {
            Some(b'{' | b'[') => Scalar::Compound,
            Some(b'"') => json::text(raw).map_or(Scalar::Null, Scalar::Text),
            _ => match raw {
                "null" => Scalar::Null,
                "true" => Scalar::Bool(true),
                "false" => Scalar::Bool(false),
                _ if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Scalar::Number(raw),
                word => Scalar::Text(Cow::Borrowed(word)),
            },
        }
    }

    /// The text of a number, which may stand in quotes.
    pub fn number(&self) -> Option<&str> {
        match self {
            Scalar::Number(n) => Some(n),
            Scalar::Text(t) => Some(t.trim()),
            _ => None,
        }
    }

    /// A state said as a boolean, 0 or 1, or one of the words that devices use.
    pub fn state(&self) -> Option<bool> {
        match self {
            Scalar::Bool(b) => Some(*b),
            Scalar::Number(n) => match Decimal::parse(n).ok()?.to_fixed(0).ok()?.0 {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
            Scalar::Text(t) => word(t),
            _ => None,
        }
    }

    /// As a value of `quantity`, in its unit.
    pub fn value(&self, quantity: &Quantity) -> Result<Fixed, ValueError> {
        if quantity.is_state() {
            return self.state().map(|on| Fixed(i64::from(on))).ok_or(ValueError::NotAState);
        }
        quantity.parse(self.number().ok_or(ValueError::NotFinite)?)
    }
}

/// Words for 1 and 0. Anything else ("unavailable") is no state: taken for 0 it would silence a detector.
fn word(text: &str) -> Option<bool> {
    const TRUE: [&str; 13] =
        ["on", "open", "true", "yes", "1", "alarm", "detected", "active", "locked", "wet", "motion", "occupied", "present"];
    const FALSE: [&str; 14] =
        ["off", "closed", "close", "false", "no", "0", "normal", "clear", "idle", "inactive", "unlocked", "dry", "none", "ok"];
    let text = text.trim();
    if TRUE.iter().any(|w| w.eq_ignore_ascii_case(text)) {
        Some(true)
    } else if FALSE.iter().any(|w| w.eq_ignore_ascii_case(text)) {
        Some(false)
    } else {
        None
    }
}

/// Milliseconds since 1970 of `2026-09-01T08:00:00.5+08:00` (RFC 3339; a missing offset means UTC), years 1970 to 9999.
pub fn iso8601(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = text.get(range)?;
        if part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None }
    };
    let is = |at: usize, set: &[u8]| text.as_bytes().get(at).is_some_and(|b| set.contains(b));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, zone) = match text.get(19..)? {
        rest if rest.starts_with('.') => {
            let digits = rest.get(1..)?.bytes().take_while(u8::is_ascii_digit).count();
            let ms = (0..3).fold(0, |ms, i| ms * 10 + rest.as_bytes().get(1 + i).filter(|_| i < digits).map_or(0, |b| i64::from(b - b'0')));
            (if digits == 0 { None } else { Some(ms) }?, rest.get(1 + digits..)?)
        }
        rest => (0, rest),
    };
    let offset_min = match zone.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1 @ b'0'..=b'2', h2 @ b'0'..=b'9', tail @ ..] => {
            let hours = i64::from(h1 - b'0') * 10 + i64::from(h2 - b'0');
            let minutes = match tail {
                [] => 0,
                [b':', m1 @ b'0'..=b'5', m2 @ b'0'..=b'9'] | [m1 @ b'0'..=b'5', m2 @ b'0'..=b'9'] => {
                    i64::from(m1 - b'0') * 10 + i64::from(m2 - b'0')
                }
                _ => return None,
            };
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    // Days since 1970-01-01 in the proleptic Gregorian calendar, with the year beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute - offset_min) * 60 + second) * 1000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_times() {
        for (text, want) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000)),
            ("2020-05-04T12:06:19+02:00", Some(1_588_586_779_000)),
            ("2024-09-07T15:54:41.147Z", Some(1_725_724_481_147)),
            ("2024-09-07 15:54:41.1", Some(1_725_724_481_100)),
            ("2024-09-07T23:54:41+0800", Some(1_725_724_481_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-09-07", None),
            ("2024-09-07T15:54:41.Z", None),
            ("2024-09-07T15:54:41+8", None),
            ("not a time at all, surely", None),
        ] {
            assert_eq!(iso8601(text), want, "{text}");
        }
    }

    #[test]
    fn a_word_that_is_no_state_is_not_taken_for_off() {
        assert_eq!(Scalar::of(r#""OFF""#).value(&Quantity::CoAlarm), Ok(Fixed(0)));
        assert_eq!(Scalar::of(r#""Detected""#).value(&Quantity::Smoke), Ok(Fixed(1)));
        assert_eq!(Scalar::of(r#""unavailable""#).value(&Quantity::Smoke), Err(ValueError::NotAState));
        assert_eq!(Scalar::of("2").value(&Quantity::Smoke), Err(ValueError::NotAState));
        assert_eq!(Scalar::of(r#""80.00""#).value(&Quantity::Battery), Ok(Fixed(80)));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}", digits in "[0-9TZ:.+ -]{0,36}") {
            let _ = (iso8601(&text), iso8601(&digits), word(&text));
        }
    }
}
