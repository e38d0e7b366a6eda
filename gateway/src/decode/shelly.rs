//! Shelly, second generation and later: `<prefix>/events/rpc` (notifications), `<prefix>/status/<component>`, `<prefix>/online`, and the answers to
//! `GetDeviceInfo`, `GetStatus`, `GetConfig` and `GetComponents` on `.../rpc`.
//!
//! A device's id is `shelly.<its topic prefix>`, for only some topics say more; without the owner's own prefix that is its type and MAC. Bluetooth
//! (BLU) devices are `shelly.blu.<MAC>`, through whichever gateways they are heard.
//! Format: <https://shelly-api-docs.shelly.cloud/gen2/> (version 1.7).
use super::ident::{device_id, removed, short};
use super::json::Json;
use super::readings::Readings;
use super::{Decoded, Decoder, Directory, Owner, Raw};
use crate::engine::input::{Body, DeviceInfo};
use std::collections::{BTreeMap, BTreeSet};
use tuoan_protocol::decimal::Decimal;
use tuoan_protocol::{DeviceId, EventKind, Presence, Quantity};

mod blu;
mod component;

const PREFIX: &str = "shelly.";
/// A full status of a device with many components has a few KiB; `GetComponents` comes in pages.
const MAX_PAYLOAD: usize = 32 << 10;
/// Devices remembered at most.
const MAX_DEVICES: usize = 1000;
/// 2020-01-01: a device that has not asked for the time yet counts from its start.
const OLDEST_CLOCK: i64 = 1_577_836_800_000;

#[derive(Default)]
pub struct Shelly {
    /// Topic prefixes of devices that were heard, and the MAC where it is known.
    devices: BTreeMap<String, Known>,
    /// What Bluetooth components stand for.
    blu: blu::Registry,
    /// Components that report errors.
    faulty: BTreeSet<(DeviceId, String)>,
    /// Meters: their `temperature:0` is that of the device inside, no room's.
    meters: BTreeSet<DeviceId>,
    /// Devices that have had a supply: on the others, which run on batteries all their life, its absence is no news.
    supplied: BTreeSet<DeviceId>,
}

#[derive(Default)]
struct Known {
    mac: Option<String>,
    described: bool,
}

/// A topic taken apart.
struct Place<'a> {
    prefix: &'a str,
    what: What<'a>,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Events,
    Online,
    Status(&'a str),
    /// All components at once, when somebody has asked (`status_update`).
    All,
    /// Requests to a device and answers to whoever asked.
    Rpc,
    Announce,
    /// Orders heard again, debug logs.
    Nothing,
}

/// How much of a status a message holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// What has changed.
    Part,
    Whole,
}

impl Shelly {
    /// By topics that nobody else has, or whose prefix is a Shelly's.
    fn place<'a>(&self, topic: &'a str) -> Option<Place<'a>> {
        let known = |prefix: &str| self.devices.contains_key(prefix) || prefix.rsplit('/').next().is_some_and(named);
        let at = |prefix, what| Some(Place { prefix, what });
        if let Some(prefix) = topic.strip_suffix("/events/rpc") {
            return at(prefix, What::Events);
        }
        if let Some((prefix, component)) = topic.rsplit_once("/status/")
            && !component.contains('/')
            && (known(prefix) || component::is_own(component))
        {
            return at(prefix, What::Status(component));
        }
        let (prefix, last) = topic.rsplit_once('/')?;
        match last {
            "rpc" => return at(prefix, What::Rpc),
            "online" if known(prefix) => return at(prefix, What::Online),
            "status" if known(prefix) => return at(prefix, What::All),
            "announce" if known(prefix) => return at(prefix, What::Announce),
            "command" if known(prefix) => return at(prefix, What::Nothing),
            _ => {}
        }
        ["/command/", "/debug/"]
            .iter()
            .filter_map(|part| topic.split_once(part))
            .find(|(prefix, _)| known(prefix))
            .map(|(prefix, _)| Place { prefix, what: What::Nothing })
    }

    fn take(&mut self, place: &Place<'_>, raw: Raw<'_>, directory: &mut Directory) -> Result<Option<Vec<Body>>, String> {
        let prefix = place.prefix;
        if raw.payload.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let bodies = match place.what {
            What::Nothing => Vec::new(),
            What::Online => {
                let presence = match raw.payload.trim_ascii() {
                    b"true" => Presence::Online,
                    b"false" => Presence::Offline,
                    _ => return Err("online must be true or false".to_owned()),
                };
                let mut report = self.report(prefix, None, raw, directory)?;
                report.readings.presence(presence);
                report.end(None)?
            }
            What::Status(component) => {
                let status = Json::object(raw.payload)?;
                let mut report = self.report(prefix, None, raw, directory)?;
                self.component(&mut report, component, status, Extent::Whole, directory);
                report.end(None)?
            }
            What::All => {
                let status = Json::object(raw.payload)?;
                let mut report = self.report(prefix, None, raw, directory)?;
                self.status(&mut report, status, Extent::Whole, directory);
                report.end(None)?
            }
            What::Events => {
                let frame = Json::object(raw.payload)?;
                let params = frame.get("params").filter(|p| p.is_object()).ok_or("`params` must be an object")?;
                let source = frame.string("src");
                let mut report = self.report(prefix, source.as_deref(), raw, directory)?;
                match frame.string("method").as_deref() {
                    Some("NotifyStatus") => self.status(&mut report, params, Extent::Part, directory),
                    Some("NotifyFullStatus") => self.status(&mut report, params, Extent::Whole, directory),
                    Some("NotifyEvent") => self.events(&mut report, params, directory),
                    Some(other) => {
                        return Err(format!("the method {other:?} is not known; NotifyStatus, NotifyFullStatus and NotifyEvent are"));
                    }
                    None => return Err("`method` is missing".to_owned()),
                }
                report.end(clock(params.get("ts")))?
            }
            What::Announce => self.info(prefix, Json::object(raw.payload)?, raw, directory)?,
            What::Rpc => return self.rpc(prefix, raw, directory),
        };
        Ok(Some(bodies))
    }

    /// Anybody's remote procedure calls may pass here; only a Shelly's answers say something.
    fn rpc(&mut self, prefix: &str, raw: Raw<'_>, directory: &mut Directory) -> Result<Option<Vec<Body>>, String> {
        let mine = self.devices.contains_key(prefix) || prefix.rsplit('/').next().is_some_and(named);
        let Ok(frame) = Json::object(raw.payload) else { return Ok(mine.then(Vec::new)) };
        // The source of an answer is the device, whatever topic its asker has chosen.
        let Some(source) = frame.string("src").filter(|s| named(s) || self.devices.contains_key(s.as_str())) else {
            return Ok(mine.then(Vec::new));
        };
        let Some(result) = frame.get("result").filter(|r| r.is_object()) else { return Ok(Some(Vec::new())) };
        // An owner's prefix hides the device's own name; its MAC tells which it is.
        let prefix = match mac_of(&source).and_then(|mac| self.devices.iter().find(|(_, k)| k.mac.as_deref() == Some(mac))) {
            Some((own, _)) => own.clone(),
            None => source.clone(),
        };
        if result.get("mac").is_some() && (result.get("app").is_some() || result.get("model").is_some()) {
            return self.info(&prefix, result, raw, directory).map(Some);
        }
        let mut report = self.report(&prefix, Some(&source), raw, directory)?;
        let components = result.get("components").map(Json::elements).unwrap_or_default();
        for part in &components {
            if let (Some(key), Some(config)) = (part.string("key"), part.get("config")) {
                self.blu.configure(&report.device, &key, config);
            }
        }
        for part in components {
            if let (Some(key), Some(status)) = (part.string("key"), part.get("status")) {
                self.component(&mut report, &key, status, Extent::Whole, directory);
            }
        }
        // `GetStatus` and `GetConfig` have the same keys; a config has no readings, but for the names of the Bluetooth devices.
        for (key, config) in result.members() {
            self.blu.configure(&report.device, &key, config);
        }
        if let Some(name) = result.at(&["sys", "device", "name"]).and_then(Json::text).or_else(|| result.at(&["device", "name"])?.text()) {
            report.name = short(name.into_owned());
        }
        if result.at(&["sys", "uptime"]).is_some() {
            self.status(&mut report, result, Extent::Whole, directory);
        }
        Ok(Some(report.end(None)?))
    }

    /// `GetDeviceInfo` and `announce`.
    fn info(&mut self, prefix: &str, info: Json<'_>, raw: Raw<'_>, directory: &mut Directory) -> Result<Vec<Body>, String> {
        let source = info.string("id");
        let mut report = self.report(prefix, source.as_deref(), raw, directory)?;
        let model = [info.string("model"), info.string("app")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        report.inventory.push(DeviceInfo {
            device: Some(report.device.clone()),
            name: info.string("name").and_then(short),
            make: Some("Shelly".to_owned()),
            model: short(model),
            firmware: info.string("ver").and_then(short),
            ..DeviceInfo::default()
        });
        report.end(None)
    }

    /// Starts what a device says, and describes it when it is new.
    fn report(&mut self, prefix: &str, source: Option<&str>, raw: Raw<'_>, directory: &mut Directory) -> Result<Report, String> {
        let device = device_id(PREFIX, prefix).ok_or("the topic has no prefix")?;
        let mut inventory = Vec::new();
        let source = source.or_else(|| prefix.rsplit('/').next().filter(|p| named(p)));
        if self.devices.len() < MAX_DEVICES || self.devices.contains_key(prefix) {
            let known = self.devices.entry(prefix.to_owned()).or_default();
            let mac = source.and_then(mac_of).map(str::to_owned);
            let news = known.mac.is_none() && mac.is_some();
            if let (Some(source), false) = (source, known.described) {
                known.described = true;
                let model = source.rsplit_once('-').map_or(source, |(kind, _)| kind);
                let (make, model) = (Some("Shelly".to_owned()), short(model.to_owned()));
                inventory.push(DeviceInfo { device: Some(device.clone()), make, model, ..DeviceInfo::default() });
            }
            if let (Some(mac), true) = (mac, news) {
                known.mac = Some(mac.clone());
                // The owner has given it another prefix: what it was called before is no device any more.
                let old = self.devices.iter().find(|(p, k)| *p != prefix && k.mac.as_ref() == Some(&mac)).map(|(p, _)| p.clone());
                if let Some(old) = old {
                    self.devices.remove(&old);
                    inventory.splice(0..0, device_id(PREFIX, &old).map(removed));
                }
                directory.claim(&mac, &device);
            }
        }
        let readings = Readings::default();
        Ok(Report { device, retained: raw.retained, readings, inventory, name: None, period_s: None, others: Vec::new() })
    }

    fn status(&mut self, report: &mut Report, params: Json<'_>, extent: Extent, directory: &mut Directory) {
        for (key, status) in params.members() {
            if status.is_object() {
                self.component(report, &key, status, extent, directory);
            }
        }
    }

    fn component(&mut self, report: &mut Report, key: &str, status: Json<'_>, extent: Extent, directory: &mut Directory) {
        if key.starts_with("bthome") || key.starts_with("blutrv:") {
            report.others.extend(self.blu.status(&report.device, key, status, report.retained, directory));
            return;
        }
        if key == "sys" {
            report.period_s = status.get("wakeup_period").and_then(Json::whole).and_then(|s| u32::try_from(s).ok()).filter(|s| *s > 0);
            if let Some(mac) = status.string("mac") {
                directory.claim(&mac, &report.device);
            }
            // The button of a smoke alarm wakes it for its own test.
            if status.at(&["wakeup_reason", "cause"]).and_then(Json::text).as_deref() == Some("alarm_test") {
                report.readings.event(EventKind::Test);
            }
        }
        if key.starts_with("em:") || key.starts_with("em1:") {
            if self.meters.len() < MAX_DEVICES {
                self.meters.insert(report.device.clone());
            }
        } else if key.starts_with("temperature:") && self.meters.contains(&report.device) {
            return;
        }
        component::read(key, status, &mut report.readings);
        if key.starts_with("devicepower:")
            && let Some(present) = status.at(&["external", "present"]).and_then(|v| v.scalar().state())
        {
            if present && self.supplied.len() < MAX_DEVICES {
                self.supplied.insert(report.device.clone());
            }
            if self.supplied.contains(&report.device) {
                report.readings.state(Quantity::Mains, 0, present);
            }
        }
        let fault = (report.device.clone(), key.to_owned());
        let known = self.faulty.contains(&fault);
        match status.get("errors").map(|e| !e.elements().is_empty()) {
            Some(true) if !known && self.faulty.len() < MAX_DEVICES => {
                self.faulty.insert(fault);
            }
            Some(false) if known => {
                self.faulty.remove(&fault);
            }
            None if known && extent == Extent::Whole => {
                self.faulty.remove(&fault);
            }
            _ if !known => return,
            _ => {}
        }
        if !report.readings.has(&Quantity::Fault, 0) {
            report.readings.state(Quantity::Fault, 0, self.faulty.iter().any(|(device, _)| *device == report.device));
        }
    }

    fn events(&mut self, report: &mut Report, params: Json<'_>, directory: &mut Directory) {
        for event in params.get("events").map(Json::elements).unwrap_or_default() {
            let component = event.string("component").unwrap_or_default();
            let what = event.string("event").unwrap_or_default();
            if component.starts_with("bthome") {
                report.others.extend(self.blu.event(&report.device, &component, &what, report.retained));
            } else if let Some(data) = event.get("data").filter(|d| d.is_object()) {
                // The maker's gateway scripts pass on what BLU devices broadcast.
                report.others.extend(blu::broadcast(&report.device, data, report.retained, directory));
            } else if component.starts_with("input:") && blu::PUSHES.contains(&what.as_str()) {
                report.readings.event(EventKind::ButtonPressed);
            } else if component.starts_with("smoke:") && what == "alarm_test" {
                report.readings.event(EventKind::Test);
            }
        }
    }
}

/// What one message says, as it grows.
struct Report {
    device: DeviceId,
    retained: bool,
    readings: Readings,
    inventory: Vec<DeviceInfo>,
    name: Option<String>,
    period_s: Option<u32>,
    /// Of the devices behind it.
    others: Vec<Body>,
}

impl Report {
    fn end(mut self, sampled_at: Option<i64>) -> Result<Vec<Body>, String> {
        if self.name.is_some() || self.period_s.is_some() {
            let device = Some(self.device.clone());
            self.inventory.push(DeviceInfo { device, name: self.name, period_s: self.period_s, ..DeviceInfo::default() });
        }
        let mut bodies = if self.inventory.is_empty() { Vec::new() } else { vec![Body::Inventory(self.inventory)] };
        // Those behind it are heard even if its own readings are wrong.
        match self.readings.message(self.device, sampled_at, self.retained) {
            Ok(message) => bodies.push(message),
            Err(reason) if self.others.is_empty() => return Err(reason),
            Err(_) => {}
        }
        bodies.append(&mut self.others);
        Ok(bodies)
    }
}

/// Every device's own name: `shellyplusht-a8032ab1fe78`.
fn named(name: &str) -> bool {
    name.starts_with("shelly") && mac_of(name).is_some()
}

fn mac_of(name: &str) -> Option<&str> {
    name.rsplit_once('-').map(|(_, mac)| mac).filter(|mac| mac.len() == 12 && mac.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// UTC milliseconds of a time in seconds, where it is one.
fn clock(seconds: Option<Json<'_>>) -> Option<i64> {
    Decimal::parse(seconds?.scalar().number()?).ok()?.to_fixed(3).ok().map(|f| f.0).filter(|ms| *ms >= OLDEST_CLOCK)
}

impl Decoder for Shelly {
    fn name(&self) -> &'static str {
        "shelly"
    }
    fn prefix(&self) -> &'static str {
        PREFIX
    }
    fn decode(&mut self, raw: Raw<'_>, directory: &mut Directory) -> Decoded {
        let Some(place) = self.place(raw.topic) else { return Decoded::NotMine };
        if raw.payload.len() > MAX_PAYLOAD {
            return Decoded::Malformed(format!("the payload is longer than {MAX_PAYLOAD} bytes"));
        }
        match self.take(&place, raw, directory) {
            Ok(Some(bodies)) => Decoded::Inputs(bodies),
            Ok(None) => Decoded::NotMine,
            Err(reason) => Decoded::Malformed(reason),
        }
    }
    fn owner(&self, topic: &str) -> Owner {
        match self.place(topic) {
            Some(Place { prefix, what: What::Rpc }) if !self.devices.contains_key(prefix) && !named(prefix) => Owner::NotMine,
            Some(place) => Owner::Mine(device_id(PREFIX, place.prefix)),
            None => Owner::NotMine,
        }
    }
    fn learn(&mut self, inventory: &[DeviceInfo], directory: &mut Directory) {
        for info in inventory.iter().filter(|i| !i.removed) {
            let Some(name) = info.device.as_ref().and_then(|d| d.as_str().strip_prefix(PREFIX)) else { continue };
            if let Some(device) = info.device.as_ref().filter(|_| info.quantities.contains(&Quantity::Mains)) {
                self.supplied.insert(device.clone());
            }
            // An id with a hash was made of a prefix that cannot be had back.
            if !name.starts_with("blu.") && !name.contains('~') && self.devices.len() < MAX_DEVICES {
                let known = self.devices.entry(name.to_owned()).or_default();
                known.described = info.make.is_some();
                if let (Some(mac), Some(device)) = (mac_of(name), &info.device) {
                    known.mac = Some(mac.to_owned());
                    directory.claim(mac, device);
                }
            }
        }
    }
}

/// What a device behind a gateway says.
fn passed_on(child: DeviceId, via: &DeviceId, info: DeviceInfo, readings: Readings, retained: bool) -> Vec<Body> {
    let info = DeviceInfo { device: Some(child.clone()), via: Some(via.clone()), quantities: readings.quantities(), ..info };
    let mut bodies = vec![Body::Inventory(vec![info])];
    bodies.extend(readings.message(child, None, retained));
    bodies
}

#[cfg(test)]
mod tests;
