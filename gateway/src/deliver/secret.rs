//! A token or password. Printing it in any way gives `***`, so that it cannot reach a log line, a page or an error text by accident.
use std::fmt;

#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The secret itself; only for the header or the handshake that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// `text` without the secret, should a server have echoed it.
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_printed() {
        let s = Secret::new("hunter2");
        assert_eq!(format!("{s} {s:?} {:#?}", Some(&s)), "*** *** Some(\n    ***,\n)");
        assert_eq!(s.redact("bad token hunter2!"), "bad token ***!");
        assert_eq!(Secret::new("").redact("unchanged"), "unchanged");
    }
}
