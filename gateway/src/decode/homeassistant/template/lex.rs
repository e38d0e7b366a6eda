//! Text and tokens.

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Name(String),
    Int(i64),
    Float(f64),
    Str(String),
    /// An operator or a bracket.
    Sym(&'static str),
}

/// A stretch of the source.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Text(String),
    Output(Vec<Token>),
    Statement(Vec<Token>),
}

/// Longest first.
const SYMBOLS: [&str; 27] = [
    "==", "!=", "<=", ">=", "//", "**", "<", ">", "+", "-", "*", "/", "%", "~", "|", "(", ")", "[", "]", "{", "}", ",", ":", ".", "=", "!",
    ";",
];

/// The template cut into text, `{{ ... }}` and `{% ... %}`; comments are left out, and white space where a `-` asks for it.
pub fn parts(source: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = source;
    while let Some(open) = rest.find('{').map(|_| next_opening(rest)) {
        let Some((at, kind)) = open else { break };
        let (text, inside) = (rest.get(..at).unwrap_or_default(), rest.get(at + 2..).unwrap_or_default());
        let trims = inside.starts_with('-');
        let text = if trims { text.trim_end() } else { text };
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        let inside = inside.strip_prefix('-').unwrap_or(inside);
        let close = match kind {
            '{' => "}}",
            '%' => "%}",
            _ => "#}",
        };
        let (tokens, end) =
            if kind == '#' { (Vec::new(), inside.find(close).ok_or("a comment does not end")?) } else { tokens(inside, close)? };
        let after = inside.get(end + 2..).unwrap_or_default();
        let trims = inside.get(..end).is_some_and(|code| code.ends_with('-'));
        rest = if trims { after.trim_start() } else { after };
        match kind {
            '{' => parts.push(Part::Output(tokens)),
            '%' => parts.push(Part::Statement(tokens)),
            _ => {}
        }
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn next_opening(text: &str) -> Option<(usize, char)> {
    text.char_indices()
        .zip(text.chars().skip(1))
        .find_map(|((at, c), next)| (c == '{' && matches!(next, '{' | '%' | '#')).then_some((at, next)))
}

/// Tokens up to `close`, and where it stands.
fn tokens(code: &str, close: &str) -> Result<(Vec<Token>, usize), String> {
    let mut tokens = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    loop {
        let rest = code.get(at..).unwrap_or_default();
        let Some(c) = rest.chars().next() else { return Err(format!("`{close}` is missing")) };
        // `}}` may also close two dictionaries.
        if depth == 0 {
            if rest.starts_with(close) {
                return Ok((tokens, at));
            }
            if rest.strip_prefix('-').is_some_and(|r| r.starts_with(close)) {
                return Ok((tokens, at + 1));
            }
        }
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if c == '"' || c == '\'' {
            let (text, length) = string(rest, c)?;
            tokens.push(Token::Str(text));
            at += length;
        } else if c.is_ascii_digit() {
            let (token, length) = number(rest)?;
            tokens.push(token);
            at += length;
        } else if c.is_alphabetic() || c == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            tokens.push(Token::Name(rest.get(..length).unwrap_or_default().to_owned()));
            at += length;
        } else {
            let symbol = SYMBOLS.iter().find(|s| rest.starts_with(**s)).ok_or_else(|| format!("`{c}` is not understood"))?;
            match *symbol {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            tokens.push(Token::Sym(symbol));
            at += symbol.len();
        }
    }
}

/// A quoted text and the length of its source.
fn string(source: &str, quote: char) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut chars = source.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((text, at + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, c)) => text.push(c),
                None => break,
            },
            c => text.push(c),
        }
    }
    Err("a quoted text does not end".to_owned())
}

fn number(source: &str) -> Result<(Token, usize), String> {
    let bytes = source.as_bytes();
    let digits = |from: usize| bytes.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
    let mut end = digits(0);
    let mut float = false;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        float = true;
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            float = true;
            end += 1 + sign + exponent;
        }
    }
    let text: String = source.get(..end).unwrap_or_default().chars().filter(|c| *c != '_').collect();
    let token = if float { text.parse().map(Token::Float).ok() } else { text.parse().map(Token::Int).ok() };
    token.map(|t| (t, end)).ok_or_else(|| format!("the number {text} is too large"))
}
