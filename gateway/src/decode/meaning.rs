//! What an entity means to the engine: its component, device class and unit, or where it gives none, its name.
use super::units::Conversion;
use tuoan_protocol::{EventKind, Quantity, id::OtherName};

/// What to make of an entity's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    Number(Quantity, Conversion),
    /// True when `on` means 0 (a lock's class: on is unlocked).
    State(Quantity, bool),
    /// Happens when it turns on, or when a message comes.
    Event(EventKind),
}

impl Meaning {
    pub fn quantity(&self) -> Option<&Quantity> {
        match self {
            Meaning::Number(q, _) | Meaning::State(q, _) => Some(q),
            Meaning::Event(_) => None,
        }
    }
}

/// Words of a name, lower case: `Kitchen PM2.5` -> kitchen, pm25.
fn words(name: &str) -> Vec<String> {
    let name = name
        .to_lowercase()
        .replace("pm2.5", "pm25")
        .replace("pm2_5", "pm25")
        .replace("pm_2_5", "pm25")
        .replace("pm_10", "pm10")
        .replace("pm_1_0", "pm1");
    let name = name.replace("pm <2.5µm", "pm25").replace("pm <10µm", "pm10").replace("pm <1µm", "pm1");
    name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).take(32).map(str::to_owned).collect()
}

/// Of a sensor. `Err`: the class is known but its unit is not, which the owner must hear of.
pub fn sensor(class: Option<&str>, unit: Option<&str>, names: &[&str], diagnostic: bool) -> Result<Option<Meaning>, String> {
    let words: Vec<String> = names.iter().flat_map(|n| words(n)).collect();
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    let unit = unit.unwrap_or_default();
    let battery = diagnostic || has(&["battery", "batt", "bat"]);
    let quantity = match class {
        // Of a processor, or no measurement at all: taken for a room's, it would be a fire.
        Some("temperature") if diagnostic || has(NOT_OF_THE_ROOM) || has(&["dew", "dewpoint", "processor", "cpu_temp"]) => return Ok(None),
        Some("temperature") => temperature(&has),
        Some("humidity") => Quantity::Humidity,
        Some("pressure" | "atmospheric_pressure") => Quantity::Pressure,
        Some("carbon_dioxide") => Quantity::Co2,
        Some("carbon_monoxide") => Quantity::Co,
        Some("pm1") => Quantity::Pm1,
        Some("pm25") => Quantity::Pm25,
        Some("pm10") => Quantity::Pm10,
        Some("volatile_organic_compounds") => match unit {
            "" | "1" => Quantity::VocIndex,
            _ if has(&["formaldehyde", "hcho", "formaldehyd"]) => Quantity::Formaldehyde,
            _ => Quantity::Tvoc,
        },
        Some("volatile_organic_compounds_parts") if has(&["formaldehyde", "hcho", "formaldehyd"]) => Quantity::Formaldehyde,
        // A sum of compounds has no molar mass: kept by its own name, not judged as mg/m³.
        Some("volatile_organic_compounds_parts") => match OtherName::new("tvoc_ppb") {
            Ok(name) => Quantity::Other(name),
            Err(_) => return Ok(None),
        },
        Some("sound_pressure") => Quantity::SoundLevel,
        Some("illuminance") => Quantity::Illuminance,
        Some("battery") => Quantity::Battery,
        Some("voltage") if battery => Quantity::BatteryVoltage,
        Some("voltage") => Quantity::Voltage,
        Some("current") => Quantity::Current,
        Some("power") => Quantity::Power,
        Some("energy") => Quantity::Energy,
        Some("gas") => Quantity::GasVolume,
        Some("water") => Quantity::WaterVolume,
        Some("volume_flow_rate") if has(&["gas"]) => Quantity::GasFlow,
        Some("volume_flow_rate") => Quantity::WaterFlow,
        Some("volume") if has(&["gas"]) => Quantity::GasVolume,
        Some("volume") if has(&["water"]) => Quantity::WaterVolume,
        Some("distance") => Quantity::Distance,
        Some("signal_strength") if unit.eq_ignore_ascii_case("lqi") => Quantity::LinkQuality,
        Some("signal_strength") if matches!(unit, "%" | "") || has(&["snr", "noise"]) => return Ok(None),
        Some("signal_strength") => Quantity::SignalStrength,
        // Another class: of no use to the engine.
        Some(_) => return Ok(None),
        None => match unclassed(unit, &has, battery) {
            Some(q) => q,
            None => return Ok(None),
        },
    };
    match Conversion::of(&quantity, unit) {
        Ok(conversion) => Ok(Some(Meaning::Number(quantity, conversion))),
        // By its name alone it was only a guess.
        Err(_) if class.is_none() => Ok(None),
        // Some say `power` of kWh; the unit knows better.
        Err(reason) => match unclassed(unit, &has, battery).and_then(|q| Some((Conversion::of(&q, unit).ok()?, q))) {
            Some((conversion, q)) => Ok(Some(Meaning::Number(q, conversion))),
            None => Err(reason),
        },
    }
}

fn temperature(has: &impl Fn(&[&str]) -> bool) -> Quantity {
    if has(&["fridge", "freezer", "refrigerator"]) {
        Quantity::FridgeTemperature
    } else if has(&["body", "forehead", "ear"]) {
        Quantity::BodyTemperature
    } else if has(&["water", "hotwater", "dhw"]) {
        Quantity::WaterTemperature
    } else {
        Quantity::Temperature
    }
}

/// Names of settings, and of what a device measures in itself.
const NOT_OF_THE_ROOM: &[&str] =
    &["setpoint", "target", "offset", "calibration", "threshold", "limit", "min", "max", "cpu", "chip", "internal", "esp32"];
/// Heating at work: publishers use the class `heat` for it too.
const HEATING: &[&str] =
    &["heating", "heater", "heat_pump", "boiler", "flame", "burner", "defrost", "demand", "preheat", "thermostat", "hvac", "climate"];

/// By name and unit: ESPHome without discovery gives only the name.
fn unclassed(unit: &str, has: &impl Fn(&[&str]) -> bool, battery: bool) -> Option<Quantity> {
    let bare = unit.is_empty();
    let one = |units: &[&str]| bare || units.contains(&unit);
    Some(if has(NOT_OF_THE_ROOM) {
        return None;
    } else if has(&["co2", "carbondioxide", "eco2"]) || has(&["dioxide"]) {
        Quantity::Co2
    } else if has(&["hcho", "formaldehyde", "formaldehyd", "ch2o"]) {
        Quantity::Formaldehyde
    } else if has(&["tvoc"]) && unit != "ppb" {
        Quantity::Tvoc
    } else if has(&["voc"]) && has(&["index"]) {
        Quantity::VocIndex
    } else if has(&["pm25"]) {
        Quantity::Pm25
    } else if has(&["pm10"]) {
        Quantity::Pm10
    } else if has(&["pm1"]) {
        Quantity::Pm1
    } else if matches!(unit, "°C" | "°F" | "K" | "℃" | "C" | "F") || (bare && has(&["temperature", "temp", "tempc"])) {
        temperature(has)
    } else if has(&["humidity", "hum", "rh"]) && one(&["%"]) {
        Quantity::Humidity
    } else if has(&["battery", "batt", "bat"]) && one(&["%"]) {
        Quantity::Battery
    } else if matches!(unit, "hPa" | "kPa" | "mbar") || (bare && has(&["pressure", "barometer"])) {
        Quantity::Pressure
    } else if matches!(unit, "lx" | "lux") || (bare && has(&["illuminance", "lux", "lightlevel"])) {
        Quantity::Illuminance
    } else if matches!(unit, "dB" | "dBA" | "dB(A)") || (bare && has(&["noise", "sound", "loudness"])) {
        Quantity::SoundLevel
    } else if unit == "dBm" || (bare && has(&["rssi"])) || (bare && has(&["wifi"]) && has(&["signal"])) {
        Quantity::SignalStrength
    } else if matches!(unit, "W" | "kW") || (bare && has(&["power"]) && !has(&["factor"])) {
        Quantity::Power
    } else if matches!(unit, "kWh" | "Wh") || (bare && has(&["energy"])) {
        Quantity::Energy
    } else if matches!(unit, "V" | "mV") || (bare && has(&["voltage"])) {
        if battery { Quantity::BatteryVoltage } else { Quantity::Voltage }
    } else if matches!(unit, "A" | "mA") || (bare && has(&["current"])) {
        Quantity::Current
    } else if matches!(unit, "L/min" | "L/h") && has(&["water", "flow"]) {
        Quantity::WaterFlow
    } else if unit == "m³/h" && has(&["gas"]) {
        Quantity::GasFlow
    } else if matches!(unit, "m³" | "L" | "ft³" | "gal") && has(&["gas"]) {
        Quantity::GasVolume
    } else if matches!(unit, "m³" | "L" | "gal" | "ft³") && has(&["water"]) {
        Quantity::WaterVolume
    } else if has(&["carbonmonoxide"]) || (has(&["co"]) && one(&["ppm", "ppb", "mg/m³"])) {
        Quantity::Co
    } else {
        return None;
    })
}

/// Of a binary sensor.
pub fn binary(class: Option<&str>, names: &[&str]) -> Option<Meaning> {
    let words: Vec<String> = names.iter().flat_map(|n| words(n)).collect();
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    let state = |q| Some(Meaning::State(q, false));
    match class {
        Some("smoke") => state(Quantity::Smoke),
        Some("gas") => state(Quantity::Gas),
        Some("carbon_monoxide") => state(Quantity::CoAlarm),
        Some("moisture") => state(Quantity::WaterLeak),
        Some("heat") if has(HEATING) => None,
        Some("heat") => state(Quantity::Heat),
        Some("door" | "window" | "opening" | "garage_door") => state(Quantity::Open),
        // On is unlocked.
        Some("lock") => Some(Meaning::State(Quantity::Locked, true)),
        Some("motion" | "moving") => state(Quantity::Motion),
        Some("occupancy" | "presence") => state(Quantity::Presence),
        Some("vibration") => state(Quantity::Vibration),
        Some("tamper") => state(Quantity::Tamper),
        Some("power") if has(&["mains", "grid", "supply", "input"]) => state(Quantity::Mains),
        Some("problem") if !has(&["battery", "batt", "low"]) => state(Quantity::Fault),
        Some("safety") | None if has(&["sos", "panic", "emergency"]) => Some(Meaning::Event(EventKind::PanicPressed)),
        None if has(&["smoke"]) => state(Quantity::Smoke),
        None if has(&["gas"]) => state(Quantity::Gas),
        None if has(&["leak", "flood"]) => state(Quantity::WaterLeak),
        None if has(&["motion", "pir"]) => state(Quantity::Motion),
        None if has(&["presence", "occupancy", "mmwave"]) => state(Quantity::Presence),
        None if has(&["door", "window"]) => state(Quantity::Open),
        None if has(&["vibration"]) => state(Quantity::Vibration),
        None if has(&["tamper"]) => state(Quantity::Tamper),
        None if has(&["carbonmonoxide"]) => state(Quantity::CoAlarm),
        _ => None,
    }
}

/// Of what is switched: only what a rule asks for.
pub fn switched(component: &str, class: Option<&str>, names: &[&str]) -> Option<Meaning> {
    let words: Vec<String> = names.iter().flat_map(|n| words(n)).collect();
    let has = |list: &[&str]| words.iter().any(|w| list.iter().any(|part| w == part || !part.is_ascii() && w.contains(part)));
    let state = |q| Some(Meaning::State(q, false));
    match component {
        "siren" => state(Quantity::Siren),
        "switch" | "light" if has(&["uv", "uvc", "germicidal", "紫外", "消毒灯"]) => state(Quantity::UvLamp),
        "switch" if class == Some("siren") || has(&["siren", "horn", "sounder", "警号", "警铃", "声光"]) => state(Quantity::Siren),
        // One of several of its node: only the name says that it is the one which orders are for.
        "switch" if has(&["beacon", "strobe", "警示灯", "警灯"]) => state(Quantity::SwitchedOn),
        "switch" if has(&["valve", "阀"]) => state(Quantity::Valve),
        _ => None,
    }
}

/// Which hazard a detector with that description is for, where it calls its alarm just that.
pub fn hazard(description: &str) -> Option<Quantity> {
    let words = words(description);
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    Some(if has(&["smoke"]) {
        Quantity::Smoke
    } else if has(&["co"]) || (has(&["carbon"]) && has(&["monoxide"])) {
        Quantity::CoAlarm
    } else if has(&["gas"]) {
        Quantity::Gas
    } else if has(&["leak", "leakage", "flood", "water"]) {
        Quantity::WaterLeak
    } else if has(&["heat"]) {
        Quantity::Heat
    } else {
        return None;
    })
}

/// Whether a sensor with that description sees who does not move.
pub fn is_radar(description: &str) -> bool {
    words(description).iter().any(|w| matches!(w.as_str(), "radar" | "mmwave" | "presence" | "microwave"))
}

/// What a button did, by the name that its maker gives it. Movements and releases are no presses.
pub fn press(name: &str) -> EventKind {
    let lower = name.to_lowercase();
    let has = |part: &str| lower.contains(part);
    if words(&lower).iter().any(|w| matches!(w.as_str(), "sos" | "panic" | "emergency")) {
        return EventKind::PanicPressed;
    }
    let no_press = ["release", "rotat", "vibration", "tilt", "drop", "shake", "slide", "fall", "flip"].iter().any(|p| has(p));
    match OtherName::new(name) {
        Ok(other) if no_press => EventKind::Other(other),
        _ => EventKind::ButtonPressed,
    }
}

/// The channel that a name asks for: `temperature_2`, `l1`, `Probe 3`. A number that is part of a quantity's name (`co2`, `pm10`) is none.
pub fn channel(name: &str) -> Option<u8> {
    let words = words(name);
    let last = words.last()?;
    let digits = last.strip_prefix('l').or_else(|| last.strip_prefix("ch")).or_else(|| last.strip_prefix("channel")).unwrap_or(last);
    // `unique_id`s end in hashes and addresses.
    if words.len() < 2 && digits.len() == last.len() || digits.len() > 2 {
        return None;
    }
    digits.parse().ok().filter(|n| *n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings() {
        let name = |class, unit, n: &str| match sensor(class, unit, &[n], false) {
            Ok(Some(m)) => m.quantity().unwrap().name().to_owned(),
            Ok(None) => "-".to_owned(),
            Err(e) => e,
        };
        for (class, unit, n, want) in [
            (Some("temperature"), Some("°F"), "Room", "temperature"),
            (Some("temperature"), Some("°C"), "Fridge", "fridge_temperature"),
            (Some("carbon_dioxide"), Some("ppm"), "x", "co2"),
            (Some("volatile_organic_compounds_parts"), Some("ppb"), "VOC", "tvoc_ppb"),
            (Some("volatile_organic_compounds_parts"), Some("ppb"), "Formaldehyde", "hcho"),
            (Some("voltage"), Some("V"), "Battery voltage", "battery_voltage"),
            (Some("power"), Some("kWh"), "Energy today", "energy"),
            (Some("duration"), Some("s"), "Uptime", "-"),
            (None, Some("ppm"), "mhz19_co2", "co2"),
            (None, None, "PM <2.5µm Weight concentration", "pm25"),
            (None, Some("°C"), "ESP32 internal temperature", "-"),
            (None, Some("%"), "Humidity", "humidity"),
            (None, Some("rpm"), "Fan", "-"),
        ] {
            assert_eq!(name(class, unit, n), want, "{class:?} {unit:?} {n}");
        }
        assert!(sensor(Some("temperature"), Some("bananas"), &["x"], false).unwrap_err().contains("bananas"));
    }

    #[test]
    fn channels() {
        for (n, want) in [
            ("temperature_2", Some(2)),
            ("temperature", None),
            ("co2", None),
            ("pm10", None),
            ("pm2_5", None),
            ("state_l1", Some(1)),
            ("l3", Some(3)),
            ("0x00158d0001234567_temperature", None),
            ("Probe 3", Some(3)),
            ("x_123456", None),
        ] {
            assert_eq!(channel(n), want, "{n}");
        }
    }
}
