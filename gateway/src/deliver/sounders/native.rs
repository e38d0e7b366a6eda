//! The product's own command topic, as the protocol writes it:
//! `{"v":1,"site":"s","device":"d","id":7,"action":"siren_on","expires":1772436600000}`, `expires` in UTC milliseconds.
use super::{Said, Wired};
use crate::engine::DeviceCommand;
use crate::engine::outcome::DeviceAction;
use tuoan_protocol::topic::{Topic, TopicKind};
use tuoan_protocol::{SiteId, codec::Wire, command as wire};

pub fn say(site: &SiteId, command: &DeviceCommand, wired: &Wired, utc_offset: i64) -> Said {
    let action = match command.action {
        DeviceAction::SirenOn => wire::DeviceAction::SirenOn,
        DeviceAction::SirenOff => wire::DeviceAction::SirenOff,
        DeviceAction::BeaconOn => wire::DeviceAction::BeaconOn,
        DeviceAction::BeaconOff => wire::DeviceAction::BeaconOff,
        DeviceAction::ValveClose => wire::DeviceAction::ValveClose,
    };
    let expires = Some(command.expires.saturating_add(utc_offset));
    let payload = wire::DeviceCommand { site: site.clone(), device: command.device.clone(), id: command.id, action, expires }.to_json();
    let own = || Topic { site: site.clone(), device: command.device.clone(), kind: TopicKind::Command }.to_string();
    Said { topic: wired.topic.clone().unwrap_or_else(own), payload }
}
