//! Bytes of any convention -> engine inputs. One file per convention and one line in [`Decoders::standard`].
use crate::engine::input::{Body, DeviceInfo};
use crate::engine::{CHAIN, ESTIMATE_PREFIX, VISION_PREFIX, is_own};
use crate::ingest::frames::Announced;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use tuoan_protocol::DeviceId;

pub mod directory;
mod early;
pub mod esphome;
pub mod frigate;
#[cfg(test)]
mod fuzz;
pub mod hikvision;
pub mod homeassistant;
pub mod ident;
mod json;
pub mod mapping;
mod meaning;
pub mod native;
pub mod onvif;
pub mod pulse;
mod readings;
pub mod report;
pub(crate) mod scalar;
pub mod shelly;
pub mod switches;
pub mod tasmota;
#[cfg(test)]
mod testing;
mod unclocked;
mod units;
pub mod zigbee2mqtt;

pub use directory::Directory;

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

/// Whose messages on a topic are, whatever they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Not of this convention, as far as it knows by now.
    NotMine,
    /// Of this convention: of that device, or of none (a bridge's log, a group of lamps).
    Mine(Option<DeviceId>),
}

/// One convention. May keep a registry (what a bridge announced), which must be bounded.
pub trait Decoder: Send {
    /// Short name, shown in the quarantine and by `tuoan decode`.
    fn name(&self) -> &'static str;
    /// All ids of its devices begin so (`z2m.`), and nobody else's do; empty for the native convention and for mappings.
    fn prefix(&self) -> &'static str {
        ""
    }
    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded;
    /// Home Assistant discovery announces topics of other conventions too: whose is this one? Must agree with what `decode` would do, so that
    /// such a device is described under its own id and stays one.
    fn owner(&self, topic: &str) -> Owner {
        let _ = topic;
        Owner::NotMine
    }
    /// Discovery has described this device of the convention's: if its id is provisional it must be taken back like one that was spoken under.
    fn mentioned(&mut self, device: &DeviceId) {
        let _ = device;
    }
    /// What earlier runs put into the inventory, so that a device keeps its id before its bridge has spoken again.
    fn learn(&mut self, inventory: &[DeviceInfo], directory: &mut Directory) {
        let _ = (inventory, directory);
    }
}

/// Native devices remembered at most.
const MAX_NATIVE: usize = 4096;
/// Items in one message at most; no device has so many that we know.
pub(crate) const MAX_ITEMS: usize = 48;

/// What the ids of each convention's devices begin with, the gateway's own among them: nobody else's may.
pub(crate) fn prefixes() -> impl Iterator<Item = &'static str> {
    static ALL: OnceLock<Vec<&'static str>> = OnceLock::new();
    let all = ALL.get_or_init(|| Decoders::standard(Vec::new()).prefixes().collect());
    all.iter().copied()
}

/// All decoders, asked in order.
///
/// What must hold: a topic has one owner, the first decoder that takes it; and no convention speaks for a device of another: whoever may publish
/// a room's temperature could otherwise report that the smoke is gone. So each convention has a prefix for its ids, which is checked here.
pub struct Decoders {
    list: Vec<Box<dyn Decoder>>,
    /// Asked after these: it reads what was announced and none of them takes.
    homeassistant: homeassistant::HomeAssistant,
    /// Asked last: its topics are known by their shape alone.
    esphome: esphome::Esphome,
    directory: Directory,
    early: early::Early,
    /// Devices that have spoken natively since the start.
    native: BTreeSet<DeviceId>,
}

impl Decoders {
    /// The built-in conventions, then the site's mapping files.
    pub fn standard(mappings: Vec<mapping::Mapping>) -> Decoders {
        let mut list: Vec<Box<dyn Decoder>> = vec![
            Box::new(native::Native::default()),
            Box::new(zigbee2mqtt::Zigbee2Mqtt::default()),
            Box::new(tasmota::Tasmota::default()),
            Box::new(shelly::Shelly::default()),
            Box::new(frigate::Frigate::default()),
            Box::new(onvif::Onvif::default()),
            Box::new(hikvision::Hikvision::default()),
            Box::new(pulse::Pulse::default()),
            // Conventions with topics of their own come here, the surest first.
        ];
        list.extend(mappings.into_iter().map(|m| Box::new(m) as Box<dyn Decoder>));
        Decoders {
            list,
            homeassistant: homeassistant::HomeAssistant::default(),
            esphome: esphome::Esphome::default(),
            directory: Directory::default(),
            early: early::Early::default(),
            native: BTreeSet::new(),
        }
    }
    /// Topics that discovery says carry pictures, as they become known.
    pub fn pictures(&self) -> Announced {
        self.directory.pictures.clone()
    }
    /// How devices are switched, as their bridges announce it.
    pub fn switches(&self) -> switches::Switches {
        self.directory.switches.clone()
    }
    /// To be called once at start with every device the engine knows (the id alone, where nothing else is known).
    pub fn learn(&mut self, inventory: &[DeviceInfo]) {
        for d in &mut self.list {
            d.learn(inventory, &mut self.directory);
        }
        // Home Assistant's devices have their ids of their identifiers, whenever those are announced again.
        self.esphome.learn(inventory, &mut self.directory);
    }
    /// What is decoded from now on was received at this time, UTC milliseconds: a device without a clock says how long ago it was.
    pub fn received_at(&mut self, utc: i64) {
        self.directory.received = Some(utc);
    }
    /// The first decoder that takes it and what it says; `Err` with a reason when none does or it is malformed.
    pub fn decode(&mut self, raw: Raw<'_>) -> Result<(&'static str, Vec<Body>), Rejected> {
        let mut decoded = self.decode_one(raw);
        match &decoded {
            // Nobody's, or announced for a device whose bridge has not said yet that it is there.
            Err(r) if matches!(r.decoder, None | Some(homeassistant::NAME)) => self.early.keep(raw),
            Err(_) => {}
            Ok(_) => {
                for root in self.directory.take_roots() {
                    for held in self.early.take(&root) {
                        let again = self.decode_one(Raw { topic: &held.topic, payload: &held.payload, retained: true });
                        if let (Ok((_, all)), Ok((_, mut more))) = (&mut decoded, again) {
                            all.append(&mut more);
                        }
                    }
                }
            }
        }
        decoded
    }

    fn decode_one(&mut self, raw: Raw<'_>) -> Result<(&'static str, Vec<Body>), Rejected> {
        let list = &mut self.list;
        let directory = &mut self.directory;
        let taken = list.iter_mut().find_map(|d| match d.decode(raw, directory) {
            Decoded::NotMine => None,
            decoded => Some((d.name(), d.prefix(), decoded)),
        });
        let (name, prefix, decoded) = match taken {
            Some(taken) => taken,
            None => {
                let esphome = &self.esphome;
                let owner = |topic: &str| {
                    let mut owners = list.iter().map(|d| d.owner(topic)).chain([esphome.owner(topic)]);
                    owners.find(|o| *o != Owner::NotMine).unwrap_or(Owner::NotMine)
                };
                match self.homeassistant.decode(raw, directory, &owner) {
                    Decoded::NotMine => (self.esphome.name(), esphome::PREFIX, self.esphome.decode(raw, directory)),
                    decoded => (homeassistant::NAME, homeassistant::PREFIX, decoded),
                }
            }
        };
        match decoded {
            Decoded::NotMine => Err(Rejected {
                decoder: None,
                reason: "no decoder knows this topic; describe it in a mapping file ([[mapping]])".to_owned(),
            }),
            Decoded::Malformed(reason) => Err(Rejected { decoder: Some(name), reason }),
            Decoded::Inputs(mut bodies) => {
                if name == homeassistant::NAME {
                    self.tell_owners(&bodies);
                }
                if let Err(reason) = self.judge(name, prefix, &bodies) {
                    return Err(Rejected { decoder: Some(name), reason });
                }
                // Its shape had deceived before it was announced.
                if name == homeassistant::NAME
                    && let Some(ghost) = self.esphome.disown(raw.topic)
                {
                    self.directory.forget(&ghost);
                    bodies.insert(0, Body::Inventory(vec![ident::removed(ghost)]));
                }
                // Discovery had announced it before its own decoder knew it.
                if name != homeassistant::NAME && self.homeassistant.reads(raw.topic) {
                    let device = bodies.iter().find_map(|body| match body {
                        Body::Message(m) => Some(m.device.clone()),
                        _ => None,
                    });
                    if let Some(device) = device {
                        bodies.extend(self.homeassistant.yield_topic(raw.topic, &device, &mut self.directory));
                    }
                }
                Ok((name, bodies))
            }
        }
    }

    /// Devices of others that discovery has described: their decoders must know, so that what was a provisional id is taken back.
    fn tell_owners(&mut self, bodies: &[Body]) {
        for body in bodies {
            let Body::Inventory(list) = body else { continue };
            for info in list.iter().filter(|i| !i.removed) {
                let Some(id) = &info.device else { continue };
                let owns = |prefix: &str| !prefix.is_empty() && id.as_str().starts_with(prefix);
                if let Some(owner) = self.list.iter_mut().find(|d| owns(d.prefix())) {
                    owner.mentioned(id);
                }
            }
        }
    }

    fn prefixes(&self) -> impl Iterator<Item = &'static str> {
        let all = self.list.iter().map(|d| d.prefix()).chain([homeassistant::PREFIX, esphome::PREFIX, ESTIMATE_PREFIX, VISION_PREFIX]);
        all.filter(|p| !p.is_empty())
    }

    /// Refuses what a convention says in the name of another's device, and notes who has spoken.
    fn judge(&mut self, name: &str, prefix: &str, bodies: &[Body]) -> Result<(), String> {
        let own = |id: &DeviceId| match prefix {
            "" => {
                id.as_str() != CHAIN
                    && !self.prefixes().any(|p| id.as_str().starts_with(p))
                    && (name != mapping::NAME || !self.native.contains(id))
            }
            prefix => id.as_str().starts_with(prefix),
        };
        for body in bodies {
            let foreign = match body {
                Body::Message(m) => Some(&m.device).filter(|id| !own(id)),
                // Home Assistant discovery describes devices of others too; that they are gone is not its to say.
                Body::Inventory(list) => list
                    .iter()
                    .filter_map(|info| info.device.as_ref().filter(|id| name != homeassistant::NAME || info.removed || is_own(id)))
                    .find(|id| !own(id)),
                _ => None,
            };
            match foreign {
                Some(id) if name == mapping::NAME => {
                    return Err(format!(
                        "the device {id} is not the mapping's to speak for; give the mapping's `device` a prefix of its own"
                    ));
                }
                Some(id) => return Err(format!("the device {id} belongs to another convention than {name}; give it another name")),
                None => {}
            }
        }
        for body in bodies {
            match body {
                Body::Message(m) if name == native::NAME && self.native.len() < MAX_NATIVE && !self.native.contains(&m.device) => {
                    self.native.insert(m.device.clone());
                }
                Body::Inventory(list) if name != homeassistant::NAME => {
                    for info in list {
                        match &info.device {
                            Some(id) if info.removed => self.directory.forget(id),
                            Some(id) if info.make.is_some() || info.model.is_some() => self.directory.describe(id),
                            _ => {}
                        }
                    }
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
    fn nobody_speaks_for_the_gateway_s_own_estimates_and_eyes() {
        let mut decoders = all();
        for own in ["estimate.nap", "vision.nap"] {
            let event = format!(r#"{{"v":1,"site":"s","device":"{own}","boot":1,"seq":1,"uptime":1,"kind":"test"}}"#);
            let birth = format!(r#"{{"v":1,"site":"s","device":"{own}","presence":"online","make":"x"}}"#);
            for (topic, payload) in [
                (format!("tuoan/v1/s/{own}/event"), event),
                (format!("tuoan/v1/s/{own}/status"), birth),
                (format!("kit/{own}/x"), r#"{"list":[0,{"x":false}]}"#.to_owned()),
            ] {
                let refused = decoders.decode(Raw { topic: &topic, payload: payload.as_bytes(), retained: false }).unwrap_err();
                assert!(refused.reason.contains(&format!("the device {own}")), "{refused:?}");
            }
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
