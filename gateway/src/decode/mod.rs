//! Bytes of any convention -> engine inputs. One file per convention and one line in [`Decoders::standard`].
use crate::engine::ESTIMATE_PREFIX;
use crate::engine::input::{Body, DeviceInfo};
use std::collections::BTreeSet;
use tuoan_protocol::DeviceId;

pub mod mapping;
pub mod native;
mod scalar;
mod units;
pub mod zigbee2mqtt;

/// A message as a decoder sees it.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    pub topic: &'a str,
    pub payload: &'a [u8],
    pub retained: bool,
}

/// What a decoder says of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// Not of this convention: ask the next decoder.
    NotMine,
    /// Understood. Empty when there is nothing in it that the engine needs (a log line of a bridge).
    Inputs(Vec<Body>),
    /// Of this convention, and wrong: to the quarantine with this reason (names the field and the fix).
    Malformed(String),
}

/// One convention. May keep a registry (what a bridge announced), which must be bounded.
pub trait Decoder: Send {
    /// Short name, shown in the quarantine and by `tuoan decode`.
    fn name(&self) -> &'static str;
    fn decode(&mut self, raw: Raw<'_>) -> Decoded;
    /// What earlier runs put into the inventory, so that a device keeps its id before its bridge has spoken again.
    fn learn(&mut self, inventory: &[DeviceInfo]) {
        let _ = inventory;
    }
}

/// Native devices remembered at most.
const MAX_NATIVE: usize = 4096;

/// All decoders, asked in order.
///
/// What must hold: a mapping makes device ids out of topics that others may write to, so it must not speak for a device of another convention:
/// whoever may publish a room's temperature could otherwise report that the smoke is gone.
pub struct Decoders {
    list: Vec<Box<dyn Decoder>>,
    /// Devices that have spoken natively since the start.
    native: BTreeSet<DeviceId>,
}

impl Decoders {
    /// The built-in conventions, then the site's mapping files.
    pub fn standard(mappings: Vec<mapping::Mapping>) -> Decoders {
        let mut list: Vec<Box<dyn Decoder>> = vec![Box::new(native::Native::default()), Box::new(zigbee2mqtt::Zigbee2Mqtt::default())];
        list.extend(mappings.into_iter().map(|m| Box::new(m) as Box<dyn Decoder>));
        Decoders { list, native: BTreeSet::new() }
    }
    /// To be called once at start with every device the engine knows (the id alone, where nothing else is known).
    pub fn learn(&mut self, inventory: &[DeviceInfo]) {
        self.list.iter_mut().for_each(|d| d.learn(inventory));
    }
    /// The first decoder that takes it and what it says; `Err` with a reason when none does or it is malformed.
    pub fn decode(&mut self, raw: Raw<'_>) -> Result<(&'static str, Vec<Body>), Rejected> {
        for d in &mut self.list {
            match d.decode(raw) {
                Decoded::NotMine => continue,
                Decoded::Inputs(bodies) => {
                    let name = d.name();
                    return match self.whose(name, &bodies) {
                        Ok(()) => Ok((name, bodies)),
                        Err(reason) => Err(Rejected { decoder: Some(name), reason }),
                    };
                }
                Decoded::Malformed(reason) => return Err(Rejected { decoder: Some(d.name()), reason }),
            }
        }
        Err(Rejected { decoder: None, reason: "no decoder knows this topic; describe it in a mapping file ([[mapping]])".to_owned() })
    }
}

impl Decoders {
    /// Remembers who speaks natively, and refuses what a mapping says in the name of such a device or of a bridge's.
    fn whose(&mut self, decoder: &str, bodies: &[Body]) -> Result<(), String> {
        let inventory = bodies.iter().filter_map(|body| if let Body::Inventory(list) = body { Some(list) } else { None }).flatten();
        if let Some(device) = inventory.filter_map(|i| i.device.as_ref()).find(|d| d.as_str().starts_with(ESTIMATE_PREFIX)) {
            return Err(format!("the device {device} is the gateway's own estimate; give the device another id"));
        }
        let messages = bodies.iter().filter_map(|body| match body {
            Body::Message(m) => Some(&m.device),
            _ => None,
        });
        for device in messages {
            match decoder {
                _ if device.as_str().starts_with(ESTIMATE_PREFIX) => {
                    return Err(format!("the device {device} is the gateway's own estimate; give the device another id"));
                }
                native::NAME if !self.native.contains(device) && self.native.len() < MAX_NATIVE => {
                    self.native.insert(device.clone());
                }
                mapping::NAME if self.native.contains(device) || device.as_str().starts_with(zigbee2mqtt::PREFIX) => {
                    return Err(format!(
                        "the device {device} is not the mapping's to speak for; give the mapping's `device` a prefix of its own"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Why a message goes to the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub decoder: Option<&'static str>,
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all() -> Decoders {
        let toml = r#"
            name = "kit"
            topic = "kit/{device}/#"
            device = "{device}"
            time = { pointer = "/ts", unit = "iso8601" }
            seq = "/seq"
            boot = "/boot"
            readings = [
              { pointer = "/t", quantity = "temperature", unit = "°F" },
              { pointer = "/list/1/x", quantity = "smoke" },
              { pointer = "", quantity = "open" },
            ]
        "#;
        Decoders::standard(vec![mapping::Mapping::compile(toml::from_str(toml).unwrap()).unwrap()])
    }

    #[test]
    fn the_first_decoder_that_knows_the_topic_takes_it() {
        let raw = |topic, payload| Raw { topic, payload, retained: false };
        assert_eq!(all().decode(raw("kit/a/b", br#"{"t":50}"#)).unwrap().0, "mapping");
        assert_eq!(all().decode(raw("zigbee2mqtt/a", b"{}")).unwrap().0, "zigbee2mqtt");
        assert_eq!(all().decode(raw("tuoan/v1/s/d/telemetry", b"{")).unwrap_err().decoder, Some("native"));
        let unknown = all().decode(raw("elsewhere", b"{}")).unwrap_err();
        assert!(unknown.decoder.is_none() && unknown.reason.contains("[[mapping]]"), "{unknown:?}");
    }

    #[test]
    fn a_mapping_does_not_speak_for_another_convention_s_device() {
        let mut decoders = all();
        let raw = |topic, payload| Raw { topic, payload, retained: false };
        let event = br#"{"v":1,"site":"s","device":"smoke-1","boot":1,"seq":1,"uptime":1,"kind":"test"}"#;
        assert_eq!(decoders.decode(raw("tuoan/v1/s/smoke-1/event", event)).unwrap().0, "native");
        for topic in ["kit/smoke-1/x", "kit/z2m.0x00158d0000000001/x"] {
            let refused = decoders.decode(raw(topic, br#"{"list":[0,{"x":false}]}"#)).unwrap_err();
            assert!(refused.reason.contains("prefix"), "{refused:?}");
        }
        assert!(decoders.decode(raw("kit/smoke-2/x", br#"{"list":[0,{"x":false}]}"#)).is_ok());
    }

    #[test]
    fn nobody_speaks_for_the_gateway_s_own_estimates() {
        let mut decoders = all();
        let raw = |topic, payload| Raw { topic, payload, retained: false };
        let event = br#"{"v":1,"site":"s","device":"estimate.nap","boot":1,"seq":1,"uptime":1,"kind":"test"}"#;
        let birth = br#"{"v":1,"site":"s","device":"estimate.nap","presence":"online","make":"x"}"#;
        for (topic, payload) in [
            ("tuoan/v1/s/estimate.nap/event", &event[..]),
            ("tuoan/v1/s/estimate.nap/status", birth),
            ("kit/estimate.nap/x", br#"{"list":[0,{"x":false}]}"#),
        ] {
            let refused = decoders.decode(raw(topic, payload)).unwrap_err();
            assert!(refused.reason.contains("own estimate"), "{refused:?}");
        }
    }

    fn topic() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,40}",
            "(tuoan/v1/s/d|zigbee2mqtt|zigbee2mqtt/bridge|kit)/(telemetry|event|status|frame|command|devices|groups|state|event|a|a/b|a/availability|a/set|\\PC{0,8})",
        ]
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let json = r#"[{"\[\]}:,0-9a-z. -]{0,80}"#;
        let plausible = prop::sample::select(vec![
            r#"{"v":1,"site":"s","device":"d","boot":1,"seq":1,"time":1,"readings":{"co2":1}}"#,
            r#"{"t":"1e99","list":[0,{"x":"on"}],"seq":-1,"boot":1e3,"ts":"2024-01-01T00:00:00+99:99"}"#,
            r#"[{"ieee_address":"0x00158d0000000001","friendly_name":"\u0000 ","definition":{"model":"x"}}]"#,
            r#"{"contact":null,"voltage":1e9,"battery":"","action":"","last_seen":-1}"#,
            r#"{"type":"device_leave","data":{"ieee_address":"0x"}}"#,
        ]);
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..120),
            json.prop_map(String::into_bytes),
            (plausible, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
                let mut bytes = text.as_bytes().to_vec();
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes
            }),
        ]
    }

    proptest! {
        #[test]
        fn no_message_makes_a_decoder_panic(messages in prop::collection::vec((topic(), payload(), any::<bool>()), 1..8)) {
            let mut decoders = all();
            for (topic, payload, retained) in &messages {
                if let Err(rejected) = decoders.decode(Raw { topic, payload, retained: *retained }) {
                    prop_assert!(!rejected.reason.is_empty());
                }
            }
        }
    }
}
