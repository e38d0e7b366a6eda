//! Shelly, second generation and later: `Switch.Set` as a remote procedure call on `<prefix>/rpc`; it is answered on `tuoan/rpc`. A valve is open
//! while its switch is on.
use super::{Said, Wired, name};
use crate::engine::DeviceCommand;
use crate::engine::outcome::DeviceAction;

pub fn say(command: &DeviceCommand, wired: &Wired) -> Option<Said> {
    let topic = wired.topic.clone().or_else(|| Some(format!("{}/rpc", name(&command.device, "shelly.")?)))?;
    let on = matches!(command.action, DeviceAction::SirenOn | DeviceAction::BeaconOn);
    let (id, switch) = (command.id, wired.channel.unwrap_or(0));
    let payload = format!(r#"{{"id":{id},"src":"tuoan","method":"Switch.Set","params":{{"id":{switch},"on":{on}}}}}"#);
    Some(Said { topic, payload })
}
