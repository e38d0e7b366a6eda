//! Bytes of any convention -> engine inputs. One file per convention and one line in [`Decoders::standard`].
use crate::engine::input::{Body, DeviceInfo};

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

/// All decoders, asked in order.
pub struct Decoders(Vec<Box<dyn Decoder>>);

impl Decoders {
    /// The built-in conventions, then the site's mapping files.
    pub fn standard(mappings: Vec<mapping::Mapping>) -> Decoders {
        let mut list: Vec<Box<dyn Decoder>> = vec![Box::new(native::Native::default()), Box::new(zigbee2mqtt::Zigbee2Mqtt::default())];
        list.extend(mappings.into_iter().map(|m| Box::new(m) as Box<dyn Decoder>));
        Decoders(list)
    }
    /// To be called once at start with the engine's inventory.
    pub fn learn(&mut self, inventory: &[DeviceInfo]) {
        self.0.iter_mut().for_each(|d| d.learn(inventory));
    }
    /// The first decoder that takes it and what it says; `Err` with a reason when none does or it is malformed.
    pub fn decode(&mut self, raw: Raw<'_>) -> Result<(&'static str, Vec<Body>), Rejected> {
        for d in &mut self.0 {
            match d.decode(raw) {
                Decoded::NotMine => continue,
                Decoded::Inputs(bodies) => return Ok((d.name(), bodies)),
                Decoded::Malformed(reason) => return Err(Rejected { decoder: Some(d.name()), reason }),
            }
        }
        Err(Rejected { decoder: None, reason: "no decoder knows this topic; describe it in a mapping file ([[mapping]])".to_owned() })
    }
}

/// Why a message goes to the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub decoder: Option<&'static str>,
    pub reason: String,
}
