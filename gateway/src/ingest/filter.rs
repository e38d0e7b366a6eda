//! MQTT topic filters: which topics one matches, and which filters another one covers (access control).

/// Longest topic or filter taken, in bytes. The protocol allows 65,535; nothing in a nursery needs more than this.
pub const MAX_TOPIC: usize = 512;

/// A valid topic filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter(Box<str>);

/// Why a text is no topic filter. The message names the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("an empty text is no topic filter")]
    Empty,
    #[error("the topic filter {0:?} is longer than {MAX_TOPIC} bytes")]
    TooLong(String),
    #[error("the topic filter {0:?} is wrong: `#` may stand only alone in the last level")]
    Hash(String),
    #[error("the topic filter {0:?} is wrong: `+` must fill its level alone")]
    Plus(String),
    #[error("the topic filter {0:?} holds a control character")]
    Control(String),
}

impl Filter {
    /// # Errors
    /// When the text breaks MQTT's rules for filters (4.7.1) or is longer than [`MAX_TOPIC`].
    pub fn new(text: &str) -> Result<Filter, FilterError> {
        let named = || text.chars().take(80).collect::<String>();
        if text.is_empty() {
            return Err(FilterError::Empty);
        }
        if text.len() > MAX_TOPIC {
            return Err(FilterError::TooLong(named()));
        }
        if text.chars().any(char::is_control) {
            return Err(FilterError::Control(named()));
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err(FilterError::Hash(named()));
            }
            if level.contains('+') && level != "+" {
                return Err(FilterError::Plus(named()));
            }
        }
        Ok(Filter(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a message on `topic` is one of those that the filter asks for.
    pub fn matches(&self, topic: &str) -> bool {
        // A wildcard in the first level does not reach `$SYS` and its like (4.7.2).
        if topic.starts_with('$') && !self.0.starts_with('$') {
            return false;
        }
        let mut topic = topic.split('/');
        for level in self.0.split('/') {
            match (level, topic.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (literal, Some(other)) if literal == other => {}
                _ => return false,
            }
        }
        topic.next().is_none()
    }

    /// Whether every topic that `other` matches is matched by this filter too.
    pub fn covers(&self, other: &Filter) -> bool {
        if other.0.starts_with('$') && !self.0.starts_with('$') {
            return false;
        }
        let mut theirs = other.0.split('/').peekable();
        for level in self.0.split('/') {
            match (level, theirs.next()) {
                ("#", _) => return true,
                // `a/#` also matches `a`, which `a/+` does not.
                (_, Some("#") | None) => return false,
                ("+", Some(_)) => {}
                (literal, Some(other)) if literal == other => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text may name a topic: not empty, bounded, no wildcard, no control character.
pub fn is_topic(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOPIC && !text.chars().any(|c| c == '+' || c == '#' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(text: &str) -> Filter {
        Filter::new(text).unwrap()
    }

    #[test]
    fn matches_as_the_standard_says() {
        for (f, topic, want) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("+", "/a", false),
            ("+/+", "/a", true),
        ] {
            assert_eq!(filter(f).matches(topic), want, "{f} on {topic}");
        }
    }

    #[test]
    fn covers_only_what_is_wholly_inside() {
        for (wide, narrow, want) in [
            ("a/#", "a/b/+", true),
            ("a/#", "a", true),
            ("a/#", "a/#", true),
            ("a/+", "a/b", true),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/b", "a/+", false),
            ("#", "$SYS/#", false),
            ("#", "#", true),
            ("+/+", "#", false),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/b", false),
        ] {
            assert_eq!(filter(wide).covers(&filter(narrow)), want, "{wide} over {narrow}");
        }
    }

    #[test]
    fn refuses_malformed_filters() {
        for bad in ["", "a/#/b", "a#", "a+/b", "a/\u{0}"] {
            assert!(Filter::new(bad).is_err(), "{bad:?}");
        }
        assert!(Filter::new(&"a".repeat(MAX_TOPIC + 1)).is_err());
    }

    proptest! {
        /// Cover means exactly that: no topic may slip through a covered filter.
        #[test]
        fn what_a_covered_filter_matches_the_wider_one_matches(
            wide in prop::collection::vec("[ab+]", 1..4), narrow in prop::collection::vec("[ab+]", 1..4), wide_hash: bool, narrow_hash: bool,
            topic in prop::collection::vec("[ab]", 1..5),
        ) {
            let build = |levels: &[String], hash: bool| {
                let mut text = levels.join("/");
                if hash { text.push_str("/#"); }
                filter(&text)
            };
            let (wide, narrow, topic) = (build(&wide, wide_hash), build(&narrow, narrow_hash), topic.join("/"));
            if wide.covers(&narrow) && narrow.matches(&topic) {
                prop_assert!(wide.matches(&topic), "{wide} should match {topic} because it covers {narrow}");
            }
        }
    }
}
