//! Messages on announced topics.
use super::config::{Match, Use};
use super::registry::{Speaks, bridge_of};
use super::template::{Rendered, Template};
use super::{BTreeMap, BTreeSet, Body, Decoded, DeviceId, Directory, HomeAssistant, MAX_ITEMS, Message, Raw, claimed};
use crate::decode::meaning::{self, Meaning};
use crate::decode::scalar::Scalar;
use crate::engine::input::Item;
use serde_json::Value as Json;
use tuoan_protocol::{EventKind, Fixed, Presence, Quantity};

/// Longest payload that is read.
const MAX_PAYLOAD: usize = 16 << 10;

/// A payload, and what it holds if it is JSON.
struct Payload<'a> {
    text: &'a str,
    json: Option<Json>,
}

impl Payload<'_> {
    fn render(&self, template: Option<&Template>) -> Result<Option<String>, String> {
        match template {
            None => Ok(Some(self.text.trim().to_owned()).filter(|t| !t.is_empty())),
            Some(t) => match t.render(self.text, self.json.as_ref())? {
                Rendered::Text(text) => Ok(Some(text)),
                Rendered::Nothing => Ok(None),
            },
        }
    }
}

impl HomeAssistant {
    pub(super) fn state(&mut self, raw: Raw<'_>, directory: &Directory) -> Decoded {
        let keys: Vec<String> = self.registry.on(raw.topic).map(str::to_owned).collect();
        let ours = |k: &String| matches!(self.registry.entities.get(k), Some(e) if matches!(e.speaks, Speaks::For(_) | Speaks::Refused(_)));
        if !keys.iter().any(ours) {
            return Decoded::NotMine;
        }
        let mut bodies = Vec::new();
        let mut wrong: Option<String> = None;
        let (mut items, mut present) = (BTreeMap::<DeviceId, Vec<Item>>::new(), BTreeSet::new());
        let payload = read(raw.payload);
        for key in &keys {
            let Some(registered) = self.registry.entities.get_mut(key) else { continue };
            // The device has been heard in its own convention since.
            if let Speaks::For(ghost) = &registered.speaks
                && let Some(real) = claimed(&registered.described, directory)
            {
                let ghost = ghost.clone();
                registered.speaks = Speaks::Refused(real);
                self.registry.leave(key, &ghost, &mut bodies);
            }
            let Some(registered) = self.registry.entities.get(key) else { continue };
            let id = match &registered.speaks {
                Speaks::For(id) => id,
                Speaks::Refused(real) => {
                    if registered.entity.uses.iter().any(|u| u.meaning.is_some() && super::registry::same_topic(&u.topic, raw.topic)) {
                        wrong = wrong.or(Some(format!(
                            "discovery announces this topic for {real}, which speaks for itself elsewhere; take the discovery message away, or give the entity a device of its own"
                        )));
                    }
                    continue;
                }
                Speaks::Describes(_) | Speaks::Nothing => continue,
            };
            let availability = registered.entity.availability.iter().filter(|a| a.topic == raw.topic);
            let uses = registered.entity.uses.iter().filter(|u| u.meaning.is_some() && super::registry::same_topic(&u.topic, raw.topic));
            let payload = match &payload {
                Ok(payload) => payload,
                Err(reason) => {
                    if uses.count() + availability.count() > 0 {
                        wrong = wrong.or(Some(reason.clone()));
                    }
                    continue;
                }
            };
            for a in availability {
                match payload.render(a.template.as_ref()) {
                    Ok(Some(text)) => {
                        let yes = said(&text, &a.available);
                        if (yes || said(&text, &a.not_available))
                            && let Some(device) = self.registry.devices.get_mut(id)
                        {
                            device.available.insert(raw.topic.to_owned(), yes);
                            present.insert(id.clone());
                        }
                    }
                    Ok(None) => {}
                    Err(e) => wrong = wrong.or(Some(format!("availability: {e}"))),
                }
            }
            for u in uses {
                if let Some(problem) = &u.problem {
                    wrong = wrong.or(Some(problem.clone()));
                    continue;
                }
                let device = self.registry.devices.get(id);
                let channel =
                    u.meaning.as_ref().and_then(Meaning::quantity).and_then(|q| Some(device?.channel(q, &registered.entity.unique)));
                match value(u, channel.unwrap_or(0), payload) {
                    Ok(Some(item)) => {
                        let list = items.entry(id.clone()).or_default();
                        if list.len() < MAX_ITEMS && !list.iter().any(|old| *old == item || same_place(old, &item)) {
                            let over = item.clone();
                            list.push(item);
                            if u.momentary
                                && let Item::Reading { quantity: Quantity::Motion | Quantity::Vibration, value, .. } = &over
                                && *value == Fixed(1)
                            {
                                list.push(ended(over));
                            }
                        }
                    }
                    Ok(None) => {}
                    Err(e) => wrong = wrong.or(Some(format!("{}: {e}", registered.entity.unique))),
                }
            }
        }
        self.presences(raw.topic, present, &mut items);
        if items.is_empty() && bodies.is_empty() {
            return wrong.map_or(Decoded::Inputs(Vec::new()), Decoded::Malformed);
        }
        let message = |(device, items)| Message { device, boot: None, seq: None, sampled_at: None, retained: raw.retained, items };
        bodies.extend(items.into_iter().map(message).map(Body::Message));
        Decoded::Inputs(bodies)
    }

    /// What an availability topic says: of one device, of itself; of several, of what they are heard through, since a bridge that comes back is
    /// no sign of life of each device behind it.
    fn presences(&self, topic: &str, devices: BTreeSet<DeviceId>, items: &mut BTreeMap<DeviceId, Vec<Item>>) {
        for id in devices {
            // One that is of no use otherwise was not told of.
            let Some(device) = self.registry.devices.get(&id).filter(|d| d.told.is_some()) else { continue };
            let (who, there) = if self.registry.is_shared(topic, &id) {
                let via = device.told.as_ref().and_then(|info| info.via.clone()).or_else(|| bridge_of(topic));
                // Of another convention: its own decoder says that.
                let Some(via) = via.filter(|v| v.as_str().starts_with(super::PREFIX)) else { continue };
                (via, device.available.get(topic).copied())
            } else {
                let there = self.registry.present(&id, topic);
                (id, there)
            };
            let Some(there) = there else { continue };
            let list = items.entry(who).or_default();
            if !list.iter().any(|i| matches!(i, Item::Presence(_))) {
                list.push(Item::Presence(if there { Presence::Online } else { Presence::Offline }));
            }
        }
    }
}

/// The same reading, as 0.
fn ended(item: Item) -> Item {
    match item {
        Item::Reading { quantity, channel, .. } => Item::Reading { quantity, channel, value: Fixed(0) },
        other => other,
    }
}

fn read(payload: &[u8]) -> Result<Payload<'_>, String> {
    if payload.len() > MAX_PAYLOAD {
        return Err(format!("the payload is longer than {MAX_PAYLOAD} bytes"));
    }
    let text = std::str::from_utf8(payload).map_err(|_| "the payload is not UTF-8".to_owned())?;
    Ok(Payload { text, json: serde_json::from_str(text).ok() })
}

fn said(text: &str, word: &str) -> bool {
    text == word || text.eq_ignore_ascii_case(word)
}

/// What Home Assistant itself writes for a value that is not known.
fn is_unknown(text: &str) -> bool {
    ["none", "unknown", "unavailable", "null", "n/a", "nan"].iter().any(|w| text.eq_ignore_ascii_case(w))
}

fn same_place(a: &Item, b: &Item) -> bool {
    matches!((a, b), (Item::Reading { quantity: q, channel: c, .. }, Item::Reading { quantity: p, channel: d, .. }) if q == p && c == d)
}

fn value(u: &Use, channel: u8, payload: &Payload<'_>) -> Result<Option<Item>, String> {
    let (Some(meaning), Some(text)) = (&u.meaning, payload.render(u.template.as_ref())?) else { return Ok(None) };
    let event = |kind: &EventKind| Ok(Some(Item::Event { kind: kind.clone(), command: None }));
    let on = match (&u.match_on, meaning) {
        (Match::Trigger(wanted), Meaning::Event(kind)) => {
            return if wanted.as_ref().is_none_or(|w| *w == text) { event(kind) } else { Ok(None) };
        }
        (Match::EventType, _) => {
            let json: Option<Json> = serde_json::from_str(&text).ok();
            let name = json.as_ref().and_then(|j| j.get("event_type")).and_then(Json::as_str);
            let Some(name) = name.filter(|n| !n.is_empty()) else { return Err("an event must be JSON with `event_type`".to_owned()) };
            return event(&meaning::press(name));
        }
        (_, Meaning::Number(quantity, conversion)) => {
            if is_unknown(&text) {
                return Ok(None);
            }
            let value = conversion.apply(quantity, &text).map_err(|e| format!("{e} (`{}`)", text.chars().take(40).collect::<String>()))?;
            return Ok(Some(Item::Reading { quantity: quantity.clone(), channel, value }));
        }
        (Match::Position, _) => {
            let json: Option<Json> = serde_json::from_str(&text).ok();
            let position = json.as_ref().and_then(|j| j.get("position").or(Some(j))).and_then(Json::as_f64);
            position.map(|p| p > 0.0)
        }
        (Match::Words { on, off }, _) => words(&text, on, off),
        (Match::Trigger(_), _) => None,
    };
    // Any other word is no state: taken for off it would silence a detector.
    let on = match on {
        Some(on) => on,
        None if is_unknown(&text) => return Ok(None),
        None => {
            // A bare JSON object on a topic of lamps.
            let state = payload.json.as_ref().and_then(|j| j.get("state")).and_then(Json::as_str);
            match (state, &u.match_on) {
                (Some(state), Match::Words { on, off }) => words(state, on, off),
                _ => None,
            }
            .ok_or_else(|| format!("`{}` is neither on nor off", text.chars().take(40).collect::<String>()))?
        }
    };
    match meaning {
        Meaning::State(quantity, invert) => {
            Ok(Some(Item::Reading { quantity: quantity.clone(), channel, value: Fixed(i64::from(on != *invert)) }))
        }
        Meaning::Event(kind) if on => event(kind),
        Meaning::Event(_) | Meaning::Number(..) => Ok(None),
    }
}

fn words(text: &str, on: &[String], off: &[String]) -> Option<bool> {
    if on.iter().any(|w| w == text) {
        return Some(true);
    }
    if off.iter().any(|w| w == text) {
        return Some(false);
    }
    let like = |list: &[String]| list.iter().any(|w| w.eq_ignore_ascii_case(text));
    match (like(on), like(off)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        // `true` where the announcement says ON, and the other way about.
        _ if on.iter().any(|w| Scalar::of(w).state() == Some(true)) && off.iter().any(|w| Scalar::of(w).state() == Some(false)) => {
            Scalar::Text(text.into()).state()
        }
        _ => None,
    }
}
