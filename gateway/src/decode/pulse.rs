//! Sub-meters of gas, water and power that publish by themselves: AI-on-the-edge-device (`<main>/<meter>/value|rate|error|json`), wmbusmeters (one JSON
//! object for each telegram), glow (`glow/<MAC>/SENSOR/electricitymeter|gasmeter`) and rtl_433 (`rtl_433/<host>/events`, and through OpenMQTTGateway
//! `.../RTL_433toMQTT/...`). ESPHome's `pulse_meter` comes by Home Assistant discovery, Tasmota's counters by Tasmota.
//!
//! A meter's reading is told as it stands; that it was reset or exchanged is the engine's to see. A flow is told where the publisher tells one.
use super::ident::{device_id, short};
use super::json::Json;
use super::readings::Readings;
use super::scalar::iso8601;
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::{Body, DeviceInfo};
use std::collections::BTreeSet;
use tuoan_protocol::id::OtherName;
use tuoan_protocol::{DeviceId, Presence, Quantity};

const PREFIX: &str = "meter.";
const MAX_PAYLOAD: usize = 16 << 10;
const MAX_DEVICES: usize = 1000;
/// 2020-01-01.
const OLDEST_CLOCK: i64 = 1_577_836_800_000;

#[derive(Default)]
pub struct Pulse {
    described: BTreeSet<DeviceId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    Water,
    Gas,
    Power,
}

impl Medium {
    /// By the name that the owner or a standard gave it.
    fn of(name: &str) -> Option<Medium> {
        let name = name.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|p| name.contains(p));
        if has(&["water", "wasser", "水"]) {
            Some(Medium::Water)
        } else if has(&["gas", "气", "燃"]) {
            Some(Medium::Gas)
        } else if has(&["electric", "power", "energy", "strom", "电"]) {
            Some(Medium::Power)
        } else {
            None
        }
    }
    fn reading(self) -> (Quantity, &'static str) {
        match self {
            Medium::Water => (Quantity::WaterVolume, "m³"),
            Medium::Gas => (Quantity::GasVolume, "m³"),
            Medium::Power => (Quantity::Energy, "kWh"),
        }
    }
}

impl Pulse {
    fn info(&mut self, info: DeviceInfo, bodies: &mut Vec<Body>) {
        if let Some(id) = &info.device
            && self.described.len() < MAX_DEVICES
            && self.described.insert(id.clone())
        {
            bodies.push(Body::Inventory(vec![info]));
        }
    }

    /// `<main>/<meter>/value`: the device's name, what it measures and what the topic tells. Known by the main topic's name.
    fn reader<'a>(&self, topic: &'a str) -> Option<(String, Medium, &'a str)> {
        const OF_A_METER: [&str; 12] = [
            "value",
            "raw",
            "prevalue",
            "rate",
            "rate_per_time_unit",
            "rate_per_digitization_round",
            "changeabsolut",
            "changeabsolute",
            "error",
            "json",
            "timestamp",
            "problem",
        ];
        const OF_THE_DEVICE: [&str; 12] = [
            "connection",
            "status",
            "uptime",
            "MAC",
            "IP",
            "hostname",
            "wifiRSSI",
            "freeMem",
            "CPUtemp",
            "interval",
            "firmwareVersion",
            "hardware",
        ];
        let (rest, what) = topic.rsplit_once('/')?;
        let (main, meter) = match OF_A_METER.contains(&what) {
            true => rest.rsplit_once('/')?,
            false if OF_THE_DEVICE.contains(&what) => (rest, ""),
            false => return None,
        };
        let medium = Medium::of(main.rsplit('/').next()?).filter(|_| names_a_meter(main))?;
        let name = if meter.is_empty() || meter == "main" { main.to_owned() } else { format!("{main}/{meter}") };
        Some((name, medium, what))
    }

    fn read(&mut self, name: &str, medium: Medium, what: &str, raw: Raw<'_>) -> Result<Vec<Body>, String> {
        if raw.payload.is_empty() {
            return Ok(Vec::new());
        }
        let device = device_id(PREFIX, name).ok_or("the topic has no name")?;
        let text = std::str::from_utf8(raw.payload).map_err(|_| "the payload is not UTF-8".to_owned())?.trim();
        let (quantity, unit) = medium.reading();
        let mut readings = Readings::default();
        let number = |text: &str| super::scalar::Scalar::Text(text.to_owned().into());
        let mut time = None;
        match what {
            // Empty or `NaN` while the picture could not be read.
            "value" if !text.parse::<f64>().is_ok_and(f64::is_finite) => return Ok(Vec::new()),
            "value" => readings.add("value", quantity, 0, &number(text), unit),
            "json" => {
                let json = Json::object(raw.payload)?;
                let value = json.get("value").map(|v| v.scalar());
                if let Some(value) = value.filter(|v| v.number().is_some_and(|n| n.parse::<f64>().is_ok_and(f64::is_finite))) {
                    readings.add("value", quantity, 0, &value, unit);
                }
                if let Some(error) = json.string("error") {
                    readings.state(Quantity::Fault, 0, !no_error(&error));
                }
                time = json.string("timestamp").and_then(|t| clock(&t));
            }
            "error" => readings.state(Quantity::Fault, 0, !no_error(text)),
            "connection" => readings.presence(if text == "connected" { Presence::Online } else { Presence::Offline }),
            _ => return Ok(Vec::new()),
        }
        let mut bodies = Vec::new();
        let (make, model) = (Some("AI-on-the-edge-device".to_owned()), Some("meter reader".to_owned()));
        self.info(DeviceInfo { device: Some(device.clone()), make, model, ..DeviceInfo::default() }, &mut bodies);
        bodies.push(readings.message(device, time, raw.retained)?);
        Ok(bodies)
    }

    /// `{"media":"water","meter":"multical21","name":"Cold","id":"76348799","total_m3":6.408,"timestamp":".."}`
    fn telegram(&mut self, json: Json<'_>, retained: bool) -> Result<Vec<Body>, String> {
        let id = json.string("id").ok_or("`id` is missing")?;
        let device = device_id(PREFIX, &format!("wmbus.{id}")).ok_or("`id` is empty")?;
        let media = json.string("media").unwrap_or_default();
        let mut readings = Readings::default();
        for (key, value) in json.members() {
            let value = value.scalar();
            let mut add = |quantity, unit| readings.add(&key, quantity, 0, &value, unit);
            match key.as_ref() {
                "total_m3" if media.contains("gas") => add(Quantity::GasVolume, "m³"),
                "total_m3" | "total_water_m3" if media.contains("water") => add(Quantity::WaterVolume, "m³"),
                "volume_flow_m3h" | "flow_m3h" if media.contains("gas") => add(Quantity::GasFlow, "m³/h"),
                "volume_flow_m3h" | "flow_m3h" if media.contains("water") => add(Quantity::WaterFlow, "m³/h"),
                "total_energy_consumption_kwh" | "total_kwh" if media.contains("electric") => add(Quantity::Energy, "kWh"),
                "current_power_consumption_kw" | "current_power_kw" if media.contains("electric") => add(Quantity::Power, "kW"),
                // 127 is a meter without such a sensor.
                "flow_temperature_c" if media.contains("water") && value.number() != Some("127") => add(Quantity::WaterTemperature, "°C"),
                "temperature_c" | "current_temperature_c" if media.contains("room") => add(Quantity::Temperature, "°C"),
                "relative_humidity_rh" | "current_relative_humidity_rh" if media.contains("room") => add(Quantity::Humidity, "%"),
                "rssi_dbm" => add(Quantity::SignalStrength, "dBm"),
                _ => {}
            }
        }
        // The words of the common meters' and detectors' status; DRY is a water meter without water in it.
        if let Some(status) = json.string("status").or_else(|| json.string("current_status")) {
            let has = |word: &str| status.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w.eq_ignore_ascii_case(word));
            if media.contains("smoke") {
                if has("SMOKE") {
                    readings.state(Quantity::Smoke, 0, true);
                } else if has("OK") {
                    readings.state(Quantity::Smoke, 0, false);
                }
            } else if media.contains("water") {
                if has("LEAK") || has("BURST") || has("LEAKING") {
                    readings.state(Quantity::WaterLeak, 0, true);
                } else if has("OK") {
                    readings.state(Quantity::WaterLeak, 0, false);
                }
            } else if json.string("meter").as_deref() == Some("lansendw") {
                if has("OPEN") {
                    readings.state(Quantity::Open, 0, true);
                } else if has("CLOSED") {
                    readings.state(Quantity::Open, 0, false);
                }
            }
        }
        let mut bodies = Vec::new();
        let info =
            DeviceInfo { name: json.string("name").and_then(short), model: json.string("meter").and_then(short), ..DeviceInfo::default() };
        self.info(
            DeviceInfo { device: Some(device.clone()), make: Some("wM-Bus".to_owned()), quantities: readings.quantities(), ..info },
            &mut bodies,
        );
        let time = json.string("timestamp").and_then(|t| clock(&t));
        bodies.push(readings.message(device, time, retained)?);
        Ok(bodies)
    }

    /// `{"electricitymeter":{"timestamp":"..","energy":{"import":{"cumulative":100.1,"units":"kWh"}},"power":{"value":0.4,"units":"kW"}}}`
    fn glow(&mut self, mac: &str, what: &str, raw: Raw<'_>, directory: &mut Directory) -> Result<Vec<Body>, String> {
        let json = Json::object(raw.payload)?;
        let Some(meter) = json.get(what) else { return Ok(Vec::new()) };
        let device = device_id(PREFIX, &format!("glow.{}.{what}", mac.to_ascii_lowercase())).ok_or("the topic has no MAC")?;
        directory.claim(mac, &device);
        let mut readings = Readings::default();
        let import = meter.at(&["energy", "import"]);
        let unit = |j: Option<Json<'_>>, key: &str, default: &str| j.and_then(|j| j.string(key)).unwrap_or_else(|| default.to_owned());
        if let Some(value) = import.and_then(|i| i.get("cumulative")) {
            let units = unit(import, "units", "kWh");
            let quantity = if units.contains("m3") { Quantity::GasVolume } else { Quantity::Energy };
            readings.add("cumulative", quantity, 0, &value.scalar(), &units);
        }
        if let Some(value) = import.and_then(|i| i.get("cumulativevol")) {
            readings.add("cumulativevol", Quantity::GasVolume, 0, &value.scalar(), &unit(import, "cumulativevolunits", "m3"));
        }
        // A gas meter's is reckoned, and no electric power.
        if let Some(value) = meter.at(&["power", "value"]).filter(|_| what != "gasmeter") {
            readings.add("power", Quantity::Power, 0, &value.scalar(), &unit(meter.get("power"), "units", "kW"));
        }
        let mut bodies = Vec::new();
        let (make, model) = (Some("glow".to_owned()), Some(what.to_owned()));
        self.info(
            DeviceInfo { device: Some(device.clone()), make, model, quantities: readings.quantities(), ..DeviceInfo::default() },
            &mut bodies,
        );
        bodies.push(readings.message(device, meter.string("timestamp").and_then(|t| clock(&t)), raw.retained)?);
        Ok(bodies)
    }

    /// `{"time":"..","model":"Acurite-Tower","id":11524,"temperature_C":21.5,"humidity":45}`: a device is known by model, id and channel.
    fn radio(&mut self, json: Json<'_>, retained: bool) -> Result<Vec<Body>, String> {
        let Some(model) = json.string("model") else { return Ok(Vec::new()) };
        let part = |key: &str| json.get(key).map(|v| v.scalar()).and_then(|s| s.number().map(str::to_owned));
        let name = [Some(model.clone()), part("channel"), part("id")].into_iter().flatten().collect::<Vec<_>>().join(".");
        let device = device_id(PREFIX, &format!("rtl433.{name}")).ok_or("`model` is empty")?;
        let mut readings = Readings::default();
        for (key, value) in json.members() {
            let value = value.scalar();
            let mut add = |quantity, unit| readings.add(&key, quantity, 0, &value, unit);
            match key.as_ref() {
                "temperature_C" => add(Quantity::Temperature, "°C"),
                "temperature_F" => add(Quantity::Temperature, "°F"),
                "humidity" => add(Quantity::Humidity, "%"),
                "pressure_hPa" => add(Quantity::Pressure, "hPa"),
                "light_lux" => add(Quantity::Illuminance, "lx"),
                "co2_ppm" => add(Quantity::Co2, "ppm"),
                "pm2_5_ug_m3" => add(Quantity::Pm25, "µg/m³"),
                "pm10_ug_m3" | "pm10_0_ug_m3" => add(Quantity::Pm10, "µg/m³"),
                "power_W" => add(Quantity::Power, "W"),
                "energy_kWh" => add(Quantity::Energy, "kWh"),
                "current_A" => add(Quantity::Current, "A"),
                "voltage_V" => add(Quantity::Voltage, "V"),
                "depth_cm" => add(Quantity::WaterLevel, "cm"),
                "volume_m3" => add(Quantity::WaterVolume, "m³"),
                "tamper" => add(Quantity::Tamper, ""),
                "contact_open" | "reed_open" if key == "contact_open" || json.get("contact_open").is_none() => add(Quantity::Open, ""),
                "detect_wet" => add(Quantity::WaterLeak, ""),
                "battery_mV" => add(Quantity::BatteryVoltage, "mV"),
                "rssi" => add(Quantity::SignalStrength, "dBm"),
                // American utility meters count in units that only the utility knows.
                "consumption_data" | "Consumption" | "consumption" => {
                    if let Ok(name) = OtherName::new("pulses") {
                        add(Quantity::Other(name), "");
                    }
                }
                _ => {}
            }
        }
        let mut bodies = Vec::new();
        let info = DeviceInfo { model: short(model), quantities: readings.quantities(), ..DeviceInfo::default() };
        self.info(DeviceInfo { device: Some(device.clone()), make: Some("rtl_433".to_owned()), ..info }, &mut bodies);
        bodies.push(readings.message(device, None, retained)?);
        Ok(bodies)
    }
}

/// Its default main topic is `watermeter`.
fn names_a_meter(main: &str) -> bool {
    let name = main.to_lowercase();
    ["meter", "zaehler", "zähler", "counter", "表"].iter().any(|word| name.contains(word))
}

fn no_error(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("no error")
}

/// A time with a zone, by a clock that was set.
fn clock(text: &str) -> Option<i64> {
    let zone = text.get(19..)?;
    if zone.contains(['Z', '+', '-']) { iso8601(text).filter(|ms| *ms >= OLDEST_CLOCK) } else { None }
}

/// What rtl_433 publishes on.
fn is_radio(topic: &str) -> bool {
    (topic.starts_with("rtl_433/") && topic.ends_with("/events")) || topic.contains("/RTL_433toMQTT")
}

fn is_glow(topic: &str) -> Option<(&str, &str)> {
    let (mac, what) = topic.strip_prefix("glow/")?.split_once('/')?;
    Some((mac, what.strip_prefix("SENSOR/").or_else(|| what.strip_prefix("STATE"))?))
}

impl Decoder for Pulse {
    fn name(&self) -> &'static str {
        "pulse"
    }
    fn prefix(&self) -> &'static str {
        PREFIX
    }
    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded {
        let long = raw.payload.len() > MAX_PAYLOAD;
        let decoded = if let Some((mac, what)) = is_glow(raw.topic) {
            if long { Err(too_long()) } else { self.glow(mac, what, raw, directory) }
        } else if is_radio(raw.topic) {
            if long { Err(too_long()) } else { Json::object(raw.payload).and_then(|j| self.radio(j, raw.retained)) }
        } else if long {
            return Decoded::NotMine;
        } else if let Some((name, medium, what)) = self.reader(raw.topic) {
            self.read(&name, medium, what, raw)
        } else if raw.payload.first() == Some(&b'{')
            && let Ok(json) = Json::object(raw.payload)
            && ["media", "meter", "id", "timestamp"].iter().all(|key| json.string(key).is_some())
        {
            self.telegram(json, raw.retained)
        } else {
            return Decoded::NotMine;
        };
        decoded.map_or_else(Decoded::Malformed, Decoded::Inputs)
    }
    fn owner(&self, topic: &str) -> Owner {
        if is_glow(topic).is_some() || is_radio(topic) {
            return Owner::Mine(None);
        }
        self.reader(topic).map_or(Owner::NotMine, |(name, ..)| Owner::Mine(device_id(PREFIX, &name)))
    }
    fn learn(&mut self, inventory: &[DeviceInfo], _: &mut Directory) {
        let own = inventory.iter().filter(|i| !i.removed && i.make.is_some()).filter_map(|i| i.device.clone());
        self.described.extend(own.filter(|d| d.as_str().starts_with(PREFIX)).take(MAX_DEVICES));
    }
}

fn too_long() -> String {
    format!("the payload is longer than {MAX_PAYLOAD} bytes")
}

#[cfg(test)]
mod tests;
