//! ESPHome: `<node>/<component>/<object id>/command`. A node has several entities, so the one that is meant has a name that says so: the switch
//! `siren` or `beacon`, the valve `gas`; another goes into the site file, as its command topic.
use super::{Said, Wired, name, tasmota};
use crate::engine::DeviceCommand;
use crate::engine::outcome::DeviceAction;

pub fn say(command: &DeviceCommand, wired: &Wired) -> Option<Said> {
    let entity = match command.action {
        DeviceAction::SirenOn | DeviceAction::SirenOff => "switch/siren",
        DeviceAction::BeaconOn | DeviceAction::BeaconOff => "switch/beacon",
        DeviceAction::ValveClose => "valve/gas",
    };
    let own = || Some(format!("{}/{entity}/command", name(&command.device, "esphome.")?));
    let topic = wired.topic.clone().or_else(own)?;
    let payload = if topic.split('/').rev().nth(2) == Some("valve") { "CLOSE" } else { tasmota::on_off(command.action) };
    Some(Said { topic, payload: payload.to_owned() })
}
