//! Bluetooth devices behind a gateway (BLU and other BTHome devices), in three ways: as components (`bthomedevice:200`, `bthomesensor:203`), whose
//! configuration says what they are; as events of the maker's gateway scripts, which name each value; and as radiator valves (`blutrv:200`).
//!
//! BTHome's objects: <https://bthome.io/format/> (version 2).
use super::{PREFIX, passed_on};
use crate::decode::Directory;
use crate::decode::directory::hardware_address;
use crate::decode::ident::{device_id, short};
use crate::decode::json::Json;
use crate::decode::readings::Readings;
use crate::decode::scalar::Scalar;
use crate::engine::input::{Body, DeviceInfo};
use std::collections::BTreeMap;
use tuoan_protocol::{DeviceId, EventKind, Quantity};

/// Components remembered at most.
const MAX_COMPONENTS: usize = 2000;
/// What a button does, without its going down and up.
pub const PUSHES: [&str; 7] =
    ["single_push", "double_push", "triple_push", "long_push", "long_double_push", "long_triple_push", "hold_press"];

/// What components stand for, by gateway and component.
#[derive(Default)]
pub struct Registry(BTreeMap<(DeviceId, String), Component>);

struct Component {
    address: String,
    name: Option<String>,
    /// BTHome's number of the measured object, and which of several of its kind.
    object: Option<(u64, u8)>,
}

impl Registry {
    /// A component's configuration, of which only `bthome*` and `blutrv` matter here.
    pub fn configure(&mut self, gateway: &DeviceId, key: &str, config: Json<'_>) {
        let Some(address) = config.string("addr").as_deref().and_then(hardware_address) else { return };
        let slot = (gateway.clone(), key.to_owned());
        if self.0.len() < MAX_COMPONENTS || self.0.contains_key(&slot) {
            let index = config.get("idx").and_then(Json::whole).and_then(|i| u8::try_from(i).ok()).unwrap_or(0);
            let object = config.get("obj_id").and_then(Json::whole).map(|id| (id, index));
            self.0.insert(slot, Component { address, name: config.string("name"), object });
        }
    }

    fn of(&self, gateway: &DeviceId, key: &str) -> Option<(&Component, DeviceId)> {
        let component = self.0.get(&(gateway.clone(), key.to_owned()))?;
        Some((component, device_id(PREFIX, &format!("blu.{}", component.address))?))
    }

    /// A component's status. Before its configuration was heard nobody knows what it is.
    pub fn status(&self, gateway: &DeviceId, key: &str, status: Json<'_>, retained: bool, directory: &mut Directory) -> Vec<Body> {
        let Some((component, child)) = self.of(gateway, key) else { return Vec::new() };
        directory.claim(&component.address, &child);
        let mut readings = Readings::default();
        let mut info = DeviceInfo::default();
        if let (Some((object, index)), Some(value)) = (component.object, status.get("value")) {
            if let Some((quantity, unit, invert)) = object_of(object) {
                add(key, quantity, index, &value.scalar(), unit, invert, &mut readings);
            }
        } else {
            // `bthomedevice` and `blutrv`.
            info.name = component.name.clone().and_then(short);
            for (field, quantity) in
                [("battery", Quantity::Battery), ("rssi", Quantity::SignalStrength), ("current_C", Quantity::Temperature)]
            {
                if let Some(value) = status.get(field) {
                    readings.add(&format!("{key}.{field}"), quantity, 0, &value.scalar(), "");
                }
            }
        }
        if readings.is_empty() { Vec::new() } else { passed_on(child, gateway, info, readings, retained) }
    }

    pub fn event(&self, gateway: &DeviceId, key: &str, event: &str, retained: bool) -> Vec<Body> {
        let Some((_, child)) = self.of(gateway, key).filter(|_| PUSHES.contains(&event)) else { return Vec::new() };
        let mut readings = Readings::default();
        readings.event(EventKind::ButtonPressed);
        passed_on(child, gateway, DeviceInfo::default(), readings, retained)
    }
}

/// What a gateway script passes on: `{"battery":46,"illuminance":19,"window":0,"rotation":0,"rssi":-50,"address":"0c:ef:f6:..."}`.
pub fn broadcast(gateway: &DeviceId, data: Json<'_>, retained: bool, directory: &mut Directory) -> Vec<Body> {
    let address = ["address", "addr", "mac"].iter().find_map(|key| data.string(key));
    let Some(address) = address.as_deref().and_then(hardware_address) else { return Vec::new() };
    let Some(child) = device_id(PREFIX, &format!("blu.{address}")) else { return Vec::new() };
    directory.claim(&address, &child);
    let mut readings = Readings::default();
    for (key, value) in data.members() {
        let Some((quantity, unit)) = field_of(&key) else {
            // A button's number of presses; 0 and 254 are none and its being held.
            let pressed = |v: Json<'_>| v.whole().is_some_and(|n| n > 0);
            if key == "button" && (pressed(value) || value.elements().into_iter().any(pressed)) {
                readings.event(EventKind::ButtonPressed);
            }
            continue;
        };
        // Several of a kind come as a list.
        for (i, v) in value.elements().into_iter().enumerate() {
            readings.add(&key, quantity.clone(), u8::try_from(i).unwrap_or(u8::MAX), &v.scalar(), unit);
        }
        if !value.is_array() {
            readings.add(&key, quantity, 0, &value.scalar(), unit);
        }
    }
    let model = data.string("model").or_else(|| data.string("device_type")).and_then(short);
    let name = data.string("local_name").or_else(|| data.string("name")).and_then(short);
    passed_on(child, gateway, DeviceInfo { model, name, ..DeviceInfo::default() }, readings, retained)
}

fn add(key: &str, quantity: Quantity, channel: u8, value: &Scalar<'_>, unit: &str, invert: bool, readings: &mut Readings) {
    match value.state() {
        Some(on) if invert => readings.state(quantity, channel, !on),
        _ => readings.add(key, quantity, channel, value, unit),
    }
}

fn field_of(name: &str) -> Option<(Quantity, &'static str)> {
    // openHAB's script writes them with a capital.
    Some(match name.to_ascii_lowercase().as_str() {
        "battery" => (Quantity::Battery, ""),
        "temperature" => (Quantity::Temperature, "°C"),
        "humidity" => (Quantity::Humidity, ""),
        "illuminance" => (Quantity::Illuminance, "lx"),
        "window" | "door" | "opening" => (Quantity::Open, ""),
        "motion" => (Quantity::Motion, ""),
        "occupancy" | "presence" => (Quantity::Presence, ""),
        "moisture" => (Quantity::WaterLeak, ""),
        "smoke" => (Quantity::Smoke, ""),
        "carbon_monoxide" => (Quantity::CoAlarm, ""),
        "vibration" => (Quantity::Vibration, ""),
        "tamper" => (Quantity::Tamper, ""),
        "co2" => (Quantity::Co2, "ppm"),
        "pressure" => (Quantity::Pressure, "hPa"),
        "rotation" => (Quantity::Tilt, ""),
        "distance" => (Quantity::Distance, "mm"),
        "rssi" => (Quantity::SignalStrength, ""),
        _ => return None,
    })
}

/// Quantity, unit and whether 1 means the opposite of what the quantity's name says.
fn object_of(id: u64) -> Option<(Quantity, &'static str, bool)> {
    let (quantity, unit) = match id {
        0x01 => (Quantity::Battery, "%"),
        0x02 | 0x45 | 0x57 | 0x58 => (Quantity::Temperature, "°C"),
        0x03 | 0x2e => (Quantity::Humidity, "%"),
        0x04 => (Quantity::Pressure, "hPa"),
        0x05 => (Quantity::Illuminance, "lx"),
        0x0a | 0x4d => (Quantity::Energy, "kWh"),
        0x0b | 0x5c => (Quantity::Power, "W"),
        0x0c | 0x4a => (Quantity::Voltage, "V"),
        0x0d => (Quantity::Pm25, "µg/m³"),
        0x0e => (Quantity::Pm10, "µg/m³"),
        0x12 => (Quantity::Co2, "ppm"),
        0x13 => (Quantity::Tvoc, "µg/m³"),
        0x17 => (Quantity::CoAlarm, ""),
        0x11 | 0x1a | 0x1b | 0x2d => (Quantity::Open, ""),
        0x1c => (Quantity::Gas, ""),
        0x1d => (Quantity::Heat, ""),
        // BTHome: 1 is unlocked.
        0x1f => return Some((Quantity::Locked, "", true)),
        0x20 => (Quantity::WaterLeak, ""),
        0x21 => (Quantity::Motion, ""),
        0x23 | 0x25 => (Quantity::Presence, ""),
        0x26 => (Quantity::Fault, ""),
        0x29 => (Quantity::Smoke, ""),
        0x2b => (Quantity::Tamper, ""),
        0x2c => (Quantity::Vibration, ""),
        0x3f => (Quantity::Tilt, ""),
        0x40 => (Quantity::Distance, "mm"),
        0x41 => (Quantity::Distance, "m"),
        0x43 | 0x5d => (Quantity::Current, "A"),
        0x4b | 0x4c => (Quantity::GasVolume, "m³"),
        0x4f => (Quantity::WaterVolume, "L"),
        _ => return None,
    };
    Some((quantity, unit, false))
}
