//! What went wrong elsewhere, in the reader's language: by what the text of the error says. The text itself stays beside it, for who repairs.
use crate::lang::Ui;
use std::borrow::Borrow;

/// What such a text holds, in lower case, and the message for it; the first that is found.
const SIGNS: &[(&str, &[&str])] = &[
    ("disk-full", &["disk that holds", "no space left", "disk is full", "database or disk is full"]),
    ("read-only", &["cannot be written", "read-only", "readonly"]),
    ("damaged", &["is damaged", "malformed", "cannot be read", "seal is broken"]),
    ("secure", &["certificate", "tls", "handshake"]),
    ("name", &["dns", "lookup", "resolve", "no such host"]),
    ("silent", &["timed out", "timeout", "no answer within", "deadline"]),
    ("unreachable", &["connection refused", "unreachable", "connection reset", "broken pipe", "error sending request", "connect"]),
    ("key", &["token", "password", "unauthorized", "authentication", "not accepted", "signature", "secret"]),
    ("recipient", &["mailbox", "recipient", "no such user", "user unknown", "phone number", "mobile"]),
    ("often", &["too many", "rate limit", "frequen", "quota"]),
    ("address", &["not found", "has moved"]),
    ("large", &["too much at once", "too large", "longer than"]),
    ("refused", &["refused", "rejected", "conflict", "denied"]),
    ("later", &["not now", "unavailable", "try again", "gateway"]),
];

fn kind(text: &str) -> &'static str {
    let lower = text.to_lowercase();
    // An answer over HTTP begins with its number.
    let number = lower.split(|c: char| !c.is_ascii_digit()).next().filter(|n| n.len() == 3).and_then(|n| n.parse::<u16>().ok());
    match number {
        Some(401 | 403) => return "key",
        Some(300..=399 | 404 | 405 | 410) => return "address",
        Some(413) => return "large",
        Some(429) => return "often",
        Some(400 | 422) => return "refused",
        // 5yz of a mail server is for good, and its text says more.
        Some(500..=504) => return "later",
        _ => {}
    }
    SIGNS.iter().find(|(_, signs)| signs.iter().any(|s| lower.contains(s))).map_or("other", |(kind, _)| kind)
}

impl Ui {
    /// "连不上对方": of an error's text, which may be in any language.
    pub fn trouble(&self, text: impl Borrow<str>) -> String {
        self.word("trouble", kind(text.borrow()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lang, sample};

    #[test]
    fn what_our_own_parts_and_receivers_say_is_understood() {
        let zh = Ui::plain(Lang::Zh, sample::NOW);
        for (text, says) in [
            ("401: the token is not accepted; check token_file", "key"),
            ("404: not found there; check url, org and bucket", "address"),
            ("503: not now", "later"),
            ("error sending request: client error (Connect): dns error: failed to lookup address information", "name"),
            ("error sending request: tcp connect error: Connection refused (os error 111)", "unreachable"),
            ("no answer within 10 s", "silent"),
            ("invalid peer certificate: UnknownIssuer", "secure"),
            ("550 mailbox unavailable", "recipient"),
            ("the disk that holds /var/lib/tuoan/log.db is full", "disk-full"),
            ("/var/lib/tuoan/log.db cannot be written: Permission denied", "read-only"),
            ("conflict: the platform holds another event in its place", "refused"),
            ("出了点事", "other"),
            ("", "other"),
        ] {
            assert_eq!(kind(text), says, "{text}");
            assert!(!zh.trouble(text).is_ascii(), "{text}");
        }
        for (kind, _) in SIGNS {
            assert!(Lang::ALL.iter().all(|l| l.message(&format!("trouble-{kind}"), None).is_some()), "{kind}");
        }
    }
}
