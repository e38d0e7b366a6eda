//! The day as data (`demo-data/day.toml`): what devices measure, how doors move, what is staged, what is known beforehand.
use crate::engine::site::Site;
use serde::Deserialize;
use std::collections::BTreeSet;
use tuoan_protocol::{DeviceId, HazardId, Quantity, ZoneId};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Day {
    /// Local date of the played day, "2026-02-09".
    pub date: String,
    pub from: TimeOfDay,
    pub to: TimeOfDay,
    /// Seconds by which the clock advances at once.
    pub step_s: u32,
    /// Seed of all jitter, unless another is given on the command line.
    pub seed: u64,
    pub device: Vec<Device>,
    #[serde(default)]
    pub camera: Vec<Camera>,
    #[serde(default)]
    pub rhythm: Vec<Rhythm>,
    #[serde(default)]
    pub staged: Vec<Staged>,
    #[serde(default)]
    pub sweep: Vec<Sweep>,
    #[serde(default)]
    pub natural: Vec<Natural>,
    /// Played on demand only: see [`super::nursery::Nursery::noisy`].
    #[serde(default)]
    pub noise: Vec<Noise>,
}

/// Seconds since local midnight; written "07:30" or "07:30:15".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeOfDay(pub u32);

impl TryFrom<String> for TimeOfDay {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        parse_time(&s).map(TimeOfDay).ok_or_else(|| format!("{s:?} is no time of day; write it as \"07:30\" or \"07:30:15\""))
    }
}

impl std::fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.0 / 3600, self.0 / 60 % 60, self.0 % 60)
    }
}

/// "08:00-11:00", local time; the end is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span {
    pub from: u32,
    pub to: u32,
}

impl Span {
    pub fn holds(self, second: u32) -> bool {
        (self.from..self.to).contains(&second)
    }
}

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.split_once('-')
            .and_then(|(a, b)| Some(Span { from: parse_time(a)?, to: parse_time(b)? }))
            .filter(|span| span.from < span.to)
            .ok_or_else(|| format!("{s:?} are no hours; write them as \"08:00-11:00\""))
    }
}

fn parse_time(s: &str) -> Option<u32> {
    let mut parts = s.split(':').map(|p| p.parse::<u32>().ok());
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    (parts.next().is_none() && h < 24 && m < 60 && s < 60).then_some(h * 3600 + m * 60 + s)
}

/// How a device speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// Native topics, JSON; the device has a clock.
    Json,
    /// Native topics, CBOR; the device has no clock and says its uptime.
    Cbor,
    /// Through the simulated bridge, by Zigbee2MQTT's convention.
    Zigbee2mqtt,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    pub id: DeviceId,
    pub wire: Wire,
    /// Zigbee2MQTT's friendly name.
    #[serde(default)]
    pub name: Option<String>,
    pub make: String,
    pub model: String,
    pub measure: Vec<Measure>,
}

/// A camera that plays a clip of `demo-data/cameras/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    pub id: DeviceId,
    /// Folder of the clip.
    pub clip: String,
    /// The frame that is shown when nobody is there.
    pub still: u32,
    #[serde(default)]
    pub scene: Vec<Scene>,
}

/// Frames of the clip, first and last, shown in turn, one a step, while it lasts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    pub during: Span,
    pub frames: (u32, u32),
}

/// One quantity of a device, and where its values come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "MeasureKeys")]
pub struct Measure {
    pub quantity: Quantity,
    pub source: Source,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Replayed by time of day, as `scale · value + offset`.
    Recorded {
        recording: String,
        day: String,
        column: String,
        scale: f64,
        offset: f64,
    },
    /// A seeded random walk within `around ± wander`.
    Around {
        around: f64,
        wander: f64,
    },
    Is(f64),
    /// 1 within these hours, otherwise 0.
    During(Vec<Span>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasureKeys {
    quantity: Quantity,
    recording: Option<String>,
    day: Option<String>,
    column: Option<String>,
    scale: Option<f64>,
    offset: Option<f64>,
    around: Option<f64>,
    wander: Option<f64>,
    is: Option<f64>,
    during: Option<Vec<Span>>,
}

impl TryFrom<MeasureKeys> for Measure {
    type Error = String;
    fn try_from(k: MeasureKeys) -> Result<Self, String> {
        let source = match (k.recording, k.day, k.column, k.around, k.is, k.during) {
            (Some(recording), Some(day), Some(column), None, None, None) => {
                Source::Recorded { recording, day, column, scale: k.scale.unwrap_or(1.0), offset: k.offset.unwrap_or(0.0) }
            }
            (None, None, None, Some(around), None, None) => Source::Around { around, wander: k.wander.unwrap_or(0.0) },
            (None, None, None, None, Some(is), None) => Source::Is(is),
            (None, None, None, None, None, Some(during)) => Source::During(during),
            _ => {
                return Err(format!(
                    "measure {}: give exactly one of `recording` with `day` and `column`, `around`, `is`, `during`",
                    k.quantity.name()
                ));
            }
        };
        Ok(Measure { quantity: k.quantity, source })
    }
}

/// A door that opens every so often for a while; both are jittered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rhythm {
    pub device: DeviceId,
    pub from: TimeOfDay,
    pub to: TimeOfDay,
    /// Mean seconds between openings.
    pub every_s: u32,
    /// Shortest and longest seconds it stays open.
    pub open_s: (u32, u32),
}

/// A sensor that cannot make up its mind: it turns on and off by turns, each for a jittered while. No incident may come of it but those that are promised.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    pub device: DeviceId,
    pub quantity: Quantity,
    pub during: Span,
    /// Shortest and longest seconds between two turns.
    pub every_s: (u32, u32),
    pub why: Text,
}

/// A hazard that is made to happen, and the one incident that it must become.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staged {
    pub hazard: HazardId,
    pub zone: ZoneId,
    pub at: TimeOfDay,
    #[serde(default)]
    pub until: Option<TimeOfDay>,
    #[serde(default)]
    pub device: Option<DeviceId>,
    /// The device measures this between `at` and `until`.
    #[serde(default)]
    pub set: Option<Set>,
    /// The device says nothing between `at` and `until`.
    #[serde(default)]
    pub silent: bool,
    /// The camera is covered between `at` and `until`.
    #[serde(default)]
    pub cover: bool,
    /// The panic button is pressed at `at`.
    #[serde(default)]
    pub press: bool,
    /// A person reports a concern about the zone at `at`.
    #[serde(default)]
    pub report: Option<String>,
    /// A person ends the panic alarm.
    #[serde(default)]
    pub settle: Option<Settle>,
    /// A carer acknowledges the incident.
    #[serde(default)]
    pub acknowledge: Option<TimeOfDay>,
    pub say: Text,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    pub quantity: Quantity,
    pub to: f64,
    /// Minutes of the way up from the underlying value, and of the way back before `until`; 0: at once.
    #[serde(default)]
    pub ramp_min: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    pub at: TimeOfDay,
    pub reason: String,
}

/// 已清场: a carer signs that these rooms are empty.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    pub at: TimeOfDay,
    pub zones: Vec<ZoneId>,
}

/// An incident that the recordings cause by themselves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Natural {
    pub hazard: HazardId,
    pub zone: ZoneId,
    /// How often within the day.
    #[serde(default = "once")]
    pub incidents: u64,
    pub why: Text,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub zh: String,
    pub en: String,
}

fn once() -> u64 {
    1
}

impl Day {
    /// # Errors
    /// What TOML or serde says of it, with line and column.
    pub fn parse(toml: &str) -> Result<Day, String> {
        toml::from_str(toml).map_err(|e| e.to_string())
    }

    /// Everything in which the day and the site disagree; empty when it can be played.
    pub fn problems(&self, site: &Site) -> Vec<String> {
        let mut out = Vec::new();
        let zones: BTreeSet<&ZoneId> = site.zones.iter().map(|z| &z.id).collect();
        let placed: BTreeSet<&DeviceId> = site.devices.iter().map(|d| &d.id).collect();
        let mut known = BTreeSet::new();
        if self.step_s == 0 || self.from >= self.to {
            out.push("`step_s` must be at least 1 and `from` before `to`".to_owned());
        }
        if super::midnight_utc_ms(&self.date, site.utc_offset_minutes).is_none() {
            out.push(format!("date {:?}: write it as \"2026-02-09\"", self.date));
        }
        for d in &self.device {
            if !known.insert(&d.id) {
                out.push(format!("device {} is listed twice", d.id));
            }
            if !placed.contains(&d.id) {
                out.push(format!("device {} hangs nowhere: give it a place in site.toml", d.id));
            }
            if d.wire == Wire::Zigbee2mqtt && (d.name.is_none() || super::wire::ieee_address(&d.id).is_none()) {
                out.push(format!("device {}: a Zigbee device needs a `name` and an id like z2m.0x00158d0009000001", d.id));
            }
        }
        for c in &self.camera {
            if !known.insert(&c.id) {
                out.push(format!("camera {} is listed twice", c.id));
            }
            if !placed.contains(&c.id) || !site.cameras.iter().any(|s| s.device == c.id.as_str()) {
                out.push(format!("camera {} needs a place and a [[cameras]] entry in site.toml", c.id));
            }
        }
        for s in &site.devices {
            if !known.contains(&s.id) {
                out.push(format!("device {} of site.toml is not simulated: describe it in day.toml", s.id));
            }
        }
        for r in &self.rhythm {
            if !known.contains(&r.device) {
                out.push(format!("rhythm: there is no device {}", r.device));
            }
            if r.every_s == 0 || r.open_s.0 > r.open_s.1 || r.from >= r.to {
                out.push(format!("rhythm of {}: `every_s` above 0, `open_s` ascending, `from` before `to`", r.device));
            }
        }
        for n in &self.noise {
            if !self.device.iter().any(|d| d.id == n.device && d.measure.iter().any(|m| m.quantity == n.quantity)) {
                out.push(format!("noise: there is no device {} that measures {}", n.device, n.quantity.name()));
            }
            if n.every_s.0 == 0 || n.every_s.0 > n.every_s.1 {
                out.push(format!("noise of {}: `every_s` ascending and above 0", n.device));
            }
        }
        let mut pairs = BTreeSet::new();
        for (hazard, zone) in self.staged.iter().map(|s| (&s.hazard, &s.zone)).chain(self.natural.iter().map(|n| (&n.hazard, &n.zone))) {
            if !zones.contains(zone) {
                out.push(format!("{hazard}: there is no zone {zone}"));
            }
            if !pairs.insert((hazard, zone)) {
                out.push(format!("{hazard} in {zone} is listed twice: the report could not tell the two apart"));
            }
        }
        for s in &self.staged {
            self.staged_problems(s, &known, &mut out);
        }
        for z in self.sweep.iter().flat_map(|s| &s.zones).filter(|z| !zones.contains(z)) {
            out.push(format!("sweep: there is no zone {z}"));
        }
        out
    }

    fn staged_problems(&self, s: &Staged, known: &BTreeSet<&DeviceId>, out: &mut Vec<String>) {
        let what = format!("staged {} in {}", s.hazard, s.zone);
        if s.at < self.from || s.until.unwrap_or(s.at) > self.to {
            out.push(format!("{what}: not within the day"));
        }
        let ways = usize::from(s.set.is_some())
            + usize::from(s.cover)
            + usize::from(s.silent)
            + usize::from(s.press)
            + usize::from(s.report.is_some());
        if ways != 1 {
            out.push(format!("{what}: give exactly one of `set`, `cover`, `silent`, `press`, `report`"));
        }
        if (s.set.is_some() || s.cover || s.silent) && s.until.is_none_or(|u| u <= s.at) {
            out.push(format!("{what}: needs an `until` after `at`"));
        }
        if s.report.is_none() && !s.device.as_ref().is_some_and(|d| known.contains(d)) {
            out.push(format!("{what}: needs the `device` that shows it"));
        }
        if let Some(set) = &s.set
            && !self.device.iter().any(|d| Some(&d.id) == s.device.as_ref() && d.measure.iter().any(|m| m.quantity == set.quantity))
        {
            out.push(format!("{what}: the device does not measure {}", set.quantity.name()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{DAY, SITE};

    fn site() -> Site {
        toml::from_str(SITE).unwrap()
    }

    #[test]
    fn the_built_in_day_fits_the_built_in_site() {
        let day = Day::parse(DAY).unwrap();
        assert_eq!(day.problems(&site()), Vec::<String>::new());
        let kinds: BTreeSet<_> = day.staged.iter().map(|s| s.hazard.as_str()).collect();
        assert!(kinds.len() >= 10, "{kinds:?}");
        let wires: Vec<_> = day.device.iter().map(|d| d.wire).collect();
        for wire in [Wire::Json, Wire::Cbor, Wire::Zigbee2mqtt] {
            assert!(wires.contains(&wire), "{wire:?}");
        }
    }

    #[test]
    fn every_disagreement_is_reported_at_once() {
        let mut day = Day::parse(DAY).unwrap();
        day.step_s = 0;
        day.date = "Monday".to_owned();
        day.staged[0].zone = ZoneId::new("moon").unwrap();
        day.staged[1].until = None;
        day.staged[2].silent = true;
        day.natural.push(day.natural[0].clone());
        day.device.pop();
        let all = day.problems(&site()).join("\n");
        for part in ["step_s", "Monday", "no zone moon", "needs an `until`", "exactly one of", "listed twice", "is not simulated"] {
            assert!(all.contains(part), "{part} is missing in:\n{all}");
        }
    }

    #[test]
    fn times_are_strict() {
        assert_eq!(parse_time("07:30"), Some(27_000));
        assert_eq!(parse_time("07:30:15"), Some(27_015));
        for bad in ["7", "24:00", "07:60", "07:30:60", "07:30:00:00", "a:b", ""] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
        assert!(Span::try_from("11:00-08:00".to_owned()).is_err());
    }
}
