//! One fuzz target for each decoder: a session of messages made of the decoder's captured fixtures, each changed here and there.
//!
//! `cargo test` runs every target on random bytes (proptest, so a failure shrinks and stays in `proptest-regressions/`); `gateway/fuzz` runs the
//! same function guided by coverage (`cargo +nightly fuzz run tasmota`). A new decoder: its folder of fixtures and a line at the end of this file.
use crate::decode::mapping::Mapping;
use crate::decode::{Decoded, Decoder, Directory, MAX_ITEMS, Raw};
use crate::engine::input::{Body, Item};
use std::path::PathBuf;

/// Messages of one session at most.
const MESSAGES: usize = 8;
/// Changes to one message at most.
const CHANGES: u8 = 6;

/// What breaks parsers, in place of a number, a word or a level.
const NASTY: [&str; 20] = [
    "",
    "null",
    "{}",
    "[]",
    "\"\"",
    "-1",
    "-0",
    "1e99",
    "1E-400",
    "99999999999999999999",
    "9007199254740993",
    "NaN",
    "true",
    "\"\\u0000\"",
    "/",
    "+",
    "#",
    "\u{fffd}",
    "~1",
    "1970-01-01T00:00:00",
];

/// A captured message.
struct Seed {
    topic: String,
    payload: Vec<u8>,
}

/// The fixtures `tests/fixtures/decode/<convention>/*.jsonl`, in order of their files' names.
fn fixtures(convention: &str) -> Vec<Seed> {
    #[derive(serde::Deserialize)]
    struct Line {
        topic: String,
        payload: String,
    }
    files(&format!("gateway/tests/fixtures/decode/{convention}"), "jsonl")
        .iter()
        .flat_map(|p| std::fs::read_to_string(p).unwrap().lines().map(|l| serde_json::from_str::<Line>(l).unwrap()).collect::<Vec<_>>())
        .map(|l| Seed { topic: l.topic, payload: l.payload.into_bytes() })
        .collect()
}

/// The protocol's golden messages.
fn golden() -> Vec<Seed> {
    let topic = |p: &PathBuf| {
        let kind = p.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().replace("will", "status");
        format!("tuoan/v1/xingyuan/{}/{kind}", if kind == "telemetry" { "th-1" } else { "sos-1" })
    };
    let json = files("protocol/tests/golden", "json").into_iter().map(|p| Seed { topic: topic(&p), payload: std::fs::read(p).unwrap() });
    let cbor = files("protocol/tests/golden", "hex").into_iter().map(|p| {
        let text = std::fs::read_to_string(&p).unwrap();
        let digits = text.trim().as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        Seed { topic: topic(&p), payload: digits.map(|d| u8::from_str_radix(d, 16).unwrap()).collect() }
    });
    json.chain(cbor).collect()
}

/// Files of one kind in a folder of the repository, sorted.
fn files(folder: &str, kind: &str) -> Vec<PathBuf> {
    // Compiled in `gateway` for the tests, in `gateway/fuzz` for the fuzzer.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|p| p.join("protocol").is_dir()).unwrap();
    let mut found: Vec<PathBuf> = std::fs::read_dir(root.join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == kind));
    found.sort();
    found
}

/// Takes what the session is made of out of the fuzzer's bytes; zeros when they are used up.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }
    /// Below `n`, which may be 0.
    fn below(&mut self, n: usize) -> usize {
        let at = usize::from(self.byte()) << 8 | usize::from(self.byte());
        at.checked_rem(n).unwrap_or(0)
    }
}

fn change(bytes: &mut Bytes<'_>, text: &mut Vec<u8>, seeds: &[Seed]) {
    let at = bytes.below(text.len() + 1);
    let end = (at + usize::from(bytes.byte())).min(text.len());
    match bytes.byte() % 8 {
        0 => text.truncate(at),
        1 => drop(text.drain(at..end)),
        2 => text.insert(at, bytes.byte()),
        3 => {
            let copy = text[at..end].to_vec();
            text.splice(at..at, copy);
        }
        4 => {
            let other = &seeds[bytes.below(seeds.len())].payload;
            let from = bytes.below(other.len() + 1);
            let to = (from + usize::from(bytes.byte())).min(other.len());
            text.splice(at..end, other[from..to].iter().copied());
        }
        // The token (a number, a word) that stands here.
        5 | 6 => {
            let inside = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            let start = text[..at].iter().rposition(|b| !inside(b)).map_or(0, |p| p + 1);
            let stop = text[at..].iter().position(|b| !inside(b)).map_or(text.len(), |p| at + p);
            text.splice(start..stop, NASTY[bytes.below(NASTY.len())].bytes());
        }
        _ => {
            if let Some(b) = text.get_mut(at) {
                *b = bytes.byte();
            }
        }
    }
}

/// Plays the session that `data` describes. Panics where the decoder breaks its contract.
fn session(decoder: &mut dyn Decoder, seeds: &[Seed], data: &[u8]) {
    let (mut bytes, mut directory) = (Bytes(data), Directory::default());
    for _ in 0..MESSAGES {
        let first = &seeds[bytes.below(seeds.len())];
        let (mut topic, mut payload, retained) = (first.topic.clone().into_bytes(), first.payload.clone(), bytes.byte() % 2 == 1);
        for _ in 0..bytes.byte() % (CHANGES + 1) {
            let text = if bytes.byte().is_multiple_of(4) { &mut topic } else { &mut payload };
            change(&mut bytes, text, seeds);
        }
        match decoder.decode(Raw { topic: &String::from_utf8_lossy(&topic), payload: &payload, retained }, &mut directory) {
            Decoded::NotMine => {}
            Decoded::Malformed(reason) => assert!(!reason.is_empty() && reason.len() < 1000, "{reason:?}"),
            Decoded::Inputs(bodies) => check(decoder.prefix(), &bodies, retained),
        }
        if bytes.0.is_empty() {
            break;
        }
    }
}

fn check(prefix: &str, bodies: &[Body], retained: bool) {
    for body in bodies {
        match body {
            Body::Message(m) => {
                assert!(m.device.as_str().starts_with(prefix), "{}", m.device);
                // Twice, for what was said under a provisional id is said again.
                assert!(m.items.len() <= 2 * MAX_ITEMS, "{} items", m.items.len());
                assert!(m.retained || !retained, "what was retained must not become news");
                assert!(m.boot.is_some() || m.seq.is_none(), "a seq without its boot");
                for item in &m.items {
                    if let Item::Reading { quantity, value, .. } = item {
                        assert_eq!(quantity.checked(*value), Ok(*value), "{}", quantity.name());
                    }
                }
            }
            Body::Inventory(list) => assert!(list.iter().all(|d| d.device.is_some()), "a device without its id"),
            other => panic!("a decoder does not say {other:?}"),
        }
    }
}

/// A mapping with everything that one can hold.
fn mapping() -> Mapping {
    let toml = r#"
        name = "kit"
        topic = "+/{device}/#"
        device = "kit.{device}"
        time = { pointer = "/last_seen", unit = "iso8601" }
        seq = "/linkquality"
        boot = "/battery"
        readings = [
          { pointer = "/temperature", quantity = "temperature", unit = "°F" },
          { pointer = "/list/1/x", quantity = "smoke" },
          { pointer = "/contact", quantity = "open", invert = true },
          { pointer = "", quantity = "uv_lamp" },
        ]
    "#;
    Mapping::compile(toml::from_str(toml).unwrap()).unwrap()
}

/// Home Assistant discovery beside a convention whose topics it may describe and not read.
#[derive(Default)]
struct Discovery(crate::decode::homeassistant::HomeAssistant, crate::decode::esphome::Esphome);

impl Decoder for Discovery {
    fn name(&self) -> &'static str {
        "homeassistant"
    }
    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded {
        match self.0.decode(raw, directory, &|topic| self.1.owner(topic)) {
            Decoded::NotMine => self.1.decode(raw, directory),
            decoded => decoded,
        }
    }
}

/// `name: decoder, seeds`. Each is a function for `gateway/fuzz`, and a test.
macro_rules! targets {
    ($($name:ident: $decoder:expr, $seeds:expr;)*) => {
        $(pub fn $name(data: &[u8]) {
            static SEEDS: std::sync::OnceLock<Vec<Seed>> = std::sync::OnceLock::new();
            session(&mut $decoder, SEEDS.get_or_init(|| $seeds), data);
        })*
        #[cfg(test)]
        mod tests {
            use proptest::prelude::*;
            $(proptest! {
                #[test]
                fn $name(data in prop::collection::vec(any::<u8>(), 0..300)) {
                    super::$name(&data);
                }
            })*
        }
    };
}

targets! {
    discovery: Discovery::default(), fixtures("homeassistant").into_iter().chain(fixtures("esphome")).collect();
    esphome: crate::decode::esphome::Esphome::default(), fixtures("esphome");
    native: crate::decode::native::Native::default(), golden();
    mapping_of_anything: mapping(), fixtures("zigbee2mqtt");
    hikvision: crate::decode::hikvision::Hikvision::default(), fixtures("hikvision");
    frigate: crate::decode::frigate::Frigate::default(), fixtures("frigate");
    onvif: crate::decode::onvif::Onvif::default(), fixtures("onvif");
    pulse: crate::decode::pulse::Pulse::default(), fixtures("pulse");
    shelly: crate::decode::shelly::Shelly::default(), fixtures("shelly");
    tasmota: crate::decode::tasmota::Tasmota::default(), fixtures("tasmota");
    zigbee2mqtt: crate::decode::zigbee2mqtt::Zigbee2Mqtt::default(), fixtures("zigbee2mqtt");
}
