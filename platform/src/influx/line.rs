//! Line protocol, strictly: what InfluxDB 2 refuses is refused, and so are control characters.
use std::collections::BTreeMap;

/// Longest measurement, key, tag value or line, in bytes.
const MAX_NAME: usize = 256;
pub const MAX_LINE: usize = 64 * 1024;
/// Most tags, and most fields, of a line.
const MAX_PARTS: usize = 256;
/// Longest string value in bytes.
const MAX_STRING: usize = 4096;

/// A value of one of InfluxDB's types.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Float(f64),
    Integer(i64),
    Unsigned(u64),
    Boolean(bool),
    Text(String),
}

impl Value {
    /// InfluxDB's name of the type; a series has one for ever.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Float(_) => "float",
            Value::Integer(_) => "integer",
            Value::Unsigned(_) => "unsigned",
            Value::Boolean(_) => "boolean",
            Value::Text(_) => "string",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub measurement: String,
    /// In order of their keys.
    pub tags: BTreeMap<String, String>,
    pub fields: Vec<(String, Value)>,
    /// In the precision of the request; `None` is the time of arrival.
    pub time: Option<i64>,
}

/// Parses one line without its end. `None` for a blank line or a comment.
///
/// # Errors
/// What is wrong, in words for the answer.
pub fn parse(line: &str) -> Result<Option<Point>, String> {
    if line.len() > MAX_LINE {
        return Err(format!("line longer than {MAX_LINE} bytes"));
    }
    let trimmed = line.trim_start_matches(' ');
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok(None);
    }
    if trimmed.chars().any(char::is_control) {
        return Err("control character".into());
    }
    let mut c = Cursor { rest: trimmed };
    let measurement = name(c.take(&[',', ' '], &[',', ' ']), "measurement")?;
    let mut tags = BTreeMap::new();
    while c.eat(',') {
        let key = name(c.take(&['=', ',', ' '], &['=', ',', ' ']), "tag key")?;
        if !c.eat('=') {
            return Err(format!("missing tag value of {key:?}"));
        }
        let value = name(c.take(&[',', ' ', '='], &[',', ' ', '=']), "tag value")?;
        if key == "_measurement" || key == "_field" || key == "time" {
            return Err(format!("tag key {key:?} is reserved"));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(format!("duplicate tag {key:?}"));
        }
        if tags.len() > MAX_PARTS {
            return Err(format!("more than {MAX_PARTS} tags"));
        }
    }
    if !c.spaces() {
        return Err("missing fields".into());
    }
    let mut fields: Vec<(String, Value)> = Vec::new();
    loop {
        let key = name(c.take(&['=', ',', ' '], &['=', ',', ' ']), "field key")?;
        if !c.eat('=') {
            return Err(format!("missing value of field {key:?}"));
        }
        let value = field_value(&mut c).map_err(|e| format!("field {key:?}: {e}"))?;
        match fields.iter_mut().find(|(k, _)| *k == key) {
            Some((_, held)) => *held = value,
            None => fields.push((key, value)),
        }
        if fields.len() > MAX_PARTS {
            return Err(format!("more than {MAX_PARTS} fields"));
        }
        if !c.eat(',') {
            break;
        }
    }
    let time = if c.spaces() && !c.rest.is_empty() {
        let text = c.rest.trim_end_matches(' ');
        c.rest = "";
        Some(text.parse().map_err(|_| format!("bad timestamp {:?}", text.chars().take(40).collect::<String>()))?)
    } else {
        None
    };
    if !c.rest.is_empty() {
        return Err(format!("unexpected text after the fields: {:?}", c.rest.chars().take(40).collect::<String>()));
    }
    Ok(Some(Point { measurement, tags, fields, time }))
}

fn name(text: String, what: &str) -> Result<String, String> {
    if text.is_empty() {
        Err(format!("missing {what}"))
    } else if text.len() > MAX_NAME {
        Err(format!("{what} longer than {MAX_NAME} bytes"))
    } else {
        Ok(text)
    }
}

fn field_value(c: &mut Cursor<'_>) -> Result<Value, String> {
    if c.eat('"') {
        return c.quoted().map(Value::Text);
    }
    let text = c.take(&[',', ' '], &[]);
    let bad = || format!("bad value {:?}", text.chars().take(40).collect::<String>());
    match text.as_str() {
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(Value::Boolean(true)),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(Value::Boolean(false)),
        _ => {}
    }
    if let Some(digits) = text.strip_suffix('i') {
        return digits.parse().map(Value::Integer).map_err(|_| bad());
    }
    if let Some(digits) = text.strip_suffix('u') {
        return digits.parse().map(Value::Unsigned).map_err(|_| bad());
    }
    // `parse` takes "inf", "nan" and "infinity" as well: numbers only.
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return Err(bad());
    }
    match text.parse::<f64>() {
        Ok(f) if f.is_finite() => Ok(Value::Float(f)),
        _ => Err(bad()),
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    /// The text up to the first of `stops` that is not escaped; a backslash before one of `escapes` is dropped, any other is kept.
    fn take(&mut self, stops: &[char], escapes: &[char]) -> String {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((i, ch)) = chars.next() {
            if stops.contains(&ch) {
                end = i;
                break;
            }
            match chars.peek() {
                Some((_, next)) if ch == '\\' && escapes.contains(next) => {
                    out.push(*next);
                    chars.next();
                }
                _ => out.push(ch),
            }
        }
        self.rest = self.rest.get(end..).unwrap_or_default();
        out
    }
    fn eat(&mut self, ch: char) -> bool {
        match self.rest.strip_prefix(ch) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
    /// Skips spaces; whether there was one.
    fn spaces(&mut self) -> bool {
        let trimmed = self.rest.trim_start_matches(' ');
        let any = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        any
    }
    /// A string after its opening quote; `\"` and `\\` are escapes.
    fn quoted(&mut self) -> Result<String, String> {
        let mut out = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((i, ch)) = chars.next() {
            match ch {
                '"' => {
                    self.rest = self.rest.get(i + 1..).unwrap_or_default();
                    return if out.len() > MAX_STRING { Err(format!("string longer than {MAX_STRING} bytes")) } else { Ok(out) };
                }
                '\\' => match chars.next() {
                    Some((_, next @ ('"' | '\\'))) => out.push(next),
                    Some((_, next)) => {
                        out.push('\\');
                        out.push(next);
                    }
                    None => break,
                },
                other => out.push(other),
            }
        }
        Err("string without its closing quote".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(line: &str) -> Point {
        parse(line).unwrap().unwrap()
    }

    #[test]
    fn all_types_and_escapes() {
        let p = point(r#"my\ m\,x,site=a\ b,ta\=g=c\,d\=e f=1.5,i=-5i,u=18446744073709551615u,b=t,s="x \"y\" \\ ,=" 1795329120000000000"#);
        assert_eq!(p.measurement, "my m,x");
        assert_eq!(p.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), [("site", "a b"), ("ta=g", "c,d=e")]);
        assert_eq!(
            p.fields,
            [
                ("f".into(), Value::Float(1.5)),
                ("i".into(), Value::Integer(-5)),
                ("u".into(), Value::Unsigned(u64::MAX)),
                ("b".into(), Value::Boolean(true)),
                ("s".into(), Value::Text(r#"x "y" \ ,="#.into())),
            ]
        );
        assert_eq!(p.time, Some(1_795_329_120_000_000_000));
    }

    #[test]
    fn blanks_and_comments_are_nothing_and_the_time_may_be_absent() {
        assert_eq!(parse("").unwrap(), None);
        assert_eq!(parse("   ").unwrap(), None);
        assert_eq!(parse("# comment").unwrap(), None);
        assert_eq!(point("m f=1").time, None);
        assert_eq!(point("m f=1 ").time, None);
        assert_eq!(point("m f=1e3 -5").time, Some(-5));
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for line in [
            "m",
            "m ",
            "m f",
            "m f=",
            "m f=1,",
            "m,a f=1",
            "m,a= f=1",
            "m,=b f=1",
            ",a=b f=1",
            "m,a=b,a=c f=1",
            "m f=NaN",
            "m f=inf",
            "m f=-inf",
            "m f=1e999",
            "m f=1.5i",
            "m f=-1u",
            "m f=yes",
            "m f=\"open",
            "m f=\"a\"b",
            "m f=1 12x",
            "m f=1 1 1",
            "m f=1\t",
            "m f=\"a\u{0}\"",
            "m,time=1 f=1",
            "m f=9223372036854775808i",
        ] {
            assert!(parse(line).is_err(), "{line:?} was taken: {:?}", parse(line));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(line in ".*") {
            let _ = parse(&line);
        }
        #[test]
        fn numbers_survive(f in proptest::num::f64::NORMAL, i: i64) {
            let p = point(&format!("m f={f},i={i}i"));
            proptest::prop_assert_eq!(p.fields, vec![("f".into(), Value::Float(f)), ("i".into(), Value::Integer(i))]);
        }
    }
}
