//! Orders to sirens, beacons and valves in the words of each convention: one file each. Device and action to topic and payload.
//!
//! | prefix | file | topic where the site file gives none | says that it has done it |
//! |---|---|---|---|
//! | none | `native.rs` | `tuoan/v1/<site>/<device>/command` | event `command_done` with the order's number |
//! | `z2m.` | `zigbee2mqtt.rs` | `<base>/<friendly name>/set` | state published by the bridge; a `warning` never |
//! | `tasmota.` | `tasmota.rs` | `cmnd/<topic>/POWER<n>` | `stat/<topic>/POWER<n>`, `RESULT` |
//! | `esphome.` | `esphome.rs` | `<node>/switch/siren/command`, `.../beacon/...`, `<node>/valve/gas/command` | the entity's `state` |
//! | `shelly.` | `shelly.rs` | `<prefix>/rpc` | `NotifyStatus` of the switch |
//!
//! What must hold: an order sets a state and never toggles one, so that it may be repeated; a valve is only ever closed.
mod esphome;
mod native;
mod shelly;
mod tasmota;
mod zigbee2mqtt;

use crate::decode::switches::Switches;
use crate::engine::DeviceCommand;
use crate::engine::site::{Placement, Role, Site};
use std::collections::BTreeMap;
use tuoan_protocol::{DeviceId, SiteId};

/// Conventions in which devices only report.
const DEAF: [&str; 7] = ["ha.", "frigate.", "onvif.", "hikvision.", "meter.", "shelly.blu.", "z2m.bridge"];
/// Longest topic of an order, in bytes.
const MAX_TOPIC: usize = 256;

/// An order that no convention can say, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsayable(String);

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub topic: String,
    pub payload: String,
}

/// What the site file says of a device beside its id.
#[derive(Debug, Clone, Default)]
struct Wired {
    topic: Option<String>,
    /// As its readings have it.
    channel: Option<u8>,
}

/// All sounders of a site.
#[derive(Debug, Clone)]
pub struct Sounders {
    site: SiteId,
    wired: BTreeMap<DeviceId, Wired>,
    switches: Switches,
}

impl Sounders {
    pub fn new<'a>(site: SiteId, placed: impl IntoIterator<Item = &'a Placement>, switches: Switches) -> Sounders {
        let given = placed.into_iter().filter(|p| p.topic.is_some() || p.channel.is_some());
        let wired = given.map(|p| (p.id.clone(), Wired { topic: p.topic.clone(), channel: p.channel })).collect();
        Sounders { site, wired, switches }
    }

    /// `utc_offset`: UTC minus engine time, in milliseconds.
    ///
    /// # Errors
    /// The convention takes no orders, or its topic does not follow from the id and is neither announced nor in the site file.
    pub fn say(&self, command: &DeviceCommand, utc_offset: i64) -> Result<Said, Unsayable> {
        let none = Wired::default();
        let wired = self.wired.get(&command.device).unwrap_or(&none);
        let announced = || self.switches.of(&command.device);
        let id = command.device.as_str();
        if DEAF.iter().any(|p| id.starts_with(p)) {
            return Err(Unsayable(format!("{id} takes no orders that are known; give it a native id or choose another device")));
        }
        let said = if id.starts_with("z2m.") {
            zigbee2mqtt::say(command, wired, announced())
        } else if id.starts_with("tasmota.") {
            tasmota::say(command, wired, announced())
        } else if id.starts_with("esphome.") {
            esphome::say(command, wired)
        } else if id.starts_with("shelly.") {
            shelly::say(command, wired)
        } else {
            Some(native::say(&self.site, command, wired, utc_offset))
        };
        let said = said.filter(|s| is_topic(&s.topic));
        said.ok_or_else(|| {
            Unsayable(format!("where orders to {id} go does not follow from its id; write its command topic as `topic` into [[devices]]"))
        })
    }
}

/// What is wrong with the sounders among a site's devices, in words that say how to mend it.
pub fn problems(site: &Site) -> Vec<String> {
    let mut out = Vec::new();
    for d in &site.devices {
        let ordered = matches!(d.role, Role::Siren | Role::Beacon | Role::GasValve);
        if !ordered && (d.topic.is_some() || d.channel.is_some()) {
            out.push(format!("device {} has topic or channel, which only sirens, beacons and gas valves have; leave it out", d.id));
        }
        if ordered && DEAF.iter().any(|p| d.id.as_str().starts_with(p)) {
            out.push(format!(
                "device {} takes no orders; a siren, beacon or gas valve is native, Zigbee2MQTT, Tasmota, ESPHome or Shelly",
                d.id
            ));
        }
        if let Some(topic) = d.topic.as_ref().filter(|t| !is_topic(t)) {
            out.push(format!("device {} has the topic {topic:?}; write the whole topic that it takes orders on, without + and #", d.id));
        }
    }
    out
}

/// One that may be published to.
fn is_topic(topic: &str) -> bool {
    !topic.is_empty()
        && topic.len() <= MAX_TOPIC
        && !topic.starts_with('$')
        && !topic.chars().any(|c| matches!(c, '+' | '#') || c.is_control())
}

/// The foreign name that an id was made of; `None` where it cannot be had back (`~` and a hash at its end).
fn name<'a>(device: &'a DeviceId, prefix: &str) -> Option<&'a str> {
    let name = device.as_str().strip_prefix(prefix)?;
    let hashed = name.rsplit_once('~').is_some_and(|(_, hash)| hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    (!hashed && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
