//! Tasmota: `ON` or `OFF` on `cmnd/<topic>/POWER`, with the relay's number where it has several. A valve is open while its relay is on.
use super::{Said, Wired, name};
use crate::decode::switches::Switch;
use crate::engine::DeviceCommand;
use crate::engine::outcome::DeviceAction;

pub fn say(command: &DeviceCommand, wired: &Wired, announced: Option<Switch>) -> Option<Said> {
    let own = || {
        let commands = match announced {
            Some(Switch::Tasmota { commands }) => commands,
            _ => format!("cmnd/{}", name(&command.device, "tasmota.")?),
        };
        // Readings count the relays from 0, commands from 1.
        let relay = wired.channel.map_or_else(String::new, |n| (u16::from(n) + 1).to_string());
        Some(format!("{commands}/POWER{relay}"))
    };
    Some(Said { topic: wired.topic.clone().or_else(own)?, payload: on_off(command.action).to_owned() })
}

pub fn on_off(action: DeviceAction) -> &'static str {
    match action {
        DeviceAction::SirenOn | DeviceAction::BeaconOn => "ON",
        DeviceAction::SirenOff | DeviceAction::BeaconOff | DeviceAction::ValveClose => "OFF",
    }
}
