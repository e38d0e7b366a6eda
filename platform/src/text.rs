//! Small conversions: RFC 3339, opaque ids, hashes.
use sha2::{Digest, Sha256};
use time::{Date, Month, OffsetDateTime};

/// Nanoseconds since 1970 of an RFC 3339 time, e.g. `2026-11-22T14:32:00.5+08:00`. `None` if it is not one.
pub fn parse_rfc3339(s: &str) -> Option<i64> {
    let b = s.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let part = b.get(from..to)?;
        if !part.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(part).ok()?.parse().ok()
    };
    let sep = |at: usize, any: &[u8]| b.get(at).is_some_and(|c| any.contains(c));
    if !(sep(4, b"-") && sep(7, b"-") && sep(10, b"Tt ") && sep(13, b":") && sep(16, b":")) {
        return None;
    }
    let month = Month::try_from(u8::try_from(number(5, 7)?).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, u8::try_from(number(8, 10)?).ok()?).ok()?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut nanos = 0i64;
    if sep(at, b".") {
        at += 1;
        let start = at;
        while b.get(at).is_some_and(u8::is_ascii_digit) {
            if at - start < 9 {
                nanos = nanos * 10 + i64::from(b.get(at)? - b'0');
            }
            at += 1;
        }
        let digits = at - start;
        if digits == 0 {
            return None;
        }
        nanos *= 10i64.pow(u32::try_from(9usize.saturating_sub(digits)).ok()?);
    }
    let offset = match b.get(at)? {
        b'Z' | b'z' if b.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if b.len() == at + 6 && sep(at + 3, b":") => {
            let minutes = number(at + 1, at + 3)? * 60 + number(at + 4, at + 6)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let days = i64::from(date.to_julian_day()) - i64::from(Date::from_ordinal_date(1970, 1).ok()?.to_julian_day());
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset * 60;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// RFC 3339 in UTC, with as many decimals as needed.
pub fn format_rfc3339(ns: i64) -> String {
    let Ok(t) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ns)) else { return String::from("1970-01-01T00:00:00Z") };
    let (y, mo, d, h, mi, s) = (t.year(), u8::from(t.month()), t.day(), t.hour(), t.minute(), t.second());
    let mut out = format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}");
    if t.nanosecond() != 0 {
        let fraction = format!(".{:09}", t.nanosecond());
        out.push_str(fraction.trim_end_matches('0'));
    }
    out.push('Z');
    out
}

/// SHA-256, in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// 26 characters of Crockford base 32 derived from `parts`: names a receipt or a record of the platform's own, tells nothing else.
pub fn opaque_id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    digest.iter().take(26).filter_map(|b| ALPHABET.get(usize::from(b & 31)).map(|c| char::from(*c))).collect()
}

/// The JSON of `value` with the keys of every object in order: equal content gives equal bytes.
pub fn canonical(value: &serde_json::Value) -> String {
    use serde_json::Value;
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(k, _)| *k);
                out.push('{');
                for (i, (k, v)) in entries.into_iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    out.push_str(&Value::from(k.as_str()).to_string());
                    out.push(':');
                    write(v, out);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (i, v) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write(v, out);
                }
                out.push(']');
            }
            scalar => out.push_str(&scalar.to_string()),
        }
    }
    let mut out = String::new();
    write(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_there_and_back() {
        for (text, ns) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-22T06:32:00.5Z", 1_795_329_120_500_000_000),
            ("2026-11-22T14:32:00.5+08:00", 1_795_329_120_500_000_000),
            ("1969-12-31T23:59:59Z", -1_000_000_000),
            ("2024-02-29T00:00:00.123456789Z", 1_709_164_800_123_456_789),
        ] {
            assert_eq!(parse_rfc3339(text), Some(ns), "{text}");
            assert_eq!(parse_rfc3339(&format_rfc3339(ns)), Some(ns), "{text}");
        }
        assert_eq!(format_rfc3339(1_795_329_120_500_000_000), "2026-11-22T06:32:00.5Z");
    }

    #[test]
    fn what_is_not_rfc3339_is_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-22T25:00:00Z",
            "2026-11-22T06:32:00",
            "2026-11-22T06:32:00.Z",
            "2026-11-22T06:32:00+0800",
            "9999-12-31T23:59:59Z",
            "二〇二六-11-22T06:32:00Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn canonical_does_not_depend_on_the_order_of_keys() {
        let a: serde_json::Value = serde_json::from_str(r#"{"b":[1,{"y":1,"x":"é\u0000"}],"a":2.50}"#).unwrap();
        let b: serde_json::Value = serde_json::from_str(r#"{"a":2.5,"b":[1,{"x":"é\u0000","y":1}]}"#).unwrap();
        assert_eq!(canonical(&a), canonical(&b));
        assert_eq!(canonical(&a), r#"{"a":2.5,"b":[1,{"x":"é\u0000","y":1}]}"#);
    }

    #[test]
    fn opaque_ids_keep_the_borders_of_their_parts() {
        assert_ne!(opaque_id(&["ab", "c"]), opaque_id(&["a", "bc"]));
        assert_eq!(opaque_id(&["a"]).len(), 26);
    }
}
