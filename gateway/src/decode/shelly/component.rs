//! Components of a device: `temperature:0 {"id":0,"tC":29.9,"tF":85.8}`. The number behind the colon is the channel.
use crate::decode::json::Json;
use crate::decode::readings::Readings;
use tuoan_protocol::Quantity;
use tuoan_protocol::id::OtherName;

/// Kinds of components that only a Shelly has on a topic `.../status/<kind>:<number>`.
const KINDS: [&str; 24] = [
    "temperature",
    "humidity",
    "devicepower",
    "smoke",
    "flood",
    "voltmeter",
    "switch",
    "cover",
    "light",
    "rgb",
    "rgbw",
    "cct",
    "pm1",
    "em",
    "em1",
    "emdata",
    "em1data",
    "input",
    "illuminance",
    "presencezone",
    "bthomedevice",
    "bthomesensor",
    "blutrv",
    "script",
];

/// `switch:0` and the like.
pub fn is_own(component: &str) -> bool {
    component.split_once(':').is_some_and(|(kind, n)| KINDS.contains(&kind) && !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// What a component's status says. Unknown kinds (cloud, scripts, virtual components) say nothing.
pub fn read(key: &str, status: Json<'_>, readings: &mut Readings) {
    let (kind, number) = key.split_once(':').unwrap_or((key, "0"));
    let Ok(number) = number.parse::<u16>() else { return };
    let channel = u8::try_from(number).unwrap_or(u8::MAX);
    let mut add = |path: &[&str], quantity: Quantity, channel: u8, unit: &str| {
        if let Some(value) = status.at(path) {
            readings.add(&format!("{key}.{}", path.join(".")), quantity, channel, &value.scalar(), unit);
        }
    };
    match kind {
        "temperature" => add(&["tC"], Quantity::Temperature, channel, "°C"),
        "humidity" => add(&["rh"], Quantity::Humidity, channel, "%"),
        "devicepower" => {
            add(&["battery", "percent"], Quantity::Battery, channel, "%");
            add(&["battery", "V"], Quantity::BatteryVoltage, channel, "V");
        }
        "smoke" => add(&["alarm"], Quantity::Smoke, channel, ""),
        "flood" => add(&["alarm"], Quantity::WaterLeak, channel, ""),
        "voltmeter" => add(&["voltage"], Quantity::Voltage, channel, "V"),
        "illuminance" => add(&["lux"], Quantity::Illuminance, channel, "lx"),
        // Dynamic components count from 200.
        "presencezone" => {
            let channel = channel.saturating_sub(200);
            add(&["value"], Quantity::Presence, channel, "");
            add(&["num_objects"], Quantity::People, channel, "");
        }
        "wifi" => add(&["rssi"], Quantity::SignalStrength, 0, "dBm"),
        // `temperature` in these is that of the device inside, no room's.
        "switch" | "cover" | "light" | "rgb" | "rgbw" | "cct" | "pm1" => {
            add(&["apower"], Quantity::Power, channel, "W");
            add(&["voltage"], Quantity::Voltage, channel, "V");
            add(&["current"], Quantity::Current, channel, "A");
            add(&["aenergy", "total"], Quantity::Energy, channel, "Wh");
            if let Some(on) = status.get("output").and_then(|v| v.scalar().state()) {
                // Only a `switch` is what `Switch.Set` sets: a light beside it has the same number.
                match kind {
                    "switch" => readings.state(Quantity::SwitchedOn, channel, on),
                    _ => readings.named_state("relay", channel, on),
                }
            }
        }
        // One meter of three phases: channel 0 is all of them together.
        "em" => {
            add(&["total_act_power"], Quantity::Power, 0, "W");
            for (phase, channel) in [("a", 1), ("b", 2), ("c", 3)] {
                add(&[&format!("{phase}_act_power")], Quantity::Power, channel, "W");
                add(&[&format!("{phase}_voltage")], Quantity::Voltage, channel, "V");
                add(&[&format!("{phase}_current")], Quantity::Current, channel, "A");
            }
        }
        "emdata" => {
            add(&["total_act"], Quantity::Energy, 0, "Wh");
            for (phase, channel) in [("a", 1), ("b", 2), ("c", 3)] {
                add(&[&format!("{phase}_total_act_energy")], Quantity::Energy, channel, "Wh");
            }
        }
        "em1" => {
            add(&["act_power"], Quantity::Power, channel, "W");
            add(&["voltage"], Quantity::Voltage, channel, "V");
            add(&["current"], Quantity::Current, channel, "A");
        }
        "em1data" => add(&["total_act_energy"], Quantity::Energy, channel, "Wh"),
        // What is wired to an input is the owner's to know.
        "input" => {
            if let Ok(name) = OtherName::new("pulses") {
                add(&["counts", "total"], Quantity::Other(name), channel, "");
            }
            if let Some(on) = status.get("state").and_then(|v| v.scalar().state()) {
                readings.named_state("input", channel, on);
            }
        }
        _ => {}
    }
}
