//! `tuoan decode`: what becomes of recorded messages, line by line, as one session.
use super::{Decoders, Raw};
use crate::engine::input::{Body, DeviceInfo, Item};
use base64::Engine;
use serde::Serialize;
use serde_json::value::RawValue;
use std::io::{self, BufRead, Read, Write};
use tuoan_protocol::{Fixed, Quantity};

/// Longest line, in bytes; `bridge/devices` of a large site has a few hundred KiB.
const MAX_LINE: u64 = 8 << 20;

/// How many lines fared how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub understood: usize,
    /// Well-formed lines whose message would go to the quarantine.
    pub rejected: usize,
    /// Lines that are no message.
    pub bad: usize,
}

/// `{"topic":"t","payload":"text"}`, where any other JSON value stands for its own text and `null` for no payload, or `payload_base64`.
#[derive(serde::Deserialize)]
struct Line<'a> {
    topic: String,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    payload_base64: Option<String>,
    #[serde(default)]
    retained: bool,
}

impl Line<'_> {
    fn payload(&self) -> Result<Vec<u8>, String> {
        match (self.payload, &self.payload_base64) {
            (Some(_), Some(_)) => Err("`payload` and `payload_base64` exclude each other".to_owned()),
            (None, Some(text)) => {
                base64::engine::general_purpose::STANDARD.decode(text).map_err(|e| format!("`payload_base64` is no base64: {e}"))
            }
            (Some(raw), None) if raw.get().starts_with('"') => {
                serde_json::from_str::<String>(raw.get()).map(String::into_bytes).map_err(|e| format!("`payload`: {e}"))
            }
            (Some(raw), None) => Ok(raw.get().as_bytes().to_vec()),
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// What became of one line.
#[derive(Serialize, Default)]
struct Outcome {
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    decoder: Option<&'static str>,
    readings: Vec<ReadingOut>,
    events: Vec<EventOut>,
    presence: Vec<PresenceOut>,
    inventory: Vec<DeviceInfo>,
    /// Why the message is not understood, or the line is no message.
    reason: Option<String>,
}

#[derive(Serialize)]
struct ReadingOut {
    device: String,
    quantity: String,
    channel: u8,
    /// Exact; a state is 0 or 1.
    value: Box<RawValue>,
    unit: &'static str,
    /// UTC milliseconds by the device's clock, where it has one.
    sampled_at: Option<i64>,
}

#[derive(Serialize)]
struct EventOut {
    device: String,
    kind: String,
}

#[derive(Serialize)]
struct PresenceOut {
    device: String,
    presence: String,
}

/// Puts every line of `input` through `decoders`, in order, and prints what became of it; a line that is no message is named and passed over.
///
/// # Errors
/// Reading or writing fails.
pub fn run(mut input: impl BufRead, decoders: &mut Decoders, json: bool, out: &mut impl Write) -> io::Result<Count> {
    let (mut count, mut number, mut line) = (Count::default(), 0, Vec::new());
    loop {
        line.clear();
        let read = input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(count);
        }
        number += 1;
        let mut outcome = if read as u64 > MAX_LINE {
            // The rest of it is not another line.
            while input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? > 0 && line.last() != Some(&b'\n') {
                line.clear();
            }
            bad(format!("the line is longer than {MAX_LINE} bytes"), &mut count)
        } else {
            let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
            if text.is_empty() {
                continue;
            }
            one(text, decoders, &mut count)
        };
        outcome.line = number;
        if json {
            serde_json::to_writer(&mut *out, &outcome)?;
            writeln!(out)?;
        } else {
            print(&outcome, out)?;
        }
    }
}

fn bad(reason: String, count: &mut Count) -> Outcome {
    count.bad += 1;
    Outcome { reason: Some(reason), ..Outcome::default() }
}

fn one(text: &[u8], decoders: &mut Decoders, count: &mut Count) -> Outcome {
    let line: Line<'_> = match serde_json::from_slice(text) {
        Ok(line) => line,
        Err(e) => return bad(format!("no message: {e}; write {{\"topic\":\"...\",\"payload\":\"...\"}}"), count),
    };
    let payload = match line.payload() {
        Ok(payload) => payload,
        Err(e) => return bad(format!("no message: {e}"), count),
    };
    let mut outcome = Outcome::default();
    match decoders.decode(Raw { topic: &line.topic, payload: &payload, retained: line.retained }) {
        Ok((decoder, bodies)) => {
            count.understood += 1;
            outcome.decoder = Some(decoder);
            bodies.into_iter().for_each(|body| outcome.add(body));
        }
        Err(rejected) => {
            count.rejected += 1;
            outcome.decoder = rejected.decoder;
            outcome.reason = Some(rejected.reason);
        }
    }
    outcome.topic = Some(line.topic);
    outcome
}

impl Outcome {
    fn add(&mut self, body: Body) {
        match body {
            Body::Inventory(list) => self.inventory.extend(list),
            Body::Message(m) => {
                let device = m.device.as_str();
                for item in m.items {
                    match item {
                        Item::Reading { quantity, channel, value } => self.readings.push(ReadingOut {
                            device: device.to_owned(),
                            channel,
                            value: exact(&quantity, value),
                            unit: quantity.unit(),
                            quantity: quantity.name().to_owned(),
                            sampled_at: m.sampled_at,
                        }),
                        // No convention says that of a device.
                        Item::Unknown { .. } => {}
                        Item::Event { kind, .. } => self.events.push(EventOut { device: device.to_owned(), kind: kind.name().to_owned() }),
                        Item::Presence(p) => self.presence.push(PresenceOut { device: device.to_owned(), presence: p.name().to_owned() }),
                    }
                }
            }
            // Decoders give no others.
            Body::Configure(_) | Body::Started { .. } | Body::Clock { .. } | Body::Command(_) => {}
        }
    }
}

fn exact(quantity: &Quantity, value: Fixed) -> Box<RawValue> {
    // A decimal number is JSON.
    RawValue::from_string(quantity.exact(value).to_string()).unwrap_or_default()
}

/// `  3  tasmota  tele/x/SENSOR`, and below it a line for each thing that was said.
fn print(o: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let topic = printable(o.topic.as_deref().unwrap_or("-"));
    writeln!(out, "{:>5}  {:<13} {topic}", o.line, o.decoder.unwrap_or("-"))?;
    if let Some(reason) = &o.reason {
        return writeln!(out, "         not understood: {}", printable(reason));
    }
    for d in &o.inventory {
        writeln!(out, "         {}", describe(d))?;
    }
    for r in &o.readings {
        let channel = if r.channel == 0 { String::new() } else { format!(" #{}", r.channel) };
        let unit = if matches!(r.unit, "" | "1" | "bool") { String::new() } else { format!(" {}", r.unit) };
        writeln!(out, "         {}  {}{channel} = {}{unit}", r.device, r.quantity, r.value)?;
    }
    for e in &o.events {
        writeln!(out, "         {}  event {}", e.device, e.kind)?;
    }
    for p in &o.presence {
        writeln!(out, "         {}  {}", p.device, p.presence)?;
    }
    if o.inventory.is_empty() && o.readings.is_empty() && o.events.is_empty() && o.presence.is_empty() {
        writeln!(out, "         understood; nothing in it for the engine")?;
    }
    Ok(())
}

fn describe(d: &DeviceInfo) -> String {
    let id = d.device.as_ref().map_or("-", |id| id.as_str());
    if d.removed {
        return format!("{id}  removed");
    }
    let mut text = format!("{id}  device");
    for (key, value) in [("name", &d.name), ("make", &d.make), ("model", &d.model), ("firmware", &d.firmware)] {
        if let Some(value) = value {
            text.push_str(&format!(", {key} {}", printable(value)));
        }
    }
    if let Some(s) = d.period_s {
        text.push_str(&format!(", every {s} s"));
    }
    if let Some(via) = &d.via {
        text.push_str(&format!(", via {via}"));
    }
    if !d.quantities.is_empty() {
        text.push_str(&format!(", measures {}", d.quantities.iter().map(Quantity::name).collect::<Vec<_>>().join(" ")));
    }
    text
}

/// A stranger's text: what moves the cursor or turns the reading direction round must not reach the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}') {
                '\u{FFFD}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = concat!(
        "{\"topic\":\"tele/hall/SENSOR\",\"payload\":{\"DS18B20\":{\"Temperature\":21.50}}}\n",
        "\n",
        "{\"topic\":\"tele/hall/LWT\",\"payload\":\"Offline\",\"retained\":true}\n",
        "{\"topic\":\"tele/hall/LWT\",\"payload_base64\":\"T25saW5l\"}\n",
        "not json\n",
        "{\"topic\":\"tele/hall/SENSOR\",\"payload\":\"{\"}\n",
        "{\"topic\":\"nobody/knows\",\"payload\":null}\n",
        "{\"topic\":\"a\",\"payload\":1,\"payload_base64\":\"\"}",
    );

    fn play(json: bool) -> (String, Count) {
        let mut out = Vec::new();
        let count = run(SESSION.as_bytes(), &mut Decoders::standard(Vec::new()), json, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), count)
    }

    #[test]
    fn says_what_becomes_of_each_line() {
        let (text, count) = play(false);
        assert_eq!(count, Count { understood: 3, rejected: 2, bad: 2 });
        for part in [
            "    1  tasmota       tele/hall/SENSOR\n         tasmota.hall  temperature = 21.5 °C\n",
            "    3  tasmota       tele/hall/LWT\n         tasmota.hall  offline\n",
            "    4  tasmota       tele/hall/LWT\n         tasmota.hall  online\n",
            "    5  -             -\n         not understood: no message: ",
            "    6  tasmota       tele/hall/SENSOR\n         not understood: the payload is not JSON",
            "    7  -             nobody/knows\n         not understood: no decoder knows this topic",
            "    8  -             -\n         not understood: no message: `payload` and `payload_base64` exclude each other",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn json_is_for_machines() {
        let (text, _) = play(true);
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines[0]["readings"][0]["value"], serde_json::json!(21.5));
        assert_eq!(lines[0]["readings"][0]["unit"], "°C");
        assert_eq!(lines[1]["presence"][0], serde_json::json!({"device":"tasmota.hall","presence":"offline"}));
        assert_eq!((lines[3]["line"].as_u64(), lines[3]["topic"].is_null(), lines[3]["reason"].is_string()), (Some(5), true, true));
    }
}
