//! Topic patterns with captures, and the device id made of them.

/// Captures in a pattern at most.
const MAX_CAPTURES: usize = 8;

#[derive(Default)]
pub struct Pattern {
    levels: Vec<Level>,
    captures: Vec<String>,
}

enum Level {
    Literal(String),
    Any,
    Capture,
    /// `#`, the last.
    Rest,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let mut pattern = Pattern::default();
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        let count = text.split('/').count();
        for (i, level) in text.split('/').enumerate() {
            let level = match level {
                "+" => Level::Any,
                "#" if i + 1 == count => Level::Rest,
                _ if level.contains(['+', '#']) => return Err(format!("`{level}`: + and # stand alone, # last")),
                _ => match level.strip_prefix('{').and_then(|l| l.strip_suffix('}')) {
                    Some(name) => {
                        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                            return Err(format!("`{level}`: a capture's name is letters, digits and _"));
                        }
                        if pattern.captures.iter().any(|c| c == name) {
                            return Err(format!("`{level}` stands twice"));
                        }
                        pattern.captures.push(name.to_owned());
                        Level::Capture
                    }
                    None if level.contains(['{', '}']) => return Err(format!("`{level}`: a capture is a whole level, {{name}}")),
                    None => Level::Literal(level.to_owned()),
                },
            };
            pattern.levels.push(level);
        }
        if pattern.captures.len() > MAX_CAPTURES {
            return Err(format!("at most {MAX_CAPTURES} captures"));
        }
        Ok(pattern)
    }

    /// The captured levels, in order.
    pub fn matches<'a>(&self, topic: &'a str) -> Option<Vec<&'a str>> {
        let mut captured = Vec::new();
        let mut levels = topic.split('/');
        for level in &self.levels {
            match (level, levels.next()) {
                (Level::Rest, _) => return Some(captured),
                (Level::Literal(want), Some(got)) if want == got => {}
                (Level::Any, Some(_)) => {}
                (Level::Capture, Some(got)) if !got.is_empty() => captured.push(got),
                _ => return None,
            }
        }
        if levels.next().is_none() && !self.levels.is_empty() { Some(captured) } else { None }
    }
}

/// Text with `{captures}`.
#[derive(Default)]
pub struct Template(Vec<Part>);

enum Part {
    Text(String),
    Capture(usize),
}

impl Template {
    pub fn parse(text: &str, pattern: &Pattern) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { return Err(format!("`{text}`: a {{ has no }}")) };
            let Some(index) = pattern.captures.iter().position(|c| c == name) else {
                return Err(format!("`{{{name}}}` is not captured by the topic"));
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Capture(index));
            rest = after;
        }
        if rest.contains('}') {
            return Err(format!("`{text}`: a }} has no {{"));
        }
        parts.push(Part::Text(rest.to_owned()));
        if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(Template(parts)) }
    }

    pub fn render(&self, captures: &[&str]) -> String {
        let mut out = String::with_capacity(32);
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Capture(index) => out.push_str(captures.get(*index).copied().unwrap_or_default()),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_levels() {
        let p = Pattern::parse("kit/{room}/+/{device}/env").unwrap();
        assert_eq!(p.matches("kit/r1/x/th/env"), Some(vec!["r1", "th"]));
        for topic in ["kit/r1/x/th", "kit/r1/x/th/env/more", "kit//x/th/env", "", "other/r1/x/th/env"] {
            assert_eq!(p.matches(topic), None, "{topic}");
        }
        let rest = Pattern::parse("kit/{room}/#").unwrap();
        assert_eq!(rest.matches("kit/r1/a/b"), Some(vec!["r1"]));
        assert_eq!(rest.matches("kit/r1"), Some(vec!["r1"]));
    }

    #[test]
    fn says_what_is_wrong() {
        for text in ["", "a/#/b", "a+/b", "{a}/{a}", "x{a}", "{}", "{a b}"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        let p = Pattern::parse("kit/{room}").unwrap();
        assert_eq!(Template::parse("z.{room}-1", &p).unwrap().render(&["a"]), "z.a-1");
        for text in ["", "{zone}", "{room", "room}"] {
            assert!(Template::parse(text, &p).is_err(), "{text}");
        }
    }
}
