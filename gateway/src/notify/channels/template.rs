//! Texts with `{{places}}` from a fixed list, each value escaped for where it stands.
use super::call::form;

/// All that may stand in braces.
pub const PLACES: &[&str] = &[
    "to",
    "person",
    "text",
    "short",
    "speech",
    "title",
    "severity",
    "severity_word",
    "basis",
    "kind",
    "site",
    "place",
    "number",
    "id",
    "incident",
    "link",
    "at",
    "timestamp",
    "secret",
];

/// How values are made harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Inside a JSON string.
    Json,
    /// In a form or the query of an address.
    Form,
    /// Inside an XML element or attribute.
    Xml,
    /// As it is, but for control characters other than the end of a line.
    Plain,
    /// As it is, on one line.
    Line,
}

impl Escape {
    /// By the content type of a body.
    pub fn of(content_type: &str) -> Escape {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => Escape::Form,
            k if k.ends_with("json") => Escape::Json,
            k if k.ends_with("xml") || k == "text/html" => Escape::Xml,
            _ => Escape::Plain,
        }
    }
    fn apply(self, value: &str) -> String {
        match self {
            Escape::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
            }
            Escape::Form => form(&[("", value)]).trim_start_matches('=').to_owned(),
            Escape::Xml => value
                .chars()
                .filter(|c| !c.is_control() || *c == '\n')
                .flat_map(|c| match c {
                    '&' => "&amp;".chars().collect::<Vec<_>>(),
                    '<' => "&lt;".chars().collect(),
                    '>' => "&gt;".chars().collect(),
                    '"' => "&quot;".chars().collect(),
                    '\'' => "&#39;".chars().collect(),
                    c => vec![c],
                })
                .collect(),
            Escape::Plain => value.chars().filter(|c| !c.is_control() || *c == '\n').collect(),
            Escape::Line => value.chars().filter(|c| !c.is_control()).collect(),
        }
    }
}

/// A text whose places are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(&'static str),
}

impl Template {
    /// # Errors
    /// Names a place that does not exist, or braces that are not closed.
    pub fn new(text: &str) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after.split_once("}}").ok_or("{{ is not closed by }}")?;
            let name = name.trim();
            let place = PLACES.iter().find(|p| **p == name).ok_or_else(|| {
                let shown: String = name.chars().take(40).collect();
                format!("{{{{{shown}}}}} is not known; known are: {}", PLACES.join(", "))
            })?;
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Place(place));
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Template(pieces))
    }
    pub fn has(&self, place: &str) -> bool {
        self.0.iter().any(|p| *p == Piece::Place(PLACES.iter().find(|k| **k == place).copied().unwrap_or_default()))
    }
    pub fn fill(&self, escape: Escape, value: impl Fn(&str) -> String) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Place(name) => escape.apply(&value(name)),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_their_place() {
        let evil = |_: &str| "a\"b\\&c=1<d>\r\n'园".to_owned();
        let fill = |template: &str, escape| Template::new(template).unwrap().fill(escape, evil);
        let json = fill(r#"{"t":"{{ text }}"}"#, Escape::Json);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["t"], evil(""));
        assert_eq!(fill("t={{text}}&u=1", Escape::Form), "t=a%22b%5C%26c%3D1%3Cd%3E%0D%0A%27%E5%9B%AD&u=1");
        assert_eq!(fill("<t>{{text}}</t>", Escape::Xml), "<t>a&quot;b\\&amp;c=1&lt;d&gt;\n&#39;园</t>");
        assert_eq!(fill("{{text}}", Escape::Plain), "a\"b\\&c=1<d>\n'园");
        assert_eq!(fill("{{text}}", Escape::Line), "a\"b\\&c=1<d>'园");
        assert_eq!(Escape::of("application/vnd.api+json; charset=utf-8"), Escape::Json);
    }

    #[test]
    fn unknown_and_open_places_are_named() {
        assert!(Template::new("{{phone}}").unwrap_err().contains("{{phone}} is not known; known are: to, "));
        assert!(Template::new("{{to").is_err());
        assert!(Template::new("{{to}} {{short}}").unwrap().has("short"));
        assert!(!Template::new("none").unwrap().has("short"));
    }
}
