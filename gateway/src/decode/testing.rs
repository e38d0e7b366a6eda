//! For the decoders' tests: captured messages, and what became of them in one line.
use super::{Decoded, Decoder, Directory, Raw};
use crate::engine::input::{Body, DeviceInfo, Item};
use std::path::Path;

pub mod sessions;

#[derive(Debug, Clone, serde::Deserialize)]
pub struct Captured {
    pub name: String,
    pub topic: String,
    pub payload: String,
    /// The page that it was taken from, and the version or date.
    pub source: String,
    pub version: String,
    #[serde(default)]
    pub retained: bool,
}

/// All of `tests/fixtures/decode/<convention>/*.jsonl`.
pub fn captured(convention: &str) -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/decode").join(convention);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    let text: String = files.iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

pub fn decode(decoder: &mut dyn Decoder, directory: &mut Directory, topic: &str, payload: &str) -> String {
    summary(decoder.decode(Raw { topic, payload: payload.as_bytes(), retained: false }, directory))
}

/// Decodes every capture, in order, with a decoder of its own or as one session, and compares with `table` (name, summary).
pub fn check(convention: &str, fresh: impl Fn() -> Box<dyn Decoder>, session: bool, table: &[(&str, &str)]) {
    let (mut decoder, mut directory) = (fresh(), Directory::default());
    let mut wrong = String::new();
    let all = captured(convention);
    for c in &all {
        assert!(c.source.starts_with("https://") && !c.version.is_empty(), "{}: every capture names its page and version", c.name);
        if !session {
            (decoder, directory) = (fresh(), Directory::default());
        }
        let raw = Raw { topic: &c.topic, payload: c.payload.as_bytes(), retained: c.retained };
        let got = summary(decoder.decode(raw, &mut directory));
        match table.iter().find(|(name, _)| *name == c.name) {
            Some((_, want)) if *want == got => {}
            _ => wrong.push_str(&format!("        ({:?}, {got:?}),\n", c.name)),
        }
    }
    assert!(wrong.is_empty(), "these are not in the table:\n{wrong}");
    assert_eq!(all.len(), table.len(), "the table holds a name that was not captured, or one twice");
}

/// `+id name="..." make=...; id@time: open=1 temperature.1=21.5 event:test online; -id`.
pub fn summary(decoded: Decoded) -> String {
    match decoded {
        Decoded::NotMine => "not mine".to_owned(),
        Decoded::Malformed(reason) => format!("malformed: {reason}"),
        Decoded::Inputs(bodies) if bodies.is_empty() => "nothing".to_owned(),
        Decoded::Inputs(bodies) => bodies.iter().map(body).collect::<Vec<_>>().join("; "),
    }
}

fn body(body: &Body) -> String {
    match body {
        Body::Inventory(list) => list.iter().map(info).collect::<Vec<_>>().join("; "),
        Body::Message(m) => {
            let time = m.sampled_at.map(|ms| format!("@{ms}")).unwrap_or_default();
            let retained = if m.retained { " (retained)" } else { "" };
            let items: Vec<String> = m.items.iter().map(item).collect();
            format!("{}{time}{retained}: {}", m.device, items.join(" ")).trim_end().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

pub fn item(item: &Item) -> String {
    match item {
        Item::Reading { quantity, channel: 0, value } => format!("{}={}", quantity.name(), quantity.exact(*value)),
        Item::Reading { quantity, channel, value } => format!("{}.{channel}={}", quantity.name(), quantity.exact(*value)),
        Item::Unknown { quantity, channel } => format!("{}.{channel}=?", quantity.name()),
        Item::Event { kind, .. } => format!("event:{}", kind.name()),
        Item::Presence(p) => p.name().to_owned(),
    }
}

fn info(d: &DeviceInfo) -> String {
    let id = d.device.as_ref().unwrap();
    if d.removed {
        return format!("-{id}");
    }
    let mut text = format!("+{id}");
    for (key, value) in [("name", &d.name), ("make", &d.make), ("model", &d.model), ("firmware", &d.firmware)] {
        if let Some(value) = value {
            text.push_str(&format!(" {key}={value:?}"));
        }
    }
    if let Some(s) = d.period_s {
        text.push_str(&format!(" period={s}"));
    }
    if !d.quantities.is_empty() {
        text.push_str(&format!(" [{}]", d.quantities.iter().map(|q| q.name()).collect::<Vec<_>>().join(",")));
    }
    if let Some(via) = &d.via {
        text.push_str(&format!(" via={via}"));
    }
    text
}
