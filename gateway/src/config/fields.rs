//! Reading a table key by key, so that every problem is reported, not just the first.
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

/// One thing wrong with the configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `broker.user[2].name`; empty for the file as a whole.
    pub key: String,
    /// File and line, or the environment variable.
    pub place: Option<String>,
    /// What is wrong and how to mend it.
    pub text: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// A table being read. Every `take` removes its key; [`Fields::finish`] reports what nobody asked for.
pub struct Fields<'a> {
    path: String,
    dict: Dict,
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    pub fn new(path: &str, dict: Dict, problems: &'a mut Vec<Problem>) -> Self {
        Self { path: path.to_owned(), dict, known: Vec::new(), problems }
    }
    pub fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
    pub fn problem(&mut self, name: &str, text: impl Into<String>) {
        let key = self.key(name);
        self.problems.push(Problem { key, place: None, text: text.into() });
    }
    /// What an earlier version took and is too little now: no reason not to start, but the least is taken, and said.
    pub fn at_least(&self, name: &str, value: u32, least: u32) -> u32 {
        if value < least {
            tracing::warn!("{}: {value} is less than {least}, which is the least; {least} is taken", self.key(name));
        }
        value.max(least)
    }
    pub fn problems(&mut self) -> &mut Vec<Problem> {
        self.problems
    }
    /// The value of `name`, if it is there and right; a wrong one is a problem.
    pub fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        self.known.push(name);
        let value = self.dict.remove(name)?;
        match value.deserialize::<T>() {
            Ok(v) => Some(v),
            Err(e) => {
                for e in e {
                    let below = e.path.join(".");
                    let key = if below.is_empty() { name.to_owned() } else { format!("{name}.{below}") };
                    self.problem(&key, e.kind.to_string());
                }
                None
            }
        }
    }
    /// As [`Fields::take`]; its absence is a problem too. `hint` says what to write.
    pub fn need<T: DeserializeOwned>(&mut self, name: &'static str, hint: &str) -> Option<T> {
        if !self.dict.contains_key(name) {
            self.known.push(name);
            self.problem(name, format!("is missing; {hint}"));
            return None;
        }
        self.take(name)
    }
    /// A sub-table; `None` when it is absent.
    pub fn table(&mut self, name: &'static str) -> Option<Dict> {
        self.known.push(name);
        match self.dict.remove(name)? {
            Value::Dict(_, d) => Some(d),
            _ => {
                self.problem(name, format!("must be a table: [{}]", self.key(name)));
                None
            }
        }
    }
    /// Whether it is switched off: `name = false`.
    pub fn is_off(&mut self, name: &'static str) -> bool {
        let off = matches!(self.dict.get(name), Some(Value::Bool(_, false)));
        if off {
            self.known.push(name);
            self.dict.remove(name);
        }
        off
    }
    /// An array of tables; empty when it is absent.
    pub fn tables(&mut self, name: &'static str) -> Vec<Dict> {
        self.known.push(name);
        let Some(value) = self.dict.remove(name) else { return Vec::new() };
        let Value::Array(_, items) = value else {
            self.problem(name, format!("must be a list of tables: [[{}]]", self.key(name)));
            return Vec::new();
        };
        let mut out = Vec::new();
        for (i, item) in items.into_iter().enumerate() {
            match item {
                Value::Dict(_, d) => out.push(d),
                _ => self.problem(&format!("{name}[{i}]"), "must be a table"),
            }
        }
        out
    }
    /// Reports the keys that nobody took.
    pub fn finish(mut self) {
        let unknown: Vec<String> = self.dict.keys().cloned().collect();
        for key in unknown {
            let known = self.known.join(", ");
            self.problem(&key, format!("is not known here; known are: {known}"));
        }
    }
}

/// Line (from 1) on which `key` (`broker.user[2].name`) or the nearest table above it stands in `text`.
pub fn line_of(text: &str, key: &str) -> Option<usize> {
    use toml::de::{DeTable, DeValue};
    let root = DeTable::parse(text).ok()?;
    let mut table: &DeTable<'_> = root.get_ref();
    let mut offset = None;
    'levels: for level in key.split('.') {
        let (name, index) = match level.split_once('[') {
            Some((n, i)) => (n, i.trim_end_matches(']').parse::<usize>().ok()),
            None => (level, None),
        };
        let Some((k, value)) = table.iter().find(|(k, _)| k.get_ref() == name) else { break };
        offset = Some(k.span().start);
        let mut value = value;
        if let (Some(i), DeValue::Array(items)) = (index, value.get_ref()) {
            let Some(item) = items.get(i) else { break 'levels };
            offset = Some(item.span().start);
            value = item;
        }
        match value.get_ref() {
            DeValue::Table(t) => table = t,
            _ => break,
        }
    }
    let offset = offset?;
    Some(text.get(..offset)?.bytes().filter(|b| *b == b'\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_of_a_nested_key() {
        let text = "a = 1\n[web]\nlisten = 3\n[[broker.user]]\nname = \"x\"\n[[broker.user]]\nnme = \"y\"\n";
        assert_eq!(line_of(text, "web.listen"), Some(3));
        assert_eq!(line_of(text, "broker.user[1].nme"), Some(7));
        assert_eq!(line_of(text, "nothing"), None);
    }
}
