//! The part of Flux that is understood: one pipeline
//! `from(bucket:) |> range(start:, stop:) |> filter(fn: (r) => …)* |> group()? |> <aggregate>()? |> limit(n:)? |> yield()?`.
use crate::text::parse_rfc3339;

/// What to tell somebody who wants more.
pub const SUPPORTED: &str = "supported: from(bucket:) |> range(start:, stop:) |> filter(fn: (r) => r.tag == \"x\" and/or …) |> group() \
                             |> count/mean/sum/min/max/first/last() |> limit(n:) |> yield()";
/// Longest query in bytes.
const MAX_QUERY: usize = 16 * 1024;
/// Deepest nesting of brackets in a filter.
const MAX_DEPTH: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    Count,
    Mean,
    Sum,
    Min,
    Max,
    First,
    Last,
}

/// A condition on a series: its tags, `_measurement` and `_field`.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Equal(String, String),
    NotEqual(String, String),
    Exists(String),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
}

impl Expr {
    /// `column` gives the value of a column, if the series has it; a comparison with a missing column is false.
    pub fn holds<'a>(&self, column: &impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Expr::Equal(name, value) => column(name) == Some(value.as_str()),
            Expr::NotEqual(name, value) => column(name).is_some_and(|v| v != value),
            Expr::Exists(name) => column(name).is_some(),
            Expr::Not(e) => !e.holds(column),
            Expr::And(a, b) => a.holds(column) && b.holds(column),
            Expr::Or(a, b) => a.holds(column) || b.holds(column),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub bucket: String,
    /// Nanoseconds since 1970; `stop` is excluded.
    pub start: i64,
    pub stop: i64,
    pub filters: Vec<Expr>,
    /// All series as one table.
    pub group: bool,
    pub aggregate: Option<Aggregate>,
    /// Rows of each table.
    pub limit: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    /// A number, duration or time as it stands.
    Literal(String),
    Sign(&'static str),
}

/// Parses a query; `now` in nanoseconds since 1970.
///
/// # Errors
/// What is not understood, and what is supported.
pub fn parse(text: &str, now: i64) -> Result<Query, String> {
    if text.len() > MAX_QUERY {
        return Err(format!("the query is longer than {MAX_QUERY} bytes"));
    }
    let tokens = tokens(text).map_err(with_hint)?;
    let mut p = Parser { tokens: &tokens, now };
    p.query().map_err(with_hint)
}

fn with_hint(e: String) -> String {
    format!("{e}; {SUPPORTED}")
}

const SIGNS: [&str; 16] = ["|>", "=>", "==", "!=", "=~", "!~", "<=", ">=", "(", ")", "[", "]", ":", ",", ".", "="];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let Some(first) = rest.chars().next() else { return Ok(out) };
        if first == '"' {
            let (value, after) = string(rest)?;
            out.push(Token::Text(value));
            rest = after;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            out.push(Token::Word(word.to_owned()));
            rest = after;
        } else if first.is_ascii_digit() || first == '-' {
            let end = rest
                .char_indices()
                .find(|(i, c)| *i > 0 && !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+' | 'µ')))
                .map_or(rest.len(), |(i, _)| i);
            let (literal, after) = rest.split_at(end);
            out.push(Token::Literal(literal.to_owned()));
            rest = after;
        } else if let Some(sign) = SIGNS.into_iter().find(|s| rest.starts_with(s)) {
            out.push(Token::Sign(sign));
            rest = rest.get(sign.len()..).unwrap_or_default();
        } else {
            return Err(format!("unexpected {first:?}"));
        }
    }
}

fn string(text: &str) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((out, text.get(i + 1..).unwrap_or_default())),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, 'r')) => out.push('\r'),
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                _ => return Err("unknown escape in a string".into()),
            },
            c => out.push(c),
        }
    }
    Err("string without its closing quote".into())
}

struct Parser<'a> {
    tokens: &'a [Token],
    now: i64,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.first()
    }
    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }
    fn eat(&mut self, sign: &str) -> bool {
        let hit = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        if hit {
            self.next();
        }
        hit
    }
    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.eat(sign) { Ok(()) } else { Err(format!("expected {sign:?}, found {}", self.found())) }
    }
    fn found(&self) -> String {
        match self.peek() {
            None => "the end".into(),
            Some(Token::Word(w) | Token::Literal(w)) => format!("{w:?}"),
            Some(Token::Text(t)) => format!("the string {t:?}"),
            Some(Token::Sign(s)) => format!("{s:?}"),
        }
    }
    fn word(&mut self) -> Result<String, String> {
        match self.peek() {
            Some(Token::Word(_)) => match self.next() {
                Some(Token::Word(w)) => Ok(w),
                _ => Err("expected a name".into()),
            },
            _ => Err(format!("expected a name, found {}", self.found())),
        }
    }
    fn text(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Text(t)) => Ok(t),
            _ => Err("expected a string in double quotes".into()),
        }
    }

    fn query(&mut self) -> Result<Query, String> {
        if self.word()? != "from" {
            return Err("a query begins with from(bucket: \"…\")".into());
        }
        self.expect("(")?;
        self.argument("bucket")?;
        let bucket = self.text()?;
        self.expect(")")?;
        let mut range = None;
        let mut q = Query { bucket, start: 0, stop: 0, filters: Vec::new(), group: false, aggregate: None, limit: None };
        while self.eat("|>") {
            let stage = self.word()?;
            self.expect("(")?;
            // A later stage works on what the earlier ones leave: only this order means what is computed.
            let done = q.aggregate.is_some() || q.limit.is_some();
            match stage.as_str() {
                "range" if range.is_none() && !done => range = Some(self.range()?),
                "filter" if !done && !q.group => {
                    self.argument("fn")?;
                    q.filters.push(self.function()?);
                }
                "group" if !done && !q.group => q.group = true,
                "limit" if q.limit.is_none() => {
                    self.argument("n")?;
                    match self.next() {
                        Some(Token::Literal(n)) => q.limit = Some(n.parse().map_err(|_| "limit(n:) must be a whole number".to_owned())?),
                        _ => return Err("limit(n:) must be a whole number".into()),
                    }
                }
                "yield" => {
                    if !matches!(self.peek(), Some(Token::Sign(")"))) {
                        self.argument("name")?;
                        self.text()?;
                    }
                }
                "count" | "mean" | "sum" | "min" | "max" | "first" | "last" if !done => {
                    q.aggregate = Some(match stage.as_str() {
                        "count" => Aggregate::Count,
                        "mean" => Aggregate::Mean,
                        "sum" => Aggregate::Sum,
                        "min" => Aggregate::Min,
                        "max" => Aggregate::Max,
                        "first" => Aggregate::First,
                        _ => Aggregate::Last,
                    });
                }
                other => return Err(format!("{other}() is not supported here")),
            }
            self.expect(")")?;
        }
        if self.peek().is_some() {
            return Err(format!("unexpected {} after the query", self.found()));
        }
        (q.start, q.stop) = range.ok_or("range(start:) is missing: a query without it would read everything")?;
        if q.group && q.aggregate.is_none() {
            return Err("group() needs an aggregate after it".into());
        }
        Ok(q)
    }

    fn argument(&mut self, name: &str) -> Result<(), String> {
        let found = self.word()?;
        if found != name {
            return Err(format!("argument {found}: is not supported, expected {name}:"));
        }
        self.expect(":")
    }

    fn range(&mut self) -> Result<(i64, i64), String> {
        let (mut start, mut stop) = (None, self.now);
        loop {
            let name = self.word()?;
            self.expect(":")?;
            let time = self.time()?;
            match name.as_str() {
                "start" => start = Some(time),
                "stop" => stop = time,
                other => return Err(format!("range() has no argument {other}:")),
            }
            if !self.eat(",") {
                break;
            }
        }
        let start = start.ok_or("range() needs start:")?;
        if start >= stop { Err("cannot query an empty range: start must be before stop".into()) } else { Ok((start, stop)) }
    }

    /// A duration before now, RFC 3339, seconds since 1970, `now()` or `time(v: "…")`.
    fn time(&mut self) -> Result<i64, String> {
        match self.next() {
            Some(Token::Word(w)) if w == "now" => {
                self.expect("(")?;
                self.expect(")")?;
                Ok(self.now)
            }
            Some(Token::Word(w)) if w == "time" => {
                self.expect("(")?;
                self.argument("v")?;
                let text = self.text()?;
                self.expect(")")?;
                parse_rfc3339(&text).ok_or(format!("{text:?} is no RFC 3339 time"))
            }
            Some(Token::Literal(text)) => {
                if let Ok(seconds) = text.parse::<i64>() {
                    return seconds.checked_mul(1_000_000_000).ok_or(format!("{text} is out of range"));
                }
                if let Some(ns) = parse_rfc3339(&text) {
                    return Ok(ns);
                }
                if let Some(day) = parse_rfc3339(&format!("{text}T00:00:00Z")) {
                    return Ok(day);
                }
                let ns = duration(&text).ok_or(format!("{text:?} is no time, duration or number"))?;
                self.now.checked_add(ns).ok_or(format!("{text} is out of range"))
            }
            _ => Err("expected a time, a duration or a number".into()),
        }
    }

    /// `(r) => condition`
    fn function(&mut self) -> Result<Expr, String> {
        self.expect("(")?;
        let parameter = self.word()?;
        self.expect(")")?;
        self.expect("=>")?;
        self.or(&parameter, 0)
    }

    fn or(&mut self, r: &str, depth: usize) -> Result<Expr, String> {
        let mut left = self.and(r, depth)?;
        while matches!(self.peek(), Some(Token::Word(w)) if w == "or") {
            self.next();
            left = Expr::Or(Box::new(left), Box::new(self.and(r, depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, r: &str, depth: usize) -> Result<Expr, String> {
        let mut left = self.condition(r, depth)?;
        while matches!(self.peek(), Some(Token::Word(w)) if w == "and") {
            self.next();
            left = Expr::And(Box::new(left), Box::new(self.condition(r, depth)?));
        }
        Ok(left)
    }

    fn condition(&mut self, r: &str, depth: usize) -> Result<Expr, String> {
        if depth > MAX_DEPTH {
            return Err("the filter is nested too deeply".into());
        }
        if self.eat("(") {
            let inner = self.or(r, depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        match self.peek() {
            Some(Token::Word(w)) if w == "not" => {
                self.next();
                return Ok(Expr::Not(Box::new(self.condition(r, depth + 1)?)));
            }
            Some(Token::Word(w)) if w == "exists" => {
                self.next();
                return Ok(Expr::Exists(self.column(r)?));
            }
            _ => {}
        }
        let column = self.column(r)?;
        if column == "_value" || column == "_time" {
            return Err(format!("a filter on {column} is not supported"));
        }
        if self.eat("==") {
            Ok(Expr::Equal(column, self.text()?))
        } else if self.eat("!=") {
            Ok(Expr::NotEqual(column, self.text()?))
        } else {
            Err(format!("expected == or !=, found {}", self.found()))
        }
    }

    /// `r.name` or `r["name"]`
    fn column(&mut self, r: &str) -> Result<String, String> {
        let word = self.word()?;
        if word != r {
            return Err(format!("expected {r}.column, found {word:?}"));
        }
        if self.eat("[") {
            let name = self.text()?;
            self.expect("]")?;
            return Ok(name);
        }
        self.expect(".")?;
        self.word()
    }
}

/// Nanoseconds of a Flux duration such as `-1h30m`.
fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut total = 0i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match rest.get(..letters)? {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 604_800_000_000_000,
            "mo" => 2_592_000_000_000_000,
            "y" => 31_536_000_000_000_000,
            _ => return None,
        };
        rest = rest.get(letters..)?;
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    Some(if negative { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_329_120_000_000_000;

    #[test]
    fn a_whole_pipeline() {
        let q = parse(
            r#"from(bucket: "tuoan")
               |> range(start: -1h30m, stop: 2026-11-22T06:32:00Z) // comment
               |> filter(fn: (r) => r._measurement == "reading" and (r["site"] == "a" or not r.zone != "b"))
               |> filter(fn: (x) => exists x.device)
               |> group() |> count() |> limit(n: 5) |> yield(name: "n")"#,
            NOW + 1,
        )
        .unwrap();
        assert_eq!((q.bucket.as_str(), q.start, q.stop, q.limit), ("tuoan", NOW + 1 - 5_400_000_000_000, NOW, Some(5)));
        assert_eq!((q.group, q.aggregate, q.filters.len()), (true, Some(Aggregate::Count), 2));
        let series = |name: &str| match name {
            "_measurement" => Some("reading"),
            "site" => Some("c"),
            "zone" => Some("b"),
            _ => None,
        };
        assert!(q.filters[0].holds(&series));
        assert!(!q.filters[1].holds(&series));
    }

    #[test]
    fn times_of_a_range() {
        let start = |text: &str| parse(&format!("from(bucket:\"b\")|>range(start:{text})"), NOW).map(|q| q.start);
        assert_eq!(start("0"), Ok(0));
        assert_eq!(start("1795329119"), Ok(1_795_329_119_000_000_000));
        assert_eq!(start("-1w"), Ok(NOW - 604_800_000_000_000));
        assert_eq!(start("2026-11-22"), Ok(parse_rfc3339("2026-11-22T00:00:00Z").unwrap()));
        assert_eq!(start("time(v: \"2026-11-22T06:00:00Z\")"), Ok(NOW - 32 * 60_000_000_000));
        assert!(start("now()").is_err(), "empty range");
        assert!(start("-1x").is_err());
        assert!(start("-99999999999999999999h").is_err());
    }

    #[test]
    fn what_is_not_supported_says_what_is() {
        for text in [
            "",
            "buckets()",
            "from(bucket: \"b\")",
            "from(bucket: \"b\") |> range(start: -1h) |> map(fn: (r) => ({r with a: 1}))",
            "from(bucket: \"b\") |> range(start: -1h) |> filter(fn: (r) => r._value > 3)",
            "from(bucket: \"b\") |> range(start: -1h) |> count() |> filter(fn: (r) => r.a == \"b\")",
            "from(bucket: \"b\") |> range(start: -1h) |> group()",
            "from(bucket: \"b\") |> range(start: -1h) |> group(columns: [\"a\"]) |> count()",
            "from(bucket: \"b\") |> range(start: -1h) x",
            "from(bucket: \"b",
        ] {
            let e = parse(text, NOW).unwrap_err();
            assert!(e.contains("supported: from(bucket:)"), "{text}: {e}");
        }
        assert!(parse(&format!("from(bucket:\"b\")|>range(start:0)|>filter(fn:(r)=>{}", "(".repeat(100_000)), NOW).is_err());
        let deep = format!("from(bucket:\"b\")|>range(start:0)|>filter(fn:(r)=>{}r.a==\"b\"{})", "(".repeat(4000), ")".repeat(4000));
        assert!(parse(&deep, NOW).unwrap_err().contains("nested"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", tail in "[a-z0-9µ:.+-]*") {
            let _ = parse(&text, NOW);
            let _ = parse(&format!("from(bucket:\"b\")|>range(start:{tail})|>{text}"), NOW);
        }
    }
}
