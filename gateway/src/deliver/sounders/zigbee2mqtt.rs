//! Zigbee2MQTT: a JSON object on `<base>/<friendly name>/set`.
//!
//! By what the bridge announced: an `alarm` that is on or off, for it is reported back; a `warning`, which is not; the `state` of a plug or valve.
//! Of a device that was not announced: a `warning` to a siren or beacon, `state` to a valve and to whatever has a channel; at its address, which
//! Zigbee2MQTT takes in the place of the name.
use super::{Said, Wired, name};
use crate::decode::switches::{Attribute, Switch, Zigbee};
use crate::engine::DeviceCommand;
use crate::engine::outcome::DeviceAction;
use serde_json::{Value, json};

/// Base topic of a bridge that was not heard yet.
const BASE: &str = "zigbee2mqtt";
/// Seconds that a warning lasts, unless it is stopped; a repeat begins it anew.
const WARNING_S: u16 = 300;

pub fn say(command: &DeviceCommand, wired: &Wired, announced: Option<Switch>) -> Option<Said> {
    let announced = match announced {
        Some(Switch::Zigbee2Mqtt(z)) => Some(z),
        _ => None,
    };
    let topic = wired.topic.clone().or_else(|| topic(command, announced.as_ref()))?;
    Some(Said {
        topic,
        payload: payload(command.action, wired.channel, announced.unwrap_or_else(|| default(command.action, wired.channel))).to_string(),
    })
}

fn topic(command: &DeviceCommand, announced: Option<&Zigbee>) -> Option<String> {
    let address = name(&command.device, "z2m.")?;
    Some(match announced {
        // A name that is no part of a topic is not published to.
        Some(z) if !z.friendly_name.contains(['+', '#']) => format!("{}/{}/set", z.base, z.friendly_name),
        Some(z) => format!("{}/{address}/set", z.base),
        None => format!("{BASE}/{address}/set"),
    })
}

fn default(action: DeviceAction, channel: Option<u8>) -> Zigbee {
    Zigbee { warning: action != DeviceAction::ValveClose && channel.is_none(), ..Zigbee::default() }
}

fn payload(action: DeviceAction, channel: Option<u8>, z: Zigbee) -> Value {
    let on = matches!(action, DeviceAction::SirenOn | DeviceAction::BeaconOn);
    let set = |a: Attribute| json!({ a.property: if on { a.on } else { a.off } });
    if action != DeviceAction::ValveClose && channel.is_none() {
        // A light that would sound is no beacon: where there is a choice it takes the warning, which can do without sound.
        let quiet = matches!(action, DeviceAction::BeaconOn | DeviceAction::BeaconOff) && z.warning;
        match z.alarm {
            Some(alarm) if !quiet => return set(alarm),
            _ if z.warning => return json!({ "warning": warning(action) }),
            _ => {}
        }
    }
    let mut states = z.states;
    let announced = states.remove(&channel.unwrap_or(0));
    let property = match channel {
        Some(n @ 1..) => format!("state_l{n}"),
        _ => "state".to_owned(),
    };
    set(announced.unwrap_or_else(|| Attribute { property, on: json!("ON"), off: json!("OFF") }))
}

fn warning(action: DeviceAction) -> Value {
    match action {
        DeviceAction::SirenOn => json!({ "mode": "emergency", "level": "very_high", "strobe": true, "duration": WARNING_S }),
        // With the mode `stop` the strobe alone is started.
        DeviceAction::BeaconOn => json!({ "mode": "stop", "level": "low", "strobe": true, "strobe_duty_cycle": 5, "duration": WARNING_S }),
        DeviceAction::SirenOff | DeviceAction::BeaconOff | DeviceAction::ValveClose => {
            json!({ "mode": "stop", "level": "low", "strobe": false, "duration": 0 })
        }
    }
}
