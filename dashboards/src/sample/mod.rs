//! Made-up pages for the gallery and the tests: every state a page can be in, and names that try to break out of the HTML.
mod cameras;
mod evidence;
mod home;
mod incident;
mod people;
mod platform;
mod quality;
mod rules;
mod setup;
mod tasks;

use crate::lang::Text;
use crate::view::Incident;
use crate::view::alarm::*;
use crate::view::gateway::*;
pub use cameras::*;
pub use evidence::*;
pub use home::*;
pub use incident::*;
pub use people::*;
pub use platform::*;
pub use quality::*;
pub use rules::*;
pub use setup::*;
pub use tasks::*;
use tuoan_protocol::{Basis, Fixed, IncidentState, Quantity, Severity};

/// 2026-11-24 14:32:05 in China.
pub const NOW: i64 = 1_795_501_925_000;

/// Must never appear unescaped.
pub const EVIL: &str = "<script>alert('x')</script>\"><img src=x onerror=y>";

pub fn incident(id: &str, hazard: &str, place: &str, severity: Severity, age_s: i64) -> Incident {
    Incident {
        id: id.into(),
        sequence: 3,
        hazard: hazard.into(),
        title: Text::default(),
        advice: Text::default(),
        place: place.into(),
        device: Some("climate-2".into()),
        severity,
        basis: Basis::Confirmed,
        state: IncidentState { active: true, acknowledged: false, closed: false, inhibited: None },
        opened_at: NOW - age_s * 1000,
        changed_at: NOW - age_s * 1000,
        trigger: None,
        activations: 1,
        cancellable: false,
        acknowledged_by: None,
        affected: Vec::new(),
        life: Life::default(),
    }
}

fn sensor(device: &str, quantity: Quantity, value: i64, age_s: i64) -> Sensor {
    Sensor {
        device: device.into(),
        quantity,
        channel: 0,
        value: Fixed(value),
        at: NOW - age_s * 1000,
        freshness: Freshness::Fresh,
        alarming: false,
        doubt: None,
        uncertainty_ms: None,
    }
}

fn device(id: &str, name: &str, heard_s: i64, battery: Option<i64>) -> Device {
    Device {
        id: id.into(),
        name: Some(name.into()),
        make: Some("Aqara".into()),
        model: Some("MCCGQ11LM".into()),
        battery,
        last_heard: Some(NOW - heard_s * 1000),
        lost: false,
        upkeep: Upkeep {
            firmware: Some("3000-0001".into()),
            hardware: Some("rp2040-w5500/e66138528361b32a".into()),
            started: Some(("watchdog".into(), NOW - 3_600_000)),
            resets: vec![("watchdog", 2)],
            quantities: vec![Quantity::Open, Quantity::Battery],
            period: Some((3_000_000, "learned")),
            clock: Some((240_000, 1_500)),
            battery_days: battery.map(|b| (b as u64 * 3, b as u64 * 2, None)),
            duplicate: 2,
            late: 5,
            implausible: 1,
            via: Some("z2m.bridge".into()),
        },
        out: None,
        form: None,
    }
}

fn climate(temperature: i64, humidity: i64, co2: i64) -> Vec<Sensor> {
    vec![
        sensor("climate", Quantity::Temperature, temperature, 12),
        sensor("climate", Quantity::Humidity, humidity, 12),
        sensor("climate", Quantity::Co2, co2, 12),
    ]
}

fn zone(id: &str, name: &str, kind: &'static str, phase: &'static str, sensors: Vec<Sensor>) -> Zone {
    Zone { id: id.into(), name: name.into(), kind, phase, sensors, ..Zone::default() }
}

fn people() -> Vec<String> {
    ["王老师", "陈老师", "李园长", "周副园长"].map(str::to_owned).into()
}
