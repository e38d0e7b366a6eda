//! SOAP 1.2 as ONVIF speaks it: envelopes out, with a user name token, and answers in, bounded.
use crate::bridge::camera::Login;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node, ParsingOptions};
use std::fmt::Write;

/// Longest answer, in bytes; a camera with many profiles has some tens of KiB.
pub const MAX_ANSWER: usize = 256 << 10;
/// Most elements, attributes and texts in one.
const MAX_NODES: u32 = 20_000;
/// Deepest nesting; answers have about ten levels.
const MAX_DEPTH: usize = 64;

const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const DIGEST: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";
const BASE64: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// An envelope around `body`, signed by `login` when there is one. `created` is the camera's time: it takes no other.
pub fn envelope(body: &str, login: Option<(&Login, [u8; 16], &str)>) -> String {
    let mut out = String::with_capacity(1024 + body.len());
    out.push_str(r#"<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">"#);
    if let Some((login, nonce, created)) = login {
        let _ = write!(
            out,
            r#"<s:Header><Security s:mustUnderstand="1" xmlns="{WSSE}"><UsernameToken><Username>{}</Username><Password Type="{DIGEST}">{}</Password><Nonce EncodingType="{BASE64}">{}</Nonce><Created xmlns="{WSU}">{created}</Created></UsernameToken></Security></s:Header>"#,
            escape(&login.user),
            digest(&nonce, created, login.password.reveal()),
            STANDARD.encode(nonce)
        );
    }
    let _ = write!(out, "<s:Body>{body}</s:Body></s:Envelope>");
    out
}

/// Base64 of SHA-1 over nonce, time and password (OASIS Web Services Security, UsernameToken Profile 1.0, section 3.1).
pub fn digest(nonce: &[u8], created: &str, password: &str) -> String {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(nonce);
    hash.update(created.as_bytes());
    hash.update(password.as_bytes());
    STANDARD.encode(hash.finish())
}

/// Text for the inside of an element.
pub fn escape(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
        out
    })
}

/// An answer taken apart, if it is one: no document type, not too much of anything.
pub fn parse(text: &str) -> Option<Document<'_>> {
    if text.len() > MAX_ANSWER || deep(text) {
        return None;
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).ok()
}

/// Whether tags are nested deeper than [`MAX_DEPTH`]. Comments and the like make it count too many, never too few.
fn deep(text: &str) -> bool {
    let mut depth = 0usize;
    for (at, _) in text.match_indices('<') {
        let rest = text.get(at + 1..).unwrap_or_default();
        if rest.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !rest.starts_with(['?', '!']) {
            let end = rest.find('>').unwrap_or(rest.len());
            if !rest.get(..end).is_some_and(|tag| tag.ends_with('/')) {
                depth += 1;
            }
            if depth > MAX_DEPTH {
                return true;
            }
        }
    }
    false
}

/// The first element below `node` with this local name: prefixes and versions of namespaces differ between makers.
pub fn find<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.descendants().find(|n| n.is_element() && n.tag_name().name() == name)
}

/// The text of the first element below `node` with this local name, trimmed; `None` when there is none.
pub fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    find(node, name)?.text().map(str::trim).filter(|t| !t.is_empty())
}

/// What a fault says, and whether it is about who asks.
pub fn fault(document: &Document<'_>) -> Option<(String, bool)> {
    let fault = find(document.root_element(), "Fault")?;
    let all: String =
        fault.descendants().filter(roxmltree::Node::is_text).map(|n| n.text().unwrap_or_default().trim()).collect::<Vec<_>>().join(" ");
    let refused = ["NotAuthorized", "FailedAuthentication", "InvalidSecurity"].iter().any(|code| all.contains(code));
    let says = text(fault, "Text").or_else(|| text(fault, "faultstring")).unwrap_or(&all);
    Some((says.chars().filter(|c| !c.is_control()).take(120).collect(), refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use proptest::prelude::*;

    /// The example of the ONVIF Application Programmer's Guide, version 1.0, section 6.1.1.3.
    #[test]
    fn the_digest_is_the_standards_own_example() {
        let nonce = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap();
        assert_eq!(digest(&nonce, "2010-09-16T07:50:45Z", "userpassword"), "tuOSpGlFlIXsozq4HFNeeGeFLEI=");
    }

    #[test]
    fn a_password_does_not_stand_in_the_envelope() {
        let login = Login { user: "a<b&c".into(), password: Secret::new("hunter2") };
        let text = envelope("<X/>", Some((&login, [7; 16], "2026-01-01T00:00:00Z")));
        assert!(!text.contains("hunter2") && text.contains("<Username>a&lt;b&amp;c</Username>"), "{text}");
        let document = parse(&text).unwrap();
        assert_eq!(super::text(document.root_element(), "Username"), Some("a<b&c"));
    }

    #[test]
    fn bombs_are_no_answers() {
        let nested = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
        let many = format!("<a>{}</a>", "<b/>".repeat(30_000));
        let entities = r#"<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>"#;
        let long = format!("<a>{}</a>", "x".repeat(MAX_ANSWER));
        for bad in [nested.as_str(), &many, entities, &long, "", "<a>"] {
            assert!(parse(bad).is_none(), "{}", bad.chars().take(40).collect::<String>());
        }
    }

    #[test]
    fn a_fault_says_why() {
        let text = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">Sender not Authorized</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"#;
        assert_eq!(fault(&parse(text).unwrap()), Some(("Sender not Authorized".into(), true)));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_parsed_or_refused(text in "[<>/a-c!\\[\\]&; =\"\\-]{0,200}") {
            if let Some(document) = parse(&text) {
                let _ = fault(&document);
            }
        }
    }
}
