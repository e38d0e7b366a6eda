//! The sensors in `SENSOR` and `StatusSNS`: one object for each, `"BME280":{"Temperature":20.7,"Humidity":24.4,"Pressure":1013.4}`, and the units
//! of all beside them.
//!
//! Names and units: <https://github.com/arendst/Tasmota/blob/v14.4.1/tasmota/include/i18n.h> and
//! <https://github.com/emontnemery/hatasmota/blob/0.10.0/hatasmota/sensor.py>.
use super::{PREFIX, numbered};
use crate::decode::Directory;
use crate::decode::ident::{device_id, short};
use crate::decode::json::Json;
use crate::decode::readings::{Channels, Readings};
use crate::decode::scalar::Scalar;
use crate::engine::input::{Body, DeviceInfo};
use tuoan_protocol::id::OtherName;
use tuoan_protocol::{DeviceId, Quantity};

struct Units {
    temperature: String,
    pressure: String,
}

fn units(json: Json<'_>) -> Units {
    let of = |key: &str| json.string(key).unwrap_or_default();
    Units { temperature: of("TempUnit"), pressure: of("PressureUnit") }
}

/// Every sensor of the device itself.
pub fn all(json: Json<'_>, device: &DeviceId, channels: &mut Channels, readings: &mut Readings) {
    let units = units(json);
    for (key, value) in json.members() {
        if let Some(channel) = numbered(&key, "Switch") {
            if let Some(on) = value.scalar().state() {
                readings.named_state("switch", channel, on);
            }
        } else if let Some(channel) = numbered(&key, "Counter") {
            pulses(&key, channel, value, readings);
        } else if key == "COUNTER" {
            for (key, value) in value.members() {
                if let Some(channel) = numbered(&key, "C") {
                    pulses(&key, channel, value, readings);
                }
            }
        } else if key == "Out_pin" {
            readings.add(&key, Quantity::Presence, 0, &value.scalar(), "");
        } else if value.get("mac").is_none() && !key.starts_with("Zb") {
            sensor(&key, value, &units, device, channels, readings);
        }
    }
}

/// Pulses since the counter was set: what one of them means is not Tasmota's to know.
fn pulses(key: &str, channel: u8, value: Json<'_>, readings: &mut Readings) {
    if let Ok(name) = OtherName::new("pulses") {
        readings.add(key, Quantity::Other(name), channel, &value.scalar(), "");
    }
}

/// Bluetooth thermometers stand among the sensors under their own names, with their addresses. Two gateways may hear one: it is one device.
pub fn bluetooth(json: Json<'_>, via: &DeviceId, retained: bool, directory: &mut Directory) -> Vec<Body> {
    let units = units(json);
    let mut bodies = Vec::new();
    for (key, value) in json.members() {
        let Some(mac) = value.string("mac") else { continue };
        let Some(child) = device_id(PREFIX, &format!("ble.{}", mac.to_ascii_lowercase())) else { continue };
        directory.claim(&mac, &child);
        let mut own = Readings::default();
        sensor("", value, &units, &child, &mut Channels::default(), &mut own);
        bodies.extend(passed_on(child, via, &key, own, retained));
    }
    bodies
}

/// Zigbee devices at a Tasmota coordinator: `{"ZbReceived":{"0x4F2E":{"Device":"0x4F2E","Name":"Kitchen","Temperature":20.2}}}`, of which the
/// address in the network is all that is known; `via_name` tells two coordinators' apart.
pub fn zigbee(received: Json<'_>, via: &DeviceId, via_name: &str, retained: bool) -> Vec<Body> {
    let units = Units { temperature: "C".to_owned(), pressure: "hPa".to_owned() };
    let mut bodies = Vec::new();
    for (key, value) in received.members() {
        let address = value.string("Device").unwrap_or_else(|| key.to_string());
        let Some(child) = device_id(PREFIX, &format!("zb.{via_name}.{address}")) else { continue };
        let mut own = Readings::default();
        sensor("", value, &units, &child, &mut Channels::default(), &mut own);
        // With the option that uses names as keys there is no `Name`.
        let name = value.string("Name").unwrap_or_else(|| if key.starts_with("0x") { address } else { key.to_string() });
        bodies.extend(passed_on(child, via, &name, own, retained));
    }
    bodies
}

/// A device that another passes on. What it says wrong costs it the message, not the others theirs.
fn passed_on(child: DeviceId, via: &DeviceId, name: &str, readings: Readings, retained: bool) -> Vec<Body> {
    let info = DeviceInfo {
        device: Some(child.clone()),
        name: short(name.to_owned()),
        quantities: readings.quantities(),
        via: Some(via.clone()),
        ..DeviceInfo::default()
    };
    readings.message(child, None, retained).map(|message| vec![Body::Inventory(vec![info]), message]).unwrap_or_default()
}

/// One sensor's object.
fn sensor(name: &str, object: Json<'_>, units: &Units, device: &DeviceId, channels: &mut Channels, readings: &mut Readings) {
    // The processor's own temperature, which every build for the ESP32 tells unasked: no room's, and hot enough for a fire.
    if name == "ESP32" {
        return;
    }
    for (key, value) in object.members() {
        // `ANALOG` numbers its inputs: `Temperature1`, and `CTEnergy1` with an object of its own.
        let plain = if name == "ANALOG" { key.trim_end_matches(|c: char| c.is_ascii_digit()) } else { key.as_ref() };
        if value.is_object() && plain == "CTEnergy" {
            sensor("ENERGY", value, units, device, channels, readings);
            continue;
        }
        let Some((quantity, unit)) = meaning(name, plain, units, object) else { continue };
        let mut take = |slot: String, value: Scalar<'_>, readings: &mut Readings| {
            if !matches!(value, Scalar::Compound) {
                let channel = channels.of(device, &quantity, &slot);
                readings.add(&format!("{name}.{key}"), quantity.clone(), channel, &value, &unit);
            }
        };
        // Meters with several phases write `[..]` or, since version 12.4, `{"Phase1":..}`.
        for (i, v) in value.elements().into_iter().enumerate() {
            take(format!("{name}.{key}.{i}"), v.scalar(), readings);
        }
        for (part, v) in value.members() {
            take(format!("{name}.{key}.{part}"), v.scalar(), readings);
        }
        take(format!("{name}.{key}"), value.scalar(), readings);
    }
}

/// What a field of a sensor means.
fn meaning(name: &str, key: &str, units: &Units, object: Json<'_>) -> Option<(Quantity, String)> {
    let other = |name: &str| OtherName::new(name).ok().map(Quantity::Other);
    let (quantity, unit) = match key {
        "Temperature" => (Quantity::Temperature, units.temperature.as_str()),
        "Humidity" => (Quantity::Humidity, ""),
        "Pressure" => (Quantity::Pressure, units.pressure.as_str()),
        "Illuminance" | "Ambient" => (Quantity::Illuminance, "lx"),
        "CarbonDioxide" => (Quantity::Co2, "ppm"),
        // Estimated from organic compounds, or smoothed: no measured CO2. Cleaning with alcohol would make a room stuffy.
        "eCO2" => (other("eco2_estimate")?, ""),
        "TVOC" => (other("tvoc_ppb")?, ""),
        "AirQuality" if name.starts_with("SGP4") => (Quantity::VocIndex, ""),
        "PM1" | "PM1_0" => (Quantity::Pm1, ""),
        "PM2.5" | "PM2_5" => (Quantity::Pm25, ""),
        "PM10" => (Quantity::Pm10, ""),
        "Distance" => (Quantity::Distance, if name.starts_with("VL53") { "mm" } else { "cm" }),
        "Rate" if name == "FLOWRATEMETER" => {
            let unit = object.string("Unit").unwrap_or_else(|| "l/min".to_owned());
            return Some((Quantity::WaterFlow, unit));
        }
        "Power" if !name.is_empty() => (Quantity::Power, "W"),
        "Voltage" if !name.is_empty() => (Quantity::Voltage, "V"),
        "Current" if !name.is_empty() => (Quantity::Current, "A"),
        "Total" | "Energy" if name == "ENERGY" => (Quantity::Energy, "kWh"),
        "Battery" | "BatteryPercentage" => (Quantity::Battery, ""),
        "BatteryVoltage" => (Quantity::BatteryVoltage, "V"),
        "RSSI" => (Quantity::SignalStrength, ""),
        "LinkQuality" => (Quantity::LinkQuality, ""),
        // Of Zigbee devices. Alarm 1 of a contact's zone means open.
        "Occupancy" => (Quantity::Motion, ""),
        "Contact" => (Quantity::Open, ""),
        "Water" => (Quantity::WaterLeak, ""),
        "Fire" => (Quantity::Smoke, ""),
        "CO" => (Quantity::CoAlarm, ""),
        _ => return None,
    };
    Some((quantity, unit.to_owned()))
}

/// `STATE` and `StatusSTS`.
pub fn state(json: Json<'_>, readings: &mut Readings) {
    for (key, value) in json.members() {
        if let Some(channel) = numbered(&key, "POWER") {
            if let Some(on) = value.scalar().state() {
                readings.state(Quantity::SwitchedOn, channel, on);
            }
        } else if key == "BatteryPercentage" {
            readings.add(&key, Quantity::Battery, 0, &value.scalar(), "");
        }
    }
    // `RSSI` beside it is a quality in per cent.
    if let Some(signal) = json.at(&["Wifi", "Signal"]) {
        readings.add("Wifi.Signal", Quantity::SignalStrength, 0, &signal.scalar(), "");
    }
}
