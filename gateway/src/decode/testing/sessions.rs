//! Sessions of messages, and what comes of each as one line.
use crate::decode::{Decoders, Raw};
use crate::engine::input::{Body, DeviceInfo, Item, Message};

#[derive(serde::Deserialize)]
pub struct Captured {
    pub name: String,
    pub topic: String,
    pub payload: String,
}

pub fn lines(text: &str) -> Vec<Captured> {
    text.lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect()
}

pub fn decoders() -> Decoders {
    Decoders::standard(Vec::new())
}

/// `esphome: +esphome.kitchen "Kitchen" Espressif esp32 (temperature) via x; esphome.kitchen temperature=21.5 online`; `!name: reason` when refused.
pub fn say(decoders: &mut Decoders, topic: &str, payload: &str) -> String {
    say_retained(decoders, topic, payload, false)
}

pub fn say_retained(decoders: &mut Decoders, topic: &str, payload: &str, retained: bool) -> String {
    match decoders.decode(Raw { topic, payload: payload.as_bytes(), retained }) {
        Ok((name, bodies)) => {
            let parts: Vec<String> = bodies.iter().map(body).collect();
            format!("{name}: {}", if parts.is_empty() { "-".to_owned() } else { parts.join("; ") })
        }
        Err(r) => format!("!{}: {}", r.decoder.unwrap_or("nobody"), r.reason),
    }
}

fn body(body: &Body) -> String {
    match body {
        Body::Message(m) => message(m),
        Body::Inventory(list) => list.iter().map(info).collect::<Vec<_>>().join("; "),
        other => panic!("{other:?}"),
    }
}

pub fn message(m: &Message) -> String {
    format!("{} {}{}", m.device, if m.retained { "(retained) " } else { "" }, items(&m.items))
}

pub fn items(items: &[Item]) -> String {
    let word = |item: &Item| match item {
        Item::Reading { quantity, value, channel: 0 } => format!("{}={}", quantity.name(), quantity.exact(*value)),
        Item::Reading { quantity, value, channel } => format!("{}#{channel}={}", quantity.name(), quantity.exact(*value)),
        Item::Unknown { quantity, channel } => format!("{}#{channel}=?", quantity.name()),
        Item::Event { kind, .. } => format!("event:{}", kind.name()),
        Item::Presence(p) => p.name().to_owned(),
    };
    items.iter().map(word).collect::<Vec<_>>().join(" ")
}

pub fn info(i: &DeviceInfo) -> String {
    let id = i.device.as_ref().unwrap();
    if i.removed {
        return format!("-{id}");
    }
    let mut text = format!("+{id}");
    if let Some(name) = &i.name {
        text += &format!(" \"{name}\"");
    }
    for part in [&i.make, &i.model].into_iter().flatten() {
        text += &format!(" {part}");
    }
    if !i.quantities.is_empty() {
        text += &format!(" ({})", i.quantities.iter().map(|q| q.name()).collect::<Vec<_>>().join(" "));
    }
    if let Some(p) = i.period_s {
        text += &format!(" {p}s");
    }
    if let Some(via) = &i.via {
        text += &format!(" via {via}");
    }
    text
}
